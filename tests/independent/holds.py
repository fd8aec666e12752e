"""What a cloud holds, as plain data: compared before and after, it shows what msgai touched."""

import json

from lab import LEDGER


def everything(cloud):
    """{"kind name": description} of every object of the kinds that msgai manages, and of the items of tables.

    The table of locks and history is left out: it is no stack's.
    """
    return {**_apis(cloud), **_functions(cloud), **_roles(cloud), **_tables(cloud), **_log_groups(cloud)}


def differences(before, after):
    """What was added, removed or changed, as lines for a person."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            lines.append(f"gone: {name}")
        elif name not in before:
            lines.append(f"new: {name}")
        elif before[name] != after[name]:
            lines.append(f"changed: {name}\n  {_text(before[name])}\n  {_text(after[name])}")
    return lines


def _text(value):
    return json.dumps(value, sort_keys=True, default=str)


def _plain(answer):
    """An answer without what differs from one asking to the next."""
    return {k: v for k, v in answer.items() if k != "ResponseMetadata"}


def _pages(ask, items, token="NextToken", give="NextToken"):
    more = {}
    while True:
        answer = ask(**more)
        yield from answer.get(items, [])
        if not answer.get(token):
            return
        more = {give: answer[token]}


def _apis(cloud):
    api = cloud.client("apigatewayv2")
    held = {}
    for found in _pages(api.get_apis, "Items"):
        of = {"ApiId": found["ApiId"]}
        parts = {
            part: sorted((_plain(item) for item in ask(**of)["Items"]), key=_text)
            for part, ask in (("routes", api.get_routes), ("integrations", api.get_integrations),
                              ("stages", api.get_stages), ("authorizers", api.get_authorizers),
                              ("deployments", api.get_deployments))
        }
        for route in parts["routes"]:
            responses = api.get_route_responses(RouteId=route["RouteId"], **of)["Items"]
            route["responses"] = [response["RouteResponseKey"] for response in responses]
        held[f"api {found['Name']} {found['ApiId']}"] = {**found, **parts}
    return held


def _functions(cloud):
    functions = cloud.client("lambda")
    held = {}
    for found in _pages(functions.list_functions, "Functions", "NextMarker", "Marker"):
        name = {"FunctionName": found["FunctionName"]}
        held[f"function {found['FunctionName']}"] = {
            "configuration": functions.get_function(**name)["Configuration"],
            "tags": functions.get_function(**name).get("Tags", {}),
            "aliases": functions.list_aliases(**name)["Aliases"],
            "versions": len(functions.list_versions_by_function(**name)["Versions"]),
        }
    return held


def _roles(cloud):
    iam = cloud.client("iam")
    held = {}
    for found in _pages(iam.list_roles, "Roles", "Marker", "Marker"):
        name = {"RoleName": found["RoleName"]}
        role = {k: v for k, v in iam.get_role(**name)["Role"].items() if k != "RoleLastUsed"}
        policies = iam.list_role_policies(**name)["PolicyNames"]
        held[f"role {found['RoleName']}"] = {
            "role": role,
            "tags": iam.list_role_tags(**name)["Tags"],
            "inline": {p: _plain(iam.get_role_policy(PolicyName=p, **name)) for p in policies},
            "attached": iam.list_attached_role_policies(**name)["AttachedPolicies"],
        }
    return held


def _tables(cloud):
    tables = cloud.client("dynamodb")
    held = {}
    for name in _pages(tables.list_tables, "TableNames", "LastEvaluatedTableName", "ExclusiveStartTableName"):
        if name == LEDGER:
            continue
        table = tables.describe_table(TableName=name)["Table"]
        held[f"table {name}"] = {
            "table": table,
            "ttl": tables.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
            "tags": tables.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"],
            "items": tables.scan(TableName=name)["Items"],
        }
    return held


def _log_groups(cloud):
    logs = cloud.client("logs")
    return {
        f"log group {found['logGroupName']}": found
        for found in _pages(logs.describe_log_groups, "logGroups", "nextToken", "nextToken")
    }
