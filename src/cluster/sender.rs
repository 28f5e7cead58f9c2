//! The thread that registers this node, keeps it registered, and writes what has changed here.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clean;
use super::etcd::{Committed, Compare, Entry, EtcdError, Op, OpResult};
use super::hub::{ClusterCounts, Hub};
use super::join::{Registration, SessionEnd, join, json, other_users};
use super::link::Link;
use super::record::{ACKNOWLEDGED, KEEPER, NodeRecord};
use super::status::{KeeperKey, Standing};

/// How long an unload goes on writing what waits.
const LAST: Duration = Duration::from_millis(300);

/// How long a node that may not take part waits before it looks again.
const REFUSED: Duration = Duration::from_secs(2);

pub(super) struct ClusterSender<'a> {
    pub(super) hub: &'a Arc<Hub>,
    pub(super) link: Box<dyn Link>,
    registration: Option<Registration>,
    /// Whether this run was registered before.
    knows: bool,
    /// The registration is written again then.
    pub(super) next_beat: Instant,
    /// What fails.
    trouble: Option<Trouble>,
    cleaning: clean::Cleaning,
}

/// What fails, and for how long already.
struct Trouble {
    why: String,
    since: Instant,
    /// The pause before the next try.
    pause: Duration,
}

/// Why a piece of work came to nothing.
pub(super) enum Setback {
    /// The session has ended.
    Over(SessionEnd),
    /// A request failed; it is tried again.
    Failed(EtcdError),
}

impl From<EtcdError> for Setback {
    fn from(why: EtcdError) -> Self {
        match why {
            EtcdError::Stopped => Setback::Over(SessionEnd::Stopped),
            EtcdError::LeaseEnded => Setback::Over(SessionEnd::Again),
            why => Setback::Failed(why),
        }
    }
}

/// The thread.
pub fn run(hub: &Arc<Hub>) {
    let mut sender = ClusterSender {
        hub,
        link: hub.connector.link(&hub.settings, &hub.cancel),
        registration: None,
        knows: false,
        next_beat: Instant::now(),
        trouble: None,
        cleaning: clean::Cleaning::default(),
    };
    let mut pause = None;
    while !hub.is_stopping() {
        let begin = Instant::now();
        // A panic was logged.
        let end = catch_unwind(AssertUnwindSafe(|| sender.session()));
        let end = end.unwrap_or_else(|_| SessionEnd::Lost("an error in the module itself".into()));
        if !hub.is_stopping() {
            hub.end_session();
        }
        if begin.elapsed() > hub.settings.node_timeout {
            pause = None;
        }
        let wait = match end {
            SessionEnd::Stopped => break,
            SessionEnd::Again => hub.next_pause(None),
            SessionEnd::Lost(why) => {
                hub.alone(&why);
                let wait = hub.next_pause(pause);
                pause = Some(wait);
                wait
            }
            SessionEnd::Refused(why) => {
                sender.give_up();
                hub.refused(&why);
                REFUSED
            }
        };
        hub.bell.sleep(Instant::now() + wait, || hub.is_stopping());
    }
    // The last word, also after a panic in it.
    let _ = catch_unwind(AssertUnwindSafe(|| sender.leave()));
}

impl ClusterSender<'_> {
    /// One registration, from joining to its end.
    fn session(&mut self) -> SessionEnd {
        self.trouble = None;
        let old = self.registration.take();
        let registration = match join(self.hub, &mut *self.link, self.knows) {
            Ok(registration) => registration,
            Err(end) => {
                ClusterCounts::add(&self.hub.counts.failures, 1);
                return end;
            }
        };
        self.registration = Some(registration);
        self.knows = true;
        if let Some(old) = old {
            // It has ended by itself most of the time.
            let _ = self.link.revoke(old.lease);
        }
        self.next_beat = registration.alive + self.hub.beat();
        self.hub.begin_session(registration.lease);
        self.hub.with(|state| {
            state.alive = Some(registration.alive);
            state.revision = registration.revision;
        });
        self.serve()
    }

    fn serve(&mut self) -> SessionEnd {
        loop {
            if self.hub.is_stopping() {
                return SessionEnd::Stopped;
            }
            crate::trip("cluster");
            let until = match self.work() {
                Ok(until) => {
                    self.trouble = None;
                    until
                }
                Err(Setback::Over(end)) => return end,
                Err(Setback::Failed(why)) => {
                    ClusterCounts::add(&self.hub.counts.failures, 1);
                    let last = self.trouble.as_ref();
                    let pause = self.hub.next_pause(last.map(|it| it.pause));
                    self.trouble = Some(Trouble {
                        why: why.to_string(),
                        since: last.map_or_else(Instant::now, |it| it.since),
                        pause,
                    });
                    Instant::now() + pause
                }
            };
            self.tell();
            let is_failing = self.trouble.is_some();
            let has_work = || self.hub.is_stopping() || !is_failing && self.has_work();
            self.hub.bell.sleep(until, has_work);
        }
    }

    /// Notes how this node stands.
    fn tell(&self) {
        let hub = self.hub;
        let why = self.trouble.as_ref().map(|it| it.why.as_str());
        if hub.look_whether_alone(why) {
            return;
        }
        // The lease is alive, and etcd accepts nothing all the same.
        if let Some(trouble) = &self.trouble {
            if trouble.since.elapsed() > hub.patience() {
                hub.alone(&trouble.why);
            }
            return;
        }
        let is_well = hub.with(|state| state.is_ready && state.receiver_fails.is_none());
        if is_well {
            hub.joined(&self.link.server());
            hub.end_apart();
        }
    }

    fn has_work(&self) -> bool {
        let (asked, is_ready) = self.hub.with(|state| {
            let asked = state.wants_beat || state.wants_look || state.other_users.is_some();
            let is_ready = state.is_ready;
            (
                asked || is_ready && !state.turn.unwritten.is_empty(),
                is_ready,
            )
        });
        asked || is_ready && self.hub.source.waiting() > 0
    }

    pub(super) fn registration(&self) -> Result<Registration, Setback> {
        self.registration.ok_or(Setback::Over(SessionEnd::Again))
    }

    /// Does what there is to do, a little at a time; when to look again.
    fn work(&mut self) -> Result<Instant, Setback> {
        let (beats, is_ready, others) = self.hub.with(|state| {
            state.wants_look = false;
            (
                std::mem::take(&mut state.wants_beat),
                state.is_ready,
                state.other_users,
            )
        });
        if let Some(users) = others {
            return Err(Setback::Over(other_users(self.hub, users)));
        }
        if beats || Instant::now() >= self.next_beat || self.trouble.is_some() {
            self.beat()?;
            self.hub.note_acknowledged();
        }
        if is_ready {
            self.stand_as_keeper()?;
            self.write_acknowledged()?;
            self.write()?;
            self.clean_up()?;
        }
        Ok(self.next_beat)
    }

    /// Writes the registration with this node's clock, and renews the lease.
    fn beat(&mut self) -> Result<(), Setback> {
        let registration = self.registration()?;
        let asked = Instant::now();
        if !self.link.keep_alive(registration.lease)? {
            return Err(Setback::Over(self.lease_ended(registration)));
        }
        let key = self.hub.node_key(&self.hub.me.name);
        let guard = [
            self.is_mine(registration.lease),
            Compare::Revision {
                key: key.clone(),
                revision: registration.revision,
            },
        ];
        let put = Op::Put {
            key,
            value: json(&self.hub.record()),
            lease: registration.lease,
            seen: None,
        };
        let sent = Instant::now();
        match self.commit(&guard, &[put])? {
            Committed::Done { revision, .. } => {
                self.registration = Some(Registration {
                    revision,
                    alive: asked,
                    ..registration
                });
                self.hub.with(|state| {
                    state.alive = Some(asked);
                    state.lag.sent(revision, sent);
                });
                self.next_beat = asked + self.hub.beat();
                Ok(())
            }
            Committed::Guarded { entries } => {
                let now = entries.into_iter().flatten().next();
                self.look_at(now)?;
                // An earlier beat was written, and its answer lost.
                self.next_beat = Instant::now();
                Ok(())
            }
        }
    }

    /// A node that stood still (a machine that slept) has counted as gone for the others, and
    /// says so. A lease that ended earlier went with etcd's data.
    fn lease_ended(&self, registration: Registration) -> SessionEnd {
        let silent = registration.alive.elapsed();
        match silent > self.hub.settings.node_timeout {
            true => SessionEnd::Lost(format!("it was silent for {} s", silent.as_secs())),
            false => SessionEnd::Again,
        }
    }

    /// The guard of every write: this node is registered by this run.
    pub(super) fn is_mine(&self, lease: i64) -> Compare {
        Compare::Lease {
            key: self.hub.node_key(&self.hub.me.name),
            lease,
        }
    }

    /// The guard did not hold: how the registration is now.
    pub(super) fn look_at(&mut self, now: Option<Entry>) -> Result<(), Setback> {
        let registration = self.registration()?;
        let now = now.filter(|entry| entry.lease == registration.lease);
        match now {
            Some(entry) if entry.revision >= registration.revision => {
                self.registration = Some(Registration {
                    revision: entry.revision,
                    ..registration
                });
                Ok(())
            }
            // Gone, another one's, or the store has gone back in time.
            _ => Err(Setback::Over(SessionEnd::Again)),
        }
    }

    pub(super) fn commit(&mut self, guard: &[Compare], ops: &[Op]) -> Result<Committed, Setback> {
        let known = self.hub.with(|state| state.revision);
        let done = self.link.commit(guard, ops)?;
        ClusterCounts::add(&self.hub.counts.transactions, 1);
        if let Committed::Done { revision, results } = &done {
            self.hub
                .with(|state| state.revision = state.revision.max(*revision));
            // What is written has a revision of its own. In a store that was restored from a
            // copy it has one that was there before: everything is compared anew.
            let is_new = results.contains(&OpResult::Written);
            if *revision < known || is_new && *revision == known {
                return Err(Setback::Over(SessionEnd::Again));
            }
        }
        Ok(done)
    }

    fn can_be_keeper(&self, keeper: Option<&KeeperKey>) -> bool {
        let lease = self.registration.map_or(0, |it| it.lease);
        keeper.is_none_or(|it| it.name == self.hub.me.name && it.lease != lease)
    }

    /// Becomes the keeper if there is none.
    fn stand_as_keeper(&mut self) -> Result<(), Setback> {
        let registration = self.registration()?;
        let keeper = self.hub.with(|state| state.keeper.clone());
        if !self.can_be_keeper(keeper.as_ref()) {
            return Ok(());
        }
        let put = Op::Put {
            key: self.hub.key(KEEPER),
            value: self.hub.me.name.to_string(),
            lease: registration.lease,
            seen: Some(keeper.map_or(0, |it| it.revision)),
        };
        let guard = [self.is_mine(registration.lease)];
        let keeper = match self.commit(&guard, &[put])? {
            Committed::Guarded { entries } => {
                return self.look_at(entries.into_iter().flatten().next());
            }
            Committed::Done { revision, results } => match results.into_iter().next() {
                Some(OpResult::Differs(found)) => found.and_then(|entry| {
                    Some(KeeperKey {
                        name: entry.value?.into(),
                        lease: entry.lease,
                        revision: entry.revision,
                    })
                }),
                _ => Some(KeeperKey {
                    name: self.hub.me.name.clone(),
                    lease: registration.lease,
                    revision,
                }),
            },
        };
        let revision = keeper.as_ref().map_or(0, |it| it.revision);
        super::nodes::set_keeper(self.hub, keeper);
        if self.hub.with(|state| state.holds_keeper(&self.hub.me.name)) {
            self.read_acknowledged(revision)?;
        }
        Ok(())
    }

    /// Reads how far the receivers of webhooks are: earlier keepers write no more.
    fn read_acknowledged(&mut self, revision: i64) -> Result<(), Setback> {
        let prefix = self.hub.key(ACKNOWLEDGED);
        let mut read = BTreeMap::new();
        self.link.range(&prefix, &mut |entry| {
            let webhook = entry.key.strip_prefix(&prefix).map(str::to_owned);
            read.extend(webhook.zip(entry.value));
        })?;
        self.hub.with(|state| {
            state.turn.acknowledged = read;
            state.turn.unwritten.clear();
            state.turn.read_for = revision;
        });
        self.hub.source.keeper_changed();
        Ok(())
    }

    fn clean_up(&mut self) -> Result<(), Setback> {
        let registration = self.registration()?;
        let guard = self.is_mine(registration.lease);
        self.cleaning.go_on(self.hub, &guard);
        Ok(())
    }

    /// Gives up a registration that must not stay.
    fn give_up(&mut self) {
        let Some(registration) = self.registration.take() else {
            return;
        };
        // Whatever becomes of it: the lease ends by itself.
        let goodbye = Op::Put {
            key: self.hub.node_key(&self.hub.me.name),
            value: json(&NodeRecord {
                leaves: true,
                ..self.hub.record()
            }),
            lease: registration.lease,
            seen: None,
        };
        let guard = self.is_mine(registration.lease);
        let _ = self.link.commit(&[guard], &[goodbye]);
        let _ = self.link.revoke(registration.lease);
    }

    /// Writes what waits, as far as it goes quickly, and ends the lease: other nodes see at once
    /// that this one has gone.
    fn leave(&mut self) {
        let is_joined = self
            .hub
            .with(|state| matches!(state.standing, Standing::Joined(_)));
        if is_joined && self.trouble.is_none() {
            let until = Instant::now() + LAST;
            while Instant::now() < until && matches!(self.write_some(), Ok(true)) {}
            self.hub.note_acknowledged();
            let _ = self.write_acknowledged();
        }
        if self.trouble.is_none() {
            self.give_up();
        }
    }
}

/// What a node has written of itself.
pub fn node_record(value: &str) -> NodeRecord {
    serde_json::from_str(value).unwrap_or_default()
}
