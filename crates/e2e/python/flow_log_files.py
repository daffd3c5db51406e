"""Files of flow logs, written by Weir and read by programs that are not ours, and by `weir flows read`."""

import contextlib
import csv
import gzip
import io
import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading

import duckdb
import pyarrow.parquet
from flowlogs_reader import FlowRecord
from flow_logs import Pair, bucket, create, flush, lines, objects
from weirtest import WEIR, main, same

FORMAT = "${interface-id} ${start} ${srcaddr} ${dstaddr} ${protocol} ${packets} ${bytes} ${action} ${tcp-flags} ${flow-direction} ${log-status} ${version}"


def read(lab, *arguments, status=0, input=None):
    """What `weir flows read` prints, and what it says on standard error. Its keys are the lab's."""
    keys = {"AWS_ACCESS_KEY_ID": lab.account, "AWS_SECRET_ACCESS_KEY": "any"}
    done = subprocess.run(
        [WEIR, "--endpoint", lab.daemon.endpoint, "flows", "read", *arguments],
        capture_output=True, timeout=60, input=input if input is not None else b"", env=os.environ | keys,
    )
    same(done.returncode, status, done.stderr.decode())
    return done.stdout.decode(), done.stderr.decode()


def as_json(lab, *arguments, **more):
    out, _ = read(lab, "--format", "json", *arguments, **more)
    return [json.loads(line) for line in out.splitlines()]


def as_text(value):
    return "-" if value is None else str(value)


def by_text(records):
    """Records of any reader as sorted lists of pairs of texts, by AWS's names."""
    spelled = [{name.replace("_", "-"): as_text(value) for name, value in one.items()} for one in records]
    return sorted(sorted(one.items()) for one in spelled)


def test_every_reader_sees_the_same(lab):
    pair = Pair(lab)
    text, parquet = bucket(lab, "text"), bucket(lab, "parquet")
    create(lab, pair.vpc, bucket=text, LogFormat=FORMAT)
    create(lab, pair.vpc, bucket=parquet, LogFormat=FORMAT, DestinationOptions={
        "FileFormat": "parquet", "HiveCompatiblePartitions": True, "PerHourPartition": True,
    })
    same(pair.ping(7), True)
    same(lab.inside(pair.x, "curl", "-s", "-m5", "http://10.0.2.10/").returncode, 0)
    pair.ping(1, "10.0.9.9")
    flush(lab)

    with_boto3 = lines(lab, text)
    assert len(with_boto3) >= 8, with_boto3
    same(sum(int(r["packets"]) for r in with_boto3 if r["protocol"] == "1" and r["dstaddr"] == "10.0.2.10"), 14)
    wanted = by_text(with_boto3)

    keys = objects(lab, parquet)
    assert all("/hour=" in key and key.endswith(".log.parquet") for key in keys), keys
    with tempfile.TemporaryDirectory() as folder:
        for number, key in enumerate(keys):
            lab.client("s3").download_file(parquet, key, f"{folder}/{number}.parquet")
        with_pyarrow, groups = [], []
        for number in range(len(keys)):
            file = pyarrow.parquet.ParquetFile(f"{folder}/{number}.parquet")
            groups += [(file.metadata.row_group(0).sorting_columns, file.schema_arrow)]
            with_pyarrow += file.read().to_pylist()
        for sorting, schema in groups:
            same([column.column_index for column in sorting], [0, 1])
            types = {field.name: str(field.type) for field in schema}
            same([types[name] for name in ("version", "protocol", "tcp_flags")], ["int32"] * 3)
            same([types[name] for name in ("start", "packets", "bytes")], ["int64"] * 3)
            same([types[name] for name in ("srcaddr", "action", "log_status")], ["string"] * 3)
        same(by_text(with_pyarrow), wanted, "pyarrow")
        rows = duckdb.sql(f"select * from read_parquet('{folder}/*.parquet')")
        names = rows.columns
        same(by_text([dict(zip(names, row)) for row in rows.fetchall()]), wanted, "duckdb")
        sums = "select srcaddr, dstaddr, sum(bytes)::bigint from read_parquet('{}/*.parquet') where action = 'ACCEPT' group by all"
        sums = {(a, b): total for a, b, total in duckdb.sql(sums.format(folder)).fetchall()}
        mine = {}
        for one in as_json(lab, "--action", "accept", f"s3://{text}/"):
            pair_of = (one["srcaddr"], one["dstaddr"])
            mine[pair_of] = mine.get(pair_of, 0) + one["bytes"]
        same(mine, sums)
        same(by_text(as_json(lab, folder)), wanted, "a folder")

    same(by_text(as_json(lab, f"s3://{text}")), wanted, "text")
    same(by_text(as_json(lab, f"s3://{parquet}/AWSLogs/")), wanted, "parquet")
    body = lab.client("s3").get_object(Bucket=parquet, Key=keys[0])["Body"].read()
    one = by_text(as_json(lab, f"s3://{parquet}/{keys[0]}"))
    same(by_text(as_json(lab, "-", input=body)), one, "from a pipe")
    out, _ = read(lab, "--format", "csv", f"s3://{text}/")
    same(by_text(csv.DictReader(io.StringIO(out))), wanted, "csv")
    out, _ = read(lab, "--fields", "action,dstaddr", "--addr", "10.0.9.0/24", f"s3://{text}/")
    assert "10.0.9.9" in out and out.split()[:2] == ["action", "dstaddr"], out


def test_the_default_format_with_flowlogs_reader(lab):
    pair = Pair(lab)
    name = bucket(lab)
    create(lab, pair.eni_x, bucket=name)
    same(pair.ping(3), True)
    flush(lab)
    with_boto3 = lines(lab, name)
    theirs = [FlowRecord({k.replace("-", "_"): v for k, v in one.items()}).to_dict() for one in with_boto3]
    numbers = ("packets", "bytes", "protocol", "srcport", "dstport")
    ours = as_json(lab, f"s3://{name}/")
    key = lambda one: (str(one["srcaddr"]), str(one["dstaddr"]), one["protocol"], one["packets"])  # noqa: E731
    theirs = [r for r in theirs if r["log_status"] == "OK"]
    ours = [r for r in ours if r["log-status"] == "OK"]
    same(sorted(map(key, theirs)), sorted(map(key, ours)))
    for number in numbers:
        same(sum(r[number] for r in theirs), sum(r[number] for r in ours), number)


def test_events_and_files_hold_the_same(lab):
    pair = Pair(lab)
    name, group = bucket(lab), "events"
    create(lab, pair.eni_x, bucket=name)
    create(lab, pair.eni_x, group=group)
    same(pair.ping(3), True)
    flush(lab)
    events = lab.client("logs").filter_log_events(logGroupName=group)["events"]
    text = "".join(event["message"] + "\n" for event in events).encode()
    same(by_text(as_json(lab, "-", input=text)), by_text(lines(lab, name)))


def test_what_is_damaged_is_told(lab):
    header = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    good = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
    idle = "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA"
    body = "\n".join([header, good, "2 what is this", idle, ""]).encode()
    name = bucket(lab)
    s3 = lab.client("s3")
    s3.put_object(Bucket=name, Key="a.log", Body=body)
    zipped = gzip.compress("\n".join([header] + [good] * 5000).encode())
    s3.put_object(Bucket=name, Key="b.log.gz", Body=zipped[: len(zipped) // 2])
    s3.put_object(Bucket=name, Key="c.log.parquet", Body=b"PAR1 and no more")
    s3.put_object(Bucket=name, Key="d.log", Body=b"tgw-id brand-new bytes\ntgw-1 x 5\n")
    out, said = read(lab, "--format", "json", f"s3://{name}/", status=1)
    records = [json.loads(line) for line in out.splitlines()]
    same(records[0]["bytes"], 4249)
    same((records[1]["log-status"], records[1]["srcaddr"]), ("NODATA", None))
    same(records[-1], {"tgw-id": "tgw-1", "brand-new": "x", "bytes": 5})
    assert f"s3://{name}/a.log:3: 4 values where the format has 14 fields" in said, said
    assert "b.log.gz:" in said and "cut short" in said, said
    assert "c.log.parquet: not readable as Parquet" in said, said
    same(read(lab, "--limit", "1", "--format", "csv", f"s3://{name}/a.log")[0].count("\n"), 2)
    _, said = read(lab, "--addr", "10.0.0.1", f"s3://{name}/d.log")
    assert "has no field srcaddr to filter by" in said, said
    _, said = read(lab, f"s3://{name}/none", "/does/not/exist", status=3)
    assert "no object has this key" in said and "/does/not/exist: No such file" in said, said


class Tls:
    """A daemon's port behind TLS, with an authority of its own. Requests come through as they are, and are signed."""

    def __init__(self, folder, endpoint):
        self.bundle, key = os.path.join(folder, "ca.pem"), os.path.join(folder, "key.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-keyout", key, "-out", self.bundle, "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
             "-addext", "basicConstraints=critical,CA:FALSE"],
            check=True, capture_output=True,
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.bundle, key)
        host, _, port = endpoint.removeprefix("http://").partition(":")
        self.behind = (host, int(port))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"https://localhost:{self.listener.getsockname()[1]}"
        self.handshakes = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                stream, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(stream,), daemon=True).start()

    def serve(self, stream):
        with contextlib.suppress(OSError), self.context.wrap_socket(stream, server_side=True) as near:
            self.handshakes += 1
            with socket.create_connection(self.behind) as far:
                answers = threading.Thread(target=self.copy, args=(far, near), daemon=True)
                answers.start()
                self.copy(near, far)
                answers.join()

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def test_files_are_read_over_tls(lab):
    name = bucket(lab, "over-tls")
    s3, lines = lab.client("s3"), [f"10.0.0.{n} {n} OK" for n in range(1, 200)]
    text = "\n".join(["srcaddr packets log-status", *lines, ""]).encode()
    for number in range(3):
        s3.put_object(Bucket=name, Key=f"AWSLogs/{number}.log.gz", Body=gzip.compress(text))
    with tempfile.TemporaryDirectory() as folder, Tls(folder, lab.daemon.endpoint) as tls:
        source = ("--s3-endpoint", tls.endpoint, f"s3://{name}/AWSLogs/")

        def read_with(bundle, status, source=source):
            trust = {"AWS_CA_BUNDLE": bundle} if bundle else {}
            keys = {"AWS_ACCESS_KEY_ID": lab.account, "AWS_SECRET_ACCESS_KEY": "any"}
            environment = {k: v for k, v in os.environ.items() if k != "AWS_CA_BUNDLE"} | keys | trust
            done = subprocess.run(
                [WEIR, "flows", "read", "--format", "csv", *source],
                capture_output=True, timeout=60, stdin=subprocess.DEVNULL, env=environment, text=True,
            )
            same(done.returncode, status, done.stderr)
            assert "panicked" not in done.stderr, done.stderr
            return done.stdout.splitlines(), done.stderr

        header, *records = read_with(tls.bundle, 0)[0]
        same((header, records), ("srcaddr,packets,log-status", [line.replace(" ", ",") for line in lines] * 3))
        assert tls.handshakes > 0
        _, said = read_with(None, 3)
        assert "certificate" in said.lower(), said
        _, said = read_with("/no/such/bundle", 3)
        assert "/no/such/bundle" in said, said
        # The certificate is of another name.
        other = tls.endpoint.replace("localhost", "127.0.0.1")
        _, said = read_with(tls.bundle, 3, ("--s3-endpoint", other, f"s3://{name}/"))
        assert "certificate" in said.lower(), said


def test_a_mark_in_front_and_padding_behind_are_no_damage(lab):
    text = "\ufeffsrcaddr dstport log-status\n10.0.0.1 22 OK\n10.0.0.2 443 OK\n"
    padded = gzip.compress(text.encode())
    padded += bytes(10240 - len(padded))
    for file in (text.encode(), padded):
        out, said = read(lab, "--format", "csv", "-", input=file)
        same((out.split(), said), (["srcaddr,dstport,log-status", "10.0.0.1,22,OK", "10.0.0.2,443,OK"], ""))
    for option in ("--address", "--addr"):
        same(read(lab, "--format", "csv", option, "10.0.0.2/32", "-", input=padded)[0].split()[1:], ["10.0.0.2,443,OK"])
    same(read(lab, "--format", "csv", "-n1", "-", input=padded)[0].split()[1:], ["10.0.0.1,22,OK"])


if __name__ == "__main__":
    # One flush closes every window of a daemon.
    main(daemon="own")
