//! Operating points taken from a finished evaluation.

use std::path::Path;

use crate::base::clock;
use crate::casework::CaseworkError;
use crate::casework::evaluate::figures::{self, ENROLMENT};
use crate::evaluation::operating_point::{KindShare, OPERATING_POINT_VERSION, OperatingPoint, SearchMode};
use crate::evaluation::results::{DisjointRow, Evaluation, GalleryResult, GroupRates, KindResult, OperatingRow};

/// What an operating point is to be.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPoint {
    /// Its name.
    pub name: String,
    /// False positive identification rate; one of those in the evaluation's table.
    pub target_fpir: f64,
    /// For galleries of which kind.
    pub gallery_class: String,
    /// For which probes.
    pub probes: Probes,
    /// Takes a rate that the data do not support, too: its record then says so.
    pub unsupported: bool,
}

/// For which probes a point is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probes {
    /// The only kind that there is.
    OnlyKind,
    /// This kind.
    Kind(String),
    /// All kinds of the evaluation together.
    Mixture,
}

/// Takes a threshold out of the evaluation in `folder`. It holds for galleries no larger than the evaluated one: in larger ones
/// there are more false positives.
///
/// # Errors
/// [`CaseworkError::OperatingPoint`] for an evaluation of an earlier version, for a kind of probe that the evaluation does not have, for several kinds where none is
/// named, and for a rate that the evaluation does not support, with those that it does.
pub fn take(folder: &Path, new: &NewPoint) -> Result<OperatingPoint, CaseworkError> {
    let (evaluation, sha256) = figures::read(folder)?;
    point(&evaluation, sha256, new).map_err(CaseworkError::OperatingPoint)
}

/// The rates that a point is taken from, and the kinds of probe that they are of.
struct Source<'a> {
    rates: &'a GalleryResult,
    non_mated_searches: u64,
    probe_kind: Option<String>,
    mixture: Vec<KindShare>,
}

fn source<'a>(evaluation: &'a Evaluation, probes: &Probes) -> Result<Source<'a>, String> {
    let whole = evaluation.galleries.last().ok_or("the evaluation has no gallery")?;
    let kinds = &evaluation.probe_kinds;
    let there = || kinds.iter().map(|kind| format!("{:?}", kind.kind)).collect::<Vec<_>>().join(", ");
    let of = |kind: &'a KindResult| Source {
        rates: kind.rates.as_ref().unwrap_or(whole),
        non_mated_searches: kind.non_mated_searches,
        probe_kind: Some(kind.kind.clone()),
        mixture: Vec::new(),
    };
    match (probes, kinds.as_slice()) {
        (Probes::Kind(name), _) => kinds.iter().find(|kind| kind.kind == *name).map(of).ok_or_else(|| {
            let there = Some(there()).filter(|there| !there.is_empty()).unwrap_or_else(|| "none is known".to_owned());
            format!("the evaluation has no probes of the kind {name:?}; the kinds: {there}")
        }),
        (Probes::OnlyKind, [only]) => Ok(of(only)),
        (Probes::OnlyKind, [_, _, ..]) => Err(format!(
            "the evaluation's probes are of several kinds, and a threshold over their mixture is that of no search: choose one \
             with --probe-kind ({}), or take the mixture with --mixture",
            there()
        )),
        (Probes::OnlyKind, []) => Ok(Source {
            rates: whole,
            non_mated_searches: evaluation.counts.non_mated_searches,
            probe_kind: None,
            mixture: Vec::new(),
        }),
        (Probes::Mixture, [_, _, ..]) => Ok(Source {
            rates: whole,
            non_mated_searches: evaluation.counts.non_mated_searches,
            probe_kind: None,
            mixture: kinds
                .iter()
                .map(|kind| KindShare {
                    kind: kind.kind.clone(),
                    mated_searches: kind.mated_searches,
                    non_mated_searches: kind.non_mated_searches,
                })
                .collect(),
        }),
        (Probes::Mixture, [] | [_]) => Err("the evaluation's probes are of one kind: there is no mixture".to_owned()),
    }
}

fn point(evaluation: &Evaluation, evaluation_sha256: String, new: &NewPoint) -> Result<OperatingPoint, String> {
    if !evaluation.has_what_version_2_added() {
        // It mixed all kinds of probe, and its claims took searches for one person as searches for several.
        return Err(format!(
            "the evaluation is of version {}, which does not tell kinds of probe apart: evaluate again",
            evaluation.version
        ));
    }
    let Source { rates, non_mated_searches, probe_kind, mixture } = source(evaluation, &new.probes)?;
    let is_it = |row: &&OperatingRow| (row.target_fpir - new.target_fpir).abs() <= new.target_fpir * 1e-3;
    let supported = || {
        let rows = rates.operating.iter().filter(|row| row.fpir.is_some_and(|fpir| fpir.is_supported()));
        rows.map(|row| format!("{:.5}", row.target_fpir)).collect::<Vec<_>>().join(", ")
    };
    let row = rates.operating.iter().find(is_it);
    let row = row.filter(|row| new.unsupported || row.fpir.is_some_and(|fpir| fpir.is_supported()));
    let found = row.and_then(|row| Some((row, row.threshold?, row.fpir?, row.fnir.last()?)));
    let Some((row, threshold, fpir, fnir)) = found else {
        let named = probe_kind.filter(|_| evaluation.probe_kinds.len() > 1);
        let of_kind = named.map(|kind| format!(" with probes of the kind {kind:?}")).unwrap_or_default();
        return Err(format!(
            "the evaluation's {non_mated_searches} non-mated searches{of_kind} do not support an FPIR of {} (30 false positives of \
             different people are wanted, or none in searches for enough people); those they do: {}",
            new.target_fpir,
            Some(supported()).filter(|rates| !rates.is_empty()).unwrap_or_else(|| "none".to_owned())
        ));
    };
    let identity = &evaluation.identity;
    let point = OperatingPoint {
        version: OPERATING_POINT_VERSION,
        name: new.name.clone(),
        model: identity.model.clone(),
        model_sha256: identity.model_sha256.clone(),
        gallery_class: new.gallery_class.clone(),
        probe_kind,
        mixture,
        templates: (0, evaluation.counts.enrolled_templates),
        target_fpir: row.target_fpir,
        threshold,
        fpir,
        fnir: fnir.fnir.beside(Some(&fpir)),
        list_length: fnir.rank,
        // Approximate searches of an evaluation go into no rate.
        search: Some(SearchMode::Exact),
        enrolment: identity.protocol.iter().find(|(name, _)| name == ENROLMENT).map(|(_, how)| how.clone()),
        disjoint: row.disjoint.map(|half| DisjointRow { fnir: half.fnir.beside(Some(&half.fpir)), ..half }),
        groups: row.groups.iter().map(of_group).collect(),
        evaluation_sha256,
        data: identity.data.clone(),
        synthetic: identity.synthetic,
        made_at: clock::now_rfc3339(),
    };
    point.check().map_err(|error| error.to_string())?;
    Ok(point)
}

/// Evaluations of before claimed misses beside an FPIR that they could not claim.
fn of_group(group: &GroupRates) -> GroupRates {
    GroupRates { fnir: group.fnir.map(|fnir| fnir.beside(group.fpir.as_ref())), ..group.clone() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::evaluation::accuracy::trials::{Candidate, Kind, MateScore, Search, Trials};
    use crate::evaluation::assemble::{Column, Findings, assemble};
    use crate::evaluation::results::Identity;

    /// Four hundred strangers and forty mates, each searched for with a clean picture and, where `twice`, with a poor one whose
    /// scores are 0.2 higher.
    fn evaluation(twice: bool) -> Evaluation {
        let mut searches = Vec::new();
        let mut of_searches = Vec::new();
        for kind in 0..=u16::from(twice) {
            for person in 0..440_u32 {
                let mated = person < 40;
                let top = 0.2 + 0.2 * f32::from(kind) + 0.0005 * (person % 400) as f32;
                let score = if mated { 0.9 } else { top };
                let subject = if mated { person } else { 1_000_000 };
                searches.push(Search {
                    probe: searches.len() as u32,
                    subject: if mated { person } else { 1_000 + person },
                    kind: if mated { Kind::Mated } else { Kind::NonMated },
                    extracted: true,
                    mate_enrolled_failed: false,
                    candidates: vec![Candidate { subject, template: 1, score }],
                    mate: mated.then_some(MateScore { score, rank: Some(1) }),
                });
                of_searches.push(Some(kind));
            }
        }
        let values = ["clean", "poor", "nobody's"].map(str::to_owned).to_vec();
        let column = |name: &str, values: &[String], of_searches: &[Option<u16>]| Column {
            name: name.to_owned(),
            values: values.to_vec(),
            of_searches: of_searches.to_vec(),
            of_subjects: BTreeMap::new(),
            templates: Vec::new(),
        };
        let halves = (0..searches.len()).map(|number| Some((number % 2) as u16)).collect::<Vec<_>>();
        let galleries = [Trials::new(500, 500, 1, searches).unwrap()];
        let findings = Findings {
            galleries: &galleries,
            failures_to_enrol: 0,
            subjects_not_enrolled: 0,
            kinds: Some(column("kind of probe", &values, &of_searches)),
            groups: vec![column("half", &["even".to_owned(), "odd".to_owned()], &halves)],
            measures: Vec::new(),
            non_mated_pairs: Vec::new(),
            approximate: None,
            probe_names: Box::new(|probe| probe.to_string()),
            latency: None,
            tell: &|_, _, _| Ok(()),
        };
        assemble(identity(), findings).unwrap()
    }

    fn identity() -> Identity {
        let text = |text: &str| text.to_owned();
        Identity {
            title: text("A test"),
            made_at: text("2026-01-01T00:00:00Z"),
            program: text("test"),
            commit: None,
            config_sha256: text(""),
            model: text("made up"),
            model_sha256: "ab".repeat(32),
            dimension: 16,
            data_sha256: text(""),
            data: text("made up"),
            synthetic: true,
            seed: 3,
            hardware: Vec::new(),
            protocol: vec![(text(ENROLMENT), text("two images a person"))],
            exclusions: Vec::new(),
        }
    }

    fn taken(evaluation: &Evaluation, probes: Probes) -> Result<OperatingPoint, String> {
        let (name, gallery_class) = ("one".to_owned(), "custody".to_owned());
        let new = NewPoint { name, target_fpir: 0.1, gallery_class, probes, unsupported: false };
        point(evaluation, "cd".repeat(32), &new)
    }

    #[test]
    fn a_point_is_of_one_kind_of_probe_unless_the_mixture_is_asked_for() {
        let both = evaluation(true);
        let kind = |name: &str| taken(&both, Probes::Kind(name.to_owned()));
        let (clean, poor) = (kind("clean").unwrap(), kind("poor").unwrap());
        // The highest 40 of 400 strangers each: a poor picture needs a threshold that is 0.2 higher.
        assert!((poor.threshold - clean.threshold - 0.2).abs() < 1e-6, "{} {}", clean.threshold, poor.threshold);
        assert_eq!((clean.fpir.events, clean.fpir.trials, clean.fpir.supported), (40, 400, true));
        assert_eq!((clean.probe_kind.as_deref(), poor.probe_kind.as_deref()), (Some("clean"), Some("poor")));
        let refused = taken(&both, Probes::OnlyKind).unwrap_err();
        assert!(refused.contains("\"clean\", \"poor\"") && !refused.contains("nobody's"), "{refused}");
        assert!(kind("nobody's").unwrap_err().contains("no probes of the kind"));
        let mixed = taken(&both, Probes::Mixture).unwrap();
        assert!(mixed.threshold > clean.threshold && mixed.probe_kind.is_none());
        assert_eq!(mixed.probes_in_words(), "a mixture: 440 clean, 440 poor");
        assert!(both.statements.iter().any(|one| one.text.contains("clean (40 mated and 400 non-mated searches)")));
    }

    #[test]
    fn an_evaluation_of_version_1_gives_no_point() {
        let old = Evaluation { version: 1, ..evaluation(false) };
        let refused = taken(&old, Probes::OnlyKind).unwrap_err();
        assert!(refused.contains("version 1") && refused.contains("evaluate again"), "{refused}");
    }

    #[test]
    fn misses_are_claimed_only_beside_a_claimed_fpir_whatever_the_evaluation_says() {
        let mut old = evaluation(false);
        for row in &mut old.galleries[0].operating {
            row.fpir.iter_mut().for_each(|fpir| fpir.supported = false);
            row.fnir.iter_mut().for_each(|row| row.fnir.supported = true);
            if let Some(half) = &mut row.disjoint {
                (half.fpir.supported, half.fnir.supported) = (false, true);
            }
            for group in &mut row.groups {
                group.fpir.iter_mut().for_each(|fpir| fpir.supported = false);
                group.fnir.iter_mut().for_each(|fnir| fnir.supported = true);
            }
        }
        let (name, gallery_class, probes) = ("one".to_owned(), "custody".to_owned(), Probes::OnlyKind);
        let new = NewPoint { name, target_fpir: 0.1, gallery_class, probes, unsupported: true };
        let point = point(&old, "cd".repeat(32), &new).unwrap();
        assert!(!point.to_json().unwrap().contains("\"supported\": true"));
        assert!(point.disjoint.is_some() && point.groups.iter().any(|group| group.fnir.is_some()));
    }

    #[test]
    fn one_kind_needs_no_choice_and_has_the_rates_of_everything() {
        let one = evaluation(false);
        let point = taken(&one, Probes::OnlyKind).unwrap();
        assert_eq!((point.probe_kind.as_deref(), point.mixture.len()), (Some("clean"), 0));
        assert_eq!(taken(&one, Probes::Kind("clean".to_owned())).map(|named| named.threshold), Ok(point.threshold));
        assert!(taken(&one, Probes::Mixture).is_err());
        assert!(one.probe_kinds.len() == 1 && one.probe_kinds.iter().all(|kind| kind.rates.is_none()));
        // What it does to groups and to people who had no part in choosing is in the point itself.
        let values: Vec<&str> = point.groups.iter().map(|group| group.value.as_str()).collect();
        assert_eq!(values, ["even", "odd"]);
        let events: u64 = point.groups.iter().filter_map(|group| group.fpir).map(|fpir| fpir.events).sum();
        assert_eq!((events, point.disjoint), (point.fpir.events, one.galleries[0].operating[0].disjoint));
        assert!(point.disjoint.is_some_and(|half| half.chosen_on == 200 && half.fpir.trials == 200));
    }
}
