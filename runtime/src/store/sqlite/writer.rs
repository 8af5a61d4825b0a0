//! The thread that writes. It owns the lock and the only connection that writes, and does every checkpoint.
//!
//! ```text
//!  commands ──► all batches that wait ──► one transaction ──► an answer to each
//!                                              └──► checkpoint, when the log is long or nothing is asked
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, ErrorCode};
use tokio::sync::oneshot;

use super::commit::Statements;
use super::errors::open_error;
use super::lock::FileLock;
use super::log::Log;
use super::{Options, connection};
use crate::model::{CommitBatch, Epoch};
use crate::store::rows::wrong_epoch;
use crate::store::{Claim, CommitError, OpenError};

/// The log is copied into the database when nothing was asked for this long, and when it is due.
const CHECKPOINT_IDLE: Duration = Duration::from_secs(1);
/// How long the thread looks for the next command before it sleeps.
const LOOK: Duration = Duration::from_micros(60);
/// Readers that the log waits for are looked at so often, with a pause in between. A read of this store takes less time.
/// What takes more, such as a backup, is waited for again when the log is twice as long.
const RESTART_LOOKS: u32 = 200;
const RESTART_PAUSE: Duration = Duration::from_millis(1);

type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// What is asked of the writer.
pub(super) enum Command {
    /// Lock and open the database.
    Open(Sender<Result<(), OpenError>>),
    Claim(Answer<Claim, OpenError>),
    Commit(Arc<CommitBatch>, Answer<(), CommitError>),
    /// The last command.
    Close(Answer<(), CommitError>),
}

/// A batch that waits for its transaction.
type Waiting = (Arc<CommitBatch>, Answer<(), CommitError>);

pub(super) struct Writer {
    options: Options,
    commands: Receiver<Command>,
    readers: Vec<JoinHandle<()>>,
    // The lock goes after the connection: fields are dropped in their order.
    database: Option<Database>,
    lock: Option<FileLock>,
}

struct Database {
    connection: Connection,
    /// Frames in the log after the last commit.
    frames: Arc<AtomicI32>,
}

/// Why a claimed database is served no longer.
enum Exit {
    /// The connection cannot be trusted until it is opened anew.
    Spoilt,
    /// Somebody deleted the lock file: it has to be locked anew before this claim.
    Unlocked(Answer<Claim, OpenError>),
    Closed(Closing),
    /// Nobody can ask any more.
    Abandoned,
}

/// Who asked to close, and what to answer when everything is let go of.
struct Closing {
    answer: Answer<(), CommitError>,
    result: Result<(), CommitError>,
}

impl Writer {
    pub(super) fn new(options: Options, commands: Receiver<Command>, readers: Vec<JoinHandle<()>>) -> Self {
        Self { options, commands, readers, database: None, lock: None }
    }

    /// Serves until it is closed or nobody can ask any more; then lets go of everything.
    pub(super) fn run(mut self) {
        let closing = self.serve();
        for reader in self.readers.drain(..) {
            // A reader that panicked has nothing left to close.
            let _ = reader.join();
        }
        if let (Some(_), Some(database)) = (&closing, &self.database) {
            database.checkpoint(CheckpointMode::TRUNCATE);
        }
        if let Some(database) = &self.database {
            // What is open until now can be trusted: the log is copied, and goes.
            if let Err(error) = connection::checkpoint_on_close(&database.connection, true) {
                tracing::warn!(%error, "the write-ahead log stays, and is copied at the next opening");
            }
        }
        drop(self);
        if let Some(Closing { answer, result }) = closing {
            let _ = answer.send(result);
        }
    }

    fn serve(&mut self) -> Option<Closing> {
        while let Ok(command) = self.commands.recv() {
            match command {
                Command::Open(answer) => {
                    let _ = answer.send(self.open());
                }
                Command::Commit(batch, answer) => {
                    let _ = answer.send(Err(CommitError::LeaseLost(wrong_epoch(batch.epoch, None))));
                }
                Command::Close(answer) => return Some(Closing { answer, result: self.nothing_to_mark() }),
                Command::Claim(mut answer) => loop {
                    match self.serve_claimed(answer) {
                        Exit::Spoilt => {
                            self.database = None;
                            break;
                        }
                        Exit::Unlocked(again) => answer = again,
                        Exit::Closed(closing) => return Some(closing),
                        Exit::Abandoned => return None,
                    }
                },
            }
        }
        None
    }

    /// What `close` answers while the store is not claimed.
    fn nothing_to_mark(&self) -> Result<(), CommitError> {
        match self.database {
            Some(_) => Ok(()),
            None => {
                Err(CommitError::Closed("it has to be claimed before it can be marked as cleanly closed".to_owned()))
            }
        }
    }

    fn serve_claimed(&mut self, answer: Answer<Claim, OpenError>) -> Exit {
        let opened = self.open();
        match (opened, &self.database) {
            (Ok(()), Some(database)) => Session::run(self, database, answer),
            (Err(error), _) => {
                let _ = answer.send(Err(error));
                Exit::Spoilt
            }
            // `open` leaves a database behind or says why not.
            (Ok(()), None) => Exit::Spoilt,
        }
    }

    /// Locks and opens what is not locked and open already.
    fn open(&mut self) -> Result<(), OpenError> {
        if !self.is_locked() {
            self.database = None;
            self.lock = None;
            self.lock = Some(FileLock::acquire(&self.options.path, self.options.lock_wait)?);
        }
        if self.database.is_none() {
            self.database = Some(Database::open(&self.options)?);
        }
        Ok(())
    }

    fn is_locked(&self) -> bool {
        self.lock.as_ref().is_some_and(FileLock::is_in_place)
    }
}

impl Database {
    fn open(options: &Options) -> Result<Self, OpenError> {
        let mut connection = connection::open_writer(options)?;
        let frames = Arc::new(AtomicI32::new(0));
        let counter = Arc::clone(&frames);
        connection
            .wal_hook(Some(move |_: &mut Wal, count| {
                counter.store(count, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|e| open_error(&options.store(), &e))?;
        Ok(Self { connection, frames })
    }

    /// Copies the log into the database. A failure costs nothing but room: the log has it all.
    fn checkpoint(&self, mode: CheckpointMode) {
        if let Err(error) = self.connection.wal_checkpoint_v2(Some("main"), mode) {
            tracing::warn!(%error, "the write-ahead log could not be copied into the database");
        }
    }

    /// Copies the log and waits until nobody reads from it, so that the next commit begins it anew. Nobody commits
    /// meanwhile: once all is copied, new readers do without the log and are not waited for.
    fn restart_log(&self) {
        let restarted = self.connection.busy_timeout(Duration::ZERO).and_then(|()| {
            for _ in 0..RESTART_LOOKS {
                match self.connection.wal_checkpoint_v2(Some("main"), CheckpointMode::RESTART) {
                    Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                        thread::sleep(RESTART_PAUSE);
                    }
                    result => return result.map(|_| ()),
                }
            }
            Ok(())
        });
        let restored = self.connection.busy_timeout(connection::BUSY_TIMEOUT);
        if let Err(error) = restarted.and(restored) {
            tracing::warn!(%error, "the write-ahead log could not be begun anew");
        }
    }
}

/// The time from a claim to the end of its connection.
struct Session<'a> {
    writer: &'a Writer,
    database: &'a Database,
    statements: Statements<'a>,
    epoch: Option<Epoch>,
    log: Log,
}

impl<'a> Session<'a> {
    fn run(writer: &'a Writer, database: &'a Database, first: Answer<Claim, OpenError>) -> Exit {
        match Statements::prepare(&database.connection) {
            Ok(statements) => Self { writer, database, statements, epoch: None, log: Log::new() }.serve(first),
            Err(error) => {
                let _ = first.send(Err(open_error(&writer.options.store(), &error)));
                Exit::Spoilt
            }
        }
    }

    fn serve(&mut self, first: Answer<Claim, OpenError>) -> Exit {
        let mut next = Some(Command::Claim(first));
        loop {
            let Some(command) = next.take().or_else(|| self.wait()) else { return Exit::Abandoned };
            let usable = match command {
                Command::Open(answer) => {
                    let _ = answer.send(Ok(()));
                    true
                }
                Command::Claim(answer) if self.writer.is_locked() => self.claim(answer),
                Command::Claim(answer) => return Exit::Unlocked(answer),
                Command::Commit(batch, answer) => {
                    let mut waiting = vec![(batch, answer)];
                    next = self.collect(&mut waiting);
                    self.commit(waiting)
                }
                Command::Close(answer) => {
                    let result = self.epoch.map_or(Ok(()), |epoch| self.statements.mark_clean(epoch));
                    return Exit::Closed(Closing { answer, result });
                }
            };
            if !usable {
                return Exit::Spoilt;
            }
        }
    }

    /// The next command. A log that is not copied yet is, when none comes for a while.
    fn wait(&mut self) -> Option<Command> {
        match self.look() {
            Err(TryRecvError::Empty) => {}
            found => return found.ok(),
        }
        if self.log.is_dirty() {
            match self.writer.commands.recv_timeout(CHECKPOINT_IDLE) {
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.checkpoint(),
            }
        }
        self.writer.commands.recv().ok()
    }

    /// Looks for a command before the thread sleeps: the next commit often comes sooner than a sleeping thread could be
    /// woken.
    fn look(&self) -> Result<Command, TryRecvError> {
        let begin = Instant::now();
        loop {
            match self.writer.commands.try_recv() {
                Err(TryRecvError::Empty) if begin.elapsed() < LOOK => thread::yield_now(),
                found => return found,
            }
        }
    }

    /// Takes the batches that wait; answers what came after them.
    fn collect(&self, waiting: &mut Vec<Waiting>) -> Option<Command> {
        loop {
            match self.writer.commands.try_recv().ok()? {
                Command::Commit(batch, answer) => waiting.push((batch, answer)),
                other => return Some(other),
            }
        }
    }

    /// Answers whether the connection can still be used.
    fn claim(&mut self, answer: Answer<Claim, OpenError>) -> bool {
        let store = self.writer.options.store();
        let result = self.statements.claim().map_err(|error| match error {
            CommitError::Full(detail) => OpenError::Full { store, detail },
            CommitError::Corrupt(detail) => OpenError::Corrupt { store, detail },
            other => OpenError::Failed { store, detail: other.to_string() },
        });
        self.epoch = result.as_ref().ok().map(|claim| claim.epoch);
        let _ = answer.send(result);
        self.log.committed(self.database.frames.load(Ordering::Relaxed));
        self.epoch.is_some()
    }

    /// Writes the batches and answers whether the connection can still be used.
    fn commit(&mut self, waiting: Vec<Waiting>) -> bool {
        let mut batches = Vec::with_capacity(waiting.len());
        let mut answers = Vec::with_capacity(waiting.len());
        for (batch, answer) in waiting {
            if Some(batch.epoch) == self.epoch {
                batches.push(batch);
                answers.push(answer);
            } else {
                let _ = answer.send(Err(CommitError::LeaseLost(wrong_epoch(batch.epoch, self.epoch))));
            }
        }
        let Some(epoch) = self.epoch else { return true };
        let mut result = self.statements.write(epoch, &batches);
        if batches.len() > 1 && matches!(result, Err(CommitError::Unexpected(_) | CommitError::LeaseLost(_))) {
            // One of them is refused: the others must not suffer.
            for (batch, answer) in batches.iter().zip(answers.drain(..)) {
                result = self.statements.write(epoch, std::slice::from_ref(batch));
                let _ = answer.send(result.clone());
                if !usable(&result) {
                    return false;
                }
            }
        }
        for answer in answers {
            let _ = answer.send(result.clone());
        }
        if self.log.committed(self.database.frames.load(Ordering::Relaxed)) {
            self.checkpoint();
        }
        usable(&result)
    }

    fn checkpoint(&mut self) {
        if self.log.outlives_copies() {
            self.database.restart_log();
        } else {
            self.database.checkpoint(CheckpointMode::PASSIVE);
        }
        self.log.copied();
    }
}

/// After these answers nobody knows what the connection remembers.
fn usable(result: &Result<(), CommitError>) -> bool {
    !matches!(result, Err(CommitError::Ambiguous(_) | CommitError::Corrupt(_)))
}
