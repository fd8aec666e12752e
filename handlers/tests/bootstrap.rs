//! The real binary, from the Runtime API's first event to `DynamoDB` and `@connections`, all on one local server.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of a test may panic like the test itself"
)]

mod cloud;

use cloud::{Function, event};
use serde_json::{Value, json};

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}

#[test]
fn connect_stores_a_row_and_accepts() {
    let function = Function::start("connect");
    let more = json!({
        "headers": {"Sec-WebSocket-Protocol": "bearer, hush"},
        "queryStringParameters": {"userId": "alice"}
    });
    let response = function.invoke(event("$connect", &more));
    assert_eq!(
        response,
        json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "bearer"}})
    );
    let puts = function.called("PutItem");
    assert_eq!(puts.len(), 1);
    assert_eq!(
        puts[0].body,
        json!({"TableName": "Connections", "Item": {
            "connectionId": {"S": "a1="}, "userId": {"S": "alice"},
            "connectedAt": {"N": "1708326702000"}, "ttl": {"N": "1708413102"}
        }})
    );
    assert!(
        puts[0]
            .authorization
            .contains("/eu-west-1/dynamodb/aws4_request")
    );

    // The same environment serves the next event, and a table that fails is an answer.
    let more = json!({"queryStringParameters": {"userId": "broken"}});
    let response = function.invoke(event("$connect", &more));
    assert_eq!(response["statusCode"], 500);

    let output = function.end(true);
    let outcomes: Vec<_> = lines(&output.stdout)
        .iter()
        .map(|line| line["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["connected", "storage"]);
    let errors = lines(&output.stderr);
    assert_eq!(errors.len(), 1);
    let error = errors[0]["error"].as_str().unwrap();
    assert!(
        error.contains("PutItem of Connections: ResourceNotFoundException"),
        "{error}"
    );
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hush"));
}

#[test]
fn disconnect_deletes_the_row() {
    let function = Function::start("disconnect");
    let more = json!({"headers": {"Host": "h"}});
    let response = function.invoke(event("$disconnect", &more));
    assert_eq!(response, json!({"statusCode": 200}));
    let deletes = function.called("DeleteItem");
    assert_eq!(
        deletes[0].body,
        json!({"TableName": "Connections", "Key": {"connectionId": {"S": "a1="}}})
    );
}

#[test]
fn send_stores_delivers_prunes_and_reports() {
    let function = Function::start("send");
    let message =
        json!({"recipientId": "bob", "content": "hi", "messageId": "m1", "mood": [1, null]});
    let more = json!({"body": message.to_string()});
    assert_eq!(
        function.invoke(event("sendMessage", &more)),
        json!({"statusCode": 200})
    );

    let gets = function.called("GetItem");
    assert_eq!(gets[0].body["ConsistentRead"], true);
    let put = &function.called("PutItem")[0].body;
    assert_eq!(put["ConditionExpression"], "attribute_not_exists(#key)");
    assert_eq!(
        put["ExpressionAttributeNames"],
        json!({"#key": "messageId"})
    );
    assert_eq!(put["ReturnValuesOnConditionCheckFailure"], "ALL_OLD");
    assert_eq!(
        put["Item"]["mood"],
        json!({"L": [{"N": "1"}, {"NULL": true}]})
    );
    let queries = function.called("Query");
    assert!(
        queries
            .iter()
            .all(|query| query.body["IndexName"] == "userId-index")
    );
    assert_eq!(queries.len(), 3);

    let posts = function.called("b1%3D");
    assert_eq!(posts.len(), 1);
    assert_eq!(posts[0].body["data"]["content"], "hi");
    assert!(
        posts[0]
            .authorization
            .contains("/eu-west-1/execute-api/aws4_request")
    );
    assert_eq!(function.called("gone%3D").len(), 1);
    assert_eq!(function.called("slow%3D").len(), 2, "throttled, then taken");
    let delete = &function.called("DeleteItem")[0].body;
    assert_eq!(delete["Key"], json!({"connectionId": {"S": "gone="}}));
    // Gone is gone for ever, whose row it is does not matter; but for one that is only just opening.
    assert_eq!(
        delete["ConditionExpression"],
        "attribute_not_exists(connectedAt) OR connectedAt < :young"
    );
    let young = &delete["ExpressionAttributeValues"][":young"]["N"];
    let young: u64 = young.as_str().unwrap().parse().unwrap();
    assert!(
        young > 1_700_000_000_000,
        "{young} is no time in milliseconds"
    );
    let status = function.called("a1%3D");
    assert_eq!(status.len(), 1);
    assert_eq!(
        status[0].body,
        json!({"type": "messageStatus",
            "data": {"messageId": "m1", "status": "delivered", "recipients": 2}})
    );

    let settled = &function.called("UpdateItem")[0].body;
    assert_eq!(settled["Key"], json!({"messageId": {"S": "m1"}}));
    assert_eq!(
        settled["ConditionExpression"],
        "#status = :sent AND attribute_not_exists(#unwritten)"
    );
    assert_eq!(
        settled["ExpressionAttributeValues"],
        json!({":sent": {"S": "sent"}, ":delivered": {"S": "delivered"}, ":recipients": {"N": "2"}})
    );

    // Again, by another event.
    let mut again = event("sendMessage", &more);
    again["requestContext"]["requestId"] = "r2".into();
    function.invoke(again);
    assert_eq!(function.called("b1%3D").len(), 1);
    assert_eq!(function.called("a1%3D").len(), 2);

    let output = function.end(true);
    let records = lines(&output.stdout);
    assert_eq!(records[0]["outcome"], "delivered");
    assert_eq!(records[0]["userId"], "alice");
    assert_eq!(records[0]["pruned"], 1);
    assert_eq!(records[1]["outcome"], "duplicate");
    assert_eq!(lines(&output.stderr), Vec::<Value>::new());
}

#[test]
fn an_unknown_handler_is_an_init_error_and_the_end() {
    let function = Function::start("index.handler");
    let told = function.next_told();
    assert_eq!(told.what, "init/error");
    assert_eq!(told.error_type.as_deref(), Some("Runtime.UnknownHandler"));
    assert_eq!(told.body["errorType"], "Runtime.UnknownHandler");
    let message = told.body["errorMessage"].as_str().unwrap();
    assert!(message.contains("`index.handler`"), "{message}");
    let output = function.end(false);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(lines(&output.stderr)[0]["error"], message);
}
