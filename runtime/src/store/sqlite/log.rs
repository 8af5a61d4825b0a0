//! The length of the write-ahead log, and what it asks for: to be copied, to wait for its readers, to be warned of.

/// The log is copied into the database when it has this many more frames (of 4 KiB) than after the last time.
const CHECKPOINT_FRAMES: i32 = 1_024;
/// A log of this many frames (16 MiB) was copied several times and did not begin anew: readers follow one another
/// without a gap, and there is always one that needs it. Then the writer waits for them, which bounds the log.
const RESTART_FRAMES: i32 = 4 * CHECKPOINT_FRAMES;
/// A log of this many frames (1 GiB) means that a reader that does not end keeps it from being reset.
const WARN_FRAMES: i32 = 262_144;

/// When to checkpoint.
pub(super) struct Log {
    /// Frames in it after the last commit.
    frames: i32,
    /// Checkpoint when it is longer than this.
    next: i32,
    /// Wait for the readers when it is longer than this.
    restart: i32,
    /// Whether it holds something that the database does not.
    dirty: bool,
    warned: bool,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { frames: 0, next: CHECKPOINT_FRAMES, restart: RESTART_FRAMES, dirty: true, warned: false }
    }

    /// Notes the length after a commit; answers whether a checkpoint is due.
    pub(super) fn committed(&mut self, frames: i32) -> bool {
        if frames < self.frames {
            // It was copied as a whole and begins anew.
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
                "the write-ahead log is longer than 1 GiB: something keeps reading and so keeps it from being reset"
            );
        }
        frames >= self.next
    }

    /// Whether it holds something that the database does not.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// Whether this checkpoint has to wait for the readers. If that does not help, the one that does is far off.
    pub(super) fn outlives_copies(&mut self) -> bool {
        let outlives = self.frames >= self.restart;
        if outlives {
            self.restart = self.frames.saturating_mul(2);
        }
        outlives
    }

    /// Notes a checkpoint. A reader may keep the log from beginning anew, so the next one is due after as much again.
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
    fn b23_a_log_that_is_copied_again_and_again_waits_for_its_readers_now_and_then() {
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
