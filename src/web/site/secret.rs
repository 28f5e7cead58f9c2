//! What sessions are signed with, and those that have ended before their time: two files
//! below `astkeydir`, which nobody but Asterisk's own user reads.
//!
//! Not in AstDB: whoever may read that (`database show`, AMI's class `system`) could make a
//! session of anybody's, and whoever may write it could bring back one that has ended.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::web::access::session::{Ended, Id, MOST, Secret};
use asterisk::{astdb, crypt, log, system};
use presence::Time;
use presence::world::stored::{FAMILY, OLD_SECRET};

/// Not `.key`, which Asterisk's module `res_crypto` would read.
const SECRET: &str = "userpresence.secret";
const ENDED: &str = "userpresence.ended";

/// More is not read of a file: as many lines as there may be.
const LONGEST: u64 = 2 * MOST as u64 * 64;

/// The file of those that have ended, while it can be written.
static LOG: Mutex<Option<Log>> = Mutex::new(None);

struct Log {
    path: PathBuf,
    /// How many lines it has, about.
    lines: usize,
}

/// Reads both files, and makes the first one where there is none. `None` without random
/// numbers; nobody can log in then.
pub fn open() -> Option<(Secret, Ended)> {
    if astdb::get(FAMILY, OLD_SECRET).is_some() {
        match astdb::del(FAMILY, OLD_SECRET) {
            Ok(()) => log::notice(
                "The secret of HTTP sessions was removed from AstDB: all sessions have ended, log in \
                 again",
            ),
            Err(why) => log::warning(why),
        }
    }
    *LOG.lock() = None;
    let directory = system::key_directory();
    let path = directory.join(SECRET);
    let stored = read(&path).map(|text| Secret::restore(text.unwrap_or_default().trim_end()));
    let secret = match stored {
        Ok(Some(secret)) => secret,
        other => {
            let made = crypt::random().inspect_err(|why| log::warning(why)).ok()?;
            let made = Secret::new(made);
            let written = other.and_then(|_| write(&path, &format!("{}\n", made.stored())));
            if let Err(why) = written {
                log::warning(format_args!(
                    "Sessions over HTTP end with this run: '{}' cannot be used: {why}",
                    path.display()
                ));
                return Some((made, Ended::default()));
            }
            made
        }
    };
    Some((secret, read_ended(&directory)))
}

fn read_ended(directory: &Path) -> Ended {
    let (path, now) = (directory.join(ENDED), Time::now());
    let text = read(&path).unwrap_or_else(|why| {
        log::warning(format_args!(
            "The ended HTTP sessions cannot be read from '{}': {why}. A session that was logged \
             out may be valid again",
            path.display()
        ));
        None
    });
    let (mut ended, mut lines) = (Ended::default(), 0);
    let mut seen = HashSet::new();
    for line in text.unwrap_or_default().lines() {
        lines += 1;
        if let Some(id) = Id::restore(line).filter(|id| !id.is_over(now) && seen.insert(*id)) {
            ended.end(id, now);
        }
    }
    let mut log = Log { path, lines };
    // What is over, or was half written, is left out.
    if lines > ended.iter().count() {
        log.rewrite(ended.iter());
    }
    *LOG.lock() = Some(log);
    ended
}

/// Keeps that a session has ended. `all` gives all that have, should the file have to be
/// written anew. It waits for the disk: hold no lock.
pub fn keep_ended(id: &Id, all: impl FnOnce() -> Vec<Id>) {
    let mut log = LOG.lock();
    let Some(log) = log.as_mut() else {
        // The secret does not outlive this run either.
        return;
    };
    if log.lines >= 2 * MOST {
        return log.rewrite(all().iter());
    }
    log.lines += 1;
    let line = format!("{}\n", id.stored());
    let appended = || {
        let mut file = options().append(true).create(true).open(&log.path)?;
        file.write_all(line.as_bytes())?;
        file.sync_data()
    };
    log.complain(appended());
}

impl Log {
    fn rewrite<'a>(&mut self, all: impl Iterator<Item = &'a Id>) {
        let lines: Vec<String> = all.map(|id| format!("{}\n", id.stored())).collect();
        self.lines = lines.len();
        self.complain(write(&self.path, &lines.concat()));
    }

    fn complain(&self, written: io::Result<()>) {
        if let Err(why) = written {
            crate::runtime::store::warn_once("ended sessions", "", || {
                let path = self.path.display();
                format!(
                    "Logouts last only until the module is unloaded: '{path}' cannot be written: {why}"
                )
            });
        }
    }
}

/// Options for a file that nobody else reads. A pipe in its place holds up nobody.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// The text of a file; `None` where there is no file or it is no text. One that others may
/// read is closed to them.
fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match options().read(true).open(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        log::warning(format_args!(
            "'{}' had the mode {:03o}, others could read it; it is 600 now",
            path.display(),
            mode & 0o777
        ));
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok(String::from_utf8(text).ok())
}

/// Writes a file so that there is the old one or the whole new one, whatever happens.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(directory)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // One that a crash has left behind.
    let _ = fs::remove_file(&new);
    let written = || {
        let mut file = options().write(true).create_new(true).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    // The name too; not every file system can.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}
