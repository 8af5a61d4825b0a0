//! `assert_skeleton!`: compares a skeleton with its file, and gives advice when they differ.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::diff::diff;
use super::record::{self, Recorded};

/// The environment variable that makes the assertion accept and record the current structure.
const ACCEPT: &str = "PERSEVERE_SKELETONS";

/// The function behind `assert_skeleton!`.
///
/// # Panics
/// Panics if the structure differs from the recorded one, if nothing is recorded for the orchestrator, or if the file
/// cannot be read or written.
#[track_caller]
#[allow(clippy::panic, reason = "the assertion of a test fails by panicking")]
pub fn assert_skeleton(skeleton: &str, folder: &str, file: &str) {
    let accept = std::env::var_os(ACCEPT).is_some_and(|value| value == "accept");
    let path = Path::new(folder).join(file);
    let checked = if accept { accept_in(&path, skeleton) } else { check(&path, skeleton) };
    if let Err(refusal) = checked {
        panic!("{}", Message { refusal, skeleton, file });
    }
}

/// The reason why the assertion fails.
#[derive(Debug)]
enum Refusal {
    Changed { recorded: String },
    NotRecorded,
    Io { path: PathBuf, error: io::Error },
}

fn check(path: &Path, skeleton: &str) -> Result<(), Refusal> {
    let file = match std::fs::read_to_string(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Refusal::NotRecorded),
        Err(error) => return Err(Refusal::Io { path: path.to_owned(), error }),
    };
    match record::compare(&file, skeleton) {
        Recorded::Same => Ok(()),
        Recorded::Other(recorded) => Err(Refusal::Changed { recorded: recorded.to_owned() }),
        Recorded::Nothing => Err(Refusal::NotRecorded),
    }
}

fn accept_in(path: &Path, skeleton: &str) -> Result<(), Refusal> {
    write(path, skeleton).map_err(|error| Refusal::Io { path: path.to_owned(), error })
}

/// Tests run at the same time, in one process or in several, and they share files. The files are therefore read and
/// written under a lock.
fn write(path: &Path, skeleton: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file: File = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    let accepted = record::accept(&text, skeleton);
    if accepted != text {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(accepted.as_bytes())?;
        file.set_len(accepted.len() as u64)?;
    }
    file.unlock()
}

struct Message<'a> {
    refusal: Refusal,
    skeleton: &'a str,
    file: &'a str,
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { refusal, skeleton, file } = self;
        let title = record::title(skeleton);
        match refusal {
            Refusal::Changed { recorded } => write!(
                f,
                "the structure of {title} differs from the recorded one (- recorded in {file}, + in the code):\n\n\
                 {}\n\
                 Running instances would replay their history against the changed code and be parked. Either\n\
                 - give the changed code a new version, and keep the old function as it was: \
                 `#[orchestrator(name = \"..\", version = \"..\")]`, then record the new version; or\n\
                 - keep the old path in the code for the instances that have taken it: \
                 `if ctx.patched(\"what-changed\") {{ new }} else {{ old }}`, then record it.\n\
                 To record the new structure, or if no instance of this version can be running, \
                 run this test once with {ACCEPT}=accept and commit {file}.\n",
                diff(recorded.trim_end(), skeleton.trim_end())
            ),
            Refusal::NotRecorded => write!(
                f,
                "nothing is recorded for {title} in {file}: run this test once with {ACCEPT}=accept and commit {file}.\n\n\
                 {skeleton}"
            ),
            Refusal::Io { path, error } => write!(f, "cannot read or write {}: {error}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "orchestrator \"o\"\n  call a\n  set custom status\n";
    const NEW: &str = "orchestrator \"o\"\n  call b\n";

    fn message(path: &Path, skeleton: &str) -> String {
        let refusal = check(path, skeleton).expect_err("it is refused");
        Message { refusal, skeleton, file: "skeletons/o.txt" }.to_string()
    }

    #[test]
    fn an_accepted_skeleton_passes_until_the_structure_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("skeletons/o.txt");
        let text = message(&path, OLD);
        assert!(text.contains("nothing is recorded for orchestrator \"o\" in skeletons/o.txt"), "{text}");
        accept_in(&path, OLD).unwrap();
        check(&path, OLD).unwrap();
        check(&path, "orchestrator \"o\"\n  set custom status\n  call a\n").unwrap();

        let text = message(&path, NEW);
        assert!(text.contains("  orchestrator \"o\"\n-   call a\n-   set custom status\n+   call b\n"), "{text}");
        for advice in ["version = ", "ctx.patched(", "PERSEVERE_SKELETONS=accept"] {
            assert!(text.contains(advice), "{text}");
        }

        // Nothing of the longer text that was there before stays behind.
        accept_in(&path, NEW).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), NEW);
        // A new version is recorded in addition to the old one.
        let second = "orchestrator \"o\" version \"2\"\n  call c\n";
        assert!(message(&path, second).contains("nothing is recorded"));
        accept_in(&path, second).unwrap();
        check(&path, NEW).unwrap();
        check(&path, second).unwrap();
    }

    #[test]
    fn tests_that_accept_at_the_same_time_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.txt");
        let skeletons: Vec<_> = (0..8).map(|number| format!("orchestrator \"o{number}\"\n  call a\n")).collect();
        std::thread::scope(|scope| {
            for skeleton in &skeletons {
                scope.spawn(|| accept_in(&path, skeleton).unwrap());
            }
        });
        for skeleton in &skeletons {
            check(&path, skeleton).unwrap();
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let text = message(folder.path(), OLD);
        assert!(text.contains(&folder.path().display().to_string()), "{text}");
        assert!(accept_in(folder.path(), OLD).is_err());
    }
}
