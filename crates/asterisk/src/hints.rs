//! The hints of the dialplan: `asterisk/pbx.h`.

use std::ffi::{c_char, c_int};
use std::marker::PhantomData;
use std::ptr;
use std::sync::OnceLock;

use super::ffi;
use super::text::{self, CText};

/// A hint of the dialplan.
#[derive(Clone, Copy, Debug)]
pub struct DialplanHint<'a> {
    /// The context's name.
    pub context: &'a [u8],
    /// The extension, or a pattern.
    pub extension: &'a [u8],
    /// What the hint names, such as `PJSIP/2000,CustomPresence:alice`.
    pub names: &'a [u8],
}

/// Whether a hint follows a device only under the very spelling that the hint has. That is so
/// where `extension_state.h` keeps the state of hints, as in 20.21, 22.11 and 23.5; before them
/// the core matched devices without regard to case. Presences are matched so everywhere.
pub fn match_case() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let name = c"ast_extension_state_topic_all";
        // SAFETY: SYSTEM-CALLS: it looks for a C string among the symbols that are loaded.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        !found.is_null()
    })
}

/// Whether an extension matches a pattern, such as `_2XX`.
pub fn matches(pattern: &str, extension: &str) -> bool {
    let (Ok(pattern), Ok(extension)) = (CText::new(pattern), CText::new(extension)) else {
        return false;
    };
    // SAFETY: HOST-COPIES: C strings that live through the call.
    unsafe { ffi::ast_extension_match(pattern.as_ptr(), extension.as_ptr()) != 0 }
}

/// Whether the dialplan has the extension in that context, for a caller of that number.
pub fn has_extension(context: &str, extension: &str, caller: &str) -> bool {
    let texts = [context, extension, caller].map(CText::new);
    let [Ok(context), Ok(extension), Ok(caller)] = texts else {
        return false;
    };
    // SAFETY: HOST-COPIES: no channel, and C strings that live through the call.
    unsafe {
        ffi::ast_exists_extension(
            ptr::null_mut(),
            context.as_ptr(),
            extension.as_ptr(),
            1,
            caller.as_ptr(),
        ) != 0
    }
}

/// Calls `visit` with each hint. A hint of a pattern comes as it is written, and once more for
/// each extension that was asked for by it.
///
/// The dialplan is locked for reading meanwhile: `visit` takes no lock and calls nothing of
/// Asterisk.
pub fn each(mut visit: impl FnMut(DialplanHint<'_>)) {
    let Some(dialplan) = LockedDialplan::new() else {
        return;
    };
    dialplan.each_context(|context| {
        context.each_extension(|extension| {
            // SAFETY: HOST-LOCKS: an extension of a locked context, and NULL.
            let mut priority =
                unsafe { ffi::ast_walk_extension_priorities(extension, ptr::null_mut()) };
            while !priority.is_null() {
                // SAFETY: HOST-LOCKS: a priority of a locked context.
                if unsafe { ffi::ast_get_extension_priority(priority) } == ffi::PRIORITY_HINT {
                    // SAFETY: HOST-LOCKS: as above.
                    let names = unsafe { ffi::ast_get_extension_app(priority) };
                    // SAFETY: HOST-LOCKS: as above.
                    let extension = unsafe { ffi::ast_get_extension_name(priority) };
                    visit(DialplanHint {
                        context: context.name(),
                        // SAFETY: HOST-LOCKS, HOST-STRINGS: it lives as long as the priority.
                        extension: unsafe { text::bytes(extension) },
                        // SAFETY: HOST-LOCKS, HOST-STRINGS: as above.
                        names: unsafe { text::bytes(names) },
                    });
                }
                // SAFETY: HOST-LOCKS: an extension of a locked context and its priority.
                priority = unsafe { ffi::ast_walk_extension_priorities(extension, priority) };
            }
        });
    });
}

/// The longest text of a hint that [`find`] returns, in bytes; a longer one is cut.
const LONGEST: usize = 2047;

/// What the hint of an extension names, also where the context includes the one that has it, and
/// where a pattern matches. `None` without a hint, and for text that is not UTF-8.
pub fn find(context: &str, extension: &str) -> Option<String> {
    let (context, extension) = (CText::new(context).ok()?, CText::new(extension).ok()?);
    let mut names = [0 as c_char; LONGEST + 1];
    let size = c_int::try_from(names.len()).ok()?;
    // The core lets go of the dialplan before it copies the text: here it stays locked.
    let locked = LockedDialplan::new()?;
    // SAFETY: HOST-LOCKS, HOST-COPIES: C strings, and a place of that size for the text; no
    // place for the name, and no channel. The lock is recursive.
    let found = unsafe {
        ffi::ast_get_hint(
            names.as_mut_ptr(),
            size,
            ptr::null_mut(),
            0,
            ptr::null_mut(),
            context.as_ptr(),
            extension.as_ptr(),
        )
    };
    drop(locked);
    // SAFETY: HOST-COPIES: the core has written a C string, or the place holds zeros.
    let names = unsafe { text::utf8(names.as_ptr()) }?;
    (found != 0).then(|| names.to_owned())
}

/// The dialplan, locked for reading until the drop.
///
/// # Invariants
/// This thread holds the read lock of the list of contexts.
struct LockedDialplan(PhantomData<*const ()>);

impl LockedDialplan {
    fn new() -> Option<Self> {
        // SAFETY: HOST-LOCKS: it may be called from any thread; unlocked in the drop.
        (unsafe { ffi::ast_rdlock_contexts() } == 0).then_some(LockedDialplan(PhantomData))
    }

    fn each_context(&self, mut visit: impl FnMut(&LockedContext<'_>)) {
        // SAFETY: INVARIANT, HOST-LOCKS: the list is locked.
        let mut context = unsafe { ffi::ast_walk_contexts(ptr::null_mut()) };
        while !context.is_null() {
            // SAFETY: INVARIANT: a context of this dialplan.
            if let Some(locked) = unsafe { LockedContext::new(self, context) } {
                visit(&locked);
            }
            // SAFETY: INVARIANT, HOST-LOCKS: the list is locked, and the context is in it.
            context = unsafe { ffi::ast_walk_contexts(context) };
        }
    }
}

impl Drop for LockedDialplan {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: locked in `new`, unlocked once.
        unsafe { ffi::ast_unlock_contexts() };
    }
}

/// A context of the dialplan, locked for reading until the drop.
///
/// # Invariants
/// The context is in the locked dialplan, and this thread holds its read lock.
struct LockedContext<'a> {
    raw: *mut ffi::ast_context,
    dialplan: PhantomData<&'a LockedDialplan>,
}

impl<'a> LockedContext<'a> {
    /// # Safety
    /// `raw` is a context of that dialplan.
    unsafe fn new(_: &'a LockedDialplan, raw: *mut ffi::ast_context) -> Option<Self> {
        // SAFETY: CALLER, HOST-LOCKS: a context of the locked dialplan; unlocked in the drop.
        let locked = unsafe { ffi::ast_rdlock_context(raw) } == 0;
        locked.then_some(LockedContext {
            raw,
            dialplan: PhantomData,
        })
    }

    fn name(&self) -> &[u8] {
        // SAFETY: INVARIANT, HOST-LOCKS: a locked context.
        let name = unsafe { ffi::ast_get_context_name(self.raw) };
        // SAFETY: INVARIANT, HOST-LOCKS, HOST-STRINGS: it lives as long as the context.
        unsafe { text::bytes(name) }
    }

    fn each_extension(&self, mut visit: impl FnMut(*mut ffi::ast_exten)) {
        // SAFETY: INVARIANT, HOST-LOCKS: a locked context, and NULL.
        let mut extension = unsafe { ffi::ast_walk_context_extensions(self.raw, ptr::null_mut()) };
        while !extension.is_null() {
            visit(extension);
            // SAFETY: INVARIANT, HOST-LOCKS: a locked context and its extension.
            extension = unsafe { ffi::ast_walk_context_extensions(self.raw, extension) };
        }
    }
}

impl Drop for LockedContext<'_> {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: locked in `new`, unlocked once.
        unsafe { ffi::ast_unlock_context(self.raw) };
    }
}
