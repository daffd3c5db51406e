"""Firehose with its own clients: delivery streams, records, buckets, HTTP endpoints that behave and that do not."""

import base64
import gzip
import json
import os
import re
import signal
import subprocess
import tempfile

from botocore.validate import ParamValidator

from receiver import Receiver
from weirtest import REGION, WEIR, Daemon, Lab, eventually, main, refused, same

NOW = {"SizeInMBs": 1, "IntervalInSeconds": 0}


def bucket(lab, name, **more):
    """A bucket, as a destination."""
    lab.client("s3").create_bucket(Bucket=name)
    return {"RoleARN": f"arn:aws:iam::{lab.account}:role/firehose", "BucketARN": f"arn:aws:s3:::{name}"} | more


def endpoint(lab, receiver, name, **more):
    """A receiver, as a destination."""
    made = {
        "EndpointConfiguration": {"Url": receiver.url(), "Name": "receiver", "AccessKey": "the key"},
        "BufferingHints": NOW,
        "S3Configuration": bucket(lab, name),
    }
    return made | more


def stream(lab, name, **destination):
    """A stream that is active."""
    firehose = lab.client("firehose")
    made = firehose.create_delivery_stream(DeliveryStreamName=name, **destination)
    eventually("the stream is active", lambda: described(lab, name)["DeliveryStreamStatus"] == "ACTIVE")
    return made["DeliveryStreamARN"]


def described(lab, name):
    answer = lab.client("firehose").describe_delivery_stream(DeliveryStreamName=name)
    fits(lab, "DescribeDeliveryStream", answer)
    return answer["DeliveryStreamDescription"]


def put(lab, name, *records):
    answer = lab.client("firehose").put_record_batch(
        DeliveryStreamName=name, Records=[{"Data": record} for record in records],
    )
    fits(lab, "PutRecordBatch", answer)
    same((answer["FailedPutCount"], len(answer["RequestResponses"])), (0, len(records)))


def fits(lab, operation, answer):
    """An answer has no members but the model's, all that are required, and values within its bounds."""
    shape = lab.client("firehose").meta.service_model.operation_model(operation).output_shape
    answer = {name: value for name, value in answer.items() if name != "ResponseMetadata"}
    # Our URLs may begin with http.
    report = ParamValidator().validate(answer, shape).generate_report()
    same(report, "", operation)


def objects(lab, name):
    """Keys and contents of a bucket, the oldest first."""
    s3 = lab.client("s3")
    found = sorted(s3.list_objects_v2(Bucket=name).get("Contents", []), key=lambda one: one["LastModified"])
    keys = [one["Key"] for one in found]
    answers = [s3.get_object(Bucket=name, Key=key) for key in keys]
    bodies = [answer["Body"].read() for answer in answers]
    unzip = lambda answer, body: gzip.decompress(body) if answer.get("ContentEncoding") == "gzip" else body
    return [(key, unzip(answer, body)) for key, answer, body in zip(keys, answers, bodies, strict=True)]


def content(lab, name):
    return b"".join(body for _, body in objects(lab, name))


# The API


def test_every_operation_with_boto3(lab):
    firehose = lab.client("firehose")
    arn = stream(
        lab, "one", ExtendedS3DestinationConfiguration=bucket(
            lab, f"every-{lab.account}", Prefix="p/!{timestamp:yyyy}/", ErrorOutputPrefix="e/!{firehose:error-output-type}/",
            BufferingHints=NOW, CompressionFormat="GZIP",
        ), Tags=[{"Key": "team", "Value": "net"}],
    )
    same(arn, f"arn:aws:firehose:{REGION}:{lab.account}:deliverystream/one")
    found = described(lab, "one")
    same((found["VersionId"], found["DeliveryStreamType"], len(found["Destinations"])), ("1", "DirectPut", 1))
    (destination,) = found["Destinations"]
    same(destination["ExtendedS3DestinationDescription"]["Prefix"], "p/!{timestamp:yyyy}/")
    same(destination["S3DestinationDescription"]["CompressionFormat"], "GZIP")
    answer = firehose.list_delivery_streams()
    fits(lab, "ListDeliveryStreams", answer)
    same((answer["DeliveryStreamNames"], answer["HasMoreDeliveryStreams"]), (["one"], False))
    answer = firehose.put_record(DeliveryStreamName="one", Record={"Data": b"\x00\xff"})
    fits(lab, "PutRecord", answer)
    same(answer["Encrypted"], False)
    eventually("the record is there", lambda: content(lab, f"every-{lab.account}") == b"\x00\xff")
    ((key, _),) = objects(lab, f"every-{lab.account}")
    assert re.fullmatch(r"p/\d{4}/one-1-\d{4}-\d\d-\d\d-\d\d-\d\d-\d\d-[0-9a-f-]{36}\.gz", key), key
    for operation, arguments in (
        ("TagDeliveryStream", {"Tags": [{"Key": "k", "Value": "v"}]}),
        ("ListTagsForDeliveryStream", {}),
        ("UntagDeliveryStream", {"TagKeys": ["k"]}),
        ("StartDeliveryStreamEncryption", {}),
        ("StopDeliveryStreamEncryption", {}),
        ("UpdateDestination", {
            "CurrentDeliveryStreamVersionId": "1", "DestinationId": destination["DestinationId"],
            "ExtendedS3DestinationUpdate": {"CompressionFormat": "UNCOMPRESSED"},
        }),
    ):
        call = getattr(firehose, re.sub("(?<!^)([A-Z])", r"_\1", operation).lower())
        fits(lab, operation, call(DeliveryStreamName="one", **arguments))
    (destination,) = described(lab, "one")["Destinations"]
    same(destination["ExtendedS3DestinationDescription"]["CompressionFormat"], "UNCOMPRESSED")
    same(destination["ExtendedS3DestinationDescription"]["Prefix"], "p/!{timestamp:yyyy}/", "what was not said stays")
    with refused("ConcurrentModificationException"):
        firehose.update_destination(
            DeliveryStreamName="one", CurrentDeliveryStreamVersionId="1", DestinationId=destination["DestinationId"],
            S3DestinationUpdate={},
        )
    with refused("ResourceInUseException", f"Firehose one under accountId {lab.account} already exists"):
        stream(lab, "one", S3DestinationConfiguration=bucket(lab, f"more-{lab.account}"))
    with refused("InvalidArgumentException", "SplunkDestinationConfiguration is not supported."):
        firehose.create_delivery_stream(DeliveryStreamName="two", SplunkDestinationConfiguration={
            "HECEndpoint": "https://h", "HECEndpointType": "Raw", "S3Configuration": bucket(lab, f"spl-{lab.account}"),
        })
    with refused("InvalidArgumentException", "Records size exceeds 4 MB limit"):
        put(lab, "one", *[b"x" * 1_000_000] * 5)
    other = Lab(lab.daemon)
    with refused("ResourceNotFoundException", f"Firehose one under account {other.account} not found."):
        other.client("firehose").describe_delivery_stream(DeliveryStreamName="one")
    same(lab.client("firehose", "eu-west-1").list_delivery_streams()["DeliveryStreamNames"], [])
    fits(lab, "DeleteDeliveryStream", firehose.delete_delivery_stream(DeliveryStreamName="one"))
    eventually("it is gone", lambda: not firehose.list_delivery_streams()["DeliveryStreamNames"])


def test_the_aws_cli(lab):
    destination = bucket(lab, f"cli-{lab.account}", BufferingHints=NOW)
    environment = os.environ | {
        "AWS_ACCESS_KEY_ID": lab.account, "AWS_SECRET_ACCESS_KEY": "any", "AWS_DEFAULT_REGION": REGION,
    }

    def aws(*words):
        done = subprocess.run(
            ["aws", "--endpoint-url", lab.daemon.endpoint, "firehose", *words],
            capture_output=True, text=True, env=environment, timeout=60,
        )
        same(done.returncode, 0, done.stderr)
        return json.loads(done.stdout or "null")

    name = ("--delivery-stream-name", "cli")
    made = aws("create-delivery-stream", *name, "--extended-s3-destination-configuration", json.dumps(destination))
    same(list(made), ["DeliveryStreamARN"])
    eventually("it is active", lambda: described(lab, "cli")["DeliveryStreamStatus"] == "ACTIVE")
    shown = aws("describe-delivery-stream", *name)["DeliveryStreamDescription"]
    same(shown["DeliveryStreamStatus"], "ACTIVE")
    data = base64.b64encode(b"from the CLI\n").decode()
    aws("put-record", *name, "--record", json.dumps({"Data": data}), "--cli-binary-format", "base64") if cli_v2() else \
        aws("put-record", *name, "--record", json.dumps({"Data": "from the CLI\n"}))
    eventually("it arrives", lambda: content(lab, f"cli-{lab.account}") == b"from the CLI\n")
    same(aws("list-delivery-streams")["DeliveryStreamNames"], ["cli"])
    assert not aws("delete-delivery-stream", *name)


def cli_v2():
    version = subprocess.run(["aws", "--version"], capture_output=True, text=True, timeout=60)
    return version.stdout.startswith("aws-cli/2")


# Buckets


def test_a_bucket_says_who_may_write(lab):
    """Other accounts' buckets ask their policy; records wait until the bucket takes them."""
    owner = Lab(lab.daemon)
    name = f"theirs-{lab.account}"
    owner.client("s3").create_bucket(Bucket=name)
    role = f"arn:aws:iam::{lab.account}:role/firehose"
    stream(lab, "s", S3DestinationConfiguration={
        "RoleARN": role, "BucketARN": f"arn:aws:s3:::{name}", "BufferingHints": NOW,
    })
    put(lab, "s", b"patient")
    said = lambda: "S3.AccessDenied" in lab.daemon.said()
    eventually("the refusal is logged", said)
    same(objects(owner, name), [])
    statement = {
        "Effect": "Allow", "Principal": {"AWS": role}, "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{name}/*",
    }
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    owner.client("s3").put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
    eventually("it arrives", lambda: content(owner, name) == b"patient", 30)


# HTTP endpoints


def test_an_endpoint_gets_what_aws_has_published(lab):
    with Receiver() as receiver:
        attributes = [{"AttributeName": "env", "AttributeValue": 'a "b"'}, {"AttributeName": "n", "AttributeValue": ""}]
        arn = stream(lab, "plain", HttpEndpointDestinationConfiguration=endpoint(
            lab, receiver, f"plain-{lab.account}", RequestConfiguration={"CommonAttributes": attributes},
        ))
        stream(lab, "zipped", HttpEndpointDestinationConfiguration=endpoint(
            lab, receiver, f"zip-{lab.account}", RequestConfiguration={"ContentEncoding": "GZIP"}, S3BackupMode="AllData",
            EndpointConfiguration={"Url": receiver.url("/z?token=t")},
            S3Configuration=bucket(lab, f"zip-{lab.account}", BufferingHints=NOW, Prefix="all/"),
        ))
        assert "the key" not in json.dumps(described(lab, "plain"), default=str)
        put(lab, "plain", b"one", b"", b"\xff\x00")
        eventually("they arrive", lambda: len(receiver.deliveries) == 1)
        (_, delivery), = receiver.deliveries
        same(delivery.records, [b"one", b"", b"\xff\x00"])
        same((delivery.path, delivery.attributes), ("/in", {"env": 'a "b"', "n": ""}))
        same(delivery.headers["X-Amz-Firehose-Source-Arn"], arn)
        same(delivery.headers["X-Amz-Firehose-Access-Key"], "the key")
        put(lab, "zipped", *[b"%d" % n for n in range(500)])
        eventually("they arrive", lambda: len(receiver.deliveries) == 2)
        delivery = receiver.deliveries[1][1]
        same((delivery.path, len(delivery.records)), ("/z?token=t", 500))
        same(delivery.headers["Content-Encoding"], "gzip")
        assert "X-Amz-Firehose-Access-Key" not in delivery.headers and delivery.attributes is None
        eventually("a copy is kept", lambda: content(lab, f"zip-{lab.account}") == b"".join(delivery.records))
        assert all(key.startswith("all/") for key, _ in objects(lab, f"zip-{lab.account}"))
        same(objects(lab, f"plain-{lab.account}"), [], "only what fails")


def test_answers_that_are_none_are_asked_for_again(lab):
    with Receiver() as receiver:
        stream(lab, "s", HttpEndpointDestinationConfiguration=endpoint(lab, receiver, f"again-{lab.account}"))
        for misbehaviour in (
            "broken", "created", "wrong_id", "no_json", "no_timestamp", "html", "zipped", "elsewhere", "long", "cut",
        ):
            receiver.deliveries.clear()
            receiver.answers = [misbehaviour]
            put(lab, "s", misbehaviour.encode())
            eventually(f"{misbehaviour}: again", lambda: len(receiver.deliveries) == 2)
            same(receiver.seen(), [misbehaviour, "well"])
            same(len(set(receiver.ids())), 1, f"{misbehaviour}: the id stays")
            same(receiver.deliveries[0][1].body, receiver.deliveries[1][1].body, "and so does the body")
            same(receiver.taken(), [misbehaviour.encode()])
        same(objects(lab, f"again-{lab.account}"), [])
        # Slow is not wrong, and what comes meanwhile goes together.
        receiver.deliveries.clear()
        receiver.answers = ["late"]
        put(lab, "s", b"slow")
        eventually("it is under way", lambda: receiver.deliveries)
        for n in range(3):
            put(lab, "s", b"%d" % n)
        eventually("they arrive", lambda: len(receiver.deliveries) == 2)
        same(receiver.deliveries[1][1].records, [b"0", b"1", b"2"])


def test_what_an_endpoint_does_not_take_goes_to_a_bucket(lab):
    with Receiver() as receiver:
        name = f"failed-{lab.account}"
        stream(lab, "s", HttpEndpointDestinationConfiguration=endpoint(
            lab, receiver, name, RetryOptions={"DurationInSeconds": 3},
        ))
        receiver.answers = ["too_large"]
        put(lab, "s", b"large", b"as well")
        eventually("they are in the bucket", lambda: objects(lab, name))
        same(receiver.seen(), ["too_large"], "not tried again")
        ((key, body),) = objects(lab, name)
        assert re.match(r"http-endpoint-failed/\d{4}/\d\d/\d\d/\d\d/s-1-", key), key
        lines = [json.loads(line) for line in body.splitlines()]
        same([base64.b64decode(line["rawData"]) for line in lines], [b"large", b"as well"])
        for line in lines:
            same((line["errorCode"], line["attemptsMade"]), ("HttpEndpoint.DestinationException", 1))
            assert "413" in line["errorMessage"] and "Payload too large" in line["errorMessage"], line
            assert line["arrivalTimestamp"] <= line["attemptEndingTimestamp"], line
        receiver.deliveries.clear()
        receiver.answers = ["broken"] * 20
        put(lab, "s", b"never")
        eventually("it is in the bucket", lambda: len(objects(lab, name)) == 2, 20)
        same(len(set(receiver.ids())), 1)
        assert len(receiver.ids()) >= 3, receiver.seen()
        line = json.loads(objects(lab, name)[1][1])
        same((base64.b64decode(line["rawData"]), line["attemptsMade"]), (b"never", len(receiver.ids())))
        # Nobody listens at all.
        gone = Receiver()
        with gone:
            pass
        lab.client("firehose").update_destination(
            DeliveryStreamName="s", CurrentDeliveryStreamVersionId="1", DestinationId="destinationId-000000000001",
            HttpEndpointDestinationUpdate={
                "EndpointConfiguration": {"Url": gone.url()}, "RetryOptions": {"DurationInSeconds": 0},
            },
        )
        put(lab, "s", b"nobody")
        eventually("it is in the bucket", lambda: len(objects(lab, name)) == 3)
        same(json.loads(objects(lab, name)[2][1])["errorCode"], "HttpEndpoint.ConnectionFailed")


def test_endpoints_over_tls(_):
    with tempfile.TemporaryDirectory() as folder:
        key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days",
             "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-addext",
             "basicConstraints=critical,CA:FALSE"],
            check=True, capture_output=True, timeout=60,
        )
        trusting = ("env", f"SSL_CERT_FILE={certificate}", WEIR)
        with Receiver((certificate, key)) as receiver, Daemon(program=trusting) as daemon:
            lab = Lab(daemon)
            url = receiver.url(host="localhost")
            assert url.startswith("https://")
            stream(lab, "s", HttpEndpointDestinationConfiguration=endpoint(
                lab, receiver, "tls", EndpointConfiguration={"Url": url}, RetryOptions={"DurationInSeconds": 0},
            ))
            put(lab, "s", b"secret")
            eventually("it arrives", lambda: receiver.taken() == [b"secret"])
            # By an address, the certificate is of somebody else.
            stream(lab, "t", HttpEndpointDestinationConfiguration=endpoint(
                lab, receiver, "tls-failed", EndpointConfiguration={"Url": receiver.url()},
                RetryOptions={"DurationInSeconds": 0},
            ))
            put(lab, "t", b"not for them")
            eventually("it is not sent", lambda: objects(lab, "tls-failed"))
            line = json.loads(content(lab, "tls-failed"))
            same(line["errorCode"], "HttpEndpoint.ConnectionFailed")
            same(receiver.taken(), [b"secret"])


# Crashes


def test_what_was_acknowledged_outlives_the_daemon(_):
    with tempfile.TemporaryDirectory() as state, Receiver() as receiver:
        daemon = Daemon(state)
        lab = Lab(daemon)
        stream(lab, "bucket", S3DestinationConfiguration=bucket(
            lab, "kept", BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 2},
        ))
        stream(lab, "endpoint", HttpEndpointDestinationConfiguration=endpoint(lab, receiver, "kept-failed"))
        receiver.answers = ["broken"] * 3
        put(lab, "endpoint", b"a", b"b")
        put(lab, "bucket", b"one,", b"two,")
        eventually("the endpoint is tried", lambda: receiver.deliveries)
        daemon.end(signal.SIGKILL)
        with Daemon(state) as daemon:
            lab = Lab(daemon, lab.account)
            same(described(lab, "bucket")["DeliveryStreamStatus"], "ACTIVE")
            put(lab, "bucket", b"three")
            eventually("all of it arrives", lambda: content(lab, "kept") == b"one,two,three", 20)
            eventually("the endpoint takes them", lambda: receiver.taken() == [b"a", b"b"], 20)
            same(len(set(receiver.ids())), 1, "under the same id as before")
        same(daemon.process.returncode, 0)


# Flow logs


def test_flow_logs_become_records(lab):
    name = f"flows-{lab.account}"
    stream(lab, "s", S3DestinationConfiguration=bucket(lab, name, BufferingHints=NOW))
    flow_log(lab, lambda: content(lab, name))


def test_flow_logs_to_a_firehose_elsewhere(_):
    with Daemon() as elsewhere:
        theirs = Lab(elsewhere, "999988887777")
        stream(theirs, "s", S3DestinationConfiguration=bucket(theirs, "theirs", BufferingHints=NOW))
        keys = ("env", f"AWS_ACCESS_KEY_ID={theirs.account}", "AWS_SECRET_ACCESS_KEY=any", WEIR)
        with Daemon(None, "--firehose-endpoint", elsewhere.endpoint, program=keys) as daemon:
            flow_log(Lab(daemon), lambda: content(theirs, "theirs"))


def flow_log(lab, arrived):
    """Five pings, and the records that a flow log with the stream `s` leaves of them."""
    vpc = lab.vpc()
    subnet, group = lab.subnet(vpc), lab.group(vpc, "icmp 10.0.0.0/16")
    x = lab.run(subnet, group, "10.0.1.10", wait=False)
    y = lab.run(subnet, group, "10.0.1.20", wait=False)
    lab.running(x, y)
    made = lab.ec2.create_flow_logs(
        ResourceIds=[lab.interface(y)], ResourceType="NetworkInterface", TrafficType="ALL",
        LogDestinationType="kinesis-data-firehose",
        LogDestination=f"arn:aws:firehose:{REGION}:{lab.account}:deliverystream/s",
    )
    same(made["Unsuccessful"], [])
    same(lab.inside(x, "ping", "-q", "-i0.05", "-c5", "-W1", "10.0.1.20").returncode, 0)
    lab.weir("flows", "flush")
    text = eventually("records arrive", arrived).decode()
    decoder, lines = json.JSONDecoder(), []
    while text:
        # One after the other, with nothing in between.
        record, end = decoder.raw_decode(text)
        same(list(record), ["message"])
        lines.append(record["message"].split())
        text = text[end:]
    packets = {tuple(line[3:5]): int(line[8]) for line in lines if line[13] == "OK"}
    same(packets, {("10.0.1.10", "10.0.1.20"): 5, ("10.0.1.20", "10.0.1.10"): 5})
    (found,) = lab.ec2.describe_flow_logs(FlowLogIds=made["FlowLogIds"])["FlowLogs"]
    same((found["DeliverLogsStatus"], found["LogDestinationType"]), ("SUCCESS", "kinesis-data-firehose"))


if __name__ == "__main__":
    main()
