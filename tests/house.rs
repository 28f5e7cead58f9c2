//! Rules of the house, held to the source text.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The Rust files below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

/// The names at the beginning of a SAFETY comment, before its first colon.
fn rules_of(comment: &str) -> Option<Vec<&str>> {
    let (names, _) = comment.trim().split_once(':')?;
    let names: Vec<&str> = names.split(", ").collect();
    let is_name = |name: &&str| {
        let good = |c: char| c.is_ascii_uppercase() || c == '-';
        !name.is_empty() && name.chars().all(good)
    };
    names.iter().all(is_name).then_some(names)
}

#[test]
fn safety_comments_name_the_rules_and_each_rule_is_used() {
    let layer = root().join("crates/asterisk");
    let rules = read(&layer.join("SAFETY.md"));
    let rules = rules.lines().filter_map(|line| line.strip_prefix("### "));
    let rules: Vec<&str> = rules.collect();
    let known: BTreeSet<&str> = rules.iter().copied().collect();
    assert_eq!(
        known.len(),
        rules.len(),
        "a rule is stated twice: {rules:?}"
    );

    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in sources(&layer.join("src")) {
        for (line, text) in read(&file).lines().enumerate() {
            let Some((_, comment)) = text.split_once("// SAFETY:") else {
                continue;
            };
            let place = format!("{}:{}", file.display(), line + 1);
            match rules_of(comment) {
                None => wrong.push(format!("{place} names no rule: {comment}")),
                Some(names) => {
                    for name in names {
                        if !known.contains(name) {
                            wrong.push(format!("{place}: no rule {name} in SAFETY.md"));
                        }
                        used.insert(name.to_owned());
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unused: Vec<_> = known.iter().filter(|rule| !used.contains(**rule)).collect();
    assert!(unused.is_empty(), "no comment refers to {unused:?}");
    assert!(used.len() > 10, "the comments were not found");
}

/// The text of a file without its unit tests.
fn code(path: &Path) -> String {
    let text = read(path);
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Whether a file belongs to tests: models, fakes, folders and files named so.
fn is_test(path: &Path) -> bool {
    let name = |part: &str| ["tests", "models", "testing"].contains(&part);
    path.iter().any(|part| {
        let part = part.to_str().unwrap_or_default();
        name(part.strip_suffix(".rs").unwrap_or(part))
    })
}

#[test]
fn unsafe_code_is_in_the_layer_alone() {
    for root_file in ["src/lib.rs", "crates/presence/src/lib.rs"] {
        let text = read(&root().join(root_file));
        assert!(text.contains("#![forbid(unsafe_code)]"), "{root_file}");
    }
    let manifest = read(&root().join("crates/asterisk/Cargo.toml"));
    assert!(
        !manifest.contains("presence"),
        "the layer depends on nothing of the module"
    );
}

#[test]
fn no_folder_uses_one_above_it() {
    // Each may use what comes before it, and itself.
    const MODULE: &[&str] = &[
        "trip", "sync", "elf", "convert", "webhooks", "cluster", "runtime", "surfaces", "web",
        "host", "selftest", "module",
    ];
    const PRESENCE: &[&str] = &[
        "model",
        "combine",
        "actions",
        "config",
        "directory",
        "world",
        "account",
        "calls",
        "views",
    ];
    let mut wrong = upward("src", MODULE);
    wrong.extend(upward("crates/presence/src", PRESENCE));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The lines in which a file uses a folder that comes after its own.
fn upward(folder: &str, order: &[&str]) -> Vec<String> {
    let folder = root().join(folder);
    let above = |part: &str| order.iter().position(|known| *known == part);
    let mut wrong = Vec::new();
    for file in sources(&folder) {
        if is_test(&file) {
            continue;
        }
        let below = file.strip_prefix(&folder).unwrap();
        let first = below.iter().next().unwrap().to_str().unwrap();
        let Some(own) = above(first.strip_suffix(".rs").unwrap_or(first)) else {
            continue;
        };
        for (line, text) in code(&file).lines().enumerate() {
            for used in text.split("crate::").skip(1) {
                let end = used.find(|c: char| !c.is_alphanumeric() && c != '_');
                let used = &used[..end.unwrap_or(used.len())];
                let is_link = text.trim_start().starts_with("//");
                if !is_link && above(used).is_some_and(|at| at > own) {
                    wrong.push(format!("{}:{}: {text}", below.display(), line + 1));
                }
            }
        }
    }
    wrong
}

#[test]
fn each_type_name_has_one_owner() {
    let mut owners: std::collections::BTreeMap<String, Vec<String>> = Default::default();
    let folders = ["src", "crates/presence/src", "crates/asterisk/src"];
    for file in folders
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
    {
        if is_test(&file) || file.ends_with("sync.rs") {
            continue;
        }
        for line in code(&file).lines() {
            let line = line.trim_start();
            let line = match line.strip_prefix("pub") {
                Some(rest) if rest.starts_with('(') => {
                    rest.split_once(')').map_or(rest, |(_, it)| it)
                }
                Some(rest) => rest,
                None => line,
            };
            let mut words = line.split_whitespace();
            let kind = words.next().unwrap_or_default();
            if !["struct", "enum", "trait"].contains(&kind) {
                continue;
            }
            let name = words.next().unwrap_or_default();
            let end = name.find(|c: char| !c.is_alphanumeric());
            let name = &name[..end.unwrap_or(name.len())];
            if name.starts_with(|c: char| c.is_ascii_uppercase()) {
                let place = file.strip_prefix(root()).unwrap().display().to_string();
                let owners = owners.entry(name.to_owned()).or_default();
                // One word, declared for two kinds of build in one file.
                if !owners.contains(&place) {
                    owners.push(place);
                }
            }
        }
    }
    owners.retain(|_, places| places.len() > 1);
    assert!(owners.is_empty(), "{owners:#?}");
}

#[test]
fn the_ten_steps_name_functions_where_they_are() {
    let lib = read(&root().join("src/lib.rs"));
    let steps = lib.split("//! # One change, in ten steps").nth(1).unwrap();
    let steps = steps.split("#![forbid").next().unwrap();
    let text: String = steps
        .lines()
        .map(|line| line.trim_start_matches("//!"))
        .collect();
    let mut pieces = text.split('`');
    pieces.next();
    let (mut item, mut checked) = (String::new(), 0);
    while let (Some(quoted), rest) = (pieces.next(), pieces.next()) {
        if quoted.contains("::") {
            item = quoted.rsplit("::").next().unwrap().to_owned();
        } else if quoted.ends_with(".rs") {
            let source = read(&root().join(quoted));
            let declared = ["fn ", "enum ", "struct "]
                .iter()
                .any(|kind| source.contains(&format!("{kind}{item}")));
            assert!(declared, "{quoted} declares no {item}");
            checked += 1;
        }
        if rest.is_none() {
            break;
        }
    }
    let numbers = (1..=10).all(|number| steps.contains(&format!("//! {number}. [")));
    assert!(numbers && checked >= 10, "{checked} files are named");
}

#[test]
fn the_package_of_debian_has_the_version_of_the_module() {
    let changelog = read(&root().join("debian/changelog"));
    let first = changelog.lines().next().unwrap();
    let version = format!("asterisk-userpresence ({}) ", env!("CARGO_PKG_VERSION"));
    assert!(first.starts_with(&version), "{first}");
}
