"""A whole state as one file: exported while it changes, imported, begun with, damaged, forgotten."""

import itertools
import json
import os
import stat
import subprocess
import tempfile
import threading
import time
import urllib.request

import boto3
from weirtest import WEIR, Daemon, Lab, eventually, main, same

ACCOUNT, OTHER = "000000000007", "000000000008"


def test_a_state_goes_into_a_file_and_comes_back(_):
    with tempfile.TemporaryDirectory() as folder:
        file = f"{folder}/network.weir"
        with Daemon(f"{folder}/a") as first:
            lab, elsewhere = Lab(first, ACCOUNT), Lab(first, OTHER, "eu-west-1")
            vpc = lab.vpc()
            subnet, group = lab.subnet(vpc), lab.group(vpc, "icmp 10.0.0.0/16")
            near, far = lab.run(subnet, group, "10.0.1.10"), lab.run(subnet, group, "10.0.1.20")
            peer = elsewhere.vpc("10.9.0.0/16")
            lab.client("s3").create_bucket(Bucket="kept")
            lab.client("s3").put_object(Bucket="kept", Key="a/b", Body=b"here" * 100_000)
            lab.client("logs").create_log_group(logGroupName="kept")
            lab.client("logs").create_log_stream(logGroupName="kept", logStreamName="s")
            lab.client("logs").put_log_events(logGroupName="kept", logStreamName="s",
                                              logEvents=[{"timestamp": int(time.time() * 1000), "message": "a line"}])
            role = lab.client("sts").assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/any", RoleSessionName="session")
            assert lab.ping(near, "10.0.1.20")
            before = described(lab)
            said = lab.weir("export", file).stdout
            assert file in said, said
            same(stat.S_IMODE(os.stat(file).st_mode), 0o600, "it holds keys")
            same([name for name in os.listdir(f"{folder}/a") if name.startswith("export")], [])
            # What comes later is not in it.
            lab.vpc()

        done = run("import", "--state", f"{folder}/b", file)
        same((done.returncode, done.stderr), (0, ""))
        with Daemon(f"{folder}/b") as second:
            lab, elsewhere = Lab(second, ACCOUNT), Lab(second, OTHER, "eu-west-1")
            same(described(lab), before)
            assert peer in [v["VpcId"] for v in elsewhere.ec2.describe_vpcs()["Vpcs"]]
            lab.running(near, far)
            eventually("packets pass again", lambda: lab.ping(near, "10.0.1.20"))
            same(lab.client("s3").get_object(Bucket="kept", Key="a/b")["Body"].read(), b"here" * 100_000)
            events = lab.client("logs").filter_log_events(logGroupName="kept")["events"]
            same([e["message"] for e in events], ["a line"])
            names = [e["EventName"] for e in lab.client("cloudtrail").lookup_events(
                LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": vpc}])["Events"]]
            assert "CreateVpc" in names, names
            # Sessions are as good as before.
            keys = role["Credentials"]
            sts = boto3.client("sts", region_name="us-east-1", endpoint_url=second.endpoint,
                               aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
                               aws_session_token=keys["SessionToken"])
            assert sts.get_caller_identity()["Arn"].endswith(":assumed-role/any/session")

            # A folder in use, and one that is not empty, are left alone.
            for arguments in (["--replace"], []):
                done = run("import", *arguments, "--state", f"{folder}/b", file)
                same(done.returncode, 3)
                assert "in use by another weir daemon" in done.stderr, done.stderr
        done = run("import", "--state", f"{folder}/b", file)
        same(done.returncode, 3)
        assert "--replace" in done.stderr and "already" in done.stderr, done.stderr
        same(run("import", "--replace", "--state", f"{folder}/b", file).returncode, 0)

        # Of a folder that no daemon uses, the same comes out again.
        same(run("export", "--state", f"{folder}/b", f"{folder}/again.weir").returncode, 0)
        with Daemon(None, "--state-from", f"{folder}/again.weir") as third:
            lab = Lab(third, ACCOUNT)
            same(described(lab), before)
        with open(file, "rb") as whole:
            content = whole.read()
        for name, damaged in (("cut", content[: len(content) // 2]),
                              ("changed", content[:-300] + bytes([content[-300] ^ 1]) + content[-299:])):
            with open(f"{folder}/{name}", "wb") as to:
                to.write(damaged)
            for done in (run("import", "--replace", "--state", f"{folder}/b", f"{folder}/{name}"),
                         run("up", "--ephemeral", "--listen", "127.0.0.1:0", "--state-from", f"{folder}/{name}")):
                assert done.returncode not in (0, None), name
                assert "damaged" in done.stderr and "byte " in done.stderr, done.stderr
        with Daemon(f"{folder}/b") as fourth:
            same(described(Lab(fourth, ACCOUNT)), before, "what was refused has changed nothing")


def test_what_is_exported_is_of_one_moment(_):
    """Objects and VPCs that are made one after the other: if one is there, so are those before it."""
    with tempfile.TemporaryDirectory() as folder, Daemon(f"{folder}/a") as daemon:
        lab = Lab(daemon, ACCOUNT)
        s3, vpc = lab.client("s3"), lab.vpc()
        s3.create_bucket(Bucket="moments")
        over = threading.Event()

        def make(number):
            s3.put_object(Bucket="moments", Key="last", Body=f"{number}".encode() * 1000)
            lab.ec2.create_tags(Resources=[vpc], Tags=[{"Key": "last", "Value": str(number)}])

        def work():
            for number in itertools.count(2):
                make(number)
                if over.is_set():
                    break

        make(1)
        worker = threading.Thread(target=work)
        worker.start()
        try:
            for number in range(3):
                lab.weir("export", f"{folder}/{number}")
                time.sleep(0.2)
        finally:
            over.set()
            worker.join()
        for number in range(3):
            with Daemon(None, "--state-from", f"{folder}/{number}") as begun:
                lab = Lab(begun, ACCOUNT)
                body = lab.client("s3").get_object(Bucket="moments", Key="last")["Body"].read()
                tags = lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]
                tag = int(tags[0]["Value"])
                width = len(body) // 1000
                object_number = int(body[:width])
                same(body, f"{object_number}".encode() * 1000)
                assert object_number - tag in (0, 1), (object_number, tag)


def test_reset_forgets_everything_and_goes_on(_):
    with tempfile.TemporaryDirectory() as folder:
        for where in (f"{folder}/a", None):
            with Daemon(where) as daemon:
                lab = Lab(daemon, ACCOUNT)
                vpc = lab.vpc()
                lab.run(lab.subnet(vpc), lab.group(vpc, "icmp 10.0.0.0/16"), "10.0.1.10")
                lab.client("s3").create_bucket(Bucket="gone")
                lab.client("logs").create_log_group(logGroupName="gone")
                before, children = health(daemon), descendants(daemon.process.pid)
                assert len(children) >= 1, "an instance runs"
                refused = lab.weir("reset", check=False)
                same(refused.returncode, 3)
                assert "--yes" in refused.stderr and "1 instances" in refused.stderr, refused.stderr
                same(health(daemon)["started_us"], before["started_us"])

                lab.weir("reset", "--yes")
                after = health(daemon)
                assert after["started_us"] > before["started_us"]
                same(descendants(daemon.process.pid) & children, set(), "its programs have ended")
                lab = Lab(daemon, ACCOUNT)
                assert vpc not in [v["VpcId"] for v in lab.ec2.describe_vpcs()["Vpcs"]]
                same(lab.ec2.describe_instances()["Reservations"], [])
                same(lab.client("s3").list_buckets()["Buckets"], [])
                same(lab.client("logs").describe_log_groups()["logGroups"], [])
                names = {e["EventName"] for e in lab.client("cloudtrail").lookup_events()["Events"]}
                assert "CreateBucket" not in names and "RunInstances" not in names, names
                # It is a daemon like any other, which can be told so again, and ends with status 0.
                vpc = lab.vpc()
                assert lab.run(lab.subnet(vpc), lab.group(vpc, "icmp 10.0.0.0/16"))
                lab.weir("reset", "--yes")
                same(len(Lab(daemon, ACCOUNT).ec2.describe_instances()["Reservations"]), 0)
                same(daemon.end(), 0)
        same(run("reset", "--yes", "--state", f"{folder}/a").returncode, 0)
        same(os.listdir(f"{folder}/a"), ["lock"])


def test_a_daemon_that_began_with_a_file_begins_with_it_again(_):
    with tempfile.TemporaryDirectory() as folder:
        with Daemon() as first:
            vpc = Lab(first, ACCOUNT).vpc()
            Lab(first, ACCOUNT).weir("export", f"{folder}/file")
        with Daemon(None, "--state-from", f"{folder}/file") as second:
            lab = Lab(second, ACCOUNT)
            lab.ec2.delete_vpc(VpcId=vpc)
            lab.weir("reset", "--yes")
            assert vpc in [v["VpcId"] for v in Lab(second, ACCOUNT).ec2.describe_vpcs()["Vpcs"]]


def test_whoever_starts_a_daemon_learns_its_port_and_health(_):
    with tempfile.TemporaryDirectory() as folder:
        with Daemon(None, "--port-file", f"{folder}/port") as daemon:
            with open(f"{folder}/port") as file:
                same(f"http://127.0.0.1:{int(file.read())}", daemon.endpoint)
            before = health(daemon)
            same((before["status"], sorted(before)), ("ok", ["generation", "started_us", "status", "version"]))
            version = subprocess.run([WEIR, "--version"], capture_output=True, text=True).stdout.split()[1]
            same(before["version"], version)
            Lab(daemon, ACCOUNT).vpc()
            assert health(daemon)["generation"] > before["generation"]
        same(os.listdir(folder), ["port"])


def health(daemon):
    with urllib.request.urlopen(f"{daemon.endpoint}/_weir/health", timeout=5) as answer:
        return json.load(answer)


def descendants(pid):
    """The processes below this one."""
    found, parents = set(), [str(pid)]
    while parents:
        try:
            for task in os.listdir(f"/proc/{parents[0]}/task"):
                with open(f"/proc/{parents[0]}/task/{task}/children") as file:
                    children = file.read().split()
                found |= set(children)
                parents += children
        except OSError:
            pass
        parents.pop(0)
    return found


def described(lab):
    ec2 = lab.ec2
    return {
        "vpcs": sorted(v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]),
        "rules": ec2.describe_security_group_rules()["SecurityGroupRules"],
        "interfaces": [
            (i["NetworkInterfaceId"], i["MacAddress"], i["PrivateIpAddresses"])
            for i in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
        "instances": [i["InstanceId"] for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]],
        "buckets": [b["Name"] for b in lab.client("s3").list_buckets()["Buckets"]],
    }


def run(*arguments):
    return subprocess.run([WEIR, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main(daemon="none", parallel=2)
