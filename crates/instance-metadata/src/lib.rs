//! The instance metadata service: what an instance may ask about itself (Amazon EC2 User Guide, "Use instance metadata
//! to manage your EC2 instance").
//!
//! [`answer`] is a function of the account's state, of who asks and of what is asked. It knows no sockets and no HTTP
//! library, and believes only the network about who asks: never a header.

mod document;
mod network;
mod token;
mod tree;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::{
    Instance, MetadataOptions, NetworkInterface, NetworkInterfaceId, Scope, State, Timestamp,
};

pub use token::TokenKey;
use tree::Node;

/// A request, as far as the service looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET`, `HEAD` or `PUT`.
    pub method: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// `X-aws-ec2-metadata-token`.
    pub token: Option<&'a str>,
    /// `X-aws-ec2-metadata-token-ttl-seconds`.
    pub token_ttl: Option<&'a str>,
    /// Whether a proxy says that it sends this for somebody else: `X-Forwarded-For`.
    pub forwarded: bool,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status of HTTP.
    pub status: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// `X-aws-ec2-metadata-token-ttl-seconds`, with a token.
    pub token_ttl_s: Option<u32>,
    /// How many hops the answer may travel; `None` for as many as any packet.
    pub hop_limit: Option<u8>,
}

/// Who asks, and what else an answer depends on.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The account and Region.
    pub scope: Scope,
    /// What there is.
    pub state: &'a State,
    /// The interface that the request came from.
    pub interface: NetworkInterfaceId,
    /// The instruction set of its image: `x86_64`.
    pub architecture: &'a str,
}

/// The instance that asks, with everything that its answers are made of.
pub(crate) struct Place<'a> {
    pub(crate) scope: Scope,
    pub(crate) state: &'a State,
    pub(crate) instance: &'a Instance,
    /// Its interfaces, the primary one first.
    pub(crate) interfaces: Vec<&'a NetworkInterface>,
    pub(crate) architecture: &'a str,
}

impl<'a> Asker<'a> {
    fn place(&self) -> Option<Place<'a>> {
        let eni = self.state.network_interfaces.get(&self.interface)?;
        let instance = self.state.instances.get(&eni.instance_id()?)?;
        Some(Place {
            scope: self.scope,
            state: self.state,
            instance,
            interfaces: self.state.interfaces_of(instance.id),
            architecture: self.architecture,
        })
    }

    /// The options of the instance that asks, if it still is one.
    pub fn options(&self) -> Option<MetadataOptions> {
        self.place().map(|place| place.instance.metadata_options)
    }
}

/// Answers a request. `key` is what tokens are made with.
pub fn answer(asker: &Asker<'_>, request: &Request<'_>, key: &TokenKey, now: Timestamp) -> Answer {
    let Some(place) = asker.place() else {
        return Answer::error(404);
    };
    let options = place.instance.metadata_options;
    if !options.http_endpoint {
        return Answer::error(403);
    }
    let path: Vec<&str> = request.path.split('/').filter(|p| !p.is_empty()).collect();
    let is_token = matches!(path[..], [_, "api", "token"]);
    match request.method {
        "PUT" if is_token => issue(&place, request, key, now),
        "GET" | "HEAD" if !is_token => {
            if let Err(status) = check(&place, request, key, now) {
                return Answer::error(status);
            }
            read(&place, &path)
        }
        "PUT" | "GET" | "HEAD" => Answer::error(403),
        _ => Answer::error(405),
    }
}

/// Begins a session ("How Instance Metadata Service Version 2 works").
fn issue(place: &Place<'_>, request: &Request<'_>, key: &TokenKey, now: Timestamp) -> Answer {
    if request.forwarded {
        return Answer::error(403);
    }
    let ttl = request.token_ttl.and_then(|text| text.parse::<u32>().ok());
    let Some(ttl_s) = ttl.filter(|ttl| TOKEN_TTL_S.contains(ttl)) else {
        return Answer::error(400);
    };
    let options = place.instance.metadata_options;
    Answer {
        token_ttl_s: Some(ttl_s),
        hop_limit: Some(options.http_put_response_hop_limit),
        ..Answer::text(key.issue(place.instance.id, ttl_s, now))
    }
}

/// Whether a request may read: the status to refuse it with.
fn check(
    place: &Place<'_>,
    request: &Request<'_>,
    key: &TokenKey,
    now: Timestamp,
) -> Result<(), u16> {
    match request.token {
        Some(token) if key.is_valid(token, place.instance.id, now) => Ok(()),
        None if !place.instance.metadata_options.http_tokens_required => Ok(()),
        _ => Err(401),
    }
}

fn read(place: &Place<'_>, path: &[&str]) -> Answer {
    let Some((version, rest)) = path.split_first() else {
        return Answer::text(VERSIONS.join("\n"));
    };
    if !VERSIONS.contains(version) {
        return Answer::error(404);
    }
    match rest {
        [] => {
            let user_data = user_data(place).map(|_| "user-data");
            let names = ["dynamic", "meta-data"].into_iter().chain(user_data);
            Answer::text(names.collect::<Vec<_>>().join("\n"))
        }
        ["user-data"] => match user_data(place) {
            Some(body) => Answer {
                content_type: "application/octet-stream",
                body,
                ..Answer::text(String::new())
            },
            None => Answer::error(404),
        },
        ["meta-data", path @ ..] => found(tree::meta_data(place).at(path)),
        ["dynamic", path @ ..] => found(tree::dynamic(place).at(path)),
        _ => Answer::error(404),
    }
}

fn found(node: Option<&Node>) -> Answer {
    match node {
        Some(node) => Answer::text(node.text()),
        None => Answer::error(404),
    }
}

fn user_data(place: &Place<'_>) -> Option<Vec<u8>> {
    let text: String = place
        .instance
        .user_data
        .as_deref()?
        .split_whitespace()
        .collect();
    STANDARD.decode(text).ok()
}

impl Answer {
    fn text(body: String) -> Self {
        Self {
            status: 200,
            content_type: "text/plain",
            body: body.into_bytes(),
            token_ttl_s: None,
            hop_limit: None,
        }
    }

    /// An error, as a page.
    pub fn error(status: u16) -> Self {
        let words = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            405 => "Method Not Allowed",
            404 => "Not Found",
            _ => "Internal Server Error",
        };
        let title = format!("{status} - {words}");
        let page = format!(
            "<?xml version=\"1.0\" encoding=\"iso-8859-1\"?>\n\
             <html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\n \
             <head>\n  <title>{title}</title>\n </head>\n \
             <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
        );
        Self {
            status,
            content_type: "text/html",
            ..Self::text(page)
        }
    }
}

const TOKEN_TTL_S: std::ops::RangeInclusive<u32> = 1..=21_600;
/// Versions of the tree that AWS has published; here they are the same.
const VERSIONS: [&str; 29] = [
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
    "2011-01-01",
    "2011-05-01",
    "2012-01-12",
    "2014-02-25",
    "2014-11-05",
    "2015-10-20",
    "2016-04-19",
    "2016-06-30",
    "2016-09-02",
    "2018-03-28",
    "2018-08-17",
    "2018-09-24",
    "2019-10-01",
    "2020-10-27",
    "2021-01-03",
    "2021-03-23",
    "2021-07-15",
    "2022-09-24",
    "2024-04-11",
    "latest",
];

#[cfg(test)]
mod tests;
