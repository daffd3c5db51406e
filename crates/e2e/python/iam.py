"""IAM of callers, enforced: users, groups, roles, sessions, and what each of the services says to those who may not."""

import json
import tempfile
import urllib.error
import urllib.request

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from weirtest import Daemon, Lab, main, refused, same

ACCOUNT, OTHER = "111122223333", "444455556666"


class Caller:
    """Somebody with keys."""

    def __init__(self, daemon, key, secret, token=None, region="us-east-1"):
        self.daemon, self.keys, self.region = daemon, (key, secret, token), region

    def __getattr__(self, service):
        key, secret, token = self.keys
        client = boto3.client(
            service, endpoint_url=self.daemon.endpoint, region_name=self.region, aws_access_key_id=key,
            aws_secret_access_key=secret, aws_session_token=token,
            config=Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
        )
        setattr(self, service, client)
        return client


def root(daemon, account=ACCOUNT):
    return Caller(daemon, f"AKIAWEIR{account}", f"weir-local-secret-of-{account}")


def user(daemon, name, *statements, account=ACCOUNT, path="/"):
    """A user with a policy of these statements, and its keys."""
    iam = root(daemon, account).iam
    iam.create_user(UserName=name, Path=path)
    if statements:
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy(*statements))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return Caller(daemon, key["AccessKeyId"], key["SecretAccessKey"])


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return {"Effect": "Allow", "Action": action, "Resource": resource} | more


def deny(action, resource="*", **more):
    return {"Effect": "Deny", "Action": action, "Resource": resource} | more


def arn(kind, ident, account=ACCOUNT):
    return f"arn:aws:ec2:us-east-1:{account}:{kind}/{ident}"


def test_users_keys_and_groups_are_kept_without_being_enforced(_):
    with Daemon() as daemon:
        anna = user(daemon, "anna", path="/ops/")
        who = anna.sts.get_caller_identity()
        same((who["Account"], who["Arn"]), (ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/ops/anna"))
        assert who["UserId"].startswith("AIDA"), who
        same(anna.iam.get_user()["User"]["UserName"], "anna")
        # Without the flag, she may do everything; who does not know her secret is not her.
        vpc = anna.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        key = anna.keys[0]
        with refused("SignatureDoesNotMatch", status=403):
            Caller(daemon, key, "wrong").iam.get_user()
        names = [e["Username"] for e in root(daemon).cloudtrail.lookup_events(
            LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": vpc}])["Events"]]
        same(names, ["anna"])
        iam = root(daemon).iam
        events = root(daemon).cloudtrail.lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "CreateAccessKey"}])["Events"]
        event = json.loads(events[0]["CloudTrailEvent"])
        same(sorted(event["responseElements"]["accessKey"]), ["accessKeyId", "createDate", "status", "userName"])
        # Two keys, and no more; inactive ones are not believed.
        second = anna.iam.create_access_key()["AccessKey"]
        with refused("LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", status=409):
            iam.create_access_key(UserName="anna")
        iam.update_access_key(UserName="anna", AccessKeyId=key, Status="Inactive")
        with refused("InvalidClientTokenId", status=403):
            anna.iam.get_user()
        with refused("AuthFailure", status=401):
            anna.ec2.describe_vpcs()
        with refused("InvalidAccessKeyId", status=403):
            anna.s3.list_buckets()
        anna = Caller(daemon, second["AccessKeyId"], second["SecretAccessKey"])
        anna.ec2.describe_vpcs()
        anna.s3.list_buckets()
        same([k["Status"] for k in iam.list_access_keys(UserName="anna")["AccessKeyMetadata"]].count("Inactive"), 1)

        # Groups.
        iam.create_group(GroupName="ops")
        iam.add_user_to_group(GroupName="ops", UserName="anna")
        iam.put_group_policy(GroupName="ops", PolicyName="p", PolicyDocument=policy(allow("ec2:*")))
        iam.attach_group_policy(GroupName="ops", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        same([u["UserName"] for u in iam.get_group(GroupName="ops")["Users"]], ["anna"])
        same([g["GroupName"] for g in iam.list_groups_for_user(UserName="anna")["Groups"]], ["ops"])
        entities = iam.list_entities_for_policy(PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        same([g["GroupName"] for g in entities["PolicyGroups"]], ["ops"])
        with refused("DeleteConflict", "Cannot delete entity, must remove users from group first.", status=409):
            iam.delete_group(GroupName="ops")
        with refused("DeleteConflict", "Cannot delete entity, must delete access keys first.", status=409):
            iam.delete_user(UserName="anna")
        iam.update_user(UserName="anna", NewUserName="Anne", NewPath="/")
        same(anna.sts.get_caller_identity()["Arn"], f"arn:aws:iam::{ACCOUNT}:user/Anne")
        for k in iam.list_access_keys(UserName="Anne")["AccessKeyMetadata"]:
            iam.delete_access_key(UserName="Anne", AccessKeyId=k["AccessKeyId"])
        iam.remove_user_from_group(GroupName="ops", UserName="Anne")
        iam.delete_user(UserName="Anne")
        iam.detach_group_policy(GroupName="ops", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess")
        iam.delete_group_policy(GroupName="ops", PolicyName="p")
        iam.delete_group(GroupName="ops")
        same((iam.list_users()["Users"], iam.list_groups()["Groups"]), ([], []))


def test_who_is_not_allowed_is_told_so_in_each_services_words(lab):
    anna = user(lab.daemon, "anna")
    me = f"arn:aws:iam::{ACCOUNT}:user/anna"
    no = "because no identity-based policy allows the"
    with refused("UnauthorizedOperation", "You are not authorized to perform this operation. "
                 f"User: {me} is not authorized to perform: ec2:DescribeVpcs {no} ec2:DescribeVpcs action", status=403):
        anna.ec2.describe_vpcs()
    with refused("UnauthorizedOperation", ".*ec2:CreateVpc on resource: " + arn("vpc", r"\*") + ".*", status=403):
        anna.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    with refused("UnauthorizedOperation", status=403):
        anna.ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    with refused("DryRunOperation", status=412):
        root(lab.daemon).ec2.create_vpc(CidrBlock="10.0.0.0/16", DryRun=True)
    with refused("AccessDenied", f"User: {me} is not authorized to perform: iam:ListUsers on resource: "
                 f"arn:aws:iam::{ACCOUNT}:user/ {no} iam:ListUsers action", status=403):
        anna.iam.list_users()
    with refused("AccessDenied", f"User: {me} is not authorized to perform: s3:CreateBucket on resource: "
                 f'"arn:aws:s3:::of-anna" {no} s3:CreateBucket action', status=403):
        anna.s3.create_bucket(Bucket="of-anna")
    with refused("AccessDeniedException", f"User: {me} is not authorized to perform: logs:CreateLogGroup on resource: .*"):
        anna.logs.create_log_group(logGroupName="g")
    with refused("AccessDeniedException", ".*cloudtrail:LookupEvents.*"):
        anna.cloudtrail.lookup_events()
    with refused("AccessDeniedException", ".*firehose:ListDeliveryStreams.*"):
        anna.firehose.list_delivery_streams()
    with refused("AccessDenied", ".*elasticloadbalancing:DescribeLoadBalancers.*", status=403):
        anna.elbv2.describe_load_balancers()
    # Anybody may ask who he is.
    same(anna.sts.get_caller_identity()["Arn"], me)
    # The trail tells who tried.
    events = root(lab.daemon).cloudtrail.lookup_events(
        LookupAttributes=[{"AttributeKey": "Username", "AttributeValue": "anna"}])["Events"]
    records = [json.loads(e["CloudTrailEvent"]) for e in events]
    denied = {(r["eventName"], r.get("errorCode")) for r in records}
    for expected in [("CreateVpc", "Client.UnauthorizedOperation"), ("ListUsers", "AccessDenied"),
                     ("CreateBucket", "AccessDenied"), ("GetCallerIdentity", None)]:
        assert expected in denied, (expected, denied)
    who = records[0]["userIdentity"]
    same((who["type"], who["userName"], who["arn"], who["accountId"]), ("IAMUser", "anna", me, ACCOUNT))


def test_unknown_keys_are_nobodys(lab):
    for key in (ACCOUNT, "AKIAIOSFODNN7EXAMPLE", "any"):
        stranger = Caller(lab.daemon, key, "any")
        with refused("AuthFailure", status=401):
            stranger.ec2.describe_vpcs()
        with refused("InvalidClientTokenId", status=403):
            stranger.sts.get_caller_identity()
        with refused("InvalidAccessKeyId", status=403):
            stranger.s3.list_buckets()
        with refused("UnrecognizedClientException"):
            stranger.logs.describe_log_groups()
    with refused("SignatureDoesNotMatch", status=403):
        Caller(lab.daemon, f"AKIAWEIR{ACCOUNT}", "any").iam.list_users()


def test_actions_resources_and_conditions(lab):
    ec2 = root(lab.daemon).ec2
    mine, other = (ec2.create_vpc(CidrBlock=block)["Vpc"]["VpcId"] for block in ("10.1.0.0/16", "10.2.0.0/16"))
    ec2.create_tags(Resources=[mine], Tags=[{"Key": "team", "Value": "net"}])
    bert = user(
        lab.daemon, "bert",
        allow("ec2:Describe*"),
        allow("ec2:CreateSubnet", [arn("vpc", mine), arn("subnet", "*")]),
        allow("ec2:ModifyVpcAttribute", arn("vpc", "*"), Condition={"StringEquals": {"aws:ResourceTag/team": "net"}}),
        allow("ec2:CreateSecurityGroup", "*", Condition={"ArnEquals": {"ec2:Vpc": arn("vpc", mine)}}),
        allow("ec2:CreateInternetGateway", "*"),
        allow("ec2:CreateTags", arn("internet-gateway", "*"), Condition={
            "StringEquals": {"ec2:CreateAction": "CreateInternetGateway", "aws:RequestTag/team": "net"},
            "ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}),
        allow("ec2:*", Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
        deny("ec2:DeleteVpc", "*", Sid="Keep"),
    )
    same(len(bert.ec2.describe_vpcs(VpcIds=[mine, other])["Vpcs"]), 2)
    subnet = bert.ec2.create_subnet(VpcId=mine, CidrBlock="10.1.1.0/24")["Subnet"]["SubnetId"]
    with refused("UnauthorizedOperation", f".*ec2:CreateSubnet on resource: {arn('vpc', other)} because.*", status=403):
        bert.ec2.create_subnet(VpcId=other, CidrBlock="10.2.1.0/24")
    bert.ec2.modify_vpc_attribute(VpcId=mine, EnableDnsHostnames={"Value": True})
    with refused("UnauthorizedOperation", status=403):
        bert.ec2.modify_vpc_attribute(VpcId=other, EnableDnsHostnames={"Value": True})
    bert.ec2.create_security_group(GroupName="g", Description="g", VpcId=mine)
    with refused("UnauthorizedOperation", status=403):
        bert.ec2.create_security_group(GroupName="g", Description="g", VpcId=other)
    made = lambda *tags: bert.ec2.create_internet_gateway(TagSpecifications=[
        {"ResourceType": "internet-gateway", "Tags": [{"Key": k, "Value": v} for k, v in tags]}])
    bert.ec2.create_internet_gateway()
    gateway = made(("team", "net"))["InternetGateway"]["InternetGatewayId"]
    for tags in ([("team", "db")], [("team", "net"), ("more", "x")], [("more", "x")]):
        with refused("UnauthorizedOperation", ".*ec2:CreateTags on resource.*", status=403):
            made(*tags)
    with refused("UnauthorizedOperation", ".*ec2:CreateTags.*", status=403):
        bert.ec2.create_tags(Resources=[gateway], Tags=[{"Key": "team", "Value": "net"}])
    with refused("UnauthorizedOperation", status=403):
        bert.ec2.delete_subnet(SubnetId=subnet)
    there = Caller(lab.daemon, *bert.keys, region="eu-west-1")
    abroad = there.ec2.create_vpc(CidrBlock="10.3.0.0/16")["Vpc"]["VpcId"]
    # What is denied is denied, whatever allows it.
    with refused("UnauthorizedOperation", ".*ec2:DeleteVpc on resource: .* with an explicit deny in an identity-based policy",
                 status=403):
        there.ec2.delete_vpc(VpcId=abroad)

    # The address of the caller, and groups and managed policies in force as they are now.
    iam = root(lab.daemon).iam
    carl = user(lab.daemon, "carl", allow("ec2:DescribeVpcs", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}),
                allow("ec2:DescribeSubnets", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))
    carl.ec2.describe_vpcs()
    with refused("UnauthorizedOperation", status=403):
        carl.ec2.describe_subnets()
    made = iam.create_policy(PolicyName="see", PolicyDocument=policy(allow("ec2:DescribeSubnets")))["Policy"]["Arn"]
    iam.create_group(GroupName="seers")
    iam.attach_group_policy(GroupName="seers", PolicyArn=made)
    iam.add_user_to_group(GroupName="seers", UserName="carl")
    carl.ec2.describe_subnets()
    iam.create_policy_version(PolicyArn=made, PolicyDocument=policy(deny("ec2:DescribeSubnets")), SetAsDefault=True)
    with refused("UnauthorizedOperation", ".*explicit deny.*", status=403):
        carl.ec2.describe_subnets()
    iam.remove_user_from_group(GroupName="seers", UserName="carl")
    iam.attach_user_policy(UserName="carl", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    carl.ec2.describe_subnets()
    carl.s3.list_buckets()


def test_roles_trust_policies_and_session_policies(lab):
    iam = root(lab.daemon).iam
    me = f"arn:aws:iam::{ACCOUNT}:user/dora"
    trust = lambda principal, **more: policy({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"} | more)
    role = lambda name: f"arn:aws:iam::{ACCOUNT}:role/{name}"

    def create(name, document, *statements):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy(*statements))

    create("account", trust({"AWS": ACCOUNT}), allow("ec2:*"))
    dora = user(lab.daemon, "dora")
    create("named", trust({"AWS": me}), allow(["ec2:DescribeVpcs", "ec2:DescribeSubnets"]))
    create("service", trust({"Service": "ec2.amazonaws.com"}))
    create("partner", trust({"AWS": f"arn:aws:iam::{OTHER}:root"}, Condition={"StringEquals": {"sts:ExternalId": "42"}}),
           allow("ec2:DescribeVpcs"))

    def assumed(caller, name, **more):
        keys = caller.sts.assume_role(RoleArn=role(name), RoleSessionName="session", **more)["Credentials"]
        return Caller(lab.daemon, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])

    # A trust policy that names her is enough; one that names her account leaves it to her own policies.
    named = assumed(dora, "named")
    named.ec2.describe_vpcs()
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/named/session"
    with refused("UnauthorizedOperation", f".*User: {session} is not authorized to perform: ec2:CreateVpc .*", status=403):
        named.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    same(named.sts.get_caller_identity()["UserId"], f'{iam.get_role(RoleName="named")["Role"]["RoleId"]}:session')
    for name in ("account", "service", "partner", "none"):
        with refused("AccessDenied", f"User: {me} is not authorized to perform: sts:AssumeRole on resource: {role(name)}",
                     status=403):
            assumed(dora, name)
    iam.put_user_policy(UserName="dora", PolicyName="own", PolicyDocument=policy(allow("sts:AssumeRole", role("*"))))
    assumed(dora, "account").ec2.create_vpc(CidrBlock="10.0.0.0/16")
    with refused("AccessDenied", status=403):
        assumed(dora, "service")
    with refused("AccessDenied", "Roles may not be assumed by root accounts.", status=403):
        assumed(root(lab.daemon), "account")
    iam.put_user_policy(UserName="dora", PolicyName="not", PolicyDocument=policy(deny("sts:*")))
    with refused("AccessDenied", status=403):
        assumed(dora, "named")
    iam.delete_user_policy(UserName="dora", PolicyName="not")

    # A session policy takes away, and gives nothing.
    less = assumed(dora, "named", Policy=policy(allow("ec2:DescribeVpcs"), allow("s3:*")))
    less.ec2.describe_vpcs()
    with refused("UnauthorizedOperation", ".*because no session policy allows the ec2:DescribeSubnets action", status=403):
        less.ec2.describe_subnets()
    with refused("AccessDenied", ".*because no identity-based policy allows the s3:ListAllMyBuckets action", status=403):
        less.s3.list_buckets()
    with refused("ValidationError", ".*MaxSessionDuration.*"):
        assumed(dora, "named", DurationSeconds=7200)
    # What a role may do is asked at each call.
    iam.delete_role_policy(RoleName="named", PolicyName="own")
    with refused("UnauthorizedOperation", status=403):
        named.ec2.describe_vpcs()

    # From another account, both sides have to allow it, and the external id has to be right.
    erik = user(lab.daemon, "erik", account=OTHER)
    with refused("AccessDenied", status=403):
        assumed(erik, "partner", ExternalId="42")
    root(lab.daemon, OTHER).iam.put_user_policy(
        UserName="erik", PolicyName="p", PolicyDocument=policy(allow("sts:AssumeRole", role("partner"))))
    with refused("AccessDenied", status=403):
        assumed(erik, "partner")
    assumed(erik, "partner", ExternalId="42").ec2.describe_vpcs()


def test_bucket_policies_and_callers_policies_together(lab):
    own, far = root(lab.daemon), root(lab.daemon, OTHER)
    own.s3.create_bucket(Bucket="shared")
    own.s3.put_object(Bucket="shared", Key="k", Body=b"text")
    fred = user(lab.daemon, "fred", allow("s3:ListBucket", "arn:aws:s3:::shared"))
    gina = user(lab.daemon, "gina", account=OTHER)
    get = lambda caller: caller.s3.get_object(Bucket="shared", Key="k")["Body"].read()
    fred.s3.list_objects_v2(Bucket="shared")
    with refused("AccessDenied", '.*s3:GetObject on resource: "arn:aws:s3:::shared/k" because no identity-based policy.*',
                 status=403):
        get(fred)
    principals = {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/fred", OTHER]}
    own.s3.put_bucket_policy(Bucket="shared", Policy=policy(allow("s3:GetObject", "arn:aws:s3:::shared/*", Principal=principals)))
    same(get(fred), b"text", "the bucket's policy names him")
    with refused("AccessDenied", status=403):
        get(gina)
    far.iam.put_user_policy(UserName="gina", PolicyName="p", PolicyDocument=policy(allow("s3:GetObject", "arn:aws:s3:::shared/*")))
    same(get(gina), b"text", "both accounts allow it")
    own.s3.delete_bucket_policy(Bucket="shared")
    with refused("AccessDenied", status=403):
        get(gina)
    # The bucket's policy that names the account alone leaves it to the account.
    own.s3.put_bucket_policy(Bucket="shared", Policy=policy(
        allow("s3:GetObject", "arn:aws:s3:::shared/*", Principal={"AWS": ACCOUNT})))
    with refused("AccessDenied", status=403):
        get(fred)


def test_weirs_own_commands_have_root_keys(lab):
    assert "instances" in lab.weir("status").stdout
    hana = user(lab.daemon, "hana", allow("ec2:*"))
    with refused("UnauthorizedOperation", ".*iam:PassRole.*", status=403):
        vpc = hana.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        hana.ec2.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogGroupName="g",
                                  DeliverLogsPermissionArn=f"arn:aws:iam::{ACCOUNT}:role/logs")


def test_nobody_becomes_another_by_a_name(lab):
    """A user whose path looks like a role, and sessions of a role that is gone, or that was never checked."""
    iam = root(lab.daemon).iam
    trust = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/jack"}, "Action": "sts:AssumeRole"})
    jack = user(lab.daemon, "jack")

    def create():
        iam.create_role(RoleName="boss", AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName="boss", PolicyName="all", PolicyDocument=policy(allow("*")))

    create()
    disguised = user(lab.daemon, "Boss", path="/x:role/")
    with refused("UnauthorizedOperation", status=403):
        disguised.ec2.describe_vpcs()
    keys = jack.sts.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/boss", RoleSessionName="jack")["Credentials"]
    session = Caller(lab.daemon, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
    session.ec2.describe_vpcs()
    iam.delete_role_policy(RoleName="boss", PolicyName="all")
    iam.delete_role(RoleName="boss")
    create()
    with refused("UnauthorizedOperation", status=403):
        session.ec2.describe_vpcs()

    with tempfile.TemporaryDirectory() as state:
        with Daemon(state) as daemon:
            iam = root(daemon).iam
            create()
            keys = boto3.client(
                "sts", endpoint_url=daemon.endpoint, region_name="us-east-1", aws_access_key_id=ACCOUNT,
                aws_secret_access_key="any",
            ).assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/boss", RoleSessionName="anybody")["Credentials"]
        with Daemon(state, "--enforce-iam") as daemon:
            anybody = Caller(daemon, keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])
            with refused("UnauthorizedOperation", status=403):
                anybody.ec2.describe_vpcs()


def test_a_denial_holds_whatever_the_resource_is_called(lab):
    ec2 = root(lab.daemon).ec2
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.1.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    address = ec2.allocate_address(Domain="vpc")
    interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="g", Description="g")["GroupId"]
    other = ec2.create_security_group(VpcId=vpc, GroupName="h", Description="h")["GroupId"]
    rule = ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}])
    rule = rule["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    block = ec2.associate_vpc_cidr_block(VpcId=vpc, CidrBlock="10.10.0.0/16")["CidrBlockAssociation"]["AssociationId"]
    internet = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=internet, VpcId=vpc)
    bound = ec2.associate_address(
        AllocationId=address["AllocationId"], NetworkInterfaceId=interface["NetworkInterfaceId"])["AssociationId"]
    acl = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["NetworkAcls"][0]
    ec2.create_tags(Resources=[address["AllocationId"], group, vpc], Tags=[{"Key": "keep", "Value": "yes"}])
    kept = [arn("route-table", table), arn("network-acl", acl["NetworkAclId"])]
    kate = user(
        lab.daemon, "kate", allow("ec2:*"), deny("ec2:*", kept),
        deny("ec2:*", Condition={"StringEquals": {"aws:ResourceTag/keep": "yes"}}),
    ).ec2
    for call in (
        lambda: kate.disassociate_route_table(AssociationId=association),
        lambda: kate.replace_network_acl_association(
            AssociationId=acl["Associations"][0]["NetworkAclAssociationId"], NetworkAclId="acl-00000000"),
        lambda: kate.disassociate_address(AssociationId=bound),
        lambda: kate.disassociate_address(PublicIp=address["PublicIp"]),
        lambda: kate.disassociate_vpc_cidr_block(AssociationId=block),
        lambda: kate.revoke_security_group_ingress(GroupId=other, SecurityGroupRuleIds=[rule]),
        lambda: kate.delete_security_group(GroupId=group),
    ):
        with refused("UnauthorizedOperation", ".*with an explicit deny.*", status=403):
            call()
    # What a rule or a route points to is no resource of the call.
    lena = user(lab.daemon, "lena", allow(["ec2:AuthorizeSecurityGroupIngress"], arn("security-group", other)),
                allow("ec2:CreateRoute", arn("route-table", table))).ec2
    lena.authorize_security_group_ingress(GroupId=other, IpPermissions=[
        {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}])
    lena.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=internet)
    with refused("UnauthorizedOperation", status=403):
        lena.authorize_security_group_ingress(GroupId=group, IpPermissions=[{"IpProtocol": "-1"}])
    # Names of IAM are found whatever their case: denials, too.
    mona = user(lab.daemon, "mona", allow("iam:*"), deny("iam:*", f"arn:aws:iam::{ACCOUNT}:user/kate"))
    for name in ("kate", "KATE", "Kate"):
        with refused("AccessDenied", ".*explicit deny.*", status=403):
            mona.iam.list_access_keys(UserName=name)
    with refused("AccessDenied", ".*explicit deny.*", status=403):
        mona.iam.update_user(UserName="mona", NewUserName="kate")


def test_exceptions_in_policies_and_keys_that_are_no_longer_good(lab):
    iam = root(lab.daemon).iam
    own = root(lab.daemon)
    own.s3.create_bucket(Bucket="n-one")
    own.s3.create_bucket(Bucket="n-two")
    nora = user(
        lab.daemon, "nora",
        {"Effect": "Allow", "NotAction": ["iam:*", "ec2:Delete*"], "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:*", "NotResource": ["arn:aws:s3:::n-one", "arn:aws:s3:::n-one/*"]},
    )
    vpc = nora.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    with refused("UnauthorizedOperation", status=403):
        nora.ec2.delete_vpc(VpcId=vpc)
    with refused("AccessDenied", status=403):
        nora.iam.list_users()
    nora.s3.put_object(Bucket="n-one", Key="k", Body=b"text")
    for call in (lambda: nora.s3.put_object(Bucket="n-two", Key="k", Body=b""), nora.s3.list_buckets):
        with refused("AccessDenied", status=403):
            call()
    # Copies need to be allowed at both ends; of many keys each is asked for.
    own.s3.put_object(Bucket="n-two", Key="k", Body=b"secret")
    with refused("AccessDenied", status=403):
        nora.s3.copy_object(Bucket="n-one", Key="stolen", CopySource="n-two/k")
    told = user(lab.daemon, "olaf", allow("s3:DeleteObject", "arn:aws:s3:::n-one/mine/*")).s3.delete_objects(
        Bucket="n-one", Delete={"Objects": [{"Key": "mine/1"}, {"Key": "k"}]})
    same(([d["Key"] for d in told["Deleted"]], [(e["Key"], e["Code"]) for e in told["Errors"]]),
         (["mine/1"], [("k", "AccessDenied")]))
    # A presigned URL is worth what its signer may do when it is used; nothing of it is worth anything to others.
    url = nora.s3.generate_presigned_url("get_object", Params={"Bucket": "n-one", "Key": "k"})
    other = nora.s3.generate_presigned_url("get_object", Params={"Bucket": "n-two", "Key": "k"})
    same([page(u) for u in (url, other, url.split("?")[0], url.replace("/k?", "/j?"))], [200, 403, 403, 403])
    iam.update_access_key(UserName="nora", AccessKeyId=nora.keys[0], Status="Inactive")
    with refused("AuthFailure", status=401):
        nora.ec2.describe_vpcs()
    with refused("InvalidAccessKeyId", status=403):
        nora.s3.list_objects_v2(Bucket="n-one")
    same(page(url), 403)
    iam.update_access_key(UserName="nora", AccessKeyId=nora.keys[0], Status="Active")
    same(page(url), 200)
    iam.delete_access_key(UserName="nora", AccessKeyId=nora.keys[0])
    same(page(url), 403)
    with refused("InvalidClientTokenId", status=403):
        nora.sts.get_caller_identity()


def test_who_gives_a_role_away_needs_to_be_allowed_that(lab):
    own = root(lab.daemon)
    trust = policy({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    role = own.iam.create_role(RoleName="pass", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    own.iam.create_instance_profile(InstanceProfileName="profile")
    own.iam.add_role_to_instance_profile(InstanceProfileName="profile", RoleName="pass")
    own.s3.create_bucket(Bucket="of-pass")
    vpc = own.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = own.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    image = own.ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    pete = user(lab.daemon, "pete", allow(["ec2:*", "firehose:*", "s3:*"]))

    run = lambda: pete.ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, DryRun=True,
                                         IamInstanceProfile={"Name": "profile"})
    stream = lambda: pete.firehose.create_delivery_stream(
        DeliveryStreamName="s", ExtendedS3DestinationConfiguration={"RoleARN": role, "BucketARN": "arn:aws:s3:::of-pass"})
    logs = lambda: pete.ec2.create_flow_logs(
        ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3", LogDestination="arn:aws:s3:::of-pass")
    with refused("UnauthorizedOperation", f".*iam:PassRole on resource: {role} .*", status=403):
        run()
    with refused("AccessDeniedException", f".*iam:PassRole on resource: {role} .*"):
        stream()
    with refused("UnauthorizedOperation", ".*logs:CreateLogDelivery.*", status=403):
        logs()
    give = allow("iam:PassRole", role, Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}})
    own.iam.put_user_policy(UserName="pete", PolicyName="more", PolicyDocument=policy(give, allow("logs:CreateLogDelivery")))
    with refused("DryRunOperation", status=412):
        run()
    with refused("AccessDeniedException", ".*iam:PassRole.*"):
        stream()
    logs()


def test_weirs_own_operations_are_asked_about(lab):
    quinn = user(lab.daemon, "quinn", allow("ec2:*"))
    key, secret, _ = quinn.keys
    for operation in ("Status", "Reset", "Export", "Flush", "Trace", "Capture", "Plan"):
        request = AWSRequest("POST", lab.daemon.endpoint + "/", data=b"{}", headers={
            "X-Amz-Target": f"Weir.{operation}", "Content-Type": "application/x-amz-json-1.1"})
        SigV4Auth(Credentials(key, secret), "weir", "us-east-1").add_auth(request)
        sent = urllib.request.Request(lab.daemon.endpoint + "/", b"{}", dict(request.headers))
        try:
            urllib.request.urlopen(sent)
            raise AssertionError(f"{operation} was carried out")
        except urllib.error.HTTPError as error:
            told = error.read().decode()
            assert "AccessDeniedException" in told and f"weir:{operation}" in told, told
    health = json.loads(urllib.request.urlopen(lab.daemon.endpoint + "/_weir/health").read())
    same(sorted(health), ["generation", "started_us", "status", "version"])


def page(url):
    try:
        with urllib.request.urlopen(url) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


class Enforcing(Daemon):
    def __init__(self):
        super().__init__(None, "--enforce-iam", "--quota", "vpcs=50")


if __name__ == "__main__":
    main(daemon=Enforcing)
