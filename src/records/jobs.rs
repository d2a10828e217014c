//! Long work that is asked for, done in the background by the serving process, and followed by whoever asked.

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object, Outcome};
use crate::base::clock;
use crate::base::ids::GalleryName;
use crate::base::limits::{JOB_ATTEMPTS_MAX, JOB_OUTCOME_BYTES_MAX, JOBS_KEPT_MAX, JOBS_WAITING_MAX};
use crate::records::{Change, DbConnection, DbRow, Records, RecordsError};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Nobody has begun it.
    Waiting,
    /// It is being done.
    Running,
    /// It is done.
    Done,
    /// It could not be done; the outcome says why.
    Failed,
    /// Somebody did not want it any more.
    Cancelled,
}

impl JobState {
    /// The word for it, in records and in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Cancelled];
        all.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// `import`, `index`, `compact` or `restore`.
    pub kind: String,
    /// Which gallery it changes.
    pub gallery: GalleryName,
    /// JSON, as the layer above wrote it.
    pub request: String,
    /// Who asked.
    pub actor: String,
    /// Where from: command line, an address.
    pub origin: String,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRecord {
    /// Its number.
    pub id: i64,
    /// What was asked for.
    pub asked: NewJob,
    /// Where it stands.
    pub state: JobState,
    /// When it was asked for, RFC 3339.
    pub asked_at: String,
    /// When it was begun, the last time.
    pub started_at: Option<String>,
    /// When it ended.
    pub ended_at: Option<String>,
    /// How often it was begun.
    pub attempts: u64,
    /// Whether somebody wants it to end.
    pub cancel_wanted: bool,
    /// What it does now.
    pub step: String,
    /// How much is done.
    pub done: u64,
    /// Of how much.
    pub total: u64,
    /// JSON of what came out, or the error in words.
    pub outcome: Option<String>,
}

/// The jobs of a data folder. Clones share them.
#[derive(Debug, Clone)]
pub struct JobBook(Records);

impl Records {
    /// Jobs that were asked for.
    #[must_use]
    pub fn job_book(&self) -> JobBook {
        JobBook(self.clone())
    }
}

impl JobBook {
    /// Takes a job in, to be done after those before it; `kind` is what the audit log calls that.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`] when as many wait as may; [`RecordsError::Sql`].
    pub async fn ask(&self, caller: &Caller, kind: Kind, job: &NewJob) -> Result<i64, RecordsError> {
        let mut change = self.0.begin().await?;
        let waiting: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM job WHERE ended_at IS NULL")
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        if waiting >= JOBS_WAITING_MAX as i64 {
            return Err(RecordsError::TooMany { what: "jobs that wait", limit: JOBS_WAITING_MAX });
        }
        // The oldest that ended make room.
        sqlx::query("DELETE FROM job WHERE ended_at IS NOT NULL AND id <= (SELECT MAX(id) FROM job) - $1")
            .bind(JOBS_KEPT_MAX as i64)
            .execute(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        let insert = "INSERT INTO job (id, kind, gallery, request, state, actor, origin, asked_at, attempts, \
             cancel_wanted, step, done, total) SELECT COALESCE(MAX(id), 0) + 1, $1, $2, $3, 'waiting', $4, $5, $6, 0, 0, \
             '', 0, 0 FROM job RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(&job.kind)
            .bind(job.gallery.as_str())
            .bind(&job.request)
            .bind(&job.actor)
            .bind(&job.origin)
            .bind(clock::now_rfc3339())
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(self.0.sql())?;
        change.tell(caller, &Happening::new(kind).of(&job.gallery).about([Object::Job(id)])).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Jobs, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(&self, limit: usize) -> Result<Vec<JobRecord>, RecordsError> {
        let query = sqlx::query("SELECT * FROM job ORDER BY id DESC LIMIT $1");
        let query = query.bind(limit.min(JOBS_KEPT_MAX + JOBS_WAITING_MAX) as i64);
        query.fetch_all(&self.0.pool).await.map_err(self.0.sql())?.iter().map(|row| self.job_of(row)).collect()
    }

    /// One job.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn one(&self, id: i64) -> Result<Option<JobRecord>, RecordsError> {
        let query = sqlx::query("SELECT * FROM job WHERE id = $1").bind(id);
        query.fetch_optional(&self.0.pool).await.map_err(self.0.sql())?.map(|row| self.job_of(&row)).transpose()
    }

    /// Begins the job that waits longest. For the one process that does them.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn begin(&self) -> Result<Option<JobRecord>, RecordsError> {
        // Without the lock on writing as long as there is nothing to do, which is nearly always.
        let waiting = "SELECT MIN(id) FROM job WHERE ended_at IS NULL AND state = 'waiting'";
        let Some(id) =
            sqlx::query_scalar::<_, Option<i64>>(waiting).fetch_one(&self.0.pool).await.map_err(self.0.sql())?
        else {
            return Ok(None);
        };
        let mut change = self.0.begin().await?;
        let update = "UPDATE job SET state = 'running', started_at = $2, attempts = attempts + 1, step = '', done = 0, \
             total = 0 WHERE id = $1 AND state = 'waiting' RETURNING *";
        let query = sqlx::query(update).bind(id).bind(clock::now_rfc3339());
        let row = query.fetch_optional(&mut *change.transaction).await.map_err(self.0.sql())?;
        change.commit().await?;
        row.map(|row| self.job_of(&row)).transpose()
    }

    /// Says how far a running job is; whether somebody wants it to end.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn report(&self, id: i64, step: &str, done: u64, total: u64) -> Result<bool, RecordsError> {
        let mut change = self.0.begin().await?;
        let update = "UPDATE job SET step = $2, done = $3, total = $4 WHERE id = $1 AND state = 'running' \
             RETURNING cancel_wanted";
        let query = sqlx::query_scalar::<_, i64>(update).bind(id).bind(step);
        let query = query.bind(i64::try_from(done).unwrap_or(i64::MAX)).bind(i64::try_from(total).unwrap_or(i64::MAX));
        let wanted = query.fetch_optional(&mut *change.transaction).await.map_err(self.0.sql())?;
        change.commit().await?;
        Ok(wanted == Some(1))
    }

    /// Wants a job to end: one that waits is cancelled at once, one that runs is told; where it is of the kind `graphs`, its
    /// gallery's graphs are kept up no more. One that was over stays as it is, and that is told as refused. Gives it as it is
    /// then; `None` where there is no such job.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn cancel(&self, caller: &Caller, id: i64, graphs: &str) -> Result<Option<JobRecord>, RecordsError> {
        if self.one(id).await?.is_none() {
            return Ok(None);
        }
        let mut change = self.0.begin().await?;
        let now = clock::now_rfc3339();
        let waiting =
            "UPDATE job SET state = 'cancelled', ended_at = $2, cancel_wanted = 1 WHERE id = $1 AND state = 'waiting'";
        let query = sqlx::query(waiting).bind(id).bind(now);
        let ended = query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        let running = "UPDATE job SET cancel_wanted = 1 WHERE id = $1 AND state = 'running'";
        let told = sqlx::query(running).bind(id).execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        let mut happening = Happening::new(Kind::JobCancelled).about([Object::Job(id)]);
        if ended.rows_affected() + told.rows_affected() == 0 {
            happening = happening.with("refusal", Detail::Word("over")).ended(Outcome::Refused);
        } else {
            let update = "UPDATE gallery SET graph_plan = NULL WHERE graph_plan IS NOT NULL \
                 AND name IN (SELECT gallery FROM job WHERE id = $1 AND kind = $2)";
            let query = sqlx::query(update).bind(id).bind(graphs);
            let off = query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
            if off.rows_affected() > 0 {
                happening = happening.with("graphs", Detail::Word("kept up no more"));
            }
        }
        change.tell(caller, &happening).await?;
        change.commit().await?;
        self.one(id).await
    }

    /// Ends a job.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn end(&self, id: i64, state: JobState, outcome: &str) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        change.end_job(id, state, outcome).await?;
        change.commit().await
    }

    /// Puts a job that was begun back among those that wait, as if it had not been: the process ends. Where somebody has
    /// cancelled it meanwhile it is over.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn put_back(&self, id: i64) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        change.cancel_where_wanted().await?;
        let update = "UPDATE job SET state = 'waiting', attempts = attempts - 1 WHERE id = $1 AND state = 'running'";
        sqlx::query(update).bind(id).execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        change.commit().await
    }

    /// Puts back what an earlier process had begun when it died; what was begun too often fails.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn put_interrupted_back(&self) -> Result<(), RecordsError> {
        let mut change = self.0.begin().await?;
        change.cancel_where_wanted().await?;
        let give_up = "UPDATE job SET state = 'failed', ended_at = $1, outcome = $2 WHERE state = 'running' \
             AND attempts >= $3 AND ended_at IS NULL";
        let said = format!("the server ended {JOB_ATTEMPTS_MAX} times while it did this; its log may say why");
        let query = sqlx::query(give_up).bind(clock::now_rfc3339()).bind(said).bind(i64::from(JOB_ATTEMPTS_MAX));
        query.execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        let again = "UPDATE job SET state = 'waiting' WHERE state = 'running' AND ended_at IS NULL";
        sqlx::query(again).execute(&mut *change.transaction).await.map_err(self.0.sql())?;
        change.commit().await
    }

    fn job_of(&self, row: &DbRow) -> Result<JobRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.0.sql());
        let perhaps = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.0.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.0.sql());
        let bad = |what: &str| self.0.damaged(format!("a job has an impossible {what}"));
        let count = |column: &str| u64::try_from(number(column)?).map_err(|_| bad(column));
        Ok(JobRecord {
            id: number("id")?,
            asked: NewJob {
                kind: text("kind")?,
                gallery: text("gallery")?.parse().map_err(|_| bad("gallery"))?,
                request: text("request")?,
                actor: text("actor")?,
                origin: text("origin")?,
            },
            state: JobState::parse(&text("state")?).ok_or_else(|| bad("state"))?,
            asked_at: text("asked_at")?,
            started_at: perhaps("started_at")?,
            ended_at: perhaps("ended_at")?,
            attempts: count("attempts")?,
            cancel_wanted: number("cancel_wanted")? != 0,
            step: text("step")?,
            done: count("done")?,
            total: count("total")?,
            outcome: perhaps("outcome")?,
        })
    }
}

impl Change {
    /// Ends the jobs that nobody does and somebody has cancelled.
    async fn cancel_where_wanted(&mut self) -> Result<(), RecordsError> {
        let update = "UPDATE job SET state = 'cancelled', ended_at = $1 WHERE state = 'running' AND cancel_wanted = 1";
        let query = sqlx::query(update).bind(clock::now_rfc3339());
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    /// Ends a job together with what it changed.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn end_job(&mut self, id: i64, state: JobState, outcome: &str) -> Result<(), RecordsError> {
        let ended = end_job(&mut self.transaction, id, state, outcome).await;
        ended.map_err(self.sql())
    }
}

/// Ends a job on a connection that is in a transaction.
pub(super) async fn end_job(
    connection: &mut DbConnection,
    id: i64,
    state: JobState,
    outcome: &str,
) -> Result<(), sqlx::Error> {
    // Words may be cut. What is JSON is short: it counts, and lists nothing.
    let end = outcome.floor_char_boundary(JOB_OUTCOME_BYTES_MAX);
    let update = "UPDATE job SET state = $2, outcome = $3, ended_at = $4 WHERE id = $1 AND state = 'running'";
    let query = sqlx::query(update).bind(id).bind(state.as_str());
    let query = query.bind(outcome.get(..end).unwrap_or_default().to_owned()).bind(clock::now_rfc3339());
    query.execute(connection).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::records_url::RecordsUrl;

    fn caller() -> Caller {
        Caller::itself("a test")
    }

    async fn book() -> (tempfile::TempDir, Records, JobBook) {
        let folder = tempfile::tempdir().unwrap();
        let url = std::env::var("BERTILLON_RECORDS_URL").ok().map(RecordsUrl::from);
        let records = Records::open(folder.path(), url.as_ref()).await.unwrap();
        let book = records.job_book();
        (folder, records, book)
    }

    fn job() -> NewJob {
        let gallery = "custody".parse().unwrap();
        let [kind, actor, origin] = ["compact", "somebody", "a test"].map(str::to_owned);
        NewJob { kind, gallery, request: "{}".to_owned(), actor, origin }
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let (_folder, _records, book) = book().await;
        for _ in 0..JOBS_WAITING_MAX {
            book.ask(&caller(), Kind::CompactionAsked, &job()).await.unwrap();
        }
        assert!(matches!(
            book.ask(&caller(), Kind::CompactionAsked, &job()).await,
            Err(RecordsError::TooMany { limit: JOBS_WAITING_MAX, .. })
        ));
        book.cancel(&caller(), 1, "index").await.unwrap();
        assert_eq!(book.ask(&caller(), Kind::CompactionAsked, &job()).await.unwrap(), JOBS_WAITING_MAX as i64 + 1);
    }

    #[tokio::test]
    async fn the_oldest_make_room_and_numbers_are_never_given_twice() {
        let (_folder, records, book) = book().await;
        let insert = "WITH RECURSIVE n (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n WHERE id < $1) INSERT INTO job \
             SELECT id, 'compact', 'custody', '{}', 'done', 'somebody', 'a test', '', '', '', 1, 0, '', 0, 0, '' FROM n";
        sqlx::query(insert).bind(JOBS_KEPT_MAX as i64 + 5).execute(&records.pool).await.unwrap();
        let id = book.ask(&caller(), Kind::CompactionAsked, &job()).await.unwrap();
        assert_eq!(id, JOBS_KEPT_MAX as i64 + 6);
        assert_eq!(book.newest(usize::MAX).await.unwrap().len(), JOBS_KEPT_MAX + 1);
        assert!(book.one(5).await.unwrap().is_none() && book.one(6).await.unwrap().is_some());
        assert_eq!(book.newest(3).await.unwrap().iter().map(|job| job.id).collect::<Vec<_>>(), [id, id - 1, id - 2]);
    }

    #[tokio::test]
    async fn what_ends_the_server_every_time_is_given_up() {
        let (_folder, _records, book) = book().await;
        let id = book.ask(&caller(), Kind::CompactionAsked, &job()).await.unwrap();
        for attempt in 1..=JOB_ATTEMPTS_MAX {
            assert_eq!(book.begin().await.unwrap().unwrap().attempts, u64::from(attempt));
            // The server dies, and is started again.
            book.put_interrupted_back().await.unwrap();
        }
        let failed = book.one(id).await.unwrap().unwrap();
        assert_eq!((failed.state, book.begin().await.unwrap()), (JobState::Failed, None));
        assert!(failed.outcome.unwrap().contains("ended 3 times"));
    }

    #[tokio::test]
    async fn what_is_cancelled_while_its_server_ends_is_not_begun_again() {
        let (_folder, _records, book) = book().await;
        for died in [true, false] {
            let id = book.ask(&caller(), Kind::CompactionAsked, &job()).await.unwrap();
            book.begin().await.unwrap().unwrap();
            book.cancel(&caller(), id, "index").await.unwrap();
            if died {
                book.put_interrupted_back().await.unwrap();
            } else {
                book.put_back(id).await.unwrap();
            }
            let cancelled = book.one(id).await.unwrap().unwrap();
            assert!(cancelled.state == JobState::Cancelled && cancelled.ended_at.is_some(), "{cancelled:?}");
            assert_eq!(book.begin().await.unwrap(), None);
        }
    }
}
