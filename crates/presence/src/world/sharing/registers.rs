//! The values of the store, in JSON.
//!
//! A register holds parts, each with its own [`Version`]. Two registers are joined part by
//! part; of each part the later version stays. So joining in any order, and any number of
//! times, gives the same.
//!
//! An extension's register is [`crate::world::stored::SourceRow`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::version::{Version, is_none};
use crate::model::publication::Publication;
use crate::world::stored::OwnRow;

/// What a user has chosen.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug, Default)]
pub(super) struct PersonRegister {
    /// The untimed own status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) own: Option<OwnPart>,
    /// The timed status above it. It counts if it is later than the untimed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timed: Option<TimedPart>,
    /// The DND status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) dnd: Option<Part<String>>,
    /// The flags that were ever changed, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) flags: BTreeMap<String, Part<bool>>,
}

/// A value with its version.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Part<T> {
    pub(super) value: T,
    #[serde(default, skip_serializing_if = "is_none")]
    pub(super) version: Version,
}

/// An untimed own status.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct OwnPart {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<OwnRow>,
    pub(super) version: Version,
}

/// A timed status.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct TimedPart {
    /// `None` for one that has ended where the register was written. Its version keeps an
    /// earlier one from returning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<OwnRow>,
    /// The name of the status type below it, if no untimed status was ever chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) below: Option<String>,
    pub(super) version: Version,
}

/// A user's own settings: each item by its path, as a JSON pointer.
pub(super) type SettingsRegister = BTreeMap<String, Item>;

/// An item of a user's own settings. An item without a value is given back to the
/// administrator.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct Item {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
    pub(super) version: Version,
}

/// What a node hears, with the life in which it heard it.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct HeardValue<T> {
    pub(super) boot: String,
    #[serde(flatten)]
    pub(super) what: T,
}

/// The state of a device.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct DeviceValue {
    pub(super) state: String,
    /// Unix time in microseconds.
    pub(super) at: u64,
}

/// A parked call.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct ParkedValue {
    /// The device that is parked.
    pub(super) device: String,
    /// The device that parked the call.
    pub(super) parker: String,
}

/// A panel.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct PanelValue {}

/// What a phone publishes.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
pub(super) struct PublishedValue {
    #[serde(flatten)]
    pub(super) publication: Publication,
    /// Unix time in microseconds.
    pub(super) at: u64,
}

/// The JSON of a value.
pub(super) fn json(value: &impl Serialize) -> String {
    // Plain structs of strings and numbers always serialise.
    serde_json::to_string(value).unwrap_or_default()
}
