//! Patterns of extensions in Asterisk's form, such as `_+49X.`.

use super::dialable::{MAX_NAME, is_name};
use super::text::quoted;

/// A pattern of extensions, or one extension. A pattern begins with `_`:
///
/// - `X` is a digit, `Z` one from 1 to 9, `N` one from 2 to 9, in small letters too;
/// - `[135-9]` is one of these characters;
/// - `.` is one or more characters, `!` is any number of them, also none;
/// - `-` is ignored, also in what is compared.
///
/// # Invariants
/// The text was checked by [`ExtensionPattern::parse`].
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ExtensionPattern(Box<str>);

impl ExtensionPattern {
    /// Checks a pattern.
    ///
    /// # Errors
    /// A message that says what was expected.
    pub fn parse(given: &str) -> Result<Self, String> {
        let bad = || {
            format!(
                "'{}', expected an extension or a pattern such as _+49X.",
                quoted(given)
            )
        };
        let is_good = match given.strip_prefix('_') {
            None => is_name(given),
            Some(pattern) => is_pattern(pattern),
        };
        match is_good && given.len() <= MAX_NAME {
            true => Ok(ExtensionPattern(given.into())),
            false => Err(bad()),
        }
    }

    /// Whether every extension matches.
    pub fn matches_all(&self) -> bool {
        let pattern = self.0.strip_prefix('_');
        pattern.is_some_and(|pattern| matches!(pattern.trim_start_matches('-'), "." | "!"))
    }

    /// Whether the extension matches.
    pub fn matches(&self, extension: &str) -> bool {
        let letters = |text: &str| {
            text.bytes()
                .filter(|byte| *byte != b'-')
                .collect::<Vec<_>>()
        };
        match self.0.strip_prefix('_') {
            None => letters(&self.0) == letters(extension),
            Some(pattern) => matches(pattern.as_bytes(), &letters(extension)),
        }
    }
}

impl std::fmt::Display for ExtensionPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text after `_` has the form of a pattern.
fn is_pattern(pattern: &str) -> bool {
    let mut rest = pattern;
    let mut letters = 0;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '[' => {
                let Some((set, after)) = rest.split_once(']') else {
                    return false;
                };
                let inner = |c: char| is_name(c.encode_utf8(&mut [0; 4]));
                if set.is_empty() || !set.chars().all(inner) {
                    return false;
                }
                rest = after;
                letters += 1;
            }
            // Asterisk looks at nothing that follows.
            '.' | '!' => return rest.is_empty(),
            '-' => {}
            other if is_name(other.encode_utf8(&mut [0; 4])) => letters += 1,
            _ => return false,
        }
    }
    letters > 0
}

fn matches(mut pattern: &[u8], mut text: &[u8]) -> bool {
    loop {
        match (pattern, text) {
            ([b'-', rest @ ..], _) => pattern = rest,
            ([] | [b'!'], []) => return true,
            (_, []) | ([], _) => return false,
            ([b'.' | b'!', ..], _) => return true,
            ([b'[', rest @ ..], [first, others @ ..]) => {
                let Some(end) = rest.iter().position(|byte| *byte == b']') else {
                    return false;
                };
                if !in_set(&rest[..end], *first) {
                    return false;
                }
                (pattern, text) = (&rest[end + 1..], others);
            }
            ([sign, rest @ ..], [first, others @ ..]) => {
                let matched = match sign {
                    b'X' | b'x' => first.is_ascii_digit(),
                    b'Z' | b'z' => (b'1'..=b'9').contains(first),
                    b'N' | b'n' => (b'2'..=b'9').contains(first),
                    literal => literal == first,
                };
                if !matched {
                    return false;
                }
                (pattern, text) = (rest, others);
            }
        }
    }
}

/// Whether a set such as `135-9` has the character.
fn in_set(mut set: &[u8], wanted: u8) -> bool {
    while let [first, rest @ ..] = set {
        set = match rest {
            [b'-', last, rest @ ..] => {
                if (*first..=*last).contains(&wanted) {
                    return true;
                }
                rest
            }
            rest => {
                if *first == wanted {
                    return true;
                }
                rest
            }
        };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> ExtensionPattern {
        ExtensionPattern::parse(text).unwrap()
    }

    #[test]
    fn patterns_match_as_asterisk_matches() {
        for (text, yes, no) in [
            (
                "_+49X.",
                &["+4912", "+49170123"][..],
                &["+49", "+491", "+48170", "049170", "+49#"][..],
            ),
            (
                "_2XX",
                &["200", "299", "2-0-0"],
                &["20", "2000", "300", "2a0"],
            ),
            ("_ZX", &["10", "99"], &["00", "1"]),
            ("_NX", &["20", "99"], &["10", "00"]),
            ("_nxz", &["201"], &["101", "200"]),
            ("_[13-5]0", &["10", "30", "40", "50"], &["20", "60", "0"]),
            ("_[1-3-]0", &["10", "30"], &["40"]),
            ("_20!", &["20", "200", "20abc"], &["2", "21"]),
            ("_2-0-0", &["200", "20-0"], &["201"]),
            ("_*72X.", &["*7210"], &["*72", "*721", "7210"]),
            ("_.", &["1", "abc"], &[""]),
            ("_!", &["", "1"], &[]),
            ("210", &["210", "2-10"], &["21", "2100", "X"]),
            ("_a1", &["a1"], &["A1"]),
        ] {
            let pattern = pattern(text);
            for given in yes {
                assert!(pattern.matches(given), "{text} {given}");
            }
            for given in no {
                assert!(!pattern.matches(given), "{text} {given}");
            }
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in [
            "", "_", "_-", "_[12", "_[]", "_+49.X", "_X!1", "_2 0", "_20/300", "a b", "2,0", "_ü",
            "_2&3", "_${X}",
        ] {
            let why = ExtensionPattern::parse(text).unwrap_err();
            assert!(
                why.contains("expected an extension or a pattern"),
                "{text}: {why}"
            );
        }
        assert!(ExtensionPattern::parse(&format!("_{}", "X".repeat(79))).is_err());
        assert!(pattern("_.").matches_all() && pattern("_!").matches_all());
        assert!(!pattern("_X.").matches_all() && !pattern(".").matches_all());
    }
}
