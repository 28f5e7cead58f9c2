//! `userpresence set`, `message`, `dndstatus` and `reload user`.

use std::fmt::Write;

use super::{fail, outcome, view};
use crate::runtime::reload;
use crate::runtime::store;
use asterisk::cli::{Args, CliResult};
use presence::model::assignment::Parts;
use presence::model::dnd::DndStatus;
use presence::model::ending;
use presence::world::Change;

/// `userpresence set`
pub fn set(args: &Args<'_>, out: &mut String) -> CliResult {
    let [name, status, texts @ ..] = args.0.as_slice() else {
        return CliResult::ShowUsage;
    };
    let is_word = |word: &str| {
        ["for", "until"]
            .iter()
            .any(|it| it.eq_ignore_ascii_case(word))
    };
    let (texts, end) = match texts {
        [texts @ .., word, time] if texts.len() <= 2 && is_word(word) => {
            (texts, format!("{word} {time}"))
        }
        [texts @ .., last] if texts.len() < 2 && ending::duration(last).is_ok() => {
            (texts, (*last).to_owned())
        }
        texts if texts.len() <= 3 => (texts, String::new()),
        _ => return CliResult::ShowUsage,
    };
    let mut parts = Parts::in_order(status, texts);
    if !end.is_empty() {
        if !parts.options.is_empty() {
            return outcome(fail(out, "two end times are given, expected one"));
        }
        parts.options = &end;
    }
    match store::set_status(name, |statuses, clock| parts.choice(statuses, clock)) {
        Ok(()) => outcome(view(name, out).map(|view| {
            let state = view.presence.state;
            let _ = writeln!(
                out,
                "Status of '{}' set; the combined state is {state}.",
                view.user
            );
        })),
        Err(why) => outcome(fail(out, &why)),
    }
}

/// `userpresence message`
pub fn message(args: &Args<'_>, out: &mut String) -> CliResult {
    let (name, message) = match args.0.as_slice() {
        [name] => (name, ""),
        [name, message] => (name, *message),
        _ => return CliResult::ShowUsage,
    };
    match store::set_message(name, message) {
        Ok(()) => {
            let _ = writeln!(out, "Message of '{name}' set.");
            CliResult::Success
        }
        Err(why) => outcome(fail(out, &why)),
    }
}

/// `userpresence dndstatus`
pub fn dnd_status(args: &Args<'_>, out: &mut String) -> CliResult {
    let [name, dnd] = args.0.as_slice() else {
        return CliResult::ShowUsage;
    };
    let dnd = DndStatus::parse(dnd).map_err(String::from);
    let set = dnd.and_then(|dnd| {
        let name = store::name_of(name)?;
        store::change_user(&name, |user| Change::DndStatus(user, dnd)).map(|_| (name, dnd))
    });
    match set {
        Ok((name, dnd)) => {
            let _ = writeln!(out, "'{name}' is set to {}.", dnd.name());
            CliResult::Success
        }
        Err(why) => outcome(fail(out, &why)),
    }
}

/// `userpresence reload user`
pub fn reload_user(args: &Args<'_>, out: &mut String) -> CliResult {
    let [name] = args.0.as_slice() else {
        return CliResult::ShowUsage;
    };
    match reload::user(name) {
        Ok(done) => {
            let _ = writeln!(out, "{done}");
            CliResult::Success
        }
        Err(why) => outcome(fail(out, &why)),
    }
}
