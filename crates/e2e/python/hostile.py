"""Clients that mean no good, or cannot do better: broken requests, slow ones, endless ones, thousands of connections.

Each time the daemon says what is wrong, keeps its memory, and serves others meanwhile.
"""

import contextlib
import os
import random
import re
import resource
import socket
import threading
import time
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from weirtest import REGION, Lab, eventually, main, refused, same

# A call that is read to its end before its signature is looked at.
SIGNED = (
    "Authorization: AWS4-HMAC-SHA256 Credential=000000000001/20260101/us-east-1/ec2/aws4_request,"
    " SignedHeaders=host;x-amz-date, Signature=" + "0" * 64 + "\r\nX-Amz-Date: 20260101T000000Z"
)
HEALTH = "GET /_weir/health HTTP/1.1\r\nHost: weir\r\n"
# Debug builds are larger and never give memory back at once: what is bounded is still far from what is sent.
GROWTH_MAX = 200 << 20


def address(lab):
    host, port = lab.daemon.endpoint.removeprefix("http://").rsplit(":", 1)
    return host, int(port)


def connect(lab):
    return socket.create_connection(address(lab), timeout=20)


def answer_to(lab, sent, stop=False):
    """All that comes back for these bytes until the daemon closes, as the client may do with its half."""
    with connect(lab) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(sent if isinstance(sent, bytes) else sent.encode())
        if stop:
            connection.shutdown(socket.SHUT_WR)
        return rest(connection)
    return ""


def rest(connection):
    told = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            told += part
    return told.decode(errors="replace")


def status(told):
    """The status of the last answer of what came back, or None."""
    found = re.findall(r"HTTP/1\.[01] (\d\d\d)", told)
    return int(found[-1]) if found else None


def resident(lab):
    with open(f"/proc/{lab.daemon.process.pid}/statm") as statm:
        return int(statm.read().split()[1]) * resource.getpagesize()


def descriptors(lab):
    return len(os.listdir(f"/proc/{lab.daemon.process.pid}/fd"))


@contextlib.contextmanager
def others_are_served(lab):
    """Another client calls all the while, on kept connections and new ones; the daemon's memory stays as it is."""
    before, calls, wrong, over = resident(lab), [0], [], threading.Event()

    def call():
        kept = Lab(lab.daemon)
        while not over.is_set():
            try:
                kept.ec2.describe_vpcs()
                same(fetch(lab.daemon.endpoint + "/_weir/health")[0], 200)
                calls[0] += 1
            except Exception as error:
                wrong.append(repr(error))
            time.sleep(0.02)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
        served = calls[0]
        eventually("another call is answered", lambda: calls[0] > served + 1 or wrong)
    finally:
        over.set()
        thread.join()
    same(wrong, [])
    grown = resident(lab) - before
    assert grown < GROWTH_MAX, f"{grown >> 20} MiB more than before"


def test_bytes_that_are_no_request(lab):
    dice = random.Random(7)
    with others_are_served(lab):
        for _ in range(200):
            told = answer_to(lab, dice.randbytes(dice.randrange(1, 4000)), stop=True)
            assert status(told) in (None, 400, 414, 431), told
        # Requests with some bytes changed, and cut anywhere.
        whole = f"POST / HTTP/1.1\r\nHost: weir\r\n{SIGNED}\r\nContent-Length: 19\r\n\r\nAction=DescribeVpcs".encode()
        for _ in range(300):
            sent = bytearray(whole)
            for _ in range(dice.randrange(4)):
                sent[dice.randrange(len(sent))] = dice.randrange(256)
            told = answer_to(lab, bytes(sent[:dice.randrange(len(sent) + 1)]), stop=True)
            # What is changed may not matter. Without a signature it may be S3's, which has no such operation.
            assert status(told) in {None, 200, 501} or 400 <= status(told) < 500, (sent, told)


def test_heads_that_are_wrong(lab):
    get = HEALTH + "Connection: close\r\n\r\n"
    same(status(answer_to(lab, get)), 200)
    same(status(answer_to(lab, "GET /_weir/health HTTP/1.0\r\n\r\n")), 200)
    for name, head, expected in (
        ("HTTP/2 without a negotiation", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {400, None, 505}),
        ("a version that does not exist", get.replace("1.1", "9.9"), {400, 505}),
        ("no such method", get.replace("GET", "G@T"), {400}),
        ("a very long path", f"GET /{'a' * 200_000} HTTP/1.1\r\nHost: weir\r\n\r\n", {414, 431}),
        ("a very long header", HEALTH + f"X: {'a' * 200_000}\r\n\r\n", {431}),
        ("very many headers", HEALTH + "".join(f"X-{n}: a\r\n" for n in range(5000)) + "\r\n", {431}),
        ("a length that is no number", HEALTH + "Content-Length: ten\r\n\r\n", {400}),
        ("a negative length", HEALTH + "Content-Length: -1\r\n\r\n", {400}),
        ("a length that no number can hold", HEALTH + f"Content-Length: {10**30}\r\n\r\n", {400}),
        ("two lengths", HEALTH + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", {400}),
        ("an unknown coding", HEALTH + "Transfer-Encoding: zip\r\n\r\n", {400}),
        ("folded headers", HEALTH + "X: a\r\n  b\r\n\r\n", {400}),
        ("a zero in a header", HEALTH + "X: a\0b\r\n\r\n", {400}),
    ):
        found = status(answer_to(lab, head))
        assert found in expected, f"{name}: {found}"
    # A length beside chunks smuggles no second request.
    both = f"POST / HTTP/1.1\r\nHost: weir\r\n{SIGNED}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    told = answer_to(lab, both + get)
    assert status(told) != 200 or told.count("HTTP/1.1") == 2, told
    # A header that may be there once.
    twice = f"POST / HTTP/1.1\r\nHost: weir\r\nConnection: close\r\n{SIGNED}\r\n{SIGNED}\r\nContent-Length: 0\r\n\r\n"
    assert 400 <= status(answer_to(lab, twice)) < 500


def test_many_requests_at_once_are_answered_in_turn(lab):
    with connect(lab) as connection:
        connection.sendall((HEALTH + "\r\n").encode() * 499 + (HEALTH + "Connection: close\r\n\r\n").encode())
        told = rest(connection)
    same((told.count("HTTP/1.1 200"), told.count('"status"')), (500, 500))


def test_bodies_that_are_too_large_or_do_not_end(lab):
    post = f"POST / HTTP/1.1\r\nHost: weir\r\n{SIGNED}\r\n"
    with others_are_served(lab):
        told = answer_to(lab, post + f"Content-Length: {40 << 30}\r\n\r\n")
        same((status(told), "RequestEntityTooLarge" in told), (413, True), told)
        same(status(answer_to(lab, post + "Content-Length: 100\r\n\r\nshort", stop=True)), 400)
        same(status(answer_to(lab, post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n")), 400)
        same(status(answer_to(lab, post + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n")), 400)
        # Chunks without end: the connection ends instead.
        chunk = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        with connect(lab) as connection:
            connection.sendall((post + "Transfer-Encoding: chunked\r\n\r\n").encode())
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 1 << 30:
                    connection.sendall(chunk)
                    sent += len(chunk)
            assert sent < 64 << 20, f"{sent} bytes were taken"
        # What has nowhere to go is not read.
        told = answer_to(lab, f"PUT /bucket/key HTTP/1.1\r\nHost: weir\r\nContent-Length: {1 << 40}\r\n\r\n")
        same((status(told), "NoSuchBucket" in told), (404, True), told)


def test_large_bodies_that_stop_halfway_take_no_room_from_others(lab):
    logs = lab.client("logs")
    logs.create_log_group(logGroupName="g")
    logs.create_log_stream(logGroupName="g", logStreamName="s")
    head = f"POST / HTTP/1.1\r\nHost: weir\r\n{SIGNED}\r\nContent-Length: {8 << 20}\r\n\r\n".encode()
    with contextlib.ExitStack() as open_ones, others_are_served(lab):
        for _ in range(64):
            connection = open_ones.enter_context(connect(lab))
            connection.sendall(head + b"a" * 1000)
        now = int(time.time() * 1000)
        batch = [{"timestamp": now, "message": "m" * 50_000} for _ in range(16)]
        logs.put_log_events(logGroupName="g", logStreamName="s", logEvents=batch)


def test_thousands_of_connections(lab):
    """Idle ones, ones with half a head that grows slowly, and ones with half a body: the oldest have to go."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    idle = b""
    half_head = HEALTH.encode()
    half_body = f"POST / HTTP/1.1\r\nHost: weir\r\n{SIGNED}\r\nContent-Length: 100\r\n\r\nAction=".encode()
    half_object = b"PUT /bucket/key HTTP/1.1\r\nHost: weir\r\nContent-Length: 1000000\r\n\r\nhalf"
    with contextlib.ExitStack() as open_ones, others_are_served(lab):
        for sent in (idle, half_head, half_body, half_object):
            many = []
            for _ in range(2000):
                connection = open_ones.enter_context(connect(lab))
                with contextlib.suppress(ConnectionError):
                    connection.sendall(sent)
                many.append(connection)
            for connection in many:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"X" if sent == half_head else b"")
            eventually("the oldest are closed", lambda: is_closed(many[0]) and is_closed(many[1000]))
            assert descriptors(lab) < 900, descriptors(lab)
    with others_are_served(lab):
        pass


def is_closed(connection):
    connection.setblocking(False)
    try:
        return all(part == b"" for part in [connection.recv(65536) and connection.recv(65536)])
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_signatures_that_are_not_for_this(lab):
    """Presigned: as made, then too old, altered, for another service, Region or method. Of EC2, then of S3."""
    account = "222233334444"
    key, secret = f"AKIAWEIR{account}", f"weir-local-secret-of-{account}"

    def presigned(service="sts", region=REGION, seconds=300, action="GetCallerIdentity"):
        url = f"{lab.daemon.endpoint}/?Action={action}&Version=2011-06-15"
        request = AWSRequest("GET", url)
        SigV4QueryAuth(Credentials(key, secret), service, region, expires=seconds).add_auth(request)
        return request.url

    same(fetch(presigned())[0], 200)
    for url, expected in (
        (presigned().replace("GetCallerIdentity", "GetSessionToken"), (403, "SignatureDoesNotMatch")),
        (presigned() + "&More=1", (403, "SignatureDoesNotMatch")),
        (presigned().replace("%2Fsts%2F", "%2Fec2%2F"), (403, "SignatureDoesNotMatch")),
        (presigned(region="moon-east-1"), (403, "SignatureDoesNotMatch")),
        (re.sub("Signature=[0-9a-f]{4}", "Signature=0000", presigned()), (403, "SignatureDoesNotMatch")),
        (re.sub("X-Amz-Date=20..", "X-Amz-Date=2020", presigned()), (400, "IncompleteSignature")),
        (re.sub("20[0-9]{6}(?=T|%2F)", "20200101", presigned()), (403, "SignatureDoesNotMatch")),
        (presigned().replace("X-Amz-Expires=300", "X-Amz-Expires=99999999"), (400, "IncompleteSignature")),
    ):
        same(fetch(url), expected, url)
    same(fetch(presigned(), method="POST"), (403, "SignatureDoesNotMatch"))

    s3 = boto3.client(
        "s3", region_name=REGION, endpoint_url=lab.daemon.endpoint, aws_access_key_id=key, aws_secret_access_key=secret,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    s3.create_bucket(Bucket="presigned")
    s3.put_object(Bucket="presigned", Key="a", Body=b"hello")
    s3.put_object(Bucket="presigned", Key="b", Body=b"secret")
    url = lambda seconds=300: s3.generate_presigned_url("get_object", {"Bucket": "presigned", "Key": "a"}, seconds)
    same(fetch(url())[0], 200)
    for wrong, expected in (
        (url().replace("/a?", "/b?"), (403, "SignatureDoesNotMatch")),
        (url().replace("%2Fs3%2F", "%2Fec2%2F"), (403, "SignatureDoesNotMatch")),
        (re.sub("Signature=[0-9a-f]{4}", "Signature=0000", url()), (403, "SignatureDoesNotMatch")),
    ):
        same(fetch(wrong), expected, wrong)
    same(fetch(url(), method="DELETE"), (403, "SignatureDoesNotMatch"))
    short = url(1)
    eventually("the URL is too old", lambda: fetch(short) == (403, "AccessDenied"))


def fetch(url, method="GET"):
    """The status and the code, if there is one."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method)) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        code = re.search("<Code>(.*)</Code>", error.read().decode())
        return error.code, code and code[1]


if __name__ == "__main__":
    main(daemon="own", parallel=2)
