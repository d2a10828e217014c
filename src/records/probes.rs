//! Pictures that were searched with, as far as they are kept, and what was made of them. The pictures are files; here stands
//! which, until when, and by whom.

use sqlx::Row as _;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::base::limits::{PICTURES_PAGE_MAX, PROBE_EDITS_MAX};
use crate::crypto::KeyId;
use crate::pictures::BlobName;
use crate::records::pictures::TAKEN;
use crate::records::{Change, DbRow, PendingBlob, Records, RecordsError, SearchRecord};

/// A probe's picture whose blob is written, about to be recorded with its searches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProbe {
    /// sha256 of the picture: searches with it are its.
    pub sha256: [u8; 32],
    /// Under which key.
    pub key: KeyId,
    /// Its blob.
    pub blob: BlobName,
    /// Bytes of the picture.
    pub bytes: u64,
    /// When it is to be erased, RFC 3339.
    pub expires_at: String,
}

/// A kept probe image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeRecord {
    /// Its number.
    pub id: i64,
    /// In which gallery was searched.
    pub gallery: GalleryName,
    /// Under which key.
    pub key: KeyId,
    /// Its blob.
    pub blob: BlobName,
    /// Bytes of the picture.
    pub bytes: u64,
    /// Since when.
    pub kept_at: String,
    /// Until when.
    pub expires_at: String,
    /// Searches with it, ascending.
    pub searches: Vec<i64>,
    /// What was made of it, in order.
    pub edits: Vec<ProbeEdit>,
}

/// Something that was made of a probe image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeEdit {
    /// From 1.
    pub number: i64,
    /// Under which key.
    pub key: KeyId,
    /// Its blob.
    pub blob: BlobName,
    /// Bytes of the picture.
    pub bytes: u64,
    /// sha256 of the picture.
    pub sha256: [u8; 32],
    /// With what.
    pub tool: String,
    /// How.
    pub parameters: String,
    /// By whom.
    pub person: String,
    /// When it was added.
    pub made_at: String,
}

const SELECT: &str = "SELECT id, gallery, key_id, blob, bytes, kept_at, expires_at FROM probe_image";

impl Records {
    /// A kept probe image; `None` where there is none or it is being erased.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn probe(&self, id: i64) -> Result<Option<ProbeRecord>, RecordsError> {
        Ok(self.probes(&format!("{SELECT} WHERE id = $1 AND state = 'kept' LIMIT $2"), id).await?.pop())
    }

    /// Kept probe images after number `after`, ascending, at most [`PICTURES_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn probes_after(&self, after: i64) -> Result<Vec<ProbeRecord>, RecordsError> {
        self.probes(&format!("{SELECT} WHERE id > $1 AND state = 'kept' ORDER BY id LIMIT $2"), after).await
    }

    /// Numbers after `after` of probe images whose time is over at `now`, and of those whose erasure was begun, ascending, at most
    /// [`PICTURES_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn probes_due(&self, now: &str, after: i64) -> Result<Vec<i64>, RecordsError> {
        let select = "SELECT id FROM probe_image WHERE state <> 'erased' AND (expires_at <= $1 OR state = 'erasing') AND id > $3 \
             ORDER BY id LIMIT $2";
        let query = sqlx::query_scalar(select).bind(now.to_owned()).bind(PICTURES_PAGE_MAX as i64).bind(after);
        query.fetch_all(&self.pool).await.map_err(self.sql())
    }

    /// Numbers of probe images that lie under a key, or of which something that was made of them does, and that are not erased; at
    /// most [`PICTURES_PAGE_MAX`].
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn probes_under(&self, key: KeyId) -> Result<Vec<i64>, RecordsError> {
        let select = "SELECT id FROM probe_image p WHERE state <> 'erased' AND (key_id = $1 OR EXISTS \
             (SELECT 1 FROM probe_edit e WHERE e.probe_id = p.id AND e.key_id = $1)) ORDER BY id LIMIT $2";
        let query = sqlx::query_scalar(select).bind(key.to_string()).bind(PICTURES_PAGE_MAX as i64);
        query.fetch_all(&self.pool).await.map_err(self.sql())
    }

    /// The blobs of a probe image and of its edits, in whatever state it is.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn probe_blobs(&self, id: i64) -> Result<Vec<(GalleryName, BlobName)>, RecordsError> {
        let select = "SELECT p.gallery AS gallery, p.blob AS blob FROM probe_image p WHERE p.id = $1 UNION ALL \
             SELECT p.gallery AS gallery, e.blob AS blob FROM probe_edit e JOIN probe_image p ON p.id = e.probe_id \
             WHERE e.probe_id = $1";
        let rows = sqlx::query(select).bind(id).fetch_all(&self.pool).await.map_err(self.sql())?;
        // Names that were overwritten are none any more.
        rows.iter().filter_map(|row| self.blob(row).transpose()).collect()
    }

    /// Takes the blobs of probes, whose names nobody else draws: all but those that count. Also one that a start has taken
    /// before it was written, and forgotten: it may be there now. It is said again that it is begun, so that it is erased
    /// whatever happens.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn take_probe_blobs(&self, blobs: &[PendingBlob]) -> Result<Vec<PendingBlob>, RecordsError> {
        let mut taken = Vec::with_capacity(blobs.len());
        let mut change = self.begin().await?;
        for begun in blobs {
            if change.take_blob(begun).await? || change.take_lost_blob(begun).await? {
                taken.push(begun.clone());
            }
        }
        change.commit().await?;
        Ok(taken)
    }

    fn blob(&self, row: &DbRow) -> Result<Option<(GalleryName, BlobName)>, RecordsError> {
        let blob: String = row.try_get("blob").map_err(self.sql())?;
        let gallery: String = row.try_get("gallery").map_err(self.sql())?;
        let gallery =
            gallery.parse().map_err(|_| self.damaged("a probe image has an impossible gallery".to_owned()))?;
        Ok(BlobName::parse(&blob).map(|blob| (gallery, blob)))
    }

    async fn probes(&self, select: &str, number: i64) -> Result<Vec<ProbeRecord>, RecordsError> {
        let query = sqlx::query(sqlx::AssertSqlSafe(select)).bind(number).bind(PICTURES_PAGE_MAX as i64);
        let rows = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        let mut found = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut probe = self.probe_of(row)?;
            let searches = "SELECT search_id FROM search_probe WHERE probe_id = $1 ORDER BY search_id";
            let query = sqlx::query_scalar(searches).bind(probe.id);
            probe.searches = query.fetch_all(&self.pool).await.map_err(self.sql())?;
            let edits = "SELECT * FROM probe_edit WHERE probe_id = $1 ORDER BY number";
            let edits = sqlx::query(edits).bind(probe.id).fetch_all(&self.pool).await.map_err(self.sql())?;
            probe.edits = edits.iter().map(|row| self.edit_of(row)).collect::<Result<_, _>>()?;
            found.push(probe);
        }
        Ok(found)
    }

    fn probe_of(&self, row: &DbRow) -> Result<ProbeRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.sql());
        let bad = || self.damaged("a probe image has an impossible name".to_owned());
        Ok(ProbeRecord {
            id: number("id")?,
            gallery: text("gallery")?.parse().map_err(|_| bad())?,
            key: KeyId::parse(&text("key_id")?).ok_or_else(bad)?,
            blob: BlobName::parse(&text("blob")?).ok_or_else(bad)?,
            bytes: number("bytes")? as u64,
            kept_at: text("kept_at")?,
            expires_at: text("expires_at")?,
            searches: Vec::new(),
            edits: Vec::new(),
        })
    }

    fn edit_of(&self, row: &DbRow) -> Result<ProbeEdit, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.sql());
        let bad = || self.damaged("an edit of a probe image has an impossible name".to_owned());
        Ok(ProbeEdit {
            number: number("number")?,
            key: KeyId::parse(&text("key_id")?).ok_or_else(bad)?,
            blob: BlobName::parse(&text("blob")?).ok_or_else(bad)?,
            bytes: number("bytes")? as u64,
            sha256: hex::decode_32(&text("sha256")?).ok_or_else(bad)?,
            tool: text("tool")?,
            parameters: text("parameters")?,
            person: text("person")?,
            made_at: text("made_at")?,
        })
    }
}

impl Change {
    /// Makes probe images count, with the searches that were made with them.
    pub(super) async fn add_probes(
        &mut self,
        searches: &[(i64, &SearchRecord)],
        probes: &[NewProbe],
    ) -> Result<(), RecordsError> {
        for probe in probes {
            let mut gallery = None;
            let mut with_it = Vec::new();
            for (number, search) in searches {
                if search.probe_sha256 == probe.sha256 {
                    gallery = Some(&search.gallery);
                    with_it.push(*number);
                }
            }
            let Some(gallery) = gallery else { continue };
            self.end_begun_blob(gallery, probe.key, probe.blob).await?;
            let insert = "INSERT INTO probe_image (id, gallery, state, key_id, blob, bytes, kept_at, expires_at) \
                 SELECT COALESCE(MAX(id), 0) + 1, $1, 'kept', $2, $3, $4, $5, $6 FROM probe_image RETURNING id";
            let query = sqlx::query_scalar::<_, i64>(insert).bind(gallery.as_str()).bind(probe.key.to_string());
            let query = query.bind(probe.blob.to_string()).bind(probe.bytes as i64).bind(clock::now_rfc3339());
            let query = query.bind(probe.expires_at.clone());
            let id = query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
            for search in with_it {
                let insert = "INSERT INTO search_probe (search_id, probe_id) VALUES ($1, $2)";
                let query = sqlx::query(insert).bind(search).bind(id);
                query.execute(&mut *self.transaction).await.map_err(self.sql())?;
            }
        }
        Ok(())
    }

    /// Takes a blob of a probe that is not begun (any more), unless it counts; whether it does not.
    async fn take_lost_blob(&mut self, PendingBlob { gallery, blob, .. }: &PendingBlob) -> Result<bool, RecordsError> {
        let insert = "INSERT INTO blob_pending (gallery, blob, template_id) SELECT $1, $2, $3 \
             WHERE NOT EXISTS (SELECT 1 FROM probe_image WHERE blob = $2) \
             AND NOT EXISTS (SELECT 1 FROM probe_edit WHERE blob = $2) \
             AND NOT EXISTS (SELECT 1 FROM submission_image WHERE blob = $2)";
        let query = sqlx::query(insert).bind(gallery.as_str()).bind(blob.to_string()).bind(TAKEN);
        Ok(query.execute(&mut *self.transaction).await.map_err(self.sql())?.rows_affected() > 0)
    }

    /// Adds what was made of a probe image, whose blob is written; its number. `None` where the image is not kept any more.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`].
    pub async fn add_edit(
        &mut self,
        caller: &Caller,
        probe: &ProbeRecord,
        edit: &ProbeEdit,
    ) -> Result<Option<i64>, RecordsError> {
        let select = "SELECT COUNT(*) FROM probe_image WHERE id = $1 AND state = 'kept'";
        let kept: i64 = {
            let query = sqlx::query_scalar(select).bind(probe.id);
            query.fetch_one(&mut *self.transaction).await.map_err(self.sql())?
        };
        if kept == 0 {
            return Ok(None);
        }
        self.end_begun_blob(&probe.gallery, edit.key, edit.blob).await?;
        let insert = "INSERT INTO probe_edit (probe_id, number, key_id, blob, bytes, sha256, tool, parameters, person, made_at) \
             SELECT $1, COALESCE(MAX(number), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9 FROM probe_edit WHERE probe_id = $1 \
             RETURNING number";
        let query = sqlx::query_scalar::<_, i64>(insert).bind(probe.id).bind(edit.key.to_string());
        let query = query.bind(edit.blob.to_string()).bind(edit.bytes as i64).bind(hex::encode(&edit.sha256));
        let query = query.bind(edit.tool.clone()).bind(edit.parameters.clone()).bind(edit.person.clone());
        let number = query.bind(edit.made_at.clone()).fetch_one(&mut *self.transaction).await.map_err(self.sql())?;
        if number > PROBE_EDITS_MAX as i64 {
            return Err(RecordsError::TooMany { what: "edits of one probe image", limit: PROBE_EDITS_MAX });
        }
        let added = Happening::new(Kind::ProbeEdited).of(&probe.gallery).about([Object::Probe(probe.id)]);
        self.tell(caller, &added.with("edit", Detail::Number(number as u64))).await?;
        Ok(Some(number))
    }

    /// Begins the erasure of a probe image: from the commit on nobody is given it. Whether there was one, or its erasure had
    /// been begun before.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn begin_probe_erasure(&mut self, caller: &Caller, id: i64) -> Result<bool, RecordsError> {
        let update = "UPDATE probe_image SET state = 'erasing' WHERE id = $1 AND state = 'kept' RETURNING gallery";
        let query = sqlx::query_scalar::<_, String>(update).bind(id).fetch_optional(&mut *self.transaction);
        if let Some(gallery) = query.await.map_err(self.sql())? {
            let what = "a probe image has an impossible gallery".to_owned();
            let bad = |_| RecordsError::Damaged { path: self.path.clone(), what };
            let gallery: GalleryName = gallery.parse().map_err(bad)?;
            self.expire_unsolved(id).await?;
            self.tell(caller, &Happening::new(Kind::ProbeErased).of(&gallery).about([Object::Probe(id)])).await?;
            return Ok(true);
        }
        let begun = "SELECT COUNT(*) FROM probe_image WHERE id = $1 AND state = 'erasing'";
        let query = sqlx::query_scalar::<_, i64>(begun).bind(id).fetch_one(&mut *self.transaction);
        Ok(query.await.map_err(self.sql())? > 0)
    }

    /// Overwrites what is known of a probe image whose blobs are gone, and of its edits: with as many bytes.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn forget_probe(&mut self, id: i64) -> Result<(), RecordsError> {
        let of_probe = [id.into()];
        self.overwrite("probe_image", &["blob"], "id = $1", &of_probe).await?;
        self.overwrite("probe_edit", &["blob", "sha256", "tool", "parameters"], "probe_id = $1", &of_probe).await?;
        let entries = "unsolved_id IN (SELECT id FROM unsolved WHERE probe_id = $1)";
        self.overwrite("unsolved_text", &["said"], entries, &of_probe).await
    }

    /// Declares the erasure of a probe image done.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn finish_probe_erasure(&mut self, id: i64) -> Result<(), RecordsError> {
        let update = "UPDATE probe_image SET state = 'erased' WHERE id = $1";
        let query = sqlx::query(update).bind(id).execute(&mut *self.transaction);
        query.await.map(drop).map_err(self.sql())
    }
}
