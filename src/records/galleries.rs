//! Galleries: one row each, with the two numbers that say what of their files counts.

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind};
use crate::base::hex;
use crate::base::ids::{GalleryName, ModelId};
use crate::base::limits::GALLERIES_MAX;
use crate::records::{Change, DbRow, Records, RecordsError};
use crate::segment::Precision;
use crate::settings::storage::Storage;
use crate::vector::dimension::Dimension;

/// A gallery as the records know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GalleryRecord {
    /// Its name.
    pub name: GalleryName,
    /// What it is for, in the words of who made it.
    pub purpose: String,
    /// Which model made its templates.
    pub model: ModelId,
    /// Numbers of each template.
    pub dimension: Dimension,
    /// How originals are kept.
    pub originals: Precision,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Templates up to this id count.
    pub last_template_id: u64,
    /// Rises with every committed change.
    pub snapshot_number: u64,
    /// How graphs for approximate searches are kept up, as the layer above wrote it; `None` where nobody asked for any.
    pub graph_plan: Option<String>,
    /// How its files lie on disk.
    pub storage: Storage,
}

const SELECT: &str = "SELECT * FROM gallery ORDER BY name LIMIT $1";
const SELECT_ONE: &str = "SELECT * FROM gallery WHERE name = $1";

impl Records {
    /// All galleries by name.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn galleries(&self) -> Result<Vec<GalleryRecord>, RecordsError> {
        let rows = sqlx::query(SELECT).bind(GALLERIES_MAX as i64).fetch_all(&self.pool).await.map_err(self.sql())?;
        rows.iter().map(|row| self.gallery_of(row)).collect()
    }

    /// One gallery.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn gallery(&self, name: &GalleryName) -> Result<Option<GalleryRecord>, RecordsError> {
        let row = sqlx::query(SELECT_ONE).bind(name.as_str()).fetch_optional(&self.pool).await.map_err(self.sql())?;
        row.map(|row| self.gallery_of(&row)).transpose()
    }

    /// Says how a gallery's graphs are to be kept up; `None` for not at all.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn set_graph_plan(
        &self,
        caller: &Caller,
        gallery: &GalleryName,
        plan: Option<&str>,
    ) -> Result<(), RecordsError> {
        let mut change = self.begin().await?;
        let query = sqlx::query("UPDATE gallery SET graph_plan = $2 WHERE name = $1").bind(gallery.as_str());
        query.bind(plan.map(str::to_owned)).execute(&mut *change.transaction).await.map_err(self.sql())?;
        let kind = if plan.is_some() { Kind::GraphKept } else { Kind::GraphEnded };
        change.tell(caller, &Happening::new(kind).of(gallery)).await?;
        change.commit().await
    }

    fn gallery_of(&self, row: &DbRow) -> Result<GalleryRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.sql());
        let bad = |what: &str| self.damaged(format!("a gallery has an impossible {what}"));
        let hash = hex::decode_32(&text("model_hash")?).ok_or_else(|| bad("model hash"))?;
        let dimension = usize::try_from(number("dimension")?).ok().and_then(|count| Dimension::new(count).ok());
        Ok(GalleryRecord {
            name: text("name")?.parse().map_err(|_| bad("name"))?,
            purpose: text("purpose")?,
            model: ModelId { name: text("model_name")?, hash },
            dimension: dimension.ok_or_else(|| bad("dimension"))?,
            originals: text("originals")?.parse().map_err(|_| bad("precision"))?,
            created_at: text("created_at")?,
            last_template_id: u64::try_from(number("last_template_id")?).map_err(|_| bad("last template"))?,
            snapshot_number: u64::try_from(number("snapshot_number")?).map_err(|_| bad("snapshot number"))?,
            graph_plan: row.try_get("graph_plan").map_err(self.sql())?,
            storage: match row.try_get::<String, _>("storage") {
                // A copy that was made before there was another kind.
                Err(sqlx::Error::ColumnNotFound(_)) => Storage::Mapped,
                text => text.map_err(self.sql())?.parse().map_err(|_| bad("kind of files"))?,
            },
        })
    }
}

impl Change {
    /// Adds a gallery.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], also when the name is taken.
    pub async fn add_gallery(&mut self, gallery: &GalleryRecord) -> Result<(), RecordsError> {
        let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM gallery")
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        if count >= GALLERIES_MAX as i64 {
            return Err(RecordsError::TooMany { what: "galleries", limit: GALLERIES_MAX });
        }
        let insert = "INSERT INTO gallery (name, purpose, model_name, model_hash, dimension, originals, created_at, \
             last_template_id, snapshot_number, storage) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        sqlx::query(insert)
            .bind(gallery.name.as_str())
            .bind(&gallery.purpose)
            .bind(&gallery.model.name)
            .bind(gallery.model.hash_hex())
            .bind(gallery.dimension.get() as i64)
            .bind(gallery.originals.as_str())
            .bind(&gallery.created_at)
            .bind(gallery.last_template_id as i64)
            .bind(gallery.snapshot_number as i64)
            .bind(gallery.storage.as_str())
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }

    /// Declares that templates up to `last_template_id` count, and gives the number of the snapshot that shows them.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn advance(&mut self, gallery: &GalleryName, last_template_id: u64) -> Result<u64, RecordsError> {
        let update = "UPDATE gallery SET last_template_id = $2, snapshot_number = snapshot_number + 1 \
             WHERE name = $1 AND last_template_id <= $2 RETURNING snapshot_number";
        let number: i64 = sqlx::query_scalar(update)
            .bind(gallery.as_str())
            .bind(last_template_id as i64)
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(number as u64)
    }
}
