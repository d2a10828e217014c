//! `bertillon demo`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::base::text::thousands;
use crate::casework::demo::{self, Outcome, Probe};
use crate::casework::demo_people::{self, DemoKey};
use crate::casework::desk::catalogue_of;
use crate::casework::{Desk, enrol};
use crate::cli::as_whom::caller;
use crate::cli::models::{Steps, install_set};
use crate::cli::story::{self, Casework, Cast};
use crate::cli::{desk, print, progress, serve};
use crate::gallery::Access;
use crate::rights::Role;
use crate::settings::Settings;
use crate::vision::install::{Options, install_demo_pictures};

/// A first identification: real pictures from public packages, searched among a million synthetic templates.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Demo {
    /// Another demonstration.
    #[command(subcommand)]
    pub part: Option<Part>,
    /// End after the searches instead of leaving a server running.
    #[arg(long)]
    pub exit: bool,
    /// How many synthetic templates make the crowd.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(0..=20_000_000))]
    pub crowd: u64,
    /// Port of the server that is left running; 0 for any free one.
    #[arg(long)]
    pub port: Option<u16>,
}

/// Another demonstration.
#[derive(Debug, clap::Subcommand)]
pub enum Part {
    /// A case from a still to the erasure of who was found, by the commands that people type.
    Casework(Casework),
}

/// Installs what is lacking, runs the demonstration, prints it, and leaves a server running unless told to end.
///
/// # Errors
/// When models or pictures can't be had, or the data folder is in use.
pub fn run(runtime: &Runtime, settings: Settings, command: &Demo) -> Result<()> {
    let catalogue = catalogue_of(&settings)?;
    let set = catalogue.set(&settings.models.set)?;
    let without_runtime = settings.models.runtime.is_some();
    install_set(&settings, set, &Options { from: None, without_runtime })?;
    if let Some(Part::Casework(casework)) = &command.part {
        let cast = match (&casework.people, &casework.still) {
            (Some(people), Some(still)) => Cast { people: pictures_in(people)?, still: still.clone() },
            _ => public_cast(&installed_pictures(&settings)?),
        };
        return story::tell(&settings, casework, &cast);
    }
    let pictures = installed_pictures(&settings)?;
    runtime.block_on(async {
        let desk = desk(settings, Access::Writer).await?;
        show(&desk, &pictures, command.crowd).await?;
        if command.exit {
            return Ok(());
        }
        show_keys(&desk, &pictures).await?;
        serve::serve(desk).await
    })
}

/// The folder of the public pictures, fetched where they are lacking.
fn installed_pictures(settings: &Settings) -> Result<PathBuf> {
    let pictures = settings.data.folder.join("demo").join("pictures");
    let steps = Steps::default();
    let installed = install_demo_pictures(&pictures, &settings.models_folder(), &steps)?;
    steps.finish();
    for skipped in &installed.skipped {
        eprintln!("left out: {skipped}");
    }
    Ok(pictures)
}

fn public_cast(pictures: &Path) -> Cast {
    let people = demo::REFERENCES.map(|(file, person)| (person.to_owned(), pictures.join(file)));
    Cast { people: people.into(), still: pictures.join("obama3.jpg") }
}

/// The first picture of each subfolder.
fn pictures_in(people: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(people)? {
        let person = entry?;
        let mut files = fs_err::read_dir(person.path())?.map(|file| Ok(file?.path())).collect::<Result<Vec<_>>>()?;
        files.sort_unstable();
        let first = files.into_iter().next();
        let picture = first.with_context(|| format!("{}: no picture there", person.path().display()))?;
        found.push((person.file_name().to_string_lossy().into_owned(), picture));
    }
    Ok(found)
}

async fn show(desk: &Desk, pictures: &Path, crowd: u64) -> Result<()> {
    let begun = Instant::now();
    let bar = progress::bar(crowd, "crowd");
    let shown = bar.clone();
    let drawn: demo::Drawn = Arc::new(move |drawn| shown.set_position(drawn));
    let outcome = demo::run(desk, pictures, crowd, &drawn).await?;
    bar.finish_and_clear();
    print::line(&references_line(&outcome))?;
    print::line(&crowd_line(&outcome))?;
    for probe in &outcome.probes {
        show_probe(probe)?;
    }
    for probe in outcome.probes.iter().filter(|probe| probe.beaten()) {
        print::line(&format!(
            "\n! {}: somebody else stands before the right person although the whole face shows.",
            probe.name
        ))?;
    }
    let sheet = fs_err::canonicalize(&outcome.sheet).unwrap_or_else(|_| outcome.sheet.clone());
    print::line(&format!("\nContact sheet: {}", sheet.display()))?;
    print::line(&format!(
        "Demonstration done in {:.1} s. Candidates are leads for a trained examiner, not evidence of identity.",
        begun.elapsed().as_secs_f64()
    ))
}

/// Nobody can show these again: what is on the screen is all there is of them.
async fn show_keys(desk: &Desk, pictures: &Path) -> Result<()> {
    let Some(keys) = demo_people::keys(desk, &caller()).await? else {
        return print::line("\nThis data folder has users of its own: their keys open the server.");
    };
    print::line("\nKeys of this demonstration, shown once, for a day:")?;
    for DemoKey { name, role, text } in &keys {
        print::line(&format!("  {name:<5} {role:<14} {}", text.reveal()))?;
    }
    let Some(examiner) = keys.iter().find(|key| key.role == Role::Examiner) else { return Ok(()) };
    let server = &desk.settings.server;
    let (scheme, address, picture) = (server.scheme(), server.address(), pictures.join("obama2.jpg"));
    print::line(&format!(
        "\n  curl -H 'Authorization: Bearer {}' \\\n    -F purpose=demonstration -F 'image=@{}' {scheme}://{address}/api/v1/galleries/{}/searches\n",
        examiner.text.reveal(),
        picture.display(),
        demo::GALLERY,
    ))
}

fn references_line(outcome: &Outcome) -> String {
    let names: Vec<String> = outcome
        .enrolled
        .iter()
        .map(|one| {
            let remark = match &one.outcome {
                enrol::Outcome::Enrolled { .. } => "",
                enrol::Outcome::Already { .. } => " (before)",
                enrol::Outcome::Failed { reason } => return format!("{} FAILED: {reason}", one.source),
            };
            format!("{}{remark}", one.subject)
        })
        .collect();
    format!("\nEnrolled: {}.", names.join(", "))
}

fn crowd_line(outcome: &Outcome) -> String {
    let Some(check) = &outcome.crowd else {
        return "No synthetic crowd.".to_owned();
    };
    let synthetic = thousands(outcome.synthetic);
    format!("Among {synthetic} SYNTHETIC templates, drawn with the model's own statistics.\n{}", check.words())
}

fn show_probe(probe: &Probe) -> Result<()> {
    let about = match probe.shows {
        Some(shows) => format!("{shows}: {}", probe.note),
        None => probe.note.to_owned(),
    };
    print::line(&format!("\n== {} ({about})", probe.name))?;
    match &probe.answer {
        Err(reason) => print::line(&format!("   no search: {reason}")),
        Ok(answer) => {
            print::answer(answer)?;
            match (probe.shows, probe.right_person) {
                (None, _) => Ok(()),
                (Some(shows), Some((rank, score))) => {
                    print::line(&format!("-> {shows} has rank {rank} with a score of {score:.4}"))
                }
                (Some(shows), None) => print::line(&format!("-> {shows} is not in the gallery")),
            }
        }
    }
}
