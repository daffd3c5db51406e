"""A tool that audits AWS accounts reads Weir's: Cloud Custodian, `c7n`, which scripts/audit-tools installs."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from weirtest import REGION, main, same
from world import World

TOOLS = Path(__file__).resolve().parents[3] / "target/audit"
# Not among them: log groups, delivery streams and trails, whose tags c7n asks of the Resource Groups Tagging API, which Weir
# does not have; transit gateways, which it does not have either.
# Cloud Custodian's resource, its filters, and how many of the world's it finds; `None` if that is not of interest.
POLICIES = {
    "vpcs-without-flow-logs": ("vpc", [{"type": "flow-logs", "enabled": False}], 2),
    "vpcs-with-flow-logs-to-s3": ("vpc", [{"type": "flow-logs", "enabled": True, "destination-type": "s3", "status": "active"}], 2),
    "vpcs-with-host-names": ("vpc", [{"type": "vpc-attributes", "dnshostnames": True}], 2),
    "vpcs-with-gateways": ("vpc", [{"type": "internet-gateway", "key": "InternetGatewayId", "value": "present"}], 3),
    "vpcs-with-nat": ("vpc", [{"type": "nat-gateway", "key": "NatGatewayId", "value": "present"}], 1),
    "vpcs-with-public-subnets": ("vpc", [{"type": "subnet", "key": "MapPublicIpOnLaunch", "value": True}], 1),
    "vpcs-of-names": ("vpc", [{"type": "dhcp-options", "domain-name": "ec2.internal"}], 4),
    "vpcs-with-endpoints": ("vpc", [{"type": "vpc-endpoint", "key": "ServiceName", "value": "present"}], 1),
    "subnets-without-flow-logs": ("subnet", [{"type": "flow-logs", "enabled": False}], None),
    "groups-open-to-ssh": ("security-group", [{"type": "ingress", "Ports": [22], "Cidr": {"value": "0.0.0.0/0"}}], 0),
    "groups-that-are-stale": ("security-group", ["stale"], 0),
    # Not `s3-cidr`: it fails at entries of IPv6, which have no `CidrBlock` in AWS either.
    "acls": ("network-acl", [], None),
    "interfaces": ("eni", [{"type": "flow-logs", "enabled": False}, {"type": "subnet", "key": "SubnetId", "value": "present"}], None),
    "gateways": ("internet-gateway", [], 4),
    "nat-gateways": ("nat-gateway", [], 3),
    "routes-to-gateways": ("route-table", [{"type": "route", "key": "GatewayId", "value": "igw-*", "op": "glob"}], 2),
    "peering-without-routes": ("peering-connection", ["missing-route"], None),
    "addresses-of-nobody": ("elastic-ip", [{"type": "value", "key": "AssociationId", "value": "absent"}], 2),
    "endpoints": ("vpc-endpoint", ["cross-account"], None),
    "instances": ("ec2", [{"type": "security-group", "key": "GroupName", "value": "present"}], 2),
    "prefix-lists": ("prefix-list", [], None),
    "flow-logs": ("flow-log", [], 2),
    "load-balancers": ("app-elb", [{"type": "value", "key": "Type", "value": "network"}], 3),
    "target-groups": ("app-elb-target-group", [], 2),
}


def run(lab, name, *arguments, timeout):
    """Runs a tool as a caller of the account; answers its status and all that it said."""
    environment = os.environ | {
        "AWS_ENDPOINT_URL": lab.daemon.endpoint, "AWS_ACCESS_KEY_ID": lab.account, "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": REGION, "AWS_MAX_ATTEMPTS": "1",
    }
    done = subprocess.run([TOOLS / name, *arguments], env=environment, capture_output=True, text=True, timeout=timeout)
    return done.returncode, done.stdout + done.stderr


def test_cloud_custodian(lab):
    if not (TOOLS / "c7n/bin/custodian").exists():
        assert "CI" not in os.environ, "needs c7n: run scripts/audit-tools"
        print("SKIPPED: test_cloud_custodian needs c7n: run scripts/audit-tools", file=sys.stderr)
        return
    World(lab)
    policies = [
        {"name": name, "resource": f"aws.{kind}"} | ({"filters": filters} if filters else {})
        for name, (kind, filters, _) in POLICIES.items()
    ]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "policies.json")
        file.write_text(json.dumps({"policies": policies}))
        status, said = run(lab, "c7n/bin/custodian", "run", "-s", folder, "--region", REGION, "--cache-period", "0", file, timeout=300)
        same(status, 0, said)
        found = {name: len(json.loads(Path(folder, name, "resources.json").read_text())) for name in POLICIES}
    same(found, {name: found[name] if number is None else number for name, (_, _, number) in POLICIES.items()})


if __name__ == "__main__":
    main()
