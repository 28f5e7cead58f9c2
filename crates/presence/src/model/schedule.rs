//! Time ranges in Asterisk's own form: `times,days of week,days of month,months`.
//!
//! Asterisk logs and skips the parts of a range that it cannot parse, so a range with a
//! mistake would silently mean something else. This check refuses such a range.
//!
//! The form: a field is `*`, or a list of single values and ranges joined by
//! `&`; a range may wrap around, as `22:00-06:00` and `fri-mon` do, and includes its
//! last minute. Missing fields at the end and empty fields mean `*`. Days of the week and
//! months are names of three letters, or numbers that begin with 1 for Sunday and
//! January. Fields are separated by `,` or, as in old dialplans, `|`.

use crate::model::text::quoted;

/// The form of a time range, for messages.
const FORM: &str = "times,days of week,days of month,months, such as 09:00-17:00,mon-fri,*,*";

const DAYS: &[&str] = &["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const MONTHS: &[&str] = &[
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Checks one time range.
///
/// # Errors
/// A message that names the wrong part and the expected form.
pub fn check(range: &str) -> Result<(), String> {
    if range.trim().is_empty() {
        return Err(format!("the time range is empty, expected {FORM}"));
    }
    let fields: Vec<&str> = range.split([',', '|']).collect();
    let field = |number: usize| fields.get(number).copied().unwrap_or("*");
    if fields.len() == 5 {
        return Err(format!(
            "'{}' follows the months, expected no fifth field: a time zone belongs in the \
             option timezone",
            quoted(field(4))
        ));
    }
    if fields.len() > 5 {
        return Err(format!(
            "'{}' has {} fields, expected {FORM}",
            quoted(range),
            fields.len()
        ));
    }
    // Asterisk ignores blanks around a time, but not elsewhere.
    each(
        field(0),
        |time| is_time(time.trim_matches([' ', '\t'])),
        "time",
        TIME,
    )?;
    let day = |text: &str| is_name(text, DAYS) || is_number(text, 1, 7);
    each(field(1), day, "day of the week", DAY_OF_WEEK)?;
    each(
        field(2),
        |text| is_number(text, 1, 31),
        "day of the month",
        DAY,
    )?;
    let month = |text: &str| is_name(text, MONTHS) || is_number(text, 1, 12);
    each(field(3), month, "month", MONTH)
}

const TIME: &str = "*, or times from 00:00 to 23:59 such as 09:00-12:30&13:30-17:00";
const DAY_OF_WEEK: &str = "*, or sun, mon, tue, wed, thu, fri, sat, such as mon-wed&fri";
const DAY: &str = "*, or days from 1 to 31 such as 1-15&24";
const MONTH: &str =
    "*, or jan, feb, mar, apr, may, jun, jul, aug, sep, oct, nov, dec, such as jan-mar&oct";

/// Checks every value of a field.
fn each(
    field: &str,
    is_good: impl Fn(&str) -> bool,
    what: &str,
    expected: &str,
) -> Result<(), String> {
    if matches!(field, "" | "*") {
        return Ok(());
    }
    for element in field.split('&') {
        let (first, last) = match element.split_once('-') {
            Some((first, last)) => (first, Some(last)),
            None => (element, None),
        };
        for value in [Some(first), last].into_iter().flatten() {
            if is_good(value) {
                continue;
            }
            let mut problem = format!("{what} '{}'", quoted(value));
            if value != field {
                problem.push_str(&format!(" in '{}'", quoted(field)));
            }
            // The most likely mistake, and one that is hard to see.
            let blanks = match value != value.trim() && is_good(value.trim()) {
                true => " without blanks",
                false => "",
            };
            return Err(format!("{problem}, expected {expected}{blanks}"));
        }
    }
    Ok(())
}

fn is_time(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(hour, minute)| is_number(hour, 0, 23) && is_number(minute, 0, 59))
}

fn is_name(text: &str, names: &[&str]) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(text))
}

/// Whether the text is a number of one or two digits in the given range: Asterisk reads
/// two digits at most.
fn is_number(text: &str, least: u8, most: u8) -> bool {
    let digits = text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse::<u8>().ok().filter(|_| digits);
    number.is_some_and(|number| (least..=most).contains(&number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_that_asterisk_accepts_pass() {
        for range in [
            "*",
            "*,*,*,*",
            "09:00-17:00,mon-fri,*,*",
            "9:00-17:00|Mon-FRI|*|*",
            "09:00-12:30&13:30-17:00,mon&wed&fri-sat",
            "22:00-06:00",
            "12:15",
            "09:00 - 17:00 & 18:00",
            "0:0-23:59,fri-mon,28-3,nov-feb",
            "*,2-6,1&15&31,1-12",
            ",mon-fri",
            "*,,,dec",
        ] {
            assert_eq!(check(range), Ok(()), "{range}");
        }
    }

    #[track_caller]
    fn refused(range: &str, message: &str) {
        let why = check(range).unwrap_err();
        assert!(why.starts_with(message), "{range}: {why}");
    }

    #[test]
    fn ranges_that_asterisk_would_misread_are_refused() {
        refused("", "the time range is empty, expected times,days of week");
        refused("  ", "the time range is empty");
        refused("25:00", "time '25:00', expected *, or times from 00:00");
        refused("09:00-24:00", "time '24:00' in '09:00-24:00', expected");
        for (range, part) in [
            ("09-17", "09"),
            ("09:00-", ""),
            ("-17:00", ""),
            ("09:00&", ""),
            ("09:00-12:00-17:00", "12:00-17:00"),
            ("09:00-17:00h", "17:00h"),
            ("009:00-17:00", "009:00"),
            ("+9:00-17:00", "+9:00"),
            ("09:00-17:60", "17:60"),
            ("mon-fri", "mon"),
        ] {
            refused(range, &format!("time '{part}' in '{range}'"));
        }
        refused(" *", "time ' *', expected");
        refused("\u{a0}09:00", "time '\u{a0}09:00', expected");
        refused("*,monday", "day of the week 'monday', expected *, or sun");
        refused("*,mo-fr", "day of the week 'mo' in 'mo-fr'");
        refused("*,0-4", "day of the week '0' in '0-4'");
        refused("*,8", "day of the week '8'");
        refused("*,mon&*", "day of the week '*' in 'mon&*'");
        refused("*,*,32", "day of the month '32', expected *, or days from");
        refused("*,*,0", "day of the month '0'");
        refused("*,*,1-5-9", "day of the month '5-9' in '1-5-9'");
        refused("*,*,*,13", "month '13', expected *, or jan");
        refused("*,*,*,june", "month 'june'");
    }

    #[test]
    fn a_message_about_blanks_names_them() {
        let why = check("09:00-17:00, mon-fri").unwrap_err();
        assert!(
            why.starts_with("day of the week ' mon' in ' mon-fri'"),
            "{why}"
        );
        assert!(why.ends_with(" without blanks"), "{why}");
    }

    #[test]
    fn a_time_zone_is_refused_as_a_fifth_field() {
        refused(
            "*,*,*,*,Europe/Berlin",
            "'Europe/Berlin' follows the months, expected no fifth field: a time zone belongs \
             in the option timezone",
        );
        refused("*,*,*,*,a,b", "'*,*,*,*,a,b' has 6 fields, expected times");
    }

    proptest! {
        #[test]
        fn no_range_panics(range in ".*") {
            let _ = check(&range);
        }

        #[test]
        fn no_text_like_a_range_panics(range in "[0-9a-z:&*,| é-]{0,40}") {
            let _ = check(&range);
        }
    }
}
