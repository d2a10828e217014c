//! Where a policy contradicts itself, and what in it somebody should know before adopting it. Each finding has its place, as
//! the file names it.

use std::collections::BTreeSet;
use std::fmt;

use crate::base::limits::{
    CANDIDATES_MAX, CLAIM_MINUTES_MAX, CLAIM_MINUTES_MIN, POLICY_GALLERIES_MAX, POLICY_WORD_BYTES_MAX, POLICY_WORDS_MAX,
};
use crate::policy::{GalleryPeriods, Period, Policy, Role, SearchField, TwoPersonAct, VERSION};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Such a policy is refused.
    Contradiction,
    /// Lawful, and somebody should have meant it.
    Remark,
}

/// Something found in a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, as the file names it: `purposes.x.galleries.custody`.
    pub place: String,
    /// What.
    pub what: String,
    /// How much it weighs.
    pub weight: Weight,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn wrong(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.0.push(Finding { place: place.into(), what: what.into(), weight: Weight::Contradiction });
    }

    fn remark(&mut self, place: impl Into<String>, what: impl Into<String>) {
        self.0.push(Finding { place: place.into(), what: what.into(), weight: Weight::Remark });
    }

    /// No member twice.
    fn once<T: PartialEq>(&mut self, place: &str, members: &[T]) {
        let twice = members.iter().enumerate().any(|(at, member)| members.iter().take(at).any(|other| other == member));
        if twice {
            self.wrong(place, "something stands there twice");
        }
    }

    /// A closed list of words: some, none twice, each of a form that flags, records and the audit log can carry.
    fn words<'a>(&mut self, place: &str, words: impl Iterator<Item = &'a String>) {
        let mut seen = BTreeSet::new();
        for word in words {
            let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if word.is_empty() || word.len() > POLICY_WORD_BYTES_MAX || !word.bytes().all(letters) {
                let short: String = word.chars().take(20).collect();
                self.wrong(place, format!("{short:?}: words are 1 to {POLICY_WORD_BYTES_MAX} of a-z, 0-9 and _"));
            }
            if !seen.insert(word) {
                self.wrong(place, format!("{word:?} stands there twice"));
            }
        }
        match seen.len() {
            0 => self.wrong(place, "it is empty, so no search could be made"),
            words if words > POLICY_WORDS_MAX => self.wrong(place, format!("more than {POLICY_WORDS_MAX}")),
            _some => {}
        }
    }
}

impl Policy {
    /// Everything in it that contradicts itself or should be known, contradictions first, in the order of the file.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let mut found = Findings::default();
        self.check_head(&mut found);
        self.check_required(&mut found);
        self.check_purposes(&mut found);
        self.check_people(&mut found);
        self.check_retention(&mut found);
        let Findings(mut found) = found;
        found.sort_by_key(|finding| finding.weight == Weight::Remark);
        found
    }

    fn check_head(&self, found: &mut Findings) {
        if self.version != VERSION {
            found.wrong("version", format!("it is {}, and this release reads version {VERSION}", self.version));
        }
        if self.name.trim().is_empty() || self.name.len() > 200 || self.name.chars().any(char::is_control) {
            found.wrong("name", "say in one line of at most 200 bytes whose policy it is");
        }
        found.words("lawful_bases", self.lawful_bases.iter());
        found.words("seriousness.order", self.seriousness.order.iter());
        found.words("purposes", self.purposes.keys());
    }

    fn check_required(&self, found: &mut Findings) {
        found.once("require.search", &self.require.search);
        found.once("require.disclosure", &self.require.disclosure);
        found.once("require.consultation", &self.require.consultation);
        if !self.require.search.contains(&SearchField::Purpose) {
            found.wrong(
                "require.search",
                "\"purpose\" is missing: without it no search can be held against the purposes",
            );
        }
        for field in [SearchField::LawfulBasis, SearchField::CaseRef, SearchField::Reason] {
            if !self.require.search.contains(&field) {
                found.remark("require.search", format!("searches need not state {:?}", field.as_str()));
            }
        }
        if self.require.disclosure.is_empty() {
            found.remark("require.disclosure", "who receives something need not be stated");
        }
    }

    fn check_purposes(&self, found: &mut Findings) {
        let least = self.seriousness.order.first();
        for (name, purpose) in &self.purposes {
            let place = format!("purposes.{name}");
            let galleries = format!("{place}.galleries");
            match purpose.galleries.len() {
                0 => found.wrong(&galleries, "it is empty: nothing could be searched for that purpose"),
                many if many > POLICY_GALLERIES_MAX => {
                    found.wrong(&galleries, format!("{many}: at most {POLICY_GALLERIES_MAX}"));
                }
                _some => {}
            }
            let fields = purpose.require.as_ref().unwrap_or(&self.require.search);
            for (gallery, level) in &purpose.galleries {
                let place = format!("{galleries}.{gallery:?}");
                gallery_pattern(found, &place, gallery);
                if !self.seriousness.order.contains(level) {
                    found.wrong(&place, format!("{level:?} does not stand in seriousness.order"));
                } else if Some(level) != least && !fields.contains(&SearchField::Seriousness) {
                    let what = format!("it takes {level:?} at least, and searches need not state \"seriousness\"");
                    found.wrong(&place, what);
                }
            }
            if let Some(fields) = &purpose.require {
                let place = format!("{place}.require");
                found.once(&place, fields);
                if !fields.contains(&SearchField::Purpose) {
                    found.wrong(&place, "\"purpose\" is missing");
                }
                if purpose.galleries.contains_key("*") && fields.len() < self.require.search.len() {
                    found.remark(
                        &place,
                        "searches of every gallery may state less than require.search for this purpose",
                    );
                }
            }
            self.check_purpose_roles(found, &format!("{place}.roles"), purpose.roles.as_deref());
        }
    }

    fn check_purpose_roles(&self, found: &mut Findings, place: &str, roles: Option<&[Role]>) {
        let listed = |role: &Role| self.lists.get(role).is_some_and(|length| *length > 0);
        match roles {
            Some(roles) => {
                found.once(place, roles);
                for role in roles.iter().filter(|role| !listed(role)) {
                    found.wrong(place, format!("{} may search, and lists.{0} shows them nothing", role.as_str()));
                }
                if roles.is_empty() {
                    found.wrong(place, "it is empty: nobody could search for that purpose");
                }
            }
            None if !self.lists.keys().any(listed) => {
                found.wrong(place, "nobody is shown a list, so nobody could search for that purpose");
            }
            None => {}
        }
    }

    fn check_people(&self, found: &mut Findings) {
        for (role, length) in &self.lists {
            let place = format!("lists.{}", role.as_str());
            if *length as usize > CANDIDATES_MAX {
                found.wrong(&place, format!("{length}: at most {CANDIDATES_MAX} people"));
            }
            if *length > 0 && !role.searches() {
                found.wrong(&place, "that role does not search: 0, or leave it out");
            }
        }
        let review = &self.review;
        if review.negatives_percent > 100 {
            found.wrong("review.negatives_percent", format!("{} of a hundred", review.negatives_percent));
        } else if review.negatives_percent == 0 {
            found.remark("review.negatives_percent", "nobody looks a second time where the first names nobody");
        }
        for (key, blind) in [("score", review.blind_score), ("rank", review.blind_rank), ("name", review.blind_name)] {
            if !blind {
                found.remark(format!("review.blind_{key}"), format!("examiners see the {key} before they decide"));
            }
        }
        if !(CLAIM_MINUTES_MIN..=CLAIM_MINUTES_MAX).contains(&review.claim_minutes) {
            let what = format!("{}: from {CLAIM_MINUTES_MIN} to {CLAIM_MINUTES_MAX}", review.claim_minutes);
            found.wrong("review.claim_minutes", what);
        }
        found.once("thresholds.raw_roles", &self.thresholds.raw_roles);
        if !(2..=9).contains(&self.thresholds.approvers) {
            let what = format!("{}: operating points take 2 to 9 people", self.thresholds.approvers);
            found.wrong("thresholds.approvers", what);
        }
        if self.thresholds.default_point.len() > POLICY_WORD_BYTES_MAX {
            found.wrong("thresholds.default_point", format!("longer than {POLICY_WORD_BYTES_MAX} bytes"));
        }
        for role in self.thresholds.raw_roles.iter().filter(|role| **role != Role::Evaluator) {
            let what = format!("{} may search by a threshold that nobody approved", role.as_str());
            found.remark("thresholds.raw_roles", what);
        }
        found.once("two_person.acts", &self.two_person.acts);
        for (act, what) in [
            (TwoPersonAct::Policy, "\"policy\" is missing: one person alone could set all other rules aside"),
            (TwoPersonAct::Role, "\"role\" is missing: one person alone could make themselves two"),
        ] {
            if !self.two_person.acts.contains(&act) {
                found.wrong("two_person.acts", what);
            }
        }
        if self.volume.searches_per_day == 0 {
            found.wrong("volume.searches_per_day", "0: every search would be unusual");
        }
        found.once("mfa.roles", &self.mfa.roles);
    }

    fn check_retention(&self, found: &mut Findings) {
        if self.retention.galleries.len() > POLICY_GALLERIES_MAX {
            found.wrong("retention.galleries", format!("at most {POLICY_GALLERIES_MAX}"));
        }
        for (gallery, periods) in &self.retention.galleries {
            let place = format!("retention.galleries.{gallery:?}");
            gallery_pattern(found, &place, gallery);
            check_periods(found, &place, periods);
        }
        if !self.retention.galleries.contains_key("*") {
            found.remark("retention.galleries", "there is no \"*\": galleries that are not named have no periods");
        }
        let search = &self.retention.search;
        if search.list.surely_longer_than(search.lead) {
            let what = format!("{}, and the lists that leads rest on are kept for {}", search.lead, search.list);
            found.wrong("retention.search.lead", what);
        }
        for (key, period) in [("probe", search.probe), ("template", search.template)] {
            if period.surely_longer_than(search.list) && period.surely_longer_than(search.lead) {
                let what = format!("{period}, and what it was searched for and found is gone before");
                found.wrong(format!("retention.search.{key}"), what);
            }
        }
        if search.failed_probe.surely_longer_than(search.probe) {
            let what = format!("{}: pictures that gave nothing outlast those that were searched", search.failed_probe);
            found.wrong("retention.search.failed_probe", what);
        } else if search.failed_probe != Period::None {
            found
                .remark("retention.search.failed_probe", "pictures of people are kept from which nothing was searched");
        }
    }
}

fn check_periods(found: &mut Findings, place: &str, periods: &GalleryPeriods) {
    let GalleryPeriods { convicted, not_convicted, under18, undecided, review_groups, grace } = periods;
    if undecided.surely_longer_than(*convicted) {
        let what = format!("{undecided} is longer than convicted, which is {convicted}");
        found.wrong(format!("{place}.undecided"), what);
    }
    if *undecided == Period::None {
        found.wrong(format!("{place}.undecided"), "whoever is enrolled would be due at once: give a period");
    }
    for (key, period) in [("not_convicted", not_convicted), ("under18", under18)] {
        if period.surely_longer_than(*convicted) {
            found.wrong(format!("{place}.{key}"), format!("{period} is longer than convicted, which is {convicted}"));
        } else if *period != Period::None {
            let what = format!("kept for {period}, against the presumption that they are deleted");
            found.remark(format!("{place}.{key}"), what);
        }
    }
    for (group, period) in review_groups {
        let place = format!("{place}.review_groups.{group}");
        if !["1", "2", "3"].contains(&group.as_str()) {
            found.wrong(&place, "review groups are 1, 2 and 3");
        }
        if *period == Period::None {
            found.wrong(&place, "a review group is reviewed after some time: give a period");
        }
    }
    if grace.surely_longer_than(Period::Years(1)) {
        found.wrong(format!("{place}.grace"), format!("{grace}: what is due waits a year at most"));
    }
}

/// A gallery's name, the beginning of names and `*`, or `*`.
fn gallery_pattern(found: &mut Findings, place: &str, pattern: &str) {
    let begin = pattern.strip_suffix('*').unwrap_or(pattern);
    let open = pattern.ends_with('*');
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
    let begins = begin.bytes().next().is_none_or(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if (begin.is_empty() && !open) || begin.len() > 63 || !begins || !begin.bytes().all(fits) {
        found.wrong(place, "no gallery can have that name: a name, the beginning of names and *, or * alone");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse::BUILTIN;

    fn findings(from: &str, to: &str) -> Vec<Finding> {
        let text = BUILTIN.replacen(from, to, 1);
        assert_ne!(text, BUILTIN, "{from}");
        Policy::parse(&text, "x").unwrap().check()
    }

    #[test]
    fn every_contradiction_is_named_with_its_place() {
        let cases = [
            ("version = 1", "version = 2", "version"),
            ("name = \"Built-in", "name = \"\\n", "name"),
            ("\"consent\", ", "\"consent\", \"consent\", ", "lawful_bases"),
            ("[\"none\", \"summary\"", "[\"none\", \"None\", \"summary\"", "seriousness.order"),
            ("search = [\"purpose\", ", "search = [", "require.search"),
            ("\"case_ref\", \"reason\"]", "\"reason\", \"reason\"]", "require.search"),
            ("\"*\" = \"either_way\"", "\"*\" = \"either_wya\"", "purposes.investigate_crime.galleries.\"*\""),
            ("galleries = { \"demo\" = \"none\" }", "galleries = { }", "purposes.demonstration.galleries"),
            ("{ \"demo\" = \"none\" }", "{ \"demo\" = \"summary\" }", "purposes.demonstration.galleries.\"demo\""),
            (
                "\"missing-*\" = \"none\"",
                "\"Missing-*\" = \"none\"",
                "purposes.find_missing_person.galleries.\"Missing-*\"",
            ),
            (
                "\"missing-*\" = \"none\"",
                "\"mis*ing\" = \"none\"",
                "purposes.find_missing_person.galleries.\"mis*ing\"",
            ),
            ("require = [\"purpose\"]", "require = [\"reason\"]", "purposes.demonstration.require"),
            ("roles = [\"evaluator\"]\nrequire", "roles = [\"auditor\"]\nrequire", "purposes.evaluation.roles"),
            ("roles = [\"evaluator\"]\nrequire", "roles = []\nrequire", "purposes.evaluation.roles"),
            ("evaluator = 1000", "evaluator = 1001", "lists.evaluator"),
            ("evaluator = 1000", "evaluator = 1000\nsubmitter = 5", "lists.submitter"),
            ("evaluator = 1000", "", "purposes.evaluation.roles"),
            ("negatives_percent = 10", "negatives_percent = 101", "review.negatives_percent"),
            ("claim_minutes = 120", "claim_minutes = 0", "review.claim_minutes"),
            ("approvers = 2", "approvers = 1", "thresholds.approvers"),
            ("acts = [\"policy\", ", "acts = [", "two_person.acts"),
            ("not_convicted = \"delete\"", "not_convicted = \"10y\"", "retention.galleries.\"*\".not_convicted"),
            ("undecided = \"1y\"", "undecided = \"10y\"", "retention.galleries.\"*\".undecided"),
            ("1 = \"10y\"", "4 = \"10y\"", "retention.galleries.\"*\".review_groups.4"),
            ("grace = \"30d\"", "grace = \"2y\"", "retention.galleries.\"*\".grace"),
            ("lead = \"7y\"", "lead = \"1y\"", "retention.search.lead"),
            ("template = \"31d\"", "template = \"8y\"", "retention.search.template"),
            ("failed_probe = \"delete\"", "failed_probe = \"32d\"", "retention.search.failed_probe"),
            ("searches_per_day = 500", "searches_per_day = 0", "volume.searches_per_day"),
        ];
        for (from, to, place) in cases {
            let found = findings(from, to);
            let first = found.first().unwrap_or_else(|| panic!("{place}: nothing was found"));
            assert_eq!((first.place.as_str(), first.weight), (place, Weight::Contradiction), "{found:?}");
        }
    }

    #[test]
    fn what_is_lawful_and_should_be_meant_is_a_remark() {
        let cases = [
            ("blind_score = true", "blind_score = false", "review.blind_score"),
            ("negatives_percent = 10", "negatives_percent = 0", "review.negatives_percent"),
            ("under18 = \"delete\"", "under18 = \"1y\"", "retention.galleries.\"*\".under18"),
            ("raw_roles = [\"evaluator\"]", "raw_roles = [\"examiner\"]", "thresholds.raw_roles"),
            ("\"case_ref\", \"reason\"]", "\"reason\"]", "require.search"),
        ];
        for (from, to, place) in cases {
            let found = findings(from, to);
            assert_eq!(found.len(), 1, "{found:?}");
            assert_eq!((found[0].place.as_str(), found[0].weight), (place, Weight::Remark));
        }
        assert_eq!(Policy::builtin().unwrap().check(), []);
    }
}
