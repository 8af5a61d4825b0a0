//! Registered and unregistered code: the one rule, and what follows when the registry changes while the partition runs.
//!
//! | who asks for a name that is not registered | what happens |
//! |---|---|
//! | a client that starts an instance | the start is refused |
//! | code that calls an activity or an attached sub-orchestration | the call fails, as a recorded input |
//! | an existing instance or task | it waits, visibly parked, until the name is registered |

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address::Addressed;
use super::slot::Slot;
use super::{BacklogToken, Partition, TaskState};
use crate::contract::kind;
use crate::engine::stuck::Stuck;
use crate::engine::{ActivityTask, Effect, Refusal, StartOperation};
use crate::model::{ExecutionStarted, FailureDetails, InstanceKey, ParkReason, Timestamp};
use crate::registry::{OrchestratorCode, Registry};

/// The lives that wait for code.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By the name of the orchestrator.
    orchestrators: BTreeMap<String, BTreeSet<InstanceKey>>,
    /// The tasks that are not run, by the life to which they belong.
    #[expect(clippy::vec_box, reason = "the tasks come in their boxes and leave in them")]
    tasks: BTreeMap<InstanceKey, Vec<Box<ActivityTask>>>,
}

impl Waiting {
    /// Notes that a life waits, if that is the reason why it is stuck.
    pub(super) fn note(&mut self, key: InstanceKey, stuck: &Stuck) {
        if let Stuck::NotRegistered { name, .. } = stuck {
            self.orchestrators.entry(name.clone()).or_default().insert(key);
        }
    }

    /// Notes that the tasks of a life are gone.
    pub(super) fn forget(&mut self, key: InstanceKey) {
        self.tasks.remove(&key);
    }
}

impl Partition {
    /// Returns the code of an execution, or the reason why it is stuck.
    pub(super) fn code_of(&self, started: &ExecutionStarted) -> Result<&OrchestratorCode, Stuck> {
        let (name, version) = (&started.name, &started.version);
        self.registry
            .code(name, version)
            .ok_or_else(|| Stuck::NotRegistered { name: name.clone(), version: version.clone() })
    }

    /// Returns why a client cannot start this, if it cannot.
    pub(super) fn refuse_unregistered(&self, start: &StartOperation) -> Option<Refusal> {
        let known = match &start.version {
            Some(version) => self.registry.code(&start.name, version).is_some(),
            None => self.registry.default_version(&start.name).is_some(),
        };
        (!known).then(|| Refusal::NotRegistered { name: start.name.clone(), version: start.version.clone() })
    }

    /// Returns the failure of a call whose name is not registered.
    pub(super) fn not_registered(what: &str, name: &str) -> FailureDetails {
        let text = format!("no {what} `{name}` is registered in this runtime: register it, or correct the name");
        FailureDetails::new(kind::NOT_REGISTERED, text).non_retriable()
    }

    /// Handles a change of the registry. A name that was added tries again everything that waited for it. A name that
    /// was removed makes its instances wait: those in memory are dropped, so that their next turn looks for the code.
    pub(super) fn registry_changed(&mut self, now: Timestamp, registry: Arc<Registry>) {
        self.registry = registry;
        let gone = |slot: &Slot| slot.live.as_ref().is_some_and(|live| self.code_of(&live.started).is_err());
        let mut keys: Vec<InstanceKey> =
            self.slots.iter().filter(|(_, slot)| gone(slot)).map(|(key, _)| *key).collect();
        keys.sort_unstable();
        for key in keys {
            let Some(mut slot) = self.slots.remove(&key) else { continue };
            if slot.outstanding.is_some() {
                self.abandon(&mut slot);
                self.offer_again(&mut slot);
            }
            slot.live = None;
            self.put_back(key, slot);
        }
        let registry = Arc::clone(&self.registry);
        let mut come = BTreeSet::new();
        self.waiting.orchestrators.retain(|name, keys| {
            let there = registry.default_version(name).is_some();
            if there {
                come.append(keys);
            }
            !there
        });
        // A life that waits for several activities stays parked until all of them are registered. Those that are run.
        let is_registered = |task: &mut Box<ActivityTask>| registry.activity(&task.name).is_some();
        let (mut tasks, mut still) = (Vec::new(), Vec::new());
        self.waiting.tasks.retain(|key, waiting| {
            let before = tasks.len();
            tasks.extend(waiting.extract_if(.., is_registered));
            match waiting.first() {
                None => drop(come.insert(*key)),
                Some(task) if tasks.len() > before => still.push((*key, not_registered(task))),
                Some(_) => {}
            }
            !waiting.is_empty()
        });
        for (key, reason) in still {
            self.address(now, Addressed::Park(key, reason, None));
        }
        for task in tasks {
            self.run_or_wait(now, task, None);
        }
        for key in come {
            self.address(now, Addressed::RetryParked(key, None));
        }
    }

    /// Handles the answer of the driver that it knows no code for a task.
    pub(super) fn task_unregistered(&mut self, now: Timestamp, task: Box<ActivityTask>) {
        self.run_or_wait(now, task, None);
    }

    /// Has a task run or, if its activity is not registered, parks its instance until it is.
    pub(super) fn run_or_wait(&mut self, now: Timestamp, task: Box<ActivityTask>, token: BacklogToken) {
        // It may have been cancelled, or its instance may have ended, while it waited.
        if self.tasks.get(&task.task) != Some(&TaskState::Open) {
            return;
        }
        if self.registry.activity(&task.name).is_some() {
            return self.effect(Effect::RunActivity(task));
        }
        let (key, reason) = (task.task.key, not_registered(&task));
        let waiting = self.waiting.tasks.entry(key).or_default();
        if waiting.iter().all(|known| known.task != task.task) {
            waiting.push(task);
        }
        self.address(now, Addressed::Park(key, reason, token));
    }

    /// Returns whether an instance has a task that cannot be run. Trying it again does not help then.
    pub(super) fn is_blocked(&self, key: InstanceKey) -> bool {
        self.blocked.contains(&key) || self.caution.has_parked(key) || self.waiting.tasks.contains_key(&key)
    }
}

/// Why the instance of this task waits.
fn not_registered(task: &ActivityTask) -> ParkReason {
    Stuck::ActivityNotRegistered { name: task.name.to_string() }.reason()
}
