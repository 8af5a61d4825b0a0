//! A turn: inputs, at most one poll, one turn record and one commit.
//!
//! Recording is separate from polling. An instance that may not run (suspended, parked, not started yet, shutdown)
//! records its inputs without a poll. The next polled turn delivers them first, in their order, and then its own.
//!
//! A polled turn has two steps. `begin_turn` asks the program, and `finish_turn` turns its answer into rows. For a
//! program in this process, the second step follows immediately; for a program elsewhere, see `offer`.

use std::sync::Arc;

use super::history_size::HistorySize;
use super::slot::{Arrival, Phase, Slot};
use super::take::{Plan, Taken};
use super::{Partition, TaskState};
use crate::context::Awaits;
use crate::engine::execution::LiveExecution;
use crate::engine::history;
use crate::engine::mismatch::Described;
use crate::engine::program::{Identity, TurnOutput, TurnStep};
use crate::engine::stuck::Stuck;
use crate::engine::{ClientAnswer, Effect};
use crate::model::{
    BuildId, FailureDetails, HeadChange, InstanceKey, OperationId, ParkCode, ParkReason, RecordRow, RuntimeStatus,
    TaskId, TimerRow, Timestamp, TurnRecord, wire,
};

/// The failure type of an execution whose history has reached its limit.
const HISTORY_LIMIT: &str = "persevere.HistoryLimit";

/// The failure type of an execution whose code does not fit its history, if that is configured to fail it.
const NONDETERMINISM: &str = "persevere.Nondeterminism";

/// The number of instances of a partition of which the log says that a value changed with the program. A deployment may
/// change all of them, and the first ones say what there is to say.
const CHANGES_LOGGED: usize = 10_000;

/// Whether the code of an instance is in memory.
enum Code {
    Live,
    /// The records were requested. The turn runs when they have arrived.
    Awaited,
    Stuck(Stuck),
}

impl Partition {
    /// Runs one turn of an instance.
    pub(super) fn turn(&mut self, now: Timestamp, key: InstanceKey) {
        self.verify_before_turn(now, key);
        let Some(mut slot) = self.slots.remove(&key) else { return };
        if slot.rewinding.is_some() && slot.is_over() && !slot.waits_for_records() {
            self.rewind(now, &mut slot);
        } else if !slot.is_over() && !slot.waits_for_records() {
            self.current.begin(&slot.head.life, slot.live.as_ref().and_then(LiveExecution::place));
            self.turn_of(now, &mut slot);
            self.current.end();
        }
        self.put_back(key, slot);
    }

    /// Puts a slot back after a turn, and plans the next turn if something is left for it.
    pub(super) fn put_back(&mut self, key: InstanceKey, mut slot: Box<Slot>) {
        self.live.note(key, &mut slot);
        let waits = |arrival: &Arrival| matches!(arrival, Arrival::Start { .. });
        let again = !slot.arrivals.iter().all(waits) && !slot.is_ready && !slot.waits_for_records() && slot.progressed;
        let again =
            again || (slot.rewinding.is_some() && slot.is_over() && !slot.is_ready && !slot.waits_for_records());
        slot.progressed = false;
        self.slots.insert(key, slot);
        if again {
            self.make_ready(key);
        }
        self.cool_now(key);
    }

    fn turn_of(&mut self, now: Timestamp, slot: &mut Slot) {
        let plan = self.plan(now, slot);
        let mut stuck = None;
        let needs_code = matches!(plan, Plan::Poll | Plan::Record { replay: true });
        if needs_code && slot.live.is_none() {
            stuck = self.ends_process(slot);
        }
        if needs_code && slot.live.is_none() && stuck.is_none() {
            match self.make_live(slot) {
                Code::Live => {}
                Code::Awaited => return,
                Code::Stuck(reason) => stuck = Some(reason),
            }
        }
        if stuck.is_none() && !self.size_is_known(slot) {
            return;
        }
        if plan == Plan::End && !self.children_are_known(slot) {
            return;
        }
        let mut taken = self.take(slot);
        let time = now.max(slot.newest).max(taken.due);
        slot.progressed = taken.count > 0;
        if let Some(termination) = taken.terminate.take() {
            return self.terminate(time, slot, taken, termination);
        }
        if self.is_too_long(slot, &taken, plan == Plan::Poll && !taken.suspended)
            && !matches!(slot.phase, Phase::Fresh(_))
        {
            return self.fail_by_limit(time, slot, taken);
        }
        match (plan, stuck) {
            (Plan::Poll, None) if !taken.suspended => self.begin_turn(time, now, slot, taken),
            (_, Some(stuck @ Stuck::Mismatch { .. })) if self.config.fail_on_mismatch => {
                let failure = FailureDetails::new(NONDETERMINISM, stuck.reason().to_string()).non_retriable();
                self.fail(time, slot, taken, failure);
            }
            (_, Some(stuck)) => {
                self.waiting.note(slot.head.life.key, &stuck);
                self.park(time, slot, taken, stuck.reason());
            }
            (_, None) => match taken.park.take() {
                Some(reason) => {
                    // Code in memory may have gone on in a way that no replay repeats. A program elsewhere is only waited for.
                    if slot.outstanding.is_none() {
                        slot.live = None;
                    }
                    self.park(time, slot, taken, reason);
                }
                None => self.record(time, slot, taken),
            },
        }
    }

    /// Brings the code into memory, as a new execution or by replay.
    fn make_live(&mut self, slot: &mut Slot) -> Code {
        let identity = self.identity(slot);
        if let Phase::Fresh(started) = &slot.phase {
            let started = Arc::clone(started);
            return match self.code_of(&started) {
                Ok(code) => {
                    slot.live = Some(LiveExecution::new(identity, code, started).observed(self.config.verify));
                    Code::Live
                }
                Err(stuck) => Code::Stuck(stuck),
            };
        }
        if let Some(detail) = slot.damage.take() {
            return Code::Stuck(Stuck::Corrupt(detail));
        }
        let Some(rows) = slot.history.take() else {
            self.load_history(slot);
            return Code::Awaited;
        };
        let carried = std::mem::take(&mut slot.carried);
        match self.replay(slot, identity, &rows, &carried) {
            Ok(mut live) => {
                live.history_bytes = rows.iter().map(bytes::Bytes::len).sum();
                slot.live = Some(live);
                Code::Live
            }
            Err(stuck) => {
                if matches!(stuck, Stuck::Mismatch { .. }) && self.config.fail_on_mismatch {
                    // The instance ends, and its records say which sub-orchestrations end with it.
                    slot.history = Some(rows);
                }
                Code::Stuck(stuck)
            }
        }
    }

    fn replay(
        &mut self,
        slot: &mut Slot,
        identity: Identity,
        rows: &[bytes::Bytes],
        carried: &[bytes::Bytes],
    ) -> Result<LiveExecution, Stuck> {
        let records = history::decode(rows, slot.records)?;
        slot.size = Some(HistorySize::of(&records, rows));
        let started = Arc::clone(history::started(&records)?);
        let replayed = records.iter().filter(|record| record.polled).count() as u64;
        let (code, checks) = (self.code_of(&started)?, self.config.checks());
        let live = LiveExecution::replay(identity, code, started, records, carried, checks)?;
        self.replayed_turns += replayed;
        self.log_accepted(slot, &live);
        self.check_rows(slot, &live)?;
        Ok(live)
    }

    /// Logs once for each instance that a value of it changed with the program.
    fn log_accepted(&mut self, slot: &Slot, live: &LiveExecution) {
        let Some(change) = &live.accepted else { return };
        if self.changed_inputs.len() < CHANGES_LOGGED && self.changed_inputs.insert(slot.head.life.key) {
            let (instance, orchestrator) = (&slot.head.life.id, slot.head.life.name.as_str());
            let change = Described(change);
            tracing::info!(%instance, orchestrator, %change, "the program was changed: the recorded value stands");
        }
    }

    /// Checks that every operation that is open in the history has its row, and that every row has its operation.
    fn check_rows(&self, slot: &Slot, live: &LiveExecution) -> Result<(), Stuck> {
        let id = |operation| TaskId { key: slot.head.life.key, execution: slot.head.life.execution, operation };
        let (first, last) = (id(OperationId(1)), id(OperationId(u32::MAX)));
        let mut open = 0;
        for (operation, awaits) in live.open_operations() {
            let task = self.tasks.get(&id(operation));
            let has_row = match awaits {
                // The inbox row says that the task was refused.
                Awaits::Task if task == Some(&TaskState::Refused) => continue,
                Awaits::Task => task.is_some(),
                Awaits::Timer(_) => self.timer_rows.contains_key(&id(operation)),
                Awaits::Child(_) | Awaits::Event => continue,
            };
            if !has_row && !live.will_settle(operation) {
                return Err(Stuck::Corrupt(format!("operation {} is open in the history but has no row", operation.0)));
            }
            open += usize::from(has_row);
        }
        let tasks = self.tasks.range(first..=last).filter(|(_, state)| **state != TaskState::Refused).count();
        let rows = tasks + self.timer_rows.range(first..=last).count();
        if rows != open {
            return Err(Stuck::Corrupt(format!(
                "{rows} task and timer rows, but the history has {open} open operations"
            )));
        }
        Ok(())
    }

    pub(super) fn identity(&self, slot: &Slot) -> Identity {
        Identity { id: slot.head.life.id.clone(), execution: slot.head.life.execution, mint: Arc::clone(&self.mint) }
    }

    fn fail_by_limit(&mut self, time: Timestamp, slot: &mut Slot, taken: Taken) {
        let text = format!(
            "the orchestration itself has filled its history, which may have {} turns or {} bytes besides the events that it \
             receives: use continue-as-new in long loops",
            self.config.history_records, self.config.history_bytes
        );
        let failure = FailureDetails::new(HISTORY_LIMIT, text).non_retriable();
        self.fail(time, slot, taken, failure);
    }

    /// The first step of a polled turn: asks the program. The second step follows immediately if the program is in this
    /// process.
    fn begin_turn(&mut self, time: Timestamp, now: Timestamp, slot: &mut Slot, mut taken: Taken) {
        let Some(live) = &mut slot.live else { return };
        let was_parked = slot.head.progress.parked.is_some();
        if taken.inputs.is_empty() && !live.has_undelivered() {
            // There is nothing for the code to see. At most, the instance is no longer parked.
            slot.retry = false;
            if was_parked || taken.commit.row_operations() > 0 {
                self.unpark(time, slot, taken);
            } else {
                self.answer(slot, taken);
            }
            return;
        }
        if live.answers_later() {
            slot.retry = false;
            return self.offer(time, slot, taken);
        }
        taken.clock = (now != time).then_some(now);
        match live.turn(time, now, &taken.inputs, None) {
            Ok(TurnStep::Done(output)) => {
                slot.retry = false;
                slot.unpolled_events = (0, 0);
                self.finish_turn(time, slot, taken, output);
            }
            Ok(TurnStep::Outstanding) => self.offer(time, slot, taken),
            Err(stuck) => {
                // The future has moved on in memory and cannot be used again.
                slot.live = None;
                taken.park = None;
                self.park(time, slot, taken, stuck.reason());
            }
        }
    }

    /// The second step of a polled turn: turns the answer of the program into rows.
    pub(super) fn finish_turn(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken, output: TurnOutput) {
        let TurnOutput { actions, completion, custom_status, trace } = output;
        taken.trace = trace.or_else(|| slot.live.as_ref().and_then(|live| live.started.trace.clone()));
        let check = slot.live.as_ref().and_then(|live| live.check(completion.is_some()));
        taken.check = check.map(|check| (slot.head.life.execution, check));
        if let Some(status) = custom_status
            && slot.head.progress.custom_status != status
        {
            let progress = slot.head.progress_mut();
            progress.custom_status = status;
            progress.custom_status_version += 1;
            taken.head_changed = true;
        }
        // A suspension that was recorded while the turn was outstanding stays.
        let status = if taken.suspended { RuntimeStatus::Suspended } else { RuntimeStatus::Running };
        let stays_parked = self.is_blocked(slot.head.life.key);
        if slot.head.progress.status != status || (slot.head.progress.parked.is_some() && !stays_parked) {
            let progress = slot.head.progress_mut();
            progress.status = status;
            if !stays_parked {
                progress.parked = None;
            }
            taken.head_changed = true;
        }
        self.schedule(slot, &mut taken, &actions);
        match completion {
            None => {
                let schedules = !taken.commit.tasks_new.is_empty();
                let record = TurnRecord {
                    turn_number: slot.records,
                    time: taken.time_seen(time),
                    polled: true,
                    inputs: std::mem::take(&mut taken.inputs),
                    actions,
                    upto: taken.upto(),
                    clock: taken.clock,
                    build: self.note_build(slot),
                    trace: taken.trace.take().filter(|_| schedules),
                };
                self.write_record(slot, &mut taken, &record);
                self.send_off(time, slot, taken);
            }
            Some(completion) => self.complete(time, slot, taken, actions, completion),
        }
    }

    /// Records inputs without a poll.
    fn record(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken) {
        slot.note_unpolled(taken.events());
        let is_early = slot.head.life.start_at.is_some_and(|at| at > time);
        if slot.retry && is_early && !taken.suspended && !self.is_blocked(slot.head.life.key) {
            // Its start tries it again.
            slot.retry = false;
            slot.head.progress_mut().parked = None;
            taken.head_changed = true;
        }
        self.note_suspension(time, slot, &mut taken);
        self.anchor_next_poll(time, slot, &mut taken);
        self.write_unpolled(time, slot, &mut taken);
        self.send_off(time, slot, taken);
    }

    /// Brings the status in line with the suspensions and resumptions that were taken.
    pub(super) fn note_suspension(&self, time: Timestamp, slot: &mut Slot, taken: &mut Taken) {
        let status = if taken.suspended {
            RuntimeStatus::Suspended
        } else if slot.head.progress.status == RuntimeStatus::Suspended {
            // The instance was resumed, but something else prevents it from running.
            if slot.head.life.start_at.is_some_and(|at| at > time) {
                RuntimeStatus::Pending
            } else {
                RuntimeStatus::Running
            }
        } else {
            slot.head.progress.status
        };
        if status != slot.head.progress.status {
            slot.head.progress_mut().status = status;
            taken.head_changed = true;
        }
    }

    /// Adds the row that wakes an instance that could run, because inputs that were recorded without a poll must not
    /// wait for the next input.
    fn anchor_next_poll(&mut self, time: Timestamp, slot: &Slot, taken: &mut Taken) {
        if taken.suspended || slot.head.progress.parked.is_some() {
            return;
        }
        let fire_at = match slot.head.life.start_at.filter(|at| *at > time) {
            Some(at) => at,
            None if !taken.inputs.is_empty() => time,
            None => return,
        };
        let row = TimerRow {
            fire_at,
            key: slot.head.life.key,
            execution: slot.head.life.execution,
            operation: OperationId::START,
        };
        let id = TaskId { key: row.key, execution: row.execution, operation: row.operation };
        if !self.timer_rows.contains_key(&id) {
            self.add_timer(row);
            self.timers.insert(row);
            taken.commit.timers_new.push(row);
        }
    }

    /// Records the inputs and parks the instance with a reason.
    pub(super) fn park(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken, reason: ParkReason) {
        slot.retry = false;
        if reason.code() == ParkCode::DamagedData {
            taken.inputs.clear();
            return self.park_unreadable(time, slot, taken, reason);
        }
        if slot.head.progress.parked.as_ref() != Some(&reason) {
            set_parked(slot, &mut taken, reason);
        }
        self.record(time, slot, taken);
    }

    /// Parks an instance whose history cannot be trusted. Nothing is added to the history, and the rows stay until it
    /// is restored.
    fn park_unreadable(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken, reason: ParkReason) {
        slot.phase = Phase::Unreadable;
        for (request, answer) in std::mem::take(&mut taken.replies) {
            let refused =
                crate::engine::Refusal::Corrupt { id: slot.head.life.id.clone(), detail: reason.text().to_owned() };
            self.reply(request, if answer.is_ok() { Err(refused) } else { answer });
        }
        // Nothing of the turn is recorded, so the rows stay.
        let commit = std::mem::take(&mut taken.commit);
        self.tasks.extend(commit.tasks_done.into_iter().map(|task| (task, TaskState::Done)));
        commit.timers_done.into_iter().for_each(|row| self.add_timer(row));
        if slot.head.progress.parked.as_ref() != Some(&reason) {
            set_parked(slot, &mut taken, reason);
            self.send_off(time, slot, taken);
        }
    }

    fn unpark(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken) {
        if slot.head.progress.parked.is_some() {
            slot.head.progress_mut().parked = None;
            taken.head_changed = true;
        }
        self.send_off(time, slot, taken);
    }

    pub(super) fn write_unpolled(&mut self, time: Timestamp, slot: &mut Slot, taken: &mut Taken) {
        if taken.inputs.is_empty() {
            return;
        }
        let inputs = std::mem::take(&mut taken.inputs);
        let record = TurnRecord::unpolled(slot.records, time, inputs);
        self.write_record(slot, taken, &record);
        if let Some(live) = &mut slot.live {
            live.defer(record.turn_number, record.inputs);
        }
    }

    /// Returns the build for the record of a polled turn, if the record must contain it.
    pub(super) fn note_build(&self, slot: &mut Slot) -> Option<BuildId> {
        slot.live.as_mut().and_then(|live| live.note_build(self.config.build))
    }

    pub(super) fn write_record(&mut self, slot: &mut Slot, taken: &mut Taken, record: &TurnRecord) {
        let bytes = wire::encode_record(record);
        // A history that begins is known from its beginning.
        if record.turn_number == 0 {
            slot.size = Some(HistorySize::default());
        }
        if let Some(size) = &mut slot.size {
            size.add(&record.inputs, bytes.len());
        }
        if let Some(live) = &mut slot.live {
            live.history_bytes += bytes.len();
        }
        if let Some(history) = &mut slot.history {
            history.push(bytes.clone());
        }
        slot.records = record.turn_number + 1;
        slot.newest = slot.newest.max(record.time);
        taken.commit.record = Some(RecordRow {
            key: slot.head.life.key,
            execution: slot.head.life.execution,
            turn_number: record.turn_number,
            time: record.time,
            bytes,
        });
    }

    /// Emits the commit of the turn, then everything that depends on it.
    pub(super) fn send_off(&mut self, time: Timestamp, slot: &mut Slot, mut taken: Taken) {
        let fresh = matches!(slot.phase, Phase::Fresh(_));
        if taken.head_changed || fresh {
            let progress = slot.head.progress_mut();
            progress.updated_at = time;
            progress.revision += 1;
            taken.commit.head = match fresh {
                true => HeadChange::Insert(slot.head.clone()),
                false if taken.renewed => HeadChange::Renew(slot.head.clone()),
                false => HeadChange::Progress { key: slot.head.life.key, progress: Arc::clone(&slot.head.progress) },
            };
        }
        if fresh {
            slot.phase = Phase::Stored;
        }
        let changed = !taken.commit.head.is_none();
        if changed || taken.commit.row_operations() > 0 || taken.commit.erase_history.is_some() {
            let commit = std::mem::take(&mut taken.commit);
            let number = self.commit(commit);
            slot.last_commit = number;
            self.cooling.push_back((number, slot.head.life.key));
        }
        if let Some((execution, check)) = taken.check.take().filter(|_| self.polls) {
            self.checks.add(self.committed, slot, execution, check);
        }
        if changed {
            self.changed(&slot.head);
        }
        for effect in std::mem::take(&mut taken.effects) {
            self.effect(effect);
        }
        self.answer(slot, taken);
    }

    fn answer(&mut self, slot: &Slot, taken: Taken) {
        for (request, result) in taken.replies {
            let began = matches!(result, Ok(ClientAnswer::Started { created: true, .. }));
            let begun = began.then(|| slot.head.clone());
            self.effect(Effect::Reply { request, result, begun });
        }
    }
}

fn set_parked(slot: &mut Slot, taken: &mut Taken, reason: ParkReason) {
    slot.head.progress_mut().parked = Some(reason);
    taken.head_changed = true;
    taken.effects.push(Effect::Parked(slot.head.clone()));
}
