//! The length of the write-ahead log, and what follows from it: copying it, waiting for its readers, or logging a
//! warning.

/// The log is copied into the database when it has grown by this many frames (of 4 KiB) since the last time.
const CHECKPOINT_FRAMES: i32 = 1_024;
/// A log with this many frames (16 MiB) was copied several times but not restarted, because readers follow one another
/// without a gap and one of them always needs it. The writer then waits for them, which limits the log.
const RESTART_FRAMES: i32 = 4 * CHECKPOINT_FRAMES;
/// A log with this many frames (1 GiB) means that a reader that does not end prevents the log from being reset.
const WARN_FRAMES: i32 = 262_144;

/// Decides when to checkpoint.
pub(super) struct Log {
    /// The number of frames after the last commit.
    frames: i32,
    /// A checkpoint is due when the log is longer than this.
    next: i32,
    /// The writer waits for the readers when the log is longer than this.
    restart: i32,
    /// Whether the log contains anything that the database does not.
    dirty: bool,
    warned: bool,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { frames: 0, next: CHECKPOINT_FRAMES, restart: RESTART_FRAMES, dirty: true, warned: false }
    }

    /// Notes the length after a commit. Returns whether a checkpoint is due.
    pub(super) fn committed(&mut self, frames: i32) -> bool {
        if frames < self.frames {
            // The whole log was copied, and it starts again from its beginning.
            self.next = CHECKPOINT_FRAMES;
            self.restart = RESTART_FRAMES;
            self.warned = false;
        }
        self.frames = frames;
        self.dirty = true;
        if frames > WARN_FRAMES && !self.warned {
            self.warned = true;
            tracing::warn!(
                frames,
                "the write-ahead log is longer than 1 GiB, because another program keeps a read transaction open and prevents the log from being reset"
            );
        }
        frames >= self.next
    }

    /// Returns whether the log contains anything that the database does not.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Returns whether this checkpoint must wait for the readers. If waiting does not help, the next checkpoint that
    /// waits is far off.
    pub(super) fn outlives_copies(&mut self) -> bool {
        let outlives = self.frames >= self.restart;
        if outlives {
            self.restart = self.frames.saturating_mul(2);
        }
        outlives
    }

    /// Notes a checkpoint. A reader may prevent the log from being restarted, so the next checkpoint is due after the
    /// same growth again.
    pub(super) fn copied(&mut self) {
        self.next = self.frames.saturating_add(CHECKPOINT_FRAMES);
        self.dirty = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_a_reader_holds_is_not_copied_at_every_commit() {
        let mut log = Log::new();
        assert!(!log.committed(CHECKPOINT_FRAMES - 1));
        assert!(log.committed(CHECKPOINT_FRAMES));
        log.copied();
        assert!(!log.committed(CHECKPOINT_FRAMES + 10), "held by a reader");
        assert!(log.committed(2 * CHECKPOINT_FRAMES));
        log.copied();
        assert!(!log.committed(10), "begins anew");
        assert!(log.committed(CHECKPOINT_FRAMES));
    }

    #[test]
    fn b23_a_log_that_is_copied_repeatedly_waits_for_its_readers_from_time_to_time() {
        let mut log = Log::new();
        let mut waits = Vec::new();
        for times in 1..=40 {
            assert!(log.committed(times * CHECKPOINT_FRAMES));
            if log.outlives_copies() {
                waits.push(times);
            }
            log.copied();
        }
        assert_eq!(waits, [4, 8, 16, 32]);
        assert!(!log.committed(10) && !log.outlives_copies(), "begins anew");
        assert!(log.committed(RESTART_FRAMES) && log.outlives_copies());
    }
}
