//! What an event says, and the bytes in which it says it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::chain::Hash;
use crate::audit::{Kind, Op, Who};
use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::AUDIT_OBJECTS_MAX;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Ok,
    /// Whoever asked was told no.
    Refused,
    /// It went wrong here.
    Failed,
}

/// Something that an event is about. Never a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Object {
    /// A search, by its number in the records.
    Search(i64),
    /// Templates from one to another, both included.
    Templates(TemplateId, TemplateId),
    /// A job, by its number.
    Job(i64),
    /// A user, by their number.
    User(i64),
    /// An API key, by its number.
    Key(i64),
    /// A review, by its number.
    Review(i64),
    /// A lead, by its number.
    Lead(i64),
    /// A proposal, by its number.
    Proposal(i64),
    /// A subject, by its number.
    Subject(i64),
    /// An image's record, by its number.
    Image(i64),
    /// Images that went from one subject to another, by the number of the move.
    Move(i64),
    /// A legal hold, by its number.
    Hold(i64),
    /// An erasure with its certificate, by its number.
    Erasure(i64),
    /// A sample, by its number.
    Sample(i64),
    /// A disclosure, by its number.
    Disclosure(i64),
    /// Another event, by its place.
    Event(u64),
    /// A kept probe image, by its number.
    Probe(i64),
    /// A submission, by its number.
    Submission(i64),
    /// An unsolved probe, by its number on the list.
    Unsolved(i64),
}

impl Object {
    /// As events name it.
    #[must_use]
    pub fn in_words(self) -> String {
        match self {
            Self::Search(id) => format!("search:{id}"),
            Self::Job(id) => format!("job:{id}"),
            Self::User(id) => format!("user:{id}"),
            Self::Key(id) => format!("key:{id}"),
            Self::Review(id) => format!("review:{id}"),
            Self::Lead(id) => format!("lead:{id}"),
            Self::Proposal(id) => format!("proposal:{id}"),
            Self::Subject(id) => format!("subject:{id}"),
            Self::Image(id) => format!("image:{id}"),
            Self::Move(id) => format!("move:{id}"),
            Self::Hold(id) => format!("hold:{id}"),
            Self::Erasure(id) => format!("erasure:{id}"),
            Self::Sample(id) => format!("sample:{id}"),
            Self::Disclosure(id) => format!("disclosure:{id}"),
            Self::Event(seq) => format!("event:{seq}"),
            Self::Probe(id) => format!("probe:{id}"),
            Self::Submission(id) => format!("submission:{id}"),
            Self::Unsolved(id) => format!("unsolved:{id}"),
            Self::Templates(first, last) if first == last => format!("template:{first}"),
            Self::Templates(first, last) => format!("templates:{first}-{last}"),
        }
    }
}

/// A fact in an event: a number, a hash or a word that stands in this program. Free text has no place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A whole number.
    Number(u64),
    /// A sha256.
    Hash([u8; 32]),
    /// A word of ours.
    Word(&'static str),
}

/// What happened, before it has a place in the chain.
#[derive(Debug, Clone)]
pub struct Happening {
    kind: Kind,
    gallery: Option<GalleryName>,
    objects: Vec<String>,
    detail: BTreeMap<&'static str, Value>,
    outcome: Outcome,
}

/// A detail as it is written: numbers as numbers, the rest as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A hash in hexadecimal digits, or a word.
    Text(String),
}

impl Happening {
    /// Something that was done.
    #[must_use]
    pub fn new(kind: Kind) -> Self {
        Self { kind, gallery: None, objects: Vec::new(), detail: BTreeMap::new(), outcome: Outcome::Ok }
    }

    /// In which gallery.
    #[must_use]
    pub fn of(mut self, gallery: &GalleryName) -> Self {
        self.gallery = Some(gallery.clone());
        self
    }

    /// What it was done to. Beyond [`AUDIT_OBJECTS_MAX`] objects are counted only.
    #[must_use]
    pub fn about(mut self, objects: impl IntoIterator<Item = Object>) -> Self {
        let mut objects = objects.into_iter();
        let room = AUDIT_OBJECTS_MAX.saturating_sub(self.objects.len());
        self.objects.extend(objects.by_ref().take(room).map(Object::in_words));
        let more = objects.count() as u64;
        let before = match self.detail.get("objects_not_listed") {
            Some(Value::Number(before)) => *before,
            Some(Value::Text(_)) | None => 0,
        };
        if more > 0 { self.with("objects_not_listed", Detail::Number(before + more)) } else { self }
    }

    /// The same for templates, ascending, neighbours joined; with how many they are.
    #[must_use]
    pub fn about_templates(self, ids: &[TemplateId]) -> Self {
        let mut ranges: Vec<(TemplateId, TemplateId)> = Vec::new();
        for &id in ids {
            match ranges.last_mut() {
                Some((_, last)) if last.0 + 1 == id.0 => *last = id,
                _other => ranges.push((id, id)),
            }
        }
        let counted = self.with("templates", Detail::Number(ids.len() as u64));
        counted.about(ranges.into_iter().map(|(first, last)| Object::Templates(first, last)))
    }

    /// With a fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, detail: Detail) -> Self {
        let value = match detail {
            Detail::Number(number) => Value::Number(number),
            Detail::Hash(hash) => Value::Text(hex::encode(&hash)),
            Detail::Word(word) => Value::Text(word.to_owned()),
        };
        self.detail.insert(name, value);
        self
    }

    /// How it ended, where that was not well.
    #[must_use]
    pub fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// What kind of thing.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// An event in its place in the chain. Fields are in the order of their names, which is the order in which they are
/// written; there are no fractions among the numbers. So the text is what RFC 8785 makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Who.
    pub actor: String,
    /// When, UTC, RFC 3339 to the second.
    pub at: String,
    /// Facts.
    pub detail: BTreeMap<String, Value>,
    /// In which gallery; empty where it is about none or about all.
    pub gallery: String,
    /// What.
    pub kind: String,
    /// What it was done to.
    pub objects: Vec<String>,
    /// Which operation.
    pub op: Op,
    /// Where from.
    pub origin: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Hash of the event before.
    pub prev: Hash,
    /// Number of the request in the server's log; 0 where there was none.
    pub request: u64,
    /// Its place, from 1.
    pub seq: u64,
    /// Version of the format.
    pub v: u32,
}

/// The version that is written.
pub const VERSION: u32 = 1;

impl Event {
    /// What happened, as number `seq` after the event with the hash `prev`.
    #[must_use]
    pub fn new(seq: u64, prev: Hash, at: String, who: &Who, happening: &Happening) -> Self {
        let Happening { kind, gallery, objects, detail, outcome } = happening.clone();
        Self {
            actor: who.actor.clone(),
            at,
            detail: detail.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            gallery: gallery.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            kind: kind.as_str().to_owned(),
            objects,
            op: kind.op(),
            origin: who.origin.clone(),
            outcome,
            prev,
            request: who.request.unwrap_or(0),
            seq,
            v: VERSION,
        }
    }

    /// The text that is kept and hashed.
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn body(&self) -> Result<String, String> {
        serde_json::to_string(self).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who() -> Who {
        Who { actor: "o'brien \"ü\"".to_owned(), origin: "127.0.0.1".to_owned(), request: Some(7) }
    }

    #[test]
    fn the_text_is_one_line_in_the_order_of_names_and_reads_back() {
        let gallery: GalleryName = "custody".parse().unwrap();
        let happening = Happening::new(Kind::SearchRun)
            .of(&gallery)
            .about([Object::Search(5), Object::Search(6)])
            .with("probe", Detail::Hash([1; 32]))
            .with("candidates", Detail::Number(20));
        let event = Event::new(3, Hash([9; 32]), "2026-11-22T10:00:00Z".to_owned(), &who(), &happening);
        let body = event.body().unwrap();
        let wanted = format!(
            "{{\"actor\":\"o'brien \\\"ü\\\"\",\"at\":\"2026-11-22T10:00:00Z\",\"detail\":{{\"candidates\":20,\"probe\":\"{}\"}},\
             \"gallery\":\"custody\",\"kind\":\"search.run\",\"objects\":[\"search:5\",\"search:6\"],\"op\":\"search\",\
             \"origin\":\"127.0.0.1\",\"outcome\":\"ok\",\"prev\":\"{}\",\"request\":7,\"seq\":3,\"v\":1}}",
            "01".repeat(32),
            "09".repeat(32)
        );
        assert_eq!(body, wanted);
        assert_eq!(serde_json::from_str::<Event>(&body).unwrap(), event);
    }

    #[test]
    fn many_templates_are_joined_and_more_are_counted() {
        let ids: Vec<TemplateId> = [1, 2, 3, 7, 9, 10].map(TemplateId).to_vec();
        let event = Happening::new(Kind::SubjectErased).about_templates(&ids);
        assert_eq!(event.objects, ["templates:1-3", "template:7", "templates:9-10"]);
        let apart: Vec<TemplateId> = (0..AUDIT_OBJECTS_MAX as u64 + 5).map(|id| TemplateId(2 * id)).collect();
        let event = Happening::new(Kind::SubjectErased).about_templates(&apart);
        assert_eq!(event.objects.len(), AUDIT_OBJECTS_MAX);
        assert_eq!(event.detail.get("objects_not_listed"), Some(&Value::Number(5)));
        assert_eq!(event.detail.get("templates"), Some(&Value::Number(apart.len() as u64)));
        let event = event.about([Object::Job(1), Object::Job(2)]);
        assert_eq!(event.detail.get("objects_not_listed"), Some(&Value::Number(7)));
    }
}
