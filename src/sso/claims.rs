//! What a token says about somebody, and whether it says it to us, now, and about this sign-in (OpenID Connect Core, 3.1.3.7).

use serde::Deserialize;

use crate::base::limits::SSO_SUBJECT_BYTES_MAX;
use crate::crypto::tokens;

/// Seconds by which the provider's clock and ours may differ.
const SKEW_S: f64 = 60.0;
/// Seconds for which a token is new: it was made for the code that it came for.
const NEW_S: f64 = 600.0;

/// What a token must say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The provider.
    pub issuer: &'a str,
    /// What we are to it.
    pub client: &'a str,
    /// What was asked with.
    pub nonce: &'a str,
    /// The moment, in seconds since 1970.
    pub now_s: u64,
}

/// Who somebody is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The provider's name for them, which never changes and is of nobody else.
    pub subject: String,
    /// Whether the token says that they showed more than one factor (`amr` has `mfa`, RFC 8176).
    pub second_factor: bool,
}

/// What is wrong with what a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not what tokens say.
    #[error("it does not say what such a token says")]
    Form,
    /// Another provider's.
    #[error("it is of another issuer")]
    Issuer,
    /// For somebody else.
    #[error("it is for another client")]
    Audience,
    /// For several, and not said that we asked.
    #[error("it is for several clients, and does not say that this one asked for it")]
    Party,
    /// Too old.
    #[error("its time is over")]
    Expired,
    /// Of later, or of long ago.
    #[error("it was not made just now: do the clocks of the provider and of this machine agree?")]
    Moment,
    /// Of another sign-in.
    #[error("it is of another sign-in")]
    Nonce,
    /// Nobody's.
    #[error("it names nobody")]
    Subject,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    azp: Option<String>,
    exp: f64,
    iat: f64,
    nonce: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Who the token is about, if it counts.
///
/// # Errors
/// [`Fault`], the first there is.
pub fn check(said: &[u8], expected: &Expected<'_>) -> Result<Person, Fault> {
    let claims: Claims = serde_json::from_slice(said).map_err(|_| Fault::Form)?;
    let Expected { issuer, client, nonce, now_s } = *expected;
    if claims.iss != issuer {
        return Err(Fault::Issuer);
    }
    check_audience(&claims, client)?;
    let now = now_s as f64;
    if claims.exp <= now - SKEW_S {
        return Err(Fault::Expired);
    }
    if !(now - NEW_S..=now + SKEW_S).contains(&claims.iat) {
        return Err(Fault::Moment);
    }
    let theirs = claims.nonce.as_deref().unwrap_or_default();
    if !tokens::same(theirs.as_bytes(), nonce.as_bytes()) {
        return Err(Fault::Nonce);
    }
    if !is_subject(&claims.sub) {
        return Err(Fault::Subject);
    }
    let second_factor = claims.amr.iter().any(|shown| shown == "mfa");
    Ok(Person { subject: claims.sub, second_factor })
}

fn check_audience(claims: &Claims, client: &str) -> Result<(), Fault> {
    let (ours, several) = match &claims.aud {
        Audience::One(one) => (one == client, false),
        Audience::Many(many) => (many.iter().any(|one| one == client), many.len() > 1),
    };
    if !ours {
        return Err(Fault::Audience);
    }
    match claims.azp.as_deref() {
        Some(party) if party == client => Ok(()),
        None if !several => Ok(()),
        Some(_) | None => Err(Fault::Party),
    }
}

/// Whether a text can name somebody at a provider: 1 to 255 visible characters of ASCII.
#[must_use]
pub fn is_subject(text: &str) -> bool {
    (1..=SSO_SUBJECT_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_795_305_600;

    fn expected() -> Expected<'static> {
        Expected { issuer: "https://id.example", client: "bertillon", nonce: "n-1", now_s: NOW }
    }

    fn good() -> Value {
        json!({
            "iss": "https://id.example", "sub": "u-17", "aud": "bertillon", "exp": NOW + 300, "iat": NOW, "nonce": "n-1",
        })
    }

    fn with(name: &str, value: Value) -> Result<Person, Fault> {
        let mut claims = good();
        claims[name] = value;
        check(claims.to_string().as_bytes(), &expected())
    }

    #[test]
    fn a_token_counts_that_is_of_this_provider_for_us_now_and_of_this_sign_in() {
        let person = Person { subject: "u-17".to_owned(), second_factor: false };
        assert_eq!(with("aud", json!(["bertillon"])), Ok(person.clone()));
        assert_eq!(with("azp", json!("bertillon")), Ok(person.clone()));
        assert_eq!(with("amr", json!(["pwd", "mfa"])), Ok(Person { second_factor: true, ..person.clone() }));
        assert_eq!(with("amr", json!(["pwd"])), Ok(person));
        let faults = [
            ("iss", json!("https://id.example/"), Fault::Issuer),
            ("iss", json!("https://evil.example"), Fault::Issuer),
            ("aud", json!("another"), Fault::Audience),
            ("aud", json!([]), Fault::Audience),
            ("aud", json!(["another", "bertillon"]), Fault::Party),
            ("azp", json!("another"), Fault::Party),
            ("exp", json!(NOW - 60), Fault::Expired),
            ("iat", json!(NOW + 61), Fault::Moment),
            ("iat", json!(NOW - 601), Fault::Moment),
            ("nonce", json!("n-2"), Fault::Nonce),
            ("nonce", Value::Null, Fault::Nonce),
            ("nonce", json!(""), Fault::Nonce),
            ("sub", json!(""), Fault::Subject),
            ("sub", json!("x".repeat(256)), Fault::Subject),
            ("sub", json!("a\nb"), Fault::Subject),
            ("exp", json!("soon"), Fault::Form),
            ("sub", json!(17), Fault::Form),
        ];
        for (name, value, fault) in faults {
            assert_eq!(with(name, value.clone()), Err(fault), "{name}: {value}");
        }
        let many = json!({
            "iss": "https://id.example", "sub": "u-17", "aud": ["another", "bertillon"], "azp": "bertillon",
            "exp": NOW, "iat": NOW, "nonce": "n-1",
        });
        assert!(check(many.to_string().as_bytes(), &expected()).is_ok());
        for left_out in ["iss", "sub", "aud", "exp", "iat"] {
            let mut claims = good();
            claims.as_object_mut().unwrap().remove(left_out);
            assert_eq!(check(claims.to_string().as_bytes(), &expected()), Err(Fault::Form), "{left_out}");
        }
        for bad in ["", "{}", "[]", r#"{"iss":"https://id.example","iss":"https://id.example"}"#] {
            assert_eq!(check(bad.as_bytes(), &expected()), Err(Fault::Form), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_token_counts_exactly_while_it_is_new_and_not_over(made in -2_000_i64..2_000, lasts in 0_i64..2_000) {
            let (made, end) = (NOW as i64 + made, NOW as i64 + made + lasts);
            let mut claims = good();
            claims["iat"] = json!(made);
            claims["exp"] = json!(end);
            let now = NOW as i64;
            let counts = end > now - 60 && (now - 600..=now + 60).contains(&made);
            prop_assert_eq!(check(claims.to_string().as_bytes(), &expected()).is_ok(), counts);
        }
    }
}
