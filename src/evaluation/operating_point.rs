//! Operating points: a threshold with the evaluation that stands behind it. A search that names one, or a false positive rate,
//! gets its threshold from here, and the answer cites it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::hex;
use crate::base::limits::RECORD_TEXT_BYTES_MAX;
use crate::evaluation::results::Rate;

/// Version of the format.
pub const OPERATING_POINT_VERSION: u32 = 1;

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
    /// Fewest and most templates of a gallery for which it holds. A larger gallery has more false positives.
    pub templates: (u64, u64),
    /// False positive identification rate that it was chosen for.
    pub target_fpir: f64,
    /// Lowest comparison score shown.
    pub threshold: f64,
    /// FPIR as measured, with its intervals.
    pub fpir: Rate,
    /// FNIR as measured, with its intervals, and the longest list that it is of.
    pub fnir: Rate,
    /// See `fnir`.
    pub list_length: u32,
    /// Rates by group, where they were measured: column, value, FPIR, FNIR.
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

/// Rates of one group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupRates {
    /// The column.
    pub column: String,
    /// The group.
    pub value: String,
    /// Its FPIR at the threshold.
    pub fpir: Option<Rate>,
    /// Its FNIR at the threshold.
    pub fnir: Option<Rate>,
}

/// What is wrong with an operating point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointError {
    /// It can't be read.
    #[error("it can't be read as an operating point: {0}")]
    Unreadable(String),
    /// A version that this program does not know.
    #[error("it is of version {0}, this program reads version {OPERATING_POINT_VERSION}")]
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
        if self.version != OPERATING_POINT_VERSION {
            return Err(PointError::Version(self.version));
        }
        let words = [&self.name, &self.model, &self.gallery_class, &self.data, &self.made_at];
        let figures = [
            ("threshold", (-1.0..=1.0).contains(&self.threshold)),
            ("target", self.target_fpir > 0.0 && self.target_fpir < 1.0),
            ("range of templates", self.templates.0 <= self.templates.1),
            ("model's hash", hex::decode_32(&self.model_sha256).is_some()),
            ("evaluation's hash", hex::decode_32(&self.evaluation_sha256).is_some()),
            (
                "text",
                words.iter().all(|text| text.len() <= RECORD_TEXT_BYTES_MAX && !text.chars().any(char::is_control)),
            ),
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

    /// The threshold as searches take it: the next `f32` that is not lower, so that rounding lets no candidate in.
    #[must_use]
    pub fn search_threshold(&self) -> f32 {
        let near = self.threshold as f32;
        if f64::from(near) < self.threshold { near.next_up() } else { near }
    }
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
            templates: (1, 1_000),
            target_fpir,
            threshold,
            fpir: rate,
            fnir: rate,
            list_length: 50,
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
            ("\"version\": 1", "\"version\": 2"),
            ("\"name\"", "\"nmae\""),
            ("0.003", "0.0"),
            ("abab", "zbab"),
        ] {
            assert!(OperatingPoint::parse(text.replacen(from, to, 1).as_bytes()).is_err(), "{to}");
        }
    }

    #[test]
    fn the_threshold_of_searches_is_never_lower() {
        for threshold in [0.1, 0.2, 0.3, 0.408, 0.5, -0.1, 1.0 / 3.0] {
            let used = point("a", 0.01, threshold).search_threshold();
            assert!(f64::from(used) >= threshold && f64::from(used) - threshold < 1e-7);
        }
    }
}
