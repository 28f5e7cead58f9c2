//! Values that set a status: `status[,subtype[,message[,options]]]`, in the same form for
//! dialplan, CLI and AMI. The status is a state or a status type.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::model::ending::{self, Clock};
use crate::model::state::Presence;
use crate::model::status::{StatusType, Statuses};
use crate::model::suggest;
use crate::model::text;
use crate::model::time::Time;

/// A chosen status.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    /// The status type.
    pub status: Arc<StatusType>,
    /// The presence to set; `None` for a type that is mapped to nothing.
    pub presence: Option<Presence>,
    /// The time at which the status ends; `None` without an end.
    pub until: Option<Time>,
    /// Whether no message was given, so that the user's own note for the status becomes the
    /// message.
    pub takes_note: bool,
}

impl Choice {
    /// The choice of a status type with its configured texts, without an end.
    pub fn of(status: &Arc<StatusType>) -> Self {
        Choice {
            status: status.clone(),
            presence: status.maps_to.clone(),
            until: None,
            takes_note: true,
        }
    }
}

impl Choice {
    /// The same choice with an end.
    ///
    /// # Errors
    /// A message if the end is in the past or more than ten years ahead.
    pub fn ending(mut self, until: Option<Time>, now: Time) -> Result<Self, String> {
        if let Some(until) = until {
            if until <= now {
                return Err("until is in the past, expected a time in the future".into());
            }
            if until > now.after(Duration::from_secs(LONGEST)) {
                return Err("until is more than ten years ahead".into());
            }
            self.until = Some(until);
        }
        Ok(self)
    }
}

/// The parts of an assignment as written; see [`parse`].
#[derive(Clone, Copy, Default, Debug)]
pub struct Parts<'a> {
    /// A state or a status type.
    pub status: &'a str,
    /// The subtype; empty for the subtype of the status type.
    pub subtype: &'a str,
    /// The message; empty for the message of the status type.
    pub message: &'a str,
    /// `e`: the texts are in base64. `t(seconds)`, `t(30m)`, `u(Unix time in seconds)` or
    /// `u(14:30)`: the end of the status, which `for 30m` and `until 14:30` give too.
    pub options: &'a str,
}

/// Parses the value that is assigned to `USER_PRESENCE()`. The last field contains the
/// options even if it is the second or third one, provided it
/// [has the form of options](are_options).
///
/// # Errors
/// A message that names the wrong argument and the expected form.
pub fn parse(value: &str, statuses: &Statuses, clock: &Clock<'_>) -> Result<Choice, String> {
    let fields = text::split_escaped(value, 4);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let (status, texts) = fields.split_first().unwrap_or((&"", &[]));
    Parts::in_order(status, texts).choice(statuses, clock)
}

/// Whether a text has the form of options with an end of the status: `t(..)` or `u(..)`,
/// with or without `e`.
pub fn are_options(text: &str) -> bool {
    let (mut rest, mut ends) = (text.trim(), false);
    while let Some(option) = rest.chars().next() {
        rest = rest[option.len_utf8()..].trim_start();
        match option {
            'e' => {}
            't' | 'u' => match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
                Some((_, after)) => (rest, ends) = (after.trim_start(), true),
                None => return false,
            },
            _ => return false,
        }
    }
    ends
}

impl<'a> Parts<'a> {
    /// The parts from the fields of a value: subtype, message and options. The options may
    /// directly follow the status or the subtype.
    pub fn in_order(status: &'a str, texts: &[&'a str]) -> Self {
        let (texts, options) = match texts {
            [texts @ .., last] if texts.len() < 2 && are_options(last) => (texts, *last),
            texts => (texts, texts.get(2).copied().unwrap_or_default()),
        };
        let text = |at: usize| texts.get(at).copied().unwrap_or_default();
        Parts {
            status,
            subtype: text(0),
            message: text(1),
            options,
        }
    }
}

impl Parts<'_> {
    /// The status that these parts choose.
    ///
    /// # Errors
    /// A message that names the wrong argument and the expected form.
    pub fn choice(&self, statuses: &Statuses, clock: &Clock<'_>) -> Result<Choice, String> {
        let name = self.status.trim();
        let Some(status) = statuses.find(name) else {
            let expected = statuses.expected();
            return Err(match name {
                "" => format!("the status is missing, expected {expected}"),
                _ => format!(
                    "unknown status '{}'{}",
                    text::quoted(name),
                    suggest::expected(name, &expected)
                ),
            });
        };
        let options = Options::parse(self.options, clock)?;
        let subtype = options.text("subtype", self.subtype)?;
        let message = options.text("message", self.message)?;
        let mut choice = Choice::of(status);
        choice.until = options.until;
        if subtype.is_empty() && message.is_empty() {
            return Ok(choice);
        }
        let Some(mapped) = &status.maps_to else {
            return Err(format!(
                "the status '{}' is mapped to no state, expected no subtype and no message",
                status.name
            ));
        };
        choice.takes_note = message.is_empty();
        let own = |given: String, of_type: &str| match given.is_empty() {
            true => of_type.to_owned(),
            false => given,
        };
        let subtype = own(subtype, mapped.subtype());
        let message = own(message, mapped.message());
        let presence = Presence::new(mapped.state(), &subtype, &message);
        if subtype != mapped.subtype() {
            // The given subtype may belong to another type.
            choice.status = statuses.meaning(&presence).unwrap_or(status).clone();
        }
        choice.presence = Some(presence);
        Ok(choice)
    }
}

/// The greatest time from now to the end of a status, in seconds: ten years.
const LONGEST: u64 = 10 * 366 * 86_400;

/// The parsed options.
#[derive(Default)]
struct Options {
    encoded: bool,
    until: Option<Time>,
}

impl Options {
    fn parse(options: &str, clock: &Clock<'_>) -> Result<Self, String> {
        let mut parsed = Options::default();
        let mut rest = options.trim();
        if let Some(until) = in_words(rest, clock) {
            parsed.until = Some(until?);
            return Ok(parsed);
        }
        while let Some(option) = rest.chars().next() {
            rest = rest[option.len_utf8()..].trim_start();
            match option {
                'e' => parsed.encoded = true,
                't' | 'u' if parsed.until.is_some() => {
                    return Err("the status has two ends, expected t() or u()".into());
                }
                't' | 'u' => {
                    let until = argument(option, &mut rest)?;
                    let until = match option {
                        't' => after(until, clock.now),
                        _ => at(until, clock),
                    };
                    parsed.until = Some(until?);
                }
                _ => {
                    return Err(format!(
                        "unknown option '{}', expected e (subtype and message in base64), \
                         t(seconds) or t(30m), u(Unix time) or u(14:30); a comma within a text \
                         is written \\,",
                        text::quoted(options)
                    ));
                }
            }
        }
        Ok(parsed)
    }

    /// A subtype or message, decoded if option `e` is given.
    fn text(&self, name: &str, given: &str) -> Result<String, String> {
        let decoded = match self.encoded {
            true => decode(name, given)?,
            false => given.to_owned(),
        };
        text::check(&decoded).map_err(|why| format!("the {name} {why}"))?;
        Ok(decoded)
    }
}

/// Parses an end of a status in words: `for 30m`, `until 14:30` or `30m`; `None` if the text
/// has none of these forms.
///
/// # Errors
/// A message that gives the expected form.
pub fn in_words(text: &str, clock: &Clock<'_>) -> Option<Result<Time, String>> {
    let text = text.trim();
    let after_word = |word: &str| {
        let (first, rest) = text.split_once(char::is_whitespace)?;
        first.eq_ignore_ascii_case(word).then_some(rest.trim())
    };
    if let Some(length) = after_word("for") {
        return Some(ending::duration(length).and_then(|_| after(length, clock.now)));
    }
    if let Some(time) = after_word("until") {
        return Some(at(time, clock));
    }
    ending::duration(text)
        .is_ok()
        .then(|| after(text, clock.now))
}

/// The end after a number of seconds or a length of time.
fn after(given: &str, now: Time) -> Result<Time, String> {
    let given = given.trim();
    let seconds = match given.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => ending::duration(given)
            .map_err(|_| {
                format!(
                    "option t({}) is not a length of time, expected one such as t(300), \
                     t(30m) or t(1h30m)",
                    text::quoted(given)
                )
            })?
            .as_secs(),
    };
    match seconds {
        1..=LONGEST => Ok(now.after(Duration::from_secs(seconds))),
        _ => Err(format!(
            "option t({}), expected 1 to {LONGEST} seconds",
            text::quoted(given)
        )),
    }
}

/// The end at a Unix time in seconds, or at a time of day.
fn at(given: &str, clock: &Clock<'_>) -> Result<Time, String> {
    let given = given.trim();
    if let Ok(minutes) = ending::time_of_day(given) {
        return Ok(clock.next(minutes));
    }
    let Ok(time) = given.parse::<u64>() else {
        return Err(format!(
            "option u({}) without a Unix time in seconds or a time of day, expected one such \
             as u(1767225600) or u(14:30)",
            text::quoted(given)
        ));
    };
    let ahead = time.checked_sub(clock.now.millis() / 1000);
    match ahead {
        Some(1..=LONGEST) => Ok(Time::from_millis(time.saturating_mul(1000))),
        Some(1..) => Err(format!(
            "option u({time}) is more than ten years ahead, expected a Unix time in seconds"
        )),
        _ => Err(format!(
            "option u({time}) is in the past, expected a Unix time in seconds"
        )),
    }
}

/// The text in the parentheses at the beginning of `rest`, which advances past them.
fn argument<'a>(option: char, rest: &mut &'a str) -> Result<&'a str, String> {
    let inside = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let (argument, after) = inside.ok_or(match option {
        't' => "option t without a length of time, expected one such as t(300) or t(30m)",
        _ => {
            "option u without a Unix time in seconds, expected one such as u(1767225600) or \
             u(14:30)"
        }
    })?;
    *rest = after.trim_start();
    Ok(argument)
}

fn decode(name: &str, given: &str) -> Result<String, String> {
    let bytes = BASE64.decode(given).map_err(|_| {
        format!(
            "the {name} '{}' is not base64, which option e requires",
            text::quoted(given)
        )
    })?;
    String::from_utf8(bytes).map_err(|_| format!("the {name} {}", text::Refused::NotUtf8))
}

/// The value that sets a status type with this presence, without an end.
pub fn value_of(status: Option<&StatusType>, presence: &Presence) -> String {
    if let Some(unmapped) = status.filter(|status| status.maps_to.is_none()) {
        return unmapped.name.to_string();
    }
    let (subtype, message) = (presence.subtype(), presence.message());
    let state = presence.state().name();
    let name = status.map_or(state, |status| &status.name);
    let special = |text: &str| text.contains([',', '\\']) || are_options(text);
    match (subtype, message) {
        ("", "") => name.to_owned(),
        (subtype, message) if special(subtype) || special(message) => {
            format!("{name},{},{},e", encode(subtype), encode(message))
        }
        (subtype, "") => format!("{name},{subtype}"),
        (subtype, message) => format!("{name},{subtype},{message}"),
    }
}

/// A text in base64, as a read with option `e` returns it.
pub fn encode(text: &str) -> String {
    BASE64.encode(text)
}

/// The value that sets `PRESENCE_STATE(CustomPresence:...)` to a presence. That function splits
/// its value at every comma and supports no quoting, so texts with a comma are in base64.
pub fn custom_presence(presence: &Presence) -> String {
    let (state, subtype, message) = (presence.state(), presence.subtype(), presence.message());
    if subtype.contains(',') || message.contains(',') {
        format!("{state},{},{},e", encode(subtype), encode(message))
    } else if !message.is_empty() {
        format!("{state},{subtype},{message}")
    } else if !subtype.is_empty() {
        format!("{state},{subtype}")
    } else {
        state.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::state::State;
    use proptest::prelude::*;

    const NOW: Time = Time::from_millis(1_700_000_000_500);

    fn statuses() -> Statuses {
        let mut statuses = Statuses::default();
        let mut put = |name: &str, maps_to| {
            statuses.put(StatusType {
                name: name.into(),
                label: name.into(),
                maps_to,
                activities: Box::default(),
            });
        };
        put(
            "lunch",
            Some(Presence::new(State::Away, "lunch", "At lunch")),
        );
        put("home", None);
        statuses
    }

    fn choice(value: &str) -> Result<Choice, String> {
        parse(value, &statuses(), &Clock::utc(NOW))
    }

    fn presence(value: &str) -> Presence {
        choice(value).unwrap().presence.unwrap()
    }

    #[test]
    fn fields_are_parsed_in_order() {
        let found = presence(r#"AWAY,lunch,"Back" at one\, or two"#);
        assert!(found.is(State::Away, "lunch", r#""Back" at one, or two"#));
        assert!(presence("dnd").is(State::Dnd, "", ""));
        assert!(presence("xa,bHVuY2g=,,e").is(State::Xa, "lunch", ""));
    }

    #[test]
    fn given_texts_override_those_of_a_type() {
        let lunch = choice("Lunch").unwrap();
        assert_eq!(&*lunch.status.name, "lunch");
        assert!(presence("lunch").is(State::Away, "lunch", "At lunch"));
        assert!(presence("lunch,,Back at one").is(State::Away, "lunch", "Back at one"));
        assert_eq!(&*choice("away,lunch").unwrap().status.name, "lunch");
        assert_eq!(&*choice("lunch,out").unwrap().status.name, "away");
        assert_eq!(choice("home").unwrap().presence, None);
        let why = choice("home,,hello").unwrap_err();
        assert!(why.contains("'home' is mapped to no state"), "{why}");
    }

    #[test]
    fn the_value_of_an_own_status_sets_it_again() {
        for value in [
            "dnd",
            "lunch,lunch,At lunch",
            "away,out",
            "home",
            r"chat,a\, b,\d",
            "xa,,x",
            "xa,,t(5),",
            "xa,t(5),,",
        ] {
            let chosen = choice(value).unwrap();
            let presence = chosen.presence.clone().unwrap_or_default();
            let value_again = value_of(Some(&chosen.status), &presence);
            assert_eq!(choice(&value_again), Ok(chosen), "{value}");
        }
        assert_eq!(value_of(None, &Presence::default()), "not_set");
    }

    #[test]
    fn options_give_the_end() {
        let until = |options: &str| choice(&format!("away,,,{options}")).unwrap().until;
        assert_eq!(until(""), None);
        assert_eq!(until("t(30)"), Some(Time::from_millis(1_700_000_030_500)));
        let at = Some(Time::from_millis(1_700_000_060_000));
        assert_eq!(until("u(1700000060)"), at);
        assert_eq!(until("e u( 1700000060 )"), at);
        let half_an_hour = Some(Time::from_millis(1_700_001_800_500));
        for same in [
            "t(30m)",
            "t( 1800 )",
            "for 30m",
            "FOR 30min",
            "30m",
            "t(0h30m)",
        ] {
            assert_eq!(until(same), half_an_hour, "{same}");
        }
        // `NOW` is 22:13:20 UTC.
        let midnight = Some(Time::from_millis(1_700_006_400_000));
        for same in ["u(00:00)", "until 0:00", "until 1700006400"] {
            assert_eq!(until(same), midnight, "{same}");
        }
        for (bad, expected) in [
            ("t", "expected one such as t(300)"),
            ("t(-1)", "expected one such as t(300)"),
            ("t(-5m)", "expected one such as t(300)"),
            ("t(30m", "expected one such as t(300)"),
            ("t(20000d)", "expected 1 to "),
            ("t(99999999999999999999h)", "expected one such as t(300)"),
            ("u(25:00)", "a time of day"),
            ("until noon", "a time of day"),
            ("for ever", "expected one such as 30m"),
            ("for 30", "expected one such as 30m"),
            ("until 1699999999", "is in the past"),
            ("t(5", "expected one such as t(300)"),
            ("t(0)", "expected 1 to "),
            ("t(99999999999)", "expected 1 to "),
            ("u(1699999999)", "is in the past"),
            ("u(1700000060000)", "more than ten years ahead"),
            ("u(18446744073709551616)", "without a Unix time"),
            ("t(5)u(1700000060)", "has two ends"),
            ("x", "unknown option 'x'"),
        ] {
            let why = choice(&format!("away,,,{bad}")).unwrap_err();
            assert!(why.contains(expected), "{bad}: {why}");
        }
    }

    #[test]
    fn options_are_recognized_by_their_form() {
        let end = Some(Time::from_millis(1_700_001_800_500));
        for (value, subtype, message) in [
            ("away,t(1800)", "", ""),
            ("away,out,t(30m)", "out", ""),
            ("away,,t(30m)", "", ""),
            ("away,b3V0,YQ==,et(30m)", "out", "a"),
            ("away,b3V0,e t(30m)", "out", ""),
        ] {
            let choice = choice(value).unwrap();
            assert!(
                choice.presence.unwrap().is(State::Away, subtype, message),
                "{value}"
            );
            assert_eq!(choice.until, end, "{value}");
        }
        // None of these has the form of options: they are texts.
        for (value, subtype, message) in [
            ("away,e", "e", ""),
            ("away,t", "t", ""),
            ("away,,until 14:30", "", "until 14:30"),
            ("away,at(5)", "at(5)", ""),
            ("away,t(5),back", "t(5)", "back"),
            ("away,,t(5),", "", "t(5)"),
            ("away,,out t(5)", "", "out t(5)"),
        ] {
            let choice = choice(value).unwrap();
            assert!(
                choice.presence.unwrap().is(State::Away, subtype, message),
                "{value}"
            );
            assert_eq!(choice.until, None, "{value}");
        }
        let why = choice("away,t(soon)").unwrap_err();
        assert!(
            why.contains("option t(soon) is not a length of time"),
            "{why}"
        );
    }

    #[test]
    fn each_mistake_has_its_message() {
        let message = |value: &str| choice(value).unwrap_err();
        assert!(message("busy").starts_with("unknown status 'busy', expected not_set, "));
        assert!(message("").starts_with("the status is missing"));
        assert!(message("away,,Back, soon").contains(r"a comma within a text is written \,"));
        assert!(message("away,a b,,e").contains("subtype 'a b' is not base64"));
        assert!(message("away,/w==,,e").contains("subtype is not UTF-8"));
        let long = format!("away,,{}", "x".repeat(256));
        assert!(message(&long).contains("message is 256 bytes long, expected at most 255"));
        assert!(message("away,\u{7}").contains("subtype holds a control character"));
    }

    proptest! {
        #[test]
        fn no_input_panics(value in ".*") {
            let _ = choice(&value);
        }

        #[test]
        fn no_options_panic(value in "[etu()0-9 ü]*") {
            let _ = choice(&format!("away,,,{value}"));
        }

        /// An escaped comma in the value, and base64 for CustomPresence, preserve the text.
        #[test]
        fn texts_round_trip(subtype in "[^\\p{Cc}\\\\]{0,60}", message in "[^\\p{Cc}\\\\]{0,60}") {
            let escaped = |text: &str| text.replace(',', r"\,");
            let value = format!("chat,{},{}", escaped(&subtype), escaped(&message));
            let found = presence(&value);
            prop_assert!(found.is(State::Chat, &subtype, &message));
            let written = custom_presence(&found);
            let plain: Vec<_> = written.splitn(4, ',').map(str::to_owned).collect();
            let part = |i: usize| plain.get(i).map_or("", String::as_str);
            let parts = Parts {
                status: part(0),
                subtype: part(1),
                message: part(2),
                options: part(3),
            };
            let again = parts.choice(&statuses(), &Clock::utc(NOW)).unwrap().presence.unwrap();
            prop_assert_eq!(again, found);
        }
    }
}
