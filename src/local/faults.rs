//! What goes wrong on purpose: a plan by operation, for tests of those who call.
//!
//! In: a plan, in [`super::Options`] or as JSON at `/_msgai/faults`. Out: calls that are throttled, fail, get lost or take
//! their time. Never: chance; the same calls meet the same faults.

use std::future::Future;
use std::io;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use wildmatch::WildMatch;

use super::{World, locked};

/// One line of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// As a signature names it: `dynamodb`, `lambda`, `execute-api`, … `*` stands for any run of characters.
    #[serde(default = "any")]
    pub service: String,
    /// As AWS spells it, such as `PutItem` or `PostToConnection`; `*` as above.
    #[serde(default = "any")]
    pub operation: String,
    /// So many of these calls go well first.
    #[serde(default)]
    pub after: u32,
    /// From then on each so-manieth call; 1 is every one.
    #[serde(default = "one")]
    pub every: u32,
    /// So many times, then never again; without it, without end.
    #[serde(default)]
    pub times: Option<u32>,
    pub fate: Fate,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    Throttled,
    /// As IAM would deny it.
    Denied,
    /// A 500, and nothing is done.
    Internal,
    /// A 500, and it is done all the same.
    InternalDone,
    /// The connection breaks, and nothing is done.
    Lost,
    /// The connection breaks when it is done.
    LostDone,
    /// `@connections` says that the connection is gone, though it is not.
    Gone,
    /// It takes so many milliseconds longer.
    Slow(u32),
}

fn any() -> String {
    "*".to_owned()
}

fn one() -> u32 {
    1
}

/// The plan, and how far each line of it is.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Vec<Line>>);

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    fault: Fault,
    /// Calls that it was meant for, those that went well included.
    met: u32,
    /// Calls that it struck.
    struck: u32,
}

impl Faults {
    pub(crate) fn new(plan: Vec<Fault>) -> Self {
        let faults = Self::default();
        faults.plan(plan);
        faults
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        locked(&self.0)
    }

    /// Puts a plan in the place of the one before, from its beginning.
    fn plan(&self, plan: Vec<Fault>) {
        let line = |fault| Line {
            fault,
            met: 0,
            struck: 0,
        };
        *self.lines() = plan.into_iter().map(line).collect();
    }

    /// What becomes of this call, when it is not simply answered. The first line that strikes counts, and each line
    /// counts the calls that it is about.
    fn next(&self, service: &str, operation: &str) -> Option<Fate> {
        let mut fate = None;
        for line in self.lines().iter_mut() {
            if line.is_about(service, operation) && line.strikes(fate.is_none()) {
                fate = Some(line.fault.fate);
            }
        }
        fate
    }
}

impl Line {
    fn is_about(&self, service: &str, operation: &str) -> bool {
        WildMatch::new(&self.fault.service).matches(service)
            && WildMatch::new(&self.fault.operation).matches(operation)
    }

    /// Counts a call; whether it is one to strike, if `may` is not another's already.
    fn strikes(&mut self, may: bool) -> bool {
        let fault = &self.fault;
        let turn = self.met.checked_sub(fault.after);
        self.met += 1;
        let is_turn = turn.is_some_and(|turn| turn % fault.every.max(1) == 0);
        let strikes = may && is_turn && fault.times.is_none_or(|times| self.struck < times);
        self.struck += u32::from(strikes);
        strikes
    }
}

/// Answers a call as the plan says; `refuse` puts a fate into the service's words.
pub(crate) async fn befall(
    world: &World,
    service: &str,
    operation: &str,
    refuse: impl Fn(Fate) -> Response,
    answer: impl Future<Output = Response>,
) -> Response {
    match world.faults.next(service, operation) {
        None => answer.await,
        Some(Fate::Slow(millis)) => {
            world.clock.wait(Duration::from_millis(millis.into())).await;
            answer.await
        }
        Some(Fate::Lost) => lost(),
        Some(Fate::LostDone) => {
            drop(answer.await);
            lost()
        }
        Some(fate @ Fate::InternalDone) => {
            drop(answer.await);
            refuse(fate)
        }
        Some(fate) => refuse(fate),
    }
}

/// An answer that breaks off: its body fails, so the connection is closed in the middle of it.
fn lost() -> Response {
    let broken = io::Error::new(io::ErrorKind::ConnectionReset, "lost as planned");
    let body = futures_util::stream::once(async { Err::<Bytes, _>(broken) });
    Response::new(Body::from_stream(body))
}

/// `GET`: the plan, and how far it is.
pub(crate) async fn shown(State(world): State<std::sync::Arc<World>>) -> Response {
    Json(&*world.faults.lines()).into_response()
}

/// `PUT`: a plan in the place of the one before; `[]` is none.
pub(crate) async fn planned(State(world): State<std::sync::Arc<World>>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(plan) => {
            world.faults.plan(plan);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            let text = format!("this is no plan of faults: {error}\n");
            (StatusCode::BAD_REQUEST, text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(json: &str) -> Faults {
        Faults::new(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_line_strikes_the_calls_that_it_counts_out() {
        let faults = plan(
            r#"[{"service":"dynamodb","operation":"Put*","after":1,"every":2,"times":2,"fate":"throttled"}]"#,
        );
        let fates: Vec<bool> = (0..8)
            .map(|_| {
                assert_eq!(faults.next("dynamodb", "GetItem"), None);
                assert_eq!(faults.next("lambda", "PutFunctionConcurrency"), None);
                faults.next("dynamodb", "PutItem").is_some()
            })
            .collect();
        let struck = [false, true, false, true, false, false, false, false];
        assert_eq!(fates, struck);
    }

    #[test]
    fn the_first_line_that_strikes_counts() {
        let faults = plan(r#"[{"times":1,"fate":{"slow":5}},{"operation":"Scan","fate":"lost"}]"#);
        assert_eq!(faults.next("dynamodb", "Scan"), Some(Fate::Slow(5)));
        assert_eq!(faults.next("dynamodb", "Scan"), Some(Fate::Lost));
        assert_eq!(faults.next("dynamodb", "Query"), None);
    }

    #[test]
    fn a_plan_with_a_mistake_is_none() {
        for wrong in [
            r#"[{"fate":"explodes"}]"#,
            r#"[{"opration":"Scan","fate":"lost"}]"#,
            r#"{"fate":"lost"}"#,
        ] {
            assert!(
                serde_json::from_str::<Vec<Fault>>(wrong).is_err(),
                "{wrong}"
            );
        }
    }
}
