//! What an erasure did not reach, as its certificate lists it: what left the data folder before, what other galleries of it have, and
//! what data bases and disks keep.

use serde::{Deserialize, Serialize};

use crate::audit::{Event, Kind};
use crate::base::limits::CERTIFICATE_BACKUPS_MAX;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::GalleryError;
use crate::records::{CopyLeft, ErasureRecord, PackLeft};

/// Something that could not be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotReached {
    /// What.
    pub what: String,
    /// Why not, and what to do.
    pub why: String,
}

impl NotReached {
    fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }

    /// What a restored gallery still has, or the one that it was restored from.
    pub(super) fn copy(copy: &CopyLeft) -> Self {
        let CopyLeft { gallery, templates } = copy;
        let what = format!("{templates} of these templates in gallery {gallery}, which has them from the same backup");
        Self::new(what, format!("it is a gallery of its own: erase there too, by `bertillon gallery erase {gallery}`"))
    }

    fn pack(pack: &PackLeft) -> Self {
        let PackLeft { id, made_by, made_at } = pack;
        let why = format!(
            "its list names a template that was erased: have it destroyed. `bertillon disclose list` says for whom pack {id} was made"
        );
        Self::new(format!("disclosure pack {id} of {made_at} by {made_by}"), why)
    }
}

/// What an erasure that is done did not reach. `event` is the one that says so, `older` how many transactions at the data base's server
/// could still see what was overwritten.
pub(super) async fn not_reached(
    desk: &Desk,
    erasure: &ErasureRecord,
    (event, older): (u64, u64),
) -> Result<Vec<NotReached>, CaseworkError> {
    let mut found = backups(desk, erasure, event).await?;
    found.extend(desk.vault.copies_left(erasure.id).await?.iter().map(NotReached::copy));
    let packs = desk.vault.packs_left(erasure.id).await?;
    found.extend(packs.iter().take(CERTIFICATE_BACKUPS_MAX).map(NotReached::pack));
    if packs.len() > CERTIFICATE_BACKUPS_MAX {
        found
            .push(NotReached::new("later disclosure packs than these", "as above; `bertillon disclose list` has them"));
    }
    found.push(NotReached::new(
        "rows of decisions, leads and the audit log, and of candidate lists of before lists had salts",
        "they name templates by number and say nothing else of whom they were of: they stay as the record of searches",
    ));
    found.push(NotReached::new(
        "copies of the data folder, exports, printed and shown lists, packs of lists of before lists had salts and copies of packs",
        "nothing here knows of those that others made",
    ));
    if !desk.vault.has_records_in_the_folder() {
        found.extend(in_postgres(older));
    }
    found.push(NotReached::new(
        "blocks that the medium set aside",
        "overwriting a file does not reach what a disk or file system keeps of old blocks: use encrypted disks",
    ));
    Ok(found)
}

/// Copies that left the data folder before.
async fn backups(desk: &Desk, erasure: &ErasureRecord, before: u64) -> Result<Vec<NotReached>, CaseworkError> {
    let (log, most) = (desk.vault.audit_book(), CERTIFICATE_BACKUPS_MAX);
    let events = log.newest_in(&erasure.gallery, Kind::GalleryBackedUp, before, most + 1).await;
    let events = events.map_err(GalleryError::from)?;
    let made: Vec<Event> = events.iter().filter_map(|event| serde_json::from_str(&event.body).ok()).collect();
    let backup = |event: &Event| {
        NotReached::new(
            format!("backup of {} by {} (event {})", event.at, event.actor, event.seq),
            "it lies outside of the data folder: let it expire, or destroy it. What is restored from it here from now on is erased again",
        )
    };
    let mut found: Vec<NotReached> = made.iter().take(most).map(backup).collect();
    if made.len() > most {
        found.push(NotReached::new("earlier backups than these", "as above; the audit log has them"));
    }
    Ok(found)
}

fn in_postgres(older: u64) -> Vec<NotReached> {
    let mut found = Vec::new();
    if older > 0 {
        found.push(NotReached::new(
            format!("dead rows of the records that {older} older transactions or slots of the data base's server may still see"),
            "VACUUM leaves such rows: end those transactions (pg_stat_activity, pg_prepared_xacts, pg_replication_slots), and vacuum \
             the schema again",
        ));
    }
    found.push(NotReached::new(
        "what PostgreSQL keeps of rows as they were",
        "its pages until they are used again, its write-ahead log, which nothing empties, and replicas and backups of it: bound their \
         time, and use encrypted disks",
    ));
    found
}
