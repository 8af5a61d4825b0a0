//! Activities that are methods of a service.

use std::sync::atomic::{AtomicU64, Ordering};

use persevere::prelude::*;
use persevere::{StartError, registry};
use persevere_tests::in_time;

/// Takes money and counts it.
pub(crate) struct Till {
    fee: u64,
    taken: AtomicU64,
}

impl Till {
    pub(crate) fn new(fee: u64) -> Self {
        Self { fee, taken: AtomicU64::new(0) }
    }
}

#[activities]
impl Till {
    /// Takes an amount and the fee.
    #[activity(name = "take_money")]
    async fn take(&self, cx: &ActivityContext, amount: u64) -> Result<String, ActivityError> {
        let sum = self.with_fee(amount);
        let before = self.taken.fetch_add(sum, Ordering::SeqCst);
        Ok(format!("{}: {before} + {sum}", cx.instance_id()))
    }

    /// The total of what was taken.
    #[activity]
    async fn taken(&self) -> Result<u64, ActivityError> {
        Ok(self.taken.load(Ordering::SeqCst))
    }

    fn with_fee(&self, amount: u64) -> u64 {
        amount + self.fee
    }
}

#[orchestrator]
async fn sell(ctx: OrchestrationContext, amount: u64) -> Result<(String, u64), OrchestrationError> {
    let receipt = take::call(&ctx, amount).await?;
    Ok((receipt, taken::call(&ctx).await?))
}

#[tokio::test]
async fn a_method_runs_on_the_value_that_the_runtime_was_given() {
    in_time(async {
        let builder = Runtime::builder().register(registry![sell, take, taken]).state(Till::new(1));
        let runtime = builder.store(MemoryStore::new()).start().await.unwrap();
        let first = sell::start(runtime.client(), 10).instance_id("one").await.unwrap();
        assert_eq!(first.result().await.unwrap(), ("one: 0 + 11".to_owned(), 11));
        let second = sell::start(runtime.client(), 20).instance_id("two").await.unwrap();
        assert_eq!(second.result().await.unwrap(), ("two: 11 + 21".to_owned(), 32));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_start_without_the_value_names_it_and_the_activity() {
    let builder = Runtime::builder().register(registry![sell, taken, take]).state(7_u64);
    let error = builder.store(MemoryStore::new()).start().await.unwrap_err();
    assert!(matches!(error, StartError::MissingService { activity: "take_money", .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("services::Till") && text.contains(".state(") && text.contains("services.rs:"), "{text}");
}

#[tokio::test]
async fn a_test_calls_the_method_itself() {
    let receipt = Till::new(2).take(&ActivityContext::for_test(), 3).await.unwrap();
    assert!(receipt.ends_with(": 0 + 5"), "{receipt}");
}
