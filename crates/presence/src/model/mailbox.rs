//! Waiting messages: how many new ones a mailbox has received.

use std::borrow::Cow;
use std::collections::HashMap;

/// The number of new messages that each mailbox last reported.
#[derive(Default, Debug)]
pub struct Mailboxes(HashMap<Box<str>, u32>);

impl Mailboxes {
    /// Notes the number of new messages that a mailbox reports, and returns how many of them
    /// have arrived since the last report. On the first report of a mailbox the answer is one
    /// if a call has just left a message, and otherwise zero: its messages may be old.
    pub fn note(&mut self, name: &str, new: u32, by_call: bool) -> u32 {
        match self.0.get_mut(name) {
            Some(known) => new.saturating_sub(std::mem::replace(known, new)),
            None => {
                self.0.insert(name.into(), new);
                u32::from(by_call && new > 0)
            }
        }
    }
}

/// A mailbox's name with its context; the context is `default` if the name has none.
pub fn whole(name: &str) -> Cow<'_, str> {
    match name.contains('@') {
        true => name.into(),
        false => format!("{name}@default").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_new_message_is_counted_once() {
        let mut boxes = Mailboxes::default();
        // Messages of the first report may be old.
        assert_eq!(boxes.note("200@default", 3, false), 0);
        assert_eq!(boxes.note("200@default", 3, false), 0);
        assert_eq!(boxes.note("200@default", 5, false), 2);
        assert_eq!(boxes.note("200@default", 0, true), 0);
        assert_eq!(boxes.note("200@default", 1, true), 1);
        assert_eq!(boxes.note("201@default", 4, true), 1);
        assert_eq!(boxes.note("202@default", 0, true), 0);
    }

    #[test]
    fn the_context_is_optional() {
        assert_eq!(whole("200"), "200@default");
        assert_eq!(whole("200@other"), "200@other");
    }
}
