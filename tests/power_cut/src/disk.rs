//! A model of a disk and its cache: what was written, what was synced, and what is left of the rest after a power cut.
//!
//! - A sync that succeeds makes durable what was written to its file before. For a new log or journal, it also syncs
//!   the folder.
//! - A sync that fails leaves any part of what was written on the disk. The cache still shows all of it, and *no later
//!   sync writes it again*. This is what Linux does, and the worst that a file system may do.
//! - After a power cut, any part of what was not synced may be on the disk, sector by sector and in any order.
//! - Creations and deletions reach the disk in order, at the latest with the next sync of the folder.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Random;

/// A write of this many bytes is never torn, if it begins at a multiple of this number.
const SECTOR: usize = 512;

/// Identifies a file for as long as it exists, whatever its name is.
pub type FileNumber = usize;

/// The files of a folder.
pub type Image = BTreeMap<String, Vec<u8>>;

/// What happened to the disk.
#[derive(Clone, Debug)]
pub enum Event {
    /// A file was created.
    Create(FileNumber, String),
    /// Bytes were written.
    Write(FileNumber, usize, Arc<[u8]>),
    /// The length of a file was set.
    Truncate(FileNumber, usize),
    /// A file was synced.
    Sync {
        /// The file.
        file: FileNumber,
        /// Whether the folder was synced together with it.
        folder: bool,
        /// Whether it succeeded.
        held: bool,
    },
    /// The folder was synced.
    SyncFolder {
        /// Whether it succeeded.
        held: bool,
    },
    /// A name was deleted.
    Delete {
        /// The name.
        name: String,
        /// Whether the folder was synced together with it.
        folder: bool,
    },
    /// The power was cut. The number is the seed that decides what was left.
    Cut(u64),
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Arc<[u8]>),
    Truncate(usize),
}

#[derive(Clone, Debug, Default)]
struct File {
    /// What is certainly on the disk.
    durable: Vec<u8>,
    /// What a reader sees.
    cached: Vec<u8>,
    /// The difference between the two: changes with their positions in the order of all changes.
    pending: Vec<(usize, Change)>,
}

#[derive(Clone, Debug)]
enum Naming {
    Created(String, FileNumber),
    Deleted(String),
}

/// A folder on a disk.
#[derive(Clone, Debug)]
pub struct Disk {
    files: BTreeMap<FileNumber, File>,
    names: BTreeMap<String, FileNumber>,
    durable_names: BTreeMap<String, FileNumber>,
    pending_names: Vec<Naming>,
    changes: usize,
    random: Random,
}

/// How much of what was not synced a power cut keeps.
#[derive(Clone, Copy, Debug)]
enum Cut {
    DropAll,
    KeepAll,
    /// All changes up to one of them, and a part of that one.
    Prefix(usize),
    /// Any of the changes.
    Some,
    /// Any sectors of any changes.
    Sectors,
    /// Files have the length that they had in the cache. They contain zeros, or sectors of what was written.
    Holes,
}

impl Disk {
    /// Returns the folder after these events. The seed decides what failed syncs left since the last power cut. What
    /// they left before it is already decided, because a process has worked with it since.
    pub fn after(events: &[Event], seed: u64) -> Self {
        let mut disk = Self {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            pending_names: Vec::new(),
            changes: 0,
            random: Random::new(0),
        };
        let settled = events.iter().rposition(|event| matches!(event, Event::Cut(_))).map_or(0, |last| last + 1);
        events[..settled].iter().for_each(|event| disk.apply(event));
        disk.random = Random::new(seed);
        events[settled..].iter().for_each(|event| disk.apply(event));
        disk
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Create(file, name) => {
                self.files.insert(*file, File::default());
                self.names.insert(name.clone(), *file);
                self.pending_names.push(Naming::Created(name.clone(), *file));
            }
            Event::Write(file, offset, bytes) => self.change(*file, Change::Write(*offset, Arc::clone(bytes))),
            Event::Truncate(file, length) => self.change(*file, Change::Truncate(*length)),
            Event::Sync { file, folder, held } => self.sync(*file, *folder, *held),
            Event::SyncFolder { held: true } => self.sync_folder(usize::MAX),
            Event::SyncFolder { held: false } => {}
            Event::Delete { name, folder } => {
                self.names.remove(name);
                self.pending_names.push(Naming::Deleted(name.clone()));
                if *folder {
                    self.sync_folder(usize::MAX);
                }
            }
            Event::Cut(seed) => {
                let image = self.cut(*seed);
                self.become_image(&image);
            }
        }
    }

    fn change(&mut self, file: FileNumber, change: Change) {
        self.changes += 1;
        let file = self.files.entry(file).or_default();
        change.apply(&mut file.cached, |_| true);
        file.pending.push((self.changes, change));
    }

    fn sync(&mut self, file: FileNumber, folder: bool, held: bool) {
        let file = self.files.entry(file).or_default();
        // After a sync that failed, any part may be on the disk.
        let kept = if held { 100 } else { [0, 50, 90][self.random.below(3)] };
        for (_, change) in std::mem::take(&mut file.pending) {
            change.apply(&mut file.durable, |_| self.random.percent(kept));
        }
        if folder && held {
            self.sync_folder(usize::MAX);
        }
    }

    fn sync_folder(&mut self, count: usize) {
        let count = count.min(self.pending_names.len());
        for naming in self.pending_names.drain(..count) {
            match naming {
                Naming::Created(name, file) => drop(self.durable_names.insert(name, file)),
                Naming::Deleted(name) => drop(self.durable_names.remove(&name)),
            }
        }
    }

    /// Returns what a process finds that starts after another one was killed.
    pub fn cache(&self) -> Image {
        self.names.iter().map(|(name, file)| (name.clone(), self.files[file].cached.clone())).collect()
    }

    /// Returns what a process finds after a power cut at this moment. The seed decides how much of what was not synced
    /// is left.
    pub fn cut(&self, seed: u64) -> Image {
        let mut random = Random::new(seed);
        let mut disk = self.clone();
        let pending: usize = disk.files.values().map(|file| file.pending.len()).sum();
        let cut = match random.below(8) {
            0 => Cut::DropAll,
            1 => Cut::KeepAll,
            2 | 3 => Cut::Prefix(random.below(pending + 1)),
            4 => Cut::Some,
            5 | 6 => Cut::Sectors,
            _ => Cut::Holes,
        };
        disk.sync_folder(match cut {
            Cut::DropAll => 0,
            Cut::KeepAll => usize::MAX,
            _ => random.below(disk.pending_names.len() + 1),
        });
        let mut order: Vec<_> = disk.files.values().flat_map(|file| file.pending.iter().map(|(at, _)| *at)).collect();
        order.sort_unstable();
        let torn = match cut {
            Cut::Prefix(count) => order.get(count).copied().unwrap_or(usize::MAX),
            _ => 0,
        };
        for file in disk.files.values_mut() {
            file.lose(cut, torn, &mut random);
        }
        disk.durable_names.iter().map(|(name, file)| (name.clone(), disk.files[file].durable.clone())).collect()
    }

    fn become_image(&mut self, image: &Image) {
        // Names keep their files, so later recordings know the files by the same numbers.
        self.names = self.durable_names.clone();
        for naming in std::mem::take(&mut self.pending_names) {
            if let Naming::Created(name, file) = naming
                && image.contains_key(&name)
            {
                self.names.insert(name, file);
            }
        }
        self.names.retain(|name, _| image.contains_key(name));
        self.durable_names = self.names.clone();
        for (name, file) in &self.names {
            let bytes = image[name].clone();
            self.files.insert(*file, File { durable: bytes.clone(), cached: bytes, pending: Vec::new() });
        }
    }

    /// Returns the files that have names, by their numbers.
    pub fn names(&self) -> &BTreeMap<String, FileNumber> {
        &self.names
    }
}

impl File {
    /// Decides how much of what was not synced is left.
    fn lose(&mut self, cut: Cut, torn: usize, random: &mut Random) {
        let length = self.cached.len();
        for (at, change) in std::mem::take(&mut self.pending) {
            let whole = match cut {
                Cut::DropAll => continue,
                Cut::KeepAll => true,
                Cut::Prefix(_) if at > torn => continue,
                Cut::Prefix(_) => at < torn,
                Cut::Some => {
                    if random.percent(50) {
                        continue;
                    }
                    true
                }
                Cut::Sectors | Cut::Holes => false,
            };
            let chance = if whole { 100 } else { [20, 50, 90][random.below(3)] };
            change.apply(&mut self.durable, |_| random.percent(chance));
        }
        if matches!(cut, Cut::Holes) && self.durable.len() < length {
            self.durable.resize(length, 0);
        }
    }
}

impl Change {
    /// Applies the sectors that were kept.
    fn apply(&self, file: &mut Vec<u8>, mut keeps: impl FnMut(usize) -> bool) {
        match self {
            Self::Truncate(length) => {
                if keeps(0) {
                    file.resize(*length, 0);
                }
            }
            Self::Write(offset, bytes) => {
                let (mut from, end) = (*offset, offset + bytes.len());
                while from < end {
                    let to = end.min((from / SECTOR + 1) * SECTOR);
                    if keeps(from / SECTOR) {
                        if file.len() < to {
                            file.resize(to, 0);
                        }
                        file[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
                    }
                    from = to;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: usize, bytes: &[u8]) -> Event {
        Event::Write(0, offset, bytes.into())
    }

    fn sync(held: bool) -> Event {
        Event::Sync { file: 0, folder: true, held }
    }

    fn images(events: &[Event]) -> Vec<Option<Vec<u8>>> {
        (0..200).map(|seed| Disk::after(events, seed).cut(seed).remove("f")).collect()
    }

    #[test]
    fn synced_writes_always_survive_and_other_writes_sometimes_do() {
        let events = [Event::Create(0, "f".to_owned()), write(0, b"abc"), sync(true), write(3, b"def")];
        let images = images(&events);
        assert!(images.iter().all(|image| image.as_ref().is_some_and(|bytes| bytes.starts_with(b"abc"))));
        assert!(images.iter().flatten().any(|bytes| bytes == b"abc"));
        assert!(images.iter().flatten().any(|bytes| bytes == b"abcdef"));
        assert!(images.iter().flatten().any(|bytes| bytes == b"abc\0\0\0"));
    }

    #[test]
    fn a_later_sync_does_not_write_what_a_failed_sync_left_out() {
        let events = [Event::Create(0, "f".to_owned()), sync(true), write(0, b"abc"), sync(false), sync(true)];
        let images = images(&events);
        assert!(images.iter().flatten().any(Vec::is_empty));
        assert!(images.iter().flatten().any(|bytes| bytes == b"abc"));
        assert_eq!(Disk::after(&events, 1).cache()["f"], b"abc", "the cache still shows it");
    }

    #[test]
    fn a_name_is_there_when_its_folder_was_synced() {
        let unsynced = [Event::Create(0, "f".to_owned()), write(0, b"abc")];
        assert!(images(&unsynced).iter().any(Option::is_none));
        let deleted = [&unsynced[..], &[sync(true), Event::Delete { name: "f".to_owned(), folder: false }]].concat();
        assert!(images(&deleted).iter().any(Option::is_none) && images(&deleted).iter().any(Option::is_some));
        assert!(Disk::after(&deleted, 1).cache().is_empty());
    }

    #[test]
    fn sectors_are_lost_one_by_one() {
        let bytes = [7; 4 * SECTOR];
        let events = [Event::Create(0, "f".to_owned()), sync(true), write(0, &bytes)];
        let torn = images(&events).into_iter().flatten().filter(|image| image.contains(&7) && image[..] != bytes);
        assert!(torn.count() > 20);
    }

    #[test]
    fn after_a_power_cut_the_disk_continues_with_what_was_left() {
        let before = [Event::Create(0, "f".to_owned()), write(0, b"abc"), sync(true), write(3, b"def")];
        for seed in 0..50 {
            let left = Disk::after(&before, 3).cut(seed);
            let after = Disk::after(&[&before[..], &[Event::Cut(seed)]].concat(), 3);
            assert_eq!(after.cache(), left);
            assert_eq!(after.cut(9), left);
        }
    }
}
