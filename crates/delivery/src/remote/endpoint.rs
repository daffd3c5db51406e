//! The hosts that requests go to.

use http::Uri;
use http::uri::{Authority, Scheme};

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// One host for everything.
    Host(Scheme, Authority),
    /// AWS's own, by service and Region.
    Aws,
}

impl Endpoint {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text == "aws" {
            return Some(Self::Aws);
        }
        let uri: Uri = text.parse().ok()?;
        let scheme = uri.scheme()?;
        let plain = [Scheme::HTTP, Scheme::HTTPS].contains(scheme)
            && uri.path() == "/"
            && uri.query().is_none();
        let authority = uri
            .authority()
            .filter(|a| plain && !a.host().is_empty() && !a.as_str().contains('@'))?;
        Some(Self::Host(scheme.clone(), authority.clone()))
    }

    /// The scheme and authority of requests (AWS General Reference, "Service endpoints").
    pub(super) fn of(&self, service: &str, region: &str) -> (Scheme, String) {
        match self {
            Self::Host(scheme, authority) => (scheme.clone(), authority.to_string()),
            Self::Aws => {
                let end = if region.starts_with("cn-") { ".cn" } else { "" };
                (
                    Scheme::HTTPS,
                    format!("{service}.{region}.amazonaws.com{end}"),
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let of = |endpoint: &str, region| {
            let endpoint = Endpoint::parse(endpoint)?;
            let (scheme, authority) = endpoint.of("s3", region);
            Some(format!("{scheme} {authority}"))
        };
        for (endpoint, region, expected) in [
            ("http://127.0.0.1:9000", "us-east-1", "http 127.0.0.1:9000"),
            ("http://[::1]:9000/", "us-east-1", "http [::1]:9000"),
            ("https://minio.example", "us-east-1", "https minio.example"),
            ("aws", "eu-west-1", "https s3.eu-west-1.amazonaws.com"),
            ("aws", "cn-north-1", "https s3.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(of(endpoint, region).as_deref(), Some(expected));
        }
        for endpoint in [
            "",
            "127.0.0.1:9000",
            "http://a/b",
            "https://a?b",
            "ftp://a",
            "http://u:p@a",
            "https://u@a",
            "AWS",
        ] {
            assert_eq!(of(endpoint, "us-east-1"), None, "{endpoint}");
        }
    }
}
