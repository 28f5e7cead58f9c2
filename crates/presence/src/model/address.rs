//! Addresses of presence providers, such as `CustomPresence:200`.
//!
//! The label before the colon matches without regard to case, the rest exactly, as in
//! Asterisk's core when it looks up a provider.

/// The label of this module's provider.
pub const USER_LABEL: &str = "UserPresence";

/// The label of the provider of Asterisk's `func_presencestate`, the only one whose presence
/// can be set.
pub const CUSTOM_LABEL: &str = "CustomPresence";

/// The longest address, in bytes: longer ones do not fit into an AstDB key with its prefix.
pub const MAX_BYTES: usize = 200;

/// The address split into its label and the rest, `None` without a colon.
pub fn split(address: &str) -> Option<(&str, &str)> {
    address.split_once(':')
}

/// The part of `address` after the given label; `None` if the address has another label.
pub fn below<'a>(address: &'a str, label: &str) -> Option<&'a str> {
    split(address).and_then(|(l, rest)| l.eq_ignore_ascii_case(label).then_some(rest))
}

/// Whether two addresses are the same.
pub fn same(a: &str, b: &str) -> bool {
    let label = |text: &str| text.find(':').unwrap_or(0);
    let (la, lb) = (label(a), label(b));
    la == lb && a[..la].eq_ignore_ascii_case(&b[..lb]) && a[la..] == b[lb..]
}

/// Checks the form of an address from the configuration.
///
/// # Errors
/// A message that gives the expected form.
pub fn check(address: &str) -> Result<(), String> {
    let expected = "expected a presence provider's address such as CustomPresence:200";
    check_length(address).map_err(|why| format!("'{address}' {why}, {expected}"))?;
    if address
        .chars()
        .any(|c| c.is_control() || matches!(c, '&' | ',' | '(' | ')'))
    {
        return Err(format!(
            "'{address}' contains a character that an address cannot have, {expected}"
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

/// Checks that an address is short enough to be stored.
///
/// # Errors
/// A message with the greatest length in bytes.
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
    fn addresses_that_asterisk_would_split_are_refused() {
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
