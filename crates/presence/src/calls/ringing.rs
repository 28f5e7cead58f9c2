//! Which devices a call rings, stage by stage.

use super::own::CallSettings;
use super::{Callee, DEFAULT_TIMEOUT, RingStep, SetBy, is_phone};
use crate::directory::{Directory, User, UserId};
use crate::model::flags::Flag;
use crate::model::own_settings::StatusSetting;
use crate::model::state::State;
use crate::world::World;

/// What is set for ringing, and by whom.
pub(super) struct RingSettings<'a> {
    pub first: Option<(&'a [Box<str>], SetBy)>,
    pub second: Option<(&'a [Box<str>], SetBy)>,
    pub timeout: Option<(u32, SetBy)>,
    pub mobile: Option<(bool, SetBy)>,
}

impl<'a> RingSettings<'a> {
    pub fn of(settings: &mut CallSettings<'a>) -> Self {
        RingSettings {
            first: settings.item(
                StatusSetting::RingFirst,
                |own| own.ring_first.as_deref(),
                |block| block.ring_first.as_deref(),
            ),
            second: settings.item(
                StatusSetting::RingSecond,
                |own| own.ring_second.as_deref(),
                |block| block.ring_second.as_deref(),
            ),
            timeout: settings.item(
                StatusSetting::RingTimeout,
                |own| own.ring_timeout,
                |block| block.ring_timeout,
            ),
            mobile: settings.item(
                StatusSetting::RingMobile,
                |own| own.ring_mobile,
                |block| block.ring_mobile,
            ),
        }
    }
}

/// The devices of a user's endpoints; without endpoints, the phones of the extensions.
pub(super) fn devices(directory: &Directory, user: &User) -> Vec<String> {
    let reach = user.reach.as_deref();
    let endpoints = reach.map_or(&[][..], |reach| &reach.endpoints);
    let mut found = Vec::with_capacity(endpoints.len().max(user.inputs.len()));
    for (_, device) in endpoints {
        add(&mut found, Some(device.to_string()));
    }
    if !endpoints.is_empty() {
        return found;
    }
    let extensions = user.inputs.iter().filter(|input| input.is_extension());
    for device in extensions.filter_map(|input| input.device()) {
        let name = directory.device_name(device);
        add(&mut found, is_phone(name).then(|| name.to_owned()));
    }
    found
}

/// Appends the item unless the list contains it already.
pub(super) fn add(list: &mut Vec<String>, item: Option<String>) {
    if let Some(item) = item.filter(|item| !list.contains(item)) {
        list.push(item);
    }
}

/// The stages of ringing. A block with an empty list of endpoints has no stage. A block that
/// names only endpoints that the user lacks rings all of the user's devices, so that a
/// misspelt name does not make the user unreachable.
pub(super) fn steps(
    callee: &Callee<'_>,
    ring: &RingSettings<'_>,
    mobile: Option<String>,
) -> Vec<RingStep> {
    let first = ring.first.as_ref().map(|(names, _)| *names);
    let second = ring.second.as_ref().map(|(names, _)| *names);
    let timeout = ring.timeout.as_ref().map(|(seconds, _)| *seconds);
    let timeout = timeout.unwrap_or(DEFAULT_TIMEOUT);
    let named = |names: Option<&[Box<str>]>| match names {
        // A user without endpoints has nothing that a name could refer to.
        Some([_, ..]) if callee.endpoints().is_empty() => None,
        Some(names) => Some(callee.named(names)),
        None => None,
    };
    let is_named = |names: Option<&[Box<str>]>| names.is_some_and(|names| !names.is_empty());
    let mut stages = match (named(first), named(second)) {
        (None, Some(second)) => vec![callee.all(), second],
        (Some(first), second) => vec![first, second.unwrap_or_default()],
        (None, None) => vec![callee.all()],
    };
    stages.retain(|stage| !stage.is_empty());
    if stages.is_empty() && (is_named(first) || is_named(second)) {
        stages.push(callee.all());
    }
    if stages.is_empty() && mobile.is_some() {
        stages.push(Vec::new());
    }
    let step = |mut devices: Vec<String>| {
        add(&mut devices, mobile.clone());
        RingStep { devices, timeout }
    };
    let steps = stages.into_iter().map(step);
    steps.filter(|step| !step.devices.is_empty()).collect()
}

/// The devices of users who monitor the user and have set the flag to ring too. A monitoring
/// user who refuses calls or is in dnd does not ring.
pub(super) fn monitors(world: &World, user: UserId, own: &[String]) -> Vec<String> {
    let directory = world.directory();
    let mut found = Vec::new();
    for &other in directory.monitors(user) {
        let rings = world.flags(other).get(Flag::RingOnMonitoredCall)
            && world.dnd_status(other).accepts_calls()
            && world.outcome(other).presence.state() != State::Dnd;
        if rings {
            for device in devices(directory, directory.get(other)) {
                add(
                    &mut found,
                    Some(device).filter(|device| !own.contains(device)),
                );
            }
        }
    }
    found
}
