//! Access keys and who is behind them: an account's root user, one of its users, or a session of a role.
//!
//! Temporary keys are not kept anywhere. Their secrets and their session tokens are made with a key of the state
//! folder, so that what comes back can be checked, after a restart, too.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use model::{AccountId, Entropy, Timestamp, World};
use policy::Permissions;
use serde::{Deserialize, Serialize};
use services::s3::{CredentialError, Credentials};
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::clock::{self, SystemEntropy};
use crate::service::Service;
use crate::{config, permissions};

/// The access keys that this daemon believes.
pub(crate) struct Keyring {
    key: [u8; 32],
    /// The account of keys that name none.
    default: AccountId,
    /// Where users and their keys are, once there is a world.
    world: Option<watch::Receiver<Arc<World>>>,
    /// Whether callers may do only what their policies allow, and only known keys are believed.
    enforces: bool,
}

/// Who is behind an access key.
#[derive(Debug, PartialEq)]
pub(crate) struct Signer {
    pub(crate) account: AccountId,
    pub(crate) identity: policy::Identity,
    /// When the session began, if it is one.
    pub(crate) issued: Option<Timestamp>,
    /// What its policies let it do; `None` is everything.
    pub(crate) permissions: Option<Arc<Permissions>>,
}

/// A session that is to begin.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewSession {
    pub(crate) role_arn: String,
    /// The unique id of the role, if IAM knows the role.
    pub(crate) role_id: Option<String>,
    pub(crate) session_name: String,
    pub(crate) duration_s: u64,
    /// The session policy.
    pub(crate) policy: Option<String>,
}

/// What AssumeRole gives out.
#[derive(Debug)]
pub(crate) struct TemporaryKey {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
    pub(crate) identity: policy::Identity,
    pub(crate) expires: Timestamp,
}

/// Why a temporary key is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// Not the key's token.
    #[error("The security token included in the request is invalid")]
    Invalid,
    /// The session has ended.
    #[error("The security token included in the request is expired")]
    Expired,
}

impl TokenError {
    /// Status and code in the words of a service.
    pub(crate) fn code(self, service: Service) -> (u16, &'static str) {
        match (self, service) {
            (Self::Invalid, Service::Ec2) => (401, "AuthFailure"),
            (Self::Invalid, Service::Sts | Service::Iam | Service::ElasticLoadBalancing) => {
                (403, "InvalidClientTokenId")
            }
            (Self::Invalid, Service::S3) => (400, "InvalidToken"),
            (Self::Invalid, _) => (400, "UnrecognizedClientException"),
            (Self::Expired, Service::Ec2) => (400, "RequestExpired"),
            (Self::Expired, Service::Sts) => (403, "ExpiredToken"),
            (Self::Expired, Service::S3) => (400, "ExpiredToken"),
            (Self::Expired, _) => (400, "ExpiredTokenException"),
        }
    }
}

/// What a session token says; nobody can make one without the daemon's key.
#[derive(Serialize, Deserialize)]
struct Claims {
    access_key_id: String,
    account: AccountId,
    role_arn: String,
    session_name: String,
    issued: Timestamp,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
}

impl Keyring {
    /// Opens the key of a state folder, or makes one.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or written.
    pub(crate) fn open(state: &Path, default: AccountId) -> anyhow::Result<Self> {
        let path = state.join(KEY_FILE);
        let key = match fs::read(&path) {
            Ok(bytes) => bytes
                .try_into()
                .map_err(|_| anyhow::anyhow!("{} holds no key", path.display()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = fresh_key();
                write_secret(&path, &key)
                    .with_context(|| format!("cannot write {}", path.display()))?;
                key
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self {
            key,
            default,
            world: None,
            enforces: false,
        })
    }

    /// With the users of IAM. If their policies are enforced, keys whose secrets nobody knows are not believed.
    #[must_use]
    pub(crate) fn with_iam(
        mut self,
        world: watch::Receiver<Arc<World>>,
        enforces: bool,
    ) -> Arc<Self> {
        (self.world, self.enforces) = (Some(world), enforces);
        Arc::new(self)
    }

    /// Whether the policies of callers are enforced.
    pub(crate) fn enforces(&self) -> bool {
        self.enforces
    }

    fn world(&self) -> Arc<World> {
        let world = self.world.as_ref();
        world.map_or_else(Arc::default, |world| world.borrow().clone())
    }

    fn permissions(
        &self,
        world: &World,
        identity: &policy::Identity,
        session: Option<&str>,
    ) -> Option<Arc<Permissions>> {
        if !self.enforces {
            return None;
        }
        permissions::of(world, identity, session).map(Arc::new)
    }

    /// The secret of an access key, if Weir knows it.
    pub(crate) fn secret_of(&self, access_key: &str) -> Option<String> {
        if is_temporary(access_key) {
            let code = self.code(&[b"secret", access_key.as_bytes()]);
            return Some(STANDARD.encode(code)[..40].to_owned());
        }
        let known = config::secret_of(access_key);
        known.or_else(|| {
            Some(
                permissions::user_of(&self.world(), access_key)?
                    .1
                    .secret
                    .clone(),
            )
        })
    }

    /// The account of an access key that is no session's.
    pub(crate) fn account_of(&self, access_key: &str) -> AccountId {
        config::account_of(access_key).unwrap_or(self.default)
    }

    /// Who is behind an access key that came with a session token.
    ///
    /// # Errors
    ///
    /// If it is a temporary key and the token does not say so, or no longer.
    pub(crate) fn signer(
        &self,
        access_key: &str,
        token: Option<&str>,
        now: Timestamp,
    ) -> Result<Signer, TokenError> {
        let world = self.world();
        if !is_temporary(access_key) {
            if let Some((account, key, user)) = permissions::user_of(&world, access_key) {
                let identity = permissions::identity_of(account, user);
                return match key.active {
                    true => Ok(Signer {
                        account,
                        permissions: self.permissions(&world, &identity, None),
                        identity,
                        issued: None,
                    }),
                    false => Err(TokenError::Invalid),
                };
            }
            if self.enforces && config::secret_of(access_key).is_none() {
                return Err(TokenError::Invalid);
            }
            let account = self.account_of(access_key);
            return Ok(Signer {
                permissions: None,
                account,
                identity: policy::Identity::root(&account.to_string()),
                issued: None,
            });
        }
        let claims = token.and_then(|token| self.read(token));
        let claims = claims.filter(|claims| claims.access_key_id == access_key);
        let claims = claims.ok_or(TokenError::Invalid)?;
        if now >= claims.expires {
            return Err(TokenError::Expired);
        }
        let identity = claims.identity();
        Ok(Signer {
            account: claims.account,
            permissions: self.permissions(&world, &identity, claims.policy.as_deref()),
            identity,
            issued: Some(claims.issued),
        })
    }

    /// Begins a session of a role of an account.
    pub(crate) fn assume(
        &self,
        account: AccountId,
        session: NewSession,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> TemporaryKey {
        let random = entropy.next_u128().to_be_bytes();
        let access_key_id = format!("{TEMPORARY_KEY}{}", letters(&random, 12));
        let expires = Timestamp::from_secs(now.as_secs() + session.duration_s);
        let claims = Claims {
            access_key_id: access_key_id.clone(),
            account,
            role_arn: session.role_arn,
            session_name: session.session_name,
            issued: now,
            expires,
            role_id: session.role_id,
            policy: session.policy,
        };
        TemporaryKey {
            secret_access_key: self.secret_of(&access_key_id).unwrap_or_default(),
            session_token: self.write(&claims),
            identity: claims.identity(),
            access_key_id,
            expires,
        }
    }

    fn write(&self, claims: &Claims) -> String {
        let text = serde_json::to_vec(claims).unwrap_or_default();
        let code = self.code(&[b"token", &text]);
        format!(
            "{}{}",
            URL_SAFE_NO_PAD.encode(code),
            URL_SAFE_NO_PAD.encode(text)
        )
    }

    fn read(&self, token: &str) -> Option<Claims> {
        let (code, text) = token.split_at_checked(CODE_LETTERS)?;
        let (code, text) = (
            URL_SAFE_NO_PAD.decode(code).ok()?,
            URL_SAFE_NO_PAD.decode(text).ok()?,
        );
        let mac = self.mac(&[b"token", &text]);
        mac.verify_slice(&code).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn code(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.mac(parts).finalize().into_bytes().into()
    }

    fn mac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("keys may have any length");
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac
    }
}

impl Claims {
    fn identity(&self) -> policy::Identity {
        let Self {
            account,
            role_arn,
            session_name,
            ..
        } = self;
        let role = role_arn.rsplit('/').next().unwrap_or_default();
        policy::Identity {
            account: account.to_string(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{role}/{session_name}"),
            principal_arn: role_arn.clone(),
            user_id: match &self.role_id {
                Some(id) => format!("{id}:{session_name}"),
                None => format!("{}:{session_name}", role_id(role_arn)),
            },
        }
    }
}

/// The unique id of a role, which depends on its ARN alone: there is no IAM here to give out others.
fn role_id(role_arn: &str) -> String {
    format!("AROA{}", letters(&Sha256::digest(role_arn), 17))
}

/// So many of the letters that ids of IAM are made of.
fn letters(bytes: &[u8], count: usize) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let letter = |byte: &u8| char::from(ALPHABET[usize::from(byte % 32)]);
    bytes.iter().map(letter).cycle().take(count).collect()
}

fn is_temporary(access_key: &str) -> bool {
    access_key.starts_with(TEMPORARY_KEY)
}

fn fresh_key() -> [u8; 32] {
    let mut key = [0; 32];
    key[..16].copy_from_slice(&SystemEntropy.next_u128().to_ne_bytes());
    key[16..].copy_from_slice(&SystemEntropy.next_u128().to_ne_bytes());
    key
}

/// A file that only its owner can read, from its first byte on.
fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let open = fs::File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    open.and_then(|mut file| file.write_all(bytes))
}

const KEY_FILE: &str = "session-key";
const TEMPORARY_KEY: &str = "ASIAWEIR";
/// The length of a code in a token: 32 bytes in base64.
const CODE_LETTERS: usize = 43;

/// The keyring as the embedded S3 asks it.
pub(crate) struct S3Keys(pub(crate) Arc<Keyring>);

impl Credentials for S3Keys {
    fn secret(&self, access_key: &str) -> Option<String> {
        self.0.secret_of(access_key)
    }

    fn signer(
        &self,
        access_key: &str,
        token: Option<&str>,
    ) -> Result<services::s3::Signer, CredentialError> {
        // What is not known was adopted before, by a key that is.
        self.0
            .secret_of(access_key)
            .ok_or(CredentialError::Unknown)?;
        let signer = self.0.signer(access_key, token, clock::now());
        let signer = signer.map_err(|error| match error {
            TokenError::Invalid if !is_temporary(access_key) => CredentialError::Unknown,
            TokenError::Invalid => CredentialError::InvalidToken,
            TokenError::Expired => CredentialError::ExpiredToken,
        })?;
        Ok(services::s3::Signer {
            identity: signer.identity,
            issued_s: signer
                .issued
                .map(|issued| i64::try_from(issued.as_secs()).unwrap_or(i64::MAX)),
            permissions: signer.permissions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(byte: u8) -> Keyring {
        Keyring {
            key: [byte; 32],
            default: "123456789012".parse().unwrap(),
            world: None,
            enforces: false,
        }
    }

    fn assume(keyring: &Keyring, now_s: u64) -> TemporaryKey {
        keyring.assume(
            "111122223333".parse().unwrap(),
            NewSession {
                role_arn: "arn:aws:iam::111122223333:role/path/reader".to_owned(),
                session_name: "tester".to_owned(),
                duration_s: 900,
                ..NewSession::default()
            },
            Timestamp::from_secs(now_s),
            &mut SystemEntropy,
        )
    }

    #[test]
    fn a_session_is_believed_by_its_token_while_it_lasts() {
        let keyring = keyring(1);
        let key = assume(&keyring, 1_000);
        assert_eq!(key.access_key_id.len(), 20);
        assert_eq!(key.secret_access_key.len(), 40);
        assert_eq!(
            keyring.secret_of(&key.access_key_id).as_ref(),
            Some(&key.secret_access_key)
        );
        let signer = |key: &str, token: Option<&str>, now_s| {
            keyring.signer(key, token, Timestamp::from_secs(now_s))
        };
        let token = Some(key.session_token.as_str());
        let session = signer(&key.access_key_id, token, 1_899).unwrap();
        assert_eq!(session.account.to_string(), "111122223333");
        assert_eq!(
            session.identity.arn,
            "arn:aws:sts::111122223333:assumed-role/reader/tester"
        );
        assert_eq!(
            session.identity.principal_arn,
            "arn:aws:iam::111122223333:role/path/reader"
        );
        assert_eq!(session.identity, key.identity);
        assert_eq!(
            signer(&key.access_key_id, token, 1_900),
            Err(TokenError::Expired)
        );
        assert_eq!(
            signer(&key.access_key_id, None, 1_000),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            signer(&key.access_key_id, Some("x"), 1_000),
            Err(TokenError::Invalid)
        );
        let other = assume(&keyring, 1_000);
        assert_eq!(
            signer(&other.access_key_id, token, 1_000),
            Err(TokenError::Invalid)
        );
        let mut changed = key.session_token.clone().into_bytes();
        *changed.last_mut().unwrap() ^= 1;
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(
            signer(&key.access_key_id, Some(&changed), 1_000),
            Err(TokenError::Invalid)
        );
    }

    #[test]
    fn another_daemons_sessions_are_nobodys() {
        let key = assume(&keyring(1), 0);
        let other = keyring(2);
        assert_ne!(
            other.secret_of(&key.access_key_id).as_ref(),
            Some(&key.secret_access_key)
        );
        let signer = other.signer(
            &key.access_key_id,
            Some(&key.session_token),
            Timestamp::from_secs(1),
        );
        assert_eq!(signer, Err(TokenError::Invalid));
    }

    #[test]
    fn the_key_stays_in_its_folder() {
        let folder = std::env::temp_dir().join(format!("weir-keyring-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let account = "123456789012".parse().unwrap();
        let first = Keyring::open(&folder, account).unwrap();
        let again = Keyring::open(&folder, account).unwrap();
        assert_eq!(first.key, again.key);
        assert_ne!(first.key, [0; 32]);
        fs::write(folder.join(KEY_FILE), b"short").unwrap();
        assert!(Keyring::open(&folder, account).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
