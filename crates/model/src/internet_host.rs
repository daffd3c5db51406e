//! Hosts of the simulated internet, on the far side of internet gateways. Weir's own; AWS has none.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::MacAddress;

/// A host with a public address, to test from and to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InternetHost {
    /// Its address.
    pub address: IpAddr,
    /// The MAC address of its device.
    pub mac: MacAddress,
}
