//! The driver's table of activities, and what simulated activities return.

use std::collections::BTreeMap;

use super::store::ModelStore;
use crate::contract::{ActivityFailure, Undecodable};
use crate::engine::{ActivityTask, PartitionInput};
use crate::model::{FailureDetails, InstanceId, JsonText, PartitionId, TaskId};
use crate::registry::Registry;

type ActivityResult = Result<JsonText, ActivityFailure>;

enum Stage {
    Queued(ActivityTask),
    Running(ActivityTask),
    Finished(ActivityResult),
}

/// Which activities are queued, running, or finished and not recorded; and how often each ran.
#[derive(Default)]
pub(crate) struct Activities {
    stages: BTreeMap<TaskId, Stage>,
    /// How often each was started.
    pub(crate) runs: BTreeMap<TaskId, u32>,
    /// The activities that cannot decode their input, as their registration says so too.
    pub(crate) undecodable: Option<Undecodable>,
    /// Activities that fail do so no more.
    pub(crate) repaired: bool,
    /// Those that were told to stop.
    pub(crate) cancelled: Vec<TaskId>,
}

impl Activities {
    /// One that has finished answers with its result again.
    pub(super) fn run(&mut self, task: ActivityTask) -> Option<PartitionInput> {
        match self.stages.get(&task.task) {
            Some(Stage::Finished(result)) => Some(PartitionInput::TaskDone { task: task.task, result: result.clone() }),
            Some(_) => None,
            None => {
                self.stages.insert(task.task, Stage::Queued(task));
                None
            }
        }
    }

    /// The tasks that have not finished.
    pub(crate) fn open(&self) -> impl Iterator<Item = &ActivityTask> {
        self.stages.values().filter_map(|stage| match stage {
            Stage::Queued(task) | Stage::Running(task) => Some(task),
            Stage::Finished(_) => None,
        })
    }

    pub(super) fn settle(&mut self, task: TaskId) {
        if let Some(Stage::Running(_)) = self.stages.remove(&task) {
            self.cancelled.push(task);
        }
    }

    /// Settles the tasks of a partition that have no row. A life that was purged has none in any partition.
    pub(super) fn retain(&mut self, store: &ModelStore, partition: PartitionId) {
        self.stages.retain(|task, _| {
            let elsewhere = store.heads.contains_key(&task.key) && !store.is_of(task.key, partition);
            store.tasks.contains_key(task) || elsewhere
        });
    }

    pub(super) fn crash(&mut self) {
        self.stages.clear();
    }

    /// Starts what is queued. Returns the tasks whose activity is not registered.
    pub(super) fn dispatch(&mut self, store: &ModelStore, registry: &Registry) -> Vec<ActivityTask> {
        let unknown = |stage: &Stage| match stage {
            Stage::Queued(task) if registry.activity(&task.name).is_none() => Some(task.clone()),
            _ => None,
        };
        let unregistered: Vec<_> = self.stages.values().filter_map(unknown).collect();
        unregistered.iter().for_each(|task| drop(self.stages.remove(&task.task)));
        for (id, stage) in &mut self.stages {
            if let Stage::Queued(task) = stage {
                let row = store.tasks.get(id).expect("an activity starts only while its schedule is durable");
                assert_eq!(row.name, task.name);
                *stage = Stage::Running(task.clone());
                *self.runs.entry(*id).or_default() += 1;
            }
        }
        unregistered
    }

    pub(crate) fn running(&self) -> impl Iterator<Item = TaskId> {
        self.stages.iter().filter(|(_, stage)| matches!(stage, Stage::Running(_))).map(|(id, _)| *id)
    }

    /// The input of an activity that runs.
    pub(crate) fn input_of(&self, id: &TaskId) -> Option<serde_json::Value> {
        match self.stages.get(id) {
            Some(Stage::Running(task)) => task.input.decode().ok(),
            _ => None,
        }
    }

    /// Ends a run; gives the instance that it is for, too.
    pub(super) fn finish(&mut self, id: TaskId) -> Option<(InstanceId, PartitionInput)> {
        let stage = self.stages.get_mut(&id)?;
        let Stage::Running(task) = stage else { return None };
        let result = match self.undecodable.clone() {
            Some(input) => Err(input.into()),
            None if self.repaired => Ok(task.input.clone()),
            None => simulate(&task.name, &task.input),
        };
        let instance = task.instance.clone();
        *stage = Stage::Finished(result.clone());
        Some((instance, PartitionInput::TaskDone { task: id, result }))
    }

    pub(crate) fn most_runs(&self) -> u32 {
        self.runs.values().copied().max().unwrap_or(0)
    }
}

/// `fail` fails, all others return their input.
pub(crate) fn simulate(name: &str, input: &JsonText) -> ActivityResult {
    match name {
        "fail" => Err(FailureDetails::new("sim.Failed", input.as_str()).into()),
        _ => Ok(input.clone()),
    }
}
