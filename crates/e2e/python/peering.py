"""VPC peering between accounts and Regions: its API with boto3, and real packets over it."""

import gzip

from botocore.exceptions import WaiterError

from weirtest import Lab, block_in, demo, eventually, main, permission, refused, same

OPEN = "all 0.0.0.0/0"
WEST = "us-west-1"


class Side:
    """A VPC with one subnet and one instance that lets everything in."""

    def __init__(self, lab, number, rule=OPEN, wait=True):
        self.lab, self.ec2 = lab, lab.ec2
        self.cidr, self.address = f"10.{number}.0.0/16", f"10.{number}.1.10"
        self.vpc = lab.vpc(self.cidr)
        self.subnet = lab.subnet(self.vpc, f"10.{number}.1.0/24")
        self.group = lab.group(self.vpc, *filter(None, [rule]))
        self.instance = lab.run(self.subnet, self.group, self.address, wait=False)
        if wait:
            lab.running(self.instance)
        tables = self.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [self.vpc]}])
        self.table = tables["RouteTables"][0]["RouteTableId"]

    def ask(self, other):
        """Asks another side for a connection; answers its id."""
        asked = self.ec2.create_vpc_peering_connection(
            VpcId=self.vpc, PeerVpcId=other.vpc, PeerOwnerId=other.lab.account, PeerRegion=other.lab.region,
        )["VpcPeeringConnection"]
        same(asked["Status"]["Code"], "initiating-request")
        return asked["VpcPeeringConnectionId"]

    def accept(self, peering):
        self.ec2.get_waiter("vpc_peering_connection_exists").wait(
            VpcPeeringConnectionIds=[peering], WaiterConfig={"Delay": 1, "MaxAttempts": 20},
        )
        accepted = self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        same(accepted["VpcPeeringConnection"]["Status"]["Code"], "provisioning")

    def route(self, other, peering):
        self.ec2.create_route(
            RouteTableId=self.table, DestinationCidrBlock=other.cidr, VpcPeeringConnectionId=peering,
        )

    def routes(self):
        """State of the routes through connections, by destination."""
        routes = self.ec2.describe_route_tables(RouteTableIds=[self.table])["RouteTables"][0]["Routes"]
        return {r["DestinationCidrBlock"]: r["State"] for r in routes if "VpcPeeringConnectionId" in r}

    def reaches(self, other):
        return self.lab.ping(self.instance, other.address)

    def status(self, peering):
        found = self.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])
        return found["VpcPeeringConnections"][0]["Status"]["Code"]


def peer(a, b):
    """Joins two sides, with routes both ways; answers the connection's id."""
    peering = a.ask(b)
    b.accept(peering)
    a.route(b, peering)
    b.route(a, peering)
    same(a.status(peering), "active")
    return peering


def test_peers_reach_each_other_and_nobody_beyond(lab):
    other = Lab(lab.daemon)
    west = Lab(lab.daemon, other.account, WEST)
    a, b, c = Side(lab, 1, wait=False), Side(other, 2, wait=False), Side(west, 3, wait=False)
    for side in (a, b, c):
        side.lab.running(side.instance)
    same(a.reaches(b), False, "before there is a connection")
    ab, ac = peer(a, b), peer(a, c)
    for one, two in ((a, b), (b, a), (a, c), (c, a)):
        same(one.reaches(two), True, f"{one.cidr} to {two.cidr}")
    # B and C are peers of A, not of each other: routes through A lead nowhere.
    b.route(c, ab)
    c.route(b, ac)
    same((b.reaches(c), c.reaches(b)), (False, False), "peering is not transitive")
    asked = lab.weir("trace", b.instance, "icmp", c.address, check=False)
    assert f"peering connection {ab} carries only addresses of its two VPCs, not {c.address}" in asked.stdout, asked
    for side, target in ((b, c), (c, b)):
        side.ec2.delete_route(RouteTableId=side.table, DestinationCidrBlock=target.cidr)
    peer(b, c)
    same((b.reaches(c), c.reaches(b)), (True, True), "now they are peers")
    # Between Regions packets are shorter.
    large = lambda one, two, size: lab.ping(one.instance, two.address, "-Mdo", f"-s{size}")
    same((large(a, b, 8973), large(a, c, 8472), large(a, c, 8473)), (True, True, False))


class Dual:
    """A VPC with IPv4 and IPv6 that has an internet gateway."""

    def __init__(self, lab, number):
        self.lab, self.ec2, self.cidr = lab, lab.ec2, f"10.{number}.0.0/16"
        self.vpc, self.number = lab.vpc(self.cidr, ipv6=True), number
        found = self.ec2.describe_vpcs(VpcIds=[self.vpc])["Vpcs"][0]
        self.cidr6 = found["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        self.group = lab.group(self.vpc, OPEN, "all ::/0")
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)

    def subnet(self, index):
        """A subnet, its route table and an instance at its address 10."""
        block6 = block_in(self.cidr6, index)
        subnet = self.lab.subnet(self.vpc, f"10.{self.number}.{index}.0/24", Ipv6CidrBlock=block6)
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        address = f"10.{self.number}.{index}.10"
        return subnet, table, self.lab.run(subnet, self.group, address, wait=False, Ipv6AddressCount=1)

    def route(self, table, destination, **target):
        family = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        self.ec2.create_route(RouteTableId=table, **{family: destination}, **target)


def test_nobody_uses_the_gateways_of_a_peer(lab):
    ec2, hosts = lab.ec2, ("198.51.100.77", "2001:db8:ffff::77")
    for host in hosts:
        lab.weir("internet", "add", host)
    a, b = Dual(lab, 1), Dual(lab, 2)
    _, from_a, x = a.subnet(1)
    front, public, y = b.subnet(0)
    _, private, z = b.subnet(1)
    peering = ec2.create_vpc_peering_connection(VpcId=a.vpc, PeerVpcId=b.vpc)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    # B has a gateway of each kind, and A sends everything to B.
    b.route(public, "0.0.0.0/0", GatewayId=b.gateway)
    nat = ec2.create_nat_gateway(SubnetId=front, AllocationId=ec2.allocate_address(Domain="vpc")["AllocationId"])
    nat = nat["NatGateway"]["NatGatewayId"]
    lab.wait("nat_gateway_available", NatGatewayIds=[nat])
    b.route(private, "0.0.0.0/0", NatGatewayId=nat)
    only_out = ec2.create_egress_only_internet_gateway(VpcId=b.vpc)["EgressOnlyInternetGateway"]
    b.route(private, "::/0", EgressOnlyInternetGatewayId=only_out["EgressOnlyInternetGatewayId"])
    ec2.create_vpc_endpoint(VpcId=b.vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[private])
    for table in (public, private):
        b.route(table, a.cidr, VpcPeeringConnectionId=peering)
        b.route(table, a.cidr6, VpcPeeringConnectionId=peering)
    for everywhere in ("0.0.0.0/0", "::/0"):
        a.route(from_a, everywhere, VpcPeeringConnectionId=peering)
    lab.running(x, y, z)
    elastic = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=elastic["AllocationId"], InstanceId=y)
    s3 = "http://3.5.0.1/"
    for place in (y, z):
        same(lab.ping(place, hosts[0]), True, "B reaches the internet, by its internet gateway and its NAT gateway")
    same(lab.ping(z, hosts[1]), True, "and by its egress-only internet gateway")
    assert lab.get(z, s3), "and S3 by its gateway endpoint"
    for target in (y, z):
        six = lab.instance(target)["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
        addresses = (lab.instance(target)["PrivateIpAddress"], six)
        same([lab.ping(x, address) for address in addresses], [True, True], "A reaches what is in B")
    for address in (*hosts, elastic["PublicIp"]):
        same(lab.ping(x, address), False, f"A reaches {address} through B")
        told = lab.weir("trace", x, "icmpv6" if ":" in address else "icmp", address, check=False).stdout
        assert f"peering connection {peering} carries only addresses of its two VPCs, not {address}" in told, told
    same(lab.get(x, s3), None, "A reaches S3 through B's endpoint")
    # Each asks its own DNS server; the peer's does not answer.
    name = "ip-10-1-1-10.ec2.internal"
    for server, code in (("10.1.0.2", 0), ("10.2.0.2", 9)):
        same(lab.inside(x, "dig", "+tries=1", "+time=1", f"@{server}", name).returncode, code, server)


def test_overlapping_blocks_are_refused_after_the_answer(lab):
    vpcs = [lab.vpc("10.1.0.0/16"), lab.vpc("10.1.128.0/20")]
    ec2 = lab.ec2
    asked = ec2.create_vpc_peering_connection(VpcId=vpcs[0], PeerVpcId=vpcs[1])["VpcPeeringConnection"]
    same(asked["Status"]["Code"], "initiating-request")
    peering = asked["VpcPeeringConnectionId"]
    found = ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])["VpcPeeringConnections"][0]
    same(found["Status"], {
        "Code": "failed",
        "Message": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
    })
    with refused(
        "InvalidStateTransition",
        f"Invalid state transition for {peering}, attempted to transition from failed to active",
    ):
        ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)


def test_a_connection_that_ends_takes_its_packets_along(lab):
    other = Lab(lab.daemon)
    a, b = Side(lab, 1, wait=False), Side(other, 2, wait=False)
    lab.running(a.instance)
    other.running(b.instance)
    peering = a.ask(b)
    a.route(b, peering)
    same(a.routes(), {b.cidr: "blackhole"})
    with refused("OperationNotPermitted", f"User \\({lab.account}\\) cannot accept peering {peering}"):
        a.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
    b.accept(peering)
    b.route(a, peering)
    eventually("the route is active", lambda: a.routes() == {b.cidr: "active"})
    same(a.reaches(b), True)
    with refused("DependencyViolation"):
        lab.ec2.delete_vpc(VpcId=a.vpc)
    b.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    same((a.reaches(b), b.reaches(a)), (False, False))
    same((a.routes(), a.status(peering)), ({b.cidr: "blackhole"}, "deleted"))
    a.ec2.get_waiter("vpc_peering_connection_deleted").wait(VpcPeeringConnectionIds=[peering])
    with refused("InvalidStateTransition"):
        a.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    third = Lab(lab.daemon)
    with refused("InvalidVpcPeeringConnectionID.NotFound"):
        third.ec2.describe_vpc_peering_connections(VpcPeeringConnectionIds=[peering])
    try:
        third.ec2.get_waiter("vpc_peering_connection_exists").wait(
            VpcPeeringConnectionIds=[peering], WaiterConfig={"Delay": 0, "MaxAttempts": 2},
        )
    except WaiterError:
        return
    raise AssertionError("a third account waited with success")


def test_rules_refer_to_groups_of_the_peer(lab):
    other = Lab(lab.daemon)
    a, b = Side(lab, 1, rule=None, wait=False), Side(other, 2, rule=None, wait=False)
    lab.running(a.instance)
    other.running(b.instance)
    rule = permission(f"icmp {a.group}")
    rule["UserIdGroupPairs"] = [{"GroupId": a.group, "UserId": lab.account}]
    allow = lambda: b.ec2.authorize_security_group_ingress(GroupId=b.group, IpPermissions=[rule])
    with refused("InvalidGroup.NotFound", "You have specified two resources that belong to different networks."):
        allow()
    peering = peer(a, b)
    same(a.reaches(b), False, "no rule yet")
    allow()
    same(a.reaches(b), True)
    found = a.ec2.describe_security_group_references(GroupId=[a.group])["SecurityGroupReferenceSet"]
    same(found, [{"GroupId": a.group, "ReferencingVpcId": b.vpc, "VpcPeeringConnectionId": peering}])
    same(b.ec2.describe_stale_security_groups(VpcId=b.vpc)["StaleSecurityGroupSet"], [])
    a.ec2.delete_vpc_peering_connection(VpcPeeringConnectionId=peering)
    stale = b.ec2.describe_stale_security_groups(VpcId=b.vpc)["StaleSecurityGroupSet"]
    same([(g["GroupId"], g["StaleIpPermissions"][0]["UserIdGroupPairs"][0]) for g in stale], [(b.group, {
        "GroupId": a.group, "UserId": lab.account, "VpcId": a.vpc,
        "VpcPeeringConnectionId": peering, "PeeringStatus": "deleted",
    })])
    # Routes name the old connection; with new ones the rule is good again.
    for one, two in ((a, b), (b, a)):
        one.ec2.delete_route(RouteTableId=one.table, DestinationCidrBlock=two.cidr)
    peer(a, b)
    same(a.reaches(b), True)


def test_public_names_mean_private_addresses_if_the_peer_allows_it(lab):
    other = Lab(lab.daemon, region=WEST)
    a, b = Side(lab, 1, wait=False), Side(other, 2, wait=False)
    for side in (a, b):
        side.ec2.modify_vpc_attribute(VpcId=side.vpc, EnableDnsHostnames={"Value": True})
        gateway = side.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        side.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=side.vpc)
        side.lab.running(side.instance)
    allocated = b.ec2.allocate_address(Domain="vpc")
    b.ec2.associate_address(AllocationId=allocated["AllocationId"], InstanceId=b.instance)
    public = allocated["PublicIp"]
    name = f"ec2-{public.replace('.', '-')}.{WEST}.compute.amazonaws.com"
    hurry = "RES_OPTIONS=timeout:1 attempts:2"
    looked_up = lambda: lab.inside(a.instance, "env", hurry, "getent", "ahostsv4", name).stdout.split()[:1]
    peering = peer(a, b)
    same(looked_up(), [public])
    options = {"AllowDnsResolutionFromRemoteVpc": True}
    with refused(
        "OperationNotPermitted",
        f"User {lab.account} does not have permission to modify the accepter side peering options",
    ):
        a.ec2.modify_vpc_peering_connection_options(
            VpcPeeringConnectionId=peering, AccepterPeeringConnectionOptions=options,
        )
    set_there = b.ec2.modify_vpc_peering_connection_options(
        VpcPeeringConnectionId=peering, AccepterPeeringConnectionOptions=options,
    )
    same(set_there["AccepterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"], True)
    same(looked_up(), [b.address])


def test_flow_logs_tell_the_path(lab):
    other = Lab(lab.daemon)
    west = Lab(lab.daemon, lab.account, WEST)
    a, b, c = Side(lab, 1, wait=False), Side(other, 2, wait=False), Side(west, 3, wait=False)
    for side in (a, b, c):
        side.lab.running(side.instance)
    peer(a, b), peer(a, c)
    name = f"peering-{lab.account}"
    lab.client("s3").create_bucket(Bucket=name)
    made = lab.ec2.create_flow_logs(
        ResourceIds=[a.vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
        LogDestination=f"arn:aws:s3:::{name}", LogFormat="${dstaddr} ${flow-direction} ${traffic-path} ${action}",
    )
    same(made["Unsuccessful"], [])
    same((a.reaches(b), a.reaches(c)), (True, True))
    lab.weir("flows", "flush")
    lines = set()
    for one in lab.client("s3").list_objects_v2(Bucket=name)["Contents"]:
        body = lab.client("s3").get_object(Bucket=name, Key=one["Key"])["Body"].read()
        lines |= set(gzip.decompress(body).decode().splitlines()[1:])
    same({line for line in lines if not line.startswith("-")}, {
        f"{b.address} egress 4 ACCEPT", f"{c.address} egress 5 ACCEPT", f"{a.address} ingress - ACCEPT",
    })


def test_the_demo_ends_as_it_should(_):
    demo("peering", {
        ("A", "ask a VPC with 10.1.128.0/20", "initiating-request, then failed"),
        ("A", "ping B, 3 times", "3 of 3 replies"), ("A", "ping C, 3 times", "3 of 3 replies"),
        ("B", "ping C, 3 times", "0 of 3 replies"), ("C", "ping B, 3 times", "0 of 3 replies"),
        ("A", "ping an internet host, 3 times", "0 of 3 replies"),
        ("B", "ping C, 3 times", "3 of 3 replies"), ("C", "ping B, 3 times", "3 of 3 replies"),
        ("A", "look at the connection with B", "deleted"),
    }, {
        ("B", "egress", "10.2.1.10", "10.3.1.10", "icmp", "ACCEPT", "4"),
        ("B", "egress", "10.2.1.10", "10.3.1.10", "icmp", "ACCEPT", "5"),
        ("C", "ingress", "10.2.1.10", "10.3.1.10", "icmp", "ACCEPT", "-"),
    })


main()
