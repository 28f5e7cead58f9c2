//! Actions that would change what they follow from: a status of the user would set off an
//! action, which would set the status, and so on.

use crate::actions::{Person, QueueAction, wanted_targets};
use crate::model::address::{self, USER_LABEL, below};
use crate::model::freepbx::extension_of;
use crate::model::text::quoted;

/// What a user's presence depends on, directly or through other users.
#[derive(Clone, Default, Debug)]
pub struct Reads<'a> {
    /// Addresses of presence providers, those of users included.
    pub addresses: Vec<&'a str>,
    /// Devices.
    pub devices: Vec<&'a str>,
    /// Extensions whose do not disturb is followed.
    pub dnd: Vec<&'a str>,
}

/// The error where an action of the person would write what the person's presence depends
/// on, or would contradict do not disturb that follows the status. `written` takes a name, id or extension and returns the name of the user whom it means
/// and the addresses to which that user's status is written. All blocks of the person count,
/// whatever the person's status.
pub fn find<'a>(
    person: &Person,
    reads: &Reads<'_>,
    written: &dyn Fn(&str) -> Vec<&'a str>,
) -> Option<String> {
    if let Some(block) = person.blocks.iter().find(|it| it.contradicts_following) {
        if person.follows_dnd {
            return Some(contradiction(&block.name, &person.user));
        }
    }
    for (block, target) in wanted_targets(person) {
        let Some((name, args)) = target.split_once('(') else {
            continue;
        };
        let args = args.strip_suffix(')').unwrap_or(args).trim();
        let first = args.split(',').next().unwrap_or_default().trim();
        let address = |address: &str| {
            reads
                .addresses
                .iter()
                .any(|read| address::same(read, address))
        };
        let device = |device: &str| {
            reads
                .devices
                .iter()
                .any(|read| read.eq_ignore_ascii_case(device))
                || extension_of(device).is_some_and(|it| reads.dnd.contains(&it))
        };
        let user = |name: &str| {
            let users = reads
                .addresses
                .iter()
                .filter_map(|read| below(read, USER_LABEL));
            person.user.eq_ignore_ascii_case(name)
                || users
                    .into_iter()
                    .any(|read| read.eq_ignore_ascii_case(name))
        };
        let feeds = match name {
            "PRESENCE_STATE" => address(first) || below(first, USER_LABEL).is_some_and(user),
            "DEVICE_STATE" | "DEVSTATE" => device(first),
            "USER_PRESENCE" => {
                let mut written = written(first).into_iter();
                user(first) || written.any(|it| address(it) || user(it))
            }
            // The databases of the stock providers, which read them at the next start.
            "DB" => match args.split_once('/') {
                Some(("CustomPresence", key)) => address(&format!("CustomPresence:{key}")),
                Some(("CustomDevstate", key)) => device(&format!("Custom:{key}")),
                Some(("DND", extension)) => reads.dnd.contains(&extension),
                _ => false,
            },
            _ => false,
        };
        if feeds {
            return Some(cycle(&block, &target, &person.user));
        }
    }
    let member = person.member.as_deref()?;
    for block in &person.blocks {
        let acts = |(_, action): &&(_, QueueAction)| *action != QueueAction::None;
        for (queue, _) in block.queues.iter().filter(acts) {
            // `app_queue` reports a pause as the state of such a device.
            let reports = |read: &&&str| {
                let Some(rest) = below(read, "Queue") else {
                    return false;
                };
                let suffix = format!("_pause_{member}");
                let Some(at) = rest.len().checked_sub(suffix.len()) else {
                    return false;
                };
                let (Some(name), Some(end)) = (rest.get(..at), rest.get(at..)) else {
                    return false;
                };
                end.eq_ignore_ascii_case(&suffix)
                    && queue
                        .as_deref()
                        .is_none_or(|queue| queue.eq_ignore_ascii_case(name))
            };
            if let Some(read) = reads.devices.iter().find(reports) {
                return Some(cycle(&block.name, read, &person.user));
            }
        }
    }
    None
}

fn cycle(block: &str, target: &str, user: &str) -> String {
    format!(
        "the action '{block}' would write {}, on which the presence of user '{user}' depends: \
         a cycle, expected actions that do not change what causes them",
        quoted(target)
    )
}

fn contradiction(block: &str, user: &str) -> String {
    format!(
        "the action '{block}' sets dnd against the status of user '{user}', which do not disturb \
         follows (follow_dnd = yes): expected no dnd in that action, or follow_dnd = no"
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::parsed;
    use super::*;
    use crate::actions::{ActionBlock, StatusChange};

    fn block(text: &str) -> Arc<ActionBlock> {
        let parsed = parsed(&format!("[x]\ntype = action\n{text}"));
        parsed.settings.definitions.actions["x"].clone()
    }

    fn person(text: &str) -> Person {
        Person {
            user: "alice".into(),
            id: "7".into(),
            account: "main".into(),
            extensions: vec!["200".into()],
            member: Some("Local/200@q/n".into()),
            functions: Arc::default(),
            blocks: vec![block(text)],
            own: crate::actions::OwnActions::default(),
            may_act: false,
            follows_dnd: false,
            chosen: StatusChange::default(),
            combined: StatusChange::default(),
        }
    }

    #[test]
    fn a_cycle_is_found_whatever_leads_to_it() {
        let reads = Reads {
            addresses: vec!["CustomPresence:200", "UserPresence:Team"],
            devices: vec![
                "Custom:DND200",
                "Custom:busy",
                "Queue:600_pause_Local/200@q/n",
            ],
            dnd: Vec::new(),
        };
        for bad in [
            "set = PRESENCE_STATE(custompresence:${EXTENSION})=away",
            "set = DEVICE_STATE(Custom:busy)=BUSY",
            "set = DEVSTATE(custom:busy)=BUSY",
            "set = USER_PRESENCE(alice)=away",
            "set = USER_PRESENCE(TEAM,x)=away",
            "set = DB(CustomPresence/200)=away",
            "set = DB(CustomDevstate/busy)=BUSY",
            "dnd = off",
            "queue = pause",
            "queue = 600,logout",
        ] {
            let error = find(&person(&format!("status = xa\n{bad}\n")), &reads, &|_| {
                Vec::new()
            });
            assert!(
                error
                    .as_ref()
                    .is_some_and(|error| error.contains("a cycle")),
                "{bad}: {error:?}"
            );
        }
        for good in [
            "set = PRESENCE_STATE(CustomPresence:201)=away",
            "set = USER_PRESENCE(bob)=away",
            "followme = on",
            "queue = 601,pause",
            "queue = 600,none",
        ] {
            let error = find(&person(&format!("status = xa\n{good}\n")), &reads, &|_| {
                Vec::new()
            });
            assert_eq!(error, None, "{good}");
        }
    }
}
