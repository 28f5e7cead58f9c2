//! What the two threads of the cluster share, and what others ask of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::echo::Echo;
use super::link::Connector;
use super::record::{self, NodeRecord};
use super::source::{ClusterEvent, SharedState};
use super::status::{ClusterState, ClusterView, CountsView, NodeView, Session, Standing};
use super::wake::Bell;
use crate::sync::{Condvar, Mutex};
use presence::Time;
use presence::config::Cluster;
use presence::world::NodeIdentity;

/// The first pause before another try, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What is counted. It outlives the threads.
#[derive(Default, Debug)]
pub struct ClusterCounts {
    pub transactions: AtomicU64,
    pub written: AtomicU64,
    pub conflicts: AtomicU64,
    pub received: AtomicU64,
    pub failures: AtomicU64,
}

impl ClusterCounts {
    pub fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub fn view(&self) -> CountsView {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CountsView {
            transactions: get(&self.transactions),
            written: get(&self.written),
            conflicts: get(&self.conflicts),
            received: get(&self.received),
            failures: get(&self.failures),
        }
    }
}

/// One run of the cluster's threads.
pub struct Hub {
    pub settings: Arc<Cluster>,
    pub me: NodeIdentity,
    /// The same for the same server, also after a restart.
    pub instance: String,
    pub host: String,
    pub started: Time,
    pub source: Arc<dyn SharedState>,
    pub connector: Arc<dyn Connector>,
    pub counts: Arc<ClusterCounts>,
    /// Wakes the sender.
    pub bell: Bell,
    /// The threads have to leave.
    stop: AtomicBool,
    /// The sender's request has to end at once.
    pub cancel: Arc<AtomicBool>,
    state: Mutex<ClusterState>,
    /// There is another session, or none any more.
    news: Condvar,
}

impl Hub {
    pub fn new(
        settings: Arc<Cluster>,
        me: NodeIdentity,
        instance: String,
        source: Arc<dyn SharedState>,
        connector: Arc<dyn Connector>,
        counts: Arc<ClusterCounts>,
    ) -> Self {
        let hub = Hub {
            me,
            instance,
            host: source.host_name(),
            started: Time::now(),
            settings,
            source,
            connector,
            counts,
            bell: Bell::default(),
            stop: AtomicBool::new(false),
            cancel: Arc::default(),
            state: Mutex::new(ClusterState {
                since: Time::now(),
                ..ClusterState::default()
            }),
            news: Condvar::new(),
        };
        hub.begin_apart();
        hub
    }

    /// The whole key of a path.
    pub fn key(&self, path: &str) -> String {
        format!("{}{path}", self.settings.prefix)
    }

    /// The key of a node's registration.
    pub fn node_key(&self, node: &str) -> String {
        self.key(&format!("{}{node}", record::NODES))
    }

    /// The path of a key.
    pub fn path<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&*self.settings.prefix).unwrap_or(key)
    }

    /// How often this node writes its registration again.
    pub fn beat(&self) -> Duration {
        self.settings.node_timeout / 3
    }

    /// How long it may fail before this node counts as alone. Its lease is still alive then.
    pub fn patience(&self) -> Duration {
        self.settings.node_timeout * 2 / 3
    }

    /// The pause before another try: it doubles up to the longest. A node comes back in time
    /// for one that waits for it.
    pub fn next_pause(&self, last: Option<Duration>) -> Duration {
        let longest = LONGEST_PAUSE.min(self.settings.node_timeout / 6);
        last.map_or(FIRST_PAUSE, |last| (last * 2).min(longest))
    }

    /// Looks at the state, or changes it. Nothing is called meanwhile.
    pub fn with<T>(&self, look: impl FnOnce(&mut ClusterState) -> T) -> T {
        look(&mut self.state.lock())
    }

    /// Whether the threads have to leave.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Has the threads leave.
    pub fn request_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.end_session();
        self.bell.ring();
    }

    /// Begins a session with a lease.
    pub fn begin_session(&self, lease: i64) -> Arc<Session> {
        let mut state = self.state.lock();
        let number = state.session.as_ref().map_or(0, |it| it.number) + 1;
        let session = Arc::new(Session {
            number,
            over: Arc::default(),
        });
        state.session = Some(session.clone());
        state.lease = lease;
        state.is_ready = false;
        state.wants_whole = false;
        state.other_users = None;
        state.receiver_fails = None;
        state.heard = None;
        state.lag.forget();
        state.echo = Echo::default();
        drop(state);
        self.news.notify_all();
        session
    }

    /// Ends the session: the receiver takes over nothing more.
    pub fn end_session(&self) {
        let mut state = self.state.lock();
        if let Some(session) = &state.session {
            session.over.store(true, Ordering::Release);
        }
        state.is_ready = false;
        drop(state);
        self.news.notify_all();
    }

    /// The session after the one of that number, once there is one; `None` at the end.
    pub fn next_session(&self, last: u64) -> Option<Arc<Session>> {
        let mut state = self.state.lock();
        loop {
            if self.is_stopping() {
                return None;
            }
            let session = state.session.as_ref();
            if let Some(session) = session.filter(|it| it.number > last && !it.is_over()) {
                return Some(session.clone());
            }
            self.news.wait(&mut state);
        }
    }

    /// Waits, until the session or the whole run ends.
    pub fn pause(&self, session: &Session, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state.lock();
        while !session.is_over() && !self.news.wait_until(&mut state, until).timed_out() {}
    }

    /// Waits before another try, until the whole run ends. Changes that wait to be written do
    /// not shorten it.
    pub fn rest(&self, until: Instant) {
        let mut state = self.state.lock();
        while !self.is_stopping() && !self.news.wait_until(&mut state, until).timed_out() {}
    }

    /// Changes how this node stands; whether it is another way than before.
    fn stand(&self, standing: Standing) -> bool {
        let mut state = self.state.lock();
        let is_new = match (&state.standing, &standing) {
            (Standing::Refused(old), Standing::Refused(new)) => old != new,
            (old, new) => old.word() != new.word(),
        };
        if is_new {
            state.since = Time::now();
        }
        state.standing = standing;
        is_new
    }

    /// This node shares its users.
    pub fn joined(&self, server: &str) {
        if !self.stand(Standing::Joined(server.to_owned())) {
            return;
        }
        // It may have been silent for a moment only, in its turn.
        self.source.keeper_changed();
        let others = self.with(|state| state.others(&self.me.name));
        let with = match others {
            0 => "no other node is there".to_owned(),
            1 => "one other node is there".to_owned(),
            many => format!("{many} other nodes are there"),
        };
        log::info!(
            "Joined the cluster as node '{}' through {server}: {with}",
            self.me.name
        );
        self.source.report(&ClusterEvent::Joined {
            server: server.to_owned(),
            others,
        });
    }

    /// This node goes on by itself.
    pub fn alone(&self, why: &str) {
        if !self.stand(Standing::Alone(why.to_owned())) {
            return;
        }
        self.begin_apart();
        log::warn!(
            "Node '{}' is cut off from its cluster and goes on alone: {why}",
            self.me.name
        );
        self.source.report(&ClusterEvent::Alone {
            why: why.to_owned(),
        });
    }

    /// This node may not take part.
    pub fn refused(&self, why: &str) {
        if !self.stand(Standing::Refused(why.to_owned())) {
            return;
        }
        log::error!(
            "Node '{}' does not take part in its cluster: {why}",
            self.me.name
        );
        self.source.report(&ClusterEvent::Refused {
            why: why.to_owned(),
        });
    }

    /// Whether the lease of this node may have ended.
    pub fn is_silent(&self) -> bool {
        let alive = self.with(|state| state.alive);
        alive.is_some_and(|at| at.elapsed() > self.patience())
    }

    /// Notes that this node is cut off, if the store has been silent for too long. `why`: what
    /// fails in the thread that asks. Whether it is cut off.
    pub fn look_whether_alone(&self, why: Option<&str>) -> bool {
        let patience = self.patience();
        let (is_alone, fails) = self.with(|state| {
            let is_late = |at: Option<Instant>| at.is_some_and(|at| at.elapsed() > patience);
            let is_late = is_late(state.alive) || state.is_ready && is_late(state.heard);
            let is_over = state.session.as_ref().is_none_or(|it| it.is_over());
            (is_late && !is_over, state.receiver_fails.clone())
        });
        if is_alone {
            let why = why.or(fails.as_deref());
            self.alone(why.unwrap_or("etcd does not answer"));
        }
        is_alone
    }

    /// Whether this node posts webhooks and cleans up. It is not any more before another one
    /// can be.
    pub fn is_keeper(&self) -> bool {
        self.with(|state| {
            let is_alive = state.alive.is_some_and(|it| it.elapsed() < self.patience());
            is_alive
                && matches!(state.standing, Standing::Joined(_))
                && state.holds_keeper(&self.me.name)
        })
    }

    /// Other users are configured: tells the other nodes, and reads what the store has of them.
    pub fn users_changed(&self) {
        let wants_whole = self.source.wants_whole();
        self.with(|state| {
            state.wants_whole |= wants_whole;
            state.wants_beat = true;
        });
        self.bell.ring();
    }

    /// This node's registration as it is to be written now.
    pub fn record(&self) -> NodeRecord {
        let facts = self.source.facts();
        NodeRecord {
            boot: self.me.boot.to_string(),
            instance: self.instance.clone(),
            host: self.host.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started.millis(),
            clock: Time::now().micros(),
            users: facts.users,
            digest: facts.digest,
            leaves: self.is_stopping(),
        }
    }

    /// The cluster as it is shown.
    pub fn view(&self) -> ClusterView {
        let waiting = self.source.waiting();
        let digest = self.source.facts().digest;
        let counts = self.counts.view();
        self.with(|state| {
            let nodes = state.nodes.iter().map(|(name, node)| {
                let is_self = *name == self.me.name;
                NodeView {
                    name: name.clone(),
                    is_self,
                    is_here: node.is_here,
                    since: node.since,
                    ahead: match is_self {
                        true => Some(0),
                        false => state.clocks.ahead(name),
                    },
                    differs: !is_self && node.record.digest != digest,
                    record: node.record.clone(),
                }
            });
            ClusterView {
                node: self.me.name.clone(),
                prefix: self.settings.prefix.clone(),
                standing: state.standing.clone(),
                since: state.since,
                nodes: nodes.collect(),
                keeper: state.keeper.as_ref().map(|it| it.name.clone()),
                waiting,
                lag: state.lag.times(Instant::now()),
                revision: state.revision,
                offset: state.clocks.offset(),
                counts,
            }
        })
    }
}
