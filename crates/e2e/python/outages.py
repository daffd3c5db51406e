"""Daemons that are killed under traffic, and destinations that refuse, delay, break off and lose their answers."""

import collections
import contextlib
import gzip
import http.server
import json
import os
import random
import signal
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request

from destinations import Elsewhere, Pair, SmallDisk, delivering, free_port
from weirtest import WEIR, Daemon, Lab, eventually, main, same

AT_ONCE = ("--s3-files", "window")


def test_a_killed_daemon_delivers_what_it_had_counted_and_says_that_more_is_lost(_):
    with tempfile.TemporaryDirectory() as state:
        first = Daemon(state, *AT_ONCE)
        lab = Lab(first)
        pair = Pair(lab)
        lab.client("s3").create_bucket(Bucket="records")
        pair.flow_log(bucket="records")
        pair.flow_log(group="records")
        pair.ping(20)
        counted = f" {Pair.X} {Pair.Y} 0 0 1 20 1680 ".encode()
        eventually("the counters are on disk", lambda: counted in open_windows(state), 30)
        same(first.end(signal.SIGKILL), -signal.SIGKILL)

        with Daemon(state, *AT_ONCE) as second:
            pair.lab = lab = Lab(second, lab.account)
            assert "the last daemon was killed" in second.said(), second.said()
            eventually("what waits is delivered", lambda: len(skipped(lab)) >= 1 and len(events(lab)) >= 3)
            same(sum(packets(lab)), 20, "what was counted, once")
            same({r["interface-id"] for r in skipped(lab)}, {pair.eni})
            gap = skipped(lab)[0]
            assert int(gap["start"]) <= int(gap["end"]) <= int(gap["start"]) + 60, gap
            same(sorted(events(lab)), sorted(" ".join(r.values()) for r in records(lab)))
            before = len(skipped(lab))
            pair.flush()
        same(open_windows(state), b"", "a daemon that ends in good order leaves nothing")
        with Daemon(state, *AT_ONCE) as third:
            pair.lab = lab = Lab(third, lab.account)
            pair.flush()
            same(len(skipped(lab)), before, "and loses nothing")


def test_kill_9_at_random_moments(_):
    """Whatever the moment: no record twice, no packet too many, and SKIPDATA wherever one may be missing."""
    chance = random.Random(4)
    with tempfile.TemporaryDirectory() as state:
        account, pair, sent, undisturbed = None, None, 0, 0
        for number in range(4):
            daemon = Daemon(state)
            lab = Lab(daemon, account)
            if pair is None:
                account, pair = lab.account, Pair(lab)
                lab.client("s3").create_bucket(Bucket="records")
                pair.flow_log(bucket="records")
                pair.flow_log(group="records")
            pair.lab = lab
            lab.running(pair.x)
            eventually("packets pass", lambda: lab.ping(pair.x, Pair.Y), 20)
            sent += 1
            pinging = subprocess.Popen(
                [WEIR, "--endpoint", daemon.endpoint, "exec", pair.x, "--", "ping", "-q", "-i0.02", "-c1000", Pair.Y],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            for _ in range(chance.randrange(1, 3)):
                # Records know whole seconds: those of two windows differ if more than one lies between.
                time.sleep(1.1)
                pair.flush()
            time.sleep(1.1)
            # Some kills come while windows are closed.
            flushing = subprocess.Popen(
                [WEIR, "--endpoint", daemon.endpoint, "flows", "flush"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
            time.sleep(chance.uniform(0, 0.15))
            daemon.end(signal.SIGKILL)
            flushing.wait()
            pinging.kill()
            pinging.wait()
            sent += 1000
            undisturbed = number + 1
        with Daemon(state) as daemon:
            pair.lab = lab = Lab(daemon, account)
            pair.flush()
            eventually("everything is delivered", lambda: " 0 B " in daemon_status(lab) and not waits(lab))
            lines = records(lab)
            flows = [tuple(r.values()) for r in lines if r["log-status"] == "OK"]
            same([line for line, count in collections.Counter(flows).items() if count > 1], [], "no record twice")
            total = sum(packets(lab))
            assert undisturbed < total <= sent, (total, sent)
            gaps = {r["start"] for r in skipped(lab)}
            assert len(gaps) >= 4, (gaps, "every kill is told")
            in_s3, in_logs = {" ".join(r.values()) for r in lines}, set(events(lab))
            # A kill may come when a window is one flow log's already and the other's not yet; who lacks it is told so.
            for line, others in [*((line, in_logs) for line in in_s3 - in_logs), *((line, in_s3) for line in in_logs - in_s3)]:
                assert is_told_of(line, others), (line, [other for other in others if "SKIPDATA" in other])


def is_told_of(line, others):
    """Whether a SKIPDATA line says that the time of this one has gaps."""
    start, end = map(int, line.split()[10:12])
    gaps = [tuple(map(int, other.split()[10:12])) for other in others if other.endswith("SKIPDATA")]
    return any(begin <= end and start <= over for begin, over in gaps)


class Storm:
    """A daemon on a small disk that delivers to another one; each of the three can fail at any time."""

    def __init__(self, disk, folder):
        self.disk, self.folder, self.port = disk, folder, free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.sent, self.certain, self.account, self.pair, self.full = {}, set(), None, None, False
        self.far = self.daemon = None
        self.rises()
        Elsewhere(self.endpoint).bucket("records")
        self.starts()

    def rises(self):
        """The destination comes back, with what it had."""
        self.far = self.far or Daemon(self.folder, listen=f"127.0.0.1:{self.port}")

    def falls(self, how=signal.SIGKILL):
        if self.far:
            self.far.end(how)
            self.far = None

    def starts(self):
        self.daemon = delivering(
            self.endpoint, self.endpoint, state=f"{self.disk.folder}/state", prefix=self.disk.inside,
        )
        lab = Lab(self.daemon, self.account)
        if self.pair is None:
            self.account, self.pair = lab.account, Pair(lab)
            self.flow_logs = self.pair.flow_log(bucket="records"), self.pair.flow_log(group="records")
        self.pair.lab = lab
        lab.running(self.pair.x)
        eventually("packets pass", lambda: lab.ping(self.pair.x, Pair.Y), 20)

    def is_killed(self):
        self.daemon.end(signal.SIGKILL)
        if self.full:
            self.has_space()
        self.starts()

    def fills(self):
        self.disk.fill()
        self.full = True

    def has_space(self):
        self.disk.free()
        self.full = False

    def sends(self, count):
        """Datagrams to a port of their own, which nobody lets in: their records tell which round they are of."""
        port = 20_000 + len(self.sent)
        self.sent[port] = count
        program = (
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 40000))\n"
            f"for _ in range({count}): s.sendto(b'x', ('{Pair.Y}', {port}))"
        )
        same(self.pair.lab.inside(self.pair.x, "python3", "-c", program).returncode, 0)
        return port

    def flushes(self):
        self.pair.flush()

    def ends(self):
        if self.full:
            self.has_space()
        self.rises()
        for flow_log in self.flow_logs:
            self.flushes()
            self.pair.is_well(flow_log)

    def of_rounds(self, lines):
        """Each record that tells of a round, with the round's port and its packets."""
        for line in lines:
            fields = line.split()
            if fields[3] == Pair.X and fields[6].isdigit() and int(fields[6]) in self.sent:
                yield line, int(fields[6]), int(fields[8])

    def arrived(self, lines):
        """Packets by port, of records that tell of a round."""
        found = collections.Counter()
        for _, port, count in self.of_rounds(lines):
            found[port] += count
        return found


def test_destination_disk_and_daemon_fail_at_random(_):
    """What must have arrived has, whatever failed when; S3 has nothing twice; what is missing is told."""
    chance = random.Random(11)
    with tempfile.TemporaryDirectory() as folder, SmallDisk("12m") as disk:
        storm = Storm(disk, folder)
        try:
            faults = ["none", "fall", "rise", "kill", "kill", "full", "full"] * 2
            chance.shuffle(faults)
            for fault in faults:
                if fault == "fall":
                    storm.falls()
                elif fault == "rise":
                    storm.rises()
                elif fault == "full":
                    storm.fills()
                port = storm.sends(chance.randrange(1, 40))
                if fault == "kill" and chance.random() < 0.5:
                    # In the middle of a window: what was counted and not yet on disk is gone.
                    time.sleep(chance.uniform(0, 1))
                    storm.is_killed()
                    continue
                storm.flushes()
                if not storm.full:
                    storm.certain.add(port)
                if fault == "kill":
                    # What the spool has taken is safe.
                    storm.is_killed()
                if storm.full and chance.random() < 0.7:
                    storm.has_space()
            storm.ends()
            far = Elsewhere(storm.endpoint)
            lines = [" ".join(line.values()) for line in far.lines("records")]
            # Not of pings: those of two daemons in one second have the same record each.
            counted = collections.Counter(line for line, *_ in storm.of_rounds(lines))
            same([line for line, count in counted.items() if count > 1], [], "no record twice")
            for name, found in (("S3", storm.arrived(lines)), ("Logs", storm.arrived(set(far.events("records"))))):
                for port, count in storm.sent.items():
                    assert found[port] <= count, (name, port, found[port], count, "packets too many")
                    if port in storm.certain:
                        same(found[port], count, f"{name}: what the spool had taken")
            missing = {port for port, count in storm.sent.items() if storm.arrived(lines)[port] < count}
            told = [line for line in lines if line.endswith(" SKIPDATA")]
            assert told or not missing, (missing, "what is missing is told")
        finally:
            storm.falls(signal.SIGTERM)
            storm.daemon.end(signal.SIGKILL)


def open_windows(state):
    try:
        with open(os.path.join(state, "open-windows"), "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def records(lab):
    found = []
    s3 = lab.client("s3")
    for one in s3.list_objects_v2(Bucket="records").get("Contents", []):
        body = s3.get_object(Bucket="records", Key=one["Key"])["Body"].read()
        header, *lines = gzip.decompress(body).decode().splitlines()
        found += [dict(zip(header.split(), line.split(), strict=True)) for line in lines]
    return found


def packets(lab):
    return [int(r["packets"]) for r in records(lab) if r["dstaddr"] == Pair.Y]


def skipped(lab):
    return [r for r in records(lab) if r["log-status"] == "SKIPDATA"]


def events(lab):
    logs = lab.client("logs")
    if not logs.describe_log_groups()["logGroups"]:
        return []
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName="records")
    return [event["message"] for page in pages for event in page["events"]]


def daemon_status(lab):
    return lab.weir("flows", "status", check=False).stdout


def waits(lab):
    return "batch" in daemon_status(lab)


class Unreliable:
    """S3 and CloudWatch Logs over TLS that do to each request what `fault` says."""

    def __init__(self, folder):
        self.fault = None
        self.objects, self.events, self.faults = collections.defaultdict(list), [], collections.Counter()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_PUT(self):
                self.take(lambda body: outer.objects[self.path].append(body))

            def do_POST(self):
                def store(body):
                    # Without a target it is S3: an upload is begun, which this one cannot do.
                    if (self.headers["x-amz-target"] or "").endswith("PutLogEvents"):
                        call = json.loads(body)
                        stream = call["logStreamName"]
                        outer.events += [(stream, e["timestamp"], e["message"]) for e in call["logEvents"]]
                self.take(store, b"{}")

            def take(self, store, answer=b""):
                fault = outer.fault() if outer.fault else None
                outer.faults[fault] += 1
                body = self.rfile.read(int(self.headers["content-length"] or 0) // (2 if fault == "half" else 1))
                if fault == "half":
                    self.close_connection = True
                    return
                if fault in (413, 500, 503):
                    self.answer(fault, b"")
                    return
                if fault == "delay":
                    time.sleep(0.3)
                store(body)
                if fault == "lost":
                    self.close_connection = True
                    return
                self.answer(200, answer)

            def answer(self, status, body):
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.bundle = os.path.join(folder, "ca.pem")
        key = os.path.join(folder, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-keyout", key, "-out", self.bundle, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-addext", "basicConstraints=critical,CA:FALSE"],
            check=True, capture_output=True,
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.bundle, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.endpoint = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def received(self):
        lines = []
        for bodies in self.objects.values():
            same(len(set(bodies)), 1, "a file that comes again is the same, byte for byte")
            header, *records = gzip.decompress(bodies[0]).decode().splitlines()
            lines += [dict(zip(header.split(), record.split(), strict=True)) for record in records]
        return lines


def test_an_unreliable_destination_over_tls(_):
    chance = random.Random(7)
    with tempfile.TemporaryDirectory() as folder:
        far = Unreliable(folder)
        with delivering(far.endpoint, far.endpoint, prefix=("env", f"AWS_CA_BUNDLE={far.bundle}")) as daemon:
            lab = Lab(daemon)
            pair = Pair(lab)
            to_s3, to_logs = pair.flow_log(bucket="records"), pair.flow_log(group="records")
            far.fault = lambda: 503
            pair.ping(1)
            pair.flush()
            pair.fails_with(to_s3, "Rate limited", "503")
            pair.fails_with(to_logs, "Rate limited", "503")
            found = metrics(daemon)
            same(found[f'weir_flow_log_waiting_batches{{flow_log_id="{to_s3}"}}'], 1)
            assert found[f'weir_flow_log_failures_total{{flow_log_id="{to_s3}"}}'] >= 1
            same(found["weir_spool_bytes"] > 0, True)
            assert "2 failing" in lab.weir("status").stdout

            faults = ["half", 500, 503, "delay", "lost", None, None]
            far.fault = lambda: chance.choice(faults)
            sent = 1
            for count in range(1, 9):
                pair.ping(count)
                pair.flush()
                sent += count
            far.fault = None
            pair.flush()
            pair.is_well(to_s3)
            pair.is_well(to_logs)
            assert len(far.faults) >= 5, far.faults
            lines = far.received()
            same(sum(int(r["packets"]) for r in lines if r["dstaddr"] == Pair.Y), sent, "exactly once")
            same({r["log-status"] for r in lines}, {"OK"})
            # At least once, and what comes again is the same: stream, time and message tell.
            expected = {(f"{pair.eni}-all", int(r["start"]) * 1000, " ".join(r.values())) for r in lines}
            same(set(far.events), expected)
            found = metrics(daemon)
            for flow_log in (to_s3, to_logs):
                same(found[f'weir_flow_log_waiting_batches{{flow_log_id="{flow_log}"}}'], 0)
                same(found[f'weir_flow_log_lag_seconds{{flow_log_id="{flow_log}"}}'], 0)
                same(found[f'weir_flow_log_delivered_records_total{{flow_log_id="{flow_log}"}}'], len(lines))
            same(found['weir_flow_log_records_total{status="OK"}'], 2 * len(lines))
            same(found['weir_flow_log_records_total{status="SKIPDATA"}'], 0)
            assert found["weir_packets_forwarded_total"] >= 2 * sent


def test_what_is_never_taken_is_lost_aloud(_):
    """It is given up, those behind it arrive, and SKIPDATA tells of it."""
    with tempfile.TemporaryDirectory() as folder:
        far = Unreliable(folder)
        with delivering(far.endpoint, far.endpoint, prefix=("env", f"AWS_CA_BUNDLE={far.bundle}")) as daemon:
            pair = Pair(Lab(daemon))
            flow_logs = pair.flow_log(bucket="records"), pair.flow_log(group="records")
            far.fault = lambda: 413
            pair.ping(3)
            dropped = 'weir_flow_log_dropped_batches_total{{flow_log_id="{}"}}'.format

            def given_up():
                pair.flush()
                found = metrics(daemon)
                return all(found[dropped(flow_log)] >= 1 for flow_log in flow_logs)

            eventually("both are given up", given_up, 60)
            for flow_log in flow_logs:
                shown = pair.described(flow_log)
                same((shown["DeliverLogsStatus"], shown["DeliverLogsErrorMessage"]), ("FAILED", "Unknown error"))
                assert "413" in pair.status(flow_log), pair.status(flow_log)
            same(daemon.said().count("the destination refuses them for good") >= 2, True)

            far.fault = None
            pair.ping(2)

            def told():
                pair.flush()
                files = [" ".join(line.values()) for line in far.received()]
                events = [message for _, _, message in far.events]
                return all(any(line.endswith("SKIPDATA") for line in lines) for lines in (files, events))

            eventually("SKIPDATA tells of what is lost", told, 30)
            packets = [int(line["packets"]) for line in far.received() if line["dstaddr"] == Pair.Y]
            same(sum(packets), 2, "what came after it")
            for flow_log in flow_logs:
                pair.is_well(flow_log)


def metrics(daemon):
    """Every sample, by its name and labels; also that the format is what Prometheus reads."""
    with urllib.request.urlopen(daemon.endpoint + "/_weir/metrics") as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4"), answer.headers
        text = answer.read().decode()
    kinds = dict(line.split()[2:4] for line in text.splitlines() if line.startswith("# TYPE"))
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found and name.split("{")[0] in kinds, line
            found[name] = float(value)
    page = urllib.request.Request(daemon.endpoint + "/_weir/metrics", headers={"Origin": "http://page.example"})
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(page)
        raise AssertionError("a web page may read the metrics")
    return found


if __name__ == "__main__":
    main(daemon="none", parallel=3)
