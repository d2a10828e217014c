//! The chain: each event carries the hash of the one before, so that nothing in it can be changed, left out, put in or
//! moved without the next hash telling.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::audit::Event;
use crate::audit::event::VERSION;
use crate::base::hex;

/// Begins what is hashed for an event.
const EVENT: &str = "bertillon audit 1\n";
/// Begins what is hashed for the folder, in the place of an event before the first.
const FOLDER: &str = "bertillon folder 1\n";

/// A sha256. Written as 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Of an event, by its text.
    #[must_use]
    pub fn of_event(body: &str) -> Self {
        Self::of(EVENT, body)
    }

    /// Of a data folder, by its id: the first event follows this.
    #[must_use]
    pub fn of_folder(id: &str) -> Self {
        Self::of(FOLDER, id)
    }

    fn of(what: &str, text: &str) -> Self {
        Self(Sha256::new().chain_update(what).chain_update(text).finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode_32(&text).map(Self).ok_or_else(|| serde::de::Error::custom("no sha256"))
    }
}

/// An event as it is kept: its text, its hash, and what is kept beside them for finding it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its place.
    pub seq: u64,
    /// Its text.
    pub body: String,
    /// Hexadecimal digits of its hash.
    pub hash: String,
    /// Kind, as it is kept for finding.
    pub kind: String,
    /// Objects, as they are kept for finding, in their order.
    pub objects: Vec<String>,
}

/// A line of an exported log: an event for others to check.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventLine {
    /// Its text.
    pub body: String,
    /// Hexadecimal digits of its hash.
    pub hash: String,
}

/// What is wrong with a log, and where first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {seq}: {what}")]
pub struct Fault {
    /// The first event that is not as it was written, or the first that is missing.
    pub seq: u64,
    /// What is wrong.
    pub what: Wrong,
}

/// What can be wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// There are events with numbers below it.
    #[error("there are events before the first")]
    Before,
    /// There is none, and there are later ones.
    #[error("it is missing")]
    Missing,
    /// Its text does not have the hash that is kept with it.
    #[error("its text or its hash was changed")]
    Changed,
    /// Its text is no event, or one of another version.
    #[error("its text is no event of this version")]
    NoEvent,
    /// Its text is of another place.
    #[error("its text belongs to another place")]
    Moved,
    /// It does not follow the event before.
    #[error("it does not follow the event before it, which was changed or exchanged together with its hash")]
    DoesNotFollow,
    /// The columns by which it is found say something else than its text.
    #[error("what it is found by is not what its text says")]
    Mislaid,
    /// A checkpoint names another hash here.
    #[error("a signed checkpoint has another hash for it: the log was written anew")]
    NotAsSealed,
    /// A checkpoint is of a later event than there is.
    #[error("a signed checkpoint knows of it, and it is not there: the end was cut off")]
    CutOff,
    /// A checkpoint's text, key or signature is wrong.
    #[error("the checkpoint at it does not bear the signature of this log's key")]
    Forged,
    /// A checkpoint of another data folder.
    #[error("the checkpoint at it is of another data folder")]
    OtherFolder,
}

/// Where a chain has come to: what the next event must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    seq: u64,
    hash: Hash,
}

impl Chain {
    /// Before the first event of the data folder with that id.
    #[must_use]
    pub fn new(folder: &str) -> Self {
        Self { seq: 0, hash: Hash::of_folder(folder) }
    }

    /// Where the last event was.
    #[must_use]
    pub fn at(seq: u64, hash: Hash) -> Self {
        Self { seq, hash }
    }

    /// The last event's place; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The last event's hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// Takes the next event, as it is kept.
    ///
    /// # Errors
    /// [`Fault`], for the first event that is not what was written.
    pub fn take(&mut self, stored: &StoredEvent) -> Result<Event, Fault> {
        let next = self.seq + 1;
        if stored.seq != next {
            return Err(Fault { seq: next, what: Wrong::Missing });
        }
        let fault = |what| Fault { seq: next, what };
        let hash = Hash::of_event(&stored.body);
        if hex::decode_32(&stored.hash) != Some(hash.0) {
            return Err(fault(Wrong::Changed));
        }
        let event: Event = serde_json::from_str(&stored.body).map_err(|_| fault(Wrong::NoEvent))?;
        // One event has one text: another one of the same meaning was not written by this program.
        if event.v != VERSION || event.body().as_deref() != Ok(stored.body.as_str()) {
            return Err(fault(Wrong::NoEvent));
        }
        if event.seq != next {
            return Err(fault(Wrong::Moved));
        }
        if event.prev != self.hash {
            return Err(fault(Wrong::DoesNotFollow));
        }
        if event.kind != stored.kind || event.objects != stored.objects {
            return Err(fault(Wrong::Mislaid));
        }
        *self = Self { seq: next, hash };
        Ok(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Caller, Happening, Kind, Object};

    fn log(events: u64) -> Vec<StoredEvent> {
        let caller = Caller::new("examiner 7", "127.0.0.1", Some(1));
        let mut chain = Chain::new("folder");
        let mut log = Vec::new();
        for seq in 1..=events {
            let kind = Kind::ALL[seq as usize % Kind::ALL.len()];
            let happening = Happening::new(kind).about([Object::Search(seq as i64)]);
            let event = Event::new(seq, chain.hash(), "2026-11-22T10:00:00Z".to_owned(), caller.who(), &happening);
            let body = event.body().unwrap();
            let hash = Hash::of_event(&body).to_string();
            let stored = StoredEvent { seq, body, hash, kind: event.kind, objects: event.objects };
            chain.take(&stored).unwrap();
            log.push(stored);
        }
        log
    }

    fn check(log: &[StoredEvent]) -> Result<(), Fault> {
        let mut chain = Chain::new("folder");
        log.iter().try_for_each(|stored| chain.take(stored).map(drop))
    }

    /// The hash that goes with a changed text, as somebody would write it who knows how this works.
    fn rehash(stored: &mut StoredEvent) {
        stored.hash = Hash::of_event(&stored.body).to_string();
    }

    #[test]
    fn the_first_event_follows_its_folder() {
        let good = log(3);
        assert_eq!(check(&good), Ok(()));
        let elsewhere = Chain::new("another").take(&good[0]);
        assert_eq!(elsewhere, Err(Fault { seq: 1, what: Wrong::DoesNotFollow }));
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_found_where_it_is(at in 0_usize..20, byte in 0_usize..500, bit in 0_u32..7) {
            let mut bad = log(20);
            let stored = &mut bad[at];
            let all = stored.body.len() + stored.hash.len();
            let place = byte % all;
            let text = if place < stored.body.len() { &mut stored.body } else { &mut stored.hash };
            let place = place % text.len();
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1 << bit;
            // Hexadecimal digits of either case are the same number.
            prop_assume!(!bytes[place].eq_ignore_ascii_case(&text.as_bytes()[place]) || text.starts_with('{'));
            let Ok(changed) = String::from_utf8(bytes) else { return Ok(()) };
            *text = changed;
            prop_assert_eq!(check(&bad), Err(Fault { seq: at as u64 + 1, what: Wrong::Changed }));
        }

        #[test]
        fn events_that_are_left_out_exchanged_or_put_in_are_found(at in 0_usize..19, how in 0..4) {
            let mut bad = log(20);
            let seq = at as u64 + 1;
            let wanted = match how {
                0 => {
                    bad.remove(at);
                    Fault { seq, what: Wrong::Missing }
                }
                1 => {
                    // With everything after it counted anew, but not hashed anew.
                    bad.remove(at);
                    bad[at].seq = seq;
                    Fault { seq, what: Wrong::Moved }
                }
                2 => {
                    let other = bad[at + 1].body.clone();
                    bad[at].body = other;
                    rehash(&mut bad[at]);
                    Fault { seq, what: Wrong::Moved }
                }
                _ => {
                    // A forger who changes a text and its hash is found one further on.
                    let text = bad[at].body.replace("examiner 7", "examiner 8");
                    bad[at].body = text;
                    rehash(&mut bad[at]);
                    Fault { seq: seq + 1, what: Wrong::DoesNotFollow }
                }
            };
            prop_assert_eq!(check(&bad), Err(wanted));
        }
    }

    #[test]
    fn an_event_has_one_text() {
        let mut bad = log(1);
        bad[0].body = bad[0].body.replace("\"v\":1", "\"v\": 1");
        rehash(&mut bad[0]);
        assert_eq!(check(&bad), Err(Fault { seq: 1, what: Wrong::NoEvent }));
    }

    #[test]
    fn an_event_that_is_found_by_something_else_than_it_says_is_named() {
        let mut bad = log(5);
        bad[2].objects = vec!["search:99".to_owned()];
        assert_eq!(check(&bad), Err(Fault { seq: 3, what: Wrong::Mislaid }));
        let mut bad = log(5);
        bad[3].kind = "status.read".to_owned();
        assert_eq!(check(&bad), Err(Fault { seq: 4, what: Wrong::Mislaid }));
    }
}
