//! Messages that wait: when a new one has come.

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

/// Whether two names are of one mailbox: without a context it is `default`.
pub fn same(one: &str, other: &str) -> bool {
    let whole = |name: &str| match name.split_once('@') {
        Some((name, context)) => (name.to_owned(), context.to_owned()),
        None => (name.to_owned(), "default".to_owned()),
    };
    whole(one) == whole(other)
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
        assert!(same("200", "200@default"));
        assert!(!same("200", "200@other"));
    }
}
