//! Disclosures: what of a search leaves in a pack, read as it was recorded, and which packs were made for whom.

use sqlx::Row as _;

use crate::audit::searched::{Exact, Named, Searched};
use crate::audit::{Caller, Happening, Object};
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{
    AUDIT_OBJECTS_MAX, CANDIDATES_MAX, DISCLOSURE_PAGE_MAX, DISCLOSURES_MAX, PROBE_EDITS_MAX, RECORD_TEXT_BYTES_MAX,
    REVIEW_PAGE_MAX,
};
use crate::base::text::is_overwritten;
use crate::pack::contents::{Candidate, Edit, Picture, ProbeFile, Said};
use crate::records::{Change, DbRow, Records, RecordsError, Statement};

/// The disclosures of a data folder, for one caller. Clones share them.
#[derive(Debug, Clone)]
pub struct DisclosureBook {
    pub(super) records: Records,
    pub(super) caller: Caller,
}

impl Records {
    /// Disclosures, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn disclosure_book(&self, caller: &Caller) -> DisclosureBook {
        DisclosureBook { records: self.clone(), caller: caller.clone() }
    }
}

/// A search as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedSearch {
    /// When, RFC 3339.
    pub at: String,
    /// Who asked.
    pub actor: String,
    /// Where from.
    pub origin: String,
    /// What was stated.
    pub statement: Option<Statement>,
    /// All that its list depends on. Of a search of before this was kept, `last_template`, `live` and `people` are 0.
    pub searched: Searched,
    /// The hash by which the log binds it; `None` for searches of before it did.
    pub sha256: Option<String>,
    /// Its candidates, with what has become of them.
    pub candidates: Vec<Candidate>,
}

/// A pack to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDisclosure {
    /// Of which search.
    pub search: i64,
    /// Of which lead, where it was made of one.
    pub lead: Option<i64>,
    /// In which gallery.
    pub gallery: GalleryName,
    /// Who makes it.
    pub person: String,
    /// For whom.
    pub recipient: String,
    /// Why.
    pub reason: String,
    /// Hash of what it tells.
    pub contents: String,
}

/// A pack that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisclosureRecord {
    /// Its number.
    pub id: i64,
    /// When, RFC 3339.
    pub made_at: String,
    /// What was recorded of it.
    pub what: NewDisclosure,
}

impl DisclosureBook {
    /// A search, if there is one of that number.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn search(&self, search: i64) -> Result<Option<RecordedSearch>, RecordsError> {
        let sql = self.records.sql();
        let select = "SELECT s.id AS id, s.at AS at, s.gallery AS gallery, s.actor AS actor, s.origin AS origin, \
             s.probe_sha256 AS probe_sha256, s.face_x AS face_x, s.face_y AS face_y, s.face_width AS face_width, \
             s.face_height AS face_height, s.model_hash AS model_hash, s.snapshot_number AS snapshot_number, \
             s.back_end AS back_end, s.restriction AS restriction, s.threshold AS threshold, s.operating_point AS operating_point, \
             COALESCE(c.people, 0) AS people, COALESCE(c.last_template_id, 0) AS last_template_id, COALESCE(c.live, 0) AS live, \
             COALESCE(c.form, 1) AS form, \
             c.sha256 AS sha256 FROM search s LEFT JOIN search_context c ON c.search_id = s.id WHERE s.id = $1";
        let row = sqlx::query(select).bind(search).fetch_optional(&self.records.pool).await.map_err(&sql)?;
        let Some(row) = row else { return Ok(None) };
        let statement = self.records.stated(search).await?;
        let candidates = self.candidates(search).await?;
        let mut searched = searched_of(&row).map_err(&sql)?;
        searched.candidates = candidates.iter().map(Candidate::listed).collect();
        if let Some(Statement { stated, .. }) = &statement {
            searched.purpose.clone_from(&stated.purpose);
            searched.lawful_basis.clone_from(&stated.lawful_basis);
            searched.seriousness.clone_from(&stated.seriousness);
            searched.authorised = self.records.authorised(search).await?;
        }
        let text = |column: &str| row.try_get::<String, _>(column).map_err(&sql);
        let (at, actor, origin) = (text("at")?, text("actor")?, text("origin")?);
        let sha256 = row.try_get("sha256").map_err(&sql)?;
        Ok(Some(RecordedSearch { at, actor, origin, statement, searched, sha256, candidates }))
    }

    async fn candidates(&self, search: i64) -> Result<Vec<Candidate>, RecordsError> {
        // Templates without a row are synthetic, and live.
        let select = "SELECT c.rank AS rank, c.template_id AS template_id, c.score AS score, \
             COALESCE(t.state, 'live') AS state, t.erased_at AS erased_at, c.salt AS salt, c.entry AS entry, \
             c.erased_at AS gone_at FROM search_candidate c \
             JOIN search s ON s.id = c.search_id LEFT JOIN template t ON t.gallery = s.gallery AND t.id = c.template_id \
             WHERE c.search_id = $1 ORDER BY c.rank LIMIT $2";
        let query = sqlx::query(select).bind(search).bind(CANDIDATES_MAX as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let candidate = |row: &DbRow| {
            let (rank, template): (i64, i64) = (row.try_get("rank")?, row.try_get("template_id")?);
            let score = row.try_get::<f64, _>("score")? as f32;
            let gone_at: Option<String> = row.try_get("gone_at")?;
            Ok(Candidate {
                rank: rank as u32,
                template: template as u64,
                score,
                score_bits: Exact(score),
                named: named(row, gone_at.is_some())?,
                state: if gone_at.is_some() { "erased".to_owned() } else { row.try_get("state")? },
                erased_at: gone_at.map_or_else(|| row.try_get("erased_at"), |at| Ok(Some(at)))?,
                subject: None,
                image_sha256: None,
            })
        };
        rows.iter().map(candidate).collect::<Result<_, sqlx::Error>>().map_err(self.records.sql())
    }

    /// The picture that a search was made with, whose sha256 is `original`, and what was made of it; without any picture.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn probe(&self, search: i64, original: &str) -> Result<ProbeFile, RecordsError> {
        let mut reading = self.records.read().await?;
        let select = "SELECT p.id AS id, p.state AS state, p.bytes AS bytes, p.kept_at AS kept_at, p.expires_at AS expires_at \
             FROM search_probe w JOIN probe_image p ON p.id = w.probe_id WHERE w.search_id = $1";
        let query = sqlx::query(select).bind(search).fetch_optional(&mut *reading);
        let mut file = match query.await.map_err(self.records.sql())? {
            Some(row) => probe_of(&row, original).map_err(self.records.sql())?,
            None => ProbeFile {
                original: original.to_owned(),
                picture: Picture::NotKept,
                probe: None,
                bytes: None,
                kept_at: None,
                expires_at: None,
                edits: Vec::new(),
            },
        };
        let select = "SELECT number, sha256, bytes, tool, parameters, person, made_at FROM probe_edit WHERE probe_id = $1 \
             ORDER BY number LIMIT $2";
        let query = sqlx::query(select).bind(file.probe).bind(PROBE_EDITS_MAX as i64).fetch_all(&mut *reading);
        let rows = query.await.map_err(self.records.sql())?;
        let edits = rows.iter().map(edit_of).collect::<Result<_, _>>();
        file.edits = edits.map_err(self.records.sql())?;
        if file.picture == Picture::Erased {
            file.edits.iter_mut().for_each(|edit| (edit.sha256, edit.tool, edit.parameters) = (None, None, None));
        }
        Ok(file)
    }

    /// The hash by which the log binds a search; `None` for searches of before it did.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn bound(&self, search: i64) -> Result<Option<String>, RecordsError> {
        let query = sqlx::query_scalar("SELECT sha256 FROM search_context WHERE search_id = $1").bind(search);
        query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())
    }

    /// What people wrote in a review, in their order.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn said(&self, review: i64) -> Result<Vec<Said>, RecordsError> {
        let select = "SELECT person, said, at FROM review_text WHERE review_id = $1 ORDER BY position LIMIT $2";
        let query = sqlx::query_as::<_, (String, String, String)>(select).bind(review).bind(REVIEW_PAGE_MAX as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        Ok(rows.into_iter().map(|(person, text, at)| Said { person, text, at }).collect())
    }

    /// The lead of a review, if it became one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn lead_of(&self, review: i64) -> Result<Option<i64>, RecordsError> {
        let query = sqlx::query_scalar("SELECT id FROM lead WHERE review_id = $1").bind(review);
        query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())
    }

    /// Records a pack, as `happening` tells; its number and time. `shown` are the candidates that were not erased when it was gathered, and
    /// the picture of which it says that it is kept.
    ///
    /// # Errors
    /// [`RecordsError::ErasedSince`], [`RecordsError::ListEmptied`], [`RecordsError::TooMany`], [`RecordsError::Sql`],
    /// [`RecordsError::Damaged`].
    pub async fn add(
        &self,
        new: &NewDisclosure,
        (shown, kept): (&[TemplateId], Option<i64>),
        happening: Happening,
    ) -> Result<(i64, String), RecordsError> {
        let NewDisclosure { search, lead, gallery, person, recipient, reason, contents } = new;
        if recipient.len().max(reason.len()) > RECORD_TEXT_BYTES_MAX {
            return Err(RecordsError::TooMany { what: "bytes of a recipient or reason", limit: RECORD_TEXT_BYTES_MAX });
        }
        let (mut change, at) = (self.records.begin().await?, clock::now_rfc3339());
        // The list may have been emptied since it was read.
        change.refuse_emptied(*search).await?;
        change.refuse_erased_since(gallery, shown).await?;
        if let Some(probe) = kept {
            let still =
                sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM probe_image WHERE id = $1 AND state = 'kept'");
            let still = still.bind(probe).fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
            if still == 0 {
                return Err(RecordsError::ErasedSince);
            }
        }
        let insert = "INSERT INTO disclosure (id, search_id, lead_id, gallery, made_by, made_at, contents) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM disclosure), $1, $2, $3, $4, $5, $6 \
             WHERE (SELECT COUNT(*) FROM disclosure) < $7 RETURNING id";
        let id: Option<i64> = sqlx::query_scalar(insert)
            .bind(search)
            .bind(lead)
            .bind(gallery.as_str())
            .bind(person)
            .bind(&at)
            .bind(contents)
            .bind(DISCLOSURES_MAX as i64)
            .fetch_optional(&mut *change.transaction)
            .await
            .map_err(change.sql())?;
        let Some(id) = id else { return Err(RecordsError::TooMany { what: "disclosures", limit: DISCLOSURES_MAX }) };
        for (field, said) in [("recipient", recipient), ("reason", reason)] {
            let insert = "INSERT INTO disclosure_text (disclosure_id, field, said) VALUES ($1, $2, $3)";
            let query = sqlx::query(insert).bind(id).bind(field).bind(said);
            query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        }
        change.tell(&self.caller, &happening.about([Object::Disclosure(id)])).await?;
        change.commit().await?;
        Ok((id, at))
    }

    /// Packs that were made, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(&self, limit: usize) -> Result<Vec<DisclosureRecord>, RecordsError> {
        let select = "SELECT id, search_id, lead_id, gallery, made_by, made_at, contents, \
             (SELECT said FROM disclosure_text t WHERE t.disclosure_id = disclosure.id AND field = 'recipient') AS recipient, \
             (SELECT said FROM disclosure_text t WHERE t.disclosure_id = disclosure.id AND field = 'reason') AS reason \
             FROM disclosure ORDER BY id DESC LIMIT $1";
        let query = sqlx::query(select).bind(limit.min(DISCLOSURE_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.disclosure_of(row)).collect()
    }

    fn disclosure_of(&self, row: &DbRow) -> Result<DisclosureRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.records.sql());
        let gallery = text("gallery")?.parse();
        let gallery = gallery.map_err(|_| self.records.damaged("a disclosure is of no gallery".to_owned()))?;
        Ok(DisclosureRecord {
            id: row.try_get("id").map_err(self.records.sql())?,
            made_at: text("made_at")?,
            what: NewDisclosure {
                search: row.try_get("search_id").map_err(self.records.sql())?,
                lead: row.try_get("lead_id").map_err(self.records.sql())?,
                gallery,
                person: text("made_by")?,
                recipient: text("recipient")?,
                reason: text("reason")?,
                contents: text("contents")?,
            },
        })
    }
}

/// The searches that an event is about, as it names them.
#[must_use]
pub fn searches_in(objects: &[String]) -> Vec<i64> {
    let search = |object: &String| object.strip_prefix("search:")?.parse().ok();
    objects.iter().filter_map(search).take(AUDIT_OBJECTS_MAX).collect()
}

/// By what its list names a candidate.
fn named(row: &DbRow, gone: bool) -> Result<Named, sqlx::Error> {
    let of = |column: &str| row.try_get::<Option<String>, _>(column);
    let wrong = |error: &'static str| sqlx::Error::Decode(error.into());
    Ok(match (of("salt")?, of("entry")?) {
        (Some(salt), Some(_)) if !gone => Named::Salted(salt.parse().map_err(wrong)?),
        (_, Some(entry)) => Named::Erased(entry.parse().map_err(wrong)?),
        (_, None) => Named::Plainly,
    })
}

fn probe_of(row: &DbRow, original: &str) -> Result<ProbeFile, sqlx::Error> {
    let (state, expires_at): (String, String) = (row.try_get("state")?, row.try_get("expires_at")?);
    let picture = match state.as_str() {
        "kept" if expires_at > clock::now_rfc3339() => Picture::Kept,
        // What was begun is not taken back.
        "erasing" | "erased" => Picture::Erased,
        _due => Picture::Ended,
    };
    Ok(ProbeFile {
        original: original.to_owned(),
        picture,
        probe: Some(row.try_get("id")?),
        bytes: Some(row.try_get::<i64, _>("bytes")? as u64),
        kept_at: Some(row.try_get("kept_at")?),
        expires_at: Some(expires_at),
        edits: Vec::new(),
    })
}

/// With as much of it as its picture's erasure left.
fn edit_of(row: &DbRow) -> Result<Edit, sqlx::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let sha256 = Some(text("sha256")?).filter(|sha256| !is_overwritten(sha256));
    // All three go at once; what is left is no text that somebody wrote.
    let left = |said: String| sha256.is_some().then_some(said);
    Ok(Edit {
        number: row.try_get("number")?,
        bytes: row.try_get::<i64, _>("bytes")? as u64,
        tool: left(text("tool")?),
        parameters: left(text("parameters")?),
        person: text("person")?,
        made_at: text("made_at")?,
        sha256,
    })
}

fn searched_of(row: &DbRow) -> Result<Searched, sqlx::Error> {
    let number = |column: &str| row.try_get::<i64, _>(column);
    let pixels = |column: &str| Ok::<_, sqlx::Error>(Exact(row.try_get::<f64, _>(column)? as f32));
    let threshold: Option<f64> = row.try_get("threshold")?;
    Ok(Searched {
        form: number("form")? as u8,
        search: number("id")?,
        gallery: row.try_get("gallery")?,
        model: row.try_get("model_hash")?,
        snapshot: number("snapshot_number")? as u64,
        last_template: number("last_template_id")? as u64,
        live: number("live")? as u64,
        people: number("people")? as u64,
        back_end: row.try_get("back_end")?,
        restriction: row.try_get("restriction")?,
        threshold: threshold.map(|score| Exact(score as f32)),
        operating_point: row.try_get("operating_point")?,
        probe: row.try_get("probe_sha256")?,
        face: [pixels("face_x")?, pixels("face_y")?, pixels("face_width")?, pixels("face_height")?],
        purpose: None,
        lawful_basis: None,
        seriousness: None,
        authorised: None,
        candidates: Vec::new(),
    })
}

impl Change {
    /// Overwrites why packs were made of searches that showed a template, with as many `x`: such words may be about the person.
    /// That they were made, when and for whom stays.
    pub(in crate::records) async fn forget_disclosures_about(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        let which = "field = 'reason' AND EXISTS \
             (SELECT 1 FROM disclosure d JOIN search_candidate c ON c.search_id = d.search_id \
             WHERE d.id = disclosure_text.disclosure_id AND d.gallery = $1 AND c.template_id = $2)";
        self.overwrite("disclosure_text", &["said"], which, &[gallery.as_str().into(), (id.0 as i64).into()]).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_searches_of_an_event_are_those_it_names() {
        let objects = ["search:4", "review:2", "search:x", "search:19"].map(str::to_owned);
        assert_eq!(searches_in(&objects), [4, 19]);
    }
}
