//! A real server on a real socket, and clients for it: one well behaved, one that sends whatever it is told byte by byte.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use bertillon::casework::Desk;
use bertillon::gallery::Access;
use bertillon::http::serve_until;
use bertillon::settings::Settings;
use bertillon::settings::back_end::BackEnd;
use bertillon::settings::flags::Flags;
use serde_json::Value;
use tokio::sync::oneshot;
use ureq::http::Request;

use crate::faces;

/// No answer takes this long.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);
/// The boundary of all multipart bodies here.
pub(crate) const EDGE: &str = "edge-of-a-part";

/// A running server with a data folder of its own; it stops when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) data: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Settings for a server on any free port.
pub(crate) fn settings(data: &std::path::Path) -> Settings {
    let flags = Flags {
        data: Some(data.to_owned()),
        models_folder: Some(faces::models_dir()),
        back_end: Some(BackEnd::Cpu),
        port: Some(0),
        workers: Some(2),
        ..Flags::default()
    };
    Settings::load(None, data, flags).unwrap().settings
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::start_with(|_| ())
    }

    pub(crate) fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_on(tempfile::tempdir().unwrap(), change)
    }

    /// On a data folder that is there already.
    pub(crate) fn start_on(data: tempfile::TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = settings(data.path());
        change(&mut settings);
        let (told, address) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async move {
                let desk = Arc::new(Desk::open(settings, Access::Writer).await.unwrap());
                let stop = async move { stopped.await.unwrap_or_default() };
                serve_until(desk, |address| told.send(address).unwrap(), stop).await.unwrap();
            });
        });
        let address = address.recv_timeout(PATIENCE).expect("the server did not start");
        Self { address, data, stop: Some(stop), thread: Some(thread) }
    }

    /// Asks it to stop, without waiting.
    pub(crate) fn ask_to_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until it has stopped.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server panicked");
        }
    }

    /// Sends a request the usual way.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<Vec<u8>>) -> Answer {
        let config = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0);
        let agent: ureq::Agent = config.timeout_global(Some(PATIENCE)).build().into();
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => agent.run(request.body(body).unwrap()),
            None => agent.run(request.body(()).unwrap()),
        };
        let mut answer = answer.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let headers =
            answer.headers().iter().map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()));
        let (status, headers) = (answer.status().as_u16(), headers.collect());
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
        Answer { status, headers, body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None)
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], None)
    }

    pub(crate) fn post_json(&self, path: &str, json: &str) -> Answer {
        self.send("POST", path, &[("content-type", "application/json")], Some(json.as_bytes().to_vec()))
    }

    pub(crate) fn post_form(&self, path: &str, form: Form) -> Answer {
        let media_type = format!("multipart/form-data; boundary={EDGE}");
        self.send("POST", path, &[("content-type", &media_type)], Some(form.end()))
    }

    /// With a key: JSON where there is some.
    pub(crate) fn send_as(&self, key: &str, method: &str, path: &str, json: Option<&str>) -> Answer {
        let said = format!("Bearer {key}");
        let headers = [("authorization", said.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, json.map(|json| json.as_bytes().to_vec()))
    }

    /// With a key.
    pub(crate) fn post_form_as(&self, key: &str, path: &str, form: Form) -> Answer {
        let (said, media_type) = (format!("Bearer {key}"), format!("multipart/form-data; boundary={EDGE}"));
        self.send("POST", path, &[("authorization", &said), ("content-type", &media_type)], Some(form.end()))
    }

    /// A connection to send bytes by hand.
    pub(crate) fn connect(&self) -> Raw {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Raw(stream)
    }

    /// Begins a request with that form and stops short of the body's last byte, which is given back.
    pub(crate) fn begin_form(&self, path: &str, form: Form) -> (Raw, u8) {
        let mut body = form.end();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: multipart/form-data; boundary={EDGE}\r\n\
             Content-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let last = body.pop().unwrap();
        let mut raw = self.connect();
        raw.write(head.as_bytes());
        raw.write(&body);
        (raw, last)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.ask_to_stop();
        if !std::thread::panicking() {
            self.wait();
        }
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The JSON of an answer that must have succeeded.
    pub(crate) fn good(&self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        self.json()
    }

    /// The detail of a refusal of that status, which must be whole and tell nothing about the machine.
    pub(crate) fn refused(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let json = self.json();
        assert_eq!(json["status"], status);
        for member in ["type", "title", "detail", "instance"] {
            assert!(json[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {json}");
        }
        assert!(!self.text().contains(std::env::temp_dir().to_str().unwrap()), "{json}");
        json["detail"].as_str().unwrap().to_owned()
    }
}

/// A connection that sends what it is told.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
        self.0.flush().unwrap();
    }

    /// The answer's bytes, as far as the connection gives them.
    pub(crate) fn read(mut self) -> Answer {
        let mut bytes = Vec::new();
        let mut piece = vec![0; 65_536];
        loop {
            let count = self.0.read(&mut piece).unwrap();
            bytes.extend_from_slice(&piece[..count]);
            if count == 0 || is_whole(&bytes) {
                break;
            }
        }
        let end = head_end(&bytes).expect("no answer");
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Answer { status, headers, body: bytes[end..].to_vec() }
    }
}

fn head_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
}

fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = head_end(bytes) else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= end + length)
}

/// A multipart body, part by part.
#[derive(Default, Clone)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) fn text(self, name: &str, value: &str) -> Self {
        self.part(&format!("name=\"{name}\""), value.as_bytes())
    }

    pub(crate) fn image(self, file: &str, bytes: &[u8]) -> Self {
        self.part(&format!("name=\"image\"; filename=\"{file}\"\r\nContent-Type: image/jpeg"), bytes)
    }

    fn part(mut self, names: &str, bytes: &[u8]) -> Self {
        self.0.extend(format!("--{EDGE}\r\nContent-Disposition: form-data; {names}\r\n\r\n").bytes());
        self.0.extend_from_slice(bytes);
        self.0.extend(b"\r\n");
        self
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend(format!("--{EDGE}--\r\n").bytes());
        self.0
    }
}
