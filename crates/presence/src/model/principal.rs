//! The identity behind a request over HTTP: what it may see and set.

use std::sync::Arc;

use crate::model::words::words;

words! {
    /// What an identity may do; each role includes those before it.
    #[derive(PartialOrd, Ord, Default)]
    pub enum Role: "role" {
        /// See presence.
        #[default]
        Read = "read",
        /// Set the own presence.
        SelfOnly = "self",
        /// Set the presence of every user of the account.
        Admin = "admin",
    }
}

/// The identity behind a request over HTTP, and its rights.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal {
    /// The name of the API user, or `manager` for a session of the manager interface.
    pub name: Arc<str>,
    /// The one account that is seen; `None` for every account.
    pub account: Option<Arc<str>>,
    /// What may be done.
    pub role: Role,
    /// The name of the user who asks, where it is one.
    pub user: Option<Arc<str>>,
}

impl Principal {
    /// Whether that account may be seen. Accounts are told apart by case, everywhere.
    pub fn sees(&self, account: &str) -> bool {
        self.account.as_deref().is_none_or(|own| own == account)
    }

    /// Whether that user's presence may be set; the account was looked at before.
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
        }
    }

    #[test]
    fn a_caller_sees_its_account_and_nothing_else() {
        assert!(principal(Role::Read, Some("main")).sees("main"));
        assert!(!principal(Role::Admin, Some("main")).sees("other"));
        assert!(principal(Role::Read, None).sees("other"));
        // That is another account.
        assert!(!principal(Role::Admin, Some("main")).sees("Main"));
    }

    #[test]
    fn a_role_says_whose_presence_may_be_set() {
        let may = |role, user| principal(role, None).may_set(user);
        assert!(!may(Role::Read, "alice"));
        assert!(may(Role::SelfOnly, "Alice") && !may(Role::SelfOnly, "bob"));
        assert!(may(Role::Admin, "bob"));
        assert_eq!(Role::parse("SELF"), Ok(Role::SelfOnly));
        assert!(Role::parse("root").is_err());
    }
}
