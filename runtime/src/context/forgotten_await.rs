//! Gives a clear error if the `.await` of a call was forgotten: `charge::call(&ctx, 1).is_err()`. Without these
//! methods, the compiler would only say that there is no such method.

use super::{ActivityCall, SubOrchestrationCall};
use crate::contract::{Activity, CallError, Orchestrator};

/// No type implements this trait. Its message is the error for a method of the result that is called on a call.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "a call has no result before it is awaited",
    label = "`.await` is missing before this",
    note = "write `name::call(&ctx, ..).await`, and call the method on the result"
)]
pub trait HasResult {}

macro_rules! asks_the_result {
    ($call:ident of $kind:ident) => {
        #[doc(hidden)]
        #[allow(clippy::needless_pass_by_value, reason = "as the methods of a result")]
        impl<C: $kind> $call<C> {
            pub fn is_ok(&self) -> bool
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }

            pub fn is_err(&self) -> bool
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }

            pub fn ok(self) -> Option<C::Output>
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }

            pub fn unwrap(self) -> C::Output
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }

            pub fn expect(self, _: &str) -> C::Output
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }

            pub fn unwrap_or(self, _: C::Output) -> C::Output
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }

            pub fn map_err<E, F: FnOnce(CallError<C::Error>) -> E>(self, _: F) -> Result<C::Output, E>
            where
                Self: HasResult,
            {
                unreachable!("nothing implements the bound")
            }
        }
    };
}
asks_the_result!(ActivityCall of Activity);
asks_the_result!(SubOrchestrationCall of Orchestrator);
