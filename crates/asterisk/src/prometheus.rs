//! Metrics, for Asterisk's `res_prometheus` where that is loaded.
//!
//! It may come and go while we stay, and the reverse. Its functions are looked up when
//! they are needed, so that the module loads without it; and only while the core's list
//! of modules is locked, so that it cannot go meanwhile. It says itself when it goes:
//! that is what it has providers for. A provider cannot be taken back, so ours stays
//! there after an unload of ours; it stays mapped too.
//!
//! `.optional_modules` is not used: it would have us loaded after it, which is after
//! the hints were made.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::mem::transmute;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::guard::guard;
use super::text::printable;
use super::{ffi, system};

/// That metrics are offered; dropping it takes them back.
#[derive(Debug)]
#[must_use = "dropping it takes the metrics back"]
pub struct Registration(());

/// Whether we are there.
static WANTED: AtomicBool = AtomicBool::new(false);
/// What writes the text of a scrape.
static WRITE: parking_lot::Mutex<Option<fn() -> String>> = parking_lot::Mutex::new(None);
/// Whether it has our callback. Changed under the lock of the core's list of modules.
static ATTACHED: AtomicBool = AtomicBool::new(false);
/// Whether it has our provider; as above.
static PROVIDED: AtomicBool = AtomicBool::new(false);

impl Registration {
    /// Offers what `write` writes: now where `res_prometheus` is
    /// there, and once Asterisk has loaded all its modules.
    pub fn new(write: fn() -> String) -> Self {
        *WRITE.lock() = Some(write);
        WANTED.store(true, Ordering::Release);
        attach();
        if !system::fully_booted() {
            let thread = thread::Builder::new().name("userpresence-pm".into());
            // Without it a reload attaches.
            let _ = thread.spawn(|| {
                while WANTED.load(Ordering::Acquire) && !system::fully_booted() {
                    thread::sleep(Duration::from_millis(50));
                }
                attach();
            });
        }
        Registration(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        WANTED.store(false, Ordering::Release);
        each_module(c"end");
    }
}

/// Looks whether `res_prometheus` is there now.
pub fn attach() {
    each_module(c"attach");
}

/// Has [`visit`] called for each module while none can come or go.
fn each_module(task: &CStr) {
    // SAFETY: the core calls back before this returns, and hands the C string on.
    unsafe { ffi::ast_update_module_list(Some(visit), task.as_ptr()) };
}

unsafe extern "C" fn visit(
    module: *const c_char,
    _description: *const c_char,
    _uses: c_int,
    status: *const c_char,
    task: *const c_char,
    _support: c_uint,
) -> c_int {
    guard(0, || {
        // SAFETY: three C strings, as `each_module` and the core pass them.
        let [module, status, task] = [module, status, task].map(|it| unsafe { CStr::from_ptr(it) });
        if module == c"res_prometheus.so" && status == c"Running" {
            if task == c"end" {
                // SAFETY: it runs, and the list of modules is locked.
                unsafe { take_back() };
            } else {
                // SAFETY: as above.
                unsafe { offer() };
            }
        }
        0
    })
}

type Provide = unsafe extern "C" fn(*const ffi::prometheus_metrics_provider);
type Register = unsafe extern "C" fn(*mut ffi::prometheus_callback) -> c_int;
type Unregister = unsafe extern "C" fn(*mut ffi::prometheus_callback);

/// A function that a module shares.
fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: looks for a C string among what is loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// # Safety
/// `res_prometheus` runs and cannot go.
unsafe fn offer() {
    if !WANTED.load(Ordering::Acquire) || ATTACHED.load(Ordering::Acquire) {
        return;
    }
    let names = [
        c"prometheus_metrics_provider_register",
        c"prometheus_callback_register",
    ];
    let [Some(provide), Some(register)] = names.map(find) else {
        return;
    };
    // SAFETY: functions of these types, by Asterisk's own header.
    let (provide, register) = unsafe {
        (
            transmute::<*mut c_void, Provide>(provide),
            transmute::<*mut c_void, Register>(register),
        )
    };
    if !PROVIDED.swap(true, Ordering::AcqRel) {
        // SAFETY: it is kept, lives as long as the process, and is never written to.
        unsafe { provide(&raw const PROVIDER.0) };
    }
    // SAFETY: as above; it takes a pointer that it only reads from.
    let taken = unsafe { register((&raw const CALLBACK.0).cast_mut()) };
    ATTACHED.store(taken == 0, Ordering::Release);
}

/// # Safety
/// `res_prometheus` runs and cannot go.
unsafe fn take_back() {
    if !ATTACHED.swap(false, Ordering::AcqRel) {
        return;
    }
    if let Some(unregister) = find(c"prometheus_callback_unregister") {
        // SAFETY: a function of that type; it waits for a scrape that is under way.
        unsafe {
            transmute::<*mut c_void, Unregister>(unregister)((&raw const CALLBACK.0).cast_mut());
        }
    }
}

struct Shared<T>(T);

// SAFETY: it is never written to.
unsafe impl<T> Sync for Shared<T> {}

static CALLBACK: Shared<ffi::prometheus_callback> = Shared(ffi::prometheus_callback {
    name: c"res_userpresence".as_ptr(),
    callback_fn: Some(scrape),
});

static PROVIDER: Shared<ffi::prometheus_metrics_provider> =
    Shared(ffi::prometheus_metrics_provider {
        name: c"res_userpresence".as_ptr(),
        reload_cb: None,
        unload_cb: Some(gone),
    });

unsafe extern "C" fn scrape(output: *mut *mut ffi::ast_str) {
    guard((), || {
        let write = *WRITE.lock();
        let text = write.map_or_else(String::new, |write| write());
        // SAFETY: the buffer that it gathers the answer in, and a C string.
        unsafe { ffi::res_userpresence_str_append(output, printable(&text).as_ptr()) };
    });
}

/// It goes, with all that it was given.
unsafe extern "C" fn gone() {
    ATTACHED.store(false, Ordering::Release);
    PROVIDED.store(false, Ordering::Release);
}
