//! One execution in memory: its program, and the recorded inputs that the program has not seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::history;
use super::program::{self, Identity, Program, TurnOutput, TurnRequest, TurnStep, Undelivered};
use super::stuck::Stuck;
use crate::context::Awaits;
use crate::model::{Action, ExecutionStarted, Input, InstanceId, OperationId, Timestamp, TurnRecord};
use crate::registry::OrchestratorCode;

#[cfg(test)]
#[cfg(feature = "macros")]
use crate::model::JsonText;

/// An execution whose program is in memory.
#[derive(Debug)]
pub(crate) struct LiveExecution {
    program: Box<dyn Program>,
    undelivered: Vec<Undelivered>,
    /// The attached sub-orchestrations without a recorded end.
    children: BTreeMap<OperationId, InstanceId>,
    pub(crate) started: Arc<ExecutionStarted>,
    /// Bytes of the records that it would take to rebuild it.
    pub(crate) history_bytes: usize,
    /// The records that it was rebuilt from, for a program elsewhere that has not had them.
    pub(crate) history: Vec<TurnRecord>,
}

impl LiveExecution {
    /// An execution that has run no turn.
    pub(crate) fn new(identity: Identity, code: &OrchestratorCode, started: Arc<ExecutionStarted>) -> Self {
        let program = program::begin(code, identity, Arc::clone(&started));
        let (undelivered, children, history) = (Vec::new(), BTreeMap::new(), Vec::new());
        Self { program, undelivered, children, started, history_bytes: 0, history }
    }

    /// Rebuilds an execution from its records.
    pub(crate) fn replay(
        identity: Identity,
        code: &OrchestratorCode,
        started: Arc<ExecutionStarted>,
        records: Vec<TurnRecord>,
    ) -> Result<Self, Stuck> {
        let mut live = Self::new(identity, code, started);
        if live.program.answers_later() {
            live.history.clone_from(&records);
        }
        for record in records {
            let number = record.turn_number;
            if !record.polled {
                live.defer(number, record.inputs);
                continue;
            }
            let later = live.seen_later(record.upto.unwrap_or(number));
            let step = live
                .turn(record.time, record.time, &record.inputs, Some(record.actions))
                .map_err(|stuck| stuck.in_turn(number))?;
            live.undelivered.extend(later);
            if matches!(step, TurnStep::Done(TurnOutput { completion: Some(_), .. })) {
                return Err(Stuck::Corrupt(format!(
                    "the record of turn {number} ends the execution, and it has not ended"
                )));
            }
        }
        Ok(live)
    }

    /// Takes out the inputs of this turn and of those after it, which the turn that is replayed next did not bring.
    fn seen_later(&mut self, upto: u64) -> Vec<Undelivered> {
        let seen = self.undelivered.partition_point(|undelivered| undelivered.turn < upto);
        self.undelivered.split_off(seen)
    }

    /// Whether the program answers its turns later.
    pub(crate) fn answers_later(&self) -> bool {
        self.program.answers_later()
    }

    /// Whether recorded inputs wait for the next turn that the program runs.
    pub(crate) fn has_undelivered(&self) -> bool {
        !self.undelivered.is_empty()
    }

    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn forget_undelivered(&mut self) {
        self.undelivered.clear();
    }

    /// The recorded inputs that the program has not seen.
    pub(crate) fn undelivered(&self) -> impl Iterator<Item = &Input> {
        self.undelivered.iter().map(|undelivered| &undelivered.input)
    }

    /// The inputs were recorded by this turn, which the program does not run; the next one brings them.
    pub(crate) fn defer(&mut self, turn: u64, inputs: impl IntoIterator<Item = Input>) {
        self.undelivered.extend(inputs.into_iter().map(|input| Undelivered { turn, input }));
    }

    /// Gives the program a turn with all recorded inputs that it has not seen, and these. After an error the execution is
    /// spoilt and must be dropped.
    pub(crate) fn turn(
        &mut self,
        time: Timestamp,
        now: Timestamp,
        inputs: &[Input],
        recorded: Option<Vec<Action>>,
    ) -> Result<TurnStep, Stuck> {
        let step = self.program.turn(TurnRequest { time, now, undelivered: &self.undelivered, inputs, recorded })?;
        if let TurnStep::Done(output) = &step {
            let seen = self.undelivered.iter().map(|undelivered| &undelivered.input).chain(inputs);
            history::note_ended_children(&mut self.children, seen);
            history::note_started_children(&mut self.children, &output.actions);
            self.undelivered.clear();
        }
        Ok(step)
    }

    /// The program has answered a turn that brought the inputs recorded below `upto`.
    pub(crate) fn answered(&mut self, upto: u64, output: &TurnOutput) -> Result<(), Stuck> {
        let later = self.seen_later(upto);
        let seen = std::mem::replace(&mut self.undelivered, later);
        let seen: Vec<Input> = seen.into_iter().map(|undelivered| undelivered.input).collect();
        self.program.answered(&seen, output)?;
        history::note_ended_children(&mut self.children, &seen);
        history::note_started_children(&mut self.children, &output.actions);
        Ok(())
    }

    /// The operations that wait, and what for.
    pub(crate) fn open_operations(&self) -> Vec<(OperationId, Awaits)> {
        self.program.open_operations()
    }

    /// Whether a recorded input that the program has not seen ends this operation.
    pub(crate) fn will_settle(&self, operation: OperationId) -> bool {
        self.undelivered().any(|input| input.operation() == Some(operation))
    }

    /// The attached sub-orchestrations without a recorded end.
    pub(crate) fn children(&self) -> &BTreeMap<OperationId, InstanceId> {
        &self.children
    }

    /// Whether an event of this id was recorded in this execution.
    pub(crate) fn has_event_id(&self, id: &str) -> bool {
        let deferred = |input: &Input| matches!(input, Input::EventRaised { event_id: Some(other), .. } if other == id);
        self.undelivered().any(deferred) || self.program.has_event_id(id)
    }

    /// How many events nobody took.
    pub(crate) fn buffered_events(&self) -> usize {
        let deferred = self.undelivered().filter(|input| matches!(input, Input::EventRaised { .. })).count();
        self.program.buffered_events() + deferred
    }

    /// The custom status as the code computes it.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn custom_status(&self) -> Option<JsonText> {
        self.program.custom_status()
    }

    /// The events nobody took, for the next execution.
    pub(crate) fn take_events(&mut self) -> Vec<Input> {
        let mut events = self.program.take_events();
        let undelivered = std::mem::take(&mut self.undelivered).into_iter().map(|undelivered| undelivered.input);
        events.extend(undelivered.filter(|input| matches!(input, Input::EventRaised { .. })));
        events
    }
}
