//! Asterisk's message bus: `asterisk/stasis.h`, `asterisk/astobj2.h`.

use std::ffi::{CString, c_int, c_long, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::devicestate::{self, DevState};
use super::guard::guard;
use super::mailbox::{self, Mailbox};
use super::parking::{self, Space};
use super::presencestate::{self, PresenceState};
use super::snapshots::{self, ChannelEvent};
use super::text::{CText, source_file};
use super::{Error, entry, ffi};

/// Receives each presence published: address with label, state, subtype, message. One
/// subscription calls it from one thread at a time, in the topic's order.
pub type PresenceHandler = fn(address: &[u8], state: PresenceState, subtype: &[u8], message: &[u8]);

/// Receives each device state published: name with label or technology, and state. One
/// subscription calls it from one thread at a time, with the states of each device in their
/// order.
pub type DeviceHandler = fn(name: &[u8], state: DevState);

/// Receives each mailbox published. One subscription calls it from one thread at a time.
pub type MailboxHandler = fn(mailbox: Mailbox<'_>);

/// Receives each change of a parking space. One subscription calls it from one thread at a
/// time.
pub type ParkingHandler = fn(space: Space<'_>);

/// Receives each change of a channel, its holds among them. One subscription calls it from one
/// thread at a time.
pub type ChannelHandler = fn(event: ChannelEvent<'_>);

/// The function that receives the messages of a subscription; it decides on topic and type.
#[derive(Clone, Copy, Debug)]
enum MessageHandler {
    Presence(PresenceHandler),
    Device(DeviceHandler),
    Mailbox(MailboxHandler),
    Parking(ParkingHandler),
    Channel(ChannelHandler),
}

impl MessageHandler {
    /// The subject of the messages, for a log.
    fn subject(self) -> &'static str {
        match self {
            MessageHandler::Presence(_) => "presence",
            MessageHandler::Device(_) => "device state",
            MessageHandler::Mailbox(_) => "message waiting",
            MessageHandler::Parking(_) => "parking",
            MessageHandler::Channel(_) => "channel",
        }
    }

    /// The topic of the messages; `None` if Asterisk has no such topic.
    fn topic(self) -> Option<Topic> {
        let topic = match self {
            // SAFETY: HOST-GLOBALS: a topic of the core's, or NULL.
            MessageHandler::Presence(_) => unsafe { ffi::ast_presence_state_topic_all() },
            // SAFETY: HOST-GLOBALS: as above.
            MessageHandler::Device(_) => unsafe { ffi::ast_device_state_topic_all() },
            // SAFETY: HOST-GLOBALS: as above.
            MessageHandler::Mailbox(_) => unsafe { ffi::ast_mwi_topic_all() },
            // SAFETY: HOST-GLOBALS: as above.
            MessageHandler::Parking(_) => unsafe { ffi::ast_parking_topic() },
            // SAFETY: HOST-GLOBALS: as above.
            MessageHandler::Channel(_) => unsafe { ffi::ast_channel_topic_all() },
        };
        NonNull::new(topic).map(Topic)
    }

    /// The type of the messages; `None` if Asterisk is configured not to publish them.
    fn message_type(self) -> Option<MessageType> {
        match self {
            MessageHandler::Presence(_) => presencestate::message_type(),
            MessageHandler::Device(_) => devicestate::message_type(),
            MessageHandler::Mailbox(_) => mailbox::message_type(),
            MessageHandler::Parking(_) => parking::message_type(),
            MessageHandler::Channel(_) => snapshots::message_type(),
        }
    }

    /// The types of further messages, of those that Asterisk is configured to publish.
    fn more_types(self) -> Vec<MessageType> {
        match self {
            MessageHandler::Channel(_) => snapshots::hold_types().collect(),
            _ => Vec::new(),
        }
    }
}

/// A topic.
///
/// # Invariants
/// The pointer is to a topic of the core's, which lives until the core ends (HOST-GLOBALS).
#[derive(Clone, Copy, Debug)]
struct Topic(NonNull<ffi::stasis_topic>);

/// A type of messages.
///
/// # Invariants
/// The pointer is to a type that lives until the core ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MessageType(NonNull<ffi::stasis_message_type>);

impl MessageType {
    /// # Safety
    /// `raw` is NULL or a type that lives until the core ends.
    pub unsafe fn new(raw: *mut ffi::stasis_message_type) -> Option<Self> {
        NonNull::new(raw).map(MessageType)
    }
}

/// A cache of messages.
///
/// # Invariants
/// The pointer is to a cache that lives until the core ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cache(NonNull<ffi::stasis_cache>);

impl Cache {
    /// # Safety
    /// `raw` is NULL or a cache that lives until the core ends.
    pub unsafe fn new(raw: *mut ffi::stasis_cache) -> Option<Self> {
        NonNull::new(raw).map(Cache)
    }
}

/// A subscription; dropping it unsubscribes and waits for a call in progress. So neither its
/// own handler may drop it, nor a thread that holds a lock which the handler takes.
///
/// # Invariants
/// `raw` is subscribed from `new` until the drop. `handler` was leaked in `new`, and is freed
/// after the subscription has ended.
#[derive(Debug)]
#[must_use = "dropping it unsubscribes"]
pub struct TopicSubscription {
    raw: NonNull<ffi::stasis_subscription>,
    /// The argument of the thunk.
    handler: NonNull<Receiver>,
    topic: Topic,
    mark: MarkType,
    /// The number of the last mark published.
    marks: AtomicU64,
}

// SAFETY: HOST-OBJECTS: any thread may use a subscription; the receiver is Sync.
unsafe impl Send for TopicSubscription {}
// SAFETY: HOST-OBJECTS: as above.
unsafe impl Sync for TopicSubscription {}

#[derive(Debug)]
struct Receiver {
    handler: MessageHandler,
    /// One or more.
    message_types: Vec<MessageType>,
    /// The type of the marks. It is compared only.
    mark: *const ffi::stasis_message_type,
    /// The number of the last mark that has arrived.
    arrived: Mutex<u64>,
    arrival: Condvar,
}

/// Above this number of waiting messages the core logs a complaint and, with the default
/// overload trigger, refuses calls. A load publishes every user at once, so it is high.
const HIGH_WATER: c_long = 10_000_000;
/// Below this number the core takes the complaint back.
const LOW_WATER: c_long = 9_000_000;

impl TopicSubscription {
    /// Subscribes to every presence, those of the module's own provider too.
    ///
    /// # Errors
    /// Asterisk does not publish presences, or has no memory.
    pub fn presence(handler: PresenceHandler) -> Result<Self, Error> {
        Self::new(MessageHandler::Presence(handler))
    }

    /// Subscribes to the aggregate state of every device, those of the module's own provider
    /// too. The states of single servers of a cluster are left out.
    ///
    /// # Errors
    /// Asterisk does not publish device states, or has no memory.
    pub fn devices(handler: DeviceHandler) -> Result<Self, Error> {
        Self::new(MessageHandler::Device(handler))
    }

    /// Subscribes to every mailbox.
    ///
    /// # Errors
    /// Asterisk does not publish mailboxes, or has no memory.
    pub fn mailboxes(handler: MailboxHandler) -> Result<Self, Error> {
        Self::new(MessageHandler::Mailbox(handler))
    }

    /// Subscribes to every parking lot.
    ///
    /// # Errors
    /// Asterisk does not publish parked calls, or has no memory.
    pub fn parking(handler: ParkingHandler) -> Result<Self, Error> {
        Self::new(MessageHandler::Parking(handler))
    }

    /// Subscribes to every channel.
    ///
    /// # Errors
    /// Asterisk does not publish channels, or has no memory.
    pub fn channels(handler: ChannelHandler) -> Result<Self, Error> {
        Self::new(MessageHandler::Channel(handler))
    }

    fn new(handler: MessageHandler) -> Result<Self, Error> {
        let subject = handler.subject();
        let (Some(topic), Some(message_type)) = (handler.topic(), handler.message_type()) else {
            return Err(Error::new(format!(
                "The {subject} messages of Asterisk are switched off (see stasis.conf)"
            )));
        };
        let Some(mark) = MarkType::new() else {
            return Err(Error::new("Asterisk has no memory for a message"));
        };
        let mut message_types = vec![message_type];
        message_types.append(&mut handler.more_types());
        let handler = NonNull::from(Box::leak(Box::new(Receiver {
            handler,
            message_types: message_types.clone(),
            mark: mark.0.as_ptr(),
            arrived: Mutex::new(0),
            arrival: Condvar::new(),
        })));
        // SAFETY: INVARIANT, MODULE-MAPPED: a live topic; the argument of the thunk is freed
        // after the subscription has ended.
        let raw = unsafe {
            ffi::__stasis_subscribe(
                topic.0.as_ptr(),
                Some(receive),
                handler.as_ptr().cast(),
                source_file!(),
                line!() as c_int,
                c"new".as_ptr(),
            )
        };
        let Some(raw) = NonNull::new(raw) else {
            // SAFETY: INVARIANT: leaked above, and no subscription has it.
            drop(unsafe { Box::from_raw(handler.as_ptr()) });
            return Err(Error::new(format!(
                "Could not subscribe to the {subject} topic"
            )));
        };
        let subscription = TopicSubscription {
            raw,
            handler,
            topic,
            mark,
            marks: AtomicU64::new(0),
        };
        if !subscription.set_up(&message_types) {
            return Err(Error::new(format!(
                "Could not set up the {subject} subscription"
            )));
        }
        Ok(subscription)
    }

    /// Selects the messages of these types and the marks; says whether Asterisk accepts it.
    fn set_up(&self, message_types: &[MessageType]) -> bool {
        let raw = self.raw.as_ptr();
        let accept = |kind: NonNull<ffi::stasis_message_type>| {
            // SAFETY: INVARIANT: a live subscription and a live type.
            unsafe { ffi::stasis_subscription_accept_message_type(raw, kind.as_ptr()) }
        };
        let filter = ffi::STASIS_SUBSCRIPTION_FILTER_SELECTIVE;
        let mut refused = accept(self.mark.0);
        for message_type in message_types {
            refused |= accept(message_type.0);
        }
        // SAFETY: INVARIANT: a live subscription.
        refused |= unsafe { ffi::stasis_subscription_set_filter(raw, filter) };
        // SAFETY: INVARIANT: a live subscription.
        refused |=
            unsafe { ffi::stasis_subscription_set_congestion_limits(raw, LOW_WATER, HIGH_WATER) };
        refused == 0
    }

    /// Returns once the handler has received every message that was published before this
    /// call; after ten seconds in any case. Neither the handler may call it, nor a thread that
    /// holds a lock which the handler takes.
    ///
    /// For a device whose module calls its state not cachable, the core makes the aggregate
    /// later, in a thread of its own: this is not waited for.
    ///
    /// `stasis_publish_sync` is not used: it holds the topic's lock until the handler returns,
    /// and the handler may wait for a thread that is about to publish.
    pub fn catch_up(&self) {
        /// A mark that Asterisk lost must not stop the caller for ever.
        const PATIENCE: Duration = Duration::from_secs(10);
        let mine = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        // SAFETY: INVARIANT: it lives as long as the subscription.
        let receiver = unsafe { self.handler.as_ref() };
        if !self.mark.publish(mine, self.topic) {
            return;
        }
        let mut arrived = receiver.arrived.lock();
        while *arrived < mine {
            if receiver
                .arrival
                .wait_for(&mut arrived, PATIENCE)
                .timed_out()
            {
                return;
            }
        }
    }
}

impl Drop for TopicSubscription {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: subscribed until here, and unsubscribed once.
        unsafe { ffi::stasis_unsubscribe_and_join(self.raw.as_ptr()) };
        // SAFETY: INVARIANT: leaked in `new`; after the join the thunk is never called again.
        drop(unsafe { Box::from_raw(self.handler.as_ptr()) });
    }
}

/// The type of the marks: messages that carry a number only. A mark that has arrived shows
/// that every message before it has arrived.
///
/// # Invariants
/// The pointer is to a type to which this value owns a reference.
#[derive(Debug)]
struct MarkType(NonNull<ffi::stasis_message_type>);

impl MarkType {
    fn new() -> Option<Self> {
        let name = [entry::log_name().to_bytes(), b"_mark"].concat();
        let name = CString::new(name).unwrap_or_default();
        let mut kind = ptr::null_mut();
        // SAFETY: HOST-COPIES: a C string, no callbacks, and a place for the type.
        unsafe { ffi::stasis_message_type_create(name.as_ptr(), ptr::null_mut(), &mut kind) };
        NonNull::new(kind).map(MarkType)
    }

    /// Publishes a mark on the topic; says whether that was possible.
    fn publish(&self, number: u64, topic: Topic) -> bool {
        // SAFETY: HOST-OBJECTS: it returns NULL, or room for a number with a reference to it.
        let payload = unsafe {
            ffi::__ao2_alloc(
                size_of::<u64>(),
                None,
                0,
                c"".as_ptr(),
                source_file!(),
                line!() as c_int,
                c"publish".as_ptr(),
            )
        };
        if payload.is_null() {
            return false;
        }
        // SAFETY: HOST-OBJECTS: room for a number that nobody else has yet.
        unsafe { payload.cast::<u64>().write_unaligned(number) };
        // SAFETY: INVARIANT, HOST-OBJECTS: live type and payload; the message takes a
        // reference to the payload.
        let message = unsafe { ffi::stasis_message_create(self.0.as_ptr(), payload) };
        // SAFETY: HOST-OBJECTS: the reference from the allocation, given back once.
        unsafe { ffi::__ao2_cleanup(payload) };
        if message.is_null() {
            return false;
        }
        // SAFETY: INVARIANT, HOST-OBJECTS: a live topic, which takes a reference of its own.
        unsafe { ffi::stasis_publish(topic.0.as_ptr(), message) };
        // SAFETY: HOST-OBJECTS: the reference from the creation, given back once.
        unsafe { ffi::__ao2_cleanup(message.cast()) };
        true
    }
}

impl Drop for MarkType {
    fn drop(&mut self) {
        // SAFETY: INVARIANT, HOST-OBJECTS: the value's reference, given back once.
        unsafe { ffi::__ao2_cleanup(self.0.as_ptr().cast()) };
    }
}

/// # Safety
/// The arguments are those of a subscription's callback; `receiver` is that of the
/// [`TopicSubscription`].
unsafe extern "C" fn receive(
    receiver: *mut c_void,
    _subscription: *mut ffi::stasis_subscription,
    message: *mut ffi::stasis_message,
) {
    guard(
        || (),
        || {
            // SAFETY: CALLER: it lives as long as the subscription, and is Sync.
            let receiver = unsafe { &*receiver.cast::<Receiver>() };
            // SAFETY: CALLBACK-ARGUMENTS: a live message.
            let kind = unsafe { ffi::stasis_message_type(message) };
            // A change of the subscription itself may arrive, too: its type is neither.
            let mut types = receiver.message_types.iter();
            if let Some(found) = types.find(|known| known.0.as_ptr() == kind) {
                // SAFETY: CALLBACK-ARGUMENTS: a live message of that type, one of the handler's.
                unsafe { hand_over(receiver.handler, *found, message) };
            } else if kind.cast_const() == receiver.mark {
                // SAFETY: CALLBACK-ARGUMENTS: a live message.
                let number = unsafe { ffi::stasis_message_data(message) };
                // SAFETY: MESSAGE-DATA: a mark carries a number, see `MarkType::publish`.
                let number = unsafe { number.cast::<u64>().read_unaligned() };
                // The marks of two callers may arrive in either order.
                let mut arrived = receiver.arrived.lock();
                *arrived = number.max(*arrived);
                drop(arrived);
                receiver.arrival.notify_all();
            }
        },
    );
}

/// # Safety
/// `message` is a live message of type `kind`, which is one of the handler's.
unsafe fn hand_over(
    handler: MessageHandler,
    kind: MessageType,
    message: *const ffi::stasis_message,
) {
    match handler {
        // SAFETY: CALLER: a live message of the handler's type.
        MessageHandler::Presence(handle) => unsafe { presencestate::with_parts(message, handle) },
        // SAFETY: CALLER: as above.
        MessageHandler::Device(handle) => unsafe { devicestate::with_parts(message, handle) },
        // SAFETY: CALLER: as above.
        MessageHandler::Mailbox(handle) => unsafe { mailbox::with_parts(message, handle) },
        // SAFETY: CALLER: as above.
        MessageHandler::Parking(handle) => unsafe { parking::with_parts(message, handle) },
        // SAFETY: CALLER: as above.
        MessageHandler::Channel(handle) => unsafe {
            snapshots::with_event(kind, message, handle);
        },
    }
}

/// The messages that are read from a cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CachedFor {
    /// Those of this server.
    ThisServer,
    /// The aggregates of all servers.
    Aggregate,
}

/// Calls `visit` with each message of a type in a cache: the last one published by each of those. The
/// messages live until `visit` returns. No lock is held meanwhile.
pub(super) fn cached(
    cache: Cache,
    kind: MessageType,
    cached_for: CachedFor,
    mut visit: MessageVisitor<'_>,
) {
    let server = match cached_for {
        CachedFor::ThisServer => &raw const ffi::ast_eid_default,
        CachedFor::Aggregate => ptr::null(),
    };
    // SAFETY: INVARIANT, HOST-GLOBALS: live cache and type, and NULL or the server's number.
    let list = unsafe { ffi::stasis_cache_dump_by_eid(cache.0.as_ptr(), kind.0.as_ptr(), server) };
    if list.is_null() {
        return;
    }
    // SAFETY: HOST-OBJECTS: a live list without a lock; the thunk's argument is the visitor,
    // which is borrowed for the call.
    unsafe {
        ffi::__ao2_callback(
            list,
            ffi::OBJ_NODATA | ffi::OBJ_MULTIPLE,
            Some(show),
            (&raw mut visit).cast(),
            c"".as_ptr(),
            source_file!(),
            line!() as c_int,
            c"cached".as_ptr(),
        );
    }
    // SAFETY: HOST-OBJECTS: the list's reference, given back once.
    unsafe { ffi::__ao2_cleanup(list.cast()) };
}

type MessageVisitor<'a> = &'a mut dyn FnMut(*const ffi::stasis_message);

/// Removes from a cache what this server has published under a name: its topic gets a message
/// that only the cache heeds. A cache without that name stays as it is.
///
/// # Safety
/// `topic` is NULL or a topic of the core's, and `cache` caches its messages of that type.
pub(super) unsafe fn forget(
    cache: Cache,
    kind: MessageType,
    name: &CText,
    topic: *mut ffi::stasis_topic,
) {
    if topic.is_null() {
        return;
    }
    // SAFETY: INVARIANT, HOST-COPIES: live cache and type, and a C string.
    let held = unsafe { ffi::stasis_cache_get(cache.0.as_ptr(), kind.0.as_ptr(), name.as_ptr()) };
    if held.is_null() {
        return;
    }
    // SAFETY: HOST-OBJECTS: a live message, whose reference the new one takes for itself.
    let clear = unsafe { ffi::stasis_cache_clear_create(held) };
    if !clear.is_null() {
        // SAFETY: CALLER, HOST-OBJECTS: a live topic and a live message.
        unsafe { ffi::stasis_publish(topic, clear) };
    }
    for message in [held, clear] {
        // SAFETY: HOST-OBJECTS: this reference or NULL, given back once.
        unsafe { ffi::__ao2_cleanup(message.cast()) };
    }
}

/// # Safety
/// `message` is a live message, and `visit` the [`MessageVisitor`] of [`cached`], which nobody
/// else uses meanwhile.
unsafe extern "C" fn show(message: *mut c_void, visit: *mut c_void, _flags: c_int) -> c_int {
    guard(
        || 0,
        || {
            // SAFETY: CALLER: the visitor of `cached`, borrowed by nobody else.
            let visit = unsafe { &mut *visit.cast::<MessageVisitor<'_>>() };
            visit(message.cast());
            0
        },
    )
}
