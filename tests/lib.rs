//! What the tests of the whole system share.
//!
//! Each test binary links the whole library, so there are only as many as there are kinds of process:
//!
//! | binary | why it is a process of its own |
//! |---|---|
//! | `suite` | everything that runs in an ordinary process; put new tests here |
//! | `registry` | programs that list what they register, because they contain items of the same name |
//! | `telemetry` | a subscriber and a recorder of metrics belong to a whole process |
//! | `allocations` | a global allocator counts |
//! | `postgres` | needs the programs of a PostgreSQL server; behind the feature `postgres` |
//! | `browser` | needs a browser; behind the feature `browser` |
//! | `tidy` | reads source files only and does not link the library, so that it is quick |

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use persevere::{OrchestrationHandle, Orchestrator, Runtime};

pub mod crash;
pub mod example_program;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Fails a test that hangs. No test depends on how long this waits.
pub async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("the test does not hang")
}

/// The handle of an instance.
pub fn handle<O: Orchestrator>(runtime: &Runtime, id: &str) -> OrchestrationHandle<O> {
    runtime.client().handle::<O>(id).unwrap()
}

#[cfg(doctest)]
#[doc = include_str!("../docs/guide.md")]
struct GuidePage;

#[cfg(doctest)]
#[doc = include_str!("../docs/http.md")]
struct HttpPage;

#[cfg(doctest)]
#[doc = include_str!("../runtime/README.md")]
struct RuntimeReadme;

#[cfg(doctest)]
#[doc = include_str!("../macros/README.md")]
struct MacrosReadme;
