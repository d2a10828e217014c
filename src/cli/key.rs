//! `bertillon key`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::base::ids::{GalleryName, UserName};
use crate::base::limits::{KEY_DAYS_MAX, KEY_RATE_PER_MIN_MAX, KEY_ROTATION_H};
use crate::casework::access::api_keys::{self, Made, Wanted};
use crate::casework::governing::key_destroy;
use crate::casework::keys;
use crate::cli::as_whom::caller;
use crate::cli::{desk, desk_of_people, print, secret};
use crate::gallery::Access;
use crate::keys::Rotated;
use crate::records::KeyRecord;
use crate::rights::Permission;
use crate::settings::Settings;
use crate::settings::master_key::MasterKey;

/// API keys. A program sends its key as `Authorization: Bearer KEY`, and acts for the user whose key it is.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key. It is shown once, and nobody can show it again.
    Create {
        /// Whose.
        owner: UserName,
        /// What it may do, of what its owner may; all of that when not given.
        #[arg(long = "may", value_name = "PERMISSION", value_delimiter = ',')]
        permissions: Vec<Permission>,
        /// In which galleries; wherever its owner may when not given.
        #[arg(long = "gallery", value_name = "GALLERY", value_delimiter = ',')]
        galleries: Vec<GalleryName>,
        /// For how many days.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=i64::from(KEY_DAYS_MAX)))]
        days: u32,
        /// Requests a minute; more are answered 429.
        #[arg(long, value_name = "N", default_value_t = 600, value_parser = clap::value_parser!(u32).range(1..=i64::from(KEY_RATE_PER_MIN_MAX)))]
        rate: u32,
        /// Write it to this new file, which only you may read, instead of showing it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Print as JSON what is known of it, the key itself included unless it goes to a file.
        #[arg(long)]
        json: bool,
    },
    /// One line a key, newest first. Keys themselves are not shown.
    List {
        /// Only this user's.
        owner: Option<UserName>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Replace a key: a new one with the same limits; the old one counts for a day more.
    Rotate {
        /// The eight digits after `bert_`.
        prefix: String,
        /// For how many days the new one counts.
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=i64::from(KEY_DAYS_MAX)))]
        days: u32,
        /// Write it to this new file, which only you may read, instead of showing it.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// Print as JSON what is known of it, the key itself included unless it goes to a file.
        #[arg(long)]
        json: bool,
    },
    /// Put the keys under which kept pictures lie under another master key. Pictures stay as they are. Stop the server first.
    ///
    /// Cut short at any moment, running it again finishes it. Without --to the new master key lies in the data folder, as the
    /// old one did.
    RotateMaster {
        /// Where the new one is, which must be there already: file:PATH, env:NAME or command:PROGRAM ARGS. From then on the
        /// settings (`encryption.master_key`) must say so.
        #[arg(long, value_name = "WHERE")]
        to: Option<MasterKey>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Destroy the key under which a gallery's pictures lie: those of references, and those that were searched with. There is no way
    /// back. References stay, and can be searched; but the templates of a sealed gallery lie under that key too, and it can't be
    /// opened any more. Stop the server first.
    Destroy {
        /// Of which gallery.
        #[arg(long)]
        gallery: GalleryName,
        /// Do not ask; with --again.
        #[arg(long, requires = "again")]
        yes: bool,
        /// The gallery's name once more, as somebody who is asked types it.
        #[arg(long, value_name = "GALLERY")]
        again: Option<GalleryName>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a key at once.
    Revoke {
        /// The eight digits after `bert_`.
        prefix: String,
    },
}

/// A key as `--json` shows it.
#[derive(Debug, Serialize)]
struct KeyShape {
    prefix: String,
    owner: Option<String>,
    counts: bool,
    permissions: Vec<&'static str>,
    galleries: Option<Vec<String>>,
    rate_per_min: u32,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    last_used_day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

impl KeyShape {
    fn new(key: &KeyRecord, owner: Option<&UserName>) -> Self {
        let galleries = key.limits.galleries.as_ref();
        Self {
            prefix: key.prefix.clone(),
            owner: owner.map(UserName::to_string),
            counts: key.counts(),
            permissions: key.limits.permissions.iter().map(|permission| permission.as_str()).collect(),
            galleries: galleries.map(|names| names.iter().map(GalleryName::to_string).collect()),
            rate_per_min: key.rate_per_min,
            created_at: key.created_at.clone(),
            expires_at: key.expires_at.clone(),
            revoked_at: key.revoked_at.clone(),
            last_used_day: key.last_used_day.clone(),
            key: None,
        }
    }
}

/// Carries out one of the key commands.
///
/// # Errors
/// What the rules for keys say.
pub async fn run(settings: Settings, command: KeyCommand) -> Result<()> {
    if let KeyCommand::RotateMaster { to, json } = command {
        return rotate_master(settings, to, json).await;
    }
    if let KeyCommand::Destroy { gallery, yes, again, json } = command {
        return destroy(settings, &gallery, again.filter(|_| yes), json).await;
    }
    let desk = desk_of_people(settings).await?;
    let caller = caller();
    match command {
        // Done above: they take the data folder for themselves.
        KeyCommand::RotateMaster { .. } | KeyCommand::Destroy { .. } => Ok(()),
        KeyCommand::Create { owner, permissions, galleries, days, rate, to, json } => {
            secret::make_room(to.as_deref())?;
            let galleries = (!galleries.is_empty()).then(|| galleries.into_iter().collect());
            let wanted = Wanted { permissions: permissions.into_iter().collect(), galleries, days, rate_per_min: rate };
            let made = api_keys::create(&desk, &caller, &owner, wanted).await;
            show(made.inspect_err(|_| take_room_back(to.as_ref()))?, Some(&owner), to.as_deref(), json)
        }
        KeyCommand::List { owner, json } => {
            let all = api_keys::list(&desk, &caller, owner.as_ref()).await?;
            if json {
                let shapes: Vec<_> = all.iter().map(|(key, owner)| KeyShape::new(key, Some(owner))).collect();
                return print::json(&shapes);
            }
            if all.is_empty() {
                return print::line("no keys");
            }
            all.iter().try_for_each(|(key, owner)| print::line(&in_a_line(key, owner)))
        }
        KeyCommand::Rotate { prefix, days, to, json } => {
            secret::make_room(to.as_deref())?;
            let made = api_keys::rotate(&desk, &caller, &prefix, days).await;
            let made = made.inspect_err(|_| take_room_back(to.as_ref()))?;
            eprintln!("{prefix} counts for {KEY_ROTATION_H} hours more; `bertillon key revoke {prefix}` ends it now");
            show(made, None, to.as_deref(), json)
        }
        KeyCommand::Revoke { prefix } => {
            api_keys::revoke(&desk, &caller, &prefix).await?;
            print::line(&format!("{prefix} counts no more"))
        }
    }
}

async fn rotate_master(settings: Settings, to: Option<MasterKey>, as_json: bool) -> Result<()> {
    let desk = desk(settings, Access::Writer).await?;
    let Rotated { keys: rotated } = keys::rotate_master(&desk, &caller(), to.clone()).await?;
    if as_json {
        return print::json(&json!({ "keys": rotated, "master_key": to }));
    }
    print::line(&format!("{rotated} keys lie under the new master key"))?;
    match to {
        Some(to) => print::line(&format!("write this into the settings: [encryption] master_key = \"{to}\"")),
        None => Ok(()),
    }
}

async fn destroy(settings: Settings, gallery: &GalleryName, again: Option<GalleryName>, as_json: bool) -> Result<()> {
    let again = if let Some(again) = again {
        again
    } else {
        print::confirm(&format!(
            "the key of {gallery}, and with it every picture that is kept of it (of a sealed gallery also every template)"
        ))?;
        print::ask("Type the gallery's name once more: ")?.parse()?
    };
    anyhow::ensure!(again == *gallery, "{again} is not {gallery}: nothing was destroyed");
    let desk = desk(settings, Access::Writer).await?;
    let pictures = key_destroy::destroy(&desk, &caller(), gallery).await?;
    if as_json {
        return print::json(&json!({ "gallery": gallery, "pictures": pictures }));
    }
    print::line(&format!(
        "the key of {gallery} is destroyed, with {pictures} pictures of references and all that was searched with"
    ))
}

/// The empty file for a key that was not made.
fn take_room_back(to: Option<&PathBuf>) {
    if let Some(path) = to
        && let Err(error) = fs_err::remove_file(path)
    {
        eprintln!("{error}");
    }
}

fn show(made: Made, owner: Option<&UserName>, to: Option<&Path>, as_json: bool) -> Result<()> {
    let Made { record, text } = made;
    if as_json {
        let mut shape = KeyShape::new(&record, owner);
        if to.is_some() {
            secret::hand_over(&text, to)?;
        } else {
            shape.key = Some(text.reveal().to_owned());
        }
        return print::json(&shape);
    }
    secret::hand_over(&text, to)?;
    eprintln!(
        "key {} counts until {}. It is not kept and can't be shown again. Send it as: Authorization: Bearer KEY",
        record.prefix, record.expires_at
    );
    Ok(())
}

fn in_a_line(key: &KeyRecord, owner: &UserName) -> String {
    let KeyRecord { prefix, limits, rate_per_min, expires_at, revoked_at, last_used_day, .. } = key;
    let state = match revoked_at {
        Some(at) => format!("revoked {at}"),
        None if key.counts() => format!("until {expires_at}"),
        None => format!("expired {expires_at}"),
    };
    let galleries = limits.galleries.as_ref().map_or_else(
        || "all galleries of its owner".to_owned(),
        |names| names.iter().map(GalleryName::to_string).collect::<Vec<_>>().join(","),
    );
    let may: Vec<&str> = limits.permissions.iter().map(|permission| permission.as_str()).collect();
    let used = last_used_day.as_deref().unwrap_or("never");
    format!("{prefix}  {owner:<20} {state}  {galleries}  {rate_per_min}/min  last used {used}  may {}", may.join(","))
}
