//! Waiting until an instance has reached a state. The commit that brings it there wakes the wait; nothing here polls
//! the store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::ClientError;
use super::metadata::OrchestrationMetadata;
use super::port::BoxFuture;
use super::target::{Subscription, Target};
use super::wait_error::{ResultError, WaitError};
use crate::contract::{CustomStatus, Orchestrator, Payload};
use crate::model::{Head, JsonText, RuntimeStatus};

/// A wait until an instance has reached a state. Await it, with or without a [`timeout`](Wait::timeout).
///
/// The wait begins when it is first polled. It reads the instance once, unless others are already watching it, and is
/// then woken by commits. It can be spawned, and it can be dropped at any time without an effect on the instance.
///
/// # Errors
/// [`WaitError`] says why the wait ended without reaching the state. Every variant except [`WaitError::Client`]
/// contains the last head that was seen.
///
/// # Examples
/// ```no_run
/// # use std::time::Duration;
/// # async fn example(client: persevere::Client) -> Result<(), Box<dyn std::error::Error>> {
/// let ended = client.wait_for_completion("order-1").timeout(Duration::from_secs(5)).await?;
/// println!("{}", ended.runtime_status());
/// # Ok(())
/// # }
/// ```
#[must_use = "a wait does nothing unless it is awaited"]
pub struct Wait<T, E = WaitError> {
    begin: Option<Begin<T, E>>,
    timeout: Option<Duration>,
    running: Option<BoxFuture<Result<T, E>>>,
}

type Begin<T, E> = Box<dyn FnOnce(Option<Duration>) -> BoxFuture<Result<T, E>> + Send>;

impl<T, E> Wait<T, E> {
    /// Limits how long the wait takes. The time runs from the first poll and is measured by the clock of the Tokio
    /// runtime.
    ///
    /// # Panics
    /// Awaiting it panics outside a Tokio runtime whose timers are enabled.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

impl<T: 'static, E: From<WaitError> + 'static> Wait<T, E> {
    /// Waits until `judge` returns an answer for the newest relevant head. If the instance is parked and `judge`
    /// returns nothing, the wait ends with that.
    fn until(
        target: Result<Target, ClientError>,
        interest: Interest,
        judge: impl FnMut(&Head) -> Option<Result<T, E>> + Send + 'static,
    ) -> Self {
        let begin: Begin<T, E> = Box::new(move |timeout| Box::pin(until(target, interest, timeout, judge)));
        Self { begin: Some(begin), timeout: None, running: None }
    }
}

impl<T, E> Future for Wait<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(begin) = self.begin.take() {
            self.running = Some(begin(self.timeout));
        }
        match &mut self.running {
            Some(running) => running.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }
}

impl<T, E> fmt::Debug for Wait<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// The heads that a wait wants to see.
#[derive(Debug, Clone, Copy)]
enum Interest {
    Every,
    /// Only heads of instances that have ended or are parked.
    Settled,
}

async fn until<T, E: From<WaitError>>(
    target: Result<Target, ClientError>,
    interest: Interest,
    timeout: Option<Duration>,
    mut judge: impl FnMut(&Head) -> Option<Result<T, E>>,
) -> Result<T, E> {
    let mut subscription = Subscription::new(target.map_err(WaitError::Client)?);
    let time = subscription.virtual_time();
    let answer = async {
        loop {
            let head = match interest {
                Interest::Every => subscription.next().await,
                Interest::Settled => subscription.settled().await,
            };
            let head = head.map_err(WaitError::Client)?;
            if let Some(answer) = judge(&head) {
                return answer;
            }
            if let Some(reason) = head.progress.parked.clone() {
                return Err(WaitError::Parked { reason, last: seen(&head) }.into());
            }
            if head.is_ended() {
                return Err(WaitError::Ended { last: seen(&head) }.into());
            }
        }
    };
    let Some(after) = timeout else { return answer.await };
    let answer = match time {
        Some(time) => time.limit(after, answer).await,
        None => tokio::time::timeout(after, answer).await.ok(),
    };
    match answer {
        Some(answer) => answer,
        None => Err(WaitError::TimedOut { after, last: subscription.newest().as_ref().map(seen) }.into()),
    }
}

fn seen(head: &Head) -> Box<OrchestrationMetadata> {
    Box::new(OrchestrationMetadata::from_head(head.clone()))
}

pub(super) fn for_start(target: Result<Target, ClientError>) -> Wait<OrchestrationMetadata> {
    Wait::until(target, Interest::Every, |head| {
        (head.progress.status != RuntimeStatus::Pending).then(|| Ok(*seen(head)))
    })
}

pub(super) fn for_completion(target: Result<Target, ClientError>) -> Wait<OrchestrationMetadata> {
    Wait::until(target, Interest::Settled, |head| head.is_ended().then(|| Ok(*seen(head))))
}

pub(super) fn for_custom_status<S: CustomStatus>(
    target: Target,
    mut predicate: impl FnMut(&S) -> bool + Send + 'static,
) -> Wait<S> {
    let mut judged = None;
    Wait::until(Ok(target), Interest::Every, move |head| {
        // A value is judged once, however often the other fields of the row change.
        if judged.replace(head.progress.custom_status_version) == Some(head.progress.custom_status_version) {
            return None;
        }
        let value = S::__decode(&head.progress.status_text()?).ok()?;
        predicate(&value).then_some(Ok(value))
    })
}

pub(super) fn for_result<O: Orchestrator>(target: Target) -> Wait<O::Output, ResultError<O::Error>> {
    Wait::until(Ok(target), Interest::Settled, |head| head.is_ended().then(|| outcome::<O>(head)))
}

fn outcome<O: Orchestrator>(head: &Head) -> Result<O::Output, ResultError<O::Error>> {
    if let Some(details) = &head.progress.failure {
        return Err(ResultError::from_details(details.clone()));
    }
    let null = JsonText::null();
    let output = head.progress.output.as_ref().unwrap_or(&null);
    if head.progress.status == RuntimeStatus::Terminated {
        let reason = output.decode().unwrap_or_else(|_| output.as_str().to_owned());
        return Err(ResultError::Terminated { reason });
    }
    O::Output::__decode(output)
        .map_err(|error| ClientError::Decode { id: head.life.id.clone(), what: "output", error }.into())
}
