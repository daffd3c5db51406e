//! Tokens of sessions: valid for one instance until they expire, and remembered by nobody.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use model::{InstanceId, Timestamp};
use sha2::Sha256;

/// What tokens are made with. Tokens of another key are worth nothing.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

/// A token is this moment in seconds and the code over it and the instance: 56 characters in base64, as AWS's are.
const EXPIRY_LEN: usize = 8;
const TOKEN_LEN: usize = EXPIRY_LEN + 32;

impl TokenKey {
    /// A key from random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        let mut block = [0; 64];
        block[..32].copy_from_slice(&random);
        Self(Hmac::new(&block.into()))
    }

    /// A token for an instance.
    pub(crate) fn issue(&self, instance: InstanceId, ttl_s: u32, now: Timestamp) -> String {
        let expiry = (now.as_secs() + u64::from(ttl_s)).to_be_bytes();
        let code = self.over(instance, expiry).finalize().into_bytes();
        let token: Vec<u8> = expiry.iter().chain(code.iter()).copied().collect();
        STANDARD.encode(token)
    }

    /// Whether a token is one of this key's for the instance that has not expired. Compared in constant time.
    pub(crate) fn is_valid(&self, token: &str, instance: InstanceId, now: Timestamp) -> bool {
        let Ok(token) = STANDARD.decode(token) else {
            return false;
        };
        let Some((expiry, code)) = token.split_first_chunk::<EXPIRY_LEN>() else {
            return false;
        };
        token.len() == TOKEN_LEN
            && self.over(instance, *expiry).verify_slice(code).is_ok()
            && now.as_secs() < u64::from_be_bytes(*expiry)
    }

    fn over(&self, instance: InstanceId, expiry: [u8; EXPIRY_LEN]) -> Hmac<Sha256> {
        let mut code = self.0.clone();
        code.update(&expiry);
        code.update(instance.to_string().as_bytes());
        code
    }
}

impl std::fmt::Debug for TokenKey {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenKey").finish_non_exhaustive()
    }
}
