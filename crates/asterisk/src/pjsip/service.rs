//! Services of `res_pjsip`, which are modules of pjproject: `asterisk/res_pjsip.h`.
//!
//! A service is registered once and stays for as long as the process lives. pjproject may walk
//! its list of modules without a lock, and an element that is taken off the list points to
//! itself: a thread that had reached it would walk in a circle forever.

use std::ffi::{CStr, c_int, c_void};
use std::mem::transmute;
use std::ptr;

use crate::peer::RunningPeer;
use crate::{Error, ffi, slack};

/// `ast_sip_register_service`
#[derive(Clone, Copy)]
pub(super) struct RegisterService(unsafe extern "C" fn(*mut ffi::pjsip_module) -> c_int);

impl RegisterService {
    /// # Errors
    /// This Asterisk has no such function.
    pub fn find(peer: &RunningPeer) -> Result<Self, Error> {
        let register = peer.find(c"ast_sip_register_service")?;
        // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
        Ok(RegisterService(unsafe {
            transmute::<*mut c_void, unsafe extern "C" fn(*mut ffi::pjsip_module) -> c_int>(
                register,
            )
        }))
    }

    /// Registers a service for the life of the process. It waits for a thread of `res_pjsip`,
    /// which may wait for the lock of the core's list of modules: no caller may hold that.
    ///
    /// # Errors
    /// The service is refused.
    pub fn register(self, service: ffi::pjsip_module) -> Result<(), Error> {
        // SAFETY: ZERO-VALUE: it is overwritten with the service.
        let service = unsafe { slack::leak(|place: &mut ffi::pjsip_module| *place = service) };
        // SAFETY: PJSIP-STAYS, LINKED-FOREVER: the structure is in no list, and is never freed.
        match unsafe { (self.0)(service) } {
            0 => Ok(()),
            _ => Err(Error::new("res_pjsip refuses the service")),
        }
    }
}

/// A service without callbacks. Modules with a lower priority see requests before it.
pub(super) fn service(name: &'static CStr, priority: c_int) -> ffi::pjsip_module {
    ffi::pjsip_module {
        prev: ptr::null_mut(),
        next: ptr::null_mut(),
        name: text_of(name),
        id: -1,
        priority,
        load: None,
        start: None,
        stop: None,
        unload: None,
        on_rx_request: None,
        on_rx_response: None,
        on_tx_request: None,
        on_tx_response: None,
        on_tsx_state: None,
        reserved: [ptr::null_mut(); 8],
    }
}

/// A constant as pjproject's text, which is only read.
pub(super) fn text_of(text: &'static CStr) -> ffi::pj_str_t {
    ffi::pj_str_t {
        ptr: text.as_ptr().cast_mut(),
        slen: text.count_bytes() as isize,
    }
}
