//! What the macros accept, and the exact text of what they refuse. One mistake a file; the texts belong to the pinned
//! toolchain. `cargo test -p persevere-tests --test suite -- ui::name` runs one folder.

#[test]
fn orchestrator() {
    check("orchestrator");
}

#[test]
fn activity() {
    check("activity");
}

#[test]
fn event() {
    check("event");
}

#[test]
fn orchestrator_fn() {
    check("orchestrator_fn");
}

#[test]
fn lints() {
    check("lints");
}

/// Half-typed bodies: the compiler's own error and no other, so what stands around them keeps its meaning.
#[test]
fn editor() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/editor/fail/*.rs");
}

fn check(folder: &str) {
    let cases = trybuild::TestCases::new();
    cases.pass(format!("ui/{folder}/pass/*.rs"));
    cases.compile_fail(format!("ui/{folder}/fail/*.rs"));
}
