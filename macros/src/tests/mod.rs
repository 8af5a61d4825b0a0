//! The stages one by one, on tokens: what is rewritten, what is refused, what an expansion looks like.

#![allow(clippy::needless_pass_by_value, reason = "tokens are written where they are passed")]

mod accepted;
mod arbitrary;
mod editor;
mod refusals;
mod rewriting;
mod services;
mod skeletons;
mod snapshots;
