//! Execution environments: real processes that speak the Lambda Runtime API.
//!
//! In: what a function's version is made of, and one event. Out: its answer or its error, as Lambda words it.
//! One process serves one call at a time; the one used last is used next; a call that runs too long costs its
//! process. Of calls that all come at once a few start processes, and the others take what comes free first.
//! Never: knowledge of who calls.

mod desk;
mod environment;
mod fleet;
mod group;
mod interpreter;
mod launch;
mod memory;
mod pipes;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{SemaphorePermit, watch};

use super::World;
use environment::{Ended, Environment, Init};
pub(crate) use fleet::Fleet;
pub(crate) use record::Format;
use record::{FailedInit, Report};

/// How long a process may take until it asks for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);

/// How long a process that starts keeps others from starting: what waits for more than a processor may wait beside them.
const HEAD_START: Duration = Duration::from_secs(1);

/// How long a call with many before it waits for a process that comes free before it starts one.
const QUICK: Duration = Duration::from_secs(1);

/// What one environment is made of.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) function: String,
    pub(crate) version: String,
    pub(crate) revision: String,
    pub(crate) runtime: String,
    pub(crate) handler: String,
    /// The ARN of the role that its processes act as.
    pub(crate) role: String,
    pub(crate) memory: u64,
    pub(crate) timeout: Duration,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) log_group: String,
    pub(crate) format: Format,
    /// The unpacked package.
    pub(crate) folder: PathBuf,
}

/// One event on its way to a process.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    pub(crate) request_id: String,
    pub(crate) payload: Vec<u8>,
    /// The ARN the caller used.
    pub(crate) arn: String,
    pub(crate) client_context: Option<String>,
}

/// What came of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) payload: Vec<u8>,
    /// Whether the payload is a function error.
    pub(crate) failed: bool,
    pub(crate) timed_out: bool,
    /// How long a new environment took to start, when there had to be one.
    pub(crate) init: Option<Duration>,
    pub(crate) log_tail: String,
}

impl Outcome {
    pub(crate) fn answer(payload: Vec<u8>) -> Self {
        Self {
            payload,
            ..Self::default()
        }
    }

    pub(crate) fn error(kind: &str, message: &str) -> Self {
        let body = json!({ "errorType": kind, "errorMessage": message });
        Self {
            failed: true,
            ..Self::answer(body.to_string().into_bytes())
        }
    }

    /// The error type that the REPORT line names.
    fn kind(&self) -> Option<String> {
        if !self.failed {
            return None;
        }
        let kind = self.member("errorType");
        Some(kind.unwrap_or_else(|| "Unhandled".to_owned()))
    }

    fn message(&self) -> String {
        self.member("errorMessage").unwrap_or_default()
    }

    fn member(&self, name: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.payload).ok()?;
        body[name].as_str().map(str::to_owned)
    }
}

/// What a call that ran too long gives.
pub(crate) fn timed_out(request_id: &str, timeout: Duration) -> Outcome {
    let message = format!(
        "RequestId: {request_id} Error: Task timed out after {:.2} seconds",
        timeout.as_secs_f64()
    );
    Outcome {
        timed_out: true,
        ..Outcome::error("Sandbox.Timedout", &message)
    }
}

/// Runs one call in a warm environment, or in a new one.
pub(crate) async fn run(world: &Arc<World>, spec: &Spec, work: Work) -> Outcome {
    let mut stop = world.lambda.fleet().stopped();
    if *stop.borrow() {
        return stopped();
    }
    match environment(world, spec, &work, &mut stop).await {
        Ok(environment) => serve(world, spec, work, environment, &mut stop).await,
        Err(outcome) => *outcome,
    }
}

/// A warm environment, or a new one: whichever is to be had first.
async fn environment(
    world: &Arc<World>,
    spec: &Spec,
    work: &Work,
    stop: &mut watch::Receiver<bool>,
) -> Result<Environment, Box<Outcome>> {
    let fleet = world.lambda.fleet();
    loop {
        let mut place = match fleet.take(spec) {
            Ok(idle) => match warm(world, spec, idle, stop).await {
                Some(environment) => return Ok(environment),
                None => continue,
            },
            Err(place) => place,
        };
        let is_far = place.is_far();
        let next = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Err(Box::new(stopped())),
            handed = place.reached() => Ok(handed),
            Some(permit) = may_start(world, is_far) => Err(permit),
        };
        let handed = match next {
            Ok(handed) => handed,
            Err(permit) => match place.leave() {
                None => return start_with(permit, world, spec, work, stop).await,
                handed => handed,
            },
        };
        let Some(handed) = handed else { continue };
        if let Some(environment) = warm(world, spec, handed, stop).await {
            return Ok(environment);
        }
    }
}

/// Leave to start a process. A call with many before it is mostly handed one that comes free before it has it.
async fn may_start(world: &World, is_far: bool) -> Option<SemaphorePermit<'_>> {
    if is_far {
        world.clock.wait(QUICK).await;
    }
    world.lambda.fleet().starts.acquire().await.ok()
}

/// Starts a process; others may start once this one is ready, or has had its time alone.
async fn start_with(
    permit: SemaphorePermit<'_>,
    world: &Arc<World>,
    spec: &Spec,
    work: &Work,
    stop: &mut watch::Receiver<bool>,
) -> Result<Environment, Box<Outcome>> {
    let mut starting = pin!(start(world, spec, work, stop));
    let started = tokio::select! {
        biased;
        started = &mut starting => Some(started),
        () = world.clock.wait(HEAD_START) => None,
    };
    drop(permit);
    match started {
        Some(started) => started,
        None => starting.await,
    }
}

/// The environment once it asks for another event. One that goes with its last answer has no part in this call.
async fn warm(
    world: &Arc<World>,
    spec: &Spec,
    mut environment: Environment,
    stop: &mut watch::Receiver<bool>,
) -> Option<Environment> {
    let until = world.clock.now() + spec.timeout;
    if matches!(environment.ready(world, until, stop).await, Init::Ready) {
        environment.log.turn();
        return Some(environment);
    }
    environment.kill().await;
    None
}

async fn serve(
    world: &Arc<World>,
    spec: &Spec,
    work: Work,
    mut environment: Environment,
    stop: &mut watch::Receiver<bool>,
) -> Outcome {
    let id = work.request_id.clone();
    let deadline = world.clock.now() + spec.timeout;
    let begun = Instant::now();
    environment.log.start(&id, &work.arn);
    let mut ended = environment.work(world, work, deadline, stop).await;
    let memory = environment.memory();
    let mut peak = memory.as_ref().map(|m| m.peak().min(spec.memory));
    if memory.is_some_and(|m| m.exceeds(spec.memory)) {
        ended = Ended::OutOfMemory;
    }
    if matches!(ended, Ended::OutOfMemory) {
        peak = Some(spec.memory);
    }
    let has_gone = matches!(ended, Ended::Exited(_) | Ended::OutOfMemory);
    let lives = matches!(ended, Ended::Answer(_) | Ended::Error(_) | Ended::TooLarge);
    if !lives {
        environment.kill().await;
    }
    let mut outcome = outcome(ended, &id, spec.timeout);
    environment.drain(lives).await;
    outcome.init = environment.init.take();
    environment.log.end(&Report {
        request_id: &id,
        took: if outcome.timed_out {
            spec.timeout
        } else {
            begun.elapsed()
        },
        memory: spec.memory,
        peak,
        init: outcome.init,
        timed_out: outcome.timed_out,
        error: outcome.kind().as_deref(),
    });
    if has_gone {
        environment
            .log
            .exited(&outcome.message(), &outcome.kind().unwrap_or_default());
    }
    outcome.log_tail = environment.log.tail();
    if lives {
        world.lambda.fleet().put_back(world, environment);
    }
    outcome
}

fn stopped() -> Outcome {
    Outcome::error("Sandbox.Stopped", "the local cloud is stopping")
}

fn outcome(ended: Ended, id: &str, timeout: Duration) -> Outcome {
    match ended {
        Ended::Answer(payload) => Outcome::answer(payload),
        Ended::Error(payload) => Outcome {
            failed: true,
            ..Outcome::answer(payload)
        },
        Ended::TooLarge => Outcome::error(
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
        Ended::Exited(how) => gone(id, "Runtime.ExitError", &how),
        Ended::OutOfMemory => out_of_memory(id),
        Ended::TimedOut => timed_out(id, timeout),
        Ended::Stopped => stopped(),
    }
}

fn gone(id: &str, kind: &str, how: &impl std::fmt::Display) -> Outcome {
    Outcome::error(kind, &format!("RequestId: {id} Error: {how}"))
}

fn out_of_memory(id: &str) -> Outcome {
    let how = "Runtime exited with error: signal: killed";
    gone(id, "Runtime.OutOfMemory", &how)
}

/// Starts a process and waits until it asks for its first event.
///
/// An init that takes longer than ten seconds is cut and done again on the call's own time, as on AWS.
async fn start(
    world: &Arc<World>,
    spec: &Spec,
    work: &Work,
    stop: &mut watch::Receiver<bool>,
) -> Result<Environment, Box<Outcome>> {
    let id = &work.request_id;
    for (phase, limit) in [("init", INIT_LIMIT), ("invoke", spec.timeout)] {
        let mut environment = match Environment::start(world, spec).await {
            Ok(environment) => environment,
            Err(e) => return Err(Box::new(gone(id, e.kind, &e.message))),
        };
        let begun = Instant::now();
        let until = world.clock.now() + limit;
        let init = environment.ready(world, until, stop).await;
        let took = begun.elapsed();
        if matches!(init, Init::Ready) {
            environment.init = Some(took);
            return Ok(environment);
        }
        let peak = environment.memory().map(|m| m.peak().min(spec.memory));
        environment.kill().await;
        environment.drain(false).await;
        let again = phase == "init" && matches!(init, Init::TimedOut);
        let mut failed = failed_init(init, id, spec);
        let kind = failed.kind();
        environment.log.init_failed(&FailedInit {
            took,
            phase,
            timed_out: failed.timed_out,
            error: kind.as_deref(),
        });
        if again {
            continue;
        }
        environment.log.start(id, &work.arn);
        environment.log.end(&Report {
            request_id: id,
            took: if failed.timed_out { spec.timeout } else { took },
            memory: spec.memory,
            peak,
            init: None,
            timed_out: failed.timed_out,
            error: kind.as_deref(),
        });
        failed.init = Some(took);
        failed.log_tail = environment.log.tail();
        return Err(Box::new(failed));
    }
    Err(Box::new(timed_out(id, spec.timeout)))
}

fn failed_init(init: Init, id: &str, spec: &Spec) -> Outcome {
    match init {
        Init::Ready => unreachable!("it has not failed"),
        Init::TimedOut => timed_out(id, spec.timeout),
        Init::Error(payload) => Outcome {
            failed: true,
            ..Outcome::answer(payload)
        },
        Init::Exited(how) => gone(id, "Runtime.ExitError", &how),
        Init::OutOfMemory => out_of_memory(id),
        Init::Stopped => stopped(),
    }
}
