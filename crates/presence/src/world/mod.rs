//! What is known of every user, and the one door through which it changes.
//!
//! ```text
//! Change -> apply -> combine -> Transition (old, new, why, sequence) -> Effects
//! ```
//! Readers only read. The caller holds its lock around one call here and carries out
//! the [`Effect`]s after letting it go.

mod activity;
mod announce;
mod chosen;
mod clock;
mod combining;
mod devices;
mod gone;
pub mod gone_users;
mod layers;
mod login;
mod own;
mod people;
mod reload;
mod rows;
mod settle;
pub mod stored;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::combine::{Method, Reason};
use crate::directory::{AccountId, DeviceId, Directory, SourceId, UserId};
use crate::model::activity::Activity;
use crate::model::assignment::Choice;
use crate::model::details::Detail;
use crate::model::details::Details;
use crate::model::device::{DeviceState, Watcher};
use crate::model::dnd::DndStatus;
use crate::model::flags::{Flag, Flags};
use crate::model::inferred::Inferred;
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::time::Time;

use activity::Parking;
pub use announce::Found;
pub use chosen::{Decision, Decisions};
use chosen::{OwnChange, Was};
use devices::Asked;
use layers::Ending;
pub use layers::{Layer, Layers, Value};
pub use own::{Before, By, Own};
pub use reload::{Counts, Plan, Read, Removed};
pub use rows::RowChange;
use rows::RowKey;
use settle::Settling;
use writes::OnWay;
pub use writes::{Work, Write};

/// What is known of a source.
#[derive(Clone, Default, Debug)]
pub struct SourceState {
    /// What it last said, or what we wrote to it.
    pub presence: Presence,
    /// Since when it says so; [`Time::NEVER`] when it never said anything.
    pub since: Time,
    /// The timed statuses over it, where there are any.
    layers: Option<Box<Layers>>,
    /// Whether its provider has answered. An unknown source takes no part.
    pub known: bool,
    dirty: bool,
}

/// Which of a user's sources won.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Winner {
    /// None took part.
    #[default]
    Nobody,
    /// Own status.
    Own,
    /// One of the inputs, by its index.
    Input(u16),
}

/// A user's combined presence, and why it is so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// The winner's presence.
    pub presence: Presence,
    /// The winner's since.
    pub since: Time,
    /// When that ends; [`Time::NEVER`] without an end.
    pub until: Time,
    /// Who won.
    pub winner: Winner,
    /// By which rule.
    pub reason: Reason,
}

#[derive(Clone, Default, Debug)]
struct UserState {
    outcome: Outcome,
    /// What was chosen, where an inferred source has won: else it is the same.
    chosen: Option<Box<Outcome>>,
    inferred: Option<Inferred>,
    decisions: Option<Box<Decisions>>,
    sequence: u64,
    own: Option<Box<Own>>,
    /// The status type last chosen, or meant by what came in since; derived, and kept for
    /// where nothing that was chosen means a type.
    status: Option<Arc<StatusType>>,
    /// What each [`Watcher`] is to see.
    shown: [DeviceState; 2],
    takes: DndStatus,
    flags: Flags,
    activity: Activity,
    /// Whether a panel is logged in, or was before a load.
    panel: bool,
    dirty: bool,
}

/// A change from outside.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// A source said this. Equal to what is known, it changes nothing, `since`
    /// included: Asterisk publishes everything anew at a start.
    Reported {
        /// Who said it.
        source: SourceId,
        /// Its state.
        state: State,
        /// Its subtype, checked.
        subtype: &'a str,
        /// Its message, checked.
        message: &'a str,
    },
    /// A source's provider does not answer.
    Lost(SourceId),
    /// A user's status was set. It always renews `since`.
    Chosen {
        /// Whose.
        user: UserId,
        /// To what.
        choice: &'a Choice,
    },
    /// A device changed.
    Device(DeviceId, DeviceState),
    /// A call was parked.
    Parked {
        /// The space where it waits.
        place: &'a str,
        /// The channel that waits.
        channel: &'a str,
        /// The device that has parked it.
        parker: &'a str,
    },
    /// Nobody waits in that space any more.
    Unparked(&'a str),
    /// Which calls a user takes was set.
    DndStatus(UserId, DndStatus),
    /// One of a user's flags was set.
    Flag(UserId, Flag, bool),
    /// A panel of the user's logged in.
    LoggedIn(UserId),
    /// A panel of the user of that name logged out, or is gone. The user may be, too.
    LoggedOut(&'a str),
}

/// One change of a user's combined presence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transition {
    /// Whose.
    pub user: Arc<str>,
    /// What it was.
    pub old: Presence,
    /// What it is.
    pub new: Presence,
    /// The status type before.
    pub old_status: Option<Arc<StatusType>>,
    /// The status type; it may change alone.
    pub status: Option<Arc<StatusType>>,
    /// Which calls the user takes; it may change alone.
    pub dnd_status: DndStatus,
    /// What else the user chose; it may change alone.
    pub flags: Flags,
    /// What the user does; it may change alone.
    pub activity: Activity,
    /// What is different.
    pub changed: Details,
    /// The user's id, or the name.
    pub id: Arc<str>,
    /// The winning source's address, `own` for own status, empty for none.
    pub source: Arc<str>,
    /// By which rule it won.
    pub reason: Reason,
    /// The user's method.
    pub method: Method,
    /// Since when the winner is what it is.
    pub since: Time,
    /// When it ends; [`Time::NEVER`] without an end.
    pub until: Time,
    /// What was chosen: the combined outcome, unless an inferred source has won.
    pub chosen: Outcome,
    /// What the system has concluded, where there is anything to say beside that.
    pub inferred: Option<Inferred>,
    /// What the user's actions act on, before and now; `None` without actions.
    pub decisions: Option<Box<[Decisions; 2]>>,
    /// The account, and its number for this transition.
    pub account: Arc<str>,
    /// Rises by one per transition of the account.
    pub sequence: u64,
    /// Whether Asterisk is told at once; else the settle time tells it later.
    pub publish: bool,
}

/// What is to be told to Asterisk, in this order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A change, for feeds, and for Asterisk where it says so.
    Transition(Arc<Transition>),
    /// A presence to publish that is no transition.
    Publish(Arc<str>, Presence),
    /// What a user's lamps or queues are to see.
    Device(Arc<str>, Watcher, DeviceState),
}

/// All that is known: a [`Directory`] and the present state of what it names.
#[derive(Default, Debug)]
pub struct World {
    directory: Arc<Directory>,
    sources: Vec<SourceState>,
    users: Vec<UserState>,
    /// The last number that each account has given out.
    accounts: Vec<u64>,
    /// `None` until it was read.
    devices: Vec<Option<DeviceState>>,
    parking: Parking,
    asked: Asked,
    /// Whether watchers were told that nobody answers for the users any more.
    gone: bool,
    /// How many panels a user is logged in on, by the name in small letters: they
    /// outlive a reload.
    panels: HashMap<String, u32>,
    dirty: VecDeque<RowKey>,
    /// Rows of those who are gone: see [`World::loose_rows`].
    loose: BTreeMap<String, Option<String>>,
    on_way: HashMap<SourceId, OnWay>,
    queue: VecDeque<SourceId>,
    /// Writes to addresses that a reload has taken away.
    parting: VecDeque<Write>,
    settling: HashMap<UserId, Settling>,
    /// When each of them is due, in that order.
    due: VecDeque<(Time, UserId)>,
    /// When each timed status ends.
    ends: BTreeSet<(Time, Ending)>,
    /// When the worker looks at them next.
    looked_for: Option<Time>,
    last: Time,
    held: bool,
    /// See [`World::round`].
    round: u64,
}

/// How own status is called where a source's address is asked for.
pub const OWN: &str = "own";

impl World {
    /// The users and sources.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// A number that is another whenever users and sources have other numbers.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// A user's combined presence.
    pub fn outcome(&self, user: UserId) -> &Outcome {
        &self.users[user.index()].outcome
    }

    /// What the user chose.
    pub fn own(&self, user: UserId) -> Option<&Own> {
        self.users[user.index()].own.as_deref()
    }

    /// The account's number of the user's last transition; 0 before the first.
    pub fn sequence(&self, user: UserId) -> u64 {
        self.users[user.index()].sequence
    }

    /// What is known of a source.
    pub fn source(&self, source: SourceId) -> &SourceState {
        &self.sources[source.index()]
    }

    /// The user's status type; `None` where nothing that has a type ever was.
    pub fn status(&self, user: UserId) -> Option<&Arc<StatusType>> {
        self.users[user.index()].status.as_ref()
    }

    /// Which calls the user takes.
    pub fn dnd_status(&self, user: UserId) -> DndStatus {
        self.users[user.index()].takes
    }

    /// What else the user chose.
    pub fn flags(&self, user: UserId) -> Flags {
        self.users[user.index()].flags
    }

    /// What the user does.
    pub fn activity(&self, user: UserId) -> Activity {
        self.users[user.index()].activity
    }

    /// The account's last number.
    pub fn account_sequence(&self, account: AccountId) -> u64 {
        self.accounts[account.index()]
    }

    /// Every account with its last number.
    pub fn account_sequences(&self) -> impl Iterator<Item = (&str, u64)> {
        let names = self.directory.accounts().iter().map(|name| &**name);
        names.zip(self.accounts.iter().copied())
    }

    /// The winner's address, `own` for own status, empty for none.
    pub fn winner(&self, user: UserId) -> &str {
        match self.outcome(user).winner {
            Winner::Nobody => "",
            Winner::Own => OWN,
            Winner::Input(index) => {
                let input = &self.directory.get(user).inputs[usize::from(index)];
                self.directory.get_source(input.source).shown()
            }
        }
    }

    /// As [`World::winner`], to be kept.
    fn shared_winner(&self, user: UserId) -> Arc<str> {
        let Winner::Input(index) = self.outcome(user).winner else {
            return self.winner(user).into();
        };
        let input = &self.directory.get(user).inputs[usize::from(index)];
        let source = self.directory.get_source(input.source);
        match source.shown().len() == source.address.len() {
            true => source.address.clone(),
            false => source.shown().into(),
        }
    }

    /// Takes what the source of that address says; nothing where there is none, because a
    /// reload may have taken it away meanwhile.
    pub fn take_heard(
        &mut self,
        address: &str,
        (state, subtype, message): (State, &str, &str),
        now: Time,
    ) -> Vec<Effect> {
        let Some(source) = self.directory.source(address) else {
            return Vec::new();
        };
        let heard = Change::Reported {
            source,
            state,
            subtype,
            message,
        };
        self.apply(&heard, now)
    }

    /// Takes a change and says what follows from it.
    pub fn apply(&mut self, change: &Change, now: Time) -> Vec<Effect> {
        let mut touched = BTreeSet::new();
        match *change {
            Change::Reported {
                source,
                state,
                subtype,
                message,
            } => {
                if let Some(on_way) = self.on_way.get_mut(&source) {
                    // What we are about to write stands after this in the topic's order.
                    on_way.heard = Some(Presence::new(state, subtype, message));
                    return Vec::new();
                }
                let known = &self.sources[source.index()];
                if known.known && known.presence.is(state, subtype, message) {
                    return Vec::new();
                }
                let at = self.stamp(now);
                self.hear(source, Presence::new(state, subtype, message), at);
                self.touch_readers(source, &mut touched);
            }
            Change::Lost(source) => {
                self.sources[source.index()].known = false;
                self.touch_readers(source, &mut touched);
            }
            Change::Chosen { user, choice } => {
                let at = self.stamp(now);
                return self.choose(user, choice, By::Hand, at);
            }
            Change::Device(device, state) => {
                let set = self.take_device(device, state, now, &mut touched);
                let mut effects = Vec::new();
                self.recombine(touched, &OwnChange::None, now, &mut effects);
                effects.extend(self.set_by_login(set, now));
                return effects;
            }
            Change::DndStatus(user, takes) => {
                let mut effects = Vec::new();
                if self.users[user.index()].takes != takes {
                    let was = self.users[user.index()].was();
                    self.users[user.index()].takes = takes;
                    self.take_activity(user);
                    let changed = Details::NONE.with(Detail::Dnd, true);
                    effects.push(self.transition(user, was, changed, now));
                    self.show(user, &mut effects);
                }
                return effects;
            }
            Change::Flag(user, flag, on) => {
                let flags = self.users[user.index()].flags.with(flag, on);
                if self.users[user.index()].flags == flags {
                    return Vec::new();
                }
                self.users[user.index()].flags = flags;
                let was = self.users[user.index()].was();
                let changed = Details::NONE
                    .with(Detail::Flags, true)
                    .with_visibility(flag == Flag::AllowSeeMyPresence);
                return vec![self.transition(user, was, changed, now)];
            }
            Change::Parked {
                place,
                channel,
                parker,
            } => self.park(place, channel, parker, &mut touched),
            Change::Unparked(place) => self.unpark(place, &mut touched),
            Change::LoggedIn(user) => return self.logged_in(user, now),
            Change::LoggedOut(user) => return self.logged_out(user, now),
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::None, now, &mut effects);
        effects
    }

    /// What a source says. Its `since` changes with it, but stays when a source that
    /// was not known before says what it said last.
    fn hear(&mut self, source: SourceId, presence: Presence, at: Time) {
        let state = &mut self.sources[source.index()];
        state.known = true;
        // One that never said anything says not_set: that is no event.
        if state.presence != presence && !self.has_ended_as(source, &presence, at) {
            self.store(source, presence, at);
        }
    }

    fn touch(&self, user: UserId, touched: &mut Touched) {
        touched.insert((self.directory.get(user).depth, user));
    }

    fn touch_readers(&self, source: SourceId, touched: &mut Touched) {
        for &user in self.directory.readers(source) {
            self.touch(user, touched);
        }
    }

    /// Combines anew for these users, and for those who read them, deepest last: so
    /// each is combined once. `own` says whose own status was the cause.
    fn recombine(
        &mut self,
        mut touched: Touched,
        own: &OwnChange,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        while let Some((_, user)) = touched.pop_first() {
            let mut was = self.users[user.index()].was();
            self.users[user.index()].outcome = self.combine(user);
            self.take_own_change(user, own);
            self.take_chosen(user);
            self.take_activity(user);
            let state = &self.users[user.index()];
            if self.held {
                // At a load it is found out, which is no transition.
                was.activity = state.activity;
                was.inferred = state.inferred.clone();
            }
            let changed = state.outcome.presence != was.presence;
            if state.differs(&was) {
                effects.push(self.transition(user, was, Details::NONE, now));
            }
            self.show(user, effects);
            if changed && let Some(source) = self.directory.source_of(user) {
                let at = self.stamp(now);
                let new = self.outcome(user).presence.clone();
                self.hear(source, new, at);
                self.touch_readers(source, &mut touched);
            }
        }
    }

    fn transition(&mut self, user: UserId, was: Was, changed: Details, now: Time) -> Effect {
        let state = &self.users[user.index()];
        let (did, activity) = (was.activity, state.activity);
        let changed = changed
            .with(Detail::Telephony, did.telephony != activity.telephony)
            .with(Detail::Presence, did.presence != activity.presence)
            .with(Detail::User, did.user != activity.user)
            .with(Detail::Meeting, did.meeting != activity.meeting)
            .with(Detail::Status, state.says_otherwise(&was));
        let spec = self.directory.get(user);
        let last = &mut self.accounts[spec.account.index()];
        *last += 1;
        let sequence = *last;
        let account = self.directory.account(spec.account).clone();
        let (name, method) = (spec.name.clone(), spec.rule.method);
        let id = spec.id.as_deref().map_or_else(|| name.clone(), Arc::from);
        self.users[user.index()].sequence = sequence;
        self.mark_user(user);
        let publish = self.outcome(user).presence != was.presence && self.publish_now(user, now);
        if publish {
            self.asked.set_heard(user);
        }
        let outcome = self.outcome(user);
        let decisions = self.decisions(user).map(|decisions| {
            let before = was.decisions.as_deref().unwrap_or(decisions);
            Box::new([before.clone(), decisions.clone()])
        });
        Effect::Transition(Arc::new(Transition {
            user: name,
            old: was.presence,
            new: outcome.presence.clone(),
            old_status: was.status,
            status: self.status(user).cloned(),
            dnd_status: self.dnd_status(user),
            flags: self.flags(user),
            activity,
            changed,
            id,
            source: self.shared_winner(user),
            reason: outcome.reason,
            method,
            since: outcome.since,
            until: outcome.until,
            chosen: self.chosen(user).clone(),
            inferred: self.inferred(user).cloned(),
            decisions,
            account,
            sequence,
            publish,
        }))
    }
}

/// Users to combine anew, those first whom others read.
type Touched = BTreeSet<(u32, UserId)>;

#[cfg(test)]
mod tests;
