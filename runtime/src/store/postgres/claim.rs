//! Taking over a partition, and giving it back.
//!
//! A claim first locks the row of the partition, which waits for a commit of the owner. Only then, in a new statement, it
//! judges the owner: an owner that renewed its lease meanwhile keeps the partition.

use bytes::Bytes;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

use super::connection::{Link, Parameter, Step};
use super::errors::{self, open_error};
use super::lease::Lease;
use crate::model::{Epoch, PartitionId};
use crate::store::{Claim, OpenError};

/// How often a claim ends the connections of a dead owner that hold the row.
const ATTEMPTS: u32 = 5;

/// How far the sequence of epochs advances when the database may have lost the last ones.
const SKIPPED_EPOCHS: i64 = 65_536;

/// What a claim needs besides the connection.
pub(super) struct Claiming<'c> {
    pub(super) store: &'c str,
    pub(super) store_id: Uuid,
    pub(super) lease: &'c Lease,
    pub(super) partition: PartitionId,
}

/// The reason why a claim did not succeed.
enum NotClaimed {
    /// Another worker owns the partition.
    Owned(String),
    /// The row of the partition is locked, and its owner is dead or is this worker.
    Locked {
        owner: Uuid,
    },
    Failed(Error),
    Refused(OpenError),
}

impl From<Error> for NotClaimed {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Claiming<'_> {
    /// Claims the partition. After an error, the connection may be in a transaction.
    pub(super) async fn claim(&self, link: &mut Link) -> Result<(Claim, Uuid), OpenError> {
        for _ in 0..ATTEMPTS {
            match self.attempt(link).await {
                Ok(claimed) => return Ok(claimed),
                Err(NotClaimed::Locked { owner }) => {
                    link.execute("ROLLBACK").await.map_err(|error| open_error(self.store, &error))?;
                    tracing::info!(partition = self.partition.0, %owner, "ending the connections that hold the partition");
                    terminate(link, &format!("persevere/{owner}/%")).await.map_err(|e| open_error(self.store, &e))?;
                }
                Err(NotClaimed::Owned(detail)) => {
                    link.execute("ROLLBACK").await.map_err(|error| open_error(self.store, &error))?;
                    return Err(self.lost(detail));
                }
                Err(NotClaimed::Failed(error)) => return Err(open_error(self.store, &error)),
                Err(NotClaimed::Refused(error)) => return Err(error),
            }
        }
        Err(self.lost("its row stays locked".to_owned()))
    }

    async fn attempt(&self, link: &mut Link) -> Result<(Claim, Uuid), NotClaimed> {
        let partition = i64::from(self.partition.0);
        link.execute(super::connection::WRITE).await?;
        link.execute("SET LOCAL lock_timeout = '1s'").await?;
        let lock = "SELECT owner, epoch, clean, suspect FROM @partition WHERE id = $1 FOR NO KEY UPDATE";
        let locked = match link.query(Step::new(lock, vec![Box::new(partition)])).await {
            Ok(rows) => rows,
            Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => return self.judge_locked(link).await,
            Err(error) => return Err(error.into()),
        };
        let row = locked
            .first()
            .ok_or_else(|| NotClaimed::Refused(self.failed(format!("there is no partition {}", self.partition))))?;
        if let Some(owner) = row.try_get::<_, Option<Uuid>>(0)?
            && self.lives(link, owner).await?
        {
            return Err(NotClaimed::Owned(format!("worker {owner} owns it")));
        }
        self.note_timeline(link).await?;
        let epoch = self.next_epoch(link, row).await?;
        let claim = Uuid::new_v4();
        let sql = "UPDATE @partition SET owner = $2, claim = $3, epoch = $4, clean = false WHERE id = $1";
        let values: Vec<Parameter<'_>> =
            vec![Box::new(partition), Box::new(self.lease.worker), Box::new(claim), Box::new(i64::from(epoch.0))];
        link.query(Step::new(sql, values)).await?;
        let warnings = link.warnings();
        link.execute("COMMIT").await?;
        if link.warnings() != warnings {
            let detail = "the server has committed the claim with a warning, so it may not be durable".to_owned();
            return Err(NotClaimed::Refused(self.failed(detail)));
        }
        let suspects = row.try_get::<_, Option<&[u8]>>(3)?.map(Bytes::copy_from_slice).unwrap_or_default();
        Ok((Claim::new(epoch, self.store_id, row.try_get(2)?).with_suspects(suspects), claim))
    }

    /// Whether another worker owns the partition and is not dead. This must be a statement after the lock.
    async fn lives(&self, link: &mut Link, owner: Uuid) -> Result<bool, Error> {
        if owner == self.lease.worker {
            return Ok(false);
        }
        let sql = "SELECT renewals, (extract(epoch FROM expires_at - clock_timestamp()) * 1000000)::int8
            FROM @worker WHERE id = $1";
        let rows = link.query(Step::new(sql, vec![Box::new(owner)])).await?;
        let Some(row) = rows.first() else { return Ok(false) };
        Ok(!self.lease.judge(owner, row.try_get(0)?, row.try_get(1)?))
    }

    /// The row could not be locked. A live owner is left alone; the connections of a dead one hold it for ever.
    async fn judge_locked(&self, link: &mut Link) -> Result<(Claim, Uuid), NotClaimed> {
        link.execute("ROLLBACK").await?;
        let sql = "SELECT owner FROM @partition WHERE id = $1";
        let rows = link.query(Step::new(sql, vec![Box::new(i64::from(self.partition.0))])).await?;
        let owner: Option<Uuid> = rows.first().map_or(Ok(None), |row| row.try_get(0))?;
        match owner {
            Some(owner) if self.lives(link, owner).await? => Err(NotClaimed::Owned(format!("worker {owner} owns it"))),
            Some(owner) if owner != self.lease.worker => Err(NotClaimed::Locked { owner }),
            _ => Err(NotClaimed::Owned("a commit or another claim is using it".to_owned())),
        }
    }

    /// The database may be a standby that was promoted and lacks the last commits: an epoch that was given there must not
    /// be given again.
    async fn note_timeline(&self, link: &mut Link) -> Result<(), Error> {
        let sql = "SELECT timeline, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM @hub";
        let rows = link.query(Step::new(sql, Vec::new())).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (noted, current): (Option<&str>, &str) = (row.try_get(0)?, row.try_get(1)?);
        if noted == Some(current) {
            return Ok(());
        }
        if noted.is_some() {
            tracing::warn!(noted, current, "the database is on another timeline than before: epochs are skipped");
            let sql = "SELECT setval('@epoch_seq', nextval('@epoch_seq') + $1)";
            link.query(Step::new(sql, vec![Box::new(SKIPPED_EPOCHS)])).await?;
        }
        let sql = "UPDATE @hub SET timeline = $1";
        link.query(Step::new(sql, vec![Box::new(current.to_owned())])).await?;
        Ok(())
    }

    /// Draws an epoch that is larger than every one before it.
    async fn next_epoch(&self, link: &mut Link, row: &Row) -> Result<Epoch, NotClaimed> {
        let last: i64 = row.try_get(1)?;
        let rows = link.query(Step::new("SELECT nextval('@epoch_seq')", Vec::new())).await?;
        let drawn: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0))?;
        match u32::try_from(drawn) {
            Ok(epoch) if drawn > last && epoch <= Epoch::LAST.0 => Ok(Epoch(epoch)),
            _ => Err(NotClaimed::Refused(OpenError::Corrupt {
                store: self.store.to_owned(),
                detail: format!("epoch {drawn} was drawn for a partition that has epoch {last}"),
            })),
        }
    }

    pub(super) fn lost(&self, detail: String) -> OpenError {
        OpenError::LeaseLost { store: self.store.to_owned(), partition: self.partition, detail }
    }

    fn failed(&self, detail: String) -> OpenError {
        OpenError::Failed { store: self.store.to_owned(), detail }
    }
}

/// Ends the connections whose names match.
pub(super) async fn terminate(link: &mut Link, names: &str) -> Result<(), Error> {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE $1 AND pid <> pg_backend_pid() AND datname = current_database()";
    let ended = link.query(Step::new(sql, vec![Box::new(names.to_owned())])).await;
    ended.map(drop).inspect_err(|error| tracing::warn!(cause = errors::text(error), "a connection could not be ended"))
}
