"""The network of the examples from boto3 and from the aws CLI: it comes, works and goes."""

import json
import os
import pathlib
import subprocess
import sys

from three_tier import APP, SHARED, flow_logs, left, traffic
from weirtest import Daemon, Lab, main, same

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "examples"
BOTO3 = [sys.executable, EXAMPLES / "boto3" / "three_tier.py"]


def example(daemon, *command):
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    environment = inherited | {"AWS_ENDPOINT_URL": daemon.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=840, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def gone(daemon, *labs):
    example(daemon, *BOTO3, "destroy")
    for lab in labs:
        same(left(lab), {}, f"what account {lab.account} still has")


def test_boto3(_):
    with Daemon() as daemon:
        app, shared = Lab(daemon, APP), Lab(daemon, SHARED)
        made = json.loads(example(daemon, *BOTO3, "create"))
        traffic(app, shared, made)
        flow_logs(app, made)
        gone(daemon, app, shared)


def test_the_aws_cli(_):
    with Daemon() as daemon:
        app, shared = Lab(daemon, APP), Lab(daemon, SHARED)
        lines = example(daemon, EXAMPLES / "aws-cli" / "three-tier.sh").splitlines()
        rows = {name: (instance, address) for name, instance, address in map(str.split, lines)}
        at = {name: address for name, (_, address) in rows.items()}
        at["web_public"] = app.instance(rows["web"][0])["PublicIpAddress"]
        made = {
            "instances": {name: instance for name, (instance, _) in rows.items()},
            "addresses": at,
            "flow_logs": {"bucket": "three-tier-flow-logs", "log_group": "/vpc/three-tier"},
        }
        traffic(app, shared, made)
        flow_logs(app, made)
        gone(daemon, app, shared)


if __name__ == "__main__":
    main(daemon="none", parallel=2)
