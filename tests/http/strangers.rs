//! Those who have not said who they are: how much they may ask for is looked at before anything is done for them, and by
//! their own address, also behind a proxy.

use bertillon::audit::Outcome;
use bertillon::base::limits::{HASHES_AT_ONCE, SIGN_INS_WAITING_MAX, UNKNOWN_AT_ONCE_MAX};
use bertillon::casework::access::passwords::{self, Seat};

use super::rights::Beside;
use super::server::{Answer, Server};

const SESSION: &str = "/api/v1/session";
const STATUS: &str = "/api/v1/status";
const PASSWORD: &str = "a good long password";
const FORWARDED: &str = "x-forwarded-for";
/// So many come at once until one is refused, unless the machine takes most of a second for each.
const MANY: usize = 4 * UNKNOWN_AT_ONCE_MAX as usize;

/// Una is an examiner with a password, at a server behind a proxy or with nothing in front.
fn house(behind_proxy: bool) -> (Server, Beside) {
    let server = Server::start_with(|settings| settings.server.behind_proxy = behind_proxy);
    let beside = Beside::new(&server);
    beside.add("una", &["examiner"]);
    beside.set_password("una", PASSWORD);
    (server, beside)
}

fn sign_in(server: &Server, from: &str, password: &str) -> Answer {
    sign_in_as(server, "una", from, password)
}

fn sign_in_as(server: &Server, name: &str, from: &str, password: &str) -> Answer {
    let body = serde_json::json!({ "name": name, "password": password }).to_string().into_bytes();
    server.send("POST", SESSION, &[("content-type", "application/json"), (FORWARDED, from)], Some(body))
}

fn ask(server: &Server, from: &str) -> Answer {
    server.send("GET", STATUS, &[(FORWARDED, from)], None)
}

/// All places of those who sign in, this process being the server's.
fn all_seats() -> Vec<Seat> {
    let seats: Vec<Seat> = std::iter::from_fn(|| passwords::seat().ok()).collect();
    assert_eq!(seats.len(), HASHES_AT_ONCE + SIGN_INS_WAITING_MAX);
    seats
}

#[test]
fn who_asks_too_often_is_refused_before_a_password_is_looked_at() {
    let (server, beside) = house(true);
    let seats = all_seats();
    let answers: Vec<Answer> = (0..MANY).map(|_| sign_in(&server, "203.0.113.1", "a bad long password")).collect();
    let (busy, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
    // Whoever gets as far as a seat is told that there is none; nobody gets there who asked too often.
    assert!(busy.len() >= UNKNOWN_AT_ONCE_MAX as usize && !refused.is_empty(), "{}", busy.len());
    assert!(answers.iter().all(|answer| answer.header("retry-after").is_some()));
    assert!(refused.iter().all(|answer| answer.refused(429).contains("from this address")));
    assert_eq!(beside.newest().kind, "session.opened");
    drop(seats);
    // None of these was a try: five would have locked her.
    assert_eq!(sign_in(&server, "203.0.113.2", PASSWORD).status, 201);
}

#[test]
fn more_sign_ins_than_there_are_seats_are_told_to_come_back() {
    let (server, beside) = house(true);
    let mut seats = all_seats();
    let told = sign_in(&server, "203.0.113.1", PASSWORD);
    assert!(told.refused(503).contains("sign in at once"));
    assert!(told.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.outcome), ("session.opened", Outcome::Failed));
    seats.pop();
    assert_eq!(sign_in(&server, "203.0.113.1", PASSWORD).status, 201, "there is one for the next");
    drop(seats);
    // Many at once: each is looked at or told to come back, and afterwards all seats are free again.
    let come = &|number: usize| {
        sign_in_as(&server, &format!("nobody{number}"), &format!("203.0.113.{number}"), PASSWORD).status
    };
    std::thread::scope(|scope| {
        let all: Vec<_> = (2..60).map(|number| scope.spawn(move || come(number))).collect();
        let all: Vec<u16> = all.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(all.iter().all(|status| [401, 503].contains(status)) && all.contains(&401), "{all:?}");
    });
    assert_eq!(sign_in(&server, "203.0.113.1", PASSWORD).status, 201);
    drop(all_seats());
}

#[test]
fn who_turns_out_to_be_somebody_has_asked_for_nothing() {
    let (server, _beside) = house(true);
    for _ in 0..UNKNOWN_AT_ONCE_MAX + UNKNOWN_AT_ONCE_MAX / 2 {
        assert_eq!(sign_in(&server, "203.0.113.1", PASSWORD).status, 201);
    }
}

#[test]
fn behind_a_proxy_each_address_is_its_own() {
    let (server, beside) = house(true);
    // What stands before the last one is what the client says, and changes nothing.
    let flood = (0..MANY).map(|number| ask(&server, &format!("198.51.100.{}, 203.0.113.1", number % 250)));
    assert!(flood.into_iter().any(|answer| answer.status == 429));
    ask(&server, "203.0.113.2").refused(401);
    assert_eq!(beside.newest().origin, "203.0.113.2");
    let (key, prefix) = beside.key("una", None, 600);
    let said = format!("Bearer {key}");
    server.send("GET", STATUS, &[("authorization", &said), (FORWARDED, "2001:db8::7")], None).good();
    assert_eq!(beside.newest().origin, format!("2001:db8::7, key {prefix}"));
    assert_eq!(sign_in(&server, "203.0.113.3", PASSWORD).status, 201);
    assert_eq!(beside.newest().origin, "203.0.113.3");
    for odd in ["nobody", "203.0.113.2, ", "203.0.113.2, _hidden"] {
        ask(&server, odd).refused(401);
        assert_eq!(beside.newest().origin, "127.0.0.1", "{odd}: the proxy itself");
    }
}

#[test]
fn without_a_proxy_nobody_says_where_they_are() {
    let (server, beside) = house(false);
    ask(&server, "203.0.113.2").refused(401);
    assert_eq!(beside.newest().origin, "127.0.0.1");
    let flood = (0..MANY).map(|number| ask(&server, &format!("203.0.113.{}", number % 250)));
    assert!(flood.into_iter().any(|answer| answer.status == 429));
}

#[test]
fn a_proxy_on_this_machine_makes_nobody_a_program_of_it() {
    let server = Server::start_with(|settings| settings.server.behind_proxy = true);
    // Whatever it says, or does not.
    for refused in [server.get(STATUS), ask(&server, "127.0.0.1"), ask(&server, "203.0.113.1")] {
        assert!(refused.refused(401).contains("no users yet"));
    }
}
