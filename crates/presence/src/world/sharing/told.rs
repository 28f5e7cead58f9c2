//! What other nodes tell of what they hear, as it is read from the store.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::doubt::LatestTime;
use super::keys::Heard;
use super::nodes::Affected;
use super::registers::{DeviceValue, HeardValue, PanelValue, ParkedValue, PublishedValue};
use crate::model::device::DeviceState;
use crate::model::text;
use crate::model::time::Time;
use crate::world::World;
use crate::world::activity::Parked;
use crate::world::published::Latest;

impl World {
    /// Takes over what a node hears. Returns whether it can be right.
    pub(super) fn take_heard(
        &mut self,
        name: &str,
        what: Heard,
        value: Option<&str>,
        latest: LatestTime,
        affected: &mut Affected,
    ) -> bool {
        let directory = self.directory.clone();
        let Some(replica) = self.sharing_mut() else {
            return true;
        };
        if replica.is_own(name) {
            return true;
        }
        match what {
            Heard::Device(device) => {
                let Some(device) = directory.device(device) else {
                    return true;
                };
                let read = value.and_then(read::<DeviceValue>);
                let read = read.and_then(|read| {
                    let state = DeviceState::parse(&read.what.state).ok()?;
                    Some((read.boot, (state, Time::from_micros(read.what.at))))
                });
                if read.as_ref().is_some_and(|it| !latest.allows(it.1.1)) {
                    return false;
                }
                let Some(node) = replica.node_of(name, read.as_ref().map(|it| &*it.0), affected)
                else {
                    return true;
                };
                match read {
                    Some((_, heard)) => drop(node.devices.insert(device, heard)),
                    None => drop(node.devices.remove(&device)),
                }
                affected.devices.insert(device);
                if let Some((_, (_, at))) = read {
                    self.last = self.last.max(at);
                }
            }
            Heard::Parked(space) => {
                let read = value.and_then(read::<ParkedValue>);
                let names = |it: &ParkedValue| [&it.device, &it.parker].map(|it| text::check(it));
                let names = read.as_ref().map(|read| names(&read.what));
                if names.is_some_and(|all| all.iter().any(Result::is_err)) {
                    return false;
                }
                let boot = read.as_ref().map(|read| &*read.boot);
                let Some(node) = replica.node_of(name, boot, affected) else {
                    return true;
                };
                affected.parked.extend(node.parking.remove(space));
                if let Some(read) = read {
                    let parked = Parked {
                        parked_device: read.what.device.into(),
                        parker: read.what.parker.into(),
                    };
                    affected.parked.push(parked.clone());
                    node.parking.put(space, parked);
                }
            }
            Heard::Panel(user) => {
                let read = value.and_then(read::<PanelValue>);
                let boot = read.as_ref().map(|read| &*read.boot);
                if let Some(node) = replica.node_of(name, boot, affected) {
                    match read {
                        Some(_) => node.panels.insert(user.into()),
                        None => node.panels.remove(user),
                    };
                }
            }
            Heard::Published(device) => {
                let Some(device) = directory.device(device) else {
                    return true;
                };
                let read = value.and_then(read::<PublishedValue>);
                let boot = read.as_ref().map(|read| &*read.boot);
                let Some(node) = replica.node_of(name, boot, affected) else {
                    return true;
                };
                let known = read.map(|read| Latest {
                    publication: Arc::new(read.what.publication.mended()),
                    at: Time::from_micros(read.what.at),
                });
                if known.as_ref().is_some_and(|it| !latest.allows(it.at)) {
                    return false;
                }
                match known {
                    Some(known) => drop(node.published.insert(device, known)),
                    None => drop(node.published.remove(&device)),
                }
                affected.published.insert(device);
            }
        }
        true
    }
}

fn read<T: DeserializeOwned>(value: &str) -> Option<HeardValue<T>> {
    // What a later release has written counts as nothing.
    serde_json::from_str(value).ok()
}
