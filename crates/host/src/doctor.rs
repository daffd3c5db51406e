//! What this machine allows, and what to do about what it does not.

use std::fs;
use std::path::Path;

use crate::device;
use crate::error::{Error, Result};
use crate::fabric;
use crate::netns::NetworkNamespace;
use crate::sandbox::identity::Identity;
use crate::sandbox::limits::Hierarchy;
use crate::uplink;
use crate::userns::{Privilege, privilege};

/// How well something is provided for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// All is there.
    Ok,
    /// Weir runs, with less.
    Degraded,
    /// Weir cannot enforce anything and refuses to start.
    Missing,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// A short name.
    pub name: &'static str,
    /// The outcome.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What a person could do about it; empty if there is nothing to do.
    pub remedy: &'static str,
}

/// Looks at everything. To be called after [`enter_user_namespace`](crate::enter_user_namespace).
#[must_use]
pub fn doctor() -> Vec<Check> {
    let mut checks = enforcement_checks();
    checks.extend([
        check_identity(),
        check_limits(),
        check_fabric(),
        check_ping(),
        check_ipv6(),
        check_uplink(),
    ]);
    checks
}

/// Refuses a machine on which isolation between instances could not be enforced, saying why.
pub fn enforcement() -> Result<()> {
    let missing: Vec<String> = enforcement_checks()
        .into_iter()
        .filter(|check| check.status == Status::Missing)
        .map(|check| match check.remedy {
            "" => check.detail,
            remedy => format!("{} ({remedy})", check.detail),
        })
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Error::Enforcement(missing.join("; ")))
    }
}

fn enforcement_checks() -> Vec<Check> {
    vec![
        check_kernel(),
        check_privilege(),
        check_namespaces(),
        check_tap(),
    ]
}

fn check_fabric() -> Check {
    match fabric::probe() {
        Ok(()) => ok("ebpf", "the kernel carries the packets of known flows"),
        Err(error) => Check {
            name: "ebpf",
            status: Status::Degraded,
            detail: error.to_string(),
            remedy: "as root on Linux 6.6 or later, packets of known flows stay in the kernel",
        },
    }
}

fn check_kernel() -> Check {
    let release = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let mut numbers = release
        .split(['.', '-'])
        .map(|word| word.parse::<u32>().unwrap_or(0));
    let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let status = if version >= (5, 12) {
        Status::Ok
    } else {
        Status::Missing
    };
    Check {
        name: "kernel",
        status,
        detail: format!("Linux {release}"),
        remedy: if status == Status::Ok {
            ""
        } else {
            "Linux 5.12 or later is needed"
        },
    }
}

fn check_privilege() -> Check {
    let (status, detail, remedy) = match privilege() {
        Privilege::Capable | Privilege::UserNamespace => {
            let words = if in_user_namespace() {
                "root of a user namespace"
            } else {
                "root"
            };
            (Status::Ok, words.to_owned(), "")
        }
        Privilege::None => {
            let file = |path| {
                fs::read_to_string(path)
                    .unwrap_or_default()
                    .trim()
                    .to_owned()
            };
            let remedy = if file("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" {
                "run as root, or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`"
            } else if file("/proc/sys/user/max_user_namespaces") == "0" {
                "run as root, or `sysctl user.max_user_namespaces=10000`"
            } else {
                "run as root, or on a machine that allows user namespaces"
            };
            (
                Status::Missing,
                "neither CAP_NET_ADMIN nor a user namespace".to_owned(),
                remedy,
            )
        }
    };
    Check {
        name: "privilege",
        status,
        detail,
        remedy,
    }
}

fn in_user_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| !map.split_ascii_whitespace().eq(["0", "0", "4294967295"]))
}

fn check_namespaces() -> Check {
    match NetworkNamespace::create() {
        Ok(_) => ok("namespaces", "network namespaces can be created"),
        Err(error) => Check {
            name: "namespaces",
            status: Status::Missing,
            detail: error.to_string(),
            remedy: "a container needs --privileged, or at least CAP_SYS_ADMIN and CAP_NET_ADMIN",
        },
    }
}

fn check_tap() -> Check {
    match device::probe() {
        Ok(true) => ok(
            "tap",
            "TAP devices with virtio-net headers, TCP and UDP segmentation",
        ),
        Ok(false) => Check {
            name: "tap",
            status: Status::Degraded,
            detail: "TAP devices without UDP segmentation".into(),
            remedy: "Linux 6.2 or later passes large UDP sends whole",
        },
        Err(error) => Check {
            name: "tap",
            status: Status::Missing,
            detail: error.to_string(),
            remedy: tap_remedy(),
        },
    }
}

/// The file's own permissions refuse with `EACCES`, a container's with `EPERM`.
fn tap_remedy() -> &'static str {
    let opened = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    match opened.err().and_then(|error| error.raw_os_error()) {
        Some(libc::EACCES) => {
            "run as root, or `chmod 666 /dev/net/tun`, as most distributions have it"
        }
        Some(libc::ENOENT | libc::ENODEV) => "`modprobe tun`",
        _ => "a container needs --device /dev/net/tun",
    }
}

fn check_identity() -> Check {
    match Identity::for_number(0) {
        Identity::User { uid, .. } => ok(
            "users",
            &format!("each instance runs as a user of its own, from {uid} on"),
        ),
        Identity::NestedUser { .. } => Check {
            name: "users",
            status: Status::Degraded,
            detail: "seen from the host, instances run as the daemon's user, without capabilities"
                .into(),
            remedy: "run as root to give each instance a user of its own",
        },
    }
}

fn check_limits() -> Check {
    match Hierarchy::find() {
        Some(Hierarchy::Unified(parent)) => ok(
            "limits",
            &format!("control groups version 2 at {}", parent.display()),
        ),
        Some(Hierarchy::Separate { pids, .. }) => ok(
            "limits",
            &format!("control groups version 1 at {}", pids.display()),
        ),
        None => Check {
            name: "limits",
            status: Status::Degraded,
            detail: "no writable control group: only limits of each process".into(),
            remedy: "run as root, or with `systemd-run --user --scope -p Delegate=yes`",
        },
    }
}

fn check_ping() -> Check {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (_, gid) = Identity::for_number(0).file_owner();
    let found = NetworkNamespace::create().and_then(|namespace| {
        namespace.prepare(gid)?;
        namespace.run(|| {
            let range = read("/proc/sys/net/ipv4/ping_group_range");
            let port = read("/proc/sys/net/ipv4/ip_unprivileged_port_start");
            let mut ends = range
                .split_ascii_whitespace()
                .map_while(|word| word.parse::<u32>().ok());
            let inside = ends.next().is_some_and(|low| low <= gid) && ends.next() >= Some(gid);
            Ok((inside, port.trim() == "0"))
        })
    });
    match found {
        Ok((true, true)) => ok(
            "programs",
            "ping and ports below 1024 work without privileges",
        ),
        Ok((ping, ports)) => Check {
            name: "programs",
            status: Status::Degraded,
            detail: format!(
                "without privileges: ping {}, ports below 1024 {}",
                yes(ping),
                yes(ports)
            ),
            remedy: "/proc/sys/net must be writable",
        },
        Err(error) => Check {
            name: "programs",
            status: Status::Degraded,
            detail: error.to_string(),
            remedy: "",
        },
    }
}

fn check_ipv6() -> Check {
    if Path::new("/proc/sys/net/ipv6").exists() {
        return ok("ipv6", "available");
    }
    Check {
        name: "ipv6",
        status: Status::Degraded,
        detail: "switched off in this kernel: instances have IPv4 only".into(),
        remedy: "boot without ipv6.disable=1",
    }
}

/// What `weir up --uplink` would find. Nothing else needs it.
fn check_uplink() -> Check {
    let degraded = |detail: &str, remedy| Check {
        name: "uplink",
        status: Status::Degraded,
        detail: detail.into(),
        remedy,
    };
    if in_user_namespace() {
        return degraded(
            "not possible without root",
            "run as root, if you want `weir up --uplink`",
        );
    }
    if uplink::nft_program().is_none() {
        return degraded(
            "not possible: the program nft is not installed",
            "install nftables (`apt-get install nftables`), if you want `weir up --uplink`",
        );
    }
    match uplink::Outside::find() {
        Ok(outside) => {
            let by = outside.interfaces.join(", ");
            let forwarding = match outside.to_switch_on.is_empty() {
                true => "which forwards already",
                false => "whose forwarding (ip_forward) would be switched on meanwhile",
            };
            let ipv6 = match outside.ipv6 {
                true => "with IPv6",
                false => "without IPv6, which this machine does not forward",
            };
            ok("uplink", &format!("possible by {by}, {forwarding}; {ipv6}"))
        }
        Err(error) => degraded(
            &error.to_string(),
            "only `weir up --uplink` needs it; everything else works without",
        ),
    }
}

fn yes(works: bool) -> &'static str {
    if works { "works" } else { "does not work" }
}

fn ok(name: &'static str, detail: &str) -> Check {
    Check {
        name,
        status: Status::Ok,
        detail: detail.into(),
        remedy: "",
    }
}
