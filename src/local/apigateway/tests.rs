mod parts;
mod refusals;
mod serving;
mod settings;

use super::super::tests_support::world;
use serde_json::json;

use super::*;

const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f:live/invocations";

async fn call(world: &World, method: &str, path: &str, body: Value) -> Result<Value, Refusal> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    answer(world, method, path, query, body.as_bytes())
        .await
        .map(|reply| reply.body.unwrap_or_default())
}

async fn get(world: &World, path: &str) -> Value {
    call(world, "GET", path, Value::Null).await.unwrap()
}

async fn post(world: &World, path: &str, body: Value) -> Value {
    call(world, "POST", path, body).await.unwrap()
}

async fn patch(world: &World, path: &str, body: Value) -> Value {
    call(world, "PATCH", path, body).await.unwrap()
}

async fn delete(world: &World, path: &str) {
    call(world, "DELETE", path, Value::Null).await.unwrap();
}

/// Status, code and text of a refusal.
async fn refused(world: &World, method: &str, path: &str, body: Value) -> (u16, String, String) {
    let refusal = call(world, method, path, body).await.unwrap_err();
    (refusal.status, refusal.code.into_owned(), refusal.message)
}

/// Creates something and returns its id.
async fn create(world: &World, path: &str, body: Value, id: &str) -> String {
    post(world, path, body).await[id]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn api(world: &World) -> String {
    let body = json!({
        "name": "chat", "protocolType": "WEBSOCKET",
        "routeSelectionExpression": "$request.body.action", "tags": {"s": "one"}
    });
    let id = create(world, "/v2/apis", body, "apiId").await;
    format!("/v2/apis/{id}")
}

async fn integration(world: &World, api: &str) -> String {
    let body = json!({
        "integrationType": "AWS_PROXY", "integrationMethod": "POST", "integrationUri": URI
    });
    create(world, &format!("{api}/integrations"), body, "integrationId").await
}

async fn route(world: &World, api: &str, key: &str) -> String {
    create(
        world,
        &format!("{api}/routes"),
        json!({"routeKey": key}),
        "routeId",
    )
    .await
}
