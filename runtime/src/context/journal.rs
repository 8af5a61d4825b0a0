//! The state of one execution while its code runs: operations, buffered events, and the actions of the current turn.
//!
//! The engine opens a turn, polls the code once, and closes the turn. During the poll, leaf futures issue operations
//! and take results. Live and replayed turns use the same code. In a replayed turn, each action is compared with the
//! recorded action at the same place as soon as it is issued.
//!
//! Invariants:
//! - An operation is numbered and issued at the first poll of its future, never at construction.
//! - Code sees only what is decoded from recorded bytes.
//! - Dropping a leaf has an effect only while its own instance is being polled.

use std::collections::BTreeMap;

use super::comparison::{Cause, Changed, Mismatch, Recorded};
use super::event_buffer::{BufferedEvent, EventBuffer};
use super::operations::{Awaits, OperationResult, Operations};
use crate::contract::Undecodable;
use crate::model::bounds::{self, NAME_BYTES, TooLong};
use crate::model::{
    Action, Completion, ExecutionLimits, FailureDetails, Input, JsonText, OperationId, RecordedLocation,
    SourceLocation, Timestamp,
};

/// Whether the code is being polled, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollMode {
    /// The code is not being polled. Futures may be dropped, and that has no meaning.
    Idle,
    /// The code is being polled for the first time with these inputs.
    Live,
    /// The code is being polled again with recorded inputs.
    Replay,
}

/// The action was not issued, and the code will not be polled again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Halted;

/// The journal of one execution.
#[derive(Debug)]
pub(crate) struct Journal {
    mode: PollMode,
    /// The time of this turn, as the instance sees it.
    pub(crate) turn_time: Timestamp,
    /// The time of the engine in this turn. The duration of a relative timer is added to it.
    now: Timestamp,
    limits: ExecutionLimits,
    operations: Operations,
    events: EventBuffer,
    patches: BTreeMap<String, bool>,
    actions: Vec<Action>,
    payload_bytes: usize,
    /// What the turn recorded, if it is a replay.
    expected: Option<Recorded>,
    mismatch: Option<Mismatch>,
    /// Values that the code now computes in another way, and that are accepted so far.
    changes: Vec<Mismatch>,
    /// A stored value that the code asked for and cannot decode. The turn is given up.
    undecodable: Option<Undecodable>,
    /// A failure that ends the execution, whatever the code does afterwards.
    fatal: Option<FailureDetails>,
    pub(crate) foreign: bool,
    custom_status: Option<JsonText>,
    custom_status_set: bool,
    pub(crate) completion: Option<crate::model::Completion>,
    uuids: u64,
    random: Option<u64>,
    /// Whether the closure of a side effect is running. It may ask for nothing.
    pub(crate) computes_side_effect: bool,
    /// The number of side effects whose closures gave no value that was recorded. No replay can repeat that.
    pub(crate) lost_side_effects: u32,
    /// Where the custom status was last set or removed.
    pub(crate) status_place: Option<SourceLocation>,
}

/// The limit for the payload bytes of all actions in one turn.
const ACTION_BYTES_PER_TURN: usize = 4 * 1024 * 1024;

impl Journal {
    pub(crate) fn new(limits: ExecutionLimits, custom_status: Option<JsonText>) -> Self {
        Self {
            mode: PollMode::Idle,
            turn_time: Timestamp::default(),
            now: Timestamp::default(),
            limits,
            operations: Operations::default(),
            events: EventBuffer::default(),
            patches: BTreeMap::new(),
            actions: Vec::new(),
            payload_bytes: 0,
            expected: None,
            mismatch: None,
            changes: Vec::new(),
            undecodable: None,
            fatal: None,
            foreign: false,
            custom_status,
            custom_status_set: false,
            completion: None,
            uuids: 0,
            random: None,
            computes_side_effect: false,
            lost_side_effects: 0,
            status_place: None,
        }
    }

    // ── used by the engine ──────────────────────────────────────────────────────────────────────────────────────────

    /// Opens a turn. `expected` is what was recorded, if the turn is a replay.
    pub(crate) fn open_turn(&mut self, time: Timestamp, now: Timestamp, expected: Option<Recorded>) {
        self.mode = if expected.is_some() { PollMode::Replay } else { PollMode::Live };
        self.turn_time = time;
        self.now = now;
        self.expected = expected;
        self.actions.clear();
        self.payload_bytes = 0;
        self.custom_status_set = false;
    }

    /// Closes the turn and returns the actions that were issued in it.
    pub(crate) fn close_turn(&mut self) -> Vec<Action> {
        self.mode = PollMode::Idle;
        std::mem::take(&mut self.actions)
    }

    /// Adds the end of the code to the actions. It is compared like any other action.
    pub(crate) fn complete(&mut self, completion: crate::model::Completion) {
        let _ = self.push(Action::Complete(completion));
    }

    /// Returns the difference if recorded actions were not issued, or if others were issued.
    pub(crate) fn take_mismatch(&mut self) -> Option<Mismatch> {
        if self.mismatch.is_none() && self.recorded_next().is_some() {
            self.mismatch = Some(self.mismatch_here(None, None));
        }
        self.mismatch.take()
    }

    /// Takes the values that the code now computes in another way, and that are accepted so far.
    pub(crate) fn take_changes(&mut self) -> Vec<Mismatch> {
        std::mem::take(&mut self.changes)
    }

    /// Returns whether the code and the history have already disagreed.
    pub(crate) fn is_mismatched(&self) -> bool {
        self.mismatch.is_some()
    }

    /// Cancels the operations of this turn that nobody can wait for any more, because the turn ends the execution.
    pub(crate) fn cancel_issued_here(&mut self) {
        let issued: Vec<_> = self.actions.iter().filter_map(Action::operation).collect();
        for operation in issued {
            if self.operations.end_with_turn(operation) {
                let _ = self.push(Action::Cancelled { operation });
            }
        }
    }

    pub(crate) fn take_fatal(&mut self) -> Option<FailureDetails> {
        self.fatal.take()
    }

    /// Returns whether an operation is outstanding that will be answered.
    pub(crate) fn waits_for_something(&self) -> bool {
        self.operations.any_open()
    }

    /// Makes an input visible to the code. Returns an error text if the input cannot belong to this execution.
    pub(crate) fn deliver(&mut self, input: &Input) -> Result<(), String> {
        match input {
            Input::EventRaised { name, payload, event_id } => {
                // An instance that could not run may have recorded this event twice. The second one has no effect.
                let (name, payload, id) = (name.clone(), payload.clone(), event_id.clone());
                self.events.push(BufferedEvent { name, payload, id, place: None });
                Ok(())
            }
            Input::TaskCompleted { operation, result } | Input::SubOrchestrationCompleted { operation, result } => {
                self.settle(*operation, Ok(result.clone()))
            }
            Input::TaskFailed { operation, failure } | Input::SubOrchestrationFailed { operation, failure } => {
                self.settle(*operation, Err(failure.clone()))
            }
            Input::TimerFired { operation } => self.settle(*operation, Ok(JsonText::null())),
            Input::ExecutionStarted(_)
            | Input::EventsCarried { .. }
            | Input::Terminated { .. }
            | Input::Suspended { .. }
            | Input::Resumed { .. }
            | Input::Rewound { .. } => Ok(()),
        }
    }

    fn settle(&mut self, operation: OperationId, result: OperationResult) -> Result<(), String> {
        if self.operations.finish(operation, result) {
            return Ok(());
        }
        Err(format!("the result belongs to operation {}, which was never issued", operation.0))
    }

    /// Returns the events that have not been consumed.
    pub(crate) fn events(&self) -> &EventBuffer {
        &self.events
    }

    /// Returns the events that have not been consumed, for handing them from one execution to the next. They keep their
    /// ids, so the next execution recognises a repeated event.
    pub(crate) fn events_mut(&mut self) -> &mut EventBuffer {
        &mut self.events
    }

    /// Returns the operations that are waiting, and what each of them waits for.
    pub(crate) fn open_operations(&self) -> impl Iterator<Item = (OperationId, Awaits)> + '_ {
        self.operations.open()
    }

    /// Returns the custom status, and whether this turn has set or cleared it.
    pub(crate) fn custom_status_of_turn(&self) -> (Option<&JsonText>, bool) {
        (self.custom_status.as_ref(), self.custom_status_set)
    }

    // ── used by leaf futures ────────────────────────────────────────────────────────────────────────────────────────

    pub(crate) fn mode(&self) -> PollMode {
        self.mode
    }

    pub(crate) fn limits(&self) -> ExecutionLimits {
        self.limits
    }

    /// Issues an operation: assigns its number and adds its action. In a replayed turn, this returns the recorded
    /// action, because it contains values that were decided when the turn was live.
    pub(crate) fn issue(
        &mut self,
        awaits: Option<Awaits>,
        action: impl FnOnce(OperationId) -> Action,
    ) -> Result<(OperationId, Action), Halted> {
        let operation = self.operations.next();
        let action = self.push(action(operation))?;
        self.operations.add(awaits.map(|awaits| awaits.recorded_as(&action)));
        Ok((operation, action))
    }

    /// Returns the recorded action at the place where the next action will be issued, if this is a replayed turn.
    pub(crate) fn recorded_next(&self) -> Option<&Action> {
        self.expected.as_ref().filter(|_| self.mode == PollMode::Replay)?.actions.get(self.actions.len())
    }

    /// Returns the recorded value of the side effect that comes next, if this is a replayed turn. If the history continues
    /// in another way, that is noticed when the side effect is issued, so the value does not matter: a replay never runs
    /// the closure.
    pub(crate) fn recorded_side_effect(&self) -> Option<JsonText> {
        match self.recorded_next() {
            Some(Action::SideEffect { value, .. }) => Some(value.clone()),
            _ => (self.mode == PollMode::Replay).then(JsonText::null),
        }
    }

    fn push(&mut self, action: Action) -> Result<Action, Halted> {
        if self.is_halted() {
            return Err(Halted);
        }
        // What is recorded stands, also under a smaller limit.
        let is_recorded = self.recorded_next().is_some_and(|recorded| recorded.agrees_with(&action));
        if let (false, Err(TooLong { what, size, limit })) = (is_recorded, check_names(&action)) {
            let text = format!("the {what} has {size} bytes, but the limit is {limit}");
            self.fail(FailureDetails::new(NAME_TOO_LONG, text).non_retriable());
            return Err(Halted);
        }
        let action = match self.mode {
            PollMode::Live => action,
            PollMode::Replay => self.compared(action)?,
            PollMode::Idle => return Err(Halted),
        };
        self.payload_bytes += action.payload_len();
        self.actions.push(action.clone());
        Ok(action)
    }

    /// Compares an action with the recorded one, and returns that.
    fn compared(&mut self, issued: Action) -> Result<Action, Halted> {
        let recorded = self.recorded_next().filter(|recorded| recorded.agrees_with(&issued)).cloned();
        let changed = recorded.as_ref().and_then(|recorded| self.expected.as_ref()?.compare(recorded, &issued));
        match (recorded, changed) {
            (Some(recorded), None) => return Ok(recorded),
            (Some(recorded), Some(changed)) if changed.cause == Cause::Accepted => {
                let change = self.mismatch_here(Some(issued), Some(changed));
                self.changes.push(change);
                return Ok(recorded);
            }
            (_, changed) => self.mismatch = Some(self.mismatch_here(Some(issued), changed)),
        }
        Err(Halted)
    }

    fn mismatch_here(&self, issued: Option<Action>, changed: Option<Changed>) -> Mismatch {
        let (recorded, agreed) = (self.recorded_next().cloned(), self.actions.last().cloned());
        Mismatch { recorded, issued, agreed, changed, failure: None }
    }

    /// Checks that one more action with this payload is within the limits of the turn.
    pub(crate) fn admit(&self, payload: usize) -> Result<(), FailureDetails> {
        let limit = self.limits.payload_bytes as usize;
        if payload > limit {
            return Err(payload_too_large(payload, limit));
        }
        let (count, bytes) = (self.actions.len() + 1, self.payload_bytes + payload);
        if count > self.limits.actions_per_turn as usize || bytes > ACTION_BYTES_PER_TURN {
            return Err(FailureDetails::new(
                TOO_MANY_ACTIONS,
                format!(
                    "one turn can issue at most {} operations with {ACTION_BYTES_PER_TURN} bytes of payload: await some of \
                     them before you issue more, for example with `ctx.join_all_limit`",
                    self.limits.actions_per_turn
                ),
            )
            .non_retriable());
        }
        Ok(())
    }

    /// Returns whether nothing that the code does from now on counts.
    fn is_halted(&self) -> bool {
        self.mismatch.is_some() || self.undecodable.is_some() || self.fatal.is_some()
    }

    /// Notes that the code asked for a stored value that it cannot decode, so that the turn is given up.
    pub(crate) fn cannot_decode(&mut self, value: Undecodable) {
        if !self.is_halted() {
            self.undecodable = Some(value);
        }
    }

    pub(crate) fn take_undecodable(&mut self) -> Option<Undecodable> {
        self.undecodable.take()
    }

    /// Makes the execution end as failed after this poll.
    pub(crate) fn fail(&mut self, failure: FailureDetails) {
        self.fatal.get_or_insert(failure);
    }

    /// Takes the recorded result of an operation, if there is one.
    pub(crate) fn take_result(&mut self, operation: OperationId) -> Option<OperationResult> {
        self.operations.take(operation)
    }

    /// Takes the oldest event with this name, if there is one, and settles the wait for it.
    pub(crate) fn take_event(&mut self, operation: OperationId, name: &str) -> Option<JsonText> {
        let payload = self.events.consume(name)?;
        self.operations.settle(operation);
        Some(payload)
    }

    /// Notes that the future of an issued operation was dropped. Outside a poll this has no meaning: the instance was
    /// evicted, or the process is ending.
    pub(crate) fn dropped(&mut self, operation: OperationId) {
        if self.mode == PollMode::Idle || self.is_halted() {
            return;
        }
        if self.operations.drop_future(operation) {
            let _ = self.push(Action::Cancelled { operation });
        }
    }

    /// Stops waiting for an attached sub-orchestration, which goes on.
    pub(crate) fn detach(&mut self, operation: OperationId) {
        if self.operations.detach(operation) {
            let _ = self.push(Action::Detached { operation });
        }
    }

    /// Returns when a timer of this length is due if it is created now.
    pub(crate) fn due(&self, duration: std::time::Duration) -> Timestamp {
        self.now.plus(duration)
    }

    /// Sets or clears the custom status.
    pub(crate) fn set_custom_status(&mut self, status: Option<JsonText>, place: SourceLocation) {
        self.status_place = Some(place);
        self.custom_status = status.filter(|text| text.as_str() != "null");
        self.custom_status_set = true;
    }

    pub(crate) fn custom_status(&self) -> Option<&JsonText> {
        self.custom_status.as_ref()
    }

    /// Decides a patch. The first call in an execution decides for the whole execution.
    pub(crate) fn patched(&mut self, id: &str, location: RecordedLocation) -> bool {
        if let Some(decided) = self.patches.get(id) {
            return *decided;
        }
        let recorded = matches!(self.recorded_next(), Some(Action::Patched { id: recorded, .. }) if recorded == id);
        let decided = self.mode == PollMode::Live || recorded;
        if decided {
            let _ = self.issue(None, |operation| Action::Patched { operation, id: id.to_owned(), location });
        }
        self.patches.insert(id.to_owned(), decided);
        decided
    }

    /// Returns the number of the next generated UUID.
    pub(crate) fn next_uuid(&mut self) -> u64 {
        self.uuids += 1;
        self.uuids
    }

    /// Returns the state of the random generator, which is seeded once for each execution.
    pub(crate) fn random_state(&mut self, seed: u64) -> &mut u64 {
        self.random.get_or_insert(seed)
    }
}

/// The failure type of a turn that issues too many operations.
pub(crate) const TOO_MANY_ACTIONS: &str = "persevere.TooManyActions";
/// The failure type of an operation with a name that is too long.
const NAME_TOO_LONG: &str = "persevere.NameTooLong";

/// Checks the names that the code chooses.
fn check_names(action: &Action) -> Result<(), TooLong> {
    let check = |what, name: &str| bounds::check(what, name, NAME_BYTES);
    match action {
        Action::ScheduleTask { name, .. } => check("activity name", name),
        Action::WaitForEvent { name, .. } | Action::SendEvent { name, .. } => check("event name", name),
        Action::StartSubOrchestration { name, version, .. } => {
            check("orchestrator name", name)?;
            check("version", version.as_deref().unwrap_or_default())
        }
        Action::Complete(Completion::ContinuedAsNew { version: Some(version), .. }) => check("version", version),
        Action::Patched { id, .. } => check("id of a patch", id),
        _ => Ok(()),
    }
}

/// The failure type of a payload that exceeds the limit.
pub(crate) const PAYLOAD_TOO_LARGE: &str = "persevere.PayloadTooLarge";

/// Returns the failure that is recorded for a payload that exceeds the limit.
pub(crate) fn payload_too_large(size: usize, limit: usize) -> FailureDetails {
    FailureDetails::new(
        PAYLOAD_TOO_LARGE,
        format!(
            "the payload has {size} bytes, but the limit is {limit}: store the data elsewhere and pass a reference"
        ),
    )
    .non_retriable()
}
