//! Reads a write-ahead log as SQLite does when it recovers it: up to the last commit whose frames all fit their checksums.
//! (SQLite, "Database File Format", section 4.)

use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::Path;

/// The length of the header of a log, and of that of a frame.
const HEADER: usize = 32;
const FRAME: usize = 24;
/// The first four bytes of a log whose checksums take words as little-endian; those with big-endian words end with 3.
const MAGIC: u32 = 0x377f_0682;

/// What is chosen anew whenever a log begins again: a number that rises by one, and a random one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Salts(pub(super) [u8; 8]);

/// A place in a log: behind a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) salts: Salts,
    pub(super) frames: u32,
    /// How many commits these frames are.
    pub(super) commits: u64,
}

impl Salts {
    /// Whether a log with these salts began after one with those.
    pub(super) fn follows(self, earlier: Self) -> bool {
        let count = |salts: Self| u32::from_be_bytes([salts.0[0], salts.0[1], salts.0[2], salts.0[3]]);
        let steps = count(self).wrapping_sub(count(earlier));
        (1..1 << 31).contains(&steps)
    }
}

/// Returns the end of the last commit. `None` if there is no log, or none with a header.
pub(super) fn scan(path: &Path) -> io::Result<Option<Position>> {
    let mut log = match File::open(path) {
        Ok(file) => BufReader::with_capacity(1 << 16, file),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut header = [0; HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    let magic = word(&header, 0);
    let big_endian = magic & 1 == 1;
    let mut sum = Sum { words: [0, 0], big_endian };
    sum.add(&header[..24]);
    if magic & !1 != MAGIC || !sum.is(&header[24..]) {
        return Ok(None);
    }
    let salts = salts_of(&header);
    let mut end = Position { salts, frames: 0, commits: 0 };
    let mut frame = vec![0; FRAME + word(&header, 8) as usize];
    let mut frames = 0;
    while fill(&mut log, &mut frame)? {
        let (head, page) = frame.split_at(FRAME);
        sum.add(&head[..8]);
        sum.add(page);
        if head[8..16] != salts.0 || word(head, 0) == 0 || !sum.is(&head[16..]) {
            break;
        }
        frames += 1;
        if word(head, 4) != 0 {
            (end.frames, end.commits) = (frames, end.commits + 1);
        }
    }
    Ok(Some(end))
}

/// Reads the salts of a log.
pub(super) fn salts(path: &Path) -> io::Result<Salts> {
    let mut header = [0; HEADER];
    File::open(path)?.read_exact(&mut header)?;
    Ok(salts_of(&header))
}

fn salts_of(header: &[u8; HEADER]) -> Salts {
    let mut salts = [0; 8];
    salts.copy_from_slice(&header[16..24]);
    Salts(salts)
}

fn word(bytes: &[u8], from: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[from..from + 4]);
    u32::from_be_bytes(word)
}

/// Fills the buffer. Returns whether there was enough.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// The checksum of a log, which goes on from frame to frame.
struct Sum {
    words: [u32; 2],
    big_endian: bool,
}

impl Sum {
    fn add(&mut self, bytes: &[u8]) {
        let [mut first, mut second] = self.words;
        for pair in bytes.as_chunks::<8>().0 {
            let [a, b, c, d, e, f, g, h] = *pair;
            let (x, y) = ([a, b, c, d], [e, f, g, h]);
            let (x, y) = match self.big_endian {
                true => (u32::from_be_bytes(x), u32::from_be_bytes(y)),
                false => (u32::from_le_bytes(x), u32::from_le_bytes(y)),
            };
            first = first.wrapping_add(x).wrapping_add(second);
            second = second.wrapping_add(y).wrapping_add(first);
        }
        self.words = [first, second];
    }

    /// Compares the sum with a stored one, which is big-endian in every log.
    fn is(&self, stored: &[u8]) -> bool {
        self.words == [word(stored, 0), word(stored, 4)]
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rusqlite::Connection;

    use super::*;
    use crate::store::sqlite::files::beside;

    /// A database and its log after this many commits, each of at least one frame.
    fn files(commits: i64) -> (Vec<u8>, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x)")
            .unwrap();
        for number in 1..commits {
            connection.execute("INSERT INTO t VALUES (?1)", [number]).unwrap();
        }
        (fs::read(&path).unwrap(), fs::read(beside(&path, "-wal")).unwrap())
    }

    fn scanned(bytes: &[u8]) -> Option<Position> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db-wal");
        fs::write(&path, bytes).unwrap();
        scan(&path).unwrap()
    }

    #[test]
    fn a_log_is_read_to_its_last_commit() {
        let (_, bytes) = files(7);
        let end = scanned(&bytes).unwrap();
        let frame = FRAME + 4_096;
        assert_eq!((end.commits, end.frames as usize), (7, (bytes.len() - HEADER) / frame));
        assert_eq!(scanned(&bytes[..bytes.len() - 1]).unwrap().commits, 6);
        assert_eq!(scanned(&bytes[..HEADER]).unwrap().commits, 0);
        assert_eq!((scanned(&[]), scanned(&bytes[..HEADER - 1])), (None, None));
    }

    #[test]
    fn a_flipped_bit_ends_the_log_where_sqlite_ends_it() {
        let (database, bytes) = files(5);
        for at in (0..bytes.len()).step_by(97) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.db");
            fs::write(beside(&path, "-wal"), &flipped).unwrap();
            fs::write(&path, &database).unwrap();
            let connection = Connection::open(&path).unwrap();
            // The table is there from the first commit on, with a row for each further one.
            let rows: i64 = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap_or(-1);
            let commits = scanned(&flipped).map_or(0, |end| end.commits);
            assert_eq!(rows + 1, i64::try_from(commits).unwrap(), "byte {at}");
        }
    }

    #[test]
    fn a_log_that_began_again_follows_the_one_before() {
        let salts = |count: u32| Salts([count.to_be_bytes(), [7; 4]].concat().try_into().unwrap());
        assert!(salts(8).follows(salts(7)) && salts(0).follows(salts(u32::MAX)));
        assert!(!salts(7).follows(salts(7)) && !salts(6).follows(salts(7)));
    }
}
