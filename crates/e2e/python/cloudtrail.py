"""CloudTrail over the wire: who called what, looked up and delivered, through an endpoint and after `kill -9`."""

import datetime
import gzip
import json
import os
import signal
import subprocess
import tempfile

import boto3

from weirtest import Daemon, Lab, aws, main, refused, same


def events(lab, region=None, **attribute):
    """The events that have an attribute, newest first, as CloudTrail writes them."""
    look = [{"AttributeKey": key, "AttributeValue": value} for key, value in attribute.items()]
    pages = lab.client("cloudtrail", region).get_paginator("lookup_events").paginate(LookupAttributes=look)
    return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]


def bucket_for_trails(lab, name, trail="all"):
    s3 = lab.client("s3")
    s3.create_bucket(Bucket=name)
    arn = f"arn:aws:cloudtrail:{lab.region}:{lab.account}:trail/{trail}"
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:GetBucketAcl",
         "Resource": f"arn:aws:s3:::{name}", "Condition": {"StringEquals": {"aws:SourceArn": arn}}},
        {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject",
         "Resource": f"arn:aws:s3:::{name}/AWSLogs/{lab.account}/*",
         "Condition": {"StringEquals": {"aws:SourceArn": arn, "s3:x-amz-acl": "bucket-owner-full-control"}}},
    ]}))
    return s3


def as_caller(lab):
    """The environment of a client of the account."""
    return os.environ | {"AWS_ENDPOINT_URL": lab.daemon.endpoint, "AWS_DEFAULT_REGION": lab.region,
                         "AWS_ACCESS_KEY_ID": lab.account, "AWS_SECRET_ACCESS_KEY": "any"}


def delivered(lab, s3, bucket, prefix=""):
    """Every event of a bucket's files under a prefix, by key."""
    lab.weir("trail", "flush")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [o["Key"] for page in pages for o in page.get("Contents", [])]
    read = lambda key: json.loads(gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()))["Records"]
    return {key: read(key) for key in keys}


def test_flow_logs_tell_the_packets_and_the_trail_tells_who_changed_the_rule(lab):
    """Why this product has both: the record says REJECT, the event says who took the rule away."""
    vpc = lab.vpc()
    group = lab.group(vpc, "tcp 80 10.0.0.0/16", name="web")
    sts = lab.client("sts")
    session = sts.assume_role(RoleArn=f"arn:aws:iam::{lab.account}:role/ops", RoleSessionName="anna")["Credentials"]
    anna = Lab(lab.daemon, lab.account)
    ec2 = boto3.client(
        "ec2", region_name=lab.region, endpoint_url=lab.daemon.endpoint, aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"], aws_session_token=session["SessionToken"],
    )
    answer = ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[{
        "IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}])
    [event] = events(anna, EventName="RevokeSecurityGroupIngress")
    same(event["userIdentity"]["arn"], f"arn:aws:sts::{lab.account}:assumed-role/ops/anna")
    same(event["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"], "ops")
    same(event["requestParameters"], {"groupId": group, "ipPermissions": {"items": [{
        "ipProtocol": "tcp", "fromPort": 80, "toPort": 80, "groups": {},
        "ipRanges": {"items": [{"cidrIp": "10.0.0.0/16"}]}, "ipv6Ranges": {}, "prefixListIds": {}}]}})
    assert event["responseElements"]["_return"] is True, event
    same(event["requestID"], answer["ResponseMetadata"]["RequestId"])
    same((event["sourceIPAddress"], event["readOnly"]), ("127.0.0.1", False))
    # By the resource, every change of its life; by the user, what she did.
    names = [e["eventName"] for e in events(anna, ResourceName=group) if not e["readOnly"]]
    same(names, ["RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress", "CreateSecurityGroup"])
    same([e["eventName"] for e in events(anna, Username="anna")], ["RevokeSecurityGroupIngress"])
    [assumed] = events(anna, EventName="AssumeRole")
    assert session["SecretAccessKey"] not in json.dumps(assumed), assumed
    same(assumed["responseElements"]["credentials"]["accessKeyId"], session["AccessKeyId"])


def test_failures_reads_and_every_service(lab):
    with refused("InvalidVpcID.NotFound"):
        lab.ec2.delete_vpc(VpcId="vpc-0123456789abcdef0")
    [event] = events(lab, EventName="DeleteVpc")
    same((event["errorCode"], event["responseElements"]), ("Client.InvalidVpcID.NotFound", None))
    with refused("DryRunOperation", status=412):
        lab.ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    [event] = events(lab, EventName="CreateVpc")
    same((event["errorCode"], "dryRun" in event["requestParameters"]), ("Client.DryRunOperation", False))
    lab.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])
    [event] = events(lab, EventName="DescribeVpcs")
    same((event["readOnly"], event["responseElements"]), (True, None))
    bucket = f"trailed-{lab.account}"
    lab.client("s3").create_bucket(Bucket=bucket)
    lab.client("s3").put_object(Bucket=bucket, Key="a", Body=b"data is not management")
    lab.client("logs").create_log_group(logGroupName="trailed")
    with refused("ResourceAlreadyExistsException"):
        lab.client("logs").create_log_group(logGroupName="trailed")
    with refused("LoadBalancerNotFound"):
        lab.client("elbv2").describe_load_balancers(Names=["x"])
    [created] = events(lab, ResourceName=bucket)
    same((created["eventName"], created["requestParameters"]["bucketName"]), ("CreateBucket", bucket))
    groups = events(lab, EventName="CreateLogGroup")
    same([e.get("errorCode") for e in groups], ["ResourceAlreadyExistsException", None])
    sources = {e["eventSource"] for e in events(lab)}
    assert {"ec2.amazonaws.com", "s3.amazonaws.com", "logs.amazonaws.com", "elasticloadbalancing.amazonaws.com",
            "cloudtrail.amazonaws.com"} <= sources, sources
    assert "PutObject" not in {e["eventName"] for e in events(lab)}
    # Another account and another Region have their own history.
    same(events(Lab(lab.daemon), EventName="CreateLogGroup"), [])
    same(events(lab, "eu-west-1", EventName="CreateLogGroup"), [])


def test_user_data_and_bad_calls(lab):
    subnet = lab.subnet(lab.vpc())
    lab.run(subnet, user_data="#!/bin/sh\n# a secret\n", wait=False)
    [event] = events(lab, EventName="RunInstances")
    same(event["requestParameters"]["userData"], "<sensitiveDataRemoved>")
    # A wrong signature is nobody's call.
    with refused("SignatureDoesNotMatch", status=403):
        lab.client("ec2", key="ASIAWEIR0000000000AA").describe_vpcs()
    same([e for e in events(lab, AccessKeyId="ASIAWEIR0000000000AA")], [])
    trail = lab.client("cloudtrail")
    with refused("InvalidLookupAttributesException"):
        trail.lookup_events(LookupAttributes=[{"AttributeKey": "ReadOnly", "AttributeValue": "perhaps"}])
    with refused("UnsupportedOperationException"):
        trail.create_trail(Name="topics", S3BucketName="any", SnsTopicName="any")


def test_a_trail_delivers_what_happens_while_it_logs(lab):
    bucket = f"trail-{lab.account}"
    s3 = bucket_for_trails(lab, bucket)
    trail = lab.client("cloudtrail")
    with refused("S3BucketDoesNotExistException"):
        trail.create_trail(Name="all", S3BucketName="nowhere-at-all")
    made = trail.create_trail(Name="all", S3BucketName=bucket, IsMultiRegionTrail=True)
    lab.ec2.create_vpc(CidrBlock="10.1.0.0/16")
    same(delivered(lab, s3, bucket), {}, "a trail that was not started")
    trail.start_logging(Name=made["TrailARN"])
    lab.ec2.create_vpc(CidrBlock="10.2.0.0/16")
    lab.client("ec2", "eu-west-1").create_vpc(CidrBlock="10.3.0.0/16")
    blocks = lambda: sorted(
        (record["awsRegion"], record["requestParameters"]["cidrBlock"])
        for records in delivered(lab, s3, bucket).values() for record in records if record["eventName"] == "CreateVpc"
    )
    same(blocks(), [("eu-west-1", "10.3.0.0/16"), ("us-east-1", "10.2.0.0/16")])
    same(blocks(), [("eu-west-1", "10.3.0.0/16"), ("us-east-1", "10.2.0.0/16")], "each once")
    [key] = [k for k in delivered(lab, s3, bucket) if "/eu-west-1/" in k]
    head, name = key.rsplit("/", 1)
    assert head.startswith(f"AWSLogs/{lab.account}/CloudTrail/eu-west-1/20"), key
    assert name.startswith(f"{lab.account}_CloudTrail_eu-west-1_20") and name.endswith(".json.gz"), key
    status = trail.get_trail_status(Name="all")
    assert status["IsLogging"] and status["LatestDeliveryTime"], status
    trail.stop_logging(Name="all")
    lab.ec2.create_vpc(CidrBlock="10.4.0.0/16")
    assert "10.4.0.0/16" not in json.dumps(list(delivered(lab, s3, bucket).values()))
    same([t["Name"] for t in trail.describe_trails()["trailList"]], ["all"])
    trail.delete_trail(Name="all")
    with refused("TrailNotFoundException"):
        trail.get_trail_status(Name="all")


def test_trailscraper_reads_the_trail(lab):
    """A program that is not ours finds the files, reads them, and writes the policy that allows what they tell of."""
    bucket = f"scraped-{lab.account}"
    bucket_for_trails(lab, bucket)
    trail = lab.client("cloudtrail")
    trail.create_trail(Name="all", S3BucketName=bucket)
    trail.start_logging(Name="all")
    lab.group(lab.vpc(), "tcp 80 10.0.0.0/8")
    lab.ec2.describe_vpcs()
    trail.stop_logging(Name="all")
    with tempfile.TemporaryDirectory() as folder:
        def scrape(*arguments, given=None):
            done = subprocess.run(
                ["trailscraper", *arguments], capture_output=True, text=True, timeout=120, input=given or "",
                env=as_caller(lab) | {"HOME": folder},
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        scrape("download", "--bucket", bucket, "--account-id", lab.account, "--region", lab.region)
        policy = json.loads(scrape("generate", given=scrape("select")))
        actions = [action for statement in policy["Statement"] for action in statement["Action"]]
        for action in ("CreateVpc", "DescribeVpcs", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"):
            assert f"ec2:{action}" in actions, policy
        # The history has the same, and what happened before the trail was started as well.
        found = json.loads(scrape("select", "--use-cloudtrail-api", "--from", "one hour ago"))["Records"]
        assert {"CreateVpc", "CreateTrail"} <= {record["eventName"] for record in found}, found


def test_digests_tell_whether_a_file_was_changed(lab):
    """The aws CLI checks every signature, every file and that none is missing; so it must notice what we do to them."""
    bucket = f"digested-{lab.account}"
    s3 = bucket_for_trails(lab, bucket)
    trail = lab.client("cloudtrail")
    arn = trail.create_trail(Name="all", S3BucketName=bucket, EnableLogFileValidation=True)["TrailARN"]
    trail.start_logging(Name="all")
    for number in (5, 6):
        lab.ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")
        lab.weir("trail", "flush")
    trail.stop_logging(Name="all")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="AWSLogs/")["Contents"]
    files = [o["Key"] for o in listed if "/CloudTrail/" in o["Key"]]
    assert len(files) >= 2 and len([o for o in listed if "/CloudTrail-Digest/" in o["Key"]]) >= 2, listed

    def validate():
        start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)
        done = subprocess.run(
            ["aws", "cloudtrail", "validate-logs", "--trail-arn", arn,
             "--start-time", start.strftime("%Y-%m-%dT%H:%M:%SZ"), "--verbose"],
            capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env=as_caller(lab),
        )
        return done.stdout + done.stderr

    said = validate()
    for key in (o["Key"] for o in listed):
        assert f"s3://{bucket}/{key}\tvalid" in said, (key, said)
    assert "INVALID" not in said, said
    texts = {key: gzip.decompress(s3.get_object(Bucket=bucket, Key=key)["Body"].read()) for key in files}
    changed = next(key for key, text in texts.items() if b"CreateVpc" in text)
    s3.put_object(Bucket=bucket, Key=changed, Body=gzip.compress(texts[changed].replace(b"CreateVpc", b"DeleteVpc")))
    said = validate()
    assert f"Log file\ts3://{bucket}/{changed}\tINVALID: hash value doesn't match" in said, said
    s3.delete_object(Bucket=bucket, Key=changed)
    said = validate()
    assert f"Log file\ts3://{bucket}/{changed}\tINVALID: not found" in said, said


def test_network_activity_is_the_endpoint_owners(lab):
    vpc = lab.vpc()
    subnet = lab.subnet(vpc)
    table = lab.ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"][0]
    bucket = f"network-{lab.account}"
    s3 = bucket_for_trails(lab, bucket)
    trail = lab.client("cloudtrail")
    trail.create_trail(Name="all", S3BucketName=bucket)
    trail.put_event_selectors(TrailName="all", AdvancedEventSelectors=[{"FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["NetworkActivity"]}, {"Field": "eventSource", "Equals": ["s3.amazonaws.com"]}]}])
    trail.start_logging(Name="all")
    endpoint = lab.ec2.create_vpc_endpoint(
        VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", RouteTableIds=[table["RouteTableId"]],
        PolicyDocument=json.dumps({"Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket", "Resource": "*"}]}),
    )["VpcEndpoint"]["VpcEndpointId"]
    instance = lab.run(subnet, address="10.0.1.10")
    same(aws(lab, instance, "s3api", "list-objects-v2", "--bucket", bucket, "--query", "Contents"), "null")
    denied = aws(lab, instance, "s3api", "delete-bucket", "--bucket", bucket)
    assert "AccessDenied" in denied, denied
    # Another test's flush may have come between the two.
    files = delivered(lab, s3, bucket)
    for key in files:
        assert f"/{lab.account}_CloudTrail-NetworkActivity_us-east-1_" in key, key
    records = [record for records in files.values() for record in records]
    seen = {(r["eventName"], r.get("errorCode"), r["sourceIPAddress"], r["vpcEndpointId"]) for r in records}
    same(seen, {("ListObjectsV2", None, "10.0.1.10", endpoint), ("DeleteBucket", "VpceAccessDenied", "10.0.1.10", endpoint)})
    same({(r["eventType"], r["eventCategory"], r["managementEvent"]) for r in records}, {("AwsVpceEvent", "NetworkActivity", False)})
    # The history has the call that is one of management, with the endpoint, and no network activity.
    [event] = [e for e in events(lab, EventName="DeleteBucket")]
    same((event["vpcEndpointId"], event["errorCode"]), (endpoint, "AccessDenied"))


def test_a_change_and_its_event_survive_together(_):
    with tempfile.TemporaryDirectory() as state:
        daemon = Daemon(state)
        lab = Lab(daemon, "000000000001")
        made = [lab.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"] for _ in range(4)]
        daemon.end(signal.SIGKILL)
        with Daemon(state) as daemon:
            lab = Lab(daemon, "000000000001")
            found = [e["responseElements"]["vpc"]["vpcId"] for e in events(lab, EventName="CreateVpc")]
            same(sorted(found), sorted(made))
            existing = [v["VpcId"] for v in lab.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["false"]}])["Vpcs"]]
            same(sorted(existing), sorted(made))


main()
