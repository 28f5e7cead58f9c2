//! What the pages say between their tables: links, examples, names.

use super::pages::{Names, anchor, code, names, pages, repository};
use super::texts::{literals, sources};
use crate::harness::{Instance, wait_until};

/// The addresses of links and pictures in a text.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let links = text.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split(')').next());
    let pictures = ["src=\"", "srcset=\""].into_iter();
    let pictures = pictures.flat_map(|begin| text.split(begin).skip(1));
    links.chain(pictures.filter_map(|rest| rest.split('"').next()))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let mut count = 0;
    for page in &pages {
        let prose: Vec<&str> = page.prose().collect();
        for address in addresses(&prose.join("\n")) {
            if address.contains("://") {
                continue;
            }
            count += 1;
            let (file, fragment) = address.split_once('#').unwrap_or((address, ""));
            let folder = repository().join(&page.path);
            let folder = folder.parent().expect("a folder");
            let target = match file {
                "" => repository().join(&page.path),
                file => folder.join(file),
            };
            let target = target.canonicalize();
            let target = target.unwrap_or_else(|why| panic!("{}: {address}: {why}", page.path));
            if fragment.is_empty() {
                continue;
            }
            let to = pages.iter().find(|page| {
                repository().join(&page.path).canonicalize().ok().as_ref() == Some(&target)
            });
            let to = to.unwrap_or_else(|| panic!("{}: {address} is no page", page.path));
            let mut anchors = to.headings().map(anchor);
            let found = anchors.any(|known| known == fragment);
            assert!(found, "{}: no heading for {address}", page.path);
        }
    }
    assert!(count > 50, "only {count} links were found");
}

#[test]
fn the_index_leads_to_every_page() {
    let pages = pages();
    let index = pages.iter().find(|page| page.path == "doc/README.md");
    let index = index.expect("the index");
    let linked = names(addresses(&index.text).map(|address| format!("doc/{address}")));
    let others = pages.iter().map(|page| page.path.as_str());
    let others = others.filter(|path| !path.ends_with("README.md"));
    let missing: Vec<&str> = others.filter(|path| !linked.contains(*path)).collect();
    assert!(missing.is_empty(), "not in the index: {missing:?}");
}

/// Each folder and file that the page for newcomers names is there.
#[test]
fn the_house_is_as_it_is_described() {
    let pages = pages();
    let page = pages
        .iter()
        .find(|page| page.path.ends_with("how-it-is-built.md"));
    let page = page.expect("the page for newcomers");
    let (mut inside, mut count) = ("", 0);
    for span in page.prose().flat_map(code) {
        let is_path = span.contains('/') || span.ends_with(".rs");
        if !is_path || span.contains(' ') {
            continue;
        }
        if span == "crates/presence/src/" {
            inside = "crates/presence/src";
        }
        let found = ["", inside].map(|folder| repository().join(folder).join(&span).exists());
        assert!(found.contains(&true), "there is no '{span}'");
        count += 1;
    }
    assert!(count > 10, "only {count} paths were found");
}

/// The configuration of each page has no error, taken together.
#[test]
fn every_example_of_a_configuration_is_accepted() {
    let ast = Instance::builder()
        .modules(crate::harness::sets::QUEUE)
        .userpresence("[general]\n")
        .start();
    let mut count = 0;
    for page in pages() {
        let blocks = page.blocks("ini").into_iter();
        let of_ours = blocks.filter(|block| block.contains("type = ") || block.contains("(+)"));
        let of_ours: Vec<&str> = of_ours.collect();
        if of_ours.is_empty() {
            continue;
        }
        count += 1;
        // What a page takes for granted.
        let mut conf = String::from("[general]\n");
        for (section, options) in [
            ("lunch", "type = status\nstate = away\nsubtype = lunch\n"),
            ("alice", "type = user\n"),
        ] {
            let head = format!("[{section}]\n");
            if !of_ours.iter().any(|block| block.contains(&head)) {
                conf.push_str(&format!("{head}{options}"));
            }
        }
        conf.push_str(&of_ours.join("\n"));
        ast.write_config("userpresence.conf", &conf);
        let checked = ast.cli("userpresence check");
        assert!(
            checked.starts_with("0 errors, 0 warnings."),
            "{}: {checked}",
            page.path
        );
    }
    assert!(count > 4, "only {count} pages were found");
}

/// What the first page shows of the console is what the console shows, but for ages and for
/// what `...` leaves out.
#[test]
fn the_first_steps_are_as_they_are_shown() {
    let pages = pages();
    let page = pages
        .iter()
        .find(|page| page.path == "doc/getting-started.md");
    let page = page.expect("the first page");
    let users = page.blocks("ini").into_iter();
    let users: String = users.filter(|block| block.contains("type = ")).collect();
    let ast = Instance::builder().userpresence(&users).start();
    let shown = page.blocks("console").concat();
    let mut count = 0;
    for step in shown.split("*CLI> ").skip(1) {
        let (command, answer) = step.split_once('\n').expect("a command");
        // An age in seconds differs each time.
        let is_no_age = |word: &&str| {
            let seconds = word.strip_suffix('s');
            seconds.is_none_or(|number| number.parse::<u8>().is_err())
        };
        let plain = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().filter(is_no_age).collect();
            words.join(" ")
        };
        let wanted = answer.lines().filter(|line| *line != "...");
        let wanted: Vec<String> = wanted.map(plain).filter(|line| !line.is_empty()).collect();
        // What is set is heard a moment later. An order is given once.
        let order = wanted.is_empty().then(|| ast.cli(command));
        wait_until(&format!("{command} to show\n{answer}"), || {
            let real = order.clone().unwrap_or_else(|| ast.cli(command));
            let lines: Vec<String> = real.lines().map(plain).collect();
            let shows = wanted.iter().all(|line| lines.contains(line));
            shows.then_some(())
        });
        count += wanted.len();
    }
    assert!(count > 4, "only {count} lines were found");
}

/// The files that name what the module has.
fn texts() -> Vec<(String, String)> {
    let mut texts: Vec<_> = pages()
        .into_iter()
        .map(|page| (page.path, page.text))
        .collect();
    for path in [
        "CHANGELOG.md",
        "configs/samples/userpresence.conf.sample",
        "configs/samples/extensions_userpresence.conf.sample",
        "doc/res_userpresence-en_US.xml",
        "doc/userpresence-sqlite.sql",
        "doc/userpresence-postgresql.sql",
        "doc/userpresence-mariadb.sql",
    ] {
        let text = std::fs::read_to_string(repository().join(path)).expect("a file");
        texts.push((path.to_owned(), text));
    }
    texts
}

/// What follows from each `begin` on, where that begins a word. Marks of comments at a line's
/// begin are left out.
fn from(text: &str, begin: &str) -> Vec<String> {
    let lines = text.lines();
    let lines = lines.map(|line| line.trim_start_matches(['\t', ' ', ';', '-']));
    let text = lines.collect::<Vec<_>>().join(" ");
    let within = |at: usize| text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let starts = text.match_indices(begin).map(|(at, _)| at);
    let starts = starts.filter(|at| !within(*at));
    starts
        .map(|at| text[at..].chars().take(200).collect())
        .collect()
}

/// No text names a command that does not exist.
#[track_caller]
pub fn assert_no_other_command(commands: &[&str]) {
    let mut count = 0;
    for (path, text) in texts() {
        for rest in from(&text, "userpresence ") {
            let words = rest.split(|c: char| !c.is_ascii_lowercase() && c != ' ');
            let words = words.into_iter().next().unwrap_or_default().trim_end();
            if words == "userpresence" {
                continue;
            }
            count += 1;
            let known = commands.iter().any(|command| {
                let after = words.strip_prefix(command);
                after.is_some_and(|after| after.is_empty() || after.starts_with(' '))
            });
            assert!(known, "{path}: '{words}' is no command");
        }
    }
    assert!(count > 50, "only {count} commands were found");
}

fn is_name(text: &str) -> bool {
    let rest = text.strip_prefix("UserPresence").unwrap_or_default();
    rest.starts_with(|c: char| c.is_ascii_uppercase())
        && rest.chars().all(|c| c.is_ascii_alphanumeric())
}

/// The actions, events and applications that the module has: their names in its source.
pub fn existing_names() -> Names {
    let sources = sources();
    let of_source = sources.iter().flat_map(|source| literals(source));
    names(
        of_source
            .map(|(_, text, _)| text)
            .filter(|text| is_name(text)),
    )
}

/// No text names an action, an event or an application that does not exist.
#[test]
fn no_other_name_is_documented() {
    let existing = existing_names();
    let mut count = 0;
    for (path, text) in texts() {
        for (at, _) in text.match_indices("UserPresence") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
            let name = &rest[..end.unwrap_or(rest.len())];
            // The headers of a webhook's posts have a word before it.
            if is_name(name) && !text[..at].ends_with('-') {
                count += 1;
                assert!(existing.contains(name), "{path}: '{name}' does not exist");
            }
        }
    }
    assert!(count > 50, "only {count} names were found");
}

/// No text reads a field that does not exist.
#[test]
fn every_example_reads_a_field_that_exists() {
    let mut count = 0;
    for (function, skip) in [("USER_PRESENCE", 1), ("USER_PRESENCE_ROUTE", 2)] {
        let fields = super::pages::listed(&format!("field of `{function}()`"));
        let begin = format!("{function}(");
        for (path, text) in texts() {
            for rest in from(&text, &begin) {
                let arguments = rest[begin.len()..].split([')', '[', '=']).next();
                let arguments = arguments.unwrap_or_default();
                let Some(field) = arguments.split(',').nth(skip) else {
                    continue;
                };
                // Placeholders of a field, and fields that the dialplan puts together.
                if field.is_empty() || ["sequence", "field", "..."].contains(&field) {
                    continue;
                }
                count += 1;
                assert!(fields.contains(field), "{path}: {begin}{arguments})");
            }
        }
    }
    assert!(count > 10, "only {count} fields were found");
}
