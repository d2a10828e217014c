//! Refusals to browsers that are used against their owners. As long as there are no users, on a loopback address the names in
//! a request are what tells this machine's own programs from a web page that someone lured a browser to.
//!
//! DNS rebinding: the page's own name is pointed at 127.0.0.1, and its script reads the answers; but the `Host` header then
//! carries that name. Cross-site requests: a form or script of another site sends; but the `Origin` header names that site.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{self, HeaderMap, HeaderName};
use actix_web::http::{Method, Uri};

use crate::http::problem::Problem;

/// Refuses what no honest client of a server bound to `bound` sends.
///
/// # Errors
/// A [`Problem`] that names the header at fault.
pub fn check(bound: SocketAddr, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = the_only(headers, &header::HOST)?;
    if bound.ip().is_loopback() {
        check_host(bound.ip(), host, uri)?;
    }
    let reads = [Method::GET, Method::HEAD, Method::OPTIONS].contains(method);
    if reads { Ok(()) } else { check_origin(host, headers) }
}

fn check_host(bound: IpAddr, host: Option<&str>, uri: &Uri) -> Result<(), Problem> {
    let Some(host) = host else {
        return Err(Problem::wrong_host("The request has no Host header. Ask for localhost or 127.0.0.1."));
    };
    // A request line may carry a whole URL, whose name then counts (RFC 9112, 3.2.2).
    for name in std::iter::once(host).chain(uri.authority().map(actix_web::http::uri::Authority::as_str)) {
        if !is_local(bound, name) {
            let shown: String = name.chars().take(80).collect();
            return Err(Problem::wrong_host(format!(
                "{shown:?} is not a name of this server, which talks to this machine only. Ask for localhost or {bound}."
            )));
        }
    }
    Ok(())
}

fn is_local(bound: IpAddr, authority: &str) -> bool {
    let name = name_of(authority);
    let name = name.strip_suffix('.').unwrap_or(name);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    name.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address == bound || address.is_loopback())
}

/// The host of `host:port`, where the host may be a bracketed IPv6 address.
fn name_of(authority: &str) -> &str {
    let after_brackets = authority.rfind(']').unwrap_or(0);
    match authority.rfind(':') {
        Some(colon) if colon >= after_brackets => authority.get(..colon).unwrap_or(authority),
        Some(_) | None => authority,
    }
}

fn check_origin(host: Option<&str>, headers: &HeaderMap) -> Result<(), Problem> {
    let fetch_site = HeaderName::from_static("sec-fetch-site");
    if the_only(headers, &fetch_site)? == Some("cross-site") {
        return Err(Problem::cross_site(
            "A page of another web site sent this. Use the API from programs or its own pages.",
        ));
    }
    let Some(origin) = the_only(headers, &header::ORIGIN)? else { return Ok(()) };
    let same = match origin.split_once("://") {
        Some(("http", authority)) => host.is_some_and(|host| same_authority(host, authority, ":80")),
        Some(("https", authority)) => host.is_some_and(|host| same_authority(host, authority, ":443")),
        Some(_) | None => false,
    };
    if same {
        return Ok(());
    }
    let shown: String = origin.chars().take(80).collect();
    Err(Problem::cross_site(format!("A page of {shown:?} sent this, which is not a page of this server.")))
}

fn same_authority(host: &str, origin: &str, default_port: &str) -> bool {
    let plain = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_ascii_lowercase();
    plain(host) == plain(origin)
}

/// The value of a header that may stand once; two of them mean two readers that see different requests.
fn the_only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name);
    let first = values.next();
    match (first, values.next()) {
        (_, Some(_)) => Err(Problem::malformed(format!("The header {name} stands there more than once."))),
        (None, None) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str().map(Some);
            text.map_err(|_| Problem::malformed(format!("The header {name} has characters that are not allowed.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(bound: &str, method: &Method, uri: &str, sent: &[(&'static str, &str)]) -> u16 {
        let mut headers = HeaderMap::new();
        for (name, value) in sent {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let checked = check(bound.parse().unwrap(), method, &uri.parse().unwrap(), &headers);
        checked.map_or_else(|problem| problem.answer(0).status().as_u16(), |()| 200)
    }

    #[test]
    fn only_local_names_reach_a_loopback_address() {
        for good in ["localhost", "LOCALHOST:8470", "127.0.0.1:1", "[::1]:8470", "[::1]", "localhost.", "127.0.0.2"] {
            assert_eq!(status("127.0.0.1:8470", &Method::GET, "/", &[("host", good)]), 200, "{good}");
        }
        for bad in
            ["evil.example", "localhost.evil.example:8470", "127.0.0.1.evil.example", "", "evil.example:localhost"]
        {
            assert_eq!(status("127.0.0.1:8470", &Method::GET, "/", &[("host", bad)]), 421, "{bad}");
        }
        assert_eq!(status("127.0.0.1:8470", &Method::GET, "/", &[]), 421);
        assert_eq!(status("127.0.0.1:8470", &Method::GET, "http://evil.example/", &[("host", "localhost")]), 421);
        assert_eq!(
            status("127.0.0.1:8470", &Method::GET, "/", &[("host", "localhost"), ("host", "evil.example")]),
            400
        );
        assert_eq!(status("192.0.2.1:8470", &Method::GET, "/", &[("host", "faces.example")]), 200);
    }

    #[test]
    fn other_sites_do_not_post() {
        let post = |origin: &str| {
            status("127.0.0.1:8470", &Method::POST, "/", &[("host", "localhost:8470"), ("origin", origin)])
        };
        assert_eq!(post("http://localhost:8470"), 200);
        for bad in ["http://evil.example", "null", "http://localhost:9000", "http://localhost", "file://", ""] {
            assert_eq!(post(bad), 403, "{bad}");
        }
        assert_eq!(status("192.0.2.1:1", &Method::DELETE, "/", &[("host", "a:80"), ("origin", "http://A")]), 200);
        assert_eq!(status("192.0.2.1:1", &Method::DELETE, "/", &[("host", "a"), ("origin", "https://a:443")]), 200);
        assert_eq!(
            status("192.0.2.1:1", &Method::DELETE, "/", &[("host", "a"), ("sec-fetch-site", "cross-site")]),
            403
        );
        assert_eq!(status("127.0.0.1:1", &Method::GET, "/", &[("host", "localhost"), ("origin", "http://b")]), 200);
    }
}
