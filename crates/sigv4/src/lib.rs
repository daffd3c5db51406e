//! AWS Signature Version 4: signs requests and verifies signed ones, as headers and as presigned URLs, over bytes and a
//! time in seconds since the epoch (AWS: "AWS Signature Version 4 for API requests").
//! It never reads a clock, looks up a key, or decides what a caller may do.

mod authorization;
mod canonical;
pub mod date;
mod encode;
mod error;
mod hash;
mod sign;
mod verify;

pub use authorization::{Authorization, Credential, Placement};
pub use canonical::{Payload, Request, canonical_request, string_to_sign};
pub use error::Error;
pub use hash::{sha256_hex, signing_key};
pub use sign::{Credentials, Scope, presign, sign};
pub use verify::{chunk_signature, verify};

/// The name of the signing algorithm.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The payload hash of a request whose body is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// Longest lifetime of a presigned URL: seven days (AWS: "Authenticating Requests: Using Query Parameters").
pub const EXPIRES_MAX_S: u64 = 604_800;

#[cfg(test)]
mod tests;
