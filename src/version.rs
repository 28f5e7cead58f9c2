//! What runs: the module's version and commit, the Asterisk that it was built for and the one
//! that it runs in, and whether its file still holds the code that runs.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::elf;
use asterisk::image;
use asterisk::release::{self, Release};

/// The module's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that the module was built from, or `unknown`.
pub const COMMIT: &str = env!("USERPRESENCE_COMMIT");

/// The Asterisk that the module was built for, and the one that it runs in.
pub struct Releases {
    /// The full version of the headers.
    pub built_for: &'static str,
    /// The full version of the running Asterisk.
    pub runs_in: String,
}

impl Releases {
    /// As they are.
    pub fn now() -> Self {
        Releases {
            built_for: release::built_for(),
            runs_in: release::running(),
        }
    }

    /// Whether the module runs in another release than it was built for.
    pub fn differ(&self) -> bool {
        Release::of(self.built_for) != Release::of(&self.runs_in)
    }
}

/// What the module's file holds now. The code stays mapped after an unload, and the next load
/// runs it again, whatever the file holds by then.
pub enum ModuleFile {
    /// The build that runs.
    Same(PathBuf),
    /// Another build.
    Replaced(PathBuf),
    /// The file cannot be read.
    Unreadable(PathBuf, io::Error),
    /// The loader does not list the running code, or it has no build id.
    Unknown,
}

impl ModuleFile {
    /// Reads the file.
    pub fn now() -> Self {
        let Some(image) = image::running() else {
            return ModuleFile::Unknown;
        };
        let Some(running) = image.notes.iter().find_map(|notes| elf::in_notes(notes)) else {
            return ModuleFile::Unknown;
        };
        match File::open(&image.file) {
            Err(why) => ModuleFile::Unreadable(image.file, why),
            Ok(mut file) => match elf::build_id(&mut file).as_deref() == Some(running) {
                true => ModuleFile::Same(image.file),
                false => ModuleFile::Replaced(image.file),
            },
        }
    }

    /// The file's path; `None` if it is not known.
    pub fn path(&self) -> Option<&Path> {
        match self {
            ModuleFile::Same(path)
            | ModuleFile::Replaced(path)
            | ModuleFile::Unreadable(path, _) => Some(path),
            ModuleFile::Unknown => None,
        }
    }

    /// Whether the file is another build than the one that runs; `None` if it is not known.
    pub fn is_replaced(&self) -> Option<bool> {
        match self {
            ModuleFile::Same(_) => Some(false),
            ModuleFile::Replaced(_) => Some(true),
            ModuleFile::Unreadable(..) | ModuleFile::Unknown => None,
        }
    }
}
