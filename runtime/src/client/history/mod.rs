//! The history of an instance, for people and other programs.

mod event;

use serde::Serialize;

use super::error::ClientError;
use super::target::Target;
use crate::engine::decode_history;
use crate::model::{Head, InstanceId};
use crate::store::StoredInstance;

pub use event::{HistoryEvent, HistoryEventKind};

/// How often a history is read anew that was erased while it was read.
const ATTEMPTS: usize = 16;

/// What happened to an instance in its current execution, in order. [`Client::history`](crate::Client::history) reads it.
///
/// It serialises as `instanceId`, `execution` and `events`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct OrchestrationHistory {
    /// The instance.
    pub instance_id: InstanceId,
    /// Which generation of it: continue-as-new counts it up from 0, and erases the history before.
    pub execution: u32,
    /// What happened.
    pub events: Vec<HistoryEvent>,
}

/// Reads the row, then the records: both are committed, and the records are at least as new.
pub(super) async fn read(target: Target) -> Result<OrchestrationHistory, ClientError> {
    let mut stored = target.read_stored().await?;
    for _ in 0..ATTEMPTS {
        let StoredInstance { head, record_count, .. } = stored;
        let rows = target.port.history(head.life.key, head.life.execution).await;
        let rows = rows.map_err(|error| ClientError::from_submit(error, Some(&head.life.id)))?.unwrap_or_default();
        if rows.len() as u64 >= record_count {
            return decode(&head, &rows);
        }
        stored = target.read_stored().await?;
        if (stored.head.life.key, stored.head.life.execution) == (head.life.key, head.life.execution) {
            let detail = format!("the history has {} turn records, {record_count} were written", rows.len());
            return Err(ClientError::Corrupt { id: Some(head.life.id.clone()), detail });
        }
        // Continue-as-new or a restart came between: those records are gone.
    }
    let cause = format!("instance `{}` began a new execution at every read of its history: try again", target.id);
    Err(ClientError::StoreUnavailable { cause })
}

fn decode(head: &Head, rows: &[bytes::Bytes]) -> Result<OrchestrationHistory, ClientError> {
    let records =
        decode_history(rows).map_err(|detail| ClientError::Corrupt { id: Some(head.life.id.clone()), detail })?;
    let last_turn = records.last().map_or(0, |record| record.turn_number);
    let mut events: Vec<_> = records.into_iter().flat_map(event::of_record).collect();
    let tells_end = events.iter().any(|event| matches!(event.kind, HistoryEventKind::ExecutionCompleted { .. }));
    if head.is_ended() && !tells_end {
        events.push(event::of_end(head, last_turn));
    }
    Ok(OrchestrationHistory { instance_id: head.life.id.clone(), execution: head.life.execution.0, events })
}
