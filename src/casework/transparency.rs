//! What a force may publish about its searches: which galleries there are and what for, and how often what was done. No name and no
//! number of anybody; small counts are no secret here, whoever publishes them decides about that.

use crate::audit::{Caller, Happening, Kind};
use crate::base::day::Day;
use crate::casework::{CaseworkError, Desk};
use crate::records::Counted;

/// A gallery, as it may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicGallery {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// References that may reach a candidate list.
    pub references: u64,
    /// How many of these are synthetic.
    pub synthetic: u64,
    /// The model that made its templates.
    pub model: String,
}

/// Galleries, and what was done from one day on and before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Galleries by name, as of now.
    pub galleries: Vec<PublicGallery>,
    /// How often what was done.
    pub counts: Vec<Counted>,
}

/// Puts it together, and tells that somebody did.
///
/// # Errors
/// What the records say.
pub async fn publish(desk: &Desk, caller: &Caller, from: Day, before: Day) -> Result<Published, CaseworkError> {
    let summaries = desk.vault.galleries().await?;
    let gallery = |summary: crate::gallery::GallerySummary| PublicGallery {
        name: summary.record.name.as_str().to_owned(),
        purpose: summary.record.purpose,
        references: summary.live,
        synthetic: summary.synthetic,
        model: summary.record.model.name,
    };
    let mut galleries: Vec<_> = summaries.into_iter().map(gallery).collect();
    galleries.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let counts = desk.vault.counts(from, before).await?;
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::CountsRead)).await?;
    Ok(Published { galleries, counts })
}
