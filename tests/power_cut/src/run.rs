//! Runs a script on the store over several processes. Records what reached the disk and what was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use persevere::store::{CommitError, Durability, FileProbe, SqliteStore, Store};

use crate::check::Loss;
use crate::disk::{Disk, Event};
use crate::script::{PARTITION, Script};
use crate::{Random, Recorder};

/// The name of the database in its folder.
pub const DATABASE: &str = "store.db";

/// How often something that may fail is repeated.
const ATTEMPTS: usize = 40;

/// The parameters of a recording.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed, which decides everything else.
    pub seed: u64,
    /// How the store is opened.
    pub durability: Durability,
    /// Whether some syncs fail.
    pub failing_syncs: bool,
    /// The number of turn commits.
    pub turns: usize,
    /// The largest size of a payload, in bytes. If all payloads together exceed 4 MiB, the log is copied while commits
    /// continue.
    pub bytes: usize,
    /// The number of processes that run one after another.
    pub processes: usize,
}

/// What was known from this position in the events on.
#[derive(Clone, Copy, Debug)]
struct Known {
    position: usize,
    acknowledged: usize,
    sent: usize,
}

/// A recording: what reached the disk, and what was acknowledged.
#[derive(Debug)]
pub struct Recording {
    /// The parameters.
    pub plan: Plan,
    /// What the store was asked to write.
    pub script: Script,
    /// What happened to the disk.
    pub events: Vec<Event>,
    /// The position at which the first process had opened the store.
    pub opened: usize,
    ledger: Vec<Known>,
    random: Random,
}

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Killed,
    Closed,
    PowerCut,
}

impl Recording {
    /// Makes a recording. Returns an error if the store loses something in the meantime.
    pub async fn make(plan: Plan) -> Result<Self, Loss> {
        let script = Script::new(plan.seed, plan.turns, plan.bytes).await;
        let random = Random::new(plan.seed ^ 0x5eed);
        let mut recording = Self { plan, script, events: Vec::new(), opened: 0, ledger: Vec::new(), random };
        for process in 0..plan.processes {
            recording.process(process + 1 == plan.processes).await?;
        }
        Ok(recording)
    }

    /// Returns the numbers of turn commits that a store may hold at this position: from the number that was
    /// acknowledged to the number that was sent.
    pub fn allowed(&self, position: usize) -> std::ops::RangeInclusive<usize> {
        match self.ledger.iter().rfind(|known| known.position <= position) {
            Some(known) => known.acknowledged..=known.sent,
            None => 0..=0,
        }
    }

    /// Runs one process: it opens what the previous one left, and writes for a while.
    async fn process(&mut self, is_last: bool) -> Result<(), Loss> {
        let folder = tempfile::tempdir()?;
        let files = Disk::after(&self.events, 0).cache();
        let begin = self.events.len();
        let recorder = Recorder::resume(folder.path(), std::mem::take(&mut self.events), &files)?;
        if self.plan.failing_syncs {
            let (first, count) = (self.random.below(45), self.random.below(6) + 1);
            recorder.fail_syncs(first..first + count);
        }
        let end = match self.random.below(3) {
            _ if is_last => End::Closed,
            0 => End::Killed,
            1 => End::Closed,
            _ => End::PowerCut,
        };
        let count = if is_last { self.plan.turns } else { self.plan.turns / self.plan.processes + 1 };
        let ends_with_failure = self.random.percent(60) && !is_last;
        let result = self.write(&recorder, count, ends_with_failure, end).await;
        self.events = recorder.stop();
        result?;
        if end == End::PowerCut {
            self.cut_power(begin);
        }
        Ok(())
    }

    /// Cuts the power somewhere in the life of the process. What came later has not happened.
    fn cut_power(&mut self, begin: usize) {
        let place = begin + self.random.below(self.events.len() - begin + 1);
        self.events.truncate(place);
        self.events.push(Event::Cut(self.random.next_number()));
        self.ledger.retain(|known| known.position <= place);
    }

    async fn write(
        &mut self,
        recorder: &Arc<Recorder>,
        count: usize,
        ends_with_failure: bool,
        end: End,
    ) -> Result<(), Loss> {
        let Some(store) = open(recorder, self.plan.durability) else { return Ok(()) };
        if self.opened == 0 {
            self.opened = recorder.position();
        }
        let Some((mut epoch, mut done)) = self.claim(&store, recorder).await? else { return Ok(()) };
        let last = self.plan.turns.min(done + count);
        let mut attempts = 0;
        while done < last && attempts < ATTEMPTS {
            attempts += 1;
            self.note(recorder, done, done + 1);
            match store.commit(self.script.batch(epoch, done)).await {
                Ok(()) => {
                    done += 1;
                    attempts = 0;
                    self.note(recorder, done, done);
                }
                Err(CommitError::Transient(_) | CommitError::Full(_)) => {}
                Err(CommitError::Ambiguous(_) | CommitError::LeaseLost(_)) if ends_with_failure => return Ok(()),
                Err(CommitError::Ambiguous(_) | CommitError::LeaseLost(_)) => {
                    let Some(claimed) = self.claim(&store, recorder).await? else { return Ok(()) };
                    (epoch, done) = claimed;
                }
                Err(error) => return Err(Loss::new(format!("turn {done} is refused: {error}"))),
            }
        }
        if end == End::Closed {
            // It may fail and report that. In both cases nothing may be lost.
            let _ = store.close(PARTITION).await;
        }
        Ok(())
    }

    /// Claims the store and returns how many turn commits it holds, or `None` if syncs fail for too long.
    async fn claim(
        &mut self,
        store: &SqliteStore,
        recorder: &Arc<Recorder>,
    ) -> Result<Option<(persevere::model::Epoch, usize)>, Loss> {
        for _ in 0..ATTEMPTS {
            if let Ok(claim) = store.claim(PARTITION).await {
                let done = crate::check::turns_held(&self.script, store, self.allowed(recorder.position())).await?;
                self.note(recorder, done, done);
                return Ok(Some((claim.epoch, done)));
            }
        }
        Ok(None)
    }

    fn note(&mut self, recorder: &Arc<Recorder>, acknowledged: usize, sent: usize) {
        self.ledger.push(Known { position: recorder.position(), acknowledged, sent });
    }
}

/// Opens the store. Returns `None` if that fails for too long, as it does while syncs fail.
fn open(recorder: &Arc<Recorder>, durability: Durability) -> Option<SqliteStore> {
    let builder =
        SqliteStore::builder(recorder.folder().join(DATABASE)).durability(durability).lock_wait(Duration::ZERO);
    let builder = builder.file_probe(Arc::clone(recorder) as Arc<dyn FileProbe>);
    (0..ATTEMPTS).find_map(|_| builder.clone().open().ok())
}
