"""Every call of S3 with one fault: refused with AWS's code and status, and without the fault it succeeds afterwards.

What is asked for in a form or in JSON is in `negative.py`; here it is in the path, in headers and in XML.
"""

import copy
import http.client
import re
import urllib.parse

import botocore.session
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.serialize import create_serializer

import calls
from weirtest import Lab, main
from world import World

MODEL = botocore.session.get_session().get_service_model("s3")
SERIALIZER = create_serializer("rest-xml", include_validation=False)
# The codes and statuses that a fault may have. HEAD has no body: its answers have a status alone.
EXPECTED = {
    "no bucket": {("NoSuchBucket", 404), (None, 404)},
    "name": {("InvalidBucketName", 400), (None, 400)},
    "other's": {("AccessDenied", 403), ("MethodNotAllowed", 405), (None, 403)},
    "upload": {("NoSuchUpload", 404)},
    "xml": {("MalformedXML", 400), ("MalformedPolicy", 400)},
    # AWS is as free with these.
    "word": {("MalformedXML", 400), ("InvalidArgument", 400), ("InvalidRequest", 400), ("InvalidStorageClass", 400),
             ("InvalidEncryptionAlgorithmError", 400), ("IllegalVersioningConfigurationException", 400), ("NotImplemented", 501)},
}
# Keys are answered one by one; a policy is read before anybody looks for the bucket.
EXCEPTIONS = {
    ("DeleteObjects", "other's", ("AccessDenied", 200)), ("PutBucketPolicy", "no bucket", ("MalformedPolicy", 400)),
}


def request_of(action, parameters):
    model = MODEL.operation_model(action)
    made = SERIALIZER.serialize_to_request(parameters, model)
    query = urllib.parse.urlencode({k: v for k, v in made["query_string"].items()}, quote_via=urllib.parse.quote)
    path = made["url_path"]
    if query:
        path += ("&" if "?" in path else "?") + query
    body = made["body"] or b""
    return model.http["method"], path, dict(made["headers"]), body.encode() if isinstance(body, str) else body


def send(lab, method, path, headers, body):
    """Code and status. What is refused before its body is read ends the connection."""
    connection = http.client.HTTPConnection(lab.daemon.endpoint.removeprefix("http://"), timeout=20)
    request = AWSRequest(method, lab.daemon.endpoint + path, data=body, headers=headers)
    S3SigV4Auth(Credentials(lab.account, "any"), "s3", lab.region).add_auth(request)
    connection.request(method, path, body, dict(request.headers))
    answer = connection.getresponse()
    code = re.search(b"<Code>(.*?)</Code>", answer.read())
    return code and code[1].decode(), answer.status


def faults(action, parameters, theirs):
    """A kind, what was done, and the request."""
    if "Bucket" in parameters:
        for kind, name in (("no bucket", "no-such-bucket-here"), ("name", "No_Bucket"), ("other's", theirs)):
            if action != "CreateBucket" or kind == "name":
                yield kind, name, request_of(action, parameters | {"Bucket": name})
    if "UploadId" in parameters:
        yield "upload", "UploadId", request_of(action, parameters | {"UploadId": "nonsense"})
    method, path, headers, body = request_of(action, parameters)
    if not body.startswith(b"<"):
        return
    for what, text in (("cut", body[:len(body) // 2]), ("nonsense", b"nonsense"), ("another", b"<Other/>"), ("bytes", b"<\xff>")):
        yield "xml", what, (method, path, headers, text)
    for where, wrong in words(MODEL.operation_model(action).input_shape, parameters):
        if b"no-such-word" in (changed := request_of(action, wrong))[3]:
            yield "word", where, changed


def words(shape, value, path=""):
    """The value with one word or number that is none."""
    if shape.type_name == "structure":
        for member, one in value.items():
            for where, wrong in words(shape.members[member], one, f"{path}.{member}"):
                yield where, value | {member: wrong}
    elif shape.type_name == "list":
        for number, one in enumerate(value):
            for where, wrong in words(shape.member, one, f"{path}.{number}"):
                copied = copy.copy(value)
                copied[number] = wrong
                yield where, copied
    elif shape.type_name in ("integer", "long", "timestamp") or getattr(shape, "enum", None):
        yield path, "no-such-word"


def test_every_call_is_refused_when_it_is_wrong(lab):
    theirs = f"of-another-{lab.account}"
    Lab(lab.daemon).client("s3").create_bucket(Bucket=theirs)
    world, found, sent = World(lab), [], 0
    client = lab.client("s3")
    for action, parameters in calls.SERVICES["s3"](world):
        parameters = parameters(world) if callable(parameters) else parameters
        for kind, what, request in faults(action, parameters, theirs):
            sent += 1
            answer = send(lab, *request)
            if answer not in EXPECTED[kind] and (action, kind, answer) not in EXCEPTIONS:
                found.append(f"{action} {kind} {what}: {answer}")
        try:
            client._make_api_call(action, copy.deepcopy(parameters))
        except Exception as error:
            found.append(f"{action}: {error!r}")
    print(sent, "calls with a fault")
    assert not found, "\n".join([f"{len(found)} answers", *found])


if __name__ == "__main__":
    main()
