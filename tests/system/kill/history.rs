//! Follows the history of one execution and computes what must be stored with it: the status, the rows and the output.

use std::collections::{BTreeMap, BTreeSet};

use persevere::RuntimeStatus;
use persevere::engine::{Action, Completion, Input, TurnRecord};
use persevere_tests::crash::program::{LAST, Progress};

use super::look::Head;

/// How an operation was completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Done,
    Cancelled,
}

/// What one execution has done.
pub(super) struct Steps {
    head: Head,
    open: BTreeMap<u32, Waits>,
    settled: BTreeMap<u32, Settled>,
    issued: u32,
    /// The inputs that completed an operation, and the items, that the code has seen.
    ended: u32,
    items: u32,
    /// The same for inputs that wait for the next poll.
    unseen: (u32, u32),
    polled: bool,
    completion: Option<Completion>,
    terminated: bool,
    versions: i64,
    done: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Task,
    Timer,
    Child,
    Event,
}

impl Steps {
    /// Follows the records. Each operation must be issued once and completed at most once.
    pub(super) fn follow(head: &Head, records: &[TurnRecord]) -> Self {
        let mut steps = Self {
            head: head.clone(),
            open: BTreeMap::new(),
            settled: BTreeMap::new(),
            issued: 0,
            ended: 0,
            items: 0,
            unseen: (0, 0),
            polled: false,
            completion: None,
            terminated: false,
            versions: 0,
            done: None,
        };
        assert!(!records.is_empty(), "an instance without a record: {head:?}");
        for (place, record) in records.iter().enumerate() {
            assert_eq!(record.turn_number, place as u64, "{head:?}");
            assert!(place == 0 || record.time >= records[place - 1].time, "time went back: {head:?}");
            assert!(steps.completion.is_none() && !steps.terminated, "a turn after the end: {head:?}");
            steps.turn(record, place == 0);
        }
        steps.check_head();
        steps
    }

    /// Returns the tasks that need not run again.
    pub(super) fn settled(&self) -> impl Iterator<Item = (&u32, &Settled)> {
        self.settled.iter()
    }

    /// Each operation that is open in the history must have its row, and there must be no other rows.
    pub(super) fn check_rows(&self, tasks: &BTreeSet<u32>, timers: &BTreeSet<u32>) {
        let over = self.completion.is_some() || self.terminated;
        let open = |waits| -> BTreeSet<u32> {
            self.open.iter().filter(|(_, open)| !over && **open == waits).map(|(operation, _)| *operation).collect()
        };
        assert_eq!(*tasks, open(Waits::Task), "task rows of {:?}", self.head);
        let mut expected = open(Waits::Timer);
        // The start of an execution also has a row, until its first poll.
        if !self.polled && !over {
            expected.insert(0);
        }
        assert_eq!(*timers, expected, "timer rows of {:?}", self.head);
    }

    fn turn(&mut self, record: &TurnRecord, is_first: bool) {
        for (place, input) in record.inputs.iter().enumerate() {
            let starts = matches!(input, Input::ExecutionStarted(_));
            assert_eq!(starts, is_first && place == 0, "the start is the first input: {:?}", self.head);
            self.input(input);
        }
        if !record.polled {
            assert!(record.actions.is_empty(), "actions without a poll: {:?}", self.head);
            return;
        }
        self.polled = true;
        self.ended += std::mem::take(&mut self.unseen.0);
        self.items += std::mem::take(&mut self.unseen.1);
        for action in &record.actions {
            self.action(action);
        }
        let done = self.progress();
        if done.is_some() && done != self.done {
            self.done = done;
            self.versions += 1;
        }
    }

    fn input(&mut self, input: &Input) {
        if let Some(operation) = input.operation() {
            let waits = self.open.remove(&operation.0);
            let expected = match input {
                Input::TaskCompleted { .. } => Waits::Task,
                Input::TimerFired { .. } => Waits::Timer,
                Input::SubOrchestrationCompleted { .. } => Waits::Child,
                other => panic!("{other:?}: {:?}", self.head),
            };
            assert_eq!(waits, Some(expected), "{input:?} settles nothing that is open: {:?}", self.head);
            if expected == Waits::Task {
                self.settled.insert(operation.0, Settled::Done);
            }
            self.unseen.0 += 1;
        }
        match input {
            Input::EventRaised { payload, .. } => self.unseen.1 += u32::from(payload.as_str() != LAST.to_string()),
            Input::Terminated { .. } => self.terminated = true,
            _ => {}
        }
    }

    fn action(&mut self, action: &Action) {
        assert!(self.completion.is_none(), "an action after the end: {:?}", self.head);
        let waits = match action {
            Action::ScheduleTask { .. } => Waits::Task,
            Action::CreateTimer { .. } => Waits::Timer,
            Action::WaitForEvent { .. } => Waits::Event,
            Action::StartSubOrchestration { .. } => Waits::Child,
            Action::Cancelled { operation } => {
                let waits = self.open.remove(&operation.0);
                assert!(waits.is_some(), "{action} of what is not open: {:?}", self.head);
                if waits == Some(Waits::Task) {
                    self.settled.insert(operation.0, Settled::Cancelled);
                }
                return;
            }
            Action::Complete(completion) => return self.completion = Some(completion.clone()),
            other => panic!("{other}: {:?}", self.head),
        };
        self.issued += 1;
        assert_eq!(action.operation().map(|operation| operation.0), Some(self.issued), "{action}: {:?}", self.head);
        self.open.insert(self.issued, waits);
    }

    /// Returns what the status must say by now, or `None` if it does not follow from the history of this kind.
    fn progress(&self) -> Option<u32> {
        let size = || self.head.input.parse::<u32>().unwrap();
        Some(match &*self.head.name {
            "steps" | "timers" | "doomed" => self.ended,
            "fan" => {
                if self.ended == size() {
                    size()
                } else {
                    0
                }
            }
            "parent" => {
                if self.ended == size() + 1 {
                    size()
                } else {
                    self.ended
                }
            }
            "collect" => self.items,
            "eternal" => serde_json::from_str::<Vec<i64>>(&self.head.input).unwrap().len() as u32,
            _ => return None,
        })
    }

    /// The head must agree with the history, and be neither behind it nor ahead of it.
    fn check_head(&self) {
        let head = &self.head;
        let expected = match &self.completion {
            Some(Completion::Completed(output)) => {
                assert_eq!(head.output.as_deref(), Some(output.as_str()), "{head:?}");
                RuntimeStatus::Completed
            }
            Some(other) => panic!("{other:?}: {head:?}"),
            None if self.terminated => RuntimeStatus::Terminated,
            None if self.polled || head.execution > 0 => RuntimeStatus::Running,
            None => RuntimeStatus::Pending,
        };
        assert_eq!(head.status, expected, "{head:?}");
        let status = head.custom_status.as_ref().map(|text| serde_json::from_str::<Progress>(text).unwrap().done);
        match self.done {
            Some(_) => assert_eq!(status, self.done, "the status is not what the history says: {head:?}"),
            None => assert!(status.is_none_or(|done| done <= self.items || head.execution > 0), "{head:?}"),
        }
        if self.done.is_some() && head.execution == 0 {
            assert_eq!(head.custom_status_version, self.versions, "changes of the status: {head:?}");
        }
    }
}
