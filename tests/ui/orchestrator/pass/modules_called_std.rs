//! Names of the user's own that generated code must not stumble over.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]

use persevere::prelude::{ActivityError, OrchestrationContext, OrchestrationError, activity, external_event, orchestrator};

mod std {}
mod core {}
mod serde {}
mod inventory {}
mod __rt {}
struct Option;
struct Result;
struct Ok;
struct Err;
struct Some;
struct None;
struct str;
struct String;
struct Context;
struct Future;
trait Send {}
type u32 = ::core::primitive::u8;

type Outcome<T, E> = ::std::result::Result<T, E>;

#[activity]
async fn double(number: u32) -> Outcome<u32, ActivityError> {
    Outcome::Ok(number)
}

#[external_event]
struct Stop;

#[orchestrator(version = "1")]
async fn run(ctx: OrchestrationContext, client: u32, ctx_: u32) -> Outcome<u32, OrchestrationError> {
    let (a, b) = join!(double::call(&ctx, client), double::call(&ctx, ctx_));
    let c = select! {
        c = double::call(&ctx, 1) => c?,
        _ = Stop::wait(&ctx) => 1,
    };
    Outcome::Ok(a? + b? + c)
}

fn main() {}
