//! From where somebody calls. Found out once for each request, by the envelope; everybody else reads [`ClientAddress`].

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use actix_web::{
    HttpMessage, HttpRequest,
    dev::ServiceRequest,
    http::header::{HeaderMap, HeaderName},
    web::Data,
};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Networks of the proxies whose word about the caller's address is taken.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    pub(crate) fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Each proxy adds the address it was called from at the right. So the list is read from there, for as long as those
    /// who wrote are trusted: what a caller made up stands further left and is never reached.
    fn caller(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut caller = peer.to_canonical();
        let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).filter_map(|line| line.to_str().ok()).collect();
        let entries = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for entry in entries {
            if !self.trust(caller) {
                break;
            }
            let Some(address) = read(entry) else { break };
            caller = address;
        }
        caller
    }
}

/// An address as proxies write it: bare, or with a port.
fn read(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let address = entry.parse::<IpAddr>().ok().or_else(|| {
        let bare = entry.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(address, _)| address);
        let with_port = || entry.rsplit_once(':').map(|(address, _)| address).filter(|address| !address.contains(':'));
        bare.or_else(with_port)?.parse().ok()
    })?;
    Some(address.to_canonical())
}

/// The address of whoever calls, behind all proxies that are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientAddress(pub(crate) IpAddr);

impl ClientAddress {
    /// The one place where it is found out.
    pub(crate) fn find(request: &ServiceRequest) -> Self {
        let unknown = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let peer = request.peer_addr().map_or(unknown, |peer| peer.ip());
        match request.app_data::<Data<TrustedProxies>>() {
            Some(proxies) => Self(proxies.caller(peer, request.headers())),
            None => Self(peer.to_canonical()),
        }
    }

    /// What the envelope found out.
    pub(crate) fn of(request: &HttpRequest) -> Self {
        let found = request.extensions().get::<Self>().copied();
        found.unwrap_or(Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED)))
    }

    /// Whom to count together: one v4 address, or the /64 that one v6 customer has to themselves.
    pub(crate) fn neighbourhood(self) -> IpAddr {
        match self.0 {
            IpAddr::V4(_) => self.0,
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn caller(proxies: &[&str], peer: &str, lines: &[&str]) -> String {
        let networks: Vec<IpNet> = proxies.iter().map(|network| network.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(line).unwrap());
        }
        TrustedProxies::new(&networks).caller(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn nobody_is_believed_who_is_no_trusted_proxy() {
        assert_eq!(caller(&[], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(caller(&["10.0.0.0/8"], "203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
    }

    #[test]
    fn the_rightmost_address_that_no_trusted_proxy_has_is_the_caller() {
        let proxies = &["10.0.0.0/8", "fd00::/8"];
        assert_eq!(caller(proxies, "10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(caller(proxies, "10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(caller(proxies, "10.0.0.1", &["1.1.1.1", "198.51.100.1", "10.0.0.2"]), "198.51.100.1");
        assert_eq!(caller(proxies, "fd00::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(caller(proxies, "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn ports_are_left_out_and_nonsense_ends_the_list() {
        let proxies = &["10.0.0.0/8"];
        assert_eq!(caller(proxies, "10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(caller(proxies, "10.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(caller(proxies, "10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
        assert_eq!(caller(proxies, "10.0.0.1", &["1.1.1.1, unknown"]), "10.0.0.1");
        assert_eq!(caller(proxies, "10.0.0.1", &["1.1.1.1, "]), "10.0.0.1");
    }

    #[test]
    fn neighbours_count_together_in_v6_alone() {
        let neighbourhood = |address: &str| ClientAddress(address.parse().unwrap()).neighbourhood().to_string();
        assert_eq!(neighbourhood("203.0.113.9"), "203.0.113.9");
        assert_eq!(neighbourhood("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
