"""Destinations that are elsewhere, gone, or on a full disk: what a flow log shows, and what arrives in the end."""

import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from weirtest import REGION, WEIR, Daemon, Lab, eventually, main, same

KEYS = {"AWS_ACCESS_KEY_ID": "elsewhere", "AWS_SECRET_ACCESS_KEY": "secret of elsewhere"}


class Elsewhere:
    """Some other S3 and CloudWatch Logs, as their own clients see them."""

    def __init__(self, endpoint):
        self.endpoint = endpoint

    def client(self, service):
        return boto3.session.Session().client(
            service, region_name=REGION, endpoint_url=self.endpoint,
            aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def bucket(self, name):
        self.client("s3").create_bucket(Bucket=name)

    def lines(self, bucket):
        """The records in a bucket, as dictionaries by the names in the header."""
        found = []
        for one in self.client("s3").list_objects_v2(Bucket=bucket).get("Contents", []):
            body = self.client("s3").get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            header, *records = gzip.decompress(body).decode().splitlines()
            found += [dict(zip(header.split(), record.split(), strict=True)) for record in records]
        return found

    def received(self, bucket):
        """How many packets to the receiver its records tell of."""
        return sum(int(r["packets"]) for r in self.lines(bucket) if r["dstaddr"] == Pair.Y)

    def events(self, group):
        """The lines in a log group; none if it is not there."""
        try:
            pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
            return [event["message"] for page in pages for event in page["events"]]
        except ClientError as error:
            same(error.response["Error"]["Code"], "ResourceNotFoundException")
            return []


class Pair:
    """Two instances, one of which pings the other; flow logs are of the other's interface."""

    X, Y = "10.0.1.10", "10.0.1.20"

    def __init__(self, lab):
        self.lab = lab
        vpc = lab.vpc()
        subnet, group = lab.subnet(vpc), lab.group(vpc, "icmp 10.0.0.0/16")
        self.x = lab.run(subnet, group, self.X, wait=False)
        y = lab.run(subnet, group, self.Y, wait=False)
        lab.running(self.x, y)
        self.eni = lab.interface(y)

    def ping(self, count):
        done = self.lab.inside(self.x, "ping", "-q", "-i0.05", f"-c{count}", "-W1", self.Y)
        same(done.returncode, 0, done.stderr)

    def refused_flow_log(self, bucket):
        """Why a flow log to a bucket is not created."""
        made = self.lab.ec2.create_flow_logs(
            ResourceIds=[self.eni], ResourceType="NetworkInterface", TrafficType="ALL",
            LogDestinationType="s3", LogDestination=f"arn:aws:s3:::{bucket}",
        )
        same(made["FlowLogIds"], [])
        [item] = made["Unsuccessful"]
        same((item["ResourceId"], item["Error"]["Code"]), (self.eni, "400"))
        return item["Error"]["Message"]

    def flow_log(self, bucket=None, group=None):
        if bucket:
            where = {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{bucket}"}
        else:
            role = f"arn:aws:iam::{self.lab.account}:role/logs"
            where = {"LogGroupName": group, "DeliverLogsPermissionArn": role}
        made = self.lab.ec2.create_flow_logs(
            ResourceIds=[self.eni], ResourceType="NetworkInterface", TrafficType="ALL", **where,
        )
        same(made["Unsuccessful"], [])
        return made["FlowLogIds"][0]

    def flush(self):
        """Closes the windows and waits for their delivery, which may fail."""
        done = self.lab.weir("flows", "flush", check=False)
        assert done.returncode in (0, 1), done.stderr

    def described(self, flow_log):
        return self.lab.ec2.describe_flow_logs(FlowLogIds=[flow_log])["FlowLogs"][0]

    def fails_with(self, flow_log, message, reason):
        """The failure shows in the API, to scripts, and in the daemon's log; what was recorded waits."""
        shown = eventually(
            "the failure shows", lambda: (d := self.described(flow_log))["DeliverLogsStatus"] == "FAILED" and d
        )
        same((shown["DeliverLogsErrorMessage"], shown["FlowLogStatus"]), (message, "ACTIVE"))
        same(self.lab.weir("flows", "status", check=False).returncode, 1, "for scripts: some delivery fails")
        line = self.status(flow_log)
        assert reason in line and not re.search(r"\b0 B\b", line), line
        said = [s for s in self.lab.daemon.said().splitlines() if "delivery failed" in s and flow_log in s]
        assert said and reason in said[-1], said

    def is_well(self, flow_log):
        eventually("it is well again", lambda: self.described(flow_log)["DeliverLogsStatus"] == "SUCCESS", 20)
        eventually("nothing waits any more", lambda: re.search(r"\s0 B\s", self.status(flow_log)), 20)
        assert "DeliverLogsErrorMessage" not in self.described(flow_log)

    def status(self, flow_log):
        """Its line of `weir flows status`."""
        lines = self.lab.weir("flows", "status", check=False).stdout.splitlines()
        return next(line.rstrip() for line in lines if flow_log in line)


def delivering(*endpoints, **more):
    """A daemon that is given endpoints, with keys for them in its environment."""
    names = ("--s3-endpoint", "--logs-endpoint")
    options = [word for pair in zip(names, endpoints, strict=False) if pair[1] for word in pair]
    return Daemon(more.pop("state", None), *options, program=(*more.pop("prefix", ()), *keys(), WEIR), **more)


def keys():
    return ["env", "-u", "AWS_SESSION_TOKEN", *(f"{name}={value}" for name, value in KEYS.items())]


@contextlib.contextmanager
def moto(port=0):
    """moto's S3 and CloudWatch Logs, which share nothing with ours."""
    port = port or free_port()
    with tempfile.TemporaryFile("w+") as log:
        program = ["-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        process = subprocess.Popen([sys.executable, *program], stdout=log, stderr=log)
        try:
            eventually("moto listens", lambda: listens(port), 60)
            yield Elsewhere(f"http://127.0.0.1:{port}")
        finally:
            process.kill()
            process.wait()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listens(port):
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def delivers_to(elsewhere, daemon):
    """Both kinds of flow logs, and buckets and groups that are not there."""
    lab = Lab(daemon)
    pair = Pair(lab)
    elsewhere.bucket("records")
    to_s3, to_logs = pair.flow_log(bucket="records"), pair.flow_log(group="records")
    same(pair.refused_flow_log("goes-away"), "LogDestination: goes-away does not exist.")
    elsewhere.bucket("goes-away")
    to_nothing = pair.flow_log(bucket="goes-away")
    s3 = elsewhere.client("s3")
    for bucket in ("records", "goes-away"):
        same(s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []), [], "nothing is left of the question")
        same(s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)
    s3.delete_bucket(Bucket="goes-away")
    pair.ping(3)
    pair.flush()
    # A busy peer may refuse a call; the next attempt delivers.
    pair.is_well(to_s3)
    pair.is_well(to_logs)
    same(elsewhere.received("records"), 3)
    events = elsewhere.events("records")
    same(sorted(events), sorted(" ".join(record.values()) for record in elsewhere.lines("records")))
    same(lab.client("logs").describe_log_groups()["logGroups"], [], "nothing comes to the embedded one")
    same(lab.client("s3").list_buckets()["Buckets"], [])

    pair.fails_with(to_nothing, "Access error", "NoSuchBucket")
    elsewhere.client("logs").delete_log_group(logGroupName="records")
    pair.ping(2)
    pair.flush()
    pair.is_well(to_logs)  # A deleted group is made again.
    same(sum(f" {Pair.X} {Pair.Y} " in event for event in elsewhere.events("records")), 1)

    elsewhere.bucket("goes-away")
    pair.flush()
    pair.is_well(to_nothing)
    same(elsewhere.received("goes-away"), 5, "nothing is lost, and nothing comes twice")
    same(elsewhere.received("records"), 5)


def test_another_daemon(_):
    with Daemon() as other, delivering(other.endpoint, other.endpoint) as daemon:
        elsewhere = Elsewhere(other.endpoint)
        delivers_to(elsewhere, daemon)
        elsewhere.bucket("closed")
        elsewhere.client("s3").put_bucket_policy(Bucket="closed", Policy=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::closed/AWSLogs/*",
            }],
        }))
        pair = Pair(Lab(daemon))
        same(
            pair.refused_flow_log("closed"),
            "Access Denied for LogDestination: closed. Please check LogDestination permission",
        )


def test_moto(_):
    with moto() as elsewhere, delivering(elsewhere.endpoint, elsewhere.endpoint) as daemon:
        delivers_to(elsewhere, daemon)


def test_one_elsewhere_and_one_embedded(_):
    with Daemon() as other, delivering(None, other.endpoint) as daemon:
        lab = Lab(daemon)
        pair = Pair(lab)
        lab.client("s3").create_bucket(Bucket="here")
        pair.flow_log(bucket="here")
        pair.flow_log(group="there")
        pair.ping(1)
        pair.flush()
        same(len(lab.client("s3").list_objects_v2(Bucket="here")["Contents"]), 1)
        same(len(Elsewhere(other.endpoint).events("there")), 2)


def test_down_from_the_start(_):
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as state:
        with delivering(endpoint, endpoint, state=state) as daemon:
            lab = Lab(daemon)
            account = lab.account
            pair = Pair(lab)
            to_s3, to_logs = pair.flow_log(bucket="records"), pair.flow_log(group="records")
            for count in (1, 2):
                pair.ping(count)
                pair.flush()
            for flow_log in (to_s3, to_logs):
                pair.fails_with(flow_log, "Unknown error", f"127.0.0.1:{port}")
            before = daemon.said().count("delivery failed")
            used = seconds_of(daemon)
            time.sleep(4)
            # Waits double from a second, so nobody comes often; and nobody is busy between.
            assert daemon.said().count("delivery failed") - before <= 12, daemon.said()
            assert seconds_of(daemon) - used < 1, "the daemon is busy with waiting"
            daemon.end(signal.SIGKILL)
        with delivering(endpoint, endpoint, state=state) as daemon:
            pair.lab = lab = Lab(daemon, account)
            pair.flush()
            pair.fails_with(to_s3, "Unknown error", f"127.0.0.1:{port}")
            with Daemon(listen=f"127.0.0.1:{port}") as other:
                elsewhere = Elsewhere(other.endpoint)
                elsewhere.bucket("records")
                pair.flush()
                pair.is_well(to_s3)
                pair.is_well(to_logs)
                same(elsewhere.received("records"), 3, "every record, exactly once")
                events = elsewhere.events("records")
                same(sorted(events), sorted(" ".join(record.values()) for record in elsewhere.lines("records")))


def seconds_of(daemon):
    """CPU time."""
    with open(f"/proc/{daemon.process.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_one_that_answers_with_errors(_):
    """What a destination answers becomes one of AWS's three messages."""
    answers = {
        "Access error": (403, b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>", "AccessDenied"),
        "Rate limited": (503, b"<Error><Code>SlowDown</Code><Message>Slow.</Message></Error>", "SlowDown"),
        "Unknown error": (500, b"<html>what?</html>", "500"),
    }
    with Answers() as server, delivering(server.endpoint) as daemon:
        pair = Pair(Lab(daemon))
        flow_log = pair.flow_log(bucket="records")
        for message, (status, body, reason) in answers.items():
            server.status, server.body = status, body
            pair.ping(1)
            pair.flush()
            eventually(message, lambda m=message: pair.described(flow_log).get("DeliverLogsErrorMessage") == m)
            pair.fails_with(flow_log, message, reason)
        server.status, server.body = 200, b""
        pair.flush()
        pair.is_well(flow_log)
        delivered = [call for call in server.seen if call[0] == 200]
        same(len(delivered), len({path for _, path in delivered}), "each file once")
        # The first as it was tried first; the others together, if they are of the same five minutes.
        assert 2 <= len(delivered) <= 3, delivered


class Answers:
    """Answers every request alike, and notes what came."""

    def __init__(self):
        self.status, self.body, self.seen = 500, b"", []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self.listener.accept()
                with stream, stream.makefile("rb") as reader:
                    path = reader.readline().split()[1]
                    headers = dict(line.lower().split(b": ", 1) for line in iter(reader.readline, b"\r\n"))
                    reader.read(int(headers.get(b"content-length", 0)))
                    self.seen.append((self.status, path))
                    head = f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(self.body)}\r\nconnection: close\r\n\r\n"
                    stream.sendall(head.encode() + self.body)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def test_endpoints_that_cannot_be_used(_):
    def said(*options, environment):
        done = subprocess.run(
            ["env", "-i", *environment, WEIR, "up", "--ephemeral", "--listen", "127.0.0.1:0", *options],
            capture_output=True, text=True, timeout=20,
        )
        same((done.returncode, done.stdout), (3, ""), done.stderr)
        assert "panicked" not in done.stderr, done.stderr
        return done.stderr

    good = [f"{name}={value}" for name, value in KEYS.items()]
    for option in ("--s3-endpoint", "--logs-endpoint"):
        assert "not an endpoint" in said(option, "https://s3.example/path", environment=good)
        no_file = said(option, "https://s3.example", environment=[*good, "AWS_CA_BUNDLE=/no/such/file"])
        assert "/no/such/file" in no_file, no_file
        assert "not an endpoint" in said(option, "127.0.0.1:9000", environment=good)
        missing = said(option, "http://127.0.0.1:9000", environment=good[:1])
        assert f"{option} needs $AWS_SECRET_ACCESS_KEY" in missing, missing
        assert "$AWS_ACCESS_KEY_ID" in said(option, "http://127.0.0.1:9000", environment=[])


class SmallDisk:
    """A disk of a few megabytes, in a mount namespace of its own that goes with it."""

    def __init__(self, size):
        self.folder = tempfile.mkdtemp()
        unprivileged = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        script = f'mount -t tmpfs -o size={size},mode=700 small "{self.folder}" && echo ready && exec sleep 1000'
        self.holder = subprocess.Popen(
            ["unshare", *unprivileged, "--mount", "--propagation", "private", "sh", "-c", script],
            stdout=subprocess.PIPE, text=True,
        )
        same(self.holder.stdout.readline().strip(), "ready", "a small disk can be mounted")
        # What a program is started with to see it.
        user = ["--user", "--preserve-credentials"] if unprivileged else []
        self.inside = ["nsenter", "--target", str(self.holder.pid), *user, "--mount"]

    def fill(self):
        """Takes every byte that is free."""
        name = f"/proc/{self.holder.pid}/root{self.folder}/filler"
        with open(name, "ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self):
        os.remove(f"/proc/{self.holder.pid}/root{self.folder}/filler")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.holder.kill()
        self.holder.wait()
        shutil.rmtree(self.folder)


def test_a_full_disk(_):
    with SmallDisk("12m") as disk, Daemon() as other:
        elsewhere = Elsewhere(other.endpoint)
        with delivering(other.endpoint, state=f"{disk.folder}/state", prefix=disk.inside) as daemon:
            lab = Lab(daemon)
            account = lab.account
            pair = Pair(lab)
            elsewhere.bucket("records")
            to_s3, to_logs = pair.flow_log(bucket="records"), pair.flow_log(group="records")
            elsewhere.client("s3").delete_bucket(Bucket="records")
            # One batch waits for its bucket, one has come to its log group, when the disk fills up.
            pair.ping(1)
            pair.flush()
            pair.fails_with(to_s3, "Access error", "NoSuchBucket")
            disk.fill()
            kept, refusals = [], 0
            while refusals < 3:
                disk.fill()
                try:
                    vpc = lab.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
                    kept.append(vpc)
                except ClientError as error:
                    same(error.response["Error"]["Code"], "InternalError")
                    refusals += 1
                assert len(kept) < 4, "the disk does not become full"
            assert "the journal cannot be written" in daemon.said(), daemon.said()
            vpcs = {v["VpcId"] for v in lab.ec2.describe_vpcs()["Vpcs"]}
            same(vpcs >= set(kept), True, "what was acknowledged, and no more")

            # Packets go on; records that cannot be kept are lost, and the log says so at once. Some still fit
            # into what their file has taken of the disk.
            received = 1
            lost = f"records are lost flow_log_id={to_s3}"
            while lost not in daemon.said():
                pair.ping(2)
                pair.flush()
                received += 2
                assert received < 200, "the disk is not full"
            received -= 2
            used = seconds_of(daemon)
            time.sleep(2)
            assert seconds_of(daemon) - used < 1, "the daemon is busy with a full disk"

            # What waits is delivered to a destination that comes back, though the disk is full.
            elsewhere.bucket("records")
            pair.flush()
            same(elsewhere.received("records"), received)

            disk.free()
            lab.ec2.create_tags(Resources=[pair.eni], Tags=[{"Key": "after", "Value": "the disk was full"}])
            pair.ping(4)

            def skipped():
                pair.flush()
                return [r for r in elsewhere.lines("records") if r["log-status"] == "SKIPDATA"]

            records = eventually("SKIPDATA says that some were lost", skipped)
            same({r["interface-id"] for r in records}, {pair.eni})
            same(elsewhere.received("records"), received + 4, "what was before and after; nothing twice")
            pair.is_well(to_s3)
            pair.is_well(to_logs)
            same(vpcs, {v["VpcId"] for v in lab.ec2.describe_vpcs()["Vpcs"]})
            daemon.end(signal.SIGKILL)
        with delivering(other.endpoint, state=f"{disk.folder}/state", prefix=disk.inside) as daemon:
            lab = Lab(daemon, account)
            same({v["VpcId"] for v in lab.ec2.describe_vpcs()["Vpcs"]}, vpcs, "nothing acknowledged is lost")
            tags = lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [pair.eni]}])["Tags"]
            same([tag["Key"] for tag in tags], ["after"])
            same({f["FlowLogId"] for f in lab.ec2.describe_flow_logs()["FlowLogs"]}, {to_s3, to_logs})


if __name__ == "__main__":
    main(daemon="none", parallel=3)
