//! Reserved sequence numbers of accounts, so that no number is used twice.
//!
//! Before an account uses numbers, a block of them is reserved on disk. After a clean stop
//! the account continues with the next number. After any other end it continues behind the
//! block: numbers are skipped, and none is used twice, whatever the clock does.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::model::time::Time;

/// How many numbers are reserved at a time: enough for 100,000 per second for half a day.
pub const BLOCK: u64 = 1 << 32;

/// The highest number that is used: 2^53 - 1, the highest integer that every JSON parser
/// reads exactly (RFC 8259, section 6).
pub const HIGHEST: u64 = (1 << 53) - 1;

/// The reservation as it is on disk.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Reservation {
    /// Whether the last stop was clean. If so, `accounts` holds the last used numbers,
    /// otherwise the last reserved ones.
    clean: bool,
    /// The last number of each account, by name.
    accounts: BTreeMap<String, u64>,
    /// What another version has put into the file, which is kept.
    #[serde(flatten)]
    kept: serde_json::Map<String, serde_json::Value>,
}

impl Reservation {
    /// Parses the text of the file.
    ///
    /// # Errors
    /// Returns a message if the text is not in the format of [`Reservation::text`], or if a
    /// number is so high that no further block fits below `HIGHEST`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read: Reservation = serde_json::from_str(text).map_err(|why| why.to_string())?;
        // There must be room for the block of this run and that of the next one.
        let most = HIGHEST - 2 * BLOCK;
        match read.accounts.iter().find(|(_, number)| **number > most) {
            Some((account, number)) => Err(format!(
                "the number {number} of account '{account}' is too high, expected at most {most}"
            )),
            None => Ok(read),
        }
    }

    /// A replacement for a lost file: a block behind the numbers that the accounts are known to
    /// have used, and at least the present Unix time in microseconds.
    pub fn after(given: &HashMap<String, u64>, now: Time) -> Self {
        let most = HIGHEST - 2 * BLOCK;
        let after = given.iter().map(|(account, given)| {
            let number = given.saturating_add(BLOCK).max(now.micros());
            (account.clone(), number.min(most))
        });
        Reservation {
            accounts: after.collect(),
            ..Reservation::default()
        }
    }

    /// The text of the file.
    pub fn text(&self) -> String {
        // Plain maps of strings and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The account's last number; the next transition gets the number after it. For an unknown
    /// account it is the present Unix time in microseconds, so that an account whose file is
    /// lost continues above its old numbers.
    pub fn last(&self, account: &str, now: Time) -> u64 {
        let most = HIGHEST - 2 * BLOCK;
        let known = self.accounts.get(account).copied();
        known.unwrap_or_else(|| now.micros().min(most))
    }

    /// Reserves a block after each of these last numbers. Other accounts keep theirs.
    pub fn reserve<'a>(&mut self, last: impl Iterator<Item = (&'a str, u64)>) {
        self.clean = false;
        for (account, last) in last {
            let end = last.saturating_add(BLOCK);
            self.accounts.insert(account.to_owned(), end);
        }
    }

    /// Records a clean stop with these last numbers. No number may be used after it.
    pub fn close<'a>(&mut self, last: impl Iterator<Item = (&'a str, u64)>) {
        self.clean = true;
        for (account, last) in last {
            self.accounts.insert(account.to_owned(), last);
        }
    }

    /// Whether the account has used more than half of its block.
    pub fn is_short(&self, account: &str, last: u64) -> bool {
        let end = self.accounts.get(account).copied().unwrap_or_default();
        end.saturating_sub(last) < BLOCK / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One run of the module.
    #[derive(Clone, Debug)]
    struct ModuleRun {
        clock: u64,
        numbers: u64,
        clean: bool,
    }

    fn runs() -> impl Strategy<Value = Vec<ModuleRun>> {
        let one = (0u64..4_000_000_000_000_000, 0u64..3 * BLOCK, any::<bool>());
        let one = one.prop_map(|(clock, numbers, clean)| ModuleRun {
            clock,
            numbers,
            clean,
        });
        proptest::collection::vec(one, 1..20)
    }

    proptest! {
        /// However the runs end and whatever the clock does, the numbers of each run are above
        /// those of all earlier runs, and follow without a gap after a clean stop.
        #[test]
        fn no_number_is_used_twice(runs in runs()) {
            let mut disk = Reservation::default().text();
            let mut before: Option<(u64, bool)> = None;
            for run in runs {
                let mut reservation = Reservation::parse(&disk).unwrap();
                let first = reservation.last("main", Time::from_micros(run.clock));
                if let Some((highest, clean)) = before {
                    prop_assert!(first >= highest);
                    prop_assert!(!clean || first == highest);
                }
                reservation.reserve([("main", first)].into_iter());
                disk = reservation.text();
                let mut last = first;
                // In steps, as the persister checks the reservation.
                while last < first + run.numbers {
                    last += BLOCK / 4;
                    if reservation.is_short("main", last) {
                        reservation.reserve([("main", last)].into_iter());
                        disk = reservation.text();
                    }
                }
                if run.clean {
                    reservation.close([("main", last)].into_iter());
                    disk = reservation.text();
                }
                before = Some((last, run.clean));
            }
        }
    }

    #[test]
    fn what_another_version_has_put_into_the_file_is_kept() {
        let text = r#"{"clean":true,"accounts":{"main":7},"format":2}"#;
        let mut read = Reservation::parse(text).unwrap();
        read.close([("main", 8)].into_iter());
        assert_eq!(read.text(), text.replace('7', "8"));
    }

    #[test]
    fn a_number_at_the_end_of_its_range_is_refused_and_does_not_wrap() {
        for number in [u64::MAX, HIGHEST, HIGHEST - BLOCK] {
            let text = format!(r#"{{"clean":true,"accounts":{{"main":{number}}}}}"#);
            let why = Reservation::parse(&text).unwrap_err();
            assert!(why.contains("account 'main' is too high"), "{why}");
        }
        assert!(Reservation::parse("nonsense").is_err());
        // Without a file: behind the known numbers, whatever the clock says.
        let given = [("main".to_owned(), 7_000)].into();
        for (clock, expected) in [(5, 7_000 + BLOCK), (1 << 40, 1 << 40)] {
            let now = Time::from_micros(clock);
            assert_eq!(Reservation::after(&given, now).last("main", now), expected);
        }
        let late = Reservation::default().last("main", Time::from_micros(u64::MAX));
        assert!(late < HIGHEST);
    }
}
