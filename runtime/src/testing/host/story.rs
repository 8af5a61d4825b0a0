//! What the commits say about each instance: the sequence of custom statuses, and the timeline that failures print.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{
    Action, CommitBatch, HeadChange, Input, InstanceId, InstanceKey, JsonText, OperationId, ParkReason, Progress,
    RuntimeStatus, Timestamp, TurnCommit, TurnRecord, wire,
};

/// The longest value that a timeline prints.
const LONGEST_VALUE: usize = 120;

/// The committed turns of all instances. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Stories(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    by_key: HashMap<InstanceKey, Story>,
    /// The newest life of each id.
    by_id: BTreeMap<InstanceId, InstanceKey>,
    max_turns: Option<u64>,
    too_long: Vec<InstanceId>,
}

#[derive(Debug, Default)]
struct Story {
    name: String,
    begin: Timestamp,
    status: Option<RuntimeStatus>,
    parked: Option<ParkReason>,
    custom_statuses: Vec<JsonText>,
    version: u64,
    turns: u64,
    lines: Vec<String>,
    /// The operations of the current execution that wait.
    open: BTreeMap<OperationId, Open>,
    /// The names of the events that no wait has consumed.
    buffered: Vec<String>,
}

/// What an open operation waits for.
#[derive(Clone, Debug)]
pub(super) enum Open {
    Activity(String),
    Timer(Timestamp),
    Event(String),
}

impl Stories {
    pub(super) fn limit_turns(&self, turns: u64) {
        self.lock().max_turns = Some(turns);
    }

    /// Adds what a commit has made durable.
    pub(super) fn add(&self, batch: &CommitBatch) {
        let mut table = self.lock();
        batch.turns.iter().for_each(|turn| table.add(turn));
    }

    pub(super) fn custom_statuses(&self, id: &InstanceId) -> Vec<JsonText> {
        self.with(id, |story| story.custom_statuses.clone())
    }

    pub(super) fn turns(&self, id: &InstanceId) -> u64 {
        self.with(id, |story| story.turns)
    }

    /// Returns what the instance waits for, in the order in which its code asked for it.
    pub(super) fn open(&self, id: &InstanceId) -> Vec<Open> {
        self.with(id, |story| story.open.values().cloned().collect())
    }

    /// Returns the timeline of an instance, or an empty text if there is no such instance.
    pub(super) fn timeline(&self, id: &InstanceId) -> String {
        let mut text = String::new();
        if let Some(story) = self.lock().story(id) {
            let _ = writeln!(text, "instance `{id}` of orchestrator `{}`", story.name);
            for line in &story.lines {
                let _ = writeln!(text, "{line}");
            }
        }
        text
    }

    /// Returns the timelines of all instances.
    pub(super) fn timelines(&self) -> String {
        let ids: Vec<_> = self.lock().by_id.keys().cloned().collect();
        ids.iter().map(|id| self.timeline(id)).collect::<Vec<_>>().join("\n")
    }

    /// Returns what went wrong in instances and must fail the test, each with its timeline.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let (parked, too_long) = {
            let table = self.lock();
            let parked: Vec<_> = table
                .by_id
                .iter()
                .filter_map(|(id, key)| Some((id.clone(), table.by_key.get(key)?.parked.clone()?)))
                .collect();
            (parked, (table.too_long.clone(), table.max_turns))
        };
        for (id, reason) in parked {
            problems.push(format!("instance `{id}` is parked: {reason}\n{}", self.timeline(&id)));
        }
        for id in too_long.0 {
            let turns = too_long.1.unwrap_or_default();
            problems.push(format!("instance `{id}` has more than {turns} turns\n{}", self.timeline(&id)));
        }
        problems
    }

    fn with<T: Default>(&self, id: &InstanceId, read: impl FnOnce(&Story) -> T) -> T {
        self.lock().story(id).map_or_else(T::default, read)
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn story(&self, id: &InstanceId) -> Option<&Story> {
        self.by_key.get(self.by_id.get(id)?)
    }

    fn add(&mut self, turn: &TurnCommit) {
        if let HeadChange::Insert(head) | HeadChange::Renew(head) = &turn.head {
            let story = self.by_key.entry(head.life.key).or_default();
            if story.lines.is_empty() {
                (story.name, story.begin) = (head.life.name.clone(), head.life.created_at);
            }
            story.open.clear();
            self.by_id.insert(head.life.id.clone(), head.life.key);
        }
        let Some(key) = turn.head.key().or_else(|| turn.record.as_ref().map(|record| record.key)) else { return };
        let Some(story) = self.by_key.get_mut(&key) else { return };
        story.add(turn);
        let (turns, max) = (story.turns, self.max_turns);
        if max.is_some_and(|max| turns == max + 1) {
            self.too_long.extend(self.by_id.iter().find(|(_, of)| **of == key).map(|(id, _)| id.clone()));
        }
    }
}

impl Story {
    fn add(&mut self, turn: &TurnCommit) {
        let progress = turn.head.progress();
        let before = self.lines.len();
        if let Some(row) = &turn.record {
            self.turns += 1;
            let after = since(row.time, self.begin);
            self.lines.push(format!("  turn {} at {after}", row.turn_number));
            match wire::decode_record(&row.bytes) {
                Ok(record) => {
                    self.follow(&record);
                    self.lines.extend(record.inputs.iter().map(|input| format!("    ← {}", input_line(input))));
                    self.lines.extend(record.actions.iter().map(|action| format!("    → {}", action_line(action))));
                }
                Err(error) => self.lines.push(format!("    cannot be read: {error}")),
            }
        }
        if let Some(progress) = progress {
            self.note(progress, before);
        }
    }

    /// Keeps account of what the code waits for.
    fn follow(&mut self, record: &TurnRecord) {
        for input in &record.inputs {
            if let Some(operation) = input.operation() {
                self.open.remove(&operation);
            }
            // The oldest wait for an event consumes it.
            if let Input::EventRaised { name, .. } = input {
                let waits = |open: &Open| matches!(open, Open::Event(awaited) if awaited.eq_ignore_ascii_case(name));
                let first = self.open.iter().find(|(_, open)| waits(open)).map(|(operation, _)| *operation);
                match first {
                    Some(operation) => drop(self.open.remove(&operation)),
                    None => self.buffered.push(name.to_ascii_lowercase()),
                }
            }
        }
        for action in &record.actions {
            let (operation, open) = match action {
                Action::ScheduleTask { operation, name, .. } => (operation, Open::Activity(name.to_string())),
                Action::CreateTimer { operation, fire_at, .. } => (operation, Open::Timer(*fire_at)),
                Action::WaitForEvent { operation, name, .. } => {
                    let waiting = self.buffered.iter().position(|event| event.eq_ignore_ascii_case(name));
                    if let Some(place) = waiting {
                        self.buffered.remove(place);
                        continue;
                    }
                    (operation, Open::Event(name.clone()))
                }
                Action::Cancelled { operation } => {
                    self.open.remove(operation);
                    continue;
                }
                _ => continue,
            };
            self.open.insert(*operation, open);
        }
    }

    fn note(&mut self, progress: &Progress, before: usize) {
        if progress.status.is_ended() {
            self.open.clear();
        }
        if self.lines.len() == before {
            self.lines.push(format!("  at {}", since(progress.updated_at, self.begin)));
        }
        if progress.custom_status_version > self.version {
            self.version = progress.custom_status_version;
            let status = progress.status_text().unwrap_or_else(JsonText::null);
            self.lines.push(format!("    custom status {}", short(&status)));
            self.custom_statuses.push(status);
        }
        if self.status.replace(progress.status) != Some(progress.status) {
            self.lines.push(format!("    {}", progress.status));
        }
        if progress.parked != self.parked {
            self.parked.clone_from(&progress.parked);
            self.lines.push(match &self.parked {
                Some(reason) => format!("    parked: {reason}"),
                None => "    no longer parked".to_owned(),
            });
        }
        if let Some(failure) = &progress.failure {
            self.lines.push(format!("    failed: {failure}"));
        }
        if let Some(output) = &progress.output {
            self.lines.push(format!("    output {}", short(output)));
        }
    }
}

/// Returns the time since the start, in the units that a reader of a test thinks in.
fn since(time: Timestamp, begin: Timestamp) -> String {
    let duration = time.since(begin);
    let seconds = duration.as_secs();
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let clock = format!("{:02}:{:02}:{:02}.{:03}", rest / 3_600, rest / 60 % 60, rest % 60, duration.subsec_millis());
    if days == 0 { format!("+{clock}") } else { format!("+{days}d {clock}") }
}

fn short(value: &JsonText) -> String {
    let text = value.as_str();
    match text.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn input_line(input: &Input) -> String {
    match input {
        Input::ExecutionStarted(start) => format!("started with {}", short(&start.input)),
        Input::EventRaised { name, payload, .. } => format!("event `{name}` {}", short(payload)),
        Input::TaskCompleted { operation, result } => format!("#{} returned {}", operation.0, short(result)),
        Input::TaskFailed { operation, failure } => format!("#{} failed: {failure}", operation.0),
        Input::TimerFired { operation, .. } => format!("#{} timer fired", operation.0),
        other => debug_line(other),
    }
}

fn action_line(action: &Action) -> String {
    match action {
        Action::ScheduleTask { operation, name, input, .. } => {
            format!("#{} activity `{name}` with {}", operation.0, short(input))
        }
        Action::CreateTimer { operation, fire_at, .. } => format!("#{} timer until {fire_at:?}", operation.0),
        Action::WaitForEvent { operation, name, .. } => format!("#{} waits for event `{name}`", operation.0),
        Action::StartSubOrchestration { operation, name, instance, input, .. } => {
            format!("#{} sub-orchestration `{name}` as `{instance}` with {}", operation.0, short(input))
        }
        other => debug_line(other),
    }
}

fn debug_line(value: &impl std::fmt::Debug) -> String {
    short(&JsonText::from_string(format!("{value:?}")))
}
