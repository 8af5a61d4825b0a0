//! Code that ends with an error where its history continues: the reason contains the error, whatever else differs.

use persevere::prelude::*;
use persevere::{ParkCode, Registration};
use persevere_tests::in_time;

use super::book::Book;
use super::program::Code;
use super::{Scene, scene, until};

#[activity(name = "early.works")]
async fn works(cx: &ActivityContext) -> Result<(), ActivityError> {
    cx.state::<Book>().begin("works").await;
    Ok(())
}

#[external_event(name = "go")]
struct Go(());

macro_rules! quits {
    ($marker:ident, $number:ident, $($early:tt)*) => {
        #[orchestrator(name = "quits", marker = $marker)]
        async fn $marker(ctx: OrchestrationContext, $number: String) -> Result<(), OrchestrationError> {
            let work = works::call(&ctx).schedule();
            let _ = &$number;
            $($early)*
            Go::wait(&ctx).await?;
            Ok(work.await?)
        }
    };
}

quits!(quits_never, number,);
quits!(quits_with_an_error, number, let _: u32 = number.parse()?;);
quits!(quits_with_a_panic, number, assert!(number.parse::<u32>().is_ok(), "the number is {}", number););

#[orchestrator(name = "quits", marker = quits_at_once)]
async fn quits_at_once(ctx: OrchestrationContext, number: String) -> Result<(), OrchestrationError> {
    let _: u32 = number.parse()?;
    Go::wait(&ctx).await?;
    Ok(())
}

async fn reason(scene: &Scene, code: Vec<Registration>) -> String {
    let registrations = persevere::registry![works, quits_never].into();
    let runtime = scene.deploy(Code { build: "old", registrations }).await;
    quits_never::start(runtime.client(), "seven".to_owned()).instance_id("x").await.unwrap();
    scene.book.has_begun("works").await;
    runtime.shutdown().await.unwrap();
    let runtime = scene.deploy(Code { build: "new", registrations: code }).await;
    runtime.client().raise_event("x", "go", &()).await.unwrap();
    let parked = until(&runtime, "x", |seen| seen.parked_reason().is_some()).await;
    let reason = parked.parked_reason().unwrap().clone();
    assert_eq!(reason.code(), ParkCode::HistoryMismatch);
    runtime.shutdown().await.unwrap();
    reason.text().to_owned()
}

#[tokio::test]
async fn an_early_return_of_an_error_in_replay_is_the_reason() {
    in_time(async {
        for (code, error) in [
            (persevere::registry![works, quits_at_once], "invalid digit found in string"),
            (persevere::registry![works, quits_with_an_error], "invalid digit found in string"),
            (persevere::registry![works, quits_with_a_panic], "the number is seven"),
        ] {
            let reason = reason(&scene(MemoryStore::new(), 0), code.into()).await;
            assert!(reason.contains("ends with an error: ") && reason.contains(error), "{reason}");
            assert!(reason.contains("`early.works`") || reason.contains("event `go`"), "{reason}");
        }
    })
    .await;
}
