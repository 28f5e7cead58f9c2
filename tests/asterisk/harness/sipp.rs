//! One running `sipp`, with a scenario of `tests/sip`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::instance::Instance;
use super::process::Process;
use super::wait::{PATIENCE, poll};
use super::{paths, ports};

/// The key of a phone's refusal.
pub(super) const REFUSAL: &str = "refusal";
/// The key of a file of `tests/sip/forms` with a request.
pub(super) const FORM: &str = "form";

/// A `sipp` that writes every message to a file. It ends on drop.
pub struct Sipp {
    process: Mutex<Process>,
    port: u16,
    trace: PathBuf,
    output: PathBuf,
}

impl Sipp {
    /// Starts `tests/sip/SCENARIO.xml` with these keys and further arguments.
    #[track_caller]
    pub(super) fn start(
        instance: &Instance,
        scenario: &str,
        keys: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let file = instance.path(&format!("sip-{number}.xml"));
        let trace = instance.path(&format!("sip-{number}.trace"));
        let output = instance.path(&format!("sip-{number}.output"));
        let mut text = text(scenario);
        for (key, value) in keys.iter().filter(|(key, _)| *key == REFUSAL) {
            // sipp needs the status when it reads the scenario.
            text = text.replace(&format!("[{key}]"), value);
        }
        for (key, name) in keys.iter().filter(|(key, _)| *key == FORM) {
            let form = paths::repository_file(&format!("tests/sip/forms/{name}.sip"));
            text = text.replace(&format!("[{key}]"), &form);
        }
        fs::write(&file, text).expect("a file in our own directory");
        let port = ports::free();
        let mut command = Command::new("sipp");
        command
            .arg(format!("127.0.0.1:{}", instance.sip_port()))
            .arg("-sf")
            .arg(file)
            .args(["-i", "127.0.0.1", "-p", &port.to_string()])
            // An unexpected message does not abort the call: Asterisk sends it again.
            .args(["-default_behaviors", "all,-abortunexp"])
            .args(["-nostdin", "-trace_msg", "-message_file"])
            .arg(&trace)
            .args(arguments);
        for (key, value) in keys {
            command.args(["-key", key, value]);
        }
        Self {
            process: Mutex::new(Process::start("sipp", &mut command, &output)),
            port,
            trace,
            output,
        }
    }

    /// The port on which it listens.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Runs `tests/sip/publish.xml` as an endpoint with this password, up to the response of
    /// this status.
    #[track_caller]
    pub fn publish(instance: &Instance, endpoint: &str, password: &str, status: &str) {
        let keys = [("endpoint", endpoint), (REFUSAL, status)];
        let arguments = ["-au", endpoint, "-ap", password, "-m", "1"];
        let sipp = Self::start(instance, "publish", &keys, &arguments);
        sipp.wait_end(&format!("response {status} to a PUBLISH"));
    }

    /// Waits for the end of its scenario.
    #[track_caller]
    pub(super) fn wait_end(&self, what: &str) {
        let status = self.lock().wait();
        assert!(status.success(), "{}", self.problem(what, "refused"));
    }

    /// Waits until `probe` finds something in the received messages. Panics if sipp ends
    /// before.
    #[track_caller]
    pub(super) fn wait<T>(&self, what: &str, probe: impl Fn(&[String]) -> Option<T>) -> T {
        match self.wait_quietly(what, probe) {
            Ok(found) => found,
            Err(problem) => panic!("{problem}"),
        }
    }

    /// As [`Sipp::wait`], with the problem as an error.
    pub(super) fn wait_quietly<T>(
        &self,
        what: &str,
        probe: impl Fn(&[String]) -> Option<T>,
    ) -> Result<T, String> {
        let found = poll(PATIENCE, || {
            // Asked first, because messages received before the end still count.
            let ended = self.lock().ended();
            if let Some(found) = probe(&self.received()) {
                return Some(Ok(found));
            }
            Some(Err(format!("sipp ended with {}", ended?)))
        });
        match found {
            Some(Ok(found)) => Ok(found),
            Some(Err(problem)) => Err(self.problem(what, &problem)),
            None => Err(self.problem(what, "timeout")),
        }
    }

    /// Waits until its port is open. The kernel's list shows that; another socket would be in
    /// the way.
    #[track_caller]
    pub(super) fn wait_listening(&self) {
        let open = format!(":{:04X} ", self.port);
        self.wait("an open port", |_| {
            let sockets = fs::read_to_string("/proc/net/udp").ok()?;
            let mut lines = sockets.lines();
            lines.any(|line| line.contains(&open)).then_some(())
        });
    }

    fn problem(&self, what: &str, problem: &str) -> String {
        let output = fs::read_to_string(&self.output).unwrap_or_default();
        let received = self.received().join("\n");
        format!("no {what}: {problem}\n--- sipp ---\n{output}\n--- received ---\n{received}")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(|held| held.into_inner())
    }

    /// The complete messages received so far.
    pub(super) fn received(&self) -> Vec<String> {
        let bytes = fs::read(&self.trace).unwrap_or_default();
        let mut rest = bytes.as_slice();
        let mut all = Vec::new();
        while let Some(((size, received), tail)) = next_heading(rest) {
            let Some((message, tail)) = tail.split_at_checked(size) else {
                break;
            };
            if received {
                all.push(String::from_utf8_lossy(message).replace("\r\n", "\n"));
            }
            rest = tail;
        }
        all
    }
}

/// A scenario with the shared part inserted: sipp itself cannot include a file.
fn text(scenario: &str) -> String {
    let read = |name: &str| paths::repository_file(&format!("tests/sip/{name}"));
    read(&format!("{scenario}.xml")).replace("<!-- talk.xml -->", &read("talk.xml"))
}

/// The next message's size, whether it was received, and the bytes after its heading. The
/// heading is `UDP message received [941] bytes :` or `UDP message sent (287 bytes):` and
/// an empty line. The size skips the message itself, which may contain anything.
fn next_heading(bytes: &[u8]) -> Option<((usize, bool), &[u8])> {
    const WORD: &[u8] = b"UDP message ";
    let at = bytes.windows(WORD.len()).position(|part| part == WORD)?;
    let bytes = &bytes[at + WORD.len()..];
    let end = bytes.windows(2).position(|part| part == b"\n\n")?;
    let heading = std::str::from_utf8(&bytes[..end]).ok()?;
    let digits: String = heading.chars().filter(char::is_ascii_digit).collect();
    let size = digits.parse().ok()?;
    Some(((size, heading.starts_with("received")), &bytes[end + 2..]))
}
