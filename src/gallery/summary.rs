//! Galleries at a glance, those that can't be used included.

use std::sync::PoisonError;

use crate::base::ids::GalleryName;
use crate::gallery::GalleryError;
use crate::gallery::vault::{Inner, Vault};
use crate::graph::file::Facts;
use crate::records::GalleryRecord;
use crate::store::InMemory;

/// A gallery at a glance.
#[derive(Debug, Clone)]
pub struct GallerySummary {
    /// What the records know.
    pub record: GalleryRecord,
    /// Templates that may reach a candidate list, synthetic ones included.
    pub live: u64,
    /// Synthetic ones among them.
    pub synthetic: u64,
    /// Templates erased since the gallery was made.
    pub erased: u64,
    /// Segment files.
    pub segments: usize,
    /// Erased rows that still take up room in segments, until a compaction.
    pub erased_rows: u64,
    /// Rows of the tail.
    pub tail_rows: usize,
    /// Bytes of segments and tail.
    pub bytes: u64,
    /// Bytes that are open in memory, and how long that took: of a sealed gallery.
    pub held: Option<InMemory>,
    /// Graphs for approximate searches, by segment.
    pub graphs: Vec<Facts>,
    /// Why it can't be used, where its files are damaged; the figures of its files are 0 then.
    pub damaged: Option<String>,
}

impl Vault {
    /// All galleries by name.
    ///
    /// # Errors
    /// What the records say; what is wrong with the files of a gallery is in its summary.
    pub async fn galleries(&self) -> Result<Vec<GallerySummary>, GalleryError> {
        let mut summaries = Vec::new();
        for record in self.inner.records.galleries().await? {
            let erased = self.inner.records.erased_count(&record.name).await?;
            let empty = GallerySummary {
                record,
                live: 0,
                synthetic: 0,
                erased,
                segments: 0,
                erased_rows: 0,
                tail_rows: 0,
                bytes: 0,
                held: None,
                graphs: Vec::new(),
                damaged: None,
            };
            summaries.push(match self.snapshot(&empty.record.name).await {
                Ok(snapshot) => GallerySummary {
                    live: snapshot.live(),
                    synthetic: snapshot.live_synthetic(),
                    segments: snapshot.sizes.segments,
                    erased_rows: snapshot.erased_rows(),
                    tail_rows: snapshot.sizes.tail_rows,
                    bytes: snapshot.sizes.bytes,
                    held: snapshot.held,
                    graphs: snapshot.graph_facts(),
                    ..empty
                },
                Err(error @ (GalleryError::Records(_) | GalleryError::StillRead { .. })) => return Err(error),
                Err(GalleryError::OutOfUse { reason, .. }) => GallerySummary { damaged: Some(reason), ..empty },
                Err(error) => GallerySummary { damaged: Some(error.to_string()), ..empty },
            });
        }
        Ok(summaries)
    }
}

impl Inner {
    /// Takes a gallery out of use whose files can't be opened, so that the others go on.
    pub(super) fn put_out_of_use(&self, name: &GalleryName, error: &GalleryError) {
        tracing::error!(gallery = %name, %error, "this gallery can't be used");
        let mut damaged = self.damaged.write().unwrap_or_else(PoisonError::into_inner);
        damaged.insert(name.clone(), error.to_string());
    }

    /// Why a gallery can't be used.
    pub(super) fn reason_out_of_use(&self, name: &GalleryName) -> Option<GalleryError> {
        let damaged = self.damaged.read().unwrap_or_else(PoisonError::into_inner);
        damaged.get(name).map(|reason| GalleryError::OutOfUse { gallery: name.clone(), reason: reason.clone() })
    }
}
