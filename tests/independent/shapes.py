"""Answers as they came over the wire, against the shapes of botocore's service models.

botocore's own parsers forgive much: a member that no shape has, a number where a text belongs, a time in another form. Here each
is a fault.
"""

import base64
import json
import re
import xml.etree.ElementTree as xml

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$")


class Wrong(Exception):
    """What an answer has that its shape has not."""


def need(holds, what):
    if not holds:
        raise Wrong(what)


def answer(protocol, operation, raw):
    """Checks status, headers and body of a call that went well."""
    shape, status = operation.output_shape, raw["status_code"]
    members = shape.members if shape else {}
    located = {n: m.serialization["location"] for n, m in members.items() if "location" in m.serialization}
    if "statusCode" in located.values():
        need(200 <= status < 300, f"status {status}")
    else:
        need(status == operation.http.get("responseCode", 200), f"status {status}")
    need(any(name.lower() == "x-amzn-requestid" for name in raw["headers"]), "no request id")
    if shape is not None and (operation.has_streaming_output or "payload" in shape.serialization):
        return
    if protocol == "query":
        query(operation, raw["body"])
    else:
        body = raw["body"].decode()
        if shape is None:
            need(body in ("", "{}"), f"a body where the model has none: {body}")
        else:
            value = json.loads(body) if body else {}
            of_json({n: m for n, m in members.items() if n not in located}, shape.required_members, value, operation.name)


def wire_name(name, member):
    return member.serialization.get("name", name)


def of_json(members, required, value, at):
    need(isinstance(value, dict), f"{at}: {value!r} is no object")
    names = {wire_name(name, member): (name, member) for name, member in members.items()}
    for key, part in value.items():
        if key in MEMBERS_BESIDE:
            continue
        need(key in names, f"{at}: no member `{key}` in the model")
        json_value(names[key][1], part, f"{at}.{key}")
    for name in required:
        if name in members:
            need(wire_name(name, members[name]) in value, f"{at}: `{name}` is required")


def json_value(shape, value, at):
    kind = shape.type_name
    if kind == "structure":
        if getattr(shape, "is_document_type", False):
            return
        of_json(shape.members, shape.required_members, value, at)
    elif kind == "list":
        need(isinstance(value, list), f"{at}: {value!r} is no list")
        for i, item in enumerate(value):
            json_value(shape.member, item, f"{at}[{i}]")
    elif kind == "map":
        need(isinstance(value, dict), f"{at}: {value!r} is no map")
        for key, item in value.items():
            json_value(shape.value, item, f"{at}[{key}]")
    elif kind == "timestamp":
        if shape.serialization.get("timestampFormat", "unixTimestamp") == "iso8601":
            need(isinstance(value, str) and ISO.match(value), f"{at}: {value!r} is no ISO 8601 time")
        else:
            need(is_number(value), f"{at}: {value!r} is no epoch time")
    elif kind == "blob":
        base64.b64decode(value, validate=True)
    elif kind == "boolean":
        need(isinstance(value, bool), f"{at}: {value!r} is no boolean")
    elif kind in ("integer", "long"):
        need(isinstance(value, int) and not isinstance(value, bool), f"{at}: {value!r} is no integer")
    elif kind in ("float", "double"):
        need(is_number(value), f"{at}: {value!r} is no number")
    else:
        text(shape, value, at)


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# Members and values that AWS answers and its own models leave out.
MEMBERS_BESIDE = {"TableThroughputModeSummary"}
BESIDE = {"PermissionsBoundaryAttachmentType": ["Policy"]}


def text(shape, value, at):
    need(isinstance(value, str), f"{at}: {value!r} is no text")
    known = not shape.enum or value in shape.enum or value in BESIDE.get(shape.name, ())
    need(known, f"{at}: {value!r} is none of {shape.enum}")


def query(operation, body):
    root = xml.fromstring(body)
    bare(root)
    need(root.tag == f"{operation.name}Response", f"the root is {root.tag}")
    need(root.find("ResponseMetadata/RequestId") is not None, "no request id in the body")
    rest = [child for child in root if child.tag != "ResponseMetadata"]
    if operation.output_shape is None:
        need(not rest, f"a result where the model has none: {[c.tag for c in rest]}")
        return
    wrapper = operation.output_shape.serialization["resultWrapper"]
    need([child.tag for child in rest] == [wrapper], f"{[c.tag for c in rest]} instead of {wrapper}")
    xml_value(operation.output_shape, rest[0], operation.name)


def bare(element):
    for child in element.iter():
        child.tag = child.tag.split("}")[-1]


def xml_value(shape, element, at):
    kind, content = shape.type_name, element.text or ""
    if kind == "structure":
        names = {wire_name(name, member): (name, member) for name, member in shape.members.items()}
        seen = [child.tag for child in element]
        need(len(seen) == len(set(seen)), f"{at}: {seen} are not one each")
        for child in element:
            need(child.tag in names, f"{at}: no member `{child.tag}` in the model")
            xml_value(names[child.tag][1], child, f"{at}.{child.tag}")
        for name in shape.required_members:
            need(wire_name(name, shape.members[name]) in seen, f"{at}: `{name}` is required")
    elif kind == "list":
        for i, child in enumerate(element):
            need(child.tag == "member", f"{at}: <{child.tag}> in a list")
            xml_value(shape.member, child, f"{at}[{i}]")
    elif kind == "map":
        for child in element:
            need([part.tag for part in child] == ["key", "value"], f"{at}: an entry is {[p.tag for p in child]}")
            xml_value(shape.value, child[1], f"{at}[{child[0].text}]")
    elif kind == "timestamp":
        need(ISO.match(content), f"{at}: {content!r} is no ISO 8601 time")
    elif kind == "boolean":
        need(content in ("true", "false"), f"{at}: {content!r} is no boolean")
    elif kind in ("integer", "long"):
        need(re.fullmatch(r"-?\d+", content), f"{at}: {content!r} is no integer")
    else:
        text(shape, content, at)


# Codes that every operation of AWS may answer and few models name.
COMMON = {
    "AccessDenied": 403, "AccessDeniedException": 403, "MalformedPolicyDocument": 400, "SerializationException": 400,
    "ThrottlingException": 400, "ValidationError": 400, "ValidationException": 400,
}


def refusal(protocol, service, operation, code, raw):
    """Checks that a refusal is one that the operation, or at least its service, is known to give, with its status."""
    own = {named(shape): shape for shape in operation.error_shapes}
    all_of_service = {named(shape): shape for shape in service.error_shapes}
    shape = own.get(code) or all_of_service.get(code)
    status = raw["status_code"]
    if shape is None:
        need(code in COMMON, f"refused with {code}, which the model does not have")
        need(status == COMMON[code], f"{code} with status {status}")
        return
    # The JSON protocols' models leave it out: there every fault of a client is 400.
    wanted = shape.metadata.get("error", {}).get("httpStatusCode", 500 if shape.metadata.get("fault") else 400)
    need(status == wanted, f"{code} with status {status}, not {wanted}")
    if protocol == "query":
        return
    known = {"__type", "message", "Message", "Type"} | {wire_name(n, m) for n, m in shape.members.items()}
    more = set(json.loads(raw["body"])) - known
    need(not more, f"{code} has members that the model has not: {more}")


def named(shape):
    return shape.metadata.get("error", {}).get("code", shape.name)
