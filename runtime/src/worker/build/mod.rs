//! The build of this program, as the linker names it: it is read from the executable.
//!
//! A linker that gives builds an identity derives it from everything that it links, so it changes exactly when the program
//! changes. Where there is none, the file itself is hashed, which takes longer.

mod elf;
mod mach_o;
mod pe;

use std::fs::File;
use std::hash::Hasher;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::model::BuildId;

/// Returns the build of this program. The first call in a process reads the executable.
pub(super) fn of_this_program() -> BuildId {
    static BUILD: OnceLock<BuildId> = OnceLock::new();
    *BUILD.get_or_init(|| match executable().and_then(File::open).and_then(|mut file| of_file(&mut file)) {
        Ok(build) => build,
        Err(error) => {
            tracing::warn!(
                %error,
                "the executable cannot be read, so every replay counts as one by another build of the program; \
                 name the build with `.build_id(..)`"
            );
            BuildId::UNKNOWN
        }
    })
}

/// Returns a path to the executable that is right even after a deployment has replaced the file.
fn executable() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok(PathBuf::from("/proc/self/exe")) } else { std::env::current_exe() }
}

fn of_file(file: &mut (impl Read + Seek)) -> io::Result<BuildId> {
    // A format that is damaged or unknown has no identity, and the hash still tells builds apart.
    let identity = [elf::build_id, mach_o::build_id, pe::build_id].into_iter().find_map(|read| read(&mut Bytes(file)));
    match identity {
        Some(identity) => Ok(BuildId::of(&identity)),
        None => hash_of(file),
    }
}

fn hash_of(file: &mut (impl Read + Seek)) -> io::Result<BuildId> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = BuildId::hasher();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(BuildId::from_hasher(&hasher)),
            length => hasher.write(&piece[..length]),
        }
    }
}

/// The largest piece that is read at a time: headers and notes are small, and a damaged length must not matter.
const LARGEST_PIECE: u64 = 1024 * 1024;

/// Bytes at places in a file.
struct Bytes<'a, F>(&'a mut F);

trait At {
    /// Returns so many bytes from a place, or nothing if they are not all there.
    fn at(&mut self, place: u64, length: u64) -> Option<Vec<u8>>;
}

impl<F: Read + Seek> At for Bytes<'_, F> {
    fn at(&mut self, place: u64, length: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length.min(LARGEST_PIECE + 1)).ok()?];
        if length > LARGEST_PIECE {
            return None;
        }
        self.0.seek(SeekFrom::Start(place)).ok()?;
        self.0.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// Returns a number of 2, 4 or 8 bytes at a place in a header.
fn number(bytes: &[u8], place: usize, length: usize, big_endian: bool) -> Option<u64> {
    let bytes = bytes.get(place..place.checked_add(length)?)?;
    let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
    Some(if big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) })
}

#[cfg(test)]
mod tests;
