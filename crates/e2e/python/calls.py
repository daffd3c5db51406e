"""A call of every action that Weir has, which succeeds in a `World`: in this order, once each.

Parameters that only an earlier call can tell are made when the call is: they are functions of the world.
"""

import re
from pathlib import Path

from weirtest import eventually
from world import ALLOW, PERMISSION, TRUST, bucket

CRATES = Path(__file__).resolve().parents[2]


def implemented():
    """Every action of every service, from where the code says which there are."""
    read = lambda path: (CRATES / path).read_text()
    listed = lambda path: re.findall(r'^ +"(\w+)",', read(path), re.MULTILINE)
    matched = lambda path: re.findall(r'^ +"(\w+)" => ', read(path), re.MULTILINE)
    functions = re.findall(r"^ +(\w+)\(\w+Input\) -> \w+;", read("services/src/s3/handler.rs"), re.MULTILINE)
    found = {
        "ec2": listed("ec2-api/actions.toml"),
        "elbv2": listed("elbv2-api/actions.toml"),
        "iam": listed("iam-api/actions.toml"),
        "logs": matched("services/src/logs/mod.rs"),
        "firehose": matched("services/src/firehose/mod.rs"),
        "cloudtrail": matched("services/src/cloudtrail/mod.rs"),
        "sts": re.findall(r'"(\w+)",\s+&\[', read("services/src/sts.rs")),
        "s3": ["".join(part.capitalize() for part in name.split("_")) for name in functions],
    }
    assert all(found.values()), f"the code says elsewhere which actions there are: {found}"
    return found


def tags(kind):
    return [{"ResourceType": kind, "Tags": [{"Key": "a", "Value": "b"}]}]


def ec2(w):
    ingress = {"GroupId": w.group}
    other = [PERMISSION | {"FromPort": 443, "ToPort": 443}]
    described = [PERMISSION | {"IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "told"}]}]
    route = {"RouteTableId": w.table}
    entry = {"NetworkAclId": w.acl, "Protocol": "6", "RuleAction": "deny", "Egress": False, "CidrBlock": "10.1.0.0/16",
             "PortRange": {"From": 1, "To": 2}}
    yield from reads(w)
    # Network ACLs, groups, prefix lists
    yield "CreateSecurityGroup", {"GroupName": "new", "Description": "d", "VpcId": w.vpc, "TagSpecifications": tags("security-group")}
    yield "ModifySecurityGroupRules", ingress | {"SecurityGroupRules": [{"SecurityGroupRuleId": w.rule, "SecurityGroupRule": {
        "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "10.0.0.0/8", "Description": "d"}}]}
    yield "UpdateSecurityGroupRuleDescriptionsIngress", ingress | {"IpPermissions": described}
    yield "AuthorizeSecurityGroupIngress", ingress | {"IpPermissions": other}
    yield "AuthorizeSecurityGroupEgress", ingress | {"IpPermissions": other}
    yield "UpdateSecurityGroupRuleDescriptionsEgress", ingress | {"IpPermissions": [
        PERMISSION | {"FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "told"}]}]}
    yield "RevokeSecurityGroupIngress", ingress | {"IpPermissions": [PERMISSION]}
    yield "RevokeSecurityGroupEgress", ingress | {"IpPermissions": other}
    yield "DeleteSecurityGroup", {"GroupId": w.group_spare}
    yield "AssociateSecurityGroupVpc", ingress | {"VpcId": w.vpc_spare}
    yield "DisassociateSecurityGroupVpc", ingress | {"VpcId": w.vpc_spare}
    yield "CreateNetworkAcl", {"VpcId": w.vpc, "TagSpecifications": tags("network-acl")}
    yield "CreateNetworkAclEntry", entry | {"RuleNumber": 120}
    yield "ReplaceNetworkAclEntry", entry | {"RuleNumber": 100}
    yield "DeleteNetworkAclEntry", {"NetworkAclId": w.acl, "RuleNumber": 110, "Egress": False}
    yield "ReplaceNetworkAclAssociation", {"AssociationId": w.acl_association, "NetworkAclId": w.acl}
    yield "DeleteNetworkAcl", {"NetworkAclId": w.acl_spare}
    yield "CreateManagedPrefixList", {"PrefixListName": "new", "MaxEntries": 2, "AddressFamily": "IPv4",
                                      "Entries": [{"Cidr": "10.2.0.0/16", "Description": "d"}], "TagSpecifications": tags("prefix-list")}
    yield "ModifyManagedPrefixList", {"PrefixListId": w.list, "CurrentVersion": 1, "AddEntries": [{"Cidr": "10.3.0.0/16"}],
                                      "RemoveEntries": [{"Cidr": "10.7.0.0/16"}]}
    yield "RestoreManagedPrefixListVersion", {"PrefixListId": w.list_old, "PreviousVersion": 1, "CurrentVersion": 2}
    yield "DeleteManagedPrefixList", {"PrefixListId": w.list_spare}
    # Endpoints, flow logs
    yield "AcceptVpcEndpointConnections", {"ServiceId": w.service, "VpcEndpointIds": [w.endpoint_asked]}
    yield "RejectVpcEndpointConnections", {"ServiceId": w.service, "VpcEndpointIds": [w.endpoint_refused]}
    yield "ModifyVpcEndpointServiceConfiguration", {"ServiceId": w.service, "AcceptanceRequired": False}
    yield "ModifyVpcEndpointServicePermissions", {"ServiceId": w.service, "AddAllowedPrincipals": [w.role]}
    yield "DeleteVpcEndpointServiceConfigurations", {"ServiceIds": [w.service_spare]}
    yield "CreateVpcEndpointServiceConfiguration", {"NetworkLoadBalancerArns": [w.balancer_other], "AcceptanceRequired": True,
                                                    "TagSpecifications": tags("vpc-endpoint-service")}
    yield "CreateVpcEndpoint", {"VpcId": w.vpc, "ServiceName": f"com.amazonaws.{w.lab.region}.logs", "SubnetIds": [w.subnet],
                                "VpcEndpointType": "Interface", "SecurityGroupIds": [w.group], "TagSpecifications": tags("vpc-endpoint")}
    yield "ModifyVpcEndpoint", {"VpcEndpointId": w.endpoint, "AddRouteTableIds": [w.table_spare]}
    yield "DeleteVpcEndpoints", {"VpcEndpointIds": [w.endpoint_spare]}
    yield "CreateFlowLogs", {"ResourceIds": [w.subnet], "ResourceType": "Subnet", "TrafficType": "REJECT", "LogDestinationType": "s3",
                             "LogDestination": f"arn:aws:s3:::{w.bucket}", "TagSpecifications": tags("vpc-flow-log")}
    yield "DeleteFlowLogs", {"FlowLogIds": [w.flow_log_spare]}
    yield "GetFlowLogsIntegrationTemplate", {
        "FlowLogId": w.flow_log, "ConfigDeliveryS3DestinationArn": f"arn:aws:s3:::{w.bucket}/to/",
        "IntegrateServices": {"AthenaIntegrations": [
            {"IntegrationResultS3DestinationArn": f"arn:aws:s3:::{w.bucket}/athena/", "PartitionLoadFrequency": "daily"}]}}
    # Interfaces, addresses, instances
    yield "CreateNetworkInterface", {"SubnetId": w.subnet6, "Groups": [w.group], "TagSpecifications": tags("network-interface")}
    yield "ModifyNetworkInterfaceAttribute", {"NetworkInterfaceId": w.interface, "SourceDestCheck": {"Value": False}}
    yield "AttachNetworkInterface", {"NetworkInterfaceId": w.interface_free, "InstanceId": w.instance, "DeviceIndex": 2}
    yield "DetachNetworkInterface", {"AttachmentId": w.attachment}
    yield "AssignPrivateIpAddresses", {"NetworkInterfaceId": w.interface, "PrivateIpAddresses": ["10.0.2.101"]}
    yield "UnassignPrivateIpAddresses", {"NetworkInterfaceId": w.interface, "PrivateIpAddresses": ["10.0.2.100"]}
    yield "AssignIpv6Addresses", {"NetworkInterfaceId": w.interface, "Ipv6Addresses": [w.address6 + "1"]}
    yield "UnassignIpv6Addresses", {"NetworkInterfaceId": w.interface, "Ipv6Addresses": [w.address6]}
    yield "DeleteNetworkInterface", {"NetworkInterfaceId": w.interface_spare}
    yield "AssociateAddress", {"AllocationId": w.address, "NetworkInterfaceId": w.interface}
    yield "DisassociateAddress", {"AssociationId": w.address_association}
    yield "ReleaseAddress", {"AllocationId": w.address_spare}
    yield "AllocateAddress", {"Domain": "vpc", "TagSpecifications": tags("elastic-ip")}
    yield "RunInstances", {"ImageId": w.image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "SubnetId": w.subnet6,
                           "SecurityGroupIds": [w.group], "TagSpecifications": tags("instance")}
    yield "ModifyInstanceAttribute", {"InstanceId": w.instance, "DisableApiTermination": {"Value": False}}
    yield "ModifyInstanceMetadataOptions", {"InstanceId": w.instance, "HttpTokens": "required"}
    yield "StartInstances", {"InstanceIds": [w.instance]}
    yield "StopInstances", {"InstanceIds": [w.instance]}
    yield "TerminateInstances", {"InstanceIds": [w.instance_spare]}
    # Gateways and routes
    yield "AssignPrivateNatGatewayAddress", {"NatGatewayId": w.nat_private, "PrivateIpAddresses": ["10.0.1.63"]}
    yield "UnassignPrivateNatGatewayAddress", {"NatGatewayId": w.nat_private, "PrivateIpAddresses": ["10.0.1.62"]}
    yield "AssociateNatGatewayAddress", {"NatGatewayId": w.nat, "AllocationIds": [w.address_free]}
    yield "DisassociateNatGatewayAddress", lambda w: {"NatGatewayId": w.nat, "AssociationIds": [secondary(w)]}
    yield "CreateNatGateway", {"SubnetId": w.subnet, "ConnectivityType": "private", "TagSpecifications": tags("natgateway")}
    yield "DeleteNatGateway", {"NatGatewayId": w.nat_spare}
    yield "CreateRoute", route | {"DestinationCidrBlock": "10.99.0.0/16", "GatewayId": w.gateway}
    yield "ReplaceRoute", route | {"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": w.nat}
    yield "DeleteRoute", route | {"DestinationCidrBlock": "198.18.0.0/16"}
    yield "ReplaceRouteTableAssociation", {"AssociationId": w.table_association, "RouteTableId": w.table_spare}
    yield "DisassociateRouteTable", {"AssociationId": w.table_association_spare}
    yield "AssociateRouteTable", {"RouteTableId": w.table, "SubnetId": w.subnet_spare}
    yield "CreateRouteTable", {"VpcId": w.vpc, "TagSpecifications": tags("route-table")}
    yield "DeleteRouteTable", lambda w: {"RouteTableId": unused_table(w)}
    yield "DetachInternetGateway", {"InternetGatewayId": w.gateway2, "VpcId": w.vpc2}
    yield "AttachInternetGateway", {"InternetGatewayId": w.gateway2, "VpcId": w.vpc2}
    yield "DeleteInternetGateway", {"InternetGatewayId": w.gateway_spare}
    yield "CreateInternetGateway", {"TagSpecifications": tags("internet-gateway")}
    yield "CreateEgressOnlyInternetGateway", {"VpcId": w.vpc2, "TagSpecifications": tags("egress-only-internet-gateway")}
    yield "DeleteEgressOnlyInternetGateway", {"EgressOnlyInternetGatewayId": w.egress}
    # VPCs, subnets, peering
    yield "ModifyVpcPeeringConnectionOptions", {"VpcPeeringConnectionId": w.peer, "RequesterPeeringConnectionOptions": {
        "AllowDnsResolutionFromRemoteVpc": False}}
    yield "AcceptVpcPeeringConnection", {"VpcPeeringConnectionId": w.peer_asked}
    yield "RejectVpcPeeringConnection", {"VpcPeeringConnectionId": w.peer_refused}
    yield "DeleteVpcPeeringConnection", {"VpcPeeringConnectionId": w.peer_spare}
    yield "AssociateVpcCidrBlock", {"VpcId": w.vpc2, "CidrBlock": "10.55.0.0/16"}
    yield "CreateVpcPeeringConnection", {"VpcId": w.vpc2, "PeerVpcId": w.vpc_spare, "TagSpecifications": tags("vpc-peering-connection")}
    yield "AssociateDhcpOptions", {"DhcpOptionsId": w.dhcp, "VpcId": w.vpc}
    yield "CreateDhcpOptions", {"DhcpConfigurations": [{"Key": "domain-name", "Values": ["a.example"]}], "TagSpecifications": tags("dhcp-options")}
    yield "DeleteDhcpOptions", {"DhcpOptionsId": w.dhcp_spare}
    yield "CreateSubnetCidrReservation", {"SubnetId": w.subnet, "Cidr": "10.0.1.160/28", "ReservationType": "prefix",
                                          "TagSpecifications": tags("subnet-cidr-reservation")}
    yield "DeleteSubnetCidrReservation", {"SubnetCidrReservationId": w.reservation}
    yield "CreateSubnet", {"VpcId": w.vpc, "CidrBlock": "10.0.77.0/24", "AvailabilityZone": w.zone, "TagSpecifications": tags("subnet")}
    yield "ModifySubnetAttribute", {"SubnetId": w.subnet, "MapPublicIpOnLaunch": {"Value": True}}
    yield "AssociateSubnetCidrBlock", {"SubnetId": w.subnet, "Ipv6CidrBlock": w.blocks6[1]}
    yield "DisassociateSubnetCidrBlock", lambda w: {"AssociationId": new_block(w)}
    yield "DeleteSubnet", {"SubnetId": w.subnet_spare}
    yield "ModifyVpcAttribute", {"VpcId": w.vpc, "EnableDnsSupport": {"Value": True}}
    yield "DisassociateVpcCidrBlock", {"AssociationId": w.vpc_cidr}
    yield "DeleteVpc", {"VpcId": w.vpc_spare}
    yield "CreateVpc", {"CidrBlock": "10.66.0.0/16", "TagSpecifications": tags("vpc")}
    yield "CreateTags", {"Resources": [w.vpc, w.subnet], "Tags": [{"Key": "k", "Value": "v"}]}
    yield "DeleteTags", {"Resources": [w.vpc], "Tags": [{"Key": "k"}]}
    yield "CreateDefaultVpc", {}
    yield "CreateDefaultSubnet", {"AvailabilityZone": f"{w.lab.region}f"}


def reads(w):
    """What changes nothing. Describing is asked about by id and, in the suite, by whatever else there is."""
    yield "DescribeVpcs", {"VpcIds": [w.vpc]}
    yield "DescribeVpcAttribute", {"VpcId": w.vpc, "Attribute": "enableDnsSupport"}
    yield "DescribeSubnets", {"SubnetIds": [w.subnet]}
    yield "GetSubnetCidrReservations", {"SubnetId": w.subnet}
    yield "DescribeRouteTables", {"RouteTableIds": [w.table]}
    yield "DescribeInternetGateways", {"InternetGatewayIds": [w.gateway]}
    yield "DescribeNatGateways", {"NatGatewayIds": [w.nat]}
    yield "DescribeEgressOnlyInternetGateways", {"EgressOnlyInternetGatewayIds": [w.egress]}
    yield "DescribeSecurityGroups", {"GroupIds": [w.group]}
    yield "DescribeSecurityGroupRules", {"SecurityGroupRuleIds": [w.rule]}
    yield "DescribeStaleSecurityGroups", {"VpcId": w.vpc}
    yield "DescribeSecurityGroupReferences", {"GroupId": [w.group]}
    yield "DescribeSecurityGroupVpcAssociations", {}
    yield "GetSecurityGroupsForVpc", {"VpcId": w.vpc}
    yield "DescribeVpcPeeringConnections", {"VpcPeeringConnectionIds": [w.peer]}
    yield "DescribeNetworkAcls", {"NetworkAclIds": [w.acl]}
    yield "DescribeNetworkInterfaces", {"NetworkInterfaceIds": [w.interface]}
    yield "DescribeNetworkInterfaceAttribute", {"NetworkInterfaceId": w.interface, "Attribute": "groupSet"}
    yield "DescribeAddresses", {"AllocationIds": [w.address]}
    yield "DescribeAddressesAttribute", {"AllocationIds": [w.address], "Attribute": "domain-name"}
    yield "DescribeInstances", {"InstanceIds": [w.instance]}
    yield "DescribeInstanceStatus", {"InstanceIds": [w.instance]}
    yield "DescribeInstanceAttribute", {"InstanceId": w.instance, "Attribute": "userData"}
    yield "DescribeInstanceCreditSpecifications", {"InstanceIds": [w.instance]}
    yield "GetConsoleOutput", {"InstanceId": w.instance}
    yield "GetInstanceUefiData", {"InstanceId": w.instance}
    yield "DescribeImages", {"ImageIds": [w.image]}
    yield "DescribeInstanceTypes", {"InstanceTypes": ["t3.micro"]}
    yield "DescribeTags", {}
    yield "DescribeVolumes", {}
    yield "DescribeTransitGateways", {}
    yield "DescribeRegions", {"RegionNames": ["us-east-1"]}
    yield "DescribeAvailabilityZones", {"ZoneNames": [w.zone]}
    yield "DescribeAccountAttributes", {"AttributeNames": ["default-vpc"]}
    yield "DescribeDhcpOptions", {"DhcpOptionsIds": [w.dhcp]}
    yield "DescribeFlowLogs", {"FlowLogIds": [w.flow_log]}
    yield "DescribeManagedPrefixLists", {"PrefixListIds": [w.list]}
    yield "GetManagedPrefixListEntries", {"PrefixListId": w.list}
    yield "GetManagedPrefixListAssociations", {"PrefixListId": w.list}
    yield "DescribePrefixLists", {}
    yield "DescribeVpcEndpoints", {"VpcEndpointIds": [w.endpoint]}
    yield "DescribeVpcEndpointServices", {"ServiceNames": [w.service_name]}
    yield "DescribeVpcEndpointServiceConfigurations", {"ServiceIds": [w.service]}
    yield "DescribeVpcEndpointServicePermissions", {"ServiceId": w.service}
    yield "DescribeVpcEndpointConnections", {}


def secondary(w):
    found = w.ec2.describe_nat_gateways(NatGatewayIds=[w.nat])["NatGateways"][0]["NatGatewayAddresses"]
    return next((one["AssociationId"] for one in found if not one["IsPrimary"] and "AssociationId" in one), "eipassoc-" + "0" * 17)


def unused_table(w):
    """A table that nothing is associated with."""
    tables = w.ec2.describe_route_tables(Filters=[{"Name": "tag:a", "Values": ["b"]}])["RouteTables"]
    return tables[0]["RouteTableId"] if tables else "rtb-" + "0" * 17


def new_block(w):
    (subnet,) = w.ec2.describe_subnets(SubnetIds=[w.subnet])["Subnets"]
    found = subnet.get("Ipv6CidrBlockAssociationSet")
    return found[0]["AssociationId"] if found else w.subnet_cidr


def elbv2(w):
    yield "DescribeLoadBalancers", {"LoadBalancerArns": [w.balancer]}
    yield "DescribeLoadBalancerAttributes", {"LoadBalancerArn": w.balancer}
    yield "DescribeCapacityReservation", {"LoadBalancerArn": w.balancer}
    yield "DescribeListeners", {"LoadBalancerArn": w.balancer}
    yield "DescribeListenerAttributes", {"ListenerArn": w.listener}
    yield "DescribeTargetGroups", {"TargetGroupArns": [w.targets]}
    yield "DescribeTargetGroupAttributes", {"TargetGroupArn": w.targets}
    yield "DescribeTargetHealth", {"TargetGroupArn": w.targets}
    yield "DescribeTags", {"ResourceArns": [w.balancer]}
    yield "CreateLoadBalancer", {"Name": "new", "Type": "network", "Scheme": "internal", "Subnets": [w.subnet],
                                 "SecurityGroups": [w.group], "Tags": [{"Key": "a", "Value": "b"}]}
    yield "ModifyLoadBalancerAttributes", {"LoadBalancerArn": w.balancer, "Attributes": [
        {"Key": "load_balancing.cross_zone.enabled", "Value": "true"}]}
    yield "SetSecurityGroups", {"LoadBalancerArn": w.balancer, "SecurityGroups": [w.group]}
    yield "DeleteLoadBalancer", {"LoadBalancerArn": w.balancer_spare}
    yield "CreateListener", {"LoadBalancerArn": w.balancer, "Protocol": "TCP", "Port": 82, "DefaultActions": w.forward}
    yield "ModifyListener", {"ListenerArn": w.listener, "Port": 83}
    yield "ModifyListenerAttributes", {"ListenerArn": w.listener, "Attributes": [{"Key": "tcp.idle_timeout.seconds", "Value": "400"}]}
    yield "DeleteListener", {"ListenerArn": w.listener_spare}
    yield "CreateTargetGroup", {"Name": "new", "Protocol": "TCP", "Port": 80, "VpcId": w.vpc, "TargetType": "ip"}
    yield "ModifyTargetGroup", {"TargetGroupArn": w.targets, "HealthyThresholdCount": 4}
    yield "ModifyTargetGroupAttributes", {"TargetGroupArn": w.targets, "Attributes": [
        {"Key": "deregistration_delay.timeout_seconds", "Value": "10"}]}
    yield "RegisterTargets", {"TargetGroupArn": w.targets, "Targets": [{"Id": "10.0.2.11", "Port": 81}]}
    yield "DeregisterTargets", {"TargetGroupArn": w.targets, "Targets": [{"Id": "10.0.2.10"}]}
    yield "DeleteTargetGroup", {"TargetGroupArn": w.targets_spare}
    yield "AddTags", {"ResourceArns": [w.balancer], "Tags": [{"Key": "k", "Value": "v"}]}
    yield "RemoveTags", {"ResourceArns": [w.balancer], "TagKeys": ["k"]}


def iam(w):
    tag, keys = {"Tags": [{"Key": "k", "Value": "v"}]}, {"TagKeys": ["k"]}
    role, policy, profile = {"RoleName": "one"}, {"PolicyArn": w.policy}, {"InstanceProfileName": "one"}
    yield "GetRole", role
    yield "ListRoles", {}
    yield "ListRoleTags", role
    yield "GetRolePolicy", role | {"PolicyName": "one"}
    yield "ListRolePolicies", role
    yield "ListAttachedRolePolicies", role
    yield "GetPolicy", policy
    yield "ListPolicies", {"Scope": "Local"}
    yield "GetPolicyVersion", policy | {"VersionId": "v1"}
    yield "ListPolicyVersions", policy
    yield "ListEntitiesForPolicy", {"PolicyArn": w.policy_attached}
    yield "ListPolicyTags", policy
    yield "GetInstanceProfile", {"InstanceProfileName": "inside"}
    yield "ListInstanceProfiles", {}
    yield "ListInstanceProfilesForRole", {"RoleName": "inside"}
    yield "ListInstanceProfileTags", profile
    yield "CreateRole", {"RoleName": "new", "AssumeRolePolicyDocument": TRUST, "Description": "d", "MaxSessionDuration": 3600} | tag
    yield "UpdateRole", role | {"Description": "e"}
    yield "UpdateRoleDescription", role | {"Description": "f"}
    yield "UpdateAssumeRolePolicy", role | {"PolicyDocument": TRUST}
    yield "TagRole", role | tag
    yield "UntagRole", role | keys
    yield "DeleteRole", {"RoleName": "spare"}
    yield "PutRolePolicy", role | {"PolicyName": "new", "PolicyDocument": ALLOW}
    yield "DeleteRolePolicy", role | {"PolicyName": "more"}
    yield "DetachRolePolicy", role | {"PolicyArn": w.policy_attached}
    yield "AttachRolePolicy", role | {"PolicyArn": w.policy}
    yield "CreatePolicy", {"PolicyName": "new", "PolicyDocument": ALLOW, "Description": "d"} | tag
    yield "CreatePolicyVersion", policy | {"PolicyDocument": ALLOW, "SetAsDefault": True}
    yield "SetDefaultPolicyVersion", policy | {"VersionId": "v1"}
    yield "DeletePolicyVersion", policy | {"VersionId": "v2"}
    yield "TagPolicy", policy | tag
    yield "UntagPolicy", policy | keys
    yield "DeletePolicy", {"PolicyArn": w.policy_spare}
    yield "CreateInstanceProfile", {"InstanceProfileName": "new"} | tag
    yield "AddRoleToInstanceProfile", profile | role
    yield "RemoveRoleFromInstanceProfile", {"InstanceProfileName": "inside", "RoleName": "inside"}
    yield "TagInstanceProfile", profile | tag
    yield "UntagInstanceProfile", profile | keys
    yield "DeleteInstanceProfile", {"InstanceProfileName": "spare"}
    user, group, key = {"UserName": "one"}, {"GroupName": "one"}, {"UserName": "one", "AccessKeyId": w.access_key}
    yield "GetUser", user
    yield "ListUsers", {}
    yield "ListAccountAliases", {}
    yield "ListUserTags", user
    yield "GetUserPolicy", user | {"PolicyName": "one"}
    yield "ListUserPolicies", user
    yield "ListAttachedUserPolicies", user
    yield "ListAccessKeys", user
    yield "GetGroup", group
    yield "ListGroups", {}
    yield "ListGroupsForUser", user
    yield "GetGroupPolicy", group | {"PolicyName": "one"}
    yield "ListGroupPolicies", group
    yield "ListAttachedGroupPolicies", group
    yield "CreateUser", {"UserName": "new", "Path": "/a/"} | tag
    yield "UpdateUser", user | {"NewPath": "/b/"}
    yield "TagUser", user | tag
    yield "UntagUser", user | keys
    yield "DeleteUser", {"UserName": "spare"}
    yield "PutUserPolicy", user | {"PolicyName": "new", "PolicyDocument": ALLOW}
    yield "DeleteUserPolicy", user | {"PolicyName": "more"}
    yield "DetachUserPolicy", user | {"PolicyArn": w.policy_attached}
    yield "AttachUserPolicy", user | {"PolicyArn": w.policy}
    yield "UpdateAccessKey", key | {"Status": "Inactive"}
    yield "DeleteAccessKey", key
    yield "CreateAccessKey", user
    yield "CreateGroup", {"GroupName": "new", "Path": "/a/"}
    yield "RemoveUserFromGroup", user | group
    yield "AddUserToGroup", user | group
    yield "DeleteGroup", {"GroupName": "spare"}
    yield "PutGroupPolicy", group | {"PolicyName": "new", "PolicyDocument": ALLOW}
    yield "DeleteGroupPolicy", group | {"PolicyName": "more"}
    yield "DetachGroupPolicy", group | {"PolicyArn": w.policy_attached}
    yield "AttachGroupPolicy", group | {"PolicyArn": w.policy}


def sts(w):
    yield "GetCallerIdentity", {}
    yield "AssumeRole", {"RoleArn": w.role, "RoleSessionName": "me", "DurationSeconds": 900}


def logs(w):
    group, stream, now = {"logGroupName": "one"}, {"logGroupName": "one", "logStreamName": "one"}, w.now
    yield "DescribeLogGroups", {"logGroupNamePrefix": "o"}
    yield "DescribeLogStreams", group
    yield "CreateLogGroup", {"logGroupName": "new", "tags": {"a": "b"}}
    yield "PutRetentionPolicy", group | {"retentionInDays": 7}
    yield "DeleteRetentionPolicy", group
    yield "CreateLogStream", group | {"logStreamName": "new"}
    yield "PutLogEvents", stream | {"logEvents": [{"timestamp": now, "message": "hello"}]}
    yield "GetLogEvents", stream
    yield "FilterLogEvents", group | {"filterPattern": "hello"}
    yield "TestMetricFilter", {"filterPattern": "hello", "logEventMessages": ["hello"]}
    yield "TagResource", {"resourceArn": w.log_group, "tags": {"k": "v"}}
    yield "ListTagsForResource", {"resourceArn": w.log_group}
    yield "UntagResource", {"resourceArn": w.log_group, "tagKeys": ["k"]}
    yield "TagLogGroup", group | {"tags": {"k": "v"}}
    yield "ListTagsLogGroup", group
    yield "UntagLogGroup", group | {"tags": ["k"]}
    yield "DeleteLogStream", group | {"logStreamName": "spare"}
    yield "DeleteLogGroup", {"logGroupName": "spare"}


def firehose(w):
    name = {"DeliveryStreamName": "one"}
    yield "DescribeDeliveryStream", name
    yield "ListDeliveryStreams", {}
    yield "ListTagsForDeliveryStream", name
    yield "CreateDeliveryStream", {"DeliveryStreamName": "new", "ExtendedS3DestinationConfiguration": w.destination}
    yield "UpdateDestination", name | {
        "CurrentDeliveryStreamVersionId": w.stream_version, "DestinationId": w.stream_destination,
        "ExtendedS3DestinationUpdate": {"Prefix": "p/"}}
    yield "PutRecord", name | {"Record": {"Data": b"hello"}}
    yield "PutRecordBatch", name | {"Records": [{"Data": b"hello"}]}
    yield "TagDeliveryStream", name | {"Tags": [{"Key": "k", "Value": "v"}]}
    yield "UntagDeliveryStream", name | {"TagKeys": ["k"]}
    yield "StartDeliveryStreamEncryption", name
    yield "StopDeliveryStreamEncryption", lambda w: settled(w) or name
    yield "DeleteDeliveryStream", {"DeliveryStreamName": "spare"}


def settled(w):
    """Waits until a change of the encryption is over."""
    ask = lambda: w.lab.client("firehose").describe_delivery_stream(DeliveryStreamName="one")["DeliveryStreamDescription"]
    status = lambda: ask().get("DeliveryStreamEncryptionConfiguration", {}).get("Status", "DISABLED")
    eventually("the encryption is settled", lambda: status() in ("ENABLED", "DISABLED"))


def cloudtrail(w):
    name = {"Name": "one"}
    yield "LookupEvents", {"MaxResults": 5, "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "CreateVpc"}]}
    yield "GetTrail", name
    yield "DescribeTrails", {"trailNameList": ["one"]}
    yield "ListTrails", {}
    yield "GetTrailStatus", name
    yield "GetEventSelectors", {"TrailName": "one"}
    yield "ListTags", {"ResourceIdList": [w.trail]}
    yield "ListPublicKeys", {}
    yield "CreateTrail", {"Name": "new", "S3BucketName": w.bucket}
    yield "UpdateTrail", name | {"IncludeGlobalServiceEvents": True}
    yield "StartLogging", name
    yield "StopLogging", name
    yield "PutEventSelectors", {"TrailName": "one", "EventSelectors": [{"ReadWriteType": "WriteOnly"}]}
    yield "AddTags", {"ResourceId": w.trail, "TagsList": [{"Key": "k", "Value": "v"}]}
    yield "RemoveTags", {"ResourceId": w.trail, "TagsList": [{"Key": "k"}]}
    yield "DeleteTrail", {"Name": "spare"}


def s3(w):
    b = {"Bucket": w.bucket}
    o = b | {"Key": "one"}
    yield "CreateBucket", bucket(w.lab, w.bucket + "-new")
    yield "DeleteBucket", {"Bucket": w.bucket + "-new"}
    yield "ListBuckets", {}
    for action in ("HeadBucket", "GetBucketLocation", "GetBucketPolicy", "GetBucketPolicyStatus", "GetBucketVersioning",
                   "GetBucketEncryption", "GetBucketLogging", "GetBucketAccelerateConfiguration", "GetBucketRequestPayment",
                   "GetBucketNotificationConfiguration", "GetBucketAcl"):
        yield action, b
    yield "PutObject", o | {"Body": b"hello"}
    yield "CopyObject", b | {"Key": "two", "CopySource": w.bucket + "/one"}
    for action in ("GetObject", "HeadObject", "GetObjectTagging", "GetObjectAcl"):
        yield action, o
    yield "GetObjectAttributes", o | {"ObjectAttributes": ["ETag", "ObjectSize"]}
    yield "PutObjectTagging", o | {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}
    yield "DeleteObjectTagging", o
    for action in ("ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads"):
        yield action, b
    yield "CreateMultipartUpload", b | {"Key": "parts"}
    yield "UploadPart", lambda w: upload(w) | {"PartNumber": 1, "Body": b"part"}
    yield "UploadPartCopy", lambda w: upload(w) | {"PartNumber": 2, "CopySource": w.bucket + "/one"}
    yield "ListParts", lambda w: upload(w)
    yield "CompleteMultipartUpload", lambda w: upload(w) | {"MultipartUpload": {"Parts": parts(w)}}
    yield "AbortMultipartUpload", lambda w: upload(w)
    yield "DeleteObject", b | {"Key": "two"}
    yield "DeleteObjects", b | {"Delete": {"Objects": [{"Key": "parts"}]}}
    yield "PutBucketPolicy", lambda w: b | {"Policy": w.lab.client("s3").get_bucket_policy(**b)["Policy"]}
    yield "PutPublicAccessBlock", b | {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}
    yield "PutBucketOwnershipControls", b | {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
    yield "GetPublicAccessBlock", b
    yield "GetBucketOwnershipControls", b
    yield "PutBucketVersioning", b | {"VersioningConfiguration": {"Status": "Suspended"}}
    yield "PutBucketEncryption", b | {"ServerSideEncryptionConfiguration": {"Rules": [
        {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}}
    yield "PutBucketLogging", b | {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": w.bucket, "TargetPrefix": "l/"}}}
    yield "PutBucketAccelerateConfiguration", b | {"AccelerateConfiguration": {"Status": "Suspended"}}
    yield "PutBucketRequestPayment", b | {"RequestPaymentConfiguration": {"Payer": "BucketOwner"}}
    yield "PutBucketNotificationConfiguration", b | {"NotificationConfiguration": {"EventBridgeConfiguration": {}}}
    yield "PutBucketCors", b | {"CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}}
    yield "GetBucketCors", b
    yield "DeleteBucketCors", b
    yield "PutBucketWebsite", b | {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}}
    yield "GetBucketWebsite", b
    yield "DeleteBucketWebsite", b
    yield "PutBucketTagging", b | {"Tagging": {"TagSet": [{"Key": "k", "Value": "v"}]}}
    yield "GetBucketTagging", b
    yield "DeleteBucketTagging", b
    yield "PutBucketLifecycleConfiguration", b | {"LifecycleConfiguration": {"Rules": [
        {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "p"}, "Expiration": {"Days": 3}}]}}
    yield "GetBucketLifecycleConfiguration", b
    yield "DeleteBucketLifecycle", b
    locked = {"Bucket": w.bucket + "-locked"}
    yield "CreateBucket", bucket(w.lab, w.bucket + "-locked") | {"ObjectLockEnabledForBucket": True}
    yield "PutObjectLockConfiguration", locked | {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    yield "GetObjectLockConfiguration", locked
    rule = {"ID": "r", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": "p"}, "DeleteMarkerReplication": {"Status": "Disabled"},
            "Destination": {"Bucket": f"arn:aws:s3:::{w.bucket}"}}
    yield "PutBucketReplication", locked | {"ReplicationConfiguration": {"Role": w.role, "Rules": [rule]}}
    yield "GetBucketReplication", locked
    yield "DeleteBucketReplication", locked
    for kind, made in (
        ("IntelligentTiering", {"IntelligentTieringConfiguration": {"Id": "c", "Status": "Enabled", "Tierings": [
            {"Days": 90, "AccessTier": "ARCHIVE_ACCESS"}]}}),
        ("Analytics", {"AnalyticsConfiguration": {"Id": "c", "StorageClassAnalysis": {}}}),
        ("Inventory", {"InventoryConfiguration": {
            "Id": "c", "IsEnabled": True, "IncludedObjectVersions": "All", "Schedule": {"Frequency": "Daily"},
            "Destination": {"S3BucketDestination": {"Bucket": f"arn:aws:s3:::{w.bucket}", "Format": "CSV"}}}}),
        ("Metrics", {"MetricsConfiguration": {"Id": "c"}}),
    ):
        one = b | {"Id": "c"}
        yield f"PutBucket{kind}Configuration", one | made
        yield f"GetBucket{kind}Configuration", one
        yield f"ListBucket{kind}Configurations", b
        yield f"DeleteBucket{kind}Configuration", one
    yield "PutBucketAcl", b | {"ACL": "private"}
    for action in ("DeleteBucketOwnershipControls", "DeletePublicAccessBlock", "DeleteBucketEncryption", "DeleteBucketPolicy"):
        yield action, b


def upload(w):
    """The upload of parts that is under way, or a new one."""
    client, b = w.lab.client("s3"), {"Bucket": w.bucket}
    found = client.list_multipart_uploads(**b).get("Uploads")
    made = found[0]["UploadId"] if found else client.create_multipart_upload(**b, Key="parts")["UploadId"]
    return b | {"Key": "parts", "UploadId": made}


def parts(w):
    found = w.lab.client("s3").list_parts(**upload(w)).get("Parts", [])
    return [{"PartNumber": one["PartNumber"], "ETag": one["ETag"]} for one in found if one["PartNumber"] == 1]


SERVICES = {"ec2": ec2, "elbv2": elbv2, "iam": iam, "sts": sts, "logs": logs, "firehose": firehose, "cloudtrail": cloudtrail, "s3": s3}
