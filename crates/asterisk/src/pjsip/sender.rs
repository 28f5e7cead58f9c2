//! The endpoint that has sent the request on which a thread works: `asterisk/res_pjsip.h`.
//!
//! Some callbacks of `res_pjsip_pubsub` are not given the request. They come in the thread that
//! answers it, however: so a service of ours, which sees each request before the modules that
//! answer it, notes the endpoint for the thread, and forgets it with the response.

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::guard::guard;
use crate::peer::{Peer, RunningPeer};
use crate::{Error, ffi, text};

/// The sender of the request on which this thread works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sender {
    /// Requests are not looked at: there may be one.
    Unknown,
    /// The thread works on no request.
    Nobody,
    /// The endpoint with this name. It has proven its identity unless the request belongs to a
    /// dialog: `res_pjsip` asks nobody again within a dialog.
    Endpoint(String),
}

/// The sender of the request on which this thread works.
pub fn current() -> Sender {
    if !ATTACHED.load(Ordering::Acquire) {
        return Sender::Unknown;
    }
    let sender = SENDER.try_with(|sender| sender.borrow().clone());
    match sender {
        Ok(Some(endpoint)) => Sender::Endpoint(endpoint),
        Ok(None) => Sender::Nobody,
        Err(_) => Sender::Unknown,
    }
}

thread_local! {
    static SENDER: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether the service is registered. It changes under the lock of the core's list of modules
/// only.
static ATTACHED: AtomicBool = AtomicBool::new(false);

type GetEndpoint = unsafe extern "C" fn(*mut ffi::pjsip_rx_data) -> *mut c_void;
type Register = unsafe extern "C" fn(*mut ffi::pjsip_module) -> c_int;
type Unregister = unsafe extern "C" fn(*mut ffi::pjsip_module);

/// `ast_pjsip_rdata_get_endpoint`, set before the service is registered.
static GET_ENDPOINT: OnceLock<GetEndpoint> = OnceLock::new();

/// The service with `res_pjsip`.
#[derive(Debug)]
pub struct SenderPeer;

impl Peer for SenderPeer {
    const FILE: &'static CStr = c"res_pjsip.so";
    const WHAT: &'static str = "senders of SIP requests";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        let get_endpoint = peer.find(c"ast_pjsip_rdata_get_endpoint")?;
        let register = peer.find(c"ast_sip_register_service")?;
        // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
        let get_endpoint = unsafe { transmute::<*mut c_void, GetEndpoint>(get_endpoint) };
        // SAFETY: PJSIP-FUNCTIONS: as above.
        let register = unsafe { transmute::<*mut c_void, Register>(register) };
        GET_ENDPOINT.get_or_init(|| get_endpoint);
        // SAFETY: PEER-STAYS, LINKED-FOREVER: the structure is in no list.
        if unsafe { register(service()) } != 0 {
            return Err(Error::new("res_pjsip refuses the service"));
        }
        ATTACHED.store(true, Ordering::Release);
        Ok(())
    }

    /// Waits for requests in progress.
    fn detach(peer: &RunningPeer) {
        if !ATTACHED.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Ok(unregister) = peer.find(c"ast_sip_unregister_service") {
            // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
            let unregister = unsafe { transmute::<*mut c_void, Unregister>(unregister) };
            // SAFETY: PEER-STAYS, LINKED-FOREVER: it takes the structure off the list.
            unsafe { unregister(service()) };
        }
    }

    fn lost() {
        ATTACHED.store(false, Ordering::Release);
    }
}

/// The service, allocated once.
struct Service(*mut ffi::pjsip_module);

// SAFETY: LINKED-FOREVER: the pointer is only handed to res_pjsip, which has locks of its own.
unsafe impl Send for Service {}
// SAFETY: LINKED-FOREVER: as above.
unsafe impl Sync for Service {}

/// Behind the modules that find the endpoint of a request, and before those that hand it to a
/// dialog or answer it (`PJSIP_MOD_PRIORITY_TSX_LAYER` is 16, `_UA_PROXY_LAYER` 32).
const PRIORITY: c_int = 24;

fn service() -> *mut ffi::pjsip_module {
    static SERVICE: OnceLock<Service> = OnceLock::new();
    const NAME: &CStr = c"User Presence Senders";
    let service = SERVICE.get_or_init(|| {
        let name = ffi::pj_str_t {
            // It is only read.
            ptr: NAME.as_ptr().cast_mut(),
            slen: NAME.count_bytes() as isize,
        };
        Service(Box::into_raw(Box::new(ffi::pjsip_module {
            prev: ptr::null_mut(),
            next: ptr::null_mut(),
            name,
            id: -1,
            priority: PRIORITY,
            load: None,
            start: None,
            stop: None,
            unload: None,
            on_rx_request: Some(received),
            on_rx_response: None,
            on_tx_request: None,
            on_tx_response: Some(answered),
            on_tsx_state: None,
            reserved: [ptr::null_mut(); 8],
        })))
    });
    service.0
}

/// # Safety
/// Called by pjproject with a request that it received.
unsafe extern "C" fn received(request: *mut ffi::pjsip_rx_data) -> c_int {
    const GO_ON: c_int = 0;
    guard(
        || GO_ON,
        || {
            // SAFETY: CALLER, PJSIP-FUNCTIONS: a live request.
            let endpoint = GET_ENDPOINT.get().map(|get| unsafe { get(request) });
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
