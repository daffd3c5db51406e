//! What a daemon is started with, and the credentials that it knows.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use control::Quotas;
use delivery::S3Files;
use flow_logs::Aggregation;
use model::{AccountId, Region, Scope};

use crate::destinations;
use crate::export::Export;
use crate::proxy::Upstream;

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The state folder; without one, state lives in a temporary folder that goes with the daemon.
    pub state: Option<PathBuf>,
    /// A file of `weir export` to begin with; the state folder has to be empty then.
    pub state_from: Option<PathBuf>,
    /// Where to listen. Only loopback: anything else would need real credentials and TLS.
    pub listen: SocketAddr,
    /// The Region of calls that name none, and of the simulated internet's hosts.
    pub region: Region,
    /// The account of access keys that Weir does not know.
    pub account: AccountId,
    /// Whether callers may do only what their IAM policies allow.
    pub enforce_iam: bool,
    /// How long windows of flow logs are.
    pub aggregation: Aggregation,
    /// When files of flow logs come to S3.
    pub s3_files: S3Files,
    /// Whether the simulated internet is connected to the real one, through the host.
    pub uplink: bool,
    /// The name server that is asked for names of the real internet, with an uplink; without one, this machine's.
    pub resolver: Option<SocketAddr>,
    /// Who carries the packets of flows that have been decided on.
    pub carrier: Carrier,
    /// How many flows the kernel carries, if it does; the packets of others are carried by the daemon.
    pub kernel_flows: u32,
    /// Where flow logs for S3 go; without one, to the embedded S3.
    pub s3_endpoint: Option<Endpoint>,
    /// Where flow logs for CloudWatch Logs go; without one, to the embedded one.
    pub logs_endpoint: Option<Endpoint>,
    /// Where flow logs for Firehose go; without one, to the embedded one.
    pub firehose_endpoint: Option<Endpoint>,
    /// What stands for DynamoDB, `http://host[:port]`; without it, connections to DynamoDB are refused.
    pub dynamodb_endpoint: Option<String>,
    /// A file of AWS's address ranges, `ip-ranges.json`, for the service fields of flow logs; without one, what is built in.
    pub ip_ranges: Option<PathBuf>,
    /// Where records of every interface go besides flow logs.
    pub exports: Vec<Export>,
    /// How many there may be of everything.
    quotas: Quotas,
    /// The program that sandboxes are started with: this one.
    pub executable: PathBuf,
}

/// Who carries the packets of flows that have been decided on. The answers are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The kernel where it can, else the daemon.
    Auto,
    /// The kernel; the daemon does not start where it cannot.
    Kernel,
    /// The daemon.
    Weir,
}

/// An AWS-compatible service elsewhere, and the keys to use there.
#[derive(Clone)]
pub struct Endpoint {
    /// `http://host[:port]`, `https://host[:port]`, or `aws`.
    pub url: String,
    /// The access key.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
    /// The token of temporary keys.
    pub session_token: Option<String>,
    /// A file with the certificates of the authorities to trust, instead of this machine's.
    pub ca_bundle: Option<PathBuf>,
}

impl fmt::Debug for Endpoint {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// How many flows the kernel carries unless told otherwise: 16 MiB.
pub const KERNEL_FLOWS: u32 = 1 << 17;
/// The port that clients of local AWS tools expect.
pub const DEFAULT_PORT: u16 = 4566;
/// The account of access keys that Weir does not know.
pub const DEFAULT_ACCOUNT: &str = "123456789012";
/// The Region of calls that name none.
pub const DEFAULT_REGION: &str = "us-east-1";

impl Config {
    /// A daemon on the default port, with state in `state`.
    ///
    /// # Errors
    ///
    /// If this program's own path is unknown.
    pub fn new(state: Option<PathBuf>) -> anyhow::Result<Self> {
        Ok(Self {
            state,
            state_from: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT)),
            region: DEFAULT_REGION.parse()?,
            account: DEFAULT_ACCOUNT.parse()?,
            enforce_iam: false,
            aggregation: Aggregation::Nitro,
            s3_files: S3Files::default(),
            uplink: false,
            resolver: None,
            carrier: Carrier::Auto,
            kernel_flows: KERNEL_FLOWS,
            s3_endpoint: None,
            logs_endpoint: None,
            firehose_endpoint: None,
            dynamodb_endpoint: None,
            ip_ranges: None,
            exports: Vec::new(),
            quotas: Quotas::default(),
            executable: std::env::current_exe()?,
        })
    }

    /// Adjusts a quota of AWS's by its name here, `network_interfaces` for example.
    ///
    /// # Errors
    ///
    /// If there is no such quota; the message has the names of all.
    pub fn set_quota(&mut self, name: &str, value: usize) -> anyhow::Result<()> {
        let known = self.quotas.set(name, value);
        let names = Quotas::NAMES.join(", ");
        anyhow::ensure!(known, "there is no quota {name}; there are {names}");
        Ok(())
    }

    /// How many there may be of everything.
    pub(crate) fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// The default account in the default Region; it also holds the hosts of the internet.
    #[must_use]
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            account: self.account,
            region: self.region,
        }
    }

    /// Refuses what is not safe.
    ///
    /// # Errors
    ///
    /// If others than this machine could connect, or an endpoint cannot be used.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.listen.ip().is_loopback(),
            "refusing to listen on {}: without real credentials and TLS, Weir listens on loopback only",
            self.listen
        );
        destinations::check(self)?;
        self.dynamodb().map(drop)
    }

    /// Where requests for DynamoDB go on to.
    ///
    /// # Errors
    ///
    /// If that is no endpoint.
    pub(crate) fn dynamodb(&self) -> anyhow::Result<Option<Upstream>> {
        let url = self.dynamodb_endpoint.as_deref();
        let upstream = url.map(Upstream::parse).transpose();
        upstream.context("the endpoint of DynamoDB cannot be used")
    }
}

/// The access key and secret of an account that Weir knows. Signatures made with it are verified.
#[must_use]
pub fn credentials(account: AccountId) -> (String, String) {
    (
        format!("{KNOWN_KEY}{account}"),
        format!("weir-local-secret-of-{account}"),
    )
}

/// The account that an access key names: known keys, and bare account ids as local tools have them.
#[must_use]
pub(crate) fn account_of(access_key: &str) -> Option<AccountId> {
    access_key
        .strip_prefix(KNOWN_KEY)
        .unwrap_or(access_key)
        .parse()
        .ok()
}

/// The secret of an access key, if Weir knows it.
#[must_use]
pub(crate) fn secret_of(access_key: &str) -> Option<String> {
    let account = access_key.strip_prefix(KNOWN_KEY)?.parse().ok()?;
    Some(credentials(account).1)
}

/// With the account behind it, as long as AWS's access keys are.
const KNOWN_KEY: &str = "AKIAWEIR";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_name_their_account() {
        let account: AccountId = "111122223333".parse().unwrap();
        let (key, secret) = credentials(account);
        assert_eq!(key.len(), 20);
        assert_eq!(account_of(&key), Some(account));
        assert_eq!(secret_of(&key), Some(secret));
        assert_eq!(account_of("111122223333"), Some(account));
        assert_eq!(secret_of("111122223333"), None);
        assert_eq!(account_of("AKIAIOSFODNN7EXAMPLE"), None);
    }

    #[test]
    fn only_loopback_is_listened_on() {
        let mut config = Config::new(None).unwrap();
        config.check().unwrap();
        config.listen = "0.0.0.0:4566".parse().unwrap();
        assert!(config.check().is_err());
    }

    #[test]
    fn endpoints_are_checked_before_anything_starts() {
        let with = |url: &str, access_key_id: &str| {
            let mut config = Config::new(None).unwrap();
            config.logs_endpoint = Some(Endpoint {
                url: url.to_owned(),
                access_key_id: access_key_id.to_owned(),
                secret_access_key: "never shown".to_owned(),
                session_token: None,
                ca_bundle: None,
            });
            assert!(!format!("{config:?}").contains("never shown"));
            config.check().map_err(|error| format!("{error:#}"))
        };
        assert_eq!(with("http://127.0.0.1:9000", "key"), Ok(()));
        for (url, key, problem) in [
            ("https://logs.example/path", "key", "not an endpoint"),
            ("logs.example", "key", "not an endpoint"),
            ("http://logs.example", "", "access key"),
            ("http://logs.example", "a\nb", "access key"),
        ] {
            let error = with(url, key).unwrap_err();
            assert!(
                error.contains("CloudWatch Logs") && error.contains(problem),
                "{error}"
            );
        }
    }
}
