//! Subjects and the records of their images: looked at, put right, restricted, held. Who may do it is asked here, and what is
//! shown is told first.

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef};
use crate::base::limits::RECORD_TEXT_BYTES_MAX;
use crate::casework::CaseworkError;
use crate::casework::access::require;
use crate::casework::governing::in_force;
use crate::gallery::{GalleryError, Vault};
use crate::policy::{DatedFacts, Fact, Policy, TwoPersonAct};
use crate::records::subjects::{
    Described, HoldRecord, ImageRecord, MoveRecord, SubjectBook, SubjectError, SubjectRecord,
};
use crate::rights::Permission;

/// The subjects of one gallery, for one caller.
pub struct SubjectRoom {
    pub(super) vault: Vault,
    pub(super) book: SubjectBook,
    pub(super) policy: Policy,
    pub(super) caller: Caller,
    pub(super) gallery: GalleryName,
}

/// A subject with a page of its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectView {
    /// Who.
    pub subject: SubjectRecord,
    /// Their images.
    pub images: Vec<ImageRecord>,
}

impl SubjectRoom {
    /// For whoever calls, under the policy in force.
    ///
    /// # Errors
    /// [`GalleryError::NoGallery`], what the records say.
    pub async fn enter(vault: &Vault, caller: &Caller, gallery: &GalleryName) -> Result<Self, CaseworkError> {
        let policy = in_force(vault).await?.policy;
        Self::under(policy, vault, caller, gallery).await
    }

    /// For whoever calls, under `policy`.
    ///
    /// # Errors
    /// [`GalleryError::NoGallery`], what the records say.
    pub async fn under(
        policy: Policy,
        vault: &Vault,
        caller: &Caller,
        gallery: &GalleryName,
    ) -> Result<Self, CaseworkError> {
        let vault = vault.acting_for(caller);
        if !vault.knows(gallery).await? {
            return Err(GalleryError::NoGallery(gallery.clone()).into());
        }
        let book = vault.subject_book();
        Ok(Self { vault, book, policy, caller: caller.clone(), gallery: gallery.clone() })
    }

    /// Subjects after number `after`, at most `limit`.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], what the records say.
    pub async fn list(&self, after: i64, limit: usize) -> Result<Vec<SubjectRecord>, CaseworkError> {
        self.require(Permission::GalleryRead)?;
        let found = self.book.list(&self.gallery, after, limit).await?;
        let listed = Happening::new(Kind::SubjectListed).of(&self.gallery);
        let listed = listed.about(found.iter().map(|subject| Object::Subject(subject.id)));
        self.vault.tell(&listed.with("subjects", Detail::Number(found.len() as u64))).await?;
        Ok(found)
    }

    /// A subject, and its images after number `after`, at most `limit`.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], [`SubjectError::NoSubject`], what the records say.
    pub async fn show(&self, who: &SubjectRef, after: i64, limit: usize) -> Result<SubjectView, CaseworkError> {
        self.require(Permission::GalleryRead)?;
        let subject = self.book.called(&self.gallery, who).await?;
        let images = self.book.images(subject.id, after, limit).await?;
        self.tell_read(subject.id).await?;
        Ok(SubjectView { subject, images })
    }

    /// How images came to a subject and went from it, newest first, before move `before`, at most `limit`.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], [`SubjectError::NoSubject`], what the records say.
    pub async fn history(
        &self,
        who: &SubjectRef,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(SubjectRecord, Vec<MoveRecord>), CaseworkError> {
        self.require(Permission::GalleryRead)?;
        let subject = self.book.called(&self.gallery, who).await?;
        let moves = self.book.moves(subject.id, before, limit).await?;
        self.tell_read(subject.id).await?;
        Ok((subject, moves))
    }

    /// Sets fields of what is known of an image; what is known then, with the dates that follow. Of one that is presumed to go nobody
    /// sets alone what lets it stay: a decision that keeps it comes first.
    ///
    /// # Errors
    /// [`SubjectError::PresumedToGo`]; [`SubjectError::Decision`] for what can't be so, and the others.
    pub async fn set(&self, image: i64, fields: &[(Fact, String)]) -> Result<DatedFacts, CaseworkError> {
        self.require(Permission::ReferenceEnrol)?;
        let (periods, today) = (self.policy.periods(&self.gallery), Day::today());
        let by_two = self.exception_takes_two();
        let change = |image: &ImageRecord| {
            let mut facts = image.facts.clone();
            for (fact, text) in fields {
                facts.put(*fact, text).map_err(|rule| format!("{}: {rule}", fact.as_str()))?;
            }
            self.policy.check_facts(&facts, today)?;
            // By today's periods both; where there are none any more, dates stay as they were reckoned.
            let dated = |facts| {
                let dated = DatedFacts::under(periods, facts, image.created_on);
                DatedFacts { clock: dated.clock.or(image.clock), ..dated }
            };
            let (before, about) = (dated(image.facts.clone()), dated(facts));
            let wants_keep = about.outlives(&before).then_some(by_two);
            Ok(Described { decided_anew: about.is_decided_anew(&before), about, wants_keep })
        };
        Ok(self.book.describe(&self.gallery, image, change).await?)
    }

    /// Makes two subjects one. The number of the move.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn merge(&self, from: &SubjectRef, into: &SubjectRef, reason: &str) -> Result<i64, CaseworkError> {
        self.require(Permission::ReferenceEnrol)?;
        Ok(self.book.merge(&self.gallery, (from, into), &reason_of(reason)?).await?)
    }

    /// Makes a subject of its own of some images. The number of the move.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn split(
        &self,
        from: &SubjectRef,
        new: &str,
        images: &[i64],
        reason: &str,
    ) -> Result<i64, CaseworkError> {
        self.require(Permission::ReferenceEnrol)?;
        let new = SubjectRef::of_person(new)?;
        Ok(self.book.split(&self.gallery, (from, &new), images, &reason_of(reason)?).await?)
    }

    /// Gives an image to another subject. The number of the move.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn reassign(&self, image: i64, to: &SubjectRef, reason: &str) -> Result<i64, CaseworkError> {
        self.require(Permission::ReferenceEnrol)?;
        Ok(self.book.reassign(&self.gallery, image, to, &reason_of(reason)?).await?)
    }

    /// Takes a move back.
    ///
    /// # Errors
    /// [`SubjectError::MovedOn`], and the others.
    pub async fn undo(&self, id: i64, reason: &str) -> Result<(), CaseworkError> {
        self.require(Permission::ReferenceEnrol)?;
        Ok(self.book.undo(&self.gallery, id, &reason_of(reason)?).await?)
    }

    /// Keeps a subject out of every search that begins from now on, or lets it in again. Its number.
    ///
    /// # Errors
    /// [`SubjectError::Already`], and the others.
    pub async fn restrict(&self, who: &SubjectRef, restricted: bool, reason: &str) -> Result<i64, CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        Ok(self.book.restrict(&self.gallery, who, restricted, &reason_of(reason)?).await?)
    }

    /// Orders that nothing of a subject is erased. The hold's number.
    ///
    /// # Errors
    /// [`SubjectError`].
    pub async fn place_hold(&self, who: &SubjectRef, reason: &str) -> Result<i64, CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        Ok(self.book.place_hold(&self.gallery, who, &reason_of(reason)?).await?)
    }

    /// Ends a hold.
    ///
    /// # Errors
    /// [`SubjectError::NoHold`], and the others.
    pub async fn lift_hold(&self, hold: i64, reason: &str) -> Result<(), CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        Ok(self.book.lift_hold(&self.gallery, hold, &reason_of(reason)?).await?)
    }

    /// Holds that stand, or all there ever were, after number `after`, at most `limit`.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], what the records say.
    pub async fn holds(&self, after: i64, lifted_too: bool, limit: usize) -> Result<Vec<HoldRecord>, CaseworkError> {
        self.require(Permission::GalleryRead)?;
        let found = self.book.holds(&self.gallery, (after, lifted_too), None, limit).await?;
        let listed = Happening::new(Kind::HoldListed).of(&self.gallery);
        self.vault.tell(&listed.about(found.iter().map(|hold| Object::Hold(hold.id)))).await?;
        Ok(found)
    }

    /// Whether it takes two people to keep what is presumed to go.
    pub(super) fn exception_takes_two(&self) -> bool {
        self.policy.two_person.acts.contains(&TwoPersonAct::RetentionException)
    }

    pub(super) fn require(&self, permission: Permission) -> Result<(), CaseworkError> {
        require(&self.caller, permission, Some(&self.gallery))
    }

    async fn tell_read(&self, subject: i64) -> Result<(), CaseworkError> {
        let read = Happening::new(Kind::SubjectRead).of(&self.gallery).about([Object::Subject(subject)]);
        Ok(self.vault.tell(&read).await?)
    }
}

/// A reason in words, which is wanted of whoever changes something.
pub(super) fn reason_of(reason: &str) -> Result<String, SubjectError> {
    let wanted =
        || SubjectError::Decision(format!("say why, in 1 to {RECORD_TEXT_BYTES_MAX} bytes without control characters"));
    crate::casework::reason_of(reason).ok_or_else(wanted)
}
