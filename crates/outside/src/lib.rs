//! How Rapport calls other servers: those outside, and never one that is inside. Addresses are configured by somebody, and
//! must not lead to what only this server can reach.

mod addresses;

use std::{net::IpAddr, time::Duration};

pub use ureq;
use ureq::{
    Agent,
    config::Config,
    http::Uri,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use self::addresses::is_inside;

/// Where calls may lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Over https to servers that everybody can reach.
    Outside,
    /// To this machine alone, without TLS, too. For tests and for trying out.
    Loopback,
}

/// Makes calls that take so long at most. It follows no redirection, keeps no connection, and gives every answer as it is,
/// whatever its status.
pub fn agent(reach: Reach, patience: Duration) -> Agent {
    let config = Agent::config_builder()
        .https_only(reach == Reach::Outside)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(patience))
        .proxy(None) // the address that was looked at has to be the one that is called
        .user_agent("rapport")
        .build();
    Agent::with_parts(config, DefaultConnector::default(), Guarded { inner: DefaultResolver::default(), reach })
}

/// Looks a name up once, and refuses it when one of its addresses is not within reach. The connection goes to what was
/// looked at.
#[derive(Debug)]
struct Guarded {
    inner: DefaultResolver,
    reach: Reach,
}

impl Resolver for Guarded {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let refused = |address: IpAddr| match self.reach {
            Reach::Outside => is_inside(address),
            Reach::Loopback => !address.is_loopback(),
        };
        match found.iter().find(|address| refused(address.ip())) {
            // The address is not told, so that nobody learns from it what names mean inside.
            Some(_) => Err(ureq::Error::Io(std::io::Error::other(format!(
                "{} is not called, for it does not lead outside",
                uri.host().unwrap_or_default()
            )))),
            None => Ok(found),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn nothing_inside_is_called() {
        for url in [
            "https://127.0.0.1/x",
            "https://localhost/x",
            "https://[::1]/x",
            "https://[::ffff:127.0.0.1]/x",
            "https://169.254.169.254/latest",
            "https://10.0.0.1/x",
            "https://0.0.0.0/x",
        ] {
            let refused = agent(Reach::Outside, Duration::from_secs(5)).get(url).call().unwrap_err().to_string();
            assert!(refused.contains("does not lead outside"), "{url}: {refused}");
        }
        for url in ["http://10.0.0.1/x", "https://169.254.169.254/x", "http://0.0.0.0/x"] {
            let refused = agent(Reach::Loopback, Duration::from_secs(5)).get(url).call().unwrap_err().to_string();
            assert!(refused.contains("does not lead outside"), "{url}: {refused}");
        }
    }

    #[test]
    fn nothing_outside_is_called_without_tls() {
        assert!(agent(Reach::Outside, Duration::from_secs(5)).get("http://example.com/").call().is_err());
    }
}
