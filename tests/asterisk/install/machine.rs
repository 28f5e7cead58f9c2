//! A machine with an Asterisk of its own, for `make install` and its relatives.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::harness::{Instance, MODULE, built_module};

/// A private Asterisk without the module, and a program `asterisk` that is found in PATH.
pub struct Machine {
    pub ast: Instance,
    /// The build of the module that is installed.
    pub module: PathBuf,
}

/// What a `make` printed, and whether it succeeded.
#[derive(Debug)]
pub struct Made {
    pub succeeded: bool,
    pub text: String,
}

impl Made {
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.text.contains(text), "no {text:?} in:\n{}", self.text);
        self
    }
}

/// What the module's file says of itself.
pub struct Built {
    pub version: String,
    pub sum: String,
}

/// The beginning of the words before the version and before the sum, as bytes of the file.
const VERSION: &str = "; built for Asterisk ";
const SUM: &str = "; build option sum ";

impl Machine {
    /// A running Asterisk; none of the files that `make install` installs is there.
    pub fn running() -> Self {
        let ast = Instance::stock().modules(&["func_strings"]).start();
        for ours in [
            "data/documentation/thirdparty/res_userpresence-en_US.xml",
            "data/rest-api/userPresence.json",
        ] {
            fs::remove_file(ast.path(ours)).expect("a file of the harness");
        }
        fs::create_dir(ast.path("bin")).expect("a directory below our own");
        let module = ast.path(MODULE);
        fs::copy(built_module(), &module).expect("a copy of our module");
        let machine = Machine { ast, module };
        machine.write_program("asterisk", machine.ast.program_script().as_bytes());
        machine
    }

    /// The same after its Asterisk has stopped. As in a real program, the path of its
    /// `asterisk.conf` and its default directories are in its file.
    pub fn stopped() -> Self {
        let machine = Machine::running();
        assert!(machine.ast.stop().success());
        let mut program = machine.ast.program_script().into_bytes();
        for name in ["etc/asterisk.conf", "compiled/modules", "compiled/asterisk"] {
            program.extend(format!("\0{}\0", machine.ast.path(name).display()).bytes());
        }
        machine.write_program("asterisk", &program);
        machine
    }

    /// Writes a program that is found in PATH.
    pub fn write_program(&self, name: &str, text: &[u8]) {
        let path = self.ast.path("bin").join(name);
        fs::write(&path, text).expect("our own directory");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("our own file");
    }

    /// Runs `make` with these variables, with this machine's programs first in PATH.
    pub fn make(&self, target: &str, variables: &[&str]) -> Made {
        let path = std::env::var("PATH").expect("a PATH");
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new("make")
            .args(["--no-print-directory", target])
            .arg(format!("MODULE={}", self.module.display()))
            .args(variables)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("PATH", format!("{}:{path}", self.ast.path("bin").display()))
            .env_remove("MAKEFLAGS")
            .output()
            .expect("make");
        let text = [stdout, stderr].concat();
        Made {
            succeeded: status.success(),
            text: String::from_utf8(text).expect("UTF-8"),
        }
    }

    #[track_caller]
    pub fn made(&self, target: &str, variables: &[&str]) -> Made {
        let made = self.make(target, variables);
        assert!(made.succeeded, "{}", made.text);
        made
    }

    /// `make install`, which has to stop, and to leave every file as it was.
    #[track_caller]
    pub fn refused(&self, variables: &[&str]) -> Made {
        let before = self.files();
        let made = self.make("install", variables);
        assert!(!made.succeeded, "{}", made.text);
        assert_eq!(self.files(), before, "{}", made.text);
        made
    }

    /// Every file in which Asterisk's configuration, modules and data are, with what changes
    /// if it is replaced or written to.
    pub fn files(&self) -> BTreeMap<PathBuf, (u64, u64, i64)> {
        let mut files = BTreeMap::new();
        for name in ["etc", "modules", "data", "compiled"] {
            collect(&self.ast.path(name), &mut files);
        }
        files
    }

    /// What the built module says of itself.
    #[track_caller]
    pub fn built(&self) -> Built {
        let bytes = fs::read(&self.module).expect("our module");
        let text = String::from_utf8_lossy(&bytes);
        let (_, after) = text.split_once(VERSION).expect("the version in the module");
        let (version, after) = after.split_once(SUM).expect("the sum after the version");
        Built {
            version: version.to_owned(),
            sum: after[..32].to_owned(),
        }
    }

    /// Has the module say another text of the same length.
    #[track_caller]
    pub fn patch(&self, old: &str, new: &str) {
        assert_eq!(old.len(), new.len());
        let mut bytes = fs::read(&self.module).expect("our module");
        let at = bytes.windows(old.len()).position(|it| it == old.as_bytes());
        let at = at.unwrap_or_else(|| panic!("no {old:?} in the module"));
        bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        fs::write(&self.module, bytes).expect("our module");
    }

    /// Has the module say that it was built for release 98 of Asterisk, and returns the version.
    #[track_caller]
    pub fn build_for_another_release(&self) -> String {
        let version = self.built().version;
        let other = format!("98{}", &version[2..]);
        self.patch(&format!("{VERSION}{version}"), &format!("{VERSION}{other}"));
        other
    }

    /// Has the module say another sum, and returns it.
    #[track_caller]
    pub fn build_with_another_sum(&self) -> String {
        let sum = self.built().sum;
        let other = "0123456789abcdef".repeat(2);
        self.patch(&format!("{SUM}{sum}"), &format!("{SUM}{other}"));
        other
    }
}

fn collect(path: &Path, files: &mut BTreeMap<PathBuf, (u64, u64, i64)>) {
    let Ok(about) = path.symlink_metadata() else {
        return;
    };
    if about.is_dir() {
        for entry in fs::read_dir(path).expect("a directory") {
            collect(&entry.expect("an entry").path(), files);
        }
    } else {
        let changed = about.mtime_nsec();
        files.insert(path.to_owned(), (about.ino(), about.size(), changed));
    }
}
