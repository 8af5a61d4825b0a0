//! Carries out the effects of a partition on the activities, callers and watchers of the runtime and on other
//! partitions.

use super::calls::Calls;
use super::process::Process;
use super::registered::Registered;
use crate::client::{Answered, ChangeHub, SubmitError};
use crate::context::ActivityContext;
use crate::contract::kind;
use crate::engine::{ClientAnswer, Effect, PartitionInput, Refusal, RequestId};
use crate::model::{FailureDetails, Head, ParkCode, PartitionId, RuntimeStatus};

/// The process, as one partition sees it. The calls are those of the partition.
pub(crate) struct Outside<'a> {
    pub(crate) partition: PartitionId,
    pub(crate) process: &'a Process,
    pub(crate) calls: &'a mut Calls,
    /// Whether the partition has tried again everything that its predecessor left parked.
    pub(crate) judged: bool,
}

impl Outside<'_> {
    pub(crate) fn hub(&self) -> &ChangeHub {
        &self.process.hub
    }

    /// Notes that this effect will be carried out, or that the memory of the partition will be dropped. This is called
    /// before the commit that the effect depends on is sent to the store.
    pub(crate) fn announce(&self, effect: &Effect) {
        if let Effect::ActivitySettled { task, .. } = effect {
            self.process.activities().withhold(self.partition, *task);
        }
    }

    /// Carries out an effect. If the requested activity has already finished, returns its result immediately.
    pub(crate) fn apply(&mut self, effect: Effect) -> Option<PartitionInput> {
        match effect {
            Effect::RunActivity(task) => return self.process.activities().run(self.partition, task),
            Effect::ActivitySettled { task, reason } => {
                let failed = self.process.activities().settle(task, reason);
                if let Some((context, failure)) = failed {
                    log_failed_activity(&context, &failure);
                }
            }
            Effect::Reply { request, result, begun } => self.reply(request, result, begun),
            Effect::Look { partition } => self.process.routes.look(partition),
            Effect::BacklogJudged => self.judged = true,
            Effect::InstanceChanged(head) => {
                if head.progress.status == RuntimeStatus::Failed {
                    log_failed(&head, &self.process.registered);
                }
                self.process.meters.changed(&head);
                self.process.hub.publish(head);
            }
            Effect::OfferTurn(offer) => {
                tracing::warn!(instance = %offer.instance, "no worker elsewhere is connected, and the turn waits");
            }
            // Nobody was asked.
            Effect::AbandonTurn(_) => {}
            Effect::Parked(head) => {
                self.process.meters.parked(&head);
                log_parked(&head);
            }
            Effect::NotRepeatable { instance, orchestrator, reason } => {
                let (code, text) = (reason.code().as_str(), reason.text());
                tracing::warn!(%instance, orchestrator, code, text, "the instance has ended, but its replay differs");
            }
        }
        None
    }

    fn reply(&mut self, request: RequestId, result: Result<ClientAnswer, Refusal>, begun: Option<Head>) {
        let answered = result.map_err(SubmitError::Refused).map(|answer| {
            let followed = begun.filter(|_| self.calls.follows(request));
            Answered { followed: followed.map(|head| self.process.hub.register_with(&head)), answer }
        });
        self.calls.answer(request, answered);
    }
}

/// The instance cannot go on, durably.
fn log_parked(head: &Head) {
    let Some(reason) = &head.progress.parked else { return };
    let (instance, orchestrator) = (&head.life.id, head.life.name.as_str());
    let (code, text) = (reason.code().as_str(), reason.text());
    if reason.code() == ParkCode::DamagedData {
        tracing::error!(%instance, orchestrator, code, text, "the instance is parked");
    } else {
        tracing::warn!(%instance, orchestrator, code, text, "the instance is parked");
    }
}

/// Logs that the instance has failed, durably: where it panicked, or where its orchestrator is defined.
fn log_failed(head: &Head, registered: &Registered) {
    let Some(failure) = &head.progress.failure else { return };
    let (instance, orchestrator) = (&head.life.id, head.life.name.as_str());
    let place = failure.stack_trace().map(str::to_owned).or_else(|| {
        let registry = registered.get();
        registry.orchestrator(&head.life.name, &head.life.version).map(|code| code.location.to_string())
    });
    let (place, error_type) = (place.unwrap_or_else(|| "unknown".to_owned()), failure.error_type());
    let message = format!("{failure:#}");
    if error_type == kind::PANIC {
        tracing::warn!(%instance, orchestrator, place, error = %message, "the orchestration panicked and has failed");
    } else {
        tracing::warn!(%instance, orchestrator, place, error_type, error = %message, "the orchestration has failed");
    }
}

/// Logs that an activity has failed. Nothing runs it again, and its failure is durable unless nobody waits for it.
fn log_failed_activity(context: &ActivityContext, failure: &FailureDetails) {
    let (instance, activity, error_type) = (context.instance_id(), context.activity_name(), failure.error_type());
    let message = format!("{failure:#}");
    tracing::warn!(%instance, activity, error_type, error = %message, "the activity has failed");
}
