//! Network load balancers: each flow to one of the targets, for as long as it lives (User Guide for Network Load
//! Balancers, "Network Load Balancer overview" and "Client IP preservation").
//!
//! A node has a network interface, whose security groups (if it has any), network ACL and route table rule what comes
//! to it and what it sends on. A target that sees its client's address answers that, and not the node: such answers are
//! taken back to the node where they leave the target's interface.

use packet::{protocol, tcp};

use crate::Action;
use crate::Direction;
use crate::compile::load_balancer::{Listener, Node, Target};
use crate::compile::network_interface::Interface;
use crate::disposition::Disposition;
use crate::egress::PATH_LOCAL;
use crate::flow_cache::Translation;
use crate::session::{Endpoint, Key, Session};
use crate::step::{Outcome, Stage};
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use crate::walk::{Answer, End, Walk};

/// Targets that are tried for a new flow, should the connection exist at the first already.
const ATTEMPTS_MAX: usize = 4;
/// Nodes on one way; of those that have each other as targets it would have no end.
const NODES_MAX: u8 = 3;

impl<'a> Walk<'a> {
    /// A packet that has come to a node's address: of a client, of a target that answers the node, or an answer to a
    /// health check.
    pub(crate) fn at_load_balancer(
        &mut self,
        to: &Interface,
        node: &Node,
        enters_subnet: bool,
        subject: &Subject,
    ) -> End {
        self.enter(to, enters_subnet, &subject.tuple)?;
        let dst = subject.tuple.dst;
        if !to.owns(dst) {
            return Err(self.source_dest_check(to, false, dst));
        }
        self.node_groups(to, false, subject)?;
        self.saw_ingress(to, &subject.tuple, Action::Accept);
        if self
            .health_checks
            .answered(to.port, &subject.tuple, subject.tcp_flags)
        {
            self.way.cacheable = false;
            let taken = Disposition::HealthCheckAnswered { interface: to.id };
            let stage = Stage::LoadBalancer;
            self.step(
                to.id,
                Direction::Ingress,
                stage,
                None,
                Outcome::Pass,
                || taken.to_string(),
            );
            return Err(taken);
        }
        self.take_node(to)?;
        let back = Key::inward(to.port, &about(subject));
        if let Some(index) = back.and_then(|key| self.balanced(&key, node, subject)) {
            return self.back_from_node(to, index, subject);
        }
        let index = match self.session_of_client(to, node, subject) {
            Ok(index) => index,
            Err(disposition) => return Err(self.refused_by_load_balancer(to, disposition)),
        };
        self.on_to_target(to, node, index, subject)
    }

    /// The node's interface and the session, if a packet is an answer to a client whose address the target sees.
    pub(crate) fn balanced_answer(
        &mut self,
        from: &Interface,
        subject: &Subject,
    ) -> Option<(&'a Interface, u32)> {
        let tuple = about(subject);
        let L4::Ports { src, .. } = tuple.l4 else {
            return None;
        };
        let (mut is_target, mut found) = (false, None);
        for balanced in &from.balanced {
            if (balanced.address, balanced.port) != (tuple.src, src) {
                continue;
            }
            is_target = true;
            let interface = self.snapshot.interface(balanced.node)?;
            let node = interface.load_balancer.as_ref()?;
            let key = Key::inward(balanced.node, &tuple)?;
            // What answers the node itself goes as it is addressed.
            let session = self.sessions.find(&key).and_then(|i| self.sessions.get(i));
            if session.is_some_and(Session::keeps_near) {
                let index = self.balanced(&key, node, subject);
                found = found.or(index.map(|index| (interface, index)));
            }
        }
        if found.is_some() {
            return found;
        }
        // A session that begins later changes where the next packet goes.
        self.way.cacheable &= !is_target;
        None
    }

    /// From a target that sees its client's address to the node: what leaves the one subnet and enters the other.
    pub(crate) fn answer_through_node(
        &mut self,
        from: &Interface,
        node: &Interface,
        index: u32,
        subject: &Subject,
    ) -> End {
        let crosses = from.subnet.id != node.subnet.id;
        self.exit(from, crosses, &subject.tuple)?;
        self.left_by(&from.metadata, PATH_LOCAL);
        self.check_vpc_mtu(subject)?;
        self.passes_to(&from.metadata, &node.metadata);
        self.enter(node, crosses, &subject.tuple)?;
        self.node_groups(node, false, subject)?;
        self.saw_ingress(node, &subject.tuple, Action::Accept);
        self.back_from_node(node, index, subject)
    }

    /// From the node back to the client.
    fn back_from_node(&mut self, node: &Interface, index: u32, subject: &Subject) -> End {
        self.see_balanced(index, false, subject);
        let Some(session) = self.sessions.get(index) else {
            let interface = node.id;
            return Err(Disposition::NoLoadBalancerSession { interface });
        };
        let (client, listener) = (session.near(), session.named());
        let translation = Translation {
            src: Some(listener.address),
            src_port: Some(listener.port),
            dst: Some(client.address),
            dst_port: Some(client.port),
            icmp_identifier: None,
        };
        let gateway = session.gateway();
        let translated = self.translate(translation, subject);
        let stage = Stage::LoadBalancer;
        self.step(
            node.id,
            Direction::Ingress,
            stage,
            None,
            Outcome::Pass,
            || {
                let port = listener.port;
                format!(
                    "answer of a target, from port {port} to {}:{}",
                    client.address, client.port
                )
            },
        );
        if gateway != node.port {
            return self.out_of_endpoint(self.snapshot.interface(gateway), &translated);
        }
        self.node_groups(node, true, &translated)?;
        self.send_on(node, &translated)
    }

    /// From the node to the target of a session.
    pub(crate) fn on_to_target(
        &mut self,
        to: &Interface,
        node: &Node,
        index: u32,
        subject: &Subject,
    ) -> End {
        self.see_balanced(index, true, subject);
        let Some(session) = self.sessions.get(index) else {
            let interface = to.id;
            return Err(Disposition::NoLoadBalancerSession { interface });
        };
        let (source, target) = (session.translated(), session.far());
        let translation = Translation {
            src: Some(source.address),
            src_port: Some(source.port),
            dst: Some(target.address),
            dst_port: Some(target.port),
            icmp_identifier: None,
        };
        let translated = self.translate(translation, subject);
        let stage = Stage::LoadBalancer;
        self.step(
            to.id,
            Direction::Ingress,
            stage,
            None,
            Outcome::Pass,
            || {
                let (address, port) = (target.address, target.port);
                let whose = match source.address == node.address {
                    true => format!("the node's, port {}", source.port),
                    false => "kept".to_owned(),
                };
                format!("{}: target {address}:{port}, source {whose}", node.path)
            },
        );
        self.node_groups(to, true, &translated)?;
        // Rules of targets that name the node's groups mean its clients too.
        self.way.on_behalf_of = Some(node.address);
        self.send_on(to, &translated)
    }

    /// A load balancer that was made without security groups takes and sends everything.
    pub(crate) fn node_groups(
        &mut self,
        node: &Interface,
        egress: bool,
        subject: &Subject,
    ) -> Result<(), Disposition> {
        if node.groups.ids.is_empty() {
            return Ok(());
        }
        let refused = self.security_groups(node, egress, true, subject);
        if refused.is_err() {
            match egress {
                true => self.saw_egress(node, &subject.tuple, Action::Reject),
                false => self.saw_ingress(node, &subject.tuple, Action::Reject),
            }
        }
        refused
    }

    /// Another node on the packet's way.
    pub(crate) fn take_node(&mut self, node: &Interface) -> Result<(), Disposition> {
        self.way.nodes += 1;
        if self.way.nodes <= NODES_MAX {
            return Ok(());
        }
        let interface = node.id;
        Err(self.refused_by_load_balancer(node, Disposition::NoTarget { interface }))
    }

    /// The session of a client's packet, a new one if it may begin one.
    fn session_of_client(
        &mut self,
        to: &Interface,
        node: &Node,
        subject: &Subject,
    ) -> Result<u32, Disposition> {
        let interface = to.id;
        let unknown = Disposition::NoLoadBalancerSession { interface };
        let tuple = about(subject);
        let Some(key) = Key::outward(to.port, &tuple) else {
            return Err(Disposition::NoListener { interface });
        };
        if let Some(index) = self.balanced(&key, node, subject) {
            return Ok(index);
        }
        if subject.quoted.is_some() {
            return Err(unknown);
        }
        let L4::Ports { dst, .. } = tuple.l4 else {
            return Err(Disposition::NoListener { interface });
        };
        let Some(listener) = node.listener(tuple.protocol, dst) else {
            return Err(Disposition::NoListener { interface });
        };
        let is_tcp = tuple.protocol == protocol::TCP;
        let opens = subject.tcp_flags & (tcp::SYN | tcp::ACK | tcp::RST) == tcp::SYN;
        if is_tcp && !opens {
            self.reset_unless_reset(subject);
            return Err(unknown);
        }
        self.choose(to, node, listener, key, subject)
            .ok_or_else(|| {
                self.reset_unless_reset(subject);
                Disposition::NoTarget { interface }
            })
    }

    pub(crate) fn reset_unless_reset(&mut self, subject: &Subject) {
        let is_tcp = subject.tuple.protocol == protocol::TCP;
        if is_tcp && subject.tcp_flags & tcp::RST == 0 {
            self.way.answer = Some(Answer::Reset);
        }
    }

    /// Chooses the target of a new flow by its hash, and begins its session ("flow hash algorithm"). Of clients that come
    /// through an endpoint the targets see the node's address.
    pub(crate) fn choose(
        &mut self,
        to: &Interface,
        node: &Node,
        listener: &Listener,
        key: Key,
        subject: &Subject,
    ) -> Option<u32> {
        let tuple = &subject.tuple;
        let ready: Vec<&Target> = listener.targets.iter().filter(|t| t.takes_new).collect();
        let hash = match listener.sticky {
            true => self.sessions.hash((to.port, listener.port, tuple.src)),
            false => self.sessions.hash(key),
        };
        let idle_secs = listener.idle_secs(tuple.protocol);
        for attempt in 0..ready.len().min(ATTEMPTS_MAX) {
            let at = (hash as usize).wrapping_add(attempt) % ready.len();
            let target = ready[at];
            let far = Endpoint {
                address: target.address,
                port: target.port,
            };
            let outside = match target.preserves && key.gateway() == to.port {
                true if tuple.src == target.address => continue,
                true => {
                    let outside = key.across(key.near(), far);
                    // What is over is not in the way.
                    self.live_session(&outside, subject, |_| true);
                    Some(outside)
                }
                false => self.sessions.free(&key.at(to.port), node.address, far),
            };
            let begun = outside.and_then(|o| self.sessions.insert(key, o, idle_secs, self.now));
            if begun.is_some() {
                return begun;
            }
        }
        None
    }

    /// The session of a key, unless it is over or too long ago, or its target is none any more.
    pub(crate) fn balanced(&mut self, key: &Key, node: &Node, subject: &Subject) -> Option<u32> {
        self.live_session(key, subject, |session| {
            let (listener, far) = (session.named(), session.far());
            node.listener(session.protocol(), listener.port)
                .is_some_and(|listener| keeps(listener, far))
        })
    }

    pub(crate) fn see_balanced(&mut self, index: u32, outward: bool, subject: &Subject) {
        if subject.quoted.is_some() {
            self.way.cacheable = false;
            return;
        }
        self.see_session(index, outward, subject);
    }

    fn refused_by_load_balancer(
        &mut self,
        node: &Interface,
        disposition: Disposition,
    ) -> Disposition {
        // A session that begins elsewhere, or a target that works again, changes what is said of the next packet.
        self.way.cacheable = false;
        let stage = Stage::LoadBalancer;
        self.step(
            node.id,
            Direction::Ingress,
            stage,
            None,
            Outcome::Drop,
            || disposition.to_string(),
        );
        disposition
    }
}

/// Whether flows to a target go on.
fn keeps(listener: &Listener, far: Endpoint) -> bool {
    let is_it = |target: &&Target| (target.address, target.port) == (far.address, far.port);
    let target = listener.targets.iter().find(is_it);
    target.is_some_and(|target| !target.ends_flows)
}

/// The packet itself, or the one that an ICMP error is about, as it would go the error's way.
fn about(subject: &Subject) -> Tuple {
    subject.quoted.map_or(subject.tuple, Tuple::reversed)
}
