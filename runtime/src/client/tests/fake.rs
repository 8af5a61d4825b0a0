//! A runtime for tests in which the test plays the engine: it applies commits and answers operations as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use futures_core::Stream;

use crate::client::port::{Answered, BoxFuture};
use crate::client::submission::Begun;
use crate::client::{ChangeHub, Client, ClientPort, OrchestrationHandle, StatusWatch, SubmitError, WatchError};
use crate::contract::{CustomStatus, Orchestrator};
use crate::engine::{ClientAnswer, ClientOperation};
use crate::model::{
    Execution, Head, InstanceId, InstanceKey, JsonText, Life, ParkCode, ParkReason, Progress, RuntimeStatus, Timestamp,
};
use crate::store::{InstancePage, InstanceQuery, InstanceRef, PageCursor, StoredInstance};

/// See the documentation of the module. A `Fake` is cheap to clone.
#[derive(Clone)]
pub(super) struct Fake(Arc<Inner>);

struct Inner {
    hub: Arc<ChangeHub>,
    rows: Mutex<BTreeMap<InstanceId, StoredInstance>>,
    reads: AtomicUsize,
    read_error: Mutex<Option<SubmitError>>,
    hold_reads: Mutex<Option<tokio::sync::watch::Receiver<bool>>>,
    queries: Mutex<Vec<InstanceQuery>>,
    records: Mutex<BTreeMap<(InstanceKey, Execution), Vec<Bytes>>>,
    before_history: Hook,
    before_read: Hook,
    after_read: Hook,
    answers: Mutex<VecDeque<Result<ClientAnswer, SubmitError>>>,
    submitted: Mutex<Vec<ClientOperation>>,
}

type Hook = Mutex<Option<Box<dyn FnOnce(&Fake) + Send>>>;

pub(super) fn id(text: &str) -> InstanceId {
    InstanceId::new(text).unwrap()
}

pub(super) fn json(text: &str) -> JsonText {
    JsonText::from_string(text.to_owned())
}

/// Returns the head of a new `greeter` with this id and key.
pub(super) fn head(name: &str, key: u64) -> Head {
    let created_at = Timestamp(1_700_000_000_000_000);
    let life = Life {
        version: "2".to_owned(),
        input: json(r#"["Tokyo"]"#),
        ..Life::new(InstanceKey(key), id(name), "greeter", created_at)
    };
    Head::new(life, Progress::new(RuntimeStatus::Pending, created_at))
}

/// What an instance is parked with whose code is not registered.
pub(super) fn no_code(text: &str) -> ParkReason {
    ParkReason::new(ParkCode::NotRegistered, text)
}

pub(super) fn set_status(head: &mut Head, text: &str) {
    head.progress_mut().custom_status = Some(json(text));
    head.progress_mut().custom_status_version += 1;
}

pub(super) fn clear_status(head: &mut Head) {
    head.progress_mut().custom_status = None;
    head.progress_mut().custom_status_version += 1;
}

pub(super) fn complete(head: &mut Head, output: &str) {
    head.progress_mut().status = RuntimeStatus::Completed;
    head.progress_mut().output = Some(json(output));
}

impl Fake {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            hub: Arc::new(ChangeHub::new()),
            rows: Mutex::default(),
            reads: AtomicUsize::new(0),
            read_error: Mutex::default(),
            hold_reads: Mutex::default(),
            queries: Mutex::default(),
            records: Mutex::default(),
            before_history: Mutex::default(),
            before_read: Mutex::default(),
            after_read: Mutex::default(),
            answers: Mutex::default(),
            submitted: Mutex::default(),
        }))
    }

    /// Creates a fake with one running `greeter` named "g", in life 1, without a custom status.
    pub(super) fn running() -> Self {
        let fake = Self::new();
        fake.create(head("g", 1));
        fake.commit("g", |head| head.progress_mut().status = RuntimeStatus::Running);
        fake
    }

    pub(super) fn client(&self) -> Client {
        Client::new(Arc::new(self.clone()))
    }

    pub(super) fn handle<O: Orchestrator>(&self, id: &str) -> OrchestrationHandle<O> {
        self.client().handle(id).unwrap()
    }

    /// Returns the handle that the start of a life returns.
    pub(super) fn started<O: Orchestrator>(&self, name: &str, key: u64) -> OrchestrationHandle<O> {
        let begun = Begun { id: id(name), key: InstanceKey(key), was_created: true, followed: None };
        OrchestrationHandle::begun(self.client(), begun)
    }

    pub(super) fn hub(&self) -> &Arc<ChangeHub> {
        &self.0.hub
    }

    pub(super) fn reads(&self) -> usize {
        self.0.reads.load(Ordering::SeqCst)
    }

    pub(super) fn fail_reads(&self, error: Option<SubmitError>) {
        *self.0.read_error.lock().unwrap() = error;
    }

    /// Makes reads wait, after they have read their row, until the sender is dropped or sends `true`.
    pub(super) fn hold_reads(&self) -> tokio::sync::watch::Sender<bool> {
        let (sender, receiver) = tokio::sync::watch::channel(false);
        *self.0.hold_reads.lock().unwrap() = Some(receiver);
        sender
    }

    /// Runs `hook` when the next read begins, before it reads its row.
    pub(super) fn before_read(&self, hook: impl FnOnce(&Fake) + Send + 'static) {
        *self.0.before_read.lock().unwrap() = Some(Box::new(hook));
    }

    /// Runs `hook` when the next read has read its row, before it answers.
    pub(super) fn after_read(&self, hook: impl FnOnce(&Fake) + Send + 'static) {
        *self.0.after_read.lock().unwrap() = Some(Box::new(hook));
    }

    pub(super) fn answer(&self, answer: Result<ClientAnswer, SubmitError>) {
        self.0.answers.lock().unwrap().push_back(answer);
    }

    /// Answers like the runtime: a start that created an instance returns a registration for it.
    fn answered(&self, answer: ClientAnswer, follow: bool) -> Answered {
        let followed = match &answer {
            ClientAnswer::Started { id, created: true, .. } if follow => {
                let row = self.0.rows.lock().unwrap().get(id).cloned();
                row.map(|row| self.0.hub.register_with(&row.head))
            }
            _ => None,
        };
        Answered { answer, followed }
    }

    pub(super) fn submitted(&self) -> Vec<ClientOperation> {
        self.0.submitted.lock().unwrap().clone()
    }

    /// Makes a new life durable, which replaces an earlier one with the same id.
    pub(super) fn create(&self, head: Head) {
        self.store(head.clone());
        self.0.hub.publish(head);
    }

    /// Makes a change of a head durable and publishes it.
    pub(super) fn commit(&self, name: &str, change: impl FnOnce(&mut Head)) {
        let head = self.commit_silently(name, change);
        self.0.hub.publish(head);
    }

    /// Makes a change of a head durable without publishing it.
    pub(super) fn commit_silently(&self, name: &str, change: impl FnOnce(&mut Head)) -> Head {
        let mut rows = self.0.rows.lock().unwrap();
        let row = rows.get_mut(name).unwrap();
        change(&mut row.head);
        row.head.progress_mut().revision += 1;
        row.head.clone()
    }

    /// Makes a head durable without publishing it.
    pub(super) fn store(&self, head: Head) {
        let stored = StoredInstance::new(head, 1, None);
        self.0.rows.lock().unwrap().insert(stored.head.life.id.clone(), stored);
    }

    pub(super) fn record(&self, name: &str, time: Timestamp) {
        self.0.rows.lock().unwrap().get_mut(name).unwrap().newest_record = Some(time);
    }

    /// Sets the records of an execution, and the number of records in its head.
    pub(super) fn set_history(&self, name: &str, records: Vec<Bytes>) {
        let mut rows = self.0.rows.lock().unwrap();
        let row = rows.get_mut(name).unwrap();
        row.record_count = records.len() as u64;
        self.0.records.lock().unwrap().insert((row.head.life.key, row.head.life.execution), records);
    }

    /// Sets the events that a life carries over.
    pub(super) fn set_carried(&self, name: &str, rows: Vec<Bytes>) {
        let key = self.0.rows.lock().unwrap()[name].head.life.key;
        self.0.records.lock().unwrap().insert((key, Execution::CARRIED), rows);
    }

    /// Removes the records of a life, while its head still counts them.
    pub(super) fn forget_records(&self, key: InstanceKey) {
        self.0.records.lock().unwrap().retain(|(of, _), _| *of != key);
    }

    /// Runs `hook` when the next records are read, before they are read.
    pub(super) fn before_history(&self, hook: impl FnOnce(&Fake) + Send + 'static) {
        *self.0.before_history.lock().unwrap() = Some(Box::new(hook));
    }

    /// Returns the queries that lists have sent.
    pub(super) fn queries(&self) -> Vec<InstanceQuery> {
        self.0.queries.lock().unwrap().clone()
    }

    pub(super) fn remove(&self, name: &str) {
        self.0.rows.lock().unwrap().remove(name);
    }

    fn run(&self, hook: &Hook) {
        let hook = hook.lock().unwrap().take();
        if let Some(hook) = hook {
            hook(self);
        }
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fake")
    }
}

impl ClientPort for Fake {
    fn submit(&self, operation: ClientOperation, follow: bool) -> BoxFuture<Result<Answered, SubmitError>> {
        let fake = self.clone();
        Box::pin(async move {
            fake.0.submitted.lock().unwrap().push(operation);
            let answer = fake.0.answers.lock().unwrap().pop_front();
            match answer {
                Some(answer) => answer.map(|answer| fake.answered(answer, follow)),
                None => std::future::pending().await,
            }
        })
    }

    fn instance(&self, target: InstanceRef) -> BoxFuture<Result<Option<StoredInstance>, SubmitError>> {
        let InstanceRef::Id(id) = target else { panic!("a client names instances by their id") };
        let fake = self.clone();
        Box::pin(async move {
            fake.0.reads.fetch_add(1, Ordering::SeqCst);
            fake.run(&fake.0.before_read);
            let row = fake.0.rows.lock().unwrap().get(&id).cloned();
            fake.run(&fake.0.after_read);
            let held = fake.0.hold_reads.lock().unwrap().clone();
            if let Some(mut held) = held {
                // An error means that the test has dropped the sender.
                let _ = held.wait_for(|go| *go).await;
            }
            let error = fake.0.read_error.lock().unwrap().clone();
            error.map_or(Ok(row), Err)
        })
    }

    fn query(&self, query: InstanceQuery) -> BoxFuture<Result<InstancePage, SubmitError>> {
        let fake = self.clone();
        Box::pin(async move {
            fake.0.queries.lock().unwrap().push(query.clone());
            if let Some(error) = fake.0.read_error.lock().unwrap().clone() {
                return Err(error);
            }
            let mut rows: Vec<_> = fake.0.rows.lock().unwrap().values().cloned().collect();
            rows.sort_by_key(|row| row.head.life.key);
            // Looks at two rows for each read, as a store looks at a bounded number.
            let behind = |row: &StoredInstance| match &query.after {
                Some(PageCursor::Created { key, .. }) => row.head.life.key > *key,
                _ => true,
            };
            let looked_at: Vec<_> = rows.iter().filter(|row| behind(row)).take(2).cloned().collect();
            let next = rows.last().zip(looked_at.last()).filter(|(last, seen)| last.head.life.key > seen.head.life.key);
            let next = next.map(|(_, seen)| query.place(&seen.head));
            let mut instances: Vec<_> = looked_at.into_iter().filter(|row| query.filter.holds(&row.head)).collect();
            let cut = instances.len() > query.limit;
            instances.truncate(query.limit);
            let next = if cut { instances.last().map(|row| query.place(&row.head)) } else { next };
            Ok(InstancePage { instances, next })
        })
    }

    fn history(&self, key: InstanceKey, execution: Execution) -> BoxFuture<Result<Option<Vec<Bytes>>, SubmitError>> {
        let fake = self.clone();
        Box::pin(async move {
            fake.run(&fake.0.before_history);
            Ok(fake.0.records.lock().unwrap().get(&(key, execution)).cloned())
        })
    }

    fn registry(&self) -> Option<Arc<crate::registry::Registry>> {
        None
    }

    fn changes(&self) -> &Arc<ChangeHub> {
        &self.0.hub
    }

    fn now(&self) -> Timestamp {
        Timestamp(1_000_000)
    }
}

/// Polls futures by hand and counts how often it was woken.
#[derive(Default)]
pub(super) struct Probe(Arc<Wakes>);

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Probe {
    pub(super) fn wakes(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    pub(super) fn poll<F: Future + Unpin>(&self, future: &mut F) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.0));
        Pin::new(future).poll(&mut Context::from_waker(&waker))
    }

    pub(super) fn next<S: CustomStatus>(&self, watch: &mut StatusWatch<S>) -> Poll<Option<Result<S, WatchError>>> {
        let waker = Waker::from(Arc::clone(&self.0));
        Pin::new(watch).poll_next(&mut Context::from_waker(&waker))
    }
}

/// Returns the output of a future that is ready at its first poll.
pub(super) fn ready<F: Future>(future: F) -> F::Output {
    let mut future = Box::pin(future);
    match Probe::default().poll(&mut future) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for something"),
    }
}

pub(super) fn is_send_and_static<F: Future + Send + 'static>(future: F) -> F {
    future
}
