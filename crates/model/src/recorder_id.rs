//! Who records flows: network interfaces, and the gateways that have none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::MalformedId;
use crate::{NatGatewayId, NetworkInterfaceId, ResourceId};

/// Who records flows (Amazon VPC User Guide, "Flow logs basics").
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RecorderId {
    /// A network interface, whoever it belongs to.
    NetworkInterface(NetworkInterfaceId),
    /// A regional NAT gateway, which has no network interface.
    RegionalNatGateway(NatGatewayId),
}

impl RecorderId {
    /// The network interface, if it is one.
    pub const fn network_interface_id(self) -> Option<NetworkInterfaceId> {
        match self {
            Self::NetworkInterface(id) => Some(id),
            Self::RegionalNatGateway(_) => None,
        }
    }
}

impl From<NetworkInterfaceId> for RecorderId {
    fn from(id: NetworkInterfaceId) -> Self {
        Self::NetworkInterface(id)
    }
}

impl From<RecorderId> for ResourceId {
    fn from(id: RecorderId) -> Self {
        match id {
            RecorderId::NetworkInterface(id) => id.into(),
            RecorderId::RegionalNatGateway(id) => id.into(),
        }
    }
}

impl fmt::Display for RecorderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkInterface(id) => id.fmt(f),
            Self::RegionalNatGateway(id) => id.fmt(f),
        }
    }
}

impl fmt::Debug for RecorderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecorderId {
    type Err = MalformedId;
    fn from_str(text: &str) -> Result<Self, MalformedId> {
        match text.starts_with("nat-") {
            true => Ok(Self::RegionalNatGateway(text.parse()?)),
            false => Ok(Self::NetworkInterface(text.parse()?)),
        }
    }
}

impl TryFrom<String> for RecorderId {
    type Error = MalformedId;
    fn try_from(text: String) -> Result<Self, MalformedId> {
        text.parse()
    }
}

impl From<RecorderId> for String {
    fn from(id: RecorderId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        for text in ["eni-1235b8ca123456789", "nat-1234567890abcdef0"] {
            let id: RecorderId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
            assert_eq!(
                id.network_interface_id().is_some(),
                text.starts_with("eni-")
            );
        }
        for text in ["", "nat-", "eni", "i-01234567890123456", "nat-xyz"] {
            assert!(text.parse::<RecorderId>().is_err(), "{text}");
        }
    }
}
