//! Calls in applications and functions of the module, and the end of a run.
//!
//! Applications and functions stay registered for as long as the process lives. The core
//! looks them up in one moment and calls them in a later one, and after a call it looks at
//! their entries again; in between, nothing keeps a module from taking them back and
//! freeing them. Entries that never go, and that name no module, leave nothing to be freed.
//!
//! What the core does not do for such an entry is done here: a channel in an application
//! counts as a user of the module, so that a soft unload is refused and a forced one hangs
//! it up. Before anything is torn down the gate closes: what comes later is not let in, and
//! whoever is inside has left.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::entry::this;
use super::{ffi, log, system};

/// What a call is told that comes too late.
pub const NOT_RUNNING: &str = "the module is not running";

/// How long [`close`] waits for a call that has only just entered, or is about to leave,
/// before it gives up.
const MOMENT: Duration = Duration::from_millis(100);

/// How long it waits for calls that were hung up, and for functions.
const PATIENCE: Duration = Duration::from_secs(3);

struct Gate {
    open: bool,
    functions: usize,
    /// The channels in an application, once for each application that a channel is in.
    calls: Vec<Call>,
}

/// A channel in an application. It lives at least until it has left.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Call(*mut ffi::ast_channel);

// SAFETY: looked at only while it is listed, when it is alive, and then by a function that
// may be called from any thread.
unsafe impl Send for Call {}

static GATE: Mutex<Gate> = Mutex::new(Gate {
    open: false,
    functions: 0,
    calls: Vec::new(),
});
static LEFT: Condvar = Condvar::new();

/// The open gate; dropping it closes it, even if calls are still inside after a while.
#[derive(Debug)]
#[must_use = "dropping it closes the gate"]
pub struct Open(());

/// Lets calls in.
pub fn open() -> Open {
    GATE.lock().open = true;
    Open(())
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut gate = GATE.lock();
        gate.open = false;
        wait(&mut gate, PATIENCE, Gate::is_empty);
        let (calls, functions) = (gate.calls.len(), gate.functions);
        drop(gate);
        if calls + functions > 0 {
            log::warning(format_args!(
                "{calls} calls and {functions} functions do not end and are left behind"
            ));
        }
    }
}

/// Closes the gate, where everybody inside leaves it within a few seconds. Where Asterisk
/// itself stops, it closes in any case.
///
/// # Errors
/// Where calls go on: then the gate stays open.
pub fn close() -> Result<(), String> {
    let mut gate = GATE.lock();
    // A call that the loader did not yet count when it looked is a user as any other.
    if !wait(&mut gate, MOMENT, Gate::is_hung_up) && !system::shutting_down() {
        return Err(in_use(gate.calls.len()));
    }
    gate.open = false;
    if !wait(&mut gate, PATIENCE, Gate::is_empty) && !system::shutting_down() {
        gate.open = true;
        return Err(in_use(gate.calls.len() + gate.functions));
    }
    Ok(())
}

fn in_use(count: usize) -> String {
    format!("it is in use by {count} calls")
}

/// Waits until `done`; says whether it is.
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
        self.calls.is_empty() && self.functions == 0
    }

    /// Whether every call inside is about to end.
    fn is_hung_up(&self) -> bool {
        // Under the gate's lock, because a channel that is listed cannot go meanwhile.
        // SAFETY: a channel that is listed is alive; its flags are read without a lock.
        let hung_up = |call: &Call| unsafe { ffi::ast_check_hangup(call.0) != 0 };
        self.calls.iter().all(hung_up)
    }
}

/// Runs a function's body, or says that the gate is closed.
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

/// Runs an application's body on a channel, as a user of the module, or says that the gate
/// is closed.
///
/// # Safety
/// A live channel, whose thread this is.
pub(super) unsafe fn call<T>(
    channel: *mut ffi::ast_channel,
    body: impl FnOnce() -> T,
) -> Option<T> {
    let call = Call(channel);
    let mut gate = GATE.lock();
    if !gate.open {
        return None;
    }
    gate.calls.push(call);
    drop(gate);
    let _inside = Leave(move |gate: &mut Gate| {
        let at = gate.calls.iter().rposition(|inside| *inside == call);
        at.map(|at| gate.calls.swap_remove(at));
    });
    // Dropped first: inside the gate the module's handle is good.
    // SAFETY: a live channel, as the caller says, and the handle of a module that is not
    // unloaded before this has left.
    let _user = unsafe { User::new(channel) };
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

/// A channel that counts as a user of the module.
struct User {
    module: *mut ffi::ast_module,
    /// NULL where there was no memory.
    raw: *mut ffi::ast_module_user,
}

impl User {
    /// # Safety
    /// A channel, and a module's handle, that live until this is dropped.
    unsafe fn new(channel: *mut ffi::ast_channel) -> Self {
        let module = this();
        // SAFETY: the caller vouches for both.
        let raw = unsafe { ffi::__ast_module_user_add(module, channel) };
        User { module, raw }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if !self.raw.is_null() {
            // SAFETY: the same module; what a forced unload has taken off the list by then
            // is looked for there first.
            unsafe { ffi::__ast_module_user_remove(self.module, self.raw) };
        }
    }
}
