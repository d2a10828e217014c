//! Dip samples: searches, enrolments or decisions, drawn by nobody's choice, that a supervisor who had no part in them looks at
//! again. What is drawn follows from a seed that was bound before the draw and from a checkpoint that was signed after, so
//! whoever opens a sample can't know what it will hold, and can't draw again (docs/SAMPLES.md).

pub mod check;
pub mod draw;
pub mod error;
mod told;

pub use draw::Of;
pub use error::SampleError;

use std::path::PathBuf;

use serde::Serialize;

use crate::audit::{Caller, Chain, Checkpoint, Detail, Event, Happening, Kind, Object, Outcome};
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{RECORD_TEXT_BYTES_MAX, SAMPLE_ITEMS_MAX, SAMPLE_PAGE_MAX};
use crate::casework::access::require;
use crate::casework::access::users::somebody;
use crate::casework::keys::public_key;
use crate::casework::reason_of;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::random;
use crate::evaluation::arithmetic::intervals::{Coverage, Interval, Proportion, clopper_pearson};
use crate::gallery::{GalleryError, Vault};
use crate::records::AuditBook;
use crate::records::samples::{About, Drawn, Found, ItemRecord, NewItem, NewSample, Opened, SampleBook, SampleRecord};
use crate::rights::Permission;
use draw::{Draw, Frame};
use told::{Drawing, Opening};

/// What a supervisor found of something that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It was done as it should be.
    Right,
    /// It was not.
    Wrong,
    /// What there is does not say.
    CannotTell,
}

impl Judgement {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Right, Self::Wrong, Self::CannotTell];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::CannotTell => "cannot_tell",
        }
    }

    /// What that word means.
    ///
    /// # Errors
    /// In words, which there are.
    pub fn parse(word: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|found| found.as_str() == word).ok_or_else(|| format!("outcomes are {}", known()))
    }
}

/// What somebody wants drawn.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Of what.
    pub of: Of,
    /// Of which gallery; `None` for all.
    pub gallery: Option<GalleryName>,
    /// From when on, as it was written.
    pub from: String,
    /// Before when.
    pub to: String,
    /// How many.
    pub wanted: u64,
}

/// A sample with what was drawn, and what it says so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The sample.
    pub record: SampleRecord,
    /// What was drawn, in the order of the draw.
    pub items: Vec<ItemRecord>,
    /// What was found so far.
    pub rate: Rate,
}

/// How often something was wrong, as far as supervisors could tell.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Rate {
    /// Items that were right.
    pub right: u64,
    /// Items that were wrong.
    pub wrong: u64,
    /// Items of which nobody can tell.
    pub cannot_tell: u64,
    /// Items that nobody has looked at.
    pub open: u64,
    /// Clopper and Pearson's interval of the share that is wrong among what can be told, with 95 %; `None` where nothing was.
    pub interval: Option<Interval>,
}

impl Rate {
    /// Counts outcomes.
    #[must_use]
    pub fn of(items: &[ItemRecord]) -> Self {
        let count = |wanted: Option<Judgement>| {
            let outcomes = items.iter().map(|item| item.found.as_ref().map(|found| found.outcome.as_str()));
            outcomes.filter(|outcome| *outcome == wanted.map(Judgement::as_str)).count() as u64
        };
        let [right, wrong, cannot_tell] = Judgement::ALL.map(|found| count(Some(found)));
        let interval = Proportion::new(wrong, right + wrong).ok().map(|seen| clopper_pearson(seen, Coverage::USUAL));
        Self { right, wrong, cannot_tell, open: count(None), interval }
    }
}

/// The samples of a data folder, for one person.
pub struct SampleRoom {
    vault: Vault,
    book: SampleBook,
    audit: AuditBook,
    /// The data folder.
    data: PathBuf,
    caller: Caller,
    person: String,
}

impl SampleRoom {
    /// For whoever calls.
    ///
    /// # Errors
    /// [`CaseworkError::Access`] for who is nobody here, [`CaseworkError::NotAllowed`].
    pub async fn enter(desk: &Desk, caller: &Caller) -> Result<Self, CaseworkError> {
        let (caller, person) = somebody(&desk.vault, caller).await?;
        require(&caller, Permission::SampleRun, None)?;
        let vault = desk.vault.acting_for(&caller);
        let (book, audit) = (vault.sample_book(), vault.audit_book());
        Ok(Self { vault, book, audit, data: desk.settings.data.folder.clone(), caller, person })
    }

    /// Opens a sample, and publishes what its draw is bound to; its number.
    ///
    /// # Errors
    /// [`SampleError`], and what the records say.
    pub async fn open(&self, wish: &Wish) -> Result<i64, CaseworkError> {
        let Wish { of, gallery, from, to, wanted } = wish;
        require(&self.caller, Permission::SampleRun, gallery.as_ref())?;
        if gallery.is_none() && self.caller.galleries_for(Permission::SampleRun).is_some() {
            // Who answers for some galleries draws from one of them.
            return Err(SampleError::NoGallery.into());
        }
        let moment = |text: &String| clock::seconds_of(text).ok_or_else(|| SampleError::Moment(text.clone()));
        let (from, to) = (moment(from)?, moment(to)?);
        if from >= to {
            let (from, to) = (clock::rfc3339_of(from), clock::rfc3339_of(to));
            return Err(SampleError::Period { from, to }.into());
        }
        if *wanted == 0 || *wanted > SAMPLE_ITEMS_MAX as u64 {
            return Err(SampleError::Wanted(*wanted).into());
        }
        match gallery {
            Some(name) if !self.vault.knows(name).await? => return Err(GalleryError::NoGallery(name.clone()).into()),
            None if *of == Of::Enrolments => return Err(SampleError::NoGallery.into()),
            Some(_) | None => {}
        }
        let seed = random::bytes::<32>().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
        let name = gallery.as_ref().map(|name| name.as_str().to_owned()).unwrap_or_default();
        let happening = told::opens(
            &Frame { of: *of, gallery: name, from, to },
            gallery.as_ref(),
            *wanted,
            draw::commitment(&seed),
        );
        let sample = NewSample {
            of: of.as_str(),
            gallery: gallery.clone(),
            from: clock::rfc3339_of(from),
            to: clock::rfc3339_of(to),
            wanted: *wanted,
            seed,
            person: self.person.clone(),
        };
        match self.book.open(&sample, happening).await? {
            Opened::New(id) => Ok(id),
            Opened::Overlaps(other) => {
                let about = Happening::new(Kind::SampleOpened).about([Object::Sample(other)]);
                Err(self.refused(about, SampleError::Overlaps(other)).await?)
            }
        }
    }

    /// Draws a sample: once, after its period, by the first checkpoint since then.
    ///
    /// # Errors
    /// [`SampleError`], and what the records say.
    pub async fn draw(&self, id: i64) -> Result<Sample, CaseworkError> {
        let record = self.record_of(id).await?;
        require(&self.caller, Permission::SampleRun, record.gallery.as_ref())?;
        let about = || Happening::new(Kind::SampleDrawn).about([Object::Sample(id)]);
        let opening = self.opening(id).await?;
        let seed = self.book.seed(id).await?;
        if draw::commitment(&seed) != opening.commitment {
            return Err(SampleError::NotAsOpened(id).into());
        }
        let refusal = if record.drawn.is_some() {
            Some(SampleError::Drawn(id))
        } else if clock::now_rfc3339() < clock::rfc3339_of(opening.frame.to) {
            Some(SampleError::NotOver(clock::rfc3339_of(opening.frame.to)))
        } else {
            None
        };
        if let Some(refusal) = refusal {
            return Err(self.refused(about(), refusal).await?);
        }
        let Some(checkpoint) = self.checkpoint(&opening).await? else {
            return Err(self.refused(about(), SampleError::NoCheckpoint).await?);
        };
        let wanted = usize::try_from(opening.wanted).unwrap_or(usize::MAX).min(SAMPLE_ITEMS_MAX);
        let mut draw = Draw::new(&seed, checkpoint.hash, wanted);
        self.walk(&checkpoint, |event| draw.take(&opening.frame, event)).await?;
        let (population, not_listed) = (draw.population(), draw.not_listed());
        let drawn = draw.drawn();
        let mut items = Vec::with_capacity(drawn.len());
        for (object, seq) in &drawn {
            let wrong = || SampleError::CanNotDraw(draw::CanNotDraw::Event(*seq));
            items.push(draw::item(object, &self.event(*seq).await?).ok_or_else(wrong)?);
        }
        let objects = drawn.into_iter().map(|(object, _)| object).collect();
        let (checkpoint, checkpoint_seq) = (checkpoint.hash, checkpoint.seq);
        let drawing = Drawing { sample: id, seed, checkpoint, checkpoint_seq, population, items: objects, seq: 0 };
        let mut happening = drawing.tells().about(items.iter().map(object_of));
        if let Some(gallery) = &record.gallery {
            happening = happening.of(gallery);
        }
        if not_listed > 0 {
            happening = happening.with("not_listed", Detail::Number(not_listed));
        }
        let made = Drawn { by: self.person.clone(), at: clock::now_rfc3339(), checkpoint_seq, population };
        if !self.book.draw(id, &made, &items, &happening).await? {
            return Err(self.refused(about(), SampleError::Drawn(id)).await?);
        }
        self.sample(id).await
    }

    /// Keeps what whoever calls found of an item, with their reason.
    ///
    /// # Errors
    /// [`SampleError`], and what the records say.
    pub async fn record(&self, id: i64, item: u64, found: Judgement, reason: &str) -> Result<Sample, CaseworkError> {
        let said = reason_of(reason).ok_or(SampleError::Reason { most: RECORD_TEXT_BYTES_MAX })?;
        let Sample { record, items, .. } = self.sample(id).await?;
        let about = || Happening::new(Kind::SampleRecorded).about([Object::Sample(id)]);
        if record.drawn.is_none() {
            return Err(self.refused(about(), SampleError::NotDrawn(id)).await?);
        }
        let wanted = items.iter().find(|one| one.position == item);
        let drawn = wanted.ok_or(SampleError::NoItem { sample: id, item })?;
        require(&self.caller, Permission::SampleRun, Some(&drawn.gallery))?;
        let about = || about().of(&drawn.gallery).with("item", Detail::Number(item));
        if let Some(before) = &drawn.found {
            return Err(self.refused(about(), SampleError::Recorded { item, by: before.person.clone() }).await?);
        }
        if self.parties(drawn).await?.contains(&self.person) {
            return Err(self.refused(about(), SampleError::Party { person: self.person.clone(), item }).await?);
        }
        let (outcome, at) = (found.as_str().to_owned(), clock::now_rfc3339());
        let made = Found { outcome, person: self.person.clone(), at, said };
        let happening = about().with("outcome", Detail::Word(found.as_str()));
        let shown = self.shown(drawn).await?;
        if self.book.record((id, item), &made, (&drawn.gallery, &shown), &happening).await? {
            return self.sample(id).await;
        }
        Err(self.refused(about(), SampleError::Recorded { item, by: "somebody else".to_owned() }).await?)
    }

    /// Shows a sample.
    ///
    /// # Errors
    /// [`SampleError::NoSample`], and what the records say.
    pub async fn show(&self, id: i64) -> Result<Sample, CaseworkError> {
        let sample = self.sample(id).await?;
        require(&self.caller, Permission::SampleRun, sample.record.gallery.as_ref())?;
        let happening = Happening::new(Kind::SampleRead).about([Object::Sample(id)]);
        self.vault.tell(&happening.with("items", Detail::Number(sample.items.len() as u64))).await?;
        Ok(sample)
    }

    /// Samples, newest first.
    ///
    /// # Errors
    /// What the records say.
    pub async fn list(&self) -> Result<Vec<SampleRecord>, CaseworkError> {
        let mut found = self.book.newest(SAMPLE_PAGE_MAX).await?;
        found.retain(|sample| self.caller.may(Permission::SampleRun, sample.gallery.as_ref()));
        let happening = Happening::new(Kind::SampleListed).with("samples", Detail::Number(found.len() as u64));
        self.vault.tell(&happening).await?;
        Ok(found)
    }

    async fn record_of(&self, id: i64) -> Result<SampleRecord, CaseworkError> {
        Ok(self.book.one(id).await?.ok_or(SampleError::NoSample(id))?)
    }

    async fn sample(&self, id: i64) -> Result<Sample, CaseworkError> {
        let record = self.record_of(id).await?;
        let items = self.book.items(id).await?;
        let rate = Rate::of(&items);
        Ok(Sample { record, items, rate })
    }

    /// What the log says of its opening.
    async fn opening(&self, id: i64) -> Result<Opening, CaseworkError> {
        // Whoever was refused another such sample since is told of it too, but none before it was open.
        let event = self.audit.first_about(Kind::SampleOpened, Object::Sample(id)).await?;
        let opened = event.and_then(|event| Opening::of(&serde_json::from_str(&event.body).ok()?));
        Ok(opened.filter(|opening| opening.sample == id).ok_or(SampleError::NotAsOpened(id))?)
    }

    /// The first checkpoint that was signed when the sample was open and its period over.
    async fn checkpoint(&self, opening: &Opening) -> Result<Option<Checkpoint>, CaseworkError> {
        // Read now: the first checkpoint makes it.
        let Some(key) = public_key(&self.data)? else { return Ok(None) };
        let folder = self.audit.folder().await?;
        let over = clock::rfc3339_of(opening.frame.to);
        let mut last = opening.seq - 1;
        loop {
            let page = self.audit.checkpoints_after(last).await?;
            let Some((end, _)) = page.last() else { return Ok(None) };
            last = *end;
            for (seq, stored) in &page {
                let checkpoint = stored.open(key, &folder, *seq).map_err(SampleError::Log)?;
                if checkpoint.at >= over {
                    return Ok(Some(checkpoint));
                }
            }
        }
    }

    /// Every event that a checkpoint covers, each held against the chain.
    async fn walk(
        &self,
        checkpoint: &Checkpoint,
        mut take: impl FnMut(&Event) -> Result<(), draw::CanNotDraw>,
    ) -> Result<(), CaseworkError> {
        let mut chain = Chain::new(&self.audit.folder().await?);
        while chain.seq() < checkpoint.seq {
            let page = self.audit.after(chain.seq()).await?;
            let left = usize::try_from(checkpoint.seq - chain.seq()).unwrap_or(usize::MAX);
            if page.is_empty() {
                break;
            }
            for stored in page.iter().take(left) {
                take(&chain.take(stored).map_err(SampleError::Log)?).map_err(SampleError::from)?;
            }
        }
        if chain.hash() == checkpoint.hash {
            return Ok(());
        }
        let what = crate::audit::chain::Wrong::NotAsSealed;
        Err(SampleError::Log(crate::audit::Fault { seq: checkpoint.seq, what }).into())
    }

    async fn event(&self, seq: u64) -> Result<Event, CaseworkError> {
        let body = self.audit.body_at(seq).await?;
        let event = body.and_then(|body| serde_json::from_str(&body).ok());
        let what = crate::audit::chain::Wrong::NoEvent;
        Ok(event.ok_or(SampleError::Log(crate::audit::Fault { seq, what }))?)
    }

    /// Everybody who had a part in something: who did it, who asked for the search, and all who decided in its review.
    async fn parties(&self, item: &ItemRecord) -> Result<Vec<String>, CaseworkError> {
        let mut parties = vec![item.actor.clone()];
        let Some(search) = item.search else { return Ok(parties) };
        let book = self.vault.review_book();
        parties.extend(book.search(search).await?.map(|facts| facts.actor));
        if let Some(review) = book.of_search(search).await?
            && let Some(review) = book.one(review).await?
        {
            parties.push(review.opened_by);
            parties.extend(review.claim.map(|claim| claim.by));
            parties.extend(review.decisions.into_iter().map(|decision| decision.person));
        }
        Ok(parties)
    }

    /// The templates that it is about and that are not erased.
    async fn shown(&self, item: &ItemRecord) -> Result<Vec<TemplateId>, CaseworkError> {
        let mut ids: Vec<_> = item.template.into_iter().collect();
        if let Some(search) = item.search {
            let facts = self.vault.review_book().search(search).await?;
            ids.extend(facts.into_iter().flat_map(|facts| facts.candidates).map(|candidate| candidate.template));
        }
        Ok(self.vault.references(&item.gallery, &ids).await?.into_keys().collect())
    }

    /// That somebody was told no is told too.
    async fn refused(&self, about: Happening, error: SampleError) -> Result<CaseworkError, CaseworkError> {
        let word = error.refusal().unwrap_or("refused");
        self.vault.tell(&about.with("refusal", Detail::Word(word)).ended(Outcome::Refused)).await?;
        Ok(error.into())
    }
}

fn object_of(item: &NewItem) -> Object {
    match item.about {
        About::Template(id) => Object::Templates(id, id),
        About::Search(id) => Object::Search(id),
        About::Review(_) => Object::Event(item.seq),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(outcome: Option<&str>) -> ItemRecord {
        let found = outcome.map(|word| Found {
            outcome: word.to_owned(),
            person: "una".to_owned(),
            at: String::new(),
            said: String::new(),
        });
        ItemRecord {
            position: 1,
            object: "template:1".to_owned(),
            seq: 1,
            actor: "ann".to_owned(),
            gallery: "custody".parse().unwrap(),
            template: Some(TemplateId(1)),
            search: None,
            found,
        }
    }

    /// By bisection over sums of binomial terms: 2 of 20 give 0.01234853 to 0.31698271, none of 10 give 0 to 0.30849710.
    #[test]
    fn the_rate_is_of_what_can_be_told() {
        let mut items: Vec<ItemRecord> = (0..18).map(|_| item(Some("right"))).collect();
        items.extend([item(Some("wrong")), item(Some("wrong")), item(Some("cannot_tell")), item(None)]);
        let rate = Rate::of(&items);
        assert_eq!((rate.right, rate.wrong, rate.cannot_tell, rate.open), (18, 2, 1, 1));
        let interval = rate.interval.unwrap();
        assert!(
            (interval.low - 0.012_348_53).abs() < 1e-8 && (interval.high - 0.316_982_71).abs() < 1e-8,
            "{interval:?}"
        );
        let clean: Vec<ItemRecord> = (0..10).map(|_| item(Some("right"))).collect();
        let interval = Rate::of(&clean).interval.unwrap();
        assert!(interval.low == 0.0 && (interval.high - 0.308_497_1).abs() < 1e-8, "{interval:?}");
        assert_eq!(Rate::of(&[item(None), item(Some("cannot_tell"))]).interval, None);
    }
}
