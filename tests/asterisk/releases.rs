//! A module that was built for another release of Asterisk than the one that runs. The file of
//! the module is changed for it: the version that it was built for is a text in it.

use std::fs;

use crate::harness::{Instance, MODULE, root, skip, wait_until};

const ALICE: &str = "[alice]\ntype = user\nextension = 200\n";
const ALLOWED: &str =
    "[general]\nallow_other_release = yes\n[alice]\ntype = user\nextension = 200\n";

/// What the module says of itself in its file.
struct Label {
    version: String,
    sum: String,
}

fn module_bytes(ast: &Instance) -> Vec<u8> {
    fs::read(ast.path("modules").join(MODULE)).expect("the module")
}

fn places(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    let windows = bytes.windows(text.len()).enumerate();
    windows
        .filter(|(_, at)| *at == text)
        .map(|(at, _)| at)
        .collect()
}

fn label(bytes: &[u8]) -> Label {
    let begin = b"res_userpresence ";
    let texts = places(bytes, begin).into_iter().filter_map(|at| {
        let text = bytes[at..].split(|byte| *byte == 0).next()?;
        let text = std::str::from_utf8(text).ok()?;
        let (_, rest) = text.split_once("; built for Asterisk ")?;
        let (version, sum) = rest.split_once("; build option sum ")?;
        assert!(text.contains("; commit "), "{text}");
        Some(Label {
            version: version.to_owned(),
            sum: sum.to_owned(),
        })
    });
    let mut texts: Vec<_> = texts.collect();
    assert_eq!(
        texts.len(),
        1,
        "one line of text that names the version and the sum"
    );
    texts.remove(0)
}

/// A text of that length that begins so; the rest does not matter.
fn padded(begin: &str, length: usize) -> String {
    assert!(begin.len() <= length, "{begin} is longer than {length}");
    format!("{begin:+<length$}")
}

/// Replaces the text wherever the byte before it satisfies `is_wanted`, by one of its length.
fn replace(bytes: &mut [u8], text: &str, by: &str, is_wanted: impl Fn(u8) -> bool) {
    assert_eq!(text.len(), by.len());
    let places = places(bytes, text.as_bytes()).into_iter();
    let places: Vec<_> = places.filter(|at| is_wanted(bytes[at - 1])).collect();
    assert!(!places.is_empty(), "{text} is not in the module");
    for at in places {
        bytes[at..at + by.len()].copy_from_slice(by.as_bytes());
    }
}

/// Installs a module that was built for that version.
fn build_for(ast: &Instance, begin: &str) -> String {
    let mut bytes = module_bytes(ast);
    let Label { version, .. } = label(&bytes);
    let other = padded(begin, version.len());
    // What is known of releases stays as it is: a blank stands before those.
    replace(&mut bytes, &version, &other, |before| before != b' ');
    ast.install_module_bytes(&bytes);
    other
}

/// The lines of the module's in the log, without those about documentation.
fn said(ast: &Instance) -> Vec<String> {
    let lines = ast.new_complaints(0).into_iter();
    lines
        .filter(|line| line.contains("userpresence/"))
        .collect()
}

#[test]
fn the_file_says_what_it_was_built_for() {
    let ast = Instance::builder().userpresence(ALICE).not_loaded().start();
    let Label { version, sum } = label(&module_bytes(&ast));
    let release = |text: &str| text.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    assert_eq!(release(&version), release(root().version()));
    assert!(
        sum.len() == 32 && sum.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{sum}"
    );
    assert!(ast.load_module(MODULE).ok());
    assert_eq!(said(&ast), Vec::<String>::new());
}

#[test]
fn a_module_for_another_release_is_declined_with_one_sentence() {
    // The code of a module stays mapped when it is declined: each build needs an Asterisk.
    for begin in ["12.3.0", "certified/16.8", "GIT-22-1a2b"] {
        let ast = Instance::builder().userpresence(ALICE).not_loaded().start();
        if begin.len() > label(&module_bytes(&ast)).version.len() {
            skip("the version is too short to be replaced");
            return;
        }
        let built = build_for(&ast, begin);
        assert!(!ast.load_module(MODULE).ok());
        let lines = said(&ast);
        let [line] = &lines[..] else {
            panic!("{lines:?}");
        };
        let expected = format!(
            "Not loaded: built for Asterisk {built}, and this is Asterisk {}, whose structures \
             may differ: `make rebuild` in the module's source directory builds it for this \
             Asterisk; `allow_other_release = yes` in [general] of userpresence.conf takes the \
             risk",
            root().version()
        );
        assert!(line.ends_with(&expected), "{line}");
        assert_eq!(super::loading::registered(&ast), Vec::<String>::new());
    }
}

#[test]
fn with_the_option_it_loads_with_a_warning() {
    if skipped_without_row() {
        return;
    }
    let ast = Instance::builder()
        .userpresence(ALLOWED)
        .not_loaded()
        .start();
    let built = build_for(&ast, "12.3.0");
    assert!(ast.load_module(MODULE).ok());
    let lines = said(&ast);
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    let versions = format!(
        "WARNING Built for Asterisk {built} and loaded in Asterisk {}: ",
        root().version()
    );
    let text = line.replace(['[', ']'], " ");
    assert!(
        text.contains(versions.trim_start_matches("WARNING ")),
        "{line}"
    );
    assert!(line.contains("WARNING"), "{line}");
    assert!(line.ends_with("have the same sizes in both"), "{line}");
    ast.set_custom("200", "away");
    wait_until("alice to be away", || {
        (ast.getvar("USER_PRESENCE(alice)") == "away").then_some(())
    });

    // Of a release without a row nothing is known.
    assert!(ast.unload_module(MODULE).ok());
    assert!(ast.stop_gracefully().success());
    let mut bytes = module_bytes(&ast);
    let rows = padded("ran 12.4.0", root_row(&bytes).expect("a row").len());
    let row = root_row(&bytes).expect("a row");
    replace(&mut bytes, &row, &rows, |before| before == b'\n');
    ast.install_module_bytes(&bytes);
    ast.start_again();
    assert!(ast.load_module(MODULE).ok());
    let lines = said(&ast);
    let last = lines.last().expect("a warning");
    assert!(
        last.ends_with("nobody has compared the structures of the two"),
        "{lines:?}"
    );
}

/// The begin of the row of the running release: kind and version.
fn root_row(bytes: &[u8]) -> Option<String> {
    let numbers: Vec<_> = root().version().splitn(3, '.').take(2).collect();
    let row = format!(" {}.", numbers.join("."));
    let at = places(bytes, row.as_bytes()).into_iter();
    let begin = |at: usize| {
        bytes[..at]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |n| n + 1)
    };
    let mut rows = at.filter_map(|at| {
        let kind = &bytes[begin(at)..at];
        let end = at + 1 + bytes[at + 1..].iter().position(|byte| *byte == b' ')?;
        matches!(kind, b"ran" | b"compiled")
            .then(|| String::from_utf8_lossy(&bytes[begin(at)..end]).into_owned())
    });
    rows.next()
}

/// Reports that the calling test is skipped if the module has no row of the running release, and
/// whether it is: a row is added after the tests have passed.
fn skipped_without_row() -> bool {
    let ast = Instance::builder().userpresence(ALICE).not_loaded().start();
    let skipped = root_row(&module_bytes(&ast)).is_none();
    if skipped {
        skip("known-good.txt has no row of this release yet");
    }
    skipped
}

/// What is known to do damage is declined, whatever the option says.
#[test]
fn a_stale_module_with_other_structures_is_declined_with_the_option_too() {
    if skipped_without_row() {
        return;
    }
    let ast = Instance::builder()
        .userpresence(ALLOWED)
        .not_loaded()
        .start();
    let built = build_for(&ast, "12.3.0");
    let mut bytes = module_bytes(&ast);
    // In the running release the structure is larger than in the module.
    let row = root_row(&bytes).expect("a row");
    let at = places(&bytes, row.as_bytes())[0];
    let name = b" ast_custom_function=";
    let size = at + places(&bytes[at..], name)[0] + name.len();
    bytes[size..size + 3].copy_from_slice(b"904");
    ast.install_module_bytes(&bytes);
    assert!(!ast.load_module(MODULE).ok());
    let lines = said(&ast);
    let [line] = &lines[..] else {
        panic!("{lines:?}");
    };
    let expected = format!(
        "Not loaded: built for Asterisk {built}, and this is Asterisk {}, whose structure \
         ast_custom_function has 904 bytes instead of ",
        root().version()
    );
    assert!(line.contains(&expected), "{line}");
    assert!(
        line.contains("`make rebuild`") && !line.contains("allow_other"),
        "{line}"
    );
    assert_eq!(super::loading::registered(&ast), Vec::<String>::new());
}

/// A core that knows two more members of a structure writes behind the end of the one that it
/// is given: into the room that is there for it, and no further.
#[test]
fn a_newer_core_writes_into_the_room_behind_a_structure() {
    let ast = Instance::selftest().userpresence(ALICE).start();
    let shown = ast.cli("userpresence selftest slack");
    let (slack, rest) = shown.trim().split_once(' ').expect("a number");
    let slack: usize = slack.parse().unwrap_or_else(|_| panic!("{shown}"));
    assert!((1..=16).contains(&slack), "{shown}");
    assert_eq!(rest, "bytes of the slack written, 0 beyond it", "{shown}");
}
