//! The thread that reads what the store has, follows its changes, and takes them over at once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::etcd::{Entry, EtcdError, WatchNews};
use super::hub::{ClusterCounts, Hub};
use super::link::{ChangeStream, Link};
use super::nodes;
use super::record::{HEARD, KEEPER, NODES};
use super::status::{KeeperKey, Session};
use presence::world::SharedEntry;

/// How often the thread looks around while nothing changes.
const LOOK: Duration = Duration::from_millis(500);

/// How many changes are taken over at once: others wait for the lock meanwhile.
const TOGETHER: usize = 200;

/// How often the receiver looks whether the sender has asked.
const ASKING: Duration = Duration::from_millis(20);

/// The thread.
pub fn run(hub: &Arc<Hub>) {
    let mut last = 0;
    while let Some(session) = hub.next_session(last) {
        last = session.number;
        let mut receiver = ClusterReceiver {
            hub,
            link: hub.connector.link(&hub.settings, &session.over),
            session: &session,
            was_away: session.number > 1,
            pause: None,
        };
        while !session.is_over() && hub.with(|state| state.other_users.is_none()) {
            // A panic was logged: everything is read again.
            let done = catch_unwind(AssertUnwindSafe(|| receiver.follow_from_the_start()));
            match done {
                Ok(Ok(())) => {}
                Ok(Err(why)) => receiver.failed(&why.to_string()),
                Err(_) => receiver.failed("an error in the module itself"),
            }
        }
    }
}

struct ClusterReceiver<'a> {
    hub: &'a Hub,
    link: Box<dyn Link>,
    session: &'a Session,
    /// Whether this node was away before it read everything.
    was_away: bool,
    /// The pause before the last try, while something fails.
    pause: Option<Duration>,
}

impl ClusterReceiver<'_> {
    /// Notes what fails, and waits a moment.
    fn failed(&mut self, why: &str) {
        if self.session.is_over() {
            return;
        }
        ClusterCounts::add(&self.hub.counts.failures, 1);
        self.hub.with(|state| {
            state.receiver_fails = Some(why.to_owned());
            state.wants_look = true;
        });
        self.hub.bell.ring();
        let pause = self.hub.next_pause(self.pause);
        self.pause = Some(pause);
        self.hub.pause(self.session, pause);
    }

    /// All is well.
    fn works(&mut self) {
        self.pause = None;
        let is_news = self.hub.with(|state| {
            state.heard = Some(Instant::now());
            state.receiver_fails.take().is_some()
        });
        if is_news {
            self.hub.with(|state| state.wants_look = true);
            self.hub.bell.ring();
        }
    }

    /// Reads everything, and follows the changes until everything has to be read again, or the
    /// session ends.
    fn follow_from_the_start(&mut self) -> Result<(), EtcdError> {
        let Some(mut seen) = self.read_whole()? else {
            return Ok(());
        };
        let mut stream: Option<Box<dyn ChangeStream>> = None;
        while !self.session.is_over() {
            if self
                .hub
                .with(|state| std::mem::take(&mut state.wants_whole))
            {
                return Ok(());
            }
            nodes::end_awaiting(self.hub);
            self.hub.look_whether_alone(None);
            self.mend();
            let news = match &mut stream {
                Some(stream) => stream.next(Instant::now() + LOOK),
                None => match self.open(seen + 1) {
                    Ok(opened) => {
                        stream = Some(opened);
                        self.works();
                        continue;
                    }
                    Err(why) => Err(why),
                },
            };
            match news {
                Ok(news) => {
                    if !self.is_still_registered() {
                        return Ok(());
                    }
                    seen = news.revision.max(seen);
                    if self.arrived(seen) || !news.events.is_empty() {
                        self.works();
                    }
                    self.take(&news)?;
                    if self.is_silent() {
                        stream = None;
                    }
                }
                // It has missed something.
                Err(EtcdError::Compacted(_)) => return Ok(()),
                Err(EtcdError::Stopped) => return Ok(()),
                Err(why) => {
                    stream = None;
                    self.failed(&why.to_string());
                }
            }
        }
        Ok(())
    }

    fn open(&self, from: i64) -> Result<Box<dyn ChangeStream>, EtcdError> {
        let hub = self.hub;
        let prefix = &hub.settings.prefix;
        hub.connector
            .watch(&hub.settings, prefix, from, &self.session.over)
    }

    /// Notes that everything up to a revision has arrived; whether that is new.
    fn arrived(&self, seen: i64) -> bool {
        self.hub.with(|state| {
            state.lag.arrived(seen, Instant::now());
            let is_new = seen > state.revision;
            state.revision = state.revision.max(seen);
            is_new
        })
    }

    /// Whether this node has its lease. After a break nobody knows before the sender has asked:
    /// if it has ended, those of other nodes may have ended in the same break, and nothing is
    /// concluded from that.
    fn is_still_registered(&self) -> bool {
        while self.hub.is_silent() {
            if self.session.is_over() {
                return false;
            }
            self.hub.pause(self.session, ASKING);
        }
        !self.session.is_over()
    }

    /// Whether this node's own writes do not come back: the stream has died unnoticed.
    fn is_silent(&self) -> bool {
        let awaited = self.hub.with(|state| state.lag.awaited());
        let is_silent = awaited.is_some_and(|sent| sent.elapsed() > self.hub.beat());
        if is_silent {
            self.hub.with(|state| state.lag.forget());
        }
        is_silent
    }

    /// Reads everything and takes it over; the revision that was read. `None` if the session is
    /// over.
    fn read_whole(&mut self) -> Result<Option<i64>, EtcdError> {
        crate::trip("cluster whole");
        let begin = Instant::now();
        let mut entries: Vec<Entry> = Vec::new();
        let prefix = self.hub.settings.prefix.clone();
        let revision = match self.link.range(&prefix, &mut |entry| entries.push(entry)) {
            Ok(revision) => revision,
            Err(EtcdError::Stopped) => return Ok(None),
            // It took too long, and is done again.
            Err(why) => return Err(why),
        };
        if self.session.is_over() {
            return Ok(None);
        }
        nodes::set_all(self.hub, &entries, self.was_away);
        let keeper = entries.iter().find(|it| self.hub.path(&it.key) == KEEPER);
        nodes::set_keeper(self.hub, keeper.and_then(keeper_of));
        for entry in &entries {
            self.take_acknowledged(entry);
        }
        let shared: Vec<SharedEntry<'_>> = entries
            .iter()
            .map(|entry| self.shared(entry))
            .filter(|entry| is_shared(entry.path))
            .collect();
        let live = self.hub.with(|state| state.live());
        let read = begin.elapsed();
        let taken = self.hub.source.take_whole(&shared, &live);
        self.was_away = false;
        let is_taken = taken.is_ok();
        log::debug!(
            "{} keys of the cluster were read in {} ms and taken over in {} ms",
            shared.len(),
            read.as_millis(),
            (begin.elapsed() - read).as_millis()
        );
        self.hub.with(|state| {
            state.revision = state.revision.max(revision);
            match taken {
                Ok(()) => {
                    state.is_ready = !self.session.is_over();
                    state.heard = Some(Instant::now());
                }
                Err(others) => state.other_users = Some(others.users),
            }
            state.wants_look = true;
        });
        self.hub.bell.ring();
        Ok(is_taken.then_some(revision))
    }

    fn shared<'a>(&self, entry: &'a Entry) -> SharedEntry<'a> {
        SharedEntry {
            path: self.hub.path(&entry.key),
            value: entry.value.as_deref(),
            revision: entry.revision,
        }
    }

    /// Takes over changes in their order: those of users together, as far as no node comes or
    /// goes in between.
    fn take(&mut self, news: &WatchNews) -> Result<(), EtcdError> {
        crate::trip("cluster news");
        ClusterCounts::add(&self.hub.counts.received, news.events.len());
        let own = format!("{HEARD}{}/", self.hub.me.name);
        let mut together: Vec<SharedEntry<'_>> = Vec::new();
        for entry in &news.events {
            if self.session.is_over() {
                return Ok(());
            }
            let shared = self.shared(entry);
            if is_shared(shared.path) {
                // What this node hears it knows best itself.
                match shared.path.starts_with(&own) {
                    true => self.came_back(shared.path, entry.revision),
                    false => together.push(shared),
                }
                if together.len() == TOGETHER {
                    self.flush(&mut together);
                }
                continue;
            }
            self.flush(&mut together);
            if let Some(name) = shared.path.strip_prefix(NODES) {
                match &entry.value {
                    Some(value) => {
                        if nodes::written(self.hub, name, value) {
                            self.read_heard(name, entry.revision)?;
                        }
                    }
                    None => nodes::deleted(self.hub, name),
                }
            } else if shared.path == KEEPER {
                nodes::set_keeper(self.hub, keeper_of(entry));
            } else {
                self.take_acknowledged(entry);
            }
        }
        self.flush(&mut together);
        Ok(())
    }

    fn came_back(&self, path: &str, revision: i64) {
        let now = Instant::now();
        self.hub
            .with(|state| state.echo.came_back(path, revision, now));
    }

    /// Has this node's own keys written again that an old write has overtaken.
    fn mend(&self) {
        let Some(before) = Instant::now().checked_sub(self.hub.beat()) else {
            return;
        };
        let strangers = self.hub.with(|state| state.echo.strangers(before));
        if !strangers.is_empty() {
            let paths: Vec<&str> = strangers.iter().map(String::as_str).collect();
            self.hub.source.put_back(&paths);
            self.hub.bell.ring();
        }
    }

    fn flush(&self, together: &mut Vec<SharedEntry<'_>>) {
        if !together.is_empty() {
            self.hub.source.take_changes(together);
            together.clear();
        }
    }

    /// Reads what a node hears that has come back: at the revision of its registration, so that
    /// the changes after it follow.
    fn read_heard(&mut self, node: &str, revision: i64) -> Result<(), EtcdError> {
        let prefix = self.hub.key(&format!("{HEARD}{node}/"));
        let mut entries = Vec::new();
        let read = self
            .link
            .range_at(&prefix, revision, &mut |entry| entries.push(entry));
        read?;
        let shared: Vec<SharedEntry<'_>> = entries.iter().map(|it| self.shared(it)).collect();
        if !shared.is_empty() {
            self.hub.source.take_changes(&shared);
        }
        Ok(())
    }

    fn take_acknowledged(&self, entry: &Entry) {
        let path = self.hub.path(&entry.key);
        self.hub.take_acknowledged(path, entry.value.as_deref());
    }
}

/// Whether a key is a user's, an address's, or what a node hears.
fn is_shared(path: &str) -> bool {
    let is_below = |part: &&str| path.starts_with(*part);
    path.starts_with(HEARD) || super::record::REGISTERS.iter().any(is_below)
}

fn keeper_of(entry: &Entry) -> Option<KeeperKey> {
    Some(KeeperKey {
        name: entry.value.as_deref()?.into(),
        lease: entry.lease,
        revision: entry.revision,
    })
}
