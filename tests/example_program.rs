//! The built examples as processes. Each is started in a folder of its own, read line by line, and never left running.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::root;

/// Long enough for every machine. Only a program that hangs takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// The executables of the examples, by name.
static EXAMPLES: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(build);

/// Builds with the profile and into the folder of this test, so that Cargo finds what `cargo test` has already built.
fn build() -> BTreeMap<String, PathBuf> {
    let test = std::env::current_exe().unwrap();
    let profile_folder = test.parent().and_then(Path::parent).unwrap();
    let profile = match profile_folder.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("{} lies in no folder of a profile", test.display()),
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--workspace", "--examples", "--quiet", "--message-format=json", "--profile", profile])
        .arg("--target-dir")
        .arg(profile_folder.parent().unwrap())
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(built.status.success(), "the examples do not build");
    String::from_utf8(built.stdout).unwrap().lines().filter_map(executable).collect()
}

/// Returns the example that a message of Cargo is about, and its executable.
fn executable(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let target = message.get("target").filter(|target| target["kind"][0] == "example")?;
    Some((target["name"].as_str()?.to_owned(), message["executable"].as_str()?.into()))
}

/// A folder in which examples run, with the files that they leave.
pub struct Folder(tempfile::TempDir);

impl Folder {
    /// Creates an empty folder.
    ///
    /// # Panics
    /// Panics if the folder cannot be created.
    #[allow(clippy::new_without_default, reason = "it makes a folder on the disk")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Starts an example. Its standard input stays open.
    pub fn start(&self, example: &str, arguments: &[&str]) -> Program {
        let executable = EXAMPLES.get(example).unwrap_or_else(|| panic!("there is no example {example}"));
        let mut child = Command::new(executable)
            .args(arguments)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, stdout) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| lines.send(line)));
        let mut errors = child.stderr.take().unwrap();
        let stderr = thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).map(|_| text).unwrap_or_default()
        });
        Program { stdin: child.stdin.take(), child, stdout, stderr: Some(stderr), seen: Vec::new() }
    }

    /// Runs an example to its end, without input.
    pub fn run(&self, example: &str, arguments: &[&str]) -> Ended {
        self.start(example, arguments).end()
    }

    /// Runs an example to its end, and types this text into it.
    pub fn run_with_input(&self, example: &str, arguments: &[&str], input: &str) -> Ended {
        let mut program = self.start(example, arguments);
        program.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
        program.end()
    }

    /// Returns the lines of a file in the folder, or nothing if there is no such file.
    pub fn lines(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path().join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// A running example. It is killed when it is dropped.
pub struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    seen: Vec<String>,
}

impl Program {
    /// Waits for a line that contains this text, and returns it.
    pub fn wait_for(&mut self, text: &str) -> String {
        while let Some(line) = self.next_line() {
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without {text:?}, after {:#?}", self.seen);
    }

    /// Kills it without a chance to clean up.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends it the signal of Ctrl-C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends it the signal of a service manager.
    #[cfg(unix)]
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let command = format!("kill -{name} $0");
        let sent = Command::new("sh").args(["-c", &command, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Closes its input and waits for its end.
    pub fn end(mut self) -> Ended {
        self.stdin = None;
        while self.next_line().is_some() {}
        let status = self.child.wait().unwrap();
        let errors = self.stderr.take().unwrap().join().unwrap();
        Ended { status, lines: std::mem::take(&mut self.seen), errors }
    }

    fn next_line(&mut self) -> Option<String> {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it hangs after {:#?}", self.seen),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Usually it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How an example ended.
#[derive(Debug)]
pub struct Ended {
    /// The exit status of its process.
    pub status: ExitStatus,
    /// What it printed to its standard output.
    pub lines: Vec<String>,
    /// What it printed to its standard error.
    pub errors: String,
}

impl Ended {
    /// Returns its output, if it succeeded.
    #[track_caller]
    pub fn success(self) -> Vec<String> {
        assert!(self.status.success() && self.errors.is_empty(), "{self:#?}");
        self.lines
    }

    /// Returns its error text, if it ended with this exit code.
    #[track_caller]
    pub fn failure(self, code: i32) -> String {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self.errors
    }
}
