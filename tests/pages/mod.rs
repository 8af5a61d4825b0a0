//! The README and the pages in `docs`: their links lead to files, and their tables agree with the code.

mod guarantees;
mod rules;

use std::fs;
use std::path::{Path, PathBuf};

use persevere_tests::root;

fn pages() -> Vec<PathBuf> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let named = ["README.md", "CHANGELOG.md", "examples/README.md", "macros/README.md", "runtime/README.md"]
        .map(|page| root().join(page));
    docs.filter(|path| path.extension().is_some_and(|extension| extension == "md")).chain(named).collect()
}

/// Returns every Rust file of the project.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let inner = folders.iter().filter(|path| !path.ends_with("target") && !path.ends_with(".git"));
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    own.chain(inner.flat_map(|folder| sources(folder))).collect()
}

/// Returns what stands between `](` and `)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link)
}

#[test]
fn every_link_leads_to_a_file() {
    let mut dead = Vec::new();
    let mut followed = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = page.parent().unwrap().join(link.split('#').next().unwrap());
            followed += 1;
            if !target.exists() {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(followed > 20, "only {followed} links were found");
}

/// Returns the program under "A complete program".
fn complete_program(readme: &str) -> String {
    let text = fs::read_to_string(root().join(readme)).unwrap();
    let program = text.split_once("## A complete program\n").unwrap().1.split("```").nth(1).unwrap();
    assert!(program.contains("fn main()"), "{program}");
    program.to_owned()
}

#[test]
fn the_crate_shows_the_same_program_as_the_repository() {
    assert_eq!(complete_program("runtime/README.md"), complete_program("README.md"));
}

/// A reader of a published package has no other file of the repository.
#[test]
fn what_is_published_names_no_file_that_is_not() {
    for readme in ["macros/README.md", "runtime/README.md"] {
        let text = fs::read_to_string(root().join(readme)).unwrap();
        let outside: Vec<_> = links(&text).filter(|link| !link.starts_with('#')).collect();
        assert!(outside.is_empty(), "{readme}: {outside:?}");
    }
}

#[test]
fn the_limits_are_those_of_the_code() {
    let limits = persevere::Limits::default();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = [
        ("payload_bytes", limits.payload_bytes as usize, "1 MiB", 1024 * 1024),
        ("custom_status_bytes", limits.custom_status_bytes as usize, "16 KiB", 16 * 1024),
        ("actions_per_turn", limits.actions_per_turn as usize, "10,000", 10_000),
        ("open_tasks", limits.open_tasks, "10,000", 10_000),
        ("buffered_events", limits.buffered_events, "10,000", 10_000),
        ("buffered_event_bytes", limits.buffered_event_bytes, "32 MiB", 32 * 1024 * 1024),
        ("history_records", limits.history_records as usize, "50,000", 50_000),
        ("history_bytes", limits.history_bytes, "50 MiB", 50 * 1024 * 1024),
        ("depth", limits.depth as usize, "64", 64),
    ];
    for (name, value, text, meant) in rows {
        assert_eq!(value, meant, "{name}");
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(&format!("`{name}`")));
        let row = row.unwrap_or_else(|| panic!("the README has no row for {name}"));
        assert!(row.contains(text), "{name} is {text}: {row}");
    }
    let fixed = [
        ("the name of an event,", persevere::Limits::NAME_BYTES, "1 KiB", 1024),
        ("the id of an event", persevere::Limits::EVENT_ID_BYTES, "1 KiB", 1024),
        ("the reason of a", persevere::Limits::REASON_BYTES, "16 KiB", 16 * 1024),
        ("the tags of an instance", persevere::Limits::TAGS_BYTES, "16 KiB", 16 * 1024),
        ("the message of a failure", persevere::Limits::FAILURE_TEXT_BYTES, "16 KiB", 16 * 1024),
        ("up to 16 causes", persevere::Limits::FAILURE_CAUSES, "16", 16),
        ("an instance id", persevere::model::InstanceId::MAX_CHARS, "256 characters", 256),
    ];
    for (what, value, text, meant) in fixed {
        assert_eq!(value, meant, "{what}");
        let row = readme.lines().find(|line| line.starts_with('|') && line.contains(what));
        assert!(row.is_some_and(|row| row.contains(text)), "{what} is {text}: {row:?}");
    }
}
