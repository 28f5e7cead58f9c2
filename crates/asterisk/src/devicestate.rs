//! Device state: the provider, publishing, reading, the core's cache.
//!
//! The core keeps what each server of a cluster says of a device, and the aggregate of
//! all of them. Everything here that reads, reads the aggregate: it is what hints and
//! queues see, and what an Asterisk of its own says is the same.

use std::ffi::{CStr, c_char};

use super::guard::guard;
use super::text::{self, Terminated};
use super::{Error, ffi, stasis};
use presence::model::device::DeviceState;

/// Answers for all devices `<LABEL>:<name>`.
pub trait Provider: 'static {
    /// What stands before the colon; matched without regard to case, at most 39
    /// bytes.
    const LABEL: &'static CStr;

    /// The state of a device; its name comes without the label. The core holds its
    /// list of providers locked meanwhile: never register or drop a provider in here.
    fn state(name: &str) -> DeviceState;
}

/// A registered [`Provider`]; dropping it unregisters, and waits for a call in
/// progress.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct ProviderRegistration {
    label: &'static CStr,
}

impl ProviderRegistration {
    /// Registers `P`: an error where the label is taken.
    pub fn new<P: Provider>() -> Result<Self, Error> {
        // SAFETY: the core copies the label, and the thunk lives as long as the process.
        let result = unsafe { ffi::ast_devstate_prov_add(P::LABEL.as_ptr(), Some(ask::<P>)) };
        if result != 0 {
            return Err(Error::new(format!(
                "Device state provider {:?} could not be registered",
                P::LABEL
            )));
        }
        Ok(ProviderRegistration { label: P::LABEL })
    }
}

impl Drop for ProviderRegistration {
    fn drop(&mut self) {
        // SAFETY: a static C string.
        unsafe { ffi::ast_devstate_prov_del(self.label.as_ptr()) };
    }
}

unsafe extern "C" fn ask<P: Provider>(name: *const c_char) -> ffi::ast_device_state {
    guard(ffi::AST_DEVICE_INVALID, || {
        // SAFETY: the core passes a C string that outlives the call.
        let name = unsafe { text::utf8(name) };
        to_raw(name.map_or(DeviceState::Invalid, P::state))
    })
}

/// Tells everyone that a device, label included, is now in `state`.
///
/// Not by `ast_devstate_changed`: that has a thread ask the provider back for
/// `Unknown`, which may be gone by then. The core publishes only what differs from
/// what it has, and takes a device that it has never heard of as `Unknown`.
pub fn publish(name: &CStr, state: DeviceState) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::new("A device needs a name"));
    }
    // SAFETY: a C string that the core copies, and the number of this server, which is
    // the core's and is only read, although it is taken as mutable.
    let result = unsafe {
        ffi::ast_publish_device_state_full(
            name.as_ptr(),
            to_raw(state),
            ffi::AST_DEVSTATE_CACHABLE,
            &raw mut ffi::ast_eid_default,
        )
    };
    match result {
        0 => Ok(()),
        _ => Err(Error::new(format!(
            "The state of device {name:?} could not be published"
        ))),
    }
}

/// The state of a device, label or technology included: the last one published, and
/// where there is none, or `Unknown`, what its provider or channel driver says.
/// `Invalid` where there is neither; the core keeps quiet about it.
pub fn read(name: &str) -> DeviceState {
    match Terminated::new(name) {
        // SAFETY: a C string that lives through the call.
        Ok(name) => from_raw(unsafe { ffi::ast_device_state(name.as_ptr()) }),
        Err(_) => DeviceState::Invalid,
    }
}

/// Shows `visit` the name of every device whose state is in the core's cache. One pass, in
/// no order; no lock is held meanwhile.
pub fn cached(mut visit: impl FnMut(&[u8])) {
    // SAFETY: both are the core's and live until it ends.
    let (cache, kind) = unsafe {
        (
            ffi::ast_device_state_cache(),
            ffi::ast_device_state_message_type(),
        )
    };
    // SAFETY: cache and type belong together; NULL asks for the aggregates. The messages
    // are of that type and live through the call.
    unsafe {
        stasis::cached(cache, kind, std::ptr::null(), &mut |message| {
            with_parts(message, |name, _| visit(name));
        });
    }
}

/// Hands an aggregate's device and state to `visit`; what one server alone said is
/// passed over.
///
/// # Safety
/// `message` is a live message of the type `ast_device_state_message_type()`.
pub(super) unsafe fn with_parts(
    message: *const ffi::stasis_message,
    visit: impl FnOnce(&[u8], DeviceState),
) {
    // SAFETY: a message of this type carries this structure; both are immutable.
    let data =
        unsafe { &*ffi::stasis_message_data(message).cast::<ffi::ast_device_state_message>() };
    if data.eid.is_null() {
        // SAFETY: the name lives and stays unchanged as long as the structure.
        visit(unsafe { text::bytes(data.device) }, from_raw(data.state));
    }
}

/// `Unknown` for numbers that a later Asterisk may add.
fn from_raw(state: ffi::ast_device_state) -> DeviceState {
    match state {
        ffi::AST_DEVICE_NOT_INUSE => DeviceState::NotInUse,
        ffi::AST_DEVICE_INUSE => DeviceState::InUse,
        ffi::AST_DEVICE_BUSY => DeviceState::Busy,
        ffi::AST_DEVICE_INVALID => DeviceState::Invalid,
        ffi::AST_DEVICE_UNAVAILABLE => DeviceState::Unavailable,
        ffi::AST_DEVICE_RINGING => DeviceState::Ringing,
        ffi::AST_DEVICE_RINGINUSE => DeviceState::RingInUse,
        ffi::AST_DEVICE_ONHOLD => DeviceState::OnHold,
        _ => DeviceState::Unknown,
    }
}

fn to_raw(state: DeviceState) -> ffi::ast_device_state {
    match state {
        DeviceState::Unknown => ffi::AST_DEVICE_UNKNOWN,
        DeviceState::NotInUse => ffi::AST_DEVICE_NOT_INUSE,
        DeviceState::InUse => ffi::AST_DEVICE_INUSE,
        DeviceState::Busy => ffi::AST_DEVICE_BUSY,
        DeviceState::Invalid => ffi::AST_DEVICE_INVALID,
        DeviceState::Unavailable => ffi::AST_DEVICE_UNAVAILABLE,
        DeviceState::Ringing => ffi::AST_DEVICE_RINGING,
        DeviceState::RingInUse => ffi::AST_DEVICE_RINGINUSE,
        DeviceState::OnHold => ffi::AST_DEVICE_ONHOLD,
    }
}
