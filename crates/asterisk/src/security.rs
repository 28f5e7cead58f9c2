//! Security events, for Asterisk's log level `security` and the AMI class of that name:
//! `asterisk/security_events.h`.

use std::ffi::CStr;
use std::net::IpAddr;
use std::ptr;

use super::http::Request;
use super::{entry, ffi, text};

/// What became of an attempt to log in: some of `enum ast_security_event_type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SecurityEvent {
    /// The attempt succeeded.
    Success,
    /// There is no such account.
    NoSuchAccount,
    /// The password was wrong.
    WrongPassword,
    /// The account may not be used from that address.
    Address,
}

impl SecurityEvent {
    fn raw(self) -> ffi::ast_security_event_type {
        match self {
            SecurityEvent::Success => ffi::AST_SECURITY_EVENT_SUCCESSFUL_AUTH,
            SecurityEvent::NoSuchAccount => ffi::AST_SECURITY_EVENT_INVAL_ACCT_ID,
            SecurityEvent::WrongPassword => ffi::AST_SECURITY_EVENT_INVAL_PASSWORD,
            SecurityEvent::Address => ffi::AST_SECURITY_EVENT_FAILED_ACL,
        }
    }
}

/// Reports an event of `service` about a HTTP request from `remote`, an address that a proxy
/// may have told. In `account`, characters that could forge a field of the event are replaced;
/// it is cut to 60 characters.
pub fn report(
    request: &Request<'_>,
    service: &CStr,
    account: &str,
    remote: IpAddr,
    event: SecurityEvent,
) {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    let account = account.chars().take(60);
    let account: String = account.map(|c| if good(c) { c } else { '?' }).collect();
    let account = text::printable(&account);
    // The connection's own address is reported with its port.
    let remote = (remote != request.remote()).then(|| text::printable(&remote.to_string()));
    let remote = remote
        .as_ref()
        .map_or(ptr::null(), |remote| remote.as_ptr());
    // SAFETY: HTTP-SESSION, HOST-COPIES: the session of the request, and C strings or NULL
    // that live through the call.
    unsafe {
        ffi::shim_security_report(
            request.session(),
            event.raw() as i32,
            service.as_ptr(),
            entry::name().as_ptr(),
            account.as_ptr(),
            remote,
        );
    }
}
