//! The runtime as the cluster sees it.

use std::sync::{Arc, Weak};

use super::Runtime;
use super::host::EventClass;
use crate::cluster::{ClusterEvent, Clustering, NodeFacts, SharedState};
use crate::sync::Mutex;
use presence::Time;
use presence::directory::Directory;
use presence::model::text::quoted;
use presence::world::stored::FAMILY;
use presence::world::{Effect, NodeIdentity, OtherUsers, SharedEntry, SharedWrite, World};

/// What the cluster remembers is below this key of [`FAMILY`].
const KEYS: &str = "cluster/";

/// How many keys, users or devices are taken over at once: meanwhile other changes wait, for the
/// lock and for their delivery.
const TOGETHER: usize = 200;

/// The digest of a directory: it reads all of it, and is asked for again and again.
#[derive(Default)]
pub struct DigestCache(Mutex<Option<(Weak<Directory>, Arc<str>)>>);

impl DigestCache {
    fn of(&self, directory: &Arc<Directory>) -> Arc<str> {
        let known = self.0.lock().clone();
        if let Some((of, digest)) = known {
            if std::ptr::eq(of.as_ptr(), Arc::as_ptr(directory)) {
                return digest;
            }
        }
        let digest: Arc<str> = directory.digest().into();
        *self.0.lock() = Some((Arc::downgrade(directory), digest.clone()));
        digest
    }
}

impl SharedState for Runtime {
    fn begin(&self, node: NodeIdentity) {
        self.update_always(|world, now| {
            // At a load it has begun before the sources were read.
            if !world.is_sharing() {
                world.begin_sharing(node, now);
            }
            ((), Vec::new())
        });
    }

    fn end(&self) {
        self.update_always(|world, now| ((), world.end_sharing(now)));
        self.set_clock_offset(0);
        self.wake_persister(true);
    }

    fn take_whole(
        &self,
        entries: &[SharedEntry<'_>],
        live: &[NodeIdentity],
    ) -> Result<(), OtherUsers> {
        // The module may be going.
        self.read(|world| world.check_whole(entries))
            .unwrap_or(Ok(()))?;
        self.update(|world, _| {
            world.begin_whole(live);
            ((), Vec::new())
        });
        for part in entries.chunks(TOGETHER) {
            self.update(|world, now| ((), world.take_whole_part(part, now)));
        }
        self.settle_in_parts(|world, now| world.settle_whole(TOGETHER, now));
        self.warn_of_doubtful();
        Ok(())
    }

    fn take_changes(&self, entries: &[SharedEntry<'_>]) {
        for part in entries.chunks(TOGETHER) {
            self.update(|world, now| ((), world.take_shared(part, now)));
        }
        self.warn_of_doubtful();
    }

    fn node_here(&self, node: NodeIdentity) {
        self.update(|world, now| ((), world.node_here(node, now)));
        self.settle_in_parts(|world, now| world.settle_heard(TOGETHER, now));
    }

    fn node_gone(&self, name: &str) {
        self.update(|world, now| ((), world.node_gone(name, now)));
        self.settle_in_parts(|world, now| world.settle_heard(TOGETHER, now));
    }

    fn wants_whole(&self) -> bool {
        self.read(|world| world.wants_whole()).unwrap_or_default()
    }

    fn take_writes(&self, most: usize) -> Vec<SharedWrite> {
        let writes = self.update_always(|world, _| (world.take_shared_writes(most), Vec::new()));
        writes.unwrap_or_default()
    }

    fn written(&self, written: &[(&str, i64)]) {
        self.update_always(|world, _| {
            for (path, revision) in written {
                world.shared_written(path, *revision);
            }
            ((), Vec::new())
        });
    }

    fn put_back(&self, paths: &[&str]) {
        if paths.is_empty() {
            return;
        }
        self.update_always(|world, _| {
            world.put_back_shared(paths.iter().copied());
            ((), Vec::new())
        });
    }

    fn waiting(&self) -> usize {
        let waiting = self.read(|world| world.shared_waiting());
        waiting.unwrap_or_default()
    }

    fn some_people(&self, most: usize) -> Vec<String> {
        self.read(|world| world.some_people(most))
            .unwrap_or_default()
    }

    fn unknown(&self, paths: &[String]) -> Vec<String> {
        let unknown = self.read(|world| {
            let unknown = world.unknown_shared(paths.iter().map(String::as_str));
            unknown.into_iter().map(str::to_owned).collect()
        });
        unknown.unwrap_or_default()
    }

    fn correct_clock(&self, offset: i64) {
        self.set_clock_offset(offset);
        self.update_always(|world, now| {
            world.clock_corrected(now);
            ((), Vec::new())
        });
        // Timed statuses end by it.
        self.wake_persister(true);
    }

    fn now(&self) -> Time {
        Runtime::now(self)
    }

    fn acknowledged(&self) -> Vec<(String, String)> {
        let all = self.webhooks.acknowledged(self);
        let all = all.into_iter();
        all.map(|(webhook, far)| (webhook.to_string(), far.json()))
            .collect()
    }

    fn keeper_changed(&self) {
        let concludes = self.clustering.concludes();
        self.update_always(|world, _| {
            world.set_keeper(concludes);
            ((), Vec::new())
        });
        self.webhooks.posting_changed();
    }

    fn facts(&self) -> NodeFacts {
        let Some(directory) = self.read(|world| world.directory().clone()) else {
            return NodeFacts::default();
        };
        NodeFacts {
            users: directory.user_count() as u64,
            digest: self.digest.of(&directory).to_string(),
        }
    }

    fn host_name(&self) -> String {
        self.host().host_name()
    }

    fn recall(&self, name: &str) -> Option<String> {
        self.host().get(FAMILY, &format!("{KEYS}{name}"))
    }

    fn remember(&self, name: &str, text: &str) {
        if let Err(why) = self.host().put(FAMILY, &format!("{KEYS}{name}"), text) {
            self.warn_once("AstDB", "cluster", || {
                format!("AstDB does not keep what the cluster has to remember: {why}")
            });
        }
    }

    fn report(&self, event: &ClusterEvent) {
        let node = self.clustering.node().unwrap_or_default();
        let (what, more): (&str, Vec<(&str, &str)>) = match event {
            ClusterEvent::Joined { server, .. } => ("Joined", vec![("Server", server)]),
            ClusterEvent::Alone { why } => ("Alone", vec![("Why", why)]),
            ClusterEvent::Refused { why } => ("Refused", vec![("Why", why)]),
            ClusterEvent::NodeHere { node, host } => {
                ("NodeHere", vec![("OtherNode", node), ("Host", host)])
            }
            ClusterEvent::NodeGone { node, has_left } => {
                let why = if *has_left { "Left" } else { "Lost" };
                ("NodeGone", vec![("OtherNode", node), ("Why", why)])
            }
            ClusterEvent::KeeperChanged { keeper } => ("KeeperChanged", vec![("Keeper", keeper)]),
        };
        let headers = [("Node", &*node), ("Change", what)].into_iter().chain(more);
        let headers: Vec<(&str, &str)> = headers.collect();
        if !self.host().shutting_down() {
            self.host()
                .send_event(EventClass::System, c"UserPresenceClusterChange", &headers);
        }
        self.keeper_changed();
    }
}

/// The cluster of a run; dropping it leaves it.
#[must_use = "dropping it leaves the cluster"]
pub struct RunningCluster(Arc<Runtime>);

impl RunningCluster {
    /// Joins the cluster of the configuration, if it has one.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(runtime: Arc<Runtime>) -> std::io::Result<Self> {
        let cluster = RunningCluster(runtime);
        cluster.0.update_always(|world, _| {
            world.hold_versions(false);
            ((), Vec::new())
        });
        cluster.0.configure_cluster()?;
        Ok(cluster)
    }
}

impl Drop for RunningCluster {
    fn drop(&mut self) {
        self.0.clustering.stop();
    }
}

impl Runtime {
    /// The cluster in which this server shares its users.
    pub fn cluster(&self) -> &Clustering {
        &self.clustering
    }

    /// Has changes wait for the other nodes from now on, if the configuration has a cluster:
    /// before any source is read. While Asterisk itself starts, what is read is no news: see
    /// [`World::hold_versions`].
    pub(super) fn share_from_the_start(&self, world: &mut World) {
        let settings = world.directory().settings.cluster.clone();
        if let Some(settings) = settings {
            world.begin_sharing(self.clustering.identity(&settings), self.now());
            world.hold_versions(!self.host().fully_booted());
        }
    }

    /// Changes the world in parts until nothing is left: others have their turn in between.
    fn settle_in_parts(&self, part: impl Fn(&mut World, Time) -> Option<Vec<Effect>>) {
        let more = |world: &mut World, now| match part(world, now) {
            Some(effects) => (true, effects),
            None => (false, Vec::new()),
        };
        while self.update(more) == Some(true) {}
    }

    fn warn_of_doubtful(&self) {
        let doubtful = self.read(|world| world.is_in_doubt()) == Some(true);
        let key =
            doubtful.then(|| self.update_always(|world, _| (world.take_doubtful(), Vec::new())));
        if let Some(key) = key.flatten().flatten() {
            self.warn_once("etcd", "cluster value", || {
                format!(
                    "The value of the key '{}' in etcd cannot be right and is left alone, as are \
                     others like it: its time is more than a day ahead, or it is too large",
                    quoted(&key)
                )
            });
        }
    }

    fn configure_cluster(self: &Arc<Self>) -> std::io::Result<()> {
        let settings = self.read(|world| world.directory().settings.cluster.clone());
        let source: Arc<dyn SharedState> = self.clone();
        self.clustering
            .configure(settings.flatten().as_ref(), &source)
    }

    /// Takes over the cluster of another configuration.
    pub(super) fn reconfigure_cluster(self: &Arc<Self>) {
        if let Err(why) = self.configure_cluster() {
            log::error!("The cluster cannot be joined: {why}");
        }
    }
}
