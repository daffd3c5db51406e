//! Network load balancers (Elastic Load Balancing, User Guide for Network Load Balancers).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    AvailabilityZone, NetworkInterfaceId, Region, Scope, SecurityGroupId, State, SubnetId, Tags,
    Timestamp, VpcId,
};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(u64);

            impl $name {
                /// The id made of 64 bits: sixteen hexadecimal digits at the end of an ARN.
                pub const fn new(bits: u64) -> Self {
                    Self(bits)
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "{:016x}", self.0)
                }
            }

            impl fmt::Debug for $name {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(self, f)
                }
            }

            impl FromStr for $name {
                type Err = MalformedArnId;
                fn from_str(text: &str) -> Result<Self, MalformedArnId> {
                    let hex = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                    u64::from_str_radix(text, 16)
                        .ok()
                        .filter(|_| hex && text.len() == 16)
                        .map(Self)
                        .ok_or_else(|| MalformedArnId(text.to_owned()))
                }
            }

            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    s.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
                    text.parse().map_err(serde::de::Error::custom)
                }
            }
        )*
    };
}

ids! {
    /// A load balancer.
    LoadBalancerId;
    /// A listener of a load balancer.
    ListenerId;
    /// A target group.
    TargetGroupId;
}

/// The text is not sixteen hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid id: \"{0}\" (expecting sixteen hexadecimal digits)")]
pub struct MalformedArnId(pub String);

/// A network load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// The last part of its ARN.
    pub id: LoadBalancerId,
    /// Unique in its account's Region.
    pub name: String,
    /// Who can reach it.
    pub scheme: LoadBalancerScheme,
    /// Its VPC.
    pub vpc_id: VpcId,
    /// Its nodes, in the order of zones.
    pub nodes: Vec<LoadBalancerNode>,
    /// Its security groups. Without any when it was made, it never has any, and takes everything.
    pub groups: Vec<SecurityGroupId>,
    /// Whether its groups' rules hold for what comes through an endpoint service too.
    pub enforces_groups_on_private_link: bool,
    /// How far it is.
    pub state: LoadBalancerState,
    /// Whether a node also sends to targets of other zones.
    pub cross_zone: bool,
    /// Whether it refuses to be deleted.
    pub deletion_protection: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    pub tags: Tags,
}

/// The node of a load balancer in one zone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerNode {
    /// The zone.
    pub zone: AvailabilityZone,
    /// The subnet that its interface is in.
    pub subnet_id: SubnetId,
    /// Its interface.
    pub network_interface_id: NetworkInterfaceId,
}

/// Who can reach a load balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadBalancerScheme {
    /// Whoever reaches its private addresses.
    Internal,
    /// The internet too: its nodes have public addresses.
    InternetFacing,
}

/// How far a load balancer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadBalancerState {
    /// Being set up.
    Provisioning,
    /// Set up.
    Active,
}

impl LoadBalancer {
    /// `net/<name>/<id>`, which its ARN, its listeners' ARNs and its interfaces' descriptions have.
    pub fn path(&self) -> String {
        format!("net/{}/{}", self.name, self.id)
    }

    /// Its ARN.
    pub fn arn(&self, scope: Scope) -> String {
        arn(scope, format_args!("loadbalancer/{}", self.path()))
    }

    /// The name that resolves to all its nodes.
    pub fn dns_name(&self, region: Region) -> String {
        format!("{}-{}.elb.{region}.amazonaws.com", self.name, self.id)
    }

    /// What its name resolves to: public addresses if it faces the internet, else private ones.
    pub fn addresses(&self, state: &State) -> Vec<IpAddr> {
        let nodes = self.nodes.iter();
        nodes
            .filter_map(|node| self.node_address(state, node))
            .map(IpAddr::V4)
            .collect()
    }

    fn node_address(&self, state: &State, node: &LoadBalancerNode) -> Option<Ipv4Addr> {
        let eni = state.network_interfaces.get(&node.network_interface_id)?;
        let private = eni.primary_ipv4()?;
        match self.scheme {
            LoadBalancerScheme::Internal => Some(private),
            LoadBalancerScheme::InternetFacing => eni.public_ip(private),
        }
    }
}

impl LoadBalancerScheme {
    /// `internal` or `internet-facing`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::InternetFacing => "internet-facing",
        }
    }
}

impl LoadBalancerState {
    /// `provisioning` or `active`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
        }
    }
}

/// The ARN of a resource of Elastic Load Balancing.
pub(crate) fn arn(scope: Scope, resource: impl fmt::Display) -> String {
    let Scope { account, region } = scope;
    format!("arn:aws:elasticloadbalancing:{region}:{account}:{resource}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_they_parse() {
        let text = "50dc6c495c0c9188";
        assert_eq!(text.parse::<LoadBalancerId>().unwrap().to_string(), text);
        for bad in [
            "",
            "50DC6C495C0C9188",
            "+0dc6c495c0c9188",
            "50dc6c495c0c918",
        ] {
            assert!(bad.parse::<LoadBalancerId>().is_err(), "{bad}");
        }
    }
}
