//! `bertillon sample`. Who sits at the terminal is who the operating system says; where there are users, the user of that name.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::base::ids::GalleryName;
use crate::base::limits::SAMPLE_ITEMS_MAX;
use crate::base::text::{printable, thousands};
use crate::casework::sampling::check::{self, Checked, CheckedSample};
use crate::casework::sampling::{Judgement, Of, Rate, Sample, SampleRoom, Wish};
use crate::cli::as_whom::person;
use crate::cli::{desk, print};
use crate::crypto::PublicKey;
use crate::gallery::Access;
use crate::records::samples::{ItemRecord, SampleRecord};
use crate::settings::Settings;

/// Dip samples: have searches, enrolments or decisions of some time drawn by chance, and looked at again by somebody who had no
/// part in them.
///
/// What is drawn follows from a secret that is bound when the sample is opened, and from a checkpoint of the audit log that is
/// signed after that. So nobody can foretell it or draw again, and `sample check` draws it again from an exported log.
#[derive(Debug, Subcommand)]
pub enum SampleCommand {
    /// Open a sample. What is drawn from is fixed then; no other sample of the same time can be opened.
    Open {
        /// Of what: searches, enrolments or decisions.
        #[arg(long, value_parser = Of::parse)]
        of: Of,
        /// From when on: a date, or a time such as 2026-11-01T00:00:00Z.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Before when.
        #[arg(long, value_name = "TIME")]
        to: String,
        /// How many to draw.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=SAMPLE_ITEMS_MAX as u64))]
        n: u64,
        /// Only of this gallery.
        #[arg(long, value_name = "GALLERY")]
        gallery: Option<GalleryName>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Draw it: once, after its time, when a checkpoint was signed since.
    Draw {
        /// Its number.
        sample: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what you found of an item. Outcomes stay.
    Record {
        /// The sample's number.
        sample: i64,
        /// The item's number in it.
        item: u64,
        /// right, wrong or cannot_tell.
        #[arg(long, value_parser = Judgement::parse)]
        outcome: Judgement,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what was drawn, what was found, and the share that was wrong with its interval.
    Show {
        /// Its number.
        sample: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List samples, newest first.
    List {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Draw the samples of an exported log again, and name the first that is not what had to be drawn. Needs no data folder.
    Check {
        /// A folder that `bertillon audit export` wrote.
        export: PathBuf,
        /// The public key, 64 hexadecimal digits, where the one in the export is not to be trusted.
        #[arg(long, value_name = "KEY", value_parser = PublicKey::parse)]
        key: Option<PublicKey>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of the sample commands.
///
/// # Errors
/// When it is refused, or there is no such sample or no data folder; for `check` when something else was drawn than had to be.
pub async fn run(settings: Settings, command: SampleCommand) -> Result<()> {
    if let SampleCommand::Check { export, key, json } = command {
        return say_checked(&check::check(&export, key)?, json);
    }
    let desk = desk(settings, Access::Reader).await?;
    let room = SampleRoom::enter(&desk, &person(&desk).await?).await?;
    match command {
        SampleCommand::Open { of, from, to, n, gallery, json } => {
            let sample = room.open(&Wish { of, gallery, from, to, wanted: n }).await?;
            if json {
                return print::json(&json!({ "sample": sample }));
            }
            print::line(&format!("sample {sample} is open: `bertillon sample draw {sample}` when its time is over"))
        }
        SampleCommand::Draw { sample, json } => say(&room.draw(sample).await?, json),
        SampleCommand::Record { sample, item, outcome, reason, json } => {
            say(&room.record(sample, item, outcome, &reason).await?, json)
        }
        SampleCommand::Show { sample, json } => say(&room.show(sample).await?, json),
        SampleCommand::List { json } => {
            let found = room.list().await?;
            if json {
                return print::json(&found.iter().map(shape).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return print::line("no samples");
            }
            found.iter().try_for_each(|sample| print::line(&in_a_line(sample)))
        }
        SampleCommand::Check { .. } => Ok(()),
    }
}

fn shape(sample: &SampleRecord) -> Value {
    let SampleRecord { id, of, gallery, from, to, wanted, opened_by, opened_at, drawn } = sample;
    let drawn = drawn.as_ref().map(|drawn| {
        json!({ "by": drawn.by, "at": drawn.at, "checkpoint_seq": drawn.checkpoint_seq, "population": drawn.population })
    });
    let gallery = gallery.as_ref().map(GalleryName::as_str);
    json!({
        "sample": id, "of": of, "gallery": gallery, "from": from, "to": to, "wanted": wanted, "opened_by": opened_by,
        "opened_at": opened_at, "drawn": drawn,
    })
}

fn item_shape(item: &ItemRecord) -> Value {
    let ItemRecord { position, object, seq, actor, gallery, template, search, found } = item;
    let found = found
        .as_ref()
        .map(|found| json!({ "outcome": found.outcome, "by": found.person, "at": found.at, "reason": found.said }));
    json!({
        "item": position, "object": object, "event": seq, "actor": actor, "gallery": gallery.as_str(),
        "template": template.map(|id| id.0), "search": search, "found": found,
    })
}

fn say(sample: &Sample, as_json: bool) -> Result<()> {
    let Sample { record, items, rate } = sample;
    if as_json {
        let mut whole = shape(record);
        whole["items"] = items.iter().map(item_shape).collect();
        whole["rate"] = serde_json::to_value(rate)?;
        return print::json(&whole);
    }
    print::line(&in_a_line(record))?;
    items.iter().try_for_each(|item| print::line(&item_line(item)))?;
    if record.drawn.is_some() { print::line(&rate_line(rate)) } else { Ok(()) }
}

fn in_a_line(sample: &SampleRecord) -> String {
    let SampleRecord { id, of, gallery, from, to, wanted, drawn, .. } = sample;
    let gallery = gallery.as_ref().map(|name| format!(" in {name}")).unwrap_or_default();
    let state = match drawn {
        Some(drawn) => format!("drawn {} by {} from {}", drawn.at, drawn.by, thousands(drawn.population)),
        None => "not drawn yet".to_owned(),
    };
    format!("sample {id}: {wanted} {of}{gallery} from {from} to {to}; {state}")
}

fn item_line(item: &ItemRecord) -> String {
    let ItemRecord { position, object, seq, actor, gallery, search, found, .. } = item;
    let search =
        search.filter(|_| !object.starts_with("search:")).map(|id| format!(" of search {id}")).unwrap_or_default();
    let found = found.as_ref().map_or_else(
        || "open".to_owned(),
        |found| format!("{} ({}, {}): {}", found.outcome, found.person, found.at, printable(&found.said)),
    );
    format!("{position:>5}  {object}{search} in {gallery}, by {actor} (event {seq})  {found}")
}

fn rate_line(rate: &Rate) -> String {
    let Rate { right, wrong, cannot_tell, open, interval } = rate;
    let share = interval.map_or_else(String::new, |interval| {
        format!(": {:.1} % to {:.1} % wrong, with 95 %", 100.0 * interval.low, 100.0 * interval.high)
    });
    format!("{wrong} wrong of {}{share}; {cannot_tell} can't be told, {open} not looked at", right + wrong)
}

fn say_checked(checked: &Checked, as_json: bool) -> Result<()> {
    if as_json {
        print::json(checked)?;
    }
    if let Some((sample, fault)) = checked.fault() {
        bail!("sample {sample}: {fault}");
    }
    if as_json {
        return Ok(());
    }
    for CheckedSample { sample, of, population, items, .. } in &checked.samples {
        print::line(&match population {
            Some(population) => {
                format!("sample {sample}: {} of {} {of}, as they had to be", items.len(), thousands(*population))
            }
            None => format!("sample {sample}: {of}, not drawn yet"),
        })?;
    }
    let (events, key) = (thousands(checked.events), &checked.key);
    print::line(&format!("{} samples in {events} events, by the key {key}", checked.samples.len()))
}
