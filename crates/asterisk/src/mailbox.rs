//! Mailboxes: how many messages wait.

use super::{ffi, text};

/// What Asterisk tells of a mailbox.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mailbox<'a> {
    /// Its name, such as `200@default`.
    pub name: &'a [u8],
    /// How many new messages there are.
    pub new: u32,
    /// How many old ones.
    pub old: u32,
    /// Whether a call has changed that, and not another program.
    pub by_call: bool,
}

/// Shows `visit` what a message says.
///
/// # Safety
/// A live message of [`ffi::ast_mwi_state_type`].
pub(super) unsafe fn with_parts(
    message: *mut ffi::stasis_message,
    visit: impl FnOnce(Mailbox<'_>),
) {
    // SAFETY: messages of this type carry this structure, which lives as long as they.
    unsafe {
        let data = ffi::stasis_message_data(message).cast::<ffi::ast_mwi_state>();
        if data.is_null() {
            return;
        }
        let data = &*data;
        visit(Mailbox {
            name: text::bytes(data.uniqueid),
            new: u32::try_from(data.new_msgs).unwrap_or_default(),
            old: u32::try_from(data.old_msgs).unwrap_or_default(),
            by_call: !data.snapshot.is_null(),
        });
    }
}
