"""boto3 against the local cloud: every kind made, read, changed, listed in pages and deleted."""

import contextlib
import json

import foreign
import lab
from lab import check

NAME = "other"


@contextlib.contextmanager
def refused(client, code):
    try:
        yield
    except client.exceptions.ClientError as error:
        check(error.response["Error"]["Code"] == code, f"refused with {error}, not {code}")
        return
    raise lab.Failed(f"not refused with {code}")


def connect_event(user):
    """What API Gateway sends to a $connect function."""
    return {
        "queryStringParameters": {"userId": user} if user else None,
        "requestContext": {
            "routeKey": "$connect", "eventType": "CONNECT", "connectionId": "invoked=", "requestId": "r",
            "stage": "production", "domainName": "localhost", "apiId": "none", "connectedAt": 1,
        },
    }


def everything(endpoint, zip_file):
    identity(endpoint)
    role = roles(endpoint)
    tables(endpoint)
    logs(endpoint)
    functions(endpoint, zip_file, role)
    apis(endpoint)
    tagged(endpoint)
    lab.client("iam", endpoint).delete_role(RoleName=NAME)


def identity(endpoint):
    who = lab.client("sts", endpoint).get_caller_identity()
    check(who["Account"] == "000000000000" and who["Arn"].startswith("arn:aws:"), f"the caller is {who}")


def roles(endpoint):
    iam = lab.client("iam", endpoint)
    arn = iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=foreign.TRUST, Tags=[{"Key": "a", "Value": "b"}])[
        "Role"]["Arn"]
    with refused(iam, "EntityAlreadyExists"):
        iam.create_role(RoleName=NAME, AssumeRolePolicyDocument=foreign.TRUST)
    check(iam.get_role(RoleName=NAME)["Role"]["AssumeRolePolicyDocument"] == json.loads(foreign.TRUST), "the trust")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"}]}
    iam.put_role_policy(RoleName=NAME, PolicyName="inline", PolicyDocument=json.dumps(policy))
    check(iam.get_role_policy(RoleName=NAME, PolicyName="inline")["PolicyDocument"] == policy, "the policy")
    check(iam.list_role_policies(RoleName=NAME)["PolicyNames"] == ["inline"], "the list of policies")
    with refused(iam, "DeleteConflict"):
        iam.delete_role(RoleName=NAME)
    iam.tag_role(RoleName=NAME, Tags=[{"Key": "c", "Value": "d"}])
    iam.untag_role(RoleName=NAME, TagKeys=["a"])
    check(iam.list_role_tags(RoleName=NAME)["Tags"] == [{"Key": "c", "Value": "d"}], "the role's tags")
    iam.delete_role_policy(RoleName=NAME, PolicyName="inline")
    with refused(iam, "NoSuchEntity"):
        iam.get_role(RoleName="nobody")
    return arn


def tables(endpoint):
    db = lab.client("dynamodb", endpoint)
    foreign.table(lab.Cloud("local", endpoint, endpoint), NAME, "id")
    with refused(db, "ResourceInUseException"):
        foreign.table(lab.Cloud("local", endpoint, endpoint), NAME, "id")
    attribute = {"AttributeName": "room", "AttributeType": "S"}
    index = {"IndexName": "by-room", "Projection": {"ProjectionType": "ALL"},
             "KeySchema": [{"AttributeName": "room", "KeyType": "HASH"}]}
    db.update_table(TableName=NAME, AttributeDefinitions=[attribute, {"AttributeName": "id", "AttributeType": "S"}],
                    GlobalSecondaryIndexUpdates=[{"Create": index}])
    db.get_waiter("table_exists").wait(TableName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    db.update_time_to_live(TableName=NAME, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    ttl = db.describe_time_to_live(TableName=NAME)["TimeToLiveDescription"]
    check(ttl["AttributeName"] == "ttl" and ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING"), f"the TTL is {ttl}")
    puts = [{"PutRequest": {"Item": {"id": {"S": f"{n:02}"}, "room": {"S": "blue"}, "n": {"N": str(n)}}}}
            for n in range(25)]
    db.batch_write_item(RequestItems={NAME: puts})
    found = db.get_paginator("query").paginate(
        TableName=NAME, IndexName="by-room", KeyConditionExpression="room = :r",
        ExpressionAttributeValues={":r": {"S": "blue"}}, PaginationConfig={"PageSize": 10})
    pages = [page["Count"] for page in found]
    check(sum(pages) == 25 and len(pages) >= 3, f"25 items in pages of 10: {pages}")
    db.update_item(TableName=NAME, Key={"id": {"S": "03"}}, UpdateExpression="ADD n :one",
                   ExpressionAttributeValues={":one": {"N": "1"}})
    check(db.get_item(TableName=NAME, Key={"id": {"S": "03"}})["Item"]["n"] == {"N": "4"}, "the updated item")
    with refused(db, "ConditionalCheckFailedException"):
        db.put_item(TableName=NAME, Item={"id": {"S": "03"}}, ConditionExpression="attribute_not_exists(id)")
    db.delete_item(TableName=NAME, Key={"id": {"S": "03"}})
    check("Item" not in db.get_item(TableName=NAME, Key={"id": {"S": "03"}}), "the deleted item")
    arn = db.describe_table(TableName=NAME)["Table"]["TableArn"]
    check(f":{lab.REGION}:000000000000:table/{NAME}" in arn, f"the table's ARN is {arn}")
    db.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "b"}])
    check(db.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}], "the table's tags")
    names = [n for page in db.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 1})
             for n in page["TableNames"]]
    check(NAME in names and "Connections-dev" in names, f"tables: {names}")
    db.delete_table(TableName=NAME)
    db.get_waiter("table_not_exists").wait(TableName=NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 30})


def logs(endpoint):
    client = lab.client("logs", endpoint)
    client.create_log_group(logGroupName=NAME, tags={"a": "b"})
    with refused(client, "ResourceAlreadyExistsException"):
        client.create_log_group(logGroupName=NAME)
    client.put_retention_policy(logGroupName=NAME, retentionInDays=7)
    with refused(client, "InvalidParameterException"):
        client.put_retention_policy(logGroupName=NAME, retentionInDays=8)
    client.create_log_stream(logGroupName=NAME, logStreamName="stream")
    import time
    now = int(time.time() * 1000)
    client.put_log_events(logGroupName=NAME, logStreamName="stream", logEvents=[
        {"timestamp": now, "message": "first"}, {"timestamp": now + 1, "message": "second"}])
    read = client.get_log_events(logGroupName=NAME, logStreamName="stream", startFromHead=True)["events"]
    check([e["message"] for e in read] == ["first", "second"], f"the stream has {read}")
    found = client.filter_log_events(logGroupName=NAME, filterPattern="second")["events"]
    check([e["message"] for e in found] == ["second"], f"the filter finds {found}")
    pages = client.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 1})
    groups = {g["logGroupName"]: g for page in pages for g in page["logGroups"]}
    check(groups[NAME]["retentionInDays"] == 7 and len(groups) >= 4, f"log groups: {sorted(groups)}")
    arn = groups[NAME]["arn"].removesuffix(":*")
    check(client.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "b"}, "the log group's tags")
    client.delete_log_group(logGroupName=NAME)
    with refused(client, "ResourceNotFoundException"):
        client.delete_log_group(logGroupName=NAME)


def functions(endpoint, zip_file, role):
    client = lab.client("lambda", endpoint)
    wait = {"Delay": 1, "MaxAttempts": 30}
    variables = {"CONNECTIONS_TABLE": "Connections-dev"}
    made = client.create_function(
        FunctionName=NAME, Runtime="provided.al2023", Role=role, Handler="connect", Timeout=10,
        Code={"ZipFile": zip_file.read_bytes()}, Environment={"Variables": variables}, Tags={"a": "b"})
    client.get_waiter("function_active_v2").wait(FunctionName=NAME, WaiterConfig=wait)
    with refused(client, "ResourceConflictException"):
        client.create_function(FunctionName=NAME, Runtime="provided.al2023", Role=role, Handler="connect",
                               Code={"ZipFile": zip_file.read_bytes()})
    call = {"FunctionName": NAME, "Payload": json.dumps(connect_event("dora")), "LogType": "Tail"}
    check(json.load(client.invoke(**call)["Payload"])["statusCode"] == 500, "a role without a policy has written")
    iam = lab.client("iam", endpoint)
    allowed = {"Effect": "Allow", "Action": "dynamodb:PutItem", "Resource": "*"}
    iam.put_role_policy(RoleName=NAME, PolicyName="write", PolicyDocument=json.dumps({
        "Version": "2012-10-17", "Statement": allowed}))
    answer = client.invoke(**call)
    check(json.load(answer["Payload"])["statusCode"] == 200 and "FunctionError" not in answer, f"invoke: {answer}")
    iam.delete_role_policy(RoleName=NAME, PolicyName="write")
    db = lab.client("dynamodb", endpoint)
    key = {"connectionId": {"S": "invoked="}}
    row = db.get_item(TableName="Connections-dev", Key=key).get("Item", {})
    check(row.get("userId") == {"S": "dora"}, f"the invoked function wrote {row}")
    db.delete_item(TableName="Connections-dev", Key=key)
    client.update_function_configuration(FunctionName=NAME, MemorySize=256)
    client.get_waiter("function_updated_v2").wait(FunctionName=NAME, WaiterConfig=wait)
    read = client.get_function(FunctionName=NAME)
    check(read["Configuration"]["MemorySize"] == 256 and read["Tags"] == {"a": "b"}, f"the function is {read}")
    check(read["Configuration"]["CodeSha256"] == made["CodeSha256"], "the code's hash")
    version = client.publish_version(FunctionName=NAME)["Version"]
    client.create_alias(FunctionName=NAME, Name="live", FunctionVersion=version)
    check(client.get_alias(FunctionName=NAME, Name="live")["FunctionVersion"] == version == "1", "the alias")
    allow = {"FunctionName": NAME, "Qualifier": "live", "StatementId": "s", "Action": "lambda:InvokeFunction",
             "Principal": "apigateway.amazonaws.com"}
    client.add_permission(**allow)
    with refused(client, "ResourceConflictException"):
        client.add_permission(**allow)
    policy = json.loads(client.get_policy(FunctionName=NAME, Qualifier="live")["Policy"])
    check([s["Sid"] for s in policy["Statement"]] == ["s"], f"the function's policy is {policy}")
    with refused(client, "ResourceNotFoundException"):
        client.get_policy(FunctionName=NAME)
    pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    names = [f["FunctionName"] for page in pages for f in page["Functions"]]
    check(len(names) == 4 and NAME in names, f"functions: {names}")
    client.delete_function(FunctionName=NAME)
    with refused(client, "ResourceNotFoundException"):
        client.get_function(FunctionName=NAME)


def apis(endpoint):
    client = lab.client("apigatewayv2", endpoint)
    made = client.create_api(Name=NAME, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action",
                             Tags={"a": "b"})
    api = {"ApiId": made["ApiId"]}
    with refused(client, "BadRequestException"):
        client.create_deployment(**api)
    integration = client.create_integration(**api, IntegrationType="MOCK")["IntegrationId"]
    routes = [client.create_route(**api, RouteKey=key, Target=f"integrations/{integration}")["RouteId"]
              for key in ("$connect", "one", "two", "three", "four")]
    with refused(client, "ConflictException"):
        client.create_route(**api, RouteKey="one")
    pages = client.get_paginator("get_routes").paginate(**api, PaginationConfig={"PageSize": 2})
    counts = [len(page["Items"]) for page in pages]
    check(sum(counts) == 5 and len(counts) == 3, f"five routes in pages of two: {counts}")
    client.update_route(**api, RouteId=routes[1], RouteResponseSelectionExpression="$default")
    response = client.create_route_response(**api, RouteId=routes[1], RouteResponseKey="$default")
    check(client.get_route_responses(**api, RouteId=routes[1])["Items"][0]["RouteResponseId"]
          == response["RouteResponseId"], "the route response")
    with refused(client, "ConflictException"):
        client.delete_integration(**api, IntegrationId=integration)
    deployment = client.create_deployment(**api)["DeploymentId"]
    client.create_stage(**api, StageName="s", DeploymentId=deployment, StageVariables={"a": "b"})
    client.update_stage(**api, StageName="s", DefaultRouteSettings={"ThrottlingRateLimit": 5.5,
                                                                     "ThrottlingBurstLimit": 2})
    stage = client.get_stage(**api, StageName="s")
    check(stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == 5.5 and stage["StageVariables"] == {"a": "b"},
          f"the stage is {stage}")
    with refused(client, "BadRequestException"):
        client.delete_deployment(**api, DeploymentId=deployment)
    client.update_api(**api, Description="changed")
    check(client.get_api(**api)["Description"] == "changed", "the description")
    arn = f"arn:aws:apigateway:{lab.REGION}::/apis/{made['ApiId']}"
    client.tag_resource(ResourceArn=arn, Tags={"c": "d"})
    check(client.get_api(**api)["Tags"] == {"a": "b", "c": "d"}, "the API's tags")
    names = [a["Name"] for page in client.get_paginator("get_apis").paginate(PaginationConfig={"PageSize": 1})
             for a in page["Items"]]
    check(sorted(names) == ["MessageAI-WebSocket-dev", NAME], f"APIs: {names}")
    client.delete_api(**api)
    with refused(client, "NotFoundException"):
        client.get_api(**api)


def tagged(endpoint):
    client = lab.client("resourcegroupstaggingapi", endpoint)
    pages = client.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": "msgai:stack", "Values": ["messageai-dev"]}], PaginationConfig={"PageSize": 3})
    arns = [m["ResourceARN"] for page in pages for m in page["ResourceTagMappingList"]]
    check(any(":function:websocket-connect-dev" in arn for arn in arns) and len(arns) >= 8, f"tagged: {arns}")


def connections(management, connection):
    client = lab.client("apigatewaymanagementapi", management)
    seen = client.get_connection(ConnectionId=connection)
    check("ConnectedAt" in seen and seen["Identity"]["SourceIp"] == "127.0.0.1", f"the connection is {seen}")
    client.post_to_connection(ConnectionId=connection, Data=b'{"from":"boto3"}')
    client.delete_connection(ConnectionId=connection)


def gone(management, connection):
    client = lab.client("apigatewaymanagementapi", management)
    with refused(client, "GoneException"):
        client.post_to_connection(ConnectionId=connection, Data=b"late")
