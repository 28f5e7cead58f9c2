//! Other modules of Asterisk whose functions are used while they run: `asterisk/module.h`.
//!
//! Such a module may be absent, and may be loaded or unloaded at any time. Its functions are
//! looked up by name when they are needed, so that the module loads without it; and they are
//! called only while the core's list of modules is locked, or where the other module is known
//! to stay, so that it cannot go meanwhile.
//!
//! `.optional_modules` is not used: the loader would load the module after them, which is
//! after the hints are made, and would refuse the module where one of them does not run.

use std::cell::Cell;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use super::guard::guard;
use super::{Error, entry, ffi, log, system};

/// What is attached to another module while both run. No function of it may load or unload a
/// module, or wait for a thread that does.
pub trait Peer: 'static {
    /// The other module's file, such as `res_ari.so`.
    const FILE: &'static CStr;

    /// What does not work without it, for the log: `metrics`, `presence in ARI`.
    const WHAT: &'static str;

    /// Attaches.
    ///
    /// # Errors
    /// Why it cannot be attached. It is tried again at the next reload.
    fn attach(peer: &RunningPeer) -> Result<(), Error>;

    /// Takes back what [`Peer::attach`] did.
    fn detach(peer: &RunningPeer);

    /// Whether the other module still has what was attached, as far as the peer knows. It may
    /// have been unloaded and loaded again since the last look.
    fn holds(_peer: &RunningPeer) -> bool {
        true
    }

    /// The other module was unloaded, and with it what was attached.
    fn lost() {}
}

/// The proof that a peer's other module runs, and stays until the function that gets the
/// proof returns.
///
/// # Invariants
/// The core's list of modules is locked, and the other module is in it and runs.
#[derive(Debug)]
pub struct RunningPeer(());

impl RunningPeer {
    /// A function that the other module, or a module that it needs, exports.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn find(&self, name: &'static CStr) -> Result<*mut c_void, Error> {
        // SAFETY: SYSTEM-CALLS: it looks for a C string among the symbols that are loaded.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        if found.is_null() {
            return Err(Error::new(format!("this Asterisk has no {name:?}")));
        }
        Ok(found)
    }
}

/// A [`Peer`] and whether it is attached.
#[derive(Debug)]
pub struct Slot {
    file: &'static CStr,
    what: &'static str,
    attach: fn(&RunningPeer) -> Result<(), Error>,
    detach: fn(&RunningPeer),
    holds: fn(&RunningPeer) -> bool,
    lost: fn(),
    /// Changed under the lock of the core's list of modules, or for a module not in the list.
    attached: AtomicBool,
    failed: AtomicBool,
}

impl Slot {
    /// The slot of that peer, which is not attached.
    pub const fn of<P: Peer>() -> Self {
        Slot {
            file: P::FILE,
            what: P::WHAT,
            attach: P::attach,
            detach: P::detach,
            holds: P::holds,
            lost: P::lost,
            attached: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        }
    }

    /// Attaches, unless that is done or has failed.
    fn try_attach(&self, peer: &RunningPeer) {
        let attached = self.attached.load(Ordering::Acquire) && (self.holds)(peer);
        if attached || self.failed.load(Ordering::Acquire) {
            return;
        }
        match (self.attach)(peer) {
            Ok(()) => self.attached.store(true, Ordering::Release),
            Err(why) => {
                self.failed.store(true, Ordering::Release);
                log::warning(format_args!("No {}: {why}", self.what));
            }
        }
    }

    fn detach(&self, peer: &RunningPeer) {
        if self.attached.swap(false, Ordering::AcqRel) {
            (self.detach)(peer);
        }
    }
}

/// The peers of the module, the same at each load.
static SLOTS: OnceLock<&'static [Slot]> = OnceLock::new();
/// The number of the present registration; 0 without one. It changes under the lock of the
/// core's list of modules, because the loader holds it during a load and an unload.
static PRESENT: AtomicUsize = AtomicUsize::new(0);
static LAST: AtomicUsize = AtomicUsize::new(0);

/// How often the list of modules is looked at, for peers that were loaded or unloaded.
const INTERVAL: Duration = Duration::from_secs(1);
/// The same while Asterisk still loads modules.
const BOOT_INTERVAL: Duration = Duration::from_millis(50);

/// Attached peers. Dropping it detaches all of them.
///
/// # Invariants
/// `PRESENT` is not 0 from `new` until the drop, for this value alone.
#[derive(Debug)]
#[must_use = "dropping it detaches"]
pub struct PeerRegistration(());

impl PeerRegistration {
    /// Attaches each peer: now, if it runs, else as soon as it does. Called by the module's
    /// load, with the same slots each time.
    ///
    /// # Errors
    /// Peers are registered already.
    pub fn new(slots: &'static [Slot]) -> Result<Self, Error> {
        let number = LAST.fetch_add(1, Ordering::AcqRel) + 1;
        let free = PRESENT.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire);
        if free.is_err() {
            return Err(Error::new("Peers are registered already"));
        }
        SLOTS.get_or_init(|| slots);
        try_again();
        let thread = thread::Builder::new().name(entry::thread_name("pe"));
        // Without the thread, a reload attaches what was loaded in the meantime.
        let _ = thread.spawn(move || {
            while PRESENT.load(Ordering::Acquire) == number {
                let booted = system::fully_booted();
                thread::sleep(if booted { INTERVAL } else { BOOT_INTERVAL });
                each_module(ATTACH);
            }
        });
        Ok(PeerRegistration(()))
    }
}

impl Drop for PeerRegistration {
    fn drop(&mut self) {
        PRESENT.store(0, Ordering::Release);
        each_module(DETACH);
    }
}

/// Attaches what is not attached, also where that has failed before.
pub fn try_again() {
    for slot in slots() {
        slot.failed.store(false, Ordering::Release);
    }
    each_module(ATTACH);
}

fn slots() -> &'static [Slot] {
    SLOTS.get().copied().unwrap_or_default()
}

const ATTACH: &CStr = c"attach";
const DETACH: &CStr = c"detach";

/// Attaches or detaches each peer that runs, while no module can be loaded or unloaded.
fn each_module(task: &CStr) {
    let seen = Cell::new(0_u64);
    let data = (&raw const seen).cast_mut().cast::<c_void>();
    // SAFETY: MODULE-LIST, HOST-COPIES: the core calls back before this returns, in this
    // thread, and passes on the task and the data.
    unsafe { ffi::ast_update_module_list_data(Some(visit), task.as_ptr(), data) };
    for (index, slot) in slots().iter().enumerate() {
        let gone = seen.get() & (1 << index) == 0;
        if gone && slot.attached.swap(false, Ordering::AcqRel) {
            (slot.lost)();
        }
    }
}

/// # Safety
/// Called by `each_module`: module, status and task are C strings, and `data` is its cell.
unsafe extern "C" fn visit(
    module: *const c_char,
    _description: *const c_char,
    _uses: c_int,
    status: *const c_char,
    task: *const c_char,
    _support: c_uint,
    data: *mut c_void,
) -> c_int {
    guard(
        || 0,
        || {
            let texts = [module, status, task];
            // SAFETY: CALLER, CALLBACK-ARGUMENTS: C strings until the thunk returns.
            let [module, status, task] = texts.map(|text| unsafe { CStr::from_ptr(text) });
            // SAFETY: CALLER: `each_module` keeps it until the core returns.
            let seen = unsafe { &*data.cast_const().cast::<Cell<u64>>() };
            if status != c"Running" {
                return 0;
            }
            let peer = RunningPeer(());
            for (index, slot) in slots().iter().enumerate() {
                if slot.file != module {
                    continue;
                }
                seen.set(seen.get() | 1 << index);
                if task == DETACH {
                    slot.detach(&peer);
                } else if PRESENT.load(Ordering::Acquire) != 0 {
                    slot.try_attach(&peer);
                }
            }
            0
        },
    )
}
