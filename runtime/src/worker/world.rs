//! What the engine thread does effects to: activities, callers, watchers. Survives recoveries.

use std::sync::Arc;

use super::activities::Activities;
use super::calls::Calls;
use crate::client::{ChangeHub, SubmitError};
use crate::engine::{ClientAnswer, Refusal, RequestId};
use crate::model::InstanceHead;

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) activities: Activities,
    pub(crate) calls: Calls,
    pub(crate) hub: Arc<ChangeHub>,
}

impl World {
    /// The head row is this now, durably.
    pub(crate) fn show(&self, head: Arc<InstanceHead>) {
        if let Some(reason) = &head.parked {
            tracing::warn!(instance = %head.id, orchestrator = head.name, reason, "the instance is parked");
        }
        self.hub.publish(head);
    }

    pub(crate) fn reply(&mut self, request: RequestId, result: Result<ClientAnswer, Refusal>) {
        self.calls.answer(request, result.map_err(SubmitError::Refused));
    }
}
