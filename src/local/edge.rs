//! The one listener: decides which service a request means, and lets in only what AWS would.
//!
//! In: HTTP on the loopback interface, from a client that names a local host. Out: the service's answer with a
//! request id. Never: a signature verified (any key will do), or a service's rule. A role's session is asked for its
//! permissions here, once for all services.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_service::Service as _;

use super::iam::Asked;
use super::pace::Pace;
use super::refusal::Refusal;
use super::service::{self, Credential, Service, text};
use super::sts::Session;
use super::tls::{self, Door};
use super::wire::{self, Protocol, Reply};
use super::{
    Happening, World, apigateway, connections, console, dynamodb, faults, iam, ids, lambda, locked,
    logs, metrics, sts, tagging, websocket,
};

/// A 50 MB zip is 67 MB in base64.
const BODY_LIMIT: usize = 70 * 1024 * 1024;

/// What SDKs hand on of the function call that they run in.
pub(super) const TRACE: &str = "x-amzn-trace-id";

/// One account's services.
struct Edge {
    world: Arc<World>,
    data: Router,
    console: Router,
    pace: Pace,
}

/// Serves until `stopped`, then lets what is in flight finish.
pub(super) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let stop = async move {
        // An error means that the cloud was dropped, which is a stop too.
        drop(stopped.wait_for(|stopped| *stopped).await);
    };
    let router = router(Arc::clone(&world));
    if let Some(tls) = world.tls.get() {
        let door = Door::new(listener, tls);
        return axum::serve(door, router).with_graceful_shutdown(stop).await;
    }
    // Chat frames are small, and must not wait for the client's acknowledgement of the one before.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router)
        .with_graceful_shutdown(stop)
        .await
}

/// Every account's services, made when the first request means them.
struct Edges {
    first: Arc<Edge>,
    others: Mutex<BTreeMap<String, Arc<Edge>>>,
}

impl Edges {
    fn of(&self, world: &Arc<World>) -> Arc<Edge> {
        if Arc::ptr_eq(world, &self.first.world) {
            return Arc::clone(&self.first);
        }
        let mut others = locked(&self.others);
        let edge = others.entry(world.account.clone());
        Arc::clone(edge.or_insert_with(|| Arc::new(Edge::new(Arc::clone(world)))))
    }
}

pub(super) fn router(world: Arc<World>) -> Router {
    let edges = Edges {
        first: Arc::new(Edge::new(world)),
        others: Mutex::default(),
    };
    Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(edges))
}

async fn answer(State(edges): State<Arc<Edges>>, request: Request) -> Response {
    let edge = &edges.first;
    let sealed = edge.world.tls.get().and(edge.world.address.get());
    if let (Some(here), &Method::CONNECT) = (sealed, request.method()) {
        return tls::open(*here, request).await;
    }
    let host = host(request.headers(), request.uri()).to_owned();
    let own = !is_local(&host) && edge.world.has_domain(&host);
    let of_aws = sealed.is_some() && tls::serves(&host);
    if !(own || of_aws || is_local(&host)) {
        // A page on the internet may aim a name of its own at 127.0.0.1; its Host header gives it away.
        let text = format!("host {host:?} is not this machine: use 127.0.0.1 or localhost\n");
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    // Nor under a domain that somebody has mapped to a stage.
    if is_local(&host) && console::is_meant(&host, &request) {
        return forward(&edge.console, request).await;
    }
    let service = Service::of(&host, &request).filter(|_| !own);
    match service {
        Some(service) => match edge.world.of_key(service::key(request.headers())) {
            Ok(world) => control(&edges.of(&world), service, request).await,
            Err(refusal) => service.protocol().refuse(&wire::request_id(), &refusal),
        },
        None => data(&edges, &host, request).await,
    }
}

/// A socket, or a call of a connection. Nobody signs for another account.
async fn data(edges: &Edges, host: &str, request: Request) -> Response {
    let first = &edges.first.world;
    if let Some(zip) = lambda::snapshot(first, request.uri().path()) {
        return ([(header::CONTENT_TYPE, "application/zip")], zip).into_response();
    }
    let world = first.of_url(host, request.uri().path());
    let signer = Credential::of(request.headers()).map(|credential| first.of_key(credential.key));
    let refusal = match signer {
        Some(Err(refusal)) => refusal,
        Some(Ok(signer)) if !Arc::ptr_eq(&signer, &world) => connections::forbidden(),
        _ => return forward(&edges.of(&world).data, request).await,
    };
    wire::rest_json(&refusal)
}

pub(super) async fn forward(router: &Router, request: Request) -> Response {
    match router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// One control-plane call: signed, within its rate, answered, told.
async fn control(edge: &Edge, service: Service, request: Request) -> Response {
    let started = Instant::now();
    let request_id = wire::request_id();
    let made_by = ids::traced(text(request.headers(), TRACE));
    edge.world.travel().await;
    let call = Call::read(service, request).await;
    let (operation, mut response) = match call {
        Ok((call, body)) => {
            let refuse = |fate| service.protocol().refuse(&request_id, &service.fails(fate));
            let answer = edge.perform(&call, body, &request_id);
            let (name, operation) = (service.name(), &call.operation);
            let response = faults::befall(&edge.world, name, operation, refuse, answer).await;
            (call.operation, response)
        }
        Err(refusal) => (
            "Unreadable".to_owned(),
            service.protocol().refuse(&request_id, &refusal),
        ),
    };
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    edge.world.tell(Happening::Call {
        service: service.name(),
        operation,
        status: response.status().as_u16(),
        took: started.elapsed(),
        request_id: made_by,
    });
    response
}

/// A control-plane request with its operation known.
struct Call {
    service: Service,
    operation: String,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    /// The query protocol's parameters; empty for the others.
    parameters: BTreeMap<String, String>,
}

enum CallBody {
    Read(Bytes),
    /// Lambda reads its own.
    Whole(Box<Request>),
}

impl CallBody {
    /// What is in it, and itself again.
    async fn read(self) -> Result<(Bytes, Self), Refusal> {
        let request = match self {
            Self::Read(body) => return Ok((body.clone(), Self::Read(body))),
            Self::Whole(request) => request,
        };
        let (parts, body) = request.into_parts();
        let body = bytes(body).await?;
        let request = Request::from_parts(parts, Body::from(body.clone()));
        Ok((body, Self::Whole(Box::new(request))))
    }
}

async fn bytes(body: Body) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|e| Refusal::new(413, "RequestEntityTooLarge", e.to_string()))
}

impl Call {
    async fn read(service: Service, request: Request) -> Result<(Self, CallBody), Refusal> {
        let (parts, body) = request.into_parts();
        let (method, uri, headers) = (
            parts.method.clone(),
            parts.uri.clone(),
            parts.headers.clone(),
        );
        if service == Service::Lambda {
            let call = Self {
                operation: service::lambda_operation(&method, uri.path()),
                parameters: BTreeMap::new(),
                service,
                method,
                uri,
                headers,
            };
            return Ok((
                call,
                CallBody::Whole(Box::new(Request::from_parts(parts, body))),
            ));
        }
        let body = bytes(body).await?;
        let parameters: BTreeMap<String, String> = match service.protocol() {
            Protocol::Query(_) => form_urlencoded::parse(&body).into_owned().collect(),
            Protocol::Rest | Protocol::Json(_) | Protocol::Cbor => BTreeMap::new(),
        };
        let call = Self {
            operation: operation(service, &method, &uri, &headers, &parameters),
            service,
            method,
            uri,
            headers,
            parameters,
        };
        Ok((call, CallBody::Read(body)))
    }
}

fn operation(
    service: Service,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    parameters: &BTreeMap<String, String>,
) -> String {
    match service.protocol() {
        Protocol::Rest => apigateway::operation(method.as_str(), uri.path())
            .map_or_else(|| format!("{method} {}", uri.path()), str::to_owned),
        Protocol::Json(_) => text(headers, "x-amz-target")
            .split_once('.')
            .map_or("", |(_, operation)| operation)
            .to_owned(),
        Protocol::Query(_) => parameters.get("Action").cloned().unwrap_or_default(),
        Protocol::Cbor => {
            let named = uri.path().strip_prefix(service::METRICS_PATH);
            named.unwrap_or_default().to_owned()
        }
    }
}

impl Edge {
    fn new(world: Arc<World>) -> Self {
        let sockets = websocket::router(Arc::clone(&world));
        Self {
            data: sockets.merge(connections::router(Arc::clone(&world))),
            console: console::router(Arc::clone(&world)),
            pace: Pace::default(),
            world,
        }
    }

    async fn perform(&self, call: &Call, body: CallBody, request_id: &str) -> Response {
        let protocol = call.service.protocol();
        let entered = match self.admit(call) {
            Ok(()) => self.guard(call, body).await,
            Err(refusal) => Err(refusal),
        };
        let (caller, body) = match entered {
            Ok(entered) => entered,
            Err(refusal) => return protocol.refuse(request_id, &refusal),
        };
        match body {
            CallBody::Whole(request) => lambda::serve(&self.world, *request).await,
            CallBody::Read(body) => match self.dispatch(call, &body, caller.as_deref()).await {
                Ok(reply) => protocol.reply(&call.operation, request_id, &reply),
                Err(refusal) => protocol.refuse(request_id, &refusal),
            },
        }
    }

    fn admit(&self, call: &Call) -> Result<(), Refusal> {
        call.service.check_signature(&call.headers)?;
        if !self.world.realism.throttles {
            return Ok(());
        }
        let Some((bucket, limit)) = service::limit(call.service, &call.operation) else {
            return Ok(());
        };
        if self.pace.admits(bucket, limit, self.world.clock.now()) {
            Ok(())
        } else {
            Err(call.service.throttled())
        }
    }

    /// Who calls, when it is a role's session; it may do what its role may.
    async fn guard(
        &self,
        call: &Call,
        body: CallBody,
    ) -> Result<(Option<Arc<Session>>, CallBody), Refusal> {
        let service = call.service;
        let caller = sts::caller(&self.world, &call.headers).map_err(|e| service.untaken(e))?;
        let Some(session) = caller else {
            return Ok((None, body));
        };
        let (read, body) = body.read().await?;
        let asked = Asked {
            service,
            operation: &call.operation,
            method: &call.method,
            uri: &call.uri,
            parameters: &call.parameters,
            body: &read,
        };
        let asks = iam::asks_of(&self.world, asked);
        iam::check(&self.world, &session, &asks).map_err(|sentence| service.forbidden(sentence))?;
        Ok((Some(session), body))
    }

    async fn dispatch(
        &self,
        call: &Call,
        body: &Bytes,
        caller: Option<&Session>,
    ) -> Result<Reply, Refusal> {
        let world = &self.world;
        let operation = call.operation.as_str();
        match call.service {
            Service::ApiGateway => {
                let query = call.uri.query().unwrap_or_default();
                apigateway::answer(world, call.method.as_str(), call.uri.path(), query, body).await
            }
            Service::DynamoDb => dynamodb::answer(world, operation, body.clone()).await,
            Service::Logs => logs::answer(world, operation, body),
            Service::Tagging => tagging::answer(world, operation, body).await,
            Service::Metrics(spoken) => metrics::answer(world, operation, spoken, body),
            Service::Iam => iam::answer(world, operation, &call.parameters),
            Service::Sts => sts::answer(world, operation, &call.parameters, caller),
            // Its body is `Whole`, so it was forwarded.
            Service::Lambda => Ok(Reply::empty(404)),
        }
    }
}

/// The host a request names, without its port.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> &'a str {
    let named = uri
        .authority()
        .map_or_else(|| text(headers, "host"), |authority| authority.as_str());
    match named.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => named.split(':').next().unwrap_or_default(),
    }
}

fn is_local(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    matches!(host.as_str(), "127.0.0.1" | "localhost" | "::1") || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests_support::request;

    #[test]
    fn only_this_machine_is_a_host() {
        for (host_header, local) in [
            ("127.0.0.1:4600", true),
            ("localhost", true),
            ("A1.execute-api.localhost:80", true),
            ("[::1]:4600", true),
            ("evil.example", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example:4600", false),
            ("", false),
        ] {
            let request = request("GET", "/", &[("host", host_header)]);
            assert_eq!(
                is_local(host(request.headers(), request.uri())),
                local,
                "{host_header}"
            );
        }
    }
}
