//! Health checks of load balancers' targets: which are due, what they find, and from when on that counts (User Guide
//! for Network Load Balancers, "Health checks for Network Load Balancer target groups").
//!
//! A check by TCP is a SYN from a node of the load balancer, a packet like any other. It succeeds if the target accepts
//! it; the node then takes it back, so that no connection comes about. A check by HTTP goes on with a request, and
//! succeeds if the target answers with one of the codes that are wanted. By HTTPS, TLS is between the two.

mod http;
mod send;
mod tls;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use model::{Health, Scope, TargetGroupId, TargetKey, Timestamp};
use packet::tcp::Tcp;
use packet::{Ip, protocol, tcp};

use crate::ports::PortId;
use crate::session::Endpoint;
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};
use http::{Answered, Exchange, Got, Reaction, Says};

pub(crate) use http::HttpRequest;
pub use tls::{CheckId, TlsAnswer, TlsStep};

/// The source ports of checks; sessions have those below.
const FIRST_PORT: u16 = 64_512;
/// Headers of IPv4 and TCP.
const HEADERS_LEN: usize = packet::ipv4::HEADER_LEN + tcp::HEADER_LEN;

/// How a target is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    pub(crate) scope: Scope,
    pub(crate) group: TargetGroupId,
    pub(crate) target: TargetKey,
    /// The node's interface.
    pub(crate) node: PortId,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// What is asked by HTTP or HTTPS, if it is.
    pub(crate) http: Option<Arc<HttpRequest>>,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) healthy_threshold: u16,
    pub(crate) unhealthy_threshold: u16,
    /// What is known already.
    pub(crate) health: Health,
}

/// Something that health checks found out about a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthFinding {
    /// The target's account and Region.
    pub scope: Scope,
    /// The target's group.
    pub target_group_id: TargetGroupId,
    /// The target.
    pub target: TargetKey,
    /// How it is now.
    pub health: Health,
}

/// A segment that a node sends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) node: PortId,
    pub(crate) src_port: u16,
    pub(crate) to: Endpoint,
    pub(crate) flags: u8,
    pub(crate) sequence: u32,
    pub(crate) acknowledgement: u32,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    /// The segment from a node's address, as the pipeline looks at it.
    pub(crate) fn subject(&self, src: IpAddr) -> Subject {
        Subject {
            tuple: Tuple {
                src,
                dst: self.to.address,
                protocol: protocol::TCP,
                l4: L4::Ports {
                    src: self.src_port,
                    dst: self.to.port,
                },
            },
            tcp_flags: self.flags,
            quoted: None,
            len: HEADERS_LEN + self.payload.len(),
            dont_fragment: true,
            ttl: 64,
            is_fragment: false,
        }
    }
}

type Key = (Scope, TargetGroupId, TargetKey);

/// Every check, and how far it is.
#[derive(Debug, Default)]
pub(crate) struct HealthChecks {
    checks: BTreeMap<Key, Progress>,
    /// Checks that wait for an answer, by where that comes to and from.
    waiting: BTreeMap<(PortId, u16), Key>,
    ports_used: u16,
    findings: Vec<HealthFinding>,
    /// The node and port at which an answer has arrived.
    arrived: Option<(PortId, u16)>,
    /// What nodes say to the answers of targets.
    says: Vec<Segment>,
    /// What whoever speaks TLS is to know.
    tls: Vec<(CheckId, TlsStep)>,
    /// Checks that were ever begun.
    begun: u64,
}

#[derive(Debug)]
struct Progress {
    check: HealthCheck,
    next: Timestamp,
    /// The check that is under way.
    pending: Option<Pending>,
    successes: u16,
    failures: u16,
}

/// A check that is under way.
#[derive(Debug)]
struct Pending {
    id: CheckId,
    end: Timestamp,
    /// The connection, if it is by HTTP or HTTPS.
    exchange: Option<Exchange>,
}

impl HealthChecks {
    /// Checks these targets from now on. What is known of those that were checked before is kept.
    pub(crate) fn install(&mut self, checks: &[HealthCheck]) {
        let mut before = std::mem::take(&mut self.checks);
        for check in checks {
            let key = (check.scope, check.group, check.target);
            let new = || Progress {
                check: check.clone(),
                next: Timestamp::default(),
                pending: None,
                successes: 0,
                failures: 0,
            };
            let mut progress = before.remove(&key).unwrap_or_else(new);
            if progress.check.health != check.health && check.health == Health::Initial {
                // Registered anew.
                progress = new();
            }
            progress.check = check.clone();
            self.checks.insert(key, progress);
        }
        let gone = before.values().filter_map(|gone| gone.pending.as_ref());
        self.tls.extend(gone.filter_map(Pending::over));
        let checks = &self.checks;
        self.waiting.retain(|_, key| checks.contains_key(key));
    }

    /// What has been found since the last call.
    pub(crate) fn take_findings(&mut self) -> Vec<HealthFinding> {
        std::mem::take(&mut self.findings)
    }

    /// Ends checks whose time is over, and gives the first segment of those that are due.
    pub(crate) fn due(&mut self, now: Timestamp) -> Vec<Segment> {
        let mut segments = Vec::new();
        for (key, progress) in &mut self.checks {
            if let Some(pending) = progress.pending.take_if(|pending| now >= pending.end) {
                self.waiting.remove(&(pending.id.node, pending.id.port));
                self.tls.extend(pending.over());
                let mut exchange = pending.exchange;
                let reset = exchange.as_mut().and_then(Exchange::reset);
                segments.extend(reset.map(|says| progress.check.segment(pending.id.port, says)));
                if !exchange.is_some_and(|exchange| exchange.is_answered()) {
                    self.findings.extend(progress.failed(Health::TimedOut));
                }
            }
            if progress.pending.is_some() || now < progress.next {
                continue;
            }
            self.ports_used = self.ports_used.wrapping_add(1) % (u16::MAX - FIRST_PORT);
            let port = FIRST_PORT + self.ports_used;
            let check = &progress.check;
            if self.waiting.contains_key(&(check.node, port)) {
                // More checks at once than ports: the next round has one.
                continue;
            }
            self.waiting.insert((check.node, port), *key);
            let opens = Says {
                flags: tcp::SYN,
                sequence: 0,
                acknowledgement: 0,
                payload: Vec::new(),
            };
            segments.push(check.segment(port, opens));
            progress.next = now + check.interval;
            self.begun += 1;
            let id = CheckId {
                node: check.node,
                port,
                number: self.begun,
            };
            progress.pending = Some(Pending {
                id,
                end: now + check.timeout,
                exchange: check.http.as_deref().map(Exchange::new),
            });
        }
        segments
    }

    /// Whether a packet is the answer to a check, which [`HealthChecks::take`] is to be told.
    pub(crate) fn answered(&mut self, node: PortId, packet: &Tuple, flags: u8) -> bool {
        let L4::Ports { src, dst } = packet.l4 else {
            return false;
        };
        let key = self.waiting.get(&(node, dst));
        let Some(progress) = key.and_then(|key| self.checks.get(key)) else {
            return false;
        };
        let check = &progress.check;
        if packet.protocol != protocol::TCP || (check.address, check.port) != (packet.src, src) {
            return false;
        }
        let by_http = progress
            .pending
            .as_ref()
            .is_some_and(|p| p.exchange.is_some());
        let is_answer = by_http || accepts(flags) || flags & tcp::RST != 0;
        if is_answer {
            self.arrived = Some((node, dst));
        }
        is_answer
    }

    /// Takes the answer to a check that has arrived.
    pub(crate) fn take(&mut self, ip: &Ip, frame: &[u8]) {
        let Some((node, port)) = self.arrived.take() else {
            return;
        };
        let segment = ip.transport(frame);
        let Ok(header) = Tcp::parse(segment) else {
            return;
        };
        let got = Got {
            flags: ip.tcp_flags,
            sequence: header.sequence(),
            payload: segment.get(header.header_len()..).unwrap_or_default(),
        };
        self.react((node, port), |progress| Some(progress.take(got)));
    }

    /// Takes what became of a step of TLS, if the check is still under way.
    pub(crate) fn opened(&mut self, id: CheckId, answer: TlsAnswer) {
        self.react((id.node, id.port), |progress| {
            let pending = progress.pending.as_mut().filter(|own| own.id == id);
            let exchange = pending.and_then(|pending| pending.exchange.as_mut());
            exchange.map(|exchange| exchange.opened(answer))
        });
    }

    /// Has something happen to the check that waits at a node's port.
    fn react(
        &mut self,
        place: (PortId, u16),
        what: impl FnOnce(&mut Progress) -> Option<Reaction>,
    ) {
        let key = self.waiting.get(&place).copied();
        let Some(progress) = key.and_then(|key| self.checks.get_mut(&key)) else {
            return;
        };
        let Some(reaction) = what(progress) else {
            return;
        };
        let Reaction {
            says,
            answered,
            tls,
        } = reaction;
        if let Some(pending) = &progress.pending {
            self.tls.extend(tls.map(|step| (pending.id, step)));
        }
        let health = answered.map(|answered| progress.health(answered));
        if let Some(pending) = progress.pending.take_if(|pending| pending.is_over()) {
            self.tls.extend(pending.over());
            self.waiting.remove(&place);
        }
        self.says
            .extend(says.map(|says| progress.check.segment(place.1, says)));
        self.findings
            .extend(health.and_then(|health| progress.found(health)));
    }

    /// What whoever speaks TLS is to know now.
    pub(crate) fn take_tls_steps(&mut self) -> Vec<(CheckId, TlsStep)> {
        std::mem::take(&mut self.tls)
    }

    /// What is to be said to targets now.
    pub(crate) fn take_says(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.says)
    }
}

fn accepts(flags: u8) -> bool {
    flags & (tcp::SYN | tcp::ACK) == tcp::SYN | tcp::ACK
}

impl HealthCheck {
    /// What its node sends to the target.
    fn segment(&self, src_port: u16, says: Says) -> Segment {
        Segment {
            node: self.node,
            src_port,
            to: Endpoint {
                address: self.address,
                port: self.port,
            },
            flags: says.flags,
            sequence: says.sequence,
            acknowledgement: says.acknowledgement,
            payload: says.payload,
        }
    }
}

impl Pending {
    /// Whether nothing more is to come: of a check by TCP, after the first answer.
    fn is_over(&self) -> bool {
        self.exchange.as_ref().is_none_or(|exchange| exchange.over)
    }

    /// The last step of TLS, if there is TLS.
    fn over(&self) -> Option<(CheckId, TlsStep)> {
        let exchange = self.exchange.as_ref().filter(|exchange| exchange.secure);
        exchange.map(|_| (self.id, TlsStep::Over))
    }
}

impl Progress {
    /// Takes a segment of the target's.
    fn take(&mut self, got: Got<'_>) -> Reaction {
        if let Some(exchange) = self.pending.as_mut().and_then(|p| p.exchange.as_mut()) {
            return exchange.take(got);
        }
        let accepted = accepts(got.flags);
        let reset = Says {
            flags: tcp::RST,
            sequence: 1,
            acknowledgement: 0,
            payload: Vec::new(),
        };
        Reaction {
            says: accepted.then_some(reset),
            answered: Some(match accepted {
                true => Answered::Connection,
                false => Answered::Malformed,
            }),
            tls: None,
        }
    }

    /// What a target that answers so turns out to be.
    fn health(&self, answered: Answered) -> Health {
        let is_good = |code| self.check.http.as_ref().is_some_and(|h| h.is_good(code));
        match answered {
            Answered::Connection => Health::Healthy,
            Answered::Code(code) if is_good(code) => Health::Healthy,
            Answered::Code(code) => Health::ResponseCodeMismatch(code),
            Answered::Malformed => Health::Failed,
        }
    }

    fn found(&mut self, health: Health) -> Option<HealthFinding> {
        match health {
            Health::Healthy => self.succeeded(),
            other => self.failed(other),
        }
    }

    /// The first success makes a new target healthy; later it takes as many as the threshold says.
    fn succeeded(&mut self) -> Option<HealthFinding> {
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
        let needed = match self.check.health {
            Health::Initial => 1,
            _ => self.check.healthy_threshold,
        };
        self.finding(Health::Healthy, self.successes >= needed)
    }

    fn failed(&mut self, how: Health) -> Option<HealthFinding> {
        self.successes = 0;
        self.failures = self.failures.saturating_add(1);
        self.finding(how, self.failures >= self.check.unhealthy_threshold)
    }

    fn finding(&mut self, health: Health, counts: bool) -> Option<HealthFinding> {
        if !counts || self.check.health == health {
            return None;
        }
        self.check.health = health;
        Some(HealthFinding {
            scope: self.check.scope,
            target_group_id: self.check.group,
            target: self.check.target,
            health,
        })
    }
}
