"""Every action with boto3, unmodified: shapes, waiters, paginators, filters, dry runs, tags, errors in AWS's words."""

import base64
import re
import urllib.error
import urllib.parse
import urllib.request

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from weirtest import REGION, Lab, eventually, main, permission, refused, same

DRY_RUN = "Request would have succeeded, but DryRun flag is set."


def ids(items, name):
    return sorted(item[name] for item in items)


def where(name, *values):
    return [{"Name": name, "Values": list(values)}]


def tagged(kind, **tags):
    return [{"ResourceType": kind, "Tags": [{"Key": k, "Value": v} for k, v in tags.items()]}]


# The account, its Regions, its default VPC


def test_every_region_has_a_default_vpc(lab):
    for region in ("us-east-1", "eu-central-1", "ap-southeast-2"):
        ec2 = lab.client("ec2", region)
        (vpc,) = ec2.describe_vpcs()["Vpcs"]
        same((vpc["IsDefault"], vpc["CidrBlock"], vpc["State"], vpc["OwnerId"]),
             (True, "172.31.0.0/16", "available", lab.account))
        zones = ec2.describe_availability_zones()["AvailabilityZones"]
        assert all(z["RegionName"] == region and z["ZoneName"].startswith(region) for z in zones), zones
        subnets = ec2.describe_subnets(Filters=where("default-for-az", "true"))["Subnets"]
        same(len(subnets), len(zones))
        same({(s["MapPublicIpOnLaunch"], s["AvailableIpAddressCount"]) for s in subnets}, {(True, 4091)})
        (gateway,) = ec2.describe_internet_gateways()["InternetGateways"]
        same(gateway["Attachments"], [{"State": "available", "VpcId": vpc["VpcId"]}])
        (table,) = ec2.describe_route_tables(Filters=where("association.main", "true"))["RouteTables"]
        same([(r["DestinationCidrBlock"], r["GatewayId"], r["State"]) for r in table["Routes"]],
             [("172.31.0.0/16", "local", "active"), ("0.0.0.0/0", gateway["InternetGatewayId"], "active")])
        (acl,) = ec2.describe_network_acls()["NetworkAcls"]
        same((acl["IsDefault"], len(acl["Entries"]), len(acl["Associations"])), (True, 4, len(zones)))
        (group,) = ec2.describe_security_groups()["SecurityGroups"]
        same((group["GroupName"], group["Description"]), ("default", "default VPC security group"))
        for name, value in (("enableDnsSupport", True), ("enableDnsHostnames", True)):
            found = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=name)
            same(found[name[0].upper() + name[1:]]["Value"], value, name)


def test_accounts_do_not_see_each_other(lab):
    other = Lab(lab.daemon)
    vpc = lab.vpc()
    same(vpc in ids(other.ec2.describe_vpcs()["Vpcs"], "VpcId"), False)
    with refused("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist"):
        other.ec2.describe_vpcs(VpcIds=[vpc])
    with refused("InvalidVpcID.NotFound"):
        other.ec2.delete_vpc(VpcId=vpc)
    with refused("InvalidVpcID.NotFound"):
        lab.client("ec2", "eu-west-1").describe_vpcs(VpcIds=[vpc])
    for one in (lab, other):
        found = one.client("sts").get_caller_identity()
        same((found["Account"], found["Arn"]), (one.account, f"arn:aws:iam::{one.account}:root"))
    lab.client("s3").create_bucket(Bucket=f"mine-{lab.account}")
    same(other.client("s3").list_buckets()["Buckets"], [])
    lab.client("logs").create_log_group(logGroupName="mine")
    same(other.client("logs").describe_log_groups()["logGroups"], [])


def test_regions_zones_and_account_attributes(lab):
    regions = lab.ec2.describe_regions()["Regions"]
    assert {"us-east-1", "eu-central-1"} <= {r["RegionName"] for r in regions}
    east = next(r for r in regions if r["RegionName"] == "us-east-1")
    same((east["Endpoint"], east["OptInStatus"]), ("ec2.us-east-1.amazonaws.com", "opt-in-not-required"))
    zones = lab.ec2.describe_availability_zones(Filters=where("zone-name", "us-east-1a"))["AvailabilityZones"]
    same((zones[0]["State"], zones[0]["ZoneType"], zones[0]["GroupName"]),
         ("available", "availability-zone", "us-east-1-zg-1"))
    found = lab.ec2.describe_account_attributes()["AccountAttributes"]
    found = {a["AttributeName"]: a["AttributeValues"][0]["AttributeValue"] for a in found}
    (vpc,) = lab.ec2.describe_vpcs()["Vpcs"]
    same((found["default-vpc"], found["supported-platforms"]), (vpc["VpcId"], "VPC"))


# Authentication and the wire


def raw(lab, form, *, secret=None, key=None, service="ec2", region=REGION, headers=None, sign=True, at=None):
    """Sends a form as it is; answers status, code or None, body."""
    body = urllib.parse.urlencode(form)
    request = AWSRequest("POST", lab.daemon.endpoint + "/", data=body, headers={
        "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
    })
    signer = SigV4Auth(Credentials(key or lab.account, secret or "any"), service, region)
    if at:
        request.context["timestamp"] = at
        request.headers["X-Amz-Date"] = at
        text = signer.string_to_sign(request, signer.canonical_request(request))
        signer._inject_signature_to_request(request, signer.signature(text, request))
    elif sign:
        signer.add_auth(request)
    sent = dict(request.headers) | (headers or {})
    try:
        with urllib.request.urlopen(urllib.request.Request(lab.daemon.endpoint + "/", body.encode(), sent)) as answer:
            return answer.status, None, answer.read().decode()
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        code = re.search("<Code>(.*)</Code>", text)
        return error.code, code and code[1], text


def test_who_is_not_believed(lab):
    form = {"Action": "DescribeVpcs", "Version": "2016-11-15"}
    status, _, body = raw(lab, form)
    same(status, 200)
    assert 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"' in body and "<requestId>" in body, body
    environment = lab.weir("env").stdout
    key = re.search(r"AWS_ACCESS_KEY_ID='?([A-Z0-9]+)", environment)[1]
    secret = re.search(r"AWS_SECRET_ACCESS_KEY='?([^'\n]+)", environment)[1]
    same(raw(lab, form, key=key, secret=secret)[0], 200)
    same(raw(lab, form, key=key, secret="wrong")[:2], (403, "SignatureDoesNotMatch"))
    same(raw(lab, form, sign=False)[:2], (403, "MissingAuthenticationToken"))
    same(raw(lab, form, headers={"Authorization": "AWS4-HMAC-SHA256 nonsense"})[1], "IncompleteSignature")
    same(raw(lab, form, region="moon-west-1")[:2], (403, "SignatureDoesNotMatch"))
    # The date must be the one in the credential's scope.
    same(raw(lab, form, key=key, secret=secret, headers={"X-Amz-Date": "20200101T000000Z"})[1], "IncompleteSignature")
    same(raw(lab, form, key=key, secret=secret, at="20200101T000000Z")[:2], (400, "RequestExpired"))
    with refused("SignatureDoesNotMatch", status=403):
        lab.client("ec2", key=key, secret="wrong").describe_vpcs()
    with refused("SignatureDoesNotMatch", status=403):
        lab.client("sts", key=key, secret="wrong").get_caller_identity()
    with refused("InvalidSignatureException"):
        lab.client("logs", key=key, secret="wrong").describe_log_groups()
    with refused("SignatureDoesNotMatch", status=403):
        lab.client("s3", key=key, secret="wrong").list_buckets()


def test_forms_that_are_not_requests(lab):
    v = {"Version": "2016-11-15"}
    for form, code in (
        (v, "MissingAction"),
        ({"Action": "NoSuchThing"} | v, "InvalidAction"),
        ({"Action": "DescribeVpcs", "Version": "1999-01-01"}, "NoSuchVersion"),
        ({"Action": "CreateVpc", "CidrBlock": "10.0.0.0/16", "Colour": "blue"} | v, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "MaxResults": "many"} | v, "InvalidParameterValue"),
        ({"Action": "CreateSubnet", "CidrBlock": "10.0.0.0/24"} | v, "MissingParameter"),
    ):
        status, found, body = raw(lab, form)
        same(found, code, body)
        same(status, 400)
        assert "<RequestID>" in body, body
    _, _, body = raw(lab, {"Action": "NoSuchThing"} | v)
    assert "The action NoSuchThing is not valid for this web service." in body, body


def test_bad_input_is_the_callers_fault(lab):
    long = "x" * 100_000
    v = {"Version": "2016-11-15"}
    forms = [
        {"Action": "CreateVpc", "CidrBlock": value} | v
        for value in ("", long, "10.0.0.0", "10.0.0.0/-1", "\0", "١٠.0.0.0/16", "::/0", "10.0.0.0/16/16", "%", "+")
    ] + [
        {"Action": "DescribeVpcs", name: value} | v
        for name, value in (
            ("VpcId.0", "vpc-1"), ("VpcId.99999999999999999999", "vpc-1"), ("VpcId.-1", "vpc-1"), ("VpcId", "vpc-1"),
            ("VpcId.1.2.3", "vpc-1"), ("Filter.1.Value.1", "x"), ("Filter.1.Name", long), ("Filter." * 5000, "x"),
            ("NextToken", long), ("MaxResults", "9" * 40), ("DryRun", "perhaps"), ("", ""), (".", "."),
        )
    ] + [
        {"Action": "AuthorizeSecurityGroupIngress", "GroupId": "sg-00000000000000000"} | v | rule
        for rule in (
            {}, {"IpPermissions.1.IpProtocol": "tcp", "IpPermissions.1.FromPort": "99999"},
            {"IpPermissions.1.IpProtocol": "300"}, {"IpProtocol": "tcp", "FromPort": "a", "CidrIp": "b"},
        )
    ] + [
        {"Action": "RunInstances", "ImageId": "ami-1", "MinCount": "2", "MaxCount": "1"} | v,
        {"Action": "RunInstances", "ImageId": "ami-1", "MinCount": "0", "MaxCount": "99999999", "UserData": "not base64"} | v,
        {"Action": "CreateTags", "ResourceId.1": long, "Tag.1.Key": long} | v,
        {f"P{n}": "x" for n in range(25_000)} | {"Action": "DescribeVpcs"} | v,
    ]
    for form in forms:
        status, code, body = raw(lab, form)
        assert status in (200, 400, 413), (status, code, str(form)[:200], body[:500])
    for body in (b"", b"\xff\xfe", b"%zz", b"Action", b"Action=DescribeVpcs&Action=DescribeVpcs", b"&" * 10_000):
        for service in ("ec2", "sts", "s3", "logs"):
            request = AWSRequest("POST", lab.daemon.endpoint + "/", data=body)
            SigV4Auth(Credentials(lab.account, "any"), service, REGION).add_auth(request)
            try:
                urllib.request.urlopen(
                    urllib.request.Request(lab.daemon.endpoint + "/", body, dict(request.headers)), timeout=5)
            except urllib.error.HTTPError as error:
                assert error.code in (400, 403, 404, 405, 411, 501), (service, body[:20], error.code, error.read())
    lab.ec2.describe_vpcs()


# VPCs and subnets


def test_vpcs(lab):
    ec2 = lab.ec2
    made = ec2.create_vpc(CidrBlock="10.1.2.3/16", TagSpecifications=tagged("vpc", Name="one", Team="a"))["Vpc"]
    vpc = made["VpcId"]
    same((made["CidrBlock"], made["IsDefault"], made["InstanceTenancy"], made["OwnerId"]),
         ("10.1.0.0/16", False, "default", lab.account))
    assert re.fullmatch("vpc-[0-9a-f]{17}", vpc), vpc
    ec2.get_waiter("vpc_exists").wait(VpcIds=[vpc])
    ec2.get_waiter("vpc_available").wait(VpcIds=[vpc])
    second = lab.vpc("10.2.0.0/16")
    find = lambda *filters: ids(ec2.describe_vpcs(Filters=[f for one in filters for f in one])["Vpcs"], "VpcId")
    same(find(where("tag:Name", "o*")), [vpc])
    same(find(where("tag:Name", "o?e", "none")), [vpc])
    same(find(where("tag:Name", "O*")), [], "values are compared with their case")
    same(find(where("tag-key", "Team")), [vpc])
    same(find(where("cidr", "10.*")), sorted([vpc, second]))
    same(find(where("cidr", "10.*"), where("tag:Team", "a")), [vpc], "filters are ANDed")
    same(find(where("vpc-id", f"{vpc[:12]}*")), [vpc])
    same(len(find(where("is-default", "true"))), 1)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    same(ec2.describe_vpc_attribute(VpcId=vpc, Attribute="enableDnsHostnames")["EnableDnsHostnames"]["Value"], True)
    added = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.9.0.0/16")["CidrBlockAssociation"]
    same((added["CidrBlockState"]["State"]), "associating")
    same([a["CidrBlock"] for a in ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["CidrBlockAssociationSet"]],
         ["10.1.0.0/16", "10.9.0.0/16"])
    ec2.disassociate_vpc_cidr_block(AssociationId=added["AssociationId"])
    ec2.delete_vpc(VpcId=vpc)
    with refused("InvalidVpcID.NotFound", f"The vpc ID '{vpc}' does not exist"):
        ec2.describe_vpcs(VpcIds=[vpc])
    for block, code, message in (
        ("10.0.0.0/33", "InvalidParameterValue",
         r"Value \(10.0.0.0/33\) for parameter cidrBlock is invalid. This is not a valid CIDR block."),
        ("10.0.0.0/8", "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."),
        ("10.0.0.0/29", "InvalidVpc.Range", "The CIDR '10.0.0.0/29' is invalid."),
        ("127.0.0.0/16", "InvalidVpc.Range", "The CIDR '127.0.0.0/16' is invalid."),
    ):
        with refused(code, message):
            ec2.create_vpc(CidrBlock=block)
    with refused("InvalidVpcID.Malformed", r'Invalid id: "vpc-xyz" \(expecting "vpc-\.\.\."\)'):
        ec2.describe_vpcs(VpcIds=["vpc-xyz"])
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        ec2.describe_vpcs(Filters=where("colour", "blue"))
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    with refused("InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock="10.0.0.0/8", DryRun=True)
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.delete_vpc(VpcId=second, DryRun=True)
    same(second in ids(ec2.describe_vpcs()["Vpcs"], "VpcId"), True)
    for number in range(3):
        lab.vpc(f"10.{number}.0.0/16")
    with refused("VpcLimitExceeded", "The maximum number of VPCs has been reached."):
        lab.vpc()


def test_subnets(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/28", AvailabilityZone="us-east-1b",
                             TagSpecifications=tagged("subnet", Name="s"))["Subnet"]
    subnet = made["SubnetId"]
    same((made["AvailableIpAddressCount"], made["AvailabilityZone"], made["MapPublicIpOnLaunch"], made["SubnetArn"]),
         (11, "us-east-1b", False, f"arn:aws:ec2:us-east-1:{lab.account}:subnet/{subnet}"))
    ec2.get_waiter("subnet_available").wait(SubnetIds=[subnet])
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    same(ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"], True)
    with refused("InvalidSubnet.Conflict", "The CIDR '10.0.1.0/24' conflicts with another subnet"):
        lab.subnet(vpc, "10.0.1.0/24")
    with refused("InvalidSubnet.Range", "The CIDR '10.1.0.0/24' is invalid."):
        lab.subnet(vpc, "10.1.0.0/24")
    with refused("InvalidVpcID.NotFound"):
        lab.subnet("vpc-00000000000000000")
    with refused("InvalidParameterValue", r"Value \(us-east-1z\) for parameter availabilityZone is invalid. .*"):
        lab.subnet(vpc, "10.0.2.0/24", AvailabilityZone="us-east-1z")
    with refused("InvalidSubnetID.NotFound", "The subnet ID 'subnet-00000000000000000' does not exist"):
        ec2.describe_subnets(SubnetIds=["subnet-00000000000000000"])
    with refused("DependencyViolation", f"The vpc '{vpc}' has dependencies and cannot be deleted."):
        ec2.delete_vpc(VpcId=vpc)
    ec2.delete_subnet(SubnetId=subnet)
    with refused("InvalidSubnetID.NotFound"):
        ec2.delete_subnet(SubnetId=subnet)
    made = [lab.subnet(vpc, f"10.0.{n}.0/24") for n in range(12)]
    pages = list(ec2.get_paginator("describe_subnets").paginate(
        Filters=where("vpc-id", vpc), PaginationConfig={"PageSize": 5}))
    same([len(p["Subnets"]) for p in pages], [5, 5, 2])
    same(sorted(s["SubnetId"] for p in pages for s in p["Subnets"]), sorted(made))
    with refused("InvalidParameterCombination"):
        ec2.describe_subnets(SubnetIds=made[:1], MaxResults=5)
    # boto3 would refuse these by itself.
    for bad in (4, 1001):
        form = {"Action": "DescribeSubnets", "Version": "2016-11-15", "MaxResults": bad}
        status, code, body = raw(lab, form)
        assert (status, code) in ((400, "InvalidMaxResults"), (400, "InvalidParameterValue")), body
    with refused("InvalidNextToken"):
        ec2.describe_subnets(NextToken="nonsense")


# Routing


def test_route_tables_and_internet_gateways(lab):
    ec2 = lab.ec2
    vpc, other = lab.vpc(), lab.vpc("10.5.0.0/16")
    subnet = lab.subnet(vpc)
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", Name="g"))
    gateway = gateway["InternetGateway"]["InternetGatewayId"]
    ec2.get_waiter("internet_gateway_exists").wait(InternetGatewayIds=[gateway])
    table = ec2.create_route_table(VpcId=vpc, ClientToken="t1")["RouteTable"]["RouteTableId"]
    same(ec2.create_route_table(VpcId=vpc, ClientToken="t1")["RouteTable"]["RouteTableId"], table)
    with refused("IdempotentParameterMismatch"):
        ec2.create_route_table(VpcId=other, ClientToken="t1")
    everything = dict(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    with refused("InvalidParameterValue", f"route table {table} and network gateway {gateway} belong to different networks"):
        ec2.create_route(GatewayId=gateway, **everything)
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    with refused("Resource.AlreadyAssociated", f"resource {gateway} is already attached to network {vpc}"):
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=other)
    second = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    with refused("InvalidParameterValue", f"Network {vpc} already has an internet gateway attached"):
        ec2.attach_internet_gateway(InternetGatewayId=second, VpcId=vpc)
    with refused("Gateway.NotAttached", f"resource {second} is not attached to network {vpc}"):
        ec2.detach_internet_gateway(InternetGatewayId=second, VpcId=vpc)
    same(ec2.create_route(GatewayId=gateway, **everything)["Return"], True)
    with refused("RouteAlreadyExists", "The route identified by 0.0.0.0/0 already exists."):
        ec2.create_route(NetworkInterfaceId=interface(lab, subnet), **everything)
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    main_table = ec2.describe_route_tables(
        Filters=where("vpc-id", vpc) + where("association.main", "true"))["RouteTables"][0]
    new = ec2.replace_route_table_association(AssociationId=association, RouteTableId=main_table["RouteTableId"])
    new = ec2.replace_route_table_association(AssociationId=new["NewAssociationId"], RouteTableId=table)
    found = ec2.describe_route_tables(Filters=where("association.subnet-id", subnet))["RouteTables"]
    same([t["RouteTableId"] for t in found], [table])
    with refused("InvalidParameterValue", r"cannot disassociate the main route table association rtbassoc-\w+"):
        ec2.disassociate_route_table(AssociationId=main_table["Associations"][0]["RouteTableAssociationId"])
    with refused("DependencyViolation", f"The routeTable '{table}' has dependencies and cannot be deleted."):
        ec2.delete_route_table(RouteTableId=table)
    with refused("InvalidParameterValue",
                 "There is no route defined for '10.77.0.0/16' in the route table. Use CreateRoute instead."):
        ec2.replace_route(RouteTableId=table, DestinationCidrBlock="10.77.0.0/16", GatewayId=gateway)
    with refused("InvalidRoute.NotFound", f"no route with destination-cidr-block 10.77.0.0/16 in route table {table}"):
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.77.0.0/16")
    with refused("InvalidParameterValue", f"cannot remove local route 10.0.0.0/16 in route table {table}"):
        ec2.delete_route(RouteTableId=table, DestinationCidrBlock="10.0.0.0/16")
    with refused("InvalidGatewayID.NotFound", "The gateway ID 'igw-00000000000000000' does not exist"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.78.0.0/16", GatewayId="igw-00000000000000000")
    with refused("InvalidParameterValue"):
        ec2.create_route(RouteTableId=table, DestinationCidrBlock="10.0.1.128/25", GatewayId=gateway)
    ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    routes = ec2.describe_route_tables(RouteTableIds=[table])["RouteTables"][0]["Routes"]
    same([(r["DestinationCidrBlock"], r["State"], r["Origin"]) for r in routes],
         [("10.0.0.0/16", "active", "CreateRouteTable"), ("0.0.0.0/0", "blackhole", "CreateRoute")])
    ec2.delete_route(**everything)
    ec2.disassociate_route_table(AssociationId=new["NewAssociationId"])
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_internet_gateway(InternetGatewayId=gateway)
    with refused("InvalidInternetGatewayID.NotFound", f"The internetGateway ID '{gateway}' does not exist"):
        ec2.describe_internet_gateways(InternetGatewayIds=[gateway])
    with refused("InvalidRouteTableID.NotFound", f"The routeTable ID '{table}' does not exist"):
        ec2.describe_route_tables(RouteTableIds=[table])
    with refused("InvalidAssociationID.NotFound"):
        ec2.disassociate_route_table(AssociationId=new["NewAssociationId"])


def interface(lab, subnet, **more):
    return lab.ec2.create_network_interface(SubnetId=subnet, **more)["NetworkInterface"]["NetworkInterfaceId"]


# Security groups and network ACLs


def test_security_groups(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    made = ec2.create_security_group(VpcId=vpc, GroupName="web", Description="for the web",
                                     TagSpecifications=tagged("security-group", Name="w"))
    web = made["GroupId"]
    ec2.get_waiter("security_group_exists").wait(GroupIds=[web])
    (shown,) = ec2.describe_security_groups(GroupIds=[web])["SecurityGroups"]
    same(shown["IpPermissions"], [])
    same([(p["IpProtocol"], p["IpRanges"]) for p in shown["IpPermissionsEgress"]], [("-1", [{"CidrIp": "0.0.0.0/0"}])])
    db = lab.group(vpc, f"tcp 5432 {web}", name="db")
    answer = ec2.authorize_security_group_ingress(
        GroupId=web, IpPermissions=[permission("tcp 80-90 10.0.0.0/8"), permission("icmp 0.0.0.0/0")],
        TagSpecifications=tagged("security-group-rule", why="test"))
    same(len(answer["SecurityGroupRules"]), 2)
    rule = answer["SecurityGroupRules"][0]
    same({k: rule[k] for k in ("GroupId", "GroupOwnerId", "IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4")},
         {"GroupId": web, "GroupOwnerId": lab.account, "IsEgress": False, "IpProtocol": "tcp", "FromPort": 80,
          "ToPort": 90, "CidrIpv4": "10.0.0.0/8"})
    rules = ec2.describe_security_group_rules(Filters=where("group-id", web))["SecurityGroupRules"]
    same(len(rules), 3)
    same(ids(ec2.describe_security_groups(Filters=where("ip-permission.group-id", web))["SecurityGroups"], "GroupId"), [db])
    same(ids(ec2.describe_security_groups(Filters=where("group-name", "d*") + where("vpc-id", vpc))["SecurityGroups"],
             "GroupName"), ["db", "default"])
    with refused("InvalidPermission.Duplicate"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission("tcp 80-90 10.0.0.0/8")])
    with refused("InvalidGroup.Duplicate", f"The security group 'web' already exists for VPC '{vpc}'"):
        lab.group(vpc, name="web")
    with refused("InvalidGroup.Reserved"):
        lab.group(vpc, name="default")
    with refused("InvalidPermission.NotFound", "The specified rule does not exist in this security group."):
        ec2.revoke_security_group_ingress(GroupId=web, IpPermissions=[permission("tcp 1 10.0.0.0/8")])
    with refused("InvalidSecurityGroupRuleId.NotFound",
                 "The security group rule ID 'sgr-00000000000000000' does not exist"):
        ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=["sgr-00000000000000000"])
    with refused("InvalidGroup.NotFound", "The security group 'sg-00000000000000000' does not exist"):
        ec2.describe_security_groups(GroupIds=["sg-00000000000000000"])
    with refused("InvalidGroup.NotFound"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission("all sg-00000000000000000")])
    with refused("InvalidParameterValue"):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission("tcp 80 10.0.0.0/99")])
    with refused("DryRunOperation", status=412):
        ec2.authorize_security_group_ingress(GroupId=web, IpPermissions=[permission("tcp 1 10.0.0.0/8")], DryRun=True)
    ec2.revoke_security_group_ingress(GroupId=web, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    ec2.authorize_security_group_egress(GroupId=web, IpPermissions=[permission("udp 53 10.0.0.2/32")])
    ec2.revoke_security_group_egress(GroupId=web, IpPermissions=[permission("udp 53 10.0.0.2/32")])
    with refused("DependencyViolation", f"resource {web} has a dependent object"):
        ec2.delete_security_group(GroupId=web)
    (default,) = ec2.describe_security_groups(Filters=where("vpc-id", vpc) + where("group-name", "default"))["SecurityGroups"]
    with refused("CannotDelete", f'the specified group: "{default["GroupId"]}" name: "default" cannot be deleted by a user'):
        ec2.delete_security_group(GroupId=default["GroupId"])
    ec2.delete_security_group(GroupId=db)
    ec2.delete_security_group(GroupId=web)
    limit = lab.group(vpc)
    many = [permission(f"tcp {n} 10.0.0.0/8") for n in range(1, 61)]
    ec2.authorize_security_group_ingress(GroupId=limit, IpPermissions=many)
    with refused("RulesPerSecurityGroupLimitExceeded",
                 "The maximum number of rules per security group has been reached."):
        ec2.authorize_security_group_ingress(GroupId=limit, IpPermissions=[permission("tcp 99 10.0.0.0/8")])
    pages = ec2.get_paginator("describe_security_group_rules").paginate(
        Filters=where("group-id", limit), PaginationConfig={"PageSize": 25})
    same([len(p["SecurityGroupRules"]) for p in pages], [25, 25, 11])


def test_network_acls(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    acl = ec2.create_network_acl(VpcId=vpc, ClientToken="a")["NetworkAcl"]
    same(sorted((e["RuleNumber"], e["Egress"], e["RuleAction"]) for e in acl["Entries"]),
         [(32767, False, "deny"), (32767, True, "deny")])
    acl = acl["NetworkAclId"]
    same(ec2.create_network_acl(VpcId=vpc, ClientToken="a")["NetworkAcl"]["NetworkAclId"], acl)
    entry = dict(NetworkAclId=acl, RuleNumber=100, Egress=False)
    web = dict(Protocol="6", RuleAction="allow", CidrBlock="0.0.0.0/0", PortRange={"From": 80, "To": 80})
    ec2.create_network_acl_entry(**entry, **web)
    with refused("NetworkAclEntryAlreadyExists"):
        ec2.create_network_acl_entry(**entry, **web)
    ec2.replace_network_acl_entry(**entry, **(web | {"RuleAction": "deny"}))
    found = ec2.describe_network_acls(NetworkAclIds=[acl])["NetworkAcls"][0]["Entries"]
    same([(e["RuleAction"], e["PortRange"]) for e in found if e["RuleNumber"] == 100], [("deny", {"From": 80, "To": 80})])
    ec2.delete_network_acl_entry(**entry)
    with refused("InvalidNetworkAclEntry.NotFound"):
        ec2.delete_network_acl_entry(**entry)
    with refused("InvalidNetworkAclEntry.NotFound"):
        ec2.replace_network_acl_entry(**entry, **web)
    (default,) = ec2.describe_network_acls(Filters=where("association.subnet-id", subnet))["NetworkAcls"]
    association = default["Associations"][0]["NetworkAclAssociationId"]
    new = ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)["NewAssociationId"]
    assert new.startswith("aclassoc-") and new != association, new
    with refused("DependencyViolation", f"The networkAcl '{acl}' has dependencies and cannot be deleted."):
        ec2.delete_network_acl(NetworkAclId=acl)
    with refused("InvalidParameterValue", f"cannot delete default network ACL {default['NetworkAclId']}"):
        ec2.delete_network_acl(NetworkAclId=default["NetworkAclId"])
    with refused("InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist"):
        ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
    ec2.replace_network_acl_association(AssociationId=new, NetworkAclId=default["NetworkAclId"])
    ec2.delete_network_acl(NetworkAclId=acl)
    with refused("InvalidNetworkAclID.NotFound", f"The networkAcl ID '{acl}' does not exist"):
        ec2.describe_network_acls(NetworkAclIds=[acl])


# Interfaces and addresses


def test_network_interfaces(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    group = lab.group(vpc)
    made = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.1.50", Groups=[group], Description="d",
                                        TagSpecifications=tagged("network-interface", Name="n"))["NetworkInterface"]
    eni = made["NetworkInterfaceId"]
    same((made["PrivateIpAddress"], made["SourceDestCheck"], made["InterfaceType"], made["Groups"][0]["GroupId"]),
         ("10.0.1.50", True, "interface", group))
    assert re.fullmatch("(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", made["MacAddress"]), made
    ec2.get_waiter("network_interface_available").wait(NetworkInterfaceIds=[eni])
    with refused("InvalidIPAddress.InUse"):
        interface(lab, subnet, PrivateIpAddress="10.0.1.50")
    for outside in ("10.0.2.1", "10.0.1.3"):
        with refused("InvalidParameterValue"):
            interface(lab, subnet, PrivateIpAddress=outside)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, SecondaryPrivateIpAddressCount=1)
    ec2.assign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.51"])
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"][0]
    same([(a["PrivateIpAddress"], a["Primary"]) for a in found["PrivateIpAddresses"]][0], ("10.0.1.50", True))
    same(len(found["PrivateIpAddresses"]), 3)
    ec2.unassign_private_ip_addresses(NetworkInterfaceId=eni, PrivateIpAddresses=["10.0.1.51"])
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, SourceDestCheck={"Value": False})
    ec2.modify_network_interface_attribute(NetworkInterfaceId=eni, Description={"Value": "other"})
    found = ec2.describe_network_interfaces(Filters=where("addresses.private-ip-address", "10.0.1.50"))
    found = next(i for i in found["NetworkInterfaces"] if i["NetworkInterfaceId"] == eni)
    same((found["SourceDestCheck"], found["Description"], found["Status"]), (False, "other", "available"))
    attribute = ec2.describe_network_interface_attribute(NetworkInterfaceId=eni, Attribute="description")
    same(attribute["Description"]["Value"], "other")
    with refused("DependencyViolation"):
        ec2.delete_security_group(GroupId=group)
    with refused("DependencyViolation", f"The subnet '{subnet}' has dependencies and cannot be deleted."):
        ec2.delete_subnet(SubnetId=subnet)
    foreign = lab.group(lab.vpc("10.9.0.0/16"))
    with refused("InvalidParameter", f"Security group {foreign} and subnet {subnet} belong to different networks."):
        interface(lab, subnet, Groups=[foreign])
    one = interface(lab, subnet, ClientToken="n")
    same(interface(lab, subnet, ClientToken="n"), one)
    ec2.delete_network_interface(NetworkInterfaceId=eni)
    with refused("InvalidNetworkInterfaceID.NotFound", f"The networkInterface ID '{eni}' does not exist"):
        ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])


def test_addresses(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    eni = interface(lab, lab.subnet(vpc))
    made = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", Name="e"))
    allocation = made["AllocationId"]
    same((made["Domain"], made["PublicIpv4Pool"]), ("vpc", "amazon"))
    with refused("Gateway.NotAttached", f"Network {vpc} is not attached to any internet gateway"):
        ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    association = ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)["AssociationId"]
    same(ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=eni)["AssociationId"], association)
    (found,) = ec2.describe_addresses(Filters=where("network-interface-id", eni))["Addresses"]
    same((found["PublicIp"], found["AssociationId"], found["NetworkInterfaceOwnerId"]),
         (made["PublicIp"], association, lab.account))
    (shown,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[eni])["NetworkInterfaces"]
    same((shown["Association"]["PublicIp"], shown["Association"]["AllocationId"]), (made["PublicIp"], allocation))
    message = f"Network {vpc} has some mapped public address\\(es\\). Please unmap those public address\\(es\\) before detaching the gateway."
    with refused("DependencyViolation", message):
        ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    with refused("InvalidIPAddress.InUse"):
        ec2.release_address(AllocationId=allocation)
    ec2.disassociate_address(AssociationId=association)
    ec2.release_address(AllocationId=allocation)
    with refused("InvalidAllocationID.NotFound"):
        ec2.release_address(AllocationId=allocation)
    with refused("InvalidAssociationID.NotFound"):
        ec2.disassociate_address(AssociationId="eipassoc-00000000000000000")
    for _ in range(5):
        ec2.allocate_address()
    with refused("AddressLimitExceeded", "The maximum number of addresses has been reached."):
        ec2.allocate_address()


# Instances


def test_instances(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    images = ec2.describe_images(Owners=["amazon"])["Images"]
    assert images and all(i["State"] == "available" for i in images), images
    types = ec2.describe_instance_types(InstanceTypes=["t3.micro", "m5.large"])["InstanceTypes"]
    shown = {t["InstanceType"]: t["NetworkInfo"] for t in types}
    same((shown["t3.micro"]["MaximumNetworkInterfaces"], shown["m5.large"]["Ipv4AddressesPerInterface"]), (2, 10))
    with refused("InvalidAMIID.NotFound", r"The image id '\[ami-00000000000000000\]' does not exist"):
        ec2.run_instances(ImageId="ami-00000000000000000", MinCount=1, MaxCount=1, SubnetId=subnet)
    start = dict(ImageId=lab.image(), InstanceType="t3.micro", SubnetId=subnet, MinCount=2, MaxCount=2, ClientToken="r",
                 TagSpecifications=tagged("instance", Name="i"), UserData="#!/bin/sh\necho started by $(id -un)\n")
    with refused("DryRunOperation", DRY_RUN, status=412):
        ec2.run_instances(**start, DryRun=True)
    made = ec2.run_instances(**start)
    again = ec2.run_instances(**start)
    same(ids(again["Instances"], "InstanceId"), ids(made["Instances"], "InstanceId"))
    with refused("IdempotentParameterMismatch"):
        ec2.run_instances(**(start | {"MaxCount": 3}))
    a, b = ids(made["Instances"], "InstanceId")
    same({i["State"]["Name"] for i in made["Instances"]}, {"pending"})
    lab.running(a, b)
    lab.wait("instance_status_ok", InstanceIds=[a, b])
    shown = lab.instance(a)
    same((shown["State"], shown["VpcId"], shown["InstanceType"]), ({"Code": 16, "Name": "running"}, vpc, "t3.micro"))
    assert shown["PrivateDnsName"].startswith("ip-10-0-1-"), shown["PrivateDnsName"]
    (status,) = ec2.describe_instance_status(InstanceIds=[a])["InstanceStatuses"]
    same((status["InstanceState"]["Name"], status["SystemStatus"]["Status"]), ("running", "ok"))
    output = eventually("the console has output", lambda: ec2.get_console_output(InstanceId=a).get("Output"))
    assert output.startswith("started by "), output
    data = ec2.describe_instance_attribute(InstanceId=a, Attribute="userData")["UserData"]["Value"]
    assert base64.b64decode(data).startswith(b"#!/bin/sh"), data
    find = lambda **arguments: ids(
        [i for r in ec2.describe_instances(**arguments)["Reservations"] for i in r["Instances"]], "InstanceId")
    same(find(Filters=where("tag:Name", "i") + where("instance-state-name", "run*")), sorted([a, b]))
    same(find(Filters=where("private-ip-address", shown["PrivateIpAddress"])), [a])
    with refused("OperationNotPermitted",
                 "The network interface at device index 0 and networkCard index 0 cannot be detached."):
        ec2.detach_network_interface(AttachmentId=shown["NetworkInterfaces"][0]["Attachment"]["AttachmentId"])
    second = interface(lab, subnet)
    with refused("InvalidParameterValue", f"Instance '{a}' already has an interface attached at device index '0'."):
        ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=a, DeviceIndex=0)
    attachment = ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=a, DeviceIndex=1)["AttachmentId"]
    third = interface(lab, subnet)
    with refused("AttachmentLimitExceeded"):
        ec2.attach_network_interface(NetworkInterfaceId=third, InstanceId=a, DeviceIndex=2)
    with refused("InvalidParameterValue", f"Network interface '{second}' is currently in use."):
        ec2.delete_network_interface(NetworkInterfaceId=second)
    ec2.detach_network_interface(AttachmentId=attachment)
    lab.wait("network_interface_available", NetworkInterfaceIds=[second])
    with refused("InvalidAttachmentID.NotFound"):
        ec2.detach_network_interface(AttachmentId="eni-attach-00000000000000000")

    (change,) = ec2.stop_instances(InstanceIds=[a])["StoppingInstances"]
    same((change["PreviousState"]["Name"], change["CurrentState"]["Name"]), ("running", "stopping"))
    lab.wait("instance_stopped", InstanceIds=[a])
    ec2.start_instances(InstanceIds=[a])
    lab.running(a)
    ec2.modify_instance_attribute(InstanceId=a, DisableApiTermination={"Value": True})
    message = f"The instance '{a}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again."
    with refused("OperationNotPermitted", message):
        ec2.terminate_instances(InstanceIds=[a])
    ec2.modify_instance_attribute(InstanceId=a, DisableApiTermination={"Value": False})
    ec2.terminate_instances(InstanceIds=[a, b])
    lab.wait("instance_terminated", InstanceIds=[a, b])
    ec2.terminate_instances(InstanceIds=[a])
    with refused("IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[a])
    with refused("InvalidInstanceID.NotFound", "The instance ID 'i-00000000000000000' does not exist"):
        ec2.describe_instances(InstanceIds=["i-00000000000000000"])
    with refused("InvalidInstanceID.NotFound",
                 "The instance IDs 'i-00000000000000000, i-00000000000000001' do not exist"):
        ec2.stop_instances(InstanceIds=["i-00000000000000000", "i-00000000000000001"])
    with refused("InvalidInstanceID.Malformed"):
        ec2.describe_instances(InstanceIds=["instance"])
    for eni in (second, third):
        ec2.delete_network_interface(NetworkInterfaceId=eni)
    same(ec2.describe_network_interfaces()["NetworkInterfaces"], [], "they went with their instances")
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    same(len([i for p in pages for r in p["Reservations"] for i in r["Instances"]]), 2)
    ec2.delete_subnet(SubnetId=subnet)
    ec2.delete_vpc(VpcId=vpc)


def test_an_instance_without_a_subnet_gets_the_default_one(lab):
    ec2 = lab.ec2
    made = ec2.run_instances(ImageId=lab.image(), MinCount=1, MaxCount=1, InstanceType="t3.micro")["Instances"][0]
    lab.running(made["InstanceId"])
    shown = lab.instance(made["InstanceId"])
    assert shown["PublicIpAddress"] and shown["PrivateIpAddress"].startswith("172.31."), shown
    ec2.stop_instances(InstanceIds=[made["InstanceId"]])
    lab.wait("instance_stopped", InstanceIds=[made["InstanceId"]])
    assert "PublicIpAddress" not in lab.instance(made["InstanceId"])


# Tags


def test_tags(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    ec2.create_tags(Resources=[vpc, subnet], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    ec2.create_tags(Resources=[vpc], Tags=[{"Key": "a", "Value": "2"}])
    found = ec2.describe_tags(Filters=where("resource-id", vpc, subnet))["Tags"]
    same(sorted((t["ResourceType"], t["Key"], t["Value"]) for t in found),
         [("subnet", "a", "1"), ("subnet", "b", ""), ("vpc", "a", "2"), ("vpc", "b", "")])
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "a", "Value": "1"}])
    same(len(ec2.describe_tags(Filters=where("resource-id", vpc))["Tags"]), 2, "another value stays")
    ec2.delete_tags(Resources=[vpc], Tags=[{"Key": "a"}])
    ec2.delete_tags(Resources=[subnet])
    same([t["Key"] for t in ec2.describe_tags(Filters=where("resource-id", vpc, subnet))["Tags"]], ["b"])
    with refused("InvalidParameterValue", "Tag keys starting with 'aws:' are reserved for internal use"):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "AWS:x", "Value": "1"}])
    with refused("InvalidVpcID.NotFound"):
        ec2.create_tags(Resources=["vpc-00000000000000000"], Tags=[{"Key": "a", "Value": "1"}])
    with refused("InvalidID", "The ID 'nonsense' is not valid"):
        ec2.create_tags(Resources=["nonsense"], Tags=[{"Key": "a", "Value": "1"}])
    many = [{"Key": f"k{n}", "Value": "v"} for n in range(49)]
    ec2.create_tags(Resources=[vpc], Tags=many)
    with refused("TagLimitExceeded", "The maximum number of Tags for a resource has been reached."):
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "one-more", "Value": "v"}])
    with refused("InvalidParameterValue", "'subnet' is not a valid taggable resource type for this operation."):
        ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("subnet", a="b"))
    pages = ec2.get_paginator("describe_tags").paginate(
        Filters=where("resource-id", vpc), PaginationConfig={"PageSize": 20})
    same([len(p["Tags"]) for p in pages], [20, 20, 10])


def test_services_that_weir_lacks(lab):
    """Each is refused by name in its own protocol, with a status that no client tries again."""
    for service, call, arguments, code in (
        ("kms", "list_aliases", {}, "UnknownOperationException"),  # JSON
        ("sns", "list_topics", {}, "InvalidAction"),  # Query
        ("lambda", "list_functions", {}, "UnknownOperationException"),  # REST, JSON
        ("route53", "list_hosted_zones", {}, "InvalidAction"),  # REST, XML
    ):
        with refused(code, rf".*Weir does not have the service '{service}'\."):
            getattr(lab.client(service), call)(**arguments)


def test_iam(lab):
    """Roles and policies are an account's in every Region, and nobody else's."""
    iam = lab.client("iam")
    trust = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    allow = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust, Tags=[{"Key": "a", "Value": "b"}])["Role"]
    same(role["Arn"], f"arn:aws:iam::{lab.account}:role/r")
    same(role["AssumeRolePolicyDocument"]["Version"], "2012-10-17", "botocore decodes the document")
    elsewhere = lab.client("iam", region="eu-west-1")
    same(elsewhere.get_role(RoleName="r")["Role"]["RoleId"], role["RoleId"])
    same(lab.client("iam", key="987654321098").list_roles()["Roles"], [], "another account's roles")
    policy = iam.create_policy(PolicyName="p", PolicyDocument=allow)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="r", PolicyArn=policy)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.add_role_to_instance_profile(InstanceProfileName="i", RoleName="r")
    iam.get_waiter("instance_profile_exists").wait(InstanceProfileName="i")
    with refused("DeleteConflict", status=409):
        iam.delete_role(RoleName="r")
    with refused("NoSuchEntity", "The role with name none cannot be found\\.", status=404):
        iam.get_role(RoleName="none")
    iam.remove_role_from_instance_profile(InstanceProfileName="i", RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=policy)
    iam.delete_role(RoleName="r")
    iam.delete_policy(PolicyArn=policy)
    iam.delete_instance_profile(InstanceProfileName="i")


def test_dhcp_options_are_described(lab):
    (options,) = lab.ec2.describe_dhcp_options()["DhcpOptions"]
    found = {c["Key"]: [v["Value"] for v in c["Values"]] for c in options["DhcpConfigurations"]}
    same(found, {"domain-name": ["ec2.internal"], "domain-name-servers": ["AmazonProvidedDNS"]})


def test_dhcp_options_of_ones_own(lab):
    ec2, vpc = lab.ec2, lab.vpc()
    values = {"domain-name": ["example.com"], "domain-name-servers": ["10.2.5.1", "10.2.5.2"]}
    made = ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": key, "Values": of_key} for key, of_key in values.items()],
        TagSpecifications=tagged("dhcp-options", Name="a"),
    )["DhcpOptions"]
    same({c["Key"]: [v["Value"] for v in c["Values"]] for c in made["DhcpConfigurations"]}, values)
    same((made["OwnerId"], made["Tags"]), (lab.account, [{"Key": "Name", "Value": "a"}]))
    options = made["DhcpOptionsId"]
    with refused("DryRunOperation", DRY_RUN, 412):
        ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc, DryRun=True)
    ec2.associate_dhcp_options(DhcpOptionsId=options, VpcId=vpc)
    same(ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"], options)
    with refused("DependencyViolation", f"The dhcpOptions '{options}' has dependencies and cannot be deleted."):
        ec2.delete_dhcp_options(DhcpOptionsId=options)
    ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    same(ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["DhcpOptionsId"], "default")
    ec2.delete_dhcp_options(DhcpOptionsId=options)
    with refused("InvalidDhcpOptionID.NotFound", f"The dhcpOption ID '{options}' does not exist"):
        ec2.describe_dhcp_options(DhcpOptionsIds=[options])
    with refused("InvalidDhcpOptionsId.Malformed"):
        ec2.delete_dhcp_options(DhcpOptionsId="dopt-x")
    with refused("InvalidParameterValue"):
        ec2.create_dhcp_options(DhcpConfigurations=[{"Key": "boot-file", "Values": ["a"]}])


if __name__ == "__main__":
    main()
