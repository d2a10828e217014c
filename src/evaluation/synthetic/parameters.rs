//! What a synthetic population is like: the few figures that a preset, a fit or a file gives.

use serde::{Deserialize, Serialize};

use crate::base::limits::{
    ATTRIBUTE_VALUE_BYTES_MAX, SYNTHETIC_GROUPS_MAX, SYNTHETIC_PARAMETERS_BYTES_MAX, SYNTHETIC_PROBE_TYPES_MAX,
};
use crate::evaluation::synthetic::SyntheticError;

/// First field of a file of parameters.
pub const FORMAT: &str = "bertillon synthetic parameters 1";
/// How far shares may be from adding up.
const SHARES_OFF_MAX: f64 = 1e-9;

/// How much of a person is in a template: its cosine with the person's centroid, from a beta distribution.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fidelity {
    /// Mean of the distribution.
    pub mean: f64,
    /// Sum of its two parameters: the larger, the less templates differ.
    pub concentration: f64,
}

impl Fidelity {
    /// Mean of the square.
    #[must_use]
    pub fn mean_square(&self) -> f64 {
        self.mean * self.mean + self.mean * (1.0 - self.mean) / (self.concentration + 1.0)
    }

    fn check(&self) -> Result<(), SyntheticError> {
        let Self { mean, concentration } = *self;
        figure("fidelity", mean, 0.01, 0.999)?;
        figure("concentration", concentration, 2.0, 1e6)?;
        if mean * concentration < 1.0 || (1.0 - mean) * concentration < 1.0 {
            return Err(SyntheticError::Fidelity { mean, concentration });
        }
        Ok(())
    }
}

/// A type of probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeType {
    /// Name, for breakdowns.
    pub name: String,
    /// Share of all probes.
    pub share: f64,
    /// Fidelity of their templates.
    pub fidelity: Fidelity,
}

/// A group of people who are closer to each other than strangers are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Name, for breakdowns.
    pub name: String,
    /// Share of all people.
    pub share: f64,
    /// Mean cosine of two centroids of the group, beyond what all have in common.
    pub closeness: f64,
}

/// Shares of people who resemble somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relatives {
    /// People with a twin: centroids at a cosine of 0.75 to 0.9.
    pub twins: f64,
    /// People with a brother or sister: 0.2 to 0.35.
    pub siblings: f64,
    /// People in a cluster of 5 to 50 look-alikes: 0.3 to 0.49 between any two.
    pub look_alikes: f64,
    /// People who are enrolled under two identities: the same centroid.
    pub duplicates: f64,
}

/// A synthetic population. Shares and cosines lie between 0 and 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// [`FORMAT`].
    pub format: String,
    /// Where the figures come from, for people.
    pub source: String,
    /// Effective dimensions: strangers' scores have a deviation of one over the root of this.
    pub effective_dimension: f64,
    /// Share of the strongest direction in all variance.
    pub strongest: f64,
    /// Mean cosine of any two centroids: what a model gives every face.
    pub common: f64,
    /// Fidelity of enrolled templates.
    pub gallery: Fidelity,
    /// Types of probes; their shares add up to 1.
    pub probes: Vec<ProbeType>,
    /// Groups of people; their shares add up to 1.
    pub groups: Vec<Group>,
    /// People who resemble somebody else.
    pub relatives: Relatives,
    /// How much people differ in how well they are recognised: relative deviation of a person's mean fidelity.
    pub goats: f64,
    /// How far very poor templates drift into one common direction, so that they resemble each other.
    pub drift: f64,
    /// Part of its fidelity that a probe loses with each year since enrolment.
    pub ageing_per_year: f64,
    /// Years since enrolment: from 0 to this, evenly.
    pub years_max: f64,
    /// Deviation of the observed quality from the fidelity.
    pub quality_noise: f64,
    /// Failures to enrol or to extract: the probability at no fidelity at all, falling with its square.
    pub failures: f64,
}

impl Parameters {
    /// People without groups, relatives or anything else that makes one differ from another: the closed form holds.
    #[must_use]
    pub fn plain(
        source: String,
        effective_dimension: f64,
        strongest: f64,
        gallery: Fidelity,
        probe: ProbeType,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            source,
            effective_dimension,
            strongest,
            common: 0.0,
            gallery,
            probes: vec![probe],
            groups: vec![Group { name: "everybody".to_owned(), share: 1.0, closeness: 0.0 }],
            relatives: Relatives::default(),
            goats: 0.0,
            drift: 0.0,
            ageing_per_year: 0.0,
            years_max: 0.0,
            quality_noise: 0.0,
            failures: 0.0,
        }
    }

    /// The same with `groups` groups of equal shares and rising closeness, relatives, duplicates, people who are hard to
    /// recognise and failures. **These figures are assumptions, none was measured**; error rates are then not those of the preset.
    ///
    /// # Errors
    /// [`SyntheticError::Figure`] for a number of groups that can't be had.
    pub fn lifelike(mut self, groups: usize) -> Result<Self, SyntheticError> {
        figure("groups", groups as f64, 1.0, SYNTHETIC_GROUPS_MAX as f64)?;
        let group = |index: usize| Group {
            name: format!("synthetic group {}", index + 1),
            share: 1.0 / groups as f64,
            closeness: if groups == 1 { 0.0 } else { 0.05 * index as f64 / (groups - 1) as f64 },
        };
        self.source += "; groups, relatives, duplicates, people hard to recognise, drift and failures are assumptions";
        self.groups = (0..groups).map(group).collect();
        self.relatives = Relatives { twins: 0.003, siblings: 0.05, look_alikes: 0.01, duplicates: 0.005 };
        (self.goats, self.drift, self.quality_noise, self.failures) = (0.03, 0.5, 0.05, 0.02);
        Ok(self)
    }

    /// Whether the closed form of [`closed_form`](super::closed_form) holds: nobody differs from anybody else.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let Relatives { twins, siblings, look_alikes, duplicates } = self.relatives;
        let others =
            [twins, siblings, look_alikes, duplicates, self.goats, self.drift, self.ageing_per_year, self.failures];
        others.iter().all(|figure| *figure == 0.0) && self.groups.iter().all(|group| group.closeness == 0.0)
    }

    /// Reads a file of parameters.
    ///
    /// # Errors
    /// [`SyntheticError::Unreadable`], and what [`check`](Self::check) says.
    pub fn from_json(text: &[u8]) -> Result<Self, SyntheticError> {
        if text.len() > SYNTHETIC_PARAMETERS_BYTES_MAX {
            let reason = format!("{} bytes, at most {SYNTHETIC_PARAMETERS_BYTES_MAX}", text.len());
            return Err(SyntheticError::Unreadable(reason));
        }
        let read: Self = serde_json::from_slice(text).map_err(|error| SyntheticError::Unreadable(error.to_string()))?;
        read.check()?;
        Ok(read)
    }

    /// The text of a file of parameters.
    ///
    /// # Errors
    /// [`SyntheticError::Unreadable`], which figures that pass [`check`](Self::check) don't lead to.
    pub fn to_json(&self) -> Result<String, SyntheticError> {
        serde_json::to_string_pretty(self).map_err(|error| SyntheticError::Unreadable(error.to_string()))
    }

    /// Refuses figures that nothing can be made from.
    ///
    /// # Errors
    /// [`SyntheticError`] with the first such figure.
    pub fn check(&self) -> Result<(), SyntheticError> {
        let Self { format, source: _, effective_dimension, strongest, gallery, probes, groups, relatives, .. } = self;
        figure("closeness of everybody", self.common, 0.0, 0.99)?;
        let Self { common, goats, drift, ageing_per_year, years_max, quality_noise, failures, .. } = self;
        if format != FORMAT {
            return Err(SyntheticError::Unreadable(format!("they don't begin with the format {FORMAT:?}")));
        }
        figure("effective dimensions", *effective_dimension, 2.0, 2_000.0)?;
        figure("share of the strongest direction", *strongest, 0.0, 0.9)?;
        gallery.check()?;
        figure("types of probes", probes.len() as f64, 1.0, SYNTHETIC_PROBE_TYPES_MAX as f64)?;
        figure("groups", groups.len() as f64, 1.0, SYNTHETIC_GROUPS_MAX as f64)?;
        for probe in probes {
            probe.fidelity.check()?;
        }
        for group in groups {
            figure("closeness of a group", group.closeness, 0.0, 0.99)?;
            figure("closeness of a group and of everybody", group.closeness + common, 0.0, 0.99)?;
        }
        names("probe types", probes.iter().map(|probe| probe.name.as_str()))?;
        names("groups", groups.iter().map(|group| group.name.as_str()))?;
        whole("probe types", probes.iter().map(|probe| probe.share))?;
        whole("groups", groups.iter().map(|group| group.share))?;
        let Relatives { twins, siblings, look_alikes, duplicates } = relatives;
        for share in [twins, siblings, look_alikes, duplicates] {
            figure("share of relatives", *share, 0.0, 0.4)?;
        }
        let sum = twins + siblings + look_alikes + duplicates;
        if sum > 1.0 {
            return Err(SyntheticError::Shares { what: "relatives", sum, wanted: "at most 1" });
        }
        figure("goats", *goats, 0.0, 0.5)?;
        figure("drift", *drift, 0.0, 10.0)?;
        figure("ageing a year", *ageing_per_year, 0.0, 0.1)?;
        figure("years", *years_max, 0.0, 100.0)?;
        figure("noise of the quality", *quality_noise, 0.0, 1.0)?;
        figure("failures", *failures, 0.0, 0.2)
    }
}

/// Refuses a figure out of its range, or none.
pub(super) fn figure(what: &'static str, found: f64, least: f64, most: f64) -> Result<(), SyntheticError> {
    if (least..=most).contains(&found) { Ok(()) } else { Err(SyntheticError::Figure { what, found, least, most }) }
}

fn whole(what: &'static str, shares: impl Iterator<Item = f64>) -> Result<(), SyntheticError> {
    let mut sum = 0.0;
    for share in shares {
        figure("share", share, 0.0, 1.0)?;
        sum += share;
    }
    if (sum - 1.0).abs() > SHARES_OFF_MAX {
        return Err(SyntheticError::Shares { what, sum, wanted: "they must add up to 1" });
    }
    Ok(())
}

fn names<'a>(of: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), SyntheticError> {
    let mut seen = Vec::new();
    for name in names {
        if name.trim().is_empty() || name.len() > ATTRIBUTE_VALUE_BYTES_MAX || seen.contains(&name) {
            return Err(SyntheticError::Names(of));
        }
        seen.push(name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::synthetic::Preset;

    #[test]
    fn files_come_back_as_they_were() {
        for preset in Preset::ALL {
            let parameters = preset.parameters().lifelike(7).unwrap();
            let text = parameters.to_json().unwrap();
            assert!(text.contains("synthetic"));
            assert_eq!(Parameters::from_json(text.as_bytes()).unwrap(), parameters);
        }
    }

    #[test]
    fn figures_out_of_range_are_refused_by_name() {
        let good = Preset::Cctv.parameters();
        assert_eq!(good.check(), Ok(()));
        let refused = |change: &dyn Fn(&mut Parameters), says: &str| {
            let mut bad = good.clone();
            change(&mut bad);
            let error = bad.check().unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        };
        refused(&|p| p.effective_dimension = f64::NAN, "effective dimensions");
        refused(&|p| p.strongest = -0.1, "strongest");
        refused(&|p| p.gallery.mean = 1.0, "fidelity");
        refused(&|p| p.gallery = Fidelity { mean: 0.99, concentration: 20.0 }, "concentration of 20");
        refused(&|p| p.probes[0].share = 0.5, "add up to 0.5");
        refused(&|p| p.probes.clear(), "types of probes");
        refused(&|p| p.groups.push(p.groups[0].clone()), "groups");
        refused(&|p| p.groups[0].name = " ".to_owned(), "names");
        refused(&|p| p.relatives.twins = 0.5, "relatives");
        refused(&|p| p.failures = 0.3, "failures");
        refused(&|p| p.years_max = f64::INFINITY, "years");
        refused(&|p| p.format = "other".to_owned(), "format");
        assert!(Parameters::from_json(&vec![b' '; 1 << 20]).is_err());
        assert!(Parameters::from_json(b"{}").is_err());
    }
}
