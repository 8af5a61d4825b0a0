//! Methods as activities: visibility, contexts, names of the user's own, documentation, conditions, in functions.
#![deny(warnings, missing_docs, unreachable_pub)]
#![forbid(unsafe_code)]

use persevere::prelude::*;
use std::sync::Arc;

type Outcome<T> = std::result::Result<T, ActivityError>;

mod payments {
    use super::*;

    pub(crate) struct Payments<T> {
        pub(crate) system: Arc<T>,
    }

    #[derive(Serialize, Deserialize)]
    pub(crate) struct Receipt(pub(crate) String);

    #[activities]
    impl Payments<String> {
        const LIMIT: u64 = 1 << 4;

        /// Charges.
        #[activity]
        pub(crate) async fn charge(&self, cx: &ActivityContext, order: u64, mut input: u8) -> Outcome<Receipt> {
            input += 1;
            Ok(Receipt(format!("{} {order} {input} {} {}", self.system, cx.task_id().operation.0, Self::LIMIT)))
        }

        #[activity(name = "refund everything", marker = GiveBack)]
        pub(super) async fn refund(&self) -> Outcome<Vec<Receipt>> {
            Ok(vec![self.own()])
        }

        #[cfg(any())]
        #[activity]
        async fn absent(&self, x: Absent) -> Outcome<()> {}

        fn own(&self) -> Receipt {
            Receipt(String::new())
        }
    }
}

use payments::{GiveBack, charge};

#[orchestrator]
async fn pay(ctx: OrchestrationContext) -> Result<usize, OrchestrationError> {
    let receipt = charge::call(&ctx, 1, 2).await?;
    let more = payments::charge::call(&ctx, 1, 2).await?;
    Ok(receipt.0.len() + more.0.len() + GiveBack::call(&ctx).await?.len())
}

fn main() {
    struct Here;
    #[activities]
    impl Here {
        #[activity]
        async fn here(&self) -> Result<Self, ActivityError> {
            Ok(Here)
        }
    }
    impl Serialize for Here {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.serialize_unit()
        }
    }
    impl<'de> Deserialize<'de> for Here {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            <()>::deserialize(from).map(|()| Here)
        }
    }
    assert_eq!(<GiveBack as persevere::Activity>::NAME, "refund everything");
    let registry = persevere::Registry::auto().unwrap();
    assert!(registry.activity("here").unwrap().service.is_some() && registry.activity("absent").is_none());
    assert!((registry.activity("charge").unwrap().service.unwrap().name)().ends_with("Payments<alloc::string::String>"));
    let payments = payments::Payments { system: Arc::new(String::new()) };
    drop((payments.charge(&ActivityContext::for_test(), 1, 2), Here.here()));
}
