//! The folder of the files that only Asterisk's own user may read: `keys` below `astkeydir`, or
//! `keys` beside AstDB's file where Asterisk cannot write there. With Debian's own
//! `asterisk.conf`, `astkeydir` is a directory of root.
//!
//! The folder may become another one between two loads, so each file moves to the folder in use.
//! Of two files, the one that was written later counts.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::own_passwords::{self, LONGEST};
use super::secret;
use crate::runtime::Runtime;

/// The files that move.
const FILES: [&str; 3] = [own_passwords::FILE, secret::SECRET, secret::ENDED];
/// A file that is created to see whether one can be, and removed.
const PROBE: &str = "userpresence.probe";

impl Runtime {
    /// The folder, which is chosen once for each load. The first call waits for the disk.
    pub(in crate::runtime) fn key_folder(&self) -> PathBuf {
        let chosen = self.sessions.keys.lock().clone();
        chosen.unwrap_or_else(|| {
            let beside_astdb = self.host().database_file().with_file_name("keys");
            let folder = choose(self.host().key_directory(), beside_astdb);
            self.sessions.keys.lock().get_or_insert(folder).clone()
        })
    }
}

/// The first folder if it can be written, else the second if that one can. Where neither can, it
/// is the first, and the log says why when a file cannot be written there.
fn choose(first: PathBuf, second: PathBuf) -> PathBuf {
    if first == second {
        return first;
    }
    let (used, other) = match probe(&first) {
        Ok(()) => (&first, &second),
        Err(why) if probe(&second).is_ok() => {
            log::info!(
                "'{}' cannot be written ({why}), so that '{}' holds the secret of HTTP sessions \
                 and the passwords that people choose",
                first.display(),
                second.display()
            );
            (&second, &first)
        }
        Err(_) => return first,
    };
    for file in FILES {
        if let Err(why) = move_newer(&other.join(file), &used.join(file)) {
            log::warn!(
                "'{}' cannot be taken over into '{}': {why}. The files stay where they are",
                other.join(file).display(),
                used.display()
            );
            return other.clone();
        }
    }
    used.clone()
}

/// Whether files can be created in a folder, which is created if it is missing.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(PROBE);
    // A crash may have left one behind.
    let _ = fs::remove_file(&path);
    secret::create(&path).map(drop)?;
    fs::remove_file(&path)
}

/// When a file was written; `None` if there is none.
fn written(path: &Path) -> io::Result<Option<SystemTime>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.modified().map(Some),
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(why) => Err(why),
    }
}

/// Moves a file to another place, unless a later one is there. Where the old one cannot be
/// removed, it stays, and is the older one.
fn move_newer(from: &Path, to: &Path) -> io::Result<()> {
    let when = written(from)?;
    if when.is_none() || when <= written(to)? {
        return Ok(());
    }
    let bytes = secret::read_up_to(from, LONGEST + 1)?.unwrap_or_default();
    if bytes.len() as u64 > LONGEST {
        return Err(io::Error::other(format!(
            "it is longer than {LONGEST} bytes"
        )));
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("it is not UTF-8"))?;
    secret::write(to, &text)?;
    // It counts as written when the old one was: a clock may have been set back.
    if let Some(when) = when {
        File::options().write(true).open(to)?.set_modified(when)?;
    }
    let _ = fs::remove_file(from);
    log::info!("'{}' was moved to '{}'", from.display(), to.display());
    Ok(())
}
