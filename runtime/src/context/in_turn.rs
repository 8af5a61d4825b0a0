//! Whether this thread is polling an orchestrator. Clients refuse to be used from there.

use std::cell::Cell;

thread_local! {
    static IN_TURN: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is polling an orchestrator at this moment.
pub(crate) fn in_turn() -> bool {
    IN_TURN.get()
}

/// Marks the thread for as long as it lives.
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
