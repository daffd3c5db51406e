//! What may be in a DHCP option set (Amazon VPC User Guide, "DHCP option set concepts").

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use ec2_api::NewDhcpConfiguration;
use model::DhcpOptions;

use crate::{Error, parameter};

/// Servers of one address family in one option.
const SERVERS_MAX: usize = 4;
/// As long as a DHCP option can be.
const DOMAIN_NAME_MAX: usize = 255;
const LABEL_MAX: usize = 63;
/// Seconds.
const PREFERRED_LEASE: RangeInclusive<u32> = DhcpOptions::IPV6_PREFERRED_LEASE_SECS..=0x7fff_ffff;

/// The options of a new set, each named once and with values of its kind.
pub(super) fn parse(given: &[NewDhcpConfiguration]) -> Result<Vec<(String, Vec<String>)>, Error> {
    if given.is_empty() {
        return Err(Error::MissingParameter("dhcpConfiguration"));
    }
    let mut configurations: Vec<(String, Vec<String>)> = Vec::new();
    for configuration in given {
        let key = parameter::required(&configuration.key, "dhcpConfiguration.key")?;
        if configurations.iter().any(|(other, _)| other == key) {
            let why = "The option is given more than once.";
            return Err(Error::invalid_value("key", key, why));
        }
        check(key, &configuration.values)?;
        configurations.push((key.clone(), configuration.values.clone()));
    }
    Ok(configurations)
}

fn check(key: &str, values: &[String]) -> Result<(), Error> {
    let known: fn(&str, &[String]) -> Result<(), Error> = match key {
        "domain-name-servers" => name_servers,
        "domain-name" => domain_name,
        "ntp-servers" => servers,
        "netbios-name-servers" => netbios_name_servers,
        "netbios-node-type" => netbios_node_type,
        "ipv6-address-preferred-lease-time" => preferred_lease,
        _ => return Err(Error::invalid_value("key", key, "Unknown DHCP option.")),
    };
    if values.is_empty() || values.iter().any(String::is_empty) {
        return Err(Error::invalid_value(key, "", "The option needs a value."));
    }
    known(key, values)
}

fn name_servers(key: &str, values: &[String]) -> Result<(), Error> {
    let amazon = |value: &String| value == DhcpOptions::AMAZON_PROVIDED_DNS;
    match values {
        [only] if amazon(only) => Ok(()),
        _ if values.iter().any(amazon) => Err(Error::invalid_value(
            key,
            values.join(", "),
            "AmazonProvidedDNS stands alone.",
        )),
        _ => servers(key, values),
    }
}

fn servers(key: &str, values: &[String]) -> Result<(), Error> {
    let mut used = [0; 2];
    for value in values {
        let Ok(address) = value.parse::<IpAddr>() else {
            let why = "This is not a valid IP address.";
            return Err(Error::invalid_value(key, value, why));
        };
        let used = &mut used[usize::from(address.is_ipv6())];
        *used += 1;
        if *used > SERVERS_MAX {
            return Err(too_many(key, values));
        }
    }
    Ok(())
}

fn netbios_name_servers(key: &str, values: &[String]) -> Result<(), Error> {
    for value in values {
        parameter::ipv4(value, key).map(|_: Ipv4Addr| ())?;
    }
    if values.len() > SERVERS_MAX {
        return Err(too_many(key, values));
    }
    Ok(())
}

fn too_many(key: &str, values: &[String]) -> Error {
    let why = format!("There may be {SERVERS_MAX} servers of each address family.");
    Error::invalid_value(key, values.join(", "), &why)
}

/// One value; several names in it are separated by spaces, which only some guests understand.
fn domain_name(key: &str, values: &[String]) -> Result<(), Error> {
    let value = only(key, values)?;
    let label = |label: &str| {
        let usual = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
        !label.is_empty() && label.len() <= LABEL_MAX && label.bytes().all(usual)
    };
    let name = |name: &str| name.strip_suffix('.').unwrap_or(name).split('.').all(label);
    if value.len() <= DOMAIN_NAME_MAX && value.split(' ').all(name) {
        return Ok(());
    }
    Err(Error::invalid_value(
        key,
        value,
        "This is not a valid domain name.",
    ))
}

fn netbios_node_type(key: &str, values: &[String]) -> Result<(), Error> {
    parameter::one_of(only(key, values)?, key, &["1", "2", "4", "8"]).map(|_| ())
}

fn preferred_lease(key: &str, values: &[String]) -> Result<(), Error> {
    let value = only(key, values)?;
    match value.parse::<u32>() {
        Ok(seconds) if PREFERRED_LEASE.contains(&seconds) => Ok(()),
        _ => Err(Error::invalid_value(
            key,
            value,
            &format!(
                "It must be between {} and {} seconds.",
                PREFERRED_LEASE.start(),
                PREFERRED_LEASE.end()
            ),
        )),
    }
}

fn only<'a>(key: &str, values: &'a [String]) -> Result<&'a str, Error> {
    match values {
        [value] => Ok(value),
        _ => Err(Error::invalid_value(
            key,
            values.join(", "),
            "The option takes one value.",
        )),
    }
}
