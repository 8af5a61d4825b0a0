//! Every store of the library passes the suite of the store contract.

#![allow(clippy::unwrap_used, reason = "what goes wrong in a test fails it")]

use std::sync::Arc;

use persevere::store::{MemoryStore, SqliteStore, Store};

persevere::store_conformance!(memory, || {
    let rows = MemoryStore::new();
    move || Arc::new(rows.clone()) as Arc<dyn Store>
});

persevere::store_conformance!(sqlite, || {
    let folder = tempfile::tempdir().unwrap();
    move || Arc::new(SqliteStore::open(folder.path().join("store.db")).unwrap()) as Arc<dyn Store>
});

persevere::store_conformance!(memory_with_4_partitions, || {
    let rows = MemoryStore::with_partitions(4);
    move || Arc::new(rows.clone()) as Arc<dyn Store>
});

persevere::store_conformance!(sqlite_with_4_partitions, || {
    let folder = tempfile::tempdir().unwrap();
    move || {
        let builder = SqliteStore::builder(folder.path().join("store.db")).partitions(4);
        Arc::new(builder.open().unwrap()) as Arc<dyn Store>
    }
});
