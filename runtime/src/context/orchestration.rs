//! The orchestration context, through which the code of an orchestrator asks the engine for operations.

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
use super::journal::{Journal, PollMode};
use super::timer::Timer;
use crate::contract::{CustomStatus, CustomStatusError, DeclaresStatus, NoStatus, Payload, Undecodable, decoded};
use crate::model::{
    Action, Execution, ExecutionStarted, InstanceId, JsonText, KeyMint, RecordedLocation, SourceLocation, Timestamp,
};

/// The facts about an execution that do not change from its first turn to its last.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) id: InstanceId,
    pub(crate) execution: Execution,
    pub(crate) started: Arc<ExecutionStarted>,
    pub(crate) mint: Arc<KeyMint>,
}

/// The part of the orchestration context that does not depend on the type of the custom status.
///
/// Helpers that take `&Context` can be used by every orchestrator. A context is cheap to clone.
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

    /// Locks the journal, for the engine and for dropped futures.
    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        // User code never panics while the journal is locked, so the state behind a poisoned lock is complete.
        self.0.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the journal, for code that is being polled.
    pub(crate) fn turn(&self) -> MutexGuard<'_, Journal> {
        let mut journal = self.journal();
        let touched = self.0.foreign.was_touched();
        journal.foreign |= touched;
        let misuse = match journal.mode() {
            PollMode::Idle => OUTSIDE_A_TURN,
            _ if journal.computes_side_effect => WITHIN_A_SIDE_EFFECT,
            PollMode::Live | PollMode::Replay => return journal,
        };
        drop(journal);
        misused(misuse)
    }

    /// Leaves the code, because it cannot decode a stored value that it needs now.
    fn cannot_decode(&self, value: Undecodable) -> ! {
        let mut journal = self.turn();
        journal.cannot_decode(value);
        super::call::give_up(journal)
    }

    /// Returns the instance id, under which callers know this instance.
    pub fn instance_id(&self) -> &InstanceId {
        &self.0.facts.id
    }

    /// Returns the id of this execution, which is unique among all executions in all stores. Continue-as-new begins an
    /// execution with a new id.
    pub fn execution_id(&self) -> Uuid {
        self.0.facts.started.execution_id
    }

    /// Returns the name of this orchestrator.
    pub fn name(&self) -> &str {
        &self.0.facts.started.name
    }

    /// Returns the version of this orchestrator, or an empty string if it has no version.
    pub fn version(&self) -> &str {
        &self.0.facts.started.version
    }

    /// Returns the instance that waits for the end of this one, if this is an attached sub-orchestration.
    pub fn parent(&self) -> Option<&InstanceId> {
        self.0.facts.started.parent.as_ref().map(|parent| &parent.instance)
    }

    /// Returns the tags that were given at the start.
    pub fn tags(&self) -> &BTreeMap<String, String> {
        &self.0.facts.started.tags
    }

    /// Returns whether this poll repeats a turn that is already durable.
    ///
    /// Correct code never needs this: durable operations and the custom status work in replay without it.
    ///
    /// # Determinism
    /// The value differs between a live run and a replay. Never let it decide about a durable operation.
    pub fn is_replaying(&self) -> bool {
        self.journal().mode() == PollMode::Replay
    }

    /// Returns the time of this turn in UTC, rounded down to microseconds.
    ///
    /// # Determinism
    /// The time is recorded with the turn. It is constant within the turn and never earlier than the time of an earlier
    /// turn.
    pub fn current_time(&self) -> DateTime<Utc> {
        self.journal().turn_time.to_utc()
    }

    /// Creates a durable timer that is due after `duration`, in whole microseconds.
    ///
    /// # Determinism
    /// The timer is recorded when it is first polled, and its firing is recorded too. If it is dropped before it fires,
    /// it is cancelled.
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

    /// Creates a durable timer that is due at `time`. When the timer has fired, [`Context::current_time`] is not
    /// earlier than `time`.
    ///
    /// # Determinism
    /// The same as for [`Context::create_timer`]. If `time` has passed, the timer fires in the next turn.
    #[track_caller]
    pub fn create_timer_at(&self, time: DateTime<Utc>) -> Timer {
        Timer::at(self, Timestamp::from_utc_up(time))
    }

    /// Waits for an external event with this name, and decodes its payload as a `T`. Names are compared without regard
    /// to ASCII case. Events that arrived earlier are kept in their order, and each event is consumed once.
    ///
    /// Prefer an `#[external_event]` type and `BookingConfirmed::wait(&ctx)`, because the compiler then finds
    /// misspelled names.
    ///
    /// # Determinism
    /// The wait and the event are recorded. A wait that is dropped consumes no event.
    #[track_caller]
    pub fn wait_for_external_event<T: Payload>(&self, name: impl Into<String>) -> EventWait<T> {
        EventWait::named(self, name.into().into())
    }

    /// Returns a UUID (version 5) that no other execution produces.
    ///
    /// # Determinism
    /// The UUID is derived from the execution id and a counter, so it is the same in every replay.
    pub fn new_uuid(&self) -> Uuid {
        let number = self.turn().next_uuid();
        Uuid::new_v5(&self.0.facts.started.execution_id, &number.to_be_bytes())
    }

    /// Returns 64 random bits. Do not use them for secrets: anyone who knows the execution id can compute them.
    ///
    /// # Determinism
    /// The bits come from a fixed generator (SplitMix64, by Steele, Lea and Flood) that is seeded with the execution
    /// id, so they are the same in every replay.
    pub fn random(&self) -> u64 {
        let (high, low) = self.0.facts.started.execution_id.as_u64_pair();
        super::random::next(self.turn().random_state(high ^ low.rotate_left(32)))
    }

    /// Computes a nondeterministic value once and records it.
    ///
    /// Use this for values that are cheap to compute and need neither I/O nor a retry, such as a setting of the
    /// process. Use an activity for everything else.
    ///
    /// The closure may read what never changes, such as [`Context::instance_id`] or [`Context::current_time`]. It must not
    /// ask the context for anything else: write `let bits = ctx.random();` before the side effect and use `bits` in it.
    ///
    /// # Determinism
    /// The value is recorded with the turn, and replay returns the recorded value. If the process dies before the turn
    /// is durable, the closure runs again.
    ///
    /// # Panics
    /// Panics if the value cannot be written as JSON and read back, if it exceeds a limit, or if the closure issues an
    /// operation or calls [`Context::random`], [`Context::new_uuid`], [`Context::patched`] or a setter of the custom
    /// status. A replay does not run the closure, so these would give other values afterwards. The panic fails the
    /// orchestration. A recorded value that a later version of the code cannot decode parks the instance instead
    /// ([`ParkCode::UndecodableValue`](crate::ParkCode::UndecodableValue)).
    #[track_caller]
    pub fn side_effect<T: Serialize + DeserializeOwned>(&self, compute: impl FnOnce() -> T) -> T {
        let location = RecordedLocation::caller();
        let recorded = self.turn().recorded_side_effect();
        let is_live = recorded.is_none();
        let value = recorded.unwrap_or_else(|| match JsonText::encode(&self.computed(compute)) {
            Ok(value) => value,
            Err(error) => side_effect_failed(&error),
        });
        let mut journal = self.turn();
        if let Err(failure) = journal.admit(value.len()) {
            journal.fail(failure);
            super::call::give_up(journal);
        }
        match journal.issue(None, |operation| Action::SideEffect { operation, value, location }) {
            Ok((operation, Action::SideEffect { value, location, .. })) => {
                journal.lost_side_effects -= u32::from(is_live);
                drop(journal);
                match decoded(|| value.decode()) {
                    Ok(value) => value,
                    Err(error) if !is_live => {
                        let what = format!("the value of a side effect (operation {}, at {location})", operation.0);
                        self.cannot_decode(Undecodable::new(what, error))
                    }
                    Err(error) => side_effect_failed(&error),
                }
            }
            _ => super::call::give_up(journal),
        }
    }

    fn computed<T>(&self, compute: impl FnOnce() -> T) -> T {
        let _computes = SideEffect::begin(self);
        compute()
    }

    /// Returns which side of the change `id` this execution takes: `true` if it reaches this place after the change was
    /// deployed, and `false` if it had passed this place before.
    ///
    /// # Determinism
    /// The first call in an execution decides. The answer is recorded and stays the same for the whole execution.
    #[track_caller]
    pub fn patched(&self, id: &str) -> bool {
        let location = RecordedLocation::caller();
        self.turn().patched(id, location)
    }

    /// Waits for all futures. The outputs are in the order of the futures.
    ///
    /// All operations are issued at once. If there are many, prefer [`Context::join_all_limit`], because one turn can
    /// issue at most 10,000 operations.
    ///
    /// # Determinism
    /// The futures are polled in the given order, and their operations are numbered in that order.
    pub fn join_all<I: IntoIterator<Item: super::Durable>>(&self, futures: I) -> super::JoinAll<I::Item> {
        super::join_all(futures)
    }

    /// Waits for all futures, or until one fails. In that case the others are dropped, which cancels them.
    ///
    /// # Determinism
    /// The same as for [`Context::join_all`].
    pub fn try_join_all<T, E, I>(&self, futures: I) -> super::TryJoinAll<I::Item>
    where
        I: IntoIterator<Item: super::Durable + Future<Output = Result<T, E>>>,
    {
        super::try_join_all(futures)
    }

    /// Waits for all futures, at most `limit` of them at a time. When one finishes, the next one is issued.
    ///
    /// # Determinism
    /// The same as for [`Context::join_all`].
    pub fn join_all_limit<I: IntoIterator<Item: super::Durable>>(
        &self,
        limit: usize,
        futures: I,
    ) -> super::JoinAllLimit<std::vec::IntoIter<I::Item>> {
        // Durable futures do nothing before their first poll, so a list of them is cheap. An iterator that is held
        // across the `.await` would have to be `Send` for every lifetime, which is rarely true for closures.
        super::join_all_limit(limit, futures.into_iter().collect::<Vec<_>>())
    }
}

#[allow(clippy::panic, reason = "the documented panic of `side_effect`: it fails the orchestration with this text")]
fn side_effect_failed(error: &dyn fmt::Display) -> ! {
    panic!("the value of a side effect cannot be stored and read back: {error}")
}

#[allow(
    clippy::panic,
    reason = "this misuse cannot be reported by a value, because the future has no error type of its own"
)]
fn misused(text: &str) -> ! {
    panic!("{text}")
}

const OUTSIDE_A_TURN: &str = "an orchestration context was used outside its orchestrator: durable operations work only \
    in the body that received the context, not in a spawned task or an activity";

const WITHIN_A_SIDE_EFFECT: &str = "an orchestration context was used in the closure of `ctx.side_effect(..)`. A replay \
    takes the recorded value and does not run the closure, so everything after it would differ: call `ctx.random()`, \
    `ctx.new_uuid()` and operations before the side effect, and use their values in it";

/// Marks that the closure of a side effect runs, until it is dropped.
struct SideEffect<'a>(&'a Context);

impl<'a> SideEffect<'a> {
    fn begin(ctx: &'a Context) -> Self {
        let mut journal = ctx.turn();
        journal.computes_side_effect = true;
        // It is lost until its value is recorded.
        journal.lost_side_effects += 1;
        drop(journal);
        Self(ctx)
    }
}

impl Drop for SideEffect<'_> {
    fn drop(&mut self) {
        self.0.journal().computes_side_effect = false;
    }
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

/// The orchestration context, the first parameter of every orchestrator. `S` is the type of its custom status.
///
/// Without `S`, the orchestrator has no custom status. The type dereferences to [`Context`], which has all other
/// methods.
pub struct OrchestrationContext<S = NoStatus>(Context, PhantomData<fn(S) -> S>);

impl<S> OrchestrationContext<S> {
    pub(crate) fn from_context(context: Context) -> Self {
        Self(context, PhantomData)
    }
}

impl<S: CustomStatus> OrchestrationContext<S> {
    /// Publishes the custom status: a JSON value that any client can read, wait for and watch.
    ///
    /// This method does no I/O. It serialises the value, and the last value that is set in a turn becomes visible with
    /// the commit of that turn. A value that is set before an `.await` is visible by the time the awaited operation has
    /// been scheduled.
    ///
    /// # Limits
    /// The JSON text may have up to 16 KiB, measured as UTF-16, as in the Durable Task family. If you need more, store
    /// the data elsewhere and publish a reference.
    ///
    /// # Errors
    /// Returns [`CustomStatusError::TooLarge`] if the value exceeds the limit, and [`CustomStatusError::Serialize`] if
    /// it cannot be written as JSON. The previous status stays, and the orchestrator can continue.
    ///
    /// # Determinism
    /// The custom status is part of the state of the instance, not an event in its history. Replay computes it again
    /// and publishes nothing, so you need not check [`Context::is_replaying`].
    #[track_caller]
    pub fn set_custom_status(&self, status: &S) -> Result<(), CustomStatusError> {
        let place = SourceLocation::here();
        let text = status.__encode().map_err(CustomStatusError::Serialize)?;
        let mut journal = self.0.turn();
        check_custom_status(&text, journal.limits().custom_status_bytes as usize)?;
        journal.set_custom_status(Some(text), place);
        Ok(())
    }

    /// Removes the custom status, so that readers see none.
    ///
    /// # Determinism
    /// The same as for [`OrchestrationContext::set_custom_status`].
    #[track_caller]
    pub fn clear_custom_status(&self) {
        self.0.turn().set_custom_status(None, SourceLocation::here());
    }

    /// Returns the custom status that this execution last set, or the one that it started with.
    ///
    /// If the execution started with a value that is not an `S`, because an older version of the code set it, the
    /// instance is parked with [`ParkCode::UndecodableValue`](crate::ParkCode::UndecodableValue). It continues when the
    /// code can decode the value.
    ///
    /// # Determinism
    /// The value is computed from the recorded start of the execution and from the code, never from the stored status.
    pub fn custom_status(&self) -> Option<S> {
        let text = self.0.turn().custom_status().cloned()?;
        match decoded(|| S::__decode(&text)) {
            Ok(status) => Some(status),
            Err(error) => {
                let what = format!("the custom status with which execution {} began", self.0.facts().execution.0);
                self.0.cannot_decode(Undecodable::new(what, error))
            }
        }
    }
}

/// Checks the size of a custom status, which is the length of its JSON text as UTF-16.
pub(crate) fn check_custom_status(text: &JsonText, limit: usize) -> Result<(), CustomStatusError> {
    // A UTF-8 text has at least as many bytes as UTF-16 units, so most texts need not be counted.
    if text.len() * 2 <= limit {
        return Ok(());
    }
    let size = text.as_str().encode_utf16().count() * 2;
    if size > limit { Err(CustomStatusError::TooLarge { size, limit }) } else { Ok(()) }
}

impl OrchestrationContext<NoStatus> {
    /// This method exists so that its bound can explain what is missing.
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
        // Two quotation marks, one UTF-16 unit for each é, which has two bytes in UTF-8, and two units for each face.
        assert_eq!(check(&"é".repeat(8 * 1024 - 2)), Ok(()));
        assert_eq!(check(&"é".repeat(8 * 1024 - 1)), too_large(16 * 1024 + 2));
        assert_eq!(check(&"x".repeat(8 * 1024 - 2)), Ok(()));
        assert_eq!(check(&"x".repeat(8 * 1024 - 1)), too_large(16 * 1024 + 2));
        assert_eq!(check(&"😀".repeat(4 * 1024 - 1)), Ok(()));
        assert_eq!(check(&"😀".repeat(4 * 1024)), too_large(16 * 1024 + 4));
    }
}
