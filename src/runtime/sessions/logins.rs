//! Who may log in now, and with which password.

use std::sync::{Arc, Weak};

use super::own_passwords::{Own, OwnPasswords};
use crate::runtime::Runtime;
use presence::config::{ApiUser, Http, PasswordKinds};
use presence::directory::Directory;

/// The logins at one moment.
#[derive(Clone, Debug)]
pub struct Logins {
    directory: Arc<Directory>,
    own: Arc<OwnPasswords>,
}

/// What [`Logins`] were compared with, without keeping them.
#[derive(Default, Debug)]
pub struct SeenLogins(Weak<Directory>, Weak<OwnPasswords>);

impl Logins {
    /// The logins of that configuration with these passwords of people's own.
    pub fn new(directory: Arc<Directory>, own: Arc<OwnPasswords>) -> Self {
        Logins { directory, own }
    }

    /// The settings of the HTTP interface.
    pub fn http(&self) -> &Http {
        &self.directory.settings.http
    }

    /// The login of that name as the administrator has configured it.
    pub fn configured(&self, name: &str) -> Option<Arc<ApiUser>> {
        self.directory.login(name)
    }

    /// The login of that name, a person's with their own password; `None` also where that is not
    /// known.
    pub fn find(&self, name: &str) -> Option<Arc<ApiUser>> {
        let found = self.configured(name)?;
        match self.own.of(&found) {
            Own::None => Some(found),
            Own::Hash(own) => Some(Arc::new(found.with_password(own))),
            Own::Unknown => None,
        }
    }

    /// The kinds of all passwords.
    pub fn kinds(&self) -> PasswordKinds {
        let mut kinds = self.directory.password_kinds().clone();
        let own = self.own.kinds().others(None);
        own.for_each(|hash| kinds.add(hash));
        kinds
    }

    /// What to compare later ones with.
    pub fn seen(&self) -> SeenLogins {
        SeenLogins(Arc::downgrade(&self.directory), Arc::downgrade(&self.own))
    }

    /// Whether nothing has changed since.
    pub fn are(&self, seen: &SeenLogins) -> bool {
        std::ptr::eq(seen.0.as_ptr(), Arc::as_ptr(&self.directory))
            && std::ptr::eq(seen.1.as_ptr(), Arc::as_ptr(&self.own))
    }
}

impl Runtime {
    /// The logins of now; `None` while the module is not running.
    pub fn logins(&self) -> Option<Logins> {
        let directory = self.read(|world| world.directory().clone())?;
        Some(Logins::new(directory, self.sessions.own_passwords.now()))
    }
}
