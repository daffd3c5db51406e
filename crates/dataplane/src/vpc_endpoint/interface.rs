//! Interface endpoints (AWS PrivateLink Guide, "Access AWS services through AWS PrivateLink" and "Considerations"): a
//! network interface stands for a service.
//!
//! Whoever reaches the interface's address, from its VPC or from a peer, reaches the service: nothing is routed to it,
//! and the service cannot begin anything. Behind the interface is one of AWS's services or a node of somebody's load
//! balancer, whose targets see the node's address as source.

use model::{AwsService, Region};
use packet::{protocol, tcp};

use super::EndpointRefusal;
use crate::Action;
use crate::Direction;
use crate::compile::network_interface::Interface;
use crate::compile::vpc_endpoint::{Behind, Endpoint};
use crate::disposition::Disposition;
use crate::flow_cache::Translation;
use crate::ports::PortId;
use crate::session::{IDLE_SECS, Key};
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::L4;
use crate::walk::{Answer, End, Walk};

/// The longest packet through an interface endpoint. Nobody is told of longer ones.
pub(crate) const MTU_ENDPOINT: u16 = 8500;
/// The ports of AWS's services.
const AWS_PORTS: [u16; 2] = [443, 80];

impl Walk<'_> {
    /// A packet that has come to the interface of an endpoint.
    pub(crate) fn at_endpoint(
        &mut self,
        to: &Interface,
        endpoint: &Endpoint,
        enters_subnet: bool,
        subject: &Subject,
    ) -> End {
        let tuple = &subject.tuple;
        self.enter(to, enters_subnet, tuple)?;
        if !to.owns(tuple.dst) {
            return Err(self.source_dest_check(to, false, tuple.dst));
        }
        if let Err(disposition) = self.security_groups(to, false, false, subject) {
            self.saw_ingress(to, tuple, Action::Reject);
            return Err(disposition);
        }
        self.saw_ingress(to, tuple, Action::Accept);
        self.way.limits_segments = true;
        self.way.limit_mtu(MTU_ENDPOINT);
        if subject.len > usize::from(MTU_ENDPOINT) {
            self.way.cacheable = false;
            return Err(self.not_carried(endpoint, EndpointRefusal::TooLong));
        }
        match endpoint.behind {
            Behind::Unavailable(state) => {
                Err(self.not_carried(endpoint, EndpointRefusal::State(state)))
            }
            Behind::Aws(service, region) if self.snapshot.services.is_some() => {
                self.pass_to_aws(to, endpoint, (service, region), subject)
            }
            Behind::Node(node) => self.pass_to_provider(to, endpoint, node, subject),
            Behind::Aws(..) | Behind::Nobody => {
                let endpoint_id = endpoint.id;
                let nobody = Disposition::NoServiceBehindEndpoint {
                    endpoint: endpoint_id,
                };
                Err(self.refused_by_endpoint(endpoint, nobody))
            }
        }
    }

    fn pass_to_aws(
        &mut self,
        to: &Interface,
        endpoint: &Endpoint,
        service: (AwsService, Region),
        subject: &Subject,
    ) -> End {
        let tuple = &subject.tuple;
        let port = port_of(subject);
        let taken = tuple.protocol == protocol::TCP && port.is_some_and(|p| AWS_PORTS.contains(&p));
        let Some(key) = Key::outward(to.port, tuple).filter(|_| taken) else {
            return Err(self.no_such_port(endpoint, subject));
        };
        let index = match self.live_session(&key, subject, |_| true) {
            Some(index) => index,
            None => {
                self.check_begins(endpoint, subject)?;
                let outside = key.across(key.near(), key.far());
                let begun = self.sessions.insert(key, outside, IDLE_SECS, self.now);
                let unknown = Disposition::NoEndpointSession {
                    endpoint: endpoint.id,
                };
                begun.ok_or(unknown)?
            }
        };
        self.see_balanced(index, true, subject);
        self.send_to_aws_service(to, endpoint.id, service, subject)
    }

    /// Through the endpoint to a target of the load balancer behind it. What the node's groups say of it holds for the
    /// client's address, unless the load balancer is told otherwise ("Update the security groups").
    fn pass_to_provider(
        &mut self,
        to: &Interface,
        endpoint: &Endpoint,
        node: PortId,
        subject: &Subject,
    ) -> End {
        let tuple = &subject.tuple;
        let interface = self.snapshot.interface(node);
        let Some((interface, node)) = interface.and_then(|i| Some((i, i.load_balancer.as_ref()?)))
        else {
            let endpoint_id = endpoint.id;
            let nobody = Disposition::NoServiceBehindEndpoint {
                endpoint: endpoint_id,
            };
            return Err(self.refused_by_endpoint(endpoint, nobody));
        };
        let listener = port_of(subject).and_then(|port| node.listener(tuple.protocol, port));
        let (Some(listener), Some(key)) = (listener, Key::outward(to.port, tuple)) else {
            return Err(self.no_such_port(endpoint, subject));
        };
        let known = self.balanced(&key, node, subject);
        if known.is_none() {
            self.check_begins(endpoint, subject)?;
        }
        let (id, path) = (endpoint.id, &node.path);
        let side = Direction::Egress;
        self.step(id, side, Stage::VpcEndpoint, None, Outcome::Pass, || {
            format!("to {path}")
        });
        if node.filters_endpoints {
            let asked = subject.translated(Translation {
                dst: Some(node.address),
                ..Translation::default()
            });
            self.node_groups(interface, false, &asked)?;
        }
        self.take_node(interface)?;
        let index = match known.or_else(|| self.choose(interface, node, listener, key, subject)) {
            Some(index) => index,
            None => {
                self.reset_unless_reset(subject);
                let nobody = Disposition::NoTarget {
                    interface: interface.id,
                };
                return Err(self.refused_by_endpoint(endpoint, nobody));
            }
        };
        self.on_to_target(interface, node, index, subject)
    }

    /// An answer of a service of AWS, as the endpoint's interface sends it.
    pub(crate) fn answer_of_aws_service(
        &mut self,
        interface: Option<&Interface>,
        answer: &Subject,
    ) -> End {
        let address = answer.tuple.src;
        let gone = Disposition::NoSuchAddress { address };
        let Some((from, endpoint)) = interface.and_then(|i| Some((i, i.endpoint?))) else {
            return Err(gone);
        };
        let key = Key::inward(from.port, &answer.tuple);
        let Some(index) = key.and_then(|key| self.live_session(&key, answer, |_| true)) else {
            let endpoint_id = endpoint.id;
            let unknown = Disposition::NoEndpointSession {
                endpoint: endpoint_id,
            };
            return Err(self.refused_by_endpoint(&endpoint, unknown));
        };
        self.see_balanced(index, false, answer);
        self.out_of_endpoint(Some(from), answer)
    }

    /// From the interface of an endpoint to whoever it answers: its groups, network ACL and routes.
    pub(crate) fn out_of_endpoint(
        &mut self,
        interface: Option<&Interface>,
        answer: &Subject,
    ) -> End {
        let address = answer.tuple.src;
        let gone = Disposition::NoSuchAddress { address };
        let Some((from, endpoint)) = interface.and_then(|i| Some((i, i.endpoint?))) else {
            return Err(gone);
        };
        if !from.owns(address) {
            return Err(gone);
        }
        if let Behind::Unavailable(state) = endpoint.behind {
            return Err(self.not_carried(&endpoint, EndpointRefusal::State(state)));
        }
        if answer.quoted.is_some() {
            // Whoever asks through an endpoint is told of no errors.
            return Err(self.no_such_port(&endpoint, answer));
        }
        self.way.limits_segments = true;
        self.way.limit_mtu(MTU_ENDPOINT);
        if let Err(disposition) = self.security_groups(from, true, false, answer) {
            self.saw_egress(from, &answer.tuple, Action::Reject);
            return Err(disposition);
        }
        self.send_on(from, answer)
    }

    /// Whether a packet of no known connection may begin one. A host that believes in a connection which the endpoint
    /// has forgotten is told.
    fn check_begins(&mut self, endpoint: &Endpoint, subject: &Subject) -> Result<(), Disposition> {
        let is_tcp = subject.tuple.protocol == protocol::TCP;
        let opens = subject.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN;
        if !is_tcp || opens {
            return Ok(());
        }
        if subject.tcp_flags & tcp::RST == 0 {
            self.way.answer = Some(Answer::Reset);
        }
        let endpoint_id = endpoint.id;
        let unknown = Disposition::NoEndpointSession {
            endpoint: endpoint_id,
        };
        Err(self.refused_by_endpoint(endpoint, unknown))
    }

    fn no_such_port(&mut self, endpoint: &Endpoint, subject: &Subject) -> Disposition {
        let reason = EndpointRefusal::Port {
            protocol: subject.tuple.protocol,
            port: port_of(subject),
        };
        self.not_carried(endpoint, reason)
    }

    fn not_carried(&mut self, endpoint: &Endpoint, reason: EndpointRefusal) -> Disposition {
        let endpoint_id = endpoint.id;
        let refused = Disposition::RefusedByEndpoint {
            endpoint: endpoint_id,
            reason,
        };
        self.refused_by_endpoint(endpoint, refused)
    }

    fn refused_by_endpoint(&mut self, endpoint: &Endpoint, refused: Disposition) -> Disposition {
        // A session that begins or ends elsewhere changes what is said of the next packet.
        self.way.cacheable &= !matches!(
            refused,
            Disposition::NoEndpointSession { .. } | Disposition::NoTarget { .. }
        );
        let (side, stage) = (Direction::Ingress, Stage::VpcEndpoint);
        self.step(endpoint.id, side, stage, None, Outcome::Drop, || {
            refused.to_string()
        });
        refused
    }
}

/// The port that a packet is for; errors about other packets are for none.
fn port_of(subject: &Subject) -> Option<u16> {
    match subject.tuple.l4 {
        L4::Ports { dst, .. } if subject.quoted.is_none() => Some(dst),
        _ => None,
    }
}
