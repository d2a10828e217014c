//! Sign-in at a real provider (npm `oidc-provider`, in a process of its own): both algorithms, with and without a secret. Where
//! Node is missing this says so and ends; `BERTILLON_REQUIRE_OIDC_TESTS=1`, which `make test` sets where npm is, turns that
//! into a failure.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use bertillon::casework::access::sso;

use super::rights::{Beside, me, user};
use super::server::Server;
use super::sso::{Begun, END, kind};

const REDIRECT: &str = "http://localhost:8470/api/v1/sso/end";
const SUBJECT: &str = "una-at-home";

/// The provider's process, which ends when its input does.
struct Provider {
    process: Child,
    /// Held, since it also says other things, and dies of it where nobody can hear them.
    _said: BufReader<ChildStdout>,
    issuer: String,
}

impl Drop for Provider {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Where the provider's packages are, installed by the versions and hashes of its lock file.
fn installed() -> Option<PathBuf> {
    let missing = |what: String| {
        assert!(std::env::var_os("BERTILLON_REQUIRE_OIDC_TESTS").is_none(), "{what}");
        eprintln!("SKIPPED: {what}");
        None
    };
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/oidc");
    let to = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oidc");
    fs_err::create_dir_all(&to).unwrap();
    // Tests are processes that may run at once.
    let lock = fs_err::OpenOptions::new().create(true).append(true).open(to.join("LOCK")).unwrap();
    lock.lock().unwrap();
    let same = |name: &str| fs_err::read(from.join(name)).ok() == fs_err::read(to.join(name)).ok();
    let whole = to.join("node_modules/oidc-provider/package.json").exists() && same("package-lock.json");
    for name in ["package.json", "package-lock.json", "server.js"] {
        fs_err::copy(from.join(name), to.join(name)).unwrap();
    }
    if !whole {
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&to);
        match npm.output() {
            Ok(output) if output.status.success() => {}
            Ok(output) => return missing(format!("npm ci: {}", String::from_utf8_lossy(&output.stderr))),
            Err(error) => return missing(format!("npm can't be run: {error}")),
        }
    }
    Some(to)
}

impl Provider {
    fn start(shown: &[&str]) -> Option<Self> {
        let folder = installed()?;
        let mut node = Command::new("node");
        node.arg("server.js").arg(REDIRECT).arg(SUBJECT).args(shown).current_dir(folder);
        node.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = node.spawn().expect("npm is here and node is not");
        let mut issuer = String::new();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        said.read_line(&mut issuer).unwrap();
        let issuer = issuer.trim().to_owned();
        assert!(issuer.starts_with("http://127.0.0.1:"), "the provider did not start: {issuer:?}");
        Some(Self { process, _said: said, issuer })
    }

    fn server(&self, client: &str, secret: Option<&Path>) -> Server {
        let (issuer, client, secret) = (self.issuer.clone(), client.to_owned(), secret.map(Path::to_owned));
        Server::start_with(move |settings| {
            settings.sso.issuer = Some(issuer);
            settings.sso.client_id = Some(client);
            settings.sso.client_secret_file = secret;
            settings.sso.redirect = Some(REDIRECT.to_owned());
        })
    }

    /// Goes where a browser is sent until it is sent back: what then stands behind the question mark.
    fn visit(&self, begun: &Begun) -> String {
        let config = ureq::Agent::config_builder().max_redirects(0).http_status_as_error(false);
        let agent: ureq::Agent = config.build().into();
        let (mut address, mut jar) = (begun.address.clone(), Vec::<(String, String)>::new());
        for _ in 0..8 {
            let cookies: Vec<String> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let mut answer = agent.get(&address).header("cookie", cookies.join("; ")).call().unwrap();
            for cookie in answer.headers().get_all("set-cookie") {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                jar.retain(|(name, _)| name != pair.0);
                jar.push((pair.0.to_owned(), pair.1.to_owned()));
            }
            let Some(next) = answer.headers().get("location") else {
                panic!("{address}: {} {}", answer.status(), answer.body_mut().read_to_string().unwrap());
            };
            let next = next.to_str().unwrap().to_owned();
            address = if next.starts_with('/') { format!("{}{next}", self.issuer) } else { next };
            if let Some(query) = address.strip_prefix(REDIRECT) {
                return query.trim_start_matches('?').to_owned();
            }
        }
        panic!("it is sent round and round: {address}")
    }
}

#[test]
fn a_real_provider_lets_in_whom_an_administrator_named_and_each_code_once() {
    let Some(provider) = Provider::start(&["pwd"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs_err::write(&secret, "a secret: with signs & blanks\n").unwrap();
    for (client, secret) in [("with-secret", Some(secret.as_path())), ("without-secret", None)] {
        let server = provider.server(client, secret);
        let beside = Beside::new(&server);
        beside.add("una", &["examiner"]);
        let begun = Begun::at(&server);
        let query = provider.visit(&begun);
        assert!(query.contains("&iss="), "{query}");
        let stranger = begun.back(&server, &query);
        assert_eq!((stranger.status, kind(&stranger).as_str()), (401, "sso-stranger"));
        let (me, una) = (me(), user("una"));
        beside.runtime.block_on(sso::link(&beside.desk, &me, &una, (&provider.issuer, SUBJECT))).unwrap();
        let again = begun.back(&server, &query);
        assert_eq!((again.status, kind(&again).as_str()), (401, "sso-refused"), "the code was used: {}", again.text());
        let begun = Begun::at(&server);
        let query = provider.visit(&begun);
        // Another's browser has nothing from the address alone.
        assert_eq!(server.get(&format!("{END}?{query}")).status, 401);
        let answer = begun.back(&server, &query);
        assert_eq!(answer.status, 201, "{client}: {}", answer.text());
        assert_eq!(answer.json()["name"], "una");
        assert_eq!((beside.newest().kind.as_str(), beside.newest().actor.as_str()), ("session.opened", "una"));
    }
}

#[test]
fn a_real_provider_is_held_to_second_factors_and_to_the_secret() {
    for (shown, status) in [(&["pwd"][..], 401), (&["pwd", "mfa"], 201)] {
        let Some(provider) = Provider::start(shown) else { return };
        let server = provider.server("without-secret", None);
        let beside = Beside::new(&server);
        beside.add("una", &["supervisor"]);
        let (me, una) = (me(), user("una"));
        beside.runtime.block_on(sso::link(&beside.desk, &me, &una, (&provider.issuer, SUBJECT))).unwrap();
        let begun = Begun::at(&server);
        let answer = begun.back(&server, &provider.visit(&begun));
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let Some(provider) = Provider::start(&["pwd"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs_err::write(&secret, "another secret").unwrap();
    let server = provider.server("with-secret", Some(&secret));
    let begun = Begun::at(&server);
    begun.back(&server, &provider.visit(&begun)).refused(503);
}
