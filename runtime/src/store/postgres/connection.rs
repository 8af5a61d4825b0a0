//! One connection to the server: its settings, its prepared statements, and transactions in one flight.
//!
//! Invariants: a connection that is used here has the settings of [`SETTINGS`] and talks to a server that can be written;
//! when a transaction may have been left open, the connection is never used again.

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;

use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls, Row, Statement};

use super::Durability;

/// Settings of every connection. The rights of a role, and functions of other schemas with the names of built-in ones, must
/// not change what a statement does.
///
/// Statements that join a table with arrays always use its index: the planner cannot know how long the arrays are, and
/// the statistics of a table that was empty a minute ago are wrong.
const SETTINGS: &str = "
    SET search_path = pg_catalog, pg_temp;
    SET row_security = off;
    SET client_min_messages = warning;
    SET default_transaction_isolation = 'read committed';
    SET default_transaction_read_only = off;
    SET default_transaction_deferrable = off;
    SET statement_timeout = 0;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '5s';
    SET jit = off;
    SET bytea_output = hex;
    SET TimeZone = 'UTC'";
const WRITER_SETTINGS: &str = "
    SET plan_cache_mode = force_generic_plan;
    SET enable_seqscan = off;
    SET enable_hashjoin = off;
    SET enable_mergejoin = off";

/// The oldest server that is supported.
const OLDEST_SERVER: i64 = 130_000;

/// Begins a transaction that writes. The defaults of a role may differ.
pub(super) const WRITE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";
/// Begins a transaction that reads, all of it as of one moment.
pub(super) const READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A parameter of a statement.
pub(super) type Parameter<'p> = Box<dyn ToSql + Sync + Send + 'p>;

/// A statement with its parameters. In the text, `@` stands for the schema.
pub(super) struct Step<'p> {
    pub(super) sql: &'static str,
    pub(super) parameters: Vec<Parameter<'p>>,
}

impl<'p> Step<'p> {
    pub(super) fn new(sql: &'static str, parameters: Vec<Parameter<'p>>) -> Self {
        Self { sql, parameters }
    }
}

/// The reason why a transaction was not committed.
#[derive(Debug)]
pub(super) enum NotCommitted {
    /// Nothing was sent.
    NotSent(Error),
    /// The server has rolled the transaction back, because of the statement with this number.
    RolledBack { statement: usize, error: Error },
    /// Nobody knows whether it was applied.
    Unknown(String),
}

/// An open connection.
pub(super) struct Link {
    pub(super) client: Client,
    /// The name by which the server knows the connection.
    pub(super) name: String,
    schema: String,
    statements: HashMap<&'static str, Statement>,
    /// The number of warnings that the server has sent.
    warnings: Arc<AtomicU64>,
}

/// How connections are opened.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) config: Config,
    /// The schema as it is written in a statement.
    pub(super) schema: String,
    pub(super) durability: Durability,
}

/// What the connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Write,
    Read,
}

/// The reason why there is no connection.
#[derive(Debug)]
pub(super) enum NoConnection {
    /// The server cannot be reached, or refuses the connection.
    Failed(Error),
    /// The server is not one that can be used, and somebody has to change it.
    Unsuitable(String),
}

impl fmt::Display for NoConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => f.write_str(&super::errors::text(error)),
            Self::Unsuitable(cause) => f.write_str(cause),
        }
    }
}

impl Connector {
    /// Opens a connection with this name, and checks the server.
    pub(super) async fn connect(&self, name: String, purpose: Purpose) -> Result<Link, NoConnection> {
        if self.config.get_ssl_mode() == SslMode::Require {
            return Err(NoConnection::Unsuitable(
                "connections with TLS are not supported yet: use a private network, and `sslmode=prefer` or `disable`"
                    .to_owned(),
            ));
        }
        let mut config = self.config.clone();
        config.application_name(&name);
        let (client, mut connection) = config.connect(NoTls).await.map_err(NoConnection::Failed)?;
        let warnings = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&warnings);
        tokio::spawn(async move {
            // Messages arrive in order, so a warning is counted before the answer that it came with.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message {
                    counted.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(severity = notice.severity(), message = notice.message(), "the server warns");
                }
            }
        });
        let link = Link { client, name, schema: self.schema.clone(), statements: HashMap::new(), warnings };
        self.prepare(&link, purpose).await?;
        Ok(link)
    }

    async fn prepare(&self, link: &Link, purpose: Purpose) -> Result<(), NoConnection> {
        let failed = NoConnection::Failed;
        link.client.batch_execute(SETTINGS).await.map_err(failed)?;
        if purpose == Purpose::Write {
            link.client.batch_execute(WRITER_SETTINGS).await.map_err(failed)?;
        }
        let server = "SELECT current_setting('server_version_num')::int8, current_setting('server_encoding'),
            pg_is_in_recovery(), current_setting('synchronous_commit')";
        let row = link.client.query_one(server, &[]).await.map_err(failed)?;
        let refused = |cause: String| Err(NoConnection::Unsuitable(cause));
        let column = |error| NoConnection::Failed(error);
        let version: i64 = row.try_get(0).map_err(column)?;
        if version < OLDEST_SERVER {
            return refused(format!(
                "the server is older than PostgreSQL 13 (its version number is {version}): upgrade it"
            ));
        }
        let encoding: &str = row.try_get(1).map_err(column)?;
        if encoding != "UTF8" {
            return refused(format!("the database has the encoding {encoding}: create one with the encoding UTF8"));
        }
        if row.try_get(2).map_err(column)? {
            return refused("the server is a standby and cannot be written: connect to the primary".to_owned());
        }
        match (self.durability, row.try_get::<_, &str>(3).map_err(column)?) {
            (Durability::Relaxed, _) => {
                link.client.batch_execute("SET synchronous_commit = off").await.map_err(failed)?;
            }
            (Durability::Full, "off") => {
                return refused(
                    "`synchronous_commit` is off for this role, so acknowledged commits could be lost: set it to `on`, \
                     or open the store with `Durability::Relaxed`"
                        .to_owned(),
                );
            }
            (Durability::Full, _) => {}
        }
        Ok(())
    }
}

impl Link {
    /// Returns the number of warnings so far.
    pub(super) fn warnings(&self) -> u64 {
        self.warnings.load(Ordering::Relaxed)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Returns a statement that is prepared on this connection.
    async fn statement(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(&self.text(sql)).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Runs one statement, outside of a transaction or in one that [`execute`](Self::execute) has begun.
    pub(super) async fn query(&mut self, step: Step<'_>) -> Result<Vec<Row>, Error> {
        let statement = self.statement(step.sql).await?;
        rows(&self.client, &statement, &step.parameters).await
    }

    /// Runs statements without parameters. `@` stands for the schema.
    pub(super) async fn execute(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(&self.text(sql)).await
    }

    /// Returns the statement with the name of the schema.
    fn text(&self, sql: &str) -> String {
        sql.replace('@', &format!("{}.", self.schema))
    }

    /// Runs one transaction in one flight: everything is sent before the first answer arrives.
    ///
    /// The server skips every statement after one that failed, and COMMIT then rolls back. So the transaction is applied
    /// if and only if all statements succeed, which includes COMMIT, and no warning came with them: a commit that was
    /// cancelled while it waited for a standby succeeds with a warning, and is not durable.
    pub(super) async fn transaction(
        &mut self,
        begin: &'static str,
        steps: Vec<Step<'_>>,
    ) -> Result<Vec<Vec<Row>>, NotCommitted> {
        let mut prepared = Vec::with_capacity(steps.len());
        for (number, step) in steps.iter().enumerate() {
            match self.statement(step.sql).await {
                Ok(statement) => prepared.push(statement),
                Err(error) if self.is_closed() => return Err(NotCommitted::NotSent(error)),
                Err(error) => return Err(NotCommitted::RolledBack { statement: number, error }),
            }
        }
        let warnings = self.warnings.load(Ordering::Relaxed);
        let (results, end) = flight(&self.client, begin, &prepared, &steps).await;
        let mut answers = Vec::with_capacity(results.len());
        for (number, result) in results.into_iter().enumerate() {
            match result {
                Ok(rows) => answers.push(rows),
                // Answers come in order, so COMMIT was skipped.
                Err(error) if error.as_db_error().is_some() => {
                    return Err(NotCommitted::RolledBack { statement: number, error });
                }
                Err(error) => {
                    return match end {
                        // The flight was not complete, so it did not end with COMMIT.
                        End::TakenBack => Err(NotCommitted::NotSent(error)),
                        End::Committed(_) => Err(NotCommitted::Unknown(super::errors::text(&error))),
                    };
                }
            }
        }
        match end {
            End::TakenBack => Err(NotCommitted::Unknown("the transaction could not be begun".to_owned())),
            End::Committed(Err(error)) if is_refusal(&error) => {
                Err(NotCommitted::RolledBack { statement: answers.len(), error })
            }
            End::Committed(Err(error)) => Err(NotCommitted::Unknown(super::errors::text(&error))),
            End::Committed(Ok(())) if self.warnings.load(Ordering::Relaxed) != warnings => {
                Err(NotCommitted::Unknown("the server has committed with a warning".to_owned()))
            }
            End::Committed(Ok(())) => Ok(answers),
        }
    }
}

/// Whether the server goes on after the error: COMMIT was refused, and nothing was applied.
fn is_refusal(error: &Error) -> bool {
    let severity = error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity);
    severity == Some(tokio_postgres::error::Severity::Error)
}

/// How a flight ended.
enum End {
    /// With COMMIT.
    Committed(Result<(), Error>),
    /// With ROLLBACK, because a statement could not be sent.
    TakenBack,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// Sends everything, and then waits for the answers. Polling a request for the first time sends it.
async fn flight(
    client: &Client,
    begin: &'static str,
    prepared: &[Statement],
    steps: &[Step<'_>],
) -> (Vec<Result<Vec<Row>, Error>>, End) {
    let mut answers: Vec<Answer<'_, Vec<Row>>> = Vec::with_capacity(steps.len());
    for (statement, step) in prepared.iter().zip(steps) {
        answers.push(Box::pin(rows(client, statement, &step.parameters)));
    }
    let mut begun: Option<Answer<'_, ()>> = Some(Box::pin(client.batch_execute(begin)));
    let mut end: Option<Answer<'_, ()>> = None;
    let mut results: Vec<Option<Result<Vec<Row>, Error>>> = steps.iter().map(|_| None).collect();
    let mut begin_error = None;
    let (mut ended, mut complete) = (None, true);
    poll_fn(|cx| {
        let sending = end.is_none();
        if let Some(Poll::Ready(result)) = begun.as_mut().map(|begun| begun.as_mut().poll(cx)) {
            begun = None;
            complete &= !(sending && result.is_err());
            begin_error = result.err();
        }
        for (answer, result) in answers.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(done) = answer.as_mut().poll(cx)
            {
                // Nothing has been answered yet, so the statement was not sent.
                complete &= !(sending && done.is_err());
                *result = Some(done);
            }
        }
        let end = end.get_or_insert_with(|| {
            let sql = if complete { "COMMIT" } else { "ROLLBACK" };
            Box::pin(client.batch_execute(sql))
        });
        if ended.is_none()
            && let Poll::Ready(done) = end.as_mut().poll(cx)
        {
            ended = Some(done);
        }
        let open = begun.is_some() || ended.is_none() || results.iter().any(Option::is_none);
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    let mut results: Vec<_> = results.into_iter().flatten().collect();
    if let Some(error) = begin_error {
        results.insert(0, Err(error));
    }
    let end = ended.filter(|_| complete).map_or(End::TakenBack, End::Committed);
    (results, end)
}

async fn rows(client: &Client, statement: &Statement, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
    let parameters: Vec<&(dyn ToSql + Sync)> = parameters.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    client.query(statement, &parameters).await
}
