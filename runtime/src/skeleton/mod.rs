//! Skeletons of orchestrators: their durable operations in order, as the macro read them from the body. A test compares
//! them with what was recorded, and documentation shows them as a diagram.

mod assert;
mod diagram;
mod diff;
mod record;
mod tree;

pub use assert::assert_skeleton;
pub use diagram::diagram;

/// Fails when the structure of an orchestrator is not the recorded one: instances that run would not replay.
///
/// The file is text, lies at the path from the manifest of the package (commit it), and holds any number of
/// orchestrators and versions, each under its name and version. Run the test once with `PERSEVERE_SKELETONS=accept` to
/// record what is there; what is recorded of other orchestrators and versions stays.
///
/// ```no_run
/// # use persevere::prelude::*;
/// # #[orchestrator]
/// # async fn hello_cities(_ctx: OrchestrationContext) -> Result<(), OrchestrationError> { Ok(()) }
/// # macro_rules! in_a_test { ($item:item) => {} }
/// # in_a_test! {
/// #[test]
/// fn the_structure_is_the_recorded_one() {
///     persevere::assert_skeleton!(hello_cities, "skeletons/hello_cities.txt");
/// }
/// # }
/// # fn main() { persevere::assert_skeleton!(hello_cities, "skeletons/hello_cities.txt"); }
/// ```
///
/// Setting or clearing the custom status is no part of the history: a change of that alone passes.
#[macro_export]
macro_rules! assert_skeleton {
    ($orchestrator:ty, $file:expr $(,)?) => {
        $crate::__rt::assert_skeleton(<$orchestrator>::SKELETON, $crate::__rt::core::env!("CARGO_MANIFEST_DIR"), $file)
    };
}
