//! A resource of Asterisk's REST interface: `asterisk/ari.h`; and, with it, an event source
//! of its applications, see [`crate::stasis_app`].
//!
//! `res_ari` needs `res_stasis`, and applications subscribe through `res_ari` only. So one peer
//! attaches to both.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::mem::{offset_of, transmute};
use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::guard::guard;
use super::json::{self, Json};
use super::peer::{Peer, RunningPeer};
use super::stasis_app::{self, AppEventSource};
use super::{Error, ffi, log, slack, text};

/// A resource with a child for each thing in it: `/ari/<root>` and `/ari/<root>/{name}`.
/// `res_ari` has authenticated the request, and lets read-only users read only.
pub trait Resource: 'static {
    /// The first part of the path below `/ari`.
    const ROOT: &'static CStr;
    /// What the second part names, in a word.
    const CHILD: &'static CStr;

    /// `GET /ari/<root>`
    fn list(request: &AriRequest<'_>) -> AriReply;

    /// `GET /ari/<root>/{name}`
    fn get(request: &AriRequest<'_>, name: &str) -> AriReply;

    /// `PUT /ari/<root>/{name}`
    fn put(request: &AriRequest<'_>, name: &str) -> AriReply;
}

/// A request.
#[derive(Debug)]
pub struct AriRequest<'a> {
    query: Vec<(&'a [u8], &'a [u8])>,
    body: Option<String>,
}

impl<'a> AriRequest<'a> {
    /// The names and values of the query and of a form in the body, decoded; `None` for a
    /// pair that is not UTF-8.
    pub fn query(&self) -> impl Iterator<Item = Option<(&'a str, &'a str)>> {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).ok();
        let pairs = self.query.iter();
        pairs.map(move |(name, value)| Some((text(name)?, text(value)?)))
    }

    /// The body's JSON, as text; `None` without it.
    pub fn body(&self) -> Option<&str> {
        self.body.as_deref()
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AriReply {
    /// 200 with a JSON object or array.
    Ok(String),
    /// 204.
    NoContent,
    /// 400 with the reason, a sentence.
    BadRequest(String),
    /// 404 with the reason, a sentence.
    NotFound(String),
    /// 503 with the reason, a sentence.
    Unavailable(String),
    /// 500 with the reason, a sentence.
    Internal(String),
}

impl AriReply {
    /// The status code and its text.
    fn status(&self) -> (c_int, &'static CStr) {
        match self {
            AriReply::Ok(_) => (200, c"OK"),
            AriReply::NoContent => (204, c"No Content"),
            AriReply::BadRequest(_) => (400, c"Bad Request"),
            AriReply::NotFound(_) => (404, c"Not Found"),
            AriReply::Unavailable(_) => (503, c"Service Unavailable"),
            AriReply::Internal(_) => (500, c"Internal Server Error"),
        }
    }

    /// Fills in the response.
    ///
    /// # Safety
    /// `response` is that of a callback, which has not filled it in.
    unsafe fn fill(self, response: *mut ffi::ast_ari_response) {
        let message = match &self {
            AriReply::Ok(json) => Json::parse(json),
            AriReply::NoContent => Ok(Json::null()),
            AriReply::BadRequest(why)
            | AriReply::NotFound(why)
            | AriReply::Unavailable(why)
            | AriReply::Internal(why) => error_message(why),
        };
        let (code, text) = match &message {
            Ok(_) => self.status(),
            Err(_) => AriReply::Internal(String::new()).status(),
        };
        // SAFETY: CALLER, CALLBACK-ARGUMENTS: the response is this callback's alone.
        let response = unsafe { &mut *response };
        response.message = message.unwrap_or_else(|_| Json::null()).into_raw();
        response.response_code = code;
        response.response_text = text.as_ptr();
    }
}

/// What `res_ari` answers with an error: an object with a message.
fn error_message(why: &str) -> Result<Json, Error> {
    let object = Json::parse("{}")?;
    // SAFETY: INVARIANT: an object that nobody else knows.
    unsafe { json::set(object.as_ptr(), c"message", Json::string(why)?) }?;
    Ok(object)
}

/// The requests in progress: `res_ari` counts none, and removing a resource waits for none.
struct AriRequests {
    open: bool,
    requests: usize,
}

static REQUESTS: Mutex<AriRequests> = Mutex::new(AriRequests {
    open: false,
    requests: 0,
});
static LEFT: Condvar = Condvar::new();

/// How long a detach waits for the requests in progress.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request in progress; it is counted until the drop.
struct AriVisit(());

impl AriVisit {
    /// `None` while no requests are accepted.
    fn begin() -> Option<Self> {
        let mut inside = REQUESTS.lock();
        inside.open.then(|| {
            inside.requests += 1;
            AriVisit(())
        })
    }
}

impl Drop for AriVisit {
    fn drop(&mut self) {
        REQUESTS.lock().requests -= 1;
        LEFT.notify_all();
    }
}

/// A handler with one child. The array of children has no length in C.
#[repr(C)]
struct Root {
    handler: ffi::stasis_rest_handlers,
    children: [*mut ffi::stasis_rest_handlers; 1],
}

const _: () = assert!(
    offset_of!(Root, children) == offset_of!(ffi::stasis_rest_handlers, children),
    "the child follows the handler where C looks for it"
);

/// The handlers of a resource.
///
/// # Invariants
/// The pointer is to a structure that is never freed (LINKED-FOREVER), and whose child is not
/// either. Only `res_ari` uses them.
#[derive(Clone, Copy, Debug)]
struct Handlers(*mut ffi::stasis_rest_handlers);

// SAFETY: INVARIANT: it is not changed after it was made.
unsafe impl Send for Handlers {}
// SAFETY: INVARIANT: as above.
unsafe impl Sync for Handlers {}

static HANDLERS: OnceLock<Handlers> = OnceLock::new();

fn handlers<R: Resource>() -> Handlers {
    *HANDLERS.get_or_init(|| {
        // SAFETY: ZERO-VALUE: NULLs and zeros.
        let child = unsafe {
            slack::leak(|child: &mut ffi::stasis_rest_handlers| {
                child.path_segment = R::CHILD.as_ptr();
                child.is_wildcard = 1;
                child.callbacks[ffi::AST_HTTP_GET as usize] = Some(get::<R>);
                child.callbacks[ffi::AST_HTTP_PUT as usize] = Some(put::<R>);
            })
        };
        // SAFETY: ZERO-VALUE: NULLs and zeros.
        let root = unsafe {
            slack::leak(|root: &mut Root| {
                root.handler.path_segment = R::ROOT.as_ptr();
                root.handler.callbacks[ffi::AST_HTTP_GET as usize] = Some(list::<R>);
                root.handler.num_children = 1;
                root.children = [child];
            })
        };
        Handlers(root.cast())
    })
}

type HandlerFunction = unsafe extern "C" fn(*mut ffi::stasis_rest_handlers) -> c_int;
type OomJson = unsafe extern "C" fn() -> *mut ffi::ast_json;

fn handler_function(peer: &RunningPeer, name: &'static CStr) -> Result<HandlerFunction, Error> {
    let found = peer.find(name)?;
    // SAFETY: ARI-FUNCTIONS: the functions of these names have this type.
    Ok(unsafe { transmute::<*mut c_void, HandlerFunction>(found) })
}

/// The JSON value that `res_ari` makes once at each of its loads. A reference to it tells one
/// load from another, because no other value has the address meanwhile.
fn load_token(peer: &RunningPeer) -> Result<*mut ffi::ast_json, Error> {
    let found = peer.find(c"ast_ari_oom_json")?;
    // SAFETY: ARI-FUNCTIONS: the function of that name has this type.
    let token = unsafe { transmute::<*mut c_void, OomJson>(found) };
    // SAFETY: PEER-STAYS: it returns a value that lives as long as `res_ari`.
    Ok(unsafe { token() })
}

/// A reference to the token of the load that is attached.
///
/// # Invariants
/// Its reference is counted by an integer of the core's, atomically.
struct LoadToken(Json);

// SAFETY: INVARIANT, HOST-JSON: references may be given back by any thread.
unsafe impl Send for LoadToken {}

/// The load of `res_ari` that has the handlers; `None` for none.
static ATTACHED: Mutex<Option<LoadToken>> = Mutex::new(None);

/// A [`Resource`] and an [`AppEventSource`], with `res_ari` and `res_stasis`.
#[derive(Debug)]
pub struct AriPeer<R, E>(PhantomData<(R, E)>);

impl<R: Resource, E: AppEventSource> Peer for AriPeer<R, E> {
    const FILE: &'static CStr = c"res_ari.so";
    const WHAT: &'static str = "presence in ARI";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        let add = handler_function(peer, c"ast_ari_add_handler")?;
        let remove = handler_function(peer, c"ast_ari_remove_handler")?;
        // SAFETY: PEER-STAYS: the value lives as long as `res_ari`.
        let token = unsafe { Json::share(load_token(peer)?) };
        stasis_app::attach::<E>(peer)?;
        let handlers = handlers::<R>().0;
        // A handler that is not there is no error.
        // SAFETY: PEER-STAYS, ARI-FUNCTIONS: it compares the pointer.
        unsafe { remove(handlers) };
        REQUESTS.lock().open = true;
        // SAFETY: PEER-STAYS, LINKED-FOREVER, MODULE-MAPPED: never freed, with constants and
        // thunks.
        if unsafe { add(handlers) } != 0 {
            REQUESTS.lock().open = false;
            return Err(Error::new("res_ari refuses the resource"));
        }
        *ATTACHED.lock() = token.map(LoadToken);
        Ok(())
    }

    /// Whether it is the load of `res_ari` that was attached to.
    fn holds(peer: &RunningPeer) -> bool {
        let now = load_token(peer).unwrap_or(ptr::null_mut());
        let attached = ATTACHED.lock();
        attached
            .as_ref()
            .is_some_and(|token| token.0.as_ptr() == now)
    }

    /// Waits for the requests in progress, some seconds at most. The event source stays, so
    /// that applications which leave are noticed.
    fn detach(peer: &RunningPeer) {
        let token = ATTACHED.lock().take();
        drop(token);
        if let Ok(remove) = handler_function(peer, c"ast_ari_remove_handler") {
            // SAFETY: PEER-STAYS, ARI-FUNCTIONS: it compares the pointer.
            unsafe { remove(handlers::<R>().0) };
        }
        stasis_app::detach();
        let end = Instant::now() + PATIENCE;
        let mut inside = REQUESTS.lock();
        inside.open = false;
        while inside.requests > 0 {
            if LEFT.wait_until(&mut inside, end).timed_out() {
                let left = inside.requests;
                drop(inside);
                log::warning(format_args!(
                    "{left} ARI requests do not end and are left behind"
                ));
                return;
            }
        }
    }

    fn lost() {
        let token = ATTACHED.lock().take();
        drop(token);
        stasis_app::detach();
    }
}

fn closed() -> AriReply {
    AriReply::Unavailable("The module is not running.".into())
}

fn failed() -> AriReply {
    AriReply::Internal("Internal error, see Asterisk's log for what happened.".into())
}

/// # Safety
/// The arguments are those of a callback of `res_ari`, for `'a`.
unsafe fn request<'a>(
    query: *mut ffi::ast_variable,
    body: *mut ffi::ast_json,
) -> Result<AriRequest<'a>, AriReply> {
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a list of variables, or NULL.
    let query = unsafe { text::variables(query) };
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a value, or NULL.
    let body = unsafe { json::to_text(body) };
    let body = body.map_err(|why| AriReply::BadRequest(format!("{why}.")))?;
    Ok(AriRequest { query, body })
}

/// The child's name: the value of the path's only variable.
///
/// # Safety
/// `path` is the list of path variables of a callback, for `'a`.
unsafe fn name<'a>(path: *mut ffi::ast_variable) -> Result<&'a str, AriReply> {
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a list of variables, or NULL.
    let variables = unsafe { text::variables(path) };
    let name = variables.first().map_or(&[][..], |(_, value)| value);
    std::str::from_utf8(name)
        .map_err(|_| AriReply::BadRequest("The path is not valid UTF-8.".into()))
}

/// Answers a request by `body`.
///
/// # Safety
/// `response` is that of a callback, which has not filled it in.
unsafe fn answer(
    response: *mut ffi::ast_ari_response,
    body: impl FnOnce() -> Result<AriReply, AriReply>,
) {
    guard(
        || (),
        || {
            let reply = match AriVisit::begin() {
                None => closed(),
                Some(_visit) => guard(failed, || body().unwrap_or_else(|refusal| refusal)),
            };
            // SAFETY: CALLER: the response of this callback.
            unsafe { reply.fill(response) };
        },
    );
}

/// # Safety
/// The arguments are those of a callback of `res_ari`; the session may be NULL.
unsafe extern "C" fn list<R: Resource>(
    _session: *mut ffi::ast_tcptls_session_instance,
    query: *mut ffi::ast_variable,
    _path: *mut ffi::ast_variable,
    _headers: *mut ffi::ast_variable,
    body: *mut ffi::ast_json,
    response: *mut ffi::ast_ari_response,
) {
    let reply = || {
        // SAFETY: CALLER: the arguments of this callback.
        let request = unsafe { request(query, body) }?;
        Ok(R::list(&request))
    };
    // SAFETY: CALLER: the response of this callback.
    unsafe { answer(response, reply) };
}

/// # Safety
/// As for `list`.
unsafe extern "C" fn get<R: Resource>(
    _session: *mut ffi::ast_tcptls_session_instance,
    query: *mut ffi::ast_variable,
    path: *mut ffi::ast_variable,
    _headers: *mut ffi::ast_variable,
    body: *mut ffi::ast_json,
    response: *mut ffi::ast_ari_response,
) {
    let reply = || {
        // SAFETY: CALLER: the arguments of this callback.
        let request = unsafe { request(query, body) }?;
        // SAFETY: CALLER: as above.
        let name = unsafe { name(path) }?;
        Ok(R::get(&request, name))
    };
    // SAFETY: CALLER: the response of this callback.
    unsafe { answer(response, reply) };
}

/// # Safety
/// As for `list`.
unsafe extern "C" fn put<R: Resource>(
    _session: *mut ffi::ast_tcptls_session_instance,
    query: *mut ffi::ast_variable,
    path: *mut ffi::ast_variable,
    _headers: *mut ffi::ast_variable,
    body: *mut ffi::ast_json,
    response: *mut ffi::ast_ari_response,
) {
    let reply = || {
        // SAFETY: CALLER: the arguments of this callback.
        let request = unsafe { request(query, body) }?;
        // SAFETY: CALLER: as above.
        let name = unsafe { name(path) }?;
        Ok(R::put(&request, name))
    };
    // SAFETY: CALLER: the response of this callback.
    unsafe { answer(response, reply) };
}
