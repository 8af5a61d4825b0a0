//! Work that ends the process (B14): a real process aborts in an activity or overflows its stack in a turn, again and again.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use persevere::prelude::*;

/// The signal with which `abort` and a stack overflow end a process.
const SIGABRT: i32 = 6;

fn run(file: &Path, mode: &str, place: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_poison_victim")).arg(file).args([mode, place]).output().unwrap()
}

fn is_recognised(place: &str, partitions: u16) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.db");
    drop(SqliteStore::builder(&file).partitions(partitions).open().unwrap());
    for mode in ["begin", "go on", "go on"] {
        let output = run(&file, mode, place);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{mode}: {output:?}");
    }
    for _ in 0..2 {
        let output = run(&file, "go on", place);
        assert!(output.status.success(), "{place} with {partitions} partitions: {output:?}");
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.starts_with("50 have finished; [D0109] "), "{printed}");
    }
}

#[test]
fn b14_an_activity_that_aborts_is_parked_after_three_times_and_everything_else_finishes() {
    is_recognised("activity", 1);
    is_recognised("activity", 4);
}

#[test]
fn b14_an_orchestrator_that_overflows_the_stack_is_parked_after_three_times_and_everything_else_finishes() {
    is_recognised("turn", 1);
    is_recognised("turn", 4);
}
