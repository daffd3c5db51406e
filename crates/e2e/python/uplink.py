"""`weir up --uplink`: instances reach the real internet through the host, and nothing else through it.

The host of this test is a network namespace of its own, the real internet another one behind it, and a third is a
private network that only the host can see.
"""

import os
import shutil
import signal
import subprocess
import sys

from weirtest import WEIR, Daemon, Lab, eventually, same

# Without them the host's own tools are not found when the caller's PATH is an ordinary user's.
os.environ["PATH"] += ":/usr/sbin:/sbin"

SERVER = "203.0.113.77"
SERVER_V6 = "2600:1f00::77"
PRIVATE = "192.168.77.2"
# Public addresses of the host itself, and of a network that is not behind its default route.
HOST = "198.51.100.2"
BESIDE = "198.18.0.2"
PAGE = """
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = (self.client_address[0] + "\\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6
print("ready", flush=True)
Server(("::", 80), Handler).serve_forever()
"""
# A name server that knows one address for every name, and a long text that it tells over TCP only.
NAMES = """
import socket, sys, threading
listener = socket.create_server((sys.argv[1], 53))
def whole():
    while True:
        client, _ = listener.accept()
        query = client.recv(2 + int.from_bytes(client.recv(2), "big"))
        end = query.index(0, 12) + 5
        text = bytes([0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 9, 0, 251, 250]) + b"x" * 250
        answer = query[:2] + bytes([0x81, 0x80, 0, 1, 0, 30, 0, 0, 0, 0]) + query[12:end] + text * 30
        client.sendall(len(answer).to_bytes(2, "big") + answer)
        client.close()
threading.Thread(target=whole, daemon=True).start()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((sys.argv[1], 53))
print("ready", flush=True)
while True:
    query, client = server.recvfrom(512)
    end = query.index(0, 12) + 5
    answer = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4]) + socket.inet_aton(sys.argv[1])
    known = query[end - 3] == 1
    truncated = 2 * (query[end - 3] == 16)
    counts = bytes([0, 1, 0, int(known), 0, 0, 0, 0])
    server.sendto(query[:2] + bytes([0x81 | truncated, 0x80]) + counts + query[12:end] + (answer if known else b""), client)
"""


def sh(command):
    return subprocess.run(["sh", "-euc", command], check=True, capture_output=True, text=True).stdout


def namespace():
    """A process in a network namespace of its own."""
    child = subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && exec sleep 600"],
        stdout=subprocess.PIPE, text=True,
    )
    same(child.stdout.readline(), "ready\n")
    return child


def inside(child, *program, **options):
    return subprocess.Popen(["nsenter", "--net", "--target", str(child.pid), *program], **options)


def serve(child, *command):
    command = [sys.executable, "-uc", *(command or [PAGE])]
    server = inside(child, *command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) if child else (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    )
    same(server.stdout.readline(), "ready\n")
    return server


def network(outside, beside):
    """This namespace is the host; the others are what it is connected to."""
    sh(f"""
        ip link set lo up
        ip link add out type veth peer name eth0 netns {outside.pid}
        ip link add lan type veth peer name eth0 netns {beside.pid}
        ip link set out up; ip link set lan up
        ip addr add {HOST}/24 dev out
        ip addr add 192.168.77.1/24 dev lan; ip addr add 198.18.0.1/24 dev lan
        ip route add default via 198.51.100.1
        ip -6 addr add 2600:1f01::2/64 dev out nodad
        ip -6 route add default via 2600:1f01::1 dev out
        echo 0 > /proc/sys/net/ipv4/ip_forward
        echo 0 > /proc/sys/net/ipv6/conf/all/forwarding
    """)
    # Outside, nobody knows a way to an instance's public address: an answer to it would go astray, as in reality.
    for child, commands in (
        (outside, f"ip addr add 198.51.100.1/24 dev eth0; ip addr add {SERVER}/32 dev lo; "
                  f"ip -6 addr add 2600:1f01::1/64 dev eth0 nodad; ip -6 addr add {SERVER_V6}/128 dev lo nodad; "
                  f"ip link set eth0 up; ip route add 192.168.77.0/24 via {HOST}"),
        (beside, f"ip addr add {PRIVATE}/24 dev eth0; ip addr add {BESIDE}/24 dev eth0; ip link set eth0 up; "
                 "ip route add default via 192.168.77.1"),
    ):
        same(inside(child, "sh", "-euc", commands).wait(), 0, commands)


def state_of_the_host():
    """Everything that an uplink may change."""
    settings = sh("cd /proc/sys/net; grep -H . ipv4/ip_forward ipv4/conf/*/forwarding ipv6/conf/*/forwarding")
    return sh("nft list ruleset; ip -br link; ip rule; ip route; ip -6 rule; ip -6 route; ip neigh show nud permanent"), settings


def public_instance(lab):
    """An instance with a public address of each family, and what may be sent to it."""
    ec2 = lab.ec2
    vpc = lab.vpc(ipv6=True)
    block = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = lab.subnet(vpc, Ipv6CidrBlock=block.replace("/56", "/64"))
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.create_route(RouteTableId=table, DestinationIpv6CidrBlock="::/0", GatewayId=gateway)
    group = lab.group(vpc, "all 0.0.0.0/0")
    instance = lab.run(subnet, group, "10.0.1.10", Ipv6AddressCount=1)
    address = ec2.allocate_address(Domain="vpc")
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
    return instance, address["PublicIp"]


def echoes_seen(child):
    """How many echo requests have reached a namespace."""
    names, values = sh(f"nsenter --net --target {child.pid} grep ^Icmp: /proc/net/snmp").splitlines()
    return int(dict(zip(names.split(), values.split()))["InEchos"])


def test_instances_reach_the_internet_and_nothing_else(outside, beside):
    before = state_of_the_host()
    with Daemon(None, "--uplink") as daemon:
        lab = Lab(daemon)
        instance, public = public_instance(lab)
        get = lambda address: lab.get(instance, f"http://{address}/")
        same(get(SERVER), f"::ffff:{HOST}\n", "the internet sees the host's address")
        same(lab.ping(instance, SERVER), True)
        for what, address in {
            "the host": HOST,
            "the host's address in its private network": "192.168.77.1",
            "the host's end of the uplink": "169.254.253.253",
            "a private network": PRIVATE,
            "a public network that is not on the way to the internet": BESIDE,
        }.items():
            same(get(address), None, what)
        same(lab.get(instance, f"http://[{SERVER_V6}]/"), None, "this host does not forward IPv6")
        # Nobody out there can begin, not even if the address is known; and the host has become no router.
        sh(f"nsenter --net --target {outside.pid} ip route add {public} via {HOST}")
        seen = echoes_seen(beside)
        for address in (public, PRIVATE):
            ping = inside(outside, "ping", "-c1", "-W1", "-I", SERVER, address, stdout=subprocess.DEVNULL)
            assert ping.wait() != 0, f"{address} answers the internet"
        same(echoes_seen(beside), seen, "no packet of the internet's passes the host")
        # The host itself loses nothing.
        same(sh(f"curl -s --max-time 2 http://{SERVER}/"), f"::ffff:{HOST}\n")
        assert "out" in sh(f"ip route get {public}"), "the address belongs to somebody else for the host"
        # A simulated host shadows the real one.
        lab.weir("internet", "add", SERVER)
        same(get(SERVER), "refused", "nothing listens on the simulated host")
        lab.weir("internet", "rm", SERVER)
        same(get(SERVER), f"::ffff:{HOST}\n")
    same(state_of_the_host(), before)


def test_a_host_that_is_a_router_stays_one(outside, beside):
    sh("echo 1 > /proc/sys/net/ipv4/ip_forward")
    before = state_of_the_host()
    try:
        with Daemon(None, "--uplink") as daemon:
            lab = Lab(daemon)
            instance, _ = public_instance(lab)
            same(lab.get(instance, f"http://{SERVER}/"), f"::ffff:{HOST}\n")
            for address in (HOST, "198.18.0.1", BESIDE, PRIVATE):
                same(lab.get(instance, f"http://{address}/"), None, address)
            ping = inside(outside, "ping", "-c1", "-W1", "-I", SERVER, PRIVATE, stdout=subprocess.DEVNULL)
            same(ping.wait(), 0, "what the host forwarded before, it still does")
        same(state_of_the_host(), before)
    finally:
        sh("echo 0 > /proc/sys/net/ipv4/ip_forward")


def test_a_narrow_way_out(outside, beside):
    sh("ip link set out mtu 1300")
    try:
        with Daemon(None, "--uplink") as daemon:
            lab = Lab(daemon)
            instance, _ = public_instance(lab)
            page = lab.get(instance, f"http://{SERVER}/?{'x' * 6000}")
            same(page, f"::ffff:{HOST}\n", "long segments are cut for it")
    finally:
        sh("ip link set out mtu 1500")


def test_names_of_the_internet(outside, beside):
    server = serve(outside, NAMES, SERVER)
    try:
        with Daemon(None, "--uplink", "--resolver", SERVER) as daemon:
            lab = Lab(daemon)
            instance, _ = public_instance(lab)
            same(lab.get(instance, "http://www.example.com/"), f"::ffff:{HOST}\n", "a page by its name")
            for how in ("+ignore", "+noignore", "+tcp"):
                told = lab.inside(instance, "dig", how, "TXT", "long.example.com", timeout=30).stdout
                same(told.count("x" * 250), 0 if how == "+ignore" else 30, f"{how}: {told[:600]}")
                assert (" tc" in told.split("QUERY: 1")[0]) == (how == "+ignore"), told[:600]
            looked_up = lab.inside(instance, "getent", "ahostsv4", "ip-10-0-1-10.ec2.internal")
            same(looked_up.stdout, "", "names of the VPC are asked for nowhere else, also where it has none")
    finally:
        server.kill()
        server.wait()
    with Daemon(None, "--uplink", "--resolver", SERVER) as daemon:
        lab = Lab(daemon)
        instance, _ = public_instance(lab)
        page = lab.get(instance, "http://www.example.com/", "--connect-timeout", "10", "--max-time", "10")
        assert "resolve host" in page, f"no name server answers: {page}"


def test_ipv6_where_the_host_forwards_it(outside, beside):
    sh("echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")
    try:
        with Daemon(None, "--uplink") as daemon:
            lab = Lab(daemon)
            instance, _ = public_instance(lab)
            page = lab.get(instance, f"http://[{SERVER_V6}]/")
            same(page, "2600:1f01::2\n")
            same(lab.get(instance, "http://[2600:1f01::2]/"), None, "the host")
            same(lab.get(instance, "http://[fd57:6569:7200::1]/"), None, "the host's end of the uplink")
    finally:
        sh("echo 0 > /proc/sys/net/ipv6/conf/all/forwarding")


def test_a_killed_daemon_leaves_nothing(outside, beside):
    before = state_of_the_host()
    daemon = Daemon(None, "--uplink")
    assert state_of_the_host() != before
    daemon.end(signal.SIGKILL)
    eventually("its keeper has cleaned up", lambda: state_of_the_host() == before)
    # And if the keeper is killed, too, the next daemon does it.
    daemon = Daemon(None, "--uplink")
    for keeper in sh(f"pgrep -P {daemon.process.pid} -f __weir-uplink").split():
        os.kill(int(keeper), signal.SIGKILL)
    daemon.end(signal.SIGKILL)
    assert state_of_the_host() != before
    Daemon(None, "--uplink").end()
    eventually("the next has cleaned up", lambda: state_of_the_host() == before)


def test_what_is_missing_is_said(outside, beside):
    before = state_of_the_host()

    def refusal(words):
        try:
            Daemon(None, "--uplink").end()
        except AssertionError as error:
            assert words in str(error), error
        else:
            raise AssertionError(f"it started, without: {words}")

    sh("ip route del default")
    try:
        refusal("no default route")
    finally:
        sh("ip route add default via 198.51.100.1")
    with Daemon(None, "--uplink"):
        refusal("another daemon")
    rootless = subprocess.run(
        ["unshare", "--user", "--map-root-user", WEIR, "up", "--ephemeral", "--listen", "127.0.0.1:0", "--uplink"],
        capture_output=True, text=True, timeout=20,
    )
    assert rootless.returncode != 0 and "run `weir up --uplink` as root" in rootless.stderr, rootless
    with Daemon():
        same(state_of_the_host(), before, "without --uplink nothing changes")
    same(state_of_the_host(), before)


def run():
    if not shutil.which("nft"):
        print("SKIPPED: the uplink needs nft: run scripts/setup", file=sys.stderr)
        sys.exit(1 if "CI" in os.environ else 0)
    children = [namespace(), namespace()]
    try:
        network(*children)
        children += [serve(child) for child in (*children, None)]
        tests = [value for name, value in globals().items() if name.startswith("test_")]
        # One after another: there is one host.
        for test in tests:
            if not sys.argv[1:] or test.__name__ in sys.argv[1:]:
                test(*children[:2])
                print(f"ok      {test.__name__}", flush=True)
    finally:
        for child in children:
            child.kill()
            child.wait()


if __name__ == "__main__":
    if "WEIR_UPLINK_TEST" in os.environ:
        run()
    else:
        # The host's namespace; root if need be, as far as the namespace goes.
        user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        os.environ["WEIR_UPLINK_TEST"] = "inside"
        os.execvp("unshare", ["unshare", *user, "--net", sys.executable, __file__, *sys.argv[1:]])
