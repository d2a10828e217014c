//! Reviews over HTTP: a lead takes two people, whatever roles they have, and a search says what for.

use bertillon::audit::{Caller, Outcome};
use bertillon::base::ids::{ModelId, TemplateId};
use bertillon::casework::CaseworkError;
use bertillon::casework::access::users;
use bertillon::casework::review::{Refusal, ReviewError, ReviewRoom};
use bertillon::gallery::{Access, NewReference, Vault};
use bertillon::policy::DatedFacts;
use bertillon::records::{FaceBox, GallerySeen, RecordedCandidate, SearchRecord};
use bertillon::segment::Precision;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::template::Template;
use serde_json::json;

use super::rights::{Beside, me, user};
use super::server::{Answer, Form, Server};

const REVIEWS: &str = "/api/v1/reviews";
const SEARCHES: &str = "/api/v1/galleries/custody/searches";

/// A server whose gallery "custody", of a model that nobody has, was searched once by "xena".
pub(super) fn searched() -> (Server, i64) {
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let search = runtime.block_on(async {
        let vault = Vault::open(data.path(), Access::Writer, crate::records_at::vault_options()).await.unwrap();
        let (gallery, model) = ("custody".parse().unwrap(), ModelId { name: "numbers".to_owned(), hash: [1; 32] });
        let dimension = Dimension::new(32).unwrap();
        vault.create_gallery(&gallery, &model, dimension, Precision::F32, "a test").await.unwrap();
        let reference = |key: u8| NewReference {
            subject: format!("person {key}").parse().unwrap(),
            image_sha256: [key; 32],
            source: format!("{key}.jpg"),
            width_px: 640,
            height_px: 480,
            quality_json: "{}".to_owned(),
            template: Template::from_raw(&std::array::from_fn::<f32, 32, _>(|i| f32::from(key) + i as f32)).unwrap(),
            model: model.clone(),
            attributes: Vec::new(),
            about: DatedFacts::default(),
        };
        vault.enrol(&gallery, (1..=3).map(reference).collect()).await.unwrap();
        let candidate =
            |rank: u32| RecordedCandidate { rank, template: TemplateId(u64::from(rank)), score: 0.5, entry: None };
        let record = SearchRecord {
            gallery,
            actor: "xena".to_owned(),
            origin: "test".to_owned(),
            probe_sha256: [9; 32],
            face: FaceBox { x: 1.0, y: 2.0, width: 30.0, height: 40.0 },
            model_hash: [1; 32],
            snapshot_number: 3,
            seen: GallerySeen { last_template: TemplateId(6), live: 6 },
            people: 20,
            back_end: "naive".to_owned(),
            restriction: None,
            stated: None,
            operating_point: None,
            threshold: None,
            candidates: (1..=3).map(candidate).collect(),
            stages_ms: Vec::new(),
        };
        let ids = vault.record_searches(&[record]).await.unwrap();
        vault.close().await;
        ids[0]
    });
    (Server::start_on(data, |_| ()), search)
}

pub(super) fn refused(answer: &Answer, status: u16, kind: &str) {
    answer.refused(status);
    assert_eq!(answer.json()["type"], format!("urn:bertillon:problem:{kind}"));
}

/// Has more roles by now, and is who she is.
fn xena_at_the_command_line(beside: &Beside) {
    beside.runtime.block_on(async {
        let grant = ["verifier".parse().unwrap(), "supervisor".parse().unwrap()];
        users::change_roles(&beside.desk, &me(), &user("xena"), (&[], &grant)).await.unwrap();
        let here = ReviewRoom::enter(&beside.desk.vault, &Caller::new("xena", "command line", None)).await.unwrap();
        let claimed = here.claim(1).await.unwrap_err();
        assert!(matches!(claimed, CaseworkError::Review(ReviewError::Refused(Refusal::SamePerson))), "{claimed}");
        let root = ReviewRoom::enter(&beside.desk.vault, &Caller::new("root", "command line", None)).await;
        assert!(matches!(root, Err(CaseworkError::Review(ReviewError::NoUser(_)))));
    });
}

#[test]
fn a_lead_takes_two_people_whatever_roles_they_have() {
    let (server, search) = searched();
    let beside = Beside::new(&server);
    let new = json!({ "search": search }).to_string();
    refused(&server.post_json(REVIEWS, &new), 403, "nobody");
    let people = [
        ("xena", "examiner"),
        ("vic", "verifier"),
        ("una", "supervisor"),
        ("elle", "examiner:elsewhere"),
        ("ada", "auditor"),
    ];
    let [xena, vic, una, elle, ada] = people.map(|(name, role)| {
        beside.add(name, &[role]);
        beside.key(name, None, 6_000).0
    });
    let post = |key: &str, path: &str, body: &str| server.send_as(key, "POST", path, Some(body));
    refused(&post(&vic, REVIEWS, &new), 403, "not-allowed");
    refused(&post(&elle, REVIEWS, &new), 403, "not-allowed");
    let opened = post(&xena, REVIEWS, &new);
    assert_eq!(opened.status, 201, "{}", opened.text());
    let path = opened.header("location").unwrap().to_owned();
    refused(&post(&xena, REVIEWS, &new), 409, "reviewed");
    let (claims, decisions) = (format!("{path}/claims"), format!("{path}/decisions"));
    let named = r#"{"possible": 2, "reason": "ear, scar at the chin"}"#;
    refused(&server.send_as(&xena, "GET", &path, None), 409, "not-claimed");
    assert_eq!(post(&xena, &claims, "").good()["state"], "first");
    refused(&post(&xena, &decisions, named), 409, "decided-unseen");
    let view = server.send_as(&xena, "GET", &path, None).good();
    assert_eq!(view["notice"], "Possible identification, not evidence of identity.");
    assert_eq!(view["blind"], true);
    for candidate in view["candidates"].as_array().unwrap() {
        assert!(candidate["score"].is_null() && candidate["rank"].is_null() && candidate["subject"].is_null());
    }
    assert_eq!(post(&xena, &decisions, named).good()["state"], "awaiting_second");
    // Nobody is two people, by another role, another key, or the command line.
    xena_at_the_command_line(&beside);
    for key in [&xena, &beside.key("xena", None, 60).0] {
        refused(&post(key, &claims, ""), 409, "same-person");
        refused(&post(key, &decisions, named), 409, "already-decided");
    }
    // A right in another gallery is none here.
    assert_eq!(server.send_as(&elle, "GET", REVIEWS, None).good()["reviews"], json!([]));
    for (key, answer) in [&elle, &ada].map(|key| (key, server.send_as(key, "GET", &path, None))) {
        refused(&answer, 403, "not-allowed");
        assert_eq!(beside.newest().outcome, Outcome::Refused);
        refused(&post(key, &claims, ""), 403, "not-allowed");
    }
    assert_eq!(post(&vic, &claims, "").good()["state"], "second");
    let view = server.send_as(&vic, "GET", &path, None).good();
    assert_eq!((&view["blind"], &view["decisions"]), (&true.into(), &json!([])), "what the first decided is hidden");
    assert_eq!(post(&vic, &decisions, named).good()["state"], "lead");
    let leads = server.send_as(&una, "GET", "/api/v1/leads", None).good();
    assert_eq!(leads["leads"][0]["named_by"], json!(["xena", "vic"]));
    assert_eq!(leads["leads"][0]["template"], 2);
    assert_eq!(server.send_as(&elle, "GET", "/api/v1/leads", None).good()["leads"], json!([]));
    let outcomes = "/api/v1/leads/1/outcomes";
    refused(&post(&elle, outcomes, r#"{"outcome": "arrest"}"#), 403, "not-allowed");
    refused(&post(&una, outcomes, r#"{"outcome": "fame"}"#), 400, "malformed");
    let lead = post(&una, outcomes, r#"{"outcome": "eliminated"}"#).good();
    assert_eq!(lead["outcomes"][0]["by"], "una");
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), ("lead.outcome", "una", Outcome::Ok));
    refused(&post(&una, &format!("{path}/withdrawals"), r#"{"reason": "late"}"#), 409, "wrong-state");
    refused(&server.send_as(&una, "GET", "/api/v1/reviews/99", None), 404, "no-review");
}

/// What is stated is held against the policy before anybody's face is looked at: no model is there for it here.
#[test]
fn users_say_what_they_search_for() {
    let (server, _) = searched();
    let form = |texts: &[(&str, &str)]| {
        let form = Form::default().image("probe.jpg", b"no picture");
        texts.iter().fold(form, |form, (name, value)| form.text(name, value))
    };
    let through = |answer: &Answer| refused(answer, 409, "other-model");
    through(&server.post_form(SEARCHES, form(&[])));
    let beside = Beside::new(&server);
    beside.add("xena", &["examiner"]);
    beside.add("una", &["supervisor:custody"]);
    let (xena, una) = (beside.key("xena", None, 6_000).0, beside.key("una", None, 6_000).0);
    let full = [
        ("purpose", "investigate_crime"),
        ("lawful_basis", "law_enforcement_task"),
        ("seriousness", "indictable"),
        ("case_ref", "CR/1/26"),
        ("reason", "robbery, only still"),
    ];
    let asked = |key: &str, texts: &[(&str, &str)]| server.post_form_as(key, SEARCHES, form(texts));
    refused(&asked(&xena, &[]), 422, "not-stated");
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), ("search.run", "xena", Outcome::Refused));
    refused(&asked(&xena, &full[..4]), 422, "not-stated");
    refused(&asked(&xena, &[("purpose", "demonstration")]), 403, "purpose-not-allowed");
    through(&asked(&xena, &full));
    let longer = |top| [&full[..], &[("top", top)]].concat();
    refused(&asked(&xena, &longer("51")), 403, "list-too-long");
    through(&asked(&una, &longer("200")));
    refused(&asked(&una, &longer("201")), 403, "list-too-long");
}
