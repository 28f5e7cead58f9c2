//! The paths of the repository and of the module.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::root::root;

/// The repository.
pub(super) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
#[track_caller]
pub fn repository_file(path: &str) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// The built module: the release build, or the one with the feature `selftest`.
///
/// `USERPRESENCE_MODULE` and `USERPRESENCE_SELFTEST_MODULE` name others.
pub(super) fn module(selftest: bool) -> PathBuf {
    let (variable, folder, make) = if selftest {
        ("USERPRESENCE_SELFTEST_MODULE", "selftest", "build-selftest")
    } else {
        ("USERPRESENCE_MODULE", "release", "build")
    };
    let path = env::var_os(variable).map_or_else(
        || target().join(folder).join("res_userpresence.so"),
        PathBuf::from,
    );
    assert!(
        path.is_file(),
        "{} is missing: run `make {make}` first",
        path.display()
    );
    path
}

/// The module that the tests load, for tests that install it themselves.
pub fn built_module() -> PathBuf {
    module(false)
}

/// Whether the module that the tests load has the test commands: one build then serves as both.
pub fn has_test_commands() -> bool {
    let file = |selftest| fs::read(module(selftest)).expect("a build of the module");
    file(false) == file(true)
}

/// The library that gives a program another clock: the root's own, where it has one, else that
/// with what `tests/asterisk/etcd.sh` unpacks.
pub(super) fn faketime() -> PathBuf {
    if let Some(path) = root().library("faketime/libfaketimeMT.so.1") {
        return path;
    }
    let root = env::var_os("ETCD_ROOT");
    let root = root.map_or_else(|| repository().join("target/etcd"), PathBuf::from);
    let path = root.join(format!(
        "usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1",
        env::consts::ARCH
    ));
    let path = path.canonicalize();
    path.expect("libfaketime is missing: run `make etcd`")
}
