//! What is due, what was decided about it, and what goes. Dates are reckoned above; here they are kept and found.

use sqlx::Row as _;

use crate::audit::{Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::{RECKONED_AT_ONCE, SUBJECT_PAGE_MAX};
use crate::policy::{Clock, ImageFacts};
use crate::records::subjects::read::{IMAGE, statement_of};
use crate::records::subjects::{ImageRecord, SubjectBook, SubjectError};
use crate::records::{Change, DbRow, RecordsError};

/// An image that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueImage {
    /// What is known of it.
    pub image: ImageRecord,
    /// What its subject is called.
    pub called: Option<SubjectRef>,
    /// A hold that stands on its subject.
    pub held: Option<i64>,
    /// A decision that stands, or waits for a second person: `delete`, `keep`.
    pub decided: Option<String>,
}

/// Somebody who wants an image kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keep {
    /// Until when.
    pub until: Day,
    /// Its dates then.
    pub clock: Clock,
    /// Whether somebody else has to agree.
    pub takes_two: bool,
}

/// What came of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It stands.
    Stands,
    /// It waits for somebody else who decides the same.
    WaitsForAnother,
}

/// An image that is to be erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToErase {
    /// Its number.
    pub image: i64,
    /// Its template.
    pub template: TemplateId,
    /// Its subject.
    pub subject: i64,
    /// A hold that stands on its subject.
    pub held: Option<i64>,
}

const HELD: &str =
    "(SELECT MIN(h.id) FROM legal_hold h WHERE h.subject_id = i.subject_id AND h.lifted_at IS NULL) AS held";

impl SubjectBook {
    /// Gives dates to images that have none yet, some hundred at once; how many.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn reckon(
        &self,
        gallery: &GalleryName,
        clock: impl Fn(&ImageFacts, Day) -> Clock + Send,
    ) -> Result<usize, RecordsError> {
        let mut change = self.records.begin().await?;
        let select = statement_of(
            IMAGE,
            "WHERE i.gallery = $1 AND i.review_due IS NULL AND i.state = 'live' ORDER BY i.id LIMIT $2",
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(gallery.as_str()).bind(RECKONED_AT_ONCE as i64);
        let rows = query.fetch_all(&mut *change.transaction).await.map_err(change.sql())?;
        for row in &rows {
            let image = self.records.image_of(row)?;
            change.set_clock(image.id, clock(&image.facts, image.created_on), image.kept_until).await?;
        }
        change.commit().await?;
        Ok(rows.len())
    }

    /// Images whose date came by `day`, the longest due first, after an image of that date and number, at most `limit`: for
    /// their review, or, `overdue`, for their end.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn due(
        &self,
        gallery: &GalleryName,
        (day, overdue): (Day, bool),
        after: Option<(Day, i64)>,
        limit: usize,
    ) -> Result<Vec<DueImage>, RecordsError> {
        let (after_day, after_id) = after.map_or((String::new(), 0), |(day, id)| (day.to_string(), id));
        let rest = if overdue {
            "WHERE i.gallery = $1 AND i.expires <= $2 AND (i.expires, i.id) > ($3, $4) AND i.template_id <= \
             (SELECT last_template_id FROM gallery WHERE name = $1) ORDER BY i.expires, i.id LIMIT $5"
        } else {
            "WHERE i.gallery = $1 AND i.review_due <= $2 AND (i.review_due, i.id) > ($3, $4) AND i.template_id <= \
             (SELECT last_template_id FROM gallery WHERE name = $1) ORDER BY i.review_due, i.id LIMIT $5"
        };
        let select = statement_of(IMAGE, rest);
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(gallery.as_str()).bind(day.to_string());
        let query = query.bind(after_day).bind(after_id).bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            found.push(self.due_of(row).await?);
        }
        Ok(found)
    }

    async fn due_of(&self, row: &DbRow) -> Result<DueImage, RecordsError> {
        let image = self.records.image_of(row)?;
        let select = "SELECT r.reference AS reference, (SELECT MIN(h.id) FROM legal_hold h WHERE h.subject_id = r.subject_id \
             AND h.lifted_at IS NULL) AS held, (SELECT MIN(v.decision) FROM retention_review v WHERE v.image_id = $2 \
             AND v.state IN ('open', 'stands') AND (v.state = 'open' OR v.decision = 'delete')) AS decided \
             FROM subject_reference r WHERE r.subject_id = $1";
        let query = sqlx::query(select).bind(image.subject).bind(image.id);
        let more = query.fetch_one(&self.records.pool).await.map_err(self.records.sql())?;
        let text: String = more.try_get("reference").map_err(self.records.sql())?;
        let held = more.try_get("held").map_err(self.records.sql())?;
        let decided = more.try_get("decided").map_err(self.records.sql())?;
        Ok(DueImage { image, called: text.parse().ok(), held, decided })
    }

    /// Images that were decided to go or whose time is over on `day`, after number `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn to_erase(
        &self,
        gallery: &GalleryName,
        (day, after): (Day, i64),
        limit: usize,
    ) -> Result<Vec<ToErase>, RecordsError> {
        let select = statement_of(
            "SELECT i.id AS id, i.template_id AS template_id, i.subject_id AS subject_id, ",
            HELD,
        ) + " FROM image i WHERE i.state = 'live' AND i.id > $3 AND i.id IN (SELECT id FROM image WHERE gallery = $1 AND expires <= $2 \
             UNION SELECT image_id FROM retention_review WHERE gallery = $1 AND decision = 'delete' AND state = 'stands') \
             AND i.template_id <= (SELECT last_template_id FROM gallery WHERE name = $1) ORDER BY i.id LIMIT $4";
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(gallery.as_str()).bind(day.to_string()).bind(after);
        let query = query.bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let one = |row: &DbRow| {
            Ok(ToErase {
                image: row.try_get("id")?,
                template: TemplateId(row.try_get::<i64, _>("template_id")? as u64),
                subject: row.try_get("subject_id")?,
                held: row.try_get("held")?,
            })
        };
        rows.iter().map(one).collect::<Result<_, sqlx::Error>>().map_err(self.records.sql())
    }

    /// Decides that an image is kept, as `ask` makes it of what is known of it.
    ///
    /// # Errors
    /// [`SubjectError::SamePerson`], what `ask` refuses as [`SubjectError::Decision`], and the others.
    pub async fn decide_keep(
        &self,
        gallery: &GalleryName,
        image: i64,
        reason: &str,
        ask: impl FnOnce(&ImageRecord) -> Result<Keep, String> + Send,
    ) -> Result<Decided, SubjectError> {
        let mut change = self.records.begin().await?;
        let found = self.image_in(&mut change, gallery, image).await?;
        let Keep { until, clock, takes_two } = ask(&found).map_err(SubjectError::Decision)?;
        let select = "SELECT id, person FROM retention_review WHERE image_id = $1 AND state = 'open' AND decision = 'keep' \
             AND until = $2 ORDER BY id DESC LIMIT 1";
        let query = sqlx::query_as::<_, (i64, String)>(select).bind(image).bind(until.to_string());
        let first = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        let (id, decided) = match first {
            Some((_, person)) if person == self.person() => return Err(SubjectError::SamePerson),
            Some((id, _)) => {
                change.drop_reviews(image).await?;
                let update = "UPDATE retention_review SET state = 'stands', second_person = $2 WHERE id = $1";
                let query = sqlx::query(update).bind(id).bind(self.person());
                query.execute(&mut *change.transaction).await.map_err(change.sql())?;
                (id, Decided::Stands)
            }
            None => {
                let state = if takes_two { "open" } else { "stands" };
                let id = self.add_review(&mut change, gallery, image, ("keep", Some(until), state)).await?;
                (id, if takes_two { Decided::WaitsForAnother } else { Decided::Stands })
            }
        };
        if decided == Decided::Stands {
            change.set_clock(image, clock, Some(until)).await?;
        }
        change.note((found.subject, None, Some(image)), ("review", id), (self.person(), reason)).await?;
        let waits = u64::from(decided == Decided::WaitsForAnother);
        let reviewed = reviewed(gallery, &found, "keep").with("waits_for_another", Detail::Number(waits));
        change.tell(&self.caller, &reviewed).await?;
        change.commit().await?;
        Ok(decided)
    }

    /// Decides that an image goes: with the next run.
    ///
    /// # Errors
    /// [`SubjectError::Held`], and the others.
    pub async fn decide_delete(&self, gallery: &GalleryName, image: i64, reason: &str) -> Result<(), SubjectError> {
        let mut change = self.records.begin().await?;
        let found = self.image_in(&mut change, gallery, image).await?;
        if let Some(hold) = change.hold_on(found.subject).await? {
            return Err(SubjectError::Held { subject: found.subject, hold });
        }
        let id = self.add_review(&mut change, gallery, image, ("delete", None, "stands")).await?;
        change.note((found.subject, None, Some(image)), ("review", id), (self.person(), reason)).await?;
        change.tell(&self.caller, &reviewed(gallery, &found, "delete")).await?;
        change.commit().await?;
        Ok(())
    }

    /// Adds a decision. Others about the same image count no more once it stands; while it waits, only others that wait don't.
    async fn add_review(
        &self,
        change: &mut Change,
        gallery: &GalleryName,
        image: i64,
        (decision, until, state): (&'static str, Option<Day>, &'static str),
    ) -> Result<i64, RecordsError> {
        if state == "open" {
            let update = "UPDATE retention_review SET state = 'dropped' WHERE image_id = $1 AND state = 'open'";
            change.run(update, &[image]).await?;
        } else {
            change.drop_reviews(image).await?;
        }
        let insert = "INSERT INTO retention_review (id, gallery, image_id, decision, until, person, at, state) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM retention_review), $1, $2, $3, $4, $5, $6, $7 RETURNING id";
        sqlx::query_scalar(insert)
            .bind(gallery.as_str())
            .bind(image)
            .bind(decision)
            .bind(until.map(|day| day.to_string()))
            .bind(self.person())
            .bind(clock::now_rfc3339())
            .bind(state)
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(change.sql())
    }
}

/// That somebody decided about an image.
fn reviewed(gallery: &GalleryName, image: &ImageRecord, word: &'static str) -> Happening {
    let reviewed = Happening::new(Kind::RetentionReviewed).of(gallery);
    reviewed.about([Object::Image(image.id), Object::Subject(image.subject)]).with("decision", Detail::Word(word))
}

impl Change {
    /// Whether a template's image was decided to go, or its time is over on `day`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn is_to_go(&mut self, gallery: &GalleryName, id: TemplateId, day: Day) -> Result<bool, RecordsError> {
        let select = "SELECT COUNT(*) FROM image i WHERE i.gallery = $1 AND i.template_id = $2 AND i.state = 'live' \
             AND (i.expires <= $3 OR EXISTS (SELECT 1 FROM retention_review v WHERE v.image_id = i.id \
             AND v.decision = 'delete' AND v.state = 'stands'))";
        let query = sqlx::query_scalar::<_, i64>(select).bind(gallery.as_str()).bind(id.0 as i64).bind(day.to_string());
        Ok(query.fetch_one(&mut *self.transaction).await.map_err(self.sql())? > 0)
    }

    async fn set_clock(&mut self, image: i64, clock: Clock, kept_until: Option<Day>) -> Result<(), RecordsError> {
        let update = "UPDATE image SET review_due = $2, expires = $3, kept_until = $4 WHERE id = $1";
        let query = sqlx::query(update).bind(image).bind(clock.review.to_string()).bind(clock.expires.to_string());
        let query = query.bind(kept_until.map(|day| day.to_string()));
        query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }
}
