//! Where the daemon is.

use anyhow::{Context, bail};

/// The address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `host:port`, as far as the port is not that of `https`.
    pub(crate) authority: String,
    /// Over TLS.
    pub(crate) tls: bool,
}

impl Endpoint {
    /// The one given, or the one that the environment names, or the default.
    pub(crate) fn find(given: Option<&str>) -> anyhow::Result<Self> {
        Self::choose(given, |name| std::env::var(name).ok())
    }

    fn choose(
        given: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        if let Some(url) = given {
            return Self::parse(url).context("--endpoint");
        }
        for name in ["WEIR_ENDPOINT", "AWS_ENDPOINT_URL"] {
            if let Some(url) = variable(name).filter(|url| !url.is_empty()) {
                return Self::parse(&url).with_context(|| format!("${name}"));
            }
        }
        Ok(Self {
            authority: format!("127.0.0.1:{}", server::DEFAULT_PORT),
            tls: false,
        })
    }

    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let (rest, tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => {
                bail!("'{url}' is no endpoint: expected http://HOST:PORT or https://HOST")
            }
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let host_end = authority.rfind(']').unwrap_or(0);
        let wrong = |c: char| c.is_whitespace() || "/?#@".contains(c);
        if authority.is_empty() || authority.contains(wrong) {
            bail!("'{url}' is no endpoint: expected http://HOST:PORT or https://HOST");
        }
        let authority = match authority[host_end..].split_once(':') {
            // What servers see is what was signed, and there clients leave this port out.
            Some((host, "443")) if tls => format!("{}{host}", &authority[..host_end]),
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some(_) => bail!("'{url}' has no valid port"),
            None if tls => authority.to_owned(),
            None => format!("{authority}:80"),
        };
        Ok(Self { authority, tls })
    }

    /// Where to connect.
    pub(crate) fn host_and_port(&self) -> (&str, u16) {
        let default = if self.tls { 443 } else { 80 };
        let host_end = self.authority.rfind(']').unwrap_or(0);
        let (host, port) = match self.authority[host_end..].find(':') {
            Some(colon) => self.authority.split_at(host_end + colon),
            None => (self.authority.as_str(), ""),
        };
        let port = port.trim_start_matches(':').parse().unwrap_or(default);
        (host.trim_start_matches('[').trim_end_matches(']'), port)
    }

    /// As a URL.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(given: Option<&str>, weir: &str, aws: &str) -> anyhow::Result<String> {
        let variable =
            |name: &str| Some(if name == "WEIR_ENDPOINT" { weir } else { aws }.to_owned());
        Endpoint::choose(given, variable).map(|endpoint| endpoint.url())
    }

    #[test]
    fn the_nearest_choice_wins() {
        let (a, b, c) = ("http://a:1", "http://b:2/", "http://c:3");
        assert_eq!(choose(Some(a), b, c).unwrap(), "http://a:1");
        assert_eq!(choose(None, b, c).unwrap(), "http://b:2");
        assert_eq!(choose(None, "", c).unwrap(), "http://c:3");
        assert_eq!(choose(None, "", "").unwrap(), "http://127.0.0.1:4566");
    }

    #[test]
    fn only_addresses_without_a_path() {
        for url in [
            "https://s3.eu-west-1.amazonaws.com",
            "https://[::1]",
            "https://h:8443",
        ] {
            assert_eq!(choose(Some(url), "", "").unwrap(), url);
        }
        assert_eq!(choose(Some("https://h:443/"), "", "").unwrap(), "https://h");
        assert_eq!(
            choose(Some("https://[::1]:443"), "", "").unwrap(),
            "https://[::1]"
        );

        assert_eq!(
            choose(Some("http://[::1]:5"), "", "").unwrap(),
            "http://[::1]:5"
        );
        assert_eq!(choose(Some("http://h"), "", "").unwrap(), "http://h:80");
        for url in [
            "",
            "h:1",
            "ftp://h:1",
            "https://h:1/path",
            "http://",
            "http://h:x",
            "http://h:1/path",
            "http://h:99999",
        ] {
            assert!(choose(Some(url), "", "").is_err(), "{url}");
        }
    }
}
