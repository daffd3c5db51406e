"""The network of `../terraform` with boto3: `three_tier.py create` makes it and says what it made, as JSON, and
`three_tier.py destroy` takes it away again.

Where to is said by AWS_ENDPOINT_URL (`eval "$(weir env)"`). Keys of twelve digits name their account.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

APP, SHARED = "111111111111", "222222222222"
REGION = "us-east-1"
BUCKET, LOG_GROUP, ROLE = "three-tier-flow-logs", "/vpc/three-tier", "three-tier-flow-logs"
ZONES = [f"{REGION}a", f"{REGION}b"]
TIERS = {"public": 0, "private": 10, "database": 20}
PORTS = {"web": 80, "app": 8080, "database": 5432}
PLACES = {"web": "public", "app": "private", "database": "database"}
QUICKLY = {"Delay": 1, "MaxAttempts": 60}


def client(service, account=APP):
    return boto3.client(
        service, region_name=REGION, aws_access_key_id=account, aws_secret_access_key="any",
        config=Config(s3={"addressing_style": "path"}),
    )


def tags(kind, name):
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}, {"Key": "Project", "Value": "three-tier"}]}]


def document(**statement):
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]})


def make_vpc(ec2, cidr, name):
    vpc = ec2.create_vpc(CidrBlock=cidr, TagSpecifications=tags("vpc", name))["Vpc"]["VpcId"]
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc])
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return vpc


def make_subnets(ec2, vpc):
    """Subnets by tier, one in each zone, and each tier's route table."""
    subnets, tables = {}, {}
    for tier, offset in TIERS.items():
        tables[tier] = ec2.create_route_table(VpcId=vpc, TagSpecifications=tags("route-table", tier))["RouteTable"]["RouteTableId"]
        subnets[tier] = []
        for number, zone in enumerate(ZONES):
            made = ec2.create_subnet(
                VpcId=vpc, CidrBlock=f"10.0.{offset + number}.0/24", AvailabilityZone=zone,
                TagSpecifications=tags("subnet", f"{tier}-{number}"),
            )
            subnet = made["Subnet"]["SubnetId"]
            ec2.associate_route_table(RouteTableId=tables[tier], SubnetId=subnet)
            if tier == "public":
                ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
            subnets[tier].append(subnet)
    return subnets, tables


def make_ways_out(ec2, vpc, subnets, tables):
    """The internet gateway for the public subnets, and the NAT gateway, whose address is answered, for the private ones."""
    gateway = ec2.create_internet_gateway(TagSpecifications=tags("internet-gateway", "app"))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    ec2.create_route(RouteTableId=tables["public"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tags("elastic-ip", "nat"))
    nat = ec2.create_nat_gateway(
        SubnetId=subnets["public"][0], AllocationId=address["AllocationId"], TagSpecifications=tags("natgateway", "app"),
    )["NatGateway"]["NatGatewayId"]
    ec2.get_waiter("nat_gateway_available").wait(NatGatewayIds=[nat], WaiterConfig=QUICKLY)
    ec2.create_route(RouteTableId=tables["private"], DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    return address["PublicIp"]


def make_groups(ec2, vpc):
    """Who may talk to whom: everybody to web, web and the other account to app, app to the database."""
    groups = {}
    for name in ("web", "app", "database", "endpoints"):
        groups[name] = ec2.create_security_group(
            VpcId=vpc, GroupName=name, Description=name, TagSpecifications=tags("security-group", name),
        )["GroupId"]

    def allow(group, port, **peer):
        rule = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, **peer}
        ec2.authorize_security_group_ingress(GroupId=groups[group], IpPermissions=[rule])

    allow("web", 80, IpRanges=[{"CidrIp": "0.0.0.0/0", "Description": "HTTP from everywhere"}])
    allow("app", 8080, UserIdGroupPairs=[{"GroupId": groups["web"]}])
    allow("app", 8080, IpRanges=[{"CidrIp": "10.1.0.0/16", "Description": "the other account"}])
    allow("database", 5432, UserIdGroupPairs=[{"GroupId": groups["app"]}])
    allow("endpoints", 443, IpRanges=[{"CidrIp": "10.0.0.0/16"}])
    return groups


def make_network_acl(ec2, vpc, subnets):
    """The database's subnets take the private ones' connections to one port, and answer."""
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tags("network-acl", "database"))["NetworkAcl"]["NetworkAclId"]
    for number in range(len(ZONES)):
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=100 + 10 * number, Egress=False, RuleAction="allow", Protocol="6",
            CidrBlock=f"10.0.{10 + number}.0/24", PortRange={"From": 5432, "To": 5432},
        )
    ec2.create_network_acl_entry(
        NetworkAclId=acl, RuleNumber=100, Egress=True, RuleAction="allow", Protocol="6",
        CidrBlock="10.0.0.0/16", PortRange={"From": 1024, "To": 65535},
    )
    of_subnets = [{"Name": "association.subnet-id", "Values": subnets["database"]}]
    for old in ec2.describe_network_acls(Filters=of_subnets)["NetworkAcls"]:
        for association in old["Associations"]:
            if association["SubnetId"] in subnets["database"]:
                ec2.replace_network_acl_association(
                    AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl,
                )


def make_endpoints(ec2, vpc, subnets, tables, group):
    ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.s3", RouteTableIds=[tables["private"], tables["database"]],
        PolicyDocument=document(Principal="*", Action=["s3:GetObject", "s3:PutObject", "s3:ListBucket"], Resource="*"),
        TagSpecifications=tags("vpc-endpoint", "s3"),
    )
    for service in ("logs", "sts"):
        ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName=f"com.amazonaws.{REGION}.{service}", VpcEndpointType="Interface",
            SubnetIds=subnets["private"], SecurityGroupIds=[group], PrivateDnsEnabled=True,
            TagSpecifications=tags("vpc-endpoint", service),
        )


def make_flow_logs(ec2, vpc):
    """Everything to S3; what was refused to CloudWatch Logs."""
    client("s3").create_bucket(Bucket=BUCKET)
    client("logs").create_log_group(logGroupName=LOG_GROUP)
    client("logs").put_retention_policy(logGroupName=LOG_GROUP, retentionInDays=30)
    iam = client("iam")
    trust = document(Principal={"Service": "vpc-flow-logs.amazonaws.com"}, Action="sts:AssumeRole")
    role = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    deliver = document(Action=["logs:CreateLogStream", "logs:PutLogEvents"], Resource="*")
    iam.put_role_policy(RoleName=ROLE, PolicyName="deliver", PolicyDocument=deliver)
    common = {"ResourceType": "VPC", "ResourceIds": [vpc], "MaxAggregationInterval": 60}
    for destination in (
        {
            "TrafficType": "ALL", "LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{BUCKET}",
            "DestinationOptions": {"FileFormat": "parquet", "PerHourPartition": True},
        },
        {"TrafficType": "REJECT", "LogGroupName": LOG_GROUP, "DeliverLogsPermissionArn": role},
    ):
        made = ec2.create_flow_logs(**common, **destination)
        if made["Unsuccessful"]:
            raise SystemExit(made["Unsuccessful"][0]["Error"]["Message"])


def make_peering(ec2, other, vpc, tables):
    """A VPC of the other account, which reaches the private subnets and nothing else; its VPC and subnet are answered."""
    peer = make_vpc(other, "10.1.0.0/16", "shared")
    subnet = other.create_subnet(VpcId=peer, CidrBlock="10.1.0.0/24", TagSpecifications=tags("subnet", "shared"))["Subnet"]["SubnetId"]
    peering = ec2.create_vpc_peering_connection(
        VpcId=vpc, PeerVpcId=peer, PeerOwnerId=SHARED, TagSpecifications=tags("vpc-peering-connection", "app to shared"),
    )["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    other.get_waiter("vpc_peering_connection_exists").wait(VpcPeeringConnectionIds=[peering])
    other.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    way = {"VpcPeeringConnectionId": peering}
    ec2.create_route(RouteTableId=tables["private"], DestinationCidrBlock="10.1.0.0/16", **way)
    main = other.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [peer]}])["RouteTables"][0]["RouteTableId"]
    other.create_route(RouteTableId=main, DestinationCidrBlock="10.0.0.0/16", **way)
    return subnet


def run(ec2, name, subnet, port=None, **more):
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    if port:
        more["UserData"] = f'#!/bin/sh\ncd "$(mktemp -d)" && echo {name} > index.html && exec python3 -m http.server {port}\n'
    made = ec2.run_instances(
        ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, SubnetId=subnet,
        TagSpecifications=tags("instance", name), **more,
    )
    return made["Instances"][0]["InstanceId"]


def create():
    ec2, other = client("ec2"), client("ec2", SHARED)
    vpc = make_vpc(ec2, "10.0.0.0/16", "app")
    subnets, tables = make_subnets(ec2, vpc)
    nat = make_ways_out(ec2, vpc, subnets, tables)
    groups = make_groups(ec2, vpc)
    make_network_acl(ec2, vpc, subnets)
    make_endpoints(ec2, vpc, subnets, tables, groups["endpoints"])
    make_flow_logs(ec2, vpc)
    shared = make_peering(ec2, other, vpc, tables)
    ids = {
        name: run(ec2, name, subnets[place][0], PORTS[name], SecurityGroupIds=[groups[name]]) for name, place in PLACES.items()
    }
    ec2.get_waiter("instance_running").wait(InstanceIds=list(ids.values()), WaiterConfig=QUICKLY)
    ids["shared"] = run(other, "shared", shared)
    other.get_waiter("instance_running").wait(InstanceIds=[ids["shared"]], WaiterConfig=QUICKLY)
    at = {"nat": nat}
    for name, instance in ids.items():
        of = other if name == "shared" else ec2
        found = of.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
        at[name] = found["PrivateIpAddress"]
        if name == "web":
            at["web_public"] = found["PublicIpAddress"]
    print(json.dumps({"instances": ids, "addresses": at, "flow_logs": {"bucket": BUCKET, "log_group": LOG_GROUP}}, indent=2))


# The way back: what is made later goes first.


def clear(ec2):
    """Deletes all that carries this network's tag in an account."""
    ours = [{"Name": "tag:Project", "Values": ["three-tier"]}]
    reservations = ec2.describe_instances(Filters=ours)["Reservations"]
    instances = [i["InstanceId"] for r in reservations for i in r["Instances"]]
    if instances:
        ec2.terminate_instances(InstanceIds=instances)
        ec2.get_waiter("instance_terminated").wait(InstanceIds=instances, WaiterConfig=QUICKLY)
    endpoints = [e["VpcEndpointId"] for e in ec2.describe_vpc_endpoints(Filters=ours)["VpcEndpoints"]]
    if endpoints:
        ec2.delete_vpc_endpoints(VpcEndpointIds=endpoints)
    nats = [n["NatGatewayId"] for n in ec2.describe_nat_gateways(Filters=ours)["NatGateways"]]
    for nat in nats:
        ec2.delete_nat_gateway(NatGatewayId=nat)
    if nats:
        ec2.get_waiter("nat_gateway_deleted").wait(NatGatewayIds=nats, WaiterConfig=QUICKLY)
    for address in ec2.describe_addresses(Filters=ours)["Addresses"]:
        ec2.release_address(AllocationId=address["AllocationId"])
    for peering in ec2.describe_vpc_peering_connections(Filters=ours)["VpcPeeringConnections"]:
        if peering["Status"]["Code"] == "active":
            ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering["VpcPeeringConnectionId"])
    for vpc in ec2.describe_vpcs(Filters=ours)["Vpcs"]:
        clear_vpc(ec2, vpc["VpcId"])


def clear_vpc(ec2, vpc):
    inside = [{"Name": "vpc-id", "Values": [vpc]}]
    logs = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [vpc]}])["FlowLogs"]
    if logs:
        ec2.delete_flow_logs(FlowLogIds=[log["FlowLogId"] for log in logs])
    # Interfaces of endpoints go a moment after them.
    while ec2.describe_vpc_endpoints(Filters=inside)["VpcEndpoints"]:
        pass
    for gateway in ec2.describe_internet_gateways(Filters=[{"Name": "attachment.vpc-id", "Values": [vpc]}])["InternetGateways"]:
        ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
        ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    for subnet in ec2.describe_subnets(Filters=inside)["Subnets"]:
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    for table in ec2.describe_route_tables(Filters=inside)["RouteTables"]:
        if not any(association["Main"] for association in table["Associations"]):
            ec2.delete_route_table(RouteTableId=table["RouteTableId"])
    for acl in ec2.describe_network_acls(Filters=inside)["NetworkAcls"]:
        if not acl["IsDefault"]:
            ec2.delete_network_acl(NetworkAclId=acl["NetworkAclId"])
    groups = [g for g in ec2.describe_security_groups(Filters=inside)["SecurityGroups"] if g["GroupName"] != "default"]
    # Groups name each other: first the rules, then the groups.
    for group in groups:
        if group["IpPermissions"]:
            ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])
    for group in groups:
        ec2.delete_security_group(GroupId=group["GroupId"])
    ec2.delete_vpc(VpcId=vpc)


def destroy():
    for account in (APP, SHARED):
        clear(client("ec2", account))
    iam, logs, bucket = client("iam"), client("logs"), boto3_bucket()
    for step in (
        lambda: iam.delete_role_policy(RoleName=ROLE, PolicyName="deliver"),
        lambda: iam.delete_role(RoleName=ROLE),
        lambda: logs.delete_log_group(logGroupName=LOG_GROUP),
        lambda: (bucket.objects.delete(), bucket.delete()),
    ):
        try:
            step()
        except ClientError as error:
            if error.response["Error"]["Code"] not in ("NoSuchEntity", "ResourceNotFoundException", "NoSuchBucket"):
                raise


def boto3_bucket():
    return boto3.resource(
        "s3", region_name=REGION, aws_access_key_id=APP, aws_secret_access_key="any",
        config=Config(s3={"addressing_style": "path"}),
    ).Bucket(BUCKET)


if __name__ == "__main__":
    {"create": create, "destroy": destroy}[sys.argv[1]]()
