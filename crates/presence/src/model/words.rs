//! Enums whose variants are words of the configuration, the dialplan, AMI or JSON.
//!
//! `words!` declares each word once; the name, parsing, the list of all words and the message
//! for an unknown word follow from that declaration. A crate such as `strum` would leave the
//! lists in messages and the messages themselves to be maintained separately.

use std::fmt;

use super::suggest;
use super::text::quoted;

/// Declares an enum of words:
///
/// ```text
/// words! {
///     /// How loud it is.
///     #[derive(Default)]
///     pub enum Volume: "volume" {
///         /// No sound.
///         #[default]
///         Silent = "silent",
///         /// Full volume. The second word is another name of the same value.
///         Loud = "loud" | "noisy";
///         /// The words of another enum that `words!` declares.
///         Tone(Tone)
///     }
/// }
/// ```
///
/// The text after the colon names the kind of word in messages. Words are compared without
/// regard to case, or by the function after `compared by`.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Name:ident: $noun:literal $(, compared by $same:path)? {
            $(
                $(#[$doc:meta])*
                $Variant:ident = $word:literal $(| $alias:literal)*
            ),+ $(,)?
            $(; $(#[$family_doc:meta])* $Family:ident($Inner:ident) $(,)?)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
        $vis enum $Name {
            $(
                $(#[$doc])*
                $Variant,
            )+
            $(
                $(#[$family_doc])*
                $Family($Inner),
            )?
        }

        #[allow(dead_code, reason = "not every enum of words uses all of these")]
        impl $Name {
            const OWN_NAMES: &'static [(&'static str, Self)] = &[
                $(
                    ($word, Self::$Variant),
                    $(($alias, Self::$Variant),)*
                )+
            ];

            /// Every value, in the order of the declaration.
            $vis const ALL: [Self; [$($word),+].len() $(+ $Inner::ALL.len())?] = {
                let own = [$(Self::$Variant),+];
                let mut all = [own[0]; [$($word),+].len() $(+ $Inner::ALL.len())?];
                let mut at = 0;
                while at < own.len() {
                    all[at] = own[at];
                    at += 1;
                }
                $(
                    while at < all.len() {
                        all[at] = Self::$Family($Inner::ALL[at - own.len()]);
                        at += 1;
                    }
                )?
                all
            };

            /// Every name, including the other names of a value.
            $vis const NAMES: [&'static str; Self::OWN_NAMES.len() $(+ $Inner::NAMES.len())?] = {
                let own = Self::OWN_NAMES;
                let mut names = [""; Self::OWN_NAMES.len() $(+ $Inner::NAMES.len())?];
                let mut at = 0;
                while at < own.len() {
                    names[at] = own[at].0;
                    at += 1;
                }
                $(
                    while at < names.len() {
                        names[at] = $Inner::NAMES[at - own.len()];
                        at += 1;
                    }
                )?
                names
            };

            /// The name, as in the configuration and on all interfaces.
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $word,)+
                    $(Self::$Family(inner) => $Inner::name(inner),)?
                }
            }

            /// The name with a capital letter and without underscores, as AMI writes headers.
            $vis const fn header(self) -> &'static str {
                match self {
                    $(Self::$Variant => stringify!($Variant),)+
                    $(Self::$Family(inner) => $Inner::header(inner),)?
                }
            }

            /// The names as a list for messages: `a, b or c`.
            $vis fn expected() -> String {
                $crate::model::words::list(&Self::NAMES)
            }

            /// The value with this name.
            ///
            /// # Errors
            /// The unknown word, as a message that lists the expected words.
            $vis fn parse(
                name: &str,
            ) -> Result<Self, $crate::model::words::UnknownWord<'_>> {
                let same = $crate::model::words::comparison!($($same)?);
                let mut own = Self::OWN_NAMES.iter();
                let found = own.find(|(known, _)| same(known, name));
                let found = found.map(|(_, value)| *value);
                $(let found = found.or_else(|| $Inner::parse(name).ok().map(Self::$Family));)?
                found.ok_or($crate::model::words::UnknownWord::new($noun, name, &Self::NAMES))
            }
        }

        impl ::std::fmt::Display for $Name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl ::serde::Serialize for $Name {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}
pub(crate) use words;

/// The function that compares two words.
macro_rules! comparison {
    () => {
        str::eq_ignore_ascii_case
    };
    ($same:path) => {
        $same
    };
}
pub(crate) use comparison;

/// Compares words with regard to case.
pub fn exactly(a: &str, b: &str) -> bool {
    a == b
}

/// Compares words without regard to case or underscores.
pub fn without_underscores(a: &str, b: &str) -> bool {
    let letters = |word: &str| word.replace('_', "").to_ascii_lowercase();
    letters(a) == letters(b)
}

/// A word that is not one of the expected words. Its `Display` form is a message for the
/// author of the word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownWord<'a> {
    noun: &'static str,
    given: &'a str,
    names: &'static [&'static str],
}

impl<'a> UnknownWord<'a> {
    /// `noun` names the kind of word, `names` are the known words.
    pub const fn new(noun: &'static str, given: &'a str, names: &'static [&'static str]) -> Self {
        UnknownWord { noun, given, names }
    }
}

impl fmt::Display for UnknownWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let expected = suggest::expected(self.given, &list(self.names));
        write!(
            f,
            "unknown {} '{}'{expected}",
            self.noun,
            quoted(self.given)
        )
    }
}

impl std::error::Error for UnknownWord<'_> {}

/// For functions whose errors are messages.
impl From<UnknownWord<'_>> for String {
    fn from(unknown: UnknownWord<'_>) -> Self {
        unknown.to_string()
    }
}

/// A list of words for messages: `a`, `a or b`, `a, b or c`.
pub fn list(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    words! {
        /// How high it is.
        enum Tone: "tone" {
            High = "high",
            Low = "low",
        }
    }

    words! {
        /// How loud it is.
        #[derive(Default)]
        enum Volume: "volume" {
            #[default]
            Silent = "silent",
            VeryLoud = "very_loud" | "noisy";
            Tone(Tone)
        }
    }

    words! {
        /// Words that differ by case.
        enum Letter: "letter", compared by super::exactly {
            Small = "a",
            Capital = "A",
        }
    }

    #[test]
    fn everything_follows_from_the_declaration() {
        let (high, low) = (Volume::Tone(Tone::High), Volume::Tone(Tone::Low));
        assert_eq!(Volume::ALL, [Volume::Silent, Volume::VeryLoud, high, low]);
        assert_eq!(
            Volume::NAMES,
            ["silent", "very_loud", "noisy", "high", "low"]
        );
        assert_eq!(Volume::expected(), "silent, very_loud, noisy, high or low");
        for volume in Volume::ALL {
            assert_eq!(Volume::parse(volume.name()), Ok(volume));
            assert_eq!(volume.to_string(), volume.name());
            assert_eq!(serde_json::to_value(volume).unwrap(), volume.name());
        }
        assert_eq!(Volume::parse("NOISY"), Ok(Volume::VeryLoud));
        assert_eq!(Volume::VeryLoud.header(), "VeryLoud");
        assert_eq!(low.header(), "Low");
        assert_eq!(Letter::parse("A"), Ok(Letter::Capital));
    }

    #[test]
    fn an_unknown_word_is_reported_with_the_expected_words() {
        let why = |word| Volume::parse(word).unwrap_err().to_string();
        assert_eq!(
            why("x"),
            "unknown volume 'x', expected silent, very_loud, noisy, high or low"
        );
        assert_eq!(
            why("silnt"),
            "unknown volume 'silnt', did you mean 'silent'? Expected silent, very_loud, noisy, \
             high or low"
        );
        assert_eq!(
            Letter::parse("b").unwrap_err().to_string(),
            "unknown letter 'b', expected a or A"
        );
    }
}
