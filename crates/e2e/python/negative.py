"""Every parameter of the actions of forms and JSON, wrong in every way that AWS's service model tells: refused, with AWS's code and status.

The calls of `calls.py`, each with one fault of `faults.py`. None may succeed, none may be our fault (5xx), none may hang,
and afterwards everything is as it was: the same answers to all reads, and each call without its fault succeeds.
"""

import fnmatch
import http.client
import json
import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import calls
import faults
from expected import EXCEPTIONS, IDS, JSON_CODES, NO_SUCH_TEXT, NOT_SENT, QUERY_CODES, STATUSES, UNSUPPORTED
from weirtest import Lab, main, same
from world import World

MODELS = botocore.session.get_session()
QUERY = ("ec2", "elbv2", "iam", "sts")
JSON = ("logs", "firehose", "cloudtrail")


class Wire:
    """Signed requests over one connection."""

    def __init__(self, lab, service):
        self.lab, self.model = lab, MODELS.get_service_model(service)
        self.name = self.model.signing_name
        self.address = lab.daemon.endpoint.removeprefix("http://")
        self.connection = http.client.HTTPConnection(self.address, timeout=20)

    def send(self, action, body):
        """Status, code, message."""
        if self.model.metadata["protocol"] == "json":
            prefix, version = self.model.metadata["targetPrefix"], self.model.metadata["jsonVersion"]
            headers = {"X-Amz-Target": f"{prefix}.{action}", "Content-Type": f"application/x-amz-json-{version}"}
        else:
            pairs = list(body.items()) if isinstance(body, dict) else body
            named = [("Action", action), ("Version", self.model.api_version)]
            body = urllib.parse.urlencode(named + [one for one in pairs if one[0] not in ("Action", "Version")]).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", f"{self.lab.daemon.endpoint}/", data=body, headers=headers)
        SigV4Auth(Credentials(self.lab.account, "any"), self.name, self.lab.region).add_auth(request)
        self.connection.request("POST", "/", body, dict(request.headers))
        answer = self.connection.getresponse()
        text = answer.read().decode()
        code, message = self.read(text)
        # What a list of failures tells counts as a failure.
        return 400 if answer.status == 200 and code else answer.status, code, message

    def read(self, text):
        if self.model.metadata["protocol"] == "json":
            error = json.loads(text) if text else {}
            return error.get("__type"), error.get("message", "")
        # Actions on several things tell of each why not.
        if "<unsuccessful><item>" in text:
            text = text.replace("<code>", "<Code>").replace("</code>", "</Code>")
            return re.search("<Code>(.*?)</Code>", text)[1], ""
        code, message = re.search("<Code>(.*?)</Code>", text), re.search("<Message>(.*?)</Message>", text, re.DOTALL)
        return code and code[1], message[1] if message else ""


def expected(service, action, fault):
    """The codes that a fault may have."""
    told = f"{service} {action} {fault.parameter} {fault.kind}"
    for pattern, codes in EXCEPTIONS.items():
        if fnmatch.fnmatchcase(told, pattern):
            return codes
    if service == "ec2" and fault.kind in ("malformed", "not found"):
        return {IDS[fault.value][fault.kind == "not found"]}
    codes = (QUERY_CODES if service in QUERY else JSON_CODES)[service]
    allowed = codes[fault.kind]
    if service == "ec2" and fault.kind == "long":
        allowed = allowed | NO_SUCH_TEXT
    if not fault.given:
        allowed = allowed | codes["alone"] | UNSUPPORTED.get(service, set())
    return allowed


def judge(service, action, fault, answer):
    """What is wrong with an answer, if anything."""
    status, code, message = answer
    if code in expected(service, action, fault) and status == (200 if code is None else STATUSES.get(code, 400)):
        return None
    return f"{service} {action} {fault.parameter} {fault.kind}: {status} {code} {message[:150]}"


def attack(lab, world, service, foreign):
    """All faults of a service; what was found wrong, and how many calls that were."""
    found, sent = [], 0
    wire = Wire(lab, service)
    for action, parameters in calls.SERVICES[service](world):
        try:
            parameters = parameters(world) if callable(parameters) else parameters
        except Exception as error:
            found.append(f"{service} {action}: what was refused has had an effect: {error!r}")
            continue
        model = wire.model.operation_model(action)
        made = faults.of_form(model, parameters, foreign) if service in QUERY else faults.of_json(model, parameters)
        for fault in made:
            if f"{service} {action} {fault.parameter} {fault.kind}" == NOT_SENT:
                continue
            sent += 1
            try:
                answer = wire.send(action, fault.body)
            except (OSError, http.client.HTTPException) as error:
                wire = Wire(lab, service)
                found.append(f"{service} {action} {fault.parameter} {fault.kind}: {error!r}")
                continue
            found += filter(None, [judge(service, action, fault, answer)])
    return found, sent


def seen(lab):
    """What all reads of an account answer."""
    everything = {}
    for service in ("ec2", "elbv2", "iam", "logs", "firehose", "cloudtrail"):
        client = lab.client(service)
        for name in calls.implemented()[service]:
            shape = client.meta.service_model.operation_model(name).input_shape
            if re.match("Describe|List", name) and not (shape and shape.required_members) and name not in NOT_AT_ONCE:
                answer = client._make_api_call(name, {})
                answer.pop("ResponseMetadata")
                everything[f"{service} {name}"] = answer
    return everything


# What cannot be asked for everything at once.
NOT_AT_ONCE = ("DescribeListeners", "DescribeLogStreams")


def of_others(*labs):
    """Ids of every kind of thing that other accounts and Regions have."""
    found = {}
    for lab in labs:
        text = json.dumps(seen(lab), default=str)
        for id in dict.fromkeys(one[0] for one in faults.AN_ID.finditer(text)):
            prefix = faults.AN_ID.fullmatch(id)[1]
            ids = found.setdefault(prefix, {})
            ids.setdefault(lab.region + lab.account, id)
    return {prefix: list(ids.values()) for prefix, ids in found.items()}


def test_every_parameter_is_refused_when_it_is_wrong(lab):
    others = Lab(lab.daemon), Lab(lab.daemon, lab.account, "eu-west-1")
    with ThreadPoolExecutor(3) as pool:
        worlds = list(pool.map(World, (lab, *others)))
    world = worlds[0]
    foreign = of_others(*others)
    # A peering connection is of both sides, and what all share is nobody's.
    for shared in ("ami", "pcx"):
        foreign.pop(shared, None)
    before = seen(lab)
    services = (*QUERY, *JSON)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda service: attack(lab, world, service, foreign), services))
    found = [one for of_service, _ in answers for one in of_service]
    print({service: sent for service, (_, sent) in zip(services, answers, strict=True)}, "calls with a fault")
    after = seen(lab)
    for name in before:
        if before[name] != after[name]:
            found.append(f"{name}: what it answers has changed")
    assert not found, "\n".join([f"{len(found)} answers", *found])


if __name__ == "__main__":
    main()
