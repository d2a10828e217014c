//! Changes of reviews: each with its event, or not at all.

use crate::audit::{Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{LEAD_OUTCOMES_MAX, RECORD_TEXT_BYTES_MAX, REVIEWS_OPEN_MAX};
use crate::records::review::{Advance, DecisionRecord, Looked, NewLead, ReviewBook};
use crate::records::{Change, RecordsError};

impl ReviewBook {
    /// Opens the review of a search; its number, or `None` where somebody did so meanwhile.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn open(
        &self,
        search: i64,
        gallery: &GalleryName,
        person: &str,
        policy: [u8; 32],
    ) -> Result<Option<i64>, RecordsError> {
        let mut change = self.records.begin().await?;
        change.refuse_emptied(search).await?;
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM review WHERE state IN ('open', 'first', 'awaiting_second', 'second', 'conflict', 'third')",
        )
        .fetch_one(&mut *change.transaction)
        .await
        .map_err(change.sql())?;
        if open >= REVIEWS_OPEN_MAX as i64 {
            return Err(RecordsError::TooMany { what: "reviews under way", limit: REVIEWS_OPEN_MAX });
        }
        let insert = "INSERT INTO review (id, search_id, gallery, state, version, opened_by, opened_at, policy_sha256, changed_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM review), $1, $2, 'open', 1, $3, $4, $5, $4 \
             WHERE NOT EXISTS (SELECT 1 FROM review WHERE search_id = $1) RETURNING id";
        let id: Option<i64> = sqlx::query_scalar(insert)
            .bind(search)
            .bind(gallery.as_str())
            .bind(person)
            .bind(clock::now_rfc3339())
            .bind(crate::base::hex::encode(&policy))
            .fetch_optional(&mut *change.transaction)
            .await
            .map_err(change.sql())?;
        let Some(id) = id else { return Ok(None) };
        let happening =
            Happening::new(Kind::ReviewOpened).of(gallery).about([Object::Review(id), Object::Search(search)]);
        change.tell(&self.caller, &happening.with("policy", Detail::Hash(policy))).await?;
        change.commit().await?;
        Ok(Some(id))
    }

    /// Changes a review, as `happening` tells; whether it did. It does not where somebody else changed it since it was read.
    ///
    /// # Errors
    /// [`RecordsError::ErasedSince`], [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn advance(&self, advance: &Advance, mut happening: Happening) -> Result<bool, RecordsError> {
        let Advance { review, version, state, claim, decision, said, lead, shown } = advance;
        let mut change = self.records.begin().await?;
        let seen = claim.as_ref().and_then(|claim| claim.seen.as_ref());
        let update = "UPDATE review SET state = $3, version = version + 1, claimed_by = $4, claimed_until = $5, seen_at = $6, \
             seen_sha256 = $7, changed_at = $8 WHERE id = $1 AND version = $2";
        let changed = sqlx::query(update)
            .bind(review)
            .bind(version)
            .bind(*state)
            .bind(claim.as_ref().map(|claim| claim.by.as_str()))
            .bind(claim.as_ref().map(|claim| claim.until.as_str()))
            .bind(seen.map(|(at, _)| at.as_str()))
            .bind(seen.map(|(_, sha256)| sha256.as_str()))
            .bind(clock::now_rfc3339())
            .execute(&mut *change.transaction)
            .await
            .map_err(change.sql())?;
        if changed.rows_affected() != 1 {
            return Ok(false);
        }
        let gallery = sqlx::query_scalar::<_, String>("SELECT gallery FROM review WHERE id = $1").bind(review);
        let gallery = gallery.fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
        let gallery = gallery.parse().map_err(|_| change.damaged("a review is of no gallery"))?;
        if let Some(Looked { search, at, shown }) = shown {
            change.refuse_erased_since(&gallery, shown).await?;
            if let Some(at) = at {
                change.refuse_erased_after(*search, at).await?;
            }
        }
        if let Some(decision) = decision {
            change.add_decision(*review, decision).await?;
        }
        if let Some((person, said)) = said {
            change.add_review_text(*review, person, said).await?;
        }
        if let Some(lead) = lead {
            happening = happening.about([Object::Lead(change.add_lead(*review, lead).await?)]);
        }
        change.tell(&self.caller, &happening).await?;
        change.commit().await?;
        Ok(true)
    }

    /// Adds what came of a lead, as `happening` tells.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn add_outcome(
        &self,
        lead: i64,
        outcome: &'static str,
        person: &str,
        happening: &Happening,
    ) -> Result<(), RecordsError> {
        let mut change = self.records.begin().await?;
        let insert = "INSERT INTO lead_outcome (lead_id, position, outcome, person, at) \
             SELECT $1, (SELECT COUNT(*) FROM lead_outcome WHERE lead_id = $1) + 1, $2, $3, $4 \
             WHERE (SELECT COUNT(*) FROM lead_outcome WHERE lead_id = $1) < $5";
        let query = sqlx::query(insert).bind(lead).bind(outcome).bind(person).bind(clock::now_rfc3339());
        let query = query.bind(LEAD_OUTCOMES_MAX as i64);
        let added = query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        if added.rows_affected() != 1 {
            return Err(RecordsError::TooMany { what: "outcomes of one lead", limit: LEAD_OUTCOMES_MAX });
        }
        change.tell(&self.caller, happening).await?;
        change.commit().await
    }
}

impl Change {
    async fn add_decision(&mut self, review: i64, decision: &DecisionRecord) -> Result<(), RecordsError> {
        let DecisionRecord { stage, person, finding, template, seen, at } = decision;
        let insert = "INSERT INTO review_decision (review_id, stage, person, finding, template_id, seen_at, seen_sha256, decided_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        sqlx::query(insert)
            .bind(review)
            .bind(stage)
            .bind(person)
            .bind(finding)
            .bind(template.map(|template| template.0 as i64))
            .bind(seen.as_ref().map(|(at, _)| at.as_str()))
            .bind(seen.as_ref().map(|(_, sha256)| sha256.as_str()))
            .bind(at)
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(())
    }

    async fn add_review_text(&mut self, review: i64, person: &str, said: &str) -> Result<(), RecordsError> {
        if said.len() > RECORD_TEXT_BYTES_MAX {
            return Err(RecordsError::TooMany { what: "bytes of a reason", limit: RECORD_TEXT_BYTES_MAX });
        }
        let insert = "INSERT INTO review_text (review_id, position, person, said, at) \
             SELECT $1, (SELECT COUNT(*) FROM review_text WHERE review_id = $1) + 1, $2, $3, $4";
        let query = sqlx::query(insert).bind(review).bind(person).bind(said).bind(clock::now_rfc3339());
        query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }

    async fn add_lead(&mut self, review: i64, lead: &NewLead) -> Result<i64, RecordsError> {
        let NewLead { template, named_by: [one, other], dissent } = lead;
        let insert = "INSERT INTO lead (id, review_id, gallery, template_id, named_by, also_named_by, dissent, made_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM lead), id, gallery, $2, $3, $4, $5, $6 FROM review WHERE id = $1 \
             RETURNING id";
        sqlx::query_scalar(insert)
            .bind(review)
            .bind(template.0 as i64)
            .bind(one)
            .bind(other)
            .bind(dissent)
            .bind(clock::now_rfc3339())
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())
    }

    /// Overwrites what people wrote in reviews in which somebody named a template, and why these searches were made and are unsolved,
    /// with as many `x`: such words may be about the person. Who decided what, and of which case a search was, stays.
    pub(in crate::records) async fn forget_words_about(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        for (table, which) in [
            (
                "review_text",
                "review_id IN (SELECT d.review_id FROM review_decision d JOIN review r ON r.id = d.review_id \
                 WHERE d.template_id = $2 AND r.gallery = $1)",
            ),
            (
                "search_text",
                "field = 'reason' AND search_id IN \
                 (SELECT r.search_id FROM review_decision d JOIN review r ON r.id = d.review_id \
                 WHERE d.template_id = $2 AND r.gallery = $1)",
            ),
            // The entry of such a search, or the one that it was made for.
            (
                "unsolved_text",
                "unsolved_id IN (SELECT u.id FROM review_decision d JOIN review r ON r.id = d.review_id \
                 LEFT JOIN unsolved_search w ON w.search_id = r.search_id \
                 JOIN unsolved u ON u.search_id = r.search_id OR u.id = w.unsolved_id \
                 WHERE d.template_id = $2 AND r.gallery = $1)",
            ),
        ] {
            self.overwrite(table, &["said"], which, &[gallery.as_str().into(), (id.0 as i64).into()]).await?;
        }
        Ok(())
    }
}
