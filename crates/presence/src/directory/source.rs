//! Sources, and the devices that some of them read.

use std::sync::Arc;

use super::{DeviceId, UserId};
use crate::model::device::DeviceTable;

/// The origin of a source's presence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SourceKind {
    /// `CustomPresence`, which can be written.
    Custom,
    /// Another presence provider, which can only be read.
    Presence,
    /// A user of this module.
    User(UserId),
    /// A device state and a table: see [`super::Directory::reading`].
    Device,
    /// Time ranges: see [`super::Directory::schedules`].
    Schedule,
}

/// A source, shared by all users that read it.
#[derive(Debug)]
pub struct Source {
    /// The address as configured; for a device or schedule, an internal name.
    pub address: Arc<str>,
    /// The origin of the presence.
    pub kind: SourceKind,
}

impl Source {
    /// Whether a presence provider answers for the source.
    pub fn is_provided(&self) -> bool {
        matches!(self.kind, SourceKind::Custom | SourceKind::Presence)
    }

    /// The user that the source is, if it is a user of this module.
    pub fn user(&self) -> Option<UserId> {
        match self.kind {
            SourceKind::User(user) => Some(user),
            _ => None,
        }
    }

    /// The name to display: the address, the device's name, or `schedule`.
    pub fn display_name(&self) -> &str {
        match self.kind {
            SourceKind::Device => {
                let rest = self.address.split_once(',').map_or("", |(_, rest)| rest);
                rest.rsplit_once(',').map_or(rest, |(device, _)| device)
            }
            SourceKind::Schedule => "schedule",
            _ => &self.address,
        }
    }
}

/// The device and table of a source of [`SourceKind::Device`].
#[derive(Clone, Debug)]
pub struct Reading {
    /// The device.
    pub device: DeviceId,
    /// The presence for each state of the device.
    pub table: Arc<DeviceTable>,
}
