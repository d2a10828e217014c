//! Sign-in at a provider, with a provider of this test that says whatever it is told to: what a browser carries, which tokens
//! count, and who comes in. tests/http/oidc.rs has a real one.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bertillon::audit::Outcome;
use bertillon::base::limits::UNKNOWN_AT_ONCE_MAX;
use bertillon::casework::access::{sso, users};
use bertillon::records::UserState;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::rights::{Beside, me, user};
use super::server::{Answer, Server};

pub(super) const BEGIN: &str = "/api/v1/sso/begin";
pub(super) const END: &str = "/api/v1/sso/end";
const SUBJECT: &str = "una-at-home";
const CLIENT: &str = "bertillon";

/// A key of the provider.
struct Key {
    name: &'static str,
    pair: EcdsaKeyPair,
}

impl Key {
    fn new(name: &'static str) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self {
            name,
            pair: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap(),
        }
    }

    fn published(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(32);
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.name, "x": text(x), "y": text(y) })
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    /// As this provider signs.
    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "ES256", "kid": self.name }), claims)
    }
}

/// What the provider says when asked.
#[derive(Default)]
struct Said {
    configuration: Value,
    keys: Value,
    token: (u16, String),
    asked: Vec<(String, String)>,
}

/// A provider on this machine; its thread ends with the process.
struct Provider {
    address: SocketAddr,
    said: Arc<Mutex<Said>>,
}

impl Provider {
    fn start(keys: &[&Key]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let own = format!("http://{address}");
        let configuration = json!({
            "issuer": own, "authorization_endpoint": format!("{own}/authorize?tenant=1"),
            "token_endpoint": format!("{own}/token"), "jwks_uri": format!("{own}/keys"),
        });
        let said = Arc::new(Mutex::new(Said { configuration, ..Said::default() }));
        let provider = Self { address, said: Arc::clone(&said) };
        provider.publish(keys);
        std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream, &said)));
        provider
    }

    fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    fn publish(&self, keys: &[&Key]) {
        self.said.lock().unwrap().keys = json!({ "keys": keys.iter().map(|key| key.published()).collect::<Vec<_>>() });
    }

    fn says(&self, token: &str) {
        self.said.lock().unwrap().token = (200, json!({ "id_token": token, "token_type": "Bearer" }).to_string());
    }

    /// How often it was asked for something.
    fn asked(&self, path: &str) -> usize {
        self.said.lock().unwrap().asked.iter().filter(|(asked, _)| asked == path).count()
    }

    fn server(&self) -> Server {
        let issuer = self.issuer();
        Server::start_with(move |settings| {
            settings.sso.issuer = Some(issuer);
            settings.sso.client_id = Some(CLIENT.to_owned());
            settings.sso.redirect = Some(format!("http://localhost:8470{END}"));
        })
    }
}

fn answer(stream: TcpStream, said: &Mutex<Said>) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap_or(0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
            break;
        }
        if let Some(count) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = count.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut said = said.lock().unwrap();
    said.asked.push((path.clone(), String::from_utf8(body).unwrap()));
    let (status, text) = match path.as_str() {
        "/.well-known/openid-configuration" => (200, said.configuration.to_string()),
        "/keys" => (200, said.keys.to_string()),
        "/token" => said.token.clone(),
        _other => (404, "{}".to_owned()),
    };
    let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", text.len());
    // Who has enough hangs up.
    let _ = reader.get_mut().write_all((head + &text).as_bytes());
}

/// A sign-in that a browser has begun.
pub(super) struct Begun {
    pub(super) address: String,
    cookie: String,
}

impl Begun {
    pub(super) fn at(server: &Server) -> Self {
        let answer = server.get(BEGIN);
        assert_eq!(answer.status, 303, "{}", answer.text());
        let cookie = answer.header("set-cookie").unwrap();
        assert!(cookie.contains("; HttpOnly; SameSite=Lax") && cookie.contains("; Path=/api/v1/sso;"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self { address: answer.header("location").unwrap().to_owned(), cookie }
    }

    pub(super) fn part(&self, name: &str) -> String {
        let query = self.address.split_once('?').unwrap().1;
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_else(|| panic!("{name}: {query}")).to_owned()
    }

    /// Comes back with an address that ends so.
    pub(super) fn back(&self, server: &Server, query: &str) -> Answer {
        server.send("GET", &format!("{END}?{query}"), &[("cookie", &self.cookie)], None)
    }

    fn end(&self, server: &Server) -> Answer {
        self.back(server, &format!("code=c0de&state={}", self.part("state")))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn claims(provider: &Provider, begun: &Begun) -> Value {
    json!({
        "iss": provider.issuer(), "sub": SUBJECT, "aud": CLIENT, "exp": now() + 300, "iat": now(), "nonce": begun.part("nonce"),
    })
}

pub(super) fn kind(answer: &Answer) -> String {
    answer.json()["type"].as_str().unwrap().replace("urn:bertillon:problem:", "")
}

/// Una is an examiner, and known to the provider.
fn with_una(server: &Server, provider: &Provider) -> Beside {
    let beside = Beside::new(server);
    beside.add("una", &["examiner"]);
    let issuer = provider.issuer();
    beside.runtime.block_on(sso::link(&beside.desk, &LINKER, &UNA, (&issuer, SUBJECT))).unwrap();
    beside
}

static LINKER: std::sync::LazyLock<bertillon::audit::Caller> = std::sync::LazyLock::new(me);
static UNA: std::sync::LazyLock<bertillon::base::ids::UserName> = std::sync::LazyLock::new(|| user("una"));

#[test]
fn who_comes_back_from_the_provider_has_the_session_that_a_password_opens() {
    let key = Key::new("one");
    let provider = Provider::start(&[&key]);
    let server = provider.server();
    let beside = with_una(&server, &provider);
    let begun = Begun::at(&server);
    assert_eq!(beside.newest().kind, "sso.begun");
    assert_eq!((begun.part("tenant").as_str(), begun.part("scope").as_str()), ("1", "openid"));
    assert_eq!((begun.part("response_type").as_str(), begun.part("code_challenge_method").as_str()), ("code", "S256"));
    assert_eq!(begun.part("redirect_uri"), "http%3A%2F%2Flocalhost%3A8470%2Fapi%2Fv1%2Fsso%2Fend");
    provider.says(&key.token(&claims(&provider, &begun)));
    let answer = begun.end(&server);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let event = beside.newest();
    assert_eq!((event.kind.as_str(), event.actor.as_str(), event.outcome), ("session.opened", "una", Outcome::Ok));
    assert_eq!(serde_json::to_value(&event.detail).unwrap()["by"], "provider");
    assert!(!event.body().unwrap().contains(SUBJECT));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("bertillon=") && cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let shown = server.send("GET", "/api/v1/session", &[("cookie", cookie)], None).good();
    assert_eq!((&shown["name"], &shown["roles"]), (&"una".into(), &json!(["examiner"])));
    // What was shown with the code hashes to what was shown before it (PKCE).
    let form = provider.said.lock().unwrap().asked.iter().find(|(path, _)| path == "/token").unwrap().1.clone();
    let verifier = form.split("code_verifier=").nth(1).unwrap().to_owned();
    assert_eq!(bertillon::crypto::tokens::challenge(&verifier), begun.part("code_challenge"));
    assert!(form.contains("code=c0de&") && form.contains("client_id=bertillon"), "{form}");
    // It is asked for its keys once, not for each sign-in.
    let again = Begun::at(&server);
    provider.says(&key.token(&claims(&provider, &again)));
    assert_eq!(again.end(&server).status, 201);
    assert_eq!((provider.asked("/keys"), provider.asked("/token")), (1, 2));
}

/// A house behind one address: each sign-in asks twice before anybody knows who it is.
#[test]
fn sign_ins_that_end_in_a_session_stop_nobody_else() {
    let key = Key::new("one");
    let provider = Provider::start(&[&key]);
    let server = provider.server();
    let _beside = with_una(&server, &provider);
    for _ in 0..UNKNOWN_AT_ONCE_MAX {
        let begun = Begun::at(&server);
        provider.says(&key.token(&claims(&provider, &begun)));
        assert_eq!(begun.end(&server).status, 201);
    }
    // Those that don't are counted, so that strangers can't fill the log.
    let begun = (0..4 * UNKNOWN_AT_ONCE_MAX).map(|_| server.get(BEGIN).status);
    assert!(begun.into_iter().any(|status| status == 429));
}

/// Tokens for a sign-in that are signed by nobody, by somebody else, or otherwise than it is allowed.
fn signed_wrongly(provider: &Provider, key: &Key, begun: &Begun) -> Vec<(&'static str, String)> {
    let claims = claims(provider, begun);
    let good = key.token(&claims);
    let parts: Vec<&str> = good.split('.').collect();
    let text = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = |alg: &str| json!({ "alg": alg, "kid": "one" });
    let hmac = {
        let signed = format!("{}.{}", text(&header("HS256")), text(&claims));
        let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.pair.public_key().as_ref());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(ring::hmac::sign(&secret, signed.as_bytes()).as_ref()))
    };
    let mut changed = claims.clone();
    changed["sub"] = "somebody-else".into();
    let critical = json!({ "alg": "ES256", "kid": "one", "crit": ["x"], "x": 1 });
    vec![
        ("signed by nobody", format!("{}.{}.", text(&header("none")), text(&claims))),
        ("said to be signed by nobody", key.sign(&header("none"), &claims)),
        ("said to be HMAC", hmac),
        ("said to be RSA", key.sign(&header("RS256"), &claims)),
        ("by another key of that name", Key::new("one").token(&claims)),
        ("by a key of another name", key.sign(&json!({ "alg": "ES256", "kid": "two" }), &claims)),
        ("with parts that must be understood", key.sign(&critical, &claims)),
        ("changed", format!("{}.{}.{}", parts[0], text(&changed), parts[2])),
        ("cut off", good[..good.len() - 1].to_owned()),
        ("nothing", String::new()),
    ]
}

/// Tokens of the provider's own that say something else than they must for a sign-in.
fn said_wrongly(provider: &Provider, key: &Key, begun: &Begun) -> Vec<(&'static str, String)> {
    let with = |name: &str, value: Value| {
        let mut claims = claims(provider, begun);
        claims[name] = value;
        key.token(&claims)
    };
    vec![
        ("of another issuer", with("iss", "https://evil.example".into())),
        ("for another client", with("aud", "another".into())),
        ("for two clients", with("aud", json!([CLIENT, "another"]))),
        ("asked for by another", with("azp", "another".into())),
        ("over", with("exp", (now() - 61).into())),
        ("of later", with("iat", (now() + 120).into())),
        ("of long ago", with("iat", (now() - 700).into())),
        ("of another sign-in", with("nonce", begun.part("state").into())),
        ("of no sign-in", with("nonce", Value::Null)),
        ("about nobody", with("sub", "".into())),
        ("too long", with("filler", "x".repeat(20_000).into())),
    ]
}

#[test]
fn forged_tokens_open_nothing() {
    let key = Key::new("one");
    let provider = Provider::start(&[&key]);
    let server = provider.server();
    let beside = with_una(&server, &provider);
    let forged = |begun: &Begun| {
        let mut all = signed_wrongly(&provider, &key, begun);
        all.extend(said_wrongly(&provider, &key, begun));
        all
    };
    let count = forged(&Begun::at(&server)).len();
    assert_eq!(count, 21);
    for turn in 0..count {
        let begun = Begun::at(&server);
        let (what, token) = forged(&begun).swap_remove(turn);
        provider.says(&token);
        let answer = begun.end(&server);
        let detail = answer.refused(401);
        assert_eq!((kind(&answer).as_str(), answer.header("set-cookie")), ("sso-refused", None), "{what}: {detail}");
        let event = beside.newest();
        assert_eq!(
            (event.kind.as_str(), event.actor.as_str(), event.outcome),
            ("session.opened", "not signed in", Outcome::Refused)
        );
    }
    let begun = Begun::at(&server);
    provider.says(&key.token(&claims(&provider, &begun)));
    assert_eq!(begun.end(&server).status, 201, "the provider is as it was");
}

#[test]
fn a_sign_in_ends_in_the_browser_that_began_it_and_for_users_only() {
    let key = Key::new("one");
    let provider = Provider::start(&[&key]);
    let server = provider.server();
    let beside = with_una(&server, &provider);
    let (one, other) = (Begun::at(&server), Begun::at(&server));
    let begun_with = |begun: &Begun| provider.says(&key.token(&claims(&provider, begun)));
    begun_with(&one);
    // Nobody is signed in as somebody else by a link.
    let foreign = server.get(&format!("{END}?code=c0de&state={}", one.part("state")));
    assert_eq!((foreign.status, kind(&foreign).as_str()), (401, "sso-refused"));
    for query in [
        format!("code=c0de&state={}", other.part("state")),
        "code=c0de&state=".to_owned(),
        "code=c0de".to_owned(),
        format!("state={}", one.part("state")),
        format!("code=&state={}", one.part("state")),
        format!("code=c0de&state={}&error=access_denied", one.part("state")),
        format!("code=c0de&state={}&iss=https%3A%2F%2Fevil.example", one.part("state")),
        String::new(),
    ] {
        let answer = one.back(&server, &query);
        assert_eq!((answer.status, kind(&answer).as_str()), (401, "sso-refused"), "{query}");
    }
    assert_eq!(provider.asked("/token"), 0, "none of these is worth a question");
    // Whom the provider knows and nobody here, whoever is locked, and whose role takes more, stays out.
    let change = |state| beside.runtime.block_on(users::set_state(&beside.desk, &LINKER, &UNA, state)).unwrap();
    let mut stranger = claims(&provider, &one);
    stranger["sub"] = "una-at-home ".into();
    provider.says(&key.token(&stranger));
    assert_eq!(kind(&one.end(&server)), "sso-stranger");
    begun_with(&one);
    change(UserState::Locked);
    assert_eq!(kind(&one.end(&server)), "sso-stranger");
    change(UserState::Active);
    let (taken, given) = (["examiner".parse().unwrap()], ["supervisor".parse().unwrap()]);
    beside.runtime.block_on(users::change_roles(&beside.desk, &LINKER, &UNA, (&taken, &given))).unwrap();
    assert_eq!(kind(&one.end(&server)), "no-second-factor");
    let mut shown = claims(&provider, &one);
    shown["amr"] = json!(["pwd", "mfa"]);
    provider.says(&key.token(&shown));
    let answer = one.end(&server);
    assert_eq!(answer.status, 201, "{}", answer.text());
    // Who is not who they are any more is in no session either.
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let issuer = provider.issuer();
    beside.runtime.block_on(sso::unlink(&beside.desk, &LINKER, &UNA, (&issuer, SUBJECT))).unwrap();
    assert_eq!(beside.newest().kind, "user.identity_unlinked");
    server.send("GET", "/api/v1/session", &[("cookie", &cookie)], None).refused(401);
    assert_eq!(kind(&one.end(&server)), "sso-stranger");
}

#[test]
fn new_keys_are_looked_for_once_and_what_is_no_provider_is_not_believed() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let provider = Provider::start(&[&old]);
    let server = provider.server();
    let _beside = with_una(&server, &provider);
    let come = |key: &Key| {
        let begun = Begun::at(&server);
        provider.says(&key.token(&claims(&provider, &begun)));
        begun.end(&server)
    };
    assert_eq!(come(&old).status, 201);
    provider.publish(&[&new]);
    assert_eq!(come(&new).status, 201);
    assert_eq!(provider.asked("/keys"), 2);
    assert_eq!(come(&old).status, 401, "it is published no more");
    assert_eq!(come(&Key::new("made up")).status, 401);
    assert_eq!(provider.asked("/keys"), 2, "made up names make nobody ask again and again");
    // Codes that count no more are the browser's fault, everything else the provider's.
    for (status, said, wanted) in [
        (400, r#"{"error":"invalid_grant"}"#.to_owned(), 401),
        (401, r#"{"error":"invalid_client"}"#.to_owned(), 503),
        (200, "no JSON".to_owned(), 503),
        (302, "{}".to_owned(), 503),
        (200, json!({ "id_token": "x".repeat(70_000) }).to_string(), 503),
    ] {
        provider.said.lock().unwrap().token = (status, said);
        let begun = Begun::at(&server);
        begun.end(&server).refused(wanted);
    }
    // Another name, ways that are not encrypted, a page without end, and silence.
    let good = provider.said.lock().unwrap().configuration.clone();
    for (name, value) in [
        ("issuer", json!("https://id.example")),
        ("authorization_endpoint", json!("http://id.example/authorize")),
        ("jwks_uri", json!("http://id.example/keys")),
        ("jwks_uri", Value::Null),
        ("filler", json!("x".repeat(70_000))),
    ] {
        let server = provider.server();
        let mut said = good.clone();
        said[name] = value;
        provider.said.lock().unwrap().configuration = said;
        server.get(BEGIN).refused(503);
        let asked = provider.asked("/.well-known/openid-configuration");
        server.get(BEGIN).refused(503);
        assert_eq!(provider.asked("/.well-known/openid-configuration"), asked, "it is left alone for a while");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let gone = Provider { address, said: Arc::default() };
    gone.server().get(BEGIN).refused(503);
}

#[test]
fn without_a_provider_nobody_is_sent_anywhere_and_identities_are_of_one_user() {
    let server = Server::start();
    assert_eq!(kind(&server.get(BEGIN)), "no-sso");
    assert_eq!(kind(&server.get(&format!("{END}?code=a&state=b"))), "no-sso");
    let beside = Beside::new(&server);
    beside.add("una", &["examiner"]);
    beside.add("bob", &["examiner"]);
    let link = |name: &str, issuer: &str, subject: &str| {
        let name = user(name);
        let link = sso::link(&beside.desk, &LINKER, &name, (issuer, subject));
        beside.runtime.block_on(link).map_err(|error| error.to_string())
    };
    link("una", "https://id.example", "7").unwrap();
    link("una", "https://id.example", "7").unwrap();
    assert!(link("bob", "https://id.example", "7").unwrap_err().contains("another user's"));
    link("bob", "https://id.example", "8").unwrap();
    link("bob", "https://other.example", "7").unwrap();
    for (issuer, subject) in
        [("", "9"), ("https://id.example", ""), ("https://id example", "9"), ("https://id.example", "é")]
    {
        assert!(link("bob", issuer, subject).is_err(), "{issuer} {subject}");
    }
    for count in 2..8 {
        link("bob", "https://id.example", &format!("b{count}")).unwrap();
    }
    assert!(link("bob", "https://id.example", "one more").unwrap_err().contains("at most"));
    let list = |name: &str| beside.runtime.block_on(sso::list(&beside.desk, &LINKER, &user(name))).unwrap();
    assert_eq!((list("una").len(), list("bob").len()), (1, 8));
    // Whoever leaves is nobody there either, and another may be who they were.
    beside.runtime.block_on(users::set_state(&beside.desk, &LINKER, &user("una"), UserState::Left)).unwrap();
    assert_eq!(list("una"), []);
    assert!(link("una", "https://id.example", "7").is_err());
}
