//! Mach-O: the load command `LC_UUID`, which Apple's linker always writes. A universal file contains one program for each
//! kind of processor, and their identities together are the identity of the file.

use super::{At, number};

const LC_UUID: u64 = 0x1b;

/// The first bytes of a program for 64-bit processors, and of a universal file.
const PROGRAM: [u8; 4] = [0xcf, 0xfa, 0xed, 0xfe];
const UNIVERSAL: [u8; 4] = [0xca, 0xfe, 0xba, 0xbe];

/// More programs than any universal file has. Java's class files begin in the same way.
const MOST_PROGRAMS: u64 = 16;

pub(super) fn build_id(file: &mut dyn At) -> Option<Vec<u8>> {
    let start = file.at(0, 8)?;
    if start.starts_with(&PROGRAM) {
        return of_program(file, 0);
    }
    if !start.starts_with(&UNIVERSAL) {
        return None;
    }
    let count = number(&start, 4, 4, true).filter(|count| (1..=MOST_PROGRAMS).contains(count))?;
    let mut all = Vec::new();
    for index in 0..count {
        let entry = file.at(8 + index * 20, 20)?;
        all.extend(of_program(file, number(&entry, 8, 4, true)?)?);
    }
    Some(all)
}

fn of_program(file: &mut dyn At, place: u64) -> Option<Vec<u8>> {
    let header = file.at(place, 32)?;
    if !header.starts_with(&PROGRAM) {
        return None;
    }
    let commands = file.at(place.checked_add(32)?, number(&header, 20, 4, false)?)?;
    let mut rest = commands.as_slice();
    loop {
        let (kind, size) = (number(rest, 0, 4, false)?, usize::try_from(number(rest, 4, 4, false)?).ok()?);
        if kind == LC_UUID {
            return rest.get(8..24).map(<[u8]>::to_vec);
        }
        rest = rest.get(size.max(8)..)?;
    }
}
