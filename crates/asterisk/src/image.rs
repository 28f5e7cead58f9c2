//! The module's own code, as the dynamic loader has mapped it: the C library's `link.h`.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::slice;

use super::guard::guard;

#[cfg(target_pointer_width = "64")]
type ProgramHeader = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type ProgramHeader = libc::Elf32_Phdr;

/// The running code of the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// The file that the code was mapped from.
    pub file: PathBuf,
    /// The contents of its segments of ELF notes, one of which holds the build id.
    pub notes: Vec<Vec<u8>>,
}

/// The code that runs; `None` if the loader does not list it.
pub fn running() -> Option<Image> {
    let mut found = None::<Image>;
    // SAFETY: SYSTEM-CALLS: the callback's argument lives until this returns.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
    found
}

/// Ends the search, with 1, at the object that contains this code.
///
/// # Safety
/// The arguments are those of `dl_iterate_phdr`'s callback; `found` is that of [`running`].
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    found: *mut c_void,
) -> c_int {
    guard(
        || 0,
        || {
            // SAFETY: CALLER: an object that stays mapped until this returns.
            let info = unsafe { &*info };
            // SAFETY: CALLER: the variable of `running`, which nobody else uses meanwhile.
            let found = unsafe { &mut *found.cast::<Option<Image>>() };
            // SAFETY: CALLER: the object has so many program headers.
            let headers =
                unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
            let here = visit as *const () as usize;
            let place = |header: &ProgramHeader| {
                let begin = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
                (begin, header.p_memsz as usize)
            };
            let is_own = headers.iter().any(|header| {
                let (begin, size) = place(header);
                header.p_type == libc::PT_LOAD && (begin..begin + size).contains(&here)
            });
            if !is_own {
                return 0;
            }
            let notes = headers
                .iter()
                .filter(|header| header.p_type == libc::PT_NOTE);
            let notes = notes.map(|header| {
                let (begin, size) = place(header);
                // SAFETY: SYSTEM-CALLS: notes are a read-only part of a mapped segment.
                unsafe { slice::from_raw_parts(begin as *const u8, size) }.to_vec()
            });
            // SAFETY: CALLER: the object's name is a C string.
            let name = unsafe { CStr::from_ptr(info.dlpi_name) };
            *found = Some(Image {
                file: Path::new(OsStr::from_bytes(name.to_bytes())).to_owned(),
                notes: notes.collect(),
            });
            1
        },
    )
}
