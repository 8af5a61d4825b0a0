//! The history of an instance, for people and other programs.

mod event;
mod retries;

use serde::Serialize;

use super::error::ClientError;
use super::target::Target;
use crate::engine::decode_history;
use crate::model::{Execution, Head, InstanceId};
use crate::store::StoredInstance;

pub use event::{HistoryEvent, HistoryEventKind};
pub use retries::PendingRetry;

/// How often a history is read again if it was erased during the read.
const ATTEMPTS: usize = 16;

/// What happened to an instance in its current execution, in order. [`Client::history`](crate::Client::history) reads
/// it.
///
/// It is serialised as `instanceId`, `execution`, `events` and, if there are any, `pendingRetries`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrchestrationHistory {
    /// The id of the instance.
    pub instance_id: InstanceId,
    /// The number of the execution. It starts at 0 and rises with each continue-as-new, which erases the previous
    /// history.
    pub execution: u32,
    /// The events in their order.
    pub events: Vec<HistoryEvent>,
    /// The calls that have failed and wait for their next attempt. A block of [`Context::retry`](crate::Context::retry) that
    /// waits is not among them; its timer is among the events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pending_retries: Vec<PendingRetry>,
}

/// Reads the head, then the records. Both are committed, and the records are at least as new as the head.
pub(super) async fn read(target: Target) -> Result<OrchestrationHistory, ClientError> {
    let mut stored = target.read_stored().await?;
    for _ in 0..ATTEMPTS {
        let StoredInstance { head, record_count, .. } = stored;
        let rows = target.port.history(head.life.key, head.life.execution).await;
        let rows = rows.map_err(|error| ClientError::from_submit(error, Some(&head.life.id)))?.unwrap_or_default();
        let carried = target.port.history(head.life.key, Execution::CARRIED).await;
        let carried =
            carried.map_err(|error| ClientError::from_submit(error, Some(&head.life.id)))?.unwrap_or_default();
        let problem = match decode(&head, &rows, &carried) {
            Ok(history) if rows.len() as u64 >= record_count => return Ok(history),
            Ok(_) => format!("the history has {} turn records, but {record_count} were written", rows.len()),
            Err(problem) => problem,
        };
        stored = target.read_stored().await?;
        if (stored.head.life.key, stored.head.life.execution) == (head.life.key, head.life.execution) {
            return Err(ClientError::Corrupt { id: Some(head.life.id.clone()), detail: problem });
        }
        // Continue-as-new or a restart came in between, so those records are gone.
    }
    let cause = format!("instance `{}` began a new execution during every read of its history: try again", target.id);
    Err(ClientError::StoreUnavailable { cause })
}

fn decode(head: &Head, rows: &[bytes::Bytes], carried: &[bytes::Bytes]) -> Result<OrchestrationHistory, String> {
    let records = decode_history(rows, carried)?;
    let last_turn = records.last().map_or(0, |record| record.turn_number);
    let pending_retries = if head.is_ended() { Vec::new() } else { retries::pending(&records) };
    let mut events: Vec<_> = records.into_iter().flat_map(event::of_record).collect();
    let tells_end = events.iter().any(|event| matches!(event.kind, HistoryEventKind::ExecutionCompleted { .. }));
    if head.is_ended() && !tells_end {
        events.push(event::of_end(head, last_turn));
    }
    let (instance_id, execution) = (head.life.id.clone(), head.life.execution.0);
    Ok(OrchestrationHistory { instance_id, execution, events, pending_retries })
}
