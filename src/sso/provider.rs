//! One provider: what it says of itself, where it sends browsers back with a code, and what the code is worth. Blocking: callers
//! have a thread for it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fs_err as fs;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::base::limits::{SSO_AGAIN_S, SSO_CODE_BYTES_MAX, SSO_FRESH_S, SSO_REST_S, SSO_SECRET_BYTES_MAX};
use crate::crypto::SecretKey;
use crate::crypto::jws::{self, JwsError, PublicJwk};
use crate::crypto::tokens::{self, Secret};
use crate::settings::sections::Sso;
use crate::sso::claims::{self, Expected, Person};
use crate::sso::wire::{Wire, check_address, encoded};
use crate::sso::{Pass, SsoError};

const CONFIGURATION: &str = "configuration";
const KEYS: &str = "keys";
const TOKEN: &str = "answer to a code";
/// Where browsers come back to: the end of the address in the settings.
pub const END: &str = "/api/v1/sso/end";

/// The provider of the settings. Prints without its secret, which is not in here.
#[derive(Debug)]
pub struct Provider {
    issuer: String,
    client: String,
    secret: Option<PathBuf>,
    redirect: String,
    trusts_second_factor: bool,
    wire: Wire,
    /// Seals what browsers carry; of this process, so that a sign-in that outlives it is begun again.
    key: SecretKey,
    known: Mutex<Known>,
}

/// What is known of the provider.
#[derive(Debug, Default)]
struct Known {
    found: Option<(Arc<Found>, Instant)>,
    /// When its keys were asked for out of turn.
    again: Option<Instant>,
    /// When it did not answer.
    failed: Option<Instant>,
}

#[derive(Debug)]
struct Found {
    metadata: Metadata,
    keys: Vec<PublicJwk>,
}

/// What a provider says of itself (OpenID Connect Discovery, 3), as far as it is used.
#[derive(Debug, Clone, Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct Tokens {
    id_token: String,
}

#[derive(Deserialize)]
struct Refused {
    error: String,
}

/// What a browser brings at the end of a sign-in.
#[derive(Debug)]
pub struct Brought {
    /// What the provider gave it.
    pub code: Secret,
    /// What it was sent with.
    pub state: String,
    /// Who says so, where that is said (RFC 9207).
    pub issuer: Option<String>,
    /// The sealed pass, from its cookie.
    pub pass: String,
}

impl Provider {
    /// The provider of the settings; `None` where they name none. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`SsoError::Setting`].
    pub fn of(settings: &Sso) -> Result<Option<Self>, SsoError> {
        let Sso { issuer, client_id, client_secret_file, redirect, authorities, trusts_second_factor } = settings;
        let Some(issuer) = issuer else { return Ok(None) };
        let setting = |name: &str, reason: String| SsoError::Setting(format!("sso.{name}: {reason}"));
        let encrypted = check_address(issuer).map_err(|reason| setting("issuer", reason))?;
        let wanted = |name: &str| setting(name, "it goes with sso.issuer: give both".to_owned());
        let client = client_id.clone().filter(|client| !client.is_empty()).ok_or_else(|| wanted("client_id"))?;
        let redirect = redirect.clone().ok_or_else(|| wanted("redirect"))?;
        check_address(&redirect).map_err(|reason| setting("redirect", reason))?;
        if !redirect.ends_with(END) {
            return Err(setting("redirect", format!("it is this server's address and {END}")));
        }
        if let Some(path) = client_secret_file {
            read_secret(path)?;
        }
        Ok(Some(Self {
            issuer: issuer.clone(),
            client,
            secret: client_secret_file.clone(),
            redirect,
            trusts_second_factor: *trusts_second_factor,
            wire: Wire::new(authorities.as_deref(), encrypted)?,
            key: SecretKey::random()?,
            known: Mutex::default(),
        }))
    }

    /// As its tokens name it.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Begins a sign-in: where the browser is to go, and what it carries meanwhile.
    ///
    /// # Errors
    /// [`SsoError::Provider`].
    pub fn begin(&self, now_s: u64) -> Result<(String, Secret), SsoError> {
        let found = self.found()?;
        let pass = Pass::new(now_s)?;
        let base = &found.metadata.authorization_endpoint;
        let joint = if base.contains('?') { '&' } else { '?' };
        let address = format!(
            "{base}{joint}response_type=code&scope=openid&client_id={}&redirect_uri={}&state={}&nonce={}&code_challenge={}&code_challenge_method=S256",
            encoded(&self.client),
            encoded(&self.redirect),
            pass.state.reveal(),
            pass.nonce.reveal(),
            tokens::challenge(pass.verifier.reveal()),
        );
        Ok((address, pass.seal(&self.key)?))
    }

    /// Who a browser is of that comes back.
    ///
    /// # Errors
    /// [`SsoError`].
    pub fn end(&self, brought: &Brought, now_s: u64) -> Result<Person, SsoError> {
        let Brought { code, state, issuer, pass } = brought;
        let pass = Pass::open(&self.key, pass, state, now_s)?;
        if issuer.as_ref().is_some_and(|issuer| *issuer != self.issuer) {
            return Err(SsoError::Pass);
        }
        if code.reveal().is_empty() || code.reveal().len() > SSO_CODE_BYTES_MAX {
            return Err(SsoError::Code);
        }
        let found = self.found()?;
        let token = self.exchange(&found.metadata, code, &pass)?;
        let said = match jws::verify(&token, &found.keys) {
            Err(JwsError::NoKey) => jws::verify(&token, &self.keys_again()?.keys)?,
            said => said?,
        };
        let expected = Expected { issuer: &self.issuer, client: &self.client, nonce: pass.nonce.reveal(), now_s };
        let person = claims::check(&said, &expected)?;
        Ok(Person { second_factor: person.second_factor || self.trusts_second_factor, ..person })
    }

    /// The token that a code is worth.
    fn exchange(&self, metadata: &Metadata, code: &Secret, pass: &Pass) -> Result<String, SsoError> {
        let login = self.secret.as_deref().map(read_secret).transpose()?;
        let login = login.map(|secret| tokens::basic(&encoded(&self.client), &encoded(secret.reveal())));
        let form = Secret::new(format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&client_id={}&code_verifier={}",
            encoded(code.reveal()),
            encoded(&self.redirect),
            encoded(&self.client),
            pass.verifier.reveal(),
        ));
        let (status, body) = self.wire.post(TOKEN, &metadata.token_endpoint, login.as_ref(), &form)?;
        if status == 200 {
            return Ok(json::<Tokens>(TOKEN, &body)?.id_token);
        }
        let word = json::<Refused>(TOKEN, &body).map(|refused| refused.error).unwrap_or_default();
        match word.as_str() {
            "invalid_grant" => Err(SsoError::Code),
            word => {
                let plain: String =
                    word.chars().filter(|letter| letter.is_ascii_lowercase() || *letter == '_').take(40).collect();
                Err(SsoError::Provider { what: TOKEN, reason: format!("status {status} {plain}") })
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the provider, asked for where that is not known or old. Who comes meanwhile waits for the answer.
    fn found(&self) -> Result<Arc<Found>, SsoError> {
        let mut known = self.known();
        if let Some((found, at)) = &known.found
            && at.elapsed() < Duration::from_secs(SSO_FRESH_S)
        {
            return Ok(Arc::clone(found));
        }
        if known.failed.is_some_and(|at| at.elapsed() < Duration::from_secs(SSO_REST_S)) {
            return Err(SsoError::Provider {
                what: CONFIGURATION,
                reason: "it did not answer a moment ago".to_owned(),
            });
        }
        let found = self.ask().map(Arc::new).inspect_err(|_| known.failed = Some(Instant::now()))?;
        known.found = Some((Arc::clone(&found), Instant::now()));
        Ok(found)
    }

    /// The same with keys of now: it may have new ones. Not more often than each [`SSO_AGAIN_S`] seconds, whatever tokens name.
    fn keys_again(&self) -> Result<Arc<Found>, SsoError> {
        let mut known = self.known();
        if known.again.is_some_and(|at| at.elapsed() < Duration::from_secs(SSO_AGAIN_S)) {
            drop(known);
            return self.found();
        }
        known.again = Some(Instant::now());
        let found = Arc::new(self.ask()?);
        known.found = Some((Arc::clone(&found), Instant::now()));
        Ok(found)
    }

    fn ask(&self) -> Result<Found, SsoError> {
        let address = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let metadata: Metadata = json(CONFIGURATION, &self.wire.get(CONFIGURATION, &address)?)?;
        if metadata.issuer != self.issuer {
            let reason = "it names another issuer than sso.issuer, which must be the same to the letter".to_owned();
            return Err(SsoError::Provider { what: CONFIGURATION, reason });
        }
        let fit = check_address(&metadata.authorization_endpoint);
        fit.map_err(|reason| SsoError::Provider { what: CONFIGURATION, reason })?;
        let keys = PublicJwk::all(&self.wire.get(KEYS, &metadata.jwks_uri)?);
        let keys = keys.ok_or_else(|| SsoError::Provider { what: KEYS, reason: "no set of keys".to_owned() })?;
        Ok(Found { metadata, keys })
    }
}

fn json<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, SsoError> {
    // What came may have a token in it, so that nothing of it is told.
    serde_json::from_slice(body)
        .map_err(|_| SsoError::Provider { what, reason: "not what a provider answers".to_owned() })
}

/// The first line of the secret's file, read anew each time: it can be changed without a stop.
fn read_secret(path: &Path) -> Result<Secret, SsoError> {
    let setting = |reason: String| SsoError::Setting(format!("sso.client_secret_file, {}: {reason}", path.display()));
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| setting(error.to_string()))?;
    file.take(SSO_SECRET_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| setting(error.to_string()))?;
    match text.lines().next().map(str::trim) {
        Some(line) if !line.is_empty() && text.len() as u64 <= SSO_SECRET_BYTES_MAX => Ok(Secret::new(line.to_owned())),
        Some(_) | None => {
            Err(setting(format!("its first line is the secret, in at most {SSO_SECRET_BYTES_MAX} bytes")))
        }
    }
}
