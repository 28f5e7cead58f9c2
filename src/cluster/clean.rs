//! What the keeper deletes: registers of users and addresses that no node has any more, and what
//! nodes heard that have gone.
//!
//! A node that was away with an older configuration writes a deleted register again when it
//! comes back. That harms nobody: the others do not know the user.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::etcd::{Committed, Compare, MOST_OPS, Op};
use super::hub::Hub;
use super::record::{HEARD, NODES, REGISTERS};

/// How often the keeper looks while no configuration changes.
const OFTEN: Duration = Duration::from_secs(3600);

/// How long all nodes must have had the same configuration.
const SETTLED: Duration = Duration::from_secs(60);

/// The keeper's clean-up, from time to time in a thread of its own: it reads many keys.
#[derive(Default)]
pub struct Cleaning {
    /// The configuration that all nodes have had, and since when.
    agreed: Option<(String, Instant)>,
    /// When it was done last, and with which configuration.
    done: Option<(String, Instant)>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// Whether the thread has to end.
    cancel: Arc<AtomicBool>,
}

impl Cleaning {
    /// Cleans up if it is time to. `guard` holds while this node is registered.
    pub fn go_on(&mut self, hub: &Arc<Hub>, guard: &Compare) {
        if self.thread.as_ref().is_some_and(|it| !it.is_finished()) {
            return;
        }
        self.thread = None;
        let agreed = agreed(hub).filter(|_| hub.is_keeper());
        let Some(digest) = agreed else {
            self.agreed = None;
            return;
        };
        let since = match &self.agreed {
            Some((known, since)) if *known == digest => *since,
            _ => {
                self.agreed = Some((digest, Instant::now()));
                return;
            }
        };
        let is_done = self
            .done
            .as_ref()
            .is_some_and(|(known, at)| *known == digest && at.elapsed() < OFTEN);
        if is_done || since.elapsed() < SETTLED {
            return;
        }
        self.done = Some((digest, Instant::now()));
        let (hub, guard, cancel) = (hub.clone(), guard.clone(), self.cancel.clone());
        let thread = std::thread::Builder::new().name("userpresence-cc".into());
        // Without a thread it is done the next time.
        self.thread = thread.spawn(move || clean_up(&hub, &guard, &cancel)).ok();
    }

    /// Ends it, and waits for the thread.
    pub fn stop(&mut self) {
        self.cancel.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in it was logged when it happened.
            let _ = thread.join();
        }
    }
}

/// The digest of the configuration, if all nodes have the same.
pub(super) fn agreed(hub: &Hub) -> Option<String> {
    let own = hub.source.facts().digest;
    let all_same = hub.with(|state| {
        let mut here = state.nodes.values();
        here.all(|node| node.awaited.is_none() && (!node.is_here || node.record.digest == own))
    });
    all_same.then_some(own)
}

pub(super) fn clean_up(hub: &Hub, guard: &Compare, cancel: &Arc<AtomicBool>) {
    let mut link = hub.connector.link(&hub.settings, cancel);
    let mut deleted = 0;
    for part in REGISTERS {
        let mut found = Vec::new();
        let prefix = hub.key(part);
        let read = link.range(&prefix, &mut |entry| {
            found.push((hub.path(&entry.key).to_owned(), entry.revision));
        });
        if read.is_err() {
            return;
        }
        for some in found.chunks(MOST_OPS) {
            let paths: Vec<String> = some.iter().map(|(path, _)| path.clone()).collect();
            let unknown = hub.source.unknown(&paths);
            let gone = some.iter().filter(|(path, _)| unknown.contains(path));
            let ops: Vec<Op> = gone
                .map(|(path, revision)| Op::Delete {
                    key: hub.key(path),
                    seen: Some(*revision),
                })
                .collect();
            if ops.is_empty() {
                continue;
            }
            if hub.is_stopping() || !hub.is_keeper() {
                return;
            }
            match link.commit(std::slice::from_ref(guard), &ops) {
                Ok(Committed::Done { .. }) => deleted += ops.len(),
                _ => return,
            }
        }
    }
    if deleted > 0 {
        log::debug!(
            "{deleted} keys of users and extensions that no node has were deleted from etcd"
        );
    }
    let mut heard = std::collections::BTreeSet::new();
    let read = link.range(&hub.key(HEARD), &mut |entry| {
        let path = hub.path(&entry.key).strip_prefix(HEARD);
        let node = path.and_then(|path| path.split('/').next());
        heard.extend(node.map(str::to_owned));
    });
    if read.is_err() {
        return;
    }
    let live = hub.with(|state| state.live());
    heard.retain(|node| live.iter().all(|it| *it.name != **node));
    for node in heard {
        let is_gone = Compare::Absent {
            key: hub.key(&format!("{NODES}{node}")),
        };
        let delete = Op::DeleteAll {
            prefix: hub.key(&format!("{HEARD}{node}/")),
        };
        if link.commit(&[guard.clone(), is_gone], &[delete]).is_err() {
            return;
        }
    }
}
