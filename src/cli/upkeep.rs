//! `bertillon gallery verify` and `backup`: what keeps galleries whole.

use std::path::Path;

use anyhow::Result;
use indicatif::ProgressBar;
use serde_json::json;

use crate::audit::{Happening, Kind, Outcome};
use crate::base::ids::GalleryName;
use crate::base::text::thousands;
use crate::cli::as_whom::caller;
use crate::cli::{desk, print, progress};
use crate::gallery::Access;
use crate::settings::Settings;

/// A bar of bytes, and what moves it.
fn bytes_bar(what: &'static str) -> (ProgressBar, impl FnMut(u64, u64) + Send + 'static) {
    let bar = progress::bar(0, what);
    let moved = bar.clone();
    (bar, move |done, all| {
        moved.set_length(all);
        moved.set_position(done);
    })
}

/// Checks a gallery.
///
/// # Errors
/// With what is damaged.
pub async fn verify(settings: Settings, gallery: &GalleryName, as_json: bool) -> Result<()> {
    let (bar, moved) = bytes_bar("reading");
    let vault = desk(settings, Access::Reader).await?.vault.acting_for(&caller());
    let found = vault.verify(gallery, moved).await;
    bar.finish_and_clear();
    // Only names of galleries that there are: anything may have been typed.
    if vault.knows(gallery).await? {
        let outcome = if found.is_ok() { Outcome::Ok } else { Outcome::Failed };
        vault.tell(&Happening::new(Kind::GalleryVerified).of(gallery).ended(outcome)).await?;
    }
    let found = found?;
    if as_json {
        return print::json(&json!({
            "gallery": gallery, "whole": true, "segments": found.segments, "rows": found.rows,
            "templates": found.live, "bytes": found.bytes, "graph_faults": found.graph_faults,
        }));
    }
    for fault in &found.graph_faults {
        print::line(&format!(
            "a graph is not whole, and is not used (`bertillon gallery index` makes it anew): {fault}"
        ))?;
    }
    print::line(&format!(
        "{gallery} is whole: every checksum of {} in {} segments and the tail agrees, and {} templates with the records",
        print::bytes(found.bytes),
        found.segments,
        thousands(found.live)
    ))
}

/// Copies a gallery.
///
/// # Errors
/// When there is something at `to`, or the gallery is damaged.
pub async fn backup(settings: Settings, gallery: &GalleryName, to: &Path, as_json: bool) -> Result<()> {
    let (bar, moved) = bytes_bar("copying");
    let made = desk(settings, Access::Reader).await?.vault.acting_for(&caller()).backup(gallery, to, moved).await;
    bar.finish_and_clear();
    let made = made?;
    if as_json {
        return print::json(&json!({
            "gallery": gallery, "folder": to, "snapshot": made.snapshot, "last_template": made.last_template,
            "templates": made.templates, "files": made.files, "bytes": made.bytes,
        }));
    }
    print::line(&format!(
        "{} templates of {gallery}, as of snapshot {}, are in {}: {} in {} files, every one checked",
        thousands(made.templates),
        made.snapshot,
        to.display(),
        print::bytes(made.bytes),
        made.files
    ))?;
    print::line("It holds biometric data: encrypt it, and let it expire. What is erased from now on is still in it.")
}
