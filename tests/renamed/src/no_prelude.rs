//! Uses the macros without the standard prelude, among items with the same names as those of generated code.
#![no_implicit_prelude]
#![allow(dead_code, non_camel_case_types)]

use ::durable::{activity, external_event, nondeterministic, orchestrator, orchestrator_fn};
use ::durable::{ActivityContext, ActivityError, CallError, Context, OrchestrationContext, OrchestrationError};

mod std {}
mod core {}
mod serde {}
mod persevere {}
mod durable {}
mod __rt {}
struct Option;
struct Result;
struct String;
struct Future;
struct Input;
struct Output;
struct AwaitCheck;
trait Send {}
trait Sized {}
trait Durable {}
type u32 = ();
fn block() {}
fn stdio() {}
fn wall_clock() {}
fn __run() {}

type Outcome<T, E> = ::std::result::Result<T, E>;
type Number = ::std::primitive::u32;

#[activity(crate = ::durable)]
async fn double(_cx: &ActivityContext, number: Number) -> Outcome<Number, ActivityError> {
    Outcome::Ok(number * 2)
}

#[external_event(crate = ::durable)]
struct Stop {
    now: ::std::primitive::bool,
}

#[orchestrator_fn(crate = ::durable)]
async fn helper(ctx: &Context, block: Number) -> Outcome<Number, CallError<ActivityError>> {
    double::call(ctx, block).await
}

/// An orchestrator whose local names are those of generated code.
#[orchestrator(crate = ::durable, allow(env))]
async fn run(
    ctx: OrchestrationContext<Number>,
    input: Number,
    reader: Number,
    client: Number,
) -> Outcome<Number, OrchestrationError> {
    let _allowed = ::std::env::var("A");
    let block = async { helper(&ctx, input).await };
    let (a, b) = join!(block, double::call(&ctx, reader));
    let (c,) = try_join!(double::call(&ctx, client))?;
    let d = select! {
        d = double::call(&ctx, 1) => d?,
        stop = Stop::wait(&ctx) => if stop?.now { 1 } else { 2 },
    };
    ctx.set_custom_status(&d)?;
    let _vouched = nondeterministic! { reason = "shows that it goes", ::std::time::Instant::now() };
    Outcome::Ok(a? + b? + c + d)
}

/// An item that is left out, together with the code generated for it.
#[cfg(any())]
#[orchestrator(crate = ::durable)]
async fn left_out(ctx: NotThere) -> Nothing {
    ctx.nothing().await
}

/// An item that is kept under a condition.
#[cfg(not(any()))]
#[orchestrator(crate = ::durable)]
async fn kept(ctx: OrchestrationContext) -> Outcome<(), OrchestrationError> {
    let _number = helper(&ctx, 1).await?;
    Outcome::Ok(())
}

/// Items in the body of a function.
fn in_a_body() {
    #[activity(crate = ::durable)]
    async fn inner() -> Outcome<(), ActivityError> {
        Outcome::Ok(())
    }
    #[orchestrator(crate = ::durable)]
    async fn outer(ctx: OrchestrationContext) -> Outcome<(), OrchestrationError> {
        inner::call(&ctx).await?;
        Outcome::Ok(())
    }
}
