//! Many random batches, legal and illegal: the store answers as the memory store does and ends with the same rows.

use std::sync::Arc;

use super::build::*;
use super::subject::Subject;
use crate::model::{RuntimeStatus, TurnCommit};
use crate::store::{CommitError, MemoryStore, Store};

/// The instance that has the tasks. It is never purged, for a task without its instance is damage.
const OWNER: u64 = 9;

/// A small generator of numbers: the batches are the same in every run and for every store.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Few instances and few numbers, so that rows meet.
    fn turn(&mut self) -> TurnCommit {
        let number = 1 + self.below(4);
        let small = u32::from(self.below(3) == 0);
        let fire_at = i64::from(self.below(2) == 0);
        let parts = (0..=self.below(2)).map(|_| match self.below(13) {
            0..3 => insert(head(number)),
            3 => {
                let mut changed = head(number);
                changed.status = RuntimeStatus::Suspended;
                changed.revision = self.below(1_000);
                changed.parked = (self.below(2) == 0).then(|| "parked".to_owned());
                update(changed)
            }
            4 | 5 => record(number, small, self.below(3)),
            6 => erase(number, small),
            7 => purge(number),
            8 => task(OWNER, small, 0),
            9 => task_done(OWNER, small),
            10 => timer(number, small, fire_at),
            11 => timer_done(number, small, fire_at),
            _ if self.below(2) == 0 => inbox(number),
            _ => inbox_done(number),
        });
        together(parts.collect::<Vec<_>>())
    }
}

pub(super) async fn random_batches_end_as_in_the_memory_store(mut store: Subject) {
    const BATCHES: u64 = 2_000;
    let memory = MemoryStore::new();
    let mut reference = Subject::open(Box::new(move || Arc::new(memory.clone()) as Arc<dyn Store>));
    let (mut numbers, mut applied) = (Numbers(2_026), 0);
    store.claim().await;
    reference.claim().await;
    store.commit([insert(head(OWNER))]).await;
    reference.commit([insert(head(OWNER))]).await;
    for batch in 0..BATCHES {
        let count = 1 + numbers.below(4);
        let turns: Vec<_> = (0..count).map(|_| numbers.turn()).collect();
        let results = (store.send(turns.clone()).await, reference.send(turns.clone()).await);
        match &results {
            (Ok(()), Ok(())) => applied += 1,
            (Err(CommitError::Fenced(_)), Err(CommitError::Fenced(_))) => {}
            _ => panic!("batch {batch}: {results:?} for {turns:#?}"),
        }
        if batch % 50 == 0 || batch + 1 == BATCHES {
            assert_eq!(store.state().await, reference.state().await, "after batch {batch}");
        }
    }
    assert!(applied > BATCHES / 10 && applied < BATCHES, "{applied} of {BATCHES} were applied");
}
