//! Searches that name an operating point or a false positive rate, over a socket.

use bertillon::casework::operating_points::install;
use bertillon::evaluation::operating_point::{OPERATING_POINT_VERSION, OperatingPoint, SearchMode};
use bertillon::evaluation::results::Rate;
use bertillon::settings::Settings;
use bertillon::vision::catalogue::Catalogue;

use super::server::{Form, Server};
use crate::{SEARCHES, enrol, people, subjects, with_gallery};

/// A point for the tests' model set; made up, and says so.
pub(super) fn point(name: &str, target_fpir: f64, threshold: f64, templates: (u64, u64)) -> OperatingPoint {
    let set = Catalogue::builtin().unwrap().set("mtcnn-dlib").unwrap().id();
    let rate = Rate {
        events: 3,
        trials: 1_000,
        subjects: 1_000,
        value: Some(0.003),
        wilson: Some((0.001, 0.009)),
        clopper_pearson: Some((0.0006, 0.0088)),
        bootstrap: None,
        supported: true,
        design_effect: Some(1.0),
    };
    OperatingPoint {
        version: OPERATING_POINT_VERSION,
        name: name.to_owned(),
        model: set.name,
        model_sha256: bertillon::base::hex::encode(&set.hash),
        gallery_class: "a test".to_owned(),
        probe_kind: Some("as it is".to_owned()),
        mixture: Vec::new(),
        templates,
        target_fpir,
        threshold,
        fpir: rate,
        fnir: rate,
        list_length: 50,
        search: Some(SearchMode::Exact),
        enrolment: Some("one image a person, the earliest".to_owned()),
        disjoint: None,
        groups: Vec::new(),
        evaluation_sha256: "00".repeat(32),
        data: "made up for a test".to_owned(),
        synthetic: true,
        made_at: "2026-01-01T00:00:00Z".to_owned(),
    }
}

#[test]
fn a_rate_becomes_a_threshold_and_the_answer_cites_where_from() {
    let Some(people) = people() else { return };
    let server = Server::start_with(|settings: &mut Settings| {
        for point in [
            point("low", 0.1, -1.0, (0, 10)),
            point("high", 0.001, 0.999, (0, 10)),
            point("large", 0.0001, 0.5, (1_000, 2_000)),
        ] {
            install(settings, &point).unwrap();
        }
    });
    with_gallery(&server);
    enrol(&server, "Anne", &people.anne);
    let ask = |fields: &[(&str, &str)]| {
        let form = Form::default().image("p.jpg", &people.anne_again);
        server.post_form(SEARCHES, fields.iter().fold(form, |form, (name, value)| form.text(name, value)))
    };

    let plain = ask(&[]).good();
    assert!(plain["threshold"].is_null() && plain["operating_point"].is_null(), "{plain}");
    let rate = |rate: &'static str| ask(&[("target_fpir", rate), ("gallery_class", "a test")]);
    let low = rate("0.1").good();
    assert_eq!((subjects(&low), &low["operating_point"]["name"]), (vec!["Anne"], &"low".into()));
    let cited = &low["operating_point"];
    assert_eq!((&cited["gallery_class"], &cited["probes"]), (&"a test".into(), &"as it is".into()));
    assert_eq!((&low["threshold"], &low["operating_point"]["synthetic"]), (&(-1.0).into(), &true.into()));
    assert_eq!(low["operating_point"]["sha256"].as_str().map(str::len), Some(64));
    // Another picture of hers scores below this one.
    let high = ask(&[("operating_point", "high")]).good();
    assert!(subjects(&high).is_empty() && high["threshold"].as_f64().unwrap() >= 0.999, "{high}");
    assert_eq!(rate("0.05").good()["operating_point"]["name"], "high", "never laxer than asked");

    for (fields, words) in [
        (&[("operating_point", "nobody's")][..], "no operating point of that name"),
        (&[("operating_point", "large")], "1000 to 2000 templates"),
        (&[("operating_point", "low"), ("gallery_class", "visa")], "for galleries of the class \"a test\""),
        (&[("operating_point", "low"), ("probe_kind", "night")], "for probes of the kind \"as it is\""),
        (&[("target_fpir", "0.0005"), ("gallery_class", "a test")], "low (0.1"),
        (&[("target_fpir", "0.1")], "of which class the gallery is must be said"),
        (&[("target_fpir", "0.1"), ("gallery_class", "visa")], "for galleries of the class \"visa\""),
    ] {
        let answer = ask(fields);
        let said = answer.refused(409);
        assert!(said.contains(words), "{said}");
        assert_eq!(answer.json()["type"], "urn:bertillon:problem:operating-point");
    }
    assert!(cited["measured"].as_str().unwrap().starts_with("exact searches, mates within rank 50"), "{cited}");
    // What it was measured on is not what an approximate search does; a threshold of one's own promises nothing.
    for choice in [&[("operating_point", "low")][..], &[("target_fpir", "0.1"), ("gallery_class", "a test")]] {
        let answer = ask(&[choice, &[("mode", "approximate")]].concat());
        assert!(answer.refused(422).contains("search in the mode exact"));
        assert_eq!(answer.json()["type"], "urn:bertillon:problem:operating-point-exact");
    }
    for fields in [
        &[("target_fpir", "0")][..],
        &[("target_fpir", "often")],
        &[("target_fpir", "0.1"), ("threshold", "0.5")],
        &[("operating_point", "low"), ("target_fpir", "0.1")],
        &[("threshold", "0.5"), ("gallery_class", "a test")],
    ] {
        ask(fields).refused(400);
    }
}
