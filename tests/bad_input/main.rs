//! What bad input gets: a typed error that names the cause and says what to do, one test for each kind.
//!
//! A program of its own, for it holds activities of one name that do not fit each other.

mod ids;
mod payloads;
mod registration;
mod stores;
mod types;

use std::fmt::{Debug, Display};
use std::future::Future;
use std::time::Duration;

use persevere::prelude::*;
use persevere::{Limits, Registration, RuntimeBuilder};

/// Says back what it is given, when it is told to.
#[activity]
async fn echo(text: String) -> Result<String, ActivityError> {
    Ok(text)
}

/// A text that an orchestrator waits for.
#[external_event]
#[derive(Clone, Debug, PartialEq)]
struct Word(String);

/// Waits for one word.
#[orchestrator]
async fn listen(ctx: OrchestrationContext, name: String) -> Result<String, OrchestrationError> {
    let Word(word) = Word::wait(&ctx).await?;
    Ok(format!("{name}: {word}"))
}

fn builder(registrations: impl IntoIterator<Item = Registration>) -> RuntimeBuilder {
    Runtime::builder().store(MemoryStore::new()).register(registrations)
}

async fn runtime(registrations: impl IntoIterator<Item = Registration>) -> Runtime {
    builder(registrations).start().await.unwrap()
}

async fn limited(payload_bytes: u32, registrations: impl IntoIterator<Item = Registration>) -> Runtime {
    let mut limits = Limits::default();
    limits.payload_bytes = payload_bytes;
    builder(registrations).limits(limits).start().await.unwrap()
}

/// The text of an error holds all of these words.
#[track_caller]
fn says(error: impl Display + Debug, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{text}` does not say `{word}` ({error:?})");
    }
}

/// Fails a test that hangs. No test depends on how long it is.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("the test hangs")
}
