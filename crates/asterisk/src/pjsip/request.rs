//! The body of a request that `res_pjsip` received: `pjsip_rx_data` (`pjsip/sip_transport.h`
//! and `pjsip/sip_msg.h` of pjproject).
//!
//! Asterisk's headers do not show the structure, and the place of the message in it depends on
//! how pjproject was built. So the place is not assumed but found, once in a process: res_pjsip
//! parses a known request into memory of this file, with an allocator whose memory is this
//! file's too, and everything that is relied on is looked up there, within the bounds of that
//! memory. Where anything differs, requests are not read at all.

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::{offset_of, size_of, transmute};
use std::ptr;
use std::slice;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::guard::guard;
use crate::peer::RunningPeer;
use crate::{Error, ffi, log};

mod probe;

use probe::Layout;

/// `None` where the layout is not what is relied on.
static LAYOUT: OnceLock<Option<Layout>> = OnceLock::new();
static BEGUN: AtomicBool = AtomicBool::new(false);

type CreateRdata = unsafe extern "C" fn(
    *mut ffi::pjsip_rx_data,
    *mut c_char,
    *const c_char,
    c_int,
    *mut c_char,
    *const c_char,
    c_int,
    *const c_char,
) -> c_int;
type CreatePool = unsafe extern "C" fn(*const c_char, *mut c_void, usize) -> *mut ffi::pj_pool_t;
type PushTask = unsafe extern "C" fn(
    *mut ffi::ast_taskprocessor,
    Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    *mut c_void,
) -> c_int;

/// What the proof needs of `res_pjsip` and pjproject.
struct ParseFunctions {
    create: CreateRdata,
    pool: CreatePool,
}

static FUNCTIONS: OnceLock<ParseFunctions> = OnceLock::new();

/// Has a thread of res_pjsip find out how requests are laid out, if that was not done before. It
/// does not wait, because the caller has locked the list of modules. Until the thread is done,
/// and if it fails, [`SipRequest::body`] is `Err`. A failure is logged once.
///
/// # Errors
/// This Asterisk lacks a function that is needed.
pub fn prove(peer: &RunningPeer) -> Result<(), Error> {
    if BEGUN.load(Ordering::Acquire) {
        return Ok(());
    }
    let create = peer.find(c"ast_sip_create_rdata_with_contact")?;
    let pool = peer.find(c"pj_pool_create_on_buf")?;
    let push = peer.find(c"ast_sip_push_task")?;
    // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
    let create = unsafe { transmute::<*mut c_void, CreateRdata>(create) };
    // SAFETY: PJSIP-FUNCTIONS: as above.
    let pool = unsafe { transmute::<*mut c_void, CreatePool>(pool) };
    // SAFETY: PJSIP-FUNCTIONS: as above.
    let push = unsafe { transmute::<*mut c_void, PushTask>(push) };
    FUNCTIONS.get_or_init(|| ParseFunctions { create, pool });
    if BEGUN.swap(true, Ordering::AcqRel) {
        return Ok(());
    }
    // SAFETY: PEER-STAYS, PJSIP-FUNCTIONS, MODULE-MAPPED: it may be called from any thread, and
    // calls the task once, whose code stays.
    if unsafe { push(ptr::null_mut(), Some(find_layout), ptr::null_mut()) } != 0 {
        BEGUN.store(false, Ordering::Release);
        return Err(Error::new("res_pjsip accepts no task"));
    }
    Ok(())
}

/// # Safety
/// Called by res_pjsip in one of its threads, after `FUNCTIONS` was set.
unsafe extern "C" fn find_layout(_data: *mut c_void) -> c_int {
    guard(
        || 0,
        || {
            let functions = FUNCTIONS.get();
            let layout = functions.map(|functions| {
                // SAFETY: CALLER: this is a thread of res_pjsip.
                unsafe { probe::layout(functions) }
            });
            let layout = match layout {
                Some(Ok(layout)) => Some(layout),
                Some(Err(why)) => {
                    log::notice(format_args!(
                        "The bodies of SIP requests are not read: this res_pjsip is not built as \
                         expected ({why})"
                    ));
                    None
                }
                None => None,
            };
            let _ = LAYOUT.set(layout);
            0
        },
    )
}

/// Whether it is known how requests are laid out; `None` until [`prove`] has found out.
pub(crate) fn is_proven() -> Option<bool> {
    LAYOUT.get().map(Option::is_some)
}

/// Why there is no body to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// The request has no body.
    None,
    /// res_pjsip parsed the request out of its own store, where it was kept over a restart: it
    /// is not new.
    Old,
    /// The body is multipart, or in another form that pjproject has taken apart.
    Parts,
    /// How requests are laid out is not known (yet).
    Unknown,
}

/// The body of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestBody<'a> {
    /// The first half of the content type, such as `application`; in any case of letters.
    pub main: &'a [u8],
    /// Its second half.
    pub subtype: &'a [u8],
    /// The bytes. They come from the network.
    pub data: &'a [u8],
}

impl RequestBody<'_> {
    /// Whether the content type is this one.
    pub fn is(&self, main: &str, subtype: &str) -> bool {
        self.main.eq_ignore_ascii_case(main.as_bytes())
            && self.subtype.eq_ignore_ascii_case(subtype.as_bytes())
    }
}

/// A request that res_pjsip is handling.
///
/// # Invariants
/// The pointer is to a request that was received and parsed; it lives and stays unchanged for
/// `'a`.
#[derive(Debug)]
pub struct SipRequest<'a>(*const ffi::pjsip_rx_data, PhantomData<&'a ()>);

impl<'a> SipRequest<'a> {
    /// A request from a callback.
    ///
    /// # Safety
    /// `rdata` is a received and parsed request, which lives and stays unchanged for `'a`.
    pub(crate) unsafe fn new(rdata: *const ffi::pjsip_rx_data) -> Self {
        SipRequest(rdata, PhantomData)
    }

    /// The method, such as `PUBLISH`; empty where it cannot be read.
    pub fn method(&self) -> &'a [u8] {
        let Some(layout) = LAYOUT.get().and_then(Option::as_ref) else {
            return &[];
        };
        // SAFETY: INVARIANT, PJSIP-LAYOUT: the place was found in such a structure.
        let message = unsafe { layout.word(self.0, layout.message) };
        let message = message.cast::<ffi::pjsip_msg>();
        if message.is_null() {
            return &[];
        }
        // SAFETY: INVARIANT, PJSIP-LAYOUT: the message of a request that was parsed.
        let name = unsafe { message.byte_add(METHOD) };
        // SAFETY: INVARIANT, PJSIP-LAYOUT: the name of its method is there.
        let name = unsafe { name.cast::<ffi::pj_str_t>().read_unaligned() };
        // SAFETY: INVARIANT, PJSIP-LAYOUT: a text of the message.
        unsafe { text_of(&name) }
    }

    /// The body.
    ///
    /// # Errors
    /// Why there is none to read.
    pub fn body(&self) -> Result<RequestBody<'a>, Unread> {
        let layout = LAYOUT.get().and_then(Option::as_ref);
        let layout = layout.ok_or(Unread::Unknown)?;
        // SAFETY: INVARIANT, PJSIP-LAYOUT: the places were found in such a structure.
        let text = unsafe { layout.word(self.0, layout.text) };
        // SAFETY: INVARIANT, PJSIP-LAYOUT: as above.
        let message = unsafe { layout.word(self.0, layout.message) };
        if message.is_null() {
            return Err(Unread::None);
        }
        let body = message.wrapping_byte_add(BODY);
        let body = body.cast::<*const ffi::pjsip_msg_body>();
        // SAFETY: INVARIANT, PJSIP-LAYOUT: the message of a request that was parsed.
        let body = unsafe { body.read_unaligned() };
        if body.is_null() {
            return Err(Unread::None);
        }
        if text.is_null() {
            return Err(Unread::Old);
        }
        // SAFETY: INVARIANT, PJSIP-LAYOUT: the body of a message.
        let body = unsafe { body.read_unaligned() };
        if body.print_body.map(|print| print as usize) != Some(layout.print) {
            return Err(Unread::Parts);
        }
        if body.data.is_null() || body.len == 0 {
            return Err(Unread::None);
        }
        // SAFETY: INVARIANT, PJSIP-LAYOUT: a body that is printed as text is so many bytes.
        let data = unsafe { slice::from_raw_parts(body.data.cast::<u8>(), body.len as usize) };
        Ok(RequestBody {
            // SAFETY: INVARIANT, PJSIP-LAYOUT: a text of the message.
            main: unsafe { text_of(&body.content_type.type_) },
            // SAFETY: INVARIANT, PJSIP-LAYOUT: as above.
            subtype: unsafe { text_of(&body.content_type.subtype) },
            data,
        })
    }
}

impl<'a> RequestBody<'a> {
    /// The body that a callback gets beside its request; `None` for a multipart one and for one
    /// without bytes.
    ///
    /// # Safety
    /// `body` is NULL, or the body of a received and parsed request, which lives and stays
    /// unchanged for `'a`. [`is_proven`] says that the layout is known.
    pub(crate) unsafe fn new(body: *const ffi::pjsip_msg_body) -> Option<Self> {
        let layout = LAYOUT.get()?.as_ref()?;
        if body.is_null() {
            return None;
        }
        // SAFETY: CALLER, PJSIP-LAYOUT: the body of a message.
        let body = unsafe { body.read_unaligned() };
        let is_text = body.print_body.map(|print| print as usize) == Some(layout.print);
        if !is_text || body.data.is_null() || body.len == 0 {
            return None;
        }
        Some(RequestBody {
            // SAFETY: CALLER, PJSIP-LAYOUT: a text of the message.
            main: unsafe { text_of(&body.content_type.type_) },
            // SAFETY: CALLER, PJSIP-LAYOUT: as above.
            subtype: unsafe { text_of(&body.content_type.subtype) },
            // SAFETY: CALLER, PJSIP-LAYOUT: a body that is printed as text is so many bytes.
            data: unsafe { slice::from_raw_parts(body.data.cast::<u8>(), body.len as usize) },
        })
    }
}

/// # Safety
/// The text of a message that lives and stays unchanged for `'a`.
unsafe fn text_of<'a>(text: &ffi::pj_str_t) -> &'a [u8] {
    match usize::try_from(text.slen) {
        Ok(length) if length > 0 && !text.ptr.is_null() => {
            // SAFETY: CALLER, PJSIP-LAYOUT: a text has so many bytes.
            unsafe { slice::from_raw_parts(text.ptr.cast::<u8>(), length) }
        }
        _ => &[],
    }
}

const POINTER: usize = size_of::<usize>();
/// Where a message has its parts.
const METHOD: usize = offset_of!(ffi::pjsip_msg, line)
    + offset_of!(ffi::pjsip_request_line, method)
    + offset_of!(ffi::pjsip_method, name);
const BODY: usize = offset_of!(ffi::pjsip_msg, body);
