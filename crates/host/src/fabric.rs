//! Devices whose decided flows the kernel carries by itself (ADR 14).
//!
//! All links end in one network namespace, where a small program looks up each packet's flow in a [`FlowTable`]. What it
//! does not find there goes up by the [`Punt`] device to the [`EventLoop`](crate::EventLoop). The program is C
//! (`bpf/fabric.c`); what it is compiled to is committed beside it.

mod flow_table;
mod layout;
mod packet_socket;
mod shared;

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aya::maps::{HashMap, Map, MapData};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType};
use aya::{Ebpf, EbpfLoader};

pub use flow_table::{FlowAction, FlowKey, FlowTable, FlowTally, Slot};
use layout::{Control, Device, Kind, Port};
pub(crate) use packet_socket::PacketSocket;
use shared::Shared;

use crate::device::{Interface, Tap, configure, open_tap};
use crate::error::{During, Error, Result};
use crate::event_loop::{PortId, Wire};
use crate::netlink::{LinkChange, Netlink, Pair};
use crate::netns::NetworkNamespace;
use crate::vnet_header::VnetHeader;

/// How much a fabric has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FabricOptions {
    /// Flows, 128 bytes each from the start, and some 150 more for each that there is.
    pub flows: u32,
    /// Ports, 24 bytes each.
    pub ports: u32,
}

impl Default for FabricOptions {
    fn default() -> Self {
        Self {
            flows: 1 << 17,
            ports: 1 << 18,
        }
    }
}

/// The namespace in which all links end, and the program that they run.
#[derive(Debug)]
pub struct Fabric {
    namespace: NetworkNamespace,
    program: Mutex<Ebpf>,
    ports: Arc<Shared<Port>>,
    devices: Shared<Device>,
    taken: Mutex<BTreeSet<u32>>,
    next_name: AtomicU32,
}

/// What comes up to the loop, and how the loop sends to links.
#[derive(Debug)]
pub struct Punt {
    pub(crate) tap: OwnedFd,
    pub(crate) socket: PacketSocket,
}

/// A device in the fabric, and what is behind it: the other device of a pair, in somebody's namespace, or a descriptor.
/// The device, and with it a pair, is gone when this is dropped.
#[derive(Debug)]
pub struct Link {
    fabric: Arc<Fabric>,
    name: String,
    ifindex: u32,
    kind: Kind,
    mac: [u8; 6],
    port: Option<PortId>,
    /// Detaches the program when dropped; the device is gone by then.
    _program: SchedClassifierLink,
}

impl Punt {
    /// Reads a frame that has come up, without the loop: where it came from, and whether it had that link's own source,
    /// which is a zero now. `None` if there is none.
    pub fn receive<'b>(
        &self,
        buffer: &'b mut [u8],
    ) -> Option<(PortId, bool, VnetHeader, &'b mut [u8])> {
        let length = rustix::io::read(&self.tap, &mut *buffer).ok()?;
        let (header, frame) = buffer.get_mut(..length)?.split_first_chunk_mut()?;
        let (port, is_own) = take_source(frame)?;
        Some((port, is_own, VnetHeader::from_bytes(header), frame))
    }
}

/// Takes out what is in place of the source of a frame that came up: of which port it is, and whether the source was that
/// link's own. A zero is left.
pub(crate) fn take_source(frame: &mut [u8]) -> Option<(PortId, bool)> {
    let source: &mut [u8; 6] = frame.get_mut(6..12)?.try_into().ok()?;
    let [kind, _, name @ ..] = std::mem::take(source);
    Some((PortId(u32::from_ne_bytes(name)), kind == OWN_SOURCE))
}

/// How the interfaces of sandboxes are connected.
#[derive(Clone, Debug)]
pub enum Wiring {
    /// Each by a TAP device: every packet comes up.
    Taps,
    /// By the fabric.
    Fabric(Arc<Fabric>),
}

impl Wiring {
    /// Makes an interface inside `namespace`, configured and up. It is gone when the answer is dropped.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub fn connect(&self, namespace: &NetworkNamespace, interface: &Interface) -> Result<Wire> {
        match self {
            Self::Taps => Tap::create(namespace, interface).map(Wire::Tap),
            Self::Fabric(fabric) => fabric.link(namespace, interface).map(Wire::Link),
        }
    }
}

impl Fabric {
    /// Makes the namespace and loads the program.
    ///
    /// # Errors
    ///
    /// If the kernel refuses the program or its tables; the words say why.
    pub fn create(options: FabricOptions) -> Result<(Arc<Self>, FlowTable, Punt)> {
        let namespace = NetworkNamespace::create()?;
        let mut ebpf = EbpfLoader::new()
            .map_max_entries("PORTS", options.ports)
            .map_max_entries("FLOWS", options.flows)
            .map_max_entries("INDEX4", options.flows)
            .map_max_entries("INDEX6", options.flows)
            .load(&aligned())
            .map_err(|error| refused("its tables cannot be made", &error))?;
        program(&mut ebpf)?
            .load()
            .map_err(|error| refused("the program cannot be loaded", &error))?;
        namespace.run(|| try_attaching(&mut ebpf))?;
        let ports = Shared::map(array(&mut ebpf, "PORTS")?.fd(), options.ports as usize)?;
        let ports = Arc::new(ports);
        let places = DEVICE_PLACES as usize;
        let devices = Shared::map(array(&mut ebpf, "DEVICES")?.fd(), places)?;
        let table = FlowTable {
            control: Shared::map(array(&mut ebpf, "CONTROL")?.fd(), 1)?,
            ports: ports.clone(),
            flows: Shared::map(array(&mut ebpf, "FLOWS")?.fd(), options.flows as usize)?,
            index4: hash(&mut ebpf, "INDEX4")?,
            index6: hash(&mut ebpf, "INDEX6")?,
            limit: options.flows,
            epoch: 0,
            owners: Vec::new(),
            free: Vec::new(),
            retired: Vec::new(),
            harvested: 0,
        };
        let (tap, socket, ifindex) = namespace.run(|| {
            quiet()?;
            let tap = open_tap(PUNT)?;
            let mut netlink = Netlink::open()?;
            let ifindex = netlink.index_of(PUNT)?;
            netlink.change_link(
                ifindex,
                &LinkChange {
                    mac: None,
                    mtu: Some(PUNT_MTU),
                    tx_queue_len: Some(PUNT_QUEUE_LEN),
                    up: true,
                },
            )?;
            Ok((tap, PacketSocket::open()?, ifindex))
        })?;
        let control: Option<&Control> = table.control.get(0);
        if let Some(control) = control {
            control.punt.store(ifindex, Ordering::SeqCst);
            control.round.store(1, Ordering::SeqCst);
        }
        let fabric = Arc::new(Self {
            namespace,
            program: Mutex::new(ebpf),
            ports,
            devices,
            taken: Mutex::default(),
            next_name: AtomicU32::new(0),
        });
        Ok((fabric, table, Punt { tap, socket }))
    }

    /// Makes a TAP device in the fabric, up, whose frames are read and written by the descriptor, with a
    /// [`VnetHeader`](crate::VnetHeader) in front. Frames from it are dropped until its port is opened.
    ///
    /// # Errors
    ///
    /// If the kernel refuses.
    pub fn tap(self: &Arc<Self>, mac: [u8; 6], mtu: u32) -> Result<(Link, OwnedFd)> {
        let name = self.name();
        let (tap, ifindex, program) = self.namespace.run(|| {
            let tap = open_tap(&name)?;
            let (ifindex, program) = self.finish(&mut Netlink::open()?, &name, mtu)?;
            Ok((tap, ifindex, program))
        })?;
        let link = Link {
            fabric: self.clone(),
            name,
            ifindex,
            kind: Kind::Tap,
            mac,
            port: None,
            _program: program,
        };
        Ok((link, tap))
    }

    fn name(&self) -> String {
        format!("w{}", self.next_name.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes a pair of devices, one of them inside `namespace`, configured and up. Frames from it are dropped until
    /// [`Link::open`].
    pub(crate) fn link(
        self: &Arc<Self>,
        namespace: &NetworkNamespace,
        interface: &Interface,
    ) -> Result<Link> {
        let name = self.name();
        let (ifindex, program) = self.namespace.run(|| {
            let mut netlink = Netlink::open()?;
            netlink.add_pair(&Pair {
                name: &name,
                mac: HOST_END_MAC,
                far_name: &interface.name,
                far_mac: interface.mac,
                far_namespace: std::os::fd::AsFd::as_fd(namespace),
            })?;
            let made = self.finish(&mut netlink, &name, interface.mtu);
            if made.is_err() {
                drop(netlink.delete_link(&name));
            }
            made
        })?;
        let link = Link {
            fabric: self.clone(),
            name,
            ifindex,
            kind: Kind::Pair,
            mac: interface.mac,
            port: None,
            _program: program,
        };
        namespace.run(|| configure(&mut Netlink::open()?, interface))?;
        Ok(link)
    }

    /// Prepares the fabric's end of a new pair.
    fn finish(
        &self,
        netlink: &mut Netlink,
        name: &str,
        mtu: u32,
    ) -> Result<(u32, SchedClassifierLink)> {
        let ifindex = netlink.index_of(name)?;
        let mut ebpf = self.program.lock().unwrap_or_else(PoisonError::into_inner);
        let link = attach(&mut ebpf, name)?;
        drop(ebpf);
        netlink.change_link(
            ifindex,
            &LinkChange {
                mac: None,
                mtu: Some(mtu),
                tx_queue_len: None,
                up: true,
            },
        )?;
        if !self.taken().insert(device_place(ifindex)) {
            let why = "a device has a number like another's: there have been too many";
            return Err(Error::Fabric(why.into()));
        }
        Ok((ifindex, link))
    }

    /// Lower bits of the numbers of devices that there are.
    fn taken(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// The name of the fabric's end.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Frames from and to the device pass from now on, as those of a port. The loop does this to a port's link.
    ///
    /// # Errors
    ///
    /// If the port's index is beyond the fabric's table.
    pub fn open(&mut self, port: PortId) -> Result<()> {
        let index = port.index();
        let Some(entry) = self.fabric.ports.get(index as usize) else {
            return Err(Error::Invalid(format!("port {index} is beyond the table")));
        };
        entry.open(port.0, self.ifindex, self.mac, self.kind);
        self.port = Some(port);
        let device = self.fabric.devices.get(device_place(self.ifindex) as usize);
        if let Some(device) = device {
            device.port.store(index, Ordering::SeqCst);
        }
        Ok(())
    }

    pub(crate) fn ifindex(&self) -> u32 {
        self.ifindex
    }

    /// The only source that frames from the link may have.
    pub(crate) fn mac(&self) -> [u8; 6] {
        self.mac
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let port = self.port.take();
        let entry = port.and_then(|port| self.fabric.ports.get(port.index() as usize));
        if let (Some(port), Some(entry)) = (port, entry)
            && entry.is_open(port.0)
        {
            entry.close();
        }
        let deleted = self
            .fabric
            .namespace
            .run(|| Netlink::open()?.delete_link(&self.name));
        if let Err(error) = deleted {
            tracing::warn!(%error, name = self.name, "a link could not be removed");
        }
        self.fabric.taken().remove(&device_place(self.ifindex));
    }
}

fn device_place(ifindex: u32) -> u32 {
    ifindex & (DEVICE_PLACES - 1)
}

/// Can this machine carry flows in the kernel? Tried with the smallest of tables.
pub(crate) fn probe() -> Result<()> {
    Fabric::create(FabricOptions { flows: 1, ports: 1 }).map(drop)
}

/// The kernel of the namespace has nothing to say by itself on links.
fn quiet() -> Result<()> {
    for path in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{path}/disable_ipv6");
        // A kernel without IPv6 does not have it.
        if let Err(error) = std::fs::write(&path, "1")
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(error).during(|| format!("write to {path}"));
        }
    }
    Ok(())
}

/// An older kernel loads the program and cannot attach it: better known before there are links.
fn try_attaching(ebpf: &mut Ebpf) -> Result<()> {
    attach(ebpf, "lo").map(drop)
}

fn attach(ebpf: &mut Ebpf, device: &str) -> Result<SchedClassifierLink> {
    let program = program(ebpf)?;
    let options = TcAttachOptions::TcxOrder(LinkOrder::default());
    let attached = program
        .attach_with_options(device, TcAttachType::Ingress, options)
        .and_then(|id| program.take_link(id));
    attached.map_err(|error| refused("the program cannot be attached to a device", &error))
}

fn program(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier> {
    let program = ebpf.program_mut("forward");
    let program = program.ok_or_else(|| Error::Fabric("the object lacks its program".into()))?;
    program
        .try_into()
        .map_err(|error: aya::programs::ProgramError| refused("the object is another", &error))
}

fn take(ebpf: &mut Ebpf, name: &str) -> Result<Map> {
    let map = ebpf.take_map(name);
    map.ok_or_else(|| Error::Fabric(format!("the object lacks its table {name}")))
}

fn array(ebpf: &mut Ebpf, name: &str) -> Result<MapData> {
    match take(ebpf, name)? {
        Map::Array(data) => Ok(data),
        other => Err(Error::Fabric(format!("the table {name} is {other:?}"))),
    }
}

fn hash<K: aya::Pod, V: aya::Pod>(ebpf: &mut Ebpf, name: &str) -> Result<HashMap<MapData, K, V>> {
    let map = take(ebpf, name)?;
    HashMap::try_from(map).map_err(|error| refused("a table is another", &error))
}

/// With all causes: the kernel's own words are the last of them.
fn refused(what: &str, error: &dyn std::error::Error) -> Error {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<String> = causes.map(ToString::to_string).collect();
    Error::Fabric(format!("{what}: {}", causes.join(": ")))
}

/// The object, where its reader wants it.
fn aligned() -> Vec<u8> {
    // A new allocation of this size is aligned for anything.
    OBJECT.to_vec()
}

/// `bpf/fabric.c`, compiled (`cargo xtask bpf`).
const OBJECT: &[u8] = include_bytes!("../bpf/fabric.o");
/// In the first byte of a source that was replaced: it was the link's own.
const OWN_SOURCE: u8 = 2;
/// As in `bpf/fabric.c`.
const DEVICE_PLACES: u32 = 1 << 17;
const PUNT: &str = "punt";
/// A device takes no longer frames than this.
const PUNT_MTU: u32 = 65_521;
/// Frames that wait for the loop before the kernel drops them.
const PUNT_QUEUE_LEN: u32 = 4096;
/// Nothing is sent to the fabric's end of a link.
const HOST_END_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x01];
