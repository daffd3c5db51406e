//! Quotas with AWS's defaults (Amazon VPC User Guide, "Amazon VPC quotas").

use crate::Error;

macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident: $default:literal, $code:literal, $message:literal;)*) => {
        /// How many there may be of everything.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Quotas {
            $($(#[$doc])* pub $name: usize,)*
        }

        impl Default for Quotas {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Quotas {
            /// The names of all quotas.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Sets the quota of this name; false if there is none.
            pub fn set(&mut self, name: &str, value: usize) -> bool {
                match name {
                    $(stringify!($name) => self.$name = value,)*
                    _ => return false,
                }
                true
            }

            $(
                #[doc = concat!("`", $code, "` if one more than `used` would be too many.")]
                pub(crate) fn $name(&self, used: usize) -> Result<(), Error> {
                    if used < self.$name {
                        return Ok(());
                    }
                    Err(Error::LimitExceeded { code: $code, message: $message.replace("{}", &self.$name.to_string()) })
                }
            )*
        }
    };
}

quotas! {
    /// VPCs per Region.
    vpcs: 5, "VpcLimitExceeded", "The maximum number of VPCs has been reached.";
    /// Subnets per VPC.
    subnets: 200, "SubnetLimitExceeded", "The maximum number of subnets has been reached.";
    /// Blocks per VPC and address family.
    cidrs: 5, "CidrLimitExceeded", "This network has met its maximum number of allowed CIDRs: {}";
    /// Route tables per VPC.
    route_tables: 200, "RouteTableLimitExceeded", "The maximum number of route tables has been reached.";
    /// Routes per route table and address family.
    routes: 500, "RouteLimitExceeded", "The maximum number of routes has been reached.";
    /// Internet gateways per Region.
    internet_gateways: 5, "InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.";
    /// Egress-only internet gateways per Region.
    egress_only_internet_gateways: 5, "EgressOnlyInternetGatewayLimitExceeded", "The maximum number of egress-only internet gateways has been reached.";
    /// NAT gateways per availability zone.
    nat_gateways: 5, "NatGatewayLimitExceeded", "Performing this operation would exceed the limit of {} NAT gateways";
    /// Elastic IP addresses per public NAT gateway.
    nat_gateway_allocations: 2, "AddressLimitExceeded", "A NAT gateway may have up to {} Elastic IP addresses.";
    /// Private IPv4 addresses per NAT gateway.
    nat_gateway_addresses: 8, "PrivateIpAddressLimitExceeded", "A NAT gateway may have up to {} private IP addresses.";
    /// Regional NAT gateways per VPC.
    regional_nat_gateways: 5, "NatGatewayLimitExceeded", "Performing this operation would exceed the limit of {} NAT gateways";
    /// Elastic IP addresses per zone of a regional NAT gateway.
    regional_nat_gateway_addresses: 32, "AddressLimitExceeded", "A regional NAT gateway may have up to {} Elastic IP addresses in an Availability Zone.";
    /// Elastic IP addresses per Region.
    addresses: 5, "AddressLimitExceeded", "The maximum number of addresses has been reached.";
    /// Network interfaces per Region.
    network_interfaces: 5000, "NetworkInterfaceLimitExceeded", "The maximum number of network interfaces has been reached.";
    /// Security groups per Region.
    security_groups: 2500, "SecurityGroupLimitExceeded", "The maximum number of security groups has been reached.";
    /// Rules per security group, direction and address family.
    rules_per_security_group: 60, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.";
    /// Security groups per network interface.
    security_groups_per_interface: 5, "SecurityGroupsPerInterfaceLimitExceeded", "The maximum number of security groups per interface has been reached.";
    /// Network ACLs per VPC.
    network_acls: 200, "NetworkAclLimitExceeded", "The maximum number of network ACLs has been reached.";
    /// Entries per network ACL, direction and address family.
    network_acl_entries: 20, "NetworkAclEntryLimitExceeded", "The maximum number of network ACL entries has been reached.";
    /// Prefix lists per Region.
    prefix_lists: 100, "PrefixListLimitExceeded", "The maximum number of prefix lists has been reached.";
    /// Gateway endpoints per Region.
    gateway_endpoints: 20, "VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.";
    /// Active peering connections per VPC.
    active_vpc_peering_connections: 50, "ActiveVpcPeeringConnectionPerVpcLimitExceeded", "The maximum number of active VPC peering connections per VPC has been reached.";
    /// Peering requests without an answer, per account and Region.
    outstanding_vpc_peering_connections: 25, "OutstandingVpcPeeringConnectionLimitExceeded", "The maximum number of outstanding VPC peering connection requests has been reached.";
    /// Interface endpoints per VPC.
    interface_endpoints: 50, "VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.";
    /// Tags per resource.
    tags: 50, "TagLimitExceeded", "The maximum number of Tags for a resource has been reached.";
    /// Flow logs per network interface, subnet, VPC or regional NAT gateway.
    flow_logs: 250, "FlowLogsLimitExceeded", "The maximum number of flow logs has been reached.";
    /// Endpoint services per Region.
    vpc_endpoint_services: 50, "VpcEndpointServiceLimitExceeded", "The maximum number of VPC endpoint services has been reached.";
    /// Principals that may use an endpoint service.
    allowed_principals: 50, "AllowedPrincipalsLimitExceeded", "The maximum number of allowed principals has been reached.";
    /// Network load balancers per Region.
    load_balancers: 50, "TooManyLoadBalancers", "You have reached the maximum number of load balancers.";
    /// Listeners per network load balancer.
    listeners: 50, "TooManyListeners", "You have reached the maximum number of listeners per load balancer.";
    /// Target groups per Region.
    target_groups: 3000, "TooManyTargetGroups", "You have reached the maximum number of target groups.";
    /// Targets per target group; AWS allows 500 in each zone.
    targets: 1000, "TooManyTargets", "You have reached the maximum number of targets per target group.";
    /// IAM roles per account.
    roles: 1000, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: {}";
    /// Customers' managed policies per account.
    managed_policies: 1500, "LimitExceeded", "Cannot exceed quota for PoliciesPerAccount: {}";
    /// Managed policies that are attached to one role.
    policies_per_role: 10, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: {}";
    /// IAM users per account.
    users: 5000, "LimitExceeded", "Cannot exceed quota for UsersPerAccount: {}";
    /// Managed policies that are attached to one user.
    policies_per_user: 10, "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: {}";
    /// Access keys of one user.
    access_keys: 2, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: {}";
    /// IAM groups per account.
    groups: 300, "LimitExceeded", "Cannot exceed quota for GroupsPerAccount: {}";
    /// Groups that one user is in.
    groups_per_user: 10, "LimitExceeded", "Cannot exceed quota for GroupsPerUser: {}";
    /// Managed policies that are attached to one group.
    policies_per_group: 10, "LimitExceeded", "Cannot exceed quota for PoliciesPerGroup: {}";
    /// Instance profiles per account.
    instance_profiles: 1000, "LimitExceeded", "Cannot exceed quota for InstanceProfilesPerAccount: {}";
    /// Running instances per Region; this machine is the limit, not AWS.
    instances: 200, "InstanceLimitExceeded", "You have requested more instances than your current instance limit of {} allows.";
}
