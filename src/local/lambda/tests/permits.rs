//! Who may call a function.

use super::*;

#[tokio::test]
async fn a_policy_is_rendered_as_aws_renders_it() {
    let cloud = cloud().await;
    let path = format!("{F}/f/policy");
    let none = cloud.call("GET", &path, Value::Null).await;
    assert_eq!(none.error(), (404, "ResourceNotFoundException"));
    let added = permit(&cloud, "f", "s1").await;
    let statement = format!(
        r#"{{"Sid":"s1","Effect":"Allow","Principal":{{"Service":"apigateway.amazonaws.com"}},"Action":"lambda:InvokeFunction","Resource":"{ARN}","Condition":{{"StringEquals":{{"AWS:SourceAccount":"000000000000"}},"ArnLike":{{"AWS:SourceArn":"arn:aws:execute-api:us-east-1:000000000000:api1/*/$connect"}}}}}}"#
    );
    assert_eq!(
        (added.status, &added.json()["Statement"]),
        (201, &json!(statement))
    );
    let got = cloud.call("GET", &path, Value::Null).await.json();
    let policy = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    assert_eq!(got["Policy"], policy);
    assert!(got["RevisionId"].is_string());
    let twice = permit(&cloud, "f", "s1").await;
    assert_eq!(twice.error(), (409, "ResourceConflictException"));
    assert!(
        twice
            .text()
            .contains("The statement id (s1) provided already exists.")
    );
    let removed = cloud
        .call("DELETE", &format!("{path}/s1"), Value::Null)
        .await;
    assert_eq!(removed.status, 204);
    let again = cloud
        .call("DELETE", &format!("{path}/s1"), Value::Null)
        .await;
    assert_eq!(again.error(), (404, "ResourceNotFoundException"));
    assert_eq!(cloud.call("GET", &path, Value::Null).await.status, 404);
}

#[tokio::test]
async fn a_permission_holds_for_its_qualifier_and_its_source_only() {
    let cloud = cloud().await;
    assert_eq!(
        cloud
            .call("POST", &format!("{F}/f/versions"), Value::Null)
            .await
            .status,
        201
    );
    let input = json!({ "Name": "live", "FunctionVersion": "1" });
    assert_eq!(
        cloud
            .call("POST", &format!("{F}/f/aliases"), input)
            .await
            .status,
        201
    );
    assert_eq!(permit(&cloud, "f?Qualifier=live", "s1").await.status, 201);
    assert_eq!(
        permit(&cloud, "f?Qualifier=$LATEST", "s1").await.error().0,
        400
    );
    assert_eq!(
        permit(&cloud, "f?Qualifier=nope", "s1").await.error().0,
        404
    );
    let source = "arn:aws:execute-api:us-east-1:000000000000:api1/prod/$connect";
    let live = format!("{ARN}:live");
    let allows = |arn: &str, source: &str, account| cloud.world.lambda.allows(arn, source, account);
    assert!(allows(&live, source, "000000000000"));
    assert!(!allows(ARN, source, "000000000000"));
    assert!(!allows(
        &live,
        &source.replace("$connect", "send"),
        "000000000000"
    ));
    assert!(!allows(&live, source, "111122223333"));
    let removed = format!("{F}/f/policy/s1?Qualifier=live");
    assert_eq!(
        cloud.call("DELETE", &removed, Value::Null).await.status,
        204
    );
    assert!(!allows(&live, source, "000000000000"));
}

#[tokio::test]
async fn permissions_written_at_the_same_time_conflict() {
    let realism = Realism {
        write_conflicts: true,
        api_write: Duration::from_millis(80),
        ..Realism::INSTANT
    };
    let cloud = Cloud::start(Clock::turned(START), realism).await;
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    let (first, second) = tokio::join!(biased; permit(&cloud, "f", "s1"), async {
        let writing = async {
            while crate::local::locked(&cloud.world.lambda.writing).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), writing).await.unwrap();
        let refused = permit(&cloud, "f", "s2").await;
        cloud.turn(1);
        refused
    });
    assert_eq!(first.status, 201);
    assert_eq!(second.error(), (409, "ResourceConflictException"));
}
