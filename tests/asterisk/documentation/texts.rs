//! What the module's source and its help hold, where a running module has no list of it.

use std::fs;
use std::path::{Path, PathBuf};

use super::pages::{Names, names, repository};

/// The module's source, file by file.
pub fn sources() -> Vec<String> {
    let mut folders = vec![repository().join("src"), repository().join("crates")];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    let read = |path: &PathBuf| fs::read_to_string(path).expect("a source file");
    files.iter().map(read).collect()
}

/// The texts in quotes of a source file, each with what comes before and after it.
pub fn literals(source: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    let quotes: Vec<usize> = source.match_indices('"').map(|(at, _)| at).collect();
    let pairs = (1..quotes.len()).map(move |n| (quotes[n - 1], quotes[n]));
    pairs.map(|(begin, end)| {
        (
            &source[..begin],
            &source[begin + 1..end],
            &source[end + 1..],
        )
    })
}

/// The help of that kind and name, for example of the `function` `USER_PRESENCE`.
pub fn help(kind: &str, name: &str) -> String {
    let path = Path::new("doc/res_userpresence-en_US.xml");
    let text = fs::read_to_string(repository().join(path)).expect("the help");
    let begin = format!("<{kind} name=\"{name}\"");
    let found = text.split(begin.as_str()).nth(1);
    let found = found.unwrap_or_else(|| panic!("no help of {kind} {name}"));
    let end = format!("</{kind}>");
    found.split(end.as_str()).next().unwrap_or_default().into()
}

/// The names of the elements of that kind in a part of the help.
pub fn elements(help: &str, kind: &str) -> Names {
    let begin = format!("<{kind} name=\"");
    let names_of = help.split(begin.as_str()).skip(1);
    names(names_of.filter_map(|text| text.split('"').next()))
}
