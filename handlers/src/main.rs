//! One `bootstrap` for all shipped functions, chosen by `_HANDLER`: clients once, then one event after the other.

use std::process::ExitCode;

use handlers::authorize::{Gate, Trust};
use handlers::aws::AwsSockets;
use handlers::call::Call;
use handlers::deliver::{Errand, Worker};
use handlers::env::{Handler, SettingsError, roots};
use handlers::event::Event;
use handlers::fault::Fault;
use handlers::http::Http;
use handlers::jwks::Keyring;
use handlers::log::Handled;
use handlers::pace::Pace;
use handlers::reply::Response;
use handlers::room::Room;
use handlers::runtime::{self, Environment, variable};
use handlers::send::Chat;
use handlers::{connect, disconnect, presence, typing, unknown};

/// A handler, and what it stands on.
struct Function {
    handler: Handler,
    environment: Environment,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match start().await {
        Ok(code) => code,
        Err(error) => runtime::refuse(&error).await,
    }
}

/// A handler whose events are not a WebSocket API's gets a `serve` of its own here.
async fn start() -> Result<ExitCode, SettingsError> {
    let handler = Handler::named(&variable("_HANDLER").unwrap_or_default())?;
    if handler == Handler::Authorize {
        return authorize().await;
    }
    let environment = Environment::load(handler).await?;
    let function = &Function {
        handler,
        environment,
    };
    if handler == Handler::Deliver {
        let pace = &Pace::new(function.environment.settings.workers.rate);
        let work = async |errand: Errand, call: Call| function.deliver(&errand, pace, &call).await;
        return Ok(runtime::serve(work).await);
    }
    let handle = async |event: Event, call: Call| function.handle(&event, &call).await;
    Ok(runtime::serve(handle).await)
}

/// The authorizer needs no table and no credentials: it has a client of its own, and its answer is a policy.
async fn authorize() -> Result<ExitCode, SettingsError> {
    let trust = &Trust::read(variable)?;
    let fetch = &Http::new(roots(variable));
    let keys = &Keyring::default();
    let gate = Gate { trust, keys, fetch };
    let name = &variable("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let decide = async |event: Event, call: Call| {
        let (answer, record) = gate.decide(&event, &call).await;
        record.write(name, call.now);
        answer
    };
    Ok(runtime::serve(decide).await)
}

impl Function {
    async fn handle(&self, event: &Event, call: &Call) -> Result<Response, SettingsError> {
        let Handled { response, record } = self.dispatch(event, call).await?;
        self.environment.write(record, call);
        Ok(response)
    }

    /// Faults of AWS are answers too; an error is a setting that `load` would have missed.
    async fn dispatch(&self, event: &Event, call: &Call) -> Result<Handled, SettingsError> {
        let Environment { settings, aws } = &self.environment;
        aws.begin(call);
        let table = settings.connections();
        let connections = table.map(|table| aws.connections(table));
        let sockets = &self.sockets(event);
        let handled = match self.handler.on(&event.request_context.route_key) {
            Handler::Connect => connect::handle(&connections?, &settings.door, event, call).await,
            Handler::Disconnect => disconnect::handle(&connections?, event, call).await,
            handler @ (Handler::Send | Handler::CatchUp | Handler::MarkRead) => {
                let chat = Chat {
                    connections: &connections?,
                    messages: &aws.messages(settings.messages()?),
                    sockets,
                };
                match handler {
                    Handler::CatchUp => Box::pin(chat.catch_up(event, call)).await,
                    Handler::MarkRead => Box::pin(chat.mark_read(event, call)).await,
                    _ => Box::pin(chat.handle(event, call)).await,
                }
            }
            Handler::Typing => {
                let connections = connections?;
                let mut room = Room::new(&connections, sockets, event, call);
                let result = typing::handle(&mut room).await;
                room.close(result).await
            }
            Handler::Presence => {
                let connections = connections?;
                let mut room = Room::new(&connections, sockets, event, call);
                let result = presence::handle(&mut room, settings.presence_seconds).await;
                room.close(result).await
            }
            Handler::Default | Handler::Chat => {
                unknown::handle(sockets, &settings.routes, event, call).await
            }
            // These have been led to a `serve` of their own.
            handler @ (Handler::Authorize | Handler::Deliver) => {
                return Err(SettingsError::UnknownHandler(format!("{handler:?}")));
            }
        };
        Ok(handled)
    }

    /// An error makes Lambda send the event again.
    async fn deliver(&self, errand: &Errand, pace: &Pace, call: &Call) -> Result<(), Fault> {
        let Environment { settings, aws } = &self.environment;
        aws.begin(call);
        let missing = |error: SettingsError| Fault::Invalid(error.to_string());
        let connections = settings.connections().map_err(missing)?;
        let messages = settings.messages().map_err(missing)?;
        let worker = Worker {
            connections: &aws.connections(connections).in_batches(),
            messages: &aws.messages(messages),
            sockets: &self.sockets_at(&errand.endpoint),
            receipts: &aws.receipts(connections),
            pace,
        };
        let (record, done) = worker.handle(&errand.job, call).await;
        self.environment.write(record, call);
        done
    }

    fn sockets(&self, event: &Event) -> AwsSockets {
        self.sockets_at(
            &self
                .environment
                .settings
                .endpoint
                .url(&event.request_context),
        )
    }

    fn sockets_at(&self, endpoint: &str) -> AwsSockets {
        let workers = self.environment.settings.workers.function.as_deref();
        self.environment.aws.sockets(endpoint).with_workers(workers)
    }
}
