//! What a change of a user's status does in Asterisk: sections of `type = action`.
//!
//! A [`ActionBlock`] is such a section; [`wanted`] says what the blocks of a [`Person`] want
//! now; [`carry_out`] leads there from the [`ActionRecord`] of what was done before, by
//! [`Backend`] that know Asterisk. Only what was done is undone, and only where nobody
//! else has changed it since.

mod backend;
mod queue;
mod queues;
mod record;
mod target;
mod targets;
mod template;

use std::sync::Arc;

use crate::model::state::{Presence, State};
use crate::model::status::Statuses;
use crate::model::words::words;

pub use backend::{Backend, TargetValue};
pub use queue::{Member, QueueMembership, QueueStep, REASON};
pub use record::{ActionRecord, InForce, carry_out, shown_member};
pub use target::TargetKind;
pub use template::Assignment;

words! {
    /// What can be done in a queue.
    pub enum QueueAction: "action" {
        /// The member is added.
        Login = "login",
        /// The member is removed.
        Logout = "logout",
        /// The member is paused.
        Pause = "pause",
        /// Nothing, whatever other blocks say.
        None = "none",
    }
}

words! {
    /// Which status a block looks at.
    #[derive(Default)]
    pub enum StatusKind: "value" {
        /// The one that was chosen, a schedule included.
        #[default]
        Chosen = "chosen",
        /// The combined one: calls and meetings count too.
        Combined = "combined",
    }
}

/// One section of `type = action`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ActionBlock {
    /// The section's name.
    pub name: Arc<str>,
    /// Which status it looks at.
    pub when: StatusKind,
    /// The states it is for.
    pub states: Vec<State>,
    /// The status types it is for, by name.
    pub types: Vec<Box<str>>,
    /// Do not disturb on or off.
    pub dnd: Option<bool>,
    /// Follow me on or off.
    pub followme: Option<bool>,
    /// What is done in one queue, or in every queue where the user is a member.
    pub queues: Vec<(Option<Box<str>>, QueueAction)>,
    /// Free assignments.
    pub set: Vec<Assignment>,
}

/// The assignments behind `dnd` and `followme`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Functions {
    /// `dnd = on`
    pub dnd_on: Vec<Assignment>,
    /// `dnd = off`
    pub dnd_off: Vec<Assignment>,
    /// `followme = on`
    pub followme_on: Vec<Assignment>,
    /// `followme = off`
    pub followme_off: Vec<Assignment>,
}

impl Functions {
    /// What FreePBX's dialplan and hints read: its hint of an extension combines the
    /// phone with `Custom:DND<extension>`, which is therefore not in use but
    /// unavailable while off; `Custom:DEVDND<device>` is the lamp of its feature code,
    /// where a device has its extension's number.
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
            // A test sees that all of them are.
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
    /// The status type; empty stands for the state's own.
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

/// A user as the actions see him at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The name.
    pub user: Arc<str>,
    /// The id that other programs know the user by, else the name.
    pub id: Box<str>,
    /// The account.
    pub account: Arc<str>,
    /// The names of the extensions, in their order.
    pub extensions: Vec<Box<str>>,
    /// The interface that is the user's in queues.
    pub member: Option<Box<str>>,
    /// What is behind `dnd` and `followme`.
    pub functions: Arc<Functions>,
    /// The user's blocks, in the order in which they are listed.
    pub blocks: Vec<Arc<ActionBlock>>,
    /// What was chosen, a schedule included.
    pub chosen: StatusChange,
    /// The same by all sources.
    pub combined: StatusChange,
}

/// A status and the one before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatusChange {
    /// What is so now.
    pub new: StatusValue,
    /// What was before; `None` where there was no change, as at a load: then it is
    /// what was recorded last.
    pub old: Option<StatusValue>,
}

impl Person {
    /// Takes what was before an earlier change that has not been carried out.
    pub fn begin_with(&mut self, earlier: &Person) {
        for (change, earlier) in [
            (&mut self.chosen, &earlier.chosen),
            (&mut self.combined, &earlier.combined),
        ] {
            if earlier.old.is_some() {
                change.old.clone_from(&earlier.old);
            }
        }
    }

    /// What a block of that kind looks at.
    pub fn change(&self, when: StatusKind) -> &StatusChange {
        match when {
            StatusKind::Chosen => &self.chosen,
            StatusKind::Combined => &self.combined,
        }
    }
}

/// Of two that want something different the greater one counts: one that names the
/// status type before one that names the state, then the later one.
type Rank = (bool, usize);

/// What a person's blocks want now, conflicts resolved.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// What is to be assigned, in order; each target once.
    pub set: Vec<(String, String)>,
    queues: Vec<(Rank, Option<Box<str>>, QueueAction)>,
}

impl Wanted {
    /// What is wanted in a queue; for one of which the user is no member only what
    /// names the queue counts.
    fn in_queue(&self, queue: &str, member: bool) -> QueueAction {
        let wishes = self.queues.iter().filter(|(_, name, _)| match name {
            Some(name) => name.eq_ignore_ascii_case(queue),
            None => member,
        });
        // Within one block the one that names the queue, else the later one.
        let best = wishes.max_by_key(|(rank, name, _)| (*rank, name.is_some()));
        best.map_or(QueueAction::None, |(_, _, action)| *action)
    }

    /// The queues that are named.
    fn named_queues(&self) -> impl Iterator<Item = &str> {
        let names = self.queues.iter();
        names.filter_map(|(_, name, _)| name.as_deref())
    }

    /// Whether anything is wanted in queues.
    fn in_queues(&self) -> bool {
        let mut wishes = self.queues.iter();
        wishes.any(|(_, _, action)| *action != QueueAction::None)
    }
}

/// What the person's blocks want in the present status.
pub fn wanted(person: &Person) -> Wanted {
    let rank = |(at, block): (usize, &Arc<ActionBlock>)| -> Option<(Rank, Arc<ActionBlock>)> {
        let now = &person.change(block.when).new;
        let kind = &now.kind;
        let by_type = block.types.iter().any(|t| t.eq_ignore_ascii_case(kind));
        let applies = by_type || block.states.contains(&now.presence.state());
        applies.then(|| ((by_type, at), block.clone()))
    };
    let blocks = person.blocks.iter().enumerate().filter_map(rank);
    let mut blocks: Vec<(Rank, Arc<ActionBlock>)> = blocks.collect();
    blocks.sort_by_key(|(rank, _)| *rank);

    let switch = |of: fn(&ActionBlock) -> Option<bool>| {
        let given = blocks.iter().enumerate();
        let mut given = given.filter_map(|(at, (_, block))| Some((at, of(block)?)));
        given.next_back()
    };
    let (dnd, followme) = (switch(|block| block.dnd), switch(|block| block.followme));
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
    wanted
}

/// Every target that one of the person's blocks may ever write, with the block's name.
pub fn wanted_targets(person: &Person) -> impl Iterator<Item = (Arc<str>, String)> {
    configured(person).flat_map(|(block, item)| {
        item.substitute(person, block.when)
            .map(|(target, _)| (block.name.clone(), target))
    })
}

/// Whether one of the person's blocks may ever write to the target.
fn names(person: &Person, target: &str, statuses: &Statuses) -> bool {
    configured(person).any(|(_, item)| item.names(target, person, statuses))
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
        let dnd = switch(block.dnd, &functions.dnd_on[..], &functions.dnd_off[..]);
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
    /// Each target once, where it came last.
    fn assign(&mut self, list: &[Assignment], person: &Person, when: StatusKind) {
        for (target, value) in list.iter().flat_map(|item| item.substitute(person, when)) {
            self.set.retain(|(known, _)| *known != target);
            self.set.push((target, value));
        }
    }
}

#[cfg(test)]
mod tests;
