//! One poll of user code. Panics are caught with their message and their place.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Once, OnceLock};
use std::task::{Context as Task, Poll, Waker};

use crate::context::{GivenUp, InTurn};
use crate::contract::{kind, panic_text};
use crate::definition::BoxedOrchestration;
use crate::model::{FailureDetails, JsonText};

/// The result of one poll of an orchestrator.
#[derive(Debug)]
pub(crate) enum Polled {
    Pending,
    Ready(Result<JsonText, FailureDetails>),
    Panicked(FailureDetails),
    /// The code was left because its turn is given up.
    GivenUp,
    /// The code created something that needs a Tokio runtime, so it is not durable.
    NeedsRuntime(String),
}

/// What code panics with that asks for the async runtime of its thread where there is none.
static NO_RUNTIME: OnceLock<String> = OnceLock::new();

/// Tells the engine what the async runtime's own error of a missing context prints. The driver asks the runtime for it,
/// since the engine knows none.
pub(crate) fn recognise_missing_runtime(error: &impl std::fmt::Display) {
    NO_RUNTIME.get_or_init(|| error.to_string());
}

/// Polls once. The caller has opened the turn.
pub(crate) fn poll_once(future: &mut BoxedOrchestration, waker: &Waker) -> Polled {
    match contained(|| future.as_mut().poll(&mut Task::from_waker(waker))) {
        Ok(Poll::Pending) => Polled::Pending,
        Ok(Poll::Ready(result)) => Polled::Ready(result),
        Err(panic) if panic.given_up => Polled::GivenUp,
        Err(panic) if panic.is_for_want_of_a_runtime() => Polled::NeedsRuntime(panic.to_string()),
        Err(panic) => Polled::Panicked(panic.into_failure()),
    }
}

/// Drops user values. A panic in their `Drop` is logged and goes no further.
pub(crate) fn drop_contained<T>(value: T) {
    if let Err(panic) = contained(|| drop(value)) {
        tracing::warn!(%panic, "a value of the application panicked while it was being dropped");
    }
}

/// A panic that was caught.
#[derive(Debug)]
pub(crate) struct Panic {
    message: String,
    place: Option<String>,
    /// Whether the code was left because its turn is given up.
    given_up: bool,
}

impl Panic {
    /// Whether code asked for an async runtime. Tokio gives no other sign of it than a panic, whose payload is its error
    /// as a text and whose place is that of the caller. So that error itself is compared, as a whole: no wording is
    /// assumed, and a panic of the application that speaks of reactors is none of these.
    fn is_for_want_of_a_runtime(&self) -> bool {
        NO_RUNTIME.get().is_some_and(|text| *text == self.message)
    }

    pub(crate) fn into_failure(self) -> FailureDetails {
        let place = self.place.clone();
        let failure = FailureDetails::new(kind::PANIC, self.to_string()).non_retriable();
        match place {
            Some(place) => failure.with_stack_trace(place),
            None => failure,
        }
    }
}

impl std::fmt::Display for Panic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.place {
            Some(place) => write!(f, "panicked at {place}: {}", self.message),
            None => write!(f, "panicked: {}", self.message),
        }
    }
}

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs user code on the engine thread.
pub(crate) fn contained<T>(code: impl FnOnce() -> T) -> Result<T, Panic> {
    install_hook();
    let guard = InTurn::enter();
    let result = panic::catch_unwind(AssertUnwindSafe(code));
    let result = result.map_err(|payload| {
        let (place, given_up) = (PLACE.take(), payload.is::<GivenUp>());
        Panic { message: panic_text(payload), place, given_up }
    });
    drop(guard);
    result
}

/// Only the panic hook knows the place of a panic. Panics of orchestrators are recorded and not printed. All other
/// panics go to the previous hook.
fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if crate::context::in_turn() {
                PLACE.set(info.location().map(ToString::to_string));
            } else {
                before(info);
            }
        }));
    });
}
