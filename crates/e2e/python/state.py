"""What was acknowledged outlives the daemon, however it ends; a daemon cleans up behind one that could not."""

import os
import re
import signal
import socket
import subprocess
import tempfile

from weirtest import WEIR, Daemon, Lab, eventually, main, same

ACCOUNT = "000000000007"


def test_what_was_acknowledged_is_there_after_kill_9(_):
    with tempfile.TemporaryDirectory() as state:
        first = Daemon(state)
        lab = Lab(first, ACCOUNT)
        vpc = lab.vpc()
        # A block that no other test on this machine uses.
        net = f"10.0.{os.getpid() % 200 + 50}"
        near, far = f"{net}.98", f"{net}.99"
        subnet, group = lab.subnet(vpc, f"{net}.0/24"), lab.group(vpc, "icmp 10.0.0.0/16", "tcp 80 10.0.0.0/16")
        x = lab.run(subnet, group, near)
        y = lab.run(subnet, group, far, user_data="#!/bin/sh\npython3 -m http.server 80\n")
        stopped = lab.run(subnet, group, wait=False)
        lab.running(stopped)
        lab.ec2.stop_instances(InstanceIds=[stopped])
        lab.wait("instance_stopped", InstanceIds=[stopped])
        lab.weir("internet", "add", "203.0.113.20")
        lab.client("s3").create_bucket(Bucket="kept")
        lab.client("s3").put_object(Bucket="kept", Key="a/b", Body=b"here")
        lab.client("logs").create_log_group(logGroupName="kept")
        assert lab.ping(x, far)
        inside = processes_with(far, near)
        assert len(inside) >= 2, "the sandboxes can be seen from outside"

        # One call after the other until the daemon is gone; what was answered must be there.
        tags = 0
        for number in range(30):
            lab.ec2.create_tags(Resources=[vpc], Tags=[{"Key": f"k{number}", "Value": "v"}])
            tags += 1
        before = described(lab)
        same(first.end(signal.SIGKILL), -signal.SIGKILL)

        with Daemon(state) as second:
            lab = Lab(second, ACCOUNT)
            same(described(lab), before, "the same resources as before")
            same(len(lab.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [vpc]}])["Tags"]), tags)
            lab.running(x, y)
            same(lab.instance(x)["PrivateIpAddress"], near)
            eventually("running instances run again", lambda: lab.ping(x, far))
            eventually("and run their user data, of which nothing was left",
                       lambda: lab.inside(x, "curl", "-sm", "1", f"http://{far}/").returncode == 0)
            same(lab.instance(stopped)["State"]["Name"], "stopped")
            eventually("the old sandboxes are gone", lambda: not inside & processes_with(far, near))
            assert "203.0.113.20" in lab.weir("internet", "list").stdout
            same(lab.client("s3").get_object(Bucket="kept", Key="a/b")["Body"].read(), b"here")
            same(len(lab.client("logs").describe_log_groups(logGroupNamePrefix="kept")["logGroups"]), 1)
            lab.ec2.start_instances(InstanceIds=[stopped])
            lab.running(stopped)
            inside = processes_with(far, near)
        eventually("nothing is left of a daemon that was told to end", lambda: not processes_with(far, near))

        with Daemon(state) as third:
            lab = Lab(third, ACCOUNT)
            lab.running(x, y, stopped)
            eventually("instances run after an ordinary end, too", lambda: lab.ping(x, far))


def described(lab):
    """Everything that has an id, with its state and tags."""
    ec2 = lab.ec2
    instances = [i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"]]
    return {
        "vpcs": ec2.describe_vpcs()["Vpcs"],
        "subnets": ec2.describe_subnets()["Subnets"],
        "groups": ec2.describe_security_groups()["SecurityGroups"],
        "rules": ec2.describe_security_group_rules()["SecurityGroupRules"],
        "tables": ec2.describe_route_tables()["RouteTables"],
        "acls": ec2.describe_network_acls()["NetworkAcls"],
        "interfaces": [
            (i["NetworkInterfaceId"], i["MacAddress"], i["PrivateIpAddresses"])
            for i in ec2.describe_network_interfaces()["NetworkInterfaces"]
        ],
        "instances": sorted((i["InstanceId"], i.get("PrivateIpAddress")) for i in instances),
    }


def processes_with(*addresses):
    """The processes of this machine whose network namespace has one of these addresses, each with its start time:
    numbers of processes and of namespaces are used again."""
    found = set()
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/net/fib_trie") as file:
                text = file.read()
            if any(re.search(rf"\|-- {re.escape(address)}\n\s+/32 host LOCAL", text) for address in addresses):
                with open(f"/proc/{process}/stat") as file:
                    found.add((process, file.read().rsplit(")", 1)[1].split()[19]))
        except OSError:
            pass
    return found


def test_only_one_daemon_has_a_state(_):
    with tempfile.TemporaryDirectory() as state, Daemon(state) as daemon:
        done = up("--state", state, "--listen", "127.0.0.1:0")
        assert done.returncode not in (0, None)
        assert "in use by another weir daemon" in done.stderr, done.stderr
        assert str(daemon.process.pid) in done.stderr, done.stderr
        assert state in done.stderr, done.stderr
        Lab(daemon).ec2.describe_vpcs()


def test_a_port_in_use_is_named(_):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = up("--ephemeral", "--listen", address)
    assert done.returncode not in (0, None)
    assert address in done.stderr and "in use" in done.stderr.lower(), done.stderr
    same(done.stdout, "")


def test_only_loopback_is_listened_on(_):
    done = up("--ephemeral", "--listen", "0.0.0.0:0")
    assert done.returncode not in (0, None)
    assert "loopback" in done.stderr, done.stderr


def test_an_ephemeral_daemon_leaves_nothing(_):
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"], before = folder, os.environ.get("TMPDIR")
        try:
            daemon = Daemon()
        finally:
            os.environ.pop("TMPDIR")
            if before:
                os.environ["TMPDIR"] = before
        same(len(os.listdir(folder)), 1)
        same(daemon.end(), 0)
        same(os.listdir(folder), [])


def up(*arguments):
    return subprocess.run([WEIR, "up", *arguments], capture_output=True, text=True, timeout=20)


if __name__ == "__main__":
    main(daemon="none", parallel=1)
