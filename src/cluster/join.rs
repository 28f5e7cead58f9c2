//! How a node joins: it makes sure of the store, registers with a lease, and reads the clocks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::etcd::{Committed, Compare, Entry, EtcdError, MOST_OPS, Op};
use super::hub::Hub;
use super::link::Link;
use super::record::{CLUSTER, ClusterRecord, FORMAT, HEARD, NODES, NodeRecord, PEOPLE};
use presence::Time;
use presence::account::uuid_of;
use presence::model::text::{self, quoted};

/// How long the clocks of other nodes are waited for: each writes its own as soon as it sees a
/// new node.
const CLOCKS: Duration = Duration::from_secs(1);

/// How often it is looked meanwhile whether to stop.
const LOOK: Duration = Duration::from_millis(100);

/// The beginning of 2025 in Unix microseconds: the clock of a server without a battery is earlier
/// until it is set.
const EARLIEST: u64 = 1_735_689_600_000_000;

/// How many users are looked for at once.
const TOGETHER: usize = 500;

/// The name under which the cluster's id is remembered.
const ID: &str = "id";

/// Why a session ends, or does not begin.
#[derive(PartialEq, Eq, Debug)]
pub enum SessionEnd {
    /// The threads have to leave.
    Stopped,
    /// It begins anew, at once.
    Again,
    /// The store cannot be reached.
    Lost(String),
    /// Only a person can change that.
    Refused(String),
}

impl From<EtcdError> for SessionEnd {
    fn from(why: EtcdError) -> Self {
        match why {
            EtcdError::Stopped => SessionEnd::Stopped,
            EtcdError::Compacted(_) | EtcdError::LeaseEnded => SessionEnd::Again,
            EtcdError::Refused(why) | EtcdError::TooOld(why) => SessionEnd::Refused(why),
            EtcdError::Unreachable(_) | EtcdError::NoLeader => SessionEnd::Lost(why.to_string()),
        }
    }
}

/// A registration of this node.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    /// Its lease.
    pub lease: i64,
    /// The revision of its key.
    pub revision: i64,
    /// When its lease was granted or renewed last.
    pub alive: Instant,
}

/// Joins the cluster. `knows`: whether this run was registered before; then its keys are there
/// still, and another node with its name has taken it over.
pub fn join(hub: &Hub, link: &mut dyn Link, knows: bool) -> Result<Registration, SessionEnd> {
    link.version()?;
    agree_on_cluster(hub, link)?;
    let (registration, others) = register(hub, link, knows)?;
    if others > 0 {
        read_clocks(hub, registration.revision, others)?;
    }
    Ok(registration)
}

/// Reads one key.
fn read(link: &mut dyn Link, key: &str) -> Result<Option<Entry>, EtcdError> {
    let mut found = None;
    link.range(key, &mut |entry| {
        if entry.key == key {
            found = Some(entry);
        }
    })?;
    Ok(found)
}

/// Makes sure that the keys below the prefix are this module's, or that there is none.
fn agree_on_cluster(hub: &Hub, link: &mut dyn Link) -> Result<(), SessionEnd> {
    let key = hub.key(CLUSTER);
    let known = match read(link, &key)?.and_then(|entry| entry.value) {
        Some(known) => known,
        None => create(hub, link, &key)?,
    };
    let known = serde_json::from_str::<ClusterRecord>(&known).ok();
    let Some(known) = known.filter(|known| text::check(&known.id).is_ok()) else {
        return Err(SessionEnd::Refused(format!(
            "the key '{key}' of etcd belongs to another program; choose another 'prefix'"
        )));
    };
    if known.format > FORMAT {
        return Err(SessionEnd::Refused(format!(
            "the keys below '{}' were written by a newer version of this module (format {}, \
             expected {FORMAT}); update this one",
            hub.settings.prefix, known.format
        )));
    }
    let before = hub.source.recall(ID);
    if before.as_ref() == Some(&known.id) {
        return Ok(());
    }
    // Before the other nodes hear of this one.
    check_users(hub, link)?;
    if before.is_some() {
        log::warn!(
            "etcd has lost the data below '{}', or is another etcd than before: this node writes \
             what it knows",
            hub.settings.prefix
        );
    }
    hub.source.remember(ID, &known.id);
    Ok(())
}

/// Makes sure that this node has one of the users of the store.
fn check_users(hub: &Hub, link: &mut dyn Link) -> Result<(), SessionEnd> {
    // A few people are found soon in a store that has all of them.
    let some = hub.source.some_people(MOST_OPS);
    let absent: Vec<Compare> = some
        .iter()
        .map(|path| Compare::Absent { key: hub.key(path) })
        .collect();
    if let Committed::Guarded { .. } = link.commit(&absent, &[])? {
        return Ok(());
    }
    let mut paths = Vec::new();
    link.range(&hub.key(PEOPLE), &mut |entry| {
        paths.push(hub.path(&entry.key).to_owned());
    })?;
    match paths.len() {
        0 => Ok(()),
        users => {
            // A few at a time: others wait for the lock meanwhile.
            let are_others = |some: &[String]| hub.source.unknown(some).len() == some.len();
            match paths.chunks(TOGETHER).all(are_others) {
                true => Err(other_users(hub, users)),
                false => Ok(()),
            }
        }
    }
}

/// The store belongs to other users.
pub fn other_users(hub: &Hub, users: usize) -> SessionEnd {
    let others = match users {
        1 => "another user, who is not configured here".to_owned(),
        many => format!("{many} other users, none of them configured here"),
    };
    SessionEnd::Refused(format!(
        "the keys below '{}' belong to {others}; choose another 'prefix', or delete them",
        hub.settings.prefix
    ))
}

/// Makes the cluster's key in an empty store; its value, which another node may have made.
fn create(hub: &Hub, link: &mut dyn Link, key: &str) -> Result<String, SessionEnd> {
    let mut other = None;
    link.range(&hub.settings.prefix, &mut |entry| {
        other.get_or_insert(entry.key);
    })?;
    // A node may have been faster.
    if let Some(other) = other.filter(|other| !hub.path(other).starts_with(CLUSTER)) {
        return Err(SessionEnd::Refused(format!(
            "the keys below '{}' are not those of a cluster: '{}' is there without '{key}'; choose \
             another 'prefix', or delete them",
            hub.settings.prefix,
            quoted(&other)
        )));
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|why| SessionEnd::Lost(why.to_string()))?;
    let record = ClusterRecord {
        format: FORMAT,
        id: uuid_of(bytes),
    };
    let value = json(&record);
    let absent = Compare::Absent {
        key: key.to_owned(),
    };
    let put = Op::Put {
        key: key.to_owned(),
        value: value.clone(),
        lease: 0,
        seen: None,
    };
    match link.commit(&[absent], &[put])? {
        Committed::Done { .. } => Ok(value),
        Committed::Guarded { entries } => {
            let made = entries.into_iter().flatten().find_map(|entry| entry.value);
            made.ok_or(SessionEnd::Again)
        }
    }
}

/// Registers; also how many other nodes are there.
fn register(
    hub: &Hub,
    link: &mut dyn Link,
    knows: bool,
) -> Result<(Registration, usize), SessionEnd> {
    let key = hub.node_key(&hub.me.name);
    let (mut mine, mut others) = (None, 0);
    link.range(&hub.key(NODES), &mut |entry| match entry.key == key {
        true => mine = Some(entry),
        false => others += 1,
    })?;
    let known = mine.as_ref().and_then(|entry| entry.value.as_deref());
    let known = known.map(|value| serde_json::from_str::<NodeRecord>(value).unwrap_or_default());
    if let Some(known) = &known {
        let other = known.instance != hub.instance;
        let replaced = knows && known.boot != *hub.me.boot;
        if other || replaced {
            return Err(SessionEnd::Refused(taken(hub, known, replaced)));
        }
    }
    let asked = Instant::now();
    let lease = link.grant(hub.settings.node_timeout)?;
    let guard = Compare::Revision {
        key: key.clone(),
        revision: mine.as_ref().map_or(0, |entry| entry.revision),
    };
    let mut ops = vec![Op::Put {
        key,
        value: json(&hub.record()),
        lease,
        seen: None,
    }];
    if !knows {
        // What an earlier run has heard.
        ops.push(Op::DeleteAll {
            prefix: hub.key(&format!("{HEARD}{}/", hub.me.name)),
        });
    }
    match link.commit(&[guard], &ops)? {
        Committed::Done { revision, .. } => {
            let registration = Registration {
                lease,
                revision,
                alive: asked,
            };
            Ok((registration, others))
        }
        // It has changed meanwhile: looked at again.
        Committed::Guarded { .. } => {
            let _ = link.revoke(lease);
            Err(SessionEnd::Lost(
                "its registration was changed at the same moment".to_owned(),
            ))
        }
    }
}

/// Why this node cannot have its name.
fn taken(hub: &Hub, by: &NodeRecord, replaced: bool) -> String {
    let (name, host) = (&hub.me.name, quoted(&by.host));
    match replaced {
        true => format!(
            "its registration as '{name}' was replaced by another one from host '{host}'. Is this \
             server's AstDB a copy of that one's? Then delete its key UserPresence/cluster/instance, \
             set another 'node' in the section of type = cluster, and load the module anew"
        ),
        false => format!(
            "the name '{name}' is taken by the server on host '{host}', which is alive; set another \
             'node' in the section of type = cluster of one of them"
        ),
    }
}

/// Waits for the clocks of the other nodes, so that the first exchange has the right time.
fn read_clocks(hub: &Hub, registered: i64, others: usize) -> Result<(), SessionEnd> {
    hub.with(|state| state.clocks.forget_all());
    let prefix = hub.key(NODES);
    let mut stream = hub
        .connector
        .watch(&hub.settings, &prefix, registered + 1, &hub.cancel)?;
    let until = Instant::now() + CLOCKS;
    let mut read: Vec<Arc<str>> = Vec::new();
    while read.len() < others && !hub.is_stopping() && Instant::now() < until {
        let news = stream.next(until.min(Instant::now() + LOOK))?;
        let now = Time::now();
        for entry in news.events {
            let name: Arc<str> = entry.key.strip_prefix(&*prefix).unwrap_or_default().into();
            let record = entry.value.as_deref();
            let record = record.and_then(|it| serde_json::from_str::<NodeRecord>(it).ok());
            let Some(record) = record.filter(|_| name != hub.me.name) else {
                continue;
            };
            if let Some(ahead) = difference(record.clock, now) {
                hub.with(|state| state.clocks.note(&name, ahead));
            }
            if !read.contains(&name) {
                read.push(name);
            }
        }
    }
    correct_clock(hub);
    Ok(())
}

/// By how many microseconds a clock is ahead; `None` for one that was never set, or that cannot be
/// read.
pub fn difference(clock: u64, now: Time) -> Option<i64> {
    if clock < EARLIEST {
        return None;
    }
    let wide = i128::from(clock) - i128::from(now.micros());
    i64::try_from(wide).ok()
}

/// Corrects this node's clock if the others' say so.
pub fn correct_clock(hub: &Hub) {
    let Some(offset) = hub.with(|state| state.clocks.correct()) else {
        return;
    };
    let seconds = offset as f64 / 1e6;
    match offset {
        0 => log::info!("The clock of this server agrees with those of the cluster's nodes again"),
        _ => log::warn!(
            "The clock of this server is {:.1} s {} those of the cluster's nodes; the module goes \
             by theirs. Keep the clocks by NTP",
            seconds.abs(),
            if offset < 0 { "ahead of" } else { "behind" }
        ),
    }
    hub.source.correct_clock(offset);
}

/// Plain structs of texts and numbers always serialise.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
