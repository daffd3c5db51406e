//! Network interfaces.

use model::{
    Attachment, InterfaceType, MacAddress, NetworkInterface, PrivateIpAddress, PublicIpAssociation,
    Tags, Timestamp,
};

use super::{Builder, Error, parse, shape};

impl Builder {
    pub(super) fn network_interface(
        &mut self,
        shape: &shape::NetworkInterface,
    ) -> Result<(), Error> {
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
    pub(super) fn mac(&mut self) -> MacAddress {
        self.ids += 1;
        let [a, b, c, d] = self.ids.to_be_bytes();
        MacAddress([0x06, 0xff, a, b, c, d])
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
