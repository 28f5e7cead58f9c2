//! Who may see and do what over HTTP: pure code.

pub mod address;
pub mod forwarded;
pub mod looks;
pub mod places;
pub mod rate;
pub mod session;
pub mod signed_in;
pub mod throttle;
pub mod wire;

use std::sync::Arc;

/// What somebody may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub enum Role {
    /// See presence.
    #[default]
    Read,
    /// And set one's own.
    SelfOnly,
    /// And set everyone's of the account.
    Admin,
}

impl Role {
    /// The name in the configuration and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::SelfOnly => "self",
            Role::Admin => "admin",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Role::Read, Role::SelfOnly, Role::Admin]
            .into_iter()
            .find(|role| role.name().eq_ignore_ascii_case(name))
    }
}

/// What a caller came in with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Credential {
    /// Name and password, with each request.
    #[default]
    Password,
    /// The cookie of a session.
    Session(session::Id),
    /// The cookie of a session of the manager interface over HTTP: its number.
    Manager(u32),
}

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The name of the API user, or `manager` for a session of the manager interface.
    pub name: Arc<str>,
    /// The one account that is seen; `None` for every account.
    pub account: Option<Arc<str>>,
    /// What may be done.
    pub role: Role,
    /// The name of the user who asks, where it is one.
    pub user: Option<Arc<str>>,
    /// What it came in with.
    pub credential: Credential,
}

impl Caller {
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

    fn caller(role: Role, account: Option<&str>) -> Caller {
        Caller {
            name: "panel".into(),
            account: account.map(Into::into),
            role,
            user: Some("alice".into()),
            credential: Credential::Password,
        }
    }

    #[test]
    fn a_caller_sees_its_account_and_nothing_else() {
        assert!(caller(Role::Read, Some("main")).sees("main"));
        assert!(!caller(Role::Admin, Some("main")).sees("other"));
        assert!(caller(Role::Read, None).sees("other"));
        // That is another account.
        assert!(!caller(Role::Admin, Some("main")).sees("Main"));
    }

    #[test]
    fn a_role_says_whose_presence_may_be_set() {
        let may = |role, user| caller(role, None).may_set(user);
        assert!(!may(Role::Read, "alice"));
        assert!(may(Role::SelfOnly, "Alice") && !may(Role::SelfOnly, "bob"));
        assert!(may(Role::Admin, "bob"));
        assert_eq!(Role::from_name("SELF"), Some(Role::SelfOnly));
        assert_eq!(Role::from_name("root"), None);
    }
}
