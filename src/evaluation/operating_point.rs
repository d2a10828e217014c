//! Operating points: a threshold with the evaluation that stands behind it. A search that names one, or a false positive rate,
//! gets its threshold from here, and the answer cites it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::hex;
use crate::base::limits::{EVALUATION_VALUES_MAX, RECORD_TEXT_BYTES_MAX};
use crate::evaluation::results::{DisjointRow, GroupRates, Rate};

/// Version of the format. Versions 1 and 2 are read too: neither says how its evaluation searched (all of them exactly) and enrolled,
/// and version 1 knew no kinds of probe and counted every search as independent.
pub const OPERATING_POINT_VERSION: u32 = 3;

/// Kinds of a mixture that are named where a point is cited; its file has all.
const KINDS_NAMED: usize = 8;

/// A threshold, and what it was measured to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// [`OPERATING_POINT_VERSION`].
    pub version: u32,
    /// What it is asked for by: as a gallery's name.
    pub name: String,
    /// Model set.
    pub model: String,
    /// Hash over everything that shapes a template: only galleries of this model can be searched at it.
    pub model_sha256: String,
    /// For galleries of which kind, in words.
    pub gallery_class: String,
    /// Kind of probe that its threshold was chosen on and its rates are of; absent over a mixture, and in version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_kind: Option<String>,
    /// The kinds of probe that they are over together, where a threshold over several was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mixture: Vec<KindShare>,
    /// Fewest and most templates of a gallery for which it holds. A larger gallery has more false positives.
    pub templates: (u64, u64),
    /// False positive identification rate that it was chosen for.
    pub target_fpir: f64,
    /// Lowest comparison score shown.
    pub threshold: f64,
    /// FPIR as measured, with its intervals.
    pub fpir: Rate,
    /// FNIR as measured, with its intervals: a mate at a later rank than `list_length` is missed, too.
    pub fnir: Rate,
    /// See `fnir`.
    pub list_length: u32,
    /// How the evaluation searched: searches of another mode can't ask for the point. Absent before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchMode>,
    /// How it enrolled people, in words. Absent before version 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolment: Option<String>,
    /// The same rule on half of the people, tested on others: `fpir` is of the searches that chose the threshold, and so
    /// optimistic; this one is not. Absent where there were too few people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disjoint: Option<DisjointRow>,
    /// Rates at the threshold by group, for every group column of the evaluation.
    pub groups: Vec<GroupRates>,
    /// sha256 of the evaluation that it was taken from.
    pub evaluation_sha256: String,
    /// Where the evaluation's data came from.
    pub data: String,
    /// Whether these were synthetic: then it says nothing about any person or model.
    pub synthetic: bool,
    /// UTC, RFC 3339.
    pub made_at: String,
}

/// How an evaluation searched. Rates of approximate searches are in none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchMode {
    /// Every template was compared.
    #[default]
    Exact,
}

impl SearchMode {
    /// Its name, as searches ask for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
        }
    }
}

/// A kind of probe in a mixture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindShare {
    /// The kind.
    pub kind: String,
    /// Its mated searches.
    pub mated_searches: u64,
    /// Its non-mated searches.
    pub non_mated_searches: u64,
}

/// What is wrong with an operating point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// It can't be read.
    #[error("it can't be read as an operating point: {0}")]
    Unreadable(String),
    /// A version that this program does not know.
    #[error("it is of version {0}, this program reads versions 1 to {OPERATING_POINT_VERSION}")]
    Version(u32),
    /// A figure that makes no sense.
    #[error("its {0} makes no sense")]
    Figure(&'static str),
}

impl OperatingPoint {
    /// Reads one.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn parse(text: &[u8]) -> Result<Self, PointError> {
        let point: Self = serde_json::from_slice(text).map_err(|error| PointError::Unreadable(error.to_string()))?;
        point.check()?;
        Ok(point)
    }

    /// Refuses figures that no evaluation gives.
    ///
    /// # Errors
    /// [`PointError`].
    pub fn check(&self) -> Result<(), PointError> {
        if !(1..=OPERATING_POINT_VERSION).contains(&self.version) {
            return Err(PointError::Version(self.version));
        }
        let words = [&self.name, &self.model, &self.gallery_class, &self.data, &self.made_at];
        let words = words
            .into_iter()
            .chain(&self.probe_kind)
            .chain(&self.enrolment)
            .chain(self.mixture.iter().map(|part| &part.kind));
        let figures = [
            ("threshold", (-1.0..=1.0).contains(&self.threshold)),
            ("target", self.target_fpir > 0.0 && self.target_fpir < 1.0),
            ("range of templates", self.templates.0 <= self.templates.1),
            ("model's hash", hex::decode_32(&self.model_sha256).is_some()),
            ("evaluation's hash", hex::decode_32(&self.evaluation_sha256).is_some()),
            ("mixture of probes", self.mixture.len() <= EVALUATION_VALUES_MAX),
            ("text", words.into_iter().all(|text| is_plain(text))),
        ];
        match figures.into_iter().find(|(_, good)| !good) {
            Some((what, _)) => Err(PointError::Figure(what)),
            None => Ok(()),
        }
    }

    /// Its JSON, the same for the same point.
    ///
    /// # Errors
    /// [`PointError::Unreadable`] for a figure that JSON has no form for.
    pub fn to_json(&self) -> Result<String, PointError> {
        serde_json::to_string_pretty(self).map_err(|error| PointError::Unreadable(error.to_string()))
    }

    /// sha256 of its JSON, in hexadecimal: what answers and records cite beside its name.
    ///
    /// # Errors
    /// As [`to_json`](Self::to_json).
    pub fn sha256(&self) -> Result<String, PointError> {
        Ok(hex::encode(&<[u8; 32]>::from(Sha256::digest(self.to_json()?))))
    }

    /// Whether its data support its FPIR ([`Rate::is_supported`]).
    #[must_use]
    pub fn is_supported(&self) -> bool {
        self.fpir.is_supported()
    }

    /// The kind of probe that it is for, in words.
    #[must_use]
    pub fn probes_in_words(&self) -> String {
        if let Some(kind) = &self.probe_kind {
            return kind.clone();
        }
        if self.mixture.is_empty() {
            return "not said".to_owned();
        }
        let part = |part: &KindShare| format!("{} {}", part.mated_searches + part.non_mated_searches, part.kind);
        let named = self.mixture.iter().take(KINDS_NAMED).map(part).collect::<Vec<_>>().join(", ");
        let more = if self.mixture.len() > KINDS_NAMED { " and others" } else { "" };
        format!("a mixture: {named}{more}")
    }

    /// How its evaluation searched: exactly, also where an old point does not say it.
    #[must_use]
    pub fn search_mode(&self) -> SearchMode {
        self.search.unwrap_or_default()
    }

    /// What its rates are of, in words.
    #[must_use]
    pub fn measured_in_words(&self) -> String {
        let (mode, rank) = (self.search_mode().name(), self.list_length);
        let enrolment = self.enrolment.as_deref().unwrap_or("not said");
        format!("{mode} searches, mates within rank {rank}; enrolment: {enrolment}")
    }

    /// The threshold as searches take it: the next `f32` that is not lower, so that rounding lets no candidate in.
    #[must_use]
    pub fn search_threshold(&self) -> f32 {
        let near = self.threshold as f32;
        if f64::from(near) < self.threshold { near.next_up() } else { near }
    }
}

/// Short, and without control characters.
fn is_plain(text: &str) -> bool {
    text.len() <= RECORD_TEXT_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A point for tests: made up, and says so.
    pub(crate) fn point(name: &str, target_fpir: f64, threshold: f64) -> OperatingPoint {
        let rate = Rate {
            events: 1,
            trials: 1_000,
            subjects: 1_000,
            value: Some(0.001),
            wilson: Some((0.0, 0.01)),
            clopper_pearson: Some((0.0, 0.01)),
            bootstrap: None,
            supported: true,
            design_effect: Some(1.0),
        };
        OperatingPoint {
            version: OPERATING_POINT_VERSION,
            name: name.to_owned(),
            model: "made up".to_owned(),
            model_sha256: "ab".repeat(32),
            gallery_class: "custody".to_owned(),
            probe_kind: Some("as it is".to_owned()),
            mixture: Vec::new(),
            templates: (1, 1_000),
            target_fpir,
            threshold,
            fpir: rate,
            fnir: rate,
            list_length: 50,
            search: Some(SearchMode::Exact),
            enrolment: Some("one image a person, the earliest".to_owned()),
            disjoint: Some(DisjointRow { threshold, chosen_on: 500, fpir: rate, fnir: rate }),
            groups: Vec::new(),
            evaluation_sha256: "cd".repeat(32),
            data: "made up".to_owned(),
            synthetic: true,
            made_at: "2026-01-01T00:00:00Z".to_owned(),
        }
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let good = point("a", 0.003, 0.4);
        let text = good.to_json().unwrap();
        assert_eq!(OperatingPoint::parse(text.as_bytes()).unwrap(), good);
        assert_eq!(good.sha256(), OperatingPoint::parse(text.as_bytes()).unwrap().sha256());
        assert_ne!(good.sha256(), point("a", 0.003, 0.401).sha256());
        for (from, to) in [
            ("\"threshold\": 0.4", "\"threshold\": 1.5"),
            ("\"version\": 3", "\"version\": 4"),
            ("\"version\": 3", "\"version\": 0"),
            ("\"search\": \"exact\"", "\"search\": \"approximate\""),
            ("the earliest", "the\\nearliest"),
            ("as it is", "as it\\nis"),
            ("\"name\"", "\"nmae\""),
            ("0.003", "0.0"),
            ("abab", "zbab"),
        ] {
            assert!(OperatingPoint::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn points_of_version_1_keep_their_hash_and_claim_no_more_than_they_may() {
        // Byte for byte what version 1 wrote.
        let rate = "{\n    \"events\": 1,\n    \"trials\": 1000,\n    \"subjects\": 500,\n    \"value\": 0.001,\n    \"wilson\": null,\n    \
                    \"clopper_pearson\": null,\n    \"bootstrap\": null,\n    \"supported\": true\n  }";
        let text = format!(
            "{{\n  \"version\": 1,\n  \"name\": \"old\",\n  \"model\": \"m\",\n  \"model_sha256\": \"{}\",\n  \"gallery_class\": \
             \"custody\",\n  \"templates\": [\n    0,\n    10\n  ],\n  \"target_fpir\": 0.01,\n  \"threshold\": 0.4,\n  \"fpir\": {rate},\n  \
             \"fnir\": {rate},\n  \"list_length\": 50,\n  \"groups\": [],\n  \"evaluation_sha256\": \"{}\",\n  \"data\": \"d\",\n  \
             \"synthetic\": true,\n  \"made_at\": \"2026-01-01T00:00:00Z\"\n}}",
            "ab".repeat(32),
            "cd".repeat(32)
        );
        let old = OperatingPoint::parse(text.as_bytes()).unwrap();
        assert_eq!(old.to_json().unwrap(), text, "records cite the hash of these bytes");
        assert!(old.fpir.supported && !old.is_supported(), "500 people, 1,000 searches");
        assert_eq!(old.probes_in_words(), "not said");
        assert_eq!(old.search_mode(), SearchMode::Exact);
        assert_eq!(old.measured_in_words(), "exact searches, mates within rank 50; enrolment: not said");
        let one_each =
            OperatingPoint::parse(text.replace("\"subjects\": 500", "\"subjects\": 1000").as_bytes()).unwrap();
        assert!(one_each.is_supported());
    }

    #[test]
    fn points_of_version_2_keep_their_hash_and_are_of_exact_searches() {
        let mut old = point("a", 0.01, 0.4);
        (old.version, old.search, old.enrolment) = (2, None, None);
        let text = old.to_json().unwrap();
        assert!(!text.contains("search\"") && !text.contains("enrolment"), "as version 2 wrote it: {text}");
        let read = OperatingPoint::parse(text.as_bytes()).unwrap();
        assert_eq!((&read, read.search_mode()), (&old, SearchMode::Exact));
        assert_eq!(read.to_json().unwrap(), text);
    }

    #[test]
    fn the_threshold_of_searches_is_never_lower() {
        for threshold in [0.1, 0.2, 0.3, 0.408, 0.5, -0.1, 1.0 / 3.0] {
            let used = point("a", 0.01, threshold).search_threshold();
            assert!(f64::from(used) >= threshold && f64::from(used) - threshold < 1e-7);
        }
    }
}
