//! What can go wrong with a gallery, in words that tell what to do.

use std::path::PathBuf;

use crate::base::ids::{GalleryName, TemplateId};
use crate::graph::GraphError;
use crate::keys::KeyError;
use crate::pictures::PictureError;
use crate::records::{AttributeError, RecordsError};
use crate::segment::SegmentError;
use crate::store::StoreError;

/// What can go wrong with a data folder or a gallery.
#[derive(Debug, thiserror::Error)]
pub enum GalleryError {
    /// A file could not be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A segment is not what it should be.
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// A graph could not be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The records refused.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// A key under which pictures lie.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A kept picture.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// No picture was kept, or it is erased.
    #[error("gallery {gallery} keeps no picture of template {template}")]
    NoPicture {
        /// Which gallery.
        gallery: GalleryName,
        /// Which template.
        template: TemplateId,
    },
    /// A gallery of which no picture was ever kept, or whose key was destroyed.
    #[error("gallery {0} has no key: no picture is kept of it")]
    NoKey(GalleryName),
    /// A sealed gallery whose key can't be had.
    #[error("gallery {gallery} is sealed, and its key can't be had: {why}")]
    Sealed {
        /// Which gallery.
        gallery: GalleryName,
        /// Why not.
        why: KeyError,
    },
    /// A sealed gallery whose key was destroyed.
    #[error("the key of gallery {0} was destroyed: its templates can't be read any more, by anybody")]
    KeyGone(GalleryName),
    /// A gallery that was to be sealed, without a master key elsewhere.
    #[error(
        "gallery {0} can't be sealed: its key would lie under a master key that lies beside it in the data folder. Say in the settings where the master key is (encryption.master_key: file:PATH, env:NAME or command:PROGRAM ARGS; `bertillon key rotate-master --to WHERE` moves one that is in use), or make a mapped gallery on an encrypted disk"
    )]
    NoMasterKey(GalleryName),
    /// No such probe image, or it is erased.
    #[error("no picture of probe {0}, or of that edit, is kept: `bertillon probe list` shows those there are")]
    NoProbe(i64),
    /// No such submission or picture of one, or it is erased.
    #[error(
        "submission {0} is not there, has no such picture, or is erased: `bertillon submission list` shows those there are"
    )]
    NoSubmission(i64),
    /// Probe images whose time is over, and that are there still.
    #[error(
        "{erased} probe images were erased, and {left} could not be, the first of them probe {probe}: {why}. Mend that, then `bertillon probe erase --expired`"
    )]
    ProbesLeft {
        /// How many are gone.
        erased: u64,
        /// How many are not.
        left: u64,
        /// The first of these.
        probe: i64,
        /// Why it is not.
        why: Box<GalleryError>,
    },
    /// Another process writes here.
    #[error("{path} is in use by {}: {}", holder_text(*.holder, .address.as_deref()), advice(.address.as_deref()))]
    InUse {
        /// The data folder.
        path: PathBuf,
        /// The other process, where it could be read.
        holder: Option<u32>,
        /// Where that process serves, if it does.
        address: Option<String>,
    },
    /// The data folder is not there, or never was one.
    #[error("{0} is no data folder yet: enrol something first, or name another one")]
    NoData(PathBuf),
    /// Opened for reading.
    #[error("{0} was opened for reading only: this can't be done while another process writes there")]
    ReadOnly(PathBuf),
    /// No such gallery.
    #[error("there is no gallery {0}: see `bertillon gallery list`")]
    NoGallery(GalleryName),
    /// The name is taken.
    #[error("gallery {0} exists already")]
    AlreadyExists(GalleryName),
    /// Files of an unknown gallery lie where a new one would be made.
    #[error("{0} holds templates that the records know nothing of: restore the records, or move the folder away")]
    FolderInTheWay(PathBuf),
    /// Templates of different models are never compared.
    #[error(
        "gallery {gallery} holds templates of model {wanted}; this one was made by {found}: use that model, or another gallery"
    )]
    OtherModel {
        /// Which gallery.
        gallery: GalleryName,
        /// Its model.
        wanted: String,
        /// The other model.
        found: String,
    },
    /// A template of another length.
    #[error("gallery {gallery} holds templates of {wanted} numbers, not {found}")]
    OtherDimension {
        /// Which gallery.
        gallery: GalleryName,
        /// Numbers of its templates.
        wanted: usize,
        /// Numbers of the other.
        found: usize,
    },
    /// A limit.
    #[error("too many {what}: at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// A text that is too long or empty.
    #[error("the {what} has {bytes} bytes: 1 to {limit} are allowed")]
    Text {
        /// Which text.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        limit: usize,
    },
    /// Attributes that a reference can't have.
    #[error(transparent)]
    Attribute(#[from] AttributeError),
    /// An enrolled image is being erased; the same image can come back afterwards.
    #[error("the image of template {0} is still being erased: erase it again to finish that, then enrol")]
    BeingErased(TemplateId),
    /// Nothing fits the request to erase.
    #[error("gallery {gallery} has no {what} to erase")]
    NothingToErase {
        /// Which gallery.
        gallery: GalleryName,
        /// What was asked for: never a subject's reference.
        what: &'static str,
    },
    /// Somebody else changed what was to be erased.
    #[error("gallery {0}: images of that subject were moved at this very moment, and nothing was erased: try again")]
    Moved(GalleryName),
    /// What somebody ordered to be kept.
    #[error(
        "gallery {gallery}: legal hold {hold} stands on what is to be erased, and nothing was: `bertillon hold list {gallery}` shows it, `bertillon hold lift` ends it"
    )]
    Held {
        /// Which gallery.
        gallery: GalleryName,
        /// The hold.
        hold: i64,
    },
    /// Readers did not go away in time.
    #[error(
        "{count} template(s) of gallery {gallery} are out of every new search, but {reader} still reads them after {waited_ms} ms, so their bytes were not overwritten: erase again to finish it; the next start does so too"
    )]
    StillRead {
        /// Which gallery.
        gallery: GalleryName,
        /// How many templates wait.
        count: usize,
        /// Who reads.
        reader: &'static str,
        /// How long was waited.
        waited_ms: u64,
    },
    /// A gallery that is being imported into.
    #[error(
        "templates are being imported into gallery {0}, which can be searched meanwhile, but not changed: try again when that is done (`bertillon jobs list` says how far it is), or cancel it"
    )]
    Importing(GalleryName),
    /// Something that has to wait for an erasure.
    #[error(
        "{count} template(s) of gallery {gallery} wait to be overwritten, and nothing may be sealed or imported before: erase them again to finish it"
    )]
    ErasureWaits {
        /// Which gallery.
        gallery: GalleryName,
        /// How many templates wait.
        count: usize,
    },
    /// A file of the gallery is not what was written.
    #[error("{path} is damaged: {what}. Restore the data folder from a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// A gallery was not opened because its files are damaged; the others are in use.
    #[error("gallery {gallery} can't be used: {reason}")]
    OutOfUse {
        /// Which gallery.
        gallery: GalleryName,
        /// What is wrong with it.
        reason: String,
    },
    /// Files and records tell different things about a template.
    #[error("gallery {gallery}: the records have {what}: template {id}. Restore the gallery from a backup")]
    Disagree {
        /// Which gallery.
        gallery: GalleryName,
        /// Which template.
        id: TemplateId,
        /// What the records have, and the files have not, or the other way round.
        what: &'static str,
    },
    /// A backup is made into a new folder.
    #[error("{0} is there already: a backup goes into a folder of its own, which must not exist")]
    BackupInTheWay(PathBuf),
    /// A folder that is not a whole backup.
    #[error("{path} is not a whole backup of a gallery: {what}")]
    NoBackup {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Files and records are from different times.
    #[error(
        "{path} holds templates up to {found}, but the records end at {committed}: files and records are from different backups; restore both from the same one"
    )]
    RecordsOlder {
        /// The gallery's folder.
        path: PathBuf,
        /// Last template in files.
        found: u64,
        /// Last template in the records.
        committed: u64,
    },
    /// It is not known whether a transaction was committed.
    #[error(
        "gallery {0} can't be changed until the program is started again: the records did not say whether the last change was kept"
    )]
    Unsettled(GalleryName),
    /// The program is shutting down, or a task failed inside.
    #[error("the operation was cut short; what was not acknowledged is either there whole or not at all")]
    Interrupted,
    /// The source of an import gave a row that is no template.
    #[error("row {row} of the import is no template: {what}")]
    ImportRow {
        /// Its number, from 0.
        row: u64,
        /// What is wrong with it.
        what: String,
    },
}

fn holder_text(holder: Option<u32>, address: Option<&str>) -> String {
    let process = holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    address.map_or(process.clone(), |address| format!("{process}, which serves {address}"))
}

fn advice(address: Option<&str>) -> &'static str {
    match address {
        Some(_) => "send this to that server, or stop it first",
        None => "wait for it to end, or stop it",
    }
}
