//! Destinations of routes (Amazon VPC User Guide, "Route table concepts" and "Route priority").

use ipnet::IpNet;
use model::{
    AddressFamily, Destination, PrefixListId, Route, RouteOrigin, RouteTable, RouteTarget, Subnet,
    Vpc,
};

use crate::prefix_list::{self, Weight};
use crate::{Error, Transaction, parameter};

/// Addresses of AWS's own services; no route can have them as destination.
const RESERVED: [&str; 2] = ["169.254.168.0/22", "fd00:ec2::/32"];

/// The addresses that stand for IPv4 ones behind a NAT gateway.
const NAT64: &str = "64:ff9b::/96";

/// The one destination that a request gives.
pub(super) fn parse(
    ipv4: &Option<String>,
    ipv6: &Option<String>,
    prefix_list: &Option<String>,
) -> Result<Destination, Error> {
    match (ipv4, ipv6, prefix_list) {
        (None, None, None) => Err(Error::MissingParameter("destinationCidrBlock")),
        (Some(text), None, None) => {
            let net = parameter::ipv4_net(text, "destinationCidrBlock")?;
            Ok(Destination::Ipv4(net))
        }
        (None, Some(text), None) => {
            let net = parameter::ipv6_net(text, "destinationIpv6CidrBlock")?;
            Ok(Destination::Ipv6(net))
        }
        (None, None, Some(text)) => Ok(Destination::PrefixList(text.parse()?)),
        _ => Err(Error::InvalidParameterCombination(
            "Exactly one of destinationCidrBlock, destinationIpv6CidrBlock and \
             destinationPrefixListId must be given"
                .to_owned(),
        )),
    }
}

/// Whether a route for a destination can have a target in this table.
pub(super) fn check(
    tx: &Transaction<'_>,
    table: &RouteTable,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Error> {
    let net = match destination {
        Destination::PrefixList(id) => {
            prefix_list::find(tx, id)?;
            return check_family(tx, destination, target);
        }
        Destination::Ipv4(net) => IpNet::V4(net),
        Destination::Ipv6(net) => IpNet::V6(net),
    };
    check_family(tx, destination, target)?;
    let mut reserved = RESERVED
        .iter()
        .filter_map(|text| text.parse::<IpNet>().ok());
    if reserved.any(|range| range.contains(&net)) {
        return Err(Error::invalid_value(
            parameter_of(destination),
            destination,
            "This range is reserved for AWS services.",
        ));
    }
    let vpc = tx.find::<Vpc>(table.vpc_id)?;
    let Some(block) = blocks(vpc).find(|block| block.contains(&net)) else {
        return Ok(());
    };
    let to_interface = matches!(
        target,
        RouteTarget::NetworkInterface(_) | RouteTarget::NatGateway(_)
    );
    if to_interface && (block == net || is_subnet(tx, vpc, net)) {
        return Ok(());
    }
    Err(Error::InvalidParameterValue(format!(
        "The destination CIDR block {destination} is equal to or more specific than one of this \
         VPC's CIDR blocks. This route can target only an interface or an instance."
    )))
}

/// Some gateways carry packets of one address family only.
fn check_family(
    tx: &Transaction<'_>,
    destination: Destination,
    target: RouteTarget,
) -> Result<(), Error> {
    let why = match (target, family(tx, destination)) {
        (RouteTarget::NatGateway(_), AddressFamily::Ipv6) => {
            "A NAT gateway can be the target of IPv4 destinations only."
        }
        (RouteTarget::EgressOnlyInternetGateway(_), AddressFamily::Ipv4) => {
            "An egress-only internet gateway can be the target of IPv6 destinations only."
        }
        _ => return Ok(()),
    };
    if destination.to_string() == NAT64 {
        return Err(Error::new(
            "UnsupportedOperation",
            "NAT64 is not supported.",
        ));
    }
    Err(Error::invalid_value(
        parameter_of(destination),
        destination,
        why,
    ))
}

fn parameter_of(destination: Destination) -> &'static str {
    match destination {
        Destination::Ipv4(_) => "destinationCidrBlock",
        Destination::Ipv6(_) => "destinationIpv6CidrBlock",
        Destination::PrefixList(_) => "destinationPrefixListId",
    }
}

/// Whether a block is the whole block of a subnet.
pub(super) fn is_subnet(tx: &Transaction<'_>, vpc: &Vpc, net: IpNet) -> bool {
    let has = |s: &Subnet| {
        let v4 = s.cidr.map(IpNet::V4);
        let v6 = s.ipv6_cidr_blocks.iter().map(|b| IpNet::V6(b.cidr));
        s.vpc_id == vpc.id && v4.into_iter().chain(v6).any(|own| own == net)
    };
    tx.rows::<Subnet>().any(has)
}

/// The blocks of a VPC.
pub(super) fn blocks(vpc: &Vpc) -> impl Iterator<Item = IpNet> {
    let v4 = vpc.cidr_blocks.iter().map(|b| IpNet::V4(b.cidr));
    v4.chain(vpc.ipv6_cidr_blocks.iter().map(|b| IpNet::V6(b.cidr)))
}

/// The family that a route for a destination counts in.
pub(super) fn family(tx: &Transaction<'_>, destination: Destination) -> AddressFamily {
    match destination {
        Destination::Ipv4(_) => AddressFamily::Ipv4,
        Destination::Ipv6(_) => AddressFamily::Ipv6,
        Destination::PrefixList(id) => prefix_list::weight(tx, id).family,
    }
}

/// Whether a table has not too many routes of a family, its newest one included.
pub(crate) fn check_quota(
    tx: &Transaction<'_>,
    table: &RouteTable,
    family: AddressFamily,
    weigh: impl Fn(PrefixListId) -> Weight,
) -> Result<(), Error> {
    let count = |route: &Route| match route.destination {
        Destination::Ipv4(_) => usize::from(family == AddressFamily::Ipv4),
        Destination::Ipv6(_) => usize::from(family == AddressFamily::Ipv6),
        Destination::PrefixList(id) => {
            let weight = weigh(id);
            if weight.family == family {
                weight.entries
            } else {
                0
            }
        }
    };
    let own = table.routes.iter();
    let own = own.filter(|route| route.origin == RouteOrigin::CreateRoute);
    let used: usize = own.map(count).sum();
    tx.quotas().routes(used.saturating_sub(1))
}
