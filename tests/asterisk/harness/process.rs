//! One running program: started, watched, and ended by its own process id.

use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use super::wait::{PATIENCE, poll};

/// A child that never outlives the test run.
pub(super) struct Process {
    child: Child,
    /// Its stdin ends without a line if this process dies.
    guard: Child,
    name: &'static str,
}

impl Process {
    /// Starts `command` with its output in the file `output`.
    pub(super) fn start(name: &'static str, command: &mut Command, output: &Path) -> Self {
        Self::spawn(name, command.stdin(Stdio::null()), output)
    }

    /// As [`Process::start`], with a pipe to the program's standard input.
    pub(super) fn start_with_input(
        name: &'static str,
        command: &mut Command,
        output: &Path,
    ) -> (Self, ChildStdin) {
        let mut process = Self::spawn(name, command.stdin(Stdio::piped()), output);
        let input = process.child.stdin.take();
        (process, input.expect("a pipe, as asked for"))
    }

    fn spawn(name: &'static str, command: &mut Command, output: &Path) -> Self {
        let file = std::fs::File::options()
            .create(true)
            .append(true)
            .open(output)
            .unwrap_or_else(|error| panic!("{}: {error}", output.display()));
        let copy = file.try_clone().expect("a second handle of a file");
        let child = command
            .stdout(file)
            .stderr(copy)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        let guard = guard(child.id());
        Self { child, guard, name }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The exit status, if the program has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child")
    }

    /// Waits for the end of the program. Panics if it keeps running.
    #[track_caller]
    pub(super) fn wait(&mut self) -> ExitStatus {
        let name = self.name;
        poll(PATIENCE, || self.ended()).unwrap_or_else(|| panic!("{name} does not end"))
    }

    /// Sends SIGKILL and waits. Does nothing if the program has ended.
    pub(super) fn kill(&mut self) {
        // An unreaped child: no other process can have its id.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name, for example `TERM`.
    pub(super) fn signal(&mut self, signal: &str) {
        if self.ended().is_none() {
            // The shell's builtin: a small machine may have no program `kill`.
            let sent = Command::new("sh")
                .args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal])
                .arg(self.child.id().to_string())
                .status()
                .expect("a shell");
            assert!(sent.success(), "{signal} to {}: {sent}", self.name);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        // A line dismisses the guard, which then leaves alone a process id that may
        // belong to another process by now.
        use std::io::Write;
        if let Some(mut stdin) = self.guard.stdin.take() {
            let _ = stdin.write_all(b"done\n");
        }
        let _ = self.guard.wait();
    }
}

/// A shell that kills `pid` if this process dies unexpectedly (a cancelled or killed test
/// run): its stdin then ends without a line.
fn guard(pid: u32) -> Child {
    Command::new("sh")
        .args(["-c", "trap '' INT; read -r _ || kill -9 \"$1\"", "sh"])
        .arg(pid.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}
