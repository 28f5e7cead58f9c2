//! Points in time, as Unix time.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix time in microseconds. Interfaces show milliseconds; the finer resolution keeps the
/// order of changes within one millisecond.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(u64);

impl Time {
    /// The beginning of Unix time, which means "never".
    pub const NEVER: Time = Time(0);

    /// The present, by the system's clock.
    pub fn now() -> Self {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(Time::NEVER, |since| Time(since.as_micros() as u64))
    }

    /// A time from Unix time in microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Time(micros)
    }

    /// A time from Unix time in milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Time(millis.saturating_mul(1000))
    }

    /// Unix time in microseconds.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Unix time in milliseconds, rounded down.
    pub const fn millis(self) -> u64 {
        self.0 / 1000
    }

    /// The time one microsecond later.
    pub const fn next(self) -> Self {
        Time(self.0.saturating_add(1))
    }

    /// The time after the given duration.
    pub fn after(self, duration: Duration) -> Self {
        Time(self.0.saturating_add(duration.as_micros() as u64))
    }

    /// The time from this moment to `now`; zero for a moment after `now`.
    pub fn age(self, now: Time) -> Age {
        Age(Duration::from_micros(now.0.saturating_sub(self.0)))
    }
}

/// A length of time in readable form: `3d 4h`, `2h 5m`, `1m 10s`, `7s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Age(Duration);

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = self.0.as_secs();
        let text = match s {
            0..60 => format!("{s}s"),
            60..3600 => format!("{}m {}s", s / 60, s % 60),
            3600..86400 => format!("{}h {}m", s / 3600, s % 3600 / 60),
            _ => format!("{}d {}h", s / 86400, s % 86400 / 3600),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_read_well() {
        let now = Time::from_millis(100_000_000_000);
        let age = |s: u64| Time(now.0 - s * 1_000_000).age(now).to_string();
        assert_eq!(age(7), "7s");
        assert_eq!(age(70), "1m 10s");
        assert_eq!(age(7500), "2h 5m");
        assert_eq!(age(273_600), "3d 4h");
        assert_eq!(now.next().age(now).to_string(), "0s");
    }
}
