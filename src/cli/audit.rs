//! `bertillon audit`.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::audit::{Event, Hash, Kind};
use crate::base::text::thousands;
use crate::casework::audit::{self, Verdict, reading};
use crate::cli::as_whom::person;
use crate::cli::{desk, print, progress};
use crate::crypto::PublicKey;
use crate::gallery::Access;
use crate::records::EventFilter;
use crate::settings::Settings;

/// The audit log: who did what, when, to what, in a chain of hashes with signed checkpoints.
///
/// With BERTILLON_KEY, the key of a user, they need the permission audit.read, which auditors have.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show events, newest first.
    Show {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=2_000))]
        last: u32,
        /// Only of this kind, such as `search.run`.
        #[arg(long, value_name = "KIND", value_parser = kind)]
        kind: Option<Kind>,
        /// Only about this, such as `search:17`, `template:5` or `job:3`.
        #[arg(long, value_name = "OBJECT")]
        object: Option<String>,
        /// Only events before this number: the last of the page before.
        #[arg(long, value_name = "SEQ")]
        before: Option<u64>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check every event and every checkpoint, and name the first that is not as it was written.
    ///
    /// Checked by the public key of the data folder. Whoever could change the log could exchange that key too: give one that
    /// you kept elsewhere with --key, and checkpoints that you kept elsewhere with --anchor.
    Verify {
        /// The public key, 64 hexadecimal digits.
        #[arg(long, value_name = "KEY", value_parser = PublicKey::parse)]
        key: Option<PublicKey>,
        /// A copy of an earlier audit/checkpoints.log, or checkpoints.jsonl of an export: nothing that it knows of may be missing.
        #[arg(long, value_name = "FILE")]
        anchor: Option<PathBuf>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Sign how far the log is. A server does it every minute and when it stops.
    Checkpoint {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the log to a new folder, for others to check (docs/AUDIT_FORMAT.md says how).
    Export {
        /// The folder.
        to: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = || Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
    Kind::parse(text).ok_or_else(|| format!("kinds are {}", known()))
}

/// Carries out one of the audit commands.
///
/// # Errors
/// When there is no data folder, and for `verify` when the log is not as it was written.
pub async fn run(settings: Settings, command: AuditCommand) -> Result<()> {
    match command {
        AuditCommand::Show { last, kind, object, before, json } => {
            show(settings, EventFilter { kind, object }, (before, last as usize), json).await
        }
        AuditCommand::Verify { key, anchor, json } => {
            let desk = desk(settings, Access::Reader).await?;
            let by = person(&desk).await?;
            let bar = progress::bar(0, "checking");
            let moved = |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            };
            let verdict = audit::verify(&desk, &by, (key, anchor.as_deref()), moved).await;
            bar.finish_and_clear();
            say(&verdict?, json)
        }
        AuditCommand::Checkpoint { json } => {
            let desk = desk(settings, Access::Reader).await?;
            reading::may(&person(&desk).await?)?;
            let sealed = audit::seal(&desk).await?;
            match sealed {
                _ if json => print::json(&json!({ "sealed_through": sealed })),
                Some(seq) => print::line(&format!("sealed up to event {}", thousands(seq))),
                None => print::line("nothing was added since the last checkpoint"),
            }
        }
        AuditCommand::Export { to, json } => {
            let desk = desk(settings, Access::Reader).await?;
            let by = person(&desk).await?;
            let bar = progress::bar(0, "writing");
            let moved = |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            };
            let made = audit::export(&desk, &by, &to, moved).await;
            bar.finish_and_clear();
            let made = made?;
            if json {
                return print::json(&made);
            }
            let (events, checkpoints) = (thousands(made.events), thousands(made.checkpoints));
            print::line(&format!("{events} events and {checkpoints} checkpoints are in {}", made.folder.display()))
        }
    }
}

async fn show(
    settings: Settings,
    filter: EventFilter,
    (before, last): (Option<u64>, usize),
    as_json: bool,
) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    let found = reading::read(&desk, &person(&desk).await?, &filter, before, last).await?;
    if as_json {
        let bodies: Vec<Value> =
            found.iter().map(|event| serde_json::from_str(&event.body)).collect::<Result<_, _>>()?;
        return print::json(&bodies);
    }
    if found.is_empty() {
        return print::line("no such events");
    }
    for event in found {
        let as_written = Hash::of_event(&event.body).to_string() == event.hash;
        match serde_json::from_str::<Event>(&event.body) {
            Ok(event) if as_written => print::line(&in_a_line(&event))?,
            _changed => print::line(&format!("{:>8}  not as it was written: `bertillon audit verify`", event.seq))?,
        }
    }
    Ok(())
}

fn in_a_line(event: &Event) -> String {
    let Event { seq, at, kind, gallery, objects, actor, origin, outcome, .. } = event;
    let outcome = match outcome {
        crate::audit::Outcome::Ok => "",
        crate::audit::Outcome::Refused => "  refused",
        crate::audit::Outcome::Failed => "  failed",
    };
    let mut about: Vec<&str> = objects.iter().take(4).map(String::as_str).collect();
    if objects.len() > about.len() {
        about.push("...");
    }
    let about = about.join(" ");
    format!("{seq:>8}  {at}  {kind:<20} {gallery} {about}{outcome}  ({actor}, {origin})")
}

fn say(verdict: &Verdict, as_json: bool) -> Result<()> {
    if as_json {
        print::json(verdict)?;
    }
    let Verdict { events, sealed_through, checkpoints, key, fault, .. } = verdict;
    if let Some(fault) = fault {
        bail!("the audit log is not as it was written. Event {}: {}", thousands(fault.seq), fault.what);
    }
    if as_json {
        return Ok(());
    }
    print::line(&format!("{} events follow each other as they were written", thousands(*events)))?;
    match key {
        Some(key) => print::line(&format!(
            "{} signed checkpoints agree, the last at event {}, by the key {key}",
            thousands(*checkpoints),
            thousands(*sealed_through)
        ))?,
        None if verdict.checkpoints_missing => print::line(
            "NO CHECKPOINT IS THERE, though there is a key that signs for this log: they were taken away. Check with --anchor and a \
             copy of them that was kept elsewhere",
        )?,
        None => print::line("no checkpoint was signed yet: `bertillon audit checkpoint`, or a server, signs one")?,
    }
    let open = events - sealed_through;
    if open > 0 {
        print::line(&format!("{} events since are chained, and not signed yet", thousands(open)))?;
    }
    Ok(())
}
