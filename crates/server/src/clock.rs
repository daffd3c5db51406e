//! The one place in the server that asks the system for the time and for randomness.

use std::time::{SystemTime, UNIX_EPOCH};

use model::{Entropy, Timestamp};

/// The time now.
#[must_use]
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// The time now, in milliseconds since 1970, as the embedded services have it.
#[must_use]
pub(crate) fn milliseconds() -> i64 {
    i64::try_from(now().as_millis()).unwrap_or(i64::MAX)
}

/// Randomness of the operating system.
#[derive(Debug, Default)]
pub(crate) struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn next_u128(&mut self) -> u128 {
        let mut bytes = [0; 16];
        // The kernel's generator fails only before it is seeded, at boot; ids must not be guessed then.
        getrandom::fill(&mut bytes).expect("the system has no randomness");
        u128::from_ne_bytes(bytes)
    }
}

/// Bytes that nobody can guess.
#[must_use]
pub(crate) fn random() -> [u8; 32] {
    let [a, b] = [SystemEntropy.next_u128(), SystemEntropy.next_u128()];
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&a.to_ne_bytes());
    bytes[16..].copy_from_slice(&b.to_ne_bytes());
    bytes
}

/// A fresh request id: a UUID of version 4.
#[must_use]
pub(crate) fn request_id() -> String {
    let random = SystemEntropy.next_u128();
    let version = (random & !(0xf << 76)) | (4 << 76);
    let variant = (version & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{variant:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn request_ids_are_uuids() {
        let id = super::request_id();
        assert_eq!(id.len(), 36);
        assert_eq!(&id[14..15], "4", "{id}");
        assert!(matches!(&id[19..20], "8" | "9" | "a" | "b"), "{id}");
    }
}
