//! Calling a function: for the Invoke API, for the data plane, and for the queue of asynchronous calls.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
#[cfg(test)]
use serde_json::Value;
use tokio::task::JoinHandle;

use super::Lambda;
use super::account::CONCURRENCY;
use super::api::{Call, code, empty};
use super::check::{Target, arn, constraint, failure, invalid, throttled, too_large};
use crate::local::World;
use crate::local::ids;
use crate::local::locked;
use crate::local::metrics::Invocation;
use crate::local::refusal::Refusal;
use crate::local::runtime::{self, Format, Outcome, Spec, Work};

/// The code of the refusal when the caller's patience ends before the function does.
pub(crate) const TIMED_OUT: &str = "IntegrationTimeout";

const SYNC_LIMIT: usize = 6_291_556;
const ASYNC_LIMIT: usize = 1_048_576;
/// Longer than any function may run.
const PATIENCE: Duration = Duration::from_mins(20);
/// Waits before the at most two retries of an asynchronous call that failed.
const RETRIES: [Duration; 2] = [Duration::from_mins(1), Duration::from_mins(2)];

/// What a function answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) payload: Vec<u8>,
    /// `Unhandled`, when the payload is an error.
    pub(crate) error: Option<String>,
    /// The version that ran: `$LATEST` or a number.
    pub(crate) version: String,
    /// The last 4 KB of the call's log.
    pub(crate) log_tail: String,
    /// Whether the function was killed for running too long.
    pub(crate) timed_out: bool,
    /// How long a new environment took to start, when there had to be one.
    pub(crate) init: Option<Duration>,
}

/// A handler in the test's own process.
#[cfg(test)]
pub(crate) type Here = Arc<
    dyn Fn(Value) -> futures_util::future::BoxFuture<'static, Result<Value, Value>> + Send + Sync,
>;

enum Run {
    Process(Box<Launch>),
    #[cfg(test)]
    Here(Here, Duration),
}

/// A process to be: its package is found when the call runs.
struct Launch {
    spec: Spec,
    sha256: String,
}

/// A call that has been let in.
struct Begun {
    run: Run,
    work: Work,
    version: String,
    slot: Slot,
}

/// One of the function's concurrent calls, until it ends.
struct Slot {
    world: Arc<World>,
    function: String,
    /// How many there were when it began, itself among them.
    at_once: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut busy = locked(&self.world.lambda.busy);
        if let Some(count) = busy.get_mut(&self.function) {
            *count -= 1;
        }
        busy.retain(|_, count| *count > 0);
    }
}

impl Slot {
    fn take(world: &Arc<World>, function: &str, reserved: Option<u64>) -> Result<Self, Refusal> {
        let mut busy = locked(&world.lambda.busy);
        let own = busy.get(function).copied().unwrap_or_default();
        if reserved.is_some_and(|most| own >= most) {
            return Err(throttled(
                "ReservedFunctionConcurrentInvocationLimitExceeded",
            ));
        }
        if busy.values().sum::<u64>() >= CONCURRENCY {
            return Err(throttled("ConcurrentInvocationLimitExceeded"));
        }
        *busy.entry(function.to_owned()).or_default() += 1;
        Ok(Self {
            world: Arc::clone(world),
            function: function.to_owned(),
            at_once: own + 1,
        })
    }
}

impl Lambda {
    /// Calls a function and waits at most `limit` for it; the function runs on when the wait is over.
    ///
    /// `function` is a name or an ARN, with a qualifier or without; `request_id` is a new uuid.
    pub(crate) async fn invoke(
        world: &Arc<World>,
        function: &str,
        request_id: &str,
        payload: Vec<u8>,
        limit: Duration,
    ) -> Result<Answer, Refusal> {
        world.travel().await;
        let target = Target::parse(world, function, None)?;
        let mut work = Work::new(payload);
        request_id.clone_into(&mut work.request_id);
        let begun = begin(world, &target, work)?;
        let running = run(world, begun);
        tokio::select! {
            biased;
            answer = running => answer.map_err(failure),
            () = world.clock.wait(limit) => Err(Refusal::new(504, TIMED_OUT, "Endpoint request timed out")),
        }
    }

    /// Makes `name` answer in this process; the function must exist.
    #[cfg(test)]
    pub(crate) fn answer_here(&self, name: &str, handler: Here) {
        locked(&self.here).insert(name.to_owned(), handler);
    }
}

/// Lets a call in, or refuses it: no such function, not active, throttled.
fn begin(world: &Arc<World>, target: &Target, mut work: Work) -> Result<Begun, Refusal> {
    let state = world.lambda.lock();
    let function = state.look(world, target)?;
    let version = function.runs(world, target.qualifier())?;
    version.active(world)?;
    let slot = Slot::take(world, &target.name, function.reserved)
        .inspect_err(|_| world.count_throttle(&target.name))?;
    work.arn = arn(world, &target.name, target.qualifier());
    let config = &version.config;
    let spec = Spec {
        function: target.name.clone(),
        version: version.number.clone(),
        revision: version.revision.clone(),
        runtime: config.runtime.clone(),
        handler: config.handler.clone(),
        role: config.role.clone(),
        memory: config.memory,
        timeout: Duration::from_secs(config.timeout),
        variables: config.variables.clone(),
        log_group: config.logging.group(&target.name),
        format: Format {
            json: config.logging.log_format.as_deref() == Some("JSON"),
            application: config.logging.application_log_level.clone(),
            system: config.logging.system_log_level.clone(),
        },
        folder: std::path::PathBuf::new(),
    };
    let (number, timeout) = (version.number.clone(), spec.timeout);
    let sha256 = version.code.sha256.clone();
    drop(state);
    Ok(Begun {
        run: choose(world, Launch { spec, sha256 }, timeout),
        work,
        version: number,
        slot,
    })
}

#[cfg(not(test))]
fn choose(_world: &World, launch: Launch, _timeout: Duration) -> Run {
    Run::Process(Box::new(launch))
}

#[cfg(test)]
fn choose(world: &World, launch: Launch, timeout: Duration) -> Run {
    match locked(&world.lambda.here).get(&launch.spec.function) {
        Some(handler) => Run::Here(Arc::clone(handler), timeout),
        None => Run::Process(Box::new(launch)),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a call goes on when its caller has left"
)]
fn run(world: &Arc<World>, begun: Begun) -> JoinHandle<Answer> {
    let world = Arc::clone(world);
    tokio::spawn(async move {
        let Begun {
            run,
            work,
            version,
            slot,
        } = begun;
        let started = Instant::now();
        let outcome = match run {
            Run::Process(launch) => process(&world, *launch, work).await,
            #[cfg(test)]
            Run::Here(handler, timeout) => here(&world, &handler, work, timeout).await,
        };
        let invocation = Invocation {
            // Starting an environment is no part of it.
            took: started
                .elapsed()
                .saturating_sub(outcome.init.unwrap_or_default()),
            failed: outcome.failed,
            at_once: slot.at_once,
        };
        world.count_invocation(&slot.function, &invocation);
        Answer {
            payload: outcome.payload,
            error: outcome.failed.then(|| "Unhandled".to_owned()),
            version,
            log_tail: outcome.log_tail,
            timed_out: outcome.timed_out,
            init: outcome.init,
        }
    })
}

async fn process(world: &Arc<World>, launch: Launch, work: Work) -> Outcome {
    let Launch { mut spec, sha256 } = launch;
    let keeper = Arc::clone(world);
    let folder = tokio::task::spawn_blocking(move || keeper.lambda.code.folder(&sha256)).await;
    match folder {
        Ok(Ok(folder)) => spec.folder = folder,
        Ok(Err(e)) => return Outcome::error("Runtime.CodeUnavailable", &e.to_string()),
        Err(e) => return Outcome::error("Runtime.CodeUnavailable", &e.to_string()),
    }
    runtime::run(world, &spec, work).await
}

#[cfg(test)]
async fn here(world: &World, handler: &Here, work: Work, timeout: Duration) -> Outcome {
    let event = serde_json::from_slice(&work.payload).unwrap_or(Value::Null);
    tokio::select! {
        biased;
        answer = handler(event) => match answer {
            Ok(value) => Outcome::answer(value.to_string().into_bytes()),
            Err(value) => Outcome { failed: true, ..Outcome::answer(value.to_string().into_bytes()) },
        },
        () = world.clock.wait(timeout) => runtime::timed_out(&work.request_id, timeout),
    }
}

pub(super) async fn serve(world: &Arc<World>, call: &Call) -> Result<Response, Refusal> {
    let target = call.target(world)?;
    let kind = call
        .header("x-amz-invocation-type")
        .unwrap_or("RequestResponse");
    let limit = match kind {
        "RequestResponse" | "DryRun" => SYNC_LIMIT,
        "Event" => ASYNC_LIMIT,
        other => {
            let rule = "satisfy enum value set: [Event, RequestResponse, DryRun]";
            return Err(constraint(other, "invocationType", rule));
        }
    };
    if call.body.len() > limit {
        return Err(too_large(format!(
            "{} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
            call.body.len()
        )));
    }
    for (header, what) in [
        ("x-amz-tenant-id", "tenants"),
        ("x-amz-durable-execution-name", "durable functions"),
    ] {
        if call.header(header).is_some() {
            return Err(invalid(format!("The local cloud has no {what}.")));
        }
    }
    let mut work = Work::new(payload(call)?);
    work.client_context = client_context(call)?;
    match kind {
        "DryRun" => {
            let state = world.lambda.lock();
            state
                .look(world, &target)?
                .version(world, target.qualifier())?;
            Ok(empty(204))
        }
        "Event" => {
            enqueue(world, target, work)?;
            Ok(empty(202))
        }
        _ => answer(world, call, &target, work).await,
    }
}

/// An absent payload is an empty object, as runtimes see it.
fn payload(call: &Call) -> Result<Vec<u8>, Refusal> {
    if call.body.is_empty() {
        return Ok(b"{}".to_vec());
    }
    if let Err(e) = serde_json::from_slice::<serde::de::IgnoredAny>(&call.body) {
        return Err(Refusal::new(
            400,
            "InvalidRequestContentException",
            format!("Could not parse request body into json: {e}"),
        )
        .with("Type", "User"));
    }
    Ok(call.body.to_vec())
}

fn client_context(call: &Call) -> Result<Option<String>, Refusal> {
    let Some(context) = call.header("x-amz-client-context") else {
        return Ok(None);
    };
    let decoded = STANDARD.decode(context).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map(Some).ok_or_else(|| {
        Refusal::new(
            400,
            "InvalidRequestContentException",
            "Client context must be a valid Base64-encoded JSON object.",
        )
        .with("Type", "User")
    })
}

async fn answer(
    world: &Arc<World>,
    call: &Call,
    target: &Target,
    work: Work,
) -> Result<Response, Refusal> {
    let running = run(world, begin(world, target, work)?);
    let answer = tokio::time::timeout(PATIENCE, running)
        .await
        .map_err(failure)?
        .map_err(failure)?;
    let mut response = Response::builder()
        .status(code(200))
        .header(CONTENT_TYPE, "application/json")
        .header("X-Amz-Executed-Version", answer.version);
    if let Some(error) = answer.error {
        response = response.header("X-Amz-Function-Error", error);
    }
    if call.header("x-amz-log-type") == Some("Tail") {
        response = response.header("X-Amz-Log-Result", STANDARD.encode(answer.log_tail));
    }
    response.body(Body::from(answer.payload)).map_err(failure)
}

/// Accepts an asynchronous call; what becomes of it only the log tells.
#[expect(
    clippy::disallowed_methods,
    reason = "the queue works after its caller was answered"
)]
fn enqueue(world: &Arc<World>, target: Target, work: Work) -> Result<(), Refusal> {
    let state = world.lambda.lock();
    let function = state.look(world, &target)?;
    function.version(world, target.qualifier())?;
    let (attempts, age) = function.patience(target.qualifier());
    drop(state);
    // Weak, or an event that waits for its retry would keep a stopped cloud alive.
    let cloud = Arc::downgrade(world);
    let clock = world.clock.clone();
    let _detached: JoinHandle<()> = tokio::spawn(async move {
        let end = clock.now() + age;
        let mut retries = RETRIES.into_iter().take(attempts);
        while clock.now() < end {
            let Some(world) = cloud.upgrade() else { return };
            let wait = match attempt(&world, &target, &work).await {
                Attempt::Done => return,
                Attempt::Failed => match retries.next() {
                    Some(wait) => wait,
                    None => return,
                },
                Attempt::Throttled => Duration::from_secs(1),
            };
            drop(world);
            clock.wait(wait).await;
        }
    });
    Ok(())
}

enum Attempt {
    Done,
    Failed,
    Throttled,
}

async fn attempt(world: &Arc<World>, target: &Target, work: &Work) -> Attempt {
    match begin(world, target, work.clone()) {
        Ok(begun) => match run(world, begun).await {
            Ok(answer) if answer.error.is_none() => Attempt::Done,
            _ => Attempt::Failed,
        },
        // Throttled, or not active yet: neither is the event's fault.
        Err(refusal) if refusal.status == 429 || refusal.status == 409 => Attempt::Throttled,
        Err(_) => Attempt::Failed,
    }
}

impl Work {
    fn new(payload: Vec<u8>) -> Self {
        Self {
            request_id: ids::uuid(),
            payload,
            arn: String::new(),
            client_context: None,
        }
    }
}
