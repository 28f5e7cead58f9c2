//! The pages as text: their tables, headings and code.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Names without an order, as documentation and module are compared.
pub type Names = BTreeSet<String>;

/// The given names.
pub fn names<T: Into<String>>(all: impl IntoIterator<Item = T>) -> Names {
    all.into_iter().map(Into::into).collect()
}

/// One page.
pub struct Page {
    /// Its path below the repository.
    pub path: String,
    /// Its Markdown.
    pub text: String,
}

/// One table of a page.
pub struct Table {
    /// The heading above it.
    pub heading: String,
    /// The first cell of its head, which says what its rows are about.
    pub about: String,
    /// All cells of its head.
    pub head: Vec<String>,
    /// Its rows, each as its cells.
    pub rows: Vec<Vec<String>>,
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The README and every page below `doc`.
pub fn pages() -> Vec<Page> {
    let mut paths = vec![PathBuf::from("README.md")];
    let folder = fs::read_dir(repository().join("doc")).expect("the folder doc");
    let files = folder.map(|entry| entry.expect("an entry").file_name());
    let pages = files.filter(|name| name.to_string_lossy().ends_with(".md"));
    paths.extend(pages.map(|name| Path::new("doc").join(name)));
    paths.sort();
    assert!(paths.len() > 10, "only {paths:?}");
    let read = |path: PathBuf| Page {
        text: fs::read_to_string(repository().join(&path)).expect("a page"),
        path: path.display().to_string(),
    };
    paths.into_iter().map(read).collect()
}

impl Page {
    /// The lines outside of fenced code.
    pub fn prose(&self) -> impl Iterator<Item = &str> {
        let mut fenced = false;
        self.text.lines().filter(move |line| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            !fenced && !fence
        })
    }

    /// The headings, without their marks.
    pub fn headings(&self) -> impl Iterator<Item = &str> {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings.map(|line| line.trim_start_matches('#').trim())
    }

    /// The fenced code of that kind.
    pub fn blocks(&self, kind: &str) -> Vec<&str> {
        let begin = format!("```{kind}\n");
        let blocks = self.text.split(begin.as_str()).skip(1);
        blocks.filter_map(|text| text.split("```").next()).collect()
    }

    fn tables(&self) -> Vec<Table> {
        let (mut tables, mut heading, mut inside) = (Vec::<Table>::new(), "", false);
        for line in self.prose() {
            if line.starts_with('#') {
                heading = line.trim_start_matches('#').trim();
            }
            let cells = line.starts_with('|').then(|| cells(line));
            match (cells, tables.last_mut()) {
                (Some(cells), Some(table)) if inside => {
                    if !cells.iter().all(|cell| cell.trim_matches('-').is_empty()) {
                        table.rows.push(cells);
                    }
                }
                (Some(cells), _) => {
                    inside = true;
                    tables.push(Table {
                        heading: heading.to_owned(),
                        about: cells[0].clone(),
                        head: cells,
                        rows: Vec::new(),
                    });
                }
                (None, _) => inside = false,
            }
        }
        tables
    }
}

/// The tables of all pages whose rows are about that.
pub fn tables(about: &str) -> Vec<Table> {
    let pages = pages();
    let tables = pages.iter().flat_map(Page::tables);
    let found: Vec<Table> = tables.filter(|table| table.about == about).collect();
    assert!(!found.is_empty(), "no table of '{about}'");
    found
}

/// What is in code in the first cells of the tables about that: each stands there once.
#[track_caller]
pub fn listed(about: &str) -> Names {
    let tables = tables(about);
    let rows = tables.iter().flat_map(|table| &table.rows);
    let all: Vec<String> = rows.flat_map(|row| code(&row[0])).collect();
    let once = names(all.clone());
    assert_eq!(
        once.len(),
        all.len(),
        "twice in the table of '{about}': {all:?}"
    );
    once
}

/// The cells of a table's line. A `|` within one is written `\|`.
fn cells(line: &str) -> Vec<String> {
    const WITHIN: &str = "\u{1}";
    let line = line.trim().replace("\\|", WITHIN);
    let inner = line.trim_start_matches('|').trim_end_matches('|');
    let cells = inner
        .split('|')
        .map(|cell| cell.trim().replace(WITHIN, "|"));
    cells.collect()
}

/// What is in code in a text.
pub fn code(text: &str) -> Vec<String> {
    let spans = text.split('`').skip(1).step_by(2);
    spans.map(str::to_owned).collect()
}

/// How GitHub names a heading in an address.
pub fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Says what one set has and the other has not.
#[track_caller]
pub fn assert_same(what: &str, documented: &Names, existing: &Names) {
    assert!(!existing.is_empty(), "the module has no {what}");
    let only = |a: &Names, b: &Names| a.difference(b).cloned().collect::<Vec<_>>();
    let (unknown, missing) = (only(documented, existing), only(existing, documented));
    assert!(
        unknown.is_empty() && missing.is_empty(),
        "{what}: documented but not existing {unknown:?}, existing but not documented {missing:?}"
    );
}
