//! What the compiler does not check: the size of files, where tests are, the direction of imports, which code may use
//! the outside world, and what lies at the root.

use std::fs;
use std::path::{Path, PathBuf};

/// The largest number of lines in a file. Tests in files of their own count too.
const FILE_LIMIT: usize = 600;

#[path = "tidy/claims.rs"]
mod claims;
#[path = "tidy/imports.rs"]
mod imports;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.ends_with("target") && !path.ends_with(".git") {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn is_test(path: &Path) -> bool {
    path.components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs" | "sim" | "conformance")))
}

/// Returns the code of a file without comments, and without what follows `#[cfg(test)] mod tests {`.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn files_are_short() {
    let root = root();
    let too_long: Vec<_> = ["macros/src", "runtime/src", "examples", "benches", "fuzz", "tests"]
        .iter()
        .flat_map(|folder| sources(&root.join(folder)))
        .map(|path| (fs::read_to_string(&path).expect("a source file").lines().count(), path))
        .filter(|(lines, _)| *lines > FILE_LIMIT)
        .collect();
    assert!(too_long.is_empty(), "over {FILE_LIMIT} lines: {too_long:#?}");
}

/// The largest number of lines of unit tests in the file that they test.
const INLINE_TESTS_LIMIT: usize = 200;

#[test]
fn unit_tests_stand_in_a_module_called_tests() {
    let mut wrong = Vec::new();
    for path in ["macros/src", "runtime/src"].iter().flat_map(|folder| sources(&root().join(folder))) {
        let name = path.file_stem().expect("a file").to_string_lossy();
        if name.ends_with("_tests") || name.ends_with("_test") || name.starts_with("test_") || name == "test" {
            wrong.push(format!("{}: unit tests stand in `tests.rs` or `tests/`", path.display()));
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let inline = text.split_once("#[cfg(test)]\nmod tests {").map_or(0, |(_, tests)| tests.lines().count());
        if inline > INLINE_TESTS_LIMIT {
            wrong.push(format!("{}: {inline} lines of tests need a file of their own", path.display()));
        }
        let outside = code(&path).contains("#[test]");
        if !is_test(&path) && outside {
            wrong.push(format!("{}: a test stands outside of `mod tests`", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every check of the macros that is documented has a test, and every test is documented.
#[test]
fn every_compile_time_check_is_documented() {
    let ui = root().join("tests/ui");
    let page = fs::read_to_string(root().join("docs/compile-time-checks.md")).expect("the page");
    let tested: Vec<String> = sources(&ui)
        .iter()
        .map(|path| path.strip_prefix(&ui).expect("below the folder").to_string_lossy().into_owned())
        .filter(|path| path.contains("/fail/"))
        .collect();
    assert!(tested.len() > 80, "{}", tested.len());
    let missing: Vec<_> = tested.iter().filter(|path| !page.contains(&format!("`{path}`"))).collect();
    assert!(missing.is_empty(), "not in docs/compile-time-checks.md: {missing:#?}");
    let named = page.split('`').filter(|text| text.contains("/fail/") && text.ends_with(".rs"));
    let gone: Vec<_> = named.filter(|path| !tested.iter().any(|tested| tested == path)).collect();
    assert!(gone.is_empty(), "in docs/compile-time-checks.md, without a test: {gone:#?}");
}

#[test]
fn the_root_is_a_table_of_contents() {
    let expected = [
        ".ci",
        ".git",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "benches",
        "clippy.toml",
        "deny.toml",
        "docs",
        "examples",
        "fuzz",
        "macros",
        "runtime",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "target",
        "tests",
    ];
    let stray: Vec<_> = fs::read_dir(root())
        .expect("the root")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        // Examples that were run from here leave these files behind.
        .filter(|name| !expected.contains(&name.as_str()) && !name.starts_with("hello_cities."))
        .filter(|name| !name.contains(".db"))
        .collect();
    assert!(stray.is_empty(), "unexpected at the root of the repository: {stray:?}");
}
