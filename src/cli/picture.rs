//! `bertillon picture`: pictures of references that were kept at enrolment.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::base::ids::{GalleryName, TemplateId};
use crate::cli::as_whom::caller;
use crate::cli::probe::write;
use crate::cli::{desk, print};
use crate::gallery::Access;
use crate::settings::Settings;

/// Pictures of references that were kept, encrypted, by `bertillon enrol --keep-images`.
///
/// They are erased with their references. Whoever is given one is named in the audit log.
#[derive(Debug, Subcommand)]
pub enum PictureCommand {
    /// Whose pictures are kept, by template: a page.
    List {
        /// Of which gallery.
        gallery: GalleryName,
        /// Templates after this one.
        #[arg(long, value_name = "TEMPLATE", default_value_t = 0)]
        after: u64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write one to a new file, as it was enrolled.
    Export {
        /// Of which gallery.
        gallery: GalleryName,
        /// Its template.
        template: u64,
        /// File to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of the commands.
///
/// # Errors
/// When there is no such gallery or picture, or the key can't be had.
pub async fn run(settings: Settings, command: PictureCommand) -> Result<()> {
    match command {
        PictureCommand::List { gallery, after, json } => list(settings, &gallery, after, json).await,
        PictureCommand::Export { gallery, template, to, json } => export(settings, &gallery, template, &to, json).await,
    }
}

async fn list(settings: Settings, gallery: &GalleryName, after: u64, as_json: bool) -> Result<()> {
    let vault = desk(settings, Access::Reader).await?.vault.acting_for(&caller());
    let found = vault.pictures_after(gallery, TemplateId(after)).await?;
    if as_json {
        let shape = |(template, bytes): &(TemplateId, u64)| json!({ "template": template, "bytes": bytes });
        return print::json(&found.iter().map(shape).collect::<Vec<_>>());
    }
    if found.is_empty() {
        return print::line("no pictures");
    }
    found.iter().try_for_each(|(template, bytes)| print::line(&format!("{template:>12}  {}", print::bytes(*bytes))))
}

async fn export(settings: Settings, gallery: &GalleryName, template: u64, to: &Path, as_json: bool) -> Result<()> {
    let vault = desk(settings, Access::Reader).await?.vault.acting_for(&caller());
    let reader = vault.picture(gallery, TemplateId(template)).await?;
    write(&reader, to)?;
    let bytes = reader.plain_bytes();
    if as_json {
        return print::json(&json!({ "gallery": gallery, "template": template, "file": to, "bytes": bytes }));
    }
    print::line(&format!("{} written to {}, not encrypted", print::bytes(bytes), to.display()))
}
