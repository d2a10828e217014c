//! Synthetic evaluations through galleries and searches, held against the closed form and against counting by hand.

use super::*;
use crate::evaluation::accuracy::rates::{fnir, fpir};
use crate::evaluation::accuracy::thresholds::{Outcome, for_target};
use crate::evaluation::accuracy::trials::{Rank, Threshold, Trials};
use crate::evaluation::arithmetic::intervals::{Coverage, Proportion, clopper_pearson, support};
use crate::evaluation::assemble::Galleries as _;
use crate::evaluation::synthetic::closed_form::{false_positive_rate, miss_rate, threshold_at};
use crate::evaluation::synthetic::{Parameters, Preset};
use crate::settings::back_end::BackEnd;
use crate::settings::flags::Flags;

fn settings(folder: &std::path::Path) -> Settings {
    let flags = Flags { data: Some(folder.join("data")), back_end: Some(BackEnd::Cpu), ..Flags::default() };
    Settings::load(None, folder, flags).unwrap().settings
}

fn plan(folder: &std::path::Path, parameters: Parameters, people: u32, (mated, non_mated): (u32, u32)) -> CrowdPlan {
    let (images, mates_among, dimension, seed) = (1, people, 192, 11);
    CrowdPlan {
        options: Options { parameters, people, images, mated, mates_among, non_mated, dimension, seed },
        sizes: Vec::new(),
        list_length: 20,
        calibrate: false,
        lists: None,
        title: "A test".to_owned(),
        folder: folder.join("run"),
        keep: false,
        program: Program::default(),
    }
}

/// Enrols and searches, without the figures.
async fn searched(plan: &CrowdPlan, settings: &Settings) -> Trials {
    let samples: Arc<dyn Samples> = Arc::new(SyntheticSamples::new(plan.options.clone(), 2).unwrap());
    let key = RunKey { data_sha256: String::new(), model_sha256: String::new(), settings: json!({}) };
    let run = RunFolder::take(&plan.folder, &key).unwrap();
    let desk = run.desk(settings).await.unwrap();
    let (people, watch) = (plan.options.people, Watch::default());
    let model = ModelId { name: MODEL.to_owned(), hash: [1; 32] };
    let gallery = searches::gallery(&desk, &model, &samples, people, true, &watch).await.unwrap();
    let list_length = plan.list_length;
    let series = Series { people, list_length, join_people: false, mode: Mode::Exact, number: 0, synthetic: true };
    searches::search(&desk, &samples, &gallery, &series, &run, &watch).await.unwrap();
    desk.vault.clone().close().await;
    let journal = Journal::open(&run.file(searches::JOURNAL)).unwrap();
    let subject_of = |probe| samples.mate_of(probe).unwrap_or(people + probe);
    let who = People { of_gallery: &|person| person, of_probe: &subject_of };
    let source =
        Source { journal: &journal, samples: samples.as_ref(), list_length, who, joined: false, watch: &watch };
    Lists::exact(&source, &[people]).load(0).unwrap().into_owned()
}

/// The same evaluation, had there been fewer non-mated searches.
fn with_non_mated(all: &Trials, most: usize) -> Trials {
    let (mated, mut others): (Vec<_>, Vec<_>) =
        all.searches().iter().cloned().partition(|search| search.kind == Kind::Mated);
    others.truncate(most);
    let searches = [mated, others].concat();
    Trials::new(all.enrolled_subjects(), all.enrolled_templates(), all.list_length(), searches).unwrap()
}

/// Clopper and Pearson's interval, wide enough for a test that never fails by chance.
fn holds(found: Proportion, expected: f64) -> bool {
    clopper_pearson(found, Coverage::new(0.999).unwrap()).contains(expected)
}

/// NPL's table of 2023 has one line: at a watchlist of 10,000 a threshold, a TPIR of 0.89, an FPIR of 1 in 6,000. This is that line by
/// searches, at a watchlist of 1,000, with what its FPIR takes to be claimed.
#[tokio::test(flavor = "multi_thread")]
async fn npls_table_by_searches_lies_where_the_closed_form_has_it() {
    const FPIR: f64 = 1.0 / 6_000.0;
    let folder = tempfile::tempdir().unwrap();
    let parameters = Preset::LfrNpl.parameters();
    let (people, non_mated) = (1_000, 8_000);
    let plan = plan(folder.path(), parameters.clone(), people, (people, non_mated));
    let all = searched(&plan, &settings(folder.path())).await;
    let view = all.view();
    assert_eq!((all.enrolled_subjects(), view.mated().count(), view.non_mated().count()), (1_000, 1_000, 8_000));

    // The line: threshold, TPIR and FPIR as counted, and that so few searches support no such claim.
    let Outcome::Chosen { threshold, fpir: counted } = for_target(&view, FPIR).unwrap() else {
        panic!("8,000 searches allow one false positive");
    };
    assert_eq!((counted.events(), counted.trials()), (1, 8_000));
    let claim = support(counted, FPIR).unwrap();
    assert_eq!(claim.rule, None, "not supported by the data");
    assert_eq!((claim.needed_without_errors, claim.needed_for_thirty), (17_973, 180_000), "searches to claim it");
    // It is the highest of 8,000 scores: the closed form's FPIR there is anything from a fiftieth of that to eight times as much.
    let there = false_positive_rate(&parameters, u64::from(people), f64::from(threshold.get()));
    assert!(holds(counted, there), "FPIR {there} at T {}", threshold.get());
    let missed = fnir(&view, Rank::Any, threshold).unwrap();
    let expected = miss_rate(&parameters, f64::from(threshold.get()));
    assert!(holds(missed, expected), "TPIR {} instead of {}", missed.complement().rate(), 1.0 - expected);
    // With fewer searches there is no line at all, but how many it takes.
    let fewer = with_non_mated(&all, 5_999);
    match for_target(&fewer.view(), FPIR).unwrap() {
        Outcome::NotSupported { searches_needed, .. } => assert_eq!(searches_needed, 6_000),
        chosen @ Outcome::Chosen { .. } => panic!("{chosen:?}"),
    }

    // At thresholds of the closed form, for this watchlist and for NPL's: a mate's score knows nothing of the watchlist's size.
    for (watchlist, target) in [(1_000, FPIR), (1_000, 0.001), (1_000, 0.01), (10_000, FPIR)] {
        let at = threshold_at(&parameters, watchlist, target);
        let threshold = Threshold::new(at as f32).unwrap();
        if watchlist == u64::from(people) {
            let found = fpir(&view, threshold).unwrap();
            assert!(holds(found, target), "FPIR {target} at T {at}: {found:?}");
        }
        let (missed, expected) = (fnir(&view, Rank::Any, threshold).unwrap(), miss_rate(&parameters, at));
        assert!(holds(missed, expected), "FNIR {expected} at T {at}: {missed:?}");
        assert!(watchlist < 10_000 || (expected - 0.11).abs() < 0.001, "what NPL published: TPIR 0.89");
    }
}

/// What the whole way writes, read again as somebody else would.
#[tokio::test(flavor = "multi_thread")]
async fn failures_and_duplicates_are_counted_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut parameters = Preset::Mugshot.parameters().lifelike(2).unwrap();
    parameters.gallery.mean = 0.3;
    (parameters.failures, parameters.relatives.duplicates) = (0.2, 0.4);
    let plan = plan(folder.path(), parameters, 300, (600, 60));
    let failed = SyntheticSamples::new(plan.options.clone(), 1).unwrap();
    let failed = (40..300).find(|&person| !failed.is_enrolled(person)).unwrap();
    // The second of these galleries has nobody whom the first has not.
    let plan = CrowdPlan { sizes: vec![failed, failed + 1], ..plan };
    let found = run(&settings(folder.path()), &plan, &Watch::default()).await.unwrap().evaluation;
    let samples = SyntheticSamples::new(plan.options.clone(), 1).unwrap();
    let enrolled = samples.enrolled_of(300);
    assert!(enrolled < 285 && samples.failures_to_enrol() == 300 - enrolled, "{enrolled}");
    assert_eq!((found.counts.enrolled_subjects, found.counts.enrolled_templates), (enrolled, enrolled));
    assert_eq!(found.counts.subjects_not_enrolled, 300 - enrolled);
    let sizes = sizes_apart(&samples, [failed, failed + 1, 300]).unwrap();
    assert_eq!((sizes.as_slice(), found.identity.exclusions.len()), (&[failed + 1, 300][..], 1));
    assert!(found.identity.exclusions[0].0.contains("gallery sizes") && found.identity.exclusions[0].1 == 1);
    let people: Vec<u64> = sizes.iter().map(|&size| samples.enrolled_of(size)).collect();
    assert_eq!(found.galleries.iter().map(|gallery| gallery.people).collect::<Vec<_>>(), people);
    let lost = (0..600).filter(|&probe| samples.mate_of(probe).is_some_and(|person| !samples.is_enrolled(person)));
    assert_eq!(found.counts.mates_not_enrolled, lost.count() as u64);

    // Duplicates, counted from the table of lists.
    let mut reader = csv::Reader::from_path(plan.folder.join("candidates.csv")).unwrap();
    let number = |name: &str| name.strip_prefix("synthetic #").and_then(|number| number.parse::<u32>().ok());
    let (mut listed, mut first, mut searched) = (0, 0, std::collections::BTreeSet::new());
    for row in reader.records().map(Result::unwrap) {
        assert_eq!(&row[8], "exact");
        let other = number(&row[2]).filter(|_| &row[3] == "true").and_then(|person| samples.duplicate_of(person));
        let Some(other) = other.filter(|&other| samples.is_enrolled(other) && row[0] == enrolled.to_string()) else {
            continue;
        };
        searched.insert(row[1].to_owned());
        if number(&row[5]) == Some(other) {
            listed += 1;
            first += u32::from(&row[4] == "1");
        }
    }
    let said = found.statements.iter().find(|one| one.text.contains("two identities")).unwrap();
    let expected = format!("{} mated searches are for people", searched.len());
    assert!(said.about == About::Synthetic && said.text.starts_with(&expected), "{} {expected}", said.text);
    let expected = format!("In {listed} of their lists the other identity is a candidate, in {first} the first one");
    assert!(listed > 20 && first > 5 && said.text.contains(&expected), "{} {expected}", said.text);
    // Both identities are each other's.
    for person in 0..300 {
        assert!(samples.duplicate_of(person).is_none_or(|other| samples.duplicate_of(other) == Some(person)));
    }
}

#[test]
fn galleries_that_nobody_joins_are_one() {
    let mut parameters = Preset::Mugshot.parameters().lifelike(2).unwrap();
    parameters.gallery.mean = 0.3;
    parameters.failures = 0.2;
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), parameters, 300, (300, 1));
    let samples = SyntheticSamples::new(plan.options, 1).unwrap();
    let missing = (2..300).find(|&person| !samples.is_enrolled(person)).unwrap();
    let sizes = sizes_apart(&samples, [missing, missing + 1, 300]).unwrap();
    assert_eq!(sizes, [missing + 1, 300], "one with the searches for who is missing");
    assert_eq!(samples.enrolled_of(missing), samples.enrolled_of(missing + 1));
}

/// Ctrl-C while figures are worked out: it is answered at once, and what was searched is still there.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_figures_are_worked_out_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = plan(folder.path(), Preset::LfrNpl.parameters(), 200, (200, 400));
    let (settings, watch) = (settings(folder.path()), Watch::default());
    let stopping = async {
        let began = std::time::Instant::now();
        while watch.progress.now().0 != "predictions" {
            assert!(began.elapsed() < std::time::Duration::from_mins(2), "it was over before anybody saw it");
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        // The vault is closed by now, and the run is not at its end: nobody else may begin in its folder, and remove it in the end.
        let second = run(&settings, &plan, &Watch::default()).await.unwrap_err();
        assert!(matches!(second, CaseworkError::RunInUse(_)) && second.to_string().contains("--out"), "{second}");
        watch.stop.store(true, std::sync::atomic::Ordering::Relaxed);
        std::time::Instant::now()
    };
    let (ended, asked) = tokio::join!(run(&settings, &plan, &watch), stopping);
    assert!(ended.unwrap_err().is_stop());
    assert!(asked.elapsed() < std::time::Duration::from_secs(20), "{:?}", asked.elapsed());
    assert!(!plan.folder.join("evaluation.json").exists() && !plan.folder.join("candidates.csv").exists());
    let searched = fs_err::read(plan.folder.join(searches::JOURNAL)).unwrap();
    let again = Watch::default();
    let found = run(&settings, &CrowdPlan { keep: true, ..plan.clone() }, &again).await.unwrap().evaluation;
    assert_eq!(found.counts.non_mated_searches, 400);
    assert!(fs_err::read(plan.folder.join(searches::JOURNAL)).unwrap() == searched, "nothing was searched again");
}

/// Three images a person under one identity are one candidate, and three candidates where each is enrolled by itself.
#[test]
fn maps_between_groups_count_what_can_be_on_a_list() {
    let folder = tempfile::tempdir().unwrap();
    let mut asked = plan(folder.path(), Preset::LfrNpl.parameters(), 50, (20, 20));
    asked.options.parameters = asked.options.parameters.lifelike(2).unwrap();
    asked.options.images = 3;
    assert!(asked.joins_people());
    let samples = SyntheticSamples::new(asked.options.clone(), 2).unwrap();
    let journal = Journal::open(&folder.path().join("journal")).unwrap();
    let (subject_of, watch) = (|probe| probe, Watch::default());
    let candidates = |joined| {
        let who = People { of_gallery: &|person| person, of_probe: &subject_of };
        let source = Source { journal: &journal, samples: &samples, list_length: 20, who, joined, watch: &watch };
        let mut columns: Vec<Column> = samples.groups(&[0]).into_iter().collect();
        source.count_candidates(&mut columns);
        columns[0].templates.iter().sum::<u64>()
    };
    let (enrolled, templates) = (samples.enrolled_of(50), samples.rows_of(50));
    assert!(templates > 2 * enrolled);
    assert_eq!((candidates(true), candidates(false)), (enrolled, templates));
}

#[test]
fn one_image_is_one_image() {
    assert_eq!(enrolment(1), "one synthetic image a person");
    assert_eq!(enrolment(3), "3 synthetic images a person, under one identity");
}
