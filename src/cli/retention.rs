//! `bertillon retention`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::base::day::Day;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::base::limits::{CERTIFICATE_BYTES_MAX, RETENTION_RUN_MAX};
use crate::base::text::printable;
use crate::casework::certificate::{self, Certificate};
use crate::casework::retention::{Beside, Ran};
use crate::casework::subjects::SubjectRoom;
use crate::cli::as_whom::person;
use crate::cli::{desk, print};
use crate::crypto::PublicKey;
use crate::gallery::Access;
use crate::policy::Standing;
use crate::records::OpenTooLong;
use crate::records::subjects::{Decided, DueImage, HoldRecord};
use crate::settings::Settings;

/// Exit status for a certificate that is whole, signed by a key that nobody vouched for.
const KEY_NOT_KNOWN: i32 = 3;

/// What of a list of what is due.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// Of which gallery.
    gallery: GalleryName,
    /// As of this day; today unless said.
    #[arg(long, value_name = "DAY")]
    day: Option<Day>,
    /// Begin after this date and image: DAY,NUMBER, the last of the page before.
    #[arg(long, value_name = "DAY,NUMBER", value_parser = place)]
    after: Option<(Day, i64)>,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Print as JSON.
    #[arg(long)]
    json: bool,
}

/// How long images of subjects are kept: lists of what is due, decisions, erasure, certificates.
///
/// Dates follow from the policy's periods (`bertillon policy show`), and from what is known of an image (`bertillon subject set`).
/// Pictures of those who were not convicted, and of who was under 18, go unless somebody decides otherwise. docs/SUBJECTS.md.
#[derive(Debug, Subcommand)]
pub enum RetentionCommand {
    /// Images whose review is due, overdue ones included, the longest due first; then legal holds that stand for half a year.
    Due(Which),
    /// Images whose time is over: `retention run` erases them. Then legal holds that nobody looked at, and reviews that are open longer
    /// than their lists are kept: `retention run` withdraws these.
    Overdue(Which),
    /// Decide about an image: keep it for a while, or delete it.
    ///
    /// To keep what is presumed to be deleted takes two people, where the policy says so: the second decides the same.
    Review {
        /// In which gallery.
        gallery: GalleryName,
        /// Its number.
        image: i64,
        /// Keep it until this day, on which it is reviewed again.
        #[arg(long, value_name = "DAY", required_unless_present = "delete", conflicts_with = "delete")]
        keep_until: Option<Day>,
        /// Delete it with the next run.
        #[arg(long)]
        delete: bool,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Physically erase what was decided to go and what expired, and empty candidate lists whose period is over, but for what is under legal
    /// hold. There is no way back.
    Run {
        /// In which gallery.
        gallery: GalleryName,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the deletion certificate of an erasure, a line of JSON.
    Certificate {
        /// Number of the erasure.
        number: i64,
    },
    /// Check a deletion certificate, without a data folder. Exit status 0: whole, and signed by --key; 3: whole, and signed by
    /// the key that it names itself; 1: not.
    VerifyCertificate {
        /// The file.
        file: PathBuf,
        /// The public key of who erased, 64 hexadecimal digits: `audit/signing.pub` of the data folder.
        #[arg(long, value_name = "KEY", value_parser = PublicKey::parse)]
        key: Option<PublicKey>,
        /// Check too that it is about this subject.
        #[arg(long, value_name = "SUBJECT", requires = "salt")]
        subject: Option<String>,
        /// The salt that was printed when it was erased.
        #[arg(long, value_name = "SALT", requires = "subject")]
        salt: Option<String>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

impl RetentionCommand {
    /// Whether it touches a data folder.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        !matches!(self, Self::VerifyCertificate { .. })
    }
}

fn place(text: &str) -> Result<(Day, i64), String> {
    let wrong = || "write DAY,NUMBER, such as 2026-11-22,17".to_owned();
    let (day, number) = text.split_once(',').ok_or_else(wrong)?;
    Ok((day.parse()?, number.parse().map_err(|_| wrong())?))
}

/// Carries out one of the retention commands.
///
/// # Errors
/// When it is refused, or there is no such gallery or image, and for `verify-certificate` where it is none.
pub async fn run(settings: Settings, command: RetentionCommand) -> Result<()> {
    match command {
        RetentionCommand::Due(which) => due(settings, which, false).await,
        RetentionCommand::Overdue(which) => due(settings, which, true).await,
        RetentionCommand::Review { gallery, image, keep_until, delete, reason, json } => {
            let desk = desk(settings, Access::Reader).await?;
            let room = SubjectRoom::enter(&desk.vault, &person(&desk).await?, &gallery).await?;
            let (decision, waits) = match keep_until {
                Some(until) => {
                    let decided = room.keep(image, until, &reason, Day::today()).await?;
                    (format!("kept until {until}"), decided == Decided::WaitsForAnother)
                }
                None if delete => {
                    room.delete(image, &reason).await?;
                    ("to be erased by the next run".to_owned(), false)
                }
                None => bail!("say --keep-until or --delete"),
            };
            if json {
                return print::json(&json!({ "image": image, "decision": decision, "waits_for_another": waits }));
            }
            let waits = if waits { ", once somebody else decides the same: it is presumed to be deleted" } else { "" };
            print::line(&format!("image {image} is {decision}{waits}"))
        }
        RetentionCommand::Run { gallery, yes, json } => {
            if !yes {
                bail!("erasing can't be undone: see `bertillon retention overdue {gallery}`, then add --yes");
            }
            let desk = desk(settings, Access::Writer).await?;
            let room = SubjectRoom::enter(&desk.vault, &person(&desk).await?, &gallery).await?;
            let ran = room.run_retention(&desk, Day::today(), RETENTION_RUN_MAX).await?;
            say(&gallery, &ran, json)
        }
        RetentionCommand::Certificate { number } => {
            let desk = desk(settings, Access::Reader).await?;
            let sealed = certificate::show(&desk, &person(&desk).await?, number).await?;
            print::line(&serde_json::to_string(&sealed)?)
        }
        RetentionCommand::VerifyCertificate { file, key, subject, salt, json } => {
            verify(&file, key, subject.as_deref().zip(salt.as_deref()), json)
        }
    }
}

async fn due(settings: Settings, which: Which, overdue: bool) -> Result<()> {
    let Which { gallery, day, after, limit, json } = which;
    let desk = desk(settings, Access::Reader).await?;
    let room = SubjectRoom::enter(&desk.vault, &person(&desk).await?, &gallery).await?;
    let day = day.unwrap_or_else(Day::today);
    let found = room.due((day, overdue), after, limit as usize).await?;
    // With the first page.
    let beside = match after {
        None => room.due_beside_images((day, overdue), limit as usize).await?,
        Some(_) => Beside::default(),
    };
    if json {
        let images = found.iter().map(due_json);
        let holds = beside.holds.iter().map(|hold| {
            let HoldRecord { id, subject, placed_by, placed_at, .. } = hold;
            json!({ "legal_hold": id, "subject": subject, "placed_by": placed_by, "placed_at": placed_at })
        });
        let reviews = beside.reviews.iter().map(|open| {
            let OpenTooLong { review, search, opened_at } = open;
            json!({ "review": review, "search": search, "opened_at": opened_at })
        });
        return print::json(&images.chain(holds).chain(reviews).collect::<Vec<_>>());
    }
    if found.is_empty() && beside == Beside::default() {
        return print::line(if overdue { "nothing is overdue" } else { "nothing is due" });
    }
    found.iter().try_for_each(|due| print::line(&due_line(due, day)))?;
    beside.holds.iter().try_for_each(|hold| {
        let HoldRecord { id, subject, placed_by, placed_at, .. } = hold;
        print::line(&format!(
            "hold {id:>10}  subject {subject}: placed by {placed_by}, {placed_at}: look whether it is still needed; lift it, or place \
             another and lift it"
        ))
    })?;
    beside.reviews.iter().try_for_each(|open| {
        let OpenTooLong { review, search, opened_at } = open;
        print::line(&format!("review {review:>8}  search {search}: open since {opened_at}, withdrawn by the next run"))
    })?;
    let last = found.last().filter(|_| found.len() == limit as usize).and_then(|last| Some((last, last.image.clock?)));
    last.map_or(Ok(()), |(last, clock)| {
        let date = if overdue { clock.expires } else { clock.review };
        print::line(&format!("there may be more: --after {date},{}", last.image.id))
    })
}

fn due_json(due: &DueImage) -> serde_json::Value {
    let DueImage { image, called, held, decided } = due;
    let (review, expires) = image.clock.map(|clock| (clock.review, clock.expires)).unzip();
    json!({
        "image": image.id, "template": image.template, "subject": image.subject, "called": called,
        "review_due": review, "expires": expires, "presumed_to_go": image.facts.is_presumed_to_go(),
        "facts": image.facts, "hold": held, "decided": decided,
    })
}

fn due_line(due: &DueImage, day: Day) -> String {
    let DueImage { image, called, held, decided } = due;
    let dates = image.clock.map_or_else(String::new, |clock| {
        let word = if clock.on(day) == Standing::Overdue { "OVERDUE" } else { "due" };
        format!("{word} since {}, expires {}", clock.review, clock.expires)
    });
    let called = called.as_ref().map(|called| printable(called.as_str())).unwrap_or_default();
    let presumed = if image.facts.is_presumed_to_go() { ", presumed to be deleted" } else { "" };
    let held = held.map(|hold| format!(", under legal hold {hold}")).unwrap_or_default();
    let decided = match decided.as_deref() {
        Some("delete") => ", to be erased by the next run",
        Some(_keep) => ", kept once somebody else decides so",
        None => "",
    };
    let disposal = image.facts.disposal.as_str();
    format!("image {:>9}  subject {} {called}: {disposal}; {dates}{presumed}{held}{decided}", image.id, image.subject)
}

fn say(gallery: &GalleryName, ran: &Ran, as_json: bool) -> Result<()> {
    if as_json {
        let certificates: Vec<_> =
            ran.certificates.iter().map(|(id, salt)| json!({ "certificate": id, "salt": salt })).collect();
        let held: Vec<_> = ran.held.iter().map(|(image, hold)| json!({ "image": image, "hold": hold })).collect();
        return print::json(&json!({
            "gallery": gallery, "erased": ran.erased, "certificates": certificates, "held": held,
            "held_in_all": ran.held_in_all, "reviews": ran.reviews, "lists": ran.lists, "more": ran.more,
        }));
    }
    for (image, hold) in &ran.held {
        print::line(&format!("image {image} was due to go, and is under legal hold {hold}"))?;
    }
    for (id, salt) in &ran.certificates {
        print::line(&certificate_line(*id, salt.as_deref()))?;
    }
    let more = if ran.more { "; there may be more: run it again" } else { "" };
    let lists = format!("; withdrew {} reviews, emptied {} candidate lists", ran.reviews, ran.lists);
    print::line(&format!("erased {} templates from {gallery}, {} held{more}{lists}", ran.erased.len(), ran.held_in_all))
}

/// What is said of a certificate once, when it is made.
pub(super) fn certificate_line(id: i64, salt: Option<&str>) -> String {
    let salt = salt.map(|salt| format!("; salt {salt}, shown this once, opens whom it is about")).unwrap_or_default();
    format!("certificate {id}: `bertillon retention certificate {id}`{salt}")
}

fn verify(file: &Path, key: Option<PublicKey>, about: Option<(&str, &str)>, as_json: bool) -> Result<()> {
    let sealed = certificate::read(file, CERTIFICATE_BYTES_MAX).map_err(anyhow::Error::msg)?;
    let certificate = sealed.open(key)?;
    if let Some((subject, salt)) = about {
        certificate.is_about(subject.trim(), salt.trim())?;
    }
    let Certificate { id, what, gallery, asked_by, done_at, folder, templates, not_reached, event, .. } = &certificate;
    if as_json {
        print::json(
            &json!({ "whole": true, "key_known": key.is_some(), "about_subject": about.is_some(), "certificate": certificate }),
        )?;
    } else {
        print::line(&format!(
            "certificate {id} of the data folder {folder} is whole: {what} of {gallery}, {} templates, asked for by {asked_by}, \
             done {done_at}, event {event}",
            templates.len()
        ))?;
        if about.is_some() {
            print::line("it is about that subject")?;
        }
        for one in not_reached {
            print::line(&format!("not reached: {}: {}", one.what, one.why))?;
        }
    }
    if key.is_none() {
        eprintln!("nobody vouches for its key: give the public key of who erased with --key");
        std::process::exit(KEY_NOT_KNOWN);
    }
    Ok(())
}

/// A salt as it is shown.
pub(super) fn shown(salt: Option<[u8; 16]>) -> Option<String> {
    salt.map(|salt| hex::encode(&salt))
}
