//! The SUBSCRIBE in whose body a phone says that a key was pressed.

use std::ffi::{c_char, c_int};
use std::sync::atomic::Ordering;

use super::subscription::Registry;
use super::{ATTACHED, FeatureEvents, SipStatus, begin};
use crate::ffi;
use crate::guard::guard;
use crate::pjsip::request::{SipRequest, Unread};

/// # Safety
/// Called by res_pjsip_pubsub with a live endpoint, a C string and a received request.
pub(super) unsafe extern "C" fn new_subscribe<F: FeatureEvents>(
    endpoint: *mut ffi::ast_sip_endpoint,
    _resource: *const c_char,
    rdata: *mut ffi::pjsip_rx_data,
) -> c_int {
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a request that was received, until the callback
    // returns.
    let read = |name: &str| press::<F>(name, &unsafe { SipRequest::new(rdata) });
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: the endpoint lives until the callback returns.
    unsafe { begin::<F>(endpoint, read) }
}

/// Hands on what the body asks for, if there is one.
fn press<F: FeatureEvents>(endpoint: &str, request: &SipRequest<'_>) -> Result<(), SipStatus> {
    match request.body() {
        Ok(body) => F::request(endpoint, &body),
        Err(Unread::Parts) => Err(415),
        Err(Unread::None | Unread::Old | Unread::Unknown) => Ok(()),
    }
}

/// Always -1: res_pjsip_pubsub goes on and answers with a NOTIFY.
///
/// # Safety
/// Called by res_pjsip_pubsub with a live subscription and a received request.
pub(super) unsafe extern "C" fn refresh<F: FeatureEvents>(
    sub: *mut ffi::ast_sip_subscription,
    rdata: *mut ffi::pjsip_rx_data,
) -> c_int {
    guard(
        || (),
        || {
            let subscription = Registry::of(sub);
            let Some(subscription) = subscription.filter(|_| ATTACHED.load(Ordering::Acquire))
            else {
                return;
            };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a request that was received, until the
            // callback returns.
            let request = unsafe { SipRequest::new(rdata) };
            // What is refused is answered by the true state.
            let _ = press::<F>(subscription.endpoint(), &request);
            subscription.send_everything();
        },
    );
    -1
}
