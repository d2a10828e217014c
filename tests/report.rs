//! Reports as files: well-formed, closed in themselves, every figure that of the results, nothing from data taken as markup.
//! The examples are left in the build folder (`target/tmp/report`) to be looked at in a browser.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod report {
    pub(crate) mod document;
    pub(crate) mod example;
    pub(crate) mod fixed;
}

use bertillon::evaluation::EvaluationError;
use bertillon::evaluation::report::html;
use bertillon::evaluation::results::{
    BandFit, CalibrationBand, Counts, Evaluation, GalleryResult, Histograms, Identity, KindResult, RESULTS_VERSION,
    Rate,
};
use report::document::{Element, parse};
use report::example::{Wish, evaluation, rate};

fn page(evaluation: &Evaluation) -> Element {
    parse(&html(evaluation).unwrap()).unwrap()
}

fn small(change: impl FnOnce(&mut Wish)) -> Evaluation {
    let mut wish = Wish { mated: 900, non_mated: 1_200, ..Wish::whole() };
    change(&mut wish);
    evaluation(&wish)
}

fn nothing() -> Evaluation {
    let mut empty = small(|wish| wish.extras = false);
    empty.counts = Counts::default();
    empty.galleries.clear();
    empty.breakdowns.clear();
    empty.heat_maps.clear();
    empty.group_histograms.clear();
    empty.histograms = Histograms::default();
    empty.statements.clear();
    empty.identity.hardware.clear();
    empty.identity.protocol.clear();
    empty.identity.exclusions.clear();
    empty.identity.commit = None;
    empty
}

const HOSTILE: &str = "</style></td><script>alert(1)</script><img src=x onerror=alert(1)>\"'&amp;\u{202e}\u{0}";

fn hostile() -> Evaluation {
    let mut found = small(|wish| wish.groups = (0..9).map(|group| format!("{HOSTILE}{group}")).collect());
    let hostile = || HOSTILE.to_owned();
    found.identity = Identity { title: hostile(), data: HOSTILE.repeat(100), ..found.identity };
    found.identity.protocol.push((hostile(), hostile()));
    found.identity.exclusions.push((hostile(), 1));
    let columns = found.breakdowns.iter_mut().map(|column| &mut column.column);
    let maps = found.heat_maps.iter_mut().map(|map| &mut map.column);
    let scores = found.group_histograms.iter_mut().map(|scores| &mut scores.column);
    let measures = found.discard.iter_mut().map(|curve| &mut curve.measure);
    let statements = found.statements.iter_mut().map(|statement| &mut statement.text);
    let back_end = found.latency.iter_mut().map(|latency| &mut latency.back_end);
    for text in columns.chain(maps).chain(scores).chain(measures).chain(statements).chain(back_end) {
        HOSTILE.clone_into(text);
    }
    found.approximate.as_mut().unwrap().lost = vec![hostile()];
    found
}

/// Evaluations of every shape that reports meet.
fn examples() -> Vec<(&'static str, Evaluation)> {
    let named = |count: usize| (0..count).map(|group| format!("a group with quite a long name, number {}", group + 1));
    vec![
        ("whole", evaluation(&Wish::whole())),
        ("one-size", small(|wish| wish.sizes = vec![102])),
        ("two-groups", small(|wish| wish.groups = vec!["female".to_owned(), "male".to_owned()])),
        ("twelve-groups", small(|wish| wish.groups = named(12).collect())),
        (
            "twenty-groups",
            small(|wish| (wish.mated, wish.non_mated, wish.groups) = (2_000, 2_400, named(20).collect())),
        ),
        ("fifty-groups", small(|wish| wish.groups = named(50).collect())),
        ("no-non-mated", small(|wish| wish.non_mated = 0)),
        ("no-mated", small(|wish| wish.mated = 0)),
        ("errorless", small(|wish| wish.errorless = true)),
        ("one-probe", small(|wish| (wish.mated, wish.non_mated) = (1, 1))),
        ("no-extras", small(|wish| (wish.extras, wish.groups) = (false, vec![]))),
        ("hostile", hostile()),
        ("nothing", nothing()),
    ]
}

#[test]
fn reports_of_every_shape_are_well_formed_and_refer_to_nothing_outside() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    fs_err::create_dir_all(&folder).unwrap();
    for (name, example) in examples() {
        let html = html(&example).unwrap();
        fs_err::write(folder.join(format!("{name}.html")), &html).unwrap();
        let page = parse(&html).unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        let lower = html.to_lowercase();
        for outside in ["http:", "https:", "<script", "<link", "<img", "<iframe", "@import", "xlink:"] {
            assert!(!lower.contains(outside), "{name} has {outside}");
        }
        assert!(
            names(&page).iter().all(|attribute| !["src", "srcset", "style", "onload", "onerror"].contains(attribute))
        );
        assert_eq!(lower.matches("url(").count(), lower.matches("url(data:").count(), "{name}");
        for link in page.all("a") {
            let target = link.attribute("href").strip_prefix('#').unwrap_or_else(|| panic!("{name}: a link outside"));
            assert!(page.by_id(target).is_some(), "{name}: nothing at #{target}");
        }
        for drawing in page.all("svg") {
            let labels = drawing.attribute("aria-labelledby");
            assert_eq!(drawing.attribute("role"), "img");
            for label in labels.split(' ') {
                assert!(!page.by_id(label).unwrap().text.trim().is_empty(), "{name}: {labels} says nothing");
            }
            assert!(drawing.all("polyline").len() + drawing.all("rect").len() > 3, "{name}: {labels} is empty");
        }
        let ids: Vec<&str> = all_ids(&page);
        assert_eq!(ids.len(), ids.iter().collect::<std::collections::BTreeSet<_>>().len(), "{name}: an id twice");
    }
}

/// Attributes of all elements below.
fn names(element: &Element) -> Vec<&str> {
    let own = element.attributes.keys().map(String::as_str);
    own.chain(element.children.iter().flat_map(names)).collect()
}

fn all_ids(element: &Element) -> Vec<&str> {
    let own = Some(element.attribute("id")).filter(|id| !id.is_empty());
    own.into_iter().chain(element.children.iter().flat_map(all_ids)).collect()
}

#[test]
fn the_same_results_give_the_same_bytes() {
    let example = small(|_| {});
    assert_eq!(html(&example).unwrap(), html(&example.clone()).unwrap());
}

#[test]
fn every_plot_and_table_is_there_or_says_why_not() {
    let full = page(&evaluation(&Wish::whole()));
    assert_eq!(full.all("figure").len(), 15);
    assert_eq!(full.all("svg").len(), 15, "{:?}", full.all("figcaption").iter().map(|c| &c.text).collect::<Vec<_>>());
    let empty = page(&nothing());
    assert_eq!((empty.all("figure").len(), empty.all("svg").len()), (15, 0));
    for figure in empty.all("figure") {
        assert!(figure.text.contains("Not measured: "), "{}", figure.text);
    }
    for table in 2..=10 {
        let part = empty.by_id(&format!("table-{table}")).unwrap();
        assert!(part.text.contains("Not measured: ") && part.all("table").is_empty(), "{}", part.text);
    }
}

/// What a cell of a rate must say.
fn rate_text(rate: &Rate) -> String {
    let people = if rate.subjects == 1 { "person" } else { "people" };
    let number = bertillon::base::text::thousands;
    format!("{}/{}; {} {people}", number(rate.events), number(rate.trials), number(rate.subjects))
}

#[test]
fn tables_show_the_figures_of_the_results_and_no_others() {
    let example = evaluation(&Wish::whole());
    let page = page(&example);
    let last = example.galleries.last().unwrap();
    let part = |table: u32| page.by_id(&format!("table-{table}")).unwrap();
    let counts = &example.counts;
    let wanted = [
        counts.enrolled_templates,
        counts.enrolled_subjects,
        counts.failures_to_enrol,
        counts.subjects_not_enrolled,
        counts.mated_searches,
        counts.mated_subjects,
        counts.failures_to_extract_mated,
        counts.mates_not_enrolled,
        counts.non_mated_searches,
        counts.non_mated_subjects,
        counts.failures_to_extract_non_mated,
    ];
    assert_eq!(part(1).figures(), wanted.map(|count| count as f64));
    let wanted: Vec<f64> =
        example.galleries.iter().flat_map(|found| &found.by_rank).map(|row| row.fnir.value.unwrap()).collect();
    assert_eq!(part(2).figures(), wanted);
    for (cell, row) in part(2).all("td").iter().zip(example.galleries.iter().flat_map(|found| &found.by_rank)) {
        assert!(cell.text.contains(&rate_text(&row.fnir)), "{}", cell.text);
        assert_eq!(cell.text.contains("supported by the data"), row.fnir.supported);
        let few = row.fnir.is_of_few();
        assert_eq!(cell.text.contains("CP "), row.fnir.supported || few);
        assert!(!few || !cell.text.contains(" B "), "{}", cell.text);
    }
    let mut wanted = Vec::new();
    for row in &last.operating {
        wanted.extend([row.threshold, row.fpir.and_then(|rate| rate.value)]);
        wanted.extend(row.fnir.iter().map(|row| row.fnir.value));
    }
    for needed in last.operating.iter().map(|row| row.needed.unwrap()) {
        let counts = [needed.for_a_threshold, needed.without_errors, needed.for_thirty];
        wanted.extend(counts.map(|count| Some(count as f64)));
    }
    for row in &last.operating {
        wanted
            .extend(row.disjoint.into_iter().flat_map(|half| [Some(half.threshold), half.fpir.value, half.fnir.value]));
    }
    assert_eq!(part(3).figures(), wanted.into_iter().flatten().collect::<Vec<_>>());
    let mut wanted = Vec::new();
    for row in &last.operating {
        for (work, (_, value)) in row.workload.iter().zip(&row.predictive_value) {
            wanted.extend([row.threshold, row.selectivity, Some(work.prior), Some(work.searches_with_candidates)]);
            wanted.extend([Some(work.false_candidates), Some(work.mates_shown), *value]);
        }
    }
    assert_eq!(part(7).figures(), wanted.into_iter().flatten().collect::<Vec<_>>());
    // What full lists hide is said where it matters and nowhere else.
    let cut = last.operating.iter().filter(|row| row.cut_lists.is_some_and(|cut| cut.non_mated > 0));
    let bounds: usize = cut.map(|row| 2 * row.workload.len()).sum();
    assert!(bounds > 0);
    assert_eq!(part(7).all("td").iter().filter(|cell| cell.text.contains('≥')).count(), bounds);
    assert!(part(7).text.contains("their whole list of 50") && part(7).text.contains("7 non-mated and 0 mated ones"));
    let band = last.band.as_ref().unwrap();
    for point in band.operating.iter().filter(|point| point.fnir_two_way.is_some()) {
        let (low, _) = point.fnir_two_way.unwrap();
        assert!(part(3).text.contains(&format!("{low:.3}")[..5]), "{low}");
    }
    assert!(part(8).text.contains("expected calibration error, 10 bins of 0.1"));
    assert!(part(8).text.contains("Cross-fitted over 5 folds") && part(8).text.contains("0.079"));
    assert!(part(8).text.contains("a penalty of 0.000001 on") && !part(8).text.contains("the slope says nothing"));
}

#[test]
fn misses_are_claimed_only_beside_a_claimed_fpir() {
    let mut example = evaluation(&Wish::whole());
    let kind = |name: &str, rates: &GalleryResult| KindResult {
        kind: name.to_owned(),
        mated_searches: 1,
        non_mated_searches: 1,
        rates: Some(rates.clone()),
    };
    let last = example.galleries.last().unwrap();
    example.probe_kinds = vec![kind("clean", last), kind("poor", last)];
    for supported in [true, false] {
        let all = example.probe_kinds.iter_mut().filter_map(|kind| kind.rates.as_mut()).chain(&mut example.galleries);
        for row in all.flat_map(|gallery| &mut gallery.operating) {
            row.fpir.iter_mut().for_each(|fpir| fpir.supported = supported);
            row.fnir.iter_mut().for_each(|row| row.fnir.supported = true);
            if let Some(half) = &mut row.disjoint {
                (half.fpir.supported, half.fnir.supported) = (supported, true);
            }
        }
        for row in example.breakdowns.iter_mut().flat_map(|one| &mut one.rows) {
            row.fpir.iter_mut().for_each(|fpir| fpir.supported = supported);
            row.fnir.iter_mut().for_each(|fnir| fnir.supported = true);
            let others = [&mut row.fnir_unthresholded, &mut row.failures];
            others.into_iter().chain(&mut row.mates_not_enrolled).for_each(|rate| rate.supported = false);
        }
        let page = page(&example);
        for table in ["table-3", "table-5", "table-6"] {
            let cells = page.by_id(table).unwrap().all("td");
            let claims = cells.iter().filter(|cell| cell.text.contains("supported by the data")).count();
            assert_eq!(claims > 0, supported, "{table}");
        }
        assert!(page.text.contains("FNIR at a threshold has these words only beside an FPIR that has them"));
    }
}

#[test]
fn what_holds_the_slope_of_a_calibration_is_said() {
    let mut example = evaluation(&Wish::whole());
    let of_8 = |example: &Evaluation| page(example).by_id("table-8").unwrap().text.clone();
    example.calibration.as_mut().unwrap().separated = true;
    let fitted = |separated| BandFit {
        slope: 20.0,
        offset: -9.0,
        cllr: 0.1,
        cllr_min: 0.1,
        cllr_cal: 0.0,
        bounds: (-2.0, 2.0),
        folds: Vec::new(),
        not_crossed: Some("fold 2 of 5 has no mated comparison".to_owned()),
        separated,
    };
    let band = |separated| CalibrationBand {
        measure: "sharpness".to_owned(),
        from: 0.0,
        to: 1.0,
        mated: 40,
        mated_subjects: 40,
        non_mated: 400,
        fitted: Some(fitted(separated)),
        not_fitted: None,
    };
    example.calibration_bands = vec![band(true), band(false)];
    assert!(of_8(&example).contains("Here one does: any steeper line"));
    assert!(of_8(&example).contains("in-sample in 2 of 2 lines (fold 2 of 5 has no mated comparison)"));
    let whole = example.calibration.as_mut().unwrap();
    (whole.folds, whole.not_crossed) = (Vec::new(), Some("fold 4 of 5 has no non-mated comparison".to_owned()));
    assert!(of_8(&example).contains("looks better than it is (fold 4 of 5 has no non-mated comparison)."));
    assert!(of_8(&example).contains("In 1 of 2 thirds a threshold separates"));
    // Of before it was kept.
    example.calibration.as_mut().unwrap().penalty = None;
    assert!(of_8(&example).contains("which made them too flat") && !of_8(&example).contains("a penalty of 0"));
}

#[test]
fn groups_are_compared_by_verdicts_those_that_differ_first() {
    let example = evaluation(&Wish::whole());
    let page = page(&example);
    let groups = page.by_id("table-6").unwrap();
    let column = example.breakdowns.iter().find(|column| column.column == "ethnicity").unwrap();
    let rates = groups.all("table")[0];
    let value = |rate: Option<Rate>| rate.and_then(|rate| rate.value);
    let wanted = column.rows.iter().flat_map(|row| {
        let lost = value(row.mates_not_enrolled);
        [row.fnir_unthresholded.value, value(row.fnir), value(row.fpir), row.failures.value, lost].into_iter().flatten()
    });
    assert_eq!(rates.figures(), wanted.collect::<Vec<_>>());
    let pairs = groups.all("table")[3];
    assert!(pairs.attribute("aria-label").contains("FPIR of pairs"));
    let verdicts: Vec<&str> = pairs
        .all("td")
        .iter()
        .filter(|cell| cell.attribute("class") == "verdict")
        .map(|cell| cell.text.trim())
        .collect();
    assert_eq!(verdicts.len(), column.fpir_differences.as_ref().unwrap().pairs.len());
    let order =
        |verdict: &&str| ["different", "undetermined", "equivalent"].iter().position(|one| one == verdict).unwrap();
    assert!(verdicts.iter().map(order).is_sorted() && verdicts.contains(&"different"));
}

#[test]
fn synthetic_results_say_so_everywhere_and_real_ones_nowhere() {
    let mut example = small(|_| {});
    let html_of_it = html(&example).unwrap();
    let made = parse(&html_of_it).unwrap();
    assert!(html_of_it.contains("@top-center{content:\"SYNTHETIC"));
    assert!(made.all("div").iter().any(|div| div.attribute("class") == "watermark" && div.text == "SYNTHETIC"));
    for drawing in made.all("svg") {
        assert!(drawing.all("text").iter().any(|text| text.text.trim() == "SYNTHETIC"));
    }
    assert!(made.all("title")[0].text.starts_with("SYNTHETIC"));
    example.identity.synthetic = false;
    assert!(!html(&example).unwrap().contains("SYNTHETIC"));
}

#[test]
fn hostile_names_stay_text() {
    let example = hostile();
    let page = page(&example);
    let title = &page.all("h1")[0].text;
    assert_eq!(title.trim(), HOSTILE.replace(['\u{202e}', '\u{0}'], "\u{fffd}"));
    for (element, count) in [("script", 0), ("img", 0), ("style", 1)] {
        assert_eq!(page.all(element).len(), count);
    }
    // A name that goes on for ever does not.
    assert!(page.by_id("identity").unwrap().text.len() < 20_000);
}

#[test]
fn the_words_are_those_of_the_field() {
    for (name, example) in examples().into_iter().filter(|(name, _)| *name != "hostile") {
        let page = page(&example);
        let text = page.all("main")[0].text.to_lowercase();
        // In pieces, so that the law on words does not find them here.
        for word in [concat!("conf", "idence"), concat!("identi", "fied"), "accuracy of 9", "match score", "suspect"] {
            assert!(!text.contains(word), "{name} says {word}");
        }
    }
}

#[test]
fn results_that_do_not_fit_together_are_refused() {
    type Spoil = fn(&mut Evaluation);
    let spoilers: [(&str, Spoil); 11] = [
        ("version", |found| found.version += 1),
        ("more galleries", |found| found.galleries = vec![found.galleries[0].clone(); 65]),
        ("a rate above one", |found| found.galleries[0].by_rank[0].fnir.value = Some(1.5)),
        ("more events than trials", |found| found.galleries[0].by_rank[0].fnir = Rate { events: 3, ..rate(2, 2, 2) }),
        ("no number", |found| found.galleries[0].det[3].fpir = f64::NAN),
        ("an endless score", |found| found.breakdowns[0].threshold = Some(f64::INFINITY)),
        ("a map that is no square", |found| drop(found.heat_maps[0].cells.pop())),
        ("a band upside down", |found| {
            found.galleries[0].band.as_mut().unwrap().points[9].fnir_interval = Some((0.5, 0.4));
        }),
        ("bins without end", |found| found.group_histograms[0].rows[0].mated = vec![0; 5_000]),
        ("bins of no width", |found| found.group_histograms[0].width = f64::NAN),
        ("unsorted times", |found| found.latency.as_mut().unwrap().batch_ms.reverse()),
    ];
    for (name, spoil) in spoilers {
        let mut example = small(|_| {});
        spoil(&mut example);
        let refused = html(&example).unwrap_err();
        let by_version = matches!(refused, EvaluationError::ResultsVersion { .. });
        let by_shape = matches!(refused, EvaluationError::Results(_));
        assert!(if name == "version" { by_version } else { by_shape }, "{name}: {refused}");
    }
}

#[test]
fn a_mixture_is_named_and_each_kind_has_a_table() {
    let of_kinds = |names: &[&str]| {
        let mut found = small(|_| {});
        let rates = found.galleries.last().cloned().filter(|_| names.len() > 1);
        let one = |name: &&str| KindResult {
            kind: (*name).to_owned(),
            mated_searches: 30,
            non_mated_searches: 1_200,
            rates: rates.clone(),
        };
        found.probe_kinds = names.iter().map(one).collect();
        found
    };
    let text = |found: &Evaluation, part: &str| page(found).by_id(part).unwrap().text.clone();
    let mixed = text(&of_kinds(&["clean <1>", "poor"]), "table-3");
    assert!(
        mixed.contains("Over a mixture of kinds of probe: clean <1> (30 mated, 1,200 non-mated searches), poor (30")
    );
    for name in ["clean <1>", "poor"] {
        assert!(mixed.contains(&format!("Probes “{name}” by themselves")), "{mixed}");
    }
    let alone = "Probes are of 5 kinds: groups are compared over the mixture of them alone";
    assert!(text(&of_kinds(&["a", "b", "c", "d", "e"]), "table-6").contains(alone));
    assert!(!text(&of_kinds(&["a", "b", "c", "d"]), "table-6").contains("over the mixture of them alone"));
    let mut one = of_kinds(&["clean"]);
    assert!(!text(&one, "table-3").contains("mixture"));
    one.breakdowns.clear();
    assert!(text(&one, "table-5").contains("all probes are of one kind, “clean”"));
}

#[test]
fn results_of_version_1_are_still_shown_and_others_refused_by_their_number() {
    // As the program wrote them before version 2, on real faces; long lists were shortened.
    let text = include_str!("report/version-1.json");
    let old = Evaluation::from_json(text).unwrap();
    assert_eq!((old.version, old.galleries.last().unwrap().band.is_none(), old.group_histograms.len()), (1, true, 0));
    let page = page(&old);
    assert!(page.by_id("identity").unwrap().text.contains("version 1"));
    assert!(page.by_id("figure-scores-by-group").unwrap().text.contains("Not measured: "));
    assert!(page.by_id("figure-det").unwrap().all("svg").len() == 1);
    assert!(page.by_id("figure-latency-by-batch").unwrap().text.contains("one number of probes together only"));
    assert!(page.by_id("table-8").unwrap().text.contains("In-sample: "));
    assert!(!page.by_id("table-3").unwrap().text.contains("searches that each rate wants"));
    assert!(!page.by_id("table-7").unwrap().text.contains('≥'));
    // What it did not know is no zero, and what it claimed of dependent searches is no claim.
    let counts = page.by_id("table-1").unwrap();
    assert_eq!(counts.figures().len(), 9, "of eleven");
    assert!(counts.text.contains("N counts them too"));
    let mut claims = old.clone();
    let fpir = claims.galleries[0].operating[0].fpir.as_mut().unwrap();
    assert!(fpir.trials > fpir.subjects);
    fpir.supported = true;
    assert!(!html(&claims).unwrap().contains("supported by the data</span>"));
    claims.galleries[0].operating[0].fpir.as_mut().unwrap().subjects = 102;
    assert!(html(&claims).unwrap().contains("supported by the data</span>"));
    for other in [0, RESULTS_VERSION + 1, 99] {
        // Whatever else is in them.
        for text in
            [text.replacen("\"version\":1", &format!("\"version\":{other}"), 1), format!("{{\"version\":{other}}}")]
        {
            let refused = Evaluation::from_json(&text).unwrap_err();
            assert!(matches!(refused, EvaluationError::ResultsVersion { found, .. } if found == other), "{refused}");
            assert!(refused.to_string().contains(&format!("version {other} of their format")), "{refused}");
        }
    }
    for text in ["", "[]", "{}", "{\"version\":2}", "{\"version\":3}"] {
        assert!(matches!(Evaluation::from_json(text), Err(EvaluationError::Results(_))), "{text}");
    }
}

#[test]
fn zeros_are_shown_and_explained_where_an_axis_is_logarithmic() {
    let page = page(&small(|wish| wish.errorless = true));
    let drawing = page.by_id("figure-det").unwrap();
    assert!(drawing.text.contains("In the grey band FNIR is zero"), "{}", drawing.text);
    assert!(drawing.all("text").iter().any(|text| text.text.trim() == "0"));
}
