//! Calls in parking lots.

use super::{ffi, text};

/// What Asterisk tells of a parking space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space<'a> {
    /// The lot's name.
    pub lot: &'a [u8],
    /// The number of the space there.
    pub number: u32,
    /// The call that waits there; `None` when it waits no more.
    pub call: Option<ParkedCall<'a>>,
}

/// A call that waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParkedCall<'a> {
    /// The channel that waits.
    pub channel: &'a [u8],
    /// The device that has parked it.
    pub parker: &'a [u8],
}

/// Shows `visit` what a message says.
///
/// # Safety
/// A live message of [`ffi::ast_parked_call_type`].
pub(super) unsafe fn with_parts(message: *mut ffi::stasis_message, visit: impl FnOnce(Space<'_>)) {
    // SAFETY: messages of this type carry this structure, which lives as long as they.
    unsafe {
        let data = ffi::stasis_message_data(message).cast::<ffi::ast_parked_call_payload>();
        if data.is_null() {
            return;
        }
        let parked = &*data;
        let call = match parked.event_type {
            // It was never parked, and has no space.
            ffi::PARKED_CALL_FAILED => return,
            // Another channel took the place of the one that waited.
            ffi::PARKED_CALL | ffi::PARKED_CALL_SWAP => Some(ParkedCall {
                channel: text::bytes(ffi::res_userpresence_parked_channel(data)),
                parker: text::bytes(parked.parker_dial_string),
            }),
            _ => None,
        };
        visit(Space {
            lot: text::bytes(parked.parkinglot),
            number: parked.parkingspace,
            call,
        });
    }
}
