//! The text of a file with changed sections. Lines that nothing changes stay as they are, byte
//! for byte; the lines that change are written by Asterisk's own writer.

use std::iter::Peekable;
use std::slice::Iter;

use super::change::{ChangePlan, PlannedSection};
use super::document::{ConfigDocument, PlacedSection};
use super::merge::Merged;
use super::pieces::{move_sections, pieces, take, written_line};
use super::scan::{FileLine, ScannedLine, lines, scan};

/// A section for Asterisk's writer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SectionText {
    /// A small configuration: the section is its last, and the ones before it are its
    /// templates, without options. A comment takes the place of each line that stays.
    pub text: Vec<u8>,
    /// The number of sections before it.
    pub templates: usize,
    /// The values of the section's options, in order.
    pub values: Vec<String>,
}

/// Writes a section: its text from its first line on.
pub type WriteSection<'a> = &'a mut dyn FnMut(&SectionText) -> Result<Vec<u8>, String>;

/// The text of the plan's file.
///
/// # Errors
/// The writer's refusal.
pub fn render(
    document: &ConfigDocument,
    plan: &ChangePlan,
    file: usize,
    write: WriteSection<'_>,
) -> Result<Vec<u8>, String> {
    let text = &document.files[file].text;
    let scanned = scan(text);
    let all = lines(text);
    let end_of_line: &[u8] = match all.first() {
        Some(first) if first.ends_with(b"\r\n") => b"\r\n",
        _ => b"\n",
    };
    let mut pieces = pieces(document, plan, file, &all, &scanned);
    // The last line need not have an end, and another one may follow it.
    if let Some(last) = pieces
        .iter_mut()
        .rev()
        .find_map(|piece| piece.lines.last_mut())
    {
        if !last.bytes.ends_with(b"\n") && plan.drafts.iter().any(|draft| draft.moved) {
            last.bytes.extend_from_slice(end_of_line);
        }
    }
    for at in 0..pieces.len() {
        match pieces[at].section {
            Some(Some(draft)) => {
                let draft = &plan.drafts[draft];
                let source = draft.source.map(|source| &document.sections[source]);
                let part = pieces[at].part;
                if let Some(source) = source.filter(|source| differs(source, draft, part)) {
                    let written = section(draft, source, part, &all, &scanned, end_of_line, write)?;
                    pieces[at].lines = written.into_iter().map(written_line).collect();
                }
            }
            Some(None) => drop(take(&mut pieces, at)),
            None => {}
        }
    }
    move_sections(plan, file, &mut pieces, end_of_line, write)?;
    Ok(pieces
        .into_iter()
        .flat_map(|piece| piece.lines)
        .flat_map(|line| line.bytes)
        .collect())
}

/// Whether a part of the draft differs from the file.
fn differs(source: &PlacedSection, draft: &PlannedSection, part: usize) -> bool {
    let before = source.options_before(part);
    let own = own_of(draft, part);
    let same = |(at, own): (usize, &Merged)| *own == Merged::Same(before + at);
    let count = source.parts().nth(part).map(|part| part.options.len());
    source.fixed.is_none()
        && (!keeps_header(source, draft, part)
            || count != Some(own.len())
            || !own.iter().enumerate().all(same))
}

/// The options of a part.
fn own_of(draft: &PlannedSection, part: usize) -> &[Merged] {
    draft.own.get(part).map_or(&[], |own| own)
}

/// Whether the first line of a part stays.
fn keeps_header(source: &PlacedSection, draft: &PlannedSection, part: usize) -> bool {
    let entry = &source.entry;
    entry.name == draft.name && (part > 0 || entry.templates == draft.templates)
}

fn header(draft: &PlannedSection) -> String {
    let mark = draft.template.then_some("!");
    let words: Vec<&str> = mark
        .into_iter()
        .chain(draft.templates.iter().map(|it| &**it))
        .collect();
    match words.is_empty() {
        true => format!("[{}]", draft.name),
        false => format!("[{}]({})", draft.name, words.join(",")),
    }
}

/// The sections before a section in a [`SectionText`], which its header names.
fn stubs(draft: &PlannedSection) -> (Vec<u8>, usize) {
    let mut names: Vec<&str> = Vec::new();
    for name in &draft.templates {
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            names.push(name);
        }
    }
    let text: String = names.iter().map(|name| format!("[{name}](!)\n")).collect();
    (text.into_bytes(), names.len())
}

/// A comment after the last line of a section.
const END: &[u8] = b";end\n";

/// The comment that takes a line's place.
fn mark(line: usize) -> String {
    format!(";line-{line}\n")
}

/// Each mark has to come back once, in order: a line that the writer left out would be lost.
/// [`END`] need not: it is there so that it is the one that is left out.
fn check_marks(text: &[u8], written: &[u8]) -> Result<(), String> {
    fn marks(text: &[u8]) -> impl Iterator<Item = &[u8]> {
        let bare = lines(text).into_iter().map(<[u8]>::trim_ascii_end);
        bare.filter(|line| line.starts_with(b";line-"))
    }
    match marks(text).eq(marks(written)) {
        true => Ok(()),
        false => Err("Asterisk's writer has lost a line of the section".into()),
    }
}

/// The lines of a part of a section that the file has already.
fn section(
    draft: &PlannedSection,
    source: &PlacedSection,
    part: usize,
    all: &[&[u8]],
    scanned: &[ScannedLine],
    end_of_line: &[u8],
    write: WriteSection<'_>,
) -> Result<Vec<Vec<u8>>, String> {
    let mut number = source.options_before(part);
    let place = source
        .parts()
        .nth(part)
        .ok_or("the section has no such part")?;
    let bare = format!("[{}]", draft.name);
    // Only the first part has templates; the writer gets another one as a section of its own.
    let ((mut text, templates), head) = match part {
        0 => (stubs(draft), header(draft)),
        _ => ((Vec::new(), 0), bare),
    };
    let mut values = Vec::new();
    let rest = after_header(all[place.header]);
    text.extend_from_slice(head.as_bytes());
    text.extend_from_slice(rest.trim_ascii_end());
    text.push(b'\n');
    let mut own = own_of(draft, part).iter().peekable();
    let add_new = |own: &mut Peekable<Iter<'_, Merged>>, text: &mut Vec<u8>| {
        let mut new = Vec::new();
        while let Some(Merged::New(name, value)) = own.peek() {
            text.extend_from_slice(format!("{name} = x\n").as_bytes());
            new.push(value.clone());
            own.next();
        }
        new
    };
    // A new option stands directly below the option before it.
    values.append(&mut add_new(&mut own, &mut text));
    for line in place.header + 1..place.end {
        if !matches!(scanned[line].kind, FileLine::Option(_)) {
            text.extend_from_slice(mark(line).as_bytes());
            continue;
        }
        match own.peek() {
            Some(Merged::Same(at)) if *at == number => {
                text.extend_from_slice(mark(line).as_bytes());
                own.next();
            }
            Some(Merged::Changed(at, value)) if *at == number => {
                text.extend_from_slice(all[line].trim_ascii_end());
                text.push(b'\n');
                values.push(value.clone());
                own.next();
            }
            _ => {}
        }
        values.append(&mut add_new(&mut own, &mut text));
        number += 1;
    }
    // The parser would leave out a comment that is the last line, if the line before is none.
    text.extend_from_slice(END);
    let written = write(&SectionText {
        text: text.clone(),
        templates,
        values,
    })?;
    check_marks(&text, &written)?;
    let mut result: Vec<Vec<u8>> = Vec::new();
    for (at, line) in lines(&written).into_iter().enumerate() {
        let bare = line.trim_ascii_end();
        let marked = bare.strip_prefix(b";line-").and_then(|number| {
            let number: usize = std::str::from_utf8(number).ok()?.parse().ok()?;
            all.get(number)
        });
        match marked {
            Some(original) => result.push(original.to_vec()),
            None if at == 0 && keeps_header(source, draft, part) => {
                result.push(all[place.header].to_vec());
            }
            None if at == 0 && part > 0 => result.push(renamed(all[place.header], &draft.name)),
            None if END.trim_ascii_end() == bare => {}
            None => result.push([bare, end_of_line].concat()),
        }
    }
    // The file's last line need not have an end; it may not be the last one any more.
    let last = result.len().saturating_sub(1);
    for line in &mut result[..last] {
        if !line.ends_with(b"\n") {
            line.extend_from_slice(end_of_line);
        }
    }
    Ok(result)
}

/// A part's first line with another name.
fn renamed(line: &[u8], name: &str) -> Vec<u8> {
    let position = |byte: u8| line.iter().position(|it| *it == byte);
    match (position(b'['), position(b']')) {
        (Some(from), Some(to)) => [&line[..=from], name.as_bytes(), &line[to..]].concat(),
        _ => line.to_vec(),
    }
}

/// The rest of a section's first line, after its name and templates.
fn after_header(line: &[u8]) -> &[u8] {
    let after = |line: &[u8], byte: u8| line.iter().position(|it| *it == byte).map(|at| at + 1);
    let Some(end) = after(line, b']') else {
        return b"";
    };
    let rest = &line[end..];
    match rest.first() {
        Some(b'(') => &rest[after(rest, b')').unwrap_or(rest.len())..],
        _ => rest,
    }
}

/// The lines of a section that is new.
///
/// # Errors
/// The writer's refusal.
pub fn new_section(
    draft: &PlannedSection,
    end_of_line: &[u8],
    write: WriteSection<'_>,
) -> Result<Vec<Vec<u8>>, String> {
    let (mut text, templates) = stubs(draft);
    text.extend_from_slice(header(draft).as_bytes());
    text.push(b'\n');
    let mut values = Vec::new();
    for own in draft.own() {
        if let Merged::New(name, value) = own {
            text.extend_from_slice(format!("{name} = x\n").as_bytes());
            values.push(value.clone());
        }
    }
    let written = write(&SectionText {
        text,
        templates,
        values,
    })?;
    let lines = lines(&written).into_iter();
    Ok(lines
        .map(|line| [line.trim_ascii_end(), end_of_line].concat())
        .collect())
}
