"""Tools that audit AWS accounts read Weir's: Cloud Custodian (`c7n`), and `prowler` where it is installed (scripts/audit-tools)."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from weirtest import REGION, main, same
from world import World

TOOLS = Path(__file__).resolve().parents[3] / "target/audit"
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
    "acls": ("network-acl", [{"type": "s3-cidr", "present": False}], None),
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
    "log-groups": ("log-group", [], 2),
    "delivery-streams": ("firehose", [], 2),
}
PROWLER_CHECKS = (
    "vpc_flow_logs_enabled", "vpc_subnet_no_public_ip_by_default", "vpc_subnet_different_az", "vpc_subnet_separate_private_public",
    "vpc_peering_routing_tables_with_least_privilege", "vpc_endpoint_connections_trust_boundaries", "vpc_different_regions",
    "ec2_networkacl_allow_ingress_any_port", "ec2_securitygroup_allow_ingress_from_internet_to_all_ports",
    "ec2_securitygroup_default_restrict_traffic", "ec2_securitygroup_not_used", "ec2_networkacl_unused",
)


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


def test_prowler(lab):
    if not (TOOLS / "prowler/bin/prowler").exists():
        print("SKIPPED: test_prowler needs prowler, gigabytes of it: run scripts/audit-tools prowler", file=sys.stderr)
        return
    World(lab)
    with tempfile.TemporaryDirectory() as folder:
        status, said = run(
            lab, "prowler/bin/prowler", "aws", "--region", REGION, "--output-directory", folder, "--output-formats", "csv",
            "--no-banner", "--no-color", "--log-level", "CRITICAL", "--checks", *PROWLER_CHECKS, timeout=800,
        )
        # 3 says that checks have failed, which those of this world should.
        assert status in (0, 3) and "Traceback" not in said, f"{status}\n{said}"
        (report,) = Path(folder).glob("*.csv")
        lines = report.read_text()
    for check in ("vpc_flow_logs_enabled", "ec2_securitygroup_default_restrict_traffic", "vpc_subnet_no_public_ip_by_default"):
        assert check in lines, f"{check} is not in the report"


if __name__ == "__main__":
    main()
