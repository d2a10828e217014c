//! All that differs between the two data bases that records can be in: connecting, the one writer, what a journal keeps, and how
//! the schema is written. Everything else is one text for both.

mod translate;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::any::AnyConnectOptions;
use sqlx::pool::PoolOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Row as _, Transaction};

use crate::records::{BUSY_WAIT, CONNECTIONS_MAX, Db, DbConnection, DbPool};
use crate::settings::records_url::RecordsUrl;

pub(super) use translate::to_postgres;

/// How often an empty journal is tried for.
const JOURNAL_PAUSE: Duration = Duration::from_millis(20);

/// Which data base records are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A file of the data folder.
    Sqlite,
    /// A schema of its own in a data base that many data folders may share; the key of its writers' lock.
    Postgres { schema: String, lock: i64 },
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileUse {
    /// To be made where there is none.
    Make,
    /// It is there.
    Work,
    /// Nothing is written, nor beside it: the folder may be read-only, and its files are to stay as they were hashed.
    Look,
}

impl Dialect {
    /// Of the records in the schema of this name, which ends in the data folder's id.
    pub(super) fn postgres(schema: String) -> Self {
        let last = schema.get(schema.len().saturating_sub(15)..).unwrap_or_default();
        let lock = i64::from_str_radix(last, 16).unwrap_or_default();
        Self::Postgres { schema, lock }
    }

    /// Begins a transaction that may write; waits for other writers, those of other processes too. What it reads is what the
    /// last of them left.
    pub(super) async fn begin(&self, pool: &DbPool) -> Result<Transaction<'static, Db>, sqlx::Error> {
        match self {
            // Taking the write lock at once avoids two transactions that both read and then both wait to write.
            Self::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres { lock, .. } => {
                // Each statement sees what was committed before it, so none sees what was before the lock.
                let mut transaction = pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?;
                let query = sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock);
                query.execute(&mut *transaction).await?;
                Ok(transaction)
            }
        }
    }

    /// Begins a transaction that sees one moment, however much is written meanwhile.
    pub(super) async fn begin_reading(&self, pool: &DbPool) -> Result<Transaction<'static, Db>, sqlx::Error> {
        let begin = match self {
            Self::Sqlite => "BEGIN",
            Self::Postgres { .. } => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        pool.begin_with(begin).await
    }

    /// Takes out of the data base's files what was overwritten, as far as it lets itself be asked: the journal of `SQLite`, dead
    /// rows of PostgreSQL. `None` where it was not done within `wait`; else how many older transactions were left, after `patience`, that
    /// keep dead rows.
    pub(super) async fn empty_journal(
        &self,
        pool: &DbPool,
        (wait, patience): (Duration, Duration),
    ) -> Result<Option<u64>, sqlx::Error> {
        let deadline = Instant::now() + wait;
        let Self::Postgres { schema, .. } = self else {
            loop {
                let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await?;
                if row.try_get::<i64, _>(0)? == 0 {
                    return Ok(Some(0));
                }
                if Instant::now() > deadline {
                    return Ok(None);
                }
                tokio::time::sleep(JOURNAL_PAUSE).await;
            }
        };
        let tables = "SELECT CAST(tablename AS TEXT) AS name FROM pg_catalog.pg_tables WHERE schemaname = $1";
        let tables: Vec<String> = sqlx::query_scalar(tables).bind(schema).fetch_all(pool).await?;
        if tables.is_empty() {
            return Ok(Some(0));
        }
        let older = wait_for_older(pool, wait.min(patience)).await?;
        let vacuum = sqlx::raw_sql(AssertSqlSafe(format!("VACUUM {}", tables.join(", "))));
        match vacuum.execute(pool).await {
            Ok(_done) => Ok(Some(older)),
            Err(error) if is_busy(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A migration in the words of this data base.
    pub(super) fn migration(&self, text: &str) -> Result<String, String> {
        match self {
            Self::Sqlite => Ok(text.to_owned()),
            Self::Postgres { .. } => to_postgres(text),
        }
    }
}

/// Whatever at a PostgreSQL server may still see rows that died before the transaction `$1`: `VACUUM` leaves them. Sessions are seen
/// whosever they are, though what they are is not, so that is no reason to leave one out; what vacuums is no reader.
const OLDER: &str = "SELECT (SELECT COUNT(*) FROM pg_catalog.pg_stat_activity WHERE pid <> pg_backend_pid() \
     AND pid NOT IN (SELECT pid FROM pg_catalog.pg_stat_progress_vacuum) AND (datname IS NULL OR datname = current_database()) \
     AND (age(backend_xmin) > age(CAST($1 AS xid)) OR age(backend_xid) > age(CAST($1 AS xid)))) \
     + (SELECT COUNT(*) FROM pg_catalog.pg_replication_slots WHERE age(xmin) > age(CAST($1 AS xid))) \
     + (SELECT COUNT(*) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database() \
     AND age(transaction) > age(CAST($1 AS xid))) AS older";

/// Waits until nothing sees what is dead by now any more; what still does after `wait`.
async fn wait_for_older(pool: &DbPool, wait: Duration) -> Result<u64, sqlx::Error> {
    let deadline = Instant::now() + wait;
    // The first transaction that has not begun yet, in the 32 bits of an xid.
    let next = "SELECT CAST(txid_snapshot_xmax(txid_current_snapshot()) % 4294967296 AS TEXT) AS next";
    let next: String = sqlx::query_scalar(next).fetch_one(pool).await?;
    loop {
        let older: i64 = sqlx::query_scalar(OLDER).bind(&next).fetch_one(pool).await?;
        if older == 0 || Instant::now() > deadline {
            return Ok(older as u64);
        }
        tokio::time::sleep(JOURNAL_PAUSE).await;
    }
}

/// Connects to a file.
pub(super) async fn connect_file(path: &Path, what_for: FileUse) -> Result<DbPool, sqlx::Error> {
    let (mode, connections) = match what_for {
        FileUse::Make => ("rwc", CONNECTIONS_MAX),
        FileUse::Work => ("rw", CONNECTIONS_MAX),
        FileUse::Look => ("ro&immutable=true", 1),
    };
    let setup = match what_for {
        FileUse::Make | FileUse::Work => format!(
            "PRAGMA busy_timeout = {}; PRAGMA secure_delete = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
             PRAGMA foreign_keys = ON",
            BUSY_WAIT.as_millis()
        ),
        FileUse::Look => String::new(),
    };
    // Every byte that a URL could take for something else is escaped: the path arrives as it was.
    let mut url = "sqlite:".to_owned();
    for byte in path.to_str().ok_or_else(|| not_unicode(path))?.bytes() {
        // Writing to a String can't fail.
        let _ = if byte.is_ascii_alphanumeric() { url.write_char(byte.into()) } else { write!(url, "%{byte:02X}") };
    }
    connect(&format!("{url}?mode={mode}"), setup, connections).await
}

fn not_unicode(path: &Path) -> sqlx::Error {
    sqlx::Error::Configuration(format!("{} is no Unicode text", path.display()).into())
}

/// Connects to a schema of a data base; makes it if `make` says so.
pub(super) async fn connect_schema(url: &RecordsUrl, schema: &str, make: bool) -> Result<DbPool, sqlx::Error> {
    let RecordsUrl::Postgres(url) = url else { return Err(sqlx::Error::Configuration("no data base is named".into())) };
    let mut setup = format!(
        "SET search_path TO {schema}; SET lock_timeout TO {}; SET client_min_messages TO warning",
        BUSY_WAIT.as_millis()
    );
    sqlx::any::install_default_drivers();
    // A pool says of a server that can't be reached only that it took too long.
    let mut first = url.parse::<AnyConnectOptions>()?.connect().await?;
    if make {
        let create = AssertSqlSafe(format!("CREATE SCHEMA {schema}"));
        sqlx::raw_sql(create).execute(&mut first).await?;
    }
    if let Some(setting) = careless(&mut first).await? {
        let said = format!("{setting} is off there: what is acknowledged would not be on its disk. Set it to on");
        return Err(sqlx::Error::Configuration(said.into()));
    }
    first.close().await?;
    setup.push_str("; SET default_transaction_isolation TO 'read committed'");
    // Also where a role's setting is another by the time of a later connection.
    setup.push_str(
        "; SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
    );
    connect(url, setup, CONNECTIONS_MAX).await
}

/// A setting of the server by which what was committed can be lost with the power.
async fn careless(connection: &mut DbConnection) -> Result<Option<&'static str>, sqlx::Error> {
    for setting in ["fsync", "full_page_writes", "synchronous_commit"] {
        let current = sqlx::query_scalar::<_, String>("SELECT current_setting($1)").bind(setting);
        if current.fetch_one(&mut *connection).await? == "off" {
            return Ok(Some(setting));
        }
    }
    Ok(None)
}

/// Whether a data base has a schema of this name.
pub(super) async fn has_schema(pool: &DbPool, schema: &str) -> Result<bool, sqlx::Error> {
    let select = "SELECT COUNT(*) AS found FROM pg_catalog.pg_namespace WHERE nspname = $1";
    Ok(sqlx::query_scalar::<_, i64>(select).bind(schema).fetch_one(pool).await? > 0)
}

async fn connect(url: &str, setup: String, connections: u32) -> Result<DbPool, sqlx::Error> {
    sqlx::any::install_default_drivers();
    let options: AnyConnectOptions = url.parse()?;
    let pool = PoolOptions::<Db>::new().max_connections(connections).after_connect(move |connection, _meta| {
        let setup = AssertSqlSafe(setup.clone());
        Box::pin(async move { sqlx::raw_sql(setup).execute(connection).await.map(drop) })
    });
    pool.connect_with(options).await
}

/// Whether others wrote for so long that nothing else could: to be tried again.
pub(super) fn is_busy(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else { return false };
    let Some(code) = error.code() else { return false };
    // PostgreSQL's codes have five characters: no lock in time, a deadlock, a transaction that met another.
    if code.len() == 5 {
        return ["55P03", "40P01", "40001"].contains(&&*code);
    }
    // SQLITE_BUSY; its higher bits say more.
    code.parse::<u32>().is_ok_and(|code| code & 0xff == 5)
}
