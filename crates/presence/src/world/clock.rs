//! The order of changes, whatever the system's clock does.
//!
//! "Set last" is decided by `since`, so each change gets a time later than every one
//! before it. A clock that went ahead and was set back would leave all later times ahead
//! of it. So when it is found set back, the times that lie ahead are moved to the present
//! in their order.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Own, World};
use crate::directory::{SourceId, UserId};
use crate::model::time::Time;

/// How far the last change may lie ahead of the clock before that counts as set back:
/// many changes within one tick of the clock run a little ahead.
const AHEAD: Duration = Duration::from_secs(1);

impl World {
    /// A time later than every one before, so that "set last" is always decided.
    pub(super) fn stamp(&mut self, now: Time) -> Time {
        if self.last > now.after(AHEAD) {
            self.move_to_present(now);
        }
        self.last = now.max(self.last.next());
        self.last
    }

    /// Moves every time that lies ahead to the present, in their order.
    fn move_to_present(&mut self, now: Time) {
        let mut ahead = BTreeMap::new();
        let mut latest_past = Time::NEVER;
        self.each_time(|_, time| match *time > now {
            true => {
                ahead.insert(*time, Time::NEVER);
            }
            false => latest_past = latest_past.max(*time),
        });
        // Just before now where there is room after all that is past.
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
                Of::Source(source) => sources.push(source),
                Of::User(user) => users.push(user),
                Of::Nothing => {}
            }
        });
        sources.into_iter().for_each(|it| self.mark_source(it));
        users.into_iter().for_each(|it| self.mark_user(it));
    }

    /// Visits every `since`, and says of what it is the time.
    fn each_time(&mut self, mut visit: impl FnMut(Of, &mut Time)) {
        for (at, state) in self.sources.iter_mut().enumerate() {
            let of = Of::Source(SourceId::new(at));
            visit(of, &mut state.since);
            let layers = state.layers.iter_mut();
            layers
                .flat_map(|layers| layers.values_mut())
                .for_each(|value| visit(of, &mut value.since));
        }
        for (at, state) in self.users.iter_mut().enumerate() {
            let of = Of::User(UserId::new(at));
            visit(Of::Nothing, &mut state.outcome.since);
            if let Some(chosen) = &mut state.chosen {
                visit(Of::Nothing, &mut chosen.since);
            }
            if let Some(own) = &mut state.own {
                each_of_own(own, &mut |time| visit(of, time));
            }
        }
    }
}

/// What a time belongs to, so that its row is kept.
#[derive(Clone, Copy)]
enum Of {
    Source(SourceId),
    User(UserId),
    /// What is only in memory.
    Nothing,
}

fn each_of_own(own: &mut Own, visit: &mut impl FnMut(&mut Time)) {
    visit(&mut own.since);
    visit(&mut own.chosen);
    let before = own.before.as_deref_mut();
    if let Some(before) = before.and_then(|before| before.own.as_deref_mut()) {
        each_of_own(before, visit);
    }
}
