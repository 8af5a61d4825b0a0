//! What an error of the server means for the caller of a store.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::connection::{NoConnection, NotCommitted};
use crate::store::{CommitError, LoadError, OpenError};

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A row is not as the statement expects.
    Row,
    /// It may succeed when it is tried again.
    Transient,
    /// There is no room.
    Full,
    /// The server says that its data is damaged.
    Corrupt,
    /// It fails again.
    Fatal,
}

impl Kind {
    pub(super) fn of(error: &Error) -> Self {
        let Some(code) = error.code() else { return Self::Transient };
        if *code == SqlState::DIVISION_BY_ZERO || *code == SqlState::UNIQUE_VIOLATION {
            return Self::Row;
        }
        if *code == SqlState::DISK_FULL {
            return Self::Full;
        }
        if *code == SqlState::DATA_CORRUPTED || *code == SqlState::INDEX_CORRUPTED {
            return Self::Corrupt;
        }
        // Connection, transaction (read-only, deadlock, serialization), resources, locks and the operator.
        let transient = ["08", "25", "40", "53", "55", "57", "58"];
        if transient.contains(&&code.code()[..2]) { Self::Transient } else { Self::Fatal }
    }
}

/// The text of an error with what the server says.
pub(super) fn text(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(error), _) => {
            let detail = error.detail().map(|detail| format!(" ({detail})")).unwrap_or_default();
            format!("{}{detail} [{}]", error.message(), error.code().code())
        }
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// The error of a batch. `fences` is the number of statements at the beginning that fail when another worker owns the
/// partition.
pub(super) fn commit_error(error: NotCommitted, fences: usize, names: &[&str]) -> CommitError {
    match error {
        NotCommitted::NotSent(error) => CommitError::Transient(text(&error)),
        NotCommitted::Unknown(cause) => CommitError::Ambiguous(cause),
        NotCommitted::RolledBack { statement, error } => match Kind::of(&error) {
            Kind::Row if statement < fences => {
                CommitError::LeaseLost("its row names another owner or another epoch".to_owned())
            }
            Kind::Row => {
                let what = names.get(statement).copied().unwrap_or("COMMIT");
                CommitError::Unexpected(format!("{what}: {}", text(&error)))
            }
            Kind::Transient => CommitError::Transient(text(&error)),
            Kind::Full => CommitError::Full(text(&error)),
            Kind::Corrupt => CommitError::Corrupt { instance: None, detail: text(&error) },
            Kind::Fatal => CommitError::Fatal(text(&error)),
        },
    }
}

pub(super) fn read_error(error: &Error) -> LoadError {
    match Kind::of(error) {
        Kind::Corrupt => LoadError::Corrupt(text(error)),
        _ => LoadError::Transient(text(error)),
    }
}

pub(super) fn not_read(error: NotCommitted) -> LoadError {
    match error {
        NotCommitted::NotSent(error) | NotCommitted::RolledBack { error, .. } => read_error(&error),
        NotCommitted::Unknown(cause) => LoadError::Transient(cause),
    }
}

pub(super) fn no_connection(store: &str, error: &NoConnection) -> OpenError {
    OpenError::Failed { store: store.to_owned(), detail: error.to_string() }
}

pub(super) fn open_error(store: &str, error: &Error) -> OpenError {
    let (store, detail) = (store.to_owned(), text(error));
    match Kind::of(error) {
        Kind::Full => OpenError::Full { store, detail },
        Kind::Corrupt => OpenError::Corrupt { store, detail },
        _ => OpenError::Failed { store, detail },
    }
}

/// The stored data differs from what was written.
pub(super) fn corrupt(detail: impl std::fmt::Display) -> LoadError {
    LoadError::Corrupt(detail.to_string())
}
