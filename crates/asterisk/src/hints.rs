//! The hints of the dialplan.

use std::ptr;

use super::{ffi, text};

/// Shows `visit` what each hint names, such as `PJSIP/2000,UserPresence:alice`. A hint of a
/// pattern stands there as it is written, and each extension that was asked for by it as
/// one of its own.
///
/// The dialplan is locked for reading meanwhile: `visit` takes note, and takes no lock.
pub fn each(mut visit: impl FnMut(&[u8])) {
    // SAFETY: contexts, extensions and priorities are walked under the core's read locks,
    // each let go once, and nothing of them is kept. What an extension does is a C string
    // that lives as long as it.
    unsafe {
        if ffi::ast_rdlock_contexts() != 0 {
            return;
        }
        let mut context = ffi::ast_walk_contexts(ptr::null_mut());
        while !context.is_null() {
            if ffi::ast_rdlock_context(context) == 0 {
                let mut extension = ffi::ast_walk_context_extensions(context, ptr::null_mut());
                while !extension.is_null() {
                    let mut priority =
                        ffi::ast_walk_extension_priorities(extension, ptr::null_mut());
                    while !priority.is_null() {
                        if ffi::ast_get_extension_priority(priority) == ffi::PRIORITY_HINT {
                            visit(text::bytes(ffi::ast_get_extension_app(priority)));
                        }
                        priority = ffi::ast_walk_extension_priorities(extension, priority);
                    }
                    extension = ffi::ast_walk_context_extensions(context, extension);
                }
                ffi::ast_unlock_context(context);
            }
            context = ffi::ast_walk_contexts(context);
        }
        ffi::ast_unlock_contexts();
    }
}
