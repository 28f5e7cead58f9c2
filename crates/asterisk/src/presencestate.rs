//! Presence state: `asterisk/presencestate.h`.

use std::cell::RefCell;
use std::ffi::{CStr, c_char};
use std::ptr;

use super::guard::guard;
use super::stasis::{self, Cache, MessageType};
use super::text::{self, AstString, CText};
use super::{Error, ffi};

/// `enum ast_presence_state` without INVALID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PresenceState {
    /// `AST_PRESENCE_NOT_SET`
    NotSet,
    /// `AST_PRESENCE_UNAVAILABLE`
    Unavailable,
    /// `AST_PRESENCE_AVAILABLE`
    Available,
    /// `AST_PRESENCE_AWAY`
    Away,
    /// `AST_PRESENCE_XA`
    Xa,
    /// `AST_PRESENCE_CHAT`
    Chat,
    /// `AST_PRESENCE_DND`
    Dnd,
}

impl PresenceState {
    /// `None` for INVALID, and for numbers that a later Asterisk may add.
    pub(super) fn from_raw(state: ffi::ast_presence_state) -> Option<Self> {
        Some(match state {
            ffi::AST_PRESENCE_NOT_SET => PresenceState::NotSet,
            ffi::AST_PRESENCE_UNAVAILABLE => PresenceState::Unavailable,
            ffi::AST_PRESENCE_AVAILABLE => PresenceState::Available,
            ffi::AST_PRESENCE_AWAY => PresenceState::Away,
            ffi::AST_PRESENCE_XA => PresenceState::Xa,
            ffi::AST_PRESENCE_CHAT => PresenceState::Chat,
            ffi::AST_PRESENCE_DND => PresenceState::Dnd,
            _ => return None,
        })
    }

    fn raw(self) -> ffi::ast_presence_state {
        match self {
            PresenceState::NotSet => ffi::AST_PRESENCE_NOT_SET,
            PresenceState::Unavailable => ffi::AST_PRESENCE_UNAVAILABLE,
            PresenceState::Available => ffi::AST_PRESENCE_AVAILABLE,
            PresenceState::Away => ffi::AST_PRESENCE_AWAY,
            PresenceState::Xa => ffi::AST_PRESENCE_XA,
            PresenceState::Chat => ffi::AST_PRESENCE_CHAT,
            PresenceState::Dnd => ffi::AST_PRESENCE_DND,
        }
    }
}

/// The presence of every address `<LABEL>:<address>`.
pub trait PresenceProvider: 'static {
    /// The part of an address before the colon; matched without regard to case, at most 39
    /// bytes.
    const LABEL: &'static CStr;

    /// The presence of an address, whose label is left out. The core holds its list of
    /// providers locked meanwhile: neither register nor drop a provider in here.
    fn presence(address: &str) -> ProvidedPresence;
}

/// The answer of a [`PresenceProvider`], with its texts in Asterisk's memory.
pub struct ProvidedPresence {
    state: PresenceState,
    subtype: Option<AstString>,
    message: Option<AstString>,
}

impl ProvidedPresence {
    /// Copies the texts, each up to its first NUL.
    pub fn new(state: PresenceState, subtype: &str, message: &str) -> Self {
        ProvidedPresence {
            state,
            subtype: AstString::new(subtype),
            message: AstString::new(message),
        }
    }
}

/// A registered [`PresenceProvider`]; dropping it unregisters, and waits for a call in
/// progress.
///
/// The core keeps several providers of one label and asks the newest. It cannot tell that
/// there is an earlier one: another module's provider of the same label is hidden until the
/// drop, and answers again afterwards.
///
/// # Invariants
/// A provider of this label is registered from `new` until the drop.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct PresenceProviderRegistration {
    label: &'static CStr,
}

impl PresenceProviderRegistration {
    /// Registers `P`.
    ///
    /// # Errors
    /// Asterisk has no memory.
    pub fn new<P: PresenceProvider>() -> Result<Self, Error> {
        // SAFETY: HOST-COPIES, MODULE-MAPPED: the core copies the label and calls the thunk.
        let result = unsafe { ffi::ast_presence_state_prov_add(P::LABEL.as_ptr(), Some(ask::<P>)) };
        if result != 0 {
            return Err(Error::new(format!(
                "Presence provider {:?} could not be registered",
                P::LABEL
            )));
        }
        Ok(PresenceProviderRegistration { label: P::LABEL })
    }
}

impl Drop for PresenceProviderRegistration {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-COPIES: a static C string; unregistered once.
        unsafe { ffi::ast_presence_state_prov_del(self.label.as_ptr()) };
    }
}

thread_local! {
    /// The presence that this thread publishes while the core asks its provider for it.
    static PUBLISHING: RefCell<Option<ProvidedPresence>> = const { RefCell::new(None) };
}

/// # Safety
/// The arguments are those of a presence provider's callback: a C string, and two places for
/// strings that the core frees.
unsafe extern "C" fn ask<P: PresenceProvider>(
    address: *const c_char,
    subtype: *mut *mut c_char,
    message: *mut *mut c_char,
) -> ffi::ast_presence_state {
    guard(
        || ffi::AST_PRESENCE_NOT_SET,
        || {
            let presence = match PUBLISHING.take() {
                Some(presence) => presence,
                None => {
                    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
                    let Some(address) = (unsafe { text::utf8(address) }) else {
                        return ffi::AST_PRESENCE_NOT_SET;
                    };
                    P::presence(address)
                }
            };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a place for a string that the core frees.
            unsafe { subtype.write(AstString::into_raw(presence.subtype)) };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: as above.
            unsafe { message.write(AstString::into_raw(presence.message)) };
            presence.state.raw()
        },
    )
}

/// Publishes a presence of the address `<label>:<name>`.
///
/// For `NotSet` the core does not publish what it is given, but asks the address's provider,
/// in this thread: a [`PresenceProvider`] of this crate then answers with the presence that
/// is being published. So publish `NotSet` before the provider is unregistered; afterwards
/// nothing is published.
///
/// # Errors
/// A text contains a NUL.
pub fn publish(
    label: &str,
    name: &str,
    state: PresenceState,
    subtype: &str,
    message: &str,
) -> Result<(), Error> {
    let address = CText::address(label, name)?;
    let (subtype_c, message_c) = (CText::new(subtype)?, CText::new(message)?);
    let answer =
        (state == PresenceState::NotSet).then(|| ProvidedPresence::new(state, subtype, message));
    PUBLISHING.set(answer);
    // SAFETY: HOST-COPIES: C strings that live through the call.
    unsafe {
        ffi::ast_presence_state_changed_literal(
            state.raw(),
            subtype_c.as_ptr(),
            message_c.as_ptr(),
            address.as_ptr(),
        );
    }
    PUBLISHING.set(None);
    Ok(())
}

/// A presence that another module has published or answered: its texts need not be UTF-8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishedPresence {
    /// The state.
    pub state: PresenceState,
    /// The subtype; empty for none.
    pub subtype: Vec<u8>,
    /// The message; empty for none.
    pub message: Vec<u8>,
}

impl PublishedPresence {
    /// `NotSet`, without texts.
    pub fn not_set() -> Self {
        PublishedPresence {
            state: PresenceState::NotSet,
            subtype: Vec::new(),
            message: Vec::new(),
        }
    }
}

/// The presence of an address, label included: the last one published, else the answer of its
/// provider. `None` without either; the core logs a warning if no provider has the label.
pub fn read(address: &str) -> Option<PublishedPresence> {
    read_by(ffi::ast_presence_state, address)
}

/// The presence of an address as [`read`], but always the answer of its provider.
pub fn read_nocache(address: &str) -> Option<PublishedPresence> {
    read_by(ffi::ast_presence_state_nocache, address)
}

type ReadPresence = unsafe extern "C" fn(
    *const c_char,
    *mut *mut c_char,
    *mut *mut c_char,
) -> ffi::ast_presence_state;

fn read_by(read: ReadPresence, address: &str) -> Option<PublishedPresence> {
    let address = CText::new(address).ok()?;
    let mut subtype = ptr::null_mut();
    let mut message = ptr::null_mut();
    // SAFETY: HOST-COPIES: a C string that lives through the call, and two places for strings.
    let state = unsafe { read(address.as_ptr(), &mut subtype, &mut message) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a string that the caller has to free.
    let subtype = unsafe { AstString::from_raw(subtype) };
    // SAFETY: HOST-ALLOCATOR: as above.
    let message = unsafe { AstString::from_raw(message) };
    let bytes = |text: Option<AstString>| text.map_or_else(Vec::new, |text| text.bytes().to_vec());
    Some(PublishedPresence {
        state: PresenceState::from_raw(state)?,
        subtype: bytes(subtype),
        message: bytes(message),
    })
}

/// The type of the messages that carry a presence; `None` if Asterisk does not publish them.
pub(super) fn message_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_presence_state_message_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

/// Calls `visit` with the last presence published of every address: address, state, subtype,
/// message. It is one pass over the core's cache, in no order; no lock is held meanwhile.
pub fn cached(mut visit: impl FnMut(&[u8], PresenceState, &[u8], &[u8])) {
    // SAFETY: HOST-GLOBALS: a cache of the core's, or NULL.
    let cache = unsafe { ffi::ast_presence_state_cache() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    let cache = unsafe { Cache::new(cache) };
    let (Some(cache), Some(kind)) = (cache, message_type()) else {
        return;
    };
    stasis::cached(cache, kind, stasis::CachedFor::ThisServer, &mut |message| {
        // SAFETY: CACHED-MESSAGES: a live message of the type that was asked for.
        unsafe { with_parts(message, &mut visit) };
    });
}

/// Has the core forget the last presence published of an address, label included: the next
/// reader gets the answer of its provider. The core tells addresses apart by case here.
pub fn forget(address: &str) {
    // SAFETY: HOST-GLOBALS: a cache of the core's, or NULL.
    let cache = unsafe { ffi::ast_presence_state_cache() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    let cache = unsafe { Cache::new(cache) };
    let (Some(cache), Some(kind), Ok(address)) = (cache, message_type(), CText::new(address))
    else {
        return;
    };
    // SAFETY: HOST-GLOBALS: a topic of the core's, or NULL.
    let topic = unsafe { ffi::ast_presence_state_topic_all() };
    // SAFETY: HOST-GLOBALS: the topic whose messages that cache keeps, or NULL.
    unsafe { stasis::forget(cache, kind, &address, topic) };
}

/// Calls `visit` with the address, state, subtype and message of a message; not for a message
/// whose state is INVALID.
///
/// # Safety
/// `message` is a live message of [`message_type`].
pub(super) unsafe fn with_parts(
    message: *const ffi::stasis_message,
    visit: impl FnOnce(&[u8], PresenceState, &[u8], &[u8]),
) {
    // SAFETY: CALLER: a live message.
    let data = unsafe { ffi::stasis_message_data(message) };
    // SAFETY: MESSAGE-DATA: a message of this type carries this structure.
    let data = unsafe { &*data.cast::<ffi::ast_presence_state_message>() };
    let Some(state) = PresenceState::from_raw(data.state) else {
        return;
    };
    // SAFETY: MESSAGE-DATA: the structure's strings live and stay unchanged as long as it.
    let parts =
        [data.provider, data.subtype, data.message].map(|part| unsafe { text::bytes(part) });
    let [address, subtype, message] = parts;
    visit(address, state, subtype, message);
}
