"""Random changes of rules and routes under traffic: what is refused is refused with the next packet, also of flows that the
kernel carries, and what is allowed passes again; nothing grows meanwhile.

`WEIR_SOAK_SECONDS` says for how long (at night 600, 20 otherwise; ports last for 800 or so), `WEIR_SOAK_SEED` repeats a run.
"""

import json
import os
import random
import subprocess
import time

from weirtest import WEIR, Daemon, Lab, main, same

SECONDS = float(os.environ.get("WEIR_SOAK_SECONDS", "20"))
SEED = int(os.environ.get("WEIR_SOAK_SEED", "20261127"))
HOST = "203.0.113.77"
# Bytes of the daemon's that come with its first traffic, and then no more.
GROWTH_MAX = 24 << 20

# Echoes, and takes what else is sent to it without a word.
ECHO = """
import socket, sys
drain = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
drain.bind(("", 9))
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 7))
print("ready", flush=True)
while True:
    data, sender = server.recvfrom(2048)
    server.sendto(data, sender)
"""
# For each line, a number and who is expected to answer: sends to all, from the same ports as ever and to one from a new port, and
# tells who has answered. Those that are not expected get a moment to do so all the same.
CLIENT = """
import json, select, socket, sys, time
targets = json.loads(sys.argv[1])
# A port that was used some time ago may belong to a connection that is remembered: each is used once.
ports = iter(range(1024, 32768))
def opened(name):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if name.startswith("new "):
        made.bind(("", next(ports)))
    made.connect((targets[name], 7))
    return made
kept = {name: opened(name) for name in targets if not name.startswith("new ")}
print("ready", flush=True)
for line in sys.stdin:
    number, expected = json.loads(line)
    sockets = kept | {name: opened(name) for name in targets if name.startswith("new ")}
    names = {made.fileno(): name for name, made in sockets.items()}
    answered, began, sent_again = set(), time.monotonic(), False
    payload = str(number).encode()
    for made in sockets.values():
        made.send(payload)
    while True:
        waited = time.monotonic() - began
        complete = set(expected) <= answered
        if waited > 3 or complete and waited > 0.08:
            break
        # A busy machine may lose a packet, and no more than that.
        if waited > 1 and not complete and not sent_again:
            sent_again = True
            for name in set(expected) - answered:
                sockets[name].send(payload)
        for made in select.select(list(sockets.values()), [], [], 0.01)[0]:
            try:
                if made.recv(64) == payload:
                    answered.add(names[made.fileno()])
            except OSError:
                pass
    for name, made in sockets.items():
        if name.startswith("new "):
            made.close()
    print(json.dumps(sorted(answered)), flush=True)
"""
# Keeps the way busy.
FLOOD = """
import socket, sys, time
made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
made.connect((sys.argv[1], 9))
print("ready", flush=True)
while True:
    for _ in range(20):
        try:
            made.send(b"x" * 100)
        except OSError:
            pass
    time.sleep(0.002)
"""


class Program:
    """A program inside that runs until the test ends."""

    def __init__(self, lab, where, text, *arguments):
        self.process = subprocess.Popen(
            [WEIR, "--endpoint", lab.daemon.endpoint, "exec", where, "--", "python3", "-uc", text, *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        same(self.process.stdout.readline().strip(), "ready", where)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()

    def end(self):
        self.process.kill()
        self.process.wait()


class Network:
    """A, with B in another subnet, C in a peered VPC and a host of the internet behind a NAT gateway; and what can be switched off
    of the ways between them, each with whom it cuts off."""

    def __init__(self, lab):
        self.lab, self.ec2 = lab, lab.ec2
        one, two = lab.vpc("10.1.0.0/16"), lab.vpc("10.2.0.0/16")
        a, b, public = (lab.subnet(one, f"10.1.{number}.0/24") for number in (1, 2, 3))
        c = lab.subnet(two, "10.2.1.0/24")
        # Connections are tracked unless a rule is open to the world.
        self.open, self.closed = lab.group(one, "all 10.0.0.0/8"), lab.group(one)
        self.a = lab.run(a, self.open, "10.1.1.10", wait=False)
        self.b = lab.run(b, self.open, "10.1.2.10", wait=False)
        self.c = lab.run(c, lab.group(two, "all 0.0.0.0/0"), "10.2.1.10", wait=False)
        lab.weir("internet", "add", HOST)
        lab.running(self.a, self.b, self.c)
        self.b_interface = lab.interface(self.b)
        self.peering = self.peer(one, two)
        self.table_a, self.table_c = self.table(one, a), self.table(two, c)
        self.nat = self.gateways(one, public)
        self.acl_a, self.acl_b, self.acl_public = (self.acl(one, subnet) for subnet in (a, b, public))
        self.routes = {
            "route to the peer": (self.table_a, "10.2.0.0/16", {"VpcPeeringConnectionId": self.peering}),
            "route back from the peer": (self.table_c, "10.1.0.0/16", {"VpcPeeringConnectionId": self.peering}),
            "route to the NAT gateway": (self.table_a, "0.0.0.0/0", {"NatGatewayId": self.nat}),
        }
        for name in self.routes:
            self.on(name)
        self.entries = {
            "A's ACL, to B": (self.acl_a, True, "10.1.2.10/32", 10),
            "A's ACL, from the peer": (self.acl_a, False, "10.2.0.0/16", 11),
            "A's ACL, from the host": (self.acl_a, False, f"{HOST}/32", 12),
            "B's ACL, from A": (self.acl_b, False, "10.1.1.0/24", 10),
            "B's ACL, to A": (self.acl_b, True, "10.1.1.10/32", 11),
            "the NAT gateway's ACL, from the host": (self.acl_public, False, f"{HOST}/32", 10),
        }

    # Whom a switch that is off cuts off. Groups have a memory: only what is new is refused.
    CUTS = {
        "route to the peer": {"C", "new C"},
        "route back from the peer": {"C", "new C"},
        "route to the NAT gateway": {"host", "new host"},
        "A's ACL, to B": {"B", "new B"},
        "A's ACL, from the peer": {"C", "new C"},
        "A's ACL, from the host": {"host", "new host"},
        "B's ACL, from A": {"B", "new B"},
        "B's ACL, to A": {"B", "new B"},
        "the NAT gateway's ACL, from the host": {"host", "new host"},
        "B's group": {"new B"},
    }

    def peer(self, one, two):
        asked = self.ec2.create_vpc_peering_connection(VpcId=one, PeerVpcId=two)["VpcPeeringConnection"]
        peering = asked["VpcPeeringConnectionId"]
        self.ec2.get_waiter("vpc_peering_connection_exists").wait(
            VpcPeeringConnectionIds=[peering], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
        self.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=peering)
        return peering

    def table(self, vpc, subnet):
        table = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return table

    def gateways(self, vpc, public):
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        self.ec2.create_route(RouteTableId=self.table(vpc, public), DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        address = self.ec2.allocate_address()["AllocationId"]
        nat = self.ec2.create_nat_gateway(SubnetId=public, AllocationId=address)["NatGateway"]["NatGatewayId"]
        self.lab.wait("nat_gateway_available", NatGatewayIds=[nat])
        return nat

    def acl(self, vpc, subnet):
        acl = self.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        for egress in (False, True):
            self.entry(acl, egress, "0.0.0.0/0", 100, "allow")
        shown = self.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [subnet]}])
        associations = shown["NetworkAcls"][0]["Associations"]
        own = next(each["NetworkAclAssociationId"] for each in associations if each["SubnetId"] == subnet)
        self.ec2.replace_network_acl_association(AssociationId=own, NetworkAclId=acl)
        return acl

    def entry(self, acl, egress, block, number, action):
        self.ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=number, Protocol="-1", RuleAction=action, Egress=egress, CidrBlock=block)

    def on(self, name):
        if name in self.routes:
            table, block, target = self.routes[name]
            self.ec2.create_route(RouteTableId=table, DestinationCidrBlock=block, **target)
        elif name == "B's group":
            self.ec2.modify_network_interface_attribute(NetworkInterfaceId=self.b_interface, Groups=[self.open])
        else:
            acl, egress, _, number = self.entries[name]
            self.ec2.delete_network_acl_entry(NetworkAclId=acl, Egress=egress, RuleNumber=number)

    def off(self, name):
        if name in self.routes:
            table, block, _ = self.routes[name]
            self.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=block)
        elif name == "B's group":
            self.ec2.modify_network_interface_attribute(NetworkInterfaceId=self.b_interface, Groups=[self.closed])
        else:
            acl, egress, block, number = self.entries[name]
            self.entry(acl, egress, block, number, "deny")


def resident(daemon):
    with open(f"/proc/{daemon.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) * 1024


def counted(lab):
    status = json.loads(lab.weir("status", "--json").stdout)
    return dict(status["packets"])


def test_changes_hold_for_the_next_packet(_):
    with Daemon() as daemon:
        lab = Lab(daemon)
        network = Network(lab)
        targets = {"B": "10.1.2.10", "C": "10.2.1.10", "host": HOST}
        targets |= {f"new {name}": address for name, address in targets.items()}
        programs = [Program(lab, where, ECHO) for where in (network.b, network.c, f"internet:{HOST}")]
        client = Program(lab, network.a, CLIENT, json.dumps(targets))
        programs += [client, Program(lab, network.a, FLOOD, targets["B"])]
        try:
            soak(lab, daemon, network, client, set(targets))
        finally:
            for program in programs:
                program.end()


def soak(lab, daemon, network, client, targets):
    chance, off, story = random.Random(SEED), set(), []
    began, before, number = time.monotonic(), None, 0
    print(f"WEIR_SOAK_SEED={SEED}", flush=True)
    while time.monotonic() - began < SECONDS:
        if number:
            # Most are on, so that there is somebody to reach.
            name = chance.choice(sorted(off)) if off and chance.random() < 0.6 else chance.choice(sorted(network.CUTS))
            (network.on if name in off else network.off)(name)
            off ^= {name}
            story.append(f"{'off' if name in off else 'on'}: {name}")
        expected = targets - set().union(*(network.CUTS[name] for name in off))
        answered = set(json.loads(client.ask(json.dumps([number, sorted(expected)]))))
        same(answered, expected, f"after {number} changes, with {sorted(off)} off; the last were {story[-5:]}")
        number += 1
        if before is None and time.monotonic() - began > SECONDS / 2:
            before = resident(daemon)
    growth = resident(daemon) - before
    assert growth < GROWTH_MAX, f"the daemon has grown by {growth} bytes in {SECONDS / 2} s"
    packets = counted(lab)
    print(f"{number} changes, {packets['forwarded']} packets, {growth >> 10} KiB of growth", flush=True)
    assert number > SECONDS and packets["forwarded from the flow cache"] > packets["forwarded"] / 2, packets


if __name__ == "__main__":
    main(daemon="none")
