//! Metrics for Asterisk's `res_prometheus`: `asterisk/res_prometheus.h`.
//!
//! Releases before 18 have no `res_prometheus`, and some packages do not install its header: the
//! structures are then those of `include/prometheus.h`, which are the same in every release.
//!
//! A metrics provider hears that `res_prometheus` is unloaded. A provider cannot be
//! unregistered: it stays there after an unload of the module, whose code stays mapped.

use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::sync::atomic::{AtomicBool, Ordering};

use super::guard::guard;
use super::peer::{Peer, RunningPeer};
use super::slack::WithSlack;
use super::text::printable;
use super::{Error, ffi};

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
    const CALLBACK: &'static WithSlack<ffi::prometheus_callback> =
        &WithSlack::new(ffi::prometheus_callback {
            name: M::NAME.as_ptr(),
            callback_fn: Some(scrape::<M>),
        });
    const PROVIDER: &'static WithSlack<ffi::prometheus_metrics_provider> =
        &WithSlack::new(ffi::prometheus_metrics_provider {
            name: M::NAME.as_ptr(),
            reload_cb: None,
            unload_cb: Some(unloaded),
        });
}

/// Whether `res_prometheus` has the callback. It changes under the lock of the core's list of
/// modules only.
static ATTACHED: AtomicBool = AtomicBool::new(false);
/// Whether `res_prometheus` has the provider; as above.
static PROVIDED: AtomicBool = AtomicBool::new(false);

/// [`Metrics`] with `res_prometheus`.
#[derive(Debug)]
pub struct MetricsPeer<M>(PhantomData<M>);

impl<M: Metrics> Peer for MetricsPeer<M> {
    const FILE: &'static CStr = c"res_prometheus.so";
    const WHAT: &'static str = "metrics";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        let provide = peer.find(c"prometheus_metrics_provider_register")?;
        let register = peer.find(c"prometheus_callback_register")?;
        // SAFETY: PROMETHEUS-FUNCTIONS: the function of that name has this type.
        let provide = unsafe { transmute::<*mut c_void, Provide>(provide) };
        // SAFETY: PROMETHEUS-FUNCTIONS: as above.
        let register = unsafe { transmute::<*mut c_void, Register>(register) };
        if !PROVIDED.swap(true, Ordering::AcqRel) {
            // SAFETY: PEER-STAYS, MODULE-MAPPED: it keeps the pointer, to a constant.
            unsafe { provide(Tables::<M>::PROVIDER.as_ptr()) };
        }
        if ATTACHED.load(Ordering::Acquire) {
            return Ok(());
        }
        let callback = ptr_of(Tables::<M>::CALLBACK);
        // SAFETY: PEER-STAYS, MODULE-MAPPED, PROMETHEUS-FUNCTIONS: it keeps the pointer, to a
        // constant, and only reads it, although it takes it as mutable.
        let taken = unsafe { register(callback) };
        ATTACHED.store(taken == 0, Ordering::Release);
        Ok(())
    }

    fn holds(_: &RunningPeer) -> bool {
        ATTACHED.load(Ordering::Acquire)
    }

    /// Waits for a scrape in progress.
    fn detach(peer: &RunningPeer) {
        if !ATTACHED.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Ok(unregister) = peer.find(c"prometheus_callback_unregister") {
            // SAFETY: PROMETHEUS-FUNCTIONS: the function of that name has this type.
            let unregister = unsafe { transmute::<*mut c_void, Unregister>(unregister) };
            // SAFETY: PEER-STAYS, PROMETHEUS-FUNCTIONS: it only reads the callback's name, and
            // waits for a scrape in progress.
            unsafe { unregister(ptr_of(Tables::<M>::CALLBACK)) };
        }
    }
}

type Provide = unsafe extern "C" fn(*const ffi::prometheus_metrics_provider);
type Register = unsafe extern "C" fn(*mut ffi::prometheus_callback) -> c_int;
type Unregister = unsafe extern "C" fn(*mut ffi::prometheus_callback);

fn ptr_of(callback: &'static WithSlack<ffi::prometheus_callback>) -> *mut ffi::prometheus_callback {
    callback.as_ptr().cast_mut()
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
