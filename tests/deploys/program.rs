//! One program in five versions. They differ only in the type of what they store.

use persevere::prelude::*;
use persevere::testing::ManualClock;
use persevere::{InstanceId, Registration};

use super::book::Book;

/// A version of the program. `Item` is what it stores, `sample` what the first version stores, and `name` what the
/// program returns of it.
macro_rules! version {
    ($version:ident, $(#[$attribute:meta])* struct Item { $($fields:tt)* }, $sample:expr) => {
        pub(super) mod $version {
            use super::*;

            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            $(#[$attribute])*
            pub(crate) struct Item { $($fields)* }

            impl Item {
                pub(crate) fn sample() -> Self {
                    $sample
                }
            }

            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
            #[error("refused")]
            pub(crate) struct Refused(Item);

            #[external_event(name = "arrival")]
            pub(crate) struct Arrival(pub(crate) Item);

            #[external_event(name = "go")]
            pub(crate) struct Go(());

            #[activity(name = "takes")]
            async fn takes(cx: &ActivityContext, item: Item) -> Result<String, ActivityError> {
                cx.state::<Book>().begin("takes").await;
                Ok(item.name)
            }

            #[activity(name = "gives")]
            async fn gives() -> Result<Item, ActivityError> {
                Ok(Item::sample())
            }

            #[activity(name = "refuses")]
            async fn refuses() -> Result<(), Refused> {
                Err(Refused(Item::sample()))
            }

            /// Says that the value is stored.
            #[activity(name = "ready")]
            async fn ready(cx: &ActivityContext) -> Result<(), ActivityError> {
                cx.state::<Book>().note("ready");
                Ok(())
            }

            #[orchestrator_fn]
            async fn until_go(ctx: &persevere::Context) -> Result<(), OrchestrationError> {
                ready::call(ctx).await?;
                Go::wait(ctx).await?;
                Ok(())
            }

            /// What a saga would do when a step fails.
            #[activity(name = "compensates")]
            async fn compensates(cx: &ActivityContext) -> Result<(), ActivityError> {
                cx.state::<Book>().note("compensates");
                Ok(())
            }

            #[orchestrator(name = "starts")]
            async fn starts(ctx: OrchestrationContext, item: Item) -> Result<String, OrchestrationError> {
                until_go(&ctx).await?;
                Ok(item.name)
            }

            #[orchestrator(name = "renews")]
            async fn renews(ctx: OrchestrationContext, item: Option<Item>) -> Result<String, OrchestrationError> {
                let Some(item) = item else { return renews::continue_as_new(&ctx, Some(Item::sample())).await };
                until_go(&ctx).await?;
                Ok(item.name)
            }

            #[orchestrator(name = "returns")]
            async fn returns(ctx: OrchestrationContext) -> Result<Item, OrchestrationError> {
                let _ = ctx;
                Ok(Item::sample())
            }


            #[orchestrator_fn]
            async fn step(ctx: &OrchestrationContext<Item>, kind: &str) -> Result<String, OrchestrationError> {
                Ok(match kind {
                    "activity input" => takes::call(ctx, Item::sample()).await?,
                    "activity result" => {
                        let item = gives::call(ctx).await?;
                        until_go(ctx).await?;
                        item.name
                    }
                    "activity error" => {
                        let error = refuses::call(ctx).await.unwrap_err();
                        until_go(ctx).await?;
                        match error {
                            CallError::App { error: Refused(item), .. } => item.name,
                            other => return Err(other.into()),
                        }
                    }
                    "event" => {
                        until_go(ctx).await?;
                        Arrival::wait(ctx).await?.0.name
                    }
                    "child input" => {
                        starts::call(ctx, Item::sample()).instance_id(InstanceId::new("child")?).await?
                    }
                    "child result" => {
                        let item = returns::call(ctx).await?;
                        until_go(ctx).await?;
                        item.name
                    }
                    "side effect" => {
                        let item = ctx.side_effect(Item::sample);
                        until_go(ctx).await?;
                        item.name
                    }
                    "custom status" => {
                        until_go(ctx).await?;
                        ctx.custom_status().map_or_else(String::new, |item| item.name)
                    }
                    other => return Err(format!("no kind {other}").into()),
                })
            }

            #[orchestrator(name = "steps")]
            async fn steps(ctx: OrchestrationContext<Item>, kind: String) -> Result<String, OrchestrationError> {
                match step(&ctx, &kind).await {
                    Ok(name) => Ok(name),
                    Err(error) => {
                        compensates::call(&ctx).await?;
                        Err(error)
                    }
                }
            }

            pub(crate) fn code() -> Code {
                let registrations = persevere::registry![takes, gives, refuses, ready, compensates, starts, renews, returns, steps].into();
                Code { build: stringify!($version), registrations }
            }
        }
    };
}

version!(
    stored,
    struct Item {
        pub(crate) name: String,
        pub(crate) size: u32,
    },
    Item { name: "kettle".to_owned(), size: 3 }
);
version!(
    added,
    struct Item {
        pub(crate) name: String,
        pub(crate) size: u32,
        pub(crate) priority: u8,
    },
    Item { name: "kettle".to_owned(), size: 3, priority: 1 }
);
version!(
    removed,
    #[serde(deny_unknown_fields)]
    struct Item {
        pub(crate) name: String,
    },
    Item { name: "kettle".to_owned() }
);
version!(
    changed,
    struct Item {
        pub(crate) name: String,
        pub(crate) size: String,
    },
    Item { name: "kettle".to_owned(), size: "3 l".to_owned() }
);
version!(
    fixed,
    struct Item {
        pub(crate) name: String,
        pub(crate) size: u32,
        #[serde(default)]
        pub(crate) priority: u8,
    },
    Item { name: "kettle".to_owned(), size: 3, priority: 1 }
);

/// A version of a program, which is a build of its own.
pub(super) struct Code {
    pub(super) build: &'static str,
    pub(super) registrations: Vec<Registration>,
}

pub(super) fn builder(
    code: Code,
    store: std::sync::Arc<dyn persevere::store::Store>,
    clock: &ManualClock,
    book: &Book,
) -> persevere::RuntimeBuilder {
    Runtime::builder()
        .shared_store(store)
        .register(code.registrations)
        .build_id(code.build)
        .state(book.clone())
        .clock(clock.clone())
        .engine_threads(1)
        .shutdown_grace(std::time::Duration::ZERO)
}
