//! The calls that wait for their next attempt.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::{Action, FailureDetails, Input, OperationId, TurnRecord};

/// A call with a [retry policy](crate::RetryPolicy) that has failed and waits for its next attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PendingRetry {
    /// The name of the activity, or of the orchestrator of a sub-orchestration.
    pub name: String,
    /// The number of the next attempt. The first attempt was 1.
    pub attempt: u32,
    /// The failure of the last attempt.
    pub last_error: FailureDetails,
    /// The time when the next attempt begins.
    pub next_attempt_at: DateTime<Utc>,
}

/// Returns the calls that wait at the end of these records, in the order in which they began to wait.
pub(super) fn pending(records: &[TurnRecord]) -> Vec<PendingRetry> {
    let (mut names, mut failures) = (BTreeMap::new(), BTreeMap::new());
    let mut waiting: BTreeMap<OperationId, PendingRetry> = BTreeMap::new();
    for record in records {
        for input in &record.inputs {
            match input {
                Input::TaskFailed { operation, failure } | Input::SubOrchestrationFailed { operation, failure } => {
                    failures.insert(*operation, failure);
                }
                Input::TimerFired { operation } => drop(waiting.remove(operation)),
                _ => {}
            }
        }
        for action in &record.actions {
            match action {
                Action::ScheduleTask { operation, name, .. } => drop(names.insert(*operation, name.as_ref())),
                Action::StartSubOrchestration { operation, name, .. } => drop(names.insert(*operation, name.as_str())),
                Action::CreateTimer { operation, fire_at, attempt: Some(next), .. } => {
                    let failed = names.get(&next.operation).zip(failures.get(&next.operation));
                    let pending = failed.map(|(name, failure)| PendingRetry {
                        name: (*name).to_owned(),
                        attempt: next.number,
                        last_error: (*failure).clone(),
                        next_attempt_at: fire_at.to_utc(),
                    });
                    waiting.extend(pending.map(|pending| (*operation, pending)));
                }
                Action::Cancelled { operation } => drop(waiting.remove(operation)),
                Action::Complete(_) => waiting.clear(),
                _ => {}
            }
        }
    }
    waiting.into_values().collect()
}
