//! Hosts of the simulated internet. Weir's own; AWS has none.

use std::net::IpAddr;

use ipnet::IpNet;
use model::{InternetHost, MacAddress};

use crate::{Error, Transaction};

/// Puts a host on the internet.
pub(crate) fn add(tx: &mut Transaction<'_>, address: IpAddr) -> Result<(), Error> {
    if !is_public(address) {
        return Err(Error::invalid_value(
            "address",
            address,
            "This is not a public unicast address.",
        ));
    }
    let taken = tx
        .world()
        .regions
        .values()
        .any(|state| state.internet_hosts.contains(&address));
    let mapped =
        matches!(address, IpAddr::V4(v4) if tx.world().public_addresses().any(|a| a == v4));
    if taken || mapped {
        return Err(Error::new(
            "InvalidIPAddress.InUse",
            format!("Address {address} is in use."),
        ));
    }
    let mac = mac(tx.random());
    tx.put(address, InternetHost { address, mac });
    Ok(())
}

/// Takes a host off the internet.
pub(crate) fn delete(tx: &mut Transaction<'_>, address: IpAddr) -> Result<(), Error> {
    if !tx.state().internet_hosts.contains(&address) {
        return Err(Error::new(
            "InvalidAddress.NotFound",
            format!("Address '{address}' not found."),
        ));
    }
    tx.delete::<InternetHost>(address);
    Ok(())
}

/// A locally administered unicast MAC address.
pub(crate) fn mac(random: u128) -> MacAddress {
    let bytes = random.to_be_bytes();
    MacAddress([0x0a, bytes[11], bytes[12], bytes[13], bytes[14], bytes[15]])
}

/// Neither private, shared, local, multicast nor reserved. Documentation blocks count as public:
/// they are what examples use.
pub(crate) fn is_public(address: IpAddr) -> bool {
    let inside = |text: &str| {
        text.parse::<IpNet>()
            .is_ok_and(|net| net.contains(&address))
    };
    let special: &[&str] = match address {
        IpAddr::V4(_) => &[
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "224.0.0.0/3",
        ],
        IpAddr::V6(_) => return inside("2000::/3"),
    };
    !special.iter().any(|net| inside(net))
}
