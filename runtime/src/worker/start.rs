//! The start of a runtime: every partition is taken over, then the engine threads begin with the contents of the store.
//!
//! A thread exists before its parts do, because other parts need to know how to wake it. It waits until it receives
//! them.

use std::future::poll_fn;
use std::num::NonZero;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Semaphore, oneshot};

use super::activities::{Activities, ActivityHost};
use super::activity_run::ActivityCode;
use super::bell::Bell;
use super::builder::RuntimeBuilder;
use super::calls::ClientCall;
use super::engine_thread::EngineThread;
use super::error::StartError;
use super::meters::Meters;
use super::notice::Notice;
use super::owned::{Beginning, Shared};
use super::port::{ClientQueue, RuntimePort};
use super::process::{Judged, Process};
use super::recovery::{Opened, TakeOverError, take_over};
use super::registered::Registered;
use super::routes::{Routes, ThreadRoute};
use super::runtime::{Runtime, RuntimeParts};
use super::session::SessionParts;
use super::shutdown::RuntimeEnd;
use super::shutdown::ThreadResults;
use super::store_access::StoreAccess;
use super::trials::Trials;
use super::watchdog::{Kennel, Watchdog};
use crate::client::{ChangeHub, Client, RuntimeClient};
use crate::clock::Clock;
use crate::context::{ActivityState, RuntimeClock};
use crate::engine::{CurrentTurn, needs_trial};
use crate::model::{BuildId, PartitionCount, PartitionId};
use crate::store::{Store, StoreFuture};

/// The number of take-overs at a time.
const TAKE_OVERS: usize = 4;

/// Takes over every partition that no other worker owns. The result is in the order of the partitions.
pub(super) async fn take_over_all(store: &Arc<dyn Store>) -> Result<Vec<(PartitionId, Beginning)>, TakeOverError> {
    let mut all =
        TakeOvers { store, left: store.partitions().all(), under_way: Vec::new(), done: Vec::new(), failed: None };
    poll_fn(|cx| all.poll(cx)).await;
    let TakeOvers { mut done, failed, .. } = all;
    let Some(error) = failed else {
        done.sort_by_key(|(partition, _)| *partition);
        return Ok(done);
    };
    // The store may be claimed by now, and it must not stay open for a runtime that does not exist.
    for partition in store.partitions().all() {
        if let Err(error) = store.close(partition).await {
            tracing::debug!(%error, "a partition that was taken over for a failed start could not be closed");
        }
    }
    Err(error)
}

struct TakeOvers<'a, I> {
    store: &'a Arc<dyn Store>,
    left: I,
    under_way: Vec<(PartitionId, StoreFuture<Result<Opened, TakeOverError>>)>,
    done: Vec<(PartitionId, Beginning)>,
    failed: Option<TakeOverError>,
}

impl<I: Iterator<Item = PartitionId>> TakeOvers<'_, I> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // Take-overs that are in progress are waited for, so that they can be closed.
            while self.failed.is_none() && self.under_way.len() < TAKE_OVERS {
                let Some(partition) = self.left.next() else { break };
                self.under_way.push((partition, Box::pin(take_over(Arc::clone(self.store), partition))));
            }
            let before = self.under_way.len();
            let (done, failed) = (&mut self.done, &mut self.failed);
            self.under_way.retain_mut(|(partition, take_over)| {
                let Poll::Ready(result) = take_over.as_mut().poll(cx) else { return true };
                match result {
                    Ok(opened) => done.push((*partition, Ok(opened))),
                    Err(error) if error.is_elsewhere() => done.push((*partition, Err(error.to_string()))),
                    Err(error) => *failed = failed.take().or(Some(error)),
                }
                false
            });
            if before == 0 {
                return Poll::Ready(());
            }
            if self.under_way.len() == before {
                return Poll::Pending;
            }
        }
    }
}

/// Starts the threads. Returns a receiver that is notified when every partition has tried again what was parked.
pub(super) fn spawn(
    builder: RuntimeBuilder,
    build: BuildId,
    store: &Arc<dyn Store>,
    registry: &Arc<Registered>,
    tokio: Handle,
    beginnings: Vec<(PartitionId, Beginning)>,
) -> Result<(Runtime, oneshot::Receiver<()>), StartError> {
    let (limits, count) = (builder.limits, store.partitions());
    let (hands, routes) = hire(thread_count(builder.engine_threads, count), count)?;
    let kennel = Kennel::new().map_err(|error| StartError::Thread { detail: error.to_string() })?;
    let (judged, started) = oneshot::channel();
    let mut config = limits.partition(builder.live_instances, count);
    (config.build, config.input_changes, config.verify) = (build, builder.input_changes, builder.verify_replay);
    let (hub, ending) = (Arc::new(ChangeHub::new()), Arc::new(RuntimeEnd::default()));
    let access = Arc::new(StoreAccess::new(Arc::clone(store)));
    let (senders, clients): (Vec<_>, Vec<_>) = hands.iter().map(|_| unbounded_channel()).unzip();
    let port =
        Port { places: limits.client_calls, senders, routes: &routes, access: &access, hub: &hub, ending: &ending };
    let client = port.client(&builder, registry);
    let mut state = builder.state;
    state.insert(RuntimeClient(client.clone()));
    state.insert(RuntimeClock(Arc::clone(&builder.clock)));
    let state = Arc::new(state);
    let code = Arc::clone(registry) as Arc<dyn ActivityCode>;
    let meters = Arc::new(Meters::new(count));
    let host = ActivityHost {
        code,
        state: Arc::clone(&state),
        routes: Arc::clone(&routes),
        meters: Arc::clone(&meters),
        time: builder.time.clone(),
    };
    let process = Arc::new(Process {
        activities: Mutex::new(Activities::new(host, limits.activities(builder.concurrent_activities))),
        tokio,
        hub,
        routes,
        ending,
        closing: Arc::new(ThreadResults::new(hands.len(), Arc::clone(&kennel.bell))),
        access,
        judged: Judged::new(usize::from(count.get()), judged),
        trials: trials(&beginnings),
        registered: Arc::clone(registry),
        meters,
    });
    let watchdog = watch(kennel, &hands, &process, &builder.clock);
    let engine = |notices, client, bell: Arc<Bell>, turn| EngineThread {
        shared: Shared {
            parts: SessionParts {
                store: Arc::clone(store),
                config: config.clone(),
                registry: Arc::clone(registry),
                bounds: limits.session(count),
                turn,
            },
            process: Arc::clone(&process),
            calls_bound: limits.calls_under_way(count),
        },
        clock: Arc::clone(&builder.clock),
        notices,
        client,
        place: builder.time.as_ref().map(|time| time.place(Arc::clone(bell.rung()))),
        bell,
    };
    let mut threads = begin(hands, clients, beginnings, engine);
    threads.push(watchdog);
    Ok((Runtime::new(client, parts(&process, &state, threads, builder.grace)), started))
}

fn parts(
    process: &Arc<Process>,
    state: &Arc<ActivityState>,
    threads: Vec<JoinHandle<()>>,
    grace: Duration,
) -> RuntimeParts {
    RuntimeParts {
        routes: Arc::clone(&process.routes),
        threads,
        closing: Arc::clone(&process.closing),
        ending: Arc::clone(&process.ending),
        grace,
        registered: Arc::clone(&process.registered),
        process: Arc::downgrade(process),
        state: Arc::downgrade(state),
    }
}

/// The partitions that try suspects before anything else runs.
fn trials(beginnings: &[(PartitionId, Beginning)]) -> Trials {
    let tries = |beginning: &Beginning| beginning.as_ref().is_ok_and(|(claim, _)| needs_trial(claim));
    Trials::new(beginnings.iter().filter(|(_, beginning)| tries(beginning)).map(|(id, _)| *id))
}

/// What a client is made from.
struct Port<'a> {
    places: usize,
    senders: Vec<UnboundedSender<ClientCall>>,
    routes: &'a Arc<Routes>,
    access: &'a Arc<StoreAccess>,
    hub: &'a Arc<ChangeHub>,
    ending: &'a Arc<RuntimeEnd>,
}

impl Port<'_> {
    fn client(self, builder: &RuntimeBuilder, registry: &Arc<Registered>) -> Client {
        Client::new(Arc::new(RuntimePort {
            queue: ClientQueue { places: places(self.places), threads: self.senders.into() },
            routes: Arc::clone(self.routes),
            store: Arc::clone(self.access),
            hub: Arc::clone(self.hub),
            registry: Arc::clone(registry),
            clock: Arc::clone(&builder.clock),
            ending: Arc::clone(self.ending),
            starts: AtomicUsize::new(0),
            time: builder.time.clone(),
        }))
    }
}

/// Has the watchdog look at these threads.
fn watch(kennel: Kennel, hands: &[Hand], process: &Arc<Process>, clock: &Arc<dyn Clock>) -> JoinHandle<()> {
    kennel.begin(Watchdog {
        turns: hands.iter().map(|hand| Arc::clone(&hand.turn)).collect(),
        process: Arc::downgrade(process),
        closing: Arc::clone(&process.closing),
        registered: Arc::clone(&process.registered),
        clock: Arc::clone(clock),
    })
}

/// Creates the places for calls that wait.
fn places(calls: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(calls.clamp(1, Semaphore::MAX_PERMITS)))
}

/// A thread that waits for its work.
struct Hand {
    thread: JoinHandle<()>,
    begin: SyncSender<(EngineThread, Vec<(PartitionId, Beginning)>)>,
    notices: UnboundedReceiver<Notice>,
    bell: Arc<Bell>,
    turn: Arc<CurrentTurn>,
}

/// Starts threads without work, and returns them with the routes to them. They end when they are dropped here.
fn hire(threads: usize, partitions: PartitionCount) -> Result<(Vec<Hand>, Arc<Routes>), StartError> {
    let (mut hands, mut routes) = (Vec::with_capacity(threads), Vec::with_capacity(threads));
    for number in 0..threads {
        let (begin, work) = sync_channel::<(EngineThread, Vec<_>)>(1);
        let run = move || work.recv().into_iter().for_each(|(engine, beginnings)| engine.run(beginnings));
        let thread = thread::Builder::new().name(format!("persevere-engine-{number}")).spawn(run);
        let thread = thread.map_err(|error| StartError::Thread { detail: error.to_string() })?;
        let bell = Arc::new(Bell::new(thread.thread().clone()));
        let (sender, notices) = unbounded_channel();
        routes.push(ThreadRoute { bell: Arc::clone(&bell), notices: sender });
        hands.push(Hand { thread, begin, notices, bell, turn: Arc::default() });
    }
    Ok((hands, Arc::new(Routes::new(partitions, routes.into()))))
}

/// Gives each thread its partitions.
fn begin(
    hands: Vec<Hand>,
    clients: Vec<UnboundedReceiver<ClientCall>>,
    beginnings: Vec<(PartitionId, Beginning)>,
    engine: impl Fn(UnboundedReceiver<Notice>, UnboundedReceiver<ClientCall>, Arc<Bell>, Arc<CurrentTurn>) -> EngineThread,
) -> Vec<JoinHandle<()>> {
    let mut shares: Vec<Vec<_>> = hands.iter().map(|_| Vec::new()).collect();
    for (partition, beginning) in beginnings {
        let thread = usize::from(partition.0) % shares.len();
        shares[thread].push((partition, beginning));
    }
    let each = hands.into_iter().zip(clients).zip(shares);
    each.map(|((hand, client), share)| {
        // The thread has waited for nothing else.
        let _ = hand.begin.send((engine(hand.notices, client, hand.bell, hand.turn), share));
        hand.thread
    })
    .collect()
}

/// Returns the number of threads that the builder was asked for, or that the partitions and the processors suggest.
fn thread_count(asked: Option<usize>, partitions: PartitionCount) -> usize {
    let processors = || thread::available_parallelism().map_or(1, NonZero::get);
    asked.unwrap_or_else(processors).clamp(1, usize::from(partitions.get()))
}
