//! A PostgreSQL server for the tests: one that this process starts and ends, or the one that `PERSEVERE_POSTGRES` names.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The address of a database in which tests may create schemas.
///
/// The first call starts a server. It ends together with this process, however that ends.
pub(crate) fn address() -> &'static str {
    static ADDRESS: OnceLock<String> = OnceLock::new();
    ADDRESS.get_or_init(|| std::env::var("PERSEVERE_POSTGRES").unwrap_or_else(|_| start()))
}

/// The name of a schema that no other test uses.
pub(crate) fn schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Tests need no durability against a loss of power.
const SETTINGS: [&str; 4] = ["fsync=off", "max_connections=400", "shared_buffers=64MB", "log_checkpoints=off"];

fn start() -> String {
    let bin = binaries().expect("PostgreSQL is installed, or PERSEVERE_POSTGRES has the address of a database");
    let folder = tempfile::Builder::new().prefix("persevere-postgres").tempdir().unwrap().keep();
    let account = account();
    if let Some((user, group)) = account {
        std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
    }
    let data = folder.join("data");
    let mut initdb = command(&bin.join("initdb"), account);
    initdb.args(["--auth=trust", "--username=test", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"]).arg(&data);
    let made = initdb.current_dir(&folder).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    for _ in 0..20 {
        if let Some(address) = serve(&bin, &folder, account) {
            return address;
        }
    }
    panic!("the server does not start");
}

/// Starts the server on a free port. `None` if somebody else has taken the port meanwhile.
fn serve(bin: &Path, folder: &Path, account: Option<(u32, u32)>) -> Option<String> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    // Standard input ends together with this process, however that ends, and the server with it.
    let script =
        "\"$@\" & server=$!; (cat >/dev/null; kill -QUIT $server) <&3 & wait $server; rm -rf \"$FOLDER\"/data/*";
    let mut shell = command(Path::new("/bin/sh"), account);
    shell.env("FOLDER", folder).current_dir(folder).args(["-c", &format!("exec 3<&0; {script}"), "sh"]);
    shell.arg(bin.join("postgres")).arg("-D").arg(folder.join("data"));
    shell.args(["-h", "127.0.0.1", "-p", &port.to_string(), "-k", ""]);
    for setting in SETTINGS {
        shell.args(["-c", setting]);
    }
    let mut server = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap());
    let mut line = String::new();
    loop {
        line.clear();
        if log.read_line(&mut line).unwrap() == 0 {
            server.wait().unwrap();
            return None;
        }
        if line.contains("ready to accept connections") {
            break;
        }
    }
    // The server must be able to write its log, and it must live as long as this process.
    std::thread::spawn(move || {
        let mut server = server;
        for line in log.lines().map_while(Result::ok) {
            if std::env::var_os("PERSEVERE_POSTGRES_LOG").is_some() {
                println!("{line}");
            }
        }
        let _ = server.wait();
    });
    Some(format!("postgres://test@127.0.0.1:{port}/postgres"))
}

fn command(program: &Path, account: Option<(u32, u32)>) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((user, group)) = account {
        command.uid(user).gid(group);
    }
    command
}

/// The account under which the server runs, which refuses to run as root: `None` stands for the own one.
fn account() -> Option<(u32, u32)> {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    if !root {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    let find = |name: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map_while(|number| number.parse().ok());
        Some((numbers.next()?, numbers.next()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("an account for the server"))
}

/// The folder with the programs of the server.
fn binaries() -> Option<PathBuf> {
    let configured = match Command::new("pg_config").arg("--bindir").output() {
        Ok(output) => Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => panic!("{error}"),
    };
    let path: Vec<_> = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let mut installed: Vec<_> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|versions| versions.filter_map(|version| Some(version.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    installed.sort();
    let folders = configured.into_iter().chain(path).chain(installed.into_iter().rev());
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}
