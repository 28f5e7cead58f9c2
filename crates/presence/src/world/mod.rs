//! The known state of every user, and the one function that changes it.
//!
//! ```text
//! Change -> apply -> combine -> Transition (old, new, reason, sequence) -> Effects
//! ```
//! All other functions only read. The caller holds its lock around one call and carries
//! out the [`Effect`]s after releasing the lock.

mod activity;
mod announce;
mod chosen;
mod clock;
mod combining;
mod devices;
mod dnd;
mod find;
mod gone;
pub mod gone_users;
pub(crate) mod kept_fields;
mod layers;
mod login;
mod own;
mod own_settings;
mod people;
mod present;
mod published;
mod reload;
mod rows;
mod seeing;
mod settle;
mod sharing;
pub mod stored;
mod switches;
mod writes;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::combine::{Method, Reason};
use crate::directory::{AccountId, DeviceId, Directory, SourceId, UserId};
use crate::model::activity::Activity;
use crate::model::assignment::Choice;
use crate::model::contact::Contact;
use crate::model::details::Detail;
use crate::model::details::Details;
use crate::model::device::{DeviceState, Watcher};
use crate::model::dnd::DndStatus;
use crate::model::flags::{Flag, Flags};
use crate::model::inferred::Inferred;
use crate::model::own_settings::OwnSettings;
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::time::Time;
use crate::model::visibility::{UserGroups, Visibility};

use activity::Parking;
pub use announce::Found;
pub use chosen::{Decision, Decisions};
use chosen::{OwnChange, UserBefore};
use devices::Asked;
pub use dnd::{DndEntry, DndRow};
use kept_fields::KeptFields;
use layers::Ending;
pub use layers::{Layer, Layers, Value};
pub use own::{Before, ChosenBy, Own};
pub use own_settings::SettingsError;
use published::Published;
pub use published::{Latest, PublishedSource};
pub use reload::{Counts, Plan, ProviderValues, Removed};
pub use rows::RowChange;
use rows::RowKey;
use settle::Settling;
use sharing::Replica;
pub use sharing::{NodeIdentity, OtherUsers, SharedEntry, SharedWrite};
pub(crate) use sharing::{Version, is_none};
use writes::PendingWrite;
pub use writes::{Work, Write};

/// The known state of a source.
#[derive(Clone, Default, Debug)]
pub struct SourceState {
    /// The presence that the source last reported, or that this module wrote to it.
    pub presence: Presence,
    /// When the presence was set; [`Time::NEVER`] before the first report.
    pub since: Time,
    /// The timed statuses above the base, if there are any.
    layers: Option<Box<Layers>>,
    /// Whether the provider has answered. A source that is not known takes no part.
    pub known: bool,
    dirty: bool,
}

/// The source that decides a user's combined presence.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Winner {
    /// No source takes part.
    #[default]
    NoSource,
    /// The user's own status.
    Own,
    /// An input of the user, by its index in [`crate::directory::User::inputs`].
    Input(u16),
    /// What a phone of the user publishes, by the phone's place in [`Directory::publishers`].
    Publication(u16),
}

/// A user's combined presence, and the rule that led to it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// The winner's presence.
    pub presence: Presence,
    /// When the winner was set; [`Time::NEVER`] if it was never set.
    pub since: Time,
    /// When the presence ends; [`Time::NEVER`] without an end.
    pub until: Time,
    /// The winning source.
    pub winner: Winner,
    /// The rule by which the source won.
    pub reason: Reason,
}

#[derive(Clone, Default, Debug)]
struct UserState {
    outcome: Outcome,
    /// The chosen outcome, if an inferred source has won; otherwise it equals `outcome`.
    chosen: Option<Box<Outcome>>,
    inferred: Option<Inferred>,
    decisions: Option<Box<Decisions>>,
    sequence: u64,
    own: Option<Box<Own>>,
    /// The status type that was chosen last, or that the chosen presence means. It is kept
    /// for a chosen presence that means no type.
    status: Option<Arc<StatusType>>,
    /// The device state for each [`Watcher`], indexed by it.
    device_states: [DeviceState; 2],
    dnd_status: DndStatus,
    /// How the user came into the state `dnd`, if it is to be left for what was before.
    dnd_entry: Option<Box<DndEntry>>,
    flags: Flags,
    activity: Activity,
    /// Who may see the presence: see [`World::visibility_origin`].
    visibility: Visibility,
    /// Whether a panel is logged in, or was before the module was loaded.
    panel: bool,
    dirty: bool,
    settings_dirty: bool,
    /// The settings that the user has made, if any.
    settings: Option<Box<OwnSettings>>,
}

/// A change from outside.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// A source reported a presence. A presence equal to the known one changes nothing, not
    /// even `since`: Asterisk publishes every presence again when it starts.
    Reported {
        /// The source.
        source: SourceId,
        /// The state.
        state: State,
        /// The subtype, already validated.
        subtype: &'a str,
        /// The message, already validated.
        message: &'a str,
    },
    /// The provider of a source does not answer.
    Lost(SourceId),
    /// A user's status was set. This always renews `since`.
    Chosen {
        /// The user.
        user: UserId,
        /// The chosen status.
        choice: &'a Choice,
    },
    /// A device changed its state.
    Device(DeviceId, DeviceState),
    /// What a phone publishes of itself has changed, or has ended.
    Published {
        /// The phone's device, as in `PJSIP/201`.
        device: &'a str,
        /// What it publishes now; `None` for nothing.
        latest: Option<&'a Latest>,
    },
    /// A call was parked.
    Parked {
        /// The parking space and its lot, as in `701@default`.
        space: &'a str,
        /// The channel that is parked.
        channel: &'a str,
        /// The device that parked the call.
        parker: &'a str,
    },
    /// A parking space became free.
    Unparked(&'a str),
    /// A user's DND status was set.
    DndStatus(UserId, DndStatus),
    /// A flag of a user was set.
    Flag(UserId, Flag, bool),
    /// A user's own settings were changed to these: see [`World::with_settings`].
    Settings {
        /// The user.
        user: UserId,
        /// All settings of the user; `None` if nothing is left.
        settings: Option<&'a OwnSettings>,
    },
    /// A panel of a user logged in.
    LoggedIn(UserId),
    /// A panel of the named user logged out or disconnected. The user may no longer exist.
    LoggedOut(&'a str),
}

/// One change of a user's combined presence.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Transition {
    /// The user's name.
    pub user: Arc<str>,
    /// The combined presence before the change.
    pub old: Presence,
    /// The combined presence after the change.
    pub new: Presence,
    /// The status type before the change.
    pub old_status: Option<Arc<StatusType>>,
    /// The status type after the change; it may be all that changes.
    pub status: Option<Arc<StatusType>>,
    /// The DND status after the change; it may be all that changes.
    pub dnd_status: DndStatus,
    /// The flags after the change; they may be all that changes.
    pub flags: Flags,
    /// The activity after the change; it may be all that changes.
    pub activity: Activity,
    /// Who may see the user after the change.
    pub visibility: Visibility,
    /// Who could see the user before the change.
    pub old_visibility: Visibility,
    /// The user's groups.
    pub groups: UserGroups,
    /// What the directory has of the user, if anything.
    pub contact: Option<Arc<Contact>>,
    /// The details that differ.
    pub changed: Details,
    /// The user's id, or the name if the user has no id.
    pub id: Arc<str>,
    /// The address of the winning source, `own` for own status, empty for none.
    pub source: Arc<str>,
    /// The rule by which the source won.
    pub reason: Reason,
    /// The user's method.
    pub method: Method,
    /// When the winner was set; [`Time::NEVER`] if it was never set.
    pub since: Time,
    /// When the presence ends; [`Time::NEVER`] without an end.
    pub until: Time,
    /// The chosen outcome: the combined outcome, unless an inferred source has won.
    pub chosen: Outcome,
    /// The conclusion of the system, if it adds anything to the chosen outcome.
    pub inferred: Option<Inferred>,
    /// The decisions that the user's actions act on, before and after the change; `None`
    /// without actions.
    pub decisions: Option<Box<[Decisions; 2]>>,
    /// The name of the user's account.
    pub account: Arc<str>,
    /// The number of this transition in its account; it rises by one per transition.
    pub sequence: u64,
    /// Whether the presence is published to Asterisk at once; otherwise the end of the settle
    /// time publishes it.
    pub publish: bool,
    /// Whether the change was made on this node; `false` for one that another node made.
    pub origin: bool,
}

impl Transition {
    /// The name that is shown to people: the one in the directory, or else the user's name.
    pub fn display_name(&self) -> &str {
        match self.contact.as_deref().map_or("", |it| &it.name) {
            "" => &self.user,
            name => name,
        }
    }
}

/// An effect for the caller to carry out. Effects are carried out in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A change for the event feed, and for Asterisk if [`Transition::publish`] is set.
    Transition(Arc<Transition>),
    /// A presence to publish to Asterisk without a transition.
    Publish(Arc<str>, Presence),
    /// A device state of a user for lamps or queues.
    Device(Arc<str>, Watcher, DeviceState),
    /// No user has this name in this spelling any more: what was published is forgotten, so that
    /// Asterisk asks again.
    Forget(Arc<str>),
    /// A user's own settings have changed.
    Settings(Arc<str>),
}

/// A [`Directory`] and the present state of its users, sources and devices.
#[derive(Default, Debug)]
pub struct World {
    directory: Arc<Directory>,
    sources: Vec<SourceState>,
    users: Vec<UserState>,
    /// The last sequence number that each account has used, by the account's index.
    accounts: Vec<u64>,
    /// The state of each device; `None` until it is read.
    devices: Vec<Option<DeviceState>>,
    /// What phones publish now, for devices that are a source of a user.
    published: HashMap<DeviceId, Published>,
    parking: Parking,
    asked: Asked,
    /// Whether all presences and device states were withdrawn because the module unloads.
    withdrawn: bool,
    /// The number of logged-in panels by the user's name in lower case. Panels outlive a
    /// reload.
    panels: HashMap<String, u32>,
    dirty: VecDeque<RowKey>,
    /// Rows of removed users and sources: see [`World::orphaned_rows`].
    orphaned: BTreeMap<String, Option<String>>,
    /// What other versions have put into rows, by [`stored::kept_key`].
    kept: HashMap<String, KeptFields>,
    pending: HashMap<SourceId, PendingWrite>,
    /// Since when writes that took over choices of other nodes are done; of the last moments.
    taken_over: HashMap<SourceId, Time>,
    queue: VecDeque<SourceId>,
    /// Writes to addresses that a reload has removed.
    leftover_writes: VecDeque<Write>,
    settling: HashMap<UserId, Settling>,
    /// When each user in `settling` is due, earliest first.
    due: VecDeque<(Time, UserId)>,
    /// When each timed status ends.
    ends: BTreeSet<(Time, Ending)>,
    /// When the worker looks at `ends` next.
    next_look: Option<Time>,
    last: Time,
    /// What is shared with other nodes; `None` if nothing is.
    replica: Option<Box<Replica>>,
    publishing_held: bool,
    /// See [`World::round`].
    round: u64,
}

/// The word for own status in place of a source's address.
pub const OWN: &str = "own";

impl World {
    /// The users and sources.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// A number that changes whenever the ids of users and sources change.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// A user's combined presence.
    pub fn outcome(&self, user: UserId) -> &Outcome {
        &self.users[user.index()].outcome
    }

    /// The user's own status; `None` if no status was chosen.
    pub fn own(&self, user: UserId) -> Option<&Own> {
        self.users[user.index()].own.as_deref()
    }

    /// The sequence number of the user's last transition; 0 before the first.
    pub fn sequence(&self, user: UserId) -> u64 {
        self.users[user.index()].sequence
    }

    /// The known state of a source.
    pub fn source(&self, source: SourceId) -> &SourceState {
        &self.sources[source.index()]
    }

    /// The user's status type; `None` until the first status that has a type.
    pub fn status(&self, user: UserId) -> Option<&Arc<StatusType>> {
        self.users[user.index()].status.as_ref()
    }

    /// The user's DND status: which calls the user takes.
    pub fn dnd_status(&self, user: UserId) -> DndStatus {
        self.users[user.index()].dnd_status
    }

    /// The user's flags.
    pub fn flags(&self, user: UserId) -> Flags {
        self.users[user.index()].flags
    }

    /// The user's activity: phones, meetings and availability.
    pub fn activity(&self, user: UserId) -> Activity {
        self.users[user.index()].activity
    }

    /// The last sequence number that the account has used.
    pub fn account_sequence(&self, account: AccountId) -> u64 {
        self.accounts[account.index()]
    }

    /// Every account with the last sequence number that it has used.
    pub fn account_sequences(&self) -> impl Iterator<Item = (&str, u64)> {
        let names = self.directory.accounts().iter().map(|name| &**name);
        names.zip(self.accounts.iter().copied())
    }

    /// The address of the winning source, `own` for own status, empty for none.
    pub fn winner(&self, user: UserId) -> &str {
        self.winner_name(user, self.outcome(user).winner)
    }

    /// The source that decides the chosen presence, named as by [`World::winner`].
    pub fn chosen_winner(&self, user: UserId) -> &str {
        self.winner_name(user, self.chosen(user).winner)
    }

    fn winner_name(&self, user: UserId, winner: Winner) -> &str {
        match winner {
            Winner::NoSource => "",
            Winner::Own => OWN,
            Winner::Publication(index) => self
                .publication(user, index)
                .map_or("", |published| published.name),
            Winner::Input(index) => {
                let input = &self.directory.get(user).inputs[usize::from(index)];
                self.directory.get_source(input.source).display_name()
            }
        }
    }

    /// The same as [`World::winner`], shared.
    fn shared_winner(&self, user: UserId) -> Arc<str> {
        let Winner::Input(index) = self.outcome(user).winner else {
            return match self.outcome(user).winner {
                Winner::Publication(index) => self
                    .publication(user, index)
                    .map_or_else(|| "".into(), |published| published.name.clone()),
                _ => self.winner(user).into(),
            };
        };
        let input = &self.directory.get(user).inputs[usize::from(index)];
        let source = self.directory.get_source(input.source);
        match source.display_name().len() == source.address.len() {
            true => source.address.clone(),
            false => source.display_name().into(),
        }
    }

    /// Applies a presence that the source at `address` reported, and returns the effects. An
    /// unknown address has no effects: a reload may have removed the source.
    pub fn report_presence(
        &mut self,
        address: &str,
        (state, subtype, message): (State, &str, &str),
        now: Time,
    ) -> Vec<Effect> {
        let Some(source) = self.directory.source(address) else {
            return Vec::new();
        };
        let reported = Change::Reported {
            source,
            state,
            subtype,
            message,
        };
        self.apply(&reported, now)
    }

    /// Applies a change and returns its effects.
    pub fn apply(&mut self, change: &Change, now: Time) -> Vec<Effect> {
        if self.replica.is_some() && self.is_made_by_all(change) {
            return self.made_by_all(|world| world.apply_here(change, now));
        }
        self.apply_here(change, now)
    }

    fn apply_here(&mut self, change: &Change, now: Time) -> Vec<Effect> {
        let mut touched = BTreeSet::new();
        match *change {
            Change::Reported {
                source,
                state,
                subtype,
                message,
            } => {
                if let Some(pending) = self.pending.get_mut(&source) {
                    let reported = Presence::new(state, subtype, message);
                    if !pending.is_overtaken_by(&reported) {
                        // The pending write follows this report in the order of the topic.
                        pending.last_reported = Some(reported);
                        return Vec::new();
                    }
                    self.overtake_writes(source, &reported);
                }
                let known = &self.sources[source.index()];
                if known.known && known.presence.is(state, subtype, message) {
                    return Vec::new();
                }
                let at = self.stamp(now);
                self.report_source(source, Presence::new(state, subtype, message), at);
                self.write_if_both(source, now);
                self.touch_readers(source, &mut touched);
            }
            // Another node may hear it.
            Change::Lost(source) if self.base_version(source) != Version::NONE => {}
            Change::Lost(source) => {
                self.sources[source.index()].known = false;
                self.touch_readers(source, &mut touched);
            }
            Change::Chosen { user, choice } => {
                let at = self.stamp(now);
                return self.choose(user, choice, ChosenBy::Hand, at);
            }
            Change::Device(device, state) => {
                let set = self.report_device(device, state, now, &mut touched);
                let mut effects = Vec::new();
                self.recombine(touched, &OwnChange::None, now, &mut effects);
                effects.extend(self.set_by_login(set, now));
                return effects;
            }
            Change::DndStatus(user, dnd_status) => return self.set_dnd(user, dnd_status, now),
            Change::Flag(user, flag, on) => return self.set_flag(user, flag, on, now),
            Change::Published { device, latest } => {
                self.report_published(device, latest, &mut touched);
            }
            Change::Parked {
                space,
                channel,
                parker,
            } => self.park(space, channel, parker, &mut touched),
            Change::Unparked(space) => self.unpark(space, &mut touched),
            Change::Settings { user, settings } => return self.set_settings(user, settings, now),
            Change::LoggedIn(user) => return self.logged_in(user, now),
            Change::LoggedOut(user) => return self.logged_out(user, now),
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::None, now, &mut effects);
        effects
    }

    /// Records the presence that a source reported. `since` is renewed, except when a source
    /// that was not known reports its last presence again.
    fn report_source(&mut self, source: SourceId, presence: Presence, at: Time) {
        let state = &mut self.sources[source.index()];
        state.known = true;
        // The first report of a source is no event if it is not_set.
        if state.presence != presence && !self.has_ended_as(source, &presence, at) {
            self.set_base(source, presence, at);
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

    /// Recombines the touched users and all users that read them, by ascending depth, so that
    /// each user is combined once. `own` is the change of own status that caused this.
    fn recombine(
        &mut self,
        mut touched: Touched,
        own: &OwnChange,
        now: Time,
        effects: &mut Vec<Effect>,
    ) {
        while let Some((_, user)) = touched.pop_first() {
            let mut was = self.users[user.index()].before_change();
            self.users[user.index()].outcome = self.combine(user);
            self.note_own_change(user, own);
            self.update_chosen(user);
            self.note_dnd_entry(user, &was);
            self.update_activity(user);
            let state = &self.users[user.index()];
            if self.publishing_held {
                // A load discovers the activity: that is no transition.
                was.activity = state.activity;
                was.inferred = state.inferred.clone();
            }
            let changed = state.outcome.presence != was.presence;
            if state.differs(&was) {
                effects.push(self.transition(user, was, Details::NONE, now));
            }
            self.update_device_states(user, effects);
            let sharing = self.is_sharing();
            if (changed || sharing)
                && let Some(source) = self.directory.source_of(user)
            {
                if sharing {
                    let outcome = self.outcome(user);
                    let (presence, since) = (outcome.presence.clone(), outcome.since);
                    if self.derive_source(source, &presence, since) {
                        self.touch_readers(source, &mut touched);
                    }
                    continue;
                }
                let at = self.stamp(now);
                let new = self.outcome(user).presence.clone();
                self.report_source(source, new, at);
                self.touch_readers(source, &mut touched);
            }
        }
    }

    fn transition(&mut self, user: UserId, was: UserBefore, changed: Details, now: Time) -> Effect {
        let state = &self.users[user.index()];
        let (did, activity) = (was.activity, state.activity);
        let changed = changed
            .with(Detail::Telephony, did.telephony != activity.telephony)
            .with(Detail::Presence, did.presence != activity.presence)
            .with(Detail::User, did.user != activity.user)
            .with(Detail::Meeting, did.meeting != activity.meeting)
            .with(Detail::Status, state.status_differs(&was))
            .with_visibility(state.visibility != was.visibility);
        let account = self.directory.get(user).account;
        let last = &mut self.accounts[account.index()];
        *last += 1;
        self.users[user.index()].sequence = *last;
        self.mark_user(user);
        let publish = self.outcome(user).presence != was.presence && self.publish_now(user, now);
        if publish {
            self.asked.set_presence(user);
        }
        let decisions = self.decisions(user).map(|decisions| {
            let before = was.decisions.as_deref().unwrap_or(decisions);
            Box::new([before.clone(), decisions.clone()])
        });
        let old = (was.presence, was.status, was.visibility);
        let mut transition = self.transition_from(user, old, changed);
        transition.decisions = decisions;
        transition.publish = publish;
        transition.origin = self.is_origin();
        Effect::Transition(Arc::new(transition))
    }
}

/// Users to recombine, by ascending depth: users that others read come first.
type Touched = BTreeSet<(u32, UserId)>;

#[cfg(test)]
mod tests;
