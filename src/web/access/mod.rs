//! Access over HTTP: sessions, limits, addresses.

pub mod forwarded;

use std::ops::Deref;

use crate::runtime::sessions::session::Id;

use presence::model::principal::Principal;

/// How a caller proved its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Credential {
    /// Name and password, with each request.
    #[default]
    Password,
    /// The cookie of a session.
    Session(Id),
    /// The cookie of a session of the manager interface over HTTP: its number.
    Manager(u32),
}

/// The sender of a request: a [`Principal`] and the proof of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The identity, with its rights.
    pub principal: Principal,
    /// Its proof, which may end before the request does.
    pub credential: Credential,
}

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}
