//! Who acts: a name and a place that an event tells, and a count of what was told of them already.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::base::limits::AUDIT_WHO_BYTES_MAX;
use crate::base::text::printable;

/// A name and a place, as far as the system knows them: a user of the operating system, or an address over the network.
/// There are no accounts of our own yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// A name, or what stands for one.
    pub actor: String,
    /// The command line of a machine, or a client's address.
    pub origin: String,
    /// The number of the request in the server's log, where there is one.
    pub request: Option<u64>,
}

/// Who acts, and how often that was recorded already. Clones are the same caller.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Acting>);

#[derive(Debug)]
struct Acting {
    who: Who,
    recorded: AtomicU32,
}

impl Caller {
    /// Somebody with a name, from somewhere. Both are cut at [`AUDIT_WHO_BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(actor: &str, origin: &str, request: Option<u64>) -> Self {
        let short = |text: &str| {
            let text = printable(text);
            text.get(..text.floor_char_boundary(AUDIT_WHO_BYTES_MAX)).unwrap_or_default().to_owned()
        };
        let who = Who { actor: short(actor), origin: short(origin), request };
        Self(Arc::new(Acting { who, recorded: AtomicU32::new(0) }))
    }

    /// The program itself, because of something: `the start`, `segments changed`.
    #[must_use]
    pub fn itself(because: &str) -> Self {
        Self::new("the server itself", because, None)
    }

    /// Somebody at a network address, who has not said who they are.
    #[must_use]
    pub fn not_signed_in(peer: Option<SocketAddr>, request: u64) -> Self {
        let origin = peer.map_or_else(|| "unknown".to_owned(), |peer| peer.ip().to_string());
        Self::new("not signed in", &origin, Some(request))
    }

    /// Who it is.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.0.who
    }

    /// Events of this caller that are committed.
    #[must_use]
    pub fn recorded(&self) -> u32 {
        self.0.recorded.load(Ordering::Acquire)
    }

    /// Counts an event that was committed.
    pub fn was_recorded(&self) {
        self.0.recorded.fetch_add(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_and_made_printable() {
        let caller = Caller::new(&"é".repeat(AUDIT_WHO_BYTES_MAX), "a\nb", Some(3));
        assert!(caller.who().actor.len() <= AUDIT_WHO_BYTES_MAX);
        assert_eq!(caller.who().origin, "a\u{fffd}b");
        caller.clone().was_recorded();
        assert_eq!(caller.recorded(), 1);
    }
}
