//! Who may see a user's presence: the rule that all interfaces keep.

use std::sync::Arc;

use crate::model::words::words;

words! {
    /// Who may see a user's presence, apart from the user.
    #[derive(Default)]
    pub enum Visibility: "visibility" {
        /// Every reader of the account.
        #[default]
        Everyone = "everyone",
        /// Users who share a group with the user.
        Groups = "groups",
        /// Nobody.
        Nobody = "nobody",
    }
}

words! {
    /// What decides a user's visibility.
    pub enum VisibilityOrigin: "origin" {
        /// The flag `allowSeeMyPresence` is off.
        Flag = "flag",
        /// The user's own setting.
        Own = "own",
        /// The administrator's option `visibility`.
        Administrator = "administrator",
    }
}

/// The groups of a user; `None` for none. Users with equal groups share them.
pub type UserGroups = Option<Arc<[Box<str>]>>;

/// The name of a group in the name of its list: a `_` for each character that is no ASCII
/// letter, digit, `-`, `_` or `.`.
pub fn group_list(name: &str) -> String {
    let is_kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let letters = name.chars();
    letters
        .map(|c| Some(c).filter(is_kept).unwrap_or('_'))
        .collect()
}

/// Whether two names of groups are the same: without regard to case.
pub fn same_group(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (!one.is_ascii() && !other.is_ascii() && one.to_lowercase() == other.to_lowercase())
}

/// Whether two users have a group in common, ignoring case.
pub fn share_a_group(one: &UserGroups, other: &UserGroups) -> bool {
    let (Some(one), Some(other)) = (one, other) else {
        return false;
    };
    // Never empty: see `UserGroups`.
    Arc::ptr_eq(one, other)
        || one
            .iter()
            .any(|group| other.iter().any(|it| same_group(it, group)))
}

/// A reader of presence, as [`crate::world::World::viewer`] finds it. It stays right until the
/// next reload.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Viewer {
    /// Whether the reader sees every user of the accounts that it may read.
    pub sees_all: bool,
    /// The user behind the reader; `None` for a program without a user.
    pub user: Option<Arc<str>>,
    /// The account of the user.
    pub account: Option<Arc<str>>,
    /// The groups of the user.
    pub groups: UserGroups,
}

impl Viewer {
    /// A reader that nothing is known of: webhooks, ARI and phones. It sees users that everyone
    /// may see.
    pub const ANYONE: Viewer = Viewer {
        sees_all: false,
        user: None,
        account: None,
        groups: None,
    };

    /// Whether the reader is this user.
    pub fn is(&self, user: &str) -> bool {
        let own = self.user.as_deref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(user))
    }

    /// Whether the reader may see a user: the user themself, a reader that sees all, and
    /// otherwise as the user's visibility says. This is the only place that decides it.
    pub fn may_see(&self, target: Seen<'_>) -> bool {
        self.sees_all
            || match target.visibility {
                Visibility::Everyone => true,
                Visibility::Groups => {
                    self.is(target.user)
                        || self.account.as_deref() == Some(target.account)
                            && share_a_group(&self.groups, target.groups)
                }
                Visibility::Nobody => self.is(target.user),
            }
    }
}

/// A user who is looked at, with what decides who may.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The user's name.
    pub user: &'a str,
    /// The user's account.
    pub account: &'a str,
    /// The user's visibility.
    pub visibility: Visibility,
    /// The user's groups.
    pub groups: &'a UserGroups,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(names: &str) -> UserGroups {
        let names: Arc<[Box<str>]> = names.split_terminator(',').map(Into::into).collect();
        Some(names).filter(|names| !names.is_empty())
    }

    #[test]
    fn every_viewer_and_every_visibility() {
        let user = |name: &str, account: &str, of: &str| Viewer {
            user: Some(name.into()),
            account: Some(account.into()),
            groups: groups(of),
            ..Viewer::ANYONE
        };
        let viewers = [
            ("anyone", Viewer::ANYONE, [true, false, false]),
            ("themself", user("ALICE", "main", ""), [true, true, true]),
            (
                "a colleague",
                user("bob", "main", "x,SALES"),
                [true, true, false],
            ),
            (
                "another group",
                user("carol", "main", "x"),
                [true, false, false],
            ),
            ("no group", user("dave", "main", ""), [true, false, false]),
            (
                "another account",
                user("erin", "east", "sales"),
                [true, false, false],
            ),
            (
                "a reader of all",
                Viewer {
                    sees_all: true,
                    ..Viewer::ANYONE
                },
                [true, true, true],
            ),
        ];
        let own = groups("Sales,Berlin");
        for (name, viewer, expected) in viewers {
            let sees = Visibility::ALL.map(|visibility| {
                viewer.may_see(Seen {
                    user: "alice",
                    account: "main",
                    visibility,
                    groups: &own,
                })
            });
            assert_eq!(sees, expected, "{name}");
        }
        // Two users without groups share none.
        assert!(!share_a_group(&None, &None) && share_a_group(&own, &own));
    }
}
