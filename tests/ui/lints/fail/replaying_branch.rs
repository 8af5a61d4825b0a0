use persevere::prelude::*;

#[activity]
async fn notify(text: String) -> Result<(), ActivityError> {
    let _ = text;
    Ok(())
}

#[orchestrator]
async fn run(ctx: OrchestrationContext<u32>) -> Result<(), OrchestrationError> {
    if !ctx.is_replaying() {
        notify::call(&ctx, "started".to_owned()).await?;
    }
    match ctx.is_replaying() {
        true => {}
        false => ctx.set_custom_status(&1)?,
    }
    Ok(())
}

fn main() {}
