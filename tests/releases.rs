//! Which releases of Asterisk are the same, and what becomes of a load in another one.

#[allow(dead_code, reason = "the build script and the module use the rest")]
#[path = "../crates/asterisk/src/release/known.rs"]
mod known;

use std::cell::Cell;

use known::{Known, Release, Remedy, Row, Verdict, compare, rows, verdict};

const KNOWN_GOOD: &str = include_str!("../asterisk-headers/known-good.txt");
const REMEDY: Remedy<'_> = Remedy {
    rebuild: "`make rebuild` builds it",
    option: "`allow = yes`",
};

#[test]
fn a_release_is_the_major_and_the_minor_number() {
    let cases = [
        ("22.10.1", "22.10"),
        ("22.10.1~dfsg+~cs6.17.60671434-1", "22.10"),
        ("22.10.1+dfsg+~cs6.17.60671434-1", "22.10"),
        ("22.11.0~rc2", "22.11"),
        ("22.11.0-rc1", "22.11"),
        ("16.28.0~dfsg-0+deb11u4", "16.28"),
        ("23.0", "23.0"),
        ("certified/20.7-cert1", "certified/20.7"),
        ("certified-20.7-cert5", "certified/20.7"),
        ("20.7-cert2", "certified/20.7"),
        // A minor number of two digits is another one than that of its first digit.
        ("22.1.0", "22.1"),
        // What has no numbers is only the same as itself.
        ("GIT-22-1a2b3c4", "GIT-22-1a2b3c4"),
        ("GIT-22-1a2b3c4M", "GIT-22-1a2b3c4M"),
        ("GIT-master-22.10", "GIT-master-22.10"),
        ("SVN-trunk-r4711", "SVN-trunk-r4711"),
        ("22", "22"),
        ("22.", "22."),
        (".10", ".10"),
        ("", ""),
    ];
    for (version, release) in cases {
        assert_eq!(Release::of(version).to_string(), release, "{version}");
    }
}

fn judge(built: &str, running: &str, known: Known, allowed: bool) -> Verdict {
    verdict(built, running, |_| known, || allowed, REMEDY)
}

#[test]
fn the_same_release_loads_and_asks_nothing() {
    let asked = Cell::new(false);
    let verdict = verdict(
        "22.10.1+dfsg-1",
        "22.10.3~dfsg-2",
        |_| {
            asked.set(true);
            Known::Nothing
        },
        || {
            asked.set(true);
            false
        },
        REMEDY,
    );
    assert_eq!((verdict, asked.get()), (Verdict::Loads, false));
}

#[test]
fn another_release_is_declined_with_both_versions_and_the_remedy() {
    let others = [
        ("22.9.0", "22.10.1"),
        ("20.10.1", "22.10.1"),
        ("20.7.0", "certified/20.7-cert1"),
        ("GIT-22-aaaa", "GIT-22-bbbb"),
        ("22.10.1", "GIT-22-aaaa"),
    ];
    for (built, running) in others {
        let why = format!(
            "built for Asterisk {built}, and this is Asterisk {running}, whose structures may \
             differ: `make rebuild` builds it; `allow = yes` takes the risk"
        );
        for known in [Known::Same, Known::Nothing] {
            let verdict = judge(built, running, known, false);
            assert_eq!(verdict, Verdict::Declined(why.clone()));
        }
    }
}

#[test]
fn the_option_takes_the_risk_that_is_not_known_to_be_damage() {
    let risky = |known| match judge("22.9.0", "22.10.1", known, true) {
        Verdict::Risky(why) => why,
        other => panic!("{other:?}"),
    };
    let same = risky(Known::Same);
    assert!(
        same.contains("22.9.0") && same.contains("22.10.1"),
        "{same}"
    );
    assert!(same.contains("have the same sizes in both"), "{same}");
    let unknown = risky(Known::Nothing);
    assert!(unknown.contains("nobody has compared"), "{unknown}");
    let different = Known::Different {
        structure: "ast_custom_function".into(),
        here: 160,
        there: 176,
    };
    for allowed in [false, true] {
        let Verdict::Declined(why) = judge("16.28.0", "22.10.1", different.clone(), allowed) else {
            panic!("it is declined whatever the option says");
        };
        let expected = "ast_custom_function has 176 bytes instead of 160: `make rebuild`";
        assert!(why.contains(expected), "{why}");
        assert!(!why.contains("allow"), "{why}");
    }
}

#[test]
fn sizes_are_compared_with_each_build_of_the_release() {
    let file = "# a comment\n\n\
                ran 22.10.1+dfsg-1 1fb7 a=8 b=16\n\
                compiled 22.10.0 - a=8 b=24 c=8\n\
                compiled 22.9.0 - a=8\n";
    let rows = rows(file).expect("rows");
    assert!(rows[0].ran && !rows[1].ran && rows[1].sum == "-");
    let known =
        |release: &str, sizes: &[(&str, usize)]| compare(&Release::of(release), sizes, &rows);
    assert_eq!(known("22.10.7", &[("a", 8), ("b", 16)]), Known::Same);
    assert_eq!(known("22.10.7", &[("a", 8), ("b", 24)]), Known::Same);
    let different = Known::Different {
        structure: "a".into(),
        here: 4,
        there: 8,
    };
    assert_eq!(known("22.10.7", &[("a", 4), ("b", 16)]), different);
    // What a row does not name was not compared.
    assert_eq!(known("22.9.0", &[("a", 8), ("b", 16)]), Known::Nothing);
    assert_eq!(known("22.9.0", &[("a", 4), ("b", 16)]), different);
    assert_eq!(known("22.8.0", &[("a", 8)]), Known::Nothing);
}

#[test]
fn a_line_that_is_no_row_is_an_error() {
    for line in [
        "22.10.1 1fb7 a=8",
        "ran 22.10.1",
        "ran 22.10.1 1fb7 a=x",
        "ran 22.10.1 1fb7 a",
    ] {
        let refused = rows(line).expect_err(line);
        assert!(refused.contains(line), "{refused}");
    }
}

/// The file itself; the module takes a file with an error for an empty one.
#[test]
fn the_known_releases_are_rows_with_every_structure() {
    let rows = rows(KNOWN_GOOD).expect("rows");
    let of = |row: &Row<'_>, name: &str| {
        let size = row.sizes.iter().find(|(other, _)| *other == name);
        size.map(|(_, size)| *size)
    };
    assert!(rows.iter().any(|row| row.ran));
    for row in &rows {
        let release = Release::of(row.version);
        assert!(row.sizes.len() > 40, "{release}");
        // It has grown twice, without another build option sum.
        let function = of(row, "ast_custom_function");
        assert!(
            matches!(function, Some(160 | 168 | 176)),
            "{release}: {function:?}"
        );
    }
    // Rows of one release agree, or nothing is known of it.
    for row in &rows {
        for other in rows
            .iter()
            .filter(|other| Release::of(other.version) == Release::of(row.version))
        {
            for (name, size) in &row.sizes {
                if let Some(there) = of(other, name) {
                    assert_eq!(
                        there, *size,
                        "{name}: {} and {}",
                        row.version, other.version
                    );
                }
            }
        }
    }
}
