//! Security events: Asterisk's log `security`, and the manager class of that name.

use std::net::IpAddr;
use std::ptr;

use super::http::Request;
use super::{ffi, text};

/// What happened to somebody who wanted to come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// Came in.
    Success,
    /// There is no such name.
    NoSuchName,
    /// It was another password.
    WrongPassword,
    /// The address may not use the name.
    Address,
}

/// Reports it. Whatever the name is, it cannot forge a field of the event. `remote` is where
/// it comes from, which a proxy may know better than the connection.
pub fn report(request: &Request<'_>, remote: IpAddr, name: &str, event: Event) {
    let kind = match event {
        Event::Success => ffi::AST_SECURITY_EVENT_SUCCESSFUL_AUTH,
        Event::NoSuchName => ffi::AST_SECURITY_EVENT_INVAL_ACCT_ID,
        Event::WrongPassword => ffi::AST_SECURITY_EVENT_INVAL_PASSWORD,
        Event::Address => ffi::AST_SECURITY_EVENT_FAILED_ACL,
    };
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let name = name.chars().take(60);
    let name: String = name.map(|c| if good(c) { c } else { '?' }).collect();
    let name = text::printable(&name);
    // The connection's own address comes with its port.
    let remote = (remote != request.remote()).then(|| text::printable(&remote.to_string()));
    let remote = remote
        .as_ref()
        .map_or(ptr::null(), |remote| remote.as_ptr());
    // SAFETY: the session of a request that is being answered in this thread, and C strings
    // that are copied, the second one or NULL.
    unsafe {
        let session = request.session();
        ffi::res_userpresence_security_report(session, kind as i32, name.as_ptr(), remote);
    }
}
