//! The store in one SQLite file.
//!
//! ```text
//! SqliteStore ──commands──► writer thread ──► the lock, and the only connection that writes
//!             ──requests──► reader threads ─► connections that only read; lists have one of their own
//! ```
//!
//! Invariants: only the writer thread writes; the thread of a caller never waits for the disk; everything that a reader
//! sees is durable (except with [`Durability::Relaxed`]).

mod absence;
mod batch;
mod transaction;
mod wal_scan;
mod check;
mod checksum;
mod connection;
mod database;
mod errors;
mod files;
mod insertions;
mod load;
mod lock;
mod log;
mod mark;
mod owned;
mod ownership;
mod query;
mod reader;
mod row;
mod schema;
mod writer_session;
mod writer;

#[cfg(feature = "testing")]
#[doc(hidden)]
pub use self::files::FileProbe;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

use self::files::Files;
use self::reader::Read;
use self::writer::{Command, Writer};
use super::{
    Backlog, Claim, CommitError, Durability, InstancePage, InstanceQuery, InstanceRef, LoadError, OpenError, Store,
    StoreFuture, StoredInstance,
};
use crate::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};

/// How long opening waits for an owner that is about to release the file.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// The largest number of symbolic links that are followed one after another, as on Linux.
const MAX_LINKS: usize = 40;
/// The number of threads that read for the engine and for clients. Lists take longer, so another thread reads them.
const READERS: usize = 2;

/// A store in one SQLite file.
///
/// One runtime owns the file at a time, in this process or in another. Others can open it for reading. Dropping the
/// store lets a commit that is on its way finish and then closes the file. [`close`](Store::close) also marks a
/// partition as cleanly closed, and with the last partition it closes the file.
#[derive(Debug)]
pub struct SqliteStore {
    options: Options,
    partitions: PartitionCount,
    /// `None` while the store is closed. The writer closes it together with the last partition.
    threads: Arc<Mutex<Option<Threads>>>,
}

/// How thoroughly a [`SqliteStore`] checks its file for damage while it is opened.
///
/// A damaged turn record parks its instance when it is read, so damage in the history is logged and the store opens. Any
/// other damage that a check finds refuses the file with [`OpenError::Corrupt`], which says what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileCheck {
    /// If the store was not closed cleanly, checks the structure of the whole file, but for no longer than two seconds. After
    /// a clean close, only counts the entries of two indexes, which takes about 20 ms for each million instances.
    #[default]
    AfterCrash,
    /// Checks the structure of the whole file, however long that takes. Every page is read: about a second for each
    /// gigabyte that is in memory.
    Structure,
    /// Checks the structure of the whole file and compares each index with its table, however long that takes: several
    /// seconds for each million instances.
    Contents,
    /// Checks nothing. This opens a damaged file, so that what is readable can be saved.
    Never,
}

/// Opens a [`SqliteStore`] with settings other than the defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct SqliteStoreBuilder {
    options: Options,
    /// The requested number of partitions, which has not been checked.
    partitions: Option<u16>,
}

#[derive(Clone, Debug)]
struct Options {
    path: PathBuf,
    durability: Durability,
    check: FileCheck,
    /// Whether the file is written again without its free pages when it is opened.
    compacts: bool,
    lock_wait: Duration,
    max_pages: Option<u32>,
    /// The number of partitions of a new store, which an existing store must have too. `None` means one for a new
    /// store, and any number for an existing store.
    partitions: Option<PartitionCount>,
    files: Files,
}

/// The channels to the threads, which end when these are dropped.
#[derive(Debug)]
struct Threads {
    commands: mpsc::Sender<Command>,
    requests: mpsc::Sender<Read>,
    lists: mpsc::Sender<Read>,
}

impl SqliteStore {
    /// Opens the file, or creates it. This blocks while it works, and for up to two seconds if another owner is about
    /// to release the file.
    ///
    /// # Errors
    /// Returns [`OpenError`], which says why the file cannot be used and what to do.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::builder(path).open()
    }

    /// Begins to open a file with settings other than the defaults.
    pub fn builder(path: impl AsRef<Path>) -> SqliteStoreBuilder {
        let options = Options {
            path: path.as_ref().to_owned(),
            durability: Durability::Full,
            check: FileCheck::AfterCrash,
            compacts: false,
            lock_wait: LOCK_WAIT,
            max_pages: None,
            partitions: None,
            files: Files::default(),
        };
        SqliteStoreBuilder { options, partitions: None }
    }

    /// Sends a command to the writer. Returns the command if it could not be sent because the store is closed.
    fn command(&self, command: Command) -> Result<(), Command> {
        match &*self.threads() {
            Some(threads) => threads.commands.send(command).map_err(|unsent| unsent.0),
            None => Err(command),
        }
    }

    fn read<T: Send + 'static>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, LoadError>>) -> Read,
    ) -> StoreFuture<Result<T, LoadError>> {
        let (answer, answered) = oneshot::channel();
        if let Some(threads) = &*self.threads() {
            let request = request(answer);
            let queue = if matches!(request, Read::Page(..)) { &threads.lists } else { &threads.requests };
            // A request that cannot be sent is dropped, and the caller sees this in the answer.
            let _ = queue.send(request);
        }
        Box::pin(async {
            answered.await.unwrap_or_else(|_| Err(LoadError::Transient("the store is closed".to_owned())))
        })
    }

    fn threads(&self) -> MutexGuard<'_, Option<Threads>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SqliteStoreBuilder {
    /// Sets what is durable when a commit is acknowledged. The default is [`Durability::Full`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.options.durability = durability;
        self
    }

    /// Sets the number of partitions, from 1 to 1,024. The default for a new store is one. One thread at a time works
    /// on a partition, so several threads can run turns only with several partitions.
    ///
    /// The number is fixed when the file is created. To open an existing file with the number that it has, do not call
    /// this method. With another number, opening fails with [`OpenError::Partitions`].
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Sets how thoroughly the file is checked for damage while it is opened. The default is
    /// [`FileCheck::AfterCrash`].
    pub fn check(mut self, check: FileCheck) -> Self {
        self.options.check = check;
        self
    }

    /// Returns free space to the file system while the file is opened. Space that purged instances leave is otherwise kept
    /// in the file and used again.
    ///
    /// If there is free space in the file, everything else is written again (`VACUUM`). While it opens, this needs as much
    /// free space on the disk as twice the size of the data, and roughly a second for each 100 MB.
    pub fn compact(mut self) -> Self {
        self.options.compacts = true;
        self
    }

    /// Sets how long to wait for another owner that is about to release the file. The default is two seconds.
    pub fn lock_wait(mut self, wait: Duration) -> Self {
        self.options.lock_wait = wait;
        self
    }

    /// Sets the largest size of the file in pages, for tests of a full disk.
    #[doc(hidden)]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.options.max_pages = Some(pages);
        self
    }

    /// Reports what the store itself writes next to the files of SQLite, for tests that cut the power.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn file_probe(mut self, probe: Arc<dyn FileProbe>) -> Self {
        self.options.files.probe = Some(probe);
        self
    }

    /// Opens the file, or creates it; see [`SqliteStore::open`].
    ///
    /// # Errors
    /// Returns [`OpenError`], which says why the file cannot be used and what to do.
    pub fn open(self) -> Result<SqliteStore, OpenError> {
        let Self { mut options, partitions } = self;
        options.path = options.resolved_path()?;
        options.partitions = partitions.map(|count| options.partition_count(count)).transpose()?;
        let threads = Arc::new(Mutex::new(None));
        let started = Threads::start(&options, Arc::downgrade(&threads))?;
        let (answer, answered) = mpsc::channel();
        let gone = || options.failed("its writer thread is gone");
        started.commands.send(Command::Open(answer)).map_err(|_| gone())?;
        let partitions = answered.recv().map_err(|_| gone())??;
        *threads.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        options.partitions = Some(partitions);
        Ok(SqliteStore { options, partitions, threads })
    }
}

impl Options {
    /// Returns the same path for the same file, whatever links and folders lead to it, because the lock depends on the
    /// path.
    fn resolved_path(&self) -> Result<PathBuf, OpenError> {
        if self.path.as_os_str() == ":memory:" {
            return Err(self.failed(
                "the path names no file: use a `MemoryStore` for rows that are lost together with the process",
            ));
        }
        if let Ok(path) = self.path.canonicalize() {
            return if path.is_dir() { Err(self.failed("the path is a folder: name a file in it")) } else { Ok(path) };
        }
        let path = self.target()?;
        let Some(name) = path.file_name() else { return Err(self.failed("the path names no file")) };
        let folder = folder_of(&path);
        match folder.canonicalize() {
            Ok(folder) => Ok(folder.join(name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(self.failed(&format!("its folder `{}` does not exist: create it first", folder.display())))
            }
            Err(error) => Err(errors::file_error(&self.store(), &error)),
        }
    }

    fn partition_count(&self, asked: u16) -> Result<PartitionCount, OpenError> {
        PartitionCount::new(asked).ok_or_else(|| {
            self.failed(&format!("a store has 1 to {} partitions, but {asked} were requested", PartitionCount::MAX))
        })
    }

    /// Returns where the path leads if there is no file yet: a symbolic link may name a file that has not been created.
    fn target(&self) -> Result<PathBuf, OpenError> {
        let mut path = self.path.clone();
        for _ in 0..MAX_LINKS {
            match path.read_link() {
                Ok(target) => path = folder_of(&path).join(target),
                Err(_) => return Ok(path),
            }
        }
        Err(self.failed("its symbolic links lead in a circle"))
    }

    fn store(&self) -> String {
        self.path.display().to_string()
    }

    fn failed(&self, detail: &str) -> OpenError {
        OpenError::Failed { store: self.store(), detail: detail.to_owned() }
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

impl Threads {
    fn start(options: &Options, shut: Weak<Mutex<Option<Self>>>) -> Result<Self, OpenError> {
        let (commands, received) = mpsc::channel();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            let builder = thread::Builder::new().name(name.to_owned());
            builder.spawn(work).map_err(|e| options.failed(&format!("a thread could not be started: {e}")))
        };
        let mut readers = Vec::new();
        let mut queue = |threads: usize| {
            let (requests, asked) = mpsc::channel();
            let asked = Arc::new(Mutex::new(asked));
            for _ in 0..threads {
                let (path, asked) = (options.path.clone(), Arc::clone(&asked));
                readers.push(spawn("persevere-read", Box::new(move || reader::run(&path, &asked)))?);
            }
            Ok(requests)
        };
        let (requests, lists) = (queue(READERS)?, queue(1)?);
        let writer = Writer::new(options.clone(), received, shut, readers);
        spawn("persevere-write", Box::new(|| writer.run()))?;
        Ok(Self { commands, requests, lists })
    }
}

impl Store for SqliteStore {
    fn partitions(&self) -> PartitionCount {
        self.partitions
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        let (answer, answered) = oneshot::channel();
        let gone = self.options.failed("its writer thread is gone");
        // The lock is held throughout, so that two claims do not both open a closed store.
        let mut threads = self.threads();
        let command = Command::Claim(partition, answer);
        let unsent = match &*threads {
            Some(threads) => threads.commands.send(command).map_err(|unsent| unsent.0),
            None => Err(command),
        };
        if let Err(command) = unsent {
            match Threads::start(&self.options, Arc::downgrade(&self.threads)) {
                Ok(started) => {
                    // If this fails, the answer reports it.
                    let _ = started.commands.send(command);
                    *threads = Some(started);
                }
                Err(error) => return Box::pin(async { Err(error) }),
            }
        }
        Box::pin(async { answered.await.unwrap_or(Err(gone)) })
    }

    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        self.read(|answer| Read::Backlog(partition, answer))
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        self.read(|answer| Read::Inbox(partition, known, answer))
    }

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        self.read(|answer| Read::Instance(target, with_history, answer))
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        self.read(|answer| Read::History(key, execution, answer))
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        self.read(|answer| Read::Page(query, answer))
    }

    fn commit(&self, batch: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        let (answer, answered) = oneshot::channel();
        if self.command(Command::Commit(batch, answer)).is_err() {
            return Box::pin(async { Err(CommitError::Closed("claim a partition to open it again".to_owned())) });
        }
        Box::pin(async {
            let gone = || CommitError::Ambiguous("the writer thread ended during the commit".to_owned());
            answered.await.unwrap_or_else(|_| Err(gone()))
        })
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        let (answer, answered) = oneshot::channel();
        let sent = self.command(Command::Close(partition, answer));
        Box::pin(async move {
            match sent {
                Ok(()) => {
                    answered.await.unwrap_or_else(|_| Err(CommitError::Fatal("the writer thread is gone".to_owned())))
                }
                Err(_) => Ok(()),
            }
        })
    }
}
