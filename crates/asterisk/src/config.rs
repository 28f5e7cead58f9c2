//! Configuration files, read by Asterisk's own parser (templates, `#include`,
//! a static mapping to a database).

use std::ffi::CStr;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::{ffi, text};
use presence::config::{Section, Variable};

/// Why a file gave no sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// There is no such file, or it cannot be read.
    Missing,
    /// Asterisk's parser refused it, and has logged where.
    Invalid,
}

/// The sections of a file in order, without templates; two of one name come as
/// two. Takes time in proportion to the file.
pub fn load(file: &CStr) -> Result<Vec<Section>, LoadError> {
    let flags = ffi::ast_flags {
        flags: ffi::CONFIG_FLAG_NOCACHE,
    };
    // SAFETY: C strings; what is returned is a marker or becomes ours.
    let raw = unsafe { ffi::ast_config_load2(file.as_ptr(), c"res_userpresence".as_ptr(), flags) };
    // The markers of config.h: 0 missing, -1 unchanged (never without its flag), -2 invalid.
    match raw.addr() as isize {
        0 | -1 => Err(LoadError::Missing),
        -2 => Err(LoadError::Invalid),
        // SAFETY: not a marker, so a configuration, and ours.
        _ => match unsafe { Config::new(raw) } {
            Some(config) => Ok(config.sections(file.to_bytes())),
            None => Err(LoadError::Missing),
        },
    }
}

/// A configuration in Asterisk's memory.
pub(super) struct Config(NonNull<ffi::ast_config>);

impl Config {
    /// # Safety
    /// `raw` is NULL or a configuration that nobody else destroys.
    pub unsafe fn new(raw: *mut ffi::ast_config) -> Option<Self> {
        NonNull::new(raw).map(Config)
    }

    /// Asterisk leaves out the file of what stands in the `main` one.
    pub fn sections(&self, main: &[u8]) -> Vec<Section> {
        let mut sections = Vec::new();
        let mut files = Files::new(main);
        let mut category = ptr::null_mut();
        loop {
            // SAFETY: a live configuration, and NULL or one of its categories.
            category = unsafe {
                ffi::ast_category_browse_filtered(
                    self.0.as_ptr(),
                    ptr::null(),
                    category,
                    ptr::null(),
                )
            };
            if category.is_null() {
                return sections;
            }
            // SAFETY: a category of a live configuration; name and variables are its own.
            let (name, variables) = unsafe {
                (
                    text::bytes(ffi::ast_category_get_name(category)),
                    variables(ffi::ast_category_first(category), &mut files),
                )
            };
            sections.push(Section {
                name: String::from_utf8_lossy(name).into_owned(),
                variables,
            });
        }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: ours alone, destroyed once.
        unsafe { ffi::ast_config_destroy(self.0.as_ptr()) };
    }
}

/// The file names met; lines of one file follow each other and share one.
pub(super) struct Files {
    main: Arc<str>,
    last: Option<Arc<str>>,
}

impl Files {
    pub fn new(main: &[u8]) -> Self {
        Files {
            main: String::from_utf8_lossy(main).into(),
            last: None,
        }
    }

    fn get(&mut self, name: &[u8]) -> Arc<str> {
        if name.is_empty() {
            return self.main.clone();
        }
        if let Some(last) = self.last.as_ref().filter(|last| last.as_bytes() == name) {
            return last.clone();
        }
        let name: Arc<str> = String::from_utf8_lossy(name).into();
        self.last.insert(name).clone()
    }
}

/// The variables of a list.
///
/// # Safety
/// `first` is NULL or the head of a live list.
pub(super) unsafe fn variables(
    first: *const ffi::ast_variable,
    files: &mut Files,
) -> Vec<Variable> {
    let mut found = Vec::new();
    let mut next = first;
    // SAFETY: NULL or an element of the list.
    while let Some(variable) = unsafe { next.as_ref() } {
        next = variable.next;
        // SAFETY: the element's own strings.
        let (name, value, file) = unsafe {
            (
                text::bytes(variable.name),
                text::bytes(variable.value),
                text::bytes(variable.file),
            )
        };
        found.push(Variable {
            name: String::from_utf8_lossy(name).into_owned(),
            value: String::from_utf8_lossy(value).into_owned(),
            utf8: std::str::from_utf8(value).is_ok(),
            file: files.get(file),
            line: u32::try_from(variable.lineno).unwrap_or(0),
        });
    }
    found
}
