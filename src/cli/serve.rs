//! `bertillon serve`.

use anyhow::Result;

use crate::casework::Desk;
use crate::gallery::Access;
use crate::settings::Settings;

/// Serves until a signal stops it.
///
/// # Errors
/// When the data folder is in use or the address is taken.
pub fn run(settings: Settings) -> Result<()> {
    actix_web::rt::System::new().block_on(async move {
        let desk = std::sync::Arc::new(Desk::open(settings, Access::Writer).await?);
        serve(desk).await
    })
}

/// Serves a desk that is open already, and says where.
///
/// # Errors
/// When the address is taken or the server fails.
pub async fn serve(desk: std::sync::Arc<Desk>) -> Result<()> {
    crate::http::serve(desk, |address| {
        eprintln!("Bertillon answers at http://{address} - API at http://{address}/api/docs/ - ctrl-C stops it");
    })
    .await?;
    eprintln!("stopped");
    Ok(())
}
