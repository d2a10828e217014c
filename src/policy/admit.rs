//! Whether a search may be made: by what it states, before any picture is looked at.

use std::collections::BTreeMap;

use crate::base::ids::GalleryName;
use crate::base::limits::{AUTHORISER_BYTES_MAX, CASE_REFERENCE_BYTES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::policy::{Policy, Purpose, Role, Roles, SearchField};

/// What a search states. What is blank counts as not stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stated {
    /// What for.
    pub purpose: Option<String>,
    /// On what basis in law.
    pub lawful_basis: Option<String>,
    /// How serious.
    pub seriousness: Option<String>,
    /// Of which case.
    pub case_ref: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Who authorised it: a user's name, or a person's with their rank.
    pub authoriser: Option<String>,
}

impl Stated {
    /// How much of it is stated.
    #[must_use]
    pub fn count(&self) -> usize {
        SearchField::ALL.into_iter().filter(|field| self.field(*field).is_some()).count()
    }

    /// The same with what is blank left out, and the blanks around the rest.
    #[must_use]
    pub fn trimmed(&self) -> Self {
        let text = |field| self.field(field).map(str::to_owned);
        Self {
            purpose: text(SearchField::Purpose),
            lawful_basis: text(SearchField::LawfulBasis),
            seriousness: text(SearchField::Seriousness),
            case_ref: text(SearchField::CaseRef),
            reason: text(SearchField::Reason),
            authoriser: text(SearchField::Authoriser),
        }
    }

    /// Refuses whoever asks as the one who authorises it. A name of theirs that is not the one the system knows them by is not
    /// recognised.
    ///
    /// # Errors
    /// [`NotAdmitted::OwnAuthoriser`].
    pub fn authorised_by_another(&self, requester: &str) -> Result<(), NotAdmitted> {
        let own = |name: &str| name.to_lowercase() == requester.trim().to_lowercase();
        if self.field(SearchField::Authoriser).is_some_and(own) { Err(NotAdmitted::OwnAuthoriser) } else { Ok(()) }
    }

    fn field(&self, field: SearchField) -> Option<&str> {
        let text = match field {
            SearchField::Purpose => &self.purpose,
            SearchField::LawfulBasis => &self.lawful_basis,
            SearchField::Seriousness => &self.seriousness,
            SearchField::CaseRef => &self.case_ref,
            SearchField::Reason => &self.reason,
            SearchField::Authoriser => &self.authoriser,
        };
        text.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }
}

/// Why a search may not be made. Nothing that was stated is quoted but the policy's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// Something was not stated. 422.
    #[error("the policy wants {} to be stated", .0.as_str())]
    Missing(SearchField),
    /// Something has a form or a length that no such thing has. 422.
    #[error("{} is longer than {most} bytes", .field.as_str())]
    TooLong {
        /// What.
        field: SearchField,
        /// How long it may be.
        most: usize,
    },
    /// A name with characters that no name has. 422.
    #[error("{} has line breaks or other control characters: it is one line of plain text", .0.as_str())]
    Unprintable(SearchField),
    /// A word that the policy does not know. 422.
    #[error("{} is none that the policy knows; it knows {known}", .field.as_str())]
    Unknown {
        /// What.
        field: SearchField,
        /// The words there are.
        known: String,
    },
    /// The gallery may not be searched for that. 403.
    #[error("the policy does not allow the gallery {gallery} to be searched for {purpose}; {instead}")]
    Gallery {
        /// Which.
        gallery: GalleryName,
        /// What for.
        purpose: String,
        /// What it may be searched for.
        instead: String,
    },
    /// It is not serious enough. 403.
    #[error("the policy allows the gallery {gallery} to be searched for {purpose} from {least} on; {stated} is less")]
    Seriousness {
        /// Which.
        gallery: GalleryName,
        /// What for.
        purpose: String,
        /// The least that is enough.
        least: String,
        /// What was stated, a word of the policy.
        stated: String,
    },
    /// The list would be longer than whoever asks may be shown for that. 403.
    #[error("the policy shows whoever asks at most {most} people: ask for a shorter list")]
    ListLength {
        /// How long it may be.
        most: u32,
    },
    /// Whoever asks may not choose a threshold by its number. 403.
    #[error(
        "a threshold by its number may be chosen by {allowed} under this policy: name an operating point or a target FPIR"
    )]
    Threshold {
        /// Which roles may.
        allowed: String,
    },
    /// Whoever asks says that they authorised it themselves. 403.
    #[error("who asks for a search does not authorise it: name who else did")]
    OwnAuthoriser,
    /// Whoever asks has no role that may. 403.
    #[error(
        "the policy does not allow searches for {purpose} to any of the roles of whoever asks; it does to {allowed}"
    )]
    Role {
        /// What for.
        purpose: String,
        /// Which roles may.
        allowed: String,
    },
}

impl NotAdmitted {
    /// Whether it is the policy that says no, and not the request that says too little.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::Gallery { .. }
            | Self::Seriousness { .. }
            | Self::ListLength { .. }
            | Self::Threshold { .. }
            | Self::OwnAuthoriser
            | Self::Role { .. } => true,
            Self::Missing(_) | Self::TooLong { .. } | Self::Unprintable(_) | Self::Unknown { .. } => false,
        }
    }

    /// A name for programs and for the audit log.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing(_) => "not-stated",
            Self::TooLong { .. } => "too-long",
            Self::Unprintable(_) => "unprintable",
            Self::Unknown { .. } => "unknown-word",
            Self::Gallery { .. } => "purpose-not-allowed",
            Self::Seriousness { .. } => "not-serious-enough",
            Self::ListLength { .. } => "list-too-long",
            Self::Threshold { .. } => "threshold-not-allowed",
            Self::OwnAuthoriser => "own-authoriser",
            Self::Role { .. } => "role-not-allowed",
        }
    }
}

impl Policy {
    /// Whether somebody with `roles` may search `gallery` stating that; `None` for roles where they are bound by
    /// none. The longest list that they may be shown, in people.
    ///
    /// # Errors
    /// [`NotAdmitted`], the first thing that is wrong.
    pub fn admit(&self, stated: &Stated, gallery: &GalleryName, roles: Option<Roles>) -> Result<u32, NotAdmitted> {
        let name = stated.field(SearchField::Purpose).ok_or(NotAdmitted::Missing(SearchField::Purpose))?;
        let unknown = |field, known: Vec<&str>| NotAdmitted::Unknown { field, known: known.join(", ") };
        let known = || self.purposes.keys().map(String::as_str).collect();
        let purpose = self.purposes.get(name).ok_or_else(|| unknown(SearchField::Purpose, known()))?;
        for field in purpose.require.as_ref().unwrap_or(&self.require.search) {
            stated.field(*field).ok_or(NotAdmitted::Missing(*field))?;
        }
        for (field, most) in [
            (SearchField::CaseRef, CASE_REFERENCE_BYTES_MAX),
            (SearchField::Reason, RECORD_TEXT_BYTES_MAX),
            (SearchField::Authoriser, AUTHORISER_BYTES_MAX),
        ] {
            if stated.field(field).is_some_and(|text| text.len() > most) {
                return Err(NotAdmitted::TooLong { field, most });
            }
        }
        if stated.field(SearchField::Authoriser).is_some_and(|name| name.contains(char::is_control)) {
            return Err(NotAdmitted::Unprintable(SearchField::Authoriser));
        }
        if let Some(basis) = stated.field(SearchField::LawfulBasis)
            && !self.lawful_bases.iter().any(|known| known == basis)
        {
            return Err(unknown(SearchField::LawfulBasis, self.lawful_bases.iter().map(String::as_str).collect()));
        }
        self.serious_enough(name, purpose, stated, gallery)?;
        self.longest_list(name, purpose, roles)
    }

    /// Whether whoever asks may choose a threshold by its number: `roles` are theirs, `None` for who is bound by none.
    ///
    /// # Errors
    /// [`NotAdmitted::Threshold`].
    pub fn admit_threshold(&self, roles: Option<Roles>) -> Result<(), NotAdmitted> {
        let raw = &self.thresholds.raw_roles;
        if roles.is_none_or(|roles| roles.any_of(raw)) {
            return Ok(());
        }
        let allowed = match raw.as_slice() {
            [] => "nobody".to_owned(),
            some => some.iter().map(|role| role.as_str()).collect::<Vec<_>>().join(", "),
        };
        Err(NotAdmitted::Threshold { allowed })
    }

    fn serious_enough(
        &self,
        name: &str,
        purpose: &Purpose,
        stated: &Stated,
        gallery: &GalleryName,
    ) -> Result<(), NotAdmitted> {
        let Some(least) = closest(&purpose.galleries, gallery) else {
            let others = self.purposes.iter().filter(|(_, other)| closest(&other.galleries, gallery).is_some());
            let others: Vec<&str> = others.map(|(other, _)| other.as_str()).collect();
            let instead = match others.as_slice() {
                [] => "no purpose of the policy names it".to_owned(),
                some => format!("it may be for {}", some.join(", ")),
            };
            return Err(NotAdmitted::Gallery { gallery: gallery.clone(), purpose: name.to_owned(), instead });
        };
        let place = |word: &str| self.seriousness.order.iter().position(|known| known == word);
        // Where nothing need be stated, nothing counts as the least.
        let word = stated.field(SearchField::Seriousness);
        let found = match word {
            Some(word) => Some(place(word).ok_or_else(|| NotAdmitted::Unknown {
                field: SearchField::Seriousness,
                known: self.seriousness.order.join(", "),
            })?),
            None => None,
        };
        // A word that the order does not have is a contradiction, and refuses rather than lets through.
        let enough = place(least).is_some_and(|least| found.unwrap_or(0) >= least);
        if enough {
            return Ok(());
        }
        let stated = word.unwrap_or("what was not stated").to_owned();
        let (gallery, purpose, least) = (gallery.clone(), name.to_owned(), least.to_owned());
        Err(NotAdmitted::Seriousness { gallery, purpose, least, stated })
    }

    fn longest_list(&self, name: &str, purpose: &Purpose, roles: Option<Roles>) -> Result<u32, NotAdmitted> {
        let may = |role: &Role| purpose.roles.as_ref().is_none_or(|roles| roles.contains(role));
        let lists = self.lists.iter().filter(|(role, length)| **length > 0 && may(role));
        let theirs = lists.clone().filter(|(role, _)| roles.is_none_or(|roles| roles.any_of(&[**role])));
        theirs.map(|(_, length)| *length).max().ok_or_else(|| {
            let allowed: Vec<&str> = lists.map(|(role, _)| role.as_str()).collect();
            NotAdmitted::Role { purpose: name.to_owned(), allowed: allowed.join(", ") }
        })
    }
}

/// What `rules` say about a gallery: of its name, else of the longest beginning of it, else of `*`.
#[must_use]
pub fn closest<'a, T>(rules: &'a BTreeMap<String, T>, gallery: &GalleryName) -> Option<&'a T> {
    if let Some(rule) = rules.get(gallery.as_str()) {
        return Some(rule);
    }
    let fits = |pattern: &String| pattern.strip_suffix('*').is_some_and(|begin| gallery.as_str().starts_with(begin));
    rules.iter().filter(|(pattern, _)| fits(pattern)).max_by_key(|(pattern, _)| pattern.len()).map(|(_, rule)| rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Stated {
        let some = |text: &str| Some(text.to_owned());
        Stated {
            purpose: some("investigate_crime"),
            lawful_basis: some("law_enforcement_task"),
            seriousness: some("indictable"),
            case_ref: some("CR/1/26"),
            reason: some("robbery, only still"),
            authoriser: None,
        }
    }

    fn ask(stated: &Stated, gallery: &str, roles: &[Role]) -> Result<u32, NotAdmitted> {
        Policy::builtin().unwrap().admit(stated, &gallery.parse().unwrap(), Some(Roles::of(roles)))
    }

    #[test]
    fn lists_are_as_long_as_the_role_with_the_longest_may_see() {
        assert_eq!(ask(&full(), "custody", &[Role::Examiner]), Ok(50));
        assert_eq!(ask(&full(), "custody", &[Role::Examiner, Role::Supervisor]), Ok(200));
        for role in [Role::Submitter, Role::Verifier, Role::Auditor, Role::Administrator, Role::Evaluator] {
            assert_eq!(ask(&full(), "custody", &[role]).unwrap_err().kind(), "role-not-allowed");
        }
        assert_eq!(ask(&full(), "custody", &[]).unwrap_err().kind(), "role-not-allowed");
    }

    #[test]
    fn each_missing_field_is_named() {
        let blank = |change: fn(&mut Stated)| {
            let mut stated = full();
            change(&mut stated);
            ask(&stated, "custody", &[Role::Examiner])
        };
        assert_eq!(blank(|s| s.purpose = None), Err(NotAdmitted::Missing(SearchField::Purpose)));
        assert_eq!(blank(|s| s.lawful_basis = None), Err(NotAdmitted::Missing(SearchField::LawfulBasis)));
        assert_eq!(blank(|s| s.seriousness = None), Err(NotAdmitted::Missing(SearchField::Seriousness)));
        assert_eq!(blank(|s| s.case_ref = Some(" ".to_owned())), Err(NotAdmitted::Missing(SearchField::CaseRef)));
        assert_eq!(blank(|s| s.reason = None), Err(NotAdmitted::Missing(SearchField::Reason)));
        assert_eq!(blank(|s| s.reason = Some("x".repeat(2_000))).unwrap_err().kind(), "too-long");
        for wrong in [
            blank(|s| s.purpose = Some("curiosity".to_owned())),
            blank(|s| s.lawful_basis = Some("curiosity".to_owned())),
            blank(|s| s.seriousness = Some("curiosity".to_owned())),
        ] {
            let wrong = wrong.unwrap_err();
            assert_eq!(wrong.kind(), "unknown-word");
            assert!(!wrong.is_forbidden() && !wrong.to_string().contains("curiosity"), "{wrong}");
        }
    }

    #[test]
    fn purposes_and_seriousness_decide_by_gallery() {
        let stated = Stated { purpose: Some("find_missing_person".to_owned()), ..full() };
        let kind = |stated: &Stated, gallery| ask(stated, gallery, &[Role::Examiner]).unwrap_err().kind();
        assert_eq!(ask(&stated, "missing-2026", &[Role::Examiner]), Ok(50));
        assert_eq!(kind(&stated, "missing2026"), "purpose-not-allowed");
        assert_eq!(kind(&stated, "custody"), "not-serious-enough");
        let urgent = Stated { seriousness: Some("threat_to_life".to_owned()), ..stated.clone() };
        assert_eq!(ask(&urgent, "custody", &[Role::Examiner]), Ok(50));
        assert_eq!(
            kind(&Stated { seriousness: Some("summary".to_owned()), ..full() }, "custody"),
            "not-serious-enough"
        );
        let demo = Stated { purpose: Some("demonstration".to_owned()), ..Stated::default() };
        assert_eq!(ask(&demo, "demo", &[Role::Examiner]), Ok(50));
        assert_eq!(kind(&demo, "custody"), "purpose-not-allowed");
        let measure = Stated { purpose: Some("evaluation".to_owned()), ..Stated::default() };
        assert_eq!(ask(&measure, "eval-1", &[Role::Evaluator]), Ok(1000));
        assert_eq!(kind(&measure, "eval-1"), "role-not-allowed");
    }

    #[test]
    fn who_asks_is_not_who_authorises_and_a_policy_can_want_to_know_who_did() {
        let by = |name: &str| Stated { authoriser: Some(name.to_owned()), ..full() };
        let mut policy = Policy::builtin().unwrap();
        policy.require.search.push(SearchField::Authoriser);
        assert_eq!(policy.check(), []);
        let text = policy.text().unwrap();
        let ask =
            |stated: &Stated| policy.admit(stated, &"custody".parse().unwrap(), Some(Roles::of(&[Role::Examiner])));
        assert!(text.contains("\"authoriser\""), "{text}");
        for blank in [full(), by("  ")] {
            assert_eq!(ask(&blank), Err(NotAdmitted::Missing(SearchField::Authoriser)));
        }
        assert_eq!(ask(&by("Insp. Una Müller")), Ok(50));
        assert_eq!(ask(&by("una\nxena")), Err(NotAdmitted::Unprintable(SearchField::Authoriser)));
        assert_eq!(ask(&by(&"é".repeat(65))).unwrap_err().kind(), "too-long");
        for own in ["xena", " XENA\t", "Xena"] {
            let refused = by(own).authorised_by_another("xena").unwrap_err();
            assert!(refused.is_forbidden() && refused.kind() == "own-authoriser", "{own:?}: {refused}");
        }
        for other in ["una", "xena b", "Insp. Xena"] {
            assert_eq!(by(other).authorised_by_another("xena"), Ok(()), "{other}");
        }
        assert_eq!(full().authorised_by_another("xena"), Ok(()));
        assert_eq!((by("una").count(), by(" ").count()), (6, 5));
    }

    #[test]
    fn the_closest_rule_counts() {
        let rules: BTreeMap<String, u8> = [("*", 1), ("cust*", 2), ("custody-*", 3), ("custody-a", 4)]
            .map(|(name, rule)| (name.to_owned(), rule))
            .into();
        let of = |name: &str| closest(&rules, &name.parse().unwrap()).copied();
        let found = ["x", "custard", "custody-b", "custody-a", "custody-"].map(of);
        assert_eq!(found, [Some(1), Some(2), Some(3), Some(4), Some(3)]);
        assert_eq!(closest(&BTreeMap::<String, u8>::new(), &"x".parse().unwrap()), None);
    }
}
