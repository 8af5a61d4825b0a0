//! The way out of the determinism checks for one expression.

/// Gives the value as it is. The name and the reason stay in the expansion, where they can be found.
#[doc(hidden)]
pub fn nondeterministic_value<T>(_reason: &'static str, value: T) -> T {
    value
}

/// Lets an orchestrator evaluate what the determinism checks refuse: `nondeterministic! { reason = "..", expression }`.
///
/// For what cannot change what the orchestrator does, such as printing or measuring. The value is not recorded: when it
/// decides over a durable operation, replay goes another way and the instance is parked. A value that is to be used
/// belongs into [`Context::side_effect`](crate::Context::side_effect) or an activity.
///
/// # Examples
/// ```
/// # use persevere::prelude::*;
/// #[orchestrator]
/// async fn noisy(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
///     nondeterministic! { reason = "shows that the code runs, also in a replay", println!("polled") };
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! nondeterministic {
    (reason = $reason:literal, $value:expr $(,)?) => {{
        const _: () = $crate::__rt::core::assert!(
            !$reason.is_empty(),
            "say why: nondeterministic! {{ reason = \"..\", expression }}"
        );
        $crate::__rt::nondeterministic_value($reason, $value)
    }};
    ($($other:tt)*) => {
        $crate::__rt::core::compile_error!("say why: nondeterministic! { reason = \"..\", expression }")
    };
}
