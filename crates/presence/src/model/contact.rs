//! What a directory of people has of a user: the person's name, title and mail address.

use crate::model::text::{self, quoted};

/// The longest name, title or mail address, in bytes of UTF-8.
pub const MAX_BYTES: usize = text::MAX_BYTES;

/// A user's entry in the directory. Most fields may be empty.
#[derive(Clone, PartialEq, Eq, Debug, Default, Hash)]
pub struct Contact {
    /// The person's name, such as `Alice Adams`.
    pub name: Box<str>,
    /// The title or position, such as `Head of Sales`.
    pub title: Box<str>,
    /// The mail address.
    pub email: Box<str>,
}

impl Contact {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.name.is_empty() && self.title.is_empty() && self.email.is_empty()
    }
}

/// Checks a mail address: one `@` with text before and after it, and no blanks. Whether mail
/// arrives there is not known.
///
/// # Errors
/// A message with the address and what was expected.
pub fn check_email(email: &str) -> Result<(), String> {
    let parts = email.split_once('@');
    let good = parts.is_some_and(|(before, after)| {
        !before.is_empty() && !after.is_empty() && !after.contains('@')
    });
    match good && !email.contains(char::is_whitespace) {
        true => Ok(()),
        false => Err(format!(
            "'{}' is not a mail address, expected one such as alice@example.com",
            quoted(email)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_address_has_one_at_sign_and_no_blanks() {
        for good in ["a@b", "alice.adams+x@example.com", "jörg@müller.example"] {
            assert_eq!(check_email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "alice",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@\u{a0}b",
        ] {
            let why = check_email(bad).unwrap_err();
            assert!(why.contains("is not a mail address"), "{bad}: {why}");
        }
    }
}
