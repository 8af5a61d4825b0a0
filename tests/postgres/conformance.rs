//! The suite of the store contract, with one partition and with four.

use std::sync::Arc;

use persevere::PostgresStore;
use persevere::store::Store;

use crate::server;

/// Opens a store, without a Tokio context.
fn open(schema: &str, partitions: u16) -> Arc<dyn Store> {
    let builder = PostgresStore::builder(server::address()).schema(schema).partitions(partitions);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    Arc::new(runtime.block_on(builder.open()).unwrap())
}

persevere::store_conformance!(with_1_partition, || {
    let schema = server::schema();
    move || open(&schema, 1)
});

persevere::store_conformance!(with_4_partitions, || {
    let schema = server::schema();
    move || open(&schema, 4)
});
