//! The endpoint that has sent the request on which a thread works: `asterisk/res_pjsip.h`.
//!
//! Some callbacks of `res_pjsip_pubsub` do not get the request, but they come in the thread that
//! answers it. A service of the layer sees each request before the modules that answer it: it
//! notes the endpoint for the thread, and forgets it with the response.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::mem::transmute;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::service::{RegisterService, service, text_of};
use crate::guard::guard;
use crate::peer::{Peer, RunningPeer};
use crate::{Error, entry, ffi, log, text};

/// The sender of the request on which this thread works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestSender {
    /// Requests are not looked at: there may be one.
    Unknown,
    /// The thread works on no request.
    Nobody,
    /// The endpoint with this name. It has proven its identity unless the request belongs to a
    /// dialog: `res_pjsip` asks nobody again within a dialog.
    Endpoint(String),
}

/// The sender of the request on which this thread works.
pub fn current() -> RequestSender {
    if !ATTACHED.load(Ordering::Acquire) || !REGISTERED.load(Ordering::Acquire) {
        return RequestSender::Unknown;
    }
    let sender = SENDER.try_with(|sender| sender.borrow().clone());
    match sender {
        Ok(Some(endpoint)) => RequestSender::Endpoint(endpoint),
        Ok(None) => RequestSender::Nobody,
        Err(_) => RequestSender::Unknown,
    }
}

thread_local! {
    static SENDER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether the module runs.
static ATTACHED: AtomicBool = AtomicBool::new(false);
/// Whether the service is registered, or is about to be.
static BEGUN: AtomicBool = AtomicBool::new(false);
/// Whether the service is registered.
static REGISTERED: AtomicBool = AtomicBool::new(false);

type GetEndpoint = unsafe extern "C" fn(*mut ffi::pjsip_rx_data) -> *mut c_void;
type GetHeader = unsafe extern "C" fn(*mut ffi::pjsip_rx_data, ffi::pj_str_t) -> *const c_char;

/// `ast_pjsip_rdata_get_endpoint` and `ast_sip_rdata_get_header_value`, set before the service
/// is registered.
static FUNCTIONS: OnceLock<(GetEndpoint, GetHeader)> = OnceLock::new();

/// The service with `res_pjsip`.
#[derive(Debug)]
pub struct SenderPeer;

impl Peer for SenderPeer {
    /// `res_pjsip` stays from when `res_pjsip_pubsub` runs.
    const FILE: &'static CStr = c"res_pjsip_pubsub.so";
    const WHAT: &'static str = "senders of SIP requests";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        let get_endpoint = peer.find(c"ast_pjsip_rdata_get_endpoint")?;
        // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
        let get_endpoint = unsafe { transmute::<*mut c_void, GetEndpoint>(get_endpoint) };
        let get_header = peer.find(c"ast_sip_rdata_get_header_value")?;
        // SAFETY: PJSIP-FUNCTIONS: as above.
        let get_header = unsafe { transmute::<*mut c_void, GetHeader>(get_header) };
        FUNCTIONS.get_or_init(|| (get_endpoint, get_header));
        let register = RegisterService::find(peer)?;
        ATTACHED.store(true, Ordering::Release);
        if BEGUN.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // Not here: the lock of the list of modules is held.
        let thread = thread::Builder::new().name(entry::thread_name("sip"));
        let started = thread.spawn(move || {
            let registered = register.register(ffi::pjsip_module {
                on_rx_request: Some(received),
                on_tx_response: Some(answered),
                ..service(c"User Presence Senders", PRIORITY)
            });
            match registered {
                Ok(()) => REGISTERED.store(true, Ordering::Release),
                Err(why) => {
                    BEGUN.store(false, Ordering::Release);
                    log::warning(format_args!("No {}: {why}", Self::WHAT));
                }
            }
        });
        if started.is_err() {
            BEGUN.store(false, Ordering::Release);
            return Err(Error::new("a thread cannot be started"));
        }
        Ok(())
    }

    fn holds(_: &RunningPeer) -> bool {
        BEGUN.load(Ordering::Acquire)
    }

    /// The service stays, and notes nothing.
    fn detach(_: &RunningPeer) {
        ATTACHED.store(false, Ordering::Release);
    }

    fn lost() {
        ATTACHED.store(false, Ordering::Release);
    }
}

/// Behind the modules that find the endpoint of a request, and before those that hand it to a
/// dialog or answer it (`PJSIP_MOD_PRIORITY_TSX_LAYER` is 16, `_UA_PROXY_LAYER` 32).
const PRIORITY: c_int = 24;

/// # Safety
/// Called by pjproject with a request that it received.
unsafe extern "C" fn received(request: *mut ffi::pjsip_rx_data) -> c_int {
    const GO_ON: c_int = 0;
    guard(
        || GO_ON,
        || {
            let functions = FUNCTIONS.get();
            let functions = functions.filter(|_| ATTACHED.load(Ordering::Acquire));
            // Other requests are of no interest, and an ACK has no response with which the note
            // would be forgotten.
            let functions = functions.filter(|(_, get_header)| {
                // SAFETY: CALLER, PJSIP-FUNCTIONS: a live request.
                !unsafe { get_header(request, text_of(c"Event")) }.is_null()
            });
            // SAFETY: CALLER, PJSIP-FUNCTIONS: a live request.
            let endpoint = functions.map(|(get, _)| unsafe { get(request) });
            let endpoint = endpoint.filter(|endpoint| !endpoint.is_null());
            let name = endpoint.map(|endpoint| {
                // SAFETY: HOST-OBJECTS: an object of sorcery, to which this thread has a
                // reference.
                let name = unsafe { ffi::ast_sorcery_object_get_id(endpoint) };
                // SAFETY: HOST-STRINGS: it lives as long as the endpoint.
                let name = String::from_utf8_lossy(unsafe { text::bytes(name) }).into_owned();
                // SAFETY: HOST-OBJECTS: the reference from above, given back once.
                unsafe { ffi::__ao2_cleanup(endpoint) };
                name
            });
            note(name);
            GO_ON
        },
    )
}

/// # Safety
/// Called by pjproject with a response that it sends; it has no other requirements.
unsafe extern "C" fn answered(_: *mut ffi::pjsip_tx_data) -> c_int {
    const SUCCESS: c_int = 0;
    guard(
        || SUCCESS,
        || {
            note(None);
            SUCCESS
        },
    )
}

fn note(endpoint: Option<String>) {
    // In the end of a thread there is nothing to note.
    let _ = SENDER.try_with(|sender| *sender.borrow_mut() = endpoint);
}
