//! `bertillon key`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;

use crate::base::ids::{GalleryName, UserName};
use crate::base::limits::{KEY_DAYS_MAX, KEY_RATE_PER_MIN_MAX, KEY_ROTATION_H};
use crate::casework::access::api_keys::{self, Made, Wanted};
use crate::cli::as_whom::caller;
use crate::cli::{desk_of_people, print, secret};
use crate::records::KeyRecord;
use crate::rights::Permission;
use crate::settings::Settings;

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
    let desk = desk_of_people(settings).await?;
    let caller = caller();
    match command {
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
