//! The DND and forward keys of desk phones: the SIP event `as-feature-event`
//! (`asterisk/res_pjsip_pubsub.h`).
//!
//! A phone subscribes to the event; each NOTIFY has the state of one feature, and the body of a
//! SUBSCRIBE is a press of a key. The event and its kind of body are registered once in a
//! process and stay, because pjproject aborts when an event is registered again, and live
//! subscriptions keep a pointer to the kind of body. While the module is not attached, new
//! subscriptions are refused as for an unknown event, and live ones are not notified.

#[cfg_attr(
    not(asterisk_has = "ast_sip_notifier.new_subscribe_with_rdata"),
    allow(dead_code, reason = "this release passes modules no SUBSCRIBE request")
)]
mod requests;
mod subscription;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use crate::guard::guard;
use crate::peer::{Peer, RunningPeer};
use crate::pjsip::request::{self, RequestBody};
use crate::text::{self, source_file};
use crate::{Error, ffi, log, slack};

use subscription::{FeatureSubscription, Registry};
pub use subscription::{has_subscriptions, notify, notify_all};

const EVENT: &CStr = c"as-feature-event";
const TYPE: &CStr = c"application";
const SUBTYPE: &CStr = c"x-as-feature-event+xml";
const ACCEPT: &CStr = c"application/x-as-feature-event+xml";
/// The kind of data of which the module makes bodies. It is not
/// `AST_SIP_DEVICE_FEATURE_SYNC_DATA`, for which res_pjsip_pubsub looks for lists.
const DATA: &CStr = c"userpresence_feature_keys";

/// A SIP status.
pub type SipStatus = u16;

/// The answer to an event that is not known.
pub const BAD_EVENT: SipStatus = 489;

/// The features of phones. One type may be registered in a process. The functions are called
/// by threads of res_pjsip, and may not wait for a disk or a network.
pub trait FeatureEvents: 'static {
    /// Whether phones get the event at all.
    fn is_wanted() -> bool;

    /// Whether the endpoint may subscribe.
    ///
    /// # Errors
    /// The status with which it is refused.
    fn subscribe(endpoint: &str) -> Result<(), SipStatus>;

    /// A phone of the endpoint has sent the body, as the user has pressed a key.
    ///
    /// # Errors
    /// The status with which a SUBSCRIBE that begins a subscription is refused. In another one
    /// the phone gets the true state.
    fn request(endpoint: &str, body: &RequestBody<'_>) -> Result<(), SipStatus>;

    /// The body for each feature of the endpoint, as many each time; `resource` is the name to
    /// which the phone subscribed. `None` while there are none.
    fn bodies(endpoint: &str, resource: &str) -> Option<Vec<String>>;
}

type IsRegistered = unsafe extern "C" fn(*const c_char, *const c_char) -> c_int;
type RegisterHandler = unsafe extern "C" fn(*mut ffi::ast_sip_subscription_handler) -> c_int;
type RegisterGenerator = unsafe extern "C" fn(*mut ffi::ast_sip_pubsub_body_generator) -> c_int;
type OfSubscription<T> = unsafe extern "C" fn(*mut ffi::ast_sip_subscription) -> T;
type PushTask = unsafe extern "C" fn(
    *mut ffi::ast_taskprocessor,
    Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    *mut c_void,
) -> c_int;
type SendNotify = unsafe extern "C" fn(
    *mut ffi::ast_sip_subscription,
    *mut ffi::ast_sip_body_data,
    c_int,
) -> c_int;

/// The functions of res_pjsip and res_pjsip_pubsub; neither module is ever unloaded while
/// Asterisk runs.
struct FeatureFunctions {
    endpoint: OfSubscription<*mut ffi::ast_sip_endpoint>,
    resource: OfSubscription<*const c_char>,
    serializer: OfSubscription<*mut ffi::ast_taskprocessor>,
    is_terminated: OfSubscription<c_int>,
    destroy: OfSubscription<()>,
    push: PushTask,
    notify: SendNotify,
}

static FUNCTIONS: OnceLock<FeatureFunctions> = OnceLock::new();

/// Nothing is registered yet.
const OPEN: u8 = 0;
/// The event is the module's.
const OURS: u8 = 1;
/// Another module has the event.
const TAKEN: u8 = 2;
/// Changed under the lock of the core's list of modules only.
static REGISTERED: AtomicU8 = AtomicU8::new(OPEN);
/// Whether the module runs and is attached.
static ATTACHED: AtomicBool = AtomicBool::new(false);

/// Whether res_pjsip_pubsub shows the SUBSCRIBE in which a key was pressed.
const HAS_REQUESTS: bool = cfg!(asterisk_has = "ast_sip_notifier.new_subscribe_with_rdata");

/// [`FeatureEvents`] with res_pjsip_pubsub.
#[derive(Debug)]
pub struct FeatureEventsPeer<F>(PhantomData<F>);

impl<F: FeatureEvents> Peer for FeatureEventsPeer<F> {
    const FILE: &'static CStr = c"res_pjsip_pubsub.so";
    const WHAT: &'static str = "feature keys of desk phones";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        if !F::is_wanted() {
            return Ok(());
        }
        if REGISTERED.load(Ordering::Acquire) == OPEN {
            register::<F>(peer)?;
        }
        if REGISTERED.load(Ordering::Acquire) == OURS {
            let proof = if HAS_REQUESTS {
                request::prove(peer)
            } else {
                Err(Error::new(
                    "this release of Asterisk passes no SUBSCRIBE request to modules",
                ))
            };
            if let Err(why) = proof {
                log::notice(format_args!(
                    "The feature keys of desk phones show states, but do not set them: {why}"
                ));
            }
            ATTACHED.store(true, Ordering::Release);
            notify_all();
        }
        Ok(())
    }

    fn detach(_: &RunningPeer) {
        ATTACHED.store(false, Ordering::Release);
    }

    fn holds(_peer: &RunningPeer) -> bool {
        let taken = REGISTERED.load(Ordering::Acquire) == TAKEN;
        ATTACHED.load(Ordering::Acquire) || taken || !F::is_wanted()
    }

    fn lost() {
        ATTACHED.store(false, Ordering::Release);
    }
}

/// Registers event and body, once in a process.
fn register<F: FeatureEvents>(peer: &RunningPeer) -> Result<(), Error> {
    let functions = find(peer)?;
    FUNCTIONS.get_or_init(|| functions);
    let is_registered = peer.find(c"ast_sip_pubsub_is_body_generator_registered")?;
    let add_handler = peer.find(c"ast_sip_register_subscription_handler")?;
    let add_generator = peer.find(c"ast_sip_pubsub_register_body_generator")?;
    // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
    let is_registered = unsafe { transmute::<*mut c_void, IsRegistered>(is_registered) };
    // SAFETY: PJSIP-FUNCTIONS: as above.
    let add_handler = unsafe { transmute::<*mut c_void, RegisterHandler>(add_handler) };
    // SAFETY: PJSIP-FUNCTIONS: as above.
    let add_generator = unsafe { transmute::<*mut c_void, RegisterGenerator>(add_generator) };

    // SAFETY: PEER-STAYS, HOST-COPIES: two C strings.
    let taken = unsafe { is_registered(TYPE.as_ptr(), SUBTYPE.as_ptr()) } != 0;
    // Never freed: res_pjsip_pubsub links them.
    // SAFETY: PEER-STAYS, LINKED-FOREVER, MODULE-MAPPED: allocated once, and never freed.
    let refused = taken || unsafe { add_handler(handler::<F>()) } != 0;
    if refused {
        REGISTERED.store(TAKEN, Ordering::Release);
        log::notice(
            "Another module of Asterisk has the feature keys of desk phones (event \
             as-feature-event): this one leaves them alone",
        );
        return Ok(());
    }
    // SAFETY: PEER-STAYS, LINKED-FOREVER, MODULE-MAPPED: as above.
    let refused = unsafe { add_generator(generator()) } != 0;
    REGISTERED.store(if refused { TAKEN } else { OURS }, Ordering::Release);
    if refused {
        return Err(Error::new("res_pjsip_pubsub refuses the kind of body"));
    }
    Ok(())
}

fn find(peer: &RunningPeer) -> Result<FeatureFunctions, Error> {
    let endpoint = peer.find(c"ast_sip_subscription_get_endpoint")?;
    let resource = peer.find(c"ast_sip_subscription_get_resource_name")?;
    let serializer = peer.find(c"ast_sip_subscription_get_serializer")?;
    let is_terminated = peer.find(c"ast_sip_subscription_is_terminated")?;
    let destroy = peer.find(c"ast_sip_subscription_destroy")?;
    let push = peer.find(c"ast_sip_push_task")?;
    let notify = peer.find(c"ast_sip_subscription_notify")?;
    Ok(FeatureFunctions {
        // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
        endpoint: unsafe {
            transmute::<*mut c_void, OfSubscription<*mut ffi::ast_sip_endpoint>>(endpoint)
        },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        resource: unsafe { transmute::<*mut c_void, OfSubscription<*const c_char>>(resource) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        serializer: unsafe {
            transmute::<*mut c_void, OfSubscription<*mut ffi::ast_taskprocessor>>(serializer)
        },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        is_terminated: unsafe { transmute::<*mut c_void, OfSubscription<c_int>>(is_terminated) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        destroy: unsafe { transmute::<*mut c_void, OfSubscription<()>>(destroy) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        push: unsafe { transmute::<*mut c_void, PushTask>(push) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        notify: unsafe { transmute::<*mut c_void, SendNotify>(notify) },
    })
}

/// Never freed.
fn handler<F: FeatureEvents>() -> *mut ffi::ast_sip_subscription_handler {
    // SAFETY: ZERO-VALUE: pointers and callbacks.
    let notifier = unsafe {
        slack::leak(|notifier: &mut ffi::ast_sip_notifier| {
            notifier.default_accept = ACCEPT.as_ptr();
            notifier.subscription_established = Some(established::<F>);
            notifier.get_notify_data = Some(notify_data);
            #[cfg(asterisk_has = "ast_sip_notifier.new_subscribe_with_rdata")]
            {
                notifier.new_subscribe_with_rdata = Some(requests::new_subscribe::<F>);
                notifier.refresh_subscribe = Some(requests::refresh::<F>);
            }
            // A refresh is answered with what `notify_data` returns: the phone gets the true
            // state.
            #[cfg(not(asterisk_has = "ast_sip_notifier.new_subscribe_with_rdata"))]
            {
                notifier.new_subscribe = Some(new_subscribe_unread::<F>);
            }
        })
    };
    // SAFETY: ZERO-VALUE: pointers and callbacks, and the link of a list.
    unsafe {
        slack::leak(|handler: &mut ffi::ast_sip_subscription_handler| {
            handler.event_name = EVENT.as_ptr();
            handler.body_type = DATA.as_ptr();
            handler.accept[0] = ACCEPT.as_ptr();
            handler.subscription_shutdown = Some(shutdown);
            handler.notifier = notifier;
        })
    }
}

/// Never freed.
fn generator() -> *mut ffi::ast_sip_pubsub_body_generator {
    // SAFETY: ZERO-VALUE: pointers and callbacks, and the link of a list.
    unsafe {
        slack::leak(|generator: &mut ffi::ast_sip_pubsub_body_generator| {
            generator.type_ = TYPE.as_ptr();
            generator.subtype = SUBTYPE.as_ptr();
            generator.body_type = DATA.as_ptr();
            generator.allocate_body = Some(allocate);
            generator.generate_body_content = Some(generate);
            generator.to_string = Some(to_string);
        })
    }
}

/// The data is the text of the body already.
///
/// # Safety
/// Called by res_pjsip_pubsub; it has no other requirements.
unsafe extern "C" fn allocate(data: *mut c_void) -> *mut c_void {
    data
}

/// # Safety
/// As for `allocate`.
unsafe extern "C" fn generate(_body: *mut c_void, _data: *mut c_void) -> c_int {
    0
}

/// # Safety
/// `body` is a C string, and `buffer` the place of a buffer.
unsafe extern "C" fn to_string(body: *mut c_void, buffer: *mut *mut ffi::ast_str) {
    guard(
        || (),
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS, HOST-COPIES: a live buffer, and a C string.
            unsafe { ffi::shim_str_set(buffer, body.cast()) };
        },
    );
}

/// The name of an endpoint.
///
/// # Safety
/// `endpoint` is a live endpoint, which stays for `'a`.
unsafe fn name_of<'a>(endpoint: *const ffi::ast_sip_endpoint) -> Option<&'a str> {
    // SAFETY: CALLER: an endpoint is an object of sorcery.
    let name = unsafe { ffi::ast_sorcery_object_get_id(endpoint.cast()) };
    // SAFETY: HOST-STRINGS: it lives as long as the endpoint.
    unsafe { text::utf8(name) }
}

/// The answer to a SUBSCRIBE that begins a subscription; `read` gets the endpoint's name.
///
/// # Safety
/// `endpoint` is NULL or a live endpoint.
unsafe fn begin<F: FeatureEvents>(
    endpoint: *const ffi::ast_sip_endpoint,
    read: impl FnOnce(&str) -> Result<(), SipStatus>,
) -> c_int {
    let answer = || {
        if !ATTACHED.load(Ordering::Acquire) || endpoint.is_null() {
            return Err(BAD_EVENT);
        }
        // SAFETY: CALLER: it lives until this function returns.
        let name = unsafe { name_of(endpoint) }.ok_or(404_u16)?;
        F::subscribe(name)?;
        if subscription::are_full() {
            log::warning("There are too many subscriptions to feature keys: 503 for a phone");
            return Err(503);
        }
        read(name)
    };
    let answer = guard(|| Err(500), answer);
    c_int::from(answer.err().unwrap_or(200))
}

/// # Safety
/// Called by res_pjsip_pubsub with a live endpoint and a C string.
#[cfg(not(asterisk_has = "ast_sip_notifier.new_subscribe_with_rdata"))]
unsafe extern "C" fn new_subscribe_unread<F: FeatureEvents>(
    endpoint: *mut ffi::ast_sip_endpoint,
    _resource: *const c_char,
) -> c_int {
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: the endpoint lives until the callback returns.
    unsafe { begin::<F>(endpoint, |_| Ok(())) }
}

/// # Safety
/// Called by res_pjsip_pubsub with a subscription that begins.
unsafe extern "C" fn established<F: FeatureEvents>(sub: *mut ffi::ast_sip_subscription) -> c_int {
    guard(
        || -1,
        || {
            // SAFETY: CALLER: it lives until it was destroyed, after `shutdown`.
            let subscription = unsafe { FeatureSubscription::new(sub, F::bodies) };
            match subscription {
                Some(subscription) => {
                    Registry::add(sub, subscription);
                    0
                }
                None => -1,
            }
        },
    )
}

/// # Safety
/// Called by res_pjsip_pubsub with a live subscription, after `established`.
unsafe extern "C" fn notify_data(sub: *mut ffi::ast_sip_subscription) -> *mut c_void {
    guard(ptr::null_mut, || {
        let Some(body) = Registry::of(sub).and_then(|subscription| subscription.first_body())
        else {
            return ptr::null_mut();
        };
        let body = body.as_bytes_with_nul();
        // SAFETY: HOST-OBJECTS: an object of that size; the names are static.
        let object = unsafe {
            ffi::__ao2_alloc(
                body.len(),
                None,
                0,
                c"feature key".as_ptr(),
                source_file!(),
                line!() as c_int,
                c"notify_data".as_ptr(),
            )
        };
        if !object.is_null() {
            // SAFETY: HOST-OBJECTS: the object has that size, and is this function's alone.
            unsafe { ptr::copy_nonoverlapping(body.as_ptr(), object.cast(), body.len()) };
        }
        object
    })
}

/// # Safety
/// Called by res_pjsip_pubsub with a subscription that ends.
unsafe extern "C" fn shutdown(sub: *mut ffi::ast_sip_subscription) {
    guard(|| (), || Registry::remove(sub));
}
