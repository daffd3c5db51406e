//! What a request says about its signature: the `Authorization` header, or the query of a presigned URL.

use crate::{ALGORITHM, EXPIRES_MAX_S, Error, Request, date, encode::query_pairs};

/// The signature of a request and what it was made with. Parsed, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Who signed, and for what.
    pub credential: Credential,
    /// The names of the signed headers, as listed.
    pub signed_headers: Vec<String>,
    /// The signature in hex.
    pub signature: String,
    /// When the request was signed.
    pub signed_s: u64,
    /// The session token that came along, in a header or in the query.
    pub session_token: Option<String>,
    /// Where the signature stood.
    pub placement: Placement,
}

/// Where the signature of a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned URL.
    Query {
        /// Its lifetime from the time of signing on.
        expires_s: u64,
    },
}

/// The `Credential` of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key.
    pub access_key_id: String,
    /// The day the signing key is for: `yyyymmdd`.
    pub date: String,
    /// The Region the request is for.
    pub region: String,
    /// The signing name of the service the request is for.
    pub service: String,
}

impl Authorization {
    /// Finds and parses the signature of a request.
    pub fn from_request(request: &Request<'_>) -> Result<Authorization, Error> {
        let is_presigned = query_pairs(request.query).any(|(name, _)| name == "X-Amz-Algorithm");
        match (request.header("authorization"), is_presigned) {
            (Some(_), true) => Err(Error::Malformed(
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, \
                 Signature query string parameter or the Authorization header should be specified",
            )),
            (Some(value), false) => Authorization::from_header(request, value),
            (None, true) => Authorization::from_query(request),
            (None, false) => Err(Error::Missing),
        }
    }

    fn from_header(request: &Request<'_>, value: &str) -> Result<Authorization, Error> {
        let parameters = HeaderParameters::parse(value)?;
        let signed_s = match (request.header("x-amz-date"), request.header("date")) {
            (Some(text), _) => date::parse_amz(text.trim()),
            (None, Some(text)) => date::parse_amz(text.trim()).or_else(|| date::parse_http(text)),
            (None, None) => {
                return Err(Error::Malformed(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
                ));
            }
        };
        Authorization {
            credential: parameters.credential,
            signed_headers: parameters.signed_headers,
            signature: parameters.signature,
            signed_s: signed_s.ok_or(BAD_DATE)?,
            session_token: request.header("x-amz-security-token").map(str::to_owned),
            placement: Placement::Header,
        }
        .checked()
    }

    fn from_query(request: &Request<'_>) -> Result<Authorization, Error> {
        let [mut algorithm, mut credential, mut time] = [None, None, None];
        let [mut expires, mut signed_headers, mut signature, mut token] = [None, None, None, None];
        for (name, value) in query_pairs(request.query) {
            let place = match name.as_str() {
                "X-Amz-Algorithm" => &mut algorithm,
                "X-Amz-Credential" => &mut credential,
                "X-Amz-Date" => &mut time,
                "X-Amz-Expires" => &mut expires,
                "X-Amz-SignedHeaders" => &mut signed_headers,
                "X-Amz-Signature" => &mut signature,
                "X-Amz-Security-Token" => &mut token,
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(Error::Malformed(
                    "A query-string authentication parameter is given twice.",
                ));
            }
        }
        let required = |value: Option<String>| {
            value.ok_or(Error::Malformed(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                 X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.",
            ))
        };
        if required(algorithm)? != ALGORITHM {
            return Err(Error::Malformed(
                "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"",
            ));
        }
        let expires = required(expires)?;
        let digits = expires.bytes().all(|byte| byte.is_ascii_digit());
        let expires_s = expires
            .parse()
            .ok()
            .filter(|expires_s| digits && *expires_s >= 1);
        let expires_s = expires_s.ok_or(Error::Malformed("X-Amz-Expires should be a number"))?;
        if expires_s > EXPIRES_MAX_S {
            return Err(Error::Malformed(
                "X-Amz-Expires must be less than a week (in seconds); \
                 that is, the given X-Amz-Expires must be less than 604800 seconds",
            ));
        }
        Authorization {
            credential: Credential::parse(&required(credential)?)?,
            signed_headers: split_headers(&required(signed_headers)?),
            signature: required(signature)?,
            signed_s: date::parse_amz(&required(time)?).ok_or(BAD_DATE)?,
            session_token: token,
            placement: Placement::Query { expires_s },
        }
        .checked()
    }

    fn checked(self) -> Result<Authorization, Error> {
        if !date::format_amz(self.signed_s).starts_with(&self.credential.date) {
            return Err(Error::Malformed(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP",
            ));
        }
        if !self
            .signed_headers
            .iter()
            .any(|name| name.eq_ignore_ascii_case("host"))
        {
            return Err(Error::HeaderNotSigned("Host"));
        }
        Ok(self)
    }
}

impl Credential {
    /// Parses `<access key>/<yyyymmdd>/<region>/<service>/aws4_request`.
    pub fn parse(text: &str) -> Result<Credential, Error> {
        let bad = Error::Malformed(
            "Credential must have exactly 5 slash-delimited elements, \
             e.g. keyid/date/region/service/term",
        );
        // From the end, because only the access key may hold a slash.
        let mut parts = text.rsplitn(5, '/');
        let mut next = || {
            parts
                .next()
                .filter(|part| !part.is_empty())
                .ok_or(bad.clone())
        };
        let terminator = next()?;
        let (service, region, date, access_key_id) = (next()?, next()?, next()?, next()?);
        if terminator != "aws4_request" {
            return Err(Error::Malformed(
                "Credential should be scoped with a valid terminator: 'aws4_request'",
            ));
        }
        if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::Malformed(
                "Invalid credential date. This date is not in the format yyyyMMdd.",
            ));
        }
        Ok(Credential {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// The scope: everything but the access key.
    pub fn scope(&self) -> String {
        let Credential {
            date,
            region,
            service,
            ..
        } = self;
        format!("{date}/{region}/{service}/aws4_request")
    }
}

struct HeaderParameters {
    credential: Credential,
    signed_headers: Vec<String>,
    signature: String,
}

impl HeaderParameters {
    fn parse(value: &str) -> Result<HeaderParameters, Error> {
        let value = value.trim();
        let (algorithm, parameters) = value.split_once([' ', '\t']).unwrap_or((value, ""));
        if algorithm != ALGORITHM {
            return Err(Error::Malformed(
                "Unsupported AWS 'algorithm': only AWS4-HMAC-SHA256 is known.",
            ));
        }
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for parameter in parameters
            .split(',')
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            let (name, value) = parameter.split_once('=').ok_or(Error::Malformed(
                "Authorization header holds a key=value pair that lacks the equal sign.",
            ))?;
            let place = match name.trim_end() {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => continue,
            };
            if place.replace(value.trim_start()).is_some() {
                return Err(Error::Malformed(
                    "Authorization header holds a parameter twice.",
                ));
            }
        }
        let missing = |message| move || Error::Malformed(message);
        let credential = credential.ok_or_else(missing(
            "Authorization header requires 'Credential' parameter.",
        ))?;
        let signature = signature.ok_or_else(missing(
            "Authorization header requires 'Signature' parameter.",
        ))?;
        let signed_headers = signed_headers.ok_or_else(missing(
            "Authorization header requires 'SignedHeaders' parameter.",
        ))?;
        Ok(HeaderParameters {
            credential: Credential::parse(credential)?,
            signed_headers: split_headers(signed_headers),
            signature: signature.to_owned(),
        })
    }
}

fn split_headers(text: &str) -> Vec<String> {
    text.split(';')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

const BAD_DATE: Error =
    Error::Malformed("Date must be in ISO-8601 'basic format', such as 20260131T235959Z.");
