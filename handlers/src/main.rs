//! One `bootstrap` for all shipped functions, chosen by `_HANDLER`: clients once, then one event after the other.
//!
//! The only place that reads the environment and the clock.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use handlers::aws::Aws;
use handlers::call::Call;
use handlers::env::{Handler, MessagesTable, Settings, SettingsError};
use handlers::event::Event;
use handlers::reply::Response;
use handlers::send::Chat;
use handlers::{connect, disconnect};
use lambda_runtime::{LambdaEvent, Runtime, service_fn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Clients and settings of one execution environment.
struct Function {
    aws: Aws,
    settings: Settings,
    route: Route,
}

/// The chosen handler, with what only it needs.
enum Route {
    Connect,
    Disconnect,
    Send(MessagesTable),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let function = match load().await {
        Ok(function) => function,
        Err(error) => {
            report(&error).await;
            return ExitCode::FAILURE;
        }
    };
    let function = &function;
    let service = service_fn(|event: LambdaEvent<Event>| async move {
        // Faults of AWS are answers too: an error here means a broken event, found before this line.
        Ok::<_, lambda_runtime::Error>(function.handle(event).await)
    });
    match Box::pin(Runtime::new(service).run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain("Runtime.ApiError", &error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a Lambda function's settings come by the environment, and are read here alone"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

async fn load() -> Result<Function, SettingsError> {
    let handler = Handler::named(&variable("_HANDLER").unwrap_or_default())?;
    let settings = Settings::read(variable)?;
    let route = match handler {
        Handler::Connect => Route::Connect,
        Handler::Disconnect => Route::Disconnect,
        Handler::Send => Route::Send(settings.messages()?.clone()),
    };
    let region = variable("AWS_REGION").ok_or(SettingsError::Missing("AWS_REGION"))?;
    Ok(Function {
        aws: Aws::load(region).await,
        settings,
        route,
    })
}

impl Function {
    async fn handle(&self, event: LambdaEvent<Event>) -> Response {
        let LambdaEvent { payload, context } = event;
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let left = Duration::from_millis(context.deadline.saturating_sub(now));
        let fresh_id = ulid::Ulid::generate().to_string();
        let call = Call::new(now, fresh_id, left);
        let connections = self.aws.connections(&self.settings.connections);
        let handled = match &self.route {
            Route::Connect => connect::handle(&connections, &payload, &call).await,
            Route::Disconnect => disconnect::handle(&connections, &payload, &call).await,
            Route::Send(table) => {
                let endpoint = self.settings.endpoint.url(&payload.request_context);
                let chat = Chat {
                    connections: &connections,
                    messages: &self.aws.messages(table),
                    sockets: &self.aws.sockets(&endpoint),
                };
                chat.handle(&payload, &call).await
            }
        };
        handled.record.write();
        handled.response
    }
}

fn complain(error_type: &str, message: &str) {
    let line = serde_json::json!({"level": "error", "errorType": error_type, "error": message});
    writeln!(io::stderr().lock(), "{line}").unwrap_or_default();
}

/// Tells Lambda why this function cannot start: on stderr for the log, to the Runtime API for the caller.
async fn report(error: &SettingsError) {
    complain(error.error_type(), &error.to_string());
    let Some(api) = variable("AWS_LAMBDA_RUNTIME_API") else {
        return;
    };
    if let Err(lost) = post_init_error(&api, error).await {
        complain("Runtime.ApiError", &lost.to_string());
    }
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
