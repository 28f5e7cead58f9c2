//! The service that looks at each PUBLISH before `res_pjsip_pubsub` does.

use std::ffi::{c_int, c_void};
use std::ptr;

use super::super::request::{RequestBody, SipRequest, Unread};
use super::super::service::text_of;
use super::{FUNCTIONS, HANDLER, PublishRequest, Publishing, SipStatus, name_of, with};
use crate::guard::guard;
use crate::{ffi, text};

/// # Safety
/// Called by pjproject with a request that it received and parsed.
pub(super) unsafe extern "C" fn received<P: Publishing>(rdata: *mut ffi::pjsip_rx_data) -> c_int {
    const GO_ON: c_int = 0;
    const ANSWERED: c_int = 1;
    guard(
        || GO_ON,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a parsed request, until this returns.
            let request = unsafe { SipRequest::new(rdata) };
            if request.method() != b"PUBLISH" {
                return GO_ON;
            }
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
            match unsafe { refused::<P>(rdata, &request) } {
                // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
                Some(status) if unsafe { respond(rdata, status) } => ANSWERED,
                _ => GO_ON,
            }
        },
    )
}

/// The status with which a PUBLISH is refused.
///
/// # Safety
/// `rdata` is a request that was received and parsed, and that `request` shows.
unsafe fn refused<P: Publishing>(
    rdata: *mut ffi::pjsip_rx_data,
    request: &SipRequest<'_>,
) -> Option<SipStatus> {
    let functions = FUNCTIONS.get()?;
    let header = |name| {
        // SAFETY: CALLER, PJSIP-STAYS: a live request; the answer is NULL, or a C string that
        // lives as long as the request.
        unsafe { (functions.get_header)(rdata, text_of(name)) }
    };
    let event = header(c"Event");
    // SAFETY: HOST-STRINGS: NULL, or a C string of the request.
    if unsafe { text::bytes(event) } != P::EVENT.to_bytes() {
        return None;
    }
    // SAFETY: CALLER, PJSIP-STAYS: a live request.
    let endpoint = unsafe { (functions.get_endpoint)(rdata) };
    if endpoint.is_null() {
        return None;
    }
    let endpoint = EndpointRef(endpoint);
    let tag = header(c"SIP-If-Match");
    // SAFETY: HOST-STRINGS: NULL, or a C string of the request.
    if !tag.is_null() && !is_own(unsafe { text::bytes(tag) }, &endpoint.name()) {
        return Some(CONDITIONAL_REQUEST_FAILED);
    }
    let body = match request.body() {
        Ok(body) => Some(body),
        Err(Unread::Parts) => Some(RequestBody {
            main: b"multipart",
            subtype: b"",
            data: b"",
        }),
        Err(Unread::None | Unread::Old | Unread::Unknown) => None,
    };
    let checked = P::check(PublishRequest {
        endpoint: &endpoint.name(),
        is_initial: tag.is_null(),
        body,
    });
    checked.err()
}

/// As for a tag that is not known: a phone publishes anew after it.
const CONDITIONAL_REQUEST_FAILED: SipStatus = SipStatus(412);

/// Whether the publication with that entity tag is one of the endpoint's. `res_pjsip_pubsub`
/// itself finds it by the tag alone, and tags are numbers that count up.
fn is_own(tag: &[u8], endpoint: &str) -> bool {
    // Only what is written as res_pjsip_pubsub writes it: it reads other forms as well.
    let number = std::str::from_utf8(tag).ok();
    let number = number.and_then(|text| Some((text, text.parse::<c_int>().ok()?)));
    let number = number.filter(|(text, number)| *text == number.to_string());
    let (Some((_, number)), Some(handler)) = (number, HANDLER.get()) else {
        return false;
    };
    // SAFETY: INVARIANT: the registered handler.
    let publications = unsafe { (*handler.0).publications };
    let key = (&raw const number).cast::<c_void>();
    let (place, function) = (c"publication.rs", c"is_own");
    // SAFETY: INVARIANT, PUBLICATIONS: a live container, and the key of its publications; the
    // texts are constants.
    let publication = unsafe {
        ffi::__ao2_find(
            publications,
            key,
            ffi::OBJ_SEARCH_KEY,
            ptr::null(),
            place.as_ptr(),
            0,
            function.as_ptr(),
        )
    };
    if publication.is_null() {
        return false;
    }
    // SAFETY: PUBLICATIONS, HOST-OBJECTS: a publication, to which this thread has a reference.
    let own = unsafe { with(publication.cast(), |found| found.endpoint == endpoint) };
    // SAFETY: HOST-OBJECTS: the reference from above, given back once.
    unsafe { ffi::__ao2_cleanup(publication) };
    own
}

/// Answers a request; says whether that was possible.
///
/// # Safety
/// `rdata` is a request that was received and parsed, and that was not answered.
unsafe fn respond(rdata: *mut ffi::pjsip_rx_data, SipStatus(status): SipStatus) -> bool {
    let Some(functions) = FUNCTIONS.get() else {
        return false;
    };
    // SAFETY: PJSIP-STAYS: it returns a pointer that res_pjsip keeps.
    let endpoint = unsafe { (functions.sip_endpoint)() };
    // SAFETY: CALLER, PJSIP-STAYS: a live request; without a text, headers and a body.
    let result = unsafe {
        (functions.respond)(
            endpoint,
            rdata,
            c_int::from(status),
            ptr::null(),
            ptr::null(),
            ptr::null(),
        )
    };
    result == 0
}

/// A reference to an endpoint.
///
/// # Invariants
/// An object of sorcery, to which this has a reference.
struct EndpointRef(*mut c_void);

impl EndpointRef {
    fn name(&self) -> String {
        // SAFETY: INVARIANT: a live object of sorcery.
        unsafe { name_of(self.0) }
    }
}

impl Drop for EndpointRef {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-OBJECTS: the reference is given back once.
        unsafe { ffi::__ao2_cleanup(self.0) };
    }
}
