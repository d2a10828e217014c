//! `bertillon disclose`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Subcommand;
use serde_json::json;

use crate::base::limits::{IMAGE_BYTES_MAX, PACK_BYTES_MAX};
use crate::base::program::Program;
use crate::base::text::{printable, thousands};
use crate::casework::disclosure::rerun::{Again, Rerun, Verdict, rerun};
use crate::casework::disclosure::{self, Request, What};
use crate::cli::as_whom::person;
use crate::cli::{desk, print};
use crate::crypto::PublicKey;
use crate::gallery::Access;
use crate::pack::{Report, verify};
use crate::records::disclosures::DisclosureRecord;
use crate::settings::Settings;

/// What the process ends with where a pack is whole and nobody said whose key may sign it.
const KEY_UNKNOWN: i32 = 3;

/// Disclosure packs: one signed file of all that is known of a search, for somebody outside.
#[derive(Debug, Subcommand)]
pub enum DiscloseCommand {
    /// Make a pack of a search, or of a lead and its search. Told in the audit log; what leaves can't be called back.
    ///
    /// The whole candidate list is in it, by numbers of templates; whose reference it is only for the candidate of the lead.
    Make {
        /// The search's number.
        #[arg(long, value_name = "N", required_unless_present = "lead", conflicts_with = "lead")]
        search: Option<i64>,
        /// The lead's number.
        #[arg(long, value_name = "N")]
        lead: Option<i64>,
        /// For whom.
        #[arg(long, value_name = "RECIPIENT")]
        to: String,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// The file to write; there must be none.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a pack, and name its first file that is not as it was written. Needs no data folder.
    ///
    /// Ends with 0 where it is whole and signed by the key that was given, with 3 where it is whole and no key was given, with 1
    /// otherwise.
    Verify {
        /// The pack.
        pack: PathBuf,
        /// The public key of who made it, 64 hexadecimal digits, as you got it by another way.
        #[arg(long, value_name = "KEY", value_parser = PublicKey::parse)]
        key: Option<PublicKey>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run a search again on the gallery as it was then, but for what was erased since, and say whether the same list comes.
    ///
    /// Ends with 0 where it does, to the bit, or where erasures alone say why it does not; with 1 otherwise.
    Rerun {
        /// The search's number.
        #[arg(long, value_name = "N", required_unless_present = "pack", conflicts_with = "pack")]
        search: Option<i64>,
        /// A pack of it, made here.
        #[arg(long, value_name = "FILE")]
        pack: Option<PathBuf>,
        /// The picture that was searched with: the system keeps none.
        #[arg(long, value_name = "FILE")]
        image: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the packs that were made, newest first.
    List {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of the disclosure commands.
///
/// # Errors
/// When it is refused, there is no such search or no data folder; for `verify` when a pack is not as it was written.
pub async fn run(settings: Settings, command: DiscloseCommand, program: Program) -> Result<()> {
    match command {
        DiscloseCommand::Make { search, lead, to, reason, out, json } => {
            let what = lead.map(What::Lead).or(search.map(What::Search));
            let what = what.ok_or_else(|| anyhow::anyhow!("name a --search or a --lead"))?;
            let desk = desk(settings, Access::Reader).await?;
            let request = Request { what, recipient: to, reason, out, program };
            let made = disclosure::make(&desk, &person(&desk).await?, &request).await?;
            if json {
                return print::json(&made);
            }
            let (bytes, path) = (thousands(made.bytes), made.path.display());
            print::line(&format!("disclosure {} of search {}: {bytes} bytes in {path}", made.disclosure, made.search))?;
            print::line(&format!("sha256 {}\nsigned by {}", made.sha256, made.key))
        }
        DiscloseCommand::Verify { pack, key, json } => check(&pack, key, json),
        DiscloseCommand::Rerun { search, pack, image, json } => {
            let which = match (search, pack) {
                (Some(search), _) => Again::Search(search),
                (None, Some(pack)) => Again::Pack(bytes_of(&pack, PACK_BYTES_MAX)?),
                (None, None) => anyhow::bail!("name a --search or a --pack"),
            };
            let picture = bytes_of(&image, IMAGE_BYTES_MAX)?;
            let desk = desk(settings, Access::Reader).await?;
            say_again(&rerun(&desk, &person(&desk).await?, which, picture).await?, json)
        }
        DiscloseCommand::List { json } => {
            let desk = desk(settings, Access::Reader).await?;
            let found = disclosure::list(&desk, &person(&desk).await?).await?;
            if json {
                return print::json(&found.iter().map(shape).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return print::line("no disclosures");
            }
            found.iter().try_for_each(|made| print::line(&in_a_line(made)))
        }
    }
}

fn shape(made: &DisclosureRecord) -> serde_json::Value {
    let DisclosureRecord { id, made_at, what } = made;
    json!({
        "disclosure": id, "made_at": made_at, "made_by": what.person, "search": what.search, "lead": what.lead,
        "gallery": what.gallery.as_str(), "recipient": what.recipient, "reason": what.reason, "contents": what.contents,
    })
}

fn in_a_line(made: &DisclosureRecord) -> String {
    let DisclosureRecord { id, made_at, what } = made;
    let lead = what.lead.map(|lead| format!(", lead {lead}")).unwrap_or_default();
    let (recipient, reason) = (printable(&what.recipient), printable(&what.reason));
    format!(
        "{id:>6}  {made_at}  search {}{lead} in {}, by {} for {recipient}: {reason}",
        what.search, what.gallery, what.person
    )
}

fn check(path: &Path, key: Option<PublicKey>, as_json: bool) -> Result<()> {
    let bytes = bytes_of(path, PACK_BYTES_MAX)?;
    let report = verify(&bytes, key).with_context(|| format!("{} is not whole", path.display()))?;
    if as_json {
        print::json(&report)?;
    } else {
        say(&report)?;
    }
    if report.key_known { Ok(()) } else { std::process::exit(KEY_UNKNOWN) }
}

/// The bytes of a file that has at most `most` of them.
fn bytes_of(path: &Path, most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs_err::File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    anyhow::ensure!(bytes.len() <= most, "{}: more than {} bytes", path.display(), thousands(most as u64));
    Ok(bytes)
}

fn say_again(rerun: &Rerun, as_json: bool) -> Result<()> {
    let Rerun { search, verdict, gone, gone_from_list, differs_at } = rerun;
    if as_json {
        print::json(rerun)?;
    }
    let since = format!("{} templates were erased since, {gone_from_list} of them on the list", thousands(*gone));
    let said = match verdict {
        Verdict::Same => format!("search {search}: the same list, to the bit; {since}"),
        Verdict::GalleryChanged => {
            format!("search {search}: the gallery changed; {since}; all others stand in their order")
        }
        Verdict::Different => {
            let at = differs_at.map(|rank| format!(", from rank {rank} on")).unwrap_or_default();
            anyhow::bail!("search {search} gives another list{at}, and no erasure says why; {since}")
        }
    };
    if as_json { Ok(()) } else { print::line(&said) }
}

fn say(report: &Report) -> Result<()> {
    let Report { manifest, key, key_known, list_bound } = report;
    let (recipient, reason) = (printable(&manifest.recipient), printable(&manifest.reason));
    print::line(&format!(
        "whole: {} files of search {}, {}",
        manifest.entries.len(),
        manifest.search,
        manifest.made_at
    ))?;
    print::line(&format!("made by {} for {recipient}: {reason}", printable(&manifest.made_by)))?;
    print::line(if *list_bound {
        "the candidate list is the one that the audit log binds"
    } else {
        "the search is of before the audit log bound lists: the list is as it was when the pack was made"
    })?;
    print::line(&if *key_known {
        format!("signed by {key}, the key that you gave")
    } else {
        format!(
            "signed by {key}. NOBODY HERE KNOWS WHOSE KEY THAT IS: get it from the force by another way, and give it with --key"
        )
    })?;
    print::line(crate::base::text::NOT_EVIDENCE)
}
