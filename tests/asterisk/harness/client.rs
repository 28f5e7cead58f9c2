//! Real SIP clients of other makes: what each of them sees, and what it publishes.
//!
//! Each client runs without sound and screen, with a home directory below the instance's
//! and on a loopback port of its own. What it sees is in its own words: its log or its
//! programming interface says it, never the harness.
//!
//! A client gets one NOTIFY at the start and one for each change of the hint, so a test
//! names a NOTIFY by its number. Two states that look alike in a client are told apart.

mod baresip;
mod linphone;
mod pjsua;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::instance::Instance;
use super::ports;
use super::process::Process;
use super::wait::{PATIENCE, poll};

pub use self::{baresip::Baresip, linphone::Linphone, pjsua::Pjsua};

/// A client that watches one extension.
pub trait Watcher {
    /// Waits until the client has handled its NOTIFY with this number, from 1 on, and
    /// returns in the client's words what it sees then.
    fn wait_seen(&self, notify: usize) -> String;

    /// Waits until the client sees this.
    #[track_caller]
    fn wait_to_see(&self, expected: &str);
}

/// The account and the extension of a client.
#[derive(Clone, Copy)]
pub struct Line<'a> {
    /// An endpoint of [`super::Builder::sip`].
    pub endpoint: &'a str,
    /// The extension that the client watches.
    pub watches: &'a str,
}

/// A running client: a directory, a program that reads commands, and its output.
struct Program {
    process: Mutex<Process>,
    input: Mutex<ChildStdin>,
    name: &'static str,
    output: PathBuf,
}

/// The home directory of a client that starts.
struct Home {
    path: PathBuf,
    /// The client's SIP port.
    port: u16,
    /// `127.0.0.1:PORT` of the instance.
    server: String,
}

impl Home {
    fn new(instance: &Instance) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = instance.path(&format!("client-{number}"));
        // The session's directory, where a sound server would be looked for.
        fs::create_dir_all(path.join("run")).expect("a directory below our own");
        Self {
            path,
            port: ports::free(),
            server: format!("127.0.0.1:{}", instance.sip_port()),
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path.join(name), text).expect("our own directory");
    }

    /// Starts the client.
    fn start(&self, name: &'static str, command: &mut Command) -> Program {
        let output = self.path.join("output");
        command
            .current_dir(&self.path)
            .env("HOME", &self.path)
            .env("XDG_RUNTIME_DIR", self.path.join("run"))
            .env("LC_ALL", "C.UTF-8")
            .env_remove("DISPLAY");
        let (process, input) = Process::start_with_input(name, command, &output);
        Program {
            process: Mutex::new(process),
            input: Mutex::new(input),
            name,
            output,
        }
    }
}

impl Program {
    /// What the client has printed so far.
    fn printed(&self) -> String {
        let bytes = fs::read(&self.output).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Types a line.
    fn type_line(&self, line: &str) {
        let mut input = self.input.lock().unwrap_or_else(|held| held.into_inner());
        let written = writeln!(input, "{line}").and_then(|()| input.flush());
        if let Err(error) = written {
            panic!(
                "{} reads no commands: {error}\n{}",
                self.name,
                self.printed()
            );
        }
    }

    /// Waits until `probe` finds something in what the client has printed.
    #[track_caller]
    fn wait<T>(&self, what: &str, probe: impl Fn(&str) -> Option<T>) -> T {
        let found = poll(PATIENCE, || {
            // Asked first: what was printed before the end still counts.
            let ended = self.lock().ended();
            match probe(&self.printed()) {
                Some(found) => Some(Ok(found)),
                None => ended.map(Err),
            }
        });
        match found {
            Some(Ok(found)) => found,
            Some(Err(status)) => panic!(
                "no {what}: {} ended with {status}\n{}",
                self.name,
                self.printed()
            ),
            None => panic!("no {what}\n--- {} ---\n{}", self.name, self.printed()),
        }
    }

    /// Waits for the client's end.
    #[track_caller]
    fn wait_end(&self) -> ExitStatus {
        self.lock().wait()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(|held| held.into_inner())
    }
}

/// The lines of a text that begin with this prefix, without it.
fn lines_after<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines()
        .filter_map(move |line| line.strip_prefix(prefix))
}
