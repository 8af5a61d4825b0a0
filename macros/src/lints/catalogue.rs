//! The catalogue of hazards: what must not appear in the body of an orchestrator, why, and what to write instead. It
//! contains data only.

use super::pattern::{Pattern, empty, macros, new_of_type, of_module, of_type, short, whole};

/// How serious a hazard is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// The code does not compile.
    Error,
    /// The code compiles with a warning, because it is often a mistake but not always.
    Warning,
}

/// One check.
#[derive(Debug)]
pub(crate) struct Lint {
    /// The name that `allow(..)` takes.
    pub(crate) id: &'static str,
    pub(crate) level: Level,
    /// The part of the message that follows the name of the hazard.
    pub(crate) why: &'static str,
    /// What to write instead.
    pub(crate) instead: &'static str,
    pub(crate) patterns: &'static [Pattern],
}

const fn error(id: &'static str, why: &'static str, instead: &'static str, patterns: &'static [Pattern]) -> Lint {
    Lint { id, level: Level::Error, why, instead, patterns }
}

const fn warning(id: &'static str, why: &'static str, instead: &'static str, patterns: &'static [Pattern]) -> Lint {
    Lint { id, level: Level::Warning, why, instead, patterns }
}

impl Lint {
    /// Returns the message for a hazard that was found.
    pub(crate) fn text(&self, what: &str) -> String {
        let Self { id, why, instead, .. } = self;
        format!("`{what}` {why}: {instead} (check `{id}`)")
    }
}

/// All checks of bodies, except the check of awaits.
pub(crate) static CATALOGUE: &[Lint] = &[
    error(
        "wall_clock",
        "reads the machine's clock, and a replay would read another time",
        "write `ctx.current_time()`",
        &[
            new_of_type(&["std::time", "tokio::time"], &["SystemTime::now", "Instant::now"]),
            new_of_type(&["chrono", "chrono::offset"], &["Utc::now", "Local::now"]),
            empty(&["time"], &["OffsetDateTime::now_utc", "OffsetDateTime::now_local"]),
            empty(&["jiff"], &["Zoned::now"]),
            whole(&["jiff"], &["Timestamp::now"]),
            whole(&["web_time"], &["SystemTime::now", "Instant::now"]),
            Pattern::Shape,
        ],
    ),
    error(
        "sleep",
        "waits in this process, and a restart forgets it",
        "write `ctx.create_timer(duration).await`, or `operation.timeout(&ctx, duration).await`",
        &[
            of_module(
                "MissedTickBehavior",
                &["tokio::time"],
                &["sleep", "sleep_until", "interval", "interval_at", "timeout", "timeout_at"],
            ),
            whole(&["async_std"], &["task::sleep", "future::timeout"]),
            whole(&["async_io", "smol"], &["Timer::after", "Timer::at", "Timer::interval"]),
            whole(&["futures_timer", "gloo_timers"], &["Delay::new"]),
        ],
    ),
    error(
        "thread_sleep",
        "stops every orchestrator of this process, and is forgotten by a restart",
        "write `ctx.create_timer(duration).await`",
        &[of_module("ThreadId", &["std::thread"], &["sleep", "park", "park_timeout", "yield_now"])],
    ),
    error(
        "spawn",
        "runs code outside the orchestrator, in an order that replay cannot repeat",
        "write `join!` or `ctx.join_all` of durable operations, or call an activity or a sub-orchestration",
        &[
            whole(&["tokio"], &["spawn"]),
            of_module("LocalSet", &["tokio::task"], &["spawn", "spawn_blocking", "spawn_local", "block_in_place"]),
            whole(&["async_std::task"], &["spawn", "spawn_blocking", "spawn_local"]),
            whole(&["async_std", "smol"], &["spawn", "unblock"]),
            of_module("ThreadId", &["std::thread"], &["spawn", "scope"]),
            whole(&["std::thread"], &["Builder::new"]),
            whole(&["rayon"], &["spawn", "scope", "join"]),
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
        "gives another value in every replay",
        "write `ctx.random()`",
        &[
            of_module(
                "rngs::ThreadRng",
                &["rand"],
                &["random", "rng", "random_range", "random_bool", "random_ratio", "random_iter", "fill"],
            ),
            whole(
                &["fastrand"],
                &["u8", "u16", "u32", "u64", "u128", "usize", "bool", "f32", "f64", "char", "shuffle", "choice"],
            ),
            whole(&["fastrand"], &["i8", "i16", "i32", "i64", "i128", "isize", "alphanumeric", "Rng::new"]),
            empty(&["rand::rngs"], &["ThreadRng::default", "OsRng::default"]),
            whole(&["getrandom"], &["getrandom", "fill", "u32", "u64"]),
            Pattern::Function("thread_rng"),
            Pattern::Function("from_entropy"),
            Pattern::Function("from_os_rng"),
        ],
    ),
    error(
        "uuid",
        "gives another value in every replay",
        "write `ctx.new_uuid()`",
        &[
            new_of_type(&["uuid"], &["Uuid::new_v4", "Uuid::now_v7"]),
            of_type(&["uuid"], &["Uuid::now_v1", "Uuid::now_v6"]),
            whole(&["uuid"], &["Timestamp::now"]),
            whole(&["ulid"], &["Ulid::new"]),
            macros(&["nanoid::nanoid"]),
        ],
    ),
    error(
        "env",
        "reads the environment of this process, which may be another one in a replay",
        "pass the value as an input, or record it: `ctx.side_effect(|| ..)`",
        &[
            of_module(
                "VarError",
                &["std::env"],
                &["var", "var_os", "vars", "vars_os", "args", "args_os", "current_dir", "current_exe", "temp_dir"],
            ),
            of_module("VarError", &["std::env"], &["home_dir", "set_current_dir", "set_var", "remove_var"]),
            whole(&["dotenvy", "dotenv"], &["var", "vars", "dotenv", "from_path", "from_filename"]),
        ],
    ),
    error(
        "fs",
        "reads or writes files, again in every replay",
        "move it into an activity",
        &[
            of_module(
                "ReadDir",
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
            of_module(
                "ReadDir",
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
            of_module(
                "ReadDir",
                &["std::fs", "tokio::fs", "async_std::fs"],
                &["symlink_metadata", "set_permissions", "try_exists"],
            ),
            of_type(&["std::fs"], &["File::open", "File::create", "File::create_new", "OpenOptions::new"]),
            whole(&["tokio::fs", "async_std::fs"], &["File::open", "File::create", "File::create_new"]),
            whole(&["tokio::fs", "async_std::fs"], &["OpenOptions::new"]),
        ],
    ),
    error(
        "net",
        "talks to the network, again in every replay",
        "move it into an activity",
        &[
            whole(&["reqwest", "reqwest::blocking"], &["get", "Client::new", "Client::builder", "ClientBuilder::new"]),
            whole(&["ureq"], &["get", "post", "put", "patch", "delete", "head", "request", "agent", "builder"]),
            of_type(&["std::net"], &["TcpStream::connect", "TcpStream::connect_timeout", "TcpListener::bind"]),
            of_type(&["std::net"], &["UdpSocket::bind"]),
            whole(&["tokio::net", "async_std::net"], &["TcpStream::connect", "TcpListener::bind", "UdpSocket::bind"]),
            whole(&["std::os::unix::net", "tokio::net"], &["UnixStream::connect", "UnixListener::bind"]),
            whole(&["tokio::net"], &["lookup_host"]),
            whole(&["tonic::transport"], &["Channel::from_static", "Channel::builder", "Endpoint::from_static"]),
            whole(&["hyper", "hyper::client"], &["Client::new", "Client::builder", "conn::http1::handshake"]),
        ],
    ),
    error(
        "process",
        "acts on processes of this machine, again in every replay",
        "move it into an activity",
        &[
            of_module("ChildStdin", &["std::process"], &["exit", "abort", "id"]),
            of_type(&["std::process"], &["Command::new"]),
            whole(&["tokio::process", "async_std::process"], &["Command::new"]),
        ],
    ),
    error(
        "db",
        "talks to a database, again in every replay",
        "move it into an activity",
        &[
            whole(&["sqlx"], &["query", "query_as", "query_scalar", "query_with", "query_as_with", "raw_sql"]),
            short(&["sqlx", "sqlx::postgres"], &["PgPool::connect", "PgPoolOptions::new", "PgConnection::connect"]),
            short(&["sqlx", "sqlx::sqlite"], &["SqlitePool::connect", "SqlitePoolOptions::new"]),
            short(&["sqlx", "sqlx::mysql"], &["MySqlPool::connect", "MySqlPoolOptions::new"]),
            Pattern::Macros {
                least: 2,
                paths: &["sqlx::query", "sqlx::query_as", "sqlx::query_scalar", "sqlx::query_file"],
            },
            whole(&["rusqlite"], &["Connection::open", "Connection::open_in_memory", "Connection::open_with_flags"]),
            short(&["diesel"], &["PgConnection::establish", "SqliteConnection::establish"]),
            whole(&["diesel"], &["insert_into", "sql_query", "select", "update", "delete"]),
            of_module("Pipeline", &["redis"], &["cmd", "pipe"]),
            whole(&["redis"], &["Client::open", "Script::new"]),
            whole(&["tokio_postgres"], &["connect"]),
            whole(&["mongodb"], &["Client::with_uri_str", "Client::with_options"]),
        ],
    ),
    error(
        "select",
        "polls in an order that replay cannot repeat",
        "write `select!`, which is durable in an orchestrator",
        &[
            of_module(
                "AbortHandle",
                &["futures::future", "futures_util::future"],
                &["select", "select_all", "select_ok"],
            ),
            macros(&["futures::select_biased", "futures_util::select_biased"]),
        ],
    ),
    error(
        "join",
        "polls in an order that replay cannot repeat",
        "write `join!` or `try_join!`, or `ctx.join_all(..)` for a list, which are durable in an orchestrator",
        &[
            of_module(
                "AbortHandle",
                &["futures::future", "futures_util::future"],
                &["join", "join3", "join4", "join5", "join_all", "try_join", "try_join3", "try_join_all"],
            ),
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
            short(&["tokio::sync", "std::sync", "futures::channel"], &["mpsc::channel", "oneshot::channel"]),
            short(&["tokio::sync", "futures::channel"], &["mpsc::unbounded_channel", "mpsc::unbounded"]),
            short(&["tokio::sync"], &["broadcast::channel", "watch::channel"]),
            new_of_type(&["tokio::sync"], &["Notify::new"]),
            of_type(&["tokio::sync"], &["Semaphore::new", "Barrier::new"]),
            whole(&["tokio::sync"], &["Mutex::new", "RwLock::new"]),
            short(&["std::sync"], &["mpsc::sync_channel"]),
            new_of_type(&["std::sync"], &["Condvar::new"]),
            whole(&["async_channel", "flume", "crossbeam_channel", "kanal"], &["bounded", "unbounded"]),
        ],
    ),
    error(
        "replaying_branch",
        "controls a durable operation, which a replay would then not repeat",
        "remove the branch: durable operations and the custom status are already safe in a replay",
        &[Pattern::Shape],
    ),
    error(
        "hash_iter",
        "has another order in every run, and the durable operations here would follow it",
        "use a `BTreeMap` or `BTreeSet`, or sort the keys first",
        &[Pattern::Shape],
    ),
    warning(
        "random_state",
        "hashes differently in every process or release",
        "use a hash with a fixed definition, such as SHA-2, or compare the values themselves",
        &[
            empty(&["std::collections::hash_map", "std::hash", "ahash"], &["RandomState::new", "DefaultHasher::new"]),
            whole(&["ahash"], &["AHasher::default", "RandomState::default"]),
        ],
    ),
    warning(
        "statics",
        "outlives the execution, and may have another value when the turn is replayed",
        "keep it in local variables, the input or an activity",
        &[macros(&["std::thread_local", "lazy_static::lazy_static"]), Pattern::Shape],
    ),
    warning(
        "ptr_addr",
        "gives an address, which differs from run to run",
        "compare or print the value itself",
        &[macros(&["std::ptr::addr_of", "std::ptr::addr_of_mut"]), Pattern::Shape],
    ),
    warning(
        "stdio",
        "prints again in every replay",
        "write `if !ctx.is_replaying() { .. }` around it, or log from an activity",
        &[macros(&["std::println", "std::eprintln", "std::print", "std::eprint", "std::dbg"])],
    ),
    warning(
        "drop_effects",
        "is dropped without being awaited, so it does nothing",
        "`.await` it, or write `orchestrator_name::start_detached(&ctx, ..)` for what nobody waits for",
        &[Pattern::Shape],
    ),
    warning(
        "panic_catch",
        "also catches the unwinding with which the engine stops an orchestrator",
        "return a `Result`: a panic fails the orchestration with its message and place",
        &[short(&["std::panic"], &["catch_unwind"]), Pattern::Method("catch_unwind")],
    ),
    warning(
        "unbounded_loop",
        "never ends, and its history grows until the limit",
        "leave it with `break`, or start again with `return orchestrator_name::continue_as_new(&ctx, ..).await`",
        &[Pattern::Shape],
    ),
    warning(
        "unsafe_block",
        "can read state that a replay does not repeat",
        "move it into an activity, or into a function that takes and returns plain values",
        &[Pattern::Shape],
    ),
];

/// Returns the check with that name.
pub(crate) fn lint(id: &str) -> Option<&'static Lint> {
    CATALOGUE.iter().find(|lint| lint.id == id)
}
