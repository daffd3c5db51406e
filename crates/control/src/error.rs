//! Everything that a request can be refused for, and AWS's code and words for it.
//!
//! Codes and messages: Amazon EC2 API Reference, "Error codes for the Amazon EC2 API".

use model::{MalformedId, ResourceId};

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The request would have succeeded.
    #[error("Request would have succeeded, but DryRun flag is set.")]
    DryRun,
    /// A parameter that must be given is absent.
    #[error("The request must contain the parameter {0}")]
    MissingParameter(&'static str),
    /// A value that is not of the parameter's form or range.
    #[error("{0}")]
    InvalidParameterValue(String),
    /// Parameters that do not go together.
    #[error("{0}")]
    InvalidParameterCombination(String),
    /// An id with the wrong prefix or digits.
    #[error("{0}")]
    MalformedId(#[from] MalformedId),
    /// No resource has the id.
    #[error("{}", not_found_message(.0))]
    NotFound(ResourceId),
    /// Something else still uses the resource.
    #[error("{}", dependency_message(.0))]
    DependencyViolation(ResourceId),
    /// A quota would be exceeded.
    #[error("{message}")]
    LimitExceeded {
        /// AWS's code for the quota.
        code: &'static str,
        /// AWS's words.
        message: String,
    },
    /// A filter that the action does not know.
    #[error("The filter '{0}' is invalid")]
    InvalidFilter(String),
    /// A pagination token that was not given out by the action.
    #[error("Unable to parse pagination token")]
    InvalidNextToken,
    /// A client token used before, with other parameters.
    #[error(
        "The client token you have provided is associated with a resource that has different parameters."
    )]
    IdempotentParameterMismatch,
    /// Any other error of AWS's catalogue.
    #[error("{message}")]
    Other {
        /// AWS's code.
        code: &'static str,
        /// AWS's words.
        message: String,
    },
}

impl Error {
    /// An error of AWS's catalogue that has no variant of its own.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self::Other {
            code,
            message: message.into(),
        }
    }

    /// What a service of AWS has made for itself and manages is not the account's to change.
    pub(crate) fn not_yours() -> Self {
        Self::new(
            "AuthFailure",
            "You do not have permission to access the specified resource.",
        )
    }

    /// `InvalidParameterValue` in AWS's usual form.
    pub fn invalid_value(parameter: &str, value: impl std::fmt::Display, why: &str) -> Self {
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(" {why}")
        };
        Self::InvalidParameterValue(format!(
            "Value ({value}) for parameter {parameter} is invalid.{why}"
        ))
    }

    /// AWS's error code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DryRun => "DryRunOperation",
            Self::MissingParameter(_) => "MissingParameter",
            // EC2's own answers have this code, though the list of error codes has InvalidFilter.
            Self::InvalidParameterValue(_) | Self::InvalidFilter(_) => "InvalidParameterValue",
            Self::InvalidParameterCombination(_) => "InvalidParameterCombination",
            Self::MalformedId(malformed) => malformed_code(malformed.prefix),
            Self::NotFound(id) => not_found_code(id),
            Self::DependencyViolation(_) => "DependencyViolation",
            Self::LimitExceeded { code, .. } | Self::Other { code, .. } => code,
            Self::InvalidNextToken => "InvalidNextToken",
            Self::IdempotentParameterMismatch => "IdempotentParameterMismatch",
        }
    }

    /// The HTTP status that goes with it.
    pub fn status(&self) -> u16 {
        match self {
            Self::DryRun => 412,
            Self::Other { code, .. } => status(code),
            _ => 400,
        }
    }
}

/// The statuses of IAM's codes ("Common errors" and the pages of its actions); 400 is everybody's.
fn status(code: &str) -> u16 {
    match code {
        "NoSuchEntity" => 404,
        "EntityAlreadyExists" | "DeleteConflict" | "LimitExceeded" => 409,
        _ => 400,
    }
}

fn malformed_code(prefix: &str) -> &'static str {
    match prefix {
        "vpc-" => "InvalidVpcID.Malformed",
        "subnet-" => "InvalidSubnetID.Malformed",
        "tgw-" => "InvalidTransitGatewayID.Malformed",
        "vol-" => "InvalidVolumeID.Malformed",
        "rtb-" => "InvalidRouteTableId.Malformed",
        "igw-" => "InvalidInternetGatewayId.Malformed",
        "acl-" => "InvalidNetworkAclId.Malformed",
        "eni-" => "InvalidNetworkInterfaceId.Malformed",
        "eni-attach-" => "InvalidAttachmentID.Malformed",
        "sg-" => "InvalidGroupId.Malformed",
        "sgr-" => "InvalidSecurityGroupRuleId.Malformed",
        "i-" => "InvalidInstanceID.Malformed",
        "ami-" => "InvalidAMIID.Malformed",
        "dopt-" => "InvalidDhcpOptionsId.Malformed",
        "fl-" => "InvalidFlowLogId.Malformed",
        "eipalloc-" => "InvalidAllocationID.Malformed",
        "rtbassoc-" | "aclassoc-" | "eipassoc-" => "InvalidAssociationID.Malformed",
        "vpc-cidr-assoc-" => "InvalidVpcCidrBlockAssociationID.Malformed",
        "subnet-cidr-assoc-" => "InvalidSubnetCidrBlockAssociationID.Malformed",
        "scr-" => "InvalidSubnetCidrReservationID.Malformed",
        "nat-" => "NatGatewayMalformed",
        "eigw-" => "InvalidEgressOnlyInternetGatewayId.Malformed",
        "pcx-" => "InvalidVpcPeeringConnectionId.Malformed",
        "pl-" => "InvalidPrefixListId.Malformed",
        "vpce-" => "InvalidVpcEndpointId.Malformed",
        // The doubled word is AWS's.
        "vpce-svc-" => "InvalidVpcEndpointServiceIdId.Malformed",
        _ => "InvalidID",
    }
}

fn not_found_code(id: &ResourceId) -> &'static str {
    match id {
        ResourceId::Vpc(_) => "InvalidVpcID.NotFound",
        ResourceId::VpcCidrAssociation(_) => "InvalidVpcCidrBlockAssociationID.NotFound",
        ResourceId::Subnet(_) => "InvalidSubnetID.NotFound",
        ResourceId::SubnetCidrAssociation(_) => "InvalidSubnetCidrBlockAssociationID.NotFound",
        ResourceId::SubnetCidrReservation(_) => "InvalidSubnetCidrReservationID.NotFound",
        ResourceId::RouteTable(_) => "InvalidRouteTableID.NotFound",
        ResourceId::RouteTableAssociation(_)
        | ResourceId::NetworkAclAssociation(_)
        | ResourceId::AddressAssociation(_) => "InvalidAssociationID.NotFound",
        ResourceId::InternetGateway(_) => "InvalidInternetGatewayID.NotFound",
        ResourceId::SecurityGroup(_) => "InvalidGroup.NotFound",
        ResourceId::SecurityGroupRule(_) => "InvalidSecurityGroupRuleId.NotFound",
        ResourceId::NetworkAcl(_) => "InvalidNetworkAclID.NotFound",
        ResourceId::Attachment(_) => "InvalidAttachmentID.NotFound",
        ResourceId::NetworkInterface(_) => "InvalidNetworkInterfaceID.NotFound",
        ResourceId::Allocation(_) => "InvalidAllocationID.NotFound",
        ResourceId::DhcpOptions(_) => "InvalidDhcpOptionID.NotFound",
        ResourceId::Instance(_) => "InvalidInstanceID.NotFound",
        ResourceId::Reservation(_) => "InvalidReservationID.NotFound",
        ResourceId::Image(_) => "InvalidAMIID.NotFound",
        ResourceId::FlowLog(_) => "InvalidFlowLogId.NotFound",
        ResourceId::NatGateway(_) => "NatGatewayNotFound",
        ResourceId::EgressOnlyInternetGateway(_) => "InvalidGatewayID.NotFound",
        ResourceId::VpcPeeringConnection(_) => "InvalidVpcPeeringConnectionID.NotFound",
        ResourceId::PrefixList(_) => "InvalidPrefixListID.NotFound",
        ResourceId::VpcEndpoint(_) => "InvalidVpcEndpointId.NotFound",
        ResourceId::VpcEndpointService(_) | ResourceId::VpcEndpointServicePermission(_) => {
            "InvalidVpcEndpointServiceId.NotFound"
        }
    }
}

fn not_found_message(id: &ResourceId) -> String {
    match id {
        ResourceId::AddressAssociation(id) => format!("Association ID '{id}' not found."),
        ResourceId::SecurityGroup(id) => format!("The security group '{id}' does not exist"),
        ResourceId::SubnetCidrAssociation(id) => {
            format!("The subnet CIDR block with association ID '{id}' does not exist")
        }
        ResourceId::NatGateway(id) => format!("NatGateway {id} was not found"),
        ResourceId::Image(id) => format!("The image id '[{id}]' does not exist"),
        ResourceId::VpcEndpointService(id) => {
            format!("The VpcEndpointService Id '{id}' does not exist")
        }
        ResourceId::VpcEndpoint(id) => format!("The Vpc Endpoint Id '{id}' does not exist"),
        ResourceId::FlowLog(id) => {
            format!("These flow log ids in the input list are not found: [TotalCount: 1] {id}")
        }
        id => format!("The {} ID '{id}' does not exist", id.noun()),
    }
}

fn dependency_message(id: &ResourceId) -> String {
    match id {
        ResourceId::SecurityGroup(id) => format!("resource {id} has a dependent object"),
        ResourceId::DhcpOptions(id) => {
            format!("The dhcpOptions '{id}' has dependencies and cannot be deleted.")
        }
        id => format!(
            "The {} '{id}' has dependencies and cannot be deleted.",
            id.noun()
        ),
    }
}
