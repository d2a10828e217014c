//! Erasures from when they are asked for until they are done, for their certificates. What was erased is known by numbers, and by
//! a commitment to what its subject was called, which nobody can open who does not know both that and the salt.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use sqlx::Row as _;

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{CERTIFICATE_BACKUPS_MAX, GALLERIES_MAX, SUBJECT_PAGE_MAX};
use crate::crypto::random;
use crate::records::{Change, Records, RecordsError};

/// Begins what is hashed for a subject's reference.
pub const COMMITMENT: &str = "bertillon subject 1\n";

/// What hides a subject's reference in a certificate.
#[must_use]
pub fn commitment(salt: &[u8; 16], gallery: &GalleryName, reference: &str) -> [u8; 32] {
    let text = format!("{COMMITMENT}{}\n{gallery}\n{reference}", hex::encode(salt));
    Sha256::digest(text.as_bytes()).into()
}

/// An erasure that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BegunErasure {
    /// Its number.
    pub id: i64,
    /// Opens the certificate's commitment; kept nowhere. `None` where nobody was called anything.
    pub salt: Option<[u8; 16]>,
}

/// An erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErasureRecord {
    /// Its number.
    pub id: i64,
    /// In which gallery.
    pub gallery: GalleryName,
    /// subject or reference.
    pub what: String,
    /// Commitment to what the subject was called, in hexadecimal digits.
    pub commitment: Option<String>,
    /// Who asked for it.
    pub asked_by: String,
    /// When, RFC 3339: from then on it was in no search.
    pub asked_at: String,
    /// Its templates, ascending.
    pub templates: Vec<TemplateId>,
    /// Their images' records, ascending.
    pub images: Vec<i64>,
    /// When it was done, in how many files bytes were overwritten, and the event that says so: number and hash.
    pub done: Option<(String, u64, (u64, String))>,
    /// The certificate, and its signature in hexadecimal digits.
    pub certificate: Option<(String, String)>,
}

/// What another gallery still has of what was erased: both were made from one backup, or one from the other's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyLeft {
    /// Which gallery.
    pub gallery: GalleryName,
    /// How many of the templates, under the same numbers.
    pub templates: u64,
}

/// Galleries that began as one, each with that from whose backup it was restored, and the last template that came with it.
type Family = BTreeMap<String, Option<(String, i64)>>;

/// The gallery itself and those it comes from, the nearest first, each with the last template that came down from there. One that was restored
/// under its own name was another one before.
fn origins<'a>(family: &'a Family, name: &'a str) -> Vec<(&'a str, i64)> {
    let mut line = vec![(name, i64::MAX)];
    let (mut at, mut last) = (name, i64::MAX);
    while let Some(Some((origin, through))) = family.get(at) {
        last = last.min(*through);
        if line.iter().any(|(known, _)| known == origin) {
            break;
        }
        line.push((origin, last));
        at = origin;
    }
    line
}

/// Up to which template the numbers of two galleries mean the same; `None` where they have nothing in common.
fn shared_through(family: &Family, one: &str, other: &str) -> Option<i64> {
    let others = origins(family, other);
    let common = |(name, last): &(&str, i64)| {
        others.iter().find(|(known, _)| known == name).map(|(_, others_last)| *last.min(others_last))
    };
    origins(family, one).iter().find_map(common)
}

/// A pack whose list named what was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackLeft {
    /// Its number.
    pub id: i64,
    /// Who made it.
    pub made_by: String,
    /// When, RFC 3339.
    pub made_at: String,
}

impl Change {
    /// Adds an erasure of live templates of one subject, or of templates that belong to nobody.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn add_erasure(
        &mut self,
        gallery: &GalleryName,
        what: &'static str,
        ids: &[TemplateId],
        caller: &Caller,
    ) -> Result<BegunErasure, RecordsError> {
        let select = "SELECT r.reference FROM image i JOIN subject_reference r ON r.subject_id = i.subject_id \
             WHERE i.gallery = $1 AND i.template_id = $2";
        let first = ids.first().map_or(0, |id| id.0 as i64);
        let query = sqlx::query_scalar::<_, String>(select).bind(gallery.as_str()).bind(first);
        let reference = query.fetch_optional(&mut *self.transaction).await.map_err(self.sql())?;
        let salt = random::bytes::<16>();
        let salt = salt.map_err(|error| self.damaged(error.to_string()))?;
        let hidden = reference.as_ref().map(|reference| hex::encode(&commitment(&salt, gallery, reference)));
        let insert = "INSERT INTO erasure (id, gallery, what, commitment, asked_by, asked_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM erasure), $1, $2, $3, $4, $5 RETURNING id";
        let query = sqlx::query_scalar(insert).bind(gallery.as_str()).bind(what).bind(hidden);
        let query = query.bind(caller.who().actor.clone()).bind(clock::now_rfc3339());
        let id: i64 = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        for template in ids {
            sqlx::query("INSERT INTO erasure_template (erasure_id, template_id) VALUES ($1, $2)")
                .bind(id)
                .bind(template.0 as i64)
                .execute(&mut *self.transaction)
                .await
                .map_err(self.sql())?;
        }
        Ok(BegunErasure { id, salt: reference.map(|_| salt) })
    }

    /// Keeps which packs name a template that is being erased, with its erasure: once it is off the lists nothing says so any more.
    pub(in crate::records) async fn keep_packs_of(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        let insert = "INSERT INTO erasure_disclosure (erasure_id, disclosure_id) SELECT DISTINCT e.id, d.id FROM erasure e \
             JOIN erasure_template t ON t.erasure_id = e.id AND t.template_id = $2 \
             JOIN search_candidate c ON c.template_id = t.template_id JOIN disclosure d ON d.search_id = c.search_id AND d.gallery = $1 \
             WHERE e.gallery = $1 AND e.done_at IS NULL AND NOT EXISTS \
             (SELECT 1 FROM erasure_disclosure k WHERE k.erasure_id = e.id AND k.disclosure_id = d.id)";
        let query = sqlx::query(insert).bind(gallery.as_str()).bind(id.0 as i64);
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    /// Declares erasures done whose templates all are, after the event that says so.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn finish_erasures(&mut self, gallery: &GalleryName, files: usize) -> Result<(), RecordsError> {
        let last = "SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1";
        let (seq, hash): (i64, String) =
            sqlx::query_as(last).fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        let update = "UPDATE erasure SET done_at = $2, files = $3, seq = $4, hash = $5 WHERE gallery = $1 AND done_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM erasure_template e JOIN template t ON t.gallery = erasure.gallery \
             AND t.id = e.template_id WHERE e.erasure_id = erasure.id AND t.state <> 'erased')";
        let query = sqlx::query(update).bind(gallery.as_str()).bind(clock::now_rfc3339()).bind(files as i64);
        query.bind(seq).bind(hash).execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }
}

impl Records {
    /// One erasure.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn erasure(&self, id: i64) -> Result<Option<ErasureRecord>, RecordsError> {
        let select = "SELECT gallery, what, commitment, asked_by, asked_at, done_at, files, seq, hash, certificate, signature \
             FROM erasure WHERE id = $1";
        let row = sqlx::query(select).bind(id).fetch_optional(&self.pool).await.map_err(self.sql())?;
        let Some(row) = row else { return Ok(None) };
        let text = |column: &str| row.try_get::<Option<String>, _>(column).map_err(self.sql());
        let number = |column: &str| row.try_get::<Option<i64>, _>(column).map_err(self.sql());
        let gallery: GalleryName = text("gallery")?
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| self.damaged("an erasure is in no gallery".to_owned()))?;
        let event = number("seq")?.map(|seq| seq as u64).zip(text("hash")?);
        let done = text("done_at")?.zip(number("files")?.map(|files| files as u64)).zip(event);
        let templates = "SELECT template_id FROM erasure_template WHERE erasure_id = $1 ORDER BY template_id";
        let templates: Vec<i64> =
            sqlx::query_scalar(templates).bind(id).fetch_all(&self.pool).await.map_err(self.sql())?;
        let images = "SELECT i.id FROM erasure_template e JOIN image i ON i.gallery = $2 AND i.template_id = e.template_id \
             WHERE e.erasure_id = $1 ORDER BY i.id";
        let images = sqlx::query_scalar(images).bind(id).bind(gallery.as_str());
        Ok(Some(ErasureRecord {
            id,
            what: text("what")?.unwrap_or_default(),
            commitment: text("commitment")?,
            asked_by: text("asked_by")?.unwrap_or_default(),
            asked_at: text("asked_at")?.unwrap_or_default(),
            templates: templates.into_iter().map(|id| TemplateId(id as u64)).collect(),
            images: images.fetch_all(&self.pool).await.map_err(self.sql())?,
            done: done.map(|((at, files), event)| (at, files, event)),
            certificate: text("certificate")?.zip(text("signature")?),
            gallery,
        }))
    }

    /// What other galleries still have of what was erased: those that have a gallery in common with this one from which both, or the one,
    /// were restored, as far as their numbers mean the same. A gallery whose key was destroyed has nothing.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn copies_left(&self, erasure: i64) -> Result<Vec<CopyLeft>, RecordsError> {
        let select = "SELECT o.name AS name, o.restored_from AS origin, COALESCE(o.restored_through, 0) AS through, \
             CASE WHEN o.name = g.name THEN 1 ELSE 0 END AS here FROM erasure e JOIN gallery g ON g.name = e.gallery \
             JOIN gallery o ON o.created_at = g.created_at AND o.model_hash = g.model_hash WHERE e.id = $1 AND (o.name = g.name \
             OR o.storage <> 'sealed' OR EXISTS (SELECT 1 FROM gallery_key k WHERE k.gallery = o.name AND k.destroyed_at IS NULL)) \
             ORDER BY o.name LIMIT $2";
        let query = sqlx::query_as::<_, (String, Option<String>, i64, i64)>(select).bind(erasure);
        let rows = query.bind(GALLERIES_MAX as i64).fetch_all(&self.pool).await.map_err(self.sql())?;
        let mut family = Family::new();
        let mut here = String::new();
        for (name, origin, through, is_here) in rows {
            if is_here == 1 {
                here.clone_from(&name);
            }
            family.insert(name, origin.map(|origin| (origin, through)));
        }
        let mut found = Vec::new();
        for name in family.keys().filter(|name| **name != here) {
            let Some(through) = shared_through(&family, &here, name) else { continue };
            let select = "SELECT COUNT(*) FROM erasure_template t WHERE t.erasure_id = $1 AND t.template_id <= $3 AND NOT EXISTS \
                 (SELECT 1 FROM template x WHERE x.gallery = $2 AND x.id = t.template_id AND x.state <> 'live')";
            let query = sqlx::query_scalar::<_, i64>(select).bind(erasure).bind(name.as_str()).bind(through);
            let templates = query.fetch_one(&self.pool).await.map_err(self.sql())? as u64;
            if templates > 0 {
                let gallery = name.parse().map_err(|_| self.damaged("a gallery has an impossible name".to_owned()))?;
                found.push(CopyLeft { gallery, templates });
            }
        }
        Ok(found)
    }

    /// Packs whose lists named what was erased, ascending: as many as a certificate names, and one more.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn packs_left(&self, erasure: i64) -> Result<Vec<PackLeft>, RecordsError> {
        let select = "SELECT d.id AS id, d.made_by AS made_by, d.made_at AS made_at FROM erasure_disclosure k \
             JOIN disclosure d ON d.id = k.disclosure_id WHERE k.erasure_id = $1 ORDER BY d.id LIMIT $2";
        let query = sqlx::query_as(select).bind(erasure).bind(CERTIFICATE_BACKUPS_MAX as i64 + 1);
        let found: Vec<(i64, String, String)> = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        Ok(found.into_iter().map(|(id, made_by, made_at)| PackLeft { id, made_by, made_at }).collect())
    }

    /// Erasures that are done and have no certificate yet, ascending, at most a page.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn uncertified(&self, gallery: &GalleryName) -> Result<Vec<i64>, RecordsError> {
        let select = "SELECT id FROM erasure WHERE gallery = $1 AND done_at IS NOT NULL AND certificate IS NULL ORDER BY id LIMIT $2";
        let query = sqlx::query_scalar(select).bind(gallery.as_str()).bind(SUBJECT_PAGE_MAX as i64);
        query.fetch_all(&self.pool).await.map_err(self.sql())
    }

    /// Keeps a certificate, if there is none.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn certify(
        &self,
        erasure: &ErasureRecord,
        (certificate, signature): (&str, &str),
    ) -> Result<(), RecordsError> {
        let mut change = self.begin().await?;
        let update = "UPDATE erasure SET certificate = $2, signature = $3 WHERE id = $1 AND certificate IS NULL";
        let query = sqlx::query(update).bind(erasure.id).bind(certificate).bind(signature);
        let kept = query.execute(&mut *change.transaction).await.map_err(change.sql())?;
        if kept.rows_affected() == 0 {
            return Ok(());
        }
        let made = Happening::new(Kind::CertificateMade).of(&erasure.gallery).about([Object::Erasure(erasure.id)]);
        change.tell(&Caller::itself("an erasure was done"), &made).await?;
        change.commit().await
    }
}
