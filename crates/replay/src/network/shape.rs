//! The shapes of `aws ec2 describe-…` as far as packets have to do with them.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($member:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Default, Deserialize)]
            #[serde(rename_all = "PascalCase", default)]
            pub(super) struct $name {
                $(pub(super) $member: $type,)*
            }
        )*
    };
}

shapes! {
    Network {
        vpcs: Vec<Vpc>,
        subnets: Vec<Subnet>,
        security_groups: Vec<SecurityGroup>,
        network_acls: Vec<NetworkAcl>,
        route_tables: Vec<RouteTable>,
        network_interfaces: Vec<NetworkInterface>,
        nat_gateways: Vec<NatGateway>,
    }
    Vpc {
        vpc_id: String,
        owner_id: Option<String>,
        cidr_block: Option<String>,
        cidr_block_association_set: Vec<CidrBlock>,
        ipv6_cidr_block_association_set: Vec<Ipv6CidrBlock>,
    }
    CidrBlock { cidr_block: String, }
    Ipv6CidrBlock { ipv6_cidr_block: String, }
    Subnet {
        subnet_id: String,
        vpc_id: String,
        cidr_block: Option<String>,
        ipv6_cidr_block_association_set: Vec<Ipv6CidrBlock>,
        availability_zone: Option<String>,
    }
    SecurityGroup {
        group_id: String,
        group_name: Option<String>,
        vpc_id: String,
        ip_permissions: Vec<IpPermission>,
        ip_permissions_egress: Option<Vec<IpPermission>>,
    }
    IpPermission {
        ip_protocol: String,
        from_port: Option<i32>,
        to_port: Option<i32>,
        ip_ranges: Vec<IpRange>,
        ipv6_ranges: Vec<Ipv6Range>,
        user_id_group_pairs: Vec<UserIdGroupPair>,
        prefix_list_ids: Vec<serde_json::Value>,
    }
    IpRange { cidr_ip: String, }
    Ipv6Range { cidr_ipv6: String, }
    UserIdGroupPair { group_id: String, user_id: Option<String>, }
    NetworkAcl {
        network_acl_id: Option<String>,
        vpc_id: String,
        is_default: bool,
        entries: Vec<NetworkAclEntry>,
        associations: Vec<Association>,
    }
    NetworkAclEntry {
        rule_number: u16,
        egress: bool,
        protocol: String,
        rule_action: String,
        cidr_block: Option<String>,
        ipv6_cidr_block: Option<String>,
        port_range: Option<Ports>,
        icmp_type_code: Option<IcmpTypeCode>,
    }
    Ports { from: i32, to: i32, }
    IcmpTypeCode { r#type: i32, code: i32, }
    Association { subnet_id: Option<String>, main: bool, }
    RouteTable {
        route_table_id: Option<String>,
        vpc_id: String,
        associations: Vec<Association>,
        routes: Vec<Route>,
    }
    Route {
        destination_cidr_block: Option<String>,
        destination_ipv6_cidr_block: Option<String>,
        destination_prefix_list_id: Option<String>,
        gateway_id: Option<String>,
        nat_gateway_id: Option<String>,
        network_interface_id: Option<String>,
        egress_only_internet_gateway_id: Option<String>,
        vpc_peering_connection_id: Option<String>,
    }
    NetworkInterface {
        network_interface_id: String,
        subnet_id: String,
        private_ip_address: Option<Ipv4Addr>,
        private_ip_addresses: Vec<PrivateIpAddress>,
        ipv6_addresses: Vec<Ipv6Address>,
        association: Option<PublicIp>,
        groups: Vec<Group>,
        mac_address: Option<String>,
        source_dest_check: Option<bool>,
        attachment: Option<Attachment>,
        interface_type: Option<String>,
    }
    PrivateIpAddress {
        private_ip_address: Option<Ipv4Addr>,
        primary: bool,
        association: Option<PublicIp>,
    }
    PublicIp { public_ip: Option<Ipv4Addr>, }
    Group { group_id: String, }
    Attachment { instance_id: Option<String>, }
    NatGateway {
        nat_gateway_id: String,
        subnet_id: String,
        nat_gateway_addresses: Vec<NatGatewayAddress>,
    }
    NatGatewayAddress {
        network_interface_id: Option<String>,
        private_ip: Option<Ipv4Addr>,
    }
}

/// `{"Ipv6Address": "2001:db8::1"}`
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Ipv6Address {
    pub(super) ipv6_address: Ipv6Addr,
}
