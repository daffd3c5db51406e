//! The keys that digest files are signed with: one pair for each Region, made when it is first needed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use getrandom::SysRng;
use model::{Region, Timestamp};
use rsa::PrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey as _, EncodeRsaPrivateKey as _, EncodeRsaPublicKey as _};
use rsa::sha2::Sha256;
use rusqlite::{Connection, params};
use s3s::crypto::{Checksum as _, Md5};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::CloudTrailError;
use super::store::Trails;
use super::{Answer, Call};
use crate::s3::hex;

const BITS: usize = 2048;

/// How long a key is said to be valid: digests are checked long after they were signed, and no key is withdrawn.
const VALIDITY_S: u64 = 10 * 365 * 86_400;

pub(super) const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS signing_key (
        region TEXT PRIMARY KEY, made INTEGER NOT NULL, private_key BLOB NOT NULL
    ) WITHOUT ROWID";

/// A Region's key pair.
#[derive(Clone, Debug)]
pub(super) struct SigningKey {
    private: PrivateKey,
    /// The public key in DER, as PKCS #1 has it.
    public: Vec<u8>,
    made: Timestamp,
}

/// The keys of Regions that have signed.
pub(super) type SigningKeys = BTreeMap<Region, SigningKey>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct ListPublicKeysInput {
    /// Seconds since 1970.
    start_time: Option<f64>,
    end_time: Option<f64>,
}

impl SigningKey {
    fn new(private: PrivateKey, made: Timestamp) -> Result<Self, rsa::pkcs1::Error> {
        let public = private.to_public_key().to_pkcs1_der()?.into_vec();
        Ok(Self {
            private,
            public,
            made,
        })
    }

    /// What digests name the key by.
    pub(super) fn fingerprint(&self) -> String {
        let mut md5 = Md5::new();
        md5.update(&self.public);
        hex(&md5.finalize())
    }

    /// SHA256withRSA over a text, in hexadecimal digits: the same for the same text. Randomness only blinds the computation.
    pub(super) fn sign(&self, text: &str) -> Result<String, rsa::Error> {
        let signature = self
            .private
            .pkcs1v15_sign_with_rng::<Sha256, _>(&mut SysRng, text.as_bytes())?;
        Ok(hex(&signature))
    }
}

/// Reads the keys of all Regions.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<SigningKeys> {
    let mut statement = connection.prepare("SELECT region, made, private_key FROM signing_key")?;
    let rows = statement.query_map([], |row| {
        let (region, made, der): (String, i64, Vec<u8>) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let damaged =
            |_| rusqlite::Error::InvalidColumnType(2, region.clone(), rusqlite::types::Type::Blob);
        let private = PrivateKey::from_pkcs1_der(&der).map_err(damaged)?;
        let made = Timestamp::from_secs(made.unsigned_abs());
        let key = SigningKey::new(private, made).map_err(damaged)?;
        let unknown = |_| rusqlite::Error::InvalidQuery;
        Ok((region.parse::<Region>().map_err(unknown)?, key))
    })?;
    rows.collect()
}

impl Trails {
    /// The key of a Region, on disk before anything is signed with it.
    pub(super) fn signing_key(&self, region: Region, now: Timestamp) -> Result<SigningKey, String> {
        if let Some(key) = self.signing_keys().get(&region) {
            return Ok(key.clone());
        }
        let private = PrivateKey::new(&mut SysRng, BITS).map_err(|error| error.to_string())?;
        let der = private.to_pkcs1_der().map_err(|error| error.to_string())?;
        let made = Timestamp::from_secs(now.as_secs());
        let key = SigningKey::new(private, made).map_err(|error| error.to_string())?;
        self.connection()
            .execute(
                "INSERT INTO signing_key (region, made, private_key) VALUES (?1, ?2, ?3)",
                params![region.name(), made.as_secs().cast_signed(), der.as_bytes()],
            )
            .map_err(|error| error.to_string())?;
        self.signing_keys().insert(region, key.clone());
        Ok(key)
    }

    /// The Region's public keys that were valid at a time between the two (API Reference, "ListPublicKeys").
    pub(super) fn list_public_keys(&self, call: &Call<'_>, input: &ListPublicKeysInput) -> Answer {
        let now = call.now.as_secs() as f64;
        let (from, to) = (
            input.start_time.unwrap_or(now),
            input.end_time.unwrap_or(now),
        );
        if from > to {
            let message = "The start time must be before the end time.";
            return Err(CloudTrailError::new("InvalidTimeRangeException", message));
        }
        let keys = self.signing_keys();
        let valid = keys.get(&call.scope.region).filter(|key| {
            let made = key.made.as_secs();
            made as f64 <= to && from <= (made + VALIDITY_S) as f64
        });
        let shape = |key: &SigningKey| {
            json!({
                "Value": STANDARD.encode(&key.public),
                "ValidityStartTime": key.made.as_secs(),
                "ValidityEndTime": key.made.as_secs() + VALIDITY_S,
                "Fingerprint": key.fingerprint(),
            })
        };
        let list: Vec<Value> = valid.map(shape).into_iter().collect();
        Ok(json!({ "PublicKeyList": list }))
    }
}
