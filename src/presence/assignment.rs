//! What sets a status: `state[,subtype[,message[,options]]]`, the same in dialplan,
//! CLI and AMI.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::state::{Presence, State};
use super::text;

/// Parses the value that is assigned to `USER_PRESENCE()`.
///
/// # Errors
/// One message that names the argument and what was expected.
pub fn parse(value: &str) -> Result<Presence, String> {
    let mut fields = text::split_escaped(value, 4).into_iter();
    let mut field = || fields.next().unwrap_or_default();
    let (state, subtype, message, options) = (field(), field(), field(), field());
    new(&state, &subtype, &message, &options)
}

/// A presence from its parts as people give them; `options` as in [`parse`].
///
/// # Errors
/// One message that names the argument and what was expected.
pub fn new(state: &str, subtype: &str, message: &str, options: &str) -> Result<Presence, String> {
    let state = state.trim();
    let Some(state) = State::parse(state) else {
        let expected = State::EXPECTED;
        return Err(match state {
            "" => format!("the state is missing, expected {expected}"),
            _ => format!("unknown state '{}', expected {expected}", shown(state)),
        });
    };
    let encoded = parse_options(options)?;
    let text = |name: &str, given: &str| -> Result<String, String> {
        let decoded = match encoded {
            true => decode(name, given)?,
            false => given.to_owned(),
        };
        text::check(&decoded).map_err(|why| format!("the {name} {why}"))?;
        Ok(decoded)
    };
    let (subtype, message) = (text("subtype", subtype)?, text("message", message)?);
    Ok(Presence::new(state, &subtype, &message))
}

/// Whether option `e` is among the options.
fn parse_options(options: &str) -> Result<bool, String> {
    let mut encoded = false;
    for option in options.trim().chars() {
        match option {
            'e' => encoded = true,
            _ => {
                return Err(format!(
                    "unknown option '{}', expected e (subtype and message in base64); \
                     a comma within a text is written \\,",
                    shown(options)
                ));
            }
        }
    }
    Ok(encoded)
}

fn decode(name: &str, given: &str) -> Result<String, String> {
    let bytes = BASE64.decode(given).map_err(|_| {
        format!(
            "the {name} '{}' is not base64, as option e says",
            shown(given)
        )
    })?;
    String::from_utf8(bytes).map_err(|_| format!("the {name} {}", text::Refused::NotUtf8))
}

/// Input as it may stand in a message: on one line, and not endless.
pub fn shown(input: &str) -> String {
    let mut shown: String = input.chars().take(80).collect();
    if shown.len() < input.len() {
        shown.push_str("...");
    }
    shown.replace(char::is_control, "?")
}

/// Text in base64, as option `e` of a read gives it.
pub fn encode(text: &str) -> String {
    BASE64.encode(text)
}

/// The value that gives `PRESENCE_STATE(CustomPresence:...)` this presence. It splits
/// at every comma and knows no quoting, so texts with a comma go in base64.
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
    use proptest::prelude::*;

    #[test]
    fn fields_are_taken_in_order() {
        let presence = parse(r#"AWAY,lunch,"Back" at one\, or two"#).unwrap();
        assert!(presence.is(State::Away, "lunch", r#""Back" at one, or two"#));
        assert!(parse("dnd").unwrap().is(State::Dnd, "", ""));
        let encoded = parse("xa,bHVuY2g=,,e").unwrap();
        assert!(encoded.is(State::Xa, "lunch", ""));
    }

    #[test]
    fn each_mistake_has_its_message() {
        let message = |value: &str| parse(value).unwrap_err();
        assert!(message("busy").starts_with("unknown state 'busy', expected not_set, "));
        assert!(message("").starts_with("the state is missing"));
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
            let _ = parse(&value);
        }

        /// A comma escaped in the write, and base64 where CustomPresence needs it,
        /// bring the same text back.
        #[test]
        fn texts_round_trip(subtype in "[^\\p{Cc}\\\\]{0,60}", message in "[^\\p{Cc}\\\\]{0,60}") {
            let escaped = |text: &str| text.replace(',', r"\,");
            let value = format!("chat,{},{}", escaped(&subtype), escaped(&message));
            let presence = parse(&value).unwrap();
            prop_assert!(presence.is(State::Chat, &subtype, &message));
            let written = custom_presence(&presence);
            let plain: Vec<_> = written.splitn(4, ',').map(str::to_owned).collect();
            let part = |i: usize| plain.get(i).map_or("", String::as_str);
            let again = new(part(0), part(1), part(2), part(3)).unwrap();
            prop_assert_eq!(again, presence);
        }
    }
}
