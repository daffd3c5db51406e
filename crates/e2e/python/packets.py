"""Real ping, curl and iperf3 between instances: what the rules refuse is refused, and the rest arrives."""

import json
import os
import shutil
import subprocess
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from weirtest import Daemon, Lab, block_in, eventually, main, permission, refused, same

WEB = "#!/bin/sh\nmkdir -p /tmp/www && cd /tmp/www && echo hello from $(hostname) > index.html\nexec python3 -m http.server 80\n"
WEB6 = WEB.replace("http.server 80", "http.server --bind :: 80")


def serves(lab, instance, address="127.0.0.1"):
    eventually(f"{instance} serves", lambda: (lab.get(instance, f"http://{address}/") or "").startswith("hello"))


def public(lab, vpc, subnet, v6=False):
    """A gateway, and routes to it for the subnet."""
    ec2 = lab.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    if v6:
        ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    return gateway, table


def test_a_group_of_another_vpc(lab):
    """A group that two VPCs share lets in those of it that are in the same VPC, whatever addresses others have."""
    ec2 = lab.ec2
    home, away = lab.vpc(), lab.vpc("10.0.0.0/16")
    near, far = lab.subnet(home), lab.subnet(away)
    group = lab.group(home, name="shared")
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    other = lab.group(away, name="other")
    with refused("InvalidParameter", f"Security group {group} and subnet {far} belong to different networks."):
        ec2.create_network_interface(SubnetId=far, Groups=[group])
    default = ec2.describe_security_groups(Filters=[
        {"Name": "vpc-id", "Values": [home]}, {"Name": "group-name", "Values": ["default"]}])["SecurityGroups"][0]["GroupId"]
    with refused("InvalidParameterValue"):
        ec2.associate_security_group_vpc(GroupId=default, VpcId=away)
    with refused("InvalidParameterValue"):
        ec2.associate_security_group_vpc(GroupId=group, VpcId=home)
    same(ec2.associate_security_group_vpc(GroupId=group, VpcId=away)["State"], "associating")
    ec2.get_waiter("security_group_vpc_association_associated").wait(
        Filters=[{"Name": "group-id", "Values": [group]}], WaiterConfig={"Delay": 1, "MaxAttempts": 3})
    usable = ec2.get_security_groups_for_vpc(VpcId=away)["SecurityGroupForVpcs"]
    same({g["GroupId"]: g["PrimaryVpcId"] for g in usable}[group], home)
    # 10.0.1.12 is of the group in one VPC, and of another group in the other.
    asker = lab.run(far, group, "10.0.1.10", wait=False)
    member = lab.run(far, group, "10.0.1.11", wait=False)
    stranger = lab.run(far, other, "10.0.1.12", wait=False)
    twin = lab.run(near, group, "10.0.1.12", wait=False)
    lab.running(asker, member, stranger, twin)
    same(lab.ping(asker, "10.0.1.11"), True)
    same(lab.ping(stranger, "10.0.1.10"), False)
    with refused("DependencyViolation"):
        ec2.disassociate_security_group_vpc(GroupId=group, VpcId=away)
    for instance in (asker, member):
        ec2.modify_instance_attribute(InstanceId=instance, Groups=[other])
    same(ec2.disassociate_security_group_vpc(GroupId=group, VpcId=away)["State"], "disassociating")
    same(ec2.describe_security_group_vpc_associations()["SecurityGroupVpcAssociations"], [])
    with refused("InvalidGroup.NotFound"):
        ec2.disassociate_security_group_vpc(GroupId=group, VpcId=away)

def test_security_groups_refuse_and_user_data_serves(lab):
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    client = lab.run(a, lab.group(vpc), "10.0.1.10", wait=False)
    server = lab.run(b, lab.group(vpc, "tcp 80 10.0.1.0/24"), "10.0.2.10", WEB, wait=False)
    lab.running(client, server)
    serves(lab, server)
    page = lab.get(client, "http://10.0.2.10/")
    same(page, "hello from ip-10-0-2-10.ec2.internal\n" if "ec2" in page else "hello from ip-10-0-2-10\n")
    same(lab.get(client, "http://10.0.2.10:81/"), None, "a port that no rule opens times out")
    same(lab.ping(client, "10.0.2.10"), False, "no rule lets pings in")
    lab.ec2.authorize_security_group_ingress(
        GroupId=lab.instance(server)["SecurityGroups"][0]["GroupId"],
        IpPermissions=[permission("icmp 0.0.0.0/0"), permission("tcp 81 0.0.0.0/0")],
    )
    same(lab.ping(client, "10.0.2.10"), True)
    same(lab.get(client, "http://10.0.2.10:81/"), "refused", "now the instance itself refuses")
    console = eventually(
        "the console shows what user data prints",
        lambda: lab.ec2.get_console_output(InstanceId=server).get("Output"),
    )
    assert "GET / HTTP/1.1" in console, console


def test_a_changed_rule_is_in_force_once_the_api_has_answered(lab):
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    group = lab.group(vpc)
    server = lab.run(b, group, "10.0.2.10", WEB, wait=False)
    client = lab.run(a, lab.group(vpc), "10.0.1.10", wait=False)
    lab.running(client, server)
    serves(lab, server)
    # One process inside tries each time it is asked, so that nothing lies between the answer and the packet.
    attempts = subprocess.Popen(
        [os.environ["WEIR"], "--endpoint", lab.daemon.endpoint, "exec", client, "--", "python3", "-uc", ATTEMPTS],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )
    rule = [permission("tcp 80 10.0.1.0/24")]
    try:
        for turn in range(50):
            open_now = turn % 2 == 0
            change = lab.ec2.authorize_security_group_ingress if open_now else lab.ec2.revoke_security_group_ingress
            change(GroupId=group, IpPermissions=rule)
            attempts.stdin.write("go\n")
            attempts.stdin.flush()
            same(attempts.stdout.readline().strip(), "connected" if open_now else "timeout", f"turn {turn}")
    finally:
        attempts.stdin.close()
        attempts.wait(10)


ATTEMPTS = """
import socket, sys
for line in sys.stdin:
    try:
        socket.create_connection(("10.0.2.10", 80), timeout=0.15).close()
        print("connected")
    except TimeoutError:
        print("timeout")
    except OSError as error:
        print(error)
"""


def test_network_acls_have_no_memory(lab):
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    group = lab.group(vpc, "all 10.0.0.0/16")
    x, y, z = (lab.run(s, group, i, wait=False) for s, i in ((a, "10.0.1.10"), (b, "10.0.2.10"), (b, "10.0.2.11")))
    lab.running(x, y, z)
    same(lab.ping(x, "10.0.2.10"), True)
    acl = lab.ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    association = lab.ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [b]}])
    association = next(
        one["NetworkAclAssociationId"] for one in association["NetworkAcls"][0]["Associations"] if one["SubnetId"] == b
    )
    lab.ec2.replace_network_acl_association(AssociationId=association, NetworkAclId=acl)
    same(lab.ping(x, "10.0.2.10"), False, "a new ACL denies everything")
    same(lab.ping(z, "10.0.2.10"), True, "but is not asked inside the subnet")
    entry = dict(NetworkAclId=acl, RuleNumber=100, Protocol="-1", RuleAction="allow", CidrBlock="0.0.0.0/0")
    lab.ec2.create_network_acl_entry(Egress=False, **entry)
    same(lab.ping(x, "10.0.2.10"), False, "the answer is not let out")
    lab.ec2.create_network_acl_entry(Egress=True, **entry)
    same(lab.ping(x, "10.0.2.10"), True)
    lab.ec2.replace_network_acl_entry(Egress=True, **(entry | {"RuleAction": "deny"}))
    same(lab.ping(x, "10.0.2.10"), False)


def test_equal_blocks_do_not_meet(lab):
    found = {}
    for name in ("one", "two"):
        vpc = lab.vpc()
        subnet = lab.subnet(vpc)
        group = lab.group(vpc, "all 0.0.0.0/0")
        page = WEB.replace("$(hostname)", name)
        found[name] = (
            lab.run(subnet, group, "10.0.1.10", wait=False),
            lab.run(subnet, group, "10.0.1.20", page, wait=False),
        )
        if name == "two":
            found["only"] = lab.run(subnet, group, "10.0.1.30", wait=False)
    lab.running(*found["one"], *found["two"], found["only"])
    for name in ("one", "two"):
        client, server = found[name]
        serves(lab, server)
        same(lab.get(client, "http://10.0.1.20/"), f"hello from {name}\n")
    same(lab.ping(found["two"][0], "10.0.1.30"), True)
    same(lab.ping(found["one"][0], "10.0.1.30"), False, "the other VPC has that address")


def test_a_second_interface_and_stop_and_start(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    a, b = lab.subnet(vpc, AvailabilityZone="us-east-1a"), lab.subnet(vpc, "10.0.2.0/24", AvailabilityZone="us-east-1a")
    group = lab.group(vpc, "all 10.0.0.0/16")
    x = lab.run(a, group, "10.0.1.10", wait=False)
    y = lab.run(b, group, "10.0.2.10", wait=False)
    z = lab.run(lab.subnet(vpc, "10.0.3.0/24"), group, "10.0.3.10", wait=False)
    lab.running(x, y, z)
    second = ec2.create_network_interface(SubnetId=b, Groups=[group], PrivateIpAddress="10.0.2.99")
    second = second["NetworkInterface"]["NetworkInterfaceId"]
    lab.wait("network_interface_available", NetworkInterfaceIds=[second])
    same(lab.ping(y, "10.0.2.99"), False, "nobody is behind it")
    attachment = ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=x, DeviceIndex=1)["AttachmentId"]
    eventually("the second interface answers", lambda: lab.ping(y, "10.0.2.99"))
    same(lab.ping(x, "10.0.2.10", "-I", "10.0.2.99"), True, "it is sent from, too")
    same(lab.ping(z, "10.0.2.99"), True, "answers to other subnets leave by it")
    same(lab.ping(z, "10.0.1.10"), True, "the first still answers")
    ec2.assign_private_ip_addresses(NetworkInterfaceId=second, PrivateIpAddresses=["10.0.2.100"])
    eventually("so does a further address of it", lambda: lab.ping(z, "10.0.2.100"))
    ec2.detach_network_interface(AttachmentId=attachment)
    eventually("the second interface is gone", lambda: not lab.ping(y, "10.0.2.99"))

    before = lab.instance(x)["PrivateIpAddress"]
    ec2.stop_instances(InstanceIds=[x])
    lab.wait("instance_stopped", InstanceIds=[x])
    same(lab.ping(z, "10.0.1.10"), False)
    ec2.start_instances(InstanceIds=[x])
    lab.running(x)
    same(lab.instance(x)["PrivateIpAddress"], before)
    same(lab.ping(y, "10.0.1.10"), True)
    ec2.terminate_instances(InstanceIds=[x])
    lab.wait("instance_terminated", InstanceIds=[x])
    same(lab.ping(y, "10.0.1.10"), False)
    same(lab.inside(x, "true").returncode, 125, "nothing runs in a terminated instance")


def test_the_internet_through_a_gateway(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    gateway, _ = public(lab, vpc, subnet)
    group = lab.group(vpc, "tcp 80 0.0.0.0/0", "icmp 0.0.0.0/0")
    x = lab.run(subnet, group, "10.0.1.10", WEB, wait=False)
    private = lab.run(subnet, group, "10.0.1.11", wait=False)
    lab.running(x, private)
    host = "203.0.113.10"
    lab.weir("internet", "add", host)
    assert host in lab.weir("internet", "list").stdout
    same(lab.ping(x, host), False, "no public address yet")
    address = ec2.allocate_address(Domain="vpc")
    association = ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=x)["AssociationId"]
    same(lab.ping(x, host), True)
    same(lab.ping(private, host), False, "a neighbour without one")
    serves(lab, x)
    outside = f"internet:{host}"
    assert lab.get(outside, f"http://{address['PublicIp']}/").startswith("hello")
    same(lab.get(outside, f"http://{address['PublicIp']}:81/"), None)
    # 1500 at the gateway, 9001 inside.
    same(lab.ping(private, "10.0.1.10", "-M", "do", "-s", "8973"), True)
    same(lab.ping(private, "10.0.1.10", "-M", "do", "-s", "8974"), False)
    same(lab.ping(x, host, "-M", "do", "-s", "1472"), True)
    long = lab.inside(x, "ping", "-c2", "-W1", "-M", "do", "-s", "1473", host)
    assert "mtu" in (long.stdout + long.stderr).lower() and "1500" in long.stdout + long.stderr, long.stdout + long.stderr
    ec2.disassociate_address(AssociationId=association)
    same(lab.ping(x, host), False)
    lab.weir("internet", "rm", host)


def test_ipv6(lab):
    ec2 = lab.ec2
    vpc = lab.vpc(ipv6=True)
    block = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    a = lab.subnet(vpc, Ipv6CidrBlock=block_in(block, 1))
    b = lab.subnet(vpc, "10.0.2.0/24", Ipv6CidrBlock=block_in(block, 2))
    public(lab, vpc, a, v6=True)
    group = lab.group(vpc, "tcp 80 ::/0", "icmpv6 ::/0")
    # Numbers without leading zeros, as Linux prints them.
    x = lab.run(a, group, Ipv6AddressCount=1, wait=False)
    y = lab.run(b, group, Ipv6AddressCount=1, user_data=WEB6, wait=False)
    lab.running(x, y)
    v6 = [lab.instance(i)["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"] for i in (x, y)]
    eventually("addresses are usable", lambda: lab.ping(x, v6[1], "-6"))
    eventually("it serves", lambda: (lab.get(x, f"http://[{v6[1]}]/", "-g") or "").startswith("hello"))
    lab.weir("internet", "add", "2001:db8:ffff::10")
    same(lab.ping(x, "2001:db8:ffff::10", "-6"), True, "IPv6 needs no translation")
    same(lab.ping(y, "2001:db8:ffff::10", "-6"), False, "no route")


def test_a_middlebox_needs_its_check_off(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    a, b, m = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24"), lab.subnet(vpc, "10.0.3.0/24")
    group = lab.group(vpc, "all 0.0.0.0/0")
    x, y, box = (
        lab.run(s, group, i, wait=False) for s, i in ((a, "10.0.1.10"), (b, "10.0.2.10"), (m, "10.0.3.10"))
    )
    lab.running(x, y, box)
    interface = lab.interface(box)
    for subnet, other in ((a, "10.0.2.0/24"), (b, "10.0.1.0/24")):
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=other, NetworkInterfaceId=interface)
    same(lab.ping(x, "10.0.2.10"), False)
    traced = lab.weir("trace", x, "icmp", "10.0.2.10", check=False)
    same(traced.returncode, 1)
    assert "source/destination check" in traced.stdout, traced.stdout
    ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, SourceDestCheck={"Value": False})
    same(lab.weir("trace", x, "icmp", "10.0.2.10", check=False).returncode, 0)
    same(lab.ping(x, "10.0.2.10"), True)


def test_names_resolve_inside(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    x = lab.run(subnet, lab.group(vpc), "10.0.1.10")
    name = "ip-10-0-1-10.ec2.internal"
    same(lab.inside(x, "hostname").stdout.strip(), name)
    same("nameserver 10.0.0.2" in lab.inside(x, "cat", "/etc/resolv.conf").stdout, True)
    hurry = "RES_OPTIONS=timeout:1 attempts:1"
    lookup = lambda: lab.inside(x, "env", hurry, "getent", "ahostsv4", name).stdout.split()[:1]
    same(lookup(), [], "DNS hostnames are off in a new VPC")
    lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    eventually("the name resolves", lambda: lookup() == ["10.0.1.10"])
    same(lab.instance(x)["PrivateDnsName"], name)
    lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": False})
    lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})
    same(lookup(), [], "no resolver")


def test_trace_and_probe_agree(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    public(lab, vpc, a)
    inner = lab.group(vpc, "tcp 80-90 10.0.1.0/24", "icmp 10.0.0.0/16", "udp 53 10.0.0.0/16")
    outer = lab.group(vpc, "tcp 443 0.0.0.0/0")
    x, y = lab.run(a, outer, "10.0.1.10", wait=False), lab.run(b, inner, "10.0.2.10", wait=False)
    lab.running(x, y)
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=x)
    acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
    for egress, number, protocol, ports in (
        (False, 100, "-1", None), (True, 100, "1", None), (True, 110, "6", (32768, 65535)),
        (True, 90, "17", (0, 65535)),
    ):
        entry = dict(NetworkAclId=acl, RuleNumber=number, Protocol=protocol, Egress=egress, CidrBlock="0.0.0.0/0")
        entry["RuleAction"] = "deny" if protocol == "17" else "allow"
        if ports:
            entry["PortRange"] = {"From": ports[0], "To": ports[1]}
        if protocol == "1":
            entry["IcmpTypeCode"] = {"Type": -1, "Code": -1}
        ec2.create_network_acl_entry(**entry)
    acls = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [b]}])["NetworkAcls"]
    association = next(one for one in acls[0]["Associations"] if one["SubnetId"] == b)
    ec2.replace_network_acl_association(AssociationId=association["NetworkAclAssociationId"], NetworkAclId=acl)
    host = "203.0.113.77"
    lab.weir("internet", "add", host)
    questions = [
        (source, protocol, destination, *port)
        for source in (x, y, f"internet:{host}")
        for destination in ("10.0.1.10", "10.0.2.10", "10.0.2.99", host, address["PublicIp"], "10.9.9.9")
        for protocol, *port in (("tcp", 80), ("tcp", 443), ("udp", 53), ("icmp",))
    ]
    outcomes = {}

    def ask(question):
        answers = {}
        for command in ("trace", "probe"):
            done = lab.weir(command, "--json", *question, check=False)
            if done.returncode not in (0, 1, 2):
                answers[command] = done.stderr
            else:
                answers[command] = json.loads(done.stdout)["outcome"]
                same(done.returncode, ["answered", "refused", "answer-refused"].index(answers[command]))
        outcomes[question] = answers

    threads = [threading.Thread(target=lambda part=questions[i::8]: [ask(q) for q in part]) for i in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    same(len(outcomes), len(questions), "some questions found no answer")
    differ = {q: o for q, o in outcomes.items() if o["trace"] != o["probe"]}
    same(differ, {}, "trace and probe differ")
    same({o["trace"] for o in outcomes.values()}, {"answered", "refused", "answer-refused"}, "the matrix has all three")

    # Whoever is meant by an id or a name has the same answer as by address.
    name = f"inner-{lab.account}"
    ec2.create_tags(Resources=[y], Tags=[{"Key": "Name", "Value": name}])
    for destination in (y, lab.interface(y), name, f"{y}.ec2.internal"):
        ask((x, "tcp", destination, 80))
        same(outcomes[x, "tcp", destination, 80], outcomes[x, "tcp", "10.0.2.10", 80], destination)
    ask((name, "icmp", x))
    same(outcomes[name, "icmp", x], outcomes[y, "icmp", "10.0.1.10"])
    ask((f"internet:{host}", "tcp", x, 443))
    same(outcomes[f"internet:{host}", "tcp", x, 443], outcomes[f"internet:{host}", "tcp", address["PublicIp"], 443])
    ec2.create_tags(Resources=[x], Tags=[{"Key": "Name", "Value": name}])
    for question, words in [
        ((f"internet:{host}", "icmp", y), f"has no address that internet:{host} can send to"),
        ((x, "icmp", name), f"'{name}' is the name of several: "),
        ((x, "icmp", "nobody"), "'nobody' is no instance with an interface"),
    ]:
        done = lab.weir("trace", *question, check=False)
        assert done.returncode == 3 and words in done.stderr, done.stderr


def test_nothing_inside_reaches_the_host(lab):
    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"the host")

        def log_message(self, *_):
            pass

    service = HTTPServer(("0.0.0.0", 0), Hello)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    port = service.server_address[1]
    vpc = lab.vpc()
    x = lab.run(lab.subnet(vpc), lab.group(vpc))
    try:
        for address in ["127.0.0.1", *host_addresses()]:
            found = lab.get(x, f"http://{address}:{port}/", "--max-time", "1")
            assert found is None or "the host" not in found, (address, found)
            daemon = lab.daemon.endpoint.rsplit(":", 1)[1]
            done = lab.inside(x, "curl", "-sS", "--max-time", "1", f"http://{address}:{daemon}/")
            assert done.returncode != 0, (address, done.stdout)
    finally:
        service.shutdown()
    same(lab.inside(x, "id", "-u").stdout.strip() != "0", True, "the user inside is not root")
    same(lab.inside(x, "sh", "-c", "echo x > /usr/weir-was-here").returncode != 0, True, "host files are read-only")
    shown = lab.inside(x, "ip", "-o", "link").stdout
    assert len([line for line in shown.splitlines() if " lo:" not in line]) == 1, shown
    processes = lab.inside(x, "sh", "-c", "ls -d /proc/[0-9]*").stdout.split()
    assert len(processes) < 10, processes


def host_addresses():
    shown = subprocess.run(["ip", "-o", "-4", "addr", "show", "scope", "global"], capture_output=True, text=True).stdout
    return [line.split()[3].split("/")[0] for line in shown.splitlines()]


def test_without_root(lab):
    """The whole, with a daemon that nobody has given any privilege."""
    if os.geteuid() != 0:
        return  # The other tests have shown it.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(os.environ["WEIR"], folder)
        os.chmod(program, 0o755)
        # On most machines everybody may open /dev/net/tun; here the daemon sees one that is like that.
        device = "mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200"
        become = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups --bounding-set=-all "$@"'
        unprivileged = ["unshare", "--mount", "sh", "-c", f"{device} && {become}", "sh"]
        doctor = subprocess.run([*unprivileged, program, "doctor"], capture_output=True, text=True).stdout
        assert "not possible without root" in doctor, doctor
        refused = [word.replace("666", "600") for word in unprivileged]
        doctor = subprocess.run([*refused, program, "doctor"], capture_output=True, text=True).stdout
        assert "chmod 666 /dev/net/tun" in doctor, doctor
        with Daemon(None, program=[*unprivileged, program]) as daemon:
            lab = Lab(daemon)
            vpc = lab.vpc()
            group = lab.group(vpc, "tcp 80 10.0.0.0/16")
            x = lab.run(lab.subnet(vpc), group, "10.0.1.10", wait=False)
            y = lab.run(lab.subnet(vpc, "10.0.2.0/24"), group, "10.0.2.10", WEB, wait=False)
            lab.running(x, y)
            serves(lab, y)
            assert lab.get(x, "http://10.0.2.10/").startswith("hello")
            same(lab.get(x, "http://10.0.2.10:81/"), None)


def test_bulk_traffic_passes_whole(lab):
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    group = lab.group(vpc, "tcp 5201 10.0.0.0/16", "udp 5201 10.0.0.0/16")
    serve = "#!/bin/sh\nexec iperf3 -s\n"
    x, y = lab.run(a, group, "10.0.1.10", wait=False), lab.run(b, group, "10.0.2.10", serve, wait=False)
    lab.running(x, y)
    eventually("iperf3 serves", lambda: lab.inside(x, "iperf3", "-c", "10.0.2.10", "-n", "1K").returncode == 0)
    for options in ([], ["-R"], ["-P4"]):
        done = lab.inside(x, "iperf3", "-c", "10.0.2.10", "-n", "100M", "--json", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        # What was received is counted while the last of it is still on its way, so it is not asserted here.
        sent = json.loads(done.stdout)["end"]["sum_sent"]["bytes"]
        assert sent >= 100_000_000, sent


# Answers whatever a connection sends, to its end, with its digest.
DIGEST_SERVER = """#!/usr/bin/env python3
import hashlib, socketserver
class Digest(socketserver.BaseRequestHandler):
    def handle(self):
        digest = hashlib.sha256()
        while data := self.request.recv(1 << 16):
            digest.update(data)
        self.request.sendall(digest.hexdigest().encode())
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", 9000), Digest).serve_forever()
"""

# Sends 64 MiB over so many connections at once, and compares what the other side has got.
DIGEST_CLIENT = """
import concurrent.futures, hashlib, random, socket, sys
def send(seed):
    data = random.Random(seed).randbytes(1 << 20)
    digest = hashlib.sha256()
    with socket.create_connection((sys.argv[1], 9000)) as server:
        for _ in range(64 // int(sys.argv[2])):
            server.sendall(data)
            digest.update(data)
        server.shutdown(socket.SHUT_WR)
        answer = server.makefile().read()
    assert answer == digest.hexdigest(), (seed, answer)
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    list(pool.map(send, range(int(sys.argv[2]))))
"""


def test_bulk_traffic_arrives_as_it_was_sent(lab):
    vpc = lab.vpc()
    a, b = lab.subnet(vpc), lab.subnet(vpc, "10.0.2.0/24")
    group = lab.group(vpc, "tcp 9000 10.0.0.0/16")
    x = lab.run(a, group, "10.0.1.10", wait=False)
    y = lab.run(b, group, "10.0.2.10", DIGEST_SERVER, wait=False)
    lab.running(x, y)
    probe = "import socket; socket.create_connection(('10.0.2.10', 9000), 1)"
    eventually("the server answers", lambda: lab.inside(x, "python3", "-c", probe).returncode == 0)
    for connections in (1, 4):
        done = lab.inside(x, "python3", "-c", DIGEST_CLIENT, "10.0.2.10", str(connections))
        assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    main()
