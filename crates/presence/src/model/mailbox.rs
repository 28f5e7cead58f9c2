//! Messages that wait: when a new one has come.

use std::borrow::Cow;
use std::collections::HashMap;

/// How many new messages each mailbox had when it was told of last.
#[derive(Default, Debug)]
pub struct Mailboxes(HashMap<Box<str>, u32>);

impl Mailboxes {
    /// Notes what is told of a mailbox. Says how many new messages have come: of one that
    /// was never heard of before that is known only where a call has just left one, for
    /// else they may be there since long.
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

/// A mailbox's name with its context, `default` where it has none.
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
    fn what_has_come_is_told_once() {
        let mut boxes = Mailboxes::default();
        // After a start it is there since long.
        assert_eq!(boxes.note("200@default", 3, false), 0);
        assert_eq!(boxes.note("200@default", 3, false), 0);
        assert_eq!(boxes.note("200@default", 5, false), 2);
        assert_eq!(boxes.note("200@default", 0, true), 0);
        assert_eq!(boxes.note("200@default", 1, true), 1);
        assert_eq!(boxes.note("201@default", 4, true), 1);
        assert_eq!(boxes.note("202@default", 0, true), 0);
    }

    #[test]
    fn the_context_may_be_left_out() {
        assert_eq!(whole("200"), "200@default");
        assert_eq!(whole("200@other"), "200@other");
    }
}
