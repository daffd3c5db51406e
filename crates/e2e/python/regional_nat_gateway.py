"""Regional NAT gateways: an address for each zone, no network interface, and flow logs of their own."""

import gzip

from egress import TALK, Program, agree, ask, described, serving, state, table
from weirtest import eventually, main, refused, same


class Regional:
    """A VPC with private subnets in two zones behind one automatic gateway, and a host of the internet that serves."""

    def __init__(self, lab, host):
        ec2 = lab.ec2
        self.lab, self.host = lab, host
        self.vpc = lab.vpc()
        self.a = lab.subnet(self.vpc, "10.0.1.0/24", AvailabilityZone="us-east-1a")
        self.b = lab.subnet(self.vpc, "10.0.2.0/24", AvailabilityZone="us-east-1b")
        self.internet_gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.internet_gateway, VpcId=self.vpc)
        made = ec2.create_nat_gateway(VpcId=self.vpc, AvailabilityMode="regional")["NatGateway"]
        same((made["State"], made["AutoProvisionZones"]), ("pending", "enabled"))
        self.id = made["NatGatewayId"]
        lab.wait("nat_gateway_available", NatGatewayIds=[self.id])
        self.tables = [
            table(lab, self.vpc, subnet, **{"0.0.0.0/0": ("NatGatewayId", self.id)}) for subnet in (self.a, self.b)
        ]
        self.group = lab.group(self.vpc, "all 0.0.0.0/0")
        self.x = lab.run(self.a, self.group, "10.0.1.5", wait=False)
        lab.weir("internet", "add", host)
        self.outside = f"internet:{host}"
        lab.running(self.x)
        eventually("zone a has an address", lambda: "us-east-1a" in self.addresses())
        self.programs = serving(lab, self.outside, host)

    def addresses(self):
        """Public addresses by zone."""
        own = described(self.lab, self.id)["NatGatewayAddresses"]
        return {a["AvailabilityZone"]: a["PublicIp"] for a in own if a["Status"] == "succeeded"}


def test_hosts_of_each_zone_have_the_address_of_their_zone(lab):
    net = Regional(lab, "203.0.113.5")
    first = net.addresses()
    same(list(first), ["us-east-1a"])
    same(lab.ping(net.x, net.host), True)
    same(lab.get(net.x, f"http://{net.host}/"), f"{first['us-east-1a']}\n")
    same(ask(lab, net.x, net.host), f"{first['us-east-1a']} hello")
    y = lab.run(net.b, net.group, "10.0.2.5")
    eventually("zone b has an address", lambda: len(net.addresses()) == 2)
    both = net.addresses()
    same(both["us-east-1a"], first["us-east-1a"])
    same(lab.get(y, f"http://{net.host}/"), f"{both['us-east-1b']}\n")
    # Nobody gets in.
    for address in both.values():
        same(lab.ping(net.outside, address), False)
        same(lab.get(net.outside, f"http://{address}/"), None)
    # It is a hop.
    hop = lab.inside(net.x, "ping", "-c1", "-W1", "-t", "1", net.host).stdout
    assert both["us-east-1a"] in hop and "Time to live exceeded" in hop, hop
    same(agree(lab, net.x, "tcp", net.host, 80), "answered")
    same(agree(lab, y, "icmp", net.host), "answered")
    same(agree(lab, net.outside, "tcp", both["us-east-1a"], 80), "refused")
    # Its addresses are its own, and its table has the way out.
    managed = lab.ec2.describe_addresses()["Addresses"]
    same({a["PublicIp"] for a in managed}, set(both.values()))
    same({a["ServiceManaged"] for a in managed}, {"rnat"})
    gateway = described(lab, net.id)
    same(state(lab, gateway["RouteTableId"], "0.0.0.0/0"), "active")
    with refused("DependencyViolation"):
        lab.ec2.delete_route_table(RouteTableId=gateway["RouteTableId"])
    enis = lab.ec2.describe_network_interfaces(Filters=[{"Name": "vpc-id", "Values": [net.vpc]}])
    same(len(enis["NetworkInterfaces"]), 2, "those of the instances")


def test_flow_logs_of_the_gateway(lab):
    net = Regional(lab, "203.0.113.15")
    public = net.addresses()["us-east-1a"]
    form = "${resource-id} ${instance-id} ${interface-id} ${subnet-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr}"
    s3 = lab.client("s3")
    s3.create_bucket(Bucket="records")
    common = {"TrafficType": "ALL", "LogFormat": form}
    to_group = {"DeliverLogsPermissionArn": f"arn:aws:iam::{lab.account}:role/logs"}
    for kind, resource, more in [
        ("RegionalNatGateway", net.id, {"LogGroupName": "own", **to_group}),
        ("RegionalNatGateway", net.id, {"LogDestinationType": "s3", "LogDestination": "arn:aws:s3:::records"}),
        ("VPC", net.vpc, {"LogGroupName": "vpc", **to_group}),
    ]:
        made = lab.ec2.create_flow_logs(ResourceIds=[resource], ResourceType=kind, **common, **more)
        same(made["Unsuccessful"], [])
    same(lab.ping(net.x, net.host), True)
    lab.weir("flows", "flush")
    own = sorted([
        f"{net.id} - - - 10.0.1.5 {net.host} 10.0.1.5 {net.host}",
        f"{net.id} - - - {public} {net.host} {public} {net.host}",
        f"{net.id} - - - {net.host} {public} {net.host} {public}",
        f"{net.id} - - - {net.host} 10.0.1.5 {net.host} 10.0.1.5",
    ])
    client = f"- {net.x} {lab.interface(net.x)} {net.a}"
    logs = lab.client("logs")

    def lines(group):
        return sorted(e["message"] for e in logs.filter_log_events(logGroupName=group)["events"])

    same(lines("own"), own)
    streams = logs.describe_log_streams(logGroupName="own")["logStreams"]
    same([s["logStreamName"] for s in streams], [f"{net.id}-all"])
    same(lines("vpc"), sorted([
        f"{client} 10.0.1.5 {net.host} 10.0.1.5 {net.host}",
        f"{client} {net.host} 10.0.1.5 {net.host} 10.0.1.5",
    ]))
    files = s3.list_objects_v2(Bucket="records")["Contents"]
    text = [gzip.decompress(s3.get_object(Bucket="records", Key=f["Key"])["Body"].read()).decode() for f in files
            if f["Key"].endswith(".gz")]
    same(sorted(line for t in text for line in t.splitlines()[1:]), own)
    # With the gateway, its flow logs go.
    lab.ec2.delete_nat_gateway(NatGatewayId=net.id)
    lab.wait("nat_gateway_deleted", NatGatewayIds=[net.id])
    left = lab.ec2.describe_flow_logs()["FlowLogs"]
    same([f["ResourceId"] for f in left], [net.vpc])


def test_a_deleted_gateway_cuts_connections(lab):
    net = Regional(lab, "203.0.113.25")
    with Program(lab, net.x, TALK, net.host) as talk:
        same(talk.says(), "connected")
        same(talk.asked(), "still there?")
        gateway = described(lab, net.id)
        with refused("DependencyViolation"):
            lab.ec2.detach_internet_gateway(InternetGatewayId=net.internet_gateway, VpcId=net.vpc)
        lab.ec2.delete_nat_gateway(NatGatewayId=net.id)
        same(state(lab, net.tables[0], "0.0.0.0/0"), "blackhole")
        same(talk.asked(), "TimeoutError")
    lab.wait("nat_gateway_deleted", NatGatewayIds=[net.id])
    same(lab.ec2.describe_addresses()["Addresses"], [])
    with refused("InvalidRouteTableID.NotFound"):
        lab.ec2.describe_route_tables(RouteTableIds=[gateway["RouteTableId"]])
    lab.ec2.detach_internet_gateway(InternetGatewayId=net.internet_gateway, VpcId=net.vpc)


if __name__ == "__main__":
    main()
