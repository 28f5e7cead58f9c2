//! Configuration files, read by Asterisk's own parser (templates, `#include`, a static
//! mapping to a database): `asterisk/config.h`.

use std::ffi::{CStr, c_char};
use std::ptr::{self, NonNull};
use std::sync::Arc;

use super::{entry, ffi, text};

/// A section of a file, or a row of a realtime family: `struct ast_category`.
#[derive(Clone, Debug)]
pub struct Category {
    /// The section's name, or the value of the row's column `name`.
    pub name: String,
    /// Whether it is a template.
    pub template: bool,
    /// The section's options in order, those of its templates first; or the other columns.
    pub variables: Vec<ConfigVariable>,
}

/// An option line, or a column: `struct ast_variable`.
#[derive(Clone, Debug)]
pub struct ConfigVariable {
    /// The option's name.
    pub name: String,
    /// The value, with replacement characters for bytes that are not UTF-8.
    pub value: String,
    /// Whether the value was UTF-8.
    pub utf8: bool,
    /// The file with the option, as Asterisk names it; empty for realtime.
    pub file: Arc<str>,
    /// The line in the file, from 1; 0 for realtime.
    pub line: u32,
    /// Whether it comes from a template.
    pub inherited: bool,
}

/// Why a file could not be loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// There is no such file, or it cannot be read.
    Missing,
    /// Asterisk's parser refuses it, and has logged the line.
    Invalid,
}

/// The sections of a file in order, without templates; sections of one name stay separate.
/// The time is in proportion to the file's length.
///
/// # Errors
/// The file cannot be read or parsed.
pub fn load(file: &CStr) -> Result<Vec<Category>, LoadError> {
    Ok(read(file, 0)?.categories(file.to_bytes(), None))
}

/// As [`load`], with the templates.
///
/// # Errors
/// The file cannot be read or parsed.
pub fn load_with_templates(file: &CStr) -> Result<Vec<Category>, LoadError> {
    Ok(read(file, 0)?.categories(file.to_bytes(), Some(TEMPLATES)))
}

/// Selects templates as well as other sections.
pub(super) const TEMPLATES: &CStr = c"TEMPLATES=include";

/// Reads a file, with these flags besides the one that keeps Asterisk from remembering it.
pub(super) fn read(file: &CStr, flags: u32) -> Result<Config, LoadError> {
    let flags = ffi::ast_flags {
        flags: ffi::CONFIG_FLAG_NOCACHE | flags,
    };
    // SAFETY: HOST-COPIES: C strings that live through the call.
    let raw = unsafe { ffi::ast_config_load2(file.as_ptr(), entry::name().as_ptr(), flags) };
    // The markers of config.h: 0 missing, -1 unchanged (never without its flag), -2 invalid.
    match raw.addr() as isize {
        0 | -1 => Err(LoadError::Missing),
        -2 => Err(LoadError::Invalid),
        // SAFETY: HOST-ALLOCATOR: not a marker, so a configuration for the caller to destroy.
        _ => match unsafe { Config::new(raw) } {
            Some(config) => Ok(config),
            None => Err(LoadError::Missing),
        },
    }
}

/// A configuration in Asterisk's memory; dropping it destroys it.
///
/// # Invariants
/// The pointer is to a live configuration, which this value alone owns.
pub(super) struct Config(NonNull<ffi::ast_config>);

impl Config {
    /// # Safety
    /// `raw` is NULL or a configuration that nobody else destroys.
    pub unsafe fn new(raw: *mut ffi::ast_config) -> Option<Self> {
        NonNull::new(raw).map(Config)
    }

    /// The configuration for Asterisk's functions.
    pub fn as_ptr(&self) -> *mut ffi::ast_config {
        self.0.as_ptr()
    }

    /// The category after `category`, the first one after NULL; NULL at the end.
    ///
    /// # Safety
    /// `category` is NULL or one of this configuration's.
    pub unsafe fn next(
        &self,
        category: *mut ffi::ast_category,
        filter: Option<&CStr>,
    ) -> *mut ffi::ast_category {
        let filter: *const c_char = filter.map_or(ptr::null(), CStr::as_ptr);
        // SAFETY: CALLER, INVARIANT: a live configuration, and NULL or one of its categories.
        unsafe { ffi::ast_category_browse_filtered(self.as_ptr(), ptr::null(), category, filter) }
    }

    /// `main` is the name of the configuration's own file, which Asterisk does not record.
    pub fn categories(&self, main: &[u8], filter: Option<&CStr>) -> Vec<Category> {
        let mut categories = Vec::new();
        let mut files = FileNames::new(main);
        let mut category = ptr::null_mut();
        loop {
            // SAFETY: INVARIANT: NULL or a category of this configuration.
            category = unsafe { self.next(category, filter) };
            if category.is_null() {
                return categories;
            }
            // SAFETY: INVARIANT: a category of a live configuration.
            let name = unsafe { ffi::ast_category_get_name(category) };
            // SAFETY: HOST-STRINGS: the name lives as long as the category.
            let name = unsafe { text::bytes(name) };
            // SAFETY: INVARIANT: a category of a live configuration.
            let first = unsafe { ffi::ast_category_first(category) };
            // SAFETY: INVARIANT: as above.
            let template = unsafe { ffi::ast_category_is_template(category) };
            categories.push(Category {
                name: String::from_utf8_lossy(name).into_owned(),
                template: template != 0,
                // SAFETY: INVARIANT: the head of the category's own list, or NULL.
                variables: unsafe { variables(first, &mut files) },
            });
        }
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        // SAFETY: INVARIANT: destroyed once.
        unsafe { ffi::ast_config_destroy(self.0.as_ptr()) };
    }
}

/// The names of files. Lines of one file follow each other, and share its name.
pub(super) struct FileNames {
    main: Arc<str>,
    last: Option<Arc<str>>,
}

impl FileNames {
    pub fn new(main: &[u8]) -> Self {
        FileNames {
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

/// Copies the variables of a list.
///
/// # Safety
/// `first` is NULL or the head of a live list.
pub(super) unsafe fn variables(
    first: *const ffi::ast_variable,
    files: &mut FileNames,
) -> Vec<ConfigVariable> {
    let mut found = Vec::new();
    let mut next = first;
    // SAFETY: CALLER: NULL or an element of a live list.
    while let Some(variable) = unsafe { next.as_ref() } {
        next = variable.next;
        let texts = [variable.name, variable.value, variable.file];
        // SAFETY: HOST-STRINGS: the strings live as long as the element.
        let [name, value, file] = texts.map(|text| unsafe { text::bytes(text) });
        found.push(ConfigVariable {
            name: String::from_utf8_lossy(name).into_owned(),
            value: String::from_utf8_lossy(value).into_owned(),
            utf8: std::str::from_utf8(value).is_ok(),
            file: files.get(file),
            line: u32::try_from(variable.lineno).unwrap_or(0),
            inherited: variable.inherited != 0,
        });
    }
    found
}
