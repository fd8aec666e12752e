"""The end of a run: what a cloud holds, made comparable with the end of another run of the same stack.

Ids, times and numbers that the cloud chooses are replaced by what they stand for. What other people own is kept as it is.
"""

import json
import re

import holds

# What a cloud chooses and nobody asked for.
CHOSEN = {
    "CreateDate", "CreatedDate", "CreationDateTime", "EarliestRestorableDateTime",
    "LastIncreaseDateTime", "LastDecreaseDateTime", "LastModified", "LastUpdatedDate", "LatestRestorableDateTime",
    "RevisionId", "RoleId", "TableId", "creationTime", "storedBytes", "metricFilterCount", "NumberOfDecreasesToday",
}


def everything(cloud):
    """holds.everything, and the policies, concurrency and backups that it leaves out."""
    held = holds.everything(cloud)
    for name, what in held.items():
        kind, _, name = name.partition(" ")
        if kind == "function":
            what.update(_function(cloud.client("lambda"), name, what["aliases"]))
        elif kind == "table":
            what["backups"] = _backups(cloud.client("dynamodb"), name)
    return held


def split(held, stack):
    """What is the stack's, by name, and what is not."""
    ours = {name: what for name, what in held.items() if stack in name}
    return ours, {name: what for name, what in held.items() if name not in ours}


def comparable(ours):
    """{"kind name": description} that is the same after every run that ended alike, and what is spare: {what: number}."""
    apis = {name: what for name, what in ours.items() if name.startswith("api ")}
    plain, spare = {}, {}
    for n, (name, api) in enumerate(sorted(apis.items())):
        plain[f"api {api['Name']} {n}"], spare["deployments"] = _api(api)
    for name, what in ours.items():
        if name.startswith("function "):
            plain[name] = {k: what[k] for k in ("tags", "live", "statements", "concurrency")}
            plain[name]["latest"] = _configuration(what["configuration"])
            spare["versions"] = spare.get("versions", 0) + what["versions"] - 1
        elif name.startswith("table "):
            plain[name] = _table(what)
        elif name not in apis:
            plain[name] = what
    text = json.dumps(_without(plain), sort_keys=True, default=str)
    for n, api in enumerate(sorted(api["ApiId"] for api in apis.values())):
        text = text.replace(api, f"<api {n}>")
    text = re.sub("/authorizers/[a-z0-9]+", "/authorizers/<id>", text)
    # Of an API that has gone, and is named in what a stand-in's tagging service does not tell of.
    text = re.sub(r"(execute-api:[^:]+:\d+:)[a-z0-9]+/", r"\1<api>/", text)
    # Each cloud listens somewhere else.
    return json.loads(re.sub(r"(localhost|127\.0\.0\.1):\d+", r"\1", text)), spare


def differences(usual, end):
    """Where two ends differ, as lines for a person."""
    usual, end = dict(_leaves(usual)), dict(_leaves(end))
    return [f"{path}: {usual.get(path, 'nothing')} in the usual end, {end.get(path, 'nothing')} here"
            for path in sorted(usual.keys() | end.keys()) if usual.get(path, None) != end.get(path, None)]


def _leaves(value, path=""):
    if isinstance(value, (dict, list)) and value:
        of = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in of:
            yield from _leaves(inner, f"{path} > {key}" if path else str(key))
    else:
        yield path, json.dumps(value)


def _function(functions, name, aliases):
    found = {"live": {}, "statements": {}, "concurrency": None}
    for alias in aliases:
        of = {"FunctionName": name, "Qualifier": alias["Name"]}
        found["live"][alias["Name"]] = _configuration(functions.get_function(**of)["Configuration"])
        found["statements"][alias["Name"]] = _statements(functions, of)
    found["concurrency"] = functions.get_function(FunctionName=name).get("Concurrency")
    return found


def _statements(functions, of):
    try:
        policy = json.loads(functions.get_policy(**of)["Policy"])
    except functions.exceptions.ResourceNotFoundException:
        return []
    # An id ends with a digest of what it allows, the API's id included.
    named = [{**statement, "Sid": statement["Sid"].rpartition("-")[0]} for statement in policy["Statement"]]
    return sorted(named, key=lambda statement: statement["Sid"])


def _backups(tables, name):
    described = tables.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    return described["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]


def _configuration(configuration):
    """Settings of a version, whichever number it has."""
    return {k: v for k, v in configuration.items() if k not in ("Version", "FunctionArn", "MasterArn")}


def _table(what):
    table = dict(what["table"])
    for listed, by in (("GlobalSecondaryIndexes", "IndexName"), ("AttributeDefinitions", "AttributeName")):
        table[listed] = sorted(table.get(listed) or [], key=lambda one: one[by])
    return {**what, "table": table, "items": sorted(what["items"], key=str)}


def _api(api):
    """An API whose parts name each other by what they are, and how many deployments nobody serves."""
    integrations = {i["IntegrationId"]: i.get("IntegrationUri", "") for i in api["integrations"]}
    authorizers = {a["AuthorizerId"]: a["Name"] for a in api["authorizers"]}
    deployed = {d["DeploymentId"] for d in api["deployments"]}
    served = {stage.get("DeploymentId") for stage in api["stages"]}
    parts = {
        "integrations": [_only(i, "IntegrationId") for i in api["integrations"]],
        "authorizers": [_only(a, "AuthorizerId") for a in api["authorizers"]],
        "routes": [
            {**_only(r, "RouteId"), "Target": integrations.get(r.get("Target", "").removeprefix("integrations/")),
             "AuthorizerId": authorizers.get(r.get("AuthorizerId"))} for r in api["routes"]],
        "stages": [
            {**s, "DeploymentId": "one that is there" if s.get("DeploymentId") in deployed else s.get("DeploymentId")}
            for s in api["stages"]],
    }
    parts = {part: sorted(all_of, key=lambda one: json.dumps(one, sort_keys=True, default=str))
             for part, all_of in parts.items()}
    return {**_only(api, "deployments"), **parts}, len(deployed - served)


def _only(what, *less):
    return {k: v for k, v in what.items() if k not in less}


def _without(value):
    if isinstance(value, dict):
        kept = {k: _without(v) for k, v in value.items() if k not in CHOSEN}
        # Some leave out what is empty, and some do after one call and not after another.
        return {k: v for k, v in kept.items() if v not in ("", None)}
    if isinstance(value, list):
        return [_without(v) for v in value]
    return value
