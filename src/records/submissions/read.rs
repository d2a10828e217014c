//! What is known of submissions.

use sqlx::Row as _;

use crate::base::limits::{PICTURES_PAGE_MAX, SUBMISSION_SEARCHES_SHOWN_MAX, SUBMISSIONS_PAGE_MAX};
use crate::crypto::KeyId;
use crate::pictures::BlobName;
use crate::records::submissions::{SubmissionBook, SubmissionRecord, SubmittedPicture, Told, Work};
use crate::records::{DbRow, Records, RecordsError};

const SELECT: &str = "SELECT id, submitter, state, kept, received_at, expires_at, taken_by, taken_at, closed_by, closed_at \
     FROM submission";

impl SubmissionBook {
    /// One submission.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn one(&self, id: i64) -> Result<Option<SubmissionRecord>, RecordsError> {
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("{SELECT} WHERE id = $1"))).bind(id);
        match query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())? {
            Some(row) => Ok(Some(self.submission_of(&row).await?)),
            None => Ok(None),
        }
    }

    /// Submissions with numbers below `before`, newest first, at most `limit`; of one submitter and in one state, if these are given.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(
        &self,
        submitter: Option<&str>,
        state: Option<&str>,
        (before, limit): (i64, usize),
    ) -> Result<Vec<SubmissionRecord>, RecordsError> {
        let select = format!(
            "{SELECT} WHERE id < $1 AND ($2 IS NULL OR submitter = $2) AND ($3 IS NULL OR state = $3) ORDER BY id DESC LIMIT $4"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(before).bind(submitter).bind(state);
        let query = query.bind(limit.min(SUBMISSIONS_PAGE_MAX) as i64);
        let mut found = Vec::new();
        for row in &query.fetch_all(&self.records.pool).await.map_err(self.records.sql())? {
            found.push(self.submission_of(row).await?);
        }
        Ok(found)
    }

    async fn submission_of(&self, row: &DbRow) -> Result<SubmissionRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.records.sql());
        let maybe = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.records.sql());
        let id = row.try_get("id").map_err(self.records.sql())?;
        let (told, reason) = if text("kept")? == "kept" { self.words(id).await? } else { (None, None) };
        let select = "SELECT search_id FROM submission_search WHERE submission_id = $1 ORDER BY search_id LIMIT $2";
        let query = sqlx::query_scalar(select).bind(id).bind(SUBMISSION_SEARCHES_SHOWN_MAX as i64);
        let searches = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let taken = maybe("taken_by")?.zip(maybe("taken_at")?);
        let closed = maybe("closed_by")?.zip(maybe("closed_at")?);
        Ok(SubmissionRecord {
            id,
            submitter: text("submitter")?,
            state: text("state")?,
            received_at: text("received_at")?,
            expires_at: text("expires_at")?,
            told,
            pictures: self.pictures(id).await?,
            work: Work { taken, closed, reason, searches },
        })
    }

    /// What the submitter wrote, and why it was closed.
    async fn words(&self, id: i64) -> Result<(Option<Told>, Option<String>), RecordsError> {
        // In one statement: before what was written is overwritten it is not kept any more.
        let select = "SELECT field, said FROM submission_text WHERE submission_id = $1 \
             AND EXISTS (SELECT 1 FROM submission WHERE id = $1 AND kept = 'kept')";
        let query = sqlx::query_as::<_, (String, String)>(select).bind(id);
        let mut texts: std::collections::BTreeMap<String, String> =
            query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?.into_iter().collect();
        if texts.is_empty() {
            return Ok((None, None));
        }
        let lost = || self.records.damaged("a submission has no reference".to_owned());
        let reference = texts.remove("reference").ok_or_else(lost)?;
        let told = Told { reference, place: texts.remove("place"), time: texts.remove("time") };
        Ok((Some(told), texts.remove("reason")))
    }

    async fn pictures(&self, id: i64) -> Result<Vec<SubmittedPicture>, RecordsError> {
        let select = "SELECT number, sha256, bytes FROM submission_image WHERE submission_id = $1 ORDER BY number";
        let query = sqlx::query_as::<_, (i64, String, i64)>(select).bind(id);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let picture = |(number, sha256, bytes)| SubmittedPicture { number, sha256, bytes: bytes as u64 };
        Ok(rows.into_iter().map(picture).collect())
    }
}

impl Records {
    /// Key and blob of a picture that was handed in; `None` where there is none or it is being erased.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn submitted_blob(&self, id: i64, number: i64) -> Result<Option<(KeyId, BlobName)>, RecordsError> {
        let select = "SELECT i.key_id AS key_id, i.blob AS blob FROM submission_image i JOIN submission s \
             ON s.id = i.submission_id WHERE i.submission_id = $1 AND i.number = $2 AND s.kept = 'kept'";
        let query = sqlx::query_as::<_, (String, String)>(select).bind(id).bind(number);
        let Some((key, blob)) = query.fetch_optional(&self.pool).await.map_err(self.sql())? else { return Ok(None) };
        let bad = || self.damaged("a picture that was handed in has an impossible name".to_owned());
        Ok(Some((KeyId::parse(&key).ok_or_else(bad)?, BlobName::parse(&blob).ok_or_else(bad)?)))
    }

    /// The blobs of a submission that are not overwritten, in whatever state it is.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn submission_blobs(&self, id: i64) -> Result<Vec<BlobName>, RecordsError> {
        let select = "SELECT blob FROM submission_image WHERE submission_id = $1 ORDER BY number";
        let query = sqlx::query_scalar::<_, String>(select).bind(id);
        let blobs = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        // Names that were overwritten are none any more.
        Ok(blobs.iter().filter_map(|blob| BlobName::parse(blob)).collect())
    }

    /// Numbers after `after` of submissions whose time is over at `now`, and of those whose erasure was begun, ascending: a page.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn submissions_due(&self, now: &str, after: i64) -> Result<Vec<i64>, RecordsError> {
        let select = "SELECT id FROM submission WHERE kept <> 'erased' AND (expires_at <= $1 OR kept = 'erasing') AND id > $2 \
             ORDER BY id LIMIT $3";
        let query = sqlx::query_scalar(select).bind(now).bind(after).bind(PICTURES_PAGE_MAX as i64);
        query.fetch_all(&self.pool).await.map_err(self.sql())
    }
}
