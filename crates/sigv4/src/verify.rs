//! The server's side: verifies the signature of a request.

use crate::{
    Authorization, Credential, Error, Placement, Request, UNSIGNED_PAYLOAD,
    canonical::payload_hash,
    canonical_request, date,
    hash::{sha256_hex, signature, signature_is_right, signing_key},
    string_to_sign,
};

/// Verifies a request that the owner of `secret_access_key` should have signed, at most `max_skew_s` from `now_s`.
/// To look up the secret, parse the request with [`Authorization::from_request`] first.
pub fn verify(
    request: &Request<'_>,
    secret_access_key: &str,
    now_s: u64,
    max_skew_s: u64,
) -> Result<(), Error> {
    Authorization::from_request(request)?.verify(request, secret_access_key, now_s, max_skew_s)
}

impl Authorization {
    /// Verifies the request that this was parsed from.
    pub fn verify(
        &self,
        request: &Request<'_>,
        secret_access_key: &str,
        now_s: u64,
        max_skew_s: u64,
    ) -> Result<(), Error> {
        self.check_time(now_s, max_skew_s)?;
        let Credential {
            date,
            region,
            service,
            ..
        } = &self.credential;
        let hash = self.payload_hash(request)?;
        let canonical = canonical_request(request, service, &self.signed_headers, &hash)?;
        let time = date::format_amz(self.signed_s);
        let text = string_to_sign(&time, &self.credential.scope(), &canonical);
        let key = signing_key(secret_access_key, date, region, service);
        if signature_is_right(&key, &text, &self.signature) {
            Ok(())
        } else {
            Err(Error::Mismatch)
        }
    }

    fn payload_hash(&self, request: &Request<'_>) -> Result<String, Error> {
        const NAME: &str = "x-amz-content-sha256";
        let service = self.credential.service.as_str();
        let is_signed = || {
            self.signed_headers
                .iter()
                .any(|name| name.eq_ignore_ascii_case(NAME))
        };
        match self.placement {
            Placement::Header => payload_hash(request, service, request.header(NAME)),
            Placement::Query { .. } if is_signed() => {
                payload_hash(request, service, request.header(NAME))
            }
            // Who presigns a URL does not know the body yet.
            Placement::Query { .. } if service == "s3" => Ok(UNSIGNED_PAYLOAD.to_owned()),
            Placement::Query { .. } => payload_hash(request, service, None),
        }
    }

    fn check_time(&self, now_s: u64, skew_s: u64) -> Result<(), Error> {
        let signed_s = self.signed_s;
        if signed_s > now_s.saturating_add(skew_s) {
            return Err(Error::NotYetCurrent {
                signed_s,
                now_s,
                skew_s,
            });
        }
        match self.placement {
            Placement::Header if signed_s < now_s.saturating_sub(skew_s) => Err(Error::Expired {
                signed_s,
                now_s,
                skew_s,
            }),
            Placement::Query { expires_s } if signed_s.saturating_add(expires_s) < now_s => {
                Err(Error::PresignedExpired {
                    expired_s: signed_s.saturating_add(expires_s),
                })
            }
            Placement::Header | Placement::Query { .. } => Ok(()),
        }
    }

    /// The signature of the next chunk of a body sent as `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`. `previous` is the
    /// signature of the chunk before it, for the first chunk that of the request.
    pub fn chunk_signature(&self, secret_access_key: &str, previous: &str, chunk: &[u8]) -> String {
        let Credential {
            date,
            region,
            service,
            ..
        } = &self.credential;
        let key = signing_key(secret_access_key, date, region, service);
        let time = date::format_amz(self.signed_s);
        chunk_signature(&key, &time, &self.credential.scope(), previous, chunk)
    }
}

/// The signature of one chunk (AWS: "Signature Calculations for the Authorization Header: Transferring Payload in
/// Multiple Chunks").
pub fn chunk_signature(
    key: &[u8; 32],
    date: &str,
    scope: &str,
    previous: &str,
    chunk: &[u8],
) -> String {
    let (empty, hash) = (sha256_hex(b""), sha256_hex(chunk));
    signature(
        key,
        &[
            "AWS4-HMAC-SHA256-PAYLOAD",
            date,
            scope,
            previous,
            &empty,
            &hash,
        ]
        .join("\n"),
    )
}
