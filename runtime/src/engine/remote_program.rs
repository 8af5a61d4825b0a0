//! A program that runs elsewhere. It is offered each turn and answers later. Everything that is kept here is derived
//! from its recorded inputs and actions.
//!
//! The program consumes events itself and does not report which. The events that it has received belong to it, and it
//! sends those again that it wants to pass on to its next execution.

use std::collections::{BTreeMap, BTreeSet};

use super::program::{Program, TurnOutput, TurnRequest, TurnStep};
use super::stuck::Stuck;
use crate::context::{Awaits, EventBuffer, Mismatch};
use crate::model::{
    Action, Completion, ExecutionLimits, ExecutionStarted, Input, JsonText, OperationId, SourceLocation,
};

#[derive(Debug)]
pub(crate) struct RemoteProgram {
    limits: ExecutionLimits,
    open: BTreeMap<OperationId, Awaits>,
    /// The highest operation number that the program has used.
    last: OperationId,
    event_ids: BTreeSet<String>,
    ended: bool,
    custom_status: Option<JsonText>,
}

impl RemoteProgram {
    pub(crate) fn new(started: &ExecutionStarted) -> Self {
        Self {
            limits: started.limits,
            open: BTreeMap::new(),
            last: OperationId::START,
            event_ids: BTreeSet::new(),
            ended: false,
            custom_status: started.custom_status.clone(),
        }
    }

    fn see(&mut self, input: &Input) {
        if let Some(operation) = input.operation() {
            self.open.remove(&operation);
        }
        if let Input::EventRaised { event_id: Some(id), .. } = input {
            self.event_ids.insert(id.clone());
        }
    }

    /// Notes an action. Returns what is wrong with an action that may not follow the previous ones.
    fn note(&mut self, action: &Action) -> Result<(), String> {
        if self.ended {
            return Err(format!("{action} follows the end of the execution"));
        }
        if matches!(action, Action::StartSubOrchestration { minted: true, .. }) {
            return Err(format!("{action} has a minted id, and only the engine mints ids"));
        }
        if action.payload_len() > self.limits.payload_bytes as usize {
            let (size, limit) = (action.payload_len(), self.limits.payload_bytes);
            return Err(format!("the payload of {action} has {size} bytes, but only {limit} are allowed"));
        }
        match action {
            Action::Cancelled { operation } => match self.open.remove(operation) {
                Some(_) => return Ok(()),
                None => return Err(format!("{action} names an operation that is not open")),
            },
            Action::Detached { operation } => match self.open.remove(operation) {
                Some(Awaits::Child(_)) => return Ok(()),
                _ => return Err(format!("{action} names an operation that is no open sub-orchestration")),
            },
            Action::Complete(_) => {
                self.ended = true;
                return Ok(());
            }
            _ => {}
        }
        let Some(operation) = action.operation().filter(|operation| *operation > self.last) else {
            return Err(format!(
                "the operation number of {action} is not higher than that of operation {}",
                self.last.0
            ));
        };
        self.last = operation;
        let awaits = match action {
            Action::ScheduleTask { .. } => Awaits::Task,
            Action::CreateTimer { fire_at, .. } => Awaits::Timer(*fire_at),
            Action::WaitForEvent { .. } => Awaits::Event,
            Action::StartSubOrchestration { detached: false, on_close, .. } => Awaits::Child(*on_close),
            _ => return Ok(()),
        };
        self.open.insert(operation, awaits);
        Ok(())
    }

    fn note_all(&mut self, actions: &[Action]) -> Result<(), String> {
        if actions.len() > self.limits.actions_per_turn as usize {
            return Err(format!(
                "the answer contains {} actions, but only {} are allowed",
                actions.len(),
                self.limits.actions_per_turn
            ));
        }
        actions.iter().try_for_each(|action| self.note(action))
    }

    fn check(output: &TurnOutput, limits: ExecutionLimits) -> Result<(), String> {
        let ending = output.actions.last().and_then(ending);
        if ending != output.completion.as_ref() {
            return Err("the last action and the completion of the answer differ".to_owned());
        }
        let status = output.custom_status.as_ref().and_then(Option::as_ref);
        let limit = limits.custom_status_bytes as usize;
        status
            .map_or(Ok(()), |text| crate::context::check_custom_status(text, limit).map_err(|error| error.to_string()))
    }
}

fn ending(action: &Action) -> Option<&Completion> {
    if let Action::Complete(completion) = action { Some(completion) } else { None }
}

impl Program for RemoteProgram {
    fn turn(&mut self, mut request: TurnRequest<'_>) -> Result<TurnStep, Stuck> {
        let Some(recorded) = request.recorded.take() else { return Ok(TurnStep::Outstanding) };
        let actions = recorded.actions.to_vec();
        request.all_inputs().for_each(|input| self.see(input));
        // What is recorded was checked before, possibly under other limits.
        for action in &actions {
            self.note(action).map_err(Stuck::Corrupt)?;
        }
        let completion = actions.last().and_then(ending).cloned();
        Ok(TurnStep::Done(TurnOutput { actions, completion, custom_status: None, trace: None }))
    }

    /// The program compares what it replays with its history itself.
    fn take_changes(&mut self) -> Vec<Mismatch> {
        Vec::new()
    }

    fn is_repeatable(&self) -> bool {
        false
    }

    fn status_place(&self) -> Option<SourceLocation> {
        None
    }

    fn answered(&mut self, inputs: &[Input], output: &TurnOutput) -> Result<(), Stuck> {
        inputs.iter().for_each(|input| self.see(input));
        let checked = Self::check(output, self.limits).and_then(|()| self.note_all(&output.actions));
        checked.map_err(|detail| Stuck::BadAnswer { detail })?;
        if let Some(status) = &output.custom_status {
            self.custom_status.clone_from(status);
        }
        Ok(())
    }

    fn answers_later(&self) -> bool {
        true
    }

    fn open_operations(&self) -> Vec<(OperationId, Awaits)> {
        self.open.iter().map(|(operation, awaits)| (*operation, *awaits)).collect()
    }

    fn buffered_events(&self) -> (usize, usize) {
        (0, 0)
    }

    fn has_event_id(&self, id: &str) -> bool {
        self.event_ids.contains(id)
    }

    fn take_events(&mut self) -> EventBuffer {
        EventBuffer::default()
    }

    fn take_over(&mut self, _: EventBuffer) {}

    #[cfg(test)]
    #[cfg(feature = "macros")]
    fn custom_status(&self) -> Option<JsonText> {
        self.custom_status.clone()
    }
}
