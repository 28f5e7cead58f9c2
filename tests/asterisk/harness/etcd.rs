//! Members of etcd of a test's own, on loopback ports, ended by their process ids.
//! `tests/asterisk/etcd.sh` unpacks the programs.
//!
//! ```ignore
//! let etcd = EtcdCluster::start(3);
//! let links = etcd.links();
//! let config = format!("[cluster]\ntype = cluster\nservers = {}\n", links.servers());
//! links.set(Link::Stalled);
//! etcd.kill(etcd.leader());
//! ```

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use super::cut::{Cut, Link};
use super::namespace::{Namespace, Network};
use super::paths::repository;
use super::ports;
use super::process::Process;
use super::wait::{PATIENCE, poll, wait_until};

mod admin;
mod certificates;
mod source;

pub use certificates::Certificates;

/// How the members are started.
pub struct EtcdBuilder {
    members: usize,
    tls: bool,
    client_certificates: bool,
    user: Option<(String, String, String)>,
    arguments: Vec<String>,
    network: Option<Arc<Network>>,
}

/// A cluster; dropping it ends its members and removes their data.
pub struct EtcdCluster {
    dir: PathBuf,
    members: Vec<Member>,
    certificates: Option<Certificates>,
    client_certificates: bool,
    arguments: Vec<String>,
    /// User and password of etcd's root, once authentication is on.
    root: Mutex<Option<&'static str>>,
    /// The process ids of the members, by which their connections are known.
    pids: Arc<Mutex<Vec<Option<u32>>>>,
}

struct Member {
    client: u16,
    peer: u16,
    /// Before the peers' port, with a link for each other member; none on a machine of its own.
    cut: Option<Cut>,
    /// The machine of its own.
    namespace: Option<Namespace>,
    process: Mutex<Option<Process>>,
}

/// One client's links to the members.
pub struct Links {
    cuts: Vec<Cut>,
    scheme: &'static str,
}

impl EtcdBuilder {
    /// Clients speak TLS: `ca.pem` vouches for the members.
    pub fn tls(mut self) -> Self {
        self.tls = true;
        self
    }

    /// Clients speak TLS and need a certificate: [`EtcdCluster::certificates`] has one.
    pub fn client_certificates(mut self) -> Self {
        self.client_certificates = true;
        self.tls()
    }

    /// Clients need this user and password, and the user may use the keys below the prefix
    /// alone.
    pub fn user(mut self, name: &str, password: &str, prefix: &str) -> Self {
        self.user = Some((name.to_owned(), password.to_owned(), prefix.to_owned()));
        self
    }

    /// One more argument of each member, for example `--enable-grpc-gateway=false`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Each member on its machine of this network. There are no links to cut.
    pub(super) fn network(mut self, network: &Arc<Network>) -> Self {
        self.network = Some(Arc::clone(network));
        self
    }

    /// Starts the members. Returns when they have a leader.
    #[track_caller]
    pub fn start(self) -> EtcdCluster {
        let dir = private_dir();
        let certificates = self.tls.then(|| Certificates::make(&dir));
        let pids = Arc::new(Mutex::new(vec![None; self.members]));
        let members = (0..self.members).map(|at| {
            let (client, peer) = (ports::free(), ports::free());
            let network = self.network.as_ref();
            let namespace = network.map(|network| network.machine(at).clone());
            let cut = namespace.is_none().then(|| {
                let pids = Arc::clone(&pids);
                Cut::by_source(peer, self.members, move |from| {
                    let pids = pids.lock().expect("no panic").clone();
                    // A member also asks itself. Nobody else is served.
                    source::process_of(from, &pids)
                })
            });
            Member {
                client,
                peer,
                cut,
                namespace,
                process: Mutex::new(None),
            }
        });
        let cluster = EtcdCluster {
            members: members.collect(),
            dir,
            certificates,
            client_certificates: self.client_certificates,
            arguments: self.arguments,
            root: Mutex::new(None),
            pids,
        };
        cluster.start_all();
        if let Some((name, password, prefix)) = &self.user {
            cluster.enable_authentication(name, password, prefix);
        }
        cluster
    }
}

impl EtcdCluster {
    /// That many members without TLS and users, which have a leader.
    #[track_caller]
    pub fn start(members: usize) -> Self {
        EtcdCluster::builder(members).start()
    }

    /// That many members, to be configured.
    pub fn builder(members: usize) -> EtcdBuilder {
        EtcdBuilder {
            members,
            tls: false,
            client_certificates: false,
            user: None,
            arguments: Vec::new(),
            network: None,
        }
    }

    /// The value of the option `servers`, without anything that could be cut.
    pub fn servers(&self) -> String {
        let members = self.members.iter();
        servers(
            self.scheme(),
            members.map(|member| (member.host(), member.client)),
        )
    }

    /// The port of a member for clients.
    pub fn port(&self, member: usize) -> u16 {
        self.members[member].client
    }

    /// New links to the members for one client, open.
    #[track_caller]
    pub fn links(&self) -> Links {
        let cuts = self.members.iter().map(|member| Cut::to(member.client));
        Links {
            cuts: cuts.collect(),
            scheme: self.scheme(),
        }
    }

    /// The certificates, with [`EtcdBuilder::tls`].
    #[track_caller]
    pub fn certificates(&self) -> &Certificates {
        self.certificates.as_ref().expect("a cluster with TLS")
    }

    /// SIGKILL of one member.
    pub fn kill(&self, member: usize) {
        *self.members[member].process.lock().expect("no panic") = None;
        self.pids.lock().expect("no panic")[member] = None;
    }

    /// SIGKILL of every member.
    pub fn kill_all(&self) {
        for member in 0..self.members.len() {
            self.kill(member);
        }
    }

    /// Starts one member with the data that it had. It may need others for a leader.
    #[track_caller]
    pub fn start_again(&self, member: usize) {
        let mut process = self.members[member].process.lock().expect("no panic");
        assert!(process.is_none(), "the member runs");
        let output = self.output(member);
        let started = Process::start("a member of etcd", &mut self.command(member), &output);
        self.pids.lock().expect("no panic")[member] = Some(started.id());
        *process = Some(started);
    }

    /// Starts every member that does not run, with the data that they had. Returns when there
    /// is a leader.
    #[track_caller]
    pub fn start_all(&self) {
        for member in 0..self.members.len() {
            if self.members[member]
                .process
                .lock()
                .expect("no panic")
                .is_none()
            {
                self.start_again(member);
            }
        }
        self.leader();
    }

    /// Ends every member, deletes all data and starts them again: a new, empty store, without
    /// users and passwords.
    #[track_caller]
    pub fn wipe(&self) {
        self.kill_all();
        for member in 0..self.members.len() {
            let _ = fs::remove_dir_all(self.data(member));
        }
        *self.root.lock().expect("no panic") = None;
        self.start_all();
    }

    /// Ends every member, and keeps a copy of the data for [`EtcdCluster::restore`]. The
    /// members run again afterwards.
    #[track_caller]
    pub fn save(&self) {
        self.kill_all();
        for member in 0..self.members.len() {
            copy(&self.data(member), &self.saved(member));
        }
        self.start_all();
    }

    /// Goes back to the data of [`EtcdCluster::save`].
    #[track_caller]
    pub fn restore(&self) {
        self.kill_all();
        for member in 0..self.members.len() {
            copy(&self.saved(member), &self.data(member));
        }
        self.start_all();
    }

    /// Cuts one member from the others, in both directions, or connects it again. Its clients
    /// still reach it.
    #[track_caller]
    pub fn set_member(&self, member: usize, link: Link) {
        for other in (0..self.members.len()).filter(|other| *other != member) {
            for (at, from) in [(member, other), (other, member)] {
                let cut = self.members[at].cut.as_ref();
                cut.expect("members on loopback").set_source(from, link);
            }
        }
    }

    fn scheme(&self) -> &'static str {
        match self.certificates {
            Some(_) => "https",
            None => "http",
        }
    }

    fn data(&self, member: usize) -> PathBuf {
        self.dir.join(format!("data{member}"))
    }

    fn saved(&self, member: usize) -> PathBuf {
        self.dir.join(format!("saved{member}"))
    }

    /// What a member logs.
    fn output(&self, member: usize) -> PathBuf {
        self.dir.join(format!("member{member}.txt"))
    }

    fn command(&self, member: usize) -> Command {
        let own = &self.members[member];
        let client = format!("{}://{}:{}", self.scheme(), own.host(), own.client);
        let peers = self.members.iter().enumerate();
        let peers: Vec<String> = peers
            .map(|(at, member)| format!("m{at}={}", member.seen_by_peers()))
            .collect();
        let mut command = Command::new(program("etcd"));
        command
            .args(["--name", &format!("m{member}"), "--log-level", "warn"])
            .arg("--data-dir")
            .arg(self.data(member))
            .args(["--listen-client-urls", &client])
            .args(["--advertise-client-urls", &client])
            .args([
                "--listen-peer-urls",
                &format!("http://{}:{}", own.host(), own.peer),
            ])
            .arg("--initial-advertise-peer-urls")
            .arg(own.seen_by_peers())
            .args(["--initial-cluster", &peers.join(",")])
            .args(["--initial-cluster-token", &self.dir.display().to_string()])
            .args(&self.arguments);
        // Variables would be options too.
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"ETCD_") {
                command.env_remove(name);
            }
        }
        if let Some(certificates) = &self.certificates {
            command.arg("--cert-file").arg(&certificates.server.0);
            command.arg("--key-file").arg(&certificates.server.1);
            if self.client_certificates {
                command.arg("--client-cert-auth");
                command.arg("--trusted-ca-file").arg(&certificates.ca);
            }
        }
        own.inside(command)
    }
}

impl Member {
    fn host(&self) -> &str {
        let namespace = self.namespace.as_ref();
        namespace.map_or("127.0.0.1", |it| &it.address)
    }

    /// The URL at which the other members reach this one.
    fn seen_by_peers(&self) -> String {
        let port = self.cut.as_ref().map_or(self.peer, Cut::port);
        format!("http://{}:{port}", self.host())
    }

    /// The command on the machine of this member.
    fn inside(&self, command: Command) -> Command {
        match &self.namespace {
            None => command,
            Some(namespace) => namespace.command(&command),
        }
    }
}

impl Drop for EtcdCluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for member in 0..self.members.len() {
                let log = fs::read_to_string(self.output(member)).unwrap_or_default();
                let end = log.len().saturating_sub(2000);
                eprintln!("etcd {member}: …{}", log.get(end..).unwrap_or_default());
            }
        }
        for member in &self.members {
            if let Ok(mut process) = member.process.lock() {
                *process = None;
            }
        }
        if std::env::var_os("KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Links {
    /// The value of the option `servers` that leads through these links.
    pub fn servers(&self) -> String {
        let ports = self.cuts.iter().map(Cut::port);
        servers(self.scheme, ports.map(|port| ("127.0.0.1", port)))
    }

    /// Opens or cuts the links to every member.
    #[track_caller]
    pub fn set(&self, link: Link) {
        for cut in &self.cuts {
            cut.set(link);
        }
    }

    /// Opens or cuts the link to one member.
    #[track_caller]
    pub fn set_one(&self, member: usize, link: Link) {
        self.cuts[member].set(link);
    }

    /// The number of connections to a member.
    pub fn connections(&self, member: usize) -> usize {
        self.cuts[member].connections()
    }
}

fn servers<'a>(scheme: &str, members: impl Iterator<Item = (&'a str, u16)>) -> String {
    let servers: Vec<String> = members
        .map(|(host, port)| format!("{scheme}://{host}:{port}"))
        .collect();
    servers.join(",")
}

/// One of etcd's programs.
#[track_caller]
fn program(name: &str) -> PathBuf {
    let root = std::env::var_os("ETCD_ROOT");
    let root = root.map_or_else(|| repository().join("target/etcd"), PathBuf::from);
    let path = root.join("usr/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `make etcd`",
        path.display()
    );
    path
}

/// A new directory in memory, if the machine has one: etcd waits for the disk at each write.
fn private_dir() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let memory = Path::new("/dev/shm");
    let temp = match memory.is_dir() {
        true => memory.to_owned(),
        false => std::env::temp_dir(),
    };
    let name = "userpresence-etcd-";
    // A test run that was killed leaves its directory, which takes memory.
    for entry in fs::read_dir(&temp).into_iter().flatten().flatten() {
        let file = entry.file_name();
        let rest = file.to_str().and_then(|file| file.strip_prefix(name));
        let pid = rest.and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    poll(PATIENCE, || {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = temp.join(format!("{name}{}-{count}", std::process::id()));
        fs::create_dir(&dir).ok().map(|()| dir)
    })
    .expect("a new directory for etcd's data")
}

#[track_caller]
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(copied.expect("the program cp").success());
}
