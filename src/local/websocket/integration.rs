//! Calling the function behind a route or an authorizer, as API Gateway may and would.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::access_log::error_message;
use crate::local::apigateway::{Served, ServedRoute};
use crate::local::console::{Detail, Text};
use crate::local::lambda::{Answer, Lambda, TIMED_OUT};
use crate::local::metrics::Integration;
use crate::local::{Happening, World, ids};

/// However long a route or its function may take, the gateway waits no longer.
pub(super) const LONGEST: Duration = Duration::from_secs(29);

/// What came of a call.
#[derive(Debug, PartialEq)]
pub(super) enum Called {
    Answered(Value),
    /// The function raised an error; this is it.
    Failed(Vec<u8>),
    TimedOut,
    /// It could not be called: forbidden, throttled, not there.
    Unreachable(String),
}

impl Called {
    /// What the function returned, for whoever looks on.
    fn answer(&self) -> Option<Text> {
        match self {
            Self::Answered(answer) => Some(Text::of(&answer.to_string())),
            Self::Failed(payload) => Some(Text::of(&String::from_utf8_lossy(payload))),
            Self::TimedOut | Self::Unreachable(_) => None,
        }
    }

    /// As the gateway's metrics tell answers apart.
    fn ended(&self) -> Integration {
        match self {
            Self::Answered(_) if self.status().is_none_or(|status| status < 400) => {
                Integration::Answered
            }
            Self::Answered(_) | Self::Failed(_) => Integration::Refused,
            Self::TimedOut | Self::Unreachable(_) => Integration::NotCalled,
        }
    }

    pub(super) fn error(&self) -> Option<String> {
        match self {
            Self::Answered(_) => None,
            Self::Failed(payload) => error_message(payload),
            Self::TimedOut => Some("Endpoint request timed out".to_owned()),
            Self::Unreachable(why) => Some(why.clone()),
        }
    }

    /// The status code that the function returned, if it returned one that can be used.
    pub(super) fn status(&self) -> Option<u16> {
        let Self::Answered(answer) = self else {
            return None;
        };
        let code = &answer["statusCode"];
        let number = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
        u16::try_from(number)
            .ok()
            .filter(|n| (200..600).contains(n))
    }
}

/// One call to a function for one connection.
pub(super) struct Errand<'a> {
    pub(super) served: &'a Served,
    pub(super) route_key: &'a str,
    pub(super) connection_id: &'a str,
}

impl Errand<'_> {
    /// Calls the route's integration with `event`; also gives how long it took and the call's request id.
    pub(super) async fn run(
        &self,
        world: &Arc<World>,
        route: &ServedRoute,
        event: &Value,
    ) -> (Called, Duration, String) {
        let begun = Instant::now();
        let request_id = ids::uuid();
        let function = target(&route.uri, &self.served.variables);
        world.show(|| Detail::Begun {
            connection_id: self.connection_id,
            route_key: self.route_key,
            function: &function,
            request_id: &request_id,
            gateway_id: event["requestContext"]["requestId"].as_str(),
            event: Text::of(&event.to_string()),
        });
        let (called, init) = match route.integration_type.as_str() {
            "MOCK" => (Called::Answered(json!({ "statusCode": 200 })), None),
            "AWS_PROXY" => {
                let source = self.arn(world, &format!("{}/{}", self.served.stage, self.route_key));
                let limit = Duration::from_millis(route.timeout_ms).min(LONGEST);
                let call = Call {
                    uri: &self.uri(&route.uri),
                    source: &source,
                    request_id: &request_id,
                    limit,
                };
                call.run(world, event).await
            }
            other => {
                let why = format!("integration type {other} is not run locally");
                (Called::Unreachable(why), None)
            }
        };
        let took = begun.elapsed();
        let (api, stage) = (&self.served.api_id, &self.served.stage);
        world.count_integration(api, stage, called.ended(), took);
        world.show(|| Detail::Ended {
            request_id: &request_id,
            answer: called.answer(),
            error: called.error(),
        });
        world.tell(Happening::Event {
            connection_id: self.connection_id.to_owned(),
            route_key: self.route_key.to_owned(),
            function,
            status: called.status(),
            took,
            request_id: request_id.clone(),
            init,
            error: called.error(),
        });
        (called, took, request_id)
    }

    /// `arn:aws:execute-api:…:{api}/{path}`.
    pub(super) fn arn(&self, world: &World, path: &str) -> String {
        let (place, api_id) = (world.place(), &self.served.api_id);
        format!("arn:aws:execute-api:{place}:{api_id}/{path}")
    }

    /// An integration's URI with the stage's variables in their places.
    pub(super) fn uri(&self, uri: &str) -> String {
        fill(uri, &self.served.variables)
    }
}

/// The function that a URI calls.
pub(crate) fn target(uri: &str, variables: &BTreeMap<String, String>) -> String {
    function_name(&fill(uri, variables)).to_owned()
}

fn fill(uri: &str, variables: &BTreeMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = uri;
    while let Some((before, after)) = rest.split_once("${stageVariables.") {
        out.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            rest = after;
            break;
        };
        out.push_str(variables.get(name).map_or("", String::as_str));
        rest = after;
    }
    out + rest
}

/// One call of the function that `uri` names, on behalf of `source`.
pub(super) struct Call<'a> {
    pub(super) uri: &'a str,
    pub(super) source: &'a str,
    /// A new one; the function's log names it.
    pub(super) request_id: &'a str,
    pub(super) limit: Duration,
}

impl Call<'_> {
    /// Calls it if its policy lets API Gateway do so; also gives how long the function took to start, if it had to.
    pub(super) async fn run(
        &self,
        world: &Arc<World>,
        event: &Value,
    ) -> (Called, Option<Duration>) {
        let Some(function) = function_arn(self.uri) else {
            let why = "Invalid integration URI".to_owned();
            return (Called::Unreachable(why), None);
        };
        if !world.lambda.allows(function, self.source, &world.account) {
            let why = "Invalid permissions on Lambda function".to_owned();
            return (Called::Unreachable(why), None);
        }
        let payload = event.to_string().into_bytes();
        match Lambda::invoke(world, function, self.request_id, payload, self.limit).await {
            Ok(answer) => (read(&answer), answer.init),
            Err(refusal) if refusal.code == TIMED_OUT => (Called::TimedOut, None),
            Err(refusal) => (Called::Unreachable(refusal.message), None),
        }
    }
}

fn read(answer: &Answer) -> Called {
    if answer.timed_out {
        return Called::TimedOut;
    }
    if answer.error.is_some() {
        return Called::Failed(answer.payload.clone());
    }
    Called::Answered(serde_json::from_slice(&answer.payload).unwrap_or(Value::Null))
}

/// The function's ARN in `arn:aws:apigateway:…:lambda:path/2015-03-31/functions/{arn}/invocations`.
fn function_arn(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once(":lambda:path/2015-03-31/functions/")?;
    rest.strip_suffix("/invocations")
}

fn function_name(uri: &str) -> &str {
    let arn = function_arn(uri).unwrap_or(uri);
    arn.split(':').nth(6).unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f:live/invocations";

    #[test]
    fn a_uri_names_a_function() {
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f:live";
        assert_eq!(function_arn(URI), Some(arn));
        assert_eq!(function_name(URI), "f");
        assert_eq!(function_arn(arn), None);
    }

    #[test]
    fn stage_variables_are_filled_in() {
        let variables = BTreeMap::from([("fn".to_owned(), "f:live".to_owned())]);
        assert_eq!(fill("a:${stageVariables.fn}/b", &variables), "a:f:live/b");
        assert_eq!(fill("a:${stageVariables.no}/b", &variables), "a:/b");
    }
}
