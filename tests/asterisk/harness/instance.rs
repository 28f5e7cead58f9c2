//! A running private Asterisk.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use super::ami::Ami;
use super::builder::{Builder, Ours};
use super::config::{self, ADMIN, Ports, SECRET};
use super::message::Message;
use super::paths::{self, Root};
use super::ports;
use super::process::Process;
use super::wait::{PATIENCE, poll, wait_until};

/// The module under test, as Asterisk names it.
pub const MODULE: &str = "res_userpresence.so";

/// One Asterisk with its own directories and ports. Dropping it ends exactly
/// its process and removes its directory; the directory stays, and the end of
/// the log is printed, where the test failed or `KEEP=1` is set.
pub struct Instance {
    root: Root,
    dir: PathBuf,
    ports: Ports,
    process: Mutex<Option<Process>>,
    /// The harness's own connection, made anew after a restart.
    control: Mutex<Option<Arc<Ami>>>,
}

impl Instance {
    /// An Asterisk with our release module.
    pub fn builder() -> Builder {
        Builder::new(Ours::Release)
    }

    /// An Asterisk with our module built with the `selftest` feature.
    pub fn selftest() -> Builder {
        Builder::new(Ours::Selftest)
    }

    /// An Asterisk without our module.
    pub fn stock() -> Builder {
        Builder::new(Ours::None)
    }

    #[track_caller]
    pub(super) fn create(builder: Builder) -> Self {
        let instance = Self {
            root: Root::find(),
            dir: private_dir(),
            ports: Ports {
                ami: ports::free(),
                sip: ports::free(),
                http: ports::free(),
            },
            process: Mutex::new(None),
            control: Mutex::new(None),
        };
        instance.lay_out(&builder);
        instance.start_again();
        instance
    }

    /// Writes all that the instance is made of.
    fn lay_out(&self, builder: &Builder) {
        for name in ["etc", "modules", "lib", "cache", "spool", "run", "log"] {
            fs::create_dir(self.dir.join(name)).expect("a directory below our own");
        }
        self.link_data();
        let mut modules: Vec<&str> = builder.modules.iter().map(String::as_str).collect();
        for name in &modules {
            self.provide_module(name);
        }
        if builder.ours != Ours::None {
            let file = paths::module(builder.ours == Ours::Selftest);
            self.install_module(&file);
            if builder.load_ours {
                modules.push("res_userpresence");
            }
        }

        self.write_config("asterisk.conf", &config::asterisk(&self.dir));
        self.write_config("modules.conf", &config::modules(modules.into_iter()));
        self.write_config("logger.conf", config::logger());
        self.write_config("manager.conf", &config::manager(self.ports, builder));
        self.write_config("http.conf", &config::http(self.ports, builder));
        self.write_config("ari.conf", &config::ari());
        self.write_config("extensions.conf", &config::extensions(builder));
        self.write_config("pjsip.conf", &config::pjsip(self.ports, builder));
        if let Some((families, sql)) = &builder.realtime {
            self.write_realtime(families, sql);
        }
        for (name, text) in config::QUIET {
            self.write_config(name, text);
        }
        for (name, text) in &builder.files {
            self.write_config(name, text);
        }
    }

    /// A data directory of our own, with links to what the root has, so that
    /// documentation can be added without touching the root.
    fn link_data(&self) {
        let (data, ours) = (self.root.data(), self.dir.join("data"));
        let thirdparty = ours.join("documentation/thirdparty");
        fs::create_dir_all(&thirdparty).expect("a directory below our own");
        for folder in ["", "documentation"] {
            for entry in fs::read_dir(data.join(folder)).expect("the root is complete") {
                let entry = entry.expect("a readable directory");
                let link = ours.join(folder).join(entry.file_name());
                if !link.exists() {
                    symlink(entry.path(), link).expect("a link below our own");
                }
            }
        }
        let doc = paths::repository().join("doc");
        for entry in fs::read_dir(doc).into_iter().flatten().flatten() {
            if entry.path().extension().is_some_and(|kind| kind == "xml") {
                fs::copy(entry.path(), thirdparty.join(entry.file_name())).expect("a copy");
            }
        }
    }

    fn write_realtime(&self, families: &[String], sql: &str) {
        let file = self.realtime_file();
        let mut map = "[settings]\n".to_owned();
        for family in families {
            map.push_str(&format!("{family} => sqlite3,harness\n"));
        }
        self.write_config("extconfig.conf", &map);
        // Batches are off because an open one locks out every other writer.
        let text = format!(
            "[harness]\ndbfile => {}\nbatch = 0\nbusy_timeout = 30000\n",
            file.display()
        );
        self.write_config("res_config_sqlite3.conf", &text);
        self.realtime_sql(sql);
    }

    fn realtime_file(&self) -> PathBuf {
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

    /// Starts Asterisk (again) in the same directories and waits until it is
    /// fully booted.
    #[track_caller]
    pub fn start_again(&self) {
        let (output, log) = (self.path("output.txt"), self.log().len());
        let process = Process::start("Asterisk", self.asterisk().arg("-f"), &output);
        let old = self.lock_process().replace(process);
        assert!(
            old.is_none_or(|mut old| old.ended().is_some()),
            "Asterisk is running already"
        );

        // The port opens before all modules are loaded; FullyBooted comes after
        // that, but before the core's own CLI commands and signal handlers.
        let ami = wait_until("AMI of a started Asterisk", || {
            let ended = self.lock_process().as_mut().and_then(Process::ended);
            assert!(ended.is_none(), "Asterisk ended at start: {ended:?}");
            Ami::connect(self.ports.ami, ADMIN, SECRET).ok()
        });
        ami.wait_event("a full boot", |event| event.is_event("FullyBooted"));
        self.wait_log_from(log, "Asterisk Ready");
        *self.lock_control() = Some(Arc::new(ami));
    }

    fn asterisk(&self) -> Command {
        let mut command = Command::new(self.root.loader());
        command
            .arg("--library-path")
            .arg(self.root.libraries())
            .arg(self.root.program())
            .arg("-C")
            .arg(self.path("etc/asterisk.conf"))
            .current_dir(&self.dir)
            .env("LC_ALL", "C.UTF-8");
        command
    }

    /// The output of `asterisk -rx COMMAND`: what an administrator's shell sees.
    #[track_caller]
    pub fn remote(&self, command: &str) -> String {
        let output = self.asterisk().args(["-rx", command]).output();
        let output = output.expect("asterisk -rx");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// What the CLI offers for the last, unfinished word of `line`.
    #[track_caller]
    pub fn complete(&self, line: &str) -> Vec<String> {
        let word = line.rsplit(' ').next().unwrap_or_default();
        let shown = self.remote(&format!("_command matchesarray \"{line}\" \"{word}\""));
        // First what all of them begin with, then each, then a mark.
        let words = shown.trim_end().split(' ').skip(1).map(str::to_owned);
        words.filter(|word| word != "_EOF_").collect()
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
        // Told to everyone who may know it; used up here.
        ami.wait_event("the greeting", |event| event.is_event("FullyBooted"));
        ami
    }

    /// A new AMI connection of another user.
    pub fn ami_as(&self, user: &str) -> Result<Ami, String> {
        Ami::connect(self.ports.ami, user, SECRET)
    }

    /// The output of a CLI command.
    #[track_caller]
    pub fn cli(&self, command: &str) -> String {
        self.control()
            .action(&[("Action", "Command"), ("Command", command)])
            .output()
    }

    /// The value of a function or global variable, for example
    /// `USER_PRESENCE(alice)`.
    ///
    /// A function that fails, is refused or does not exist is empty here: AMI
    /// looks at no function's result. The complaint is in the log.
    #[track_caller]
    pub fn getvar(&self, name: &str) -> String {
        let answer = self
            .control()
            .action(&[("Action", "Getvar"), ("Variable", name)]);
        match answer.get("Value") {
            Some(value) if answer.ok() => value.to_owned(),
            _ => panic!("Getvar {name}: {}", answer.text()),
        }
    }

    /// Sets a function or global variable. Panics where Asterisk refuses.
    #[track_caller]
    pub fn setvar(&self, name: &str, value: &str) {
        if let Err(error) = self.try_setvar(name, value) {
            panic!("Setvar {name}={value}: {error}");
        }
    }

    /// As [`Instance::setvar`], with Asterisk's message as the error.
    pub fn try_setvar(&self, name: &str, value: &str) -> Result<(), String> {
        let answer = self.control().try_action(&[
            ("Action", "Setvar"),
            ("Variable", name),
            ("Value", value),
        ])?;
        if answer.ok() {
            Ok(())
        } else {
            Err(answer.text().to_owned())
        }
    }

    /// Sets `CustomPresence:NAME` to `state[,subtype[,message[,options]]]`.
    #[track_caller]
    pub fn set_custom(&self, name: &str, value: &str) {
        self.setvar(&format!("PRESENCE_STATE(CustomPresence:{name})"), value);
    }

    /// Sets `Custom:NAME` to a device state, for example `INUSE`.
    #[track_caller]
    pub fn set_device(&self, name: &str, state: &str) {
        self.setvar(&format!("DEVICE_STATE(Custom:{name})"), state);
    }

    /// Writes a file in the configuration directory.
    #[track_caller]
    pub fn write_config(&self, name: &str, text: &str) {
        let path = self.config_path(name);
        if let Err(error) = fs::write(&path, text) {
            panic!("{}: {error}", path.display());
        }
    }

    /// The path of a file in the configuration directory.
    pub fn config_path(&self, name: &str) -> PathBuf {
        self.dir.join("etc").join(name)
    }

    /// Reloads our module; the response says whether that worked.
    #[track_caller]
    pub fn reload(&self) -> Message {
        self.module("reload", MODULE)
    }

    /// Loads a module, ours or one of Asterisk's.
    #[track_caller]
    pub fn load_module(&self, name: &str) -> Message {
        if !self.path("modules").join(name).exists() {
            self.provide_module(name.trim_end_matches(".so"));
        }
        self.module("load", name)
    }

    /// Unloads a module.
    #[track_caller]
    pub fn unload_module(&self, name: &str) -> Message {
        self.module("unload", name)
    }

    fn module(&self, kind: &str, name: &str) -> Message {
        self.control().action(&[
            ("Action", "ModuleLoad"),
            ("LoadType", kind),
            ("Module", name),
        ])
    }

    /// Copies one of Asterisk's modules; AMI's `ModuleLoad` refuses a link that
    /// leads out of the module directory.
    fn provide_module(&self, name: &str) {
        let file = format!("{name}.so");
        let from = self.root.modules().join(&file);
        if let Err(error) = fs::copy(&from, self.path("modules").join(&file)) {
            panic!("{}: {error}", from.display());
        }
    }

    /// Puts a build of our module in place, for the next load.
    pub fn install_module(&self, file: &Path) {
        // Never written into a file that Asterisk may have mapped.
        let to = self.path("modules").join(MODULE);
        let _ = fs::remove_file(&to);
        fs::copy(file, to).expect("a copy of our module");
    }

    /// The whole log so far, restarts included.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.path("log/full.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until a line of the log contains `text`, and returns that line.
    #[track_caller]
    pub fn wait_log(&self, text: &str) -> String {
        self.wait_log_from(0, text)
    }

    /// As [`Instance::wait_log`], for what comes after the first `bytes` of the
    /// log: take `log().len()` before you act.
    #[track_caller]
    pub fn wait_log_from(&self, bytes: usize, text: &str) -> String {
        wait_until(&format!("{text:?} in the log"), || {
            let log = self.log();
            log.get(bytes..)?
                .lines()
                .find(|line| line.contains(text))
                .map(str::to_owned)
        })
    }

    /// The WARNING and ERROR lines of the log, up to this moment.
    ///
    /// A thread writes Asterisk's log, so a mark is sent after whatever is still
    /// in its queue: a question for a function that does not exist.
    #[track_caller]
    pub fn complaints(&self) -> Vec<String> {
        const MARK: &str = "HARNESS_MARK_";
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{MARK}{}", COUNT.fetch_add(1, Ordering::Relaxed));
        self.getvar(&format!("{mark}()"));
        self.wait_log(&format!("{mark} not registered"));
        self.log()
            .lines()
            .filter(|line| line.contains("WARNING[") || line.contains("ERROR["))
            .filter(|line| !line.contains(MARK))
            .map(str::to_owned)
            .collect()
    }

    /// SIGKILL: what was not written by now is lost.
    pub fn kill9(&self) {
        self.forget_control();
        if let Some(process) = self.lock_process().as_mut() {
            process.kill();
        }
    }

    /// The end that `core stop now` and a service manager's stop make: Asterisk
    /// shuts down, but unloads no module.
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
        // Not through AMI, whose own thread would then wait for itself.
        self.remote("core stop gracefully");
        self.forget_control();
        let mut process = self.lock_process();
        process.as_mut().expect("Asterisk was started").wait()
    }

    /// Whether the process is there.
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

    /// Where SIP listens on 127.0.0.1.
    pub fn sip_port(&self) -> u16 {
        self.ports.sip
    }

    /// Where HTTP listens on 127.0.0.1.
    pub fn http_port(&self) -> u16 {
        self.ports.http
    }

    fn forget_control(&self) {
        *self.lock_control() = None;
    }

    // A test that panicked while it held one of these must still clean up.
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
    /// What a failed test should show.
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

/// A new directory with a short name: the path of Asterisk's control socket
/// below it may have some 100 bytes. Resolved, because Asterisk compares
/// resolved paths with configured ones.
fn private_dir() -> PathBuf {
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
