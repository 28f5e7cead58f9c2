//! `userpresence ...` on Asterisk's console.

use std::fmt::Write;

use crate::asterisk::cli::{Args, Command, Completion, Outcome};
use crate::asterisk::regex::Regex;
use crate::door;
use crate::presence::config::Origin;
use crate::presence::directory::User;
use crate::presence::explain::explain;
use crate::presence::fields::{Query, Said, View};
use crate::presence::{State, Time, assignment};
use crate::reload;

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
        run: show_users,
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
        run: show_user,
        complete: Some(complete_user),
    },
    Command {
        words: c"userpresence explain",
        summary: c"Explain why a user's presence is what it is",
        usage: c"Usage: userpresence explain <name>
       Says in sentences which rule applies, which source won and what would
       change it.
",
        run: explain_user,
        complete: Some(complete_user),
    },
    Command {
        words: c"userpresence set",
        summary: c"Set a user's status",
        usage: c"Usage: userpresence set <name> <state> [<subtype>] [<message>]
       Sets a user's status, as USER_PRESENCE(name)= does in the dialplan. Put
       a subtype or message with blanks in quotes.
       States: not_set, unavailable, available, away, xa, chat, dnd
",
        run: set,
        complete: Some(|at| match at.before.len() {
            0 => complete_user(at),
            1 => State::ALL
                .iter()
                .map(|state| state.name().to_owned())
                .collect(),
            _ => Vec::new(),
        }),
    },
    Command {
        words: c"userpresence show settings",
        summary: c"Show the settings and what is loaded",
        usage: c"Usage: userpresence show settings
       Shows the general settings, and how many users and sources there are.
",
        run: show_settings,
        complete: None,
    },
    Command {
        words: c"userpresence reload user",
        summary: c"Read one user anew from realtime",
        usage: c"Usage: userpresence reload user <name>
       Reads one user anew from the realtime family 'userpresence'.
       'module reload res_userpresence.so' reads everything anew.
",
        run: reload_user,
        complete: Some(|at| complete_of(at, |user| user.origin == Origin::Realtime)),
    },
];

fn complete_user(at: &Completion<'_>) -> Vec<String> {
    complete_of(at, |_| true)
}

fn complete_of(at: &Completion<'_>, wanted: impl Fn(&User) -> bool) -> Vec<String> {
    if !at.before.is_empty() {
        return Vec::new();
    }
    // As many as anybody looks at: there may be a hundred thousand.
    const MOST: usize = 200;
    let begins = |name: &str| {
        let begin = name.get(..at.word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(at.word))
    };
    let names = door::read(|world| {
        let users = world.directory().users().map(|(_, user)| user);
        let users = users.filter(|user| begins(&user.name) && wanted(user));
        users.take(MOST).map(|user| user.name.to_string()).collect()
    });
    names.unwrap_or_default()
}

fn view(name: &str, out: &mut String) -> Option<View> {
    match door::read(|world| Query::find(world, name).map(|id| View::of(world, id))) {
        Some(Ok(view)) => Some(view),
        Some(Err(why)) => fail(out, &why),
        None => fail(out, "the module is not running"),
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

fn show_users(args: &Args<'_>, out: &mut String) -> Outcome {
    let filter = match args.0.as_slice() {
        [] => None,
        ["like", pattern] => match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(why) => {
                let pattern = assignment::shown(pattern);
                return outcome(fail(
                    out,
                    &format!("'{pattern}' is no regular expression: {why}"),
                ));
            }
        },
        _ => return Outcome::ShowUsage,
    };
    let wanted = |name: &str| filter.as_ref().is_none_or(|regex| regex.is_match(name));
    let names = door::read(|world| {
        let users = world.directory().users();
        users.map(|(_, user)| user.name.clone()).collect::<Vec<_>>()
    });
    // A stranger's expression may take its time: not under the lock.
    let mut names = names.unwrap_or_default();
    names.retain(|name| wanted(name));
    let now = Time::now();
    let mut table = Table::new(["User", "State", "Source", "Set", "Subtype", "Message"]);
    for name in names {
        // One look at a time: a long list never keeps a change waiting. By name,
        // because a reload gives new numbers.
        let row = door::read(|world| {
            let id = world.directory().user(&name)?;
            let user = name.to_string();
            let outcome = world.outcome(id);
            let presence = &outcome.presence;
            let state = presence.state().name().to_owned();
            let since = (outcome.since != Time::NEVER).then(|| outcome.since.millis());
            let source = source_name(&world.winner(id)).to_owned();
            let (subtype, message) = (presence.subtype().into(), presence.message().into());
            Some([user, state, source, ago(since, now), subtype, message])
        });
        table.rows.extend(row.flatten());
    }
    let count = table.rows.len();
    table.show(out);
    let _ = writeln!(out, "{count} user{}", if count == 1 { "" } else { "s" });
    Outcome::Success
}

/// Rows below each other, each column as wide as it needs to be, but not so wide that
/// one long text pushes all others off the screen.
struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    heads: [&'static str; N],
}

impl<const N: usize> Table<N> {
    const WIDEST: usize = 40;

    fn new(heads: [&'static str; N]) -> Self {
        Table {
            rows: Vec::new(),
            heads,
        }
    }

    fn show(self, out: &mut String) {
        let mut widths = self.heads.map(str::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count().min(Self::WIDEST));
            }
        }
        let heads = self.heads.map(str::to_owned);
        for row in std::iter::once(&heads).chain(&self.rows) {
            for (width, cell) in widths.iter().zip(row) {
                let _ = write!(out, "{cell:<width$}  ");
            }
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
        }
    }
}

fn ago(since: Option<u64>, now: Time) -> String {
    let ago = |since| format!("{} ago", Time::from_millis(since).age(now));
    since.map_or_else(|| "never".into(), ago)
}

fn source_name(source: &str) -> &str {
    match source {
        "" => "none",
        "own" => "own status",
        source => source,
    }
}

fn show_user(args: &Args<'_>, out: &mut String) -> Outcome {
    let [name] = args.0.as_slice() else {
        return Outcome::ShowUsage;
    };
    let Some(view) = view(name, out) else {
        return Outcome::Failure;
    };
    let now = Time::now();
    let lines = [
        ("User", view.user.clone()),
        ("Id", view.id.clone()),
        ("Account", view.account.clone()),
        ("State", view.presence.state.to_owned()),
        ("Subtype", view.presence.subtype.clone()),
        ("Message", view.presence.message.clone()),
        ("Set", ago(view.presence.since, now)),
        ("Source", source_name(&view.source).to_owned()),
        ("Reason", view.reason.to_owned()),
        ("Method", view.method.to_owned()),
        ("Enabled", yes_no(view.enabled).to_owned()),
        ("Outgoing", view.outgoing.to_owned()),
        (
            "Default",
            view.default.clone().unwrap_or_else(|| "none".into()),
        ),
        ("Sequence", view.sequence.to_string()),
    ];
    for (name, value) in lines {
        let _ = writeln!(out, "{}", format!("{name:>12}: {value}").trim_end());
    }
    let mut table = Table::new(["", "Source", "State", "Set", "Subtype", "Message"]);
    for source in &view.sources {
        let presence = source.known.then_some(&source.presence);
        let mark = mark(&view, source.winner, source.takes_part);
        table
            .rows
            .push(source_row(mark, &source.address, presence, now));
    }
    let mark = mark(&view, view.source == "own", view.own_takes_part);
    let mut own = source_row(mark, "own status", view.own.as_ref(), now);
    if view.own.is_none() {
        "none".clone_into(&mut own[2]);
    }
    table.rows.push(own);
    out.push('\n');
    table.show(out);
    out.push_str("* wins, - takes no part\n");
    Outcome::Success
}

fn mark(view: &View, winner: bool, takes_part: bool) -> &'static str {
    match (winner, takes_part) {
        // Where nothing is set there is nothing to win.
        (true, _) if view.reason != "nothing_set" => "*",
        (_, true) => "",
        (_, false) => "-",
    }
}

fn source_row(mark: &str, name: &str, said: Option<&Said>, now: Time) -> [String; 6] {
    let text = |get: fn(&Said) -> &str| said.map_or("", get).to_owned();
    let state = said.map_or("unknown", |said| said.state).to_owned();
    let set = ago(said.and_then(|said| said.since), now);
    let (subtype, message) = (text(|said| &said.subtype), text(|said| &said.message));
    [
        mark.to_owned(),
        name.to_owned(),
        state,
        set,
        subtype,
        message,
    ]
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

fn explain_user(args: &Args<'_>, out: &mut String) -> Outcome {
    let [name] = args.0.as_slice() else {
        return Outcome::ShowUsage;
    };
    outcome(view(name, out).map(|view| out.push_str(&explain(&view, Time::now()))))
}

fn set(args: &Args<'_>, out: &mut String) -> Outcome {
    let (name, state, texts) = match args.0.as_slice() {
        [name, state, texts @ ..] if texts.len() <= 2 => (name, state, texts),
        _ => return Outcome::ShowUsage,
    };
    let text = |at: usize| texts.get(at).copied().unwrap_or_default();
    let presence = assignment::new(state, text(0), text(1), "");
    match presence.and_then(|presence| door::choose(name, &presence)) {
        Ok(()) => outcome(view(name, out).map(|view| {
            let said = &view.presence;
            let _ = writeln!(
                out,
                "Status of '{}' set; the combined state is {}.",
                view.user, said.state
            );
        })),
        Err(why) => outcome(fail(out, &why)),
    }
}

fn show_settings(args: &Args<'_>, out: &mut String) -> Outcome {
    crate::trip("command");
    if !args.0.is_empty() {
        return Outcome::ShowUsage;
    }
    let lines = door::read(|world| {
        let directory = world.directory();
        let rule = &directory.settings.rule;
        let order: Vec<_> = rule
            .order
            .states()
            .iter()
            .map(|state| state.name())
            .collect();
        vec![
            ("Version", env!("CARGO_PKG_VERSION").to_owned()),
            ("enabled", yes_no(rule.enabled).to_owned()),
            ("method", rule.method.name().to_owned()),
            ("priority", order.join(",")),
            ("outgoing", rule.outgoing.name().to_owned()),
            ("presence_prefix", rule.presence_prefix.to_string()),
            ("settle", format!("{} ms", directory.settings.settle)),
            ("Users", directory.user_count().to_string()),
            ("Sources", directory.source_count().to_string()),
            ("Accounts", directory.accounts().len().to_string()),
        ]
    });
    for (name, value) in lines.unwrap_or_default() {
        let _ = writeln!(out, "{name:>16}: {value}");
    }
    Outcome::Success
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
