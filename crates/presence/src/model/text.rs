//! Texts that people write: subtypes and messages, and arguments of the interfaces.
//!
//! A text has up to 255 bytes of UTF-8 without control characters. CustomPresence returns
//! at most 255 decoded bytes per field, and a line end would break an AMI header. A text
//! that is set through this module is refused if it breaks these rules; a text of a source
//! is corrected, see [`mended`].

use std::borrow::Cow;
use std::fmt;

/// The longest subtype or message, in bytes.
pub const MAX_BYTES: usize = 255;

/// Why a text is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refused {
    /// The text is longer than [`MAX_BYTES`]; its length is in bytes.
    TooLong(usize),
    /// The text contains a control character (a line end, a tab, an escape, ...).
    Control,
    /// The text is not UTF-8.
    NotUtf8,
}

impl Refused {
    /// The reason as one word.
    pub const fn kind(self) -> &'static str {
        match self {
            Refused::TooLong(_) => "long",
            Refused::Control => "control",
            Refused::NotUtf8 => "UTF-8",
        }
    }

    /// How [`mended`] corrects the text, as a clause for messages.
    pub const fn mended(self) -> &'static str {
        match self {
            Refused::TooLong(_) => "it is cut after the last whole character",
            Refused::Control => "it is replaced by a blank",
            Refused::NotUtf8 => "invalid bytes are replaced",
        }
    }
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
/// The rule that the text breaks.
pub fn check(text: &str) -> Result<(), Refused> {
    if text.len() > MAX_BYTES {
        return Err(Refused::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(Refused::Control);
    }
    Ok(())
}

/// Corrects a text of a source: bytes that are not UTF-8 are replaced, control characters
/// become blanks, and a text that is too long is cut after the last whole character that
/// fits. Returns the text and the rules that it broke.
pub fn mended(bytes: &[u8]) -> (Cow<'_, str>, Vec<Refused>) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && check(text).is_ok()
    {
        return (Cow::Borrowed(text), Vec::new());
    }
    let (mut text, mut wrong) = (String::with_capacity(bytes.len()), Vec::new());
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        if chunk.invalid().is_empty() {
            continue;
        }
        // A source that cuts a text at a number of bytes can leave part of a character at the end.
        let is_cut = chunks.peek().is_none()
            && std::str::from_utf8(chunk.invalid()).is_err_and(|why| why.error_len().is_none());
        if !is_cut {
            text.push(char::REPLACEMENT_CHARACTER);
        }
        if !wrong.contains(&Refused::NotUtf8) {
            wrong.push(Refused::NotUtf8);
        }
    }
    if text.contains(char::is_control) {
        text = text.replace(char::is_control, " ");
        wrong.push(Refused::Control);
    }
    if text.len() > MAX_BYTES {
        wrong.push(Refused::TooLong(bytes.len()));
        let mut end = MAX_BYTES;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    (Cow::Owned(text), wrong)
}

/// Splits at unescaped commas into at most `max` fields; the last field contains the rest.
/// `\,` is a comma; any other backslash and all quotes are literal.
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

/// The input shortened for quoting in a message: one line of at most 80 characters.
pub fn quoted(input: &str) -> String {
    let mut quoted: String = input.chars().take(80).collect();
    if quoted.len() < input.len() {
        quoted.push_str("...");
    }
    quoted.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_commas_and_quotes_are_literal() {
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
    fn long_texts_and_control_characters_are_refused() {
        assert_eq!(check(&"é".repeat(127)), Ok(()));
        assert_eq!(check(&"é".repeat(128)), Err(Refused::TooLong(256)));
        assert_eq!(check("a\r\nb"), Err(Refused::Control));
        assert_eq!(check("a\u{85}b"), Err(Refused::Control));
    }

    #[test]
    fn texts_of_sources_are_mended() {
        let mended = |bytes: &[u8]| {
            let (text, wrong) = mended(bytes);
            (text.into_owned(), wrong)
        };
        let whole = |text: &str| (text.to_owned(), Vec::new());
        assert_eq!(mended("Grüße".as_bytes()), whole("Grüße"));
        let full = "é".repeat(127);
        assert_eq!(mended(full.as_bytes()), whole(&full));
        let long = format!("{full}é!");
        let cut = (full.clone(), vec![Refused::TooLong(257)]);
        assert_eq!(mended(long.as_bytes()), cut);
        let control = ("a  b c".to_owned(), vec![Refused::Control]);
        assert_eq!(mended("a\r\nb\u{85}c".as_bytes()), control);
        let replaced = ("a\u{fffd}b".to_owned(), vec![Refused::NotUtf8]);
        assert_eq!(mended(b"a\xffb"), replaced);
        // The source has cut the text within a character.
        let half = ("Gr".to_owned(), vec![Refused::NotUtf8]);
        assert_eq!(mended(b"Gr\xc3"), half);
        let all = mended(&[b"\n\xff".as_slice(), &[b'x'; 300]].concat());
        let kinds = [Refused::NotUtf8, Refused::Control, Refused::TooLong(302)];
        assert_eq!((all.0.len(), all.1.as_slice()), (255, kinds.as_slice()));
    }
}
