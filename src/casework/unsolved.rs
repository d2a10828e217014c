//! Unsolved probes: a search that led to nobody may be put on a list, and made anew as long as its picture is kept, which is as long as
//! the policy says of pictures that are searched with. The list is no gallery: nobody who is on it is ever found by a search.

use std::sync::Arc;

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::ids::GalleryName;
use crate::base::text::{is_overwritten, printable};
use crate::casework::access::require;
use crate::casework::access::users::somebody;
use crate::casework::faces::FaceChoice;
use crate::casework::operating_points::{Scope, ThresholdChoice};
use crate::casework::review::State;
use crate::casework::search::{Answer, ModeChoice, ProbePicture, SearchRequest, search};
use crate::casework::{CaseworkError, Desk, reason_of};
use crate::gallery::{GalleryError, Vault};
use crate::identify::Filter;
use crate::policy::Role;
use crate::records::disclosures::RecordedSearch;
use crate::records::unsolved::{UnsolvedBook, UnsolvedFacts, UnsolvedRecord};
use crate::records::{SearchOf, Statement};
use crate::rights::{Permission, Roles};
use crate::vision::geometry::Bounds;

/// Why something could not be done with an unsolved probe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnsolvedError {
    /// There is no such entry that stands on the list.
    #[error("unsolved probe {0} is not on the list (any more): `bertillon unsolved list` shows those that are")]
    NotListed(i64),
    /// There is no such search.
    #[error("there is no search {0}: its number stands under the answer of `bertillon search`")]
    NoSearch(i64),
    /// It stands there.
    #[error("search {search} is on the list already: unsolved probe {unsolved}")]
    Listed {
        /// Which search.
        search: i64,
        /// Its entry.
        unsolved: i64,
    },
    /// A search that was made for an entry is no second one.
    #[error("search {search} was made for unsolved probe {unsolved}, which stands for it")]
    Rescan {
        /// Which search.
        search: i64,
        /// Whose.
        unsolved: i64,
    },
    /// No picture to search with again.
    #[error("no picture is kept of search {0}: only searches that state what for keep theirs, and for a time")]
    NoPicture(i64),
    /// It led to somebody.
    #[error("search {0} led to somebody: it is not unsolved")]
    Lead(i64),
    /// Its review is not over, and who asks is no supervisor of its gallery.
    #[error("the review of search {0} did not end without a lead: a supervisor may put it on the list all the same")]
    NotOver(i64),
    /// Whoever asks has no part in it.
    #[error("unsolved probes are for examiners and supervisors of the gallery {0}")]
    NotAllowed(GalleryName),
    /// A reason that is none.
    #[error("give a reason of 1 to {most} bytes", most = crate::base::limits::RECORD_TEXT_BYTES_MAX)]
    Reason,
    /// What was searched can't be searched again.
    #[error("search {search} can't be made anew: {why}")]
    NotAgain {
        /// Which search.
        search: i64,
        /// Why not.
        why: &'static str,
    },
    /// Others were quicker.
    #[error("others changed it at the same moment: look at it again")]
    Overtaken,
}

/// The unsolved probes of a data folder, for one person.
pub struct UnsolvedRoom {
    desk: Arc<Desk>,
    vault: Vault,
    book: UnsolvedBook,
    caller: Caller,
    person: String,
}

/// What a search that was made anew came to.
#[derive(Debug, Clone)]
pub struct Rescanned {
    /// The search, as any other.
    pub answer: Answer,
    /// Templates on its list that counted after all earlier searches of the entry, by rank.
    pub new: Vec<u64>,
}

impl UnsolvedRoom {
    /// For whoever calls. Where there are users, an account of the operating system is the user of its name.
    ///
    /// # Errors
    /// [`CaseworkError::Access`] for who is none of them, or has no name.
    pub async fn enter(desk: &Arc<Desk>, caller: &Caller) -> Result<Self, CaseworkError> {
        let (caller, person) = somebody(&desk.vault, caller).await?;
        let vault = desk.vault.acting_for(&caller);
        Ok(Self { desk: Arc::clone(desk), book: vault.unsolved_book(), vault, caller, person })
    }

    /// Puts a search on the list, for a reason; its number there.
    ///
    /// # Errors
    /// [`UnsolvedError`], and what the records say.
    pub async fn add(&self, search: i64, reason: &str) -> Result<i64, CaseworkError> {
        require(&self.caller, Permission::SearchRun, None)?;
        let facts = self.book.facts(search).await?.ok_or(UnsolvedError::NoSearch(search))?;
        let roles = self.roles(&facts.gallery)?;
        may_be_listed(search, &facts, roles)?;
        let reason = reason_of(&printable(reason)).ok_or(UnsolvedError::Reason)?;
        Ok(self.book.add(search, &self.person, &reason).await?.ok_or(UnsolvedError::Overtaken)?)
    }

    /// What stands on the list with numbers below `before`, newest first, at most `limit`, of the galleries that one may search.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], and what the records say.
    pub async fn list(&self, before: Option<i64>, limit: usize) -> Result<Vec<UnsolvedRecord>, CaseworkError> {
        require(&self.caller, Permission::ReviewRead, None)?;
        let within = self.caller.galleries_for(Permission::ReviewRead);
        let found = self.book.newest(within.as_ref(), (before.unwrap_or(i64::MAX), limit)).await?;
        let about = found.iter().map(|entry| Object::Unsolved(entry.id));
        self.vault.tell(&Happening::new(Kind::UnsolvedListed).about(about)).await?;
        Ok(found)
    }

    /// Takes an entry off the list.
    ///
    /// # Errors
    /// [`UnsolvedError`], and what the records say.
    pub async fn remove(&self, id: i64) -> Result<(), CaseworkError> {
        let entry = self.listed(id).await?;
        if self.book.remove(&entry, &self.person).await? { Ok(()) } else { Err(UnsolvedError::NotListed(id).into()) }
    }

    /// Makes the search of an entry anew: the same face of the same picture, by the same rules, stating what was stated. It is held against the
    /// policy and recorded as any other search.
    ///
    /// # Errors
    /// [`UnsolvedError`], and what the search says.
    pub async fn rescan(&self, id: i64) -> Result<Rescanned, CaseworkError> {
        let entry = self.listed(id).await?;
        if entry.review.as_deref() == Some(LEAD) {
            return Err(UnsolvedError::Lead(entry.search).into());
        }
        let found = self.vault.disclosure_book().search(entry.search).await?;
        let request = anew(found.ok_or(UnsolvedError::NoSearch(entry.search))?, id, self.caller.clone())?;
        let answer = search(&self.desk, request, || ()).await?;
        let probes = answer.pictures.iter().flat_map(|picture| &picture.probes);
        let candidates = probes.flat_map(|probe| &probe.candidates).map(|candidate| candidate.template);
        let new = candidates.filter(|template| *template > entry.searched_to).map(|template| template.0).collect();
        Ok(Rescanned { answer, new })
    }

    /// An entry that stands on the list, in a gallery where they have a part.
    async fn listed(&self, id: i64) -> Result<UnsolvedRecord, CaseworkError> {
        require(&self.caller, Permission::SearchRun, None)?;
        let entry = self.book.one(id).await?.filter(|entry| entry.state == "listed");
        let entry = entry.ok_or(UnsolvedError::NotListed(id))?;
        self.roles(&entry.gallery)?;
        Ok(entry)
    }

    /// Their roles in a gallery, if they have a part there.
    fn roles(&self, gallery: &GalleryName) -> Result<Roles, UnsolvedError> {
        let roles = self.caller.roles_for(Permission::SearchRun, Some(gallery));
        let part = roles.any_of(&[Role::Examiner, Role::Supervisor]);
        if part { Ok(roles) } else { Err(UnsolvedError::NotAllowed(gallery.clone())) }
    }
}

/// The machine's word for a review that led to somebody.
const LEAD: &str = "lead";

/// Whether a search may be put on the list by somebody with `roles`: one whose review ended without a lead, or one that a supervisor names.
fn may_be_listed(search: i64, facts: &UnsolvedFacts, roles: Roles) -> Result<(), UnsolvedError> {
    let ended = [State::ClosedNegative, State::ClosedConflict].map(|state| state.as_str());
    match (facts.listed, facts.rescan_of, facts.review.as_deref()) {
        (Some(unsolved), ..) => Err(UnsolvedError::Listed { search, unsolved }),
        (None, Some(unsolved), _) => Err(UnsolvedError::Rescan { search, unsolved }),
        (None, None, Some(LEAD)) => Err(UnsolvedError::Lead(search)),
        (None, None, review) => {
            let over = review.is_some_and(|review| ended.contains(&review));
            if !over && !roles.any_of(&[Role::Supervisor]) {
                return Err(UnsolvedError::NotOver(search));
            }
            facts.probe.map(|_| ()).ok_or(UnsolvedError::NoPicture(search))
        }
    }
}

/// The request that makes a recorded search anew.
fn anew(found: RecordedSearch, unsolved: i64, caller: Caller) -> Result<SearchRequest, CaseworkError> {
    let searched = &found.searched;
    let can_not = |why| UnsolvedError::NotAgain { search: searched.search, why };
    let Statement { stated, .. } = found.statement.ok_or(can_not("it stated nothing"))?;
    if stated.reason.as_deref().is_some_and(is_overwritten) {
        return Err(can_not("why it was made was erased, with somebody whom its review named").into());
    }
    let people = usize::try_from(searched.people).ok().filter(|people| *people > 0);
    let people = people.ok_or(can_not("it is of before the records kept what that takes"))?;
    let filter = searched.restriction.as_deref().unwrap_or_default().parse::<Filter>();
    let filter = filter.map_err(|_| can_not("it was restricted to subjects, whom records name by hash only"))?;
    // The record begins with the point's name, which has no blanks.
    let point = searched.operating_point.as_deref().and_then(|point| point.split(' ').next());
    let threshold = match (point, searched.threshold) {
        (Some(point), _) => ThresholdChoice::Point(point.to_owned(), Scope::default()),
        (None, Some(score)) => ThresholdChoice::Score(score.0),
        (None, None) => ThresholdChoice::None,
    };
    let [x, y, width, height] = searched.face.map(|number| number.0);
    Ok(SearchRequest {
        gallery: searched.gallery.parse()?,
        pictures: Vec::new(),
        of: Some(SearchOf::Unsolved(unsolved)),
        faces: FaceChoice::Nearest(Bounds { x, y, width, height }),
        people,
        threshold,
        filter,
        mode: ModeChoice::Exact,
        stated,
        caller,
    })
}

/// The kept picture of an entry, for a search. That it is searched with is told with the search.
///
/// # Errors
/// [`UnsolvedError::NotListed`], and what records and keys say.
pub(super) async fn to_search(desk: &Desk, caller: &Caller, id: i64) -> Result<Vec<ProbePicture>, CaseworkError> {
    let entry = desk.vault.unsolved_book().one(id).await?.filter(|entry| entry.state == "listed");
    let entry = entry.ok_or(UnsolvedError::NotListed(id))?;
    require(caller, Permission::SearchRun, Some(&entry.gallery))?;
    let reader = desk.vault.open_probe(entry.probe).await?;
    let bytes = crate::casework::enrol::blocking(move || reader.whole()).await?.map_err(GalleryError::from)?;
    Ok(vec![ProbePicture { name: format!("probe {}", entry.probe), bytes }])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(review: Option<&str>) -> UnsolvedFacts {
        UnsolvedFacts {
            gallery: "custody".parse().unwrap(),
            probe: Some(5),
            review: review.map(str::to_owned),
            listed: None,
            rescan_of: None,
        }
    }

    #[test]
    fn what_led_to_somebody_is_not_unsolved_and_what_is_not_over_takes_a_supervisor() {
        let (examiner, supervisor) = (Roles::of(&[Role::Examiner]), Roles::of(&[Role::Supervisor]));
        for (review, by_examiner) in [
            (None, Err(UnsolvedError::NotOver(7))),
            (Some("open"), Err(UnsolvedError::NotOver(7))),
            (Some("conflict"), Err(UnsolvedError::NotOver(7))),
            (Some("withdrawn"), Err(UnsolvedError::NotOver(7))),
            (Some("closed_negative"), Ok(())),
            (Some("closed_conflict"), Ok(())),
        ] {
            assert_eq!(may_be_listed(7, &facts(review), examiner), by_examiner, "{review:?}");
            assert_eq!(may_be_listed(7, &facts(review), supervisor), Ok(()), "{review:?}");
        }
        let closed = facts(Some("closed_negative"));
        for (facts, refused) in [
            (facts(Some("lead")), UnsolvedError::Lead(7)),
            (UnsolvedFacts { probe: None, ..closed.clone() }, UnsolvedError::NoPicture(7)),
            (UnsolvedFacts { listed: Some(3), ..closed.clone() }, UnsolvedError::Listed { search: 7, unsolved: 3 }),
            (UnsolvedFacts { rescan_of: Some(3), ..closed }, UnsolvedError::Rescan { search: 7, unsolved: 3 }),
        ] {
            assert_eq!(may_be_listed(7, &facts, supervisor), Err(refused));
        }
    }
}
