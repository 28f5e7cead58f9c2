//! Supplements to the bodies of NOTIFYs and PUBLISHs with the state of a hint:
//! `asterisk/res_pjsip_pubsub.h`, `asterisk/res_pjsip_body_generator_types.h`.
//!
//! A supplement gets the body as a tree and adds to it; then the body is printed. This one is
//! called after all others, so that it sees what they have added: it registers anew when it is
//! not the last one any more, and changes no body until then.

use std::cell::RefCell;
use std::ffi::{CStr, c_int, c_void};
use std::marker::PhantomData;
use std::mem::transmute;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use crate::guard::guard;
use crate::peer::{Peer, RunningPeer};
use crate::pjproject::{self, XmlNode};
use crate::presencestate::PresenceState;
use crate::{Error, ffi, log, slack, text};

/// A hint that a phone watches.
#[derive(Clone, Copy, Debug)]
pub struct NotifiedHint<'a> {
    /// The extension.
    pub extension: &'a [u8],
    /// Its presence.
    pub state: PresenceState,
    /// The subtype; empty for none.
    pub subtype: &'a [u8],
    /// The message; empty for none.
    pub message: &'a [u8],
    /// The User-Agent in small letters; empty where it is not known, and in a PUBLISH.
    pub agent: &'a [u8],
}

/// A supplement to `application/pidf+xml`.
pub trait PidfSupplement: 'static {
    /// The text between the tags of the body's root, to be printed in place of its elements.
    /// `None` leaves the body as it is. Called on SIP threads, several at a time, with the list
    /// of supplements locked: it must not wait for a registration.
    fn content(body: XmlNode<'_>, hint: NotifiedHint<'_>) -> Option<Vec<u8>>;
}

/// [`PidfSupplement`] with `res_pjsip_pubsub`. One type may be registered at a time.
#[derive(Debug)]
pub struct PidfPeer<S>(PhantomData<S>);

/// The supplement in the list of `res_pjsip_pubsub`.
///
/// # Invariants
/// The pointer is to a structure that is never freed (LINKED-FOREVER). `res_pjsip_pubsub` alone
/// changes `list`, under the lock of its list; nothing changes the rest.
struct SupplementEntry(*mut ffi::ast_sip_pubsub_body_supplement);

// SAFETY: INVARIANT: what is behind the pointer changes under a lock only.
unsafe impl Send for SupplementEntry {}
// SAFETY: INVARIANT: as above.
unsafe impl Sync for SupplementEntry {}

static ENTRY: OnceLock<SupplementEntry> = OnceLock::new();

/// Whether a body had another shape than expected: no body is changed any more.
static STRANGE: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The text that this thread has put into a body last. The body is printed in the same
    /// thread before the next one is made.
    static PRINTED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl SupplementEntry {
    fn of<S: PidfSupplement>() -> &'static Self {
        ENTRY.get_or_init(|| {
            // SAFETY: ZERO-VALUE: pointers, a callback, and the link of a list.
            SupplementEntry(unsafe {
                slack::leak(|entry: &mut ffi::ast_sip_pubsub_body_supplement| {
                    entry.type_ = c"application".as_ptr();
                    entry.subtype = c"pidf+xml".as_ptr();
                    entry.supplement_body = Some(supplement::<S>);
                })
            })
        })
    }

    /// Whether no other supplement comes after it.
    fn is_last(&self) -> bool {
        // SAFETY: INVARIANT: the place of a field.
        let next = unsafe { &raw mut (*self.0).list.next };
        // SAFETY: INVARIANT, LINKED-FOREVER: a pointer that is written as a whole.
        let next = unsafe { AtomicPtr::from_ptr(next) };
        next.load(Ordering::Acquire).is_null()
    }
}

impl<S: PidfSupplement> Peer for PidfPeer<S> {
    const FILE: &'static CStr = c"res_pjsip_pubsub.so";
    const WHAT: &'static str = "presence for every SIP phone";

    fn attach(peer: &RunningPeer) -> Result<(), Error> {
        let register = peer.find(c"ast_sip_pubsub_register_body_supplement")?;
        // SAFETY: PUBSUB-SUPPLEMENTS: the function of that name has this type.
        let register = unsafe { transmute::<*mut c_void, Register>(register) };
        // It goes to the end of the list, once.
        unregister(peer, SupplementEntry::of::<S>())?;
        STRANGE.store(false, Ordering::Release);
        let entry = SupplementEntry::of::<S>();
        // SAFETY: PEER-STAYS, PUBSUB-SUPPLEMENTS, LINKED-FOREVER: an entry that is in no list.
        let result = unsafe { register(entry.0) };
        match result {
            0 => Ok(()),
            _ => Err(Error::new("the supplement was refused")),
        }
    }

    fn holds(_peer: &RunningPeer) -> bool {
        ENTRY.get().is_none_or(SupplementEntry::is_last)
    }

    /// Waits for bodies that are being made.
    fn detach(peer: &RunningPeer) {
        if let Some(entry) = ENTRY.get()
            && let Err(why) = unregister(peer, entry)
        {
            log::warning(why);
        }
    }
}

type Register = unsafe extern "C" fn(*mut ffi::ast_sip_pubsub_body_supplement) -> c_int;
type Unregister = unsafe extern "C" fn(*mut ffi::ast_sip_pubsub_body_supplement);

fn unregister(peer: &RunningPeer, entry: &SupplementEntry) -> Result<(), Error> {
    let unregister = peer.find(c"ast_sip_pubsub_unregister_body_supplement")?;
    // SAFETY: PUBSUB-SUPPLEMENTS: the function of that name has this type.
    let unregister = unsafe { transmute::<*mut c_void, Unregister>(unregister) };
    // SAFETY: PEER-STAYS, PUBSUB-SUPPLEMENTS, LINKED-FOREVER: it takes the entry out of the
    // list, if it is in it.
    unsafe { unregister(entry.0) };
    Ok(())
}

/// # Safety
/// The arguments are those of a supplement to `application/pidf+xml`: the root of a tree, which
/// is this thread's alone, and a `struct ast_sip_exten_state_data`.
unsafe extern "C" fn supplement<S: PidfSupplement>(body: *mut c_void, data: *mut c_void) -> c_int {
    guard(
        || (),
        || {
            // SAFETY: CALLER: as for the thunk.
            unsafe { complete::<S>(body.cast(), data.cast()) };
        },
    );
    0
}

/// # Safety
/// As for [`supplement`].
unsafe fn complete<S: PidfSupplement>(
    body: *mut ffi::pj_xml_node,
    data: *const ffi::ast_sip_exten_state_data,
) {
    let is_last = ENTRY.get().is_some_and(SupplementEntry::is_last);
    if body.is_null() || data.is_null() || !is_last || STRANGE.load(Ordering::Acquire) {
        return;
    }
    // SAFETY: CALLER, PUBSUB-SUPPLEMENTS: data of a hint.
    let Some(hint) = (unsafe { hint(data) }) else {
        return;
    };
    // SAFETY: CALLER, PJPROJECT-TREES: a tree, which is not changed before it was used.
    let Some(root) = (unsafe { pjproject::read(body) }) else {
        if !STRANGE.swap(true, Ordering::AcqRel) {
            log::warning(
                "This Asterisk's bodies for SIP phones have another shape than expected: phones \
                 get no presence in the terms of PIDF",
            );
        }
        return;
    };
    let Some(text) = S::content(root, hint) else {
        return;
    };
    // No text is kept in a thread that is ending.
    let _ = PRINTED.try_with(|printed| {
        let mut printed = printed.borrow_mut();
        *printed = text;
        // SAFETY: CALLER, PUBSUB-SUPPLEMENTS: the tree that was just read. The text stays until
        // this thread makes its next body.
        unsafe { pjproject::replace(body, &printed) };
    });
}

/// What the data say; `None` for a presence that there is not. Only the fields before the first
/// array are looked at: its size depends on how pjproject was built.
///
/// # Safety
/// `data` is a `struct ast_sip_exten_state_data` that stays unchanged for `'a`.
unsafe fn hint<'a>(data: *const ffi::ast_sip_exten_state_data) -> Option<NotifiedHint<'a>> {
    // SAFETY: CALLER: a field before the arrays.
    let state = unsafe { (*data).presence_state };
    // SAFETY: CALLER: as above.
    let extension = unsafe { (*data).exten };
    // SAFETY: CALLER: as above.
    let subtype = unsafe { (*data).presence_subtype };
    // SAFETY: CALLER: as above.
    let message = unsafe { (*data).presence_message };
    // SAFETY: CALLER: as above.
    let agent = unsafe { (*data).user_agent };
    let texts = [
        extension,
        subtype.cast_const(),
        message.cast_const(),
        agent.cast_const(),
    ];
    // SAFETY: CALLER, HOST-STRINGS: they live as long as the data.
    let [extension, subtype, message, agent] = texts.map(|it| unsafe { text::bytes(it) });
    Some(NotifiedHint {
        extension,
        state: PresenceState::from_raw(state)?,
        subtype,
        message,
        agent,
    })
}
