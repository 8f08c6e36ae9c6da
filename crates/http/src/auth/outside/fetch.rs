//! Fetches the keys of an identity provider, and nothing from inside.

use std::{net::IpAddr, time::Duration};

use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use super::addresses::is_inside;

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that is read of an answer, in bytes.
const LARGEST: u64 = 256 * 1024;

/// Fetches from one address, and from none that it leads on to.
pub(super) struct Fetcher {
    agent: Agent,
    url: String,
}

impl Fetcher {
    /// Fails when the address can't be meant.
    pub(super) fn new(url: &str, insecure_loopback: bool) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url} is not an address: {error}"))?;
        let may_be_plain = insecure_loopback && uri.scheme_str() == Some("http");
        if uri.host().is_none() || !(may_be_plain || uri.scheme_str() == Some("https")) {
            return Err(format!("the address of the identity provider's keys has to begin with https://: {url}"));
        }
        let config = Agent::config_builder()
            .https_only(!may_be_plain)
            .max_redirects(0)
            .max_redirects_will_error(true)
            .http_status_as_error(true)
            .max_idle_connections(0)
            .timeout_global(Some(PATIENCE))
            .proxy(None) // the address that was looked at has to be the one that is called
            .user_agent("rapport")
            .build();
        let resolver = Guarded { inner: DefaultResolver::default(), loopback: may_be_plain };
        Ok(Self { agent: Agent::with_parts(config, DefaultConnector::default(), resolver), url: url.to_owned() })
    }

    /// What is there. Blocks for a while.
    pub(super) fn fetch(&self) -> Result<Vec<u8>, String> {
        let answer = self.agent.get(&self.url).header("Accept", "application/json").call();
        let mut answer = answer.map_err(|error| error.to_string())?;
        if answer.status() != 200 {
            return Err(format!("the answer was {}", answer.status()));
        }
        answer.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(|error| error.to_string())
    }
}

/// Looks a name up once, and refuses it when one of its addresses is inside. The connection goes to what was looked at.
#[derive(Debug)]
struct Guarded {
    inner: DefaultResolver,
    /// Takes addresses of this machine alone.
    loopback: bool,
}

impl Resolver for Guarded {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let refused = |address: IpAddr| if self.loopback { !address.is_loopback() } else { is_inside(address) };
        match found.iter().find(|address| refused(address.ip())) {
            Some(address) => Err(ureq::Error::Io(std::io::Error::other(format!(
                "{} is not called, for it is not outside",
                address.ip()
            )))),
            None => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_fetched_from_inside() {
        for url in [
            "https://127.0.0.1/jwks",
            "https://localhost/jwks",
            "https://[::1]/jwks",
            "https://[::ffff:127.0.0.1]/jwks",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/jwks",
            "https://0.0.0.0/jwks",
        ] {
            for insecure_loopback in [false, true] {
                let refused = Fetcher::new(url, insecure_loopback).unwrap().fetch().unwrap_err();
                assert!(refused.contains("not outside"), "{url}: {refused}");
            }
        }
        let refused = Fetcher::new("http://10.0.0.1/jwks", true).unwrap().fetch().unwrap_err();
        assert!(refused.contains("not outside"), "{refused}");
    }

    #[test]
    fn addresses_without_tls_are_refused() {
        for url in ["http://login.example.com/jwks", "ftp://login.example.com", "login.example.com", "", "https:///x"] {
            assert!(Fetcher::new(url, false).is_err(), "{url}");
        }
        assert!(Fetcher::new("http://127.0.0.1:1/jwks", true).is_ok());
    }
}
