//! Hashes of passwords, as `crypt` makes them.

use std::collections::BTreeMap;

/// The longest hash, in bytes; those of `crypt` are shorter.
const LONGEST: usize = 384;

/// One hash of each kind that is in use. A login that fails is compared with all of them, so
/// that it takes the same time for every name, known or not.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct PasswordKinds(BTreeMap<Box<str>, Box<str>>);

impl PasswordKinds {
    /// Adds the kind of a hash.
    pub fn add(&mut self, hash: &str) {
        match self.0.get_mut(kind(hash)) {
            // The smallest hash, because those of a map come in no fixed order.
            Some(sample) if **sample <= *hash => {}
            Some(sample) => *sample = hash.into(),
            None => {
                self.0.insert(kind(hash).into(), hash.into());
            }
        }
    }

    /// A hash of each kind, except that of the given hash.
    pub fn others<'a>(&'a self, hash: Option<&'a str>) -> impl Iterator<Item = &'a str> {
        let own = hash.map(kind);
        let others = self.0.iter().filter(move |(kind, _)| Some(&***kind) != own);
        others.map(|(_, sample)| &**sample)
    }
}

/// The method and cost of a hash, which determine how long it takes: all but the salt and the
/// digest.
pub(super) fn kind(hash: &str) -> &str {
    let mut parts = hash.rsplitn(3, '$');
    parts.nth(2).unwrap_or_default()
}

/// A hash as `crypt` makes it: method and cost, salt, digest.
///
/// # Errors
/// When it is no such hash. The message does not repeat it: it may be the password itself.
pub(super) fn hash(given: &str) -> Result<Box<str>, String> {
    let known = ["$5$", "$6$", "$y$"]
        .iter()
        .any(|kind| given.starts_with(kind));
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '$' | '.' | '/' | '=' | ',');
    let parts: Vec<&str> = given.split('$').skip(2).collect();
    match known
        && given.len() <= LONGEST
        && parts.len() >= 2
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.chars().all(good))
    {
        true => Ok(given.into()),
        false => Err(
            "the value is not the hash of a password, expected one such as $6$salt$hash, which \
             'userpresence password' makes"
                .into(),
        ),
    }
}
