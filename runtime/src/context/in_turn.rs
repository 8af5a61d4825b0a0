//! Detects whether this thread is polling an orchestrator, because clients refuse to be used there.

use std::cell::Cell;

thread_local! {
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Returns whether this thread is currently polling an orchestrator.
pub(crate) fn in_turn() -> bool {
    IN_TURN.get()
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
