//! Interface endpoints (AWS PrivateLink Guide).

use std::net::IpAddr;

use model::{VpcEndpoint, VpcEndpointState};
use packet::protocol;

use super::conversation::{Ends, Entry, Keeper, conversation};
use super::load_balancer::load_balancer_of;
use super::{Arrival, Naive, Place, owns};
use crate::Segment;

impl<'w> Naive<'w> {
    /// A packet to the interface of an endpoint.
    pub(super) fn at_endpoint(
        &mut self,
        at: Place<'w>,
        enters_subnet: bool,
        segment: Segment,
    ) -> Arrival {
        let passes = (!enters_subnet || self.network_acl_passes(at, false, &segment))
            && owns(at, segment.dst)
            && self.groups_pass(at, false, &segment);
        let endpoint = available_endpoint_of(at).filter(|_| passes)?;
        if endpoint
            .interface()
            .is_some_and(|own| own.provider.is_none())
        {
            return self.interface_endpoint(at, endpoint, segment);
        }
        let node = self.provider(at, endpoint)?;
        if segment.quoted.is_some() {
            return None;
        }
        let entry = Entry {
            known: at.interface.id,
            node: node.interface.id,
        };
        let (keeper, ends) = (Keeper::LoadBalancer(entry), Ends::of(&segment, true));
        self.listener(node, ends)?;
        let known = conversation(&self.seen, keeper, ends, &segment, self.now).is_some();
        if !known && segment.protocol == protocol::TCP && !segment.opens() {
            return None;
        }
        if !known {
            self.ends(entry, ends, &segment);
        }
        let (balancer, _) = load_balancer_of(node)?;
        let address = node.interface.primary_ipv4().map(IpAddr::V4)?;
        let asked = segment.to(address, segment.dst_port);
        if balancer.enforces_groups_on_private_link && !self.node_groups_pass(node, false, &asked) {
            return None;
        }
        self.take_node()?;
        self.ways.push("endpoint service");
        self.pass_to_target(at, node, segment)
    }

    /// From the interface of an endpoint to whoever has asked: nobody is told of errors.
    pub(super) fn out_of_endpoint(&mut self, from: Place<'w>, segment: Segment) -> Arrival {
        available_endpoint_of(from).filter(|_| segment.quoted.is_none())?;
        if !owns(from, segment.src) || !self.groups_pass(from, true, &segment) {
            return None;
        }
        self.ways.push("answer of an endpoint");
        self.route(from, segment)
    }

    /// The node in the endpoint's zone of the load balancer behind it.
    fn provider(&self, at: Place<'w>, endpoint: &VpcEndpoint) -> Option<Place<'w>> {
        let own = endpoint.interface()?;
        let mut subnets = own.subnets.iter();
        let zone = subnets
            .find(|s| s.network_interface_id == at.interface.id)?
            .zone;
        let scope = own.provider?;
        let state = self.world.region(&scope)?;
        let services = state.vpc_endpoint_services.values();
        let service = services
            .into_iter()
            .find(|s| s.name(scope.region) == endpoint.service_name)?;
        service.load_balancers.iter().find_map(|id| {
            let balancer = state.load_balancers.values().find(|b| b.id == *id)?;
            let node = balancer.nodes.iter().find(|node| node.zone == zone)?;
            self.place(node.network_interface_id)
        })
    }
}

/// The endpoint whose interface this is, if it works.
fn available_endpoint_of(place: Place<'_>) -> Option<&VpcEndpoint> {
    let endpoints = place.state.vpc_endpoints.values();
    endpoints.into_iter().find(|endpoint| {
        let own = endpoint.interface();
        let is_it = own.is_some_and(|own| {
            let mut subnets = own.subnets.iter();
            subnets.any(|s| s.network_interface_id == place.interface.id)
        });
        is_it && endpoint.state == VpcEndpointState::Available
    })
}
