//! The order of changes stays correct whatever the system clock does.
//!
//! `since` decides which source was set last, so each change gets a later time than all
//! changes before it. If the clock runs ahead and is set back, all later times would stay
//! ahead of the clock. Once the setback is noticed, times in the future are moved to the
//! present and keep their order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Own, World};
use crate::directory::{SourceId, UserId};
use crate::model::time::Time;

/// How far the last change may be ahead of the clock before the clock counts as set back:
/// many changes within one tick run a little ahead.
const AHEAD: Duration = Duration::from_secs(1);

impl World {
    /// A time later than all earlier stamps: `now`, or the next microsecond after the last
    /// stamp.
    pub fn stamp(&mut self, now: Time) -> Time {
        // Times that several nodes share are one order, which no node may change.
        if self.last > now.after(AHEAD) && !self.is_sharing() {
            self.move_to_present(now);
        }
        self.last = now.max(self.last.next());
        self.last
    }

    /// The clock was corrected. Before the first exchange with other nodes, times in the future
    /// are moved to the present; later the times of all nodes are one order.
    pub fn clock_corrected(&mut self, now: Time) {
        if self.last > now.after(AHEAD) && self.forget_early_versions() {
            self.move_to_present(now);
            self.give_versions();
        }
    }

    /// Moves times in the future to the present, if the clock was set back.
    pub(super) fn settle_clock(&mut self, now: Time) {
        if self.last > now.after(AHEAD) {
            self.move_to_present(now);
        }
    }

    /// Moves all times in the future to the present and keeps their order.
    fn move_to_present(&mut self, now: Time) {
        let mut ahead = BTreeMap::new();
        let mut latest_past = Time::NEVER;
        self.each_time(|_, time| match *time > now {
            true => {
                ahead.insert(*time, Time::NEVER);
            }
            false => latest_past = latest_past.max(*time),
        });
        // The moved times end at `now` if there is room after the latest past time.
        let many = ahead.len() as u64;
        let first = now.micros().saturating_sub(many);
        let mut next = Time::from_micros(first.max(latest_past.micros()));
        for moved in ahead.values_mut() {
            next = next.next();
            *moved = next;
        }
        self.last = next;
        let (mut sources, mut users) = (Vec::new(), Vec::new());
        self.each_time(|of, time| {
            let Some(moved) = ahead.get(time) else {
                return;
            };
            *time = *moved;
            match of {
                TimeOwner::Source(source) => sources.push(source),
                TimeOwner::User(user) => users.push(user),
                TimeOwner::Nothing => {}
            }
        });
        sources.into_iter().for_each(|it| self.mark_source(it));
        users.into_iter().for_each(|it| self.mark_user(it));
    }

    /// Visits every `since` together with its owner.
    fn each_time(&mut self, mut visit: impl FnMut(TimeOwner, &mut Time)) {
        for (at, state) in self.sources.iter_mut().enumerate() {
            let of = TimeOwner::Source(SourceId::new(at));
            visit(of, &mut state.since);
            let layers = state.layers.iter_mut();
            layers
                .flat_map(|layers| layers.values_mut())
                .for_each(|value| visit(of, &mut value.since));
        }
        self.each_published_time(|time| visit(TimeOwner::Nothing, time));
        for (at, state) in self.users.iter_mut().enumerate() {
            let of = TimeOwner::User(UserId::new(at));
            visit(TimeOwner::Nothing, &mut state.outcome.since);
            if let Some(chosen) = &mut state.chosen {
                visit(TimeOwner::Nothing, &mut chosen.since);
            }
            if let Some(own) = &mut state.own {
                each_own_time(own, &mut |time| visit(of, time));
            }
        }
    }
}

/// The owner of a time, so that the owner's row is written.
#[derive(Clone, Copy)]
enum TimeOwner {
    Source(SourceId),
    User(UserId),
    /// No row: the time is only in memory.
    Nothing,
}

fn each_own_time(own: &mut Own, visit: &mut impl FnMut(&mut Time)) {
    visit(&mut own.since);
    visit(&mut own.chosen);
    let before = own.before.as_deref_mut();
    if let Some(before) = before.and_then(|before| before.own.as_deref_mut()) {
        each_own_time(before, visit);
    }
}
