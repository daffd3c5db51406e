"""Exports of records, read by programs that are not ours: nfcapd as a collector of IPFIX, and the schema of OCSF."""

import collections
import json
import os
import signal
import socket
import subprocess
import tempfile
import time

import jsonschema
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from weirtest import WEIR, Daemon, Lab, block_in, eventually, main, same

REFUSED = """
import socket
for family, address in ((socket.AF_INET, "10.0.2.20"), (socket.AF_INET6, "{v6}")):
    to = socket.socket(family); to.settimeout(0.2)
    try: to.connect((address, 22))
    except OSError: pass
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"four", (address, 53))
"""


class Collector:
    """nfcapd, which writes what it has been sent when it ends."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            ["nfcapd", "-b", "127.0.0.1", "-p", str(self.port), "-w", folder, "-t", "3600"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        eventually("nfcapd listens", self.listens)

    def listens(self):
        with open("/proc/net/udp") as sockets:
            return any(f":{self.port:04X} " in line for line in sockets)

    def flows(self):
        """Ends it; answers its flows."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        done = subprocess.run(["nfdump", "-R", self.folder, "-o", "json"], capture_output=True, text=True)
        same(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


def seconds(text):
    """The whole second of a time of nfdump's, which prints local time."""
    return int(time.mktime(time.strptime(text.split(".")[0], "%Y-%m-%dT%H:%M:%S")))


def test_three_exports_tell_the_same(_):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(f"{folder}/nfcapd")
        collector = Collector(f"{folder}/nfcapd")
        exports = f"json:{folder}/flows.json", f"ocsf:{folder}/flows.ocsf", f"ipfix:127.0.0.1:{collector.port}"
        with Daemon(None, *(word for export in exports for word in ("--export", export))) as daemon:
            traffic(Lab(daemon))
            same(daemon.end(), 0)
        with open(f"{folder}/flows.json") as lines:
            records = [json.loads(line) for line in lines]
        with open(f"{folder}/flows.ocsf") as lines:
            events = [json.loads(line) for line in lines]
        check_ipfix(records, collector.flows())
        check_ocsf(records, events)


def test_two_exports_do_not_write_to_the_same_place(_):
    for first, second in (("json:-", "ocsf:-"), ("json:/tmp/x", "ocsf:/tmp/x")):
        done = subprocess.run(
            [WEIR, "up", "--ephemeral", "--listen", "127.0.0.1:0", "--export", first, "--export", second],
            capture_output=True, text=True, timeout=20,
        )
        same((done.returncode, done.stdout), (3, ""), done.stderr)
        assert f"--export {first} and --export {second} write to the same place" in done.stderr, done.stderr


def traffic(lab):
    """Pings, refused connections and datagrams, of both families."""
    ec2, vpc = lab.ec2, lab.vpc(ipv6=True)
    block = ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    a = lab.subnet(vpc, Ipv6CidrBlock=block_in(block, 1))
    b = lab.subnet(vpc, "10.0.2.0/24", Ipv6CidrBlock=block_in(block, 2))
    group = lab.group(vpc, "icmp 10.0.0.0/16", "icmpv6 ::/0")
    x = lab.run(a, group, "10.0.1.10", Ipv6AddressCount=1, wait=False)
    y = lab.run(b, group, "10.0.2.20", Ipv6AddressCount=1, wait=False)
    lab.running(x, y)
    v6 = lab.instance(y)["NetworkInterfaces"][0]["Ipv6Addresses"][0]["Ipv6Address"]
    eventually("addresses are usable", lambda: lab.ping(x, v6, "-6"))
    assert lab.ping(x, "10.0.2.20", "-c5", "-i0.1")
    lab.inside(x, "python3", "-c", REFUSED.replace("{v6}", v6))
    time.sleep(1.5)
    lab.weir("flows", "flush")
    lines = lab.weir("flows", "status").stdout
    same([line.split()[2] for line in lines.splitlines()[1:]], ["0"] * 3, lines)


def key(record, names):
    return tuple(str(record.get(name, 0)) for name in names)


def check_ipfix(records, flows):
    wanted, found = collections.Counter(), collections.Counter()
    # nfdump 1.7.1 keeps no forwardingStatus and firewallEvent of IPFIX; the data tests of the encoder have those.
    fields = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "flow-direction", "start", "end")
    for record in records:
        wanted[key(record, fields), "packets"] += record["packets"]
        wanted[key(record, fields), "bytes"] += record["bytes"]
    for flow in flows:
        source = flow.get("src4_addr") or flow["src6_addr"]
        destination = flow.get("dst4_addr") or flow["dst6_addr"]
        way = {0: "ingress", 1: "egress"}[flow["direction"]]
        times = seconds(flow["first"]), seconds(flow["last"])
        made = (source, destination, flow.get("src_port", 0), flow.get("dst_port", 0), flow["proto"], way, *times)
        found[tuple(map(str, made)), "packets"] += flow["in_packets"]
        found[tuple(map(str, made)), "bytes"] += flow["in_bytes"]
    same(found, wanted)
    assert len(wanted) >= 2 * 10, wanted


def check_ocsf(records, events):
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.3.0"))
    name = schema.lookup_class_name_from_uid(class_uid=4001)
    schema = schema.get_class_schema(class_name=name, profiles=["cloud", "security_control"])
    validator = jsonschema.Draft202012Validator(schema)
    for event in events:
        wrong = [f"{list(error.absolute_path)}: {error.message}" for error in validator.iter_errors(event)]
        same(wrong, [], event)
    broken = {**events[0], "time": "soon"}
    assert not validator.is_valid(broken), "the schema says something"
    told = [
        (event["src_endpoint"]["ip"], event["dst_endpoint"]["ip"], event["src_endpoint"].get("port", 0),
         event["dst_endpoint"].get("port", 0), event["connection_info"]["protocol_num"], event["status_code"],
         event["traffic"]["packets"], event["traffic"]["bytes"], event["start_time"] // 1000)
        for event in events
    ]
    names = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action", "packets", "bytes", "start")
    same(sorted(told), sorted(tuple(record[name] for name in names) for record in records))


if __name__ == "__main__":
    main(daemon="none")
