//! What is known of an image of a subject beside the picture: when and how it was taken, on what basis in law, what became of
//! the matter. Closed lists and days, no free text: these stand in indexes, and in tables that are changed in place.

use serde::Serialize;

use crate::base::day::Day;
use crate::base::limits::POLICY_WORD_BYTES_MAX;

macro_rules! words {
    ($(#[doc = $doc:literal])+ $name:ident, $plural:literal: $($(#[$of:meta])+ $word:ident = $text:literal,)+) => {
        $(#[doc = $doc])+
        ///
        /// A closed list of words.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
        #[serde(into = "&'static str")]
        pub enum $name {
            $($(#[$of])+ $word,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word,)+];

            /// As files, flags and records name it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)+ }
            }

            /// The one of that name. The error quotes nothing: what stands there may be somebody's name.
            ///
            /// # Errors
            /// In words.
            pub fn parse(text: &str) -> Result<Self, String> {
                let found = Self::ALL.iter().copied().find(|word| word.as_str() == text);
                found.ok_or_else(|| {
                    let all: Vec<&str> = Self::ALL.iter().map(|word| word.as_str()).collect();
                    format!(concat!("it is one of the ", $plural, ": {}"), all.join(", "))
                })
            }
        }

        impl From<$name> for &'static str {
            fn from(word: $name) -> Self {
                word.as_str()
            }
        }
    };
}

words! {
    /// What became of the matter for which a picture was taken.
    Disposal, "outcomes":
    /// Nothing yet, or nobody said.
    #[default]
    NoneYet = "none_yet",
    /// They were convicted.
    Convicted = "convicted",
    /// They admitted it and were cautioned, warned or reprimanded.
    Caution = "caution",
    /// They were acquitted.
    Acquitted = "acquitted",
    /// It was begun before a court and not gone on with.
    Discontinued = "discontinued",
    /// It came before no court.
    NoFurtherAction = "no_further_action",
}

words! {
    /// How a head stands in a picture.
    Pose, "poses":
    /// Nobody said.
    #[default]
    Unknown = "unknown",
    /// It looks into the camera.
    Frontal = "frontal",
    /// Its left side is seen.
    LeftProfile = "left_profile",
    /// Its right side is.
    RightProfile = "right_profile",
    /// Between the front and the left side.
    LeftHalf = "left_half",
    /// Between the front and the right side.
    RightHalf = "right_half",
    /// Another way.
    Other = "other",
}

/// What is known of an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImageFacts {
    /// When it was taken.
    pub captured_on: Option<Day>,
    /// How the head stands.
    pub pose: Pose,
    /// On what basis in law: a word of the policy.
    pub lawful_basis: Option<String>,
    /// What became of the matter.
    pub disposal: Disposal,
    /// Since when that is known.
    pub disposed_on: Option<Day>,
    /// Whether whom it shows was under 18 when it was taken.
    pub under18: Option<bool>,
    /// The group of offences by which it is reviewed, 1 to 3.
    pub review_group: Option<u8>,
    /// When it is to be reviewed at the latest, whatever the policy says.
    pub review_on: Option<Day>,
    /// When it is to be gone at the latest.
    pub expires_on: Option<Day>,
}

/// A field of [`ImageFacts`], as columns of lists and flags name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fact {
    /// `captured_on`
    CapturedOn,
    /// `pose`
    Pose,
    /// `lawful_basis`
    LawfulBasis,
    /// `disposal_outcome`
    Disposal,
    /// `disposed_on`
    DisposedOn,
    /// `under18`
    Under18,
    /// `review_group`
    ReviewGroup,
    /// `review_on`
    ReviewOn,
    /// `expires_on`
    ExpiresOn,
}

impl Fact {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::CapturedOn,
        Self::Pose,
        Self::LawfulBasis,
        Self::Disposal,
        Self::DisposedOn,
        Self::Under18,
        Self::ReviewGroup,
        Self::ReviewOn,
        Self::ExpiresOn,
    ];

    /// As columns name it. (`disposal` has been an attribute from the beginning, and stays one.)
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CapturedOn => "captured_on",
            Self::Pose => "pose",
            Self::LawfulBasis => "lawful_basis",
            Self::Disposal => "disposal_outcome",
            Self::DisposedOn => "disposed_on",
            Self::Under18 => "under18",
            Self::ReviewGroup => "review_group",
            Self::ReviewOn => "review_on",
            Self::ExpiresOn => "expires_on",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.as_str() == text)
    }
}

impl ImageFacts {
    /// The fields in which `other` says something else.
    pub fn differing(&self, other: &Self) -> impl Iterator<Item = Fact> {
        let differs = |fact: &Fact| match fact {
            Fact::CapturedOn => self.captured_on != other.captured_on,
            Fact::Pose => self.pose != other.pose,
            Fact::LawfulBasis => self.lawful_basis != other.lawful_basis,
            Fact::Disposal => self.disposal != other.disposal,
            Fact::DisposedOn => self.disposed_on != other.disposed_on,
            Fact::Under18 => self.under18 != other.under18,
            Fact::ReviewGroup => self.review_group != other.review_group,
            Fact::ReviewOn => self.review_on != other.review_on,
            Fact::ExpiresOn => self.expires_on != other.expires_on,
        };
        Fact::ALL.into_iter().filter(differs)
    }

    /// Takes a field as it is written; an empty one says nothing.
    ///
    /// # Errors
    /// In words, without the text.
    pub fn put(&mut self, fact: Fact, text: &str) -> Result<(), String> {
        let text = text.trim();
        let day = || if text.is_empty() { Ok(None) } else { text.parse().map(Some) };
        match fact {
            Fact::CapturedOn => self.captured_on = day()?,
            Fact::DisposedOn => self.disposed_on = day()?,
            Fact::ReviewOn => self.review_on = day()?,
            Fact::ExpiresOn => self.expires_on = day()?,
            Fact::Pose => self.pose = if text.is_empty() { Pose::Unknown } else { Pose::parse(text)? },
            Fact::Disposal => self.disposal = if text.is_empty() { Disposal::NoneYet } else { Disposal::parse(text)? },
            Fact::LawfulBasis => {
                let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
                if text.len() > POLICY_WORD_BYTES_MAX || !text.bytes().all(plain) {
                    return Err("a lawful basis is a word of the policy (`bertillon policy show --json`)".to_owned());
                }
                self.lawful_basis = (!text.is_empty()).then(|| text.to_owned());
            }
            Fact::Under18 => {
                self.under18 = match text {
                    "" => None,
                    "yes" => Some(true),
                    "no" => Some(false),
                    _other => return Err("it is yes, no or empty".to_owned()),
                }
            }
            Fact::ReviewGroup => {
                self.review_group = match text {
                    "" => None,
                    "1" => Some(1),
                    "2" => Some(2),
                    "3" => Some(3),
                    _other => return Err("a review group is 1, 2 or 3".to_owned()),
                }
            }
        }
        Ok(())
    }

    /// Refuses what can't be so, whatever the policy. `today` bounds the past.
    ///
    /// # Errors
    /// In words, without the texts.
    pub fn check(&self, today: Day) -> Result<(), String> {
        let future = |day: Option<Day>| day.is_some_and(|day| day > today.plus_days(1));
        if future(self.captured_on) || future(self.disposed_on) {
            return Err("what has happened (captured_on, disposed_on) is not in the future".to_owned());
        }
        if self.disposal == Disposal::NoneYet && self.disposed_on.is_some() {
            return Err(
                "disposed_on is the day of an outcome, and disposal_outcome says that there is none yet".to_owned()
            );
        }
        let before = |one: Option<Day>, other: Option<Day>| one.zip(other).is_some_and(|(one, other)| one < other);
        if before(self.disposed_on, self.captured_on) {
            return Err("disposed_on is before captured_on".to_owned());
        }
        if before(self.expires_on, self.captured_on) || before(self.review_on, self.captured_on) {
            return Err("review_on or expires_on is before captured_on".to_owned());
        }
        if before(self.expires_on, self.review_on) {
            return Err("expires_on is before review_on".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(fields: &[(&str, &str)]) -> Result<ImageFacts, String> {
        let mut facts = ImageFacts::default();
        for (name, text) in fields {
            facts.put(Fact::named(name).unwrap(), text)?;
        }
        facts.check("2026-11-22".parse().unwrap()).map(|()| facts)
    }

    #[test]
    fn fields_are_read_by_their_names_and_refused_without_their_texts() {
        let all = facts(&[
            ("captured_on", "2024-02-29"),
            ("pose", "left_profile"),
            ("lawful_basis", "consent"),
            ("disposal_outcome", "acquitted"),
            ("disposed_on", "2025-01-01"),
            ("under18", "yes"),
            ("review_group", "2"),
            ("review_on", ""),
            ("expires_on", "2030-01-01"),
        ])
        .unwrap();
        assert_eq!((all.pose, all.disposal, all.under18), (Pose::LeftProfile, Disposal::Acquitted, Some(true)));
        assert_eq!((all.review_on, all.review_group), (None, Some(2)));
        assert_eq!(facts(&Fact::ALL.map(|fact| (fact.as_str(), " "))).unwrap(), ImageFacts::default());
        for (name, bad) in [
            ("captured_on", "John Smith"),
            ("pose", "John Smith"),
            ("lawful_basis", "John Smith"),
            ("disposal_outcome", "John Smith"),
            ("under18", "John Smith"),
            ("review_group", "4 John Smith"),
        ] {
            let error = facts(&[(name, bad)]).unwrap_err();
            assert!(!error.contains("John"), "{error}");
        }
        assert!(Fact::named("disposal").is_none(), "an attribute of old");
    }

    #[test]
    fn what_can_not_be_so_is_refused() {
        for bad in [
            &[("captured_on", "2026-12-24")][..],
            &[("disposed_on", "2026-01-01")],
            &[("captured_on", "2026-01-02"), ("disposal_outcome", "acquitted"), ("disposed_on", "2026-01-01")],
            &[("captured_on", "2026-01-02"), ("expires_on", "2026-01-01")],
            &[("review_on", "2030-01-02"), ("expires_on", "2030-01-01")],
        ] {
            assert!(facts(bad).is_err(), "{bad:?}");
        }
    }
}
