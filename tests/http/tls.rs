//! Encrypted connections, by a client that trusts one certificate and no other.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bertillon::casework::Desk;
use bertillon::casework::access::passwords;
use bertillon::crypto::tokens::Secret;
use bertillon::gallery::Access;
use bertillon::http::{HttpError, serve_until};
use bertillon::settings::Settings;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::rights::{Beside, me, user};
use super::server::{PATIENCE, Server, settings};

/// A new certificate for localhost in the files of `folder`, as a client trusts it.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    fs_err::write(folder.join("server.pem"), made.cert.pem()).unwrap();
    fs_err::write(folder.join("server.key"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn with_certificate(folder: &Path) -> impl FnOnce(&mut Settings) {
    let of = |name: &str| -> Option<PathBuf> { Some(folder.join(name)) };
    let (certificate, key) = (of("server.pem"), of("server.key"));
    move |settings: &mut Settings| (settings.server.certificate, settings.server.certificate_key) = (certificate, key)
}

/// What a server answers to a request, to a client that trusts `trusted` alone; how the handshake failed, if it did.
fn ask(server: &Server, trusted: &CertificateDer<'static>, request: &str) -> Result<String, std::io::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let client =
        ClientConnection::new(Arc::new(config.with_no_client_auth()), "localhost".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut stream = StreamOwned::new(client, socket);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // Not every server says goodbye before it closes.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => return Err(error),
        Ok(_) | Err(_) => {}
    }
    Ok(String::from_utf8(answer).unwrap())
}

const HEALTH: &str = "GET /api/v1/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

fn healthy(server: &Server, trusted: &CertificateDer<'static>) -> bool {
    ask(server, trusted, HEALTH).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

fn hang_up() {
    let own = std::process::id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &own]).status().unwrap().success());
}

#[test]
fn connections_are_encrypted_by_a_certificate_that_can_be_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path());
    let server = Server::start_with(with_certificate(folder.path()));
    assert!(healthy(&server, &first));
    // Nothing is answered to who does not encrypt.
    let mut plain = TcpStream::connect(server.address).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(HEALTH.as_bytes()).unwrap();
    let mut answer = Vec::new();
    plain.read_to_end(&mut answer).ok();
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"), "{answer:?}");

    let second = certificate(folder.path());
    assert!(healthy(&server, &first) && !healthy(&server, &second), "files that nobody was told of count for nothing");
    hang_up();
    let begun = Instant::now();
    while !healthy(&server, &second) {
        assert!(begun.elapsed() < PATIENCE, "the new certificate never comes");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!healthy(&server, &first));
    // What can't be used changes nothing.
    fs_err::write(folder.path().join("server.key"), "no key").unwrap();
    hang_up();
    std::thread::sleep(Duration::from_millis(300));
    assert!(healthy(&server, &second));
}

#[test]
fn passwords_are_taken_over_encrypted_connections_and_their_cookies_go_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificate(folder.path());
    let server = Server::start_with(with_certificate(folder.path()));
    let beside = Beside::new(&server);
    beside.add("xena", &["examiner"]);
    let password = Secret::new("correct horse battery".to_owned());
    beside.runtime.block_on(passwords::set(&beside.desk, &me(), &user("xena"), password)).unwrap();
    let body = r#"{"name": "xena", "password": "correct horse battery"}"#;
    let length = body.len();
    let request = format!(
        "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\n\r\n{body}"
    );
    let answer = ask(&server, &trusted, &request).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    let cookie = answer.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie")).unwrap();
    assert!(cookie.contains("; Secure") && cookie.contains("HttpOnly"), "{cookie}");
}

/// How a server ends that can't be started.
fn failure(change: impl FnOnce(&mut Settings)) -> HttpError {
    let data = tempfile::tempdir().unwrap();
    let mut settings = settings(data.path());
    change(&mut settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = Arc::new(Desk::open(settings, Access::Writer).await.unwrap());
        serve_until(desk, |_| (), std::future::ready(())).await.unwrap_err()
    })
}

#[test]
fn a_server_that_can_be_reached_from_other_machines_does_not_start_without() {
    let open = |settings: &mut Settings| settings.server.bind = "0.0.0.0".parse().unwrap();
    let refused = failure(open);
    assert!(matches!(refused, HttpError::Unencrypted(_)) && refused.to_string().contains("behind_proxy"), "{refused}");
    let behind = Server::start_with(|settings| {
        open(settings);
        settings.server.behind_proxy = true;
    });
    drop(behind);
    let folder = tempfile::tempdir().unwrap();
    certificate(folder.path());
    let half = failure(|settings| settings.server.certificate = Some(folder.path().join("server.pem")));
    assert!(matches!(half, HttpError::HalfACertificate));
    // The key of another certificate.
    let certificate_text = fs_err::read(folder.path().join("server.pem")).unwrap();
    certificate(folder.path());
    fs_err::write(folder.path().join("server.pem"), certificate_text).unwrap();
    let unfit = failure(with_certificate(folder.path())).to_string();
    assert!(unfit.contains("can't be used together"), "{unfit}");
    for (file, text) in [("server.pem", "no certificate".to_owned()), ("server.key", "x".repeat(300_000))] {
        certificate(folder.path());
        fs_err::write(folder.path().join(file), text).unwrap();
        let wrong = failure(with_certificate(folder.path())).to_string();
        assert!(wrong.contains(file) && !wrong.contains("xxx"), "{wrong}");
    }
}
