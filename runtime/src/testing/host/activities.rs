//! Who answers the calls of activities, and which calls there were.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::ActivityContext;
use crate::contract::ActivityFailure;
use crate::definition::{ActivityHandler, BoxedActivity};
use crate::model::{FailureDetails, JsonText};

pub(super) type MockFunction = dyn Fn(ActivityContext, JsonText) -> BoxedActivity + Send + Sync;

/// What answers one activity.
#[derive(Clone)]
pub(super) enum Answer {
    Mock(Arc<MockFunction>),
    Code(ActivityHandler),
}

/// The activities of one host, by their names. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Activities(Arc<Mutex<Table>>);

#[derive(Default)]
struct Table {
    answers: HashMap<String, Answer>,
    calls: Vec<(String, JsonText)>,
    /// What the test must learn even if the orchestrator handles the failure.
    problems: Vec<String>,
}

impl Activities {
    pub(super) fn set(&self, name: &str, answer: Answer) {
        self.lock().answers.insert(name.to_owned(), answer);
    }

    /// Returns the inputs of the calls of this activity, in their order.
    pub(super) fn calls(&self, name: &str) -> Vec<JsonText> {
        let table = self.lock();
        table.calls.iter().filter(|(called, _)| called == name).map(|(_, input)| input.clone()).collect()
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.lock().problems.clone()
    }

    pub(super) fn add_problem(&self, problem: String) {
        self.lock().problems.push(problem);
    }

    fn answer(&self, context: ActivityContext, input: JsonText) -> BoxedActivity {
        let name = context.activity_name().to_owned();
        let mut table = self.lock();
        table.calls.push((name.clone(), input.clone()));
        match table.answers.get(&name).cloned() {
            Some(answer) => {
                drop(table);
                match answer {
                    Answer::Mock(mock) => mock(context, input),
                    Answer::Code(handler) => handler(context, input),
                }
            }
            None => {
                let problem = format!(
                    "activity `{name}` is neither mocked nor registered: add `.mock::<{name}>(..)`, or \
                     `.register(registry![{name}])` to run its code"
                );
                table.problems.push(problem.clone());
                Box::pin(async move { Err(ActivityFailure::Failed(FailureDetails::new("NotMocked", problem))) })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs in place of the code of every activity of a host.
#[allow(clippy::needless_pass_by_value, reason = "it is an `ActivityHandler`")]
pub(super) fn answer(context: ActivityContext, input: JsonText) -> BoxedActivity {
    match context.try_state::<Activities>() {
        Ok(activities) => activities.answer(context.clone(), input),
        Err(missing) => {
            let failure = FailureDetails::new("MissingState", missing.to_string());
            Box::pin(async move { Err(ActivityFailure::Failed(failure)) })
        }
    }
}
