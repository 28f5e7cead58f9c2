//! The identity behind an HTTP request, with its rights to see and set presence.

use std::sync::Arc;

use crate::model::words::words;

words! {
    /// The rights of an identity; each role includes the rights of the roles before it.
    #[derive(PartialOrd, Ord, Default)]
    pub enum Role: "role" {
        /// See presence.
        #[default]
        Read = "read",
        /// Set the identity's own presence.
        SelfOnly = "self",
        /// Set the presence of every user of the account.
        Admin = "admin",
    }
}

/// The identity behind an HTTP request, with its rights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The name of the API user, or `manager` for a session of the manager interface.
    pub name: Arc<str>,
    /// The account that the identity sees; `None` for every account.
    pub account: Option<Arc<str>>,
    /// The rights of the identity.
    pub role: Role,
    /// The name of the user behind the request; `None` for a program without a user.
    pub user: Option<Arc<str>>,
    /// Whether the identity sees users that others may not see, whatever its role.
    pub sees_all: bool,
    /// Whether the identity may read and change the configuration.
    pub configure: bool,
}

impl Principal {
    /// A person who logged in with their own password: sees the account, sets their own
    /// presence.
    pub fn person(name: &Arc<str>, account: &Arc<str>) -> Self {
        Principal {
            name: name.clone(),
            account: Some(account.clone()),
            role: Role::SelfOnly,
            user: Some(name.clone()),
            sees_all: false,
            configure: false,
        }
    }

    /// Whether the identity sees the account. Account names are case-sensitive everywhere.
    pub fn sees(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|own| own == account)
    }

    /// Whether the identity may set the presence of the user, by the role alone: the caller
    /// checks the account with [`Principal::sees`].
    pub fn may_set(&self, user: &str) -> bool {
        let own = self.user.as_deref();
        match self.role {
            Role::Read => false,
            Role::SelfOnly => own.is_some_and(|own| own.eq_ignore_ascii_case(user)),
            Role::Admin => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(role: Role, account: Option<&str>) -> Principal {
        Principal {
            name: "panel".into(),
            account: account.map(Into::into),
            role,
            user: Some("alice".into()),
            sees_all: false,
            configure: false,
        }
    }

    #[test]
    fn an_identity_sees_only_its_own_account() {
        assert!(principal(Role::Read, Some("main")).sees("main"));
        assert!(!principal(Role::Admin, Some("main")).sees("other"));
        assert!(principal(Role::Read, None).sees("other"));
        // Another account: the case differs.
        assert!(!principal(Role::Admin, Some("main")).sees("Main"));
    }

    #[test]
    fn the_role_decides_whose_presence_may_be_set() {
        let may = |role, user| principal(role, None).may_set(user);
        assert!(!may(Role::Read, "alice"));
        assert!(may(Role::SelfOnly, "Alice") && !may(Role::SelfOnly, "bob"));
        assert!(may(Role::Admin, "bob"));
        assert_eq!(Role::parse("SELF"), Ok(Role::SelfOnly));
        assert!(Role::parse("root").is_err());
    }
}
