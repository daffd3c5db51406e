//! Who sees a packet on its way, and who is next: what flow log records are made of.

use std::sync::Arc;

use model::InterfaceType;

use crate::compile::network_interface::Interface;
use crate::service;
use crate::tuple::Tuple;
use crate::walk::Walk;
use crate::{Action, Direction, InterfaceMetadata};

/// An interface, or a gateway without one, saw the packet.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub(crate) recorder: Arc<InterfaceMetadata>,
    pub(crate) direction: Direction,
    pub(crate) tuple: Tuple,
    pub(crate) action: Action,
    pub(crate) traffic_path: Option<u8>,
    pub(crate) next_hop: Option<Arc<InterfaceMetadata>>,
}

impl Walk<'_> {
    pub(crate) fn saw_egress(&mut self, from: &Interface, tuple: &Tuple, action: Action) {
        self.way.sent_by = None;
        if !self.is_never_logged(from, tuple) {
            self.saw(&from.metadata, Direction::Egress, tuple, action);
        }
    }

    pub(crate) fn saw_ingress(&mut self, to: &Interface, tuple: &Tuple, action: Action) {
        if !self.is_never_logged(to, tuple) {
            self.saw(&to.metadata, Direction::Ingress, tuple, action);
        }
    }

    /// A recorder saw the packet: coming, from whoever has sent it there, or going, to wherever
    /// [`left_by`](Self::left_by) and [`passes_to`](Self::passes_to) will say.
    pub(crate) fn saw(
        &mut self,
        recorder: &Arc<InterfaceMetadata>,
        direction: Direction,
        tuple: &Tuple,
        action: Action,
    ) {
        let next_hop = match direction {
            Direction::Ingress => self.way.sent_by.clone(),
            Direction::Egress => None,
        };
        self.way.seen.push(Sighting {
            recorder: recorder.clone(),
            direction,
            tuple: *tuple,
            action,
            traffic_path: None,
            next_hop,
        });
    }

    /// By which path the packet leaves.
    pub(crate) fn left_by(&mut self, from: &Arc<InterfaceMetadata>, path: u8) {
        if let Some(seen) = self.leaving(from) {
            seen.traffic_path = Some(path);
        }
    }

    /// Whom the packet goes to from here (Amazon VPC User Guide, "Flow log limitations": ingress
    /// from a network load balancer does not tell the sender).
    pub(crate) fn passes_to(&mut self, from: &Arc<InterfaceMetadata>, to: &Arc<InterfaceMetadata>) {
        if let Some(seen) = self.leaving(from) {
            seen.next_hop = Some(to.clone());
        }
        let tells = from.interface_type != InterfaceType::NetworkLoadBalancer;
        self.way.sent_by = tells.then(|| from.clone());
    }

    fn leaving(&mut self, from: &Arc<InterfaceMetadata>) -> Option<&mut Sighting> {
        let last = self.way.seen.last_mut()?;
        let is_own = Arc::ptr_eq(&last.recorder, from) && last.direction == Direction::Egress;
        is_own.then_some(last)
    }

    /// Traffic that flow logs leave out (Amazon VPC User Guide, "Flow log limitations").
    fn is_never_logged(&self, interface: &Interface, tuple: &Tuple) -> bool {
        let snapshot = self.snapshot;
        let (vpc, subnet) = (snapshot.vpc_of(interface), snapshot.subnet_of(interface));
        [tuple.src, tuple.dst]
            .iter()
            .any(|&address| service::is_service(vpc, subnet, address))
    }
}
