//! VPC endpoints (AWS PrivateLink Guide, "Gateway endpoints" and "Access AWS services through AWS
//! PrivateLink").

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{PrefixListId, RouteTableId, Tags, Timestamp, VpcEndpointId, VpcId};

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
        }
    }
}

/// The type of an endpoint, with what that type has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VpcEndpointKind {
    /// Routes to the service's public addresses.
    Gateway(GatewayEndpoint),
}

/// As `VpcEndpointType` spells it.
impl fmt::Display for VpcEndpointKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gateway(_) => "Gateway",
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
