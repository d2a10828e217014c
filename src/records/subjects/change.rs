//! Changes of subjects and images that move nothing: what is known of them, restriction, legal holds; each with its reason.

use sqlx::Row as _;

use crate::audit::{Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::{HOLDS_OF_SUBJECT_MAX, RECORD_TEXT_BYTES_MAX};
use crate::policy::{Clock, DatedFacts, Fact};
use crate::records::subjects::{ImageRecord, SubjectBook, SubjectError, SubjectState};
use crate::records::templates::subject_key;
use crate::records::{Change, RecordsError};

/// What is to be known of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The facts and their dates.
    pub about: DatedFacts,
    /// Whether what was decided before was about something else.
    pub decided_anew: bool,
    /// Where it takes a decision by which the image is kept as long: whether two people have to have made it.
    pub wants_keep: Option<bool>,
}

impl SubjectBook {
    /// Changes what is known of a live image, as `change` makes it of its record; gives what is known then.
    ///
    /// # Errors
    /// [`SubjectError::PresumedToGo`] without a decision that it takes, and the others; what `change` refuses is
    /// [`SubjectError::Decision`].
    pub async fn describe(
        &self,
        gallery: &GalleryName,
        image: i64,
        change_facts: impl FnOnce(&ImageRecord) -> Result<Described, String> + Send,
    ) -> Result<DatedFacts, SubjectError> {
        let mut change = self.records.begin().await?;
        let before = self.image_in(&mut change, gallery, image).await?;
        let Described { mut about, decided_anew, wants_keep } =
            change_facts(&before).map_err(SubjectError::Decision)?;
        if let Some(by_two) = wants_keep
            && !change.is_kept_as_long(&before, about.clock, by_two).await?
        {
            return Err(SubjectError::PresumedToGo(image));
        }
        // What somebody decided to keep for a while was decided on what was known then: it stands where that is the same.
        let kept_until = before.kept_until.filter(|_| !decided_anew);
        if kept_until.is_some() {
            about.clock = before.clock;
        }
        change.put_known(image, &about, kept_until).await?;
        if decided_anew {
            change.drop_reviews(image).await?;
        }
        let described = Happening::new(Kind::ImageDescribed).of(gallery);
        let described = described.about([Object::Image(image), Object::Subject(before.subject)]);
        let changed = |told: Happening, fact: Fact| told.with(fact.as_str(), Detail::Word("changed"));
        let described = about.facts.differing(&before.facts).fold(described, changed);
        change.tell(&self.caller, &described).await?;
        change.commit().await?;
        Ok(about)
    }

    /// Takes a subject out of every search that begins from now on, or lets it in again. Its number.
    ///
    /// # Errors
    /// [`SubjectError::Already`], and the others.
    pub async fn restrict(
        &self,
        gallery: &GalleryName,
        reference: &SubjectRef,
        restricted: bool,
        reason: &str,
    ) -> Result<i64, SubjectError> {
        let mut change = self.records.begin().await?;
        let id = change.live_subject(gallery, reference).await?;
        let (update, state, about, kind) = if restricted {
            let update = "UPDATE subject SET restricted_at = $2 WHERE id = $1 AND restricted_at IS NULL";
            (update, "restricted", "restriction", Kind::SubjectRestricted)
        } else {
            let update =
                "UPDATE subject SET restricted_at = NULL WHERE id = $1 AND restricted_at IS NOT NULL AND $2 <> ''";
            (update, "searched", "unrestriction", Kind::SubjectUnrestricted)
        };
        let query = sqlx::query(update).bind(id).bind(clock::now_rfc3339());
        let changed = query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        if changed.rows_affected() == 0 {
            return Err(SubjectError::Already { id, state });
        }
        change.note((id, None, None), (about, id), (self.person(), reason)).await?;
        change.tell(&self.caller, &Happening::new(kind).of(gallery).about([Object::Subject(id)])).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Places a legal hold: nothing of the subject is erased as long as it stands. Its number.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn place_hold(
        &self,
        gallery: &GalleryName,
        reference: &SubjectRef,
        reason: &str,
    ) -> Result<i64, SubjectError> {
        let mut change = self.records.begin().await?;
        let subject = change.live_subject(gallery, reference).await?;
        let select = "SELECT COUNT(*) FROM legal_hold WHERE subject_id = $1 AND lifted_at IS NULL";
        let query = sqlx::query_scalar(select).bind(subject);
        let standing: i64 = query.fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
        if standing >= HOLDS_OF_SUBJECT_MAX as i64 {
            return Err(SubjectError::TooMany { what: "holds on one subject", limit: HOLDS_OF_SUBJECT_MAX });
        }
        let insert = "INSERT INTO legal_hold (id, gallery, subject_id, placed_by, placed_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM legal_hold), $1, $2, $3, $4 RETURNING id";
        let query = sqlx::query_scalar(insert).bind(gallery.as_str()).bind(subject).bind(self.person());
        let query = query.bind(clock::now_rfc3339());
        let id: i64 = query.fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
        change.note((subject, None, None), ("hold", id), (self.person(), reason)).await?;
        let placed = Happening::new(Kind::HoldPlaced).of(gallery).about([Object::Hold(id), Object::Subject(subject)]);
        change.tell(&self.caller, &placed).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Lifts a hold.
    ///
    /// # Errors
    /// [`SubjectError::NoHold`], and the others.
    pub async fn lift_hold(&self, gallery: &GalleryName, id: i64, reason: &str) -> Result<(), SubjectError> {
        let mut change = self.records.begin().await?;
        let update = "UPDATE legal_hold SET lifted_by = $3, lifted_at = $4 WHERE id = $1 AND gallery = $2 AND lifted_at IS NULL \
             RETURNING subject_id";
        let query = sqlx::query_scalar(update).bind(id).bind(gallery.as_str()).bind(self.person());
        let query = query.bind(clock::now_rfc3339());
        let subject: Option<i64> = query.fetch_optional(&mut *change.transaction).await.map_err(change.sql())?;
        let subject = subject.ok_or(SubjectError::NoHold(id))?;
        change.note((subject, None, None), ("lift", id), (self.person(), reason)).await?;
        let lifted = Happening::new(Kind::HoldLifted).of(gallery).about([Object::Hold(id), Object::Subject(subject)]);
        change.tell(&self.caller, &lifted).await?;
        change.commit().await?;
        Ok(())
    }
}

impl Change {
    /// The subject of that reference as it stands, merges not followed.
    pub(super) async fn subject_as_called(
        &mut self,
        gallery: &GalleryName,
        reference: &SubjectRef,
    ) -> Result<Option<(i64, SubjectState)>, RecordsError> {
        let query = sqlx::query(AS_CALLED).bind(gallery.as_str()).bind(subject_key(reference)).bind(reference.as_str());
        let row = query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())?;
        let Some(row) = row else { return Ok(None) };
        let state = SubjectState::parse(row.try_get("state").map_err(self.sql())?);
        let state = state.ok_or_else(|| self.damaged("a subject has an unknown state"))?;
        Ok(Some((row.try_get("id").map_err(self.sql())?, state)))
    }

    /// Whether a decision stands by which an image is kept as long as `clock` would keep it.
    async fn is_kept_as_long(
        &mut self,
        image: &ImageRecord,
        clock: Option<Clock>,
        by_two: bool,
    ) -> Result<bool, RecordsError> {
        let (Some(until), Some(kept), Some(new)) = (image.kept_until, image.clock, clock) else { return Ok(false) };
        let select = "SELECT COUNT(*) FROM retention_review WHERE image_id = $1 AND decision = 'keep' AND state = 'stands' \
             AND until = $2 AND (second_person IS NOT NULL OR $3 = 0)";
        let query = sqlx::query_scalar::<_, i64>(select).bind(image.id).bind(until.to_string()).bind(i64::from(by_two));
        let decisions = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(decisions > 0 && new.expires <= kept.expires)
    }

    async fn put_known(&mut self, image: i64, about: &DatedFacts, kept_until: Option<Day>) -> Result<(), RecordsError> {
        let DatedFacts { facts, clock } = about;
        let text = |day: Option<Day>| day.map(|day| day.to_string());
        let (review, expires) = clock.map(|Clock { review, expires }| (review, expires)).unzip();
        let update = "UPDATE image SET captured_on = $2, pose = $3, lawful_basis = $4, disposal = $5, disposed_on = $6, under18 = $7, \
             review_group = $8, review_on = $9, expires_on = $10, review_due = $11, expires = $12, kept_until = $13 WHERE id = $1";
        sqlx::query(update)
            .bind(image)
            .bind(text(facts.captured_on))
            .bind(facts.pose.as_str())
            .bind(facts.lawful_basis.clone())
            .bind(facts.disposal.as_str())
            .bind(text(facts.disposed_on))
            .bind(facts.under18.map(i64::from))
            .bind(facts.review_group.map(i64::from))
            .bind(text(facts.review_on))
            .bind(text(facts.expires_on))
            .bind(text(review))
            .bind(text(expires))
            .bind(text(kept_until))
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }

    /// A hold that stands on a subject.
    pub(super) async fn hold_on(&mut self, subject: i64) -> Result<Option<i64>, RecordsError> {
        let select = "SELECT id FROM legal_hold WHERE subject_id = $1 AND lifted_at IS NULL ORDER BY id LIMIT 1";
        let query = sqlx::query_scalar(select).bind(subject);
        query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())
    }

    /// The first hold that stands on any subject of these templates.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn hold_on_templates(
        &mut self,
        gallery: &GalleryName,
        ids: &[crate::base::ids::TemplateId],
    ) -> Result<Option<i64>, RecordsError> {
        let none = "SELECT COUNT(*) FROM legal_hold WHERE gallery = $1 AND lifted_at IS NULL";
        let query = sqlx::query_scalar::<_, i64>(none).bind(gallery.as_str());
        if query.fetch_one(&mut *self.transaction).await.map_err(self.sql())? == 0 {
            return Ok(None);
        }
        for id in ids {
            let select = "SELECT h.id FROM image i JOIN legal_hold h ON h.subject_id = i.subject_id AND h.lifted_at IS NULL \
                 WHERE i.gallery = $1 AND i.template_id = $2 ORDER BY h.id LIMIT 1";
            let query = sqlx::query_scalar(select).bind(gallery.as_str()).bind(id.0 as i64);
            let hold: Option<i64> = query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())?;
            if hold.is_some() {
                return Ok(hold);
            }
        }
        Ok(None)
    }

    /// No decision about an image counts any more.
    pub(super) async fn drop_reviews(&mut self, image: i64) -> Result<(), RecordsError> {
        let update =
            "UPDATE retention_review SET state = 'dropped' WHERE image_id = $1 AND state IN ('open', 'stands')";
        self.run(update, &[image]).await?;
        Ok(())
    }

    /// Keeps why something was done, with whom it is about.
    pub(super) async fn note(
        &mut self,
        (subject, other, image): (i64, Option<i64>, Option<i64>),
        (about, about_id): (&'static str, i64),
        (person, said): (&str, &str),
    ) -> Result<(), SubjectError> {
        if said.len() > RECORD_TEXT_BYTES_MAX {
            return Err(SubjectError::TooMany { what: "bytes of a reason", limit: RECORD_TEXT_BYTES_MAX });
        }
        let insert = "INSERT INTO subject_note (id, subject_id, other_id, image_id, about, about_id, person, said, at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM subject_note), $1, $2, $3, $4, $5, $6, $7, $8";
        sqlx::query(insert)
            .bind(subject)
            .bind(other)
            .bind(image)
            .bind(about)
            .bind(about_id)
            .bind(person)
            .bind(said)
            .bind(clock::now_rfc3339())
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }
}

/// A subject by what it is called; merges are not followed.
pub(super) const AS_CALLED: &str = "SELECT s.id AS id, s.state AS state FROM subject s JOIN subject_reference r ON r.subject_id = s.id \
     WHERE s.gallery = $1 AND s.subject_key = $2 AND r.reference = $3 AND s.state <> 'void'";
