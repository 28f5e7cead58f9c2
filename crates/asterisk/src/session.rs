//! Keys that a manager session holds until it ends: `asterisk/manager.h`,
//! `asterisk/datastore.h`.
//!
//! Asterisk reports to nobody that a session has ended, but a session can carry datastores,
//! which Asterisk destroys with it.

use std::ffi::{c_int, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard};

use super::guard::guard;
use super::slack::WithSlack;
use super::text::{CText, source_file};
use super::{entry, ffi};

/// The session of an action.
///
/// # Invariants
/// The session carries datastores, and this thread handles its action for `'a` (AMI-SESSION).
pub(super) struct AmiSession<'a> {
    raw: NonNull<ffi::mansession>,
    action: PhantomData<&'a ffi::mansession>,
}

/// The data of a datastore; the end of its session drops it.
struct HeldKey {
    key: String,
    ended: fn(&str),
    /// The value of [`RUN`] when the key was held.
    run: u64,
}

/// The number of unloads. Sessions outlive them, with keys of an earlier run, which count for
/// nothing.
static RUN: AtomicU64 = AtomicU64::new(0);

/// Requests of one HTTP session may be handled at the same time, and Asterisk does not lock the
/// list of the session's datastores.
static DATASTORES: Mutex<()> = Mutex::new(());

/// The type of the datastores, compared by its address.
struct DatastoreType(WithSlack<ffi::ast_datastore_info>);

// SAFETY: MODULE-MAPPED: it is never changed, and points to statics and code.
unsafe impl Send for DatastoreType {}
// SAFETY: MODULE-MAPPED: as above.
unsafe impl Sync for DatastoreType {}

fn datastore_type() -> *const ffi::ast_datastore_info {
    static TYPE: OnceLock<DatastoreType> = OnceLock::new();
    let made = TYPE.get_or_init(|| {
        DatastoreType(WithSlack::new(ffi::ast_datastore_info {
            type_: entry::log_name().as_ptr(),
            duplicate: None,
            destroy: Some(destroy),
            chan_fixup: None,
            chan_breakdown: None,
        }))
    });
    made.0.as_ptr()
}

impl AmiSession<'_> {
    /// `None` if the session carries no datastores.
    ///
    /// # Safety
    /// `raw` is the session of an action that this thread handles until after the last use of
    /// the result.
    pub unsafe fn new(raw: *mut ffi::mansession) -> Option<Self> {
        let raw = NonNull::new(raw)?;
        // A session that `ast_hook_send_action` makes up carries nothing: adding a datastore
        // would write through NULL. No function tells, but the session begins with the pointer
        // to what carries them. If a later Asterisk has another pointer there that is never
        // NULL, the check is without effect.
        // SAFETY: CALLER, AMI-SESSION: it is live, and begins with a pointer.
        let carrier = unsafe { raw.cast::<*const c_void>().read() };
        (!carrier.is_null()).then_some(AmiSession {
            raw,
            action: PhantomData,
        })
    }

    /// Holds a key, see [`super::manager::AmiRequest::hold`].
    pub fn hold(&self, key: &str, ended: fn(&str)) -> bool {
        let run = RUN.load(Ordering::Acquire);
        let Ok(uid) = CText::new(key) else {
            return false;
        };
        if key.is_empty() {
            return false;
        }
        let locked = DATASTORES.lock();
        if let Some(found) = self.find(&uid, &locked) {
            if found.held().run == run {
                return false;
            }
            drop(found.remove());
        }
        // No module: the session would keep it loaded. Its code stays mapped anyway.
        // SAFETY: MODULE-MAPPED, HOST-COPIES: a static type, and a C string that is copied.
        let store = unsafe {
            ffi::__ast_datastore_alloc(
                datastore_type(),
                uid.as_ptr(),
                ptr::null_mut(),
                source_file!(),
                line!() as c_int,
                c"hold".as_ptr(),
            )
        };
        if store.is_null() {
            return false;
        }
        let held = Box::new(HeldKey {
            key: key.to_owned(),
            ended,
            run,
        });
        // SAFETY: HOST-ALLOCATOR: a new datastore; `destroy` frees its data.
        unsafe { (*store).data = Box::into_raw(held).cast() };
        // SAFETY: INVARIANT, AMI-SESSION: a live session, which takes over the datastore.
        unsafe { ffi::astman_datastore_add(self.raw.as_ptr(), store) };
        true
    }

    /// Releases a key, see [`super::manager::AmiRequest::release`].
    pub fn release(&self, key: &str) -> bool {
        let Ok(uid) = CText::new(key) else {
            return false;
        };
        let locked = DATASTORES.lock();
        let Some(found) = self.find(&uid, &locked) else {
            return false;
        };
        found.remove().run == RUN.load(Ordering::Acquire)
    }

    /// The datastore of that key.
    fn find<'l>(&'l self, uid: &CText, _locked: &'l MutexGuard<'_, ()>) -> Option<FoundKey<'l>> {
        // SAFETY: INVARIANT, AMI-SESSION, HOST-COPIES: a live session, a static type, and a C
        // string.
        let store = unsafe {
            ffi::astman_datastore_find(self.raw.as_ptr(), datastore_type(), uid.as_ptr())
        };
        Some(FoundKey {
            session: self,
            store: NonNull::new(store)?,
        })
    }
}

/// A datastore that `hold` has added.
///
/// # Invariants
/// The session carries it, with a [`HeldKey`] as its data, until `remove`: the lock, which the
/// lifetime borrows, keeps other requests from removing it.
struct FoundKey<'l> {
    session: &'l AmiSession<'l>,
    store: NonNull<ffi::ast_datastore>,
}

impl FoundKey<'_> {
    fn data(&self) -> *mut HeldKey {
        // SAFETY: INVARIANT: a live datastore.
        unsafe { (*self.store.as_ptr()).data }.cast()
    }

    fn held(&self) -> &HeldKey {
        // SAFETY: INVARIANT: the datastore's data.
        unsafe { &*self.data() }
    }

    /// Removes the datastore without a call of `ended`.
    fn remove(self) -> Box<HeldKey> {
        let store = self.store.as_ptr();
        // SAFETY: INVARIANT, AMI-SESSION: carried until now, removed once.
        unsafe { ffi::astman_datastore_remove(self.session.raw.as_ptr(), store) };
        // SAFETY: INVARIANT: from `hold`, and taken back once.
        let held = unsafe { Box::from_raw(self.data()) };
        // `destroy` is not called for a datastore without data.
        // SAFETY: INVARIANT: a datastore that nobody else has any more.
        unsafe { (*store).data = ptr::null_mut() };
        // SAFETY: INVARIANT: as above; freed once.
        unsafe { ffi::ast_datastore_free(store) };
        held
    }
}

/// Forgets the keys of all sessions: `ended` is never called for them.
pub(super) fn forget_all() {
    RUN.fetch_add(1, Ordering::AcqRel);
}

/// # Safety
/// `held` is the data of a datastore that `hold` has added, destroyed once.
unsafe extern "C" fn destroy(held: *mut c_void) {
    guard(
        || (),
        || {
            // SAFETY: CALLER: from `hold`.
            let held = unsafe { Box::from_raw(held.cast::<HeldKey>()) };
            if held.run == RUN.load(Ordering::Acquire) {
                (held.ended)(&held.key);
            }
        },
    );
}
