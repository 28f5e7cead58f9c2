//! Lines of configuration files, written by Asterisk's own writer, and the patterns of its
//! `#include`: `asterisk/config.h`.

use std::ffi::{CStr, CString, OsStr, c_int};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::ptr;

use super::config::{Config, TEMPLATES, read};
use super::text::{CText, source_file};
use super::{Error, entry, ffi};

/// Has Asterisk's writer write a section.
///
/// `text` is a small configuration. Its last section, before which there are `templates` others
/// without options, gets `values` for its options, in order. The result is that section's text,
/// from its first line on: names and values as the writer separates and escapes them, and the
/// comments of `text`. Both go through the file `scratch`, which is removed.
///
/// The writer is not given the whole file that is to change: it would cut off the files that
/// this includes before it writes them, would add to those that a pattern includes, would write
/// a section that goes on elsewhere in one piece, and would leave out block comments.
///
/// # Errors
/// The file `scratch` cannot be written, or Asterisk refuses the text.
pub fn write_section(
    scratch: &Path,
    text: &[u8],
    templates: usize,
    values: &[String],
) -> Result<Vec<u8>, Error> {
    let written = rewrite(scratch, text, values);
    let removed = fs::remove_file(scratch);
    let written = written?;
    removed.map_err(|why| failed(scratch, &why))?;
    let mut begins = written
        .split_inclusive(|byte| *byte == b'\n')
        .scan(0, |at, line| {
            let begin = *at;
            *at += line.len();
            Some((begin, line.starts_with(b"[")))
        });
    let begin = begins.by_ref().filter(|(_, header)| *header).nth(templates);
    let (begin, _) = begin.ok_or_else(|| incomplete(scratch))?;
    Ok(written[begin..].to_vec())
}

fn failed(file: &Path, why: &std::io::Error) -> Error {
    Error::new(format!("{}: {why}", file.display()))
}

fn incomplete(file: &Path) -> Error {
    let file = file.display();
    Error::new(format!(
        "{file}: Asterisk's writer has not written everything"
    ))
}

fn rewrite(scratch: &Path, text: &[u8], values: &[String]) -> Result<Vec<u8>, Error> {
    // It may hold secrets, and may be left of a process that was killed.
    let _ = fs::remove_file(scratch);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(scratch);
    let file = file.and_then(|mut file| file.write_all(text));
    file.map_err(|why| failed(scratch, &why))?;
    let name = path_text(scratch)?;
    let config = read(&name, ffi::CONFIG_FLAG_WITHCOMMENTS)
        .map_err(|_| Error::new("Asterisk's parser refuses the section"))?;
    set_values(&config, values)?;
    // SAFETY: HOST-COPIES: C strings and a configuration that live through the call.
    let result = unsafe {
        ffi::ast_config_text_file_save2(
            name.as_ptr(),
            config.as_ptr(),
            entry::name().as_ptr(),
            ffi::CONFIG_SAVE_FLAG_PRESERVE_EFFECTIVE_CONTEXT,
        )
    };
    if result != 0 {
        return Err(incomplete(scratch));
    }
    fs::read(scratch).map_err(|why| failed(scratch, &why))
}

fn path_text(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::new(format!("{}: the path contains a NUL", path.display())))
}

/// Gives the options of the last section their values.
fn set_values(config: &Config, values: &[String]) -> Result<(), Error> {
    let mut last = ptr::null_mut();
    loop {
        // SAFETY: INVARIANT: NULL, or a category that the configuration has returned.
        let next = unsafe { config.next(last, Some(TEMPLATES)) };
        if next.is_null() {
            break;
        }
        last = next;
    }
    if last.is_null() {
        return Err(Error::new("there is no section to write"));
    }
    // SAFETY: HOST-ALLOCATOR: a category of a live configuration, whose list is the caller's now.
    let mut old = unsafe { ffi::ast_category_detach_variables(last) };
    let mut values = values.iter();
    let mut wrong = false;
    // SAFETY: HOST-ALLOCATOR: NULL, or an element of the detached list.
    while let Some(variable) = unsafe { old.as_mut() } {
        let next = variable.next;
        variable.next = ptr::null_mut();
        let new = values.next().and_then(|value| CText::new(value).ok());
        let made = new.map_or(ptr::null_mut(), |value| {
            // SAFETY: HOST-COPIES: C strings that live through the call.
            unsafe {
                ffi::_ast_variable_new(
                    variable.name,
                    value.as_ptr(),
                    variable.file,
                    source_file!(),
                    c"set_values".as_ptr(),
                    line!() as c_int,
                )
            }
        });
        // SAFETY: HOST-ALLOCATOR: NULL, or a new variable that is in no list.
        match unsafe { made.as_mut() } {
            None => wrong = true,
            Some(new) => {
                new.object = variable.object;
                // The comments belong to the new variable now. The line's number stays 0: then
                // the writer adds no blank lines, which are among the comments.
                new.precomments = std::mem::replace(&mut variable.precomments, ptr::null_mut());
                new.sameline = std::mem::replace(&mut variable.sameline, ptr::null_mut());
                new.trailing = std::mem::replace(&mut variable.trailing, ptr::null_mut());
            }
        }
        // SAFETY: HOST-ALLOCATOR: NULL, or a variable that the category takes over.
        unsafe { ffi::ast_variable_append(last, made) };
        // SAFETY: HOST-ALLOCATOR: one variable of the detached list, destroyed once.
        unsafe { ffi::ast_variables_destroy(old) };
        old = next;
    }
    match wrong || values.next().is_some() {
        true => Err(Error::new("the section has other options than expected")),
        false => Ok(()),
    }
}

/// The files that an `#include` of this pattern reads, in order. As for Asterisk, braces are
/// expanded and a pattern without a special character is the name of a file, which need not
/// exist. Without any match there are none.
pub fn included_files(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = directory.join(pattern);
    let Ok(pattern) = path_text(&pattern) else {
        return Vec::new();
    };
    // SAFETY: ZERO-VALUE: a structure for `glob` to fill.
    let mut found: libc::glob_t = unsafe { std::mem::zeroed() };
    // SAFETY: SYSTEM-CALLS: a C string, and a structure that it fills.
    let result = unsafe { libc::glob(pattern.as_ptr(), GLOB_FLAGS, None, &raw mut found) };
    let mut files = Vec::new();
    if result == 0 {
        for at in 0..found.gl_pathc {
            // SAFETY: SYSTEM-CALLS: an index below the number of the paths.
            let place = unsafe { found.gl_pathv.add(at) };
            // SAFETY: SYSTEM-CALLS: as above.
            let path = unsafe { place.read() };
            // SAFETY: SYSTEM-CALLS: a C string that lives until `globfree`.
            let path = unsafe { CStr::from_ptr(path) };
            files.push(PathBuf::from(OsStr::from_bytes(path.to_bytes())));
        }
    }
    // SAFETY: SYSTEM-CALLS: the structure that `glob` has filled, freed once.
    unsafe { libc::globfree(&raw mut found) };
    files
}

/// The flags that Asterisk uses, extensions of glibc.
#[cfg(target_env = "gnu")]
const GLOB_FLAGS: c_int = libc::GLOB_NOMAGIC | libc::GLOB_BRACE;
#[cfg(not(target_env = "gnu"))]
const GLOB_FLAGS: c_int = 0;
