//! What takes two people, at the terminal: policies and operating points are proposed, and come into force when others approve.

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use crate::base::ids::GalleryName;
use crate::base::text::printable;
use crate::casework::governing::{Chamber, State, Voice};
use crate::casework::operating_points;
use crate::cli::as_whom::person;
use crate::cli::{desk, print};
use crate::gallery::Access;
use crate::policy::parse::text_of;
use crate::records::governing::{PolicyVersion, ProposalRecord, VoiceRecord};
use crate::settings::Settings;

/// What is proposed, and comes into force when others approve it. Whoever acts is the user whose key BERTILLON_KEY has, else the
/// user of the account's name.
#[derive(Debug, Subcommand)]
pub enum ProposalCommand {
    /// Propose a policy, an operating point, or to destroy the key of a gallery's pictures. A policy and a key take one other person, a
    /// point as many as the policy in force says.
    Propose {
        /// The policy's file.
        #[arg(required_unless_present_any = ["point", "key_destroy"], conflicts_with_all = ["point", "key_destroy"])]
        file: Option<PathBuf>,
        /// The name of an operating point of the data folder.
        #[arg(long, value_name = "NAME")]
        point: Option<String>,
        /// That the key of this gallery's pictures is destroyed: `key destroy` does it then.
        #[arg(long, value_name = "GALLERY", conflicts_with = "point")]
        key_destroy: Option<GalleryName>,
        /// Why, in words: name nobody there.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List proposals, newest first.
    Proposals {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        last: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a proposal: what it changes, and who said what to it.
    Proposal {
        /// Its number.
        proposal: i64,
        /// Print as JSON, with the whole file.
        #[arg(long)]
        json: bool,
    },
    /// Approve a proposal of somebody else. With enough approvals it comes into force at once.
    Approve {
        /// Its number.
        proposal: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Reject a proposal of somebody else. That ends it.
    Reject {
        /// Its number.
        proposal: i64,
        /// Why, in words.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a proposal of your own back.
    Withdraw {
        /// Its number.
        proposal: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the policies that are and were in force, newest first. Before the first of them the built-in policy was.
    History {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
        last: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Carries out one of these commands.
///
/// # Errors
/// When it is refused, or there is no such proposal or no data folder.
pub(super) async fn run(settings: Settings, command: ProposalCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let chamber = Chamber::enter(&desk, &person(&desk).await?).await?;
    match command {
        ProposalCommand::Propose { file, point, key_destroy, reason, json } => {
            let number = match (file, point, key_destroy) {
                (_, _, Some(gallery)) => chamber.propose_key_destroy(&gallery, &reason).await?,
                (_, Some(point), None) => {
                    let point = operating_points::one(&desk.settings.data.folder, &point)?;
                    chamber.propose_point(&point, &reason).await?
                }
                (file, None, None) => {
                    let file = file.unwrap_or_default();
                    chamber.propose_policy(&text_of(&file)?, &file.display().to_string(), &reason).await?
                }
            };
            if json {
                return print::json(&json!({ "proposal": number, "state": State::Open.as_str() }));
            }
            print::line(&format!("proposal {number} waits for others: `bertillon policy approve {number}`"))
        }
        ProposalCommand::Proposals { last, json } => list(&chamber.list(last as usize).await?, json),
        ProposalCommand::Proposal { proposal, json } => show(&chamber, proposal, json).await,
        ProposalCommand::Approve { proposal, json } => say(&chamber, proposal, Voice::Approve, None, json).await,
        ProposalCommand::Reject { proposal, reason, json } => {
            say(&chamber, proposal, Voice::Reject, Some(&reason), json).await
        }
        ProposalCommand::Withdraw { proposal, json } => say(&chamber, proposal, Voice::Withdraw, None, json).await,
        ProposalCommand::History { last, json } => history(&chamber.history(last as usize).await?, json),
    }
}

async fn say(chamber: &Chamber, proposal: i64, voice: Voice, reason: Option<&str>, as_json: bool) -> Result<()> {
    let state = chamber.say(proposal, voice, reason).await?;
    if as_json {
        return print::json(&json!({ "proposal": proposal, "state": state.as_str() }));
    }
    print::line(&match state {
        State::Open => format!("proposal {proposal}: approved; it waits for somebody else"),
        State::Adopted => format!("proposal {proposal} is approved, and in force from now on"),
        State::Rejected | State::Withdrawn => format!("proposal {proposal} is {}", state.as_str()),
    })
}

fn list(found: &[ProposalRecord], as_json: bool) -> Result<()> {
    if as_json {
        return print::json(&found.iter().map(|record| ProposalShape::new(record, None)).collect::<Vec<_>>());
    }
    if found.is_empty() {
        return print::line("no proposals: `bertillon policy propose FILE --reason TEXT` makes one");
    }
    found.iter().try_for_each(|record| print::line(&in_a_line(record)))
}

fn in_a_line(record: &ProposalRecord) -> String {
    let ProposalRecord { id, kind, name, state, proposed_by, proposed_at, needs, .. } = record;
    let kind = kind.replace('_', " ");
    format!("{id}  {state}  {kind} {:?} by {proposed_by} at {proposed_at}, takes {needs} others", printable(name))
}

async fn show(chamber: &Chamber, proposal: i64, as_json: bool) -> Result<()> {
    let (record, changes) = chamber.show(proposal).await?;
    if as_json {
        return print::json(&ProposalShape::new(&record, Some(&changes)));
    }
    print::line(&in_a_line(&record))?;
    print::line(&format!("sha256 {}\nwhy: {}\nuntil {}", record.sha256, printable(&record.reason), record.expires_at))?;
    for VoiceRecord { person, said, reason, at } in &record.voices {
        let why = reason.as_ref().map(|reason| format!(": {}", printable(reason))).unwrap_or_default();
        print::line(&format!("{said} by {person} at {at}{why}"))?;
    }
    if !changes.is_empty() {
        print::line("against the policy in force:")?;
    }
    changes.iter().try_for_each(|change| print::line(&format!("  {change}")))
}

fn history(versions: &[PolicyVersion], as_json: bool) -> Result<()> {
    if as_json {
        let shape = |version: &PolicyVersion| {
            let PolicyVersion { number, proposal, sha256, body, adopted_at } = version;
            json!({ "number": number, "proposal": proposal, "sha256": sha256, "adopted_at": adopted_at, "file": body })
        };
        return print::json(&versions.iter().map(shape).collect::<Vec<_>>());
    }
    if versions.is_empty() {
        return print::line("no policy was adopted: the built-in one is in force");
    }
    versions.iter().try_for_each(|version| {
        let PolicyVersion { number, proposal, sha256, adopted_at, .. } = version;
        print::line(&format!("{number}  since {adopted_at}, by proposal {proposal}, sha256 {sha256}"))
    })
}

/// A proposal in JSON.
#[derive(Serialize)]
struct ProposalShape<'a> {
    proposal: i64,
    kind: &'a str,
    name: &'a str,
    sha256: &'a str,
    state: &'a str,
    needs: u32,
    proposed_by: &'a str,
    proposed_at: &'a str,
    expires_at: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    voices: Option<Vec<VoiceShape<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

#[derive(Serialize)]
struct VoiceShape<'a> {
    person: &'a str,
    said: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    at: &'a str,
}

impl<'a> ProposalShape<'a> {
    /// In short, or with its changes whole.
    fn new(record: &'a ProposalRecord, changes: Option<&'a [String]>) -> Self {
        let voice = |voice: &'a VoiceRecord| VoiceShape {
            person: &voice.person,
            said: &voice.said,
            reason: voice.reason.as_deref(),
            at: &voice.at,
        };
        Self {
            proposal: record.id,
            kind: &record.kind,
            name: &record.name,
            sha256: &record.sha256,
            state: &record.state,
            needs: record.needs,
            proposed_by: &record.proposed_by,
            proposed_at: &record.proposed_at,
            expires_at: &record.expires_at,
            reason: &record.reason,
            voices: changes.map(|_| record.voices.iter().map(voice).collect()),
            changes,
            file: changes.map(|_| record.body.as_str()),
        }
    }
}
