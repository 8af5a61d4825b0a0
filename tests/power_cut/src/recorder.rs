//! Records what happens to the files of one folder, and makes syncs fail on request.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use persevere::store::FileProbe;

use crate::disk::{Disk, Event, FileNumber, Image};
use crate::vfs;

/// A recorder of one folder.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    names: BTreeMap<String, FileNumber>,
    files: FileNumber,
    syncs: usize,
    failing: BTreeSet<usize>,
    stopped: bool,
}

impl Recorder {
    /// Continues an earlier recording in an empty folder, which gets these files.
    pub fn resume(folder: &Path, events: Vec<Event>, files: &Image) -> io::Result<Arc<Self>> {
        vfs::register();
        write_files(folder, files)?;
        let disk = Disk::after(&events, 0);
        let last = events.iter().filter_map(|event| match event {
            Event::Create(file, _) => Some(file + 1),
            _ => None,
        });
        let state = State {
            names: disk
                .names()
                .iter()
                .filter(|(name, _)| files.contains_key(*name))
                .map(|(n, f)| (n.clone(), *f))
                .collect(),
            files: last.max().unwrap_or(0),
            events,
            ..State::default()
        };
        let recorder = Arc::new(Self { folder: folder.canonicalize()?, state: Mutex::new(state) });
        vfs::record(&recorder);
        Ok(recorder)
    }

    /// Makes these syncs fail, counted from now on.
    pub fn fail_syncs(&self, numbers: impl IntoIterator<Item = usize>) {
        let mut state = self.state();
        let syncs = state.syncs;
        state.failing = numbers.into_iter().map(|number| syncs + number).collect();
    }

    /// Returns the number of recorded events.
    pub fn position(&self) -> usize {
        self.state().events.len()
    }

    /// Ends the recording as if the process had been killed: what its threads do afterwards has not happened.
    pub fn stop(&self) -> Vec<Event> {
        vfs::forget(&self.folder);
        let mut state = self.state();
        state.stopped = true;
        std::mem::take(&mut state.events)
    }

    /// Returns the recorded folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Records that a file was opened. Returns its number, and whether it is new.
    pub(crate) fn opened(&self, name: &str) -> (FileNumber, bool) {
        let mut state = self.state();
        if let Some(file) = state.names.get(name) {
            return (*file, false);
        }
        let file = state.files;
        state.files += 1;
        state.names.insert(name.to_owned(), file);
        state.push(Event::Create(file, name.to_owned()));
        (file, true)
    }

    pub(crate) fn written(&self, file: FileNumber, offset: usize, bytes: &[u8]) {
        self.state().push(Event::Write(file, offset, bytes.into()));
    }

    pub(crate) fn truncated(&self, file: FileNumber, length: usize) {
        self.state().push(Event::Truncate(file, length));
    }

    /// Records the sync of a file and its folder. Returns whether the sync succeeds.
    pub(crate) fn sync(&self, file: FileNumber, folder: bool) -> bool {
        let mut state = self.state();
        let held = state.next_sync();
        state.push(Event::Sync { file, folder, held });
        held
    }

    /// Records the sync of the folder alone. Returns whether the sync succeeds.
    fn sync_folder(&self) -> bool {
        let mut state = self.state();
        let held = state.next_sync();
        state.push(Event::SyncFolder { held });
        held
    }

    pub(crate) fn deleted(&self, name: &str, folder: bool) {
        let mut state = self.state();
        state.names.remove(name);
        state.push(Event::Delete { name: name.to_owned(), folder });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Records the files that the store writes next to those of SQLite.
impl FileProbe for Recorder {
    fn wrote(&self, path: &Path, offset: u64, bytes: &[u8]) {
        let (file, _) = self.opened(name_of(path));
        self.written(file, usize::try_from(offset).expect("a place in a small file"), bytes);
    }

    fn synced(&self, path: &Path) -> io::Result<()> {
        let held =
            if path == self.folder { self.sync_folder() } else { self.sync(self.opened(name_of(path)).0, false) };
        if held { Ok(()) } else { Err(io::Error::other("a sync that fails")) }
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("the store names its files")
}

impl State {
    /// Returns whether the next sync succeeds.
    fn next_sync(&mut self) -> bool {
        self.syncs += 1;
        !self.failing.contains(&self.syncs)
    }

    fn push(&mut self, event: Event) {
        if !self.stopped {
            self.events.push(event);
        }
    }
}

/// Writes an image into a folder.
pub fn write_files(folder: &Path, files: &Image) -> io::Result<()> {
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}
