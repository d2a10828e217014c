//! From templates to people: candidate lists through the vault, against a plain count over everything. No models needed: the
//! templates are made up.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bertillon::audit::Caller;
use bertillon::base::ids::{GalleryName, ModelId, SubjectRef};
use bertillon::casework::subjects::SubjectRoom;
use bertillon::evaluation::random::Stream;
use bertillon::gallery::{Access, Enrolment, Erase, NewReference, Vault, VaultOptions};
use bertillon::identify::rank::rank_of;
use bertillon::identify::{Filter, Identification, IdentifyError, ListRule, Mode, Question, identify};
use bertillon::kernel;
use bertillon::policy::DatedFacts;
use bertillon::records::Attribute;
use bertillon::scoring::batcher::{BatchOptions, Batcher};
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::segment::Precision;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::score::exact_score;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;

const D: usize = 32;

fn template(stream: u64) -> Template {
    let mut stream = Stream::new(11, stream);
    Template::from_raw(&(0..D).map(|_| stream.normal()).collect::<Vec<f32>>()).unwrap()
}

/// Something near `of`: the nearer, the smaller `off`.
fn near(of: &Template, off: f32, stream: u64) -> Template {
    let mut stream = Stream::new(12, stream);
    let raw: Vec<f32> = of.values().iter().map(|value| value + off * stream.normal()).collect();
    Template::from_raw(&raw).unwrap()
}

fn model(byte: u8) -> ModelId {
    ModelId { name: format!("made-up-{byte}"), hash: [byte; 32] }
}

fn name() -> GalleryName {
    "custody".parse().unwrap()
}

fn scorer() -> Arc<dyn Scorer> {
    Arc::new(CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 2)), 2))
}

fn year(number: u64) -> u64 {
    2000 + number % 20
}

fn disposal(number: u64) -> &'static str {
    ["charged", "released", "convicted"][(number / 7 % 3) as usize]
}

/// Of the reference with that number, from 1. Every 50th has none.
fn attributes(number: u64) -> Vec<Attribute> {
    if number.is_multiple_of(50) {
        return Vec::new();
    }
    vec![
        Attribute::new("capture_year", &year(number).to_string()).unwrap(),
        Attribute::new("disposal", disposal(number)).unwrap(),
    ]
}

fn batcher() -> Batcher {
    Batcher::start(scorer(), BatchOptions { gather: Duration::ZERO, probes_per_pass: 64 }).unwrap()
}

struct Room {
    folder: tempfile::TempDir,
    vault: Vault,
    people: BTreeMap<String, Vec<Template>>,
}

impl Room {
    async fn new(people: BTreeMap<String, Vec<Template>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(folder.path(), Access::Writer, VaultOptions::default()).await.unwrap();
        vault.create_gallery(&name(), &model(1), Dimension::new(D).unwrap(), Precision::F32, "tests").await.unwrap();
        let mut number = 0_u64;
        let mut references = Vec::new();
        for (subject, templates) in &people {
            for template in templates {
                number += 1;
                let mut image_sha256 = [0; 32];
                image_sha256[..8].copy_from_slice(&number.to_le_bytes());
                references.push(NewReference {
                    subject: subject.parse().unwrap(),
                    image_sha256,
                    source: format!("{subject}-{number}.jpg"),
                    width_px: 1,
                    height_px: 1,
                    quality_json: "{}".to_owned(),
                    template: template.clone(),
                    model: model(1),
                    attributes: attributes(number),
                    about: DatedFacts::default(),
                });
            }
        }
        for some in references.chunks(64) {
            let enrolled = vault.enrol(&name(), some.to_vec()).await.unwrap();
            assert!(enrolled.iter().all(|one| matches!(one, Enrolment::New(_))));
        }
        Self { folder, vault, people }
    }

    async fn ask(
        &self,
        probe: &Template,
        people: usize,
        threshold: Option<f32>,
    ) -> Result<Identification, IdentifyError> {
        self.ask_part(probe, ListRule { people, threshold }, "").await
    }

    async fn ask_part(&self, probe: &Template, rule: ListRule, filter: &str) -> Result<Identification, IdentifyError> {
        let filter = filter.parse().unwrap();
        let question =
            Question { gallery: name(), model: model(1), probes: vec![probe.clone()], rule, filter, mode: Mode::Exact };
        identify(&self.vault, &batcher(), question).await
    }

    /// The right list by counting: each person's best score, best person first.
    fn oracle(&self, probe: &Template, people: usize, threshold: f32) -> Vec<(String, f32)> {
        self.oracle_part(probe, people, threshold, |_, _| true)
    }

    /// The same from the references that `keep` says: by number of the reference, from 1, and subject.
    fn oracle_part(
        &self,
        probe: &Template,
        people: usize,
        threshold: f32,
        keep: impl Fn(u64, &str) -> bool,
    ) -> Vec<(String, f32)> {
        let mut best: BTreeMap<&str, f32> = BTreeMap::new();
        let references =
            self.people.iter().flat_map(|(subject, templates)| templates.iter().map(move |one| (subject, one)));
        for (number, (subject, one)) in (1..).zip(references) {
            if keep(number, subject) {
                let score = exact_score(probe.values(), one.values());
                best.entry(subject).and_modify(|best| *best = best.max(score)).or_insert(score);
            }
        }
        let mut all: Vec<(String, f32)> =
            best.into_iter().map(|(subject, score)| (subject.to_owned(), score)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1));
        all.retain(|(_, score)| *score >= threshold);
        all.truncate(people);
        all
    }
}

fn shown(found: &Identification) -> Vec<(String, f32)> {
    let list = found.lists.first().unwrap();
    assert!(list.iter().enumerate().all(|(place, candidate)| candidate.rank == place + 1));
    list.iter().map(|candidate| (candidate.reference.subject.to_string(), candidate.score)).collect()
}

fn crowd(people: u64, references: impl Fn(u64) -> u64) -> BTreeMap<String, Vec<Template>> {
    let person = |number: u64| {
        let face = template(number);
        let templates = (0..references(number)).map(|k| near(&face, 0.05, number * 1000 + k)).collect();
        (format!("person {number}"), templates)
    };
    (0..people).map(person).collect()
}

#[tokio::test]
async fn lists_name_each_person_once_by_their_best_reference() {
    let room = Room::new(crowd(60, |number| 1 + number % 3)).await;
    for probe in 0..20 {
        let probe = near(&template(probe), 0.2, probe);
        for people in [1, 5, 60, 100] {
            assert_eq!(shown(&room.ask(&probe, people, None).await.unwrap()), room.oracle(&probe, people, -1.0));
        }
        let above = room.ask(&probe, 20, Some(0.1)).await.unwrap();
        assert_eq!(shown(&above), room.oracle(&probe, 20, 0.1));
    }
}

#[tokio::test]
async fn a_person_with_very_many_references_does_not_crowd_others_out() {
    // The first person's 400 references are all nearer to the probe than anybody else's.
    let room = Room::new(crowd(30, |number| if number == 0 { 400 } else { 1 })).await;
    let found = room.ask(&template(0), 10, None).await.unwrap();
    assert_eq!(shown(&found), room.oracle(&template(0), 10, -1.0));
    assert!(found.lists[0][0].more_references > 300, "{}", found.lists[0][0].more_references);
}

/// Whether a reference, by number and subject, is in the part.
type Keep = fn(u64, &str) -> bool;

/// From nobody to nearly everybody: the list is the oracle's over the part, and nobody else is on it.
#[tokio::test]
async fn a_part_of_the_gallery_is_searched_exactly_at_every_selectivity() {
    let room = Room::new(crowd(300, |number| 1 + number % 3)).await;
    let filters: [(&str, Keep); 8] = [
        ("capture_year=2000..", |number, _| number % 50 != 0),
        ("capture_year=2003..2005", |number, _| number % 50 != 0 && (2003..=2005).contains(&year(number))),
        ("disposal=charged,released", |number, _| number % 50 != 0 && disposal(number) != "convicted"),
        ("disposal=charged; capture_year=2007..2007", |number, _| {
            number % 50 != 0 && disposal(number) == "charged" && year(number) == 2007
        }),
        ("subject=person 7,person 70,nobody of that name", |_, subject| ["person 7", "person 70"].contains(&subject)),
        ("subject=person 8;disposal=released", |number, subject| {
            subject == "person 8" && number % 50 != 0 && disposal(number) == "released"
        }),
        ("disposal=acquitted", |_, _| false),
        ("capture_year=..1999", |_, _| false),
    ];
    for seed in 0..6 {
        let probe = near(&template(seed * 10 + 7), 0.2, seed);
        for (filter, keep) in filters {
            for people in [1, 10, 400] {
                let rule = ListRule { people, threshold: None };
                let found = room.ask_part(&probe, rule, filter).await.unwrap();
                assert_eq!(shown(&found), room.oracle_part(&probe, people, -1.0, keep), "{filter}");
                let references =
                    (1..).zip(room.people.iter().flat_map(|(subject, all)| all.iter().map(move |_| subject)));
                assert_eq!(
                    found.work.rows,
                    references.filter(|(number, subject)| keep(*number, subject)).count() as u64
                );
            }
        }
    }
}

#[tokio::test]
async fn models_are_never_mixed() {
    let room = Room::new(crowd(3, |_| 1)).await;
    let rule = ListRule { people: 1, threshold: None };
    let (probes, filter) = (vec![template(0)], Filter::default());
    let question = Question { gallery: name(), model: model(2), probes, rule, filter, mode: Mode::Exact };
    let error = identify(&room.vault, &batcher(), question).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, IdentifyError::OtherModel { .. }), "{said}");
    assert!(said.contains("made-up-1 (010101010101)") && said.contains("made-up-2 (020202020202)"), "{said}");
}

#[tokio::test]
async fn senseless_rules_are_refused() {
    let room = Room::new(crowd(3, |_| 1)).await;
    let probe = template(0);
    assert!(matches!(room.ask(&probe, 0, None).await, Err(IdentifyError::ListLength { asked: 0, .. })));
    assert!(matches!(room.ask(&probe, 1001, None).await, Err(IdentifyError::ListLength { asked: 1001, .. })));
    for threshold in [1.5, f32::NAN, f32::INFINITY] {
        assert!(matches!(room.ask(&probe, 1, Some(threshold)).await, Err(IdentifyError::Threshold(_))));
    }
}

#[tokio::test]
async fn ranks_agree_with_lists_and_go_all_the_way_down() {
    let room = Room::new(crowd(40, |_| 2)).await;
    let probe = near(&template(7), 0.3, 7);
    for (place, (subject, score)) in room.oracle(&probe, 40, -1.0).into_iter().enumerate() {
        let subject: SubjectRef = subject.parse().unwrap();
        let found = rank_of(&room.vault, &name(), &probe, &subject).await.unwrap();
        assert_eq!(found, Some((place as u64 + 1, score)));
    }
    let nobody = rank_of(&room.vault, &name(), &probe, &"nobody".parse().unwrap()).await.unwrap();
    assert_eq!(nobody, None);
}

#[tokio::test]
async fn who_is_erased_is_on_no_list() {
    let mut room = Room::new(crowd(10, |_| 2)).await;
    let probe = template(4);
    assert_eq!(shown(&room.ask(&probe, 1, None).await.unwrap())[0].0, "person 4");
    room.vault.erase(&name(), Erase::Subject("person 4".parse().unwrap()), |_| ()).await.unwrap();
    room.people.remove("person 4");
    let found = room.ask(&probe, 100, None).await.unwrap();
    assert_eq!(shown(&found), room.oracle(&probe, 100, -1.0));
    assert_eq!(found.lists[0].len(), 9);
}

/// Kept and not searched: the list is the oracle's without them, full and exact, with conditions and without, from the moment of
/// the restriction until it is lifted, and through sealing, merging, an import's publication and a restart.
#[tokio::test]
async fn who_is_restricted_is_on_no_list_and_comes_back() {
    let room = Room::new(crowd(80, |number| 1 + number % 3)).await;
    let caller = Caller::new("supervisor 3", "a test", None);
    let subjects = SubjectRoom::enter(&room.vault, &caller, &name()).await.unwrap();
    let hidden = ["person 7", "person 20", "person 79"];
    let seen: Keep = |_, subject| !["person 7", "person 20", "person 79"].contains(&subject);
    let older = room.vault.snapshot(&name()).await.unwrap();
    for who in hidden {
        subjects.restrict(&who.parse().unwrap(), true, "a complaint").await.unwrap();
    }
    assert!(subjects.restrict(&"person 7".parse().unwrap(), true, "again").await.is_err());
    assert_eq!(room.vault.snapshot(&name()).await.unwrap().live(), older.live(), "nothing is erased by it");
    drop(older);
    let check = async |vault: &Vault, keep: Keep| {
        let asked = Room { folder: tempfile::tempdir().unwrap(), vault: vault.clone(), people: room.people.clone() };
        for probe in [7, 20, 33, 79].map(template) {
            for people in [1, 5, 100] {
                let found = asked.ask(&probe, people, None).await.unwrap();
                assert_eq!(shown(&found), asked.oracle_part(&probe, people, -1.0, keep));
                let rule = ListRule { people, threshold: None };
                let part = asked.ask_part(&probe, rule, "subject=person 7,person 33,person 20,person 4").await.unwrap();
                let both = |number: u64, subject: &str| {
                    keep(number, subject) && ["person 7", "person 33", "person 20", "person 4"].contains(&subject)
                };
                assert_eq!(shown(&part), asked.oracle_part(&probe, people, -1.0, both));
            }
        }
    };
    check(&room.vault, seen).await;
    room.vault.seal(&name()).await.unwrap();
    check(&room.vault, seen).await;
    room.vault.erase(&name(), Erase::Subject("person 50".parse().unwrap()), |_| ()).await.unwrap();
    room.vault.compact(&name(), true, |_, _| std::ops::ControlFlow::Continue(())).await.unwrap();
    let seen_still: Keep = |_, subject| !["person 7", "person 20", "person 79", "person 50"].contains(&subject);
    check(&room.vault, seen_still).await;
    // Another process, which opens the files anew.
    let reader = Vault::open(room.folder.path(), Access::Reader, VaultOptions::default()).await.unwrap();
    check(&reader, seen_still).await;
    reader.close().await;
    for who in hidden {
        subjects.restrict(&who.parse().unwrap(), false, "settled").await.unwrap();
    }
    check(&room.vault, |_, subject| subject != "person 50").await;
}
