//! Port numbers: where a frame comes from and goes to.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use imbl::OrdMap;
use model::{NatGatewayId, NetworkInterfaceId, RecorderId};

use crate::InterfaceMetadata;

const INDEX_BITS: u32 = 20;

/// A device that frames come from and go to: a small index, and how often that index was used
/// before. A frame for a device that is gone never reaches the next device at the same index.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u32);

impl PortId {
    pub(crate) const NONE: Self = Self(u32::MAX);
    /// What is before and behind the one interface of [`crate::Dataplane::stand_at`].
    pub const WIRE: Self = Self(u32::MAX - 1);

    const fn new(index: u32, generation: u32) -> Self {
        Self((generation << INDEX_BITS) | index)
    }

    /// Dense, from 0: the place in a caller's table of devices.
    pub const fn index(self) -> usize {
        (self.0 & ((1 << INDEX_BITS) - 1)) as usize
    }

    /// How often the index was used before, modulo 4096.
    pub const fn generation(self) -> u32 {
        self.0 >> INDEX_BITS
    }

    /// Index and generation in one number, which is no other device's.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The port of which these are the [`PortId::bits`].
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }
}

impl fmt::Display for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index(), self.generation())
    }
}

impl fmt::Debug for PortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a port belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Device {
    /// A network interface, attached or not.
    Interface(NetworkInterfaceId),
    /// A regional NAT gateway, behind which there is no device: frames neither come from it nor go to it.
    NatGateway(NatGatewayId),
    /// A host of the simulated internet.
    InternetHost(IpAddr),
    /// The way to the real internet.
    Uplink,
    /// The network in which the daemon answers for services.
    Services,
}

/// Gives port numbers to devices, the same number in every snapshot.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    by_device: OrdMap<Device, PortId>,
    free: Vec<PortId>,
    next: u32,
    metadata: BTreeMap<RecorderId, Arc<InterfaceMetadata>>,
}

impl Ports {
    /// No device yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The port of a device of the last snapshot.
    pub fn get(&self, device: &Device) -> Option<PortId> {
        self.by_device.get(device).copied()
    }

    /// Every device and its port.
    pub fn iter(&self) -> impl Iterator<Item = (&Device, PortId)> {
        self.by_device.iter().map(|(device, &port)| (device, port))
    }

    pub(crate) fn len(&self) -> usize {
        self.next as usize
    }

    pub(crate) fn claim(&mut self, device: Device) -> PortId {
        if let Some(&port) = self.by_device.get(&device) {
            return port;
        }
        let port = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            PortId::new(self.next - 1, 0)
        });
        self.by_device.insert(device, port);
        port
    }

    /// Frees the ports of devices that are gone.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Device) -> bool) {
        let gone: Vec<Device> = self
            .by_device
            .keys()
            .filter(|d| !keep(d))
            .copied()
            .collect();
        for device in &gone {
            self.release(device);
        }
    }

    /// Frees the port of a device that is gone.
    pub(crate) fn release(&mut self, device: &Device) {
        if let Some(port) = self.by_device.remove(device) {
            let generation = (port.generation() + 1) % 0xfff;
            self.free.push(PortId::new(port.index() as u32, generation));
        }
        let recorder = match *device {
            Device::Interface(id) => RecorderId::from(id),
            Device::NatGateway(id) => RecorderId::RegionalNatGateway(id),
            Device::InternetHost(_) | Device::Uplink | Device::Services => return,
        };
        self.metadata.remove(&recorder);
    }

    /// Every device and its port, as of now.
    pub(crate) fn devices(&self) -> OrdMap<Device, PortId> {
        self.by_device.clone()
    }

    /// The same metadata is the same allocation in every snapshot, so that flows compare it fast.
    pub(crate) fn share(&mut self, metadata: InterfaceMetadata) -> Arc<InterfaceMetadata> {
        let id = metadata.recorder;
        match self.metadata.get(&id) {
            Some(known) if **known == metadata => known.clone(),
            _ => {
                let shared = Arc::new(metadata);
                self.metadata.insert(id, shared.clone());
                shared
            }
        }
    }
}
