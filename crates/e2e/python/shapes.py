"""Is an answer what AWS's service model says? botocore's parser takes what it knows and lets the rest pass; this does not.

`watch` hangs on a client and checks every successful answer: elements and members that the model lacks, required ones
that are absent, the types of scalars, words of enumerations, the form of timestamps.
"""

import base64
import datetime
import email.utils
import json
import re
import threading
import xml.etree.ElementTree as ElementTree

# What services send beside the members of their answers.
ENVELOPE = {"ec2": {"requestId"}, "query": {"ResponseMetadata"}}
TIMES = {
    "iso8601": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
    "rfc822": r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT",
}
# What AWS itself sends against its own model, by action and place.
AS_AWS_DOES = {
    # EC2 API Reference, "InternetGatewayAttachment": for an internet gateway it is `available`.
    ("DescribeInternetGateways", "internetGatewaySet[].attachmentSet[].state: 'available'"),
    # The examples of these pages have the element, the model does not.
    ("AssociateAddress", "<return>"),
    ("AssignPrivateIpAddresses", "<return>"),
    # States of endpoints are written in lower case on the wire, which Terraform and the waiters of SDKs expect.
    *(
        (action, f"{place}: '{state}'")
        for action, place in (
            ("CreateVpcEndpoint", "vpcEndpoint.state"),
            ("DescribeVpcEndpoints", "vpcEndpointSet[].state"),
            ("DescribeVpcEndpointConnections", "vpcEndpointConnectionSet[].vpcEndpointState"),
        )
        for state in ("available", "pending", "deleting", "deleted", "rejected", "failed", "expired", "pendingAcceptance")
    ),
}

lock = threading.Lock()
# Actions that had a successful answer checked, as (service, action), and what was wrong with answers.
checked = set()
wrong = set()


def watch(client):
    """Checks all answers that a client gets from now on."""
    client.meta.events.register("after-call", receive)


def receive(http_response, parsed, model, **_):
    if http_response.status_code >= 300:
        return
    service = model.service_model.service_name
    found = [
        one for one in differences(model, http_response)
        if not any(model.name == action and one.startswith(place) for action, place in AS_AWS_DOES)
    ]
    with lock:
        checked.add((service, model.name))
        wrong.update(f"{service} {model.name}: {one}" for one in found)


def differences(model, response):
    """What of a successful answer is not as the model says, in words."""
    protocol, shape = model.metadata["protocol"], model.output_shape
    if protocol == "json":
        if shape is None or not shape.members:
            # AWS sends nothing, or an empty structure.
            if response.content.strip() not in (b"", b"{}"):
                yield f"an answer without output has the body {response.content[:80]!r}"
            return
        yield from of_json(shape, json.loads(response.content), "")
        return
    if protocol == "rest-xml":
        yield from of_rest(shape, response)
        return
    root = ElementTree.fromstring(response.content)
    name, namespace = tag(root), root.tag.partition("}")[0].strip("{")
    if name != f"{model.name}Response":
        yield f"the root is <{name}>"
    expected = model.metadata.get("xmlNamespace") or f"http://ec2.amazonaws.com/doc/{model.metadata['apiVersion']}"
    if namespace.rstrip("/") != expected.rstrip("/"):
        yield f"the namespace is {namespace}"
    children = [child for child in root if tag(child) not in ENVELOPE[protocol]]
    if len(children) == len(root):
        yield "no request id"
    if protocol == "query" and shape is not None:
        wrapper = shape.serialization["resultWrapper"]
        if [tag(child) for child in children] != [wrapper]:
            yield f"not <{wrapper}> but {[tag(child) for child in children]}"
            return
        children = list(children[0])
    if shape is None or not shape.members:
        # EC2 says <return>true</return> where the model has nothing.
        left = [child for child in children if not (protocol == "ec2" and (tag(child), child.text) == ("return", "true"))]
        if protocol == "query":
            left = [grandchild for child in left for grandchild in child]
        yield from (f"<{tag(child)}> is not in the model" for child in left)
        return
    yield from of_elements(shape, children, "")


def of_rest(shape, response):
    """S3: members in headers, and a body that is a member or has the rest of them."""
    if shape is None:
        if response.content:
            yield "a body where the model has none"
        return
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        if location == "header":
            value = response.headers.get(member.serialization.get("name", name))
            if value is not None:
                yield from of_text(member, value, name, header=True)
            elif name in shape.required_members:
                yield f"{name}: the header is absent"
    payload = shape.serialization.get("payload")
    body = [member for member in shape.members.values() if "location" not in member.serialization]
    if payload and shape.members[payload].type_name != "structure":
        return
    if payload:
        shape = shape.members[payload]
    elif not body:
        if response.content:
            yield f"a body where the model has none: {response.content[:80]!r}"
        return
    if not response.content:
        yield "no body"
        return
    root = ElementTree.fromstring(response.content)
    if shape.name == "GetBucketLocationOutput":
        return  # Its one member is the root itself.
    yield from of_elements(shape, list(root), "")


def tag(element):
    return element.tag.rpartition("}")[2]


def element_name(name, shape):
    flattened = shape.type_name == "list" and shape.serialization.get("flattened")
    return (flattened and shape.member.serialization.get("name")) or shape.serialization.get("name", name)


def of_elements(shape, children, where):
    """The elements of a structure."""
    members = {
        element_name(name, member): (name, member) for name, member in shape.members.items()
        if member.serialization.get("location") is None and not member.serialization.get("xmlAttribute")
    }
    by_name = {}
    for child in children:
        by_name.setdefault(tag(child), []).append(child)
    for name, found in by_name.items():
        if name not in members:
            yield f"{where}<{name}> is not in the model"
            continue
        _, member = members[name]
        at = f"{where}{name}"
        if member.serialization.get("flattened"):
            for one in found:
                if member.type_name == "list":
                    yield from of_element(member.member, one, at)
            continue
        if len(found) > 1:
            yield f"{at} is there {len(found)} times"
        yield from of_element(member, found[0], at)
    for name in shape.required_members:
        member = shape.members[name]
        # An empty flattened list leaves no element.
        if member.serialization.get("location") is None and not member.serialization.get("flattened"):
            if element_name(name, member) not in by_name and not member.serialization.get("xmlAttribute"):
                yield f"{where}{name} is absent"


def of_element(shape, element, where):
    kind = shape.type_name
    if kind == "structure":
        if (element.text or "").strip():
            yield f"{where}: text {element.text!r} in a structure"
        yield from of_elements(shape, list(element), f"{where}.")
    elif kind == "list":
        item = shape.member.serialization.get("name", "member")
        for child in element:
            if tag(child) != item:
                yield f"{where}: <{tag(child)}> in a list of <{item}>"
            yield from of_element(shape.member, child, f"{where}[]")
    elif kind == "map":
        for entry in element:
            names = [tag(child) for child in entry]
            if tag(entry) != "entry" or names != ["key", "value"]:
                yield f"{where}: <{tag(entry)}> of {names} in a map"
    else:
        if len(element):
            yield f"{where}: elements in a {kind}"
        yield from of_text(shape, element.text or "", where)


def of_text(shape, text, where, header=False):
    """A scalar as text."""
    kind = shape.type_name
    fits = {
        "integer": lambda: re.fullmatch(r"-?\d+", text) and -(2**31) <= int(text) < 2**31,
        "long": lambda: re.fullmatch(r"-?\d+", text) and -(2**63) <= int(text) < 2**63,
        "float": lambda: float(text) is not None,
        "double": lambda: float(text) is not None,
        "boolean": lambda: text in ("true", "false"),
        "timestamp": lambda: time_fits(text, shape.serialization.get("timestampFormat", "rfc822" if header else "iso8601")),
        "blob": lambda: base64.b64decode(text, validate=True) is not None,
    }.get(kind, lambda: True)
    if not passes(fits):
        yield f"{where}: {text[:80]!r} is no {kind}"
    if kind == "string":
        yield from of_enumeration(shape, text, where)


def passes(question):
    try:
        return bool(question())
    except ValueError:
        return False


def time_fits(text, form):
    if not re.fullmatch(TIMES[form], text):
        return False
    if form == "rfc822":
        return email.utils.parsedate_to_datetime(text)
    return datetime.datetime.fromisoformat(text)


def of_enumeration(shape, text, where):
    if shape.enum and text not in shape.enum:
        yield f"{where}: {text!r} is none of {shape.enum[:8]}"


def of_json(shape, value, where):
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            yield f"{where}: {str(value)[:80]} is no structure"
            return
        members = {member.serialization.get("name", name): member for name, member in shape.members.items()}
        for name, one in value.items():
            if name not in members:
                yield f"{where}.{name} is not in the model"
            elif one is None:
                yield f"{where}.{name} is null"
            else:
                yield from of_json(members[name], one, f"{where}.{name}")
        yield from (f"{where}.{name} is absent" for name in shape.required_members if name not in value)
    elif kind == "list":
        if not isinstance(value, list):
            yield f"{where}: {str(value)[:80]} is no list"
            return
        for one in value:
            yield from of_json(shape.member, one, f"{where}[]")
    elif kind == "map":
        if not isinstance(value, dict):
            yield f"{where}: {str(value)[:80]} is no map"
            return
        for one in value.values():
            yield from of_json(shape.value, one, f"{where}{{}}")
    else:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        fits = {
            "integer": isinstance(value, int) and number,
            "long": isinstance(value, int) and number,
            "float": number,
            "double": number,
            "timestamp": number,
            "boolean": isinstance(value, bool),
        }.get(kind, isinstance(value, str))
        if not fits or (kind == "blob" and not passes(lambda: base64.b64decode(value, validate=True) is not None)):
            yield f"{where}: {str(value)[:80]!r} is no {kind}"
        elif kind == "string":
            yield from of_enumeration(shape, value, where)
