//! Changes of samples: each with its event, or not at all.

use crate::audit::{Happening, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{RECORD_TEXT_BYTES_MAX, SAMPLE_ITEMS_MAX, SAMPLES_MAX};
use crate::records::samples::{About, Drawn, Found, NewItem, NewSample, Opened, SampleBook};
use crate::records::{Change, RecordsError};

impl SampleBook {
    /// Opens a sample as `happening` tells, unless there is one of the same things, of a time that has a part of this one's.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn open(&self, sample: &NewSample, happening: Happening) -> Result<Opened, RecordsError> {
        let NewSample { of, gallery, from, to, wanted, seed, person } = sample;
        let gallery = gallery.as_ref().map(GalleryName::as_str);
        let mut change = self.records.begin().await?;
        let select = "SELECT id FROM sample WHERE of_kind = $1 AND (gallery IS NULL OR $2 IS NULL OR gallery = $2) \
             AND from_at < $4 AND $3 < to_at ORDER BY id LIMIT 1";
        let query = sqlx::query_scalar(select).bind(*of).bind(gallery).bind(from).bind(to);
        if let Some(id) = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())? {
            return Ok(Opened::Overlaps(id));
        }
        let insert = "INSERT INTO sample (id, of_kind, gallery, from_at, to_at, wanted, seed, opened_by, opened_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM sample), $1, $2, $3, $4, $5, $6, $7, $8 \
             WHERE (SELECT COUNT(*) FROM sample) < $9 RETURNING id";
        let id: Option<i64> = sqlx::query_scalar(insert)
            .bind(*of)
            .bind(gallery)
            .bind(from)
            .bind(to)
            .bind(*wanted as i64)
            .bind(hex::encode(seed))
            .bind(person)
            .bind(clock::now_rfc3339())
            .bind(SAMPLES_MAX as i64)
            .fetch_optional(&mut *change.transaction)
            .await
            .map_err(change.sql())?;
        let Some(id) = id else { return Err(RecordsError::TooMany { what: "samples", limit: SAMPLES_MAX }) };
        change.tell(&self.caller, &happening.about([Object::Sample(id)])).await?;
        change.commit().await?;
        Ok(Opened::New(id))
    }

    /// Keeps a draw as `happening` tells; whether it did. It does not where it was drawn before.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn draw(
        &self,
        sample: i64,
        drawn: &Drawn,
        items: &[NewItem],
        happening: &Happening,
    ) -> Result<bool, RecordsError> {
        if items.len() > SAMPLE_ITEMS_MAX {
            return Err(RecordsError::TooMany { what: "items of one sample", limit: SAMPLE_ITEMS_MAX });
        }
        let mut change = self.records.begin().await?;
        let update = "UPDATE sample SET drawn_by = $2, drawn_at = $3, checkpoint_seq = $4, population = $5 \
             WHERE id = $1 AND drawn_at IS NULL";
        let query = sqlx::query(update).bind(sample).bind(&drawn.by).bind(&drawn.at);
        let query = query.bind(drawn.checkpoint_seq as i64).bind(drawn.population as i64);
        let made = query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        if made.rows_affected() != 1 {
            return Ok(false);
        }
        for (position, item) in (1..).zip(items) {
            change.add_item(sample, position, item).await?;
        }
        change.tell(&self.caller, happening).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Keeps what a supervisor found of an item, as `happening` tells; whether it did. It does not where somebody did before. `shown` are
    /// the templates that it is about and that were not erased when it was read, in their gallery.
    ///
    /// # Errors
    /// [`RecordsError::ErasedSince`], [`RecordsError::ListEmptied`], [`RecordsError::TooMany`], [`RecordsError::Sql`],
    /// [`RecordsError::Damaged`].
    pub async fn record(
        &self,
        (sample, position): (i64, u64),
        found: &Found,
        (gallery, shown): (&GalleryName, &[TemplateId]),
        happening: &Happening,
    ) -> Result<bool, RecordsError> {
        let Found { outcome, person, at, said } = found;
        if said.len() > RECORD_TEXT_BYTES_MAX {
            return Err(RecordsError::TooMany { what: "bytes of a reason", limit: RECORD_TEXT_BYTES_MAX });
        }
        let mut change = self.records.begin().await?;
        let select = "SELECT search_id FROM sample_item WHERE sample_id = $1 AND position = $2";
        let query = sqlx::query_scalar::<_, Option<i64>>(select).bind(sample).bind(position as i64);
        let drawn = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        if let Some(Some(search)) = drawn {
            change.refuse_emptied(search).await?;
        }
        change.refuse_erased_since(gallery, shown).await?;
        let insert = "INSERT INTO sample_result (sample_id, position, outcome, person, at) SELECT $1, $2, $3, $4, $5 \
             WHERE NOT EXISTS (SELECT 1 FROM sample_result WHERE sample_id = $1 AND position = $2)";
        let query = sqlx::query(insert).bind(sample).bind(position as i64).bind(outcome).bind(person).bind(at);
        let made = query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        if made.rows_affected() != 1 {
            return Ok(false);
        }
        let insert = "INSERT INTO sample_text (sample_id, position, said) VALUES ($1, $2, $3)";
        let query = sqlx::query(insert).bind(sample).bind(position as i64).bind(said);
        query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        change.tell(&self.caller, happening).await?;
        change.commit().await?;
        Ok(true)
    }
}

impl Change {
    async fn add_item(&mut self, sample: i64, position: i64, item: &NewItem) -> Result<(), RecordsError> {
        let NewItem { object, seq, actor, gallery, about } = item;
        let (template, search, review) = match *about {
            About::Template(id) => (Some(id.0 as i64), None, None),
            About::Search(id) => (None, Some(id), None),
            About::Review(id) => (None, None, Some(id)),
        };
        let insert = "INSERT INTO sample_item (sample_id, position, object, seq, actor, gallery, template_id, search_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, COALESCE($8, (SELECT search_id FROM review WHERE id = $9)))";
        sqlx::query(insert)
            .bind(sample)
            .bind(position)
            .bind(object)
            .bind(*seq as i64)
            .bind(actor)
            .bind(gallery)
            .bind(template)
            .bind(search)
            .bind(review)
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }

    /// Overwrites what supervisors wrote about the enrolment of a template, and about searches that showed it, with as many
    /// `x`: such words may be about the person. What they found stays.
    pub(in crate::records) async fn forget_samples_about(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        // Begins with what was drawn, which is little.
        let which = "EXISTS (SELECT 1 FROM sample_item i \
             WHERE i.sample_id = sample_text.sample_id AND i.position = sample_text.position AND i.gallery = $1 \
             AND (i.template_id = $2 OR EXISTS (SELECT 1 FROM search_candidate c \
             WHERE c.search_id = i.search_id AND c.template_id = $2)))";
        self.overwrite("sample_text", &["said"], which, &[gallery.as_str().into(), (id.0 as i64).into()]).await
    }
}
