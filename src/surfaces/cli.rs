//! `userpresence ...` on Asterisk's console.

use std::fmt::Write;

use crate::asterisk::cli::{Args, Command, Completion, Outcome};
use crate::asterisk::regex::Regex;
use crate::door;
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
        complete: Some(complete_user),
    },
];

fn complete_user(at: &Completion<'_>) -> Vec<String> {
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
        let users = world.directory().users().map(|(_, user)| &user.name);
        users
            .filter(|name| begins(name))
            .take(MOST)
            .map(ToString::to_string)
            .collect()
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
    let row = |user: &str, state: &str, source: &str, age: &str, text: &str| {
        format!("{user:<20} {state:<11} {source:<26} {age:>8}  {text}")
            .trim_end()
            .to_owned()
    };
    let _ = writeln!(
        out,
        "{}",
        row("User", "State", "Source", "Set", "Subtype and message")
    );
    let now = Time::now();
    let names = door::read(|world| {
        let users = world.directory().users();
        let users = users
            .map(|(_, user)| &user.name)
            .filter(|name| wanted(name));
        users.cloned().collect::<Vec<_>>()
    });
    let mut count = 0;
    for name in names.unwrap_or_default() {
        // One look at a time: a long list never keeps a change waiting. By name,
        // because a reload gives new numbers.
        let line = door::read(|world| {
            let id = world.directory().user(&name)?;
            let user = world.directory().get(id).name.clone();
            let outcome = world.outcome(id);
            let age = match outcome.since {
                Time::NEVER => String::new(),
                since => since.age(now).to_string(),
            };
            let presence = &outcome.presence;
            let text = [presence.subtype(), presence.message()];
            let text = text
                .iter()
                .filter(|text| !text.is_empty())
                .copied()
                .collect::<Vec<_>>();
            let state = presence.state().name();
            Some(row(
                &user,
                state,
                &world.winner(id),
                &age,
                &text.join(" - "),
            ))
        });
        if let Some(line) = line.flatten() {
            let _ = writeln!(out, "{line}");
            count += 1;
        }
    }
    let _ = writeln!(out, "{count} user{}", if count == 1 { "" } else { "s" });
    Outcome::Success
}

fn age(said: &Said, now: Time) -> String {
    said.since.map_or_else(
        || "never set".into(),
        |since| format!("{} ago", Time::from_millis(since).age(now)),
    )
}

fn show_user(args: &Args<'_>, out: &mut String) -> Outcome {
    let [name] = args.0.as_slice() else {
        return Outcome::ShowUsage;
    };
    let Some(view) = view(name, out) else {
        return Outcome::Failure;
    };
    let now = Time::now();
    let source = match view.source.as_str() {
        "" => "none",
        "own" => "own status",
        source => source,
    };
    let lines = [
        ("User", view.user.clone()),
        ("Account, id", format!("{}, {}", view.account, view.id)),
        ("State", view.presence.state.to_owned()),
        ("Subtype", view.presence.subtype.clone()),
        ("Message", view.presence.message.clone()),
        ("Set", age(&view.presence, now)),
        ("Source", source.to_owned()),
        (
            "Reason",
            format!("{} (method {})", view.reason, view.method),
        ),
        (
            "Outgoing",
            format!("{}, enabled {}", view.outgoing, yes_no(view.enabled)),
        ),
        (
            "Default",
            view.default.clone().unwrap_or_else(|| "none".into()),
        ),
        (
            "Own status",
            view.own.as_ref().map_or_else(
                || "none".into(),
                |own| {
                    let text: Vec<_> = [own.state, &own.subtype, &own.message]
                        .into_iter()
                        .filter(|text| !text.is_empty())
                        .collect();
                    format!("{}, {}", text.join(" - "), age(own, now))
                },
            ),
        ),
        ("Sequence", view.sequence.to_string()),
    ];
    for (name, value) in lines {
        let _ = writeln!(out, "{}", format!("{name:>12}: {value}").trim_end());
    }
    let row = |mark: &str, address: &str, state: &str, age: &str, text: &str| {
        format!("{mark:>2} {address:<30} {state:<11} {age:>12}  {text}")
            .trim_end()
            .to_owned()
    };
    let _ = writeln!(
        out,
        "\n{}",
        row("", "Source", "State", "Set", "Subtype and message")
    );
    for source in &view.sources {
        let said = &source.presence;
        let mark = match (source.winner, source.takes_part) {
            (true, _) => "*",
            (_, true) => "",
            (_, false) => "-",
        };
        let state = if source.known { said.state } else { "unknown" };
        let text = [said.subtype.as_str(), said.message.as_str()];
        let text: Vec<_> = text.into_iter().filter(|text| !text.is_empty()).collect();
        let line = row(
            mark,
            &source.address,
            state,
            &age(said, now),
            &text.join(" - "),
        );
        let _ = writeln!(out, "{line}");
    }
    let _ = writeln!(out, "* wins, - takes no part");
    Outcome::Success
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
