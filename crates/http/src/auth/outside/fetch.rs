//! Fetches the keys of an identity provider, and nothing from inside.

use std::time::Duration;

use rapport_outside::{
    Reach, agent,
    ureq::{Agent, http::Uri},
};

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
        let reach = if may_be_plain { Reach::Loopback } else { Reach::Outside };
        Ok(Self { agent: agent(reach, PATIENCE), url: url.to_owned() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_without_tls_are_refused() {
        for url in ["http://login.example.com/jwks", "ftp://login.example.com", "login.example.com", "", "https:///x"] {
            assert!(Fetcher::new(url, false).is_err(), "{url}");
        }
        assert!(Fetcher::new("http://127.0.0.1:1/jwks", true).is_ok());
    }
}
