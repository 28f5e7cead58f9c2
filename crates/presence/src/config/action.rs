//! Sections of `type = action`, and the options of users that name them.

use std::collections::HashMap;
use std::sync::Arc;

use super::Definitions;
use super::reader::{OptionSpec, OptionTable, SectionReader};
use super::value::{self, unexpected};
use crate::actions::{ActionBlock, ActsAt, Assignment, QueueAction, StatusKind};
use crate::model::state::State;
use crate::model::status::Statuses;
use crate::model::text::quoted;

/// A section while it is read.
#[derive(Default)]
pub(super) struct ActionDraft {
    block: ActionBlock,
    statuses: Arc<Statuses>,
}

impl OptionTable for ActionDraft {
    fn options() -> impl Iterator<Item = &'static OptionSpec<Self>> {
        const OPTIONS: &[OptionSpec<ActionDraft>] = &[
            OptionSpec::TYPE,
            OptionSpec::new("status", |it, given| {
                (it.block.states, it.block.types) = statuses(given.value, &it.statuses)?;
                Ok(())
            }),
            OptionSpec::new("when", |it, given| {
                given.one_of(&StatusKind::NAMES);
                value::status_kind(given.value).map(|kind| it.block.when = kind)
            }),
            OptionSpec::new("where", |it, given| {
                given.one_of(&ActsAt::NAMES);
                Ok(ActsAt::parse(given.value).map(|at| it.block.acts_at = at)?)
            }),
            OptionSpec::new("dnd", |it, given| {
                given.one_of(&["on", "off"]);
                switch(given.value).map(|on| it.block.dnd = Some(on))
            }),
            OptionSpec::new("followme", |it, given| {
                given.one_of(&["on", "off"]);
                switch(given.value).map(|on| it.block.followme = Some(on))
            }),
            OptionSpec::new("queue", |it, given| {
                given.repeats();
                queue(given.value).map(|queue| it.block.queues.push(queue))
            }),
            OptionSpec::new("set", |it, given| {
                given.repeats();
                Assignment::parse(given.value).map(|assignment| it.block.set.push(assignment))
            }),
        ];
        OPTIONS.iter()
    }
}

/// Reads one section.
pub(super) fn read(definitions: &mut Definitions, reader: &mut SectionReader<'_>) {
    let name = reader.section().name.as_str();
    if let Some(block) = parse(&definitions.statuses, reader) {
        let name = name.to_ascii_lowercase();
        definitions.actions.insert(name, Arc::new(block));
    }
}

fn parse(statuses: &Arc<Statuses>, reader: &mut SectionReader<'_>) -> Option<ActionBlock> {
    let mut draft = ActionDraft {
        block: ActionBlock {
            name: reader.section().name.as_str().into(),
            when: StatusKind::default(),
            acts_at: ActsAt::default(),
            states: Vec::new(),
            types: Vec::new(),
            dnd: None,
            contradicts_following: false,
            followme: None,
            queues: Vec::new(),
            set: Vec::new(),
        },
        statuses: statuses.clone(),
    };
    reader.read(&mut draft);
    reader.require(
        "status",
        "the states or status types that the actions are for",
    );
    draft.block.contradicts_following = contradicts_following(&draft);
    reader.is_clean().then_some(draft.block)
}

/// Whether `dnd` is off in the state `dnd`, or on in another one; and whether it depends on calls.
fn contradicts_following(draft: &ActionDraft) -> bool {
    let ActionDraft { block, statuses } = draft;
    let types = block.types.iter().map(|name| {
        let maps_to = statuses.find(name).and_then(|it| it.maps_to.as_ref());
        maps_to.is_some_and(|it| it.state() == State::Dnd)
    });
    let mut means_dnd = block
        .states
        .iter()
        .map(|state| *state == State::Dnd)
        .chain(types);
    let by_calls = block.when != StatusKind::Chosen;
    block
        .dnd
        .is_some_and(|on| by_calls || means_dnd.any(|it| it != on))
}

fn switch(given: &str) -> Result<bool, String> {
    value::boolean(given).map_err(|_| unexpected(given, "on or off"))
}

/// The states and status types of a block; `not_set` has no actions.
fn statuses(given: &str, known: &Statuses) -> Result<(Vec<State>, Vec<Box<str>>), String> {
    let (states, types) = value::statuses(given, known)?;
    match states.contains(&State::NotSet) {
        true => Err(
            "there are no actions for not_set, expected the other states, whose actions are \
             undone when they end"
                .into(),
        ),
        false => Ok((states, types)),
    }
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

/// The blocks that a value of the option `action` names, in its order.
///
/// # Errors
/// When a name is unknown.
pub(super) fn find(
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
/// When it is no interface.
pub(super) fn member(given: &str) -> Result<Box<str>, String> {
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
            "'{}' is not the interface of a queue member, expected one such as \
             Local/200@from-queue/n of at most 79 bytes",
            quoted(given)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::parsed;
    use super::*;

    /// The block `x`, or the errors.
    fn block(text: &str) -> Result<ActionBlock, Vec<String>> {
        let parsed = parsed(&format!(
            "[x]\ntype = action\n{text}[lunch]\ntype = status\nstate = away\n"
        ));
        let block = parsed.settings.definitions.actions.get("x");
        let errors = parsed.all_errors().map(ToString::to_string).collect();
        block.map(|block| ActionBlock::clone(block)).ok_or(errors)
    }

    #[test]
    fn a_section_sets_every_option() {
        let block = block(
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
        assert_eq!(block.acts_at, ActsAt::Everywhere);
    }

    #[test]
    fn a_section_may_act_at_the_origin_alone() {
        let block = block("status = dnd\nwhere = Origin\n").unwrap();
        assert_eq!(block.acts_at, ActsAt::Origin);
    }

    #[test]
    fn each_mistake_has_its_message_and_location() {
        let message = |text: &str| block(text).unwrap_err().join("\n");
        let location = "userpresence.conf:3, section [x], option";
        let errors = message("status = dnd,supper\n");
        assert!(errors.contains(&format!(
            "{location} 'status': unknown status 'supper', expected"
        )));
        assert!(message("status = not_set\n").contains("there are no actions for not_set"));
        assert!(message("dnd = on\n").contains("the option 'status' is missing"));
        assert!(message("dnd = maybe\nstatus = xa\n").contains("'maybe', expected on or off"));
        assert!(
            message("queue = go\nstatus = xa\n").contains("expected login, logout, pause or none")
        );
        assert!(message("queue = login\nstatus = xa\n").contains("login needs a queue"));
        assert!(
            message("where = here\nstatus = xa\n")
                .contains("unknown value 'here', expected everywhere or origin")
        );
        assert!(message("queue = ,pause\nstatus = xa\n").contains("names no queue"));
        let errors = message("set = DB(x/${MESSAGE})=1\nstatus = xa\n");
        assert!(errors.contains(&format!("{location} 'set': ${{MESSAGE}} is user input")));
        assert!(
            message("shoe = 43\nstatus = xa\n").contains("unknown option, expected type, status")
        );
    }
}
