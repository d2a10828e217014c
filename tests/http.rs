//! The API over real sockets: what every answer must be, what is refused and how, and the life of a gallery with real
//! models and pictures. Tests that need models say so and end where there are none.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod faces;
mod records_at;
mod http {
    mod approximate;
    mod audit;
    mod auditors;
    mod governing;
    mod oidc;
    mod operating_points;
    mod reviews;
    mod rights;
    pub(crate) mod server;
    mod sessions;
    pub(crate) mod sso;
    mod strangers;
    mod submissions;
    mod texts;
    mod tls;
    mod told;
}

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bertillon::casework::Desk;
use bertillon::gallery::Access;
use bertillon::http::openapi::Document;
use bertillon::http::routes::API;
use bertillon::http::{HttpError, serve, serve_until};
use http::server::{Form, PATIENCE, Server, settings};
use serde_json::Value;
use utoipa::OpenApi as _;

const GALLERIES: &str = "/api/v1/galleries";
const REFERENCES: &str = "/api/v1/galleries/custody/references";
const SEARCHES: &str = "/api/v1/galleries/custody/searches";

fn document() -> Value {
    serde_json::to_value(Document::openapi()).unwrap()
}

#[test]
fn the_document_is_as_agreed() {
    let mut document = document();
    document["info"]["version"] = "[version]".into();
    insta::assert_json_snapshot!("openapi", document);
}

#[test]
fn document_and_server_know_the_same_addresses() {
    let documented: BTreeSet<(String, String)> = document()["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (path.clone(), method.clone())))
        .collect();
    let served = API.iter().flat_map(|address| address.methods.iter().map(|(method, ..)| (address.path, *method)));
    let served: BTreeSet<_> = served.map(|(path, method)| (path.to_owned(), method.to_owned())).collect();
    assert_eq!(documented, served);
    // And what the table says is what a socket says.
    let server = Server::start();
    for (path, method) in &served {
        let path = path.replace("{name}", "none").replace("{subject}", "x").replace("{template}", "1");
        let path = path.replace("{review}", "77").replace("{lead}", "77");
        let answer = server.send(&method.to_uppercase(), &path, &[], (method == "post").then(Vec::new));
        assert_ne!(answer.status, 405, "{method} {path}");
        if answer.status == 404 {
            let kind = answer.json()["type"].as_str().unwrap().to_owned();
            let wanted = if path.starts_with("/api/v1/sso/") { "no-sso" } else { "no-gallery" };
            assert_eq!(kind, format!("urn:bertillon:problem:{wanted}"), "{method} {path}");
        }
    }
}

#[test]
fn a_new_server_is_up_and_tells_about_itself() {
    let server = Server::start();
    assert_eq!(server.get("/api/v1/health").good(), serde_json::json!({"status": "ok"}));
    let head = server.send("HEAD", "/api/v1/health", &[], None);
    assert_eq!((head.status, head.body.len()), (200, 0));
    let status = server.get("/api/v1/status").good();
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!((&status["models"]["default"], &status["galleries"]), (&"mtcnn-dlib".into(), &serde_json::json!([])));
    assert_eq!((&status["scoring"]["asked_for"], &status["scoring"]["fell_back"]), (&"cpu".into(), &Value::Null));
    assert!(status["scoring"]["back_end"].as_str().is_some_and(|name| name.contains("cpu")), "{status}");
    assert_eq!(status["limits"]["images_max"], 64);
    assert_eq!(server.get(GALLERIES).good()["galleries"], serde_json::json!([]));
}

#[test]
fn the_browsable_page_needs_no_network() {
    let server = Server::start();
    for path in ["/", "/api/docs"] {
        let home = server.get(path);
        assert_eq!((home.status, home.header("location")), (307, Some("/api/docs/")));
    }
    let page = server.get("/api/docs/");
    assert_eq!(page.status, 200);
    assert!(page.header("content-security-policy").unwrap().contains("script-src 'self'"));
    let html = page.text();
    let is_file = |part: &&str| matches!(part.rsplit_once('.'), Some((_, "js" | "css")));
    let wanted: Vec<&str> = html.split('"').filter(is_file).collect();
    assert!(wanted.len() >= 4, "{html}");
    for file in wanted {
        assert!(!file.contains("//"), "{file} is on another server");
        assert_eq!(server.get(&format!("/api/docs/{}", file.trim_start_matches("./"))).status, 200, "{file}");
    }
    let script = server.get("/api/docs/swagger-initializer.js").text();
    assert!(script.contains("/api/v1/openapi.json") && script.contains("none"), "{script}");
    assert_eq!(server.get("/api/v1/openapi.json").good(), document());
    server.get("/api/docs/nothing.js").refused(404);
}

#[test]
fn every_refusal_is_a_problem() {
    let server = Server::start();
    server.get("/api/v1/nothing").refused(404);
    server.get("/api/v1/galleries/custody/nothing/at/all").refused(404);
    let wrong = server.send("PUT", GALLERIES, &[], Some(Vec::new()));
    assert_eq!(wrong.header("allow"), Some("GET, HEAD, POST"));
    assert!(wrong.refused(405).contains("POST"));
    assert!(server.get("/api/v1/galleries/custody").refused(404).contains("custody"));
    server.get("/api/v1/galleries/Cust%2Fody").refused(400);
    server.delete("/api/v1/galleries/custody/references/first").refused(400);
    server.delete("/api/v1/galleries/custody/references/1").refused(404);
    server.delete("/api/v1/galleries/custody/subjects/x").refused(404);
    let bad = [
        ("{", 400),
        ("{}", 400),
        ("{\"name\":\"..\",\"purpose\":\"x\"}", 400),
        ("{\"name\":\"a\"}", 400),
        ("{\"name\":\"a\",\"purpose\":\" \"}", 400),
        ("{\"name\":\"a\",\"porpose\":\"x\"}", 400),
        ("{\"name\":\"a\",\"purpose\":\"\\u0000\"}", 400),
    ];
    for (json, status) in bad {
        server.post_json(GALLERIES, json).refused(status);
    }
    assert!(server.post_json(GALLERIES, "{\"name\":\"a\",\"porpose\":\"x\"}").refused(400).contains("porpose"));
    server.post_json(GALLERIES, &format!("{{\"name\":\"{}\"}}", "a".repeat(70_000))).refused(413);
    server.send("POST", GALLERIES, &[("content-type", "text/plain")], Some(b"{}".to_vec())).refused(415);
    assert!(server.post_json(SEARCHES, "{}").refused(415).contains("multipart"));
    assert!(server.post_form(SEARCHES, Form::default().image("a.jpg", b"x")).refused(404).contains("custody"));
    let answers = [server.get("/api/v1/health"), server.get("/nothing")];
    for answer in answers {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    }
}

#[test]
fn browsers_are_not_turned_against_their_owners() {
    let server = Server::start();
    let ask = |head: &str| {
        let mut raw = server.connect();
        raw.write(head.as_bytes());
        raw.read()
    };
    ask("GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n").refused(421);
    ask("GET /api/v1/status HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n").refused(421);
    ask("GET /api/v1/status HTTP/1.0\r\n\r\n").refused(421);
    assert_eq!(ask("GET /api/v1/health HTTP/1.1\r\nHost: localhost:1\r\n\r\n").status, 200);
    let form = "POST /api/v1/galleries HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\nOrigin: ";
    assert!(ask(&format!("{form}http://evil.example\r\n\r\n{{}}")).refused(403).contains("evil.example"));
    ask(&format!("{form}null\r\n\r\n{{}}")).refused(403);
    ask(&format!("{form}http://127.0.0.1\r\n\r\n{{}}")).refused(415);
    assert_eq!(ask("GET /api/v1/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let server = Server::start();
    let data = tempfile::tempdir().unwrap();
    let mut settings = settings(data.path());
    settings.server.port = server.address.port();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ended = runtime.block_on(async {
        let desk = Arc::new(Desk::open(settings, Access::Writer).await.unwrap());
        serve_until(desk, |_| panic!("it is taken"), async {}).await
    });
    let error = ended.unwrap_err();
    assert!(matches!(error, HttpError::AddressTaken(address) if address == server.address), "{error:?}");
    assert!(error.to_string().contains(&server.address.to_string()));
}

/// Not a test by itself: [`signals_stop_the_server`] runs this program again to send signals to it.
#[test]
fn served_in_a_child() {
    let Some(data) = std::env::var_os("BERTILLON_TEST_SERVE") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let desk = Arc::new(Desk::open(settings(Path::new(&data)), Access::Writer).await.unwrap());
        serve(desk, |address| println!("\nADDRESS {address}")).await.unwrap();
    });
}

#[test]
fn signals_stop_the_server() {
    for signal in ["-TERM", "-INT"] {
        let data = tempfile::tempdir().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "served_in_a_child", "--nocapture"])
            .env("BERTILLON_TEST_SERVE", data.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let address = lines.find_map(|line| line.strip_prefix("ADDRESS ").map(str::to_owned)).unwrap();
        // An idle connection that is kept alive must not hold the server up.
        let idle = TcpStream::connect(&address).unwrap();
        let sent = Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().unwrap();
        assert!(sent.success());
        let began = Instant::now();
        assert!(child.wait().unwrap().success(), "{signal}");
        assert!(began.elapsed() < Duration::from_secs(20), "{signal} took {:?}", began.elapsed());
        drop(idle);
        assert!(TcpStream::connect(&address).is_err());
    }
}

/// A reference of one person, another picture of the same, and a reference of somebody else.
struct People {
    anne: Vec<u8>,
    anne_again: Vec<u8>,
    bob: Vec<u8>,
}

/// Pictures of people, if there are any and models to read them with.
fn people() -> Option<People> {
    faces::load("mtcnn-dlib", 1)?;
    let paths: [PathBuf; 3] = match faces::frll() {
        Some(people) => [people[0].1.clone(), people[0].2.clone(), people[1].1.clone()],
        None => ["obama.jpg", "obama2.jpg", "biden.jpg"].map(|name| Path::new("data/demo/pictures").join(name)),
    };
    if let Some(missing) = paths.iter().find(|path| !path.is_file()) {
        eprintln!("SKIPPED: {} is not there", missing.display());
        return None;
    }
    let [anne, anne_again, bob] = paths.map(|path| fs_err::read(path).unwrap());
    Some(People { anne, anne_again, bob })
}

/// A picture without a face.
fn wall() -> Vec<u8> {
    let mut png = Vec::new();
    let grey = image::RgbImage::from_fn(200, 160, |x, y| image::Rgb([90 + (x % 7) as u8, 90, 90 + (y % 5) as u8]));
    grey.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    png
}

fn with_gallery(server: &Server) {
    server.post_json(GALLERIES, "{\"name\":\"custody\",\"purpose\":\"A test\"}").good();
}

fn enrol(server: &Server, subject: &str, picture: &[u8]) -> Value {
    server.post_form(REFERENCES, Form::default().text("subject", subject).image("front.jpg", picture)).good()
}

fn subjects(answer: &Value) -> Vec<&str> {
    let candidates = answer["pictures"][0]["probes"][0]["candidates"].as_array().unwrap();
    candidates.iter().map(|candidate| candidate["subject"].as_str().unwrap()).collect()
}

#[test]
fn the_life_of_a_gallery() {
    let Some(people) = people() else { return };
    let server = Server::start();
    let made = server.post_json(GALLERIES, "{\"name\":\"custody\",\"purpose\":\"A test\"}");
    assert_eq!((made.status, made.header("location")), (201, Some("/api/v1/galleries/custody")));
    assert_eq!(made.json()["purpose"], "A test");
    server.post_json(GALLERIES, "{\"name\":\"custody\",\"purpose\":\"Another\"}").refused(409);

    let anne = enrol(&server, "Anne / 1", &people.anne);
    assert_eq!((&anne["enrolled"], &anne["failed"]), (&1.into(), &0.into()), "{anne}");
    let again = enrol(&server, "Anne / 1", &people.anne);
    assert_eq!((&again["enrolled"], &again["already_enrolled"]), (&0.into(), &1.into()));
    assert_eq!(again["pictures"][0]["template"], anne["pictures"][0]["template"]);
    let bob = Form::default().text("subject", "Bob").text("attributes", "capture_year=2019; disposal=charged");
    let mixed = bob.image("bob.jpg", &people.bob).image("notes.jpg", b"only text");
    let mixed = server.post_form(REFERENCES, mixed).good();
    assert_eq!((&mixed["enrolled"], &mixed["failed"]), (&1.into(), &1.into()), "{mixed}");
    assert_eq!(mixed["pictures"][1]["outcome"], "failed");
    assert_eq!(server.get("/api/v1/galleries/custody").good()["templates"], 2);
    let status = server.get("/api/v1/status").good();
    assert_eq!(
        (&status["galleries"][0]["templates"], &status["models"]["loaded"][0]["name"]),
        (&2.into(), &"mtcnn-dlib".into())
    );

    let found = server.post_form(SEARCHES, Form::default().image("probe.jpg", &people.anne_again));
    assert_eq!(found.header("cache-control"), Some("no-store"));
    let found = found.good();
    assert_eq!(subjects(&found), ["Anne / 1", "Bob"]);
    assert!(
        found["notice"].as_str().unwrap().contains("leads")
            && found["pictures"][0]["probes"][0]["search"].as_i64().unwrap() > 0
    );
    assert_eq!(found["pictures"][0]["probes"][0]["candidates"][0]["rank"], 1);
    let one = server.post_form(SEARCHES, Form::default().image("p.jpg", &people.anne_again).text("top", "1")).good();
    assert_eq!(subjects(&one), ["Anne / 1"]);
    let part = |filter: &str| {
        server.post_form(SEARCHES, Form::default().image("p.jpg", &people.anne_again).text("where", filter)).good()
    };
    assert_eq!(subjects(&part("capture_year=2015..2020")), ["Bob"]);
    assert_eq!(part("capture_year=2015..2020")["restriction"], "capture_year=2015..2020");
    assert_eq!(subjects(&part("subject=Anne / 1")), ["Anne / 1"]);
    assert!(!part("subject=Anne / 1")["restriction"].as_str().unwrap().contains("Anne"), "nor do records name anybody");
    assert!(subjects(&part("disposal=acquitted")).is_empty());
    let none = Form::default().text("threshold", "1").text("faces", "all").image("p.jpg", &people.anne_again);
    assert!(subjects(&server.post_form(SEARCHES, none).good()).is_empty());
    let two = Form::default().image("a.jpg", &people.anne).image("wall.png", &wall());
    let two = server.post_form(SEARCHES, two).good();
    assert_eq!((subjects(&two)[0], &two["pictures"][1]["faces_found"]), ("Anne / 1", &0.into()));

    let erased = server.delete("/api/v1/galleries/custody/subjects/Anne%20%2F%201").good();
    assert_eq!((&erased["erased"], &erased["templates"][0]), (&1.into(), &anne["pictures"][0]["template"]));
    let after = server.post_form(SEARCHES, Form::default().image("probe.jpg", &people.anne_again)).good();
    assert_eq!(subjects(&after), ["Bob"]);
    server.delete("/api/v1/galleries/custody/subjects/Anne%20%2F%201").refused(404);
    let bob = mixed["pictures"][0]["template"].as_u64().unwrap();
    assert_eq!(server.delete(&format!("/api/v1/galleries/custody/references/{bob}")).good()["erased"], 1);
    assert_eq!(server.get("/api/v1/galleries/custody").good()["templates"], 0);
    let empty = server.post_form(SEARCHES, Form::default().image("probe.jpg", &people.anne_again)).good();
    assert!(subjects(&empty).is_empty());
}

#[test]
fn unusable_requests_are_told_why() {
    let Some(people) = people() else { return };
    let server = Server::start();
    with_gallery(&server);
    let anne = || Form::default().image("a.jpg", &people.anne);
    let refused = |path: &str, form: Form, status: u16| server.post_form(path, form).refused(status);
    assert!(refused(REFERENCES, anne(), 400).contains("subject"));
    assert!(refused(REFERENCES, anne().text("subject", " "), 400).contains("subject"));
    assert!(refused(REFERENCES, Form::default().text("subject", "x"), 400).contains("image"));
    assert!(refused(SEARCHES, anne().text("treshold", "0.5"), 400).contains("treshold"));
    assert!(refused(SEARCHES, anne().text("where", "disposal"), 400).contains("name=from..to"));
    let odd = anne().text("subject", "x").text("attributes", "Capture Year=2019");
    assert!(refused(REFERENCES, odd, 400).contains("Capture Year"));
    for bad in ["0", "1001", "-1", "many", "1.5"] {
        refused(SEARCHES, anne().text("top", bad), 400);
    }
    for bad in ["2", "-1.5", "NaN", "inf", "high"] {
        refused(SEARCHES, anne().text("threshold", bad), 400);
    }
    for bad in ["0", "biggest"] {
        assert!(refused(SEARCHES, anne().text("faces", bad), 400).contains("largest"));
    }
    assert!(refused(SEARCHES, anne().text("faces", "9"), 422).contains("face 9"));
    assert!(refused(SEARCHES, Form::default().image("wall.png", &wall()), 422).contains("no face"));
    let text = server.post_form(REFERENCES, Form::default().text("subject", "x").image("a.jpg", b"only text"));
    text.refused(422);
    assert_eq!((&text.json()["failed"], &text.json()["pictures"][0]["source"]), (&1.into(), &"a.jpg".into()));

    let huge = Form::default().text("subject", "x").image("huge.bmp", &vec![7; 33 << 20]);
    assert!(refused(REFERENCES, huge, 413).contains("huge.bmp"));
    let many = (0..65).fold(Form::default(), |form, place| form.image(&format!("{place}.jpg"), b"x"));
    assert!(refused(SEARCHES, many, 413).contains("64"));
    let mut raw = server.connect();
    let head = "Host: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 68000000\r\n\r\n";
    raw.write(format!("POST {SEARCHES} HTTP/1.1\r\n{head}").as_bytes());
    assert!(raw.read().refused(413).contains("64 MiB"));
    assert_eq!(server.get("/api/v1/galleries/custody").good()["templates"], 0);
    assert_eq!(server.get("/api/v1/status").good()["requests"], serde_json::json!({"running": 0, "waiting": 0}));
}

#[test]
fn one_request_too_many_is_told_to_come_back() {
    let Some(people) = people() else { return };
    let server = Server::start_with(|settings| {
        settings.vision.threads = 1;
        settings.server.waiting_max = 1;
    });
    with_gallery(&server);
    enrol(&server, "Anne", &people.anne);
    let form = || Form::default().image("a.jpg", &people.anne_again);
    let held: Vec<_> = (0..2).map(|_| server.begin_form(SEARCHES, form())).collect();
    let began = Instant::now();
    while server.get("/api/v1/status").good()["requests"]["waiting"] != 2 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    let refused = server.post_form(SEARCHES, form());
    refused.refused(503);
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert_eq!(server.get("/api/v1/health").status, 200);
    for (mut raw, last) in held {
        raw.write(&[last]);
        assert_eq!(subjects(&raw.read().good()), ["Anne"]);
    }
    assert_eq!(server.post_form(SEARCHES, form()).status, 200);
}

#[test]
fn health_answers_while_every_core_is_busy() {
    let Some(people) = people() else { return };
    let server = Server::start();
    with_gallery(&server);
    enrol(&server, "Anne", &people.anne);
    let form = (0..16).fold(Form::default(), |form, place| form.image(&format!("{place}.jpg"), &people.anne_again));
    std::thread::scope(|scope| {
        let searches: Vec<_> =
            (0..3).map(|_| scope.spawn(|| server.post_form(SEARCHES, form.clone()).good())).collect();
        let mut busy = 0;
        while searches.iter().any(|search| !search.is_finished()) {
            let began = Instant::now();
            assert_eq!(server.get("/api/v1/health").status, 200);
            assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
            busy += usize::from(server.get("/api/v1/status").good()["requests"]["running"] != 0);
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(busy > 0, "the searches were over too soon to tell");
        for search in searches {
            assert_eq!(search.join().unwrap()["pictures"].as_array().unwrap().len(), 16);
        }
    });
}

#[test]
fn clients_that_go_away_leave_no_trace() {
    let Some(people) = people() else { return };
    let server = Server::start();
    with_gallery(&server);
    let form = || Form::default().text("subject", "Anne").image("a.jpg", &people.anne);
    drop(server.begin_form(REFERENCES, form()));
    let (mut raw, last) = server.begin_form(REFERENCES, form());
    raw.write(&[last]);
    drop(raw);
    let began = Instant::now();
    let idle = serde_json::json!({"running": 0, "waiting": 0});
    while server.get("/api/v1/status").good()["requests"] != idle {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    // Whether or not the second was begun before its client went, nothing is half done.
    assert_eq!(enrol(&server, "Anne", &people.anne)["failed"], 0);
    assert_eq!(server.get("/api/v1/galleries/custody").good()["templates"], 1);
}

/// Sixteen probes would leave sixteen numbers in the records.
#[test]
fn a_search_whose_client_went_away_is_given_up() {
    let Some(people) = people() else { return };
    let server = Server::start();
    with_gallery(&server);
    enrol(&server, "Anne", &people.anne);
    let number = |answer: &Value| answer["pictures"][0]["probes"][0]["search"].as_i64().unwrap();
    let one = || server.post_form(SEARCHES, Form::default().image("a.jpg", &people.anne_again)).good();
    let before = number(&one());
    let many = (0..16).fold(Form::default(), |form, place| form.image(&format!("{place}.jpg"), &people.anne_again));
    let (mut raw, last) = server.begin_form(SEARCHES, many);
    raw.write(&[last]);
    let began = Instant::now();
    while server.get("/api/v1/status").good()["requests"]["running"] != 1 {
        assert!(began.elapsed() < PATIENCE, "the search never ran");
    }
    drop(raw);
    let idle = serde_json::json!({"running": 0, "waiting": 0});
    while server.get("/api/v1/status").good()["requests"] != idle {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(number(&one()), before + 1, "the abandoned search went on to its end");
}

#[test]
fn a_running_request_is_answered_before_the_server_stops() {
    let Some(people) = people() else { return };
    let mut server = Server::start();
    with_gallery(&server);
    enrol(&server, "Anne", &people.anne);
    let (mut raw, last) = server.begin_form(SEARCHES, Form::default().image("a.jpg", &people.anne_again));
    let began = Instant::now();
    while server.get("/api/v1/status").good()["requests"]["waiting"] != 1 {
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(10));
    }
    server.ask_to_stop();
    while TcpStream::connect(server.address).is_ok() {
        assert!(began.elapsed() < PATIENCE, "it still accepts connections");
        std::thread::sleep(Duration::from_millis(20));
    }
    raw.write(&[last]);
    assert_eq!(subjects(&raw.read().good()), ["Anne"]);
    server.wait();
}
