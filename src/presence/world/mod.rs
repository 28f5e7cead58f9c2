//! What is known of every user, and the one door through which it changes.
//!
//! ```text
//! Change -> apply -> combine -> Transition (old, new, why, sequence) -> Effects
//! ```
//! Readers only read. The caller holds its lock around one call here and carries out
//! the [`Effect`]s after letting it go.

mod reload;
mod rows;
mod settle;
mod writes;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use super::combine::{self, Candidate, Method, Reason};
use super::directory::{Directory, Input, SourceId, User, UserId};
use super::state::{Presence, State};
use super::time::Time;

pub use reload::{Plan, Removed};
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
    /// Whether its provider has answered. An unknown source takes no part.
    pub known: bool,
    dirty: bool,
}

/// What a user chose through this module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// The chosen presence.
    pub presence: Presence,
    /// When it was chosen.
    pub since: Time,
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
    /// Who won.
    pub winner: Winner,
    /// By which rule.
    pub reason: Reason,
}

#[derive(Clone, Default, Debug)]
struct UserState {
    outcome: Outcome,
    sequence: u64,
    own: Option<Box<Own>>,
    dirty: bool,
}

#[derive(Clone, Default, Debug)]
struct AccountState {
    /// The last number given out.
    sequence: u64,
    dirty: bool,
}

/// A change from outside.
#[derive(Clone, Debug)]
pub enum Change<'a> {
    /// A source said this. Equal to what is known, it changes nothing, `since`
    /// included: Asterisk publishes everything anew at a start.
    Heard {
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
        presence: Presence,
    },
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
    /// The winning source's address, `own` for own status, empty for none.
    pub source: Arc<str>,
    /// By which rule it won.
    pub reason: Reason,
    /// The user's method.
    pub method: Method,
    /// Since when the winner is what it is.
    pub since: Time,
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
    Transition(Box<Transition>),
    /// A presence to publish that is no transition.
    Publish(Arc<str>, Presence),
}

/// All that is known: a [`Directory`] and the present state of what it names.
#[derive(Default, Debug)]
pub struct World {
    directory: Arc<Directory>,
    sources: Vec<SourceState>,
    users: Vec<UserState>,
    accounts: Vec<AccountState>,
    dirty: VecDeque<RowKey>,
    on_way: HashMap<SourceId, OnWay>,
    queue: VecDeque<SourceId>,
    settling: HashMap<UserId, Settling>,
    /// When each of them is due, in that order.
    due: VecDeque<(Time, UserId)>,
    last: Time,
    held: bool,
}

/// How own status is called where a source's address is asked for.
pub const OWN: &str = "own";

impl World {
    /// The users and sources.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
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

    /// The winner's address, `own` for own status, empty for none.
    pub fn winner(&self, user: UserId) -> Arc<str> {
        match self.outcome(user).winner {
            Winner::Nobody => "".into(),
            Winner::Own => OWN.into(),
            Winner::Input(index) => {
                let input = &self.directory.get(user).inputs[usize::from(index)];
                self.directory.get_source(input.source).address.clone()
            }
        }
    }

    /// Whether the input takes part in combining now.
    pub fn takes_part(&self, user: &User, index: usize) -> bool {
        let input = &user.inputs[index];
        let read = match user.rule.method {
            Method::None => false,
            Method::Default => user.rule.enabled && user.default == Some(index as u16),
            Method::Priority | Method::Latest => user.rule.enabled || !input.is_extension(),
        };
        read && self.source(input.source).known
    }

    /// Whether own status counts: as the only thing, or as one of the sources.
    pub fn own_takes_part(&self, user: UserId) -> bool {
        let user = self.directory.get(user);
        match user.rule.method {
            Method::None => true,
            Method::Default => !user.rule.enabled || user.default.is_none(),
            Method::Priority | Method::Latest => user.own_combines,
        }
    }

    /// Takes a change and says what follows from it.
    pub fn apply(&mut self, change: &Change, now: Time) -> Vec<Effect> {
        let mut touched = BTreeSet::new();
        match *change {
            Change::Heard {
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
            Change::Chosen { user, ref presence } => {
                let at = self.stamp(now);
                self.choose(user, presence, at, &mut touched);
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, now, &mut effects);
        effects
    }

    /// A time later than every one before, so that "set last" is always decided.
    fn stamp(&mut self, now: Time) -> Time {
        self.last = now.max(self.last.next());
        self.last
    }

    /// What a source says. Its `since` changes with it, but stays when a source that
    /// was not known before says what it said last.
    fn hear(&mut self, source: SourceId, presence: Presence, at: Time) {
        let state = &mut self.sources[source.index()];
        state.known = true;
        // One that never said anything says not_set: that is no event.
        if state.presence != presence {
            self.store(source, presence, at);
        }
    }

    fn store(&mut self, source: SourceId, presence: Presence, at: Time) {
        let state = &mut self.sources[source.index()];
        (state.presence, state.since, state.known) = (presence, at, true);
        self.mark_source(source);
    }

    fn choose(&mut self, user: UserId, presence: &Presence, at: Time, touched: &mut Touched) {
        let own = Own {
            presence: presence.clone(),
            since: at,
        };
        self.users[user.index()].own = Some(Box::new(own));
        self.mark_user(user);
        self.touch(user, touched);
        let directory = self.directory.clone();
        for source in directory.written(directory.get(user)) {
            self.store(source, presence.clone(), at);
            self.queue_write(source, presence);
            self.touch_readers(source, touched);
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
    /// each is combined once.
    fn recombine(&mut self, mut touched: Touched, now: Time, effects: &mut Vec<Effect>) {
        while let Some((_, user)) = touched.pop_first() {
            let outcome = self.combine(user);
            let state = &mut self.users[user.index()];
            let old = std::mem::replace(&mut state.outcome, outcome);
            if old.presence == state.outcome.presence {
                continue;
            }
            let new = state.outcome.presence.clone();
            effects.push(self.transition(user, old.presence, now));
            if let Some(source) = self.directory.source_of(user) {
                let at = self.stamp(now);
                self.hear(source, new, at);
                self.touch_readers(source, &mut touched);
            }
        }
    }

    fn transition(&mut self, user: UserId, old: Presence, now: Time) -> Effect {
        let spec = self.directory.get(user);
        let account_state = &mut self.accounts[spec.account.index()];
        account_state.sequence += 1;
        let sequence = account_state.sequence;
        let (account_id, account) = (spec.account, self.directory.account(spec.account).clone());
        let (name, method) = (spec.name.clone(), spec.rule.method);
        self.users[user.index()].sequence = sequence;
        self.mark_user(user);
        self.mark_account(account_id);
        let publish = self.publish_now(user, now);
        let outcome = self.outcome(user);
        Effect::Transition(Box::new(Transition {
            user: name,
            old,
            new: outcome.presence.clone(),
            source: self.winner(user),
            reason: outcome.reason,
            method,
            since: outcome.since,
            account,
            sequence,
            publish,
        }))
    }

    /// The user's combined presence by the rule, made anew.
    pub fn combine(&self, user: UserId) -> Outcome {
        let spec = self.directory.get(user);
        let default = spec.default.filter(|_| spec.rule.enabled);
        match (spec.rule.method, default) {
            (Method::Default, Some(index)) => {
                if !self.takes_part(spec, usize::from(index)) {
                    return Outcome::default();
                }
                self.won_by(user, Winner::Input(index), Reason::DefaultExtension)
            }
            // Without a default extension to read, own status is what is left.
            (Method::None | Method::Default, _) => match self.own(user) {
                Some(_) => self.won_by(user, Winner::Own, Reason::OwnStatus),
                None => Outcome {
                    reason: Reason::OwnStatus,
                    ..Outcome::default()
                },
            },
            (Method::Priority, _) => self.contest(user, spec, Some(&spec.rule.ranks)),
            (Method::Latest, _) => self.contest(user, spec, None),
        }
    }

    fn contest(&self, user: UserId, spec: &User, ranks: Option<&combine::Ranks>) -> Outcome {
        let candidate = |(index, input): (usize, &Input)| {
            let state = self.source(input.source);
            let candidate = Candidate {
                state: state.presence.state(),
                since: state.since,
            };
            let takes_part = state.known && (spec.rule.enabled || !input.is_extension());
            takes_part.then_some((Winner::Input(index as u16), candidate))
        };
        let own = self.own(user).filter(|_| spec.own_combines).map(|own| {
            let candidate = Candidate {
                state: own.presence.state(),
                since: own.since,
            };
            (Winner::Own, candidate)
        });
        let inputs = spec.inputs.iter().enumerate().filter_map(candidate);
        match combine::winner(inputs.chain(own), ranks) {
            Some((winner, reason)) => self.won_by(user, winner, reason),
            None => Outcome::default(),
        }
    }

    fn won_by(&self, user: UserId, winner: Winner, reason: Reason) -> Outcome {
        let (presence, since) = match winner {
            Winner::Nobody => (Presence::default(), Time::NEVER),
            Winner::Own => self
                .own(user)
                .map_or_else(Default::default, |own| (own.presence.clone(), own.since)),
            Winner::Input(index) => {
                let input = &self.directory.get(user).inputs[usize::from(index)];
                let state = self.source(input.source);
                (state.presence.clone(), state.since)
            }
        };
        Outcome {
            presence,
            since,
            winner,
            reason,
        }
    }
}

/// Users to combine anew, those first whom others read.
type Touched = BTreeSet<(u32, UserId)>;

#[cfg(test)]
mod tests;
