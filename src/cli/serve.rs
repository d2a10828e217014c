//! `bertillon serve`.

use std::sync::Arc;

use anyhow::Result;

use crate::audit::{Happening, Kind};
use crate::casework::Desk;
use crate::casework::audit::Sealer;
use crate::casework::daily::Daily;
use crate::casework::probes::Expiry;
use crate::casework::worker::Worker;
use crate::cli::as_whom::caller;
use crate::cli::desk;
use crate::gallery::{Access, GalleryError};
use crate::settings::Settings;

/// Serves until a signal stops it.
///
/// # Errors
/// When the data folder is in use or the address is taken.
pub async fn run(settings: Settings) -> Result<()> {
    serve(desk(settings, Access::Writer).await?).await
}

/// Serves a desk that is open already, and says where.
///
/// # Errors
/// When the address is taken or the server fails.
pub async fn serve(desk: Arc<Desk>) -> Result<()> {
    let vault = desk.vault.clone();
    if vault.keys().lock_and_key_lie_together() {
        let file = crate::keys::MASTER_FILE;
        tracing::warn!(
            "the master key lies in the data folder ({file}), beside the pictures that it protects: whoever copies all of that \
             folder can read them. `bertillon key rotate-master --to` moves it elsewhere"
        );
    }
    vault.maintain(Arc::clone(&desk.engine.scorer));
    let worker = Worker::start(Arc::clone(&desk));
    let (runtime, starting) = (tokio::runtime::Handle::current(), vault.acting_for(&caller()));
    let mut started = None;
    let sealer = Sealer::start(Arc::clone(&desk));
    let scheme = desk.settings.server.scheme();
    let (expiry, daily) = (Expiry::start(&desk), Daily::start(&desk));
    let served = crate::http::serve(desk, |address| {
        // Only a help to others who find the folder in use.
        if let Err(error) = vault.set_address(&format!("{scheme}://{address}")) {
            tracing::warn!(%error, "the lock file does not say where this server is");
        }
        // Not before it answers: an address may be taken.
        started = Some(runtime.spawn(async move { starting.tell(&Happening::new(Kind::ServerStarted)).await }));
        eprintln!(
            "Bertillon answers at {scheme}://{address} - API at {scheme}://{address}/api/docs/ - ctrl-C stops it"
        );
    })
    .await;
    worker.stop().await;
    expiry.stop().await;
    daily.stop().await;
    let told = match started {
        Some(started) => {
            let begun = started.await.unwrap_or(Err(GalleryError::Interrupted));
            begun.and(vault.acting_for(&caller()).tell(&Happening::new(Kind::ServerStopped)).await)
        }
        None => Ok(()),
    };
    // Whatever could not be told: the rest ends in good order.
    sealer.stop().await;
    vault.close().await;
    served?;
    told?;
    eprintln!("stopped");
    Ok(())
}
