//! Machines of a test's own: network namespaces with a cable each to a common switch, which is
//! in a namespace too. Nothing of them shows in the machine's own network.

use std::fs::{self, File};
use std::io;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

/// The folder where `ip netns` keeps the namespaces by their names.
const FOLDER: &str = "/var/run/netns";
/// What the names begin with; the process id follows.
const PREFIX: &str = "userpresence-";

/// One machine.
#[derive(Clone)]
pub(super) struct Namespace {
    name: String,
    /// Its address on the common network.
    pub(super) address: String,
}

/// The machines. Dropping it removes them: their processes should have ended before.
pub(super) struct Network {
    machines: Vec<Namespace>,
    switch: String,
}

impl Network {
    /// That many machines, which reach each other; or why this is not possible here.
    pub(super) fn make(count: usize) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_abandoned();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = |of: &str| format!("{PREFIX}{}-{number}-{of}", std::process::id());
        let machine = |at: usize| Namespace {
            name: name(&at.to_string()),
            address: format!("10.77.0.{}", at + 1),
        };
        // From here on, what was made is removed if a step fails.
        let network = Self {
            machines: (0..count).map(machine).collect(),
            switch: name("switch"),
        };
        let switch = &network.switch;
        ip(&format!("netns add {switch}"))?;
        ip(&format!("-n {switch} link add switch type bridge"))?;
        ip(&format!("-n {switch} link set switch up"))?;
        for (at, Namespace { name, address }) in network.machines.iter().enumerate() {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
            ip(&format!(
                "-n {switch} link add cable{at} type veth peer name eth0 netns {name}"
            ))?;
            ip(&format!("-n {switch} link set cable{at} master switch up"))?;
            ip(&format!("-n {name} address add {address}/24 dev eth0"))?;
            ip(&format!("-n {name} link set eth0 up"))?;
            ip(&format!("netns exec {name} true"))?;
        }
        Ok(network)
    }

    pub(super) fn machine(&self, at: usize) -> &Namespace {
        &self.machines[at]
    }

    /// Pulls a machine's cable out of the switch: packets vanish, and no connection ends.
    #[track_caller]
    pub(super) fn pull(&self, at: usize) {
        self.set_cable(at, "down");
    }

    /// Plugs the cable in again.
    #[track_caller]
    pub(super) fn plug(&self, at: usize) {
        self.set_cable(at, "up");
    }

    #[track_caller]
    fn set_cable(&self, at: usize, to: &str) {
        let done = ip(&format!("-n {} link set cable{at} {to}", self.switch));
        done.unwrap_or_else(|why| panic!("{why}"));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let machines = self.machines.iter().map(|machine| &machine.name);
        for name in machines.chain([&self.switch]) {
            remove(name);
        }
    }
}

impl Namespace {
    /// The same command, run on this machine. It keeps its process id.
    pub(super) fn command(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            inside.current_dir(dir);
        }
        inside
    }

    /// Connects to a port on this machine's loopback.
    pub(super) fn connect(&self, port: u16) -> io::Result<TcpStream> {
        let namespace = File::open(Path::new(FOLDER).join(&self.name))?;
        let connect = || {
            // SAFETY: the file is open. This moves the calling thread alone, which ends at once.
            let moved = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
            match moved {
                0 => TcpStream::connect(("127.0.0.1", port)),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // A connection stays where it was made.
        thread::scope(|scope| scope.spawn(connect).join().expect("no panic"))
    }
}

/// Runs the program `ip` with these arguments.
fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip").args(arguments.split(' ')).output();
    let output = output.map_err(|why| format!("ip: {why}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!(
            "ip {arguments}: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )),
    }
}

/// Removes a namespace, if it is there, and its end of every cable.
fn remove(name: &str) {
    if Path::new(FOLDER).join(name).exists() {
        let _ = ip(&format!("netns delete {name}"));
    }
}

/// Removes what test runs that were killed have left.
fn remove_abandoned() {
    for entry in fs::read_dir(FOLDER).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let Some(name) = file.to_str() else {
            continue;
        };
        let rest = name.strip_prefix(PREFIX);
        let pid = rest.and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            remove(name);
        }
    }
}
