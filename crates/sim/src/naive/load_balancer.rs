//! Network load balancers (User Guide for Network Load Balancers). Which target a flow gets is the load balancer's own
//! affair; that the target may have it, and that it stays with it, is not.

use std::net::IpAddr;

use model::{
    Health, Listener, LoadBalancer, LoadBalancerNode, NetworkInterfaceId, TargetGroup, TargetId,
    VpcId,
};
use packet::protocol;

use super::conversation::{Behind, Ends, Entry, Keeper, Passage, conversation};
use super::{Arrival, Naive, Place, owns};
use crate::Segment;

/// Weir's own: a packet that comes through more nodes goes in a circle.
const NODES_MAX: u8 = 3;
/// The source ports of nodes: those above are for health checks.
const PORTS: std::ops::RangeInclusive<u16> = 1024..=64_511;

/// A conversation through a load balancer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    entry: Entry,
    ends: Ends,
    behind: Behind,
}

/// A target that may get a flow.
#[derive(Clone, Copy, Debug)]
struct Ready {
    at: (IpAddr, u16),
    /// Whether it sees its clients' addresses.
    preserves: bool,
}

impl<'w> Naive<'w> {
    /// A packet to the address of a node: a client's, or a target's that answers the node.
    pub(super) fn at_node(
        &mut self,
        at: Place<'w>,
        enters_subnet: bool,
        segment: Segment,
    ) -> Arrival {
        let passes = (!enters_subnet || self.network_acl_passes(at, false, &segment))
            && owns(at, segment.dst)
            && self.node_groups_pass(at, false, &segment);
        if !passes {
            return None;
        }
        self.take_node()?;
        if let Some(known) = self.answered(at.interface.id, &segment) {
            return self.back_to_client(at, known, segment);
        }
        self.pass_to_target(at, at, segment)
    }

    pub(super) fn take_node(&mut self) -> Option<()> {
        self.nodes += 1;
        (self.nodes <= NODES_MAX).then_some(())
    }

    /// A load balancer without security groups takes and sends everything.
    pub(super) fn node_groups_pass(
        &mut self,
        node: Place<'w>,
        outward: bool,
        segment: &Segment,
    ) -> bool {
        node.interface.groups.is_empty() || self.groups_pass(node, outward, segment)
    }

    /// From whoever the client knows by its address to a target.
    pub(super) fn pass_to_target(
        &mut self,
        known: Place<'w>,
        node: Place<'w>,
        segment: Segment,
    ) -> Arrival {
        let entry = Entry {
            known: known.interface.id,
            node: node.interface.id,
        };
        let (keeper, ends) = (Keeper::LoadBalancer(entry), Ends::of(&segment, true));
        let listener = self.listener(node, ends)?;
        let sent = self.sent_by(entry.node).map(|sight| Behind {
            near: sight.src,
            far: sight.dst,
        });
        let behind = match conversation(&self.seen, keeper, ends, &segment, self.now) {
            Some(known) => known.behind?,
            None if segment.quoted.is_some() => return None,
            None if segment.protocol == protocol::TCP && !segment.opens() => return None,
            None => {
                self.ends(entry, ends, &segment);
                self.choice(entry, node, listener, &segment, sent)?
            }
        };
        self.balanced(true, entry, ends, behind, &segment);
        self.ways.push("network load balancer");
        let (near, far) = (behind.near, behind.far);
        let segment = segment.from(near.0, near.1).to(far.0, far.1);
        if !self.node_groups_pass(node, true, &segment) {
            return None;
        }
        self.on_behalf_of = node.interface.primary_ipv4().map(IpAddr::V4);
        self.route(node, segment)
    }

    /// The listener of a node that takes what a client sends.
    pub(super) fn listener(&self, node: Place<'w>, ends: Ends) -> Option<&'w Listener> {
        let (balancer, _) = load_balancer_of(node)?;
        let mut listeners = node.state.listeners.values();
        listeners.find(|listener| {
            listener.load_balancer_id == balancer.id
                && listener.port == ends.far.1
                && match ends.protocol {
                    protocol::TCP => listener.protocol.has_tcp(),
                    protocol::UDP => listener.protocol.has_udp(),
                    _ => false,
                }
        })
    }

    /// The target that the data plane chose for a new flow, if that may have it.
    fn choice(
        &mut self,
        entry: Entry,
        node: Place<'w>,
        listener: &Listener,
        segment: &Segment,
        sent: Option<Behind>,
    ) -> Option<Behind> {
        let client = (segment.src, segment.src_port);
        let own = IpAddr::V4(node.interface.primary_ipv4()?);
        let groups = node.state.target_groups.values();
        let group = groups
            .into_iter()
            .find(|g| g.id == listener.target_group_id)?;
        let ready = self.ready(node, group);
        // Behind an endpoint there are no clients that targets could answer.
        let keeps_client = |target: &Ready| target.preserves && entry.known == entry.node;
        let usable = |target: &Ready| {
            let behind = Behind {
                near: client,
                far: target.at,
            };
            !keeps_client(target)
                || (target.at.0 != segment.src && self.at(entry.node, behind, segment).is_none())
        };
        let (usable, taken): (Vec<Ready>, Vec<Ready>) = ready.into_iter().partition(usable);
        let Some(chosen) = sent else {
            if !usable.is_empty() {
                let place = entry.node;
                self.complaint = Some(format!("{place} chose none of {usable:?}"));
            }
            return None;
        };
        let fits = usable.iter().any(|target| {
            let near = match keeps_client(target) {
                true => chosen.near == client,
                false => {
                    chosen.near.0 == own
                        && PORTS.contains(&chosen.near.1)
                        && self.at(entry.node, chosen, segment).is_none()
                }
            };
            near && target.at == chosen.far
        });
        if !fits {
            self.complaint = Some(format!("{chosen:?} was chosen, of {usable:?}"));
        }
        self.ended_by(entry.node, chosen, segment);
        if group.attributes.stickiness && taken.is_empty() {
            self.check_sticks(entry.node, listener.port, client.0, chosen.far);
        }
        Some(chosen)
    }

    /// A client of a sticky group always gets the same target ("Sticky sessions").
    fn check_sticks(
        &mut self,
        node: NetworkInterfaceId,
        port: u16,
        client: IpAddr,
        target: (IpAddr, u16),
    ) {
        let stuck = self.stuck.entry((node, port, client)).or_insert(target);
        if *stuck != target {
            self.complaint = Some(format!("{client} had {stuck:?} and then {target:?}"));
        }
    }

    /// The targets that a node may choose from: those that work, or if none does all that do not ("Target health
    /// status"), in the node's zone or, across zones, in any that has a node ("Cross-zone load balancing").
    fn ready(&self, node: Place<'w>, group: &TargetGroup) -> Vec<Ready> {
        let Some((balancer, row)) = load_balancer_of(node) else {
            return Vec::new();
        };
        let attributes = &group.attributes;
        let crosses = attributes.cross_zone.unwrap_or(balancer.cross_zone);
        let in_reach = group.targets.iter().filter(|(_, target)| {
            target.zone.is_none_or(|zone| match crosses {
                true => balancer.nodes.iter().any(|node| node.zone == zone),
                false => zone == row.zone,
            })
        });
        let staying = in_reach.filter(|(_, target)| target.draining_since.is_none());
        let of_health = |wanted: &[Health]| -> Vec<Ready> {
            let fitting = staying.clone();
            let fitting = fitting.filter(|(_, target)| wanted.contains(&target.health));
            fitting
                .filter_map(|(key, _)| {
                    let (address, is_known) = self.target(group.vpc_id, key.id)?;
                    Some(Ready {
                        at: (address, key.port),
                        preserves: attributes.preserve_client_ip && is_known,
                    })
                })
                .collect()
        };
        let healthy = of_health(&[Health::Healthy]);
        match healthy.is_empty() {
            true => of_health(&[Health::TimedOut, Health::Failed]),
            false => healthy,
        }
    }

    /// The address of a target, and whether it is in the VPC.
    fn target(&self, vpc_id: VpcId, id: TargetId) -> Option<(IpAddr, bool)> {
        match id {
            TargetId::Ip(address) => Some((address, self.in_vpc(vpc_id, address).is_some())),
            TargetId::Instance(id) => {
                let mut all = self.places().filter_map(|place| {
                    let attachment = place.interface.attachment.as_ref()?;
                    (attachment.instance_id == id).then_some(place.interface.primary_ipv4()?)
                });
                Some((all.next()?.into(), true))
            }
        }
    }

    /// The conversation that a node's target knows by these ends, if it goes on.
    fn at(&self, node: NetworkInterfaceId, behind: Behind, segment: &Segment) -> Option<Known> {
        let mut all = self.ever_at(node, behind, segment).into_iter();
        all.find(|known| self.goes_on(known, segment))
    }

    /// All that it ever knew by them.
    fn ever_at(&self, node: NetworkInterfaceId, behind: Behind, segment: &Segment) -> Vec<Known> {
        let passed = self.seen.iter().filter(|passage| {
            let of = Ends::of(segment, true).protocol;
            passage.behind == Some(behind) && passage.ends.protocol == of
        });
        let known = passed.filter_map(|passage| match passage.keeper {
            Keeper::LoadBalancer(entry) if entry.node == node => Some(Known {
                entry,
                ends: passage.ends,
                behind,
            }),
            _ => None,
        });
        known.collect()
    }

    fn goes_on(&self, known: &Known, segment: &Segment) -> bool {
        let keeper = Keeper::LoadBalancer(known.entry);
        let found = conversation(&self.seen, keeper, known.ends, segment, self.now);
        found.is_some_and(|found| found.behind == Some(known.behind))
    }

    /// The conversation of a node that a target's packet answers; what asks for another ends the remains of an old one.
    fn answered(&mut self, node: NetworkInterfaceId, segment: &Segment) -> Option<Known> {
        let Ends { near, far, .. } = Ends::of(segment, false);
        let behind = Behind { near, far };
        self.ended_by(node, behind, segment);
        self.at(node, behind, segment)
    }

    fn ended_by(&mut self, node: NetworkInterfaceId, behind: Behind, segment: &Segment) {
        for known in self.ever_at(node, behind, segment) {
            if !self.goes_on(&known, segment) {
                self.ends(known.entry, known.ends, segment);
            }
        }
    }

    /// Whatever is over of a conversation ends.
    pub(super) fn ends(&mut self, entry: Entry, ends: Ends, segment: &Segment) {
        let keeper = Keeper::LoadBalancer(entry);
        self.note(false, keeper, ends, true, segment, 0);
    }

    /// What a packet of a target answers that sees its client's address: such answers go back to the node ("Client IP
    /// preservation"). Of several, the data plane chooses.
    pub(super) fn answer_to_client(&mut self, from: Place<'w>, segment: &Segment) -> Option<Known> {
        let nodes = self.places().filter(|place| {
            place.interface.vpc_id == from.interface.vpc_id && load_balancer_of(*place).is_some()
        });
        let Ends { near, far, .. } = Ends::of(segment, false);
        let behind = Behind { near, far };
        if !owns(from, far.0) {
            return None;
        }
        let ids = nodes.map(|node| node.interface.id);
        let ever = ids.flat_map(|node| self.ever_at(node, behind, segment));
        let kept: Vec<Known> = ever.filter(|known| known.ends.near == near).collect();
        let (all, over): (Vec<Known>, Vec<Known>) = kept
            .into_iter()
            .partition(|known| self.goes_on(known, segment));
        for known in over {
            self.ends(known.entry, known.ends, segment);
        }
        let came = |known: &&Known| {
            let mut sights = self.observed.sights.iter();
            sights.any(|sight| !sight.outward && sight.interface == known.entry.node)
        };
        all.iter().find(came).or(all.first()).copied()
    }

    /// From a target by way of the node, whose subnet may be another one.
    pub(super) fn back_through_node(
        &mut self,
        from: Place<'w>,
        known: Known,
        segment: Segment,
    ) -> Arrival {
        let node = self.place(known.entry.node)?;
        let crosses = from.interface.subnet_id != node.interface.subnet_id;
        let passes = !crosses
            || (self.network_acl_passes(from, true, &segment)
                && self.network_acl_passes(node, false, &segment));
        if !passes || !self.node_groups_pass(node, false, &segment) {
            return None;
        }
        self.back_to_client(node, known, segment)
    }

    fn back_to_client(&mut self, node: Place<'w>, known: Known, segment: Segment) -> Arrival {
        let Known {
            entry,
            ends,
            behind,
        } = known;
        self.balanced(false, entry, ends, behind, &segment);
        self.ways.push("answer of a target");
        let answer = segment
            .from(ends.far.0, ends.far.1)
            .to(ends.near.0, ends.near.1);
        if entry.known != entry.node {
            return self.out_of_endpoint(self.place(entry.known)?, answer);
        }
        self.sent_by(entry.node);
        if !self.node_groups_pass(node, true, &answer) {
            return None;
        }
        self.route(node, answer)
    }

    fn balanced(
        &mut self,
        outward: bool,
        entry: Entry,
        ends: Ends,
        behind: Behind,
        segment: &Segment,
    ) {
        if segment.quoted.is_some() {
            return;
        }
        self.seen.push(Passage {
            passed: true,
            keeper: Keeper::LoadBalancer(entry),
            ends,
            outward,
            segment: *segment,
            at: self.now,
            port: 0,
            behind: Some(behind),
        });
    }
}

/// The load balancer whose node an interface is.
pub(super) fn load_balancer_of(place: Place<'_>) -> Option<(&LoadBalancer, &LoadBalancerNode)> {
    let balancers = place.state.load_balancers.values();
    balancers.into_iter().find_map(|balancer| {
        let mut nodes = balancer.nodes.iter();
        let node = nodes.find(|node| node.network_interface_id == place.interface.id)?;
        Some((balancer, node))
    })
}
