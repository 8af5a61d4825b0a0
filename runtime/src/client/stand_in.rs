//! Stand-ins for the client.
#![allow(missing_docs, missing_debug_implementations, dead_code, clippy::needless_pass_by_value)]

use std::future::{IntoFuture, Ready};
use std::marker::PhantomData;

use crate::contract::Orchestrator;
use crate::model::json::{EncodeError, JsonText};

#[derive(Clone, Debug)]
pub struct Client(());

#[must_use = "an orchestration is started by awaiting this"]
pub struct StartOrchestration<O: Orchestrator>(Result<JsonText, EncodeError>, PhantomData<fn() -> O>);

impl<O: Orchestrator> StartOrchestration<O> {
    pub(crate) fn new(_: &Client, input: Result<JsonText, EncodeError>) -> Self {
        Self(input, PhantomData)
    }
}

impl<O: Orchestrator> IntoFuture for StartOrchestration<O> {
    type Output = Result<(), EncodeError>;
    type IntoFuture = Ready<Self::Output>;
    fn into_future(self) -> Self::IntoFuture {
        std::future::ready(self.0.map(|_| ()))
    }
}
