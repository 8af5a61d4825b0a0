//! The driver: the only place with threads, Tokio and clocks. It turns a partition, which is values in and values out,
//! into something that runs.
//!
//! ```text
//! Client ─► port ─► client queue ─┐                       ┌─► activities (Tokio) ─► internal queue ─┐
//!                                 ├─► engine thread ──────┤                                         │
//!                  internal queue ┘   session: partition, ├─► callers, watchers                     │
//!                        ▲            lane, gate, loads   └─► store                                 │
//!                        └──────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! - Nothing leaves for the world before the commit that it depends on is durable, and only by [`gate`].
//! - A commit whose fate is not known is never built upon: memory is dropped, the store is taken over anew ([`recovery`]).
//! - The engine thread never blocks on a send and never runs in a Tokio context.
//! - The driver owns running activities, not the partition: a recovery does not run them twice ([`activities`]).

mod activities;
mod activity_run;
mod backoff;
mod bell;
mod builder;
mod calls;
mod clock;
mod commit_lane;
mod ending;
mod engine_end;
mod engine_thread;
mod error;
mod gate;
mod limits;
mod loads;
mod loss;
mod notice;
mod phase;
mod port;
mod recovery;
mod registered;
mod runtime;
#[cfg(test)]
mod scripted_store;
mod session;
mod shutdown;
mod store_access;
mod world;

pub use builder::RuntimeBuilder;
pub use clock::Clock;
#[cfg(feature = "testing")]
pub use clock::ManualClock;
pub use error::StartError;
pub use limits::Limits;
pub use runtime::Runtime;
pub use shutdown::ShutdownError;
