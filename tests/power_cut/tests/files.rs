//! What happens when the file changes under its owner: other names, a deleted lock file, deletion, renaming and
//! replacement.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use persevere::model::{CommitBatch, Epoch, InboxId, InboxRow, PartitionId, TurnCommit};
use persevere::prelude::*;
use persevere::store::{CommitError, OpenError, SqliteStore, Store};
use persevere::{ClientError, registry};
use tempfile::TempDir;

const PARTITION: PartitionId = PartitionId::FIRST;

struct Place {
    _folder: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    Place { _folder: folder, path }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", path.display()))
}

/// Opens the store without waiting for another owner.
fn open_at_once(path: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::builder(path).lock_wait(Duration::ZERO).open()
}

/// A batch with one message.
fn message(epoch: Epoch, id: u64) -> Arc<CommitBatch> {
    let mut turn = TurnCommit::default();
    turn.inbox_new.push(InboxRow::new(PARTITION, InboxId(id), vec![7].into()));
    Arc::new(CommitBatch::new(PARTITION, epoch, vec![turn]))
}

fn is_in_use(result: Result<SqliteStore, OpenError>) -> bool {
    matches!(result, Err(OpenError::InUse { .. }))
}

#[tokio::test]
async fn b09_a_hard_link_is_no_way_around_the_lock() {
    let place = place();
    let owner = SqliteStore::open(&place.path).unwrap();
    let epoch = owner.claim(PARTITION).await.unwrap().epoch;
    let other_name = beside(&place.path, ".other");
    fs::hard_link(&place.path, &other_name).unwrap();
    assert!(is_in_use(open_at_once(&other_name)));
    // The refused attempt took nothing from the owner. The system would release the owner's locks if a file were closed
    // carelessly.
    owner.commit(message(epoch, 1)).await.unwrap();
    assert!(is_in_use(open_at_once(&other_name)));
    drop(owner);
    // The same is true without an owner, because the log of one name is not found under the other name.
    let refused = SqliteStore::builder(&other_name).open().unwrap_err();
    assert!(refused.to_string().contains("2 names"), "{refused}");
    fs::remove_file(other_name).unwrap();
    SqliteStore::open(&place.path).unwrap();
}

#[test]
fn b09_a_link_to_a_file_that_is_still_to_be_created_leads_to_one_lock() {
    let place = place();
    let folder = place.path.parent().unwrap();
    let (first, second) = (folder.join("first"), folder.join("second"));
    symlink(&place.path, &second).unwrap();
    symlink("second", &first).unwrap();
    let _owner = SqliteStore::open(&first).unwrap();
    for name in [&place.path, &first, &second] {
        assert!(is_in_use(open_at_once(name)), "{}", name.display());
    }
    assert!(fs::symlink_metadata(&first).unwrap().is_symlink());
    let circle = folder.join("circle");
    symlink(&circle, &circle).unwrap();
    assert!(matches!(SqliteStore::open(&circle), Err(OpenError::Failed { .. })));
}

#[tokio::test]
async fn b09_a_deleted_lock_file_lets_nobody_in() {
    let place = place();
    let owner = SqliteStore::open(&place.path).unwrap();
    let epoch = owner.claim(PARTITION).await.unwrap().epoch;
    fs::remove_file(beside(&place.path, ".lock")).unwrap();
    assert!(is_in_use(open_at_once(&place.path)));
    // The owner continues, and locks the new file at its next claim.
    owner.commit(message(epoch, 1)).await.unwrap_or_else(|error| {
        assert!(matches!(error, CommitError::Transient(_)), "{error:?}");
    });
    let epoch = owner.claim(PARTITION).await.unwrap().epoch;
    owner.commit(message(epoch, 2)).await.unwrap();
    assert!(is_in_use(open_at_once(&place.path)));
    owner.close(PARTITION).await.unwrap();
    SqliteStore::open(&place.path).unwrap();
}

/// Takes a file away in each possible way, and puts it back.
async fn is_refused_until_it_is_back(suffix: &str, replace: impl Fn(&Path)) {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(message(epoch, 1)).await.unwrap();
    let (path, aside) = (beside(&place.path, suffix), beside(&place.path, ".aside"));
    fs::rename(&path, &aside).unwrap();
    replace(&path);
    let next = message(epoch, 2);
    for _ in 0..2 {
        let refused = store.commit(Arc::clone(&next)).await.unwrap_err();
        assert!(matches!(&refused, CommitError::Transient(_)), "{refused:?}");
        assert!(refused.to_string().contains("while it was in use"), "{refused}");
    }
    fs::rename(&aside, &path).unwrap();
    store.commit(next).await.unwrap();
    let inbox = store.load(PARTITION).await.unwrap().inbox;
    assert_eq!(inbox.iter().map(|row| row.id.0).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn a_database_that_is_renamed_or_replaced_is_not_written_until_it_is_back() {
    for suffix in ["", "-wal"] {
        is_refused_until_it_is_back(suffix, |_| {}).await;
        is_refused_until_it_is_back(suffix, |path| fs::write(path, "another file").unwrap()).await;
        is_refused_until_it_is_back(suffix, |path| fs::create_dir(path).and_then(|()| fs::remove_dir(path)).unwrap())
            .await;
    }
}

#[tokio::test]
async fn a_store_whose_file_was_replaced_leaves_the_new_one_alone() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(message(epoch, 1)).await.unwrap();
    let others = ["", "-wal", "-shm"].map(|suffix| beside(&place.path, suffix));
    for path in &others {
        fs::remove_file(path).unwrap();
        fs::write(path, format!("the new {}", path.display())).unwrap();
    }
    let claim = store.claim(PARTITION).await.unwrap_err();
    assert!(claim.to_string().contains("another file has taken the place of"), "{claim}");
    drop(store);
    // A store without its lock is gone.
    let lock = fs::OpenOptions::new().write(true).open(beside(&place.path, ".lock")).unwrap();
    lock.lock().unwrap();
    for path in &others {
        assert_eq!(fs::read_to_string(path).unwrap(), format!("the new {}", path.display()));
    }
}

#[orchestrator]
async fn waits_on_a_file(ctx: OrchestrationContext) -> Result<(), OrchestrationError> {
    ctx.wait_for_external_event::<u8>("go").await?;
    Ok(())
}

#[tokio::test]
async fn new_work_is_refused_with_the_cause_while_the_database_is_away() {
    let place = place();
    let store = SqliteStore::open(&place.path).unwrap();
    let runtime = Runtime::builder().store(store).register(registry![waits_on_a_file]).start().await.unwrap();
    let client = runtime.client();
    waits_on_a_file::start(client).instance_id("before").await.unwrap();
    let aside = beside(&place.path, ".aside");
    fs::rename(&place.path, &aside).unwrap();
    // The first start notices the change, and waits until the file is back.
    let waiting = tokio::spawn(waits_on_a_file::start(client).instance_id("waiting").into_future());
    let refused = loop {
        match tokio::time::timeout(Duration::from_millis(20), client.raise_event("nobody", "go", &1)).await {
            Ok(Err(ClientError::NotFound { .. })) | Err(_) => {}
            Ok(other) => break other.unwrap_err(),
        }
    };
    assert!(matches!(refused, ClientError::StoreUnavailable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("deleted or renamed"), "{refused}");
    fs::rename(&aside, &place.path).unwrap();
    assert!(waiting.await.unwrap().unwrap().was_created());
    runtime.shutdown().await.unwrap();
}
