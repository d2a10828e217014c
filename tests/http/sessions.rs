//! Sessions over HTTP: what opens one, what ends it, and what a page of another site can't do with it.

use bertillon::audit::{Caller, Outcome};
use bertillon::base::clock;
use bertillon::casework::access::{factors, passwords, users};
use bertillon::crypto::tokens::Secret;
use bertillon::crypto::totp::{self, TotpSecret};
use bertillon::records::UserState;

use super::rights::Beside;
use super::server::{Answer, Server};

const SESSION: &str = "/api/v1/session";
const PASSWORD: &str = "a good long password";

fn sign_in(server: &Server, name: &str, password: &str) -> Answer {
    let body = serde_json::json!({ "name": name, "password": password }).to_string();
    server.post_json(SESSION, &body)
}

fn sign_in_with(server: &Server, code: &str, password: &str) -> Answer {
    let body = serde_json::json!({ "name": "una", "password": password, "code": code }).to_string();
    server.post_json(SESSION, &body)
}

/// Cookie and token of a session.
fn opened(server: &Server, code: &str) -> (String, String) {
    let answer = sign_in_with(server, code, PASSWORD);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap().to_owned();
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    (cookie.split(';').next().unwrap().to_owned(), answer.json()["token"].as_str().unwrap().to_owned())
}

fn with(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    server.send(method, path, headers, None)
}

/// Una is an administrator, who takes a second factor: her codes on paper.
fn beside(server: &Server) -> (Beside, Vec<String>) {
    let beside = Beside::new(server);
    beside.add("una", &["administrator"]);
    let me = Caller::itself("a test");
    let password = Secret::new(PASSWORD.to_owned());
    beside.runtime.block_on(passwords::set(&beside.desk, &me, &UNA, password)).unwrap();
    beside.runtime.block_on(factors::begin(&beside.desk, &me, &UNA)).unwrap();
    let first = code(&beside, 0);
    let paper = beside.runtime.block_on(factors::confirm(&beside.desk, &me, &UNA, &first)).unwrap();
    (beside, paper.into_iter().map(|code| code.reveal().to_owned()).collect())
}

/// The code that una's telephone shows in so many steps from now.
fn code(beside: &Beside, later: u64) -> Secret {
    let keys = beside.desk.vault.keys();
    let book = beside.desk.vault.people_book();
    let user = beside.runtime.block_on(book.user(&UNA)).unwrap();
    let factor = beside.runtime.block_on(book.factor(user.id)).unwrap().unwrap();
    let secret = TotpSecret::open(&keys.of_people().unwrap().key, user.id, &factor.sealed).unwrap();
    secret.code(totp::step_at(clock::now_s()) + later)
}

#[test]
fn a_session_is_opened_used_and_ended() {
    let server = Server::start();
    let (beside, paper) = beside(&server);
    let (cookie, token) = opened(&server, &paper[0]);
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
    let body = serde_json::json!({ "name": "una", "password": PASSWORD, "code": paper[1] }).to_string().into_bytes();
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
    let (beside, paper) = beside(&server);
    let wrong = sign_in(&server, "una", "a bad long password").refused(401);
    assert_eq!(beside.newest().outcome, Outcome::Refused);
    assert_eq!(beside.newest().kind, "session.opened");
    for (name, password) in [("nobody", PASSWORD), ("No Name", PASSWORD), ("", ""), ("una", "")] {
        assert_eq!(sign_in(&server, name, password).refused(401), wrong);
    }
    for _ in 0..3 {
        assert_eq!(sign_in(&server, "una", "a bad long password").refused(401), wrong);
    }
    assert_eq!(sign_in_with(&server, &paper[0], PASSWORD).refused(401), wrong, "locked for a minute, and not told");
    let unlock = users::set_state(&beside.desk, &CALLER, &UNA, UserState::Active);
    beside.runtime.block_on(unlock).unwrap();
    let (cookie, _) = opened(&server, &paper[0]);
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
    assert_eq!(sign_in_with(&server, &paper[1], "another good password").status, 201);
    server.post_json(SESSION, r#"{"name": "una"}"#).refused(400);
}

#[test]
fn a_sign_in_takes_a_code_that_is_asked_for_only_of_who_knows_the_password() {
    let server = Server::start();
    let (beside, _) = beside(&server);
    let kind = |answer: &Answer| answer.json()["type"].as_str().unwrap().replace("urn:bertillon:problem:", "");
    let refusal = |beside: &Beside| {
        let event = beside.newest();
        (event.kind, event.outcome, serde_json::to_value(&event.detail).unwrap()["refusal"].clone())
    };
    let wanted = sign_in(&server, "una", PASSWORD);
    assert!(wanted.refused(401).contains("\"code\""));
    assert_eq!(kind(&wanted), "second-factor");
    assert_eq!(refusal(&beside), ("session.opened".to_owned(), Outcome::Refused, "second-factor".into()));
    assert_eq!(kind(&sign_in(&server, "una", "a bad long password")), "wrong-password");
    let next = code(&beside, 1);
    let wrong = sign_in_with(&server, next.reveal(), "a bad long password");
    assert_eq!(kind(&wrong), "wrong-password");
    let done = sign_in_with(&server, next.reveal(), PASSWORD);
    assert_eq!(done.status, 201, "{}", done.text());
    assert_eq!(serde_json::to_value(&beside.newest().detail).unwrap()["by"], "password and code");
    let replayed = sign_in_with(&server, next.reveal(), PASSWORD);
    assert_eq!(kind(&replayed), "wrong-password");
    assert_eq!(refusal(&beside), ("session.opened".to_owned(), Outcome::Refused, "wrong-password".into()));
    // Without one, whoever has a role that takes one stays out, and an examiner does not.
    beside.runtime.block_on(factors::remove(&beside.desk, &CALLER, &UNA)).unwrap();
    assert_eq!(beside.newest().kind, "user.factor_removed");
    assert_eq!(kind(&sign_in(&server, "una", PASSWORD)), "no-second-factor");
    let (taken, given) = (["administrator".parse().unwrap()], ["examiner".parse().unwrap()]);
    beside.runtime.block_on(users::change_roles(&beside.desk, &CALLER, &UNA, (&taken, &given))).unwrap();
    let examiner = sign_in(&server, "una", PASSWORD);
    assert_eq!(examiner.status, 201);
    // A role that takes one does not come into a session that was opened without.
    let cookie = examiner.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    with(&server, "GET", SESSION, &[("cookie", &cookie)]).good();
    beside.runtime.block_on(users::change_roles(&beside.desk, &CALLER, &UNA, (&[], &taken))).unwrap();
    for path in [SESSION, "/api/v1/jobs"] {
        let refused = with(&server, "GET", path, &[("cookie", &cookie)]);
        assert_eq!((refused.status, kind(&refused).as_str()), (401, "second-factor"));
        assert_eq!((beside.newest().actor.as_str(), beside.newest().outcome), ("una", Outcome::Refused));
    }
    beside.runtime.block_on(users::change_roles(&beside.desk, &CALLER, &UNA, (&taken, &[]))).unwrap();
    with(&server, "GET", SESSION, &[("cookie", &cookie)]).good();
}

static CALLER: std::sync::LazyLock<Caller> = std::sync::LazyLock::new(|| Caller::itself("a test"));
static UNA: std::sync::LazyLock<bertillon::base::ids::UserName> = std::sync::LazyLock::new(|| "una".parse().unwrap());
