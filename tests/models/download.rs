//! Downloads against a server of our own on the loopback: broken connections, wrong bytes, refusals.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use bertillon::vision::VisionError;
use bertillon::vision::catalogue::{FileSpec, Source};
use bertillon::vision::install::progress::Silent;
use bertillon::vision::install::{Options, State, install, summary, verify};

use crate::{set_of, spec};

/// What the server does with a connection.
#[derive(Clone, Copy)]
enum Mood {
    /// Answers fully, ranges included.
    Good,
    /// Sends half of what it announced and hangs up.
    Half,
    /// Ignores ranges.
    NoRanges,
    /// 404.
    Absent,
}

/// Serves `content` on a port of its own; each connection in the next mood, the last mood for ever. Gives the address and
/// the list of `Range` headers received.
fn serve(content: Vec<u8>, moods: Vec<Mood>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/models/x.onnx", listener.local_addr().unwrap());
    let ranges = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&ranges);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mood = moods.get(number).or(moods.last()).copied().unwrap();
            // A client that has gone away is part of the game.
            let _ = answer(stream.unwrap(), &content, mood, &seen);
        }
    });
    (address, ranges)
}

fn answer(mut stream: TcpStream, content: &[u8], mood: Mood, ranges: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut from = 0;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            ranges.lock().unwrap().push(range.to_owned());
            from = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let (status, part) = match mood {
        Mood::Absent => ("404 Not Found", &b""[..]),
        Mood::Good | Mood::Half if from > 0 => ("206 Partial Content", &content[from..]),
        Mood::Good | Mood::Half | Mood::NoRanges => ("200 OK", content),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", part.len())?;
    let sent = if matches!(mood, Mood::Half) { part.len() / 2 } else { part.len() };
    stream.write_all(&part[..sent])
}

fn content() -> Vec<u8> {
    (0..700_000_u32).map(|i| (i * 31 % 251) as u8).collect()
}

/// Installs a set whose embedder is downloaded and whose detector is a local file.
fn try_install(models: &Path, url: &str, wanted: &[u8]) -> (Result<(), VisionError>, Vec<FileSpec>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("det.onnx"), b"detector").unwrap();
    let detector = spec("det.onnx", b"detector", Source::Local { path: "det.onnx".into() });
    let embedder = spec("emb.onnx", wanted, Source::Download { url: url.to_owned() });
    let set = set_of(detector, embedder);
    let options = Options { from: Some(folder.path().to_owned()), without_runtime: true };
    let result = install(&set, models, &options, &Silent);
    let states = verify(&set, models);
    assert_eq!(result.is_ok(), summary(&states) == State::Installed);
    assert_eq!(states[0].state, State::Installed, "what could be had is there");
    assert!(matches!(states[1].state, State::Installed | State::Missing), "never a part under the final name");
    let files = set.files().cloned().collect();
    (result, files)
}

#[test]
fn a_broken_download_goes_on_where_it_stopped() {
    let models = tempfile::tempdir().unwrap();
    let (url, ranges) = serve(content(), vec![Mood::Half, Mood::Half, Mood::Good]);
    let (result, files) = try_install(models.path(), &url, &content());
    result.unwrap();
    assert_eq!(*ranges.lock().unwrap(), ["350000-", "525000-"]);
    assert_eq!(std::fs::read(files[1].path(models.path())).unwrap(), content());
    assert!(!models.path().join(".work").exists(), "nothing unfinished stays");
}

#[test]
fn a_server_without_ranges_is_asked_from_the_start() {
    let models = tempfile::tempdir().unwrap();
    let (url, ranges) = serve(content(), vec![Mood::Half, Mood::NoRanges]);
    try_install(models.path(), &url, &content()).0.unwrap();
    assert_eq!(ranges.lock().unwrap().len(), 1);
}

#[test]
fn wrong_bytes_are_never_installed() {
    let models = tempfile::tempdir().unwrap();
    let mut wrong = content();
    wrong[12_345] ^= 1;
    let (url, _) = serve(wrong, vec![Mood::Good]);
    let error = try_install(models.path(), &url, &content()).0.unwrap_err();
    assert!(matches!(error, VisionError::Damaged { .. }), "{error}");
    // The next attempt begins afresh, and succeeds when the server does.
    let (url, ranges) = serve(content(), vec![Mood::Good]);
    try_install(models.path(), &url, &content()).0.unwrap();
    assert!(ranges.lock().unwrap().is_empty());
}

#[test]
fn a_refusal_names_the_address_and_the_reason() {
    let models = tempfile::tempdir().unwrap();
    let (url, _) = serve(content(), vec![Mood::Absent]);
    let error = try_install(models.path(), &url, &content()).0.unwrap_err().to_string();
    assert!(error.contains(&url) && error.contains("404"), "{error}");
    // A port where nobody listens.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{port}/x.onnx");
    let error = try_install(models.path(), &url, &content()).0.unwrap_err().to_string();
    assert!(error.contains(&url) && error.contains("refused"), "{error}");
}
