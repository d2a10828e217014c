//! What is known about galleries, references, searches and users, in SQL. Sees no template.
//!
//! A change of a gallery counts when its transaction here has committed: files are brought in line with it, never the
//! other way round. SQLite in WAL mode with full syncing; the statements stay within what PostgreSQL takes too.

mod attributes;
mod audit;
mod copy;
pub mod disclosures;
mod erasures;
mod galleries;
pub mod governing;
mod jobs;
mod people;
mod pictures;
mod probes;
pub mod review;
pub mod samples;
mod searches;
mod statements;
pub mod subjects;
mod taken_back;
mod templates;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Row as _, SqlSafeStr as _, Sqlite, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::audit::Caller;

pub use attributes::{Attribute, AttributeError, AttributeName, check_attributes};
pub use audit::{AuditBook, EventFilter};
pub use copy::TakenIn;
pub use erasures::{BegunErasure, COMMITMENT, ErasureRecord, commitment};
pub use galleries::GalleryRecord;
pub use jobs::{JobBook, JobRecord, JobState, NewJob};
pub use people::{Attempt, KeyRecord, NewKeyRecord, PeopleBook, PeopleError, SessionRecord, UserRecord, UserState};
pub use pictures::{KeptPicture, PendingBlob};
pub use probes::{NewProbe, ProbeEdit, ProbeRecord};
pub use searches::{FaceBox, GallerySeen, RecordedCandidate, SearchRecord};
pub use statements::Statement;
pub use templates::{NewDetail, ReferenceImage, TemplateState};

const SCHEMA_VERSION: i64 = 14;
/// The first schema with subjects.
const SUBJECTS_SINCE: i64 = 11;
/// Subjects and images for references of before schema 11.
const BACKFILL: &str = include_str!("migrations/0011_backfill.sql");
/// The oldest schema in which a copy of a gallery is what it is now.
const COPY_SCHEMA_MIN: i64 = 5;
const BUSY_WAIT: Duration = Duration::from_secs(10);
const CONNECTIONS_MAX: u32 = 4;

/// What can go wrong with the records.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The data base refused.
    #[error("records in {path}: {source}")]
    Sql {
        /// The data base's file.
        path: PathBuf,
        /// What it said.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of {path} can't be brought up to date: {source}")]
    Schema {
        /// The data base's file.
        path: PathBuf,
        /// What went wrong.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// Another release wrote it.
    #[error(
        "{path} has schema {found}; this release reads {SCHEMA_VERSION}: use the release that wrote it, or open it for writing once to upgrade it"
    )]
    Version {
        /// The data base's file.
        path: PathBuf,
        /// Its schema.
        found: i64,
    },
    /// There is none.
    #[error("{0} is missing")]
    Missing(PathBuf),
    /// A row that this program can't have written.
    #[error("{path} is damaged: {what}. Restore the data folder from a backup")]
    Damaged {
        /// The data base's file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The write-ahead log could not be emptied, so it may still hold what was erased.
    #[error(
        "{0} is being read by another process, so its journal could not be emptied in time: erase again to finish it"
    )]
    Journal(PathBuf),
    /// A blob that was to count, and is gone.
    #[error(
        "a picture was to be kept that another process has removed meanwhile, as a server was started or the gallery's key destroyed: try again"
    )]
    NotBegun,
    /// A limit.
    #[error("too many {what}: at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
}

/// The open records of a data folder.
#[derive(Debug, Clone)]
pub struct Records {
    pool: SqlitePool,
    path: PathBuf,
    /// Whose turn it is to write. `SQLite` lets one write at a time, and whoever comes second looks again now and then; in
    /// one process they queue here, so that nobody is overtaken by a long import for ever.
    turn: Arc<Mutex<()>>,
}

/// A transaction that changes records: the only one of this process, so nobody begins a second while holding one. Dropped without [`commit`](Self::commit), it changes nothing.
pub struct Change {
    transaction: Transaction<'static, Sqlite>,
    path: PathBuf,
    /// Who is told of in it: counted once it is committed.
    told: Vec<Caller>,
    /// Dropped after the transaction.
    _turn: OwnedMutexGuard<()>,
}

impl Records {
    /// Opens the records at `path` for writing; makes them or brings their schema up to date where needed.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn create(path: &Path) -> Result<Self, RecordsError> {
        let records = Self::connect(path, true).await?;
        let migration = |version, name: &'static str, text: &'static str| {
            Migration::new(version, name.into(), MigrationType::Simple, text.into_sql_str(), false)
        };
        let migrations = vec![
            migration(1, "first", include_str!("migrations/0001_first.sql")),
            migration(2, "attributes", include_str!("migrations/0002_attributes.sql")),
            migration(3, "search restriction", include_str!("migrations/0003_search_restriction.sql")),
            migration(4, "jobs", include_str!("migrations/0004_jobs.sql")),
            migration(5, "operating point", include_str!("migrations/0005_operating_point.sql")),
            migration(6, "audit", include_str!("migrations/0006_audit.sql")),
            migration(7, "people", include_str!("migrations/0007_people.sql")),
            migration(8, "review", include_str!("migrations/0008_review.sql")),
            migration(9, "statement", include_str!("migrations/0009_statement.sql")),
            migration(10, "audit whole", include_str!("migrations/0010_audit_whole.sql")),
            migration(
                SUBJECTS_SINCE,
                "subjects",
                concat!(include_str!("migrations/0011_subjects.sql"), include_str!("migrations/0011_backfill.sql")),
            ),
            migration(12, "samples and packs", include_str!("migrations/0012_samples_and_packs.sql")),
            migration(13, "pictures", include_str!("migrations/0013_pictures.sql")),
            migration(SCHEMA_VERSION, "governing", include_str!("migrations/0014_governing.sql")),
        ];
        let migrated = Migrator::with_migrations(migrations).run(&records.pool).await;
        migrated.map_err(|source| RecordsError::Schema { path: path.to_owned(), source: Box::new(source) })?;
        records.name_folder().await?;
        Ok(records)
    }

    /// Opens the records at `path` beside the process that changes galleries: to read, and to record searches.
    ///
    /// # Errors
    /// [`RecordsError::Missing`], [`RecordsError::Version`].
    pub async fn join(path: &Path) -> Result<Self, RecordsError> {
        if !path.is_file() {
            return Err(RecordsError::Missing(path.to_owned()));
        }
        let records = Self::connect(path, false).await?;
        records.check_version(SCHEMA_VERSION).await?;
        Ok(records)
    }

    async fn check_version(&self, oldest: i64) -> Result<(), RecordsError> {
        let version =
            sqlx::query_scalar::<_, i64>("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations WHERE success");
        let found = version.fetch_one(&self.pool).await.unwrap_or(0);
        if (oldest..=SCHEMA_VERSION).contains(&found) {
            Ok(())
        } else {
            Err(RecordsError::Version { path: self.path.clone(), found })
        }
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, RecordsError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_WAIT)
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_with(options).await;
        let pool = pool.map_err(|source| RecordsError::Sql { path: path.to_owned(), source })?;
        Ok(Self { pool, path: path.to_owned(), turn: Arc::default() })
    }

    /// Begins a transaction that may write; waits for other writers.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn begin(&self) -> Result<Change, RecordsError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // Taking the write lock at once avoids two transactions that both read and then both wait to write.
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        Ok(Change { transaction: begun.map_err(self.sql())?, path: self.path.clone(), told: Vec::new(), _turn: turn })
    }

    /// Moves the write-ahead log into the data base and empties it, so that erased text is in neither.
    ///
    /// # Errors
    /// [`RecordsError::Journal`] when others read for longer than `wait`.
    pub async fn empty_journal(&self, wait: Duration) -> Result<(), RecordsError> {
        let deadline = Instant::now() + wait;
        loop {
            let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&self.pool).await.map_err(self.sql())?;
            if row.try_get::<i64, _>(0).map_err(self.sql())? == 0 {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(RecordsError::Journal(self.path.clone()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    fn sql(&self) -> impl Fn(sqlx::Error) -> RecordsError {
        sql_error(&self.path)
    }

    fn damaged(&self, what: String) -> RecordsError {
        RecordsError::Damaged { path: self.path.clone(), what }
    }
}

impl RecordsError {
    /// Whether others wrote for so long that nothing else could: to be tried again.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let Self::Sql { source: sqlx::Error::Database(error), .. } = self else { return false };
        let code = error.code().and_then(|code| code.parse::<u32>().ok());
        // SQLITE_BUSY; its higher bits say more.
        code.is_some_and(|code| code & 0xff == 5)
    }
}

impl Change {
    /// Who is told of in it so far.
    #[must_use]
    pub fn told(&self) -> Vec<Caller> {
        self.told.clone()
    }

    /// Commits. When this fails it is not certain that nothing was kept.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn commit(self) -> Result<(), RecordsError> {
        let Self { transaction, path, told, _turn } = self;
        transaction.commit().await.map_err(|source| RecordsError::Sql { path, source })?;
        told.iter().for_each(Caller::was_recorded);
        Ok(())
    }

    fn sql(&self) -> impl Fn(sqlx::Error) -> RecordsError + use<> {
        sql_error(&self.path)
    }
}

fn sql_error(path: &Path) -> impl Fn(sqlx::Error) -> RecordsError + use<> {
    let path = path.to_owned();
    move |source| RecordsError::Sql { path: path.clone(), source }
}
