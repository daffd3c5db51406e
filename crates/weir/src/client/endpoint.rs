//! Where the daemon is.

use anyhow::{Context, bail};

/// The address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// `host:port`.
    pub(crate) authority: String,
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
        })
    }

    pub(crate) fn parse(url: &str) -> anyhow::Result<Self> {
        let Some(rest) = url.strip_prefix("http://") else {
            bail!("'{url}' is no address of a daemon: expected http://HOST:PORT");
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let host_end = authority.rfind(']').unwrap_or(0);
        let wrong = |c: char| c.is_whitespace() || "/?#@".contains(c);
        if authority.is_empty() || authority.contains(wrong) {
            bail!("'{url}' is no address of a daemon: expected http://HOST:PORT");
        }
        let authority = match authority[host_end..].split_once(':') {
            Some((_, port)) if port.parse::<u16>().is_ok() => authority.to_owned(),
            Some(_) => bail!("'{url}' has no valid port"),
            None => format!("{authority}:80"),
        };
        Ok(Self { authority })
    }

    /// As a URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority)
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
    fn only_plain_http_addresses() {
        assert_eq!(
            choose(Some("http://[::1]:5"), "", "").unwrap(),
            "http://[::1]:5"
        );
        assert_eq!(choose(Some("http://h"), "", "").unwrap(), "http://h:80");
        for url in [
            "",
            "h:1",
            "https://h:1",
            "http://",
            "http://h:x",
            "http://h:1/path",
            "http://h:99999",
        ] {
            assert!(choose(Some(url), "", "").is_err(), "{url}");
        }
    }
}
