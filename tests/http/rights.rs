//! Who may do what over HTTP: every address, every role, and every way of not being somebody. The table is that of
//! docs/ROLES.md.

use std::path::Path;

use bertillon::audit::{Caller, Event, Outcome};
use bertillon::base::ids::UserName;
use bertillon::casework::Desk;
use bertillon::casework::access::api_keys::{self, Wanted};
use bertillon::casework::access::{passwords, users};
use bertillon::crypto::tokens::Secret;
use bertillon::gallery::Access;
use bertillon::http::routes::{API, Need};
use bertillon::records::{EventFilter, UserState};
use bertillon::rights::{Grant, Permission, Role};

use super::server::{Answer, Server, settings};

const ELSEWHERE: &str = "elsewhere";

/// The data folder beside the server, as the command line has it.
pub(crate) struct Beside {
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) desk: Desk,
}

impl Beside {
    pub(crate) fn new(server: &Server) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let desk = runtime.block_on(Desk::open(settings(server.data.path()), Access::Reader)).unwrap();
        Self { runtime, desk }
    }

    pub(crate) fn add(&self, name: &str, roles: &[&str]) {
        let roles: Vec<Grant> = roles.iter().map(|role| role.parse().unwrap()).collect();
        self.runtime.block_on(users::add(&self.desk, &me(), &user(name), "", &roles)).unwrap();
    }

    pub(crate) fn key(&self, owner: &str, galleries: Option<&[&str]>, rate_per_min: u32) -> (String, String) {
        let galleries = galleries.map(|names| names.iter().map(|name| name.parse().unwrap()).collect());
        let wanted = Wanted { permissions: [].into(), galleries, days: 1, rate_per_min };
        let made = self.runtime.block_on(api_keys::create(&self.desk, &me(), &user(owner), wanted)).unwrap();
        (made.text.reveal().to_owned(), made.record.prefix)
    }

    pub(crate) fn set_password(&self, owner: &str, password: &str) {
        let (name, caller, password) = (user(owner), me(), Secret::new(password.to_owned()));
        self.runtime.block_on(passwords::set(&self.desk, &caller, &name, password)).unwrap();
    }

    pub(crate) fn newest(&self) -> Event {
        let book = self.desk.vault.audit_book();
        let found = self.runtime.block_on(book.newest(&EventFilter::default(), 1)).unwrap();
        serde_json::from_str(&found[0].body).unwrap()
    }

    fn count(&self) -> u64 {
        self.runtime.block_on(self.desk.vault.audit_book().head()).unwrap().seq()
    }

    pub(super) fn execute(&self, data: &Path, statement: &'static str) {
        self.runtime.block_on(async {
            let pool = crate::records_at::by_hand(data).await;
            sqlx::query(statement).execute(&pool).await.unwrap();
            pool.close().await;
        });
    }

    /// Takes a guard against accidents away.
    pub(super) fn drop_trigger(&self, data: &Path, name: &str, table: &str) {
        self.runtime.block_on(async {
            let pool = crate::records_at::by_hand(data).await;
            crate::records_at::drop_trigger(&pool, name, table).await;
            pool.close().await;
        });
    }
}

pub(crate) fn me() -> Caller {
    Caller::new("root", "a test", None)
}

pub(crate) fn user(name: &str) -> UserName {
    name.parse().unwrap()
}

/// Sends a request of the table with a key, about the gallery "custody", which is not there.
fn ask(server: &Server, method: &str, pattern: &str, key: Option<&str>) -> Answer {
    let path = pattern.replace("{name}", "custody").replace("{subject}", "x").replace("{template}", "1");
    let path = path.replace("{review}", "77").replace("{lead}", "77").replace("{submission}", "77");
    let said = key.map(|key| format!("Bearer {key}"));
    let headers: Vec<(&str, &str)> = said.iter().map(|said| ("authorization", said.as_str())).collect();
    server.send(&method.to_uppercase(), &path.replace("{job}", "77"), &headers, (method == "post").then(Vec::new))
}

/// The addresses that need somebody, with what they need.
fn guarded() -> Vec<(&'static str, &'static str, Permission)> {
    let rows = API.iter().flat_map(|address| address.methods.iter().map(|row| (address.path, row)));
    let guarded = rows.filter_map(|(path, (method, _, need, _))| match need {
        Need::May(permission) => Some((*method, path, *permission)),
        Need::Nobody | Need::Anybody => None,
    });
    guarded.collect()
}

#[test]
fn every_role_gets_what_the_table_says() {
    let server = Server::start();
    let beside = Beside::new(&server);
    let mut keys = Vec::new();
    for role in Role::ALL {
        let grant = if role == Role::Evaluator { "evaluator:custody" } else { role.as_str() };
        beside.add(role.as_str(), &[grant]);
        keys.push((
            role,
            beside.key(role.as_str(), None, 60_000).0,
            beside.key(role.as_str(), Some(&[ELSEWHERE]), 60_000).0,
        ));
    }
    for (method, path, permission) in guarded() {
        for (role, whole, narrow) in &keys {
            let before = beside.count();
            let answer = ask(&server, method, path, Some(whole));
            assert_eq!(beside.count(), before + 1, "{method} {path}: one event a request");
            let event = beside.newest();
            assert_eq!(event.actor, role.as_str());
            assert!(event.origin.starts_with("127.0.0.1, key "), "{}", event.origin);
            if permission.roles().contains(role) {
                assert!(![401, 403, 429].contains(&answer.status), "{method} {path} as {role}: {}", answer.text());
            } else {
                let said = answer.refused(403);
                assert!(said.contains(permission.as_str()), "{said}");
                assert_eq!(event.outcome, Outcome::Refused);
                assert!(format!("{:?}", event.detail).contains("not-allowed"), "{event:?}");
            }
            // The same with a key for another gallery.
            let about_gallery = path.contains("{name}");
            if about_gallery {
                ask(&server, method, path, Some(narrow)).refused(403);
            }
        }
    }
    // A key for another gallery does not make one of this name either.
    let key = &keys.iter().find(|(role, ..)| *role == Role::Administrator).unwrap().2;
    let headers = [("authorization", format!("Bearer {key}")), ("content-type", "application/json".to_owned())];
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = br#"{"name": "custody", "purpose": "a test"}"#.to_vec();
    server.send("POST", "/api/v1/galleries", &headers, Some(body)).refused(403);
}

#[test]
fn who_is_nobody_gets_nothing() {
    // A server each, since one address is not answered so often.
    for rows in guarded().chunks(12) {
        let server = Server::start();
        refuses_nobody(&server, rows);
    }
}

fn refuses_nobody(server: &Server, rows: &[(&str, &str, Permission)]) {
    // As long as there are no users, programs on this machine are answered.
    server.get("/api/v1/status").good();
    let beside = Beside::new(server);
    assert_eq!(beside.newest().actor, "not signed in");
    beside.add("una", &["supervisor", "administrator"]);
    beside.add("vic", &["supervisor", "administrator"]);
    let (expired, prefix) = beside.key("una", None, 60_000);
    beside.execute(server.data.path(), "UPDATE api_key SET expires_at = '2020-01-01T00:00:00Z'");
    let (revoked, gone) = beside.key("una", None, 60_000);
    beside.runtime.block_on(api_keys::revoke(&beside.desk, &me(), &gone)).unwrap();
    let (locked, _) = beside.key("vic", None, 60_000);
    beside.runtime.block_on(users::set_state(&beside.desk, &me(), &user("vic"), UserState::Locked)).unwrap();
    let made_up = format!("bert_{prefix}_{}", "A".repeat(43));
    let doors = [
        (None, "no-key"),
        (Some(made_up.as_str()), "no-such-key"),
        (Some(expired.as_str()), "expired"),
        (Some(revoked.as_str()), "revoked"),
        (Some(locked.as_str()), "locked"),
    ];
    for &(method, path, _) in rows {
        for (key, kind) in doors {
            let before = beside.count();
            let answer = ask(server, method, path, key);
            answer.refused(401);
            assert_eq!(answer.json()["type"], format!("urn:bertillon:problem:{kind}"), "{method} {path}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"bertillon\""));
            assert_eq!(beside.count(), before + 1, "{method} {path}");
            let event = beside.newest();
            assert_eq!((event.actor.as_str(), event.outcome), ("not signed in", Outcome::Refused));
            assert!(format!("{:?}", event.detail).contains(kind), "{event:?}");
        }
        // What of other forms is said counts as nothing; all of this is not yet too often.
        if path == "/api/v1/status" {
            for said in ["Basic dW5hOnVuYQ==", "Bearer", "Bearer ", &format!("bearer {made_up}")] {
                server.send("GET", path, &[("authorization", said)], None).refused(401);
            }
        }
    }
    assert_eq!(server.get("/api/v1/health").status, 200);
    assert_eq!(server.get("/api/v1/openapi.json").status, 200);
    assert_eq!(server.get("/api/docs/").status, 200);
    // Whoever floods is told to wait, and the log is not flooded with them.
    let before = beside.count();
    let began = std::time::Instant::now();
    let answers: Vec<Answer> = (0..300).map(|_| server.get("/api/v1/status")).collect();
    // A hundred may come at once, and then one a second; each second has an event more, of the first that was refused in it.
    let seconds = began.elapsed().as_secs() as usize + 1;
    let refused: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(refused.len() + seconds >= 200, "{} in {seconds} s", refused.len());
    assert!(refused.iter().all(|answer| answer.header("retry-after").is_some()));
    let told = beside.count() - before;
    assert!(told <= (100 + 2 * seconds + 2) as u64, "{told} in {seconds} s");
}

#[test]
fn a_key_is_for_so_many_requests_and_ends_when_it_is_revoked() {
    let server = Server::start();
    let beside = Beside::new(&server);
    beside.add("xena", &["examiner"]);
    let (key, prefix) = beside.key("xena", None, 60);
    let (other, _) = beside.key("xena", None, 60);
    let ask = |key: &str| server.send("GET", "/api/v1/status", &[("authorization", &format!("Bearer {key}"))], None);
    let answers: Vec<Answer> = (0..60).map(|_| ask(&key)).collect();
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((10..40).contains(&good), "{good} of 60 at once");
    assert!(answers.iter().all(|answer| [200, 429].contains(&answer.status)));
    let said = answers.iter().find(|answer| answer.status == 429).unwrap().refused(429);
    assert!(said.contains("60 requests a minute"), "{said}");
    assert_eq!(ask(&other).status, 200, "each key has its own");
    beside.runtime.block_on(api_keys::revoke(&beside.desk, &me(), &prefix)).unwrap();
    ask(&key).refused(401);
}

#[test]
fn galleries_of_others_are_not_even_listed() {
    let server = Server::start();
    if server.post_json("/api/v1/galleries", r#"{"name": "custody", "purpose": "a test"}"#).status != 201 {
        eprintln!("skipped: no model set is installed, so no gallery can be made");
        return;
    }
    server.post_json("/api/v1/galleries", r#"{"name": "elsewhere", "purpose": "a test"}"#).good();
    let beside = Beside::new(&server);
    beside.add("ada", &["auditor"]);
    beside.add("xena", &["examiner:custody"]);
    beside.add("sam", &["submitter"]);
    let names = |key: &str, path: &str| -> Vec<String> {
        let answer = server.send("GET", path, &[("authorization", &format!("Bearer {key}"))], None).good();
        let galleries = answer["galleries"].as_array().unwrap().iter();
        galleries.map(|gallery| gallery["name"].as_str().unwrap().to_owned()).collect()
    };
    let (all, own) = (beside.key("ada", None, 600).0, beside.key("xena", None, 600).0);
    let (narrow, none) = (beside.key("ada", Some(&[ELSEWHERE]), 600).0, beside.key("sam", None, 600).0);
    for path in ["/api/v1/galleries", "/api/v1/status"] {
        assert_eq!(names(&all, path), ["custody", ELSEWHERE]);
        assert_eq!(names(&own, path), ["custody"]);
        assert_eq!(names(&narrow, path), [ELSEWHERE]);
    }
    assert!(names(&none, "/api/v1/status").is_empty());
    let read = |key: &str, name: &str| {
        let path = format!("/api/v1/galleries/{name}");
        server.send("GET", &path, &[("authorization", &format!("Bearer {key}"))], None).status
    };
    // Whether there is such a gallery is not told either; however its name is written.
    assert_eq!([read(&own, "custody"), read(&own, ELSEWHERE), read(&own, "nothing")], [200, 403, 403]);
    assert_eq!([read(&own, "%65lsewhere"), read(&own, "%2565lsewhere"), read(&own, "%63ustody")], [403, 400, 200]);
}

#[test]
fn the_manual_has_the_same_table() {
    let manual = include_str!("../../docs/ROLES.md");
    for (method, path, permission) in guarded() {
        let marks: Vec<&str> =
            Role::ALL.iter().map(|role| if permission.roles().contains(role) { "yes" } else { "" }).collect();
        let row = format!("| `{} {path}` | `{permission}` | {} |", method.to_uppercase(), marks.join(" | "));
        assert!(manual.contains(&row), "docs/ROLES.md lacks: {row}");
    }
}
