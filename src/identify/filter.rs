//! Searching a part of a gallery: which references, by subject and by attribute. Exact within the part, however small.
//!
//! Written as text: tests joined by `;`, all of which must hold. `disposal=charged,convicted` asks for one of these values,
//! `capture_year=2015..2020` for a whole number in that range (either end may be left open), `subject=A17,B22` for
//! these subjects.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::base::hex;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::{FILTER_SUBJECTS_MAX, FILTER_TESTS_MAX, FILTER_VALUES_MAX};
use crate::gallery::{GalleryError, Snapshot, Vault};
use crate::records::AttributeName;
use crate::scoring::batcher::View;
use crate::vector::filter::{exclude, restrict, up_to};
use crate::vector::rows::{GalleryRows, Rows};

/// The name under which subjects are asked for.
const SUBJECT: &str = "subject";

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{test:?} is no filter: {reason}; write name=value,value or name=from..to or subject=ID,ID, joined by ';'")]
pub struct FilterError {
    /// The part that is wrong.
    test: String,
    /// Why.
    reason: String,
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The subject is one of these.
    Subjects(Vec<SubjectRef>),
    /// The attribute has one of these values.
    OneOf(AttributeName, Vec<String>),
    /// The attribute is a whole number in this range.
    Between(AttributeName, RangeInclusive<i64>),
}

/// Conditions that must all hold. Without any, the whole gallery is searched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    tests: Vec<Test>,
    /// Only templates up to this one; all where there is none.
    up_to: Option<TemplateId>,
}

impl Filter {
    /// All of `tests`.
    #[must_use]
    pub fn all(tests: Vec<Test>) -> Self {
        Self { tests, up_to: None }
    }

    /// The same, of what was enrolled up to a template: a gallery as it was, but for what was erased since.
    #[must_use]
    pub fn up_to(self, last: TemplateId) -> Self {
        Self { up_to: Some(last), ..self }
    }

    /// Whether the whole gallery is searched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tests.is_empty() && self.up_to.is_none()
    }

    /// What a record says of it: the conditions, with subjects by number and hash only, since nobody's reference may stand
    /// where an erasure does not reach. `None` for the whole gallery.
    #[must_use]
    pub fn for_the_record(&self) -> Option<String> {
        let words: Vec<String> = self.tests.iter().map(recorded).collect();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What of `snapshot` is to be searched: what the conditions let through, and nobody who is restricted.
    ///
    /// # Errors
    /// A limit, and what the records say.
    pub async fn view(
        &self,
        vault: &Vault,
        gallery: &GalleryName,
        snapshot: Arc<Snapshot>,
    ) -> Result<Arc<dyn View>, GalleryError> {
        let mut ids: Option<Vec<TemplateId>> = None;
        for test in &self.tests {
            let found = match test {
                Test::Subjects(subjects) => vault.templates_of_subjects(gallery, subjects).await?,
                Test::Between(name, range) => vault.templates_between(gallery, name, range.clone()).await?,
                Test::OneOf(name, values) => {
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    vault.templates_with(gallery, name, &values).await?
                }
            };
            ids = Some(ids.map_or_else(|| found.clone(), |ids| in_both(&ids, &found)));
        }
        if let (Some(ids), Some(last)) = (&mut ids, self.up_to) {
            ids.truncate(ids.partition_point(|&id| id <= last));
        }
        // Looked up for each search: whoever was restricted before it began is not in it, whichever process did that.
        let hidden = vault.restricted_templates(gallery).await?;
        let rows = match ids {
            Some(mut ids) => {
                ids.retain(|id| hidden.binary_search(id).is_err());
                restrict(snapshot.rows(), &ids)
            }
            None if hidden.is_empty() && self.up_to.is_none() => return Ok(snapshot),
            None => {
                let shown = exclude(snapshot.rows(), &hidden);
                self.up_to.map_or_else(|| shown.clone(), |last| up_to(&shown, last))
            }
        };
        Ok(Arc::new(Restricted { rows, _snapshot: snapshot }))
    }
}

/// Numbers that stand in both lists, which ascend.
fn in_both(a: &[TemplateId], b: &[TemplateId]) -> Vec<TemplateId> {
    let mut rest = b.iter().peekable();
    let both = a.iter().filter(|&id| {
        while rest.next_if(|&other| other < id).is_some() {}
        rest.peek() == Some(&id)
    });
    both.copied().collect()
}

fn recorded(test: &Test) -> String {
    let Test::Subjects(subjects) = test else { return test.to_string() };
    let mut names: Vec<&str> = subjects.iter().map(SubjectRef::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let digest: [u8; 32] = Sha256::digest(names.join("\n").as_bytes()).into();
    format!("{} subjects (sha256 of their sorted lines {})", names.len(), hex::encode(&digest))
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Subjects(subjects) => {
                let names: Vec<&str> = subjects.iter().map(SubjectRef::as_str).collect();
                write!(f, "{SUBJECT}={}", names.join(","))
            }
            Self::OneOf(name, values) => write!(f, "{name}={}", values.join(",")),
            Self::Between(name, range) => {
                let end = |end: i64, open: i64| if end == open { String::new() } else { end.to_string() };
                write!(f, "{name}={}..{}", end(*range.start(), i64::MIN), end(*range.end(), i64::MAX))
            }
        }
    }
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
        let tests = parts.map(test_of).collect::<Result<Vec<_>, _>>()?;
        if tests.len() > FILTER_TESTS_MAX {
            return Err(wrong(
                text,
                format!("it has {} conditions, at most {FILTER_TESTS_MAX} are taken", tests.len()),
            ));
        }
        Ok(Self::all(tests))
    }
}

fn wrong(test: &str, reason: impl fmt::Display) -> FilterError {
    FilterError { test: test.chars().take(80).collect(), reason: reason.to_string() }
}

fn test_of(text: &str) -> Result<Test, FilterError> {
    let (name, value) = text.split_once('=').ok_or_else(|| wrong(text, "there is no '=' in it"))?;
    let values: Vec<&str> = value.split(',').map(str::trim).collect();
    if values.iter().any(|value| value.is_empty()) {
        return Err(wrong(text, "a value is empty"));
    }
    if name.trim() == SUBJECT {
        if values.len() > FILTER_SUBJECTS_MAX {
            return Err(wrong(text, format!("it names {} subjects, at most {FILTER_SUBJECTS_MAX}", values.len())));
        }
        let subjects = values.into_iter().map(str::parse).collect::<Result<_, _>>();
        return Ok(Test::Subjects(subjects.map_err(|error| wrong(text, error))?));
    }
    let name: AttributeName = name.trim().parse().map_err(|error| wrong(text, error))?;
    if let [range] = values.as_slice()
        && let Some((from, to)) = range.split_once("..")
    {
        let end = |end: &str, open: i64| if end.is_empty() { Ok(open) } else { end.trim().parse() };
        let (from, to) = (end(from, i64::MIN), end(to, i64::MAX));
        return match (from, to) {
            (Ok(from), Ok(to)) if from <= to => Ok(Test::Between(name, from..=to)),
            (Ok(_), Ok(_)) => Err(wrong(text, "the range ends before it begins")),
            (Err(error), _) | (_, Err(error)) => Err(wrong(text, error)),
        };
    }
    if values.len() > FILTER_VALUES_MAX {
        return Err(wrong(text, format!("it has {} values, at most {FILTER_VALUES_MAX}", values.len())));
    }
    Ok(Test::OneOf(name, values.into_iter().map(str::to_owned).collect()))
}

/// A part of a snapshot.
struct Restricted {
    rows: Vec<Arc<dyn Rows>>,
    /// Held so that an erasure waits for the search.
    _snapshot: Arc<Snapshot>,
}

impl View for Restricted {
    fn rows(&self) -> &GalleryRows {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_read_and_written() {
        for text in [
            "disposal=charged,convicted",
            "capture_year=2015..2020",
            "capture_year=..2020",
            "a=-5..",
            "subject=A17,B22",
        ] {
            let filter: Filter = text.parse().unwrap();
            assert_eq!(filter.tests[0].to_string(), text);
        }
        let both: Filter = " disposal = charged ; capture_year=2015..2015;".parse().unwrap();
        assert_eq!(both.for_the_record().unwrap(), "disposal=charged; capture_year=2015..2015");
        assert_eq!("".parse::<Filter>().unwrap(), Filter::default());
        assert!(Filter::default().for_the_record().is_none());
    }

    #[test]
    fn a_record_names_no_subject() {
        let record = |text: &str| text.parse::<Filter>().unwrap().for_the_record().unwrap();
        let words = record("subject=Jane Doe,A17");
        assert!(words.starts_with("2 subjects (sha256") && !words.contains("Jane"), "{words}");
        assert_eq!(words, record("subject=A17,Jane Doe,A17"), "the order does not matter");
        assert_ne!(words, record("subject=A17"));
    }

    #[test]
    fn what_is_no_filter_is_told_with_the_way_to_write_it() {
        for (text, reason) in [
            ("disposal", "no '='"),
            ("Disposal=x", "can't name an attribute"),
            ("disposal=a,,b", "empty"),
            ("year=2020..2015", "ends before"),
            ("year=x..2015", "invalid digit"),
        ] {
            let error = text.parse::<Filter>().unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("name=from..to"), "{text}: {error}");
        }
        assert!("a=1;".repeat(FILTER_TESTS_MAX + 1).parse::<Filter>().is_err());
    }

    #[test]
    fn both_lists() {
        let ids = |list: &[u64]| list.iter().copied().map(TemplateId).collect::<Vec<_>>();
        assert_eq!(in_both(&ids(&[1, 3, 5, 9]), &ids(&[2, 3, 4, 9, 10])), ids(&[3, 9]));
        assert_eq!(in_both(&ids(&[1]), &[]), []);
    }
}
