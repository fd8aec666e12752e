//! The one listener: decides which service a request means, and lets in only what AWS would.
//!
//! In: HTTP on the loopback interface, from a client that names a local host. Out: the service's answer with a
//! request id. Never: a signature verified (any key will do), or a service's rule.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_service::Service as _;

use super::pace::{Limit, Pace};
use super::refusal::Refusal;
use super::wire::{self, Protocol, Reply};
use super::{
    Happening, World, apigateway, connections, dynamodb, iam, lambda, logs, sts, tagging, websocket,
};

/// A 50 MB zip is 67 MB in base64.
const BODY_LIMIT: usize = 70 * 1024 * 1024;

struct Edge {
    world: Arc<World>,
    lambda: Router,
    data: Router,
    pace: Pace,
}

/// Serves until `stopped`, then lets what is in flight finish.
pub(super) async fn serve(
    listener: TcpListener,
    world: Arc<World>,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    // Chat frames are small, and must not wait for the client's acknowledgement of the one before.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router(world))
        .with_graceful_shutdown(async move {
            // An error means that the cloud was dropped, which is a stop too.
            drop(stopped.wait_for(|stopped| *stopped).await);
        })
        .await
}

fn router(world: Arc<World>) -> Router {
    let data = websocket::router(Arc::clone(&world)).merge(connections::router(Arc::clone(&world)));
    let edge = Edge {
        lambda: lambda::router(Arc::clone(&world)),
        data,
        pace: Pace::default(),
        world,
    };
    Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .with_state(Arc::new(edge))
}

async fn answer(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let host = host(request.headers(), request.uri()).to_owned();
    if !is_local(&host) {
        // A page on the internet may aim a name of its own at 127.0.0.1; its Host header gives it away.
        let text = format!("host {host:?} is not this machine: use 127.0.0.1 or localhost\n");
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    match Service::of(&host, &request) {
        Some(service) => control(&edge, service, request).await,
        None => forward(&edge.data, request).await,
    }
}

async fn forward(router: &Router, request: Request) -> Response {
    match router.clone().call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// One control-plane call: signed, within its rate, answered, told.
async fn control(edge: &Edge, service: Service, request: Request) -> Response {
    let started = Instant::now();
    let request_id = wire::request_id();
    let call = Call::read(service, request).await;
    let (operation, mut response) = match call {
        Ok((call, body)) => {
            let response = edge.perform(&call, body, &request_id).await;
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
    /// Lambda's router reads its own.
    Whole(Box<Request>),
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
                operation: lambda_operation(&method, uri.path()),
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
        let body = axum::body::to_bytes(body, BODY_LIMIT)
            .await
            .map_err(|e| Refusal::new(413, "RequestEntityTooLarge", e.to_string()))?;
        let parameters: BTreeMap<String, String> = match service.protocol() {
            Protocol::Query(_) => form_urlencoded::parse(&body).into_owned().collect(),
            Protocol::Rest | Protocol::Json(_) => BTreeMap::new(),
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
    }
}

impl Edge {
    async fn perform(&self, call: &Call, body: CallBody, request_id: &str) -> Response {
        let protocol = call.service.protocol();
        if let Err(refusal) = self.admit(call) {
            return protocol.refuse(request_id, &refusal);
        }
        match body {
            CallBody::Whole(request) => forward(&self.lambda, *request).await,
            CallBody::Read(body) => match self.dispatch(call, &body).await {
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
        let Some((bucket, limit)) = limit(call.service, &call.operation) else {
            return Ok(());
        };
        if self.pace.admits(bucket, limit, self.world.clock.now()) {
            Ok(())
        } else {
            Err(call.service.throttled())
        }
    }

    async fn dispatch(&self, call: &Call, body: &Bytes) -> Result<Reply, Refusal> {
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
            Service::Iam => iam::answer(world, operation, &call.parameters),
            Service::Sts => sts::answer(world, operation, &call.parameters),
            // Its body is `Whole`, so it was forwarded.
            Service::Lambda => Ok(Reply::empty(404)),
        }
    }
}

/// The services with a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    ApiGateway,
    Lambda,
    DynamoDb,
    Logs,
    Tagging,
    Iam,
    Sts,
}

impl Service {
    /// The service a request means; `None` is the data plane.
    fn of(host: &str, request: &Request) -> Option<Self> {
        let (headers, path) = (request.headers(), request.uri().path());
        if host.contains(".execute-api.")
            || headers.contains_key(header::UPGRADE)
            || path.starts_with("/_aws/")
            || path.contains("/@connections/")
            || path.contains("/%40connections/")
        {
            return None;
        }
        match text(headers, "x-amz-target").split('.').next()? {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => return Some(Self::DynamoDb),
            "Logs_20140328" => return Some(Self::Logs),
            "ResourceGroupsTaggingAPI_20170126" => return Some(Self::Tagging),
            _ => {}
        }
        if path == "/account" || path.starts_with("/v2/") {
            return Some(Self::ApiGateway);
        }
        if is_dated(path) {
            return Some(Self::Lambda);
        }
        let form = text(headers, "content-type").starts_with("application/x-www-form-urlencoded");
        (request.method() == Method::POST && form).then(|| match scope(headers) {
            Some("sts") => Self::Sts,
            _ => Self::Iam,
        })
    }

    /// As a credential scope names it.
    fn name(self) -> &'static str {
        match self {
            Self::ApiGateway => "apigateway",
            Self::Lambda => "lambda",
            Self::DynamoDb => "dynamodb",
            Self::Logs => "logs",
            Self::Tagging => "tagging",
            Self::Iam => "iam",
            Self::Sts => "sts",
        }
    }

    fn protocol(self) -> Protocol {
        match self {
            Self::ApiGateway | Self::Lambda => Protocol::Rest,
            Self::DynamoDb => Protocol::Json("1.0"),
            Self::Logs | Self::Tagging => Protocol::Json("1.1"),
            Self::Iam => Protocol::Query("https://iam.amazonaws.com/doc/2010-05-08/"),
            Self::Sts => Protocol::Query("https://sts.amazonaws.com/doc/2011-06-15/"),
        }
    }

    fn check_signature(self, headers: &HeaderMap) -> Result<(), Refusal> {
        if !headers.contains_key(header::AUTHORIZATION) {
            let message = match self.protocol() {
                Protocol::Query(_) => "Request is missing Authentication Token",
                Protocol::Rest | Protocol::Json(_) => "Missing Authentication Token",
            };
            return Err(self.denied("MissingAuthenticationToken", message));
        }
        match scope(headers) {
            Some(scope) if scope == self.name() => Ok(()),
            Some(_) => {
                let code = match self.protocol() {
                    Protocol::Query(_) => "SignatureDoesNotMatch",
                    Protocol::Rest | Protocol::Json(_) => "InvalidSignature",
                };
                let name = self.name();
                let message = format!("Credential should be scoped to correct service: '{name}'.");
                Err(self.denied(code, &message))
            }
            None => Err(self.denied(
                "IncompleteSignature",
                "Authorization header requires 'Credential' parameter.",
            )),
        }
    }

    /// A refusal of the front door, spelled as the service's protocol spells it.
    fn denied(self, code: &str, message: &str) -> Refusal {
        match self {
            Self::ApiGateway | Self::Lambda => {
                Refusal::new(403, format!("{code}Exception"), message)
            }
            Self::DynamoDb => Refusal::new(
                400,
                format!("com.amazon.coral.service#{code}Exception"),
                message,
            ),
            Self::Logs | Self::Tagging => Refusal::new(400, format!("{code}Exception"), message),
            Self::Iam | Self::Sts => Refusal::new(403, code.to_owned(), message),
        }
    }

    fn throttled(self) -> Refusal {
        match self {
            Self::ApiGateway => Refusal::new(429, "TooManyRequestsException", "Too Many Requests"),
            Self::Lambda => Refusal::new(429, "TooManyRequestsException", "Rate exceeded")
                .with("Type", "User")
                .with("Reason", "CallerRateLimitExceeded"),
            Self::DynamoDb => Refusal::new(
                400,
                "com.amazonaws.dynamodb.v20120810#ThrottlingException",
                "Rate exceeded",
            ),
            Self::Logs | Self::Tagging => Refusal::new(400, "ThrottlingException", "Rate exceeded"),
            Self::Iam | Self::Sts => Refusal::new(400, "Throttling", "Rate exceeded"),
        }
    }
}

/// The documented limits; calls without one are not limited.
fn limit(service: Service, operation: &str) -> Option<(&'static str, Limit)> {
    let per_second = |rate: u16| Limit {
        burst: f64::from(rate),
        rate: f64::from(rate),
    };
    match (service, operation) {
        (Service::ApiGateway, "CreateDeployment") => Some((
            "apigateway:CreateDeployment",
            Limit::new(1, Duration::from_secs(5)),
        )),
        (Service::ApiGateway, "UpdateAccount") => Some((
            "apigateway:UpdateAccount",
            Limit::new(1, Duration::from_secs(20)),
        )),
        (Service::ApiGateway, _) => {
            Some(("apigateway", Limit::new(40, Duration::from_millis(100))))
        }
        (Service::Lambda, "Invoke") => None,
        (Service::Lambda, "GetFunction") => Some(("lambda:GetFunction", per_second(100))),
        (Service::Lambda, "GetPolicy") => Some(("lambda:GetPolicy", per_second(15))),
        (Service::Lambda, _) => Some(("lambda", per_second(15))),
        (Service::DynamoDb, "TagResource") => Some(("dynamodb:TagResource", per_second(5))),
        (Service::DynamoDb | Service::Logs | Service::Tagging | Service::Iam | Service::Sts, _) => {
            None
        }
    }
}

/// Lambda's operation by its method and path, for rates and for whoever watches.
fn lambda_operation(method: &Method, path: &str) -> String {
    let segments: Vec<&str> = path.split('/').skip(2).filter(|s| !s.is_empty()).collect();
    let operation = match (method.as_str(), segments.as_slice()) {
        ("POST", ["functions"]) => "CreateFunction",
        ("GET", ["functions"]) => "ListFunctions",
        ("GET", ["functions", _]) => "GetFunction",
        ("DELETE", ["functions", _]) => "DeleteFunction",
        ("GET", ["functions", _, "configuration"]) => "GetFunctionConfiguration",
        ("PUT", ["functions", _, "configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", ["functions", _, "code"]) => "UpdateFunctionCode",
        ("POST", ["functions", _, "versions"]) => "PublishVersion",
        ("GET", ["functions", _, "versions"]) => "ListVersionsByFunction",
        ("POST", ["functions", _, "aliases"]) => "CreateAlias",
        ("GET", ["functions", _, "aliases"]) => "ListAliases",
        ("GET", ["functions", _, "aliases", _]) => "GetAlias",
        ("PUT", ["functions", _, "aliases", _]) => "UpdateAlias",
        ("DELETE", ["functions", _, "aliases", _]) => "DeleteAlias",
        ("POST", ["functions", _, "policy"]) => "AddPermission",
        ("GET", ["functions", _, "policy"]) => "GetPolicy",
        ("DELETE", ["functions", _, "policy", _]) => "RemovePermission",
        ("PUT", ["functions", _, "concurrency"]) => "PutFunctionConcurrency",
        ("GET", ["functions", _, "concurrency"]) => "GetFunctionConcurrency",
        ("DELETE", ["functions", _, "concurrency"]) => "DeleteFunctionConcurrency",
        ("POST", ["functions", _, "invocations"]) => "Invoke",
        ("POST", ["tags", ..]) => "TagResource",
        ("GET", ["tags", ..]) => "ListTags",
        ("DELETE", ["tags", ..]) => "UntagResource",
        _ => return format!("{method} {path}"),
    };
    operation.to_owned()
}

/// Lambda's paths begin with an API version such as `/2015-03-31/`.
fn is_dated(path: &str) -> bool {
    let version = path.split('/').nth(1).unwrap_or_default().as_bytes();
    version.len() == 10
        && version
            .iter()
            .enumerate()
            .all(|(i, b)| matches!(i, 4 | 7) == (*b == b'-') && (*b == b'-' || b.is_ascii_digit()))
}

/// The service in `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(headers: &HeaderMap) -> Option<&str> {
    let credential = text(headers, "authorization")
        .strip_prefix("AWS4-HMAC-SHA256")?
        .split([' ', ','])
        .find_map(|part| part.strip_prefix("Credential="))?;
    let mut parts = credential.rsplit('/');
    if parts.next() != Some("aws4_request") {
        return None;
    }
    parts.next()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
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
    use axum::body::Body;

    use super::*;

    /// Method, path, headers, and the service they mean.
    type Case<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)], Option<Service>);

    fn request(method: &str, uri: &str, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn each_service_is_told_by_its_request() {
        let form = (
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let sts = (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0",
        );
        let cases: &[Case] = &[
            (
                "POST",
                "/",
                &[("x-amz-target", "DynamoDB_20120810.PutItem")],
                Some(Service::DynamoDb),
            ),
            (
                "POST",
                "/",
                &[("x-amz-target", "Logs_20140328.PutLogEvents")],
                Some(Service::Logs),
            ),
            ("POST", "/", &[form], Some(Service::Iam)),
            ("POST", "/", &[form, sts], Some(Service::Sts)),
            ("GET", "/v2/apis", &[], Some(Service::ApiGateway)),
            ("PATCH", "/account", &[], Some(Service::ApiGateway)),
            ("GET", "/2015-03-31/functions/", &[], Some(Service::Lambda)),
            ("GET", "/production", &[], None),
            ("GET", "/v2/x", &[("upgrade", "websocket")], None),
            ("POST", "/production/@connections/abc%3D", &[], None),
            ("GET", "/_aws/execute-api/a/b", &[], None),
        ];
        for (method, uri, headers, service) in cases {
            let request = request(method, uri, headers);
            assert_eq!(
                Service::of("127.0.0.1", &request),
                *service,
                "{method} {uri}"
            );
        }
        let by_host = request("GET", "/v2/apis", &[]);
        assert_eq!(Service::of("a1.execute-api.localhost", &by_host), None);
    }

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

    #[test]
    fn lambda_operations_have_their_names() {
        let name = |method, path| lambda_operation(&method, path);
        assert_eq!(
            name(Method::POST, "/2015-03-31/functions/f/invocations"),
            "Invoke"
        );
        assert_eq!(name(Method::GET, "/2015-03-31/functions/"), "ListFunctions");
        assert_eq!(
            name(Method::POST, "/2017-03-31/tags/arn%3Aaws"),
            "TagResource"
        );
    }
}
