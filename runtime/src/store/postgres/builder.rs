//! The settings of a store, and how it is opened.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::connection::{Connector, Purpose};
use super::shared::Shared;
use super::{Durability, PostgresStore, errors, schema};
use crate::model::PartitionCount;
use crate::store::OpenError;

/// The number of partitions of a new store.
const PARTITIONS: u16 = 64;
const SCHEMA: &str = "persevere";
/// The largest number of characters in the name of a schema.
const MAX_SCHEMA: usize = 41;
const LEASE: Duration = Duration::from_secs(10);
const LANES: usize = 4;
/// How long a connection may take to open.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the system repeats what is not acknowledged before a connection is broken.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Opens a [`PostgresStore`] with settings other than the defaults.
#[derive(Clone, Debug)]
#[must_use]
pub struct PostgresStoreBuilder {
    address: String,
    schema: String,
    partitions: Option<u16>,
    durability: Durability,
    lease: Duration,
    lanes: usize,
}

impl PostgresStoreBuilder {
    pub(super) fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            schema: SCHEMA.to_owned(),
            partitions: None,
            durability: Durability::Full,
            lease: LEASE,
            lanes: LANES,
        }
    }

    /// Sets the schema with the tables of the store. The default is `persevere`. Stores in different schemas know nothing of
    /// each other.
    ///
    /// A name has at most 41 characters: lower-case letters of ASCII, digits and `_`, and no digit at the beginning.
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = schema.into();
        self
    }

    /// Sets the number of partitions, from 1 to 1,024. The default for a new store is 64. A partition belongs to one process
    /// at a time, so at most as many processes can run orchestrations.
    ///
    /// The number is fixed when the store is created. To open an existing store with the number that it has, do not call
    /// this method. With another number, opening fails with [`OpenError::Partitions`].
    pub fn partitions(mut self, partitions: u16) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// Sets what is durable when a commit is acknowledged. The default is [`Durability::Full`], which refuses a role with
    /// `synchronous_commit = off`.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Sets how long a process keeps its partitions without renewing its lease. The default is 10 seconds, and the
    /// shortest lease is one second. All processes should use the same.
    ///
    /// After a crash, the partitions of a process stand still for this long. A process that is paused or cut off from the
    /// database for longer loses its partitions.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// Sets the number of connections that write, at least one. The default is 4. In addition, a store has up to five
    /// other connections.
    pub fn connections(mut self, connections: usize) -> Self {
        self.lanes = connections;
        self
    }

    /// Opens the store, or creates it; see [`PostgresStore::connect`].
    ///
    /// # Errors
    /// Returns [`OpenError`], which says why the database cannot be used and what to do.
    pub async fn open(self) -> Result<PostgresStore, OpenError> {
        let mut config: Config = self.address.parse().map_err(|error: tokio_postgres::Error| OpenError::Failed {
            store: "the PostgreSQL store".to_owned(),
            detail: format!("its address cannot be read: {}", errors::text(&error)),
        })?;
        config.connect_timeout(CONNECT).tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(CONNECT);
        let store = format!("{}, schema `{}`", described(&config), self.schema);
        let failed = |detail: String| OpenError::Failed { store: store.clone(), detail };
        let partitions = match self.partitions.map(|count| (count, PartitionCount::new(count))) {
            Some((asked, None)) => {
                let most = PartitionCount::MAX;
                return Err(failed(format!("a store has 1 to {most} partitions, but {asked} were requested")));
            }
            asked => asked.and_then(|(_, count)| count),
        };
        if !is_schema(&self.schema) {
            return Err(failed(format!(
                "a schema has at most {MAX_SCHEMA} lower-case letters, digits and `_`, and does not begin with a digit"
            )));
        }
        let schema = format!("\"{}\"", self.schema);
        let connector = Connector { config, schema, durability: self.durability };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(format!("no thread can be started: {error}")))?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (sender, receiver) = mpsc::sync_channel::<std::sync::Arc<Shared>>(1);
        let run = move || {
            runtime.block_on(async {
                // Ends when the store is dropped, or when it could not be opened.
                let _ = stopped.await;
                if let Ok(shared) = receiver.try_recv() {
                    shared.end().await;
                }
            });
        };
        let thread = thread::Builder::new().name("persevere-postgres".to_owned()).spawn(run);
        thread.map_err(|error| failed(format!("no thread can be started: {error}")))?;
        let (lease, lanes) = (self.lease.max(Duration::from_secs(1)), self.lanes.max(1));
        let opening = handle.clone();
        let opened = handle.spawn(async move {
            let link = connector.connect("persevere/opening".to_owned(), Purpose::Read).await;
            let mut link = link.map_err(|error| errors::no_connection(&store, &error))?;
            let default = PartitionCount::new(PARTITIONS).unwrap_or_default();
            let hub = schema::open(&mut link, &store, &self.schema, partitions, default).await?;
            Ok(Shared::new(opening, connector, store, hub, lease, lanes))
        });
        let gone = |error: tokio::task::JoinError| OpenError::Failed {
            store: "the PostgreSQL store".to_owned(),
            detail: error.to_string(),
        };
        let shared = std::sync::Arc::new(opened.await.map_err(gone)??);
        // The thread has not ended, because it waits for `stop`.
        let _ = sender.send(std::sync::Arc::clone(&shared));
        Ok(PostgresStore { shared, _stop: stop })
    }
}

/// The database, without the password.
fn described(config: &Config) -> String {
    let host = config.get_hosts().first().map_or_else(
        || "localhost".to_owned(),
        |host| match host {
            Host::Tcp(host) => host.clone(),
            #[cfg(unix)]
            Host::Unix(path) => path.display().to_string(),
        },
    );
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("the PostgreSQL database `{database}` on {host}")
}

fn is_schema(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name.len() <= MAX_SCHEMA
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p17_the_name_of_a_schema_needs_no_quotes() {
        let longest = "a".repeat(MAX_SCHEMA);
        for name in ["persevere", "_a1", longest.as_str()] {
            assert!(is_schema(name), "{name}");
        }
        let too_long = "a".repeat(MAX_SCHEMA + 1);
        for name in ["", "1a", "A", "a-b", "a\"b", "ä", "a.b", "a@b", too_long.as_str()] {
            assert!(!is_schema(name), "{name}");
        }
    }

    #[test]
    fn a_store_is_described_without_its_password() {
        let config: Config = "postgres://app:secret@db.internal/orders".parse().unwrap();
        assert_eq!(described(&config), "the PostgreSQL database `orders` on db.internal");
    }
}
