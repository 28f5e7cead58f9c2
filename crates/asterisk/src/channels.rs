//! All channels there are, and taking over the call that one of them holds.

use std::ptr::NonNull;

use super::application::{Channel, Next, device_of, owned};
use super::{Error, ffi};

/// A channel of somebody else's. It may be hung up at any time, and then there is little
/// to be learned of it; its memory stays until this is dropped.
#[derive(Debug)]
pub struct Reference(NonNull<ffi::ast_channel>);

impl Reference {
    fn raw(&self) -> *mut ffi::ast_channel {
        self.0.as_ptr()
    }

    /// Its name, such as `PJSIP/200-00000001`.
    pub fn name(&self) -> String {
        // SAFETY: a channel that we have a reference to, not locked by us; what is
        // returned is ours to free.
        owned(unsafe { ffi::res_userpresence_channel_name(self.raw()) }).unwrap_or_default()
    }

    /// Its unique id, which no later channel has.
    pub fn id(&self) -> String {
        // SAFETY: as in `name`.
        owned(unsafe { ffi::res_userpresence_channel_id(self.raw()) }).unwrap_or_default()
    }

    /// When it was made, for comparing with others.
    pub fn created(&self) -> (i64, i64) {
        // SAFETY: as in `name`; it is set before anybody can find the channel.
        let time = unsafe { ffi::ast_channel_creationtime(self.raw()) };
        (time.tv_sec, time.tv_usec)
    }

    /// The name of the channel that this one talks to and holds.
    pub fn held(&self) -> Option<String> {
        // SAFETY: as in `name`; no bridge is locked by us either.
        owned(unsafe { ffi::res_userpresence_channel_held(self.raw()) })
    }

    fn into_raw(self) -> *mut ffi::ast_channel {
        let raw = self.raw();
        std::mem::forget(self);
        raw
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: a reference of ours, given back once.
        unsafe { ffi::__ao2_cleanup(self.raw().cast()) };
    }
}

/// The channels that are calls of devices which `is_wanted`.
pub fn of_devices(is_wanted: impl Fn(&str) -> bool) -> Vec<Reference> {
    let mut found = Vec::new();
    // SAFETY: it may be called at any time; NULL is an iterator without channels.
    let all = unsafe { ffi::ast_channel_iterator_all_new() };
    // SAFETY: the iterator is live until it is destroyed below, and each channel comes
    // with a reference that is ours.
    while let Some(raw) = NonNull::new(unsafe { ffi::ast_channel_iterator_next(all) }) {
        let channel = Reference(raw);
        if device_of(&channel.name()).is_some_and(&is_wanted) {
            found.push(channel);
        }
    }
    // SAFETY: it is destroyed once, and not used any more.
    unsafe { ffi::ast_channel_iterator_destroy(all) };
    found
}

impl Channel<'_> {
    /// Takes the holder's place in its call, and stays in it to its end. For the holder
    /// the call is over then, as if the other side had hung up.
    ///
    /// # Errors
    /// Where the call has ended.
    pub fn replace(&self, holder: Reference) -> Result<Next, Error> {
        // SAFETY: a live channel whose thread is ours, in no bridge and not locked by us;
        // the reference to the other is given away.
        match unsafe { ffi::res_userpresence_channel_replace(self.raw(), holder.into_raw()) } {
            0 => Err(Error::new("the call could not be joined")),
            // Who was held has sent the channel elsewhere.
            2 => Ok(Next::Continue),
            _ => Ok(Next::HangUp),
        }
    }
}
