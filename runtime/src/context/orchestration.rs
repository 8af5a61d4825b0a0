//! The orchestration context: what orchestrator code asks the engine for.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::event::EventWait;
use super::foreign::ForeignWatch;
use super::journal::{Journal, Phase};
use super::timer::Timer;
use crate::contract::{CustomStatus, CustomStatusError, DeclaresStatus, NoStatus, Payload};
use crate::model::{
    Action, DecodeError, Execution, ExecutionStarted, InstanceId, JsonText, KeyMint, RecordedLocation, Timestamp,
};

/// What an execution is, from its first turn to its last.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: InstanceId,
    pub(crate) execution: Execution,
    pub(crate) started: Arc<ExecutionStarted>,
    pub(crate) mint: Arc<KeyMint>,
}

/// The part of the orchestration context that does not depend on the type of the custom status.
///
/// Helpers of orchestrators take `&Context` and so serve every orchestrator. Cheap to clone.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    facts: Facts,
    journal: Mutex<Journal>,
    foreign: Arc<ForeignWatch>,
}

impl Context {
    pub(crate) fn new(facts: Facts, journal: Journal) -> Self {
        Self(Arc::new(Inner { facts, journal: Mutex::new(journal), foreign: Arc::default() }))
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.0.facts
    }

    pub(crate) fn foreign(&self) -> &Arc<ForeignWatch> {
        &self.0.foreign
    }

    /// The journal, for the turn runner and for drops.
    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        // A panic in user code never happens with the journal locked, so a poisoned lock holds nothing half done.
        self.0.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal, for code that is being polled.
    pub(crate) fn turn(&self) -> MutexGuard<'_, Journal> {
        let mut journal = self.journal();
        let touched = self.0.foreign.was_touched();
        journal.foreign |= touched;
        if journal.phase() == Phase::Idle {
            drop(journal);
            outside_a_turn();
        }
        journal
    }

    /// The name under which callers know this instance.
    pub fn instance_id(&self) -> &InstanceId {
        &self.0.facts.id
    }

    /// Names this execution among all executions everywhere; continue-as-new gets a new one.
    pub fn execution_id(&self) -> Uuid {
        self.0.facts.started.execution_id
    }

    /// The name of this orchestrator.
    pub fn name(&self) -> &str {
        &self.0.facts.started.name
    }

    /// The version of this orchestrator; empty when it has none.
    pub fn version(&self) -> &str {
        &self.0.facts.started.version
    }

    /// The instance that waits for the end of this one, if it is an attached sub-orchestration.
    pub fn parent(&self) -> Option<&InstanceId> {
        self.0.facts.started.parent.as_ref().map(|parent| &parent.instance)
    }

    /// The tags given at start.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.0.facts.started.tags
    }

    /// Whether this poll repeats a turn that is durable already.
    ///
    /// Nothing needs it for correctness: durable operations and the custom status are replay-safe as they are.
    ///
    /// # Determinism
    /// Differs between live run and replay by nature: never branch on it around a durable operation.
    pub fn is_replaying(&self) -> bool {
        self.journal().phase() == Phase::Replay
    }

    /// The time of this turn, in UTC, cut to microseconds.
    ///
    /// # Determinism
    /// Recorded with the turn, constant within it, and never before the time of an earlier turn.
    pub fn current_time(&self) -> DateTime<Utc> {
        self.journal().turn_time.to_utc()
    }

    /// A durable timer that is due after `duration`, in whole microseconds.
    ///
    /// # Determinism
    /// Recorded when first polled; its firing is recorded too. Dropped before that, it is cancelled.
    ///
    /// # Examples
    /// ```no_run
    /// # use persevere::Context;
    /// # use std::time::Duration;
    /// # async fn example(ctx: &Context) {
    /// ctx.create_timer(Duration::from_secs(24 * 60 * 60)).await;
    /// # }
    /// ```
    #[track_caller]
    pub fn create_timer(&self, duration: Duration) -> Timer {
        Timer::after(self, duration)
    }

    /// A durable timer that is due at an instant. [`Context::current_time`] is not before it when the timer fires.
    ///
    /// # Determinism
    /// As for [`Context::create_timer`]. An instant that has passed fires in the next turn.
    #[track_caller]
    pub fn create_timer_at(&self, time: DateTime<Utc>) -> Timer {
        Timer::at(self, Timestamp::from_utc_up(time))
    }

    /// Waits for an external event by its name, and reads its payload as a `T`. Names compare without regard to ASCII
    /// case; events that came before are kept in order, and each is taken once.
    ///
    /// Prefer `BookingConfirmed::wait(&ctx)` with an `#[external_event]` type: it cannot be misspelled.
    ///
    /// # Determinism
    /// The wait and the event are recorded. A wait that is dropped takes no event.
    #[track_caller]
    pub fn wait_for_external_event<T: Payload>(&self, name: impl Into<String>) -> EventWait<T> {
        EventWait::named(self, name.into().into())
    }

    /// A UUID (version 5) that no other execution makes.
    ///
    /// # Determinism
    /// Derived from the execution id and a counter: the same in every replay.
    pub fn new_uuid(&self) -> Uuid {
        let number = self.turn().next_uuid();
        Uuid::new_v5(&self.0.facts.started.execution_id, &number.to_be_bytes())
    }

    /// 64 random bits. Not for secrets: whoever knows the execution id knows them.
    ///
    /// # Determinism
    /// From a fixed generator (SplitMix64, by Steele, Lea and Flood) seeded by the execution id: the same in every replay.
    pub fn random(&self) -> u64 {
        let (high, low) = self.0.facts.started.execution_id.as_u64_pair();
        super::random::next(self.turn().random_state(high ^ low.rotate_left(32)))
    }

    /// Computes a cheap nondeterministic value once and records it.
    ///
    /// For values that need no retry and no I/O, such as a setting of the process. Anything else belongs into an activity.
    ///
    /// # Determinism
    /// The value is recorded with the turn and replayed from there. The closure may run again when the process dies before
    /// the turn is durable.
    ///
    /// # Panics
    /// If the value cannot be written as JSON or read back, or is over a limit, which fails the orchestration.
    #[track_caller]
    pub fn side_effect<T: Serialize + DeserializeOwned>(&self, compute: impl FnOnce() -> T) -> T {
        let location = RecordedLocation::caller();
        let recorded = match self.turn().recorded_next() {
            Some(Action::SideEffect { value, .. }) => Some(value.clone()),
            _ => None,
        };
        let value = recorded.unwrap_or_else(|| match JsonText::encode(&compute()) {
            Ok(value) => value,
            Err(error) => side_effect_failed(&error),
        });
        let mut journal = self.turn();
        if let Err(failure) = journal.admit(value.len()) {
            journal.fail(failure);
            super::call::give_up(journal);
        }
        match journal.issue(None, |operation| Action::SideEffect { operation, value, location }) {
            Ok((_, Action::SideEffect { value, .. })) => {
                drop(journal);
                value.decode().unwrap_or_else(|error| side_effect_failed(&error))
            }
            _ => super::call::give_up(journal),
        }
    }

    /// Whether this execution takes the new side of a change that is named `id`: `true` in executions that meet it live,
    /// `false` in those that passed this place before the change was made.
    ///
    /// # Determinism
    /// Decided by the first call in an execution and recorded; the answer stays for the whole execution.
    #[track_caller]
    pub fn patched(&self, id: &str) -> bool {
        let location = RecordedLocation::caller();
        self.turn().patched(id, location)
    }

    /// Waits for all of them: the outputs in the order of the futures.
    ///
    /// All are issued at once. For many calls prefer [`Context::join_all_limit`]: one turn may ask for 10,000 things.
    ///
    /// # Determinism
    /// Polled in the order given; the operations are numbered in that order.
    pub fn join_all<I: IntoIterator<Item: super::Durable>>(&self, futures: I) -> super::JoinAll<I::Item> {
        super::join_all(futures)
    }

    /// Waits for all of them, or for the first error; the others are dropped then, which cancels them.
    ///
    /// # Determinism
    /// As for [`Context::join_all`].
    pub fn try_join_all<T, E, I>(&self, futures: I) -> super::TryJoinAll<I::Item>
    where
        I: IntoIterator<Item: super::Durable + Future<Output = Result<T, E>>>,
    {
        super::try_join_all(futures)
    }

    /// Waits for all of them, at most `limit` at a time: the next is issued when one is done.
    ///
    /// # Determinism
    /// As for [`Context::join_all`].
    pub fn join_all_limit<I: IntoIterator<Item: super::Durable>>(
        &self,
        limit: usize,
        futures: I,
    ) -> super::JoinAllLimit<std::vec::IntoIter<I::Item>> {
        // Durable futures do nothing before their first poll, so a list of them is cheap; an iterator that was held
        // over the `.await` would have to be `Send` for every lifetime, which closures seldom are.
        super::join_all_limit(limit, futures.into_iter().collect::<Vec<_>>())
    }
}

#[allow(clippy::panic, reason = "the documented panic of `side_effect`: it fails the orchestration with this text")]
fn side_effect_failed(error: &dyn fmt::Display) -> ! {
    panic!("the value of a side effect cannot be stored and read back: {error}")
}

#[allow(clippy::panic, reason = "a misuse that cannot be answered by a value: the future has no error type of its own")]
fn outside_a_turn() -> ! {
    panic!(
        "an orchestration context was used outside its orchestrator: durable operations work only in the body that got \
         the context, not in a spawned task or in an activity"
    )
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("instance_id", &self.0.facts.id)
            .field("name", &self.0.facts.started.name)
            .field("execution", &self.0.facts.execution)
            .finish_non_exhaustive()
    }
}

/// The orchestration context: the first parameter of every orchestrator. `S` is the type of its custom status.
///
/// Without `S` the orchestrator has no custom status. It derefs to [`Context`], which has everything else.
pub struct OrchestrationContext<S = NoStatus>(Context, PhantomData<fn(S) -> S>);

impl<S> OrchestrationContext<S> {
    pub(crate) fn from_context(context: Context) -> Self {
        Self(context, PhantomData)
    }
}

impl<S: CustomStatus> OrchestrationContext<S> {
    /// Publishes the custom status: JSON that any client reads, waits for and watches.
    ///
    /// No I/O: the value is serialised here, and the last one of a turn becomes visible with that turn's commit. Set
    /// before an `.await`, it is visible when what is awaited has been scheduled.
    ///
    /// # Limits
    /// 16 KiB of JSON text counted as UTF-16, as in the Durable Task family. For more, store the data elsewhere and
    /// publish a reference.
    ///
    /// # Errors
    /// [`CustomStatusError::TooLarge`] over the limit, [`CustomStatusError::Serialize`] when the value has no JSON form.
    /// The status stays as it was, and the orchestrator may go on.
    ///
    /// # Determinism
    /// State of the instance, not an event in the history: replay computes it again and publishes nothing. No guard by
    /// [`Context::is_replaying`] is needed.
    pub fn set_custom_status(&self, status: &S) -> Result<(), CustomStatusError> {
        let text = status.__encode().map_err(CustomStatusError::Serialize)?;
        let mut journal = self.0.turn();
        check_custom_status(&text, journal.limits().custom_status_bytes as usize)?;
        journal.set_custom_status(Some(text));
        Ok(())
    }

    /// Withdraws the custom status: readers see none.
    ///
    /// # Determinism
    /// As for [`OrchestrationContext::set_custom_status`].
    pub fn clear_custom_status(&self) {
        self.0.turn().set_custom_status(None);
    }

    /// The custom status as this execution last set it, or began with.
    ///
    /// # Errors
    /// The value that the execution began with is of another type than `S`: it was set by an older version of the code.
    ///
    /// # Determinism
    /// Computed from the recorded start of the execution and the code, never from what readers see.
    pub fn custom_status(&self) -> Result<Option<S>, DecodeError> {
        let text = self.0.journal().custom_status().cloned();
        text.map(|text| S::__decode(&text)).transpose()
    }
}

/// Checks the size of a custom status: JSON text counted as UTF-16.
pub(crate) fn check_custom_status(text: &JsonText, limit: usize) -> Result<(), CustomStatusError> {
    // A UTF-8 text has at least as many bytes as it has UTF-16 units, so most need no counting.
    if text.len() * 2 <= limit {
        return Ok(());
    }
    let size = text.as_str().encode_utf16().count() * 2;
    if size > limit { Err(CustomStatusError::TooLarge { size, limit }) } else { Ok(()) }
}

impl OrchestrationContext<NoStatus> {
    /// Exists so that its bound can say what is missing.
    #[doc(hidden)]
    pub fn set_custom_status<T: ?Sized>(&self, _: &T) -> Result<(), CustomStatusError>
    where
        NoStatus: DeclaresStatus<T>,
    {
        Ok(())
    }
}

impl<S> Clone for OrchestrationContext<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<S> Deref for OrchestrationContext<S> {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl<S> fmt::Debug for OrchestrationContext<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_a_custom_status_counts_utf16_and_is_strict() {
        let limit = 16 * 1024;
        let check = |text: &str| check_custom_status(&JsonText::from_string(format!("\"{text}\"")), limit);
        let too_large = |size| Err(CustomStatusError::TooLarge { size, limit });
        // Two quotation marks; one UTF-16 unit for each é, which has two bytes in UTF-8, and two for each face.
        assert_eq!(check(&"é".repeat(8 * 1024 - 2)), Ok(()));
        assert_eq!(check(&"é".repeat(8 * 1024 - 1)), too_large(16 * 1024 + 2));
        assert_eq!(check(&"x".repeat(8 * 1024 - 2)), Ok(()));
        assert_eq!(check(&"x".repeat(8 * 1024 - 1)), too_large(16 * 1024 + 2));
        assert_eq!(check(&"😀".repeat(4 * 1024 - 1)), Ok(()));
        assert_eq!(check(&"😀".repeat(4 * 1024)), too_large(16 * 1024 + 4));
    }
}
