//! Access over HTTP: sessions, limits, addresses.

pub mod forwarded;
pub mod password_checks;
pub mod rate;
pub mod reader_slots;
pub mod session;
pub mod throttle;

use std::ops::Deref;

use presence::model::principal::Principal;

/// How a caller proved its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Credential {
    /// Name and password, with each request.
    #[default]
    Password,
    /// The cookie of a session.
    Session(session::SessionId),
    /// The cookie of a session of the manager interface over HTTP: its number.
    Manager(u32),
}

/// The sender of a request: a [`Principal`] and the proof of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpCaller {
    /// The identity, with its rights.
    pub principal: Principal,
    /// Its proof, which may end before the request does.
    pub credential: Credential,
}

impl Deref for HttpCaller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}
