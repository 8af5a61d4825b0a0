//! With and without context, inputs called like generated names, aliases.
#![deny(warnings)]

use persevere::prelude::*;

type Outcome<T> = Result<T, ActivityError>;
type Cx = ActivityContext;

#[activity]
pub(crate) async fn none() -> Outcome<()> {
    Ok(())
}

#[activity(name = "E1_SayHello")]
async fn with_context(cx: &Cx, ctx: String, input: u8, mut reader: Option<String>, r#type: String) -> Outcome<String> {
    let _ = (cx, input, &reader);
    reader = Some(r#type);
    Ok(ctx + &reader.unwrap_or_default())
}

#[activity(marker = Greet)]
async fn greet(_: &ActivityContext, output: String) -> Outcome<String> {
    Ok(output)
}

#[orchestrator]
async fn run(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    none::call(&ctx).await?;
    with_context::call(&ctx, "a".into(), 1, None, "b".into()).await?;
    Greet::call(&ctx, "x".into()).await?;
    Ok(())
}

fn main() {
    let _ = greet(&ActivityContext::for_test(), "the function itself".into());
    assert_eq!(<with_context as persevere::Activity>::NAME, "E1_SayHello");
    assert_eq!(<Greet as persevere::Activity>::NAME, "greet");
}
