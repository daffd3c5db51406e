"""All fields of flow logs at once, of real programs' packets; and that the records leave none of them out."""

import json
import tempfile

from egress import ECHO, nat, serving, table
from flow_logs import bucket, flush, lines
from weirtest import Daemon, Lab, eventually, main, same

FIELDS = """
    version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status
    vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr
    region az-id sublocation-type sublocation-id
    pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path
    ecs-cluster-arn ecs-cluster-name ecs-container-instance-arn ecs-container-instance-id ecs-container-id
    ecs-second-container-id ecs-service-name ecs-task-definition-arn ecs-task-arn ecs-task-id
    reject-reason resource-id encryption-status
    instance-tag instance-tag-2 interface-tag interface-tag-2 asg-tag asg-tag-2 interface-type
    next-hop-interface-id next-hop-subnet-id next-hop-az-id next-hop-vpc-id next-hop-interface-type
""".split()
HOST = "198.51.100.7"
RANGES = {"prefixes": [
    {"ip_prefix": "198.51.100.0/24", "region": "GLOBAL", "service": "AMAZON", "network_border_group": "GLOBAL"},
    {"ip_prefix": "198.51.100.0/24", "region": "GLOBAL", "service": "CLOUDFRONT", "network_border_group": "GLOBAL"},
]}
# One question from a port of our choice, and what the answer is.
ASK = """
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.bind(("", 4000))
client.settimeout(2)
client.sendto(b"hello", (sys.argv[1], 53))
print(client.recv(2048).decode())
"""
# A request from a port of our choice; the answer is short, so that no packet is cut or joined on the way.
REQUEST = """
import socket, sys
client = socket.create_connection((sys.argv[1], 80), timeout=5, source_address=("", 4001))
client.sendall(b"GET / HTTP/1.0\\r\\nHost: sts.us-east-1.amazonaws.com\\r\\n\\r\\n")
told = b""
while data := client.recv(2048):
    told += data
print(told.split(b"\\r\\n")[0].decode(), len(told))
client.close()
"""
TASK = "arn:aws:ecs:us-east-1:123456789012:task/shop/74de0355"


def with_ranges(content):
    """A file of AWS's ranges."""
    file = tempfile.NamedTemporaryFile("w", suffix=".json")
    file.write(content if isinstance(content, str) else json.dumps(content))
    file.flush()
    return file


def counted(lab, instance):
    """Frames and bytes of IPv4 and ARP that the instance's own kernel has counted, received and sent.

    Of IPv6 there is only what the kernel says to its link by itself.
    """
    told = lab.inside(instance, "ip", "-j", "-s", "link", "show", "dev", "eth0", check=True).stdout
    stats = json.loads(told)[0]["stats64"]
    told = lab.inside(instance, "cat", "/proc/net/dev_snmp6/eth0", check=True).stdout
    six = {words[0]: int(words[1]) for words in map(str.split, told.splitlines())}
    names = {"rx": ("Ip6InReceives", "Ip6InOctets"), "tx": ("Ip6OutRequests", "Ip6OutOctets")}
    return {
        side: (stats[side]["packets"] - six[packets], stats[side]["bytes"] - six[octets] - 14 * six[packets])
        for side, (packets, octets) in names.items()
    }


class Network:
    """An instance `x` without a public address, a neighbour `y`, a NAT gateway, an endpoint, and a host outside."""

    def __init__(self, lab):
        ec2 = self.ec2 = lab.ec2
        self.lab, self.vpc = lab, lab.vpc()
        self.public = lab.subnet(self.vpc, "10.0.0.0/24", AvailabilityZone="us-east-1b")
        self.private = lab.subnet(self.vpc, "10.0.1.0/24", AvailabilityZone="us-east-1c")
        gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table(lab, self.vpc, self.public, **{"0.0.0.0/0": ("GatewayId", gateway)})
        address = ec2.allocate_address(Domain="vpc")
        self.nat = nat(lab, self.public, address["AllocationId"])
        self.nat_eni = self.nat["NatGatewayAddresses"][0]["NetworkInterfaceId"]
        self.nat_address = self.nat["NatGatewayAddresses"][0]["PrivateIp"]
        table(lab, self.vpc, self.private, **{"0.0.0.0/0": ("NatGatewayId", self.nat["NatGatewayId"])})
        lab.weir("internet", "add", HOST)
        self.group = lab.group(self.vpc, "icmp 10.0.0.0/16", "tcp 80 10.0.0.0/16")
        made = ec2.create_vpc_endpoint(
            VpcEndpointType="Interface", VpcId=self.vpc, ServiceName="com.amazonaws.us-east-1.sts",
            SubnetIds=[self.private], SecurityGroupIds=[self.group], PrivateDnsEnabled=False,
        )["VpcEndpoint"]["VpcEndpointId"]
        self.endpoint_eni = eventually("the endpoint has an interface", lambda: self.endpoint_interface(made))
        rows = ec2.describe_network_interfaces(NetworkInterfaceIds=[self.endpoint_eni])["NetworkInterfaces"]
        self.endpoint_address = rows[0]["PrivateIpAddress"]
        tags = {"Team": "platform-engineering", "autoscaling:groupName": "web"}
        self.x = lab.run(
            self.private, self.group, "10.0.1.10", wait=False,
            TagSpecifications=[{"ResourceType": "instance", "Tags": tag_list(tags)}],
        )
        self.y = lab.run(self.private, self.group, "10.0.1.11", wait=False)
        lab.running(self.x, self.y)
        self.eni_x, self.eni_y = lab.interface(self.x), lab.interface(self.y)
        own = {"Name": "eth 0", "ecs-task-arn": TASK}
        ec2.create_tags(Resources=[self.eni_x], Tags=tag_list(own))

    def endpoint_interface(self, endpoint):
        row = self.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]
        return row["State"] == "available" and row["NetworkInterfaceIds"][0]

    def record(self, **fields):
        """What an accepted record of IPv4 says if nothing is said of it."""
        known = dict.fromkeys(FIELDS, "-")
        known |= {
            "version": "11", "account-id": self.lab.account, "log-status": "OK", "action": "ACCEPT", "type": "IPv4",
            "vpc-id": self.vpc, "region": "us-east-1", "tcp-flags": "0",
        }
        return known | {name.replace("_", "-"): value for name, value in fields.items()}

    def of_x(self, direction, there, **fields):
        """A record of x's interface about an exchange with somebody."""
        ends = ("10.0.1.10", there) if direction == "egress" else (there, "10.0.1.10")
        return self.record(
            interface_id=self.eni_x, subnet_id=self.private, instance_id=self.x, az_id="use1-az3",
            instance_tag="platform%2Dengineering", interface_tag="eth%200", asg_tag="platform%2Dengineering",
            ecs_task_arn=TASK, ecs_task_id="74de0355", flow_direction=direction,
            srcaddr=ends[0], dstaddr=ends[1], pkt_srcaddr=ends[0], pkt_dstaddr=ends[1], **fields,
        )

    def of_nat(self, direction, shown, packet, **fields):
        """A record of the NAT gateway's interface."""
        return self.record(
            interface_id=self.nat_eni, subnet_id=self.public, az_id="use1-az2", interface_type="nat_gateway",
            flow_direction=direction, srcaddr=shown[0], dstaddr=shown[1], pkt_srcaddr=packet[0],
            pkt_dstaddr=packet[1], **fields,
        )

    def of_endpoint(self, direction, ends, **fields):
        """A record of the endpoint's interface."""
        return self.record(
            interface_id=self.endpoint_eni, subnet_id=self.private, az_id="use1-az3", interface_type="vpc_endpoint",
            flow_direction=direction, srcaddr=ends[0], dstaddr=ends[1], pkt_srcaddr=ends[0], pkt_dstaddr=ends[1],
            **fields,
        )

    def next(self, name):
        """The fields of the next hop."""
        zone, subnet = ("use1-az2", self.public) if name == "nat" else ("use1-az3", self.private)
        found = {
            "nat": (self.nat_eni, "nat_gateway"), "endpoint": (self.endpoint_eni, "vpc_endpoint"),
            "x": (self.eni_x, "-"), "y": (self.eni_y, "-"),
        }[name]
        return {
            "next_hop_interface_id": found[0], "next_hop_subnet_id": subnet, "next_hop_az_id": zone,
            "next_hop_vpc_id": self.vpc, "next_hop_interface_type": found[1],
        }


def tag_list(tags):
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def record(found, **wanted):
    """The one record that has these values."""
    wanted = {name.replace("_", "-"): value for name, value in wanted.items()}
    fitting = [one for one in found if wanted.items() <= one.items()]
    same(len(fitting), 1, f"one record with {wanted} of {json.dumps(found, indent=1)}")
    return fitting[0]


def check(found, expected, **counts):
    """Every field of the record that has the expected ends."""
    keys = ("interface-id", "flow-direction", "pkt-srcaddr", "pkt-dstaddr", "protocol", "action")
    one = record(found, **{key: expected[key] for key in keys if key in expected}, **counts)
    now = {name: one[name] for name in ("start", "end", "packets", "bytes")}
    assert int(now["start"]) <= int(now["end"]) and int(now["packets"]) > 0, one
    same(one, expected | now | {k.replace("_", "-"): v for k, v in counts.items()})
    return one


def test_every_field_of_every_kind_of_record(_):
    with with_ranges(RANGES) as ranges, Daemon(None, "--ip-ranges", ranges.name) as daemon:
        lab = Lab(daemon)
        net = Network(lab)
        programs = serving(lab, f"internet:{HOST}", HOST, ECHO)
        name = bucket(lab)
        text = " ".join(f"${{{field}}}" for field in FIELDS)
        same(len(FIELDS), 54)
        made = lab.ec2.create_flow_logs(
            ResourceIds=[net.vpc], ResourceType="VPC", TrafficType="ALL", LogFormat=text, MaxAggregationInterval=60,
            LogDestinationType="s3", LogDestination=f"arn:aws:s3:::{name}",
            TagFieldSpecifications=[
                {"ResourceType": "instance", "TagKeys": ["Team", "Stage"]},
                {"ResourceType": "network-interface", "TagKeys": ["Name", "Stage"]},
                {"ResourceType": "auto-scaling-group", "TagKeys": ["Team", "Stage"]},
            ],
        )
        same(made["Unsuccessful"], [])
        before = counted(lab, net.x)
        same(lab.inside(net.x, "ping", "-q", "-i0.05", "-c3", "-W1", "10.0.1.11").returncode, 0)
        lab.inside(net.x, "python3", "-c", ASK, HOST, check=True)
        told = lab.inside(net.x, "python3", "-c", REQUEST, net.endpoint_address, check=True).stdout
        assert told.startswith("HTTP/1."), told
        same(lab.get(net.x, "http://10.0.1.11:81/"), None, "y's group refuses port 81")
        same(lab.get(net.y, "http://10.0.1.10:81/"), None, "x's group refuses port 81")
        after = counted(lab, net.x)
        flush(lab)
        found = [one for one in lines(lab, name) if one["log-status"] == "OK"]
        same(list(found[0]), FIELDS)

        ping = {"protocol": "1", "srcport": "0", "dstport": "0", "packets": "3", "bytes": "252"}
        check(found, net.of_x("egress", "10.0.1.11", traffic_path="1", **net.next("y"), **ping))
        check(found, net.of_x("ingress", "10.0.1.11", **net.next("y"), **ping))

        # The question and its answer at x, and on both sides of the NAT gateway.
        out, back = {"srcport": "4000", "dstport": "53"}, {"srcport": "53", "dstport": "4000"}
        udp = {"protocol": "17", "packets": "1"}
        there, here = "10.0.1.10", net.nat_address
        check(found, net.of_x(
            "egress", HOST, traffic_path="1", pkt_dst_aws_service="CLOUDFRONT", **net.next("nat"), **out, **udp,
        ))
        check(found, net.of_x("ingress", HOST, pkt_src_aws_service="CLOUDFRONT", **net.next("nat"), **back, **udp))
        check(found, net.of_nat(
            "ingress", (there, here), (there, HOST), pkt_dst_aws_service="CLOUDFRONT", **net.next("x"), **out, **udp,
        ))
        left = record(found, interface_id=net.nat_eni, flow_direction="egress", dstaddr=HOST)
        translated = left["srcport"]
        check(found, net.of_nat(
            "egress", (here, HOST), (here, HOST), pkt_dst_aws_service="CLOUDFRONT", traffic_path="8",
            srcport=translated, dstport="53", **udp,
        ))
        check(found, net.of_nat(
            "ingress", (HOST, here), (HOST, here), pkt_src_aws_service="CLOUDFRONT",
            srcport="53", dstport=translated, **udp,
        ))
        check(found, net.of_nat(
            "egress", (here, there), (HOST, there), pkt_src_aws_service="CLOUDFRONT", traffic_path="1",
            **net.next("x"), **back, **udp,
        ))

        # A connection to the endpoint: opened and closed by both in one window.
        out, back = {"srcport": "4001", "dstport": "80"}, {"srcport": "80", "dstport": "4001"}
        end = net.endpoint_address
        client, server = {"protocol": "6", "tcp_flags": "3"}, {"protocol": "6", "tcp_flags": "19"}
        sent = check(found, net.of_x("egress", end, traffic_path="1", **net.next("endpoint"), **out, **client))
        got = check(found, net.of_x("ingress", end, **net.next("endpoint"), **back, **server))
        for direction, ends, other, ports, path in (
            ("ingress", (there, end), sent, out | client, "-"), ("egress", (end, there), got, back | server, "1"),
        ):
            one = check(found, net.of_endpoint(direction, ends, traffic_path=path, **net.next("x"), **ports))
            same((one["packets"], one["bytes"]), (other["packets"], other["bytes"]))

        # What y's group refuses has left x; what x's group refuses is its own.
        refused = record(found, interface_id=net.eni_x, flow_direction="egress", dstaddr="10.0.1.11", dstport="81")
        check(found, net.of_x(
            "egress", "10.0.1.11", protocol="6", tcp_flags="2", traffic_path="1", dstport="81",
            srcport=refused["srcport"], **net.next("y"),
        ))
        refused = record(found, interface_id=net.eni_x, flow_direction="ingress", srcaddr="10.0.1.11", dstport="81")
        check(found, net.of_x(
            "ingress", "10.0.1.11", protocol="6", tcp_flags="2", action="REJECT", dstport="81",
            srcport=refused["srcport"], **net.next("y"),
        ))
        record(found, interface_id=net.eni_y, flow_direction="ingress", action="REJECT", srcaddr="10.0.1.10")

        # The kernel inside counts the same, but for ARP: frames of 42 bytes, which no packet above is as short as.
        for side, direction in (("rx", "ingress"), ("tx", "egress")):
            own = [one for one in found if one["interface-id"] == net.eni_x and one["flow-direction"] == direction]
            passed = [one for one in own if side == "tx" or one["action"] == "ACCEPT"]
            packets = sum(int(one["packets"]) for one in passed)
            octets = sum(int(one["bytes"]) + 14 * int(one["packets"]) for one in passed)
            frames = after[side][0] - before[side][0] - packets
            rest = after[side][1] - before[side][1] - octets
            same(rest, 42 * frames, f"{side}: only ARP is not recorded")
            assert 0 <= frames <= 20 and packets >= 8, (side, frames, packets)
        for program in programs:
            program.__exit__()


def test_files_that_are_no_ranges_stop_the_start(_):
    broken = '{"prefixes": [\n  {"ip_prefix": "52.95.300.0/21", "service": "S3"}]}'
    for content, expected in (
        (broken, '"52.95.300.0/21" is no CIDR block at line 2 column'),
        ("{}", "missing field `prefixes`"),
        ("not json", "at line 1 column"),
    ):
        with with_ranges(content) as file:
            try:
                Daemon(None, "--ip-ranges", file.name).end()
            except AssertionError as error:
                assert expected in str(error) and f"--ip-ranges {file.name}" in str(error), error
            else:
                raise AssertionError(f"started with {content}")
    try:
        Daemon(None, "--ip-ranges", "/no/such/file").end()
    except AssertionError as error:
        assert "--ip-ranges /no/such/file" in str(error) and "No such file" in str(error), error
    else:
        raise AssertionError("started without the file")


if __name__ == "__main__":
    main(daemon="none")
