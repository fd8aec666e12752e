//! How asynchronous calls are retried: a setting of a function, a version or an alias.

use std::time::Duration;

use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::api::{Call, empty, json, page};
use super::check::{Target, arn, in_range, invalid, missing};
use super::state::{Function, LATEST};
use crate::local::World;
use crate::local::refusal::Refusal;

/// What counts when nothing is set.
const AGE: u64 = 6 * 60 * 60;
const ATTEMPTS: u64 = 2;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct EventConfig {
    attempts: Option<u64>,
    age: Option<u64>,
    /// Seconds since the epoch, with a fraction.
    modified: f64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    maximum_retry_attempts: Option<i64>,
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<Value>,
}

impl EventConfig {
    fn take(&mut self, world: &World, input: &Input) -> Result<(), Refusal> {
        let destinations = input.destination_config.iter().filter_map(Value::as_object);
        if destinations.flatten().any(|(_, to)| {
            to["Destination"]
                .as_str()
                .is_some_and(|arn| !arn.is_empty())
        }) {
            return Err(invalid(
                "The local cloud has no destinations for asynchronous calls.",
            ));
        }
        if let Some(attempts) = input.maximum_retry_attempts {
            self.attempts = Some(in_range(attempts, "maximumRetryAttempts", 0, 2)?);
        }
        if let Some(age) = input.maximum_event_age_in_seconds {
            self.age = Some(in_range(age, "maximumEventAgeInSeconds", 60, AGE)?);
        }
        self.modified = world.clock.now().as_secs_f64();
        Ok(())
    }

    fn render(&self, world: &World, function: &str, qualifier: &str) -> Value {
        let mut shown = json!({
            "FunctionArn": arn(world, function, Some(qualifier)),
            "LastModified": self.modified,
            "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
        });
        if let Some(attempts) = self.attempts {
            shown["MaximumRetryAttempts"] = attempts.into();
        }
        if let Some(age) = self.age {
            shown["MaximumEventAgeInSeconds"] = age.into();
        }
        shown
    }
}

impl Function {
    /// How often an event is tried again, and how old it may become.
    pub(super) fn patience(&self, qualifier: Option<&str>) -> (usize, Duration) {
        let config = self.event_configs.get(qualifier.unwrap_or(LATEST));
        let attempts = config.and_then(|c| c.attempts).unwrap_or(ATTEMPTS);
        let age = config.and_then(|c| c.age).unwrap_or(AGE);
        let attempts = usize::try_from(attempts).unwrap_or_default();
        (attempts, Duration::from_secs(age))
    }
}

fn qualifier(target: &Target) -> &str {
    target.qualifier().unwrap_or(LATEST)
}

/// `PUT` replaces what was set.
pub(super) fn put(world: &World, call: &Call) -> Result<Response, Refusal> {
    write(world, call, |_| Ok(EventConfig::default()))
}

/// `POST` changes it, and there must be something.
pub(super) fn update(world: &World, call: &Call) -> Result<Response, Refusal> {
    write(world, call, |was| {
        was.cloned()
            .ok_or_else(|| call.target(world).map_or_else(|r| r, |t| absent(world, &t)))
    })
}

fn write(
    world: &World,
    call: &Call,
    begin: impl FnOnce(Option<&EventConfig>) -> Result<EventConfig, Refusal>,
) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let input: Input = call.input()?;
    if input.maximum_retry_attempts.is_none()
        && input.maximum_event_age_in_seconds.is_none()
        && input.destination_config.is_none()
    {
        return Err(invalid(
            "You must specify at least one of error handling or destination setting.",
        ));
    }
    let shown = world.lambda.change(|state| {
        let function = state.function(world, &target.name)?;
        function.version(world, target.qualifier())?;
        let qualifier = qualifier(&target);
        let mut config = begin(function.event_configs.get(qualifier))?;
        config.take(world, &input)?;
        let shown = config.render(world, &target.name, qualifier);
        function.event_configs.insert(qualifier.to_owned(), config);
        Ok(shown)
    })?;
    Ok(json(200, &shown))
}

pub(super) fn get(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let configs = &state.look(world, &target)?.event_configs;
    let config = configs.get(qualifier(&target));
    let config = config.ok_or_else(|| absent(world, &target))?;
    Ok(json(
        200,
        &config.render(world, &target.name, qualifier(&target)),
    ))
}

pub(super) fn delete(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    world.lambda.change(|state| {
        let configs = &mut state.function(world, &target.name)?.event_configs;
        let gone = configs.remove(qualifier(&target));
        gone.map(drop).ok_or_else(|| absent(world, &target))
    })?;
    Ok(empty(204))
}

pub(super) fn list(world: &World, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let state = world.lambda.lock();
    let configs = state.look(world, &target)?.event_configs.iter();
    let shown = configs.map(|(qualifier, config)| {
        let shown = config.render(world, &target.name, qualifier);
        (qualifier.clone(), shown)
    });
    let shown = shown.collect();
    drop(state);
    page(call, "FunctionEventInvokeConfigs", shown)
}

fn absent(world: &World, target: &Target) -> Refusal {
    let arn = arn(world, &target.name, Some(qualifier(target)));
    missing(format!(
        "The function {arn} doesn't have an EventInvokeConfig"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::local::testing::Cloud;

    const PATH: &str = "/2019-09-25/functions/f/event-invoke-config";

    #[tokio::test]
    async fn a_setting_is_of_one_qualifier() {
        let cloud = Cloud::still().await;
        cloud.create("f", json!({ "Publish": true })).await;
        let absent = cloud.call("GET", PATH, Value::Null).await;
        assert_eq!(absent.error(), (404, "ResourceNotFoundException"));
        assert_eq!(cloud.call("PUT", PATH, json!({})).await.status, 400);
        let made = cloud
            .call("PUT", PATH, json!({ "MaximumRetryAttempts": 0 }))
            .await
            .json();
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        assert_eq!(made["FunctionArn"], format!("{arn}:$LATEST"));
        assert!(made["LastModified"].is_number(), "{made}");
        let of_one = format!("{PATH}?Qualifier=1");
        let age = json!({ "MaximumEventAgeInSeconds": 60 });
        assert_eq!(cloud.call("POST", &of_one, age.clone()).await.status, 404);
        cloud.call("PUT", &of_one, age.clone()).await;
        cloud.call("POST", PATH, age).await;
        let merged = cloud.call("GET", PATH, Value::Null).await.json();
        assert_eq!(merged["MaximumRetryAttempts"], 0);
        assert_eq!(merged["MaximumEventAgeInSeconds"], 60);
        let all = cloud
            .call("GET", &format!("{PATH}/list?MaxItems=1"), Value::Null)
            .await
            .json();
        assert_eq!(all["FunctionEventInvokeConfigs"][0], merged);
        assert_eq!(all["NextMarker"], "$LATEST");
        let young = json!({ "MaximumEventAgeInSeconds": 59 });
        assert_eq!(cloud.call("POST", PATH, young).await.status, 400);
        let to = json!({ "DestinationConfig": { "OnFailure": { "Destination": arn } } });
        assert_eq!(cloud.call("POST", PATH, to).await.status, 400);
        assert_eq!(cloud.call("DELETE", PATH, Value::Null).await.status, 204);
        assert_eq!(cloud.call("DELETE", PATH, Value::Null).await.status, 404);
    }

    #[tokio::test]
    async fn an_event_without_attempts_is_not_tried_again() {
        let cloud = Cloud::still().await;
        let mut calls = cloud.recorder("f", Err(json!({}))).await;
        let never = json!({ "MaximumRetryAttempts": 0 });
        assert_eq!(cloud.call("PUT", PATH, never).await.status, 200);
        let path = "/2015-03-31/functions/f/invocations";
        let event = [("x-amz-invocation-type", "Event")];
        cloud.http("POST", path, &event, b"1").await;
        assert_eq!(calls.recv().await.unwrap(), json!(1));
        for _ in 0..1000 {
            cloud.turn(1);
            tokio::task::yield_now().await;
        }
        assert!(calls.try_recv().is_err(), "one attempt is all");
    }
}
