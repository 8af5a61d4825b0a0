//! Rewinding failed instances: what has succeeded does not run again.

use persevere::prelude::*;
use persevere::{ClientError, HistoryEventKind, RuntimeStatus};

use crate::system::stage::{Book, Stage, echo, in_time, on_every_stage};

on_every_stage! {
    of_a_tree_of_children_only_those_that_failed_run_again
    a_rewound_instance_survives_a_restart
    an_instance_that_has_not_failed_is_not_rewound
}

/// Fails the first time.
#[activity]
async fn settle_down(cx: &ActivityContext, what: String) -> Result<String, ActivityError> {
    let book = cx.state::<Book>();
    book.run(&what);
    if book.runs(&what) == 1 { Err(ActivityError::new(format!("{what} failed"))) } else { Ok(what) }
}

#[orchestrator]
async fn leaf(ctx: OrchestrationContext, number: u32) -> Result<u32, OrchestrationError> {
    echo::call(&ctx, format!("before {number}")).await?;
    if number % 34 == 33 {
        settle_down::call(&ctx, format!("leaf {number}")).await?;
    }
    Ok(number)
}

#[orchestrator]
async fn tree(ctx: OrchestrationContext, leaves: u32) -> Result<u32, OrchestrationError> {
    echo::call(&ctx, "root".to_owned()).await?;
    let leaves = ctx.join_all((0..leaves).map(|number| leaf::call(&ctx, number))).await;
    let leaves: Result<Vec<u32>, _> = leaves.into_iter().collect();
    Ok(leaves?.into_iter().sum())
}

async fn of_a_tree_of_children_only_those_that_failed_run_again(stage: Stage) {
    in_time(async {
        let runtime = stage.runtime().await;
        let handle = tree::start(runtime.client(), 102).instance_id("tree").await.unwrap();
        handle.result().await.unwrap_err();
        handle.rewind().await.unwrap();
        assert_eq!(handle.result().await.unwrap(), (0..102).sum::<u32>());
        for number in 0..102 {
            assert_eq!(stage.book.runs(&format!("before {number}")), 1);
            assert_eq!(stage.book.runs(&format!("leaf {number}")), if number % 34 == 33 { 2 } else { 0 });
        }
        assert_eq!(stage.book.runs("root"), 1);
        runtime.shutdown().await.unwrap();
    })
    .await;
}

#[orchestrator]
async fn in_order(ctx: OrchestrationContext) -> Result<String, OrchestrationError> {
    let first = echo::call(&ctx, "first".to_owned()).await?;
    let second = settle_down::call(&ctx, "second".to_owned()).await?;
    let third = echo::call(&ctx, "third".to_owned()).await?;
    Ok(format!("{first} {second} {third}"))
}

async fn a_rewound_instance_survives_a_restart(stage: Stage) {
    in_time(async {
        let runtime = stage.runtime().await;
        let handle = in_order::start(runtime.client()).instance_id("order").await.unwrap();
        handle.result().await.unwrap_err();
        let runtime = stage.restart(runtime).await;
        runtime.client().rewind("order", "it works now").await.unwrap();
        let runtime = stage.restart(runtime).await;
        let handle = runtime.client().handle::<in_order>("order").unwrap();
        assert_eq!(handle.result().await.unwrap(), "first second third");
        let runs = ["first", "second", "third"].map(|what| stage.book.runs(what));
        // The second one may have been cut off by the restart.
        assert!(runs[0] == 1 && (2..=3).contains(&runs[1]) && runs[2] >= 1, "{runs:?}");
        let history = handle.history().await.unwrap();
        let reason = history.events.iter().find_map(|event| match &event.kind {
            HistoryEventKind::ExecutionRewound { reason } => Some(reason.clone()),
            _ => None,
        });
        assert_eq!(reason.as_deref(), Some("it works now"));
        runtime.shutdown().await.unwrap();
    })
    .await;
}

async fn an_instance_that_has_not_failed_is_not_rewound(stage: Stage) {
    in_time(async {
        let runtime = stage.runtime().await;
        let handle = leaf::start(runtime.client(), 1).instance_id("leaf").await.unwrap();
        handle.result().await.unwrap();
        let refused = handle.rewind().await.unwrap_err();
        let expected = |error: &ClientError| {
            matches!(error, ClientError::InvalidState { status: RuntimeStatus::Completed, wanted: "rewound", .. })
        };
        assert!(expected(&refused), "{refused}");
        let refused = runtime.client().rewind("nobody", "").await.unwrap_err();
        assert!(matches!(refused, ClientError::NotFound { .. }), "{refused}");
        runtime.shutdown().await.unwrap();
    })
    .await;
}
