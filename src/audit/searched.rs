//! What of a search the log binds: everything that its candidate list depends on, and the list itself, as one text whose hash
//! stands in the search's event. Whoever has the text can check it against the log without the data base.

use std::fmt::Write as _;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

use crate::base::hex::Digits;

/// The first form of the text names candidates by template and score.
const FIRST: u8 = 1;
/// The second names them by a salted hash, so that they can be erased and the text's hash stays.
pub const SECOND: u8 = 2;
/// The third says who authorised the search, by such a hash too: for searches that say so.
pub const THIRD: u8 = 3;
/// Begins what is hashed for a candidate.
const CANDIDATE: &str = "bertillon candidate 1";
/// Begins what is hashed for who authorised a search.
const AUTHORISER: &str = "bertillon authoriser 1";

/// A number of 32 bits that must be the same to the bit: written as the eight hexadecimal digits of its bits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exact(pub f32);

impl Exact {
    fn digits(self) -> String {
        format!("{:08x}", self.0.to_bits())
    }
}

impl Serialize for Exact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digits())
    }
}

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let number = u32::from_str_radix(&text, 16).ok().map(|bits| Self(f32::from_bits(bits)));
        number.filter(|number| number.digits() == text).ok_or_else(|| serde::de::Error::custom("no 32 bits"))
    }
}

/// By what a list names a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// Template and score: lists of the first form.
    Plainly,
    /// The hash of them and this salt.
    Salted(Digits<16>),
    /// That hash: the candidate was erased, and template and score are 0.
    Erased(Digits<32>),
}

/// A candidate that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Listed {
    /// From 1.
    pub rank: u32,
    /// Which template.
    pub template: u64,
    /// Its comparison score.
    pub score: Exact,
    /// By what the list names it.
    pub named: Named,
}

impl Listed {
    /// By what the list of `search` names it; `None` where by template and score.
    #[must_use]
    pub fn entry(&self, search: i64) -> Option<Digits<32>> {
        let Self { rank, template, score, named } = self;
        match named {
            Named::Plainly => None,
            Named::Salted(salt) => {
                let text = format!("{CANDIDATE}\n{salt} {search} {rank} {template} {}\n", score.digits());
                Some(Digits(Sha256::digest(text).into()))
            }
            Named::Erased(entry) => Some(*entry),
        }
    }

    fn line(&self, search: i64) -> String {
        let Self { rank, template, score, .. } = self;
        self.entry(search).map_or_else(
            || format!("candidate {rank} {template} {}", score.digits()),
            |entry| format!("candidate {rank} {entry}"),
        )
    }
}

/// Who authorised a search, as whoever asked for it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Authorised {
    /// By somebody of this name.
    By {
        /// The name.
        name: String,
        /// Hides it in the hash.
        salt: Digits<16>,
    },
    /// By somebody whose name is overwritten: the hash of it and its salt.
    Ended(Digits<32>),
}

impl Authorised {
    /// By what the text of `search` names them.
    #[must_use]
    pub fn entry(&self, search: i64) -> Digits<32> {
        match self {
            Self::By { name, salt } => {
                let name = crate::base::text::printable(name);
                Digits(Sha256::digest(format!("{AUTHORISER}\n{salt} {search} {name}\n")).into())
            }
            Self::Ended(entry) => *entry,
        }
    }
}

const fn first() -> u8 {
    FIRST
}

/// A search of one face, as it was recorded. Texts have no line breaks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Searched {
    /// Which form of the text it is bound by.
    #[serde(default = "first")]
    pub form: u8,
    /// Its number.
    pub search: i64,
    /// Which gallery.
    pub gallery: String,
    /// Hash of the model, 64 hexadecimal digits.
    pub model: String,
    /// Which state of the gallery answered.
    pub snapshot: u64,
    /// The last template that counted then.
    pub last_template: u64,
    /// How many counted.
    pub live: u64,
    /// The longest list, in people.
    pub people: u64,
    /// What scored.
    pub back_end: String,
    /// Which part of the gallery; `None` for all of it.
    pub restriction: Option<String>,
    /// The lowest comparison score shown; `None` where the best were, whatever their score.
    pub threshold: Option<Exact>,
    /// The operating point that gave the threshold, if one did.
    pub operating_point: Option<String>,
    /// sha256 of the probe's picture, 64 hexadecimal digits.
    pub probe: String,
    /// Where the face stands in it: left edge, upper edge, width, height.
    pub face: [Exact; 4],
    /// What was stated, in words of the policy.
    pub purpose: Option<String>,
    /// See `purpose`.
    pub lawful_basis: Option<String>,
    /// See `purpose`.
    pub seriousness: Option<String>,
    /// Who authorised it, where that was stated; of the third form only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorised: Option<Authorised>,
    /// What was shown, by rank.
    pub candidates: Vec<Listed>,
}

impl Searched {
    /// The text, as docs/AUDIT_FORMAT.md has it.
    #[must_use]
    pub fn text(&self) -> String {
        let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let threshold = self.threshold.map_or_else(|| "-".to_owned(), Exact::digits);
        let face = self.face.map(Exact::digits).join(" ");
        let (purpose, basis) = (or_none(&self.purpose), or_none(&self.lawful_basis));
        let lines = [
            ("search", self.search.to_string()),
            ("gallery", self.gallery.clone()),
            ("model", self.model.clone()),
            ("snapshot", self.snapshot.to_string()),
            ("last", self.last_template.to_string()),
            ("live", self.live.to_string()),
            ("people", self.people.to_string()),
            ("back_end", self.back_end.clone()),
            ("restriction", or_none(&self.restriction)),
            ("threshold", threshold),
            ("point", or_none(&self.operating_point)),
            ("probe", self.probe.clone()),
            ("face", face),
            ("purpose", purpose),
            ("lawful_basis", basis),
            ("seriousness", or_none(&self.seriousness)),
        ];
        let mut text = format!("bertillon search {}\n", self.form);
        for (name, value) in lines {
            // A line break within would make two texts of different searches the same.
            let value = crate::base::text::printable(&value);
            // Writing to a text can't fail.
            let _ = writeln!(text, "{name} {value}");
        }
        if let Some(authorised) = &self.authorised {
            let _ = writeln!(text, "authoriser {}", authorised.entry(self.search));
        }
        for candidate in &self.candidates {
            let _ = writeln!(text, "{}", candidate.line(self.search));
        }
        text
    }

    /// sha256 of the text.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.text()).into()
    }
}

/// What the event of one request binds: each of its searches with its hash, in hexadecimal digits, in their order.
#[must_use]
pub fn bound<'a>(searches: impl IntoIterator<Item = (i64, &'a str)>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for (search, sha256) in searches {
        hash.update(format!("{search} {sha256}\n"));
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    fn searched() -> Searched {
        Searched {
            form: FIRST,
            search: 7,
            gallery: "custody".to_owned(),
            model: "01".repeat(32),
            snapshot: 3,
            last_template: 40,
            live: 39,
            people: 20,
            back_end: "naive".to_owned(),
            restriction: None,
            threshold: Some(Exact(0.25)),
            operating_point: Some("a point".to_owned()),
            probe: "09".repeat(32),
            face: [1.0, 2.0, 30.0, 40.0].map(Exact),
            purpose: Some("investigate_crime".to_owned()),
            lawful_basis: None,
            seriousness: None,
            authorised: None,
            candidates: vec![Listed { rank: 1, template: 5, score: Exact(0.5), named: Named::Plainly }],
        }
    }

    #[test]
    fn the_text_is_as_documented() {
        let wanted = format!(
            "bertillon search 1\nsearch 7\ngallery custody\nmodel {}\nsnapshot 3\nlast 40\nlive 39\npeople 20\nback_end naive\n\
             restriction -\nthreshold 3e800000\npoint a point\nprobe {}\nface 3f800000 40000000 41f00000 42200000\n\
             purpose investigate_crime\nlawful_basis -\nseriousness -\ncandidate 1 5 3f000000\n",
            "01".repeat(32),
            "09".repeat(32)
        );
        assert_eq!(searched().text(), wanted);
        let json = serde_json::to_string(&searched()).unwrap();
        assert_eq!(serde_json::from_str::<Searched>(&json).unwrap(), searched());
    }

    #[test]
    fn who_is_erased_from_a_list_leaves_its_hash_and_a_salt_hides_who_it_was() {
        let salted = |salt: u8| {
            let mut searched = Searched { form: SECOND, ..searched() };
            searched.candidates[0].named = Named::Salted(Digits([salt; 16]));
            searched
        };
        let mut erased = salted(3);
        let entry = erased.candidates[0].entry(7).unwrap();
        let text = format!("bertillon candidate 1\n{} 7 1 5 3f000000\n", "03".repeat(16));
        assert_eq!(entry, Digits(Sha256::digest(text).into()));
        assert!(
            erased.text().starts_with("bertillon search 2\n")
                && erased.text().ends_with(&format!("candidate 1 {entry}\n"))
        );
        erased.candidates[0] = Listed { rank: 1, template: 0, score: Exact(0.0), named: Named::Erased(entry) };
        assert_eq!(erased.sha256(), salted(3).sha256());
        assert_ne!(salted(4).sha256(), salted(3).sha256());
        let mut other = salted(3);
        other.candidates[0].template = 6;
        assert_ne!(other.sha256(), salted(3).sha256());
        let json = serde_json::to_string(&erased).unwrap();
        assert_eq!(serde_json::from_str::<Searched>(&json).unwrap(), erased);
    }

    #[test]
    fn whose_name_as_authoriser_is_overwritten_leaves_its_hash() {
        let by = |name: &str, salt: u8| Searched {
            form: THIRD,
            authorised: Some(Authorised::By { name: name.to_owned(), salt: Digits([salt; 16]) }),
            ..searched()
        };
        let entry = Sha256::digest(format!("bertillon authoriser 1\n{} 7 Insp. Una\n", "03".repeat(16)));
        let line = format!("seriousness -\nauthoriser {}\ncandidate ", hex::encode(&entry));
        let text = by("Insp. Una", 3).text();
        assert!(text.starts_with("bertillon search 3\n") && text.contains(&line), "{text}");
        let ended = Searched { authorised: Some(Authorised::Ended(Digits(entry.into()))), ..by("", 0) };
        assert_eq!(ended.sha256(), by("Insp. Una", 3).sha256());
        for other in [by("Insp. Ulf", 3), by("Insp. Una", 4), Searched { authorised: None, ..by("", 3) }] {
            assert_ne!(other.sha256(), ended.sha256(), "{other:?}");
        }
        for whole in [ended, by("Insp. Una", 3)] {
            assert_eq!(serde_json::from_str::<Searched>(&serde_json::to_string(&whole).unwrap()).unwrap(), whole);
        }
    }

    #[test]
    fn whatever_is_changed_changes_the_hash() {
        let changes: [&dyn Fn(&mut Searched); 18] = [
            &|s| s.form = SECOND,
            &|s| s.search = 8,
            &|s| s.gallery = "other".to_owned(),
            &|s| s.model = "02".repeat(32),
            &|s| s.snapshot = 4,
            &|s| s.last_template = 41,
            &|s| s.live = 40,
            &|s| s.people = 21,
            &|s| s.back_end = "cpu".to_owned(),
            &|s| s.restriction = Some("year=2020..".to_owned()),
            &|s| s.threshold = None,
            &|s| s.operating_point = None,
            &|s| s.probe = "08".repeat(32),
            &|s| s.face[2] = Exact(30.5),
            &|s| s.purpose = None,
            &|s| s.lawful_basis = Some("x".to_owned()),
            &|s| s.seriousness = Some("x".to_owned()),
            &|s| s.candidates[0].score = Exact(f32::from_bits(0.5_f32.to_bits() + 1)),
        ];
        let mut seen = std::collections::BTreeSet::from([searched().sha256()]);
        for change in changes {
            let mut other = searched();
            change(&mut other);
            assert!(seen.insert(other.sha256()), "{other:?}");
        }
        let mut forged = searched();
        forged.back_end = "naive\nrestriction -".to_owned();
        assert!(seen.insert(forged.sha256()) && forged.text().lines().count() == searched().text().lines().count());
    }
}
