use persevere::prelude::*;

mod tokio {
    macro_rules! select {
        ($($any:tt)*) => {};
    }
    macro_rules! join {
        ($($any:tt)*) => {};
    }
    pub(crate) use {join, select};
}

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    tokio::select! { _ = std::future::ready(1) => {} }
    crate::tokio::join!(std::future::ready(1));
    Ok(())
}

fn main() {}
