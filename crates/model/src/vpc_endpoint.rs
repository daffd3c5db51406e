//! VPC endpoints (AWS PrivateLink Guide, "Gateway endpoints" and "Access AWS services through AWS
//! PrivateLink").

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    AvailabilityZone, NetworkInterfaceId, PrefixListId, Region, RouteTableId, Scope,
    SecurityGroupId, SubnetId, Tags, Timestamp, VpcEndpointId, VpcId,
};

/// A private way from a VPC to a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// Its id.
    pub id: VpcEndpointId,
    /// The VPC that it serves.
    pub vpc_id: VpcId,
    /// `com.amazonaws.us-east-1.s3`.
    pub service_name: String,
    /// What of it depends on its type.
    pub kind: VpcEndpointKind,
    /// How far it is.
    pub state: VpcEndpointState,
    /// The policy as it was sent; absent where the default holds, which allows everything.
    pub policy_document: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Tags.
    pub tags: Tags,
}

impl VpcEndpoint {
    /// What a gateway endpoint has, if it is one.
    pub fn gateway(&self) -> Option<&GatewayEndpoint> {
        match &self.kind {
            VpcEndpointKind::Gateway(gateway) => Some(gateway),
            VpcEndpointKind::Interface(_) => None,
        }
    }

    /// What an interface endpoint has, if it is one.
    pub fn interface(&self) -> Option<&InterfaceEndpoint> {
        match &self.kind {
            VpcEndpointKind::Gateway(_) => None,
            VpcEndpointKind::Interface(own) => Some(own),
        }
    }

    /// What an interface endpoint has, if it is one, to be changed.
    pub fn interface_mut(&mut self) -> Option<&mut InterfaceEndpoint> {
        match &mut self.kind {
            VpcEndpointKind::Gateway(_) => None,
            VpcEndpointKind::Interface(own) => Some(own),
        }
    }

    /// The domain names that lead to its interfaces, in the order in which they are listed: that of all of them, one for
    /// each zone, and the service's own inside the VPC (AWS PrivateLink Guide, "Endpoint-specific DNS names").
    pub fn names(&self, region: Region) -> Vec<EndpointName> {
        let Some(own) = self.interface() else {
            return Vec::new();
        };
        let service = self.service_name.rsplit('.').next().unwrap_or_default();
        // Buckets, access points and the control of S3 are names below it.
        let below = if self.is_s3(region) { "*." } else { "" };
        let (id, label) = (self.id, &own.label);
        let name =
            |zone: &str| format!("{below}{id}-{label}{zone}.{service}.{region}.vpce.amazonaws.com");
        let mut names = vec![EndpointName {
            name: name(""),
            leads_to: LeadsTo::All,
        }];
        let mut zones: Vec<AvailabilityZone> = own.subnets.iter().map(|s| s.zone).collect();
        zones.sort_unstable_by_key(ToString::to_string);
        names.extend(zones.into_iter().map(|zone| EndpointName {
            name: name(&format!("-{zone}")),
            leads_to: LeadsTo::Zone(zone),
        }));
        if own.private_dns_enabled {
            names.extend(own.private_names.iter().map(|name| EndpointName {
                name: name.clone(),
                leads_to: LeadsTo::Private,
            }));
        }
        names
    }

    /// Whether S3 is its service.
    pub fn is_s3(&self, region: Region) -> bool {
        self.service_name == format!("com.amazonaws.{region}.s3")
    }
}

/// A domain name of an interface endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointName {
    /// In lower case; with `*.` in front, every name below it.
    pub name: String,
    /// Which of the endpoint's interfaces.
    pub leads_to: LeadsTo,
}

/// Which interfaces of an endpoint a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadsTo {
    /// All of them, from everywhere.
    All,
    /// That of a zone, from everywhere.
    Zone(AvailabilityZone),
    /// All of them, from inside the VPC; elsewhere the name has another meaning.
    Private,
}

/// The type of an endpoint, with what that type has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VpcEndpointKind {
    /// Routes to the service's public addresses.
    Gateway(GatewayEndpoint),
    /// Network interfaces in the VPC that stand for the service.
    Interface(InterfaceEndpoint),
}

/// As `VpcEndpointType` spells it.
impl fmt::Display for VpcEndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway(_) => "Gateway",
            Self::Interface(_) => "Interface",
        })
    }
}

/// What a gateway endpoint has. Each of its route tables has a route to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayEndpoint {
    /// The service's addresses.
    pub prefix_list_id: PrefixListId,
    /// In the order in which they were added.
    pub route_table_ids: Vec<RouteTableId>,
}

/// What an interface endpoint has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceEndpoint {
    /// What the endpoint's domain names have besides its id: eight letters and digits, fixed for life.
    pub label: String,
    /// In the order in which they were added, at most one in each zone.
    pub subnets: Vec<EndpointSubnet>,
    /// The security groups of its interfaces.
    pub groups: Vec<SecurityGroupId>,
    /// Whether the service's own names lead here, inside the VPC.
    pub private_dns_enabled: bool,
    /// Whether they do so only for queries from outside the VPC that come in by a resolver endpoint.
    pub private_dns_only_for_inbound_resolver_endpoint: bool,
    /// The service's own names, some with `*.` in front; empty if it has none.
    pub private_names: Vec<String>,
    /// The account and Region whose endpoint service it leads to; AWS's own if absent.
    pub provider: Option<Scope>,
    /// Since when it is in its state.
    pub changed_at: Timestamp,
}

/// Where an interface endpoint has an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSubnet {
    /// The subnet.
    pub subnet_id: SubnetId,
    /// The subnet's zone.
    pub zone: AvailabilityZone,
    /// The interface.
    pub network_interface_id: NetworkInterfaceId,
}

/// How far an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VpcEndpointState {
    /// The service's owner has not accepted it yet.
    PendingAcceptance,
    /// It is being built.
    Pending,
    /// It works.
    Available,
    /// It is being removed.
    Deleting,
    /// The service's owner refused it.
    Rejected,
    /// It could not be built.
    Failed,
    /// It was not accepted in time.
    Expired,
}

/// In lower camel case, as the service sends it.
impl fmt::Display for VpcEndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PendingAcceptance => "pendingAcceptance",
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Deleting => "deleting",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Expired => "expired",
        })
    }
}
