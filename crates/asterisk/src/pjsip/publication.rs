//! Publications: what phones publish of themselves, `asterisk/res_pjsip_pubsub.h`.
//!
//! A handler of an event and a service are registered once and stay for as long as the process
//! lives. `res_pjsip_pubsub` would free what it knows of the publications when a handler is
//! unregistered, while its timers still use it; and a phone goes on refreshing a publication,
//! whether or not the module is loaded. So the callbacks come at any time.
//!
//! The service looks at each PUBLISH before `res_pjsip_pubsub` does. That module asks a handler
//! about the body only after it has taken the former state of a publication away, and it then
//! answers 200 or 500; the service refuses a body with its own status, and nothing has changed.
//!
//! All of this is registered only when it is proven how requests are laid out: see
//! [`super::request`].

mod check;

use std::ffi::{CStr, c_char, c_int, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use self::check::received;
use super::request::{self, RequestBody};
use super::service::{RegisterService, service};
use crate::guard::guard;
use crate::peer::{Peer, RunningPeer};
use crate::{Error, entry, ffi, log, slack, text};

/// The status of a SIP response that refuses a request: 400 to 699.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SipStatus(pub u16);

/// A PUBLISH with its endpoint, which has proven its identity.
#[derive(Clone, Copy, Debug)]
pub struct PublishRequest<'a> {
    /// The endpoint's name.
    pub endpoint: &'a str,
    /// Whether it creates a publication: it has no `SIP-If-Match`.
    pub is_initial: bool,
    /// The body; `None` without one. A multipart body has the type `multipart` and no bytes.
    pub body: Option<RequestBody<'a>>,
}

/// A publication that is alive.
#[derive(Clone, Copy, Debug)]
pub struct LivePublication<'a> {
    /// A number that no other publication has while this one is alive.
    pub number: usize,
    /// The name of the endpoint that publishes.
    pub endpoint: &'a str,
    /// The user part of the request's URI.
    pub resource: &'a str,
}

/// A handler of publications. The calls come from threads of `res_pjsip`, several at a time,
/// also while the module is not loaded; they must not wait.
pub trait Publishing: 'static {
    /// The event, such as `presence`.
    const EVENT: &'static CStr;

    /// Looks at a PUBLISH of the event, before anything has changed.
    ///
    /// # Errors
    /// The status with which it is refused.
    fn check(request: PublishRequest<'_>) -> Result<(), SipStatus>;

    /// Whether an endpoint may create a publication for a resource. `configuration` is the value
    /// of `event_<event>` in the resource's object.
    ///
    /// # Errors
    /// The status with which it is refused.
    fn begins(endpoint: &str, resource: &str, configuration: &str) -> Result<(), SipStatus>;

    /// A publication was created, or its state has changed. Returns whether it stays: one that
    /// does not ends without another call, and its phone publishes anew.
    fn changed(publication: LivePublication<'_>, body: RequestBody<'_>) -> bool;

    /// A publication was prolonged. Returns whether it stays, as for [`Publishing::changed`].
    fn refreshed(publication: LivePublication<'_>) -> bool;

    /// A publication was removed or has expired.
    fn ended(publication: LivePublication<'_>);
}

/// [`Publishing`] with `res_pjsip_pubsub`.
#[derive(Debug)]
pub struct PublicationPeer<P>(PhantomData<P>);

type GetEndpoint = unsafe extern "C" fn(*mut ffi::pjsip_rx_data) -> *mut c_void;
type GetHeader = unsafe extern "C" fn(*mut ffi::pjsip_rx_data, ffi::pj_str_t) -> *const c_char;
type RegisterHandler = unsafe extern "C" fn(*mut ffi::ast_sip_publish_handler) -> c_int;
type EndpointOf = unsafe extern "C" fn(*mut ffi::ast_sip_publication) -> *mut c_void;
type ResourceOf = unsafe extern "C" fn(*const ffi::ast_sip_publication) -> *const c_char;
type SipEndpoint = unsafe extern "C" fn() -> *mut c_void;
type Respond = unsafe extern "C" fn(
    *mut c_void,
    *mut ffi::pjsip_rx_data,
    c_int,
    *const ffi::pj_str_t,
    *const c_void,
    *const c_void,
) -> c_int;

/// The functions that are called after an attach.
struct PubsubFunctions {
    get_endpoint: GetEndpoint,
    get_header: GetHeader,
    register_service: RegisterService,
    register_handler: RegisterHandler,
    endpoint_of: EndpointOf,
    resource_of: ResourceOf,
    sip_endpoint: SipEndpoint,
    respond: Respond,
}

/// The registered handler.
///
/// # Invariants
/// A structure that is never freed (LINKED-FOREVER), and whose container of publications was
/// set when it was registered.
struct PublishHandler(*mut ffi::ast_sip_publish_handler);

// SAFETY: INVARIANT: the structure does not change any more, and its container has a lock.
unsafe impl Send for PublishHandler {}
// SAFETY: INVARIANT: as above.
unsafe impl Sync for PublishHandler {}

static HANDLER: OnceLock<PublishHandler> = OnceLock::new();
static FUNCTIONS: OnceLock<PubsubFunctions> = OnceLock::new();
/// Whether the handler is registered, or is about to be.
static BEGUN: AtomicBool = AtomicBool::new(false);
/// Whether the last attempt has failed.
static FAILED: AtomicBool = AtomicBool::new(false);

/// How long the layout of requests is waited for: while Asterisk starts, its threads are busy.
const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(5);

impl<P: Publishing> Peer for PublicationPeer<P> {
    const FILE: &'static CStr = c"res_pjsip_pubsub.so";
    const WHAT: &'static str = "presence from phones (SIP PUBLISH)";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        request::prove(peer)?;
        let functions = find(peer)?;
        FUNCTIONS.get_or_init(|| functions);
        FAILED.store(false, Ordering::Release);
        if BEGUN.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // The registration waits for a thread of res_pjsip, which may wait for the lock of the
        // list of modules, which is held here.
        let thread = thread::Builder::new().name(entry::thread_name("pub"));
        let started = thread.spawn(|| {
            if let Err(why) = register::<P>() {
                FAILED.store(true, Ordering::Release);
                log::warning(format_args!("No {}: {why}", Self::WHAT));
            }
        });
        if started.is_err() {
            BEGUN.store(false, Ordering::Release);
            return Err(Error::new("a thread cannot be started"));
        }
        Ok(())
    }

    /// Not where the registration has failed: the next reload tries again.
    fn holds(_: &RunningPeer) -> bool {
        !FAILED.load(Ordering::Acquire)
    }

    /// Nothing: the handler stays.
    fn detach(_: &RunningPeer) {}
}

fn find(peer: &RunningPeer) -> Result<PubsubFunctions, Error> {
    let get_endpoint = peer.find(c"ast_pjsip_rdata_get_endpoint")?;
    let get_header = peer.find(c"ast_sip_rdata_get_header_value")?;
    let register_handler = peer.find(c"ast_sip_register_publish_handler")?;
    let endpoint_of = peer.find(c"ast_sip_publication_get_endpoint")?;
    let resource_of = peer.find(c"ast_sip_publication_get_resource")?;
    let sip_endpoint = peer.find(c"ast_sip_get_pjsip_endpoint")?;
    let respond = peer.find(c"pjsip_endpt_respond_stateless")?;
    Ok(PubsubFunctions {
        // SAFETY: PJSIP-FUNCTIONS: the function of that name has this type.
        get_endpoint: unsafe { transmute::<*mut c_void, GetEndpoint>(get_endpoint) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        get_header: unsafe { transmute::<*mut c_void, GetHeader>(get_header) },
        register_service: RegisterService::find(peer)?,
        // SAFETY: PJSIP-FUNCTIONS: as above.
        register_handler: unsafe { transmute::<*mut c_void, RegisterHandler>(register_handler) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        endpoint_of: unsafe { transmute::<*mut c_void, EndpointOf>(endpoint_of) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        resource_of: unsafe { transmute::<*mut c_void, ResourceOf>(resource_of) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        sip_endpoint: unsafe { transmute::<*mut c_void, SipEndpoint>(sip_endpoint) },
        // SAFETY: PJSIP-FUNCTIONS: as above.
        respond: unsafe { transmute::<*mut c_void, Respond>(respond) },
    })
}

/// Registers the service and the handler, once the layout of requests is known.
fn register<P: Publishing>() -> Result<(), Error> {
    let end = Instant::now() + PATIENCE;
    while request::is_proven().is_none() {
        if Instant::now() > end {
            BEGUN.store(false, Ordering::Release);
            return Err(Error::new("res_pjsip does not answer"));
        }
        thread::sleep(INTERVAL);
    }
    if request::is_proven() != Some(true) {
        return Err(Error::new("the bodies of SIP requests cannot be read"));
    }
    let functions = FUNCTIONS.get().ok_or(Error::new("it is not attached"))?;
    // The service first: it is what makes sure of the bodies that the handler gets.
    functions.register_service.register(ffi::pjsip_module {
        on_rx_request: Some(received::<P>),
        ..service(c"User Presence Publications", PRIORITY)
    })?;
    // SAFETY: ZERO-VALUE: pointers, callbacks, and the link of a list.
    let handler = unsafe {
        slack::leak(|handler: &mut ffi::ast_sip_publish_handler| {
            handler.event_name = P::EVENT.as_ptr();
            handler.new_publication = Some(new_publication::<P>);
            handler.publish_expire = Some(expired::<P>);
            handler.publication_state_change = Some(state_changed::<P>);
        })
    };
    // SAFETY: PJSIP-STAYS, LINKED-FOREVER: the structure is in no list, and is never freed.
    if unsafe { (functions.register_handler)(handler) } != 0 {
        return Err(Error::new("res_pjsip_pubsub refuses the handler"));
    }
    HANDLER.get_or_init(|| PublishHandler(handler));
    let event = P::EVENT.to_string_lossy();
    log::verbose(2, format_args!("Phones may publish their {event} now"));
    Ok(())
}

/// Behind the module that authenticates requests, and before that of `res_pjsip_pubsub`
/// (`PJSIP_MOD_PRIORITY_APPLICATION` is 64; they are at 62 and 64).
const PRIORITY: c_int = 63;

/// The name of an endpoint.
///
/// # Safety
/// A live object of sorcery.
unsafe fn name_of(endpoint: *const c_void) -> String {
    // SAFETY: CALLER: a live object of sorcery.
    let name = unsafe { ffi::ast_sorcery_object_get_id(endpoint) };
    // SAFETY: HOST-STRINGS: it lives as long as the object.
    String::from_utf8_lossy(unsafe { text::bytes(name) }).into_owned()
}

/// # Safety
/// The arguments are those of a handler's `new_publication`.
unsafe extern "C" fn new_publication<P: Publishing>(
    endpoint: *mut ffi::ast_sip_endpoint,
    resource: *const c_char,
    configuration: *const c_char,
) -> c_int {
    const OK: c_int = 200;
    const SERVER_ERROR: c_int = 500;
    const NOT_FOUND: c_int = 404;
    guard(
        || SERVER_ERROR,
        || {
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a live endpoint.
            let endpoint = unsafe { name_of(endpoint.cast_const().cast()) };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: C strings until this returns.
            let texts = [resource, configuration].map(|text| unsafe { text::utf8(text) });
            let [Some(resource), Some(configuration)] = texts else {
                return NOT_FOUND;
            };
            match P::begins(&endpoint, resource, configuration) {
                Ok(()) => OK,
                Err(SipStatus(status)) => c_int::from(status),
            }
        },
    )
}

/// # Safety
/// The arguments are those of a handler's `publication_state_change`.
unsafe extern "C" fn state_changed<P: Publishing>(
    publication: *mut ffi::ast_sip_publication,
    body: *mut ffi::pjsip_msg_body,
    state: ffi::ast_sip_publish_state,
) -> c_int {
    const STAYS: c_int = 0;
    const ENDS: c_int = -1;
    let ends = || {
        // It ends without another call.
        // SAFETY: CALLER: as for the thunk.
        unsafe { expired::<P>(publication) };
        ENDS
    };
    let stays = guard(
        || false,
        || {
            let has_body = !body.is_null();
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: NULL, or the body of the request that is being
            // handled, until this returns.
            let body = unsafe { RequestBody::new(body) };
            let call = |publication: LivePublication<'_>| match (state, body) {
                (ffi::AST_SIP_PUBLISH_STATE_TERMINATED, _) => {
                    P::ended(publication);
                    true
                }
                (_, Some(body)) => P::changed(publication, body),
                (_, None) => !has_body && P::refreshed(publication),
            };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a live publication.
            unsafe { with(publication, call) }
        },
    );
    if stays { STAYS } else { ends() }
}

/// # Safety
/// The argument is that of a handler's `publish_expire`.
unsafe extern "C" fn expired<P: Publishing>(publication: *mut ffi::ast_sip_publication) {
    guard(
        || (),
        || {
            let ended = |publication: LivePublication<'_>| {
                P::ended(publication);
                true
            };
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a live publication.
            let _ = unsafe { with(publication, ended) };
        },
    );
}

/// Calls with a publication; `false` where it cannot be read.
///
/// # Safety
/// A live publication.
unsafe fn with(
    publication: *mut ffi::ast_sip_publication,
    call: impl FnOnce(LivePublication<'_>) -> bool,
) -> bool {
    let Some(functions) = FUNCTIONS.get() else {
        return false;
    };
    // SAFETY: CALLER, PJSIP-STAYS: the endpoint lives as long as the publication.
    let endpoint = unsafe { (functions.endpoint_of)(publication) };
    if endpoint.is_null() {
        return false;
    }
    // SAFETY: CALLER: a live object of sorcery.
    let endpoint = unsafe { name_of(endpoint) };
    // SAFETY: CALLER, PJSIP-STAYS: a C string that lives as long as the publication.
    let resource = unsafe { (functions.resource_of)(publication) };
    // SAFETY: HOST-STRINGS: as above.
    let resource = String::from_utf8_lossy(unsafe { text::bytes(resource) });
    call(LivePublication {
        number: publication as usize,
        endpoint: &endpoint,
        resource: &resource,
    })
}
