//! Measures persevere.
fn main() {}
