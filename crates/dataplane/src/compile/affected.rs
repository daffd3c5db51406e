//! What a change of the world affects, and what VPCs rest on beside their own rows.

use std::collections::{BTreeMap, BTreeSet};

use model::{NatGatewayId, NetworkInterfaceId, PrefixListId, Scope, SecurityGroupId, VpcId};

use crate::ports::Device;

/// Something that the routes and rules of a VPC name, wherever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Reference {
    /// The addresses of the interfaces that carry a security group.
    Members(SecurityGroupId),
    PrefixList(PrefixListId),
    NatGateway(NatGatewayId),
    Interface(NetworkInterfaceId),
}

/// What has to be compiled again.
#[derive(Debug, Default)]
pub(crate) struct Affected {
    pub(crate) vpcs: BTreeSet<VpcId>,
    /// Whatever names these has to be compiled as well.
    pub(crate) references: BTreeSet<Reference>,
    /// Groups whose carriers or their addresses may be others now.
    pub(crate) members: BTreeSet<SecurityGroupId>,
    /// Where NAT gateways are to be looked at again.
    pub(crate) nat_gateways: BTreeSet<Scope>,
    /// Where load balancers are to be looked at again.
    pub(crate) load_balancers: BTreeSet<Scope>,
    /// Whether interface endpoints are to be looked at again, everywhere: they lead to other accounts.
    pub(crate) endpoints: bool,
    /// Whether there are other hosts of the simulated internet, or they have changed.
    pub(crate) hosts: bool,
    /// VPCs that are new or gone, which their peers have to know.
    pub(super) come_or_gone: Vec<VpcId>,
    /// Devices that are new, and those that are gone.
    pub(crate) new_devices: Vec<Device>,
    pub(crate) gone_devices: Vec<Device>,
}

impl Affected {
    pub(super) fn note_device(&mut self, device: Device, before: bool, now: bool) {
        match (before, now) {
            (false, true) => self.new_devices.push(device),
            (true, false) => self.gone_devices.push(device),
            _ => {}
        }
    }
}

/// Which VPCs name a thing.
#[derive(Debug, Default)]
pub(crate) struct Referrers(BTreeMap<Reference, BTreeSet<VpcId>>);

impl Referrers {
    pub(crate) fn of(&self, reference: &Reference) -> impl Iterator<Item = VpcId> {
        self.0.get(reference).into_iter().flatten().copied()
    }

    /// Takes note of what a VPC named before and what it names now.
    pub(crate) fn update(
        &mut self,
        vpc_id: VpcId,
        before: &BTreeSet<Reference>,
        now: &BTreeSet<Reference>,
    ) {
        for gone in before.difference(now) {
            if let Some(referrers) = self.0.get_mut(gone) {
                referrers.remove(&vpc_id);
                if referrers.is_empty() {
                    self.0.remove(gone);
                }
            }
        }
        for &new in now.difference(before) {
            self.0.entry(new).or_default().insert(vpc_id);
        }
    }
}
