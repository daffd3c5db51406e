"""The README's transcript with the real aws CLI, in a shell, as a person types it."""

import gzip
import os
import pathlib
import re
import shlex
import subprocess
import tempfile
import threading

from weirtest import WEIR, Daemon, eventually, main, same


class Shell:
    """Commands in one folder, with the environment that `weir env` gives."""

    def __init__(self, daemon, folder):
        self.folder = folder
        self.environment = os.environ | {"AWS_PAGER": "", "HOME": folder}
        # A machine's own profile must not matter.
        for name in [n for n in self.environment if n.startswith("AWS_") and n != "AWS_PAGER"]:
            del self.environment[name]
        self.environment["PATH"] = f"{os.path.dirname(os.path.abspath(WEIR))}:{self.environment['PATH']}"
        self.environment["WEIR_ENDPOINT"] = daemon.endpoint

    def run(self, line, check=True, timeout=60):
        """Runs a line as bash does, after `eval "$(weir env)"`."""
        done = subprocess.run(
            ["bash", "-c", f'eval "$(weir env)"; {line}'],
            capture_output=True, text=True, cwd=self.folder, env=self.environment, timeout=timeout,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{line}\n{done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def id(self, line, query):
        return self.run(f"{line} --query {shlex.quote(query)} --output text")


def test_the_transcript(_):
    with tempfile.TemporaryDirectory() as folder, Daemon() as daemon:
        os.chmod(folder, 0o755)
        sh = Shell(daemon, folder)
        vpc = sh.id("aws ec2 create-vpc --cidr-block 10.0.0.0/16", "Vpc.VpcId")
        # The other calls do not wait for each other: the CLI takes its time to start.
        found = together(
            subnet=lambda: sh.id(f"aws ec2 create-subnet --vpc-id {vpc} --cidr-block 10.0.1.0/24", "Subnet.SubnetId"),
            other=lambda: sh.id(f"aws ec2 create-subnet --vpc-id {vpc} --cidr-block 10.0.2.0/24", "Subnet.SubnetId"),
            group=lambda: sh.id(
                f"aws ec2 create-security-group --vpc-id {vpc} --group-name web --description web", "GroupId"),
            gateway=lambda: sh.id("aws ec2 create-internet-gateway", "InternetGateway.InternetGatewayId"),
            table=lambda: sh.id(f"aws ec2 create-route-table --vpc-id {vpc}", "RouteTable.RouteTableId"),
            image=lambda: sh.id("aws ec2 describe-images --owners amazon", "Images[0].ImageId"),
            bucket=lambda: sh.run("aws s3 mb s3://logs"),
        )
        subnet, other, group, gateway, table = (found[n] for n in ("subnet", "other", "group", "gateway", "table"))
        together(
            a=lambda: sh.run(
                f"aws ec2 attach-internet-gateway --internet-gateway-id {gateway} --vpc-id {vpc} && "
                f"aws ec2 create-route --route-table-id {table} --destination-cidr-block 0.0.0.0/0 --gateway-id {gateway}"
            ),
            b=lambda: sh.run(f"aws ec2 associate-route-table --route-table-id {table} --subnet-id {subnet}"),
            c=lambda: sh.run(
                f"aws ec2 authorize-security-group-ingress --group-id {group} --protocol icmp --port -1 --cidr 10.0.0.0/16"),
            d=lambda: sh.run(
                "aws ec2 create-flow-logs --resource-type VPC --resource-ids " + vpc + " --traffic-type ALL "
                "--log-destination-type s3 --log-destination arn:aws:s3:::logs"),
            e=lambda: sh.run(
                "aws ec2 create-flow-logs --resource-type VPC --resource-ids " + vpc + " --traffic-type ALL "
                "--log-group-name flow-group --deliver-logs-permission-arn arn:aws:iam::123456789012:role/flow-logs"),
        )
        run = f"aws ec2 run-instances --image-id {found['image']} --count 1 --security-group-ids {group} --subnet-id"
        instances = together(
            x=lambda: sh.id(f"{run} {subnet} --private-ip-address 10.0.1.10", "Instances[0].InstanceId"),
            y=lambda: sh.id(f"{run} {other} --private-ip-address 10.0.2.20", "Instances[0].InstanceId"),
        )
        x, y = instances["x"], instances["y"]
        sh.run(f"aws ec2 wait instance-running --instance-ids {x} {y}")
        assert " 0% packet loss" in sh.run(f"weir exec {x} -- ping -c3 -i0.1 10.0.2.20")

        traced = sh.run(f"weir trace {x} tcp 10.0.2.20 5432; echo status $?")
        assert group in traced and traced.endswith("status 1"), traced
        assert sh.run(f"weir trace {x} icmp 10.0.2.20; echo status $?").endswith("status 0")
        eventually("flows show as they happen", lambda: "10.0.2.20" in sh.run("weir flows --live"))
        sh.run("weir flows flush")
        assert "ACCEPT" in sh.run("weir flows")

        copied, events, streams = together(
            copied=lambda: sh.run("aws s3 cp --recursive s3://logs/ ."),
            events=lambda: sh.run("aws logs filter-log-events --log-group-name flow-group --output json"),
            streams=lambda: sh.run(
                "aws logs describe-log-streams --log-group-name flow-group --query 'logStreams[].logStreamName'"),
        ).values()
        assert copied.startswith("download: s3://logs/AWSLogs/123456789012/vpcflowlogs/us-east-1/") or "download:" in copied
        records = []
        for path in pathlib.Path(folder).rglob("*.log.gz"):
            header, *lines = gzip.decompress(path.read_bytes()).decode().splitlines()
            assert header.startswith("version account-id interface-id srcaddr dstaddr"), header
            records += lines
        same(len([r for r in records if " 10.0.1.10 10.0.2.20 0 0 1 3 252 " in r and r.endswith(" ACCEPT OK")]), 2, records)
        same(events.count(" 10.0.1.10 10.0.2.20 0 0 1 3 252 "), 2, events)
        # Only version 2 of the CLI, which Debian has, knows `logs tail`.
        tail = sh.run(f"/usr/bin/aws --endpoint-url {daemon.endpoint} logs tail flow-group")
        same(tail.count(" 10.0.1.10 10.0.2.20 0 0 1 3 252 "), 2, tail)
        same(len(re.findall(r"eni-[0-9a-f]{17}-all", streams)), 2, streams)

        together(
            a=lambda: sh.run(f"aws ec2 stop-instances --instance-ids {x} && aws ec2 wait instance-stopped --instance-ids {x}"),
            b=lambda: sh.run(f"aws ec2 terminate-instances --instance-ids {y}"),
            c=lambda: same(
                sh.run("aws sts get-caller-identity --query Account --output text"), "123456789012"),
            d=lambda: same(
                "InvalidVpcID.NotFound" in sh.run("aws ec2 describe-vpcs --vpc-ids vpc-00000000000000000 2>&1", check=False),
                True),
        )


def together(**acts):
    """Does things side by side; answers what each gave."""
    found, failures = {}, []

    def do(name, act):
        try:
            found[name] = act()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=do, args=item) for item in acts.items()]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    if failures:
        raise failures[0]
    return {name: found[name] for name in acts}


if __name__ == "__main__":
    main(daemon="none")
