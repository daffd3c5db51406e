//! Where a packet must go, told from the rows of the API and from all that has passed before, by looking at all of them
//! each time.

mod conversation;
mod gateways;
mod load_balancer;
mod rules;
mod service;
mod vpc_endpoint;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use model::{
    InstanceState, InterfaceType, NetworkInterface, NetworkInterfaceId, PeeringStatus,
    PrefixListId, RouteTarget, State, Timestamp, VpcId, VpcPeeringConnection, World,
};

use crate::{Device, Fragment, Hop, Segment};
use conversation::{Ends, Keeper, Passage, conversation};

/// Weir's own: how long the parts of a packet wait for each other.
const FRAGMENT_LIFE: Duration = Duration::from_secs(30);

/// A world, and everything that has passed in it.
#[derive(Debug)]
pub struct Naive<'w> {
    world: &'w World,
    /// Whether anything answers for AWS's services.
    has_services: bool,
    /// The blocks of AWS's own lists: telling their ids takes long.
    aws_prefix_lists: Vec<(PrefixListId, Vec<IpNet>)>,
    seen: Vec<Passage>,
    first_fragments: Vec<(Timestamp, Device, Segment)>,
    now: Timestamp,
    /// What the data plane made of the packet: which port a NAT gateway takes is its own affair.
    observed: Observed,
    /// A choice of the data plane's that was not its own affair.
    complaint: Option<String>,
    /// The targets that sticky clients of nodes' ports have, whatever has been forgotten since.
    stuck: BTreeMap<(NetworkInterfaceId, u16, IpAddr), (IpAddr, u16)>,
    /// The address of the load balancer's node that passes the packet on.
    on_behalf_of: Option<IpAddr>,
    /// How many of the sights have been looked at.
    looked_at: usize,
    /// How many NAT gateways the packet has been through.
    hops: u8,
    /// How many nodes of load balancers.
    nodes: u8,
    /// What the packet has passed that is worth counting.
    ways: Vec<&'static str>,
    counts: BTreeMap<&'static str, u64>,
}

/// What can be seen of what the data plane made of a packet.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// As its receiver got it.
    pub arrived: Option<Segment>,
    /// What interfaces recorded of it, in the order of its way.
    pub sights: Vec<Sight>,
}

/// What an interface recorded of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Sight {
    /// Which one.
    pub interface: NetworkInterfaceId,
    /// Whether the packet left it.
    pub outward: bool,
    /// Address and port of the source.
    pub src: (IpAddr, u16),
    /// Address and port of the destination.
    pub dst: (IpAddr, u16),
}

/// Who must get a packet, and as what. `None` means nobody.
type Arrival = Option<(Device, Segment)>;

/// A network interface with the account's Region that it is in.
#[derive(Clone, Copy, Debug)]
struct Place<'w> {
    state: &'w State,
    interface: &'w NetworkInterface,
}

impl<'w> Naive<'w> {
    /// A model in which nothing has passed yet; whether there is something that answers for AWS's services.
    pub fn new(world: &'w World, has_services: bool) -> Self {
        let regions = world.regions.keys().map(|scope| scope.region);
        let aws_prefix_lists = regions
            .flat_map(model::AwsPrefixList::all)
            .map(|list| (list.id(), list.nets().collect()))
            .collect();
        Self {
            world,
            has_services,
            aws_prefix_lists,
            seen: Vec::new(),
            first_fragments: Vec::new(),
            now: Timestamp::default(),
            observed: Observed::default(),
            complaint: None,
            stuck: BTreeMap::new(),
            on_behalf_of: None,
            looked_at: 0,
            hops: 0,
            nodes: 0,
            ways: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Forgets what has passed, because it is too long ago to matter.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.first_fragments.clear();
    }

    /// Who must get a packet, and as what; and takes note of it. `observed` is what the data plane made of it.
    pub fn receiver(
        &mut self,
        sender: Device,
        hop: Hop,
        segment: Segment,
        now: Timestamp,
        observed: Observed,
    ) -> Option<(Device, Segment)> {
        (self.now, self.observed) = (now, observed);
        (self.hops, self.nodes, self.looked_at) = (0, 0, 0);
        self.on_behalf_of = None;
        self.ways.clear();
        let segment = self.with_ports(sender, segment);
        let arrival = match sender {
            Device::Host(address) if address == segment.src => self.internet(segment),
            Device::Host(_) => None,
            Device::Interface(id) => self.leave(self.place(id)?, hop, segment),
            Device::Service(asked) => self.out_of_service(asked, segment),
        };
        let about = segment.quote().is_some();
        let part = segment.fragment.is_some();
        let part_v6 = part && segment.src.is_ipv6();
        for (way, counts) in [
            ("error", about),
            ("fragment", part),
            ("fragment of IPv6", part_v6),
        ] {
            if counts {
                self.ways.push(way);
            }
        }
        let arrival = arrival.map(|(to, segment)| (to, segment.on_the_wire()));
        for way in self.ways.iter().filter(|_| arrival.is_some()) {
            *self.counts.entry(way).or_default() += 1;
        }
        arrival
    }

    /// A later fragment with what is known from the first one, for half a minute.
    fn with_ports(&mut self, sender: Device, segment: Segment) -> Segment {
        let Some(fragment) = segment.fragment else {
            return segment;
        };
        if !fragment.later {
            self.first_fragments.push((self.now, sender, segment));
            return segment;
        }
        let mut firsts = self.first_fragments.iter().rev();
        let first = firsts.find(|(_, of, first)| {
            let first_id = first.fragment.map(|fragment| fragment.identification);
            let same_packet = (first.src, first.dst, first.protocol)
                == (segment.src, segment.dst, segment.protocol);
            *of == sender && same_packet && first_id == Some(fragment.identification)
        });
        match first {
            Some((at, _, first)) if self.now.since(*at) < FRAGMENT_LIFE => Segment {
                src_port: first.src_port,
                dst_port: first.dst_port,
                icmp_type: first.icmp_type,
                fragment: Some(Fragment {
                    known: true,
                    ..fragment
                }),
                ..segment
            },
            _ => segment,
        }
    }

    /// What the data plane chose for a packet so far that it must not, if it did.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.as_deref()
    }

    /// How many packets arrived by which ways.
    pub fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// From a guest to the router or to a neighbour.
    fn leave(&mut self, from: Place<'w>, hop: Hop, segment: Segment) -> Arrival {
        let is_own = |address| from.interface.addresses().any(|own| own == address);
        if is_own(segment.dst) || (from.interface.source_dest_check && !is_own(segment.src)) {
            return None;
        }
        if let Some(arrival) = self.on_link(from, hop, segment) {
            return arrival;
        }
        if !self.groups_pass(from, true, &segment) {
            return None;
        }
        if let Some(known) = self.answer_to_client(from, &segment) {
            return self.back_through_node(from, known, segment);
        }
        match hop {
            Hop::Neighbour(id) => self.arrive(self.place(id)?, false, segment),
            Hop::Router => self.route(from, segment),
        }
    }

    /// From the router, by the route table of the sender's subnet.
    fn route(&mut self, from: Place<'w>, segment: Segment) -> Arrival {
        if let Some(peering) = self.peering_back_to_nat_gateway(from, &segment) {
            self.ways.push("return to sender");
            return self
                .network_acl_passes(from, true, &segment)
                .then(|| self.peering(from, peering, segment))?;
        }
        let subnets = from.state.subnets.values();
        let subnet = subnets
            .into_iter()
            .find(|s| s.id == from.interface.subnet_id)?;
        let table = from.state.route_table_of(subnet)?;
        let target = self.best_route(from.state, table, segment.dst)?;
        // Only those inside the VPC can be in the same subnet.
        let inside = match target {
            RouteTarget::Local => Some(self.in_vpc(from.interface.vpc_id, segment.dst)?),
            RouteTarget::NetworkInterface(id) => Some(self.running_in_vpc(from, id)?),
            RouteTarget::NatGateway(id) => Some(self.nat_gateway_interface(from, id)?),
            _ => None,
        };
        let leaves_subnet =
            inside.is_none_or(|to| to.interface.subnet_id != from.interface.subnet_id);
        if leaves_subnet && !self.network_acl_passes(from, true, &segment) {
            return None;
        }
        match (target, inside) {
            (RouteTarget::NatGateway(_), Some(to)) => {
                self.through_nat_gateway(to, leaves_subnet, segment)
            }
            (RouteTarget::NetworkInterface(_), Some(to)) => {
                self.ways.push("middlebox");
                self.arrive(to, leaves_subnet, segment)
            }
            (_, Some(to)) => self.arrive(to, leaves_subnet, segment),
            (RouteTarget::InternetGateway(id), _) => self.internet_gateway(from, id, segment),
            (RouteTarget::EgressOnlyInternetGateway(id), _) => {
                self.egress_only_internet_gateway(from, id, segment)
            }
            (RouteTarget::VpcPeeringConnection(id), _) => {
                let peering = self.world.vpc_peering_connections().find(|p| p.id == id)?;
                self.peering(from, peering, segment)
            }
            (RouteTarget::VpcEndpoint(id), _) => self.gateway_endpoint(from, id, segment),
            _ => None,
        }
    }

    /// To an interface.
    fn arrive(&mut self, to: Place<'w>, enters_subnet: bool, segment: Segment) -> Arrival {
        match to.interface.interface_type {
            InterfaceType::NatGateway => {
                return self.back_through_nat_gateway(to, enters_subnet, segment);
            }
            InterfaceType::NetworkLoadBalancer => return self.at_node(to, enters_subnet, segment),
            InterfaceType::VpcEndpoint => return self.at_endpoint(to, enters_subnet, segment),
            InterfaceType::Interface => {}
        }
        let is_own = owns(to, segment.dst);
        let passes = is_running(to)
            && (!enters_subnet || self.network_acl_passes(to, false, &segment))
            && (is_own || !to.interface.source_dest_check)
            && self.groups_pass(to, false, &segment);
        passes.then_some((Device::Interface(to.interface.id), segment))
    }

    /// Over a peering connection: only between addresses of its two VPCs (Amazon VPC Peering Guide, "VPC peering
    /// limitations").
    fn peering(
        &mut self,
        from: Place<'w>,
        peering: &VpcPeeringConnection,
        segment: Segment,
    ) -> Arrival {
        let here = from.interface.vpc_id;
        let there = if peering.requester.vpc_id == here {
            peering.accepter.vpc_id
        } else if peering.accepter.vpc_id == here {
            peering.requester.vpc_id
        } else {
            return None;
        };
        let carried = peering.status == PeeringStatus::Active
            && self.is_of_vpc(here, segment.src)
            && self.is_of_vpc(there, segment.dst);
        let to = self.in_vpc(there, segment.dst).filter(|_| carried)?;
        self.ways.push("peering");
        self.arrive(to, true, segment)
    }

    /// Whether the groups of an interface let a packet pass: a rule does, or it belongs to what has passed before.
    fn groups_pass(&mut self, at: Place<'w>, outward: bool, segment: &Segment) -> bool {
        let keeper = Keeper::Groups(at.interface.id);
        let ends = Ends::of(segment, outward);
        let known = conversation(&self.seen, keeper, ends, segment, self.now).is_some();
        let passed_on = self.on_behalf_of.filter(|_| !outward);
        let allowed = self.groups_allow(at.state, at.interface, outward, segment)
            || segment.quote().is_some_and(|quote| {
                // Errors about untracked flows pass as those about tracked ones do.
                self.groups_leave_untracked(at.state, at.interface, !outward, &quote)
            })
            || passed_on
                .is_some_and(|node| self.groups_name(at.state, at.interface, segment, node));
        if known && !allowed {
            self.ways.push("tracked connection");
        }
        let passes = known || allowed;
        self.note(passes, keeper, ends, outward, segment, 0);
        passes
    }

    /// What an interface that the packet has come to recorded when it sent it on.
    fn sent_by(&mut self, interface: NetworkInterfaceId) -> Option<Sight> {
        let mut sights = self.observed.sights.iter().enumerate().skip(self.looked_at);
        let (at, sight) = sights.find(|(_, s)| s.outward && s.interface == interface)?;
        self.looked_at = at + 1;
        Some(*sight)
    }

    fn network_acl_passes(&self, at: Place<'w>, egress: bool, segment: &Segment) -> bool {
        let acl = at.state.network_acl_of(at.interface.subnet_id);
        acl.is_some_and(|acl| rules::network_acl_allows(acl, egress, segment))
    }

    fn note(
        &mut self,
        passed: bool,
        keeper: Keeper,
        ends: Ends,
        outward: bool,
        segment: &Segment,
        port: u16,
    ) {
        if segment.quoted.is_some() {
            // Errors neither begin nor prolong anything.
            return;
        }
        self.seen.push(Passage {
            passed,
            keeper,
            ends,
            outward,
            segment: *segment,
            at: self.now,
            port,
            behind: None,
        });
    }

    fn places(&self) -> impl Iterator<Item = Place<'w>> + use<'w> {
        self.world.regions.values().flat_map(|state| {
            let all = state.network_interfaces.values();
            all.map(move |interface| Place { state, interface })
        })
    }

    fn place(&self, id: NetworkInterfaceId) -> Option<Place<'w>> {
        self.places().find(|place| place.interface.id == id)
    }

    /// The interface of a VPC that has a private address.
    fn in_vpc(&self, vpc_id: VpcId, address: IpAddr) -> Option<Place<'w>> {
        let mut all = self.places().filter(|p| p.interface.vpc_id == vpc_id);
        all.find(|p| p.interface.addresses().any(|own| own == address))
    }

    fn running_in_vpc(&self, from: Place<'w>, id: NetworkInterfaceId) -> Option<Place<'w>> {
        let to = self.place(id)?;
        (to.interface.vpc_id == from.interface.vpc_id && is_running(to)).then_some(to)
    }

    fn is_of_vpc(&self, vpc_id: VpcId, address: IpAddr) -> bool {
        let mut all = self.world.regions.values().flat_map(|s| s.vpcs.values());
        all.any(|vpc| vpc.id == vpc_id && vpc.contains(address))
    }

    fn prefix_list(&self, state: &State, id: PrefixListId) -> Vec<IpNet> {
        let mut of_aws = self.aws_prefix_lists.iter();
        match of_aws.find(|(own, _)| *own == id) {
            Some((_, blocks)) => blocks.clone(),
            None => {
                let version = state.prefix_lists.get(&id).map(|list| list.version);
                let entries = state.prefix_list_versions.iter();
                entries
                    .filter(|((list, number), _)| *list == id && Some(*number) == version)
                    .flat_map(|(_, version)| version.entries.iter().map(|entry| entry.cidr))
                    .collect()
            }
        }
    }
}

fn owns(place: Place<'_>, address: IpAddr) -> bool {
    place.interface.addresses().any(|own| own == address)
}

/// Whether an instance that runs has the interface.
fn is_running(place: Place<'_>) -> bool {
    let attachment = place.interface.attachment.as_ref();
    let mut instances = place.state.instances.values();
    attachment.is_some_and(|attachment| {
        instances.any(|i| i.id == attachment.instance_id && i.state == InstanceState::Running)
    })
}
