//! An event source of ARI's applications: `asterisk/stasis_app.h`, by `res_stasis`.
//!
//! The event source is registered once in each load of `res_stasis`, and stays there after an
//! unload of the module, whose code stays mapped: so the module also learns of applications
//! that leave while it is not loaded. [`crate::ari::AriPeer`] attaches it.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::mem::transmute;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::SystemTime;

use super::guard::guard;
use super::json::{self, Json};
use super::peer::RunningPeer;
use super::text::{self, CText, source_file};
use super::{Error, ffi, slack};

/// What applications may subscribe to, as `<scheme><id>`. `res_stasis` calls it with a lock of
/// its own, and applications are identified by name.
pub trait AppEventSource: 'static {
    /// The scheme with its colon.
    const SCHEME: &'static CStr;
    /// The member that lists an application's subscriptions, where the application is shown.
    const MEMBER: &'static CStr;

    /// The name by which an id is subscribed; `None` if there is no such thing.
    fn find(id: &str) -> Option<String>;

    /// Subscribes an application; `None` is everything.
    fn subscribe(application: &str, name: Option<&str>);

    /// Ends a subscription.
    fn unsubscribe(application: &str, subscription: Which<'_>);

    /// Whether the application has that subscription.
    fn is_subscribed(application: &str, subscription: Which<'_>) -> bool;

    /// What the application is subscribed to, for people.
    fn names(application: &str) -> Vec<String>;
}

/// Which of an application's subscriptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which<'a> {
    /// Any of them, or all: the application leaves.
    Any,
    /// The one to everything.
    Everything,
    /// The one to this id.
    Id(&'a str),
}

type Register = unsafe extern "C" fn(*mut ffi::stasis_app_event_source);
type Name = unsafe extern "C" fn(*const ffi::stasis_app) -> *const c_char;
type Send = unsafe extern "C" fn(*const c_char, *mut ffi::ast_json) -> c_int;
type GetByName = unsafe extern "C" fn(*const c_char) -> *mut ffi::stasis_app;

/// `stasis_app_name` of the `res_stasis` that has the event source.
static NAME: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// `stasis_app_send`, while attached.
static SEND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
/// `stasis_app_get_by_name`, while attached. `stasis_app_is_registered`, which would do, is in
/// newer releases only.
static GET_BY_NAME: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// What `res_stasis` links into its list.
///
/// # Invariants
/// The pointer is to a structure that is never freed (LINKED-FOREVER). It is changed under the
/// lock of the core's list of modules while it is in no list, and by `res_stasis` otherwise.
#[derive(Clone, Copy, Debug)]
struct SourceLink(*mut ffi::stasis_app_event_source);

// SAFETY: INVARIANT: a lock guards it.
unsafe impl std::marker::Send for SourceLink {}
// SAFETY: INVARIANT: as above.
unsafe impl Sync for SourceLink {}

static LINK: OnceLock<SourceLink> = OnceLock::new();

/// Registers the event source with the running `res_stasis`, which stays as long as `res_ari`.
///
/// # Errors
/// `res_stasis` has none of these functions.
pub(super) fn attach<E: AppEventSource>(peer: &RunningPeer) -> Result<(), Error> {
    let register = peer.find(c"stasis_app_register_event_source")?;
    let unregister = peer.find(c"stasis_app_unregister_event_source")?;
    let name = peer.find(c"stasis_app_name")?;
    let send = peer.find(c"stasis_app_send")?;
    let get_by_name = peer.find(c"stasis_app_get_by_name")?;
    // SAFETY: ARI-FUNCTIONS: the function of that name has this type.
    let register = unsafe { transmute::<*mut c_void, Register>(register) };
    // SAFETY: ARI-FUNCTIONS: so has this one.
    let unregister = unsafe { transmute::<*mut c_void, Register>(unregister) };
    let link = LINK.get_or_init(|| {
        // SAFETY: ZERO-VALUE: NULLs.
        SourceLink(unsafe {
            slack::leak(|source: &mut ffi::stasis_app_event_source| {
                source.scheme = E::SCHEME.as_ptr();
                source.find = Some(find::<E>);
                source.subscribe = Some(subscribe::<E>);
                source.unsubscribe = Some(unsubscribe::<E>);
                source.is_subscribed = Some(is_subscribed::<E>);
                source.to_json = Some(to_json::<E>);
            })
        })
    });
    // It may be registered already, or have been, by a `res_stasis` that was unloaded: that
    // list is gone, and the link into it is forgotten.
    // SAFETY: PEER-STAYS, ARI-FUNCTIONS: it compares the pointer with those in its list.
    unsafe { unregister(link.0) };
    // SAFETY: INVARIANT, MODULE-LIST: it is in no list, and nothing else registers it.
    unsafe { (*link.0).next.next = ptr::null_mut() };
    NAME.store(name, Ordering::Release);
    SEND.store(send, Ordering::Release);
    GET_BY_NAME.store(get_by_name, Ordering::Release);
    // SAFETY: PEER-STAYS, LINKED-FOREVER, MODULE-MAPPED: never freed, with constants and thunks.
    unsafe { register(link.0) };
    Ok(())
}

/// Sends no more events.
pub(super) fn detach() {
    SEND.store(ptr::null_mut(), Ordering::Release);
    GET_BY_NAME.store(ptr::null_mut(), Ordering::Release);
}

/// Sends an event to an application: an object with `type`, `application`, `timestamp` and this
/// member, to which `res_stasis` adds `asterisk_id`. It waits as long as a websocket takes to
/// accept the event, at most for ARI's `websocket_write_timeout`. No lock may be held.
///
/// # Errors
/// There is no such application, or ARI does not run.
pub fn send(
    application: &str,
    kind: &str,
    at: SystemTime,
    member: &CStr,
    value: &str,
) -> Result<(), Error> {
    let name = CText::new(application)?;
    let event = Json::parse(&format!("{{\"{}\":{value}}}", member.to_string_lossy()))?;
    for (name, value) in [
        (c"type", Json::string(kind)?),
        (c"application", Json::string(application)?),
        (c"timestamp", Json::timestamp(at)?),
    ] {
        // SAFETY: HOST-JSON: an object that nobody else knows.
        unsafe { json::set(event.as_ptr(), name, value) }?;
    }
    let get_by_name = GET_BY_NAME.load(Ordering::Acquire);
    let send = SEND.load(Ordering::Acquire);
    if get_by_name.is_null() || send.is_null() {
        return Err(Error::new("ARI does not run"));
    }
    // SAFETY: ARI-FUNCTIONS: the function of that name has this type.
    let get_by_name = unsafe { transmute::<*mut c_void, GetByName>(get_by_name) };
    // SAFETY: ARI-FUNCTIONS: so has this one.
    let send = unsafe { transmute::<*mut c_void, Send>(send) };
    // Sending to none would log a warning.
    // SAFETY: STASIS-STAYS, HOST-COPIES: a C string.
    let app = unsafe { get_by_name(name.as_ptr()) };
    // SAFETY: HOST-OBJECTS: NULL, or a reference that is given back.
    unsafe { ffi::__ao2_cleanup(app.cast()) };
    if app.is_null() {
        return Err(Error::new(format!(
            "there is no application {application:?}"
        )));
    }
    // SAFETY: STASIS-STAYS, HOST-COPIES, HOST-JSON: a C string, and an object that lives through
    // the call and is not used here afterwards.
    match unsafe { send(name.as_ptr(), event.as_ptr()) } {
        0 => Ok(()),
        _ => Err(Error::new("the application is gone")),
    }
}

/// The name of an application; `None` if it is not UTF-8.
///
/// # Safety
/// `app` is the application of a callback of the event source, for `'a`.
unsafe fn application<'a>(app: *const ffi::stasis_app) -> Option<&'a str> {
    let name = NAME.load(Ordering::Acquire);
    if name.is_null() {
        return None;
    }
    // SAFETY: ARI-FUNCTIONS: the function of that name has this type.
    let name = unsafe { transmute::<*mut c_void, Name>(name) };
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: `res_stasis` is calling, so that its functions may be
    // called; a live application.
    let name = unsafe { name(app) };
    // SAFETY: HOST-STRINGS: a C string of the application.
    unsafe { text::utf8(name) }
}

/// # Safety
/// `id` is the id of a callback of the event source, for `'a`: NULL or a C string.
unsafe fn which<'a>(id: *const c_char) -> Option<Which<'a>> {
    if id.is_null() {
        return Some(Which::Any);
    }
    // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string.
    let id = unsafe { text::utf8(id) }?;
    Some(match id {
        "" => Which::Everything,
        id => Which::Id(id),
    })
}

/// Returns an object that holds the name as a C string; NULL without one.
///
/// # Safety
/// Called by `res_stasis` with a live application and a C string.
unsafe extern "C" fn find<E: AppEventSource>(
    _app: *const ffi::stasis_app,
    id: *const c_char,
) -> *mut c_void {
    guard(ptr::null_mut, || {
        // SAFETY: CALLER, CALLBACK-ARGUMENTS: a C string.
        let name = unsafe { text::utf8(id) }.and_then(E::find);
        let Some(name) = name.and_then(|name| CString::new(name).ok()) else {
            return ptr::null_mut();
        };
        let name = name.as_bytes_with_nul();
        // SAFETY: HOST-OBJECTS: it returns NULL, or room with a reference to it.
        let object = unsafe {
            ffi::__ao2_alloc(
                name.len(),
                None,
                0,
                c"".as_ptr(),
                source_file!(),
                line!() as c_int,
                c"find".as_ptr(),
            )
        };
        if !object.is_null() {
            // SAFETY: HOST-OBJECTS: room for these bytes, which nobody else has yet.
            unsafe { ptr::copy_nonoverlapping(name.as_ptr(), object.cast(), name.len()) };
        }
        object
    })
}

/// # Safety
/// Called by `res_stasis` with a live application, and NULL or what `find` has returned.
unsafe extern "C" fn subscribe<E: AppEventSource>(
    app: *mut ffi::stasis_app,
    object: *mut c_void,
) -> c_int {
    guard(
        || -1,
        || {
            // SAFETY: CALLER: a live application.
            let Some(application) = (unsafe { application(app) }) else {
                return -1;
            };
            if object.is_null() {
                E::subscribe(application, None);
                return 0;
            }
            // SAFETY: CALLER: a C string, from `find`.
            let Some(name) = (unsafe { text::utf8(object.cast()) }) else {
                return -1;
            };
            E::subscribe(application, Some(name));
            0
        },
    )
}

/// # Safety
/// Called by `res_stasis` with a live application, and NULL or a C string.
unsafe extern "C" fn unsubscribe<E: AppEventSource>(
    app: *mut ffi::stasis_app,
    id: *const c_char,
) -> c_int {
    guard(
        || -1,
        || {
            // SAFETY: CALLER: a live application.
            let application = unsafe { application(app) };
            // SAFETY: CALLER: NULL or a C string.
            let which = unsafe { which(id) };
            match application.zip(which) {
                Some((application, which)) => {
                    E::unsubscribe(application, which);
                    0
                }
                None => -1,
            }
        },
    )
}

/// # Safety
/// As for `unsubscribe`.
unsafe extern "C" fn is_subscribed<E: AppEventSource>(
    app: *mut ffi::stasis_app,
    id: *const c_char,
) -> c_int {
    guard(
        || 0,
        || {
            // SAFETY: CALLER: a live application.
            let application = unsafe { application(app) };
            // SAFETY: CALLER: NULL or a C string.
            let which = unsafe { which(id) };
            let both = application.zip(which);
            both.is_some_and(|(application, which)| E::is_subscribed(application, which))
                .into()
        },
    )
}

/// # Safety
/// Called by `res_stasis` with a live application, and a JSON object of its own.
unsafe extern "C" fn to_json<E: AppEventSource>(
    app: *const ffi::stasis_app,
    object: *mut ffi::ast_json,
) {
    guard(
        || (),
        || {
            // SAFETY: CALLER: a live application.
            let Some(application) = (unsafe { application(app) }) else {
                return;
            };
            let Ok(array) = Json::parse("[]") else {
                return;
            };
            for name in E::names(application) {
                if let Ok(name) = Json::string(&name) {
                    // SAFETY: HOST-JSON: a live array, and a reference that is given away.
                    unsafe { ffi::ast_json_array_append(array.as_ptr(), name.into_raw()) };
                }
            }
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: a live object, of this thread. Without
            // memory the list is absent.
            let _ = unsafe { json::set(object, E::MEMBER, array) };
        },
    );
}
