//! Whom programs in a sandbox trust: the authorities that the host trusts, and those that the sandbox is given.

use std::fs;
use std::path::Path;

use rustix::mount::mount_bind;

use super::SandboxConfig;
use super::filesystem::{follow, write_file};
use crate::error::{During, Result};
use crate::sys;

/// Where the authorities are inside, in PEM; see [`VARIABLES`].
const BUNDLE: &str = "/run/weir/ca-certificates.crt";
/// Where distributions keep the authorities that programs trust if nobody tells them otherwise.
const BUNDLES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
/// By which programs are told that bring their own list of authorities: OpenSSL's, AWS's clients and SDKs, Python's
/// requests, curl, Node.
const VARIABLES: [&str; 5] = [
    "SSL_CERT_FILE",
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
];

/// Adds the sandbox's authorities to the host's, where programs look for them.
pub(super) fn install(config: &SandboxConfig) -> Result<()> {
    if config.authorities.is_empty() {
        return Ok(());
    }
    let hosts = BUNDLES
        .iter()
        .find_map(|path| fs::read_to_string(path).ok())
        .unwrap_or_default();
    let bundle = Path::new(BUNDLE);
    write_file(bundle, format!("{}\n{}", config.authorities, hosts), 0o644)?;
    for path in BUNDLES {
        let target = follow(Path::new(path));
        if target.is_file() {
            mount_bind(bundle, &target).during(|| format!("cover {}", target.display()))?;
            sys::set_one_mount_attributes(&target, libc::MOUNT_ATTR_RDONLY)
                .during(|| format!("make {} read-only", target.display()))?;
        }
    }
    Ok(())
}

/// The environment of every program in a sandbox.
pub(super) fn environment(has_authorities: bool) -> impl Iterator<Item = (String, String)> {
    let told = VARIABLES.iter().filter(move |_| has_authorities);
    told.map(|name| ((*name).to_owned(), BUNDLE.to_owned()))
}
