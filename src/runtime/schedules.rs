//! Schedules: time ranges that are a source of a user.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Runtime;
use presence::config::Schedule;
use presence::{Presence, Time};

const MINUTE_MILLIS: u64 = 60_000;

/// The last minute, counted from 1970, that was evaluated: ranges begin and end with whole
/// minutes. 0 for none.
#[derive(Default)]
pub struct Schedules(AtomicU64);

impl Runtime {
    /// The presence by a schedule: nothing within its ranges.
    pub(super) fn scheduled(&self, schedule: &Schedule, at: Time) -> Presence {
        let mut ranges = schedule.ranges.iter();
        let zone = &schedule.timezone;
        match ranges.any(|range| self.host().in_range(range, zone, at)) {
            true => Presence::default(),
            false => schedule.outside.clone(),
        }
    }

    /// Has every schedule evaluated at the next look: after a load and a reload.
    pub(super) fn reset_schedules(&self) {
        self.schedules.0.store(0, Ordering::Relaxed);
    }

    /// Takes over the presence of every schedule, once in a minute; returns when to look
    /// again.
    pub(super) fn evaluate_schedules(&self, now: Time) -> Option<Time> {
        let directory = self.read(|world| {
            let directory = world.directory().clone();
            (!directory.schedules().is_empty()).then_some(directory)
        });
        let directory = directory.flatten()?;
        let minute = now.millis() / MINUTE_MILLIS;
        let next = Time::from_millis((minute + 1) * MINUTE_MILLIS);
        if self.schedules.0.swap(minute, Ordering::Relaxed) == minute {
            return Some(next);
        }
        for (source, schedule) in directory.schedules() {
            let presence = self.scheduled(schedule, now);
            let address = &directory.get_source(*source).address;
            self.update_always(|world, now| {
                ((), world.report_presence(address, presence.parts(), now))
            });
        }
        Some(next)
    }
}
