"""Objects that belong to somebody else: made by boto3, to see that msgai leaves them alone."""

import json
import zipfile
from io import BytesIO

TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]})


def table(cloud, name, key="messageId", item=True):
    tables = cloud.client("dynamodb")
    tables.create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}])
    tables.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    if item:
        tables.put_item(TableName=name, Item={key: {"S": "kept"}, "content": {"S": "written before msgai came"}})


def role(cloud, name):
    return cloud.client("iam").create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]


def function(cloud, name):
    """A function with a role of its own, whose name is the function's with -role behind it."""
    code = BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context):\n    return {'statusCode': 200}\n")
    functions = cloud.client("lambda")
    functions.create_function(
        FunctionName=name, Runtime="python3.12", Role=role(cloud, f"{name}-role"), Handler="index.handler",
        Code={"ZipFile": code.getvalue()})
    functions.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def log_group(cloud, name):
    cloud.client("logs").create_log_group(logGroupName=name)


def api(cloud, name):
    apis = cloud.client("apigatewayv2")
    made = apis.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    integration = apis.create_integration(ApiId=made["ApiId"], IntegrationType="MOCK")
    apis.create_route(ApiId=made["ApiId"], RouteKey="ping", Target=f"integrations/{integration['IntegrationId']}")


def one_of_each(cloud, name):
    """Neighbours, with names that no stack wants."""
    api(cloud, name)
    function(cloud, name)
    table(cloud, f"{name}-table")
    log_group(cloud, f"/aws/lambda/{name}")


def remove(cloud, kind, name):
    if kind == "table":
        cloud.client("dynamodb").delete_table(TableName=name)
    elif kind == "role":
        cloud.client("iam").delete_role(RoleName=name)
    elif kind == "function":
        cloud.client("lambda").delete_function(FunctionName=name)
        cloud.client("iam").delete_role(RoleName=f"{name}-role")
    elif kind == "log_group":
        cloud.client("logs").delete_log_group(logGroupName=name)
