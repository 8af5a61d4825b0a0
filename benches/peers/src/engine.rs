//! What the workloads ask of an engine.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use clap::ValueEnum;

use crate::Outcome;
use crate::engines::{dbos::Dbos, durare::Durare, duroxide::Duroxide};

/// What an operation returns.
pub(crate) type Work<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// One engine at work. The activities do nothing, as in `benches`.
pub(crate) trait Engine: Send + Sync {
    /// Three activities in turn, a status after each, from the start to the result.
    fn hello(&self) -> Work<'_>;
    /// So many activities at once.
    fn fan_out(&self, width: u32) -> Work<'_>;
    /// So many activities one after the other.
    fn long(&self, steps: u32) -> Work<'_>;
    /// Starts an instance that waits for an event; done when the start is acknowledged.
    fn park(&self) -> Work<'_>;
    /// The file that it writes, if it is one.
    fn database(&self) -> Option<PathBuf>;
}

/// Which engine, in which configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// duroxide on SQLite.
    Duroxide,
    /// durare on SQLite as it comes: synchronous=NORMAL.
    Durare,
    /// durare on SQLite with synchronous=FULL, as durable as persevere.
    DurareFull,
    /// dbos on PostgreSQL.
    Dbos,
}

impl Kind {
    /// What it is called on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Starts it on a fresh database.
    pub(crate) async fn start(self, folder: &Path, postgres: Option<&str>) -> Outcome<Box<dyn Engine>> {
        Ok(match self {
            Self::Duroxide => Box::new(Duroxide::start(folder).await?),
            Self::Durare => Box::new(Durare::start(folder, false).await?),
            Self::DurareFull => Box::new(Durare::start(folder, true).await?),
            Self::Dbos => Box::new(Dbos::start(postgres.ok_or("dbos needs --postgres")?).await?),
        })
    }
}
