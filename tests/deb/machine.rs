//! A Debian of its own, with Debian's Asterisk: commands run in it as root.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Precedes a command's status in the output.
const END: &str = "-- end of the command, status ";

/// What a command printed on both outputs, and its status.
pub struct Done {
    pub text: String,
    pub status: i32,
}

/// Its processes end, and what it changed goes, when it is dropped.
pub struct Machine {
    shell: Child,
    commands: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Seen as `/mnt` inside.
    shared: PathBuf,
}

impl Machine {
    pub fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let shared = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("deb-{}-{number}", std::process::id()));
        // Mounted over by the script, which is another user where it is not root.
        fs::create_dir_all(shared.join("layers")).expect("a directory");
        let mut shell = Command::new("tests/deb/inside.sh")
            .args([&super::variable("USERPRESENCE_DEB_ROOT"), &shared])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("inside.sh");
        let mut machine = Self {
            commands: shell.stdin.take(),
            output: BufReader::new(shell.stdout.take().expect("an output")),
            shell,
            shared,
        };
        machine.ok("true");
        machine
    }

    /// Copies a file to `/mnt`, and returns its path there.
    pub fn bring(&self, file: &Path) -> String {
        let name = file.file_name().expect("a file");
        fs::copy(file, self.shared.join(name)).expect("a copy");
        format!("/mnt/{}", name.to_str().expect("UTF-8"))
    }

    /// Writes a file with the owner and mode of Asterisk's configuration.
    pub fn write(&mut self, path: &str, text: &str) {
        let owned = format!("chown asterisk:asterisk '{path}' && chmod 640 '{path}'");
        self.ok(&format!("cat >'{path}' <<'TEXT' && {owned}\n{text}\nTEXT"));
    }

    pub fn run(&mut self, command: &str) -> Done {
        let commands = self.commands.as_mut().expect("a shell");
        let text = format!("{{\n{command}\n}} </dev/null 2>&1\necho \"\n{END}$?\"\n");
        let sent = commands.write_all(text.as_bytes());
        sent.expect("the shell inside runs");
        let mut text = String::new();
        loop {
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("UTF-8");
            assert!(read > 0, "the shell ended in {command}:\n{text}");
            if let Some(status) = line.strip_prefix(END) {
                let status = status.trim().parse().expect("a status");
                return Done { text, status };
            }
            text.push_str(&line);
        }
    }

    /// Runs a command that has to succeed, and returns its output.
    #[track_caller]
    pub fn ok(&mut self, command: &str) -> String {
        let Done { text, status } = self.run(command);
        assert!(status == 0, "{command}: {status}\n{text}");
        text
    }

    /// Starts Asterisk as Debian's service does, and returns its process id.
    #[track_caller]
    pub fn start_asterisk(&mut self) -> String {
        let start = "asterisk -f -p -U asterisk -G asterisk >/var/log/asterisk/output 2>&1 &\n\
                     pid=$!\n\
                     until asterisk -rx 'core waitfullybooted' | grep -q 'fully booted'; do\n\
                         kill -0 $pid || exit\n\
                         sleep 0.1\n\
                     done >/dev/null 2>&1\n\
                     echo $pid";
        self.ok(start).trim().to_owned()
    }

    pub fn stop_asterisk(&mut self) {
        self.ok("asterisk -rx 'core stop now'; wait $pid");
    }

    /// What Asterisk's console says.
    #[track_caller]
    pub fn cli(&mut self, command: &str) -> String {
        self.ok(&format!("asterisk -rx '{command}'"))
    }

    /// Runs a command until its output contains a text, and returns that output.
    #[track_caller]
    pub fn until(&mut self, command: &str, text: &str) -> String {
        let wait = format!(
            "for try in $(seq 600); do\n\
                 it=$({command})\n\
                 case $it in *'{text}'*) echo \"$it\"; break ;; esac\n\
                 sleep 0.1\n\
             done"
        );
        let found = self.ok(&wait);
        assert!(!found.is_empty(), "'{command}' never says '{text}'");
        found
    }

    /// Whether Asterisk runs the module; `None` if Asterisk does not know it.
    #[track_caller]
    pub fn runs(&mut self) -> Option<bool> {
        let shown = self.cli("module show like res_userpresence");
        let line = shown.lines().find(|line| line.starts_with("res_user"))?;
        Some(!line.contains("Not Running"))
    }

    /// The paths of all files, without what Debian's tools and Asterisk write at any time.
    pub fn files(&mut self) -> Vec<String> {
        let unsteady = "/var/log /var/cache /var/lib/apt /tmp /mnt /run";
        let prune = unsteady.replace(' ', " -o -path ");
        let found = self.ok(&format!(
            "find / -xdev \\( -path {prune} \\) -prune -o -print | LC_ALL=C sort"
        ));
        // dpkg's copies of its own files from before a change; SQLite's file of a transaction.
        let is_kept = |path: &&str| {
            let copy = path.starts_with("/var/lib/dpkg/") && path.ends_with("-old");
            !copy && !path.ends_with("-journal")
        };
        found.lines().filter(is_kept).map(str::to_owned).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The shell is process 1 inside: all others end with it.
        drop(self.commands.take());
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        let _ = fs::remove_dir_all(&self.shared);
    }
}
