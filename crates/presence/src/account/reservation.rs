//! Which numbers an account may have given out, so that none is given twice.
//!
//! Before an account gives out numbers, a block of them is reserved on disk. After a stop
//! in order the account goes on with the next number. After any other end it goes on
//! behind the block: numbers are skipped, and none comes twice, whatever the clock does.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::model::time::Time;

/// How many numbers are reserved at a time: enough for 100,000 a second over half a day.
pub const BLOCK: u64 = 1 << 32;

/// The highest number that is given out: 2^53 - 1, the highest that every reader of JSON
/// takes for what it is (RFC 8259, section 6).
pub const HIGHEST: u64 = (1 << 53) - 1;

/// What is on disk.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct Reservation {
    /// Whether the last stop was one in order: then the numbers are the last ones given,
    /// else the last ones reserved.
    clean: bool,
    /// By account.
    accounts: BTreeMap<String, u64>,
}

impl Reservation {
    /// Reads the file's text.
    ///
    /// # Errors
    /// Where it is not what [`Reservation::text`] writes, or a number is so high that no
    /// further ones can be given out.
    pub fn parse(text: &str) -> Result<Self, String> {
        let read: Reservation = serde_json::from_str(text).map_err(|why| why.to_string())?;
        // Room for this run's block and for that of the next.
        let most = HIGHEST - 2 * BLOCK;
        match read.accounts.iter().find(|(_, number)| **number > most) {
            Some((account, number)) => Err(format!(
                "the number {number} of account '{account}' is too high, expected at most {most}"
            )),
            None => Ok(read),
        }
    }

    /// Where the file is lost: behind what the accounts are known to have given out, and not
    /// before the time.
    pub fn after(given: &HashMap<String, u64>, now: Time) -> Self {
        let most = HIGHEST - 2 * BLOCK;
        let after = given.iter().map(|(account, given)| {
            let number = given.saturating_add(BLOCK).max(now.micros());
            (account.clone(), number.min(most))
        });
        Reservation {
            clean: false,
            accounts: after.collect(),
        }
    }

    /// The file's text.
    pub fn text(&self) -> String {
        // Plain maps of texts and numbers always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The account's last number: its next transition has the one after it. For an account
    /// that was never there it is the time, so that one whose file is lost goes on above.
    pub fn last(&self, account: &str, now: Time) -> u64 {
        let most = HIGHEST - 2 * BLOCK;
        let known = self.accounts.get(account).copied();
        known.unwrap_or_else(|| now.micros().min(most))
    }

    /// Reserves a block after these last numbers. What other accounts have stays.
    pub fn reserve<'a>(&mut self, last: impl Iterator<Item = (&'a str, u64)>) {
        self.clean = false;
        for (account, last) in last {
            let end = last.saturating_add(BLOCK);
            self.accounts.insert(account.to_owned(), end);
        }
    }

    /// These are the last numbers, and no more will be given out.
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

    /// What one run of the module does.
    #[derive(Clone, Debug)]
    struct ModuleRun {
        clock: u64,
        numbers: u64,
        in_order: bool,
    }

    fn runs() -> impl Strategy<Value = Vec<ModuleRun>> {
        let one = (0u64..4_000_000_000_000_000, 0u64..3 * BLOCK, any::<bool>());
        let one = one.prop_map(|(clock, numbers, in_order)| ModuleRun {
            clock,
            numbers,
            in_order,
        });
        proptest::collection::vec(one, 1..20)
    }

    proptest! {
        /// However the runs end and whatever the clock does, each run's numbers are above
        /// those of every run before it, and without a gap after a stop in order.
        #[test]
        fn no_number_comes_twice(runs in runs()) {
            let mut disk = Reservation::default().text();
            let mut before: Option<(u64, bool)> = None;
            for run in runs {
                let mut reservation = Reservation::parse(&disk).unwrap();
                let first = reservation.last("main", Time::from_micros(run.clock));
                if let Some((highest, in_order)) = before {
                    prop_assert!(first >= highest);
                    prop_assert!(!in_order || first == highest);
                }
                reservation.reserve([("main", first)].into_iter());
                disk = reservation.text();
                let mut last = first;
                // In steps, as the keeper looks at them.
                while last < first + run.numbers {
                    last += BLOCK / 4;
                    if reservation.is_short("main", last) {
                        reservation.reserve([("main", last)].into_iter());
                        disk = reservation.text();
                    }
                }
                if run.in_order {
                    reservation.close([("main", last)].into_iter());
                    disk = reservation.text();
                }
                before = Some((last, run.in_order));
            }
        }
    }

    #[test]
    fn a_number_at_the_end_of_its_range_is_refused_and_does_not_wrap() {
        for number in [u64::MAX, HIGHEST, HIGHEST - BLOCK] {
            let text = format!(r#"{{"clean":true,"accounts":{{"main":{number}}}}}"#);
            let why = Reservation::parse(&text).unwrap_err();
            assert!(why.contains("account 'main' is too high"), "{why}");
        }
        assert!(Reservation::parse("nonsense").is_err());
        // Without a file: behind what is known, whatever the clock says.
        let given = [("main".to_owned(), 7_000)].into();
        for (clock, expected) in [(5, 7_000 + BLOCK), (1 << 40, 1 << 40)] {
            let now = Time::from_micros(clock);
            assert_eq!(Reservation::after(&given, now).last("main", now), expected);
        }
        let late = Reservation::default().last("main", Time::from_micros(u64::MAX));
        assert!(late < HIGHEST);
    }
}
