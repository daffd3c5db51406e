"""Flow logs of real packets, read back from S3 and CloudWatch Logs as their users do."""

import gzip
import re
import time

from weirtest import eventually, main, permission, refused, same

DEFAULT = (
    "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
)
WEB = "#!/bin/sh\nmkdir -p /tmp/www && cd /tmp/www && echo hello > index.html\nexec python3 -m http.server 80\n"


class Pair:
    """Two instances in two subnets, whose groups let in pings and port 80."""

    def __init__(self, lab):
        self.lab = lab
        self.vpc = lab.vpc()
        self.a, self.b = lab.subnet(self.vpc), lab.subnet(self.vpc, "10.0.2.0/24")
        self.group = lab.group(self.vpc, "icmp 10.0.0.0/16", "tcp 80 10.0.0.0/16")
        self.x = lab.run(self.a, self.group, "10.0.1.10", wait=False)
        self.y = lab.run(self.b, self.group, "10.0.2.10", WEB, wait=False)
        lab.running(self.x, self.y)
        self.eni_x, self.eni_y = lab.interface(self.x), lab.interface(self.y)

    def ping(self, count=1, address="10.0.2.10"):
        done = self.lab.inside(self.x, "ping", "-q", "-i0.05", f"-c{count}", "-W1", address)
        return done.returncode == 0

    def acl(self, **rules):
        """Gives y's subnet an ACL that allows what it is told to: `ingress=True`, `egress=True`."""
        ec2 = self.lab.ec2
        acl = ec2.create_network_acl(VpcId=self.vpc)["NetworkAcl"]["NetworkAclId"]
        for egress in (False, True):
            if rules.get("egress" if egress else "ingress"):
                ec2.create_network_acl_entry(
                    NetworkAclId=acl, RuleNumber=100, Protocol="-1", RuleAction="allow",
                    CidrBlock="0.0.0.0/0", Egress=egress,
                )
        acls = ec2.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": [self.b]}])
        old = next(a for a in acls["NetworkAcls"][0]["Associations"] if a["SubnetId"] == self.b)
        ec2.replace_network_acl_association(
            AssociationId=old["NetworkAclAssociationId"], NetworkAclId=acl,
        )


def bucket(lab, name="logs"):
    name = f"{name}-{lab.account}"
    lab.client("s3").create_bucket(Bucket=name)
    return name


def create(lab, resource, traffic="ALL", **more):
    """Creates one flow log; answers its id."""
    kind = {"vpc": "VPC", "subnet": "Subnet", "eni": "NetworkInterface"}[resource.split("-")[0]]
    if "bucket" in more:
        more |= {"LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{more.pop('bucket')}"}
    if "group" in more:
        more |= {"LogGroupName": more.pop("group"), "DeliverLogsPermissionArn": f"arn:aws:iam::{lab.account}:role/logs"}
    made = lab.ec2.create_flow_logs(ResourceIds=[resource], ResourceType=kind, TrafficType=traffic, **more)
    same(made["Unsuccessful"], [])
    return made["FlowLogIds"][0]


def described(lab, flow_log):
    return lab.ec2.describe_flow_logs(FlowLogIds=[flow_log])["FlowLogs"][0]


def flush(lab):
    """Closes the windows and waits for their delivery. That may fail, if the test wants it to."""
    assert lab.weir("flows", "flush", check=False).returncode in (0, 1)


def objects(lab, name, prefix=""):
    pages = lab.client("s3").get_paginator("list_objects_v2").paginate(Bucket=name, Prefix=prefix)
    return [one["Key"] for page in pages for one in page.get("Contents", [])]


def lines(lab, name, flow_log=None):
    """The records in a bucket, as dictionaries by the names in the header."""
    found = []
    for key in objects(lab, name):
        if flow_log and flow_log not in key:
            continue
        body = lab.client("s3").get_object(Bucket=name, Key=key)["Body"].read()
        header, *records = gzip.decompress(body).decode().splitlines()
        found += [dict(zip(header.split(), record.split(), strict=True)) for record in records]
    return found


def short(records, eni_names):
    """`x > y 1 ACCEPT 3`: recorder, source, destination, protocol, action, packets; sums over windows."""
    sums = {}
    for one in records:
        key = (eni_names.get(one["interface-id"], "?"), one["srcaddr"], one["dstaddr"], one["protocol"], one["action"])
        sums[key] = sums.get(key, 0) + int(one["packets"])
    return sorted(" ".join([*key, str(packets)]) for key, packets in sums.items())


def test_who_records_what_by_who_refuses(lab):
    pair = Pair(lab)
    name = bucket(lab)
    names = {pair.eni_x: "x", pair.eni_y: "y"}
    x, y = "10.0.1.10", "10.0.2.10"

    def records_of(act):
        flow_log = create(lab, pair.vpc, bucket=name)
        act()
        flush(lab)
        lab.ec2.delete_flow_logs(FlowLogIds=[flow_log])
        return short([r for r in lines(lab, name, flow_log) if r["protocol"] == "1"], names)

    same(records_of(lambda: same(pair.ping(3), True)), [
        f"x {x} {y} 1 ACCEPT 3", f"x {y} {x} 1 ACCEPT 3", f"y {x} {y} 1 ACCEPT 3", f"y {y} {x} 1 ACCEPT 3",
    ], "refused by nobody")
    pair.acl(ingress=True)
    same(records_of(lambda: same(pair.ping(3), False)), [
        f"x {x} {y} 1 ACCEPT 3", f"y {x} {y} 1 ACCEPT 3", f"y {y} {x} 1 REJECT 3",
    ], "the answer refused by the ACL")
    pair.acl(egress=True)
    same(records_of(lambda: same(pair.ping(3), False)), [
        f"x {x} {y} 1 ACCEPT 3", f"y {x} {y} 1 REJECT 3",
    ], "refused by the receiver's ACL")
    pair.acl(ingress=True, egress=True)
    lab.ec2.revoke_security_group_ingress(GroupId=pair.group, IpPermissions=[permission("icmp 10.0.0.0/16")])
    same(records_of(lambda: same(pair.ping(3), False)), [
        f"x {x} {y} 1 ACCEPT 3", f"y {x} {y} 1 REJECT 3",
    ], "refused by the receiver's group")
    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    lab.ec2.revoke_security_group_egress(GroupId=pair.group, IpPermissions=everything)
    same(records_of(lambda: same(pair.ping(3), False)), [f"x {x} {y} 1 REJECT 3"], "refused by the sender's group")


def test_files_have_awss_keys_and_form(lab):
    pair = Pair(lab)
    name = bucket(lab)
    plain = create(lab, pair.eni_y, bucket=name)
    hive = create(
        lab, pair.eni_y, bucket=f"{name}/some/where/",
        DestinationOptions={"FileFormat": "plain-text", "HiveCompatiblePartitions": True, "PerHourPartition": True},
        LogFormat="${interface-id} ${flow-direction} ${tcp-flags} ${vpc-id} ${subnet-id} ${instance-id} ${type} "
        "${pkt-srcaddr} ${pkt-dstaddr} ${region} ${az-id} ${traffic-path} ${dstport} ${version}",
        MaxAggregationInterval=60,
    )
    lab.get(pair.x, "http://10.0.2.10/")
    same(pair.ping(2), True)
    flush(lab)
    account, region = lab.account, "us-east-1"
    day = time.strftime("%Y/%m/%d", time.gmtime())
    file = rf"{account}_vpcflowlogs_{region}_(fl-[0-9a-f]{{17}})_(\d{{8}}T\d{{2}}[0-5][05]Z)_[0-9a-f]{{8}}\.log\.gz"
    keys = objects(lab, name)
    same(len(keys), 2, keys)
    for key in keys:
        if plain in key:
            assert re.fullmatch(rf"AWSLogs/{account}/vpcflowlogs/{region}/{day}/{file}", key), key
        else:
            y, m, d = day.split("/")
            folders = (
                rf"some/where/AWSLogs/aws-account-id={account}/aws-service=vpcflowlogs/aws-region={region}/"
                rf"year={y}/month={m}/day={d}/hour=\d\d/"
            )
            assert re.fullmatch(folders + file, key) and hive in key, key
    body = lab.client("s3").get_object(Bucket=name, Key=next(k for k in keys if plain in k))["Body"].read()
    same(body[:2], b"\x1f\x8b", "gzip")
    text = gzip.decompress(body).decode()
    same(text.splitlines()[0], DEFAULT)
    assert text.endswith("\n")
    records = lines(lab, name, plain)
    ping = next(r for r in records if r["protocol"] == "1" and r["dstaddr"] == "10.0.2.10")
    same({k: ping[k] for k in ("version", "account-id", "interface-id", "srcaddr", "srcport", "dstport", "packets",
                               "bytes", "action", "log-status")},
         {"version": "2", "account-id": account, "interface-id": pair.eni_y, "srcaddr": "10.0.1.10", "srcport": "0",
          "dstport": "0", "packets": "2", "bytes": "168", "action": "ACCEPT", "log-status": "OK"})
    assert abs(int(ping["end"]) - time.time()) < 60 and int(ping["start"]) <= int(ping["end"]), ping
    web = next(r for r in lines(lab, name, hive) if r["dstport"] == "80")
    zone = lab.ec2.describe_subnets(SubnetIds=[pair.b])["Subnets"][0]["AvailabilityZoneId"]
    same(web, {
        "interface-id": pair.eni_y, "flow-direction": "ingress", "tcp-flags": "3", "vpc-id": pair.vpc,
        "subnet-id": pair.b, "instance-id": pair.y, "type": "IPv4", "pkt-srcaddr": "10.0.1.10",
        "pkt-dstaddr": "10.0.2.10", "region": region, "az-id": zone, "traffic-path": "-", "dstport": "80",
        "version": "5",
    })
    shown = described(lab, hive)
    same(shown["DestinationOptions"],
         {"FileFormat": "plain-text", "HiveCompatiblePartitions": True, "PerHourPartition": True})
    same((shown["MaxAggregationInterval"], described(lab, plain)["MaxAggregationInterval"]), (60, 600))
    same((shown["FlowLogStatus"], shown["DeliverLogsStatus"]), ("ACTIVE", "SUCCESS"))


def test_three_levels_and_three_traffic_types(lab):
    pair = Pair(lab)
    name = bucket(lab)
    levels = {
        (level, traffic): create(lab, resource, traffic, bucket=name)
        for level, resource in (("vpc", pair.vpc), ("subnet", pair.b), ("eni", pair.eni_x))
        for traffic in ("ACCEPT", "REJECT", "ALL")
    }
    same(pair.ping(), True)
    same(lab.get(pair.x, "http://10.0.2.10:81/"), None)
    flush(lab)
    recorders = {"vpc": {pair.eni_x, pair.eni_y}, "subnet": {pair.eni_y}, "eni": {pair.eni_x}}
    for (level, traffic), flow_log in levels.items():
        records = lines(lab, name, flow_log)
        actions = {r["action"] for r in records}
        # The refused connection left x and was refused at y.
        expected = {"ACCEPT": {"ACCEPT"}, "REJECT": {"REJECT"}, "ALL": {"ACCEPT", "REJECT"}}[traffic]
        if level == "eni":
            expected = expected - {"REJECT"}
        same(actions, expected, (level, traffic))
        who = {r["interface-id"] for r in records}
        assert who <= recorders[level] and (traffic == "REJECT" or who == recorders[level]), (level, traffic, who)
    refusal = lines(lab, name, levels["vpc", "REJECT"])
    same({(r["interface-id"], r["dstport"], r["protocol"]) for r in refusal}, {(pair.eni_y, "81", "6")})
    # An interface that comes later is covered by the subnet's and the VPC's.
    late = lab.run(pair.b, pair.group, "10.0.2.50")
    same(pair.ping(address="10.0.2.50"), True)
    flush(lab)
    eni = lab.interface(late)
    for level, seen in (("vpc", True), ("subnet", True), ("eni", False)):
        who = {r["interface-id"] for r in lines(lab, name, levels[level, "ALL"])}
        same(eni in who, seen, level)


def test_cloudwatch_logs(lab):
    pair = Pair(lab)
    logs = lab.client("logs")
    group = "vpc/flow-logs"
    flow_log = create(lab, pair.vpc, group=group)
    same(logs.describe_log_groups()["logGroups"], [], "made with the first records")
    same(pair.ping(2), True)
    flush(lab)
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    same(sorted(s["logStreamName"] for s in streams), sorted([f"{pair.eni_x}-all", f"{pair.eni_y}-all"]))
    events = logs.get_log_events(logGroupName=group, logStreamName=f"{pair.eni_y}-all", startFromHead=True)["events"]
    records = [dict(zip(DEFAULT.split(), e["message"].split(), strict=True)) for e in events]
    assert records and all(r["interface-id"] == pair.eni_y for r in records), events
    for event, record in zip(events, records, strict=True):
        same(event["timestamp"] // 1000, int(record["start"]), "the event's time is the record's start")
    # As `aws logs tail` reads.
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, interleaved=True, startTime=0)
    same(len([e for page in pages for e in page["events"]]), 4)
    found = logs.filter_log_events(
        logGroupName=group, filterPattern="[v, account, eni, src = 10.0.2.10, ...]", logStreamNamePrefix=pair.eni_y,
    )["events"]
    same([e["message"].split()[3] for e in found], ["10.0.2.10"])
    shown = described(lab, flow_log)
    same((shown["LogDestinationType"], shown["LogGroupName"]), ("cloud-watch-logs", group))
    assert "LogDestination" not in shown and "DestinationOptions" not in shown, shown

    # A group that is deleted loses nothing that comes after.
    logs.delete_log_group(logGroupName=group)
    same(pair.ping(), True)
    flush(lab)
    status = described(lab, flow_log)["DeliverLogsStatus"]
    if status == "FAILED":
        logs.create_log_group(logGroupName=group)

    def arrived():
        flush(lab)
        return len(logs.filter_log_events(logGroupName=group)["events"]) == 4

    eventually("the records after the deletion arrive", arrived)
    same(described(lab, flow_log)["DeliverLogsStatus"], "SUCCESS")


def test_a_missing_bucket_shows_and_loses_nothing(lab):
    pair = Pair(lab)
    name = bucket(lab)
    flow_log = create(lab, pair.eni_y, bucket=name)
    same(pair.ping(1), True)
    flush(lab)
    same(described(lab, flow_log)["DeliverLogsStatus"], "SUCCESS")
    s3 = lab.client("s3")
    for key in objects(lab, name):
        s3.delete_object(Bucket=name, Key=key)
    s3.delete_bucket(Bucket=name)
    for count in (2, 3):
        same(pair.ping(count), True)
        flush(lab)
    shown = eventually(
        "the failure shows", lambda: (d := described(lab, flow_log))["DeliverLogsStatus"] == "FAILED" and d
    )
    same(shown["DeliverLogsErrorMessage"], "Access error")
    same(shown["FlowLogStatus"], "ACTIVE")
    failed = [{"Name": "deliver-log-status", "Values": ["FAILED"]}]
    same([f["FlowLogId"] for f in lab.ec2.describe_flow_logs(Filter=failed)["FlowLogs"]], [flow_log])
    status = lab.weir("flows", "status", check=False)
    same(status.returncode, 1, "for scripts: some delivery fails")
    assert flow_log in status.stdout and "NoSuchBucket" in status.stdout, status.stdout
    s3.create_bucket(Bucket=name)

    def packets():
        flush(lab)
        return sum(int(r["packets"]) for r in lines(lab, name) if r["dstaddr"] == "10.0.2.10")

    eventually("what waited arrives", lambda: packets() >= 5)
    same(packets(), 5, "nothing is lost, and nothing comes twice")
    eventually("it is well again", lambda: described(lab, flow_log)["DeliverLogsStatus"] == "SUCCESS")
    assert "DeliverLogsErrorMessage" not in described(lab, flow_log)


def test_what_is_never_logged(lab):
    pair = Pair(lab)
    name = bucket(lab)
    create(lab, pair.vpc, bucket=name)
    # The resolver, the router, metadata and time: asked, and not in the log.
    lab.inside(pair.x, "ping", "-c1", "-W1", "10.0.1.1")
    lab.inside(pair.x, "python3", "-c", RESOLVE)
    for address in ("169.254.169.254", "169.254.169.253", "169.254.169.123"):
        lab.inside(pair.x, "ping", "-c1", "-W1", address)
    same(pair.ping(), True)
    flush(lab)
    addresses = {a for r in lines(lab, name) for a in (r["srcaddr"], r["dstaddr"])}
    same(addresses, {"10.0.1.10", "10.0.2.10"})


RESOLVE = """
import socket
query = bytes.fromhex("123401000001000000000000") + b"\\x04none\\x07example\\x03com\\0\\0\\x01\\0\\x01"
for server in ("10.0.0.2", "169.254.169.253"):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.sendto(query, (server, 53))
    try:
        s.recv(512)
    except TimeoutError:
        pass
"""


def test_records_follow_the_life_of_a_flow_log(lab):
    pair = Pair(lab)
    name = bucket(lab)
    same(pair.ping(), True)
    flow_log = create(lab, pair.eni_y, bucket=name)
    flush(lab)
    same(lines(lab, name), [], "traffic before is not the flow log's")
    same(pair.ping(2), True)
    same(lab.ec2.delete_flow_logs(FlowLogIds=[flow_log])["Unsuccessful"], [])
    same(pair.ping(4), True)
    flush(lab)
    received = [r for r in lines(lab, name) if r["dstaddr"] == "10.0.2.10"]
    same(sum(int(r["packets"]) for r in received), 2, "nor is traffic after; what was between is delivered")
    same(lab.ec2.describe_flow_logs()["FlowLogs"], [])


def test_refusals(lab):
    ec2 = lab.ec2
    vpc = lab.vpc()
    name = bucket(lab)
    s3 = dict(
        ResourceIds=[vpc], ResourceType="VPC", TrafficType="ALL", LogDestinationType="s3",
        LogDestination=f"arn:aws:s3:::{name}",
    )
    with refused("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412):
        ec2.create_flow_logs(**s3, DryRun=True)
    missing = ec2.create_flow_logs(**(s3 | {"LogDestination": "arn:aws:s3:::not-there-at-all"}))
    same(missing["FlowLogIds"], [])
    same(missing["Unsuccessful"][0]["ResourceId"], vpc)
    same(missing["Unsuccessful"][0]["Error"]["Message"], "LogDestination: not-there-at-all does not exist.")
    first = ec2.create_flow_logs(**s3, ClientToken="once")
    same(ec2.create_flow_logs(**s3, ClientToken="once")["FlowLogIds"], first["FlowLogIds"])
    with refused("IdempotentParameterMismatch"):
        ec2.create_flow_logs(**(s3 | {"TrafficType": "REJECT"}), ClientToken="once")
    already = "Error. There is an existing Flow Log with the same configuration and log destination."
    with refused("FlowLogAlreadyExists", re.escape(already)):
        ec2.create_flow_logs(**s3)
    with refused("InvalidParameter"):
        ec2.create_flow_logs(**(s3 | {"TrafficType": "REJECT"}), LogFormat="${no-such-field}")
    with refused("InvalidParameter"):
        ec2.create_flow_logs(**(s3 | {"TrafficType": "REJECT"}), DeliverLogsPermissionArn="arn:aws:iam::1:role/x")
    with refused("InvalidParameter"):
        ec2.create_flow_logs(**(s3 | {"TrafficType": "REJECT"}), MaxAggregationInterval=61)
    with refused(
        "InvalidFlowLogId.NotFound",
        r"These flow log ids in the input list are not found: \[TotalCount: 1\] fl-0{17}",
    ):
        ec2.delete_flow_logs(FlowLogIds=["fl-00000000000000000"])
    same([f["FlowLogId"] for f in ec2.describe_flow_logs()["FlowLogs"]], first["FlowLogIds"])


if __name__ == "__main__":
    # One flush closes every window of a daemon.
    main(daemon="own")
