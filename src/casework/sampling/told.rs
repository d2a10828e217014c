//! What the audit log tells of samples: written when one is opened and drawn, read when a draw is made or checked. The log
//! decides what a sample is, not the records beside it.

use crate::audit::event::Value;
use crate::audit::{Detail, Event, Happening, Hash, Kind, Object, Outcome};
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::casework::sampling::draw::{Frame, Of};

/// A sample that was opened, as its event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opening {
    /// Its number.
    pub(super) sample: i64,
    /// What it is drawn from.
    pub(super) frame: Frame,
    /// How many to draw.
    pub(super) wanted: u64,
    /// sha256 of its seed.
    pub(super) commitment: [u8; 32],
    /// The event that says so.
    pub(super) seq: u64,
}

/// A draw, as its event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Drawing {
    /// Of which sample.
    pub(super) sample: i64,
    /// Its seed.
    pub(super) seed: [u8; 32],
    /// Hash of the last event that its checkpoint covers.
    pub(super) checkpoint: Hash,
    /// That event's place.
    pub(super) checkpoint_seq: u64,
    /// How many things it was drawn from.
    pub(super) population: u64,
    /// What was drawn, in its order.
    pub(super) items: Vec<String>,
    /// The event that says so.
    pub(super) seq: u64,
}

/// The event of a sample that is opened, but for its number.
#[must_use]
pub(super) fn opens(frame: &Frame, gallery: Option<&GalleryName>, wanted: u64, commitment: [u8; 32]) -> Happening {
    let happening = Happening::new(Kind::SampleOpened)
        .with("commitment", Detail::Hash(commitment))
        .with("from", Detail::Number(frame.from))
        .with("of", Detail::Word(frame.of.as_str()))
        .with("to", Detail::Number(frame.to))
        .with("wanted", Detail::Number(wanted));
    gallery.map_or(happening.clone(), |gallery| happening.of(gallery))
}

impl Opening {
    /// What an event says, if it is one of these.
    #[must_use]
    pub(super) fn of(event: &Event) -> Option<Self> {
        let fields = Fields::of(event, Kind::SampleOpened)?;
        let of = match event.detail.get("of")? {
            Value::Text(word) => Of::parse(word).ok()?,
            Value::Number(_) => return None,
        };
        let (from, to) = (fields.number("from")?, fields.number("to")?);
        let frame = Frame { of, gallery: event.gallery.clone(), from, to };
        let (wanted, commitment) = (fields.number("wanted")?, fields.hash("commitment")?);
        Some(Self { sample: fields.sample, frame, wanted, commitment, seq: event.seq })
    }
}

impl Drawing {
    /// What an event says, if it is one of these.
    #[must_use]
    pub(super) fn of(event: &Event) -> Option<Self> {
        let fields = Fields::of(event, Kind::SampleDrawn)?;
        Some(Self {
            sample: fields.sample,
            seed: fields.hash("seed")?,
            checkpoint: Hash(fields.hash("checkpoint")?),
            checkpoint_seq: fields.number("checkpoint_seq")?,
            population: fields.number("population")?,
            items: event.objects.get(1..)?.to_vec(),
            seq: event.seq,
        })
    }

    /// The event of it, but for what was drawn, and what could not be.
    #[must_use]
    pub(super) fn tells(&self) -> Happening {
        Happening::new(Kind::SampleDrawn)
            .about([Object::Sample(self.sample)])
            .with("checkpoint", Detail::Hash(self.checkpoint.0))
            .with("checkpoint_seq", Detail::Number(self.checkpoint_seq))
            .with("population", Detail::Number(self.population))
            .with("seed", Detail::Hash(self.seed))
    }
}

/// The facts of an event about a sample.
struct Fields<'a> {
    event: &'a Event,
    sample: i64,
}

impl<'a> Fields<'a> {
    fn of(event: &'a Event, kind: Kind) -> Option<Self> {
        if event.kind != kind.as_str() || event.outcome != Outcome::Ok {
            return None;
        }
        let sample = event.objects.first()?.strip_prefix("sample:")?.parse().ok()?;
        Some(Self { event, sample })
    }

    fn number(&self, name: &str) -> Option<u64> {
        match self.event.detail.get(name)? {
            Value::Number(number) => Some(*number),
            Value::Text(_) => None,
        }
    }

    fn hash(&self, name: &str) -> Option<[u8; 32]> {
        match self.event.detail.get(name)? {
            Value::Text(text) => hex::decode_32(text),
            Value::Number(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Caller;

    #[test]
    fn what_is_told_reads_back() {
        let caller = Caller::new("una", "test", None);
        let event = |seq, happening: &Happening| Event::new(seq, Hash([0; 32]), String::new(), caller.who(), happening);
        let gallery: GalleryName = "custody".parse().unwrap();
        let frame = Frame { of: Of::Decisions, gallery: "custody".to_owned(), from: 5, to: 9 };
        let opens = opens(&frame, Some(&gallery), 7, [3; 32]).about([Object::Sample(2)]);
        let opening = Opening { sample: 2, frame, wanted: 7, commitment: [3; 32], seq: 11 };
        assert_eq!(Opening::of(&event(11, &opens)), Some(opening));
        assert_eq!(Opening::of(&event(11, &opens.ended(Outcome::Refused))), None, "what was refused was not opened");
        let drawing = Drawing {
            sample: 2,
            seed: [4; 32],
            checkpoint: Hash([5; 32]),
            checkpoint_seq: 20,
            population: 40,
            items: vec!["event:3".to_owned(), "event:9".to_owned()],
            seq: 21,
        };
        let tells = drawing.tells().about([Object::Event(3), Object::Event(9)]);
        assert_eq!(Drawing::of(&event(21, &tells)), Some(drawing));
        assert_eq!(Opening::of(&event(21, &tells)), None);
    }
}
