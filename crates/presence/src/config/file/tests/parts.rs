//! Sections in parts.

use super::*;

const PARTS: &str = "[t](!)\ntype=user\n\n; nora\n[nora](t)\nextension=200\n; her mobile\nmobile=1\n\n\
                     [omar](t)\nid=2\n\n; the sheet\n[nora](+) ; more\npassword = x ; new\n\
                     extension=201\n[omar](+)\npassword = y\n; the end\n";

fn fixed(text: &str, read: &str) -> Vec<Option<String>> {
    let file = ConfigFile {
        name: FILE.into(),
        text: text.into(),
        includes: Vec::new(),
    };
    let document = ConfigDocument::new(vec![file], entries(read));
    assert_eq!(document.fixed, None);
    let sections = document.sections.into_iter();
    sections.map(|section| section.fixed).collect()
}

#[test]
fn an_option_changes_where_it_stands_and_a_new_one_comes_to_the_first_part() {
    let change = set(
        "nora",
        &[
            ("password", "z"),
            ("title", "x"),
            ("mobile", "2"),
            ("extension", "200"),
            ("extension", "202"),
            ("extension", "203"),
        ],
    );
    let expected = PARTS
        .replace(
            "[nora](t)\nextension=200\n; her mobile\nmobile=1\n",
            "[nora](t)\ntitle = x\nmobile = 2\nextension=200\n; her mobile\n",
        )
        .replace("password = x ; new\n", "password = z\n")
        .replace("extension=201\n", "extension = 202\nextension = 203\n");
    assert_eq!(changed(PARTS, &[change]).unwrap(), expected);
}

#[test]
fn an_option_goes_where_it_stands() {
    let change = set("nora", &[("extension", "201"), ("mobile", "1")]);
    let expected = PARTS
        .replace("extension=200\n", "")
        .replace("password = x ; new\n", "");
    assert_eq!(changed(PARTS, &[change]).unwrap(), expected);
    let empty = set("omar", &[("id", "2")]);
    let expected = PARTS.replace("password = y\n", "");
    assert_eq!(changed(PARTS, &[empty]).unwrap(), expected);
    let same = set("omar", &[("password", "y"), ("id", "2")]);
    assert_eq!(changed(PARTS, &[same]).unwrap(), PARTS);
}

#[test]
fn every_part_gets_the_new_name_and_goes() {
    let rename = SectionChange {
        section: "nora".into(),
        rename: Some("nadia".into()),
        ..SectionChange::default()
    };
    let expected = PARTS.replace("[nora]", "[nadia]");
    assert_eq!(changed(PARTS, &[rename]).unwrap(), expected);
    let delete = |section: &str| SectionChange {
        section: section.into(),
        options: OptionsChange::Delete,
        ..SectionChange::default()
    };
    let expected = "[t](!)\ntype=user\n\n[omar](t)\nid=2\n\n[omar](+)\npassword = y\n; the end\n";
    assert_eq!(changed(PARTS, &[delete("nora")]).unwrap(), expected);
    let both = changed(PARTS, &[delete("nora"), delete("omar")]).unwrap();
    assert_eq!(both, "[t](!)\ntype=user\n\n; the end\n");
}

#[test]
fn a_section_moves_with_its_parts() {
    let change = SectionChange {
        section: "omar".into(),
        after: Some("t".into()),
        ..SectionChange::default()
    };
    let expected = "[t](!)\ntype=user\n\n[omar](t)\nid=2\n\n[omar](+)\npassword = y\n\n\
                    ; nora\n[nora](t)\nextension=200\n; her mobile\nmobile=1\n\n\
                    ; the sheet\n[nora](+) ; more\npassword = x ; new\nextension=201\n; the end\n";
    assert_eq!(changed(PARTS, &[change]).unwrap(), expected);
}

#[test]
fn a_part_keeps_its_section() {
    // Its part would go on with the new one.
    let new = SectionChange {
        kind: Some("status".into()),
        after: Some("t".into()),
        ..set("NORA", &[("state", "xa")])
    };
    let problems = changed(PARTS, &[new]).unwrap_err();
    let message = &problems[0].message;
    assert!(message.contains("userpresence.conf:14"), "{message}");
    // What is inherited would depend on the place.
    let heir = SectionChange {
        templates: Some(vec!["nora".into()]),
        ..SectionChange {
            section: "omar".into(),
            ..SectionChange::default()
        }
    };
    let problems = changed(PARTS, &[heir]).unwrap_err();
    let message = &problems[0].message;
    assert!(message.contains("cannot inherit from [nora]"), "{message}");
}

#[test]
fn what_cannot_be_changed_has_the_reason() {
    let read = "[t]\n[a]\nid=1\n[b](t)\n";
    let reason = |part: &str| {
        let text = format!("[t]\n[a]\nid=1\n[b](t)\n{part}");
        let reasons: Vec<String> = fixed(&text, read).into_iter().flatten().collect();
        reasons.join("; ")
    };
    for (part, expected) in [
        ("[a](+)\n", ""),
        ("[A](+)\n", ""),
        (
            "[a](+,t)\n",
            "the section goes on at userpresence.conf:5, with templates of its own",
        ),
        (
            "[a](+type=user)\n",
            "the section goes on at userpresence.conf:5, with a condition",
        ),
        (
            "[a](!,+)\n",
            "the section goes on at userpresence.conf:5, as a template",
        ),
        (
            "[t](+)\n",
            "the section goes on at userpresence.conf:5, and [b] inherits from it",
        ),
        ("[a](+)\nid += 2\n", "line 6 adds to a value (+=)"),
        (
            "[a](+)\n#include \"x\"\nid=1\n",
            "a directive stands between its options, in line 6",
        ),
    ] {
        assert_eq!(reason(part), expected, "{part}");
    }
}

#[test]
fn a_part_in_another_file_stays() {
    let files = [
        ("userpresence.conf", "[a]\nid=1\n#include \"b\"\n"),
        ("b", "[a](+)\nmobile=1\n"),
    ];
    let mut files = files.map(|(name, text)| ConfigFile {
        name: name.into(),
        text: text.into(),
        includes: Vec::new(),
    });
    files[0].includes.push((2, vec![1]));
    let document = ConfigDocument::new(files.into(), entries("[a]\nid=1\nmobile=1\n"));
    let fixed = document.sections[0].fixed.as_deref();
    assert_eq!(fixed, Some("the section goes on at b:1, in another file"));
}
