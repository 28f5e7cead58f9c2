//! Device state: `asterisk/devicestate.h`.
//!
//! The core keeps the state that each server of a cluster has published of a device, and the
//! aggregate of all of them. Every function here that reads, reads the aggregate: hints and
//! queues see it, and on a single server it is the same as that server's state.

use std::ffi::{CStr, c_char};

use super::guard::guard;
use super::stasis::{Cache, MessageType};
use super::text::{self, CText};
use super::{Error, ffi, stasis};

/// `enum ast_device_state`, without its count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DevState {
    /// `AST_DEVICE_UNKNOWN`
    Unknown,
    /// `AST_DEVICE_NOT_INUSE`
    NotInUse,
    /// `AST_DEVICE_INUSE`
    InUse,
    /// `AST_DEVICE_BUSY`
    Busy,
    /// `AST_DEVICE_INVALID`
    Invalid,
    /// `AST_DEVICE_UNAVAILABLE`
    Unavailable,
    /// `AST_DEVICE_RINGING`
    Ringing,
    /// `AST_DEVICE_RINGINUSE`
    RingInUse,
    /// `AST_DEVICE_ONHOLD`
    OnHold,
}

impl DevState {
    /// `Unknown` for numbers that a later Asterisk may add.
    fn from_raw(state: ffi::ast_device_state) -> Self {
        match state {
            ffi::AST_DEVICE_NOT_INUSE => DevState::NotInUse,
            ffi::AST_DEVICE_INUSE => DevState::InUse,
            ffi::AST_DEVICE_BUSY => DevState::Busy,
            ffi::AST_DEVICE_INVALID => DevState::Invalid,
            ffi::AST_DEVICE_UNAVAILABLE => DevState::Unavailable,
            ffi::AST_DEVICE_RINGING => DevState::Ringing,
            ffi::AST_DEVICE_RINGINUSE => DevState::RingInUse,
            ffi::AST_DEVICE_ONHOLD => DevState::OnHold,
            _ => DevState::Unknown,
        }
    }

    fn raw(self) -> ffi::ast_device_state {
        match self {
            DevState::Unknown => ffi::AST_DEVICE_UNKNOWN,
            DevState::NotInUse => ffi::AST_DEVICE_NOT_INUSE,
            DevState::InUse => ffi::AST_DEVICE_INUSE,
            DevState::Busy => ffi::AST_DEVICE_BUSY,
            DevState::Invalid => ffi::AST_DEVICE_INVALID,
            DevState::Unavailable => ffi::AST_DEVICE_UNAVAILABLE,
            DevState::Ringing => ffi::AST_DEVICE_RINGING,
            DevState::RingInUse => ffi::AST_DEVICE_RINGINUSE,
            DevState::OnHold => ffi::AST_DEVICE_ONHOLD,
        }
    }
}

/// The state of every device `<LABEL>:<name>`.
pub trait DeviceProvider: 'static {
    /// The part of a device's name before the colon; matched without regard to case, at most
    /// 39 bytes.
    const LABEL: &'static CStr;

    /// The state of a device, whose label is left out. The core holds its list of providers
    /// locked meanwhile: neither register nor drop a provider in here.
    fn state(name: &str) -> DevState;
}

/// A registered [`DeviceProvider`]; dropping it unregisters, and waits for a call in
/// progress.
///
/// # Invariants
/// A provider of this label is registered from `new` until the drop.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct DeviceProviderRegistration {
    label: &'static CStr,
}

impl DeviceProviderRegistration {
    /// Registers `P`.
    ///
    /// # Errors
    /// Another provider has the label.
    pub fn new<P: DeviceProvider>() -> Result<Self, Error> {
        // SAFETY: HOST-COPIES, MODULE-MAPPED: the core copies the label and calls the thunk.
        let result = unsafe { ffi::ast_devstate_prov_add(P::LABEL.as_ptr(), Some(ask::<P>)) };
        if result != 0 {
            return Err(Error::new(format!(
                "Device state provider {:?} could not be registered",
                P::LABEL
            )));
        }
        Ok(DeviceProviderRegistration { label: P::LABEL })
    }
}

impl Drop for DeviceProviderRegistration {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-COPIES: a static C string; unregistered once.
        unsafe { ffi::ast_devstate_prov_del(self.label.as_ptr()) };
    }
}

/// # Safety
/// The argument is that of a device state provider's callback: a C string.
unsafe extern "C" fn ask<P: DeviceProvider>(name: *const c_char) -> ffi::ast_device_state {
    guard(
        || ffi::AST_DEVICE_INVALID,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string until the thunk returns.
            let name = unsafe { text::utf8(name) };
            name.map_or(DevState::Invalid, P::state).raw()
        },
    )
}

/// Publishes the state of a device, whose name includes the label.
///
/// `ast_devstate_changed` is not used: for `Unknown` it has a thread ask the provider, which
/// may be unregistered by then. The core publishes only a state that differs from the one
/// that it has, and takes a device without one for `Unknown`.
///
/// # Errors
/// The name is empty, or Asterisk refuses the message.
pub fn publish(name: &CStr, state: DevState) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new("A device needs a name"));
    }
    // The core only reads the server's number, although it takes it as mutable.
    let server = &raw mut ffi::ast_eid_default;
    // SAFETY: HOST-COPIES, HOST-GLOBALS: a C string that the core copies, and its own number.
    let result = unsafe {
        ffi::ast_publish_device_state_full(
            name.as_ptr(),
            state.raw(),
            ffi::AST_DEVSTATE_CACHABLE,
            server,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(Error::new(format!(
            "The state of device {name:?} could not be published"
        ))),
    }
}

/// Has the core forget what this server has published of a device, label included: the next
/// reader gets the answer of its provider. Hints that follow the device keep its last state.
pub fn forget(name: &str) {
    if let Ok(name) = CText::new(name) {
        // SAFETY: HOST-COPIES: a C string that lives through the call.
        unsafe { ffi::ast_device_state_clear_cache(name.as_ptr()) };
    }
}

/// Publishes that the state of a device is unknown, so that the core asks the device's
/// provider for it.
///
/// # Errors
/// The name contains a NUL.
pub(super) fn publish_unknown(name: &str) -> Result<(), Error> {
    let name = CText::new(name)?;
    // SAFETY: HOST-COPIES: a C string that lives through the call.
    unsafe {
        ffi::ast_devstate_changed_literal(
            ffi::AST_DEVICE_UNKNOWN,
            ffi::AST_DEVSTATE_CACHABLE,
            name.as_ptr(),
        );
    }
    Ok(())
}

/// The state of a device, label or technology included: the last one published; without one,
/// or for `Unknown`, the answer of its provider or channel driver. `Invalid` if there is
/// neither, which the core does not log.
pub fn read(name: &str) -> DevState {
    match CText::new(name) {
        // SAFETY: HOST-COPIES: a C string that lives through the call.
        Ok(name) => DevState::from_raw(unsafe { ffi::ast_device_state(name.as_ptr()) }),
        Err(_) => DevState::Invalid,
    }
}

/// The type of the messages that carry a device state; `None` if Asterisk does not publish
/// them.
pub(super) fn message_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_device_state_message_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

/// Calls `visit` with the name of every device that has an aggregate in the core's cache. It
/// is one pass, in no order; no lock is held meanwhile.
pub fn cached(mut visit: impl FnMut(&[u8])) {
    // SAFETY: HOST-GLOBALS: a cache of the core's, or NULL.
    let cache = unsafe { ffi::ast_device_state_cache() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    let cache = unsafe { Cache::new(cache) };
    let (Some(cache), Some(kind)) = (cache, message_type()) else {
        return;
    };
    stasis::cached(cache, kind, stasis::CachedFor::Aggregate, &mut |message| {
        // SAFETY: CACHED-MESSAGES: a live message of the type that was asked for.
        unsafe { with_parts(message, |name, _| visit(name)) };
    });
}

/// Calls `visit` with the device and the state of an aggregate; not for the state of one
/// server.
///
/// # Safety
/// `message` is a live message of [`message_type`].
pub(super) unsafe fn with_parts(
    message: *const ffi::stasis_message,
    visit: impl FnOnce(&[u8], DevState),
) {
    // SAFETY: CALLER: a live message.
    let data = unsafe { ffi::stasis_message_data(message) };
    // SAFETY: MESSAGE-DATA: a message of this type carries this structure.
    let data = unsafe { &*data.cast::<ffi::ast_device_state_message>() };
    if data.eid.is_null() {
        // SAFETY: MESSAGE-DATA: the name lives and stays unchanged as long as the structure.
        let name = unsafe { text::bytes(data.device) };
        visit(name, DevState::from_raw(data.state));
    }
}
