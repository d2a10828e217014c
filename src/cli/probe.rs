//! `bertillon probe`: pictures that were searched with.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::base::hex;
use crate::base::limits::IMAGE_BYTES_MAX;
use crate::base::text::printable;
use crate::cli::as_whom::caller;
use crate::cli::{desk, print};
use crate::gallery::{Access, NewEdit, Vault};
use crate::pictures::{PictureError, PictureReader, Source};
use crate::records::ProbeRecord;
use crate::settings::Settings;
use crate::store::StoreError;

/// Pictures that were searched with, kept encrypted for as long as the policy says.
///
/// Those of searches that stated what for and gave a probe; of failed ones none is kept. What somebody makes of one stands beside it: the
/// picture as it came is never replaced.
#[derive(Debug, Subcommand)]
pub enum ProbeCommand {
    /// Which are kept: a page.
    List {
        /// Numbers after this one.
        #[arg(long, value_name = "PROBE", default_value_t = 0)]
        after: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write one to a new file, as it came.
    Export {
        /// Its number.
        probe: i64,
        /// What was made of it under this number instead.
        #[arg(long, value_name = "N")]
        edit: Option<i64>,
        /// File to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep what you made of one beside it, under the next number.
    AddEdit {
        /// The number of the one that came.
        probe: i64,
        /// The picture that you made.
        file: PathBuf,
        /// With what you made it: program and version.
        #[arg(long, value_name = "TEXT")]
        tool: String,
        /// How: all that another needs to make it again.
        #[arg(long, value_name = "TEXT")]
        parameters: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Erase one, and all that was made of it. There is no way back.
    Erase {
        /// Its number.
        #[arg(required_unless_present = "expired")]
        probe: Option<i64>,
        /// All whose time is over. A server does so every hour.
        #[arg(long, conflicts_with = "probe")]
        expired: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of the commands.
///
/// # Errors
/// When there is no such probe image, or the key can't be had.
pub async fn run(settings: Settings, command: ProbeCommand) -> Result<()> {
    let vault = desk(settings, Access::Reader).await?.vault.acting_for(&caller());
    match command {
        ProbeCommand::List { after, json } => list(&vault, after, json).await,
        ProbeCommand::Export { probe, edit, to, json } => {
            let reader = vault.probe(probe, edit).await?;
            write(&reader, &to)?;
            let bytes = reader.plain_bytes();
            if json {
                return print::json(&json!({ "probe": probe, "edit": edit, "file": to, "bytes": bytes }));
            }
            print::line(&format!("{} written to {}, not encrypted", print::bytes(bytes), to.display()))
        }
        ProbeCommand::AddEdit { probe, file, tool, parameters, json } => {
            let bytes = Source::File(file.clone()).read().map_err(anyhow::Error::msg)?;
            anyhow::ensure!(bytes.len() <= IMAGE_BYTES_MAX, "{}: more than {IMAGE_BYTES_MAX} bytes", file.display());
            let edit = vault.add_edit(probe, NewEdit { bytes, tool, parameters }).await?;
            if json {
                return print::json(&json!({ "probe": probe, "edit": edit }));
            }
            print::line(&format!("kept as edit {edit} of probe {probe}; the picture as it came is as it was"))
        }
        ProbeCommand::Erase { probe: Some(probe), yes, json, .. } => {
            if !yes {
                print::confirm(&format!("probe {probe} and all that was made of it"))?;
            }
            vault.erase_probe(probe).await?;
            said_erased(1, json)
        }
        ProbeCommand::Erase { probe: None, json, .. } => said_erased(vault.erase_probes_due().await?, json),
    }
}

fn said_erased(erased: u64, as_json: bool) -> Result<()> {
    if as_json { print::json(&json!({ "erased": erased })) } else { print::line(&format!("{erased} erased")) }
}

async fn list(vault: &Vault, after: i64, as_json: bool) -> Result<()> {
    let found = vault.probes_after(after).await?;
    if as_json {
        return print::json(&found.iter().map(shape).collect::<Vec<_>>());
    }
    if found.is_empty() {
        return print::line("no probe images are kept");
    }
    for probe in &found {
        let searches = probe.searches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let ProbeRecord { id, gallery, bytes, kept_at, expires_at, edits, .. } = probe;
        print::line(&format!(
            "{id:>8}  {gallery}  {}  searches {searches}  kept {kept_at}, until {expires_at}",
            print::bytes(*bytes)
        ))?;
        for edit in edits {
            let (tool, parameters) = (printable(&edit.tool), printable(&edit.parameters));
            print::line(&format!(
                "          edit {}: {tool}; {parameters}; {}, {}",
                edit.number, edit.person, edit.made_at
            ))?;
        }
    }
    Ok(())
}

fn shape(probe: &ProbeRecord) -> Value {
    let edits = probe.edits.iter().map(|edit| {
        json!({
            "edit": edit.number, "sha256": hex::encode(&edit.sha256), "bytes": edit.bytes, "tool": edit.tool,
            "parameters": edit.parameters, "person": edit.person, "made_at": edit.made_at,
        })
    });
    json!({
        "probe": probe.id, "gallery": probe.gallery, "searches": probe.searches, "bytes": probe.bytes,
        "kept_at": probe.kept_at, "expires_at": probe.expires_at, "edits": edits.collect::<Vec<_>>(),
    })
}

/// Writes a picture to a new file: all of it or nothing.
///
/// # Errors
/// When there is such a file, the disk is full, or the picture is damaged.
pub fn write(reader: &PictureReader, to: &Path) -> Result<()> {
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(to)?;
    let written = reader.read(|chunk| file.write_all(chunk).map_err(StoreError::from).map_err(PictureError::from));
    if written.is_err() {
        // A part of a picture may be taken for all of it.
        fs_err::remove_file(to).context("what was written of it could not be removed")?;
    }
    Ok(written?)
}
