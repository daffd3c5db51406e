//! From AWS's words to a world.

mod rules;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use model::{
    Attachment, Availability, Connectivity, Destination, EgressOnlyInternetGateway, Id, IdBody,
    InterfaceType, InternetGateway, MacAddress, NatGateway, NatGatewayAddress, NatGatewayState,
    NetworkInterface, PrivateIpAddress, PublicIpAssociation, Route, RouteOrigin, RouteTable,
    RouteTableAssociation, RouteTarget, Scope, State, Subnet, SubnetId, Tags, Timestamp, Vpc,
    VpcId, World,
};

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

    fn network_interface(&mut self, shape: &shape::NetworkInterface) -> Result<(), Error> {
        let id = &shape.network_interface_id;
        let place = format!("NetworkInterfaces: {id}");
        let subnet = self.known_subnet(&place, &shape.subnet_id)?;
        let (subnet_id, vpc_id) = (subnet.id, subnet.vpc_id);
        let mut listed: Vec<_> = shape.private_ip_addresses.iter().collect();
        listed.sort_by_key(|address| !address.primary);
        let mut private_ip_addresses: Vec<PrivateIpAddress> = Vec::new();
        let primary = shape.private_ip_address.map(|a| (a, &shape.association));
        let rest = listed
            .iter()
            .filter_map(|a| Some((a.private_ip_address?, &a.association)));
        for (address, association) in primary.into_iter().chain(rest) {
            let public_ip = association.as_ref().and_then(|a| a.public_ip);
            let association = public_ip.map(|public_ip| PublicIpAssociation {
                public_ip,
                elastic: None,
            });
            let known = private_ip_addresses.iter_mut();
            match { known }.find(|known| known.address == address) {
                Some(known) => known.association = known.association.take().or(association),
                None => private_ip_addresses.push(PrivateIpAddress {
                    address,
                    association,
                }),
            }
        }
        let groups = shape.groups.iter();
        let groups = groups.map(|group| parse(&place, &group.group_id));
        let instance = shape
            .attachment
            .as_ref()
            .and_then(|a| a.instance_id.as_deref());
        let attachment = match instance {
            None => None,
            Some(instance_id) => Some(Attachment {
                id: self.id(),
                instance_id: parse(&place, instance_id)?,
                device_index: 0,
                attach_time: Timestamp::default(),
                delete_on_termination: true,
            }),
        };
        let mac = match shape.mac_address.as_deref() {
            Some(mac) => parse(&place, mac)?,
            None => self.mac(),
        };
        let interface = NetworkInterface {
            id: parse(&place, id)?,
            interface_type: interface_type(shape.interface_type.as_deref()),
            subnet_id,
            vpc_id,
            description: String::new(),
            mac,
            private_ip_addresses,
            ipv6_addresses: shape
                .ipv6_addresses
                .iter()
                .map(|a| a.ipv6_address)
                .collect(),
            groups: groups.collect::<Result<_, _>>()?,
            source_dest_check: shape.source_dest_check.unwrap_or(true),
            associate_public_ip_address: false,
            attachment,
            created_at: Timestamp::default(),
            tags: Tags::default(),
        };
        self.state
            .network_interfaces
            .insert(interface.id, interface);
        Ok(())
    }

    /// A MAC address that no other interface has.
    fn mac(&mut self) -> MacAddress {
        self.ids += 1;
        let [a, b, c, d] = self.ids.to_be_bytes();
        MacAddress([0x06, 0xff, a, b, c, d])
    }

    fn nat_gateway(&mut self, shape: &shape::NatGateway) -> Result<(), Error> {
        let place = format!("NatGateways: {}", shape.nat_gateway_id);
        let subnet = self.known_subnet(&place, &shape.subnet_id)?;
        let (subnet_id, vpc_id) = (subnet.id, subnet.vpc_id);
        let address = shape.nat_gateway_addresses.first();
        let private_ip = address.and_then(|a| a.private_ip);
        let interface = address.and_then(|a| a.network_interface_id.as_deref());
        let interface_id = self.given(&place, interface)?;
        if !self.state.network_interfaces.contains(&interface_id) {
            let address = private_ip.map(|address| PrivateIpAddress {
                address,
                association: None,
            });
            let interface = NetworkInterface {
                id: interface_id,
                interface_type: InterfaceType::NatGateway,
                subnet_id,
                vpc_id,
                description: String::new(),
                mac: self.mac(),
                private_ip_addresses: address.into_iter().collect(),
                ipv6_addresses: Vec::new(),
                groups: Vec::new(),
                source_dest_check: false,
                associate_public_ip_address: false,
                attachment: None,
                created_at: Timestamp::default(),
                tags: Tags::default(),
            };
            self.state
                .network_interfaces
                .insert(interface_id, interface);
        }
        let gateway = NatGateway {
            id: parse(&place, &shape.nat_gateway_id)?,
            vpc_id,
            availability: Availability::Zonal { subnet_id },
            connectivity: Connectivity::Public,
            state: NatGatewayState::Available,
            addresses: vec![NatGatewayAddress {
                network_interface_id: Some(interface_id),
                private_ip,
                zone: None,
                elastic: None,
                draining: None,
            }],
            created_at: Timestamp::default(),
            deleted_at: None,
            failure: None,
            tags: Tags::default(),
        };
        self.state.nat_gateways.insert(gateway.id, gateway);
        Ok(())
    }

    fn local_routes(&self, vpc_id: VpcId) -> Vec<Route> {
        let Some(vpc) = self.state.vpcs.get(&vpc_id) else {
            return Vec::new();
        };
        let v4 = vpc.cidr_blocks.iter().map(|b| Destination::Ipv4(b.cidr));
        let v6 = vpc.ipv6_cidr_blocks.iter();
        v4.chain(v6.map(|b| Destination::Ipv6(b.cidr)))
            .map(|destination| Route {
                destination,
                target: RouteTarget::Local,
                origin: RouteOrigin::CreateRouteTable,
            })
            .collect()
    }

    fn route_table(&mut self, shape: &shape::RouteTable) -> Result<(), Error> {
        let id = shape.route_table_id.as_deref();
        let place = format!("RouteTables: {}", id.unwrap_or("(without an id)"));
        let vpc_id = self.known_vpc(&place, &shape.vpc_id)?;
        let mut routes = self.local_routes(vpc_id);
        for route in &shape.routes {
            if let Some(route) = self.route(&place, vpc_id, route)? {
                routes.retain(|known| known.destination != route.destination);
                routes.push(route);
            }
        }
        let mut associations = Vec::new();
        for association in &shape.associations {
            let subnet = association.subnet_id.as_deref();
            associations.push(RouteTableAssociation {
                id: self.id(),
                main: association.main,
                subnet_id: subnet
                    .map(|text| self.known_subnet(&place, text).map(|subnet| subnet.id))
                    .transpose()?,
                gateway_id: None,
            });
        }
        let table = RouteTable {
            id: self.given(&place, id)?,
            vpc_id,
            routes,
            associations,
            tags: Tags::default(),
        };
        self.state.route_tables.insert(table.id, table);
        Ok(())
    }

    fn route(
        &mut self,
        place: &str,
        vpc_id: VpcId,
        shape: &shape::Route,
    ) -> Result<Option<Route>, Error> {
        let blocks = [
            shape.destination_cidr_block.as_deref(),
            shape.destination_ipv6_cidr_block.as_deref(),
        ];
        let destination = match blocks.into_iter().flatten().next() {
            Some(text) => match parse::<IpNet>(place, text)?.trunc() {
                IpNet::V4(net) => Destination::Ipv4(net),
                IpNet::V6(net) => Destination::Ipv6(net),
            },
            None => {
                let list = shape
                    .destination_prefix_list_id
                    .as_deref()
                    .unwrap_or("nothing");
                let notice = format!("{place}: the route to {list} is left out");
                self.notices.push(notice);
                return Ok(None);
            }
        };
        let gateway = shape.gateway_id.as_deref();
        let target = if gateway == Some("local") {
            RouteTarget::Local
        } else if let Some(id) = gateway.filter(|id| id.starts_with("igw-")) {
            let id = parse(place, id)?;
            let row = InternetGateway {
                id,
                vpc_id: Some(vpc_id),
                tags: Tags::default(),
            };
            self.state.internet_gateways.insert(id, row);
            RouteTarget::InternetGateway(id)
        } else if let Some(id) = shape.egress_only_internet_gateway_id.as_deref() {
            let id = parse(place, id)?;
            let row = EgressOnlyInternetGateway {
                id,
                vpc_id,
                tags: Tags::default(),
            };
            self.state.egress_only_internet_gateways.insert(id, row);
            RouteTarget::EgressOnlyInternetGateway(id)
        } else if let Some(id) = shape.nat_gateway_id.as_deref() {
            RouteTarget::NatGateway(parse(place, id)?)
        } else if let Some(id) = shape.network_interface_id.as_deref() {
            RouteTarget::NetworkInterface(parse(place, id)?)
        } else if let Some(id) = shape.vpc_peering_connection_id.as_deref() {
            RouteTarget::VpcPeeringConnection(parse(place, id)?)
        } else {
            let target = gateway.unwrap_or("something that is not known here");
            let notice = format!("{place}: {destination} leads to {target}: left out");
            self.notices.push(notice);
            return Ok(None);
        };
        let described = match target {
            RouteTarget::NatGateway(id) => self.state.nat_gateways.contains(&id),
            RouteTarget::NetworkInterface(id) => self.state.network_interfaces.contains(&id),
            RouteTarget::VpcPeeringConnection(_) => false,
            _ => true,
        };
        if !described {
            self.notices.push(format!(
                "{place}: {destination} leads to {target}, which is not described: a blackhole"
            ));
        }
        Ok(Some(Route {
            destination,
            target,
            origin: RouteOrigin::CreateRoute,
        }))
    }

    /// Every VPC has a main route table.
    fn main_route_tables(&mut self) {
        let vpcs: Vec<VpcId> = self.state.vpcs.values().map(|v| v.id).collect();
        for vpc_id in vpcs {
            if self.state.main_route_table(vpc_id).is_some() {
                continue;
            }
            let table = RouteTable {
                id: self.id(),
                vpc_id,
                routes: self.local_routes(vpc_id),
                associations: vec![RouteTableAssociation {
                    id: self.id(),
                    main: true,
                    subnet_id: None,
                    gateway_id: None,
                }],
                tags: Tags::default(),
            };
            self.state.route_tables.insert(table.id, table);
        }
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

fn interface_type(text: Option<&str>) -> InterfaceType {
    match text {
        Some("nat_gateway" | "natGateway") => InterfaceType::NatGateway,
        Some("network_load_balancer") => InterfaceType::NetworkLoadBalancer,
        Some("vpc_endpoint") => InterfaceType::VpcEndpoint,
        _ => InterfaceType::Interface,
    }
}
