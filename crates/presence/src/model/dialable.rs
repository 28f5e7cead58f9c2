//! Texts that can be dialled: numbers, extensions and contexts.

use std::borrow::Cow;

/// The longest number, in digits with a leading `+`.
pub const MAX_NUMBER: usize = 40;

/// The longest extension, context, mailbox or channel variable: Asterisk's own limit, in
/// bytes.
pub const MAX_NAME: usize = 79;

/// Whether the text is a phone number such as `+491701234567`.
pub fn is_number(given: &str) -> bool {
    let digits = given.strip_prefix('+').unwrap_or(given);
    let is_good = digits.bytes().all(|byte| byte.is_ascii_digit());
    !digits.is_empty() && given.len() <= MAX_NUMBER && is_good
}

/// Whether the text can be an extension or a context.
pub fn is_name(given: &str) -> bool {
    let good =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+' | '*' | '#');
    !given.is_empty() && given.chars().all(good)
}

/// An extension as the dialplan compares it, which ignores hyphens.
pub fn without_hyphens(extension: &str) -> Cow<'_, str> {
    match extension.contains('-') {
        true => Cow::Owned(extension.replace('-', "")),
        false => Cow::Borrowed(extension),
    }
}
