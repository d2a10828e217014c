//! The audit log over HTTP: auditors read it by pages, nobody else does, and that they did is in it.

use bertillon::audit::{Outcome, StoredCheckpoint};
use bertillon::casework::{audit, keys};
use serde_json::Value;

use super::rights::Beside;
use super::server::Server;

const EVENTS: &str = "/api/v1/audit/events";
const CHECKPOINT: &str = "/api/v1/audit/checkpoint";

/// Ada is an auditor, and nobody else.
fn house() -> (Server, Beside, [String; 4]) {
    let server = Server::start();
    let beside = Beside::new(&server);
    let people = [("ada", "auditor"), ("adam", "administrator"), ("xena", "examiner"), ("una", "supervisor")];
    let keys = people.map(|(name, role)| {
        beside.add(name, &[role]);
        beside.key(name, None, 60_000).0
    });
    (server, beside, keys)
}

fn numbers(page: &Value) -> Vec<u64> {
    page["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

#[test]
fn auditors_read_the_log_and_nobody_else_does() {
    let (server, beside, [ada, others @ ..]) = house();
    let get = |key: &str, path: &str| server.send_as(key, "GET", path, None);
    for path in [EVENTS, CHECKPOINT] {
        for key in &others {
            assert!(get(key, path).refused(403).contains("audit.read"));
            let event = beside.newest();
            assert_eq!((event.kind.as_str(), event.outcome), ("audit.read", Outcome::Refused));
        }
        // The log is of all galleries: a key for one of them shows none of it.
        let narrow = beside.key("ada", Some(&["custody"]), 60_000).0;
        assert!(get(&narrow, path).refused(403).contains("in all"));
        server.get(path).refused(401);
    }
    let shown = get(&ada, &format!("{EVENTS}?last=2")).good();
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), ("audit.read", "ada", Outcome::Ok));
    assert_eq!(serde_json::to_value(&event.detail).unwrap()["events"], 2);
    assert_eq!(numbers(&shown), [event.seq - 1, event.seq - 2], "what shows them is not among them");
    assert_eq!(
        (&shown["events"][0]["as_written"], &shown["events"][0]["event"]["outcome"]),
        (&true.into(), &"refused".into())
    );
}

#[test]
fn the_log_is_shown_by_pages_and_says_what_was_changed_in_it() {
    let (server, beside, [ada, ..]) = house();
    let get = |query: &str| server.send_as(&ada, "GET", &format!("{EVENTS}?{query}"), None);
    let first = get("last=3").good();
    let mut seen = numbers(&first);
    let (newest, mut before) = (seen[0], first["before"].as_u64());
    while let Some(seq) = before {
        let page = get(&format!("last=3&before={seq}")).good();
        seen.extend(numbers(&page));
        before = page["before"].as_u64();
    }
    assert_eq!(seen, (1..=newest).rev().collect::<Vec<_>>());
    let added = get("kind=user.added&object=user:1").good();
    assert_eq!((numbers(&added).len(), &added["before"]), (1, &Value::Null));
    assert_eq!(added["events"][0]["event"]["kind"], "user.added");
    assert_eq!(numbers(&get("before=0").good()), Vec::<u64>::new());
    for wrong in ["last=0", "last=201", "kind=nothing", "object=", "object=%00", "object=a%20b", "before=-1", "seq=1"] {
        get(wrong).refused(400);
    }
    // Told as it is kept, and that it is not as it was written.
    let data = server.data.path();
    beside.drop_trigger(data, "audit_event_is_kept", "audit_event");
    beside.execute(data, "UPDATE audit_event SET body = REPLACE(body, '\"ok\"', '\"failed\"') WHERE seq = 1");
    beside.execute(data, "UPDATE audit_event SET body = 'gone' WHERE seq = 2");
    let [two, one] = <[Value; 2]>::try_from(get("before=3").good()["events"].as_array().unwrap().clone()).unwrap();
    assert_eq!((&two["event"], &two["as_written"]), (&Value::Null, &false.into()));
    assert_eq!((&one["event"]["outcome"], &one["as_written"]), (&"failed".into(), &false.into()));
}

#[test]
fn the_last_checkpoint_is_shown_as_it_was_signed() {
    let (server, beside, [ada, ..]) = house();
    let sealed = beside.runtime.block_on(audit::seal(&beside.desk)).unwrap().unwrap();
    let shown = server.send_as(&ada, "GET", CHECKPOINT, None).good();
    assert_eq!(shown["sealed_through"], sealed);
    let text = |name: &str| shown[name].as_str().unwrap().to_owned();
    let stored = StoredCheckpoint { body: text("body"), signature: text("signature") };
    let folder = beside.runtime.block_on(beside.desk.vault.audit_book().folder()).unwrap();
    let key = keys::public_key(server.data.path()).unwrap().unwrap();
    assert_eq!(stored.open(key, &folder, sealed).unwrap().seq, sealed);
    assert_eq!(beside.newest().kind, "audit.read");
}
