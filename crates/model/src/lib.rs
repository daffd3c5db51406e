//! AWS nouns and values: ids, CIDRs, tags, every resource, and the state of an account's Region.
//!
//! The vocabulary that every other crate shares. It has no behaviour beyond validity, printing and
//! looking things up. It never decides whether a change is allowed (`control`) or what happens to a
//! packet (`dataplane`), and it knows no clock, wire format or disk.

pub mod address;
pub mod aws_prefix_list;
pub mod aws_service;
pub mod client_token;
pub mod dhcp_options;
pub mod egress_only_internet_gateway;
pub mod flow_log;
pub mod flow_log_field;
pub mod flow_log_format;
pub mod group;
pub mod id;
pub mod instance;
pub mod instance_profile;
pub mod internet_gateway;
pub mod internet_host;
pub mod listener;
pub mod load_balancer;
pub mod log_folder;
pub mod managed_policy;
pub mod metadata_options;
pub mod nat_gateway;
pub mod network_acl;
pub mod network_interface;
pub mod prefix_list;
pub mod protocol;
pub mod recorder_id;
pub mod region;
pub mod role;
pub mod route_table;
pub mod scope;
pub mod security_group;
pub mod state;
pub mod subnet;
pub mod subnet_cidr_reservation;
pub mod table;
pub mod tag;
pub mod target_group;
pub mod time;
pub mod user;
pub mod vpc;
pub mod vpc_endpoint;
pub mod vpc_endpoint_service;
pub mod vpc_peering_connection;

pub use address::{Address, AddressAssociation, AddressTarget};
pub use aws_prefix_list::{AwsPrefixList, GatewayService};
pub use aws_service::{AwsService, PUBLIC_IPV4_POOL};
pub use client_token::ClientToken;
pub use dhcp_options::{DhcpOptions, NameServer};
pub use egress_only_internet_gateway::EgressOnlyInternetGateway;
pub use flow_log::{
    AggregationInterval, DeliveryStatus, FileFormat, FlowLog, FlowLogResource, LogDestination,
    TagField, TagFieldResource, TrafficType,
};
pub use flow_log_field::{FlowLogField, UnknownField};
pub use flow_log_format::FormatError;
pub use group::Group;
pub use id::*;
pub use instance::{Instance, InstanceState};
pub use instance_profile::InstanceProfile;
pub use internet_gateway::InternetGateway;
pub use internet_host::InternetHost;
pub use listener::{Listener, LoadBalancerProtocol};
pub use load_balancer::{
    ListenerId, LoadBalancer, LoadBalancerId, LoadBalancerNode, LoadBalancerScheme,
    LoadBalancerState, MalformedArnId, TargetGroupId,
};
pub use log_folder::LogFolder;
pub use managed_policy::{ManagedPolicy, ManagedPolicyVersion};
pub use metadata_options::MetadataOptions;
pub use nat_gateway::{
    Availability, Connectivity, NatGateway, NatGatewayAddress, NatGatewayElasticIp, NatGatewayState,
};
pub use network_acl::{NetworkAcl, NetworkAclAssociation, NetworkAclEntry, RuleAction};
pub use network_interface::{
    Attachment, InterfaceType, MacAddress, NetworkInterface, NetworkInterfaces, Owner,
    PrivateIpAddress, PublicIpAssociation,
};
pub use prefix_list::{
    AddressFamily, PrefixList, PrefixListEntry, PrefixListOperation, PrefixListVersion,
};
pub use recorder_id::RecorderId;
pub use region::{AvailabilityZone, Region};
pub use role::Role;
pub use route_table::{
    Destination, Route, RouteOrigin, RouteState, RouteTable, RouteTableAssociation, RouteTarget,
};
pub use scope::{AccountId, Scope};
pub use security_group::{
    IpProtocol, PeeredGroup, PortRange, RulePeer, SecurityGroup, SecurityGroupRule,
};
pub use state::{Change, Difference, State, World};
pub use subnet::Subnet;
pub use subnet_cidr_reservation::SubnetCidrReservation;
pub use table::Table;
pub use tag::Tags;
pub use target_group::{
    BadHttpCodes, Health, HealthCheck, HttpCodes, HttpHealthCheck, Target, TargetGroup,
    TargetGroupAttributes, TargetId, TargetKey, TargetType,
};
pub use time::Timestamp;
pub use user::{AccessKey, User};
pub use vpc::Vpc;
pub use vpc_endpoint::{
    EndpointName, EndpointSubnet, GatewayEndpoint, InterfaceEndpoint, LeadsTo, VpcEndpoint,
    VpcEndpointKind, VpcEndpointState,
};
pub use vpc_endpoint_service::{AllowedPrincipal, VpcEndpointService};
pub use vpc_peering_connection::{PeeringSide, PeeringStatus, VpcPeeringConnection};
