//! Sessions over HTTP: what opens one, what ends it, and what a page of another site can't do with it.

use bertillon::audit::{Caller, Outcome};
use bertillon::casework::access::{passwords, users};
use bertillon::crypto::tokens::Secret;
use bertillon::records::UserState;

use super::rights::Beside;
use super::server::{Answer, Server};

const SESSION: &str = "/api/v1/session";
const PASSWORD: &str = "a good long password";

fn sign_in(server: &Server, name: &str, password: &str) -> Answer {
    let body = serde_json::json!({ "name": name, "password": password }).to_string();
    server.post_json(SESSION, &body)
}

/// Cookie and token of a session.
fn opened(server: &Server) -> (String, String) {
    let answer = sign_in(server, "una", PASSWORD);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    (cookie.split(';').next().unwrap().to_owned(), answer.json()["token"].as_str().unwrap().to_owned())
}

fn with(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    server.send(method, path, headers, None)
}

fn beside(server: &Server) -> Beside {
    let beside = Beside::new(server);
    beside.add("una", &["administrator"]);
    let me = Caller::itself("a test");
    let password = Secret::new(PASSWORD.to_owned());
    beside.runtime.block_on(passwords::set(&beside.desk, &me, &"una".parse().unwrap(), password)).unwrap();
    beside
}

#[test]
fn a_session_is_opened_used_and_ended() {
    let server = Server::start();
    let beside = beside(&server);
    let (cookie, token) = opened(&server);
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str()), ("session.opened", "una"));
    let shown = with(&server, "GET", SESSION, &[("cookie", &cookie)]).good();
    assert_eq!((&shown["name"], &shown["token"]), (&"una".into(), &token.as_str().into()));
    assert_eq!(shown["roles"], serde_json::json!(["administrator"]));
    with(&server, "GET", "/api/v1/jobs", &[("cookie", &cookie)]).good();
    assert_eq!(beside.newest().actor, "una");
    // Another page's script has the cookie sent, and not the token.
    with(&server, "DELETE", "/api/v1/jobs/7", &[("cookie", &cookie)]).refused(403);
    with(&server, "DELETE", "/api/v1/jobs/7", &[("cookie", &cookie), ("x-bertillon-token", "0000")]).refused(403);
    with(&server, "DELETE", "/api/v1/jobs/7", &[("cookie", &cookie), ("x-bertillon-token", &token)]).refused(404);
    // A second one is another, also where the first one's cookie is sent along; roles bind it.
    let body = serde_json::json!({ "name": "una", "password": PASSWORD }).to_string().into_bytes();
    let headers = [("cookie", cookie.as_str()), ("content-type", "application/json")];
    let again = server.send("POST", SESSION, &headers, Some(body));
    assert!(!again.header("set-cookie").unwrap().starts_with(&cookie));
    with(&server, "DELETE", "/api/v1/galleries/a/subjects/x", &[("cookie", &cookie), ("x-bertillon-token", &token)])
        .refused(403);
    with(&server, "DELETE", SESSION, &[("cookie", &cookie)]).refused(403);
    let ended = with(&server, "DELETE", SESSION, &[("cookie", &cookie), ("x-bertillon-token", &token)]);
    assert_eq!(ended.status, 204);
    assert!(ended.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!((beside.newest().kind.as_str(), beside.newest().actor.as_str()), ("session.ended", "una"));
    with(&server, "GET", SESSION, &[("cookie", &cookie)]).refused(401);
    with(&server, "GET", "/api/v1/jobs", &[("cookie", &cookie)]).refused(401);
}

#[test]
fn what_is_wrong_with_a_sign_in_is_not_told_and_locks() {
    let server = Server::start();
    let beside = beside(&server);
    let wrong = sign_in(&server, "una", "a bad long password").refused(401);
    assert_eq!(beside.newest().outcome, Outcome::Refused);
    assert_eq!(beside.newest().kind, "session.opened");
    for (name, password) in [("nobody", PASSWORD), ("No Name", PASSWORD), ("", ""), ("una", "")] {
        assert_eq!(sign_in(&server, name, password).refused(401), wrong);
    }
    for _ in 0..3 {
        assert_eq!(sign_in(&server, "una", "a bad long password").refused(401), wrong);
    }
    assert_eq!(sign_in(&server, "una", PASSWORD).refused(401), wrong, "locked for a minute, and not told");
    let unlock = users::set_state(&beside.desk, &CALLER, &UNA, UserState::Active);
    beside.runtime.block_on(unlock).unwrap();
    let (cookie, _) = opened(&server);
    // Whoever is locked, and whose password is another, is in no session.
    let lock = users::set_state(&beside.desk, &CALLER, &UNA, UserState::Locked);
    beside.runtime.block_on(lock).unwrap();
    with(&server, "GET", SESSION, &[("cookie", &cookie)]).refused(401);
    let unlock = users::set_state(&beside.desk, &CALLER, &UNA, UserState::Active);
    beside.runtime.block_on(unlock).unwrap();
    let new = passwords::set(&beside.desk, &CALLER, &UNA, Secret::new("another good password".to_owned()));
    beside.runtime.block_on(new).unwrap();
    with(&server, "GET", SESSION, &[("cookie", &cookie)]).refused(401);
    sign_in(&server, "una", PASSWORD).refused(401);
    assert_eq!(sign_in(&server, "una", "another good password").status, 201);
    server.post_json(SESSION, r#"{"name": "una"}"#).refused(400);
}

static CALLER: std::sync::LazyLock<Caller> = std::sync::LazyLock::new(|| Caller::itself("a test"));
static UNA: std::sync::LazyLock<bertillon::base::ids::UserName> = std::sync::LazyLock::new(|| "una".parse().unwrap());
