//! Sections of `type = action`, and what users say of actions.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Origin, Problem, Section, Variable, place, value};
use crate::actions::{
    ActionBlock, Assignment, Functions, Person, QueueAction, StatusKind, wanted_targets,
};
use crate::model::address::{self, USER_LABEL, below};
use crate::model::state::State;
use crate::model::suggest::expected;
use crate::model::text::quoted;

/// The options of such a section.
const OPTIONS: &str = "type, status, when, dnd, followme, queue, set";

/// Parses one section; `None` where it has an error. `is_type` knows the names of the
/// status types besides the states: a state's own only where it is mapped to another or
/// to none.
pub fn parse(
    section: &Section,
    is_type: &dyn Fn(&str) -> bool,
    errors: &mut Vec<Problem>,
) -> Option<ActionBlock> {
    let before = errors.len();
    let mut fail = |variable: Option<&Variable>, message: String| {
        let place = place(Origin::File, section, variable);
        errors.push(Problem { place, message });
    };
    let mut block = ActionBlock {
        name: section.name.as_str().into(),
        when: StatusKind::default(),
        states: Vec::new(),
        types: Vec::new(),
        dnd: None,
        followme: None,
        queues: Vec::new(),
        set: Vec::new(),
    };
    let mut has_status = false;
    for variable in &section.variables {
        if !variable.utf8 {
            fail(Some(variable), "the value is not UTF-8".into());
            continue;
        }
        let given = variable.value.as_str();
        let taken = match variable.name.to_ascii_lowercase().as_str() {
            "type" => Ok(()),
            "status" => {
                has_status = true;
                statuses(given, is_type).map(|(states, types)| {
                    (block.states, block.types) = (states, types);
                })
            }
            "when" => StatusKind::parse(given)
                .map(|when| block.when = when)
                .map_err(String::from),
            "dnd" => switch(given).map(|on| block.dnd = Some(on)),
            "followme" => switch(given).map(|on| block.followme = Some(on)),
            "queue" => queue(given).map(|queue| block.queues.push(queue)),
            "set" => Assignment::parse(given).map(|set| block.set.push(set)),
            other => Err(format!("unknown option{}", expected(other, OPTIONS))),
        };
        if let Err(message) = taken {
            fail(Some(variable), message);
        }
    }
    if !has_status {
        let message = "the option 'status' is missing, expected the states or status types that \
                       the actions are for";
        fail(None, message.into());
    }
    (errors.len() == before).then_some(block)
}

fn switch(given: &str) -> Result<bool, String> {
    value::boolean(given).map_err(|_| format!("'{}', expected on or off", quoted(given)))
}

/// States and status types; a word that is a state means the state.
fn statuses(
    given: &str,
    is_type: &dyn Fn(&str) -> bool,
) -> Result<(Vec<State>, Vec<Box<str>>), String> {
    let (mut states, mut types) = (Vec::new(), Vec::new());
    for word in given.split(',').map(str::trim) {
        match State::parse(word) {
            Ok(State::NotSet) => {
                return Err(
                    "nothing can be done for not_set, expected the other states, which \
                            undo their actions when they end"
                        .into(),
                );
            }
            Ok(state) => {
                states.push(state);
                // Its own type is another thing where it does not mean the state.
                if is_type(word) {
                    types.push(word.into());
                }
            }
            Err(_) if is_type(word) => types.push(word.into()),
            Err(_) => {
                return Err(format!(
                    "unknown status '{}'{}",
                    quoted(word),
                    expected(
                        word,
                        &format!("a status type or one of {}", State::expected())
                    )
                ));
            }
        }
    }
    Ok((states, types))
}

/// `pause` or `600,logout`.
fn queue(given: &str) -> Result<(Option<Box<str>>, QueueAction), String> {
    let (queue, action) = match given.rsplit_once(',') {
        Some((queue, action)) => (Some(queue.trim()), action.trim()),
        None => (None, given.trim()),
    };
    let Ok(action) = QueueAction::parse(action) else {
        return Err(format!(
            "'{}', expected {}, or a queue and one of them such as 600,pause",
            quoted(given),
            QueueAction::expected()
        ));
    };
    match queue {
        None if action == QueueAction::Login => {
            Err("login needs a queue, expected one such as 600,login".into())
        }
        Some(name) if name.is_empty() || name.contains([',', '\r', '\n']) => Err(format!(
            "'{}' names no queue, expected one such as 600",
            quoted(given)
        )),
        queue => Ok((queue.map(Into::into), action)),
    }
}

/// Takes one of the options by which [`Functions`] are replaced: `Ok(false)` when it is
/// none of them. `several` says that a value may hold several, separated by `;`. The
/// first of a name in `[general]` or a user replaces what was there before, further
/// ones join it; `seen` knows which have stood there.
///
/// # Errors
/// Says what was expected.
pub fn set_functions(
    functions: &mut Arc<Functions>,
    seen: &mut Vec<&'static str>,
    name: &str,
    given: &str,
    several: bool,
) -> Result<bool, String> {
    let names = ["dnd_on", "dnd_off", "followme_on", "followme_off"];
    let Some(name) = names
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(name))
    else {
        return Ok(false);
    };
    let parts = given.split(|c| several && c == ';').map(str::trim);
    let assignments = parts.map(Assignment::parse);
    let assignments: Vec<Assignment> = assignments.collect::<Result<_, _>>()?;
    let functions = Arc::make_mut(functions);
    let list = match name {
        "dnd_on" => &mut functions.dnd_on,
        "dnd_off" => &mut functions.dnd_off,
        "followme_on" => &mut functions.followme_on,
        _ => &mut functions.followme_off,
    };
    if !seen.contains(&name) {
        seen.push(name);
        list.clear();
    }
    list.extend(assignments);
    Ok(true)
}

/// The blocks that a value of the option `action` names, in its order.
///
/// # Errors
/// Says which name is unknown.
pub fn blocks(
    given: &str,
    known: &HashMap<String, Arc<ActionBlock>>,
) -> Result<Vec<Arc<ActionBlock>>, String> {
    let names = given.split(',').map(str::trim);
    let blocks = names.map(|name| {
        let block = known.get(&name.to_ascii_lowercase());
        block
            .cloned()
            .ok_or_else(|| format!("there is no section '{}' of type = action", quoted(name)))
    });
    blocks.collect()
}

/// A queue member's interface, such as `Local/200@from-queue/n`.
///
/// # Errors
/// Says what was expected.
pub fn member(given: &str) -> Result<Box<str>, String> {
    let good = |c: char| !c.is_control() && !matches!(c, '&' | ',' | '|');
    match given.split_once('/') {
        Some((kind, name))
            if !kind.is_empty()
                && !name.is_empty()
                && given.len() < 80
                && given.chars().all(good) =>
        {
            Ok(given.into())
        }
        _ => Err(format!(
            "'{}' is no interface of a queue member, expected one such as \
             Local/200@from-queue/n of at most 79 bytes",
            quoted(given)
        )),
    }
}

/// What one user reads, himself or through other users.
#[derive(Clone, Default, Debug)]
pub struct Reads<'a> {
    /// Addresses of presence providers, those of users too.
    pub addresses: Vec<&'a str>,
    /// Devices.
    pub devices: Vec<&'a str>,
}

/// Says it where an action of the person would write what the person reads: that
/// would be a cycle. `written` says whom a name, id or extension means, and which addresses
/// the status of that user is written to. The person's status does not matter, all blocks
/// count.
pub fn feeds<'a>(
    person: &Person,
    reads: &Reads<'_>,
    written: &dyn Fn(&str) -> Vec<&'a str>,
) -> Option<String> {
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
                // The name of the one who is meant stands among them.
                let mut written = written(first).into_iter();
                user(first) || written.any(|it| address(it) || user(it))
            }
            // Where these are kept; they speak at the next start.
            "DB" => match args.split_once('/') {
                Some(("CustomPresence", key)) => address(&format!("CustomPresence:{key}")),
                Some(("CustomDevstate", key)) => device(&format!("Custom:{key}")),
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
            // A pause is told as a device's state.
            let told = |read: &&&str| {
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
            if let Some(read) = reads.devices.iter().find(told) {
                return Some(cycle(&block.name, read, &person.user));
            }
        }
    }
    None
}

fn cycle(block: &str, target: &str, user: &str) -> String {
    format!(
        "the actions '{block}' would write {}, which the user '{user}' reads: a cycle, expected \
         actions that do not change what they follow from",
        quoted(target)
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::sections;
    use super::*;
    use crate::actions::StatusChange;

    fn parsed(text: &str) -> Result<ActionBlock, Vec<String>> {
        let sections = sections(&format!("[x]\ntype = action\n{text}"));
        let mut errors = Vec::new();
        let block = parse(&sections[0], &|name| name == "lunch", &mut errors);
        let said = errors.iter().map(ToString::to_string).collect();
        block.ok_or(said)
    }

    #[test]
    fn a_section_is_read() {
        let block = parsed(
            "status = dnd, lunch ,XA\ndnd = on\nfollowme = off\nqueue = pause\n\
             queue = 600,logout\nqueue = 601 , none\nset = DB(presence/${USER})=${STATE}\n",
        );
        let block = block.unwrap();
        assert_eq!(block.states, [State::Dnd, State::Xa]);
        assert_eq!(block.types, ["lunch".into()]);
        assert_eq!((block.dnd, block.followme), (Some(true), Some(false)));
        let expected = [
            (None, QueueAction::Pause),
            (Some("600".into()), QueueAction::Logout),
            (Some("601".into()), QueueAction::None),
        ];
        assert_eq!(block.queues, expected);
        assert_eq!(block.set.len(), 1);
    }

    #[test]
    fn each_mistake_has_its_message_and_place() {
        let message = |text: &str| parsed(text).unwrap_err().join("\n");
        let place = "userpresence.conf:3, section [x], option";
        let said = message("status = dnd,supper\n");
        assert!(said.contains(&format!(
            "{place} 'status': unknown status 'supper', expected"
        )));
        assert!(message("status = not_set\n").contains("nothing can be done for not_set"));
        assert!(message("dnd = on\n").contains("the option 'status' is missing"));
        assert!(message("dnd = maybe\nstatus = xa\n").contains("'maybe', expected on or off"));
        assert!(
            message("queue = go\nstatus = xa\n").contains("expected login, logout, pause or none")
        );
        assert!(message("queue = login\nstatus = xa\n").contains("login needs a queue"));
        assert!(message("queue = ,pause\nstatus = xa\n").contains("names no queue"));
        let said = message("set = DB(x/${MESSAGE})=1\nstatus = xa\n");
        assert!(said.contains(&format!(
            "{place} 'set': ${{MESSAGE}} is what a person wrote"
        )));
        assert!(
            message("shoe = 43\nstatus = xa\n").contains("unknown option, expected type, status")
        );
    }

    #[test]
    fn the_first_of_a_function_replaces_and_more_join() {
        let mut functions = Arc::new(Functions::default());
        let mut seen = Vec::new();
        let mut set = |name, value| set_functions(&mut functions, &mut seen, name, value, false);
        assert_eq!(set("DND_on", "DB(d/${EXTENSION})=1"), Ok(true));
        assert_eq!(set("dnd_on", "DB(e/${EXTENSION})=1"), Ok(true));
        assert_eq!(set("shoe", "x"), Ok(false));
        assert!(set("followme_on", "x").is_err());
        assert_eq!(functions.dnd_on.len(), 2);
        assert_eq!(functions.dnd_off, Functions::default().dnd_off);
    }

    fn person(text: &str) -> Person {
        Person {
            user: "alice".into(),
            id: "7".into(),
            account: "main".into(),
            extensions: vec!["200".into()],
            member: Some("Local/200@q/n".into()),
            functions: Arc::default(),
            blocks: vec![Arc::new(parsed(text).unwrap())],
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
            let said = feeds(&person(&format!("status = xa\n{bad}\n")), &reads, &|_| {
                Vec::new()
            });
            assert!(
                said.as_ref().is_some_and(|said| said.contains("a cycle")),
                "{bad}: {said:?}"
            );
        }
        for good in [
            "set = PRESENCE_STATE(CustomPresence:201)=away",
            "set = USER_PRESENCE(bob)=away",
            "followme = on",
            "queue = 601,pause",
            "queue = 600,none",
        ] {
            let said = feeds(&person(&format!("status = xa\n{good}\n")), &reads, &|_| {
                Vec::new()
            });
            assert_eq!(said, None, "{good}");
        }
    }
}
