"""What every instance expects of its network, asked by real programs: names, addresses by DHCP, routers, the time.

Programs that need raw sockets cannot run as an instance's user. They run in the instance's network, beside it.
"""

import os
import re
import stat
import subprocess
import tempfile

from weirtest import eventually, main, same

HERE = "/usr/sbin:/sbin"


def block_of(lab, vpc):
    block = lab.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    return block.replace("/56", "/64")


def beside(lab, instance, *program):
    """Runs a program in an instance's network, with the rights of who made that. Nothing of it is left behind."""
    network = lab.inside(instance, "readlink", "/proc/self/ns/net", check=True).stdout.strip()
    process = next(pid for pid in os.listdir("/proc") if pid.isdigit() and network_of(pid) == network)
    enter = ["nsenter", f"--target={process}", "--net"]
    if os.geteuid() != 0:
        enter += ["--user", "--preserve-credentials"]
    alone = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    done = subprocess.run(
        [*enter, *alone, *program], capture_output=True, text=True, timeout=30,
        env=os.environ | {"PATH": f"{os.environ['PATH']}:{HERE}"},
    )
    same(done.returncode, 0, f"{program}\n{done.stdout}{done.stderr}")
    return done.stdout


def network_of(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/net")
    except OSError:
        return None


def variables(text):
    return dict(re.findall(r"^(\w+)='?(.*?)'?$", text, re.MULTILINE))


def lease(lab, instance):
    """What udhcpc is told, as the variables of its script."""
    with tempfile.NamedTemporaryFile("w", suffix=".sh", delete=False) as script:
        script.write('#!/bin/sh\n[ "$1" = bound ] && env\nexit 0\n')
    try:
        os.chmod(script.name, stat.S_IRWXU)
        options = [word for option in ("mtu", "ntpsrv", "search") for word in ("-O", option)]
        return variables(beside(
            lab, instance, "busybox", "udhcpc", "-i", "eth0", "-f", "-n", "-q", *options, "-s", script.name,
        ))
    finally:
        os.unlink(script.name)


def dig(lab, instance, *question):
    """The status of an answer and its records: type and data."""
    said = lab.inside(instance, "dig", "+tries=1", "+time=2", "+noquestion", *question).stdout
    status = re.search(r"status: (\w+)", said)
    records = re.findall(r"^[^;\s]\S*\s+\d+\s+IN\s+(\S+)\s+(.*)$", said, re.MULTILINE)
    return (status[1] if status else None), records


def test_names(lab):
    vpc = lab.vpc(ipv6=True)
    subnet = lab.subnet(vpc, Ipv6CidrBlock=block_of(lab, vpc))
    lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    gateway = lab.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    lab.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    x = lab.run(subnet, lab.group(vpc), "10.0.1.10", Ipv6AddressCount=1)
    name = "ip-10-0-1-10.ec2.internal"
    for server in ("@10.0.0.2", "@169.254.169.253", "@fd00:ec2::253"):
        same(dig(lab, x, server, name), ("NOERROR", [("A", "10.0.1.10")]), server)
    same(dig(lab, x, "+search", "ip-10-0-1-10"), ("NOERROR", [("A", "10.0.1.10")]), "the domain is searched")
    same(dig(lab, x, "-x", "10.0.1.10"), ("NOERROR", [("PTR", f"{name}.")]))
    for question, status in (
        ([name, "AAAA"], "NOERROR"), ([name, "TLSA"], "NOERROR"), (["nobody.ec2.internal"], "NXDOMAIN"),
    ):
        found, [(kind, authority)] = dig(lab, x, *question)
        same((found, kind, authority.split()[0]), (status, "SOA", "ns0.ec2.internal."), question)
    same(dig(lab, x, "example.com"), ("SERVFAIL", []), "there is no way to the real internet")
    address = lab.ec2.allocate_address(Domain="vpc")
    lab.ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=x)
    public = lab.instance(x)["PublicDnsName"]
    assert public.startswith("ec2-"), public
    same(dig(lab, x, public), ("NOERROR", [("A", "10.0.1.10")]), "inside it is the private address")
    elsewhere = lab.vpc()
    y = lab.run(lab.subnet(elsewhere), lab.group(elsewhere), "10.0.1.11")
    same(dig(lab, y, public), ("NOERROR", [("A", address["PublicIp"])]), "elsewhere it is the public one")


# What the DNS server says to those who do not speak DNS, or do not speak at all: nothing, and the connection ends.
GARBAGE = """
import socket
server = ("10.0.0.2", 53)
def connect():
    client = socket.create_connection(server, timeout=5)
    client.settimeout(30)
    return client
def told(client):
    try:
        return client.recv(64)
    except ConnectionResetError:
        return b""
for message in (b"\\0\\x05hello", b"\\0\\x0c" + bytes([0, 1, 0x80] + [0] * 9), b"GET / HTTP/1.1\\r\\n\\r\\n"):
    with connect() as client:
        client.sendall(message)
        print(told(client))
silent = [connect() for _ in range(64)]
with connect() as one_more:
    print(told(one_more))
print(told(silent[0]))
"""


def test_names_over_tcp(lab):
    vpc = lab.vpc(ipv6=True)
    subnet = lab.subnet(vpc, Ipv6CidrBlock=block_of(lab, vpc))
    lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    x = lab.run(subnet, lab.group(vpc), "10.0.1.10", Ipv6AddressCount=1)
    name = "ip-10-0-1-10.ec2.internal"
    for server in ("@10.0.0.2", "@169.254.169.253", "@fd00:ec2::253"):
        same(dig(lab, x, "+tcp", server, name), ("NOERROR", [("A", "10.0.1.10")]), server)
    _, records = dig(lab, x, "+tcp", "+keepopen", *[name] * 20)
    same(records, [("A", "10.0.1.10")] * 20, "twenty questions on one connection")
    same(dig(lab, x, "+tcp", "example.com"), ("SERVFAIL", []), "there is no way to the real internet")
    said = lab.inside(x, "python3", "-c", GARBAGE, timeout=60)
    same(said.stdout.split("\n"), ["b''"] * 5 + [""], said.stderr)
    same(dig(lab, x, "+tcp", name)[0], "NOERROR", "who does not speak is not waited for for ever")


def test_addresses_by_dhcp(lab):
    vpc = lab.vpc()
    x = lab.run(lab.subnet(vpc), lab.group(vpc), "10.0.1.10")
    told = lease(lab, x)
    expected = {
        "ip": "10.0.1.10", "subnet": "255.255.255.0", "router": "10.0.1.1", "serverid": "10.0.1.1", "lease": "3600",
        "dns": "10.0.0.2", "domain": "ec2.internal", "hostname": "ip-10-0-1-10", "mtu": "9001",
        "broadcast": "10.0.1.255", "ntpsrv": None,
    }
    same({name: told.get(name) for name in expected}, expected)


def test_a_vpc_tells_its_own_options(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    x = lab.run(subnet, lab.group(vpc), "10.0.1.10")
    configurations = {
        "domain-name": ["example.com"], "domain-name-servers": ["10.0.9.1", "10.0.9.2"], "ntp-servers": ["10.0.9.3"],
    }
    made = lab.ec2.create_dhcp_options(
        DhcpConfigurations=[{"Key": key, "Values": values} for key, values in configurations.items()],
    )["DhcpOptions"]["DhcpOptionsId"]
    lab.ec2.associate_dhcp_options(DhcpOptionsId=made, VpcId=vpc)
    names = ("ip", "domain", "dns", "ntpsrv")
    told = lease(lab, x)
    same([told[name] for name in names], ["10.0.1.10", "example.com", "10.0.9.1 10.0.9.2", "10.0.9.3"])
    y = lab.run(subnet, lab.group(vpc), "10.0.1.11")
    found = lab.inside(y, "cat", "/etc/resolv.conf").stdout
    same(found, "search example.com\nnameserver 10.0.9.1\nnameserver 10.0.9.2\n")
    lab.ec2.associate_dhcp_options(DhcpOptionsId="default", VpcId=vpc)
    told = lease(lab, x)
    same([told.get(name) for name in names], ["10.0.1.10", None, "169.254.169.253", None])
    lab.ec2.delete_dhcp_options(DhcpOptionsId=made)


def test_ipv6_by_dhcp_as_the_router_says(lab):
    vpc = lab.vpc(ipv6=True)
    block = block_of(lab, vpc)
    x = lab.run(lab.subnet(vpc, Ipv6CidrBlock=block), lab.group(vpc), Ipv6AddressCount=1)
    own = lab.instance(x)["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
    said = beside(lab, x, "rdisc6", "-1", "eth0")
    for line in (
        r"Stateful address conf\. +: +Yes", r"Router lifetime +: +1800 ", r"MTU +: +9001 ",
        rf"Prefix +: {block}", r"Autonomous address conf\.: +No",
    ):
        assert re.search(line, said), f"{line} is not in\n{said}"
    alone = "mount -t tmpfs own /run; mount -t tmpfs own /var/lib/dhcpcd; exec dhcpcd --test -6 --timeout 10 eth0"
    told = variables(beside(lab, x, "sh", "-ec", alone))
    expected = {
        "new_dhcp6_ia_na1_ia_addr1": own, "new_dhcp6_ia_na1_ia_addr1_pltime": "140",
        "new_dhcp6_name_servers": "fd00:ec2::253", "new_dhcp6_domain_search": "ec2.internal",
    }
    same({name: told.get(name) for name in expected}, expected)


# Asks the DNS server as fast as can be, and counts the answers.
FLOOD = """
import socket
question = bytes.fromhex("000101000001000000000000056c6f63616c0000010001")
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
client.connect(("169.254.169.253", 53))
answers = 0
def listen(flags):
    global answers
    try:
        while client.recv(512, flags):
            answers += 1
    except (BlockingIOError, TimeoutError):
        pass
for _ in range(20_000):
    client.send(question)
    listen(socket.MSG_DONTWAIT)
client.settimeout(1)
listen(0)
print(answers)
"""


def test_an_interface_asks_so_much_a_second_and_no_more(lab):
    vpc = lab.vpc()
    x, y = (lab.run(lab.subnet(vpc, f"10.0.{n}.0/24"), lab.group(vpc), wait=False) for n in (1, 2))
    lab.running(x, y)
    answers = int(lab.inside(x, "python3", "-c", FLOOD, check=True).stdout)
    assert 1024 <= answers < 20_000, answers
    # That is each interface's own.
    same(dig(lab, y, "@169.254.169.253", "nobody.ec2.internal")[0], "NXDOMAIN", "another one is answered")


def test_the_time(lab):
    vpc = lab.vpc(ipv6=True)
    x = lab.run(lab.subnet(vpc, Ipv6CidrBlock=block_of(lab, vpc)), lab.group(vpc), Ipv6AddressCount=1)
    for family, server in (("-4", "169.254.169.123"), ("-6", "fd00:ec2::123")):
        asked = lambda: lab.inside(x, "ntpdig", family, "-t", "2", server).stdout
        said = eventually(f"{server} answers", asked)
        found = re.search(rf" ([+-][\d.]+) \+/- [\d.]+ {server} s3 no-leap", said)
        assert found, said
        assert abs(float(found[1])) < 60, "the instance and its server read the same clock"


if __name__ == "__main__":
    main()
