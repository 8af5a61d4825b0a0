//! What runs the turns of an execution. A turn has two steps: the partition asks a program, and the program answers, at
//! once or later.
//!
//! ```text
//! begin_turn(inputs) ─► TurnRequest ─► Program::turn ─┬─ Done(TurnOutput) ─────────────► finish_turn ─► rows
//!                                                     └─ Outstanding … TurnDone(ticket) ─► finish_turn ─► rows
//! ```
//!
//! A new kind of program is a new implementation of [`Program`], and a line in [`begin`].

use std::fmt::Debug;
use std::sync::Arc;

use super::remote_program::RemoteProgram;
use super::rust_program::RustProgram;
use super::stuck::Stuck;
use crate::context::Awaits;
use crate::model::{
    Action, Completion, Epoch, Execution, ExecutionStarted, Input, InstanceId, InstanceKey, JsonText, KeyMint,
    OperationId, Timestamp,
};
use crate::registry::OrchestratorCode;

/// The code of one execution, in memory or reached over a connection.
///
/// After an error it is spoilt and must be dropped.
pub(crate) trait Program: Send + Debug {
    /// Runs one turn, or accepts it and answers later. A turn that is replayed is always done at once.
    fn turn(&mut self, request: TurnRequest<'_>) -> Result<TurnStep, Stuck>;

    /// A turn that was outstanding has been answered: these inputs were seen, and this came of it. Says what is wrong with
    /// an answer that no program of this execution may give.
    fn answered(&mut self, inputs: &[Input], output: &TurnOutput) -> Result<(), Stuck>;

    /// Whether turns are answered later. Their inputs are recorded before they are offered.
    fn answers_later(&self) -> bool;

    /// The operations that wait, and what for.
    fn open_operations(&self) -> Vec<(OperationId, Awaits)>;

    /// How many events the code has seen and not taken.
    fn buffered_events(&self) -> usize;

    /// Whether the code has seen an event with this id.
    fn has_event_id(&self, id: &str) -> bool;

    /// Gives up the events that the code has seen and not taken, for the next execution.
    fn take_events(&mut self) -> Vec<Input>;

    /// The custom status as the code computes it.
    #[cfg(test)]
    #[cfg(feature = "macros")]
    fn custom_status(&self) -> Option<JsonText>;
}

/// What a turn brings to a program.
#[derive(Debug)]
pub(crate) struct TurnRequest<'a> {
    /// The time that the code sees.
    pub(crate) time: Timestamp,
    /// The time of the engine: relative timers count from it.
    pub(crate) now: Timestamp,
    /// Inputs that earlier turns recorded and the code has not seen.
    pub(crate) undelivered: &'a [Undelivered],
    /// Inputs of this turn.
    pub(crate) inputs: &'a [Input],
    /// The recorded actions, when the turn is replayed.
    pub(crate) recorded: Option<Vec<Action>>,
}

impl TurnRequest<'_> {
    /// All inputs that the code sees in this turn, in their order.
    pub(crate) fn all_inputs(&self) -> impl Iterator<Item = &Input> {
        self.undelivered.iter().map(|undelivered| &undelivered.input).chain(self.inputs)
    }
}

/// An input that is recorded and that the code has not seen.
#[derive(Clone, Debug)]
pub(crate) struct Undelivered {
    /// The turn that recorded it.
    pub(crate) turn: u64,
    pub(crate) input: Input,
}

/// How a program takes a turn.
#[derive(Debug)]
pub(crate) enum TurnStep {
    Done(TurnOutput),
    /// The answer comes as [`PartitionInput::TurnDone`](super::PartitionInput::TurnDone).
    Outstanding,
}

/// What came of a turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TurnOutput {
    /// What the code asked for, in order. An end of the execution stands last.
    pub actions: Vec<Action>,
    /// How the code ended its execution, if it did.
    pub completion: Option<Completion>,
    /// What the code set the custom status to, if it set or cleared it.
    pub custom_status: Option<Option<JsonText>>,
}

/// Names one offer of one turn, so that no answer is taken for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnTicket {
    /// The life.
    pub key: InstanceKey,
    /// The execution.
    pub execution: Execution,
    /// The turn.
    pub turn: u64,
    /// The epoch of the partition that made the offer.
    pub epoch: Epoch,
    /// Counts the offers of that epoch.
    pub offer: u64,
}

/// A turn that a program is asked for and answers later.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnOffer {
    /// Names the answer.
    pub ticket: TurnTicket,
    /// The id of the instance.
    pub instance: InstanceId,
    /// What the execution began with: its name and version say which program is asked.
    pub started: Arc<ExecutionStarted>,
    /// The time that the code sees in this turn.
    pub time: Timestamp,
    /// What the execution has recorded, when this is its first offer since it came into memory: whoever has nothing of it
    /// replays this first. Empty otherwise.
    pub history: Vec<crate::model::TurnRecord>,
    /// The inputs that the turn brings. They are durable before the offer leaves.
    pub inputs: Vec<Input>,
}

/// Whose execution it is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: InstanceId,
    pub(crate) execution: Execution,
    pub(crate) mint: Arc<KeyMint>,
}

/// The program of an execution that has run no turn.
pub(crate) fn begin(code: &OrchestratorCode, identity: Identity, started: Arc<ExecutionStarted>) -> Box<dyn Program> {
    match code {
        OrchestratorCode::Rust(registration) => Box::new(RustProgram::new(identity, registration.handler, started)),
        OrchestratorCode::Remote => Box::new(RemoteProgram::new(&started)),
    }
}
