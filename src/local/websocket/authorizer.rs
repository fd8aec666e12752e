//! REQUEST authorizers: asked once, before the connection exists.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value, json};

use super::integration::{Call, Called, Errand, LONGEST};
use crate::local::apigateway::{Served, ServedAuthorizer};
use crate::local::events::{Asked, Caller, Moment};
use crate::local::lambda::glob;
use crate::local::selection::CONNECT;
use crate::local::{World, ids};

const ANSWER_LIMIT: usize = 8 * 1024;

/// Why the authorizer, or what stands around it, lets nobody in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Barred {
    Unauthorized,
    Forbidden,
    Broken,
}

/// Asks the authorizer; what it gives is carried by all of the connection's events.
pub(super) async fn authorize(
    world: &Arc<World>,
    served: &Served,
    authorizer: &ServedAuthorizer,
    caller: &Caller,
    asked: &Asked,
    moment: &Moment,
) -> Result<Map<String, Value>, Barred> {
    let present =
        |source: &String| identity(source, served, caller, asked).is_some_and(|v| !v.is_empty());
    if !authorizer.identity.iter().all(present) {
        return Err(Barred::Unauthorized);
    }
    let errand = Errand {
        served,
        route_key: CONNECT,
        connection_id: &caller.connection_id,
    };
    let method = errand.arn(world, &format!("{}/{CONNECT}", served.stage));
    let source = errand.arn(world, &format!("authorizers/{}", authorizer.authorizer_id));
    let event = caller.authorize(moment, asked, &served.variables, &method);
    let begun = Instant::now();
    let call = Call {
        uri: &errand.uri(&authorizer.uri),
        source: &source,
        request_id: &ids::uuid(),
        limit: LONGEST,
    };
    let (outcome, _) = call.run(world, &event).await;
    let answer = match outcome {
        Called::Answered(answer) => answer,
        other if other.error().as_deref() == Some("Unauthorized") => {
            return Err(Barred::Unauthorized);
        }
        _ => return Err(Barred::Broken),
    };
    let latency = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    judge(&answer, &method, latency)
}

/// The value of an identity source such as `route.request.header.Auth`.
fn identity(source: &str, served: &Served, caller: &Caller, asked: &Asked) -> Option<String> {
    if let Some(name) = source.strip_prefix("route.request.header.") {
        return asked.header(name).map(str::to_owned);
    }
    if let Some(name) = source.strip_prefix("route.request.querystring.") {
        return asked.query(name).map(str::to_owned);
    }
    if let Some(name) = source.strip_prefix("stageVariables.") {
        return served.variables.get(name).cloned();
    }
    match source.strip_prefix("context.")? {
        "apiId" => Some(caller.api_id.clone()),
        "stage" => Some(caller.stage.clone()),
        "domainName" => Some(caller.domain.clone()),
        "connectionId" => Some(caller.connection_id.clone()),
        "routeKey" => Some(CONNECT.to_owned()),
        "identity.sourceIp" => Some(caller.source_ip.clone()),
        "identity.userAgent" => caller.user_agent.clone(),
        _ => None,
    }
}

/// Reads an authorizer's answer: who it is and what else it knows, or why not.
fn judge(answer: &Value, method_arn: &str, latency: u64) -> Result<Map<String, Value>, Barred> {
    if answer.to_string().len() > ANSWER_LIMIT {
        return Err(Barred::Broken);
    }
    let principal = answer["principalId"].as_str().ok_or(Barred::Broken)?;
    let context = context(&answer["context"])?;
    if !permits(&answer["policyDocument"], method_arn)? {
        return Err(Barred::Forbidden);
    }
    let mut carried = Map::new();
    carried.insert("principalId".to_owned(), json!(principal));
    carried.extend(context);
    carried.insert("integrationLatency".to_owned(), json!(latency));
    Ok(carried)
}

/// Flat values become strings; anything deeper is refused.
fn context(given: &Value) -> Result<Map<String, Value>, Barred> {
    let members = match given {
        Value::Null => return Ok(Map::new()),
        Value::Object(members) => members,
        _ => return Err(Barred::Broken),
    };
    let mut flat = Map::new();
    for (name, value) in members {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            Value::Null | Value::Array(_) | Value::Object(_) => return Err(Barred::Broken),
        };
        flat.insert(name.clone(), Value::String(text));
    }
    Ok(flat)
}

/// Whether the policy allows the call: some statement must, and none may deny it.
fn permits(policy: &Value, method_arn: &str) -> Result<bool, Barred> {
    let statements = match &policy["Statement"] {
        Value::Array(all) => all.iter().collect(),
        one @ Value::Object(_) => vec![one],
        _ => return Err(Barred::Broken),
    };
    let mut allowed = false;
    for statement in statements {
        let covers = matches(&statement["Action"], "execute-api:Invoke")?
            && matches(&statement["Resource"], method_arn)?;
        match statement["Effect"].as_str() {
            Some("Allow") => allowed |= covers,
            Some("Deny") if covers => return Ok(false),
            Some("Deny") => {}
            _ => return Err(Barred::Broken),
        }
    }
    Ok(allowed)
}

/// Whether a pattern, or one of several, covers `text`.
fn matches(patterns: &Value, text: &str) -> Result<bool, Barred> {
    let patterns = match patterns {
        Value::Array(all) => all.iter().collect(),
        one => vec![one],
    };
    let mut any = false;
    for pattern in patterns {
        any |= glob(pattern.as_str().ok_or(Barred::Broken)?, text);
    }
    Ok(any)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:execute-api:us-east-1:000000000000:a1/prod/$connect";

    fn answer(statements: &Value) -> Value {
        json!({
            "principalId": "alice",
            "policyDocument": { "Version": "2012-10-17", "Statement": statements },
        })
    }

    fn statement(effect: &str, resource: &str) -> Value {
        json!({ "Action": "execute-api:Invoke", "Effect": effect, "Resource": resource })
    }

    #[test]
    fn an_allow_that_covers_the_method_lets_in() {
        for resource in [ARN, "*", "arn:aws:execute-api:*:*:a1/*/$connect"] {
            let given = judge(&answer(&json!([statement("Allow", resource)])), ARN, 3);
            let carried = given.unwrap();
            assert_eq!(carried["principalId"], "alice");
            assert_eq!(carried["integrationLatency"], 3);
        }
    }

    #[test]
    fn a_deny_or_no_covering_allow_forbids() {
        for statements in [
            json!([statement("Deny", "*"), statement("Allow", "*")]),
            json!([statement("Allow", "arn:aws:execute-api:*:*:other/*")]),
            json!([]),
        ] {
            assert_eq!(judge(&answer(&statements), ARN, 0), Err(Barred::Forbidden));
        }
    }

    #[test]
    fn a_malformed_answer_is_an_error() {
        let mut deep = answer(&json!([statement("Allow", "*")]));
        deep["context"] = json!({ "groups": ["a"] });
        let mut large = answer(&json!([statement("Allow", "*")]));
        large["context"] = json!({ "x": "y".repeat(ANSWER_LIMIT) });
        let mut nobody = answer(&json!([statement("Allow", "*")]));
        nobody["principalId"] = json!(7);
        for answer in [
            Value::Null,
            json!({ "principalId": "alice" }),
            answer(&json!([{ "Effect": "Allow", "Resource": "*" }])),
            answer(&json!([statement("Perhaps", "*")])),
            deep,
            large,
            nobody,
        ] {
            assert_eq!(judge(&answer, ARN, 0), Err(Barred::Broken), "{answer}");
        }
    }

    #[test]
    fn context_becomes_strings() {
        let mut given = answer(&json!([statement("Allow", "*")]));
        given["context"] = json!({ "admin": true, "level": 3, "name": "A" });
        let carried = judge(&given, ARN, 0).unwrap();
        assert_eq!(
            (&carried["admin"], &carried["level"], &carried["name"]),
            (&json!("true"), &json!("3"), &json!("A"))
        );
    }
}
