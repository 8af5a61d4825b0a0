//! The code of an activity is not entered after its call was cancelled, after its instance has ended, or after the runtime
//! was shut down, however long the run had to wait for a thread.
//!
//! The only thread that runs activities is blocked while everything is cancelled. Each run has been released by then and
//! is the next thing that this thread does.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use persevere::model::Timestamp;
use persevere::prelude::*;
use persevere::store::{MemoryStore, Store};
use persevere::testing::{FaultyStore, ManualClock};
use persevere::{InstanceId, OrchestrationHandle, Orchestrator, registry};

use super::program::{Go, in_time};

/// How many instances of each kind are cancelled while the thread is blocked.
const EACH: usize = 500;

/// The instances whose activity was entered.
#[derive(Clone, Default)]
struct Entered(Arc<Mutex<BTreeSet<String>>>);

impl Entered {
    fn get(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().cloned().collect()
    }
}

#[activity]
async fn enter(cx: &ActivityContext) -> Result<(), ActivityError> {
    let id = cx.instance_id().to_string();
    assert!(cx.state::<Entered>().0.lock().unwrap().insert(id), "entered twice");
    Ok(())
}

#[orchestrator]
async fn enter_it(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(enter::call(&ctx).await?)
}

/// Says how far it is, and goes on after the call was cancelled.
#[orchestrator]
async fn lose_it(ctx: OrchestrationContext<bool>, by_time: bool) -> Result<(), OrchestrationError> {
    if by_time {
        let _ = enter::call(&ctx).timeout(&ctx, Duration::from_secs(60)).await;
    } else {
        select! {
            _ = enter::call(&ctx) => {},
            _ = Go::wait(&ctx) => {},
        }
    }
    ctx.set_custom_status(&true)?;
    Go::wait(&ctx).await?;
    Ok(())
}

/// A Tokio runtime with one thread, which can be blocked.
pub(super) struct OneThread(Option<tokio::runtime::Runtime>);

impl OneThread {
    pub(super) fn new() -> Self {
        Self(Some(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()))
    }

    pub(super) async fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        self.0.as_ref().unwrap().spawn(work).await.unwrap()
    }

    /// Blocks the thread until something is sent or the sender is dropped.
    pub(super) async fn block(&self) -> Sender<()> {
        let (release, released) = channel::<()>();
        let (blocks, blocked) = tokio::sync::oneshot::channel();
        self.0.as_ref().unwrap().spawn(async move {
            blocks.send(()).unwrap();
            let _ = released.recv();
        });
        blocked.await.unwrap();
        release
    }

    /// Sends when the thread has done everything that it was given before.
    fn mark(&self) -> Receiver<()> {
        let (done, marked) = channel();
        self.0.as_ref().unwrap().spawn(async move { done.send(()).unwrap() });
        marked
    }

    /// Waits until the thread has nothing to do.
    async fn idle(&self) {
        for _ in 0..10 {
            self.run(async {
                for _ in 0..1_000 {
                    tokio::task::yield_now().await;
                }
            })
            .await;
        }
    }

    async fn start(&self, store: &Arc<dyn Store>, entered: &Entered, clock: &ManualClock) -> Runtime {
        let builder = Runtime::builder()
            .register(registry![enter_it, lose_it, enter])
            .max_concurrent_activities(100_000)
            .engine_threads(2)
            .state(entered.clone())
            .shared_store(Arc::clone(store))
            .clock(clock.clone());
        self.run(builder.start()).await.unwrap()
    }
}

impl Drop for OneThread {
    fn drop(&mut self) {
        self.0.take().unwrap().shutdown_background();
    }
}

fn clock() -> ManualClock {
    ManualClock::new(Timestamp(1_000_000))
}

async fn start_all<O: Orchestrator>(
    kind: &str,
    start: impl Fn(InstanceId) -> persevere::StartOrchestration<O>,
) -> Vec<OrchestrationHandle<O>> {
    let mut handles = Vec::new();
    for number in 0..EACH {
        let handle = start(format!("{kind}-{number}").parse().unwrap()).await.unwrap();
        handle.wait_for_start().await.unwrap();
        handles.push(handle);
    }
    handles
}

#[tokio::test]
async fn b07_code_is_not_entered_after_a_termination_a_purge_a_lost_race_or_a_timeout() {
    in_time(async {
        for partitions in [1, 4] {
            let (tokio, entered, clock) = (OneThread::new(), Entered::default(), clock());
            let store: Arc<dyn Store> = Arc::new(MemoryStore::with_partitions(partitions));
            let runtime = tokio.start(&store, &entered, &clock).await;
            let client = runtime.client();
            let release = tokio.block().await;
            let terminated = start_all("terminated", |id| enter_it::start(client).instance_id(id)).await;
            let purged = start_all("purged", |id| enter_it::start(client).instance_id(id)).await;
            let raced = start_all("raced", |id| lose_it::start(client, false).instance_id(id)).await;
            let late = start_all("late", |id| lose_it::start(client, true).instance_id(id)).await;
            let control = start_all("control", |id| enter_it::start(client).instance_id(id)).await;
            for handle in terminated.iter().chain(&purged) {
                handle.terminate("a test").await.unwrap();
            }
            for handle in &purged {
                handle.purge().await.unwrap();
            }
            clock.advance(Duration::from_secs(61));
            for handle in &raced {
                handle.raise_event(Go(1)).await.unwrap();
            }
            for handle in raced.iter().chain(&late) {
                assert!(handle.wait_for_custom_status(|lost| *lost).await.unwrap());
            }
            release.send(()).unwrap();
            for handle in &control {
                handle.result().await.unwrap();
            }
            tokio.idle().await;
            let others: Vec<_> = entered.get().into_iter().filter(|id| !id.starts_with("control")).collect();
            assert!(others.is_empty(), "entered after the cancellation: {others:?}");
            assert_eq!(entered.get().len(), EACH);
            runtime.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn b07_code_is_not_entered_after_a_shutdown_and_runs_after_the_next_start() {
    in_time(async {
        for partitions in [1, 4] {
            let (tokio, entered, clock) = (OneThread::new(), Entered::default(), clock());
            let store: Arc<dyn Store> = Arc::new(MemoryStore::with_partitions(partitions));
            let first = tokio.start(&store, &entered, &clock).await;
            let release = tokio.block().await;
            start_all("stopped", |id| enter_it::start(first.client()).instance_id(id)).await;
            // It does not wait for a grace period, because nothing runs.
            first.shutdown().await.unwrap();
            release.send(()).unwrap();
            tokio.idle().await;
            assert_eq!(entered.get(), Vec::<String>::new(), "entered after the shutdown");
            let second = tokio.start(&store, &entered, &clock).await;
            for number in 0..EACH {
                let handle = second.client().handle::<enter_it>(format!("stopped-{number}")).unwrap();
                handle.result().await.unwrap();
            }
            assert_eq!(entered.get().len(), EACH);
            second.shutdown().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn b07_code_is_not_entered_when_the_end_is_durable_but_not_yet_announced() {
    in_time(async {
        let faulty = FaultyStore::new(MemoryStore::new());
        let (faults, store): (_, Arc<dyn Store>) = (faulty.faults(), Arc::new(faulty));
        let (tokio, entered) = (OneThread::new(), Entered::default());
        let runtime = tokio.start(&store, &entered, &clock()).await;
        for round in 0..EACH {
            let release = tokio.block().await;
            let id = format!("round-{round}").parse::<InstanceId>().unwrap();
            let handle = enter_it::start(runtime.client()).instance_id(id).await.unwrap();
            handle.wait_for_start().await.unwrap();
            let mut marked = Some(tokio.mark());
            faults.observe(move |batch, _| {
                if batch.turns.iter().any(|turn| !turn.tasks_done.is_empty())
                    && let Some(marked) = marked.take()
                {
                    // The end is durable. While the thread that would tell so waits, the other one gets to the run.
                    release.send(()).unwrap();
                    marked.recv().unwrap();
                }
            });
            handle.terminate("a test").await.unwrap();
            assert_eq!(entered.get(), Vec::<String>::new(), "entered in round {round}");
        }
        runtime.shutdown().await.unwrap();
    })
    .await;
}
