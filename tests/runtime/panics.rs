//! Panics on the engine thread, in user code and in a store: every caller still gets an answer.

use std::sync::Arc;

use bytes::Bytes;
use persevere::model::{CommitBatch, Execution, InboxId, InboxRow, InstanceKey, PartitionCount, PartitionId};
use persevere::store::{
    Backlog, Claim, CommitError, InstancePage, InstanceQuery, InstanceRef, LoadError, MemoryStore, OpenError, Store,
    StoreFuture, StoredInstance,
};
use persevere::testing::Fault;
use persevere::{ClientError, ShutdownError};

use super::program::{Go, Ledger, faulty, greet_all, in_time, program, run, wait_with_a_bad_value};

#[tokio::test]
async fn b22_user_values_that_panic_while_memory_is_dropped_do_no_harm() {
    in_time(async {
        let (store, faults) = faulty();
        let runtime = run(&store, &Ledger::new()).await;
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let instance = wait_with_a_bad_value::start(runtime.client()).await.unwrap();
            instance.wait_for_start().await.unwrap();
            waiting.push(instance);
        }
        // All three live futures are dropped together with the memory of the partition.
        faults.fail_next_commit(Fault::Lost);
        assert!(greet_all::start(runtime.client(), vec![]).await.unwrap_err().outcome_is_unknown());
        for instance in waiting {
            instance.raise_event(Go(4)).await.unwrap();
            assert_eq!(instance.result().await.unwrap(), 4);
        }
        assert_eq!(faults.claims(), 2);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// A store whose commits panic on the thread that requests them.
#[derive(Debug, Default)]
struct PanickingStore(MemoryStore);

impl Store for PanickingStore {
    fn partitions(&self) -> PartitionCount {
        self.0.partitions()
    }

    fn claim(&self, partition: PartitionId) -> StoreFuture<Result<Claim, OpenError>> {
        self.0.claim(partition)
    }

    fn load(&self, partition: PartitionId) -> StoreFuture<Result<Backlog, LoadError>> {
        self.0.load(partition)
    }

    fn inbox(&self, partition: PartitionId, known: Arc<[InboxId]>) -> StoreFuture<Result<Vec<InboxRow>, LoadError>> {
        self.0.inbox(partition, known)
    }

    fn instance(
        &self,
        target: InstanceRef,
        with_history: bool,
    ) -> StoreFuture<Result<Option<StoredInstance>, LoadError>> {
        self.0.instance(target, with_history)
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> StoreFuture<Result<Option<Vec<Bytes>>, LoadError>> {
        self.0.history(key, execution)
    }

    fn query(&self, query: InstanceQuery) -> StoreFuture<Result<InstancePage, LoadError>> {
        self.0.query(query)
    }

    fn commit(&self, _: Arc<CommitBatch>) -> StoreFuture<Result<(), CommitError>> {
        panic!("planted in the store")
    }

    fn close(&self, partition: PartitionId) -> StoreFuture<Result<(), CommitError>> {
        self.0.close(partition)
    }
}

#[tokio::test]
async fn b22_a_panic_of_the_driver_itself_answers_every_call_with_its_cause() {
    in_time(async {
        let runtime = program(&Ledger::new()).store(PanickingStore::default()).start().await.unwrap();
        let client = runtime.client().clone();
        let under_way = greet_all::start(&client, vec![]).await.unwrap_err();
        let ClientError::OutcomeUnknown { cause } = &under_way else { panic!("{under_way:?}") };
        assert!(cause.contains("planted in the store"), "{cause}");
        let later = greet_all::start(&client, vec![]).await.unwrap_err();
        let ClientError::Fatal { cause } = &later else { panic!("{later:?}") };
        assert!(cause.contains("planted in the store"), "{cause}");
        assert!(matches!(runtime.shutdown().await, Err(ShutdownError::Fatal { .. })));
    })
    .await;
}
