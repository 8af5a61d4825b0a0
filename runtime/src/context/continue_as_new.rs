//! Continue-as-new: the end of one execution and the start of the next.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll};

use super::Context;
use super::durable::{Durable, sealed::Sealed};
use crate::contract::{Orchestrator, kind};
use crate::model::{Completion, EncodeError, FailureDetails, JsonText};

/// Ends this execution and continues as a new one with an empty history: `return hello_cities::continue_as_new(&ctx,
/// input).await;`
///
/// It never completes, so nothing after it runs. The new execution receives the custom status and the events that were
/// not consumed.
///
/// The next execution has the version that the type names, which may differ from the version of this execution. The
/// name must be the same. In an orchestrator, another name does not compile. A helper does not know its orchestrator,
/// so there another name fails the orchestration. To begin another orchestrator, use [`start_detached`].
///
/// [`start_detached`]: https://docs.rs/persevere/latest/persevere/attr.orchestrator.html
#[must_use = "it does nothing unless it is awaited"]
pub struct ContinueAsNew<O: Orchestrator> {
    ctx: Context,
    input: Option<Result<JsonText, EncodeError>>,
    version: Option<String>,
    keep_events: bool,
    types: PhantomData<fn() -> O>,
}

/// The text that the compiler and a failed orchestration show.
const ANOTHER_NAME: &str = "an orchestrator continues as itself, or as another version of the same name: to begin another orchestrator, `start_detached` it and return";

/// Fails the evaluation of a constant if an orchestrator would continue under another name. Generated code calls this
/// for each `continue_as_new` in the body of an orchestrator.
#[track_caller]
pub const fn continues<This: Orchestrator, Next: Orchestrator>() {
    let (this, next) = (This::NAME.as_bytes(), Next::NAME.as_bytes());
    let mut same = this.len() == next.len();
    let mut at = 0;
    while same && at < this.len() {
        same = this[at] == next[at];
        at += 1;
    }
    assert!(same, "{}", ANOTHER_NAME);
}

impl<O: Orchestrator> ContinueAsNew<O> {
    pub(crate) fn new(ctx: &Context, input: Result<JsonText, EncodeError>) -> Self {
        Self { ctx: ctx.clone(), input: Some(input), version: None, keep_events: true, types: PhantomData }
    }

    /// Continues with another version of the orchestrator than the one that the type names.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// The macro writes this call at places where it has compared the names.
    #[doc(hidden)]
    #[inline(always)]
    pub fn __continues(self, (): ()) -> Self {
        self
    }

    /// Sets whether the new execution receives the events that were not consumed. The default is `true`.
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
            let same_name = this.ctx.name() == O::NAME;
            let same_version = this.ctx.version() == O::VERSION;
            let mut journal = this.ctx.turn();
            let admitted = match input {
                _ if !same_name => Err(FailureDetails::new(kind::CONTINUE_AS_NEW, ANOTHER_NAME)),
                Err(error) => Err(error.into()),
                Ok(input) => journal.admit(input.len()).map(|()| input),
            };
            match admitted {
                Ok(input) => {
                    let version = this.version.take().or_else(|| (!same_version).then(|| O::VERSION.to_owned()));
                    let completion = Completion::ContinuedAsNew { input, version, keep_events: this.keep_events };
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
