//! Databases that belong to another owner, or that have no room.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use persevere::prelude::*;
use persevere::store::OpenError;
use persevere::{ClientError, registry};

use crate::bad_input::{Word, echo, in_time, listen, says};

const OWNED: &str = "PERSEVERE_TEST_DATABASE_IN_USE";

/// The second process of the next test. Without the variable it has nothing to do.
#[tokio::test]
async fn runtime_in_another_process() {
    let Some(path) = std::env::var_os(OWNED) else { return };
    let store = SqliteStore::open(path).unwrap();
    let _runtime = Runtime::builder().store(store).register(registry![listen, echo]).start().await.unwrap();
    writeln!(std::io::stdout(), "\nruns").unwrap();
    // This waits until the process is killed.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn b09_a_second_runtime_in_another_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "bad_input::stores::runtime_in_another_process", "--nocapture"])
        .env(OWNED, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "runs"), "the second process did not run");
    let refused = SqliteStore::builder(&path).lock_wait(Duration::ZERO).open().unwrap_err();
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert!(matches!(refused, OpenError::InUse { .. }), "{refused:?}");
    says(refused, &["store.db", "in use by another runtime", "stop that runtime first", "another database"]);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_newer_schema_names_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    drop(SqliteStore::open(&path).unwrap());
    let meddle = rusqlite::Connection::open(&path).unwrap();
    meddle.execute("UPDATE meta SET schema_version = 7", []).unwrap();
    drop(meddle);
    let refused = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(refused, OpenError::NewerSchema { found: 7, .. }), "{refused:?}");
    says(refused, &["store.db", "version 7", "run a newer version"]);
}

/// Permission bits do not stop the superuser, but nobody can create files in this file system.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_says_what_to_check() {
    let refused = SqliteStore::open("/sys/persevere.db").unwrap_err();
    assert!(matches!(refused, OpenError::ReadOnly { .. }), "{refused:?}");
    says(refused, &["/sys/persevere.db", "cannot be written", "permissions"]);
}

#[tokio::test]
async fn b04_a_full_disk_refuses_new_work_with_the_cause_and_loses_nothing() {
    in_time(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let full = SqliteStore::builder(&path).max_pages(100).open().unwrap();
        let runtime = Runtime::builder().store(full).register(registry![listen, echo]);
        let runtime = runtime.shutdown_grace(Duration::ZERO).start().await.unwrap();
        let mut acknowledged = Vec::new();
        let start = |runtime: &Runtime, number: usize| {
            let name = format!("{number} {}", "x".repeat(5_000));
            listen::start(runtime.client(), name).instance_id(format!("n-{number}"))
        };
        // The start that meets the full disk waits for room, together with the call that arrives with it.
        let waiting = loop {
            let number = acknowledged.len();
            let mut started = tokio::spawn(start(&runtime, number).into_future());
            let refused = loop {
                let other = runtime.client().raise_event("nobody", "Word", "x");
                tokio::select! {
                    done = &mut started => { done.unwrap().unwrap(); break None }
                    // Calls that were accepted before the store was in trouble wait for room. Later calls are refused.
                    other = tokio::time::timeout(Duration::from_millis(20), other) => match other {
                        Ok(Err(ClientError::NotFound { .. })) | Err(_) => {}
                        Ok(other) => break Some(other.unwrap_err()),
                    }
                }
            };
            match refused {
                None => acknowledged.push(number),
                Some(error) => break (started, error),
            }
        };
        assert!(acknowledged.len() > 3, "{acknowledged:?}");
        let (waiting, refused) = waiting;
        assert!(matches!(refused, ClientError::StoreUnavailable { .. }) && refused.is_temporary(), "{refused:?}");
        says(refused, &["nothing was done", "full"]);
        // What was acknowledged can still be read.
        let read = runtime.client().get_instance("n-0").await.unwrap().unwrap();
        assert!(!read.is_ended());
        runtime.shutdown().await.unwrap_err();
        let lost = waiting.await.unwrap().unwrap_err();
        assert!(lost.outcome_is_unknown() || lost.is_stopped() || lost.is_temporary(), "{lost:?}");

        // There is room again.
        let store = SqliteStore::open(&path).unwrap();
        let runtime = Runtime::builder().store(store).register(registry![listen, echo]).start().await.unwrap();
        for number in acknowledged {
            let listener = start(&runtime, number).await.unwrap();
            assert!(!listener.was_created(), "start {number} was acknowledged and is lost");
            listener.raise_event(Word("there".to_owned())).await.unwrap();
            assert!(listener.result().await.unwrap().ends_with(": there"));
        }
        runtime.shutdown().await.unwrap();
    })
    .await;
}
