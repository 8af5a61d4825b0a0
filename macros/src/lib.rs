//! The attribute macros of `persevere`.
//!
//! All macros go through the same stages, and each stage takes the result of the previous one, so that unchecked input
//! cannot reach the expansion. `attr` parses the options, `input` parses the item (its body stays a list of tokens),
//! `check` applies one function for each rule and collects every mistake, `model` is the valid result, and `expand`
//! generates the code. If there is a mistake, `expand::fallback` still emits the user's item and a stub of the code
//! that would have been generated, so that one mistake gives one message.

use proc_macro::TokenStream;

mod attr;
mod check;
mod combine;
mod errors;
mod expand;
mod input;
mod lints;
mod model;
mod retry;
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
/// The function stays as it is, so a test can call it directly. The macro adds a type with the same name, and
/// `say_hello::call(&ctx, city).await` is the durable call. A first parameter that is a reference is the
/// `&ActivityContext`. All other parameters are inputs, which are stored as JSON.
///
/// Options:
/// - `name = ".."`: the recorded name. The default is the name of the function, so **renaming the function without this
///   option breaks running instances**.
/// - `marker = Name`: the name of the generated type.
/// - `retry(attempts = 5, first = "1s", coefficient = 2.0, max = "1m", total = "1h", jitter = 0.2)`: the retry policy of
///   every call that has none of its own. Only `attempts` is required. A duration is a whole number and `ms`, `s`, `m`, `h`
///   or `d`. The policy belongs to the code of the orchestrators that call the activity: after a change, an instance in the
///   middle of its attempts may not fit its history.
/// - `concurrency = 4`: how many runs there may be at a time in one process, of all calls together. Further calls wait in their
///   order. `Runtime::activity_limits` changes the limit while the runtime runs.
/// - `crate = path`: the path of the `persevere` crate, if the dependency is renamed.
#[proc_macro_attribute]
pub fn activity(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::function(attr::Kind::Activity, options.into(), item.into()).into()
}

/// Makes methods activities: those with `#[activity]` in the `impl` block of a service, such as a client of another
/// system.
///
/// ```text
/// #[activities]
/// impl Payments {
///     #[activity]
///     pub async fn charge(&self, cx: &ActivityContext, order: Order) -> Result<Receipt, ActivityError> { .. }
/// }
/// ```
///
/// The methods stay as they are, so a test can call them directly. For each method, the macro adds a type with its name
/// next to the block, as for a function: `charge::call(&ctx, order).await`. Give the service to the runtime with
/// `.state(Payments::new())`.
///
/// Options:
/// - `crate = path`: the path of the `persevere` crate, if the dependency is renamed.
///
/// The options of `#[activity]` are written on the methods.
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
/// The first parameter is the context, with the type of the custom status if there is one. All other parameters are
/// inputs, which are stored as JSON. The macro adds a type with the same name, which has the functions `start`, `call`,
/// `start_detached` and `continue_as_new`.
///
/// In the body, `.await` accepts only durable operations. Anything else does not compile, and neither do clocks, random
/// numbers, I/O and other things that a replay would not repeat. In the body, `select!`, `join!` and `try_join!` are
/// the macros of this crate.
///
/// Options:
/// - `name = ".."`: the recorded name. The default is the name of the function, so **renaming the function without this
///   option breaks running instances**.
/// - `version = ".."`: the version. The default is no version.
/// - `marker = Name`: the name of the generated type.
/// - `events(BookingConfirmed, ..)`: the only events that the orchestrator accepts. Raising or awaiting another event
///   does not compile. The default is to accept all events.
/// - `allow(wall_clock, foreign_await, ..)`: turns these checks off for this function. The engine still parks an
///   instance that awaits something that is not durable.
/// - `crate = path`: the path of the `persevere` crate, if the dependency is renamed.
///
/// Write this attribute above all other attributes of the function.
#[proc_macro_attribute]
pub fn orchestrator(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::function(attr::Kind::Orchestrator, options.into(), item.into()).into()
}

/// Makes an async function a helper of orchestrators: orchestrators can await it, and its own awaits are checked.
///
/// ```text
/// #[orchestrator_fn]
/// async fn greet(ctx: &Context, city: &str) -> Result<String, CallError<ActivityError>> { .. }
/// ```
///
/// References, generics, `impl Trait`, methods and recursion are possible. The options are `crate = path` and
/// `allow(..)`, as for `#[orchestrator]`.
#[proc_macro_attribute]
pub fn orchestrator_fn(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::function(attr::Kind::OrchestratorFn, options.into(), item.into()).into()
}

/// Makes a type an external event, which clients raise and orchestrators wait for.
///
/// ```text
/// #[external_event]
/// pub struct BookingConfirmed(pub bool);
/// ```
///
/// The macro derives `Serialize` and `Deserialize`, unless a `#[derive(..)]` below it does.
/// `BookingConfirmed::wait(&ctx).await` waits for the event.
///
/// Options:
/// - `name = ".."`: the name of the event. The default is the name of the type.
/// - `crate = path`: the path of the `persevere` crate, if the dependency is renamed.
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
