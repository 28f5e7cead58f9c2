//! A running private Asterisk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::ami::Ami;
use super::builder::{Builder, Ours};
use super::config::{ADMIN, Ports, SECRET};
use super::namespace::Namespace;
use super::ports;
use super::process::Process;
use super::root::root;
use super::wait::{PATIENCE, poll, wait_until};

/// The file name of the module under test.
pub const MODULE: &str = "res_userpresence.so";

/// One Asterisk with its own directories and ports. Dropping it ends exactly its process
/// and removes its directory. If the test failed or `KEEP=1` is set, the directory stays
/// and the end of the log is printed.
pub struct Instance {
    pub(super) dir: PathBuf,
    pub(super) ports: Ports,
    environment: Vec<(&'static str, String)>,
    namespace: Option<Namespace>,
    process: Mutex<Option<Process>>,
    /// The harness's own connection, made again after a restart.
    control: Mutex<Option<Arc<Ami>>>,
}

impl Instance {
    /// An Asterisk with the release build of the module.
    pub fn builder() -> Builder {
        Builder::new(Ours::Release)
    }

    /// An Asterisk with the module built with the feature `selftest`.
    pub fn selftest() -> Builder {
        Builder::new(Ours::Selftest)
    }

    /// An Asterisk without the module.
    pub fn stock() -> Builder {
        Builder::new(Ours::None)
    }

    #[track_caller]
    pub(super) fn create(builder: Builder) -> Self {
        let instance = Self {
            dir: private_dir(),
            ports: Ports {
                ami: ports::free(),
                sip: ports::free(),
                http: ports::free(),
            },
            environment: builder.environment.clone(),
            namespace: builder.namespace.clone(),
            process: Mutex::new(None),
            control: Mutex::new(None),
        };
        instance.lay_out(&builder);
        instance.start_again();
        instance
    }

    /// Starts Asterisk, or restarts it, in the same directories and waits until it is fully
    /// booted.
    #[track_caller]
    pub fn start_again(&self) {
        let (output, log) = (self.path("output.txt"), self.log().len());
        let process = Process::start("Asterisk", self.asterisk().arg("-f"), &output);
        let old = self.lock_process().replace(process);
        assert!(
            old.is_none_or(|mut old| old.ended().is_some()),
            "Asterisk is running already"
        );

        // The port opens before all modules are loaded. FullyBooted comes afterwards, but
        // before the core's own CLI commands and signal handlers.
        let ami = wait_until("AMI of a started Asterisk", || {
            let ended = self.lock_process().as_mut().and_then(Process::ended);
            assert!(ended.is_none(), "Asterisk ended at start: {ended:?}");
            self.ami_as(ADMIN).ok()
        });
        let booted = ami.wait_event_for(PATIENCE, |event| event.is_event("FullyBooted"));
        assert!(booted.is_some(), "Asterisk did not come up");
        self.wait_log_from(log, "Asterisk Ready");
        *self.lock_control() = Some(Arc::new(ami));
    }

    /// The program, run by the root's own loader, with the instance's configuration.
    pub(super) fn asterisk(&self) -> Command {
        let mut command = valgrind(root().loader());
        command
            .arg("--library-path")
            .arg(root().libraries())
            .arg(root().program())
            .arg("-C")
            .arg(self.path("etc/asterisk.conf"))
            .current_dir(&self.dir)
            .env("LC_ALL", "C.UTF-8")
            .envs(self.environment.iter().map(|(name, value)| (*name, value)));
        match &self.namespace {
            None => command,
            Some(namespace) => namespace.command(&command),
        }
    }

    /// The harness's own AMI connection.
    pub(super) fn control(&self) -> Arc<Ami> {
        let control = self.lock_control();
        Arc::clone(control.as_ref().expect("Asterisk is running"))
    }

    /// A new AMI connection with all rights.
    #[track_caller]
    pub fn ami(&self) -> Ami {
        let ami = self.ami_as(ADMIN).expect("the administrator may log in");
        // Every authorised client gets this event; here it is used up.
        ami.wait_event("the greeting", |event| event.is_event("FullyBooted"));
        ami
    }

    /// A new AMI connection of another user.
    pub fn ami_as(&self, user: &str) -> Result<Ami, String> {
        match &self.namespace {
            None => Ami::connect(self.ports.ami, user, SECRET),
            Some(namespace) => {
                let stream = namespace.connect(self.ports.ami);
                Ami::log_in(stream.map_err(|why| why.to_string())?, user, SECRET)
            }
        }
    }

    /// SIGKILL: everything not written yet is lost.
    pub fn kill9(&self) {
        self.forget_control();
        if let Some(process) = self.lock_process().as_mut() {
            process.kill();
        }
    }

    /// Stops Asterisk like `core stop now` or a service manager: it shuts down without
    /// unloading any module.
    #[track_caller]
    pub fn stop(&self) -> ExitStatus {
        self.forget_control();
        let mut process = self.lock_process();
        let process = process.as_mut().expect("Asterisk was started");
        process.signal("TERM");
        process.wait()
    }

    /// `core stop gracefully`: waits for calls to end and unloads every module.
    #[track_caller]
    pub fn stop_gracefully(&self) -> ExitStatus {
        // Not over AMI, whose own thread would wait for itself.
        self.remote("core stop gracefully");
        self.forget_control();
        let mut process = self.lock_process();
        process.as_mut().expect("Asterisk was started").wait()
    }

    /// Stops Asterisk, gracefully or at once, which has to succeed, and starts it again.
    #[track_caller]
    pub fn restart(&self, graceful: bool) {
        let status = match graceful {
            true => self.stop_gracefully(),
            false => self.stop(),
        };
        assert!(status.success(), "{status}");
        self.start_again();
    }

    /// Whether the process is running.
    pub fn running(&self) -> bool {
        let mut process = self.lock_process();
        process.as_mut().is_some_and(|it| it.ended().is_none())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        let process = self.lock_process();
        process.as_ref().expect("Asterisk was started").id()
    }

    /// A path below the instance's directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// The port of SIP on 127.0.0.1.
    pub fn sip_port(&self) -> u16 {
        self.ports.sip
    }

    /// The port of HTTP on 127.0.0.1.
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }

    fn forget_control(&self) {
        *self.lock_control() = None;
    }

    // A test that panics while it holds one of these must still clean up.
    fn lock_process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(|held| held.into_inner())
    }

    fn lock_control(&self) -> MutexGuard<'_, Option<Arc<Ami>>> {
        self.control.lock().unwrap_or_else(|held| held.into_inner())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.forget_control();
        let ended = self.lock_process().as_mut().and_then(Process::ended);
        *self.lock_process() = None;
        let failed = std::thread::panicking();
        if failed {
            eprintln!("{}", self.last_words(ended));
        }
        if failed || std::env::var_os("KEEP").is_some() {
            eprintln!("kept: {}", self.dir.display());
        } else {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Instance {
    /// The text that a failed test prints.
    fn last_words(&self, ended: Option<ExitStatus>) -> String {
        let output = fs::read(self.path("output.txt")).unwrap_or_default();
        let mut text = match ended {
            Some(status) => format!("Asterisk had ended before the test did: {status}\n"),
            None => String::new(),
        };
        for (name, content) in [
            ("output", String::from_utf8_lossy(&output).into_owned()),
            ("log", self.log()),
        ] {
            let lines: Vec<&str> = content.lines().collect();
            let tail = &lines[lines.len().saturating_sub(50)..];
            text.push_str(&format!(
                "--- end of Asterisk's {name} ---\n{}\n",
                tail.join("\n")
            ));
        }
        text
    }
}

/// A new directory with a short name, because the path of Asterisk's control socket below
/// it may have about 100 bytes at most. The path is resolved, because Asterisk compares
/// resolved paths with configured ones.
pub(super) fn private_dir() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let temp = std::env::temp_dir()
        .canonicalize()
        .expect("a directory for temporary files");
    poll(PATIENCE, || {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = temp.join(format!("userpresence-{}-{count}", std::process::id()));
        fs::create_dir(&dir).ok().map(|()| dir)
    })
    .expect("a new directory for temporary files")
}

/// The command for a program; under valgrind, with a report in the folder
/// `USERPRESENCE_VALGRIND`, if that is set (`make valgrind`).
fn valgrind(program: &Path) -> Command {
    let Some(folder) = std::env::var_os("USERPRESENCE_VALGRIND").map(PathBuf::from) else {
        return Command::new(program);
    };
    // Its own root: valgrind needs the debug information of the root's C library.
    let root = folder.join("root");
    let mut command = Command::new(root.join("usr/libexec/valgrind/memcheck-amd64-linux"));
    command
        .env("VALGRIND_LIB", root.join("usr/libexec/valgrind"))
        .env("VALGRIND_LAUNCHER", root.join("usr/bin/valgrind.bin"))
        .args([
            "--leak-check=full",
            "--show-leak-kinds=definite",
            "--num-callers=30",
        ])
        .arg(format!(
            "--extra-debuginfo-path={}",
            root.join("usr/lib/debug").display()
        ))
        .arg(format!("--log-file={}", folder.join("%p.txt").display()))
        .arg(program);
    command
}
