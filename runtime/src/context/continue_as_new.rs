//! The end of one execution that is the beginning of the next.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};

use super::Context;
use super::durable::{Durable, sealed::Sealed};
use crate::contract::Orchestrator;
use crate::model::{Completion, EncodeError, JsonText};

/// Ends this execution and goes on as a new one, with an empty history:
/// `return hello_cities::continue_as_new(&ctx, input).await;`
///
/// It never resolves: nothing after it runs. Events that nobody took and the custom status go with it.
#[must_use = "it does nothing unless it is awaited"]
pub struct ContinueAsNew<O: Orchestrator> {
    ctx: Context,
    input: Option<Result<JsonText, EncodeError>>,
    version: Option<String>,
    keep_events: bool,
    types: PhantomData<fn() -> O>,
}

impl<O: Orchestrator> ContinueAsNew<O> {
    pub(crate) fn new(ctx: &Context, input: Result<JsonText, EncodeError>) -> Self {
        Self { ctx: ctx.clone(), input: Some(input), version: None, keep_events: true, types: PhantomData }
    }

    /// Goes on with another version of the orchestrator. Without it the version stays.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Whether events that nobody took go with it. They do unless told otherwise.
    pub fn keep_events(mut self, keep: bool) -> Self {
        self.keep_events = keep;
        self
    }
}

impl<O: Orchestrator> Future for ContinueAsNew<O> {
    type Output = Result<O::Output, O::Error>;

    fn poll(self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(input) = this.input.take() {
            let mut journal = this.ctx.turn();
            match input.map_err(Into::into).and_then(|input| journal.admit(input.len()).map(|()| input)) {
                Ok(input) => {
                    let completion = Completion::ContinuedAsNew {
                        input,
                        version: this.version.take(),
                        keep_events: this.keep_events,
                    };
                    journal.completion.get_or_insert(completion);
                }
                Err(failure) => journal.fail(failure),
            }
        }
        Poll::Pending
    }
}

impl<O: Orchestrator> Sealed for ContinueAsNew<O> {}
#[diagnostic::do_not_recommend]
impl<O: Orchestrator> Durable for ContinueAsNew<O> {}

impl<O: Orchestrator> fmt::Debug for ContinueAsNew<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContinueAsNew").field("name", &O::NAME).finish_non_exhaustive()
    }
}
