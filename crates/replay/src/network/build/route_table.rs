//! Route tables, and the gateways that routes name.

use ipnet::IpNet;
use model::{
    Destination, EgressOnlyInternetGateway, InternetGateway, Route, RouteOrigin, RouteTable,
    RouteTableAssociation, RouteTarget, Tags, VpcId,
};

use super::{Builder, Error, parse, shape};

impl Builder {
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

    pub(super) fn route_table(&mut self, shape: &shape::RouteTable) -> Result<(), Error> {
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
    pub(super) fn main_route_tables(&mut self) {
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
}
