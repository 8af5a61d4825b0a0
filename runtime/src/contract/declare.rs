//! `declare_activity!` and `declare_orchestrator!` declare the types of code that runs elsewhere.

/// Declares activities that run in another process, so that they can be called with checked types:
///
/// ```
/// # use persevere::prelude::*;
/// persevere::declare_activity! {
///     /// Sends a parcel.
///     #[activity(name = "Ship")]
///     pub fn ship(order: u64) -> Result<String, ActivityError>;
/// }
///
/// #[orchestrator]
/// async fn send(ctx: OrchestrationContext, order: u64) -> Result<String, OrchestrationError> {
///     Ok(ship::call(&ctx, order).await?)
/// }
/// ```
///
/// The line with the options is optional.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! declare_activity {
    ($($declarations:tt)*) => { $crate::__rt::__declare_activity! { ($crate) $($declarations)* } };
}

/// Declares orchestrators that run in another process, so that they can be started and called with checked types:
///
/// ```
/// # use persevere::prelude::*;
/// persevere::declare_orchestrator! {
///     /// Settles an order; its custom status is a percentage.
///     #[orchestrator(version = "2")]
///     pub fn settle(ctx: OrchestrationContext<u8>, order: u64) -> Result<bool, OrchestrationError>;
/// }
/// ```
///
/// The context parameter names the type of the custom status. The line with the options is optional.
#[cfg(feature = "macros")]
#[macro_export]
macro_rules! declare_orchestrator {
    ($($declarations:tt)*) => { $crate::__rt::__declare_orchestrator! { ($crate) $($declarations)* } };
}
