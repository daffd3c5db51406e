"""Services inside instances: metadata on the link, AWS's public names over TLS, gateway endpoints."""

import json
import os
import subprocess
import sys
import tempfile

from botocore.exceptions import ClientError

from weirtest import Daemon, Lab, aws, eventually, main, same

METADATA = "http://169.254.169.254"
TOKEN = "X-aws-ec2-metadata-token"
TTL = f"{TOKEN}-ttl-seconds"


def status(lab, instance, url, *options):
    """The status of HTTP that curl sees; `refused` when the port is closed, None when nobody answers in time."""
    told = lab.get(instance, url, "-o", "/dev/null", "-w", "%{http_code}", *options)
    return int(told) if told and told.isdigit() else told


def token(lab, instance, ttl="60", address=METADATA):
    return lab.get(instance, f"{address}/latest/api/token", "-X", "PUT", "-H", f"{TTL}: {ttl}")


def public(lab, vpc, subnet):
    """A gateway, and a default route to it."""
    ec2 = lab.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    return table


def test_metadata_with_and_without_a_session(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    instance = lab.run(subnet, lab.group(vpc, name="web"), "10.0.1.10", "#!/bin/sh\ntrue\n")
    get = lambda path, *options: lab.get(instance, f"{METADATA}{path}", *options)
    same(get("/latest/meta-data/instance-id"), instance)
    same(get("/latest/meta-data/local-ipv4"), "10.0.1.10")
    same(get("/latest/user-data"), "#!/bin/sh\ntrue\n")
    mac = get("/latest/meta-data/mac")
    same(get(f"/latest/meta-data/network/interfaces/macs/{mac}/subnet-id"), subnet)
    document = json.loads(get("/latest/dynamic/instance-identity/document"))
    same((document["instanceId"], document["accountId"]), (instance, lab.account))
    same(status(lab, instance, f"{METADATA}/latest/meta-data/iam/security-credentials/"), 404)
    # With a session.
    session = token(lab, instance)
    same(get("/latest/meta-data/instance-id", "-H", f"{TOKEN}: {session}"), instance)
    lab.ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="required")
    same(status(lab, instance, f"{METADATA}/latest/meta-data/"), 401)
    same(get("/latest/meta-data/instance-id", "-H", f"{TOKEN}: {session}"), instance)
    same(status(lab, instance, f"{METADATA}/latest/api/token", "-X", "PUT"), 400)
    forwarded = ["-X", "PUT", "-H", f"{TTL}: 60", "-H", "X-Forwarded-For: 10.0.0.1"]
    same(status(lab, instance, f"{METADATA}/latest/api/token", *forwarded), 403)
    lab.ec2.modify_instance_metadata_options(InstanceId=instance, HttpEndpoint="disabled")
    same(status(lab, instance, f"{METADATA}/latest/meta-data/", "-H", f"{TOKEN}: {session}"), 403)
    # On the link there is nothing else, and none of it is in a flow log.
    same(status(lab, instance, "http://169.254.169.254:8080/"), None)


def test_tokens_travel_as_far_as_the_hop_limit_says(lab):
    vpc = lab.vpc()
    instance = lab.run(lab.subnet(vpc), lab.group(vpc))
    asks = lambda least: lab.inside(instance, "python3", "-c", HOPS, str(least), check=True).stdout.split()
    same(asks(1), ["200", "200"])
    same(asks(2), ["late", "200"], "one hop by default")
    lab.ec2.modify_instance_metadata_options(InstanceId=instance, HttpPutResponseHopLimit=3)
    same(asks(3), ["200", "200"])
    same(asks(4), ["late", "200"])


# Asks for a token and for a reading, blind to packets that have fewer hops left than the argument says.
HOPS = """
import socket, sys
IP_MINTTL = 21
for head in ("PUT /latest/api/token HTTP/1.1\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60", "GET /latest HTTP/1.1"):
    s = socket.create_connection(("169.254.169.254", 80), timeout=2)
    s.setsockopt(socket.IPPROTO_IP, IP_MINTTL, int(sys.argv[1]))
    s.sendall((head + "\\r\\nHost: 169.254.169.254\\r\\n\\r\\n").encode())
    try:
        print(s.recv(4096).decode().split()[1])
    except TimeoutError:
        print("late")
"""


# What the metadata service says to those who speak no HTTP, or never come to an end: the first line, or nothing.
GARBAGE = """
import socket
for message in (
    b"\\0\\xff" * 512, b"GET\\r\\n\\r\\n", b"GET /latest/ HTTP/9.9\\r\\n\\r\\n", b"PUT /latest/api/token HTTP/1.1\\r\\nContent-Length: -1\\r\\n\\r\\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\\r\\n\\r\\n", b"GET / HTTP/1.1\\r\\n" + b"a: b\\r\\n" * 10_000 + b"\\r\\n",
    b"GET /latest/meta-data/../../../etc/passwd HTTP/1.0\\r\\n\\r\\n", b"GET /%00%ff HTTP/1.0\\r\\n\\r\\n",
):
    with socket.create_connection(("169.254.169.254", 80), timeout=10) as client:
        try:
            client.sendall(message)
            told = client.recv(4096).split(b"\\r\\n")[0].decode()
        except (ConnectionResetError, BrokenPipeError):
            told = ""
        print(told)
"""


def test_metadata_takes_any_bytes(lab):
    vpc = lab.vpc()
    instance = lab.run(lab.subnet(vpc), lab.group(vpc))
    told = lab.inside(instance, "python3", "-c", GARBAGE, check=True).stdout.split("\n")[:-1]
    # A long one may be refused before all of it has come, which resets the connection.
    same({line[9:10] for line in told if line}, {"4"}, told)
    same((len(told), "" in told[:4] + told[6:]), (8, False), told)
    same(lab.get(instance, f"{METADATA}/latest/meta-data/instance-id"), instance, "others are answered as ever")
    assert "panicked" not in lab.daemon.said(), lab.daemon.said()


def test_metadata_over_ipv6_has_to_be_switched_on(lab):
    vpc = lab.vpc(ipv6=True)
    block = lab.ec2.describe_vpcs(VpcIds=[vpc])["Vpcs"][0]["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    subnet = lab.subnet(vpc, Ipv6CidrBlock=block.replace("/56", "/64"))
    instance = lab.run(subnet, lab.group(vpc), Ipv6AddressCount=1)
    url = "http://[fd00:ec2::254]"
    same(status(lab, instance, f"{url}/latest/meta-data/"), None)
    lab.ec2.modify_instance_metadata_options(InstanceId=instance, HttpProtocolIpv6="enabled")
    session = token(lab, instance, address=url)
    same(lab.get(instance, f"{url}/latest/meta-data/instance-id", "-H", f"{TOKEN}: {session}"), instance)


def test_the_same_address_in_two_vpcs_is_told_apart(lab):
    instances = []
    for _ in range(2):
        vpc = lab.vpc()
        instances.append(lab.run(lab.subnet(vpc), lab.group(vpc), "10.0.1.10", wait=False))
    lab.running(*instances)
    for instance in instances * 2:
        same(lab.get(instance, f"{METADATA}/latest/meta-data/instance-id"), instance)
    first = token(lab, instances[0])
    url = f"{METADATA}/latest/meta-data/"
    same(status(lab, instances[1], url, "-H", f"{TOKEN}: {first}"), 401, "a token of another instance")


def test_services_have_their_public_names_over_tls(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    public(lab, vpc, subnet)
    instance = lab.run(subnet, lab.group(vpc))
    lab.client("s3").create_bucket(Bucket=f"tls-{lab.account}")
    lab.client("s3").put_object(Bucket=f"tls-{lab.account}", Key="a/b", Body=b"hello")
    listed = aws(lab, instance, "s3", "ls")
    assert listed.endswith(f"tls-{lab.account}"), listed
    same(aws(lab, instance, "s3", "cp", f"s3://tls-{lab.account}/a/b", "-"), "hello")
    big = "head -c 20000000 /dev/zero > /tmp/big && sha256sum < /tmp/big"
    digest = lab.inside(instance, "sh", "-c", big, check=True).stdout
    copied = aws(lab, instance, "s3", "cp", "--no-progress", "/tmp/big", f"s3://tls-{lab.account}/big")
    assert "upload" in copied, copied
    aws(lab, instance, "s3", "cp", "--no-progress", f"s3://tls-{lab.account}/big", "/tmp/back")
    same(lab.inside(instance, "sh", "-c", "sha256sum < /tmp/back").stdout, digest)
    caller = json.loads(aws(lab, instance, "sts", "get-caller-identity"))
    same(caller["Account"], lab.account)
    described = json.loads(aws(lab, instance, "ec2", "describe-vpcs", "--vpc-ids", vpc))
    same(described["Vpcs"][0]["VpcId"], vpc)
    same(aws(lab, instance, "logs", "create-log-group", "--log-group-name", "g"), "")
    # The same by Python's and curl's own ways to TLS.
    for name in ["s3.us-east-1.amazonaws.com", "logs.eu-west-1.amazonaws.com", "b.s3.eu-west-1.amazonaws.com"]:
        assert isinstance(status(lab, instance, f"https://{name}/"), int), name
    told = lab.get(instance, "https://s3.us-east-1.amazonaws.com/", "--resolve", "s3.us-east-1.amazonaws.com:443:198.18.128.32")
    assert "certificate" in told, told
    # Another Region's endpoint does not take a signature for this one.
    refused = aws(lab, instance, "ec2", "describe-vpcs", "--endpoint-url", "https://ec2.eu-west-1.amazonaws.com")
    assert "AuthFailure" in refused or "SignatureDoesNotMatch" in refused, refused
    # Weir's own operations are not to be had there.
    told = lab.get(instance, "https://s3.us-east-1.amazonaws.com/", "-X", "POST", "-H", "X-Amz-Target: Weir.Status", "-d", "{}")
    assert "generation" not in told, told


def test_a_gateway_endpoint_reaches_its_own_service_and_region_only(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    instance = lab.run(subnet, lab.group(vpc), "10.0.1.10")
    bucket = f"endpoint-{lab.account}"
    lab.client("s3").create_bucket(Bucket=bucket)
    url = f"https://{bucket}.s3.us-east-1.amazonaws.com/"
    same(status(lab, instance, url), None, "no way yet")
    table = lab.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
    endpoint = lab.ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table["RouteTableId"]],
    )["VpcEndpoint"]["VpcEndpointId"]
    same(aws(lab, instance, "s3", "ls", f"s3://{bucket}"), "")
    same(lab.ping(instance, "s3.us-east-1.amazonaws.com"), True)
    same(status(lab, instance, "https://s3.us-west-2.amazonaws.com/"), None, "another Region")
    same(status(lab, instance, "https://logs.us-east-1.amazonaws.com/"), None, "another service")
    trace = lab.weir("trace", instance, "tcp", "3.5.0.1", "443").stdout
    assert f"delivered to s3 in us-east-1 through {endpoint}" in trace, trace
    lab.ec2.delete_vpc_endpoints(VpcEndpointIds=[endpoint])
    same(status(lab, instance, url), None, "no way any more")


def test_a_private_bucket_is_reached_through_the_endpoint_only(lab):
    """The bucket of the textbooks, and an endpoint that lets through only some of it."""
    private, open_to_all = lab.vpc(), lab.vpc()
    inner, outer = lab.subnet(private), lab.subnet(open_to_all)
    public(lab, open_to_all, outer)
    # The same private address on both sides.
    inside = lab.run(inner, lab.group(private), "10.0.1.10", wait=False)
    outside = lab.run(outer, lab.group(open_to_all), "10.0.1.10", wait=False)
    lab.running(inside, outside)
    table = lab.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [private]}])["RouteTables"][0]
    endpoint = lab.ec2.create_vpc_endpoint(
        VpcId=private, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table["RouteTableId"]],
    )["VpcEndpoint"]["VpcEndpointId"]
    s3, bucket = lab.client("s3"), f"private-{lab.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"v")

    def get(instance):
        return aws(lab, instance, "s3", "cp", f"s3://{bucket}/k", "-")

    same([get(inside), get(outside)], ["v", "v"])
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]

    def allow_only(condition):
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": arns, "Condition": condition}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))

    for condition in [
        {"StringNotEquals": {"aws:SourceVpce": endpoint}},
        {"StringNotEquals": {"aws:SourceVpc": private}},
        {"NotIpAddressIfExists": {"aws:VpcSourceIp": "10.0.1.10/32"}, "Null": {"aws:SourceIp": "true"}},
    ]:
        allow_only(condition)
        same(get(inside), "v", condition)
        if "Null" not in condition:
            assert "403" in get(outside) or "Forbidden" in get(outside), condition
    address = lab.instance(outside)["PublicIpAddress"]
    allow_only({"NotIpAddress": {"aws:SourceIp": f"{address}/32"}})
    same(get(outside), "v", "the public address is what S3 sees from there")
    assert "403" in get(inside) or "Forbidden" in get(inside), "and nothing of the kind through the endpoint"
    s3.delete_bucket_policy(Bucket=bucket)
    # What the endpoint itself lets through.
    only = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "*"}]}
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=json.dumps(only))
    assert aws(lab, inside, "s3", "ls", f"s3://{bucket}").endswith("k")
    assert "403" in get(inside) or "Forbidden" in get(inside)
    same(get(outside), "v")


def test_an_endpoint_cuts_connections_that_are_open(lab):
    """The source address at the service changes with the way ("Gateway endpoints")."""
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    table = public(lab, vpc, subnet)
    instance = lab.run(subnet, lab.group(vpc))
    asking = subprocess.Popen(
        [os.environ["WEIR"], "--endpoint", lab.daemon.endpoint, "exec", instance, "--", "python3", "-uc", ASKING],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )

    def ask():
        asking.stdin.write("go\n")
        asking.stdin.flush()
        return asking.stdout.readline().strip()

    try:
        same([ask(), ask()], ["403", "403"])
        lab.ec2.create_vpc_endpoint(
            VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table],
        )
        same([ask(), ask()], ["ConnectionResetError", "403"], "a new connection goes through the endpoint")
    finally:
        asking.stdin.close()
        asking.wait(10)


# One connection for all requests, and a new one after it broke.
ASKING = """
import http.client, sys
connection = None
for _ in sys.stdin:
    try:
        connection = connection or http.client.HTTPConnection("s3.us-east-1.amazonaws.com", timeout=5)
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        print(answer.status)
    except OSError as error:
        connection = None
        print(type(error).__name__)
"""


def test_dynamodb_is_what_the_daemon_was_told(_):
    port = 0
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )
    try:
        for line in server.stdout:
            if "Running on http://127.0.0.1:" in line:
                port = int(line.rsplit(":", 1)[1].split()[0].strip("/"))
                break
        with Daemon(None, "--service", f"dynamodb=http://127.0.0.1:{port}") as daemon:
            lab = Lab(daemon, "000000000042")
            vpc = lab.vpc()
            instance = lab.run(lab.subnet(vpc), lab.group(vpc))
            table = lab.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
            endpoint = lab.ec2.create_vpc_endpoint(
                VpcId=vpc, ServiceName="com.amazonaws.us-east-1.dynamodb", RouteTableIds=[table["RouteTableId"]],
            )["VpcEndpoint"]["VpcEndpointId"]
            made = aws(
                lab, instance, "dynamodb", "create-table", "--table-name", "t", "--billing-mode", "PAY_PER_REQUEST",
                "--attribute-definitions", "AttributeName=k,AttributeType=S",
                "--key-schema", "AttributeName=k,KeyType=HASH",
            )
            same(json.loads(made)["TableDescription"]["TableName"], "t")
            same(json.loads(aws(lab, instance, "dynamodb", "list-tables"))["TableNames"], ["t"])
            resource = "arn:aws:dynamodb:*:*:table/t"
            only = {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:PutItem", "Resource": resource}]}
            lab.ec2.modify_vpc_endpoint(VpcEndpointId=endpoint, PolicyDocument=json.dumps(only))
            put = ["dynamodb", "put-item", "--item", '{"k": {"S": "v"}}', "--table-name"]
            same(aws(lab, instance, *put, "t"), "")
            refused = aws(lab, instance, *put, "other")
            assert "AccessDeniedException" in refused and "VPC endpoint policy" in refused, refused
    finally:
        server.kill()
        server.wait()


def test_without_an_endpoint_dynamodb_refuses(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    public(lab, vpc, subnet)
    instance = lab.run(subnet, lab.group(vpc))
    same(status(lab, instance, "https://dynamodb.us-east-1.amazonaws.com/"), "refused")
    trace = lab.weir("trace", instance, "tcp", "3.218.180.1", "443").stdout
    assert "nothing runs (weir up --service dynamodb=URL)" in trace, trace
    assert "--service dynamodb=URL" in lab.daemon.said()


if __name__ == "__main__":
    main()
