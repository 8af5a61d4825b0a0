//! Skeletons of orchestrators: the durable operations in their order, as the macro reads them from the body. A test
//! compares a skeleton with the recorded one, and documentation can show it as a diagram.

mod assert;
mod diagram;
mod diff;
mod record;
mod tree;

pub use assert::assert_skeleton;
pub use diagram::diagram;

/// Fails if the structure of an orchestrator differs from the recorded one, because running instances could not be
/// replayed with it.
///
/// The path of the file is relative to the manifest of the package. Commit the file. It is a text file that contains any
/// number of orchestrators and versions, each with its own title line. Run the test once with
/// `PERSEVERE_SKELETONS=accept` to record the current structure; the other sections of the file stay as they are.
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
/// Setting or clearing the custom status is not part of the history, so a change of that alone passes.
#[macro_export]
macro_rules! assert_skeleton {
    ($orchestrator:ty, $file:expr $(,)?) => {
        $crate::__rt::assert_skeleton(<$orchestrator>::SKELETON, $crate::__rt::core::env!("CARGO_MANIFEST_DIR"), $file)
    };
}
