//! `bertillon subject` and `bertillon hold`.

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::json;

use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::SUBJECT_IMAGES_COUNTED_MAX;
use crate::base::text::printable;
use crate::casework::subjects::{SubjectRoom, SubjectView};
use crate::cli::as_whom::person;
use crate::cli::subject_shapes::{DatesShape, HoldShape, MoveShape, SubjectShape, ViewShape};
use crate::cli::{desk, print};
use crate::gallery::Access;
use crate::policy::{Clock, DatedFacts, Fact, ImageFacts};
use crate::records::subjects::{HoldRecord, ImageRecord, MoveRecord, SubjectRecord};
use crate::settings::Settings;

/// Which page of a list.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Page {
    /// Begin after this number: the last of the page before.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    after: i64,
    /// How many.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
}

/// Subjects: the people behind references, with a record for each of their images.
///
/// What is enrolled under one reference is one subject. Where two are one person, or one is two, images are moved; each move can
/// be undone as long as its images are where it brought them. Records of searches never change.
#[derive(Debug, Subcommand)]
pub enum SubjectCommand {
    /// List subjects that have images, in the order in which they came.
    List {
        /// Of which gallery.
        gallery: GalleryName,
        /// Which page.
        #[command(flatten)]
        page: Page,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a subject and what is known of its images.
    Show {
        /// In which gallery.
        gallery: GalleryName,
        /// The subject, as it is called.
        subject: SubjectRef,
        /// Which page.
        #[command(flatten)]
        page: Page,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what is known of an image; its review and expiry dates follow from it by the policy.
    Set {
        /// In which gallery.
        gallery: GalleryName,
        /// The image's number.
        image: i64,
        /// What is known: captured_on, disposed_on, review_on and expires_on (days: 2026-11-22), pose, lawful_basis,
        /// disposal_outcome (none_yet, convicted, caution, acquitted, discontinued, no_further_action), under18 (yes, no),
        /// review_group (1 to 3). Empty for: nobody knows.
        #[arg(value_name = "FIELD=VALUE", required = true, value_parser = field)]
        fields: Vec<(Fact, String)>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make two subjects one: they are one person.
    Merge {
        /// In which gallery.
        gallery: GalleryName,
        /// Whose images are given away.
        from: SubjectRef,
        /// Whose they are from now on.
        into: SubjectRef,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a new subject of some images: they show somebody else.
    Split {
        /// In which gallery.
        gallery: GalleryName,
        /// Whose images they were.
        from: SubjectRef,
        /// What the new subject is called.
        new: String,
        /// An image's number; may be repeated.
        #[arg(long = "image", value_name = "NUMBER", required = true)]
        images: Vec<i64>,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give an image to another subject: it shows them.
    Reassign {
        /// In which gallery.
        gallery: GalleryName,
        /// The image's number.
        image: i64,
        /// Whom it shows.
        to: SubjectRef,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a merge, a split or a reassignment back.
    Undo {
        /// In which gallery.
        gallery: GalleryName,
        /// The move's number; `subject history` has it.
        number: i64,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// How images came to a subject and went from it, newest first.
    History {
        /// In which gallery.
        gallery: GalleryName,
        /// The subject, as it is called.
        subject: SubjectRef,
        /// Begin before this move: the last of the page before.
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        limit: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Keep a subject, and out of every search that begins from now on. Nothing is erased by it.
    Restrict {
        /// In which gallery.
        gallery: GalleryName,
        /// Whom.
        subject: SubjectRef,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let a restricted subject be searched again.
    Lift {
        /// In which gallery.
        gallery: GalleryName,
        /// Whom.
        subject: SubjectRef,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Legal holds: what must not be erased, whatever is due.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Order that nothing of a subject is erased. Several holds may stand.
    Place {
        /// In which gallery.
        gallery: GalleryName,
        /// On whom.
        subject: SubjectRef,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a hold. Nothing is erased by it.
    Lift {
        /// In which gallery.
        gallery: GalleryName,
        /// Its number.
        hold: i64,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List holds that stand.
    List {
        /// Of which gallery.
        gallery: GalleryName,
        /// Those that were lifted too.
        #[arg(long)]
        all: bool,
        /// Which page.
        #[command(flatten)]
        page: Page,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

fn field(text: &str) -> Result<(Fact, String), String> {
    let names = || Fact::ALL.map(Fact::as_str).join(", ");
    let (name, value) = text.split_once('=').ok_or_else(|| format!("write FIELD=VALUE; fields are {}", names()))?;
    let fact = Fact::named(name.trim()).ok_or_else(|| format!("fields are {}", names()))?;
    Ok((fact, value.to_owned()))
}

/// Carries out one of the subject commands.
///
/// # Errors
/// When it is refused, or there is no such gallery, subject or image.
pub async fn run(settings: Settings, command: SubjectCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let caller = person(&desk).await?;
    let enter = async |gallery: &GalleryName| SubjectRoom::enter(&desk.vault, &caller, gallery).await;
    match command {
        SubjectCommand::List { gallery, page, json } => {
            let found = enter(&gallery).await?.list(page.after, page.limit as usize).await?;
            if json {
                return print::json(&found.iter().map(SubjectShape::from).collect::<Vec<_>>());
            }
            found.iter().try_for_each(|subject| print::line(&subject_line(subject)))?;
            after(&gallery, found.last().map(|last| last.id).filter(|_| found.len() == page.limit as usize))
        }
        SubjectCommand::Show { gallery, subject, page, json } => {
            let view = enter(&gallery).await?.show(&subject, page.after, page.limit as usize).await?;
            if json { print::json(&ViewShape::from(&view)) } else { show(&gallery, &view, page.limit as usize) }
        }
        SubjectCommand::Set { gallery, image, fields, json } => {
            let about = enter(&gallery).await?.set(image, &fields).await?;
            if json {
                return print::json(
                    &json!({ "image": image, "facts": about.facts, "dates": DatesShape::of(about.clock) }),
                );
            }
            print::line(&format!("image {image}: {}", facts_line(&about)))
        }
        SubjectCommand::Merge { gallery, from, into, reason, json } => {
            said("merged", enter(&gallery).await?.merge(&from, &into, &reason).await?, json)
        }
        SubjectCommand::Split { gallery, from, new, images, reason, json } => {
            said("split", enter(&gallery).await?.split(&from, &new, &images, &reason).await?, json)
        }
        SubjectCommand::Reassign { gallery, image, to, reason, json } => {
            said("reassigned", enter(&gallery).await?.reassign(image, &to, &reason).await?, json)
        }
        SubjectCommand::Undo { gallery, number, reason, json } => {
            enter(&gallery).await?.undo(number, &reason).await?;
            if json {
                print::json(&json!({ "move": number, "undone": true }))
            } else {
                print::line(&format!("move {number} is undone"))
            }
        }
        SubjectCommand::History { gallery, subject, before, limit, json } => {
            let (subject, moves) = enter(&gallery).await?.history(&subject, before, limit as usize).await?;
            if json {
                let moves: Vec<_> = moves.iter().map(MoveShape::from).collect();
                return print::json(&json!({ "subject": SubjectShape::from(&subject), "moves": moves }));
            }
            print::line(&subject_line(&subject))?;
            moves.iter().try_for_each(|one| print::line(&move_line(one)))
        }
        SubjectCommand::Restrict { gallery, subject, reason, json } => {
            let id = enter(&gallery).await?.restrict(&subject, true, &reason).await?;
            restricted(id, true, json)
        }
        SubjectCommand::Lift { gallery, subject, reason, json } => {
            let id = enter(&gallery).await?.restrict(&subject, false, &reason).await?;
            restricted(id, false, json)
        }
    }
}

/// Carries out one of the hold commands.
///
/// # Errors
/// When it is refused, or there is no such gallery, subject or hold.
pub async fn run_hold(settings: Settings, command: HoldCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let caller = person(&desk).await?;
    let enter = async |gallery: &GalleryName| SubjectRoom::enter(&desk.vault, &caller, gallery).await;
    match command {
        HoldCommand::Place { gallery, subject, reason, json } => {
            let hold = enter(&gallery).await?.place_hold(&subject, &reason).await?;
            if json { print::json(&json!({ "hold": hold })) } else { print::line(&format!("hold {hold} stands")) }
        }
        HoldCommand::Lift { gallery, hold, reason, json } => {
            enter(&gallery).await?.lift_hold(hold, &reason).await?;
            if json {
                return print::json(&json!({ "hold": hold, "lifted": true }));
            }
            print::line(&format!("hold {hold} is lifted"))
        }
        HoldCommand::List { gallery, all, page, json } => {
            let found = enter(&gallery).await?.holds(page.after, all, page.limit as usize).await?;
            if json {
                return print::json(&found.iter().map(HoldShape::from).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return print::line("no holds");
            }
            found.iter().try_for_each(|hold| print::line(&hold_line(hold)))?;
            after(&gallery, found.last().map(|last| last.id).filter(|_| found.len() == page.limit as usize))
        }
    }
}

fn said(what: &str, number: i64, as_json: bool) -> Result<()> {
    if number < 1 {
        bail!("no move was made");
    }
    if as_json {
        return print::json(&json!({ "move": number }));
    }
    print::line(&format!("{what}: move {number}; `bertillon subject undo` takes it back"))
}

fn restricted(id: i64, restricted: bool, as_json: bool) -> Result<()> {
    if as_json {
        return print::json(&json!({ "subject": id, "restricted": restricted }));
    }
    let stands = if restricted { "kept, and in no search that begins from now on" } else { "searched again" };
    print::line(&format!("subject {id} is {stands}"))
}

fn after(gallery: &GalleryName, last: Option<i64>) -> Result<()> {
    last.map_or(Ok(()), |last| print::line(&format!("there may be more in {gallery}: --after {last}")))
}

fn show(gallery: &GalleryName, view: &SubjectView, limit: usize) -> Result<()> {
    print::line(&subject_line(&view.subject))?;
    for image in &view.images {
        let ImageRecord { id, template, source, facts, clock, kept_until, created_on, .. } = image;
        let about = DatedFacts { facts: facts.clone(), clock: *clock };
        let kept = kept_until.map(|day| format!(", kept until {day} by a decision")).unwrap_or_default();
        let source = printable(source);
        print::line(&format!(
            "  image {id}, template {template}, {source}, came {created_on}: {}{kept}",
            facts_line(&about)
        ))?;
    }
    after(gallery, view.images.last().map(|last| last.id).filter(|_| view.images.len() == limit))
}

fn facts_line(about: &DatedFacts) -> String {
    let ImageFacts { captured_on, pose, lawful_basis, disposal, disposed_on, under18, review_group, .. } = &about.facts;
    let taken = captured_on.map_or_else(|| "day of capture not known".to_owned(), |day| format!("taken {day}"));
    let since = disposed_on.map(|day| format!(" since {day}")).unwrap_or_default();
    let age = match under18 {
        Some(true) => ", under 18 then",
        Some(false) => "",
        None => ", age then not known",
    };
    let basis = lawful_basis.as_ref().map(|basis| format!(", {basis}")).unwrap_or_default();
    let group = review_group.map(|group| format!(", review group {group}")).unwrap_or_default();
    let dates = about.clock.map(|Clock { review, expires }| format!("; review due {review}, expires {expires}"));
    let (pose, disposal, dates) = (pose.as_str(), disposal.as_str(), dates.unwrap_or_default());
    format!("{taken}, pose {pose}, {disposal}{since}{age}{basis}{group}{dates}")
}

fn subject_line(subject: &SubjectRecord) -> String {
    let SubjectRecord { id, reference, state, merged_into, restricted_at, images, .. } = subject;
    let called = reference.as_ref().map_or_else(|| "(erased)".to_owned(), |reference| printable(reference.as_str()));
    let into = merged_into.map(|into| format!(" into {into}")).unwrap_or_default();
    let restricted = restricted_at.as_ref().map(|at| format!("  RESTRICTED since {at}")).unwrap_or_default();
    let images = counted(*images);
    format!("{id:>9}  {called}  {}{into}, {images} images{restricted}", state.as_str())
}

/// A count, or that there are more than are counted.
fn counted(images: usize) -> String {
    let most = SUBJECT_IMAGES_COUNTED_MAX;
    if images > most { format!("more than {most}") } else { images.to_string() }
}

fn move_line(one: &MoveRecord) -> String {
    let MoveRecord { id, kind, from, to, images, person, at, reason, undone } = one;
    let undone = undone.as_ref().map(|(by, at)| format!("; undone by {by}, {at}")).unwrap_or_default();
    let reason = printable(reason);
    format!("  move {id}: {kind}, {images} images from subject {from} to {to}, {person}, {at}: {reason}{undone}")
}

fn hold_line(hold: &HoldRecord) -> String {
    let HoldRecord { id, subject, reference, placed_by, placed_at, reason, lifted } = hold;
    let called = reference.as_ref().map(|reference| printable(reference.as_str())).unwrap_or_default();
    let lifted = lifted.as_ref().map(|(by, at)| format!("; lifted by {by}, {at}")).unwrap_or_default();
    format!("{id:>9}  subject {subject} {called}  {placed_by}, {placed_at}: {}{lifted}", printable(reason))
}
