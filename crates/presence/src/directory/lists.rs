//! The resource lists of accounts and groups: their names and members.
//!
//! A list of an account is named `userpresence-<account>`, one of a group
//! `userpresence-<account>+<group>`, with `_` for each character of the group's name that is no
//! ASCII letter, digit, `-`, `_` or `.`. Of several groups with one such name the first has the
//! list, and where an account is named like the list of a group, the account's list has the name.

use super::{AccountId, Directory, GroupId, UserId};
use crate::model::visibility::group_list;

/// Between the account and the group.
const SEPARATOR: char = '+';

/// A list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListId {
    /// The users of an account.
    Account(AccountId),
    /// The users of a group.
    Group(GroupId),
}

impl Directory {
    /// Every group, with the name of its account and its members.
    pub fn groups(&self) -> impl Iterator<Item = (&str, &str, &[UserId])> {
        let groups = self.groups.iter().enumerate();
        groups.map(|(at, (account, name))| {
            let account: &str = self.account(*account);
            (account, &**name, self.group_members.of(at))
        })
    }

    /// The list of this name. The case of a group's name does not matter. `None` without such a
    /// list, and where lists are turned off.
    pub fn list(&self, name: &str) -> Option<ListId> {
        let lists = &self.settings.lists;
        let rest = name
            .strip_prefix(&*lists.prefix)
            .filter(|_| lists.enabled)?;
        if let Some(account) = self.account_named(rest) {
            return Some(ListId::Account(account));
        }
        let (account, group) = rest.rsplit_once(SEPARATOR)?;
        let key = (
            self.account_named(account)?,
            group.to_ascii_lowercase().into(),
        );
        self.by_group.get(&key).copied().map(ListId::Group)
    }

    /// The name of a list.
    pub fn list_name(&self, list: ListId) -> String {
        let prefix = &self.settings.lists.prefix;
        let account = self.account(self.list_account(list));
        match list {
            ListId::Account(_) => format!("{prefix}{account}"),
            ListId::Group(group) => {
                let (_, name) = &self.groups[group.index()];
                format!("{prefix}{account}{SEPARATOR}{}", group_list(name))
            }
        }
    }

    /// The account to which a list belongs.
    pub fn list_account(&self, list: ListId) -> AccountId {
        match list {
            ListId::Account(account) => account,
            ListId::Group(group) => self.groups[group.index()].0,
        }
    }

    /// The users of a list, in the order of the configuration.
    pub fn list_members(&self, list: ListId) -> &[UserId] {
        match list {
            ListId::Account(account) => self.members(account),
            ListId::Group(group) => self.group_members.of(group.index()),
        }
    }

    /// Every list, the accounts first; none where lists are turned off.
    pub fn lists(&self) -> impl Iterator<Item = ListId> {
        let accounts = (0..self.accounts.len()).map(|at| ListId::Account(AccountId::new(at)));
        let groups = (0..self.groups.len()).map(GroupId::new);
        let groups = groups.filter(|group| {
            let (account, name) = &self.groups[group.index()];
            let list = (*account, group_list(name).to_ascii_lowercase().into());
            self.by_group.get(&list) == Some(group)
        });
        let groups = groups.map(ListId::Group);
        let all = accounts.chain(groups);
        all.take_while(|_| self.settings.lists.enabled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::testing::directory;

    fn names(directory: &Directory, list: &str) -> Option<Vec<String>> {
        let list = directory.list(list)?;
        let members = directory.list_members(list).iter();
        let names = members.map(|user| directory.get(*user).name.to_string());
        Some(names.collect())
    }

    #[test]
    fn accounts_and_groups_have_lists() {
        let directory = directory(
            "[a]\ntype=user\ngroup=Sales, Berlin\n[b]\ntype=user\ngroup=sales\ngroup=SALES\n\
             [c]\ntype=user\naccount=east\ngroup=sales\n[d]\ntype=user\naccount=east+sales\n",
        );
        let names = |list| names(&directory, list);
        let some = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names("userpresence-default"), some(&["a", "b"]));
        assert_eq!(names("userpresence-default+sales"), some(&["a", "b"]));
        assert_eq!(names("userpresence-default+BERLIN"), some(&["a"]));
        assert_eq!(names("userpresence-east"), some(&["c"]));
        assert_eq!(
            names("userpresence-east+sales"),
            some(&["d"]),
            "an account comes first"
        );
        assert_eq!(names("userpresence-east+Sales"), some(&["c"]));
        for none in [
            "userpresence-",
            "userpresence-sales",
            "userpresence-DEFAULT",
            "userpresence-default+",
            "default",
        ] {
            assert_eq!(names(none), None, "{none}");
        }
        let all: Vec<_> = directory.lists().map(|l| directory.list_name(l)).collect();
        assert_eq!(
            all,
            [
                "userpresence-default",
                "userpresence-east",
                "userpresence-east+sales",
                "userpresence-default+Sales",
                "userpresence-default+Berlin",
                "userpresence-east+sales"
            ]
        );
    }

    #[test]
    fn a_group_of_any_name_has_a_list_unless_another_has_its_name() {
        let directory = directory(
            "[a]\ntype=user\ngroup=Customer Care, Geschäftsführung\n\
             [b]\ntype=user\ngroup=GESCHÄFTSFÜHRUNG\n[c]\ntype=user\ngroup=customer+care\n",
        );
        let names = |list| names(&directory, list).unwrap_or_default();
        assert_eq!(names("userpresence-default+Customer_Care"), ["a"]);
        assert_eq!(names("userpresence-default+gesch_ftsf_hrung"), ["a", "b"]);
        let all: Vec<_> = directory.lists().map(|l| directory.list_name(l)).collect();
        assert_eq!(
            all,
            [
                "userpresence-default",
                "userpresence-default+Customer_Care",
                "userpresence-default+Gesch_ftsf_hrung"
            ]
        );
        let groups: Vec<_> = directory.groups().map(|(_, name, _)| name).collect();
        assert_eq!(
            groups,
            ["Customer Care", "Geschäftsführung", "customer+care"]
        );
    }

    #[test]
    fn lists_can_be_renamed_and_turned_off() {
        let of = |general: &str| directory(&format!("[general]\n{general}\n[a]\ntype=user\n"));
        let renamed = of("list_prefix=team.");
        assert!(renamed.list("team.default").is_some());
        assert!(renamed.list("userpresence-default").is_none());
        let off = of("lists=no");
        assert!(off.list("userpresence-default").is_none());
        assert_eq!(off.lists().count(), 0);
    }
}
