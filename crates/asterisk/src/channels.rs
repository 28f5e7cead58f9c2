//! All channels of Asterisk, and taking over a call that one of them has on hold:
//! `asterisk/channel.h`.

use std::ffi::c_char;
use std::ptr::NonNull;
use std::time::SystemTime;

use super::application::{Channel, DialplanNext};
use super::text::AstString;
use super::{Error, ffi, snapshots};

/// A reference to a channel of another thread. The channel may be hung up at any time; then
/// little is known of it, but its memory stays until the drop.
///
/// # Invariants
/// The value owns a reference to the channel, which is given back once.
#[derive(Debug)]
pub struct ChannelRef(NonNull<ffi::ast_channel>);

impl ChannelRef {
    fn raw(&self) -> *mut ffi::ast_channel {
        self.0.as_ptr()
    }

    fn text(&self, read: ReadText) -> Option<String> {
        // SAFETY: INVARIANT: a live channel, and a function of the shim.
        unsafe { read_text(self.raw(), read) }
    }

    /// The channel's name, such as `PJSIP/200-00000001`.
    pub fn name(&self) -> String {
        self.text(ffi::shim_channel_name).unwrap_or_default()
    }

    /// The channel's unique id, which no later channel has.
    pub fn id(&self) -> String {
        self.text(ffi::shim_channel_id).unwrap_or_default()
    }

    /// When the channel was created, in seconds and microseconds, to compare it with others.
    pub fn created(&self) -> (i64, i64) {
        // SAFETY: INVARIANT: a live channel; its time never changes.
        let time = unsafe { ffi::ast_channel_creationtime(self.raw()) };
        (time.tv_sec, time.tv_usec)
    }

    /// When the channel was answered; `None` before.
    pub fn answered(&self) -> Option<SystemTime> {
        // SAFETY: INVARIANT: a live channel; it is set once, when the channel is answered.
        let time = unsafe { ffi::ast_channel_answertime(self.raw()) };
        (time.tv_sec != 0).then(|| snapshots::system_time(time))
    }

    /// Whether the channel rings, and nobody has answered it.
    pub fn rings(&self) -> bool {
        // SAFETY: INVARIANT: a live channel.
        unsafe { ffi::shim_channel_rings(self.raw()) != 0 }
    }

    /// The name of the channel that this one talks to and has on hold.
    pub fn held(&self) -> Option<String> {
        self.text(ffi::shim_channel_held)
    }

    /// Gives the reference away.
    fn into_raw(self) -> *mut ffi::ast_channel {
        let raw = self.raw();
        std::mem::forget(self);
        raw
    }
}

impl Drop for ChannelRef {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-OBJECTS: the value's reference, given back once.
        unsafe { ffi::__ao2_cleanup(self.raw().cast()) };
    }
}

/// A function of the shim that copies a text of a channel.
pub(super) type ReadText = unsafe extern "C" fn(*mut ffi::ast_channel) -> *mut c_char;

/// A text of a channel; `None` without one.
///
/// # Safety
/// `channel` is live, and `read` a function of the shim.
pub(super) unsafe fn read_text(channel: *mut ffi::ast_channel, read: ReadText) -> Option<String> {
    // SAFETY: CALLER: a live channel.
    let text = unsafe { read(channel) };
    // SAFETY: HOST-ALLOCATOR: NULL, or a copy for the caller to free.
    unsafe { AstString::from_raw(text) }.map(|text| text.to_string_lossy())
}

/// The device that a channel of this name is a call of.
pub(super) fn device_of(name: &str) -> Option<&str> {
    // A number ends the name; the device's own name may contain a dash, too.
    name.rsplit_once('-').map(|(device, _)| device)
}

/// The channels that are calls of devices for which `is_wanted` holds.
pub fn of_devices(is_wanted: impl Fn(&str) -> bool) -> Vec<ChannelRef> {
    AllChannels::new()
        .filter(|channel| device_of(&channel.name()).is_some_and(&is_wanted))
        .collect()
}

/// An iterator over all channels.
///
/// # Invariants
/// The pointer is to a live iterator of Asterisk's, destroyed in the drop; or NULL, which
/// Asterisk takes for an iterator without channels.
struct AllChannels(*mut ffi::ast_channel_iterator);

impl AllChannels {
    fn new() -> Self {
        // SAFETY: HOST-OBJECTS: it may be called at any time.
        AllChannels(unsafe { ffi::ast_channel_iterator_all_new() })
    }
}

impl Iterator for AllChannels {
    type Item = ChannelRef;

    fn next(&mut self) -> Option<ChannelRef> {
        // SAFETY: INVARIANT: a live iterator, or NULL.
        let channel = unsafe { ffi::ast_channel_iterator_next(self.0) };
        // The channel comes with a reference (HOST-OBJECTS).
        NonNull::new(channel).map(ChannelRef)
    }
}

impl Drop for AllChannels {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: destroyed once.
        unsafe { ffi::ast_channel_iterator_destroy(self.0) };
    }
}

impl Channel<'_> {
    /// Takes the holder's place in its call, and stays in the call to its end. For the holder
    /// the call is over, as if the other side had hung up.
    ///
    /// # Errors
    /// The call has ended.
    pub fn replace(&self, holder: ChannelRef) -> Result<DialplanNext, Error> {
        // SAFETY: INVARIANT: a live channel in its own thread, in no bridge and not locked;
        // the reference to the holder is given away.
        match unsafe { ffi::shim_channel_replace(self.raw(), holder.into_raw()) } {
            0 => Err(Error::new("the call could not be joined")),
            // The peer has sent the channel elsewhere.
            2 => Ok(DialplanNext::Continue),
            _ => Ok(DialplanNext::HangUp),
        }
    }
}
