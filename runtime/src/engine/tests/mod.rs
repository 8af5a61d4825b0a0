//! Tests of the engine's rules; each name carries the number of its rule.

mod carried;
mod caution;
mod chaos;
mod children;
mod ends;
mod foreign;
mod identity;
mod inputs;
mod limits;
mod open_tasks;
mod order;
mod recovery;
mod registered;
mod remote;
mod replay;
mod restart;
mod rewind;
mod table;
mod trace;
mod turns;
mod verify;

use proptest::test_runner::Config;

/// So many cases, times `ENGINE_CASES_FACTOR` when that is set.
fn cases(count: u32) -> Config {
    let factor = std::env::var("ENGINE_CASES_FACTOR").ok().and_then(|text| text.parse::<u32>().ok()).unwrap_or(1);
    Config { cases: count * factor, max_shrink_iters: 2_000, failure_persistence: None, ..Config::default() }
}

/// An action without its place in the source.
fn plain(action: &crate::model::Action) -> String {
    let text = action.to_string();
    text.split(" at ").next().unwrap_or_default().to_owned()
}
