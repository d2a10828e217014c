//! Kept pictures: whose sealed blobs are, and under which keys; the blobs themselves are files.

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{KEY_FILES_MAX, PICTURES_PAGE_MAX};
use crate::crypto::KeyId;
use crate::pictures::BlobName;
use crate::records::templates::IDS_PER_STATEMENT;
use crate::records::{Change, DbConnection, DbRow, Records, RecordsError, SqlBuilder};

/// A kept picture of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptPicture {
    /// Of which template.
    pub template: TemplateId,
    /// Under which key.
    pub key: KeyId,
    /// Its blob.
    pub blob: BlobName,
    /// Bytes of the picture.
    pub bytes: u64,
}

/// A blob that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingBlob {
    /// In which gallery.
    pub gallery: GalleryName,
    /// Its name.
    pub blob: BlobName,
    /// For which template.
    pub template: TemplateId,
}

/// Gives a new gallery its key.
pub(super) async fn add_key(
    connection: &mut DbConnection,
    gallery: &GalleryName,
    key: KeyId,
) -> Result<(), sqlx::Error> {
    let insert = "INSERT INTO gallery_key (key_id, gallery, made_at) VALUES ($1, $2, $3)";
    let query = sqlx::query(insert).bind(key.to_string()).bind(gallery.as_str()).bind(clock::now_rfc3339());
    query.execute(connection).await.map(drop)
}

impl Records {
    /// The key that a gallery's pictures lie under, and its files where they are sealed; `None` before the first.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn gallery_key(&self, gallery: &GalleryName) -> Result<Option<KeyId>, RecordsError> {
        let select = format!("SELECT key_id FROM {} WHERE gallery = $1 AND destroyed_at IS NULL", keys_of(gallery));
        let query = sqlx::query_scalar::<_, String>(sqlx::AssertSqlSafe(select)).bind(gallery.as_str());
        let found = query.fetch_optional(&self.pool).await.map_err(self.sql())?;
        found.map(|text| self.key_of(&text)).transpose()
    }

    /// Gives a gallery its key, unless it has one by now: the one that it has then.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn give_key(&self, caller: &Caller, gallery: &GalleryName, key: KeyId) -> Result<KeyId, RecordsError> {
        let mut change = self.begin().await?;
        let table = keys_of(gallery);
        let insert = format!(
            "INSERT INTO {table} (key_id, gallery, made_at) SELECT $1, $2, $3 WHERE NOT EXISTS \
             (SELECT 1 FROM {table} WHERE gallery = $2 AND destroyed_at IS NULL)"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(insert))
            .bind(key.to_string())
            .bind(gallery.as_str())
            .bind(clock::now_rfc3339());
        let added = query.execute(&mut *change.transaction).await.map_err(self.sql())?.rows_affected();
        if added > 0 {
            let made = Happening::new(Kind::GalleryKeyMade).of(gallery);
            let made = if gallery.is_of_submissions() { Happening::new(Kind::SubmissionKeyMade) } else { made };
            change.tell(caller, &made).await?;
            change.commit().await?;
            return Ok(key);
        }
        drop(change);
        let lost = || self.damaged("a gallery's key came and went".to_owned());
        self.gallery_key(gallery).await?.ok_or_else(lost)
    }

    /// Keys that were destroyed, with their galleries.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn destroyed_keys(&self) -> Result<Vec<(GalleryName, KeyId)>, RecordsError> {
        let select = "SELECT gallery, key_id FROM gallery_key WHERE destroyed_at IS NOT NULL ORDER BY key_id LIMIT $1";
        let query = sqlx::query(select).bind(KEY_FILES_MAX as i64);
        let rows = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        let key = |row: &DbRow| {
            let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
            let bad = |_| self.damaged("a gallery's key is of an impossible gallery".to_owned());
            Ok((text("gallery")?.parse().map_err(bad)?, self.key_of(&text("key_id")?)?))
        };
        rows.iter().map(key).collect()
    }

    /// Pictures of references that lie under a key and are not erased, at most [`PICTURES_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn pictures_under(&self, key: KeyId) -> Result<Vec<KeptPicture>, RecordsError> {
        let select = format!("{SELECT} AND p.key_id = $1 ORDER BY p.template_id LIMIT $2");
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(key.to_string()).bind(PICTURES_PAGE_MAX as i64);
        let rows = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        rows.iter().map(|row| self.picture_of(row)).collect()
    }

    /// Kept pictures of `templates` that are not erased, by template.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn pictures_of(
        &self,
        gallery: &GalleryName,
        templates: &[TemplateId],
    ) -> Result<Vec<KeptPicture>, RecordsError> {
        let mut found = Vec::new();
        for some in templates.chunks(IDS_PER_STATEMENT) {
            let mut query = SqlBuilder::new(SELECT);
            query.push(" AND p.gallery = ").push_bind(gallery.as_str().to_owned()).push(" AND p.template_id IN (");
            query.push_list(some.iter().map(|id| id.0 as i64)).push(")");
            query.push(" ORDER BY p.template_id");
            for row in query.build().fetch_all(&self.pool).await.map_err(self.sql())? {
                found.push(self.picture_of(&row)?);
            }
        }
        Ok(found)
    }

    /// Kept pictures of a gallery's live references after template `after`, by template, at most [`PICTURES_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn pictures_after(
        &self,
        gallery: &GalleryName,
        after: TemplateId,
    ) -> Result<Vec<KeptPicture>, RecordsError> {
        let select = format!(
            "{SELECT} AND p.gallery = $1 AND p.template_id > $2 AND EXISTS (SELECT 1 FROM template t \
             WHERE t.gallery = p.gallery AND t.id = p.template_id AND t.state = 'live') ORDER BY p.template_id LIMIT $3"
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(gallery.as_str()).bind(after.0 as i64);
        let rows = query.bind(PICTURES_PAGE_MAX as i64).fetch_all(&self.pool).await.map_err(self.sql())?;
        rows.iter().map(|row| self.picture_of(row)).collect()
    }

    /// Blobs that were begun, at most [`PICTURES_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn pending_blobs(&self) -> Result<Vec<PendingBlob>, RecordsError> {
        let select = "SELECT gallery, blob, template_id FROM blob_pending ORDER BY gallery, blob LIMIT $1";
        let query = sqlx::query(select).bind(PICTURES_PAGE_MAX as i64);
        let rows = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        let pending = |row: &DbRow| {
            let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
            let template: i64 = row.try_get("template_id").map_err(self.sql())?;
            let bad = || self.damaged("a blob that was begun has an impossible name".to_owned());
            Ok(PendingBlob {
                gallery: GalleryName::of_blobs(&text("gallery")?).map_err(|_| bad())?,
                blob: BlobName::parse(&text("blob")?).ok_or_else(bad)?,
                template: TemplateId(template as u64),
            })
        };
        rows.iter().map(pending).collect()
    }

    /// Takes those of `blobs` that do not count yet: from the commit on they can't come to count any more, whoever is about to make
    /// them, so that they can be erased.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn take_begun(&self, blobs: &[PendingBlob]) -> Result<Vec<PendingBlob>, RecordsError> {
        let mut taken = Vec::with_capacity(blobs.len());
        let mut change = self.begin().await?;
        for begun in blobs {
            if change.take_blob(begun).await? {
                taken.push(begun.clone());
            }
        }
        change.commit().await?;
        Ok(taken)
    }

    /// Says that blobs are about to be written: from the commit on, a start removes those that never came to count.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn begin_blobs(&self, blobs: &[PendingBlob]) -> Result<(), RecordsError> {
        let mut change = self.begin().await?;
        for PendingBlob { gallery, blob, template } in blobs {
            let insert = "INSERT INTO blob_pending (gallery, blob, template_id) VALUES ($1, $2, $3) \
                 ON CONFLICT (gallery, blob) DO UPDATE SET template_id = $3";
            let query = sqlx::query(insert).bind(gallery.as_str()).bind(blob.to_string()).bind(template.0 as i64);
            query.execute(&mut *change.transaction).await.map_err(self.sql())?;
        }
        change.commit().await
    }

    /// Says that blobs are not about to be written any more: they count, or they are gone.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn end_blobs(&self, blobs: &[PendingBlob]) -> Result<(), RecordsError> {
        let mut change = self.begin().await?;
        for PendingBlob { gallery, blob, .. } in blobs {
            change.end_blob(gallery, *blob, TAKEN).await?;
        }
        change.commit().await
    }

    fn key_of(&self, text: &str) -> Result<KeyId, RecordsError> {
        KeyId::parse(text).ok_or_else(|| self.damaged("a gallery's key has an impossible name".to_owned()))
    }

    fn picture_of(&self, row: &DbRow) -> Result<KeptPicture, RecordsError> {
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.sql());
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
        let bad = || self.damaged("a kept picture has an impossible name".to_owned());
        Ok(KeptPicture {
            template: TemplateId(number("template_id")? as u64),
            key: self.key_of(&text("key_id")?)?,
            blob: BlobName::parse(&text("blob")?).ok_or_else(bad)?,
            bytes: number("bytes")? as u64,
        })
    }
}

/// The table of keys in which that of a gallery stands, or that of submissions, which belong to none.
fn keys_of(gallery: &GalleryName) -> &'static str {
    if gallery.is_of_submissions() { "submission_key" } else { "gallery_key" }
}

/// In the place of the template of a blob that was begun and is being erased.
pub(super) const TAKEN: i64 = -1;
/// Those that are not erased.
const SELECT: &str = "SELECT p.template_id AS template_id, p.key_id AS key_id, p.blob AS blob, p.bytes AS bytes \
     FROM template_picture p WHERE p.blob NOT LIKE 'x%'";

impl Change {
    /// Makes pictures count whose blobs are there, with the references that they are of.
    ///
    /// # Errors
    /// [`RecordsError::Sql`]; [`RecordsError::NotBegun`].
    pub async fn add_pictures(&mut self, gallery: &GalleryName, pictures: &[KeptPicture]) -> Result<(), RecordsError> {
        for KeptPicture { template, key, blob, bytes } in pictures {
            self.end_begun_blob(gallery, *key, *blob).await?;
            let insert = "INSERT INTO template_picture (gallery, template_id, key_id, blob, bytes) \
                 VALUES ($1, $2, $3, $4, $5)";
            let query = sqlx::query(insert).bind(gallery.as_str()).bind(template.0 as i64).bind(key.to_string());
            let query = query.bind(blob.to_string()).bind(*bytes as i64);
            query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        }
        Ok(())
    }

    /// Says that a blob counts, which must have been begun, under a key that is in use still: it may be gone otherwise, or be
    /// nobody's to read.
    pub(super) async fn end_begun_blob(
        &mut self,
        gallery: &GalleryName,
        key: KeyId,
        blob: BlobName,
    ) -> Result<(), RecordsError> {
        let table = keys_of(gallery);
        let select =
            format!("SELECT COUNT(*) FROM {table} WHERE key_id = $1 AND gallery = $2 AND destroyed_at IS NULL");
        let query =
            sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(select)).bind(key.to_string()).bind(gallery.as_str());
        let in_use = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())? > 0;
        if in_use && self.end_blob(gallery, blob, 0).await? > 0 { Ok(()) } else { Err(RecordsError::NotBegun) }
    }

    /// Takes a blob that was begun and does not count yet; whether it was one.
    pub(super) async fn take_blob(&mut self, begun: &PendingBlob) -> Result<bool, RecordsError> {
        let update = "UPDATE blob_pending SET template_id = $3 WHERE gallery = $1 AND blob = $2";
        let query = sqlx::query(update).bind(begun.gallery.as_str()).bind(begun.blob.to_string()).bind(TAKEN);
        Ok(query.execute(&mut *self.transaction).await.map_err(self.sql())?.rows_affected() > 0)
    }

    /// Forgets that a blob was begun, for a template of at least that number; whether it was.
    async fn end_blob(&mut self, gallery: &GalleryName, blob: BlobName, least: i64) -> Result<u64, RecordsError> {
        let delete = "DELETE FROM blob_pending WHERE gallery = $1 AND blob = $2 AND template_id >= $3";
        let query = sqlx::query(delete).bind(gallery.as_str()).bind(blob.to_string()).bind(least);
        Ok(query.execute(&mut *self.transaction).await.map_err(self.sql())?.rows_affected())
    }

    /// Overwrites the name of a template's picture, whose blob is gone.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn forget_picture(&mut self, gallery: &GalleryName, id: TemplateId) -> Result<(), RecordsError> {
        let update = "UPDATE template_picture SET blob = $3 WHERE gallery = $1 AND template_id = $2";
        let query = sqlx::query(update).bind(gallery.as_str()).bind(id.0 as i64).bind("x".repeat(64));
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    /// Gives a new gallery the key under which its files lie.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn add_key(&mut self, gallery: &GalleryName, key: KeyId) -> Result<(), RecordsError> {
        add_key(&mut self.transaction, gallery, key).await.map_err(self.sql())
    }

    /// The first hold that stands on anybody in a gallery.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn hold_in(&mut self, gallery: &GalleryName) -> Result<Option<i64>, RecordsError> {
        let select = "SELECT id FROM legal_hold WHERE gallery = $1 AND lifted_at IS NULL ORDER BY id LIMIT 1";
        let query = sqlx::query_scalar(select).bind(gallery.as_str());
        query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())
    }

    /// Says that a gallery's key is being destroyed, with all pictures under it: from the commit on it is nobody's key. How
    /// many pictures that are.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn end_key(&mut self, caller: &Caller, gallery: &GalleryName, key: KeyId) -> Result<u64, RecordsError> {
        let update = "UPDATE gallery_key SET destroyed_at = $2 WHERE key_id = $1 AND destroyed_at IS NULL";
        let query = sqlx::query(update).bind(key.to_string()).bind(clock::now_rfc3339());
        query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        let count = "SELECT COUNT(*) FROM template_picture WHERE key_id = $1 AND blob NOT LIKE 'x%'";
        let query = sqlx::query_scalar::<_, i64>(count).bind(key.to_string());
        let pictures = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())? as u64;
        let destroyed = Happening::new(Kind::GalleryKeyDestroyed).of(gallery);
        self.tell(caller, &destroyed.with("pictures", Detail::Number(pictures))).await?;
        Ok(pictures)
    }
}
