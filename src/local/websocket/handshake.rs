//! Letting a client in: the answer to its upgrade waits until the authorizer and `$connect` have spoken.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::access_log::Line;
use super::authorizer::{self, Barred};
use super::discreet::discreet;
use super::integration::{Called, Errand};
use super::{Address, Connection, Ends, Farewell, messages, notice, served, socket};
use crate::local::apigateway::Served;
use crate::local::connections::SERVICE;
use crate::local::events::{Asked, Caller, Moment, Signer, train_case};
use crate::local::iam::{self, Ask};
use crate::local::selection::CONNECT;
use crate::local::service::Credential;
use crate::local::{Happening, World, ids, sts};

/// Everything is loopback.
const SOURCE: &str = "127.0.0.1";
const URL_LIMIT: usize = 4096;

/// A client at the gate.
struct Visit {
    served: Served,
    caller: Caller,
    asked: Asked,
    moment: Moment,
    /// Who signed the request, in its headers or in its query.
    signer: Option<Signer>,
}

/// The gate's word.
enum Verdict {
    Welcome {
        caller: Box<Caller>,
        protocol: Option<HeaderValue>,
    },
    Refused(Response),
}

/// A refusal of the handshake, in the gateway's or the function's own words.
struct Refused {
    status: u16,
    body: String,
    error: Option<&'static str>,
}

impl Refused {
    fn gateway(status: u16, message: &'static str, visit: &Visit) -> Self {
        let id = &visit.caller.connection_id;
        Self {
            status,
            body: notice(message, id, visit.moment.id()),
            error: Some(message),
        }
    }
}

pub(super) async fn handshake(State(world): State<Arc<World>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    if parts.uri.to_string().len() > URL_LIMIT {
        return plain(StatusCode::URI_TOO_LONG, "Request-URI Too Long");
    }
    let Some((upgrade, accept)) = upgrade(&mut parts) else {
        return plain(StatusCode::UPGRADE_REQUIRED, "Upgrade Required");
    };
    let address = address(&world, &parts);
    let served = address
        .stage(&world)
        .and_then(|(api, stage)| served(&world, &api, &stage));
    let Some(served) = served.filter(|served| address.reaches(served)) else {
        return plain(StatusCode::FORBIDDEN, "Forbidden");
    };
    let visit = Visit::new(&world, &parts, served, address.domain);
    // Only ever shown, from here on.
    let query = discreet(parts.uri.query().unwrap_or_default());
    match decide(&world, visit).await {
        Verdict::Refused(response) => response,
        Verdict::Welcome { caller, protocol } => {
            open(&world, *caller, query, upgrade);
            switching(&accept, protocol)
        }
    }
}

/// What no path of a stage is.
pub(super) async fn nowhere() -> Response {
    plain(StatusCode::FORBIDDEN, "Forbidden")
}

fn address(world: &World, parts: &Parts) -> Address {
    let host = parts.headers.get(HOST).and_then(|h| h.to_str().ok());
    let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
    Address::at(world, host, parts.uri.path())
}

fn plain(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "message": message }))).into_response()
}

/// What is needed to take the connection over, if the request asks for a WebSocket.
fn upgrade(parts: &mut Parts) -> Option<(OnUpgrade, String)> {
    let says = |name, word: &str| {
        let value = parts.headers.get(name).and_then(|v| v.to_str().ok());
        value.is_some_and(|v| v.to_ascii_lowercase().contains(word))
    };
    if !says(CONNECTION, "upgrade") || !says(UPGRADE, "websocket") {
        return None;
    }
    if parts.headers.get(SEC_WEBSOCKET_VERSION)? != "13" {
        return None;
    }
    let key = parts.headers.get(SEC_WEBSOCKET_KEY)?;
    let accept = derive_accept_key(key.as_bytes());
    Some((parts.extensions.remove::<OnUpgrade>()?, accept))
}

fn switching(accept: &str, protocol: Option<HeaderValue>) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        response = response.header(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    response
        .body(Body::empty())
        .expect("base64 and a checked header value are valid")
}

impl Visit {
    fn new(world: &World, parts: &Parts, served: Served, domain: Option<String>) -> Self {
        let now = world.clock.millis();
        let (api_id, region) = (&served.api_id, &world.region);
        let own = || format!("{api_id}.execute-api.{region}.amazonaws.com");
        let domain = domain.unwrap_or_else(own);
        let query = parts.uri.query().unwrap_or_default();
        let asked = Asked {
            headers: headers(&parts.headers, &domain),
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
        };
        let signer = signer(world, parts, &asked);
        let agent = parts.headers.get(USER_AGENT).and_then(|v| v.to_str().ok());
        let caller = Caller {
            api_id: served.api_id.clone(),
            stage: served.stage.clone(),
            domain,
            connection_id: ids::connection_id(),
            connected_at: now,
            source_ip: SOURCE.to_owned(),
            user_agent: agent.map(str::to_owned),
            authorizer: None,
            signer: None,
        };
        Self {
            served,
            caller,
            asked,
            moment: Moment::new(now),
            signer,
        }
    }

    fn errand(&self) -> Errand<'_> {
        Errand {
            served: &self.served,
            route_key: CONNECT,
            connection_id: &self.caller.connection_id,
        }
    }
}

/// Who signed the handshake for this service and Region. Whether the signature is right nobody checks locally.
fn signer(world: &World, parts: &Parts, asked: &Asked) -> Option<Signer> {
    let query = asked
        .query("X-Amz-Signature")
        .and_then(|_| asked.query("X-Amz-Credential"));
    let credential = Credential::of(&parts.headers).or_else(|| Credential::parse(query?))?;
    let fits = credential.service == SERVICE && credential.region == world.region;
    fits.then(|| Signer {
        account: world.account.clone(),
        key: credential.key.to_owned(),
        arn: sts::holder(world, credential.key),
    })
}

/// The headers as a function sees them: without the hop's own, with those that AWS's front adds.
fn headers(given: &HeaderMap, domain: &str) -> Vec<(String, String)> {
    let hop = [
        "connection",
        "content-length",
        "host",
        "upgrade",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
    ];
    let trace = format!("Root=1-{}-{}", ids::hex(8), ids::hex(24));
    let mut all = vec![("Host".to_owned(), domain.to_owned())];
    for (name, value) in given {
        if !hop.contains(&name.as_str()) {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            all.push((train_case(name.as_str()), value));
        }
    }
    for (name, value) in [
        ("X-Amzn-Trace-Id", trace.as_str()),
        ("X-Forwarded-For", SOURCE),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
    ] {
        all.push((name.to_owned(), value.to_owned()));
    }
    all
}

/// Asks the gate in a task of its own: `$connect` runs to its end even when the client leaves meanwhile, and a client
/// that was let in but has left is a disconnect.
#[expect(
    clippy::disallowed_methods,
    reason = "$connect goes on when its client has left"
)]
async fn decide(world: &Arc<World>, visit: Visit) -> Verdict {
    let (tell, told) = oneshot::channel();
    let world = Arc::clone(world);
    let _detached: JoinHandle<()> = tokio::spawn(async move {
        let verdict = gate(&world, visit).await;
        if let Err(Verdict::Welcome { caller, .. }) = tell.send(verdict) {
            messages::disconnected(&world, &caller, &Farewell::new(1006, "")).await;
        }
    });
    told.await.unwrap_or_else(|_| {
        let failed = plain(StatusCode::INTERNAL_SERVER_ERROR, "Internal server error");
        Verdict::Refused(failed)
    })
}

async fn gate(world: &Arc<World>, mut visit: Visit) -> Verdict {
    let verdict = enter(world, &mut visit).await;
    let mut line = Line::new(&visit.caller, &visit.moment, "CONNECT", CONNECT);
    let by_gateway = |refused: &Refused| refused.error.is_some() && refused.status < 500;
    let refused = verdict.as_ref().err().is_some_and(by_gateway);
    world.count_refusal(&visit.served.api_id, &visit.served.stage, refused);
    match verdict {
        Ok((protocol, called)) => {
            line.status(200);
            if let Some((called, took)) = called {
                line.integration(&called, took);
            }
            line.write(world, &visit.served);
            Verdict::Welcome {
                caller: Box::new(visit.caller),
                protocol,
            }
        }
        Err(refused) => {
            line.status(refused.status);
            if let Some(error) = refused.error {
                line.error(error);
            }
            line.write(world, &visit.served);
            world.tell(Happening::Refused {
                connection_id: visit.caller.connection_id,
                message: format!("handshake {} {}", refused.status, refused.body),
            });
            let status = StatusCode::from_u16(refused.status);
            let status = status.unwrap_or(StatusCode::BAD_GATEWAY);
            let kind = [("content-type", "application/json")];
            Verdict::Refused((status, kind, refused.body).into_response())
        }
    }
}

type Entered = (Option<HeaderValue>, Option<(Called, u128)>);

/// Throttle, signature, authorizer and `$connect`, in this order.
async fn enter(world: &Arc<World>, visit: &mut Visit) -> Result<Entered, Refused> {
    if !world.sockets.admits(world, &visit.served, CONNECT) {
        return Err(Refused::gateway(429, "Too Many Requests", visit));
    }
    let Some(route) = visit.served.routes.get(CONNECT).cloned() else {
        return Ok((None, None));
    };
    // A key needs a usage plan, and those there are none of: nobody can have one.
    if route.needs_key {
        return Err(Refused::gateway(403, "Forbidden", visit));
    }
    if route.authorization == "AWS_IAM" {
        let Some(signer) = visit.signer.take() else {
            return Err(Refused::gateway(403, "Forbidden", visit));
        };
        if !may_connect(world, &signer, visit) {
            return Err(Refused::gateway(403, "Forbidden", visit));
        }
        visit.caller.signer = Some(signer);
    }
    if let Some(asked) = &route.authorizer {
        visit.caller.authorizer = Some(authorize(world, visit, asked).await?);
    }
    visit.moment.at = world.clock.millis();
    let (moment, asked) = (&visit.moment, &visit.asked);
    let event = visit.caller.connect(moment, asked, &visit.served.variables);
    world.count_connect(&visit.served.api_id, &visit.served.stage);
    let (called, took, _) = visit.errand().run(world, &route, &event).await;
    let protocol = admitted(&called, visit)?;
    Ok((protocol, Some((called, took.as_millis()))))
}

/// A role's session needs its role's permission to call the route.
fn may_connect(world: &World, signer: &Signer, visit: &Visit) -> bool {
    let Some(session) = sts::session(world, &signer.key) else {
        return true;
    };
    let route = format!("{}/{CONNECT}", visit.served.stage);
    let ask = Ask::new("execute-api:Invoke", visit.errand().arn(world, &route));
    iam::check(world, &session, &[ask]).is_ok()
}

async fn authorize(
    world: &Arc<World>,
    visit: &Visit,
    authorizer: &crate::local::apigateway::ServedAuthorizer,
) -> Result<Map<String, Value>, Refused> {
    let Visit {
        served,
        caller,
        asked,
        moment,
        signer: _,
    } = visit;
    authorizer::authorize(world, served, authorizer, caller, asked, moment)
        .await
        .map_err(|barred| match barred {
            Barred::Unauthorized => Refused::gateway(401, "Unauthorized", visit),
            Barred::Forbidden => Refused::gateway(403, "Forbidden", visit),
            Barred::Broken => Refused::gateway(500, "Internal server error", visit),
        })
}

/// Reads what `$connect` returned: any 2xx lets in, with the sub-protocol it chose.
fn admitted(called: &Called, visit: &Visit) -> Result<Option<HeaderValue>, Refused> {
    let status = match called {
        Called::Answered(_) | Called::Failed(_) => 502,
        Called::TimedOut => 504,
        Called::Unreachable(_) => 500,
    };
    let answer = match called {
        Called::Answered(answer) => answer,
        Called::TimedOut => {
            return Err(Refused::gateway(
                status,
                "Endpoint request timed out",
                visit,
            ));
        }
        _ => return Err(Refused::gateway(status, "Internal server error", visit)),
    };
    let well_formed = matches!(answer["body"], Value::Null | Value::String(_));
    let Some(code) = called.status().filter(|_| well_formed) else {
        return Err(Refused::gateway(status, "Internal server error", visit));
    };
    if !(200..300).contains(&code) {
        return Err(Refused {
            status: code,
            body: answer["body"].as_str().unwrap_or_default().to_owned(),
            error: None,
        });
    }
    Ok(protocol(answer))
}

/// The sub-protocol is echoed only when the function says so.
fn protocol(answer: &Value) -> Option<HeaderValue> {
    let find = |member: &str| {
        let headers = answer[member].as_object()?;
        let named =
            |(name, _): &(&String, &Value)| name.eq_ignore_ascii_case("sec-websocket-protocol");
        let (_, value) = headers.iter().find(named)?;
        value.as_str().or_else(|| value[0].as_str())
    };
    let value = find("headers").or_else(|| find("multiValueHeaders"))?;
    HeaderValue::from_str(value).ok()
}

/// Registers the connection, so that it can be posted to as soon as its client knows of it, and serves it.
#[expect(
    clippy::disallowed_methods,
    reason = "a socket lives longer than its handshake"
)]
fn open(world: &Arc<World>, caller: Caller, query: String, upgrade: OnUpgrade) {
    let (connection, ends): (Arc<Connection>, Ends) = Connection::new(caller, query.clone());
    world.sockets.add(&connection);
    world.tell(Happening::Connected {
        connection_id: connection.caller.connection_id.clone(),
        query,
    });
    let world = Arc::clone(world);
    let _detached: JoinHandle<()> = tokio::spawn(async move {
        let farewell = if let Ok(io) = upgrade.await {
            socket::serve(&world, &connection, ends, io).await
        } else {
            world.sockets.remove(&connection.caller.connection_id);
            Farewell::new(1006, "")
        };
        messages::disconnected(&world, &connection.caller, &farewell).await;
    });
}
