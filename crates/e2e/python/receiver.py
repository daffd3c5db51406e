"""A receiver of Firehose's deliveries over HTTP, which takes nothing but what AWS has published ("Understand HTTP endpoint
delivery request and response specifications"), and misbehaves when it is told to."""

import base64
import gzip
import json
import re
import ssl
import threading
import time
import uuid
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


ARN = re.compile(r"arn:aws:firehose:[a-z]{2}(-[a-z]+)+-[0-9]:[0-9]{12}:deliverystream/[A-Za-z0-9_.-]{1,64}")
MIB = 1 << 20
# What a request may have besides those that are checked one by one.
HEADERS = {"host", "user-agent", "accept"}


class Delivery:
    """One request, as it came."""

    def __init__(self, path, headers, body):
        self.path, self.headers, self.raw = path, headers, body
        self.id = headers["X-Amz-Firehose-Request-Id"]
        self.text = unzipped(body) if headers.get("Content-Encoding") == "gzip" else body
        self.body = json.loads(self.text, object_pairs_hook=once)
        self.records = [base64.b64decode(record["data"], validate=True) for record in self.body["records"]]
        self.attributes = None
        if "X-Amz-Firehose-Common-Attributes" in headers:
            whole = json.loads(headers["X-Amz-Firehose-Common-Attributes"], object_pairs_hook=once)
            assert list(whole) == ["commonAttributes"], whole
            self.attributes = whole["commonAttributes"]


def once(pairs):
    """An object whose names are all different."""
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def unzipped(body):
    """A single member, with nothing behind it."""
    unzip = zlib.decompressobj(wbits=31)
    text = unzip.decompress(body)
    assert unzip.eof and not unzip.unused_data, "not a whole gzip"
    return text


def check(handler, body):
    """What the published format demands of every request."""
    headers = handler.headers
    assert (handler.command, handler.request_version) == ("POST", "HTTP/1.1"), handler.requestline
    for name in headers:
        assert len(headers.get_all(name)) == 1, name
        assert name.lower() in HEADERS or name.lower().startswith(("x-amz-firehose-", "content-")), name
    assert headers["X-Amz-Firehose-Protocol-Version"] == "1.0", headers
    assert str(uuid.UUID(headers["X-Amz-Firehose-Request-Id"])) == headers["X-Amz-Firehose-Request-Id"], headers
    assert ARN.fullmatch(headers["X-Amz-Firehose-Source-Arn"]), headers
    key = headers.get("X-Amz-Firehose-Access-Key")
    assert key is None or (0 < len(key) <= 4096 and key.isprintable()), key
    assert headers["Content-Type"] == "application/json", headers
    assert headers["Content-Encoding"] in (None, "gzip"), headers
    assert int(headers["Content-Length"]) == len(body) and "Transfer-Encoding" not in headers, headers
    delivery = Delivery(handler.path, dict(headers.items()), body)
    check_attributes(delivery.attributes)
    assert set(delivery.body) == {"requestId", "timestamp", "records"}, set(delivery.body)
    assert delivery.body["requestId"] == delivery.id, delivery.id
    stamp = delivery.body["timestamp"]
    assert type(stamp) is int and abs(stamp - time.time() * 1000) < 600_000, stamp
    assert 1 <= len(delivery.records) <= 10_000, len(delivery.records)
    assert all(set(record) == {"data"} for record in delivery.body["records"])
    assert max(map(len, delivery.records)) <= 1000 << 10, "a record is larger than 1,000 KiB"
    # As it is before it is compressed.
    assert len(delivery.text) <= 64 * MIB, len(delivery.text)
    return delivery


def check_attributes(attributes):
    if attributes is None:
        return
    assert 1 <= len(attributes) <= 50, len(attributes)
    for name, value in attributes.items():
        assert type(value) is str and 0 < len(name) <= 256 and len(value) <= 1024, (name, value)


def check_again(first, again):
    """A request that is repeated is the same one: only headers of the connection may differ."""
    same = lambda delivery: (delivery.path, delivery.body, delivery.attributes, delivery.headers.get("Content-Encoding"))
    assert same(first) == same(again), first.id


class Receiver:
    """Listens on loopback. `answers` says how the next requests are answered, by name; afterwards all are well."""

    def __init__(self, certificate=None):
        self.deliveries, self.problems, self.answers = [], [], []
        # Of each id the request that came first.
        self.first = {}
        self.lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    delivery = check(self, body)
                    first = receiver.first.setdefault(delivery.id, delivery)
                    check_again(first, delivery)
                except Exception as error:
                    receiver.problems.append(repr(error))
                    return receiver.reply(self, 400, {"errorMessage": repr(error)})
                with receiver.lock:
                    how = receiver.answers.pop(0) if receiver.answers else "well"
                    receiver.deliveries.append((how, delivery))
                getattr(receiver, how)(self, delivery)

            do_GET = do_PUT = do_POST

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        assert not self.problems, self.problems

    def url(self, path="/in", host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def taken(self):
        """The records of the requests that were answered well, in their order."""
        return [record for how, delivery in self.deliveries if how == "well" for record in delivery.records]

    def seen(self):
        """How each request was answered."""
        return [how for how, _ in self.deliveries]

    def ids(self):
        return [delivery.id for _, delivery in self.deliveries]

    # Answers

    def reply(self, handler, status, body, content_type="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(data)

    def answer(self, delivery, **more):
        return {"requestId": delivery.id, "timestamp": int(time.time() * 1000)} | more

    def well(self, handler, delivery):
        self.reply(handler, 200, self.answer(delivery))

    def broken(self, handler, delivery):
        self.reply(handler, 500, self.answer(delivery, errorMessage="broken on demand"))

    def created(self, handler, delivery):
        self.reply(handler, 201, self.answer(delivery))

    def wrong_id(self, handler, delivery):
        self.reply(handler, 200, self.answer(delivery) | {"requestId": str(uuid.uuid4())})

    def no_json(self, handler, delivery):
        self.reply(handler, 200, b"<html>fine</html>")

    def no_timestamp(self, handler, delivery):
        self.reply(handler, 200, {"requestId": delivery.id})

    def html(self, handler, delivery):
        self.reply(handler, 200, self.answer(delivery), "text/html")

    def zipped(self, handler, delivery):
        body = gzip.compress(json.dumps(self.answer(delivery)).encode())
        self.reply(handler, 200, body, Content_Encoding="gzip")

    def too_large(self, handler, delivery):
        self.reply(handler, 413, self.answer(delivery, errorMessage="Payload too large"))

    def elsewhere(self, handler, delivery):
        self.reply(handler, 302, b"", Location=self.url("/elsewhere"))

    def long(self, handler, delivery):
        self.reply(handler, 200, self.answer(delivery, errorMessage="x" * (1 << 20)))

    def cut(self, handler, delivery):
        handler.close_connection = True
        handler.connection.close()

    def late(self, handler, delivery):
        time.sleep(2)
        self.well(handler, delivery)
