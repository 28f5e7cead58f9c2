//! Security events: Asterisk's log `security`, and the manager class of that name.

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

/// Reports it. Whatever the name is, it cannot forge a field of the event.
pub fn report(request: &Request<'_>, name: &str, event: Event) {
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
    // SAFETY: the session of a request that is being answered in this thread, and a C
    // string that is copied.
    unsafe {
        ffi::res_userpresence_security_report(request.session(), kind as i32, name.as_ptr());
    }
}
