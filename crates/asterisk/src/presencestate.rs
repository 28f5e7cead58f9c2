//! Presence state: the provider, publishing, reading, the core's cache.

use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::ptr;

use super::guard::guard;
use super::stasis;
use super::text::{self, Owned, Terminated};
use super::{Error, ffi};
use presence::model::state::{Presence, State};

/// Answers for all addresses `<LABEL>:<address>`.
pub trait Provider: 'static {
    /// What stands before the colon; matched without regard to case, at most 39
    /// bytes.
    const LABEL: &'static CStr;

    /// The presence of an address, without the label. The core holds its list of
    /// providers locked meanwhile: never register or drop a provider in here.
    fn presence(address: &str) -> Presence;
}

/// A registered [`Provider`]; dropping it unregisters.
///
/// The core keeps several providers of one label and asks the newest. It has no
/// way to find an earlier one that stays quiet, so another module's provider of the
/// same label is covered, not detected, and answers again after the drop.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct ProviderRegistration {
    label: &'static CStr,
}

impl ProviderRegistration {
    /// Registers `P`.
    pub fn new<P: Provider>() -> Result<Self, Error> {
        // SAFETY: the core copies the label, and the thunk lives as long as the process.
        let result = unsafe { ffi::ast_presence_state_prov_add(P::LABEL.as_ptr(), Some(ask::<P>)) };
        if result != 0 {
            return Err(Error::new(format!(
                "Presence provider {:?} could not be registered",
                P::LABEL
            )));
        }
        Ok(ProviderRegistration { label: P::LABEL })
    }
}

impl Drop for ProviderRegistration {
    fn drop(&mut self) {
        // SAFETY: a static C string.
        unsafe { ffi::ast_presence_state_prov_del(self.label.as_ptr()) };
    }
}

thread_local! {
    /// What this thread is publishing, while the core asks the provider back for it.
    static PUBLISHING: Cell<*const Presence> = const { Cell::new(ptr::null()) };
}

unsafe extern "C" fn ask<P: Provider>(
    address: *const c_char,
    subtype: *mut *mut c_char,
    message: *mut *mut c_char,
) -> ffi::ast_presence_state {
    guard(ffi::AST_PRESENCE_NOT_SET, || {
        let publishing = PUBLISHING.replace(ptr::null());
        let presence = if publishing.is_null() {
            // SAFETY: the core passes a C string that outlives the call.
            match unsafe { text::utf8(address) } {
                Some(address) => P::presence(address),
                None => return ffi::AST_PRESENCE_NOT_SET,
            }
        } else {
            // SAFETY: set by `publish`, which is still on this thread's stack with
            // the presence it borrowed; it takes the pointer away before it returns.
            unsafe { &*publishing }.clone()
        };
        // SAFETY: the core passes two places for strings that it will free.
        unsafe {
            *subtype = text::duplicate(presence.subtype());
            *message = text::duplicate(presence.message());
        }
        to_raw(presence.state())
    })
}

/// Tells everyone that the address of that label and name is now `presence`.
///
/// For `not_set` the core asks the address's provider back, in this thread: a
/// [`Provider`] of ours is then answered for with `presence` itself. So publish a
/// `not_set` before its provider is unregistered; afterwards nothing goes out.
pub fn publish(label: &str, name: &str, presence: &Presence) -> Result<(), Error> {
    let address = Terminated::address(label, name)?;
    let subtype = Terminated::new(presence.subtype())?;
    let message = Terminated::new(presence.message())?;
    PUBLISHING.set(match presence.state() {
        State::NotSet => presence,
        _ => ptr::null(),
    });
    // SAFETY: C strings that live through the call; the core copies them.
    unsafe {
        ffi::ast_presence_state_changed_literal(
            to_raw(presence.state()),
            subtype.as_ptr(),
            message.as_ptr(),
            address.as_ptr(),
        );
    }
    PUBLISHING.set(ptr::null());
    Ok(())
}

/// A presence as another module gave it: its texts need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RawPresence {
    /// The state.
    pub state: State,
    /// The subtype; empty when there is none.
    pub subtype: Vec<u8>,
    /// The message; empty when there is none.
    pub message: Vec<u8>,
}

impl RawPresence {
    /// `not_set`, without texts.
    pub fn not_set() -> Self {
        RawPresence {
            state: State::NotSet,
            subtype: Vec::new(),
            message: Vec::new(),
        }
    }
}

/// The presence of an address, label included: the last one published, else what
/// its provider says. `None` where there is none; the core then logs a warning if
/// no provider has the label.
pub fn read(address: &str) -> Option<RawPresence> {
    read_by(ffi::ast_presence_state, address)
}

/// As [`read`], but always asks the provider.
pub fn read_nocache(address: &str) -> Option<RawPresence> {
    read_by(ffi::ast_presence_state_nocache, address)
}

type Read = unsafe extern "C" fn(
    *const c_char,
    *mut *mut c_char,
    *mut *mut c_char,
) -> ffi::ast_presence_state;

fn read_by(read: Read, address: &str) -> Option<RawPresence> {
    let address = Terminated::new(address).ok()?;
    let mut subtype = ptr::null_mut();
    let mut message = ptr::null_mut();
    // SAFETY: a C string, and two places for strings that become ours.
    let state = unsafe { read(address.as_ptr(), &mut subtype, &mut message) };
    // SAFETY: NULL or allocated for us, see above.
    let (subtype, message) = unsafe { (Owned::new(subtype), Owned::new(message)) };
    let bytes = |text: Option<Owned>| text.map_or_else(Vec::new, |text| text.bytes().to_vec());
    Some(RawPresence {
        state: from_raw(state)?,
        subtype: bytes(subtype),
        message: bytes(message),
    })
}

/// Shows `visit` the last presence published of every address, as address, state,
/// subtype and message. One pass over the core's cache, in no order; no lock is
/// held meanwhile.
pub fn cached(mut visit: impl FnMut(&[u8], State, &[u8], &[u8])) {
    // SAFETY: both are the core's and live until it ends.
    let (cache, kind) = unsafe {
        (
            ffi::ast_presence_state_cache(),
            ffi::ast_presence_state_message_type(),
        )
    };
    // SAFETY: cache and type belong together, and the server is this one. The messages
    // are of that type and live through the call.
    unsafe {
        stasis::cached(
            cache,
            kind,
            &raw const ffi::ast_eid_default,
            &mut |message| {
                with_parts(message, &mut visit);
            },
        );
    }
}

/// Hands a message's address, state, subtype and message to `visit`; a message
/// whose state is INVALID is passed over.
///
/// # Safety
/// `message` is a live message of the type `ast_presence_state_message_type()`.
pub(super) unsafe fn with_parts(
    message: *const ffi::stasis_message,
    visit: impl FnOnce(&[u8], State, &[u8], &[u8]),
) {
    // SAFETY: a message of this type carries this structure; both are immutable.
    let data =
        unsafe { &*ffi::stasis_message_data(message).cast::<ffi::ast_presence_state_message>() };
    let Some(state) = from_raw(data.state) else {
        return;
    };
    // SAFETY: the structure's strings live and stay unchanged as long as it does.
    unsafe {
        visit(
            text::bytes(data.provider),
            state,
            text::bytes(data.subtype),
            text::bytes(data.message),
        );
    }
}

/// `None` for INVALID, and for numbers that a later Asterisk may add.
pub(super) fn from_raw(state: ffi::ast_presence_state) -> Option<State> {
    Some(match state {
        ffi::AST_PRESENCE_NOT_SET => State::NotSet,
        ffi::AST_PRESENCE_UNAVAILABLE => State::Unavailable,
        ffi::AST_PRESENCE_AVAILABLE => State::Available,
        ffi::AST_PRESENCE_AWAY => State::Away,
        ffi::AST_PRESENCE_XA => State::Xa,
        ffi::AST_PRESENCE_CHAT => State::Chat,
        ffi::AST_PRESENCE_DND => State::Dnd,
        _ => return None,
    })
}

fn to_raw(state: State) -> ffi::ast_presence_state {
    match state {
        State::NotSet => ffi::AST_PRESENCE_NOT_SET,
        State::Unavailable => ffi::AST_PRESENCE_UNAVAILABLE,
        State::Available => ffi::AST_PRESENCE_AVAILABLE,
        State::Away => ffi::AST_PRESENCE_AWAY,
        State::Xa => ffi::AST_PRESENCE_XA,
        State::Chat => ffi::AST_PRESENCE_CHAT,
        State::Dnd => ffi::AST_PRESENCE_DND,
    }
}
