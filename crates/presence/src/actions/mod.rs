//! Actions in Asterisk on a change of a user's status: sections of `type = action`.
//!
//! An [`ActionBlock`] is such a section. `wanted` collects the assignments and queue actions
//! that the blocks of a [`Person`] want now. [`carry_out`] compares them with the
//! [`ActionRecord`] of earlier actions and changes Asterisk through a [`Backend`]. An action is
//! undone only if its target still has the value that the action gave it.

mod backend;
mod place;
mod queue;
mod queues;
mod record;
mod target;
mod targets;
mod template;

use std::sync::Arc;

use crate::model::own_settings::OwnSwitch;
use crate::model::state::{Presence, State};
use crate::model::status::Statuses;
use crate::model::words::words;

pub use crate::model::queue_action::QueueAction;
pub use backend::{Backend, TargetValue};
pub use place::Entered;
pub use queue::{Member, QueueMembership, QueueStep, REASON};
pub use record::{ActionRecord, InForce, carry_out, describe_member};
pub use target::TargetKind;
pub use template::Assignment;

words! {
    /// The status that triggers a block.
    #[derive(Default)]
    pub enum StatusKind: "value" {
        /// The chosen status, including one that a schedule sets.
        #[default]
        Chosen = "chosen",
        /// The combined status, which includes calls and meetings.
        Combined = "combined",
    }
}

words! {
    /// On which servers a block acts, where several share their users.
    #[derive(Default)]
    pub enum ActsAt: "value" {
        /// On every server.
        #[default]
        Everywhere = "everywhere",
        /// On the server where the status came about.
        Origin = "origin",
    }
}

/// One section of `type = action`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct ActionBlock {
    /// The section's name.
    pub name: Arc<str>,
    /// The status that triggers the block.
    pub when: StatusKind,
    /// On which servers the block acts.
    pub acts_at: ActsAt,
    /// The states that the block applies to.
    pub states: Vec<State>,
    /// The status types that the block applies to, by name.
    pub types: Vec<Box<str>>,
    /// Whether do not disturb is switched on or off; `None` for neither.
    pub dnd: Option<bool>,
    /// Whether `dnd` is another one than what the status itself means for do not disturb that
    /// follows it.
    pub contradicts_following: bool,
    /// Whether follow me is switched on or off; `None` for neither.
    pub followme: Option<bool>,
    /// The actions in one queue by name, or with `None` in every queue of which the user is a
    /// member.
    pub queues: Vec<(Option<Box<str>>, QueueAction)>,
    /// The assignments of the option `set`.
    pub set: Vec<Assignment>,
}

/// The assignments behind `dnd` and `followme`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Functions {
    /// The assignments for `dnd = on`.
    pub dnd_on: Vec<Assignment>,
    /// The assignments for `dnd = off`.
    pub dnd_off: Vec<Assignment>,
    /// The assignments for `followme = on`.
    pub followme_on: Vec<Assignment>,
    /// The assignments for `followme = off`.
    pub followme_off: Vec<Assignment>,
}

impl Functions {
    /// The targets that FreePBX's dialplan and hints read. FreePBX's hint of an extension
    /// combines the phone with `Custom:DND<extension>`, so that device is unavailable, not
    /// idle, while do not disturb is off. `Custom:DEVDND<device>` is the lamp of the feature
    /// code; a device has the number of its extension.
    const FREEPBX: [&'static [&'static str]; 4] = [
        &[
            "DB(DND/${EXTENSION})=YES",
            "DEVICE_STATE(Custom:DND${EXTENSION})=BUSY",
            "DEVICE_STATE(Custom:DEVDND${EXTENSION})=BUSY",
        ],
        &[
            "DB(DND/${EXTENSION})=",
            "DEVICE_STATE(Custom:DND${EXTENSION})=UNAVAILABLE",
            "DEVICE_STATE(Custom:DEVDND${EXTENSION})=UNAVAILABLE",
        ],
        &[
            "DB(AMPUSER/${EXTENSION}/followme/ddial)=DIRECT",
            "DEVICE_STATE(Custom:FOLLOWME${EXTENSION})=INUSE",
        ],
        &[
            "DB(AMPUSER/${EXTENSION}/followme/ddial)=EXTENSION",
            "DEVICE_STATE(Custom:FOLLOWME${EXTENSION})=NOT_INUSE",
        ],
    ];
}

impl Default for Functions {
    fn default() -> Self {
        let all = Self::FREEPBX.map(|list| {
            let list = list.iter().map(|text| Assignment::parse(text));
            // A test checks that every default parses.
            list.filter_map(Result::ok).collect()
        });
        let [dnd_on, dnd_off, followme_on, followme_off] = all;
        Functions {
            dnd_on,
            dnd_off,
            followme_on,
            followme_off,
        }
    }
}

/// A presence, with the status type that holds beside it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusValue {
    /// The presence.
    pub presence: Presence,
    /// The status type; empty means the type of the state itself.
    pub kind: Arc<str>,
}

impl StatusValue {
    /// The status type's name.
    pub fn name(&self) -> &str {
        match &*self.kind {
            "" => self.presence.state().name(),
            kind => kind,
        }
    }
}

/// A snapshot of a user with everything that the actions depend on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The name of the user.
    pub user: Arc<str>,
    /// The id of the user for other programs; the name if no id is configured.
    pub id: Box<str>,
    /// The account of the user.
    pub account: Arc<str>,
    /// The names of the extensions, in the configured order.
    pub extensions: Vec<Box<str>>,
    /// The user's interface in queues, such as `Local/200@from-queue/n`.
    pub member: Option<Box<str>>,
    /// The assignments behind `dnd` and `followme`.
    pub functions: Arc<Functions>,
    /// The user's blocks, in the order of the option `action`.
    pub blocks: Vec<Arc<ActionBlock>>,
    /// What the user's own settings do in the chosen status.
    pub own: OwnActions,
    /// Whether the user may have actions of their own.
    pub may_act: bool,
    /// Whether do not disturb follows the status without an action.
    pub follows_dnd: bool,
    /// The chosen status, including one that a schedule sets.
    pub chosen: StatusChange,
    /// The combined status of all sources.
    pub combined: StatusChange,
}

/// What a user's own settings do in a status. An item that is set takes the place of that item
/// in all of the user's blocks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OwnActions {
    /// The action in every queue of which the user is a member. A login applies to the queues
    /// that the user's blocks name.
    pub queue: Option<QueueAction>,
    /// Do not disturb.
    pub dnd: Option<OwnSwitch>,
    /// Follow me.
    pub follow_me: Option<OwnSwitch>,
    /// The actions in queues that the settings have in any status.
    pub named: Vec<QueueAction>,
}

/// A status and the previous status.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusChange {
    /// The present status.
    pub new: StatusValue,
    /// The previous status. `None` if there was no change, as at a load: then the previous
    /// status is the one in the record.
    pub old: Option<StatusValue>,
    /// On which server the user came into the status.
    pub entered: Entered,
}

impl Person {
    /// Merges an earlier change that has not been carried out: its previous status becomes the
    /// previous status of this change.
    pub fn begin_with(&mut self, earlier: &Person) {
        for (change, earlier) in [
            (&mut self.chosen, &earlier.chosen),
            (&mut self.combined, &earlier.combined),
        ] {
            if earlier.old.is_some() {
                change.old.clone_from(&earlier.old);
            }
            if change.entered == Entered::Before {
                change.entered = earlier.entered;
            }
        }
    }

    /// The queues that the blocks name.
    fn named_queues(&self) -> Vec<Box<str>> {
        let queues = self.blocks.iter().flat_map(|block| &block.queues);
        queues.filter_map(|(queue, _)| queue.clone()).collect()
    }

    /// Whether the user's own settings may have done this in a queue.
    fn may_have_done(&self, action: QueueAction, queue: &str) -> bool {
        let is_named = || self.own.named.contains(&action);
        self.may_act
            && match action {
                // It ends nothing but a pause of this module.
                QueueAction::Pause => true,
                QueueAction::Login => {
                    let names = self.named_queues();
                    is_named() && names.iter().any(|name| name.eq_ignore_ascii_case(queue))
                }
                QueueAction::Logout => is_named(),
                QueueAction::None => false,
            }
    }

    /// The status that triggers a block of the given kind.
    pub fn change(&self, when: StatusKind) -> &StatusChange {
        match when {
            StatusKind::Chosen => &self.chosen,
            StatusKind::Combined => &self.combined,
        }
    }
}

/// The precedence of a block; the greatest rank wins a conflict. A block that names the
/// status type precedes a block that names the state, and then a later block an earlier one.
type Rank = (bool, usize);

/// The assignments and queue actions that a person's blocks want now, without conflicts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Wanted {
    /// The assignments as target and value, in order; each target appears once.
    pub set: Vec<(String, String)>,
    queues: Vec<(Rank, Option<Box<str>>, QueueAction)>,
    /// The user's own action in queues, and the queues that it logs in to.
    own_queue: Option<(QueueAction, Vec<Box<str>>)>,
}

impl Wanted {
    /// The action that is wanted in a queue. In a queue of which the user is not a member, only
    /// actions that name the queue apply.
    fn in_queue(&self, queue: &str, member: bool) -> QueueAction {
        if let Some((action, named)) = &self.own_queue {
            let mut named = named.iter();
            let applies = match action {
                QueueAction::Login => named.any(|name| name.eq_ignore_ascii_case(queue)),
                _ => member,
            };
            return match applies {
                true => *action,
                false => QueueAction::None,
            };
        }
        let wishes = self.queues.iter().filter(|(_, name, _)| match name {
            Some(name) => name.eq_ignore_ascii_case(queue),
            None => member,
        });
        // Within one block an action that names the queue wins, and then the later action.
        let best = wishes.max_by_key(|(rank, name, _)| (*rank, name.is_some()));
        best.map_or(QueueAction::None, |(_, _, action)| *action)
    }

    /// The names of the queues that an action names.
    fn named_queues(&self) -> impl Iterator<Item = &str> {
        let own = self.own_queue.iter();
        let own = own.filter(|(action, _)| *action == QueueAction::Login);
        let own = own.flat_map(|(_, names)| names.iter().map(|name| &**name));
        let names = self.queues.iter();
        let names = names.filter_map(|(_, name, _)| name.as_deref());
        own.chain(names.filter(|_| self.own_queue.is_none()))
    }

    /// Whether there is nothing to do, in queues or elsewhere.
    fn is_empty(&self) -> bool {
        self.set.is_empty() && self.queues.is_empty() && self.own_queue.is_none()
    }

    /// Whether any action in a queue is wanted.
    fn in_queues(&self) -> bool {
        if let Some((action, _)) = self.own_queue {
            return action != QueueAction::None;
        }
        let mut wishes = self.queues.iter();
        wishes.any(|(_, _, action)| *action != QueueAction::None)
    }
}

/// Collects the assignments and queue actions that the person's blocks want in the present
/// status. `here` are the blocks that act on this server of those that act on one alone.
fn wanted(person: &Person, here: &[Arc<str>]) -> Wanted {
    let rank = |(at, block): (usize, &Arc<ActionBlock>)| -> Option<(Rank, Arc<ActionBlock>)> {
        let now = &person.change(block.when).new;
        let kind = &now.kind;
        let by_type = block.types.iter().any(|t| t.eq_ignore_ascii_case(kind));
        let applies = by_type || block.states.contains(&now.presence.state());
        (applies && block.acts(here)).then(|| ((by_type, at), block.clone()))
    };
    let blocks = person.blocks.iter().enumerate().filter_map(rank);
    let mut blocks: Vec<(Rank, Arc<ActionBlock>)> = blocks.collect();
    blocks.sort_by_key(|(rank, _)| *rank);

    let switch = |of: fn(&ActionBlock) -> Option<bool>| {
        let given = blocks.iter().enumerate();
        let mut given = given.filter_map(|(at, (_, block))| Some((at, of(block)?)));
        given.next_back()
    };
    let own = &person.own;
    let dnd = switch(|block| block.dnd).filter(|_| own.dnd.is_none() && !person.follows_dnd);
    let followme = switch(|block| block.followme).filter(|_| own.follow_me.is_none());
    let functions = &person.functions;
    let mut wanted = Wanted::default();
    for (at, (rank, block)) in blocks.iter().enumerate() {
        if let Some((_, on)) = dnd.filter(|(by, _)| *by == at) {
            let list = if on {
                &functions.dnd_on
            } else {
                &functions.dnd_off
            };
            wanted.assign(list, person, block.when);
        }
        if let Some((_, on)) = followme.filter(|(by, _)| *by == at) {
            let list = if on {
                &functions.followme_on
            } else {
                &functions.followme_off
            };
            wanted.assign(list, person, block.when);
        }
        wanted.assign(&block.set, person, block.when);
        let queues = block.queues.iter().cloned();
        wanted
            .queues
            .extend(queues.map(|(queue, action)| (*rank, queue, action)));
    }
    for (switch, on, off) in [
        (own.dnd, &functions.dnd_on, &functions.dnd_off),
        (
            own.follow_me,
            &functions.followme_on,
            &functions.followme_off,
        ),
    ] {
        match switch {
            Some(OwnSwitch::On) => wanted.assign(on, person, StatusKind::Chosen),
            Some(OwnSwitch::Off) => wanted.assign(off, person, StatusKind::Chosen),
            Some(OwnSwitch::None) | None => {}
        }
    }
    wanted.own_queue = own.queue.map(|action| (action, person.named_queues()));
    wanted
}

/// Every target that one of the person's blocks can write, with the block's name.
pub fn wanted_targets(person: &Person) -> impl Iterator<Item = (Arc<str>, String)> {
    configured(person).flat_map(|(block, item)| {
        item.substitute(person, block.when)
            .map(|(target, _)| (block.name.clone(), target))
    })
}

/// Whether one of the person's blocks can write the target in any status.
fn names(person: &Person, target: &str, statuses: &Statuses) -> bool {
    let functions = &person.functions;
    let own = [
        &functions.dnd_on,
        &functions.dnd_off,
        &functions.followme_on,
        &functions.followme_off,
    ];
    let mut own = own.into_iter().flatten().filter(|_| person.may_act);
    configured(person).any(|(_, item)| item.names(target, person, statuses))
        || own.any(|item| item.names(target, person, statuses))
}

/// Every assignment of the person's blocks, with its block.
fn configured(person: &Person) -> impl Iterator<Item = (&Arc<ActionBlock>, &Assignment)> {
    let functions = &person.functions;
    person.blocks.iter().flat_map(move |block| {
        let switch = |given: Option<bool>, on, off| -> &[Assignment] {
            match given {
                Some(true) => on,
                Some(false) => off,
                None => &[],
            }
        };
        let dnd = block.dnd.filter(|_| !person.follows_dnd);
        let dnd = switch(dnd, &functions.dnd_on[..], &functions.dnd_off[..]);
        let followme = switch(
            block.followme,
            &functions.followme_on[..],
            &functions.followme_off[..],
        );
        let all = dnd.iter().chain(followme).chain(&block.set);
        all.map(move |item| (block, item))
    })
}

impl Wanted {
    /// Adds assignments; a target that is assigned again moves to the end.
    fn assign(&mut self, list: &[Assignment], person: &Person, when: StatusKind) {
        for (target, value) in list.iter().flat_map(|item| item.substitute(person, when)) {
            self.set.retain(|(known, _)| *known != target);
            self.set.push((target, value));
        }
    }
}

#[cfg(test)]
mod tests;
