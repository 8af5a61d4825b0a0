//! Orchestrators that say which events they accept; what is called `wait` and is no event is left alone.
#![deny(warnings)]
#![forbid(unsafe_code)]

use persevere::prelude::*;
use persevere::{Accepts, OrchestrationHandle};

mod events {
    use persevere::external_event;

    #[external_event]
    pub struct Confirmed(pub bool);

    #[external_event]
    pub struct Cancelled;
}
use events::Cancelled as CalledOff;

struct Latch;

impl Latch {
    fn wait(&self, rounds: u32) -> u32 {
        rounds
    }
}

#[orchestrator(events(events::Confirmed, CalledOff))]
async fn book(ctx: OrchestrationContext) -> Result<bool, OrchestrationError> {
    #![allow(clippy::needless_return)]
    use events::Confirmed as Yes;
    let _: u32 = Latch::wait(&Latch, 1);
    let called_off = events::Cancelled::wait(&ctx);
    select! {
        yes = Yes::wait(&ctx) => return Ok(yes?.0),
        _ = called_off => return Ok(false),
    }
}

/// Accepts none.
#[orchestrator(events())]
async fn deaf(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

persevere::declare_orchestrator! {
    /// Runs elsewhere.
    #[orchestrator(events(CalledOff))]
    fn elsewhere(ctx: OrchestrationContext<u8>) -> Result<bool, OrchestrationError>;
}

#[orchestrator]
async fn open(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    Ok(())
}

fn raise(book: &OrchestrationHandle<book>, open: &OrchestrationHandle<open>, far: &OrchestrationHandle<elsewhere>) {
    drop(book.raise_event(events::Confirmed(true)));
    drop(book.raise_event(CalledOff));
    drop(open.raise_event(events::Cancelled));
    drop(far.raise_event(events::Cancelled));
    drop(far.custom_status());
}

fn tell<O: Accepts<CalledOff>>(handle: &OrchestrationHandle<O>) {
    drop(handle.raise_event(CalledOff));
}

fn main() {
    let _ = (raise, tell::<book>, tell::<elsewhere>);
    let _ = deaf;
}
