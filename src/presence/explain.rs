//! `userpresence explain`: why a user's presence is what it is, in sentences.

use std::fmt::Write;

use super::fields::{Said, SourceView, View};
use super::time::Time;

/// Explains a view: the answer, the rule, each source, and what would change it.
pub fn explain(view: &View, now: Time) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} is {}.", view.user, said(&view.presence, now));
    let _ = writeln!(text, "{}", why(view));
    let rule = match view.method {
        "priority" => format!(
            "Method priority: the highest state wins ({}), of equal states the one set last.",
            view.priority.join(" > ")
        ),
        "latest" => "Method latest: the source that was set last wins.".to_owned(),
        "default" => "Method default: the default extension alone counts.".to_owned(),
        _ => "Method none: own status alone counts.".to_owned(),
    };
    let _ = writeln!(text, "{rule}");
    for source in &view.sources {
        let _ = writeln!(text, "- {}", source_line(view, source, now));
    }
    let _ = writeln!(text, "- {}", own_line(view, now));
    let _ = writeln!(text, "{}", what_would_change_it(view));
    let _ = writeln!(text, "{}", where_a_status_goes(view));
    text
}

fn said(said: &Said, now: Time) -> String {
    let mut text = said.state.to_owned();
    if !said.subtype.is_empty() {
        let _ = write!(text, " ({})", said.subtype);
    }
    if !said.message.is_empty() {
        let _ = write!(text, " \"{}\"", said.message);
    }
    if let Some(since) = said.since {
        let _ = write!(text, ", set {} ago", Time::from_millis(since).age(now));
    }
    text
}

fn why(view: &View) -> String {
    let source = match view.source.as_str() {
        "own" => "own status",
        source => source,
    };
    match view.reason {
        "only" => format!("It comes from {source}: no other source is set."),
        "highest" => format!("It comes from {source}: its state stands highest."),
        "last_of_equals" => {
            format!(
                "It comes from {source}: of the sources with the highest state it was set last."
            )
        }
        "first_of_equals" => {
            format!("It comes from {source}: others are equal to it, and it is configured first.")
        }
        "latest" => format!("It comes from {source}: it was set last."),
        "default_extension" => format!("It comes from {source}: the default extension."),
        "own_status" if view.own.is_none() => "No status was chosen.".to_owned(),
        "own_status" => "It comes from own status.".to_owned(),
        _ => "No source is set.".to_owned(),
    }
}

fn source_line(view: &View, source: &SourceView, now: Time) -> String {
    let mut line = format!("{} is {}", source.address, said(&source.presence, now));
    let remark = if source.winner && view.reason != "nothing_set" {
        ": it wins"
    } else if !source.known {
        ": unknown, its provider is not loaded or has no such thing; it takes no part"
    } else if source.takes_part {
        match source.presence.state {
            "not_set" => ": not set, it gives way to all that are",
            _ => "",
        }
    } else if !view.enabled && source.extension.is_some() {
        ": not read, enabled = no"
    } else {
        match view.method {
            "default" => ": not the default extension",
            _ => ": not asked by this method",
        }
    };
    line.push_str(remark);
    line + "."
}

fn own_line(view: &View, now: Time) -> String {
    let Some(own) = &view.own else {
        return "Own status: none was chosen.".to_owned();
    };
    let remark = if view.source == "own" {
        ": it wins"
    } else if view.own_takes_part {
        ""
    } else if view.written.is_empty() {
        ": it takes no part"
    } else {
        ": it takes no part, the extensions it was written to speak for it"
    };
    format!("Own status is {}{remark}.", said(own, now))
}

fn what_would_change_it(view: &View) -> String {
    let count = view
        .sources
        .iter()
        .filter(|source| source.takes_part)
        .count();
    match view.method {
        "none" => "Only setting the user's status changes it.".to_owned(),
        "default" => match (&view.default, view.enabled) {
            (Some(default), true) => format!("Only extension {default} changes it."),
            _ => {
                "Only setting the user's status changes it: there is no default extension to read."
                    .to_owned()
            }
        },
        _ if count == 0 && !view.own_takes_part => {
            "Nothing changes it now: no source takes part.".to_owned()
        }
        "latest" => "Any source that is set to another state now would win.".to_owned(),
        _ => {
            let place = view
                .priority
                .iter()
                .position(|state| *state == view.presence.state);
            let higher = &view.priority[..place.unwrap_or(view.priority.len())];
            let higher: Vec<_> = higher
                .iter()
                .filter(|state| **state != "not_set")
                .copied()
                .collect();
            let state = view.presence.state;
            let equal = format!("one that is set to {state} later would take its place");
            match (state, higher.is_empty()) {
                ("not_set", _) => "Any source that is set would win.".to_owned(),
                (_, true) => format!("No state stands higher; {equal}."),
                _ => format!(
                    "A source that becomes {} would win; {equal}.",
                    higher.join(" or ")
                ),
            }
        }
    }
}

fn where_a_status_goes(view: &View) -> String {
    match view.written.as_slice() {
        [] => "Setting the user's status is written to no extension: it stays own status.".into(),
        addresses => format!(
            "Setting the user's status is written to {}.",
            addresses.join(", ")
        ),
    }
}
