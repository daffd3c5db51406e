//! Internet gateways (Amazon VPC User Guide, "Enable internet access using internet gateways").

use serde::{Deserialize, Serialize};

use crate::{InternetGatewayId, Tags, VpcId};

/// An internet gateway, attached to at most one VPC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetGateway {
    /// Its id.
    pub id: InternetGatewayId,
    /// The VPC that it is attached to.
    pub vpc_id: Option<VpcId>,
    /// Tags.
    pub tags: Tags,
}
