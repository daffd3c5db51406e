//! Keeping out web pages: a browser would let any page talk to a port of its own machine, and Weir's keys are no
//! secret that a page could not know.

use http::{HeaderMap, Method, Uri, header};

use crate::service::Service;

/// Why a request is taken for that of a web page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// A page whose domain name leads to this machine (DNS rebinding).
    #[error(
        "Requests must name this machine by an IP address, as localhost, or by a name without a dot."
    )]
    Host,
    /// A page of any other site.
    #[error("Requests of web pages are refused.")]
    Page,
}

/// Refuses what a browser sends on behalf of a page.
///
/// # Errors
///
/// When the host that was asked for is not this machine, or the request has an origin. Objects of S3
/// can still be read: links to presigned URLs work, and pages cannot see the answer.
pub(crate) fn keep_out(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    service: Service,
) -> Result<(), Refused> {
    let hosts = headers
        .get_all(header::HOST)
        .iter()
        .map(|value| value.to_str().unwrap_or("?."));
    if !hosts.chain(uri.host()).all(is_this_machine) {
        return Err(Refused::Host);
    }
    let reads = service == Service::S3 && matches!(*method, Method::GET | Method::HEAD);
    let site = headers.get("sec-fetch-site");
    let has_origin =
        headers.contains_key(header::ORIGIN) || site.is_some_and(|value| value != "none");
    if has_origin && !reads {
        return Err(Refused::Page);
    }
    Ok(())
}

/// Whether a host, with or without a port, is a name that no page can have got for its own domain.
fn is_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        // An IPv6 address.
        Some(rest) => return rest.contains(']'),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    !name.contains('.')
        || name.parse::<std::net::Ipv4Addr>().is_ok()
        || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for host in [
            "127.0.0.1:4566",
            "[::1]:4566",
            "localhost",
            "LOCALHOST.:4566",
            "bucket.with.dots.localhost:4566",
            "weir:4566",
        ] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in [
            "evil.example:4566",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example.",
        ] {
            assert!(!is_this_machine(host), "{host}");
        }
    }

    #[test]
    fn pages_are_kept_out() {
        let check = |method: Method,
                     uri: &'static str,
                     headers: &[(&'static str, &'static str)],
                     service| {
            let headers = headers
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect();
            keep_out(&method, &Uri::from_static(uri), &headers, service)
        };
        let host = ("host", "127.0.0.1:4566");
        let page = Err(Refused::Page);
        for (method, uri, headers, service, expected) in [
            (Method::POST, "/", vec![host], Service::Ec2, Ok(())),
            (Method::POST, "/", vec![], Service::Ec2, Ok(())),
            (
                Method::POST,
                "/",
                vec![host, ("origin", "http://evil.example")],
                Service::Ec2,
                page,
            ),
            (
                Method::POST,
                "/",
                vec![host, ("origin", "null")],
                Service::Logs,
                page,
            ),
            (
                Method::GET,
                "/?Action=RunInstances",
                vec![host, ("sec-fetch-site", "cross-site")],
                Service::Ec2,
                page,
            ),
            (
                Method::GET,
                "/?Action=DescribeVpcs",
                vec![host, ("sec-fetch-site", "none")],
                Service::Ec2,
                Ok(()),
            ),
            (
                Method::GET,
                "/bucket/key",
                vec![host, ("sec-fetch-site", "cross-site")],
                Service::S3,
                Ok(()),
            ),
            (
                Method::PUT,
                "/bucket/key",
                vec![host, ("origin", "http://localhost:3000")],
                Service::S3,
                page,
            ),
            (
                Method::GET,
                "/bucket/key",
                vec![("host", "evil.example:4566")],
                Service::S3,
                Err(Refused::Host),
            ),
            (
                Method::GET,
                "http://evil.example/",
                vec![host],
                Service::S3,
                Err(Refused::Host),
            ),
        ] {
            assert_eq!(
                check(method.clone(), uri, &headers, service),
                expected,
                "{method} {uri} {headers:?}"
            );
        }
    }
}
