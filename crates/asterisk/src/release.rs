//! The release of Asterisk that runs, and the one that the module was built for:
//! `asterisk/ast_version.h`.
//!
//! The loader compares build options only. Structures change from one minor release to the
//! next, and the core writes beyond the end of those that were compiled for another one.

mod known;

use std::ffi::CStr;

pub use self::known::{Known, Release, Remedy, Row, Verdict, verdict};
use super::{ffi, text};

/// Written by the build script: [`BUILT_FOR`], [`BUILD_OPTION_SUM`], [`SIZES`].
mod built {
    include!(concat!(env!("OUT_DIR"), "/release.rs"));
}

/// The rows of `asterisk-headers/known-good.txt`.
const KNOWN_GOOD: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../asterisk-headers/known-good.txt"
));

/// The version of the Asterisk that runs, such as `22.10.1~dfsg+~cs6.17.60671434-1`.
pub fn running() -> String {
    // SAFETY: HOST-GLOBALS: a constant of the core's.
    let version = unsafe { ffi::ast_get_version() };
    // SAFETY: HOST-STRINGS: it lives as long as Asterisk.
    let version = unsafe { text::bytes(version) };
    String::from_utf8_lossy(version).into_owned()
}

/// The version of the Asterisk whose headers the module was compiled with, such as
/// `22.10.1+dfsg+~cs6.17.60671434-1`.
pub fn built_for() -> &'static str {
    built::BUILT_FOR
}

/// The build option sum of those headers: Asterisk's loader refuses a module with another one
/// than its own.
pub fn build_option_sum() -> &'static str {
    built::BUILD_OPTION_SUM
}

/// Compares the structures that the module uses with what is known of those of a release.
pub fn known_of(release: &Release) -> Known {
    if cfg!(not(target_pointer_width = "64")) {
        return Known::Nothing;
    }
    // A test compares that each line is a row.
    let rows = known::rows(KNOWN_GOOD).unwrap_or_default();
    known::compare(release, built::SIZES, &rows)
}

/// What a module says of itself in one line of its file, which other programs look for.
#[macro_export]
macro_rules! module_label {
    ($text:expr) => {
        /// A line of text about this file, for programs that do not run it.
        #[unsafe(no_mangle)]
        pub static asterisk_module_label: [u8; $text.len() + 1] = $crate::release::with_nul($text);
    };
}

/// The text with a final NUL.
///
/// # Panics
/// `N` is not the length of the text and one more.
pub const fn with_nul<const N: usize>(text: &str) -> [u8; N] {
    assert!(text.len() + 1 == N, "the length of the text");
    let mut bytes = [0; N];
    let mut at = 0;
    while at < text.len() {
        bytes[at] = text.as_bytes()[at];
        at += 1;
    }
    bytes
}

/// Whether an option of a section of a file is true, as Asterisk understands `yes`, `on` and the
/// like. It uses none of the structures of a configuration, which may be others than those that
/// the module was compiled with.
pub fn is_set(file: &CStr, section: &CStr, option: &CStr) -> bool {
    let Ok(config) = super::config::read(file, 0) else {
        return false;
    };
    // SAFETY: HOST-COPIES: a live configuration, and C strings.
    let value =
        unsafe { ffi::ast_variable_retrieve(config.as_ptr(), section.as_ptr(), option.as_ptr()) };
    // SAFETY: HOST-COPIES, HOST-STRINGS: NULL, which is not true, or a string of the
    // configuration.
    unsafe { ffi::ast_true(value) != 0 }
}
