//! What is known of subjects and their images. Pages go by row values: a later page costs what the first one does.

use sqlx::Row as _;

use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::{SUBJECT_IMAGES_COUNTED_MAX, SUBJECT_PAGE_MAX};
use crate::policy::{Clock, Disposal, ImageFacts, Pose};
use crate::records::subjects::change::AS_CALLED;
use crate::records::subjects::{
    HoldRecord, ImageRecord, MoveRecord, SubjectBook, SubjectError, SubjectRecord, SubjectState,
};
use crate::records::templates::subject_key;
use crate::records::{Change, DbRow, Records, RecordsError};

/// `$1` bounds how many images are counted.
const SUBJECT: &str = "SELECT s.id AS id, s.state AS state, s.merged_into AS merged_into, s.restricted_at AS restricted_at, \
     s.created_at AS created_at, r.reference AS reference, (SELECT COUNT(*) FROM (SELECT 1 FROM image i \
     WHERE i.subject_id = s.id AND i.state = 'live' LIMIT $1) counted) AS images \
     FROM subject s JOIN subject_reference r ON r.subject_id = s.id ";
pub(super) const IMAGE: &str = "SELECT i.id AS id, i.subject_id AS subject_id, i.template_id AS template_id, i.captured_on AS captured_on, \
     i.pose AS pose, i.lawful_basis AS lawful_basis, i.disposal AS disposal, i.disposed_on AS disposed_on, i.under18 AS under18, \
     i.review_group AS review_group, i.review_on AS review_on, i.expires_on AS expires_on, i.review_due AS review_due, \
     i.expires AS expires, i.kept_until AS kept_until, i.created_on AS created_on, d.source AS source \
     FROM image i JOIN reference_detail d ON d.gallery = i.gallery AND d.template_id = i.template_id ";

impl SubjectBook {
    /// Live subjects after number `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn list(
        &self,
        gallery: &GalleryName,
        after: i64,
        limit: usize,
    ) -> Result<Vec<SubjectRecord>, RecordsError> {
        let select = statement_of(
            SUBJECT,
            "WHERE s.gallery = $2 AND s.state = 'live' AND s.id > $3 AND s.first_template <= \
             (SELECT last_template_id FROM gallery WHERE name = $2) ORDER BY s.id LIMIT $4",
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(SUBJECT_IMAGES_COUNTED_MAX as i64 + 1);
        let query = query.bind(gallery.as_str()).bind(after).bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.subject_of(row)).collect()
    }

    /// The subject of that reference as it stands, whatever became of it since.
    ///
    /// # Errors
    /// [`SubjectError::NoSubject`], and what the records say.
    pub async fn called(&self, gallery: &GalleryName, reference: &SubjectRef) -> Result<SubjectRecord, SubjectError> {
        let query = sqlx::query(AS_CALLED).bind(gallery.as_str()).bind(subject_key(reference)).bind(reference.as_str());
        let row = query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        let row = row.ok_or_else(|| SubjectError::NoSubject(gallery.clone()))?;
        let id: i64 = row.try_get("id").map_err(self.records.sql())?;
        let subject = self.subject(id).await?;
        subject.ok_or_else(|| SubjectError::NoSubject(gallery.clone()))
    }

    /// One subject.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn subject(&self, id: i64) -> Result<Option<SubjectRecord>, RecordsError> {
        let select = statement_of(SUBJECT, "WHERE s.id = $2 AND s.state <> 'void'");
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(SUBJECT_IMAGES_COUNTED_MAX as i64 + 1).bind(id);
        let row = query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        row.map(|row| self.subject_of(&row)).transpose()
    }

    /// Live images of a subject after number `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn images(&self, subject: i64, after: i64, limit: usize) -> Result<Vec<ImageRecord>, RecordsError> {
        let select = statement_of(
            IMAGE,
            "WHERE i.subject_id = $1 AND i.state = 'live' AND i.id > $2 AND i.template_id <= \
             (SELECT last_template_id FROM gallery WHERE name = i.gallery) ORDER BY i.id LIMIT $3",
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(subject).bind(after);
        let query = query.bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.records.image_of(row)).collect()
    }

    /// A live image, as a change of it finds it.
    pub(super) async fn image_in(
        &self,
        change: &mut Change,
        gallery: &GalleryName,
        image: i64,
    ) -> Result<ImageRecord, SubjectError> {
        let select = statement_of(
            IMAGE,
            "WHERE i.id = $1 AND i.gallery = $2 AND i.state = 'live' AND i.template_id <= \
             (SELECT last_template_id FROM gallery WHERE name = $2)",
        );
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(image).bind(gallery.as_str());
        let row = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        let row = row.ok_or_else(|| SubjectError::NoImage { gallery: gallery.clone(), image })?;
        Ok(self.records.image_of(&row)?)
    }

    /// Moves from or to a subject, newest first, at most `limit`, before number `before` if one is given.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn moves(
        &self,
        subject: i64,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<MoveRecord>, RecordsError> {
        let select = "SELECT m.id AS id, m.kind AS kind, m.from_subject AS from_subject, m.to_subject AS to_subject, m.person AS person, \
             m.at AS at, m.undone_by AS undone_by, m.undone_at AS undone_at, (SELECT COUNT(*) FROM subject_move_image mi WHERE mi.move_id = m.id) AS images, \
             COALESCE((SELECT n.said FROM subject_note n WHERE n.about = 'move' AND n.about_id = m.id), '') AS reason \
             FROM subject_move m WHERE m.id IN (SELECT id FROM subject_move WHERE from_subject = $1 \
             UNION SELECT id FROM subject_move WHERE to_subject = $1) AND m.id < $2 ORDER BY m.id DESC LIMIT $3";
        let query = sqlx::query(select).bind(subject).bind(before.unwrap_or(i64::MAX));
        let query = query.bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let moved = |row: &DbRow| {
            let undone = row.try_get::<Option<String>, _>("undone_by")?.zip(row.try_get("undone_at")?);
            Ok(MoveRecord {
                id: row.try_get("id")?,
                kind: row.try_get("kind")?,
                from: row.try_get("from_subject")?,
                to: row.try_get("to_subject")?,
                images: row.try_get::<i64, _>("images")? as u64,
                person: row.try_get("person")?,
                at: row.try_get("at")?,
                reason: row.try_get("reason")?,
                undone,
            })
        };
        rows.iter().map(moved).collect::<Result<_, sqlx::Error>>().map_err(self.records.sql())
    }

    /// Holds of a gallery that stand, or all there ever were, after number `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn holds(
        &self,
        gallery: &GalleryName,
        (after, lifted_too): (i64, bool),
        placed_before: Option<Day>,
        limit: usize,
    ) -> Result<Vec<HoldRecord>, RecordsError> {
        let select = "SELECT h.id AS id, h.subject_id AS subject_id, h.placed_by AS placed_by, h.placed_at AS placed_at, \
             h.lifted_by AS lifted_by, h.lifted_at AS lifted_at, r.reference AS reference, s.state AS state, \
             COALESCE((SELECT n.said FROM subject_note n WHERE n.about = 'hold' AND n.about_id = h.id), '') AS reason \
             FROM legal_hold h JOIN subject_reference r ON r.subject_id = h.subject_id JOIN subject s ON s.id = h.subject_id \
             WHERE h.gallery = $1 AND h.id > $2 AND ($3 = 1 OR h.lifted_at IS NULL) AND ($5 = '' OR h.placed_at < $5) \
             ORDER BY h.id LIMIT $4";
        let query = sqlx::query(select).bind(gallery.as_str()).bind(after).bind(i64::from(lifted_too));
        let query = query.bind(limit.min(SUBJECT_PAGE_MAX) as i64);
        let query = query.bind(placed_before.map(|day| day.to_string()).unwrap_or_default());
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let hold = |row: &DbRow| {
            let gone = row.try_get::<&str, _>("state")? == SubjectState::Erased.as_str();
            let lifted = row.try_get::<Option<String>, _>("lifted_by")?.zip(row.try_get("lifted_at")?);
            Ok(HoldRecord {
                id: row.try_get("id")?,
                subject: row.try_get("subject_id")?,
                reference: row.try_get::<&str, _>("reference")?.parse().ok().filter(|_| !gone),
                placed_by: row.try_get("placed_by")?,
                placed_at: row.try_get("placed_at")?,
                reason: row.try_get("reason")?,
                lifted,
            })
        };
        rows.iter().map(hold).collect::<Result<_, sqlx::Error>>().map_err(self.records.sql())
    }

    fn subject_of(&self, row: &DbRow) -> Result<SubjectRecord, RecordsError> {
        let sql = || self.records.sql();
        let bad = |what: &str| self.records.damaged(format!("a subject has an impossible {what}"));
        let state = SubjectState::parse(row.try_get("state").map_err(sql())?).ok_or_else(|| bad("state"))?;
        let reference = match state {
            SubjectState::Erased => None,
            SubjectState::Live | SubjectState::Merged | SubjectState::Empty => {
                let text: &str = row.try_get("reference").map_err(sql())?;
                Some(text.parse().map_err(|_| bad("reference"))?)
            }
        };
        Ok(SubjectRecord {
            id: row.try_get("id").map_err(sql())?,
            reference,
            state,
            merged_into: row.try_get("merged_into").map_err(sql())?,
            restricted_at: row.try_get("restricted_at").map_err(sql())?,
            images: row.try_get::<i64, _>("images").map_err(sql())? as usize,
            created_at: row.try_get("created_at").map_err(sql())?,
        })
    }
}

impl Records {
    /// Live templates that are kept out of searches, ascending: those of subjects who are restricted, and what has expired by `today` and is
    /// kept by a legal hold alone. So nobody keeps in searches by a hold what takes others to keep.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn restricted_templates(
        &self,
        gallery: &GalleryName,
        today: Day,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let select = "SELECT i.template_id AS id FROM subject s JOIN image i ON i.subject_id = s.id \
             WHERE s.gallery = $1 AND s.restricted_at IS NOT NULL AND i.state = 'live' \
             UNION SELECT i.template_id AS id FROM legal_hold h JOIN image i ON i.subject_id = h.subject_id \
             WHERE h.gallery = $1 AND h.lifted_at IS NULL AND i.state = 'live' AND i.expires <= $2 ORDER BY id";
        let query = sqlx::query_scalar::<_, i64>(select).bind(gallery.as_str()).bind(today.to_string());
        let ids = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        Ok(ids.into_iter().map(|id| TemplateId(id as u64)).collect())
    }

    pub(super) fn image_of(&self, row: &DbRow) -> Result<ImageRecord, RecordsError> {
        let bad = |what: &str| self.damaged(format!("an image has an impossible {what}"));
        let text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.sql());
        let number = |column: &str| row.try_get::<Option<i64>, _>(column).map_err(self.sql());
        let day = |column: &str| -> Result<Option<Day>, RecordsError> {
            text(column)?.map(|text| text.parse().map_err(|_| bad(column))).transpose()
        };
        let (subject, id) = (number("subject_id")?.unwrap_or_default(), number("id")?.unwrap_or_default());
        let facts = ImageFacts {
            captured_on: day("captured_on")?,
            pose: Pose::parse(&text("pose")?.unwrap_or_default()).map_err(|_| bad("pose"))?,
            lawful_basis: text("lawful_basis")?,
            disposal: Disposal::parse(&text("disposal")?.unwrap_or_default()).map_err(|_| bad("disposal"))?,
            disposed_on: day("disposed_on")?,
            under18: number("under18")?.map(|under| under != 0),
            review_group: number("review_group")?.and_then(|group| u8::try_from(group).ok()),
            review_on: day("review_on")?,
            expires_on: day("expires_on")?,
        };
        let clock = day("review_due")?.zip(day("expires")?).map(|(review, expires)| Clock { review, expires });
        Ok(ImageRecord {
            id,
            subject,
            template: TemplateId(number("template_id")?.unwrap_or_default() as u64),
            source: text("source")?.unwrap_or_default(),
            facts,
            clock,
            kept_until: day("kept_until")?,
            created_on: day("created_on")?.ok_or_else(|| bad("day"))?,
        })
    }
}

/// A statement of two fixed parts.
pub(super) fn statement_of(one: &'static str, other: &'static str) -> String {
    [one, other].concat()
}
