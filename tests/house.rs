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
