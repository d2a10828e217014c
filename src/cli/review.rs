//! `bertillon review` and `bertillon lead`. Who sits at the terminal is the user whose key BERTILLON_KEY has, else who the operating
//! system says; where there are users, the user of that name.

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::base::ids::TemplateId;
use crate::base::text::{NOT_EVIDENCE, printable};
use crate::casework::review::view::Shown;
use crate::casework::review::{Finding, Outcome, ReviewRoom, State, View};
use crate::cli::as_whom::person;
use crate::cli::{desk, print};
use crate::gallery::Access;
use crate::http::review_shapes::{LeadShape, LeadsShape, ReviewShape, StandShape, ViewShape};
use crate::records::review::{DecisionRecord, LeadRecord, ReviewRecord};
use crate::settings::Settings;

/// Review candidate lists: a first examiner, an independent second, a third where they disagree.
///
/// A lead takes two people who name the same candidate. Who decides is shown the candidates in an order of their own, without
/// comparison scores, ranks and subjects, as the policy says.
#[derive(Debug, Subcommand)]
pub enum ReviewCommand {
    /// Open the review of a recorded search.
    Open {
        /// The search's number.
        search: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List reviews, newest first. Shows no candidates.
    List {
        /// Only in this state.
        #[arg(long, value_name = "STATE", value_parser = State::WORDS)]
        state: Option<String>,
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        last: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a review, to decide it. Again: for longer.
    Claim {
        /// Its number.
        review: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show its candidates: to whoever has claimed it or has decided in it, and to all who review once it is a lead.
    Show {
        /// Its number.
        review: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Decide. Decisions stay.
    Decide {
        /// Its number.
        review: i64,
        /// The probe may show the person of this template.
        #[arg(long, value_name = "TEMPLATE", required_unless_present = "finding", conflicts_with = "finding")]
        possible: Option<u64>,
        /// Nobody is named: exclusion, inconclusive or not_suitable.
        #[arg(long, value_name = "FINDING", value_parser = ["exclusion", "inconclusive", "not_suitable"])]
        finding: Option<String>,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a review back that is not over.
    Withdraw {
        /// Its number.
        review: i64,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Leads, and what came of them.
#[derive(Debug, Subcommand)]
pub enum LeadCommand {
    /// List leads, newest first.
    List {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        last: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what came of a lead.
    Outcome {
        /// Its number.
        lead: i64,
        /// arrest, charge, eliminated, no_further_action, denied_code_d or other.
        #[arg(value_parser = Outcome::parse)]
        outcome: Outcome,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of the review commands.
///
/// # Errors
/// When it is refused, or there is no such review or no data folder.
pub async fn run(settings: Settings, command: ReviewCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let room = ReviewRoom::enter(&desk.vault, &person(&desk).await?).await?;
    match command {
        ReviewCommand::Open { search, json } => {
            let review = room.open(search).await?;
            if json {
                return print::json(&json!({ "review": review, "search": search, "state": "open" }));
            }
            print::line(&format!("review {review} of search {search} is open: `bertillon review claim {review}`"))
        }
        ReviewCommand::List { state, last, json } => {
            let state = state.map(|word| State::word(&word)).transpose().map_err(anyhow::Error::msg)?;
            let found = room.list(state, last as usize).await?;
            if json {
                return print::json(&found.iter().map(ReviewShape::from).collect::<Vec<_>>());
            }
            if found.is_empty() {
                return print::line("no such reviews");
            }
            found.iter().try_for_each(|review| print::line(&in_a_line(review)))
        }
        ReviewCommand::Claim { review, json } => say(review, &room.claim(review).await?, json),
        ReviewCommand::Show { review, json } => {
            let view = room.see(review).await?;
            if json { print::json(&ViewShape::from(&view)) } else { show(&view) }
        }
        ReviewCommand::Decide { review, possible, finding, reason, json } => {
            let word = finding.as_deref().unwrap_or("possible_identification");
            let finding = Finding::parse(word, possible.map(TemplateId));
            let finding = finding.ok_or_else(|| anyhow::anyhow!("name a candidate with --possible, or a --finding"))?;
            say(review, &room.decide(review, finding, reason.as_deref()).await?, json)
        }
        ReviewCommand::Withdraw { review, reason, json } => say(review, &room.withdraw(review, &reason).await?, json),
    }
}

/// Carries out one of the lead commands.
///
/// # Errors
/// When it is refused, or there is no such lead or no data folder.
pub async fn run_lead(settings: Settings, command: LeadCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let room = ReviewRoom::enter(&desk.vault, &person(&desk).await?).await?;
    match command {
        LeadCommand::List { last, json } => {
            let found = room.leads(last as usize).await?;
            if json {
                return print::json(&LeadsShape::new(&found));
            }
            if found.is_empty() {
                return print::line("no leads");
            }
            found.iter().try_for_each(|lead| print::line(&lead_line(lead)))?;
            print::line(NOT_EVIDENCE)
        }
        LeadCommand::Outcome { lead, outcome, json } => {
            let found = room.outcome(lead, outcome).await?;
            if json {
                return print::json(&LeadShape::from(&found));
            }
            print::line(&lead_line(&found))?;
            print::line(NOT_EVIDENCE)
        }
    }
}

fn say(review: i64, state: &State, as_json: bool) -> Result<()> {
    if as_json {
        return print::json(&StandShape::new(review, state));
    }
    let next = match state {
        State::Open | State::AwaitingSecond(_) | State::Conflict(..) => "somebody else must look now",
        State::First(_) | State::Second(..) | State::Third(..) => "look with `bertillon review show`, then decide",
        State::Lead { .. } => "two people named the same candidate: `bertillon lead list`",
        State::ClosedNegative | State::ClosedConflict | State::Withdrawn => "it is over",
    };
    print::line(&format!("review {review}: {}; {next}\n{NOT_EVIDENCE}", state.as_str()))
}

fn in_a_line(review: &ReviewRecord) -> String {
    let ReviewRecord { id, search, gallery, state, claim, changed_at, .. } = review;
    let claim = claim.as_ref().map(|claim| format!("  claimed by {} until {}", claim.by, claim.until));
    format!("{id:>8}  {state:<16} {gallery}  search {search}  {changed_at}{}", claim.unwrap_or_default())
}

fn show(view: &View) -> Result<()> {
    let View { review, search, gallery, state, probe_sha256, face, searched_at, blind, candidates, erased, .. } = view;
    print::line(&format!("review {review}: {state}; search {search} in {gallery}, {searched_at}"))?;
    print::line(&format!(
        "probe: sha256 {probe_sha256}, face at {:.0},{:.0}, {:.0} x {:.0} px",
        face.x, face.y, face.width, face.height
    ))?;
    if *blind {
        print::line("what could sway you is hidden until you have decided; the order says nothing")?;
    }
    for candidate in candidates {
        print::line(&candidate_line(candidate))?;
    }
    if *erased > 0 {
        print::line(&format!("{erased} candidates were erased since the search"))?;
    }
    for DecisionRecord { stage, person, finding, template, at, .. } in &view.decisions {
        let named = template.map(|template| format!(" template {template}")).unwrap_or_default();
        print::line(&format!("decision {stage}: {finding}{named}, {person}, {at}"))?;
    }
    print::line(NOT_EVIDENCE)
}

fn candidate_line(candidate: &Shown) -> String {
    let Shown { template, rank, score, subject, source, image_sha256 } = candidate;
    let rank = rank.map(|rank| format!("  rank {rank}")).unwrap_or_default();
    let score = score.map(|score| format!("  score {score:.4}")).unwrap_or_default();
    let subject = subject.as_ref().map(|subject| format!("  {}", printable(subject))).unwrap_or_default();
    let source = source.as_ref().map(|source| format!("  {}", printable(source))).unwrap_or_default();
    let image = image_sha256.as_ref().map_or_else(|| "no picture".to_owned(), |hash| format!("picture {hash}"));
    format!("  template {template:<10}{rank}{score}{subject}{source}  {image}")
}

fn lead_line(lead: &LeadRecord) -> String {
    let LeadRecord { id, review, search, gallery, template, named_by: [one, other], dissent, made_at, outcomes } = lead;
    let dissent = dissent.as_ref().map(|person| format!(", against {person}")).unwrap_or_default();
    let came = match outcomes.as_slice() {
        [] => String::new(),
        some => format!("; {}", some.iter().map(|(word, _, _)| word.as_str()).collect::<Vec<_>>().join(", ")),
    };
    format!(
        "lead {id}: template {template} in {gallery}, named by {one} and {other}{dissent}; {made_at}, review {review}, search \
         {search}{came}"
    )
}
