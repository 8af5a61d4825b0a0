//! The stages one by one, on tokens: what is rewritten, what is refused, what an expansion looks like.
#![allow(
    clippy::needless_pass_by_value,
    clippy::needless_borrow,
    clippy::too_many_lines,
    reason = "token streams are made where they are used, in long tables"
)]

mod accepted;
mod arbitrary;
mod editor;
mod lints;
mod refusals;
mod rewriting;
mod services;
mod skeletons;
mod snapshots;
