//! The rule by which a sample is drawn from the audit log: nothing but the log, the seed and a checkpoint decides, so that
//! anybody can draw it again from an export (docs/SAMPLES.md).

use std::collections::BinaryHeap;

use sha2::{Digest as _, Sha256};

use crate::audit::event::Value;
use crate::audit::{Event, Hash, Kind, Object, Outcome};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::TemplateId;
use crate::base::limits::SAMPLE_POPULATION_MAX;
use crate::records::samples::{About, NewItem};

/// Begins what is hashed of seed and checkpoint, and what is hashed for each thing that may be drawn.
const ROUND: &str = "bertillon sample 1\n";
const TICKET: &str = "bertillon ticket 1\n";

/// What a sample is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Searches that were made.
    Searches,
    /// References that were enrolled or imported.
    Enrolments,
    /// Decisions in reviews.
    Decisions,
}

impl Of {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Searches, Self::Enrolments, Self::Decisions];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Searches => "searches",
            Self::Enrolments => "enrolments",
            Self::Decisions => "decisions",
        }
    }

    /// What that word means.
    ///
    /// # Errors
    /// In words, which there are.
    pub fn parse(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|of| of.as_str() == word).ok_or_else(|| format!("samples are of {}", known()))
    }

    fn tells(self, kind: &str) -> bool {
        let kinds: &[Kind] = match self {
            Self::Searches => &[Kind::SearchRun],
            Self::Enrolments => &[Kind::ReferenceEnrolled, Kind::ReferenceImported],
            Self::Decisions => &[Kind::ReviewDecided],
        };
        kinds.iter().any(|known| known.as_str() == kind)
    }
}

/// Which things may be drawn: those of one kind, of a gallery or of all, that were done from one moment on and before another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Of what.
    pub of: Of,
    /// The gallery's name; empty for all.
    pub gallery: String,
    /// The first second, counted from 1970.
    pub from: u64,
    /// The first second that is none of it any more.
    pub to: u64,
}

impl Frame {
    /// Whether something may be drawn from both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let same = self.gallery == other.gallery || self.gallery.is_empty() || other.gallery.is_empty();
        self.of == other.of && same && self.from < other.to && other.from < self.to
    }

    fn holds(&self, event: &Event) -> bool {
        self.of.tells(&event.kind)
            && event.outcome == Outcome::Ok
            && (self.gallery.is_empty() || self.gallery == event.gallery)
            && clock::seconds_of(&event.at).is_some_and(|at| (self.from..self.to).contains(&at))
    }
}

/// What a seed is published as before the draw.
#[must_use]
pub fn commitment(seed: &[u8; 32]) -> [u8; 32] {
    Sha256::digest(seed).into()
}

/// More than anybody draws from, or an event that is none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CanNotDraw {
    /// Too many.
    #[error("more than {SAMPLE_POPULATION_MAX} of them were done in that time: open samples of shorter times")]
    TooMany,
    /// An event's objects are not those of its kind.
    #[error("event {0} is about something that its kind is not about")]
    Event(u64),
}

/// Something with its place in the draw: the smallest are drawn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket {
    number: [u8; 32],
    object: String,
    seq: u64,
}

/// A draw under way: fed with events, it keeps the few with the smallest tickets.
#[derive(Debug)]
pub struct Draw {
    round: String,
    wanted: usize,
    kept: BinaryHeap<Ticket>,
    population: u64,
    not_listed: u64,
}

impl Draw {
    /// By a seed, and a checkpoint that nobody could know when the seed was chosen: by the hash of the last event it covers.
    #[must_use]
    pub fn new(seed: &[u8; 32], checkpoint: Hash, wanted: usize) -> Self {
        let said = format!("{ROUND}{} {checkpoint}", hex::encode(seed));
        let round = hex::encode(&Sha256::digest(said));
        Self { round, wanted, kept: BinaryHeap::new(), population: 0, not_listed: 0 }
    }

    /// Lets what an event tells of take part, if it is in the frame.
    ///
    /// # Errors
    /// [`CanNotDraw`].
    pub fn take(&mut self, frame: &Frame, event: &Event) -> Result<(), CanNotDraw> {
        if !frame.holds(event) {
            return Ok(());
        }
        if let Some(Value::Number(more)) = event.detail.get("objects_not_listed") {
            self.not_listed = self.not_listed.saturating_add(*more);
        }
        if frame.of == Of::Decisions {
            return self.enter(Object::Event(event.seq).in_words(), event.seq);
        }
        for object in &event.objects {
            match (frame.of, object.split_once(':')) {
                (Of::Searches, Some(("search", _))) => self.enter(object.clone(), event.seq)?,
                (Of::Enrolments, Some((word @ ("template" | "templates"), ids))) => {
                    let (first, last) = range(word, ids).ok_or(CanNotDraw::Event(event.seq))?;
                    if last - first >= SAMPLE_POPULATION_MAX {
                        return Err(CanNotDraw::TooMany);
                    }
                    for id in (first..=last).map(TemplateId) {
                        self.enter(Object::Templates(id, id).in_words(), event.seq)?;
                    }
                }
                // An import is of a job too.
                _other => {}
            }
        }
        Ok(())
    }

    fn enter(&mut self, object: String, seq: u64) -> Result<(), CanNotDraw> {
        if self.population >= SAMPLE_POPULATION_MAX {
            return Err(CanNotDraw::TooMany);
        }
        self.population += 1;
        let number =
            Sha256::new().chain_update(TICKET).chain_update(&self.round).chain_update(" ").chain_update(&object);
        let ticket = Ticket { number: number.finalize().into(), object, seq };
        if self.kept.len() < self.wanted {
            self.kept.push(ticket);
        } else if let Some(mut largest) = self.kept.peek_mut()
            && ticket < *largest
        {
            *largest = ticket;
        }
        Ok(())
    }

    /// How many things took part.
    #[must_use]
    pub fn population(&self) -> u64 {
        self.population
    }

    /// How many could not, since their events had no room for them.
    #[must_use]
    pub fn not_listed(&self) -> u64 {
        self.not_listed
    }

    /// What was drawn, in its order, each with the event that tells of it.
    #[must_use]
    pub fn drawn(self) -> Vec<(String, u64)> {
        self.kept.into_sorted_vec().into_iter().map(|ticket| (ticket.object, ticket.seq)).collect()
    }
}

fn range(word: &str, ids: &str) -> Option<(u64, u64)> {
    let (first, last) = if word == "template" { (ids, ids) } else { ids.split_once('-')? };
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

/// What was drawn as it is kept: with who acted, and what it is about.
#[must_use]
pub fn item(object: &str, event: &Event) -> Option<NewItem> {
    let number = |word: &str, text: &str| text.strip_prefix(word)?.strip_prefix(':')?.parse::<i64>().ok();
    let about = if let Some(search) = number("search", object) {
        About::Search(search)
    } else if let Some(template) = number("template", object) {
        About::Template(TemplateId(u64::try_from(template).ok()?))
    } else {
        About::Review(event.objects.iter().find_map(|object| number("review", object))?)
    };
    let (object, actor, gallery) = (object.to_owned(), event.actor.clone(), event.gallery.clone());
    Some(NewItem { object, seq: event.seq, actor, gallery, about })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Caller, Happening};

    fn frame(of: Of) -> Frame {
        Frame { of, gallery: String::new(), from: 0, to: u64::MAX }
    }

    fn event(seq: u64, happening: &Happening) -> Event {
        let caller = Caller::new("ann", "test", None);
        Event::new(seq, Hash([0; 32]), "2026-11-22T10:00:00Z".to_owned(), caller.who(), happening)
    }

    fn enrolled(seq: u64, first: u64, last: u64) -> Event {
        let object = Object::Templates(TemplateId(first), TemplateId(last));
        event(seq, &Happening::new(Kind::ReferenceEnrolled).of(&"custody".parse().unwrap()).about([object]))
    }

    fn draw(seed: [u8; 32], wanted: usize, events: &[Event]) -> Vec<String> {
        let mut draw = Draw::new(&seed, Hash([5; 32]), wanted);
        for event in events {
            draw.take(&frame(Of::Enrolments), event).unwrap();
        }
        draw.drawn().into_iter().map(|(object, _)| object).collect()
    }

    proptest! {
        #[test]
        fn what_is_drawn_is_what_sorting_all_tickets_gives(seed in any::<[u8; 32]>(), cuts in prop::collection::vec(1_u64..40, 1..6), wanted in 0_usize..60) {
            let mut first = 1;
            let mut events = Vec::new();
            for (seq, length) in (1..).zip(&cuts) {
                events.push(enrolled(seq, first, first + length - 1));
                first += length;
            }
            let round = format!("bertillon sample 1\n{} {}", hex::encode(&seed), "05".repeat(32));
            let round = hex::encode(&Sha256::digest(round));
            let mut all: Vec<u64> = (1..first).collect();
            all.sort_by_key(|id| -> [u8; 32] { Sha256::digest(format!("bertillon ticket 1\n{round} template:{id}")).into() });
            let wanted_ids: Vec<String> = all.iter().take(wanted).map(|id| format!("template:{id}")).collect();
            let drawn = draw(seed, wanted, &events);
            prop_assert_eq!(&drawn, &wanted_ids);
            // Neither the order of events nor how they are cut into events counts, and a longer draw begins with a shorter.
            events.reverse();
            prop_assert_eq!(&draw(seed, wanted, &events), &drawn);
            prop_assert_eq!(&draw(seed, wanted, &[enrolled(1, 1, first - 1)]), &drawn);
            prop_assert_eq!(&draw(seed, wanted + 1, &events)[..drawn.len()], &drawn[..]);
        }
    }

    /// 400 draws of 5 of 20: each is drawn 100 times but for chance (standard deviation 8.7).
    #[test]
    fn everything_has_the_same_chance() {
        let mut times = [0_u32; 20];
        for seed in 0..400_u32 {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&seed.to_le_bytes());
            for object in draw(bytes, 5, &[enrolled(1, 1, 20)]) {
                times[object.strip_prefix("template:").unwrap().parse::<usize>().unwrap() - 1] += 1;
            }
        }
        assert_eq!(times.iter().sum::<u32>(), 2_000);
        assert!(times.iter().all(|count| (60..=140).contains(count)), "{times:?}");
    }

    #[test]
    fn only_what_was_done_in_the_frame_takes_part() {
        let narrow =
            Frame { gallery: "custody".to_owned(), from: 1_795_341_600, to: 1_795_341_601, ..frame(Of::Enrolments) };
        let count = |frame: &Frame, event: &Event| {
            let mut draw = Draw::new(&[1; 32], Hash([2; 32]), 10);
            draw.take(frame, event).map(|()| draw.population())
        };
        let good = enrolled(1, 4, 9);
        assert_eq!(count(&narrow, &good), Ok(6));
        for other in [
            Frame { gallery: "other".to_owned(), ..narrow.clone() },
            Frame { from: narrow.from + 1, to: narrow.to + 1, ..narrow.clone() },
            Frame { from: 0, to: narrow.from, ..narrow.clone() },
            Frame { of: Of::Searches, ..narrow.clone() },
        ] {
            assert_eq!(count(&other, &good), Ok(0), "{other:?}");
        }
        assert_eq!(count(&narrow, &Event { outcome: Outcome::Refused, ..good.clone() }), Ok(0));
        let searched = event(7, &Happening::new(Kind::SearchRun).about([Object::Search(5), Object::Search(6)]));
        assert_eq!(count(&frame(Of::Searches), &searched), Ok(2));
        let template = TemplateId(3);
        let decided =
            Happening::new(Kind::ReviewDecided).about([Object::Review(2), Object::Templates(template, template)]);
        let decided = event(8, &decided);
        assert_eq!(count(&frame(Of::Decisions), &decided), Ok(1));
        assert!(matches!(item("event:8", &decided), Some(NewItem { seq: 8, about: About::Review(2), .. })));
        assert!(matches!(item("search:6", &searched), Some(NewItem { about: About::Search(6), .. })));
    }

    #[test]
    fn a_log_that_is_made_up_can_not_keep_it_busy() {
        let mut draw = Draw::new(&[1; 32], Hash([2; 32]), 10);
        let frame = frame(Of::Enrolments);
        assert_eq!(draw.take(&frame, &enrolled(3, 1, u64::MAX)), Err(CanNotDraw::TooMany));
        for bad in ["templates:9-4", "templates:1", "template:x", "templates:1-99999999999999999999"] {
            let event = Event { objects: vec![bad.to_owned()], ..enrolled(3, 1, 1) };
            assert_eq!(draw.take(&frame, &event), Err(CanNotDraw::Event(3)), "{bad}");
        }
    }

    #[test]
    fn frames_that_share_something_overlap() {
        let one = Frame { of: Of::Searches, gallery: "a".to_owned(), from: 10, to: 20 };
        let with = |change: &dyn Fn(&mut Frame)| {
            let mut other = one.clone();
            change(&mut other);
            assert_eq!(one.overlaps(&other), other.overlaps(&one));
            one.overlaps(&other)
        };
        assert!(with(&|_| ()) && with(&|other| other.gallery.clear()) && with(&|other| other.from = 19));
        assert!(!with(&|other| (other.from, other.to) = (20, 30)) && !with(&|other| other.of = Of::Decisions));
        assert!(!with(&|other| other.gallery = "b".to_owned()));
    }
}
