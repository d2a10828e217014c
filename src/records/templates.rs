//! References: which template belongs to which subject and image, and what is left of it after an erasure.

use std::collections::HashMap;

use sha2::{Digest, Sha256};
use sqlx::Row as _;

use crate::base::hex;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::policy::DatedFacts;
use crate::records::subjects::{images_subjects, named_subjects};
use crate::records::{Attribute, Change, DbRow, Records, RecordsError, SqlBuilder};

/// Ids asked for in one statement: far below what either data base takes.
pub(super) const IDS_PER_STATEMENT: usize = 500;

/// What is kept about a new reference.
#[derive(Debug, Clone)]
pub struct NewDetail {
    /// Its template.
    pub id: TemplateId,
    /// Whose.
    pub subject: SubjectRef,
    /// Where it came from.
    pub image: ReferenceImage,
    /// By what searches may be restricted to it; not filled in where references are read.
    pub attributes: Vec<Attribute>,
    /// What is known of its image; not filled in where references are read.
    pub about: DatedFacts,
}

/// The image behind a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceImage {
    /// Hash of the image file.
    pub sha256: [u8; 32],
    /// Where it came from: a file's name.
    pub source: String,
    /// Width in pixels.
    pub width_px: u32,
    /// Height in pixels.
    pub height_px: u32,
    /// Quality measures, as the layer above wrote them.
    pub quality_json: String,
    /// When it was enrolled, RFC 3339.
    pub enrolled_at: String,
}

/// What the records say about a template. (Ids that an import took and gave up are `void`, and no template's.)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateState {
    /// It may be found.
    Live,
    /// Its erasure was begun: it is out of every new search.
    Erasing,
    /// It is gone.
    Erased,
}

impl TemplateState {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "live" => Some(Self::Live),
            "erasing" => Some(Self::Erasing),
            "erased" => Some(Self::Erased),
            _other => None,
        }
    }
}

/// A 63-bit number by which a subject is looked up; equal numbers are compared as text afterwards.
pub(super) fn subject_key(subject: &SubjectRef) -> i64 {
    let digest: [u8; 32] = Sha256::digest(subject.as_str().as_bytes()).into();
    image_key(&digest)
}

/// The same of an image, from its hash.
fn image_key(sha256: &[u8; 32]) -> i64 {
    sha256.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes) & i64::MAX)
}

impl Records {
    /// Which of `images` are enrolled: their template, subject, and whether it is live (or being erased).
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn images(
        &self,
        gallery: &GalleryName,
        images: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], (NewDetail, bool)>, RecordsError> {
        let mut found = HashMap::new();
        for some in images.chunks(IDS_PER_STATEMENT) {
            let mut query = select_details(gallery);
            query.push(" AND t.image_key IN (");
            query.push_list(some.iter().map(image_key)).push(")");
            for row in query.build().fetch_all(&self.pool).await.map_err(self.sql())? {
                let (detail, live) = self.detail_of(&row)?;
                if some.contains(&detail.image.sha256) {
                    found.insert(detail.image.sha256, (detail, live));
                }
            }
        }
        Ok(found)
    }

    /// Details of live references among `ids`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn details(
        &self,
        gallery: &GalleryName,
        ids: &[TemplateId],
    ) -> Result<HashMap<TemplateId, NewDetail>, RecordsError> {
        let mut found = HashMap::with_capacity(ids.len());
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut query = select_details(gallery);
            query.push(" AND t.state = 'live' AND t.id IN (");
            query.push_list(some.iter().map(|id| id.0 as i64)).push(")");
            for row in query.build().fetch_all(&self.pool).await.map_err(self.sql())? {
                let (detail, _live) = self.detail_of(&row)?;
                found.insert(detail.id, detail);
            }
        }
        Ok(found)
    }

    /// Live templates of a subject, ascending; of whom it was merged into, where it was.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn templates_of(
        &self,
        gallery: &GalleryName,
        subject: &SubjectRef,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let mut connection = self.pool.acquire().await.map_err(self.sql())?;
        let ids = named_subjects(&mut connection, gallery, &[subject]).await.map_err(self.sql())?;
        let found = images_subjects(&mut connection, gallery, &ids).await.map_err(self.sql())?;
        Ok(found.into_iter().map(|id| TemplateId(id as u64)).collect())
    }

    /// The state of those of `ids` that have a row: live, erasing or erased.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn states(
        &self,
        gallery: &GalleryName,
        ids: &[TemplateId],
    ) -> Result<HashMap<TemplateId, String>, RecordsError> {
        let mut found = HashMap::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut query = SqlBuilder::new("SELECT id, state FROM template WHERE gallery = ");
            query.push_bind(gallery.as_str().to_owned()).push(" AND id IN (");
            query.push_list(some.iter().map(|id| id.0 as i64)).push(")");
            for row in query.build().fetch_all(&self.pool).await.map_err(self.sql())? {
                let id: i64 = row.try_get("id").map_err(self.sql())?;
                found.insert(TemplateId(id as u64), row.try_get("state").map_err(self.sql())?);
            }
        }
        Ok(found)
    }

    /// Rows after template `after`, ascending, at most `count`: every enrolled template, and synthetic ones that were erased.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn states_after(
        &self,
        gallery: &GalleryName,
        after: TemplateId,
        count: usize,
    ) -> Result<Vec<(TemplateId, TemplateState)>, RecordsError> {
        let select = "SELECT id, state FROM template WHERE gallery = $1 AND id > $2 AND state <> 'void' \
             AND id <= (SELECT last_template_id FROM gallery WHERE name = $1) ORDER BY id LIMIT $3";
        let query = sqlx::query(select).bind(gallery.as_str()).bind(after.0 as i64).bind(count as i64);
        let rows = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        let state = |row: &DbRow| {
            let id: i64 = row.try_get("id").map_err(self.sql())?;
            let state = TemplateState::parse(row.try_get("state").map_err(self.sql())?);
            Ok((
                TemplateId(id as u64),
                state.ok_or_else(|| self.damaged("a template has an unknown state".to_owned()))?,
            ))
        };
        rows.iter().map(state).collect()
    }

    /// Templates whose erasure was begun and is not finished, ascending.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn erasing(&self, gallery: &GalleryName) -> Result<Vec<TemplateId>, RecordsError> {
        // Both conditions, so that the partial index serves.
        let select = "SELECT id FROM template WHERE gallery = $1 AND state <> 'live' AND state = 'erasing' ORDER BY id";
        let ids: Vec<i64> =
            sqlx::query_scalar(select).bind(gallery.as_str()).fetch_all(&self.pool).await.map_err(self.sql())?;
        Ok(ids.into_iter().map(|id| TemplateId(id as u64)).collect())
    }

    /// How many templates were erased, unfinished erasures included.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn erased_count(&self, gallery: &GalleryName) -> Result<u64, RecordsError> {
        let select = "SELECT COUNT(*) FROM template WHERE gallery = $1 AND state <> 'live' AND state <> 'void'";
        let count: i64 =
            sqlx::query_scalar(select).bind(gallery.as_str()).fetch_one(&self.pool).await.map_err(self.sql())?;
        Ok(count as u64)
    }

    fn detail_of(&self, row: &DbRow) -> Result<(NewDetail, bool), RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.sql());
        let bad = |what: &str| self.damaged(format!("a reference has an impossible {what}"));
        let pixels = |column: &str| u32::try_from(number(column)?).map_err(|_| bad(column));
        let image = ReferenceImage {
            sha256: hex::decode_32(&text("image_sha256")?).ok_or_else(|| bad("image hash"))?,
            source: text("source")?,
            width_px: pixels("width_px")?,
            height_px: pixels("height_px")?,
            quality_json: text("quality")?,
            enrolled_at: text("enrolled_at")?,
        };
        let subject = text("subject")?.parse().map_err(|_| bad("subject"))?;
        let id = TemplateId(u64::try_from(number("id")?).map_err(|_| bad("template"))?);
        let (attributes, about) = (Vec::new(), DatedFacts::default());
        Ok((NewDetail { id, subject, image, attributes, about }, text("state")? == "live"))
    }
}

impl Change {
    /// As [`Records::templates_of`], as of this change.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn templates_of(
        &mut self,
        gallery: &GalleryName,
        subject: &SubjectRef,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let ids = named_subjects(&mut self.transaction, gallery, &[subject]).await.map_err(self.sql())?;
        let found = images_subjects(&mut self.transaction, gallery, &ids).await.map_err(self.sql())?;
        Ok(found.into_iter().map(|id| TemplateId(id as u64)).collect())
    }

    /// Adds live references with their attributes, in ascending template ids.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn add_references(&mut self, gallery: &GalleryName, new: &[NewDetail]) -> Result<(), RecordsError> {
        for some in new.chunks(IDS_PER_STATEMENT) {
            let mut templates = SqlBuilder::new("INSERT INTO template (gallery, id, state, image_key) ");
            templates.push_values(some, |row, new| {
                row.push_bind(gallery.as_str()).push_bind(new.id.0 as i64).push_bind("live");
                row.push_bind(image_key(&new.image.sha256));
            });
            templates.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
            let mut details = SqlBuilder::new(
                "INSERT INTO reference_detail (gallery, template_id, subject, image_sha256, source, quality, width_px, \
                 height_px, enrolled_at) ",
            );
            details.push_values(some, |row, new| {
                // What the subject is called stands in one place, where it can be changed and erased.
                row.push_bind(gallery.as_str()).push_bind(new.id.0 as i64).push_bind("");
                row.push_bind(hex::encode(&new.image.sha256)).push_bind(new.image.source.as_str());
                row.push_bind(new.image.quality_json.as_str()).push_bind(i64::from(new.image.width_px));
                row.push_bind(i64::from(new.image.height_px)).push_bind(new.image.enrolled_at.as_str());
            });
            details.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
            self.add_attributes(gallery, some).await?;
            self.add_images(gallery, some).await?;
        }
        Ok(())
    }

    /// Begins an erasure: from the commit on no list may show the template. One without a row (a synthetic one) gets one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn begin_erasure(&mut self, gallery: &GalleryName, id: TemplateId) -> Result<(), RecordsError> {
        let insert = "INSERT INTO template (gallery, id, state) VALUES ($1, $2, 'erasing') \
             ON CONFLICT (gallery, id) DO UPDATE SET state = 'erasing' WHERE template.state = 'live'";
        sqlx::query(insert)
            .bind(gallery.as_str())
            .bind(id.0 as i64)
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        self.begin_image_erasure(gallery, id).await?;
        self.unlist_attributes(gallery, id).await
    }

    /// Removes what is personal about a template: texts are overwritten with as many `x`, those of reviews that named it as a
    /// candidate too, the keys with nothing.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn forget(&mut self, gallery: &GalleryName, id: TemplateId) -> Result<(), RecordsError> {
        let (of_it, detail) =
            ([gallery.as_str().into(), (id.0 as i64).into()], ["subject", "image_sha256", "source", "quality"]);
        self.overwrite("reference_detail", &detail, "gallery = $1 AND template_id = $2", &of_it).await?;
        self.forget_attributes(gallery, id).await?;
        self.forget_words_about(gallery, id).await?;
        self.forget_image(gallery, id).await?;
        self.forget_samples_about(gallery, id).await?;
        self.forget_disclosures_about(gallery, id).await?;
        self.forget_picture(gallery, id).await?;
        // Last: what was said about lists, and which packs they went into, is found by who stands on them.
        self.keep_packs_of(gallery, id).await?;
        self.forget_listed(gallery, id).await?;
        sqlx::query("UPDATE template SET subject_key = NULL, image_key = NULL WHERE gallery = $1 AND id = $2")
            .bind(gallery.as_str())
            .bind(id.0 as i64)
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }

    /// Declares an erasure done.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn finish_erasure(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
        at: &str,
    ) -> Result<(), RecordsError> {
        sqlx::query("UPDATE template SET state = 'erased', erased_at = $3 WHERE gallery = $1 AND id = $2")
            .bind(gallery.as_str())
            .bind(id.0 as i64)
            .bind(at.to_owned())
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }
}

fn select_details(gallery: &GalleryName) -> SqlBuilder {
    let mut query = SqlBuilder::new(
        "SELECT t.id, t.state, r.reference AS subject, d.image_sha256, d.source, d.quality, d.width_px, d.height_px, \
         d.enrolled_at FROM template t JOIN reference_detail d ON d.gallery = t.gallery AND d.template_id = t.id \
         JOIN image i ON i.gallery = t.gallery AND i.template_id = t.id \
         JOIN subject_reference r ON r.subject_id = i.subject_id WHERE t.gallery = ",
    );
    query.push_bind(gallery.as_str().to_owned());
    // Later ones belong to an import under way.
    query.push(" AND t.id <= (SELECT last_template_id FROM gallery WHERE name = ");
    query.push_bind(gallery.as_str().to_owned()).push(")");
    query
}
