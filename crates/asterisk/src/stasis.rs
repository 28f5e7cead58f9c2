//! Asterisk's message bus: subscriptions, and the messages that it keeps.

use std::ffi::{c_int, c_long, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::guard::guard;
use super::mailbox::{self, Mailbox};
use super::parking::{self, Space};
use super::{Error, devicestate, ffi, presencestate};
use presence::model::device::DeviceState;
use presence::model::state::State;

/// Gets each presence published: address with label, state, subtype, message.
/// One subscription calls it from one thread at a time, in the topic's order.
pub type PresenceHandler = fn(address: &[u8], state: State, subtype: &[u8], message: &[u8]);

/// Gets each device state published: name with label or technology, and state. One
/// subscription calls it from one thread at a time, each device's states in their
/// order.
pub type DeviceHandler = fn(name: &[u8], state: DeviceState);

/// Gets what is published of mailboxes. One subscription calls it from one thread at a
/// time.
pub type MailboxHandler = fn(mailbox: Mailbox<'_>);

/// Gets what is published of parking spaces. One subscription calls it from one thread at
/// a time.
pub type ParkingHandler = fn(space: Space<'_>);

/// What is done with a message; it says of which kind they are, too.
#[derive(Clone, Copy, Debug)]
enum Handle {
    Presence(PresenceHandler),
    Device(DeviceHandler),
    Mailbox(MailboxHandler),
    Parking(ParkingHandler),
}

impl Handle {
    /// What the messages are about, for a log.
    fn what(self) -> &'static str {
        match self {
            Handle::Presence(_) => "presence",
            Handle::Device(_) => "device state",
            Handle::Mailbox(_) => "message waiting",
            Handle::Parking(_) => "parking",
        }
    }

    /// Where the messages are published; NULL where Asterisk has them switched off.
    fn topic(self) -> *mut ffi::stasis_topic {
        // SAFETY: they only return what lives until the core ends.
        unsafe {
            match self {
                Handle::Presence(_) => ffi::ast_presence_state_topic_all(),
                Handle::Device(_) => ffi::ast_device_state_topic_all(),
                Handle::Mailbox(_) => ffi::ast_mwi_topic_all(),
                Handle::Parking(_) => ffi::ast_parking_topic(),
            }
        }
    }

    /// The messages' type; NULL where Asterisk has them switched off.
    fn kind(self) -> *mut ffi::stasis_message_type {
        // SAFETY: as above.
        unsafe {
            match self {
                Handle::Presence(_) => ffi::ast_presence_state_message_type(),
                Handle::Device(_) => ffi::ast_device_state_message_type(),
                Handle::Mailbox(_) => ffi::ast_mwi_state_type(),
                Handle::Parking(_) => ffi::ast_parked_call_type(),
            }
        }
    }
}

/// A subscription; dropping it unsubscribes and waits for a call in progress, so
/// never drop it in its own handler, or holding a lock that the handler takes.
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct Subscription {
    raw: NonNull<ffi::stasis_subscription>,
    /// What the thunk is passed; freed after the subscription.
    handler: NonNull<Handler>,
    mark: Mark,
    /// The number of the last mark published.
    marks: AtomicU64,
}

// SAFETY: Asterisk's subscriptions may be used from any thread; of the handler only
// what has a lock of its own is changed.
unsafe impl Send for Subscription {}
// SAFETY: as above.
unsafe impl Sync for Subscription {}

#[derive(Debug)]
struct Handler {
    handle: Handle,
    /// The type of our marks, compared and never used.
    mark: *mut ffi::stasis_message_type,
    /// The number of the last mark that has arrived.
    arrived: Mutex<u64>,
    arrival: Condvar,
}

/// Messages that may wait before the core complains about us and, with the
/// default overload trigger, refuses calls: a load publishes every user at once.
const HIGH_WATER: c_long = 10_000_000;
const LOW_WATER: c_long = 9_000_000;

impl Subscription {
    /// Subscribes to every presence, our own ones too.
    pub fn presence(handler: PresenceHandler) -> Result<Self, Error> {
        Self::new(Handle::Presence(handler))
    }

    /// Subscribes to the state of every device, our own ones too. What each server of
    /// a cluster says is passed over: only the aggregates are handed on.
    pub fn devices(handler: DeviceHandler) -> Result<Self, Error> {
        Self::new(Handle::Device(handler))
    }

    /// Subscribes to what is told of every mailbox.
    pub fn mailboxes(handler: MailboxHandler) -> Result<Self, Error> {
        Self::new(Handle::Mailbox(handler))
    }

    /// Subscribes to the calls in parking lots.
    pub fn parking(handler: ParkingHandler) -> Result<Self, Error> {
        Self::new(Handle::Parking(handler))
    }

    fn new(handle: Handle) -> Result<Self, Error> {
        let (topic, kind, what) = (handle.topic(), handle.kind(), handle.what());
        if topic.is_null() || kind.is_null() {
            return Err(Error::new(format!(
                "The {what} messages of Asterisk are switched off (see stasis.conf)"
            )));
        }
        let Some(mark) = Mark::new() else {
            return Err(Error::new("Asterisk has no memory for a message"));
        };
        let handler = NonNull::from(Box::leak(Box::new(Handler {
            handle,
            mark: mark.0.as_ptr(),
            arrived: Mutex::new(0),
            arrival: Condvar::new(),
        })));
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
            return Err(Error::new(format!("No subscription to the {what} topic")));
        };
        let marks = AtomicU64::new(0);
        let subscription = Subscription {
            raw,
            handler,
            mark,
            marks,
        };
        // SAFETY: a live subscription and message type.
        let refused = unsafe {
            ffi::stasis_subscription_accept_message_type(raw.as_ptr(), kind)
                | ffi::stasis_subscription_accept_message_type(
                    raw.as_ptr(),
                    subscription.mark.0.as_ptr(),
                )
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
        if refused != 0 {
            return Err(Error::new(format!(
                "The {what} subscription cannot be set up"
            )));
        }
        Ok(subscription)
    }
}

impl Subscription {
    /// Returns once the handler has had every message that was published before this
    /// call. Never call it in the handler, or holding a lock that the handler takes.
    ///
    /// Of a device whose module calls its state not cachable, the core makes the
    /// aggregate later, in a thread of its own: that is not waited for.
    ///
    /// Not by `stasis_publish_sync`: that holds the topic's lock until the handler is
    /// through, and the handler may wait for somebody who is about to publish.
    pub fn catch_up(&self) {
        /// A mark that Asterisk lost must not stop the caller for ever.
        const PATIENCE: Duration = Duration::from_secs(10);
        let mine = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        // SAFETY: lives as long as the subscription.
        let handler = unsafe { self.handler.as_ref() };
        if !self.mark.publish(mine, handler.handle.topic()) {
            return;
        }
        let mut arrived = handler.arrived.lock();
        while *arrived < mine {
            if handler.arrival.wait_for(&mut arrived, PATIENCE).timed_out() {
                return;
            }
        }
    }
}

/// The type of messages that say nothing but their number: that one has arrived says
/// that all before it have.
#[derive(Debug)]
struct Mark(NonNull<ffi::stasis_message_type>);

impl Mark {
    fn new() -> Option<Self> {
        let mut kind = ptr::null_mut();
        // SAFETY: a static name, no callbacks, and a place for the type, which is ours.
        unsafe {
            ffi::stasis_message_type_create(
                c"userpresence_mark".as_ptr(),
                ptr::null_mut(),
                &mut kind,
            );
        }
        NonNull::new(kind).map(Mark)
    }

    /// Publishes one among the topic's messages; says whether that could be done.
    fn publish(&self, number: u64, topic: *mut ffi::stasis_topic) -> bool {
        // SAFETY: the payload is an object with room for the number, and the core's
        // objects are aligned for one; message and topic take their own references, and
        // the topic, of which there is a subscription, lives until the core ends.
        unsafe {
            let payload = ffi::__ao2_alloc(
                size_of::<u64>(),
                None,
                0,
                c"".as_ptr(),
                c"userpresence/asterisk/stasis.rs".as_ptr(),
                line!() as c_int,
                c"publish".as_ptr(),
            );
            if payload.is_null() {
                return false;
            }
            payload.cast::<u64>().write_unaligned(number);
            let message = ffi::stasis_message_create(self.0.as_ptr(), payload);
            ffi::__ao2_cleanup(payload);
            if message.is_null() {
                return false;
            }
            ffi::stasis_publish(topic, message);
            ffi::__ao2_cleanup(message.cast());
        }
        true
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        // SAFETY: a reference of ours, given back once.
        unsafe { ffi::__ao2_cleanup(self.0.as_ptr().cast()) };
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
            if kind == handler.handle.kind() {
                match handler.handle {
                    Handle::Presence(handle) => presencestate::with_parts(message, handle),
                    Handle::Device(handle) => devicestate::with_parts(message, handle),
                    Handle::Mailbox(handle) => mailbox::with_parts(message, handle),
                    Handle::Parking(handle) => parking::with_parts(message, handle),
                }
            } else if kind == handler.mark {
                // A message of this type carries a number, see `Mark::publish`.
                let number = ffi::stasis_message_data(message);
                let number = number.cast::<u64>().read_unaligned();
                // Two callers' marks may arrive in either order.
                let mut arrived = handler.arrived.lock();
                *arrived = number.max(*arrived);
                drop(arrived);
                handler.arrival.notify_all();
            }
        }
    });
}

/// Shows `visit` each message of one type that the core's cache keeps: what that server
/// said last; with NULL the aggregates of all servers. No lock is held meanwhile.
///
/// # Safety
/// `cache` and `kind` are NULL or live, `server` is NULL or valid.
pub(super) unsafe fn cached(
    cache: *mut ffi::stasis_cache,
    kind: *mut ffi::stasis_message_type,
    server: *const ffi::ast_eid,
    mut visit: Visit<'_>,
) {
    if cache.is_null() || kind.is_null() {
        return;
    }
    // SAFETY: the caller vouches for these; the list that is returned is ours to release.
    let list = unsafe { ffi::stasis_cache_dump_by_eid(cache, kind, server) };
    if list.is_null() {
        return;
    }
    // SAFETY: `show` gets each message of the list, and as its argument the visitor,
    // which is borrowed for the call. Then the list is released, once.
    unsafe {
        ffi::__ao2_callback(
            list,
            ffi::OBJ_NODATA | ffi::OBJ_MULTIPLE,
            Some(show),
            (&raw mut visit).cast(),
            c"".as_ptr(),
            c"userpresence/asterisk/stasis.rs".as_ptr(),
            line!() as c_int,
            c"cached".as_ptr(),
        );
        ffi::__ao2_cleanup(list.cast());
    }
}

type Visit<'a> = &'a mut dyn FnMut(*const ffi::stasis_message);

unsafe extern "C" fn show(message: *mut c_void, visit: *mut c_void, _flags: c_int) -> c_int {
    guard(0, || {
        // SAFETY: `cached` passes its visitor, borrowed for nobody else. The list holds
        // messages, and holds them through the call.
        let visit = unsafe { &mut *visit.cast::<Visit<'_>>() };
        visit(message.cast());
        0
    })
}
