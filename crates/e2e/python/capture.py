"""`weir capture`: what interfaces see, read by tcpdump and by a reader that is not ours, and replayed; how captures end."""

import collections
import gzip
import json
import os
import pathlib
import re
import signal
import struct
import subprocess
import tempfile
import time

from weirtest import WEIR, Daemon, Lab, eventually, main, same

SERVE = "#!/bin/sh\nexec python3 -c '" + """
import socket
server = socket.create_server(("0.0.0.0", 80))
while True:
    client, _ = server.accept()
    while client.recv(1 << 20):
        pass
    client.close()
""" + "'\n"
SEND = """
import socket, sys
to, size = socket.create_connection(("10.0.2.20", 80), 5), int(sys.argv[1])
to.sendall(bytes(size)); to.shutdown(socket.SHUT_WR); to.recv(1)
"""
REFUSED = """
import socket
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"four", ("10.0.2.20", 53))
to = socket.socket(); to.settimeout(0.2)
try: to.connect(("10.0.2.20", 22))
except OSError: pass
"""


class Net:
    """A client and a server, which lets in pings and port 80."""

    def __init__(self, lab):
        self.lab, self.vpc = lab, lab.vpc()
        self.web, self.db = lab.subnet(self.vpc, "10.0.1.0/24"), lab.subnet(self.vpc, "10.0.2.0/24")
        self.group = lab.group(self.vpc, "icmp 10.0.0.0/16", "tcp 80 10.0.0.0/16")
        self.client = lab.run(self.web, lab.group(self.vpc), "10.0.1.10", wait=False)
        self.server = lab.run(self.db, self.group, "10.0.2.20", SERVE, wait=False)
        lab.running(self.client, self.server)
        self.eni = lab.interface(self.server)
        eventually("it serves", lambda: self.send(1))

    def send(self, size):
        return self.lab.inside(self.client, "python3", "-c", SEND, str(size)).returncode == 0

    def ping(self, count=1):
        done = self.lab.inside(self.client, "ping", "-q", "-i0.01", f"-c{count}", "-W1", "10.0.2.20")
        return done.returncode == 0


class Capture:
    """`weir capture` on its way."""

    def __init__(self, lab, *arguments, stdout=subprocess.DEVNULL):
        self.process = subprocess.Popen(
            [WEIR, "--endpoint", lab.daemon.endpoint, "capture", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True)

    def end(self, how=signal.SIGINT):
        """Ends it; answers what it said."""
        if how:
            self.process.send_signal(how)
        said = self.process.communicate(timeout=30)[1]
        same(self.process.returncode, 0, said)
        return said


def begun(path):
    """A capture to a file has begun when the file has its beginning."""
    eventually("the capture begins", lambda: os.path.exists(path) and os.path.getsize(path) > 0)


def blocks(data):
    """The blocks of a pcapng section of little-endian numbers: kind, body."""
    at = 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        same(struct.unpack_from("<I", data, at + length - 4)[0], length, "the two lengths of a block")
        yield kind, data[at + 8:at + length - 4]
        at += length


def options(data):
    found, at = {}, 0
    while at + 4 <= len(data):
        code, length = struct.unpack_from("<HH", data, at)
        if code == 0:
            break
        found[code] = data[at + 4:at + 4 + length]
        at += 4 + (length + 3) // 4 * 4
    return found


class File:
    """What a capture has, by the words of the format's specification."""

    def __init__(self, data):
        self.interfaces, self.packets, self.statistics = [], [], []
        for index, (kind, body) in enumerate(blocks(data)):
            if index == 0:
                same((kind, body[:8]), (0x0A0D0D0A, bytes.fromhex("4d3c2b1a01000000")))
            elif kind == 1:
                link, _, snaplen = struct.unpack_from("<HHI", body)
                same((link, options(body[8:])[9]), (1, b"\x09"), "Ethernet, nanoseconds")
                self.interfaces.append((options(body[8:])[2].decode(), snaplen))
            elif kind == 6:
                interface, high, low, length, original = struct.unpack_from("<IIIII", body)
                rest = options(body[20 + (length + 3) // 4 * 4:])
                way = {1: "in", 2: "out"}[struct.unpack("<I", rest[2])[0]]
                time_ns = high << 32 | low
                self.packets.append((interface, way, original, body[20:20 + length], rest[1].decode(), time_ns))
            elif kind == 5:
                rest = options(body[12:])
                counts = struct.unpack("<Q", rest[4])[0], struct.unpack("<Q", rest[5])[0]
                self.statistics.append((*counts, rest.get(1, b"").decode()))
            else:
                raise AssertionError(f"a block of kind {kind}")


def sums(records, fields):
    """Packets and bytes by flow."""
    found = collections.defaultdict(lambda: [0, 0])
    for record in records:
        if record[fields["action"]] != "-":
            key = tuple(str(record[fields[name]]) for name in ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action"))
            found[key][0] += int(record[fields["packets"]])
            found[key][1] += int(record[fields["bytes"]])
    return {key: tuple(counts) for key, counts in found.items()}


def test_a_capture_replayed_leaves_the_records_of_the_flow_log(lab):
    net = Net(lab)
    lab.client("s3").create_bucket(Bucket=f"logs-{lab.account}")
    lab.ec2.create_flow_logs(
        ResourceIds=[net.vpc], ResourceType="VPC", TrafficType="ALL",
        LogDestinationType="s3", LogDestination=f"arn:aws:s3:::logs-{lab.account}")
    time.sleep(1.5)
    lab.weir("flows", "flush")
    known = {json.dumps(record) for record in records(lab, net.eni)}
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/server.pcapng"
        capture = Capture(lab, net.eni, "--write", path)
        begun(path)
        assert net.ping(20)
        assert net.send(3_000_000)
        lab.inside(net.client, "python3", "-c", REFUSED)
        time.sleep(1.5)
        said = capture.end()
        lab.weir("flows", "flush")
        flows = [record for record in records(lab, net.eni) if json.dumps(record) not in known]
        names = ("srcaddr", "dstaddr", "srcport", "dstport", "protocol", "action", "packets", "bytes")
        logged = sums(flows, {name: name for name in names})

        file = File(open(path, "rb").read())
        same(file.interfaces, [(net.eni, 0)])
        count = len(file.packets)
        assert f"{count} packets captured, 0 dropped" in said, said
        same(file.statistics, [(count, 0, "")])
        same(count, sum(packets for packets, _ in logged.values()), logged)
        assert all(original - 14 <= 9001 for _, _, original, *_ in file.packets), "super-frames are cut"
        verdicts = collections.Counter((way, comment) for _, way, _, _, comment, _ in file.packets)
        same(verdicts["in", f"REJECT no inbound rule of {net.group} allows it"], refused(logged), verdicts)
        assert verdicts["in", f"ACCEPT delivered to {net.eni}"] > 20, verdicts
        assert verdicts["out", f"ACCEPT delivered to {lab.interface(net.client)}"] > 20, verdicts
        # Read by somebody else's program: every packet, with its checksum.
        read = subprocess.run(["tcpdump", "-nvvr", path], capture_output=True, text=True, check=True)
        same(len([line for line in read.stdout.splitlines() if line[:1].isdigit()]), count)
        same([line for line in read.stdout.splitlines() if re.search(r"incorrect|\bbad\b", line)], [])

        replayed = lab.weir("replay", path, "--eni", net.eni)
        lines = [line.split() for line in replayed.stdout.splitlines()]
        fields = {name: lines[0].index(name) for name in names}
        same(sums(lines[1:], fields), logged, replayed.stderr)

        # A packet every fifty seconds for nearly twelve minutes, from the begin of five minutes on.
        frame = next(data for _, way, _, data, comment, _ in file.packets if way == "in" and comment.startswith("ACCEPT"))
        begin, count = 1_700_000_100, 14
        with open(f"{folder}/long.pcap", "wb") as out:
            out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for number in range(count):
                out.write(struct.pack("<IIII", begin + 50 * number, 0, len(frame), len(frame)) + frame)

        def files(*options):
            where = f"{folder}/{'-'.join(('files', *options))}"
            done = lab.weir("replay", f"{folder}/long.pcap", "--eni", net.eni, "--output", where, *options)
            found = {}
            for path in pathlib.Path(where).rglob("*.log.gz"):
                header, *records = gzip.decompress(path.read_bytes()).decode().splitlines()
                found[path.name] = [dict(zip(header.split(), record.split(), strict=True)) for record in records]
                for record in found[path.name]:
                    slot = time.strftime("_%Y%m%dT%H%MZ_", time.gmtime(int(record["end"]) // 300 * 300))
                    assert slot in path.name, (record, path.name)
            same(sum(int(r["packets"]) for one in found.values() for r in one if r["packets"] != "-"), count, done.stderr)
            return found

        same(len(files()), 3, "one for each five minutes")
        same(len(files("--files", "window")) > 3, True)
        same(files("--files", "slot"), files(), "that is what happens anyway")


def refused(logged):
    return sum(packets for key, (packets, _) in logged.items() if key[-1] == "REJECT")


def records(lab, eni):
    lines = lab.weir("flows", "--interface", eni, "--format", "json").stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_filters_counts_names_and_several_at_once(lab):
    net = Net(lab)
    lab.ec2.create_tags(Resources=[net.server], Tags=[{"Key": "Name", "Value": f"db-{lab.account}"}])
    with tempfile.TemporaryDirectory() as folder:
        one, both, small = (f"{folder}/{name}" for name in ("one", "both", "small"))
        captures = [
            Capture(lab, f"db-{lab.account}", "-w", one, "--action", "REJECT", "--count", "2"),
            Capture(lab, net.eni, net.client, "-w", both, "--protocol", "icmp"),
            Capture(lab, net.server, "-w", small, "--snaplen", "40", "--duration", "5"),
        ]
        for path in (one, both, small):
            begun(path)
        net.ping(3)
        while captures[0].process.poll() is None:
            lab.inside(net.client, "python3", "-c", REFUSED)
        captures[0].end(how=None)
        captures[1].end(signal.SIGTERM)
        captures[2].end(how=None)
        one, both, small = (File(open(path, "rb").read()) for path in (one, both, small))
        same([(way, comment[:6]) for _, way, _, _, comment, _ in one.packets], [("in", "REJECT")] * 2)
        same([name for name, _ in both.interfaces], [net.eni, lab.interface(net.client)])
        ways = collections.Counter((interface, way) for interface, way, *_ in both.packets)
        same(dict(ways), {(0, "in"): 3, (0, "out"): 3, (1, "in"): 3, (1, "out"): 3})
        times = [time_ns for *_, time_ns in both.packets]
        same(times, sorted(times))
        same(small.interfaces, [(net.eni, 40)])
        assert small.packets and all(len(kept) == 40 < original for _, _, original, kept, *_ in small.packets)


def test_lines_for_people_and_wrong_names(lab):
    net = Net(lab)
    capture = Capture(lab, net.eni, "--count", "2", "--protocol", "icmp", stdout=subprocess.PIPE)
    eventually("two packets", lambda: net.ping() and capture.process.poll() is not None)
    out = capture.process.stdout.read().splitlines()
    same(len(out), 2)
    assert "in  IP 10.0.1.10 > 10.0.2.20: icmp echo request" in out[0], out
    assert out[0].endswith(f"| ACCEPT delivered to {net.eni}"), out
    assert "out IP 10.0.2.20 > 10.0.1.10: icmp echo reply" in out[1], out
    second = lab.ec2.create_network_interface(SubnetId=net.db)["NetworkInterface"]["NetworkInterfaceId"]
    lab.ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=net.server, DeviceIndex=1)
    for name, words in [
        (net.server, "has several interfaces: eni-"),
        ("eni-00000000000000000", "is no instance with an interface"),
        ("nobody", "is no instance with an interface"),
    ]:
        done = lab.weir("capture", name, "--count", "1", check=False)
        assert done.returncode == 3 and words in done.stderr, done.stderr
    done = lab.weir("capture", net.eni, "--port", "1", "--action", "MAYBE", check=False)
    assert done.returncode == 3 and "Value (MAYBE) for parameter action is invalid" in done.stderr, done.stderr


def test_a_reader_that_has_seen_enough_ends_it(lab):
    net = Net(lab)
    capture = Capture(lab, net.eni, "--write", "-", stdout=subprocess.PIPE)
    reader = subprocess.Popen(["tcpdump", "-nr", "-", "-c", "2"], stdin=capture.process.stdout,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    capture.process.stdout.close()
    eventually("tcpdump has two packets", lambda: net.ping() and reader.poll() is not None)
    same(len(reader.communicate()[0].splitlines()), 2)
    # Without another packet.
    capture.end(how=None)
    assert net.ping()


def test_readers_that_are_killed_leave_nothing(lab):
    vpc = lab.vpc()
    eni = lab.ec2.create_network_interface(SubnetId=lab.subnet(vpc))["NetworkInterface"]["NetworkInterfaceId"]
    with tempfile.TemporaryDirectory() as folder:
        # More than there may be at a time.
        for number in range(20):
            path = f"{folder}/{number}"
            capture = Capture(lab, eni, "-w", path)
            eventually("the capture begins", lambda: begins(capture, path))
            capture.process.kill()
            capture.process.communicate()


def begins(capture, path):
    """Whether it does. One that is refused, because there are too many, does not."""
    if capture.process.poll() is not None:
        raise AssertionError(capture.process.stderr.read())
    return os.path.exists(path) and os.path.getsize(path) > 0


def test_it_ends_with_its_interface(lab):
    net = Net(lab)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/gone"
        capture = Capture(lab, net.eni, "-w", path)
        begun(path)
        assert net.ping()
        lab.ec2.terminate_instances(InstanceIds=[net.server])
        said = capture.end(how=None)
        assert "there is no such interface any more" in said, said
        file = File(open(path, "rb").read())
        same([(seen >= 2, dropped, why) for seen, dropped, why in file.statistics],
             [(True, 0, "ended: there is no such interface any more")])


def test_it_ends_with_the_daemon(_):
    with Daemon() as daemon, tempfile.TemporaryDirectory() as folder:
        lab = Lab(daemon)
        net = Net(lab)
        path = f"{folder}/ended"
        capture = Capture(lab, net.eni, "-w", path)
        begun(path)
        assert net.ping()
        same(daemon.end(), 0)
        assert "the daemon ends" in capture.end(how=None)
        same(len(File(open(path, "rb").read()).statistics), 1)


def test_a_reader_that_sleeps_loses_packets_and_is_told(lab):
    net = Net(lab)
    capture = Capture(lab, net.eni, "--write", "-", stdout=subprocess.PIPE)
    # Nobody reads; what is sent is more than there is room for, and all of it arrives.
    for _ in range(3):
        assert net.send(40_000_000)
    capture.process.send_signal(signal.SIGINT)
    data, said = read(capture)
    file = File(data)
    (seen, dropped, _), = file.statistics
    same(seen, len(file.packets) + dropped)
    assert dropped > 0 and f"{dropped} dropped because they came faster" in said, said


def read(capture):
    data = capture.process.stdout.buffer.read()
    said = capture.process.stderr.read()
    same(capture.process.wait(30), 0, said)
    return data, said


if __name__ == "__main__":
    main(parallel=4)
