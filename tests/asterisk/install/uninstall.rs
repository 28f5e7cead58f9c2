//! `make uninstall` removes what `make install` has put there, and nothing else.

use std::fs;

use super::machine::Machine;
use crate::harness::MODULE;

#[test]
fn it_removes_what_was_installed_and_keeps_the_configuration() {
    let machine = Machine::running();
    let ast = &machine.ast;
    let before = machine.files();
    machine.made("install", &[]);
    assert!(ast.load_module(MODULE).ok());
    let modules = ast.read_config("modules.conf");
    ast.write_config("modules.conf", &format!("{modules}load = {MODULE}\n"));

    let live = ast.config_path("userpresence.conf");
    let made = machine.made("uninstall", &[]);
    made.says(&format!("kept {} (PURGE=yes removes it)", live.display()))
        .says("modules.conf still names res_userpresence.so")
        .says("until: asterisk -rx 'module unload res_userpresence.so'");
    assert!(live.exists());
    // What runs goes on.
    assert!(ast.cli("userpresence show users").ends_with("0 users"));
    // Over AMI Asterisk unloads only modules whose file is there.
    let unloaded = ast.remote(&format!("module unload {MODULE}"));
    let left = ast.cli("module show like res_userpresence");
    assert!(left.contains("Not Running"), "{unloaded}\n{left}");

    ast.write_config("modules.conf", &modules);
    let purged = machine.made("uninstall", &["PURGE=yes"]);
    assert!(
        !purged.says("removed").text.contains("module unload"),
        "{purged:?}"
    );
    let (before, after) = (before.keys(), machine.files());
    assert!(before.eq(after.keys()), "{after:#?}");
    machine
        .made("uninstall", &[])
        .says("Nothing of the module is there.");
}

#[test]
fn it_removes_the_rest_if_something_is_missing_or_cannot_be_removed() {
    let machine = Machine::stopped();
    machine.made("install", &[]);
    let file = machine.ast.path("modules").join(MODULE);
    fs::remove_file(&file).expect("the installed module");
    // Nobody can remove this as a file.
    let help = "data/documentation/thirdparty/res_userpresence-en_US.xml";
    let help = machine.ast.path(help);
    fs::remove_file(&help).expect("the installed help");
    fs::create_dir(&help).expect("ours");
    let made = machine.make("uninstall", &[]);
    assert!(!made.succeeded, "{}", made.text);
    made.says("1 files could not be removed")
        .says(&help.display().to_string());
    for gone in [
        "data/rest-api/userPresence.json",
        "etc/userpresence.conf.sample",
    ] {
        assert!(!machine.ast.path(gone).exists(), "{gone}");
    }
}
