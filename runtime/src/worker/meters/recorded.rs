//! The meters of a build with the feature `metrics`.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use metrics::{Counter, Gauge, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram};
use metrics::{gauge, histogram};

use super::Written;
use crate::model::{Head, InstanceKey, PartitionCount, PartitionId, RuntimeStatus};

/// The meters of one runtime. Those without a label of their own are looked up once, when the runtime starts.
pub(crate) struct Meters {
    turns: Counter,
    commits: Counter,
    commit_time: Histogram,
    commit_turns: Histogram,
    commit_bytes: Histogram,
    replayed: Counter,
    recoveries: Counter,
    running: Level,
    queued: Level,
    parked: Level,
    partitions: Box<[PartitionMeter]>,
    /// By the name of the activity. A lookup of a meter by its labels allocates, so each is looked up once.
    by_activity: Mutex<HashMap<String, Arc<ActivityMeters>>>,
    ended: Mutex<HashMap<String, EndMeters>>,
    /// The lives that are parked, because a change of a head does not say whether the instance was parked before.
    parked_lives: Mutex<HashSet<InstanceKey>>,
}

/// What one runtime adds to a gauge. Several runtimes of a process add up.
struct Level {
    gauge: Gauge,
    now: AtomicUsize,
}

impl Level {
    fn new(gauge: Gauge) -> Self {
        Self { gauge, now: AtomicUsize::new(0) }
    }

    fn set(&self, level: usize) {
        let before = self.now.swap(level, Ordering::Relaxed);
        self.gauge.increment(level as f64 - before as f64);
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.set(0);
    }
}

struct ActivityMeters {
    waited: Histogram,
    completed: Histogram,
    failed: Histogram,
}

impl ActivityMeters {
    fn new(name: &str) -> Self {
        let ran = |outcome: &'static str| histogram!("persevere_activity_run_seconds", "activity" => name.to_owned(), "outcome" => outcome);
        Self {
            waited: histogram!("persevere_activity_wait_seconds", "activity" => name.to_owned()),
            completed: ran("completed"),
            failed: ran("failed"),
        }
    }
}

/// The meters of the ends of one orchestrator, by status.
type EndMeters = HashMap<RuntimeStatus, Counter>;

struct PartitionMeter {
    live: Level,
    uncommitted: Level,
}

impl PartitionMeter {
    fn new(partition: PartitionId) -> Self {
        let label = partition.0.to_string();
        Self {
            live: Level::new(gauge!("persevere_instances_live", "partition" => label.clone())),
            uncommitted: Level::new(gauge!("persevere_uncommitted_bytes", "partition" => label)),
        }
    }
}

impl Meters {
    pub(crate) fn new(count: PartitionCount) -> Self {
        describe();
        Self {
            turns: counter!("persevere_turns_total"),
            commits: counter!("persevere_commits_total"),
            commit_time: histogram!("persevere_commit_seconds"),
            commit_turns: histogram!("persevere_commit_turns"),
            commit_bytes: histogram!("persevere_commit_bytes"),
            replayed: counter!("persevere_replayed_turns_total"),
            recoveries: counter!("persevere_recoveries_total"),
            running: Level::new(gauge!("persevere_activities_running")),
            queued: Level::new(gauge!("persevere_activities_queued")),
            parked: Level::new(gauge!("persevere_instances_parked")),
            partitions: count.all().map(PartitionMeter::new).collect(),
            by_activity: Mutex::default(),
            ended: Mutex::default(),
            parked_lives: Mutex::default(),
        }
    }

    /// Notes a batch that has become durable.
    pub(crate) fn committed(&self, _: PartitionId, written: Written) {
        self.commits.increment(1);
        self.turns.increment(written.turns as u64);
        self.commit_time.record(written.took.as_secs_f64());
        self.commit_turns.record(written.turns as f64);
        self.commit_bytes.record(written.bytes as f64);
    }

    /// Notes the state of a partition after it was driven. `replayed` counts the turns since the last call.
    pub(crate) fn partition(&self, partition: PartitionId, live: usize, replayed: u64, undurable: usize) {
        let meter = &self.partitions[usize::from(partition.0)];
        meter.live.set(live);
        meter.uncommitted.set(undurable);
        if replayed > 0 {
            self.replayed.increment(replayed);
        }
    }

    /// Notes that a partition was loaded, with these parked lives.
    pub(crate) fn recovered(&self, _: PartitionId, parked: &[InstanceKey]) {
        self.recoveries.increment(1);
        self.with_parked(|lives| lives.extend(parked));
    }

    pub(crate) fn parked(&self, head: &Head) {
        if let Some(reason) = &head.progress.parked {
            counter!("persevere_parks_total", "code" => reason.code().as_str()).increment(1);
            self.with_parked(|lives| _ = lives.insert(head.life.key));
        }
    }

    pub(crate) fn changed(&self, head: &Head) {
        if head.progress.parked.is_none() {
            self.with_parked(|lives| _ = lives.remove(&head.life.key));
        }
        if head.is_ended() {
            self.ended(&head.life.name, head.progress.status).increment(1);
        }
    }

    fn ended(&self, orchestrator: &str, status: RuntimeStatus) -> Counter {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let labels = || [("orchestrator", orchestrator.to_owned()), ("status", status.to_string())];
        let new = || counter!("persevere_instances_ended_total", &labels());
        if let Some(of) = ended.get_mut(orchestrator) {
            return of.entry(status).or_insert_with(new).clone();
        }
        ended.entry(orchestrator.to_owned()).or_default().entry(status).or_insert_with(new).clone()
    }

    fn with_parked(&self, change: impl FnOnce(&mut HashSet<InstanceKey>)) {
        let mut lives = self.parked_lives.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut lives);
        self.parked.set(lives.len());
    }

    pub(crate) fn activities(&self, running: usize, queued: usize) {
        self.running.set(running);
        self.queued.set(queued);
    }

    /// Creates the meter of one run of an activity that has waited since `queued`.
    pub(crate) fn run(&self, name: &str, queued: Stopwatch) -> RunMeter {
        let mut known = self.by_activity.lock().unwrap_or_else(PoisonError::into_inner);
        let meters = match known.get(name) {
            Some(meters) => Arc::clone(meters),
            None => Arc::clone(known.entry(name.to_owned()).or_insert_with(|| Arc::new(ActivityMeters::new(name)))),
        };
        RunMeter { meters, since: queued.0 }
    }
}

impl std::fmt::Debug for Meters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

/// When something began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }
}

/// Measures how long a run of an activity waits and runs.
pub(crate) struct RunMeter {
    meters: Arc<ActivityMeters>,
    since: Instant,
}

impl RunMeter {
    /// The code is entered now.
    pub(crate) fn entered(&mut self) {
        self.meters.waited.record(self.since.elapsed().as_secs_f64());
        self.since = Instant::now();
    }

    /// The code has returned or panicked.
    pub(crate) fn ended(&mut self, failed: bool) {
        let meter = if failed { &self.meters.failed } else { &self.meters.completed };
        meter.record(self.since.elapsed().as_secs_f64());
    }
}

/// Tells the recorder what the metrics mean.
fn describe() {
    describe_counter!("persevere_turns_total", "Turns that became durable");
    describe_counter!("persevere_commits_total", "Batches of turns that became durable");
    describe_histogram!(
        "persevere_commit_seconds",
        Unit::Seconds,
        "Time from the first attempt to write a batch until it was durable"
    );
    describe_histogram!("persevere_commit_turns", Unit::Count, "Turns in a batch");
    describe_histogram!("persevere_commit_bytes", Unit::Bytes, "Bytes in a batch");
    describe_counter!("persevere_replayed_turns_total", "Turns that were replayed to bring an instance into memory");
    describe_counter!("persevere_recoveries_total", "Times that a partition was loaded from the store");
    describe_counter!("persevere_parks_total", "Times that an instance was parked, by code of the reason");
    describe_counter!("persevere_instances_ended_total", "Instances that ended, by orchestrator and status");
    describe_gauge!("persevere_instances_parked", Unit::Count, "Instances that are parked");
    describe_gauge!("persevere_instances_live", Unit::Count, "Instances in memory, by partition");
    describe_gauge!(
        "persevere_uncommitted_bytes",
        Unit::Bytes,
        "Bytes of turns that are not durable yet, by partition"
    );
    describe_gauge!("persevere_activities_running", Unit::Count, "Activities that are running");
    describe_gauge!("persevere_activities_queued", Unit::Count, "Activities that wait for a free place");
    describe_histogram!(
        "persevere_activity_wait_seconds",
        Unit::Seconds,
        "Time from when an activity was scheduled until its code was entered"
    );
    describe_histogram!(
        "persevere_activity_run_seconds",
        Unit::Seconds,
        "Time that the code of an activity ran, by outcome"
    );
}
