//! The promises of docs/guarantees.md have tests: each `file.rs::test_name` on that page is a test that runs, and the
//! table of limits agrees with the code.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{links, root};

fn page() -> (PathBuf, String) {
    let path = root().join("docs/guarantees.md");
    let text = fs::read_to_string(&path).unwrap();
    (path, text)
}

/// Returns the texts between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.starts_with("```")).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Whether the file has a test with this name: a function with the attribute, or a function named in a list of tests,
/// which is in the same file or in the conformance suite of stores.
pub(super) fn has_test(text: &str, suite: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declares = |line: &&str| {
        let declared = ["fn ", "async fn ", "pub(super) async fn "].iter().find_map(|start| line.strip_prefix(start));
        declared.is_some_and(|rest| rest.strip_prefix(name).is_some_and(|rest| rest.starts_with('(')))
    };
    let Some(place) = lines.iter().position(declares) else { return false };
    let attributes: Vec<_> = lines[..place].iter().rev().take_while(|line| line.starts_with("#[")).collect();
    let is_marked = attributes.iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
    let is_ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
    let is_listed =
        lines.iter().copied().chain(suite.lines().map(str::trim)).any(|line| line.trim_end_matches(';') == name);
    (is_marked || is_listed) && !is_ignored
}

/// Finds each `[`file.rs::name`](path/to/file.rs)`, and returns text and target.
pub(super) fn references(text: &str) -> Vec<(&str, &str, &str)> {
    let mut found = Vec::new();
    for (place, _) in text.match_indices(".rs::") {
        let start = text[..place].rfind('`').unwrap() + 1;
        let end = place + text[place..].find('`').unwrap();
        let (file, name) = text[start..end].split_once("::").unwrap();
        let target = links(&text[end..]).next().filter(|_| text[end..].starts_with("`]("));
        found.push((file, name, target.unwrap_or_else(|| panic!("{file}::{name} is not a link"))));
    }
    found
}

#[test]
fn every_test_that_is_named_exists() {
    let (path, text) = page();
    let suite = fs::read_to_string(root().join("runtime/src/store/conformance/mod.rs")).unwrap();
    let references = references(&text);
    let mut files = BTreeMap::new();
    let mut missing = Vec::new();
    for (file, name, target) in &references {
        let source = files
            .entry(*target)
            .or_insert_with(|| fs::read_to_string(path.parent().unwrap().join(target)).unwrap_or_default());
        if !Path::new(target).ends_with(file) || !has_test(source, &suite, name) {
            missing.push(format!("{file}::{name} in {target}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(references.len() > 100, "only {} tests are named", references.len());
}

#[test]
fn a_name_that_is_no_test_is_found() {
    let source = "#[test]\nfn marked() {}\nfn helper() {}\n#[test]\n#[ignore]\nfn idle() {}\nlist! {\nlisted\n}\nasync fn listed(s: S) {}";
    let found = ["marked", "helper", "idle", "listed", "mark", "absent"].map(|name| has_test(source, "", name));
    assert_eq!(found, [true, false, false, true, false, false]);
}

/// Returns the name that links use for a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_section_that_is_linked_exists() {
    let (path, text) = page();
    let mut followed = 0;
    for (target, section) in links(&text).filter_map(|link| link.split_once('#')) {
        let page =
            if target.is_empty() { text.clone() } else { fs::read_to_string(path.with_file_name(target)).unwrap() };
        let found = page.lines().any(|line| line.starts_with('#') && anchor(line) == section);
        assert!(found, "{target} has no section {section}");
        followed += 1;
    }
    assert!(followed > 5, "only {followed} links to sections were found");
}

/// `1 MiB`, `16 KiB`, `10,000`.
fn number(text: &str) -> Option<u64> {
    let (digits, unit) = text.split_once(' ').unwrap_or((text, ""));
    let digits: u64 = digits.replace(',', "").parse().ok()?;
    Some(
        digits
            * match unit {
                "" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                _ => return None,
            },
    )
}

#[test]
fn the_table_of_limits_is_that_of_the_code() {
    let (_, text) = page();
    // `Limits` prints its own fields, so that none is forgotten here.
    let limits = format!("{:?}", persevere::Limits::default());
    let fields = limits.trim_start_matches("Limits { ").trim_end_matches(" }").split(", ");
    let expected: BTreeMap<String, u64> = fields
        .map(|field| field.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect();
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let found: BTreeMap<String, u64> =
        rows.filter_map(|(name, rest)| Some((name.to_owned(), number(rest.split(" |").next()?)?))).collect();
    assert_eq!(found, expected);
}

/// Every `something.rs` on a page exists, and so does every `layer/file` of the flow in docs/architecture.md.
#[test]
fn every_file_that_a_page_names_exists() {
    let sources: Vec<String> = super::sources(root())
        .iter()
        .map(|path| format!("/{}", path.strip_prefix(root()).unwrap().display()))
        .collect();
    let mut named = 0;
    let mut missing = Vec::new();
    for page in super::pages() {
        let text = fs::read_to_string(&page).unwrap();
        let mut names: Vec<String> =
            code(&text).filter(|name| name.ends_with(".rs") && !name.contains(' ')).map(str::to_owned).collect();
        if page.ends_with("docs/architecture.md") {
            names.extend(flow(&text));
        }
        named += names.len();
        let is_missing = |name: &String| !sources.iter().any(|source| source.ends_with(&format!("/{name}")));
        missing.extend(names.into_iter().filter(is_missing).map(|name| format!("{}: {name}", page.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
    assert!(named > 20, "only {named} files are named");
}

/// Returns the files of the picture under "How an orchestration flows": `layer/file`, or `file.rs` where the layer is
/// clear.
fn flow(text: &str) -> Vec<String> {
    let picture = text.split("## How an orchestration flows").nth(1).unwrap().split("```").nth(1).unwrap();
    let words = picture.split(|c: char| c.is_whitespace() || "(),;─►◄".contains(c));
    let is_file = |word: &&str| {
        let layer = ["client/", "context/", "engine/", "store/", "worker/"].iter().any(|layer| word.starts_with(layer));
        layer || word.ends_with(".rs")
    };
    words.filter(is_file).map(|word| format!("{}.rs", word.trim_end_matches(".rs"))).collect()
}
