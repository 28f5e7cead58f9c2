//! When the numbers of an account were given.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::time::Time;

/// The least time between two marks.
const STEP: Duration = Duration::from_secs(1);

/// The most marks. Beyond that, every second one of the older half is dropped.
const MOST: usize = 1024;

/// What the last number of an account was at several moments, so that a number can be found by
/// its time long after the journal has dropped the events.
///
/// The numbers of a run of the module alone: nothing is known of the time before.
#[derive(Debug)]
pub struct Timeline {
    /// Up to each of these moments no higher number was given. Both rise.
    marks: VecDeque<(Time, u64)>,
}

impl Timeline {
    /// A timeline that begins now, with the last number that was given.
    pub fn new(now: Time, sequence: u64) -> Self {
        Timeline {
            marks: [(now, sequence)].into(),
        }
    }

    /// A number was given.
    pub fn note(&mut self, at: Time, sequence: u64) {
        // The clock was set back: what came before is older than it says.
        while self.marks.back().is_some_and(|(last, _)| *last > at) {
            self.marks.pop_back();
        }
        let last = self.marks.back();
        if last.is_some_and(|(last, _)| last.after(STEP) > at) {
            return;
        }
        self.marks.push_back((at, sequence));
        if self.marks.len() > MOST {
            let mut at = 0;
            self.marks.retain(|_| {
                at += 1;
                at > MOST / 2 || at % 2 == 1
            });
        }
    }

    /// A number up to which every event had happened at that time. Later events, too, may have
    /// happened by then: less than a second of them, or of long ago a few minutes. `None` for a
    /// time before this run.
    pub fn last_at(&self, time: Time) -> Option<u64> {
        let after = self.marks.partition_point(|(at, _)| *at <= time);
        let (_, sequence) = self.marks.get(after.checked_sub(1)?)?;
        Some(*sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_millis(1_800_000_000_000 + millis)
    }

    #[test]
    fn a_number_is_found_by_its_time() {
        let mut timeline = Timeline::new(at(0), 40);
        for (millis, sequence) in [(100, 41), (5000, 42), (5400, 43), (9000, 44)] {
            timeline.note(at(millis), sequence);
        }
        assert_eq!(timeline.last_at(at(0)), Some(40));
        // Too near to the last mark to have one of its own.
        assert_eq!(timeline.last_at(at(4999)), Some(40));
        assert_eq!(timeline.last_at(at(5000)), Some(42));
        assert_eq!(timeline.last_at(at(8999)), Some(42));
        assert_eq!(timeline.last_at(at(100_000)), Some(44));
        let before = at(0).micros() - 1;
        assert_eq!(timeline.last_at(Time::from_micros(before)), None);
    }

    #[test]
    fn a_clock_that_is_set_back_hides_no_number() {
        let mut timeline = Timeline::new(at(0), 40);
        timeline.note(at(5000), 41);
        timeline.note(at(9000), 42);
        timeline.note(at(6000), 43);
        timeline.note(at(6100), 44);
        timeline.note(at(7500), 45);
        assert_eq!(timeline.last_at(at(5500)), Some(41));
        assert_eq!(timeline.last_at(at(6500)), Some(43));
        assert_eq!(timeline.last_at(at(9000)), Some(45));
    }

    #[test]
    fn a_long_run_keeps_few_marks() {
        let mut timeline = Timeline::new(at(0), 0);
        for second in 1..=100_000 {
            timeline.note(at(second * 1000), second);
        }
        assert!(timeline.marks.len() <= MOST);
        for second in [1, 50, 70_000, 99_000, 99_990, 100_000] {
            let found = timeline.last_at(at(second * 1000)).unwrap();
            assert!(found <= second, "{found} at {second}");
        }
        assert_eq!(timeline.last_at(at(100_000_000)), Some(100_000));
        assert!(timeline.last_at(at(99_990_000)).unwrap() >= 99_980);
    }
}
