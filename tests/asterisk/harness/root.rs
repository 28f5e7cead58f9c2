//! The Asterisk that the tests run in, and what it has.

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::thread;

use super::paths::repository;

/// An Asterisk below one directory: `target/asterisk/22` unless `ASTERISK_ROOT` names another.
/// `tests/asterisk/root.sh` finds what it consists of.
pub struct Root {
    version: String,
    loader: PathBuf,
    libraries: String,
    program: PathBuf,
    modules: PathBuf,
    data: PathBuf,
    include: PathBuf,
}

/// The root of this test run.
#[track_caller]
pub fn root() -> &'static Root {
    static ROOT: OnceLock<Root> = OnceLock::new();
    ROOT.get_or_init(Root::find)
}

/// Reports that the calling test means nothing in this root, and why: what the root lacks. The
/// test returns then.
///
/// The line goes past the test runner, which shows only what failed tests print, and into the
/// file `USERPRESENCE_SKIPPED` if there is such a variable.
pub fn skip(why: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    let line = format!("skipped in Asterisk {}: {test}: {why}\n", root().version());
    let _ = std::io::stderr().write_all(line.as_bytes());
    if let Some(path) = env::var_os("USERPRESENCE_SKIPPED").map(PathBuf::from) {
        let file = File::options().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            panic!("{}: {error}", path.to_string_lossy());
        }
    }
}

/// Reports that the calling test is skipped if the root has no SIP, which the test needs, and
/// whether it is.
pub fn skipped_without_sip() -> bool {
    let skipped = !root().has_sip();
    if skipped {
        skip("it was built without pjproject, so it has no SIP");
    }
    skipped
}

impl Root {
    fn find() -> Self {
        let path = env::var_os("ASTERISK_ROOT").unwrap_or_else(|| "target/asterisk/22".into());
        let path = repository().join(path);
        assert!(
            path.exists(),
            "{} is missing: run `make asterisk`",
            path.display()
        );
        let found = Command::new(repository().join("tests/asterisk/root.sh"))
            .arg(&path)
            .output()
            .expect("a shell");
        let why = String::from_utf8_lossy(&found.stderr);
        assert!(found.status.success(), "{}: {why}", path.display());
        let text = String::from_utf8(found.stdout).expect("paths in UTF-8");
        let values: HashMap<_, _> = text
            .lines()
            .filter_map(|line| line.split_once('='))
            .collect();
        Self {
            version: values["version"].to_owned(),
            loader: values["loader"].into(),
            libraries: values["libraries"].to_owned(),
            program: values["program"].into(),
            modules: values["modules"].into(),
            data: values["data"].into(),
            include: values["include"].into(),
        }
    }

    /// The version, as `asterisk -V` gives it without the name, for example `22.10.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The dynamic loader: the root's own, because the machine's glibc may be too old for the
    /// root's programs.
    pub(super) fn loader(&self) -> &Path {
        &self.loader
    }

    /// The directories with the root's libraries, separated by colons.
    pub(super) fn libraries(&self) -> &str {
        &self.libraries
    }

    /// A file below one of the directories with libraries.
    pub(super) fn library(&self, name: &str) -> Option<PathBuf> {
        let mut files = self
            .libraries
            .split(':')
            .map(|path| Path::new(path).join(name));
        files.find(|file| file.exists())
    }

    /// The program `asterisk`.
    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    /// The file of one of Asterisk's modules, named without its ending.
    pub(super) fn module(&self, name: &str) -> PathBuf {
        self.modules.join(format!("{name}.so"))
    }

    /// Whether it has this module of Asterisk's, named without its ending.
    pub fn has_module(&self, name: &str) -> bool {
        self.module(name).exists()
    }

    /// Whether it has SIP: an Asterisk that was built without pjproject has none.
    pub fn has_sip(&self) -> bool {
        self.has_module("chan_pjsip")
    }

    /// Whether one of its modules has this text in it, such as a message of what it does.
    pub fn module_contains(&self, name: &str, text: &str) -> bool {
        contains(&self.module(name), text)
    }

    /// Whether the program has a function of this name for modules.
    pub fn exports(&self, function: &str) -> bool {
        contains(&self.program, &format!("\0{function}\0"))
    }

    /// Whether one of its headers, named without the directory `asterisk`, has this name in it.
    /// Where the headers are not in the root, `ASTERISK_INCLUDE` says where.
    pub fn declares(&self, header: &str, name: &str) -> bool {
        let include = match self.include.as_os_str().is_empty() {
            true => env::var_os("ASTERISK_INCLUDE").map(PathBuf::from),
            false => Some(self.include.clone()),
        };
        let header = include.map(|path| repository().join(path).join("asterisk").join(header));
        let header = header.expect("the root has headers, or ASTERISK_INCLUDE is set");
        fs::read_to_string(header).is_ok_and(|text| text.contains(name))
    }

    /// Whether its core keeps the state of hints in `extension_state.c`, as from 20.21, 22.11 and
    /// 23.5 on. It then combines the presences of a hint in one fixed order, and follows devices
    /// under the spelling of the hint alone.
    pub fn keeps_extension_states(&self) -> bool {
        static FOUND: OnceLock<bool> = OnceLock::new();
        *FOUND.get_or_init(|| self.exports("ast_extension_state_topic_all"))
    }

    /// The directory with documentation, sounds and the descriptions of the REST interface.
    pub fn data(&self) -> &Path {
        &self.data
    }
}

fn contains(file: &Path, text: &str) -> bool {
    let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
