//! The settings of a host, before its runtime starts: time, checks, and who answers activities.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Arc, Mutex};

use super::activities::{Answer, answer};
use super::mock::Mock;
use super::{TestHost, activity_name, lock};
use crate::contract::ActivityFailure;
use crate::definition::{self, ActivityDefinition, BoxedActivity, DefinedActivity, Registration};
use crate::engine::VerifyReplay;
use crate::model::{FailureDetails, JsonText};

#[derive(Debug)]
pub(super) struct Setup {
    pub(super) registered: Vec<Registration>,
    /// Mocks. They take precedence over everything that is linked and has the same name.
    pub(super) mocked: Vec<Registration>,
    pub(super) skips: bool,
    pub(super) verify: VerifyReplay,
    pub(super) live_instances: Option<usize>,
}

impl TestHost {
    /// Moves the time only when the test calls [`advance`](Self::advance) or
    /// [`advance_to_next_timer`](Self::advance_to_next_timer), and not while a client waits.
    #[must_use]
    pub fn manual_time(self) -> Self {
        self.set_up(|setup| setup.skips = false);
        self
    }

    /// Does not replay orchestrations after their turns.
    #[must_use]
    pub fn without_replay_check(self) -> Self {
        self.set_up(|setup| setup.verify = VerifyReplay::Never);
        self
    }

    /// Does not fail the test if an instance is parked at its end.
    #[must_use]
    pub fn allow_parked(mut self) -> Self {
        self.allows_parked = true;
        self
    }

    /// Keeps at most this many instances in memory between their turns. With 0, each turn reads the history of its
    /// instance from the store and replays it.
    #[must_use]
    pub fn live_instances(self, instances: usize) -> Self {
        self.set_up(|setup| setup.live_instances = Some(instances));
        self
    }

    /// Fails the test if an instance has more turns than this, which is how a loop that never ends is found.
    #[must_use]
    pub fn max_turns(self, turns: u64) -> Self {
        self.stories.limit_turns(turns);
        self
    }

    /// Runs the code of these activities: `.register(registry![charge])`. Listed orchestrators take precedence over
    /// others of the same name that are linked into the test.
    #[must_use]
    pub fn register(self, registrations: impl IntoIterator<Item = Registration>) -> Self {
        for registration in registrations {
            if let Registration::Activity(activity) = &registration {
                self.activities.set(activity.name, Answer::Code(activity.handler));
            }
            self.set_up(|setup| setup.registered.push(registration));
        }
        self
    }

    /// Runs the code of activity `F` wherever activity `A` is called: `.replace::<charge, fake_charge>()`. Both have the
    /// same parameters and the same return type.
    #[must_use]
    pub fn replace<A, F>(self) -> Self
    where
        A: DefinedActivity,
        F: DefinedActivity<Inputs = A::Inputs, Return = A::Return>,
    {
        if let Registration::Activity(fake) = <F as definition::Registered<_>>::REGISTRATION {
            self.set_answer::<A>(Answer::Code(fake.handler));
        }
        self
    }

    /// Answers the calls of an activity with a closure of the same parameters, without the context, and the same return
    /// type. The compiler checks both.
    ///
    /// The closure runs in the place of the activity, so it runs again if an activity would, and it may block nothing.
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// # use persevere::testing::TestHost;
    /// #[activity]
    /// async fn charge(card: String, amount: u32) -> Result<String, ActivityError> {
    ///     # let _ = (card, amount);
    ///     Ok("receipt".to_owned())
    /// }
    ///
    /// let host = TestHost::new().mock::<charge>(|card: String, amount| {
    ///     if card.is_empty() { Err(ActivityError::new("declined")) } else { Ok(format!("{amount} from {card}")) }
    /// });
    /// ```
    #[must_use]
    pub fn mock<A: DefinedActivity>(self, mock: impl Mock<A::Inputs, A::Return>) -> Self {
        let mock = Mutex::new(mock);
        self.set_answer::<A>(Answer::Mock(Arc::new(move |_, input| match ActivityDefinition::<A>::decode(&input) {
            Ok(inputs) => {
                let returned = lock(&mock).__answer(inputs);
                ready(ActivityDefinition::<A>::record(returned))
            }
            Err(error) => ready(Err(FailureDetails::new("Undecodable", error.to_string()))),
        })));
        self
    }

    /// Answers the calls of an activity with a closure that returns a future: `|who: String| async move { .. }`.
    #[must_use]
    pub fn mock_async<A, Answers, M>(self, mock: M) -> Self
    where
        A: DefinedActivity,
        Answers: Future<Output = A::Return> + Send + 'static,
        M: Mock<A::Inputs, Answers>,
    {
        let mock = Mutex::new(mock);
        self.set_answer::<A>(Answer::Mock(Arc::new(move |_, input| match ActivityDefinition::<A>::decode(&input) {
            Ok(inputs) => {
                let future = lock(&mock).__answer(inputs);
                Box::pin(async move { Ok(ActivityDefinition::<A>::record(future.await)?) })
            }
            Err(error) => ready(Err(FailureDetails::new("Undecodable", error.to_string()))),
        })));
        self
    }

    /// Answers the calls of an activity with these results, in their order. A call after the last one fails the test.
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// # use persevere::testing::TestHost;
    /// # #[activity] async fn ship(order: u64) -> Result<String, ActivityError> { let _ = order; Ok(String::new()) }
    /// let host = TestHost::new().returns::<ship>([Err(ActivityError::new("no carrier")), Ok("tracking-1".to_owned())]);
    /// ```
    #[must_use]
    pub fn returns<A: DefinedActivity>(self, answers: impl IntoIterator<Item = A::Return>) -> Self {
        let answers = answers.into_iter().map(ActivityDefinition::<A>::record).collect::<Vec<_>>();
        let (count, answers) = (answers.len(), Mutex::new(answers.into_iter()));
        let activities = self.activities.clone();
        let name = activity_name::<A>();
        self.set_answer::<A>(Answer::Mock(Arc::new(move |_, _| {
            let next = lock(&answers).next();
            ready(next.unwrap_or_else(|| {
                let problem = format!("activity `{name}` was called again after its {count} answers");
                activities.add_problem(problem.clone());
                Err(FailureDetails::new("NoAnswer", problem))
            }))
        })));
        self
    }

    fn set_answer<A: DefinedActivity>(&self, answer: Answer) {
        self.activities.set(activity_name::<A>(), answer);
        self.set_up(|setup| setup.mocked.push(<A as definition::Registered<_>>::REGISTRATION));
    }

    fn set_up(&self, change: impl FnOnce(&mut Setup)) {
        assert!(self.running.get().is_none(), "the runtime of the test has started: set the host up before `client`");
        change(&mut lock(&self.setup));
    }
}

/// Returns what the runtime of a test registers: everything that is linked, with the answers of the host in place of the
/// code of activities. What the test has registered or mocked takes precedence over linked items of the same name.
pub(super) fn registrations(setup: &Setup) -> Vec<Registration> {
    let name = |registration: &Registration| match registration {
        Registration::Orchestrator(entry) => (entry.name, entry.version),
        Registration::Activity(entry) => (entry.name, ""),
    };
    let is_chosen = setup.registered.iter().any(|entry| matches!(entry, Registration::Orchestrator(_)));
    let mut taken = HashSet::new();
    let own = setup.registered.iter().chain(&setup.mocked).copied().map(|entry| (true, entry));
    let linked = definition::linked().into_iter().map(|entry| (is_chosen, entry));
    let mut all = Vec::new();
    for (may_be_left_out, mut entry) in own.chain(linked) {
        let is_new = taken.insert(name(&entry));
        let is_own = setup.registered.iter().chain(&setup.mocked).any(|own| name(own) == name(&entry));
        if !is_new && (may_be_left_out || is_own) {
            continue;
        }
        if let Registration::Activity(activity) = &mut entry {
            activity.handler = answer;
            // Only code that runs needs the value whose method it is.
            if !setup.registered.iter().any(|own| name(own) == (activity.name, "")) {
                activity.service = None;
            }
        }
        all.push(entry);
    }
    all
}

fn ready(result: Result<JsonText, FailureDetails>) -> BoxedActivity {
    Box::pin(std::future::ready(result.map_err(ActivityFailure::Failed)))
}
