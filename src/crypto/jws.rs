//! Signed tokens that others make (JWS in its compact form, RFC 7515): RS256 and ES256, checked by public keys as a provider
//! publishes them (RFC 7517). Nothing else is an algorithm here: not `none`, and nothing whose key both sides have.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey};
use serde::Deserialize;

use crate::base::limits::{JWK_KEYS_MAX, TOKEN_BYTES_MAX};

/// Why a token counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// No token.
    #[error("it is no signed token, or a longer one than {TOKEN_BYTES_MAX} bytes")]
    Form,
    /// Signed in another way, or not at all.
    #[error("it is signed neither as RS256 nor as ES256")]
    Algorithm,
    /// It wants something understood that is not known here.
    #[error("its header has parts that must be understood and are not known here")]
    Critical,
    /// Nobody knows the key.
    #[error("it names no key that its provider publishes for that")]
    NoKey,
    /// Not signed by that key, or changed.
    #[error("its signature is wrong")]
    Signature,
}

/// A key by which tokens are checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicJwk {
    name: Option<String>,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Key {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// An uncompressed point of P-256.
    P256(Vec<u8>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Rs256,
    Es256,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Algorithm {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            _other => None,
        }
    }

    fn fits(self, key: &Key) -> bool {
        matches!((self, key), (Self::Rs256, Key::Rsa { .. }) | (Self::Es256, Key::P256(_)))
    }
}

impl PublicJwk {
    /// The keys of a published set that check RS256 or ES256; others are left out. `None` for what is no set, or one of more
    /// than [`JWK_KEYS_MAX`] keys.
    #[must_use]
    pub fn all(published: &[u8]) -> Option<Vec<Self>> {
        let Published { keys } = serde_json::from_slice(published).ok()?;
        let few = keys.len() <= JWK_KEYS_MAX;
        few.then(|| keys.into_iter().filter_map(|key| Self::read(serde_json::from_value(key).ok()?)).collect())
    }

    fn read(jwk: Jwk) -> Option<Self> {
        if jwk.purpose.is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let bytes = |text: Option<String>| URL_SAFE_NO_PAD.decode(text?).ok();
        let key = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("RSA", _) => Key::Rsa { modulus: bytes(jwk.n)?, exponent: bytes(jwk.e)? },
            ("EC", Some("P-256")) => {
                let (x, y) = (bytes(jwk.x)?, bytes(jwk.y)?);
                let whole = x.len() == 32 && y.len() == 32;
                whole.then(|| Key::P256([&[4][..], &x, &y].concat()))?
            }
            _other => return None,
        };
        // A key that is for one algorithm is for no other.
        let meant = jwk.alg.as_deref().map(Algorithm::parse);
        meant
            .is_none_or(|algorithm| algorithm.is_some_and(|algorithm| algorithm.fits(&key)))
            .then_some(Self { name: jwk.kid, key })
    }

    fn has_signed(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.key {
            Key::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
            Key::P256(point) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed, signature).is_ok()
            }
        }
    }
}

/// What a token says, if one of `keys` signed it: the one that it names, or where it names none, the only one there is.
///
/// # Errors
/// [`JwsError`].
pub fn verify(token: &str, keys: &[PublicJwk]) -> Result<Vec<u8>, JwsError> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(JwsError::Form);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(JwsError::Form)?;
    let (header, said) = signed.split_once('.').ok_or(JwsError::Form)?;
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| JwsError::Form);
    let Header { alg, kid, crit } = serde_json::from_slice(&bytes(header)?).map_err(|_| JwsError::Form)?;
    let algorithm = Algorithm::parse(&alg).ok_or(JwsError::Algorithm)?;
    if crit.is_some() {
        return Err(JwsError::Critical);
    }
    let (said, signature) = (bytes(said)?, bytes(signature)?);
    let fit: Vec<&PublicJwk> =
        keys.iter().filter(|key| algorithm.fits(&key.key) && (kid.is_none() || key.name == kid)).collect();
    if fit.is_empty() || (kid.is_none() && fit.len() > 1) {
        return Err(JwsError::NoKey);
    }
    let right = fit.iter().any(|key| key.has_signed(signed.as_bytes(), &signature));
    if right { Ok(said) } else { Err(JwsError::Signature) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7515, appendix A.2 and A.3: keys and tokens.
    const RSA: &str = r#"{"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}"#;
    const SAID: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    const RS: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    const EC: &str = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    const ES: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

    fn set(keys: &[&str]) -> Vec<PublicJwk> {
        PublicJwk::all(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes()).unwrap()
    }

    fn token(header: &str, signature: &str) -> String {
        format!("{}.{SAID}.{signature}", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn the_tokens_of_the_standard_count_and_no_changed_one() {
        let (rs, es) = (token(r#"{"alg":"RS256"}"#, RS), token(r#"{"alg":"ES256"}"#, ES));
        let both = set(&[RSA, EC]);
        for token in [&rs, &es] {
            let said = verify(token, &both).unwrap();
            assert!(said.starts_with(b"{\"iss\":\"joe\""));
            for place in 0..token.len() {
                let mut bent = token.clone();
                bent.replace_range(place..=place, if &token[place..=place] == "A" { "B" } else { "A" });
                // The last digit of a part may have bits that mean nothing; they must be 0.
                assert!(verify(&bent, &both).is_err(), "{place}");
                assert!(verify(&token[..place], &both).is_err(), "{place}");
            }
        }
        assert_eq!(verify(&rs, &set(&[EC])), Err(JwsError::NoKey));
        assert_eq!(verify(&rs, &[]), Err(JwsError::NoKey));
        assert_eq!(verify(&format!("{rs}{}", "A".repeat(TOKEN_BYTES_MAX)), &both), Err(JwsError::Form));
        assert_eq!(verify(&rs, &set(&[RSA, RSA])), Err(JwsError::NoKey), "it says not which");
    }

    #[test]
    fn no_other_algorithm_counts_and_keys_are_for_one_use() {
        let both = set(&[RSA, EC]);
        for alg in ["none", "None", "HS256", "RS384", "PS256", "EdDSA", ""] {
            assert_eq!(verify(&token(&format!(r#"{{"alg":"{alg}"}}"#), RS), &both), Err(JwsError::Algorithm), "{alg}");
        }
        assert_eq!(verify(&token(r#"{"alg":"none"}"#, ""), &both), Err(JwsError::Algorithm));
        // The published key, taken as the secret of an HMAC.
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, RSA.as_bytes());
        let tag = ring::hmac::sign(&key, format!("{header}.{SAID}").as_bytes());
        let forged = format!("{header}.{SAID}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()));
        assert_eq!(verify(&forged, &both), Err(JwsError::Algorithm));
        let critical = token(r#"{"alg":"RS256","crit":["b64"],"b64":false}"#, RS);
        assert_eq!(verify(&critical, &both), Err(JwsError::Critical));
        let named = |name: &str| RSA.replacen('{', &format!("{{{name},"), 1);
        let left_out = [r#""use":"enc""#, r#""alg":"RS512""#, r#""alg":"ES256""#];
        for more in left_out {
            assert_eq!(set(&[&named(more)]), [], "{more}");
        }
        let known = set(&[&named(r#""kid":"a","use":"sig","alg":"RS256""#), &named(r#""kid":"b""#)]);
        assert_eq!(known.len(), 2);
        for (kid, found) in
            [("a", Err(JwsError::Signature)), ("b", Err(JwsError::Signature)), ("c", Err(JwsError::NoKey))]
        {
            assert_eq!(verify(&token(&format!(r#"{{"alg":"RS256","kid":"{kid}"}}"#), RS), &known), found);
        }
    }

    #[test]
    fn what_is_no_set_of_keys_gives_none() {
        for bad in
            ["", "{}", "[]", "{\"keys\":{}}", &format!("{{\"keys\":[{}]}}", vec!["1"; JWK_KEYS_MAX + 1].join(","))]
        {
            assert_eq!(PublicJwk::all(bad.as_bytes()), None, "{bad}");
        }
        let odd =
            [r#"{"kty":"oct","k":"AA"}"#, r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#, r#"{"kty":"RSA"}"#, "7"];
        assert_eq!(set(&odd), []);
        for bad in ["", ".", "..", "a.b", "a.b.c.d", "é.é.é", "e30.e30.e30"] {
            assert!(verify(bad, &set(&[RSA])).is_err(), "{bad}");
        }
    }
}
