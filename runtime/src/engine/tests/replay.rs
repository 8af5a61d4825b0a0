//! One execution, driven input by input: live, rebuilt from its records at every turn, and by replayers that are wrong.

use std::sync::Arc;

use proptest::prelude::*;

use crate::context::Awaits;
use crate::engine::PartitionConfig;
use crate::engine::execution::LiveExecution;
use crate::engine::program::{Identity, TurnStep};
use crate::engine::sim::chaos::Rng;
use crate::engine::sim::code::code_of;
use crate::engine::sim::code::registry;
use crate::engine::sim::program::{Alphabet, EVENTS, OUTSIDE, Program, interpret, programs};
use crate::engine::sim::{EPOCH, Sim};
use crate::engine::stuck::Stuck;
use crate::engine::tests::cases;
use crate::model::{
    Action, Completion, Epoch, Execution, ExecutionLimits, ExecutionStarted, FailureDetails, Input, InstanceId,
    JsonText, KeyMint, OperationId, PartitionCount, PartitionId, Timestamp, TurnRecord, wire,
};

/// How the records of an execution come about.
struct Driver {
    rng: Rng,
    now: Timestamp,
    newest: Timestamp,
    /// Inputs that may be given.
    open: Vec<(OperationId, Awaits)>,
    records: Vec<TurnRecord>,
}

fn identity() -> Identity {
    let id = InstanceId::new("i0").unwrap();
    Identity {
        id,
        execution: Execution(0),
        mint: Arc::new(KeyMint::new(Epoch(1), PartitionId::FIRST, PartitionCount::ONE)),
    }
}

fn started(program: &Program) -> Arc<ExecutionStarted> {
    Arc::new(ExecutionStarted {
        execution_id: uuid::Uuid::from_u128(1),
        name: "program".to_owned(),
        version: String::new(),
        input: JsonText::encode(program).unwrap(),
        custom_status: None,
        tags: Default::default(),
        parent: None,
        start_at: None,
        trace: None,
        limits: ExecutionLimits::default(),
    })
}

fn replayed(started: &Arc<ExecutionStarted>, records: &[TurnRecord]) -> Result<LiveExecution, Stuck> {
    // Every closure that replay runs again would give something else.
    OUTSIDE.set(0xdead_0000);
    let stored = records.iter().map(|record| wire::decode_record(&wire::encode_record(record)).unwrap()).collect();
    let checks = PartitionConfig::default().checks();
    LiveExecution::replay(identity(), &code_of(interpret), Arc::clone(started), stored, &[], checks)
}

impl Driver {
    fn new(seed: u64) -> Self {
        Self { rng: Rng(seed), now: EPOCH, newest: EPOCH, open: Vec::new(), records: Vec::new() }
    }

    /// A random group of what may come next, in a random order.
    fn inputs(&mut self, live: &LiveExecution) -> Vec<Input> {
        self.open = live.open_operations();
        let mut inputs = Vec::new();
        for _ in 0..=self.rng.below(4) {
            let place = self.rng.below(self.open.len() + 1);
            if place == self.open.len() {
                let name = EVENTS[self.rng.below(3)].to_owned();
                let payload = JsonText::encode(&self.rng.below(1_000)).unwrap();
                inputs.push(Input::EventRaised { name, payload, event_id: None });
                continue;
            }
            let (operation, awaits) = self.open.remove(place);
            match awaits {
                Awaits::Task => inputs.extend(self.task_done(operation)),
                Awaits::Timer(at) => {
                    self.now = self.now.max(at);
                    inputs.push(Input::TimerFired { operation });
                }
                Awaits::Child(_) | Awaits::Event => {}
            }
        }
        inputs
    }

    fn task_done(&self, operation: OperationId) -> Option<Input> {
        self.records.iter().flat_map(|record| &record.actions).find_map(|action| match action {
            Action::ScheduleTask { operation: other, name, input, .. } if *other == operation => Some(match &**name {
                "echo" => Input::TaskCompleted { operation, result: input.clone() },
                _ => Input::TaskFailed { operation, failure: FailureDetails::new("f", "m") },
            }),
            _ => None,
        })
    }

    /// One live turn of this execution, recorded.
    fn turn(&mut self, live: &mut LiveExecution, inputs: Vec<Input>) -> Option<Completion> {
        let number = self.records.len() as u64;
        OUTSIDE.set(number * 1_000);
        self.newest = self.newest.max(self.now);
        let TurnStep::Done(output) = live.turn(self.newest, self.now, &inputs, None).unwrap() else {
            panic!("it is answered at once")
        };
        let record = TurnRecord {
            turn_number: number,
            time: self.newest,
            polled: true,
            inputs,
            actions: output.actions,
            ..TurnRecord::unpolled(number, self.newest, Vec::new())
        };
        self.records.push(record);
        output.completion
    }

    /// Whole runs: the records, and whether it ended.
    fn run(mut self, program: &Program, evict: bool) -> (Vec<TurnRecord>, bool) {
        let started = started(program);
        let mut live = LiveExecution::new(identity(), &code_of(interpret), Arc::clone(&started));
        let mut inputs = vec![Input::ExecutionStarted(std::sync::Arc::clone(&started))];
        for _ in 0..30 {
            let ended = self.turn(&mut live, inputs).is_some();
            if ended {
                return (self.records, true);
            }
            if evict {
                live = replayed(&started, &self.records).unwrap();
            }
            // Some inputs are recorded before they are delivered.
            inputs = self.inputs(&live);
            if self.rng.below(4) == 0 && !inputs.is_empty() {
                let kept = inputs.split_off(self.rng.below(inputs.len()));
                let inputs = std::mem::replace(&mut inputs, kept);
                let record = TurnRecord::unpolled(self.records.len() as u64, self.newest, inputs);
                live.defer(record.turn_number, record.inputs.clone());
                self.records.push(record);
            }
        }
        (self.records, false)
    }
}

/// The planted bug: it feeds an input, polls, and feeds the next.
fn replays_input_by_input(program: &Program, records: &[TurnRecord]) -> bool {
    let started = started(program);
    let mut live = LiveExecution::new(identity(), &code_of(interpret), started);
    let mut waiting = Vec::new();
    for record in records {
        waiting.extend(record.inputs.clone());
        if !record.polled {
            continue;
        }
        let mut actions = Vec::new();
        let mut ended = false;
        OUTSIDE.set(record.turn_number * 1_000);
        for input in waiting.drain(..) {
            if ended {
                return false;
            }
            let Ok(TurnStep::Done(output)) = live.turn(record.time, record.time, &[input], None) else { return false };
            actions.extend(output.actions);
            ended = output.completion.is_some();
        }
        let agree = actions.len() == record.actions.len()
            && actions.iter().zip(&record.actions).all(|(issued, recorded)| issued.agrees_with(recorded));
        if !agree {
            return false;
        }
    }
    true
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn a03_live_replayed_and_evicted_runs_are_the_same(seed: u64, program in programs(Alphabet::Alone)) {
        let (live, ended) = Driver::new(seed).run(&program, false);
        let (evicted, _) = Driver::new(seed).run(&program, true);
        prop_assert_eq!(&live, &evicted);
        // A whole replay from any record on the way gives an execution that has not ended.
        let unended = live.len() - usize::from(ended);
        for upto in 1..=unended {
            prop_assert!(replayed(&started(&program), &live[..upto]).is_ok());
        }
    }

    #[test]
    fn a03_a_partition_that_evicts_at_every_turn_records_the_same(seed: u64, program in programs(Alphabet::Alone)) {
        prop_assert_eq!(partition_run(seed, &program, 1), partition_run(seed, &program, 0));
    }
}

/// A partition that is given the same groups of inputs; `live_instances` decides how often it replays.
fn partition_run(seed: u64, program: &Program, live_instances: usize) -> Vec<(Execution, TurnRecord)> {
    let config = PartitionConfig { live_instances, ..PartitionConfig::default() };
    let mut sim = Sim::new(config, registry(&[("program", interpret)]));
    let mut rng = Rng(seed);
    sim.start("i0", "program", &serde_json::to_value(program).unwrap());
    for step in 0..40 {
        OUTSIDE.set(step * 1_000);
        sim.settle_rows();
        sim.start_activities();
        sim.now.0 += rng.below(150) as i64;
        for _ in 0..rng.below(4) {
            let running: Vec<_> = sim.activities.running().collect();
            match running.get(rng.below(running.len() + 1)) {
                Some(task) => sim.finish(*task),
                None => drop(sim.raise("i0", EVENTS[rng.below(3)], &serde_json::json!(step))),
            }
        }
    }
    sim.settle_rows();
    assert_eq!(sim.head("i0").progress.parked, None);
    sim.recorded.into_iter().map(|(_, execution, turn)| (execution, turn)).collect()
}

#[test]
fn a03_a_replay_that_polls_after_each_input_is_found() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut found = 0;
    for seed in 0..200 {
        let program = programs(Alphabet::Alone).new_tree(&mut runner).unwrap().current();
        let (records, _) = Driver::new(seed).run(&program, false);
        found += usize::from(!replays_input_by_input(&program, &records));
    }
    assert!(found > 0, "the comparison of replayed actions does not see it");
}
