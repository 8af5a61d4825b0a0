//! A scheduler with a seed: programs are started, disturbed and killed in a random order; then everything heals, and
//! nothing may be lost, doubled or stuck.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::code::{code_of, registry, registry_elsewhere};
use super::program::{EVENTS, NAMES, OUTSIDE, Program, interpret};
use super::{Answer, Fate, SECOND, Sim, id, start};
use crate::engine::TurnOffer;
use crate::engine::execution::LiveExecution;
use crate::engine::program::Identity;
use crate::engine::{
    ClientAnswer, ClientOperation, IdReusePolicy, PartitionConfig, PartitionInput, RequestId, VerifyReplay, history,
};
use crate::model::{
    Action, Execution, HeadChange, Input, InstanceKey, JsonText, KeyMint, ParentClosePolicy, PartitionCount,
    PartitionId, RuntimeStatus,
};
use crate::registry::Registry;

/// SplitMix64.
#[derive(Clone)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (crate::context::next_random(&mut self.0) % bound.max(1) as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// What may go wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) crashes: bool,
    pub(crate) lost_commits: bool,
    pub(crate) clock_jumps: bool,
    /// How many partitions the instances are spread over.
    pub(crate) partitions: u16,
    /// The programs run elsewhere, and answer late, twice, never, or to an offer that is outdated.
    pub(crate) elsewhere: bool,
    /// Code is registered and taken out while everything goes on.
    pub(crate) registry_changes: bool,
}

fn registered(faults: Faults) -> Registry {
    match faults.elsewhere {
        false => registry(&[("program", interpret)]),
        true => registry_elsewhere(&["program"], &[]),
    }
}

/// One random run.
pub(crate) struct Chaos {
    pub(crate) sim: Sim,
    rng: Rng,
    programs: Vec<Program>,
    faults: Faults,
    raises: Vec<(RequestId, String, String)>,
    starts: Vec<RequestId>,
    /// Offers that nobody answers until it is known that nobody will.
    lost: Vec<TurnOffer>,
}

impl Chaos {
    pub(crate) fn new(seed: u64, programs: Vec<Program>, faults: Faults) -> Self {
        let mut rng = Rng(seed);
        let config = PartitionConfig {
            live_instances: [0, 1, 10_000][rng.below(3)],
            inputs_per_turn: [1, 2, 1_000][rng.below(3)],
            inline_event_bytes: [0, 0, 1_024][rng.below(3)],
            input_bytes_per_turn: [1, 200, 4_000_000][rng.below(3)],
            verify: [VerifyReplay::Never, VerifyReplay::Always][rng.below(2)],
            ..PartitionConfig::default()
        };
        let partitions = PartitionCount::new(faults.partitions).unwrap();
        let mut sim = Sim::with_partitions(partitions, config, registered(faults));
        sim.verifies = rng.one_in(2);
        sim.elsewhere.insert("program".to_owned(), interpret);
        Self { sim, rng, programs, faults, raises: Vec::new(), starts: Vec::new(), lost: Vec::new() }
    }

    /// The disturbed part.
    pub(crate) fn disturb(&mut self, steps: usize) {
        for _ in 0..steps {
            OUTSIDE.set(crate::context::next_random(&mut self.rng.0) >> 16);
            self.step();
        }
    }

    fn step(&mut self) {
        let partition = self.rng.below(usize::from(self.faults.partitions));
        self.sim.focus(PartitionId(u16::try_from(partition).unwrap()));
        self.looks();
        self.offers();
        if self.faults.registry_changes && self.rng.one_in(10) {
            self.change_registry();
        }
        let choice = self.rng.below(100);
        match choice {
            0..18 => self.client(),
            18..45 => {
                let turns = 1 + self.rng.below(4);
                self.sim.run_some(turns);
            }
            45..62 => {
                let turns = 1 + self.rng.below(4);
                let fate = self.fate();
                self.sim.commit(turns, fate);
            }
            62..70 => {
                let place = self.rng.below(self.sim.loads.len());
                self.sim.read(place);
            }
            70..80 => {
                let place = self.rng.below(self.sim.loads.len());
                self.sim.deliver_load(place);
            }
            80..90 => {
                self.sim.start_activities();
                let running: Vec<_> = self.sim.activities.running().collect();
                if let Some(task) = running.get(self.rng.below(running.len())) {
                    self.sim.finish(*task);
                }
            }
            90..97 => self.clock(),
            97 if self.faults.crashes => self.sim.crash(),
            98 if self.faults.lost_commits => self.sim.recover(),
            99 if self.faults.crashes => self.restart(),
            _ => {}
        }
    }

    fn change_registry(&mut self) {
        let mut registry = registered(self.faults);
        match self.rng.below(4) {
            0 => drop(registry.remove_orchestrator("program", "")),
            1 => drop(registry.remove_activity("echo")),
            2 => drop(registry.remove_activity("fail")),
            _ => {}
        }
        self.sim.change_registry(registry);
    }

    /// Hints come late, in another order, twice, and without a cause.
    fn looks(&mut self) {
        match self.rng.below(8) {
            0 => self.sim.handle(PartitionInput::Look),
            1 | 2 => {
                let place = self.rng.below(self.sim.looks.len());
                self.sim.look(place);
            }
            3 => {
                let again = self.sim.looks.front().copied();
                self.sim.looks.extend(again);
            }
            _ => {}
        }
    }

    /// Answers come late, twice, never, or to an offer that is outdated.
    fn offers(&mut self) {
        let place = self.rng.below(self.sim.offers.len());
        let Some(offer) = self.sim.offers.get(place).cloned() else { return };
        match self.rng.below(8) {
            0..3 => self.sim.answer_offer(place),
            3 => self.sim.answer_to(&offer),
            4 => {
                self.sim.offers.remove(place);
                self.sim.give_up(&offer);
            }
            5 => self.lost.push(self.sim.offers.remove(place)),
            _ => {}
        }
    }

    fn fate(&mut self) -> Fate {
        if !self.faults.lost_commits || !self.rng.one_in(8) {
            Fate::Durable
        } else if self.rng.one_in(2) {
            Fate::LostBefore
        } else {
            Fate::LostAfter
        }
    }

    fn clock(&mut self) {
        let jump = self.rng.below(10);
        self.sim.now.0 += match jump {
            0 if self.faults.clock_jumps => 3_600 * SECOND,
            1 if self.faults.clock_jumps => -3_600 * SECOND,
            _ => self.rng.below(300) as i64,
        };
        self.sim.handle(PartitionInput::Tick);
    }

    /// A shutdown in good order, and the next start.
    fn restart(&mut self) {
        self.sim.stop_polling();
        self.sim.settle_rows();
        self.sim.crash();
    }

    fn client(&mut self) {
        let name = NAMES[self.rng.below(NAMES.len())];
        match self.rng.below(21) {
            0..7 => {
                let program = &self.programs[self.rng.below(self.programs.len())];
                let mut operation = start(Some(name), "program", &json!(program));
                let all = [IdReusePolicy::Attach, IdReusePolicy::Reject, IdReusePolicy::ReplaceEnded];
                operation.reuse = all[self.rng.below(3)];
                operation.start_at =
                    self.rng.one_in(5).then(|| self.sim.now.plus(std::time::Duration::from_micros(200)));
                operation.custom_status = self.rng.one_in(5).then(|| JsonText::encode(&"initial").unwrap());
                if self.rng.one_in(6) {
                    operation.id = None;
                }
                let request = self.sim.start_with(operation);
                self.starts.push(request);
            }
            7..14 => self.raise(name),
            14 => drop(self.sim.suspend(name)),
            15..17 => drop(self.sim.resume(name)),
            17 => {
                let recursive = self.rng.one_in(2);
                self.sim.terminate(name, recursive);
            }
            18 => drop(self.sim.purge(name)),
            19 => drop(self.sim.retry_parked(name)),
            _ => {
                let request = self.sim.restart(name, self.rng.one_in(2));
                self.starts.push(request);
            }
        }
    }

    fn raise(&mut self, name: &str) {
        let token = format!("token {}", self.sim.answers.len());
        let event = EVENTS[self.rng.below(3)].to_owned();
        let event_id = self.rng.one_in(3).then(|| format!("id {}", self.rng.below(4)));
        let identified = event_id.is_some();
        let payload = JsonText::encode(&token).unwrap();
        let request = self.sim.call(ClientOperation::RaiseEvent { id: id(name), name: event, payload, event_id });
        if !identified {
            self.raises.push((request, name.to_owned(), token));
        }
    }

    /// Nothing is disturbed any more, and everything that waits gets what it waits for.
    pub(crate) fn heal(&mut self) {
        for offer in std::mem::take(&mut self.lost) {
            self.sim.give_up(&offer);
        }
        self.sim.change_registry(registered(self.faults));
        for _ in 0..300 {
            self.sim.settle_all();
            self.check_children();
            let going: Vec<_> = self.sim.store.heads.values().filter(|head| !head.is_ended()).cloned().collect();
            if going.is_empty() {
                return;
            }
            for head in going {
                if head.progress.status == RuntimeStatus::Suspended {
                    // It is not tried again before.
                    self.sim.resume(head.life.id.as_str());
                } else {
                    assert_eq!(head.progress.parked, None, "{} is parked: {head:?}", head.life.id);
                }
                for event in EVENTS {
                    self.sim.raise(head.life.id.as_str(), event, &json!("healed"));
                }
            }
        }
        let stuck: Vec<_> = self.sim.store.heads.values().filter(|head| !head.is_ended()).collect();
        panic!("some never end: {stuck:?}");
    }

    /// Nobody goes on for whom no parent waits, unless its policy says so.
    fn check_children(&self) {
        let records: BTreeMap<_, Vec<_>> =
            self.sim.recorded.iter().fold(BTreeMap::new(), |mut all, (key, execution, turn)| {
                all.entry((*key, *execution)).or_insert_with(Vec::new).extend(&turn.actions);
                all
            });
        for head in self.sim.store.heads.values().filter(|head| !head.is_ended()) {
            let Some(parent) = &head.life.parent else { continue };
            let went_on = records.keys().any(|(key, execution)| *key == parent.key && *execution > parent.execution);
            let Some(actions) = records.get(&(parent.key, parent.execution)).filter(|_| !went_on) else { continue };
            let started = |action: &&&Action| action.operation() == Some(parent.operation);
            let stays = actions.iter().filter(started).any(|action| match action {
                Action::StartSubOrchestration { on_close, .. } => *on_close != Some(ParentClosePolicy::Terminate),
                Action::Detached { .. } => true,
                _ => false,
            });
            let cancelled = actions.iter().filter(started).any(|action| matches!(action, Action::Cancelled { .. }));
            let waits = self.sim.store.heads.get(&parent.key).is_some_and(|parent| !parent.is_ended());
            assert!(stays || (waits && !cancelled), "{} goes on without {parent:?}", head.life.id);
        }
    }

    /// What must hold at any moment.
    pub(crate) fn check_statuses(&self) {
        for head in self.sim.store.heads.values().filter(|head| !head.is_ended()) {
            let rows = self.sim.store.history(head.life.key, head.life.execution);
            let carried = self.sim.store.history(head.life.key, Execution::CARRIED);
            let records = history::decode(&rows, rows.len() as u64).unwrap();
            let started = std::sync::Arc::clone(history::started(&records).unwrap());
            let mint =
                std::sync::Arc::new(KeyMint::new(crate::model::Epoch(9_999), PartitionId::FIRST, PartitionCount::ONE));
            let identity = Identity { id: head.life.id.clone(), execution: head.life.execution, mint };
            let (code, checks) = (code_of(interpret), self.sim.config.checks());
            let live = LiveExecution::replay(identity, &code, started, records, &carried, checks).unwrap();
            assert_eq!(
                live.custom_status(),
                head.progress.custom_status,
                "the status of {} is the fold of its history",
                head.life.id
            );
        }
    }

    /// What must hold in the end.
    pub(crate) fn check(&self) {
        let sim = &self.sim;
        super::check::rows(&sim.store);
        sim.assert_clean();
        assert!(sim.is_quiet());
        assert_eq!(sim.not_repeatable, []);
        assert!(sim.answers.values().all(|(_, answer)| answer.is_some()), "a call was never answered");
        if !self.faults.crashes {
            assert!(sim.activities.most_runs() <= 1, "an activity ran twice without a crash");
        }
        self.check_starts();
        self.check_raises();
        self.check_published();
    }

    fn check_starts(&self) {
        let inserted: BTreeSet<InstanceKey> = self
            .sim
            .durable_commits
            .iter()
            .filter_map(|turn| match &turn.head {
                HeadChange::Insert(head) => Some(head.life.key),
                _ => None,
            })
            .collect();
        for request in &self.starts {
            if let Some(Answer::Is(Ok(ClientAnswer::Started { key, .. }))) = self.sim.answer(*request) {
                assert!(inserted.contains(&key), "a start was acknowledged and is not there");
            }
        }
    }

    fn check_raises(&self) {
        let mut recorded = BTreeMap::<String, Vec<(InstanceKey, Execution)>>::new();
        for (key, execution, turn) in &self.sim.recorded {
            for input in &turn.inputs {
                if let Input::EventRaised { payload, .. } = input
                    && let Ok(Value::String(token)) = payload.decode()
                {
                    recorded.entry(token).or_default().push((*key, *execution));
                }
            }
        }
        // The last turn of an execution that goes on as another is erased before it is seen.
        let went_on: BTreeSet<&str> = self
            .sim
            .durable_commits
            .iter()
            .filter(|turn| turn.erase_history.is_some())
            .filter_map(|turn| turn.head.life().map(|life| life.id.as_str()))
            .collect();
        for (request, name, token) in &self.raises {
            let found = recorded.get(token).cloned().unwrap_or_default();
            let once: BTreeSet<_> = found.iter().collect();
            assert_eq!(once.len(), found.len(), "{token} was recorded twice in one execution: {found:?}");
            assert!(found.iter().all(|(key, _)| *key == found[0].0), "{token} went to two lives");
            match self.sim.answer(*request) {
                Some(Answer::Is(Ok(_))) => {
                    assert!(
                        !found.is_empty() || went_on.contains(name.as_str()),
                        "{token} was acknowledged and is lost"
                    );
                }
                Some(Answer::Is(Err(refusal))) => {
                    assert!(found.is_empty(), "{token} was refused ({refusal}) and recorded");
                }
                _ => {}
            }
        }
    }

    fn check_published(&self) {
        let mut seen = BTreeMap::<InstanceKey, (u64, u64, Option<JsonText>)>::new();
        for head in &self.sim.published {
            let now =
                (head.progress.revision, head.progress.custom_status_version, head.progress.custom_status.clone());
            if let Some((revision, version, status)) = seen.insert(head.life.key, now) {
                assert!(head.progress.revision > revision, "revisions rise");
                let same = head.progress.custom_status == status;
                assert!(
                    head.progress.custom_status_version >= version
                        && (same || head.progress.custom_status_version > version)
                );
            }
        }
    }
}
