//! Users by name, id or extension.

use std::sync::Arc;

use super::hash::{hash_exact, hash_folded};
use super::{AccountId, Directory, UserId};

/// The reason why [`Directory::find`] finds no user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unclear {
    /// No user has that name, id or extension.
    Unknown,
    /// These users all have that id or extension.
    Several(Vec<Arc<str>>),
}

impl Directory {
    /// The user of this name, ignoring case.
    pub fn user(&self, name: &str) -> Option<UserId> {
        let same = |user: &u32| self.users[*user as usize].name.eq_ignore_ascii_case(name);
        self.by_name
            .find(hash_folded(name), same)
            .copied()
            .map(UserId)
    }

    /// The user with this name, or else the only one with this id or extension.
    ///
    /// # Errors
    /// [`Unclear::Unknown`] if no user matches, [`Unclear::Several`] if several users do.
    pub fn find(&self, wanted: &str) -> Result<UserId, Unclear> {
        if let Some(user) = self.user(wanted) {
            return Ok(user);
        }
        match self.called(wanted).as_slice() {
            [] => Err(Unclear::Unknown),
            [one] => Ok(*one),
            several => {
                let names = several.iter().map(|user| self.get(*user).name.clone());
                Err(Unclear::Several(names.collect()))
            }
        }
    }

    /// The users with this id or extension, in the order of the configuration.
    pub(super) fn called(&self, wanted: &str) -> Vec<UserId> {
        let hash = hash_exact(wanted);
        let mut found: Vec<UserId> = self.by_number.iter_hash(hash).copied().collect();
        found.retain(|user| self.is_called(*user, wanted));
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The users with this extension, in the order of the configuration.
    pub fn users_of_extension(&self, extension: &str) -> Vec<UserId> {
        let mut found = self.called(extension);
        found.retain(|user| {
            let mut inputs = self.get(*user).inputs.iter();
            inputs.any(|input| self.extension(input) == Some(extension))
        });
        found
    }

    /// Whether `wanted` is the user's id or one of the user's extensions.
    fn is_called(&self, user: UserId, wanted: &str) -> bool {
        let user = self.get(user);
        let mut inputs = user.inputs.iter();
        user.id.as_deref() == Some(wanted)
            || inputs.any(|input| self.extension(input) == Some(wanted))
    }

    /// The account's user with this id, or else with this name, or else the first one with
    /// this extension.
    pub fn member(&self, account: AccountId, wanted: &str) -> Option<UserId> {
        let is_member = |user: &UserId| self.get(*user).account == account;
        let by_id = || self.by_id.get(&(account, wanted.into())).copied();
        let by_name = || self.user(wanted).filter(is_member);
        let has = |user: &UserId| {
            let mut inputs = self.get(*user).inputs.iter();
            is_member(user) && inputs.any(|input| self.extension(input) == Some(wanted))
        };
        let by_extension = || {
            let called = self.by_number.iter_hash(hash_exact(wanted)).copied();
            called.filter(has).min()
        };
        by_id().or_else(by_name).or_else(by_extension)
    }
}

#[cfg(test)]
mod tests {
    use super::Unclear;
    use crate::config::testing::directory;

    #[test]
    fn finds_users_and_sources_as_asterisk_matches_names() {
        let directory = directory(
            "[Alice]\ntype=user\nextension=200\nextension=201\n[bob]\ntype=user\nextension=200",
        );
        let alice = directory.user("aLICE").unwrap();
        assert_eq!(&*directory.get(alice).name, "Alice");
        assert_eq!(directory.user("carol"), None);
        let shared = directory.source("customPRESENCE:200").unwrap();
        assert_eq!(directory.readers(shared).len(), 2);
        assert_eq!(directory.source("CustomPresence:202"), None);
        assert_eq!(directory.source_count(), 2);
    }

    #[test]
    fn a_user_is_found_by_the_id_and_by_an_extension() {
        let directory = directory(
            "[alice]\ntype=user\nid=4711\nextension=200\nextension=201\n\
             [bob]\ntype=user\nid=202\nextension=201\n\
             [carol]\ntype=user\nextension=202\naccount=east\n\
             [200]\ntype=user\nextension=210\n\
             [dave]\ntype=user\nid=210\nextension=210\npresence_prefix=CustomPresence:x-\n\
             [erin]\ntype=user\nid=9\nextension=9",
        );
        let find = |wanted| {
            let found = directory.find(wanted);
            found.map(|user| directory.get(user).name.to_string())
        };
        let several = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).into());
            Err(Unclear::Several(names.collect()))
        };
        assert_eq!(find("ALICE"), Ok("alice".into()));
        assert_eq!(find("4711"), Ok("alice".into()));
        assert_eq!(find("200"), Ok("200".into()), "a name comes first");
        assert_eq!(find("201"), several(&["alice", "bob"]));
        assert_eq!(find("202"), several(&["bob", "carol"]));
        assert_eq!(find("210"), several(&["200", "dave"]));
        assert_eq!(find("9"), Ok("erin".into()));
        assert_eq!(find("x-210"), Err(Unclear::Unknown));
        assert_eq!(find(""), Err(Unclear::Unknown));
        let east = directory.account_named("east").unwrap();
        let here = directory.account_named("default").unwrap();
        let member = |account, wanted| {
            let found = directory.member(account, wanted);
            found.map(|user| directory.get(user).name.to_string())
        };
        assert_eq!(member(east, "202").as_deref(), Some("carol"));
        assert_eq!(member(here, "202").as_deref(), Some("bob"));
        assert_eq!(member(here, "201").as_deref(), Some("alice"));
        assert_eq!(member(east, "201"), None);
    }
}
