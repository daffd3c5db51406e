//! SHA-256 and HMAC-SHA256 in the forms that signing needs.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

const BLOCK_LEN: usize = 64;

/// The SHA-256 of bytes in lower-case hex.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// The key that signs for one day, Region and service (AWS: "Create a signed AWS API request"). `date` is `yyyymmdd`.
pub fn signing_key(secret_access_key: &str, date: &str, region: &str, service: &str) -> [u8; 32] {
    let secret = ["AWS4", secret_access_key].concat();
    let date_key = digest(keyed(secret.as_bytes(), date));
    let region_key = digest(keyed(&date_key, region));
    let service_key = digest(keyed(&region_key, service));
    digest(keyed(&service_key, "aws4_request"))
}

/// The signature of a string in lower-case hex.
pub(crate) fn signature(key: &[u8; 32], string_to_sign: &str) -> String {
    hex(&digest(keyed(key, string_to_sign)))
}

/// Compares a signature in lower-case hex with the right one, in constant time.
pub(crate) fn signature_is_right(key: &[u8; 32], string_to_sign: &str, signature: &str) -> bool {
    let Some(bytes) = unhex(signature) else {
        return false;
    };
    keyed(key, string_to_sign).verify_slice(&bytes).is_ok()
}

/// Whether a text is a SHA-256 in hex.
pub(crate) fn is_sha256_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn keyed(key: &[u8], message: &str) -> Hmac<Sha256> {
    let mut block = [0; BLOCK_LEN];
    match block.get_mut(..key.len()) {
        Some(place) => place.copy_from_slice(key),
        // RFC 2104: a key longer than a block is hashed.
        None => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    mac.update(message.as_bytes());
    mac
}

fn digest(mac: Hmac<Sha256>) -> [u8; 32] {
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    let digits = b"0123456789abcdef";
    let pairs = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    pairs
        .map(|nibble| char::from(digits[usize::from(nibble)]))
        .collect()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
