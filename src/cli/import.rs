//! `bertillon gallery import`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use serde_json::json;

use crate::base::text::thousands;
use crate::casework::bulk::{self, BulkImport};
use crate::cli::{desk, print, progress};
use crate::gallery::Access;
use crate::settings::Settings;

/// Imports templates; ctrl-C ends it and leaves nothing.
///
/// # Errors
/// When a file is not what it should be, or the data folder is in use.
pub async fn run(settings: Settings, import: BulkImport, as_json: bool) -> Result<()> {
    let desk = desk(settings, Access::Writer).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let bar = progress::bar(0, "importing");
    let moved = bar.clone();
    let tell = move |done, all| {
        moved.set_length(all);
        moved.set_position(done);
    };
    let importing = bulk::import(&desk, &import, Arc::clone(&stop), tell);
    let mut importing = std::pin::pin!(importing);
    let done = tokio::select! {
        done = &mut importing => done,
        _ = tokio::signal::ctrl_c() => {
            stop.store(true, Ordering::Relaxed);
            // It takes away what it wrote.
            let done = importing.await;
            if done.is_err() {
                bar.finish_and_clear();
                bail!("stopped: nothing was imported");
            }
            done
        }
    };
    bar.finish_and_clear();
    let imported = done?;
    let count = imported.last.0 - imported.first.0 + 1;
    desk.vault.clone().close().await;
    if as_json {
        return print::json(&json!({
            "gallery": import.gallery, "templates": count, "first": imported.first, "last": imported.last,
            "segments": imported.segments,
        }));
    }
    print::line(&format!(
        "{} templates imported into {}, {} to {}, in {} segments",
        thousands(count),
        import.gallery,
        imported.first,
        imported.last,
        imported.segments
    ))
}
