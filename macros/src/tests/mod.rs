//! The stages one by one, on tokens: what is rewritten, what is refused, what an expansion looks like.

mod accepted;
mod arbitrary;
mod refusals;
mod rewriting;
mod skeletons;
mod snapshots;
