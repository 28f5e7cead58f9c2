//! The lines of a configuration file, told apart as Asterisk's parser does: which of them are
//! sections, options, directives and comments.
//!
//! Asterisk's parser says what a file means; this says where it stands, so that a change
//! touches the lines that it is about and no others. What is written is read again by
//! Asterisk's parser, so a difference between the two can prevent a change, and no more.

/// The longest line that Asterisk's parser takes, in bytes without its end.
pub const LONGEST_LINE: usize = 8190;

/// The deepest nesting of block comments that Asterisk's parser follows.
const MAX_NESTED_COMMENTS: usize = 128;

/// What a line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileLine {
    /// Only a comment, a part of a block comment, or too long to be read.
    Comment,
    /// Nothing.
    Blank,
    /// A section begins.
    Header(Header),
    /// An option.
    Option(OptionLine),
    /// `#include`, `#tryinclude` or `#exec`.
    Directive(Directive),
}

/// The line with which a section begins.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// The section's name.
    pub name: String,
    /// Whether it is a template (`!`).
    pub template: bool,
    /// Whether it adds to a section that exists (`+`).
    pub addition: bool,
    /// Whether a condition says to which of several (`+type=user`).
    pub conditional: bool,
    /// The templates, in order.
    pub templates: Vec<String>,
}

/// An option's line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OptionLine {
    /// Whether the line adds to the value before it (`+=`).
    pub appends: bool,
    /// Whether the line has an equal sign: others are ignored by Asterisk's parser.
    pub is_option: bool,
}

/// A directive.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Directive {
    /// Includes the files of a pattern. `optional`: there need not be any (`#tryinclude`).
    Include {
        /// A file or a pattern, as written.
        pattern: String,
        /// Whether it is `#tryinclude`.
        optional: bool,
    },
    /// Includes what a program writes.
    Exec,
    /// Something that Asterisk's parser ignores with a warning.
    Unknown,
}

/// One line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScannedLine {
    /// What the line is.
    pub kind: FileLine,
    /// Whether a block comment (`;-- --;`) begins, ends or continues on the line.
    pub block_comment: bool,
}

/// The lines of a text, each with its end.
pub fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// Tells the lines of a file apart.
pub fn scan(text: &[u8]) -> Vec<ScannedLine> {
    let mut depth = 0;
    let all = lines(text);
    let scanned = all.iter().enumerate().map(|(number, line)| {
        let line = match number {
            0 => line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line),
            _ => line,
        };
        scan_line(line, &mut depth)
    });
    scanned.collect()
}

fn scan_line(line: &[u8], depth: &mut usize) -> ScannedLine {
    let bare = line.strip_suffix(b"\n").unwrap_or(line);
    if bare.len() > LONGEST_LINE {
        return ScannedLine {
            kind: FileLine::Comment,
            block_comment: *depth > 0,
        };
    }
    let before = *depth;
    if line.iter().all(u8::is_ascii_whitespace) {
        return ScannedLine {
            kind: if before > 0 {
                FileLine::Comment
            } else {
                FileLine::Blank
            },
            block_comment: before > 0,
        };
    }
    let (text, touched) = without_comments(line, depth);
    let text = text.trim_ascii();
    let kind = match text.first() {
        None => FileLine::Comment,
        Some(b'[') => header(text),
        Some(b'#') => FileLine::Directive(directive(text)),
        Some(_) => FileLine::Option(option(text)),
    };
    ScannedLine {
        kind,
        block_comment: touched || before > 0 || *depth > 0,
    }
}

/// The line without its comments, and whether a block comment begins or ends on it. Escapes
/// are resolved.
fn without_comments(line: &[u8], depth: &mut usize) -> (Vec<u8>, bool) {
    let mut text: Vec<u8> = Vec::with_capacity(line.len());
    let mut touched = false;
    // Where the search goes on, in `line`: what is before it is in `text`, or in a comment.
    let (mut at, mut begin) = (0, 0);
    while at < line.len() {
        if line[at] != b';' {
            if *depth == 0 {
                text.push(line[at]);
            }
            at += 1;
            continue;
        }
        let rest = &line[at + 1..];
        if at > begin && line[at - 1] == b'\\' {
            if *depth == 0 {
                text.pop();
                text.push(b';');
            }
            at += 1;
            begin = at;
        } else if rest.starts_with(b"--") && rest.get(2) != Some(&b'-') {
            touched = true;
            if *depth < MAX_NESTED_COMMENTS {
                *depth += 1;
            }
            at += 3;
            begin = at;
        } else if at >= begin + 2 && line[at - 1] == b'-' && line[at - 2] == b'-' && *depth > 0 {
            touched = true;
            *depth -= 1;
            at += 1;
            begin = at;
        } else if *depth == 0 {
            break;
        } else {
            at += 1;
            begin = at;
        }
    }
    (text, touched)
}

fn text_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn header(text: &[u8]) -> FileLine {
    let text = text_of(&text[1..]);
    let Some((name, rest)) = text.split_once(']') else {
        // Asterisk's parser refuses the file.
        return FileLine::Directive(Directive::Unknown);
    };
    let mut header = Header {
        name: name.to_owned(),
        template: false,
        addition: false,
        conditional: false,
        templates: Vec::new(),
    };
    let list = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    for word in list.map_or("", |(list, _)| list).split(',') {
        match word {
            "" => {}
            "!" => header.template = true,
            word if word.starts_with('+') => {
                header.addition = true;
                header.conditional |= word != "+";
            }
            word => header.templates.push(word.to_owned()),
        }
    }
    FileLine::Header(header)
}

fn option(text: &[u8]) -> OptionLine {
    let text = text.strip_prefix(b"\\").unwrap_or(text);
    let at = text.iter().position(|byte| *byte == b'=');
    OptionLine {
        appends: at.is_some_and(|at| at > 0 && text[at - 1] == b'+'),
        is_option: at.is_some(),
    }
}

fn directive(text: &[u8]) -> Directive {
    let text = text_of(&text[1..]);
    let (word, argument) = match text.split_once(|c: char| c <= ' ') {
        Some((word, argument)) => (word, argument.trim()),
        None => (&*text, ""),
    };
    let optional = word.eq_ignore_ascii_case("tryinclude");
    let is_include = optional || word.eq_ignore_ascii_case("include");
    if word.eq_ignore_ascii_case("exec") {
        return Directive::Exec;
    }
    let unquoted = |open, close| {
        let inside = argument.strip_prefix(open)?;
        inside.strip_suffix::<char>(close)
    };
    let pattern = unquoted('"', '"').or_else(|| unquoted('<', '>'));
    let pattern = pattern.unwrap_or(argument);
    match is_include && !pattern.is_empty() {
        true => Directive::Include {
            pattern: pattern.to_owned(),
            optional,
        },
        false => Directive::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> String {
        let letter = |line: ScannedLine| match line.kind {
            FileLine::Comment => 'c',
            FileLine::Blank => '_',
            FileLine::Header(_) => 'h',
            FileLine::Option(_) => 'o',
            FileLine::Directive(_) => 'd',
        };
        scan(text.as_bytes()).into_iter().map(letter).collect()
    }

    #[test]
    fn each_line_is_told_apart() {
        let text = "; comment\n\n[a]\nx = 1 ; y\n \t\n#include \"b\"\n  [b](!,a)\n;-- x = 1\n\
                    [c]\n--; y = 2\nz = a\\;b ; c\n;--- no block\nw=1\n";
        assert_eq!(kinds(text), "c_ho_dhccooco");
    }

    #[test]
    fn a_header_names_its_templates() {
        let scanned = scan(b"\xEF\xBB\xBF[alice](!,office,+x) ; hers\r\n");
        let expected = Header {
            name: "alice".into(),
            template: true,
            addition: true,
            conditional: true,
            templates: vec!["office".into()],
        };
        assert_eq!(scanned[0].kind, FileLine::Header(expected));
    }

    #[test]
    fn an_include_has_its_pattern_without_quotes() {
        for (line, expected) in [
            ("#include \"a b.conf\"", "a b.conf"),
            ("#include <a.conf> ; c", "a.conf"),
            ("#TryInclude a/*.conf", "a/*.conf"),
        ] {
            let FileLine::Directive(Directive::Include { pattern, .. }) =
                scan(line.as_bytes())[0].kind.clone()
            else {
                panic!("{line}");
            };
            assert_eq!(pattern, expected);
        }
        let kind = |line: &str| scan(line.as_bytes())[0].kind.clone();
        assert_eq!(kind("#exec /bin/x"), FileLine::Directive(Directive::Exec));
        assert_eq!(kind("#include"), FileLine::Directive(Directive::Unknown));
    }

    #[test]
    fn lines_of_a_block_comment_are_known() {
        let scanned = scan(b"a = 1 ;-- x\ny = 2\n--;\nb = 3\nc += 4\n");
        let blocks: Vec<bool> = scanned.iter().map(|line| line.block_comment).collect();
        assert_eq!(blocks, [true, true, true, false, false]);
        let appends = |at: usize| match &scanned[at].kind {
            FileLine::Option(line) => line.appends,
            _ => panic!("{at}"),
        };
        assert!(!appends(3) && appends(4));
    }
}
