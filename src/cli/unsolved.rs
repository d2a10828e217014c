//! `bertillon unsolved`. Who works is the user whose key BERTILLON_KEY has, else who the operating system says.

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::base::text::printable;
use crate::casework::unsolved::UnsolvedRoom;
use crate::cli::as_whom::person;
use crate::cli::{desk, print};
use crate::gallery::Access;
use crate::http::shapes::SearchAnswerShape;
use crate::records::unsolved::UnsolvedRecord;
use crate::settings::Settings;

/// Searches that led to nobody, to be made anew when a gallery has grown.
///
/// The list is no gallery: nobody on it is found by a search. An entry stays no longer than the picture of its search is kept, which is as long as the
/// policy says. docs/UNSOLVED.md.
#[derive(Debug, Subcommand)]
pub enum UnsolvedCommand {
    /// Put a search on the list: one whose review ended without a lead, or any that a supervisor names.
    Add {
        /// The search's number.
        search: i64,
        /// Why, in words. Name nobody there.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List those that are on it, newest first.
    List {
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
    /// Make a search anew, with the picture that is kept, by the same rules. It is recorded as any other; says who is new on its list.
    Rescan {
        /// The entry's number.
        unsolved: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take one off the list. Its search, and what is kept of it, stay as they are.
    Remove {
        /// The entry's number.
        unsolved: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of the commands.
///
/// # Errors
/// When it is refused, or there is no such entry or no data folder.
pub async fn run(settings: Settings, command: UnsolvedCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let room = UnsolvedRoom::enter(&desk, &person(&desk).await?).await?;
    match command {
        UnsolvedCommand::Add { search, reason, json } => {
            let unsolved = room.add(search, &reason).await?;
            if json {
                return print::json(&json!({ "unsolved": unsolved, "search": search }));
            }
            print::line(&format!(
                "search {search} is unsolved probe {unsolved}: `bertillon unsolved rescan {unsolved}`"
            ))
        }
        UnsolvedCommand::List { before, last, json } => {
            let found = room.list(before, last as usize).await?;
            if json {
                return print::json(&found.iter().map(shape).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return print::line("no unsolved probes");
            }
            found.iter().try_for_each(|entry| print::line(&in_a_line(entry)))
        }
        UnsolvedCommand::Rescan { unsolved, json } => {
            let done = room.rescan(unsolved).await.context("no candidate list")?;
            let answer = SearchAnswerShape::from(&done.answer);
            if json {
                return print::json(&json!({ "unsolved": unsolved, "new_templates": done.new, "answer": answer }));
            }
            print::answer(&done.answer)?;
            let new = done.new.iter().map(|template| format!("template {template}")).collect::<Vec<_>>().join(", ");
            print::line(&match new.as_str() {
                "" => "nobody on the list is new since it was searched last".to_owned(),
                new => format!("new since it was searched last: {new}"),
            })
        }
        UnsolvedCommand::Remove { unsolved, json } => {
            room.remove(unsolved).await?;
            if json {
                return print::json(&json!({ "unsolved": unsolved, "state": "removed" }));
            }
            print::line(&format!("unsolved probe {unsolved} is off the list"))
        }
    }
}

fn shape(entry: &UnsolvedRecord) -> Value {
    json!({
        "unsolved": entry.id, "search": entry.search, "probe": entry.probe, "gallery": entry.gallery, "state": entry.state,
        "added_by": entry.added_by, "added_at": entry.added_at, "expires_at": entry.expires_at, "reason": entry.reason,
        "rescans": entry.rescans, "searched_to_template": entry.searched_to, "review": entry.review,
    })
}

fn in_a_line(entry: &UnsolvedRecord) -> String {
    let UnsolvedRecord { id, search, gallery, added_by, expires_at, rescans, .. } = entry;
    let reason = entry.reason.as_deref().map(printable).unwrap_or_default();
    format!(
        "{id:>8}  {gallery}  search {search}, made anew {} times  by {added_by}, until {expires_at}: {reason}",
        rescans.len()
    )
}
