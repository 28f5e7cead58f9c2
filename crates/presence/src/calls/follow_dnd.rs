//! FreePBX's do not disturb and the status of a user with `follow_dnd = yes`, which follow each
//! other.
//!
//! FreePBX keeps do not disturb for each extension: `DB(DND/200)` decides whether the extension
//! rings, and the device `Custom:DND200` lights lamps. What both sides were when they last agreed
//! is kept as an [`Agreement`]. The side that differs from it has changed, and the other one
//! follows. So a change that was made by this module is never taken for one of FreePBX, in
//! whatever order the events of the two sides come in, and a change is found also if it was made
//! while the module was not loaded.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::feature_keys::refuses_calls;
use super::key_press::switch_dnd;
use crate::directory::UserId;
use crate::model::device::DeviceState;
use crate::model::time::Time;
use crate::world::{DndRow, Effect, World};

/// FreePBX's name for the device of an extension's do not disturb, before the extension.
pub const DEVICE: &str = "Custom:DND";

/// Whether a state of such a device means that do not disturb is on.
pub fn is_on(state: DeviceState) -> bool {
    state.is_in_call()
}

/// The extension whose do not disturb a device is; `None` for any other device.
pub fn extension_of(device: &str) -> Option<&str> {
    let (label, extension) = device.split_at_checked(DEVICE.len())?;
    (label.eq_ignore_ascii_case(DEVICE) && !extension.is_empty()).then_some(extension)
}

/// What an extension's do not disturb is now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtensionDnd {
    /// The extension.
    pub extension: String,
    /// Whether `DB(DND/<extension>)` has a value.
    pub entry: bool,
    /// Whether the device `Custom:DND<extension>` is busy.
    pub device: bool,
}

impl ExtensionDnd {
    /// Whether entry and device both are so.
    pub fn is(&self, on: bool) -> bool {
        self.entry == on && self.device == on
    }
}

/// What both sides were when they last agreed, or were left as they are.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Agreement {
    /// The do not disturb of each extension that is known.
    #[serde(default)]
    extensions: BTreeMap<String, bool>,
    /// Whether the user refuses calls.
    #[serde(default)]
    status: bool,
    /// How the user came into the state `dnd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<DndRow>,
}

/// What has to follow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Followed {
    /// Neither side has changed; every extension is to be so.
    Neither(bool),
    /// The status has changed to this; FreePBX follows.
    Status(bool),
    /// Do not disturb of that extension has changed to this; the status follows, and then the
    /// other extensions.
    Extension(bool, String),
}

impl Followed {
    /// What every extension is to be.
    pub fn target(&self) -> bool {
        match self {
            Followed::Neither(on) | Followed::Status(on) | Followed::Extension(on, _) => *on,
        }
    }
}

impl Agreement {
    /// An agreement on these extensions and that status.
    pub fn new(
        extensions: impl IntoIterator<Item = (String, bool)>,
        status: bool,
        entry: Option<DndRow>,
    ) -> Self {
        let agreement = Agreement {
            extensions: extensions.into_iter().collect(),
            status,
            entry,
        };
        match agreement.is_empty() {
            true => Agreement::default(),
            false => agreement,
        }
    }

    /// Whether it says nothing that holds for an unknown user anyway.
    pub fn is_empty(&self) -> bool {
        !self.status && !self.extensions.values().any(|on| *on)
    }

    /// Whether the user refused calls.
    pub fn status(&self) -> bool {
        self.status
    }

    /// Whether do not disturb of the extension was on.
    pub fn extension(&self, extension: &str) -> bool {
        self.extensions.get(extension).copied().unwrap_or_default()
    }

    /// Finds the side that has changed. If both sides have, the status is followed; two sides
    /// that have only two values each cannot disagree then, unless they disagreed before. Of two
    /// extensions that have changed in opposite directions, the one that was switched on is
    /// followed.
    pub fn followed(&self, now: &[ExtensionDnd], status: bool) -> Followed {
        if status != self.status {
            return Followed::Status(status);
        }
        let mut changed = now.iter().filter_map(|it| {
            let before = self.extension(&it.extension);
            (!it.is(before)).then_some((!before, &it.extension))
        });
        let first = changed.next();
        let switched_on = first.into_iter().chain(changed).find(|(on, _)| *on);
        match switched_on.or(first) {
            Some((on, extension)) => Followed::Extension(on, extension.clone()),
            None => Followed::Neither(self.extensions.values().any(|on| *on)),
        }
    }
}

/// Has the status follow what FreePBX's do not disturb of the extension has become: as a press of
/// the DND key, but that the status before returns. Returns the effects, with the reason if the
/// status is another one afterwards.
pub fn follow(
    world: &mut World,
    user: UserId,
    (on, extension): (bool, &str),
    now: Time,
) -> (Result<(), String>, Vec<Effect>) {
    let mut effects = Vec::new();
    if refuses_calls(world, user) == on {
        return (Ok(()), effects);
    }
    let key = world.directory().get(user).rule.dnd_key;
    let back = world.before_dnd(user, now);
    let done = switch_dnd(world, user, (on, key), back.as_ref(), now, &mut effects);
    if on {
        world.note_dnd_from(user, extension);
    }
    (done, effects)
}
