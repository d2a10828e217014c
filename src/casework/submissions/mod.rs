//! Submissions: a retailer or a control room hands in stills, and gets a receipt. From then on they see that it was received, taken, closed,
//! and nothing else: no candidates, no scores, not whether a lead came of it. Examiners search with the pictures.

pub mod error;
pub mod receipt;
pub mod state;

pub use error::SubmissionError;
pub use receipt::{NotReceived, Receipt};
pub use state::{Refusal, State};

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::base::limits::{SUBMISSION_BYTES_MAX, SUBMISSION_IMAGES_MAX};
use crate::base::text::printable;
use crate::casework::access::require;
use crate::casework::access::users::known;
use crate::casework::certificate::Sealed;
use crate::casework::enrol::blocking;
use crate::casework::governing::in_force;
use crate::casework::search::ProbePicture;
use crate::casework::{CaseworkError, Desk, keys, reason_of};
use crate::gallery::{GalleryError, Vault};
use crate::pictures::PictureReader;
use crate::policy::Period;
use crate::records::submissions::{NewSubmission, SubmissionBook, SubmissionRecord, Taken, Told, Work};
use crate::rights::Permission;
use crate::vision::decode::decode;

/// The submissions of a data folder, for one person.
pub struct SubmissionRoom {
    desk: Arc<Desk>,
    vault: Vault,
    book: SubmissionBook,
    caller: Caller,
}

/// A submission as it is shown to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What its submitter may know; nothing of the work on it.
    pub record: SubmissionRecord,
    /// What was done with it: for who works on submissions.
    pub work: Option<Work>,
    /// Its receipt, where one submission is shown that is not erased.
    pub receipt: Option<Sealed>,
}

/// What became of a hand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedIn {
    /// The submission.
    pub shown: Shown,
    /// Whether it had been handed in before: nothing is new.
    pub again: bool,
}

impl SubmissionRoom {
    /// For whoever calls. Where there are users, an account of the operating system is the user of its name.
    ///
    /// # Errors
    /// [`SubmissionError::NoUser`] where there are users and they are none.
    pub async fn enter(desk: &Arc<Desk>, caller: &Caller) -> Result<Self, CaseworkError> {
        let nobody = || SubmissionError::NoUser(caller.who().actor.clone());
        let caller = known(&desk.vault, caller).await?.ok_or_else(nobody)?;
        let vault = desk.vault.acting_for(&caller);
        Ok(Self { desk: Arc::clone(desk), book: vault.submission_book(), vault, caller })
    }

    /// Takes in stills of one offence. The same ones with the same words again are the same submission, with the same receipt.
    ///
    /// # Errors
    /// [`SubmissionError`], [`CaseworkError::Key`] where no receipt could be signed; nothing is taken in then.
    pub async fn hand_in(&self, pictures: Vec<Arc<[u8]>>, told: Told) -> Result<HandedIn, CaseworkError> {
        require(&self.caller, Permission::SubmissionHandIn, None)?;
        let (submitter, told) = (self.name()?.to_owned(), written(told)?);
        let period = in_force(&self.vault).await?.policy.retention.search.submission;
        if period == Period::None {
            return Err(SubmissionError::NotKept.into());
        }
        let pictures = checked(pictures).await?;
        // First: what can't be acknowledged is not taken in.
        let key = keys::signing_key(&self.desk.settings.data.folder)?;
        let folder = self.folder().await?;
        let days = Duration::from_hours(24) * period.days_at_least();
        let (received_at, expires_at) = (clock::now_rfc3339(), clock::rfc3339_in(days));
        let kept_as = GalleryName::of_submissions();
        let sealed = self.vault.seal_probes(&kept_as, pictures, &expires_at).await?;
        let new = NewSubmission { submitter, received_at, expires_at, told };
        let hash = |record: &SubmissionRecord| receipt_hash(Receipt::of(record, &folder, key.public()).as_ref());
        let taken = self.book.hand_in(&new, &sealed, hash).await;
        if !matches!(taken, Ok(Taken::New(_))) {
            self.vault.let_go(&kept_as, &sealed).await;
        }
        match taken? {
            Taken::New(record) => Ok(HandedIn { shown: self.with_receipt(*record).await?, again: false }),
            Taken::Before(submission, sha256) => {
                let hashes = sealed.iter().map(|picture| hex::encode(&picture.sha256)).collect();
                let other = SubmissionError::HandedIn { submission, sha256: hex::encode(&sha256) };
                self.same_again(submission, &new.told, &hashes).await?.ok_or_else(|| other.into())
            }
        }
    }

    /// The submission that is handed in again, if it says the same of the same pictures.
    async fn same_again(
        &self,
        id: i64,
        told: &Told,
        hashes: &BTreeSet<String>,
    ) -> Result<Option<HandedIn>, CaseworkError> {
        let Some(record) = self.book.one(id).await? else { return Ok(None) };
        let known: BTreeSet<String> = record.pictures.iter().map(|picture| picture.sha256.clone()).collect();
        if record.told.as_ref() != Some(told) || known != *hashes {
            return Ok(None);
        }
        let again = Happening::new(Kind::SubmissionHandedIn).about([Object::Submission(id)]);
        self.vault.tell(&again.with("again", Detail::Number(1))).await?;
        Ok(Some(HandedIn { shown: self.with_receipt(record).await?, again: true }))
    }

    /// Submissions with numbers below `before`, newest first, in `state` if it is given; their own for who only hands in.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], and what the records say.
    pub async fn list(
        &self,
        state: Option<State>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Shown>, CaseworkError> {
        require(&self.caller, Permission::SubmissionRead, None)?;
        let (state, before) = (state.map(State::as_str), before.unwrap_or(i64::MAX));
        let found = self.book.newest(self.own()?, state, (before, limit)).await?;
        let about = found.iter().map(|record| Object::Submission(record.id));
        self.vault.tell(&Happening::new(Kind::SubmissionListed).about(about)).await?;
        Ok(found.into_iter().map(|record| self.shown(record)).collect())
    }

    /// One submission, with its receipt.
    ///
    /// # Errors
    /// [`SubmissionError::NoSubmission`], also for somebody else's; [`CaseworkError::NotAllowed`], and what the records say.
    pub async fn show(&self, id: i64) -> Result<Shown, CaseworkError> {
        require(&self.caller, Permission::SubmissionRead, None)?;
        let record = self.book.one(id).await?.ok_or(SubmissionError::NoSubmission(id))?;
        if self.own()?.is_some_and(|own| own != record.submitter) {
            return Err(SubmissionError::NoSubmission(id).into());
        }
        let shown = self.with_receipt(record).await?;
        self.vault.tell(&Happening::new(Kind::SubmissionRead).about([Object::Submission(id)])).await?;
        Ok(shown)
    }

    /// A picture of a submission, to be read. That it was given out is told.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], [`GalleryError::NoSubmission`], and what records and keys say.
    pub async fn picture(&self, id: i64, number: i64) -> Result<PictureReader, CaseworkError> {
        require(&self.caller, Permission::SubmissionWork, None)?;
        let reader = self.vault.submitted(id, number).await?;
        let given = Happening::new(Kind::SubmissionPictureExported).about([Object::Submission(id)]);
        self.vault.tell(&given.with("picture", Detail::Number(number as u64))).await?;
        Ok(reader)
    }

    /// Takes a submission, to work on it.
    ///
    /// # Errors
    /// [`SubmissionError`], [`CaseworkError::NotAllowed`], and what the records say.
    pub async fn take(&self, id: i64) -> Result<State, CaseworkError> {
        let (from, next) = self.next(id, State::take).await?;
        let done = self.book.take(id, from.as_str(), self.name()?).await?;
        if done { Ok(next) } else { Err(SubmissionError::Overtaken.into()) }
    }

    /// Closes a submission, for a reason that its submitter is not told.
    ///
    /// # Errors
    /// [`SubmissionError`], [`CaseworkError::NotAllowed`], and what the records say.
    pub async fn close(&self, id: i64, reason: &str) -> Result<State, CaseworkError> {
        let reason = reason_of(&printable(reason)).ok_or(SubmissionError::Text("reason"))?;
        let (from, next) = self.next(id, State::close).await?;
        let done = self.book.close(id, from.as_str(), self.name()?, &reason).await?;
        if done { Ok(next) } else { Err(SubmissionError::Overtaken.into()) }
    }

    /// Erases the pictures and words of a submission. There is no way back.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], [`GalleryError::NoSubmission`], and what records and files say.
    pub async fn erase(&self, id: i64) -> Result<(), CaseworkError> {
        require(&self.caller, Permission::ReferenceErase, None)?;
        Ok(self.vault.erase_submission(id).await?)
    }

    /// Erases all submissions whose time is over; how many.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], and what records and files say.
    pub async fn erase_due(&self) -> Result<u64, CaseworkError> {
        require(&self.caller, Permission::ReferenceErase, None)?;
        Ok(self.vault.erase_submissions_due().await?)
    }

    /// Where a submission stands, and where it comes to, if whoever asks may and its state lets it.
    async fn next(
        &self,
        id: i64,
        act: impl Fn(State) -> Result<State, Refusal>,
    ) -> Result<(State, State), CaseworkError> {
        require(&self.caller, Permission::SubmissionWork, None)?;
        let record = self.book.one(id).await?.ok_or(SubmissionError::NoSubmission(id))?;
        Ok(step(&record, act)?)
    }

    /// The one name by which they go.
    fn name(&self) -> Result<&str, SubmissionError> {
        self.caller.person().ok_or(SubmissionError::Nobody)
    }

    /// Whose submissions they see: their own; `None` for everybody's.
    fn own(&self) -> Result<Option<&str>, SubmissionError> {
        if self.works() { Ok(None) } else { self.name().map(Some) }
    }

    fn works(&self) -> bool {
        self.caller.may(Permission::SubmissionWork, None)
    }

    fn shown(&self, mut record: SubmissionRecord) -> Shown {
        let work = std::mem::take(&mut record.work);
        Shown { record, work: self.works().then_some(work), receipt: None }
    }

    async fn with_receipt(&self, record: SubmissionRecord) -> Result<Shown, CaseworkError> {
        let key = keys::signing_key(&self.desk.settings.data.folder)?;
        let receipt = Receipt::of(&record, &self.folder().await?, key.public());
        let sealed = receipt.map(|receipt| receipt.sealed(&key)).transpose().map_err(CaseworkError::Stopped)?;
        Ok(Shown { receipt: sealed, ..self.shown(record) })
    }

    async fn folder(&self) -> Result<String, CaseworkError> {
        Ok(self.vault.audit_book().folder().await.map_err(GalleryError::from)?)
    }
}

/// The pictures of a submission, for a search by whoever works on submissions. That they were searched with is told with the search.
///
/// # Errors
/// [`SubmissionError`], [`CaseworkError::NotAllowed`], and what records and keys say.
pub(super) async fn to_search(desk: &Desk, caller: &Caller, id: i64) -> Result<Vec<ProbePicture>, CaseworkError> {
    require(caller, Permission::SubmissionWork, None)?;
    let record = desk.vault.submission_book().one(id).await?.ok_or(SubmissionError::NoSubmission(id))?;
    step(&record, State::search)?;
    let mut pictures = Vec::with_capacity(record.pictures.len());
    for picture in &record.pictures {
        let reader = desk.vault.submitted(id, picture.number).await?;
        let bytes = blocking(move || reader.whole()).await?.map_err(GalleryError::from)?;
        pictures.push(ProbePicture { name: format!("submission {id}, picture {}", picture.number), bytes });
    }
    Ok(pictures)
}

fn step(
    record: &SubmissionRecord,
    act: impl Fn(State) -> Result<State, Refusal>,
) -> Result<(State, State), SubmissionError> {
    let refused = |refusal| SubmissionError::Refused(record.id, refusal);
    if record.told.is_none() {
        return Err(refused(Refusal::Erased));
    }
    // A word that is no state can only be somebody's own change of the data base.
    let from = State::parse(&record.state).ok_or(SubmissionError::Overtaken)?;
    act(from).map(|next| (from, next)).map_err(refused)
}

/// What a submitter wrote, as it is kept.
fn written(told: Told) -> Result<Told, SubmissionError> {
    let kept = |what, text: &str| reason_of(&printable(text)).ok_or(SubmissionError::Text(what));
    // Forms of browsers send fields that were left empty.
    let maybe = |what, text: Option<String>| {
        text.filter(|text| !text.trim().is_empty()).map(|text| kept(what, &text)).transpose()
    };
    Ok(Told {
        reference: kept("reference", &told.reference)?,
        place: maybe("place", told.place)?,
        time: maybe("time", told.time)?,
    })
}

/// Pictures that can be taken in: few enough, and each one that can be decoded.
async fn checked(pictures: Vec<Arc<[u8]>>) -> Result<Vec<Arc<[u8]>>, CaseworkError> {
    if !(1..=SUBMISSION_IMAGES_MAX).contains(&pictures.len()) {
        return Err(SubmissionError::Pictures(pictures.len()).into());
    }
    let bytes = pictures.iter().map(|picture| picture.len()).sum();
    if bytes > SUBMISSION_BYTES_MAX {
        return Err(SubmissionError::Bytes(bytes).into());
    }
    blocking(move || {
        for (picture, number) in pictures.iter().zip(1..) {
            let no_picture =
                |error: crate::vision::VisionError| SubmissionError::Picture { number, why: error.to_string() };
            decode(picture).map_err(no_picture)?;
        }
        Ok(pictures)
    })
    .await?
}

fn receipt_hash(receipt: Option<&Receipt>) -> [u8; 32] {
    let text = receipt.and_then(|receipt| serde_json::to_string(receipt).ok()).unwrap_or_default();
    Sha256::digest(text).into()
}
