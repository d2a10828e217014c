//! What is personal about subjects goes with their images: references and whatever was written about them is overwritten with as
//! many bytes, so that no row leaves its place.

use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::SUBJECT_MERGES_MAX;
use crate::records::{Change, RecordsError};

/// The subjects that an image ever belonged to.
const OF_IMAGE: &str = "SELECT subject_id FROM image WHERE id = $1 \
     UNION SELECT m.from_subject FROM subject_move m JOIN subject_move_image mi ON mi.move_id = m.id WHERE mi.image_id = $1 \
     UNION SELECT m.to_subject FROM subject_move m JOIN subject_move_image mi ON mi.move_id = m.id WHERE mi.image_id = $1";

/// A subject goes when it has no image left; one whose images were given to others only when none of these can come back.
const GONE: &str = "UPDATE subject SET state = 'erased', subject_key = NULL, merged_into = NULL, restricted_at = NULL, erased_at = $2 \
     WHERE id = $1 AND state IN ('live', 'merged', 'empty') \
     AND NOT EXISTS (SELECT 1 FROM image i WHERE i.subject_id = $1 AND i.state IN ('live', 'erasing')) \
     AND (state = 'live' OR NOT EXISTS (SELECT 1 FROM subject_move m JOIN subject_move_image mi ON mi.move_id = m.id \
     JOIN image i ON i.id = mi.image_id WHERE m.from_subject = $1 AND m.undone_at IS NULL AND i.state IN ('live', 'erasing')))";

impl Change {
    /// The erasure of an image began: nothing can be done with it any more.
    pub(in crate::records) async fn begin_image_erasure(
        &mut self,
        gallery: &GalleryName,
        template: TemplateId,
    ) -> Result<(), RecordsError> {
        let update = "UPDATE image SET state = 'erasing', review_due = NULL, expires = NULL \
             WHERE gallery = $1 AND template_id = $2 AND state = 'live'";
        let query = sqlx::query(update).bind(gallery.as_str()).bind(template.0 as i64);
        query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }

    /// Removes what is known of a template's image, and the subjects that have none left by it.
    pub(in crate::records) async fn forget_image(
        &mut self,
        gallery: &GalleryName,
        template: TemplateId,
    ) -> Result<(), RecordsError> {
        let update = "UPDATE image SET state = 'erased', captured_on = NULL, pose = 'unknown', lawful_basis = NULL, \
             disposal = 'none_yet', disposed_on = NULL, under18 = NULL, review_group = NULL, review_on = NULL, expires_on = NULL, \
             kept_until = NULL, review_due = NULL, expires = NULL WHERE gallery = $1 AND template_id = $2 RETURNING id";
        let query = sqlx::query_scalar::<_, i64>(update).bind(gallery.as_str()).bind(template.0 as i64);
        let Some(image) = query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())? else {
            return Ok(());
        };
        self.overwrite("subject_note", &["said"], "image_id = $1", &[image.into()]).await?;
        let reviews = "UPDATE retention_review SET state = CASE decision WHEN 'delete' THEN 'done' ELSE 'dropped' END \
             WHERE image_id = $1 AND state IN ('open', 'stands')";
        sqlx::query(reviews).bind(image).execute(&mut *self.transaction).await.map_err(self.sql())?;
        let of = sqlx::query_scalar::<_, i64>(OF_IMAGE).bind(image);
        let mut subjects = of.fetch_all(&mut *self.transaction).await.map_err(self.sql())?;
        for _round in 0..SUBJECT_MERGES_MAX {
            let mut merged = Vec::new();
            for subject in subjects {
                merged.extend(self.forget_subject(subject).await?);
            }
            if merged.is_empty() {
                break;
            }
            subjects = merged;
        }
        Ok(())
    }

    /// Forgets a subject that has no image left; gives those that were merged into it.
    async fn forget_subject(&mut self, subject: i64) -> Result<Vec<i64>, RecordsError> {
        let query = sqlx::query(GONE).bind(subject).bind(clock::now_rfc3339());
        let gone = query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        if gone.rows_affected() == 0 {
            return Ok(Vec::new());
        }
        let them = [subject.into()];
        self.overwrite("subject_reference", &["reference"], "subject_id = $1", &them).await?;
        self.overwrite("subject_note", &["said"], "subject_id = $1", &them).await?;
        self.overwrite("subject_note", &["said"], "other_id = $1", &them).await?;
        // Nobody is one with somebody who is gone.
        let merged = "UPDATE subject SET state = 'empty', merged_into = NULL WHERE merged_into = $1 RETURNING id";
        sqlx::query_scalar(merged).bind(subject).fetch_all(&mut *self.transaction).await.map_err(self.sql())
    }
}
