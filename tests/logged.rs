//! Collects what the HTTP API, the engine and the crates below the library log while these tests run, as text.

use std::fmt::Debug;
use std::sync::{LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, subscriber};

static LOG: Mutex<String> = Mutex::new(String::new());

/// There is one for the whole process, because a collector that one thread turns on and off may miss the logs of other
/// threads.
static INSTALLED: LazyLock<()> = LazyLock::new(|| subscriber::set_global_default(Log).unwrap());

/// Returns what was logged. The first call begins to collect it.
pub(crate) fn logged() -> String {
    LazyLock::force(&INSTALLED);
    LOG.lock().unwrap().clone()
}

struct Log;

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        LOG.lock().unwrap().push_str(&format!("{field}={value:?}\n"));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Logs of the engine and the worker belong to no request, and other tests produce many of them. The instance id
        // tells parks apart.
        let target = metadata.target();
        let wanted =
            ["persevere::http", "persevere::engine", "persevere::worker::outside", "persevere::worker::watchdog"];
        wanted.iter().any(|wanted| target.starts_with(wanted)) || !target.starts_with("persevere")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut Self);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Self);
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Self);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
