//! What databases hold, seen from outside of Asterisk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::instance::Instance;
use super::wait::wait_until;

impl Instance {
    /// A folder below the instance's own.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn realtime_file(&self) -> PathBuf {
        self.dir.join("lib/realtime.sqlite3")
    }

    /// Runs SQL on the realtime database and returns what it prints.
    #[track_caller]
    pub fn realtime_sql(&self, sql: &str) -> String {
        sqlite(&self.realtime_file(), sql)
    }

    /// The value of an AstDB key such as `/UserPresence/alice` as it is on disk
    /// now: Asterisk commits about once a second, and only that survives
    /// [`Instance::kill9`].
    ///
    /// Never looks into the database itself: where a reader holds its lock while
    /// Asterisk commits, Asterisk gives up and rolls back all of the last second,
    /// with one warning. So a copy is taken, without any lock, at a moment when
    /// no transaction is open (its journal is there as long as it is).
    #[track_caller]
    pub fn astdb_on_disk(&self, key: &str) -> Option<String> {
        let file = self.path("lib/astdb.sqlite3");
        let journal = self.path("lib/astdb.sqlite3-journal");
        let copy = self.path("astdb-copy.sqlite3");
        wait_until("AstDB without an open transaction", || {
            let before = changed(&file)?;
            fs::copy(&file, &copy).ok()?;
            let quiet = !journal.exists() && changed(&file)? == before;
            quiet.then_some(())
        });
        let key = key.replace('\'', "''");
        let sql = format!("SELECT '=' || value FROM astdb WHERE key = '{key}';");
        let line = sqlite(&copy, &sql);
        line.trim_end_matches('\n')
            .strip_prefix('=')
            .map(str::to_owned)
    }
}

/// When a file was last written to.
fn changed(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|data| data.modified()).ok()
}

/// Runs SQL with the `sqlite3` program, which waits while Asterisk writes.
#[track_caller]
fn sqlite(file: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .args(["-batch", "-cmd", ".timeout 30000"])
        .arg(file)
        .arg(sql)
        .output()
        .expect("the program sqlite3");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "sqlite3: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
