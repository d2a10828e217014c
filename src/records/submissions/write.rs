//! Changes of submissions: each with its event, or not at all.

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::base::limits::SUBMISSIONS_WAITING_MAX;
use crate::records::overwrite::TEXT_BYTES_MAX;
use crate::records::submissions::{
    NewSubmission, SubmissionBook, SubmissionRecord, SubmittedPicture, Taken, Told, Work,
};
use crate::records::{Change, NewProbe, RecordsError};

impl SubmissionBook {
    /// Takes in what somebody hands in, with its sealed pictures, unless they handed one of these in before. `receipt` gives the hash of
    /// the receipt that they will get.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::NotBegun`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn hand_in(
        &self,
        new: &NewSubmission,
        sealed: &[NewProbe],
        receipt: impl Fn(&SubmissionRecord) -> [u8; 32] + Send,
    ) -> Result<Taken, RecordsError> {
        let mut change = self.records.begin().await?;
        for picture in sealed {
            if let Some(before) = change.handed_in_before(&new.submitter, &picture.sha256).await? {
                return Ok(Taken::Before(before, picture.sha256));
            }
        }
        let record = new.record(change.add_submission(new).await?, sealed);
        for (picture, sealed) in record.pictures.iter().zip(sealed) {
            change.add_submitted(record.id, picture, sealed).await?;
        }
        let Told { reference, place, time } = &new.told;
        for (field, said) in [("reference", Some(reference)), ("place", place.as_ref()), ("time", time.as_ref())] {
            if let Some(said) = said {
                change.add_submission_text(record.id, field, said).await?;
            }
        }
        let happening = Happening::new(Kind::SubmissionHandedIn)
            .about([Object::Submission(record.id)])
            .with("pictures", Detail::Number(record.pictures.len() as u64))
            .with("receipt", Detail::Hash(receipt(&record)));
        change.tell(&self.caller, &happening).await?;
        change.commit().await?;
        Ok(Taken::New(Box::new(record)))
    }

    /// Takes a submission that is in the state `from`; whether it was.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn take(&self, id: i64, from: &str, person: &str) -> Result<bool, RecordsError> {
        let update = "UPDATE submission SET state = 'taken', taken_by = $3, taken_at = $4 \
             WHERE id = $1 AND state = $2 AND kept = 'kept'";
        self.advance((id, from, person), update, None, Kind::SubmissionTaken).await
    }

    /// Closes a submission that is in the state `from`, for a reason; whether it was.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn close(&self, id: i64, from: &str, person: &str, reason: &str) -> Result<bool, RecordsError> {
        let update = "UPDATE submission SET state = 'closed', closed_by = $3, closed_at = $4 \
             WHERE id = $1 AND state = $2 AND kept = 'kept'";
        self.advance((id, from, person), update, Some(reason), Kind::SubmissionClosed).await
    }

    async fn advance(
        &self,
        (id, from, person): (i64, &str, &str),
        update: &'static str,
        reason: Option<&str>,
        kind: Kind,
    ) -> Result<bool, RecordsError> {
        let mut change = self.records.begin().await?;
        let query = sqlx::query(update).bind(id).bind(from).bind(person).bind(clock::now_rfc3339());
        let changed = query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        if changed.rows_affected() != 1 {
            return Ok(false);
        }
        if let Some(reason) = reason {
            change.add_submission_text(id, "reason", reason).await?;
        }
        change.tell(&self.caller, &Happening::new(kind).about([Object::Submission(id)])).await?;
        change.commit().await?;
        Ok(true)
    }
}

impl NewSubmission {
    /// As it is known from its first moment on.
    fn record(&self, id: i64, sealed: &[NewProbe]) -> SubmissionRecord {
        let picture = |(number, sealed): (i64, &NewProbe)| SubmittedPicture {
            number,
            sha256: hex::encode(&sealed.sha256),
            bytes: sealed.bytes,
        };
        SubmissionRecord {
            id,
            submitter: self.submitter.clone(),
            state: "received".to_owned(),
            received_at: self.received_at.clone(),
            expires_at: self.expires_at.clone(),
            told: Some(self.told.clone()),
            pictures: (1..).zip(sealed).map(picture).collect(),
            work: Work::default(),
        }
    }
}

impl Change {
    /// The first submission of somebody that is kept and has that picture.
    async fn handed_in_before(&mut self, submitter: &str, sha256: &[u8; 32]) -> Result<Option<i64>, RecordsError> {
        let select = "SELECT MIN(i.submission_id) AS submission_id FROM submission_image i JOIN submission s \
             ON s.id = i.submission_id WHERE i.sha256 = $1 AND s.submitter = $2 AND s.kept = 'kept'";
        let query = sqlx::query_scalar(select).bind(hex::encode(sha256)).bind(submitter);
        query.fetch_one(&mut *self.transaction).await.map_err(self.sql())
    }

    /// Its number.
    async fn add_submission(&mut self, new: &NewSubmission) -> Result<i64, RecordsError> {
        let select = "SELECT COUNT(*) FROM submission WHERE submitter = $1 AND state = 'received' AND kept = 'kept'";
        let query = sqlx::query_scalar::<_, i64>(select).bind(&new.submitter);
        let waiting = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        if waiting >= SUBMISSIONS_WAITING_MAX as i64 {
            let what = "submissions of yours that nobody has taken yet";
            return Err(RecordsError::TooMany { what, limit: SUBMISSIONS_WAITING_MAX });
        }
        let insert = "INSERT INTO submission (id, submitter, state, kept, received_at, expires_at) \
             SELECT COALESCE(MAX(id), 0) + 1, $1, 'received', 'kept', $2, $3 FROM submission RETURNING id";
        let query = sqlx::query_scalar(insert).bind(&new.submitter).bind(&new.received_at).bind(&new.expires_at);
        query.fetch_one(&mut *self.transaction).await.map_err(self.sql())
    }

    async fn add_submitted(
        &mut self,
        submission: i64,
        picture: &SubmittedPicture,
        sealed: &NewProbe,
    ) -> Result<(), RecordsError> {
        self.end_begun_blob(&GalleryName::of_submissions(), sealed.key, sealed.blob).await?;
        let insert = "INSERT INTO submission_image (submission_id, number, sha256, bytes, key_id, blob) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        let query = sqlx::query(insert).bind(submission).bind(picture.number).bind(&picture.sha256);
        let query = query.bind(picture.bytes as i64).bind(sealed.key.to_string()).bind(sealed.blob.to_string());
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    async fn add_submission_text(
        &mut self,
        submission: i64,
        field: &'static str,
        said: &str,
    ) -> Result<(), RecordsError> {
        if said.len() > TEXT_BYTES_MAX {
            return Err(RecordsError::TooMany { what: "bytes of a text", limit: TEXT_BYTES_MAX });
        }
        let insert = "INSERT INTO submission_text (submission_id, field, said) VALUES ($1, $2, $3)";
        let query = sqlx::query(insert).bind(submission).bind(field).bind(said);
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    /// Says that a search is of a submission's pictures, which is taken by it unless it was before.
    pub(in crate::records) async fn searched_with(&mut self, submission: i64, search: i64) -> Result<(), RecordsError> {
        let update = "UPDATE submission SET state = 'taken', \
             taken_by = COALESCE(taken_by, (SELECT actor FROM search WHERE id = $2)), taken_at = COALESCE(taken_at, $3) \
             WHERE id = $1 AND kept = 'kept' AND state IN ('received', 'taken')";
        let query = sqlx::query(update).bind(submission).bind(search).bind(clock::now_rfc3339());
        if query.execute(&mut *self.transaction).await.map_err(self.sql())?.rows_affected() != 1 {
            return Err(RecordsError::SubmissionOver(submission));
        }
        let insert = "INSERT INTO submission_search (search_id, submission_id) VALUES ($1, $2)";
        let query = sqlx::query(insert).bind(search).bind(submission);
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    /// Begins the erasure of a submission: from the commit on nobody is given its pictures or words. Whether there was one, or its erasure
    /// had been begun before.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn begin_submission_erasure(&mut self, caller: &Caller, id: i64) -> Result<bool, RecordsError> {
        let update = "UPDATE submission SET kept = 'erasing' WHERE id = $1 AND kept = 'kept'";
        let query = sqlx::query(update).bind(id).execute(&mut *self.transaction);
        if query.await.map_err(self.sql())?.rows_affected() > 0 {
            self.tell(caller, &Happening::new(Kind::SubmissionErased).about([Object::Submission(id)])).await?;
            return Ok(true);
        }
        let begun = "SELECT COUNT(*) FROM submission WHERE id = $1 AND kept = 'erasing'";
        let query = sqlx::query_scalar::<_, i64>(begun).bind(id).fetch_one(&mut *self.transaction);
        Ok(query.await.map_err(self.sql())? > 0)
    }

    /// Overwrites what was written with a submission, and the names of its blobs, which are gone: with as many bytes.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn forget_submission(&mut self, id: i64) -> Result<(), RecordsError> {
        self.overwrite("submission_image", &["blob"], "submission_id = $1", &[id.into()]).await?;
        self.overwrite("submission_text", &["said"], "submission_id = $1", &[id.into()]).await
    }

    /// Declares the erasure of a submission done.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn finish_submission_erasure(&mut self, id: i64) -> Result<(), RecordsError> {
        let update = "UPDATE submission SET kept = 'erased' WHERE id = $1";
        let query = sqlx::query(update).bind(id).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }
}
