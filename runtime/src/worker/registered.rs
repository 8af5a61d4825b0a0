//! The activities of a registry as code that can be run.

use std::sync::Arc;

use super::activity_run::ActivityCode;
use crate::context::ActivityContext;
use crate::definition::BoxedActivity;
use crate::model::JsonText;
use crate::registry::Registry;

#[derive(Debug)]
pub(crate) struct RegisteredActivities(pub(crate) Arc<Registry>);

impl ActivityCode for RegisteredActivities {
    fn knows(&self, name: &str) -> bool {
        self.0.activity(name).is_some()
    }

    fn call(&self, name: &str, context: ActivityContext, input: JsonText) -> Option<BoxedActivity> {
        self.0.activity(name).map(|activity| (activity.handler)(context, input))
    }
}
