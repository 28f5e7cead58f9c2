//! `userpresence ...` on Asterisk's console.

mod configuration;
mod password;
mod routes;
mod show;
mod table;
mod webhooks;

use std::fmt::Write;

use crate::runtime::reload;
use crate::runtime::store;
use asterisk::cli::{Args, Command, Completion, Outcome};
use presence::calls::CallOrigin;
use presence::config::Origin;
use presence::directory::User;
use presence::model::assignment::Parts;
use presence::model::dnd::DndStatus;
use presence::model::ending;
use presence::views::fields::{Query, View};
use presence::world::Change;

/// All commands.
pub static COMMANDS: &[Command] = &[
    Command {
        words: c"userpresence show users",
        summary: c"Show users and their combined presence",
        usage: c"Usage: userpresence show users [like <regex>]
       Shows every user with the combined presence, the source that won and how
       long ago it was set. With 'like', only those whose name matches the
       regular expression.
",
        run: show::show_users,
        complete: Some(|at| match at.before.len() {
            0 => vec!["like".to_owned()],
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show user",
        summary: c"Show a user's presence and all of its sources",
        usage: c"Usage: userpresence show user <name>
       Shows the combined presence of a user, why it is so, and every source
       with its state and age.
",
        run: show::show_user,
        complete: Some(complete_user),
    },
    Command {
        words: c"userpresence explain",
        summary: c"Explain why a user's presence is what it is",
        usage: c"Usage: userpresence explain <name> [internal|external|from <caller>]
       Says in sentences which rule applies, which source won and what would
       change it. With 'internal' or 'external', where such a call would go
       now, and why. <caller> is a user, an extension or a number: whether a
       call from there is internal is said too. A forward to an extension of
       a user is followed as UserPresenceDial() would.
",
        run: show::explain_user,
        complete: Some(|at| match at.before.len() {
            0 => complete_user(at),
            1 => {
                let origins = CallOrigin::ALL.into_iter().map(CallOrigin::name);
                origins.chain(["from"]).map(str::to_owned).collect()
            }
            2 if at.before[1].eq_ignore_ascii_case("from") => users_like(at.word, |_| true),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show routes",
        summary: c"Show where calls to a user go in each status",
        usage: c"Usage: userpresence show routes <name>
       Shows where internal and external calls to a user go: a row for each
       status that makes a difference, and one for all others. '*' marks the
       present status.
",
        run: routes::show_routes,
        complete: Some(complete_user),
    },
    Command {
        words: c"userpresence set",
        summary: c"Set a user's status",
        usage: c"Usage: userpresence set <name> <status> [<subtype>] [<message>] [<end>]
       Sets a user's status, as USER_PRESENCE(name)= does in the dialplan. Put
       a subtype or message with blanks in quotes, an empty one as \"\".
       The status is a state (not_set, unavailable, available, away, xa, chat,
       dnd) or another of 'userpresence show statuses'.
       <end> says when it ends and the one before returns: 'for 30m' (or '2h',
       '1h30m'), 'until 14:30' (the next, in the user's time zone), t(<seconds>),
       t(30m), u(<Unix time>) or u(14:30).
",
        run: set,
        complete: Some(|at| match at.before.len() {
            0 => complete_user(at),
            1 => statuses(),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence message",
        summary: c"Set the message of what a user has chosen",
        usage: c"Usage: userpresence message <name> [<message>]
       Sets the message of the status that the user has chosen, and nothing
       else: the status, its subtype and its end stay, whatever the user's
       phones do meanwhile. Without a message there is none any more.
",
        run: message,
        complete: Some(complete_user),
    },
    Command {
        words: c"userpresence dndstatus",
        summary: c"Set which calls a user takes",
        usage: c"Usage: userpresence dndstatus <name> <value>
       Sets which calls a user takes, beside the status: TakeAllCalls,
       DoNotAcceptAnyCalls or DoNotAcceptDepartmentCalls (none from queues).
",
        run: dnd_status,
        complete: Some(|at| match at.before.len() {
            0 => complete_user(at),
            1 => DndStatus::ALL.map(|takes| takes.name().to_owned()).into(),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show statuses",
        summary: c"Show the status types",
        usage: c"Usage: userpresence show statuses
       Shows every status type: its label, and the state, subtype and message
       that setting it writes.
",
        run: show::show_statuses,
        complete: None,
    },
    Command {
        words: c"userpresence show actions",
        summary: c"Show what the actions of statuses have done",
        usage: c"Usage: userpresence show actions [<name>]
       Shows what actions have set for everyone, or for one user, what is
       there now, and what they found before. What was set is undone when
       the status ends.
",
        run: show::show_actions,
        complete: Some(complete_user),
    },
    Command {
        words: c"userpresence show webhooks",
        summary: c"Show where events are posted, and how that goes",
        usage: c"Usage: userpresence show webhooks
       Shows every webhook: how many events it has delivered since the module
       was loaded, the number of the last one, since when it fails and why,
       and its address without credentials and query.
",
        run: webhooks::show_webhooks,
        complete: None,
    },
    Command {
        words: c"userpresence show stats",
        summary: c"Show what is counted and measured",
        usage: c"Usage: userpresence show stats
       Shows the numbers that Prometheus is given where res_prometheus is
       loaded. What ends with _total counts since Asterisk was started.
",
        run: show::show_stats,
        complete: None,
    },
    Command {
        words: c"userpresence show settings",
        summary: c"Show the settings and what is loaded",
        usage: c"Usage: userpresence show settings
       Shows the general settings, and how many users and sources there are.
",
        run: show::show_settings,
        complete: None,
    },
    Command {
        words: c"userpresence password",
        summary: c"Make an API user for HTTP, with a password's hash",
        usage: c"Usage: userpresence password <name> [<password>]
       Shows the lines of userpresence.conf for an API user of that name, who
       may come in over HTTP. Without a password a random one is made and
       shown. One that is typed stays in the history of the console, or of the
       shell where it is typed after 'asterisk -rx'.
",
        run: password::password,
        complete: None,
    },
    Command {
        words: c"userpresence check",
        summary: c"Check the configuration without applying it",
        usage: c"Usage: userpresence check
       Reads userpresence.conf and the users of realtime as a reload does, says
       every error and warning, and who would come and go. Nothing changes.
",
        run: configuration::check,
        complete: None,
    },
    Command {
        words: c"userpresence forget",
        summary: c"Delete the stored data of removed users",
        usage: c"Usage: userpresence forget <name>|all
       The data of a user that was removed from the configuration (status,
       flags, numbers) is kept for 30 days and is used again when the user
       comes back. This deletes it at once, for one removed user or for all.
       Configured users keep theirs.
",
        run: configuration::forget,
        complete: Some(|at| match at.before.is_empty() {
            true => configuration::forgettable(),
            false => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence reload",
        summary: c"Read the configuration anew",
        usage: c"Usage: userpresence reload [--really]
       Reads userpresence.conf and the users of realtime anew, as 'module
       reload res_userpresence.so' does, and says who came, went and changed,
       or why everything stays as it is. A reload that would remove all of
       more than ten users is refused without '--really'.
",
        run: configuration::reload,
        complete: Some(|at| match at.before.is_empty() {
            true => vec!["--really".to_owned()],
            false => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence reload user",
        summary: c"Read one user anew from realtime",
        usage: c"Usage: userpresence reload user <name>
       Reads one user anew from the realtime family 'userpresence'.
       'userpresence reload' reads everything anew.
",
        run: reload_user,
        complete: Some(|at| complete_of(at, |user| user.origin == Origin::Realtime)),
    },
];

fn complete_user(at: &Completion<'_>) -> Vec<String> {
    complete_of(at, |_| true)
}

fn complete_of(at: &Completion<'_>, wanted: impl Fn(&User) -> bool) -> Vec<String> {
    match at.before.is_empty() {
        true => users_like(at.word, wanted),
        false => Vec::new(),
    }
}

/// The users whose name begins so.
fn users_like(word: &str, wanted: impl Fn(&User) -> bool) -> Vec<String> {
    // As many as anybody looks at: there may be a hundred thousand.
    const MOST: usize = 200;
    let begins = |name: &str| {
        let begin = name.get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    let names = store::read(|world| {
        let users = world.directory().users().map(|(_, user)| user);
        let users = users.filter(|user| begins(&user.name) && wanted(user));
        users.take(MOST).map(|user| user.name.to_string()).collect()
    });
    names.unwrap_or_default()
}

fn statuses() -> Vec<String> {
    let statuses = store::read(|world| world.directory().settings.statuses().clone());
    let statuses = statuses.iter().flat_map(|statuses| statuses.iter());
    statuses.map(|status| status.name.to_string()).collect()
}

fn view(name: &str, out: &mut String) -> Option<View> {
    match store::read(|world| Query::find(world, name).map(|id| View::of(world, id))) {
        Some(Ok(view)) => Some(view),
        Some(Err(why)) => fail(out, &why),
        None => fail(out, store::NOT_RUNNING),
    }
}

fn fail<T>(out: &mut String, why: &str) -> Option<T> {
    // Writing to a String cannot fail, here and below.
    let mut letters = why.chars();
    let first = letters.next().map(|c| c.to_uppercase().collect::<String>());
    let _ = writeln!(out, "{}{}.", first.unwrap_or_default(), letters.as_str());
    None
}

fn outcome(done: Option<()>) -> Outcome {
    match done {
        Some(()) => Outcome::Success,
        None => Outcome::Failure,
    }
}

fn set(args: &Args<'_>, out: &mut String) -> Outcome {
    let [name, status, texts @ ..] = args.0.as_slice() else {
        return Outcome::ShowUsage;
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
        _ => return Outcome::ShowUsage,
    };
    let mut parts = Parts::in_order(status, texts);
    if !end.is_empty() {
        if !parts.options.is_empty() {
            return outcome(fail(out, "two ends are given, expected one"));
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

fn message(args: &Args<'_>, out: &mut String) -> Outcome {
    let (name, message) = match args.0.as_slice() {
        [name] => (name, ""),
        [name, message] => (name, *message),
        _ => return Outcome::ShowUsage,
    };
    match store::set_message(name, message) {
        Ok(()) => {
            let _ = writeln!(out, "Message of '{name}' set.");
            Outcome::Success
        }
        Err(why) => outcome(fail(out, &why)),
    }
}

fn dnd_status(args: &Args<'_>, out: &mut String) -> Outcome {
    let [name, takes] = args.0.as_slice() else {
        return Outcome::ShowUsage;
    };
    let takes = DndStatus::parse(takes).map_err(String::from);
    let set = takes.and_then(|takes| {
        let name = store::name_of(name)?;
        store::change_user(&name, |user| Change::DndStatus(user, takes)).map(|_| (name, takes))
    });
    match set {
        Ok((name, takes)) => {
            let _ = writeln!(out, "'{name}' is set to {}.", takes.name());
            Outcome::Success
        }
        Err(why) => outcome(fail(out, &why)),
    }
}

fn reload_user(args: &Args<'_>, out: &mut String) -> Outcome {
    let [name] = args.0.as_slice() else {
        return Outcome::ShowUsage;
    };
    match reload::user(name) {
        Ok(done) => {
            let _ = writeln!(out, "{done}");
            Outcome::Success
        }
        Err(why) => outcome(fail(out, &why)),
    }
}
