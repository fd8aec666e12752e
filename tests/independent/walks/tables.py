"""Every operation of DynamoDB that the local cloud has, and of its streams."""

import lab

NAME = "walked"
KEY = {"id": {"S": "a"}}
ARN = f"arn:aws:dynamodb:us-east-1:000000000000:table/{NAME}"
TEXTS = [{"AttributeName": n, "AttributeType": "S"} for n in ("id", "room")]


def hashed(name):
    return [{"AttributeName": name, "KeyType": "HASH"}]


def index(name):
    return {"IndexName": name, "KeySchema": hashed("room"), "Projection": {"ProjectionType": "ALL"}}


def walk(w):
    tables(w)
    items(w)
    queries(w)
    several(w)
    statements(w)
    settings(w)
    changed(w)
    gone(w)


def tables(w):
    local = {"IndexName": "local", "Projection": {"ProjectionType": "KEYS_ONLY"},
             "KeySchema": hashed("id") + [{"AttributeName": "room", "KeyType": "RANGE"}]}
    made = w("CreateTable", TableName=NAME, AttributeDefinitions=TEXTS, KeySchema=hashed("id"), BillingMode="PAY_PER_REQUEST",
             GlobalSecondaryIndexes=[index("by-room")], DeletionProtectionEnabled=True, TableClass="STANDARD",
             StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}, Tags=[{"Key": "a", "Value": "b"}],
             SSESpecification={"Enabled": True})["TableDescription"]
    assert made["TableArn"] == ARN and made["TableStatus"] == "CREATING", made
    w("CreateTable", TableName="walked-b", AttributeDefinitions=TEXTS,
      KeySchema=hashed("id") + [{"AttributeName": "room", "KeyType": "RANGE"}],
      ProvisionedThroughput={"ReadCapacityUnits": 1, "WriteCapacityUnits": 1},
      LocalSecondaryIndexes=[local])
    plain = {"AttributeDefinitions": TEXTS[:1], "KeySchema": hashed("id"), "BillingMode": "PAY_PER_REQUEST"}
    w("CreateTable", TableName="walked-d", **plain, OnDemandThroughput={"MaxReadRequestUnits": 5, "MaxWriteRequestUnits": 5})
    assert w("DescribeTable", TableName="walked-d")["Table"]["OnDemandThroughput"]["MaxReadRequestUnits"] == 5
    w("UpdateTable", TableName="walked-d", OnDemandThroughput={"MaxReadRequestUnits": 6, "MaxWriteRequestUnits": 6})
    assert w("DescribeTable", TableName="walked-d")["Table"]["OnDemandThroughput"]["MaxReadRequestUnits"] == 6
    w("DeleteTable", TableName="walked-d")
    w.refused("CreateTable", "ValidationException", TableName="walked-d", **plain, ResourcePolicy="{}")
    w.refused("CreateTable", "ValidationException", TableName="walked-d", GlobalTableSourceArn=ARN)
    w.refused("CreateTable", "ValidationException", TableName="walked-d", GlobalTableSettingsReplicationMode="ENABLED")
    w("CreateTable", TableName="walked-c", AttributeDefinitions=TEXTS[:1], KeySchema=hashed("id"), BillingMode="PAY_PER_REQUEST")
    w.refused("CreateTable", "ResourceInUseException", TableName=NAME, AttributeDefinitions=TEXTS[:1], KeySchema=hashed("id"),
              BillingMode="PAY_PER_REQUEST")
    found = w("DescribeTable", TableName=NAME)["Table"]
    assert found["GlobalSecondaryIndexes"][0]["IndexArn"] == f"{ARN}/index/by-room", found
    assert found["LatestStreamArn"].startswith(f"{ARN}/stream/"), found
    w.refused("DescribeTable", "ResourceNotFoundException", TableName="nobody")
    w.pages("ListTables", 3)


RETURNS = {"ReturnConsumedCapacity": "INDEXES", "ReturnItemCollectionMetrics": "SIZE"}


def items(w):
    for n in range(3):
        w("PutItem", TableName=NAME, Item={"id": {"S": f"a{n}"}, "room": {"S": "r"}, "n": {"N": str(n)}})
    condition = {"ConditionExpression": "attribute_not_exists(#i) OR #r = :r", "ExpressionAttributeNames": {"#i": "id", "#r": "room"},
                 "ExpressionAttributeValues": {":r": {"S": "r"}}, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    item = {**KEY, "room": {"S": "r"}, "b": {"B": b"1"}, "l": {"L": [{"BOOL": True}, {"NULL": True}]}, "m": {"M": {"x": {"SS": ["a"]}}}}
    w("PutItem", TableName=NAME, Item=item, ReturnValues="ALL_OLD", **condition, **RETURNS)
    got = w("GetItem", TableName=NAME, Key=KEY, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", ProjectionExpression="#r, b, l, m",
            ExpressionAttributeNames={"#r": "room"})["Item"]
    assert got == {k: v for k, v in item.items() if k != "id"}, got
    w("UpdateItem", TableName=NAME, Key=KEY, UpdateExpression="SET n = :n", ReturnValues="ALL_NEW", **RETURNS,
      **{**condition, "ExpressionAttributeValues": {":r": {"S": "r"}, ":n": {"N": "9"}}})
    failing = {**condition, "ExpressionAttributeValues": {":r": {"S": "other"}}}
    w.refused("PutItem", "ConditionalCheckFailedException", TableName=NAME, Item=item, **failing)
    w.refused("DeleteItem", "ConditionalCheckFailedException", TableName=NAME, Key=KEY, **failing)
    legacy(w)
    w.refused("GetItem", "ValidationException", TableName=NAME, Key={"other": {"S": "a"}})
    gone = w("DeleteItem", TableName=NAME, Key=KEY, ReturnValues="ALL_OLD", **condition, **RETURNS)
    assert gone["Attributes"]["n"] == {"N": "9"}, gone


def legacy(w):
    """What clients said before there were expressions."""
    old = {"n": {"Value": {"N": "9"}, "ComparisonOperator": "EQ"}, "gone": {"Exists": False}}
    w("UpdateItem", TableName=NAME, Key=KEY, Expected=old, ConditionalOperator="AND",
      AttributeUpdates={"n": {"Action": "ADD", "Value": {"N": "1"}}})
    got = w("GetItem", TableName=NAME, Key=KEY, AttributesToGet=["n"])["Item"]
    assert got == {"n": {"N": "10"}}, got
    w.refused("PutItem", "ConditionalCheckFailedException", TableName=NAME, Item=KEY, Expected=old)
    w("PutItem", TableName="walked-c", Item={"id": {"S": "old"}}, ConditionalOperator="OR",
      Expected={"id": {"Exists": False}, "gone": {"Exists": False}})
    w("DeleteItem", TableName="walked-c", Key={"id": {"S": "old"}}, ConditionalOperator="AND",
      Expected={"id": {"Value": {"S": "old"}}, "gone": {"Exists": False}})
    is_r = {"room": {"AttributeValueList": [{"S": "r"}], "ComparisonOperator": "EQ"}}
    some = {"n": {"AttributeValueList": [{"N": "1"}], "ComparisonOperator": "GE"}, "gone": {"ComparisonOperator": "NULL"}}
    found = w("Query", TableName=NAME, IndexName="by-room", KeyConditions=is_r, QueryFilter=some, ConditionalOperator="AND",
              AttributesToGet=["n"])
    assert found["Count"] == 3, found
    found = w("Scan", TableName=NAME, ScanFilter=some, ConditionalOperator="AND", AttributesToGet=["n"])
    assert found["Count"] == 3, found
    w("UpdateItem", TableName=NAME, Key=KEY, AttributeUpdates={"n": {"Action": "PUT", "Value": {"N": "9"}}})


def queries(w):
    of_room = {"TableName": NAME, "IndexName": "by-room", "KeyConditionExpression": "#r = :r"}
    names = {"ExpressionAttributeNames": {"#r": "room", "#n": "n"},
             "ExpressionAttributeValues": {":r": {"S": "r"}, ":n": {"N": "0"}}}
    plain = {"ExpressionAttributeNames": {"#r": "room"}, "ExpressionAttributeValues": {":r": {"S": "r"}}}
    found = w("Query", **of_room, **names, FilterExpression="#n >= :n", ProjectionExpression="id", ScanIndexForward=False,
              ReturnConsumedCapacity="TOTAL", Select="SPECIFIC_ATTRIBUTES", ConsistentRead=False)
    assert found["Count"] == 3 and len(found["Items"][0]) == 1, found
    w.pages("Query", 3, **of_room, **plain)
    w.refused("Query", "ValidationException", **of_room, **plain, ConsistentRead=True)
    found = w("Scan", TableName=NAME, IndexName="by-room", FilterExpression="#n > :n", ExpressionAttributeNames={"#n": "n"},
              ExpressionAttributeValues={":n": {"N": "0"}}, ProjectionExpression="id", Segment=0, TotalSegments=1,
              ReturnConsumedCapacity="TOTAL", Select="SPECIFIC_ATTRIBUTES", ConsistentRead=False)
    assert found["Count"] == 2 and found["ScannedCount"] == 3, found
    w.pages("Scan", 3, TableName=NAME)


def several(w):
    put = [{"PutRequest": {"Item": {"id": {"S": f"b{n}"}}}} for n in range(2)]
    w("BatchWriteItem", RequestItems={"walked-c": put}, **RETURNS)
    keys = {"walked-c": {"Keys": [{"id": {"S": "b0"}}, {"id": {"S": "b1"}}]}}
    got = w("BatchGetItem", RequestItems=keys, ReturnConsumedCapacity="TOTAL")
    assert len(got["Responses"]["walked-c"]) == 2, got
    once = [{"Put": {"TableName": "walked-c", "Item": {"id": {"S": "t"}}, "ConditionExpression": "attribute_not_exists(id)"}}]
    w("TransactWriteItems", TransactItems=once, ClientRequestToken="once", **RETURNS)
    w.refused("TransactWriteItems", "TransactionCanceledException", TransactItems=once)
    got = w("TransactGetItems", TransactItems=[{"Get": {"TableName": "walked-c", "Key": {"id": {"S": "t"}}}}],
            ReturnConsumedCapacity="TOTAL")
    assert got["Responses"][0]["Item"] == {"id": {"S": "t"}}, got


def statements(w):
    said = 'SELECT * FROM "walked-c" WHERE id = ?'
    one = {"Statement": said, "Parameters": [{"S": "t"}]}
    assert w("ExecuteStatement", **one, ConsistentRead=True, ReturnConsumedCapacity="TOTAL", Limit=5)["Items"]
    first = w("ExecuteStatement", Statement='SELECT * FROM "walked-c"', Limit=1)
    assert w("ExecuteStatement", Statement='SELECT * FROM "walked-c"', Limit=1, NextToken=first["NextToken"])["Items"]
    w.refused("ExecuteStatement", "ValidationException", Statement="SELECT")
    w("ExecuteStatement", Statement="INSERT INTO \"walked-c\" VALUE {'id': 'x'}", ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert w("BatchExecuteStatement", Statements=[one], ReturnConsumedCapacity="TOTAL")["Responses"]
    assert w("ExecuteTransaction", TransactStatements=[one], ClientRequestToken="one", ReturnConsumedCapacity="TOTAL")["Responses"]


def settings(w):
    w("UpdateTimeToLive", TableName=NAME, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})
    assert w("DescribeTimeToLive", TableName=NAME)["TimeToLiveDescription"]["AttributeName"] == "ttl"
    w("UpdateContinuousBackups", TableName=NAME, PointInTimeRecoverySpecification={
        "PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7})
    w("DescribeContinuousBackups", TableName=NAME)
    w.refused("DescribeContinuousBackups", "TableNotFoundException", TableName="nobody")
    w("TagResource", ResourceArn=ARN, Tags=[{"Key": str(n), "Value": "t"} for n in range(20)])
    w.pages("ListTagsOfResource", 21, ResourceArn=ARN)
    w("UntagResource", ResourceArn=ARN, TagKeys=["a"])
    w.refused("TagResource", "ResourceNotFoundException", ResourceArn=f"{ARN}-not", Tags=[{"Key": "a", "Value": "b"}])
    w("DescribeLimits")
    w("DescribeEndpoints")
    w("DescribeKinesisStreamingDestination", TableName=NAME)
    w("DescribeContributorInsights", TableName=NAME, IndexName="by-room")
    w.refused("GetResourcePolicy", "PolicyNotFoundException", ResourceArn=ARN)
    assert not w("ListBackups", TableName=NAME)["BackupSummaries"]


def changed(w):
    one = {"TableName": NAME}
    w("UpdateTable", **one, DeletionProtectionEnabled=False)
    w("UpdateTable", **one, TableClass="STANDARD_INFREQUENT_ACCESS")
    w("UpdateTable", **one, SSESpecification={"Enabled": False})
    w("UpdateTable", **one, StreamSpecification={"StreamEnabled": False})
    w("UpdateTable", **one, AttributeDefinitions=TEXTS, GlobalSecondaryIndexUpdates=[{"Create": index("again")}])
    w.refused("UpdateTable", "ValidationException", **one, TableClass="STANDARD", DeletionProtectionEnabled=True)
    w("UpdateTable", TableName="walked-b", BillingMode="PAY_PER_REQUEST")
    w("UpdateTable", TableName="walked-b", BillingMode="PROVISIONED",
      ProvisionedThroughput={"ReadCapacityUnits": 2, "WriteCapacityUnits": 3})
    found = w("DescribeTable", TableName="walked-b")["Table"]["ProvisionedThroughput"]
    assert (found["ReadCapacityUnits"], found["WriteCapacityUnits"]) == (2, 3), found
    region = {"RegionName": "eu-west-1"}
    for member, value in {"ReplicaUpdates": [{"Create": region}], "MultiRegionConsistency": "STRONG",
                          "GlobalTableWitnessUpdates": [{"Create": region}],
                          "GlobalTableSettingsReplicationMode": "ENABLED"}.items():
        w.refused("UpdateTable", "ValidationException", **one, **{member: value})
    table = w("DescribeTable", **one)["Table"]
    assert table["TableClassSummary"]["TableClass"] == "STANDARD_INFREQUENT_ACCESS" and "SSEDescription" not in table, table


def gone(w):
    for name in (NAME, "walked-b", "walked-c"):
        w("DeleteTable", TableName=name)
    w.refused("DeleteTable", "ResourceNotFoundException", TableName=NAME)


def walk_streams(w):
    db = lab.client("dynamodb", w.endpoint)
    stream = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    for name in ("streamed", "streamed-b", "streamed-c"):
        made = db.create_table(TableName=name, AttributeDefinitions=TEXTS[:1], KeySchema=hashed("id"),
                               BillingMode="PAY_PER_REQUEST", StreamSpecification=stream)
    arn = made["TableDescription"]["LatestStreamArn"]
    for n in range(3):
        db.put_item(TableName="streamed-c", Item={"id": {"S": str(n)}})
    found = w("ListStreams", TableName="streamed-c", Limit=1)["Streams"]
    assert [s["StreamArn"] for s in found] == [arn], found
    first = w("ListStreams", Limit=1)
    w("ListStreams", Limit=1, ExclusiveStartStreamArn=first["LastEvaluatedStreamArn"])
    shard = w("DescribeStream", StreamArn=arn, Limit=1)["StreamDescription"]["Shards"][0]["ShardId"]
    assert not w("DescribeStream", StreamArn=arn, ExclusiveStartShardId=shard)["StreamDescription"]["Shards"]
    at = w("GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    records = w("GetRecords", ShardIterator=at, Limit=2)["Records"]
    assert len(records) == 2 and records[0]["awsRegion"] == "us-east-1", records
    after = records[0]["dynamodb"]["SequenceNumber"]
    at = w("GetShardIterator", StreamArn=arn, ShardId=shard, ShardIteratorType="AFTER_SEQUENCE_NUMBER", SequenceNumber=after)
    assert len(w("GetRecords", ShardIterator=at["ShardIterator"])["Records"]) == 2
    w.refused("DescribeStream", "ResourceNotFoundException", StreamArn=f"{ARN}/stream/2024-01-01T00:00:00.000")
    for name in ("streamed", "streamed-b", "streamed-c"):
        db.delete_table(TableName=name)
