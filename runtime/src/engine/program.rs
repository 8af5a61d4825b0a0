//! The programs that run the turns of an execution. A turn has two steps: the partition asks a program, and the program
//! answers, immediately or later.
//!
//! ```text
//! begin_turn(inputs) ─► TurnRequest ─► Program::turn ─┬─ Done(TurnOutput) ─────────────► finish_turn ─► rows
//!                                                     └─ Outstanding … TurnDone(ticket) ─► finish_turn ─► rows
//! ```
//!
//! To add a new kind of program, implement [`Program`] and add a line to [`begin`].

use std::fmt::Debug;
use std::sync::Arc;

use super::remote_program::RemoteProgram;
use super::rust_program::RustProgram;
use super::stuck::Stuck;
use crate::context::{Awaits, EventBuffer, Mismatch, Recorded};
use crate::model::{
    Action, Completion, Epoch, Execution, ExecutionStarted, Input, InstanceId, InstanceKey, JsonText, KeyMint,
    OperationId, SourceLocation, Timestamp, TraceContext,
};
use crate::registry::OrchestratorCode;

/// The code of one execution, in memory or reached over a connection.
///
/// After an error, the program must be dropped.
pub(crate) trait Program: Send + Debug {
    /// Runs one turn, or accepts it and answers later. A replayed turn is always done immediately.
    fn turn(&mut self, request: TurnRequest<'_>) -> Result<TurnStep, Stuck>;

    /// Takes what the code computed in another way than the recorded turn that was replayed last, although it did the
    /// same: this is judged by the whole history. It may be called after an error.
    fn take_changes(&mut self) -> Vec<Mismatch>;

    /// Returns whether a replay can do the same again. It cannot if the closure of a side effect panicked, because then
    /// there is no recorded value.
    fn is_repeatable(&self) -> bool;

    /// Returns where the code last set or removed its custom status.
    fn status_place(&self) -> Option<SourceLocation>;

    /// Notes that an outstanding turn was answered: these inputs were seen, and this is the result. Returns what is
    /// wrong with an answer that no program of this execution may give.
    fn answered(&mut self, inputs: &[Input], output: &TurnOutput) -> Result<(), Stuck>;

    /// Returns whether turns are answered later. Their inputs are then recorded before they are offered.
    fn answers_later(&self) -> bool;

    /// Returns the operations that are waiting, and what each of them waits for.
    fn open_operations(&self) -> Vec<(OperationId, Awaits)>;

    /// Returns the number of events that the code has received and not consumed, and roughly their bytes.
    fn buffered_events(&self) -> (usize, usize);

    /// Returns whether the code has received an event with this id.
    fn has_event_id(&self, id: &str) -> bool;

    /// Takes the events that the code has received and not consumed, for the next execution.
    fn take_events(&mut self) -> EventBuffer;

    /// Takes over the events that the previous execution did not consume, before the first turn. A program that answers
    /// later gets them as inputs instead.
    fn take_over(&mut self, events: EventBuffer);

    /// Returns the custom status, as the code computes it.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    fn custom_status(&self) -> Option<JsonText>;
}

/// The inputs of a turn for a program.
#[derive(Debug)]
pub(crate) struct TurnRequest<'a> {
    /// The time that the code sees.
    pub(crate) time: Timestamp,
    /// The time of the engine, to which the duration of a relative timer is added.
    pub(crate) now: Timestamp,
    /// The inputs that earlier turns recorded and the code has not seen.
    pub(crate) undelivered: &'a [Undelivered],
    /// The inputs of this turn.
    pub(crate) inputs: &'a [Input],
    /// What the turn recorded, if it is a replay.
    pub(crate) recorded: Option<Recorded>,
}

impl TurnRequest<'_> {
    /// Returns all inputs that the code sees in this turn, in their order.
    pub(crate) fn all_inputs(&self) -> impl Iterator<Item = &Input> {
        self.undelivered.iter().map(|undelivered| &undelivered.input).chain(self.inputs)
    }
}

/// A recorded input that the code has not seen.
#[derive(Clone, Debug)]
pub(crate) struct Undelivered {
    /// The turn that recorded the input.
    pub(crate) turn: u64,
    pub(crate) input: Input,
}

/// How a program responds to a turn.
#[derive(Debug)]
pub(crate) enum TurnStep {
    Done(TurnOutput),
    /// The answer comes later as [`PartitionInput::TurnDone`](super::PartitionInput::TurnDone).
    Outstanding,
}

/// The result of a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnOutput {
    /// The actions of the code, in order. The end of the execution, if there is one, comes last.
    pub actions: Vec<Action>,
    /// How the code ended its execution, if it did.
    pub completion: Option<Completion>,
    /// The new custom status, if the code set or cleared it.
    pub custom_status: Option<Option<JsonText>>,
    /// The trace to which the activities and sub-orchestrations of the turn belong, if it is not that of the execution.
    pub trace: Option<TraceContext>,
}

/// Identifies one offer of one turn, so that no answer is used for another offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnTicket {
    /// The key of the life.
    pub key: InstanceKey,
    /// The execution.
    pub execution: Execution,
    /// The number of the turn.
    pub turn: u64,
    /// The epoch of the partition that made the offer.
    pub epoch: Epoch,
    /// The number of the offer within that epoch.
    pub offer: u64,
}

/// A turn that a program is asked to run and answers later.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnOffer {
    /// The ticket that the answer must carry.
    pub ticket: TurnTicket,
    /// The id of the instance.
    pub instance: InstanceId,
    /// The start of the execution. Its name and version determine which program is asked.
    pub started: Arc<ExecutionStarted>,
    /// The time that the code sees in this turn.
    pub time: Timestamp,
    /// The records of the execution, if this is its first offer since it came into memory. A program that does not have
    /// them must replay them first. Otherwise empty.
    pub history: Vec<crate::model::TurnRecord>,
    /// The inputs of the turn. They are durable before the offer leaves.
    pub inputs: Vec<Input>,
}

/// The identity of an execution.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) execution: Execution,
    pub(crate) mint: Arc<KeyMint>,
}

/// Creates the program of an execution that has not run a turn.
pub(crate) fn begin(code: &OrchestratorCode, identity: Identity, started: Arc<ExecutionStarted>) -> Box<dyn Program> {
    match code {
        OrchestratorCode::Rust(registration) => Box::new(RustProgram::new(identity, registration, started)),
        OrchestratorCode::Remote => Box::new(RemoteProgram::new(&started)),
    }
}
