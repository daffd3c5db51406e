//! Networks in AWS's words: what `aws ec2 describe-…` prints, put together in one JSON object, or
//! the few lines of it that matter, written by hand.
//!
//! ```json
//! {
//!   "Vpcs": [{"VpcId": "vpc-00000001", "CidrBlock": "10.0.0.0/16"}],
//!   "Subnets": [{"SubnetId": "subnet-00000001", "VpcId": "vpc-00000001", "CidrBlock": "10.0.1.0/24"}],
//!   "SecurityGroups": [{"GroupId": "sg-00000001", "VpcId": "vpc-00000001", "IpPermissions": [
//!     {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}],
//!   "RouteTables": [{"VpcId": "vpc-00000001", "Associations": [{"Main": true}],
//!     "Routes": [{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-00000001"}]}],
//!   "NetworkInterfaces": [{"NetworkInterfaceId": "eni-00000001", "SubnetId": "subnet-00000001",
//!     "PrivateIpAddress": "10.0.1.10", "Groups": [{"GroupId": "sg-00000001"}]}]
//! }
//! ```
//!
//! What is left out is as AWS makes it: a route table has its VPC's local routes, a network ACL that
//! nobody describes allows everything, a group without `IpPermissionsEgress` lets everything out.
//! Members that do not matter to packets are not looked at. A target of a route that is not
//! described is a blackhole, except internet gateways, which are what their name says.

mod build;
mod shape;

use model::World;

/// A network that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the JSON that is expected; the words have the line.
    #[error("the network is not described as `aws ec2 describe-…` prints it: {0}")]
    Json(#[from] serde_json::Error),
    /// A value that means nothing.
    #[error("{place}: {why}")]
    Value {
        /// Where: the resource, and the member.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

/// A network, and what its description leaves open.
#[derive(Debug)]
pub struct Network {
    /// The network.
    pub world: World,
    /// What is not described and may matter, in words.
    pub notices: Vec<String>,
}

/// Reads a network.
///
/// # Errors
///
/// If it is no description; the error says where.
pub fn parse(text: &str) -> Result<Network, Error> {
    if !text.trim_start().starts_with('{') {
        // An array would be taken for the members of an object, in their order.
        return Err(build::value("the network", "it is no JSON object"));
    }
    build::network(&serde_json::from_str(text)?)
}
