//! Detects whether this thread is polling an orchestrator, because clients refuse to be used there, and whether what it
//! polls is a replay, because then nothing is logged twice.

use std::cell::Cell;

thread_local! {
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
    static REPLAYING: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is currently polling an orchestrator.
pub(crate) fn in_turn() -> bool {
    IN_TURN.get()
}

/// Returns whether this thread is currently polling an orchestrator with recorded inputs.
#[cfg(feature = "telemetry")]
pub(crate) fn is_replaying() -> bool {
    REPLAYING.get()
}

/// Marks the current thread as polling an orchestrator until it is dropped.
pub(crate) struct InTurn(());

impl InTurn {
    pub(crate) fn enter() -> Self {
        IN_TURN.set(true);
        Self(())
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        IN_TURN.set(false);
    }
}

/// Marks what the current thread does as a replay until it is dropped.
pub(crate) struct Replaying(());

impl Replaying {
    pub(crate) fn enter(replaying: bool) -> Self {
        REPLAYING.set(replaying);
        Self(())
    }
}

impl Drop for Replaying {
    fn drop(&mut self) {
        REPLAYING.set(false);
    }
}
