//! A Chromium without a window, driven through WebDriver. It begins with an empty profile and leaves nothing behind,
//! even when a test panics.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Deref;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long a condition may take to become true. Only a condition that never becomes true takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many browsers run at the same time. Each of them keeps a processor busy.
static PLACES: Semaphore = Semaphore::const_new(2);

/// Options that make the browser quiet and independent of the machine: no sandbox, which root cannot use; no shared
/// memory, which is scarce in containers; nothing in the background.
const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,1400",
];

/// A browser with one tab. The fields are dropped in this order: the browser, its driver, its files.
pub(crate) struct Chromium {
    driver: WebDriver,
    _chromedriver: Chromedriver,
    _profile: TempDir,
    _place: SemaphorePermit<'static>,
}

impl Chromium {
    /// Starts a browser. Each document runs this script before any other.
    pub(crate) async fn start(script: &str) -> WebDriverResult<Self> {
        let place = PLACES.acquire().await.unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut capabilities = ChromeCapabilities::new();
        for flag in FLAGS {
            capabilities.add_arg(flag)?;
        }
        capabilities.add_arg(&format!("--user-data-dir={}", profile.path().display()))?;
        capabilities.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        let chromedriver = Chromedriver::start();
        let driver = WebDriver::new(format!("http://{}", chromedriver.address), capabilities).await?;
        driver.set_script_timeout(PATIENCE).await?;
        driver.cdp().page().add_script_to_evaluate_on_new_document(script).await?;
        Ok(Self { driver, _chromedriver: chromedriver, _profile: profile, _place: place })
    }
}

impl Deref for Chromium {
    type Target = WebDriver;

    fn deref(&self) -> &WebDriver {
        &self.driver
    }
}

/// The WebDriver process. When it is dropped, it ends together with the browsers that it has started.
struct Chromedriver {
    child: Child,
    address: SocketAddr,
    /// Reports the end of the process: its output is closed.
    ended: Receiver<()>,
}

impl Chromedriver {
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        // The processes that it starts belong to its group, so that they can be ended together with it.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().expect("chromedriver (Debian: chromium-driver), as .ci/run installs it");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines.find_map(|line| Some(line.split_once("started successfully on port ")?.1.to_owned()));
        let port = port.expect("chromedriver prints its port").trim_end_matches('.').parse().unwrap();
        let (tell, ended) = channel();
        thread::spawn(move || {
            // Later output is not needed, but it must not block the process.
            lines.for_each(drop);
            drop(tell);
        });
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)), ended }
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        // The driver closes its browsers first, even if somebody still holds a session.
        if let Ok(mut stream) = TcpStream::connect(self.address) {
            let _ = write!(stream, "GET /shutdown HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
            let _ = self.ended.recv_timeout(PATIENCE);
        }
        #[cfg(unix)]
        let _ = Command::new("sh")
            .args(["-c", "kill -s KILL -- -$0", &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
