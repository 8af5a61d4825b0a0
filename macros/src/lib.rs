//! The attribute macros of `persevere`.
//!
//! Each goes through the same stages, and each stage takes what the one before gives, so that unchecked input cannot
//! reach the expansion: `attr` (options) and `input` (the item; its body stays tokens), `check` (one function per rule,
//! every mistake is collected), `model` (what is left is valid), `expand`. On a mistake `expand::fallback` still emits
//! the user's item and a stub of what would have been generated, so that one mistake gives one message.

use proc_macro::TokenStream;

mod attr;
mod check;
mod combine;
mod errors;
mod expand;
mod input;
mod lints;
mod model;
mod rewrite;
mod skeleton;
#[cfg(test)]
mod tests;
mod tokens;

/// Makes an async function an activity: work that an orchestrator calls, that may do I/O, and whose result is recorded.
///
/// ```text
/// #[activity]
/// pub async fn say_hello(city: String) -> Result<String, ActivityError> { Ok(format!("Hello {city}!")) }
/// ```
///
/// The function stays as it is, and can be called in a test. Beside it there is a type of the same name:
/// `say_hello::call(&ctx, city).await` is the durable call. A first parameter taken by reference is the
/// `&ActivityContext`; all others are inputs, stored as JSON.
///
/// Options: `name = ".."` (recorded; taken from the function by default, so **renaming the function without it breaks
/// running instances**), `marker = Name` (the name of the type), `crate = path` (of a renamed dependency).
#[proc_macro_attribute]
pub fn activity(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::function(attr::Kind::Activity, options.into(), item.into()).into()
}

/// Makes methods activities: those with `#[activity]` in the `impl` block of a service, such as a client of another system.
///
/// ```text
/// #[activities]
/// impl Payments {
///     #[activity]
///     pub async fn charge(&self, cx: &ActivityContext, order: Order) -> Result<Receipt, ActivityError> { .. }
/// }
/// ```
///
/// The methods stay as they are, and a test calls them. Beside the block there is a type with the name of each, as for a
/// function: `charge::call(&ctx, order).await`. The runtime is given the service: `.state(Payments::new())`.
///
/// Options: `crate = path` (of a renamed dependency); those of `#[activity]` stand on the methods.
#[proc_macro_attribute]
pub fn activities(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::service::activities(options.into(), item.into()).into()
}

/// Makes an async function an orchestrator: deterministic code that calls activities and survives crashes by replay.
///
/// ```text
/// #[orchestrator]
/// pub async fn hello_cities(ctx: OrchestrationContext<Progress>, cities: Vec<String>) -> Result<Vec<String>, OrchestrationError> { .. }
/// ```
///
/// The first parameter is the context, with the type of the custom status if there is one; the others are inputs,
/// stored as JSON. Beside the function there is a type of the same name, with `start`, `call`, `start_detached` and
/// `continue_as_new`.
///
/// In the body `.await` takes durable operations only; anything else is a compile error, and so are clocks, randomness,
/// I/O and whatever else a replay would not repeat. `select!`, `join!` and `try_join!` are those of this crate.
///
/// Options: `name = ".."` (recorded; taken from the function by default, so **renaming the function without it breaks
/// running instances**), `version = ".."`, `marker = Name` (the name of the type), `events(BookingConfirmed, ..)`
/// (the only events that it accepts: raising or awaiting another is a compile error; without it, all), `crate = path`
/// (of a renamed dependency), `allow(wall_clock, foreign_await, ..)` (turns these checks off here; the engine still
/// parks what awaits something else).
///
/// It stands above other attributes of the function.
#[proc_macro_attribute]
pub fn orchestrator(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::function(attr::Kind::Orchestrator, options.into(), item.into()).into()
}

/// Makes an async function a helper of orchestrators: it may be awaited there, and its own awaits are checked.
///
/// ```text
/// #[orchestrator_fn]
/// async fn greet(ctx: &Context, city: &str) -> Result<String, CallError<ActivityError>> { .. }
/// ```
///
/// References, generics, `impl Trait`, methods and recursion work. Options: `crate = path`, `allow(..)`.
#[proc_macro_attribute]
pub fn orchestrator_fn(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::function(attr::Kind::OrchestratorFn, options.into(), item.into()).into()
}

/// Makes a type an external event: clients raise it, orchestrators wait for it.
///
/// ```text
/// #[external_event]
/// pub struct BookingConfirmed(pub bool);
/// ```
///
/// Derives `Serialize` and `Deserialize`, unless a `#[derive(..)]` below it does. `BookingConfirmed::wait(&ctx).await`
/// waits for it.
///
/// Options: `name = ".."` (taken from the type by default), `crate = path` (of a renamed dependency).
#[proc_macro_attribute]
pub fn external_event(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::event::external_event(options.into(), item.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn __declare_activity(declarations: TokenStream) -> TokenStream {
    expand::declare::declare(attr::Kind::Activity, declarations.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn __declare_orchestrator(declarations: TokenStream) -> TokenStream {
    expand::declare::declare(attr::Kind::Orchestrator, declarations.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn __join(branches: TokenStream) -> TokenStream {
    combine::join(branches.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn __try_join(branches: TokenStream) -> TokenStream {
    combine::try_join(branches.into()).into()
}

#[doc(hidden)]
#[proc_macro]
pub fn __select(branches: TokenStream) -> TokenStream {
    combine::select(branches.into()).into()
}
