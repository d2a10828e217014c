//! Searches: who asked what, and what was shown. A list is shown only after its record is committed.

use sqlx::Row as _;

use crate::audit::searched::{self, Authorised, Exact, Listed, Named, Searched};
use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex::{self, Digits};
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{CANDIDATES_MAX, SEARCH_STAGES_MAX};
use crate::crypto::random;
use crate::policy::Stated;
use crate::records::{Change, DbRow, NewProbe, Records, RecordsError, SearchOf, SqlBuilder, Statement};

/// Where the searched face stands in the probe image, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FaceBox {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// One candidate that was shown. It names the template only; who that was is found through the references, as long as
/// they are not erased.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RecordedCandidate {
    /// From 1.
    pub rank: u32,
    /// Which template.
    pub template: TemplateId,
    /// Comparison score.
    pub score: f32,
    /// By what the log names it; `None` before it is recorded, and in lists of before there were salts.
    pub entry: Option<Digits<32>>,
}

/// The gallery as a search saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GallerySeen {
    /// The last template that counted; 0 when there was none.
    pub last_template: TemplateId,
    /// How many counted.
    pub live: u64,
}

/// One search of one face.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchRecord {
    /// Which gallery.
    pub gallery: GalleryName,
    /// Who asked.
    pub actor: String,
    /// Where from: command line, an address.
    pub origin: String,
    /// Hash of the probe image.
    pub probe_sha256: [u8; 32],
    /// Which face of it.
    pub face: FaceBox,
    /// Which model made the probe's template.
    pub model_hash: [u8; 32],
    /// Which state of the gallery answered.
    pub snapshot_number: u64,
    /// What that state was.
    pub seen: GallerySeen,
    /// The longest list, in people.
    pub people: usize,
    /// What scored.
    pub back_end: String,
    /// Which part of the gallery was searched; `None` for all of it.
    pub restriction: Option<String>,
    /// What was stated; `None` where nothing was.
    pub stated: Option<Statement>,
    /// Score below which nothing was shown.
    pub threshold: Option<f32>,
    /// The operating point that gave the threshold, if one did.
    pub operating_point: Option<String>,
    /// What was shown, by rank.
    pub candidates: Vec<RecordedCandidate>,
    /// Stages and their times in milliseconds, in order.
    pub stages_ms: Vec<(String, f64)>,
}

impl Records {
    /// Records the searches of one request now, with the pictures that are kept of them, with one event for all of them, and gives their numbers in their order.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn record_searches(
        &self,
        caller: &Caller,
        searches: &[SearchRecord],
        probes: &[NewProbe],
    ) -> Result<Vec<i64>, RecordsError> {
        let Some(first) = searches.first() else { return Ok(Vec::new()) };
        for (what, limit, found) in searches.iter().flat_map(lengths) {
            if found > limit {
                return Err(RecordsError::TooMany { what, limit });
            }
        }
        let mut change = self.begin().await?;
        let (mut ids, mut bound) = (Vec::with_capacity(searches.len()), Vec::new());
        for search in searches {
            let id = change.add_search(search).await?;
            let searched = change.add_list(id, search).await?;
            if let Some(statement) = &search.stated {
                change.add_statement(id, statement).await?;
            }
            if let Some(authorised) = &searched.authorised {
                change.add_authoriser(id, authorised).await?;
            }
            bound.push((id, change.add_context(&searched).await?));
            ids.push(id);
        }
        let numbered: Vec<_> = ids.iter().copied().zip(searches).collect();
        change.add_probes(&numbered, probes).await?;
        let shown: usize = searches.iter().map(|search| search.candidates.len()).sum();
        let mut happening = Happening::new(Kind::SearchRun)
            .of(&first.gallery)
            .about(ids.iter().map(|&id| Object::Search(id)))
            .with("candidates", Detail::Number(shown as u64))
            .with("model", Detail::Hash(first.model_hash))
            .with("searches", Detail::Hash(searched::bound(bound.iter().map(|(id, hash)| (*id, hash.as_str())))))
            .with("snapshot", Detail::Number(first.snapshot_number));
        if let Some(Statement { stated, policy_sha256, of }) = &first.stated {
            // What was stated stands with the searches: words of a policy and free text have no place in an event.
            happening = happening.with("policy", Detail::Hash(*policy_sha256));
            happening = happening.with("stated", Detail::Number(stated.count() as u64));
            happening = happening.about(of.map(|of| match of {
                SearchOf::Submission(id) => Object::Submission(id),
                SearchOf::Unsolved(id) => Object::Unsolved(id),
            }));
        }
        if !probes.is_empty() {
            happening = happening.with("probe_images", Detail::Number(probes.len() as u64));
        }
        change.tell(caller, &happening).await?;
        change.commit().await?;
        Ok(ids)
    }

    /// What a search showed, by rank; empty for a number that was never given. Who was erased since has template and score 0.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn shown(&self, search: i64) -> Result<Vec<RecordedCandidate>, RecordsError> {
        let select = "SELECT rank, template_id, score, entry FROM search_candidate WHERE search_id = $1 ORDER BY rank";
        let rows = sqlx::query(select).bind(search).fetch_all(&self.pool).await.map_err(self.sql())?;
        let candidate = |row: &DbRow| {
            let rank: i64 = row.try_get("rank")?;
            let template: i64 = row.try_get("template_id")?;
            let score: f64 = row.try_get("score")?;
            let entry: Option<String> = row.try_get("entry")?;
            let entry = entry.map(|entry| entry.parse()).transpose();
            let entry = entry.map_err(|error: &'static str| sqlx::Error::Decode(error.into()))?;
            Ok(RecordedCandidate {
                rank: rank as u32,
                template: TemplateId(template as u64),
                score: score as f32,
                entry,
            })
        };
        rows.iter().map(candidate).collect::<Result<_, sqlx::Error>>().map_err(self.sql())
    }
}

impl SearchRecord {
    /// What the log binds of it, under its number; its candidates have no salts yet, and nobody has authorised it.
    fn searched(&self, search: i64) -> Searched {
        let FaceBox { x, y, width, height } = self.face;
        let stated = |field: fn(&Stated) -> &Option<String>| {
            self.stated.as_ref().and_then(|statement| field(&statement.stated).clone())
        };
        let listed = |candidate: &RecordedCandidate| {
            let RecordedCandidate { rank, template, score, .. } = *candidate;
            Listed { rank, template: template.0, score: Exact(score), named: Named::Plainly }
        };
        Searched {
            form: searched::SECOND,
            search,
            gallery: self.gallery.as_str().to_owned(),
            model: hex::encode(&self.model_hash),
            snapshot: self.snapshot_number,
            last_template: self.seen.last_template.0,
            live: self.seen.live,
            people: self.people as u64,
            back_end: self.back_end.clone(),
            restriction: self.restriction.clone(),
            threshold: self.threshold.map(Exact),
            operating_point: self.operating_point.clone(),
            probe: hex::encode(&self.probe_sha256),
            face: [x, y, width, height].map(Exact),
            purpose: stated(|stated| &stated.purpose),
            lawful_basis: stated(|stated| &stated.lawful_basis),
            seriousness: stated(|stated| &stated.seriousness),
            authorised: None,
            candidates: self.candidates.iter().map(listed).collect(),
        }
    }
}

impl Change {
    /// Refuses a list with somebody whose erasure began since they were compared: it has looked at the lists there were then, and would not
    /// come back for this one.
    async fn refuse_erased(&mut self, gallery: &GalleryName, listed: &[Listed]) -> Result<(), RecordsError> {
        let listed: Vec<_> = listed.iter().map(|candidate| TemplateId(candidate.template)).collect();
        if self.is_any_erased(gallery, &listed).await? { Err(RecordsError::ErasedMeanwhile) } else { Ok(()) }
    }

    fn salt(&self) -> Result<Digits<16>, RecordsError> {
        Ok(Digits(random::bytes().map_err(|error| self.damaged(error.to_string()))?))
    }

    /// Adds what was shown, each candidate with a salt of its own; what the log binds of the search.
    async fn add_list(&mut self, id: i64, search: &SearchRecord) -> Result<Searched, RecordsError> {
        let mut searched = search.searched(id);
        if let Some(name) = search.stated.as_ref().and_then(|statement| statement.stated.authoriser.clone()) {
            searched.form = searched::THIRD;
            searched.authorised = Some(Authorised::By { name, salt: self.salt()? });
        }
        if searched.candidates.is_empty() {
            return Ok(searched);
        }
        self.refuse_erased(&search.gallery, &searched.candidates).await?;
        for candidate in &mut searched.candidates {
            candidate.named = Named::Salted(self.salt()?);
        }
        let mut rows =
            SqlBuilder::new("INSERT INTO search_candidate (search_id, rank, template_id, score, salt, entry) ");
        rows.push_values(&searched.candidates, |row, candidate| {
            let Listed { rank, template, score, named } = candidate;
            let salt = if let Named::Salted(salt) = named { Some(salt.to_string()) } else { None };
            row.push_bind(id).push_bind(i64::from(*rank)).push_bind(*template as i64).push_bind(f64::from(score.0));
            row.push_bind(salt.as_deref()).push_bind(candidate.entry(id).map(|entry| entry.to_string()).as_deref());
        });
        rows.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(searched)
    }

    /// Keeps what a search's list depended on; the hash of all of it, in hexadecimal digits.
    async fn add_context(&mut self, searched: &Searched) -> Result<String, RecordsError> {
        let sha256 = hex::encode(&searched.sha256());
        let insert = "INSERT INTO search_context (search_id, people, last_template_id, live, form, sha256) \
             VALUES ($1, $2, $3, $4, $5, $6)";
        sqlx::query(insert)
            .bind(searched.search)
            .bind(searched.people as i64)
            .bind(searched.last_template as i64)
            .bind(searched.live as i64)
            .bind(i64::from(searched.form))
            .bind(&sha256)
            .execute(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        Ok(sha256)
    }

    /// Adds a search; its number.
    async fn add_search(&mut self, search: &SearchRecord) -> Result<i64, RecordsError> {
        let insert = "INSERT INTO search (id, at, gallery, actor, origin, probe_sha256, face_x, face_y, face_width, \
             face_height, model_hash, snapshot_number, back_end, restriction, threshold, operating_point) SELECT COALESCE(MAX(id), 0) + 1, \
             $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, CASE WHEN $16 = 1 THEN $14 END, $15 FROM search RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(clock::now_rfc3339())
            .bind(search.gallery.as_str())
            .bind(&search.actor)
            .bind(&search.origin)
            .bind(hex::encode(&search.probe_sha256))
            .bind(f64::from(search.face.x))
            .bind(f64::from(search.face.y))
            .bind(f64::from(search.face.width))
            .bind(f64::from(search.face.height))
            .bind(hex::encode(&search.model_hash))
            .bind(search.snapshot_number as i64)
            .bind(&search.back_end)
            .bind(&search.restriction)
            // No Option of it: sqlx's Any takes the absence of a number with fractions for that of a narrower one, and PostgreSQL then
            // refuses the first number that comes.
            .bind(f64::from(search.threshold.unwrap_or_default()))
            .bind(&search.operating_point)
            .bind(i64::from(search.threshold.is_some()))
            .fetch_one(&mut *self.transaction)
            .await
            .map_err(self.sql())?;
        if !search.stages_ms.is_empty() {
            let mut rows = SqlBuilder::new("INSERT INTO search_stage (search_id, position, name, milliseconds) ");
            rows.push_values(search.stages_ms.iter().enumerate(), |row, (position, (name, milliseconds))| {
                row.push_bind(id).push_bind(position as i64).push_bind(name.as_str()).push_bind(*milliseconds);
            });
            rows.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
        }
        Ok(id)
    }
}

/// What of a search has a limit, the limit, and how much there is.
fn lengths(search: &SearchRecord) -> [(&'static str, usize, usize); 2] {
    [
        ("candidates in one search", CANDIDATES_MAX, search.candidates.len()),
        ("stages of one search", SEARCH_STAGES_MAX, search.stages_ms.len()),
    ]
}
