//! Requests to the provider: encrypted but for one on this machine, short, and limited in what comes back.

use std::fmt::Write as _;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fs_err as fs;
use ureq::Agent;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::base::limits::{SSO_ANSWER_BYTES_MAX, SSO_AUTHORITIES_BYTES_MAX, SSO_WAIT_S};
use crate::crypto::tokens::Secret;
use crate::sso::SsoError;

/// Where Linux distributions keep the authorities that they trust.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How the provider is asked.
#[derive(Debug)]
pub(super) struct Wire(Agent);

impl Wire {
    /// Trusts the certificates in the file `authorities`, or else those that the system trusts. Without `encrypted` none are
    /// needed.
    pub(super) fn new(authorities: Option<&Path>, encrypted: bool) -> Result<Self, SsoError> {
        let roots = if encrypted { read(authorities.unwrap_or(Path::new(AUTHORITIES)))? } else { Vec::new() };
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&roots))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(Duration::from_secs(SSO_WAIT_S)))
            // An answer that sends elsewhere is none: the provider says where its parts are.
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent("bertillon");
        Ok(Self(config.build().into()))
    }

    /// What is at an address of the provider.
    pub(super) fn get(&self, what: &'static str, address: &str) -> Result<Vec<u8>, SsoError> {
        check_address(address).map_err(|reason| SsoError::Provider { what, reason })?;
        let answer = self.0.get(address).call().map_err(|error| wrong(what, &error))?;
        match body(what, answer)? {
            (200, bytes) => Ok(bytes),
            (status, _) => Err(SsoError::Provider { what, reason: format!("status {status}") }),
        }
    }

    /// Status and body of the answer to a form.
    pub(super) fn post(
        &self,
        what: &'static str,
        address: &str,
        login: Option<&Secret>,
        form: &Secret,
    ) -> Result<(u16, Vec<u8>), SsoError> {
        check_address(address).map_err(|reason| SsoError::Provider { what, reason })?;
        let mut request = self.0.post(address).header("content-type", "application/x-www-form-urlencoded");
        if let Some(login) = login {
            request = request.header("authorization", login.reveal());
        }
        body(what, request.send(form.reveal()).map_err(|error| wrong(what, &error))?)
    }
}

fn body(what: &'static str, answer: ureq::http::Response<ureq::Body>) -> Result<(u16, Vec<u8>), SsoError> {
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    let body = answer.into_body().into_reader();
    let read = body.take(SSO_ANSWER_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| wrong(what, &error))?;
    if bytes.len() > SSO_ANSWER_BYTES_MAX {
        return Err(SsoError::Provider { what, reason: format!("more than {SSO_ANSWER_BYTES_MAX} bytes") });
    }
    Ok((status, bytes))
}

fn wrong(what: &'static str, error: &impl ToString) -> SsoError {
    SsoError::Provider { what, reason: error.to_string() }
}

fn read(path: &Path) -> Result<Vec<Certificate<'static>>, SsoError> {
    let setting = |reason: String| SsoError::Setting(format!("sso.authorities, {}: {reason}", path.display()));
    let mut text = Vec::new();
    let file = fs::File::open(path).map_err(|error| setting(error.to_string()))?;
    let read = file.take(SSO_AUTHORITIES_BYTES_MAX + 1).read_to_end(&mut text);
    read.map_err(|error| setting(error.to_string()))?;
    if text.len() as u64 > SSO_AUTHORITIES_BYTES_MAX {
        return Err(setting(format!("more than {SSO_AUTHORITIES_BYTES_MAX} bytes")));
    }
    let found = parse_pem(&text).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(Ok(certificate)),
        Ok(_) => None,
        Err(error) => Some(Err(setting(error.to_string()))),
    });
    let found = found.collect::<Result<Vec<_>, _>>()?;
    if found.is_empty() { Err(setting("there is no certificate in it".to_owned())) } else { Ok(found) }
}

/// Whether an address may be asked, or sent to: encrypted, or on this machine.
pub(super) fn check_address(text: &str) -> Result<bool, String> {
    let shown: String = text.chars().take(120).collect();
    let refused = |why: &str| Err(format!("{shown:?} {why}"));
    let Ok(address) = text.parse::<Uri>() else { return refused("is no address") };
    let Some(host) = address.host().filter(|_| !text.contains(['@', '#'])) else {
        return refused("is no whole address of a server");
    };
    if address.scheme() == Some(&Scheme::HTTPS) {
        return Ok(true);
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let here = host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|host| host.is_loopback());
    if address.scheme() == Some(&Scheme::HTTP) && here {
        Ok(false)
    } else {
        refused("is not encrypted: https, or http to this machine alone")
    }
}

/// As a part of an address or a form (RFC 3986).
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text can't fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_encrypted_or_of_this_machine() {
        for good in ["https://id.example", "https://id.example:8443/realm/x?y=1", "https://10.0.0.1/"] {
            assert_eq!(check_address(good), Ok(true), "{good}");
        }
        for here in ["http://localhost:1", "http://127.0.0.1:8080/x", "http://[::1]:9/"] {
            assert_eq!(check_address(here), Ok(false), "{here}");
        }
        for bad in [
            "",
            "id.example",
            "/x",
            "http://id.example",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "ftp://localhost/",
            "file:///etc/passwd",
            "https://me@id.example",
            "https://",
            "https://a b",
            "http://10.0.0.1/",
        ] {
            assert!(check_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_stands_in_addresses_is_plain() {
        assert_eq!(encoded("a-Z_0.9~"), "a-Z_0.9~");
        assert_eq!(encoded("https://a b/&é"), "https%3A%2F%2Fa%20b%2F%26%C3%A9");
    }

    #[test]
    fn authorities_are_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        for bad in ["", "no pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            fs::write(&path, bad).unwrap();
            let error = Wire::new(Some(&path), true).unwrap_err().to_string();
            assert!(error.contains("sso.authorities") && error.contains("ca.pem"), "{error}");
        }
        assert!(Wire::new(Some(&folder.path().join("none")), true).is_err());
        assert!(Wire::new(Some(&path), false).is_ok(), "none are needed on this machine");
        let made = rcgen::generate_simple_self_signed(vec!["id.example".to_owned()]).unwrap();
        fs::write(&path, made.cert.pem()).unwrap();
        assert!(Wire::new(Some(&path), true).is_ok());
    }
}
