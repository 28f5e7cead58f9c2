//! How long a change takes from here through the store and back: as long as it takes to any
//! other node.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The time over which the worst is looked for, in so many parts.
const PART: Duration = Duration::from_secs(10);
const PARTS: usize = 6;

/// Writes whose arrival is awaited.
const MOST: usize = 64;

/// Measured times.
#[derive(Default, Debug)]
pub struct Lag {
    /// Revisions that were written here, and when they were sent.
    sent: VecDeque<(i64, Instant)>,
    last: Option<Duration>,
    /// The worst of each part, and when the part began.
    worst: VecDeque<(Instant, Duration)>,
    /// The highest revision that arrived.
    arrived: i64,
}

impl Lag {
    /// A write was sent then and has that revision.
    pub fn sent(&mut self, revision: i64, at: Instant) {
        if revision <= self.arrived {
            // It has arrived before its answer, a moment ago.
            self.note(at.elapsed(), Instant::now());
            return;
        }
        if self.sent.len() < MOST {
            self.sent.push_back((revision, at));
        }
    }

    /// Everything up to that revision has arrived.
    pub fn arrived(&mut self, revision: i64, at: Instant) {
        self.arrived = self.arrived.max(revision);
        while let Some((_, sent)) = self.sent.front().filter(|(it, _)| *it <= revision) {
            let took = at.saturating_duration_since(*sent);
            self.sent.pop_front();
            self.note(took, at);
        }
    }

    /// Nothing is awaited any more: the connection was lost.
    pub fn forget(&mut self) {
        self.sent.clear();
        self.arrived = 0;
    }

    fn note(&mut self, took: Duration, at: Instant) {
        self.last = Some(took);
        match self.worst.back_mut() {
            Some((begin, worst)) if at.saturating_duration_since(*begin) < PART => {
                *worst = took.max(*worst);
            }
            _ => {
                if self.worst.len() == PARTS {
                    self.worst.pop_front();
                }
                self.worst.push_back((at, took));
            }
        }
    }

    /// The last time, and the worst of the last minute.
    pub fn times(&self, now: Instant) -> (Option<Duration>, Option<Duration>) {
        let recent = self
            .worst
            .iter()
            .filter(|(begin, _)| now.saturating_duration_since(*begin) < PART * PARTS as u32);
        (self.last, recent.map(|(_, worst)| *worst).max())
    }

    /// The oldest write that has not arrived, and when it was sent.
    pub fn awaited(&self) -> Option<Instant> {
        self.sent.front().map(|(_, at)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_and_the_worst_of_a_minute() {
        let begin = Instant::now();
        let at = |millis| begin + Duration::from_millis(millis);
        let mut lag = Lag::default();
        assert_eq!(lag.times(begin), (None, None));
        lag.sent(5, at(0));
        lag.sent(6, at(10));
        lag.arrived(5, at(30));
        assert_eq!(lag.awaited(), Some(at(10)));
        lag.arrived(7, at(12));
        let millis = Duration::from_millis;
        assert_eq!(lag.times(at(12)), (Some(millis(2)), Some(millis(30))));
        lag.sent(8, at(70_000));
        lag.arrived(8, at(70_003));
        assert_eq!(lag.times(at(70_003)), (Some(millis(3)), Some(millis(3))));
    }
}
