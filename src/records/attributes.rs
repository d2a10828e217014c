//! Attributes of references: short named texts (`capture_year`, `disposal`) by which a search can be restricted.
//!
//! They are for what many references have in common. What names one person belongs into the subject.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::Row as _;

use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::base::limits::{
    ATTRIBUTE_NAME_BYTES_MAX, ATTRIBUTE_VALUE_BYTES_MAX, ATTRIBUTES_PER_TEMPLATE_MAX, FILTER_SUBJECTS_MAX,
    FILTER_VALUES_MAX,
};
use crate::base::text::is_plain;
use crate::records::subjects::{images_subjects, named_subjects};
use crate::records::templates::IDS_PER_STATEMENT;
use crate::records::{Change, NewDetail, Records, RecordsError, SqlBuilder};

/// Why a text is no attribute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// Names become columns of files and keys of JSON, hence the narrow alphabet.
    #[error(
        "{0:?} can't name an attribute: use 1 to {ATTRIBUTE_NAME_BYTES_MAX} of a-z, 0-9 and '_', beginning with a letter"
    )]
    Name(String),
    /// A value is shown on screens and compared byte by byte.
    #[error("the value of {name} must have 1 to {ATTRIBUTE_VALUE_BYTES_MAX} bytes, none of them a control character")]
    Value {
        /// Whose value.
        name: AttributeName,
    },
    /// A limit.
    #[error("{0} attributes: a reference may have at most {ATTRIBUTES_PER_TEMPLATE_MAX}")]
    TooMany(usize),
    /// Two values under one name.
    #[error("the attribute {0} is given twice")]
    Twice(AttributeName),
}

/// An attribute's name: 1 to 32 of `a-z 0-9 _`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct AttributeName(String);

impl AttributeName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AttributeName {
    type Err = AttributeError;

    fn from_str(text: &str) -> Result<Self, AttributeError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if begins && text.len() <= ATTRIBUTE_NAME_BYTES_MAX && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AttributeError::Name(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One attribute of a reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Attribute {
    name: AttributeName,
    value: String,
}

impl Attribute {
    /// An attribute; blanks around the value are left out.
    ///
    /// # Errors
    /// [`AttributeError::Name`], [`AttributeError::Value`].
    pub fn new(name: &str, value: &str) -> Result<Self, AttributeError> {
        let name: AttributeName = name.parse()?;
        let value = clean(&name, value)?.to_owned();
        Ok(Self { name, value })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &AttributeName {
        &self.name
    }

    /// Its value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// What one reference may have: few enough, each name once.
///
/// # Errors
/// [`AttributeError::TooMany`], [`AttributeError::Twice`].
pub fn check_attributes(attributes: &[Attribute]) -> Result<(), AttributeError> {
    if attributes.len() > ATTRIBUTES_PER_TEMPLATE_MAX {
        return Err(AttributeError::TooMany(attributes.len()));
    }
    let twice = attributes.iter().enumerate().find(|(at, one)| attributes[..*at].iter().any(|b| b.name == one.name));
    twice.map_or(Ok(()), |(_, one)| Err(AttributeError::Twice(one.name.clone())))
}

fn clean<'a>(name: &AttributeName, value: &'a str) -> Result<&'a str, AttributeError> {
    let value = value.trim();
    let fits = (1..=ATTRIBUTE_VALUE_BYTES_MAX).contains(&value.len()) && is_plain(value);
    if fits { Ok(value) } else { Err(AttributeError::Value { name: name.clone() }) }
}

/// What stands for a value where it is looked up: 126 bits of its hash. Equal keys mean equal values, as far as anybody can
/// tell; two values that share one would take 2^63 tries to find.
fn value_key(value: &str) -> (i64, i64) {
    let digest = Sha256::digest(value.as_bytes());
    let half = |from: usize| {
        let bytes = digest.get(from..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default();
        i64::from_le_bytes(bytes) & i64::MAX
    };
    (half(0), half(8))
}

/// The whole number that a value is, written the one usual way.
fn number_of(value: &str) -> Option<i64> {
    value.parse().ok().filter(|number: &i64| number.to_string() == value)
}

impl Records {
    /// Live templates with one of `values` under `name`, ascending. Values are compared byte by byte.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`].
    pub async fn templates_with(
        &self,
        gallery: &GalleryName,
        name: &AttributeName,
        values: &[&str],
    ) -> Result<Vec<TemplateId>, RecordsError> {
        if values.len() > FILTER_VALUES_MAX {
            return Err(RecordsError::TooMany { what: "values in one filter", limit: FILTER_VALUES_MAX });
        }
        let mut keys: Vec<(i64, i64)> = values.iter().map(|value| value_key(value.trim())).collect();
        keys.sort_unstable();
        keys.dedup();
        let mut found = Vec::new();
        // One statement a value: each is one range of the index, and different values never share a template.
        for (high, low) in keys {
            let select = "SELECT template_id FROM template_attribute \
                 WHERE gallery = $1 AND name = $2 AND value_high = $3 AND value_low = $4 \
                 AND template_id <= (SELECT last_template_id FROM gallery WHERE gallery.name = $1)";
            let query = sqlx::query_scalar(select).bind(gallery.as_str()).bind(name.as_str()).bind(high).bind(low);
            found.extend(query.fetch_all(&self.pool).await.map_err(self.sql())?.into_iter().map(id_of));
        }
        Ok(sorted(found))
    }

    /// Live templates whose value under `name` is a whole number in `range`, ascending.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn templates_between(
        &self,
        gallery: &GalleryName,
        name: &AttributeName,
        range: RangeInclusive<i64>,
    ) -> Result<Vec<TemplateId>, RecordsError> {
        let select = "SELECT template_id FROM template_attribute WHERE gallery = $1 AND name = $2 \
             AND value_number IS NOT NULL AND value_number BETWEEN $3 AND $4 \
             AND template_id <= (SELECT last_template_id FROM gallery WHERE gallery.name = $1)";
        let query = sqlx::query_scalar(select).bind(gallery.as_str()).bind(name.as_str());
        let query = query.bind(*range.start()).bind(*range.end());
        let found = query.fetch_all(&self.pool).await.map_err(self.sql())?;
        Ok(sorted(found.into_iter().map(id_of).collect()))
    }

    /// Live templates of any of `subjects`, ascending.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`].
    pub async fn templates_of_subjects(
        &self,
        gallery: &GalleryName,
        subjects: &[SubjectRef],
    ) -> Result<Vec<TemplateId>, RecordsError> {
        if subjects.len() > FILTER_SUBJECTS_MAX {
            return Err(RecordsError::TooMany { what: "subjects in one filter", limit: FILTER_SUBJECTS_MAX });
        }
        let mut connection = self.pool.acquire().await.map_err(self.sql())?;
        let subjects: Vec<&SubjectRef> = subjects.iter().collect();
        let ids = named_subjects(&mut connection, gallery, &subjects).await.map_err(self.sql())?;
        let found = images_subjects(&mut connection, gallery, &ids).await.map_err(self.sql())?;
        Ok(sorted(found.into_iter().map(id_of).collect()))
    }

    /// Attributes of those of `ids` that are live and have any, by name.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn attributes(
        &self,
        gallery: &GalleryName,
        ids: &[TemplateId],
    ) -> Result<HashMap<TemplateId, Vec<Attribute>>, RecordsError> {
        let mut found: HashMap<TemplateId, Vec<Attribute>> = HashMap::new();
        for some in ids.chunks(IDS_PER_STATEMENT) {
            let mut query = SqlBuilder::new(
                "SELECT a.template_id, a.name, a.value FROM reference_attribute a JOIN template t \
                 ON t.gallery = a.gallery AND t.id = a.template_id WHERE t.state = 'live' AND a.gallery = ",
            );
            query.push_bind(gallery.as_str().to_owned()).push(" AND a.template_id IN (");
            query.push_list(some.iter().map(|id| id.0 as i64)).push(")");
            query.push(" ORDER BY a.template_id, a.name");
            for row in query.build().fetch_all(&self.pool).await.map_err(self.sql())? {
                let text = |column: &str| row.try_get::<&str, _>(column).map_err(self.sql());
                let attribute = Attribute::new(text("name")?, text("value")?)
                    .map_err(|error| self.damaged(format!("an attribute of a reference: {error}")))?;
                found.entry(id_of(row.try_get("template_id").map_err(self.sql())?)).or_default().push(attribute);
            }
        }
        Ok(found)
    }
}

impl Change {
    /// Adds the attributes of live references that were added before.
    pub(super) async fn add_attributes(
        &mut self,
        gallery: &GalleryName,
        new: &[NewDetail],
    ) -> Result<(), RecordsError> {
        let all: Vec<(i64, &Attribute)> =
            new.iter().flat_map(|new| new.attributes.iter().map(|attribute| (new.id.0 as i64, attribute))).collect();
        for some in all.chunks(IDS_PER_STATEMENT) {
            let mut keys = SqlBuilder::new(
                "INSERT INTO template_attribute (gallery, template_id, name, value_high, value_low, value_number) ",
            );
            keys.push_values(some, |row, (id, attribute)| {
                let (high, low) = value_key(&attribute.value);
                row.push_bind(gallery.as_str()).push_bind(*id).push_bind(attribute.name.as_str());
                row.push_bind(high).push_bind(low).push_bind(number_of(&attribute.value));
            });
            keys.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
            let mut texts = SqlBuilder::new("INSERT INTO reference_attribute (gallery, template_id, name, value) ");
            texts.push_values(some, |row, (id, attribute)| {
                row.push_bind(gallery.as_str()).push_bind(*id).push_bind(attribute.name.as_str());
                row.push_bind(attribute.value.as_str());
            });
            texts.build().execute(&mut *self.transaction).await.map_err(self.sql())?;
        }
        Ok(())
    }

    /// Takes a template out of every filter.
    pub(super) async fn unlist_attributes(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        let delete = "DELETE FROM template_attribute WHERE gallery = $1 AND template_id = $2";
        let query = sqlx::query(delete).bind(gallery.as_str()).bind(id.0 as i64);
        query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(())
    }

    /// Overwrites the values.
    pub(super) async fn forget_attributes(
        &mut self,
        gallery: &GalleryName,
        id: TemplateId,
    ) -> Result<(), RecordsError> {
        let which = "gallery = $1 AND template_id = $2";
        self.overwrite("reference_attribute", &["value"], which, &[gallery.as_str().into(), (id.0 as i64).into()]).await
    }
}

fn id_of(id: i64) -> TemplateId {
    TemplateId(id as u64)
}

fn sorted(mut ids: Vec<TemplateId>) -> Vec<TemplateId> {
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_narrow() {
        for good in ["capture_year", "a", "a1_", &"a".repeat(32)] {
            assert!(good.parse::<AttributeName>().is_ok(), "{good}");
        }
        for bad in ["", "Year", "1a", "_a", "a-b", "a b", "é", &"a".repeat(33)] {
            assert!(bad.parse::<AttributeName>().is_err(), "{bad}");
        }
        assert_eq!(Attribute::new("disposal", "  charged ").unwrap().value(), "charged");
        for bad in ["", "  ", "a\nb", &"x".repeat(ATTRIBUTE_VALUE_BYTES_MAX + 1)] {
            assert!(matches!(Attribute::new("a", bad), Err(AttributeError::Value { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_reference_has_few_attributes_and_each_once() {
        let many: Vec<_> =
            (0..=ATTRIBUTES_PER_TEMPLATE_MAX).map(|i| Attribute::new(&format!("a{i}"), "v").unwrap()).collect();
        assert_eq!(check_attributes(&many[1..]), Ok(()));
        assert_eq!(check_attributes(&many), Err(AttributeError::TooMany(many.len())));
        let twice = [many[0].clone(), many[1].clone(), Attribute::new("a0", "other").unwrap()];
        assert!(matches!(check_attributes(&twice), Err(AttributeError::Twice(_))));
    }

    #[test]
    fn numbers_are_whole_and_usual() {
        for (text, number) in [("2024", Some(2024)), ("-3", Some(-3)), ("0", Some(0))] {
            assert_eq!(number_of(text), number);
        }
        for text in ["007", "+1", "1.5", "1e3", "-0", "99999999999999999999", "a"] {
            assert_eq!(number_of(text), None, "{text}");
        }
    }
}
