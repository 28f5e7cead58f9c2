//! The build id of an ELF file, which the linker puts into the file's notes.

use std::io::{Read, Seek, SeekFrom};

/// The owner and the type of the note with the build id, by the linker's convention.
const OWNER: &[u8] = b"GNU\0";
const BUILD_ID: u32 = 3;

/// The type of a segment of notes in a program header.
const NOTES: u32 = 4;

/// Limits that no proper file exceeds: the number of segments, and the bytes of a part.
const MOST_SEGMENTS: usize = 1000;
const MOST_NOTES: u64 = 64 * 1024;

/// The build id of a file for this machine's byte order; `None` without one, or if it is not an
/// ELF file.
pub fn build_id(file: &mut (impl Read + Seek)) -> Option<Vec<u8>> {
    let head = part(file, 0, 64)?;
    let wide = match head.get(..5)? {
        [0x7f, b'E', b'L', b'F', 2] => true,
        [0x7f, b'E', b'L', b'F', 1] => false,
        _ => return None,
    };
    let (table, size, count) = match wide {
        true => (long(&head, 32)?, short(&head, 54)?, short(&head, 56)?),
        false => (
            word(&head, 28)?.into(),
            short(&head, 42)?,
            short(&head, 44)?,
        ),
    };
    for at in 0..usize::from(count).min(MOST_SEGMENTS) {
        let begin = table.checked_add(at as u64 * u64::from(size))?;
        let segment = part(file, begin, u64::from(size))?;
        if word(&segment, 0)? != NOTES {
            continue;
        }
        let (begin, length) = match wide {
            true => (long(&segment, 8)?, long(&segment, 32)?),
            false => (word(&segment, 4)?.into(), word(&segment, 16)?.into()),
        };
        if let Some(id) = in_notes(&part(file, begin, length)?) {
            return Some(id.to_vec());
        }
    }
    None
}

/// The build id in a segment of notes.
pub fn in_notes(mut notes: &[u8]) -> Option<&[u8]> {
    loop {
        let [name, value] = [word(notes, 0)?, word(notes, 4)?].map(|size| size as usize);
        let kind = word(notes, 8)?;
        let rest = notes.get(12..)?;
        let (owner, rest) = (rest.get(..name)?, rest.get(name.next_multiple_of(4)..)?);
        if kind == BUILD_ID && owner == OWNER {
            return rest.get(..value);
        }
        notes = rest.get(value.next_multiple_of(4)..)?;
    }
}

fn part(file: &mut (impl Read + Seek), begin: u64, length: u64) -> Option<Vec<u8>> {
    if length > MOST_NOTES {
        return None;
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(begin)).ok()?;
    file.take(length).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 == length).then_some(bytes)
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_ne_bytes(bytes.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn note(owner: &[u8], kind: u32, value: &[u8]) -> Vec<u8> {
        let mut note = Vec::new();
        for number in [owner.len() as u32, value.len() as u32, kind] {
            note.extend(number.to_ne_bytes());
        }
        for part in [owner, value] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(4), 0);
        }
        note
    }

    /// A 64-bit file with two segments, the second of notes.
    fn file(notes: &[u8]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02".to_vec();
        file.resize(64, 0);
        file[32..40].copy_from_slice(&64u64.to_ne_bytes());
        file[54..56].copy_from_slice(&56u16.to_ne_bytes());
        file[56..58].copy_from_slice(&2u16.to_ne_bytes());
        file.resize(64 + 2 * 56, 0);
        let begin = file.len() as u64;
        file[64..68].copy_from_slice(&1u32.to_ne_bytes());
        file[120..124].copy_from_slice(&NOTES.to_ne_bytes());
        file[128..136].copy_from_slice(&begin.to_ne_bytes());
        file[152..160].copy_from_slice(&(notes.len() as u64).to_ne_bytes());
        file.extend(notes);
        file
    }

    #[test]
    fn the_build_id_is_found_among_other_notes() {
        let other = note(b"GNU\0", 5, b"property");
        let notes = [other.clone(), note(b"GNU\0", BUILD_ID, b"12345")].concat();
        let whole = file(&notes);
        let found = build_id(&mut Cursor::new(&whole));
        assert_eq!(found.as_deref(), Some(&b"12345"[..]));
        assert_eq!(build_id(&mut Cursor::new(file(&other))), None);
        // A note of another owner.
        let foreign = note(b"Go\0\0", BUILD_ID, b"12345");
        assert_eq!(in_notes(&foreign), None);
        // A file that is cut off has none.
        for end in 0..whole.len() {
            assert_eq!(build_id(&mut Cursor::new(&whole[..end])), None, "{end}");
        }
        assert_eq!(build_id(&mut Cursor::new(b"#!/bin/sh\n".repeat(20))), None);
    }

    #[test]
    fn nonsense_is_no_build_id() {
        let huge = [u32::MAX; 8].map(u32::to_ne_bytes).concat();
        assert_eq!(in_notes(&huge), None);
        let mut whole = file(&note(b"GNU\0", BUILD_ID, b"12345"));
        whole[152..160].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert_eq!(build_id(&mut Cursor::new(&whole)), None);
        whole[32..40].copy_from_slice(&u64::MAX.to_ne_bytes());
        assert_eq!(build_id(&mut Cursor::new(&whole)), None);
    }
}
