//! Before the first write: what the caller may do, and which limits a plan would hit.
//!
//! In: a plan, and who carries it out. Out: [`Findings`]. Never: a write; a refusal for want of an answer. What the
//! simulator does not know, or is not allowed or able to say, the calls themselves will say.

mod limits;
mod permits;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;

use futures_util::FutureExt;
use futures_util::future::{Either, LocalBoxFuture, Shared, select};
use serde::Serialize;

use crate::cloud::{Caller, Cloud};
use crate::names::StackId;
use crate::plan::Plan;
use crate::plan::needs::{self, Need};
use crate::resource::{Desired, Resource};
use permits::Permits;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Ok,
    /// It may fail.
    Warning,
    /// It would fail.
    Problem,
    /// Nobody could say.
    NotKnown,
}

impl Standing {
    /// The word a person reads.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
            Self::NotKnown => "not known",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    #[serde(rename = "check")]
    pub about: &'static str,
    pub standing: Standing,
    /// Lower case, no full stop.
    pub message: String,
    pub hint: Option<String>,
}

impl Check {
    pub fn new(about: &'static str, standing: Standing, message: impl Into<String>) -> Self {
        Self {
            about,
            standing,
            message: message.into(),
            hint: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Everything that was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub checks: Vec<Check>,
    /// What the caller certainly lacks.
    pub missing: BTreeSet<Need>,
}

impl Findings {
    pub fn of(&self, standing: Standing) -> impl Iterator<Item = &Check> {
        let all = self.checks.iter();
        all.filter(move |check| check.standing == standing)
    }

    pub fn has_problems(&self) -> bool {
        self.of(Standing::Problem).next().is_some()
    }
}

/// The answers for everything that a stack can ever need, asked for before there is a plan.
///
/// A simulation takes as long as looking at the account does, and a plan is known only after that. What is allowed
/// for an id that nobody has is allowed for the real one, so a yes ahead of time is enough, and a deploy that is
/// allowed waits for nothing. A no is asked again once the plan says of what it is.
pub struct Preflight<'a> {
    cloud: &'a Cloud,
    ahead: Shared<LocalBoxFuture<'a, Permits>>,
}

impl<'a> Preflight<'a> {
    /// Nothing is asked until it is polled.
    pub fn new(cloud: &'a Cloud, caller: Caller, stack: &StackId, desired: &Desired) -> Self {
        let needs = needs::of_stack(stack, &caller.place, desired);
        let boundary = boundary(desired.resources.values());
        let ahead = async move {
            let mut permits = Permits::of(cloud, &caller).await;
            permits.learn(cloud, &needs, boundary.as_deref()).await;
            permits
        };
        Self {
            cloud,
            ahead: ahead.boxed_local().shared(),
        }
    }

    /// Goes on asking while `work` is done, and no longer.
    pub async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        match select(pin!(work), self.ahead.clone()).await {
            Either::Left((done, _)) => done,
            Either::Right((_, work)) => work.await,
        }
    }

    pub async fn check(&self, plan: &Plan) -> Findings {
        let permits = async { of_permits(self.cloud, self.ahead.clone().await, plan).await };
        all(self.cloud, permits, plan).await
    }
}

/// As [`Preflight::check`], when nothing was asked before.
pub async fn check(cloud: &Cloud, caller: &Caller, plan: &Plan) -> Findings {
    let permits = async { of_permits(cloud, Permits::of(cloud, caller).await, plan).await };
    all(cloud, permits, plan).await
}

async fn all(cloud: &Cloud, permits: impl Future<Output = Findings>, plan: &Plan) -> Findings {
    let (mut findings, limits) = futures_util::join!(permits, limits::check(cloud, plan));
    findings.checks.extend(limits);
    findings
}

async fn of_permits(cloud: &Cloud, mut permits: Permits, plan: &Plan) -> Findings {
    let needs = needs::of_plan(plan);
    let resources = plan.changes.values().filter_map(|c| c.action.resource());
    let open = permits.open(&needs);
    permits
        .learn(cloud, &open, boundary(resources).as_deref())
        .await;
    permits.findings(&needs)
}

/// The boundary that roles of the stack get, which policies may make a condition.
fn boundary<'a>(resources: impl Iterator<Item = &'a Resource>) -> Option<String> {
    let mut boundaries = resources.filter_map(|resource| match resource {
        Resource::Role(role) => role.boundary.clone(),
        _ => None,
    });
    boundaries.next()
}
