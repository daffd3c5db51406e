"""Interface endpoints: the aws CLI inside instances without internet access, and services of other accounts."""

import json

from services import aws, status
from weirtest import Lab, eventually, main, refused, same


def endpoint(lab, vpc, service, subnets, **more):
    """An interface endpoint that works."""
    made = lab.ec2.create_vpc_endpoint(
        VpcEndpointType="Interface", VpcId=vpc, ServiceName=f"com.amazonaws.us-east-1.{service}",
        SubnetIds=subnets, **more,
    )["VpcEndpoint"]
    return available(lab, made["VpcEndpointId"])


def described(lab, endpoint):
    return lab.ec2.describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"][0]


def available(lab, endpoint):
    eventually("the endpoint is available", lambda: described(lab, endpoint)["State"] == "available")
    return described(lab, endpoint)


def private(lab):
    """A VPC without any way out, where private DNS can be."""
    vpc = lab.vpc()
    lab.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return vpc


def addresses(lab, endpoint):
    found = lab.ec2.describe_network_interfaces(NetworkInterfaceIds=endpoint["NetworkInterfaceIds"])
    return {one["PrivateIpAddress"] for one in found["NetworkInterfaces"]}


def resolved(lab, instance, name):
    """The addresses of a name, in the order in which they came."""
    ask = "import socket, sys; print(*socket.gethostbyname_ex(sys.argv[1])[2])"
    return lab.inside(instance, "python3", "-c", ask, name).stdout.split()


def test_services_are_reached_by_their_own_names(lab):
    vpc = private(lab)
    subnets = [
        lab.subnet(vpc, "10.0.1.0/24", AvailabilityZone="us-east-1a"),
        lab.subnet(vpc, "10.0.2.0/24", AvailabilityZone="us-east-1b"),
    ]
    instance = lab.run(subnets[0], lab.group(vpc))
    same(status(lab, instance, "https://sts.us-east-1.amazonaws.com/"), None, "no way yet")
    inside = [lab.group(vpc, "tcp 443 10.0.0.0/16")]
    sts = endpoint(lab, vpc, "sts", subnets, SecurityGroupIds=inside, PrivateDnsEnabled=True)
    same(set(resolved(lab, instance, "sts.us-east-1.amazonaws.com")), addresses(lab, sts))
    caller = json.loads(aws(lab, instance, "sts", "get-caller-identity"))
    same(caller["Account"], lab.account)
    # Each name leads to its interfaces, all of them in turn or that of its zone.
    names = [entry["DnsName"] for entry in sts["DnsEntries"]]
    first, *_ = addresses(lab, sts)
    orders = {tuple(resolved(lab, instance, names[0])) for _ in range(16)}
    same({frozenset(order) for order in orders}, {frozenset(addresses(lab, sts))})
    same(len(orders), 2, "answers are rotated")
    same(len(resolved(lab, instance, names[1])), 1, "the name of a zone")
    for name in names[:3]:
        told = aws(lab, instance, "sts", "get-caller-identity", "--endpoint-url", f"https://{name}")
        same(json.loads(told)["Account"], lab.account, name)
    # Others have not come along.
    same(status(lab, instance, "https://logs.us-east-1.amazonaws.com/"), None)
    endpoint(lab, vpc, "logs", subnets[:1], SecurityGroupIds=inside, PrivateDnsEnabled=True)
    same(aws(lab, instance, "logs", "create-log-group", "--log-group-name", "g"), "")
    endpoint(lab, vpc, "ec2", subnets[1:], SecurityGroupIds=inside, PrivateDnsEnabled=True)
    told = json.loads(aws(lab, instance, "ec2", "describe-vpcs", "--vpc-ids", vpc))
    same(told["Vpcs"][0]["VpcId"], vpc)
    # An endpoint answers no ping, and its groups keep out what they do not let in.
    same(lab.ping(instance, first), False)
    same(status(lab, instance, f"http://{first}/"), None)
    trace = lab.weir("trace", instance, "tcp", first, "80", check=False).stdout
    assert f"no inbound rule of {inside[0]} allows it" in trace, trace
    lab.ec2.modify_vpc_endpoint(
        VpcEndpointId=sts["VpcEndpointId"], AddSecurityGroupIds=[lab.group(vpc)], RemoveSecurityGroupIds=inside,
    )
    same(status(lab, instance, "https://sts.us-east-1.amazonaws.com/"), None, "a group that lets nothing in")


def test_buckets_are_behind_an_endpoint_with_a_policy(lab):
    vpc = private(lab)
    subnet = lab.subnet(vpc)
    instance = lab.run(subnet, lab.group(vpc), "10.0.1.10")
    s3 = lab.client("s3")
    own, other = f"own-{lab.account}", f"other-{lab.account}"
    for bucket in (own, other):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="k", Body=bucket.encode())
    made = endpoint(
        lab, vpc, "s3", [subnet], SecurityGroupIds=[lab.group(vpc, "tcp 443 10.0.0.0/16")], PrivateDnsEnabled=True,
        DnsOptions={"PrivateDnsOnlyForInboundResolverEndpoint": False},
    )
    id = made["VpcEndpointId"]

    def get(bucket, name="s3.us-east-1.amazonaws.com"):
        # Left alone, the CLI takes the name without a Region, which is not the endpoint's.
        return aws(lab, instance, "s3", "cp", f"s3://{bucket}/k", "-", "--endpoint-url", f"https://{name}")

    same([get(own), get(other)], [own, other])
    # By the endpoint's own name, whose `*` stands for `bucket`.
    same(get(own, made["DnsEntries"][0]["DnsName"].replace("*", "bucket")), own)
    statements = [
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{other}/*"},
    ]
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=id, PolicyDocument=json.dumps({"Statement": statements}))
    same(get(own), own)
    assert "403" in get(other) or "Forbidden" in get(other)
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=id, ResetPolicy=True)
    same(get(other), other)
    # The bucket can ask for the endpoint.
    arns = [f"arn:aws:s3:::{own}/*"]
    for condition, expected in (
        ({"StringNotEquals": {"aws:SourceVpce": id}}, True),
        ({"StringNotEquals": {"aws:SourceVpc": "vpc-0123456789abcdef0"}}, False),
        ({"NotIpAddress": {"aws:VpcSourceIp": "10.0.1.10/32"}}, True),
    ):
        statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": arns, "Condition": condition}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket=own, Policy=json.dumps(policy))
        same(get(own) == own, expected, condition)


def test_firehose_is_behind_an_endpoint_with_a_policy(lab):
    vpc = private(lab)
    subnet = lab.subnet(vpc)
    instance = lab.run(subnet, lab.group(vpc))
    bucket = f"hose-{lab.account}"
    lab.client("s3").create_bucket(Bucket=bucket)
    destination = {
        "RoleARN": f"arn:aws:iam::{lab.account}:role/firehose", "BucketARN": f"arn:aws:s3:::{bucket}",
        "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0},
    }
    firehose = lab.client("firehose")
    for name in ("mine", "other"):
        firehose.create_delivery_stream(DeliveryStreamName=name, S3DestinationConfiguration=destination)
    same(status(lab, instance, "https://firehose.us-east-1.amazonaws.com/"), None, "no way yet")
    made = endpoint(
        lab, vpc, "kinesis-firehose", [subnet], SecurityGroupIds=[lab.group(vpc, "tcp 443 10.0.0.0/16")],
        PrivateDnsEnabled=True,
    )

    def put(name, *more):
        record = json.dumps({"Data": f"to {name}"})
        return aws(lab, instance, "firehose", "put-record", "--delivery-stream-name", name, "--record", record, *more)

    assert json.loads(put("mine"))["RecordId"]
    objects = lambda: lab.client("s3").list_objects_v2(Bucket=bucket).get("Contents", [])
    eventually("the record is in the bucket", lambda: len(objects()) == 1)
    # By the endpoint's own name.
    assert json.loads(put("other", "--endpoint-url", f"https://{made['DnsEntries'][0]['DnsName']}"))["RecordId"]
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "firehose:PutRecord",
        "Resource": f"arn:aws:firehose:us-east-1:{lab.account}:deliverystream/mine",
    }
    lab.ec2.modify_vpc_endpoint(
        VpcEndpointId=made["VpcEndpointId"], PolicyDocument=json.dumps({"Statement": [statement]}),
    )
    assert json.loads(put("mine"))["RecordId"]
    assert "AccessDeniedException" in put("other")
    assert "AccessDeniedException" in aws(lab, instance, "firehose", "list-delivery-streams")
    lab.ec2.modify_vpc_endpoint(VpcEndpointId=made["VpcEndpointId"], ResetPolicy=True)
    same(json.loads(aws(lab, instance, "firehose", "list-delivery-streams"))["DeliveryStreamNames"], ["mine", "other"])
    # What would have this machine send requests is for this machine's users.
    http = {"EndpointConfiguration": {"Url": "http://127.0.0.1:1/"}, "S3Configuration": destination}
    told = aws(
        lab, instance, "firehose", "create-delivery-stream", "--delivery-stream-name", "out",
        "--http-endpoint-destination-configuration", json.dumps(http),
    )
    assert "AccessDeniedException" in told and "not from inside an instance" in told, told


def test_a_peer_reaches_an_endpoint_by_its_own_names(lab):
    vpc, peer = private(lab), lab.vpc("10.1.0.0/16")
    subnet, far = lab.subnet(vpc), lab.subnet(peer, "10.1.1.0/24")
    instance = lab.run(far, lab.group(peer), wait=False)
    id = lab.ec2.create_vpc_peering_connection(VpcId=vpc, PeerVpcId=peer)["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    lab.ec2.accept_vpc_peering_connection(VpcPeeringConnectionId=id)
    for of, block in ((vpc, "10.1.0.0/16"), (peer, "10.0.0.0/16")):
        table = lab.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [of]}])["RouteTables"][0]
        lab.ec2.create_route(
            RouteTableId=table["RouteTableId"], DestinationCidrBlock=block, VpcPeeringConnectionId=id,
        )
    groups = [lab.group(vpc, "tcp 443 10.1.0.0/16")]
    made = endpoint(lab, vpc, "sts", [subnet], SecurityGroupIds=groups, PrivateDnsEnabled=True)
    lab.running(instance)
    name = made["DnsEntries"][0]["DnsName"]
    same(set(resolved(lab, instance, name)), addresses(lab, made))
    caller = aws(lab, instance, "sts", "get-caller-identity", "--endpoint-url", f"https://{name}")
    same(json.loads(caller)["Account"], lab.account)
    # The service's own name is overridden in the endpoint's VPC only.
    same(status(lab, instance, "https://sts.us-east-1.amazonaws.com/"), None)


SERVER = """#!/usr/bin/env python3
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.client_address[0].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
"""


def test_a_service_of_another_account_is_accepted_and_rejected(lab):
    consumer = Lab(lab.daemon, f"7{lab.account[1:]}")
    # Both have the same addresses.
    vpc = lab.vpc()
    subnet = lab.subnet(vpc, AvailabilityZone="us-east-1a")
    server = lab.run(subnet, lab.group(vpc, "tcp 8080 10.0.1.0/24"), "10.0.1.10", SERVER, wait=False)
    elb = lab.client("elbv2")
    balancer = elb.create_load_balancer(Name="shared", Type="network", Scheme="internal", Subnets=[subnet])["LoadBalancers"][0]
    node = balancer["AvailabilityZones"][0]["LoadBalancerAddresses"][0]["PrivateIPv4Address"]
    group = elb.create_target_group(
        Name="shared", Protocol="TCP", Port=8080, VpcId=vpc, HealthCheckIntervalSeconds=5, HealthyThresholdCount=2,
    )["TargetGroups"][0]["TargetGroupArn"]
    lab.running(server)
    elb.register_targets(TargetGroupArn=group, Targets=[{"Id": server}])
    elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="TCP", Port=80,
        DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
    )
    service = lab.ec2.create_vpc_endpoint_service_configuration(
        NetworkLoadBalancerArns=[balancer["LoadBalancerArn"]], AcceptanceRequired=True,
    )["ServiceConfiguration"]

    theirs = private(consumer)
    there = consumer.subnet(theirs, AvailabilityZone="us-east-1a")
    client = consumer.run(there, consumer.group(theirs), "10.0.1.10")
    ask = dict(
        VpcEndpointType="Interface", VpcId=theirs, ServiceName=service["ServiceName"], SubnetIds=[there],
        SecurityGroupIds=[consumer.group(theirs, "tcp 80 10.0.0.0/16")],
    )
    with refused("InvalidServiceName"):
        consumer.ec2.create_vpc_endpoint(**ask)
    lab.ec2.modify_vpc_endpoint_service_permissions(
        ServiceId=service["ServiceId"], AddAllowedPrincipals=[f"arn:aws:iam::{consumer.account}:root"],
    )
    made = consumer.ec2.create_vpc_endpoint(**ask)["VpcEndpoint"]
    same(made["State"], "pendingAcceptance")
    url = f"http://{next(iter(addresses(consumer, made)))}/"
    same(consumer.get(client, url), None, "not accepted yet")
    waiting = lab.ec2.describe_vpc_endpoint_connections()["VpcEndpointConnections"]
    same([one["VpcEndpointState"] for one in waiting], ["pendingAcceptance"])
    choice = dict(ServiceId=service["ServiceId"], VpcEndpointIds=[made["VpcEndpointId"]])
    lab.ec2.accept_vpc_endpoint_connections(**choice)
    made = available(consumer, made["VpcEndpointId"])
    health = lambda: elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"][0]["TargetHealth"]["State"]
    eventually("the target is healthy", lambda: health() == "healthy", 30)
    for name in [entry["DnsName"] for entry in made["DnsEntries"]]:
        same(consumer.get(client, f"http://{name}/"), node, "the target sees the load balancer")
    same(consumer.get(client, f"{url[:-1]}:8080/"), None, "the group lets port 80 in")
    lab.ec2.reject_vpc_endpoint_connections(**choice)
    same(described(consumer, made["VpcEndpointId"])["State"], "rejected")
    same(consumer.get(client, url), None, "rejected")
    consumer.ec2.delete_vpc_endpoints(VpcEndpointIds=[made["VpcEndpointId"]])
    with_gone = lambda: not consumer.ec2.describe_vpc_endpoints()["VpcEndpoints"]
    eventually("the endpoint is gone", with_gone)


if __name__ == "__main__":
    main()
