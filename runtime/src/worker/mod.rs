//! The driver: the only place with threads, Tokio and clocks. It turns a partition, which is values in and values out,
//! into something that runs.
//!
//! ```text
//! Client ─► port ─► client queue ─┐                              ┌─► activities (Tokio) ─► notices ─┐
//!                                 ├─► engine thread, of several: ┤                                  │
//!                         notices ┘   for each of its partitions ├─► callers, watchers              │
//!                            ▲        a session (lane, gate,     ├─► store                          │
//!                            │        loads) or a recovery       └─► other partitions: look         │
//!                            └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! [`process`] is what the threads share, [`owned`] what belongs to one partition, [`routes`] how one reaches the other.
//!
//! Invariants:
//! - Nothing leaves for the world before the commit that it depends on is durable, and only by [`gate`].
//! - A commit whose fate is not known is never built upon: the memory of its partition is dropped, and the partition is
//!   taken over anew ([`recovery`]). The other partitions go on.
//! - An engine thread never blocks on a send and never runs in a Tokio context.
//! - The driver owns running activities, not the partition: a recovery does not run them twice ([`activities`]).

mod activities;
mod activity_run;
mod backoff;
mod bell;
mod builder;
mod calls;
mod clock;
mod closing;
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
mod outside;
mod owned;
mod phase;
mod port;
mod process;
mod recovery;
mod registered;
mod routes;
mod runtime;
#[cfg(test)]
mod scripted_store;
mod session;
mod shutdown;
mod start;
mod store_access;

pub use builder::RuntimeBuilder;
pub use clock::Clock;
#[cfg(feature = "testing")]
pub use clock::ManualClock;
pub use error::StartError;
pub use limits::Limits;
pub use runtime::Runtime;
pub use shutdown::ShutdownError;
