//! A user's own forwards.

use std::fmt;

use crate::model::dialable::{MAX_NAME, is_name, without_hyphens};
use crate::model::handling::{CallOrigin, ForwardWhen};
use crate::model::text::quoted;

/// The target of a user's own forward.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OwnTarget {
    /// No forward, even if the administrator has set one.
    None,
    /// The user's own mailbox.
    Voicemail,
    /// The user's own mobile.
    Mobile,
    /// An extension or number; without a context it is dialled in the user's `forward_context`.
    Number(Box<str>, Option<Box<str>>),
}

impl OwnTarget {
    /// Parses a target.
    ///
    /// # Errors
    /// A message that says what was expected, if the text is none of the words and cannot be
    /// dialled.
    pub fn parse(given: &str) -> Result<Self, String> {
        let words = [
            ("none", OwnTarget::None),
            ("voicemail", OwnTarget::Voicemail),
            ("mobile", OwnTarget::Mobile),
        ];
        let is_word = |(word, _): &(&str, OwnTarget)| word.eq_ignore_ascii_case(given);
        if let Some((_, target)) = words.into_iter().find(is_word) {
            return Ok(target);
        }
        let (number, context) = match given.split_once('@') {
            Some((number, context)) => (number, Some(context)),
            None => (given, None),
        };
        // A text that begins with `_` would be a pattern in the dialplan.
        let fits = |text: &str| is_name(text) && text.len() <= MAX_NAME && !text.starts_with('_');
        let plain = without_hyphens(number);
        match fits(number) && fits(&plain) && context.is_none_or(fits) {
            true => Ok(OwnTarget::Number(number.into(), context.map(Into::into))),
            false => Err(format!(
                "'{}' cannot be dialled, expected an extension such as 210, a number such as \
                 +491701234567, voicemail, mobile or none",
                quoted(given)
            )),
        }
    }
}

impl fmt::Display for OwnTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OwnTarget::None => f.write_str("none"),
            OwnTarget::Voicemail => f.write_str("voicemail"),
            OwnTarget::Mobile => f.write_str("mobile"),
            OwnTarget::Number(number, None) => f.write_str(number),
            OwnTarget::Number(number, Some(context)) => write!(f, "{number}@{context}"),
        }
    }
}

/// One of a user's own forwards.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnForward {
    /// The callers that it applies to.
    pub origin: CallOrigin,
    /// When it applies.
    pub when: ForwardWhen,
    /// Where the call goes.
    pub target: OwnTarget,
}
