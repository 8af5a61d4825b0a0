//! What the engine thread does effects to: activities, callers, watchers. Survives recoveries.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::activities::Activities;
use super::calls::Calls;
use crate::client::{Answered, ChangeHub, SubmitError};
use crate::engine::{ClientAnswer, Refusal, RequestId};
use crate::model::{Head, ParkCode};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) activities: Activities,
    pub(crate) calls: Calls,
    pub(crate) hub: Arc<ChangeHub>,
    /// The head that was shown last.
    pub(crate) shown: Option<Head>,
    /// Whoever waits for the runtime to have tried again what its predecessor left parked.
    pub(crate) started: Option<oneshot::Sender<()>>,
}

impl World {
    /// The head row is this now, durably.
    pub(crate) fn show(&mut self, head: Head) {
        self.hub.publish(head.clone());
        self.shown = Some(head);
    }

    /// The instance cannot go on, durably.
    pub(crate) fn log_parked(&self, head: &Head) {
        let Some(reason) = &head.progress.parked else { return };
        let (instance, orchestrator) = (&head.life.id, head.life.name.as_str());
        let (code, text) = (reason.code().as_str(), reason.text());
        if reason.code() == ParkCode::DamagedData {
            tracing::error!(%instance, orchestrator, code, text, "the instance is parked");
        } else {
            tracing::warn!(%instance, orchestrator, code, text, "the instance is parked");
        }
    }

    /// What was parked in the store is parked for a reason of this process, or goes on.
    pub(crate) fn backlog_is_judged(&mut self) {
        if let Some(started) = self.started.take() {
            // Nobody waits when the start was given up.
            let _ = started.send(());
        }
    }

    pub(crate) fn reply(&mut self, request: RequestId, result: Result<ClientAnswer, Refusal>) {
        let answered = result.map_err(SubmitError::Refused).map(|answer| {
            let followed = self.begun(&answer).filter(|_| self.calls.follows(request));
            Answered { followed: followed.map(|head| self.hub.register_with(head)), answer }
        });
        self.calls.answer(request, answered);
    }

    /// The head of the instance that a call began: it is shown right before the call is answered.
    fn begun(&self, answer: &ClientAnswer) -> Option<&Head> {
        match answer {
            ClientAnswer::Started { key, created: true, .. } => {
                self.shown.as_ref().filter(|head| head.life.key == *key)
            }
            _ => None,
        }
    }
}
