//! From actions to rows: the actions of a turn become tasks, timers and messages of its commit.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::slot::Slot;
use super::take::Taken;
use super::{Partition, TaskState};
use crate::engine::{ActivityTask, Effect};
use crate::model::{
    Action, Attempt, ChildStart, FailureDetails, InstanceId, JsonText, Message, OperationId, Parent, TaskId, TaskRow,
    TimerRow, Timestamp,
};

/// The failure type of a call that would exceed the limit of open tasks.
const TOO_MANY_TASKS: &str = "persevere.TooManyTasks";

impl Partition {
    /// Turns the actions of a polled turn into rows.
    pub(super) fn schedule(&mut self, slot: &Slot, taken: &mut Taken, actions: &[Action]) {
        let cancelled: BTreeSet<OperationId> = actions
            .iter()
            .filter_map(|action| if let Action::Cancelled { operation } = action { Some(*operation) } else { None })
            .collect();
        let mut issued_here = BTreeSet::new();
        for action in actions {
            if !cancelled.is_empty() {
                if let Action::Cancelled { operation } = action {
                    if !issued_here.contains(operation) {
                        self.cancel(slot, taken, *operation);
                    }
                    continue;
                }
                if let Some(operation) = action.operation() {
                    issued_here.insert(operation);
                    if cancelled.contains(&operation) {
                        continue;
                    }
                }
            }
            self.schedule_one(slot, taken, action);
        }
    }

    fn schedule_one(&mut self, slot: &Slot, taken: &mut Taken, action: &Action) {
        match action {
            Action::ScheduleTask { operation, name, input, attempt, .. } => {
                self.schedule_task(slot, taken, *operation, name, input, *attempt);
            }
            Action::CreateTimer { operation, fire_at, .. } => self.schedule_timer(slot, taken, *operation, *fire_at),
            Action::StartSubOrchestration {
                operation,
                name,
                version,
                instance,
                minted,
                input,
                detached,
                on_existing,
                ..
            } => {
                let version = version.clone().or_else(|| self.registry.default_version(name).map(ToOwned::to_owned));
                let version = version.unwrap_or_default();
                let parent = (!detached).then(|| parent_of(slot, *operation));
                if let Some(parent) = &parent
                    && self.registry.code(name, &version).is_none()
                {
                    let result = Err(Self::not_registered("orchestrator", name));
                    return self.send(&mut taken.commit, Message::ChildDone { parent: parent.clone(), result });
                }
                self.send(
                    &mut taken.commit,
                    Message::Start(ChildStart {
                        target: instance.clone(),
                        minted: *minted,
                        name: name.clone(),
                        version,
                        input: input.clone(),
                        parent,
                        depth: slot.head.life.depth + 1,
                        on_existing: *on_existing,
                        trace: taken.trace.clone(),
                    }),
                );
            }
            Action::SendEvent { target, name, payload, .. } => {
                let (target, name, payload): (InstanceId, _, _) = (target.clone(), name.clone(), payload.clone());
                self.send(&mut taken.commit, Message::Event { target, name, payload });
            }
            Action::Terminate { target, reason, .. } => {
                let (target, reason) = (target.clone(), reason.clone());
                let message = Message::Terminate { target, parent: None, reason, recursive: false };
                self.send(&mut taken.commit, message);
            }
            Action::WaitForEvent { .. }
            | Action::Detached { .. }
            | Action::SideEffect { .. }
            | Action::Patched { .. }
            | Action::Cancelled { .. }
            | Action::Complete(_) => {}
        }
    }

    fn schedule_timer(&mut self, slot: &Slot, taken: &mut Taken, operation: OperationId, fire_at: Timestamp) {
        let row = TimerRow { fire_at, key: slot.head.life.key, execution: slot.head.life.execution, operation };
        self.add_timer(row);
        self.timers.insert(row);
        taken.commit.timers_new.push(row);
    }

    #[expect(clippy::ptr_arg, reason = "a borrowed name stays borrowed")]
    fn schedule_task(
        &mut self,
        slot: &Slot,
        taken: &mut Taken,
        operation: OperationId,
        name: &Cow<'static, str>,
        input: &JsonText,
        attempt: Option<Attempt>,
    ) {
        let id = TaskId { key: slot.head.life.key, execution: slot.head.life.execution, operation };
        if let Some(failure) = self.refuse_task(slot, name, operation) {
            self.tasks.insert(id, TaskState::Refused);
            return self.send(&mut taken.commit, Message::TaskRefused { parent: parent_of(slot, operation), failure });
        }
        self.tasks.insert(id, TaskState::Open);
        taken.commit.tasks_new.push(TaskRow { id, turn_number: slot.records, name: name.clone() });
        taken.effects.push(Effect::RunActivity(Box::new(ActivityTask {
            store_id: self.store_id,
            task: id,
            attempt,
            instance: slot.head.life.id.clone(),
            name: name.clone(),
            input: input.clone(),
            trace: taken.trace.clone(),
        })));
    }

    fn refuse_task(&self, slot: &Slot, name: &str, operation: OperationId) -> Option<FailureDetails> {
        if self.registry.activity(name).is_none() {
            return Some(Self::not_registered("activity", name));
        }
        // Operation numbers count every operation, so nothing need be counted while they are below the limit.
        if operation.0 as usize > self.config.open_tasks {
            let id = |operation| TaskId { key: slot.head.life.key, execution: slot.head.life.execution, operation };
            let open =
                self.tasks.range(id(OperationId(0))..=id(OperationId(u32::MAX))).take(self.config.open_tasks).count();
            if open >= self.config.open_tasks {
                let text = format!(
                    "an instance can have at most {open} open activities: await some before you call more, for example with `ctx.join_all_limit`"
                );
                return Some(FailureDetails::new(TOO_MANY_TASKS, text).non_retriable());
            }
        }
        None
    }

    /// Removes the rows of an operation whose future was dropped, and ends its sub-orchestration.
    fn cancel(&mut self, slot: &Slot, taken: &mut Taken, operation: OperationId) {
        let id = TaskId { key: slot.head.life.key, execution: slot.head.life.execution, operation };
        match self.tasks.remove(&id) {
            Some(TaskState::Open | TaskState::Done) => taken.commit.tasks_done.push(id),
            // The message with the refusal finds nobody waiting and is discarded.
            Some(TaskState::Refused) | None => {}
        }
        if let Some(row) = self.remove_timer(id) {
            taken.commit.timers_done.push(row);
        }
        if let Some(target) = slot.live.as_ref().and_then(|live| live.released(operation)).cloned() {
            let reason = format!("the orchestration `{}` no longer waits for it", slot.head.life.id);
            let parent = Some(parent_of(slot, operation));
            self.send(&mut taken.commit, Message::Terminate { target, parent, reason, recursive: false });
        }
    }

    pub(super) fn add_timer(&mut self, row: TimerRow) {
        self.timer_rows
            .insert(TaskId { key: row.key, execution: row.execution, operation: row.operation }, row.fire_at);
    }

    /// Forgets a timer, and returns its row if there is one.
    pub(super) fn remove_timer(&mut self, id: TaskId) -> Option<TimerRow> {
        let fire_at = self.timer_rows.remove(&id)?;
        let row = TimerRow { fire_at, key: id.key, execution: id.execution, operation: id.operation };
        self.timers.remove(&row);
        self.caution.forget_timer(&row);
        Some(row)
    }
}

pub(super) fn parent_of(slot: &Slot, operation: OperationId) -> Parent {
    Parent {
        instance: slot.head.life.id.clone(),
        key: slot.head.life.key,
        execution: slot.head.life.execution,
        operation,
    }
}
