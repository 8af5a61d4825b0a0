//! What the engine thread does effects to: activities, callers, watchers. Survives recoveries.

use std::sync::Arc;

use super::activities::Activities;
use super::calls::Calls;
use crate::client::{ChangeHub, SubmitError};
use crate::engine::{ClientAnswer, Refusal, RequestId};

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) activities: Activities,
    pub(crate) calls: Calls,
    pub(crate) hub: Arc<ChangeHub>,
}

impl World {
    pub(crate) fn reply(&mut self, request: RequestId, result: Result<ClientAnswer, Refusal>) {
        self.calls.answer(request, result.map_err(SubmitError::Refused));
    }
}
