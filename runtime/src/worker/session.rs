//! A session: everything that lives from one claim of a partition to the next. It is dropped completely when a commit
//! fails.
//!
//! ```text
//! handle, run ──► Partition ──► outputs ┬─ Commit ───────────► lane ──► Durable ──┐
//!                                       ├─ Effect ───────────► gate ◄─────────────┘──► Outside
//!                                       └─ Load, ReadInbox ──► loads ──► Loaded, Inbox ──► handle
//! ```

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Context;
use std::time::Instant;

use super::commit_lane::{BatchBounds, CommitLane, LaneEvent};
use super::gate::Gate;
use super::loads::{Finished, Load, Loads};
use super::loss::Loss;
use super::outside::Outside;
use super::registered::Registered;
use crate::client::ChangeHub;
use crate::contract::panic_text;
use crate::engine::{
    Cautious, CommitNumber, CurrentTurn, Damage, Partition, PartitionConfig, PartitionInput, PartitionOutput,
};
use crate::model::{InstanceKey, PartitionCount, PartitionId, Timestamp};
use crate::store::{Backlog, Claim, Store};

/// The number of turns that are replayed to verify them before other work is looked at again: some milliseconds in a build
/// without optimisation.
const VERIFIED_TURNS: usize = 512;

/// How far the memory of one partition may be ahead of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionBounds {
    pub(crate) batch: BatchBounds,
    /// When the commits that are not durable have more bytes than this, no turn starts and no call is accepted.
    pub(crate) undurable_bytes: usize,
    /// The number of reads at a time.
    pub(crate) loads: usize,
    /// The number of turns between two checks of the queues and the store.
    pub(crate) turns_per_round: usize,
}

impl Default for SessionBounds {
    fn default() -> Self {
        Self { batch: BatchBounds::default(), undurable_bytes: 32 * 1024 * 1024, loads: 32, turns_per_round: 64 }
    }
}

/// The parts of a session besides the contents of the store.
#[derive(Debug)]
pub(crate) struct SessionParts {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) config: PartitionConfig,
    pub(crate) registry: Arc<Registered>,
    pub(crate) bounds: SessionBounds,
    /// Where the thread shows which turn is in progress.
    pub(crate) turn: Arc<CurrentTurn>,
}

pub(crate) struct Session {
    partition: Option<Partition>,
    lane: CommitLane,
    gate: Gate,
    loads: Loads,
    bounds: SessionBounds,
    turn: Arc<CurrentTurn>,
    /// Whether the partition has more turns that are ready.
    more: bool,
    /// The number of replayed turns that were reported.
    replayed: u64,
    /// The highest commit that the partition has made. Commits are numbered without gaps.
    last_commit: CommitNumber,
    /// Empty between two uses. Only its capacity is kept.
    outputs: Vec<PartitionOutput>,
}

impl Session {
    /// Creates a partition from the contents of the store.
    pub(crate) fn begin(
        parts: &SessionParts,
        home: PartitionId,
        claim: &Claim,
        backlog: Backlog,
        (now, first_claim): (Timestamp, bool),
    ) -> Result<Self, Loss> {
        let (config, registry) = (PartitionConfig { first_claim, ..parts.config.clone() }, parts.registry.get());
        let place = (home, parts.store.partitions());
        let mut partition = contained(|| Partition::recover(config, registry, place, claim, backlog, now))?;
        partition.show_turns(Arc::clone(&parts.turn));
        Ok(Self {
            partition: Some(partition),
            lane: CommitLane::new(Arc::clone(&parts.store), home, claim.epoch, parts.bounds.batch),
            gate: Gate::default(),
            loads: Loads::new(Arc::clone(&parts.store), home, parts.bounds.loads),
            bounds: parts.bounds,
            turn: Arc::clone(&parts.turn),
            more: true,
            replayed: 0,
            last_commit: CommitNumber::default(),
            outputs: Vec::new(),
        })
    }

    /// Gives the partition one input.
    pub(crate) fn handle(&mut self, now: Timestamp, input: PartitionInput) -> Result<(), Loss> {
        self.more = true;
        self.with_partition(|partition| partition.handle(now, input))
    }

    /// Parks an instance whose turns meet damaged data. This comes before any other input.
    pub(crate) fn note_damage(&mut self, now: Timestamp, key: InstanceKey, damage: &Damage) -> Result<(), Loss> {
        self.with_partition(|partition| partition.note_damage(now, key, damage))
    }

    /// Returns what the end of the last process means for the partition.
    pub(crate) fn cautious(&self) -> Cautious {
        self.partition.as_ref().map_or(Cautious::No, Partition::cautious)
    }

    /// Lets a partition begin that waits.
    pub(crate) fn let_begin(&mut self, now: Timestamp) -> Result<(), Loss> {
        self.more = true;
        self.with_partition(|partition| partition.let_begin(now))
    }

    /// Begins the shutdown: from now on, inputs are recorded, and nothing is polled or fired.
    pub(crate) fn stop_polling(&mut self) -> Result<(), Loss> {
        self.with_partition(Partition::stop_polling)
    }

    /// Reads, runs turns and writes, as far as that is possible without waiting. Returns what it achieved.
    pub(crate) fn advance(
        &mut self,
        cx: &mut Context<'_>,
        (now, instant): (Timestamp, Instant),
        outside: &mut Outside<'_>,
    ) -> Result<Progress, Loss> {
        let mut progress = Progress::default();
        progress.any |= self.take_loads(cx, (now, instant), outside.hub())?;
        if !self.is_blocked() {
            let turns = self.bounds.turns_per_round;
            self.more = self.with_partition(|partition| partition.run(now, turns))?;
            progress.any |= self.more;
        }
        progress.any |= self.take_outputs(outside)?;
        while let Some(event) = self.lane.poll(cx, instant) {
            match event {
                LaneEvent::Durable(upto) => {
                    (progress.any, progress.committed) = (true, true);
                    self.gate.durable(upto);
                    if let Some(written) = self.lane.take_written() {
                        outside.process.meters.committed(outside.partition, written);
                    }
                    self.release(now, outside)?;
                    self.handle(now, PartitionInput::Committed { upto })?;
                }
                LaneEvent::Lost(loss) => return Err(loss),
            }
        }
        self.release(now, outside)?;
        // The effects of every turn that is durable have left, so this delays none of them.
        let verified = self.with_partition(|partition| partition.verify(now, VERIFIED_TURNS))?;
        self.more |= verified;
        progress.any |= verified;
        self.report(outside)?;
        Ok(progress)
    }

    fn report(&mut self, outside: &Outside<'_>) -> Result<(), Loss> {
        let (live, replayed) =
            self.with_partition(|partition| (partition.live_instances(), partition.replayed_turns()))?;
        let new = replayed - std::mem::replace(&mut self.replayed, replayed);
        outside.process.meters.partition(outside.partition, live, new, self.lane.undurable_bytes());
        Ok(())
    }

    /// Returns whether memory may not run further ahead, because the store is slow or does not write at all.
    pub(crate) fn is_blocked(&self) -> bool {
        self.lane.trouble().is_some() || self.lane.undurable_bytes() > self.bounds.undurable_bytes
    }

    /// Returns why the store currently refuses to write.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.lane.trouble()
    }

    /// Returns whether a commit is on its way and not waiting to be sent again.
    pub(crate) fn is_writing(&self) -> bool {
        !self.lane.is_idle() && self.lane.trouble().is_none()
    }

    /// Returns whether every input is recorded, durable and released.
    pub(crate) fn is_drained(&self) -> bool {
        !self.more && self.lane.is_idle() && self.loads.is_idle() && self.gate.is_empty()
    }

    /// Returns when the store is asked again.
    pub(crate) fn wake_at(&self, now: Instant) -> Option<Instant> {
        [self.lane.wake_at(now), self.loads.wake_at(now)].into_iter().flatten().min()
    }

    /// Returns when the next timer is due, unless nothing can fire now anyway.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        if self.is_blocked() { None } else { self.partition.as_ref().and_then(Partition::next_deadline) }
    }

    /// Returns whether the partition must be claimed again because it has few keys left.
    pub(crate) fn needs_new_epoch(&self) -> bool {
        self.partition.as_ref().is_some_and(Partition::needs_new_epoch)
    }

    /// Reads the heads of the watched instances of this partition again, because a commit with an unknown outcome may
    /// have changed them.
    pub(crate) fn read_watched(&mut self, hub: &ChangeHub, home: PartitionId, partitions: PartitionCount) {
        for id in hub.watched_ids(|id| partitions.partition_of(id) == home) {
            let known = hub.known_life(&id);
            self.loads.push(Load::Watched { id, known });
        }
    }

    fn take_loads(
        &mut self,
        cx: &mut Context<'_>,
        (now, instant): (Timestamp, Instant),
        hub: &ChangeHub,
    ) -> Result<bool, Loss> {
        let mut finished = Vec::new();
        self.loads.poll(cx, instant, &mut finished);
        let any = !finished.is_empty();
        for read in finished {
            match read {
                Finished::Instance { ticket, result } => {
                    self.handle(now, PartitionInput::Loaded { ticket, result })?;
                }
                Finished::Inbox { ticket, rows } => self.handle(now, PartitionInput::Inbox { ticket, rows })?,
                Finished::Watched { result: Ok(Some(loaded)), .. } => hub.offer(loaded.stored.head),
                Finished::Watched { id, known, result: Ok(None) } => hub.offer_absent(&id, known),
                Finished::Watched { id, result: Err(error), .. } => {
                    tracing::warn!(instance = %id, %error, "a watched instance could not be read after the recovery");
                }
            }
        }
        Ok(any)
    }

    fn take_outputs(&mut self, outside: &Outside<'_>) -> Result<bool, Loss> {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.with_partition(|partition| partition.take_outputs(&mut outputs))?;
        let any = !outputs.is_empty();
        for output in outputs.drain(..) {
            match output {
                PartitionOutput::Load { ticket, target, with_history } => {
                    self.loads.push(Load::Instance { ticket, target, with_history });
                }
                PartitionOutput::ReadInbox { ticket, known } => self.loads.push(Load::Inbox { ticket, known }),
                PartitionOutput::Commit(number, turn) => {
                    if number.0 != self.last_commit.0 + 1 {
                        return Err(Loss::Recover(format!("{number:?} follows {:?}", self.last_commit)));
                    }
                    self.last_commit = number;
                    self.lane.push(number, turn);
                }
                PartitionOutput::Effect { after, effect } => {
                    outside.announce(&effect);
                    self.gate.hold(after, effect);
                }
            }
        }
        self.outputs = outputs;
        Ok(any)
    }

    fn release(&mut self, now: Timestamp, outside: &mut Outside<'_>) -> Result<(), Loss> {
        while let Some(effect) = self.gate.release() {
            if let Some(known) = outside.apply(effect) {
                self.handle(now, known)?;
            }
        }
        Ok(())
    }

    /// A panic of the engine is a loss, because the state of its memory is unknown.
    pub(super) fn with_partition<T>(&mut self, work: impl FnOnce(&mut Partition) -> T) -> Result<T, Loss> {
        let Some(partition) = self.partition.as_mut() else {
            return Err(Loss::Recover("the partition is gone".to_owned()));
        };
        contained(|| work(partition)).inspect_err(|_| self.turn.end())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let partition = self.partition.take();
        // The partition contains user futures, and their destructors are user code.
        if let Err(loss) = contained(|| drop(partition)) {
            tracing::error!(?loss, "dropping the partition panicked");
        }
    }
}

/// The result of an advance.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// Whether advancing again immediately is worthwhile.
    pub(crate) any: bool,
    /// Whether a batch became durable.
    pub(crate) committed: bool,
}

fn contained<T>(work: impl FnOnce() -> T) -> Result<T, Loss> {
    catch_unwind(AssertUnwindSafe(work))
        .map_err(|payload| Loss::Recover(format!("the engine panicked: {}", panic_text(payload))))
}
