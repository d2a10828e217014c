//! Pictures that were searched with: sealed while vision works, recorded with their searches, given out with a record, erased
//! with what was made of them. Any process may keep some, also beside a server, so each has a blob of its own with a random name.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::audit::{Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::RECORD_TEXT_BYTES_MAX;
use crate::crypto::{BlobKind, KeyId};
use crate::gallery::GalleryError;
use crate::gallery::pictures::off_thread;
use crate::gallery::room::detached;
use crate::gallery::vault::{Vault, check_text};
use crate::pictures::{BlobName, Cabinet, PictureError, PictureReader};
use crate::records::{NewProbe, PendingBlob, ProbeEdit, ProbeRecord, SearchRecord};

/// Blobs of probes are begun for no template.
const NO_TEMPLATE: TemplateId = TemplateId(0);

/// What somebody made of a probe image.
#[derive(Debug, Clone)]
pub struct NewEdit {
    /// The picture.
    pub bytes: Arc<[u8]>,
    /// With what it was made.
    pub tool: String,
    /// How: all that another needs to make it again.
    pub parameters: String,
}

impl Vault {
    /// Seals pictures that are being searched with, each once. They count when their searches are recorded; whoever does not
    /// record them lets go of them ([`let_go`](Self::let_go)).
    ///
    /// # Errors
    /// What records, keys and files say.
    pub async fn seal_probes(
        &self,
        gallery: &GalleryName,
        pictures: Vec<Arc<[u8]>>,
        expires_at: &str,
    ) -> Result<Vec<NewProbe>, GalleryError> {
        let key = self.inner.key_for(gallery).await?;
        let mut probes: Vec<(NewProbe, Arc<[u8]>)> = Vec::with_capacity(pictures.len());
        for bytes in pictures {
            let sha256 = Sha256::digest(&bytes).into();
            if !probes.iter().any(|(probe, _)| probe.sha256 == sha256) {
                let (blob, length) = (BlobName::random().map_err(PictureError::from)?, bytes.len() as u64);
                let expires_at = expires_at.to_owned();
                probes.push((NewProbe { sha256, key: key.id, blob, bytes: length, expires_at }, bytes));
            }
        }
        let (probes, contents): (Vec<NewProbe>, Vec<Arc<[u8]>>) = probes.into_iter().unzip();
        self.inner.records.begin_blobs(&begun(gallery, &probes)).await?;
        let (cabinet, name, sealed) = (Cabinet::new(&self.inner.data), gallery.clone(), probes.clone());
        let written = off_thread(move || {
            for (probe, bytes) in sealed.iter().zip(&contents) {
                cabinet.put(&name, probe.blob, BlobKind::Probe, &key, bytes)?;
            }
            Ok(())
        });
        match written.await {
            Ok(()) => Ok(probes),
            Err(error) => {
                self.let_go(gallery, &probes).await;
                Err(error)
            }
        }
    }

    /// Erases sealed pictures that were not recorded; those that were stay. What can't be erased now is at the next start.
    pub async fn let_go(&self, gallery: &GalleryName, probes: &[NewProbe]) {
        if probes.is_empty() {
            return;
        }
        let gone = match self.inner.records.take_probe_blobs(&begun(gallery, probes)).await {
            Ok(taken) => self.inner.erase_taken(&taken).await,
            Err(error) => Err(error.into()),
        };
        if let Err(error) = gone {
            tracing::warn!(%error, "pictures of searches that are not kept after all are removed at the next start");
        }
    }

    /// As [`record_searches`](Self::record_searches), with the pictures that are kept of them, and lets go of those of no search
    /// here; of all of them, where the searches are not recorded. Goes on to its end even when nobody waits for it any more.
    ///
    /// # Errors
    /// As there; [`RecordsError::NotBegun`](crate::records::RecordsError::NotBegun) for a picture that a start has removed
    /// meanwhile.
    pub async fn record_searches_keeping(
        &self,
        gallery: &GalleryName,
        searches: Vec<SearchRecord>,
        probes: Vec<NewProbe>,
    ) -> Result<Vec<i64>, GalleryError> {
        let (vault, gallery) = (self.clone(), gallery.clone());
        detached(async move {
            let of_one = |probe: &NewProbe| searches.iter().any(|search| search.probe_sha256 == probe.sha256);
            let (kept, failed): (Vec<NewProbe>, Vec<NewProbe>) = probes.into_iter().partition(of_one);
            let recorded = vault.record(&searches, &kept).await;
            vault.let_go(&gallery, &failed).await;
            if recorded.is_err() {
                // Where it is not known whether it was recorded, the blobs that count stay.
                vault.let_go(&gallery, &kept).await;
            }
            recorded
        })
        .await
    }

    pub(super) async fn record(
        &self,
        searches: &[SearchRecord],
        probes: &[NewProbe],
    ) -> Result<Vec<i64>, GalleryError> {
        for SearchRecord { actor, origin, back_end, .. } in searches {
            for (what, text) in [("actor", actor), ("origin", origin), ("back end", back_end)] {
                check_text(what, text, RECORD_TEXT_BYTES_MAX)?;
            }
        }
        let _recording = self.inner.traffic.recording();
        Ok(self.inner.records.record_searches(&self.caller, searches, probes).await?)
    }

    /// Kept probe images after number `after`, ascending: a page. Shows no picture.
    ///
    /// # Errors
    /// What the records say.
    pub async fn probes_after(&self, after: i64) -> Result<Vec<ProbeRecord>, GalleryError> {
        let found = self.inner.records.probes_after(after).await?;
        self.tell(&Happening::new(Kind::ProbeListed).about(found.iter().map(|probe| Object::Probe(probe.id)))).await?;
        Ok(found)
    }

    /// A kept probe image, or what was made of it under the number `edit`, to be read. That it was asked for is told.
    ///
    /// # Errors
    /// [`GalleryError::NoProbe`], [`GalleryError::Picture`], what records and keys say.
    pub async fn probe(&self, id: i64, edit: Option<i64>) -> Result<PictureReader, GalleryError> {
        let probe = self.kept_probe(id).await?;
        let (key, blob) = match edit {
            None => (probe.key, probe.blob),
            Some(number) => {
                let edit = probe.edits.iter().find(|edit| edit.number == number).ok_or(GalleryError::NoProbe(id))?;
                (edit.key, edit.blob)
            }
        };
        let reader = self.open_blob(&probe.gallery, (key, blob)).await?;
        self.tell(&Happening::new(Kind::ProbeExported).of(&probe.gallery).about([Object::Probe(id)])).await?;
        Ok(reader)
    }

    /// A kept probe image, to be read for a search that tells of it.
    ///
    /// # Errors
    /// As [`probe`](Self::probe).
    pub async fn open_probe(&self, id: i64) -> Result<PictureReader, GalleryError> {
        let probe = self.kept_probe(id).await?;
        self.open_blob(&probe.gallery, (probe.key, probe.blob)).await
    }

    /// Opens a picture that is sealed as those that are searched with.
    pub(super) async fn open_blob(
        &self,
        gallery: &GalleryName,
        (key, blob): (KeyId, BlobName),
    ) -> Result<PictureReader, GalleryError> {
        let (keys, cabinet, gallery) = (self.keys(), Cabinet::new(&self.inner.data), gallery.clone());
        off_thread(move || Ok(cabinet.open(&gallery, blob, BlobKind::Probe, keys.get(key)?.as_ref())?)).await
    }

    /// Adds what somebody made of a probe image, which stays as it is; the edit's number.
    ///
    /// # Errors
    /// [`GalleryError::NoProbe`], [`GalleryError::Text`], what records, keys and files say.
    pub async fn add_edit(&self, id: i64, new: NewEdit) -> Result<i64, GalleryError> {
        check_text("tool", &new.tool, RECORD_TEXT_BYTES_MAX)?;
        check_text("parameters", &new.parameters, RECORD_TEXT_BYTES_MAX)?;
        let probe = self.kept_probe(id).await?;
        let sealed = self.seal_probes(&probe.gallery, vec![new.bytes], &probe.expires_at).await?;
        let added = self.record_edit(&probe, &sealed, new.tool, new.parameters).await;
        if !matches!(added, Ok(Some(_))) {
            self.let_go(&probe.gallery, &sealed).await;
        }
        added?.ok_or(GalleryError::NoProbe(id))
    }

    async fn record_edit(
        &self,
        probe: &ProbeRecord,
        sealed: &[NewProbe],
        tool: String,
        parameters: String,
    ) -> Result<Option<i64>, GalleryError> {
        let Some(NewProbe { sha256, key, blob, bytes, .. }) = sealed.first().cloned() else { return Ok(None) };
        let (person, made_at) = (self.caller.who().actor.clone(), clock::now_rfc3339());
        let edit = ProbeEdit { number: 0, key, blob, bytes, sha256, tool, parameters, person, made_at };
        let mut change = self.inner.records.begin().await?;
        let number = change.add_edit(&self.caller, probe, &edit).await?;
        change.commit().await?;
        Ok(number)
    }

    /// Erases a probe image and all that was made of it: files are overwritten and removed, what was written about them is
    /// overwritten in the records. That there was one, its hash and its searches stay.
    ///
    /// # Errors
    /// [`GalleryError::NoProbe`], what records and files say; erasing again finishes what was begun, as does the next start.
    pub async fn erase_probe(&self, id: i64) -> Result<(), GalleryError> {
        let mut change = self.inner.records.begin().await?;
        let begun = change.begin_probe_erasure(&self.caller, id).await?;
        change.commit().await?;
        if !begun {
            return Err(GalleryError::NoProbe(id));
        }
        let blobs = self.inner.records.probe_blobs(id).await?;
        self.inner.erase_blobs(blobs).await?;
        let mut change = self.inner.records.begin().await?;
        change.forget_probe(id).await?;
        change.commit().await?;
        self.inner.records.empty_journal(self.inner.options.erase_wait).await?;
        let mut change = self.inner.records.begin().await?;
        change.finish_probe_erasure(id).await?;
        Ok(change.commit().await?)
    }

    /// Erases the probe images whose time is over, and finishes erasures that were begun; how many. One that can't be erased does
    /// not stop the others.
    ///
    /// # Errors
    /// [`GalleryError::ProbesLeft`]; what the records say.
    pub async fn erase_probes_due(&self) -> Result<u64, GalleryError> {
        let (mut erased, mut left, mut first, mut after) = (0, 0, None, 0);
        loop {
            let due = self.inner.records.probes_due(&clock::now_rfc3339(), after).await?;
            let Some(&last) = due.last() else { break };
            after = last;
            for id in due {
                match self.erase_probe(id).await {
                    // Another process was quicker.
                    Ok(()) | Err(GalleryError::NoProbe(_)) => erased += 1,
                    Err(error) => {
                        left += 1;
                        first.get_or_insert((id, error));
                    }
                }
            }
        }
        match first {
            None => Ok(erased),
            Some((probe, why)) => Err(GalleryError::ProbesLeft { erased, left, probe, why: Box::new(why) }),
        }
    }

    async fn kept_probe(&self, id: i64) -> Result<ProbeRecord, GalleryError> {
        self.inner.records.probe(id).await?.ok_or(GalleryError::NoProbe(id))
    }
}

fn begun(gallery: &GalleryName, probes: &[NewProbe]) -> Vec<PendingBlob> {
    let one = |probe: &NewProbe| PendingBlob { gallery: gallery.clone(), blob: probe.blob, template: NO_TEMPLATE };
    probes.iter().map(one).collect()
}
