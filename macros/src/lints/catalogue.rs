//! The catalogue: what may not stand in the body of an orchestrator, why, and what to write instead. Data only.

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// It does not compile.
    Error,
    /// It compiles with a warning: it is wrong often, not always.
    Warning,
}

/// One check.
#[derive(Debug)]
pub(crate) struct Lint {
    /// What `allow(..)` takes.
    pub(crate) id: &'static str,
    pub(crate) level: Level,
    /// Follows what was found, in a sentence.
    pub(crate) why: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
    pub(crate) patterns: &'static [Pattern],
}

/// What to look for.
#[derive(Debug)]
pub(crate) enum Pattern {
    /// Functions: the last words of such a path, at least `least` of them. A path that is longer than the one in the
    /// catalogue, or that leads elsewhere, is the user's own.
    Paths { of: &'static [&'static str], names: &'static [&'static str], least: usize, call: Call },
    /// A function whose name alone says what it is.
    Function(&'static str),
    /// A method whose name alone says what it is.
    Method(&'static str),
    /// Macros, by the last words of their path, at least one.
    Macros(&'static [&'static str]),
    /// Looked for by code of its own, in `shapes` or `flow`.
    Shape,
}

/// How it must be called to be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// With any arguments, or named without being called.
    Any,
    /// Without arguments, or named without being called: with arguments it is a function of the user's own.
    Empty,
    /// With one text.
    OneText,
}

const fn paths(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, least: 2, call: Call::Any }
}

const fn empty(of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, least: 2, call: Call::Empty }
}

/// Only with at least so many words: fewer are too common.
const fn whole(least: usize, of: &'static [&'static str], names: &'static [&'static str]) -> Pattern {
    Pattern::Paths { of, names, least, call: Call::Any }
}

const fn error(id: &'static str, why: &'static str, instead: &'static str, patterns: &'static [Pattern]) -> Lint {
    Lint { id, level: Level::Error, why, instead, patterns }
}

const fn warning(id: &'static str, why: &'static str, instead: &'static str, patterns: &'static [Pattern]) -> Lint {
    Lint { id, level: Level::Warning, why, instead, patterns }
}

/// All checks of bodies but that of awaits.
pub(crate) static CATALOGUE: &[Lint] = &[
    error(
        "wall_clock",
        "reads the machine's clock, and a replay would read another time",
        "write `ctx.current_time()`",
        &[
            empty(&["std::time", "tokio::time", "web_time"], &["SystemTime::now", "Instant::now"]),
            empty(&["chrono", "chrono::offset"], &["Utc::now", "Local::now"]),
            empty(&["time"], &["OffsetDateTime::now_utc", "OffsetDateTime::now_local"]),
            empty(&["jiff"], &["Timestamp::now", "Zoned::now"]),
            Pattern::Shape,
        ],
    ),
    error(
        "sleep",
        "waits in this process, and a restart forgets it",
        "write `ctx.create_timer(duration).await`, or `operation.timeout(&ctx, duration).await`",
        &[
            paths(&["tokio::time"], &["sleep", "sleep_until", "interval", "interval_at", "timeout", "timeout_at"]),
            whole(3, &["async_std"], &["task::sleep"]),
            whole(2, &["async_io", "smol"], &["Timer::after", "Timer::at", "Timer::interval"]),
            paths(&["futures_timer", "gloo_timers"], &["Delay::new"]),
        ],
    ),
    error(
        "thread_sleep",
        "stops every orchestrator of this process, and is forgotten by a restart",
        "write `ctx.create_timer(duration).await`",
        &[paths(&["std::thread"], &["sleep", "park", "park_timeout", "yield_now"])],
    ),
    error(
        "spawn",
        "runs code outside the orchestrator, in an order that replay cannot repeat",
        "write `join!` or `ctx.join_all` of durable operations, or call an activity or a sub-orchestration",
        &[
            paths(&["tokio"], &["spawn", "task::spawn_blocking", "task::spawn_local", "task::block_in_place"]),
            whole(3, &["tokio", "async_std"], &["task::spawn"]),
            paths(&["async_std", "smol"], &["task::spawn_blocking", "spawn", "unblock"]),
            paths(&["std::thread"], &["spawn", "scope", "Builder::new"]),
            paths(&["rayon"], &["spawn", "scope", "join"]),
            empty(&["tokio::task"], &["JoinSet::new"]),
        ],
    ),
    error(
        "block_on",
        "stops every orchestrator of this process until it is done",
        "`.await` the durable operation, or move the work into an activity",
        &[Pattern::Function("block_on"), Pattern::Method("block_on")],
    ),
    error(
        "random",
        "is another value in every replay",
        "write `ctx.random()`",
        &[
            paths(
                &["rand"],
                &["random", "thread_rng", "rng", "random_range", "random_bool", "random_ratio", "random_iter", "fill"],
            ),
            paths(
                &["fastrand"],
                &["u8", "u16", "u32", "u64", "u128", "usize", "bool", "f32", "f64", "char", "shuffle", "choice"],
            ),
            paths(&["fastrand"], &["i8", "i16", "i32", "i64", "i128", "isize", "alphanumeric"]),
            empty(&["fastrand", "rand::rngs"], &["Rng::new", "ThreadRng::default", "OsRng::default"]),
            paths(&["getrandom"], &["getrandom", "fill", "u32", "u64"]),
            Pattern::Function("thread_rng"),
            Pattern::Function("from_entropy"),
            Pattern::Function("from_os_rng"),
        ],
    ),
    error(
        "uuid",
        "is another value in every replay",
        "write `ctx.new_uuid()`",
        &[
            empty(&["uuid"], &["Uuid::new_v4", "Uuid::now_v7"]),
            paths(&["uuid"], &["Uuid::now_v1", "Uuid::now_v6", "Timestamp::now"]),
            empty(&["ulid"], &["Ulid::new"]),
            Pattern::Macros(&["nanoid::nanoid"]),
        ],
    ),
    error(
        "env",
        "reads the environment of this process, which may be another one in a replay",
        "pass the value as an input, or record it: `ctx.side_effect(|| ..)`",
        &[
            paths(
                &["std::env"],
                &["var", "var_os", "vars", "vars_os", "args", "args_os", "current_dir", "current_exe", "temp_dir"],
            ),
            paths(&["std::env"], &["home_dir", "set_current_dir", "set_var", "remove_var"]),
            paths(&["dotenvy", "dotenv"], &["var", "vars", "dotenv", "from_path", "from_filename"]),
        ],
    ),
    error(
        "fs",
        "reads or writes files, again in every replay",
        "move it into an activity",
        &[
            paths(
                &["std::fs", "tokio::fs", "async_std::fs"],
                &[
                    "read",
                    "read_to_string",
                    "read_dir",
                    "read_link",
                    "write",
                    "copy",
                    "rename",
                    "canonicalize",
                    "exists",
                ],
            ),
            paths(
                &["std::fs", "tokio::fs", "async_std::fs"],
                &[
                    "create_dir",
                    "create_dir_all",
                    "remove_file",
                    "remove_dir",
                    "remove_dir_all",
                    "hard_link",
                    "metadata",
                ],
            ),
            paths(
                &["std::fs", "tokio::fs", "async_std::fs"],
                &["symlink_metadata", "set_permissions", "try_exists", "OpenOptions::new"],
            ),
            whole(3, &["std::fs", "tokio::fs", "async_std::fs"], &["File::open", "File::create", "File::create_new"]),
            Pattern::Paths { of: &["std::fs"], names: &["File::open", "File::create"], least: 2, call: Call::OneText },
        ],
    ),
    error(
        "net",
        "talks to the network, again in every replay",
        "move it into an activity",
        &[
            paths(&["reqwest", "reqwest::blocking"], &["get", "Client::new", "Client::builder", "ClientBuilder::new"]),
            whole(2, &["ureq"], &["get", "post", "put", "patch", "delete", "head", "request", "agent", "builder"]),
            paths(&["std::net", "tokio::net", "async_std::net"], &["TcpStream::connect", "TcpListener::bind"]),
            paths(&["std::net", "tokio::net", "async_std::net"], &["UdpSocket::bind", "TcpStream::connect_timeout"]),
            paths(&["std::os::unix::net", "tokio::net"], &["UnixStream::connect", "UnixListener::bind"]),
            paths(&["tokio::net"], &["lookup_host"]),
            paths(&["tonic::transport"], &["Channel::from_static", "Channel::builder", "Endpoint::from_static"]),
            paths(&["hyper", "hyper::client"], &["Client::new", "Client::builder", "conn::http1::handshake"]),
        ],
    ),
    error(
        "process",
        "acts on processes of this machine, again in every replay",
        "move it into an activity",
        &[
            paths(&["std::process"], &["exit", "abort", "id"]),
            whole(3, &["std::process", "tokio::process", "async_std::process"], &["Command::new"]),
            Pattern::Paths { of: &["std::process"], names: &["Command::new"], least: 2, call: Call::OneText },
        ],
    ),
    error(
        "db",
        "talks to a database, again in every replay",
        "move it into an activity",
        &[
            paths(&["sqlx"], &["query", "query_as", "query_scalar", "query_with", "query_as_with", "raw_sql"]),
            paths(&["sqlx", "sqlx::postgres"], &["PgPool::connect", "PgPoolOptions::new", "PgConnection::connect"]),
            paths(&["sqlx", "sqlx::sqlite"], &["SqlitePool::connect", "SqlitePoolOptions::new"]),
            paths(&["sqlx", "sqlx::mysql"], &["MySqlPool::connect", "MySqlPoolOptions::new"]),
            Pattern::Macros(&["sqlx::query", "sqlx::query_as", "sqlx::query_scalar", "sqlx::query_file"]),
            paths(&["rusqlite"], &["Connection::open", "Connection::open_in_memory", "Connection::open_with_flags"]),
            paths(&["diesel"], &["insert_into", "sql_query", "PgConnection::establish", "SqliteConnection::establish"]),
            whole(2, &["diesel"], &["select", "update", "delete"]),
            whole(2, &["redis"], &["Client::open", "cmd", "pipe", "Script::new"]),
            whole(2, &["tokio_postgres"], &["connect"]),
            whole(3, &["mongodb"], &["Client::with_uri_str", "Client::with_options"]),
        ],
    ),
    error(
        "select",
        "polls in an order that replay cannot repeat",
        "write `select!`, which is durable in an orchestrator",
        &[
            paths(&["futures::future", "futures_util::future"], &["select", "select_all", "select_ok"]),
            Pattern::Macros(&["futures::select_biased", "futures_util::select_biased"]),
        ],
    ),
    error(
        "join",
        "polls in an order that replay cannot repeat",
        "write `join!` or `try_join!`, or `ctx.join_all(..)` for a list, which are durable in an orchestrator",
        &[
            paths(&["futures::future", "futures_util::future"], &["join", "join3", "join4", "join5"]),
            paths(&["futures::future", "futures_util::future"], &["join_all", "try_join", "try_join3", "try_join_all"]),
            empty(&["futures::stream", "futures_util::stream"], &["FuturesUnordered::new", "FuturesOrdered::new"]),
            Pattern::Method("buffer_unordered"),
            Pattern::Method("for_each_concurrent"),
        ],
    ),
    error(
        "sync",
        "wakes tasks in an order that replay cannot repeat",
        "use local variables and `join!`, and external events for what comes from outside",
        &[
            paths(&["tokio::sync", "std::sync", "futures::channel"], &["mpsc::channel", "oneshot::channel"]),
            paths(&["tokio::sync", "futures::channel"], &["mpsc::unbounded_channel", "mpsc::unbounded"]),
            paths(&["tokio::sync"], &["broadcast::channel", "watch::channel"]),
            empty(&["tokio::sync"], &["Notify::new"]),
            whole(3, &["tokio::sync"], &["Mutex::new", "RwLock::new", "Semaphore::new", "Barrier::new"]),
            paths(&["std::sync"], &["mpsc::sync_channel", "Condvar::new"]),
            whole(2, &["async_channel", "flume", "crossbeam_channel", "kanal"], &["bounded", "unbounded"]),
        ],
    ),
    error(
        "replaying_branch",
        "decides over a durable operation, which replay would then not repeat",
        "take the branch out: durable operations and the custom status are safe in a replay as they are",
        &[Pattern::Shape],
    ),
    warning(
        "hash_iter",
        "has no order of its own, and the durable operations here would follow it",
        "use a `BTreeMap` or `BTreeSet`, or sort the keys first",
        &[Pattern::Shape],
    ),
    warning(
        "random_state",
        "hashes differently in every process or release",
        "use a hash with a fixed definition, such as SHA-2, or compare the values themselves",
        &[
            empty(&["std::collections::hash_map", "std::hash", "ahash"], &["RandomState::new", "DefaultHasher::new"]),
            empty(&["ahash"], &["AHasher::default", "RandomState::default"]),
        ],
    ),
    warning(
        "statics",
        "outlives the execution, and is not what it was when the turn is replayed",
        "keep it in local variables, the input or an activity",
        &[Pattern::Macros(&["std::thread_local", "lazy_static::lazy_static"]), Pattern::Shape],
    ),
    warning(
        "ptr_addr",
        "gives an address, which differs from run to run",
        "compare or print the value itself",
        &[Pattern::Macros(&["std::ptr::addr_of", "std::ptr::addr_of_mut"]), Pattern::Shape],
    ),
    warning(
        "stdio",
        "prints again in every replay",
        "write `if !ctx.is_replaying() { .. }` around it, or log from an activity",
        &[Pattern::Macros(&["std::println", "std::eprintln", "std::print", "std::eprint", "std::dbg"])],
    ),
    warning(
        "drop_effects",
        "is dropped without being awaited, so it does nothing",
        "`.await` it, or write `orchestrator_name::start_detached(&ctx, ..)` for what nobody waits for",
        &[Pattern::Shape],
    ),
    warning(
        "panic_catch",
        "also catches what the engine unwinds with",
        "return a `Result`: a panic fails the orchestration with its message and place",
        &[paths(&["std::panic"], &["catch_unwind"]), Pattern::Method("catch_unwind")],
    ),
    warning(
        "unbounded_loop",
        "never ends, and its history grows until the limit",
        "leave it with `break`, or begin anew with `return orchestrator_name::continue_as_new(&ctx, ..).await`",
        &[Pattern::Shape],
    ),
    warning(
        "unsafe_block",
        "can see what a replay does not repeat",
        "move it into an activity, or into a function that takes and returns plain values",
        &[Pattern::Shape],
    ),
];

/// The check of that name.
pub(crate) fn lint(id: &str) -> Option<&'static Lint> {
    CATALOGUE.iter().find(|lint| lint.id == id)
}

/// Every way to write what a pattern means.
#[cfg(test)]
pub(crate) fn spellings(pattern: &Pattern) -> Vec<String> {
    let suffixes = |path: String, least: usize| {
        let words: Vec<_> = path.split("::").map(ToOwned::to_owned).collect();
        (least..=words.len()).map(|length| words[words.len() - length..].join("::")).collect::<Vec<_>>()
    };
    match pattern {
        Pattern::Paths { of, names, least, call } => {
            let arguments = match call {
                Call::Any => "(a, b)",
                Call::Empty => "()",
                Call::OneText => "(\"a\")",
            };
            let paths = of.iter().flat_map(|of| names.iter().map(move |name| format!("{of}::{name}")));
            let paths = paths.flat_map(|path| suffixes(path, *least));
            paths.map(|path| format!("{path}{arguments}")).collect()
        }
        Pattern::Function(name) => vec![format!("{name}(a)"), format!("a::b::{name}()")],
        Pattern::Method(name) => vec![format!("a.{name}(b)"), format!("a::b().{name}()")],
        Pattern::Macros(paths) => {
            let paths = paths.iter().flat_map(|path| suffixes((*path).to_owned(), 1));
            paths.map(|path| format!("{path}!(a)")).collect()
        }
        Pattern::Shape => Vec::new(),
    }
}
