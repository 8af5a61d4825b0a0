//! Checks what docs/architecture.md says about the code.

use std::collections::BTreeSet;
use std::fs;

use crate::imports::RESTRICTED;
use crate::{root, sources};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn page() -> String {
    read("docs/architecture.md")
}

/// Returns the first cells of the rows in a section's tables.
fn rows<'a>(page: &'a str, section: &str) -> Vec<&'a str> {
    let section = page.split("\n## ").find(|text| text.starts_with(section)).expect("the section");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    rows.collect()
}

#[test]
fn the_table_of_the_outside_is_the_one_that_is_checked() {
    let page = page();
    for restricted in RESTRICTED {
        let places: Vec<_> = restricted.places.iter().map(|place| format!("`{place}`")).collect();
        let row = format!("| {} | {} |", restricted.what, places.join(", "));
        assert!(page.contains(&row), "there is no row {row}");
    }
    let listed = rows(&page, "Layers").len();
    assert_eq!(listed, RESTRICTED.len() + 1, "a heading, and a row for each");
}

/// Names in backticks must be found in the code, except names of files and names that belong to other crates.
#[test]
fn every_name_is_in_the_code() {
    let code: String = ["runtime/src", "macros/src", "tests"]
        .iter()
        .flat_map(|folder| sources(&root().join(folder)))
        .map(|path| fs::read_to_string(path).expect("a source file"))
        .collect();
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let page = page();
    let prose: Vec<&str> = page.split("## Dependencies").next().expect("prose").split("```").step_by(2).collect();
    let prose = prose.concat();
    let names = prose.split('`').skip(1).step_by(2).filter(|name| !name.contains(['/', ' ']) && !name.ends_with(".rs"));
    let mut missing = Vec::new();
    let mut checked = 0;
    for part in names.flat_map(|name| name.split(|c: char| !c.is_alphanumeric() && c != '_')) {
        checked += 1;
        if !part.is_empty() && !words.contains(part) {
            missing.push(part);
        }
    }
    assert!(missing.is_empty(), "not in the code: {missing:?}");
    assert!(checked > 15, "only {checked} names were found");
}

/// Finds a number in a sentence, and the constant that it describes.
#[test]
fn every_number_is_that_of_the_code() {
    let page = page().split_whitespace().collect::<Vec<_>>().join(" ");
    for (folder, constant, before, after, sentence) in [
        ("store", "PAGE_ROWS", "usize = ", ";", "A page looks at no more than {} rows"),
        ("worker", "LOOK", "from_micros(", ")", "checks its queue for another {} microseconds"),
        ("worker", "LOOK_FOR_COMMIT", "from_micros(", ")", "({} while a commit is on its way)"),
        ("store", "LOOK", "from_micros(", ")", "The writer checks for {}."),
    ] {
        let files = sources(&root().join("runtime/src").join(folder));
        let code: String = files.iter().map(|path| fs::read_to_string(path).expect("a source file")).collect();
        let declared: Vec<_> = code.lines().filter(|line| line.contains(&format!("const {constant}: "))).collect();
        let [line] = declared[..] else { panic!("{constant} in {folder}: {declared:?}") };
        let number = line.split_once(before).and_then(|(_, rest)| rest.split_once(after)).expect("its value").0;
        let sentence = sentence.replace("{}", &number.replace('_', ","));
        assert!(page.contains(&sentence), "the page does not say: {sentence}");
    }
}

#[test]
fn every_dependency_is_justified() {
    let page = page();
    let cells = rows(&page, "Dependencies").join(" ");
    let named: BTreeSet<&str> = cells.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').collect();
    let mut missing = Vec::new();
    for manifest in ["macros/Cargo.toml", "runtime/Cargo.toml"] {
        let text = read(manifest);
        let section = text.split("\n[dependencies]\n").nth(1).and_then(|rest| rest.split("\n[").next());
        let names = section.expect("dependencies").lines().filter_map(|line| line.split(['.', ' ']).next());
        let foreign = names.filter(|name| !name.is_empty() && *name != "persevere-macros");
        missing.extend(foreign.filter(|name| !named.contains(name)).map(|name| format!("{manifest}: {name}")));
    }
    assert!(missing.is_empty(), "not in the table of dependencies: {missing:?}");
}
