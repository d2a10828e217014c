//! Galleries: manifest, segments, tail, snapshots, and the protocol by which they and the records change together.
//!
//! [`Vault`] is the door: a data folder with its records and galleries, held by one writing process and any number of
//! reading ones. The order of an enrolment: the tail's file is appended and synced, the SQL transaction commits (from now
//! on it counts), the new snapshot is published, the caller is told. The order of an erasure: SQL says "erasing" (from now
//! on no search shows it), a snapshot without the row is published, older ones run out, the bytes are overwritten and
//! synced, devices refresh their copies, details leave the records and their journal, SQL says "erased", the caller is told.

mod backup;
mod books;
mod enrol;
mod erase;
mod error;
mod filter;
mod folders;
mod graphs;
mod import;
mod key_destroyed;
mod lists;
mod lock;
mod maintenance;
mod manifest;
mod opening;
mod pictures;
mod probes;
mod restore;
mod room;
mod shelf;
mod snapshot;
mod submissions;
mod summary;
mod tail;
mod traffic;
mod vault;
mod verify;

pub use backup::{BackedUp, gallery_of_backup};
pub use enrol::{Enrolment, NewReference};
pub use erase::{Erase, Erased};
pub use error::GalleryError;
pub use graphs::{GraphPlan, IndexOutcome, IndexRequest};
pub use import::{Imported, ImportedReference, TemplateImport};
pub use maintenance::Compacted;
pub use manifest::GallerySpec;
pub use pictures::ToKeep;
pub use probes::NewEdit;
pub use restore::Restored;
pub use snapshot::Snapshot;
pub use summary::GallerySummary;
pub use vault::{Access, Reference, Vault, VaultOptions};
pub use verify::Verified;
