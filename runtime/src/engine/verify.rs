//! Verified replay: an execution is replayed from what memory has seen of it, and the replay is compared.
//!
//! ```text
//! LiveExecution::turn ─► Witness (what the code saw and did) ─► Check ─► commit durable, effects released
//!                                                                          └─► Check::replay, some times ─► same, or NotRepeatable
//! ```
//!
//! Invariants: a check reads no store, has no effect and runs no closure of a side effect; it judges code by the same
//! comparison as every other replay.

use std::fmt;
use std::sync::Arc;

use super::mismatch::{ADVICE, both_values};
use super::program::{self, Identity, TurnOutput, TurnRequest, TurnStep};
use super::stuck::Stuck;
use crate::context::{EventBuffer, Mismatch, Recorded};
use crate::model::{
    Action, Completion, ExecutionStarted, Input, JsonText, ParkCode, ParkReason, SourceLocation, Timestamp, shortened,
};
use crate::registry::OrchestratorCode;

/// The turns up to which every turn is checked. Where replays are repeated, there are `EVERY / t` after turn *t*, at least
/// one.
const EVERY: usize = 16;

/// The number of turns, and the bytes of payloads, at which an execution is no longer checked.
const MOST_TURNS: usize = 1_024;
const MOST_BYTES: usize = 1024 * 1024;

/// What a turn counts besides its payloads.
const BYTES_PER_TURN: usize = 256;

/// What the code of one execution has seen and done, turn by turn.
#[derive(Debug)]
pub(crate) struct Witness {
    started: Arc<ExecutionStarted>,
    /// The events that the execution has taken over. They become visible with the inputs of its first turn.
    carried: Vec<Input>,
    turns: Vec<Arc<WitnessedTurn>>,
    bytes: usize,
    /// About so many turns are replayed after each of the first turns, and at least all turns once.
    effort: usize,
}

/// A turn in which the code was polled.
#[derive(Debug)]
pub(crate) struct WitnessedTurn {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    pub(crate) now: Timestamp,
    /// Everything that became visible, in its order.
    pub(crate) inputs: Vec<Input>,
    pub(crate) recorded: Recorded,
    pub(crate) custom_status: Option<Option<JsonText>>,
    pub(crate) status_place: Option<SourceLocation>,
}

/// The turns of an execution that are to be replayed, and how often.
#[derive(Debug)]
pub(crate) struct Check {
    started: Arc<ExecutionStarted>,
    turns: Vec<Arc<WitnessedTurn>>,
    pub(crate) replays: usize,
}

impl Witness {
    /// With `repeats`, an execution that is still short is replayed several times.
    pub(crate) fn new(started: Arc<ExecutionStarted>, repeats: bool) -> Self {
        let effort = if repeats { EVERY } else { 1 };
        Self { started, carried: Vec::new(), turns: Vec::new(), bytes: 0, effort }
    }

    /// Notes the events that the execution takes over from the previous one. Returns whether they are few enough for the
    /// execution to be checked.
    #[must_use]
    pub(crate) fn takes_over(&mut self, events: &EventBuffer) -> bool {
        let few = events.bytes() <= MOST_BYTES;
        if few {
            self.carried = events.to_inputs();
        }
        few
    }

    /// Adds a turn. Returns whether the execution is still short enough to be checked.
    #[must_use]
    pub(crate) fn saw(&mut self, mut turn: WitnessedTurn) -> bool {
        turn.inputs.splice(0..0, self.carried.drain(..));
        let inputs: usize = turn.inputs.iter().map(Input::payload_len).sum();
        let actions: usize = turn.recorded.actions.iter().map(Action::payload_len).sum();
        self.bytes += inputs + actions + turn.custom_status.iter().flatten().map(JsonText::len).sum::<usize>();
        self.bytes += BYTES_PER_TURN;
        self.turns.push(Arc::new(turn));
        self.turns.len() <= MOST_TURNS && self.bytes <= MOST_BYTES
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the check that follows the last turn, if one does. `is_last` says that the turn ended the execution.
    pub(crate) fn check(&self, is_last: bool) -> Option<Check> {
        let turn = self.turns.len();
        let is_due = turn <= EVERY || turn.is_power_of_two() || is_last;
        (is_due && turn > 0).then(|| {
            let (started, turns) = (Arc::clone(&self.started), self.turns.clone());
            Check { started, turns, replays: (self.effort / turn).max(1) }
        })
    }
}

impl Check {
    pub(crate) fn started(&self) -> &ExecutionStarted {
        &self.started
    }

    /// Returns the number of turns that one replay runs.
    pub(crate) fn turns(&self) -> usize {
        self.turns.len()
    }

    /// Returns whether the last turn ended the instance, so that nothing can be parked any more.
    pub(crate) fn ended_instance(&self) -> bool {
        let last = self.turns.last().and_then(|turn| turn.recorded.actions.last());
        matches!(last, Some(Action::Complete(Completion::Completed(_) | Completion::Failed(_))))
    }

    /// Replays all turns once.
    pub(crate) fn replay(&self, identity: Identity, code: &OrchestratorCode) -> Result<(), NotRepeatable> {
        let mut program = program::begin(code, identity, Arc::clone(&self.started));
        for turn in &self.turns {
            let found = |found| NotRepeatable { started: Arc::clone(&self.started), turn: Arc::clone(turn), found };
            let step = program.turn(TurnRequest {
                time: turn.time,
                now: turn.now,
                undelivered: &[],
                inputs: &turn.inputs,
                recorded: Some(turn.recorded.clone()),
            });
            // Changes since another build were judged when the records were read.
            drop(program.take_changes());
            let TurnOutput { custom_status, .. } = match step {
                Ok(TurnStep::Done(output)) => output,
                Ok(TurnStep::Outstanding) => return Ok(()),
                Err(Stuck::Mismatch { mismatch, .. }) => return Err(found(Found::Step(mismatch))),
                Err(stuck) => return Err(found(Found::Stuck(Box::new(stuck)))),
            };
            if !is_same_status(turn.custom_status.as_ref(), custom_status.as_ref()) {
                return Err(found(Found::Status { replayed: custom_status, place: program.status_place() }));
            }
        }
        Ok(())
    }
}

type SetStatus<'a> = Option<&'a Option<JsonText>>;

fn is_same_status(live: SetStatus<'_>, replayed: SetStatus<'_>) -> bool {
    match (live, replayed) {
        (Some(Some(live)), Some(Some(replayed))) => live.is_same_value(replayed),
        (live, replayed) => live == replayed,
    }
}

/// A replay of the same code did something else.
#[derive(Debug)]
pub(crate) struct NotRepeatable {
    started: Arc<ExecutionStarted>,
    turn: Arc<WitnessedTurn>,
    found: Found,
}

#[derive(Debug)]
enum Found {
    /// A step differs, or is missing.
    Step(Box<Mismatch>),
    /// The custom status differs.
    Status { replayed: Option<Option<JsonText>>, place: Option<SourceLocation> },
    /// The replay could not run the turn.
    Stuck(Box<Stuck>),
}

impl NotRepeatable {
    pub(crate) fn reason(&self) -> ParkReason {
        ParkReason::new(ParkCode::NotRepeatable, self.to_string())
    }

    fn status(
        &self,
        f: &mut fmt::Formatter<'_>,
        replayed: SetStatus<'_>,
        place: Option<SourceLocation>,
    ) -> fmt::Result {
        let text = |status: SetStatus<'_>| match status {
            Some(Some(status)) => status.as_str().to_owned(),
            Some(None) => "(removed)".to_owned(),
            None => "(not set)".to_owned(),
        };
        let (live, replayed) = shortened(&text(self.turn.custom_status.as_ref()), &text(replayed));
        write!(f, "set the custom status {live}")?;
        at(f, self.turn.status_place)?;
        write!(f, ", but the replay set the custom status {replayed}")?;
        at(f, place)?;
        match self.turn.recorded.actions.last() {
            Some(action) => write!(f, ". The last step of the turn: {action}"),
            None => Ok(()),
        }
    }
}

fn at(f: &mut fmt::Formatter<'_>, place: Option<SourceLocation>) -> fmt::Result {
    place.map_or(Ok(()), |place| write!(f, " at {place}"))
}

impl fmt::Display for NotRepeatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.started.name;
        write!(
            f,
            "orchestrator {name:?} is not deterministic: a replay of the same code with the same inputs did something else. "
        )?;
        write!(f, "Turn {} ", self.turn.number)?;
        match &self.found {
            Found::Step(mismatch) if mismatch.changed.is_some() => {
                both_values(f, mismatch, ["issued", "the replay issued"])?;
            }
            Found::Step(mismatch) => {
                match &mismatch.recorded {
                    Some(action) => write!(f, "issued {action}")?,
                    None => f.write_str("issued nothing more")?,
                }
                match &mismatch.issued {
                    Some(action) => write!(f, ", but the replay issued {action}")?,
                    None => f.write_str(", but the replay issued nothing more")?,
                }
                if let Some(action) = &mismatch.agreed {
                    write!(f, ". The last step on which both agree: {action}")?;
                }
            }
            Found::Status { replayed, place } => self.status(f, replayed.as_ref(), *place)?,
            Found::Stuck(stuck) => write!(f, "worked, but in the replay {stuck}")?,
        }
        write!(f, ". {ADVICE}; a branch on `ctx.is_replaying()` must not decide which operations are issued")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{Demand, TurnActions};
    use crate::model::ExecutionLimits;

    fn witness() -> Witness {
        let started = ExecutionStarted {
            execution_id: uuid::Uuid::nil(),
            name: String::new(),
            version: String::new(),
            input: JsonText::null(),
            custom_status: None,
            tags: Default::default(),
            parent: None,
            start_at: None,
            trace: None,
            limits: ExecutionLimits::default(),
        };
        Witness::new(Arc::new(started), true)
    }

    fn turn(bytes: usize) -> WitnessedTurn {
        let payload = JsonText::encode(&"x".repeat(bytes)).unwrap();
        WitnessedTurn {
            number: 0,
            time: Timestamp(0),
            now: Timestamp(0),
            inputs: vec![Input::EventRaised { name: String::new(), payload, event_id: None }],
            recorded: Recorded { actions: TurnActions::default(), demand: Demand::SameBuild, has_clock: true },
            custom_status: None,
            status_place: None,
        }
    }

    #[test]
    fn an_execution_is_witnessed_up_to_a_number_of_turns_and_of_bytes() {
        for (bytes, most) in [(10, MOST_TURNS), (100_000, 10)] {
            let mut witness = witness();
            let seen = (0..MOST_TURNS + 1).take_while(|_| witness.saw(turn(bytes))).count();
            assert_eq!(seen, most, "with {bytes} bytes in each turn");
        }
    }
}
