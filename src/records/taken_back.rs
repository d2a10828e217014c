//! Imports that are taken back: their references never counted, and what they said about people is overwritten.
//!
//! Nothing is deleted from the append-only tables, as a deletion may move the rows beside it, and leave copies of them in the
//! slack of a page that their own erasure would not reach. So the rows stay, and their template ids are `void`: given once,
//! and never again.

use std::time::Instant;

use crate::base::ids::GalleryName;
use crate::records::templates::IDS_PER_STATEMENT;
use crate::records::{Change, Records, RecordsError};

impl Records {
    /// Overwrites the references that were never committed: those above the gallery's last template, which an import that
    /// ended early left. Some hundred in a transaction, with pauses, so that other processes get their turn; how many there
    /// were. To be called again where it was cut short.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn void_uncommitted(&self, gallery: &GalleryName) -> Result<u64, RecordsError> {
        let mut voided = 0;
        let last = "SELECT last_template_id FROM gallery WHERE name = $1";
        let last = sqlx::query_scalar::<_, i64>(last).bind(gallery.as_str()).fetch_optional(&self.pool).await;
        let Some(mut after) = last.map_err(self.sql())? else { return Ok(0) };
        loop {
            let select =
                "SELECT id FROM template WHERE gallery = $1 AND id > $2 AND state = 'live' ORDER BY id LIMIT $3";
            let query = sqlx::query_scalar::<_, i64>(select).bind(gallery.as_str()).bind(after);
            let ids = query.bind(IDS_PER_STATEMENT as i64).fetch_all(&self.pool).await.map_err(self.sql())?;
            let (Some(&from), Some(&to)) = (ids.first(), ids.last()) else { return Ok(voided) };
            let began = Instant::now();
            let mut change = self.begin().await?;
            change.void(gallery, from, to).await?;
            change.commit().await?;
            voided += ids.len() as u64;
            after = to;
            // Other processes look again only now and then whether they may write: they are to find it free.
            tokio::time::sleep(began.elapsed() / 2).await;
        }
    }

    /// The highest template id that was ever given to a reference, whether it counts or not; 0 when there is none.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn last_given(&self, gallery: &GalleryName) -> Result<u64, RecordsError> {
        let select = "SELECT id FROM template WHERE gallery = $1 ORDER BY id DESC LIMIT 1";
        let query = sqlx::query_scalar::<_, i64>(select).bind(gallery.as_str());
        let last = query.fetch_optional(&self.pool).await.map_err(self.sql())?;
        Ok(last.map_or(0, |id| id as u64))
    }
}

impl Change {
    /// Makes the ids `from` to `to` void. Texts are overwritten with as many bytes, so that the rows keep their lengths and
    /// stay in their places.
    async fn void(&mut self, gallery: &GalleryName, from: i64, to: i64) -> Result<(), RecordsError> {
        let between = [gallery.as_str().into(), from.into(), to.into()];
        let theirs = "gallery = $1 AND template_id BETWEEN $2 AND $3";
        let detail = ["subject", "image_sha256", "source", "quality"];
        self.overwrite("reference_detail", &detail, theirs, &between).await?;
        self.overwrite("reference_attribute", &["value"], theirs, &between).await?;
        let first_here = "subject_id IN (SELECT s.id FROM subject s JOIN image i ON i.subject_id = s.id WHERE i.gallery = $1 \
             AND i.template_id BETWEEN $2 AND $3 AND s.first_template BETWEEN $2 AND $3)";
        self.overwrite("subject_reference", &["reference"], first_here, &between).await?;
        for statement in [
            "UPDATE subject SET state = 'void', subject_key = NULL WHERE first_template BETWEEN $2 AND $3 AND id IN \
             (SELECT subject_id FROM image WHERE gallery = $1 AND template_id BETWEEN $2 AND $3)",
            "UPDATE image SET state = 'void', captured_on = NULL, lawful_basis = NULL, disposed_on = NULL, under18 = NULL, \
             review_group = NULL, review_on = NULL, expires_on = NULL, review_due = NULL, expires = NULL \
             WHERE gallery = $1 AND template_id BETWEEN $2 AND $3",
            // Of those that had given their images away, and were enrolled again by it.
            "UPDATE subject SET state = 'empty' WHERE state = 'live' AND id IN \
             (SELECT subject_id FROM image WHERE gallery = $1 AND template_id BETWEEN $2 AND $3) \
             AND NOT EXISTS (SELECT 1 FROM image i WHERE i.subject_id = subject.id AND i.state IN ('live', 'erasing'))",
            "DELETE FROM template_attribute WHERE gallery = $1 AND template_id BETWEEN $2 AND $3",
            "UPDATE template SET state = 'void', subject_key = NULL, image_key = NULL \
             WHERE gallery = $1 AND id BETWEEN $2 AND $3",
        ] {
            let query = sqlx::query(statement).bind(gallery.as_str()).bind(from).bind(to);
            query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        }
        Ok(())
    }
}
