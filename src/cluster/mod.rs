//! Several Asterisks share their users through etcd.
//!
//! Two threads do it. The sender registers this node with a lease, writes what has changed here
//! and keeps the registration alive. The receiver reads everything once, follows the changes
//! and takes them over. What is shared, and which value stays, is decided in the world: see
//! `crates/presence/src/world/sharing`. `doc/cluster.md` has the keys.
//!
//! Nobody waits for either thread. While etcd cannot be reached, what changes here waits: the
//! last value of each key.

mod clean;
mod clock;
mod echo;
pub mod etcd;
mod hub;
mod join;
mod lag;
mod link;
mod nodes;
mod receiver;
mod record;
mod sender;
mod source;
mod status;
#[cfg(test)]
pub mod testing;
#[cfg(all(test, not(feature = "loom")))]
mod tests;
mod turn;
mod wake;
mod writing;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;

use crate::sync::{Condvar, Mutex};
use hub::{ClusterCounts, Hub};
#[cfg(all(feature = "asterisk", not(test)))]
pub use link::ToEtcd;
pub use link::{ChangeStream, Connector, Link};
use presence::Time;
use presence::account::uuid_of;
use presence::config::Cluster;
use presence::world::NodeIdentity;
pub use source::{ClusterEvent, NodeFacts, SharedState};
use status::ClusterState;
pub use status::{ClusterView, CountsView, NodeView, Standing};
pub use turn::Turn;

/// How long a stop waits for the threads: after the first time, a request that is under way
/// is given up. One that the system's resolver keeps for longer is left to itself.
const STOP: [Duration; 2] = [Duration::from_millis(700), Duration::from_millis(300)];

/// The sharing of users with other nodes.
pub struct Clustering {
    connector: Arc<dyn Connector>,
    counts: Arc<ClusterCounts>,
    /// The number of this life; empty where the system gives no random numbers.
    boot: Arc<str>,
    /// The run, for everyone who asks.
    current: ArcSwapOption<Hub>,
    running: Mutex<RunState>,
}

#[derive(Default)]
struct RunState {
    run: Option<Run>,
    /// Whether it was stopped for good.
    stopped: bool,
}

/// The threads of one run.
struct Run {
    hub: Arc<Hub>,
    ends: Arc<Ends>,
    threads: Vec<JoinHandle<()>>,
}

/// How many of the threads have ended.
#[derive(Default)]
struct Ends {
    count: Mutex<usize>,
    news: Condvar,
}

/// ClusterCounts a thread that has ended, also by a panic.
struct CountedEnd(Arc<Ends>);

impl Drop for CountedEnd {
    fn drop(&mut self) {
        *self.0.count.lock() += 1;
        self.0.news.notify_all();
    }
}

impl Clustering {
    /// Nothing is shared yet.
    pub fn new(connector: Arc<dyn Connector>) -> Self {
        Clustering {
            connector,
            counts: Arc::default(),
            boot: random_id().unwrap_or_default().into(),
            current: ArcSwapOption::const_empty(),
            running: Mutex::default(),
        }
    }

    /// This node in that cluster.
    pub fn identity(&self, settings: &Cluster) -> NodeIdentity {
        NodeIdentity {
            name: settings.node.clone(),
            boot: self.boot.clone(),
        }
    }

    /// Takes over the section of the configuration: starts, goes on, begins anew with another
    /// section, or ends.
    ///
    /// # Errors
    /// The system gives no thread, or no random numbers.
    pub fn configure(
        &self,
        settings: Option<&Arc<Cluster>>,
        source: &Arc<dyn SharedState>,
    ) -> std::io::Result<()> {
        let mut running = self.running.lock();
        if running.stopped {
            return Ok(());
        }
        let same = running.run.as_ref().map(|run| &run.hub.settings) == settings;
        if same {
            return Ok(());
        }
        let old = running.run.take();
        drop(running);
        if let Some(old) = old {
            self.current.store(None);
            old.stop();
            source.end();
            if settings.is_none() {
                log::info!(
                    "This server shares its users no longer: the configuration has no cluster"
                );
            }
        }
        let Some(settings) = settings else {
            return Ok(());
        };
        let hub = Arc::new(self.hub(settings, source)?);
        self.current.store(Some(hub.clone()));
        let run = match Run::start(hub) {
            Ok(run) => run,
            Err(why) => {
                self.current.store(None);
                source.end();
                return Err(why);
            }
        };
        let mut running = self.running.lock();
        if running.stopped {
            drop(running);
            self.current.store(None);
            run.stop();
            return Ok(());
        }
        running.run = Some(run);
        Ok(())
    }

    fn hub(&self, settings: &Arc<Cluster>, source: &Arc<dyn SharedState>) -> std::io::Result<Hub> {
        if self.boot.is_empty() {
            return Err(std::io::Error::other("the system gives no random numbers"));
        }
        let instance = match source.recall(INSTANCE) {
            Some(known) => known,
            None => {
                let made = random_id()?;
                source.remember(INSTANCE, &made);
                made
            }
        };
        Ok(Hub::new(
            settings.clone(),
            self.identity(settings),
            instance,
            source.clone(),
            self.connector.clone(),
            self.counts.clone(),
        ))
    }

    /// Ends it: other nodes see at once that this one has gone.
    pub fn stop(&self) {
        let mut running = self.running.lock();
        running.stopped = true;
        let run = running.run.take();
        drop(running);
        if let Some(run) = run {
            run.stop();
        }
        self.current.store(None);
    }

    /// Whether the configuration has a cluster.
    pub fn is_configured(&self) -> bool {
        self.current.load().is_some()
    }

    /// A change waits to be written.
    pub fn wake(&self) {
        if let Some(hub) = &*self.current.load() {
            hub.bell.ring();
        }
    }

    /// Another configuration of users runs.
    pub fn users_changed(&self) {
        if let Some(hub) = self.current.load_full() {
            hub.users_changed();
        }
    }

    /// Whether this node is the one that posts webhooks, and concludes what one node has to
    /// conclude for all. True without a cluster. False while this node is cut off from its
    /// cluster: another one may be the keeper then.
    pub fn is_keeper(&self) -> bool {
        let hub = self.current.load_full();
        hub.is_none_or(|hub| hub.is_keeper())
    }

    /// Whether this node is the origin of what every node concludes by itself: it is the
    /// keeper, or goes on alone. True without a cluster.
    pub fn concludes(&self) -> bool {
        let hub = self.current.load_full();
        hub.is_none_or(|hub| {
            let is_joined = |state: &mut ClusterState| state.standing.is_joined();
            hub.is_keeper() || !hub.with(is_joined)
        })
    }

    /// This node's name; `None` without a cluster.
    pub fn node(&self) -> Option<Arc<str>> {
        let hub = self.current.load();
        hub.as_ref().map(|hub| hub.me.name.clone())
    }

    /// The node that posts webhooks; `None` without a cluster.
    pub fn turn(&self) -> Option<Turn> {
        Some(self.current.load_full()?.turn())
    }

    /// How far the receiver of that webhook is, in the words of the last keeper.
    pub fn acknowledged(&self, webhook: &str) -> Option<String> {
        let hub = self.current.load_full()?;
        hub.with(|state| state.turn.acknowledged.get(webhook).cloned())
    }

    /// The times in which this node was without the others, until it had told them what it had
    /// changed; the oldest first.
    pub fn apart(&self) -> Vec<(Time, Time)> {
        let hub = self.current.load_full();
        hub.map(|hub| hub.with(|state| state.turn.apart()))
            .unwrap_or_default()
    }

    /// The cluster as it is shown; `None` without one.
    pub fn view(&self) -> Option<ClusterView> {
        Some(self.current.load_full()?.view())
    }

    /// ClusterCounts since Asterisk was started.
    pub fn counts(&self) -> CountsView {
        self.counts.view()
    }
}

impl Run {
    fn start(hub: Arc<Hub>) -> std::io::Result<Self> {
        hub.source.begin(hub.me.clone());
        let ends = Arc::new(Ends::default());
        let mut run = Run {
            hub,
            ends,
            threads: Vec::new(),
        };
        let started = run
            .spawn("userpresence-ci", receiver::run)
            .and_then(|()| run.spawn("userpresence-co", sender::run));
        if let Err(why) = started {
            run.stop();
            return Err(why);
        }
        Ok(run)
    }

    fn spawn(&mut self, name: &str, work: fn(&Arc<Hub>)) -> std::io::Result<()> {
        let (hub, end) = (self.hub.clone(), CountedEnd(self.ends.clone()));
        let thread = std::thread::Builder::new().name(name.into());
        self.threads.push(thread.spawn(move || {
            let _end = end;
            work(&hub);
        })?);
        Ok(())
    }

    /// Stops the threads; the sender ends its lease.
    fn stop(self) {
        self.hub.request_stop();
        let all = self.threads.len();
        let mut until = Instant::now();
        for time in STOP {
            until += time;
            let mut count = self.ends.count.lock();
            while *count < all && !self.ends.news.wait_until(&mut count, until).timed_out() {}
            let is_over = *count >= all;
            drop(count);
            self.hub.cancel.store(true, Ordering::Release);
            if is_over {
                for thread in self.threads {
                    // A panic in it was logged when it happened.
                    let _ = thread.join();
                }
                return;
            }
        }
        log::debug!("A request to etcd does not come to its end, it is left to itself");
    }
}

/// The name under which the instance is remembered.
const INSTANCE: &str = "instance";

fn random_id() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|why| std::io::Error::other(why.to_string()))?;
    Ok(uuid_of(bytes))
}
