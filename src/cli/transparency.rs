//! `bertillon transparency`.

use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::base::day::Day;
use crate::base::text::thousands;
use crate::casework::transparency::{Published, publish};
use crate::cli::as_whom::caller;
use crate::cli::{desk, print};
use crate::gallery::Access;
use crate::settings::Settings;

/// What may be published: galleries with their purposes, and how many searches, reviews, leads, outcomes, disclosures and erasures
/// there were in some time. Counts only: no name, no reference, no case.
#[derive(Debug, Args)]
pub struct TransparencyCommand {
    /// The first day.
    #[arg(long, value_name = "DAY")]
    from: Day,
    /// The day after the last one; tomorrow, if it is left out.
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// Prints it.
///
/// # Errors
/// When the days are in the wrong order, and what the data folder says.
pub async fn run(settings: Settings, command: TransparencyCommand) -> Result<()> {
    let TransparencyCommand { from, to, json } = command;
    let to = to.unwrap_or_else(|| Day::today().plus_days(1));
    if to <= from {
        bail!("--to is the day after the last one: later than --from, which is {from}");
    }
    let desk = desk(settings, Access::Reader).await?;
    let Published { galleries, counts } = publish(&desk, &caller(), from, to).await?;
    if json {
        let galleries: Vec<_> = galleries
            .iter()
            .map(|one| {
                json!({
                    "name": one.name, "purpose": one.purpose, "references": one.references,
                    "synthetic": one.synthetic, "model": one.model,
                })
            })
            .collect();
        let counts: Vec<_> = counts
            .iter()
            .map(|one| json!({ "gallery": one.gallery, "what": one.what, "kind": one.kind, "count": one.count }))
            .collect();
        return print::json(&json!({ "from": from, "to": to, "galleries": galleries, "counts": counts }));
    }
    print::line("galleries, as of now")?;
    for one in &galleries {
        let synthetic =
            if one.synthetic > 0 { format!(", {} SYNTHETIC", thousands(one.synthetic)) } else { String::new() };
        print::line(&format!("  {}: {} references{synthetic}; {}", one.name, thousands(one.references), one.purpose))?;
    }
    print::line(&format!("from {from} on and before {to}"))?;
    for one in &counts {
        let kind = if one.kind.is_empty() { String::new() } else { format!(" ({})", one.kind) };
        print::line(&format!("  {}: {}{kind} {}", one.gallery, one.what, thousands(one.count)))?;
    }
    if counts.is_empty() {
        print::line("  nothing was done")?;
    }
    Ok(())
}
