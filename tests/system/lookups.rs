//! Rule A09: what is read about an instance never brings back an earlier state.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use persevere::prelude::{MemoryStore, OrchestrationContext, OrchestrationError};
use persevere::testing::FaultyStore;
use persevere::{external_event, orchestrator};

use crate::reads::ReadsStore;
use crate::system::stage::{Stage, handle, in_time, job};

#[external_event]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Poke;

/// Runs a job, waits for a poke, and runs another job.
#[orchestrator]
async fn poked(ctx: OrchestrationContext<u32>) -> Result<u32, OrchestrationError> {
    job::call(&ctx, "one".to_owned()).await?;
    ctx.set_custom_status(&1)?;
    Poke::wait(&ctx).await?;
    ctx.set_custom_status(&2)?;
    job::call(&ctx, "two".to_owned()).await?;
    Ok(3)
}

/// A client's read by id is overtaken: an activity ends, its result finds the instance by its key, the instance takes a
/// turn and leaves memory again. The late answer does not contain that turn.
#[tokio::test]
async fn a09_a_lookup_that_was_overtaken_by_a_commit_is_ignored() {
    in_time(async {
        let reads = Arc::new(ReadsStore::new(MemoryStore::new()));
        let stage = Stage::on(Arc::clone(&reads) as _);
        let runtime = stage.builder().live_instances(0).start().await.unwrap();
        let poked = poked::start(runtime.client()).await.unwrap();
        stage.book.begun("one").await;

        // The client is registered before reads are delayed, so that registering needs no read.
        let mut watch = poked.watch_custom_status();
        poked.wait_for_start().await.unwrap();
        reads.hold_by_id(true);
        let poke = tokio::spawn(poked.raise_event(Poke));
        reads.holding(1).await;
        stage.book.let_end("one");
        // The poke may have arrived together with the end of the job.
        assert!(matches!(watch.next().await, Some(Ok(1 | 2))));
        reads.hold_by_id(false);
        poke.await.unwrap().unwrap();

        stage.book.let_end("two");
        assert_eq!(poked.result().await.unwrap(), 3);
        assert_eq!((stage.book.runs("one"), stage.book.runs("two")), (1, 1));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// An instance that is not in memory is suspended and resumed while the first of the two commits is on its way. Its
/// records are read when both commits are durable.
#[tokio::test]
async fn a09_records_are_read_once_they_are_durable() {
    in_time(async {
        let store = FaultyStore::new(MemoryStore::new());
        let faults = store.faults();
        let reads = Arc::new(ReadsStore::new(store));
        let stage = Stage::on(Arc::clone(&reads) as _);
        let runtime = stage.runtime().await;
        let id = poked::start(runtime.client()).await.unwrap().id().clone();
        stage.book.begun("one").await;
        let runtime = stage.restart(runtime).await;

        faults.hold();
        let poked = handle::<poked>(&runtime, id.as_str());
        let suspended = tokio::spawn(poked.suspend("and"));
        faults.held().await;
        let mut resumed = Box::pin(poked.resume("go on"));
        let mut poke = Box::pin(poked.raise_event(Poke));
        let mut nobody = Box::pin(runtime.client().raise_event("nobody", "Poke", &()));
        let looked_up = reads.by_id() + 1;
        hand_over(&mut resumed);
        hand_over(&mut poke);
        hand_over(&mut nobody);
        // The last call needs a read. By then the others have been handled, and the first commit is still held back.
        reads.looked_up(looked_up).await;
        faults.release_all();
        suspended.await.unwrap().unwrap();
        resumed.await.unwrap();
        poke.await.unwrap();
        assert!(nobody.await.unwrap_err().is_not_found());
        stage.book.let_end("one");
        stage.book.let_end("two");
        assert_eq!(poked.result().await.unwrap(), 3);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// Takes texts until there are enough, and returns their total length.
#[orchestrator]
async fn weigh(ctx: OrchestrationContext, count: usize) -> Result<usize, OrchestrationError> {
    let mut weight = 0;
    for _ in 0..count {
        weight += ctx.wait_for_external_event::<String>("text").await?.len();
    }
    Ok(weight)
}

/// More arrives at once than one turn takes, and also between a suspension and its end. What the first turn leaves to
/// the next one does not count for the first.
#[tokio::test]
async fn a01_a_suspension_holds_although_its_end_is_left_to_the_next_turn() {
    const TEXTS: usize = 6;
    in_time(async {
        let reads = Arc::new(ReadsStore::new(MemoryStore::new()));
        let stage = Stage::on(Arc::clone(&reads) as _);
        let runtime = stage.builder().live_instances(0).start().await.unwrap();
        let weigh = weigh::start(runtime.client(), TEXTS).await.unwrap();
        weigh.wait_for_start().await.unwrap();
        // Everything waits for one read, and is delivered together when the read is answered.
        reads.hold_by_id(true);
        let text = "x".repeat(1_000_000);
        let mut suspended = Box::pin(weigh.suspend("weigh later"));
        hand_over(&mut suspended);
        let raise = || Box::pin(runtime.client().raise_event(weigh.id(), "text", &text));
        let mut raised: Vec<_> = (0..TEXTS).map(|_| raise()).collect();
        raised.iter_mut().for_each(hand_over);
        let mut resumed = Box::pin(weigh.resume("now"));
        hand_over(&mut resumed);
        let mut nobody = Box::pin(runtime.client().raise_event("nobody", "text", &()));
        hand_over(&mut nobody);
        reads.holding(2).await;
        reads.hold_by_id(false);
        suspended.await.unwrap();
        for raised in raised {
            raised.await.unwrap();
        }
        resumed.await.unwrap();
        nobody.await.unwrap_err();
        assert_eq!(weigh.result().await.unwrap(), TEXTS * text.len());
        runtime.shutdown().await.unwrap();
    })
    .await;
}

/// An operation is handed over at its first poll.
fn hand_over<F: Future + Unpin>(operation: &mut F) {
    let poll = Pin::new(operation).poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending(), "an operation is answered by a commit");
}
