//! The client of the runtime that runs an activity.

use super::Client;
use crate::context::{ActivityContext, TestActivityContext};

/// What a runtime registers for its activities besides the values of the application.
#[derive(Debug)]
pub(crate) struct RuntimeClient(pub(crate) Client);

impl ActivityContext {
    /// Returns the client of the runtime that runs this activity: to start other orchestrations, to raise events, to read
    /// states. It works from the first activity on, also in activities that run again after a restart. After the runtime
    /// has ended, its calls return [`ClientError::RuntimeStopped`](crate::ClientError::RuntimeStopped).
    ///
    /// An activity runs at least once, so give what it starts an instance id that a second run repeats, such as
    /// [`idempotency_key`](Self::idempotency_key), and give events an id.
    ///
    /// # Deadlocks
    /// Do not wait for the end of the instance that called the activity: it waits for the activity. Do not wait for other
    /// instances either if these need activities: all places for activities
    /// ([`max_concurrent_activities`](crate::RuntimeBuilder::max_concurrent_activities)) may be occupied by activities that
    /// wait. Let the orchestrator call a sub-orchestration instead.
    ///
    /// # Panics
    /// Panics in a unit test whose context was not given a client: see
    /// [`with_client`](TestActivityContext::with_client).
    ///
    /// # Examples
    /// ```
    /// # use persevere::prelude::*;
    /// #[orchestrator]
    /// async fn report(ctx: OrchestrationContext, day: String) -> Result<(), OrchestrationError> {
    ///     # let _ = (&ctx, day);
    ///     Ok(())
    /// }
    ///
    /// #[activity]
    /// async fn request_report(cx: &ActivityContext, day: String) -> Result<(), ActivityError> {
    ///     report::start(cx.client(), day).instance_id(cx.idempotency_key()).await?;
    ///     Ok(())
    /// }
    /// ```
    pub fn client(&self) -> &Client {
        match self.try_state::<RuntimeClient>() {
            Ok(client) => &client.0,
            Err(_) => {
                panic!("this context belongs to no runtime: in a unit test, call `with_client` on the test context")
            }
        }
    }
}

impl TestActivityContext {
    /// Sets the client that the activity gets.
    #[must_use]
    pub fn with_client(self, client: Client) -> Self {
        self.with_state(RuntimeClient(client))
    }
}
