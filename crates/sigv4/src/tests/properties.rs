//! Properties over arbitrary requests.

use proptest::prelude::*;

use crate::{Credential, Credentials, Error, Payload, Request, Scope, date, presign, sign, verify};

const SKEW_S: u64 = 300;

/// A request that owns its parts.
#[derive(Clone, Debug)]
struct Owned {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Owned {
    fn with<T>(&self, check: impl FnOnce(&Request<'_>) -> T) -> T {
        let pairs = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let headers: Vec<_> = pairs.collect();
        check(&Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: &headers,
            payload: Payload::Body(&self.body),
        })
    }

    fn verify(&self, secret: &str, now_s: u64) -> Result<(), Error> {
        self.with(|request| verify(request, secret, now_s, SKEW_S))
    }
}

fn any_request() -> impl Strategy<Value = Owned> {
    let header = ("x-[a-z]{1,5}", "[ -~]{0,20}");
    (
        prop_oneof![Just("GET".to_owned()), Just("POST".to_owned())],
        "/([a-zA-Z0-9 %./~!+-]|%2[0-9A-F]|é){0,20}",
        "([a-z]{1,3}=[a-z%+ ]{0,5}&?){0,4}",
        prop::collection::vec(header, 0..4),
        prop::collection::vec(any::<u8>(), 0..50),
    )
        .prop_map(|(method, path, query, mut headers, body)| {
            headers.push(("Host".to_owned(), "127.0.0.1:4566".to_owned()));
            Owned {
                method,
                path,
                query,
                headers,
                body,
            }
        })
}

fn any_service() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("s3"), Just("ec2"), Just("logs")]
}

fn credentials(secret: &str) -> Credentials<'_> {
    Credentials {
        access_key_id: "AKIDEXAMPLE",
        secret_access_key: secret,
        session_token: Some("token"),
    }
}

fn signed(request: &Owned, service: &str, secret: &str, now_s: u64) -> Owned {
    let scope = Scope {
        region: "eu-central-1",
        service,
    };
    let added = request
        .with(|request| sign(request, &credentials(secret), &scope, now_s))
        .unwrap();
    let mut signed = request.clone();
    signed.headers.extend(
        added
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value)),
    );
    signed
}

proptest! {
    #[test]
    fn dates_round_trip(unix_s in 0u64..=253_402_300_799) {
        prop_assert_eq!(date::parse_amz(&date::format_amz(unix_s)), Some(unix_s));
    }

    #[test]
    fn the_next_second_is_written_later(unix_s in 0u64..253_402_300_799) {
        prop_assert!(date::format_amz(unix_s) < date::format_amz(unix_s + 1));
    }

    #[test]
    fn what_is_signed_is_verified(
        request in any_request(),
        service in any_service(),
        secret in ".{0,80}",
        now_s in 0u64..4_000_000_000,
        late_s in 0u64..=SKEW_S,
    ) {
        let signed = signed(&request, service, &secret, now_s);
        prop_assert_eq!(signed.verify(&secret, now_s + late_s), Ok(()));
        let other_secret = [&secret, "x"].concat();
        prop_assert!(signed.verify(&other_secret, now_s).is_err());
        prop_assert!(signed.verify(&secret, now_s + SKEW_S + 1).is_err());
    }

    #[test]
    fn a_changed_request_is_refused(
        request in any_request(),
        service in any_service(),
        change in 0..6,
        at: prop::sample::Index,
    ) {
        let now_s = 1_769_903_999;
        let good = signed(&request, service, "secret", now_s);
        let mut bad = good.clone();
        match change {
            0 => bad.method.push('X'),
            1 => bad.path.push('x'),
            2 => bad.query.push_str("&x=1"),
            3 => bad.body.push(0),
            4 => {
                let at = at.index(bad.headers.len());
                bad.headers[at].1.push('x');
            }
            _ => {
                let at = at.index(bad.headers.len());
                bad.headers.remove(at);
            }
        }
        prop_assert!(bad.verify("secret", now_s).is_err(), "{:?}", bad);
    }

    #[test]
    fn a_changed_signature_is_refused(
        request in any_request(),
        at in 0usize..64,
        digit in "[0-9a-fA-F]",
    ) {
        let now_s = 1_769_903_999;
        let mut bad = signed(&request, "ec2", "secret", now_s);
        let (_, value) = bad.headers.last_mut().unwrap();
        let place = value.len() - 64 + at;
        prop_assume!(value[place..=place] != digit);
        value.replace_range(place..=place, &digit);
        prop_assert_eq!(bad.verify("secret", now_s), Err(Error::Mismatch));
    }

    #[test]
    fn presigned_urls_are_verified(
        request in any_request(),
        service in any_service(),
        now_s in 0u64..4_000_000_000,
        expires_s in 1u64..=604_800,
        extra in "[a-z]{1,3}",
    ) {
        let scope = Scope { region: "eu-central-1", service };
        let query = request
            .with(|request| presign(request, &credentials("secret"), &scope, now_s, expires_s))
            .unwrap();
        let mut presigned = Owned { query, ..request };
        prop_assert_eq!(presigned.verify("secret", now_s + expires_s), Ok(()));
        prop_assert!(presigned.verify("secret", now_s + expires_s + 1).is_err());
        presigned.query.push('&');
        presigned.query.push_str(&extra);
        prop_assert_eq!(presigned.verify("secret", now_s), Err(Error::Mismatch));
    }

    #[test]
    fn no_text_panics(
        texts in prop::collection::vec("\\PC{0,40}", 6),
        prefix in prop_oneof![
            Just(""),
            Just("AWS4-HMAC-SHA256 "),
            Just("AWS4-HMAC-SHA256 Credential=A/20260131/r/s3/aws4_request,SignedHeaders=host,"),
        ],
        query_prefix in prop_oneof![
            Just(""),
            Just("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=1&X-Amz-SignedHeaders=host&"),
        ],
        now_s: u64,
    ) {
        let _ = (Credential::parse(&texts[0]), date::parse_amz(&texts[0]), date::parse_http(&texts[0]));
        let request = Owned {
            method: texts[1].clone(),
            path: texts[2].clone(),
            query: format!("{query_prefix}{}", texts[3]),
            headers: vec![
                ("host".to_owned(), texts[4].clone()),
                ("x-amz-date".to_owned(), "20260131T235959Z".to_owned()),
                ("Authorization".to_owned(), format!("{prefix}{}", texts[5])),
            ],
            body: Vec::new(),
        };
        prop_assert!(request.verify("secret", now_s).is_err());
    }
}
