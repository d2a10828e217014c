//! Where a request comes from, and how often it may come from there before anybody has said who sends it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use actix_web::http::header::HeaderMap;
use actix_web::{HttpMessage as _, HttpRequest};

use crate::base::limits::{UNKNOWN_AT_ONCE_MAX, UNKNOWN_PER_MIN_MAX};
use crate::http::problem::Problem;
use crate::http::rate::TooOften;
use crate::http::reception::Reception;

/// In which proxies name whom they speak for, each adding the one that it saw at the end.
const FORWARDED: &str = "x-forwarded-for";
const STRANGERS: (u32, u32) = (UNKNOWN_PER_MIN_MAX, UNKNOWN_AT_ONCE_MAX);

/// A request that leaves no event: one of a row of refusals of the same caller, of which the first left one.
pub(super) struct Repeated;

/// The address of whoever sends a request: that of the connection, or behind a proxy of ours the one that it saw.
#[must_use]
pub fn address(reception: &Reception, headers: &HeaderMap, peer: Option<SocketAddr>) -> Option<SocketAddr> {
    let behind_proxy = reception.desk.settings.server.behind_proxy;
    let seen = if behind_proxy { forwarded(headers) } else { None };
    // The port there is not told.
    seen.map(|ip| SocketAddr::new(ip, 0)).or(peer)
}

/// What the last proxy says that it saw. What stands before that is what it was told, and anybody may have said it.
fn forwarded(headers: &HeaderMap) -> Option<IpAddr> {
    let last = headers.get_all(FORWARDED).last()?.to_str().ok()?;
    let said = last.rsplit(',').next()?.trim();
    let bare = said.strip_prefix('[').and_then(|said| said.strip_suffix(']')).unwrap_or(said);
    let ip = bare.parse::<IpAddr>().ok().or_else(|| Some(said.parse::<SocketAddr>().ok()?.ip()))?;
    Some(ip.to_canonical())
}

/// Refuses more of what comes from an address from which much came that did not say who sends it. To be asked before any work
/// is done for them.
///
/// # Errors
/// The refusal.
pub fn strange(reception: &Reception, request: &HttpRequest) -> Result<(), Problem> {
    let taken = reception.unknown.take(&bucket(reception, request), STRANGERS, Instant::now());
    taken.map_err(|refusal| {
        let detail = "Too many requests from this address did not say who sends them.".to_owned();
        too_often(request, refusal, detail)
    })
}

/// Takes back so many of those, since it turned out who sends them.
pub fn not_strange(reception: &Reception, request: &HttpRequest, times: u32) {
    reception.unknown.give_back(&bucket(reception, request), STRANGERS, times);
}

fn bucket(reception: &Reception, request: &HttpRequest) -> IpAddr {
    let address = address(reception, request.headers(), request.peer_addr());
    address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip().to_canonical())
}

pub(super) fn too_often(request: &HttpRequest, refusal: TooOften, detail: String) -> Problem {
    if !refusal.first {
        request.extensions_mut().insert(Repeated);
    }
    Problem::too_often(refusal.wait_s, detail)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn seen(said: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in said {
            headers.append(HeaderName::from_static(FORWARDED), value.parse().unwrap());
        }
        forwarded(&headers).map(|ip| ip.to_string())
    }

    #[test]
    fn the_last_address_counts_and_what_is_none_does_not() {
        for (said, ip) in [
            (&["192.0.2.7"][..], "192.0.2.7"),
            (&["127.0.0.1, 192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.9", "10.0.0.1 , 192.0.2.7"], "192.0.2.7"),
            (&["192.0.2.7:4711"], "192.0.2.7"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]"], "2001:db8::1"),
            (&["[2001:db8::1]:4711"], "2001:db8::1"),
            (&["::ffff:192.0.2.7"], "192.0.2.7"),
        ] {
            assert_eq!(seen(said).as_deref(), Some(ip), "{said:?}");
        }
        for odd in
            [&[][..], &[""], &["unknown"], &["192.0.2.7,"], &["192.0.2.7, _hidden"], &["192.0.2.7", "x"], &["[192"]]
        {
            assert_eq!(seen(odd), None, "{odd:?}");
        }
    }
}
