//! Mailboxes and their numbers of messages: `asterisk/mwi.h`.

use super::stasis::MessageType;
use super::{ffi, text};

/// The state of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mailbox<'a> {
    /// The name, such as `200@default`.
    pub name: &'a [u8],
    /// The number of new messages.
    pub new: u32,
    /// The number of old messages.
    pub old: u32,
    /// Whether a call has changed the mailbox, as opposed to another program.
    pub by_call: bool,
}

/// The type of the messages that carry a mailbox's state; `None` if Asterisk does not publish
/// them.
pub(super) fn message_type() -> Option<MessageType> {
    // SAFETY: HOST-GLOBALS: a type of the core's, or NULL.
    let raw = unsafe { ffi::ast_mwi_state_type() };
    // SAFETY: HOST-GLOBALS: it lives until the core ends.
    unsafe { MessageType::new(raw) }
}

/// Calls `visit` with the mailbox of a message.
///
/// # Safety
/// `message` is a live message of [`message_type`].
pub(super) unsafe fn with_parts(
    message: *const ffi::stasis_message,
    visit: impl FnOnce(Mailbox<'_>),
) {
    // SAFETY: CALLER: a live message.
    let data = unsafe { ffi::stasis_message_data(message) };
    // SAFETY: MESSAGE-DATA: a message of this type carries this structure, or nothing.
    let Some(data) = (unsafe { data.cast::<ffi::ast_mwi_state>().as_ref() }) else {
        return;
    };
    visit(Mailbox {
        // SAFETY: MESSAGE-DATA: the name lives and stays unchanged as long as the structure.
        name: unsafe { text::bytes(data.uniqueid) },
        new: u32::try_from(data.new_msgs).unwrap_or_default(),
        old: u32::try_from(data.old_msgs).unwrap_or_default(),
        by_call: !data.snapshot.is_null(),
    });
}
