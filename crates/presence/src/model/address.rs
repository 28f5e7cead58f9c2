//! Addresses of presence providers, such as `CustomPresence:200`.
//!
//! The label before the colon matches without regard to case, the rest exactly: so
//! does Asterisk's core when it looks for a provider.

/// The label of our own provider.
pub const USER_LABEL: &str = "UserPresence";

/// The label of Asterisk's `func_presencestate`, the one provider that can be written.
pub const CUSTOM_LABEL: &str = "CustomPresence";

/// The longest address, in bytes: what fits into an AstDB key beside our prefix.
pub const MAX_BYTES: usize = 200;

/// The address split into its label and the rest, `None` without a colon.
pub fn split(address: &str) -> Option<(&str, &str)> {
    address.split_once(':')
}

/// What `address` names below `label`, `None` when the label is another.
pub fn below<'a>(address: &'a str, label: &str) -> Option<&'a str> {
    split(address).and_then(|(l, rest)| l.eq_ignore_ascii_case(label).then_some(rest))
}

/// Whether both name the same thing.
pub fn same(a: &str, b: &str) -> bool {
    let label = |text: &str| text.find(':').unwrap_or(0);
    let (la, lb) = (label(a), label(b));
    la == lb && a[..la].eq_ignore_ascii_case(&b[..lb]) && a[la..] == b[lb..]
}

/// Checks the form of an address from the configuration.
///
/// # Errors
/// Says what was expected.
pub fn check(address: &str) -> Result<(), String> {
    let expected = "expected a presence provider's address such as CustomPresence:200";
    check_length(address).map_err(|why| format!("'{address}' {why}, {expected}"))?;
    if address
        .chars()
        .any(|c| c.is_control() || matches!(c, '&' | ',' | '(' | ')'))
    {
        return Err(format!(
            "'{address}' holds a character that no address can have, {expected}"
        ));
    }
    match split(address) {
        Some((label, rest)) if !label.is_empty() && !rest.is_empty() && !label.contains('/') => {
            Ok(())
        }
        // A channel technology's own address, such as Sorcery/thing.
        _ if address
            .split_once('/')
            .is_some_and(|(t, r)| !t.is_empty() && !r.is_empty()) =>
        {
            Ok(())
        }
        _ => Err(format!("'{address}' is not an address, {expected}")),
    }
}

/// Checks that an address is short enough to be kept.
///
/// # Errors
/// Says how long it may be.
pub fn check_length(address: &str) -> Result<(), String> {
    match address.len() {
        0..=MAX_BYTES => Ok(()),
        _ => Err(format!("is longer than {MAX_BYTES} bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_match_without_case_and_the_rest_exactly() {
        assert!(same("CustomPresence:a", "custompresence:a"));
        assert!(!same("CustomPresence:a", "CustomPresence:A"));
        assert!(!same("CustomPresence:a", "CustomPresenc:ea"));
        assert_eq!(below("userPRESENCE:Team", USER_LABEL), Some("Team"));
        assert_eq!(below("UserPresence", USER_LABEL), None);
    }

    #[test]
    fn refuses_what_asterisk_would_take_apart() {
        for bad in [
            "",
            "200",
            "CustomPresence:",
            ":200",
            "CustomPresence:1&CustomPresence:2",
            "A:(b)",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        for good in [
            "CustomPresence:200",
            "UserPresence:team",
            "Calendar:x y",
            "Tech/thing",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
    }
}
