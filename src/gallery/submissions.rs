//! Pictures that were handed in: sealed like those that are searched with, under a key of their own, as they belong to no gallery;
//! given out to whoever works on them, erased with what was written.

use crate::base::clock;
use crate::base::ids::GalleryName;
use crate::gallery::GalleryError;
use crate::gallery::vault::Vault;
use crate::pictures::PictureReader;

impl Vault {
    /// A picture that was handed in, to be read. Telling of it is for whoever gives it to somebody.
    ///
    /// # Errors
    /// [`GalleryError::NoSubmission`], [`GalleryError::Picture`], what records and keys say.
    pub async fn submitted(&self, id: i64, number: i64) -> Result<PictureReader, GalleryError> {
        let found = self.inner.records.submitted_blob(id, number).await?;
        self.open_blob(&GalleryName::of_submissions(), found.ok_or(GalleryError::NoSubmission(id))?).await
    }

    /// Erases a submission: its pictures are overwritten and removed, what was written is overwritten in the records. That there was one,
    /// whose, when, and the hashes of its pictures stay, and so do searches with them and what was kept of these.
    ///
    /// # Errors
    /// [`GalleryError::NoSubmission`], what records and files say; erasing again finishes what was begun, as does a server.
    pub async fn erase_submission(&self, id: i64) -> Result<(), GalleryError> {
        let records = &self.inner.records;
        let mut change = records.begin().await?;
        let begun = change.begin_submission_erasure(&self.caller, id).await?;
        change.commit().await?;
        if !begun {
            return Err(GalleryError::NoSubmission(id));
        }
        let blobs = records.submission_blobs(id).await?;
        self.inner.erase_blobs(blobs.into_iter().map(|blob| (GalleryName::of_submissions(), blob)).collect()).await?;
        let mut change = records.begin().await?;
        change.forget_submission(id).await?;
        change.commit().await?;
        records.empty_journal(self.inner.options.erase_wait).await?;
        let mut change = records.begin().await?;
        change.finish_submission_erasure(id).await?;
        Ok(change.commit().await?)
    }

    /// Erases the submissions whose time is over, and finishes erasures that were begun; how many. One that can't be erased does not stop
    /// the others.
    ///
    /// # Errors
    /// That of the first that could not be erased, after the others were; what the records say.
    pub async fn erase_submissions_due(&self) -> Result<u64, GalleryError> {
        let (mut erased, mut first, mut after) = (0, None, 0);
        loop {
            let due = self.inner.records.submissions_due(&clock::now_rfc3339(), after).await?;
            let Some(&last) = due.last() else { break };
            after = last;
            for id in due {
                match self.erase_submission(id).await {
                    Ok(()) => erased += 1,
                    // Another process was quicker.
                    Err(GalleryError::NoSubmission(_)) => {}
                    Err(error) => {
                        first.get_or_insert(error);
                    }
                }
            }
        }
        first.map_or(Ok(erased), Err)
    }
}
