//! How bad input is answered: with a typed error that names the cause and says what to do. There is one test for each
//! kind.

mod ids;
mod payloads;
mod registration;
mod stores;
mod texts;
mod types;

use std::error::Error;
use std::fmt::{Debug, Display};

use persevere::prelude::*;
use persevere::{Limits, Registration, RuntimeBuilder};
use persevere_tests::in_time;

/// Returns its input when it is told to.
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

/// Returns the text of an error together with those of its causes.
fn in_full(error: &dyn Error) -> String {
    let causes = std::iter::successors(Some(error), |error: &&dyn Error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Checks that the text of an error contains all of these words.
#[track_caller]
fn says(error: impl Display + Debug, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "`{text}` does not say `{word}` ({error:?})");
    }
}
