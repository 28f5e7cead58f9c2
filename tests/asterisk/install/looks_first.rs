//! `make install` looks at the installed Asterisk first.

use std::fs;
use std::os::unix::fs::MetadataExt;

use super::machine::Machine;
use crate::harness::MODULE;

#[test]
fn it_finds_the_running_asterisk_and_the_module_loads() {
    let machine = Machine::running();
    let ast = &machine.ast;
    let dir = ast.path("").display().to_string();
    let made = machine.made("install", &[]);
    for directory in ["modules", "etc", "data"] {
        made.says(&format!("{dir}{directory} (the running Asterisk says so)"));
    }
    made.says(&format!(
        "built for Asterisk {} and fits",
        machine.built().version
    ))
    .says("Next: asterisk -rx 'module load res_userpresence.so'");
    assert!(ast.load_module(MODULE).ok());
    assert!(ast.cli("userpresence show users").ends_with("0 users"));
    assert!(ast.complaints().is_empty(), "{:?}", ast.complaints());

    // A new build beside the one that runs: what is mapped of that stays as it is.
    let file = ast.path("modules").join(MODULE);
    let before = fs::metadata(&file).expect("the module").ino();
    machine.made("install", &[]).says("Next: restart Asterisk.");
    assert_ne!(fs::metadata(&file).expect("the module").ino(), before);
    assert!(ast.cli("userpresence show users").ends_with("0 users"));
    ast.restart(true);
    assert!(ast.load_module(MODULE).ok());
}

#[test]
fn without_a_running_asterisk_its_configuration_says_where() {
    let machine = Machine::stopped();
    let dir = machine.ast.path("").display().to_string();
    let conf = format!("{dir}etc/asterisk.conf");
    let other = "[options]\nastmoddir => /nowhere\n";
    let text = format!(
        ";--\n[directories]\nastmoddir => /nowhere\n--;\n{other}[directories] ; ours\n\
         ;astmoddir => /nowhere\n astetcdir = {dir}etc\nAstModDir => /nowhere\n\
         astmoddir=>{dir}modules ; the last one counts\n{other}"
    );
    fs::write(&conf, text).expect("a file of the instance");
    fs::create_dir_all(machine.ast.path("compiled/asterisk/documentation")).expect("ours");
    let made = machine.made("install", &[]);
    made.says("does not run")
        .says(&format!("{dir}modules ({conf} says so)"))
        .says(&format!(
            "{dir}compiled/asterisk (compiled into {dir}bin/asterisk)"
        ))
        .says("Next: start Asterisk");
    assert!(machine.ast.path("modules").join(MODULE).exists());
    assert!(
        machine
            .ast
            .path("compiled/asterisk/rest-api/userPresence.json")
            .exists()
    );

    // A section that ends in (!) is a template: Asterisk does not read it.
    let text = format!("[directories](!)\nastmoddir => {dir}modules\n");
    fs::write(&conf, text).expect("a file of the instance");
    let made = machine.made("install", &[]);
    made.says(&format!(
        "{dir}compiled/modules (compiled into {dir}bin/asterisk)"
    ));
    assert!(machine.ast.path("compiled/modules").join(MODULE).exists());

    let given = format!("MODULES_DIR={dir}given");
    machine
        .made("install", &[&given])
        .says(&format!("{dir}given (given)"));
}

#[test]
fn a_module_for_another_release_is_not_installed() {
    let machine = Machine::running();
    let runs = machine.built().version;
    let other = machine.build_for_another_release();
    let refused = machine.refused(&[]);
    refused
        .says(&format!("it was built for Asterisk {other}"))
        .says(&format!("is\nAsterisk {runs}"))
        .says("make rebuild")
        .says("FORCE=yes");
    machine
        .made("install", &["FORCE=yes"])
        .says("installed all the same");
    assert!(machine.ast.path("modules").join(MODULE).exists());
}

#[test]
fn a_module_with_another_build_option_sum_is_not_installed() {
    let machine = Machine::running();
    let installed = machine.built().sum;
    let other = machine.build_with_another_sum();
    machine
        .refused(&[])
        .says(&other)
        .says(&installed)
        .says("make rebuild");
    // Without one of Asterisk's modules the sum comes from its program, which is a script here.
    let unknown = format!("MODULES_DIR={}", machine.ast.path("empty").display());
    let include = "ASTERISK_INCLUDE=/nowhere";
    if !std::path::Path::new("/usr/include/asterisk.h").exists() {
        machine.made("install", &[&unknown, include]).says("sum of");
    }
}

#[test]
fn a_module_that_does_not_say_what_it_was_built_for_is_not_installed() {
    let machine = Machine::running();
    fs::write(&machine.module, "\x7fELF, of an earlier version").expect("our module");
    machine
        .refused(&[])
        .says("does not say for which Asterisk")
        .says("make rebuild");
}

#[test]
fn without_an_asterisk_nothing_is_installed() {
    let machine = Machine::running();
    machine
        .refused(&["ASTERISK=/nowhere/asterisk"])
        .says("/nowhere/asterisk is not a program");
    machine.write_program("asterisk", b"#!/bin/sh\nexit 1\n");
    let etc = format!("CONFIG_DIR={}", machine.ast.path("etc").display());
    machine
        .refused(&[&etc])
        .says("The version of")
        .says("is unknown");
}

/// An upgrade without a restart: the program's file is what starts next.
#[test]
fn the_file_of_the_program_decides_if_an_older_asterisk_still_runs() {
    let machine = Machine::running();
    let runs = machine.built().version;
    let script = machine.ast.program_script();
    let upgraded = format!(
        "#!/bin/sh\n[ \"$*\" != -V ] || {{ echo Asterisk 98.1.0; exit; }}\n{}",
        script.trim_start_matches("#!/bin/sh\n")
    );
    machine.write_program("asterisk", upgraded.as_bytes());
    machine
        .refused(&[])
        .says(&format!("built for Asterisk {runs}"))
        .says("98.1.0");

    // The rest of the version does not matter.
    let patched = format!("98.1.{}", "9".repeat(runs.len() - 5));
    machine.patch(
        &format!("Asterisk {runs};"),
        &format!("Asterisk {patched};"),
    );
    machine
        .made("install", &[])
        .says(&format!("Next: restart Asterisk. It still runs {runs}"));
}

/// What is compared of a version.
#[test]
fn a_release_is_its_major_and_minor_number() {
    let release = |version: &str| {
        let script = format!("declare FILE=x; . install/found.sh; release_of '{version}'");
        super::run(std::process::Command::new("bash").args(["-c", &script]))
    };
    for (version, expected) in [
        ("22.10.1+dfsg+~cs6.17.60671434-1", "22.10"),
        ("22.11.0-rc2", "22.11"),
        ("16.28.0~dfsg-0+deb11u4", "16.28"),
        ("20.7-cert3", "certified/20.7"),
        ("certified/18.9-cert5", "certified/18.9"),
        ("certified-20.7-cert3", "certified/20.7"),
        ("GIT-master-0d4ac1a", "GIT-master-0d4ac1a"),
    ] {
        assert_eq!(release(version).trim_end(), expected, "{version}");
    }
}
