//! Evaluations worked out from made-up searches, and held against counting by hand.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};

use super::*;
use crate::evaluation::accuracy::trials::{Candidate, MateScore};
use crate::evaluation::random::Stream;
use crate::evaluation::results::{BreakdownKind, Rate, Verdict};

const PEOPLE: u32 = 200;
const LENGTH: usize = 20;

/// A search whose mate scores about 0.7 and others about 0.3; every seventh person is of a group that scores lower.
fn search(number: u32, kind: Kind, people: u32) -> Search {
    let mut stream = Stream::new(9, u64::from(number));
    let subject = if kind == Kind::Mated { number % people } else { PEOPLE + number };
    let others = (0..people).filter(|&person| person != subject);
    let mut candidates: Vec<Candidate> = others
        .map(|person| Candidate {
            subject: person,
            template: u64::from(person) + 1,
            score: 0.3 + 0.05 * stream.normal(),
        })
        .collect();
    let score = 0.7 - if subject % 7 == 0 { 0.25 } else { 0.0 } + 0.1 * stream.normal();
    if kind == Kind::Mated {
        candidates.push(Candidate { subject, template: u64::from(subject) + 1, score });
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.template.cmp(&b.template)));
    candidates.truncate(LENGTH);
    let rank = candidates.iter().position(|candidate| candidate.subject == subject).map(|place| place as u32 + 1);
    let mate = (kind == Kind::Mated).then_some(MateScore { score, rank });
    Search { probe: number, subject, kind, extracted: true, mate_enrolled_failed: false, candidates, mate }
}

fn trials(people: u32, mated: u32, non_mated: u32) -> Trials {
    let searches = (0..mated)
        .filter(|number| number % PEOPLE < people)
        .map(|number| search(number, Kind::Mated, people))
        .chain((mated..mated + non_mated).map(|number| search(number, Kind::NonMated, people)))
        .collect();
    Trials::new(u64::from(people), u64::from(people), LENGTH as u32, searches).unwrap()
}

fn identity() -> Identity {
    Identity {
        title: "A test".to_owned(),
        made_at: "2026-01-01T00:00:00Z".to_owned(),
        program: "test".to_owned(),
        commit: None,
        config_sha256: String::new(),
        model: "made up".to_owned(),
        model_sha256: String::new(),
        dimension: 16,
        data_sha256: String::new(),
        data: "made up".to_owned(),
        synthetic: true,
        seed: 3,
        hardware: Vec::new(),
        protocol: Vec::new(),
        exclusions: Vec::new(),
    }
}

fn findings<const N: usize>(galleries: &[Trials; N]) -> Findings<'_> {
    let whole = galleries.last().unwrap();
    let group = |search: &Search| Some(u16::from(search.subject.is_multiple_of(7)));
    let of_searches = whole.searches().iter().map(group).collect();
    let of_subjects = (0..PEOPLE).map(|person| (person, u16::from(person.is_multiple_of(7)))).collect();
    let values = ["six of seven", "one of seven", "nobody"].map(str::to_owned).to_vec();
    let mut stream = Stream::new(4, 4);
    let quality = whole.searches().iter().map(|search| search.mate.map(|mate| f64::from(mate.score))).collect();
    Findings {
        galleries,
        failures_to_enrol: 2,
        subjects_not_enrolled: 1,
        kinds: None,
        groups: vec![Column {
            name: "group".to_owned(),
            values,
            of_searches,
            of_subjects,
            templates: vec![171, 29, 0],
        }],
        measures: vec![QualityMeasure { name: "sharpness".to_owned(), of_searches: quality }],
        non_mated_pairs: (0..2_000).map(|probe| PairScore { probe, score: 0.3 + 0.05 * stream.normal() }).collect(),
        approximate: None,
        probe_names: Box::new(|probe| format!("probe {probe}")),
        latency: None,
        tell: &|_, _, _| Ok(()),
    }
}

#[test]
fn every_figure_is_the_count_that_it_says() {
    let galleries = [trials(50, 1_000, 2_000), trials(PEOPLE, 1_000, 2_000)];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let whole = &galleries[1];
    assert_eq!((found.counts.mated_searches, found.counts.mated_subjects), (1_000, 200));
    assert_eq!((found.counts.non_mated_searches, found.counts.failures_to_enrol), (2_000, 2));
    assert_eq!(found.galleries.iter().map(|gallery| gallery.people).collect::<Vec<_>>(), [50, 200]);
    let last = &found.galleries[1];
    for row in &last.by_rank {
        let missed = whole.searches().iter().filter(|search| search.kind == Kind::Mated);
        let missed = missed.filter(|search| search.mate.unwrap().rank.is_none_or(|rank| rank > row.rank)).count();
        assert_eq!((row.fnir.events, row.fnir.trials, row.fnir.subjects), (missed as u64, 1_000, 200));
    }
    assert_eq!(last.by_rank.iter().map(|row| row.rank).collect::<Vec<_>>(), [1, 10], "lists are 20 long");
    for row in &last.operating {
        let Some(threshold) = row.threshold else {
            assert!(row.target_fpir < 1.0 / 2_000.0 && row.fpir.is_none());
            continue;
        };
        let above = whole.searches().iter().filter(|search| search.kind == Kind::NonMated);
        let above = above.filter(|search| f64::from(search.candidates[0].score) >= threshold).count() as u64;
        let fpir = row.fpir.unwrap();
        assert_eq!((fpir.events, fpir.trials), (above, 2_000));
        assert!(fpir.value.unwrap() <= row.target_fpir);
        assert_eq!(fpir.supported, above >= 30, "the rule of 30");
        let other = row.disjoint.unwrap();
        assert!(other.fpir.trials == 1_000 && other.fnir.trials == 1_000);
        let work = row.workload[2];
        assert!((work.mates_shown - 500.0 * (1.0 - row.fnir.last().unwrap().fnir.value.unwrap())).abs() < 15.0);
    }
    assert_eq!(found.histograms.mated.iter().sum::<u64>(), 1_000);
    assert_eq!(found.histograms.non_mated_best.iter().sum::<u64>(), 2_000);
    assert!(last.det.len() > 10 && last.det.windows(2).all(|two| two[0].threshold > two[1].threshold));
}

#[test]
fn what_searches_can_not_say_is_said_and_groups_add_up() {
    let galleries = [trials(50, 1_000, 2_000), trials(PEOPLE, 1_000, 2_000)];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let (whole, last) = (&galleries[1], &found.galleries[1]);
    let mut cut_anywhere = false;
    for row in &last.operating {
        let needed = row.needed.unwrap();
        assert_eq!(row.threshold.is_none(), needed.for_a_threshold > 2_000, "no two scores are equal: {row:?}");
        assert!(needed.for_a_threshold <= needed.without_errors && needed.without_errors < needed.for_thirty);
        let Some(threshold) = row.threshold else {
            assert_eq!(row.cut_lists, None);
            continue;
        };
        let full = |kind| {
            let all = whole.searches().iter().filter(|search| search.kind == kind);
            all.filter(|search| search.candidates.iter().all(|one| f64::from(one.score) >= threshold)).count() as u64
        };
        let cut = row.cut_lists.unwrap();
        assert_eq!((cut.mated, cut.non_mated, cut.length), (full(Kind::Mated), full(Kind::NonMated), 20));
        cut_anywhere |= cut.mated + cut.non_mated > 0;
    }
    assert!(!cut_anywhere, "at these thresholds lists of 20 end in lower scores");
    // Of 20 in a gallery of 50 and 200 templates, a threshold below all scores cuts every list.
    let cut = wanted::cut_lists(&whole.view(), Threshold::NONE);
    assert_eq!((cut.mated, cut.non_mated), (1_000, 2_000));

    assert!(found.galleries[0].band.is_none(), "of the whole gallery alone");
    let band = last.band.as_ref().unwrap();
    let thresholds: Vec<f64> = last.operating.iter().filter_map(|row| row.threshold).collect();
    assert_eq!(band.operating.iter().map(|point| point.threshold).collect::<Vec<_>>(), thresholds);
    for (point, row) in band.operating.iter().zip(&last.operating) {
        let fnir = row.fnir.last().unwrap().fnir;
        assert_eq!((point.fpir, point.fnir), (row.fpir.unwrap().value.unwrap(), fnir.value.unwrap()));
        assert_eq!(point.fpir_interval.is_some(), row.fpir.unwrap().events >= band.events_min);
    }
    assert_eq!((band.replicates, band.mated_subjects, band.non_mated_subjects), (2_000, 200, 2_000));

    let groups = &found.group_histograms[0];
    let sum = |pick: fn(&crate::evaluation::results::GroupScores) -> &Vec<u64>| {
        groups.rows.iter().flat_map(pick).sum::<u64>()
    };
    assert_eq!((sum(|row| &row.mated), sum(|row| &row.non_mated_best)), (1_000, 2_000));
    assert_eq!(groups.rows.iter().map(|row| row.mated_subjects).sum::<u64>(), 200);
    assert_eq!((groups.rows.len(), groups.rows[0].mated.len()), (2, 40), "nobody is of the third group");
    let error = found.calibration.unwrap().expected_error.unwrap();
    assert!(error.value < 0.2 && error.bins == 10 && error.used <= 10, "{error:?}");
}

#[test]
fn nothing_is_resampled_from_a_handful_of_errors() {
    let galleries = [trials(50, 1_000, 4_000), trials(PEOPLE, 1_000, 4_000)];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let last = &found.galleries[1];
    let by_rank = last.by_rank.iter().map(|row| row.fnir);
    let of_targets =
        last.operating.iter().flat_map(|row| row.fpir.into_iter().chain(row.fnir.last().map(|row| row.fnir)));
    let rates: Vec<Rate> = by_rank.chain(of_targets).collect();
    for rate in &rates {
        let worth = rate.events.min(rate.trials - rate.events) as f64 / rate.design_effect.unwrap();
        assert_eq!((rate.bootstrap.is_some(), rate.is_of_few()), (worth >= 5.0, worth < 5.0), "{rate:?}");
    }
    assert!(rates.iter().any(|rate| rate.events > 0 && rate.bootstrap.is_none()), "a few errors are there");
    assert!(rates.iter().any(|rate| rate.bootstrap.is_some()));
}

#[test]
fn every_threshold_has_its_group_table() {
    let galleries = [trials(50, 1_000, 2_000), trials(PEOPLE, 1_000, 2_000)];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let of_group = |search: &Search, value: &str| search.subject.is_multiple_of(7) == (value == "one of seven");
    let mut tables = 0;
    for row in &found.galleries[1].operating {
        let Some(threshold) = row.threshold else {
            assert!(row.groups.is_empty());
            continue;
        };
        tables += 1;
        let names: Vec<&str> = row.groups.iter().map(|one| one.value.as_str()).collect();
        assert_eq!(names, ["six of seven", "one of seven"], "nobody is of the third");
        for group in &row.groups {
            let searches = || galleries[1].searches().iter().filter(|search| of_group(search, &group.value));
            let above = |search: &&Search| f64::from(search.candidates[0].score) >= threshold;
            let missed = |search: &&Search| {
                !search.mate.is_some_and(|mate| f64::from(mate.score) >= threshold && mate.rank.is_some())
            };
            let non_mated = || searches().filter(|search| search.kind == Kind::NonMated);
            let mated = || searches().filter(|search| search.kind == Kind::Mated);
            let (fpir, fnir) = (group.fpir.unwrap(), group.fnir.unwrap());
            assert_eq!(
                (fpir.events, fpir.trials),
                (non_mated().filter(above).count() as u64, non_mated().count() as u64)
            );
            assert_eq!((fnir.events, fnir.trials), (mated().filter(missed).count() as u64, mated().count() as u64));
            assert!(fnir.subjects < fnir.trials && fnir.design_effect.unwrap() >= 1.0);
        }
        let sum = |rate: fn(&Rate) -> u64| row.groups.iter().map(|one| rate(&one.fpir.unwrap())).sum::<u64>();
        assert_eq!((sum(|rate| rate.events), sum(|rate| rate.trials)), (row.fpir.unwrap().events, 2_000));
        assert_eq!(row.disjoint.unwrap().chosen_on, 1_000);
    }
    assert!(tables >= 5 && found.galleries[0].operating.iter().all(|row| row.groups.is_empty()));
}

#[test]
fn searching_again_with_the_same_pictures_supports_nothing_more() {
    let once = trials(PEOPLE, 60, 1_000);
    let claims = |times: u32| {
        let again = |search: &Search| {
            let probe = search.probe;
            (0..times).map(|copy| Search { probe: probe * times + copy, ..search.clone() }).collect::<Vec<_>>()
        };
        let all = once.searches().iter().flat_map(again).collect();
        let galleries = [Trials::new(u64::from(PEOPLE), u64::from(PEOPLE), LENGTH as u32, all).unwrap()];
        let mut findings = findings(&galleries);
        findings.measures.clear();
        findings.groups.clear();
        findings.non_mated_pairs.clear();
        assemble(identity(), findings).unwrap().galleries.remove(0)
    };
    let (one, many) = (claims(1), claims(3));
    assert!(
        one.operating.iter().any(|row| row.fpir.is_some_and(|fpir| fpir.supported)),
        "the first ones are supported"
    );
    for (one, many) in one.operating.iter().zip(&many.operating) {
        assert_eq!(one.threshold, many.threshold);
        let Some((one, many)) = one.fpir.zip(many.fpir) else { continue };
        assert_eq!((3 * one.events, 3 * one.trials, one.subjects), (many.events, many.trials, many.subjects));
        assert_eq!((one.design_effect, one.supported || !many.supported), (Some(1.0), true));
        let width = |rate: &Rate| rate.clopper_pearson.map(|(low, high)| high - low).unwrap();
        assert!(width(&many) >= width(&one) - 1e-12 && width(&many) < 1.1 * width(&one), "{one:?} {many:?}");
    }
    for (one, many) in one.by_rank.iter().zip(&many.by_rank) {
        assert!(one.fnir.supported || !many.fnir.supported);
    }
}

#[test]
fn groups_that_differ_are_said_to_and_few_people_leave_it_open() {
    let galleries = [trials(PEOPLE, 4_000, 4_000)];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let groups = found.breakdowns.iter().find(|one| one.kind == BreakdownKind::Group).unwrap();
    assert_eq!(groups.rows.iter().map(|row| row.value.as_str()).collect::<Vec<_>>(), ["six of seven", "one of seven"]);
    let fnir = groups.fnir_differences.as_ref().unwrap();
    assert_eq!((fnir.pairs.len(), fnir.pairs[0].verdict), (1, Verdict::Different));
    let small = [trials(PEOPLE, 7, 60)];
    let found = assemble(identity(), findings(&small)).unwrap();
    let groups = found.breakdowns.iter().find(|one| one.kind == BreakdownKind::Group).unwrap();
    let verdicts = [&groups.fnir_differences, &groups.fpir_differences];
    assert!(verdicts.iter().all(|one| one.as_ref().unwrap().pairs[0].verdict == Verdict::Undetermined));
    assert!(found.statements.iter().any(|one| one.text.contains("undetermined")));
    let (map, whole) = (&found.heat_maps[0], &small[0]);
    let above = whole.searches().iter().filter(|search| search.kind == Kind::NonMated);
    let above =
        above.map(|search| search.candidates.iter().filter(|one| f64::from(one.score) >= map.threshold).count() as u64);
    assert_eq!(map.cells.iter().flatten().flatten().map(|cell| cell.events).sum::<u64>(), above.sum::<u64>());
    assert!(map.cells[2][0].is_none() && map.cells[0][2].is_none(), "nobody is of the third group");
    let comparisons: u64 = map.cells.iter().flatten().flatten().map(|cell| cell.comparisons).sum();
    assert_eq!(comparisons, 60 * u64::from(PEOPLE));
}

#[test]
fn groups_are_compared_within_each_kind_of_probe() {
    let galleries = [trials(PEOPLE, 4_000, 4_000)];
    let mut given = findings(&galleries);
    let of_kinds = |names: &[&str]| Column {
        name: "kind".to_owned(),
        values: names.iter().map(|name| (*name).to_owned()).collect(),
        of_searches: (0..8_000).map(|number| Some(number % names.len() as u16)).collect(),
        of_subjects: BTreeMap::new(),
        templates: Vec::new(),
    };
    given.kinds = Some(of_kinds(&["clean", "dark"]));
    let within = |names: &[&str]| kinds::compared(&kinds::parts(&galleries[0].view(), &of_kinds(names)).unwrap()).len();
    assert_eq!((within(&["a", "b", "c", "d"]), within(&["a", "b", "c", "d", "e"])), (4, 0));
    let found = assemble(identity(), given).unwrap();
    let groups: Vec<_> = found.breakdowns.iter().filter(|one| one.kind == BreakdownKind::Group).collect();
    let titles: Vec<String> = groups.iter().map(|one| one.title()).collect();
    assert_eq!(titles, ["group", "group (clean)", "group (dark)"]);
    let searches = |one: &Breakdown| one.rows.iter().map(|row| row.fpir.unwrap().trials).sum::<u64>();
    assert_eq!(searches(groups[0]), searches(groups[1]) + searches(groups[2]));
    assert!(groups.iter().all(|one| one.fnir_differences.as_ref().unwrap().margin.contains("over the 6 comparisons")));
    assert_eq!(found.heat_maps.len(), 1);
}

#[test]
fn predictions_calibration_and_quality_are_there_or_the_reason_is() {
    let galleries = [trials(100, 1_000, 2_000), trials(PEOPLE, 1_000, 2_000)];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let prediction = found.prediction.unwrap();
    assert_eq!(prediction.fitted_at, 100);
    for row in prediction.rows.iter().filter(|row| row.people == 200 && row.measured.unwrap().events >= 20) {
        let ratio = row.predicted / row.measured.unwrap().value.unwrap();
        assert!((0.25..6.0).contains(&ratio), "a hundred templates are few for a tail: {row:?}");
    }
    assert!(prediction.rows.iter().any(|row| row.people == 2_000 && row.measured.is_none()));
    let calibration = found.calibration.unwrap();
    assert!(calibration.slope > 0.0 && calibration.cllr < 0.3 && calibration.cllr_min <= calibration.cllr);
    assert_eq!((calibration.penalty, calibration.separated), (Some(1e-6), false));
    assert_eq!(
        calibration.folds.iter().map(|fold| (fold.mated > 0, fold.non_mated > 0)).collect::<Vec<_>>(),
        [(true, true); 5]
    );
    assert!(found.statements.iter().any(|one| one.text.starts_with("Calibration is cross-fitted")));
    let curve = &found.discard[0];
    assert!(curve.points[0].1 >= curve.points[20].1, "the poorest are the ones that fail");
    // Twenty people searched for: the line has nobody else to be held against.
    let few = [trials(PEOPLE, 20, 2_000)];
    let few = assemble(identity(), findings(&few)).unwrap();
    let calibration = few.calibration.unwrap();
    assert_eq!((calibration.folds.len(), Some(calibration.cllr)), (0, calibration.cllr_in_sample));
    let why = calibration.not_crossed.unwrap();
    assert_eq!(why, "mated comparisons of 30 people are wanted, and there were those of 20");
    let said = few.statements.iter().find(|one| one.text.starts_with("Calibration is in-sample")).unwrap();
    assert!(said.text.contains(&why));
    // All random pairs are of one probe: four folds of people have none.
    let mut lacking = findings(&galleries);
    lacking.non_mated_pairs.iter_mut().for_each(|pair| pair.probe = 0);
    let lacking = assemble(identity(), lacking).unwrap();
    let why = lacking.calibration.unwrap().not_crossed.unwrap();
    assert!(why.starts_with("fold ") && why.ends_with(" has no non-mated comparison"), "{why}");
    assert!(lacking.statements.iter().any(|one| one.text.contains(&why) && !one.text.contains("30 people")));
    // The smallest evaluation there is.
    let one = [trials(PEOPLE, 1, 0)];
    let mut findings = findings(&one);
    findings.non_mated_pairs.clear();
    let found = assemble(identity(), findings).unwrap();
    assert!(found.prediction.is_none() && found.calibration.is_none() && found.galleries[0].operating.is_empty());
    assert!(found.statements.iter().any(|one| one.text.starts_with("No prediction")));
    let text = serde_json::to_string(&found).unwrap();
    assert_eq!(serde_json::from_str::<Evaluation>(&text).unwrap(), found);
}

#[test]
fn people_who_could_not_be_enrolled_are_not_in_n_and_searches_for_them_are_misses() {
    let lost = |subject: u32| subject < PEOPLE && subject % 7 < 2;
    let mut searches = trials(PEOPLE, 1_000, 2_000).searches().to_vec();
    for search in &mut searches {
        search.candidates.retain(|candidate| !lost(candidate.subject));
        search.mate_enrolled_failed = search.kind == Kind::Mated && lost(search.subject);
        let place = search.candidates.iter().position(|candidate| candidate.subject == search.subject);
        let rank = place.map(|place| place as u32 + 1);
        search.mate = search.mate.filter(|_| !search.mate_enrolled_failed).map(|mate| MateScore { rank, ..mate });
    }
    let people = u64::from((0..PEOPLE).filter(|&person| !lost(person)).count() as u32);
    let galleries = [Trials::new(people, people, LENGTH as u32, searches).unwrap()];
    let found = assemble(identity(), findings(&galleries)).unwrap();
    let expected = galleries[0].searches().iter().filter(|search| search.kind == Kind::Mated && lost(search.subject));
    let expected = expected.count() as u64;
    assert_eq!((found.counts.enrolled_subjects, found.galleries[0].people), (people, people));
    assert_eq!((found.counts.mates_not_enrolled, found.counts.mated_searches), (expected, 1_000));
    assert!(found.galleries[0].by_rank.iter().all(|row| row.fnir.trials == 1_000 && row.fnir.events >= expected));
    // By group: of the small group everybody is lost, of the other one in six.
    let groups = found.breakdowns.iter().find(|one| one.kind == BreakdownKind::Group).unwrap();
    let of_group: Vec<_> = groups.rows.iter().map(|row| row.mates_not_enrolled.unwrap()).collect();
    assert_eq!(of_group.iter().map(|rate| rate.events).sum::<u64>(), expected);
    assert!((of_group[0].value.unwrap() - 1.0 / 6.0).abs() < 0.01 && of_group[1].value == Some(1.0), "{of_group:?}");
    assert_eq!(groups.rows[1].fnir_unthresholded.value, Some(1.0));
}

#[test]
fn mates_that_approximate_searches_lose_are_named() {
    let exact = trials(PEOPLE, 300, 300);
    let mut searches = exact.searches().to_vec();
    let lost: Vec<u32> = searches
        .iter()
        .filter(|one| one.mate.is_some_and(|mate| mate.rank.is_some()))
        .map(|one| one.probe)
        .take(3)
        .collect();
    for search in searches.iter_mut().filter(|search| lost.contains(&search.probe)) {
        search.candidates.retain(|candidate| candidate.subject != search.subject);
        search.mate = None;
    }
    let other = [Trials::new(200, 200, LENGTH as u32, searches).unwrap()];
    let galleries = [exact];
    let mut findings = findings(&galleries);
    findings.approximate = Some((64, &other));
    let pairs = assemble(identity(), findings).unwrap().approximate.unwrap();
    assert_eq!((pairs.exact_only, pairs.approximate_only, pairs.ef), (3, 0, 64));
    assert_eq!(pairs.lost, lost.iter().map(|probe| format!("probe {probe}")).collect::<Vec<_>>());
}

/// Galleries that say which were asked for.
struct Asked<'a, const N: usize> {
    all: &'a [Trials; N],
    loads: RefCell<Vec<usize>>,
}

impl<const N: usize> Galleries for Asked<'_, N> {
    fn count(&self) -> usize {
        N
    }

    fn load(&self, place: usize) -> Result<Cow<'_, Trials>, EvaluationError> {
        self.loads.borrow_mut().push(place);
        self.all.load(place)
    }
}

#[test]
fn each_gallery_is_read_once_the_whole_one_first() {
    let all = [trials(20, 40, 80), trials(50, 40, 80), trials(PEOPLE, 40, 80)];
    let asked = Asked { all: &all, loads: RefCell::default() };
    let one_by_one = assemble(identity(), Findings { galleries: &asked, ..findings(&all) }).unwrap();
    assert_eq!(*asked.loads.borrow(), [2, 0, 1]);
    assert_eq!(one_by_one, assemble(identity(), findings(&all)).unwrap());
}

#[test]
fn whoever_waits_is_told_and_may_go_away_at_any_step() {
    let galleries = [trials(50, 300, 600), trials(PEOPLE, 300, 600)];
    let steps = RefCell::new(Vec::new());
    let tell = |what, done: u64, of: u64| {
        assert!(done <= of, "{what}: {done} of {of}");
        steps.borrow_mut().push(what);
        Ok(())
    };
    assemble(identity(), Findings { tell: &tell, ..findings(&galleries) }).unwrap();
    let steps = steps.into_inner();
    for step in ["gallery sizes", "thresholds", "predictions", "breakdowns", "calibration"] {
        assert!(steps.contains(&step), "{step}");
    }
    // Asked often where it takes long, and ended there: no evaluation without what was left out.
    assert!(steps.iter().filter(|what| **what == "predictions").count() > 10_000);
    assert!(steps.iter().filter(|what| **what == "people drawn anew").count() >= 2_000);
    for last in [0, 1, 2, 3, 10_000, steps.len() - 1] {
        let left = Cell::new(last);
        let tell = |_, _, _| match left.get().checked_sub(1) {
            Some(fewer) => {
                left.set(fewer);
                Ok(())
            }
            None => Err(EvaluationError::Interrupted),
        };
        let ended = assemble(identity(), Findings { tell: &tell, ..findings(&galleries) });
        assert_eq!(ended.unwrap_err(), EvaluationError::Interrupted, "at step {last}");
    }
}

#[test]
fn what_was_put_together_can_be_shown() {
    for (mated, non_mated) in [(1_000, 2_000), (7, 60), (1, 1), (1, 0), (0, 1)] {
        let galleries = [trials(50, mated, non_mated), trials(PEOPLE, mated, non_mated)];
        let mut findings = findings(&galleries);
        if mated == 0 {
            findings.non_mated_pairs.clear();
        }
        let found = assemble(identity(), findings).unwrap();
        let shown = crate::evaluation::report::html(&found).unwrap();
        assert!(shown.contains("What is real, what is synthetic"));
    }
}
