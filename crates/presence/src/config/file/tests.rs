//! Changes of texts, with small stand-ins for Asterisk's parser and writer. What Asterisk itself
//! makes of them is tested in a real one.

use std::collections::HashSet;

use proptest::prelude::*;

use super::scan::{FileLine, lines, scan};
use super::*;

mod parts;

const FILE: &str = "userpresence.conf";

/// The sections of a text without includes, as the parser reads them.
fn entries(text: &str) -> Vec<ConfigEntry> {
    let mut entries: Vec<ConfigEntry> = Vec::new();
    let mut current = 0;
    for (number, (line, scanned)) in lines(text.as_bytes())
        .iter()
        .zip(scan(text.as_bytes()))
        .enumerate()
    {
        match scanned.kind {
            FileLine::Header(header) if header.addition => {
                let name = header.name;
                let of_name = |it: &ConfigEntry| it.name == name && !it.template;
                current = entries.iter().position(of_name).expect("a section");
            }
            FileLine::Header(header) => {
                current = entries.len();
                let bases = header.templates.iter().flat_map(|template| {
                    let base = entries.iter().find(|it| it.name == *template);
                    base.expect("a template").options.clone()
                });
                let options = bases.map(|option| ConfigOption {
                    inherited: true,
                    ..option
                });
                entries.push(ConfigEntry {
                    options: options.collect(),
                    name: header.name,
                    template: header.template,
                    templates: header.templates,
                });
            }
            FileLine::Option(_) => {
                let line = String::from_utf8_lossy(line);
                let line = line.split(" ;").next().unwrap_or_default();
                let (name, value) = line.split_once('=').expect("an option");
                entries[current].options.push(ConfigOption {
                    name: name.trim().into(),
                    value: value.trim().into(),
                    utf8: true,
                    inherited: false,
                    file: FILE.into(),
                    line: number as u32 + 1,
                });
            }
            _ => {}
        }
    }
    entries
}

fn document(text: &str) -> ConfigDocument {
    let file = ConfigFile {
        name: FILE.into(),
        text: text.as_bytes().to_vec(),
        includes: Vec::new(),
    };
    ConfigDocument::new(vec![file], entries(text))
}

/// The writer: the last section, with its values.
fn write(section: &SectionText) -> Result<Vec<u8>, String> {
    let mut values = section.values.iter();
    let mut written = String::new();
    let text = String::from_utf8(section.text.clone()).expect("a text");
    for line in text.lines().skip(section.templates) {
        match line
            .split_once('=')
            .filter(|_| !line.starts_with([';', '[']))
        {
            Some((name, _)) => {
                let value = values.next().expect("a value");
                written.push_str(&format!("{} = {value}\n", name.trim()));
            }
            None => written.push_str(&format!("{line}\n")),
        }
    }
    assert_eq!(values.next(), None);
    Ok(written.into_bytes())
}

/// The text after the changes.
fn changed(text: &str, changes: &[SectionChange]) -> Result<String, Vec<FileProblem>> {
    let document = document(text);
    assert_eq!(document.fixed, None);
    let plan = plan(&document, changes)?;
    let Some(file) = plan.file else {
        return Ok(text.to_owned());
    };
    let rendered = render(&document, &plan, file, &mut write).expect("a text");
    let rendered = String::from_utf8(rendered).expect("a text");
    // The parser reads what was worked out, but for the lines' numbers.
    let bare = |mut entries: Vec<ConfigEntry>| {
        for option in entries.iter_mut().flat_map(|entry| &mut entry.options) {
            (option.line, option.file) = (0, "".into());
        }
        entries
    };
    assert_eq!(bare(entries(&rendered)), bare(plan.entries), "{rendered}");
    Ok(rendered)
}

fn set(section: &str, options: &[(&str, &str)]) -> SectionChange {
    let options = options.iter().map(|(name, value)| WantedOption {
        name: (*name).into(),
        value: Some((*value).into()),
    });
    SectionChange {
        section: section.into(),
        options: OptionsChange::Set(options.collect()),
        ..SectionChange::default()
    }
}

const TEXT: &str = "; head\n\n[general]\nsettle=1\n\n[t](!)\ntype=user\n\n; about a\n[a](t) ; x\n\
                    id=1 ; y\n; note\naccount=m\n; below a\n\n[b](t)\nid=2\n; tail\n";

#[test]
fn a_section_moves_with_the_comments_directly_beside_it() {
    let change = SectionChange {
        after: Some("b".into()),
        ..SectionChange {
            section: "a".into(),
            ..SectionChange::default()
        }
    };
    let expected = "; head\n\n[general]\nsettle=1\n\n[t](!)\ntype=user\n\n[b](t)\nid=2\n; tail\n\n\
                    ; about a\n[a](t) ; x\nid=1 ; y\n; note\naccount=m\n; below a\n";
    assert_eq!(changed(TEXT, &[change]).unwrap(), expected);
}

#[test]
fn a_section_that_goes_takes_its_comments() {
    let change = SectionChange {
        section: "a".into(),
        options: OptionsChange::Delete,
        ..SectionChange::default()
    };
    let expected = "; head\n\n[general]\nsettle=1\n\n[t](!)\ntype=user\n\n[b](t)\nid=2\n; tail\n";
    assert_eq!(changed(TEXT, &[change]).unwrap(), expected);
}

#[test]
fn a_new_section_may_be_the_first_or_the_last() {
    let first = SectionChange {
        after: Some(String::new()),
        kind: Some("status".into()),
        ..set("s", &[("state", "xa")])
    };
    let last = SectionChange {
        templates: Some(vec!["t".into()]),
        ..set("c", &[("id", "3")])
    };
    let text = changed(TEXT, &[first, last]).unwrap();
    let expected = format!(
        "; head\n\n[s]\ntype = status\nstate = xa\n\n{}\n[c](t)\nid = 3\n",
        TEXT.strip_prefix("; head\n\n").unwrap()
    );
    assert_eq!(text, expected);
}

#[test]
fn a_file_without_sections_gets_one() {
    let new = SectionChange {
        kind: Some("user".into()),
        ..set("u", &[])
    };
    assert_eq!(
        changed("", std::slice::from_ref(&new)).unwrap(),
        "[u]\ntype = user\n"
    );
    assert_eq!(changed("; x", &[new]).unwrap(), "; x\n\n[u]\ntype = user\n");
}

#[test]
fn options_keep_their_lines() {
    let text = changed(
        TEXT,
        &[set("a", &[("id", "1"), ("member", "x"), ("account", "n")])],
    );
    let expected = TEXT.replace(
        "id=1 ; y\n; note\naccount=m\n",
        "id=1 ; y\nmember = x\n; note\naccount = n\n",
    );
    assert_eq!(text.unwrap(), expected);
    // Nothing asked for, nothing done.
    assert_eq!(changed(TEXT, &[set("b", &[("id", "2")])]).unwrap(), TEXT);
}

#[test]
fn a_problem_has_the_line_of_its_option() {
    let problems = changed(TEXT, &[set("a", &[("id", "a\nb")])]).unwrap_err();
    let problem = &problems[0];
    assert_eq!(
        (&*problem.section, problem.option.as_deref()),
        ("a", Some("id"))
    );
    assert_eq!((&*problem.file, problem.line), (FILE, 11));
    let problems = changed(
        TEXT,
        &[set("a", &[("id", "1")]), set("none", &[("x", "1")])],
    )
    .unwrap_err();
    assert_eq!((&*problems[0].section, problems[0].line), ("none", 0));
}

/// A line between or in sections.
fn between() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("\n".to_owned()),
        Just("; a comment\n".to_owned()),
        Just("  ; another\n".to_owned()),
        Just(";-- a block\n[x]\ny = 1\n--;\n".to_owned()),
    ]
}

fn option() -> impl Strategy<Value = (String, String)> {
    let names = prop_oneof![
        Just("id"),
        Just("account"),
        Just("extension"),
        Just("mobile")
    ];
    (names, "[a-c]{0,2}").prop_map(|(name, value)| (name.to_owned(), value))
}

/// A text of sections `s0` to `s5`; each may inherit from one before it, and one before it may go on
/// behind it.
fn text() -> impl Strategy<Value = String> {
    let option = (option(), any::<bool>()).prop_map(|((name, value), note)| {
        let note = if note { " ; note" } else { "" };
        format!("{name}={value}{note}\n")
    });
    let line = prop_oneof![2 => option, 1 => between()];
    let section = (
        proptest::collection::vec(line.clone(), 0..5),
        proptest::option::of(0usize..6),
        proptest::collection::vec(between(), 0..3),
        proptest::option::of((0usize..6, proptest::collection::vec(line, 0..3))),
    );
    let sections = proptest::collection::vec(section, 1..6);
    (
        proptest::collection::vec(between(), 0..3),
        sections,
        any::<bool>(),
    )
        .prop_map(|(head, sections, end)| {
            let mut text: String = head.concat();
            for (at, (lines, base, after, more)) in sections.into_iter().enumerate() {
                let base = base
                    .filter(|base| *base < at)
                    .map(|base| format!("(s{base})"));
                text.push_str(&format!("[s{at}]{}\n", base.unwrap_or_default()));
                text.push_str(&(lines.concat() + &after.concat()));
                if let Some((part, lines)) = more.filter(|(part, _)| *part <= at) {
                    text.push_str(&format!("[s{part}](+) ; more\n{}", lines.concat()));
                }
            }
            match end {
                true => text,
                false => text.trim_end_matches('\n').to_owned(),
            }
        })
}

fn change() -> impl Strategy<Value = SectionChange> {
    let options = prop_oneof![
        Just(OptionsChange::Keep),
        Just(OptionsChange::Delete),
        proptest::collection::vec(option(), 0..4).prop_map(|options| {
            let wanted = options.into_iter().map(|(name, value)| WantedOption {
                name,
                value: Some(value),
            });
            OptionsChange::Set(wanted.collect())
        }),
    ];
    let name = (0usize..8).prop_map(|at| format!("s{at}"));
    let after = prop_oneof![Just(String::new()), name.clone()];
    (
        name,
        options,
        proptest::option::of(after),
        proptest::option::of("new[a-z]"),
    )
        .prop_map(|(section, options, after, rename)| SectionChange {
            section,
            options,
            after,
            rename,
            ..SectionChange::default()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// What is written reads as it was worked out (see `changed`), and no line of another section
    /// is lost or becomes another one.
    #[test]
    fn a_change_touches_what_it_is_about(text in text(), changes in proptest::collection::vec(change(), 1..3)) {
        // Two changes of one section are refused.
        let names: HashSet<&str> = changes.iter().map(|change| &*change.section).collect();
        if let (Ok(after), true) = (changed(&text, &changes), names.len() == changes.len()) {
            let touched = |name: &str| {
                changes.iter().any(|change| change.section == name)
            };
            let document = document(&text);
            for section in &document.sections {
                if touched(&section.entry.name) {
                    continue;
                }
                let all = lines(text.as_bytes());
                for place in section.parts() {
                    let own = all[place.header..place.end].concat();
                    let own = String::from_utf8(own).expect("a text");
                    prop_assert!(after.contains(own.trim_end()), "{own} in {after}");
                }
            }
        }
    }
}

#[test]
fn a_line_that_the_writer_loses_is_noticed() {
    let text = "[bob]\ntype = user\n; the desk\nextension = 200\n";
    let document = document(text);
    let change = SectionChange {
        section: "bob".into(),
        options: OptionsChange::Set(vec![WantedOption {
            name: "extension".into(),
            value: Some("201".into()),
        }]),
        ..SectionChange::default()
    };
    let plan = plan(&document, &[change]).expect("a plan");
    for lost in [";line-1\n", ";line-2\n", ""] {
        let mut loses = |section: &SectionText| {
            let written = String::from_utf8(write(section)?).expect("a text");
            assert!(written.contains(lost), "{written}");
            Ok(written.replacen(lost, "", 1).into_bytes())
        };
        let rendered = render(&document, &plan, 0, &mut loses);
        assert_eq!(rendered.is_ok(), lost.is_empty(), "{lost}: {rendered:?}");
    }
    let mut twice = |section: &SectionText| Ok([write(section)?, write(section)?].concat());
    assert!(render(&document, &plan, 0, &mut twice).is_err());
}
