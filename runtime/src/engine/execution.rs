//! One execution in memory: its program, and the recorded inputs that the program has not seen.

use std::sync::Arc;

use bytes::Bytes;

use crate::context;

use super::carried::{self, CarriedLog, Handover};
use super::changes::Judge;
use super::checks::{InputChanges, ReplayChecks, VerifyReplay};
use super::history::{self, OpenChildren};
use super::program::{self, Identity, Program, TurnOutput, TurnRequest, TurnStep, Undelivered};
use super::stuck::Stuck;
use super::verify::{Check, Witness, WitnessedTurn};
use crate::context::{Awaits, Demand, Mismatch, Recorded, TurnActions};
use crate::model::{
    Action, BuildId, ExecutionStarted, Input, InstanceId, OperationId, RecordedLocation, Timestamp, TurnRecord,
};
use crate::registry::OrchestratorCode;

#[cfg(test)]
#[cfg(feature = "macros")]
use crate::model::JsonText;

/// An execution whose program is in memory.
#[derive(Debug)]
pub(crate) struct LiveExecution {
    program: Box<dyn Program>,
    undelivered: Vec<Undelivered>,
    /// The number of events among the undelivered inputs, and roughly their bytes.
    undelivered_events: (usize, usize),
    /// The events that the life carries from one execution to the next.
    carried: CarriedLog,
    children: OpenChildren,
    /// The sub-orchestrations for which the last live turn stopped waiting.
    released: OpenChildren,
    pub(crate) started: Arc<ExecutionStarted>,
    /// The bytes of the records that would be needed to rebuild it.
    pub(crate) history_bytes: usize,
    /// The records from which it was rebuilt, for a program elsewhere that has not received them.
    pub(crate) history: Vec<TurnRecord>,
    /// The build that ran the last polled turn.
    build: BuildId,
    /// Where the code last asked for something.
    place: Option<RecordedLocation>,
    /// The first value that the code now computes in another way than the records, if there is one. It was accepted.
    pub(crate) accepted: Option<Box<Mismatch>>,
    /// The number of the next turn record.
    next_turn: u64,
    /// What the code has seen and done, if the execution is checked.
    witness: Option<Box<Witness>>,
}

impl LiveExecution {
    /// Creates an execution that has not run a turn.
    pub(crate) fn new(identity: Identity, code: &OrchestratorCode, started: Arc<ExecutionStarted>) -> Self {
        let program = program::begin(code, identity, Arc::clone(&started));
        Self {
            program,
            undelivered: Vec::new(),
            undelivered_events: (0, 0),
            carried: CarriedLog::default(),
            children: OpenChildren::new(),
            released: OpenChildren::new(),
            started,
            history_bytes: 0,
            history: Vec::new(),
            build: BuildId::UNKNOWN,
            accepted: None,
            place: None,
            next_turn: 0,
            witness: None,
        }
    }

    /// Notes from now on what the code sees and does, if this execution is to be checked.
    pub(crate) fn observed(mut self, verify: VerifyReplay) -> Self {
        if verify.includes(&self.started) && !self.program.answers_later() {
            self.witness = Some(Box::new(Witness::new(Arc::clone(&self.started), verify.repeats())));
        }
        self
    }

    /// Rebuilds an execution from its records, and from the events that the life carries.
    pub(crate) fn replay(
        identity: Identity,
        code: &OrchestratorCode,
        started: Arc<ExecutionStarted>,
        mut records: Vec<TurnRecord>,
        carried: &[Bytes],
        checks: ReplayChecks,
    ) -> Result<Self, Stuck> {
        let mut live = Self::new(identity, code, started).observed(checks.verify);
        if let Some(first) = records.first_mut()
            && let Some((log, events)) = carried::read(&first.inputs, carried)?
        {
            live.take_over(log, events, &mut first.inputs);
        }
        if live.program.answers_later() {
            live.history.clone_from(&records);
        }
        let actions: Arc<Vec<_>> =
            Arc::new(records.iter_mut().map(|record| std::mem::take(&mut record.actions)).collect());
        let mut judge = Judge::new(&actions);
        for (place, record) in records.into_iter().enumerate() {
            let number = record.turn_number;
            if !record.polled {
                live.defer(number, record.inputs);
                continue;
            }
            live.build = record.build.unwrap_or(live.build);
            let recorded = live.recorded(TurnActions::new(&actions, place), checks);
            let later = live.seen_later(record.upto.unwrap_or(number));
            let step = live.turn(record.time, record.clock.unwrap_or(record.time), &record.inputs, Some(recorded));
            let step = live.judge(&mut judge, step).map_err(|stuck| stuck.in_turn(number))?;
            live.defer_all(later);
            if matches!(step, TurnStep::Done(TurnOutput { completion: Some(_), .. })) {
                return Err(Stuck::Corrupt(format!(
                    "the record of turn {number} ends the execution, and it has not ended"
                )));
            }
        }
        live.place = actions.iter().rev().find_map(|turn| last_place(turn)).cloned();
        Ok(live)
    }

    /// Returns what a recorded turn demands of the code.
    fn recorded(&self, actions: TurnActions, checks: ReplayChecks) -> Recorded {
        let demand = match checks.input_changes {
            _ if self.build.is_same(checks.build) => Demand::SameBuild,
            InputChanges::Park => Demand::Unchanged,
            InputChanges::Accept => Demand::MayChange,
        };
        Recorded { actions, demand, has_clock: self.build != BuildId::UNKNOWN }
    }

    /// Judges what the code computed in another way in a turn that was replayed. Of two problems, the first counts.
    fn judge(&mut self, judge: &mut Judge<'_>, step: Result<TurnStep, Stuck>) -> Result<TurnStep, Stuck> {
        let changes = self.program.take_changes();
        if let Some(moved) = judge.moved(&changes) {
            return Err(Stuck::mismatch(&self.started, moved));
        }
        if self.accepted.is_none() {
            self.accepted = changes.into_iter().next().map(Box::new);
        }
        step
    }

    /// Notes that this build runs a turn. Returns it if the record of the turn must say so.
    pub(crate) fn note_build(&mut self, build: BuildId) -> Option<BuildId> {
        // Which build of a program elsewhere answers is not known here.
        let build = if self.answers_later() { BuildId::UNKNOWN } else { build };
        (build != self.build).then(|| {
            self.build = build;
            build
        })
    }

    /// Takes the inputs of this turn and of later turns, which the turn that is replayed next did not deliver.
    fn seen_later(&mut self, upto: u64) -> Vec<Undelivered> {
        let seen = self.undelivered.partition_point(|undelivered| undelivered.turn < upto);
        let later = self.undelivered.split_off(seen);
        self.undelivered_events = self.undelivered.iter().map(event_of).fold((0, 0), sum);
        later
    }

    /// Returns where the code last asked for something.
    pub(crate) fn place(&self) -> Option<&RecordedLocation> {
        self.place.as_ref()
    }

    /// Returns whether the program answers its turns later.
    pub(crate) fn answers_later(&self) -> bool {
        self.program.answers_later()
    }

    /// Returns whether recorded inputs wait for the next turn that the program runs.
    pub(crate) fn has_undelivered(&self) -> bool {
        !self.undelivered.is_empty()
    }

    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn forget_undelivered(&mut self) {
        self.undelivered.clear();
        self.undelivered_events = (0, 0);
    }

    /// Returns the recorded inputs that the program has not seen.
    pub(crate) fn undelivered(&self) -> impl Iterator<Item = &Input> {
        self.undelivered.iter().map(|undelivered| &undelivered.input)
    }

    /// Notes inputs that this turn recorded without running the program. The next turn delivers them.
    pub(crate) fn defer(&mut self, turn: u64, inputs: impl IntoIterator<Item = Input>) {
        self.next_turn = turn + 1;
        self.defer_all(inputs.into_iter().map(|input| Undelivered { turn, input }));
    }

    /// Takes over the events that the previous execution did not consume. The first inputs refer to them.
    pub(crate) fn take_over(&mut self, log: CarriedLog, mut events: context::EventBuffer, first: &mut Vec<Input>) {
        self.carried = log;
        if self.program.answers_later() {
            carried::expand(first, &mut events);
        } else {
            if self.witness.as_mut().is_some_and(|witness| !witness.takes_over(&events)) {
                self.witness = None;
            }
            self.program.take_over(events);
        }
    }

    /// Hands the events that were not consumed, and the log in which they stand, to the next execution.
    pub(crate) fn hand_over(&mut self, keeps: bool, inline: usize) -> (Handover, CarriedLog, context::EventBuffer) {
        let mut events = self.program.take_events();
        for Undelivered { input, .. } in std::mem::take(&mut self.undelivered) {
            if let Input::EventRaised { name, payload, event_id } = input {
                events.push(context::BufferedEvent { name, payload, id: event_id, place: None });
            }
        }
        if !keeps {
            events = context::EventBuffer::default();
        }
        // A program that runs elsewhere has received whatever was carried. It gets each event once.
        let inline = if self.program.answers_later() { usize::MAX } else { inline };
        let mut log = std::mem::take(&mut self.carried);
        (log.hand_over(&mut events, inline), log, events)
    }

    fn defer_all(&mut self, inputs: impl IntoIterator<Item = Undelivered>) {
        for undelivered in inputs {
            self.undelivered_events = sum(self.undelivered_events, event_of(&undelivered));
            self.undelivered.push(undelivered);
        }
    }

    /// Gives the program a turn with these inputs, after all recorded inputs that it has not seen. After an error, the
    /// execution must be dropped.
    pub(crate) fn turn(
        &mut self,
        time: Timestamp,
        now: Timestamp,
        inputs: &[Input],
        recorded: Option<Recorded>,
    ) -> Result<TurnStep, Stuck> {
        let replayed = self.witness.as_ref().and_then(|_| recorded.clone());
        let is_live = recorded.is_none();
        let step = self.program.turn(TurnRequest { time, now, undelivered: &self.undelivered, inputs, recorded })?;
        if let TurnStep::Done(output) = &step {
            self.note_witness(time, now, inputs, replayed, output);
            self.next_turn += 1;
            let seen = self.undelivered.iter().map(|undelivered| &undelivered.input).chain(inputs);
            history::note_ended_children(&mut self.children, seen);
            self.note_children(&output.actions, is_live);
            if is_live && let Some(place) = last_place(&output.actions) {
                self.place = Some(place.clone());
            }
            self.undelivered.clear();
            self.undelivered_events = (0, 0);
        }
        Ok(step)
    }

    /// Notes what the code saw and did in a turn. A turn that was replayed is compared with what it recorded.
    fn note_witness(
        &mut self,
        time: Timestamp,
        now: Timestamp,
        inputs: &[Input],
        replayed: Option<Recorded>,
        output: &TurnOutput,
    ) {
        let Some(witness) = &mut self.witness else { return };
        let recorded = replayed.unwrap_or_else(|| Recorded {
            actions: output.actions.clone().into(),
            demand: Demand::SameBuild,
            has_clock: true,
        });
        let seen = self.undelivered.iter().map(|undelivered| &undelivered.input).chain(inputs);
        let turn = WitnessedTurn {
            number: self.next_turn,
            time,
            now,
            inputs: seen.cloned().collect(),
            recorded,
            custom_status: output.custom_status.clone(),
            status_place: self.program.status_place(),
        };
        if !witness.saw(turn) || !self.program.is_repeatable() {
            self.witness = None;
        }
    }

    /// Returns the check that follows the last turn, if one does. `is_last` says that the turn ended the execution.
    pub(crate) fn check(&self, is_last: bool) -> Option<Check> {
        self.witness.as_ref()?.check(is_last)
    }

    /// Returns the bytes that the execution keeps in memory, or that its records would need.
    pub(crate) fn held_bytes(&self) -> usize {
        let witness = self.witness.as_ref().map_or(0, |witness| witness.bytes());
        self.history_bytes + self.program.buffered_events().1 + witness
    }

    /// Notes that the program has answered a turn that delivered the inputs recorded below `upto`.
    pub(crate) fn answered(&mut self, upto: u64, output: &TurnOutput) -> Result<(), Stuck> {
        let later = self.seen_later(upto);
        let seen = std::mem::take(&mut self.undelivered);
        self.undelivered_events = (0, 0);
        self.defer_all(later);
        let seen: Vec<Input> = seen.into_iter().map(|undelivered| undelivered.input).collect();
        self.program.answered(&seen, output)?;
        history::note_ended_children(&mut self.children, &seen);
        self.note_children(&output.actions, true);
        Ok(())
    }

    /// Returns the operations that are waiting, and what each of them waits for.
    pub(crate) fn open_operations(&self) -> Vec<(OperationId, Awaits)> {
        self.program.open_operations()
    }

    /// Returns whether a recorded input that the program has not seen completes this operation.
    pub(crate) fn will_settle(&self, operation: OperationId) -> bool {
        self.undelivered().any(|input| input.operation() == Some(operation))
    }

    /// Returns the attached sub-orchestrations without a recorded end.
    pub(crate) fn children(&self) -> &OpenChildren {
        &self.children
    }

    /// Returns the sub-orchestration of an operation for which the last live turn stopped waiting. Earlier turns started
    /// it.
    pub(crate) fn released(&self, operation: OperationId) -> Option<&InstanceId> {
        self.released.get(&operation).map(|child| &child.instance)
    }

    fn note_children(&mut self, actions: &[Action], is_live: bool) {
        self.released.clear();
        if is_live && !self.children.is_empty() {
            let cancelled = actions.iter().filter_map(|action| match action {
                Action::Cancelled { operation } => Some(*operation),
                _ => None,
            });
            let children = &mut self.children;
            self.released.extend(cancelled.filter_map(|operation| children.remove_entry(&operation)));
        }
        history::note_started_children(&mut self.children, actions);
    }

    /// Returns whether an event with this id was recorded in this execution.
    pub(crate) fn has_event_id(&self, id: &str) -> bool {
        let deferred = |input: &Input| matches!(input, Input::EventRaised { event_id: Some(other), .. } if other == id);
        self.undelivered().any(deferred) || self.program.has_event_id(id)
    }

    /// Returns the number of events that have not been consumed, and roughly their bytes.
    pub(crate) fn buffered_events(&self) -> (usize, usize) {
        sum(self.program.buffered_events(), self.undelivered_events)
    }

    /// Returns the custom status, as the code computes it.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    pub(crate) fn custom_status(&self) -> Option<JsonText> {
        self.program.custom_status()
    }
}

/// Returns 1 and roughly the bytes of an event, and nothing of any other input.
fn event_of(undelivered: &Undelivered) -> (usize, usize) {
    match &undelivered.input {
        Input::EventRaised { name, payload, event_id } => (1, context::event_size(name, payload, event_id.as_deref())),
        _ => (0, 0),
    }
}

fn sum(a: (usize, usize), b: (usize, usize)) -> (usize, usize) {
    (a.0 + b.0, a.1 + b.1)
}

/// Returns where the code last asked for something in a turn.
fn last_place(actions: &[Action]) -> Option<&RecordedLocation> {
    actions.iter().rev().find_map(Action::location)
}
