//! The environment of a workload: a runtime on a new store, in a folder that is removed afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use persevere::store::Store;
use persevere::{Client, MemoryStore, Runtime, RuntimeBuilder, SqliteStore};
use tempfile::TempDir;

use crate::Outcome;
use crate::observed::{ObservedStore, Seen};

/// The kind of store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// SQLite with `synchronous=FULL`.
    Sqlite,
    /// The memory store, which shows the cost of the engine.
    Memory,
}

impl StoreKind {
    pub(crate) const BOTH: [Self; 2] = [Self::Sqlite, Self::Memory];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Memory => "memory",
        }
    }
}

/// The disk that is measured.
#[derive(Debug, Clone)]
pub(crate) struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Creates a disk from this folder, or from the folder for temporary files.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.unwrap_or_else(std::env::temp_dir) }
    }

    /// Creates a new folder on the disk.
    pub(crate) fn folder(&self) -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix("persevere-bench-").tempdir_in(&self.folder)
    }

    /// Returns the folder that contains all others.
    pub(crate) fn root(&self) -> &Path {
        &self.folder
    }
}

/// A runtime on a store.
#[derive(Debug)]
pub(crate) struct Stage {
    runtime: Runtime,
    seen: Arc<Seen>,
    folder: Option<TempDir>,
}

impl Stage {
    /// Opens a new store.
    pub(crate) async fn open(disk: &Disk, kind: StoreKind) -> Outcome<Self> {
        Self::with(disk, kind, |settings| settings).await
    }

    /// Opens a new store with other settings.
    pub(crate) async fn with(
        disk: &Disk,
        kind: StoreKind,
        settings: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Outcome<Self> {
        Self::partitioned(disk, kind, 1, settings).await
    }

    /// On a fresh store with this many partitions.
    pub(crate) async fn partitioned(
        disk: &Disk,
        kind: StoreKind,
        partitions: u16,
        settings: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Outcome<Self> {
        match kind {
            StoreKind::Sqlite => {
                let folder = disk.folder()?;
                let store = SqliteStore::builder(database(folder.path())).partitions(partitions).open()?;
                Self::run(Arc::new(store), Some(folder), settings).await
            }
            StoreKind::Memory => Self::run(Arc::new(MemoryStore::with_partitions(partitions)), None, settings).await,
        }
    }

    /// Starts a runtime on the contents of this folder, or in memory if there is no folder.
    pub(crate) async fn start(
        folder: Option<TempDir>,
        settings: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Outcome<Self> {
        let inner: Arc<dyn Store> = match &folder {
            Some(folder) => Arc::new(SqliteStore::open(database(folder.path()))?),
            None => Arc::new(MemoryStore::new()),
        };
        Self::run(inner, folder, settings).await
    }

    async fn run(
        inner: Arc<dyn Store>,
        folder: Option<TempDir>,
        settings: impl FnOnce(RuntimeBuilder) -> RuntimeBuilder,
    ) -> Outcome<Self> {
        let seen = Arc::new(Seen::default());
        let store = Arc::new(ObservedStore::new(inner, Arc::clone(&seen)));
        let runtime = settings(Runtime::builder().auto_register().shared_store(store)).start().await?;
        Ok(Self { runtime, seen, folder })
    }

    pub(crate) fn client(&self) -> &Client {
        self.runtime.client()
    }

    /// Returns what has passed through the store.
    pub(crate) fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// Returns the path of the database, or `None` for the memory store.
    pub(crate) fn database(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| database(folder.path()))
    }

    /// Stops the runtime, and returns the folder with what it left.
    pub(crate) async fn close(self) -> Outcome<Option<TempDir>> {
        self.runtime.shutdown().await?;
        Ok(self.folder)
    }
}

/// Returns the path of the database in a folder.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join("bench.db")
}
