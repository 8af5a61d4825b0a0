//! What an error of SQLite means for the caller of the store.

use rusqlite::{Error, ErrorCode};

use crate::store::{CommitError, LoadError, OpenError};

/// The kinds of errors that the store distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The operation may succeed when it is repeated: a lock, too little memory, or an I/O error.
    Transient,
    /// There is no room on the disk, or the page limit is reached.
    Full,
    /// The file or its folder cannot be written.
    ReadOnly,
    /// The content of the file differs from what was written.
    Corrupt,
    /// A unique, check, not-null or type constraint was violated.
    Constraint,
    /// Repeating the operation cannot help.
    Fatal,
}

impl Kind {
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::SqliteFailure(failure, _) | Error::SqlInputError { error: failure, .. } => {
                Self::of_code(failure.code)
            }
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)
            | Error::InvalidColumnType(..)
            | Error::QueryReturnedNoRows => Self::Corrupt,
            _ => Self::Fatal,
        }
    }

    /// Returns whether the batch is the cause, so that other batches can be written.
    pub(super) fn is_of_the_batch(self) -> bool {
        matches!(self, Self::Constraint | Self::Fatal)
    }

    fn of_code(code: ErrorCode) -> Self {
        match code {
            ErrorCode::DiskFull => Self::Full,
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt,
            ErrorCode::ConstraintViolation => Self::Constraint,
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::OperationAborted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SchemaChanged => Self::Transient,
            // `SQLITE_ERROR` from a statement that this build has prepared before means that a table or a column is not
            // as it should be.
            ErrorCode::Unknown => Self::Corrupt,
            _ => Self::Fatal,
        }
    }
}

/// Converts an error before COMMIT whose rollback is confirmed, so that nothing was applied.
pub(super) fn not_applied(error: &Error) -> CommitError {
    let detail = error.to_string();
    match Kind::of(error) {
        Kind::Transient | Kind::ReadOnly => CommitError::Transient(detail),
        Kind::Full => CommitError::Full(detail),
        Kind::Corrupt => CommitError::Corrupt { instance: None, detail },
        Kind::Constraint => CommitError::Unexpected(detail),
        Kind::Fatal => CommitError::Fatal(detail),
    }
}

pub(super) fn open_error(store: &str, error: &Error) -> OpenError {
    let (store, detail) = (store.to_owned(), error.to_string());
    match Kind::of(error) {
        Kind::Full => OpenError::Full { store, detail },
        Kind::ReadOnly => OpenError::ReadOnly { store, detail },
        Kind::Corrupt | Kind::Constraint => OpenError::Corrupt { store, detail },
        Kind::Transient | Kind::Fatal => OpenError::Failed { store, detail },
    }
}

/// Converts an error of a file that is opened without SQLite.
pub(super) fn file_error(store: &str, error: &std::io::Error) -> OpenError {
    use std::io::ErrorKind;
    let (store, detail) = (store.to_owned(), error.to_string());
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => OpenError::ReadOnly { store, detail },
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => OpenError::Full { store, detail },
        _ => OpenError::Failed { store, detail },
    }
}

/// The error of a read.
#[derive(Debug)]
pub(super) struct ReadError(pub(super) LoadError);

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        Self(match Kind::of(&error) {
            Kind::Corrupt => LoadError::Corrupt(detail),
            _ => LoadError::Transient(detail),
        })
    }
}

impl ReadError {
    pub(super) fn corrupt(detail: impl std::fmt::Display) -> Self {
        Self(LoadError::Corrupt(detail.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi;

    use super::*;

    fn sqlite(code: std::ffi::c_int) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn every_cause_has_its_own_answer() {
        assert!(matches!(not_applied(&sqlite(ffi::SQLITE_FULL)), CommitError::Full(_)));
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_LOCKED, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_READONLY] {
            assert!(matches!(not_applied(&sqlite(code)), CommitError::Transient(_)), "{code}");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_CORRUPT_INDEX] {
            assert!(matches!(not_applied(&sqlite(code)), CommitError::Corrupt { .. }), "{code}");
            assert!(matches!(open_error("s", &sqlite(code)), OpenError::Corrupt { .. }), "{code}");
            assert!(matches!(ReadError::from(sqlite(code)).0, LoadError::Corrupt(_)), "{code}");
        }
        assert!(matches!(not_applied(&sqlite(ffi::SQLITE_CONSTRAINT_UNIQUE)), CommitError::Unexpected(_)));
        assert!(matches!(not_applied(&sqlite(ffi::SQLITE_TOOBIG)), CommitError::Fatal(_)));
        assert!(matches!(open_error("s", &sqlite(ffi::SQLITE_READONLY)), OpenError::ReadOnly { .. }));
        assert!(matches!(open_error("s", &sqlite(ffi::SQLITE_FULL)), OpenError::Full { .. }));
        assert!(matches!(ReadError::from(sqlite(ffi::SQLITE_IOERR_READ)).0, LoadError::Transient(_)));
    }

    #[test]
    fn a_file_that_cannot_be_written_is_read_only() {
        use std::io::{Error, ErrorKind};
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            assert!(matches!(file_error("s", &Error::from(kind)), OpenError::ReadOnly { .. }), "{kind}");
        }
        assert!(matches!(file_error("s", &Error::from(ErrorKind::StorageFull)), OpenError::Full { .. }));
        assert!(matches!(file_error("s", &Error::from(ErrorKind::NotFound)), OpenError::Failed { .. }));
    }
}
