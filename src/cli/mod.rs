//! The command line: reads flags, calls casework, prints. `--json` prints the API's shapes; progress and remarks go to
//! standard error, answers to standard output.

pub mod args;
pub mod as_whom;
pub mod audit;
pub mod bench;
pub mod degrade;
pub mod demo;
pub mod disclose;
pub mod enrol;
pub mod eval;
pub mod gallery;
pub mod gallery_args;
pub mod jobs;
pub mod key;
pub mod models;
pub mod picture;
pub mod policy;
pub mod print;
pub mod probe;
pub mod progress;
mod proposal;
pub mod retention;
pub mod review;
pub mod sample;
pub mod search;
pub mod second_factor;
pub mod secret;
pub mod serve;
pub mod sso;
mod story;
pub mod subject;
mod subject_shapes;
pub mod submission;
pub mod transparency;
pub mod unsolved;
pub mod upkeep;
pub mod user;

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{CommandFactory, FromArgMatches};

use crate::base::program::Program;
use crate::casework::{CaseworkError, Desk};
use crate::cli::args::{Args, Command};
use crate::gallery::{Access, GalleryError};
use crate::settings::Settings;

/// How long work that nobody waits for may hold up the end of the process.
const LAST_WORK: Duration = Duration::from_secs(2);
/// The filter that nobody chose.
const DEFAULT_FILTER: &str = "info";

/// Runs the command that the process was called with. `commit` is what the program was built from, where the build was told.
///
/// # Errors
/// Whatever stopped it, for the person at the terminal.
pub fn run(commit: Option<&'static str>) -> Result<()> {
    let program = Program::new(commit);
    // Once a process: the parser keeps texts that live as long as it does.
    let matches = Args::command().version(&*program.version_line().leak()).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let folder = std::env::current_dir().context("the working folder can't be read")?;
    let loaded = Settings::load(args.common.config.as_deref(), &folder, args.flags())?;
    let quiet = args.common.log.is_none() && !matches!(args.command, Command::Serve(_));
    start_log(&loaded.settings, quiet);
    let settings = loaded.settings;
    let (recorded, again) = (args.command.recorded_as(), settings.clone());
    if !args.command.takes_key() {
        as_whom::refuse_key()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = match args.command {
        Command::Config(config) => print::config(&settings, config.template),
        Command::Models(command) => models::run(&settings, command),
        Command::Enrol(enrol) => runtime.block_on(enrol::run(settings, enrol)),
        Command::Search(search) => runtime.block_on(search::run(settings, *search)),
        Command::Gallery(command) => runtime.block_on(gallery::run(settings, command)),
        Command::Serve(_) => runtime.block_on(serve::run(settings)),
        Command::Audit(command) => runtime.block_on(audit::run(settings, command)),
        Command::User(command) => runtime.block_on(user::run(settings, command)),
        Command::Key(command) => runtime.block_on(key::run(settings, command)),
        Command::Picture(command) => runtime.block_on(picture::run(settings, command)),
        Command::Probe(command) => runtime.block_on(probe::run(settings, command)),
        Command::Policy(command) => runtime.block_on(policy::run(settings, command)),
        Command::Review(command) => runtime.block_on(review::run(settings, command)),
        Command::Lead(command) => runtime.block_on(review::run_lead(settings, command)),
        Command::Subject(command) => runtime.block_on(subject::run(settings, command)),
        Command::Retention(command) => runtime.block_on(retention::run(settings, command)),
        Command::Submission(command) => runtime.block_on(submission::run(settings, command)),
        Command::Unsolved(command) => runtime.block_on(unsolved::run(settings, command)),
        Command::Hold(command) => runtime.block_on(subject::run_hold(settings, command)),
        Command::Sample(command) => runtime.block_on(sample::run(settings, command)),
        Command::Disclose(command) => runtime.block_on(disclose::run(settings, command, program)),
        Command::Transparency(command) => runtime.block_on(transparency::run(settings, command)),
        Command::Jobs(command) => runtime.block_on(jobs::run(settings, command)),
        Command::Bench(command) => runtime.block_on(bench::run(settings, command)),
        Command::Eval(command) => runtime.block_on(eval::run(settings, command, program)),
        Command::Degrade(degrade) => degrade::run(&degrade),
        Command::Demo(demo) => demo::run(&runtime, settings, &demo),
    };
    if let (Err(_), Some(word)) = (&done, recorded) {
        runtime.block_on(as_whom::told_of_refusal(&again, word));
    }
    // What still runs on blocking threads has no reader any more; a picture under way must not hold up the end.
    runtime.shutdown_timeout(LAST_WORK);
    done
}

/// Opens the desk for a command that changes something, or beside a running server for one that only reads.
async fn desk(settings: Settings, access: Access) -> Result<Arc<Desk>> {
    Ok(Arc::new(Desk::open(settings, access).await?))
}

/// Opens the desk for who changes users and keys: beside a server, and in a data folder that is only being made.
async fn desk_of_people(settings: Settings) -> Result<Arc<Desk>> {
    match Desk::open(settings.clone(), Access::Reader).await {
        Err(CaseworkError::Gallery(GalleryError::NoData(_))) => desk(settings, Access::Writer).await,
        opened => Ok(Arc::new(opened?)),
    }
}

/// Logs go to standard error. A person at the terminal sees warnings; `--log`, the environment or the file say more.
fn start_log(settings: &Settings, quiet: bool) {
    let filter = if quiet && settings.log.filter == DEFAULT_FILTER { "warn" } else { &settings.log.filter };
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(filter);
    // A second subscriber in one process (tests) changes nothing and is no reason to stop.
    drop(
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
    );
}
