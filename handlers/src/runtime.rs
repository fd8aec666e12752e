//! The Runtime API's loop: one event after the other, each with the [`Call`] that it comes in.
//!
//! In: a handler. Out: its answers to Lambda. Whoever uses the library has the environment and the clock from here;
//! nothing else in it reads them.

use std::fmt;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::aws::{Aws, Room};
use crate::call::Call;
use crate::env::{Account, Handler, Settings, SettingsError};
use crate::event::Event;
use crate::log::{Handled, Record};
use crate::reply::Refusal;

/// A variable of the process environment.
#[expect(
    clippy::disallowed_methods,
    reason = "a Lambda function's settings come by the environment, and are read here alone"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The time, for signatures.
#[expect(
    clippy::disallowed_methods,
    reason = "signatures need the time, and it is read here alone"
)]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// Runs a message route of your own: what it returns is the outcome in the log, what it refuses an `error` frame.
///
/// The stack lets the function use what it reaches: `uses: { tables.connections: [read, delete], connections: [send] }`.
#[expect(
    clippy::needless_pass_by_value,
    reason = "a function is named, not borrowed: `run(nudge)`"
)]
pub fn run(handle: impl AsyncFn(&mut Room<'_>) -> Result<&'static str, Refusal>) -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    match runtime.enable_all().build() {
        Ok(runtime) => runtime.block_on(route(&handle)),
        Err(error) => {
            complain("Runtime.Init", &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Clients and settings of one execution environment.
#[derive(Debug)]
pub struct Environment {
    pub settings: Settings,
    pub aws: Aws,
}

impl Environment {
    /// Reads and opens what the handler needs, so that an invocation finds it there.
    pub async fn load(handler: Handler) -> Result<Self, SettingsError> {
        let settings = Settings::read(variable)?;
        settings.suffice(handler)?;
        let aws = Aws::new(Account::read(variable)?, now);
        aws.warm().await;
        Ok(Self { settings, aws })
    }

    /// Writes down what became of an event, with what the clients did for it.
    pub fn write(&self, mut record: Record, call: &Call) {
        record.retried += self.aws.take_retried();
        record.write(&self.settings.function, call.now);
    }
}

async fn route(handle: &impl AsyncFn(&mut Room<'_>) -> Result<&'static str, Refusal>) -> ExitCode {
    // A route of one's own needs what the smallest shipped one does: the connections.
    let environment = match Environment::load(Handler::Typing).await {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error).await,
    };
    let Environment { settings, aws } = &environment;
    serve(async |event: Event, call: Call| {
        aws.begin(&call);
        let connections = aws.connections(settings.connections()?);
        let sockets = aws.sockets(&settings.endpoint.url(&event.request_context));
        let mut room = Room::new(&connections, &sockets, &event, &call);
        let result = handle(&mut room).await;
        let Handled { response, record } = room.close(result).await;
        environment.write(record, &call);
        Ok::<_, SettingsError>(response)
    })
    .await
}

/// Asks for events and answers them until Lambda ends the process.
///
/// An error of the handler is the invocation's; what a client should hear is a frame, and what API Gateway should is
/// the answer.
pub async fn serve<E, R, F>(handle: impl AsyncFn(E, Call) -> Result<R, F>) -> ExitCode
where
    E: DeserializeOwned,
    R: Serialize,
    F: fmt::Debug + fmt::Display + std::error::Error + Send + Sync + 'static,
{
    let handle = &handle;
    let service = service_fn(|event: LambdaEvent<E>| async move {
        let call = call(event.context.deadline).traced(event.context.xray_trace_id);
        let answer = handle(event.payload, call).await;
        answer.map_err(lambda_runtime::Error::from)
    });
    match Box::pin(Runtime::new(service).run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain("Runtime.ApiError", &error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// `deadline` is in milliseconds since the Unix epoch.
fn call(deadline: u64) -> Call {
    let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
    let left = Duration::from_millis(deadline.saturating_sub(now));
    Call::new(now, ulid::Ulid::generate().to_string(), left)
}

fn complain(error_type: &str, message: &str) {
    let line = serde_json::json!({"level": "error", "errorType": error_type, "error": message});
    writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
}

/// Tells Lambda why this function cannot start: on stderr for the log, to the Runtime API for the caller.
pub async fn refuse(error: &SettingsError) -> ExitCode {
    complain(error.error_type(), &error.to_string());
    if let Some(api) = variable("AWS_LAMBDA_RUNTIME_API")
        && let Err(lost) = post_init_error(&api, error).await
    {
        complain("Runtime.ApiError", &lost.to_string());
    }
    ExitCode::FAILURE
}

/// One request by hand: `lambda_runtime` starts after init and has no call for an init that fails.
async fn post_init_error(api: &str, error: &SettingsError) -> io::Result<()> {
    let error_type = error.error_type();
    let body = serde_json::json!({
        "errorMessage": error.to_string(), "errorType": error_type, "stackTrace": []
    });
    let body = body.to_string();
    let head = format!(
        "POST /2018-06-01/runtime/init/error HTTP/1.1\r\n\
         Host: {api}\r\n\
         Content-Type: application/json\r\n\
         Content-Length: {}\r\n\
         Lambda-Runtime-Function-Error-Type: {error_type}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(api).await?;
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    // The process ends after this: wait until the request has been read and an answer begins.
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await?;
    Ok(())
}
