//! The few rtnetlink requests that we need.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

use crate::device::{InterfaceAddress, InterfaceRoute, Neighbour};
use crate::error::{During, Error, Result};
use crate::sys::name_to_index;

/// A routing socket of the namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct Netlink {
    socket: OwnedFd,
    sequence: u32,
}

/// What to change of a link.
#[derive(Debug, Default)]
pub(crate) struct LinkChange {
    pub(crate) mac: Option<[u8; 6]>,
    pub(crate) mtu: Option<u32>,
    pub(crate) tx_queue_len: Option<u32>,
    pub(crate) up: bool,
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Family {
    V4 = libc::AF_INET as u8,
    V6 = libc::AF_INET6 as u8,
}

/// Two interfaces that are each other's far end (veth).
#[derive(Debug)]
pub(crate) struct Pair<'a> {
    pub(crate) name: &'a str,
    pub(crate) mac: [u8; 6],
    pub(crate) far_name: &'a str,
    pub(crate) far_mac: [u8; 6],
    pub(crate) far_namespace: BorrowedFd<'a>,
}

impl Netlink {
    /// Opens a socket in the network namespace of the calling thread.
    pub(crate) fn open() -> Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            None,
        )
        .during(|| "open a routing socket".into())?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// The index of an interface of this thread's namespace.
    pub(crate) fn index_of(&self, name: &str) -> Result<u32> {
        name_to_index(name).during(|| format!("find the interface {name}"))
    }

    pub(crate) fn set_up(&mut self, index: u32) -> Result<()> {
        self.change_link(
            index,
            &LinkChange {
                up: true,
                ..LinkChange::default()
            },
        )
    }

    pub(crate) fn change_link(&mut self, index: u32, change: &LinkChange) -> Result<()> {
        let up = if change.up { libc::IFF_UP as u32 } else { 0 };
        let mut message = Message::new(libc::RTM_NEWLINK, 0);
        message
            .bytes(&[libc::AF_UNSPEC as u8, 0])
            .u16(0)
            .u32(index)
            .u32(up)
            .u32(up);
        if let Some(mac) = change.mac {
            message.attribute(libc::IFLA_ADDRESS, &mac);
        }
        if let Some(mtu) = change.mtu {
            message.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        }
        if let Some(length) = change.tx_queue_len {
            message.attribute(libc::IFLA_TXQLEN, &length.to_ne_bytes());
        }
        self.request(message)
            .during(|| format!("configure the interface with index {index}"))
    }

    pub(crate) fn add_address(&mut self, index: u32, address: &InterfaceAddress) -> Result<()> {
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        self.request(address_message(libc::RTM_NEWADDR, flags, index, address))
            .during(|| format!("add the address {}/{}", address.address, address.prefix))
    }

    /// Removing an address that is not there is no error.
    pub(crate) fn remove_address(&mut self, index: u32, address: &InterfaceAddress) -> Result<()> {
        match self.request(address_message(libc::RTM_DELADDR, 0, index, address)) {
            Err(error) if error.raw_os_error() == Some(libc::EADDRNOTAVAIL) => Ok(()),
            other => other
                .during(|| format!("remove the address {}/{}", address.address, address.prefix)),
        }
    }

    pub(crate) fn add_route(&mut self, index: u32, route: &InterfaceRoute) -> Result<()> {
        self.add_route_to(libc::RT_TABLE_MAIN, index, route)
    }

    /// Adds a route to one of the first 255 tables.
    pub(crate) fn add_route_to(
        &mut self,
        table: u8,
        index: u32,
        route: &InterfaceRoute,
    ) -> Result<()> {
        if let Some(via) = route.via
            && via.is_ipv4() != route.destination.is_ipv4()
        {
            return Err(Error::Invalid(format!(
                "{} cannot be routed via {via}",
                route.destination
            )));
        }
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        let scope = if route.via.is_some() {
            libc::RT_SCOPE_UNIVERSE
        } else {
            libc::RT_SCOPE_LINK
        };
        let mut message = Message::new(libc::RTM_NEWROUTE, flags);
        message
            .bytes(&[family(route.destination), route.prefix, 0, 0])
            .bytes(&[table, libc::RTPROT_STATIC, scope, libc::RTN_UNICAST])
            .u32(if route.onlink { RTNH_F_ONLINK } else { 0 });
        if route.prefix > 0 {
            message.address(libc::RTA_DST, route.destination);
        }
        if let Some(via) = route.via {
            message.address(libc::RTA_GATEWAY, via);
        }
        if let Some(source) = route.source {
            message.address(libc::RTA_PREFSRC, source);
        }
        if let Some(metric) = route.metric {
            message.attribute(libc::RTA_PRIORITY, &metric.to_ne_bytes());
        }
        message.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.request(message)
            .during(|| format!("add the route to {}/{}", route.destination, route.prefix))
    }

    pub(crate) fn add_neighbour(&mut self, index: u32, neighbour: &Neighbour) -> Result<()> {
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
        let mut message = Message::new(libc::RTM_NEWNEIGH, flags);
        message
            .bytes(&[family(neighbour.address), 0, 0, 0])
            .u32(index)
            .u16(libc::NUD_PERMANENT)
            .bytes(&[0, 0]);
        message.address(libc::NDA_DST, neighbour.address);
        message.attribute(libc::NDA_LLADDR, &neighbour.mac);
        self.request(message)
            .during(|| format!("add the neighbour {}", neighbour.address))
    }

    /// Routes what comes in by `interface` with the table's routes only.
    pub(crate) fn add_rule(&mut self, family: Family, interface: &str, table: u8) -> Result<()> {
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        let mut message = Message::new(libc::RTM_NEWRULE, flags);
        message
            .bytes(&[family as u8, 0, 0, 0, table, 0, 0, FR_ACT_TO_TBL])
            .u32(0);
        message.attribute(FRA_IIFNAME, &null_terminated(interface));
        self.request(message)
            .during(|| format!("add a routing rule for {interface}"))
    }

    /// Routes what is sent from `source` with the table's routes, if it has one, in the place of any earlier rule.
    pub(crate) fn set_source_table(&mut self, source: IpAddr, table: u8) -> Result<()> {
        self.clear_source_table(source)?;
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        self.request(source_rule(libc::RTM_NEWRULE, flags, source, table))
            .during(|| format!("add a routing rule for what {source} sends"))
    }

    /// Takes back [`Netlink::set_source_table`]; without a rule that is no error.
    pub(crate) fn clear_source_table(&mut self, source: IpAddr) -> Result<()> {
        match self.request(source_rule(libc::RTM_DELRULE, 0, source, 0)) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other.during(|| format!("remove the routing rule for what {source} sends")),
        }
    }

    /// Makes two interfaces that are each other's far end, the second in another namespace.
    pub(crate) fn add_pair(&mut self, pair: &Pair<'_>) -> Result<()> {
        let mut far = Message(Vec::new());
        far.bytes(&[0; 16]);
        far.attribute(libc::IFLA_IFNAME, &null_terminated(pair.far_name));
        far.attribute(libc::IFLA_ADDRESS, &pair.far_mac);
        let namespace = pair.far_namespace.as_raw_fd().to_ne_bytes();
        far.attribute(libc::IFLA_NET_NS_FD, &namespace);
        let mut data = Message(Vec::new());
        data.attribute(VETH_INFO_PEER, &far.0);
        let mut info = Message(Vec::new());
        info.attribute(libc::IFLA_INFO_KIND, b"veth");
        info.attribute(libc::IFLA_INFO_DATA, &data.0);
        let flags = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        let mut message = Message::new(libc::RTM_NEWLINK, flags);
        message.bytes(&[0; 16]);
        message.attribute(libc::IFLA_IFNAME, &null_terminated(pair.name));
        message.attribute(libc::IFLA_ADDRESS, &pair.mac);
        message.attribute(libc::IFLA_LINKINFO, &info.0);
        self.request(message)
            .during(|| format!("create the interface {}", pair.name))
    }

    /// Deletes an interface; one that is not there is no error.
    pub(crate) fn delete_link(&mut self, name: &str) -> Result<()> {
        let mut message = Message::new(libc::RTM_DELLINK, 0);
        message.bytes(&[0; 16]);
        message.attribute(libc::IFLA_IFNAME, &null_terminated(name));
        match self.request(message) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other.during(|| format!("delete the interface {name}")),
        }
    }

    /// Sends one request and waits for its acknowledgement.
    fn request(&mut self, message: Message) -> io::Result<()> {
        self.sequence += 1;
        let bytes = message.finish(self.sequence);
        rustix::net::send(&self.socket, &bytes, SendFlags::empty())?;
        let mut answer = [0_u8; 4096];
        loop {
            let (length, _) =
                rustix::net::recv(&self.socket, answer.as_mut_slice(), RecvFlags::empty())?;
            let word = |at: usize| -> io::Result<[u8; 4]> {
                answer[..length]
                    .get(at..at + 4)
                    .and_then(|bytes| bytes.try_into().ok())
                    .ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
            };
            let kind = u16::from_ne_bytes([word(4)?[0], word(4)?[1]]);
            if kind != libc::NLMSG_ERROR as u16 || u32::from_ne_bytes(word(8)?) != self.sequence {
                continue;
            }
            return match i32::from_ne_bytes(word(16)?) {
                0 => Ok(()),
                error => Err(io::Error::from_raw_os_error(-error)),
            };
        }
    }
}

/// A rule for what `source` sends; table 0 stands for any.
fn source_rule(kind: u16, flags: u16, source: IpAddr, table: u8) -> Message {
    let bits = if source.is_ipv4() { 32 } else { 128 };
    let mut message = Message::new(kind, flags);
    message
        .bytes(&[family(source), 0, bits, 0, table, 0, 0, FR_ACT_TO_TBL])
        .u32(0);
    message.address(FRA_SRC, source);
    message
}

fn address_message(kind: u16, flags: u16, index: u32, address: &InterfaceAddress) -> Message {
    let mut message = Message::new(kind, flags);
    message
        .bytes(&[
            family(address.address),
            address.prefix,
            0,
            libc::RT_SCOPE_UNIVERSE,
        ])
        .u32(index);
    message.address(libc::IFA_LOCAL, address.address);
    message.address(libc::IFA_ADDRESS, address.address);
    if address.address.is_ipv6() {
        message.attribute(libc::IFA_FLAGS, &libc::IFA_F_NODAD.to_ne_bytes());
    }
    message
}

fn null_terminated(name: &str) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn family(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => libc::AF_INET as u8,
        IpAddr::V6(_) => libc::AF_INET6 as u8,
    }
}

/// A netlink message being written: header, fixed part, attributes.
struct Message(Vec<u8>);

impl Message {
    fn new(kind: u16, flags: u16) -> Self {
        let flags = flags | (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
        let mut message = Self(Vec::with_capacity(128));
        message.u32(0).u16(kind).u16(flags).u32(0).u32(0);
        message
    }

    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u16(&mut self, value: u16) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes(&value.to_ne_bytes())
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.u16(length).u16(kind).bytes(value);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn address(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0[0..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// The gateway is reachable on the link even if no address says so.
const RTNH_F_ONLINK: u32 = 4;
/// The attribute with the far end of a pair, from `linux/veth.h`.
const VETH_INFO_PEER: u16 = 1;
/// Go on in the table of the rule, from `linux/fib_rules.h`.
const FR_ACT_TO_TBL: u8 = 1;
/// The interface that a rule is for, from `linux/fib_rules.h`.
const FRA_IIFNAME: u16 = 3;
/// The source that a rule is for.
const FRA_SRC: u16 = 2;
