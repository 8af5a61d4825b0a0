//! The threads that read, so that no caller waits for the disk.

use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::errors::ReadError;
use super::{connection, load, query};
use crate::model::{Execution, InboxId, InboxRow, InstanceKey, PartitionId};
use crate::store::{Backlog, INBOX_ROWS, InstancePage, InstanceQuery, InstanceRef, LoadError, StoredInstance};

type Answer<T> = oneshot::Sender<Result<T, LoadError>>;

/// A request to a reader.
pub(super) enum Read {
    Backlog(PartitionId, Answer<Backlog>),
    Inbox(PartitionId, Arc<[InboxId]>, Answer<Vec<InboxRow>>),
    Instance(InstanceRef, bool, Answer<Option<StoredInstance>>),
    History(InstanceKey, Execution, Answer<Option<Vec<Bytes>>>),
    Page(InstanceQuery, Answer<InstancePage>),
}

/// Answers requests until nobody can send one any more.
pub(super) fn run(path: &Path, requests: &Arc<Mutex<Receiver<Read>>>) {
    let mut connection = None;
    // The guard is dropped at the end of this statement, so the other readers wait only while there is no request.
    while let Ok(request) = { requests.lock().unwrap_or_else(PoisonError::into_inner).recv() } {
        match request {
            Read::Backlog(partition, answer) => {
                serve(path, &mut connection, answer, |c| load::backlog(c, partition));
            }
            Read::Inbox(partition, known, answer) => {
                serve(path, &mut connection, answer, |c| load::inbox(c, partition, &known, INBOX_ROWS));
            }
            Read::Instance(target, with_history, answer) => {
                serve(path, &mut connection, answer, |c| load::instance(c, &target, with_history));
            }
            Read::History(key, execution, answer) => {
                serve(path, &mut connection, answer, |c| load::history(c, key, execution));
            }
            Read::Page(asked, answer) => serve(path, &mut connection, answer, |c| query::page(c, &asked)),
        }
    }
}

/// Runs a request. After an error, the connection is opened again, because it may be the cause.
fn serve<T>(
    path: &Path,
    connection: &mut Option<Connection>,
    answer: Answer<T>,
    read: impl FnOnce(&Connection) -> Result<T, ReadError>,
) {
    let result = match connection.take() {
        Some(open) => Ok(open),
        None => connection::open_reader(path).map_err(ReadError::from),
    }
    .and_then(|open| {
        let value = read(&open)?;
        *connection = Some(open);
        Ok(value)
    });
    // A caller that is gone does not want the answer.
    let _ = answer.send(result.map_err(|ReadError(error)| error));
}
