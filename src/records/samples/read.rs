//! What is known of samples.

use sqlx::Row as _;

use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{SAMPLE_ITEMS_MAX, SAMPLE_PAGE_MAX};
use crate::records::samples::{Drawn, Found, ItemRecord, SampleBook, SampleRecord};
use crate::records::{DbRow, RecordsError};

impl SampleBook {
    /// One sample.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn one(&self, id: i64) -> Result<Option<SampleRecord>, RecordsError> {
        let query = sqlx::query("SELECT * FROM sample WHERE id = $1").bind(id);
        let row = query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        row.map(|row| self.sample_of(&row)).transpose()
    }

    /// Samples, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(&self, limit: usize) -> Result<Vec<SampleRecord>, RecordsError> {
        let query = sqlx::query("SELECT * FROM sample ORDER BY id DESC LIMIT $1");
        let query = query.bind(limit.min(SAMPLE_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.sample_of(row)).collect()
    }

    /// What a sample is drawn from, together with a checkpoint. For the draw alone.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn seed(&self, id: i64) -> Result<[u8; 32], RecordsError> {
        let query = sqlx::query_scalar::<_, String>("SELECT seed FROM sample WHERE id = $1").bind(id);
        let seed = query.fetch_one(&self.records.pool).await.map_err(self.records.sql())?;
        hex::decode_32(&seed).ok_or_else(|| self.records.damaged(format!("sample {id} has no seed")))
    }

    /// What was drawn, in the order of the draw.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn items(&self, id: i64) -> Result<Vec<ItemRecord>, RecordsError> {
        let select = "SELECT i.position AS position, i.object AS object, i.seq AS seq, i.actor AS actor, i.gallery AS gallery, \
             i.template_id AS template_id, i.search_id AS search_id, r.outcome AS outcome, r.person AS person, r.at AS at, \
             t.said AS said FROM sample_item i \
             LEFT JOIN sample_result r ON r.sample_id = i.sample_id AND r.position = i.position \
             LEFT JOIN sample_text t ON t.sample_id = i.sample_id AND t.position = i.position \
             WHERE i.sample_id = $1 ORDER BY i.position LIMIT $2";
        let query = sqlx::query(select).bind(id).bind(SAMPLE_ITEMS_MAX as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.item_of(row)).collect()
    }

    fn sample_of(&self, row: &DbRow) -> Result<SampleRecord, RecordsError> {
        let (text, number) = (|column: &str| self.text(row, column), |column: &str| self.number(row, column));
        let drawn = match (self.maybe_text(row, "drawn_by")?, self.maybe_text(row, "drawn_at")?) {
            (Some(by), Some(at)) => {
                let (checkpoint_seq, population) = (number("checkpoint_seq")? as u64, number("population")? as u64);
                Some(Drawn { by, at, checkpoint_seq, population })
            }
            _undrawn => None,
        };
        let gallery = self.maybe_text(row, "gallery")?.map(|name| self.gallery(&name)).transpose()?;
        Ok(SampleRecord {
            id: number("id")?,
            of: text("of_kind")?,
            gallery,
            from: text("from_at")?,
            to: text("to_at")?,
            wanted: number("wanted")? as u64,
            opened_by: text("opened_by")?,
            opened_at: text("opened_at")?,
            drawn,
        })
    }

    fn item_of(&self, row: &DbRow) -> Result<ItemRecord, RecordsError> {
        let text = |column: &str| self.maybe_text(row, column);
        let found = match (text("outcome")?, text("person")?, text("at")?) {
            (Some(outcome), Some(person), Some(at)) => {
                Some(Found { outcome, person, at, said: text("said")?.unwrap_or_default() })
            }
            _nothing => None,
        };
        let template: Option<i64> = row.try_get("template_id").map_err(self.records.sql())?;
        Ok(ItemRecord {
            position: self.number(row, "position")? as u64,
            object: self.text(row, "object")?,
            seq: self.number(row, "seq")? as u64,
            actor: self.text(row, "actor")?,
            gallery: self.gallery(&self.text(row, "gallery")?)?,
            template: template.map(|id| TemplateId(id as u64)),
            search: row.try_get("search_id").map_err(self.records.sql())?,
            found,
        })
    }

    fn maybe_text(&self, row: &DbRow, column: &str) -> Result<Option<String>, RecordsError> {
        row.try_get(column).map_err(self.records.sql())
    }

    fn text(&self, row: &DbRow, column: &str) -> Result<String, RecordsError> {
        row.try_get(column).map_err(self.records.sql())
    }

    fn number(&self, row: &DbRow, column: &str) -> Result<i64, RecordsError> {
        row.try_get(column).map_err(self.records.sql())
    }

    fn gallery(&self, name: &str) -> Result<GalleryName, RecordsError> {
        name.parse().map_err(|_| self.records.damaged("a sample is of a gallery that none can be called".to_owned()))
    }
}
