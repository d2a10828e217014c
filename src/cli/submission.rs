//! `bertillon submission`. Who hands in or works is the user whose key BERTILLON_KEY has, else who the operating system says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::base::hex;
use crate::base::limits::{IMAGE_BYTES_MAX, RECEIPT_BYTES_MAX, SUBMISSION_IMAGES_MAX};
use crate::base::text::printable;
use crate::casework::certificate::Sealed;
use crate::casework::submissions::{Receipt, Shown, State, SubmissionRoom, receipt};
use crate::cli::as_whom::person;
use crate::cli::{desk, print, probe};
use crate::crypto::PublicKey;
use crate::gallery::Access;
use crate::http::submission_shapes::{HandedInShape, SubmissionShape};
use crate::pictures::Source;
use crate::records::submissions::{Told, Work};
use crate::settings::Settings;

/// Exit status for a receipt that is whole, signed by a key that nobody vouched for.
const KEY_NOT_KNOWN: i32 = 3;

/// Stills that somebody from outside hands in: a retailer, a control room.
///
/// They get a signed receipt, and see what became of what they handed in as far as it is theirs to know: received, taken, closed. Examiners
/// search with the pictures (`bertillon search GALLERY --submission N`). docs/SUBMISSIONS.md.
#[derive(Debug, Subcommand)]
pub enum SubmissionCommand {
    /// Hand in stills of one offence.
    HandIn {
        /// Pictures, at most 8.
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<PathBuf>,
        /// Your own reference of the case or offence.
        #[arg(long, value_name = "TEXT")]
        reference: String,
        /// Where it was. Name nobody there.
        #[arg(long, value_name = "TEXT")]
        place: Option<String>,
        /// When it was.
        #[arg(long, value_name = "TEXT")]
        time: Option<String>,
        /// Write the receipt to this new file.
        #[arg(long, value_name = "FILE")]
        receipt: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List submissions, newest first: your own, or all if you work on them.
    List {
        /// Only in this state.
        #[arg(long, value_name = "STATE", value_parser = State::ALL.map(State::as_str))]
        state: Option<String>,
        /// Numbers below this one: the last of the page before.
        #[arg(long, value_name = "N")]
        before: Option<i64>,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
        last: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one, without its pictures.
    Show {
        /// Its number.
        submission: i64,
        /// Write its receipt to this new file.
        #[arg(long, value_name = "FILE")]
        receipt: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take one, to work on it. A search with its pictures does so too.
    Take {
        /// Its number.
        submission: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that work on one is over. Who handed it in is told that, and not why.
    Close {
        /// Its number.
        submission: i64,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write a picture of one to a new file, as it came.
    Picture {
        /// Its number.
        submission: i64,
        /// Which picture.
        #[arg(long, value_name = "N", default_value_t = 1)]
        number: i64,
        /// File to make.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Erase the pictures and words of one. There is no way back.
    Erase {
        /// Its number.
        #[arg(required_unless_present = "expired")]
        submission: Option<i64>,
        /// All whose time is over. A server does so every hour.
        #[arg(long, conflicts_with = "submission")]
        expired: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a receipt, without a data folder. Exit status 0: whole, and signed by --key; 3: whole, and signed by the key that it
    /// names itself; 1: not.
    VerifyReceipt {
        /// The file.
        file: PathBuf,
        /// The public key of who received it, 64 hexadecimal digits: `audit/signing.pub` of the data folder.
        #[arg(long, value_name = "KEY", value_parser = PublicKey::parse)]
        key: Option<PublicKey>,
        /// Check too that it is of these pictures.
        #[arg(long, value_name = "IMAGE")]
        image: Vec<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

impl SubmissionCommand {
    /// Whether it touches a data folder.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        !matches!(self, Self::VerifyReceipt { .. })
    }
}

/// Carries out one of the submission commands.
///
/// # Errors
/// When it is refused, or there is no such submission or no data folder, and for `verify-receipt` where it is none.
pub async fn run(settings: Settings, command: SubmissionCommand) -> Result<()> {
    if let SubmissionCommand::VerifyReceipt { file, key, image, json } = command {
        return verify(&file, key, &image, json);
    }
    let desk = desk(settings, Access::Reader).await?;
    let room = SubmissionRoom::enter(&desk, &person(&desk).await?).await?;
    match command {
        SubmissionCommand::HandIn { images, reference, place, time, receipt, json } => {
            let told = Told { reference, place, time };
            hand_in(&room, &images, told, (receipt.as_deref(), json)).await
        }
        SubmissionCommand::List { state, before, last, json } => {
            let found = room.list(state.as_deref().and_then(State::parse), before, last as usize).await?;
            if json {
                return print::json(&found.iter().map(SubmissionShape::from).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return print::line("no such submissions");
            }
            found.iter().try_for_each(|shown| print::line(&in_a_line(shown)))
        }
        SubmissionCommand::Show { submission, receipt, json } => {
            let shown = room.show(submission).await?;
            keep(&shown, receipt.as_deref())?;
            if json { print::json(&SubmissionShape::from(&shown)) } else { show(&shown) }
        }
        SubmissionCommand::Take { submission, json } => say(submission, room.take(submission).await?, json),
        SubmissionCommand::Close { submission, reason, json } => {
            say(submission, room.close(submission, &reason).await?, json)
        }
        SubmissionCommand::Picture { submission, number, to, json } => {
            let reader = room.picture(submission, number).await?;
            probe::write(&reader, &to)?;
            let bytes = reader.plain_bytes();
            if json {
                return print::json(&json!({ "submission": submission, "number": number, "file": to, "bytes": bytes }));
            }
            print::line(&format!("{} written to {}, not encrypted", print::bytes(bytes), to.display()))
        }
        SubmissionCommand::Erase { submission, yes, json, .. } => erase(&room, submission, yes, json).await,
        SubmissionCommand::VerifyReceipt { .. } => Ok(()),
    }
}

async fn hand_in(
    room: &SubmissionRoom,
    images: &[PathBuf],
    told: Told,
    (receipt, as_json): (Option<&Path>, bool),
) -> Result<()> {
    anyhow::ensure!(
        images.len() <= SUBMISSION_IMAGES_MAX,
        "{} pictures: at most {SUBMISSION_IMAGES_MAX} in one submission",
        images.len()
    );
    if let Some(path) = receipt.filter(|path| path.exists()) {
        bail!("{}: there is something already, and the receipt is not written over it", path.display());
    }
    let done = room.hand_in(images.iter().map(|path| picture(path)).collect::<Result<_>>()?, told).await?;
    keep(&done.shown, receipt)?;
    if as_json {
        return print::json(&HandedInShape::from(&done));
    }
    if done.again {
        print::line("the same was handed in before: nothing is new")?;
    }
    show(&done.shown)
}

fn picture(path: &Path) -> Result<Arc<[u8]>> {
    let read = Source::File(path.to_owned()).read();
    let bytes = read.map_err(|why| anyhow::anyhow!("{}: can't be read: {why}", path.display()))?;
    anyhow::ensure!(bytes.len() <= IMAGE_BYTES_MAX, "{}: more than {IMAGE_BYTES_MAX} bytes", path.display());
    Ok(bytes)
}

/// Writes the receipt to a new file.
fn keep(shown: &Shown, to: Option<&Path>) -> Result<()> {
    let Some(to) = to else { return Ok(()) };
    let Some(receipt) = &shown.receipt else {
        bail!("submission {} is erased: its receipt was given out when it was handed in", shown.record.id)
    };
    let text = format!("{}\n", serde_json::to_string(receipt)?);
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(to)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}

async fn erase(room: &SubmissionRoom, submission: Option<i64>, yes: bool, as_json: bool) -> Result<()> {
    let erased = match submission {
        Some(submission) => {
            if !yes {
                print::confirm(&format!("the pictures of submission {submission} and what was written"))?;
            }
            room.erase(submission).await?;
            1
        }
        None => room.erase_due().await?,
    };
    if as_json { print::json(&json!({ "erased": erased })) } else { print::line(&format!("{erased} erased")) }
}

fn say(submission: i64, state: State, as_json: bool) -> Result<()> {
    let state = state.as_str();
    if as_json {
        return print::json(&json!({ "submission": submission, "state": state }));
    }
    print::line(&format!("submission {submission} is {state}"))
}

fn in_a_line(shown: &Shown) -> String {
    let record = &shown.record;
    let reference = record.told.as_ref().map_or_else(|| "erased".to_owned(), |told| printable(&told.reference));
    let pictures = record.pictures.len();
    let (id, state, submitter) = (record.id, &record.state, &record.submitter);
    format!("{id:>8}  {state:<8}  {submitter}  {}  {pictures} pictures  {reference}", record.received_at)
}

fn show(shown: &Shown) -> Result<()> {
    let record = &shown.record;
    print::line(&format!(
        "submission {}: {}, received {} from {}, kept until {}",
        record.id, record.state, record.received_at, record.submitter, record.expires_at
    ))?;
    match &record.told {
        None => print::line("its pictures and what was written are erased")?,
        Some(Told { reference, place, time }) => {
            let further = [("place", place), ("time", time)];
            let further =
                further.iter().filter_map(|(name, said)| Some(format!("; {name}: {}", printable(said.as_ref()?))));
            print::line(&format!("reference: {}{}", printable(reference), further.collect::<String>()))?;
        }
    }
    for picture in &record.pictures {
        let (number, sha256) = (picture.number, &picture.sha256);
        print::line(&format!("picture {number}: sha256 {sha256}, {}", print::bytes(picture.bytes)))?;
    }
    if let Some(Work { taken, closed, reason, searches }) = &shown.work {
        for (word, by) in [("taken", taken), ("closed", closed)] {
            if let Some((by, at)) = by {
                print::line(&format!("{word} by {by}, {at}"))?;
            }
        }
        if let Some(reason) = reason {
            print::line(&format!("reason: {}", printable(reason)))?;
        }
        if !searches.is_empty() {
            let searches = searches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            print::line(&format!("searches: {searches}"))?;
        }
    }
    Ok(())
}

fn verify(file: &Path, key: Option<PublicKey>, images: &[PathBuf], as_json: bool) -> Result<()> {
    let sealed: Sealed = receipt::read(file, RECEIPT_BYTES_MAX).map_err(anyhow::Error::msg)?;
    let receipt = Receipt::open(&sealed, key)?;
    let hash = |path: &PathBuf| Ok(hex::encode(&<[u8; 32]>::from(Sha256::digest(picture(path)?))));
    receipt.is_of(&images.iter().map(hash).collect::<Result<Vec<_>>>()?)?;
    let Receipt { submission, submitter, received_at, reference, folder, pictures, .. } = &receipt;
    if as_json {
        print::json(
            &json!({ "whole": true, "key_known": key.is_some(), "pictures_checked": images.len(), "receipt": receipt }),
        )?;
    } else {
        let (pictures, reference) = (pictures.len(), printable(reference));
        print::line(&format!(
            "the receipt is whole: submission {submission} to the data folder {folder}, {pictures} pictures, from {submitter}, \
             {received_at}, reference {reference}"
        ))?;
        if !images.is_empty() {
            print::line("it is of these pictures")?;
        }
    }
    if key.is_none() {
        eprintln!("nobody vouches for its key: give the public key of who received it with --key");
        std::process::exit(KEY_NOT_KNOWN);
    }
    Ok(())
}
