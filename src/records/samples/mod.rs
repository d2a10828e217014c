//! Dip samples in the records. What may be drawn and by what rule is decided above (casework/sampling); here it is kept, each
//! change in one transaction with the event that tells of it, and each only once.

mod read;
mod write;

use crate::audit::Caller;
use crate::base::ids::{GalleryName, TemplateId};
use crate::records::Records;

/// The samples of a data folder, for one caller. Clones share them.
#[derive(Debug, Clone)]
pub struct SampleBook {
    records: Records,
    caller: Caller,
}

impl Records {
    /// Samples, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn sample_book(&self, caller: &Caller) -> SampleBook {
        SampleBook { records: self.clone(), caller: caller.clone() }
    }
}

/// A sample to be opened.
#[derive(Debug, Clone)]
pub struct NewSample {
    /// Of what, in the word for it.
    pub of: &'static str,
    /// Of which gallery; `None` for all.
    pub gallery: Option<GalleryName>,
    /// From when on, RFC 3339.
    pub from: String,
    /// Before when.
    pub to: String,
    /// How many to draw.
    pub wanted: u64,
    /// What the draw is made from, together with a checkpoint.
    pub seed: [u8; 32],
    /// Who opens it.
    pub person: String,
}

/// What came of opening one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// Its number.
    New(i64),
    /// There is one of these things already, of a time that has a part of this one's.
    Overlaps(i64),
}

/// A sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleRecord {
    /// Its number.
    pub id: i64,
    /// Of what, in the word for it.
    pub of: String,
    /// Of which gallery; `None` for all.
    pub gallery: Option<GalleryName>,
    /// From when on, RFC 3339.
    pub from: String,
    /// Before when.
    pub to: String,
    /// How many were to be drawn.
    pub wanted: u64,
    /// Who opened it.
    pub opened_by: String,
    /// When.
    pub opened_at: String,
    /// How it was drawn; `None` as long as it was not.
    pub drawn: Option<Drawn>,
}

/// A draw that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// By whom.
    pub by: String,
    /// When.
    pub at: String,
    /// The last event that its checkpoint covers.
    pub checkpoint_seq: u64,
    /// How many things it was drawn from.
    pub population: u64,
}

/// Something that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemRecord {
    /// From 1, in the order of the draw.
    pub position: u64,
    /// As events name it.
    pub object: String,
    /// The event that tells of it.
    pub seq: u64,
    /// Who acted there.
    pub actor: String,
    /// In which gallery.
    pub gallery: GalleryName,
    /// The template that it is about, for an enrolment.
    pub template: Option<TemplateId>,
    /// The search that it is about, for others.
    pub search: Option<i64>,
    /// What a supervisor found.
    pub found: Option<Found>,
}

/// What a supervisor found of something that was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In the word for it.
    pub outcome: String,
    /// Who.
    pub person: String,
    /// When.
    pub at: String,
    /// Why, in their words.
    pub said: String,
}

/// Something to be kept as drawn.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// As events name it.
    pub object: String,
    /// The event that tells of it.
    pub seq: u64,
    /// Who acted there.
    pub actor: String,
    /// In which gallery.
    pub gallery: String,
    /// What it is about.
    pub about: About,
}

/// What something drawn is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// A reference, by its template.
    Template(TemplateId),
    /// A search.
    Search(i64),
    /// A review, and so its search.
    Review(i64),
}
