//! Purges many ended instances, in batches of limited size.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::error::ClientError;
use super::list;
use super::port::{Answered, BoxFuture, ClientPort, SubmitError};
use crate::engine::{ClientOperation, Refusal};
use crate::model::RuntimeStatus;
use crate::store::{InstanceFilter, InstanceQuery, StoredInstance};

/// How many instances are read, and then purged, at a time.
const BATCH: usize = 200;

/// Removes the ended instances that match a filter, with their histories, when this value is awaited. Returns the
/// number of removed instances. [`Client::purge_where`](crate::Client::purge_where) creates it.
///
/// The instances are removed in batches, and every removal that is counted is durable. It never removes instances that
/// have not ended, or a later life that begins under the same id in the meantime. Dropping the future stops the purge
/// after some batch. A purge can be repeated safely.
///
/// # Errors
/// [`ClientError::InvalidFilter`], [`ClientError::Corrupt`], [`ClientError::OutcomeUnknown`],
/// [`ClientError::StoreUnavailable`], [`ClientError::RuntimeStopped`], [`ClientError::Fatal`]. Whatever was purged
/// before the error stays purged.
#[must_use = "a purge does nothing unless it is awaited"]
pub struct PurgeInstances {
    port: Arc<dyn ClientPort>,
    filter: InstanceFilter,
    at_most: u64,
    running: Option<BoxFuture<Result<u64, ClientError>>>,
}

impl PurgeInstances {
    pub(super) fn new(port: Arc<dyn ClientPort>, filter: InstanceFilter) -> Self {
        Self { port, filter, at_most: u64::MAX, running: None }
    }

    /// Stops after this many instances, for example to show progress or to leave room for other work.
    pub fn at_most(mut self, instances: u64) -> Self {
        self.at_most = instances;
        self
    }
}

impl Future for PurgeInstances {
    type Output = Result<u64, ClientError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let running = this.running.get_or_insert_with(|| {
            Box::pin(purge(Arc::clone(&this.port), std::mem::take(&mut this.filter), this.at_most))
        });
        running.as_mut().poll(cx)
    }
}

impl fmt::Debug for PurgeInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurgeInstances")
            .field("filter", &self.filter)
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}

async fn purge(port: Arc<dyn ClientPort>, filter: InstanceFilter, at_most: u64) -> Result<u64, ClientError> {
    list::check(&filter)?;
    let Some(filter) = ended_only(filter) else { return Ok(0) };
    let mut query = InstanceQuery { filter, newest_first: false, after: None, limit: BATCH };
    let mut purged = 0;
    loop {
        let left = usize::try_from(at_most - purged).unwrap_or(BATCH);
        if left == 0 {
            return Ok(purged);
        }
        query.limit = left.min(BATCH);
        let page = port.query(query.clone()).await.map_err(|error| ClientError::from_submit(error, None))?;
        purged += purge_batch(&*port, page.instances).await?;
        query.after = page.next;
        if query.after.is_none() {
            return Ok(purged);
        }
    }
}

/// Restricts the filter to ended instances. Returns `None` if it matches none of them.
fn ended_only(mut filter: InstanceFilter) -> Option<InstanceFilter> {
    let ended = [RuntimeStatus::Completed, RuntimeStatus::Failed, RuntimeStatus::Terminated];
    if filter.statuses.is_empty() {
        filter.statuses = ended.to_vec();
    } else {
        filter.statuses.retain(|status| status.is_ended());
    }
    (!filter.statuses.is_empty()).then_some(filter)
}

/// Submits all purges at once, so that they share a commit batch.
async fn purge_batch(port: &dyn ClientPort, instances: Vec<StoredInstance>) -> Result<u64, ClientError> {
    let mut waiting: Vec<_> = instances
        .into_iter()
        .map(|stored| {
            let (id, key) = (stored.head.life.id.clone(), Some(stored.head.life.key));
            (id.clone(), port.submit(ClientOperation::Purge { id, key }, false))
        })
        .collect();
    let (mut purged, mut failed) = (0, None);
    poll_fn(|cx| {
        waiting.retain_mut(|(id, answer)| match answer.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(answer) => {
                match counted(answer) {
                    Ok(count) => purged += count,
                    Err(error) => failed = Some(ClientError::from_submit(error, Some(id))),
                }
                false
            }
        });
        if waiting.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    failed.map_or(Ok(purged), Err)
}

fn counted(answer: Result<Answered, SubmitError>) -> Result<u64, SubmitError> {
    match answer {
        Ok(_) => Ok(1),
        // Another purge or start was faster: the life is gone, or a later one has its id.
        Err(SubmitError::Refused(Refusal::NotFound { .. } | Refusal::NotEnded { .. })) => Ok(0),
        Err(error) => Err(error),
    }
}
