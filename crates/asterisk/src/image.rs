//! The module's own code, as the system's loader has mapped it.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::slice;

use super::guard::guard;
use crate::elf;

#[cfg(target_pointer_width = "64")]
type Segment = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type Segment = libc::Elf32_Phdr;

/// What runs: the file that it was mapped from, and its build id.
struct Mapped {
    file: PathBuf,
    build_id: Option<Vec<u8>>,
}

/// The module's file, where another build than the running one is there now: the module
/// stays mapped after an unload, and the next load runs the same code again.
pub fn replaced() -> Option<PathBuf> {
    let mapped = mapped()?;
    let running = mapped.build_id?;
    let there = elf::build_id(&mut File::open(&mapped.file).ok()?)?;
    (there != running).then_some(mapped.file)
}

fn mapped() -> Option<Mapped> {
    let mut found = None::<Mapped>;
    // SAFETY: the callback is given the pointer, which is good until this returns.
    unsafe { libc::dl_iterate_phdr(Some(visit), (&raw mut found).cast()) };
    found
}

/// Ends the search, with 1, where the object is the one that this code is in.
unsafe extern "C" fn visit(
    info: *mut libc::dl_phdr_info,
    _size: usize,
    found: *mut c_void,
) -> c_int {
    guard(0, || {
        // SAFETY: the loader passes an object that is mapped until this returns, with its
        // program headers; `mapped` passes its own variable.
        let (info, found) = unsafe { (&*info, &mut *found.cast::<Option<Mapped>>()) };
        // SAFETY: as above.
        let segments =
            unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let here = visit as *const () as usize;
        let place = |segment: &Segment| {
            let begin = (info.dlpi_addr as usize).wrapping_add(segment.p_vaddr as usize);
            (begin, segment.p_memsz as usize)
        };
        let is_ours = segments.iter().any(|segment| {
            let (begin, size) = place(segment);
            segment.p_type == libc::PT_LOAD && (begin..begin + size).contains(&here)
        });
        if !is_ours {
            return 0;
        }
        let mut notes = segments
            .iter()
            .filter(|segment| segment.p_type == libc::PT_NOTE);
        let build_id = notes.find_map(|segment| {
            let (begin, size) = place(segment);
            // SAFETY: notes are mapped, as a part of a segment that is loaded, and are
            // never written to.
            let notes = unsafe { slice::from_raw_parts(begin as *const u8, size) };
            elf::in_notes(notes).map(<[u8]>::to_vec)
        });
        // SAFETY: the loader passes a C string.
        let name = unsafe { CStr::from_ptr(info.dlpi_name) };
        *found = Some(Mapped {
            file: Path::new(OsStr::from_bytes(name.to_bytes())).to_owned(),
            build_id,
        });
        1
    })
}
