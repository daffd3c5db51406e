//! Egress-only internet gateways (Amazon VPC User Guide, "Enable outbound IPv6 traffic using an egress-only internet
//! gateway").

use serde::{Deserialize, Serialize};

use crate::{EgressOnlyInternetGatewayId, Tags, VpcId};

/// A gateway that lets IPv6 connections out of a VPC and none in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressOnlyInternetGateway {
    /// Its id.
    pub id: EgressOnlyInternetGatewayId,
    /// The VPC that it is attached to, for life.
    pub vpc_id: VpcId,
    /// Tags.
    pub tags: Tags,
}
