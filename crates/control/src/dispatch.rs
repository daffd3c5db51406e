//! Which function carries out which action.

use std::convert;

use crate::*;

/// A request of a service whose rules stand here.
pub trait Call {
    /// What it is answered with.
    type Response;

    /// The action's name.
    fn action(&self) -> &'static str;

    /// Whether the caller only asks if it would succeed.
    fn dry_run(&self) -> bool;

    /// Carries it out inside a transaction.
    ///
    /// # Errors
    ///
    /// Whatever AWS would answer.
    fn dispatch(&self, tx: &mut Transaction<'_>) -> Result<Self::Response, Error>;
}

macro_rules! actions {
    ($api:ident in $words:path: $($action:ident => $function:path;)*) => {
        impl Call for $api::Request {
            type Response = $api::Response;

            fn action(&self) -> &'static str {
                self.action()
            }

            fn dry_run(&self) -> bool {
                self.dry_run()
            }

            fn dispatch(&self, tx: &mut Transaction<'_>) -> Result<$api::Response, Error> {
                match self {
                    $(Self::$action(request) => $function(tx, request).map($api::Response::from),)*
                }
                .map_err($words)
            }
        }
    };
}

actions! { ec2_api in convert::identity:
    CreateVpc => vpc::create_vpc;
    DescribeVpcs => vpc::describe_vpcs;
    DeleteVpc => vpc::delete_vpc;
    ModifyVpcAttribute => vpc::modify_vpc_attribute;
    DescribeVpcAttribute => vpc::describe_vpc_attribute;
    AssociateVpcCidrBlock => vpc::associate_vpc_cidr_block;
    DisassociateVpcCidrBlock => vpc::disassociate_vpc_cidr_block;
    CreateDefaultVpc => vpc::create_default_vpc;
    CreateSubnet => subnet::create_subnet;
    DescribeSubnets => subnet::describe_subnets;
    DeleteSubnet => subnet::delete_subnet;
    ModifySubnetAttribute => subnet::modify_subnet_attribute;
    AssociateSubnetCidrBlock => subnet::associate_subnet_cidr_block;
    DisassociateSubnetCidrBlock => subnet::disassociate_subnet_cidr_block;
    CreateDefaultSubnet => subnet::create_default_subnet;
    CreateSubnetCidrReservation => subnet::create_subnet_cidr_reservation;
    GetSubnetCidrReservations => subnet::get_subnet_cidr_reservations;
    DeleteSubnetCidrReservation => subnet::delete_subnet_cidr_reservation;
    CreateRouteTable => route_table::create_route_table;
    DescribeRouteTables => route_table::describe_route_tables;
    DeleteRouteTable => route_table::delete_route_table;
    AssociateRouteTable => route_table::associate_route_table;
    DisassociateRouteTable => route_table::disassociate_route_table;
    ReplaceRouteTableAssociation => route_table::replace_route_table_association;
    CreateRoute => route_table::create_route;
    ReplaceRoute => route_table::replace_route;
    DeleteRoute => route_table::delete_route;
    CreateInternetGateway => internet_gateway::create_internet_gateway;
    AttachInternetGateway => internet_gateway::attach_internet_gateway;
    DetachInternetGateway => internet_gateway::detach_internet_gateway;
    DescribeInternetGateways => internet_gateway::describe_internet_gateways;
    DeleteInternetGateway => internet_gateway::delete_internet_gateway;
    CreateNatGateway => nat_gateway::create_nat_gateway;
    DescribeNatGateways => nat_gateway::describe_nat_gateways;
    DeleteNatGateway => nat_gateway::delete_nat_gateway;
    AssociateNatGatewayAddress => nat_gateway::associate_nat_gateway_address;
    DisassociateNatGatewayAddress => nat_gateway::disassociate_nat_gateway_address;
    AssignPrivateNatGatewayAddress => nat_gateway::assign_private_nat_gateway_address;
    UnassignPrivateNatGatewayAddress => nat_gateway::unassign_private_nat_gateway_address;
    CreateEgressOnlyInternetGateway => egress_only_internet_gateway::create_egress_only_internet_gateway;
    DescribeEgressOnlyInternetGateways => egress_only_internet_gateway::describe_egress_only_internet_gateways;
    DeleteEgressOnlyInternetGateway => egress_only_internet_gateway::delete_egress_only_internet_gateway;
    CreateSecurityGroup => security_group::create_security_group;
    DescribeSecurityGroups => security_group::describe_security_groups;
    DeleteSecurityGroup => security_group::delete_security_group;
    AuthorizeSecurityGroupIngress => security_group::authorize_security_group_ingress;
    AuthorizeSecurityGroupEgress => security_group::authorize_security_group_egress;
    RevokeSecurityGroupIngress => security_group::revoke_security_group_ingress;
    RevokeSecurityGroupEgress => security_group::revoke_security_group_egress;
    DescribeSecurityGroupRules => security_group::describe_security_group_rules;
    ModifySecurityGroupRules => security_group::modify_security_group_rules;
    UpdateSecurityGroupRuleDescriptionsIngress => security_group::update_security_group_rule_descriptions_ingress;
    UpdateSecurityGroupRuleDescriptionsEgress => security_group::update_security_group_rule_descriptions_egress;
    DescribeStaleSecurityGroups => security_group::describe_stale_security_groups;
    DescribeSecurityGroupReferences => security_group::describe_security_group_references;
    CreateVpcPeeringConnection => vpc_peering_connection::create_vpc_peering_connection;
    AcceptVpcPeeringConnection => vpc_peering_connection::accept_vpc_peering_connection;
    RejectVpcPeeringConnection => vpc_peering_connection::reject_vpc_peering_connection;
    DeleteVpcPeeringConnection => vpc_peering_connection::delete_vpc_peering_connection;
    DescribeVpcPeeringConnections => vpc_peering_connection::describe_vpc_peering_connections;
    ModifyVpcPeeringConnectionOptions => vpc_peering_connection::modify_vpc_peering_connection_options;
    CreateNetworkAcl => network_acl::create_network_acl;
    DescribeNetworkAcls => network_acl::describe_network_acls;
    DeleteNetworkAcl => network_acl::delete_network_acl;
    CreateNetworkAclEntry => network_acl::create_network_acl_entry;
    ReplaceNetworkAclEntry => network_acl::replace_network_acl_entry;
    DeleteNetworkAclEntry => network_acl::delete_network_acl_entry;
    ReplaceNetworkAclAssociation => network_acl::replace_network_acl_association;
    CreateNetworkInterface => network_interface::create_network_interface;
    DescribeNetworkInterfaces => network_interface::describe_network_interfaces;
    DeleteNetworkInterface => network_interface::delete_network_interface;
    AttachNetworkInterface => network_interface::attach_network_interface;
    DetachNetworkInterface => network_interface::detach_network_interface;
    ModifyNetworkInterfaceAttribute => network_interface::modify_network_interface_attribute;
    DescribeNetworkInterfaceAttribute => network_interface::describe_network_interface_attribute;
    AssignPrivateIpAddresses => network_interface::assign_private_ip_addresses;
    UnassignPrivateIpAddresses => network_interface::unassign_private_ip_addresses;
    AssignIpv6Addresses => network_interface::assign_ipv6_addresses;
    UnassignIpv6Addresses => network_interface::unassign_ipv6_addresses;
    AllocateAddress => address::allocate_address;
    AssociateAddress => address::associate_address;
    DisassociateAddress => address::disassociate_address;
    ReleaseAddress => address::release_address;
    DescribeAddresses => address::describe_addresses;
    DescribeAddressesAttribute => address::describe_addresses_attribute;
    RunInstances => instance::run_instances;
    DescribeInstances => instance::describe_instances;
    StartInstances => instance::start_instances;
    StopInstances => instance::stop_instances;
    TerminateInstances => instance::terminate_instances;
    DescribeInstanceStatus => instance::describe_instance_status;
    DescribeInstanceAttribute => instance::describe_instance_attribute;
    DescribeInstanceCreditSpecifications => instance::describe_instance_credit_specifications;
    ModifyInstanceAttribute => instance::modify_instance_attribute;
    ModifyInstanceMetadataOptions => instance::modify_instance_metadata_options;
    GetConsoleOutput => instance::get_console_output;
    GetInstanceUefiData => instance::get_instance_uefi_data;
    DescribeImages => instance::describe_images;
    DescribeInstanceTypes => instance::describe_instance_types;
    CreateTags => tag::create_tags;
    DeleteTags => tag::delete_tags;
    DescribeTags => tag::describe_tags;
    AssociateSecurityGroupVpc => security_group::associate_security_group_vpc;
    DisassociateSecurityGroupVpc => security_group::disassociate_security_group_vpc;
    DescribeSecurityGroupVpcAssociations => security_group::describe_security_group_vpc_associations;
    GetSecurityGroupsForVpc => security_group::get_security_groups_for_vpc;
    DescribeVolumes => volume::describe_volumes;
    DescribeTransitGateways => transit_gateway::describe_transit_gateways;
    DescribeRegions => region::describe_regions;
    DescribeAvailabilityZones => region::describe_availability_zones;
    DescribeAccountAttributes => region::describe_account_attributes;
    CreateDhcpOptions => dhcp_options::create_dhcp_options;
    DescribeDhcpOptions => dhcp_options::describe_dhcp_options;
    DeleteDhcpOptions => dhcp_options::delete_dhcp_options;
    AssociateDhcpOptions => dhcp_options::associate_dhcp_options;
    CreateManagedPrefixList => prefix_list::create_managed_prefix_list;
    ModifyManagedPrefixList => prefix_list::modify_managed_prefix_list;
    RestoreManagedPrefixListVersion => prefix_list::restore_managed_prefix_list_version;
    DeleteManagedPrefixList => prefix_list::delete_managed_prefix_list;
    DescribeManagedPrefixLists => prefix_list::describe_managed_prefix_lists;
    GetManagedPrefixListEntries => prefix_list::get_managed_prefix_list_entries;
    GetManagedPrefixListAssociations => prefix_list::get_managed_prefix_list_associations;
    DescribePrefixLists => prefix_list::describe_prefix_lists;
    CreateVpcEndpoint => vpc_endpoint::create_vpc_endpoint;
    ModifyVpcEndpoint => vpc_endpoint::modify_vpc_endpoint;
    DeleteVpcEndpoints => vpc_endpoint::delete_vpc_endpoints;
    DescribeVpcEndpoints => vpc_endpoint::describe_vpc_endpoints;
    DescribeVpcEndpointServices => vpc_endpoint::describe_vpc_endpoint_services;
    CreateVpcEndpointServiceConfiguration => vpc_endpoint_service::create_vpc_endpoint_service_configuration;
    DescribeVpcEndpointServiceConfigurations => vpc_endpoint_service::describe_vpc_endpoint_service_configurations;
    ModifyVpcEndpointServiceConfiguration => vpc_endpoint_service::modify_vpc_endpoint_service_configuration;
    DeleteVpcEndpointServiceConfigurations => vpc_endpoint_service::delete_vpc_endpoint_service_configurations;
    DescribeVpcEndpointServicePermissions => vpc_endpoint_service::describe_vpc_endpoint_service_permissions;
    ModifyVpcEndpointServicePermissions => vpc_endpoint_service::modify_vpc_endpoint_service_permissions;
    DescribeVpcEndpointConnections => vpc_endpoint_service::describe_vpc_endpoint_connections;
    AcceptVpcEndpointConnections => vpc_endpoint_service::accept_vpc_endpoint_connections;
    RejectVpcEndpointConnections => vpc_endpoint_service::reject_vpc_endpoint_connections;
    CreateFlowLogs => flow_log::create_flow_logs;
    DescribeFlowLogs => flow_log::describe_flow_logs;
    DeleteFlowLogs => flow_log::delete_flow_logs;
    GetFlowLogsIntegrationTemplate => flow_log::get_flow_logs_integration_template;
}

actions! { elbv2_api in elbv2::in_its_words:
    CreateLoadBalancer => elbv2::create_load_balancer;
    DescribeLoadBalancers => elbv2::describe_load_balancers;
    DeleteLoadBalancer => elbv2::delete_load_balancer;
    ModifyLoadBalancerAttributes => elbv2::modify_load_balancer_attributes;
    DescribeLoadBalancerAttributes => elbv2::describe_load_balancer_attributes;
    DescribeCapacityReservation => elbv2::describe_capacity_reservation;
    SetSecurityGroups => elbv2::set_security_groups;
    CreateListener => elbv2::create_listener;
    DescribeListeners => elbv2::describe_listeners;
    DeleteListener => elbv2::delete_listener;
    ModifyListener => elbv2::modify_listener;
    ModifyListenerAttributes => elbv2::modify_listener_attributes;
    DescribeListenerAttributes => elbv2::describe_listener_attributes;
    CreateTargetGroup => elbv2::create_target_group;
    DescribeTargetGroups => elbv2::describe_target_groups;
    DeleteTargetGroup => elbv2::delete_target_group;
    ModifyTargetGroup => elbv2::modify_target_group;
    ModifyTargetGroupAttributes => elbv2::modify_target_group_attributes;
    DescribeTargetGroupAttributes => elbv2::describe_target_group_attributes;
    RegisterTargets => elbv2::register_targets;
    DeregisterTargets => elbv2::deregister_targets;
    DescribeTargetHealth => elbv2::describe_target_health;
    AddTags => elbv2::add_tags;
    RemoveTags => elbv2::remove_tags;
    DescribeTags => elbv2::describe_tags;
}

actions! { iam_api in iam::in_its_words:
    CreateRole => iam::create_role;
    GetRole => iam::get_role;
    ListRoles => iam::list_roles;
    DeleteRole => iam::delete_role;
    UpdateRole => iam::update_role;
    UpdateRoleDescription => iam::update_role_description;
    UpdateAssumeRolePolicy => iam::update_assume_role_policy;
    TagRole => iam::tag_role;
    UntagRole => iam::untag_role;
    ListRoleTags => iam::list_role_tags;
    PutRolePolicy => iam::put_role_policy;
    GetRolePolicy => iam::get_role_policy;
    DeleteRolePolicy => iam::delete_role_policy;
    ListRolePolicies => iam::list_role_policies;
    AttachRolePolicy => iam::attach_role_policy;
    DetachRolePolicy => iam::detach_role_policy;
    ListAttachedRolePolicies => iam::list_attached_role_policies;
    CreatePolicy => iam::create_policy;
    GetPolicy => iam::get_policy;
    ListPolicies => iam::list_policies;
    DeletePolicy => iam::delete_policy;
    CreatePolicyVersion => iam::create_policy_version;
    GetPolicyVersion => iam::get_policy_version;
    ListPolicyVersions => iam::list_policy_versions;
    DeletePolicyVersion => iam::delete_policy_version;
    SetDefaultPolicyVersion => iam::set_default_policy_version;
    ListEntitiesForPolicy => iam::list_entities_for_policy;
    TagPolicy => iam::tag_policy;
    UntagPolicy => iam::untag_policy;
    ListPolicyTags => iam::list_policy_tags;
    CreateInstanceProfile => iam::create_instance_profile;
    GetInstanceProfile => iam::get_instance_profile;
    ListInstanceProfiles => iam::list_instance_profiles;
    ListInstanceProfilesForRole => iam::list_instance_profiles_for_role;
    DeleteInstanceProfile => iam::delete_instance_profile;
    AddRoleToInstanceProfile => iam::add_role_to_instance_profile;
    RemoveRoleFromInstanceProfile => iam::remove_role_from_instance_profile;
    TagInstanceProfile => iam::tag_instance_profile;
    UntagInstanceProfile => iam::untag_instance_profile;
    ListInstanceProfileTags => iam::list_instance_profile_tags;
    CreateUser => iam::create_user;
    GetUser => iam::get_user;
    ListUsers => iam::list_users;
    UpdateUser => iam::update_user;
    DeleteUser => iam::delete_user;
    TagUser => iam::tag_user;
    UntagUser => iam::untag_user;
    ListAccountAliases => iam::list_account_aliases;
    ListUserTags => iam::list_user_tags;
    PutUserPolicy => iam::put_user_policy;
    GetUserPolicy => iam::get_user_policy;
    DeleteUserPolicy => iam::delete_user_policy;
    ListUserPolicies => iam::list_user_policies;
    AttachUserPolicy => iam::attach_user_policy;
    DetachUserPolicy => iam::detach_user_policy;
    ListAttachedUserPolicies => iam::list_attached_user_policies;
    CreateAccessKey => iam::create_access_key;
    ListAccessKeys => iam::list_access_keys;
    UpdateAccessKey => iam::update_access_key;
    DeleteAccessKey => iam::delete_access_key;
    CreateGroup => iam::create_group;
    GetGroup => iam::get_group;
    ListGroups => iam::list_groups;
    DeleteGroup => iam::delete_group;
    AddUserToGroup => iam::add_user_to_group;
    RemoveUserFromGroup => iam::remove_user_from_group;
    ListGroupsForUser => iam::list_groups_for_user;
    PutGroupPolicy => iam::put_group_policy;
    GetGroupPolicy => iam::get_group_policy;
    DeleteGroupPolicy => iam::delete_group_policy;
    ListGroupPolicies => iam::list_group_policies;
    AttachGroupPolicy => iam::attach_group_policy;
    DetachGroupPolicy => iam::detach_group_policy;
    ListAttachedGroupPolicies => iam::list_attached_group_policies;
}
