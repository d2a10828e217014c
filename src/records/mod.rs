//! What is known about galleries, references, searches and users, in SQL. Sees no template.
//!
//! A change of a gallery counts when its transaction here has committed: files are brought in line with it, never the
//! other way round. SQLite in WAL mode with full syncing, or PostgreSQL: statements are written once, in what both take, and
//! `dialect` has whatever differs.

mod attributes;
mod audit;
mod copy;
mod counts;
mod dialect;
pub mod disclosures;
mod erasures;
mod galleries;
pub mod governing;
mod jobs;
mod lists;
mod overwrite;
mod people;
mod pictures;
mod place;
mod probes;
pub mod review;
pub mod samples;
mod searches;
mod sql;
mod statements;
pub mod subjects;
pub mod submissions;
mod taken_back;
mod templates;
pub mod unsolved;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr as _, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::audit::Caller;
use crate::records::dialect::{Dialect, FileUse};
use crate::store::StoreError;

pub use attributes::{Attribute, AttributeError, AttributeName, check_attributes};
pub use audit::{AuditBook, EventFilter};
pub use copy::TakenIn;
pub use counts::Counted;
pub use erasures::{BegunErasure, COMMITMENT, CopyLeft, ErasureRecord, PackLeft, commitment};
pub use galleries::GalleryRecord;
pub use jobs::{JobBook, JobRecord, JobState, NewJob};
pub use lists::{OpenTooLong, Over};
pub use people::{
    Attempt, Basis, Compared, FactorRecord, IdentityRecord, KeyRecord, NewKeyRecord, Opening, PeopleBook, PeopleError,
    Proof, SessionRecord, Shown, UserRecord, UserState,
};
pub use pictures::{KeptPicture, PendingBlob};
pub use probes::{NewProbe, ProbeEdit, ProbeRecord};
pub use searches::{FaceBox, GallerySeen, RecordedCandidate, SearchRecord};
use sql::SqlBuilder;
pub use statements::{SearchOf, Statement};
pub use templates::{NewDetail, ReferenceImage, TemplateState};

/// Either kind of data base, as all statements see it, and what it is reached by.
type Db = sqlx::Any;
type DbPool = sqlx::Pool<Db>;
type DbConnection = <Db as sqlx::Database>::Connection;
type DbRow = <Db as sqlx::Database>::Row;

const SCHEMA_VERSION: i64 = 22;
/// How long others at a PostgreSQL server may take to end what sees dead rows: few transactions take longer, and of dumps and the like
/// nobody knows how long.
const OLDER_WAIT: Duration = Duration::from_secs(2);
/// When that is tried again, should they not have ended: a run of many erasures does not wait anew for each.
const OLDER_AGAIN: Duration = Duration::from_mins(1);
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
    /// They are not in the data folder, and nobody said where.
    #[error(
        "the records of {} are in a PostgreSQL data base: name it in the settings (records.url, or BERTILLON_RECORDS_URL)", .0.display()
    )]
    OnPostgres(PathBuf),
    /// They are in the data folder, and somebody said elsewhere.
    #[error(
        "these records are in the file {}: take records.url out of the settings. Nothing moves them to a PostgreSQL data base; a gallery can be backed up, and restored into a data folder that began with one", .0.display()
    )]
    InFile(PathBuf),
    /// The data base that is named has not got them.
    #[error(
        "the PostgreSQL data base that records.url names has not got the records of {}, which are in the schema {schema}: name the right one, or restore that schema", .data.display()
    )]
    NotThere {
        /// The data folder.
        data: PathBuf,
        /// Where its records are.
        schema: String,
    },
    /// The file that says where they are.
    #[error(transparent)]
    Store(StoreError),
    /// A blob that was to count, and is gone.
    #[error(
        "a picture was to be kept that another process has removed meanwhile, as a server was started or the gallery's key destroyed: try again"
    )]
    NotBegun,
    /// A submission that was searched with, and is closed or erased by now.
    #[error("submission {0} was closed or erased meanwhile, so the search with it does not count: look at it again")]
    SubmissionOver(i64),
    /// An unsolved probe that was searched with, and is on the list no more.
    #[error("unsolved probe {0} went from the list meanwhile, so the search with it does not count: look at it again")]
    UnsolvedOver(i64),
    /// A folder that is in use, and does not say where its records are.
    #[error(
        "{0} has galleries or keys, and no records.postgres that says which records are its own: put that file back from a copy of the \
         data folder; empty records are not made beside them"
    )]
    MarkLost(PathBuf),
    /// Somebody on a list was erased before it was recorded.
    #[error(
        "somebody on the list was erased while the search ran, so it does not count and is not shown: search again"
    )]
    ErasedMeanwhile,
    /// Somebody on a list was erased before what was said of it was kept.
    #[error(
        "somebody it is about was erased, or is being erased, since it was read, so nothing of this is kept: look at it again"
    )]
    ErasedSince,
    /// A list whose period was over.
    #[error("the list of search {0} was emptied, as the policy's period was over: nothing is said of it any more")]
    ListEmptied(i64),
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
    pool: DbPool,
    /// What errors call them: the file, or the data base and the schema.
    path: PathBuf,
    dialect: Dialect,
    /// Whose turn it is to write. `SQLite` lets one write at a time, and whoever comes second looks again now and then; in
    /// one process they queue here, so that nobody is overtaken by a long import for ever.
    turn: Arc<Mutex<()>>,
    /// Until when nobody waits again for older transactions at a PostgreSQL server, which did not end when they were waited for.
    in_vain: Arc<std::sync::Mutex<Option<Instant>>>,
}

/// A transaction that changes records: the only one of this process, so nobody begins a second while holding one. Dropped without [`commit`](Self::commit), it changes nothing.
pub struct Change {
    transaction: Transaction<'static, Db>,
    path: PathBuf,
    /// Who is told of in it: counted once it is committed.
    told: Vec<Caller>,
    /// Dropped after the transaction.
    _turn: OwnedMutexGuard<()>,
}

impl Records {
    /// Opens the records in the file `path` for writing; makes them or brings their schema up to date where needed.
    ///
    /// # Errors
    /// [`RecordsError`].
    pub async fn create(path: &Path) -> Result<Self, RecordsError> {
        let records = Self::connect(path, FileUse::Make).await?;
        records.migrate().await?;
        records.name_folder().await?;
        Ok(records)
    }

    /// Brings the schema up to date.
    async fn migrate(&self) -> Result<(), RecordsError> {
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
            migration(14, "governing", include_str!("migrations/0014_governing.sql")),
            migration(15, "submissions", include_str!("migrations/0015_submissions.sql")),
            migration(16, "unsolved", include_str!("migrations/0016_unsolved.sql")),
            migration(17, "sign in", include_str!("migrations/0017_sign_in.sql")),
            migration(18, "storage", include_str!("migrations/0018_storage.sql")),
            migration(19, "lists", include_str!("migrations/0019_lists.sql")),
            migration(20, "session proof", include_str!("migrations/0020_session_proof.sql")),
            migration(21, "authoriser", include_str!("migrations/0021_authoriser.sql")),
            migration(SCHEMA_VERSION, "copies", include_str!("migrations/0022_copies.sql")),
        ];
        let translated = migrations.into_iter().map(|migration| self.translated(migration));
        let migrations = translated.collect::<Result<Vec<_>, _>>()?;
        let migrated = Migrator::with_migrations(migrations).run(&self.pool).await;
        migrated.map_err(|source| RecordsError::Schema { path: self.path.clone(), source: Box::new(source) })
    }

    /// A migration in the words of the data base. It keeps the checksum of the text that it comes from.
    fn translated(&self, mut migration: Migration) -> Result<Migration, RecordsError> {
        let text = self.dialect.migration(migration.sql.as_str()).map_err(|what| self.damaged(what))?;
        migration.sql = AssertSqlSafe(text).into_sql_str();
        Ok(migration)
    }

    /// Opens the records in the file `path` beside the process that changes galleries: to read, and to record searches.
    ///
    /// # Errors
    /// [`RecordsError::Missing`], [`RecordsError::Version`].
    pub async fn join(path: &Path) -> Result<Self, RecordsError> {
        if !path.is_file() {
            return Err(RecordsError::Missing(path.to_owned()));
        }
        let records = Self::connect(path, FileUse::Work).await?;
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

    async fn connect(path: &Path, what_for: FileUse) -> Result<Self, RecordsError> {
        let pool = dialect::connect_file(path, what_for).await;
        let pool = pool.map_err(|source| RecordsError::Sql { path: path.to_owned(), source })?;
        Ok(Self {
            pool,
            path: path.to_owned(),
            dialect: Dialect::Sqlite,
            turn: Arc::default(),
            in_vain: Arc::default(),
        })
    }

    /// Begins a transaction that reads one moment: what it reads in several statements goes together.
    pub(in crate::records) async fn read(&self) -> Result<Transaction<'static, Db>, RecordsError> {
        self.dialect.begin_reading(&self.pool).await.map_err(self.sql())
    }

    /// Begins a transaction that may write; waits for other writers.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn begin(&self) -> Result<Change, RecordsError> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let begun = self.dialect.begin(&self.pool).await;
        Ok(Change { transaction: begun.map_err(self.sql())?, path: self.path.clone(), told: Vec::new(), _turn: turn })
    }

    /// Moves `SQLite`'s write-ahead log into the data base and empties it, so that erased text is in neither. PostgreSQL removes its
    /// dead rows; its own log, and what it has copied of that, are beyond reach (docs/OPERATIONS.md). So are rows that transactions there may
    /// still see which did not end within `wait`: how many such there are, 0 with `SQLite`.
    ///
    /// # Errors
    /// [`RecordsError::Journal`] when others read for longer than `wait`.
    pub async fn empty_journal(&self, wait: Duration) -> Result<u64, RecordsError> {
        let until = *self.in_vain.lock().unwrap_or_else(PoisonError::into_inner);
        let in_vain = until.is_some_and(|until| Instant::now() < until);
        let patience = if in_vain { Duration::ZERO } else { OLDER_WAIT };
        let older = self.dialect.empty_journal(&self.pool, (wait, patience)).await.map_err(self.sql())?;
        let older = older.ok_or_else(|| RecordsError::Journal(self.path.clone()))?;
        if older > 0 && !in_vain {
            *self.in_vain.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + OLDER_AGAIN);
            tracing::warn!(
                older,
                "older transactions at the data base keep rows that were overwritten: vacuum when they end"
            );
        }
        Ok(older)
    }

    /// Whether they are in the data folder, so that all of their bytes can be overwritten.
    #[must_use]
    pub fn in_the_folder(&self) -> bool {
        self.dialect == Dialect::Sqlite
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
        let Self::Sql { source, .. } = self else { return false };
        dialect::is_busy(source)
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

    /// Changes nothing.
    async fn give_up(self) -> Result<(), RecordsError> {
        let Self { transaction, path, .. } = self;
        transaction.rollback().await.map_err(|source| RecordsError::Sql { path, source })
    }

    fn sql(&self) -> impl Fn(sqlx::Error) -> RecordsError + use<> {
        sql_error(&self.path)
    }

    fn damaged(&self, what: impl Into<String>) -> RecordsError {
        RecordsError::Damaged { path: self.path.clone(), what: what.into() }
    }
}

fn sql_error(path: &Path) -> impl Fn(sqlx::Error) -> RecordsError + use<> {
    let path = path.to_owned();
    move |source| RecordsError::Sql { path: path.clone(), source }
}
