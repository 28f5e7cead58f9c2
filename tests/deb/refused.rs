//! Packages of Asterisk that the module's package refuses.

use std::fs;
use std::process::Command;

use crate::machine::Machine;
use crate::{Directory, package, run};

/// A package of Asterisk with nothing in it: another version with the same build options.
fn asterisk(directory: &Directory, version: &str, provides: &str) -> std::path::PathBuf {
    let tree = directory.0.join(version);
    fs::create_dir_all(tree.join("DEBIAN")).expect("a directory");
    let control = format!(
        "Package: asterisk\nVersion: {version}\nArchitecture: all\nProvides: {provides}\n\
         Maintainer: Nobody <nobody@localhost>\nDescription: another Asterisk\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).expect("a file");
    let file = directory
        .0
        .join(format!("asterisk-{}.deb", version.replace(':', "-")));
    run(Command::new("dpkg-deb")
        .args(["--root-owner-group", "-b"])
        .args([&tree, &file]));
    file
}

#[test]
fn an_asterisk_of_another_minor_release_is_refused() {
    let directory = Directory::new();
    let mut debian = Machine::start();
    let ours = debian.bring(&package());
    let query = |field: &str| format!("dpkg-query -W -f '${{{field}}}' asterisk");
    let (version, provides) = (debian.ok(&query("Version")), debian.ok(&query("Provides")));
    let (version, provides) = (version.trim(), provides.trim());
    assert!(provides.starts_with("asterisk-abi-"), "{provides}");
    // Such as 1:22.10.1+dfsg-1, of which the minor release is counted on.
    let mut parts = version.splitn(3, '.');
    let major = parts.next().expect("a major release");
    let minor: u32 = parts
        .next()
        .and_then(|it| it.parse().ok())
        .expect("a minor release");

    let next = format!("{major}.{}.0~dfsg-1", minor + 1);
    let install = "apt-get -q -y --simulate --allow-downgrades install";
    for (other, fits) in [
        (format!("{major}.{minor}.99~dfsg-1"), true),
        (format!("{major}.{}.0~~rc2+dfsg-1", minor + 1), false),
        (next.clone(), false),
        (format!("{major}.{}.7~dfsg-1", minor - 1), false),
    ] {
        let other_deb = debian.bring(&asterisk(&directory, &other, provides));
        let done = debian.run(&format!("{install} {other_deb} {ours}"));
        assert_eq!(done.status == 0, fits, "{other}: {}", done.text);
        let named = done.text.contains("asterisk-userpresence") && done.text.contains("1:");
        assert!(named, "{}", done.text);
    }

    // Another build of the same release.
    let same = format!("{major}.{minor}.98~dfsg-1");
    let other_sum = asterisk(&directory, &same, "asterisk-abi-0123456789abcdef");
    let other_sum = debian.bring(&other_sum);
    let done = debian.run(&format!("{install} {other_sum} {ours}"));
    assert_ne!(done.status, 0, "{}", done.text);
    assert!(done.text.contains(provides), "{}", done.text);

    // Asterisk alone is not upgraded beneath an installed package.
    debian.ok(&format!("apt-get -q -y install {ours}"));
    let next = format!("/mnt/asterisk-{}.deb", next.replace(':', "-"));
    let done = debian.run(&format!("{install} --no-remove {next}"));
    assert_ne!(done.status, 0, "{}", done.text);
    let removed = done.text.contains("REMOVED:\n  asterisk-userpresence");
    assert!(removed, "{}", done.text);
}
