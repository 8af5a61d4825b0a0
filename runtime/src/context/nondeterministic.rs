//! An exception from the determinism checks for one expression.

/// Returns the value unchanged. The name and the reason stay in the expanded code, where they can be found.
#[doc(hidden)]
pub fn nondeterministic_value<T>(_reason: &'static str, value: T) -> T {
    value
}

/// Lets an orchestrator evaluate an expression that the determinism checks refuse:
/// `nondeterministic! { reason = "..", expression }`.
///
/// Use it for expressions that cannot change what the orchestrator does, such as printing or measuring. The value is not
/// recorded. If it decides about a durable operation, a replay takes another path and the instance is parked. To use such
/// a value, call [`Context::side_effect`](crate::Context::side_effect) or an activity.
///
/// # Examples
/// ```
/// # use persevere::prelude::*;
/// #[orchestrator]
/// async fn noisy(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
///     nondeterministic! { reason = "only prints; it shows that a replay runs the code again", println!("polled") };
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! nondeterministic {
    (reason = $reason:literal, $value:expr $(,)?) => {{
        const _: () = $crate::__rt::core::assert!(
            !$reason.is_empty(),
            "give a reason: nondeterministic! {{ reason = \"..\", expression }}"
        );
        $crate::__rt::nondeterministic_value($reason, $value)
    }};
    ($($other:tt)*) => {
        $crate::__rt::core::compile_error!("give a reason: nondeterministic! { reason = \"..\", expression }")
    };
}
