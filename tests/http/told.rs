//! What succeeds leaves one event of its kind too: a walk over the route table in which every request is answered.

use std::collections::BTreeSet;

use bertillon::audit::{Kind, Outcome};
use bertillon::http::routes::{API, kind};
use serde_json::{Value, json};

use super::audit::events;
use super::reviews::searched;
use super::rights::Beside;
use super::server::{Answer, EDGE, Form, Server};

/// What succeeds only with a model, a provider or a second search: other tests have these.
const ELSEWHERE: [(&str, &str); 6] = [
    ("post", "/api/v1/galleries"),
    ("post", "/api/v1/galleries/{name}/references"),
    ("post", "/api/v1/galleries/{name}/searches"),
    ("post", "/api/v1/reviews/{review}/withdrawals"),
    ("get", "/api/v1/sso/begin"),
    ("get", "/api/v1/sso/end"),
];
const PASSWORD: &str = "a good long password";

/// A walk: which addresses have not succeeded yet, and how many requests there were.
struct Walk {
    server: Server,
    left: BTreeSet<(&'static str, &'static str)>,
    requests: u64,
}

impl Walk {
    fn new(server: Server) -> Self {
        let rows = API.iter().flat_map(|address| address.methods.iter().map(|row| (address.path, row)));
        let told = rows.filter(|(_, (.., kind))| kind.is_some()).map(|(path, (method, ..))| (*method, path));
        Self { server, left: told.filter(|row| !ELSEWHERE.contains(row)).collect(), requests: 0 }
    }

    /// The answer to a request, which must be a good one and leave one event of its kind, by who sent it.
    fn step(
        &mut self,
        who: &str,
        headers: &[(&str, &str)],
        (method, pattern): (&str, &str),
        body: Option<Vec<u8>>,
    ) -> Answer {
        let path = pattern.replace("{name}", "custody").replace("{subject}", "person%202").replace("{template}", "1");
        let path =
            ["{review}", "{lead}", "{submission}", "{job}"].iter().fold(path, |path, part| path.replace(part, "1"));
        let answer = self.server.send(&method.to_uppercase(), &path, headers, body);
        self.requests += 1;
        assert!((200..300).contains(&answer.status), "{method} {path}: {} {}", answer.status, answer.text());
        let found = events(self.server.data.path()).remove(&self.requests).unwrap_or_default();
        let [event] = found.as_slice() else { panic!("{method} {path}: {found:?}") };
        assert_eq!(Some(event.kind.as_str()), kind(pattern, method).map(Kind::as_str), "{method} {path}");
        assert_eq!((event.actor.as_str(), event.outcome), (who, Outcome::Ok), "{method} {path}");
        self.left.retain(|row| *row != (method, pattern));
        answer
    }

    fn by_key(&mut self, (who, key): &(&str, String), row: (&str, &str), body: Option<Value>) -> Answer {
        let said = format!("Bearer {key}");
        let headers = [("authorization", said.as_str()), ("content-type", "application/json")];
        let body = body.map(|json| json.to_string().into_bytes()).or_else(|| (row.0 == "post").then(Vec::new));
        self.step(who, &headers, row, body)
    }
}

/// From the opening of a review to what came of its lead.
fn review(walk: &mut Walk, [xena, vic, una]: [&(&str, String); 3], search: i64) {
    walk.by_key(xena, ("post", "/api/v1/reviews"), Some(json!({ "search": search })));
    for who in [xena, vic] {
        walk.by_key(who, ("post", "/api/v1/reviews/{review}/claims"), None);
        walk.by_key(who, ("get", "/api/v1/reviews/{review}"), None);
        let named = json!({ "possible": 3, "reason": "ear" });
        walk.by_key(who, ("post", "/api/v1/reviews/{review}/decisions"), Some(named));
    }
    walk.by_key(vic, ("get", "/api/v1/reviews"), None);
    walk.by_key(una, ("get", "/api/v1/leads"), None);
    walk.by_key(una, ("post", "/api/v1/leads/{lead}/outcomes"), Some(json!({ "outcome": "eliminated" })));
}

/// From a password to the end of its session.
fn session(walk: &mut Walk) {
    const SESSION: &str = "/api/v1/session";
    let typed = json!({ "name": "xena", "password": PASSWORD }).to_string().into_bytes();
    let opened = walk.step("xena", &[("content-type", "application/json")], ("post", SESSION), Some(typed));
    let cookie = opened.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    walk.step("xena", &[("cookie", &cookie)], ("get", SESSION), None);
    let token = opened.json()["token"].as_str().unwrap().to_owned();
    walk.step("xena", &[("cookie", &cookie), ("x-bertillon-token", &token)], ("delete", SESSION), None);
}

#[test]
fn what_succeeds_leaves_one_event_of_its_kind() {
    let (server, search) = searched();
    let beside = Beside::new(&server);
    let people = [
        ("xena", "examiner"),
        ("vic", "verifier"),
        ("una", "supervisor"),
        ("adam", "administrator"),
        ("ada", "auditor"),
        ("sam", "submitter"),
    ];
    let [xena, vic, una, adam, ada, sam] = people.map(|(name, role)| {
        beside.add(name, &[role]);
        (name, beside.key(name, None, 60_000).0)
    });
    beside.set_password("xena", PASSWORD);
    let mut walk = Walk::new(server);
    for path in ["/api/v1/status", "/api/v1/galleries", "/api/v1/galleries/{name}"] {
        walk.by_key(&xena, ("get", path), None);
    }
    review(&mut walk, [&xena, &vic, &una], search);
    session(&mut walk);
    let (said, media_type) = (format!("Bearer {}", sam.1), format!("multipart/form-data; boundary={EDGE}"));
    let still = Form::default().text("reference", "SHOP/8").image("still.bmp", &super::submissions::still(1)).end();
    walk.step(
        "sam",
        &[("authorization", &said), ("content-type", &media_type)],
        ("post", "/api/v1/submissions"),
        Some(still),
    );
    walk.by_key(&sam, ("get", "/api/v1/submissions"), None);
    walk.by_key(&sam, ("get", "/api/v1/submissions/{submission}"), None);
    for path in ["compactions", "graphs"].map(|work| format!("/api/v1/galleries/{{name}}/{work}")) {
        walk.by_key(&adam, ("post", &path), Some(json!({})));
    }
    walk.by_key(&adam, ("delete", "/api/v1/galleries/{name}/graphs"), None);
    walk.by_key(&adam, ("get", "/api/v1/jobs"), None);
    walk.by_key(&adam, ("get", "/api/v1/jobs/{job}"), None);
    walk.by_key(&adam, ("delete", "/api/v1/jobs/{job}"), None);
    walk.by_key(&una, ("delete", "/api/v1/galleries/{name}/references/{template}"), None);
    walk.by_key(&una, ("delete", "/api/v1/galleries/{name}/subjects/{subject}"), None);
    for path in ["/api/v1/audit/events", "/api/v1/audit/checkpoint"] {
        walk.by_key(&ada, ("get", path), None);
    }
    assert!(walk.left.is_empty(), "nothing of these has succeeded here: {:?}", walk.left);
}
