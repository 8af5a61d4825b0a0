//! Tests of the client against a scripted port: the test applies the commits.

mod fake;
mod following;
mod history;
mod lists;
mod operations;
mod reading;
mod waiting;
mod watching;

use serde::{Deserialize, Serialize};

use crate::contract::{Accepts, ExternalEvent, NoStatus, OrchestrationError, Orchestrator};

/// The custom status of [`Greeter`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Progress {
    done: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("no city is called {city}")]
struct NoSuchCity {
    city: String,
}

/// An orchestrator with a custom status.
#[derive(Debug, PartialEq)]
enum Greeter {}

impl Orchestrator for Greeter {
    type Input = Vec<String>;
    type Output = Vec<String>;
    type Error = NoSuchCity;
    type Status = Progress;
    const NAME: &'static str = "greeter";
    const VERSION: &'static str = "2";
}

/// An orchestrator without a custom status.
#[derive(Debug, PartialEq)]
enum Silent {}

impl Orchestrator for Silent {
    type Input = ();
    type Output = ();
    type Error = OrchestrationError;
    type Status = NoStatus;
    const NAME: &'static str = "silent";
    const VERSION: &'static str = "";
}

#[derive(Serialize, Deserialize)]
struct Approved(bool);

impl ExternalEvent for Approved {
    const NAME: &'static str = "Approved";
}

impl Accepts<Approved> for Greeter {}
impl Accepts<Approved> for Silent {}
