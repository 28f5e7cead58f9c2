//! Writes that come back although nobody knows of them.
//!
//! A write whose answer was lost may be carried out seconds later, after a newer one. A register
//! is compared, and stands that. What this node hears is written without a comparison: so, after
//! an answer was lost, each such key that comes back in a revision that no answer has named is
//! written again.

use std::collections::VecDeque;
use std::time::Instant;

/// The revisions that are remembered, and the keys that are looked at.
const MOST: usize = 4096;

/// What comes back of this node's own writes.
#[derive(Default, Debug)]
pub struct Echo {
    /// Whether the answer of a write was lost in this session.
    is_uncertain: bool,
    /// Revisions that answers have named.
    known: VecDeque<i64>,
    /// Keys that came back, in which revision, and when.
    back: VecDeque<(String, i64, Instant)>,
}

impl Echo {
    /// The answer of a write was lost.
    pub fn lost(&mut self) {
        self.is_uncertain = true;
    }

    /// An answer has named a revision.
    pub fn written(&mut self, revision: i64) {
        if self.is_uncertain {
            self.known.push_back(revision);
            if self.known.len() > MOST {
                self.known.pop_front();
            }
        }
    }

    /// A key of this node came back.
    pub fn came_back(&mut self, path: &str, revision: i64, at: Instant) {
        if self.is_uncertain && self.back.len() < MOST {
            self.back.push_back((path.to_owned(), revision, at));
        }
    }

    /// The keys that came back before that moment, and that no answer has named.
    pub fn strangers(&mut self, before: Instant) -> Vec<String> {
        let mut strangers = Vec::new();
        while self.back.front().is_some_and(|(_, _, at)| *at <= before) {
            let Some((path, revision, _)) = self.back.pop_front() else {
                break;
            };
            if !self.known.contains(&revision) && !strangers.contains(&path) {
                strangers.push(path);
            }
        }
        strangers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_write_without_an_answer_is_a_stranger() {
        let now = Instant::now();
        let mut echo = Echo::default();
        echo.came_back("heard/a/device/x", 5, now);
        assert!(echo.strangers(now).is_empty());
        echo.lost();
        echo.written(6);
        echo.came_back("heard/a/device/x", 6, now);
        echo.came_back("heard/a/device/y", 7, now);
        echo.came_back("heard/a/device/y", 8, now);
        let later = now + Duration::from_secs(1);
        echo.came_back("heard/a/device/z", 9, later);
        assert_eq!(echo.strangers(now), ["heard/a/device/y"]);
        echo.written(9);
        assert!(echo.strangers(later).is_empty());
    }
}
