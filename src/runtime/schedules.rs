//! Schedules: time ranges that are a user's source.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::runtime::store;
use asterisk::timing;
use presence::Presence;
use presence::Time;
use presence::config::Schedule;

/// What a schedule says at a moment: nothing within its ranges.
pub fn presence(schedule: &Schedule, at: Time) -> Presence {
    let zone = &schedule.timezone;
    let mut ranges = schedule.ranges.iter();
    match ranges.any(|range| timing::matches(range, zone, at)) {
        true => Presence::default(),
        false => schedule.outside.clone(),
    }
}

/// The minute that was looked at last: ranges begin and end with whole ones.
static MINUTE: AtomicU64 = AtomicU64::new(0);

const MINUTE_MILLIS: u64 = 60_000;

/// Forgets what was looked at, for a load and a reload.
pub fn forget() {
    MINUTE.store(0, Ordering::Relaxed);
}

/// Hears what every schedule says, once in a minute; says when to look again.
pub fn hear(now: Time) -> Option<Time> {
    let schedules = store::read(|world| {
        let directory = world.directory().clone();
        (!directory.schedules().is_empty()).then_some(directory)
    });
    let directory = schedules.flatten()?;
    let minute = now.millis() / MINUTE_MILLIS;
    let next = Time::from_millis((minute + 1) * MINUTE_MILLIS);
    if MINUTE.swap(minute, Ordering::Relaxed) == minute {
        return Some(next);
    }
    for (source, schedule) in directory.schedules() {
        let said = presence(schedule, now);
        let address = &directory.get_source(*source).address;
        store::update_always(|world, now| ((), world.take_heard(address, said.parts(), now)));
    }
    Some(next)
}
