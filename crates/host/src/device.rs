//! TAP devices: the network interfaces of sandboxes.

use std::fs::File;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use crate::error::{During, Error, Result};
use crate::netlink::{LinkChange, Netlink};
use crate::netns::NetworkNamespace;
use crate::sys;

/// A network interface as a sandbox sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// `eth0`, `eth1`, ….
    pub name: String,
    /// Hardware address.
    pub mac: [u8; 6],
    /// Largest packet, without the Ethernet header.
    pub mtu: u32,
    /// Addresses, the primary one of each family first.
    pub addresses: Vec<InterfaceAddress>,
    /// Routes through this interface, besides those that follow from the addresses.
    pub routes: Vec<InterfaceRoute>,
    /// Neighbours known for good.
    pub neighbours: Vec<Neighbour>,
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// The prefix length of the network that is directly reachable.
    pub prefix: u8,
}

/// A route through an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceRoute {
    /// The destination network; the unspecified address with prefix 0 is the default route.
    pub destination: IpAddr,
    /// The destination's prefix length.
    pub prefix: u8,
    /// The next hop; without one the destination is directly on the link.
    pub via: Option<IpAddr>,
    /// Take the next hop to be on the link, whatever the addresses say.
    pub onlink: bool,
    /// The lower one wins among routes to the same destination.
    pub metric: Option<u32>,
    /// The source address that programs get when they choose none.
    pub source: Option<IpAddr>,
}

/// A neighbour known for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// Its hardware address.
    pub mac: [u8; 6],
}

/// Our end of a TAP device: whoever reads it gets what the sandbox sends. The device is gone when this is dropped.
#[derive(Debug)]
pub struct Tap {
    /// The name of the interface inside its namespace.
    pub name: String,
    fd: OwnedFd,
}

impl Tap {
    /// Creates the interface inside `namespace`, configured and up. Frames are read and written with a
    /// [`VnetHeader`](crate::VnetHeader) in front, and super-frames of up to 64 KiB pass whole.
    pub fn create(namespace: &NetworkNamespace, interface: &Interface) -> Result<Self> {
        namespace.run(|| {
            let fd = open_tap(&interface.name)?;
            configure(&mut Netlink::open()?, interface)?;
            Ok(Self {
                name: interface.name.clone(),
                fd,
            })
        })
    }

    /// The descriptor to give to the forwarding loop.
    #[must_use]
    pub fn into_fd(self) -> OwnedFd {
        self.fd
    }
}

impl AsFd for Tap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl NetworkNamespace {
    /// Adds an address to an interface of this namespace.
    pub fn add_address(&self, interface: &str, address: InterfaceAddress) -> Result<()> {
        self.run(|| {
            let mut netlink = Netlink::open()?;
            let index = netlink.index_of(interface)?;
            netlink.add_address(index, &address)?;
            match source_table(interface) {
                Some(table) => netlink.set_source_table(address.address, table),
                None => Ok(()),
            }
        })
    }

    /// Removes an address; one that is not there is no error.
    pub fn remove_address(&self, interface: &str, address: InterfaceAddress) -> Result<()> {
        self.run(|| {
            let mut netlink = Netlink::open()?;
            let index = netlink.index_of(interface)?;
            netlink.remove_address(index, &address)?;
            match source_table(interface) {
                Some(_) => netlink.clear_source_table(address.address),
                None => Ok(()),
            }
        })
    }

    /// Adds or replaces a route through an interface of this namespace.
    pub fn add_route(&self, interface: &str, route: InterfaceRoute) -> Result<()> {
        self.run(|| {
            let mut netlink = Netlink::open()?;
            let index = netlink.index_of(interface)?;
            netlink.add_route(index, &route)?;
            match source_table(interface) {
                Some(table) => netlink.add_route_to(table, index, &route),
                None => Ok(()),
            }
        })
    }
}

pub(crate) fn open_tap(name: &str) -> Result<OwnedFd> {
    let fd = rustix::fs::open(
        "/dev/net/tun",
        OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .during(|| "open /dev/net/tun".into())?;
    sys::tun_set_interface(fd.as_fd(), name).during(|| format!("create the TAP device {name}"))?;
    sys::tun_set_header_size(fd.as_fd(), crate::VnetHeader::LEN as i32)
        .during(|| "set the size of the virtio-net header".into())?;
    sys::tun_set_offload(fd.as_fd(), OFFLOADS_WITH_USO)
        .or_else(|_: io::Error| sys::tun_set_offload(fd.as_fd(), OFFLOADS))
        .during(|| "switch on the offloads of a TAP device".into())?;
    Ok(fd)
}

/// Configures an interface of this thread's namespace and sets it up.
pub(crate) fn configure(netlink: &mut Netlink, interface: &Interface) -> Result<()> {
    let index = netlink.index_of(&interface.name)?;
    netlink.change_link(
        index,
        &LinkChange {
            mac: Some(interface.mac),
            mtu: Some(interface.mtu),
            tx_queue_len: Some(TX_QUEUE_LEN),
            up: true,
        },
    )?;
    for address in &interface.addresses {
        if !ipv6_is_off(&interface.name, address.address) {
            netlink.add_address(index, address)?;
        }
    }
    for neighbour in &interface.neighbours {
        if !ipv6_is_off(&interface.name, neighbour.address) {
            netlink.add_neighbour(index, neighbour)?;
        }
    }
    for route in &interface.routes {
        if !ipv6_is_off(&interface.name, route.destination) {
            netlink.add_route(index, route)?;
        }
    }
    if let Some(table) = source_table(&interface.name) {
        answer_where_asked(netlink, index, interface, table)?;
    }
    Ok(())
}

/// The routing table of a further interface, `eth1` and up; its number is ours to choose.
fn source_table(interface: &str) -> Option<u8> {
    let number: u8 = interface.strip_prefix("eth")?.parse().ok()?;
    (1..=99).contains(&number).then_some(100 + number)
}

/// What has a further interface's address as its source leaves by it, as in Amazon's images: answers that left by the
/// first one would not pass its source check.
fn answer_where_asked(
    netlink: &mut Netlink,
    index: u32,
    interface: &Interface,
    table: u8,
) -> Result<()> {
    let usable = |address: IpAddr| !ipv6_is_off(&interface.name, address);
    for address in interface.addresses.iter().filter(|a| usable(a.address)) {
        netlink.add_route_to(table, index, &on_link(address))?;
        netlink.set_source_table(address.address, table)?;
    }
    for route in interface.routes.iter().filter(|r| usable(r.destination)) {
        netlink.add_route_to(table, index, route)?;
    }
    Ok(())
}

/// The route to the network that an address is in.
fn on_link(address: &InterfaceAddress) -> InterfaceRoute {
    let InterfaceAddress { address, prefix } = *address;
    let destination = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    };
    InterfaceRoute {
        destination,
        prefix,
        via: None,
        onlink: false,
        metric: None,
        source: None,
    }
}

/// A machine whose kernel has IPv6 switched off still runs IPv4 instances.
fn ipv6_is_off(interface: &str, address: IpAddr) -> bool {
    address.is_ipv6()
        && std::fs::read_to_string(format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6"))
            .map_or(true, |value| value.trim() != "0")
}

/// Can this machine make a TAP device with everything that we need? Tried in a namespace of its own.
pub(crate) fn probe() -> Result<bool> {
    let (fd, with_uso) = NetworkNamespace::create()?.run(|| {
        let fd = open_tap("probe0")?;
        let with_uso = sys::tun_set_offload(fd.as_fd(), OFFLOADS_WITH_USO).is_ok();
        Ok((fd, with_uso))
    })?;
    // The kernel takes tens of milliseconds to forget a device; nobody has to wait for that. Without a thread, it is
    // closed here.
    let _ = std::thread::Builder::new().spawn(move || drop(fd));
    Ok(with_uso)
}

/// Is the name one that Linux accepts for an interface?
pub(crate) fn check_name(name: &str) -> Result<()> {
    let fine = !name.is_empty()
        && name.len() < libc::IFNAMSIZ
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fine {
        Ok(())
    } else {
        Err(Error::Invalid(format!(
            "{name:?} cannot be the name of an interface"
        )))
    }
}

/// `File` is what the kernel's descriptor is; kept as a helper for callers that want `Read` and `Write`.
impl From<Tap> for File {
    fn from(tap: Tap) -> Self {
        tap.fd.into()
    }
}

/// Checksum, TCP segmentation for both families, ECN.
const OFFLOADS: u32 = 0x01 | 0x02 | 0x04 | 0x08;
/// The same with UDP segmentation, since Linux 6.2.
const OFFLOADS_WITH_USO: u32 = OFFLOADS | 0x20 | 0x40;
/// Frames that wait for us before the kernel drops them.
const TX_QUEUE_LEN: u32 = 1000;
