//! The driver: the only place with threads, Tokio and clocks. It runs partitions, which themselves only turn values
//! into values.
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
//! [`process`] contains what all threads share, [`owned`] contains what belongs to one partition, and [`routes`]
//! connects the two.
//!
//! Invariants:
//! - An effect leaves only through [`gate`], and only after the commit that it depends on is durable.
//! - Nothing is built on a commit whose outcome is unknown: the memory of its partition is dropped, and the partition
//!   is taken over again ([`recovery`]). The other partitions continue.
//! - An engine thread never blocks when it sends, and it never runs in a Tokio context.
//! - The driver owns running activities, not the partition, so a recovery does not run them twice ([`activities`]).

mod activities;
mod activity_limits;
mod activity_run;
mod backoff;
mod bell;
mod build;
mod builder;
mod calls;
mod commit_lane;
mod engine_thread;
mod error;
mod gate;
mod limits;
mod loads;
mod loss;
mod meters;
mod notice;
mod outside;
mod owned;
mod partition_state;
mod port;
mod process;
mod recovery;
mod registered;
mod routes;
mod runtime;
#[cfg(test)]
mod scripted_store;
mod session;
mod sharing;
mod shutdown;
mod start;
mod store_access;
mod trials;
mod watchdog;

pub use activity_limits::ActivityLimits;
pub use builder::RuntimeBuilder;
pub use clock::Clock;
pub use error::StartError;
pub use limits::Limits;
pub use runtime::Runtime;
pub use shutdown::ShutdownError;

use crate::clock;
