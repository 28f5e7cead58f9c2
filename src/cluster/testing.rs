//! A store in memory in the place of etcd. It claims nothing of etcd's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use presence::config::Cluster;

use super::etcd::{Committed, Compare, Entry, EtcdError, Op, OpResult, WatchNews};
use super::{ChangeStream, Connector, Link};

/// What the store has.
#[derive(Default)]
pub struct FakeStore {
    /// The present revision.
    pub revision: i64,
    /// The keys.
    pub keys: BTreeMap<String, Entry>,
    /// Every change, in order.
    pub history: Vec<Entry>,
    /// The history before this is gone.
    pub compacted: i64,
    /// Leases, and when they end.
    pub leases: BTreeMap<i64, (Duration, Instant)>,
    last_lease: i64,
    /// How many commits were carried out.
    pub commits: usize,
    /// Commits without an answer, which are carried out when the test wants.
    pub late: Vec<(Vec<Compare>, Vec<Op>)>,
}

/// The store, shared by all nodes of a test.
#[derive(Default)]
pub struct FakeEtcd {
    store: Mutex<FakeStore>,
    news: Condvar,
}

impl FakeEtcd {
    /// Looks at the store, or changes it behind the nodes' backs.
    pub fn with<T>(&self, look: impl FnOnce(&mut FakeStore) -> T) -> T {
        let answer = look(&mut self.now());
        self.news.notify_all();
        answer
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<String> {
        self.with(|store| store.keys.get(key)?.value.clone())
    }

    /// The store after the leases that are over have ended.
    fn now(&self) -> MutexGuard<'_, FakeStore> {
        let mut store = self.store.lock().unwrap();
        let now = Instant::now();
        let leases = store.leases.iter();
        let over = leases
            .filter(|(_, (_, end))| *end <= now)
            .map(|(id, _)| *id);
        for lease in over.collect::<Vec<_>>() {
            store.end_lease(lease);
            self.news.notify_all();
        }
        store
    }
}

impl FakeStore {
    /// Writes a key, as another program.
    pub fn put(&mut self, key: &str, value: &str, lease: i64) {
        self.revision += 1;
        self.put_now(key, Some(value), lease);
    }

    fn put_now(&mut self, key: &str, value: Option<&str>, lease: i64) {
        let created = self.keys.get(key).map_or(self.revision, |it| it.created);
        let entry = Entry {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            revision: self.revision,
            created: if value.is_some() { created } else { 0 },
            lease,
        };
        match value {
            Some(_) => drop(self.keys.insert(key.to_owned(), entry.clone())),
            None if self.keys.remove(key).is_none() => return,
            None => {}
        }
        self.history.push(entry);
    }

    /// Ends a lease and deletes its keys.
    pub fn end_lease(&mut self, lease: i64) {
        if self.leases.remove(&lease).is_none() {
            return;
        }
        let keys = self.keys.values().filter(|it| it.lease == lease);
        let keys: Vec<String> = keys.map(|it| it.key.clone()).collect();
        if !keys.is_empty() {
            self.revision += 1;
        }
        for key in keys {
            self.put_now(&key, None, 0);
        }
    }

    fn holds(&self, compare: &Compare) -> bool {
        let get = |key: &String| self.keys.get(key);
        match compare {
            Compare::Absent { key } => get(key).is_none(),
            Compare::Revision { key, revision } => {
                get(key).map_or(0, |it| it.revision) == *revision
            }
            Compare::Created { key, revision } => get(key).map_or(0, |it| it.created) == *revision,
            Compare::Value { key, value } => {
                get(key).is_some_and(|it| it.value.as_ref() == Some(value))
            }
            Compare::Lease { key, lease } => get(key).map_or(0, |it| it.lease) == *lease,
        }
    }

    /// Carries out the commits without an answer.
    pub fn carry_out_late(&mut self) {
        for (guard, ops) in std::mem::take(&mut self.late) {
            self.commit(&guard, &ops);
        }
    }

    fn commit(&mut self, guard: &[Compare], ops: &[Op]) -> Committed {
        self.commits += 1;
        if !guard.iter().all(|compare| self.holds(compare)) {
            let entries = guard.iter().map(|compare| match compare {
                Compare::Absent { key }
                | Compare::Revision { key, .. }
                | Compare::Created { key, .. }
                | Compare::Value { key, .. }
                | Compare::Lease { key, .. } => self.keys.get(key).cloned(),
            });
            return Committed::Guarded {
                entries: entries.collect(),
            };
        }
        self.revision += 1;
        let results = ops.iter().map(|op| {
            let (Op::Put { key, seen, .. } | Op::Delete { key, seen }) = op else {
                let Op::DeleteAll { prefix } = op else {
                    unreachable!()
                };
                let keys = self.keys.keys().filter(|key| key.starts_with(prefix));
                for key in keys.cloned().collect::<Vec<_>>() {
                    self.put_now(&key, None, 0);
                }
                return OpResult::Written;
            };
            let found = self.keys.get(key).cloned();
            let revision = found.as_ref().map_or(0, |it| it.revision);
            if seen.is_some_and(|seen| seen != revision) {
                return OpResult::Differs(found);
            }
            match op {
                Op::Put { value, lease, .. } => self.put_now(key, Some(value), *lease),
                _ => self.put_now(key, None, 0),
            }
            OpResult::Written
        });
        let results = results.collect();
        Committed::Done {
            revision: self.revision,
            results,
        }
    }
}

/// One node's way to the store.
#[derive(Clone, Default)]
pub struct FakeConnector {
    /// The store.
    pub etcd: Arc<FakeEtcd>,
    /// Whether nothing answers.
    pub is_cut: Arc<AtomicBool>,
    /// Whether commits get no answer, and are carried out late.
    pub is_late: Arc<AtomicBool>,
    /// Whether the streams are silent, as those of a server that is gone.
    pub is_silent: Arc<AtomicBool>,
}

impl FakeConnector {
    /// Cuts the way, or mends it.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::Release);
        self.etcd.news.notify_all();
    }

    fn check(&self, stop: &AtomicBool) -> Result<MutexGuard<'_, FakeStore>, EtcdError> {
        if stop.load(Ordering::Acquire) {
            return Err(EtcdError::Stopped);
        }
        match self.is_cut.load(Ordering::Acquire) {
            true => Err(EtcdError::Unreachable("the test has cut the way".into())),
            false => Ok(self.etcd.now()),
        }
    }
}

impl Connector for FakeConnector {
    fn link(&self, _: &Arc<Cluster>, stop: &Arc<AtomicBool>) -> Box<dyn Link> {
        Box::new(FakeLink(self.clone(), stop.clone()))
    }

    fn watch(
        &self,
        _: &Arc<Cluster>,
        prefix: &str,
        from: i64,
        stop: &Arc<AtomicBool>,
    ) -> Result<Box<dyn ChangeStream>, EtcdError> {
        drop(self.check(stop)?);
        Ok(Box::new(FakeStream {
            to: self.clone(),
            stop: stop.clone(),
            prefix: prefix.to_owned(),
            from,
        }))
    }
}

struct FakeLink(FakeConnector, Arc<AtomicBool>);

impl Link for FakeLink {
    fn version(&mut self) -> Result<String, EtcdError> {
        self.0.check(&self.1).map(|_| "3.5.0".into())
    }

    fn range(&mut self, prefix: &str, each: &mut dyn FnMut(Entry)) -> Result<i64, EtcdError> {
        let store = self.0.check(&self.1)?;
        let found = store.keys.values().filter(|it| it.key.starts_with(prefix));
        found.cloned().for_each(each);
        Ok(store.revision)
    }

    fn range_at(
        &mut self,
        prefix: &str,
        revision: i64,
        each: &mut dyn FnMut(Entry),
    ) -> Result<(), EtcdError> {
        let store = self.0.check(&self.1)?;
        if revision < store.compacted {
            return Err(EtcdError::Compacted(store.compacted));
        }
        let mut then = BTreeMap::new();
        for entry in store.history.iter().filter(|it| it.revision <= revision) {
            then.insert(&entry.key, entry);
        }
        let found = then.values().filter(|it| it.value.is_some());
        let found = found.filter(|it| it.key.starts_with(prefix));
        found.map(|it| (*it).clone()).for_each(each);
        Ok(())
    }

    fn commit(&mut self, guard: &[Compare], ops: &[Op]) -> Result<Committed, EtcdError> {
        let mut store = self.0.check(&self.1)?;
        if self.0.is_late.load(Ordering::Acquire) {
            store.late.push((guard.to_vec(), ops.to_vec()));
            return Err(EtcdError::Unreachable("the answer is lost".into()));
        }
        let done = store.commit(guard, ops);
        drop(store);
        self.0.etcd.news.notify_all();
        Ok(done)
    }

    fn grant(&mut self, ttl: Duration) -> Result<i64, EtcdError> {
        let mut store = self.0.check(&self.1)?;
        store.last_lease += 1;
        let lease = store.last_lease;
        store.leases.insert(lease, (ttl, Instant::now() + ttl));
        Ok(lease)
    }

    fn keep_alive(&mut self, lease: i64) -> Result<bool, EtcdError> {
        let mut store = self.0.check(&self.1)?;
        let Some((ttl, end)) = store.leases.get_mut(&lease) else {
            return Ok(false);
        };
        *end = Instant::now() + *ttl;
        Ok(true)
    }

    fn revoke(&mut self, lease: i64) -> Result<(), EtcdError> {
        self.0.check(&self.1)?.end_lease(lease);
        self.0.etcd.news.notify_all();
        Ok(())
    }

    fn server(&self) -> String {
        "fake".into()
    }
}

struct FakeStream {
    to: FakeConnector,
    stop: Arc<AtomicBool>,
    prefix: String,
    from: i64,
}

impl ChangeStream for FakeStream {
    fn next(&mut self, deadline: Instant) -> Result<WatchNews, EtcdError> {
        loop {
            let store = self.to.check(&self.stop)?;
            if self.from < store.compacted {
                return Err(EtcdError::Compacted(store.compacted));
            }
            if store.revision >= self.from && !self.to.is_silent.load(Ordering::Acquire) {
                let events = store.history.iter();
                let events = events.filter(|it| it.revision >= self.from);
                let events = events.filter(|it| it.key.starts_with(&self.prefix));
                let news = WatchNews {
                    events: events.cloned().collect(),
                    revision: store.revision,
                };
                self.from = store.revision + 1;
                return Ok(news);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(WatchNews {
                    events: Vec::new(),
                    revision: self.from - 1,
                });
            }
            let step = left.min(Duration::from_millis(20));
            drop(self.to.etcd.news.wait_timeout(store, step).unwrap());
        }
    }
}
