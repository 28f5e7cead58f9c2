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

use super::session::{EndedSessions, MOST, SessionId, SessionSecret};
use crate::runtime::Runtime;
use presence::Time;
use presence::world::stored::{FAMILY, OLD_SECRET};

/// Not `.key`, which Asterisk's module `res_crypto` would read.
const SECRET: &str = "userpresence.secret";
const ENDED: &str = "userpresence.ended";

/// More is not read of a file: as many lines as there may be.
const LONGEST: u64 = 2 * MOST as u64 * 64;

/// The file of ended sessions, while it can be written.
pub struct EndedLog {
    path: PathBuf,
    /// How many lines it has, about.
    lines: usize,
}

/// The secret, the ended sessions, and the file that keeps those.
pub type Opened = (SessionSecret, EndedSessions, Option<EndedLog>);

impl Runtime {
    /// Reads both files, and makes the first one where there is none. `None` without random
    /// numbers: no session can begin then.
    pub(super) fn open_secret(&self) -> Option<Opened> {
        if self.host().get(FAMILY, OLD_SECRET).is_some() {
            match self.host().del(FAMILY, OLD_SECRET) {
                Ok(()) => log::info!(
                    "The secret of HTTP sessions was removed from AstDB: all sessions have ended, \
                     log in again"
                ),
                Err(why) => log::warn!("{why}"),
            }
        }
        let directory = self.host().key_directory();
        let path = directory.join(SECRET);
        let stored =
            read(&path).map(|text| SessionSecret::restore(text.unwrap_or_default().trim_end()));
        let secret = match stored {
            Ok(Some(secret)) => secret,
            other => {
                let mut random = [0; 32];
                getrandom::fill(&mut random)
                    .inspect_err(|why| log::warn!("the system gives no random numbers: {why}"))
                    .ok()?;
                let made = SessionSecret::new(random);
                let written = other.and_then(|_| write(&path, &format!("{}\n", made.stored())));
                if let Err(why) = written {
                    log::warn!(
                        "Sessions over HTTP end with this run: '{}' cannot be used: {why}",
                        path.display()
                    );
                    return Some((made, EndedSessions::default(), None));
                }
                made
            }
        };
        let (ended, log) = self.read_ended(&directory);
        Some((secret, ended, Some(log)))
    }

    fn read_ended(&self, directory: &Path) -> (EndedSessions, EndedLog) {
        let (path, now) = (directory.join(ENDED), Time::now());
        let text = read(&path).unwrap_or_else(|why| {
            log::warn!(
                "The ended HTTP sessions cannot be read from '{}': {why}. A session that was \
                 logged out may be valid again",
                path.display()
            );
            None
        });
        let (mut ended, mut lines) = (EndedSessions::default(), 0);
        let mut seen = HashSet::new();
        for line in text.unwrap_or_default().lines() {
            lines += 1;
            if let Some(id) =
                SessionId::restore(line).filter(|id| !id.is_over(now) && seen.insert(*id))
            {
                ended.end(id, now);
            }
        }
        let mut log = EndedLog { path, lines };
        // Lines of sessions that are over anyway, or half written, are left out.
        if lines > ended.iter().count() {
            let written = log.rewrite(ended.iter());
            self.warn_of_ended_log(&log.path, written);
        }
        (ended, log)
    }

    pub(super) fn warn_of_ended_log(&self, path: &Path, written: io::Result<()>) {
        if let Err(why) = written {
            self.warn_once("ended sessions", "", || {
                let path = path.display();
                format!(
                    "Logouts last only until the module is unloaded: '{path}' cannot be written: \
                     {why}"
                )
            });
        }
    }
}

impl EndedLog {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an ended session. `all` returns every ended session, should the file have to
    /// be written anew. It waits for the disk.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn append(
        &mut self,
        id: &SessionId,
        all: impl FnOnce() -> Vec<SessionId>,
    ) -> io::Result<()> {
        if self.lines >= 2 * MOST {
            return self.rewrite(all().iter());
        }
        self.lines += 1;
        let mut file = options().append(true).create(true).open(&self.path)?;
        file.write_all(format!("{}\n", id.stored()).as_bytes())?;
        file.sync_data()
    }

    fn rewrite<'a>(&mut self, all: impl Iterator<Item = &'a SessionId>) -> io::Result<()> {
        let lines: Vec<String> = all.map(|id| format!("{}\n", id.stored())).collect();
        self.lines = lines.len();
        write(&self.path, &lines.concat())
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
        log::warn!(
            "'{}' had the mode {:03o}, others could read it; it is 600 now",
            path.display(),
            mode & 0o777
        );
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
