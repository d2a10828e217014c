//! Every request leaves one event of the right kind, and the answer comes after it.

use std::collections::BTreeMap;
use std::path::Path;

use bertillon::audit::{Event, Outcome};
use bertillon::gallery::{Access, Vault};
use bertillon::http::routes::API;
use bertillon::records::EventFilter;

use super::server::{Answer, Form, Server};
use crate::records_at::{by_hand, drop_trigger};
use crate::{enrol, people, with_gallery};

/// Requests that show nothing of anybody, and leave no event. A new one is a decision.
const WITHOUT: [(&str, &str); 2] = [("get", "/api/v1/health"), ("get", "/api/v1/openapi.json")];

/// All events, by the number of the request that they are of.
pub(super) fn events(data: &Path) -> BTreeMap<u64, Vec<Event>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let vault = Vault::open(data, Access::Reader, crate::records_at::vault_options()).await.unwrap();
        let found = vault.audit_book().newest(&EventFilter::default(), 2_000).await.unwrap();
        let mut by_request: BTreeMap<u64, Vec<Event>> = BTreeMap::new();
        for stored in found {
            let event: Event = serde_json::from_str(&stored.body).unwrap();
            by_request.entry(event.request).or_default().push(event);
        }
        by_request
    })
}

fn galleries(data: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let vault = Vault::open(data, Access::Reader, crate::records_at::vault_options()).await.unwrap();
        vault.galleries().await.unwrap().into_iter().map(|summary| summary.record.name.to_string()).collect()
    })
}

/// The event of the newest request; there is one.
fn last_event(server: &Server) -> Event {
    let mut events = events(server.data.path());
    let (_, mut of_last) = events.pop_last().unwrap();
    assert_eq!(of_last.len(), 1, "{of_last:?}");
    of_last.remove(0)
}

/// Sends a request of an address of the table that is refused, whatever is there.
fn refused(server: &Server, method: &str, path: &str) -> Answer {
    let path = path.replace("{name}", "none").replace("{subject}", "x").replace("{template}", "1");
    let path = path.replace("{review}", "77").replace("{lead}", "77").replace("{submission}", "77");
    assert_eq!(path.replace("{job}", "77").find('{'), None, "a test of {path} would be one of a malformed number");
    server.send(&method.to_uppercase(), &path.replace("{job}", "77"), &[], (method == "post").then(Vec::new))
}

#[test]
fn every_address_leaves_one_event_of_its_kind() {
    let server = Server::start();
    let mut number = 0;
    for address in API {
        for (method, _, _, kind) in address.methods {
            let answer = refused(&server, method, address.path);
            number += 1;
            let found = events(server.data.path()).remove(&number).unwrap_or_default();
            let Some(kind) = kind else {
                assert!(WITHOUT.contains(&(*method, address.path)), "{method} {} needs an event", address.path);
                assert_eq!(found, [], "{method} {}", address.path);
                continue;
            };
            let [event] = found.as_slice() else { panic!("{method} {}: {found:?}", address.path) };
            assert_eq!(event.kind, kind.as_str(), "{method} {}", address.path);
            assert_eq!(event.op, kind.op());
            let outcome = if answer.status < 300 { Outcome::Ok } else { Outcome::Refused };
            assert_eq!(event.outcome, outcome, "{method} {}: {}", address.path, answer.status);
            assert_eq!((event.actor.as_str(), event.origin.as_str()), ("not signed in", "127.0.0.1"));
            assert_eq!(event.gallery, "", "there is no gallery \"none\"");
            let named = [
                ("{job}", "job:77"),
                ("{template}", "template:1"),
                ("{review}", "review:77"),
                ("{lead}", "lead:77"),
                ("{submission}", "submission:77"),
            ];
            let about: Vec<&str> =
                named.iter().filter(|(part, _)| address.path.contains(part)).map(|(_, object)| *object).collect();
            assert_eq!(event.objects, about, "{method} {}: what it was about, there or not", address.path);
        }
    }
    assert_eq!(server.send("HEAD", "/api/v1/status", &[], None).status, 200);
    assert_eq!(last_event(&server).kind, "status.read");
    // Nobody's address and nobody's method are nobody's business.
    let before = events(server.data.path()).len();
    server.get("/api/v1/nothing").refused(404);
    server.send("PUT", "/api/v1/status", &[], None).refused(405);
    server.send("GET", "/api/v1/status", &[("host", "evil.example")], None).refused(421);
    assert_eq!(events(server.data.path()).len(), before);
}

#[test]
fn the_life_of_a_gallery_is_told_event_by_event() {
    let Some(people) = people() else { return };
    let server = Server::start();
    with_gallery(&server);
    let made = events(server.data.path()).into_values().flatten().find(|event| event.kind == "gallery.created");
    assert_eq!(made.unwrap().gallery, "custody");
    enrol(&server, "Anne", &people.anne);
    let event = last_event(&server);
    assert_eq!((event.kind.as_str(), event.gallery.as_str()), ("reference.enrolled", "custody"));
    assert_eq!(event.objects, ["template:1"]);
    // The same picture again changes nothing, and is told all the same.
    enrol(&server, "Anne", &people.anne);
    assert_eq!((last_event(&server).kind.as_str(), last_event(&server).objects.len()), ("reference.enrolled", 0));
    let form = Form::default().image("a.jpg", &people.anne_again).image("b.jpg", &people.anne);
    let answer = server.post_form(crate::SEARCHES, form).good();
    let event = last_event(&server);
    assert_eq!((event.kind.as_str(), event.outcome), ("search.run", Outcome::Ok));
    assert_eq!(event.objects, ["search:1", "search:2"], "one event for one request: {answer}");
    server.delete("/api/v1/galleries/custody/subjects/Anne").good();
    let event = last_event(&server);
    assert_eq!((event.kind.as_str(), event.op), ("subject.erased", bertillon::audit::Op::Erasure));
    assert_eq!(event.objects, ["template:1"]);
    let own = events(server.data.path()).remove(&0).unwrap();
    assert!(own.iter().any(|event| event.kind == "erasure.finished" && event.actor == "the server itself"));
    // No event says who anybody is.
    let all = format!("{:?}", events(server.data.path()));
    assert!(!all.contains("Anne") && !all.contains(".jpg"), "{all}");
}

#[test]
fn what_the_policy_does_not_allow_is_refused_before_a_face_is_looked_at() {
    let Some(people) = people() else { return };
    let server = Server::start();
    with_gallery(&server);
    enrol(&server, "Anne", &people.anne);
    // No picture at all: vision would say so.
    let form = Form::default().image("a.jpg", b"no picture");
    let detail = server.post_form(crate::SEARCHES, form.clone().text("purpose", "demonstration")).refused(403);
    assert!(detail.contains("it may be for") && detail.contains("investigate_crime"), "{detail}");
    let event = last_event(&server);
    assert_eq!(
        (event.kind.as_str(), event.outcome, event.gallery.as_str()),
        ("search.run", Outcome::Refused, "custody")
    );
    assert!(format!("{:?}", event.detail).contains("purpose-not-allowed"), "{event:?}");
    let form = form.text("purpose", "investigate_crime");
    let detail = server.post_form(crate::SEARCHES, form.clone()).refused(422);
    assert!(detail.contains("lawful_basis"), "{detail}");
    let whole = |form: Form| {
        let form = form.text("lawful_basis", "law_enforcement_task").text("case_ref", "CR/7/26");
        form.text("reason", "the only still")
    };
    let minor = server.post_form(crate::SEARCHES, whole(form.clone()).text("seriousness", "summary")).refused(403);
    assert!(minor.contains("either_way"), "{minor}");
    let detail = server.post_form(crate::SEARCHES, whole(form).text("seriousness", "indictable")).refused(422);
    assert!(!detail.contains("policy"), "now it is the picture: {detail}");
    let form = Form::default().image("a.jpg", &people.anne_again).text("purpose", "investigate_crime");
    server.post_form(crate::SEARCHES, whole(form).text("seriousness", "indictable")).good();
    let event = last_event(&server);
    assert_eq!((event.objects.len(), event.outcome), (1, Outcome::Ok));
    assert!(format!("{:?}", event.detail).contains("\"stated\": Number(5)"), "{event:?}");
}

#[test]
fn what_cannot_be_recorded_is_not_shown() {
    let server = Server::start();
    server.get("/api/v1/status").good();
    // The last event is damaged: nothing can follow it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let pool = by_hand(server.data.path()).await;
        drop_trigger(&pool, "audit_event_is_kept", "audit_event").await;
        let damage = "UPDATE audit_event SET hash = 'none' WHERE seq = (SELECT MAX(seq) FROM audit_event)";
        sqlx::query(damage).execute(&pool).await.unwrap();
        pool.close().await;
    });
    let detail = server.get("/api/v1/status").refused(500);
    assert!(detail.contains("could not be recorded"), "{detail}");
    // What would change something does not.
    let made = server.post_json("/api/v1/galleries", r#"{"name": "custody", "purpose": "a test"}"#);
    assert!(made.status >= 400, "{}", made.status);
    assert!(galleries(server.data.path()).is_empty());
    assert_eq!(server.get("/api/v1/health").status, 200);
}
