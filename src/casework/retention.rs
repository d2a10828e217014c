//! Retention: what is due for its review, who decides about it, and what goes. The policy's periods say when; the presumption is
//! that pictures of those who were not convicted, and of the young, are deleted.

use crate::audit::{Detail, Happening, Kind, Object};
use crate::base::day::Day;
use crate::base::limits::{HOLD_REVIEW_DAYS, HOLD_REVIEW_GRACE_DAYS, RETENTION_RUN_MAX, SUBJECT_PAGE_MAX};
use crate::casework::access::require;
use crate::casework::access::users::somebody;
use crate::casework::subjects::{SubjectRoom, reason_of};
use crate::casework::{CaseworkError, Desk, certificate};
use crate::gallery::{Erase, GalleryError};
use crate::policy::Period;
use crate::records::subjects::{Decided, DueImage, HoldRecord, ImageRecord, Keep, SubjectError, ToErase};
use crate::records::{OpenTooLong, Over};
use crate::rights::Permission;

/// Longest time for which one decision keeps something, in years.
const KEEP_YEARS_MAX: u32 = 10;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ran {
    /// Templates that were erased.
    pub erased: Vec<u64>,
    /// Certificates that were signed, with the salts that open them: kept nowhere.
    pub certificates: Vec<(i64, Option<String>)>,
    /// Images that were due to go and are under legal hold: number and hold; the first of them.
    pub held: Vec<(i64, i64)>,
    /// How many of those were met.
    pub held_in_all: u64,
    /// Reviews that were open longer than their lists are kept, and were withdrawn.
    pub reviews: u64,
    /// Candidate lists that were emptied, with what was stated and written about them.
    pub lists: u64,
    /// Whether there may be more: to be run again.
    pub more: bool,
}

/// What is due beside images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Beside {
    /// Holds that stand for so long that somebody has to look whether they are needed.
    pub holds: Vec<HoldRecord>,
    /// Reviews that are open longer than their lists are kept: the next run withdraws them.
    pub reviews: Vec<OpenTooLong>,
}

impl Ran {
    fn hold(&mut self, image: i64, hold: i64) {
        self.held_in_all += 1;
        if self.held.len() < RETENTION_RUN_MAX {
            self.held.push((image, hold));
        }
    }
}

impl SubjectRoom {
    /// Images whose review, or, `overdue`, whose end was due by `day`, the longest due first, after one of that date and number,
    /// at most `limit`.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], what the records say.
    pub async fn due(
        &self,
        (day, overdue): (Day, bool),
        after: Option<(Day, i64)>,
        limit: usize,
    ) -> Result<Vec<DueImage>, CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        self.reckon().await?;
        let found = self.book.due(&self.gallery, (day, overdue), after, limit).await?;
        let listed = Happening::new(Kind::RetentionListed).of(&self.gallery);
        let listed = listed.about(found.iter().map(|due| Object::Image(due.image.id)));
        let word = if overdue { "overdue" } else { "due" };
        self.vault.tell(&listed.with("list", Detail::Word(word))).await?;
        Ok(found)
    }

    /// What else is due, or overdue, by `day`: legal holds to be looked at again, and, overdue, reviews that are open longer than
    /// their lists are kept. At most `limit` of either, those with the lowest numbers, and those open longest.
    ///
    /// # Errors
    /// [`CaseworkError::NotAllowed`], what the records say.
    pub async fn due_beside_images(&self, (day, overdue): (Day, bool), limit: usize) -> Result<Beside, CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        let days = HOLD_REVIEW_DAYS + if overdue { HOLD_REVIEW_GRACE_DAYS } else { 0 };
        let placed_before = day.plus_days(1).minus_days(days);
        let holds = self.book.holds(&self.gallery, (0, false), Some(placed_before), limit).await?;
        let reviews = if overdue {
            self.vault.disclosure_book().open_too_long(&self.gallery, self.lists_over(day).lists, limit).await?
        } else {
            Vec::new()
        };
        let listed = Happening::new(Kind::RetentionListed).of(&self.gallery);
        let listed = listed.about(holds.iter().map(|hold| Object::Hold(hold.id)));
        let listed = listed.about(reviews.iter().map(|open| Object::Review(open.review)));
        let word = if overdue { "overdue_beside_images" } else { "due_beside_images" };
        self.vault.tell(&listed.with("list", Detail::Word(word))).await?;
        Ok(Beside { holds, reviews })
    }

    /// Keeps an image until a day, for a reason. Where it is presumed to go and the policy wants two people for that, the first
    /// decision waits until somebody else decides the same.
    ///
    /// # Errors
    /// [`SubjectError::Decision`], [`SubjectError::SamePerson`], [`CaseworkError::Access`] for who is no user where there are
    /// users, and the others.
    pub async fn keep(&self, image: i64, until: Day, reason: &str, today: Day) -> Result<Decided, CaseworkError> {
        // Nobody is two people by coming once with a key and once by their account.
        let (known, _) = somebody(&self.vault, &self.caller).await?;
        require(&known, Permission::ReferenceErase, Some(&self.gallery))?;
        let reason = reason_of(reason)?;
        let Some(periods) = self.policy.periods(&self.gallery) else {
            return Err(SubjectError::Decision("the policy has no periods for this gallery".to_owned()).into());
        };
        if until <= today || until > today.plus_months(KEEP_YEARS_MAX * 12) {
            let said = format!(
                "keep it until a day after today, and for {KEEP_YEARS_MAX} years at most: then it is reviewed again"
            );
            return Err(SubjectError::Decision(said).into());
        }
        let exception = self.exception_takes_two();
        let ask = |image: &ImageRecord| {
            let clock = periods.kept_until(until);
            Ok(Keep { until, clock, takes_two: exception && image.facts.is_presumed_to_go() })
        };
        let book = self.vault.acting_for(&known).subject_book();
        Ok(book.decide_keep(&self.gallery, image, &reason, ask).await?)
    }

    /// Decides that an image goes with the next run.
    ///
    /// # Errors
    /// [`SubjectError::Held`], and the others.
    pub async fn delete(&self, image: i64, reason: &str) -> Result<(), CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        Ok(self.book.decide_delete(&self.gallery, image, &reason_of(reason)?).await?)
    }

    /// Erases what was decided to go and what expired by `day`, at most `most`; nothing that is under legal hold. Each erasure gets its
    /// certificate. When none is left, withdraws the reviews that are open longer than lists are kept, and empties the candidate lists whose
    /// period was over by that day.
    ///
    /// # Errors
    /// What the gallery says: what was erased before stays erased, and is on record.
    pub async fn run_retention(&self, desk: &Desk, day: Day, most: usize) -> Result<Ran, CaseworkError> {
        self.require(Permission::ReferenceErase)?;
        self.reckon().await?;
        let (mut ran, mut after, mut left) = (Ran::default(), 0, most.min(RETENTION_RUN_MAX));
        while left > 0 {
            let page = self.book.to_erase(&self.gallery, (day, after), left.min(SUBJECT_PAGE_MAX)).await?;
            let Some(last) = page.last() else { break };
            after = last.image;
            for one in page {
                // What is held takes no room from what can go.
                if self.erase_one(desk, (one, day), &mut ran).await? {
                    left -= 1;
                }
            }
        }
        ran.more = most > 0 && left == 0;
        if !ran.more {
            let (book, lists) = (self.vault.disclosure_book(), self.lists_over(day).lists);
            loop {
                match book.withdraw_open_too_long(&self.gallery, lists).await? {
                    0 => break,
                    some => ran.reviews += some as u64,
                }
            }
            ran.lists = self.vault.empty_lists(&self.gallery, self.lists_over(day)).await?;
        }
        let done = Happening::new(Kind::RetentionRun).of(&self.gallery);
        let done = done.with("erased", Detail::Number(ran.erased.len() as u64));
        let done = done.with("lists", Detail::Number(ran.lists)).with("reviews", Detail::Number(ran.reviews));
        self.vault.tell(&done.with("held", Detail::Number(ran.held_in_all))).await?;
        Ok(ran)
    }

    /// Which lists are over on `day`, by the policy's periods: whatever of it is made so long before, that day included.
    fn lists_over(&self, day: Day) -> Over {
        let periods = &self.policy.retention.search;
        let before = |period: Period| day.plus_days(1).minus_days(period.days_at_least());
        Over { lists: before(periods.list), leads: before(periods.lead) }
    }

    /// Whether it was erased.
    async fn erase_one(&self, desk: &Desk, (one, day): (ToErase, Day), ran: &mut Ran) -> Result<bool, CaseworkError> {
        if let Some(hold) = one.held {
            ran.hold(one.image, hold);
            return Ok(false);
        }
        match certificate::erase(desk, &self.caller, &self.gallery, Erase::Due(one.template, day)).await {
            Ok(done) => {
                ran.erased.extend(done.erased.templates.iter().map(|id| id.0));
                let salt = done.erased.begun.as_ref().and_then(|begun| begun.salt);
                ran.certificates
                    .extend(done.certificate.map(|id| (id, salt.map(|salt| crate::base::hex::encode(&salt)))));
                Ok(true)
            }
            // Placed, or decided to be kept, since it was looked for.
            Err(CaseworkError::Gallery(GalleryError::Held { hold, .. })) => {
                ran.hold(one.image, hold);
                Ok(false)
            }
            Err(CaseworkError::Gallery(GalleryError::NothingToErase { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives dates to images that have none: those of a release that knew none.
    async fn reckon(&self) -> Result<(), CaseworkError> {
        let Some(periods) = self.policy.periods(&self.gallery) else { return Ok(()) };
        while self.book.reckon(&self.gallery, |facts, enrolled| periods.clock(facts, enrolled)).await? > 0 {}
        Ok(())
    }
}
