//! What may be written through an interface, and what of it may be shown.

use crate::config::value;

/// The longest value, in bytes: Asterisk's parser skips lines of 8 kB.
const LONGEST_VALUE: usize = 4000;

/// The options whose values are assignments of dialplan functions.
const ASSIGNMENTS: [&str; 4] = ["dnd_on", "dnd_off", "followme_on", "followme_off"];

/// Why an option with assignments cannot be changed.
const CODE: &str = "the value assigns dialplan functions, which is written in the file alone";

/// Why the servers of a cluster cannot be changed.
const SERVERS: &str = "the servers get the password and everything that is shared, and are written in \
                       the file alone";

/// Why the option cannot be changed through an interface; `None` where it can.
pub fn fixed(name: &str, value: &str) -> Option<&'static str> {
    // A secret that nobody sees would go to any server that is named.
    if name.eq_ignore_ascii_case("servers") {
        return Some(SERVERS);
    }
    is_code(name, value).then_some(CODE)
}

/// Whether Asterisk would carry out the value: an assignment of a dialplan function, which
/// may start programs. The `set` of a handling is a plain name, which is no assignment.
///
/// A section need not have a type, because its templates may: so the option's name decides,
/// and not the type.
fn is_code(name: &str, value: &str) -> bool {
    let assigns = |known: &str| known.eq_ignore_ascii_case(name);
    ASSIGNMENTS.iter().any(|known| assigns(known))
        || (name.eq_ignore_ascii_case("set") && value::name(value, "a set's name").is_err())
}

/// Whether the value is never shown. The address of a webhook is one if it has credentials or a
/// query, which often holds a token.
pub fn is_secret(name: &str, value: &str) -> bool {
    let named = |known: &str| known.eq_ignore_ascii_case(name);
    named("password") || named("secret") || (named("url") && value.contains(['@', '?']))
}

/// Checks a value's letters.
///
/// # Errors
/// When a file's line could not hold it, or would hold more than the value.
pub fn check_value(value: &str) -> Result<(), String> {
    if value.chars().any(char::is_control) {
        return Err("the value has a control character, such as the end of a line".into());
    }
    if value.len() > LONGEST_VALUE {
        return Err(format!(
            "the value has {} bytes, expected at most {LONGEST_VALUE}",
            value.len()
        ));
    }
    if value.trim_ascii() != value {
        return Err("the value begins or ends with a blank, which a file does not keep".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_told_from_names_of_sets() {
        assert!(is_code("DND_ON", "") && is_code("followme_off", "GLOBAL(x)=1"));
        assert!(is_code("set", "SHELL(id)=x") && is_code("Set", ""));
        assert_eq!(fixed("Servers", "https://e:1"), Some(SERVERS));
        assert_eq!((fixed("set", ""), fixed("dial", "x")), (Some(CODE), None));
        assert!(!is_code("set", "standard") && !is_code("dnd", "on"));
    }

    #[test]
    fn secrets_are_known_by_name_and_by_what_an_address_holds() {
        assert!(is_secret("password", "") && is_secret("Secret", "x"));
        assert!(is_secret("url", "https://a:b@c/") && is_secret("url", "https://c/?t=1"));
        assert!(!is_secret("url", "https://c/d") && !is_secret("label", "a@b"));
    }

    #[test]
    fn a_value_is_one_line() {
        for bad in ["a\nb", "a\r", "\u{85}", " a", "a\t", "a\0"] {
            assert!(check_value(bad).is_err(), "{bad:?}");
        }
        for good in ["", "a;b", "#include x", "[x]", "a \u{20ac}", "--;"] {
            assert_eq!(check_value(good), Ok(()), "{good}");
        }
        assert!(check_value(&"x".repeat(4001)).is_err());
    }
}
