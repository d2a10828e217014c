//! What can be typed. The help text is written for someone who has never seen the program.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::audit::AuditCommand;
use crate::cli::bench::BenchCommand;
use crate::cli::degrade::Degrade;
use crate::cli::demo::Demo;
use crate::cli::disclose::DiscloseCommand;
use crate::cli::enrol::Enrol;
use crate::cli::eval::EvalCommand;
use crate::cli::gallery_args::GalleryCommand;
use crate::cli::key::KeyCommand;
use crate::cli::picture::PictureCommand;
use crate::cli::policy::PolicyCommand;
use crate::cli::probe::ProbeCommand;
use crate::cli::retention::RetentionCommand;
use crate::cli::review::{LeadCommand, ReviewCommand};
use crate::cli::sample::SampleCommand;
use crate::cli::search::Search;
use crate::cli::subject::{HoldCommand, SubjectCommand};
use crate::cli::submission::SubmissionCommand;
use crate::cli::transparency::TransparencyCommand;
use crate::cli::unsolved::UnsolvedCommand;
use crate::cli::user::UserCommand;
use crate::settings::back_end::BackEnd;
use crate::settings::flags::Flags;

/// Face identification for police central identification units: who in a gallery might a picture show?
///
/// Every enrolled template is compared, and the candidates with the highest scores are listed.
/// A candidate is a lead for a trained examiner, never an identification.
///
/// First steps:
///   bertillon models install                 fetch and convert the default models (once)
///   bertillon enrol custody photos/          one subfolder a person, or one file a person
///   bertillon search custody still.jpg       who might this be?
///   bertillon serve                          the same over HTTP, at http://127.0.0.1:8470
#[derive(Debug, Parser)]
#[command(version, verbatim_doc_comment, propagate_version = true)]
pub struct Args {
    /// Settings that every command takes.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Settings that every command takes. `bertillon config` shows what is in force.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Settings (for every command)")]
pub struct Common {
    /// Configuration file; bertillon.toml in the working folder if it is there.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Data folder: galleries, records, models.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Folder of model files; `models` in the data folder when not given.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub models_folder: Option<PathBuf>,
    /// Model set for new galleries.
    #[arg(long, global = true, value_name = "SET")]
    pub model_set: Option<String>,
    /// A catalogue of model sets of your own.
    #[arg(long, global = true, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
    /// ONNX Runtime's library, or its folder.
    #[arg(long, global = true, value_name = "PATH")]
    pub runtime: Option<PathBuf>,
    /// What compares templates: auto, cpu, gpu, or one kernel of the CPU such as cpu-avx2. The answers are the same.
    #[arg(long, global = true)]
    pub back_end: Option<BackEnd>,
    /// Threads that score on the CPU; 0 for one a core.
    #[arg(long, global = true)]
    pub threads: Option<usize>,
    /// Pictures worked on at once; 0 for one a core.
    #[arg(long, global = true)]
    pub vision_threads: Option<usize>,
    /// What to log to standard error: error, warn, info, debug or trace, also by module.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

impl Args {
    /// The settings given as flags.
    #[must_use]
    pub fn flags(&self) -> Flags {
        let common = self.common.clone();
        let (candidates, bind, port, workers) = match &self.command {
            Command::Search(search) => (search.top, None, None, None),
            Command::Serve(serve) => (None, serve.bind, serve.port, serve.workers),
            Command::Demo(demo) => (None, None, demo.port, None),
            Command::Enrol(_)
            | Command::Gallery(_)
            | Command::Jobs(_)
            | Command::Audit(_)
            | Command::User(_)
            | Command::Key(_)
            | Command::Picture(_)
            | Command::Probe(_)
            | Command::Policy(_)
            | Command::Submission(_)
            | Command::Unsolved(_)
            | Command::Review(_)
            | Command::Lead(_)
            | Command::Subject(_)
            | Command::Hold(_)
            | Command::Sample(_)
            | Command::Disclose(_)
            | Command::Retention(_)
            | Command::Transparency(_)
            | Command::Models(_)
            | Command::Bench(_)
            | Command::Eval(_)
            | Command::Degrade(_)
            | Command::Config(_) => (None, None, None, None),
        };
        Flags {
            data: common.data,
            models_folder: common.models_folder,
            model_set: common.model_set,
            catalogue: common.catalogue,
            runtime: common.runtime,
            back_end: common.back_end,
            threads: common.threads,
            candidates,
            bind,
            port,
            workers,
            vision_threads: common.vision_threads,
            log: common.log,
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Enrol a folder of pictures of known people.
    Enrol(Enrol),
    /// Search a gallery for the person in a picture.
    Search(Box<Search>),
    /// Answer over HTTP until stopped.
    Serve(Serve),
    /// Make, list, show and erase galleries.
    #[command(subcommand)]
    Gallery(GalleryCommand),
    /// Install, list and verify models.
    #[command(subcommand)]
    Models(ModelsCommand),
    /// A first identification with real pictures among a million synthetic templates, then a server.
    Demo(Demo),
    /// Follow, list and cancel what the server does in the background.
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Show, check and export who did what.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Add users, give them roles, lock them, let them go.
    #[command(subcommand)]
    User(UserCommand),
    /// Make, list, replace and end the keys by which programs act for users.
    #[command(subcommand)]
    Key(KeyCommand),
    /// List kept pictures of references, and give one out.
    #[command(subcommand)]
    Picture(PictureCommand),
    /// List, give out, edit and erase pictures that were searched with.
    #[command(subcommand)]
    Probe(ProbeCommand),
    /// Show, check and compare policies: who may search what for what.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Hand stills in, see what became of them, and work on those of others.
    #[command(subcommand)]
    Submission(SubmissionCommand),
    /// List searches that led to nobody, and make them anew.
    #[command(subcommand)]
    Unsolved(UnsolvedCommand),
    /// Review candidate lists: two people make a lead.
    #[command(subcommand)]
    Review(ReviewCommand),
    /// List leads, and say what came of them.
    #[command(subcommand)]
    Lead(LeadCommand),
    /// Show subjects and their images, merge, split, restrict them.
    #[command(subcommand)]
    Subject(SubjectCommand),
    /// Order that a subject is not erased.
    #[command(subcommand)]
    Hold(HoldCommand),
    /// Have work drawn by chance and looked at again.
    #[command(subcommand)]
    Sample(SampleCommand),
    /// Make and check packs of searches for people outside.
    #[command(subcommand)]
    Disclose(DiscloseCommand),
    /// Count what was done, to be published.
    Transparency(TransparencyCommand),
    /// List what is due, decide about it, erase it, and show deletion certificates.
    #[command(subcommand)]
    Retention(RetentionCommand),
    /// Measure this machine's speed, on synthetic templates.
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Measure identification accuracy, and make operating points of what was found.
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Make pictures poor, for measuring what that costs.
    Degrade(Degrade),
    /// Show the settings in force.
    Config(ConfigArgs),
}

impl Command {
    /// Whether it asks for the key of whoever types, or opens no data folder.
    #[must_use]
    pub fn takes_key(&self) -> bool {
        !matches!(
            self,
            Self::Enrol(_)
                | Self::Gallery(_)
                | Self::Jobs(_)
                | Self::User(_)
                | Self::Key(_)
                | Self::Picture(_)
                | Self::Probe(_)
                | Self::Serve(_)
        )
    }

    /// What the audit log calls a command that reads or changes what is in a data folder.
    #[must_use]
    pub fn recorded_as(&self) -> Option<&'static str> {
        match self {
            Self::Enrol(_) => Some("enrol"),
            Self::Search(_) => Some("search"),
            Self::Gallery(_) => Some("gallery"),
            Self::Jobs(_) => Some("jobs"),
            Self::Audit(_) => Some("audit"),
            Self::User(_) => Some("user"),
            Self::Key(_) => Some("key"),
            Self::Picture(_) => Some("picture"),
            Self::Probe(_) => Some("probe"),
            Self::Submission(command) => command.is_recorded().then_some("submission"),
            Self::Unsolved(_) => Some("unsolved"),
            Self::Review(_) => Some("review"),
            Self::Lead(_) => Some("lead"),
            Self::Subject(_) => Some("subject"),
            Self::Hold(_) => Some("hold"),
            Self::Sample(_) => Some("sample"),
            Self::Disclose(_) => Some("disclose"),
            Self::Transparency(_) => Some("transparency"),
            Self::Retention(command) => command.is_recorded().then_some("retention"),
            Self::Serve(_)
            | Self::Demo(_)
            | Self::Models(_)
            | Self::Policy(_)
            | Self::Bench(_)
            | Self::Eval(_)
            | Self::Degrade(_)
            | Self::Config(_) => None,
        }
    }
}

/// Answer over HTTP until stopped. API description at /api/v1/openapi.json, to be browsed at /api/docs/.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Address to listen on. Beyond this machine it takes a certificate (`server.certificate`), or a proxy in front.
    #[arg(long, value_name = "ADDRESS")]
    pub bind: Option<IpAddr>,
    /// Port; 0 for any free one.
    #[arg(long)]
    pub port: Option<u16>,
    /// Threads that talk to clients; 0 for one a core.
    #[arg(long)]
    pub workers: Option<usize>,
}

/// Jobs: long work that the server does in the background.
#[derive(Debug, Subcommand)]
pub enum JobsCommand {
    /// List jobs, newest first.
    List {
        /// How many.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1100))]
        last: u32,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one job.
    Show {
        /// Its number.
        job: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show how far a job is until it ends. Ctrl-C ends the showing, not the job.
    Follow {
        /// Its number.
        job: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a job. An import leaves nothing, graphs that were finished stay.
    Cancel {
        /// Its number.
        job: i64,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Install, list and verify models.
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Fetch, check and convert a model set and ONNX Runtime's library. What is done already is skipped.
    Install {
        /// The set; the default set when not given.
        set: Option<String>,
        /// Folder with model files that can't be fetched (sets with local files).
        #[arg(long, value_name = "FOLDER")]
        from: Option<PathBuf>,
    },
    /// Every model set of the catalogue, and whether it is installed.
    List {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check every file of a set against its size and hash.
    Verify {
        /// The set; the default set when not given.
        set: Option<String>,
    },
}

/// Show the settings in force.
#[derive(Debug, clap::Args)]
pub struct ConfigArgs {
    /// Print a commented file with every setting and its default instead.
    #[arg(long)]
    pub template: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn flags_reach_the_settings() {
        let args =
            Args::parse_from(["bertillon", "search", "g", "a.jpg", "--top", "5", "--data", "d", "--back-end", "cpu"]);
        let flags = args.flags();
        assert_eq!((flags.candidates, flags.data, flags.back_end), (Some(5), Some("d".into()), Some(BackEnd::Cpu)));
        assert!(Args::try_parse_from(["bertillon", "search", "Bad Name", "a.jpg"]).is_err());
        assert!(Args::try_parse_from(["bertillon", "gallery", "erase", "g"]).is_err());
    }
}
