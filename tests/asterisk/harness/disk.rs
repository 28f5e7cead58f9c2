//! What databases hold, seen from outside of Asterisk.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::instance::Instance;

impl Instance {
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
    #[track_caller]
    pub fn astdb_on_disk(&self, key: &str) -> Option<String> {
        let file = self.dir.join("lib/astdb.sqlite3");
        let key = key.replace('\'', "''");
        let sql = format!("SELECT '=' || value FROM astdb WHERE key = '{key}';");
        let line = sqlite(&file, &sql);
        line.trim_end_matches('\n')
            .strip_prefix('=')
            .map(str::to_owned)
    }
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
