//! Versions and aliases.

use super::*;

#[tokio::test]
async fn publishing_without_a_change_gives_the_same_version() {
    let cloud = cloud().await;
    let versions = format!("{F}/f/versions");
    let publish = || cloud.call("POST", &versions, json!({ "Description": "d" }));
    let first = publish().await;
    assert_eq!((first.status, &first.json()["Version"]), (201, &json!("1")));
    assert_eq!(first.json()["FunctionArn"], format!("{ARN}:1"));
    assert_eq!(publish().await.json()["Version"], "1");
    let mut body = code("two");
    body["Publish"] = json!(true);
    let put = cloud.call("PUT", &format!("{F}/f/code"), body).await.json();
    assert_eq!(put["Version"], "2");
    assert_eq!(publish().await.json()["Version"], "2");
    let wrong = json!({ "CodeSha256": "AAAA" });
    let got = cloud.call("POST", &format!("{F}/f/versions"), wrong).await;
    assert_eq!(got.error(), (400, "InvalidParameterValueException"));
    let listed = cloud
        .call("GET", &format!("{F}/f/versions"), Value::Null)
        .await
        .json();
    let listed: Vec<&Value> = listed["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| &v["Version"])
        .collect();
    assert_eq!(listed, ["$LATEST", "1", "2"]);
}

#[tokio::test]
async fn version_numbers_are_never_used_again() {
    let cloud = cloud().await;
    let versions = format!("{F}/f/versions");
    let publish = || cloud.call("POST", &versions, Value::Null);
    assert_eq!(publish().await.json()["Version"], "1");
    assert_eq!(
        cloud
            .call("DELETE", &format!("{F}/f"), Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(cloud.create("f", Value::Null).await.status, 201);
    assert_eq!(publish().await.json()["Version"], "2");
}

#[tokio::test]
async fn aliases_point_and_protect_their_version() {
    let cloud = cloud().await;
    let aliases = format!("{F}/f/aliases");
    let live = format!("{F}/f/aliases/live");
    assert_eq!(
        cloud
            .call("POST", &format!("{F}/f/versions"), Value::Null)
            .await
            .status,
        201
    );
    let input = json!({ "Name": "live", "FunctionVersion": "1" });
    let made = cloud.call("POST", &aliases, input.clone()).await;
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["AliasArn"], format!("{ARN}:live"));
    let got = cloud.call("POST", &aliases, input).await;
    assert_eq!(got.error(), (409, "ResourceConflictException"));
    assert!(
        got.text()
            .contains(&format!("Alias already exists: {ARN}:live"))
    );
    let missing = json!({ "Name": "b", "FunctionVersion": "9" });
    let got = cloud.call("POST", &aliases, missing).await;
    assert_eq!(got.error(), (404, "ResourceNotFoundException"));
    let digits = json!({ "Name": "12", "FunctionVersion": "1" });
    assert_eq!(cloud.call("POST", &aliases, digits).await.error().0, 400);
    let got = cloud
        .call("DELETE", &format!("{F}/f?Qualifier=1"), Value::Null)
        .await;
    assert_eq!(got.error(), (409, "ResourceConflictException"));
    let shown = cloud
        .call("GET", &format!("{F}/f?Qualifier=live"), Value::Null)
        .await
        .json();
    assert_eq!(shown["Configuration"]["Version"], "1");
    assert_eq!(shown["Configuration"]["FunctionArn"], format!("{ARN}:live"));
    let moved = cloud
        .call("PUT", &live, json!({ "FunctionVersion": "$LATEST" }))
        .await
        .json();
    assert_eq!(moved["FunctionVersion"], "$LATEST");
    assert_ne!(moved["RevisionId"], made.json()["RevisionId"]);
    let gone = cloud
        .call("DELETE", &format!("{F}/f?Qualifier=1"), Value::Null)
        .await;
    assert_eq!(gone.status, 204);
    for _ in 0..2 {
        assert_eq!(cloud.call("DELETE", &live, Value::Null).await.status, 204);
    }
    let got = cloud.call("GET", &live, Value::Null).await;
    assert!(
        got.text().contains("Cannot find alias arn"),
        "{}",
        got.text()
    );
}
