//! What the tests do with the database themselves.

use std::sync::Arc;
use std::time::Duration;

use persevere::PostgresStore;
use persevere::model::{CommitBatch, Epoch, InboxId, InboxRow, PartitionId, TurnCommit};
use persevere::store::{Claim, OpenError, Store};
use tokio_postgres::{Client, NoTls};

use crate::server;

/// Long enough for a busy machine, on which a renewal may be late.
pub(crate) const LEASE: Duration = Duration::from_secs(2);
pub(crate) const PARTITION: PartitionId = PartitionId::FIRST;

/// A schema of its own, and a connection that the store does not know.
pub(crate) struct Database {
    pub(crate) schema: String,
    pub(crate) client: Client,
}

impl Database {
    pub(crate) async fn new() -> Self {
        Self { schema: server::schema(), client: connect("a test").await }
    }

    /// Opens the store with one partition and a short lease.
    pub(crate) async fn open(&self) -> PostgresStore {
        self.open_at(server::address()).await.unwrap()
    }

    pub(crate) async fn open_at(&self, address: &str) -> Result<PostgresStore, OpenError> {
        let builder = PostgresStore::builder(address).schema(&self.schema).partitions(1);
        builder.lease(LEASE).open().await
    }

    /// Runs statements. `@` stands for the schema.
    pub(crate) async fn run(&self, sql: &str) {
        self.client.batch_execute(&self.text(sql)).await.unwrap();
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        self.client.query_one(&self.text(sql), &[]).await.unwrap().get(0)
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        sql.replace('@', &format!("{}.", self.schema))
    }

    pub(crate) async fn messages(&self) -> i64 {
        self.number("SELECT count(*) FROM @inbox").await
    }

    /// Makes a worker that never renews the owner of the partition.
    pub(crate) async fn give_to_a_silent_worker(&self, expires: &str) {
        self.run(&format!(
            "INSERT INTO @worker (id, renewals, expires_at) VALUES ('{SILENT}', 1, now() + interval '{expires}');
             UPDATE @partition SET owner = '{SILENT}', claim = '{SILENT}', epoch = nextval('@epoch_seq')"
        ))
        .await;
    }
}

/// The id of a worker that does nothing.
pub(crate) const SILENT: &str = "00000000-0000-0000-0000-000000000001";

/// Opens a connection with this name.
pub(crate) async fn connect(name: &str) -> Client {
    let mut config: tokio_postgres::Config = server::address().parse().unwrap();
    let (client, connection) = config.application_name(name).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A batch that inserts one message.
pub(crate) fn message(epoch: Epoch, id: u64) -> Arc<CommitBatch> {
    let row = InboxRow::new(PARTITION, InboxId(id), vec![0; 3].into());
    Arc::new(CommitBatch::new(PARTITION, epoch, vec![TurnCommit::with(|turn| turn.inbox_new = vec![row])]))
}

/// Claims the partition as soon as its owner is dead.
pub(crate) async fn claim_when_free(store: &PostgresStore) -> Claim {
    persevere_tests::in_time(async {
        loop {
            match store.claim(PARTITION).await {
                Ok(claim) => return claim,
                Err(OpenError::LeaseLost { .. }) => tokio::time::sleep(Duration::from_millis(20)).await,
                Err(error) => panic!("{error}"),
            }
        }
    })
    .await
}
