//! The way to the real internet: a TAP device whose packets leave through the host, translated to its own address.
//!
//! ```text
//!  forwarding loop ── TAP ─┬─ a namespace of our own ─┬─ weir-uplink ─── host ─── default route
//!                          └ public addresses become  └ TRANSFER becomes the host's address,
//!                            TRANSFER                   everything private is dropped
//! ```
//!
//! The namespace in between is why the host routes nothing for the instances' public addresses, which belong to
//! somebody else in the real internet: the host sees one neighbour with one private address. What has to change in the
//! host itself is done and undone by the [keeper].

pub(crate) mod keeper;
mod nft;
mod outside;

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::device::{Interface, InterfaceAddress, InterfaceRoute, Neighbour, Tap, configure};
use crate::error::{During, Error, Result};
use crate::netlink::{Family, Netlink};
use crate::netns::NetworkNamespace;

pub(crate) use nft::program as nft_program;
pub(crate) use outside::Outside;

/// The hardware address of the TAP device; frames for the real internet go there.
pub const UPLINK_MAC: [u8; 6] = [0x0e, 0, 0, 0, 1, 1];

/// A connection to the real internet. Dropping it takes back whatever was changed in the host; so does the end of this
/// process, however it ends.
#[derive(Debug)]
pub struct Uplink {
    keeper: Child,
    ipv6: bool,
    outside: Vec<String>,
}

/// What the keeper needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Where to find the namespace in between.
    namespace: String,
    outside: Outside,
}

impl Uplink {
    /// Connects to the real internet. Frames for it are to be written to the TAP device, addressed to [`UPLINK_MAC`];
    /// frames from it come out, addressed to `router_mac`. `executable` is a program that calls
    /// [`dispatch`](crate::dispatch).
    pub fn open(executable: &Path, router_mac: [u8; 6]) -> Result<(Self, Tap)> {
        let outside = Outside::find()?;
        nft_program().ok_or_else(|| Error::Uplink(nft::MISSING.into()))?;
        let namespace = NetworkNamespace::create()?;
        namespace.prepare(0)?;
        // Rules before devices: at no moment could anything pass that they refuse.
        namespace.run(|| {
            switch_on_forwarding(outside.ipv6)?;
            nft::run(&nft::inner())
        })?;
        let plan = Plan {
            namespace: format!(
                "/proc/{}/fd/{}",
                std::process::id(),
                namespace.as_fd().as_raw_fd()
            ),
            outside,
        };
        let keeper = start_keeper(executable, &plan)?;
        let uplink = Self {
            keeper,
            ipv6: plan.outside.ipv6,
            outside: plan.outside.interfaces,
        };
        let tap = Tap::create(&namespace, &tap_interface(router_mac))?;
        namespace.run(|| connect_inside(uplink.ipv6))?;
        Ok((uplink, tap))
    }

    /// Whether IPv6 reaches the real internet, too.
    #[must_use]
    pub fn ipv6(&self) -> bool {
        self.ipv6
    }

    /// The host's interfaces by which packets leave.
    #[must_use]
    pub fn interfaces(&self) -> &[String] {
        &self.outside
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        match self.keeper.wait() {
            Ok(status) if status.success() => {}
            other => tracing::error!(
                ?other,
                "what the uplink changed in the host may not be undone"
            ),
        }
    }
}

/// Starts the keeper and waits until it has changed the host, or says why it could not.
fn start_keeper(executable: &Path, plan: &Plan) -> Result<Child> {
    let plan = serde_json::to_string(plan).map_err(|error| Error::Invalid(error.to_string()))?;
    let mut keeper = Command::new(executable)
        .args([crate::UPLINK_ARGUMENT, &plan])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for the daemon, which then ends its keeper in good order.
        .process_group(0)
        .spawn()
        .during(|| "start the uplink's keeper".into())?;
    let mut line = String::new();
    if let Some(stdout) = keeper.stdout.take() {
        BufReader::new(stdout)
            .read_line(&mut line)
            .during(|| "wait for the uplink's keeper".into())?;
    }
    if line.trim() == keeper::READY {
        return Ok(keeper);
    }
    drop(keeper.stdin.take());
    let status = keeper
        .wait()
        .during(|| "wait for the uplink's keeper".into())?;
    Err(Error::Uplink(match line.trim() {
        "" => format!("its keeper ended with {status}"),
        reason => reason.to_owned(),
    }))
}

fn switch_on_forwarding(ipv6: bool) -> Result<()> {
    let mut settings = vec![
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        ("ipv4/ip_forward", "1"),
    ];
    if ipv6 {
        settings.push(("ipv6/conf/all/forwarding", "1"));
    }
    for (path, value) in settings {
        let path = format!("/proc/sys/net/{path}");
        std::fs::write(&path, value).during(|| format!("write {value} to {path}"))?;
    }
    Ok(())
}

/// Routes between the TAP device and the near end of the pair: what comes from the host goes to the TAP device, and
/// the other way round, whatever the addresses.
fn connect_inside(ipv6: bool) -> Result<()> {
    let mut netlink = Netlink::open()?;
    configure(
        &mut netlink,
        &end_of_pair(INNER, INNER_MAC, HOST_MAC, &TRANSFER, &HOST, ipv6),
    )?;
    let (inner, tap) = (netlink.index_of(INNER)?, netlink.index_of(TAP)?);
    let mut families = vec![(Family::V4, HOST[0], IpAddr::V4(ROUTER))];
    if ipv6 {
        families.push((Family::V6, HOST[1], IpAddr::V6(ROUTER_V6)));
    }
    for (family, host, router) in families {
        netlink.add_route(inner, &default_route(host))?;
        netlink.add_route_to(TABLE, tap, &default_route(router))?;
        netlink.add_rule(family, INNER, TABLE)?;
    }
    Ok(())
}

fn tap_interface(router_mac: [u8; 6]) -> Interface {
    let neighbour = |address| Neighbour {
        address,
        mac: router_mac,
    };
    Interface {
        name: TAP.into(),
        mac: UPLINK_MAC,
        mtu: MTU,
        addresses: Vec::new(),
        routes: Vec::new(),
        neighbours: vec![
            neighbour(IpAddr::V4(ROUTER)),
            neighbour(IpAddr::V6(ROUTER_V6)),
        ],
    }
}

/// One end of the pair. The other end is a neighbour known for good, so that neither has to answer for itself.
fn end_of_pair(
    name: &str,
    mac: [u8; 6],
    far_mac: [u8; 6],
    own: &[IpAddr; 2],
    far: &[IpAddr; 2],
    ipv6: bool,
) -> Interface {
    let wanted = |address: &&IpAddr| ipv6 || address.is_ipv4();
    Interface {
        name: name.into(),
        mac,
        mtu: MTU,
        addresses: (own.iter().filter(wanted))
            .map(|&address| InterfaceAddress {
                address,
                prefix: if address.is_ipv4() { 30 } else { 126 },
            })
            .collect(),
        routes: Vec::new(),
        neighbours: (far.iter().filter(wanted))
            .map(|&address| Neighbour {
                address,
                mac: far_mac,
            })
            .collect(),
    }
}

fn default_route(via: IpAddr) -> InterfaceRoute {
    InterfaceRoute {
        destination: match via {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        },
        prefix: 0,
        via: Some(via),
        onlink: true,
        metric: None,
        source: None,
    }
}

/// The host's interface.
pub(crate) const DEVICE: &str = "weir-uplink";
/// Its far end, in the namespace in between.
const INNER: &str = "weir-host";
const TAP: &str = "weir-tap";
const HOST_MAC: [u8; 6] = [0x0e, 0, 0, 0, 1, 2];
const INNER_MAC: [u8; 6] = [0x0e, 0, 0, 0, 1, 3];
/// The host's addresses on the pair.
const HOST: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 253, 253)),
    IpAddr::V6(Ipv6Addr::new(0xfd57, 0x6569, 0x7200, 0, 0, 0, 0, 1)),
];
/// The addresses that all public addresses become.
const TRANSFER: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 253, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd57, 0x6569, 0x7200, 0, 0, 0, 0, 2)),
];
/// The next hop towards the instances; nothing else has these addresses.
const ROUTER: Ipv4Addr = Ipv4Addr::new(169, 254, 254, 254);
const ROUTER_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xfe);
const MTU: u32 = 1500;
/// The table of routes towards the instances.
const TABLE: u8 = 100;
