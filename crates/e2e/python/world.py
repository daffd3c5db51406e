"""An account's Region with one of everything in it, and spare ones that a call may delete."""

import json
import time

from weirtest import block_in, eventually

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
PERMISSION = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}


class World:
    """What calls name. Everything is an attribute; what ends in `spare` may be deleted."""

    def __init__(self, lab):
        self.lab, self.ec2, self.now = lab, lab.ec2, int(time.time() * 1000)
        self.zone = f"{lab.region}a"
        self.bucket = f"world-{lab.account}-{lab.region}"
        self.role = f"arn:aws:iam::{lab.account}:role/world"
        self.vpcs()
        self.routing()
        self.groups()
        self.interfaces()
        self.instances()
        self.peering()
        self.balancers()
        self.endpoints()
        self.services()
        self.flow_logs()
        self.settled()

    def vpcs(self):
        ec2, lab = self.ec2, self.lab
        self.default = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.vpc = lab.vpc(ipv6=True)
        self.vpc2, self.vpc_spare = lab.vpc("10.5.0.0/16"), lab.vpc("10.6.0.0/16")
        ec2.modify_vpc_attribute(VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        added = ec2.associate_vpc_cidr_block(VpcId=self.vpc, CidrBlock="10.9.0.0/16")
        self.vpc_cidr = added["CidrBlockAssociation"]["AssociationId"]
        shown = ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]
        block = shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        self.blocks6 = [block_in(block, number) for number in (1, 2)]
        self.subnet = lab.subnet(self.vpc, "10.0.1.0/24", AvailabilityZone=self.zone)
        self.subnet6 = lab.subnet(self.vpc, "10.0.2.0/24", Ipv6CidrBlock=self.blocks6[0], AvailabilityZone=self.zone)
        self.subnet_spare = lab.subnet(self.vpc, "10.0.9.0/24", AvailabilityZone=self.zone)
        self.subnet2 = lab.subnet(self.vpc2, "10.5.1.0/24", AvailabilityZone=self.zone)
        shown = ec2.describe_subnets(SubnetIds=[self.subnet6])["Subnets"][0]
        self.subnet_cidr = shown["Ipv6CidrBlockAssociationSet"][0]["AssociationId"]
        made = ec2.create_subnet_cidr_reservation(SubnetId=self.subnet, Cidr="10.0.1.128/28", ReservationType="explicit")
        self.reservation = made["SubnetCidrReservation"]["SubnetCidrReservationId"]

    def routing(self):
        ec2 = self.ec2
        self.gateway, self.gateway2, self.gateway_spare = (
            ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"] for _ in range(3)
        )
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        ec2.attach_internet_gateway(InternetGatewayId=self.gateway2, VpcId=self.vpc2)
        self.table, self.table_spare = (
            ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"] for _ in range(2)
        )
        self.table_association, self.table_association_spare = (
            ec2.associate_route_table(RouteTableId=self.table, SubnetId=subnet)["AssociationId"]
            for subnet in (self.subnet, self.subnet6)
        )
        for block in ("0.0.0.0/0", "198.18.0.0/16"):
            ec2.create_route(RouteTableId=self.table, DestinationCidrBlock=block, GatewayId=self.gateway)
        made = ec2.create_egress_only_internet_gateway(VpcId=self.vpc)
        self.egress = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        addresses = [ec2.allocate_address() for _ in range(4)]
        self.address, nat, self.address_free, self.address_spare = (one["AllocationId"] for one in addresses)
        self.nat = ec2.create_nat_gateway(SubnetId=self.subnet, AllocationId=nat)["NatGateway"]["NatGatewayId"]
        self.nat_private, self.nat_spare = (
            ec2.create_nat_gateway(
                SubnetId=self.subnet, ConnectivityType="private", PrivateIpAddress=f"10.0.1.{number}",
            )["NatGateway"]["NatGatewayId"]
            for number in (60, 61)
        )
        for nat in (self.nat, self.nat_private, self.nat_spare):
            self.lab.wait("nat_gateway_available", NatGatewayIds=[nat])
        ec2.assign_private_nat_gateway_address(NatGatewayId=self.nat_private, PrivateIpAddresses=["10.0.1.62"])
        self.dhcp, self.dhcp_spare = (
            ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "domain-name", "Values": ["example.com"]}])
            ["DhcpOptions"]["DhcpOptionsId"] for _ in range(2)
        )

    def groups(self):
        ec2, lab = self.ec2, self.lab
        self.group, self.group_spare = lab.group(self.vpc), lab.group(self.vpc)
        made = ec2.authorize_security_group_ingress(GroupId=self.group, IpPermissions=[PERMISSION])
        self.rule = made["SecurityGroupRules"][0]["SecurityGroupRuleId"]
        self.acl, self.acl_spare = (
            ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"] for _ in range(2)
        )
        for number in (100, 110):
            ec2.create_network_acl_entry(
                NetworkAclId=self.acl, RuleNumber=number, Protocol="6", RuleAction="allow", Egress=False,
                CidrBlock="10.0.0.0/8", PortRange={"From": 80, "To": 90},
            )
        acls = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [self.subnet_spare]}])
        self.acl_association = next(
            one["NetworkAclAssociationId"] for one in acls["NetworkAcls"][0]["Associations"]
            if one["SubnetId"] == self.subnet_spare
        )
        self.list, self.list_old, self.list_spare = (
            ec2.create_managed_prefix_list(
                PrefixListName=name, MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "10.7.0.0/16"}],
            )["PrefixList"]["PrefixListId"]
            for name in ("one", "old", "spare")
        )
        self.lists_settled()
        ec2.modify_managed_prefix_list(
            PrefixListId=self.list_old, CurrentVersion=1, AddEntries=[{"Cidr": "10.8.0.0/16"}])

    def interfaces(self):
        ec2 = self.ec2
        self.interface, self.interface_free, self.interface_spare, self.interface_attached = (
            ec2.create_network_interface(
                SubnetId=self.subnet6, Groups=[self.group], PrivateIpAddress=f"10.0.2.{number}",
            )["NetworkInterface"]["NetworkInterfaceId"]
            for number in (10, 11, 12, 13)
        )
        ec2.assign_private_ip_addresses(NetworkInterfaceId=self.interface, PrivateIpAddresses=["10.0.2.100"])
        self.address6 = self.blocks6[0].replace("/64", "10")
        ec2.assign_ipv6_addresses(NetworkInterfaceId=self.interface, Ipv6Addresses=[self.address6])
        made = ec2.associate_address(AllocationId=self.address, NetworkInterfaceId=self.interface)
        self.address_association = made["AssociationId"]

    def instances(self):
        self.image = self.lab.image()
        self.instance, self.instance_spare = (
            self.lab.run(self.subnet6, self.group, f"10.0.2.{number}", wait=False) for number in (20, 21)
        )
        self.lab.running(self.instance, self.instance_spare)
        self.attachment = self.ec2.attach_network_interface(
            NetworkInterfaceId=self.interface_attached, InstanceId=self.instance, DeviceIndex=1)["AttachmentId"]

    def peering(self):
        pairs = ((self.vpc, self.vpc2), (self.vpc, self.default), (self.vpc2, self.default), (self.vpc, self.vpc_spare))
        self.peer, self.peer_asked, self.peer_refused, self.peer_spare = (
            self.ec2.create_vpc_peering_connection(VpcId=one, PeerVpcId=other)
            ["VpcPeeringConnection"]["VpcPeeringConnectionId"] for one, other in pairs
        )
        eventually("the peering connections wait", lambda: {
            one["Status"]["Code"] for one in self.ec2.describe_vpc_peering_connections()["VpcPeeringConnections"]
        } == {"pending-acceptance"})
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=self.peer)

    def balancers(self):
        elb = self.lab.client("elbv2")
        self.balancer, self.balancer_spare, self.balancer_other = (
            elb.create_load_balancer(
                Name=name, Type="network", Scheme="internal", Subnets=[self.subnet], SecurityGroups=[self.group],
            )["LoadBalancers"][0]["LoadBalancerArn"]
            for name in ("one", "spare", "other")
        )
        self.targets, self.targets_spare = (
            elb.create_target_group(Name=name, Protocol="TCP", Port=80, VpcId=self.vpc, TargetType="ip")
            ["TargetGroups"][0]["TargetGroupArn"] for name in ("one", "spare")
        )
        self.forward = [{"Type": "forward", "TargetGroupArn": self.targets}]
        self.listener, self.listener_spare = (
            elb.create_listener(LoadBalancerArn=self.balancer, Protocol="TCP", Port=port, DefaultActions=self.forward)
            ["Listeners"][0]["ListenerArn"] for port in (80, 81)
        )
        elb.register_targets(TargetGroupArn=self.targets, Targets=[{"Id": "10.0.2.10"}])
        eventually("the load balancers are active", lambda: {
            one["State"]["Code"] for one in elb.describe_load_balancers()["LoadBalancers"]
        } == {"active"})

    def endpoints(self):
        ec2, region = self.ec2, self.lab.region
        self.service, self.service_spare = (
            ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[arn], AcceptanceRequired=True)
            ["ServiceConfiguration"] for arn in (self.balancer, self.balancer_other)
        )
        self.service_name = self.service["ServiceName"]
        self.service, self.service_spare = self.service["ServiceId"], self.service_spare["ServiceId"]
        self.endpoint = ec2.create_vpc_endpoint(
            VpcId=self.vpc, ServiceName=f"com.amazonaws.{region}.s3", RouteTableIds=[self.table],
        )["VpcEndpoint"]["VpcEndpointId"]
        self.endpoint_spare = self.interface_endpoint(f"com.amazonaws.{region}.sts", self.subnet)
        self.endpoint_asked, self.endpoint_refused = (
            self.interface_endpoint(self.service_name, subnet) for subnet in (self.subnet, self.subnet6)
        )

    def interface_endpoint(self, service, subnet):
        return self.ec2.create_vpc_endpoint(
            VpcEndpointType="Interface", VpcId=self.vpc, ServiceName=service, SubnetIds=[subnet],
            SecurityGroupIds=[self.group], PrivateDnsEnabled=False,
        )["VpcEndpoint"]["VpcEndpointId"]

    def services(self):
        lab = self.lab
        lab.client("s3").create_bucket(**bucket(lab, self.bucket))
        logs = lab.client("logs")
        for name in ("one", "spare"):
            logs.create_log_group(logGroupName=name)
            logs.create_log_stream(logGroupName="one", logStreamName=name)
        self.log_group = f"arn:aws:logs:{lab.region}:{lab.account}:log-group:one"
        firehose = lab.client("firehose")
        to = {"RoleARN": self.role, "BucketARN": f"arn:aws:s3:::{self.bucket}"}
        for name in ("one", "spare"):
            firehose.create_delivery_stream(DeliveryStreamName=name, ExtendedS3DestinationConfiguration=to)
        self.destination = to
        active = lambda name: firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
        for name in ("one", "spare"):
            eventually("streams", lambda name=name: active(name)["DeliveryStreamStatus"] == "ACTIVE")
        self.stream_version = active("one")["VersionId"]
        self.stream_destination = active("one")["Destinations"][0]["DestinationId"]
        if lab.region == "us-east-1":
            self.iam()
        self.trails()

    def iam(self):
        iam, account = self.lab.client("iam"), self.lab.account
        for name in ("one", "spare", "inside"):
            iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
            iam.create_instance_profile(InstanceProfileName=name)
            iam.create_policy(PolicyName=name, PolicyDocument=ALLOW)
        self.policy, self.policy_spare, self.policy_attached = (
            f"arn:aws:iam::{account}:policy/{name}" for name in ("one", "spare", "inside")
        )
        for name in ("one", "more"):
            iam.put_role_policy(RoleName="one", PolicyName=name, PolicyDocument=ALLOW)
        iam.create_policy_version(PolicyArn=self.policy, PolicyDocument=ALLOW)
        iam.attach_role_policy(RoleName="one", PolicyArn=self.policy_attached)
        iam.add_role_to_instance_profile(InstanceProfileName="inside", RoleName="inside")
        for name in ("one", "spare"):
            iam.create_user(UserName=name)
            iam.create_group(GroupName=name)
        for name in ("one", "more"):
            iam.put_user_policy(UserName="one", PolicyName=name, PolicyDocument=ALLOW)
            iam.put_group_policy(GroupName="one", PolicyName=name, PolicyDocument=ALLOW)
        iam.attach_user_policy(UserName="one", PolicyArn=self.policy_attached)
        iam.attach_group_policy(GroupName="one", PolicyArn=self.policy_attached)
        iam.add_user_to_group(GroupName="one", UserName="one")
        self.access_key = iam.create_access_key(UserName="one")["AccessKey"]["AccessKeyId"]

    def trails(self):
        lab, service = self.lab, {"Service": "cloudtrail.amazonaws.com"}
        lab.client("s3").put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": service, "Action": "s3:GetBucketAcl",
             "Resource": f"arn:aws:s3:::{self.bucket}"},
            {"Effect": "Allow", "Principal": service, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{self.bucket}/*"},
        ]}))
        trail = lab.client("cloudtrail")
        self.trail, self.trail_spare = (
            trail.create_trail(Name=name, S3BucketName=self.bucket)["TrailARN"] for name in ("one", "spare")
        )

    def flow_logs(self):
        self.flow_log, self.flow_log_spare = (
            self.ec2.create_flow_logs(
                ResourceIds=[one], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
                LogDestination=f"arn:aws:s3:::{self.bucket}",
            )["FlowLogIds"][0]
            for one in (self.vpc, self.vpc2)
        )

    def settled(self):
        """Nothing is under way any more."""
        self.lists_settled()
        connections = lambda: self.ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"]
        eventually("connections", lambda: [one["VpcEndpointState"] for one in connections()] == ["pendingAcceptance"] * 2)
        endpoints = lambda: self.ec2.describe_vpc_endpoints()["VpcEndpoints"]
        eventually("endpoints", lambda: {one["State"] for one in endpoints()} <= {"available", "pendingAcceptance"})

    def lists_settled(self):
        lists = lambda: self.ec2.describe_managed_prefix_lists()["PrefixLists"]
        eventually("prefix lists", lambda: all(one["State"].endswith("complete") for one in lists() if "Version" in one))


def bucket(lab, name):
    """The parameters that create a bucket in the lab's Region."""
    where = {} if lab.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": lab.region}}
    return {"Bucket": name} | where


def without_default_vpc(lab):
    """An account in which the default VPC can be made anew."""
    ec2 = lab.ec2
    (vpc,) = (one["VpcId"] for one in ec2.describe_vpcs()["Vpcs"])
    for subnet in ec2.describe_subnets()["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for gateway in ec2.describe_internet_gateways()["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_vpc(VpcId=vpc)
    return lab
