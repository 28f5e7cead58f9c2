//! Metrics for Asterisk's `res_prometheus`: `asterisk/res_prometheus.h`.
//!
//! `res_prometheus` may be loaded and unloaded while the module stays, and the reverse. Its
//! functions are looked up when they are needed, so that the module loads without it; and only
//! while the core's list of modules is locked, so that it cannot be unloaded meanwhile. A
//! metrics provider hears that it is unloaded. A provider cannot be unregistered: it stays
//! there after an unload of the module, whose code stays mapped.
//!
//! `.optional_modules` is not used: the loader would load the module after `res_prometheus`,
//! which is after the hints are made.

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::guard::guard;
use super::text::printable;
use super::{Error, entry, ffi, system};

/// Metrics of the module. One type may be registered at a time.
pub trait Metrics: 'static {
    /// The name by which `res_prometheus` knows them: that of the module's file, without its
    /// ending.
    const NAME: &'static CStr;

    /// The metrics in Prometheus' text format. `res_prometheus` holds its lock meanwhile.
    fn text() -> String;
}

/// What `res_prometheus` is given: it compares callbacks by name, and keeps the pointers.
struct Tables<M>(PhantomData<M>);

impl<M: Metrics> Tables<M> {
    const CALLBACK: &'static ffi::prometheus_callback = &ffi::prometheus_callback {
        name: M::NAME.as_ptr(),
        callback_fn: Some(scrape::<M>),
    };
    const PROVIDER: &'static ffi::prometheus_metrics_provider = &ffi::prometheus_metrics_provider {
        name: M::NAME.as_ptr(),
        reload_cb: None,
        unload_cb: Some(unloaded),
    };
}

/// Registered [`Metrics`]: with `res_prometheus` whenever it is loaded. Dropping it
/// unregisters, and waits for a scrape in progress.
///
/// # Invariants
/// `WANTED` is true from `new` until the drop, for this value alone.
#[derive(Debug)]
#[must_use = "dropping it unregisters"]
pub struct MetricsRegistration {
    visit: Visit,
}

/// Whether there is a registration.
static WANTED: AtomicBool = AtomicBool::new(false);
/// Whether `res_prometheus` has the callback. It changes under the lock of the core's list of
/// modules only.
static ATTACHED: AtomicBool = AtomicBool::new(false);
/// Whether `res_prometheus` has the provider; as above.
static PROVIDED: AtomicBool = AtomicBool::new(false);

impl MetricsRegistration {
    /// Registers `M`: now, if `res_prometheus` is loaded, and once Asterisk has loaded all its
    /// modules.
    ///
    /// # Errors
    /// Metrics are registered already.
    pub fn new<M: Metrics>() -> Result<Self, Error> {
        if WANTED.swap(true, Ordering::AcqRel) {
            return Err(Error::new("Metrics are registered already"));
        }
        attach::<M>();
        if !system::fully_booted() {
            let thread = thread::Builder::new().name(entry::thread_name("pm"));
            // Without the thread, the next reload attaches.
            let _ = thread.spawn(|| {
                while WANTED.load(Ordering::Acquire) && !system::fully_booted() {
                    thread::sleep(Duration::from_millis(50));
                }
                attach::<M>();
            });
        }
        Ok(MetricsRegistration { visit: visit::<M> })
    }
}

impl Drop for MetricsRegistration {
    fn drop(&mut self) {
        WANTED.store(false, Ordering::Release);
        each_module(self.visit, DETACH);
    }
}

/// Registers `M` with `res_prometheus`, if that is loaded and not done yet, and if there is a
/// [`MetricsRegistration`].
pub fn attach<M: Metrics>() {
    each_module(visit::<M>, ATTACH);
}

const ATTACH: &CStr = c"attach";
const DETACH: &CStr = c"detach";

type Visit = unsafe extern "C" fn(
    *const c_char,
    *const c_char,
    c_int,
    *const c_char,
    *const c_char,
    c_uint,
) -> c_int;

/// Has `visit` called for each module while none can be loaded or unloaded.
fn each_module(visit: Visit, task: &CStr) {
    // SAFETY: MODULE-LIST, HOST-COPIES: the core calls back before this returns, and passes
    // the task on.
    unsafe { ffi::ast_update_module_list(Some(visit), task.as_ptr()) };
}

/// # Safety
/// Called by `each_module`: module, status and task are C strings.
unsafe extern "C" fn visit<M: Metrics>(
    module: *const c_char,
    _description: *const c_char,
    _uses: c_int,
    status: *const c_char,
    task: *const c_char,
    _support: c_uint,
) -> c_int {
    guard(
        || 0,
        || {
            let texts = [module, status, task];
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: C strings until the thunk returns.
            let [module, status, task] = texts.map(|text| unsafe { CStr::from_ptr(text) });
            if module == c"res_prometheus.so" && status == c"Running" {
                if task == DETACH {
                    // SAFETY: MODULE-LIST: it runs, and cannot be unloaded meanwhile.
                    unsafe { detach_running::<M>() };
                } else {
                    // SAFETY: MODULE-LIST: as above.
                    unsafe { attach_running::<M>() };
                }
            }
            0
        },
    )
}

type Provide = unsafe extern "C" fn(*const ffi::prometheus_metrics_provider);
type Register = unsafe extern "C" fn(*mut ffi::prometheus_callback) -> c_int;
type Unregister = unsafe extern "C" fn(*mut ffi::prometheus_callback);

/// A function that a module exports.
fn find(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: SYSTEM-CALLS: it looks for a C string among the symbols that are loaded.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// # Safety
/// `res_prometheus` runs and cannot be unloaded meanwhile.
unsafe fn attach_running<M: Metrics>() {
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
    // SAFETY: PROMETHEUS-FUNCTIONS: the function of that name has this type.
    let provide = unsafe { transmute::<*mut c_void, Provide>(provide) };
    // SAFETY: PROMETHEUS-FUNCTIONS: as above.
    let register = unsafe { transmute::<*mut c_void, Register>(register) };
    if !PROVIDED.swap(true, Ordering::AcqRel) {
        // SAFETY: CALLER, MODULE-MAPPED: it keeps the pointer, to a constant.
        unsafe { provide(Tables::<M>::PROVIDER) };
    }
    let callback = ptr_of(Tables::<M>::CALLBACK);
    // SAFETY: CALLER, MODULE-MAPPED, PROMETHEUS-FUNCTIONS: it keeps the pointer, to a
    // constant, and only reads it, although it takes it as mutable.
    let taken = unsafe { register(callback) };
    ATTACHED.store(taken == 0, Ordering::Release);
}

/// # Safety
/// `res_prometheus` runs and cannot be unloaded meanwhile.
unsafe fn detach_running<M: Metrics>() {
    if !ATTACHED.swap(false, Ordering::AcqRel) {
        return;
    }
    if let Some(unregister) = find(c"prometheus_callback_unregister") {
        // SAFETY: PROMETHEUS-FUNCTIONS: the function of that name has this type.
        let unregister = unsafe { transmute::<*mut c_void, Unregister>(unregister) };
        // SAFETY: CALLER, PROMETHEUS-FUNCTIONS: it only reads the callback's name, and waits
        // for a scrape in progress.
        unsafe { unregister(ptr_of(Tables::<M>::CALLBACK)) };
    }
}

fn ptr_of(callback: &'static ffi::prometheus_callback) -> *mut ffi::prometheus_callback {
    (&raw const *callback).cast_mut()
}

/// # Safety
/// The argument is that of a metrics callback: the live buffer of a scrape.
unsafe extern "C" fn scrape<M: Metrics>(output: *mut *mut ffi::ast_str) {
    guard(
        || (),
        || {
            let text = printable(&M::text());
            // SAFETY: CALLER, CALLBACK-ARGUMENTS, HOST-COPIES: a live buffer, and a C string.
            unsafe { ffi::shim_str_append(output, text.as_ptr()) };
        },
    );
}

/// `res_prometheus` is unloaded, and with it what was registered there.
///
/// # Safety
/// Called by `res_prometheus`; it has no other requirements.
unsafe extern "C" fn unloaded() {
    ATTACHED.store(false, Ordering::Release);
    PROVIDED.store(false, Ordering::Release);
}
