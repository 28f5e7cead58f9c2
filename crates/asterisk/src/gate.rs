//! Calls in the module's applications and functions, and the end of a run:
//! `asterisk/module.h`.
//!
//! Applications and functions stay registered for as long as the process lives. The core looks
//! one up in one moment and calls it in a later one, and after a call it reads the entry again;
//! nothing keeps a module from unregistering and freeing the entry in between. Entries that are
//! never freed, and that name no module, avoid this.
//!
//! The gate does what the core does not do for such an entry: a channel in an application
//! counts as a user of the module, so that a soft unload is refused and a forced one hangs the
//! channel up. Before anything is torn down the gate closes: later calls are turned away, and
//! the calls inside have left.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::entry::this;
use super::{ffi, log, system};

/// The error of a call while the gate is closed.
pub const NOT_RUNNING: &str = "the module is not running";

/// How long [`close`] waits for a call that has only just entered, or is about to leave, before
/// it gives up.
const MOMENT: Duration = Duration::from_millis(100);

/// How long it waits for calls that were hung up, and for functions.
const PATIENCE: Duration = Duration::from_secs(3);

struct Gate {
    open: bool,
    /// The number of calls in functions.
    functions: usize,
    /// The channels in an application, once for each application that a channel is in.
    channels: Vec<InsideChannel>,
}

/// A channel in an application.
///
/// # Invariants
/// While it is listed in the gate, the channel is alive: its own thread takes it off the list
/// before the application returns (CHANNEL-THREAD).
#[derive(Clone, Copy, PartialEq, Eq)]
struct InsideChannel(*mut ffi::ast_channel);

// SAFETY: INVARIANT: other threads use it only while it is listed, under the gate's lock, and
// for functions that any thread may call.
unsafe impl Send for InsideChannel {}

static GATE: Mutex<Gate> = Mutex::new(Gate {
    open: false,
    functions: 0,
    channels: Vec::new(),
});
static LEFT: Condvar = Condvar::new();

/// The open gate; dropping it closes the gate and waits for the calls inside, for a few
/// seconds. Calls that are still inside then are logged.
#[derive(Debug)]
#[must_use = "dropping it closes the gate"]
pub struct OpenGate(());

impl OpenGate {
    /// Opens the gate.
    #[expect(clippy::new_without_default, reason = "it has an effect")]
    pub fn new() -> Self {
        GATE.lock().open = true;
        OpenGate(())
    }
}

impl Drop for OpenGate {
    fn drop(&mut self) {
        let mut gate = GATE.lock();
        gate.open = false;
        wait(&mut gate, PATIENCE, Gate::is_empty);
        let (channels, functions) = (gate.channels.len(), gate.functions);
        drop(gate);
        if channels + functions > 0 {
            log::warning(format_args!(
                "{channels} calls and {functions} functions do not end and are left behind"
            ));
        }
    }
}

/// Closes the gate, if all calls leave it within a few seconds. While Asterisk itself stops,
/// the gate closes in any case.
///
/// # Errors
/// Calls go on: the gate is open again.
pub fn close() -> Result<(), String> {
    let mut gate = GATE.lock();
    // A call that entered after the loader has counted the users is a user as any other.
    if !wait(&mut gate, MOMENT, Gate::is_hung_up) && !system::shutting_down() {
        return Err(in_use(gate.channels.len()));
    }
    gate.open = false;
    if !wait(&mut gate, PATIENCE, Gate::is_empty) && !system::shutting_down() {
        gate.open = true;
        return Err(in_use(gate.channels.len() + gate.functions));
    }
    Ok(())
}

fn in_use(count: usize) -> String {
    format!("it is in use by {count} calls")
}

/// Waits until `done` holds; says whether it does.
fn wait(
    gate: &mut parking_lot::MutexGuard<'_, Gate>,
    patience: Duration,
    done: fn(&Gate) -> bool,
) -> bool {
    let end = Instant::now() + patience;
    while !done(gate) {
        if LEFT.wait_until(gate, end).timed_out() {
            return done(gate);
        }
    }
    true
}

impl Gate {
    fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.functions == 0
    }

    /// Whether every channel inside is being hung up. The gate's lock, which `self` proves,
    /// keeps the channels alive meanwhile.
    fn is_hung_up(&self) -> bool {
        let hung_up = |channel: &InsideChannel| {
            // SAFETY: INVARIANT: a listed channel; the core reads its flags without a lock.
            unsafe { ffi::ast_check_hangup(channel.0) != 0 }
        };
        self.channels.iter().all(hung_up)
    }
}

/// Runs a function's body; `None` if the gate is closed.
pub(super) fn function<T>(body: impl FnOnce() -> T) -> Option<T> {
    let mut gate = GATE.lock();
    if !gate.open {
        return None;
    }
    gate.functions += 1;
    drop(gate);
    let _inside = Leave(|gate| gate.functions -= 1);
    Some(body())
}

/// Runs an application's body on a channel, which counts as a user of the module meanwhile;
/// `None` if the gate is closed.
///
/// # Safety
/// `channel` is live until this returns, and this thread is its own.
pub(super) unsafe fn call<T>(
    channel: *mut ffi::ast_channel,
    body: impl FnOnce() -> T,
) -> Option<T> {
    let inside = InsideChannel(channel);
    let mut gate = GATE.lock();
    if !gate.open {
        return None;
    }
    gate.channels.push(inside);
    drop(gate);
    let _leave = Leave(move |gate: &mut Gate| {
        let at = gate.channels.iter().rposition(|listed| *listed == inside);
        at.map(|at| gate.channels.swap_remove(at));
    });
    // Dropped before `_leave`: while a call is inside the gate, the module is not unloaded.
    // SAFETY: CALLER, MODULE-HANDLE: a live channel, and the handle of a loaded module.
    let _user = unsafe { ModuleUser::new(channel) };
    Some(body())
}

/// Leaves the gate when it is dropped, also in a panic.
struct Leave<F: FnMut(&mut Gate)>(F);

impl<F: FnMut(&mut Gate)> Drop for Leave<F> {
    fn drop(&mut self) {
        self.0(&mut GATE.lock());
        LEFT.notify_all();
    }
}

/// A channel that counts as a user of the module: `struct ast_module_user`.
///
/// # Invariants
/// `module` is the handle of a loaded module; `raw` is its user, or NULL without memory.
struct ModuleUser {
    module: *mut ffi::ast_module,
    raw: *mut ffi::ast_module_user,
}

impl ModuleUser {
    /// # Safety
    /// `channel` and the module's handle live until the drop.
    unsafe fn new(channel: *mut ffi::ast_channel) -> Self {
        let module = this();
        // SAFETY: CALLER, MODULE-HANDLE: a live channel and a live handle.
        let raw = unsafe { ffi::__ast_module_user_add(module, channel) };
        ModuleUser { module, raw }
    }
}

impl Drop for ModuleUser {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // A forced unload takes all users off the module's list and frees them; the
            // function looks for the user in that list before it uses it.
            // SAFETY: INVARIANT, MODULE-HANDLE: the module of `new`, still loaded.
            unsafe { ffi::__ast_module_user_remove(self.module, self.raw) };
        }
    }
}
