//! `userpresence show ...` and `userpresence explain`.

use std::fmt::Write;

use super::own_settings;
use super::table::Table;
use super::{fail, outcome, routes, view};
use crate::runtime;
use crate::runtime::store;
use crate::surfaces::metrics;
use crate::version::{COMMIT, ModuleFile, Releases, VERSION};
use asterisk::cli::{Args, CliResult};
use presence::Presence;
use presence::State;
use presence::Time;
use presence::account::wants_group;
use presence::combine::Reason;
use presence::model::flags::Flag;
use presence::model::inferred::Inferred;
use presence::model::status::StatusType;
use presence::model::text::quoted;
use presence::model::visibility::{VisibilityOrigin, same_group};
use presence::views::explain::{describe, explain};
use presence::views::fields::{PresenceView, View};
use regex_lite::Regex;

/// `userpresence show users`
pub fn show_users(args: &Args<'_>, out: &mut String) -> CliResult {
    let (mut filter, mut groups) = (None, Vec::new());
    for pair in args.0.chunks(2) {
        match pair {
            ["group", names] if groups.is_empty() => {
                groups = names
                    .split(',')
                    .map(|name| name.trim().to_owned())
                    .collect();
            }
            ["like", pattern] if filter.is_none() => match Regex::new(pattern) {
                Ok(regex) => filter = Some(regex),
                Err(why) => {
                    let pattern = quoted(pattern);
                    return outcome(fail(
                        out,
                        &format!("'{pattern}' is not a regular expression: {why}"),
                    ));
                }
            },
            _ => return CliResult::ShowUsage,
        }
    }
    let unknown = store::read(|world| {
        let known: Vec<&str> = world.directory().groups().map(|(_, it, _)| it).collect();
        let mut unknown = groups.iter().filter(|group| {
            let mut known = known.iter();
            !known.any(|known| same_group(known, group))
        });
        unknown.next().cloned()
    });
    if let Some(group) = unknown.flatten() {
        return outcome(fail(
            out,
            &format!("there is no group '{}'", quoted(&group)),
        ));
    }
    let wanted = |name: &str| filter.as_ref().is_none_or(|regex| regex.is_match(name));
    let names = store::read(|world| {
        let users = world.directory().users().map(|(_, user)| user);
        let users = users.filter(|user| wants_group(&groups, user));
        users.map(|user| user.name.clone()).collect::<Vec<_>>()
    });
    // Matching many names takes time: not under the lock.
    let mut names = names.unwrap_or_default();
    names.retain(|name| wanted(name));
    let now = store::now();
    let table = Table::new([
        "User", "Name", "State", "Status", "Inferred", "Source", "Set", "Subtype", "Message",
    ]);
    let mut table = table.with_optional(1);
    for name in names {
        // One lock for each user: a long list never delays a change. By name, because a
        // reload assigns new numbers.
        let row = store::read(|world| {
            let id = world.directory().user(&name)?;
            let user = name.to_string();
            let contact = world.directory().get(id).contact.as_deref();
            let person = contact.map_or_else(String::new, |contact| contact.name.to_string());
            let outcome = world.outcome(id);
            let presence = &outcome.presence;
            let state = presence.state().name().to_owned();
            let since = (outcome.since != Time::NEVER).then(|| outcome.since.millis());
            let source = source_name(world.winner(id)).to_owned();
            let (subtype, message) = (presence.subtype().into(), presence.message().into());
            let status = world
                .status(id)
                .map_or("", |status| &status.name)
                .to_owned();
            let inferred = world.inferred(id).map_or("", Inferred::label).to_owned();
            Some([
                user,
                person,
                state,
                status,
                inferred,
                source,
                ago(since, now),
                subtype,
                message,
            ])
        });
        table.rows.extend(row.flatten());
    }
    let count = table.rows.len();
    table.show(out);
    let _ = writeln!(out, "{count} user{}", if count == 1 { "" } else { "s" });
    CliResult::Success
}

/// `5m 10s ago`, `never`.
pub fn ago(since: Option<u64>, now: Time) -> String {
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

/// FreePBX's do not disturb of the user's extensions.
fn followed_dnd(view: &View) -> String {
    match (view.follow_dnd, view.refuses_calls, &view.dnd_from) {
        (false, ..) => "not followed".to_owned(),
        (true, true, Some(extension)) => format!("on, switched on at extension {extension}"),
        (true, true, None) => "on, as the status".to_owned(),
        (true, false, _) => "off".to_owned(),
    }
}

/// `userpresence show user`
pub fn show_user(args: &Args<'_>, out: &mut String) -> CliResult {
    let [name] = args.0.as_slice() else {
        return CliResult::ShowUsage;
    };
    let Some(view) = view(name, out) else {
        return CliResult::Failure;
    };
    let now = store::now();
    let flags = Flag::ALL.map(|flag| (flag.label(), yes_no(view.flags.get(flag)).to_owned()));
    let lines = [
        ("User", view.user.clone()),
        ("Id", view.id.clone()),
        ("Account", view.account.clone()),
        ("Name", view.name.to_string()),
        ("Title", view.title.to_string()),
        ("Email", view.email.to_string()),
        ("Groups", view.groups.join(", ")),
        ("Seen by", seen_by(&view)),
        ("State", view.presence.state.to_string()),
        ("Status", status_of(&view)),
        ("Subtype", view.presence.subtype.clone()),
        ("Message", view.presence.message.clone()),
        ("Inferred", view.inferred_label().to_owned()),
        ("Chosen", chosen_of(&view, now)),
        ("Set", ago(view.presence.since, now)),
        ("Ends", ends(view.presence.until, now)),
        ("Source", source_name(&view.source).to_owned()),
        ("Reason", view.reason.to_string()),
        ("Method", view.method.to_string()),
        ("Enabled", yes_no(view.enabled).to_owned()),
        ("Outgoing", view.outgoing.to_string()),
        (
            "Default",
            view.default.clone().unwrap_or_else(|| "none".into()),
        ),
        ("Calls", view.dnd_status.to_string()),
        ("FreePBX DND", followed_dnd(&view)),
    ];
    let more = [
        ("Telephony", view.activity.telephony.name().to_owned()),
        ("Meeting", view.activity.meeting.name().to_owned()),
        ("Presence", view.activity.presence.name().to_owned()),
        ("User status", view.activity.user.name().to_owned()),
        ("Lamp", view.device_state.to_string()),
        ("Queue", view.queue_state.to_string()),
        ("Panels", view.panels.to_string()),
        ("Sequence", view.sequence.to_string()),
    ];
    for (name, value) in lines.into_iter().chain(flags).chain(more) {
        let _ = writeln!(out, "{}", format!("{name:>12}: {value}").trim_end());
    }
    let mut table = Table::new([
        "", "Source", "State", "Set", "Subtype", "Message", "Device", "reports",
    ]);
    for source in &view.sources {
        let presence = source.known.then_some(&source.presence);
        let mark = mark(&view, source.winner, source.takes_part);
        let mut row = source_row(mark, &source.address, presence, now);
        row[6] = source.device.clone().unwrap_or_default();
        row[7] = source
            .device_state
            .map_or_else(String::new, |state| state.to_string());
        if !source.nodes.is_empty() {
            let _ = write!(row[7], " at {}", source.nodes.join(", "));
        }
        table.rows.push(row);
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
    CliResult::Success
}

fn mark(view: &View, winner: bool, takes_part: bool) -> &'static str {
    match (winner, takes_part) {
        // Without a source that is set there is no winner.
        (true, _) if view.reason != Reason::NothingSet => "*",
        (_, true) => "",
        (_, false) => "-",
    }
}

fn source_row(mark: &str, name: &str, value: Option<&PresenceView>, now: Time) -> [String; 8] {
    let text = |get: fn(&PresenceView) -> &str| value.map_or("", get).to_owned();
    let state = value
        .map_or("unknown", |value| value.state.name())
        .to_owned();
    let set = ago(value.and_then(|value| value.since), now);
    let (subtype, message) = (text(|value| &value.subtype), text(|value| &value.message));
    [
        mark.to_owned(),
        name.to_owned(),
        state,
        set,
        subtype,
        message,
        String::new(),
        String::new(),
    ]
}

/// `lunch, At lunch`.
fn status_of(view: &View) -> String {
    match (view.status.as_str(), view.label.as_str()) {
        (status, "") => status.to_owned(),
        (status, label) => format!("{status}, {label}"),
    }
}

/// `away (lunch) "Back at one", set 5m 10s ago`; the same text as in `userpresence explain`.
fn chosen_of(view: &View, now: Time) -> String {
    describe(&view.chosen, now)
}

/// `in 5m 10s`, `never`.
pub fn ends(until: Option<u64>, now: Time) -> String {
    let left = until.map(|until| now.age(Time::from_millis(until)));
    left.map_or_else(|| "never".into(), |left| format!("in {left}"))
}

/// `groups, by the user's own setting`.
fn seen_by(view: &View) -> String {
    let why = match view.visibility_origin {
        VisibilityOrigin::Flag => ", by allowSeeMyPresence",
        VisibilityOrigin::Own => ", by the user's own setting",
        VisibilityOrigin::Administrator => "",
    };
    format!("{}{why}", view.visibility)
}

/// `userpresence show groups`
pub fn show_groups(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let mut table = Table::new(["Group", "Account", "Users"]);
    let rows = store::read(|world| {
        let groups = world.directory().groups();
        let rows = groups.map(|(account, name, members)| {
            [
                name.to_owned(),
                account.to_owned(),
                members.len().to_string(),
            ]
        });
        rows.collect()
    });
    table.rows = rows.unwrap_or_default();
    table.rows.sort();
    let count = table.rows.len();
    table.show(out);
    let _ = writeln!(out, "{count} group{}", if count == 1 { "" } else { "s" });
    CliResult::Success
}

fn yes_no(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// `userpresence explain`
pub fn explain_user(args: &Args<'_>, out: &mut String) -> CliResult {
    let name = match args.0.as_slice() {
        [name] => name,
        [_, from] if from.eq_ignore_ascii_case("from") => return CliResult::ShowUsage,
        [name, origin] => return routes::explain_route(name, origin, out),
        [name, from, caller] if from.eq_ignore_ascii_case("from") => {
            return routes::explain_from(name, caller, out);
        }
        _ => return CliResult::ShowUsage,
    };
    outcome(view(name, out).map(|view| out.push_str(&explain(&view, store::now()))))
}

/// `userpresence show actions`
pub fn show_actions(args: &Args<'_>, out: &mut String) -> CliResult {
    let name = match args.0.as_slice() {
        [] => None,
        [name] => match view(name, out) {
            Some(view) => Some(view.user),
            None => return CliResult::Failure,
        },
        _ => return CliResult::ShowUsage,
    };
    let mut table = Table::new(["User", "Target", "Set", "Now", "Was"]);
    let Some(runtime) = runtime::current() else {
        return outcome(fail(out, runtime::NOT_RUNNING));
    };
    for (user, done) in runtime.actions_in_force(name.as_deref()) {
        let rows = runtime.present_values(&done);
        let rows = done.into_iter().zip(rows);
        let rows = rows.map(|(done, now)| {
            let cells = [user.to_string(), done.target, done.wrote, now, done.found];
            // The cells may contain text from other programs.
            cells.map(|cell| cell.replace(char::is_control, "?"))
        });
        table.rows.extend(rows);
    }
    let count = table.rows.len();
    if count > 0 {
        table.show(out);
    }
    let _ = writeln!(out, "{count} in force");
    CliResult::Success
}

/// `userpresence show statuses`
pub fn show_statuses(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let statuses = store::read(|world| world.directory().settings.statuses().clone());
    let mut table = Table::new(["Status", "Label", "State", "Subtype", "Message", "Activity"]);
    for status in statuses.iter().flat_map(|statuses| statuses.iter()) {
        table.rows.push(status_row(status));
    }
    table.show(out);
    out.push_str(
        "- is recorded only: it is not written to extensions, and no presence maps to it\n",
    );
    CliResult::Success
}

fn status_row(status: &StatusType) -> [String; 6] {
    let text = |get: fn(&Presence) -> &str| status.maps_to.as_ref().map_or("", get).to_owned();
    let state = status.maps_to.as_ref().map(Presence::state);
    let activities = status.activities.iter().map(|it| it.name());
    [
        status.name.to_string(),
        status.label.to_string(),
        state.map_or("-", State::name).to_owned(),
        text(Presence::subtype),
        text(Presence::message),
        activities.collect::<Vec<_>>().join(","),
    ]
}

/// `userpresence show stats`
pub fn show_stats(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let mut table = Table::new(["Name", "Value"]);
    for metric in metrics::all() {
        let rows = metric.rows();
        let rows = rows.map(|(name, value)| [name, value.to_owned()]);
        table.rows.extend(rows);
    }
    table.show(out);
    CliResult::Success
}

/// `userpresence show version`
pub fn show_version(args: &Args<'_>, out: &mut String) -> CliResult {
    if !args.0.is_empty() {
        return CliResult::ShowUsage;
    }
    let releases = Releases::now();
    let differ = match releases.differ() {
        true => {
            ", another release than it was built for: `make rebuild` in the module's source \
             directory builds it for this one"
        }
        false => "",
    };
    let file = match ModuleFile::now() {
        ModuleFile::Same(file) => format!("{}, the build that runs", file.display()),
        ModuleFile::Replaced(file) => format!(
            "{}, another build than the one that runs: restart Asterisk to run it",
            file.display()
        ),
        ModuleFile::Unreadable(file, why) => {
            format!("{}, which cannot be read: {why}", file.display())
        }
        ModuleFile::Unknown => "unknown".to_owned(),
    };
    let lines = [
        ("Version", VERSION.to_owned()),
        ("Commit", COMMIT.to_owned()),
        ("Built for", format!("Asterisk {}", releases.built_for)),
        ("Runs in", format!("Asterisk {}{differ}", releases.runs_in)),
        ("File", file),
    ];
    for (name, value) in lines {
        let _ = writeln!(out, "{name:>9}: {value}");
    }
    CliResult::Success
}

/// `userpresence show settings`
pub fn show_settings(args: &Args<'_>, out: &mut String) -> CliResult {
    crate::trip("command");
    match args.0.as_slice() {
        [] => {}
        [user] => return own_settings::show(user, out),
        _ => return CliResult::ShowUsage,
    }
    let lines = store::read(|world| {
        let directory = world.directory();
        let mut lines = vec![("Version", VERSION.to_owned())];
        lines.extend(directory.settings.list());
        lines.extend([
            ("Users", directory.user_count().to_string()),
            ("Sources", directory.source_count().to_string()),
            ("Devices", directory.device_count().to_string()),
            (
                "Statuses",
                directory.settings.statuses().iter().count().to_string(),
            ),
            ("Accounts", directory.accounts().len().to_string()),
            (
                "API users",
                directory.settings.http.user_count().to_string(),
            ),
        ]);
        lines
    });
    for (name, value) in lines.unwrap_or_default() {
        let _ = writeln!(out, "{name:>18}: {value}");
    }
    CliResult::Success
}
