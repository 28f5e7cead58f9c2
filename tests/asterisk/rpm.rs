//! The scripts of the rpm package, beside a running Asterisk. `make test-rpm` makes the package,
//! names it in `USERPRESENCE_RPM`, and looks at the rest of it (`tests/rpm.sh`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::harness::{Instance, MODULE, skip};

/// A package, and a private Asterisk whose program is the first in `PATH`.
struct Machine {
    package: String,
    ast: Instance,
}

impl Machine {
    /// None, and a note, without a package.
    fn new() -> Option<Self> {
        let Ok(package) = std::env::var("USERPRESENCE_RPM") else {
            skip("`make test-rpm` makes the package for it");
            return None;
        };
        let builder = Instance::builder().userpresence("[general]\n");
        let ast = builder.not_loaded().start();
        let program = ast.path("bin/asterisk");
        fs::create_dir(ast.path("bin")).expect("a new directory");
        fs::write(&program, ast.program_script()).expect("a new file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("our own file");
        Some(Self { package, ast })
    }

    /// Runs a script of the package, as rpm does, and returns what it prints. `left` is the number
    /// of packages of this name after the step.
    #[track_caller]
    fn run(&self, script: &str, left: u32) -> String {
        let query = Command::new("rpm")
            .args(["-qp", "--qf", &format!("%{{{script}}}"), &self.package])
            .output()
            .expect("rpm");
        assert!(query.status.success(), "{query:?}");
        let text = String::from_utf8(query.stdout).expect("UTF-8");
        assert_ne!(text, "(none)", "{script}");
        let path = std::env::var("PATH").expect("programs");
        let bin = self.ast.path("bin");
        let run = Command::new("sh")
            .args(["-c", &text, script, &left.to_string()])
            .env("PATH", format!("{}:{path}", bin.display()))
            .output()
            .expect("a shell");
        assert!(run.status.success(), "{script}: {run:?}");
        assert_eq!(String::from_utf8_lossy(&run.stderr), "", "{script}");
        String::from_utf8(run.stdout).expect("UTF-8")
    }

    fn loaded(&self) -> bool {
        let shown = self.ast.cli(&format!("module show like {MODULE}"));
        shown.contains(" Running ") && !shown.contains("Not Running")
    }
}

#[test]
fn an_installation_offers_to_load_the_module_and_an_upgrade_leaves_it() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let said = machine.run("POSTIN", 1);
    let load = format!("    asterisk -rx 'module load {MODULE}'");
    assert!(said.lines().any(|line| line == load), "{said}");
    assert!(!machine.loaded(), "loaded without the administrator");

    assert!(machine.ast.load_module(MODULE).ok());
    let said = machine.run("POSTIN", 2);
    let restart = "    asterisk -rx 'core restart when convenient'";
    assert!(said.lines().any(|line| line == restart), "{said}");
    // The old package's, after the new one's.
    assert_eq!(machine.run("PREUN", 1), "");
    assert!(machine.loaded(), "an upgrade unloaded the module");
    assert_eq!(machine.ast.complaints(), Vec::<String>::new());
}

#[test]
fn a_removal_unloads_the_module_and_all_succeeds_without_asterisk() {
    let Some(machine) = Machine::new() else {
        return;
    };
    assert_eq!(machine.run("PREUN", 0), "", "nothing is loaded");
    assert!(machine.ast.load_module(MODULE).ok());
    assert_eq!(machine.run("PREUN", 0), "");
    assert!(!machine.loaded(), "the removed module is still loaded");
    assert_eq!(machine.ast.complaints(), Vec::<String>::new());

    assert!(machine.ast.stop().success());
    for (script, left) in [("POSTIN", 1), ("POSTIN", 2), ("PREUN", 1), ("PREUN", 0)] {
        assert_eq!(machine.run(script, left), "", "{script} {left}");
    }
}
