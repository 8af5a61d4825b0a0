//! docs/rules.md and the tests that are named after its rules agree, in both directions.

use std::collections::BTreeSet;
use std::fs;

use super::guarantees::{has_test, references};
use super::{root, sources};

/// Returns the number at the beginning of a test's name, such as `A01` for `a01_each_input_in_each_state`.
fn rule_of(name: &str) -> Option<String> {
    let (letter, rest) = name.split_at_checked(1)?;
    let digits = rest.split_once('_')?.0;
    let is_number = "abcdp".contains(letter) && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit());
    is_number.then(|| format!("{}{digits}", letter.to_uppercase()))
}

/// Returns every test whose name begins with the number of a rule: its path from the root, and its name.
fn rule_tests() -> BTreeSet<(String, String)> {
    let suite = fs::read_to_string(root().join("runtime/src/store/conformance/mod.rs")).unwrap();
    let mut found = BTreeSet::new();
    for path in ["runtime/src", "macros/src", "tests"].iter().flat_map(|folder| sources(&root().join(folder))) {
        let text = fs::read_to_string(&path).unwrap();
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        let names = text.lines().filter_map(|line| line.split_once("fn ")?.1.split_once('(')).map(|(name, _)| name);
        for name in names.filter(|name| rule_of(name).is_some() && has_test(&text, &suite, name)) {
            found.insert((file.clone(), name.to_owned()));
        }
    }
    found
}

/// Splits the page into its rules: the number, and the text below the heading.
fn rules(page: &str) -> Vec<(&str, &str)> {
    page.split("\n### ").skip(1).map(|part| part.split_once(". ").expect("a number and a title")).collect()
}

#[test]
fn every_rule_lists_its_tests() {
    let page = fs::read_to_string(root().join("docs/rules.md")).unwrap();
    let rules = rules(&page);
    assert!(rules.len() > 40, "only {} rules were found", rules.len());
    let mut listed = BTreeSet::new();
    let mut wrong = Vec::new();
    for (number, text) in rules {
        let own_tests = text.split_once("Tests:\n").map_or("", |(_, tests)| tests);
        for (_, name, target) in references(own_tests) {
            if rule_of(name).as_deref() != Some(number) {
                wrong.push(format!("{name} is listed under {number}"));
            }
            listed.insert((target.trim_start_matches("../").to_owned(), name.to_owned()));
        }
        if own_tests.is_empty() && !text.contains("Also tested by") && !text.contains("No test carries this number") {
            wrong.push(format!("{number} says nothing about its tests"));
        }
    }
    let tests = rule_tests();
    assert!(tests.len() > 100, "only {} tests are named after a rule", tests.len());
    let missing = tests.difference(&listed).map(|(file, name)| format!("not in docs/rules.md: {file}::{name}"));
    wrong.extend(missing);
    let gone =
        listed.difference(&tests).map(|(file, name)| format!("in docs/rules.md, but not a test: {file}::{name}"));
    wrong.extend(gone);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn rule_numbers_have_two_digits() {
    let names = rule_tests().into_iter().map(|(_, name)| name);
    let wrong: Vec<_> = names.filter(|name| rule_of(name).unwrap().len() != 3).collect();
    assert!(wrong.is_empty(), "write a01_, not a1_: {wrong:#?}");
}

#[test]
fn a_number_is_found_in_a_name() {
    let found = ["a01_each_input", "b4_short", "p08_", "add_row", "b_4", "x01_other", "a01"].map(rule_of);
    assert_eq!(found, [Some("A01".into()), Some("B4".into()), Some("P08".into()), None, None, None, None]);
}
