//! The board's texts: each in every language, and each used.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const LANGUAGES: [&str; 6] = ["en", "de", "fr", "es", "pt", "it"];

fn board() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/site/board")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// The board's files with one of these endings: path and text.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let entries = fs::read_dir(board()).expect("the board's folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let wanted = paths.filter(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|ending| endings.contains(&ending))
    });
    let mut files: Vec<_> = wanted
        .map(|path| (path.display().to_string(), read(&path)))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no files {endings:?}");
    files
}

/// The table as it is written: keys in their order, with their texts.
fn table() -> Vec<(String, Vec<String>)> {
    let text = read(&board().join("strings.json"));
    let parsed: BTreeMap<String, Vec<String>> = serde_json::from_str(&text).expect("a table");
    // serde takes the last of two equal keys; the lines show both.
    let lines = text.lines().filter_map(|line| {
        let (key, _) = line.strip_prefix("  \"")?.split_once('"')?;
        Some((key.to_owned(), parsed[key].clone()))
    });
    lines.collect()
}

/// The places `{name}` of a text.
fn places(text: &str) -> BTreeSet<&str> {
    let parts = text.split('{').skip(1);
    parts
        .filter_map(|part| Some(part.split_once('}')?.0))
        .collect()
}

#[test]
fn every_text_is_in_every_language_with_the_same_places() {
    let table = table();
    assert!(table.len() > 100, "{} texts", table.len());
    for pair in table.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{} is out of order", pair[1].0);
    }
    for (key, texts) in &table {
        assert_eq!(texts.len(), LANGUAGES.len(), "{key}");
        for (language, text) in LANGUAGES.iter().zip(texts) {
            assert!(!text.trim().is_empty(), "{key} in {language} is empty");
            assert_eq!(text, text.trim(), "{key} in {language}");
            assert_eq!(
                places(text),
                places(&texts[0]),
                "{key} in {language}: {text}"
            );
        }
    }
}

/// What follows `before` up to the next `end`, wherever it is.
fn between<'a>(text: &'a str, before: &str, end: &str) -> Vec<&'a str> {
    let parts = text.split(before).skip(1);
    parts
        .filter_map(|part| Some(part.split_once(end)?.0))
        .collect()
}

#[test]
fn every_text_that_is_used_exists_and_every_text_is_used() {
    let table = table();
    let keys: BTreeSet<&str> = table.iter().map(|(key, _)| key.as_str()).collect();
    let prefixes: BTreeSet<&str> = keys
        .iter()
        .filter_map(|key| Some(key.split_once('.')?.0))
        .collect();
    let is_key = |text: &&str| {
        let letters = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        };
        let Some((prefix, rest)) = text.split_once('.') else {
            return false;
        };
        prefixes.contains(prefix) && rest.split('.').all(letters)
    };
    let mut used = BTreeSet::new();
    let mut beginnings = BTreeSet::new();
    let files = files(&["js", "html"]);
    for (file, text) in &files {
        let is_page = file.ends_with(".html");
        for line in text.lines().filter(|_| !is_page) {
            // Every literal that looks like a key counts: some are chosen before t() is called.
            let odd = |(at, part)| (at % 2 == 1).then_some(part);
            let literals = line.split('"').enumerate().filter_map(odd).filter(is_key);
            for key in literals {
                assert!(
                    keys.contains(key),
                    "{file} uses {key}, which is in no language"
                );
                used.insert(key);
            }
            // t(`state.${name}`) uses every key that begins with "state.".
            let dynamic = between(line, "t(`", "${").into_iter();
            for beginning in dynamic.filter(|begin| begin.ends_with('.')) {
                beginnings.insert(beginning);
            }
        }
        for attribute in [
            "data-t=\"",
            "data-t-aria-label=\"",
            "data-t-placeholder=\"",
            "data-t-title=\"",
        ] {
            for key in between(text, attribute, "\"")
                .into_iter()
                .filter(|_| is_page)
            {
                assert!(
                    keys.contains(key),
                    "{file} uses {key}, which is in no language"
                );
                used.insert(key);
            }
        }
    }
    for beginning in &beginnings {
        assert!(
            keys.iter().any(|key| key.starts_with(beginning)),
            "no text begins with {beginning}"
        );
    }
    let unused: Vec<_> = keys
        .iter()
        .filter(|key| {
            !used.contains(*key) && !beginnings.iter().any(|begin| key.starts_with(begin))
        })
        .collect();
    assert!(unused.is_empty(), "nobody shows {unused:?}");
}
