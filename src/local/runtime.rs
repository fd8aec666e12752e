//! Execution environments: real processes that speak the Lambda Runtime API.
//!
//! In: what a function's version is made of, and one event. Out: its answer or its error, as Lambda words it.
//! One process serves one call at a time; the one used last is used next; a call that runs too long costs its
//! process. Never: knowledge of who calls.

mod desk;
mod environment;
mod pipes;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::World;
use super::locked;
use environment::{Ended, Environment, Init};
use record::Report;

/// A process that nobody called for so long is ended.
const IDLE: Duration = Duration::from_mins(5);
const REAP_EVERY: Duration = Duration::from_mins(1);
/// How long a process may take until it asks for its first event.
const INIT_LIMIT: Duration = Duration::from_secs(10);

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
        let body: Option<Value> = serde_json::from_slice(&self.payload).ok();
        let kind = body.and_then(|b| b["errorType"].as_str().map(str::to_owned));
        Some(kind.unwrap_or_else(|| "Unhandled".to_owned()))
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

/// The processes of one cloud that wait for their next call.
#[derive(Debug)]
pub(crate) struct Fleet {
    /// The one used last stands last.
    idle: Mutex<Vec<Environment>>,
    /// Turns true once, when the cloud stops.
    stop: watch::Sender<bool>,
    reaps: AtomicBool,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            idle: Mutex::default(),
            stop: watch::Sender::new(false),
            reaps: AtomicBool::new(false),
        }
    }
}

impl Fleet {
    /// Kills every process, also those at work.
    pub(crate) fn close(&self) {
        let _was: bool = self.stop.send_replace(true);
        locked(&self.idle).clear();
    }

    /// Ends the idle processes of versions that were changed or deleted.
    pub(crate) fn retire(&self, world: &World) {
        // Taken out first: whether one is current is Lambda's to say, under its own lock.
        let all = std::mem::take(&mut *locked(&self.idle));
        let current = all.into_iter().filter(|e| e.is_current(world)).collect();
        let newer = std::mem::replace(&mut *locked(&self.idle), current);
        locked(&self.idle).extend(newer);
    }

    fn take(&self, spec: &Spec) -> Option<Environment> {
        let mut idle = locked(&self.idle);
        loop {
            let last = idle.iter().rposition(|e| e.serves(spec))?;
            let mut environment = idle.remove(last);
            if environment.is_alive() {
                return Some(environment);
            }
        }
    }

    fn put_back(&self, world: &Arc<World>, mut environment: Environment) {
        if *self.stop.borrow() || !environment.is_current(world) {
            return;
        }
        environment.idle_since = world.clock.now();
        locked(&self.idle).push(environment);
        if !self.reaps.swap(true, Ordering::Relaxed) {
            reap(world);
        }
    }

    /// Ends what has been idle too long; whether any is left.
    fn sweep(&self, now: Duration) -> bool {
        let mut idle = locked(&self.idle);
        idle.retain(|e| now.saturating_sub(e.idle_since) < IDLE);
        if idle.is_empty() {
            self.reaps.store(false, Ordering::Relaxed);
        }
        !idle.is_empty()
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        locked(&self.idle).len()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the fleet ends idle processes while nobody calls"
)]
fn reap(world: &Arc<World>) {
    let clock = world.clock.clone();
    let cloud = Arc::downgrade(world);
    let _detached: JoinHandle<()> = tokio::spawn(async move {
        loop {
            clock.wait(REAP_EVERY).await;
            let Some(world) = cloud.upgrade() else { return };
            if !world.lambda.fleet().sweep(clock.now()) {
                return;
            }
        }
    });
}

/// Runs one call in a warm environment, or in a new one.
pub(crate) async fn run(world: &Arc<World>, spec: &Spec, work: Work) -> Outcome {
    let fleet = world.lambda.fleet();
    let mut stop = fleet.stop.subscribe();
    if *stop.borrow() {
        return Outcome::error("Sandbox.Stopped", "the local cloud is stopping");
    }
    let mut environment = match fleet.take(spec) {
        Some(environment) => environment,
        None => match start(world, spec, &work, &mut stop).await {
            Ok(environment) => environment,
            Err(outcome) => return *outcome,
        },
    };
    let deadline = world.clock.now() + spec.timeout;
    let begun = Instant::now();
    environment.log.start(&work.request_id, &spec.version);
    let ended = environment
        .work(world, work.clone(), deadline, &mut stop)
        .await;
    let lives = matches!(ended, Ended::Answer(_) | Ended::Error(_) | Ended::TooLarge);
    if !lives {
        environment.kill().await;
    }
    let mut outcome = outcome(ended, &work.request_id, spec.timeout);
    environment.drain(lives).await;
    environment.log.end(&Report {
        request_id: &work.request_id,
        took: if outcome.timed_out {
            spec.timeout
        } else {
            begun.elapsed()
        },
        memory: spec.memory,
        peak: environment.peak_memory(),
        init: environment.init.take(),
        timed_out: outcome.timed_out,
        error: outcome.kind().as_deref(),
    });
    outcome.log_tail = environment.log.tail();
    if lives {
        fleet.put_back(world, environment);
    }
    outcome
}

fn outcome(ended: Ended, request_id: &str, timeout: Duration) -> Outcome {
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
        Ended::Exited(how) => Outcome::error(
            "Runtime.ExitError",
            &format!("RequestId: {request_id} Error: {how}"),
        ),
        Ended::TimedOut => timed_out(request_id, timeout),
        Ended::Stopped => Outcome::error("Sandbox.Stopped", "the local cloud is stopping"),
    }
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
    for limit in [INIT_LIMIT, spec.timeout] {
        let mut environment = match Environment::start(world, spec).await {
            Ok(environment) => environment,
            Err(e) => {
                let message = format!("RequestId: {id} Error: {}", e.message);
                return Err(Box::new(Outcome::error(e.kind, &message)));
            }
        };
        let begun = Instant::now();
        let init = environment
            .ready(world, world.clock.now() + limit, stop)
            .await;
        if matches!(init, Init::Ready) {
            environment.init = Some(begun.elapsed());
            return Ok(environment);
        }
        environment.kill().await;
        environment.drain(false).await;
        let mut failed = match init {
            Init::Ready => unreachable!("it was returned above"),
            Init::TimedOut if limit == INIT_LIMIT => {
                environment
                    .log
                    .init_failed(begun.elapsed(), "timeout", None);
                continue;
            }
            Init::TimedOut => timed_out(id, spec.timeout),
            Init::Error(payload) => Outcome {
                failed: true,
                ..Outcome::answer(payload)
            },
            Init::Exited(how) => {
                let message = format!("RequestId: {id} Error: {how}");
                Outcome::error("Runtime.ExitError", &message)
            }
            Init::Stopped => Outcome::error("Sandbox.Stopped", "the local cloud is stopping"),
        };
        let kind = failed.kind();
        environment
            .log
            .init_failed(begun.elapsed(), "error", kind.as_deref());
        failed.log_tail = environment.log.tail();
        return Err(Box::new(failed));
    }
    Err(Box::new(timed_out(id, spec.timeout)))
}
