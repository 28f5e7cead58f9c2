//! `userpresence explain`: sentences that explain a user's presence.

use std::fmt::Write;

use crate::combine::{Method, Reason};
use crate::config::Outgoing;
use crate::model::device::DeviceState;
use crate::model::dnd::DndStatus;
use crate::model::input::{PUBLISHED, ReadFrom};
use crate::model::state::State;
use crate::model::time::Time;
use crate::views::fields::{PresenceView, SourceView, View};

/// Explains a view: the presence, the rule, each source, what would change the presence, and
/// what lamps and queues show.
pub fn explain(view: &View, now: Time) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} is {}.", view.user, describe(&view.presence, now));
    let _ = writeln!(text, "{}", why(view));
    let (chosen, inferred): (Vec<_>, Vec<_>) = {
        let sources = view.sources.iter();
        sources.partition(|source| source.kind.is_chosen())
    };
    if let Some(extension) = &view.dnd_from {
        let _ = writeln!(
            text,
            "Do not disturb was switched on in FreePBX, at extension {extension}."
        );
    }
    // Without these two lines, everything is chosen.
    let both = !inferred.is_empty() || view.inferred.is_some();
    if both {
        let _ = writeln!(text, "{}", chosen_line(view, now));
        let _ = writeln!(text, "{}", inferred_line(view));
    }
    let rule = match view.method {
        Method::Priority => format!(
            "Method priority: the highest state wins ({}), of equal states the one set last.",
            view.priority.states().map(State::name).join(" > ")
        ),
        Method::Latest => "Method latest: the source that was set last wins.".to_owned(),
        Method::Default => "Method default: the default extension alone counts.".to_owned(),
        Method::None => "Method none: own status alone counts.".to_owned(),
    };
    let _ = writeln!(text, "{rule}");
    if !inferred.is_empty() {
        text.push_str("Chosen sources:\n");
    }
    for source in chosen {
        let _ = writeln!(text, "- {}", source_line(view, source, now));
    }
    let _ = writeln!(text, "- {}", own_line(view, now));
    if !inferred.is_empty() {
        text.push_str("Inferred sources:\n");
    }
    for source in inferred {
        let _ = writeln!(text, "- {}", source_line(view, source, now));
    }
    let _ = writeln!(text, "{}", what_would_change_it(view));
    let _ = writeln!(text, "{}", where_a_status_goes(view));
    if view.follow_dnd {
        let _ = writeln!(
            text,
            "FreePBX's do not disturb of the extensions and the status follow each other."
        );
    }
    let _ = writeln!(text, "{}", what_lamps_show(view));
    text
}

/// Describes a presence: `away (lunch) "Back at one", set 7s ago, ends in 5m 0s`.
pub fn describe(presence: &PresenceView, now: Time) -> String {
    let mut text = presence.state.name().to_owned();
    if !presence.subtype.is_empty() {
        let _ = write!(text, " ({})", presence.subtype);
    }
    if !presence.message.is_empty() {
        let _ = write!(text, " \"{}\"", presence.message);
    }
    if let Some(since) = presence.since {
        let _ = write!(text, ", set {} ago", Time::from_millis(since).age(now));
    }
    if let Some(until) = presence.until {
        let _ = write!(text, ", ends in {}", now.age(Time::from_millis(until)));
    }
    text
}

fn why(view: &View) -> String {
    let source = match view.source.as_str() {
        "own" => "own status",
        "schedule" => "the schedule",
        source => match source.strip_prefix(PUBLISHED) {
            Some(device) => &format!("what {device} publishes"),
            None => source,
        },
    };
    match view.reason {
        Reason::Only => format!("It comes from {source}: no other source is set."),
        Reason::Highest => format!("It comes from {source}: its state ranks highest."),
        Reason::LastOfEquals => {
            format!(
                "It comes from {source}: of the sources with the highest state it was set last."
            )
        }
        Reason::FirstOfEquals => {
            format!("It comes from {source}: others are equal to it, and it is configured first.")
        }
        Reason::Latest => format!("It comes from {source}: it was set last."),
        Reason::DefaultExtension => {
            format!("It comes from {source}: it is the default extension.")
        }
        Reason::OwnStatus if view.own.is_none() => "No status was chosen.".to_owned(),
        Reason::OwnStatus => "It comes from own status.".to_owned(),
        Reason::NothingSet => "No source is set.".to_owned(),
    }
}

fn chosen_line(view: &View, now: Time) -> String {
    let shown = match (view.status.as_str(), view.label.as_str()) {
        ("", _) => "no status".to_owned(),
        (status, label) => format!("status {status}, shown as '{label}'"),
    };
    format!("Chosen: {} ({shown}).", describe(&view.chosen, now))
}

fn inferred_line(view: &View) -> String {
    match view.inferred_label() {
        "" => "Inferred: nothing.".to_owned(),
        words => format!("Inferred: {words}."),
    }
}

fn source_line(view: &View, source: &SourceView, now: Time) -> String {
    let subject = source.kind.subject(&source.address);
    let subject = match source.kind.read_from() {
        ReadFrom::Provider if !source.known => {
            return format!(
                "{} is unknown: its provider is not loaded or does not know it; it takes no \
                 part.",
                source.address
            );
        }
        ReadFrom::Provider => format!("{subject} is"),
        ReadFrom::Device => {
            let state = source.device_state.unwrap_or_default();
            format!("{subject} is {state}{}", at_nodes(source))
        }
        ReadFrom::Clock if source.presence.state == State::NotSet => {
            return format!("{subject} sets nothing now: the time is within its hours.");
        }
        ReadFrom::Clock => format!("{subject} sets"),
        ReadFrom::Phone if source.presence.state == State::NotSet => {
            return format!("{subject} publishes nothing that its table knows.");
        }
        ReadFrom::Phone => format!("{subject} publishes"),
    };
    let described = describe(&source.presence, now);
    let described = match source.kind.read_from() {
        ReadFrom::Device => match is_idle(source) {
            true => String::new(),
            false => format!(", which means {described}"),
        },
        _ => format!(" {described}"),
    };
    format!("{subject}{described}{}.", remark(view, source))
}

/// ` at node 'berlin'`; empty for a device that can be reached here, or nowhere.
fn at_nodes(source: &SourceView) -> String {
    let nodes: Vec<String> = source.nodes.iter().map(|it| format!("'{it}'")).collect();
    let names: Vec<&str> = nodes.iter().map(String::as_str).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!(" at node {one}"),
        several => format!(" at nodes {}", list(several, "and")),
    }
}

/// Whether the source is a device that gives way now.
fn is_idle(source: &SourceView) -> bool {
    source.kind.read_from() == ReadFrom::Device && source.gives_way
}

/// The remark on a source's part in the result, and the reason for it.
fn remark(view: &View, source: &SourceView) -> String {
    if !source.takes_part {
        return why_not(view, source);
    }
    let remark = match source.device_state {
        Some(DeviceState::Invalid) if is_idle(source) => {
            ": it does not exist, or its module is not loaded"
        }
        // An idle device has a presence, but gives way so that calls end.
        _ if is_idle(source) && source.presence.state != State::NotSet => {
            ": idle, it gives way to any source that is set"
        }
        // If nothing is set, no source wins.
        _ if view.reason == Reason::NothingSet => "",
        _ if source.winner => ": it wins",
        _ if source.gives_way => ": it gives way to any source that is set",
        _ => "",
    };
    remark.to_owned()
}

fn why_not(view: &View, source: &SourceView) -> String {
    let presence = source.kind.read_from() == ReadFrom::Provider;
    if !view.enabled && source.extension.is_some() {
        return ": not read, enabled = no".to_owned();
    }
    match (view.method, &source.device) {
        (Method::Default, _) if presence => ": not the default extension".to_owned(),
        (Method::Default | Method::None, _) | (_, None) => ": not used by this method".to_owned(),
        (_, Some(device)) => {
            let device = match source.extension {
                Some(_) => format!("its device {device}"),
                None => "it".to_owned(),
            };
            format!(": ignored, {device} cannot be reached and another can (ignore_unreachable)")
        }
    }
}

fn own_line(view: &View, now: Time) -> String {
    let Some(own) = &view.own else {
        return "Own status: none was chosen.".to_owned();
    };
    let remark = match (view.source == "own", view.own_takes_part) {
        (true, _) if view.reason != Reason::NothingSet => ": it wins",
        (_, true) => "",
        (_, false) if view.written.is_empty() => ": not used by this method",
        (_, false) => ": not used, the extensions that it was written to count instead",
    };
    format!("Own status is {}{remark}.", describe(own, now))
}

fn what_would_change_it(view: &View) -> String {
    let count = view
        .sources
        .iter()
        .filter(|source| source.takes_part)
        .count();
    match view.method {
        Method::None => "Only setting the user's status changes it.".to_owned(),
        Method::Default => match (&view.default, view.enabled) {
            (Some(default), true) => format!("Only extension {default} changes it."),
            _ => {
                "Only setting the user's status changes it: there is no default extension to read."
                    .to_owned()
            }
        },
        _ if count == 0 && !view.own_takes_part => {
            "Nothing changes it now: no source takes part.".to_owned()
        }
        _ if view.presence.state == State::NotSet => "Any source that is set would win.".to_owned(),
        Method::Latest => "Any source that is set to another state now would win.".to_owned(),
        Method::Priority => {
            let state = view.presence.state;
            let states = view.priority.states().iter();
            let higher = states.take_while(|known| **known != state);
            let higher = higher.filter(|known| **known != State::NotSet);
            let higher: Vec<_> = higher.map(|state| state.name()).collect();
            let equal = format!("one that is set to {state} later would take its place");
            match higher.is_empty() {
                true => format!("No state ranks higher; {equal}."),
                false => format!(
                    "A source that becomes {} would win; {equal}.",
                    list(&higher, "or")
                ),
            }
        }
    }
}

fn where_a_status_goes(view: &View) -> String {
    let written: Vec<_> = view.written.iter().map(String::as_str).collect();
    let why = match written.as_slice() {
        [one] => return format!("A new status is written to extension {one}."),
        [_, _, ..] => {
            return format!(
                "A new status is written to extensions {}.",
                list(&written, "and")
            );
        }
        [] if !view.enabled => "enabled = no",
        [] if view.outgoing == Outgoing::None => "outgoing = none",
        [] if view.extensions().next().is_none() => "there are no extensions",
        [] => "no extension can be written to",
    };
    format!("A new status stays own status and is written to no extension: {why}.")
}

fn what_lamps_show(view: &View) -> String {
    let (lamp, queue) = (view.device_state, view.queue_state);
    let mut phones = view
        .sources
        .iter()
        .filter(|source| source.kind.is_phone())
        .filter_map(|source| source.device_state)
        .peekable();
    let none = phones.peek().is_some() && !phones.any(DeviceState::is_reachable);
    let mut why = Vec::new();
    if view.dnd_status != DndStatus::TakeAllCalls {
        why.push(view.dnd_status.name());
    }
    if none {
        why.push("no device can be reached");
    }
    let why = match why.is_empty() {
        true => String::new(),
        false => format!(": {}", why.join(", ")),
    };
    format!(
        "A lamp on {} shows {lamp}, a queue sees {queue}{why}.",
        view.user
    )
}

/// Joins words: `a`, `a or b`, `a, b or c`.
fn list(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}
