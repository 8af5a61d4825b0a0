//! A session of the writer, from a claim to the end of its connection.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::wal::CheckpointMode;

use super::Options;
use super::database::Database;
use super::errors::open_error;
use super::lock::FileLock;
use super::log::Log;
use super::ownership::Ownerships;
use super::transaction::Statements;
use super::writer::{Answer, Closing, Command};
use crate::model::{CommitBatch, PartitionId};
use crate::store::{Claim, CommitError, OpenError};

/// How long the writer waits without work before it copies the log, if that is due.
const CHECKPOINT_IDLE: Duration = Duration::from_secs(1);
/// How long the thread looks for the next command before it sleeps.
const LOOK: Duration = Duration::from_micros(60);

/// The reason why a session ends.
pub(super) enum Exit {
    /// The connection cannot be trusted until it is opened again.
    Spoilt,
    /// The lock file was deleted, so it must be locked again before this claim.
    Unlocked(PartitionId, Answer<Claim, OpenError>),
    /// The last partition was closed.
    Closed(Closing),
    /// Nobody can send commands any more.
    Abandoned,
}

pub(super) struct WriterSession<'a> {
    options: &'a Options,
    commands: &'a Receiver<Command>,
    database: &'a Database,
    lock: &'a FileLock,
    owned: &'a mut Ownerships,
    statements: Statements<'a>,
    log: Log,
}

impl<'a> WriterSession<'a> {
    pub(super) fn begin(
        options: &'a Options,
        commands: &'a Receiver<Command>,
        database: &'a Database,
        lock: &'a FileLock,
        owned: &'a mut Ownerships,
    ) -> Result<Self, OpenError> {
        let statements = Statements::prepare(&database.connection).map_err(|e| open_error(&options.store(), &e))?;
        Ok(Self { options, commands, database, lock, owned, statements, log: Log::new() })
    }

    pub(super) fn serve(mut self, partition: PartitionId, first: Answer<Claim, OpenError>) -> Exit {
        let mut next = Some(Command::Claim(partition, first));
        loop {
            let Some(command) = next.take().or_else(|| self.wait()) else { return Exit::Abandoned };
            let usable = match command {
                Command::Open(answer) => {
                    let _ = answer.send(Ok(self.database.partitions));
                    true
                }
                Command::Claim(partition, answer) if self.lock.is_in_place() => self.claim(partition, answer),
                Command::Claim(partition, answer) => return Exit::Unlocked(partition, answer),
                Command::Commit(batch, answer) => {
                    let mut waiting = vec![(batch, answer)];
                    next = self.collect(&mut waiting);
                    self.commit(waiting)
                }
                Command::Close(partition, answer) => {
                    let result = match self.lock.displaced() {
                        None => self.close(partition),
                        Some(cause) => self.owned.close(partition).and(Err(CommitError::Transient(cause))),
                    };
                    if self.owned.is_empty() {
                        return Exit::Closed(Closing { answer, result });
                    }
                    let usable = usable(&result);
                    let _ = answer.send(result);
                    usable
                }
            };
            if !usable {
                return Exit::Spoilt;
            }
        }
    }

    /// Returns the next command. If none arrives for a while, this copies the log.
    fn wait(&mut self) -> Option<Command> {
        match self.look() {
            Err(TryRecvError::Empty) => {}
            found => return found.ok(),
        }
        if self.log.is_dirty() {
            match self.commands.recv_timeout(CHECKPOINT_IDLE) {
                Ok(command) => return Some(command),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.checkpoint(),
            }
        }
        self.commands.recv().ok()
    }

    /// Looks for a command before the thread sleeps, because the next commit often arrives sooner than a sleeping
    /// thread could be woken.
    fn look(&self) -> Result<Command, TryRecvError> {
        let begin = Instant::now();
        loop {
            match self.commands.try_recv() {
                Err(TryRecvError::Empty) if begin.elapsed() < LOOK => thread::yield_now(),
                found => return found,
            }
        }
    }

    /// Takes the batches that are waiting. Returns the command that came after them.
    fn collect(&self, waiting: &mut Vec<Waiting>) -> Option<Command> {
        loop {
            match self.commands.try_recv().ok()? {
                Command::Commit(batch, answer) => waiting.push((batch, answer)),
                other => return Some(other),
            }
        }
    }

    /// Claims a partition. Returns whether the connection can still be used.
    fn claim(&mut self, partition: PartitionId, answer: Answer<Claim, OpenError>) -> bool {
        let store = self.options.store();
        let result = self.statements.claim(partition);
        match &result {
            Ok(claim) => self.owned.claimed(partition, claim.epoch),
            Err(_) => self.owned.not_claimed(partition),
        }
        // If nobody else needs the connection, it is opened again, because it may be the cause of the error.
        let usable = result.is_ok() || (self.owned.any_owned() && usable(&result));
        let _ = answer.send(result.map_err(|error| match error {
            CommitError::Full(detail) => OpenError::Full { store, detail },
            CommitError::Corrupt { detail, .. } => OpenError::Corrupt { store, detail },
            other => OpenError::Failed { store, detail: other.to_string() },
        }));
        self.log.committed(self.database.frames());
        usable
    }

    fn close(&mut self, partition: PartitionId) -> Result<(), CommitError> {
        match self.owned.close(partition)? {
            Some(epoch) => self.statements.mark_clean(partition, epoch),
            None => Ok(()),
        }
    }

    /// Writes the batches. Returns whether the connection can still be used.
    fn commit(&mut self, waiting: Vec<Waiting>) -> bool {
        let mut batches = Vec::with_capacity(waiting.len());
        let mut answers = Vec::with_capacity(waiting.len());
        for (batch, answer) in waiting {
            match self.owned.check(&batch) {
                Ok(()) => {
                    batches.push(batch);
                    answers.push(answer);
                }
                Err(refused) => _ = answer.send(Err(refused)),
            }
        }
        if batches.is_empty() {
            return true;
        }
        if let Some(cause) = self.lock.displaced() {
            for answer in answers {
                let _ = answer.send(Err(CommitError::Transient(cause.clone())));
            }
            return true;
        }
        let result = self.statements.write(&batches);
        let is_usable = usable(&result);
        let damaged = matches!(result, Err(CommitError::Corrupt { .. }));
        // What is wrong with one batch must not harm the others, and of damage it is found out whose it is.
        let results = if damaged {
            self.statements.write_undamaged(&batches)
        } else if batches.len() > 1 && is_of_one_batch(&result) {
            self.statements.write_accepted(&batches).unwrap_or_else(|error| vec![Err(error); batches.len()])
        } else {
            vec![result; batches.len()]
        };
        let is_usable = is_usable && results.iter().all(usable);
        for ((batch, answer), result) in batches.iter().zip(answers).zip(results) {
            self.answer(batch, answer, result);
        }
        if damaged {
            self.database.forget_pages();
        }
        if self.log.committed(self.database.frames()) {
            self.checkpoint();
        }
        is_usable
    }

    fn answer(&mut self, batch: &CommitBatch, answer: Answer<(), CommitError>, result: Result<(), CommitError>) {
        if matches!(result, Err(CommitError::LeaseLost(_))) {
            self.owned.lost(batch.partition);
        }
        let _ = answer.send(result);
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

/// A batch that is waiting for its transaction.
type Waiting = (Arc<CommitBatch>, Answer<(), CommitError>);

/// Returns whether the cause lies in one of the batches, so that the others can be written without it.
fn is_of_one_batch(result: &Result<(), CommitError>) -> bool {
    matches!(result, Err(CommitError::Unexpected(_) | CommitError::LeaseLost(_) | CommitError::Fatal(_)))
}

/// Returns whether the connection can still be used. After some errors, nobody knows what state it is in.
fn usable<T>(result: &Result<T, CommitError>) -> bool {
    !matches!(result, Err(CommitError::Ambiguous(_)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::{Sender, channel};

    use tokio::sync::oneshot;

    use super::super::files::Files;
    use super::super::{Durability, FileCheck};
    use super::*;
    use crate::model::{Epoch, InboxId, InboxRow, PartitionCount, TurnCommit};

    const A: PartitionId = PartitionId(0);
    const B: PartitionId = PartitionId(1);

    fn options(path: &Path) -> Options {
        Options {
            path: path.to_owned(),
            durability: Durability::Relaxed,
            check: FileCheck::default(),
            compacts: false,
            lock_wait: Duration::ZERO,
            max_pages: None,
            partitions: PartitionCount::new(2),
            files: Files::default(),
        }
    }

    /// A command that is answered when the session runs.
    fn asked<T>(
        commands: &Sender<Command>,
        command: impl FnOnce(oneshot::Sender<T>) -> Command,
    ) -> oneshot::Receiver<T> {
        let (answer, answered) = oneshot::channel();
        commands.send(command(answer)).unwrap();
        answered
    }

    fn message(partition: PartitionId, epoch: Epoch, id: u64) -> Arc<CommitBatch> {
        let row = InboxRow { partition, id: InboxId(id), bytes: vec![0; 3].into() };
        let turns = vec![TurnCommit { inbox_new: vec![row], ..TurnCommit::default() }];
        Arc::new(CommitBatch { partition, epoch, turns })
    }

    #[test]
    fn p26_a_commit_of_unknown_outcome_is_answered_to_every_partition_in_it_and_ends_the_session() {
        let folder = tempfile::tempdir().unwrap();
        let options = options(&folder.path().join("store.db"));
        let lock = FileLock::acquire(&options.path, Duration::ZERO, &mut None).unwrap();
        let mut database = Database::open(&options, true).unwrap();
        let fails = Arc::new(AtomicBool::new(false));
        let hook = Arc::clone(&fails);
        database.connection.commit_hook(Some(move || hook.load(Ordering::Relaxed))).unwrap();
        let (commands, received) = channel();
        let mut owned = Ownerships::default();
        let mut session = WriterSession::begin(&options, &received, &database, &lock, &mut owned).unwrap();
        let mut claim = |partition| {
            let (answer, answered) = oneshot::channel();
            assert!(session.claim(partition, answer));
            answered.blocking_recv().unwrap().unwrap().epoch
        };
        let (a, b) = (claim(A), claim(B));
        fails.store(true, Ordering::Relaxed);
        let first = asked(&commands, |answer| Command::Commit(message(A, a, 1), answer));
        let second = asked(&commands, |answer| Command::Commit(message(B, b, 2), answer));
        let Some(Command::Commit(batch, answer)) = session.wait() else { panic!("a commit was asked for") };
        let mut waiting = vec![(batch, answer)];
        assert!(session.collect(&mut waiting).is_none());
        assert!(!session.commit(waiting), "the connection is not used any more");
        for answered in [first, second] {
            let result = answered.blocking_recv().unwrap();
            assert!(matches!(result, Err(CommitError::Ambiguous(_))), "{result:?}");
        }
    }
}
