"""The network that all examples make: who reaches whom in it, what its flow logs say, and what is left of it."""

import re

from weirtest import eventually, same

APP, SHARED = "111111111111", "222222222222"


def traffic(app, shared, made):
    """The packets of real programs go where the configuration says, and nowhere else."""
    ids, at = made["instances"], made["addresses"]
    page = {name: f"http://{at[name]}:{port}" for name, port in (("web", 80), ("app", 8080), ("database", 5432))}
    for name in page:
        own = f"http://127.0.0.1:{page[name].split(':')[-1]}"
        eventually(f"{name} serves", lambda own=own, name=name: app.get(ids[name], own) == f"{name}\n")
    same(app.get(ids["web"], page["app"]), "app\n", "web to app")
    same(app.get(ids["app"], page["database"]), "database\n", "app to database")
    same(shared.get(ids["shared"], page["app"]), "app\n", "the other account to app, over the peering connection")
    same(app.get(ids["web"], page["database"]), None, "web to database: no rule of the group")
    same(shared.get(ids["shared"], page["database"]), None, "the other account to the database: no way back")
    same(shared.ping(ids["shared"], at["web"]), False, "the other account to web: no route back")
    # Out through the NAT gateway, and in through the internet gateway.
    host = "198.51.100.7"
    app.weir("internet", "add", host)
    outside = f"internet:{host}"
    same(app.get(outside, f"http://{at['web_public']}"), "web\n", "the internet to web")
    same(app.ping(ids["app"], host), True, "app to the internet, through the NAT gateway")
    same(app.ping(ids["database"], host), False, "the database to the internet")
    # Services, without the internet.
    name = "sts.us-east-1.amazonaws.com"
    addresses = {word for word in app.inside(ids["app"], "getent", "ahostsv4", name).stdout.split() if word[:3] == "10."}
    same(len(addresses), 2, f"{name} is the endpoint's interfaces: {addresses}")


def flow_logs(lab, made):
    """What has passed is in the bucket, and what was refused is in the log group."""
    at, to = made["addresses"], made["flow_logs"]
    lab.weir("flows", "flush")
    keys = [o["Key"] for o in lab.client("s3").list_objects_v2(Bucket=to["bucket"]).get("Contents", [])]
    expected = rf"AWSLogs/{APP}/vpcflowlogs/us-east-1/\d{{4}}/\d\d/\d\d/\d\d/.*\.log\.parquet"
    wrong = [key for key in keys if not re.fullmatch(expected, key)]
    same((bool(keys), wrong), (True, []), "objects in hourly folders")
    events = lab.client("logs").filter_log_events(logGroupName=to["log_group"])["events"]
    lines = [event["message"].split() for event in events]
    refused = {(f[3], f[4], f[6]) for f in lines if f[12] == "REJECT"}
    same((at["web"], at["database"], "5432") in refused, True, f"web to database is among {refused}")
    same({f[12] for f in lines} - {"-"}, {"REJECT"}, "actions in the log group")


def left(lab):
    """What an account has besides what every account begins with."""
    ec2 = lab.ec2
    default = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    of_vpcs = {
        "Vpcs": ec2.describe_vpcs()["Vpcs"],
        "Subnets": ec2.describe_subnets()["Subnets"],
        "RouteTables": ec2.describe_route_tables()["RouteTables"],
        "SecurityGroups": ec2.describe_security_groups()["SecurityGroups"],
        "NetworkAcls": ec2.describe_network_acls()["NetworkAcls"],
        "Endpoints": ec2.describe_vpc_endpoints()["VpcEndpoints"],
        "Interfaces": ec2.describe_network_interfaces()["NetworkInterfaces"],
    }
    gateways = ec2.describe_internet_gateways()["InternetGateways"]
    states = {
        "Nat": [g for g in ec2.describe_nat_gateways()["NatGateways"] if g["State"] != "deleted"],
        "Peering": [
            p for p in ec2.describe_vpc_peering_connections()["VpcPeeringConnections"] if p["Status"]["Code"] != "deleted"
        ],
        "Instances": [
            i for r in ec2.describe_instances()["Reservations"] for i in r["Instances"] if i["State"]["Name"] != "terminated"
        ],
        "Addresses": ec2.describe_addresses()["Addresses"],
        "FlowLogs": ec2.describe_flow_logs()["FlowLogs"],
        "Gateways": [g for g in gateways if default not in [a["VpcId"] for a in g["Attachments"]]],
        "Roles": lab.client("iam").list_roles()["Roles"],
        "Buckets": lab.client("s3").list_buckets()["Buckets"],
        "LogGroups": lab.client("logs").describe_log_groups()["logGroups"],
    }
    others = {name: [row for row in rows if row["VpcId"] != default] for name, rows in of_vpcs.items()}
    return {name: rows for name, rows in (others | states).items() if rows}
