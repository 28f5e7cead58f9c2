//! A package's life on a machine whose Asterisk runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::machine::Machine;
use crate::{Directory, package, run};

const CONFIG: &str = "/etc/asterisk/userpresence.conf";
const APT: &str = "apt-get -q -y -o Dpkg::Use-Pty=0";

/// A user whose phone rings until the caller gives up.
const ALICE: &str = "[general]\n[alice]\ntype = user\nextension = 200\n\
                     endpoint = soft,Local/ring@long/n";
const DIALPLAN: &str = "[long]\nexten = ring,1,Ringing()\n same = n,Wait(600)\n\
                        [to]\nexten = alice,1,UserPresenceDial(alice)";

/// The same package as its next version, with another userpresence.conf.
fn next_version(directory: &Directory) -> PathBuf {
    let (tree, next) = (directory.0.join("tree"), directory.0.join("next.deb"));
    run(Command::new("dpkg-deb").args([Path::new("-R"), &package(), &tree]));
    let change = |file: &str, change: &dyn Fn(&str) -> String| {
        let file = tree.join(file);
        let text = fs::read_to_string(&file).expect("a file");
        fs::write(&file, change(&text)).expect("a file");
    };
    change("DEBIAN/control", &|text| {
        let changed = text.replace("+asterisk", ".1+asterisk");
        assert_ne!(changed, text);
        changed
    });
    change("etc/asterisk/userpresence.conf", &|text| {
        format!("{text}; A line of the next version.\n")
    });
    let build = ["--root-owner-group", "-Zgzip", "-z1", "-b"];
    run(Command::new("dpkg-deb").args(build).args([&tree, &next]));
    next
}

#[test]
fn a_running_asterisk_loads_upgrades_and_unloads_it() {
    let directory = Directory::new();
    let mut debian = Machine::start();
    let (first, next) = (debian.bring(&package()), next_version(&directory));
    let next = debian.bring(&next);
    let pid = debian.start_asterisk();
    let before = debian.files();

    // Installed and running, with nothing active.
    let said = debian.ok(&format!("{APT} install {first}"));
    assert!(
        said.contains("Asterisk has loaded res_userpresence.so"),
        "{said}"
    );
    assert_eq!(debian.runs(), Some(true));
    let listed = debian.cli("userpresence show settings");
    let users = listed
        .lines()
        .find(|line| line.trim().starts_with("Users:"));
    assert!(users.is_some_and(|line| line.ends_with(": 0")), "{listed}");
    let owner = debian.ok(&format!("stat -c '%U:%G %a' {CONFIG}"));
    assert_eq!(owner.trim(), "asterisk:asterisk 640");
    let active = debian.run(&format!("grep -v '^;' {CONFIG} | grep .")).text;
    assert_eq!(active.trim(), "", "something is active");
    let help = debian.cli("core show function USER_PRESENCE");
    assert!(help.contains("DoNotAcceptAnyCalls"), "{help}");
    debian.ok("dpkg --verify asterisk-userpresence");

    // The administrator adds a user.
    debian.write(CONFIG, ALICE);
    debian.cli("userpresence reload");
    debian.until("asterisk -rx 'userpresence show users'", "alice");

    // An upgrade keeps the file and leaves the running module alone.
    let said = debian.ok(&format!(
        "{APT} -o Dpkg::Options::=--force-confdef install {next}"
    ));
    assert!(said.contains("keeps running the previous build"), "{said}");
    let kept = debian.ok(&format!("cat {CONFIG}"));
    assert_eq!(kept.trim(), ALICE);
    let offered = debian.ok(&format!("cat {CONFIG}.dpkg-dist"));
    assert!(offered.contains("A line of the next version."), "{offered}");
    debian.ok(&format!("rm {CONFIG}.dpkg-dist"));
    let listed = debian.cli("userpresence show users");
    assert!(listed.contains("alice"), "{listed}");
    debian.ok(&format!("kill -0 {pid}"));

    // After a restart the new build runs; its package has nothing more to say.
    debian.stop_asterisk();
    debian.start_asterisk();
    assert_eq!(debian.runs(), Some(true));
    let said = debian.ok(&format!("{APT} install --reinstall {next}"));
    assert!(said.contains("keeps running the previous build"), "{said}");
    debian.stop_asterisk();
    let pid = debian.start_asterisk();
    let said = debian.ok("dpkg-reconfigure asterisk-userpresence");
    assert!(!said.contains("res_userpresence"), "{said}");

    // A removal unloads it and keeps the configuration.
    debian.cli("userpresence set alice dnd");
    debian.ok(&format!("{APT} remove asterisk-userpresence"));
    assert_ne!(debian.runs(), Some(true));
    let unknown = debian.cli("userpresence show users");
    assert!(unknown.contains("No such command"), "{unknown}");
    debian.ok(&format!("test -e {CONFIG}; kill -0 {pid}"));

    // A purge leaves nothing, neither of the package nor of the module.
    debian.ok("ls /var/lib/asterisk/keys/userpresence.secret");
    debian.ok("ls /var/lib/asterisk/userpresence-sequence.json");
    debian.ok("touch /var/lib/asterisk/keys/userpresence-passwords-1.txt");
    debian.ok(&format!("{APT} purge asterisk-userpresence"));
    let after = debian.files();
    let left: Vec<_> = after.iter().filter(|path| !before.contains(path)).collect();
    let lost: Vec<_> = before.iter().filter(|path| !after.contains(path)).collect();
    assert!(
        left.is_empty() && lost.is_empty(),
        "left {left:?}, lost {lost:?}"
    );

    // Installed again, it finds the person's status, which was in Asterisk's own database.
    debian.ok(&format!("{APT} install {first}"));
    assert_eq!(debian.runs(), Some(true));
    debian.write(CONFIG, ALICE);
    debian.cli("userpresence reload");
    debian.until("asterisk -rx 'userpresence show users'", "dnd");
    debian.ok(&format!("kill -0 {pid}"));
    debian.stop_asterisk();
}

#[test]
fn a_call_keeps_the_module_of_a_removed_package_loaded() {
    let mut debian = Machine::start();
    let first = debian.bring(&package());
    debian.write("/etc/asterisk/extensions.conf", DIALPLAN);
    debian.write(CONFIG, ALICE);
    debian.start_asterisk();
    // An existing file of the administrator stays, and its owner with it.
    debian.ok(&format!(
        "{APT} -o Dpkg::Options::=--force-confdef install {first}"
    ));
    let kept = debian.ok(&format!("cat {CONFIG}"));
    assert_eq!(kept.trim(), ALICE);
    assert_eq!(debian.runs(), Some(true));

    debian.cli("channel originate Local/alice@to/n application Wait 600");
    debian.until("asterisk -rx 'core show channels concise'", "ring!");
    let said = debian.ok(&format!("{APT} remove asterisk-userpresence"));
    assert!(
        said.contains("is in use and stays in the running Asterisk"),
        "{said}"
    );
    assert_eq!(debian.runs(), Some(true));
    let calls = debian.cli("core show channels concise");
    assert!(calls.contains("ring!"), "{calls}");

    // As the message says, once the call is over.
    debian.cli("channel request hangup all");
    debian.until("asterisk -rx 'core show channels'", "0 active channels");
    debian.cli("module unload res_userpresence.so");
    assert_ne!(debian.runs(), Some(true));
    debian.stop_asterisk();
}

#[test]
fn without_a_running_asterisk_it_is_loaded_at_the_next_start() {
    let mut debian = Machine::start();
    let first = debian.bring(&package());
    let said = debian.ok(&format!("{APT} install {first}"));
    assert!(!said.contains("res_userpresence.so"), "{said}");
    debian.start_asterisk();
    assert_eq!(debian.runs(), Some(true));
    debian.stop_asterisk();
    debian.ok("dpkg --purge asterisk-userpresence");

    // The administrator's choices are kept: no module, another owner.
    debian.ok("echo 'noload => res_userpresence.so' >>/etc/asterisk/modules.conf");
    debian.ok(&format!(
        "dpkg-statoverride --add root asterisk 640 {CONFIG}"
    ));
    debian.start_asterisk();
    let said = debian.ok(&format!("{APT} install {first}"));
    assert!(said.contains("modules.conf says noload"), "{said}");
    assert_ne!(debian.runs(), Some(true));
    let owner = debian.ok(&format!("stat -c '%U:%G %a' {CONFIG}"));
    assert_eq!(owner.trim(), "root:asterisk 640");
    debian.ok(&format!("{APT} purge asterisk-userpresence"));
    debian.stop_asterisk();
}

#[test]
fn a_module_that_asterisk_declines_does_not_fail_the_installation() {
    let mut debian = Machine::start();
    let first = debian.bring(&package());
    // Nothing in it is valid, so the module has nothing to start with.
    debian.ok(&format!("{APT} install {first}"));
    debian.ok(&format!("echo '[' >{CONFIG}"));
    debian.start_asterisk();
    assert_ne!(debian.runs(), Some(true));
    let said = debian.ok("dpkg-reconfigure asterisk-userpresence");
    assert!(
        said.contains("could not load res_userpresence.so"),
        "{said}"
    );
    debian.stop_asterisk();
}
