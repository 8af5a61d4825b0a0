//! ELF: the note of GNU's linker option `--build-id`, which most distributions turn on.

use super::{At, number};

const NOTES: u64 = 4;
const GNU_BUILD_ID: u64 = 3;

/// Reads the note from the segments that the program headers name.
pub(super) fn build_id(file: &mut dyn At) -> Option<Vec<u8>> {
    let header = file.at(0, 64)?;
    if !header.starts_with(b"\x7fELF") {
        return None;
    }
    let (wide, big) = (header[4] == 2, header[5] == 2);
    let of_header = |wide_place, narrow_place, wide_length, narrow_length| match wide {
        true => number(&header, wide_place, wide_length, big),
        false => number(&header, narrow_place, narrow_length, big),
    };
    let (table, size, count) = (of_header(32, 28, 8, 4)?, of_header(54, 42, 2, 2)?, of_header(56, 44, 2, 2)?);
    for index in 0..count {
        let entry = file.at(table.checked_add(index * size)?, size)?;
        if number(&entry, 0, 4, big)? != NOTES {
            continue;
        }
        let (place, length) = match wide {
            true => (number(&entry, 8, 8, big)?, number(&entry, 32, 8, big)?),
            false => (number(&entry, 4, 4, big)?, number(&entry, 16, 4, big)?),
        };
        if let Some(found) = file.at(place, length).and_then(|notes| in_notes(&notes, big)) {
            return Some(found);
        }
    }
    None
}

/// A note is: the length of its name, the length of its content, its kind, the name, the content, each padded to 4 bytes.
fn in_notes(mut notes: &[u8], big: bool) -> Option<Vec<u8>> {
    loop {
        let part = |place| number(notes, place, 4, big).and_then(|part| usize::try_from(part).ok());
        let (name, content, kind) = (part(0)?, part(4)?, number(notes, 8, 4, big)?);
        let begin = 12_usize.checked_add(name.checked_next_multiple_of(4)?)?;
        let end = begin.checked_add(content)?;
        if kind == GNU_BUILD_ID && notes.get(12..12_usize.checked_add(name)?)? == b"GNU\0" {
            return notes.get(begin..end).filter(|id| !id.is_empty()).map(<[u8]>::to_vec);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}
