//! An orchestrator continues as itself, under whatever path, and as another version of its name.
#![deny(warnings)]

use persevere::prelude::*;

mod first {
    use persevere::prelude::*;

    #[orchestrator(name = "hops", version = "1")]
    pub(crate) async fn hops(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
        if number == 0 {
            return super::second::Hops::continue_as_new(&ctx, "one".to_owned()).await;
        }
        return hops::continue_as_new(&ctx, number - 1).keep_events(false).await;
    }
}

mod second {
    use persevere::prelude::*;

    use super::first;

    #[orchestrator(name = "hops", version = "2", marker = Hops)]
    pub(crate) async fn hops(ctx: OrchestrationContext, number: String) -> Result<u32, OrchestrationError> {
        let back = || first::hops::continue_as_new(&ctx, 7);
        if number.is_empty() {
            return back().await;
        }
        Hops::continue_as_new(&ctx, String::new()).await
    }
}

/// A helper does not know its orchestrator: the names are compared when it runs.
#[orchestrator_fn]
async fn again(ctx: &Context) -> Result<u32, OrchestrationError> {
    first::hops::continue_as_new(ctx, 1).await
}

#[orchestrator(name = "hops", version = "3")]
async fn hops(ctx: OrchestrationContext) -> Result<u32, OrchestrationError> {
    again(&ctx).await
}

fn main() {
    assert_eq!(<hops as persevere::Orchestrator>::VERSION, "3");
}
