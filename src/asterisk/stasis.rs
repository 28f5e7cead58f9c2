//! Subscriptions to Asterisk's message bus.

use std::ffi::{c_int, c_long, c_void};
use std::ptr::{self, NonNull};

use super::guard::guard;
use super::{Error, ffi, presence};
use crate::presence::state::State;

/// Gets each presence published: address with label, state, subtype, message.
/// One subscription calls it from one thread at a time, in the topic's order.
pub type PresenceHandler = fn(address: &[u8], state: State, subtype: &[u8], message: &[u8]);

/// A subscription; dropping it unsubscribes and waits for a call in progress, so
/// never drop it in its own handler, or holding a lock that the handler takes.
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    raw: NonNull<ffi::stasis_subscription>,
    /// What the thunk is passed; freed after the subscription.
    handler: NonNull<Handler>,
    mark: Option<Mark>,
}

// SAFETY: Asterisk's subscriptions may be used from any thread, and the handler is
// a plain function that is only read.
unsafe impl Send for Subscription {}
// SAFETY: as above; a shared reference offers nothing at all.
unsafe impl Sync for Subscription {}

#[derive(Debug)]
enum Handler {
    Presence(PresenceHandler),
}

/// Messages that may wait before the core complains about us and, with the
/// default overload trigger, refuses calls: a load publishes every user at once.
const HIGH_WATER: c_long = 10_000_000;
const LOW_WATER: c_long = 9_000_000;

impl Subscription {
    /// Subscribes to every presence, our own ones too.
    pub fn presence(handler: PresenceHandler) -> Result<Self, Error> {
        // SAFETY: both are the core's and live until it ends.
        let (topic, kind) = unsafe {
            (
                ffi::ast_presence_state_topic_all(),
                ffi::ast_presence_state_message_type(),
            )
        };
        Self::new(topic, kind, Handler::Presence(handler))
    }

    fn new(
        topic: *mut ffi::stasis_topic,
        kind: *mut ffi::stasis_message_type,
        handler: Handler,
    ) -> Result<Self, Error> {
        if topic.is_null() || kind.is_null() {
            return Err(Error::new(
                "The presence messages of Asterisk are switched off (see stasis.conf)",
            ));
        }
        let handler = NonNull::from(Box::leak(Box::new(handler)));
        // SAFETY: the topic is live; `receive` is passed the handler, which is freed
        // only after the subscription has ended.
        let raw = unsafe {
            ffi::__stasis_subscribe(
                topic,
                Some(receive),
                handler.as_ptr().cast(),
                c"userpresence/asterisk/stasis.rs".as_ptr(),
                line!() as c_int,
                c"new".as_ptr(),
            )
        };
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: leaked above, and no subscription holds it.
            drop(unsafe { Box::from_raw(handler.as_ptr()) });
            return Err(Error::new("No subscription to the presence topic"));
        };
        let mark = Mark::new();
        let subscription = Subscription { raw, handler, mark };
        // SAFETY: a live subscription and message type.
        let refused = unsafe {
            ffi::stasis_subscription_accept_message_type(raw.as_ptr(), kind)
                | ffi::stasis_subscription_set_filter(
                    raw.as_ptr(),
                    ffi::STASIS_SUBSCRIPTION_FILTER_SELECTIVE,
                )
                | ffi::stasis_subscription_set_congestion_limits(
                    raw.as_ptr(),
                    LOW_WATER,
                    HIGH_WATER,
                )
        };
        let marked = subscription.mark.as_ref().is_some_and(|mark| {
            // SAFETY: as above.
            0 == unsafe {
                ffi::stasis_subscription_accept_message_type(raw.as_ptr(), mark.kind.as_ptr())
            }
        });
        if refused != 0 || !marked {
            return Err(Error::new("The presence subscription cannot be set up"));
        }
        Ok(subscription)
    }
}

impl Subscription {
    /// Returns once the handler has had every message that was published before this
    /// call. Never call it in the handler, or holding a lock that the handler takes.
    pub fn catch_up(&self) {
        let Some(mark) = &self.mark else {
            return;
        };
        // SAFETY: a live subscription and message; the core takes its own references.
        unsafe { ffi::stasis_publish_sync(self.raw.as_ptr(), mark.message.as_ptr()) };
    }
}

/// A message that says nothing: that it has arrived says that all before it have.
#[derive(Debug)]
struct Mark {
    kind: NonNull<ffi::stasis_message_type>,
    message: NonNull<ffi::stasis_message>,
}

impl Mark {
    fn new() -> Option<Self> {
        let mut kind = ptr::null_mut();
        // SAFETY: a static name, no callbacks, and a place for the type, which is ours;
        // likewise the payload, an empty object, of which the message takes its own
        // reference.
        unsafe {
            ffi::stasis_message_type_create(
                c"userpresence_mark".as_ptr(),
                ptr::null_mut(),
                &mut kind,
            );
            let kind = NonNull::new(kind)?;
            let payload = ffi::__ao2_alloc(
                1,
                None,
                0,
                c"".as_ptr(),
                c"userpresence/asterisk/stasis.rs".as_ptr(),
                line!() as c_int,
                c"new".as_ptr(),
            );
            let message = ffi::stasis_message_create(kind.as_ptr(), payload);
            ffi::__ao2_cleanup(payload);
            match NonNull::new(message) {
                Some(message) => Some(Mark { kind, message }),
                None => {
                    ffi::__ao2_cleanup(kind.as_ptr().cast());
                    None
                }
            }
        }
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: references of ours, each given back once.
        unsafe {
            ffi::__ao2_cleanup(self.message.as_ptr().cast());
            ffi::__ao2_cleanup(self.kind.as_ptr().cast());
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        // SAFETY: live until here, and unsubscribed once. After the join nobody calls
        // the thunk, so the handler, leaked in `new`, can go.
        unsafe {
            ffi::stasis_unsubscribe_and_join(self.raw.as_ptr());
            drop(Box::from_raw(self.handler.as_ptr()));
        }
    }
}

unsafe extern "C" fn receive(
    handler: *mut c_void,
    _subscription: *mut ffi::stasis_subscription,
    message: *mut ffi::stasis_message,
) {
    guard((), || {
        // SAFETY: `new` passes a handler that lives as long as the subscription.
        let handler = unsafe { &*handler.cast::<Handler>() };
        // SAFETY: the message lives through the call. A change of the subscription
        // itself may arrive too, hence the comparison.
        unsafe {
            let kind = ffi::stasis_message_type(message);
            match handler {
                Handler::Presence(handle) => {
                    if kind == ffi::ast_presence_state_message_type() {
                        presence::with_parts(message, handle);
                    }
                }
            }
        }
    });
}
