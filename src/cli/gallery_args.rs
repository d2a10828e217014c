//! What can be typed about galleries.

use std::path::PathBuf;

use clap::Subcommand;

use crate::base::ids::{GalleryName, SubjectRef};
use crate::settings::storage::Storage;

/// Make, list, show and erase galleries.
#[derive(Debug, Subcommand)]
pub enum GalleryCommand {
    /// Make an empty gallery for the templates of one model set.
    Create {
        /// Its name: a-z, 0-9, '-' and '_'.
        gallery: GalleryName,
        /// What it is for.
        #[arg(long, default_value = "not stated")]
        purpose: String,
        /// How templates are kept: f32 as the model made them, f16 rounded, in half of the memory.
        #[arg(long, default_value = "f32", value_parser = ["f32", "f16"])]
        originals: String,
        /// How templates lie on disk: mapped, plain files for an encrypted disk; sealed, under a key of the gallery, open in
        /// locked memory while in use. Searches find the same. Not said: as the settings say (encryption.segments).
        #[arg(long, value_name = "mapped|sealed")]
        segments: Option<Storage>,
    },
    /// One line a gallery.
    List {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// All about one gallery.
    Show {
        /// Which.
        gallery: GalleryName,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Import templates that another system made: a .npy file of them, and a CSV file of whose they are.
    ///
    /// The templates must come from the very model set of the gallery: nothing in a template shows that, so whoever imports
    /// vouches for it by naming the set with --model. Templates are scaled to length 1; one that is zero or not finite is
    /// refused with its row, from 0. All of it is imported or nothing, also when it is stopped. Nobody is recognised: what
    /// is imported twice is there twice. Where a server has the data folder, it does the work in the background: searches
    /// go on, other changes of the gallery are refused until it is done.
    Import {
        /// Into which gallery; `gallery create` makes one.
        gallery: GalleryName,
        /// Templates, a row each: two dimensions, C order, little-endian f32 or f16, as many columns as the gallery's numbers.
        #[arg(long, value_name = "FILE.npy")]
        templates: PathBuf,
        /// Row n says whose template n is. Columns: `subject`, perhaps `source`; any other column is kept as an attribute
        /// of that name (capture_year, disposal), by which searches can be restricted.
        #[arg(long, value_name = "FILE.csv")]
        subjects: PathBuf,
        /// The model set that made the templates.
        #[arg(long, value_name = "SET")]
        model: String,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read every byte of a gallery, compare checksums, and compare its files with the records.
    ///
    /// Works beside a running server; erasures wait until it is done.
    Verify {
        /// Which.
        gallery: GalleryName,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Merge small segments and drop erased rows. A server does this by itself, as far as it is worth while.
    Compact {
        /// Which.
        gallery: GalleryName,
        /// Rewrite every segment that has an erased row, not only those with many.
        #[arg(long)]
        all: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy a gallery with its references into a new folder, while it is in use.
    ///
    /// Nothing in the copy was erased before it was taken. Records of searches are not in it: they are the data folder's.
    Backup {
        /// Which.
        gallery: GalleryName,
        /// Folder to make.
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a copy made by `gallery backup` back in, here or by the server that has the data folder.
    ///
    /// Every file is checked first. A gallery that is there already is never replaced: give the copy another name. What
    /// this data folder knows to have been erased from the gallery since is erased in the copy too; erasures that it does
    /// not know of must be repeated.
    Restore {
        /// The folder of the copy.
        folder: PathBuf,
        /// Name for the gallery, if not its old one.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<GalleryName>,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Physically erase one subject's templates, or one template. There is no way back.
    Erase {
        /// From which gallery.
        gallery: GalleryName,
        /// All templates of this subject.
        #[arg(long, required_unless_present = "template", conflicts_with = "template")]
        subject: Option<SubjectRef>,
        /// The template with this id.
        #[arg(long)]
        template: Option<u64>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Build graphs for approximate searches, one a segment, and audit their recall. Exact searches need none.
    ///
    /// Where a server has the data folder, it does the work in the background; searches go on, exact ones at once. From then
    /// on it keeps graphs up: large segments that are sealed, merged or compacted get theirs by themselves.
    Index {
        /// Which gallery.
        gallery: GalleryName,
        /// Neighbours of a template in the graph; twice as many on the lowest level.
        #[arg(long, default_value_t = 16)]
        m: usize,
        /// Templates kept in view while one is added: more takes longer and finds more.
        #[arg(long, value_name = "N", default_value_t = 128)]
        ef_construction: usize,
        /// Probes of the recall audit at each of three difficulties.
        #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
        audit_probes: u32,
        /// Build graphs again that are there already.
        #[arg(long)]
        again: bool,
        /// Build them now, and keep none up from now on.
        #[arg(long)]
        once: bool,
        /// Build none, and keep none up from now on; those there are stay in use. So does cancelling the job.
        #[arg(long, conflicts_with_all = ["again", "once", "json"])]
        off: bool,
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Measure how the gallery's model spreads faces, for synthetic crowds: needs at least 50 real people.
    Statistics {
        /// Which.
        gallery: GalleryName,
        /// Where the pictures came from, kept in the file.
        #[arg(long)]
        source: String,
        /// File to write.
        #[arg(long, value_name = "FILE.json")]
        out: PathBuf,
    },
}
