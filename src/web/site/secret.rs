//! The secret that signs sessions, and the sessions that ended before they expired: two files
//! below `astkeydir`, readable by Asterisk's own user only.
//!
//! They are not in AstDB: anyone who can read it (`database show`, AMI class `system`) could
//! forge a session of any user, and anyone who can write it could restore an ended session.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use crate::web::access::session::{EndedSessions, MOST, SessionId, SessionSecret};
use asterisk::{astdb, crypt, log, system};
use presence::Time;
use presence::world::stored::{FAMILY, OLD_SECRET};

/// Not `.key`: Asterisk's `res_crypto` reads files with that name.
const SECRET: &str = "userpresence.secret";
const ENDED: &str = "userpresence.ended";

/// The most that is read of a file, in bytes: the longest file that this module writes.
const LONGEST: u64 = 2 * MOST as u64 * 64;

/// The file of ended sessions; `None` if it cannot be written.
static LOG: Mutex<Option<EndedLog>> = Mutex::new(None);

struct EndedLog {
    path: PathBuf,
    /// The approximate number of lines.
    lines: usize,
}

/// Reads both files, and creates the secret if there is none. `None` if the system has no
/// random numbers; logins are refused then.
pub fn open() -> Option<(SessionSecret, EndedSessions)> {
    if astdb::get(FAMILY, OLD_SECRET).is_some() {
        match astdb::del(FAMILY, OLD_SECRET) {
            Ok(()) => log::notice(
                "The secret of HTTP sessions was removed from AstDB: all sessions have ended; log in \
                 again",
            ),
            Err(why) => log::warning(why),
        }
    }
    *LOG.lock() = None;
    let directory = system::key_directory();
    let path = directory.join(SECRET);
    let stored =
        read(&path).map(|text| SessionSecret::restore(text.unwrap_or_default().trim_end()));
    let secret = match stored {
        Ok(Some(secret)) => secret,
        other => {
            let made = crypt::random().inspect_err(|why| log::warning(why)).ok()?;
            let made = SessionSecret::new(made);
            let written = other.and_then(|_| write(&path, &format!("{}\n", made.stored())));
            if let Err(why) = written {
                log::warning(format_args!(
                    "HTTP sessions end when the module is unloaded: '{}' cannot be used: {why}",
                    path.display()
                ));
                return Some((made, EndedSessions::default()));
            }
            made
        }
    };
    Some((secret, read_ended(&directory)))
}

fn read_ended(directory: &Path) -> EndedSessions {
    let (path, now) = (directory.join(ENDED), Time::now());
    let text = read(&path).unwrap_or_else(|why| {
        log::warning(format_args!(
            "The ended HTTP sessions cannot be read from '{}': {why}. A session that was ended by a \
             logout may be valid again",
            path.display()
        ));
        None
    });
    let (mut ended, mut lines) = (EndedSessions::default(), 0);
    let mut seen = HashSet::new();
    for line in text.unwrap_or_default().lines() {
        lines += 1;
        if let Some(id) = SessionId::restore(line).filter(|id| !id.is_over(now) && seen.insert(*id))
        {
            ended.end(id, now);
        }
    }
    let mut log = EndedLog { path, lines };
    // Drops expired sessions and lines that were written only in part.
    if lines > ended.iter().count() {
        log.rewrite(ended.iter());
    }
    *LOG.lock() = Some(log);
    ended
}

/// Stores that a session has ended. `all` returns all ended sessions, in case the file has to
/// be rewritten. Waits for the disk: hold no lock.
pub fn keep_ended(id: &SessionId, all: impl FnOnce() -> Vec<SessionId>) {
    let mut log = LOG.lock();
    let Some(log) = log.as_mut() else {
        // The secret is not stored either.
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

impl EndedLog {
    fn rewrite<'a>(&mut self, all: impl Iterator<Item = &'a SessionId>) {
        let lines: Vec<String> = all.map(|id| format!("{}\n", id.stored())).collect();
        self.lines = lines.len();
        self.complain(write(&self.path, &lines.concat()));
    }

    fn complain(&self, written: io::Result<()>) {
        if let Err(why) = written {
            crate::runtime::store::warn_once("ended sessions", "", || {
                let path = self.path.display();
                format!(
                    "Ended HTTP sessions are remembered only until the module is unloaded: '{path}' cannot be written: {why}"
                )
            });
        }
    }
}

/// Options for a file that no other user can read. A pipe in its place does not block.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    options
}

/// The text of a file; `None` if it does not exist or is not UTF-8. If other users can read
/// the file, its mode is set to 600.
fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match options().read(true).open(path) {
        Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mode = metadata.permissions().mode();
    if mode & 0o077 != 0 {
        log::warning(format_args!(
            "'{}' had mode {:03o}, so that other users could read it; the mode is now 600",
            path.display(),
            mode & 0o777
        ));
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text)?;
    Ok(String::from_utf8(text).ok())
}

/// Replaces a file: after a crash, either the old or the complete new file exists.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(directory)?;
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    // A crash may have left one behind.
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
    // Syncs the name too; not every file system supports this.
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
    Ok(())
}
