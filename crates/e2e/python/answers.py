"""Every action answers as AWS's service model says: one call each that succeeds, checked by `shapes`."""

from types import SimpleNamespace

import calls
import shapes
from weirtest import Lab, main, same
from world import World, without_default_vpc

# What no call can succeed with.
REFUSE = {
    # There are no insights, which `InsightNotEnabledException` says of every trail.
    ("cloudtrail", "GetInsightSelectors"),
}


def test_every_action_succeeds_and_its_answer_fits(lab):
    world = World(lab)
    bare = without_default_vpc(Lab(lab.daemon))
    failed = []
    # Calls take away what calls of other services show: those of EC2 come last.
    for service in sorted(calls.SERVICES, key=lambda one: one == "ec2"):
        for action, parameters in calls.SERVICES[service](world):
            client = (bare if action.startswith("CreateDefault") else lab).client(service)
            try:
                parameters = parameters(world) if callable(parameters) else parameters
                # A copy: botocore adds to what it is given.
                client._make_api_call(action, dict(parameters))
            except Exception as error:
                failed.append(f"{service} {error}")
            if action == "CreateDefaultVpc":
                (subnet,) = bare.ec2.describe_subnets(
                    Filters=[{"Name": "availability-zone", "Values": [f"{lab.region}f"]}])["Subnets"]
                bare.ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    wanted = {(service, action) for service, actions in calls.implemented().items() for action in actions} - REFUSE
    unseen = sorted(f"{service} {action}: no answer was checked" for service, action in wanted - shapes.checked)
    print(f"{len(wanted & shapes.checked)} of {len(wanted)} actions had a successful answer checked")
    assert not failed + unseen, "\n  ".join(["", *failed, *unseen])


def test_what_the_model_lacks_is_noticed(lab):
    """The check itself: an answer that is altered is found to be."""
    ec2, logs = lab.ec2, lab.client("logs")
    logs.create_log_group(logGroupName="g")
    bodies = {}
    for client, action in ((ec2, "DescribeVpcs"), (logs, "DescribeLogGroups")):
        client.meta.events.register(
            f"after-call.*.{action}", lambda http_response, model, **_: bodies.update({model.name: (model, http_response)}))
        client._make_api_call(action, {})
    for action, old, new, expected in (
        ("DescribeVpcs", b"<state>available</state>", b"<state>fine</state>", "vpcSet[].state: 'fine' is none of"),
        ("DescribeVpcs", b"<isDefault>true<", b"<isDefault>True<", "vpcSet[].isDefault: 'True' is no boolean"),
        ("DescribeVpcs", b"<isDefault>", b"<colour/><isDefault>", "vpcSet[].<colour> is not in the model"),
        ("DescribeVpcs", b"<isDefault>", b"<vpcId>vpc-1</vpcId><isDefault>", "vpcSet[].vpcId is there 2 times"),
        ("DescribeVpcs", b"requestId>", b"request>", "no request id"),
        ("DescribeVpcs", b"item>", b"member>", "vpcSet: <member> in a list of <item>"),
        ("DescribeLogGroups", b'"creationTime":', b'"creationTime":1.5,"x":', "creationTime: '1.5' is no long"),
        ("DescribeLogGroups", b'"logGroupName":"g"', b'"logGroupName":7', "logGroupName: '7' is no string"),
    ):
        model, answer = bodies[action]
        same(list(shapes.differences(model, answer)), [], action)
        assert old in answer.content, answer.content
        altered = SimpleNamespace(content=answer.content.replace(old, new), headers=answer.headers)
        found = list(shapes.differences(model, altered))
        assert any(expected in one for one in found), (expected, found)


if __name__ == "__main__":
    main()
