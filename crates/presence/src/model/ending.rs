//! The end of a status as people write it: a length of time such as `30m` or `1h30m`, or a
//! time of day such as `14:30`.

use std::time::Duration;

use crate::model::text::quoted;
use crate::model::time::Time;

const MINUTE: Duration = Duration::from_secs(60);
const MINUTES_A_DAY: u32 = 24 * 60;

/// Parses a length of time: numbers with the units `d`, `h`, `m` (or `min`) and `s`, the
/// largest unit first, each at most once.
///
/// # Errors
/// A message that gives the expected form.
pub fn duration(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, u64); 5] = [
        ("d", 86_400),
        ("h", 3_600),
        ("min", 60),
        ("m", 60),
        ("s", 1),
    ];
    let wrong = || {
        format!(
            "'{}' is not a length of time, expected one such as 30m, 2h or 1h30m",
            quoted(text)
        )
    };
    let (mut rest, mut seconds, mut least) = (text.trim(), 0_u64, u64::MAX);
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let letters = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, after) = after.split_at(letters);
        let mut units = UNITS.iter();
        let unit = units.find(|(name, _)| name.eq_ignore_ascii_case(unit));
        let (_, unit) = unit.filter(|(_, unit)| *unit < least).ok_or_else(wrong)?;
        let more = number.checked_mul(*unit);
        seconds = more
            .and_then(|more| seconds.checked_add(more))
            .ok_or_else(wrong)?;
        (rest, least) = (after.trim_start(), *unit);
    }
    Ok(Duration::from_secs(seconds))
}

/// Parses a time of day; the result is in minutes since midnight, from 0 to 1439.
///
/// # Errors
/// A message that gives the expected form.
pub fn time_of_day(text: &str) -> Result<u32, String> {
    let number = |text: &str, end: u32| {
        let digits = matches!(text.len(), 1..=2) && text.bytes().all(|b| b.is_ascii_digit());
        let number = text.parse::<u32>().ok().filter(|_| digits);
        number.filter(|number| *number < end)
    };
    let time = text.trim().split_once(':').and_then(|(hour, minute)| {
        let minute = number(minute, 60).filter(|_| minute.len() == 2);
        Some(number(hour, 24)? * 60 + minute?)
    });
    time.ok_or_else(|| {
        format!(
            "'{}' is not a time of day, expected one from 00:00 to 23:59 such as 14:30",
            quoted(text)
        )
    })
}

/// The present, and the local time of the user whose status ends.
#[derive(Clone, Copy)]
pub struct Clock<'a> {
    /// The present.
    pub now: Time,
    local: &'a dyn Fn(Time) -> u32,
}

impl<'a> Clock<'a> {
    /// `local` returns the local time at a given moment, in minutes since midnight.
    pub fn new(now: Time, local: &'a dyn Fn(Time) -> u32) -> Self {
        Clock { now, local }
    }

    /// A clock whose local time is UTC.
    pub fn utc(now: Time) -> Clock<'static> {
        Clock {
            now,
            local: &|at| (at.millis() / 60_000 % u64::from(MINUTES_A_DAY)) as u32,
        }
    }

    /// The next moment at which the local time reaches `wanted`, in minutes since midnight.
    /// If the clock is put forward past that time, the moment of the change; if an hour
    /// occurs twice, its first occurrence that is still ahead.
    pub fn next(&self, wanted: u32) -> Time {
        let whole = self.now.millis() / 60_000;
        let at = |minute: u64| Time::from_millis((whole + minute) * 60_000);
        // The minutes that the clock advances, and those from `from` to the wanted time.
        let step = |from: u32, to: u32| {
            let gone = |to: u32| (to + MINUTES_A_DAY - from) % MINUTES_A_DAY;
            (gone(to), gone(wanted))
        };
        let reached = |from: u32, to: u32| {
            let (gone, needed) = step(from, to);
            match gone > MINUTES_A_DAY / 2 {
                // The clock is put back.
                true => to == wanted,
                false => (1..=gone).contains(&needed),
            }
        };
        // The search goes by quarters of an hour, and by minutes only within a quarter in which
        // the clock may reach the wanted time. A day in which an hour occurs twice has 25 hours.
        const QUARTER: u64 = 15;
        let mut before = (self.local)(at(0));
        for quarter in 0..2 * 25 * 4 {
            let begin = quarter * QUARTER;
            let after = (self.local)(at(begin + QUARTER));
            let (gone, _) = step(before, after);
            if u64::from(gone) != QUARTER || reached(before, after) {
                let mut from = before;
                for minute in begin + 1..=begin + QUARTER {
                    let to = (self.local)(at(minute));
                    if reached(from, to) {
                        return at(minute);
                    }
                    from = to;
                }
            }
            before = after;
        }
        // Only a broken clock never reaches the wanted time: the status then ends in a day.
        self.now.after(MINUTE * MINUTES_A_DAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lengths_of_time_are_parsed() {
        for (text, seconds) in [
            ("30m", 1_800),
            ("2h", 7_200),
            ("1h30m", 5_400),
            ("1h 30min", 5_400),
            (" 90s ", 90),
            ("1d2h3m4s", 93_784),
            ("90M", 5_400),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "",
            "30",
            "m",
            "-5m",
            "+5m",
            "1.5h",
            "30m2h",
            "1h1h",
            "5x",
            "1h-3m",
            "5 m",
            "99999999999999999999h",
            "18446744073709551615h",
            "½h",
            "1h30",
        ] {
            let why = duration(bad).unwrap_err();
            assert!(why.contains("expected one such as 30m, 2h"), "{bad}: {why}");
        }
    }

    #[test]
    fn times_of_day_are_parsed() {
        assert_eq!(time_of_day("14:30"), Ok(870));
        assert_eq!(time_of_day(" 9:05 "), Ok(545));
        assert_eq!(time_of_day("00:00"), Ok(0));
        for bad in [
            "24:00", "12:60", "12", "12:5", "-1:00", "noon", "1:2:3", "12:+5", "",
        ] {
            let why = time_of_day(bad).unwrap_err();
            assert!(why.contains("such as 14:30"), "{bad}: {why}");
        }
    }

    const HOUR: u64 = 60;
    /// Midnight, in minutes.
    const DAY: u64 = 28_000_000 / 1440 * 1440;

    fn at(minute: u64) -> Time {
        Time::from_millis((DAY + minute) * 60_000)
    }

    fn utc(at: Time) -> u32 {
        (at.millis() / 60_000 % 1440) as u32
    }

    #[test]
    fn the_next_occurrence_is_found() {
        let next = |now: Time, wanted| Clock::utc(now).next(wanted);
        assert_eq!(next(at(10 * HOUR), 870), at(870));
        assert_eq!(
            next(at(870).after(Duration::from_secs(1)), 870),
            at(870 + 1440)
        );
        // A minute that has just begun is already in the past.
        assert_eq!(next(at(870), 870), at(870 + 1440));
        assert_eq!(next(at(0), 0), at(1440));
        assert_eq!(next(at(1439), 0), at(1440));
    }

    #[test]
    fn clock_changes_forward_and_back_are_respected() {
        // The clock is put forward from 2:00 to 3:00.
        let spring = |at_: Time| (utc(at_) + if at_ >= at(2 * HOUR) { 60 } else { 0 }) % 1440;
        let next = |now: u64, wanted: u32| Clock::new(at(now), &spring).next(wanted);
        assert_eq!(next(HOUR, 150), at(2 * HOUR), "2:30 does not occur");
        assert_eq!(next(HOUR, 180), at(2 * HOUR));
        assert_eq!(next(HOUR, 200), at(2 * HOUR + 20));
        assert_eq!(next(HOUR, 100), at(HOUR + 40));
        assert_eq!(next(3 * HOUR, 150), at(1440 + 90));
        // The clock is put back from 3:00 to 2:00.
        let autumn =
            |at_: Time| (utc(at_) + 1440 - if at_ >= at(3 * HOUR) { 60 } else { 0 }) % 1440;
        let next = |now: u64, wanted: u32| Clock::new(at(now), &autumn).next(wanted);
        assert_eq!(next(HOUR, 150), at(150), "the first 2:30");
        assert_eq!(next(160, 150), at(210), "the second 2:30");
        assert_eq!(next(160, 180), at(240));
        assert_eq!(next(HOUR, 300), at(360));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", like in "[0-9dhmins :]{0,30}") {
            let _ = (duration(&text), time_of_day(&text), duration(&like), time_of_day(&like));
        }

        /// For any change of the clock, the moment that is found is within two days; at that
        /// moment the clock shows the wanted time or jumps past it.
        #[test]
        fn a_moment_is_always_found(now in 0_u64..4320, wanted in 0_u32..1440, jump in 0_u64..2880, by in 0_usize..5) {
            let by = [-60_i64, -30, 30, 60, 0][by];
            let local = |moment: Time| {
                let put = if moment >= at(jump) { by } else { 0 };
                (i64::from(utc(moment)) + put).rem_euclid(1440) as u32
            };
            let found = Clock::new(at(now), &local).next(wanted);
            prop_assert!(found > at(now) && found <= at(now + 2 * 1500));
            let jumped = found == at(jump);
            prop_assert!(local(found) == wanted || jumped, "{} {}", local(found), wanted);
        }
    }
}
