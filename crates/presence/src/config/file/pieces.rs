//! A file's text in pieces: sections, and the lines between them.

use super::change::ChangePlan;
use super::document::{ConfigDocument, SectionLines};
use super::render::{WriteSection, new_section};
use super::scan::{FileLine, ScannedLine};

/// A line of the text.
#[derive(Clone)]
pub struct TextLine {
    /// The line with its end.
    pub bytes: Vec<u8>,
    /// Whether it is a comment that belongs to the section beside it: a part of a block comment
    /// does not.
    pub is_note: bool,
}

impl TextLine {
    fn is_blank(&self) -> bool {
        self.bytes.trim_ascii().is_empty()
    }
}

/// A written line.
pub fn written_line(bytes: Vec<u8>) -> TextLine {
    TextLine {
        bytes,
        is_note: false,
    }
}

/// The lines between sections, or a section of which the draft has this index; `None` for a
/// section that goes.
pub struct TextPiece {
    /// The lines.
    pub lines: Vec<TextLine>,
    /// The index of the section's draft.
    pub section: Option<Option<usize>>,
    /// Which part of the section it is, from 0.
    pub part: usize,
    /// Whether it has its place already.
    pub placed: bool,
}

/// The pieces of a file.
pub fn pieces(
    document: &ConfigDocument,
    plan: &ChangePlan,
    file: usize,
    all: &[&[u8]],
    scanned: &[ScannedLine],
) -> Vec<TextPiece> {
    let copied = |from: usize, to: usize| {
        let lines = all[from..to].iter().zip(&scanned[from..to]);
        let lines = lines.map(|(line, scanned)| TextLine {
            bytes: line.to_vec(),
            is_note: scanned.kind == FileLine::Comment && !scanned.block_comment,
        });
        lines.collect()
    };
    let mut places: Vec<(usize, usize, &SectionLines)> = Vec::new();
    for (index, section) in document.sections.iter().enumerate() {
        let parts = section.parts().enumerate();
        let parts = parts.filter(|(_, lines)| lines.file == file);
        places.extend(parts.map(|(part, lines)| (index, part, lines)));
    }
    places.sort_by_key(|(.., lines)| lines.header);
    let (mut pieces, mut end) = (Vec::new(), 0);
    for (index, part, place) in places {
        pieces.push(TextPiece {
            lines: copied(end, place.header),
            section: None,
            part: 0,
            placed: true,
        });
        let draft = plan
            .drafts
            .iter()
            .position(|draft| draft.source == Some(index));
        let moved = draft.is_some_and(|draft| plan.drafts[draft].moved);
        pieces.push(TextPiece {
            lines: copied(place.header, place.end),
            section: Some(draft),
            part,
            placed: !moved,
        });
        end = place.end;
    }
    pieces.push(TextPiece {
        lines: copied(end, all.len()),
        section: None,
        part: 0,
        placed: true,
    });
    pieces
}

/// Takes a section out; its lines, with the comments directly above and below it.
pub fn take(pieces: &mut [TextPiece], at: usize) -> Vec<TextLine> {
    let above = &mut pieces[at - 1].lines;
    let begin = above
        .iter()
        .rposition(|line| !line.is_note)
        .map_or(0, |at| at + 1);
    let mut taken = above.split_off(begin);
    taken.append(&mut pieces[at].lines);
    let below = &mut pieces[at + 1].lines;
    // The comments above the next section, if no blank line is between, are that section's.
    let end = below.iter().position(|line| !line.is_note);
    if let Some(end) = end {
        let rest = below.split_off(end);
        taken.append(below);
        *below = rest;
        if below.first().is_some_and(|line| line.is_blank()) {
            below.remove(0);
        }
    }
    taken
}

/// Puts new sections, and those that move, after the section before them.
///
/// # Errors
/// The writer's refusal.
pub fn move_sections(
    plan: &ChangePlan,
    file: usize,
    pieces: &mut Vec<TextPiece>,
    end_of_line: &[u8],
    write: WriteSection<'_>,
) -> Result<(), String> {
    for (index, draft) in plan.drafts.iter().enumerate() {
        if !draft.moved || draft.file != file {
            continue;
        }
        let of = |piece: &TextPiece| piece.section == Some(Some(index));
        let blank = written_line(end_of_line.to_vec());
        let mut lines: Vec<TextLine> = Vec::new();
        // A section in parts moves as a whole.
        while let Some(at) = pieces.iter().position(of) {
            if lines.last().is_some_and(|line| !line.is_blank()) {
                lines.push(blank.clone());
            }
            lines.append(&mut take(pieces, at));
            pieces[at].section = None;
        }
        if draft.source.is_none() {
            let written = new_section(draft, end_of_line, write)?;
            lines.extend(written.into_iter().map(written_line));
        }
        let before = plan.drafts[..index].iter().enumerate().rev();
        let before = before.map(|(before, _)| before).find_map(|before| {
            let stands = |piece: &TextPiece| {
                piece.section == Some(Some(before)) && piece.part == 0 && piece.placed
            };
            pieces.iter().position(stands)
        });
        let has_later = plan.drafts[index + 1..]
            .iter()
            .any(|later| later.file == file && later.source.is_some() && !later.moved);
        match before {
            Some(at) if has_later => {
                // After the comments that belong to the section before.
                let below = &mut pieces[at + 1].lines;
                let end = below.iter().position(|line| !line.is_note);
                // Without any other line they belong to the section below.
                let mut rest = below.split_off(end.unwrap_or(0));
                lines.insert(0, blank);
                if rest.first().is_none_or(|line| !line.is_blank()) {
                    rest.insert(0, written_line(end_of_line.to_vec()));
                }
                insert(pieces, at + 2, lines, rest, index);
            }
            None if has_later => {
                // Before the first section and the comments directly above it.
                let above = &mut pieces[0].lines;
                let begin = above.iter().rposition(|line| !line.is_note);
                let rest = above.split_off(begin.map_or(0, |at| at + 1));
                let rest = [vec![blank], rest].concat();
                insert(pieces, 1, lines, rest, index);
            }
            _ => {
                let ends_blank = |piece: &TextPiece| piece.lines.last().map(|line| line.is_blank());
                let last = pieces.iter().rev().find_map(ends_blank);
                if last == Some(false) {
                    lines.insert(0, blank);
                }
                let end = pieces.len();
                insert(pieces, end, lines, Vec::new(), index);
            }
        }
    }
    Ok(())
}

fn insert(
    pieces: &mut Vec<TextPiece>,
    at: usize,
    lines: Vec<TextLine>,
    rest: Vec<TextLine>,
    draft: usize,
) {
    let section = TextPiece {
        lines,
        section: Some(Some(draft)),
        part: 0,
        placed: true,
    };
    let rest = TextPiece {
        lines: rest,
        section: None,
        part: 0,
        placed: true,
    };
    pieces.splice(at..at, [section, rest]);
}
