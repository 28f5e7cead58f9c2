//! The C library to compile against and to link with, where it is not this machine's.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{env, fs};

use super::fail;

/// The root folder that `ASTERISK_SYSROOT` names, for the compilers and the linker: a module for
/// a distribution with an older C library than this machine's has to be linked with that one.
pub fn find(manifest: &Path, out: &Path) -> Option<PathBuf> {
    println!("cargo::rerun-if-env-changed=ASTERISK_SYSROOT");
    let named = env::var_os("ASTERISK_SYSROOT").filter(|folder| !folder.is_empty())?;
    let root = manifest.join(named);
    if !root.join("usr/include/features.h").is_file() {
        fail(&format!(
            "ASTERISK_SYSROOT: {} holds no headers of a C library (usr/include/features.h); \
             the distribution's libc6-dev or glibc-devel has to be installed there",
            root.display()
        ));
    }
    let view = out.join("sysroot");
    match show(&root, &view) {
        Ok(()) => Some(view),
        Err(error) => fail(&format!("{} cannot be used: {error}", root.display())),
    }
}

/// Makes a folder that shows the parts of the root that are needed. Absolute links of the root,
/// such as that to the loader in bullseye, lead to the root's own files there.
fn show(root: &Path, view: &Path) -> io::Result<()> {
    let root = fs::canonicalize(root)?;
    if view.exists() {
        fs::remove_dir_all(view)?;
    }
    fs::create_dir_all(view.join("lib64"))?;
    for name in ["usr", "lib"] {
        symlink(inside(&root, root.join(name)), view.join(name))?;
    }
    let loaders = fs::read_dir(inside(&root, root.join("lib64")));
    for loader in loaders.into_iter().flatten() {
        let loader = loader?;
        let link = view.join("lib64").join(loader.file_name());
        symlink(inside(&root, loader.path()), link)?;
    }
    Ok(())
}

/// Where the path leads for a program that has the root as its root.
fn inside(root: &Path, path: PathBuf) -> PathBuf {
    match fs::read_link(&path) {
        Ok(target) => match target.strip_prefix("/") {
            Ok(target) => root.join(target),
            Err(_) => path,
        },
        Err(_) => path,
    }
}
