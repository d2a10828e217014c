//! `bertillon demo casework`: a case from a still to the erasure of who was found, told by the commands that people type. Each is this
//! program in a process of its own, by the key of who acts; whatever ends otherwise than it must stops the story.

mod casework;
mod stage;

use std::path::PathBuf;

use anyhow::Result;

use crate::settings::Settings;
use stage::Stage;

/// A case from a still to the erasure of who was found: each command, by whom, and what it says.
///
/// A shop's still and its receipt, searching, deciding by three people, the lead, a disclosure pack that is checked elsewhere, a legal hold, erasure with its
/// certificate, a search that is made anew, a dip sample, and an audit log in which one changed byte is found.
#[derive(Debug, clap::Args)]
pub struct Casework {
    /// Where it takes place: a new folder, which stays, to look around in.
    #[arg(long, value_name = "FOLDER", default_value = "demo-casework")]
    pub folder: PathBuf,
    /// People of your own in the place of the public pictures: a subfolder each.
    #[arg(long, value_name = "FOLDER", requires = "still")]
    pub people: Option<PathBuf>,
    /// A picture of one of them that is in no subfolder.
    #[arg(long, value_name = "IMAGE", requires = "people")]
    pub still: Option<PathBuf>,
}

/// Whom the story has for its pictures: who is enrolled, and the still.
pub(super) struct Cast {
    /// A picture each, by the person's name.
    pub(super) people: Vec<(String, PathBuf)>,
    /// The still.
    pub(super) still: PathBuf,
}

/// Tells the story.
///
/// # Errors
/// When the folder is there already, or something ends otherwise than it must.
pub(super) fn tell(settings: &Settings, command: &Casework, cast: &Cast) -> Result<()> {
    let stage = Stage::new(settings, &command.folder)?;
    casework::play(stage, cast)
}
