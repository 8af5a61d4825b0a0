use persevere::prelude::*;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

mod chrono {
    pub struct Utc;
    impl Utc {
        pub fn now() -> Self {
            Self
        }
    }
}

#[orchestrator]
async fn run(_ctx: OrchestrationContext, deadline: SystemTime) -> Result<(), OrchestrationError> {
    let started = Instant::now();
    let _since = UNIX_EPOCH.elapsed();
    let _late = deadline.elapsed();
    let _now = chrono::Utc::now();
    let _first = None.unwrap_or_else(SystemTime::now);
    let _ = started;
    Ok(())
}

fn main() {}
