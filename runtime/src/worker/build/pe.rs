//! PE, the format of Windows: the debug directory, which names the program database (GUID and age) or, for a reproducible
//! build, contains a hash of the program.

use super::{At, number};

const CODE_VIEW: u64 = 2;
const REPRODUCIBLE: u64 = 16;

/// The place of the debug directory among the data directories.
const DEBUG: usize = 6;

pub(super) fn build_id(file: &mut dyn At) -> Option<Vec<u8>> {
    let start = file.at(0, 64)?;
    if !start.starts_with(b"MZ") {
        return None;
    }
    let place = number(&start, 0x3c, 4, false)?;
    let header = file.at(place, 24)?;
    if !header.starts_with(b"PE\0\0") {
        return None;
    }
    let (sections, optional) = (number(&header, 6, 2, false)?, number(&header, 20, 2, false)?);
    let after = place.checked_add(24)?;
    let options = file.at(after, optional)?;
    // The data directories come behind fields whose size depends on the width of addresses.
    let directories = if number(&options, 0, 2, false)? == 0x20b { 112 } else { 96 };
    let address = number(&options, directories + DEBUG * 8, 4, false)?;
    let size = number(&options, directories + DEBUG * 8 + 4, 4, false)?;
    let sections = file.at(after.checked_add(optional)?, sections * 40)?;
    let entries = file.at(in_file(&sections, address)?, size)?;
    entries.chunks_exact(28).find_map(|entry| {
        let (kind, length) = (number(entry, 12, 4, false)?, number(entry, 16, 4, false)?);
        let content = file.at(number(entry, 24, 4, false)?, length)?;
        match kind {
            CODE_VIEW if content.starts_with(b"RSDS") => content.get(4..24).map(<[u8]>::to_vec),
            REPRODUCIBLE if content.len() > 4 => Some(content),
            _ => None,
        }
    })
}

/// Returns where in the file the content of an address is.
fn in_file(sections: &[u8], address: u64) -> Option<u64> {
    sections.chunks_exact(40).find_map(|section| {
        let part = |place| number(section, place, 4, false);
        let (size, begin, raw) = (part(8)?.max(part(16)?), part(12)?, part(20)?);
        (begin..begin + size).contains(&address).then(|| raw + (address - begin))
    })
}
