//! The audit log as a thing of itself: what an event says, how events are chained by hashes and sealed by signatures, and
//! how all of that is checked. Knows no data base: `records` keeps the events, and adds each in the transaction of what it
//! tells of. The bytes are described in docs/AUDIT_FORMAT.md.
//!
//! No event holds personal text of a subject: no name, no reference, no file name. What an event is about stands there by
//! number, so that erasing a person and keeping the chain whole are both possible.

pub mod caller;
pub mod chain;
pub mod checkpoint;
pub mod event;
pub mod kinds;
pub mod searched;

pub use caller::{Caller, Identity, Who};
pub use chain::{Chain, EventLine, Fault, Hash, StoredEvent};
pub use checkpoint::{Checkpoint, StoredCheckpoint};
pub use event::{Detail, Event, Happening, Object, Outcome};
pub use kinds::{Kind, Op};
