//! What is held for as long as a manager session lasts.
//!
//! Asterisk tells nobody that a session has ended, but lets it carry things, and
//! destroys them with it.

use std::ffi::{c_int, c_void};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::ffi;
use super::guard::guard;
use super::text::Terminated;

/// The session of the action that is being handled.
#[derive(Clone, Copy)]
pub(super) struct Session(NonNull<ffi::mansession>);

/// What a session carries: its end drops it.
struct Held {
    key: String,
    ended: fn(&str),
    /// The [`RUN`] in which it was held.
    run: u64,
}

/// Counts how often the module was unloaded: sessions go on without it, and what they
/// still carry from before says nothing any more.
static RUN: AtomicU64 = AtomicU64::new(0);

/// Requests of one HTTP session may be handled side by side, and Asterisk does not lock
/// what a session carries.
static LOCK: Mutex<()> = Mutex::new(());

/// Tells what we have given to a session from what others have.
struct Info(ffi::ast_datastore_info);

// SAFETY: it is never changed, and its pointers are to what lives as long as the process.
unsafe impl Sync for Info {}

static INFO: Info = Info(ffi::ast_datastore_info {
    type_: c"userpresence".as_ptr(),
    duplicate: None,
    destroy: Some(destroy),
    chan_fixup: None,
    chan_breakdown: None,
});

impl Session {
    /// # Safety
    /// The session of an action that is handled in this thread, until after the last use
    /// of what is returned.
    pub unsafe fn new(raw: *mut ffi::mansession) -> Option<Self> {
        let raw = NonNull::new(raw)?;
        // A session that `ast_hook_send_action` makes up carries nothing, and to give it
        // something would be to write through NULL. No function tells, but it begins with
        // the pointer to what carries. Should that come to be another pointer, then one
        // that is never NULL leaves us with what there was without this look.
        // SAFETY: more than a pointer long, aligned for one, and live.
        let carrier = unsafe { raw.cast::<*const c_void>().read() };
        (!carrier.is_null()).then_some(Session(raw))
    }

    /// See [`super::manager::Request::hold`].
    pub fn hold(self, key: &str, ended: fn(&str)) -> bool {
        let run = RUN.load(Ordering::Acquire);
        let Ok(uid) = Terminated::new(key) else {
            return false;
        };
        if key.is_empty() {
            return false;
        }
        let _guard = LOCK.lock();
        if let Some(store) = self.find(&uid) {
            // SAFETY: found, see there.
            if unsafe { (*held_of(store)).run } == run {
                return false;
            }
            // SAFETY: found, removed and freed once; from an earlier run, so that its
            // destruction calls nobody.
            unsafe {
                ffi::astman_datastore_remove(self.0.as_ptr(), store);
                ffi::ast_datastore_free(store);
            }
        }
        // SAFETY: a static description and a C string that is copied. No module: it would
        // not be unloaded as long as the session lasts, and its code stays anyway.
        let store = unsafe {
            ffi::__ast_datastore_alloc(
                &raw const INFO.0,
                uid.as_ptr(),
                ptr::null_mut(),
                c"userpresence/asterisk/session.rs".as_ptr(),
                line!() as c_int,
                c"hold".as_ptr(),
            )
        };
        if store.is_null() {
            return false;
        }
        let held = Box::new(Held {
            key: key.to_owned(),
            ended,
            run,
        });
        // SAFETY: ours until it is added to the session, which is live; `destroy` frees
        // what it holds.
        unsafe {
            (*store).data = Box::into_raw(held).cast();
            ffi::astman_datastore_add(self.0.as_ptr(), store);
        }
        true
    }

    /// See [`super::manager::Request::release`].
    pub fn release(self, key: &str) -> bool {
        let Ok(uid) = Terminated::new(key) else {
            return false;
        };
        let _guard = LOCK.lock();
        let Some(store) = self.find(&uid) else {
            return false;
        };
        // SAFETY: found, removed and freed once; without its data nobody is called, and
        // that is freed here instead.
        let held = unsafe {
            ffi::astman_datastore_remove(self.0.as_ptr(), store);
            let held = Box::from_raw(held_of(store));
            (*store).data = ptr::null_mut();
            ffi::ast_datastore_free(store);
            held
        };
        held.run == RUN.load(Ordering::Acquire)
    }

    /// What the session carries for that key; it points to a [`Held`]. Under [`LOCK`].
    fn find(self, uid: &Terminated) -> Option<*mut ffi::ast_datastore> {
        // SAFETY: a live session that carries, a static description, and a C string. What
        // has this description was added by `hold`, whole.
        let store =
            unsafe { ffi::astman_datastore_find(self.0.as_ptr(), &raw const INFO.0, uid.as_ptr()) };
        (!store.is_null()).then_some(store)
    }
}

/// # Safety
/// From [`Session::find`], and still carried.
unsafe fn held_of(store: *mut ffi::ast_datastore) -> *mut Held {
    // SAFETY: the caller vouches for it.
    unsafe { (*store).data.cast() }
}

/// Lets everything go that any session holds, without telling anybody.
pub(super) fn forget_all() {
    RUN.fetch_add(1, Ordering::AcqRel);
}

unsafe extern "C" fn destroy(held: *mut c_void) {
    guard((), || {
        // SAFETY: from `hold`, and destroyed once.
        let held = unsafe { Box::from_raw(held.cast::<Held>()) };
        if held.run == RUN.load(Ordering::Acquire) {
            (held.ended)(&held.key);
        }
    });
}
