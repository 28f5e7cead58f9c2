//! The clocks of the nodes, and by how much this node's is corrected.
//!
//! Each node writes its clock again and again. What is read is a little old, by the time that it
//! took to arrive: so the latest of a node's last few readings is the truest. The offset of this
//! node is the median of all clocks, its own among them. A majority of right clocks corrects a
//! wrong one; of two nodes, the one that is ahead follows the other.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How many readings of a node count.
const READINGS: usize = 4;

/// A smaller difference is left alone: clocks that are kept by NTP differ by less.
const TOLERATED: Duration = Duration::from_secs(1);

/// A correction stays as it is until it is wrong by more than this.
const SLACK: Duration = Duration::from_millis(500);

/// Differences in microseconds between the nodes' clocks and this one's, which is not corrected.
#[derive(Default, Debug)]
pub struct Clocks {
    readings: BTreeMap<Arc<str>, VecDeque<i64>>,
    /// The correction of this node's clock, in microseconds.
    offset: i64,
}

impl Clocks {
    /// A node's clock was read: it is ahead by so much.
    pub fn note(&mut self, node: &Arc<str>, ahead: i64) {
        let readings = self.readings.entry(node.clone()).or_default();
        if readings.len() == READINGS {
            readings.pop_front();
        }
        readings.push_back(ahead);
    }

    /// A node has gone, or its clock has to be read anew.
    pub fn forget(&mut self, node: &str) {
        self.readings.remove(node);
    }

    /// All clocks have to be read anew.
    pub fn forget_all(&mut self) {
        self.readings.clear();
    }

    /// By how much a node's clock is ahead; `None` before it is read.
    pub fn ahead(&self, node: &str) -> Option<i64> {
        self.readings.get(node)?.iter().max().copied()
    }

    /// The correction of this node's clock.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The new correction, if it has to change.
    pub fn correct(&mut self) -> Option<i64> {
        let others = self.readings.values();
        let mut all: Vec<i64> = others.filter_map(|it| it.iter().max().copied()).collect();
        if all.is_empty() {
            return None;
        }
        all.push(0);
        all.sort_unstable();
        let median = all[(all.len() - 1) / 2];
        let is_beyond = |difference: i64, limit: Duration| {
            u128::from(difference.unsigned_abs()) > limit.as_micros()
        };
        let is_right = match self.offset {
            0 => !is_beyond(median, TOLERATED),
            offset => is_beyond(median, SLACK) && !is_beyond(median - offset, SLACK),
        };
        if is_right {
            return None;
        }
        self.offset = match is_beyond(median, TOLERATED) {
            true => median,
            false => 0,
        };
        Some(self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn clocks(all: &[i64]) -> Clocks {
        let mut clocks = Clocks::default();
        for (at, ahead) in all.iter().enumerate() {
            clocks.note(&format!("n{at}").into(), *ahead);
        }
        clocks
    }

    #[test]
    fn a_majority_corrects_a_wrong_clock() {
        // The other two agree, this one is an hour ahead.
        let mut wrong = clocks(&[-3600 * SECOND, -3600 * SECOND + 5]);
        assert_eq!(wrong.correct(), Some(-3600 * SECOND + 5));
        assert_eq!(wrong.correct(), None);
        // This one is right, one of the others is wrong.
        assert_eq!(clocks(&[3600 * SECOND, 20]).correct(), None);
        assert_eq!(clocks(&[-3600 * SECOND, 20]).correct(), None);
        // Of two nodes, the one ahead follows.
        assert_eq!(clocks(&[5 * SECOND]).correct(), None);
        assert_eq!(clocks(&[-5 * SECOND]).correct(), Some(-5 * SECOND));
    }

    #[test]
    fn small_differences_and_late_readings_change_nothing() {
        assert_eq!(clocks(&[-900_000, -900_000]).correct(), None);
        let mut clocks = clocks(&[10, 10]);
        for node in ["n0", "n1"] {
            // Read very late.
            clocks.note(&node.into(), -60 * SECOND);
        }
        assert_eq!(clocks.correct(), None);
        assert_eq!(clocks.ahead("n0"), Some(10));
    }

    #[test]
    fn a_correction_ends_with_the_difference() {
        let mut clocks = clocks(&[-5 * SECOND, -5 * SECOND]);
        assert_eq!(clocks.correct(), Some(-5 * SECOND));
        let read = |clocks: &mut Clocks, ahead| {
            for node in ["n0", "n1"] {
                clocks.forget(node);
                clocks.note(&node.into(), ahead);
            }
        };
        read(&mut clocks, -5 * SECOND + 100_000);
        assert_eq!(clocks.correct(), None);
        read(&mut clocks, -200_000);
        assert_eq!(clocks.correct(), Some(0));
        assert_eq!(clocks.offset(), 0);
    }
}
