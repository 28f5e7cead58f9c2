//! The content of databases.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::SystemTime;

use super::instance::Instance;
use super::wait::wait_until;

impl Instance {
    pub(super) fn realtime_file(&self) -> PathBuf {
        self.dir.join("lib/realtime.sqlite3")
    }

    /// Runs SQL on the realtime database and returns what it prints.
    #[track_caller]
    pub fn realtime_sql(&self, sql: &str) -> String {
        sqlite(&self.realtime_file(), sql)
    }

    /// The value of an AstDB key such as `/UserPresence/alice` on disk. Asterisk commits
    /// about once a second, and only committed values survive [`Instance::kill9`].
    ///
    /// Never opens the database itself: if a reader holds its lock while Asterisk commits,
    /// Asterisk gives up and rolls back the last second with one warning. So this reads a
    /// copy, taken without a lock while no transaction is open (an open one has a journal).
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

impl Instance {
    /// Waits until the value of an AstDB key on disk contains this text.
    #[track_caller]
    pub fn wait_astdb_on_disk(&self, key: &str, text: &str) {
        wait_until(&format!("{text:?} in {key} on disk"), || {
            self.astdb_on_disk(key)?.contains(text).then_some(())
        });
    }

    /// The value of an AstDB key such as `DND/200`, as the console shows it. Over AMI
    /// Asterisk refuses the function `DB()`.
    #[track_caller]
    pub fn astdb(&self, key: &str) -> Option<String> {
        let (family, key) = key.split_once('/').expect("family and key");
        let shown = self.cli(&format!("database get {family} {key}"));
        let value = shown.strip_prefix("Value: ");
        assert!(value.is_some() || shown.contains("not found"), "{shown}");
        value.map(str::to_owned)
    }

    /// Waits until an AstDB key has this value, or none.
    #[track_caller]
    pub fn wait_astdb(&self, key: &str, value: Option<&str>) {
        wait_until(&format!("{key} to be {value:?}"), || {
            (self.astdb(key).as_deref() == value).then_some(())
        });
    }

    /// Sets an AstDB key on the console.
    #[track_caller]
    pub fn set_astdb(&self, key: &str, value: &str) {
        let (family, key) = key.split_once('/').expect("family and key");
        let answer = self.cli(&format!("database put {family} {key} \"{value}\""));
        assert!(answer.contains("successfully"), "{answer}");
    }
}

impl Instance {
    /// Has AstDB count what is written to each key from the next start on. Asterisk has to be
    /// stopped.
    #[track_caller]
    pub fn count_astdb_writes(&self) {
        let write = "INSERT INTO writes VALUES";
        let sql = format!(
            "CREATE TABLE writes (key TEXT); CREATE TRIGGER putting AFTER INSERT ON astdb BEGIN \
             {write} (NEW.key); END; CREATE TRIGGER deleting AFTER DELETE ON astdb BEGIN \
             {write} (OLD.key); END;"
        );
        sqlite(&self.path("lib/astdb.sqlite3"), &sql);
    }

    /// How often something was put into, or deleted from, each key of AstDB so far, see
    /// [`Instance::count_astdb_writes`]: one key in each line, as often as it was written.
    #[track_caller]
    pub fn astdb_writes(&self) -> Vec<String> {
        let shown = self.cli("database query \"SELECT key FROM writes ORDER BY rowid\"");
        let lines = shown.lines().filter_map(|line| line.split_once(": "));
        let keys = lines.filter(|(column, _)| column.trim() == "key");
        keys.map(|(_, key)| key.trim().to_owned()).collect()
    }
}

/// Another program's transaction on AstDB's file.
pub struct Lock {
    child: Child,
    input: ChildStdin,
}

impl Lock {
    /// Keeps Asterisk from reading and writing.
    #[track_caller]
    pub fn exclusive(ast: &Instance) -> Self {
        wait_until("a lock on AstDB", || {
            // From its first look at AstDB after a commit, Asterisk keeps a lock of its own until
            // the next commit.
            ast.cli("database put harness lock wanted");
            Self::begin(ast, "BEGIN EXCLUSIVE;\nSELECT 'locked';\n")
        })
    }

    /// Only reads: Asterisk accepts new values, but cannot commit them.
    #[track_caller]
    pub fn shared(ast: &Instance) -> Self {
        let lock = Self::begin(ast, "BEGIN;\nSELECT 'locked' FROM astdb LIMIT 1;\n");
        lock.expect("a lock on AstDB")
    }

    #[track_caller]
    fn begin(ast: &Instance, lines: &str) -> Option<Self> {
        let mut child = Command::new("sqlite3")
            .args(["-batch", "-bail"])
            .arg(ast.path("lib/astdb.sqlite3"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sqlite3");
        let mut input = child.stdin.take().expect("a pipe");
        let begin = format!(".timeout 5000\n{lines}");
        input.write_all(begin.as_bytes()).expect("an open pipe");
        let mut line = String::new();
        let output = child.stdout.take().expect("a pipe");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("an answer");
        if line.is_empty() {
            child.wait().expect("our own child");
            return None;
        }
        assert_eq!(line, "locked\n");
        Some(Lock { child, input })
    }

    /// Ends the transaction.
    #[track_caller]
    pub fn release(mut self) {
        self.input.write_all(b"COMMIT;\n").expect("an open pipe");
        drop(self.input);
        assert!(self.child.wait().expect("our own child").success());
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
