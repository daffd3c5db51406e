//! Why a request is not accepted. Each service has its own code for each of these; the messages are AWS's.

use crate::date::format_amz;

/// Why a request's signature cannot be made or accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request carries no signature at all.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// The signature's parameters cannot be understood.
    #[error("{0}")]
    Malformed(&'static str),
    /// A header that must be there, or that `SignedHeaders` lists, is not in the request.
    #[error("The signed header '{0}' is missing from the request.")]
    MissingHeader(String),
    /// A header that must be signed is not in `SignedHeaders`.
    #[error("'{0}' must be a 'SignedHeader' in the AWS Authorization.")]
    HeaderNotSigned(&'static str),
    /// The request was signed too long ago.
    #[error(
        "Signature expired: {} is now earlier than {} ({} - {} min.)",
        format_amz(*signed_s),
        format_amz(now_s.saturating_sub(*skew_s)),
        format_amz(*now_s),
        skew_s / 60
    )]
    Expired {
        /// When the request was signed.
        signed_s: u64,
        /// The time it was checked against.
        now_s: u64,
        /// The difference that is tolerated.
        skew_s: u64,
    },
    /// The request was signed too far in the future.
    #[error(
        "Signature not yet current: {} is still later than {} ({} + {} min.)",
        format_amz(*signed_s),
        format_amz(now_s.saturating_add(*skew_s)),
        format_amz(*now_s),
        skew_s / 60
    )]
    NotYetCurrent {
        /// When the request was signed.
        signed_s: u64,
        /// The time it was checked against.
        now_s: u64,
        /// The difference that is tolerated.
        skew_s: u64,
    },
    /// The lifetime of a presigned URL is over.
    #[error("Request has expired")]
    PresignedExpired {
        /// When it ended.
        expired_s: u64,
    },
    /// The signature is wrong: another key, or a request changed on the way.
    #[error(
        "The request signature we calculated does not match the signature you provided. \
         Check your AWS Secret Access Key and signing method. \
         Consult the service documentation for details."
    )]
    Mismatch,
    /// `x-amz-content-sha256` is not the hash of the body.
    #[error("The provided 'x-amz-content-sha256' header does not match what was computed.")]
    ContentHashMismatch,
}
