//! First steps: the packages that `make demo` installs, and the files of `make install`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::repository_file;
use crate::harness::{Instance, MODULE};

mod looks_first;
mod machine;
mod rebuild;
mod uninstall;

/// Runs a command in the repository, which has to succeed, and returns its output.
#[track_caller]
fn run(command: &mut Command) -> String {
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let Output {
        status,
        stdout,
        stderr,
    } = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let stderr = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {stderr}");
    String::from_utf8(stdout).expect("UTF-8")
}

/// The Debian packages that a `make` target installs on a machine without any tools.
fn packages(target: &str) -> BTreeSet<String> {
    let recipe = run(Command::new("make").args(["--dry-run", target]));
    let setups = recipe.lines().filter_map(|line| {
        let (_, purposes) = line.split_once("tests/setup.sh ")?;
        Some(purposes.split_whitespace())
    });
    let purposes: Vec<&str> = setups.flatten().collect();
    assert!(!purposes.is_empty(), "no setup in\n{recipe}");
    let listed = run(Command::new("tests/setup.sh").arg("--list").args(purposes));
    listed.lines().map(str::to_owned).collect()
}

#[test]
fn the_demo_installs_no_browser_and_no_test_tool() {
    let demo = packages("demo");
    for needed in ["gcc", "libclang-dev", "mmdebstrap", "sip-tester", "curl"] {
        assert!(demo.contains(needed), "{needed} is missing from {demo:?}");
    }
    let test = packages("test");
    for unneeded in ["chromium", "chromium-driver", "python3-pip", "sqlite3"] {
        assert!(
            test.contains(unneeded),
            "{unneeded} is missing from {test:?}"
        );
        assert!(!demo.contains(unneeded), "{unneeded} is in {demo:?}");
    }
    let all = packages("setup");
    assert!(all.is_superset(&demo) && all.is_superset(&test), "{all:?}");
}

/// A root directory for `make install`, removed on drop.
struct Destination {
    dir: PathBuf,
    /// Whether `asterisk.conf` has an owner of its own, which only root can give it.
    owned: bool,
}

/// The user and group that own `asterisk.conf` in a [`Destination`].
const OWNER: (u32, u32) = (4711, 4712);

impl Destination {
    /// A configuration directory that holds `asterisk.conf` alone.
    fn new(name: &str) -> Self {
        let name = format!("userpresence-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let etc = dir.join("root/etc/asterisk");
        fs::create_dir_all(&etc).expect("a new directory");
        fs::write(dir.join(MODULE), "").expect("a new file");
        let conf = etc.join("asterisk.conf");
        fs::write(&conf, "").expect("a new file");
        let owned = chown(&conf, Some(OWNER.0), Some(OWNER.1)).is_ok();
        Self { dir, owned }
    }

    /// Runs `make install`.
    #[track_caller]
    fn install(&self) {
        run(Command::new("make")
            .arg("install")
            .arg(format!("MODULE={}", self.dir.join(MODULE).display()))
            .arg(format!("DESTDIR={}", self.dir.join("root").display()))
            .args(["CONFIG_DIR=/etc/asterisk", "MODULES_DIR=/m", "DATA_DIR=/d"]));
    }

    /// A file of the configuration directory.
    fn conf(&self, name: &str) -> PathBuf {
        self.dir.join("root/etc/asterisk").join(name)
    }

    /// The names in the configuration directory, in order.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.conf("")).expect("a directory");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        names
    }
}

impl Drop for Destination {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const SAMPLES: [&str; 2] = [
    "extensions_userpresence.conf.sample",
    "userpresence.conf.sample",
];

#[test]
fn make_install_keeps_the_samples_samples_and_the_live_file_inactive() {
    let to = Destination::new("install");
    to.install();
    let [dialplan, users] = SAMPLES;
    let live = "userpresence.conf";
    assert_eq!(to.names(), ["asterisk.conf", dialplan, live, users]);
    for sample in SAMPLES {
        let ours = repository_file(&format!("configs/samples/{sample}"));
        assert_eq!(read(&to.conf(sample)), ours, "{sample}");
    }
    let text = read(&to.conf(live));
    let mut lines = text.lines().map(str::trim_start);
    let active = lines.find(|line| !line.is_empty() && !line.starts_with(';'));
    assert_eq!(active, None);
    assert!(text.contains(users), "where the sample is:\n{text}");
    let described = "rest-api/userPresence.json";
    let installed = read(&to.dir.join("root/d").join(described));
    assert_eq!(installed, repository_file(&format!("doc/{described}")));
}

#[test]
fn make_install_gives_the_configuration_to_asterisk_alone() {
    let to = Destination::new("owner");
    to.install();
    for name in ["userpresence.conf"].iter().chain(&SAMPLES) {
        let about = fs::metadata(to.conf(name)).expect("an installed file");
        assert_eq!(about.mode() & 0o777, 0o640, "{name}");
        if to.owned {
            assert_eq!((about.uid(), about.gid()), OWNER, "{name}");
        }
    }
}

#[test]
fn make_install_replaces_samples_and_never_the_live_file() {
    let to = Destination::new("again");
    for name in ["userpresence.conf"].iter().chain(&SAMPLES) {
        fs::write(to.conf(name), "[general]\n").expect("a file");
    }
    to.install();
    assert_eq!(read(&to.conf("userpresence.conf")), "[general]\n");
    for sample in SAMPLES {
        let ours = repository_file(&format!("configs/samples/{sample}"));
        assert_eq!(read(&to.conf(sample)), ours, "{sample}");
    }
}

#[test]
fn the_installed_configuration_loads_without_users_and_its_first_user_works() {
    let to = Destination::new("load");
    to.install();
    let live = read(&to.conf("userpresence.conf"));
    let ast = Instance::builder().userpresence(&live).not_loaded().start();
    let loaded = ast.load_module(MODULE);
    assert!(loaded.ok(), "{loaded:?}");
    let users = ast.cli("userpresence show users");
    assert_eq!(users.lines().last(), Some("0 users"), "{users}");
    assert_eq!(users.lines().count(), 2, "a heading and no row:\n{users}");
    let checked = ast.cli("userpresence check");
    assert!(checked.starts_with("0 errors, 0 warnings."), "{checked}");

    // The three lines at the end, without their semicolons.
    let (comments, first) = live.split_once(";[alice]").expect("a first user");
    assert_eq!(first.lines().count(), 3, "{first}");
    let first = format!("[alice]{}", first.replace("\n;", "\n"));
    ast.write_config("userpresence.conf", &format!("{comments}{first}"));
    let reloaded = ast.cli("userpresence reload");
    let users = ast.cli("userpresence show users");
    assert!(users.ends_with("1 user"), "{reloaded}\n{users}");
    ast.set_custom("200", "away");
    ast.wait_value("USER_PRESENCE(alice)", "away");
    assert_eq!(ast.complaints(), Vec::<String>::new());
}
