//! Health checks of load balancers' targets: which are due, what they find, and from when on that counts (User Guide
//! for Network Load Balancers, "Health checks for Network Load Balancer target groups").
//!
//! A check is a TCP SYN from a node of the load balancer, a packet like any other. It succeeds if the target accepts it;
//! the node then takes it back, so that no connection comes about.

mod send;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use model::{Health, Scope, TargetGroupId, TargetKey, Timestamp};
use packet::{protocol, tcp};

use crate::ports::PortId;
use crate::session::Endpoint;
use crate::subject::Subject;
use crate::tuple::{L4, Tuple};

/// The source ports of checks; sessions have those below.
const FIRST_PORT: u16 = 64_512;

/// How a target is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HealthCheck {
    pub(crate) scope: Scope,
    pub(crate) group: TargetGroupId,
    pub(crate) target: TargetKey,
    /// The node's interface.
    pub(crate) node: PortId,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) node: PortId,
    pub(crate) src_port: u16,
    pub(crate) to: Endpoint,
    pub(crate) flags: u8,
    pub(crate) sequence: u32,
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
            len: 40,
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
    /// Resets of connections that targets have accepted.
    resets: Vec<Segment>,
}

#[derive(Debug)]
struct Progress {
    check: HealthCheck,
    next: Timestamp,
    /// The source port and the end of the check that is under way.
    pending: Option<(u16, Timestamp)>,
    successes: u16,
    failures: u16,
}

impl HealthChecks {
    /// Checks these targets from now on. What is known of those that were checked before is kept.
    pub(crate) fn install(&mut self, checks: &[HealthCheck]) {
        let mut before = std::mem::take(&mut self.checks);
        for check in checks {
            let key = (check.scope, check.group, check.target);
            let new = || Progress {
                check: *check,
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
            progress.check = *check;
            self.checks.insert(key, progress);
        }
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
            if let Some((port, end)) = progress.pending
                && now >= end
            {
                self.waiting.remove(&(progress.check.node, port));
                self.findings.extend(progress.failed(Health::TimedOut));
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
            progress.pending = Some((port, now + check.timeout));
            progress.next = now + check.interval;
            segments.push(Segment {
                node: check.node,
                src_port: port,
                to: Endpoint {
                    address: check.address,
                    port: check.port,
                },
                flags: tcp::SYN,
                sequence: 0,
            });
        }
        segments
    }

    /// Takes the answer to a check; false for anything else.
    pub(crate) fn answered(&mut self, node: PortId, packet: &Tuple, flags: u8) -> bool {
        let L4::Ports { src, dst } = packet.l4 else {
            return false;
        };
        let Some(key) = self.waiting.get(&(node, dst)).copied() else {
            return false;
        };
        let Some(progress) = self.checks.get_mut(&key) else {
            return false;
        };
        let check = &progress.check;
        if packet.protocol != protocol::TCP || (check.address, check.port) != (packet.src, src) {
            return false;
        }
        let accepted = flags & (tcp::SYN | tcp::ACK) == tcp::SYN | tcp::ACK;
        if !accepted && flags & tcp::RST == 0 {
            return false;
        }
        self.waiting.remove(&(node, dst));
        if accepted {
            self.resets.push(Segment {
                node,
                src_port: dst,
                to: Endpoint {
                    address: packet.src,
                    port: src,
                },
                flags: tcp::RST,
                sequence: 1,
            });
            self.findings.extend(progress.succeeded());
        } else {
            self.findings.extend(progress.failed(Health::Failed));
        }
        true
    }

    /// The resets that are to be sent now.
    pub(crate) fn take_resets(&mut self) -> Vec<Segment> {
        std::mem::take(&mut self.resets)
    }
}

impl Progress {
    /// The first success makes a new target healthy; later it takes as many as the threshold says.
    fn succeeded(&mut self) -> Option<HealthFinding> {
        self.pending = None;
        self.failures = 0;
        self.successes = self.successes.saturating_add(1);
        let needed = match self.check.health {
            Health::Initial => 1,
            _ => self.check.healthy_threshold,
        };
        self.finding(Health::Healthy, self.successes >= needed)
    }

    fn failed(&mut self, how: Health) -> Option<HealthFinding> {
        self.pending = None;
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
