//! What an administrator does with etcdctl.

use std::process::Command;

use super::{EtcdCluster, program, wait_until};

/// The password of etcd's root in the tests.
const ROOT: &str = "rootsecret";

impl EtcdCluster {
    /// The member that leads. Waits until there is one that runs.
    #[track_caller]
    pub fn leader(&self) -> usize {
        wait_until("a leader of etcd", || {
            (0..self.members.len()).find(|member| self.leads(*member) == Some(true))
        })
    }

    /// Whether a member says that it leads; `None` if it does not answer.
    fn leads(&self, member: usize) -> Option<bool> {
        self.members[member]
            .process
            .lock()
            .expect("no panic")
            .as_ref()?;
        let status = self
            .try_etcdctl(
                member,
                &["endpoint", "status", "-w", "json", "--command-timeout=1s"],
            )
            .ok()?;
        let number = |name: &str| {
            let (_, rest) = status.split_once(&format!("\"{name}\":"))?;
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse::<u64>().ok()
        };
        Some(number("leader")? == number("member_id")? && number("leader")? != 0)
    }

    /// The present revision of the store.
    #[track_caller]
    pub fn revision(&self) -> i64 {
        let status = self.etcdctl(&["endpoint", "status", "-w", "json"]);
        let (_, rest) = status.split_once("\"revision\":").expect("a revision");
        let end = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        rest[..end].parse().expect("a number")
    }

    /// Forgets the history before a revision.
    #[track_caller]
    pub fn compact(&self, revision: i64) {
        self.etcdctl(&["compaction", &revision.to_string()]);
    }

    /// The value of a key.
    #[track_caller]
    pub fn get(&self, key: &str) -> Option<String> {
        let value = self.etcdctl(&["get", "--print-value-only", key]);
        value.strip_suffix('\n').map(str::to_owned)
    }

    /// The keys that begin so, in their order.
    #[track_caller]
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let keys = self.etcdctl(&["get", "--prefix", "--keys-only", prefix]);
        let keys = keys.lines().filter(|line| !line.is_empty());
        keys.map(str::to_owned).collect()
    }

    /// Writes a key.
    #[track_caller]
    pub fn put(&self, key: &str, value: &str) {
        self.etcdctl(&["put", key, value]);
    }

    /// Deletes a key.
    #[track_caller]
    pub fn delete(&self, key: &str) {
        self.etcdctl(&["del", key]);
    }

    /// Makes a user who may use the keys below the prefix, and switches authentication on.
    #[track_caller]
    pub fn enable_authentication(&self, name: &str, password: &str, prefix: &str) {
        self.etcdctl(&["user", "add", &format!("root:{ROOT}")]);
        self.etcdctl(&["user", "grant-role", "root", "root"]);
        self.etcdctl(&["user", "add", &format!("{name}:{password}")]);
        self.etcdctl(&["role", "add", "asterisk"]);
        let grant = [
            "role",
            "grant-permission",
            "asterisk",
            "readwrite",
            "--prefix=true",
            prefix,
        ];
        self.etcdctl(&grant);
        self.etcdctl(&["user", "grant-role", name, "asterisk"]);
        self.etcdctl(&["auth", "enable"]);
        *self.root.lock().expect("no panic") = Some(ROOT);
    }

    /// Runs etcdctl with a member that runs, and returns what it prints.
    #[track_caller]
    pub fn etcdctl(&self, arguments: &[&str]) -> String {
        let runs = |member: &usize| {
            let process = &self.members[*member].process;
            process.lock().expect("no panic").is_some()
        };
        let member = (0..self.members.len())
            .find(runs)
            .expect("a member that runs");
        self.try_etcdctl(member, arguments)
            .unwrap_or_else(|why| panic!("etcdctl {arguments:?}: {why}"))
    }

    /// As [`EtcdCluster::etcdctl`], with that member; or the error.
    pub fn try_etcdctl(&self, member: usize, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(program("etcdctl"));
        command.env("ETCDCTL_API", "3").arg("--endpoints");
        command.arg(format!(
            "{}://{}:{}",
            self.scheme(),
            self.members[member].host(),
            self.port(member)
        ));
        if let Some(certificates) = &self.certificates {
            command.arg("--cacert").arg(&certificates.ca);
            command.arg("--cert").arg(&certificates.client.0);
            command.arg("--key").arg(&certificates.client.1);
        }
        if let Some(password) = *self.root.lock().expect("no panic") {
            command.args(["--user", &format!("root:{password}")]);
        }
        command.args(arguments);
        let output = self.members[member]
            .inside(command)
            .output()
            .map_err(|why| why.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}
