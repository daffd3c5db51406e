"""Who may do what: bucket policies and sessions of roles, as AWS's own client meets them over the wire."""

import json
import signal
import tempfile
import urllib.error
import urllib.request

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from weirtest import REGION, Daemon, Lab, demo, main, refused, same

S3 = Config(signature_version="s3v4", retries={"max_attempts": 1}, s3={"addressing_style": "path"})


def statement(bucket, effect="Allow", actions="s3:*", principal="*", keys="*", **more):
    """A statement about a bucket and its keys."""
    resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{keys}"]
    return {"Effect": effect, "Principal": principal, "Action": actions, "Resource": resources, **more}


def put_policy(s3, bucket, *statements):
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))
    return document


def bucket_of(lab, name):
    """A bucket with one object, and the client of its owner."""
    s3 = lab.client("s3")
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="key", Body=b"data")
    return s3


def session(lab, role="reader", account=None, name="tester", **more):
    """Clients of a session of a role, by service."""
    arn = f"arn:aws:iam::{account or lab.account}:role/{role}"
    given = lab.client("sts").assume_role(RoleArn=arn, RoleSessionName=name, **more)["Credentials"]

    def client(service, **changed):
        keys = given | changed
        return boto3.session.Session().client(
            service, region_name=REGION, endpoint_url=lab.daemon.endpoint,
            config=S3 if service == "s3" else None,
            aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

    return client


def test_the_private_bucket_is_closed_from_here(lab):
    s3 = bucket_of(lab, "private-bucket")
    jane = session(lab)("s3")
    only_inside = statement(
        "private-bucket", "Deny", Sid="OnlyInside",
        Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-0123456789abcdef0"}},
    )
    document = put_policy(s3, "private-bucket", only_inside)
    denied = (
        f"User: arn:aws:iam::{lab.account}:root is not authorized to perform: s3:GetObject on resource: "
        '"arn:aws:s3:::private-bucket/key" with an explicit deny in a resource-based policy'
    )
    with refused("AccessDenied", denied, 403):
        s3.get_object(Bucket="private-bucket", Key="key")
    for call in [
        lambda: s3.put_object(Bucket="private-bucket", Key="key", Body=b""),
        lambda: s3.list_objects_v2(Bucket="private-bucket"),
        lambda: s3.delete_bucket(Bucket="private-bucket"),
        lambda: s3.create_multipart_upload(Bucket="private-bucket", Key="key"),
        # Roles are locked out of the policy as well; the root user never is.
        lambda: jane.get_bucket_policy(Bucket="private-bucket"),
        lambda: jane.put_bucket_policy(Bucket="private-bucket", Policy=json.dumps(document)),
        lambda: jane.delete_bucket_policy(Bucket="private-bucket"),
    ]:
        with refused("AccessDenied", status=403):
            call()
    # A client cannot say of itself that it came through the endpoint.
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("aws-sourcevpce", "vpce-0123456789abcdef0"))
    with refused("AccessDenied", denied, 403):
        s3.get_object(Bucket="private-bucket", Key="key")
    same(json.loads(s3.get_bucket_policy(Bucket="private-bucket")["Policy"]), document)
    s3.delete_bucket_policy(Bucket="private-bucket")
    same(s3.get_object(Bucket="private-bucket", Key="key")["Body"].read(), b"data")


def test_other_accounts_and_strangers_may_what_a_policy_allows(lab):
    s3 = bucket_of(lab, "shared-bucket")
    s3.put_object(Bucket="shared-bucket", Key="public/key", Body=b"public")
    other = Lab(lab.daemon)
    theirs = other.client("s3")
    url = f"{lab.daemon.endpoint}/shared-bucket/public/key"
    with refused("AccessDenied", "Access Denied", 403):
        theirs.get_object(Bucket="shared-bucket", Key="key")
    same(status_of(url), 403)
    put_policy(
        s3, "shared-bucket",
        {
            "Effect": "Allow", "Principal": {"AWS": other.account}, "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::shared-bucket/*",
        },
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shared-bucket/public/*"},
        {
            "Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{other.account}:role/outcast"},
            "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shared-bucket/*",
        },
    )
    same(theirs.get_object(Bucket="shared-bucket", Key="key")["Body"].read(), b"data")
    theirs.put_object(Bucket="shared-bucket", Key="theirs", Body=b"1")
    same(s3.get_object(Bucket="shared-bucket", Key="theirs")["Body"].read(), b"1")
    with refused("AccessDenied", "Access Denied", 403):
        theirs.list_objects_v2(Bucket="shared-bucket")
    with refused("MethodNotAllowed", status=405):
        theirs.get_bucket_policy(Bucket="shared-bucket")
    same(session(other)("s3").get_object(Bucket="shared-bucket", Key="key")["Body"].read(), b"data")
    with refused("AccessDenied", status=403):
        session(other, role="outcast")("s3").get_object(Bucket="shared-bucket", Key="key")
    same(status_of(url), 200)
    same(status_of(f"{lab.daemon.endpoint}/shared-bucket/key"), 403)
    stranger = boto3.client("s3", region_name=REGION, endpoint_url=lab.daemon.endpoint, config=S3.merge(Config(signature_version=UNSIGNED)))
    same(stranger.get_object(Bucket="shared-bucket", Key="public/key")["Body"].read(), b"public")
    same(s3.get_bucket_policy_status(Bucket="shared-bucket")["PolicyStatus"]["IsPublic"], True)
    s3.put_public_access_block(
        Bucket="shared-bucket", PublicAccessBlockConfiguration={"RestrictPublicBuckets": True, "BlockPublicPolicy": True},
    )
    same(status_of(url), 403)


def test_conditions_on_what_is_asked_for(lab):
    s3 = bucket_of(lab, "home-bucket")
    other = Lab(lab.daemon)
    put_policy(
        s3, "home-bucket",
        {
            "Effect": "Allow", "Principal": {"AWS": other.account}, "Action": "s3:ListBucket",
            "Resource": "arn:aws:s3:::home-bucket",
            "Condition": {"StringLike": {"s3:prefix": ["home/${aws:userid}/*"]}},
        },
        {
            "Effect": "Allow", "Principal": {"AWS": other.account}, "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::home-bucket/home/${aws:userid}/*",
            "Condition": {"IpAddress": {"aws:SourceIp": ["127.0.0.0/8", "::1"]}, "Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::home-bucket/kept/*",
        },
    )
    theirs = other.client("s3")
    theirs.put_object(Bucket="home-bucket", Key=f"home/{other.account}/a", Body=b"1")
    same(theirs.list_objects_v2(Bucket="home-bucket", Prefix=f"home/{other.account}/")["KeyCount"], 1)
    with refused("AccessDenied", status=403):
        theirs.put_object(Bucket="home-bucket", Key=f"home/{lab.account}/a", Body=b"1")
    with refused("AccessDenied", status=403):
        theirs.list_objects_v2(Bucket="home-bucket", Prefix="home/")
    with refused("AccessDenied", status=403):
        theirs.copy_object(Bucket="home-bucket", Key=f"home/{other.account}/b", CopySource="home-bucket/key")
    s3.put_object(Bucket="home-bucket", Key="kept/a", Body=b"1")
    deleted = s3.delete_objects(Bucket="home-bucket", Delete={"Objects": [{"Key": "kept/a"}, {"Key": "key"}]})
    same([found["Key"] for found in deleted["Deleted"]], ["key"])
    same([(error["Key"], error["Code"]) for error in deleted["Errors"]], [("kept/a", "AccessDenied")])


def test_policies_are_refused_when_they_are_put(lab):
    s3 = bucket_of(lab, "strict-bucket")
    good = statement("strict-bucket", principal={"AWS": lab.account})
    for wrong, message in [
        ({"Effect": "allow"}, "Invalid effect: allow"),
        ({"Principal": {"AWS": "jane"}}, "Invalid principal in policy"),
        ({"Action": "s3:Fetch"}, "Policy has invalid action"),
        ({"Resource": "*"}, "Policy has invalid resource"),
        ({"Action": "s3:ListBucket", "Resource": "arn:aws:s3:::strict-bucket/*"}, r"Action does not apply to any resource\(s\) in statement"),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/99"}}}, "Invalid IP address in Conditions"),
        ({"Condition": {"StringEqual": {"aws:SourceVpce": "x"}}}, "Invalid Condition type : StringEqual"),
        ({"Condition": {"StringEquals": {"s3:vpce": "x"}}}, "Policy has an invalid condition key"),
    ]:
        with refused("MalformedPolicy", message):
            put_policy(s3, "strict-bucket", good | wrong)
    with refused("MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"):
        s3.put_bucket_policy(Bucket="strict-bucket", Policy="policy")
    with refused("NoSuchBucketPolicy", status=404):
        s3.get_bucket_policy(Bucket="strict-bucket")


def test_a_session_is_who_it_says_it_is(lab):
    account = Lab(lab.daemon).account
    client = session(lab, role="path/reader", account=account, DurationSeconds=900)
    who = client("sts").get_caller_identity()
    same(who["Account"], account)
    same(who["Arn"], f"arn:aws:sts::{account}:assumed-role/reader/tester")
    same(who["UserId"].split(":")[1], "tester")
    vpc = client("ec2").create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]
    same(vpc["OwnerId"], account)
    client("s3").create_bucket(Bucket="session-bucket")
    client("s3").put_object(Bucket="session-bucket", Key="key", Body=b"data")
    same(Lab(lab.daemon, account).client("s3").get_object(Bucket="session-bucket", Key="key")["Body"].read(), b"data")
    url = client("s3").generate_presigned_url("get_object", Params={"Bucket": "session-bucket", "Key": "key"})
    same(status_of(url), 200)
    client("logs").create_log_group(logGroupName="of-the-session")
    for service, call, code, status in [
        ("sts", lambda c: c.get_caller_identity(), "SignatureDoesNotMatch", 403),
        ("ec2", lambda c: c.describe_vpcs(), "SignatureDoesNotMatch", 403),
        ("s3", lambda c: c.list_buckets(), "SignatureDoesNotMatch", 403),
        ("logs", lambda c: c.describe_log_groups(), "InvalidSignatureException", 400),
    ]:
        with refused(code, status=status):
            call(client(service, SecretAccessKey="wrong"))
    for service, call, code, status in [
        ("sts", lambda c: c.get_caller_identity(), "InvalidClientTokenId", 403),
        ("ec2", lambda c: c.describe_vpcs(), "AuthFailure", 401),
        ("s3", lambda c: c.list_buckets(), "InvalidToken", 400),
        ("logs", lambda c: c.describe_log_groups(), "UnrecognizedClientException", 400),
    ]:
        with refused(code, status=status):
            call(client(service, SessionToken="wrong"))
    with refused("ValidationError", "arn:aws:iam::1:role/too-short is invalid"):
        lab.client("sts").assume_role(RoleArn="arn:aws:iam::1:role/too-short", RoleSessionName="x1")
    with refused("UnsupportedOperation", "The parameter ExternalId is not supported."):
        session(lab, ExternalId="12345")


def test_flow_logs_go_where_a_policy_lets_them(lab):
    s3 = bucket_of(lab, "collecting-bucket")
    other = Lab(lab.daemon)
    vpc = other.vpc()

    def create(**more):
        return other.ec2.create_flow_logs(
            ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
            LogDestination="arn:aws:s3:::collecting-bucket/logs/", **more,
        )

    hive = {"DestinationOptions": {"FileFormat": "plain-text", "HiveCompatiblePartitions": True}}
    denied = "Access Denied for LogDestination: collecting-bucket. Please check LogDestination permission"
    same([item["Error"]["Message"] for item in create()["Unsuccessful"]], [denied])
    put_policy(s3, "collecting-bucket", {
        "Effect": "Allow", "Principal": {"Service": "delivery.logs.amazonaws.com"}, "Action": "s3:PutObject",
        "Resource": f"arn:aws:s3:::collecting-bucket/logs/AWSLogs/{other.account}/*",
        "Condition": {"StringEquals": {"aws:SourceAccount": other.account, "s3:x-amz-acl": "bucket-owner-full-control"}},
    })
    same([item["Error"]["Message"] for item in create(**hive)["Unsuccessful"]], [denied])
    made = create()
    same((len(made["FlowLogIds"]), made["Unsuccessful"]), (1, []))
    subnet = other.subnet(vpc)
    instance = other.run(subnet)
    other.run(subnet, address="10.0.1.200")
    same(other.ping(instance, "10.0.1.200"), True)
    other.weir("flows", "flush")
    found = s3.list_objects_v2(Bucket="collecting-bucket", Prefix=f"logs/AWSLogs/{other.account}/")
    status = other.ec2.describe_flow_logs(FlowLogIds=made["FlowLogIds"])["FlowLogs"][0]
    same((status["DeliverLogsStatus"], found["KeyCount"] > 0), ("SUCCESS", True), str(status))


def test_policies_and_sessions_outlive_the_daemon(_):
    with tempfile.TemporaryDirectory() as state:
        with Daemon(state) as daemon:
            lab = Lab(daemon)
            s3 = bucket_of(lab, "kept-bucket")
            put_policy(s3, "kept-bucket", {
                "Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{lab.account}:role/reader"},
                "Action": "s3:PutObject", "Resource": "arn:aws:s3:::kept-bucket/*",
            })
            client = session(lab)
            daemon.end(signal.SIGKILL)
        with Daemon(state) as daemon:
            lab.daemon = daemon
            same(client("sts").get_caller_identity()["Account"], lab.account)
            same(client("s3").get_object(Bucket="kept-bucket", Key="key")["Body"].read(), b"data")
            with refused("AccessDenied", status=403):
                client("s3").put_object(Bucket="kept-bucket", Key="key", Body=b"")


def test_the_demo_of_endpoints_finds_everything_as_expected(_):
    get = "get s3://private-data/report"
    demo("endpoints", {
        ("app", get, "time-out"), ("outside", get, "“for our eyes only”"),
        ("app", get, "“for our eyes only”"), ("outside", get, "AccessDenied"), ("app", get, "AccessDenied"),
        ("branch", get, "time-out"), ("branch", get, "AccessDenied"), ("branch", get, "“for our eyes only”"),
        ("you", "set a policy that is none", "InvalidPolicyDocument"), ("branch", "ping the endpoint, 3 times", "0 of 3 replies"),
    }, {
        ("app", "egress", "10.1.1.10", "3.5.0.1", "tcp", "ACCEPT", "7"),
        ("outside", "egress", "10.3.1.10", "3.5.0.1", "tcp", "ACCEPT", "8"),
        ("branch", "egress", "10.2.1.10", "10.2.1.20", "tcp", "ACCEPT", "1"),
        ("endpoint", "ingress", "10.2.1.10", "10.2.1.20", "tcp", "REJECT", "-"),
    })


def status_of(url):
    """The status of a page that is asked for without a signature."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


if __name__ == "__main__":
    main()
