//! Choices of a user apart from status and [`crate::model::dnd`]: flags that are on or off.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::model::words::words;

words! {
    /// A flag of a user. Everything apart from the use of a flag follows from this declaration:
    /// its field, its AMI header, its name in JSON and on the console, and its stored form.
    pub enum Flag: "flag" {
        /// Whether others may see the presence.
        AllowSeeMyPresence = "allowSeeMyPresence",
        /// Whether the user's phones ring too when a call rings a user that they monitor.
        RingOnMonitoredCall = "ringOnMonitoredCall",
        /// Whether the user may pick up a call that a monitored user holds.
        PickUpCallsOnHold = "pickUpCallsOnHold",
    }
}

impl Flag {
    /// The meaning of the flag, as a sentence for descriptions of interfaces.
    pub const fn description(self) -> &'static str {
        match self {
            Flag::AllowSeeMyPresence => "Whether others may see the presence.",
            Flag::RingOnMonitoredCall => {
                "Whether the user's phones ring too when a user they monitor is called."
            }
            Flag::PickUpCallsOnHold => {
                "Whether the user may pick up a call that a user they monitor holds."
            }
        }
    }

    /// The short name of the flag on the console.
    pub const fn label(self) -> &'static str {
        match self {
            Flag::AllowSeeMyPresence => "Visible",
            Flag::RingOnMonitoredCall => "Ring along",
            Flag::PickUpCallsOnHold => "Hold pickup",
        }
    }

    const fn default_value(self) -> bool {
        matches!(self, Flag::AllowSeeMyPresence)
    }

    /// Parses a value of the flag, in any of Asterisk's words for true and false.
    ///
    /// # Errors
    /// A message that gives the expected words.
    pub fn parse_value(self, text: &str) -> Result<bool, String> {
        truth(text.trim()).ok_or_else(|| {
            format!(
                "'{}' is no value of {}, expected true or false",
                crate::model::text::quoted(text),
                self.name()
            )
        })
    }
}

/// Parses one of Asterisk's words for true and false; `None` for any other word.
pub fn truth(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(&["yes", "true", "y", "t", "1", "on"]) {
        Some(true)
    } else if is(&["no", "false", "n", "f", "0", "off"]) {
        Some(false)
    } else {
        None
    }
}

/// A user's flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags {
    /// A bit for each flag that differs from its default.
    changed: u8,
}

const _: () = assert!(Flag::ALL.len() <= u8::BITS as usize);

impl Flags {
    /// Whether the flag is on.
    pub const fn get(self, flag: Flag) -> bool {
        (self.changed >> flag as u8 & 1 == 1) != flag.default_value()
    }

    /// The same flags with one of them on or off.
    #[must_use]
    pub const fn with(self, flag: Flag, on: bool) -> Self {
        let bit = 1 << flag as u8;
        let changed = match on == flag.default_value() {
            true => self.changed & !bit,
            false => self.changed | bit,
        };
        Flags { changed }
    }

    /// The value of the flag as a word, `true` or `false`.
    pub const fn word(self, flag: Flag) -> &'static str {
        if self.get(flag) { "true" } else { "false" }
    }

    /// The flags that differ from their defaults, in the stored form.
    pub fn stored(self) -> BTreeMap<String, bool> {
        let changed = Flag::ALL.into_iter();
        let changed = changed.filter(|flag| self.get(*flag) != flag.default_value());
        changed
            .map(|flag| (flag.name().to_owned(), self.get(flag)))
            .collect()
    }

    /// Flags from their stored form; unknown names are ignored.
    pub fn restore(stored: &BTreeMap<String, bool>) -> Self {
        let known = Flag::ALL.into_iter();
        let known = known.filter_map(|flag| Some((flag, *stored.get(flag.name())?)));
        known.fold(Flags::default(), |flags, (flag, on)| flags.with(flag, on))
    }
}

/// An object with one boolean for each flag, by the flag's name.
impl Serialize for Flags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Flag::ALL.map(|flag| (flag.name(), self.get(flag))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_set_one_by_one_and_stored_if_they_differ_from_the_default() {
        let flags = Flags::default();
        let three = [
            Flag::AllowSeeMyPresence,
            Flag::RingOnMonitoredCall,
            Flag::PickUpCallsOnHold,
        ];
        let on = |flags: Flags| three.map(|flag| flags.get(flag));
        assert_eq!(on(flags), [true, false, false]);
        assert!(flags.stored().is_empty());
        let set = flags
            .with(Flag::AllowSeeMyPresence, false)
            .with(Flag::PickUpCallsOnHold, true);
        assert_eq!(on(set), [false, false, true]);
        assert_eq!(Flags::restore(&set.stored()), set);
        assert_eq!(set.with(Flag::AllowSeeMyPresence, true).stored().len(), 1);
        assert_eq!(Flag::RingOnMonitoredCall.parse_value(" TRUE "), Ok(true));
        let why = Flag::RingOnMonitoredCall.parse_value("maybe").unwrap_err();
        assert_eq!(
            why,
            "'maybe' is no value of ringOnMonitoredCall, expected true or false"
        );
    }
}
