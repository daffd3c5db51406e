//! From AWS's words to a world.

mod nat_gateway;
mod network_interface;
mod route_table;
mod rules;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use ipnet::{Ipv4Net, Ipv6Net};
use model::{Id, IdBody, Scope, State, Subnet, SubnetId, Tags, Vpc, VpcId, World};

use super::{Error, Network, shape};

/// The account and Region of networks that do not say theirs, as of Weir's daemon.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";

struct Builder {
    scope: Scope,
    state: State,
    notices: Vec<String>,
    /// For ids that nobody gave.
    ids: u32,
}

pub(super) fn network(shape: &shape::Network) -> Result<Network, Error> {
    let mut builder = Builder {
        scope: scope(shape)?,
        state: State::default(),
        notices: Vec::new(),
        ids: 0,
    };
    for vpc in &shape.vpcs {
        builder.vpc(vpc)?;
    }
    for subnet in &shape.subnets {
        builder.subnet(subnet)?;
    }
    for group in &shape.security_groups {
        builder.security_group(group)?;
    }
    for interface in &shape.network_interfaces {
        builder.network_interface(interface)?;
    }
    for gateway in &shape.nat_gateways {
        builder.nat_gateway(gateway)?;
    }
    for table in &shape.route_tables {
        builder.route_table(table)?;
    }
    builder.main_route_tables();
    for acl in &shape.network_acls {
        builder.network_acl(acl)?;
    }
    builder.open_network_acls();
    builder.missing_groups();
    let mut world = World::default();
    for change in builder.state.changes() {
        world.apply(builder.scope, &change);
    }
    Ok(Network {
        world,
        notices: builder.notices,
    })
}

/// Whose network it is, and where.
fn scope(shape: &shape::Network) -> Result<Scope, Error> {
    let owner = shape.vpcs.iter().find_map(|vpc| vpc.owner_id.as_deref());
    let zones = shape.subnets.iter();
    let zone = zones.filter_map(|s| s.availability_zone.as_deref()).next();
    let region = zone.map_or(REGION, |zone| zone.trim_end_matches(char::is_alphabetic));
    Ok(Scope {
        account: parse("OwnerId", owner.unwrap_or(ACCOUNT))?,
        region: parse("AvailabilityZone", region)?,
    })
}

/// Reads a value of a resource's member.
pub(super) fn parse<T: FromStr<Err: Display>>(place: impl Display, text: &str) -> Result<T, Error> {
    text.parse()
        .map_err(|error: T::Err| value(place, error.to_string()))
}

pub(super) fn value(place: impl Display, why: impl Into<String>) -> Error {
    Error::Value {
        place: place.to_string(),
        why: why.into(),
    }
}

impl Builder {
    fn id<T: Id>(&mut self) -> T {
        self.ids += 1;
        T::from_body(IdBody::short(self.ids))
    }

    fn given<T: Id + FromStr<Err: Display>>(
        &mut self,
        place: &str,
        text: Option<&str>,
    ) -> Result<T, Error> {
        match text {
            Some(text) => parse(place, text),
            None => Ok(self.id()),
        }
    }

    fn vpc(&mut self, shape: &shape::Vpc) -> Result<(), Error> {
        let place = format!("Vpcs: {}", shape.vpc_id);
        let id: VpcId = parse(&place, &shape.vpc_id)?;
        let more = shape.cidr_block_association_set.iter();
        let more = more.map(|block| block.cidr_block.as_str());
        let mut blocks: Vec<Ipv4Net> = Vec::new();
        for text in shape.cidr_block.as_deref().into_iter().chain(more) {
            let block = parse::<Ipv4Net>(&place, text)?.trunc();
            if !blocks.contains(&block) {
                blocks.push(block);
            }
        }
        let mut ipv6_cidr_blocks = Vec::new();
        for block in &shape.ipv6_cidr_block_association_set {
            ipv6_cidr_blocks.push(model::vpc::VpcCidrBlock {
                association_id: self.id(),
                cidr: parse::<Ipv6Net>(&place, &block.ipv6_cidr_block)?.trunc(),
            });
        }
        let cidr_blocks = blocks.into_iter().map(|cidr| model::vpc::VpcCidrBlock {
            association_id: self.id(),
            cidr,
        });
        let vpc = Vpc {
            id,
            cidr_blocks: cidr_blocks.collect(),
            ipv6_cidr_blocks,
            dhcp_options_id: None,
            instance_tenancy: "default".to_owned(),
            is_default: false,
            enable_dns_support: true,
            enable_dns_hostnames: true,
            enable_network_address_usage_metrics: false,
            tags: Tags::default(),
        };
        self.state.vpcs.insert(id, vpc);
        Ok(())
    }

    fn known_vpc(&self, place: &str, text: &str) -> Result<VpcId, Error> {
        let id: VpcId = parse(place, text)?;
        match self.state.vpcs.contains(&id) {
            true => Ok(id),
            false => Err(value(place, format!("{id} is not among the Vpcs"))),
        }
    }

    fn known_subnet(&self, place: &str, text: &str) -> Result<&Subnet, Error> {
        let id: SubnetId = parse(place, text)?;
        let subnet = self.state.subnets.get(&id);
        subnet.ok_or_else(|| value(place, format!("{id} is not among the Subnets")))
    }

    fn subnet(&mut self, shape: &shape::Subnet) -> Result<(), Error> {
        let place = format!("Subnets: {}", shape.subnet_id);
        let vpc_id = self.known_vpc(&place, &shape.vpc_id)?;
        let cidr = shape.cidr_block.as_deref();
        let cidr = cidr
            .map(|text| parse::<Ipv4Net>(&place, text))
            .transpose()?;
        let mut ipv6_cidr_blocks = Vec::new();
        for block in &shape.ipv6_cidr_block_association_set {
            ipv6_cidr_blocks.push(model::subnet::SubnetIpv6CidrBlock {
                association_id: self.id(),
                cidr: parse::<Ipv6Net>(&place, &block.ipv6_cidr_block)?.trunc(),
            });
        }
        if cidr.is_none() && ipv6_cidr_blocks.is_empty() {
            return Err(value(place, "it has neither a CidrBlock nor an IPv6 one"));
        }
        let zone = match shape.availability_zone.as_deref() {
            Some(zone) => Some(parse(&place, zone)?),
            None => self.scope.region.zones().next(),
        };
        let subnet = Subnet {
            id: parse(&place, &shape.subnet_id)?,
            vpc_id,
            cidr: cidr.map(|cidr| cidr.trunc()),
            ipv6_cidr_blocks,
            zone: zone.ok_or_else(|| value(&place, "its Region has no zones"))?,
            default_for_az: false,
            map_public_ip_on_launch: false,
            assign_ipv6_address_on_creation: false,
            enable_dns64: false,
            ipv6_native: cidr.is_none(),
            hostname_type: "ip-name".to_owned(),
            enable_resource_name_dns_a_record: false,
            enable_resource_name_dns_aaaa_record: false,
            tags: Tags::default(),
        };
        self.state.subnets.insert(subnet.id, subnet);
        Ok(())
    }

    /// Groups that interfaces carry and nobody describes allow nothing: that is worth a word.
    fn missing_groups(&mut self) {
        let carried = self.state.network_interfaces.values();
        let missing: BTreeSet<_> = carried
            .flat_map(|interface| interface.groups.iter())
            .filter(|id| !self.state.security_groups.contains(id))
            .collect();
        let notice = |id| format!("{id} is not among the SecurityGroups: it allows nothing");
        self.notices.extend(missing.into_iter().map(notice));
    }
}
