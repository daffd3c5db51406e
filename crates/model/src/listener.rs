//! Listeners of load balancers (User Guide for Network Load Balancers, "Listeners for your Network Load Balancers").

use serde::{Deserialize, Serialize};

use crate::load_balancer::arn;
use crate::{ListenerId, LoadBalancer, LoadBalancerId, Scope, Tags, TargetGroupId};

/// A listener: what comes to a port of a load balancer goes to a target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// The last part of its ARN.
    pub id: ListenerId,
    /// The load balancer it belongs to.
    pub load_balancer_id: LoadBalancerId,
    /// What it takes.
    pub protocol: LoadBalancerProtocol,
    /// Where it takes it: unique in its load balancer.
    pub port: u16,
    /// Where it goes.
    pub target_group_id: TargetGroupId,
    /// After so many seconds without a packet a TCP connection is forgotten.
    pub tcp_idle_timeout_s: u32,
    /// Tags.
    pub tags: Tags,
}

impl Listener {
    /// A listener's TCP idle time-out if nobody changes it, in seconds ("Connection idle timeout").
    pub const TCP_IDLE_TIMEOUT_S: u32 = 350;

    /// Its ARN; `of` is its load balancer.
    pub fn arn(&self, scope: Scope, of: &LoadBalancer) -> String {
        arn(scope, format_args!("listener/{}/{}", of.path(), self.id))
    }
}

/// What a listener takes and a target group gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadBalancerProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Both, on one port.
    TcpUdp,
}

impl LoadBalancerProtocol {
    /// Every one of them.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::TcpUdp];

    /// `TCP`, `UDP` or `TCP_UDP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::TcpUdp => "TCP_UDP",
        }
    }

    /// Whether TCP is of it.
    pub const fn has_tcp(self) -> bool {
        matches!(self, Self::Tcp | Self::TcpUdp)
    }

    /// Whether UDP is of it.
    pub const fn has_udp(self) -> bool {
        matches!(self, Self::Udp | Self::TcpUdp)
    }
}
