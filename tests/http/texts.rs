//! Texts from outside that no record takes as they are: refused or made visible, and the same on every data base.

use serde_json::json;

use super::reviews::{refused, searched};
use super::rights::Beside;
use super::server::Form;

#[test]
fn control_characters_are_refused_or_made_visible_and_fail_nowhere() {
    let (server, search) = searched();
    let beside = Beside::new(&server);
    let [xena, una, ada, adam, sam] = [
        ("xena", "examiner"),
        ("una", "supervisor"),
        ("ada", "auditor"),
        ("adam", "administrator"),
        ("sam", "submitter"),
    ]
    .map(|(name, role)| {
        beside.add(name, &[role]);
        beside.key(name, None, 6_000).0
    });
    let get = |key: &str, path: &str| server.send_as(key, "GET", path, None);
    let post =
        |key: &str, path: &str, body: serde_json::Value| server.send_as(key, "POST", path, Some(&body.to_string()));
    // Words are one of those that there are.
    for state in ["%00", "nothing", "OPEN", ""] {
        refused(&get(&xena, &format!("/api/v1/reviews?state={state}")), 400, "malformed");
        refused(&get(&xena, &format!("/api/v1/submissions?state={state}")), 400, "malformed");
    }
    assert_eq!(get(&xena, "/api/v1/reviews?state=open").good()["reviews"], json!([]));
    refused(&get(&ada, "/api/v1/audit/events?object=%00"), 400, "malformed");
    refused(&get(&ada, "/api/v1/audit/events?kind=%00"), 400, "malformed");
    // Names and references.
    refused(&server.send_as(&una, "DELETE", "/api/v1/galleries/custody/subjects/a%00b", None), 400, "malformed");
    refused(&get(&xena, "/api/v1/galleries/a%00b"), 400, "malformed");
    refused(&post(&adam, "/api/v1/galleries", json!({ "name": "new", "purpose": "a\0b" })), 400, "malformed");
    refused(&post(&adam, "/api/v1/galleries", json!({ "name": "n\0w", "purpose": "a test" })), 400, "malformed");
    let session = |body: serde_json::Value| server.post_json("/api/v1/session", &body.to_string());
    refused(&session(json!({ "name": "un\0", "password": "\0" })), 401, "wrong-password");
    refused(&session(json!({ "name": "una", "password": "\0", "code": "\0" })), 401, "wrong-password");
    // What a search states, held against the policy before a picture is looked at.
    let form = |texts: &[(&str, &str)]| {
        texts.iter().fold(Form::default().image("a\0.jpg", b"no picture"), |form, (name, value)| form.text(name, value))
    };
    let searches = "/api/v1/galleries/custody/searches";
    for (field, status) in [("purpose", 422), ("where", 400), ("point", 409)] {
        let answer = server.post_form_as(&xena, searches, form(&[(field, "subject=a\0b")]));
        assert!(answer.status < 500, "{field}: {}", answer.text());
        assert!([status, 400, 422].contains(&answer.status), "{field}: {}", answer.text());
    }
    let attributes = form(&[("subject", "x"), ("attributes", "disposal=a\0b")]);
    refused(&server.post_form_as(&una, "/api/v1/galleries/custody/references", attributes), 400, "malformed");
    let handed = Form::default().text("reference", "SHOP\0 8").text("place", "a\u{1b}[31mb").image("a.bmp", b"BM");
    assert!(server.post_form_as(&sam, "/api/v1/submissions", handed).status < 500);
    // Reasons: lines are kept, and nothing else that is no letter.
    let path = post(&xena, "/api/v1/reviews", json!({ "search": search })).header("location").unwrap().to_owned();
    post(&xena, &format!("{path}/claims"), json!({})).good();
    get(&xena, &path).good();
    let decide =
        |reason: &str| post(&xena, &format!("{path}/decisions"), json!({ "finding": "exclusion", "reason": reason }));
    for odd in ["\0", "a\0b", "a\u{1b}[31mb", "a\u{7f}b"] {
        refused(&decide(odd), 400, "malformed");
        refused(&post(&xena, &format!("{path}/withdrawals"), json!({ "reason": odd })), 400, "malformed");
    }
    decide("ears differ\r\n\tand the chin").good();
}
