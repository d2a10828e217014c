//! Long work in the background, through the built program: a real server, commands beside it, and a kill in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod program;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use bertillon::base::random::Stream;
use serde_json::{Value, json};

/// Numbers of a template of the default model set.
const DIMENSION: usize = 128;
const PATIENCE: Duration = Duration::from_mins(2);

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A data folder with an empty gallery.
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.good(&["gallery", "create", "custody", "--purpose", "tests"]);
        place
    }

    fn command(&self, arguments: &[&str]) -> Command {
        program::on_cpu(self.folder.path(), arguments)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        program::good(self.command(arguments))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.good(arguments)).unwrap()
    }

    /// What a command that must fail said.
    fn bad(&self, arguments: &[&str]) -> String {
        program::bad(self.command(arguments))
    }

    /// Writes `rows` templates and their subjects, and gives the command that imports them.
    fn bulk(&self, rows: usize) -> Vec<&'static str> {
        let head = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {DIMENSION}), }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((head.len() as u16).to_le_bytes());
        bytes.extend(head.as_bytes());
        let mut list = "subject,capture_year\n".to_owned();
        for row in 0..rows {
            let mut stream = Stream::new(5, row as u64);
            bytes.extend((0..DIMENSION).flat_map(|_| stream.normal().to_le_bytes()));
            writeln!(list, "person {row},{}", 1990 + row % 30).unwrap();
        }
        fs_err::write(self.path("old.npy"), bytes).unwrap();
        fs_err::write(self.path("old.csv"), list).unwrap();
        let files = ["--templates", "old.npy", "--subjects", "old.csv", "--model", "mtcnn-dlib"];
        [&["gallery", "import", "custody", "--json"], files.as_slice()].concat()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    fn gallery(&self) -> Value {
        self.json(&["gallery", "show", "custody", "--json"])
    }

    fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    fn serve_with(&self, settings: &[(&str, &str)]) -> Server {
        let mut command = self.command(&["serve", "--port", "0"]);
        let mut child = command.envs(settings.iter().copied()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.by_ref().map_while(Result::ok).find(|line| line.contains("Bertillon answers at ")).unwrap();
        let address = said.split(' ').find(|word| word.starts_with("http://")).unwrap().to_owned();
        // The pipe must not fill up.
        std::thread::spawn(move || lines.for_each(drop));
        Server { child, address }
    }

    /// The job as it is once `wanted` says yes.
    fn wait_for(&self, job: i64, wanted: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            // Nothing as long as nobody has asked for it.
            let shown = self.run(&["jobs", "show", &job.to_string(), "--json"]);
            let found = serde_json::from_slice(&shown.stdout).unwrap_or_default();
            if wanted(&found) {
                return found;
            }
            assert!(began.elapsed() < PATIENCE, "{found}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn send(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        let agent: ureq::Agent = config.build().into();
        let url = format!("{}{path}", self.address);
        let request = ureq::http::Request::builder().method(method).uri(url).header("content-type", "application/json");
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        let mut answer = agent.run(request.body(body).unwrap()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        (answer.status().as_u16(), if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    /// Ends it as a person would, with ctrl-C, and waits.
    fn stop(mut self) {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_server_imports_indexes_and_compacts_in_the_background() {
    let place = Place::new();
    let import = place.bulk(3_000);
    let here = place.json(&import);
    assert_eq!((&here["first"], &here["last"]), (&1.into(), &3_000.into()));
    let server = place.serve();
    // The same command, handed over.
    let there = place.json(&import);
    assert_eq!((&there["state"], &there["kind"]), (&"done".into(), &"import".into()));
    assert_eq!((&there["outcome"]["first"], &there["outcome"]["last"]), (&3_001.into(), &6_000.into()));
    assert_eq!(place.gallery()["templates"], 6_000);

    let shown = place.good(&["gallery", "index", "custody", "--m", "8", "--audit-probes", "100"]);
    assert!(shown.contains("done") && shown.contains("2 graphs built"), "{shown}");
    assert_eq!(place.gallery()["graphs"].as_array().unwrap().len(), 2);
    let (status, asked) = server.send("POST", "/api/v1/galleries/custody/graphs", Some(json!({"m": 8})));
    assert_eq!((status, &asked["kind"]), (202, &"index".into()));
    let id = asked["id"].as_i64().unwrap();
    let kept = place.wait_for(id, |job| job["state"] == "done");
    let counts = json!({"built": 0, "kept": 2, "changed": 0, "empty": 0, "small": 0});
    assert_eq!(kept["outcome"]["graphs"], counts);
    place.good(&["gallery", "compact", "custody", "--all"]);
    let (status, all) = server.send("GET", "/api/v1/jobs", None);
    let kinds: Vec<&str> = all["jobs"].as_array().unwrap().iter().map(|job| job["kind"].as_str().unwrap()).collect();
    assert_eq!((status, kinds), (200, vec!["compact", "index", "index", "import"]));
    assert!(all["jobs"].as_array().unwrap().iter().all(|job| job.get("outcome").is_none()), "a list is short: {all}");
    assert!(place.good(&["jobs", "list"]).lines().count() == 4);
    assert!(place.good(&["jobs", "list", "--last", "2"]).lines().count() == 2);
    assert_eq!(server.send("GET", "/api/v1/jobs?last=1", None).1["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(server.send("GET", "/api/v1/jobs?last=0", None).0, 400);
    assert_eq!(server.send("GET", "/api/v1/jobs?first=1", None).0, 400);

    // What can't be is said at once, or in the job.
    let (status, problem) = server.send("POST", "/api/v1/galleries/custody/graphs", Some(json!({"m": 1})));
    assert_eq!((status, &problem["kind"]), (400, &Value::Null), "{problem}");
    assert_eq!(server.send("POST", "/api/v1/galleries/nobody/compactions", Some(json!({}))).0, 404);
    assert_eq!(server.send("GET", "/api/v1/jobs/77", None).0, 404);
    assert_eq!(server.send("GET", "/api/v1/jobs/x", None).0, 400);
    assert!(place.bad(&["jobs", "show", "77"]).contains("no job 77"));
    fs_err::write(place.path("old.csv"), "subject\nsomebody\n").unwrap();
    assert!(place.bad(&import).contains("failed"));
    let (_, failed) = server.send("GET", "/api/v1/jobs/5", None);
    assert_eq!(failed["state"], "failed");
    let folder = place.folder.path().to_str().unwrap();
    assert!(!failed["error"].as_str().unwrap().contains(folder), "no path for clients: {failed}");
    assert!(place.good(&["jobs", "show", "5"]).contains("1 rows here, 3000 templates"));
    assert_eq!(place.gallery()["templates"], 6_000);
    server.stop();
}

#[test]
fn a_job_is_cancelled_and_leaves_nothing() {
    let place = Place::new();
    let import = place.bulk(20_000);
    place.good(&import);
    let server = place.serve();
    let slow = json!({"m": 32, "ef_construction": 2048});
    let (_, running) = server.send("POST", "/api/v1/galleries/custody/graphs", Some(slow));
    let (_, waiting) = server.send("POST", "/api/v1/galleries/custody/compactions", Some(json!({})));
    let (running, waiting) = (running["id"].as_i64().unwrap(), waiting["id"].as_i64().unwrap());
    let seen = place.wait_for(running, |job| job["state"] == "running" && job["done"].as_u64() > Some(0));
    assert_eq!((&seen["step"], &seen["total"]), (&"linking".into(), &20_000.into()));
    assert_eq!(place.json(&["jobs", "cancel", &waiting.to_string(), "--json"])["state"], "cancelled");
    let (status, _) = server.send("DELETE", &format!("/api/v1/jobs/{running}"), None);
    assert_eq!(status, 202);
    let ended = place.wait_for(running, |job| job["state"] != "running");
    assert_eq!(ended["state"], "cancelled");
    assert!(place.gallery()["graphs"].as_array().unwrap().is_empty());
    assert_eq!(place.gallery()["graphs_kept_up"], false);
    let follow = place.bad(&["jobs", "follow", &running.to_string()]);
    assert!(follow.contains("was cancelled"), "{follow}");
    server.stop();
}

#[test]
fn an_import_is_cancelled_or_goes_on_after_the_servers_end() {
    let place = Place::new();
    let import = place.bulk(60_000);
    let server = place.serve();
    for (job, after) in [(1, 1), (2, 130_000)] {
        let mut command = place.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // While the list is checked or templates are written, and while references are recorded.
        place.wait_for(job, |job| job["state"] == "running" && job["done"].as_u64() >= Some(after));
        place.good(&["jobs", "cancel", &job.to_string()]);
        let ended = place.wait_for(job, |job| job["ended"].is_string());
        assert_eq!(ended["state"], "cancelled", "{ended}");
        assert!(!command.wait().unwrap().success());
        assert_eq!(place.gallery()["templates"], 0);
    }
    let mut command = place.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    place.wait_for(3, |job| job["done"].as_u64() >= Some(130_000));
    server.stop();
    assert_eq!(place.json(&["jobs", "show", "3", "--json"])["state"], "waiting", "put back in good order");
    command.wait().unwrap();
    let server = place.serve();
    assert_eq!(place.wait_for(3, |job| job["ended"].is_string())["state"], "done");
    assert_eq!(place.gallery()["templates"], 60_000);
    server.stop();
}

#[test]
fn a_server_takes_a_backup_back_in() {
    let place = Place::new();
    let import = place.bulk(2_000);
    place.good(&import);
    let server = place.serve();
    place.good(&["gallery", "backup", "custody", "--to", "copy"]);
    assert!(place.bad(&["gallery", "restore", "copy"]).contains("already"), "at once, before any job");
    let restored = place.json(&["gallery", "restore", "copy", "--as", "copy", "--json"]);
    assert_eq!((&restored["kind"], &restored["state"]), (&"restore".into(), &"done".into()));
    assert_eq!(restored["outcome"]["last_template"], 2_000);
    // In use at once: searched and changed by the server.
    let (status, gallery) = server.send("GET", "/api/v1/galleries/copy", None);
    assert_eq!((status, &gallery["templates"]), (200, &2_000.into()));
    assert_eq!(server.send("DELETE", "/api/v1/galleries/copy/references/7", None).0, 200);
    // A file that was changed since.
    let file = place.path("copy").join("segment-1.seg");
    let mut bytes = fs_err::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs_err::write(&file, bytes).unwrap();
    let bad = place.bad(&["gallery", "restore", "copy", "--as", "third"]);
    assert!(bad.contains("failed"), "{bad}");
    let (_, failed) = server.send("GET", "/api/v1/jobs/2", None);
    assert_eq!(failed["state"], "failed");
    assert!(!failed.to_string().contains("segment-1"), "no file's name for clients: {failed}");
    assert!(place.good(&["jobs", "show", "2"]).contains("is not the file that was backed up"));
    assert_eq!(server.send("GET", "/api/v1/galleries/third", None).0, 404);
    server.stop();
    place.good(&["gallery", "verify", "copy"]);
}

#[test]
fn graphs_that_nobody_wants_any_more_are_not_begun_again() {
    let place = Place::new();
    let import = place.bulk(20_000);
    place.good(&import);
    let server = place.serve_with(&[("BERTILLON_SCORING_GRAPH_ROWS_MIN", "1")]);
    let slow = json!({"m": 32, "ef_construction": 2048});
    server.send("POST", "/api/v1/galleries/custody/graphs", Some(slow));
    place.wait_for(1, |job| job["state"] == "running" && job["done"].as_u64() > Some(0));
    server.send("DELETE", "/api/v1/jobs/1", None);
    assert_eq!(place.wait_for(1, |job| job["state"] != "running")["state"], "cancelled");
    // The worker looks for what is wanted twice a second.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(place.run(&["jobs", "show", "2"]).status.code(), Some(1), "no job followed");
    assert_eq!(place.gallery()["graphs_kept_up"], false);
    // Asked for again, they are kept up until that is switched off, here or over HTTP.
    for off in [true, false] {
        place.good(&["gallery", "index", "custody", "--m", "4", "--ef-construction", "8", "--audit-probes", "100"]);
        assert_eq!(place.gallery()["graphs_kept_up"], true);
        if off {
            place.good(&["gallery", "index", "custody", "--off"]);
        } else {
            assert_eq!(server.send("DELETE", "/api/v1/galleries/custody/graphs", None).0, 204);
        }
        assert_eq!(place.gallery()["graphs_kept_up"], false);
    }
    assert_eq!(server.send("DELETE", "/api/v1/galleries/nobody/graphs", None).0, 404);
    server.stop();
}

#[test]
fn more_jobs_than_may_wait_are_refused() {
    let place = Place::new();
    let import = place.bulk(20_000);
    place.good(&import);
    let server = place.serve();
    let slow = json!({"m": 32, "ef_construction": 2048});
    server.send("POST", "/api/v1/galleries/custody/graphs", Some(slow));
    place.wait_for(1, |job| job["state"] == "running");
    // One may end and make room before the last is asked for.
    let ask = || server.send("POST", "/api/v1/galleries/custody/compactions", Some(json!({})));
    let answers: Vec<(u16, Value)> = (0..200).map(|_| ask()).collect();
    let accepted = answers.iter().filter(|(status, _)| *status == 202).count();
    assert!((63..190).contains(&accepted), "{accepted}");
    let (status, problem) = answers.iter().find(|(status, _)| *status != 202).unwrap();
    assert_eq!((*status, &problem["type"]), (409, &"urn:bertillon:problem:full".into()), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("at most 64"), "{problem}");
    server.send("DELETE", "/api/v1/jobs/1", None);
    place.wait_for(1 + accepted as i64, |job| job["state"] == "done");
    server.stop();
}

#[test]
fn a_server_that_is_killed_goes_on_with_its_jobs_and_does_none_twice() {
    let place = Place::new();
    let import = place.bulk(20_000);
    let server = place.serve();
    let mut commands = Vec::new();
    for _ in 0..2 {
        let command = place.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        commands.push(command);
    }
    // In the middle of one of the two.
    place.wait_for(1, |job| job["state"] != "waiting" && job["done"].as_u64() > Some(40_000));
    server.kill();
    let done = [1, 2].iter().filter(|id| place.json(&["jobs", "show", &id.to_string(), "--json"])["state"] == "done");
    let done = done.count();
    let succeeded =
        commands.into_iter().filter_map(|mut command| command.wait().unwrap().success().then_some(())).count();
    assert!(done < 2 && succeeded <= done, "{succeeded} of {done}: the others say that the server has ended");
    let server = place.serve();
    for id in [1, 2] {
        assert_eq!(place.wait_for(id, |job| job["ended"].is_string())["state"], "done");
    }
    assert_eq!(place.gallery()["templates"], 40_000);
    place.good(&["gallery", "verify", "custody"]);
    // Stopped in good order, a job goes on later too.
    let slow = json!({"m": 32, "ef_construction": 512, "audit_probes": 100});
    server.send("POST", "/api/v1/galleries/custody/graphs", Some(slow));
    place.wait_for(3, |job| job["state"] == "running" && job["done"].as_u64() > Some(0));
    server.stop();
    assert_eq!(place.json(&["jobs", "show", "3", "--json"])["state"], "waiting");
    place.good(&["jobs", "cancel", "3"]);
}

#[test]
fn graphs_are_kept_up_by_themselves() {
    let place = Place::new();
    let import = place.bulk(2_000);
    let server = place.serve_with(&[("BERTILLON_SCORING_GRAPH_ROWS_MIN", "1500")]);
    place.good(&import);
    place.good(&["gallery", "index", "custody", "--m", "8", "--audit-probes", "100"]);
    place.good(&import);
    // Asked for by nobody.
    let job = place.wait_for(4, |job| job["state"] == "done");
    assert_eq!((&job["kind"], &job["actor"]), (&"index".into(), &"the server itself".into()));
    let gallery = place.gallery();
    let graphs = gallery["graphs"].as_array().unwrap();
    assert_eq!(graphs.len(), 2);
    assert!(graphs.iter().all(|graph| graph["m"] == 8 && !graph["audit"].as_array().unwrap().is_empty()));
    server.stop();
}
