//! The thread that writes. It owns the lock and the only connection that writes, and it does every checkpoint.
//!
//! ```text
//!  commands ──► WriterSession: all batches that wait ──► one transaction ──► an answer to each
//!                            └──► after a failure the connection is opened anew, and each partition is claimed again
//! ```

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use rusqlite::wal::CheckpointMode;
use tokio::sync::oneshot;

use super::database::Database;
use super::lock::FileLock;
use super::ownership::Ownerships;
use super::writer_session::{Exit, WriterSession};
use super::{Options, Threads, connection, mark};
use crate::model::{CommitBatch, PartitionCount, PartitionId};
use crate::store::{Claim, CommitError, OpenError};

pub(super) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// A command to the writer.
pub(super) enum Command {
    /// Lock and open the database.
    Open(Sender<Result<PartitionCount, OpenError>>),
    Claim(PartitionId, Answer<Claim, OpenError>),
    Commit(Arc<CommitBatch>, Answer<(), CommitError>),
    /// Close a partition. This is the last command if no other partition is owned.
    Close(PartitionId, Answer<(), CommitError>),
}

pub(super) struct Writer {
    options: Options,
    commands: Receiver<Command>,
    /// The other end of the command channel, which is closed when no partition is owned any more.
    threads: Weak<Mutex<Option<Threads>>>,
    readers: Vec<JoinHandle<()>>,
    owned: Ownerships,
    // The lock is released after the connection, because fields are dropped in their order.
    database: Option<Database>,
    lock: Option<FileLock>,
    /// Whether the file was opened before, so that it has been checked.
    was_open: bool,
}

/// A caller of `close`, and the answer that it gets when everything is released.
pub(super) struct Closing {
    pub(super) answer: Answer<(), CommitError>,
    pub(super) result: Result<(), CommitError>,
}

impl Closing {
    fn answer(self) {
        let _ = self.answer.send(self.result);
    }
}

impl Writer {
    pub(super) fn new(
        options: Options,
        commands: Receiver<Command>,
        threads: Weak<Mutex<Option<Threads>>>,
        readers: Vec<JoinHandle<()>>,
    ) -> Self {
        Self {
            options,
            commands,
            threads,
            readers,
            owned: Ownerships::default(),
            database: None,
            lock: None,
            was_open: false,
        }
    }

    /// Runs until no partition is owned or nobody can send commands any more, and then releases everything.
    pub(super) fn run(mut self) {
        let closing = self.serve();
        for reader in self.readers.drain(..) {
            // A reader that panicked has nothing left to close.
            let _ = reader.join();
        }
        // Otherwise the log stays as it is: at its path there may be that of another database.
        let in_place = self.lock.as_ref().is_some_and(|lock| lock.displaced().is_none());
        let in_place = in_place && self.database.is_some() && self.clear_mark();
        if let (false, Some(database), true) = (closing.is_empty(), &self.database, in_place) {
            database.checkpoint(CheckpointMode::TRUNCATE);
        }
        if let (Some(database), true) = (&self.database, in_place) {
            // What is open until now can be trusted: the log is copied, and goes.
            if let Err(error) = connection::checkpoint_on_close(&database.connection, true) {
                tracing::warn!(%error, "the write-ahead log stays, and is copied at the next opening");
            }
        }
        drop(self);
        closing.into_iter().for_each(Closing::answer);
    }

    /// The log is about to go, and nothing must be looked for in it afterwards. Returns whether that is durable.
    fn clear_mark(&self) -> bool {
        let cleared = mark::clear(&self.options.files, &self.options.path);
        if let Err(error) = &cleared {
            tracing::warn!(%error, "the write-ahead log stays, because its mark could not be cleared");
        }
        cleared.is_ok()
    }

    /// Runs the sessions. Returns those who closed the last partition, or nobody if the store was dropped.
    fn serve(&mut self) -> Vec<Closing> {
        let mut closing = Vec::new();
        loop {
            let command = if closing.is_empty() { self.commands.recv().ok() } else { self.shut() };
            match command {
                None => return closing,
                Some(Command::Open(answer)) => {
                    let _ = answer.send(self.open());
                }
                Some(Command::Commit(batch, answer)) => {
                    // No connection is claimed, so this batch may not be written.
                    let _ = answer.send(self.owned.check(&batch));
                }
                Some(Command::Close(partition, answer)) => {
                    let end = Closing { answer, result: self.owned.close(partition).map(|_| ()) };
                    if self.owned.is_empty() { closing.push(end) } else { end.answer() }
                }
                Some(Command::Claim(partition, answer)) => {
                    closing.drain(..).for_each(Closing::answer);
                    match self.serve_claimed(partition, answer) {
                        Exit::Closed(end) => closing.push(end),
                        Exit::Abandoned => return closing,
                        Exit::Spoilt | Exit::Unlocked(..) => {
                            self.owned.unsettle_all();
                            self.database = None;
                        }
                    }
                }
            }
        }
    }

    /// Closes the command channel, unless a command has arrived in the meantime, which is then returned.
    fn shut(&self) -> Option<Command> {
        let threads = self.threads.upgrade();
        let mut open = threads.as_ref().map(|threads| threads.lock().unwrap_or_else(PoisonError::into_inner));
        // Nobody can send while this is locked.
        let asked = self.commands.try_recv().ok();
        if let (None, Some(open)) = (&asked, &mut open) {
            **open = None;
        }
        asked
    }

    /// Runs from a claim for as long as the connection can be used.
    fn serve_claimed(&mut self, mut partition: PartitionId, mut answer: Answer<Claim, OpenError>) -> Exit {
        loop {
            if let Err(error) = self.open() {
                match error {
                    OpenError::InUse { .. } => self.owned.lost_all(),
                    _ => self.owned.not_claimed(partition),
                }
                let _ = answer.send(Err(error));
                return Exit::Spoilt;
            }
            // `open` either sets both or returns the reason.
            let (Some(database), Some(lock)) = (&self.database, &self.lock) else { return Exit::Spoilt };
            let exit = match WriterSession::begin(&self.options, &self.commands, database, lock, &mut self.owned) {
                Ok(session) => session.serve(partition, answer),
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return Exit::Spoilt;
                }
            };
            match exit {
                Exit::Unlocked(again, waiting) => (partition, answer) = (again, waiting),
                exit => return exit,
            }
        }
    }

    /// Locks and opens the database, unless this is already done.
    fn open(&mut self) -> Result<PartitionCount, OpenError> {
        if !self.lock.as_ref().is_some_and(FileLock::is_in_place) {
            self.database = None;
            let lock = FileLock::acquire(&self.options.path, self.options.lock_wait, &mut self.lock)?;
            self.lock = Some(lock);
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => {
                self.lock.iter().for_each(FileLock::opens_log);
                Database::open(&self.options, !self.was_open)?
            }
        };
        self.was_open = true;
        Ok(self.database.insert(database).partitions)
    }
}
