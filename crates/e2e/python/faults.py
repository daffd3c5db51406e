"""From a call that would succeed, and AWS's service model: calls that must not, each with one fault.

A fault is what was done to which parameter. What is sent is made by hand, because AWS's clients would refuse to.
"""

import copy
import json
import re
from collections import namedtuple

from botocore.serialize import create_serializer

# kind: what is wrong; parameter: its full name; body: what to send; given: whether the call that succeeds has it;
# value: the id of a kind `not found`.
Fault = namedtuple("Fault", "kind parameter body given value", defaults=(None,))

AN_ID = re.compile(r"([a-z]+(?:-[a-z]+)*)-[0-9a-f]{17}")
LONG = "x" * 70_000
DEEPEST = 4


# The Query protocols


def of_form(model, parameters, foreign):
    """Faults of a call whose request is a form. `foreign` are ids that exist where the caller must not see them."""
    protocol = model.metadata["protocol"]
    form = create_serializer(protocol, include_validation=False).serialize_to_request(parameters, model)["body"]
    form = {name: str(value) for name, value in form.items()}
    yield Fault("unknown", "Colour", form | {"Colour": "blue"}, False)
    if model.input_shape is None:
        return
    for name, shape, required in members(model.input_shape, protocol, "", ()):
        below = {one for one in form if one == name or one.startswith(f"{name}.")}
        without = {one: value for one, value in form.items() if one not in below}
        given = bool(below)
        add = lambda kind, value, name=name, form=without, given=given: Fault(kind, name, form | {name: value}, given)
        kind = shape.type_name
        if required and given and siblings(name, without):
            yield Fault("missing", name, without, given)
        if kind in ("structure", "list"):
            yield add("type", "text")
            if given and kind == "structure":
                yield Fault("unknown", f"{name}.Colour", form | {f"{name}.Colour": "blue"}, given)
            if kind == "list":
                for index in ("0", "x", "-1", "99999999999999999999"):
                    yield Fault("index", f"{item(name, shape, protocol)}{index}", form | {f"{item(name, shape, protocol)}{index}": "a"}, given)
            continue
        yield Fault("structured", name, without | {f"{name}.Colour": "blue"}, given)
        yield from (add("type", value) for value in {
            "integer": ("many", "1.5", "99999999999", ""), "long": ("many", "9" * 30, ""), "double": ("many",), "float": ("many",),
            "boolean": ("perhaps", "", "1"), "timestamp": ("yesterday", ""),
        }.get(kind, ()))
        if kind in ("integer", "long"):
            yield add("range", "-7")
            if "max" in shape.metadata:
                yield add("range", str(shape.metadata["max"] + 1))
            if shape.metadata.get("min", 0) > 0:
                yield add("range", str(shape.metadata["min"] - 1))
        if kind == "string":
            yield add("enum" if shape.enum else "long", "no-such-word" if shape.enum else LONG)
        if given:
            yield Fault("repeated", name, [*form.items(), (name, form[name])], given)
            yield from ids(name, form, foreign, shape)


def ids(name, form, foreign, shape):
    found = AN_ID.fullmatch(form[name])
    if not found or shape.type_name != "string":
        return
    prefix = found[1]
    for value in ("nonsense", f"{prefix}-xyz", f"{prefix}-{'0' * 18}", f"{prefix}-{'A' * 17}", ""):
        yield Fault("malformed", name, form | {name: value}, True, prefix)
    for value in (f"{prefix}-{'0' * 17}", *foreign.get(prefix, ())):
        yield Fault("not found", name, form | {name: value}, True, prefix)


def siblings(name, without):
    """Whether what the parameter belongs to is still there when it is not."""
    parent = name.rpartition(".")[0]
    return not parent or any(one.startswith(f"{parent}.") for one in without)


def members(shape, protocol, prefix, path):
    """Every parameter's name, shape, and whether it must be there; of lists the first item."""
    for member, one in shape.members.items():
        name = prefix + own_name(member, one, protocol)
        yield name, one, member in shape.required_members
        inner = one
        if one.type_name == "list":
            inner = one.member
            name = f"{item(name, one, protocol)}1"
            if inner.type_name != "structure":
                yield name, inner, False
        if inner.type_name == "structure" and inner.name not in path and len(path) < DEEPEST:
            yield from members(inner, protocol, f"{name}.", (*path, inner.name))


def own_name(member, shape, protocol):
    written = shape.serialization
    if protocol != "ec2":
        return written.get("name", member)
    if "queryName" in written:
        return written["queryName"]
    name = written.get("name", member)
    return name[0].upper() + name[1:]


def item(name, shape, protocol):
    """What stands before the number of an item."""
    if protocol == "ec2" or shape.serialization.get("flattened"):
        return f"{name}."
    return f"{name}.{shape.member.serialization.get('name', 'member')}."


# The JSON protocol


def of_json(model, parameters):
    """Faults of a call whose request is JSON."""
    body = create_serializer("json", include_validation=False).serialize_to_request(parameters, model)["body"]
    whole = json.loads(body)
    for text in (b"{", b"[]", b"7", b'"a"', b"\xff", b"{'a': 1}", b"nonsense"):
        yield Fault("type", "", text, True)
    yield from of_structure(model.input_shape, whole, (), ())


def of_structure(shape, whole, path, names):
    here = at(whole, path)
    for member, one in shape.members.items():
        key = one.serialization.get("name", member)
        given = key in here
        where = (*path, key)
        name = ".".join(map(str, where))
        put = lambda kind, value, where=where, name=name, given=given: Fault(kind, name, altered(whole, where, value), given)
        if member in shape.required_members and given:
            yield Fault("missing", name, altered(whole, where, None), given)
        kind, limits = one.type_name, one.metadata
        wrong = {
            "string": (7, {}, []), "integer": ("x", 1.5, {}), "long": ("x", {}), "boolean": ("x", 7), "timestamp": ("x", {}),
            "structure": ("x", 7, [7]), "list": ("x", 7, {}), "map": ("x", 7, [7]), "blob": ("%%%", 7), "double": ("x", {}),
        }[kind]
        yield from (put("type", value) for value in wrong)
        if given and kind in ("string", "integer", "long", "boolean"):
            twice = json.dumps(whole)[:-1] + f", {json.dumps(key)}: {json.dumps(here[key])}" + "}"
            if not path:
                yield Fault("repeated", name, twice.encode(), given)
        if one.type_name == "string" and one.enum:
            yield put("enum", "no-such-word")
        elif kind == "string":
            if limits.get("min", 0) > 0:
                yield put("range", "")
            if "max" in limits:
                yield put("range", "x" * (limits["max"] + 1))
            if "pattern" in limits and not matches(limits["pattern"], " \x07!{}"):
                yield put("pattern", " \x07!{}")
        if kind in ("integer", "long"):
            if "min" in limits:
                yield put("range", limits["min"] - 1)
            if "max" in limits:
                yield put("range", limits["max"] + 1)
        if kind == "list" and given:
            if limits.get("min", 0) > 0:
                yield put("range", [])
            if limits.get("max", 10_000) <= 1000:
                yield put("range", here[key][:1] * (limits["max"] + 1))
        if not given or one.name in names:
            continue
        if kind == "structure":
            yield from of_structure(one, whole, where, (*names, one.name))
        if kind == "list" and one.member.type_name == "structure" and here[key]:
            yield from of_structure(one.member, whole, (*where, 0), (*names, one.name))


def matches(pattern, text):
    try:
        return re.fullmatch(pattern, text) is not None
    except re.error:
        return True  # Patterns of Java that Python does not read are not judged.


def at(whole, path):
    for step in path:
        whole = whole[step]
    return whole


def altered(whole, where, value):
    """A body in which a member has another value, or is not there."""
    whole = copy.deepcopy(whole)
    parent = at(whole, where[:-1])
    if value is None:
        del parent[where[-1]]
    else:
        parent[where[-1]] = value
    return json.dumps(whole).encode()
