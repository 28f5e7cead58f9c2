//! What people write: subtypes and messages, and the texts of the interfaces.
//!
//! A text is up to 255 bytes of UTF-8 without control characters. CustomPresence
//! hands out at most 255 decoded bytes a field, and a line end would reach an AMI
//! header; so both are refused at the door rather than repaired later.

use std::fmt;

/// The longest subtype or message, in bytes.
pub const MAX_BYTES: usize = 255;

/// Why a text is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// Longer than [`MAX_BYTES`]; holds its length in bytes.
    TooLong(usize),
    /// Holds a control character (a line end, a tab, an escape, ...).
    Control,
    /// Is not UTF-8.
    NotUtf8,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TooLong(len) => {
                write!(f, "is {len} bytes long, expected at most {MAX_BYTES}")
            }
            Refused::Control => {
                f.write_str("holds a control character, expected printable text on one line")
            }
            Refused::NotUtf8 => f.write_str("is not UTF-8"),
        }
    }
}

/// Checks a subtype or message.
///
/// # Errors
/// Says which of the three rules the text breaks.
pub fn check(text: &str) -> Result<(), Refused> {
    if text.len() > MAX_BYTES {
        return Err(Refused::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(Refused::Control);
    }
    Ok(())
}

/// Checks bytes from outside and gives them as text.
///
/// # Errors
/// As [`check`], or [`Refused::NotUtf8`].
pub fn from_bytes(bytes: &[u8]) -> Result<&str, Refused> {
    let text = std::str::from_utf8(bytes).map_err(|_| Refused::NotUtf8)?;
    check(text)?;
    Ok(text)
}

/// Splits at unescaped commas into at most `max` fields, the rest staying in the
/// last; `\,` is a comma, any other backslash and quotes are literal.
pub fn split_escaped(text: &str, max: usize) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let last = fields.len() - 1;
        match c {
            '\\' if chars.peek() == Some(&',') => {
                chars.next();
                fields[last].push(',');
            }
            ',' if fields.len() < max => fields.push(String::new()),
            _ => fields[last].push(c),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_commas_stay_and_quotes_are_literal() {
        assert_eq!(
            split_escaped(r#"away,lunch,"Back" at one\, or two"#, 4),
            ["away", "lunch", r#""Back" at one, or two"#]
        );
        assert_eq!(split_escaped(r"a\\b,c\n", 4), [r"a\\b", r"c\n"]);
        assert_eq!(split_escaped("a,b,c,d,e", 4), ["a", "b", "c", "d,e"]);
        assert_eq!(split_escaped("", 4), [""]);
        assert_eq!(split_escaped(r"end\", 4), [r"end\"]);
    }

    #[test]
    fn refuses_long_and_control_text() {
        assert_eq!(check(&"é".repeat(127)), Ok(()));
        assert_eq!(check(&"é".repeat(128)), Err(Refused::TooLong(256)));
        assert_eq!(check("a\r\nb"), Err(Refused::Control));
        assert_eq!(check("a\u{85}b"), Err(Refused::Control));
        assert_eq!(from_bytes(b"\xff"), Err(Refused::NotUtf8));
    }
}
