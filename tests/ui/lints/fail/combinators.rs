use persevere::prelude::*;
use std::future::ready;
use tokio::sync::{Notify, oneshot};

mod futures {
    pub mod future {
        pub struct AbortHandle;
        pub async fn join_all<T>(_: Vec<T>) {}
        pub async fn select_all<T>(_: Vec<T>) {}
    }
}
use futures::future;

#[orchestrator]
async fn run(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    futures::future::join_all(vec![ready(1)]).await;
    future::select_all(vec![ready(1)]).await;
    tokio::join!(ready(1));
    let (_sender, receiver) = oneshot::channel::<u8>();
    let _ = receiver.await;
    let _ = Notify::new();
    Ok(())
}

fn main() {}
