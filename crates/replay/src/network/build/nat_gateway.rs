//! NAT gateways, and the network interfaces that they have.

use model::{
    Availability, Connectivity, InterfaceType, NatGateway, NatGatewayAddress, NatGatewayState,
    NetworkInterface, PrivateIpAddress, Tags, Timestamp,
};

use super::{Builder, Error, parse, shape};

impl Builder {
    pub(super) fn nat_gateway(&mut self, shape: &shape::NatGateway) -> Result<(), Error> {
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
}
