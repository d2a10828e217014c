//! How references come to subjects: by what they are called, and through merges to whom that is today.

use std::collections::{HashMap, HashSet};

use sqlx::Row as _;

use crate::base::clock;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::SUBJECT_MERGES_MAX;
use crate::policy::{Clock, DatedFacts};
use crate::records::templates::{IDS_PER_STATEMENT, subject_key};
use crate::records::{Change, DbConnection, NewDetail, RecordsError, SqlBuilder};

/// The subjects of these references as they stand: number, state and reference. At most [`IDS_PER_STATEMENT`] references.
async fn called(
    connection: &mut DbConnection,
    gallery: &GalleryName,
    references: &HashSet<&str>,
    keys: impl Iterator<Item = i64>,
) -> Result<Vec<(i64, String, String)>, sqlx::Error> {
    let mut query = SqlBuilder::new(
        "SELECT s.id AS id, s.state AS state, r.reference AS reference FROM subject s \
         JOIN subject_reference r ON r.subject_id = s.id WHERE s.gallery = ",
    );
    query.push_bind(gallery.as_str().to_owned()).push(" AND s.subject_key IN (");
    query.push_list(keys).push(")");
    let mut found = Vec::new();
    for row in query.build().fetch_all(connection).await? {
        let reference: String = row.try_get("reference")?;
        if references.contains(reference.as_str()) {
            found.push((row.try_get("id")?, row.try_get("state")?, reference));
        }
    }
    Ok(found)
}

/// Who a subject is today, through merges. `None` where that does not end, or nowhere: only in damaged records.
async fn survivor(connection: &mut DbConnection, mut id: i64) -> Result<Option<i64>, sqlx::Error> {
    for _step in 0..SUBJECT_MERGES_MAX {
        let select = "SELECT merged_into FROM subject WHERE id = $1 AND state = 'merged'";
        match sqlx::query_scalar::<_, Option<i64>>(select).bind(id).fetch_optional(&mut *connection).await? {
            Some(Some(into)) => id = into,
            Some(None) => return Ok(None),
            None => return Ok(Some(id)),
        }
    }
    Ok(None)
}

/// Numbers of the subjects that `references` are called today, ascending.
pub(in crate::records) async fn named_subjects(
    connection: &mut DbConnection,
    gallery: &GalleryName,
    references: &[&SubjectRef],
) -> Result<Vec<i64>, sqlx::Error> {
    let mut ids = Vec::new();
    for some in references.chunks(IDS_PER_STATEMENT) {
        let texts: HashSet<&str> = some.iter().map(|reference| reference.as_str()).collect();
        let keys = some.iter().map(|reference| subject_key(reference));
        for (id, state, _reference) in called(&mut *connection, gallery, &texts, keys).await? {
            ids.extend(if state == "merged" { survivor(&mut *connection, id).await? } else { Some(id) });
        }
    }
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

/// Live templates of these subjects that count, ascending.
pub(in crate::records) async fn images_subjects(
    connection: &mut DbConnection,
    gallery: &GalleryName,
    subjects: &[i64],
) -> Result<Vec<i64>, sqlx::Error> {
    let mut found: Vec<i64> = Vec::new();
    for some in subjects.chunks(IDS_PER_STATEMENT) {
        let mut query = SqlBuilder::new(
            "SELECT template_id FROM image WHERE state = 'live' AND template_id <= (SELECT last_template_id FROM gallery WHERE name = ",
        );
        query.push_bind(gallery.as_str().to_owned()).push(") AND subject_id IN (");
        query.push_list(some.iter().copied()).push(")");
        found.extend(query.build_query_scalar::<i64>().fetch_all(&mut *connection).await?);
    }
    found.sort_unstable();
    Ok(found)
}

impl Change {
    /// The subjects of new references, and a record for each of their images. In ascending template ids, at most
    /// [`IDS_PER_STATEMENT`].
    pub(in crate::records) async fn add_images(
        &mut self,
        gallery: &GalleryName,
        new: &[NewDetail],
    ) -> Result<(), RecordsError> {
        let subjects = self.join_subjects(gallery, new).await?;
        let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM image")
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        let mut insert = SqlBuilder::new(
            "INSERT INTO image (id, gallery, template_id, subject_id, state, captured_on, pose, lawful_basis, disposal, \
             disposed_on, under18, review_group, review_on, expires_on, review_due, expires, created_on) ",
        );
        let text = |day: Option<Day>| day.map(|day| day.to_string());
        insert.push_values(new.iter().zip(&subjects).zip(last + 1..), |row, ((new, subject), id)| {
            let DatedFacts { facts, clock } = &new.about;
            row.push_bind(id).push_bind(gallery.as_str()).push_bind(new.id.0 as i64).push_bind(*subject);
            row.push_bind("live").push_bind(text(facts.captured_on)).push_bind(facts.pose.as_str());
            row.push_bind(facts.lawful_basis.as_deref()).push_bind(facts.disposal.as_str());
            row.push_bind(text(facts.disposed_on)).push_bind(facts.under18.map(i64::from));
            row.push_bind(facts.review_group.map(i64::from)).push_bind(text(facts.review_on));
            row.push_bind(text(facts.expires_on));
            let (review, expires) = clock.map(|Clock { review, expires }| (review, expires)).unzip();
            row.push_bind(text(review)).push_bind(text(expires));
            row.push_bind(new.image.enrolled_at.get(..10).unwrap_or_default());
        });
        insert.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }

    /// The subject of each, made where there is none.
    async fn join_subjects(&mut self, gallery: &GalleryName, new: &[NewDetail]) -> Result<Vec<i64>, RecordsError> {
        let texts: HashSet<&str> = new.iter().map(|new| new.subject.as_str()).collect();
        let keys: HashSet<i64> = new.iter().map(|new| subject_key(&new.subject)).collect();
        let there = called(&mut self.transaction, gallery, &texts, keys.into_iter()).await.map_err(self.sql())?;
        let mut known: HashMap<String, i64> = HashMap::with_capacity(texts.len());
        for (id, state, reference) in there {
            let id = match state.as_str() {
                "live" => id,
                _other => self.revive(id).await?,
            };
            known.insert(reference, id);
        }
        let last: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM subject")
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        let mut made: Vec<(i64, &NewDetail)> = Vec::new();
        let mut ids = Vec::with_capacity(new.len());
        for new in new {
            let id = if let Some(id) = known.get(new.subject.as_str()) {
                *id
            } else {
                let id = last + 1 + made.len() as i64;
                made.push((id, new));
                known.insert(new.subject.as_str().to_owned(), id);
                id
            };
            ids.push(id);
        }
        self.add_subjects(gallery, &made).await?;
        Ok(ids)
    }

    /// Who a subject without images of its own is today; one that was left empty has some again from now on.
    async fn revive(&mut self, id: i64) -> Result<i64, RecordsError> {
        let lost =
            || RecordsError::Damaged { path: self.path.clone(), what: format!("subject {id} was merged into none") };
        let id = survivor(&mut self.transaction, id).await.map_err(self.sql())?.ok_or_else(lost)?;
        let update = "UPDATE subject SET state = 'live' WHERE id = $1 AND state = 'empty'";
        sqlx::query(update).bind(id).execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(id)
    }

    async fn add_subjects(&mut self, gallery: &GalleryName, new: &[(i64, &NewDetail)]) -> Result<(), RecordsError> {
        if new.is_empty() {
            return Ok(());
        }
        let mut subjects =
            SqlBuilder::new("INSERT INTO subject (id, gallery, subject_key, state, first_template, created_at) ");
        subjects.push_values(new, |row, (id, new)| {
            row.push_bind(*id).push_bind(gallery.as_str()).push_bind(subject_key(&new.subject)).push_bind("live");
            row.push_bind(new.id.0 as i64).push_bind(new.image.enrolled_at.as_str());
        });
        subjects.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
        let mut references = SqlBuilder::new("INSERT INTO subject_reference (subject_id, reference) ");
        references.push_values(new, |row, (id, new)| {
            row.push_bind(*id).push_bind(new.subject.as_str());
        });
        references.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }

    /// A new subject without images, which came with a template that counts.
    pub(super) async fn add_subject(
        &mut self,
        gallery: &GalleryName,
        reference: &SubjectRef,
        first_template: i64,
    ) -> Result<i64, RecordsError> {
        let insert = "INSERT INTO subject (id, gallery, subject_key, state, first_template, created_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM subject), $1, $2, 'live', $3, $4 RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(gallery.as_str())
            .bind(subject_key(reference))
            .bind(first_template)
            .bind(clock::now_rfc3339())
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        sqlx::query("INSERT INTO subject_reference (subject_id, reference) VALUES ($1, $2)")
            .bind(id)
            .bind(reference.as_str())
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(id)
    }
}
