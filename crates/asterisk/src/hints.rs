//! The hints of the dialplan: `asterisk/pbx.h`.

use std::marker::PhantomData;
use std::ptr;

use super::text::CText;
use super::{ffi, text};

/// A hint.
#[derive(Clone, Copy, Debug)]
pub struct Hint<'a> {
    /// The context.
    pub context: &'a [u8],
    /// The extension, or a pattern that begins with `_`.
    pub extension: &'a [u8],
    /// What the hint names, such as `PJSIP/2000,CustomPresence:alice`.
    pub names: &'a [u8],
}

/// Whether an extension matches a pattern, such as `_2XX`.
pub fn matches(pattern: &str, extension: &str) -> bool {
    let (Ok(pattern), Ok(extension)) = (CText::new(pattern), CText::new(extension)) else {
        return false;
    };
    // SAFETY: HOST-COPIES: C strings that live through the call.
    unsafe { ffi::ast_extension_match(pattern.as_ptr(), extension.as_ptr()) != 0 }
}

/// Calls `visit` with each hint. A hint of a pattern comes as it is written, and once more for
/// each extension that was asked for by it.
///
/// The dialplan is locked for reading meanwhile: `visit` takes no lock and calls nothing of
/// Asterisk.
pub fn each(mut visit: impl FnMut(Hint<'_>)) {
    let Some(dialplan) = LockedDialplan::new() else {
        return;
    };
    dialplan.each_context(|context| {
        // SAFETY: HOST-LOCKS: a context of the locked dialplan.
        let name = unsafe { ffi::ast_get_context_name(context.raw) };
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
                    let extension = unsafe { ffi::ast_get_extension_name(extension) };
                    // SAFETY: HOST-LOCKS, HOST-STRINGS: they live as long as the context and
                    // the priority.
                    let texts = [name, extension, names].map(|text| unsafe { text::bytes(text) });
                    let [context, extension, names] = texts;
                    visit(Hint {
                        context,
                        extension,
                        names,
                    });
                }
                // SAFETY: HOST-LOCKS: an extension of a locked context and its priority.
                priority = unsafe { ffi::ast_walk_extension_priorities(extension, priority) };
            }
        });
    });
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
