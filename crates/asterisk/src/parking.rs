//! Calls in parking lots: `asterisk/parking.h`.

use super::stasis::MessageType;
use super::{ffi, text};

/// A parking space after a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space<'a> {
    /// The name of the lot.
    pub lot: &'a [u8],
    /// The number of the space in its lot.
    pub number: u32,
    /// The parked call; `None` once the space is free.
    pub call: Option<ParkedChannel<'a>>,
}

/// A parked call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParkedChannel<'a> {
    /// The name of the parked channel.
    pub channel: &'a [u8],
    /// The device that has parked the call.
    pub parker: &'a [u8],
}

/// The type of the messages that carry a parked call; `None` if Asterisk does not publish
/// them.
pub(super) fn message_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_parked_call_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

/// Calls `visit` with the parking space of a message; not for a call that was never parked.
///
/// # Safety
/// `message` is a live message of [`message_type`].
pub(super) unsafe fn with_parts(
    message: *const ffi::stasis_message,
    visit: impl FnOnce(Space<'_>),
) {
    // SAFETY: CALLER: a live message.
    let data = unsafe { ffi::stasis_message_data(message) };
    let data = data.cast::<ffi::ast_parked_call_payload>();
    // SAFETY: MESSAGE-DATA: a message of this type carries this structure, or nothing.
    let Some(parked) = (unsafe { data.as_ref() }) else {
        return;
    };
    let call = match parked.event_type {
        // It was never parked, and has no space.
        ffi::PARKED_CALL_FAILED => return,
        // A swap puts another channel into the place of the parked one.
        ffi::PARKED_CALL | ffi::PARKED_CALL_SWAP => {
            // SAFETY: MESSAGE-DATA: the structure, live and unchanged.
            let channel = unsafe { ffi::shim_parked_channel(data) };
            Some(ParkedChannel {
                // SAFETY: MESSAGE-DATA: the name lives as long as the message.
                channel: unsafe { text::bytes(channel) },
                // SAFETY: MESSAGE-DATA: as above.
                parker: unsafe { text::bytes(parked.parker_dial_string) },
            })
        }
        _ => None,
    };
    visit(Space {
        // SAFETY: MESSAGE-DATA: the name lives and stays unchanged as long as the structure.
        lot: unsafe { text::bytes(parked.parkinglot) },
        number: parked.parkingspace,
        call,
    });
}
