//! Where a workload runs: a runtime on a fresh store, in a folder that goes with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use persevere::store::Store;
use persevere::{Client, MemoryStore, Runtime, RuntimeBuilder, SqliteStore};
use tempfile::TempDir;

use crate::Outcome;
use crate::observed::{ObservedStore, Seen};

/// Where the rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StoreKind {
    /// SQLite, synchronous=FULL.
    Sqlite,
    /// Nothing durable: what the engine itself costs.
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
    /// The disk of this folder; that for temporary files unless one is given.
    pub(crate) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder: folder.unwrap_or_else(std::env::temp_dir) }
    }

    /// A new folder on it.
    pub(crate) fn folder(&self) -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix("persevere-bench-").tempdir_in(&self.folder)
    }

    /// The folder in which all others are made.
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
    /// On a fresh store.
    pub(crate) async fn open(disk: &Disk, kind: StoreKind) -> Outcome<Self> {
        Self::with(disk, kind, |settings| settings).await
    }

    /// On a fresh store, with other settings.
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

    /// On what this folder holds; without one, in memory.
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

    /// What has passed on the way to the store.
    pub(crate) fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// The database; none in memory.
    pub(crate) fn database(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| database(folder.path()))
    }

    /// Stops the runtime; gives the folder with what it left.
    pub(crate) async fn close(self) -> Outcome<Option<TempDir>> {
        self.runtime.shutdown().await?;
        Ok(self.folder)
    }
}

/// The database in a folder.
pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join("bench.db")
}
