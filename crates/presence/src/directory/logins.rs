//! Who may log in over HTTP.

use std::sync::Arc;

use super::Directory;
use crate::config::{ApiUser, PasswordKinds};

impl Directory {
    /// The API user of that name, or else the person: the user with that name, or the only one
    /// with that id or extension, if the section has a password. An API user's name is never a
    /// person's too.
    pub fn login(&self, name: &str) -> Option<Arc<ApiUser>> {
        let http = &self.settings.http;
        if let Some(user) = http.user(name) {
            return Some(user.clone());
        }
        let user = self.get(self.find(name).ok()?);
        let password = user.password.as_deref()?;
        // Named by an id or extension, whose login has the name of an API user.
        if http.user(&user.name).is_some() {
            return None;
        }
        let person = ApiUser::person(&user.name, self.account(user.account), password);
        Some(Arc::new(person))
    }

    /// The kinds of the passwords of all API users and persons.
    pub fn password_kinds(&self) -> &PasswordKinds {
        &self.password_kinds
    }

    pub(super) fn collect_password_kinds(&mut self) {
        let mut kinds = self.settings.http.password_kinds();
        for hash in self
            .users
            .iter()
            .filter_map(|user| user.password.as_deref())
        {
            kinds.add(hash);
        }
        self.password_kinds = kinds;
    }
}

#[cfg(test)]
mod tests {
    use crate::config::testing::{directory, parsed};
    use crate::model::principal::Role;

    const OFFICE: &str = "[alice]\ntype = user\nid = 4711\naccount = main\nextension = 200\n\
        password = $6$a$alice\n\
        [bob]\ntype = user\naccount = main\nextension = 201\npassword = $y$j9T$b$bob\n\
        [carol]\ntype = user\naccount = other\nextension = 201\npassword = $6$c$carol\n\
        [dave]\ntype = user\naccount = main\nextension = 203\n\
        [panel]\ntype = api_user\naccount = main\npassword = $5$p$panel\n";

    #[test]
    fn a_person_logs_in_by_name_and_by_what_nobody_else_is_called() {
        let office = directory(OFFICE);
        let login = |name: &str| office.login(name);
        for name in ["alice", "ALICE", "4711", "200"] {
            let person = login(name).unwrap();
            assert!(
                person.is_person && &*person.password == "$6$a$alice",
                "{name}"
            );
            assert_eq!(&*person.caller.name, "alice");
            assert_eq!(person.caller.user.as_deref(), Some("alice"));
            assert_eq!(person.caller.account.as_deref(), Some("main"));
            assert_eq!(person.caller.role, Role::SelfOnly);
        }
        // Two have that extension; one has no password; one does not exist.
        for name in ["201", "dave", "203", "nobody", ""] {
            assert_eq!(login(name), None, "{name}");
        }
        assert!(!login("panel").unwrap().is_person);
        let kinds: Vec<_> = office.password_kinds().others(Some("$6$x$y")).collect();
        assert_eq!(kinds, ["$5$p$panel", "$y$j9T$b$bob"]);
    }

    #[test]
    fn an_api_user_comes_before_a_person_of_the_same_name() {
        let text = OFFICE.replace("[panel]", "[ALICE]");
        let warnings = parsed(&text).warnings;
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        let warning = warnings[0].to_string();
        assert!(
            warning.contains("section [alice], option 'password'"),
            "{warning}"
        );
        assert!(!warning.contains("$6$"), "{warning}");
        let office = directory(&text);
        assert!(!office.login("alice").unwrap().is_person);
        assert_eq!(office.login("4711"), None);
    }
}
