//! The public interface of the library is the list in `tests/public_api.txt`, so that a review shows every change of
//! it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use persevere_tests::root;

/// If this is set, the list is written and not compared.
const UPDATE: &str = "PERSEVERE_UPDATE_PUBLIC_API";

/// Documents the library with all features, and returns the file that describes it.
///
/// The compiled files are kept next to those of `cargo test`, and are shared with `cargo check`. The result has a
/// folder of its own, because it would otherwise replace the documentation that a user has built.
fn describe() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(3).unwrap();
    let result = target.join("public_api");
    let built = Command::new(env!("CARGO"))
        .args(["rustdoc", "--quiet", "--package", "persevere", "--lib", "--all-features", "--locked", "--target-dir"])
        .arg(&result)
        .args(["--", "-Z", "unstable-options", "--output-format", "json", "--cap-lints", "allow"])
        .env("CARGO_BUILD_BUILD_DIR", target)
        .env("RUSTDOC", root().join(".ci/rustdoc-unstable"))
        .current_dir(root())
        .status()
        .unwrap();
    assert!(built.success(), "the library cannot be documented");
    result.join("doc/persevere.json")
}

fn interface(description: &Path) -> String {
    let interface = public_api::Builder::from_rustdoc_json(description)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap();
    interface.items().map(|item| format!("{item}\n")).collect()
}

/// The crates whose types are part of the interface. A new major version of one of them requires a new major version of
/// this library.
const PUBLIC_DEPENDENCIES: [&str; 12] = [
    "axum",
    "axum_core",
    "bytes",
    "chrono",
    "futures_core",
    "http",
    "serde_core",
    "serde_json",
    "tracing",
    "tracing_core",
    "tracing_subscriber",
    "uuid",
];

/// The crates with which the paths in the list begin.
fn crates(listed: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let paths = listed.split(|c: char| !is_word(c) && c != ':').filter_map(|path| path.split_once("::"));
    paths.map(|(first, _)| first).filter(|first| first.starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn few_crates_are_part_of_the_interface() {
    let listed = fs::read_to_string(root().join("tests/public_api.txt")).unwrap();
    let own = BTreeSet::from(["alloc", "core", "persevere", "std"]);
    let expected: BTreeSet<&str> = own.into_iter().chain(PUBLIC_DEPENDENCIES).collect();
    assert_eq!(crates(&listed), expected);
}

/// Returns the lines that only one of the two lists has.
fn difference(listed: &str, found: &str) -> String {
    let only = |sign, one: &str, other: &str| -> String {
        let other: BTreeSet<&str> = other.lines().collect();
        one.lines().filter(|line| !other.contains(line)).map(|line| format!("{sign} {line}\n")).collect()
    };
    only('-', listed, found) + &only('+', found, listed)
}

#[test]
fn the_public_interface_is_the_one_that_is_listed() {
    let list = root().join("tests/public_api.txt");
    let found = interface(&describe());
    assert!(found.contains("pub struct persevere::Runtime\n"), "{found}");
    if std::env::var_os(UPDATE).is_some() {
        fs::write(list, found).unwrap();
        return;
    }
    let difference = difference(&fs::read_to_string(list).unwrap(), &found);
    assert!(
        difference.is_empty(),
        "the public interface differs from tests/public_api.txt:\n{difference}\
         If it is meant to, run `{UPDATE}=1 cargo test -p persevere-tests --test suite public_api` and commit the list."
    );
}
