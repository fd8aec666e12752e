use serde_json::json;

use super::super::tests_support::world;
use super::*;

fn call(world: &World, operation: &str, body: &Value) -> Result<Value, Refusal> {
    answer(world, operation, body.to_string().as_bytes())
        .map(|reply| reply.body.unwrap_or_default())
}

fn code(world: &World, operation: &str, body: &Value) -> String {
    let refusal = call(world, operation, body).unwrap_err();
    assert_eq!(refusal.status, 400);
    refusal.code.into_owned()
}

#[test]
fn a_group_is_made_once_and_described_with_both_arns() {
    let world = world();
    let create = json!({"logGroupName": "/aws/lambda/f", "tags": {"team": "chat"}});
    call(&world, "CreateLogGroup", &create).unwrap();
    assert_eq!(
        code(&world, "CreateLogGroup", &create),
        "ResourceAlreadyExistsException"
    );
    let retention = json!({"logGroupName": "/aws/lambda/f", "retentionInDays": 14});
    call(&world, "PutRetentionPolicy", &retention).unwrap();
    let found = call(&world, "DescribeLogGroups", &json!({})).unwrap();
    let group = &found["logGroups"][0];
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f";
    assert_eq!(group["arn"], format!("{arn}:*"));
    assert_eq!(group["logGroupArn"], arn);
    assert_eq!(group["retentionInDays"], 14);
    let tags = call(&world, "ListTagsForResource", &json!({"resourceArn": arn})).unwrap();
    assert_eq!(tags, json!({"tags": {"team": "chat"}}));
    call(
        &world,
        "UntagResource",
        &json!({"resourceArn": arn, "tagKeys": ["team"]}),
    )
    .unwrap();
    let tags = call(
        &world,
        "ListTagsLogGroup",
        &json!({"logGroupName": "/aws/lambda/f"}),
    )
    .unwrap();
    assert_eq!(tags, json!({"tags": {}}));
    let starred = json!({"resourceArn": format!("{arn}:*")});
    assert_eq!(
        code(&world, "ListTagsForResource", &starred),
        "ResourceNotFoundException"
    );
    call(
        &world,
        "DeleteRetentionPolicy",
        &json!({"logGroupName": "/aws/lambda/f"}),
    )
    .unwrap();
    let found = call(&world, "DescribeLogGroups", &json!({})).unwrap();
    assert_eq!(found["logGroups"][0].get("retentionInDays"), None);
}

#[test]
fn what_aws_refuses_is_refused() {
    let world = world();
    call(
        &world,
        "CreateLogGroup",
        &json!({"logGroupName": "g", "deletionProtectionEnabled": true}),
    )
    .unwrap();
    for (operation, body, expected) in [
        (
            "CreateLogGroup",
            json!({"logGroupName": "a b"}),
            "InvalidParameterException",
        ),
        (
            "CreateLogGroup",
            json!({"logGroupName": "aws/x"}),
            "InvalidParameterException",
        ),
        (
            "PutRetentionPolicy",
            json!({"logGroupName": "g", "retentionInDays": 15}),
            "InvalidParameterException",
        ),
        (
            "PutRetentionPolicy",
            json!({"logGroupName": "none", "retentionInDays": 14}),
            "ResourceNotFoundException",
        ),
        (
            "DeleteLogGroup",
            json!({"logGroupName": "g"}),
            "ValidationException",
        ),
        (
            "DeleteLogGroup",
            json!({"logGroupName": "none"}),
            "ResourceNotFoundException",
        ),
        (
            "CreateLogStream",
            json!({"logGroupName": "g", "logStreamName": "a:b"}),
            "InvalidParameterException",
        ),
        (
            "GetLogEvents",
            json!({"logGroupName": "g", "logStreamName": "none"}),
            "ResourceNotFoundException",
        ),
        (
            "DescribeLogGroups",
            json!({"limit": 51}),
            "InvalidParameterException",
        ),
        ("MakeCoffee", json!({}), "UnknownOperationException"),
    ] {
        assert_eq!(
            code(&world, operation, &body),
            expected,
            "{operation} {body}"
        );
    }
}

#[test]
fn groups_come_in_pages_of_a_prefix() {
    let world = world();
    for i in 0..60 {
        world
            .logs
            .put(&format!("/aws/lambda/f{i:02}"), "s", 1, "line");
    }
    world.logs.put("/other", "s", 1, "line");
    let first = call(
        &world,
        "DescribeLogGroups",
        &json!({"logGroupNamePrefix": "/aws/"}),
    )
    .unwrap();
    assert_eq!(first["logGroups"].as_array().unwrap().len(), 50);
    let next = json!({"logGroupNamePrefix": "/aws/", "nextToken": first["nextToken"]});
    let second = call(&world, "DescribeLogGroups", &next).unwrap();
    assert_eq!(second["logGroups"].as_array().unwrap().len(), 10);
    assert_eq!(second.get("nextToken"), None);
}

#[test]
fn events_are_written_read_and_searched() {
    let world = world();
    let now = world.clock.millis();
    for (i, line) in ["START one", "hello bob\n", "END one"]
        .into_iter()
        .enumerate()
    {
        world.logs.put("g", "a", now + i as u64, line);
    }
    call(
        &world,
        "CreateLogStream",
        &json!({"logGroupName": "g", "logStreamName": "b"}),
    )
    .unwrap();
    let put = json!({"logGroupName": "g", "logStreamName": "b", "logEvents": [
        {"timestamp": now + 1, "message": "hello eve"}, {"timestamp": now + 2, "message": "bye"}
    ]});
    call(&world, "PutLogEvents", &put).unwrap();
    let get = call(
        &world,
        "GetLogEvents",
        &json!({"logGroupName": "g", "logStreamName": "a", "limit": 2, "startFromHead": true}),
    )
    .unwrap();
    assert_eq!(get["events"][1]["message"], "hello bob");
    let next = json!({"logGroupName": "g", "logStreamName": "a", "limit": 2, "nextToken": get["nextForwardToken"]});
    let rest = call(&world, "GetLogEvents", &next).unwrap();
    assert_eq!(rest["events"].as_array().unwrap().len(), 1);
    let end =
        json!({"logGroupName": "g", "logStreamName": "a", "nextToken": rest["nextForwardToken"]});
    let end = call(&world, "GetLogEvents", &end).unwrap();
    assert_eq!(end["events"], json!([]));
    assert_eq!(
        end["nextForwardToken"], rest["nextForwardToken"],
        "the end of a stream has a fixed point"
    );
    let hello = json!({"logGroupName": "g", "filterPattern": "hello"});
    let found = call(&world, "FilterLogEvents", &hello).unwrap();
    let lines: Vec<&str> = found["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["message"].as_str().unwrap())
        .collect();
    assert_eq!(lines, ["hello bob", "hello eve"]);
    let phrase = json!({"logGroupName": "g", "filterPattern": "\"hello bob\"", "startTime": now, "endTime": now + 1});
    let none = call(&world, "FilterLogEvents", &phrase).unwrap();
    assert_eq!(none["events"], json!([]), "the end does not count");
}

#[test]
fn streams_and_events_are_bounded() {
    let world = world();
    for i in 0..=EVENTS {
        world.logs.put("g", "s", i as u64, &i.to_string());
    }
    for i in 0..STREAMS {
        world
            .logs
            .put("g", &format!("t{i}"), 1_000_000 + i as u64, "x");
    }
    let streams = locked(&world.logs.streams);
    assert_eq!(streams["g"].len(), STREAMS);
    assert!(
        !streams["g"].contains_key("s"),
        "the one written longest ago is gone"
    );
    assert!(streams["g"].values().all(|s| s.events.len() <= EVENTS));
}
