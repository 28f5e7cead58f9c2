//! The threads of several nodes, on a store in memory and with users of the test.

mod breaks;
mod refusals;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::record::NodeRecord;
use super::testing::{FakeConnector, FakeEtcd};
use super::{ClusterEvent, ClusterView, Clustering, NodeFacts, SharedState, Standing};
use presence::Time;
use presence::config::Cluster;
use presence::world::{NodeIdentity, OtherUsers, SharedEntry, SharedWrite};

/// A node's time out: short, so that leases end soon.
const TIMEOUT: Duration = Duration::from_millis(600);

/// A register of the test: a version and a text.
type Value = (u64, String);

/// The users of one node.
#[derive(Default)]
struct Users {
    values: BTreeMap<String, Value>,
    seen: BTreeMap<String, i64>,
    waiting: BTreeSet<String>,
    live: BTreeSet<String>,
    heard: BTreeMap<String, String>,
}

#[derive(Default)]
struct FakeUsers {
    users: Mutex<Users>,
    remembered: Mutex<BTreeMap<String, String>>,
    events: Mutex<Vec<ClusterEvent>>,
    offset: AtomicI64,
    wholes: AtomicUsize,
    digest: Mutex<String>,
    /// How far the receivers of webhooks are.
    far: Mutex<Vec<(String, String)>>,
    /// How often the keeper may be another one.
    turns: AtomicUsize,
}

impl FakeUsers {
    fn value(&self, path: &str) -> Option<String> {
        let users = self.users.lock();
        users.values.get(path).map(|(_, text)| text.clone())
    }

    fn heard(&self, path: &str) -> Option<String> {
        self.users.lock().heard.get(path).cloned()
    }

    fn merge(users: &mut Users, entry: &SharedEntry<'_>) {
        if entry.path.starts_with("heard/") {
            let node = entry.path.split('/').nth(1).unwrap();
            match entry.value.filter(|_| users.live.contains(node)) {
                Some(value) => users.heard.insert(entry.path.to_owned(), value.to_owned()),
                None => users.heard.remove(entry.path),
            };
            return;
        }
        let seen = users.seen.entry(entry.path.to_owned()).or_default();
        *seen = entry.revision.max(*seen);
        let Some(value) = entry.value else {
            users.seen.remove(entry.path);
            if users.values.contains_key(entry.path) {
                users.waiting.insert(entry.path.to_owned());
            }
            return;
        };
        let (version, text) = value.split_once(' ').unwrap();
        let theirs = (version.parse().unwrap(), text.to_owned());
        let mine = users.values.get(entry.path).cloned();
        match mine {
            Some(mine) if mine > theirs => drop(users.waiting.insert(entry.path.to_owned())),
            _ => drop(users.values.insert(entry.path.to_owned(), theirs)),
        }
    }
}

impl SharedState for FakeUsers {
    fn begin(&self, _: NodeIdentity) {}

    fn end(&self) {}

    fn take_whole(
        &self,
        entries: &[SharedEntry<'_>],
        live: &[NodeIdentity],
    ) -> Result<(), OtherUsers> {
        self.wholes.fetch_add(1, Ordering::Relaxed);
        let mut users = self.users.lock();
        let others = entries
            .iter()
            .filter(|it| it.path.starts_with("person/other"));
        let others = others.count();
        if others > 0 {
            return Err(OtherUsers { users: others });
        }
        users.live = live.iter().map(|node| node.name.to_string()).collect();
        users.seen.clear();
        users.heard.clear();
        for entry in entries {
            Self::merge(&mut users, entry);
        }
        let there: BTreeSet<&str> = entries.iter().map(|entry| entry.path).collect();
        let missing = users.values.keys().filter(|path| !there.contains(&***path));
        let missing: Vec<String> = missing.cloned().collect();
        users.waiting.extend(missing);
        Ok(())
    }

    fn take_changes(&self, entries: &[SharedEntry<'_>]) {
        let mut users = self.users.lock();
        for entry in entries {
            Self::merge(&mut users, entry);
        }
    }

    fn node_here(&self, node: NodeIdentity) {
        self.users.lock().live.insert(node.name.to_string());
    }

    fn node_gone(&self, name: &str) {
        let mut users = self.users.lock();
        users.live.remove(name);
        let below = format!("heard/{name}/");
        users.heard.retain(|path, _| !path.starts_with(&below));
    }

    fn wants_whole(&self) -> bool {
        true
    }

    fn take_writes(&self, most: usize) -> Vec<SharedWrite> {
        let mut users = self.users.lock();
        let paths: Vec<String> = users.waiting.iter().take(most).cloned().collect();
        let writes = paths.into_iter().map(|path| {
            users.waiting.remove(&path);
            let (version, text) = users.values[&path].clone();
            SharedWrite {
                value: Some(format!("{version} {text}")),
                seen: users.seen.get(&path).copied().unwrap_or_default(),
                is_register: !path.starts_with("heard/"),
                path,
            }
        });
        writes.collect()
    }

    fn written(&self, written: &[(&str, i64)]) {
        let mut users = self.users.lock();
        for (path, revision) in written {
            let seen = users.seen.entry((*path).to_owned()).or_default();
            *seen = (*revision).max(*seen);
        }
    }

    fn put_back(&self, paths: &[&str]) {
        let paths = paths.iter().map(|path| (*path).to_owned());
        self.users.lock().waiting.extend(paths);
    }

    fn waiting(&self) -> usize {
        self.users.lock().waiting.len()
    }

    fn some_people(&self, _: usize) -> Vec<String> {
        vec!["person/alice".into()]
    }

    fn unknown(&self, paths: &[String]) -> Vec<String> {
        let other = |path: &&String| path.contains("removed") || path.contains("other");
        let unknown = paths.iter().filter(other);
        unknown.cloned().collect()
    }

    fn correct_clock(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }

    fn now(&self) -> Time {
        Time::now()
    }

    fn acknowledged(&self) -> Vec<(String, String)> {
        self.far.lock().clone()
    }

    fn keeper_changed(&self) {
        self.turns.fetch_add(1, Ordering::Relaxed);
    }

    fn facts(&self) -> NodeFacts {
        NodeFacts {
            users: 1,
            digest: self.digest.lock().clone(),
        }
    }

    fn host_name(&self) -> String {
        "host.example.com".into()
    }

    fn recall(&self, name: &str) -> Option<String> {
        self.remembered.lock().get(name).cloned()
    }

    fn remember(&self, name: &str, text: &str) {
        let mut remembered = self.remembered.lock();
        remembered.insert(name.to_owned(), text.to_owned());
    }

    fn report(&self, event: &ClusterEvent) {
        self.events.lock().push(event.clone());
    }
}

/// A node of the test.
struct TestNode {
    name: &'static str,
    users: Arc<FakeUsers>,
    way: FakeConnector,
    cluster: Clustering,
}

impl TestNode {
    fn new(name: &'static str, etcd: &Arc<FakeEtcd>) -> Self {
        TestNode::again(name, etcd, Arc::default())
    }

    /// A node with what it had before.
    fn again(name: &'static str, etcd: &Arc<FakeEtcd>, users: Arc<FakeUsers>) -> Self {
        let way = FakeConnector {
            etcd: etcd.clone(),
            ..FakeConnector::default()
        };
        let node = TestNode {
            name,
            users,
            cluster: Clustering::new(Arc::new(way.clone())),
            way,
        };
        let source: Arc<dyn SharedState> = node.users.clone();
        let settings = Arc::new(Cluster {
            servers: vec!["http://127.0.0.1:2379".into()],
            node: name.into(),
            prefix: "/test/".into(),
            node_timeout: TIMEOUT,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            username: None,
            password: None,
        });
        node.cluster.configure(Some(&settings), &source).unwrap();
        node
    }

    fn set(&self, path: &str, version: u64, text: &str) {
        let mut users = self.users.users.lock();
        let value = (version, text.to_owned());
        users.values.insert(path.to_owned(), value);
        users.waiting.insert(path.to_owned());
        drop(users);
        self.cluster.wake();
    }

    fn view(&self) -> ClusterView {
        self.cluster.view().unwrap()
    }

    fn is_joined(&self) -> bool {
        matches!(self.view().standing, Standing::Joined(_))
    }

    fn until_joined(&self) {
        wait_for(&format!("'{}' to join", self.name), || self.is_joined());
    }

    fn until(&self, path: &str, text: &str) {
        wait_for(
            &format!("'{path}' to be '{text}' at '{}'", self.name),
            || self.users.value(path).as_deref() == Some(text),
        );
    }

    fn has_event(&self, event: &ClusterEvent) -> bool {
        self.users.events.lock().contains(event)
    }

    /// Goes without a word, as a process that is killed.
    fn kill(self) -> Arc<FakeUsers> {
        self.way.cut(true);
        self.cluster.stop();
        self.users
    }
}

fn gone(node: &str) -> ClusterEvent {
    ClusterEvent::NodeGone {
        node: node.into(),
        has_left: false,
    }
}

fn wait_for(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_so() {
        assert!(Instant::now() < until, "waited for {what} in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn pair() -> (Arc<FakeEtcd>, TestNode, TestNode) {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    let b = TestNode::new("b", &etcd);
    b.until_joined();
    (etcd, a, b)
}

#[test]
fn a_change_reaches_the_other_node_and_the_later_one_stays() {
    let (etcd, a, b) = pair();
    a.set("person/alice", 5, "away");
    b.until("person/alice", "away");
    b.set("person/alice", 9, "chat");
    a.until("person/alice", "chat");
    // An older choice, written later: what is newer is written again.
    a.set("person/alice", 7, "xa");
    wait_for("the store", || {
        etcd.value("/test/person/alice").as_deref() == Some("9 chat")
    });
    a.until("person/alice", "chat");
    wait_for("the keeper", || a.cluster.is_keeper());
    assert!(!b.cluster.is_keeper());
    let view = b.view();
    assert_eq!(view.keeper.as_deref(), Some("a"));
    assert_eq!(view.nodes.len(), 2);
    assert!(view.lag.0.is_some(), "{view:?}");
    assert!(a.has_event(&ClusterEvent::NodeHere {
        node: "b".into(),
        host: "host.example.com".into(),
    }));
}

#[test]
fn many_changes_take_few_transactions() {
    let (etcd, a, b) = pair();
    let before = etcd.with(|store| store.commits);
    for user in 0..2000 {
        a.set(&format!("person/u{user}"), 1, "away");
    }
    b.until("person/u1999", "away");
    wait_for("all of them", || b.users.users.lock().values.len() == 2000);
    let commits = etcd.with(|store| store.commits) - before;
    assert!(commits < 1000, "{commits}");
}

#[test]
fn the_clock_follows_the_others_before_the_first_exchange() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    // Two nodes an hour behind answer as soon as there is a new one.
    let beat = |name: &str| {
        let record = NodeRecord {
            boot: name.into(),
            clock: Time::now().micros() - 3_600_000_000,
            ..NodeRecord::default()
        };
        let json = serde_json::to_string(&record).unwrap();
        etcd.with(|store| store.put(&format!("/test/node/{name}"), &json, 0));
    };
    beat("b");
    beat("c");
    beat("b");
    wait_for("the correction", || {
        a.users.offset.load(Ordering::Relaxed) < 0
    });
    let offset = a.users.offset.load(Ordering::Relaxed);
    assert!(
        (-3_601_000_000..-3_599_000_000).contains(&offset),
        "{offset}"
    );
    let view = a.view();
    assert_eq!(view.offset, offset);
}

#[test]
fn a_panic_in_taking_over_is_survived() {
    let etcd = Arc::new(FakeEtcd::default());
    let a = TestNode::new("a", &etcd);
    a.until_joined();
    // The test's users cannot read it.
    etcd.with(|store| store.put("/test/person/alice", "nonsense", 0));
    wait_for("the trouble", || {
        let view = a.view();
        view.counts.failures > 0
    });
    etcd.with(|store| store.put("/test/person/alice", "3 away", 0));
    a.until("person/alice", "away");
    a.until_joined();
}

#[test]
fn how_far_a_receiver_is_is_known_to_the_next_keeper() {
    let (etcd, a, b) = pair();
    let own = |node: &TestNode| match node.cluster.turn() {
        Some(super::Turn::Own(turn)) => Some(turn),
        _ => None,
    };
    wait_for("the turn of a", || own(&a).is_some());
    assert_eq!(b.cluster.turn(), Some(super::Turn::Other(Some("a".into()))));
    let note = |node: &TestNode, text: &str| {
        *node.users.far.lock() = vec![("crm".to_owned(), text.to_owned())];
    };
    let is_noted = |text: &str| etcd.value("/test/acknowledged/crm").as_deref() == Some(text);
    // Another node's word counts for nothing.
    note(&b, "wrong");
    note(&a, "five");
    wait_for("the key", || is_noted("five"));
    // The last word, at the end.
    note(&a, "six");
    let (first, turns) = (own(&a).unwrap(), b.users.turns.load(Ordering::Relaxed));
    b.users.far.lock().clear();
    a.cluster.stop();
    assert!(is_noted("six"));
    wait_for("the turn of b", || own(&b).is_some());
    assert!(own(&b).unwrap() > first);
    assert!(b.users.turns.load(Ordering::Relaxed) > turns);
    assert_eq!(b.cluster.acknowledged("crm").as_deref(), Some("six"));
}

#[test]
fn a_node_knows_when_the_others_could_not_know_of_its_changes() {
    let (_etcd, a, b) = pair();
    wait_for("the first exchange", || {
        let apart = a.cluster.apart();
        apart.len() == 1 && apart[0].1 <= Time::now()
    });
    let begin = Time::now();
    a.way.cut(true);
    wait_for("a to be alone", || {
        matches!(a.view().standing, Standing::Alone(_))
    });
    assert!(a.cluster.concludes());
    assert_eq!(a.cluster.turn(), Some(super::Turn::Other(None)));
    a.set("person/alice", 3, "away");
    assert_eq!(a.cluster.apart().len(), 2);
    assert!(a.cluster.apart()[1].0 <= begin.after(TIMEOUT));
    a.way.cut(false);
    b.until("person/alice", "away");
    wait_for("the end of it", || a.cluster.apart()[1].1 <= Time::now());
}
