//! Which databases are accepted, which are refused, and what they can hold.

use std::time::Duration;

use persevere::PostgresStore;
use persevere::model::{
    CommitBatch, Execution, Head, HeadChange, InstanceId, InstanceKey, JsonText, Life, OperationId, ParkCode,
    ParkReason, Progress, RuntimeStatus, TaskId, TaskRow, Timestamp, TurnCommit,
};
use persevere::store::{Durability, InstanceRef, OpenError, Store};

use crate::database::{Database, PARTITION};
use crate::server;

fn detail(opened: Result<PostgresStore, OpenError>) -> String {
    opened.map(drop).unwrap_err().to_string()
}

#[tokio::test]
async fn p15_eight_processes_may_create_the_store_at_once() {
    let database = Database::new().await;
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let builder = PostgresStore::builder(server::address()).schema(&database.schema).partitions(3);
            tokio::spawn(builder.open())
        })
        .collect();
    for opened in opening {
        assert_eq!(opened.await.unwrap().unwrap().partitions().get(), 3);
    }
    assert_eq!(database.number("SELECT count(*) FROM @partition").await, 3);
}

#[tokio::test]
async fn p15_a_store_of_a_newer_version_is_refused() {
    let database = Database::new().await;
    database.open().await;
    let again = async || PostgresStore::builder(server::address()).schema(&database.schema).open().await;
    for column in ["min_worker", "write_format"] {
        database.run(&format!("UPDATE @hub SET {column} = 2")).await;
        assert!(detail(again().await).contains("run a newer version"));
        database.run(&format!("UPDATE @hub SET {column} = 1")).await;
    }
    again().await.unwrap();
    database.run("UPDATE @hub SET version = 99").await;
    let refused = again().await;
    assert!(matches!(refused, Err(OpenError::NewerSchema { found: 99, known: 1, .. })), "{refused:?}");
}

#[tokio::test]
async fn another_number_of_partitions_is_refused() {
    let database = Database::new().await;
    database.open().await;
    let opened = PostgresStore::builder(server::address()).schema(&database.schema).partitions(2).open().await;
    assert!(matches!(opened, Err(OpenError::Partitions { found: 1, asked: 2, .. })), "{opened:?}");
}

#[tokio::test]
async fn p16_a_database_with_another_encoding_is_refused() {
    let database = Database::new().await;
    let name = &database.schema;
    database
        .run(&format!("CREATE DATABASE {name} ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"))
        .await;
    let address = format!("{}{name}", server::address().strip_suffix("postgres").unwrap());
    assert!(detail(PostgresStore::connect(&address).await).contains("LATIN1"));
    database.run(&format!("DROP DATABASE {name} WITH (FORCE)")).await;
}

#[tokio::test]
async fn p16_every_text_that_a_user_chooses_may_contain_nul() {
    let database = Database::new().await;
    let store = database.open().await;
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    let text = |text: &str| JsonText::from_string(format!("\"{text}\0\""));
    let mut life = Life::new(InstanceKey(1), InstanceId::new("nul").unwrap(), "name\0", Timestamp(1));
    life.version = "\0".to_owned();
    life.tags.insert("key\0".to_owned(), "\0value".to_owned());
    life.input = text("input");
    let mut progress = Progress::new(RuntimeStatus::Running, Timestamp(2));
    progress.parked = Some(ParkReason::new(ParkCode::NotRegistered, "\0reason"));
    progress.custom_status = Some(text("status"));
    progress.output = Some(text("output"));
    let head = Head::new(life, progress);
    let task = TaskId { key: InstanceKey(1), execution: Execution(0), operation: OperationId(1) };
    let turn = TurnCommit::with(|turn| {
        turn.head = HeadChange::Insert(head.clone());
        turn.tasks_new = vec![TaskRow::new(task, 0, "activity\0")];
    });
    store.commit(CommitBatch::new(PARTITION, epoch, vec![turn]).into()).await.unwrap();
    let stored = store.instance(InstanceRef::Key(InstanceKey(1)), false).await.unwrap().unwrap();
    assert_eq!(stored.head, head);
    assert_eq!(store.load(PARTITION).await.unwrap().tasks[0].tasks[0].1, "activity\0");
}

#[tokio::test]
async fn p17_the_defaults_of_a_role_change_nothing_or_are_refused() {
    let database = Database::new().await;
    let with = |options: &str| format!("{}?options={options}", server::address());
    let isolation = with("-c%20default_transaction_isolation%3Dserializable%20-c%20default_transaction_read_only%3Don");
    let store = database.open_at(&isolation).await.unwrap();
    let epoch = store.claim(PARTITION).await.unwrap().epoch;
    store.commit(crate::database::message(epoch, 1)).await.unwrap();
    let relaxed = with("-c%20synchronous_commit%3Doff");
    assert!(detail(database.open_at(&relaxed).await).contains("synchronous_commit"));
    let builder = PostgresStore::builder(&relaxed).schema(&database.schema).durability(Durability::Relaxed);
    builder.lease(Duration::from_secs(1)).open().await.unwrap();
}

#[tokio::test]
async fn p17_functions_of_another_schema_are_not_called() {
    let database = Database::new().await;
    let evil = server::schema();
    database
        .run(&format!(
            "CREATE SCHEMA {evil};
             CREATE FUNCTION {evil}.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT NULL::timestamptz $$"
        ))
        .await;
    let hostile = format!("{}?options=-c%20search_path%3D{evil},pg_catalog", server::address());
    let store = database.open_at(&hostile).await.unwrap();
    store.claim(PARTITION).await.unwrap();
}
