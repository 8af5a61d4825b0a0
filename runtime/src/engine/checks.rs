//! How strictly the engine checks that code is deterministic. The application chooses.

use crate::model::BuildId;

/// What happens when a changed program computes another input for a recorded operation than the one that is recorded.
///
/// The choice applies to records of *other* builds of the program, and so to what a deployment changes. A difference
/// from a record of the same build is always nondeterminism, and a value that the history contains at another operation
/// of the same name is always a changed order: both park the instance, whatever is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum InputChanges {
    /// The recorded input stands and the instance goes on, for example when a type has a new field. The log says so once
    /// for each instance.
    #[default]
    Accept,
    /// The instance is parked, and both inputs are shown. Choose this if every change of an input has to go through
    /// [`Context::patched`](crate::Context::patched) or through a new version of the orchestrator.
    Park,
}

/// What a replay needs to know besides the records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReplayChecks {
    pub(crate) build: BuildId,
    pub(crate) input_changes: InputChanges,
}
