//! Which nodes are there, and which is the keeper, as the receiver learns it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::etcd::Entry;
use super::hub::Hub;
use super::join::{correct_clock, difference};
use super::record::NodeRecord;
use super::source::ClusterEvent;
use super::status::{KeeperKey, KnownNode, Standing};
use presence::Time;
use presence::config::is_node_name;
use presence::model::text::quoted;
use presence::world::NodeIdentity;

/// How a node stood before its registration was written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Arrival {
    /// It was registered, with the same boot.
    Same,
    /// It was waited for, with the same boot.
    Awaited,
    /// It counted, with another boot.
    OtherBoot,
    /// It did not count.
    Away,
}

/// Takes over all registrations, which were read at once; a node that this node knew, and that
/// is missing, is waited for if this node itself was away.
pub fn set_all(hub: &Hub, entries: &[Entry], was_away: bool) {
    let mut found = BTreeMap::new();
    for entry in entries {
        let Some(name) = hub.path(&entry.key).strip_prefix(super::record::NODES) else {
            continue;
        };
        if !is_node_name(name) {
            continue;
        }
        let value = entry.value.as_deref().unwrap_or_default();
        found.insert(Arc::<str>::from(name), super::sender::node_record(value));
    }
    let (mut events, now) = (Vec::new(), Time::now());
    hub.with(|state| {
        for (name, node) in &mut state.nodes {
            if found.contains_key(name) || !node.is_here {
                continue;
            }
            node.is_here = false;
            node.since = now;
            if was_away {
                node.awaited = Some(Instant::now() + hub.settings.node_timeout);
            } else {
                events.push(gone(name, node));
            }
        }
        for (name, record) in found {
            let known = state.nodes.get(&name);
            let was_here = known.is_some_and(|it| it.is_here || it.awaited.is_some());
            let same = known.filter(|it| it.record.boot == record.boot && it.is_here);
            let since = same.map_or(now, |it| it.since);
            if !was_here && name != hub.me.name {
                events.push(here(&name, &record));
            }
            let node = KnownNode {
                record,
                is_here: true,
                since,
                awaited: None,
            };
            state.nodes.insert(name, node);
        }
        state.forget_gone();
    });
    let is_joining = hub.with(|state| state.standing == Standing::Joining);
    for event in events.iter().filter(|_| !is_joining) {
        report(hub, event);
    }
}

fn here(name: &Arc<str>, record: &NodeRecord) -> ClusterEvent {
    ClusterEvent::NodeHere {
        node: name.clone(),
        host: record.host.as_str().into(),
    }
}

fn gone(name: &Arc<str>, node: &KnownNode) -> ClusterEvent {
    ClusterEvent::NodeGone {
        node: name.clone(),
        has_left: node.record.leaves,
    }
}

/// A registration was written. Whether what the node hears has to be read: it was not
/// registered a moment ago.
pub fn written(hub: &Hub, name: &str, value: &str) -> bool {
    // Another program's key.
    if !is_node_name(name) {
        return false;
    }
    let record = super::sender::node_record(value);
    let name: Arc<str> = name.into();
    let now = Time::now();
    let ahead = difference(record.clock, now);
    if name == hub.me.name {
        hub.with(|state| own(hub, state.nodes.get_mut(&name), record, now))
            .into_iter()
            .for_each(|node| hub.with(|state| drop(state.nodes.insert(name.clone(), node))));
        return false;
    }
    let identity = NodeIdentity {
        name: name.clone(),
        boot: record.boot.as_str().into(),
    };
    let host: Arc<str> = record.host.as_str().into();
    let arrival = hub.with(|state| {
        if let Some(ahead) = ahead {
            state.clocks.note(&name, ahead);
        }
        let known = state.nodes.get_mut(&name);
        let arrival = match &known {
            Some(known) if !known.is_here && known.awaited.is_none() => Arrival::Away,
            Some(known) if known.record.boot != record.boot => Arrival::OtherBoot,
            Some(known) if known.is_here => Arrival::Same,
            Some(_) => Arrival::Awaited,
            None => Arrival::Away,
        };
        match known {
            Some(known) if arrival == Arrival::Same => known.record = record,
            _ => {
                let node = KnownNode {
                    record,
                    is_here: true,
                    since: now,
                    awaited: None,
                };
                state.nodes.insert(name.clone(), node);
                // The new node learns this one's clock.
                state.wants_beat = true;
            }
        }
        arrival
    });
    correct_clock(hub);
    if arrival == Arrival::Same {
        return false;
    }
    hub.bell.ring();
    if arrival == Arrival::OtherBoot {
        hub.source.node_gone(&name);
    }
    if arrival != Arrival::Awaited {
        hub.source.node_here(identity);
        report(hub, &ClusterEvent::NodeHere { node: name, host });
    }
    true
}

/// This node's own registration came back; a new entry for the table, if it has none.
fn own(
    hub: &Hub,
    known: Option<&mut KnownNode>,
    record: NodeRecord,
    now: Time,
) -> Option<KnownNode> {
    if record.boot != *hub.me.boot {
        // Another one has taken it over: the next write finds out.
        return None;
    }
    match known {
        Some(known) => {
            if !known.is_here {
                (known.is_here, known.since) = (true, now);
            }
            known.record = record;
            None
        }
        None => Some(KnownNode {
            record,
            is_here: true,
            since: now,
            awaited: None,
        }),
    }
}

/// A registration was deleted: the node has left, or its lease has ended.
pub fn deleted(hub: &Hub, name: &str) {
    let name: Arc<str> = name.into();
    if name == hub.me.name {
        // The next write finds out; soon.
        hub.with(|state| state.wants_beat = true);
        hub.bell.ring();
        return;
    }
    let event = hub.with(|state| {
        state.clocks.forget(&name);
        let node = state.nodes.get_mut(&name)?;
        let counted = node.is_here || node.awaited.is_some();
        (node.is_here, node.awaited, node.since) = (false, None, Time::now());
        let event = gone(&name, node);
        state.forget_gone();
        counted.then_some(event)
    });
    if let Some(event) = event {
        hub.source.node_gone(&name);
        report(hub, &event);
    }
}

/// Nodes that were waited for and have not come back have gone.
pub fn end_awaiting(hub: &Hub) {
    let now = Instant::now();
    let over = hub.with(|state| {
        let mut over = Vec::new();
        for (name, node) in &mut state.nodes {
            if node.awaited.is_some_and(|until| until <= now) {
                node.awaited = None;
                over.push((name.clone(), gone(name, node)));
            }
        }
        over.iter().for_each(|(name, _)| state.clocks.forget(name));
        over
    });
    for (name, event) in over {
        hub.source.node_gone(&name);
        report(hub, &event);
    }
}

/// The keeper's key is this now.
pub fn set_keeper(hub: &Hub, keeper: Option<KeeperKey>) {
    let other = hub.with(|state| {
        let is_older = |known: &KeeperKey| {
            keeper
                .as_ref()
                .is_some_and(|it| it.revision < known.revision)
        };
        if state.keeper.as_ref().is_some_and(is_older) {
            return None;
        }
        state.keeper = keeper;
        state.wants_look |= state.keeper.is_none();
        // While there is none for a moment, nothing is reported: the next comes at once.
        let name = state.keeper.as_ref()?.name.clone();
        let known = state.reported_keeper.replace(name.clone());
        (known.as_ref() != Some(&name)).then_some(name)
    });
    hub.bell.ring();
    if let Some(keeper) = other {
        report(hub, &ClusterEvent::KeeperChanged { keeper });
    }
}

/// Logs an event, and tells it. What is found at the first reading is no change: joining tells
/// how many nodes there are.
fn report(hub: &Hub, event: &ClusterEvent) {
    let is_joining = hub.with(|state| state.standing == Standing::Joining);
    match event {
        _ if is_joining => {}
        ClusterEvent::NodeHere { node, host } => {
            log::info!(
                "Node '{node}' on host '{}' has joined the cluster",
                quoted(host)
            );
        }
        ClusterEvent::NodeGone {
            node,
            has_left: true,
        } => log::info!("Node '{node}' has left the cluster"),
        ClusterEvent::NodeGone { node, .. } => log::warn!(
            "Node '{node}' is gone: it has not been heard of for {} s",
            hub.settings.node_timeout.as_secs()
        ),
        ClusterEvent::KeeperChanged { keeper } => {
            log::info!("Node '{keeper}' posts the webhooks of the cluster");
        }
        ClusterEvent::Joined { .. } | ClusterEvent::Alone { .. } | ClusterEvent::Refused { .. } => {
        }
    }
    hub.source.report(event);
}
