"""The four actions of flow logs with boto3: every parameter, every filter, what is refused whole and what item by item."""

import datetime
import json
import re

import duckdb
import yaml
from botocore.validate import ParamValidator

from weirtest import REGION, eventually, main, refused, same

DEFAULT = (
    "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} "
    "${bytes} ${start} ${end} ${action} ${log-status}"
)


def bucket(lab, name="flow-logs"):
    name = f"{name}-{lab.account}"
    lab.client("s3").create_bucket(Bucket=name)
    return name


def to_s3(lab, resource, name, prefix="", **more):
    return {
        "ResourceIds": [resource], "ResourceType": "VPC", "TrafficType": "ALL", "LogDestinationType": "s3",
        "LogDestination": f"arn:aws:s3:::{name}{prefix}",
    } | more


def to_logs(lab, resource, group, **more):
    return {
        "ResourceIds": [resource], "ResourceType": "VPC", "TrafficType": "ALL", "LogGroupName": group,
        "DeliverLogsPermissionArn": f"arn:aws:iam::{lab.account}:role/flow-logs",
    } | more


def create(lab, **request):
    """Creates flow logs, each of which must come about."""
    made = lab.ec2.create_flow_logs(**request)
    fits(lab, "CreateFlowLogs", made)
    same(made["Unsuccessful"], [])
    return made["FlowLogIds"]


def describe(lab, *ids, **more):
    answer = lab.ec2.describe_flow_logs(**({"FlowLogIds": list(ids)} if ids else {}), **more)
    fits(lab, "DescribeFlowLogs", answer)
    return answer["FlowLogs"]


def fits(lab, operation, answer):
    shape = lab.ec2.meta.service_model.operation_model(operation).output_shape
    answer = without(answer, "ResponseMetadata")
    for one in answer.get("FlowLogs", []):
        # The API writes lists that are empty; the model's bound is for those that are given.
        if not one.get("TagFieldSpecifications"):
            one.pop("TagFieldSpecifications", None)
    same(ParamValidator().validate(answer, shape).generate_report(), "", operation)


def without(shown, *names):
    return {name: value for name, value in shown.items() if name not in names}


def test_every_parameter_to_s3_is_described(lab):
    vpc, name = lab.vpc(), bucket(lab)
    fields = "${instance-tag} ${instance-tag-2} ${interface-tag} ${tcp-flags} ${version}"
    tag_fields = [
        {"ResourceType": "instance", "TagKeys": ["Name", "Team"]}, {"ResourceType": "network-interface", "TagKeys": ["Name"]},
    ]
    options = {"FileFormat": "parquet", "HiveCompatiblePartitions": True, "PerHourPartition": True}
    before = datetime.datetime.now(datetime.UTC)
    request = to_s3(
        lab, vpc, name, "/some/prefix/", TrafficType="REJECT", LogFormat=fields, MaxAggregationInterval=60,
        DestinationOptions=options, TagFieldSpecifications=tag_fields, ClientToken="once and only once",
        TagSpecifications=[{"ResourceType": "vpc-flow-log", "Tags": [{"Key": "Name", "Value": "every parameter"}]}],
    )
    made = lab.ec2.create_flow_logs(**request)
    same((made["ClientToken"], made["Unsuccessful"]), ("once and only once", []))
    again = lab.ec2.create_flow_logs(**request)
    same((again["FlowLogIds"], again["ClientToken"]), (made["FlowLogIds"], made["ClientToken"]))
    (shown,) = describe(lab)
    flow_log = made["FlowLogIds"][0]
    assert re.fullmatch("fl-[0-9a-f]{17}", flow_log), flow_log
    assert before - datetime.timedelta(seconds=1) <= shown["CreationTime"] <= datetime.datetime.now(datetime.UTC)
    same(without(shown, "CreationTime"), {
        "FlowLogId": flow_log, "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS", "ResourceId": vpc,
        "TrafficType": "REJECT", "LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{name}/some/prefix/",
        "LogFormat": fields, "MaxAggregationInterval": 60, "DestinationOptions": options,
        "TagFieldSpecifications": tag_fields, "Tags": [{"Key": "Name", "Value": "every parameter"}],
    })


def test_what_is_not_given_is_filled_in(lab):
    vpc, name = lab.vpc(), bucket(lab)
    ids = create(lab, **to_s3(lab, vpc, name)) + create(lab, **to_logs(lab, vpc, "flows"))
    arn = f"arn:aws:logs:{REGION}:{lab.account}:log-group:by-arn"
    by_arn = without(to_logs(lab, vpc, "x"), "LogGroupName") | {"LogDestination": arn}
    ids += create(lab, **by_arn)
    shown = {one["FlowLogId"]: without(one, "CreationTime", "FlowLogId") for one in describe(lab, *ids)}
    common = {
        "FlowLogStatus": "ACTIVE", "DeliverLogsStatus": "SUCCESS", "ResourceId": vpc, "TrafficType": "ALL",
        "LogFormat": DEFAULT, "MaxAggregationInterval": 600, "Tags": [],
    }
    role = {"DeliverLogsPermissionArn": f"arn:aws:iam::{lab.account}:role/flow-logs"}
    same(shown[ids[0]], common | {
        "LogDestinationType": "s3", "LogDestination": f"arn:aws:s3:::{name}",
        "DestinationOptions": {"FileFormat": "plain-text", "HiveCompatiblePartitions": False, "PerHourPartition": False},
    })
    logs = common | role | {"LogDestinationType": "cloud-watch-logs"}
    same(shown[ids[1]], logs | {"LogGroupName": "flows"})
    same(shown[ids[2]], logs | {"LogGroupName": "by-arn", "LogDestination": arn})


def test_firehose_streams_are_asked_and_tagged(lab):
    vpc, other = lab.vpc(), "444455556666"
    firehose = lab.client("firehose")
    lab.client("s3").create_bucket(Bucket=f"backup-{lab.account}")
    role = f"arn:aws:iam::{lab.account}:role/firehose"
    to_bucket = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::backup-{lab.account}"}
    firehose.create_delivery_stream(DeliveryStreamName="records", S3DestinationConfiguration=to_bucket)
    active = lambda: firehose.describe_delivery_stream(DeliveryStreamName="records")["DeliveryStreamDescription"]
    eventually("the stream is active", lambda: active()["DeliveryStreamStatus"] == "ACTIVE")
    tags = lambda: firehose.list_tags_for_delivery_stream(DeliveryStreamName="records")["Tags"]
    same(tags(), [])

    arn = lambda name, account=lab.account: f"arn:aws:firehose:{REGION}:{account}:deliverystream/{name}"
    request = {
        "ResourceIds": [vpc], "ResourceType": "VPC", "TrafficType": "ALL", "LogDestination": arn("records"),
        "LogDestinationType": "kinesis-data-firehose",
    }
    with refused("DryRunOperation", status=412):
        lab.ec2.create_flow_logs(**request, DryRun=True)
    same(tags(), [], "a dry run leaves no trace")
    missing = lab.ec2.create_flow_logs(**(request | {"LogDestination": arn("nothing")}))
    same((missing["FlowLogIds"], missing["Unsuccessful"]), ([], [{
        "ResourceId": vpc, "Error": {"Code": "400", "Message": "LogDestination: nothing does not exist."},
    }]))
    (flow_log,) = create(lab, **request)
    same(tags(), [{"Key": "LogDeliveryEnabled", "Value": "true"}])
    (shown,) = describe(lab, flow_log)
    same((shown["LogDestinationType"], shown["LogDestination"]), ("kinesis-data-firehose", arn("records")))
    assert "DestinationOptions" not in shown and "DeliverLogsPermissionArn" not in shown, shown

    # One that is being deleted takes nothing any more.
    firehose.delete_delivery_stream(DeliveryStreamName="records")
    gone = lab.ec2.create_flow_logs(**(request | {"TrafficType": "REJECT"}))
    assert gone["Unsuccessful"][0]["Error"]["Message"] in (
        "LogDestination records is undeliverable", "LogDestination: records does not exist.",
    ), gone

    # Another account's stream, with both roles.
    roles = {
        "DeliverLogsPermissionArn": f"arn:aws:iam::{lab.account}:role/logs",
        "DeliverCrossAccountRole": f"arn:aws:iam::{other}:role/AWSLogDeliveryFirehoseCrossAccountRole",
    }
    theirs = request | {"LogDestination": arn("theirs", other)}
    with refused("InvalidParameter"):
        lab.ec2.create_flow_logs(**theirs)
    same(lab.ec2.create_flow_logs(**theirs, **roles)["Unsuccessful"][0]["Error"]["Code"], "400")
    far = type(lab)(lab.daemon, other)
    far.client("s3").create_bucket(Bucket=f"backup-{other}")
    to_bucket = {"RoleARN": f"arn:aws:iam::{other}:role/firehose", "BucketARN": f"arn:aws:s3:::backup-{other}"}
    far.client("firehose").create_delivery_stream(DeliveryStreamName="theirs", S3DestinationConfiguration=to_bucket)
    active = lambda: far.client("firehose").describe_delivery_stream(DeliveryStreamName="theirs")
    eventually("it is active", lambda: active()["DeliveryStreamDescription"]["DeliveryStreamStatus"] == "ACTIVE")
    (shown,) = describe(lab, *create(lab, **theirs, **roles))
    same({name: shown[name] for name in roles}, roles)
    same(far.client("firehose").list_tags_for_delivery_stream(DeliveryStreamName="theirs")["Tags"],
         [{"Key": "LogDeliveryEnabled", "Value": "true"}])


def test_filters_and_pages(lab):
    one, other, name = lab.vpc(), lab.vpc("10.1.0.0/16"), bucket(lab)
    subnet = lab.subnet(one)
    tagged = [{"ResourceType": "vpc-flow-log", "Tags": [{"Key": "Team", "Value": "net"}]}]
    ids = {
        "files": create(lab, **to_s3(lab, one, name, TagSpecifications=tagged))[0],
        "accepted": create(lab, **to_s3(lab, other, name, TrafficType="ACCEPT"))[0],
        "group": create(lab, **to_logs(lab, one, "flows", TrafficType="REJECT"))[0],
        "subnet": create(lab, **to_logs(lab, subnet, "other", ResourceType="Subnet"))[0],
    }
    names = {flow_log: name for name, flow_log in ids.items()}

    def found(*filters):
        wanted = [{"Name": key, "Values": values} for key, *values in filters]
        return {names[one["FlowLogId"]] for one in describe(lab, Filter=wanted)}

    same(found(), set(ids))
    same(found(("log-destination-type", "s3")), {"files", "accepted"})
    same(found(("log-destination-type", "s3", "cloud-watch-logs")), set(ids))
    same(found(("flow-log-id", ids["group"], ids["files"])), {"group", "files"})
    same(found(("log-group-name", "flows")), {"group"})
    same(found(("resource-id", one)), {"files", "group"}, "the subnet's is not the VPC's")
    same(found(("resource-id", one), ("traffic-type", "REJECT")), {"group"})
    same(found(("traffic-type", "ALL")), {"files", "subnet"})
    same(found(("traffic-type", "all")), set(), "case counts")
    same(found(("deliver-log-status", "SUCCESS")), set(ids))
    same(found(("deliver-log-status", "FAILED")), set())
    same(found(("tag:Team", "net")), {"files"})
    same(found(("tag-key", "Team")), {"files"})
    same(found(("tag:Team", "n*")), {"files"})
    with refused("InvalidParameterValue", "The filter 'deliver-logs-status' is invalid"):
        found(("deliver-logs-status", "SUCCESS"))
    pages = list(lab.ec2.get_paginator("describe_flow_logs").paginate(PaginationConfig={"PageSize": 5}))
    same(sorted(one["FlowLogId"] for page in pages for one in page["FlowLogs"]), sorted(ids.values()))
    with refused("InvalidParameterValue"):
        lab.ec2.describe_flow_logs(MaxResults=4)
    same(describe(lab, "fl-00000000000000000"), [], "an unknown id is none")
    with refused("InvalidNextToken"):
        lab.ec2.describe_flow_logs(NextToken="no token")
    with refused("DryRunOperation", status=412):
        lab.ec2.describe_flow_logs(DryRun=True)


def test_the_status_of_deliveries_is_a_filter(lab):
    vpc, name = lab.vpc(), bucket(lab, "soon-gone")
    subnet, group = lab.subnet(vpc), lab.group(vpc, "icmp 10.0.0.0/16")
    x, y = lab.run(subnet, group, "10.0.1.10", wait=False), lab.run(subnet, group, "10.0.1.11", wait=False)
    lab.running(x, y)
    (broken,) = create(lab, **to_s3(lab, vpc, name))
    (well,) = create(lab, **to_logs(lab, vpc, "well"))
    # The role does not help where the ARN names no group.
    arn = f"arn:aws:logs:{REGION}:{lab.account}:log-group:stars:*"
    request = without(to_logs(lab, vpc, "x", TrafficType="ACCEPT"), "LogGroupName") | {"LogDestination": arn}
    (starred,) = create(lab, **request)
    lab.client("s3").delete_bucket(Bucket=name)
    same(lab.ping(x, "10.0.1.11"), True)
    status = lambda value: [{"Name": "deliver-log-status", "Values": [value]}]

    def settled():
        lab.weir("flows", "flush", check=False)
        return {one["FlowLogId"] for one in describe(lab, Filter=status("FAILED"))} == {broken, starred}

    eventually("the failures show", settled)
    same([one["FlowLogId"] for one in describe(lab, Filter=status("SUCCESS"))], [well])
    for one in describe(lab, broken, starred):
        same((one["DeliverLogsErrorMessage"], one["FlowLogStatus"]), ("Access error", "ACTIVE"))
    assert "DeliverLogsErrorMessage" not in describe(lab, well)[0]


def test_some_of_several_resources_fail(lab):
    vpc, other, name = lab.vpc(), lab.vpc("10.1.0.0/16"), bucket(lab)
    unknown = "vpc-0123456789abcdef0"
    request = to_s3(lab, vpc, name)
    create(lab, **request)
    made = lab.ec2.create_flow_logs(**(request | {"ResourceIds": [vpc, other, unknown]}))
    same(len(made["FlowLogIds"]), 1)
    same(describe(lab, *made["FlowLogIds"])[0]["ResourceId"], other)
    faults = {one["ResourceId"]: one["Error"] for one in made["Unsuccessful"]}
    same(faults, {
        vpc: {
            "Code": "FlowLogAlreadyExists",
            "Message": "Error. There is an existing Flow Log with the same configuration and log destination.",
        },
        unknown: {"Code": "InvalidVpcId.NotFound", "Message": f"Unknown resource {unknown}"},
    })
    gone = lab.ec2.delete_flow_logs(FlowLogIds=[*made["FlowLogIds"], "fl-0123456789abcdef0"])
    same([(one["ResourceId"], one["Error"]["Code"]) for one in gone["Unsuccessful"]],
         [("fl-0123456789abcdef0", "InvalidFlowLogId.NotFound")])
    same([one["ResourceId"] for one in describe(lab)], [vpc])


def test_tags_come_and_go(lab):
    (flow_log,) = create(lab, **to_logs(lab, lab.vpc(), "flows"))
    lab.ec2.create_tags(Resources=[flow_log], Tags=[{"Key": "Name", "Value": "later"}])
    same(describe(lab, flow_log)[0]["Tags"], [{"Key": "Name", "Value": "later"}])
    listed = lab.ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["vpc-flow-log"]}])["Tags"]
    same([(tag["ResourceId"], tag["Value"]) for tag in listed], [(flow_log, "later")])
    lab.ec2.delete_tags(Resources=[flow_log], Tags=[{"Key": "Name"}])
    same(describe(lab, flow_log)[0]["Tags"], [])


def test_errors_by_their_codes(lab):
    vpc, name = lab.vpc(), bucket(lab)
    s3, logs = to_s3(lab, vpc, name), to_logs(lab, vpc, "flows")
    for request, code, message in [
        (s3 | {"ResourceIds": ["subnet-0123456789abcdef0"]}, "InvalidParameter",
         "Invalid Resource id subnet-0123456789abcdef0 for resource-type VPC"),
        (without(s3, "TrafficType"), "InvalidParameter",
         "traffic-type is required when the resource-type is VPC, Subnet or NetworkInterface"),
        (s3 | {"DeliverLogsPermissionArn": "arn:aws:iam::1:role/x"}, "InvalidParameter",
         "DeliverLogsPermissionArn is not applicable for s3 delivery"),
        (s3 | {"MaxAggregationInterval": 61}, "InvalidParameter", "Invalid Flow Log Max Aggregation Interval"),
        (s3 | {"LogGroupName": "flows"}, "InvalidParameter",
         "LogDestination type must be cloud-watch-logs if LogGroupName is provided."),
        (logs | {"DestinationOptions": {"FileFormat": "parquet"}}, "InvalidParameter",
         "DestinationOptions is not supported when LogDestinationType is cloud-watch-logs"),
        (without(logs, "DeliverLogsPermissionArn"), "InvalidParameter",
         "DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs."),
        (without(logs, "LogGroupName"), "InvalidParameter",
         "LogDestination can't be empty if LogGroupName is not provided."),
        (logs | {"DeliverLogsPermissionArn": "arn:aws:iam::999999999999:role/x"}, "InvalidParameter",
         "Unable to assume given IAM role"),
        (s3 | {"LogFormat": "${version} "}, "InvalidParameterValue",
         "1 validation error detected: Value '${version} ' at 'logFormat' has an invalid format"),
        (s3 | {"LogFormat": "${version} ${tgw-id}"}, "InvalidParameter",
         "Unknown fields provided in LogFormat: [tgw-id]"),
        (s3 | {"LogFormat": "${instance-tag}"}, "InvalidParameter",
         "The TagFieldSpecifications parameter must be set when including tag fields in the log format"),
        (s3 | {"LogDestination": f"arn:aws:s3:::{name}/AWSLogs/"}, "InvalidParameter", None),
        (s3 | {"ResourceIds": [vpc] * 301}, "InvalidParameterValue", None),
    ]:
        with refused(code, message and re.escape(message)):
            lab.ec2.create_flow_logs(**request)
    same(describe(lab), [], "what is refused leaves no trace")
    with refused("DryRunOperation", status=412):
        lab.ec2.create_flow_logs(**s3, DryRun=True)
    ids = create(lab, **s3, ClientToken="a")
    with refused("DryRunOperation", status=412):
        lab.ec2.delete_flow_logs(FlowLogIds=ids, DryRun=True)
    same(len(describe(lab)), 1)
    with refused("IdempotentParameterMismatch"):
        lab.ec2.create_flow_logs(**(s3 | {"TrafficType": "REJECT"}), ClientToken="a")
    with refused("FlowLogAlreadyExists"):
        lab.ec2.create_flow_logs(**s3)
    with refused("InvalidFlowLogId.NotFound",
                 r"These flow log ids in the input list are not found: \[TotalCount: 2\] fl-0{16}1 fl-0{16}2"):
        lab.ec2.delete_flow_logs(FlowLogIds=["fl-00000000000000001", "fl-00000000000000002"])


class Template(yaml.SafeLoader):
    """YAML, with CloudFormation's short forms."""


Template.add_multi_constructor("!", lambda loader, name, node: {name: str(node.value)})


def test_the_integration_template_is_one_and_names_the_columns(lab):
    vpc, name = lab.vpc(), bucket(lab)
    fields = ["interface-id", "srcaddr", "dstaddr", "dstport", "bytes", "start", "end", "pkt-srcaddr", "action", "tcp-flags"]
    options = {"FileFormat": "parquet", "HiveCompatiblePartitions": True, "PerHourPartition": True}
    log_format = " ".join(f"${{{field}}}" for field in fields)
    (text,) = create(lab, **to_s3(lab, vpc, name, "/p"))
    (parquet,) = create(lab, **to_s3(lab, vpc, name, LogFormat=log_format, DestinationOptions=options))
    (logs,) = create(lab, **to_logs(lab, vpc, "flows"))

    def template(flow_log, **integration):
        answer = lab.ec2.get_flow_logs_integration_template(
            FlowLogId=flow_log, ConfigDeliveryS3DestinationArn=f"arn:aws:s3:::{name}/templates/",
            IntegrateServices={"AthenaIntegrations": [
                {"IntegrationResultS3DestinationArn": f"arn:aws:s3:::{name}/results/"} | integration,
            ]},
        )
        return answer["Result"]

    def tables(result):
        """The template as CloudFormation reads it, which takes JSON for YAML as well."""
        read = yaml.load(result, Template)
        same(read["AWSTemplateFormatVersion"], "2010-09-09")
        if result.lstrip().startswith("{"):
            same(json.loads(result), read)
        of = lambda kind: [r["Properties"] for r in read["Resources"].values() if r["Type"] == kind]
        same(len(of("AWS::Athena::WorkGroup")), 1)
        queries = {query["Name"]: query["QueryString"] for query in of("AWS::Athena::NamedQuery")}
        (table,) = of("AWS::Glue::Table")
        return table["TableInput"], queries

    columns = lambda table: [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
    days = {"PartitionLoadFrequency": "none", "PartitionStartDate": datetime.datetime(2026, 1, 1),
            "PartitionEndDate": datetime.datetime(2026, 2, 1)}
    table, queries = tables(template(text, **days))
    same(columns(table), [field.strip("${}").replace("-", "_") for field in DEFAULT.split()], "in the order of the lines")
    location = f"s3://{name}/p/AWSLogs/{lab.account}/vpcflowlogs/{REGION}/"
    same(table["StorageDescriptor"]["Location"], location)
    assert "VpcFlowLogsTopTalkers" in queries and "VpcFlowLogsTopTalkersPacketLevel" not in queries, queries
    runs(table, queries)

    table, queries = tables(template(parquet, PartitionLoadFrequency="daily"))
    same(columns(table), [field.replace("-", "_") for field in fields])
    assert "parquet" in table["StorageDescriptor"]["InputFormat"].lower(), table
    hive = f"s3://{name}/AWSLogs/aws-account-id={lab.account}/aws-service=vpcflowlogs/aws-region={REGION}/"
    same(table["StorageDescriptor"]["Location"], hive)
    same([key["Name"] for key in table["PartitionKeys"]], ["year", "month", "day", "hour"])
    runs(table, queries)

    with refused("InvalidFlowLogId.NotFound"):
        template("fl-0123456789abcdef0", **days)
    message = f"Integration templates are for flow logs that publish to S3; {logs} publishes to cloud-watch-logs"
    with refused("InvalidParameter", message):
        template(logs, **days)
    with refused("MissingParameter"):
        template(text, PartitionLoadFrequency="none")


def runs(table, queries):
    """Every query runs on a table with the template's columns."""
    columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    (where,) = {re.search(r'FROM "(\w+)"\."(\w+)"', query).groups() for query in queries.values()}
    same(where[1], table["Name"])
    with duckdb.connect() as engine:
        engine.execute(f'CREATE SCHEMA "{where[0]}"')
        listed = ", ".join(f'"{column["Name"]}" {column["Type"].replace("string", "varchar")}' for column in columns)
        engine.execute(f'CREATE TABLE "{where[0]}"."{where[1]}" ({listed})')
        for query in queries.values():
            # Some ask for an address.
            same(engine.execute(query, ["10.0.0.1"] * query.count("?")).fetchall(), [])
    assert queries


if __name__ == "__main__":
    main()
