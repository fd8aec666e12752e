use std::time::Duration;

use super::super::clock::Clock;
use super::super::tests_support::{world, world_with};
use super::super::{Realism, testing};
use super::*;

fn call(world: &World, operation: &str, body: &Value) -> Result<Value, Refusal> {
    perform(world, operation, body.to_string().as_bytes())
}

fn ok(world: &World, operation: &str, body: &Value) -> Value {
    call(world, operation, body).unwrap()
}

/// The code's last part and the text; the service's refusals are all 400.
fn refused(world: &World, operation: &str, body: &Value) -> (String, String) {
    let refusal = call(world, operation, body).unwrap_err();
    assert_eq!(refusal.status, 400);
    (
        refusal.code.rsplit('#').next().unwrap().to_owned(),
        refusal.message,
    )
}

fn table(indexes: &[&str]) -> Value {
    let mut names = vec!["id"];
    names.extend(indexes);
    let definitions: Vec<Value> = names
        .iter()
        .map(|name| json!({"AttributeName": name, "AttributeType": "S"}))
        .collect();
    let mut table = json!({
        "TableName": "Connections", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": definitions,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "Tags": [{"Key": "s", "Value": "one"}],
    });
    if !indexes.is_empty() {
        let indexes: Vec<Value> = indexes.iter().map(|name| index(name)).collect();
        table["GlobalSecondaryIndexes"] = indexes.into();
    }
    table
}

fn index(attribute: &str) -> Value {
    json!({
        "IndexName": format!("{attribute}-index"),
        "KeySchema": [{"AttributeName": attribute, "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    })
}

fn add_index(attribute: &str) -> Value {
    json!({
        "TableName": "Connections",
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": "S"}],
        "GlobalSecondaryIndexUpdates": [{"Create": index(attribute)}],
    })
}

fn named() -> Value {
    json!({"TableName": "Connections"})
}

fn described(world: &World) -> Value {
    ok(world, "DescribeTable", &named())["Table"].clone()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_table_that_a_kill_left_half_made_is_not_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let open = || {
        testing::world(
            Clock::turned(testing::START),
            Realism::INSTANT,
            Some(dir.path()),
        )
    };
    let world = open();
    ok(&world, "CreateTable", &table(&[]));
    for name in ["Half", "Full", "Bare"] {
        let mut made = table(&[]);
        made["TableName"] = name.into();
        // As the engine alone makes it, of which the cloud has not been told.
        engine::run(
            &world.dynamodb.engine,
            "CreateTable",
            made.to_string().as_bytes(),
        )
        .unwrap();
    }
    let item = json!({"TableName": "Full", "Item": {"id": {"S": "a"}}});
    ok(&world, "PutItem", &item);
    drop(world);
    // Of this one, the kill left the description alone.
    let file = rusqlite::Connection::open(dir.path().join("dynamodb.sqlite")).unwrap();
    file.execute("DROP TABLE \"Bare\"", []).unwrap();
    drop(file);
    let names = ok(&open(), "ListTables", &json!({}));
    assert_eq!(names["TableNames"], json!(["Connections", "Full"]));
}

#[test]
fn a_table_comes_back_with_our_arns_and_nothing_more() {
    let world = world();
    let made = ok(&world, "CreateTable", &table(&["userId"]));
    assert_eq!(made["TableDescription"]["TableStatus"], "CREATING");
    let table = described(&world);
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/Connections";
    assert_eq!(table["TableArn"], arn);
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(
        table["GlobalSecondaryIndexes"][0]["IndexArn"],
        format!("{arn}/index/userId-index")
    );
    assert_eq!(table["GlobalSecondaryIndexes"][0]["IndexStatus"], "ACTIVE");
    assert_eq!(
        table["BillingModeSummary"]["BillingMode"],
        "PAY_PER_REQUEST"
    );
    assert_eq!(table["ProvisionedThroughput"]["ReadCapacityUnits"], 0);
    assert!(table.get("SSEDescription").is_none());
    let tags = ok(&world, "ListTagsOfResource", &json!({"ResourceArn": arn}));
    assert_eq!(tags, json!({"Tags": [{"Key": "s", "Value": "one"}]}));
}

#[test]
fn creating_again_and_creating_badly_is_refused() {
    let world = world();
    ok(&world, "CreateTable", &table(&[]));
    let (code, message) = refused(&world, "CreateTable", &table(&[]));
    assert_eq!(
        (code.as_str(), message.as_str()),
        (
            "ResourceInUseException",
            "Table already exists: Connections"
        )
    );
    let mut extra = table(&["userId"]);
    extra
        .as_object_mut()
        .unwrap()
        .remove("GlobalSecondaryIndexes");
    extra["TableName"] = "Other".into();
    assert_eq!(
        refused(&world, "CreateTable", &extra).0,
        "ValidationException"
    );
    let mut empty = table(&[]);
    empty["TableName"] = "Other".into();
    empty["GlobalSecondaryIndexes"] = json!([]);
    assert_eq!(
        refused(&world, "CreateTable", &empty).0,
        "ValidationException"
    );
    assert_eq!(
        refused(&world, "DescribeTable", &json!({"TableName": "none"})).0,
        "ResourceNotFoundException"
    );
    let unknown = call(&world, "MakeCoffee", &json!({})).unwrap_err();
    assert_eq!(
        unknown.code,
        "com.amazon.coral.service#UnknownOperationException"
    );
}

#[test]
fn errors_carry_what_clients_read_beside_the_message() {
    let world = world();
    ok(&world, "CreateTable", &table(&[]));
    let put = json!({"TableName": "Connections", "Item": {"id": {"S": "a"}}, "ConditionExpression": "attribute_not_exists(id)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD"});
    ok(&world, "PutItem", &put);
    let refusal = call(&world, "PutItem", &put).unwrap_err();
    assert_eq!(
        refusal.code,
        "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException"
    );
    assert_eq!(refusal.more["Item"], json!({"id": {"S": "a"}}));
    let transaction = json!({"TransactItems": [{"Put": put}]});
    let refusal = call(&world, "TransactWriteItems", &transaction).unwrap_err();
    assert_eq!(
        refusal.more["CancellationReasons"][0]["Code"],
        "ConditionalCheckFailed"
    );
    let empty = json!({"TableName": "Connections", "Item": {"id": {}}});
    assert_eq!(refused(&world, "PutItem", &empty).0, "ValidationException");
    let number = json!({"TableName": 1});
    assert_eq!(
        refused(&world, "Query", &number).0,
        "SerializationException"
    );
}

#[test]
fn a_table_takes_its_time_to_come_and_to_go() {
    let world = world_with(Realism {
        write_conflicts: false,
        ..Realism::AWS
    });
    ok(&world, "CreateTable", &table(&["userId"]));
    assert_eq!(described(&world)["TableStatus"], "CREATING");
    let put = json!({"TableName": "Connections", "Item": {"id": {"S": "a"}}});
    assert_eq!(
        refused(&world, "PutItem", &put).0,
        "ResourceNotFoundException"
    );
    assert_eq!(
        refused(&world, "DeleteTable", &named()).0,
        "ResourceInUseException"
    );
    let class = json!({"TableName": "Connections", "TableClass": "STANDARD_INFREQUENT_ACCESS"});
    assert_eq!(
        refused(&world, "UpdateTable", &class).0,
        "ResourceInUseException"
    );
    assert_eq!(
        refused(&world, "DescribeTimeToLive", &named()).0,
        "ValidationException"
    );
    assert_eq!(
        refused(&world, "DescribeContinuousBackups", &named()).0,
        "TableNotFoundException"
    );
    world.clock.turn(seconds(15));
    assert_eq!(
        described(&world)["GlobalSecondaryIndexes"][0]["IndexStatus"],
        "CREATING"
    );
    world.clock.turn(seconds(1));
    assert_eq!(described(&world)["TableStatus"], "ACTIVE");
    ok(&world, "PutItem", &put);

    let gone = ok(&world, "DeleteTable", &named());
    assert_eq!(gone["TableDescription"]["TableStatus"], "DELETING");
    assert_eq!(described(&world)["TableStatus"], "DELETING");
    assert_eq!(
        ok(&world, "ListTables", &json!({}))["TableNames"],
        json!(["Connections"])
    );
    let (code, message) = refused(&world, "DeleteTable", &named());
    assert_eq!(code, "ResourceInUseException");
    assert!(message.contains("Table is being deleted"), "{message}");
    assert_eq!(
        refused(&world, "CreateTable", &table(&[])).0,
        "ResourceInUseException"
    );
    world.clock.turn(seconds(4));
    assert_eq!(
        refused(&world, "DescribeTable", &named()).0,
        "ResourceNotFoundException"
    );
    ok(&world, "CreateTable", &table(&[]));
}

#[test]
fn one_index_at_a_time_and_the_table_cannot_go_meanwhile() {
    let world = world_with(Realism {
        write_conflicts: false,
        ..Realism::AWS
    });
    ok(&world, "CreateTable", &table(&[]));
    world.clock.turn(seconds(4));
    let reply = ok(&world, "UpdateTable", &add_index("userId"));
    assert_eq!(reply["TableDescription"]["TableStatus"], "UPDATING");
    assert_eq!(
        refused(&world, "UpdateTable", &add_index("groupId")).0,
        "ResourceInUseException"
    );
    world.clock.turn(seconds(40));
    let table = described(&world);
    assert_eq!(table["TableStatus"], "ACTIVE");
    assert_eq!(
        table["GlobalSecondaryIndexes"][0]["IndexStatus"],
        "CREATING"
    );
    assert_eq!(table["GlobalSecondaryIndexes"][0]["Backfilling"], true);
    let (code, message) = refused(&world, "UpdateTable", &add_index("groupId"));
    assert_eq!(code, "LimitExceededException");
    assert!(
        message.contains("Only 1 online index can be created or deleted simultaneously per table")
    );
    let (code, message) = refused(&world, "DeleteTable", &named());
    assert_eq!(code, "ResourceInUseException");
    assert!(message.contains("while indexes are being created, updated, or deleted"));
    let query = json!({"TableName": "Connections", "IndexName": "userId-index", "KeyConditionExpression": "userId = :u",
        "ExpressionAttributeValues": {":u": {"S": "a"}}});
    assert!(
        refused(&world, "Query", &query)
            .1
            .contains("backfilling global secondary index: userId-index")
    );
    world.clock.turn(seconds(8 * 60));
    ok(&world, "Query", &query);
    let drop = json!({"TableName": "Connections", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "userId-index"}}]});
    ok(&world, "UpdateTable", &drop);
    assert_eq!(
        described(&world)["GlobalSecondaryIndexes"][0]["IndexStatus"],
        "DELETING"
    );
    world.clock.turn(seconds(4));
    let table = described(&world);
    assert!(table.get("GlobalSecondaryIndexes").is_none(), "{table}");
    assert_eq!(
        table["AttributeDefinitions"].as_array().unwrap().len(),
        1,
        "unused definitions go with it"
    );
}

#[test]
fn an_update_has_one_concern_and_echoes_the_old_values() {
    let world = world();
    ok(&world, "CreateTable", &table(&[]));
    let two = json!({"TableName": "Connections", "DeletionProtectionEnabled": true, "TableClass": "STANDARD"});
    assert_eq!(
        refused(&world, "UpdateTable", &two).0,
        "ValidationException"
    );
    let many = json!({"TableName": "Connections", "GlobalSecondaryIndexUpdates": [{"Create": index("a")}, {"Create": index("b")}]});
    assert_eq!(
        refused(&world, "UpdateTable", &many).0,
        "LimitExceededException"
    );
    let protect = |on: bool| json!({"TableName": "Connections", "DeletionProtectionEnabled": on});
    let reply = ok(&world, "UpdateTable", &protect(true));
    assert_ne!(reply["TableDescription"]["DeletionProtectionEnabled"], true);
    assert_eq!(described(&world)["DeletionProtectionEnabled"], true);
    let (code, message) = refused(&world, "DeleteTable", &named());
    assert_eq!(code, "ValidationException");
    assert!(
        message.contains("currently protected against deletion"),
        "{message}"
    );
    ok(&world, "UpdateTable", &protect(false));
    let sse = |on: bool| json!({"TableName": "Connections", "SSESpecification": {"Enabled": on}});
    ok(&world, "UpdateTable", &sse(true));
    assert_eq!(described(&world)["SSEDescription"]["SSEType"], "KMS");
    ok(&world, "UpdateTable", &sse(false));
    assert!(described(&world).get("SSEDescription").is_none());
    ok(&world, "DeleteTable", &named());
}

#[test]
fn protection_is_not_toggled_twice_in_a_moment() {
    let world = world_with(Realism {
        throttles: true,
        ..Realism::INSTANT
    });
    ok(&world, "CreateTable", &table(&[]));
    let protect = |on: bool| json!({"TableName": "Connections", "DeletionProtectionEnabled": on});
    ok(&world, "UpdateTable", &protect(true));
    ok(&world, "UpdateTable", &protect(true));
    let (code, message) = refused(&world, "UpdateTable", &protect(false));
    assert_eq!(code, "ThrottlingException");
    assert!(
        message.contains("Please try again after 2023-11-14T22:13:35Z"),
        "{message}"
    );
    world.clock.turn(seconds(15));
    ok(&world, "UpdateTable", &protect(false));
}

#[test]
fn ttl_is_set_once_an_interval() {
    let world = world_with(Realism {
        ttl_interval: seconds(1860),
        ..Realism::INSTANT
    });
    ok(&world, "CreateTable", &table(&[]));
    let ttl = |on: bool, attribute: &str| {
        json!({"TableName": "Connections",
        "TimeToLiveSpecification": {"Enabled": on, "AttributeName": attribute}})
    };
    let off = refused(&world, "UpdateTimeToLive", &ttl(false, "ttl"));
    assert_eq!(
        off,
        (
            "ValidationException".to_owned(),
            "TimeToLive is already disabled".to_owned()
        )
    );
    ok(&world, "UpdateTimeToLive", &ttl(true, "ttl"));
    let status =
        |world: &World| ok(world, "DescribeTimeToLive", &named())["TimeToLiveDescription"].clone();
    assert_eq!(
        status(&world),
        json!({"TimeToLiveStatus": "ENABLING", "AttributeName": "ttl"})
    );
    assert_eq!(
        refused(&world, "UpdateTimeToLive", &ttl(true, "ttl")).1,
        "TimeToLive is already enabled"
    );
    assert!(
        refused(&world, "UpdateTimeToLive", &ttl(true, "x"))
            .1
            .starts_with("TimeToLive is active on a different AttributeName")
    );
    assert_eq!(
        refused(&world, "UpdateTimeToLive", &ttl(false, "ttl")).1,
        "Time to live has been modified multiple times within a fixed interval"
    );
    world.clock.turn(seconds(1860));
    assert_eq!(status(&world)["TimeToLiveStatus"], "ENABLED");
    ok(&world, "UpdateTimeToLive", &ttl(false, "ttl"));
}

#[test]
fn expired_items_are_swept_on_the_clouds_clock() {
    let world = world();
    ok(&world, "CreateTable", &table(&[]));
    ok(
        &world,
        "UpdateTimeToLive",
        &json!({"TableName": "Connections", "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "ttl"}}),
    );
    let at = world.clock.now().as_secs() + 100;
    ok(
        &world,
        "PutItem",
        &json!({"TableName": "Connections", "Item": {"id": {"S": "a"}, "ttl": {"N": at.to_string()}}}),
    );
    assert_eq!(world.dynamodb.engine.sweep_ttl().unwrap(), 0);
    world.clock.turn(seconds(101));
    assert_eq!(world.dynamodb.engine.sweep_ttl().unwrap(), 1);
}

#[test]
fn tags_lock_the_table_for_a_moment() {
    let world = world_with(Realism {
        write_conflicts: true,
        ..Realism::INSTANT
    });
    ok(&world, "CreateTable", &table(&[]));
    let arn = "arn:aws:dynamodb:us-east-1:000000000000:table/Connections";
    let tag = |value: &str| json!({"ResourceArn": arn, "Tags": [{"Key": "s", "Value": value}]});
    ok(&world, "TagResource", &tag("two"));
    ok(&world, "TagResource", &tag("two"));
    let (code, message) = refused(&world, "TagResource", &tag("three"));
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("LimitExceededException", "Table tags are being updated")
    );
    assert_eq!(
        refused(&world, "DeleteTable", &named()).0,
        "ResourceInUseException"
    );
    world.clock.turn(Duration::from_millis(1600));
    ok(
        &world,
        "UntagResource",
        &json!({"ResourceArn": arn, "TagKeys": ["s"]}),
    );
    world.clock.turn(Duration::from_millis(1600));
    let many: Vec<Value> = (0..25)
        .map(|i| json!({"Key": format!("k{i:02}"), "Value": ""}))
        .collect();
    ok(
        &world,
        "TagResource",
        &json!({"ResourceArn": arn, "Tags": many}),
    );
    let mut keys = Vec::new();
    let mut request = json!({"ResourceArn": arn});
    for _ in 0..10 {
        let page = ok(&world, "ListTagsOfResource", &request);
        let tags = page["Tags"].as_array().unwrap();
        assert!(tags.len() <= 10);
        keys.extend(
            tags.iter()
                .map(|tag| tag["Key"].as_str().unwrap().to_owned()),
        );
        match page["NextToken"].as_str() {
            Some(token) => request["NextToken"] = token.into(),
            None => break,
        }
    }
    assert_eq!(keys.len(), 25);
    let none = json!({"ResourceArn": "arn:aws:dynamodb:us-east-1:000000000000:table/none", "Tags": [{"Key": "a", "Value": ""}]});
    assert_eq!(
        refused(&world, "TagResource", &none).0,
        "ResourceNotFoundException"
    );
}

#[test]
fn recovery_waits_for_its_backups() {
    let world = world_with(Realism {
        recovery_available: seconds(2),
        ..Realism::INSTANT
    });
    ok(&world, "CreateTable", &table(&[]));
    let set = |on: bool| json!({"TableName": "Connections", "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": on}});
    assert_eq!(
        refused(&world, "UpdateContinuousBackups", &set(true)).0,
        "ContinuousBackupsUnavailableException"
    );
    world.clock.turn(seconds(2));
    ok(&world, "UpdateContinuousBackups", &set(true));
    ok(&world, "UpdateContinuousBackups", &set(true));
    let point = |world: &World| {
        ok(world, "DescribeContinuousBackups", &named())["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"].clone()
    };
    assert_eq!(point(&world)["PointInTimeRecoveryStatus"], "ENABLED");
    assert_eq!(point(&world)["RecoveryPeriodInDays"], 35);
    let mut long = set(true);
    long["PointInTimeRecoverySpecification"]["RecoveryPeriodInDays"] = 36.into();
    assert_eq!(
        refused(&world, "UpdateContinuousBackups", &long).0,
        "ValidationException"
    );
    ok(&world, "UpdateContinuousBackups", &set(false));
    assert_eq!(
        point(&world),
        json!({"PointInTimeRecoveryStatus": "DISABLED"})
    );
    assert_eq!(
        refused(
            &world,
            "DescribeContinuousBackups",
            &json!({"TableName": "none"})
        )
        .0,
        "TableNotFoundException"
    );
}

#[test]
fn streams_are_found_by_the_arns_that_are_shown() {
    let world = world();
    let mut body = table(&[]);
    body["StreamSpecification"] = json!({"StreamEnabled": true, "StreamViewType": "NEW_IMAGE"});
    ok(&world, "CreateTable", &body);
    let arn = described(&world)["LatestStreamArn"].clone();
    assert!(
        arn.as_str()
            .unwrap()
            .starts_with("arn:aws:dynamodb:us-east-1:"),
        "{arn}"
    );
    let stream = ok(&world, "DescribeStream", &json!({"StreamArn": arn}));
    assert_eq!(stream["StreamDescription"]["StreamArn"], arn);
}
