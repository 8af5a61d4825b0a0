//! The custom status: each sentence of its definition, checked with a whole runtime.

mod limits;
mod meaning;
mod reading;

use persevere::prelude::*;
use serde_json::Value;

#[external_event(name = "status.next")]
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Next(pub(crate) Value);

/// Publishes whatever it receives, `null` included, until it receives "end".
#[orchestrator(name = "status_puppet", marker = puppet)]
pub(crate) async fn puppet(ctx: OrchestrationContext<Value>, first: Value) -> Result<(), OrchestrationError> {
    ctx.set_custom_status(&first)?;
    loop {
        match Next::wait(&ctx).await?.0 {
            Value::String(end) if end == "end" => return Ok(()),
            Value::String(end) if end == "clear" => ctx.clear_custom_status(),
            Value::String(end) if end == "fail" => return Err("told to".into()),
            Value::String(end) if end == "panic" => panic!("told to"),
            // All of them are published in one turn.
            Value::Array(values) => values.iter().try_for_each(|value| ctx.set_custom_status(value))?,
            value => ctx.set_custom_status(&value)?,
        }
    }
}

pub(crate) async fn shown(runtime: &Runtime, id: &str) -> Option<String> {
    let metadata = runtime.client().get_instance(id).await.unwrap().unwrap();
    metadata.serialized_custom_status().map(str::to_owned)
}
