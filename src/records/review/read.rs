//! What is known of reviews and leads.

use std::collections::BTreeSet;

use sqlx::Row as _;

use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::REVIEW_PAGE_MAX;
use crate::records::review::{
    ClaimRecord, DecisionRecord, LeadRecord, ReviewBook, ReviewRecord, Reviewable, SearchFacts,
};
use crate::records::{DbRow, FaceBox, RecordsError};

impl ReviewBook {
    /// Whether a search can be reviewed, and what is known of it.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn reviewable(&self, search: i64) -> Result<Reviewable, RecordsError> {
        if let Some(id) = self.of_search(search).await? {
            return Ok(Reviewable::Reviewed(id));
        }
        Ok(self.search(search).await?.map_or(Reviewable::NoSearch, Reviewable::Yes))
    }

    /// The review of a search, if there is one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn of_search(&self, search: i64) -> Result<Option<i64>, RecordsError> {
        let query = sqlx::query_scalar("SELECT id FROM review WHERE search_id = $1").bind(search);
        query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())
    }

    /// What is known of a search.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn search(&self, search: i64) -> Result<Option<SearchFacts>, RecordsError> {
        let select = "SELECT gallery, actor, at, probe_sha256, face_x, face_y, face_width, face_height, \
             (SELECT s.submitter FROM submission_search w JOIN submission s ON s.id = w.submission_id \
             WHERE w.search_id = COALESCE((SELECT u.search_id FROM unsolved_search a JOIN unsolved u ON u.id = a.unsolved_id \
             WHERE a.search_id = search.id), search.id)) AS submitter FROM search WHERE id = $1";
        let row =
            sqlx::query(select).bind(search).fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        let Some(row) = row else { return Ok(None) };
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.records.sql());
        let pixels = |column: &str| Ok(row.try_get::<f64, _>(column).map_err(self.records.sql())? as f32);
        let face = FaceBox {
            x: pixels("face_x")?,
            y: pixels("face_y")?,
            width: pixels("face_width")?,
            height: pixels("face_height")?,
        };
        let (gallery, actor, at) = (self.gallery(&row)?, text("actor")?, text("at")?);
        let submitter = self.maybe(&row, "submitter")?;
        let (probe_sha256, candidates) = (text("probe_sha256")?, self.records.shown(search).await?);
        Ok(Some(SearchFacts { search, gallery, actor, submitter, at, probe_sha256, face, candidates }))
    }

    /// One review.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn one(&self, id: i64) -> Result<Option<ReviewRecord>, RecordsError> {
        // One statement for each table, in one transaction: the decisions are those of the state that is read.
        let mut reading = self.records.read().await?;
        let query = sqlx::query("SELECT * FROM review WHERE id = $1").bind(id);
        let row = query.fetch_optional(&mut *reading).await.map_err(self.records.sql())?;
        let Some(row) = row else { return Ok(None) };
        let select = "SELECT * FROM review_decision WHERE review_id = $1 ORDER BY stage";
        let rows = sqlx::query(select).bind(id).fetch_all(&mut *reading).await.map_err(self.records.sql())?;
        let mut review = self.review_of(&row)?;
        review.decisions = rows.iter().map(|row| self.decision_of(row)).collect::<Result<_, _>>()?;
        Ok(Some(review))
    }

    /// Reviews, newest first, at most `limit`, in `state` and of the galleries `within` if these are given; without their
    /// decisions.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(
        &self,
        state: Option<&str>,
        within: Option<&BTreeSet<GalleryName>>,
        limit: usize,
    ) -> Result<Vec<ReviewRecord>, RecordsError> {
        let select = "SELECT * FROM review WHERE ($1 IS NULL OR state = $1) \
             AND ($2 IS NULL OR REPLACE($2, ',' || gallery || ',', '') <> $2) ORDER BY id DESC LIMIT $3";
        let query = sqlx::query(select).bind(state).bind(within.map(listed)).bind(limit.min(REVIEW_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.review_of(row)).collect()
    }

    /// Leads, newest first, at most `limit`, of the galleries `within` if these are given.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn leads(
        &self,
        within: Option<&BTreeSet<GalleryName>>,
        limit: usize,
    ) -> Result<Vec<LeadRecord>, RecordsError> {
        let select = "SELECT l.id AS id, l.review_id AS review_id, r.search_id AS search_id, l.gallery AS gallery, \
             l.template_id AS template_id, l.named_by AS named_by, l.also_named_by AS also_named_by, l.dissent AS dissent, \
             l.made_at AS made_at FROM lead l JOIN review r ON r.id = l.review_id \
             WHERE ($1 IS NULL OR REPLACE($1, ',' || l.gallery || ',', '') <> $1) ORDER BY l.id DESC LIMIT $2";
        let query = sqlx::query(select).bind(within.map(listed)).bind(limit.min(REVIEW_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let mut leads = Vec::with_capacity(rows.len());
        for row in &rows {
            leads.push(self.lead_of(row).await?);
        }
        Ok(leads)
    }

    /// One lead.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn lead(&self, id: i64) -> Result<Option<LeadRecord>, RecordsError> {
        let select =
            "SELECT l.*, r.search_id AS search_id FROM lead l JOIN review r ON r.id = l.review_id WHERE l.id = $1";
        let row = sqlx::query(select).bind(id).fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        match row {
            Some(row) => Ok(Some(self.lead_of(&row).await?)),
            None => Ok(None),
        }
    }

    async fn lead_of(&self, row: &DbRow) -> Result<LeadRecord, RecordsError> {
        let (text, number) = (|column: &str| self.text(row, column), |column: &str| self.number(row, column));
        let id = number("id")?;
        let select = "SELECT outcome, person, at FROM lead_outcome WHERE lead_id = $1 ORDER BY position";
        let query = sqlx::query_as(select).bind(id);
        Ok(LeadRecord {
            id,
            review: number("review_id")?,
            search: number("search_id")?,
            gallery: self.gallery(row)?,
            template: TemplateId(number("template_id")? as u64),
            named_by: [text("named_by")?, text("also_named_by")?],
            dissent: row.try_get("dissent").map_err(self.records.sql())?,
            made_at: text("made_at")?,
            outcomes: query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?,
        })
    }

    fn review_of(&self, row: &DbRow) -> Result<ReviewRecord, RecordsError> {
        let (text, number) = (|column: &str| self.text(row, column), |column: &str| self.number(row, column));
        let claim = match (self.maybe(row, "claimed_by")?, self.maybe(row, "claimed_until")?) {
            (Some(by), Some(until)) => Some(ClaimRecord { by, until, seen: self.seen(row)? }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(self.records.damaged("a review has half a claim".to_owned()));
            }
        };
        Ok(ReviewRecord {
            id: number("id")?,
            search: number("search_id")?,
            gallery: self.gallery(row)?,
            state: text("state")?,
            version: number("version")?,
            opened_by: text("opened_by")?,
            opened_at: text("opened_at")?,
            policy_sha256: text("policy_sha256")?,
            claim,
            changed_at: text("changed_at")?,
            decisions: Vec::new(),
        })
    }

    fn decision_of(&self, row: &DbRow) -> Result<DecisionRecord, RecordsError> {
        let template: Option<i64> = row.try_get("template_id").map_err(self.records.sql())?;
        Ok(DecisionRecord {
            stage: self.number(row, "stage")?,
            person: self.text(row, "person")?,
            finding: self.text(row, "finding")?,
            template: template.map(|template| TemplateId(template as u64)),
            seen: self.seen(row)?,
            at: self.text(row, "decided_at")?,
        })
    }

    fn seen(&self, row: &DbRow) -> Result<Option<(String, String)>, RecordsError> {
        Ok(self.maybe(row, "seen_at")?.zip(self.maybe(row, "seen_sha256")?))
    }

    fn maybe(&self, row: &DbRow, column: &str) -> Result<Option<String>, RecordsError> {
        row.try_get(column).map_err(self.records.sql())
    }

    fn text(&self, row: &DbRow, column: &str) -> Result<String, RecordsError> {
        row.try_get(column).map_err(self.records.sql())
    }

    fn number(&self, row: &DbRow, column: &str) -> Result<i64, RecordsError> {
        row.try_get(column).map_err(self.records.sql())
    }

    fn gallery(&self, row: &DbRow) -> Result<GalleryName, RecordsError> {
        let name = self.text(row, "gallery")?;
        name.parse().map_err(|_| self.records.damaged("a review is of a gallery that none can be called".to_owned()))
    }
}

/// Names of galleries as one text, each between commas, which no name has.
pub(in crate::records) fn listed(names: &BTreeSet<GalleryName>) -> String {
    let mut text = ",".to_owned();
    for name in names {
        text.push_str(name.as_str());
        text.push(',');
    }
    text
}
