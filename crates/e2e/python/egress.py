"""Ways out that are no ways in: NAT gateways and egress-only internet gateways, with real programs on both sides."""

import json
import re
import subprocess
import urllib.request

from weirtest import WEIR, block_in, demo, eventually, main, refused, same

ECHO = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    data, sender = server.recvfrom(2048)
    server.sendto(sender[0].encode() + b" " + data, sender)
"""
ASK = """
import socket, sys
client = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(2)
client.sendto(b"hello", (sys.argv[1], 53))
print(client.recv(2048).decode())
"""
# Says who has come, as a page; a connection that stays open says one more line for each line.
PAGE = """
import socketserver, sys
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            if line.startswith(b"GET"):
                body = self.client_address[0].encode() + b"\\n"
                self.wfile.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
                return
            self.wfile.write(line)
class Server(socketserver.ThreadingTCPServer):
    import socket
    allow_reuse_address = True
    daemon_threads = True
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
print("ready", flush=True)
Server((sys.argv[1], 80), Handler).serve_forever()
"""
# Keeps a connection; for each line of input it tells whether that still answers.
TALK = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 80), timeout=2)
print("connected", flush=True)
for line in sys.stdin:
    try:
        connection.sendall(b"still there?\\n")
        print(connection.recv(100).decode().strip() or "closed", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""

# Hears everything and answers questions only.
HEAR = """
import socket, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 54))
print("ready", flush=True)
while True:
    data, sender = server.recvfrom(64)
    if data == b"?":
        server.sendto(b"!", sender)
"""
# Sends from one port after the other until no answer comes back, and says from which. Each hundredth asks.
FILL = """
import socket, sys
for port in range(1024, 65536):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("", port))
        asks = port % 100 == 0
        client.sendto(b"?" if asks else b".", (sys.argv[1], 54))
        if asks:
            client.settimeout(1)
            try:
                client.recv(64)
            except TimeoutError:
                print(port)
                break
"""


class Program:
    """A program inside an instance or on an internet host, with which one can talk."""

    def __init__(self, lab, place, script, *arguments):
        self.process = subprocess.Popen(
            [WEIR, "--endpoint", lab.daemon.endpoint, "exec", place, "--", "python3", "-uc", script, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )

    def says(self):
        return self.process.stdout.readline().strip()

    def asked(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.says()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait(10)


def serving(lab, place, address, *scripts):
    """Programs that serve at a place; they end with the test's daemon."""
    programs = [Program(lab, place, script, address) for script in scripts or (ECHO, PAGE)]
    for program in programs:
        same(program.says(), "ready")
    return programs


def table(lab, vpc, subnet, **routes):
    """A route table of the subnet's own; the routes are by destination, with the parameter and the id of the target."""
    ec2 = lab.ec2
    made = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=made, SubnetId=subnet)
    for destination, (parameter, target) in routes.items():
        family = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        ec2.create_route(RouteTableId=made, **{family: destination, parameter: target})
    return made


def state(lab, made, destination):
    routes = lab.ec2.describe_route_tables(RouteTableIds=[made])["RouteTables"][0]["Routes"]
    names = ("DestinationCidrBlock", "DestinationIpv6CidrBlock")
    return next(r["State"] for r in routes if destination in [r.get(n) for n in names])


def nat(lab, subnet, allocation=None, **more):
    """A NAT gateway that takes packets: public with an allocation, else private."""
    kind = {"AllocationId": allocation} if allocation else {"ConnectivityType": "private"}
    made = lab.ec2.create_nat_gateway(SubnetId=subnet, **kind, **more)["NatGateway"]
    same(made["State"], "pending")
    lab.wait("nat_gateway_available", NatGatewayIds=[made["NatGatewayId"]])
    return described(lab, made["NatGatewayId"])


def described(lab, gateway):
    return lab.ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0]


def ask(lab, place, address):
    done = lab.inside(place, "python3", "-c", ASK, address)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def agree(lab, source, protocol, destination, *port):
    """What `weir trace` and `weir probe` both say."""
    outcomes = []
    for command in ("trace", "probe"):
        done = lab.weir(command, "--json", source, protocol, destination, *port, check=False)
        assert done.returncode in (0, 1, 2), done.stderr
        outcomes.append(json.loads(done.stdout)["outcome"])
    same(outcomes[0], outcomes[1], f"trace and probe of {source} {protocol} {destination} {port}")
    return outcomes[0]


class Public:
    """A private instance behind a public NAT gateway, and a host of the internet that serves."""

    def __init__(self, lab, host):
        ec2 = lab.ec2
        self.lab, self.host = lab, host
        self.vpc = lab.vpc()
        self.front, self.back = lab.subnet(self.vpc, "10.0.0.0/24"), lab.subnet(self.vpc)
        self.internet_gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        ec2.attach_internet_gateway(InternetGatewayId=self.internet_gateway, VpcId=self.vpc)
        table(lab, self.vpc, self.front, **{"0.0.0.0/0": ("GatewayId", self.internet_gateway)})
        self.elastic = ec2.allocate_address(Domain="vpc")
        self.group = lab.group(self.vpc, "all 0.0.0.0/0")
        self.x = lab.run(self.back, self.group, "10.0.1.5", wait=False)
        lab.weir("internet", "add", host)
        self.gateway = nat(lab, self.front, self.elastic["AllocationId"], PrivateIpAddress="10.0.0.220")
        self.id = self.gateway["NatGatewayId"]
        self.table = table(lab, self.vpc, self.back, **{"0.0.0.0/0": ("NatGatewayId", self.id)})
        lab.running(self.x)
        self.outside = f"internet:{host}"
        self.programs = serving(lab, self.outside, host)


def test_a_private_instance_reaches_the_internet_and_is_not_reached(lab):
    net = Public(lab, "203.0.113.5")
    public = net.elastic["PublicIp"]
    same(lab.ping(net.x, net.host), True)
    same(lab.get(net.x, f"http://{net.host}/"), f"{public}\n", "the host sees the gateway's address")
    same(ask(lab, net.x, net.host), f"{public} hello")
    # Long and fragmented packets too.
    same(lab.ping(net.x, net.host, "-s", "4000"), False, "fragments of ICMP are not translated")
    same(lab.ping(net.x, net.host, "-M", "do", "-s", "1472"), True)
    # Neither the gateway nor what is behind it can be reached.
    for address in (public, "10.0.1.5"):
        same(lab.ping(net.outside, address), False)
        same(lab.get(net.outside, f"http://{address}/"), None)
    # It is a hop, and says so.
    hop = lab.inside(net.x, "ping", "-c1", "-W1", "-t", "1", net.host).stdout
    assert "10.0.0.220" in hop and "Time to live exceeded" in hop, hop
    same(lab.ping(net.x, net.host, "-t", "2"), True)
    # What would happen is what happens.
    same(agree(lab, net.x, "icmp", net.host), "answered")
    same(agree(lab, net.x, "tcp", net.host, 80), "answered")
    same(agree(lab, net.x, "udp", net.host, 5300), "answered")
    same(agree(lab, net.outside, "tcp", public, 80), "refused")
    same(agree(lab, net.outside, "icmp", public), "refused")
    told = lab.weir("trace", net.x, "tcp", net.host, 80).stdout
    assert re.search(rf"{net.id}.*source 10\.0\.1\.5:\d+ is 10\.0\.0\.220:\d+", told), told


def test_flow_logs_of_the_gateways_interface(lab):
    net = Public(lab, "203.0.113.15")
    eni = net.gateway["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    logs = lab.client("logs")
    form = "${instance-id} ${interface-id} ${srcaddr} ${dstaddr} ${pkt-srcaddr} ${pkt-dstaddr}"
    levels = {"VPC": net.vpc, "Subnet": net.front, "NetworkInterface": eni}
    for kind, resource in levels.items():
        made = lab.ec2.create_flow_logs(
            ResourceIds=[resource], ResourceType=kind, TrafficType="ALL", LogGroupName=kind,
            DeliverLogsPermissionArn=f"arn:aws:iam::{lab.account}:role/logs", LogFormat=form,
        )
        same(made["Unsuccessful"], [])
    same(lab.ping(net.x, net.host), True)
    lab.weir("flows", "flush")
    own = sorted([
        f"- {eni} 10.0.1.5 10.0.0.220 10.0.1.5 {net.host}",
        f"- {eni} 10.0.0.220 {net.host} 10.0.0.220 {net.host}",
        f"- {eni} {net.host} 10.0.0.220 {net.host} 10.0.0.220",
        f"- {eni} 10.0.0.220 10.0.1.5 {net.host} 10.0.1.5",
    ])
    client = lab.interface(net.x)
    of_client = sorted([
        f"{net.x} {client} 10.0.1.5 {net.host} 10.0.1.5 {net.host}",
        f"{net.x} {client} {net.host} 10.0.1.5 {net.host} 10.0.1.5",
    ])

    def lines(group, interface):
        events = logs.filter_log_events(logGroupName=group)["events"]
        return sorted(e["message"] for e in events if f" {interface} " in e["message"] and " - - - -" not in e["message"])

    for kind in levels:
        same(lines(kind, eni), own, kind)
    same(lines("VPC", client), of_client)
    same(lines("Subnet", client), [])


def test_a_gateway_runs_out_of_ports_for_one_destination(lab):
    """55,000 connections of an address to one address, port and protocol ("NAT gateway basics")."""
    net = Public(lab, "203.0.113.45")
    (hears,) = serving(lab, net.outside, net.host, HEAR)
    with hears:
        last = int(lab.inside(net.x, "python3", "-c", FILL, net.host, check=True, timeout=120).stdout)
    assert 1024 + 55_000 <= last, last
    with urllib.request.urlopen(f"{lab.daemon.endpoint}/_weir/metrics") as answer:
        (dropped,) = re.findall(r'reason="nat_port_allocation"} (\d+)', answer.read().decode())
    assert int(dropped) > 0, dropped
    # Other destinations have ports of their own.
    same(ask(lab, net.x, net.host), f"{net.elastic['PublicIp']} hello")
    same(lab.ping(net.x, net.host), True)


def test_a_deleted_gateway_cuts_connections(lab):
    net = Public(lab, "203.0.113.25")
    with Program(lab, net.x, TALK, net.host) as talk:
        same(talk.says(), "connected")
        same(talk.asked(), "still there?")
        same(state(lab, net.table, "0.0.0.0/0"), "active")
        same(lab.ec2.delete_nat_gateway(NatGatewayId=net.id)["NatGatewayId"], net.id)
        same(state(lab, net.table, "0.0.0.0/0"), "blackhole")
        same(talk.asked(), "TimeoutError")
    same(lab.ping(net.x, net.host), False)
    told = lab.weir("trace", net.x, "icmp", net.host, check=False)
    assert told.returncode == 1 and "blackhole" in told.stdout, told.stdout
    lab.wait("nat_gateway_deleted", NatGatewayIds=[net.id])
    gone = described(lab, net.id)
    same(gone["State"], "deleted")
    assert "DeleteTime" in gone
    same(state(lab, net.table, "0.0.0.0/0"), "blackhole")
    # Its address is free, and its interface gone.
    (address,) = lab.ec2.describe_addresses()["Addresses"]
    assert "AssociationId" not in address, address
    lab.ec2.release_address(AllocationId=net.elastic["AllocationId"])
    found = lab.ec2.describe_network_interfaces(Filters=[{"Name": "interface-type", "Values": ["nat_gateway"]}])
    same(found["NetworkInterfaces"], [])
    lab.ec2.detach_internet_gateway(InternetGatewayId=net.internet_gateway, VpcId=net.vpc)


def test_a_draining_address_lets_connections_end(lab):
    net = Public(lab, "203.0.113.35")
    more = lab.ec2.allocate_address(Domain="vpc")
    added = lab.ec2.associate_nat_gateway_address(NatGatewayId=net.id, AllocationIds=[more["AllocationId"]])
    (address,) = added["NatGatewayAddresses"]
    # Which of its addresses a gateway uses for a client depends on the client.
    clients = [net.x, *(lab.run(net.back, net.group, wait=False) for _ in range(3))]
    lab.running(*clients)
    used = {client: lab.get(client, f"http://{net.host}/").strip() for client in clients}
    assert set(used.values()) <= {net.elastic["PublicIp"], more["PublicIp"]}, used
    talks = {client: Program(lab, client, TALK, net.host) for client in clients}
    try:
        for talk in talks.values():
            same(talk.says(), "connected")
        lab.ec2.disassociate_nat_gateway_address(
            NatGatewayId=net.id, AssociationIds=[address["AssociationId"]], MaxDrainDurationSeconds=2,
        )
        same([a["Status"] for a in described(lab, net.id)["NatGatewayAddresses"]], ["succeeded", "disassociating"])
        for client, talk in talks.items():
            same(talk.asked(), "still there?", "connections go on")
            same(lab.get(client, f"http://{net.host}/"), f"{net.elastic['PublicIp']}\n", "new ones have the other address")
        eventually("it has drained", lambda: len(described(lab, net.id)["NatGatewayAddresses"]) == 1)
        for client, talk in talks.items():
            same(talk.asked(), "still there?" if used[client] == net.elastic["PublicIp"] else "ConnectionResetError")
    finally:
        for talk in talks.values():
            talk.__exit__()


def test_a_private_gateway_between_subnets(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    back, middle, far = (lab.subnet(vpc, f"10.0.{n}.0/24") for n in (1, 2, 3))
    gateway = nat(lab, middle, PrivateIpAddress="10.0.2.220")
    table(lab, vpc, back, **{"10.0.3.0/24": ("NatGatewayId", gateway["NatGatewayId"])})
    x = lab.run(back, lab.group(vpc), "10.0.1.5", wait=False)
    # Only the gateway may come in.
    y = lab.run(far, lab.group(vpc, "all 10.0.2.220/32"), "10.0.3.5", wait=False)
    lab.running(x, y)
    programs = serving(lab, y, "10.0.3.5")
    same(lab.ping(x, "10.0.3.5"), True)
    same(lab.get(x, "http://10.0.3.5/"), "10.0.2.220\n")
    same(ask(lab, x, "10.0.3.5"), "10.0.2.220 hello")
    same(agree(lab, x, "tcp", "10.0.3.5", 80), "answered")
    same(lab.ping(y, "10.0.2.220"), False, "it answers nobody")
    same(lab.get(y, "http://10.0.1.5/"), None, "and the groups of the inside still hold")
    ec2.delete_nat_gateway(NatGatewayId=gateway["NatGatewayId"])
    same(lab.ping(x, "10.0.3.5"), False)
    del programs


def test_ipv6_through_an_egress_only_gateway(lab):
    ec2 = lab.ec2
    vpc = lab.vpc(ipv6=True)
    block = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = lab.subnet(vpc, Ipv6CidrBlock=block_in(block, 1))
    made = ec2.create_egress_only_internet_gateway(VpcId=vpc)["EgressOnlyInternetGateway"]
    same(made["Attachments"], [{"State": "attached", "VpcId": vpc}])
    gateway = made["EgressOnlyInternetGatewayId"]
    own = table(lab, vpc, subnet, **{"::/0": ("EgressOnlyInternetGatewayId", gateway)})
    # The groups would let everybody in.
    group = lab.group(vpc, "all ::/0")
    x = lab.run(subnet, group, Ipv6AddressCount=1)
    address = lab.instance(x)["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
    host = "2001:db8:ffff::25"
    lab.weir("internet", "add", host)
    outside = f"internet:{host}"
    programs = serving(lab, outside, host) + serving(lab, x, address, PAGE)
    eventually("addresses are usable", lambda: lab.ping(x, host, "-6"))
    same(lab.get(x, f"http://[{host}]/", "-g"), f"{address}\n", "no translation")
    same(ask(lab, x, host), f"{address} hello")
    same(lab.ping(outside, address, "-6"), False)
    same(lab.get(outside, f"http://[{address}]/", "-g"), None)
    same(agree(lab, x, "tcp", host, 80), "answered")
    same(agree(lab, x, "icmpv6", host), "answered")
    same(agree(lab, outside, "tcp", address, 80), "refused")
    with Program(lab, x, TALK, host) as talk:
        same(talk.says(), "connected")
        same(talk.asked(), "still there?")
        same(ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)["ReturnCode"], True)
        same(talk.asked(), "TimeoutError")
    same(state(lab, own, "::/0"), "blackhole")
    same(lab.ping(x, host, "-6"), False)
    same(ec2.describe_egress_only_internet_gateways(EgressOnlyInternetGatewayIds=[gateway])["EgressOnlyInternetGateways"], [])
    with refused("InvalidGatewayID.NotFound", f"The eigw ID '{gateway}' does not exist"):
        ec2.delete_egress_only_internet_gateway(EgressOnlyInternetGatewayId=gateway)
    del programs


def test_a_gateway_that_cannot_be(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=allocation)["NatGateway"]
    failed = eventually(
        "it fails",
        lambda: (found := described(lab, made["NatGatewayId"])) and found["State"] == "failed" and found,
    )
    same((failed["FailureCode"], failed["FailureMessage"]),
         ("Gateway.NotAttached", f"Network {vpc} has no Internet gateway attached"))
    with refused("InvalidParameterCombination", ".*SubnetId.*regional.*"):
        ec2.create_nat_gateway(VpcId=vpc, SubnetId=subnet, AvailabilityMode="regional")
    with refused("NatGatewayNotFound", "NatGateway nat-00000000000000000 was not found"):
        ec2.delete_nat_gateway(NatGatewayId="nat-00000000000000000")
    gateway = nat(lab, subnet)
    own = gateway["NatGatewayAddresses"][0]
    (eni,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[own["NetworkInterfaceId"]])["NetworkInterfaces"]
    same((eni["InterfaceType"], eni["Description"], eni["RequesterManaged"], eni["SourceDestCheck"], eni["Groups"]),
         ("natGateway", f"Interface for NAT Gateway {gateway['NatGatewayId']}", True, False, []))
    with refused("OperationNotPermitted", "You are not allowed to manage 'ela-attach' attachments."):
        ec2.detach_network_interface(AttachmentId=eni["Attachment"]["AttachmentId"])
    more = ec2.assign_private_nat_gateway_address(NatGatewayId=gateway["NatGatewayId"], PrivateIpAddressCount=1)
    secondary = more["NatGatewayAddresses"][0]["PrivateIp"]
    ec2.unassign_private_nat_gateway_address(
        NatGatewayId=gateway["NatGatewayId"], PrivateIpAddresses=[secondary], MaxDrainDurationSeconds=1,
    )
    eventually("it is gone", lambda: len(described(lab, gateway["NatGatewayId"])["NatGatewayAddresses"]) == 1)


def test_the_demo_finds_everything_as_expected(_):
    demo("egress", {
        ("client", "ping the internet, 3 times", "0 of 3 replies"),
        ("client", "ping the internet by IPv6, 3 times", "0 of 3 replies"),
        ("client", "ping the internet, 3 times", "3 of 3 replies"),
        ("client", "ping the internet by IPv6, 3 times", "3 of 3 replies"),
        ("internet", "ping the gateway, 3 times", "0 of 3 replies"),
        ("internet", "ping client, 3 times", "0 of 3 replies"),
        ("internet", "ping client by IPv6, 3 times", "0 of 3 replies"),
    }, {
        ("client", "egress", "10.0.1.10", "198.51.100.7", "icmp", "ACCEPT", "1"),
        ("client", "ingress", "198.51.100.7", "10.0.1.10", "icmp", "ACCEPT", "-"),
    })


if __name__ == "__main__":
    main()
