//! `bertillon policy`. `check` and `diff` look at files only: no data folder is opened, and nothing is told to the audit log.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::audit::{Happening, Kind};
use crate::base::hex;
use crate::casework::governing::in_force;
use crate::casework::{CaseworkError, Desk};
use crate::cli::as_whom::person;
use crate::cli::print;
use crate::cli::proposal::{self, ProposalCommand};
use crate::gallery::{Access, GalleryError};
use crate::policy::idle::Idle;
use crate::policy::parse::BUILTIN as BUILTIN_TEXT;
use crate::policy::{GalleryPeriods, Policy, Weight};
use crate::settings::Settings;

/// What stands for the built-in policy where a file can be named.
const BUILTIN: &str = "builtin";

/// The rules as data: who may search what for what, what must be stated, how long things are kept, what takes two people.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show the policy in force, or a file.
    Show {
        /// The file; `builtin` for the built-in policy.
        file: Option<PathBuf>,
        /// Print a whole file, to begin one of your own with.
        #[arg(long, conflicts_with = "json")]
        toml: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check a file: every contradiction with its place, and what should be known before it is adopted.
    Check {
        /// The file.
        file: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// What is otherwise in another policy, in words. `builtin` stands for the built-in one.
    Diff {
        /// The policy of before.
        before: PathBuf,
        /// The other.
        after: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// What is proposed, and comes into force when others approve it.
    #[command(flatten)]
    Proposal(ProposalCommand),
}

/// Carries out one of the policy commands.
///
/// # Errors
/// When a file is no policy, for `check` when it contradicts itself, and when a proposal is refused.
pub async fn run(settings: Settings, command: PolicyCommand) -> Result<()> {
    match command {
        PolicyCommand::Show { file: None, toml, json } => show_in_force(settings, toml, json).await,
        PolicyCommand::Show { file: Some(file), toml, json } => {
            let policy = named(&file)?;
            let text = if file == Path::new(BUILTIN) { BUILTIN_TEXT.to_owned() } else { toml_of(&policy)? };
            show(&policy, &text, toml, json)
        }
        PolicyCommand::Check { file, json } => check(&file, json),
        PolicyCommand::Proposal(command) => proposal::run(settings, command).await,
        PolicyCommand::Diff { before, after, json } => {
            let (before, after) = (named(&before)?, named(&after)?);
            let changes = before.changes_to(&after).map_err(anyhow::Error::msg)?;
            if json {
                let shown = json!({ "before": hash(&before)?, "after": hash(&after)?, "changes": changes });
                return print::json(&shown);
            }
            match changes.as_slice() {
                [] => print::line("both say the same"),
                some => print::line(&some.join("\n")),
            }
        }
    }
}

/// The policy in force where there is a data folder; where there is none yet, the built-in one will be.
async fn show_in_force(settings: Settings, toml: bool, json: bool) -> Result<()> {
    let desk = match Desk::open(settings, Access::Reader).await {
        Err(CaseworkError::Gallery(GalleryError::NoData(_))) => {
            return show(&Policy::builtin()?, BUILTIN_TEXT, toml, json);
        }
        opened => opened?,
    };
    let now = in_force(&desk.vault).await?;
    desk.vault.acting_for(&person(&desk).await?).tell(&Happening::new(Kind::PolicyRead)).await?;
    let text = if now.number == 0 { BUILTIN_TEXT.to_owned() } else { toml_of(&now.policy)? };
    show(&now.policy, &text, toml, json)
}

fn show(policy: &Policy, text: &str, toml: bool, json: bool) -> Result<()> {
    if toml {
        return print::line(text.trim_end());
    }
    if json {
        return print::json(
            &json!({ "sha256": hash(policy)?, "policy": policy, "not_acted_upon": policy.not_acted_upon() }),
        );
    }
    print::line(&in_words(policy)?)
}

fn check(file: &Path, as_json: bool) -> Result<()> {
    let policy = Policy::read(file)?;
    let findings = policy.check();
    let wrong = findings.iter().filter(|finding| finding.weight == Weight::Contradiction).count();
    if as_json {
        let shown = |weight| -> Vec<Value> {
            let some = findings.iter().filter(|finding| finding.weight == weight);
            some.map(|finding| json!({ "place": finding.place, "what": finding.what })).collect()
        };
        let (contradictions, remarks) = (shown(Weight::Contradiction), shown(Weight::Remark));
        let (sha256, idle) = (hash(&policy)?, policy.not_acted_upon());
        let shown =
            json!({ "sha256": sha256, "contradictions": contradictions, "remarks": remarks, "not_acted_upon": idle });
        print::json(&shown)?;
    } else {
        for finding in &findings {
            match finding.weight {
                Weight::Contradiction => print::line(&format!("contradiction  {finding}"))?,
                Weight::Remark => print::line(&format!("remark         {finding}"))?,
            }
        }
        for Idle { place, what } in policy.not_acted_upon() {
            print::line(&format!("not acted upon by this release: {place}: {what}"))?;
        }
    }
    if wrong > 0 {
        bail!("{}: {wrong} contradictions: such a policy can't be adopted", file.display());
    }
    if !as_json {
        print::line(&format!("{}: it does not contradict itself; sha256 {}", file.display(), hash(&policy)?))?;
    }
    Ok(())
}

/// The policy in a file, or the built-in one.
fn named(path: &Path) -> Result<Policy> {
    if path == Path::new(BUILTIN) && !path.exists() {
        return Ok(Policy::builtin()?);
    }
    Ok(Policy::read(path)?.consistent(&path.display().to_string())?)
}

fn hash(policy: &Policy) -> Result<String> {
    Ok(hex::encode(&policy.sha256().map_err(anyhow::Error::msg)?))
}

fn toml_of(policy: &Policy) -> Result<String> {
    Ok(toml::to_string(policy)?)
}

fn in_words(policy: &Policy) -> Result<String> {
    let mut text = format!(
        "{}\nsha256 {}\n\npurpose, and the galleries it may search from which seriousness on\n",
        policy.name,
        hash(policy)?
    );
    for (name, purpose) in &policy.purposes {
        let galleries: Vec<String> =
            purpose.galleries.iter().map(|(gallery, least)| format!("{gallery} ({least})")).collect();
        let roles = purpose.roles.as_ref().map_or_else(
            || "whoever is shown lists".to_owned(),
            |roles| roles.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "),
        );
        let fields = purpose.require.as_ref().unwrap_or(&policy.require.search);
        let fields: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
        let (galleries, fields) = (galleries.join(", "), fields.join(", "));
        write!(text, "  {name}: {galleries}\n      by {roles}; states {fields}\n")?;
    }
    let lists: Vec<String> = policy.lists.iter().map(|(role, length)| format!("{} {length}", role.as_str())).collect();
    writeln!(text, "\nlongest lists, in people: {}", lists.join(", "))?;
    let review = &policy.review;
    let blind: Vec<&str> = [("score", review.blind_score), ("rank", review.blind_rank), ("name", review.blind_name)]
        .into_iter()
        .filter_map(|(name, blind)| blind.then_some(name))
        .collect();
    let blind = if blind.is_empty() { "nothing".to_owned() } else { blind.join(", ") };
    writeln!(
        text,
        "review: hidden until one has decided: {blind}; of decisions that name nobody {} of 100 go to a second person; a \
         claim holds {} minutes\na lead takes two people: that is no setting",
        review.negatives_percent, review.claim_minutes
    )?;
    writeln!(text, "\nhow long images of subjects are kept, by gallery (docs/SUBJECTS.md)")?;
    for (gallery, periods) in &policy.retention.galleries {
        let GalleryPeriods { convicted, not_convicted, under18, undecided, review_groups, grace } = periods;
        let groups: Vec<String> = review_groups.iter().map(|(group, period)| format!("{group}: {period}")).collect();
        writeln!(
            text,
            "  {gallery}: convicted {convicted}, not convicted {not_convicted}, under 18 {under18}, no outcome yet {undecided}, \
             review groups {}; then {grace} until it goes",
            groups.join(", ")
        )?;
    }
    writeln!(text, "\nsaid, and not acted upon by this release")?;
    for Idle { place, what } in policy.not_acted_upon() {
        writeln!(text, "  {place}: {what}")?;
    }
    write!(text, "\nthe whole of it: --toml or --json")?;
    Ok(text)
}
