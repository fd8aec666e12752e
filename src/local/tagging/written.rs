//! Tags put on several things at once, each by its own service; what fails is told beside what does not.

use std::sync::Arc;

use axum::body::Bytes;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::{invalid, texts};
use crate::local::refusal::Refusal;
use crate::local::wire::{Object, Reply};
use crate::local::{World, apigateway, dynamodb, logs};

/// Things of one call.
const MOST: usize = 20;

pub(super) async fn write(
    world: &Arc<World>,
    operation: &str,
    body: &Object,
) -> Result<Reply, Refusal> {
    let arns = texts(body.get("ResourceARNList"));
    if arns.is_empty() || arns.len() > MOST {
        return Err(invalid("ResourceARNList must have 1 to 20 items"));
    }
    let change = Change::read(operation, body)?;
    let mut failed = Map::new();
    for arn in arns {
        if let Err(refusal) = change.apply(world, arn).await {
            failed.insert(arn.to_owned(), failure(&refusal));
        }
    }
    Ok(Reply::ok(json!({ "FailedResourcesMap": failed })))
}

fn failure(refusal: &Refusal) -> Value {
    let code = if refusal.status < 500 {
        "InvalidParameterException"
    } else {
        "InternalServiceException"
    };
    json!({ "StatusCode": refusal.status, "ErrorCode": code, "ErrorMessage": refusal.message })
}

enum Change {
    Put(Map<String, Value>),
    Remove(Vec<String>),
}

impl Change {
    fn read(operation: &str, body: &Object) -> Result<Self, Refusal> {
        if operation == "UntagResources" {
            let keys = texts(body.get("TagKeys")).into_iter().map(str::to_owned);
            return Ok(Self::Remove(keys.collect()));
        }
        let tags = body.get("Tags").and_then(Value::as_object);
        let tags = tags.ok_or_else(|| invalid("Tags must not be null"))?;
        Ok(Self::Put(tags.clone()))
    }

    async fn apply(&self, world: &Arc<World>, arn: &str) -> Result<(), Refusal> {
        match arn.split(':').nth(2) {
            Some("apigateway") => self.of_api(world, arn).await,
            Some("dynamodb") => {
                let (operation, body) = self.of_table(arn);
                let body = Bytes::from(body.to_string());
                dynamodb::answer(world, operation, body).await.map(drop)
            }
            Some("lambda") => match self {
                Self::Put(tags) => world.lambda.put_tags(world, arn, &owned(tags)),
                Self::Remove(keys) => world.lambda.remove_tags(world, arn, keys),
            },
            Some("logs") => {
                let (operation, body) = match self {
                    Self::Put(tags) => ("TagResource", json!({ "resourceArn": arn, "tags": tags })),
                    Self::Remove(keys) => {
                        let body = json!({ "resourceArn": arn, "tagKeys": keys });
                        ("UntagResource", body)
                    }
                };
                logs::answer(world, operation, body.to_string().as_bytes()).map(drop)
            }
            _ => Err(invalid("The ARN is of a service that has no tags here")),
        }
    }

    async fn of_api(&self, world: &Arc<World>, arn: &str) -> Result<(), Refusal> {
        let path = format!("/v2/tags/{}", utf8_percent_encode(arn, NON_ALPHANUMERIC));
        let (method, query, body) = match self {
            Self::Put(tags) => ("POST", String::new(), json!({ "tags": tags }).to_string()),
            Self::Remove(keys) => {
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.extend_pairs(keys.iter().map(|key| ("tagKeys", key)));
                ("DELETE", query.finish(), String::new())
            }
        };
        let reply = apigateway::answer(world, method, &path, &query, body.as_bytes()).await;
        reply.map(drop)
    }

    fn of_table(&self, arn: &str) -> (&'static str, Value) {
        match self {
            Self::Put(tags) => {
                let tags = tags.iter().map(|(k, v)| json!({ "Key": k, "Value": v }));
                let tags: Vec<Value> = tags.collect();
                ("TagResource", json!({ "ResourceArn": arn, "Tags": tags }))
            }
            Self::Remove(keys) => {
                let body = json!({ "ResourceArn": arn, "TagKeys": keys });
                ("UntagResource", body)
            }
        }
    }
}

fn owned(tags: &Map<String, Value>) -> std::collections::BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    tags.iter().map(|(k, v)| (k.clone(), text(v))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::local::tests_support::world;

    fn object(value: Value) -> Object {
        let Value::Object(object) = value else {
            panic!("an object");
        };
        object
    }

    #[tokio::test]
    async fn what_cannot_be_tagged_is_told_beside_what_was() {
        let world = Arc::new(world());
        let made = json!({ "logGroupName": "g" }).to_string();
        logs::answer(&world, "CreateLogGroup", made.as_bytes()).unwrap();
        let group = "arn:aws:logs:us-east-1:000000000000:log-group:g";
        let other = format!("{group}-not");
        let all = json!([group, other, "arn:aws:s3:::bucket"]);
        let put = object(json!({ "ResourceARNList": all, "Tags": { "a": "b", "c": "d" } }));
        let reply = write(&world, "TagResources", &put).await.unwrap();
        let failed = &reply.body.unwrap()["FailedResourcesMap"];
        assert_eq!(failed.as_object().unwrap().len(), 2, "{failed}");
        assert_eq!(failed[&other]["ErrorCode"], "InvalidParameterException");
        let remove = object(json!({ "ResourceARNList": [group], "TagKeys": ["a"] }));
        write(&world, "UntagResources", &remove).await.unwrap();
        let asked = json!({ "resourceArn": group }).to_string();
        let tags = logs::answer(&world, "ListTagsForResource", asked.as_bytes()).unwrap();
        assert_eq!(tags.body.unwrap(), json!({ "tags": { "c": "d" } }));
        let none = object(json!({ "ResourceARNList": [], "Tags": {} }));
        assert!(write(&world, "TagResources", &none).await.is_err());
    }
}
