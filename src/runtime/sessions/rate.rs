//! Limits the rate of requests of each caller.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The number of callers beyond which those with a full bucket are forgotten: as if they had
/// never called.
const MANY: usize = 1000;

/// A token bucket for each caller.
#[derive(Default, Debug)]
pub struct Rate(HashMap<Arc<str>, Bucket>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// In requests.
    level: f64,
    filled: Instant,
}

impl Rate {
    /// Takes one request out of the caller's bucket, which holds the requests of two seconds
    /// and is refilled with `rate` requests per second.
    ///
    /// # Errors
    /// Returns how long to wait if the bucket is empty.
    pub fn take(&mut self, caller: &Arc<str>, rate: u32, now: Instant) -> Result<(), Duration> {
        let rate = f64::from(rate);
        self.take_of(caller, rate, rate * 2.0, now)
    }

    /// Takes one request out of the caller's bucket, which holds `full` requests and is refilled
    /// with `rate` requests per second.
    ///
    /// # Errors
    /// Returns how long to wait if the bucket is empty.
    pub fn take_of(
        &mut self,
        caller: &Arc<str>,
        rate: f64,
        full: f64,
        now: Instant,
    ) -> Result<(), Duration> {
        if self.0.len() >= MANY && !self.0.contains_key(caller) {
            let is_in_use = |bucket: &Bucket| {
                let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
                bucket.level + passed * rate < full
            };
            self.0.retain(|_, bucket| is_in_use(bucket));
        }
        let bucket = self.0.entry(caller.clone()).or_insert(Bucket {
            level: full,
            filled: now,
        });
        let passed = now.saturating_duration_since(bucket.filled).as_secs_f64();
        bucket.level = (bucket.level + passed * rate).min(full);
        bucket.filled = now;
        if bucket.level < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - bucket.level) / rate));
        }
        bucket.level -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_of_long_ago_are_forgotten() {
        let mut rate = Rate::default();
        let begin = Instant::now();
        let mut call = |number: usize, after: u64| {
            let at = begin + Duration::from_secs(after);
            let _ = rate.take(&number.to_string().into(), 1, at);
            rate.0.len()
        };
        for number in 0..MANY {
            assert_eq!(call(number, 0), number + 1);
        }
        assert_eq!(call(0, 1), MANY);
        assert_eq!(call(MANY, 2), 1);
    }

    #[test]
    fn a_burst_is_twice_the_rate_and_then_it_is_the_rate() {
        let mut rate = Rate::default();
        let (panel, other) = (Arc::from("panel"), Arc::from("other"));
        let begin = Instant::now();
        let mut taken = |caller, at: f64| {
            let now = begin + Duration::from_secs_f64(at);
            (0..1000)
                .take_while(|_| rate.take(caller, 50, now).is_ok())
                .count()
        };
        assert_eq!(taken(&panel, 0.0), 100);
        assert_eq!(taken(&panel, 1.0), 50);
        assert_eq!(taken(&panel, 1000.0), 100);
        assert_eq!(taken(&other, 1000.0), 100);
    }

    #[test]
    fn an_empty_bucket_says_when_to_retry() {
        let mut rate = Rate::default();
        let (panel, now) = (Arc::from("panel"), Instant::now());
        assert!(rate.take(&panel, 1, now).is_ok() && rate.take(&panel, 1, now).is_ok());
        let wait = rate.take(&panel, 1, now).unwrap_err();
        assert!(wait > Duration::from_millis(900) && wait <= Duration::from_secs(1));
        assert!(
            rate.take(&panel, 1, now + wait + Duration::from_millis(1))
                .is_ok()
        );
    }
}
