//! Submissions over HTTP: a receipt goes out for what came in, and nothing more to who only hands in.

use bertillon::audit::Outcome;
use bertillon::casework::certificate::Sealed;
use bertillon::casework::keys;
use bertillon::casework::submissions::Receipt;
use serde_json::Value;

use super::reviews::{refused, searched};
use super::rights::Beside;
use super::server::{Answer, Form, Server};
use crate::SEARCHES;

const SUBMISSIONS: &str = "/api/v1/submissions";

/// A picture of one pixel that no other is: a bitmap.
pub(super) fn still(key: u8) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for number in [58_u32, 0, 54, 40, 1, 1] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&[1, 0, 24, 0]);
    bytes.extend_from_slice(&[0; 24]);
    bytes.extend_from_slice(&[key, key, key, 0]);
    bytes
}

fn form(stills: &[u8], reference: &str) -> Form {
    let form = Form::default().text("reference", reference).text("place", "");
    stills.iter().fold(form, |form, key| form.image("still.bmp", &still(*key)))
}

/// Sam and sal hand in, xena examines, ada reads the log.
fn house() -> (Server, Beside, [String; 4]) {
    let (server, _) = searched();
    let beside = Beside::new(&server);
    let people = [("sam", "submitter"), ("sal", "submitter"), ("xena", "examiner"), ("ada", "auditor")];
    let keys = people.map(|(name, role)| {
        beside.add(name, &[role]);
        beside.key(name, None, 6_000).0
    });
    (server, beside, keys)
}

fn told(beside: &Beside, kind: &str, who: &str, outcome: Outcome) {
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), (kind, who, outcome));
}

fn receipt(server: &Server, answer: &Value) -> Receipt {
    let sealed: Sealed = serde_json::from_value(answer["receipt"].clone()).unwrap();
    Receipt::open(&sealed, keys::public_key(server.data.path()).unwrap()).unwrap()
}

#[test]
fn a_submitter_gets_a_receipt_and_nothing_else() {
    let (server, beside, [sam, sal, xena, ada]) = house();
    let hand_in =
        |key: &str, stills: &[u8], reference: &str| server.post_form_as(key, SUBMISSIONS, form(stills, reference));
    let get = |key: &str, path: &str| server.send_as(key, "GET", path, None);
    let first = hand_in(&sam, &[1, 2], "SHOP/8");
    assert_eq!((first.status, first.header("location")), (201, Some("/api/v1/submissions/1")), "{}", first.text());
    told(&beside, "submission.handed_in", "sam", Outcome::Ok);
    let shown = first.json();
    assert_eq!((&shown["state"], &shown["again"], &shown["place"]), (&"received".into(), &false.into(), &Value::Null));
    assert_eq!(receipt(&server, &shown).reference, "SHOP/8");
    let again = hand_in(&sam, &[1, 2], "SHOP/8");
    assert_eq!((again.status, &again.json()["receipt"]), (200, &shown["receipt"]));
    told(&beside, "submission.handed_in", "sam", Outcome::Ok);
    refused(&hand_in(&sam, &[2], "SHOP/9"), 409, "handed-in");
    told(&beside, "submission.handed_in", "sam", Outcome::Refused);
    assert_eq!(beside.newest().detail.len(), 1, "{:?}", beside.newest());
    refused(&hand_in(&sam, &[3], ""), 400, "malformed");
    refused(&hand_in(&sam, &[], "SHOP/9"), 400, "malformed");
    refused(&hand_in(&sam, &(0..9).collect::<Vec<_>>(), "SHOP/9"), 413, "too-large");
    let text = Form::default().text("reference", "SHOP/9").image("a.jpg", b"To whom it may concern");
    refused(&server.post_form_as(&sam, SUBMISSIONS, text), 422, "picture");
    for key in [&xena, &ada] {
        refused(&hand_in(key, &[7], "SHOP/9"), 403, "not-allowed");
    }
    assert_eq!(hand_in(&sal, &[1], "a bus").status, 201);
    let numbers = |answer: Answer| -> Vec<i64> {
        answer.good()["submissions"].as_array().unwrap().iter().map(|one| one["submission"].as_i64().unwrap()).collect()
    };
    assert_eq!(numbers(get(&sam, SUBMISSIONS)), [1]);
    told(&beside, "submission.listed", "sam", Outcome::Ok);
    assert_eq!(numbers(get(&xena, SUBMISSIONS)), [2, 1]);
    assert_eq!(numbers(get(&xena, &format!("{SUBMISSIONS}?before=2&last=1&state=received"))), [1]);
    refused(&get(&xena, &format!("{SUBMISSIONS}?state=lead")), 400, "malformed");
    refused(&get(&xena, &format!("{SUBMISSIONS}?last=101")), 400, "malformed");
    assert_eq!(get(&sam, "/api/v1/submissions/1").good()["receipt"], shown["receipt"]);
    told(&beside, "submission.read", "sam", Outcome::Ok);
    assert_eq!(beside.newest().objects, ["submission:1"]);
    // Somebody else's is not there, and says so as one that is nowhere.
    for number in [2, 77] {
        refused(&get(&sam, &format!("{SUBMISSIONS}/{number}")), 404, "no-submission");
        told(&beside, "submission.read", "sam", Outcome::Refused);
    }
    refused(&get(&ada, "/api/v1/submissions/1"), 403, "not-allowed");
    assert!(get(&sam, "/api/v1/submissions/1").good()["work"].is_null());
    assert!(get(&xena, "/api/v1/submissions/1").good()["work"]["searches"].is_array());
    // No candidates, no reviews, no leads, no galleries.
    for path in ["/api/v1/reviews", "/api/v1/reviews/1", "/api/v1/leads", "/api/v1/galleries"] {
        refused(&get(&sam, path), 403, "not-allowed");
    }
    refused(&server.post_form_as(&sam, SEARCHES, Form::default().text("submission", "1")), 403, "not-allowed");
}

/// As far as one comes without a model: that is asked for when the submission's pictures are there.
#[test]
fn a_search_with_a_submission_is_for_who_works_on_it_and_says_what_for() {
    let (server, beside, [sam, _, xena, _]) = house();
    server.post_form_as(&sam, SUBMISSIONS, form(&[1], "SHOP/8")).good();
    let full = |form: Form| {
        let stated = [
            ("purpose", "investigate_crime"),
            ("lawful_basis", "law_enforcement_task"),
            ("seriousness", "indictable"),
            ("case_ref", "CR/1/26"),
            ("reason", "robbery, only still"),
        ];
        stated.iter().fold(form, |form, (name, value)| form.text(name, value))
    };
    let asked = |form: Form| server.post_form_as(&xena, SEARCHES, form);
    let of = |number: &str| Form::default().text("submission", number);
    refused(&asked(of("1")), 422, "not-stated");
    refused(&asked(full(of("1"))), 409, "other-model");
    refused(&asked(full(of("77"))), 404, "no-submission");
    refused(&asked(full(of(""))), 400, "malformed");
    refused(&asked(full(of("x"))), 400, "malformed");
    refused(&asked(full(of("1").image("a.bmp", &still(1)))), 400, "malformed");
    told(&beside, "search.run", "xena", Outcome::Refused);
    assert_eq!(server.send_as(&sam, "GET", "/api/v1/submissions/1", None).good()["state"], "received");
}
