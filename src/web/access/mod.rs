//! Access over HTTP: sessions, limits, addresses. Pure: no Asterisk, no input or output.

pub mod forwarded;

use std::ops::Deref;
use std::sync::Arc;

use crate::runtime::sessions::session::SessionId;

use presence::config::ApiUser;
use presence::model::principal::Principal;

/// How a caller proved its identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Credential {
    /// A name and password with each request.
    #[default]
    Password,
    /// The cookie of a session.
    Session(SessionId),
    /// The cookie of an AMI session over HTTP: the number of that session.
    Manager(u32),
}

/// The sender of a request: a [`Principal`] and its credential.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpCaller {
    /// The identity and its permissions.
    pub principal: Principal,
    /// The credential, which may expire before the request ends.
    pub credential: Credential,
    /// The login, with the password of that moment; `None` for an AMI session.
    pub login: Option<Arc<ApiUser>>,
}

impl HttpCaller {
    /// A caller who has proved to be this login.
    pub fn new(login: Arc<ApiUser>, credential: Credential) -> Self {
        HttpCaller {
            principal: login.caller.clone(),
            credential,
            login: Some(login),
        }
    }
}

impl Deref for HttpCaller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}
