//! What the macros accept, and the exact text of what they refuse. One mistake a file; the texts belong to the pinned
//! toolchain. `cargo test -p persevere-tests --test suite ui -- trybuild=name` runs the files whose path contains the name.
//!
//! Mistakes are apart from what is accepted: Cargo checks all of them at once when none has to be built and run.

use trybuild::TestCases;

#[test]
fn mistakes() {
    // Among them `ui/editor`, bodies that are half typed: the compiler's own error and no other, so that what stands
    // around them keeps its meaning.
    TestCases::new().compile_fail("ui/*/fail/*.rs");
}

#[test]
fn accepted() {
    TestCases::new().pass("ui/*/pass/*.rs");
}
