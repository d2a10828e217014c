//! When an image of a subject is to be reviewed and when it is to be gone: arithmetic on days, which knows no clock.
//!
//! Presumption of deletion: of those who were not convicted, and of those who were under 18, nothing is kept but by a decision
//! with a reason. (Home Office, Review of the Use and Retention of Custody Images, 2017.)

use crate::base::day::Day;
use crate::base::ids::GalleryName;
use crate::policy::admit::closest;
use crate::policy::{Disposal, GalleryPeriods, ImageFacts, Period, Policy};

/// The dates of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// From this day on it is due for its review.
    pub review: Day,
    /// From this day on it is overdue, and goes.
    pub expires: Day,
}

/// What is known of an image with the dates that follow from it; `None` where no policy was asked yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DatedFacts {
    /// What is known.
    pub facts: ImageFacts,
    /// What follows.
    pub clock: Option<Clock>,
}

impl DatedFacts {
    /// With the dates that a gallery's periods give an image that comes into it on the day `enrolled`.
    #[must_use]
    pub fn under(periods: Option<&GalleryPeriods>, facts: ImageFacts, enrolled: Day) -> Self {
        let clock = periods.map(|periods| periods.clock(&facts, enrolled));
        Self { facts, clock }
    }

    /// Whether what was decided on `before` was decided on something else: on other dates, or on another presumption.
    #[must_use]
    pub fn is_decided_anew(&self, before: &Self) -> bool {
        self.clock != before.clock || self.facts.is_presumed_to_go() != before.facts.is_presumed_to_go()
    }

    /// Whether an image that was presumed to go by `before` would stay longer by this, or be presumed to go no more.
    #[must_use]
    pub fn outlives(&self, before: &Self) -> bool {
        let Some(old) = before.clock.filter(|_| before.facts.is_presumed_to_go()) else { return false };
        !self.facts.is_presumed_to_go() || self.clock.is_none_or(|new| new.expires > old.expires)
    }
}

/// What is to be done with an image on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nothing.
    Kept,
    /// Somebody has to review it.
    Due,
    /// Its time is over.
    Overdue,
}

impl Clock {
    /// How it stands on a day.
    #[must_use]
    pub fn on(self, day: Day) -> Standing {
        if day >= self.expires {
            Standing::Overdue
        } else if day >= self.review {
            Standing::Due
        } else {
            Standing::Kept
        }
    }
}

impl Period {
    /// The day on which a period ends that begins on `day`.
    #[must_use]
    pub fn after(self, day: Day) -> Day {
        match self {
            Self::None => day,
            Self::Days(days) => day.plus_days(days),
            Self::Months(months) => day.plus_months(months),
            Self::Years(years) => day.plus_months(years.saturating_mul(12)),
        }
    }
}

impl Disposal {
    /// Whether the matter ended without a conviction. A caution counts as one, as it does for fingerprints (Police and Criminal
    /// Evidence Act 1984, section 65B).
    #[must_use]
    pub const fn is_unconvicted(self) -> bool {
        match self {
            Self::Acquitted | Self::Discontinued | Self::NoFurtherAction => true,
            Self::NoneYet | Self::Convicted | Self::Caution => false,
        }
    }
}

impl ImageFacts {
    /// Whether it goes unless somebody decides, for a reason, that it is kept.
    #[must_use]
    pub fn is_presumed_to_go(&self) -> bool {
        self.disposal.is_unconvicted() || self.under18 == Some(true)
    }
}

impl GalleryPeriods {
    /// The dates of an image that came into the gallery on the day `enrolled`.
    #[must_use]
    pub fn clock(&self, facts: &ImageFacts, enrolled: Day) -> Clock {
        let from = facts.captured_on.unwrap_or(enrolled);
        let known = facts.disposed_on.unwrap_or(from).max(from);
        let group = facts.review_group.and_then(|group| self.review_groups.get(&group.to_string()));
        let convicted = group.copied().unwrap_or(self.convicted).after(from);
        // Whatever the periods are, nobody is kept longer for not having been convicted, or for having been young.
        let mut review = match facts.disposal {
            Disposal::NoneYet => self.undecided.after(from).min(convicted),
            Disposal::Convicted | Disposal::Caution => convicted,
            Disposal::Acquitted | Disposal::Discontinued | Disposal::NoFurtherAction => {
                self.not_convicted.after(known).min(convicted.max(known))
            }
        };
        if facts.under18 == Some(true) && facts.disposal != Disposal::NoneYet {
            review = review.min(self.under18.after(known));
        }
        let expires = self.grace.after(review);
        let expires = facts.expires_on.map_or(expires, |given| given.min(expires));
        let review = facts.review_on.map_or(review, |given| given.min(review)).min(expires);
        Clock { review, expires: expires.min(self.grace.after(review)) }
    }

    /// The dates of an image that somebody decided to keep until a day.
    #[must_use]
    pub fn kept_until(&self, day: Day) -> Clock {
        Clock { review: day, expires: self.grace.after(day) }
    }
}

impl Policy {
    /// The periods of a gallery; `None` where the policy names none.
    #[must_use]
    pub fn periods(&self, gallery: &GalleryName) -> Option<&GalleryPeriods> {
        closest(&self.retention.galleries, gallery)
    }

    /// Refuses facts that can't be so under this policy.
    ///
    /// # Errors
    /// In words, without the texts.
    pub fn check_facts(&self, facts: &ImageFacts, today: Day) -> Result<(), String> {
        facts.check(today)?;
        match &facts.lawful_basis {
            Some(basis) if !self.lawful_bases.contains(basis) => {
                Err(format!("a lawful basis is one of the policy's: {}", self.lawful_bases.join(", ")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> Day {
        text.parse().unwrap()
    }

    fn periods() -> GalleryPeriods {
        Policy::builtin().unwrap().periods(&"custody".parse().unwrap()).unwrap().clone()
    }

    #[test]
    fn the_unconvicted_and_the_young_go_and_the_convicted_are_reviewed() {
        let facts = |disposal, under18| ImageFacts {
            captured_on: Some(day("2020-02-29")),
            disposal,
            disposed_on: (disposal != Disposal::NoneYet).then(|| day("2021-03-01")),
            under18,
            ..ImageFacts::default()
        };
        let clock = |facts: &ImageFacts| periods().clock(facts, day("2026-11-22"));
        let convicted = clock(&facts(Disposal::Convicted, None));
        assert_eq!(convicted, Clock { review: day("2026-02-28"), expires: day("2026-03-30") });
        assert_eq!(
            clock(&ImageFacts { review_group: Some(1), ..facts(Disposal::Convicted, None) }).review,
            day("2030-02-28")
        );
        for gone in [Disposal::Acquitted, Disposal::Discontinued, Disposal::NoFurtherAction] {
            let facts = facts(gone, Some(false));
            assert!(facts.is_presumed_to_go());
            assert_eq!(clock(&facts), Clock { review: day("2021-03-01"), expires: day("2021-03-31") }, "{gone:?}");
        }
        let young = facts(Disposal::Convicted, Some(true));
        assert!(young.is_presumed_to_go() && clock(&young).review == day("2021-03-01"));
        let undecided = facts(Disposal::NoneYet, None);
        assert!(!undecided.is_presumed_to_go() && clock(&undecided).review == day("2021-02-28"));
        assert_eq!(periods().clock(&ImageFacts::default(), day("2026-11-22")).review, day("2027-11-22"));
        let given = ImageFacts { review_on: Some(day("2020-06-01")), ..facts(Disposal::Convicted, None) };
        assert_eq!(clock(&given), Clock { review: day("2020-06-01"), expires: day("2020-07-01") });
        let standing = ["2026-02-27", "2026-02-28", "2026-03-29", "2026-03-30"].map(|text| convicted.on(day(text)));
        assert_eq!(standing, [Standing::Kept, Standing::Due, Standing::Due, Standing::Overdue]);
    }

    fn a_period() -> impl Strategy<Value = Period> {
        prop_oneof![
            Just(Period::None),
            (1_u32..4_000).prop_map(Period::Days),
            (1_u32..240).prop_map(Period::Months),
            (1_u32..20).prop_map(Period::Years)
        ]
    }

    prop_compose! {
        fn some_periods()(
            (convicted, not_convicted, under18) in (a_period(), a_period(), a_period()),
            (undecided, grace, group) in (a_period(), a_period(), proptest::option::of(a_period()))
        ) -> GalleryPeriods {
            let review_groups = group.map(|group| ("2".to_owned(), group)).into_iter().collect();
            GalleryPeriods { convicted, not_convicted, under18, undecided, review_groups, grace }
        }
    }

    prop_compose! {
        fn some_facts()(
            captured in proptest::option::of(0_u32..10_000),
            disposal in proptest::sample::select(Disposal::ALL),
            (known, group) in (proptest::option::of(0_u32..4_000), proptest::option::of(1_u8..=3)),
            under18 in proptest::option::of(any::<bool>()),
            (review, expires) in (proptest::option::of(0_u32..20_000), proptest::option::of(0_u32..20_000)),
        ) -> ImageFacts {
            let base = day("1990-01-01");
            let captured_on = captured.map(|days| base.plus_days(days));
            let given = |days: Option<u32>| days.map(|days| captured_on.unwrap_or(base).plus_days(days));
            let (review_on, expires_on) = (given(review), given(expires));
            ImageFacts {
                captured_on, disposal, under18, review_group: group, review_on,
                disposed_on: given(known.filter(|_| disposal != Disposal::NoneYet)),
                expires_on: expires_on.map(|expires| review_on.map_or(expires, |review| expires.max(review))),
                ..ImageFacts::default()
            }
        }
    }

    proptest! {
        #[test]
        fn clocks_keep_their_promises(periods in some_periods(), facts in some_facts(), enrolled in 0_u32..15_000, later in 0_u32..3_000) {
            let enrolled = day("1990-01-01").plus_days(enrolled);
            let from = facts.captured_on.unwrap_or(enrolled);
            let clock = periods.clock(&facts, enrolled);
            prop_assert!(clock.review <= clock.expires);
            prop_assert!(clock.expires <= periods.grace.after(clock.review));
            if facts.review_on.is_none() && facts.expires_on.is_none() {
                prop_assert!(clock.review >= from);
            }
            // Nobody is kept longer for having been young, for not having been convicted once that is known, or by a date of their own.
            let as_adult = ImageFacts { under18: Some(false), ..facts.clone() };
            prop_assert!(clock.review <= periods.clock(&as_adult, enrolled).review);
            let as_convicted = ImageFacts { disposal: Disposal::Convicted, ..facts.clone() };
            let known = facts.disposed_on.unwrap_or(from);
            prop_assert!(facts.under18 == Some(true) || clock.review <= periods.clock(&as_convicted, enrolled).review.max(known));
            let without = ImageFacts { review_on: None, expires_on: None, ..facts.clone() };
            prop_assert!(clock.expires <= periods.clock(&without, enrolled).expires);
            prop_assert!(facts.expires_on.is_none_or(|given| clock.expires <= given));
            // What was taken later does not go earlier.
            let shifted = |day: Option<Day>| day.map(|day| day.plus_days(later));
            let after = ImageFacts {
                captured_on: shifted(facts.captured_on), disposed_on: shifted(facts.disposed_on), ..without.clone()
            };
            prop_assert!(periods.clock(&without, enrolled).review <= periods.clock(&after, enrolled.plus_days(later)).review);
        }

        #[test]
        fn a_standing_never_goes_back(review in 0_u32..4_000, grace in 0_u32..900, at in 0_u32..6_000, more in 0_u32..900) {
            let base = day("2000-01-01");
            let clock = Clock { review: base.plus_days(review), expires: base.plus_days(review + grace) };
            prop_assert!(clock.on(base.plus_days(at)) <= clock.on(base.plus_days(at + more)));
        }
    }
}
